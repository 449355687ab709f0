/*
 * A world for act that follows a script: what each look shows and how each order is answered are prepared, the clock is a
 * number that sleep advances. Everything that act does and tells is a line of a log that tests compare:
 *
 *   MS order 4 | order leave consul-4 | order force-leave consul-4 | order delete data-consul-4 |
 *      order restart consul-4 | order crash consul-4
 *   MS step N: TEXT | done N after MS: TEXT | wait: TEXT | note: TEXT      a wait only when its text is another
 *
 * MS is the script's clock, which begins at 0.
 */
#ifndef TEST_ACT_SCRIPT_H
#define TEST_ACT_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "consul/act.h"
#include "sample.h"
#include "util/buf.h"

/* How long a scene is seen. */
#define UNTIL_ORDER ((int64_t)0) /* until an order was carried out */
#define FOREVER     INT64_MAX

struct scene {
	void (*shape)(struct snapshot *snapshot); /* from an empty one; NULL: looks fail with kind */
	int64_t ms;                               /* from its first look on */
	enum err_kind kind;
};

/* Of an order that is not the script's to refuse: it is carried out, and answered. */
struct answer {
	enum err_kind kind; /* ERR_NONE: fine */
	bool lost;          /* it was carried out all the same */
};

struct script {
	const struct scene *scenes;   /* the last one lasts */
	size_t scene_count;
	const struct answer *answers; /* of the first orders; the others are fine */
	size_t answer_count;
	size_t interrupt_at;          /* the n-th call of the world is interrupted; 0: none */
	size_t keep_fails_at;         /* the n-th keep fails, as keep_kind */
	enum err_kind keep_kind;
	size_t keep_slow_at;          /* the n-th keep takes 11 s; 0: none */
	const char *event;            /* what explain adds; NULL: there is no explain */
	bool event_breaks;            /* and that it is hopeless */

	int64_t now_ms;
	size_t scene;
	int64_t scene_since_ms;       /* -1: not looked at yet */
	size_t calls, looks, keeps, orders, explained;
	int64_t seen_replicas;        /* of the snapshot that the last order was given by */
	struct buf log;
};

#define SCENE(shape_, ms_) { (shape_), (ms_), ERR_NONE }
#define BLIND(kind_, ms_)  { NULL, (ms_), (kind_) }
#define SCENES(...)                                                                                                    \
	.scenes = (const struct scene[]){ __VA_ARGS__ },                                                               \
	.scene_count = sizeof((const struct scene[]){ __VA_ARGS__ }) / sizeof(struct scene)
#define ANSWERS(...)                                                                                                   \
	.answers = (const struct answer[]){ __VA_ARGS__ },                                                             \
	.answer_count = sizeof((const struct answer[]){ __VA_ARGS__ }) / sizeof(struct answer)
#define SCRIPT(...) { .log = BUF_TEXT, .scene_since_ms = -1, __VA_ARGS__ }

#define SCALE(...) (&(const struct goal){ .kind = GOAL_SCALE, .replicas = __VA_ARGS__ })
#define ROLLOUT    (&(const struct goal){ .kind = GOAL_ROLLOUT })
#define REAP       (&(const struct goal){ .kind = GOAL_REAP })

void script_world(struct script *script, struct world *ret_world);

/* Acts for at most an hour of the script's clock. */
int script_run(struct script *script, const struct goal *goal, struct act_result *ret_result, struct err *err);

/*
 * The same, and asserts how it ends: "done", or "KIND: MESSAGE; HINT", in which "*" is anything; how many steps had their
 * effect; and that what is under way at the end is "STEP" or nothing (NULL).
 */
void script_expect(struct script *script, const struct goal *goal, const char *end, int64_t steps, const char *pending);

/* Asserts the end alone. */
void script_expect_end(const struct err *err, const char *expected);

/* Asserts the lines of the log, NULL at the end, "*" for anything, and releases it. */
void script_check_log(struct script *script, const char *const *lines);
#define CHECK_LOG(script_, ...) script_check_log((script_), (const char *const[]){ __VA_ARGS__, NULL })

/* ------------------------------------------------------------------------------------ scenes */

void three(struct snapshot *snapshot);
void three_to_replace(struct snapshot *snapshot);         /* all by another template */
void three_to_be_told_to_leave(struct snapshot *snapshot);
void third_has_left_to_be_replaced(struct snapshot *snapshot);
void second_does_not_answer(struct snapshot *snapshot);   /* of those */
void third_stops_to_be_replaced(struct snapshot *snapshot);
void third_is_replaced(struct snapshot *snapshot);        /* and well */
void third_is_replaced_and_broken(struct snapshot *snapshot);
void third_is_replaced_and_starts(struct snapshot *snapshot);
void leader_is_left_to_replace(struct snapshot *snapshot);
void new_one_leads(struct snapshot *snapshot);
void three_replaced(struct snapshot *snapshot);
void four(struct snapshot *snapshot);
void five(struct snapshot *snapshot);
void fourth_has_no_pod(struct snapshot *snapshot);
void fourth_does_not_vote(struct snapshot *snapshot);
void fourth_is_broken(struct snapshot *snapshot);
void fourth_stops(struct snapshot *snapshot);
void three_and_one_failed(struct snapshot *snapshot);
void three_and_one_left(struct snapshot *snapshot);
void three_without_a_leader(struct snapshot *snapshot);
void four_without_a_leader(struct snapshot *snapshot);
void three_rolling(struct snapshot *snapshot);
void four_of_others(struct snapshot *snapshot);
void fourth_has_left(struct snapshot *snapshot);
void four_led_by_the_last(struct snapshot *snapshot);
void three_with_old_minimum(struct snapshot *snapshot);
void three_with_minimum(struct snapshot *snapshot);
void three_and_a_claim(struct snapshot *snapshot);
void fourth_stops_slowly(struct snapshot *snapshot);
void fifth_does_not_vote(struct snapshot *snapshot);
void three_and_a_claim_that_goes(struct snapshot *snapshot);
void three_taken_up_late(struct snapshot *snapshot);
void four_and_one_of_another_name(struct snapshot *snapshot);
void three_and_one_of_another_name(struct snapshot *snapshot);

#endif
