/*
 * `completion install|uninstall`: the link that kubectl looks for when TAB is pressed.
 *
 * It stands beside the name that this program was started by, not beside what that name leads to: krew puts a symlink
 * into its bin directory, and only that is on PATH.
 */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/complete.h"
#include "util/file.h"
#include "util/mem.h"
#include "util/str.h"

#define TRY                                                                                                            \
	"Try it: kubectl consul scale <TAB>. It needs kubectl 1.26 or newer, and kubectl's own completion in your "    \
	"shell (bash: source <(kubectl completion bash), zsh likewise; kubectl completion --help).\n"

static const char *const action_choices[] = { "install", "uninstall", NULL };

/* Where everything is. Owns its strings. */
struct place {
	char *program; /* the name of this program's file, or of the link that leads to it: "kubectl-consul" */
	char *directory;
	char *target; /* directory/program */
	char *link;   /* directory/kubectl_complete-consul */
};

static void place_release(struct place *place)
{
	free(place->program);
	free(place->directory);
	free(place->target);
	free(place->link);
}

#define _cleanup_place_ __attribute__((cleanup(place_release)))

/* The directory of PATH that name is started from: a new string, or NULL. An empty entry is the current directory. */
static char *find_on_path(const char *path, const char *name)
{
	_cleanup_strv_ struct strv directories = STRV_INIT;

	strv_split(&directories, path ? path : "", ':');
	for (size_t i = 0; i < directories.count; i++) {
		const char *directory = *directories.items[i] ? directories.items[i] : ".";
		_cleanup_free_ char *file = file_join(directory, name);

		if (file_exists(file) && access(file, X_OK) == 0)
			return xstrdup(directory);
	}
	return NULL;
}

static int find_place(const struct cmd_context *context, struct place *ret_place, struct err *err)
{
	const char *path = context->program->path, *slash = path ? strrchr(path, '/') : NULL;

	if (str_is_empty(path) || str_ends_with(path, "/"))
		return err_set(err, ERR_FAILED, "this program was started without a name: where it is cannot be told");
	ret_place->program = xstrdup(slash ? slash + 1 : path);
	if (slash)
		ret_place->directory = slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
	else
		ret_place->directory = find_on_path(context->environment->path, path);
	if (!ret_place->directory)
		return err_set(err, ERR_FAILED, "%s is not on PATH: where it is cannot be told", ret_place->program);
	ret_place->target = file_join(ret_place->directory, ret_place->program);
	ret_place->link = file_join(ret_place->directory, COMPLETE_FILE_NAME);
	return 0;
}

/* ------------------------------------------------------------------------------------- what is there */

enum found {
	FOUND_NOTHING,
	FOUND_OURS, /* it leads to this program */
	FOUND_OLD,  /* a link to a kubectl-consul that is another, or has gone */
	FOUND_FOREIGN,
};

static bool is_same_file(const char *a, const char *b)
{
	struct stat first, second;

	return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
	       first.st_ino == second.st_ino;
}

static enum found look(const struct place *place)
{
	char target[PATH_MAX];
	const char *name;
	ssize_t length = readlink(place->link, target, sizeof(target) - 1);

	if (length < 0)
		return errno == ENOENT                            ? FOUND_NOTHING
		       : is_same_file(place->link, place->target) ? FOUND_OURS
		                                                  : FOUND_FOREIGN;
	target[length] = '\0';
	if (is_same_file(place->link, place->target))
		return FOUND_OURS;
	name = strrchr(target, '/');
	return str_equal(name ? name + 1 : target, place->program) ? FOUND_OLD : FOUND_FOREIGN;
}

static int foreign(const struct place *place, struct err *err)
{
	_cleanup_free_ char *link = str_visible(place->link, 0);

	err_set(err, ERR_CONFIG, "%s is there already, and does not lead to this program", link);
	return err_hint(err, "look what it is (ls -l %s), and move it away if it is not needed", link);
}

/* What to do where nothing may be written. */
static int cannot(const struct place *place, const char *what, struct err *err)
{
	int reason = errno;
	_cleanup_free_ char *link = str_visible(place->link, 0), *whole = realpath(place->target, NULL);
	_cleanup_free_ char *target = str_visible(whole ? whole : place->target, 0);

	err_set(err, ERR_CONFIG, "cannot %s %s: %s", what, link, strerror(reason));
	if (str_equal(what, "remove"))
		return err_hint(err, "as somebody who may: sudo rm %s", link);
	return err_hint(err,
	                "any directory on PATH will do, such as ~/.local/bin:\n"
	                "ln -s %s ~/.local/bin/" COMPLETE_FILE_NAME,
	                target);
}

/* ------------------------------------------------------------------------------------------- actions */

static bool is_on_path(const char *path, const char *directory)
{
	_cleanup_strv_ struct strv directories = STRV_INIT;

	strv_split(&directories, path ? path : "", ':');
	for (size_t i = 0; i < directories.count; i++)
		if (is_same_file(*directories.items[i] ? directories.items[i] : ".", directory))
			return true;
	return false;
}

static void tell(const struct cmd_context *context, const struct place *place, const char *what)
{
	_cleanup_free_ char *link = str_visible(place->link, 0), *whole = realpath(place->directory, NULL);
	_cleanup_free_ char *directory = str_visible(whole ? whole : place->directory, 0);

	fprintf(context->output, "%s %s\n", link, what);
	if (!is_on_path(context->environment->path, place->directory))
		fprintf(context->messages,
		        "Warning: %s is not on PATH: kubectl does not find it there. Put this into your shell's "
		        "profile: export PATH=\"%s:$PATH\"\n",
		        directory, directory);
	fputs(TRY, context->output);
}

static int install(const struct cmd_context *context, const struct place *place, struct err *err)
{
	enum found found = look(place);

	if (found == FOUND_FOREIGN)
		return foreign(place, err);
	if (found == FOUND_OURS) {
		tell(context, place, "unchanged: it is installed already");
		return 0;
	}
	if (found == FOUND_OLD && unlink(place->link) < 0)
		return cannot(place, "replace", err);
	/* relative: both may move together, and krew's link is followed to whatever version it leads to */
	if (symlink(place->program, place->link) < 0)
		return cannot(place, "create", err);
	tell(context, place, found == FOUND_OLD ? "replaced: it led to another file" : "created");
	return 0;
}

static int uninstall(const struct cmd_context *context, const struct place *place, struct err *err)
{
	_cleanup_free_ char *link = str_visible(place->link, 0);
	enum found found = look(place);

	if (found == FOUND_FOREIGN)
		return foreign(place, err);
	if (found == FOUND_NOTHING) {
		fprintf(context->output, "%s is not there: nothing to do\n", link);
		return 0;
	}
	if (unlink(place->link) < 0)
		return cannot(place, "remove", err);
	fprintf(context->output, "%s deleted\n", link);
	return 0;
}

static int run_completion(const struct cmd_context *context, int *ret_exit_code, struct err *err)
{
	const char *action = context->words->operands.items[0];
	_cleanup_place_ struct place place = { 0 };

	(void)ret_exit_code;
	if (!str_equal(action, action_choices[0]) && !str_equal(action, action_choices[1])) {
		_cleanup_free_ char *shown = str_visible(action, 0), *message = NULL;
		_cleanup_strv_ struct strv suggestions = STRV_INIT;

		message = xasprintf("unknown command \"%s\" for \"%s\"", shown, context->title);
		cmd_suggest(action, action_choices, &suggestions);
		if (str_equal(action, "bash") || str_equal(action, "zsh") || str_equal(action, "fish")) {
			err_set(err, ERR_USAGE, "%s", message);
			return err_hint(err,
			                "What the shell needs is kubectl's: source <(kubectl completion %s); then: %s "
			                "install",
			                action, context->title);
		}
		return cmd_unknown(err, message, &suggestions);
	}
	if (find_place(context, &place, err) < 0)
		return -1;
	assert(place.link && place.target);
	return str_equal(action, action_choices[0]) ? install(context, &place, err) : uninstall(context, &place, err);
}

const struct command cmd_completion = {
	.name = "completion",
	.group = "Other Commands",
	.summary = "Switch completion by TAB on or off",
	.operands = "install|uninstall",
	.operands_min = 1,
	.operands_max = 1,
	.operand_choices = action_choices,
	.description =
	    "kubectl completes the words after `kubectl consul` with the help of " COMPLETE_FILE_NAME ", which is this "
	    "program under another name. install puts that name, a link, beside the one that you started this program "
	    "by; uninstall takes it away. Nothing else is changed, and both may be repeated.\n\n"
	    "It needs kubectl 1.26 or newer, and kubectl's own completion in your shell (see kubectl completion "
	    "--help). Namespaces, clusters and servers are asked of the API server, for less than a second, with the "
	    "context and options that are on the command line so far.",
	.examples = "# Switch it on\n"
	            "kubectl consul completion install\n"
	            "\n"
	            "# What it does then\n"
	            "kubectl consul scale <TAB>\n"
	            "\n"
	            "# Before the program is removed\n"
	            "kubectl consul completion uninstall\n",
	.run = run_completion,
};
