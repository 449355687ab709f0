/* See renew_scene.h. */
#include "renew_scene.h"

#include <criterion/criterion.h>

#include "util/mem.h"

struct key_pair fake_authority, fake_other;

void fake_make_authorities(void)
{
	_cleanup_err_ struct err err = ERR_INIT;

	cr_assert_eq(
	    certificate_make_authority("consul.demo CA", FAKE_NOW - 100 * FAKE_DAY_S, 3650, &fake_authority, &err), 0);
	cr_assert_eq(certificate_make_authority("other CA", FAKE_NOW - 100 * FAKE_DAY_S, 3650, &fake_other, &err), 0);
}

void fake_release_authorities(void)
{
	key_pair_release(&fake_authority);
	key_pair_release(&fake_other);
}

/* ------------------------------------------------------------------------------------------ the world */

void fake_load(struct fake *fake, size_t server)
{
	replace_string(&fake->loaded[server].bundle, xstrdup(fake->secrets.bundle));
	replace_string(&fake->loaded[server].certificate, xstrdup(fake->secrets.certificate));
}

void fake_expect_trust(const struct fake *fake)
{
	for (size_t i = 0; i < FAKE_SERVERS; i++) {
		for (size_t j = 0; j < FAKE_SERVERS; j++) {
			_cleanup_err_ struct err err = ERR_INIT;

			cr_assert_eq(
			    certificate_verify(fake->loaded[i].certificate, fake->loaded[j].bundle, FAKE_NOW, &err), 0,
			    "killed at %zu: consul-%zu does not trust consul-%zu: %s", fake->kill_at, j, i,
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
		fake_load(fake, server);
		fake_expect_trust(fake);
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
	return FAKE_NOW;
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
char *fake_issue(const struct key_pair *by, int64_t days)
{
	_cleanup_err_ struct err err = ERR_INIT;
	struct certificate_request request = { .common_name = "server.dc1.consul", .days = days };
	struct key_pair pair = KEY_PAIR_INIT;

	cr_assert_eq(certificate_issue(by, &request, FAKE_NOW - 10 * FAKE_DAY_S, &pair, &err), 0, "%s", err.message);
	free_secret(pair.key);
	return pair.certificate;
}

void fake_start(struct fake *fake, int64_t days)
{
	*fake = (struct fake){ .kill_at = FAKE_NEVER, .lag_ms = 4000 };
	fake->secrets.bundle = xstrdup(fake_authority.certificate);
	fake->secrets.certificate = fake_issue(&fake_authority, days);
	fake->secrets.authority.certificate = xstrdup(fake_authority.certificate);
	fake->secrets.authority.key = xstrdup(fake_authority.key);
	for (size_t i = 0; i < FAKE_SERVERS; i++)
		fake_load(fake, i);
	fake->written_ms = -1000000;
}

void fake_stop(struct fake *fake)
{
	renew_state_release(&fake->secrets);
	free(fake->key);
	for (size_t i = 0; i < FAKE_SERVERS; i++) {
		free(fake->loaded[i].bundle);
		free(fake->loaded[i].certificate);
	}
	strv_release(&fake->lines);
}

int fake_run(struct fake *fake, const struct renew_request *request, struct err *err)
{
	struct renew_world world = {
		.context = fake,
		.count = FAKE_SERVERS,
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
