/* See include/util/system.h. Linux has its own calls; what is here for others is macOS's way, and POSIX's. */
#include "util/system.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/epoll.h>
#endif

#ifdef __linux__

int system_socket(int family)
{
	return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

int system_accept(int listener, struct sockaddr *ret_peer, socklen_t *size)
{
	return accept4(listener, ret_peer, size, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

ssize_t system_send(int socket, const void *bytes, size_t count)
{
	return send(socket, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int system_pipe(int ends[2])
{
	return pipe2(ends, O_CLOEXEC | O_NONBLOCK);
}

clockid_t system_steady_clock(void)
{
	return CLOCK_BOOTTIME;
}

/* ------------------------------------------------------------------------------------------ readiness */

int system_poller_new(void)
{
	return epoll_create1(EPOLL_CLOEXEC);
}

_Static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT && EPOLLERR == POLLERR && EPOLLHUP == POLLHUP,
               "epoll's numbers of these events are those of poll");

void system_poller_tell(int poller, int fd, short events, uint64_t tag)
{
	struct epoll_event event = { .events = (uint32_t)events, .data.u64 = tag };
	int status;

	/* One that nothing is wanted of must not be in epoll at all: it would still report hang-ups. */
	if (!events) {
		epoll_ctl(poller, EPOLL_CTL_DEL, fd, &event);
		return;
	}
	status = epoll_ctl(poller, EPOLL_CTL_MOD, fd, &event);
	if (status < 0 && errno == ENOENT)
		status = epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
	assert(status == 0);
}

size_t system_poller_wait(int poller, int wait_ms, struct system_ready ret_ready[SYSTEM_READY_MAX])
{
	struct epoll_event events[SYSTEM_READY_MAX];
	int count = epoll_wait(poller, events, SYSTEM_READY_MAX, wait_ms);

	assert(count >= 0 || errno == EINTR);
	for (int i = 0; i < count; i++)
		ret_ready[i] = (struct system_ready){ .tag = events[i].data.u64, .events = (short)events[i].events };
	return count > 0 ? (size_t)count : 0;
}

#else /* not Linux */

/* The descriptor, not inherited and never blocking; closed when that cannot be. Passes -1 on. */
static int set_up(int fd)
{
	int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL), saved_errno;

	if (fd < 0)
		return -1;
	if (flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0)
		return fd;
	saved_errno = errno;
	close(fd);
	errno = saved_errno;
	return -1;
}

static int set_up_socket(int fd)
{
#ifdef SO_NOSIGPIPE
	int on = 1;

	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof(on));
#endif
	return set_up(fd);
}

int system_socket(int family)
{
	return set_up_socket(socket(family, SOCK_STREAM, 0));
}

int system_accept(int listener, struct sockaddr *ret_peer, socklen_t *size)
{
	return set_up_socket(accept(listener, ret_peer, size));
}

ssize_t system_send(int socket, const void *bytes, size_t count)
{
#ifdef SO_NOSIGPIPE
	return send(socket, bytes, count, MSG_DONTWAIT);
#else
	return send(socket, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
#endif
}

int system_pipe(int ends[2])
{
	int saved_errno;

	if (pipe(ends) < 0)
		return -1;
	ends[0] = set_up(ends[0]);
	ends[1] = set_up(ends[1]);
	if (ends[0] >= 0 && ends[1] >= 0)
		return 0;
	saved_errno = errno;
	close(ends[0] >= 0 ? ends[0] : ends[1]);
	errno = saved_errno;
	return -1;
}

/* macOS's goes on while the machine sleeps. */
clockid_t system_steady_clock(void)
{
	return CLOCK_MONOTONIC;
}

/* ------------------------------------------------------------------------------------------ readiness */

int system_poller_new(void)
{
	return -1;
}

void system_poller_tell(int poller, int fd, short events, uint64_t tag)
{
	(void)poller;
	(void)fd;
	(void)events;
	(void)tag;
	assert(!"there is no poller");
}

size_t system_poller_wait(int poller, int wait_ms, struct system_ready ret_ready[SYSTEM_READY_MAX])
{
	(void)poller;
	(void)wait_ms;
	(void)ret_ready;
	assert(!"there is no poller");
	return 0;
}

#endif
