/*
 * consul/recovery_parts.h - what the files of consul/recovery.h share. Used by src/consul/recovery*.c only.
 *
 * In this order: whether there are two clusters (recovery.c), who leads (recovery_led.c); whose data is best, and what
 * became of each place (recovery_fate.c); whose the peers are that are at none of them (recovery_peers.c); what speaks
 * against it, and peers.json (recovery.c); what people read of it (recovery_text.c), and type (recovery_hands.c).
 */
#ifndef CONSUL_RECOVERY_PARTS_H
#define CONSUL_RECOVERY_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "consul/recovery.h"
#include "util/buf.h"
#include "util/json.h"

struct recovering {
	const struct snapshot *snapshot;
	const struct remains *remains;
	struct recovery *recovery;  /* to be filled */
	const struct server *best;  /* NULL: no server answers with data that is in its data directory */
	const struct view *peers;   /* its peer set: the one that counts; NULL: none */
	int64_t heard_at;           /* of consul/claim_age.h */
	bool may_pass;              /* some server is about to start or to stop, or did not answer */
	struct strv objections;     /* what --force would pass over */
	struct strv doubts;         /* what is no reason to refuse, and is to be known */
	struct strv hints;
};

/* ---------------------------------------------------------------------------- places (recovery_fate.c) */

/* Whose data becomes the truth, and since when there is no leader. */
void recovery_choose_best(struct recovering *recovering);

/* A row for each server of the snapshot. */
void recovery_judge_places(struct recovering *recovering);

/* A row more, whose strings are empty. Pointers to others are not good any more. */
struct recovery_server *recovery_add(struct recovering *recovering, enum fate fate, const char *name);

/* Whether data of a server of this ordinal may be there although no agent tells; how that is told is added to why. */
bool recovery_may_have_data(const struct recovering *recovering, int64_t ordinal, const struct server *server,
                            struct buf *why);

/* Raft's id of a server: the agent's word, else that of its data directory; NULL: not known. */
const char *recovery_id(const struct recovering *recovering, const struct server *server);

/* view's peers have all ids of other's. */
bool recovery_has_ids(const struct view *view, const struct view *other);

/* The agent has data: a log, or peers. */
bool recovery_has_data(const struct view *view);

/* Its container runs and is not being stopped. */
bool recovery_is_running(const struct server *server);

/* The peer of this id; NULL: there is none, or no id. */
const struct peer *recovery_peer(const struct view *view, const char *id);

/* ------------------------------------------------------------------------------ refusing, rows (recovery.c) */

/* The hint that is there stays; else it is `health`. Returns true. */
bool recovery_refuse(struct recovering *recovering, bool may_pass, enum err_kind kind, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Sorts them, and finds the best. */
void recovery_finish_rows(struct recovering *recovering);

/* One of peers.json. */
cJSON *recovery_peer_json(const char *id, const char *address, bool votes);

/* ------------------------------------------------------------------------------ a leader (recovery_led.c) */

/*
 * Whether there is one, or may be: recovery says then what that means. force: servers may go without a leader for a
 * moment.
 */
bool recovery_ends_with_leader(struct recovering *recovering, bool force);

/* ------------------------------------------------------------------------------ peers (recovery_peers.c) */

/* Finds the row of each peer of the set that counts, and adds rows for those that have none. */
void recovery_match_peers(struct recovering *recovering);

/* ------------------------------------------------------------------------------ words (recovery_text.c, recovery_hands.c) */

/* "kubectl consul COMMAND -n NAMESPACE --name SET". New string. */
char *recovery_command(const struct recovering *recovering, const char *command) __attribute__((warn_unused_result));

/* There is a leader: what is left to be done, if anything, is not a recovery. */
void recovery_hint_led(struct recovering *recovering, int64_t live_voters);

/* There are no servers at all. */
void recovery_hint_none(struct recovering *recovering);

/* To wait is all there is to do. */
void recovery_hint_wait(struct recovering *recovering);

void recovery_hint_broken(struct recovering *recovering, const struct recovery_server *row);

/* What is to be done about a server that may come back. */
void recovery_hint_return(struct recovering *recovering, const struct recovery_server *row);

/* What people must know of a recovery that goes on. */
void recovery_note(struct recovering *recovering);

/* What only a person can do about servers on whose data Consul does not start. */
void recovery_add_commands(struct recovering *recovering);

#endif
