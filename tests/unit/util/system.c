/* util/system */
#include "util/system.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "util/mem.h"

static bool is_set_up(int fd)
{
	return (fcntl(fd, F_GETFD) & FD_CLOEXEC) && (fcntl(fd, F_GETFL) & O_NONBLOCK);
}

Test(system, pipe_does_not_block_and_is_not_inherited)
{
	char byte = 0;
	int ends[2];

	cr_assert_eq(system_pipe(ends), 0);
	cr_expect(is_set_up(ends[0]) && is_set_up(ends[1]));
	cr_expect_eq(read(ends[0], &byte, 1), -1);
	cr_expect_eq(errno, EAGAIN);
	cr_expect_eq(write(ends[1], "x", 1), 1);
	cr_expect_eq(read(ends[0], &byte, 1), 1);
	cr_expect_eq(byte, 'x');
	close(ends[0]);
	close(ends[1]);
}

/* A listener on the loopback; connected: who connected to it, before anybody accepts. */
static int listen_at_loopback(struct sockaddr_in *ret_address)
{
	socklen_t size = sizeof(*ret_address);
	int listener = system_socket(AF_INET);

	*ret_address = (struct sockaddr_in){ .sin_family = AF_INET };
	ret_address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_geq(listener, 0);
	cr_assert_eq(bind(listener, (const struct sockaddr *)ret_address, size), 0);
	cr_assert_eq(getsockname(listener, (struct sockaddr *)ret_address, &size), 0);
	cr_assert_eq(listen(listener, 1), 0);
	return listener;
}

Test(system, sockets)
{
	struct sockaddr_in address, peer;
	socklen_t size = sizeof(peer);
	int listener = listen_at_loopback(&address), client = system_socket(AF_INET), server;
	struct pollfd readable = { .fd = listener, .events = POLLIN };
	char text[4] = "";

	cr_expect(is_set_up(listener) && is_set_up(client));
	cr_expect_eq(system_accept(listener, (struct sockaddr *)&peer, &size), -1);
	cr_expect_eq(errno, EAGAIN);
	cr_expect(connect(client, (const struct sockaddr *)&address, sizeof(address)) == 0 || errno == EINPROGRESS);
	cr_assert_eq(poll(&readable, 1, 5000), 1);
	server = system_accept(listener, (struct sockaddr *)&peer, &size);
	cr_assert_geq(server, 0);
	cr_expect(is_set_up(server));
	cr_expect_eq(peer.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	cr_expect_eq(system_send(server, "abc", 3), 3);
	readable.fd = client;
	cr_assert_eq(poll(&readable, 1, 5000), 1);
	cr_expect_eq(read(client, text, sizeof(text)), 3);
	cr_expect_str_eq(text, "abc");
	close(client);
	close(server);
	close(listener);
}

Test(system, no_signal_when_nobody_reads)
{
	struct sockaddr_in address;
	int listener = listen_at_loopback(&address), client = system_socket(AF_INET);
	struct pollfd writable = { .fd = client, .events = POLLOUT };

	signal(SIGPIPE, SIG_DFL);
	cr_expect(connect(client, (const struct sockaddr *)&address, sizeof(address)) == 0 || errno == EINPROGRESS);
	cr_assert_eq(poll(&writable, 1, 5000), 1);
	cr_assert_eq(shutdown(client, SHUT_WR), 0);
	cr_expect_eq(system_send(client, "abc", 3), -1);
	cr_expect_eq(errno, EPIPE);
	close(client);
	close(listener);
}

Test(system, steady_clock_goes)
{
	struct timespec first, second;

	cr_assert_eq(clock_gettime(system_steady_clock(), &first), 0);
	cr_assert_eq(clock_gettime(system_steady_clock(), &second), 0);
	cr_expect(second.tv_sec > first.tv_sec || (second.tv_sec == first.tv_sec && second.tv_nsec >= first.tv_nsec));
}

Test(system, poller_reports_with_the_tag)
{
	struct system_ready ready[SYSTEM_READY_MAX];
	int poller = system_poller_new(), ends[2];

	if (poller < 0)
		cr_skip_test("poll(2) has to do here");
	cr_assert_eq(system_pipe(ends), 0);
	system_poller_tell(poller, ends[0], POLLIN, UINT64_C(0x1234567890abcdef));
	cr_expect_eq(system_poller_wait(poller, 0, ready), 0);
	cr_assert_eq(write(ends[1], "x", 1), 1);
	cr_assert_eq(system_poller_wait(poller, 5000, ready), 1);
	cr_expect_eq(ready[0].tag, UINT64_C(0x1234567890abcdef));
	cr_expect_eq(ready[0].events, POLLIN);
	system_poller_tell(poller, ends[0], 0, 1);
	close(ends[1]);
	cr_expect_eq(system_poller_wait(poller, 0, ready), 0, "a hang-up of who is not looked at");
	close(ends[0]);
	close(poller);
}
