/* See include/cmd/health_output.h. */
#include "cmd/health_output.h"

#include "consul/report.h"
#include "consul/report_metrics.h"
#include "consul/report_nagios.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"
#include "util/yaml.h"

#define TEMPLATE_PREFIX "jsonpath="

/* In the order of enum health_format. */
const char *const health_format_names[] = { "table",     "wide",   "name",        "json", "yaml",
	                                    "jsonpath=", "nagios", "openmetrics", NULL };

static int wrong_format(const char *text, struct err *err)
{
	_cleanup_strv_ struct strv names = STRV_INIT;
	_cleanup_free_ char *list = NULL, *shown = str_visible(text, 0);

	for (size_t i = 0; health_format_names[i]; i++)
		strv_addf(&names, "%.*s", (int)strcspn(health_format_names[i], "="), health_format_names[i]);
	strv_sort(&names);
	list = strv_join(&names, ",", ",");
	return err_set(err, ERR_USAGE,
	               "unable to match a printer suitable for the output format \"%s\", allowed formats are: %s",
	               shown, list);
}

static int parse_template(const char *template, struct health_output *output, struct err *err)
{
	output->format = HEALTH_JSONPATH;
	if (str_is_empty(template))
		return err_set(err, ERR_USAGE, "template format specified but no template given");
	return jsonpath_parse(template, &output->path, err);
}

int health_output_parse(const char *text, const char *template, struct health_output *ret_output, struct err *err)
{
	if (str_starts_with(text, TEMPLATE_PREFIX))
		return parse_template(text + strlen(TEMPLATE_PREFIX), ret_output, err);
	if (str_equal(text, "jsonpath"))
		return parse_template(template, ret_output, err);
	for (int i = 0; health_format_names[i]; i++) {
		if (str_equal(health_format_names[i], text) || (i == HEALTH_TABLE && !*text)) {
			ret_output->format = (enum health_format)i;
			return 0;
		}
	}
	return wrong_format(text, err);
}

void health_output_release(struct health_output *output)
{
	jsonpath_free(output->path);
	*output = (struct health_output)HEALTH_OUTPUT_INIT;
}

bool health_output_is_screen(const struct health_output *output)
{
	return output->format == HEALTH_TABLE || output->format == HEALTH_WIDE;
}

bool health_output_can_watch(const struct health_output *output)
{
	return output->format != HEALTH_NAGIOS && output->format != HEALTH_OPENMETRICS;
}

/* ------------------------------------------------------------------------------------------- printing */

static void add_name(const char *name, struct buf *out)
{
	_cleanup_free_ char *visible = str_visible(name, 0);

	buf_addf(out, "statefulset.apps/%s\n", visible);
}

static void add_yaml(const cJSON *json, bool stream, struct buf *out)
{
	_cleanup_free_ char *text = yaml_text(json);

	buf_addf(out, "%s%s", stream ? "---\n" : "", text);
}

static void add_json(const cJSON *json, bool stream, struct buf *out)
{
	_cleanup_free_ char *text = stream ? json_text(json) : json_text_pretty(json);

	buf_addf(out, "%s%s", text, stream ? "\n" : "");
}

static void add_nagios(const struct snapshot *snapshot, const struct assessment *assessment, const struct term *term,
                       struct buf *out)
{
	_cleanup_free_ char *line = report_nagios(snapshot, assessment);
	_cleanup_free_ char *shown = term_text(term, line);

	buf_addf(out, "%s\n", shown);
}

/* The template's lines and tabs stay; other control characters can only be the cluster's. */
static void add_harmless(const char *text, struct buf *out)
{
	while (*text) {
		size_t length = strcspn(text, "\n\t");
		_cleanup_free_ char *part = xstrndup(text, length);
		_cleanup_free_ char *visible = str_visible(part, 0);

		buf_adds(out, visible);
		text += length;
		if (*text)
			buf_addc(out, *text++);
	}
}

static int add_path(const struct health_output *output, const cJSON *json, const struct term *term, struct buf *out,
                    struct err *err)
{
	_cleanup_buf_ struct buf text = BUF_TEXT;

	if (jsonpath_print(output->path, json, output->allow_missing, &text, err) < 0)
		return -1;
	if (term->is_tty)
		add_harmless(buf_text(&text), out);
	else
		buf_adds(out, buf_text(&text));
	return 0;
}

int health_output_add(const struct health_output *output, const struct snapshot *snapshot,
                      const struct assessment *assessment, bool stream, const struct term *term, struct buf *out,
                      struct err *err)
{
	_cleanup_json_ cJSON *json = NULL;

	switch (output->format) {
	case HEALTH_NAME:
		add_name(snapshot->set.name, out);
		return 0;
	case HEALTH_NAGIOS:
		add_nagios(snapshot, assessment, term, out);
		return 0;
	case HEALTH_OPENMETRICS:
		report_metrics(snapshot, assessment, out);
		return 0;
	case HEALTH_JSON:
	case HEALTH_YAML:
	case HEALTH_JSONPATH:
	case HEALTH_TABLE:
	case HEALTH_WIDE:
		break;
	}
	json = report_json(snapshot, assessment);
	if (output->format == HEALTH_JSONPATH)
		return add_path(output, json, term, out, err);
	if (output->format == HEALTH_YAML)
		add_yaml(json, stream, out);
	else
		add_json(json, stream, out);
	return 0;
}
