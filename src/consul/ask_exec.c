/* See include/consul/ask_way.h: the questions by one exec of a shell script, or of the CLI where there is no shell. */
#include "consul/ask_way.h"

#include <inttypes.h>
#include <string.h>

#include <openssl/rand.h>

#include "consul/shell.h"
#include "util/buf.h"
#include "util/mem.h"
#include "util/str.h"

/*
 * The agent's HTTP API by curl or wget where the image has one, since each start of the CLI costs the server's own
 * container some 40 ms of CPU; the CLI where that does not answer (TLS, neither of them, an error to be told). Address
 * and token are those of the container's environment, as the CLI would use them, unless a token is the first line of
 * stdin; that one is in no argv: curl reads it, wget cannot, and the CLI has it in its environment. wget gets no time
 * limit of its own: some builds of busybox crash on it. Each answer ends in a line "BOUNDARY NAME json|text STATUS".
 */
static const char script_head[] =
    "b=$0; a=${CONSUL_HTTP_ADDR:-127.0.0.1:8500}\n"
    "if [ \"$1\" = token ]; then\n"
    "IFS= read -r CONSUL_HTTP_TOKEN || exit; export CONSUL_HTTP_TOKEN; unset CONSUL_HTTP_TOKEN_FILE\n"
    "fi\n"
    "case $a in *://*) ;; *) a=http://$a ;; esac\n"
    "[ \"$CONSUL_HTTP_SSL\" = true ] && a=https\n"
    "t=${CONSUL_HTTP_TOKEN:+X-Consul-Token: $CONSUL_HTTP_TOKEN}\n"
    "if [ -n \"$CONSUL_HTTP_TOKEN_FILE\" ]; then g() { false; }\n"
    "elif command -v curl >/dev/null; then g() { printf '%s\\n' \"$t\" | curl -fs -m 5 ${t:+-H @-} \"$1\"; }\n"
    "elif [ \"$1\" = token ]; then g() { false; }\n"
    "else g() { wget -q -O - ${t:+--header \"$t\"} \"$1\"; }; fi\n"
    "ask() {\n"
    "n=$1 p=$2; shift 2\n"
    "case $a in http://*)\n"
    "o=$(g \"$a$p\" 2>/dev/null) &&\n"
    "{ printf '%s\\n%s %s json 0\\n' \"$o\" \"$b\" \"$n\"; return; } ;;\n"
    "esac\n"
    "o=$(\"$@\" 2>&1); s=$?; printf '%s\\n%s %s text %s\\n' \"$o\" \"$b\" \"$n\" \"$s\"\n"
    "}\n";

/* What needs a leader comes last, and is not asked when self (whose answer is in o) has told that there is none. */
static const char script_leader[] = "case $o in *'\"leader_addr\":\"\"'*|*'leader_addr = \n'*) l=no ;; *) l= ;; esac\n"
                                    "held() { printf 'No cluster leader\\n%s %s text 1\\n' \"$b\" \"$1\"; }\n";

enum { BOUNDARY_BYTES = 12 };

struct question_exec {
	struct ask_exec *way;
	const struct ask_question *question;
	struct kube_exec exec;
	bool started;
};

struct ask_exec {
	struct kube_client *client;
	const struct ask_target *target;
	int64_t deadline_ms;
	char boundary[2 * BOUNDARY_BYTES + 1];
	char *script;
	struct buf input; /* the token as a line; empty: none */
	const char *argv[6];
	struct kube_exec exec;                         /* of the script */
	struct question_exec questions[ASK_QUESTIONS]; /* without a shell: one each */
	size_t left;
	ask_way_done *done;
	void *context;
};

static void add_question(struct buf *script, const struct ask_question *question)
{
	buf_addf(script, "ask %s '%s'", question->name, question->path);
	for (const char *const *word = question->command; *word; word++)
		buf_addf(script, " %s", *word);
	buf_addc(script, '\n');
}

char *ask_exec_script(void)
{
	struct buf script = BUF_TEXT;

	buf_adds(&script, script_head);
	for (size_t i = 0; i < ASK_QUESTIONS; i++)
		if (!ask_questions[i].needs_leader)
			add_question(&script, &ask_questions[i]);
	buf_adds(&script, script_leader);
	for (size_t i = 0; i < ASK_QUESTIONS; i++) {
		if (!ask_questions[i].needs_leader)
			continue;
		buf_addf(&script, "[ -n \"$l\" ] && held %s || ", ask_questions[i].name);
		add_question(&script, &ask_questions[i]);
	}
	return buf_detach(&script);
}

static bool says_denied(const char *text)
{
	return strstr(text, "Permission denied") || strstr(text, "ACL not found") || strstr(text, " 403 ");
}

/* The outcome of one CLI command. */
static void take_text(const struct ask_question *question, const char *text, size_t length, int64_t status,
                      struct view *view)
{
	struct err *err = ask_question_err(question, view);
	_cleanup_free_ char *words = NULL;

	if (status == 0) {
		if (question->decode_text(text, length, view, err) < 0)
			err_wrap(err, "consul %s", question->command[1]);
		return;
	}
	words = shell_last_words(text, length);
	if (status == 127)
		err_set(err, ERR_FAILED, "there is no consul command in the container: %s", words);
	else
		err_set(err, says_denied(words) ? ERR_FORBIDDEN : ERR_UNAVAILABLE,
		        "consul %s exits with %" PRId64 ": %s", question->command[1], status, words);
}

static const struct ask_question *question_named(const char *name)
{
	for (size_t i = 0; i < ASK_QUESTIONS; i++)
		if (str_equal(ask_questions[i].name, name))
			return &ask_questions[i];
	return NULL;
}

/* line is what follows the boundary: " NAME json|text STATUS". */
static void take_answer(const char *line, const char *text, size_t length, struct view *view)
{
	char name[16], form[8];
	const struct ask_question *question;
	int status;

	if (sscanf(line, " %15s %7s %d", name, form, &status) != 3 || !(question = question_named(name)) ||
	    err_is_set(ask_question_err(question, view)))
		return;
	if (str_equal(form, "json"))
		ask_take_http(question, 200, text, length, view);
	else
		take_text(question, text, length, status, view);
}

void ask_exec_take(const char *output, size_t length, const char *boundary, struct view *view)
{
	const char *end = output + length, *start = output;
	size_t boundary_length = strlen(boundary);
	const char *mark;

	while ((mark = memmem(start, (size_t)(end - start), boundary, boundary_length))) {
		const char *line_end = memchr(mark, '\n', (size_t)(end - mark));
		_cleanup_free_ char *line = NULL;

		if (!line_end)
			break;
		line = xstrndup(mark + boundary_length, (size_t)(line_end - mark) - boundary_length);
		take_answer(line, start, (size_t)(mark - start), view);
		start = line_end + 1;
	}
	for (size_t i = 0; i < ASK_QUESTIONS; i++) {
		struct err *err = ask_question_err(&ask_questions[i], view);

		if (!ask_question_is_known(&ask_questions[i], view) && !err_is_set(err))
			err_set(err, ERR_PROTOCOL, "the answer to \"consul %s\" did not come whole",
			        ask_questions[i].command[1]);
	}
}

static void set_all(struct view *view, const struct err *err)
{
	for (size_t i = 0; i < ASK_QUESTIONS; i++) {
		struct err *plane_err = ask_question_err(&ask_questions[i], view);

		if (!ask_question_is_known(&ask_questions[i], view) && !err_is_set(plane_err))
			err_copy(plane_err, err);
	}
}

static void on_question_done(void *context, struct kube_exec *exec)
{
	struct question_exec *asked = context;
	struct ask_exec *way = asked->way;
	struct view *view = way->target->view;

	if (err_is_set(&exec->err)) {
		err_move(ask_question_err(asked->question, view), &exec->err);
	} else {
		const struct buf *text =
		    exec->exit_code && exec->error_output.len ? &exec->error_output : &exec->output;

		take_text(asked->question, buf_text(text), text->len, exec->exit_code, view);
	}
	if (--way->left == 0)
		way->done(way->context);
}

static void start_one(struct ask_exec *way, struct kube_exec *exec, const char *const *argv, kube_exec_done *done,
                      void *context)
{
	*exec = (struct kube_exec)KUBE_EXEC_INIT;
	exec->namespace_name = way->target->pod->namespace_name;
	exec->pod = way->target->pod->name;
	exec->container = way->target->container->name;
	exec->argv = argv;
	if (way->input.len > 0) {
		exec->input = way->input.data;
		exec->input_length = way->input.len;
	}
	kube_exec_start(way->client, exec, way->deadline_ms, done, context);
}

static void start_without_shell(struct ask_exec *way)
{
	way->left = ASK_QUESTIONS;
	for (size_t i = 0; i < ASK_QUESTIONS; i++) {
		struct question_exec *asked = &way->questions[i];

		*asked = (struct question_exec){ .way = way, .question = &ask_questions[i], .started = true };
		start_one(way, &asked->exec, ask_questions[i].command, on_question_done, asked);
	}
}

static void on_script_done(void *context, struct kube_exec *exec)
{
	struct ask_exec *way = context;

	if (shell_is_missing(&exec->err) && way->input.len == 0) {
		start_without_shell(way);
		return;
	}
	if (shell_is_missing(&exec->err)) {
		err_release(&exec->err);
		err_set(
		    &exec->err, ERR_FAILED,
		    "pod %s: there is no shell in the container, which reads the ACL token; a tunnel (--via tunnel) "
		    "needs none",
		    exec->pod);
	}
	ask_exec_take(buf_text(&exec->output), exec->output.len, way->boundary, way->target->view);
	if (err_is_set(&exec->err)) {
		/* What came before it failed is kept; "did not come whole" gives way to the reason. */
		for (size_t i = 0; i < ASK_QUESTIONS; i++) {
			struct err *err = ask_question_err(&ask_questions[i], way->target->view);

			if (err->kind == ERR_PROTOCOL)
				err_release(err);
		}
		set_all(way->target->view, &exec->err);
	}
	way->done(way->context);
}

struct ask_exec *ask_exec_start(struct kube_client *client, const struct ask_target *target, const char *token,
                                int64_t deadline_ms, ask_way_done *done, void *context)
{
	struct ask_exec *way = xcalloc(1, sizeof(*way));
	unsigned char random[BOUNDARY_BYTES];

	way->client = client;
	way->target = target;
	way->deadline_ms = deadline_ms;
	way->done = done;
	way->context = context;
	if (RAND_bytes(random, sizeof(random)) != 1)
		abort();
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(way->boundary + 2 * i, 3, "%02x", random[i]);
	way->script = ask_exec_script();
	way->argv[0] = "sh";
	way->argv[1] = "-c";
	way->argv[2] = way->script;
	way->argv[3] = way->boundary;
	way->input = (struct buf){ .max = BUF_TEXT_MAX, .secret = true };
	if (token) {
		way->argv[4] = "token";
		buf_adds(&way->input, token);
		buf_addc(&way->input, '\n');
	}
	start_one(way, &way->exec, way->argv, on_script_done, way);
	return way;
}

void ask_exec_free(struct ask_exec *way)
{
	if (!way)
		return;
	kube_exec_cancel(&way->exec);
	kube_exec_release(&way->exec);
	for (size_t i = 0; i < ASK_QUESTIONS; i++) {
		if (!way->questions[i].started)
			continue;
		kube_exec_cancel(&way->questions[i].exec);
		kube_exec_release(&way->questions[i].exec);
	}
	free(way->script);
	buf_release(&way->input);
	free(way);
}
