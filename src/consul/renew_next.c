/* See renew_parts.h. Every state that a run may have been killed in leads on from here. */
#include "renew_parts.h"

#include "util/mem.h"
#include "util/str.h"

void renew_state_release(struct renew_state *state)
{
	free(state->bundle);
	free(state->certificate);
	key_pair_release(&state->authority);
	key_pair_release(&state->next);
	*state = (struct renew_state){ 0 };
}

void renew_step_release(struct renew_step *step)
{
	free(step->bundle);
	key_pair_release(&step->server);
	key_pair_release(&step->authority);
	key_pair_release(&step->next);
	*step = (struct renew_step)RENEW_STEP_INIT;
}

/* ------------------------------------------------------------------------------------- what is there */

/* What the Secrets say, taken apart. */
struct facts {
	struct certificate server, authority, next, given;
	bool trusts_authority, trusts_next; /* the bundle has all certificates of it */
	bool by_next;                       /* signed the server's certificate */
};

static void facts_release(struct facts *facts)
{
	certificate_release(&facts->server);
	certificate_release(&facts->authority);
	certificate_release(&facts->next);
	certificate_release(&facts->given);
}

/* Whether all certificates of part are in bundle. */
static int is_part(const char *part, const char *bundle, bool *ret, struct err *err)
{
	_cleanup_free_ char *plain = NULL, *both = NULL;

	if (certificate_bundle(bundle, NULL, &plain, err) < 0 || certificate_bundle(bundle, part, &both, err) < 0)
		return -1;
	*ret = str_equal(plain, both);
	return 0;
}

/* At the time it was made: whether it is too old now is another question. */
static bool is_signed_by(const struct certificate *certificate, const char *pem, const char *authority)
{
	_cleanup_err_ struct err reason = ERR_INIT;

	return certificate_verify(pem, authority, certificate->not_before, &reason) == 0;
}

static int read_next(const struct renew_state *state, struct facts *facts, struct err *err)
{
	if (!state->next.certificate)
		return 0;
	if (certificate_read(state->next.certificate, &facts->next, err) < 0 ||
	    is_part(state->next.certificate, state->bundle, &facts->trusts_next, err) < 0)
		return err_wrap(err, "the next authority");
	facts->by_next = is_signed_by(&facts->server, state->certificate, state->next.certificate);
	return 0;
}

static int read_facts(const struct renew_state *state, const struct renew_request *request, struct facts *facts,
                      struct err *err)
{
	if (certificate_read(state->certificate, &facts->server, err) < 0)
		return err_wrap(err, "the servers' certificate");
	if (certificate_read(state->authority.certificate, &facts->authority, err) < 0 ||
	    is_part(state->authority.certificate, state->bundle, &facts->trusts_authority, err) < 0)
		return err_wrap(err, "the authority in use");
	if (request->authority && certificate_read(request->authority->certificate, &facts->given, err) < 0)
		return err_wrap(err, "the authority that is given");
	return read_next(state, facts, err);
}

static bool is_same(const struct certificate *a, const struct certificate *b)
{
	return a->known && b->known && str_equal(a->fingerprint, b->fingerprint);
}

/* The key that is stored, or one that the user gives; borrowed. */
static int find_key(const struct key_pair *stored, const struct certificate *is, const struct facts *facts,
                    const struct renew_request *request, const char *which, struct key_pair *ret, struct err *err)
{
	*ret = *stored;
	if (!ret->key && is_same(is, &facts->given))
		ret->key = request->authority->key;
	if (!ret->key && is_same(is, &facts->authority))
		ret->key = (char *)(uintptr_t)request->key_in_use;
	if (ret->key)
		return 0;
	err_set(err, ERR_REFUSED, "the key of %s (%s) is not in its Secret, and was not given", which, is->subject);
	if (is_same(is, &facts->authority) && request->new_authority)
		return err_hint(err,
		                "whoever keeps it gives it with --tls-ca-key-in-use: it signs the certificate that "
		                "everybody trusts until the new authority is known everywhere");
	return err_hint(err, "whoever keeps it gives both: --tls-ca-cert and --tls-ca-key");
}

/* A key that is not the authority's would sign certificates that nobody trusts. */
static int check_key_in_use(const struct renew_state *state, const struct renew_order *order, struct err *err)
{
	struct key_pair pair = KEY_PAIR_INIT;
	int status;

	if (!order->request->key_in_use || state->authority.key)
		return 0;
	status =
	    certificate_read_authority(state->authority.certificate, "the authority in use", order->request->key_in_use,
	                               "--tls-ca-key-in-use", order->now_s, &pair, err);
	key_pair_release(&pair);
	return status;
}

/* ------------------------------------------------------------------------------------ what is made */

static int issue(const struct key_pair *authority, const struct renew_order *order, struct key_pair *ret,
                 struct err *err)
{
	_cleanup_strv_ struct strv names = STRV_INIT, addresses = STRV_INIT;
	_cleanup_free_ char *common_name = xasprintf("server.%s.consul", order->request->datacenter);
	struct certificate_request request = {
		.common_name = common_name, .names = &names, .addresses = &addresses, .days = CERTIFICATE_SERVER_DAYS
	};

	certificate_server_names(order->request->datacenter, order->name, order->namespace_name,
	                         order->request->cluster_domain, &names, &addresses);
	return certificate_issue(authority, &request, order->now_s, ret, err);
}

/* NAME-tls: a bundle of these two, and a certificate by signer. */
static int make(enum renew_kind kind, const char *bundle, const char *more, const struct key_pair *signer,
                const struct renew_order *order, struct renew_step *step, struct err *err)
{
	step->kind = kind;
	if (certificate_bundle(bundle, more, &step->bundle, err) < 0)
		return -1;
	return issue(signer, order, &step->server, err);
}

/* Its key is kept only if it is not the user's. */
static int prepare(const struct renew_order *order, struct renew_step *step, struct err *err)
{
	const struct key_pair *given = order->request->authority;
	_cleanup_free_ char *name = xasprintf("%s.%s CA", order->name, order->namespace_name);

	step->kind = RENEW_PREPARE;
	if (!given)
		return certificate_make_authority(name, order->now_s, CERTIFICATE_AUTHORITY_DAYS, &step->next, err);
	step->next.certificate = xstrdup(given->certificate);
	return 0;
}

/* ---------------------------------------------------------------------------------- what comes next */

/* Whoever was trusted is trusted still. */
static int trust_both(const struct renew_state *state, const struct renew_order *order, const struct facts *facts,
                      struct renew_step *step, struct err *err)
{
	_cleanup_free_ char *both = NULL;
	struct key_pair signer;

	if (find_key(&state->authority, &facts->authority, facts, order->request, "the authority in use", &signer,
	             err) < 0 ||
	    certificate_bundle(state->authority.certificate, state->next.certificate, &both, err) < 0)
		return -1;
	return make(RENEW_TRUST_BOTH, state->bundle, both, &signer, order, step, err);
}

/* Before turn 2 there is a way back: every server's certificate is by the authority in use. */
static int hint_to_give_up(const struct renew_order *order, struct err *err)
{
	_cleanup_free_ char *usual = TAKE(err->hint);

	return err_hint(
	    err,
	    "%s\nif it is lost, this gives the change up (nothing is signed by it yet): kubectl patch secret "
	    "%s-ca -n %s --type=json -p '[{\"op\":\"remove\",\"path\":\"/data/next.crt\"}]'",
	    usual, order->name, order->namespace_name);
}

/*
 * A change of authority is under way. The bundle says whom everybody trusts once all are settled, the certificate which
 * turn was written last; nothing that is not trusted by all may be presented by one.
 */
static int go_on(const struct renew_state *state, const struct renew_order *order, const struct facts *facts,
                 struct renew_step *step, struct err *err)
{
	const struct renew_request *request = order->request;
	struct key_pair signer;

	if (facts->given.known && !is_same(&facts->given, &facts->next) && !is_same(&facts->given, &facts->authority)) {
		err_set(err, ERR_REFUSED, "a change to another authority (%s, fingerprint %.16s) is under way",
		        facts->next.subject, facts->next.fingerprint);
		return err_hint(err, "run it without an authority, or with that one, to bring it to its end first");
	}
	if (!facts->trusts_next || (!facts->trusts_authority && !facts->by_next))
		return trust_both(state, order, facts, step, err);
	if (!order->settled) {
		step->kind = RENEW_SETTLE;
		return 0;
	}
	if (!facts->trusts_authority) {
		step->kind = RENEW_ADOPT;
		step->authority.certificate = xstrdup(state->next.certificate);
		step->authority.key = xstrdup_null(state->next.key);
		return 0;
	}
	if (find_key(&state->next, &facts->next, facts, request, "the next authority", &signer, err) < 0)
		return facts->by_next ? -1 : hint_to_give_up(order, err);
	if (!facts->by_next)
		return make(RENEW_USE_NEW, state->bundle, NULL, &signer, order, step, err);
	return make(RENEW_TRUST_NEW, state->next.certificate, NULL, &signer, order, step, err);
}

/* What an earlier run left behind is worth being brought to its end, and not begun anew. */
static bool is_fresh(const struct facts *facts, const struct renew_order *order)
{
	return certificate_days_left(&facts->server, order->now_s) >= CERTIFICATE_WARN_DAYS;
}

static int check_fit(const struct renew_state *state, const struct renew_order *order, const struct facts *facts,
                     struct err *err)
{
	const struct renew_request *request = order->request;

	if (!facts->trusts_authority) {
		err_set(err, ERR_REFUSED, "ca.crt of secret/%s-tls has not the authority of secret/%s-ca", order->name,
		        order->name);
		return err_hint(err, "somebody changed one of them by hand: put the authority that signed tls.crt of "
		                     "the first into tls.crt of the second");
	}
	if (!is_signed_by(&facts->server, state->certificate, state->authority.certificate))
		return err_set(err, ERR_REFUSED, "tls.crt of secret/%s-tls is not by the authority of secret/%s-ca",
		               order->name, order->name);
	if (!request->new_authority && facts->given.known && !is_same(&facts->given, &facts->authority))
		return err_set(err, ERR_REFUSED, "the authority that is given (%s) is not the one in use (%s)",
		               facts->given.subject, facts->authority.subject);
	return 0;
}

static int begin(const struct renew_state *state, const struct renew_order *order, const struct facts *facts,
                 struct renew_step *step, struct err *err)
{
	const struct renew_request *request = order->request;
	struct key_pair signer;

	if (check_fit(state, order, facts, err) < 0)
		return -1;
	if (order->begun || (!request->new_authority && !order->settled && is_fresh(facts, order))) {
		step->kind = order->settled ? RENEW_DONE : RENEW_SETTLE;
		return 0;
	}
	/* For turn 1 too: it is asked for before anything is written. */
	if (find_key(&state->authority, &facts->authority, facts, request, "the authority in use", &signer, err) < 0)
		return -1;
	if (request->new_authority && !is_same(&facts->given, &facts->authority))
		return prepare(order, step, err);
	return make(RENEW_CERTIFICATE, state->bundle, NULL, &signer, order, step, err);
}

int renew_next(const struct renew_state *state, const struct renew_order *order, struct renew_step *ret_step,
               struct err *err)
{
	struct renew_step step = RENEW_STEP_INIT;
	struct facts facts = { 0 };
	int status = read_facts(state, order->request, &facts, err);

	if (status == 0)
		status = check_key_in_use(state, order, err);
	if (status == 0)
		status = state->next.certificate ? go_on(state, order, &facts, &step, err)
		                                 : begin(state, order, &facts, &step, err);
	facts_release(&facts);
	if (status < 0) {
		renew_step_release(&step);
		return -1;
	}
	*ret_step = step;
	return 0;
}
