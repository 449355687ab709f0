/* See include/cmd/man.h. */
#include "cmd/man.h"

#include <string.h>

#include "cmd/complete.h"
#include "util/mem.h"
#include "util/str.h"

/* What escapes make of it is still less than 80. */
#define LINE_WIDTH 64

/* A name and what it means. */
struct meaning {
	const char *name;
	const char *text;
};

static const struct meaning exit_codes[] = {
	{ "0", "Done, or nothing to do. Of health: the cluster is HEALTHY." },
	{ "1",
	  "An error: what it is, and often what to do, is said on standard error. Also an answer that was not yes." },
	{ "2", "Of health: CRITICAL, there is no quorum or no leader; or nothing could be learnt." },
	{ "3", "Of health: DEGRADED, there is a quorum, but something is broken or missing." },
	{ "4", "Refused by a safety rule; nothing was changed by the step that was refused." },
	{ "124", "Not done within --timeout." },
	{ "130", "Interrupted by Ctrl-C; what was begun goes on in the cluster." },
};

static const struct meaning environment[] = {
	{ "KUBECONFIG", "Kubeconfig files, separated by colons; without it ~/.kube/config." },
	{ "CONSUL_HTTP_TOKEN", "ACL token to show to the Consul servers." },
	{ "CONSUL_HTTP_TOKEN_FILE", "File whose first line is that token." },
	{ "HTTPS_PROXY, HTTP_PROXY, NO_PROXY", "Proxy for the API server, and the hosts that are reached without it." },
	{ "SSL_CERT_FILE, SSL_CERT_DIR",
	  "Certificate authorities of the system, where the kubeconfig names none for the cluster." },
	{ "KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT",
	  "The API server, in a pod, where there is no kubeconfig but a service account." },
	{ "NO_COLOR", "If set, nothing is coloured." },
	{ "COLUMNS, TERM, LC_ALL, LC_CTYPE, LANG", "Width, abilities and characters of the terminal." },
};

static const struct meaning files[] = {
	{ "~/.kube/config", "The kubeconfig, unless --kubeconfig or KUBECONFIG names others." },
	{ "/var/run/secrets/kubernetes.io/serviceaccount",
	  "Token, authority and namespace of a pod's service account." },
	{ COMPLETE_FILE_NAME,
	  "Beside the program on PATH: the link to it that kubectl asks for completion. See completion install." },
};

/* -------------------------------------------------------------------------------------------- text */

/* The UTF-8 character at text; *ret_length is that of its bytes. Text is our own, and valid. */
static unsigned decode(const char *text, size_t *ret_length)
{
	const unsigned char *bytes = (const unsigned char *)text;
	size_t length = bytes[0] < 0x80 ? 1 : bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;
	unsigned code = length == 1 ? bytes[0] : bytes[0] & (0xffU >> (length + 1));

	for (size_t i = 1; i < length && bytes[i]; i++)
		code = code << 6 | (bytes[i] & 0x3f);
	*ret_length = length;
	return code;
}

/* What roff would take for something else: ASCII that it sets as typographic characters, too. */
static const char *escaped(char character)
{
	switch (character) {
	case '\\':
		return "\\e";
	case '-':
		return "\\-";
	case '\'':
		return "\\(aq";
	case '`':
		return "\\(ga";
	case '^':
		return "\\(ha";
	case '~':
		return "\\(ti";
	case '"':
		return "\\(dq";
	default:
		return NULL;
	}
}

void man_text(const char *text, struct buf *out)
{
	bool line_begins = true;

	while (*text) {
		const char *escape = escaped(*text);
		size_t length;
		unsigned code = decode(text, &length);

		if (line_begins && *text == '.')
			buf_adds(out, "\\&");
		if (escape)
			buf_adds(out, escape);
		else if (code >= 0x80)
			buf_addf(out, "\\[u%04X]", code);
		else
			buf_addc(out, *text);
		line_begins = *text == '\n';
		text += length;
	}
}

/* A macro and its one argument, which is text. */
static void add_macro(const char *macro, const char *text, struct buf *out)
{
	buf_addf(out, ".%s \"", macro);
	man_text(text, out);
	buf_adds(out, "\"\n");
}

/* Prose, in lines that roff's own checkers do not find too long. */
static void add_prose(const char *text, struct buf *out)
{
	_cleanup_buf_ struct buf wrapped = BUF_TEXT;

	term_add_wrapped(&wrapped, text, LINE_WIDTH, "");
	man_text(buf_text(&wrapped), out);
	buf_addc(out, '\n');
}

/* Paragraphs, separated by line ends; lines that are indented stand as they are. */
static void add_paragraphs(const char *text, const char *between, struct buf *out)
{
	bool first = true;

	while (*text) {
		size_t length = strcspn(text, "\n");
		_cleanup_free_ char *line = xstrndup(text, length);

		if (length > 0 && !first)
			buf_addf(out, "%s\n", between);
		if (length > 0) {
			add_prose(line, out);
			first = false;
		}
		text += length;
		text += *text == '\n';
	}
}

/* ------------------------------------------------------------------------------------- the sections */

static void add_meanings(const char *title, const struct meaning *meanings, size_t count, struct buf *out)
{
	buf_addf(out, ".SH %s\n", title);
	for (size_t i = 0; i < count; i++) {
		buf_adds(out, ".TP\n");
		add_macro("B", meanings[i].name, out);
		add_prose(meanings[i].text, out);
	}
}

static void add_option(const struct option *option, struct buf *out)
{
	_cleanup_free_ char *value = option_value_text(option);
	_cleanup_buf_ struct buf head = BUF_TEXT;

	if (option->letter)
		buf_addf(&head, "-%c, ", option->letter);
	buf_addf(&head, "--%s", option->name);
	if (value)
		buf_addf(&head, option_is_bare(option) ? "[=%s]" : "=%s", value);
	buf_adds(out, ".TP\n");
	add_macro("B", buf_text(&head), out);
	add_paragraphs(option->help, ".sp", out);
	if (!str_is_empty(option->default_text) && option->kind != OPTION_FLAG) {
		buf_adds(out, "Default: ");
		man_text(option->default_text, out);
		buf_adds(out, ".\n");
	}
}

static void add_options(const struct option *options, struct buf *out)
{
	for (; options && options->name; options++)
		if (!options->hidden)
			add_option(options, out);
}

static void add_synopsis(const struct program *program, struct buf *out)
{
	buf_adds(out, ".SH SYNOPSIS\n");
	for (size_t i = 0; program->commands[i]; i++) {
		const struct command *command = program->commands[i];

		if (i > 0)
			buf_adds(out, ".br\n");
		buf_addf(out, ".B %s %s\n", program->name, command->name);
		if (command->operands) {
			man_text(command->operands, out);
			buf_adds(out, "\\&\n"); /* "..." ends no sentence */
		}
		if (command->group)
			buf_adds(out, "[options]\n");
	}
}

static void add_commands(const struct program *program, struct buf *out)
{
	buf_adds(out, ".SH COMMANDS\n");
	for (size_t i = 0; program->commands[i]; i++) {
		const struct command *command = program->commands[i];
		_cleanup_free_ char *head = xasprintf("%s%s%s", command->name, command->operands ? " " : "",
		                                      command->operands ? command->operands : "");

		add_macro("SS", head, out);
		if (command->description) {
			add_paragraphs(command->description, ".PP", out);
		} else {
			man_text(command->summary, out);
			buf_adds(out, ".\n");
		}
		add_options(command->options, out);
	}
}

static void add_examples(const struct program *program, struct buf *out)
{
	bool first = true;

	buf_adds(out, ".SH EXAMPLES\n");
	for (size_t i = 0; program->commands[i]; i++) {
		if (str_is_empty(program->commands[i]->examples))
			continue;
		buf_adds(out, first ? ".nf\n" : "\\&\n");
		first = false;
		for (const char *text = program->commands[i]->examples; *text; text += *text == '\n') {
			size_t length = strcspn(text, "\n");
			_cleanup_free_ char *line = xstrndup(text, length);

			man_text(length > 0 ? line : "", out);
			buf_adds(out, length > 0 ? "\n" : "\\&\n");
			text += length;
		}
	}
	if (!first)
		buf_adds(out, ".fi\n");
}

void man_page(const struct program *program, const char *version, const char *date, struct buf *out)
{
	buf_addf(out, ".TH KUBECTL\\-CONSUL 1 %s \"kubectl\\-consul %s\" \"User Commands\"\n", date, version);
	buf_adds(out, ".SH NAME\nkubectl\\-consul \\- Consul servers on Kubernetes\n");
	add_synopsis(program, out);
	buf_adds(out, ".SH DESCRIPTION\n");
	add_paragraphs(program->description, ".PP", out);
	buf_adds(out, ".PP\nThis is a plugin of\n.BR kubectl (1),\nwhich runs it as ");
	man_text(program->name, out);
	buf_adds(out, ".\n");
	add_commands(program, out);
	buf_adds(out, ".SH OPTIONS\nEvery command has these, and \\-\\-help.\n");
	add_options(global_option_table, out);
	add_meanings("EXIT STATUS", exit_codes, ARRAY_SIZE(exit_codes), out);
	add_meanings("ENVIRONMENT", environment, ARRAY_SIZE(environment), out);
	add_meanings("FILES", files, ARRAY_SIZE(files), out);
	add_examples(program, out);
	buf_adds(out, ".SH SEE ALSO\n.BR kubectl (1),\n.BR consul (1)\n");
}
