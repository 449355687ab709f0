/*
 * util/loop.h - one thread, many descriptors and timers: the event loop everything that waits runs on.
 *
 * Callbacks run inside loop_run, never inside the call that registered them. A callback may add, change
 * and remove any watch or timer, its own included; a removed one is never called again.
 */
#ifndef UTIL_LOOP_H
#define UTIL_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/err.h"

enum { LOOP_READ = 1, LOOP_WRITE = 2 }; /* errors and hang-ups are reported as both */

struct loop;
struct loop_timer;

typedef void loop_fd_fn(void *context, int fd, int events);
typedef void loop_timer_fn(void *context);

struct loop *loop_new(void);
void loop_free(struct loop *loop); /* every watch and timer must be gone (asserted) but the interrupt's */

/* Watches fd for events (LOOP_*), replacing an earlier watch of the same fd. 0 events: kept, but silent. */
void loop_watch(struct loop *loop, int fd, int events, loop_fd_fn *fn, void *context);
void loop_unwatch(struct loop *loop, int fd); /* fine when it is not watched */

/* A timer is created idle, fires once each time it was set, and is freed by its owner. NULL is fine for free. */
struct loop_timer *loop_timer_new(struct loop *loop, loop_timer_fn *fn, void *context);
void loop_timer_set(struct loop_timer *timer, int64_t at_ms); /* CLOCK_NEVER: idle again */
void loop_timer_free(struct loop_timer *timer);

/*
 * When fd becomes readable, loop_run ends with ERR_INTERRUPTED (the command layer writes to it on SIGINT), and so does
 * every later one while it stays readable: -1 takes the interrupt away, for what is still to be done in order.
 */
void loop_set_interrupt(struct loop *loop, int fd);

/*
 * Runs until is_done(context) is true (checked before waiting and after each round of callbacks), the
 * interrupt comes, or deadline_ms (util/clock.h, monotonic) passes: then ERR_TIMEOUT. Blocks until then.
 */
int loop_run(struct loop *loop, bool (*is_done)(void *context), void *context, int64_t deadline_ms, struct err *err)
	__attribute__((warn_unused_result));

/* Runs for that long; -1 when the interrupt came meanwhile (ERR_INTERRUPTED). */
int loop_sleep(struct loop *loop, int64_t milliseconds, struct err *err) __attribute__((warn_unused_result));

#endif
