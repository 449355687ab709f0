/*
 * See include/consul/tell_way.h: orders by exec of the consul CLI. No shell, but with a token, which has to come over
 * stdin: what is foreign is a word of its own there, too.
 */
#include "consul/tell_way.h"

#include <string.h>

#include "kube/exec.h"
#include "util/mem.h"
#include "util/str.h"

#define RESPONSE_CODE "Unexpected response code: "

/* The CLI prefers the file to the token. */
static const char with_token[] = "IFS= read -r CONSUL_HTTP_TOKEN || exit\n"
                                 "export CONSUL_HTTP_TOKEN\n"
                                 "unset CONSUL_HTTP_TOKEN_FILE\n"
                                 "exec \"$@\"\n";

static bool has_control_characters(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return true;
	return false;
}

/* The CLI takes a word that begins with - for an option. */
static int add_argument(struct strv *words, struct tell_try *attempt, struct err *err)
{
	const char *flag = attempt->row->flag, *argument = attempt->argument;

	if (!flag || !*argument)
		return 0;
	if (has_control_characters(argument) || (!*flag && *argument == '-')) {
		_cleanup_free_ char *shown = str_visible(argument, TELL_SHOWN_BYTES);

		attempt->untouched = true;
		return err_set(err, ERR_INVALID, "\"%s\" cannot be given to the consul command", shown);
	}
	strv_addf(words, "%s%s", flag, argument);
	return 0;
}

/* ---------------------------------------------------------------------------------- what the CLI says */

/* "…: Unexpected response code: 500 (WORDS)": what the agent answered. */
static bool take_response(struct tell_try *attempt, const char *words, struct err *err)
{
	const char *code = strstr(words, RESPONSE_CODE);
	_cleanup_free_ char *inner = NULL, *trimmed = NULL;
	const char *open, *close;
	long status = 0;

	if (!code)
		return false;
	for (code += strlen(RESPONSE_CODE); *code >= '0' && *code <= '9' && status < 1000; code++)
		status = status * 10 + (*code - '0');
	open = strchr(code, '(');
	close = open ? strrchr(open, ')') : NULL;
	inner = close ? xstrndup(open + 1, (size_t)(close - open - 1)) : xstrdup(code);
	trimmed = tell_words(inner, strlen(inner));
	tell_refused(attempt, status, trimmed, err);
	return true;
}

/* "Put "http://127.0.0.1:8500/…": EOF": the CLI and the agent do not understand each other, or it is gone already. */
static int take_connection(struct tell_try *attempt, const char *words, struct err *err)
{
	_cleanup_free_ char *shown = str_visible(words, TELL_SHOWN_BYTES);

	err_set(err, ERR_UNREACHABLE, "the consul command on %s: %s", attempt->server->name, shown);
	return strstr(words, "dial ") ? tell_not_sent(attempt, err) : -1;
}

static int take_failure(struct tell_try *attempt, int exit_code, const char *words, struct err *err)
{
	const char *name = attempt->server->name;

	if (exit_code > 128)
		return err_set(err, ERR_PROTOCOL, "the consul command on %s was killed (exit code %d)", name,
		               exit_code);
	if (strstr(words, "flag provided but not defined") || str_starts_with(words, "Usage:"))
		return tell_unknown(attempt, err);
	if (exit_code == 126 || exit_code == 127) {
		attempt->untouched = true;
		return err_set(err, ERR_FAILED, "there is no consul command in the container of %s", name);
	}
	if (take_response(attempt, words, err))
		return -1;
	if (strstr(words, "http://") || strstr(words, "https://") || strstr(words, "dial "))
		return take_connection(attempt, words, err);
	return tell_refused(attempt, 0, words, err);
}

static int take_outcome(struct tell_try *attempt, struct kube_exec *exec, struct err *err)
{
	const struct buf *text = exec->error_output.len > 0 ? &exec->error_output : &exec->output;
	_cleanup_free_ char *words = NULL;

	if (exec->exit_code != 0) {
		words = tell_words(buf_text(text), text->len);
		return take_failure(attempt, exec->exit_code, words, err);
	}
	attempt->answer = exec->output;
	exec->output = (struct buf)BUF_INIT(KUBE_EXEC_OUTPUT_MAX);
	return 0;
}

/* --------------------------------------------------------------------------------------- what exec says */

/*
 * It was not run to its end. A refused upgrade (FORBIDDEN, NOT_FOUND) and a program that the runtime cannot run
 * (FAILED) have done nothing. Of a time-out exec tells in words whether the command had begun.
 */
static int take_exec_error(struct tell_try *attempt, struct err *cause, struct err *err)
{
	bool not_begun = cause->kind == ERR_FORBIDDEN || cause->kind == ERR_UNAUTHORIZED ||
	                 cause->kind == ERR_NOT_FOUND || cause->kind == ERR_FAILED ||
	                 (cause->kind == ERR_TIMEOUT && strstr(cause->message, "to start the command"));

	err_move(err, cause);
	return not_begun ? tell_not_sent(attempt, err) : -1;
}

/* sh tells of a command that is missing as the CLI's outcome; without a sh nothing was run. */
static void add_shell(struct strv *words)
{
	strv_add(words, "sh");
	strv_add(words, "-c");
	strv_add(words, with_token);
	strv_add(words, "sh");
}

int tell_by_exec(struct tell_try *attempt, struct err *err)
{
	const struct server *server = attempt->server;
	_cleanup_buf_ struct buf input = { .max = BUF_TEXT_MAX, .secret = true };
	_cleanup_strv_ struct strv words = STRV_INIT;
	struct kube_exec exec = KUBE_EXEC_INIT;
	int status;

	if (attempt->token) {
		add_shell(&words);
		buf_adds(&input, attempt->token);
		buf_addc(&input, '\n');
	}
	for (const char *const *word = attempt->row->command; *word; word++)
		strv_add(&words, *word);
	if (add_argument(&words, attempt, err) < 0)
		return -1;
	exec.namespace_name = server->pod.namespace_name;
	exec.pod = server->pod.name;
	exec.container = server->container->name;
	exec.argv = (const char *const *)words.items;
	exec.input = input.data;
	exec.input_length = input.len;
	status = kube_exec_perform(attempt->client, &exec, 1, attempt->deadline_ms, err);
	if (status == 0 && err_is_set(&exec.err))
		status = take_exec_error(attempt, &exec.err, err);
	else if (status == 0)
		status = take_outcome(attempt, &exec, err);
	kube_exec_release(&exec);
	return status;
}
