/*
 * kube/multi.h - a libcurl multi handle driven by our loop (util/loop.h): socket and timer callbacks.
 *
 * REST calls, the connections of WebSockets, and requests inside tunnels have one each, all on one loop.
 */
#ifndef KUBE_MULTI_H
#define KUBE_MULTI_H

#include "kube/libcurl.h"
#include "util/loop.h"

struct kube_multi;

/* Called from loop_run when a transfer has ended; the easy handle is still in the multi. */
typedef void kube_multi_done(void *context, CURL *easy, CURLcode code);

struct kube_multi *kube_multi_new(struct loop *loop);
void kube_multi_free(struct kube_multi *multi); /* every easy handle must have been removed. NULL is fine */

/* Sets the multi's own options (CURLMOPT_…) through this handle. Borrowed. */
CURLM *kube_multi_handle(struct kube_multi *multi);

/* Adds an easy handle; its CURLOPT_PRIVATE belongs to kube_multi from now on. */
void kube_multi_add(struct kube_multi *multi, CURL *easy, kube_multi_done *done, void *context);

/* Takes it out again (always before curl_easy_cleanup); its connection closes if it was CONNECT_ONLY. Safe in done. */
void kube_multi_remove(struct kube_multi *multi, CURL *easy);

#endif
