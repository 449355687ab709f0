/*
 * util/system.h - what each system does in its own way: sockets, pipes, a steady clock, readiness of many descriptors.
 *
 * The rest of the program uses what POSIX and BSD have, and compiles on Linux and macOS alike; the calls of one system only
 * are in src/util/system.c (tests/lint portable finds others). Descriptors made here are not inherited by programs that are
 * executed, and never block. Functions that return -1 leave errno as the failed call set it.
 */
#ifndef UTIL_SYSTEM_H
#define UTIL_SYSTEM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>

/* A TCP socket of this family (AF_INET). -1: errno. */
int system_socket(int family) __attribute__((warn_unused_result));

/* The next connection, and who it is from (size as accept(2) wants it). -1: errno; EAGAIN: there is none. */
int system_accept(int listener, struct sockaddr *ret_peer, socklen_t *size) __attribute__((warn_unused_result));

/* send(2) on a socket of the two above: what it takes at once, and no SIGPIPE. */
ssize_t system_send(int socket, const void *bytes, size_t count) __attribute__((warn_unused_result));

/* ends[0] is read from, ends[1] written to. -1: errno. */
int system_pipe(int ends[2]) __attribute__((warn_unused_result));

/* The clock of deadlines and leases: it goes on while the machine sleeps, where there is such a clock. */
clockid_t system_steady_clock(void);

/* ------------------------------------------------------------------------------------------ readiness */

/* What the kernel remembers to look at; a descriptor. -1: there is no such thing here, poll(2) has to do. */
int system_poller_new(void);

/*
 * The descriptor is looked at for events (POLLIN, POLLOUT) from now on, and reported with this tag, until it is told anew or
 * closed; with 0 it is not looked at, not even for hang-ups.
 */
void system_poller_tell(int poller, int fd, short events, uint64_t tag);

struct system_ready {
	uint64_t tag;
	short events; /* POLLIN, POLLOUT, POLLERR, POLLHUP */
};

/* Most that one call reports; the others are reported again by the next. */
#define SYSTEM_READY_MAX 256

/* Waits until something is ready, a signal comes, or for so long (-1: for ever). Returns how many of ret_ready it filled. */
size_t system_poller_wait(int poller, int wait_ms, struct system_ready ret_ready[SYSTEM_READY_MAX]);

#endif
