/*
 * consul/tell_way.h - the orders a server is given, and the two ways of giving them. Used by consul/tell.c and its parts
 * only, but for tell_words and tell_check_server.
 *
 * An order is one row: method and path of the HTTP API, the CLI's words, and the right it takes. Adding an order is
 * adding a row.
 */
#ifndef CONSUL_TELL_WAY_H
#define CONSUL_TELL_WAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "consul/tell.h"
#include "util/buf.h"

/* How much of an agent's words, and of an argument, an err quotes. */
#define TELL_SHOWN_BYTES 300
/* Less time than this is no time to send an order in. */
#define TELL_SEND_MS 200

struct tell_row {
	const char *what;       /* follows "refuses to": "force-leave" */
	const char *anybody;    /* the argument may be empty, and is left out then: in words, who is meant */
	const char *right;      /* of an ACL token */

	enum kube_method method;
	const char *path;
	const char *before;     /* before the argument in the URL: "?id="; NULL: it is not there */
	const char *after;      /* behind it; NULL: nothing */

	const char *command[6]; /* of the CLI, NULL-terminated */
	const char *flag;       /* before the argument, in one word with it: "-id="; "": it is a word of its own; NULL: none */

	/* Instead of an argument in the URL: what path answers to GET, changed, is sent there with ?cas. */
	int (*edit)(const char *text, size_t length, const char *argument, char **ret_body, int64_t *ret_index,
		    struct err *err);
	/* What an answer of status 200 means; ERR_PROTOCOL: it cannot be told. NULL: done. */
	int (*check)(const char *text, size_t length, struct err *err);
};

/* An order on its way. */
struct tell_try {
	/* in, borrowed */
	struct kube_client *client;
	const struct server *server;
	const char *token; /* secret; NULL: none */
	const struct tell_row *row;
	const char *argument;
	int64_t deadline_ms;
	/* out */
	struct buf answer; /* the body, or what the CLI printed */
	bool untouched;    /* when it failed: nothing was done, and the other way may do better */
};

/* Whether it can be reached at all: ERR_UNREACHABLE without a pod, or a container that Consul is known to run in. */
int tell_check_server(const struct server *server, struct err *err) __attribute__((warn_unused_result));

/*
 * Both block. ERR_NOT_FOUND is Consul's only: a pod that is gone is ERR_UNREACHABLE, as is an order that was not sent
 * in time.
 */
int tell_by_tunnel(struct tell_try *attempt, struct err *err) __attribute__((warn_unused_result));
int tell_by_exec(struct tell_try *attempt, struct err *err) __attribute__((warn_unused_result));

/* "force-leave consul-7", as far as it can be shown. A new string. */
char *tell_order_text(const struct tell_try *attempt) __attribute__((warn_unused_result));

/* For what went wrong before an order was sent: marks attempt untouched, and err as no outcome of the order. Returns -1. */
int tell_not_sent(struct tell_try *attempt, struct err *err);

/* Consul says no, in these words (one line; "": none), with this status (0: it is not known). Returns -1. */
int tell_refused(struct tell_try *attempt, long http_status, const char *words, struct err *err);

/* This Consul has no such order. Returns -1. */
int tell_unknown(const struct tell_try *attempt, struct err *err);

/* --------------------------------------------------------------------------------------------- pure */

/* The one line that is left of a text when each run of white space becomes one space; as it was otherwise. A new string. */
char *tell_words(const char *text, size_t length) __attribute__((warn_unused_result));

/*
 * Autopilot's settings with another min_quorum, and the index they had. *ret_body (a new string) is NULL when they have it
 * already. ERR_NOT_FOUND: there is no such setting.
 */
int tell_edit_min_quorum(const char *text, size_t length, const char *argument, char **ret_body, int64_t *ret_index,
			 struct err *err) __attribute__((warn_unused_result));

/* "false", to a change with ?cas: somebody else was faster (ERR_CONFLICT). */
int tell_check_changed(const char *text, size_t length, struct err *err) __attribute__((warn_unused_result));

/* {"Success":false}, to a transfer of leadership. */
int tell_check_transferred(const char *text, size_t length, struct err *err) __attribute__((warn_unused_result));

#endif
