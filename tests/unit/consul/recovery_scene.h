/*
 * A cluster without a leader (sample.h) and what is in its servers' data directories: what the tests of recovery start from.
 *
 * Every server runs with all of the log (term 3, index 1000), on a claim that is a day old; all heard a leader a minute ago.
 */
#ifndef TEST_RECOVERY_SCENE_H
#define TEST_RECOVERY_SCENE_H

#include "consul/recovery.h"
#include "sample.h"

#define SCENE_SERVERS_MAX 8

struct recovery_scene {
	struct snapshot snapshot;
	struct remains remains[SCENE_SERVERS_MAX];
	struct recovery_options options;
	struct recovery recovery;
};

void recovery_scene_begin(struct recovery_scene *scene, size_t servers);
void recovery_scene_end(struct recovery_scene *scene);

/* The server was made anew on a new claim: another id, no data. */
void recovery_scene_empty(struct recovery_scene *scene, size_t server);

/* Its log ends there. */
void recovery_scene_log(struct recovery_scene *scene, size_t server, uint64_t term, uint64_t index);

/* Its agent does not tell anything. */
void recovery_scene_silence(struct recovery_scene *scene, size_t server);

/* Its container waits; trouble: what its last words mean. */
void recovery_scene_stop(struct recovery_scene *scene, size_t server, enum remains_trouble trouble);

/* It has no pod, and this claim: its age in seconds; 0: none. */
void recovery_scene_lose(struct recovery_scene *scene, size_t server, int64_t claim_age_s);

/* Gossip has forgotten all but who runs with data, as after a restart. */
void recovery_scene_forget(struct recovery_scene *scene);

/* Its raft peers are these only: letters of server numbers ("02"), 'x' for strangers' ids. */
void recovery_scene_peers(struct recovery_scene *scene, size_t server, const char *peers);

/* Plans; then "GO consul-0:remains consul-1:empty" or "NO …", "FORCE …" (forceable), "TIDY", and rows. New string. */
char *recovery_scene_judge(struct recovery_scene *scene);

/* The same, asserted; the scene is left. */
void recovery_scene_expect(struct recovery_scene *scene, const char *judgement);

/* The reason of a refusal, asserted by fnmatch. */
void recovery_scene_text(const struct recovery_scene *scene, const char *pattern);

/* Whether a note has this text in it. */
bool recovery_scene_is_noted(const struct recovery_scene *scene, const char *text);

#endif
