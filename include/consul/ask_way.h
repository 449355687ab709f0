/*
 * consul/ask_way.h - the questions a server is asked, and the two ways of asking them. Used by consul/ask.c only.
 *
 * A question is one row: the HTTP path, the CLI command, a decoder for each, and where its error goes. Adding an
 * operation is adding a row.
 */
#ifndef CONSUL_ASK_WAY_H
#define CONSUL_ASK_WAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "consul/ask.h"
#include "kube/exec.h"
#include "kube/tunnel.h"

typedef int ask_decode_fn(const char *text, size_t length, struct view *view, struct err *err);

struct ask_question {
	const char *name;          /* one word */
	const char *path;          /* of the agent's HTTP API */
	const char *command[6];    /* of the CLI, NULL-terminated */
	ask_decode_fn *decode_json;
	ask_decode_fn *decode_text;
	bool needs_leader;         /* without one Consul holds it for seconds; what self tells has to do then */
	size_t err_offset;         /* of the plane's err in struct view */
	size_t known_offset;       /* of the plane's "known" flag there */
};

enum { ASK_QUESTIONS = 3 };
extern const struct ask_question ask_questions[ASK_QUESTIONS];

struct err *ask_question_err(const struct ask_question *question, struct view *view);
bool ask_question_is_known(const struct ask_question *question, const struct view *view);

/* Whether the server has told that it knows no leader, and its peers: what needs a leader need not be waited for. */
bool ask_knows_no_leader(const struct view *view);

/* Takes the body of an HTTP answer to question into view: decoded, or as the plane's err. */
void ask_take_http(const struct ask_question *question, long http_status, const char *body, size_t length,
		   struct view *view);

/*
 * To be called when the target's view has got a plane: where it says the same as the view of the first server that told its
 * members, the two share it (view_share).
 */
void ask_share(const struct ask_target *target);

/* Both ways: token (NULL: none) is secret, and borrowed for the way's life. */

/* Called once from loop_run when a way has come to its end; everything it learnt is in the view. */
typedef void ask_way_done(void *context);

/* ------------------------------------------------------------------------------------------ tunnel */
struct ask_tunnel;
struct ask_tunnel *ask_tunnel_start(struct kube_client *client, const struct ask_target *target, const char *token,
				    int64_t deadline_ms, ask_way_done *done, void *context);
void ask_tunnel_free(struct ask_tunnel *way); /* cancels what is under way. NULL is fine */

/* ------------------------------------------------------------------------------------------ exec */
struct ask_exec;
struct ask_exec *ask_exec_start(struct kube_client *client, const struct ask_target *target, const char *token,
				int64_t deadline_ms, ask_way_done *done, void *context);
void ask_exec_free(struct ask_exec *way); /* cancels what is under way. NULL is fine */

/* --------------------------------------------------------------------------------------------- pure */

/* Where in the pod its agent's HTTP API is, told from the container's environment and ports. */
struct ask_endpoint {
	uint16_t port;
	bool https;
};
struct ask_endpoint ask_endpoint_of(const struct kube_container *container);

/* Where it presents a certificate, be it beside plain HTTP; https is false where it has no such port that can be told. */
struct ask_endpoint ask_certificate_endpoint_of(const struct kube_container *container);

/*
 * The shell script of the exec way, for `sh -c SCRIPT BOUNDARY`, or `sh -c SCRIPT BOUNDARY token` when the first line of its
 * stdin is a token; a new string, the same every time: it is part of a URL, and in audit logs.
 */
char *ask_exec_script(void) __attribute__((warn_unused_result));

/* Splits what the script printed and takes each answer into view; questions without an answer get an err. */
void ask_exec_take(const char *output, size_t length, const char *boundary, struct view *view);

#endif
