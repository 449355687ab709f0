/*
 * kube/upgrade.h - the HTTP/1.1 upgrade to a WebSocket: the request's text, and the answer read piece by piece. Pure.
 *
 * Bytes come in as the connection gives them. A 101 that keeps to RFC 6455, section 4, ends the answer; what follows
 * its head in the same piece are the first frames and is left to the caller. Any other status is a refusal, whose
 * body is collected for kube_status_error (kube/status.h): by Content-Length, in chunks, or up to the end of the
 * connection; of a body longer than UPGRADE_BODY_MAX the beginning is kept and nothing more is waited for.
 */
#ifndef KUBE_UPGRADE_H
#define KUBE_UPGRADE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"
#include "util/err.h"

/* Most bytes of an answer's head, informational answers before it (100, 103) included. */
#define UPGRADE_HEAD_MAX ((size_t)32 * 1024)
/* Most bytes of a refusal's body that are kept. */
#define UPGRADE_BODY_MAX ((size_t)64 * 1024)

/* A Sec-WebSocket-Key: 16 random bytes, base64, and a NUL. */
struct upgrade_key {
	char text[25];
};

/* ERR_FAILED when the system has no random bytes. */
int upgrade_key_make(struct upgrade_key *ret_key, struct err *err) __attribute__((warn_unused_result));

/* All strings are borrowed for the call. */
struct upgrade_request {
	const char *path;           /* "/api/v1/…?query", escaped */
	const char *authority;      /* "host:port" */
	const char *protocol;       /* one subprotocol */
	const char *const *headers; /* further lines without line end: "Authorization: Bearer …" */
	size_t header_count;
	const struct upgrade_key *key;
};

/*
 * Appends the request's bytes to out, which is marked secret when headers hold credentials. ERR_INVALID (and nothing
 * appended) when a path or header has a control character in it, which could end a line.
 */
int upgrade_request_render(const struct upgrade_request *request, struct buf *out, struct err *err)
    __attribute__((warn_unused_result));

enum upgrade_phase {
	UPGRADE_READING,  /* feed more */
	UPGRADE_ACCEPTED, /* 101: frames follow */
	UPGRADE_REFUSED,  /* status and body are complete, or as complete as they get */
};

struct upgrade_answer {
	/* out */
	enum upgrade_phase phase;
	long status;         /* 0 until the status line was read */
	bool other_protocol; /* the err of a 101 is that it names another subprotocol than the one asked for */
	struct buf body;     /* of a refusal */

	/* for upgrade.c only */
	const struct upgrade_key *key;
	const char *protocol;
	int state;
	struct buf line;
	size_t head_length;
	uint64_t left; /* of the body, or of the chunk */
	bool chunked;
	bool has_length;
	bool upgrades; /* Upgrade: websocket */
	bool switches; /* Connection: Upgrade */
	bool accepts;  /* the right Sec-WebSocket-Accept */
	bool has_accept;
	bool extends;         /* Sec-WebSocket-Extensions, which was not asked for */
	char *named_protocol; /* Sec-WebSocket-Protocol */
};

/* key and protocol are those of the request, borrowed until release. */
void upgrade_answer_init(struct upgrade_answer *answer, const struct upgrade_key *key, const char *protocol);
void upgrade_answer_release(struct upgrade_answer *answer);

/*
 * Reads the next bytes while phase is UPGRADE_READING; *ret_used says how many belong to the answer. ERR_PROTOCOL for
 * what is no HTTP or no proper 101, ERR_TOO_LARGE for a head over its limit; after a failure only release is allowed.
 */
int upgrade_answer_feed(struct upgrade_answer *answer, const void *bytes, size_t count, size_t *ret_used,
                        struct err *err) __attribute__((warn_unused_result));

/* The connection has ended. A refusal is then UPGRADE_REFUSED with what came of its body; else ERR_PROTOCOL. */
int upgrade_answer_end(struct upgrade_answer *answer, struct err *err) __attribute__((warn_unused_result));

#endif
