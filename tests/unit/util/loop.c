/* util/loop: each case runs with epoll (where there is one) and with the fallback on poll. */
#include "util/loop.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "util/clock.h"
#include "util/mem.h"

/* A loop that could not have an epoll descriptor, because no descriptor was free. */
static struct loop *new_poll_loop(void)
{
	struct rlimit limit, none;
	int next_free = dup(0);
	struct loop *loop;

	close(next_free);
	getrlimit(RLIMIT_NOFILE, &limit);
	none = limit;
	none.rlim_cur = (rlim_t)next_free;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	loop = loop_new();
	setrlimit(RLIMIT_NOFILE, &limit);
	return loop;
}

#define CASE(name)                                                                                                     \
	static void name(struct loop *loop);                                                                           \
	Test(loop, name)                                                                                               \
	{                                                                                                              \
		struct loop *loop = loop_new();                                                                        \
		name(loop);                                                                                            \
		loop_free(loop);                                                                                       \
	}                                                                                                              \
	Test(loop, name##_with_poll)                                                                                   \
	{                                                                                                              \
		struct loop *loop = new_poll_loop();                                                                   \
		name(loop);                                                                                            \
		loop_free(loop);                                                                                       \
	}                                                                                                              \
	static void name(struct loop *loop)

static bool always(void *context)
{
	(void)context;
	return true;
}

static bool never(void *context)
{
	(void)context;
	return false;
}

/* What a test waits for: a number of callbacks. */
struct count {
	int now;
	int wanted;
};

static bool is_counted(void *context)
{
	const struct count *count = context;

	return count->now >= count->wanted;
}

static void run_until(struct loop *loop, bool (*is_done)(void *), void *context)
{
	struct err err = ERR_INIT;

	cr_assert_eq(loop_run(loop, is_done, context, clock_monotonic_ms() + 10000, &err), 0, "%s", err.message);
}

/* Lets everything that is due happen, and returns. */
static void run_for(struct loop *loop, int ms)
{
	struct err err = ERR_INIT;

	cr_assert_eq(loop_run(loop, never, NULL, clock_monotonic_ms() + ms, &err), -1);
	cr_assert_eq(err.kind, ERR_TIMEOUT);
	err_release(&err);
}

/* ----------------------------------------------------------------------------------------- loop_run */

CASE(done_comes_before_a_deadline_that_has_passed)
{
	struct err err = ERR_INIT;

	cr_assert_eq(loop_run(loop, always, NULL, 0, &err), 0);
}

CASE(deadline_gives_a_timeout_and_not_earlier)
{
	struct err err = ERR_INIT;
	const int64_t deadline = clock_monotonic_ms() + 20;

	cr_assert_eq(loop_run(loop, never, NULL, deadline, &err), -1);
	cr_assert_eq(err.kind, ERR_TIMEOUT);
	cr_assert_geq(clock_monotonic_ms(), deadline);
	err_release(&err);
}

CASE(interrupt_ends_every_run_until_it_is_read)
{
	struct err err = ERR_INIT;
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	loop_set_interrupt(loop, ends[0]);
	cr_assert_eq(write(ends[1], "x", 1), 1);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(loop_run(loop, never, NULL, CLOCK_NEVER, &err), -1);
		cr_assert_eq(err.kind, ERR_INTERRUPTED);
		err_release(&err);
	}
	cr_assert_eq(loop_run(loop, always, NULL, CLOCK_NEVER, &err), 0);
}

CASE(sleep_lasts_as_long_as_it_says_or_until_an_interrupt)
{
	struct err err = ERR_INIT;
	int64_t begun_ms = clock_monotonic_ms();
	int ends[2];

	cr_assert_eq(loop_sleep(loop, 20, &err), 0);
	cr_assert_not(err_is_set(&err));
	cr_assert_geq(clock_monotonic_ms() - begun_ms, 20);
	cr_assert_eq(pipe(ends), 0);
	loop_set_interrupt(loop, ends[0]);
	cr_assert_eq(write(ends[1], "x", 1), 1);
	cr_assert_eq(loop_sleep(loop, 3600 * 1000, &err), -1);
	cr_assert_eq(err.kind, ERR_INTERRUPTED);
	err_release(&err);
	/* Taken away, it disturbs nobody although it is still readable. */
	loop_set_interrupt(loop, -1);
	cr_assert_eq(loop_sleep(loop, 1, &err), 0);
}

/* -------------------------------------------------------------------------------------- descriptors */

struct seen {
	struct loop *loop;
	struct count calls;
	int fd;
	int events;
	int other_fd; /* what a callback takes away or puts in its place */
	struct seen *other;
};

static void note(void *context, int fd, int events)
{
	struct seen *seen = context;

	seen->calls.now++;
	seen->fd = fd;
	seen->events = events;
}

CASE(readable_and_writable_are_told_apart)
{
	struct seen reader = { .calls.wanted = 1 }, writer = { .calls.wanted = 1 };
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	loop_watch(loop, pair[1], LOOP_READ | LOOP_WRITE, note, &writer);
	loop_watch(loop, pair[0], LOOP_READ, note, &reader);
	run_until(loop, is_counted, &writer.calls);
	cr_assert_eq(writer.fd, pair[1]);
	cr_assert_eq(writer.events, LOOP_WRITE);
	cr_assert_eq(reader.calls.now, 0);
	cr_assert_eq(write(pair[1], "x", 1), 1);
	run_until(loop, is_counted, &reader.calls);
	cr_assert_eq(reader.events, LOOP_READ);
	loop_unwatch(loop, pair[0]);
	loop_unwatch(loop, pair[1]);
	loop_unwatch(loop, pair[1]);
	loop_unwatch(loop, 900);
}

CASE(hang_up_is_both)
{
	struct seen seen = { .calls.wanted = 1 };
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	loop_watch(loop, ends[0], LOOP_READ, note, &seen);
	close(ends[1]);
	run_until(loop, is_counted, &seen.calls);
	cr_assert_eq(seen.events, LOOP_READ | LOOP_WRITE);
	loop_unwatch(loop, ends[0]);
}

CASE(no_events_are_silent_even_after_a_hang_up)
{
	struct seen seen = { .calls.wanted = 1 };
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	loop_watch(loop, ends[0], LOOP_READ, note, &seen);
	loop_watch(loop, ends[0], 0, note, &seen);
	close(ends[1]);
	run_for(loop, 5);
	cr_assert_eq(seen.calls.now, 0);
	loop_watch(loop, ends[0], LOOP_READ, note, &seen);
	run_until(loop, is_counted, &seen.calls);
	loop_unwatch(loop, ends[0]);
}

static void remove_both(void *context, int fd, int events)
{
	struct seen *seen = context;

	note(seen, fd, events);
	loop_unwatch(seen->loop, fd);
	loop_unwatch(seen->loop, seen->other_fd);
}

CASE(a_callback_may_remove_itself_and_others)
{
	struct seen a = { .loop = loop }, b = { .loop = loop };
	int first[2], second[2];

	cr_assert_eq(pipe(first), 0);
	cr_assert_eq(pipe(second), 0);
	close(first[1]);
	close(second[1]);
	a.other_fd = second[0];
	b.other_fd = first[0];
	loop_watch(loop, first[0], LOOP_READ, remove_both, &a);
	loop_watch(loop, second[0], LOOP_READ, remove_both, &b);
	run_for(loop, 5);
	cr_assert_eq(a.calls.now + b.calls.now, 1);
}

/* Closes the other descriptor and watches an idle one under the same number. */
static void replace_other(void *context, int fd, int events)
{
	struct seen *seen = context;
	int idle[2];

	note(seen, fd, events);
	loop_unwatch(seen->loop, fd);
	if (seen->other->calls.now)
		return;
	cr_assert_eq(pipe(idle), 0);
	loop_unwatch(seen->loop, seen->other_fd);
	cr_assert_eq(dup2(idle[0], seen->other_fd), seen->other_fd);
	loop_watch(seen->loop, seen->other_fd, LOOP_READ, note, seen->other);
	seen->other->calls.now = 1000;
}

CASE(readiness_of_a_closed_descriptor_is_not_given_to_its_successor)
{
	struct seen a = { .loop = loop }, b = { .loop = loop };
	int first[2], second[2];

	cr_assert_eq(pipe(first), 0);
	cr_assert_eq(pipe(second), 0);
	a.other = &b;
	a.other_fd = second[0];
	b.other = &a;
	b.other_fd = first[0];
	loop_watch(loop, first[0], LOOP_READ, replace_other, &a);
	loop_watch(loop, second[0], LOOP_READ, replace_other, &b);
	close(first[1]);
	close(second[1]);
	run_for(loop, 5);
	cr_assert_eq(a.calls.now + b.calls.now, 1001, "the new watch was called");
	loop_unwatch(loop, first[0]);
	loop_unwatch(loop, second[0]);
}

static void turn_to_writing(void *context, int fd, int events)
{
	struct seen *seen = context;

	note(seen, fd, events);
	loop_watch(seen->loop, fd, events == LOOP_READ ? LOOP_WRITE : 0, turn_to_writing, seen);
}

CASE(a_callback_may_change_its_watch)
{
	struct seen seen = { .loop = loop };
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	cr_assert_eq(write(pair[1], "x", 1), 1);
	loop_watch(loop, pair[0], LOOP_READ, turn_to_writing, &seen);
	run_for(loop, 5);
	cr_assert_eq(seen.calls.now, 2);
	cr_assert_eq(seen.events, LOOP_WRITE);
	loop_unwatch(loop, pair[0]);
}

static void note_once(void *context, int fd, int events)
{
	struct seen *seen = context;

	note(seen, fd, events);
	loop_unwatch(seen->loop, fd);
}

CASE(a_thousand_descriptors_are_all_served)
{
	enum { PIPES = 1000 };
	struct seen seen = { .loop = loop, .calls.wanted = PIPES };
	struct rlimit limit;
	int ends[2];

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	for (int i = 0; i < PIPES; i++) {
		cr_assert_eq(pipe(ends), 0, "too few descriptors for this test");
		loop_watch(loop, ends[0], LOOP_READ, note_once, &seen);
		close(ends[1]);
	}
	run_until(loop, is_counted, &seen.calls);
	cr_assert_eq(seen.calls.now, PIPES);
}

/* ------------------------------------------------------------------------------------------- timers */

struct alarm {
	struct loop_timer *timer;
	struct loop_timer *victim; /* freed by the callback */
	struct count *calls;
	int order; /* which call it was */
};

static void ring(void *context)
{
	struct alarm *alarm = context;

	alarm->order = ++alarm->calls->now;
}

CASE(timers_fire_once_in_order_of_time_then_of_setting)
{
	const int64_t now = clock_monotonic_ms();
	struct count calls = { 0, 3 };
	struct alarm late = { .calls = &calls }, early = { .calls = &calls }, early_too = { .calls = &calls },
	             idle = { .calls = &calls };

	late.timer = loop_timer_new(loop, ring, &late);
	early.timer = loop_timer_new(loop, ring, &early);
	early_too.timer = loop_timer_new(loop, ring, &early_too);
	idle.timer = loop_timer_new(loop, ring, &idle);
	loop_timer_set(early_too.timer, now);
	loop_timer_set(late.timer, now + 2);
	loop_timer_set(early.timer, now + 1);
	loop_timer_set(early_too.timer, now + 1);
	loop_timer_set(idle.timer, now);
	loop_timer_set(idle.timer, CLOCK_NEVER);
	run_until(loop, is_counted, &calls);
	cr_assert_geq(clock_monotonic_ms(), now + 2);
	run_for(loop, 5);
	cr_assert_eq(calls.now, 3);
	cr_assert_eq(early.order, 1);
	cr_assert_eq(early_too.order, 2);
	cr_assert_eq(late.order, 3);
	loop_timer_free(late.timer);
	loop_timer_free(early.timer);
	loop_timer_free(early_too.timer);
	loop_timer_free(idle.timer);
	loop_timer_free(NULL);
}

static void ring_and_free(void *context)
{
	struct alarm *alarm = context;

	ring(alarm);
	loop_timer_free(TAKE(alarm->timer));
	loop_timer_free(TAKE(alarm->victim));
}

CASE(a_timer_may_free_itself_and_others)
{
	struct count calls = { 0, 1 };
	struct alarm first = { .calls = &calls }, second = { .calls = &calls };

	first.timer = loop_timer_new(loop, ring_and_free, &first);
	first.victim = loop_timer_new(loop, ring, &second);
	loop_timer_set(first.timer, 0);
	loop_timer_set(first.victim, 0);
	run_until(loop, is_counted, &calls);
	run_for(loop, 2);
	cr_assert_eq(calls.now, 1);
}

static void ring_again(void *context)
{
	struct alarm *alarm = context;

	ring(alarm);
	loop_timer_set(alarm->timer, 0);
}

CASE(a_timer_that_is_always_due_starves_nobody)
{
	struct count calls = { 0 };
	struct alarm busy = { .calls = &calls };
	struct seen seen = { .loop = loop, .calls.wanted = 1 };
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	close(ends[1]);
	busy.timer = loop_timer_new(loop, ring_again, &busy);
	loop_timer_set(busy.timer, 0);
	loop_watch(loop, ends[0], LOOP_READ, note_once, &seen);
	run_until(loop, is_counted, &seen.calls);
	loop_timer_free(busy.timer);
}

struct many {
	int64_t last_ms;
	struct count calls;
	struct {
		struct many *all;
		struct loop_timer *timer;
		int64_t at_ms;
	} one[2000];
};

static void check_order(void *context)
{
	__typeof__(&((struct many *)0)->one[0]) one = context;

	cr_assert_geq(one->at_ms, one->all->last_ms);
	one->all->last_ms = one->at_ms;
	one->all->calls.now++;
}

/* Set in a scrambled order; every third is taken back, every seventh set anew. */
CASE(two_thousand_timers_keep_their_order)
{
	struct many *many = xcalloc(1, sizeof(*many));

	for (size_t i = 0; i < ARRAY_SIZE(many->one); i++) {
		many->one[i].all = many;
		many->one[i].at_ms = 1 + (int64_t)(i * 7919 % 2003);
		many->one[i].timer = loop_timer_new(loop, check_order, &many->one[i]);
		loop_timer_set(many->one[i].timer, many->one[i].at_ms);
	}
	for (size_t i = 0; i < ARRAY_SIZE(many->one); i++) {
		if (i % 7 == 0)
			many->one[i].at_ms = 1 + (int64_t)(i * 104729 % 1999);
		loop_timer_set(many->one[i].timer, i % 3 ? many->one[i].at_ms : CLOCK_NEVER);
		many->calls.wanted += i % 3 != 0;
	}
	run_until(loop, is_counted, &many->calls);
	cr_assert_eq(many->calls.now, many->calls.wanted);
	for (size_t i = 0; i < ARRAY_SIZE(many->one); i++)
		loop_timer_free(many->one[i].timer);
	free(many);
}
