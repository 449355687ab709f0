/*
 * cmd/change_act.h - the second half of cmd/change.h: carry the goal out, tell how far it is, say what came of it.
 */
#ifndef CMD_CHANGE_ACT_H
#define CMD_CHANGE_ACT_H

#include "cmd/change.h"
#include "cmd/connect.h"
#include "consul/act.h"
#include "consul/world_kube.h"
#include "util/err.h"
#include "util/term.h"

/* One run of `scale` or `reap`. */
struct change_run {
	const struct cmd_context *context;
	const struct change *change;
	struct connection *connection; /* borrowed */
	struct world_kube kube; /* its lease: NULL while nobody tried to take it */
	struct world world;
	struct term_live live;  /* on context->messages */
	char *title;            /* "scale 5 in namespace consul": heads the live block */
	char *set_name;         /* of the StatefulSet that was found; NULL: nobody has looked yet */
	bool saved;             /* change->backup_path was written */
	int64_t started_ms;     /* of what is going on now: the first look, or what comes after the question */
	int64_t deadline_ms;
};

/* What the live block shows. */
struct change_telling {
	struct change_run *run;
	char *step; /* the line of the step that was begun */
	char *waiting;
};

/*
 * An act_tell whose context is a struct change_telling: a terminal shows what is going on in a block, and keeps a line
 * of each step that is done; elsewhere each change is a line.
 */
void change_tell(void *context, const struct act_event *event);

/* Before the first look: one server that hangs makes that last for seconds. */
void change_tell_looking(struct change_telling *telling);
void change_telling_release(struct change_telling *telling);

/* How it ended, as `health` says it: its first line, and the findings where that is not HEALTHY. On output. */
void change_print_outcome(const struct cmd_context *context, const struct snapshot *snapshot);

/* The first look (act_look): a refusal that may pass is waited for. */
int change_look(struct change_run *run, struct snapshot *ret_snapshot, struct err *err) __attribute__((warn_unused_result));

/*
 * After a failure, on context->messages: what was done, what was begun and goes on, and what the cluster was like when it was
 * last seen. result NULL: nothing was done yet.
 */
void change_tell_left(const struct change_run *run, const struct act_result *result, const struct err *err);

/* Carries it out with the lease held; change_tell_left on failure. */
int change_act(struct change_run *run, struct err *err) __attribute__((warn_unused_result));

/* After success: looks once more, and says what the cluster is like now and which claims were kept. */
int change_report(struct change_run *run, struct err *err) __attribute__((warn_unused_result));

#endif
