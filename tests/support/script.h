/*
 * script.h - inside the scripted API server: tables, records and the lock, for its protocol modules.
 *
 * Everything here but the server's own start and stop runs in the server's thread.
 */
#ifndef SUPPORT_SCRIPT_H
#define SUPPORT_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apiserver.h"

struct script;

struct script *script_new(const struct apiserver_options *options);
void script_free(struct script *script);

void script_lock(struct script *script);
void script_unlock(struct script *script);

/* Tables; the newest are looked at first. NULL is fine. */
void script_add_routes(struct script *script, const struct apiserver_route *routes);
void script_add_execs(struct script *script, const struct apiserver_exec *execs);
void script_add_ports(struct script *script, const struct apiserver_port *ports);

/* What becomes of a request. */
enum script_verdict { SCRIPT_ANSWER, SCRIPT_EXEC, SCRIPT_TUNNEL };

/* Who asks, as far as the connection knows. */
struct script_client {
	const char *pod; /* inside a tunnel; else NULL */
	uint16_t port;
	unsigned connection;
	bool verified;       /* by its certificate */
	const char *subject; /* of its certificate, verified or not; NULL: it showed none */
};

/* Facts of an accepted upgrade. Owns its strings. */
struct script_upgrade {
	char *pod;
	const char *protocol;              /* for the 101; "" leaves it out */
	int version;                       /* 4, or 5 */
	const struct apiserver_exec *exec; /* SCRIPT_EXEC */
};

void script_upgrade_release(struct script_upgrade *upgrade);

/*
 * Records request, which is taken over (and lives as long as the script), and fills ret_answer (also the delay, for
 * upgrades too) and, for upgrades, ret_upgrade.
 */
enum script_verdict script_dispatch(struct script *script, struct apiserver_request *request,
                                    const struct script_client *client, struct http_answer *ret_answer,
                                    struct script_upgrade *ret_upgrade);

/* Records the request and runs the row's answer function. */
void script_answer_exec(struct script *script, const struct apiserver_exec *row, const struct exec_request *request,
                        unsigned connection, struct exec_answer *ret_answer);

/* What is behind a port. The row, or NULL when there is none. */
const struct apiserver_port *script_find_port(struct script *script, const char *pod, uint16_t port,
                                              enum port_kind *ret_kind);

/* What clients did wrong. */
void script_complain(struct script *script, unsigned connection, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What it was asked. */
struct record;
struct record *script_record(struct script *script);

const struct apiserver_options *script_options(const struct script *script);

/* ---------------------------------------------------------------------------------------- match.c */

/* Pattern with `*`; NULL matches everything. */
bool match_pattern(const char *pattern, const char *text);

/* "%2F" and "+" decoded; a new string. */
char *match_decode(const char *text, size_t length);

/* The n-th value of key in a query; new string or NULL. */
char *match_query(const char *query, const char *key, size_t n);

/* The value of a header line; new string or NULL. */
char *match_header(const char *headers, const char *name);

/* "…/pods/NAME/VERB": the decoded pod, a new string, when path ends so; else NULL. */
char *match_pod_path(const char *path, const char *verb);

void apiserver_request_free(struct apiserver_request *request);

#endif
