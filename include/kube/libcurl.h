/*
 * kube/libcurl.h - the functions of libcurl that we use, loaded when the first connection is needed.
 *
 * A dynamic libcurl brings some thirty libraries, whose loading and constructors cost more than everything
 * `--help`, `explain` or completion do. So the library is opened at first use (libcurl_load), and its functions
 * are called through this table: `curl->easy_init()`. Types and constants come from <curl/curl.h> at build time.
 * In a static build (KUBECTL_CONSUL_STATIC) all of them are linked in, and the table is filled from what is there.
 */
#ifndef KUBE_LIBCURL_H
#define KUBE_LIBCURL_H

#include <stdbool.h>

#include <curl/curl.h>

#include "util/err.h"

/* curl_easy_setopt and friends are macros for type checks in some versions: the table needs the functions. */
#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

#define LIBCURL_FUNCTIONS(X)                                                                       \
	X(global_init) X(easy_init) X(easy_setopt) X(easy_getinfo) X(easy_cleanup) X(easy_recv)     \
	X(easy_send) X(easy_strerror) X(easy_pause) X(multi_init) X(multi_setopt)                   \
	X(multi_add_handle) X(multi_remove_handle) X(multi_socket_action) X(multi_info_read)        \
	X(multi_cleanup) X(slist_append) X(slist_free_all) X(version_info)

struct libcurl {
#define LIBCURL_MEMBER(function) __typeof__(&curl_##function) function;
	LIBCURL_FUNCTIONS(LIBCURL_MEMBER)
#undef LIBCURL_MEMBER
};

/* Valid once libcurl_load has succeeded. */
extern const struct libcurl *curl;

/* Loads and initialises libcurl, once; later calls do nothing. ERR_FAILED with a hint when it is not installed. */
int libcurl_load(struct err *err) __attribute__((warn_unused_result));

/* Adds a copy of the line at the end of the list. */
void libcurl_append(struct curl_slist **list, const char *line);

/* A function of a library below libcurl, as its TLS library. NULL when there is none of that name. */
void *libcurl_symbol(const char *name);

/* True when the function of that name that the program itself calls is the one that libcurl calls. */
bool libcurl_shares(const char *name);

#endif
