/* See include/kube/exec.h. */
#include "kube/exec.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "kube/channel.h"
#include "kube/websocket.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

/* stdin goes out in pieces of this size, a few of them at a time. */
#define INPUT_PIECE       ((size_t)32 * 1024)
#define INPUT_WAITING_MAX ((size_t)128 * 1024)

/* A command under way; kube_exec.internal. */
struct run {
	struct kube_exec *exec;
	struct kube_websocket *websocket;
	struct loop_timer *deadline;
	const char *waits_for;
	size_t input_sent;
	kube_exec_done *done;
	void *context;
};

static void free_run(struct run *run)
{
	run->exec->internal = NULL;
	kube_websocket_free(run->websocket);
	loop_timer_free(run->deadline);
	free(run);
}

static void finish(struct run *run)
{
	struct kube_exec *exec = run->exec;
	kube_exec_done *done = run->done;
	void *context = run->context;

	free_run(run);
	done(context, exec);
}

/* Errors of the server name the pod already. */
static void fail(struct run *run, struct err *err)
{
	struct kube_exec *exec = run->exec;

	if (!strstr(err->message, exec->pod))
		err_wrap(err, "pod %s", exec->pod);
	err_move(&exec->err, err);
	finish(run);
}

static void on_deadline(void *context)
{
	struct run *run = context;
	struct err err = ERR_INIT;

	err_set(&err, ERR_TIMEOUT, "timed out waiting for %s", run->waits_for);
	fail(run, &err);
}

/* ------------------------------------------------------------------------------------------- events */

/* Queues stdin up to a limit; on_drained brings the next of it. */
static int send_input(struct run *run, struct err *err)
{
	const struct kube_exec *exec = run->exec;

	while (run->input_sent < exec->input_length && kube_websocket_queued(run->websocket) < INPUT_WAITING_MAX) {
		size_t left = exec->input_length - run->input_sent;
		size_t count = left < INPUT_PIECE ? left : INPUT_PIECE;

		if (kube_websocket_send(run->websocket, CHANNEL_STDIN, (const char *)exec->input + run->input_sent,
		                        count, err) < 0)
			return -1;
		run->input_sent += count;
	}
	return 0;
}

static void on_drained(void *context)
{
	struct run *run = context;
	struct err err = ERR_INIT;

	if (send_input(run, &err) < 0)
		fail(run, &err);
}

static void on_open(void *context)
{
	struct run *run = context;

	run->waits_for = "the command to end";
}

static void take_output(struct run *run, struct buf *output, const char *name, const struct channel_event *event)
{
	struct err err = ERR_INIT;

	if (buf_add(output, event->data, event->length) == 0)
		return;
	err_set(&err, ERR_TOO_LARGE, "the command's %s has more than %zu bytes", name, output->max);
	fail(run, &err);
}

/* A sink's failure is told as it is: it is none of the pod's. */
static void take_stdout(struct run *run, const struct channel_event *event)
{
	struct kube_exec *exec = run->exec;
	struct err err = ERR_INIT;

	if (!exec->sink) {
		take_output(run, &exec->output, "output", event);
		return;
	}
	if (exec->sink(exec->sink_context, event->data, event->length, &err) == 0)
		return;
	err_move(&exec->err, &err);
	finish(run);
}

static void on_message(void *context, const unsigned char *data, size_t length)
{
	struct run *run = context;
	struct channel_event event;
	struct err err = ERR_INIT;

	if (channel_decode(data, length, &event, &err) < 0) {
		fail(run, &err);
		return;
	}
	switch (event.kind) {
	case CHANNEL_NOTHING:
		break;
	case CHANNEL_OUTPUT:
		take_stdout(run, &event);
		break;
	case CHANNEL_ERROR:
		take_output(run, &run->exec->error_output, "error output", &event);
		break;
	case CHANNEL_EXIT:
		run->exec->exit_code = event.exit_code;
		finish(run);
		break;
	}
}

/* The outcome comes before the end; one without it tells nothing about the command. */
static void on_end(void *context, const struct err *cause)
{
	struct err err = ERR_INIT;

	if (cause)
		err_copy(&err, cause);
	else
		err_set(&err, ERR_PROTOCOL, "the stream ended without telling how the command did");
	fail(context, &err);
}

/* ----------------------------------------------------------------------------------------- exported */

static char *render_path(const struct kube_exec *exec)
{
	struct buf path = BUF_TEXT;

	buf_adds(&path, "/api/v1/namespaces/");
	buf_add_url(&path, exec->namespace_name);
	buf_adds(&path, "/pods/");
	buf_add_url(&path, exec->pod);
	buf_adds(&path, "/exec?container=");
	buf_add_url(&path, exec->container);
	for (const char *const *argument = exec->argv; *argument; argument++) {
		buf_adds(&path, "&command=");
		buf_add_url(&path, *argument);
	}
	buf_adds(&path, exec->input ? "&stdin=true&stdout=true&stderr=true" : "&stdout=true&stderr=true");
	return buf_detach(&path);
}

void kube_exec_start(struct kube_client *client, struct kube_exec *exec, int64_t deadline_ms, kube_exec_done *done,
                     void *context)
{
	static const char *const protocols[] = { "v4.channel.k8s.io", "v5.channel.k8s.io", NULL };
	static const struct kube_websocket_events events = {
		.on_open = on_open, .on_message = on_message, .on_drained = on_drained, .on_end = on_end
	};
	_cleanup_free_ char *path = render_path(exec);
	struct run *run = xcalloc(1, sizeof(*run));
	struct err err = ERR_INIT;
	int status;

	assert(!exec->internal && !err_is_set(&exec->err) && exec->argv[0]);
	exec->internal = run;
	exec->exit_code = -1;
	run->exec = exec;
	run->done = done;
	run->context = context;
	run->waits_for = "the API server to start the command";
	run->deadline = loop_timer_new(kube_client_loop(client), on_deadline, run);
	loop_timer_set(run->deadline, deadline_ms);
	run->websocket = kube_websocket_open(client, path, protocols, &events, run);
	/* Goes out with the first write after the upgrade, and fits: the queue is empty. */
	status = send_input(run, &err);
	assert(status == 0);
	(void)status;
}

void kube_exec_cancel(struct kube_exec *exec)
{
	if (exec->internal)
		free_run(exec->internal);
}

void kube_exec_release(struct kube_exec *exec)
{
	kube_exec_cancel(exec);
	buf_release(&exec->output);
	buf_release(&exec->error_output);
	err_release(&exec->err);
	exec->exit_code = -1;
}

/* ------------------------------------------------------------------------------------------ perform */

static void count_down(void *context, struct kube_exec *exec)
{
	size_t *left = context;

	(void)exec;
	(*left)--;
}

static bool is_zero(void *context)
{
	const size_t *left = context;

	return *left == 0;
}

int kube_exec_perform(struct kube_client *client, struct kube_exec *execs, size_t count, int64_t deadline_ms,
                      struct err *err)
{
	size_t left = count;

	for (size_t i = 0; i < count; i++)
		kube_exec_start(client, &execs[i], deadline_ms, count_down, &left);
	/* Each command ends at its own deadline, so the loop needs none. */
	if (loop_run(kube_client_loop(client), is_zero, &left, CLOCK_NEVER, err) == 0)
		return 0;
	for (size_t i = 0; i < count; i++) {
		if (!execs[i].internal)
			continue;
		kube_exec_cancel(&execs[i]);
		err_copy(&execs[i].err, err);
	}
	return -1;
}
