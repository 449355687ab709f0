/*
 * consul/access.h - how the servers of one cluster are asked and told: by which way, and with which ACL token.
 *
 * The token is, in this order: the user's own (--token-file, CONSUL_HTTP_TOKEN, CONSUL_HTTP_TOKEN_FILE); that of the
 * Secret NAME-acl-bootstrap of a cluster that deploy made with ACLs, if it may be read (observe looks for it); none. In
 * a tunnel it travels as a header, to exec over stdin: never in a URL, in argv, in a log, or in an error.
 */
#ifndef CONSUL_ACCESS_H
#define CONSUL_ACCESS_H

#include <stdbool.h>

#include "consul/view.h"
#include "util/err.h"

struct access {
	enum ask_way via;  /* ASK_NONE: tunnel, else exec */
	const char *given; /* the user's token; secret, borrowed; NULL: none */

	/* What observe has found; owned. */
	char *found;       /* the Secret's token; secret; NULL: none */
	bool looked;       /* for it, and it is there or not there: found and err say which. Not set: not yet, or try again */
	struct err err;    /* why the Secret could not be read; empty: it could, or it is none of ours */
};

#define ACCESS_INIT { 0 }

/* The way to go; the token to send, borrowed from access; NULL: none. Both take NULL, too: auto, and no token. */
enum ask_way access_via(const struct access *access);
const char *access_token(const struct access *access);

/* Takes token (a new string, secret) as the one that was found, from now on. */
void access_take(struct access *access, char *token);

/* Wipes what is owned. */
void access_release(struct access *access);

/*
 * Whether text may be sent as a token: 1 to 512 printable ASCII characters, no space. ERR_INVALID otherwise; the text is
 * not quoted.
 */
int access_check_token(const char *text, struct err *err) __attribute__((warn_unused_result));

#endif
