/*
 * New certificates in a world of three servers: files that kubelet brings late, runs that are killed anywhere, servers
 * that start again in between. After every reload each server must trust each other's certificate.
 */
#include <inttypes.h>
#include <stdio.h>

#include <criterion/criterion.h>

#include "../../../src/consul/renew_parts.h"
#include "util/buf.h"
#include "util/mem.h"
#include "util/str.h"

#define NOW     ((int64_t)1800000000)
#define DAY_S   ((int64_t)86400)
#define SERVERS 3
#define NEVER   SIZE_MAX

/* What a server has loaded. */
struct loaded {
	char *bundle, *certificate;
};

struct fake {
	struct renew_state secrets; /* with */
	char *key;                  /* of the servers */
	struct loaded loaded[SERVERS];
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

static struct key_pair authority, other;
static const struct renew_request plain = { .datacenter = "dc1", .cluster_domain = "cluster.local" };
static const struct renew_request another = { .datacenter = "dc1",
	                                      .cluster_domain = "cluster.local",
	                                      .new_authority = true };

static void make_authorities(void)
{
	_cleanup_err_ struct err err = ERR_INIT;

	cr_assert_eq(certificate_make_authority("consul.demo CA", NOW - 100 * DAY_S, 3650, &authority, &err), 0);
	cr_assert_eq(certificate_make_authority("other CA", NOW - 100 * DAY_S, 3650, &other, &err), 0);
}

static void release_authorities(void)
{
	key_pair_release(&authority);
	key_pair_release(&other);
}

TestSuite(renew, .init = make_authorities, .fini = release_authorities, .timeout = 300);

/* ------------------------------------------------------------------------------------------ the world */

static void load(struct fake *fake, size_t server)
{
	replace_string(&fake->loaded[server].bundle, xstrdup(fake->secrets.bundle));
	replace_string(&fake->loaded[server].certificate, xstrdup(fake->secrets.certificate));
}

static void expect_trust(const struct fake *fake)
{
	for (size_t i = 0; i < SERVERS; i++) {
		for (size_t j = 0; j < SERVERS; j++) {
			_cleanup_err_ struct err err = ERR_INIT;

			cr_assert_eq(certificate_verify(fake->loaded[i].certificate, fake->loaded[j].bundle, NOW, &err),
			             0, "killed at %zu: consul-%zu does not trust consul-%zu: %s", fake->kill_at, j, i,
			             err.message);
		}
	}
}

/* True when the run ends here; *ret_effect: whether this call has its effect. */
static bool is_killed(struct fake *fake, bool *ret_effect, struct err *err)
{
	bool killed = fake->calls++ == fake->kill_at;

	*ret_effect = !killed || fake->kill_after;
	if (killed)
		err_set(err, ERR_INTERRUPTED, "killed");
	return killed;
}

static const char *fake_name(void *context, size_t server)
{
	static const char *const names[] = { "consul-0", "consul-1", "consul-2" };

	(void)context;
	return names[server];
}

static int fake_read(void *context, struct renew_state *ret_state, struct err *err)
{
	struct fake *fake = context;
	bool effect;

	if (is_killed(fake, &effect, err))
		return -1;
	ret_state->bundle = xstrdup(fake->secrets.bundle);
	ret_state->certificate = xstrdup(fake->secrets.certificate);
	ret_state->authority.certificate = xstrdup(fake->secrets.authority.certificate);
	ret_state->authority.key = xstrdup_null(fake->secrets.authority.key);
	ret_state->next.certificate = xstrdup_null(fake->secrets.next.certificate);
	ret_state->next.key = xstrdup_null(fake->secrets.next.key);
	return 0;
}

/* Nobody may change anything without the Lease. */
static void note_effect(struct fake *fake)
{
	fake->effects += fake->lost_at && fake->keeps >= fake->lost_at;
}

static void take_step(struct fake *fake, const struct renew_step *step)
{
	struct renew_state *secrets = &fake->secrets;

	fake->writes++;
	if (step->kind == RENEW_PREPARE) {
		replace_string(&secrets->next.certificate, xstrdup(step->next.certificate));
		replace_string(&secrets->next.key, xstrdup_null(step->next.key));
	} else if (step->kind == RENEW_ADOPT) {
		replace_string(&secrets->authority.certificate, xstrdup(step->authority.certificate));
		replace_string(&secrets->authority.key, xstrdup_null(step->authority.key));
		key_pair_release(&secrets->next);
	} else {
		replace_string(&secrets->bundle, xstrdup(step->bundle));
		replace_string(&secrets->certificate, xstrdup(step->server.certificate));
		replace_string(&fake->key, xstrdup(step->server.key));
		fake->written_ms = fake->now_ms;
	}
}

static int fake_write(void *context, const struct renew_step *step, struct err *err)
{
	struct fake *fake = context;
	bool effect, killed = is_killed(fake, &effect, err);

	if (fake->conflict)
		return err_set(err, ERR_CONFLICT, "secret/consul-tls: it changed");
	if (effect) {
		note_effect(fake);
		take_step(fake, step);
	}
	return killed ? -1 : 0;
}

static int fake_present(void *context, size_t server, char **ret_pem, struct err *err)
{
	struct fake *fake = context;
	bool effect;

	if (is_killed(fake, &effect, err))
		return -1;
	*ret_pem = fake->no_https ? NULL : xstrdup(fake->loaded[server].certificate);
	return 0;
}

static int fake_reload(void *context, size_t server, struct err *err)
{
	struct fake *fake = context;
	bool effect, killed = is_killed(fake, &effect, err);

	if (fake->reload_error)
		return err_set(err, fake->reload_error, "no reload");
	fake->reloads++;
	note_effect(fake);
	if (effect && fake->stuck != server + 1 && fake->now_ms >= fake->written_ms + fake->lag_ms) {
		load(fake, server);
		expect_trust(fake);
	}
	return killed ? -1 : 0;
}

static int fake_hurry(void *context, size_t server, const char *fingerprint, struct err *err)
{
	bool effect;

	(void)server;
	cr_assert_eq(strlen(fingerprint), 64);
	return is_killed(context, &effect, err) ? -1 : 0;
}

static int64_t fake_now_ms(void *context)
{
	return ((const struct fake *)context)->now_ms;
}

static int64_t fake_now_s(void *context)
{
	(void)context;
	return NOW;
}

static int fake_sleep(void *context, int64_t milliseconds, struct err *err)
{
	struct fake *fake = context;
	bool effect;

	fake->now_ms += milliseconds;
	return is_killed(fake, &effect, err) ? -1 : 0;
}

static int fake_keep(void *context, struct err *err)
{
	struct fake *fake = context;

	if (fake->keeps && fake->now_ms - fake->kept_ms > fake->gap_ms)
		fake->gap_ms = fake->now_ms - fake->kept_ms;
	fake->kept_ms = fake->now_ms;
	fake->keeps++;
	if (fake->lost_at && fake->keeps >= fake->lost_at)
		return err_set(err, ERR_CONFLICT, "the lease is somebody else's");
	return 0;
}

static void fake_tell(void *context, const char *line)
{
	strv_add(&((struct fake *)context)->lines, line);
}

/* A certificate by that authority; new string. */
static char *issue(const struct key_pair *by, int64_t days)
{
	_cleanup_err_ struct err err = ERR_INIT;
	struct certificate_request request = { .common_name = "server.dc1.consul", .days = days };
	struct key_pair pair = KEY_PAIR_INIT;

	cr_assert_eq(certificate_issue(by, &request, NOW - 10 * DAY_S, &pair, &err), 0, "%s", err.message);
	free_secret(pair.key);
	return pair.certificate;
}

static void start(struct fake *fake, int64_t days)
{
	*fake = (struct fake){ .kill_at = NEVER, .lag_ms = 4000 };
	fake->secrets.bundle = xstrdup(authority.certificate);
	fake->secrets.certificate = issue(&authority, days);
	fake->secrets.authority.certificate = xstrdup(authority.certificate);
	fake->secrets.authority.key = xstrdup(authority.key);
	for (size_t i = 0; i < SERVERS; i++)
		load(fake, i);
	fake->written_ms = -1000000;
}

static void stop(struct fake *fake)
{
	renew_state_release(&fake->secrets);
	free(fake->key);
	for (size_t i = 0; i < SERVERS; i++) {
		free(fake->loaded[i].bundle);
		free(fake->loaded[i].certificate);
	}
	strv_release(&fake->lines);
}

static int run(struct fake *fake, const struct renew_request *request, struct err *err)
{
	struct renew_world world = {
		.context = fake,
		.count = SERVERS,
		.server_name = fake_name,
		.read = fake_read,
		.write = fake_write,
		.present = fake_present,
		.reload = fake_reload,
		.hurry = fake_hurry,
		.now_ms = fake_now_ms,
		.now_s = fake_now_s,
		.sleep = fake_sleep,
	};
	struct renew_order order = { .request = request, .name = "consul", .namespace_name = "demo" };
	struct progress progress = { .tell = fake_tell, .keep = fake_keep, .context = fake };

	strv_release(&fake->lines);
	fake->calls = 0;
	fake->keeps = 0;
	return renew_run(&world, &order, &progress, fake->now_ms + 300000, err);
}

static void expect_fine(struct fake *fake, const struct renew_request *request)
{
	_cleanup_err_ struct err err = ERR_INIT;

	cr_assert_eq(run(fake, request, &err), 0, "killed at %zu before: %s", fake->kill_at, err.message);
}

static void expect_refused(struct fake *fake, const struct renew_request *request, enum err_kind kind,
                           const char *message)
{
	_cleanup_err_ struct err err = ERR_INIT;

	cr_assert_eq(run(fake, request, &err), -1, "not refused: %s", message);
	cr_expect_eq(err.kind, kind, "%d: %s", (int)err.kind, err.message);
	cr_expect(strstr(err.message, message), "\"%s\" is not in: %s", message, err.message);
}

static void expect_lines(const struct fake *fake, const char *expected)
{
	_cleanup_free_ char *lines = strv_join(&fake->lines, "\n", "\n");

	cr_expect_str_eq(lines, expected);
}

/* All present what the Secret has; the Secrets fit together. */
static void expect_settled(const struct fake *fake)
{
	_cleanup_err_ struct err err = ERR_INIT;

	for (size_t i = 0; i < SERVERS; i++) {
		cr_expect_str_eq(fake->loaded[i].certificate, fake->secrets.certificate);
		cr_expect_str_eq(fake->loaded[i].bundle, fake->secrets.bundle);
	}
	cr_expect_str_eq(fake->secrets.bundle, fake->secrets.authority.certificate);
	cr_expect_eq(certificate_verify(fake->secrets.certificate, fake->secrets.bundle, NOW, &err), 0);
	cr_expect_null(fake->secrets.next.certificate);
	cr_expect_null(fake->secrets.next.key);
}

/* ----------------------------------------------------------------------------------- to the end at once */

Test(renew, a_certificate_is_renewed_by_the_same_authority)
{
	_cleanup_free_ char *before = NULL;
	struct fake fake;

	start(&fake, 365);
	before = xstrdup(fake.secrets.certificate);
	expect_fine(&fake, &plain);
	expect_settled(&fake);
	cr_expect_str_neq(fake.secrets.certificate, before);
	cr_expect_str_eq(fake.secrets.authority.certificate, authority.certificate);
	cr_expect_eq(fake.writes, 1);
	expect_lines(&fake, "a new certificate is in secret/consul-tls\nconsul-0 presents the new certificate\n"
	                    "consul-1 presents the new certificate\nconsul-2 presents the new certificate");
	stop(&fake);
}

Test(renew, one_that_has_expired_is_renewed)
{
	struct fake fake;

	start(&fake, 1);
	fake.lag_ms = 0;
	fake.secrets.next = (struct key_pair)KEY_PAIR_INIT;
	for (size_t i = 0; i < SERVERS; i++) /* nobody trusts anybody now: what is looked at is the end */
		replace_string(&fake.loaded[i].certificate, issue(&authority, 365));
	expect_fine(&fake, &plain);
	expect_settled(&fake);
	stop(&fake);
}

Test(renew, another_authority_takes_three_turns)
{
	struct fake fake;

	start(&fake, 365);
	expect_fine(&fake, &another);
	expect_settled(&fake);
	cr_expect_str_neq(fake.secrets.authority.certificate, authority.certificate);
	cr_expect_not_null(fake.secrets.authority.key);
	cr_expect_eq(fake.writes, 5);
	expect_lines(&fake, "the next certificate authority is in secret/consul-ca\n"
	                    "turn 1 of 3: secret/consul-tls trusts the old authority and the new one\n"
	                    "consul-0 presents the new certificate\nconsul-1 presents the new certificate\n"
	                    "consul-2 presents the new certificate\n"
	                    "turn 2 of 3: secret/consul-tls has a certificate by the new authority\n"
	                    "consul-0 presents the new certificate\nconsul-1 presents the new certificate\n"
	                    "consul-2 presents the new certificate\n"
	                    "turn 3 of 3: secret/consul-tls trusts the new authority only\n"
	                    "consul-0 presents the new certificate\nconsul-1 presents the new certificate\n"
	                    "consul-2 presents the new certificate\n"
	                    "secret/consul-ca has the new authority; the old one is not needed any more");
	stop(&fake);
}

/* ---------------------------------------------------------------------------------------- killed anywhere */

/* One run that is killed at a call, then whole ones. False: the run was over before that call. */
static bool kill_and_go_on(const struct renew_request *request, size_t at, bool after, size_t restarted)
{
	_cleanup_free_ char *written = NULL;
	struct fake fake;
	struct err err = ERR_INIT;
	bool unsettled = false;
	int status;

	start(&fake, 365);
	fake.kill_at = at;
	fake.kill_after = after;
	status = run(&fake, request, &err);
	if (status < 0) {
		cr_assert_eq(err.kind, ERR_INTERRUPTED, "%s", err.message);
		err_release(&err);
		written = xstrdup(fake.secrets.certificate);
		for (size_t i = 0; i < SERVERS; i++)
			unsettled |= !str_equal(fake.loaded[i].certificate, written);
		if (restarted < SERVERS) {
			load(&fake, restarted);
			expect_trust(&fake);
		}
		fake.calls = 0;
		fake.kill_at = NEVER;
		/* Somebody who only wants a renewal brings the change to its end. */
		expect_fine(&fake, &plain);
		expect_settled(&fake);
		if (unsettled && request == &plain && restarted >= SERVERS)
			cr_expect_str_eq(fake.secrets.certificate, written, "killed at %zu: begun anew", at);
	}
	stop(&fake);
	return status < 0;
}

static void kill_everywhere(const struct renew_request *request, size_t restarted)
{
	size_t points = 0;

	for (size_t at = 0; kill_and_go_on(request, at, false, restarted); at++)
		points++;
	for (size_t at = 0; kill_and_go_on(request, at, true, restarted); at++)
		points++;
	cr_expect_gt(points, 25, "%zu points only", points);
}

Test(renew, a_renewal_that_was_killed_anywhere_is_brought_to_its_end)
{
	kill_everywhere(&plain, NEVER);
}

Test(renew, a_change_that_was_killed_anywhere_is_brought_to_its_end)
{
	kill_everywhere(&another, NEVER);
}

Test(renew, a_server_that_starts_again_in_between_is_trusted)
{
	kill_everywhere(&another, 1);
}

/* -------------------------------------------------------------------------------------- somebody else's turn */

Test(renew, nothing_more_is_changed_once_the_lease_is_lost)
{
	size_t points = 0;

	for (bool over = false; !over; points++) {
		_cleanup_err_ struct err err = ERR_INIT;
		struct fake fake;

		start(&fake, 365);
		fake.lost_at = points + 1;
		over = run(&fake, &another, &err) == 0;
		if (!over) {
			cr_expect_eq(err.kind, ERR_CONFLICT, "%s", err.message);
			cr_expect_eq(fake.effects, 0, "lost at the %zuth time, and changed %zu things", points + 1,
			             fake.effects);
			fake.lost_at = 0;
			expect_fine(&fake, &another);
		}
		expect_settled(&fake);
		stop(&fake);
	}
	cr_expect_gt(points, 25, "kept %zu times only", points);
}

Test(renew, the_lease_is_kept_while_a_server_is_waited_for)
{
	struct fake fake;

	start(&fake, 365);
	fake.stuck = 1;
	expect_refused(&fake, &plain, ERR_TIMEOUT, "consul-0 still presents another certificate");
	cr_expect_eq(fake.gap_ms, 3000);
	stop(&fake);
}

/* ---------------------------------------------------------------------------------------- what goes wrong */

Test(renew, a_server_that_does_not_take_it_stops_all)
{
	_cleanup_free_ char *before = NULL;
	struct fake fake;

	start(&fake, 365);
	before = xstrdup(fake.secrets.certificate);
	fake.stuck = 2;
	expect_refused(&fake, &plain, ERR_TIMEOUT,
	               "consul-1 still presents another certificate than that of secret/consul-tls");
	cr_expect_str_eq(fake.loaded[2].certificate, before, "consul-2 was told although consul-1 is late");
	cr_expect_eq(fake.now_ms, 300000);
	stop(&fake);
}

Test(renew, a_reload_that_fails_for_now_is_tried_again)
{
	struct fake fake;

	start(&fake, 365);
	fake.reload_error = ERR_FAILED;
	expect_refused(&fake, &plain, ERR_TIMEOUT,
	               "consul-0 does not present the certificate of secret/consul-tls: no reload");
	fake.reload_error = ERR_NONE;
	expect_fine(&fake, &plain);
	expect_settled(&fake);
	cr_expect_eq(fake.writes, 1);
	stop(&fake);
}

Test(renew, what_is_forbidden_ends_it_at_once)
{
	struct fake fake;

	start(&fake, 365);
	fake.reload_error = ERR_FORBIDDEN;
	expect_refused(&fake, &plain, ERR_FORBIDDEN, "no reload");
	cr_expect_eq(fake.now_ms, 0);
	stop(&fake);
}

Test(renew, without_https_or_in_a_conflict_nothing_is_done)
{
	struct fake fake;

	start(&fake, 365);
	fake.no_https = true;
	expect_refused(&fake, &plain, ERR_REFUSED, "consul-0 has no HTTPS port: TLS is off");
	fake.no_https = false;
	fake.conflict = true;
	expect_refused(&fake, &plain, ERR_CONFLICT, "it changed");
	cr_expect_eq(fake.writes, 0);
	cr_expect_eq(fake.reloads, 0);
	stop(&fake);
}

/* ------------------------------------------------------------------------------------- people's authorities */

Test(renew, a_key_that_the_user_keeps_has_to_be_given)
{
	struct renew_request given = plain, wrong = plain;
	struct fake fake;

	given.authority = &authority;
	wrong.authority = &other;
	start(&fake, 365);
	free_secret(TAKE(fake.secrets.authority.key));
	expect_refused(&fake, &plain, ERR_REFUSED, "the key of the authority in use (CN=consul.demo CA)");
	expect_refused(&fake, &another, ERR_REFUSED, "the key of the authority in use (CN=consul.demo CA)");
	expect_refused(&fake, &wrong, ERR_REFUSED,
	               "the authority that is given (CN=other CA) is not the one in use (CN=consul.demo CA)");
	cr_expect_eq(fake.writes, 0);
	expect_fine(&fake, &given);
	expect_settled(&fake);
	cr_expect_null(fake.secrets.authority.key, "the user's key was stored");
	stop(&fake);
}

Test(renew, the_key_in_use_that_the_user_keeps_lets_go_of_it)
{
	struct renew_request change = another, not_its_key = another;
	struct fake fake;

	change.key_in_use = authority.key;
	not_its_key.key_in_use = other.key;
	start(&fake, 365);
	free_secret(TAKE(fake.secrets.authority.key));
	expect_refused(&fake, &not_its_key, ERR_INVALID, "--tls-ca-key-in-use");
	cr_expect_eq(fake.writes, 0);
	expect_fine(&fake, &change);
	expect_settled(&fake);
	cr_expect_str_neq(fake.secrets.authority.certificate, authority.certificate);
	stop(&fake);
}

Test(renew, a_change_to_the_users_authority_stores_no_key_and_needs_it_to_go_on)
{
	struct renew_request theirs = another, third = another;
	struct key_pair new_one = KEY_PAIR_INIT;
	_cleanup_err_ struct err err = ERR_INIT;
	struct fake fake;

	cr_assert_eq(certificate_make_authority("third CA", NOW, 10, &new_one, &err), 0);
	theirs.authority = &other;
	third.authority = &new_one;
	start(&fake, 365);
	fake.kill_at = 9; /* in turn 1 */
	expect_refused(&fake, &theirs, ERR_INTERRUPTED, "killed");
	fake.kill_at = NEVER;
	cr_expect_not_null(fake.secrets.next.certificate);
	cr_expect_null(fake.secrets.next.key);
	expect_refused(&fake, &plain, ERR_REFUSED, "the key of the next authority (CN=other CA)");
	expect_refused(&fake, &third, ERR_REFUSED, "a change to another authority (CN=other CA, fingerprint ");
	expect_fine(&fake, &theirs);
	expect_settled(&fake);
	cr_expect_str_eq(fake.secrets.authority.certificate, other.certificate);
	cr_expect_null(fake.secrets.authority.key);
	key_pair_release(&new_one);
	stop(&fake);
}

Test(renew, secrets_that_do_not_fit_together_are_left_alone)
{
	struct fake fake;

	start(&fake, 365);
	replace_string(&fake.secrets.bundle, xstrdup(other.certificate));
	expect_refused(&fake, &plain, ERR_REFUSED,
	               "ca.crt of secret/consul-tls has not the authority of secret/consul-ca");
	replace_string(&fake.secrets.bundle, xstrdup(authority.certificate));
	replace_string(&fake.secrets.certificate, issue(&other, 365));
	expect_refused(&fake, &plain, ERR_REFUSED,
	               "tls.crt of secret/consul-tls is not by the authority of secret/consul-ca");
	replace_string(&fake.secrets.certificate, xstrdup("no"));
	expect_refused(&fake, &plain, ERR_INVALID, "secret/consul-tls: tls.crt: it has no certificate in PEM");
	cr_expect_eq(fake.writes, 0);
	stop(&fake);
}
