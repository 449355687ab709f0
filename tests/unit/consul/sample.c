#include "sample.h"

#include <stdio.h>

#include <criterion/criterion.h>

#include "util/buf.h"
#include "util/mem.h"

static struct kube_container *add_container(struct kube_container **containers, size_t *count)
{
	*containers = xcalloc(1, sizeof(**containers));
	*count = 1;
	(*containers)[0].name = xstrdup("consul");
	(*containers)[0].image = xstrdup("hashicorp/consul:1.21");
	return *containers;
}

/* index: of the name, the address and the node. */
static void fill_pod(struct server *server, size_t index)
{
	struct kube_pod *pod = &server->pod;
	struct kube_container *container = add_container(&pod->containers, &pod->container_count);

	pod->name = xstrdup(server->name);
	pod->uid = xasprintf("uid-%zu", index);
	pod->phase = xstrdup("Running");
	pod->node = xasprintf("node-%zu", index);
	pod->ip = xasprintf("10.0.0.%zu", 10 + index);
	pod->created_at = SAMPLE_NOW - 86400;
	pod->ready = true;
	container->ready = container->running = true;
	container->started_at = SAMPLE_NOW - 86400;
	server->container = container;
	server->has_pod = true;
}

static void add_member(struct view *view, const char *name, const char *ip, const char *id, enum member_status status,
                       bool is_server)
{
	struct member *member;

	view->members = xreallocarray(view->members, view->member_count + 1, sizeof(*view->members));
	member = &view->members[view->member_count++];
	*member = (struct member){ .port = 8301, .status = status, .is_server = is_server, .protocol = 2, .expect = 3 };
	member->name = xstrdup(name);
	member->address = xstrdup(ip);
	member->id = xstrdup_null(id);
	member->version = xstrdup("1.21.0");
	member->datacenter = xstrdup("dc1");
}

static void add_peer(struct view *view, const char *name, const char *ip, const char *id, bool voter, bool leader)
{
	struct peer *peer;

	view->peers = xreallocarray(view->peers, view->peer_count + 1, sizeof(*view->peers));
	peer = &view->peers[view->peer_count++];
	*peer = (struct peer){ .voter = voter, .leader = leader, .protocol = 3 };
	peer->name = xstrdup_null(name);
	peer->address = xasprintf("%s:8300", ip);
	peer->id = xstrdup_null(id);
}

static void fill_view(struct view *view, const char *name, size_t index, size_t first, size_t servers)
{
	view->way = ASK_TUNNEL;
	for (size_t i = first; i < first + servers; i++) {
		_cleanup_free_ char *other = xasprintf("consul-%zu", i), *ip = xasprintf("10.0.0.%zu", 10 + i);
		_cleanup_free_ char *id = xasprintf("id-%zu", i);

		add_member(view, other, ip, id, MEMBER_ALIVE, true);
		add_peer(view, other, ip, id, true, i == first);
	}
	view->members_known = view->peers_known = view->self_known = true;
	view->peers_source = PEERS_RAFT;
	view->self = (struct self){ .is_server = true,
		                    .role = index == first ? RAFT_LEADER : RAFT_FOLLOWER,
		                    .term = 3,
		                    .last_log_index = 1000,
		                    .commit_index = 1000,
		                    .applied_index = 1000,
		                    .last_contact_ms = index == first ? 0 : 40,
		                    .gossip_known = true,
		                    .gossip_encrypted = true,
		                    .leave_on_terminate = 1,
		                    .verifies_outgoing = 1,
		                    .verifies_incoming = 1,
		                    .verifies_hostname = 1,
		                    .acls_enabled = -1 };
	view->self.name = xstrdup(name);
	view->self.id = xasprintf("id-%zu", index);
	view->self.version = xstrdup("1.21.0");
	view->self.leader_address = xasprintf("10.0.0.%zu:8300", 10 + first);
}

void sample_init(struct snapshot *snapshot, size_t servers)
{
	sample_init_from(snapshot, 0, servers);
}

void sample_init_from(struct snapshot *snapshot, size_t first, size_t servers)
{
	*snapshot = (struct snapshot)SNAPSHOT_INIT;
	snapshot->namespace_name = xstrdup("ns");
	snapshot->taken_at = SAMPLE_NOW;
	snapshot->set.name = xstrdup("consul");
	snapshot->set.pod_management = xstrdup("Parallel");
	snapshot->set.selector = xstrdup("app=consul");
	snapshot->set.selector_exact = true;
	snapshot->set.replicas = (int64_t)servers;
	snapshot->set.ordinal_start = (int64_t)first;
	strv_add(&snapshot->set.claim_templates, "data");
	snapshot->claims_known = snapshot->budget.known = snapshot->budget.exists = true;
	snapshot->autopilot.known = true;
	snapshot->budget.budget.name = xstrdup("consul");
	snapshot->budget.budget.max_unavailable = xstrdup("1");
	snapshot->servers = xcalloc(servers, sizeof(*snapshot->servers));
	snapshot->server_count = servers;
	for (size_t i = 0; i < servers; i++) {
		snapshot->servers[i].name = xasprintf("consul-%zu", first + i);
		snapshot->servers[i].ordinal = (int64_t)(first + i);
		fill_pod(&snapshot->servers[i], first + i);
		fill_view(&snapshot->servers[i].view, snapshot->servers[i].name, first + i, first, servers);
	}
}

void sample_silence(struct snapshot *snapshot, size_t server, enum err_kind kind, const char *message)
{
	struct view *view = &snapshot->servers[server].view;
	enum ask_way way = view->way;

	view_release(view);
	view->way = way;
	err_set(&view->self_err, kind, "%s", message);
	err_set(&view->members_err, kind, "%s", message);
	err_set(&view->peers_err, kind, "%s", message);
}

void sample_lose_pod(struct snapshot *snapshot, size_t server)
{
	struct server *lost = &snapshot->servers[server];

	kube_pod_release(&lost->pod);
	lost->pod = (struct kube_pod)KUBE_POD_INIT;
	lost->container = NULL;
	lost->has_pod = false;
	sample_silence(snapshot, server, ERR_NOT_FOUND, "there is no pod");
	sample_see(snapshot, -1, lost->name, MEMBER_FAILED);
}

void sample_stop(struct snapshot *snapshot, size_t server, const char *waiting_reason)
{
	struct server *stopped = &snapshot->servers[server];
	struct kube_container *container = &stopped->pod.containers[0];

	container->running = container->ready = stopped->pod.ready = false;
	container->started_at = 0;
	container->restarts = 4;
	replace_string(&container->waiting_reason, xstrdup_null(waiting_reason));
	replace_string(&container->terminated_reason, waiting_reason ? NULL : xstrdup("Error"));
	container->was_terminated = true;
	container->last_exit_code = 1;
	container->last_finished_at = SAMPLE_NOW - 40;
	sample_silence(snapshot, server, ERR_UNAVAILABLE, "the container is not running");
	sample_see(snapshot, -1, stopped->name, MEMBER_FAILED);
}

void sample_see(struct snapshot *snapshot, int viewer, const char *name, enum member_status status)
{
	for (size_t i = 0; i < snapshot->server_count; i++) {
		struct view *view = &snapshot->servers[i].view;

		for (size_t k = 0; k < view->member_count && (viewer < 0 || viewer == (int)i); k++)
			if (str_equal(view->members[k].name, name))
				view->members[k].status = status;
	}
}

void sample_add_member(struct snapshot *snapshot, const char *name, const char *ip, enum member_status status,
                       bool is_server)
{
	for (size_t i = 0; i < snapshot->server_count; i++)
		if (snapshot->servers[i].view.members_known)
			add_member(&snapshot->servers[i].view, name, ip, NULL, status, is_server);
}

void sample_forget_member(struct snapshot *snapshot, int viewer, const char *name)
{
	for (size_t i = 0; i < snapshot->server_count; i++) {
		struct view *view = &snapshot->servers[i].view;

		for (size_t k = 0; k < view->member_count && (viewer < 0 || viewer == (int)i); k++) {
			if (!str_equal(view->members[k].name, name))
				continue;
			member_release(&view->members[k]);
			view->members[k] = view->members[--view->member_count];
		}
	}
}

void sample_add_peer(struct snapshot *snapshot, const char *name, const char *ip, bool voter)
{
	for (size_t i = 0; i < snapshot->server_count; i++)
		if (snapshot->servers[i].view.peers_known)
			add_peer(&snapshot->servers[i].view, name, ip, NULL, voter, false);
}

void sample_forget_peer(struct snapshot *snapshot, int viewer, const char *name)
{
	for (size_t i = 0; i < snapshot->server_count; i++) {
		struct view *view = &snapshot->servers[i].view;

		for (size_t k = 0; k < view->peer_count && (viewer < 0 || viewer == (int)i); k++) {
			if (!str_equal(view->peers[k].name, name))
				continue;
			peer_release(&view->peers[k]);
			view->peers[k] = view->peers[--view->peer_count];
		}
	}
}

void sample_set_voter(struct snapshot *snapshot, int viewer, const char *name, bool voter)
{
	for (size_t i = 0; i < snapshot->server_count; i++) {
		struct view *view = &snapshot->servers[i].view;

		for (size_t k = 0; k < view->peer_count && (viewer < 0 || viewer == (int)i); k++)
			if (str_equal(view->peers[k].name, name))
				view->peers[k].voter = voter;
	}
}

void sample_set_leader(struct snapshot *snapshot, int viewer, const char *address)
{
	for (size_t i = 0; i < snapshot->server_count; i++) {
		struct view *view = &snapshot->servers[i].view;

		if (viewer >= 0 && viewer != (int)i)
			continue;
		replace_string(&view->self.leader_address, xstrdup_null(address));
		for (size_t k = 0; k < view->peer_count; k++)
			view->peers[k].leader = str_equal(view->peers[k].address, address);
	}
}

void sample_no_leader(struct snapshot *snapshot)
{
	sample_set_leader(snapshot, -1, NULL);
	for (size_t i = 0; i < snapshot->server_count; i++) {
		snapshot->servers[i].view.self.role = RAFT_CANDIDATE;
		snapshot->servers[i].view.self.last_contact_ms = 30000;
	}
}

void sample_set_replicas(struct snapshot *snapshot, int64_t replicas)
{
	snapshot->set.replicas = replicas;
}

void sample_scale(struct snapshot *snapshot, size_t replicas, enum member_status status)
{
	sample_set_replicas(snapshot, (int64_t)replicas);
	for (size_t i = replicas; i < snapshot->server_count; i++) {
		struct server *server = &snapshot->servers[i];

		sample_see(snapshot, -1, server->name, status);
		free(server->name);
		kube_pod_release(&server->pod);
		view_release(&server->view);
	}
	snapshot->server_count = replicas;
}

void sample_leave(struct snapshot *snapshot, size_t server)
{
	sample_see(snapshot, -1, snapshot->servers[server].name, MEMBER_LEFT);
	sample_forget_peer(snapshot, -1, snapshot->servers[server].name);
}

void sample_lead(struct snapshot *snapshot, size_t server)
{
	_cleanup_free_ char *address = xasprintf("%s:8300", snapshot->servers[server].pod.ip);

	sample_set_leader(snapshot, -1, address);
	for (size_t i = 0; i < snapshot->server_count; i++) {
		snapshot->servers[i].view.self.role = i == server ? RAFT_LEADER : RAFT_FOLLOWER;
		snapshot->servers[i].view.self.last_contact_ms = i == server ? 0 : 40;
	}
}

void sample_set_version(struct snapshot *snapshot, const char *version)
{
	for (size_t i = 0; i < snapshot->server_count; i++)
		replace_string(&snapshot->servers[i].view.self.version, xstrdup_null(version));
}

void sample_set_leave_on_terminate(struct snapshot *snapshot, int64_t leave_on_terminate)
{
	for (size_t i = 0; i < snapshot->server_count; i++)
		snapshot->servers[i].view.self.leave_on_terminate = leave_on_terminate;
}

void sample_set_min_quorum(struct snapshot *snapshot, int64_t min_quorum)
{
	snapshot->autopilot.known = snapshot->autopilot.has_min_quorum = snapshot->autopilot.cleans_up = true;
	snapshot->autopilot.min_quorum = min_quorum;
}

void sample_set_expect(struct snapshot *snapshot, int64_t expect, bool can_change)
{
	snapshot->expect = (struct expect_state){ .known = true, .expect = expect, .can_change = can_change };
}

struct kube_claim *sample_add_claim(struct snapshot *snapshot, const char *name, int64_t age_s)
{
	struct kube_claim *claim;

	snapshot->claims = xreallocarray(snapshot->claims, snapshot->claim_count + 1, sizeof(*snapshot->claims));
	claim = &snapshot->claims[snapshot->claim_count++];
	*claim = (struct kube_claim)KUBE_CLAIM_INIT;
	claim->name = xstrdup(name);
	claim->uid = xasprintf("uid-%s", name);
	claim->phase = xstrdup("Bound");
	claim->created_at = age_s > 0 ? snapshot->taken_at - age_s : 0;
	return claim;
}

void sample_roll(struct snapshot *snapshot, size_t old_server)
{
	replace_string(&snapshot->set.update_revision, xstrdup("new"));
	for (size_t i = 0; i < snapshot->server_count; i++)
		replace_string(&snapshot->servers[i].pod.revision, xstrdup(i == old_server ? "old" : "new"));
}

void sample_new_template(struct snapshot *snapshot)
{
	sample_roll(snapshot, 0);
	for (size_t i = 0; i < snapshot->server_count; i++)
		replace_string(&snapshot->servers[i].pod.revision, xstrdup("old"));
	replace_string(&snapshot->set.update_strategy, xstrdup("OnDelete"));
	replace_string(&snapshot->set.managed_by, xstrdup("kubectl-consul"));
}

void sample_renew(struct snapshot *snapshot, size_t server)
{
	replace_string(&snapshot->servers[server].pod.revision, xstrdup("new"));
	replace_string(&snapshot->servers[server].pod.uid, xasprintf("uid-new-%zu", server));
}

void sample_call_node(struct snapshot *snapshot, size_t server, const char *name)
{
	const char *former = snapshot->servers[server].name;

	for (size_t i = 0; i < snapshot->server_count; i++) {
		struct view *view = &snapshot->servers[i].view;

		for (size_t k = 0; k < view->member_count; k++)
			if (str_equal(view->members[k].name, former))
				replace_string(&view->members[k].name, xstrdup(name));
		for (size_t k = 0; k < view->peer_count; k++)
			if (str_equal(view->peers[k].name, former))
				replace_string(&view->peers[k].name, xstrdup(name));
		if (i == server && view->self_known)
			replace_string(&view->self.name, xstrdup(name));
	}
}

void sample_never_ran(struct snapshot *snapshot, size_t server, const char *reason)
{
	struct kube_pod *pod = &snapshot->servers[server].pod;
	struct kube_container *container = &pod->containers[0];

	sample_stop(snapshot, server, reason ? reason : "");
	container->restarts = container->last_exit_code = container->last_finished_at = 0;
	container->was_terminated = false;
	replace_string(&pod->phase, xstrdup("Pending"));
	if (reason)
		return;
	replace_string(&container->waiting_reason, NULL);
	replace_string(&pod->node, NULL);
	replace_string(&pod->ip, NULL);
	replace_string(&pod->unscheduled_message, xstrdup("0/1 nodes are available"));
}

char *sample_judge(const struct snapshot *snapshot)
{
	struct assessment assessment;
	struct buf out = BUF_TEXT;

	assess(snapshot, &assessment);
	buf_adds(&out, verdict_name(assessment.verdict));
	for (size_t i = 0; i < assessment.findings.count; i++) {
		const struct finding *finding = &assessment.findings.items[i];

		buf_addf(&out, " %s", finding->kind->name);
		if (finding->server)
			buf_addf(&out, "(%s)", finding->server);
		cr_expect(!str_is_empty(finding->message) && !strchr(finding->message, '\n'), "%s",
		          finding->kind->name);
		cr_expect(!finding->command || !strchr(finding->command, '\n'));
	}
	assessment_release(&assessment);
	return buf_detach(&out);
}

void sample_expect(struct snapshot *snapshot, const char *judgement)
{
	_cleanup_free_ char *got = sample_judge(snapshot);

	cr_expect_str_eq(got, judgement, "got      %s\n  expected %s", got, judgement);
	snapshot_release(snapshot);
}

const struct finding *sample_finding(const struct assessment *assessment, const char *name)
{
	for (size_t i = 0; i < assessment->findings.count; i++)
		if (str_equal(assessment->findings.items[i].kind->name, name))
			return &assessment->findings.items[i];
	cr_assert_fail("no finding %s", name);
	return NULL;
}
