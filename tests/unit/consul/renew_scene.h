/*
 * A world of three servers for new certificates: files that kubelet brings late, runs that are killed anywhere, servers
 * that start again in between, a Lease that is lost. After every reload each server must trust each other's
 * certificate.
 */
#ifndef TEST_RENEW_SCENE_H
#define TEST_RENEW_SCENE_H

#include "../../../src/consul/renew_parts.h"
#include "util/str.h"

#define FAKE_NOW     ((int64_t)1800000000)
#define FAKE_DAY_S   ((int64_t)86400)
#define FAKE_SERVERS 3
#define FAKE_NEVER   SIZE_MAX

/* What a server has loaded. */
struct loaded {
	char *bundle, *certificate;
};

struct fake {
	struct renew_state secrets; /* with */
	char *key;                  /* of the servers */
	struct loaded loaded[FAKE_SERVERS];
	int64_t now_ms, written_ms;
	int64_t lag_ms;        /* from a change of the Secret until it is in the pods */
	size_t calls, kill_at; /* that call of the world is the last one … */
	bool kill_after;       /* … and has its effect */
	size_t restarts;       /* a server that starts again then, + 1 */
	size_t writes, reloads;
	size_t stuck;               /* a server whose files never come, + 1 */
	enum err_kind reload_error; /* 0: none */
	bool no_https, conflict;
	size_t keeps, lost_at;   /* that time the Lease is somebody else's, + 1 */
	size_t effects;          /* what was written, hurried or reloaded after it was lost */
	int64_t kept_ms, gap_ms; /* when last; the longest time between two */
	struct strv lines;
};

/* That of the servers, and one that nobody trusts yet; between the two calls. */
extern struct key_pair fake_authority, fake_other;
void fake_make_authorities(void);
void fake_release_authorities(void);

/* Three servers with a certificate for so many days. */
void fake_start(struct fake *fake, int64_t days);
void fake_stop(struct fake *fake);

/* One run, of five minutes at most. */
int fake_run(struct fake *fake, const struct renew_request *request, struct err *err);

/* The server loads what the Secret has; that all trust all. */
void fake_load(struct fake *fake, size_t server);
void fake_expect_trust(const struct fake *fake);

/* A certificate by that authority; new string. */
char *fake_issue(const struct key_pair *by, int64_t days);

#endif
