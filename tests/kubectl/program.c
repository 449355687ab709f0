/* See kubectl.h: one run of one program, and how it ended. */
#include "kubectl.h"

#include <stdlib.h>
#include <string.h>

#include "../support/run.h"
#include "util/buf.h"
#include "util/file.h"
#include "util/mem.h"
#include "util/str.h"

/* Patience with one program; a case that takes so long is a failure. */
#define PROGRAM_MS 20000

/* Becomes root of its own mounts and puts the account where a pod has it. */
static const char *const mounting[] = {
	"--user",
	"--map-root-user",
	"--mount",
	"sh",
	"-ec",
	"mount -t tmpfs run /var/run; at=/var/run/secrets/kubernetes.io/serviceaccount; mkdir -p $at; "
	"cp \"$1\"/* $at; shift; exec \"$@\"",
	"sh",
	NULL
};

static void add_words(struct strv *argv, const char *const *words)
{
	for (; *words; words++)
		strv_add(argv, *words);
}

static void make_argv(struct world *world, const struct kubectl_case *given, const char *kubectl, struct strv *argv)
{
	if (given->in_cluster) {
		add_words(argv, mounting);
		strv_add(argv, world_account(world));
		strv_add(argv, kubectl ? kubectl : getenv("KUBECTL_CONSUL"));
	}
	if (kubectl) {
		strv_add(argv, "get");
		strv_add(argv, "statefulsets.apps");
	} else {
		strv_add(argv, "health");
	}
	for (const char *const *word = given->words; *word; word++)
		strv_take(argv, world_expand(world, *word));
}

static void make_environment(struct world *world, const struct kubectl_case *given, struct strv *environment)
{
	if (given->config)
		strv_addf(environment, "KUBECONFIG=%s/config", world_directory(world));
	for (const char *const *variable = given->environment; *variable; variable++)
		strv_take(environment, world_expand(world, *variable));
	strv_addf(environment, "CASE=%s", world_directory(world)); /* for plugins */
}

/* klog: a letter for the level, month and day; what follows is indented. */
static bool is_log(const char *line)
{
	if (*line == '\t' || *line == ' ')
		return true;
	return *line && strchr("EWIF", *line) && strspn(line + 1, "0123456789") == 4 && line[5] == ' ';
}

static char *first_error(const char *text)
{
	_cleanup_strv_ struct strv lines = STRV_INIT;

	strv_split(&lines, text, '\n');
	for (size_t i = 0; i < lines.count; i++)
		if (*lines.items[i] && !is_log(lines.items[i]))
			return xstrdup(lines.items[i]);
	return xstrdup("(no word)");
}

/* Lines of the file that the case tells to look at, as one. */
static void add_file(struct world *world, const struct kubectl_case *given, struct buf *out)
{
	_cleanup_err_ struct err err = ERR_INIT;
	_cleanup_buf_ struct buf text = BUF_TEXT;
	_cleanup_strv_ struct strv lines = STRV_INIT;
	_cleanup_free_ char *path = file_join(world_directory(world), given->also);
	_cleanup_free_ char *joined = NULL;

	if (file_read(path, &text, &err) < 0) {
		buf_addf(out, " | (no %s)", given->also);
		return;
	}
	strv_split(&lines, buf_text(&text), '\n');
	joined = strv_join(&lines, " | ", " | ");
	buf_addf(out, " | %s", joined);
}

char *program_outcome(struct world *world, const struct kubectl_case *given, const char *kubectl)
{
	_cleanup_strv_ struct strv argv = STRV_INIT, environment = STRV_INIT;
	_cleanup_buf_ struct buf out = BUF_TEXT;
	_cleanup_free_ char *seen = NULL, *error = NULL;
	struct run_result result;

	world_prepare(world, given);
	make_argv(world, given, kubectl, &argv);
	make_environment(world, given, &environment);
	run_program(&(struct run_options){ .program = given->in_cluster ? "/usr/bin/unshare" : kubectl,
	                                   .argv = (const char *const *)argv.items,
	                                   .environment = (const char *const *)environment.items,
	                                   .timeout_ms = PROGRAM_MS },
	            &result);
	seen = world_seen(world, given->headers);
	error = first_error(result.error_output);
	buf_adds(&out, seen ? seen : error);
	if (result.timed_out)
		buf_adds(&out, " (and no end)");
	else if (result.exit_code >= 126 || (result.exit_code == 0 && !seen) || (kubectl && seen && result.exit_code))
		buf_addf(&out, " (and exit code %d: %s)", result.exit_code, error);
	if (strstr(result.error_output, WAYS_PASSWORD) || strstr(result.output, WAYS_PASSWORD))
		buf_adds(&out, " (and the password is shown)");
	if (given->also)
		add_file(world, given, &out);
	run_result_release(&result);
	return world_normalize(world, buf_text(&out));
}

bool program_can_mount(struct world *world)
{
	_cleanup_strv_ struct strv argv = STRV_INIT;
	struct run_result result;
	bool can;

	add_words(&argv, mounting);
	strv_add(&argv, world_account(world));
	strv_add(&argv, "true");
	run_program(&(struct run_options){ .program = "/usr/bin/unshare", .argv = (const char *const *)argv.items },
	            &result);
	can = result.exit_code == 0;
	run_result_release(&result);
	return can;
}
