/* See shell_scene.h. */
#include "shell_scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "../../support/run.h"
#include "util/buf.h"
#include "util/file.h"
#include "util/mem.h"
#include "util/str.h"

const char *const shell_scene_shells[] = { "/bin/sh", "/bin/bash", "/bin/busybox", NULL };

void shell_scene_start(struct shell_scene *scene)
{
	*scene = (struct shell_scene){ 0 };
	snprintf(scene->directory, sizeof(scene->directory), "/tmp/unit-shell-XXXXXX");
	cr_assert(mkdtemp(scene->directory));
	scene->data_dir = file_join(scene->directory, "data");
	scene->prologue = xstrdup("");
	shell_scene_mkdir(scene, "data");
	shell_scene_mkdir(scene, "proc");
	reality_start(&scene->reality, NULL);
}

void shell_scene_stop(struct shell_scene *scene)
{
	struct run_result result;

	reality_stop(&scene->reality);
	run_program(&(struct run_options){ .program = "/bin/rm", .argv = RUN_ARGV("-rf", scene->directory) }, &result);
	run_result_release(&result);
	free(scene->data_dir);
	free(scene->prologue);
	free(scene->output);
	free(scene->error_output);
}

/* ------------------------------------------------------------------------------------------- files */

void shell_scene_write(struct shell_scene *scene, const char *path, const char *text)
{
	_cleanup_free_ char *whole = file_join(scene->directory, path);
	FILE *file = fopen(whole, "w");

	cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0, "%s", whole);
}

void shell_scene_mkdir(struct shell_scene *scene, const char *path)
{
	_cleanup_free_ char *whole = file_join(scene->directory, path);

	cr_assert_eq(mkdir(whole, 0755), 0, "%s", whole);
}

bool shell_scene_has(const struct shell_scene *scene, const char *path)
{
	_cleanup_free_ char *whole = file_join(scene->directory, path);

	return access(whole, F_OK) == 0;
}

char *shell_scene_read(const struct shell_scene *scene, const char *path)
{
	_cleanup_free_ char *whole = file_join(scene->directory, path);
	_cleanup_buf_ struct buf text = BUF_TEXT;
	_cleanup_err_ struct err err = ERR_INIT;

	if (access(whole, F_OK) < 0)
		return xstrdup("");
	cr_assert_eq(file_read(whole, &text, &err), 0, "%s", err.message);
	return xstrdup(buf_text(&text));
}

static void write_words(const struct shell_scene *scene, const char *path, const char *words)
{
	_cleanup_free_ char *whole = file_join(scene->directory, path), *copy = xstrdup(words);
	size_t length = strlen(copy);
	FILE *file = fopen(whole, "w");

	for (char *c = copy; *c; c++)
		if (*c == '|')
			*c = '\0';
	/* What strlen counted, since there are NULs in it now. */
	cr_assert(file && fwrite(copy, 1, length, file) == length && fclose(file) == 0, "%s", whole);
}

void shell_scene_process(struct shell_scene *scene, const char *pid, const char *name, const char *command,
                         const char *group)
{
	_cleanup_free_ char *directory = xasprintf("proc/%s", pid), *comm = xasprintf("proc/%s/comm", pid);
	_cleanup_free_ char *cmdline = xasprintf("proc/%s/cmdline", pid), *stat_path = xasprintf("proc/%s/stat", pid);
	_cleanup_free_ char *cgroup = xasprintf("proc/%s/cgroup", pid), *name_line = xasprintf("%s\n", name);
	_cleanup_free_ char *stat_line = xasprintf("%s (%s) S 0 1 1\n", pid, name);
	_cleanup_free_ char *groups = xasprintf("9:pids:/pods\n0::/%s\n", group ? group : "own");

	shell_scene_mkdir(scene, directory);
	shell_scene_write(scene, comm, name_line);
	write_words(scene, cmdline, command);
	shell_scene_write(scene, stat_path, stat_line);
	shell_scene_write(scene, cgroup, groups);
}

/* ------------------------------------------------------------------------------------------ scripts */

/* Before the script: its own shell looks just like Consul, and `kill` is written down. */
static const char own_process[] =
    "mkdir -p \"$D/proc/$$\"; echo consul >\"$D/proc/$$/comm\"; printf 'consul\\0agent\\0' >\"$D/proc/$$/cmdline\"\n"
    "trap 'rm -r \"$D/proc/$$\"' EXIT\n"
    "printf '9:pids:/pods\\n0::/own\\n' >\"$D/proc/$$/cgroup\"; echo \"$$ (consul) S 0\" >\"$D/proc/$$/stat\"\n"
    "kill() { [ \"$1\" = -0 ] || { echo \"$1 $2\" >>\"$D/killed\"; rm -r \"$D/proc/$2\"; }; }\n"
    "sleep() { :; }\n";

static void on_exec(void *context, const struct exec_request *request, struct exec_answer *answer)
{
	struct shell_scene *scene = context;
	_cleanup_buf_ struct buf script = BUF_TEXT;
	_cleanup_free_ char *proc = xasprintf("%s/proc/", scene->directory);
	const char *const *argv = request->argv;
	const char *words[8] = { "sh" }; /* busybox is told its name */
	const char *rest = argv[2], *found;
	struct run_result result;
	size_t count = scene->shell && str_ends_with(scene->shell, "busybox") ? 1 : 0;

	scene->scripts++;
	buf_addf(&script, "D=%s\n%s%s", scene->directory, own_process, scene->prologue);
	for (; (found = strstr(rest, "/proc/")); rest = found + strlen("/proc/"))
		buf_addf(&script, "%.*s%s", (int)(found - rest), rest, proc);
	buf_adds(&script, rest);
	words[count++] = "-c";
	words[count++] = buf_text(&script);
	for (size_t i = 3; argv[i] && count < ARRAY_SIZE(words) - 1; i++)
		words[count++] = argv[i];
	run_program(&(struct run_options){ .program = scene->shell ? scene->shell : "/bin/sh", .argv = words },
	            &result);
	free(scene->output);
	free(scene->error_output);
	scene->output = xcalloc(result.output_length + 1, 1);
	memcpy(scene->output, result.output, result.output_length);
	scene->error_output = xstrdup(result.error_output);
	answer->output = scene->output;
	answer->output_length = result.output_length;
	answer->error_output = scene->error_output;
	answer->exit_code = result.exit_code;
	run_result_release(&result);
}

void shell_scene_run_scripts(struct shell_scene *scene)
{
	/* Borrowed until the server stops, which is before the scene goes. */
	static struct apiserver_exec rows[2];

	rows[0] = (struct apiserver_exec){ .pod = "*", .command = "sh -c *", .make = on_exec, .context = scene };
	apiserver_add(scene->reality.server, NULL, rows, NULL);
}
