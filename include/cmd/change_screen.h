/*
 * cmd/change_screen.h - what a person reads of a plan and of its execution: table, lines, closing words. Pure.
 *
 * Names from the cluster are made visible; no table is wider than the terminal.
 */
#ifndef CMD_CHANGE_SCREEN_H
#define CMD_CHANGE_SCREEN_H

#include <stdint.h>

#include "consul/act.h"
#include "consul/assess.h"
#include "consul/plan.h"
#include "util/buf.h"
#include "util/term.h"

/* A line of prose, made visible; wrapped where the terminal is narrower, its further lines after indent. */
void change_screen_line(struct buf *out, const struct term *term, const char *text, const char *indent);

/* "consul/consul  3/3 voters · leader consul-0 · tolerates 1 failure": what a plan starts from. */
void change_screen_head(const struct snapshot *snapshot, const struct assessment *assessment, const struct term *term,
                        struct buf *out);

/*
 * The steps, numbered, with voters, quorum and tolerance before and after each; then what last waits for or refuses, and
 * the notes. A text that is too long for the terminal goes on in the line below.
 */
void change_screen_plan(const struct steps *steps, const struct plan *last, const struct strv *notes,
                        const struct term *term, struct buf *out);

/* "consul/consul has 5 servers, all of them voters", or that nothing (is left) to reap; then ": nothing to do". */
void change_screen_goal(const struct snapshot *snapshot, const struct goal *goal, bool nothing_to_do,
                        const struct term *term, struct buf *out);

/* Claims that no server has any more, and how to delete them; nothing when there are none. */
void change_screen_claims(const struct snapshot *snapshot, const struct term *term, struct buf *out);

/* One line for an event, without the time: "step 1: replicas 3 -> 4: consul-3 joins (voters 3 -> 4, …)". New string. */
char *change_screen_event(const struct act_event *event);

/* The same of a step that is done, for a terminal, where its beginning is shown no more. New string. */
char *change_screen_done(const struct act_event *event);

/* What goes on now, as a block of lines that fit the terminal. */
struct change_now {
	const char *title;   /* "scale 5 of consul/consul" */
	const char *step;    /* change_screen_event of the step; NULL: none has been begun */
	const char *waiting; /* change_screen_event of the wait; NULL: for nothing yet */
	int64_t passed_ms;
	int64_t allowed_ms;
};

void change_screen_now(const struct change_now *now, const struct term *term, struct buf *out);

/* After a failure: what was done, what was begun and goes on, what was seen last. */
void change_screen_left(const struct act_result *result, const struct term *term, struct buf *out);

#endif
