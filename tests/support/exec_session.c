/* See exec_session.h. */
#include "exec_session.h"

#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#define FRAME_DEFAULT ((size_t)32 * 1024)
#define INPUT_MAX     ((size_t)64 * 1024 * 1024)

enum channel { CHANNEL_IN, CHANNEL_OUT, CHANNEL_ERR, CHANNEL_STATUS, CHANNEL_RESIZE, CHANNEL_CLOSE = 255 };

enum exec_state { EXEC_READING, EXEC_DELAYED, EXEC_WRITING, EXEC_DONE };

/* Bytes for one channel and how far they are sent. */
struct output {
	const char *bytes;
	size_t length;
	size_t sent;
};

struct exec_session {
	struct reactor *reactor;
	struct script *script;
	struct websocket *ws;
	unsigned connection;
	struct script_upgrade upgrade;
	const struct apiserver_exec *row;
	struct strv argv;
	char *container;
	char *command;
	bool wants_input, wants_output, wants_errors;
	struct buf input;
	bool input_closed;
	enum exec_state state;
	struct reactor_timer timer;
	struct exec_answer answer;
	struct output output, errors;
	unsigned frames;
};

static void on_message(void *context, unsigned char channel, const unsigned char *bytes, size_t length);
static void on_room(void *context);
static void on_delay_over(void *context);
static void check_input(struct exec_session *session);

static const struct ws_events events = { .on_message = on_message, .on_room = on_room };

static bool is_asked(const struct apiserver_request *request, const char *stream)
{
	_cleanup_free_ char *value = match_query(request->query, stream, 0);

	return str_equal(value, "true") || str_equal(value, "1");
}

static void read_request(struct exec_session *session, const struct apiserver_request *request)
{
	char *word;

	for (size_t i = 0; (word = match_query(request->query, "command", i)); i++)
		strv_take(&session->argv, word);
	session->command = strv_join(&session->argv, " ", " ");
	session->container = match_query(request->query, "container", 0);
	if (!session->container)
		session->container = xstrdup("");
	session->wants_input = is_asked(request, "stdin");
	session->wants_output = is_asked(request, "stdout");
	session->wants_errors = is_asked(request, "stderr");
}

/* Kubernetes begins with an empty message on the lowest channel that was asked for. */
static void greet(struct exec_session *session)
{
	if (!session->wants_input && !session->wants_output && !session->wants_errors)
		script_complain(session->script, session->connection, "exec without stdin, stdout and stderr");
	ws_send(session->ws,
	        session->wants_input    ? CHANNEL_IN
	        : session->wants_output ? CHANNEL_OUT
	                                : CHANNEL_ERR,
	        "", 0);
}

struct exec_session *exec_session_new(struct reactor *reactor, struct script *script, struct wire *wire,
                                      const struct apiserver_request *request, struct script_upgrade *upgrade)
{
	struct exec_session *session = xcalloc(1, sizeof(*session));

	session->reactor = reactor;
	session->script = script;
	session->connection = request->connection;
	session->upgrade = *upgrade;
	*upgrade = (struct script_upgrade){ 0 };
	session->row = session->upgrade.exec;
	session->input = (struct buf)BUF_INIT(INPUT_MAX);
	session->timer = (struct reactor_timer){ .on_time = on_delay_over, .context = session };
	session->ws = ws_new(wire, script, request->connection, &events, session);
	wire_set_write_limit(wire, session->row->write_bytes);
	read_request(session, request);
	greet(session);
	check_input(session);
	return session;
}

void exec_session_free(struct exec_session *session)
{
	if (!session)
		return;
	reactor_timer_stop(session->reactor, &session->timer);
	ws_free(session->ws);
	script_upgrade_release(&session->upgrade);
	strv_release(&session->argv);
	free(session->container);
	free(session->command);
	buf_release(&session->input);
	buf_release(&session->answer.scratch);
	free(session);
}

struct websocket *exec_session_websocket(struct exec_session *session)
{
	return session->ws;
}

/* --------------------------------------------------------------------------------------------- stdin */

static bool input_is_complete(const struct exec_session *session)
{
	const struct apiserver_exec *row = session->row;

	if (session->input_closed)
		return true;
	if (row->input_bytes)
		return session->input.len >= row->input_bytes;
	if (row->input_until)
		return !session->wants_input || str_ends_with(buf_text(&session->input), row->input_until);
	return true;
}

static void begin_output(struct exec_session *session)
{
	const struct exec_request request = {
		.pod = session->upgrade.pod,
		.container = session->container,
		.argv = (const char *const *)session->argv.items,
		.command = session->command,
		.input = buf_text(&session->input),
		.input_length = session->input.len,
	};

	script_answer_exec(session->script, session->row, &request, session->connection, &session->answer);
	session->state = EXEC_DELAYED;
	if (session->answer.delay_ms)
		reactor_timer_set(session->reactor, &session->timer, clock_monotonic_ms() + session->answer.delay_ms);
	else
		on_delay_over(session);
}

static void check_input(struct exec_session *session)
{
	if (session->state == EXEC_READING && input_is_complete(session))
		begin_output(session);
}

static void on_message(void *context, unsigned char channel, const unsigned char *bytes, size_t length)
{
	struct exec_session *session = context;

	if (channel == CHANNEL_CLOSE && session->upgrade.version == 5) {
		session->input_closed = length && bytes[0] == CHANNEL_IN;
	} else if (channel == CHANNEL_IN && session->wants_input) {
		if (buf_add(&session->input, bytes, length) < 0)
			ws_drop(session->ws, true);
		if (session->row->echo && length)
			ws_send(session->ws, CHANNEL_OUT, bytes, length);
	} else if (channel != CHANNEL_RESIZE) {
		script_complain(session->script, session->connection, "a message on channel %u of exec", channel);
	}
	check_input(session);
}

/* -------------------------------------------------------------------------------------------- output */

static char *failure_status(const char *text)
{
	cJSON *cause = json_object("message", json_string(text), NULL);
	_cleanup_json_ cJSON *status =
	    json_object("metadata", cJSON_CreateObject(), "status", json_string("Failure"), "message",
	                json_stringf("Internal error occurred: %s", text), "reason", json_string("InternalError"),
	                "details", json_object("causes", json_array(cause), NULL), "code", json_int(500), NULL);

	return json_text(status);
}

static char *exit_status(int exit_code)
{
	if (!exit_code)
		return xstrdup("{\"metadata\":{},\"status\":\"Success\"}");
	return xasprintf("{\"metadata\":{},\"status\":\"Failure\",\"message\":\"command terminated with non-zero exit "
	                 "code: exit status %d\",\"reason\":\"NonZeroExitCode\",\"details\":{\"causes\":[{\"reason\":"
	                 "\"ExitCode\",\"message\":\"%d\"}]}}",
	                 exit_code, exit_code);
}

static void send_status(struct exec_session *session)
{
	const struct exec_answer *answer = &session->answer;
	_cleanup_free_ char *text = NULL;

	if (answer->end == EXEC_FAILURE)
		text = failure_status(answer->text ? answer->text : "");
	else
		text = exit_status(answer->exit_code);
	ws_send(session->ws, CHANNEL_STATUS, text, strlen(text));
}

static void end_command(struct exec_session *session)
{
	const struct exec_answer *answer = &session->answer;
	const char *text = answer->text ? answer->text : "";
	static const unsigned char garbage[] = { 0xff, 0xff, 0x13, 0x37, 0x00, 0x7f, 0xfe, 0xff, 0x00, 0x01 };

	session->state = EXEC_DONE;
	switch (answer->end) {
	case EXEC_EXIT:
	case EXEC_FAILURE:
		send_status(session);
		ws_close(session->ws);
		break;
	case EXEC_STATUS:
		ws_send(session->ws, CHANNEL_STATUS, text, strlen(text));
		ws_close(session->ws);
		break;
	case EXEC_CLOSE:
		ws_close(session->ws);
		break;
	case EXEC_DROP:
	case EXEC_RESET:
		ws_drop(session->ws, answer->end == EXEC_RESET);
		break;
	case EXEC_HANG:
		break;
	case EXEC_HALF_FRAME:
		ws_half_frame(session->ws, CHANNEL_OUT);
		break;
	case EXEC_HUGE_FRAME:
		ws_huge_frame(session->ws, CHANNEL_OUT);
		break;
	case EXEC_GARBAGE:
		ws_send_raw(session->ws, garbage, sizeof(garbage));
		break;
	}
}

static bool send_frame(struct exec_session *session, struct output *output, enum channel channel)
{
	size_t length = output->length - output->sent;
	size_t most = session->row->frame_bytes ? session->row->frame_bytes : FRAME_DEFAULT;

	if (!length)
		return false;
	if (length > most)
		length = most;
	ws_send(session->ws, (unsigned char)channel, output->bytes + output->sent, length);
	output->sent += length;
	if (session->row->ping && ++session->frames == 1)
		ws_ping(session->ws);
	return true;
}

/* Frames of stdout and stderr take turns. */
static void pump(struct exec_session *session)
{
	while (session->state == EXEC_WRITING && ws_has_room(session->ws)) {
		bool sent = send_frame(session, &session->output, CHANNEL_OUT);

		sent |= send_frame(session, &session->errors, CHANNEL_ERR);
		if (!sent)
			end_command(session);
	}
}

static struct output output_of(const char *text, size_t length, bool wanted)
{
	struct output output = { .bytes = text };

	if (text && wanted)
		output.length = length ? length : strlen(text);
	return output;
}

static void on_delay_over(void *context)
{
	struct exec_session *session = context;
	const struct exec_answer *answer = &session->answer;

	session->output = output_of(answer->output, answer->output_length, session->wants_output);
	session->errors = output_of(answer->error_output, 0, session->wants_errors);
	session->state = EXEC_WRITING;
	if (session->row->ping)
		ws_ping(session->ws);
	pump(session);
}

static void on_room(void *context)
{
	pump(context);
}
