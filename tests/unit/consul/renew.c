/* consul/renew: new certificates, from every state in which a run can have been killed to the same end. */
#include <criterion/criterion.h>

#include "renew_scene.h"
#include "util/mem.h"
#include "util/str.h"

static const struct renew_request plain = { .datacenter = "dc1", .cluster_domain = "cluster.local" };
static const struct renew_request another = { .datacenter = "dc1",
	                                      .cluster_domain = "cluster.local",
	                                      .new_authority = true };

TestSuite(renew, .init = fake_make_authorities, .fini = fake_release_authorities, .timeout = 300);

static void expect_fine(struct fake *fake, const struct renew_request *request)
{
	_cleanup_err_ struct err err = ERR_INIT;

	cr_assert_eq(fake_run(fake, request, &err), 0, "killed at %zu before: %s", fake->kill_at, err.message);
}

static void expect_refused(struct fake *fake, const struct renew_request *request, enum err_kind kind,
                           const char *message)
{
	_cleanup_err_ struct err err = ERR_INIT;

	cr_assert_eq(fake_run(fake, request, &err), -1, "not refused: %s", message);
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

	for (size_t i = 0; i < FAKE_SERVERS; i++) {
		cr_expect_str_eq(fake->loaded[i].certificate, fake->secrets.certificate);
		cr_expect_str_eq(fake->loaded[i].bundle, fake->secrets.bundle);
	}
	cr_expect_str_eq(fake->secrets.bundle, fake->secrets.authority.certificate);
	cr_expect_eq(certificate_verify(fake->secrets.certificate, fake->secrets.bundle, FAKE_NOW, &err), 0);
	cr_expect_null(fake->secrets.next.certificate);
	cr_expect_null(fake->secrets.next.key);
}

/* ----------------------------------------------------------------------------------- to the end at once */

Test(renew, a_certificate_is_renewed_by_the_same_authority)
{
	_cleanup_free_ char *before = NULL;
	struct fake fake;

	fake_start(&fake, 365);
	before = xstrdup(fake.secrets.certificate);
	expect_fine(&fake, &plain);
	expect_settled(&fake);
	cr_expect_str_neq(fake.secrets.certificate, before);
	cr_expect_str_eq(fake.secrets.authority.certificate, fake_authority.certificate);
	cr_expect_eq(fake.writes, 1);
	expect_lines(&fake, "a new certificate is in secret/consul-tls\nconsul-0 presents the new certificate\n"
	                    "consul-1 presents the new certificate\nconsul-2 presents the new certificate");
	fake_stop(&fake);
}

Test(renew, one_that_has_expired_is_renewed)
{
	struct fake fake;

	fake_start(&fake, 1);
	fake.lag_ms = 0;
	fake.secrets.next = (struct key_pair)KEY_PAIR_INIT;
	for (size_t i = 0; i < FAKE_SERVERS; i++) /* nobody trusts anybody now: what is looked at is the end */
		replace_string(&fake.loaded[i].certificate, fake_issue(&fake_authority, 365));
	expect_fine(&fake, &plain);
	expect_settled(&fake);
	fake_stop(&fake);
}

Test(renew, another_authority_takes_three_turns)
{
	struct fake fake;

	fake_start(&fake, 365);
	expect_fine(&fake, &another);
	expect_settled(&fake);
	cr_expect_str_neq(fake.secrets.authority.certificate, fake_authority.certificate);
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
	fake_stop(&fake);
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

	fake_start(&fake, 365);
	fake.kill_at = at;
	fake.kill_after = after;
	status = fake_run(&fake, request, &err);
	if (status < 0) {
		cr_assert_eq(err.kind, ERR_INTERRUPTED, "%s", err.message);
		err_release(&err);
		written = xstrdup(fake.secrets.certificate);
		for (size_t i = 0; i < FAKE_SERVERS; i++)
			unsettled |= !str_equal(fake.loaded[i].certificate, written);
		if (restarted < FAKE_SERVERS) {
			fake_load(&fake, restarted);
			fake_expect_trust(&fake);
		}
		fake.calls = 0;
		fake.kill_at = FAKE_NEVER;
		/* Somebody who only wants a renewal brings the change to its end. */
		expect_fine(&fake, &plain);
		expect_settled(&fake);
		if (unsettled && request == &plain && restarted >= FAKE_SERVERS)
			cr_expect_str_eq(fake.secrets.certificate, written, "killed at %zu: begun anew", at);
	}
	fake_stop(&fake);
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
	kill_everywhere(&plain, FAKE_NEVER);
}

Test(renew, a_change_that_was_killed_anywhere_is_brought_to_its_end)
{
	kill_everywhere(&another, FAKE_NEVER);
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

		fake_start(&fake, 365);
		fake.lost_at = points + 1;
		over = fake_run(&fake, &another, &err) == 0;
		if (!over) {
			cr_expect_eq(err.kind, ERR_CONFLICT, "%s", err.message);
			cr_expect_eq(fake.effects, 0, "lost at the %zuth time, and changed %zu things", points + 1,
			             fake.effects);
			fake.lost_at = 0;
			expect_fine(&fake, &another);
		}
		expect_settled(&fake);
		fake_stop(&fake);
	}
	cr_expect_gt(points, 25, "kept %zu times only", points);
}

Test(renew, the_lease_is_kept_while_a_server_is_waited_for)
{
	struct fake fake;

	fake_start(&fake, 365);
	fake.stuck = 1;
	expect_refused(&fake, &plain, ERR_TIMEOUT, "consul-0 still presents another certificate");
	cr_expect_eq(fake.gap_ms, 3000);
	fake_stop(&fake);
}

/* ---------------------------------------------------------------------------------------- what goes wrong */

Test(renew, a_server_that_does_not_take_it_stops_all)
{
	_cleanup_free_ char *before = NULL;
	struct fake fake;

	fake_start(&fake, 365);
	before = xstrdup(fake.secrets.certificate);
	fake.stuck = 2;
	expect_refused(&fake, &plain, ERR_TIMEOUT,
	               "consul-1 still presents another certificate than that of secret/consul-tls");
	cr_expect_str_eq(fake.loaded[2].certificate, before, "consul-2 was told although consul-1 is late");
	cr_expect_eq(fake.now_ms, 300000);
	fake_stop(&fake);
}

Test(renew, a_reload_that_fails_for_now_is_tried_again)
{
	struct fake fake;

	fake_start(&fake, 365);
	fake.reload_error = ERR_FAILED;
	expect_refused(&fake, &plain, ERR_TIMEOUT,
	               "consul-0 does not present the certificate of secret/consul-tls: no reload");
	fake.reload_error = ERR_NONE;
	expect_fine(&fake, &plain);
	expect_settled(&fake);
	cr_expect_eq(fake.writes, 1);
	fake_stop(&fake);
}

Test(renew, what_is_forbidden_ends_it_at_once)
{
	struct fake fake;

	fake_start(&fake, 365);
	fake.reload_error = ERR_FORBIDDEN;
	expect_refused(&fake, &plain, ERR_FORBIDDEN, "no reload");
	cr_expect_eq(fake.now_ms, 0);
	fake_stop(&fake);
}

Test(renew, without_https_or_in_a_conflict_nothing_is_done)
{
	struct fake fake;

	fake_start(&fake, 365);
	fake.no_https = true;
	expect_refused(&fake, &plain, ERR_REFUSED, "consul-0 has no HTTPS port: TLS is off");
	fake.no_https = false;
	fake.conflict = true;
	expect_refused(&fake, &plain, ERR_CONFLICT, "it changed");
	cr_expect_eq(fake.writes, 0);
	cr_expect_eq(fake.reloads, 0);
	fake_stop(&fake);
}

/* ------------------------------------------------------------------------------------- people's authorities */

Test(renew, a_key_that_the_user_keeps_has_to_be_given)
{
	struct renew_request given = plain, wrong = plain;
	struct fake fake;

	given.authority = &fake_authority;
	wrong.authority = &fake_other;
	fake_start(&fake, 365);
	free_secret(TAKE(fake.secrets.authority.key));
	expect_refused(&fake, &plain, ERR_REFUSED, "the key of the authority in use (CN=consul.demo CA)");
	expect_refused(&fake, &another, ERR_REFUSED, "the key of the authority in use (CN=consul.demo CA)");
	expect_refused(&fake, &wrong, ERR_REFUSED,
	               "the authority that is given (CN=other CA) is not the one in use (CN=consul.demo CA)");
	cr_expect_eq(fake.writes, 0);
	expect_fine(&fake, &given);
	expect_settled(&fake);
	cr_expect_null(fake.secrets.authority.key, "the user's key was stored");
	fake_stop(&fake);
}

Test(renew, the_key_in_use_that_the_user_keeps_lets_go_of_it)
{
	struct renew_request change = another, not_its_key = another;
	struct fake fake;

	change.key_in_use = fake_authority.key;
	not_its_key.key_in_use = fake_other.key;
	fake_start(&fake, 365);
	free_secret(TAKE(fake.secrets.authority.key));
	expect_refused(&fake, &not_its_key, ERR_INVALID, "--tls-ca-key-in-use");
	cr_expect_eq(fake.writes, 0);
	expect_fine(&fake, &change);
	expect_settled(&fake);
	cr_expect_str_neq(fake.secrets.authority.certificate, fake_authority.certificate);
	fake_stop(&fake);
}

Test(renew, a_change_to_the_users_authority_stores_no_key_and_needs_it_to_go_on)
{
	struct renew_request theirs = another, third = another;
	struct key_pair new_one = KEY_PAIR_INIT;
	_cleanup_err_ struct err err = ERR_INIT;
	struct fake fake;

	cr_assert_eq(certificate_make_authority("third CA", FAKE_NOW, 10, &new_one, &err), 0);
	theirs.authority = &fake_other;
	third.authority = &new_one;
	fake_start(&fake, 365);
	fake.kill_at = 9; /* in turn 1 */
	expect_refused(&fake, &theirs, ERR_INTERRUPTED, "killed");
	fake.kill_at = FAKE_NEVER;
	cr_expect_not_null(fake.secrets.next.certificate);
	cr_expect_null(fake.secrets.next.key);
	expect_refused(&fake, &plain, ERR_REFUSED, "the key of the next authority (CN=other CA)");
	expect_refused(&fake, &third, ERR_REFUSED, "a change to another authority (CN=other CA, fingerprint ");
	expect_fine(&fake, &theirs);
	expect_settled(&fake);
	cr_expect_str_eq(fake.secrets.authority.certificate, fake_other.certificate);
	cr_expect_null(fake.secrets.authority.key);
	key_pair_release(&new_one);
	fake_stop(&fake);
}

/* The users lost it before it signed anything. What the error says to type takes next.crt away. */
Test(renew, a_change_whose_new_key_is_lost_can_be_given_up)
{
	struct renew_request theirs = another;
	_cleanup_err_ struct err err = ERR_INIT;
	struct fake fake;

	theirs.authority = &fake_other;
	fake_start(&fake, 365);
	fake.kill_at = 9; /* in turn 1 */
	expect_refused(&fake, &theirs, ERR_INTERRUPTED, "killed");
	fake.kill_at = FAKE_NEVER;
	cr_assert_eq(fake_run(&fake, &plain, &err), -1);
	cr_expect_not_null(strstr(err.hint, "kubectl patch secret consul-ca -n demo --type=json -p "
	                                    "'[{\"op\":\"remove\",\"path\":\"/data/next.crt\"}]'"));
	key_pair_release(&fake.secrets.next);
	expect_fine(&fake, &plain);
	cr_expect_str_eq(fake.secrets.authority.certificate, fake_authority.certificate);
	expect_fine(&fake, &another);
	expect_settled(&fake);
	cr_expect_null(strstr(fake.secrets.bundle, fake_other.certificate));
	fake_stop(&fake);
}

Test(renew, secrets_that_do_not_fit_together_are_left_alone)
{
	struct fake fake;

	fake_start(&fake, 365);
	replace_string(&fake.secrets.bundle, xstrdup(fake_other.certificate));
	expect_refused(&fake, &plain, ERR_REFUSED,
	               "ca.crt of secret/consul-tls has not the authority of secret/consul-ca");
	replace_string(&fake.secrets.bundle, xstrdup(fake_authority.certificate));
	replace_string(&fake.secrets.certificate, fake_issue(&fake_other, 365));
	expect_refused(&fake, &plain, ERR_REFUSED,
	               "tls.crt of secret/consul-tls is not by the authority of secret/consul-ca");
	replace_string(&fake.secrets.certificate, xstrdup("no"));
	expect_refused(&fake, &plain, ERR_INVALID, "secret/consul-tls: tls.crt: it has no certificate in PEM");
	cr_expect_eq(fake.writes, 0);
	fake_stop(&fake);
}
