/* See include/kube/client.h. */
#include "kube/client.h"

#include <assert.h>

#include "client_parts.h"
#include "util/clock.h"
#include "util/mem.h"

/* Idle requests that are kept, each with an easy handle of a few KiB. */
#define SPARE_MAX 16

/* --------------------------------------------------------------------------------------- new, free */

int kube_client_new(struct loop *loop, const struct kube_config *config, const struct kube_client_options *options,
                    struct kube_client **ret_client, struct err *err)
{
	struct kube_transport *transport = NULL;
	struct kube_client *client;

	if (kube_transport_new(config, options->command, &transport, err) < 0)
		return -1;
	kube_transport_set_loop(transport, loop);
	client = xcalloc(1, sizeof(*client));
	client->loop = loop;
	client->config = config;
	client->options = options;
	client->transport = transport;
	client->multi = kube_multi_new(loop);
	curl->multi_setopt(kube_multi_handle(client->multi), CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
	*ret_client = client;
	return 0;
}

void kube_client_free(struct kube_client *client)
{
	if (!client)
		return;
	if (client->pool)
		client->release_pool(client->pool);
	while (client->active)
		kube_client_cancel(client, client->active->call);
	while (client->spare) {
		struct kube_request *request = client->spare;

		client->spare = request->next;
		request_free(request);
	}
	kube_multi_free(client->multi);
	kube_transport_free(client->transport);
	strv_release(&client->warnings);
	free(client);
}

const struct strv *kube_client_warnings(const struct kube_client *client)
{
	return &client->warnings;
}

struct loop *kube_client_loop(struct kube_client *client)
{
	return client->loop;
}

struct kube_transport *kube_client_transport(struct kube_client *client)
{
	return client->transport;
}

struct kube_websocket_pool **kube_client_pool(struct kube_client *client)
{
	return &client->pool;
}

void kube_client_set_pool_release(struct kube_client *client, void (*release)(struct kube_websocket_pool *pool))
{
	client->release_pool = release;
}

/* ----------------------------------------------------------------------------------------- requests */

const char *kube_method_name(enum kube_method method)
{
	static const char *const names[] = {
		[KUBE_GET] = "GET",     [KUBE_POST] = "POST",     [KUBE_PUT] = "PUT",
		[KUBE_PATCH] = "PATCH", [KUBE_DELETE] = "DELETE",
	};

	return names[method];
}

static struct kube_request *take_request(struct kube_client *client)
{
	struct kube_request *request = client->spare;

	if (!request) {
		request = request_new(client);
	} else {
		client->spare = request->next;
		client->spare_count--;
	}
	request->previous = NULL;
	request->next = client->active;
	if (request->next)
		request->next->previous = request;
	client->active = request;
	return request;
}

/* Out of the active ones; kept for later, or freed. */
static void put_back(struct kube_request *request)
{
	struct kube_client *client = request->client;

	if (request->previous)
		request->previous->next = request->next;
	else
		client->active = request->next;
	if (request->next)
		request->next->previous = request->previous;
	loop_timer_set(request->timer, CLOCK_NEVER);
	request->call = NULL;
	if (client->spare_count == SPARE_MAX) {
		request_free(request);
		return;
	}
	request->next = client->spare;
	client->spare = request;
	client->spare_count++;
}

void request_end(struct kube_request *request)
{
	struct kube_call *call = request->call;
	kube_call_done *done = request->done;
	void *context = request->context;

	put_back(request);
	done(context, call);
}

static struct kube_request *find_request(struct kube_client *client, const struct kube_call *call)
{
	struct kube_request *request = client->active;

	while (request && request->call != call)
		request = request->next;
	return request;
}

void kube_client_start(struct kube_client *client, struct kube_call *call, int64_t deadline_ms, kube_call_done *done,
                       void *context)
{
	struct kube_request *request = take_request(client);
	const int64_t timeout_ms = client->options->request_timeout_ms;

	assert(!err_is_set(&call->err) && !call->json && call->path && *call->path == '/');
	request->call = call;
	request->done = done;
	request->context = context;
	request->begun_ms = clock_monotonic_ms();
	request->deadline_ms = deadline_ms;
	if (timeout_ms > 0 && timeout_ms < deadline_ms - request->begun_ms)
		request->deadline_ms = request->begun_ms + timeout_ms;
	request->was_renewed = false;
	call->retries = 0;
	request_send(request);
}

void kube_client_cancel(struct kube_client *client, struct kube_call *call)
{
	struct kube_request *request = find_request(client, call);

	if (!request)
		return;
	request_abandon(request);
	put_back(request);
}

/* ------------------------------------------------------------------------------------------ perform */

static void count_down(void *context, struct kube_call *call)
{
	size_t *left = context;

	(void)call;
	(*left)--;
}

static bool is_zero(void *context)
{
	const size_t *left = context;

	return *left == 0;
}

int kube_client_perform(struct kube_client *client, struct kube_call *calls, size_t count, int64_t deadline_ms,
                        struct err *err)
{
	size_t left = count;

	for (size_t i = 0; i < count; i++)
		kube_client_start(client, &calls[i], deadline_ms, count_down, &left);
	/* Each call ends at its own deadline, so the loop needs none. */
	if (loop_run(client->loop, is_zero, &left, CLOCK_NEVER, err) == 0)
		return 0;
	for (size_t i = 0; i < count; i++) {
		if (!find_request(client, &calls[i]))
			continue;
		kube_client_cancel(client, &calls[i]);
		if (!err_is_set(&calls[i].err))
			err_copy(&calls[i].err, err);
	}
	return -1;
}

void kube_call_release(struct kube_call *call)
{
	cJSON_Delete(call->json);
	call->json = NULL;
	call->http_status = 0;
	call->retries = 0;
	err_release(&call->err);
}
