/*
 * See include/kube/multi.h.
 *
 * libcurl's callbacks only note what it wants of the loop; it is called again from the loop's callbacks, never
 * from inside its own. Ended transfers are read after each action, outside of libcurl.
 */
#include "kube/multi.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

#include "util/clock.h"
#include "util/mem.h"

struct kube_multi {
	CURLM *handle;
	struct loop *loop;
	struct loop_timer *timer;
	size_t transfer_count;
	bool finishing; /* done callbacks are being called: kube_multi_free leaves the struct to finish_transfers */
};

/* What CURLOPT_PRIVATE of an added easy handle points to. */
struct transfer {
	kube_multi_done *done;
	void *context;
};

static void finish_transfer(const CURLMsg *message)
{
	struct transfer *transfer = NULL;

	if (message->msg != CURLMSG_DONE)
		return;
	curl->easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
	if (transfer)
		transfer->done(transfer->context, message->easy_handle, message->data.result);
}

/* Calls done for each ended transfer. done may remove and add any handle, and free the multi itself. */
static void finish_transfers(struct kube_multi *multi)
{
	const CURLMsg *message;
	int left;

	multi->finishing = true;
	while (multi->handle && (message = curl->multi_info_read(multi->handle, &left)))
		finish_transfer(message);
	multi->finishing = false;
	if (!multi->handle)
		free(multi);
}

static void act(struct kube_multi *multi, curl_socket_t socket, int mask)
{
	int running;
	CURLMcode code = curl->multi_socket_action(multi->handle, socket, mask, &running);

	assert(code == CURLM_OK || code == CURLM_BAD_SOCKET);
	(void)code;
	finish_transfers(multi);
}

static void on_timer(void *context)
{
	act(context, CURL_SOCKET_TIMEOUT, 0);
}

static void on_ready(void *context, int fd, int events)
{
	act(context, fd, (events & LOOP_READ ? CURL_CSELECT_IN : 0) | (events & LOOP_WRITE ? CURL_CSELECT_OUT : 0));
}

static int on_socket_wish(CURL *easy, curl_socket_t socket, int wish, void *context, void *socket_context)
{
	struct kube_multi *multi = context;

	(void)easy;
	(void)socket_context;
	if (wish == CURL_POLL_REMOVE)
		loop_unwatch(multi->loop, socket);
	else
		loop_watch(multi->loop, socket,
		           (wish & CURL_POLL_IN ? LOOP_READ : 0) | (wish & CURL_POLL_OUT ? LOOP_WRITE : 0), on_ready,
		           multi);
	return 0;
}

static int on_timer_wish(CURLM *handle, long timeout_ms, void *context)
{
	struct kube_multi *multi = context;

	(void)handle;
	loop_timer_set(multi->timer, timeout_ms < 0 ? CLOCK_NEVER : clock_monotonic_ms() + timeout_ms);
	return 0;
}

struct kube_multi *kube_multi_new(struct loop *loop)
{
	struct kube_multi *multi = xcalloc(1, sizeof(*multi));

	multi->loop = loop;
	multi->timer = loop_timer_new(loop, on_timer, multi);
	multi->handle = curl->multi_init();
	if (!multi->handle)
		abort();
	curl->multi_setopt(multi->handle, CURLMOPT_SOCKETFUNCTION, on_socket_wish);
	curl->multi_setopt(multi->handle, CURLMOPT_SOCKETDATA, multi);
	curl->multi_setopt(multi->handle, CURLMOPT_TIMERFUNCTION, on_timer_wish);
	curl->multi_setopt(multi->handle, CURLMOPT_TIMERDATA, multi);
	return multi;
}

void kube_multi_free(struct kube_multi *multi)
{
	if (!multi)
		return;
	assert(multi->transfer_count == 0);
	curl->multi_cleanup(multi->handle);
	loop_timer_free(multi->timer);
	multi->handle = NULL;
	if (!multi->finishing)
		free(multi);
}

CURLM *kube_multi_handle(struct kube_multi *multi)
{
	return multi->handle;
}

void kube_multi_add(struct kube_multi *multi, CURL *easy, kube_multi_done *done, void *context)
{
	struct transfer *transfer = xcalloc(1, sizeof(*transfer));
	CURLMcode code;

	transfer->done = done;
	transfer->context = context;
	curl->easy_setopt(easy, CURLOPT_PRIVATE, transfer);
	code = curl->multi_add_handle(multi->handle, easy);
	assert(code == CURLM_OK);
	(void)code;
	multi->transfer_count++;
}

void kube_multi_remove(struct kube_multi *multi, CURL *easy)
{
	struct transfer *transfer = NULL;

	curl->easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
	if (!transfer)
		return;
	curl->multi_remove_handle(multi->handle, easy);
	curl->easy_setopt(easy, CURLOPT_PRIVATE, NULL);
	multi->transfer_count--;
	free(transfer);
}
