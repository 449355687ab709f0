/*
 * consul/access.h - how the servers of one cluster are asked and told: by which way, and with which ACL token.
 *
 * The token is, in this order: the user's own (--token-file, CONSUL_HTTP_TOKEN, CONSUL_HTTP_TOKEN_FILE); that of the
 * Secret NAME-acl-bootstrap of a cluster that deploy made with ACLs, if it may be read (observe looks for it); none. In
 * a tunnel it travels as a header, to exec over stdin: never in a URL, in argv, in a log, or in an error.
 *
 * A server keeps tokens in what it stores: one that has no leader since it started knows none yet, and refuses whatever
 * it is shown, but for its own recovery token (consul/acl.h). That is used there, and only there; the Secret has it,
 * too.
 */
#ifndef CONSUL_ACCESS_H
#define CONSUL_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "consul/view.h"
#include "kube/client.h"
#include "kube/objects.h"
#include "util/err.h"

struct access {
	enum ask_way via;  /* ASK_NONE: tunnel, else exec */
	const char *given; /* the user's token; secret, borrowed; NULL: none */

	/* What observe has found; owned. */
	char *found;       /* the Secret's token; secret; NULL: none */
	char *recovery;    /* the servers' recovery token, of the same Secret; secret; NULL: none */
	bool looked;       /* for it, and it is there or not there: found and err say which. Not set: not yet, or try again */
	struct err err;    /* why the Secret could not be read; empty: it could, or it is none of ours */
};

#define ACCESS_INIT { 0 }

/* The way to go; the token to send, borrowed from access; NULL: none. Both take NULL, too: auto, and no token. */
enum ask_way access_via(const struct access *access);
const char *access_token(const struct access *access);

/* Takes token (a new string, secret) as the one that was found, or as the recovery token, from now on. */
void access_take(struct access *access, char *token);
void access_take_recovery(struct access *access, char *token);

/* For a server that does not know the token; borrowed; NULL: there is none, or the user's own token was given. Takes NULL. */
const char *access_recovery(const struct access *access);

/* Wipes what is owned. */
void access_release(struct access *access);

/*
 * Looks for the token in the Secret NAME-acl-bootstrap of set, if the user gave none, it was not looked for yet, and the
 * set's pods mount a Secret NAME-acl; does nothing otherwise. What comes of it is in access; fails only when interrupted.
 * Blocks for one request, at the latest until deadline_ms. RBAC: get on that Secret; not having it is no failure.
 */
int access_look(struct access *access, struct kube_client *client, const char *namespace_name,
                const struct kube_statefulset *set, int64_t deadline_ms, struct err *err)
    __attribute__((warn_unused_result));

/* ---------------------------------------------------------------------------------------------- pure */

/*
 * The token in length bytes of text, a file's or a Secret's: its first line, without the white space around it. A new string,
 * secret. ERR_INVALID as access_check_token.
 */
int access_parse_token(const char *text, size_t length, char **ret_token, struct err *err)
    __attribute__((warn_unused_result));

/*
 * Whether an answer of Consul's says that it does not know the token, whatever else it would have allowed: "ACL not
 * found".
 */
bool access_is_unknown_token(const char *words);

/*
 * Whether text may be sent as a token: 1 to 512 printable ASCII characters, no space. ERR_INVALID otherwise; the text is
 * not quoted.
 */
int access_check_token(const char *text, struct err *err) __attribute__((warn_unused_result));

#endif
