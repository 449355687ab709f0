/*
 * reactor.h - the event loop of the scripted servers: descriptors and many cheap timers, on one thread.
 *
 * Sources and timers live inside their owners. An owner that is released while events are delivered goes through
 * reactor_release_later, so that no event of the same round reaches freed memory.
 */
#ifndef SUPPORT_REACTOR_H
#define SUPPORT_REACTOR_H

#include <stddef.h>
#include <stdint.h>

struct reactor;

struct reactor_source {
	int fd;          /* -1: not watched */
	unsigned events; /* EPOLLIN, EPOLLOUT */
	void (*on_events)(void *context, unsigned events);
	void *context;
};

struct reactor_timer {
	int64_t at_ms;
	size_t place; /* in the heap, from 1; 0: idle */
	void (*on_time)(void *context);
	void *context;
};

struct reactor *reactor_new(void);

/* Runs what waits to be released; sources and timers must be gone or never used again. */
void reactor_free(struct reactor *reactor);

void reactor_watch(struct reactor *reactor, struct reactor_source *source, unsigned events);
void reactor_change(struct reactor *reactor, struct reactor_source *source, unsigned events);
void reactor_unwatch(struct reactor *reactor, struct reactor_source *source); /* fine when it is not watched */

void reactor_timer_set(struct reactor *reactor, struct reactor_timer *timer, int64_t at_ms); /* moves it if it is set */
void reactor_timer_stop(struct reactor *reactor, struct reactor_timer *timer);               /* fine when it is idle */

/* Calls release(object) after the events of this round. */
void reactor_release_later(struct reactor *reactor, void (*release)(void *object), void *object);

/* Waits for events or the next timer, and delivers them. */
void reactor_round(struct reactor *reactor);

#endif
