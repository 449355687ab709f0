/*
 * What plan_next says, as one line that tests compare:
 *
 *   step KIND OBJECT via POD: TEXT; LIVE/VOTERS -> LIVE/VOTERS     before and after; KIND NUMBER where there is no object;
 *                                                                  a leave goes without its object (a peer id)
 *   wait SUBJECT: TEXT (events)
 *   refuse SUBJECT: TEXT (RULE) (may pass) (events) (broken); HINT
 *   done
 *
 * Expected lines may have "*" for anything. SUBJECT is "-" for the cluster; of a step it is told where it is not the object.
 */
#ifndef TEST_PLAN_CHECK_H
#define TEST_PLAN_CHECK_H

#include "consul/plan.h"
#include "sample.h"

#define SCALE(...) (&(const struct goal){ .kind = GOAL_SCALE, .replicas = __VA_ARGS__ })
#define REAP       (&(const struct goal){ .kind = GOAL_REAP })
#define PRUNE      (&(const struct goal){ .kind = GOAL_REAP, .prune = true })
#define ROLLOUT    (&(const struct goal){ .kind = GOAL_ROLLOUT })

/* New strings. */
char *plan_line(const struct plan *plan);
char *step_line(const struct step *step);

/* Asserts the line. The second releases the snapshot. */
void plan_check(const struct snapshot *snapshot, const struct goal *goal, const char *expected);
void plan_expect(struct snapshot *snapshot, const struct goal *goal, const char *expected);

/* The same of a reap of these names, separated by spaces. */
void plan_expect_reap(struct snapshot *snapshot, const char *names, const char *expected);

/*
 * Asserts the lines of all steps of plan_forward and of what ends them, and of each step that rule 1 holds; the first line
 * is "waits for …" if something has to come to rest before them. The snapshot is changed as plan_forward does, and not
 * released.
 */
void plan_check_forward(struct snapshot *snapshot, const struct goal *goal, const char *const *lines);

/* Asserts plan_notes' lines, joined by newlines. */
void plan_check_notes(const struct snapshot *snapshot, const struct goal *goal, const char *expected);

#endif
