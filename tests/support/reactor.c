/* See reactor.h. */
#include "reactor.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/mem.h"

#define EVENTS_PER_ROUND 256

struct release {
	void (*release)(void *object);
	void *object;
};

struct reactor {
	int epoll;
	struct reactor_timer **heap; /* earliest at 1 */
	size_t heap_count;
	size_t heap_capacity;
	struct release *releases;
	size_t release_count;
	size_t release_capacity;
};

struct reactor *reactor_new(void)
{
	struct reactor *reactor = xcalloc(1, sizeof(*reactor));

	reactor->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (reactor->epoll < 0)
		abort();
	return reactor;
}

static void run_releases(struct reactor *reactor)
{
	for (size_t i = 0; i < reactor->release_count; i++)
		reactor->releases[i].release(reactor->releases[i].object);
	reactor->release_count = 0;
}

void reactor_free(struct reactor *reactor)
{
	run_releases(reactor);
	close(reactor->epoll);
	free(reactor->heap);
	free(reactor->releases);
	free(reactor);
}

static void control(struct reactor *reactor, int operation, struct reactor_source *source, unsigned events)
{
	struct epoll_event event = { .events = events, .data = { .ptr = source } };

	if (epoll_ctl(reactor->epoll, operation, source->fd, &event) < 0)
		abort();
	source->events = events;
}

void reactor_watch(struct reactor *reactor, struct reactor_source *source, unsigned events)
{
	control(reactor, EPOLL_CTL_ADD, source, events);
}

void reactor_change(struct reactor *reactor, struct reactor_source *source, unsigned events)
{
	if (source->fd >= 0 && source->events != events)
		control(reactor, EPOLL_CTL_MOD, source, events);
}

void reactor_unwatch(struct reactor *reactor, struct reactor_source *source)
{
	if (source->fd < 0)
		return;
	control(reactor, EPOLL_CTL_DEL, source, 0);
	source->fd = -1;
}

/* ---------------------------------------------------------------------------------- the timers' heap */

static void put(struct reactor *reactor, struct reactor_timer *timer, size_t place)
{
	reactor->heap[place] = timer;
	timer->place = place;
}

static void move_up(struct reactor *reactor, struct reactor_timer *timer, size_t place)
{
	for (; place > 1 && reactor->heap[place / 2]->at_ms > timer->at_ms; place /= 2)
		put(reactor, reactor->heap[place / 2], place);
	put(reactor, timer, place);
}

static void move_down(struct reactor *reactor, struct reactor_timer *timer, size_t place)
{
	for (;;) {
		size_t child = place * 2;

		if (child > reactor->heap_count)
			break;
		if (child < reactor->heap_count && reactor->heap[child + 1]->at_ms < reactor->heap[child]->at_ms)
			child++;
		if (reactor->heap[child]->at_ms >= timer->at_ms)
			break;
		put(reactor, reactor->heap[child], place);
		place = child;
	}
	put(reactor, timer, place);
}

void reactor_timer_set(struct reactor *reactor, struct reactor_timer *timer, int64_t at_ms)
{
	reactor_timer_stop(reactor, timer);
	timer->at_ms = at_ms;
	if (reactor->heap_count + 2 > reactor->heap_capacity) {
		reactor->heap_capacity = reactor->heap_capacity * 2 + 64;
		reactor->heap = xreallocarray(reactor->heap, reactor->heap_capacity, sizeof(*reactor->heap));
	}
	move_up(reactor, timer, ++reactor->heap_count);
}

void reactor_timer_stop(struct reactor *reactor, struct reactor_timer *timer)
{
	size_t place = timer->place;
	struct reactor_timer *last;

	if (!place)
		return;
	timer->place = 0;
	last = reactor->heap[reactor->heap_count--];
	if (last == timer)
		return;
	if (place > 1 && reactor->heap[place / 2]->at_ms > last->at_ms)
		move_up(reactor, last, place);
	else
		move_down(reactor, last, place);
}

static void run_timers(struct reactor *reactor)
{
	int64_t now = clock_monotonic_ms();

	while (reactor->heap_count && reactor->heap[1]->at_ms <= now) {
		struct reactor_timer *timer = reactor->heap[1];

		reactor_timer_stop(reactor, timer);
		timer->on_time(timer->context);
	}
}

/* ------------------------------------------------------------------------------------------- rounds */

void reactor_release_later(struct reactor *reactor, void (*release)(void *object), void *object)
{
	if (reactor->release_count == reactor->release_capacity) {
		reactor->release_capacity = reactor->release_capacity * 2 + 16;
		reactor->releases =
		    xreallocarray(reactor->releases, reactor->release_capacity, sizeof(*reactor->releases));
	}
	reactor->releases[reactor->release_count++] = (struct release){ release, object };
}

void reactor_round(struct reactor *reactor)
{
	struct epoll_event events[EVENTS_PER_ROUND];
	int wait_ms = -1, count;

	if (reactor->heap_count)
		wait_ms = clock_left_ms(reactor->heap[1]->at_ms, clock_monotonic_ms());
	count = epoll_wait(reactor->epoll, events, EVENTS_PER_ROUND, wait_ms);
	for (int i = 0; i < count; i++) {
		struct reactor_source *source = events[i].data.ptr;

		if (source->fd >= 0)
			source->on_events(source->context, events[i].events);
	}
	run_timers(reactor);
	run_releases(reactor);
}
