/*
 * See include/util/loop.h.
 *
 * Watches are in a table indexed by descriptor. The system's poller says which are ready; where there is
 * none, poll(2) does, over a table of the same shape. Timers are in a binary heap.
 */
#include "util/loop.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/mem.h"
#include "util/system.h"

/* Most descriptors handled in one round; the others are reported again in the next. */
#define ROUND_MAX SYSTEM_READY_MAX
#define HEAP_NONE SIZE_MAX

struct watch {
	loop_fd_fn *fn; /* NULL: not watched */
	void *context;
	int events;
	uint32_t generation; /* changes with each change of the watch: tells readiness from before it */
};

struct ready {
	int fd;
	int events;
	uint32_t generation;
};

struct loop_timer {
	struct loop *loop;
	loop_timer_fn *fn;
	void *context;
	int64_t at_ms;
	uint64_t sequence; /* of loop_timer_set: timers of the same time fire in that order */
	size_t place;      /* in the heap, or HEAP_NONE */
};

struct loop {
	int poller; /* -1: poll(2) is used */
	struct watch *watches;
	struct pollfd *polled; /* for poll(2); fd -1 where nothing is wanted */
	size_t fd_capacity;
	size_t watch_count;
	struct ready ready[ROUND_MAX];
	struct loop_timer **heap;
	size_t heap_count;
	size_t heap_capacity;
	size_t timer_count;
	uint64_t sequence;
	int interrupt_fd;
	bool interrupted;
	bool running;
};

struct loop *loop_new(void)
{
	struct loop *loop = xcalloc(1, sizeof(*loop));

	loop->poller = system_poller_new();
	loop->interrupt_fd = -1;
	return loop;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	loop_set_interrupt(loop, -1);
	assert(!loop->running && loop->watch_count == 0 && loop->timer_count == 0);
	if (loop->poller >= 0)
		close(loop->poller);
	free(loop->watches);
	free(loop->polled);
	free(loop->heap);
	free(loop);
}

/* ----------------------------------------------------------------------------------- descriptors */

static short poll_events(int events)
{
	return (short)((events & LOOP_READ ? POLLIN : 0) | (events & LOOP_WRITE ? POLLOUT : 0));
}

static int loop_events(short revents)
{
	if (revents & (POLLERR | POLLHUP | POLLNVAL))
		return LOOP_READ | LOOP_WRITE;
	return (revents & POLLIN ? LOOP_READ : 0) | (revents & POLLOUT ? LOOP_WRITE : 0);
}

static void tell_poller(struct loop *loop, int fd)
{
	const struct watch *watch = &loop->watches[fd];

	system_poller_tell(loop->poller, fd, poll_events(watch->events),
	                   (uint64_t)watch->generation << 32 | (uint32_t)fd);
}

static size_t wait_poller(struct loop *loop, int wait_ms)
{
	struct system_ready ready[ROUND_MAX];
	size_t count = system_poller_wait(loop->poller, wait_ms, ready);

	for (size_t i = 0; i < count; i++)
		loop->ready[i] = (struct ready){
			.fd = (int)(uint32_t)ready[i].tag,
			.events = loop_events(ready[i].events),
			.generation = (uint32_t)(ready[i].tag >> 32),
		};
	return count;
}

static size_t wait_poll(struct loop *loop, int wait_ms)
{
	int left = poll(loop->polled, (nfds_t)loop->fd_capacity, wait_ms);
	size_t count = 0;

	assert(left >= 0 || errno == EINTR);
	for (size_t fd = 0; left > 0 && count < ROUND_MAX && fd < loop->fd_capacity; fd++) {
		if (loop->polled[fd].fd < 0 || !loop->polled[fd].revents)
			continue;
		loop->ready[count++] = (struct ready){
			.fd = (int)fd,
			.events = loop_events(loop->polled[fd].revents),
			.generation = loop->watches[fd].generation,
		};
		left--;
	}
	return count;
}

static void grow_table(struct loop *loop, size_t need)
{
	size_t capacity = loop->fd_capacity ? loop->fd_capacity : 32;

	if (need <= loop->fd_capacity)
		return;
	while (capacity < need)
		capacity *= 2;
	loop->watches = xreallocarray(loop->watches, capacity, sizeof(*loop->watches));
	loop->polled = xreallocarray(loop->polled, capacity, sizeof(*loop->polled));
	for (size_t fd = loop->fd_capacity; fd < capacity; fd++) {
		loop->watches[fd] = (struct watch){ 0 };
		loop->polled[fd] = (struct pollfd){ .fd = -1 };
	}
	loop->fd_capacity = capacity;
}

static void change_watch(struct loop *loop, int fd, int events, loop_fd_fn *fn, void *context)
{
	struct watch *watch = &loop->watches[fd];

	watch->generation++;
	watch->fn = fn;
	watch->context = context;
	watch->events = events;
	if (loop->poller >= 0)
		tell_poller(loop, fd);
	else
		loop->polled[fd] = (struct pollfd){ .fd = events ? fd : -1, .events = poll_events(events) };
}

void loop_watch(struct loop *loop, int fd, int events, loop_fd_fn *fn, void *context)
{
	struct watch *watch;

	assert(fd >= 0 && fn && !(events & ~(LOOP_READ | LOOP_WRITE)));
	grow_table(loop, (size_t)fd + 1);
	watch = &loop->watches[fd];
	if (watch->fn == fn && watch->context == context && watch->events == events)
		return;
	if (!watch->fn)
		loop->watch_count++;
	change_watch(loop, fd, events, fn, context);
}

void loop_unwatch(struct loop *loop, int fd)
{
	if (fd < 0 || (size_t)fd >= loop->fd_capacity || !loop->watches[fd].fn)
		return;
	loop->watch_count--;
	change_watch(loop, fd, 0, NULL, NULL);
}

/* Readiness that is older than the watch is dropped; it is reported again if it still holds. */
static void dispatch(struct loop *loop, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct ready ready = loop->ready[i];
		const struct watch watch = loop->watches[ready.fd];

		if (watch.fn && watch.events && watch.generation == ready.generation)
			watch.fn(watch.context, ready.fd, ready.events);
	}
}

/* ---------------------------------------------------------------------------------------- timers */

static bool is_before(const struct loop_timer *a, const struct loop_timer *b)
{
	return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->sequence < b->sequence;
}

static void put(struct loop *loop, size_t place, struct loop_timer *timer)
{
	loop->heap[place] = timer;
	timer->place = place;
}

static void sift_up(struct loop *loop, size_t place, struct loop_timer *timer)
{
	while (place > 0 && is_before(timer, loop->heap[(place - 1) / 2])) {
		put(loop, place, loop->heap[(place - 1) / 2]);
		place = (place - 1) / 2;
	}
	put(loop, place, timer);
}

static void sift_down(struct loop *loop, size_t place, struct loop_timer *timer)
{
	for (;;) {
		size_t child = 2 * place + 1;

		if (child + 1 < loop->heap_count && is_before(loop->heap[child + 1], loop->heap[child]))
			child++;
		if (child >= loop->heap_count || !is_before(loop->heap[child], timer))
			break;
		put(loop, place, loop->heap[child]);
		place = child;
	}
	put(loop, place, timer);
}

static void heap_insert(struct loop *loop, struct loop_timer *timer)
{
	if (loop->heap_count == loop->heap_capacity) {
		loop->heap_capacity = loop->heap_capacity ? 2 * loop->heap_capacity : 16;
		loop->heap = xreallocarray(loop->heap, loop->heap_capacity, sizeof(struct loop_timer *));
	}
	sift_up(loop, loop->heap_count++, timer);
}

static void heap_remove(struct loop *loop, struct loop_timer *timer)
{
	size_t place = timer->place;
	struct loop_timer *last = loop->heap[--loop->heap_count];

	timer->place = HEAP_NONE;
	if (last == timer)
		return;
	if (place > 0 && is_before(last, loop->heap[(place - 1) / 2]))
		sift_up(loop, place, last);
	else
		sift_down(loop, place, last);
}

struct loop_timer *loop_timer_new(struct loop *loop, loop_timer_fn *fn, void *context)
{
	struct loop_timer *timer = xcalloc(1, sizeof(*timer));

	assert(fn);
	timer->loop = loop;
	timer->fn = fn;
	timer->context = context;
	timer->place = HEAP_NONE;
	loop->timer_count++;
	return timer;
}

void loop_timer_set(struct loop_timer *timer, int64_t at_ms)
{
	if (timer->place != HEAP_NONE)
		heap_remove(timer->loop, timer);
	if (at_ms == CLOCK_NEVER)
		return;
	timer->at_ms = at_ms;
	timer->sequence = ++timer->loop->sequence;
	heap_insert(timer->loop, timer);
}

void loop_timer_free(struct loop_timer *timer)
{
	if (!timer)
		return;
	if (timer->place != HEAP_NONE)
		heap_remove(timer->loop, timer);
	timer->loop->timer_count--;
	free(timer);
}

/* Timers that are set by callbacks of this round wait for the next one, so that descriptors get their turn. */
static void fire_timers(struct loop *loop, int64_t now_ms)
{
	const uint64_t last = loop->sequence;

	while (loop->heap_count > 0) {
		struct loop_timer *timer = loop->heap[0];

		if (timer->at_ms > now_ms || timer->sequence > last)
			return;
		heap_remove(loop, timer);
		timer->fn(timer->context);
	}
}

/* ------------------------------------------------------------------------------------------- run */

static void on_interrupt(void *context, int fd, int events)
{
	struct loop *loop = context;

	(void)fd;
	(void)events;
	loop->interrupted = true;
}

void loop_set_interrupt(struct loop *loop, int fd)
{
	if (loop->interrupt_fd >= 0)
		loop_unwatch(loop, loop->interrupt_fd);
	loop->interrupt_fd = fd;
	if (fd >= 0)
		loop_watch(loop, fd, LOOP_READ, on_interrupt, loop);
}

static void run_once(struct loop *loop, int64_t until_ms)
{
	int wait_ms;
	size_t count;

	if (loop->heap_count > 0 && loop->heap[0]->at_ms < until_ms)
		until_ms = loop->heap[0]->at_ms;
	wait_ms = until_ms == CLOCK_NEVER ? -1 : clock_left_ms(until_ms, clock_monotonic_ms());
	count = loop->poller >= 0 ? wait_poller(loop, wait_ms) : wait_poll(loop, wait_ms);
	dispatch(loop, count);
	if (loop->heap_count > 0)
		fire_timers(loop, clock_monotonic_ms());
}

int loop_run(struct loop *loop, bool (*is_done)(void *context), void *context, int64_t deadline_ms, struct err *err)
{
	int status = 0;

	assert(!loop->running);
	loop->running = true;
	loop->interrupted = false;
	while (!is_done(context) && status == 0) {
		if (loop->interrupted)
			status = err_set(err, ERR_INTERRUPTED, "interrupted");
		else if (deadline_ms != CLOCK_NEVER && clock_monotonic_ms() >= deadline_ms)
			status = err_set(err, ERR_TIMEOUT, "timed out waiting for the condition");
		else
			run_once(loop, deadline_ms);
	}
	loop->running = false;
	return status;
}

static bool never(void *context)
{
	(void)context;
	return false;
}

int loop_sleep(struct loop *loop, int64_t milliseconds, struct err *err)
{
	struct err ended = ERR_INIT;

	if (loop_run(loop, never, NULL, clock_monotonic_ms() + milliseconds, &ended) < 0 && ended.kind != ERR_TIMEOUT)
		return err_move(err, &ended);
	err_release(&ended);
	return 0;
}
