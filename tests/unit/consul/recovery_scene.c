#include "recovery_scene.h"

#include <fnmatch.h>
#include <stdio.h>

#include <criterion/criterion.h>

#include "util/buf.h"
#include "util/mem.h"

void recovery_scene_begin(struct recovery_scene *scene, size_t servers)
{
	*scene = (struct recovery_scene){ .recovery = RECOVERY_INIT };
	sample_init(&scene->snapshot, servers);
	sample_no_leader(&scene->snapshot);
	for (size_t i = 0; i < servers; i++) {
		_cleanup_free_ char *claim = xasprintf("data-consul-%zu", i);
		struct view *view = &scene->snapshot.servers[i].view;

		sample_add_claim(&scene->snapshot, claim, 86400);
		view->peers_source = PEERS_SELF;
		view->self.last_log_term = 3;
		view->self.last_contact_ms = 60000;
		for (size_t k = 0; k < view->peer_count; k++) {
			view->peers[k].protocol = 0;
			replace_string(&view->peers[k].name, NULL);
		}
		scene->remains[i] =
		    (struct remains){ .known = true, .has_raft = true, .raft_bytes = 4096, .writable = true };
		scene->remains[i].node_id = xasprintf("id-%zu", i);
		scene->remains[i].data_dir = xstrdup("/consul/data");
	}
}

void recovery_scene_end(struct recovery_scene *scene)
{
	recovery_release(&scene->recovery);
	for (size_t i = 0; i < SCENE_SERVERS_MAX; i++)
		remains_release(&scene->remains[i]);
	snapshot_release(&scene->snapshot);
}

static void drop_claim(struct recovery_scene *scene, size_t server)
{
	_cleanup_free_ char *name = xasprintf("data-consul-%zu", server);
	struct snapshot *snapshot = &scene->snapshot;

	for (size_t i = 0; i < snapshot->claim_count; i++) {
		if (!str_equal(snapshot->claims[i].name, name))
			continue;
		kube_claim_release(&snapshot->claims[i]);
		snapshot->claims[i] = snapshot->claims[--snapshot->claim_count];
	}
}

void recovery_scene_empty(struct recovery_scene *scene, size_t server)
{
	struct view *view = &scene->snapshot.servers[server].view;
	_cleanup_free_ char *claim = xasprintf("data-consul-%zu", server);

	view_clear_peers(view);
	view->peers_known = true;
	view->peers_source = PEERS_SELF;
	view->self.last_log_index = view->self.last_log_term = 0;
	view->self.last_contact_ms = -1;
	replace_string(&view->self.id, xasprintf("new-%zu", server));
	replace_string(&scene->remains[server].node_id, xasprintf("new-%zu", server));
	scene->remains[server].has_raft = false;
	drop_claim(scene, server);
	sample_add_claim(&scene->snapshot, claim, 40);
}

void recovery_scene_log(struct recovery_scene *scene, size_t server, uint64_t term, uint64_t index)
{
	scene->snapshot.servers[server].view.self.last_log_term = term;
	scene->snapshot.servers[server].view.self.last_log_index = index;
}

void recovery_scene_silence(struct recovery_scene *scene, size_t server)
{
	sample_silence(&scene->snapshot, server, ERR_FORBIDDEN, "ACL not found");
}

static void forget_remains(struct recovery_scene *scene, size_t server)
{
	remains_release(&scene->remains[server]);
	scene->remains[server] = (struct remains)REMAINS_INIT;
	err_set(&scene->remains[server].err, ERR_NOT_FOUND, "there is no container that runs");
}

void recovery_scene_stop(struct recovery_scene *scene, size_t server, enum remains_trouble trouble)
{
	sample_stop(&scene->snapshot, server, "CrashLoopBackOff");
	forget_remains(scene, server);
	scene->remains[server].trouble = trouble;
	scene->remains[server].last_words = xstrdup("it says why");
}

void recovery_scene_lose(struct recovery_scene *scene, size_t server, int64_t claim_age_s)
{
	_cleanup_free_ char *claim = xasprintf("data-consul-%zu", server);

	sample_lose_pod(&scene->snapshot, server);
	forget_remains(scene, server);
	drop_claim(scene, server);
	if (claim_age_s > 0)
		sample_add_claim(&scene->snapshot, claim, claim_age_s);
}

void recovery_scene_forget(struct recovery_scene *scene)
{
	for (size_t i = 0; i < scene->snapshot.server_count; i++) {
		const struct server *server = &scene->snapshot.servers[i];

		if (!server->view.self_known || server->view.peer_count == 0)
			sample_forget_member(&scene->snapshot, -1, server->name);
	}
}

void recovery_scene_peers(struct recovery_scene *scene, size_t server, const char *peers)
{
	struct view *view = &scene->snapshot.servers[server].view;

	view_clear_peers(view);
	view->peers_known = true;
	view->peers_source = PEERS_SELF;
	view->peer_count = strlen(peers);
	view->peers = xcalloc(view->peer_count, sizeof(*view->peers));
	for (size_t i = 0; i < view->peer_count; i++) {
		view->peers[i].voter = true;
		view->peers[i].id = xasprintf("id-%c", peers[i]);
		view->peers[i].address = xasprintf("10.0.0.%d:8300", 10 + peers[i] - '0');
	}
}

char *recovery_scene_judge(struct recovery_scene *scene)
{
	struct recovery *recovery = &scene->recovery;
	struct buf out = BUF_TEXT;

	recovery_release(recovery);
	recovery_plan(&scene->snapshot, scene->remains, &scene->options, recovery);
	if (recovery->kind == RECOVERY_REFUSED)
		buf_adds(&out, recovery->forceable ? "FORCE" : "NO");
	else
		buf_adds(&out, recovery->kind == RECOVERY_GO ? "GO" : "TIDY");
	for (size_t i = 0; i < recovery->count; i++)
		buf_addf(&out, " %s:%s", recovery->servers[i].name, fate_name(recovery->servers[i].fate));
	cr_expect_eq(recovery->text != NULL, recovery->kind == RECOVERY_REFUSED);
	cr_expect(recovery->peers_json ? recovery->kind != RECOVERY_REFUSED : recovery->kind != RECOVERY_GO);
	return buf_detach(&out);
}

void recovery_scene_expect(struct recovery_scene *scene, const char *judgement)
{
	_cleanup_free_ char *got = recovery_scene_judge(scene);

	cr_expect_str_eq(got, judgement, "got      %s\n  expected %s\n%s", got, judgement,
	                 scene->recovery.text ? scene->recovery.text : "");
}

void recovery_scene_text(const struct recovery_scene *scene, const char *pattern)
{
	const char *text = scene->recovery.text ? scene->recovery.text : "";

	cr_expect_eq(fnmatch(pattern, text, FNM_NOESCAPE), 0, "got      %s\n  expected %s", text, pattern);
}

bool recovery_scene_is_noted(const struct recovery_scene *scene, const char *text)
{
	for (size_t i = 0; i < scene->recovery.notes.count; i++)
		if (strstr(scene->recovery.notes.items[i], text))
			return true;
	return false;
}
