/* `version`: which program this is. Offline. */
#include "cmd/cmd.h"

#include "util/json.h"
#include "util/mem.h"

#if defined(__linux__)
#define PLATFORM_OS "linux"
#elif defined(__APPLE__)
#define PLATFORM_OS "darwin"
#elif defined(__FreeBSD__)
#define PLATFORM_OS "freebsd"
#else
#define PLATFORM_OS "unknown"
#endif

#if defined(__x86_64__)
#define PLATFORM_ARCH "amd64"
#elif defined(__aarch64__)
#define PLATFORM_ARCH "arm64"
#elif defined(__arm__)
#define PLATFORM_ARCH "arm"
#elif defined(__i386__)
#define PLATFORM_ARCH "386"
#elif defined(__riscv)
#define PLATFORM_ARCH "riscv64"
#else
#define PLATFORM_ARCH "unknown"
#endif

#define VERSION_TEXT "v" KUBECTL_CONSUL_VERSION
#define PLATFORM     PLATFORM_OS "/" PLATFORM_ARCH
#define COMPILER     "cc " __VERSION__

enum version_output { VERSION_LINE, VERSION_JSON, VERSION_YAML };

struct version_options {
	enum version_output output;
};

static const char *const output_choices[] = { "", "json", "yaml", NULL };

static const struct option option_table[] = {
	{ .name = "output",
	  .letter = 'o',
	  .kind = OPTION_CHOICE,
	  OPTION_AT(struct version_options, output),
	  .choices = output_choices,
	  .default_text = "",
	  .value_name = "json|yaml",
	  .wrong_choice = CMD_WRONG_OUTPUT("json,yaml"),
	  .help = "One of 'yaml' or 'json'." },
	{ 0 },
};

void cmd_print_version(const struct cmd_context *context)
{
	fprintf(context->output, "%s %s (%s)\n", context->program->name, VERSION_TEXT, PLATFORM);
}

/* The keys are those of `kubectl version -o json`, so that the same scripts read both. */
static void print_json(FILE *output)
{
	_cleanup_json_ cJSON *json =
	    json_object("clientVersion",
	                json_object("gitVersion", json_string(VERSION_TEXT), "compiler", json_string(COMPILER),
	                            "platform", json_string(PLATFORM), NULL),
	                NULL);
	_cleanup_free_ char *text = json_text_pretty(json);

	fputs(text, output);
}

static void print_yaml(FILE *output)
{
	fprintf(output,
	        "clientVersion:\n"
	        "  compiler: \"%s\"\n"
	        "  gitVersion: %s\n"
	        "  platform: %s\n",
	        COMPILER, VERSION_TEXT, PLATFORM);
}

static int run_version(const struct cmd_context *context, int *ret_exit_code, struct err *err)
{
	const struct version_options *options = context->options;

	(void)ret_exit_code;
	(void)err;
	switch (options->output) {
	case VERSION_LINE:
		cmd_print_version(context);
		break;
	case VERSION_JSON:
		print_json(context->output);
		break;
	case VERSION_YAML:
		print_yaml(context->output);
		break;
	}
	return 0;
}

const struct command cmd_version = {
	.name = "version",
	.group = "Other Commands",
	.summary = "Print the version of this program",
	.examples = "# Print the version\n"
	            "kubectl consul version\n"
	            "\n"
	            "# For a script\n"
	            "kubectl consul version -o json\n",
	.options = option_table,
	.options_size = sizeof(struct version_options),
	.run = run_version,
};
