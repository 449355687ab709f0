/* consul/assess.h: certificates, what goes in plain, and tokens. consul/encryption.h: the same in one line. */
#include <criterion/criterion.h>

#include "consul/assess.h"
#include "consul/encryption.h"
#include "sample.h"
#include "util/mem.h"
#include "util/str.h"

#define DAY ((int64_t)86400)

/* The server presents a certificate with so many days left. */
static void present(struct snapshot *snapshot, size_t server, int64_t days, const char *fingerprint)
{
	struct certificate *certificate = &snapshot->servers[server].view.certificate;

	certificate_release(certificate);
	certificate->known = true;
	certificate->not_after = SAMPLE_NOW + days * DAY + 1;
	certificate->not_before = certificate->not_after - 365 * DAY;
	certificate->fingerprint = xstrdup(fingerprint);
	certificate->subject = xstrdup("CN=server.dc1.consul");
	strv_add(&certificate->names, "server.dc1.consul");
	replace_string(&snapshot->servers[server].view.self.datacenter, xstrdup("dc1"));
}

static void present_all(struct snapshot *snapshot, int64_t days)
{
	for (size_t i = 0; i < snapshot->server_count; i++)
		present(snapshot, i, days, "aa");
}

/* As deploy makes them; with its certificates or without. */
static void make_ours(struct snapshot *snapshot, bool has_certificates)
{
	replace_string(&snapshot->set.managed_by, xstrdup("kubectl-consul"));
	if (has_certificates)
		strv_add(&snapshot->set.secrets, "consul-tls");
}

static void set_rpc(struct snapshot *snapshot, size_t server, int64_t outgoing, int64_t incoming)
{
	snapshot->servers[server].view.self.verifies_outgoing = outgoing;
	snapshot->servers[server].view.self.verifies_incoming = incoming;
}

static void set_rpc_all(struct snapshot *snapshot, int64_t outgoing, int64_t incoming)
{
	for (size_t i = 0; i < snapshot->server_count; i++)
		set_rpc(snapshot, i, outgoing, incoming);
}

/* The first finding of this name, and all of them; releases the snapshot. NULL: not compared. */
static void expect_finding(struct snapshot *snapshot, const char *name, const char *message, const char *cause,
                           const char *command, const char *judgement)
{
	struct assessment assessment;
	const struct finding *finding;

	assess(snapshot, &assessment);
	finding = sample_finding(&assessment, name);
	if (message)
		cr_expect_str_eq(finding->message, message);
	if (cause)
		cr_expect_str_eq(finding->cause, cause);
	if (command)
		cr_expect_str_eq(finding->command, command);
	assessment_release(&assessment);
	sample_expect(snapshot, judgement);
}

/* ---------------------------------------------------------------------------------------- certificates */

Test(assess_encryption, certificates_are_told_by_their_days_left)
{
	static const struct {
		int64_t days;
		const char *judgement;
	} cases[] = {
		{ 364, "HEALTHY" },
		{ 30, "HEALTHY" },
		{ 29, "HEALTHY certificate-expires" },
		{ 1, "HEALTHY certificate-expires" },
		{ 0, "HEALTHY certificate-expires" },
		{ -1, "DEGRADED certificate-expired" },
		{ -400, "DEGRADED certificate-expired" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct snapshot snapshot;

		sample_init(&snapshot, 3);
		present_all(&snapshot, cases[i].days);
		sample_expect(&snapshot, cases[i].judgement);
	}
}

Test(assess_encryption, whoever_made_a_certificate_replaces_it)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	make_ours(&snapshot, true);
	present_all(&snapshot, 12);
	expect_finding(&snapshot, "certificate-expires",
	               "the certificate of consul-0, consul-1 and consul-2 expires in 12 days, on 2023-11-26", NULL,
	               "kubectl consul deploy --rotate-certs -n ns", "HEALTHY certificate-expires");
	sample_init(&snapshot, 3);
	present(&snapshot, 2, 1, "cc");
	expect_finding(&snapshot, "certificate-expires", "the certificate of consul-2 expires in 1 day, on 2023-11-15",
	               NULL, "kubectl consul explain certificate-expires", "HEALTHY certificate-expires");
	sample_init(&snapshot, 3);
	make_ours(&snapshot, true);
	present_all(&snapshot, -3);
	expect_finding(&snapshot, "certificate-expired",
	               "the certificate of consul-0, consul-1 and consul-2 expired on 2023-11-11", NULL,
	               "kubectl consul deploy --rotate-certs -n ns", "DEGRADED certificate-expired");
}

Test(assess_encryption, a_rotation_that_is_not_finished)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	make_ours(&snapshot, true);
	present_all(&snapshot, 364);
	present(&snapshot, 0, 12, "old");
	expect_finding(&snapshot, "certificates-differ", "consul-0 does not use the newest certificate yet", NULL,
	               "kubectl consul deploy --rotate-certs -n ns", "HEALTHY certificates-differ");
	sample_init(&snapshot, 3);
	make_ours(&snapshot, true);
	present_all(&snapshot, 12);
	present(&snapshot, 2, 14, "newer");
	expect_finding(&snapshot, "certificates-differ", "consul-0 and consul-1 do not use the newest certificate yet",
	               NULL, NULL, "HEALTHY certificate-expires certificates-differ");
	/* Somebody else's may well have one each. */
	sample_init(&snapshot, 3);
	present_all(&snapshot, 364);
	present(&snapshot, 0, 300, "bb");
	sample_expect(&snapshot, "HEALTHY");
}

Test(assess_encryption, a_certificate_must_name_a_server_where_that_is_verified)
{
	static const struct {
		const char *name;
		int64_t verifies;
		const char *datacenter;
		bool fits;
	} cases[] = {
		{ "server.dc1.consul", 1, "dc1", true },   { "*.dc1.consul", 1, "dc1", true },
		{ "server.dc1.example", 1, "dc1", true },  { "server.dc2.consul", 1, "dc1", false },
		{ "consul.example.com", 1, "dc1", false }, { "consul.example.com", 0, "dc1", true },
		{ "consul.example.com", -1, "dc1", true }, { "consul.example.com", 1, NULL, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct snapshot snapshot;
		struct view *view;

		sample_init(&snapshot, 3);
		present_all(&snapshot, 100);
		view = &snapshot.servers[1].view;
		strv_release(&view->certificate.names);
		view->certificate.names = (struct strv)STRV_INIT;
		strv_add(&view->certificate.names, cases[i].name);
		view->self.verifies_hostname = cases[i].verifies;
		replace_string(&view->self.datacenter, xstrdup_null(cases[i].datacenter));
		if (cases[i].fits)
			sample_expect(&snapshot, "HEALTHY");
		else
			expect_finding(&snapshot, "certificate-name",
			               "the certificate of consul-1 does not name server.dc1.consul", NULL,
			               "kubectl consul explain certificate-name", "HEALTHY certificate-name");
	}
}

/* --------------------------------------------------------------------------------------------- in plain */

Test(assess_encryption, plain_rpc_is_one_warning)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	set_rpc_all(&snapshot, 0, 0);
	expect_finding(&snapshot, "rpc-unencrypted", "RPC and the HTTP API are not encrypted", NULL,
	               "kubectl consul explain rpc-unencrypted", "HEALTHY rpc-unencrypted");
	sample_init(&snapshot, 3);
	set_rpc_all(&snapshot, 0, 0);
	present_all(&snapshot, 100);
	expect_finding(&snapshot, "rpc-unencrypted", "RPC is not encrypted", NULL, NULL, "HEALTHY rpc-unencrypted");
	sample_init(&snapshot, 3);
	make_ours(&snapshot, false);
	set_rpc_all(&snapshot, 0, 0);
	expect_finding(&snapshot, "rpc-unencrypted", NULL, "the cluster was deployed without TLS",
	               "kubectl consul deploy --tls -n ns", "HEALTHY rpc-unencrypted");
}

Test(assess_encryption, servers_that_do_not_tell_are_not_blamed)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	set_rpc_all(&snapshot, -1, -1);
	sample_expect(&snapshot, "HEALTHY");
	sample_init(&snapshot, 3);
	set_rpc_all(&snapshot, 0, 0);
	set_rpc(&snapshot, 1, -1, -1);
	sample_expect(&snapshot, "HEALTHY rpc-unencrypted");
	sample_init(&snapshot, 3);
	set_rpc(&snapshot, 2, 1, -1);
	sample_expect(&snapshot, "HEALTHY");
	sample_init(&snapshot, 3);
	set_rpc_all(&snapshot, 0, 0);
	for (size_t i = 0; i < 3; i++) {
		self_release(&snapshot.servers[i].view.self);
		snapshot.servers[i].view.self_known = false;
	}
	{
		_cleanup_free_ char *judgement = sample_judge(&snapshot);

		cr_expect_null(strstr(judgement, "rpc-"), "%s", judgement);
	}
	snapshot_release(&snapshot);
}

Test(assess_encryption, tls_that_is_not_on_everywhere)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	set_rpc(&snapshot, 0, 1, 0);
	set_rpc(&snapshot, 1, 0, 0);
	expect_finding(&snapshot, "rpc-unverified",
	               "consul-0 and consul-1 still speak or accept plain or unverified RPC", NULL,
	               "kubectl consul explain rpc-unverified", "HEALTHY rpc-unverified");
	sample_init(&snapshot, 3);
	make_ours(&snapshot, true);
	set_rpc(&snapshot, 2, 1, 0);
	expect_finding(&snapshot, "rpc-unverified", "consul-2 still speaks or accepts plain or unverified RPC", NULL,
	               "kubectl consul deploy -n ns", "HEALTHY rpc-unverified");
	/* deploy has begun to turn it on: the certificates are there, and nobody uses them. */
	sample_init(&snapshot, 3);
	make_ours(&snapshot, true);
	set_rpc_all(&snapshot, 0, 0);
	expect_finding(&snapshot, "rpc-unverified", NULL, NULL, "kubectl consul deploy -n ns",
	               "HEALTHY rpc-unverified");
}

/* One cause, told once. */
Test(assess_encryption, tls_that_is_just_being_rolled_out)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	sample_new_template(&snapshot);
	make_ours(&snapshot, true);
	set_rpc(&snapshot, 2, 1, 0);
	sample_expect(&snapshot, "HEALTHY rollout-unfinished");
}

static void expect_line(struct snapshot *snapshot, const char *expected)
{
	struct encryption encryption;
	_cleanup_free_ char *line = NULL;

	encryption_of(snapshot, &encryption);
	line = encryption_line(&encryption);
	cr_expect_str_eq(line ? line : "(nothing)", expected);
	snapshot_release(snapshot);
}

Test(assess_encryption, the_line_says_what_is_known)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	present_all(&snapshot, 364);
	expect_line(&snapshot,
	            "encrypted  gossip \xc2\xb7 RPC, verified both ways \xc2\xb7 HTTPS; certificates: 364 days "
	            "left");
	sample_init(&snapshot, 3);
	present_all(&snapshot, 364);
	present(&snapshot, 1, 1, "bb");
	set_rpc(&snapshot, 1, 1, 0);
	expect_line(&snapshot, "encrypted  gossip \xc2\xb7 RPC in part \xc2\xb7 HTTPS; certificates: 1 day left");
	sample_init(&snapshot, 3);
	set_rpc_all(&snapshot, 0, 0);
	expect_line(&snapshot, "encrypted  gossip; plain: RPC and HTTP API");
	sample_init(&snapshot, 3);
	set_rpc_all(&snapshot, 0, 0);
	for (size_t i = 0; i < 3; i++)
		snapshot.servers[i].view.self.gossip_encrypted = false;
	expect_line(&snapshot, "plain  gossip, RPC and HTTP API");
	sample_init(&snapshot, 3);
	set_rpc_all(&snapshot, -1, -1);
	present_all(&snapshot, -2);
	snapshot.servers[0].view.self.gossip_encrypted = false;
	expect_line(&snapshot, "encrypted  gossip on some servers \xc2\xb7 HTTPS; certificates: expired");
	sample_init(&snapshot, 3);
	for (size_t i = 0; i < 3; i++)
		sample_silence(&snapshot, i, ERR_TIMEOUT, "no answer");
	expect_line(&snapshot, "(nothing)");
}

/* ----------------------------------------------------------------------------------------------- tokens */

static void refuse(struct err *err, const char *words)
{
	err_set(err, ERR_FORBIDDEN, "Consul refuses /v1/x: %s", words);
}

static void refuse_all(struct snapshot *snapshot, const char *words)
{
	for (size_t i = 0; i < snapshot->server_count; i++) {
		_cleanup_free_ char *message = xasprintf("Consul refuses /v1/agent/self: %s", words);

		sample_silence(snapshot, i, ERR_FORBIDDEN, message);
	}
}

#define ALL_RULES                                                                                                      \
	"node_prefix \"\" { policy = \"read\" }, agent_prefix \"\" { policy = \"read\" } and operator = \"read\""

Test(assess_encryption, what_was_refused_names_its_rule)
{
	static const char *const rules[] = { "node_prefix \"\" { policy = \"read\" }",
		                             "agent_prefix \"\" { policy = \"read\" }", "operator = \"read\"" };

	for (size_t plane = 0; plane < 3; plane++) {
		_cleanup_free_ char *cause = xasprintf("the token that was given lacks %s", rules[plane]);
		struct snapshot snapshot;
		struct assessment assessment;

		sample_init(&snapshot, 3);
		snapshot.token.source = TOKEN_GIVEN;
		for (size_t i = 0; i < 3; i++) {
			struct view *view = &snapshot.servers[i].view;

			refuse(plane == 0   ? &view->members_err
			       : plane == 1 ? &view->self_err
			                    : &view->peers_err,
			       "Permission denied");
			view->members_known = plane != 0;
			view->self_known = plane != 1;
			view->peers_known = plane != 2;
		}
		assess(&snapshot, &assessment);
		cr_expect_str_eq(sample_finding(&assessment, "acl-limited")->cause, cause);
		cr_expect_str_eq(sample_finding(&assessment, "acl-limited")->command,
		                 "kubectl consul explain acl-denied");
		assessment_release(&assessment);
		snapshot_release(&snapshot);
	}
}

/* That nobody may say who leads does not mean that nobody leads. */
Test(assess_encryption, a_leader_that_is_hidden_is_not_missing)
{
	struct snapshot snapshot;
	struct assessment assessment;

	sample_init(&snapshot, 3);
	for (size_t i = 0; i < 3; i++) {
		struct view *view = &snapshot.servers[i].view;

		self_release(&view->self);
		view->self = (struct self)SELF_INIT;
		view->self_known = false;
		view_clear_peers(view);
		refuse(&view->self_err, "Permission denied");
		refuse(&view->peers_err, "Permission denied");
	}
	assess(&snapshot, &assessment);
	cr_expect_str_eq(assessment.summary, "3/3 servers answer \xc2\xb7 leader unknown");
	cr_expect_str_eq(sample_finding(&assessment, "raft-unknown")->cause,
	                 "no token, or one that lacks operator = \"read\"");
	assessment_release(&assessment);
	sample_expect(&snapshot, "DEGRADED raft-unknown acl-limited");
}

Test(assess_encryption, a_refusal_says_whose_token_it_was)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	refuse_all(&snapshot, "Permission denied");
	expect_finding(&snapshot, "acl-denied", NULL,
	               "no token was given; --token-file FILE or CONSUL_HTTP_TOKEN gives one, which needs " ALL_RULES,
	               "kubectl consul health --via exec -n ns", "UNKNOWN acl-denied");
	sample_init(&snapshot, 3);
	refuse_all(&snapshot, "Permission denied");
	snapshot.token.source = TOKEN_GIVEN;
	expect_finding(&snapshot, "acl-denied", NULL, "the token that was given lacks " ALL_RULES,
	               "kubectl consul explain acl-denied", "UNKNOWN acl-denied");
	sample_init(&snapshot, 3);
	refuse_all(&snapshot, "ACL not found");
	snapshot.token.source = TOKEN_GIVEN;
	expect_finding(&snapshot, "acl-denied", NULL,
	               "Consul does not know the token that was given: it was deleted, or is another cluster's",
	               "kubectl consul explain acl-denied", "UNKNOWN acl-denied");
	sample_init(&snapshot, 3);
	refuse_all(&snapshot, "ACL not found");
	snapshot.token.source = TOKEN_FOUND;
	expect_finding(
	    &snapshot, "acl-denied", NULL,
	    "Consul does not know the token of secret/consul-acl-bootstrap: ACLs are not set up to the end, or "
	    "were reset; or there has been no leader since it started; without it " ALL_RULES " is refused",
	    "kubectl consul deploy -n ns", "UNKNOWN acl-denied");
}

/* It told about itself to its recovery token. */
static void get_round(struct view *view)
{
	view->peers_source = PEERS_SELF;
	refuse(&view->peers_err, "ACL not found");
}

Test(assess_encryption, a_token_that_is_unknown_for_the_lack_of_a_leader_is_no_finding)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	snapshot.token.source = TOKEN_FOUND;
	sample_no_leader(&snapshot);
	for (size_t i = 0; i < 3; i++)
		get_round(&snapshot.servers[i].view);
	sample_expect(&snapshot, "CRITICAL no-leader");
	/* Nor while it has not caught up with the leader. */
	sample_init(&snapshot, 3);
	snapshot.token.source = TOKEN_FOUND;
	get_round(&snapshot.servers[2].view);
	sample_expect(&snapshot, "HEALTHY");
}

Test(assess_encryption, a_token_that_the_leader_does_not_know_is_unknown)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	snapshot.token.source = TOKEN_FOUND;
	for (size_t i = 0; i < 3; i++)
		get_round(&snapshot.servers[i].view);
	expect_finding(
	    &snapshot, "acl-limited", NULL,
	    "Consul does not know the token of secret/consul-acl-bootstrap: ACLs are not set up to the end, or "
	    "were reset; without it operator = \"read\" is refused",
	    "kubectl consul deploy -n ns", "HEALTHY acl-limited");
}

/* Deployed without a recovery token. */
Test(assess_encryption, a_server_that_refuses_for_the_lack_of_a_leader_is_told_so)
{
	struct snapshot snapshot;

	for (int given = 0; given < 2; given++) {
		sample_init(&snapshot, 3);
		sample_no_leader(&snapshot);
		snapshot.token.source = given ? TOKEN_GIVEN : TOKEN_FOUND;
		sample_silence(&snapshot, 2, ERR_FORBIDDEN, "Consul refuses /v1/agent/self: ACL not found");
		expect_finding(&snapshot, "acl-denied", NULL,
		               given ? "no leader: a server that has had none since it started knows no token, the "
		                       "token that was given neither"
		                     : "no leader: a server that has had none since it started knows no token, the "
		                       "token of secret/consul-acl-bootstrap neither",
		               "kubectl consul health --watch -n ns", "CRITICAL no-leader acl-denied(consul-2)");
	}
}

/* Exec was tried after the tunnel, and may not be: that is not what is in the way. */
Test(assess_encryption, a_refusal_by_tunnel_is_told_without_what_exec_said)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	snapshot.token.source = TOKEN_GIVEN;
	for (size_t i = 0; i < 3; i++)
		sample_silence(
		    &snapshot, i, ERR_FORBIDDEN,
		    "by tunnel: Consul refuses /v1/agent/self: Permission denied; by exec: pods \"consul-0\" is "
		    "forbidden: User \"u\" cannot get resource \"pods/exec\"");
	expect_finding(&snapshot, "acl-denied",
	               "Consul's ACLs refuse to answer on consul-0, consul-1 and consul-2: Consul refuses "
	               "/v1/agent/self: Permission denied",
	               NULL, NULL, "UNKNOWN acl-denied");
}

Test(assess_encryption, a_secret_that_could_not_be_read_is_named)
{
	struct snapshot snapshot;

	sample_init(&snapshot, 3);
	refuse_all(&snapshot, "Permission denied");
	err_set(&snapshot.token.err, ERR_FORBIDDEN,
	        "secrets \"consul-acl-bootstrap\" is forbidden: User \"jane d\" cannot get "
	        "resource \"secrets\"");
	expect_finding(
	    &snapshot, "acl-denied", NULL,
	    "no token was given, and you may not get secret/consul-acl-bootstrap, which has one; --token-file "
	    "FILE or CONSUL_HTTP_TOKEN gives one, which needs " ALL_RULES,
	    "kubectl create role consul-token -n ns --verb=get --resource=secrets "
	    "--resource-name=consul-acl-bootstrap && kubectl create rolebinding consul-token -n ns "
	    "--role=consul-token --user='jane d'",
	    "UNKNOWN acl-denied");
	sample_init(&snapshot, 3);
	refuse_all(&snapshot, "Permission denied");
	err_set(&snapshot.token.err, ERR_NOT_FOUND, "secret/consul-acl-bootstrap has no token yet");
	expect_finding(
	    &snapshot, "acl-denied", NULL,
	    "no token was given, and there is none in Kubernetes: secret/consul-acl-bootstrap has no token yet; "
	    "--token-file FILE or CONSUL_HTTP_TOKEN gives one, which needs " ALL_RULES,
	    "kubectl consul deploy -n ns", "UNKNOWN acl-denied");
}
