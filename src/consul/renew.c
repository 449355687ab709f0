/* See include/consul/renew.h: the loop. What is next is told in renew_next.c, at each turn from what is there. */
#include "renew_parts.h"

#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

/* Between two times that a server is told to reload. */
#define AGAIN_MS ((int64_t)3000)

struct run {
	const struct renew_world *world;
	struct renew_order *order;
	const struct progress *progress;
	int64_t deadline_ms;
};

/* ---------------------------------------------------------------------------------------- the servers */

/* What will not pass by waiting. */
static bool is_final(const struct err *err)
{
	return err->kind == ERR_INTERRUPTED || err->kind == ERR_FORBIDDEN || err->kind == ERR_UNAUTHORIZED ||
	       err->kind == ERR_REFUSED;
}

/* Whether the server presents that certificate. A server that cannot be asked now does not; err says why then. */
static bool presents(const struct run *run, size_t server, const char *fingerprint, struct err *err)
{
	struct certificate certificate = CERTIFICATE_INIT;
	_cleanup_free_ char *pem = NULL;
	bool is_that;

	if (run->world->present(run->world->context, server, &pem, err) < 0)
		return false;
	if (!pem) {
		err_set(err, ERR_REFUSED, "%s has no HTTPS port: TLS is off",
		        run->world->server_name(run->world->context, server));
		return false;
	}
	if (certificate_read(pem, &certificate, err) < 0)
		return false;
	is_that = str_equal(certificate.fingerprint, fingerprint);
	certificate_release(&certificate);
	return is_that;
}

static int look(const struct run *run, const char *fingerprint, bool *ret_settled, struct err *err)
{
	*ret_settled = true;
	for (size_t i = 0; i < run->world->count && *ret_settled; i++) {
		_cleanup_err_ struct err failure = ERR_INIT;

		if (progress_keep(run->progress, err) < 0)
			return -1;
		*ret_settled = presents(run, i, fingerprint, &failure);
		if (is_final(&failure))
			return err_move(err, &failure);
	}
	return 0;
}

/* cause: why it could not be told or asked, the last time; may be empty. */
static int late(const struct run *run, size_t server, const struct err *cause, struct err *err)
{
	const char *name = run->world->server_name(run->world->context, server);

	if (err_is_set(cause))
		err_set(err, ERR_TIMEOUT, "%s does not present the certificate of secret/%s-tls: %s", name,
		        run->order->name, cause->message);
	else
		err_set(err, ERR_TIMEOUT, "%s still presents another certificate than that of secret/%s-tls", name,
		        run->order->name);
	return err_hint(err, "kubelet brings a changed Secret into the pods within two minutes; run the same again: it "
	                     "goes on where it is");
}

/* Told to reload until it presents it. */
static int settle_one(const struct run *run, size_t server, const char *fingerprint, struct err *err)
{
	const struct renew_world *world = run->world;

	for (;;) {
		_cleanup_err_ struct err failure = ERR_INIT;
		int64_t left_ms;

		if (progress_keep(run->progress, err) < 0)
			return -1;
		if (presents(run, server, fingerprint, &failure))
			return 0;
		/* Each of them may take a while. */
		if (progress_keep(run->progress, err) < 0)
			return -1;
		if (!err_is_set(&failure) && world->reload(world->context, server, &failure) == 0 &&
		    presents(run, server, fingerprint, &failure))
			return 0;
		if (is_final(&failure))
			return err_move(err, &failure);
		left_ms = run->deadline_ms - world->now_ms(world->context);
		if (left_ms <= 0)
			return late(run, server, &failure, err);
		if (world->sleep(world->context, left_ms < AGAIN_MS ? left_ms : AGAIN_MS, err) < 0)
			return -1;
	}
}

/* One server after the other: one that does not take the certificate stops it all while the others are as before. */
static int settle(const struct run *run, const char *fingerprint, struct err *err)
{
	const struct renew_world *world = run->world;

	for (size_t i = 0; i < world->count; i++)
		if (progress_keep(run->progress, err) < 0 || world->hurry(world->context, i, fingerprint, err) < 0)
			return -1;
	for (size_t i = 0; i < world->count; i++) {
		if (settle_one(run, i, fingerprint, err) < 0)
			return -1;
		progress_tell(run->progress, "%s presents the new certificate", world->server_name(world->context, i));
	}
	return 0;
}

/* --------------------------------------------------------------------------------------------- steps */

static void tell_step(const struct run *run, enum renew_kind kind)
{
	const char *name = run->order->name;

	switch (kind) {
	case RENEW_CERTIFICATE:
		progress_tell(run->progress, "a new certificate is in secret/%s-tls", name);
		break;
	case RENEW_PREPARE:
		progress_tell(run->progress, "the next certificate authority is in secret/%s-ca", name);
		break;
	case RENEW_TRUST_BOTH:
		progress_tell(run->progress, "turn 1 of 3: secret/%s-tls trusts the old authority and the new one",
		              name);
		break;
	case RENEW_USE_NEW:
		progress_tell(run->progress, "turn 2 of 3: secret/%s-tls has a certificate by the new authority", name);
		break;
	case RENEW_TRUST_NEW:
		progress_tell(run->progress, "turn 3 of 3: secret/%s-tls trusts the new authority only", name);
		break;
	case RENEW_ADOPT:
		progress_tell(run->progress, "secret/%s-ca has the new authority; the old one is not needed any more",
		              name);
		break;
	case RENEW_DONE:
	case RENEW_SETTLE:
		break;
	}
}

/* What is there now, and how many seconds it is. */
static int observe(const struct run *run, struct renew_state *state, char **ret_fingerprint, struct err *err)
{
	struct certificate certificate = CERTIFICATE_INIT;

	run->order->now_s = run->world->now_s(run->world->context);
	if (run->world->read(run->world->context, state, err) < 0)
		return -1;
	if (certificate_read(state->certificate, &certificate, err) < 0)
		return err_wrap(err, "secret/%s-tls: tls.crt", run->order->name);
	*ret_fingerprint = TAKE(certificate.fingerprint);
	certificate_release(&certificate);
	run->order->begun |= state->next.certificate != NULL;
	return look(run, *ret_fingerprint, &run->order->settled, err);
}

static int write_one(const struct run *run, const struct renew_step *step, struct err *err)
{
	if (progress_keep(run->progress, err) < 0)
		return -1;
	return run->world->write(run->world->context, step, err);
}

static int do_one(const struct run *run, const struct renew_state *state, const char *fingerprint, bool *ret_done,
                  struct err *err)
{
	struct renew_step step = RENEW_STEP_INIT;
	int status = renew_next(state, run->order, &step, err);

	if (status == 0 && step.kind == RENEW_SETTLE)
		status = settle(run, fingerprint, err);
	else if (status == 0 && step.kind != RENEW_DONE)
		status = write_one(run, &step, err);
	if (status == 0) {
		tell_step(run, step.kind);
		run->order->begun = true;
	}
	*ret_done = step.kind == RENEW_DONE;
	renew_step_release(&step);
	return status;
}

int renew_run(const struct renew_world *world, struct renew_order *order, const struct progress *progress,
              int64_t deadline_ms, struct err *err)
{
	struct run run = { world, order, progress, deadline_ms };
	bool done = false;
	int status = 0;

	order->begun = false;
	while (status == 0 && !done) {
		struct renew_state state = { 0 };
		_cleanup_free_ char *fingerprint = NULL;

		status = observe(&run, &state, &fingerprint, err);
		if (status == 0)
			status = do_one(&run, &state, fingerprint, &done, err);
		renew_state_release(&state);
	}
	return status;
}
