/* See include/kube/libcurl.h. */
#include "kube/libcurl.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#ifdef KUBECTL_CONSUL_STATIC
#include <openssl/ssl.h>
#else
#include <dlfcn.h>
#endif

#include "util/mem.h"

/* CURLOPT_PROTOCOLS_STR is from 7.85, the newest thing we need. */
#define OLDEST_VERSION      0x075500
#define OLDEST_VERSION_TEXT "7.85.0"

static struct libcurl functions;

const struct libcurl *curl = &functions;

/* -------------------------------------------------------------------------------- where functions are */

#ifdef KUBECTL_CONSUL_STATIC

/* Everything that is looked up by its name: libcurl's functions, and those that transport_tls.c wants of libssl. */
static const struct {
	const char *name;
	void (*function)(void);
} linked[] = {
#define LINKED(function)      { #function, (void (*)(void))(function) },
#define LINKED_CURL(function) LINKED(curl_##function)
	LIBCURL_FUNCTIONS(LINKED_CURL) LINKED(SSL_CTX_use_certificate) LINKED(SSL_CTX_use_PrivateKey)
	    LINKED(SSL_CTX_ctrl) LINKED(SSL_CTX_set1_cert_store)
#undef LINKED_CURL
#undef LINKED
};

static int open_library(struct err *err)
{
	(void)err;
	return 0;
}

void *libcurl_symbol(const char *name)
{
	void *address = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(linked) && !address; i++)
		if (strcmp(linked[i].name, name) == 0)
			memcpy(&address, &linked[i].function, sizeof(address));
	return address;
}

bool libcurl_shares(const char *name)
{
	(void)name;
	return true;
}

#else

#ifdef __APPLE__
#define LIBRARY "@rpath/libcurl.4.dylib" /* Homebrew's, which has the OpenSSL that we have; not the system's */
#else
#define LIBRARY "libcurl.so.4"
#endif

static void *library; /* never closed: libraries below it register exit handlers */

static int open_library(struct err *err)
{
	const char *reason;

	if (!library)
		library = dlopen(LIBRARY, RTLD_LAZY | RTLD_LOCAL);
	if (library)
		return 0;
	reason = dlerror();
	err_set(err, ERR_FAILED, "cannot load libcurl: %s", reason ? reason : LIBRARY);
	return err_hint(err, "install libcurl %s or newer (Debian and Ubuntu: apt install libcurl4)",
	                OLDEST_VERSION_TEXT);
}

void *libcurl_symbol(const char *name)
{
	return dlsym(library, name);
}

bool libcurl_shares(const char *name)
{
	void *ours = dlsym(RTLD_DEFAULT, name);

	return ours && ours == libcurl_symbol(name);
}

#endif

/* --------------------------------------------------------------------------------------- loading them */

static const struct {
	const char *name;
	size_t offset;
} symbols[] = {
#define LIBCURL_SYMBOL(function) { "curl_" #function, offsetof(struct libcurl, function) },
	LIBCURL_FUNCTIONS(LIBCURL_SYMBOL)
#undef LIBCURL_SYMBOL
};

static int find_functions(struct libcurl *ret_functions, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(symbols); i++) {
		void *address = libcurl_symbol(symbols[i].name);

		if (!address) {
			err_set(err, ERR_FAILED, "libcurl cannot be used: it has no %s", symbols[i].name);
			return err_hint(err, "install libcurl %s or newer", OLDEST_VERSION_TEXT);
		}
		/* ISO C has no conversion from an object pointer to a function pointer; POSIX has the same bits. */
		memcpy((char *)ret_functions + symbols[i].offset, &address, sizeof(address));
	}
	return 0;
}

static int check_version(const struct libcurl *found, struct err *err)
{
	const curl_version_info_data *version;

	assert(found->version_info);
	version = found->version_info(CURLVERSION_NOW);
	if (version->version_num >= OLDEST_VERSION && version->features & CURL_VERSION_SSL)
		return 0;
	err_set(err, ERR_FAILED, "libcurl %s cannot be used: %s", version->version,
	        version->version_num < OLDEST_VERSION ? "too old" : "built without TLS");
	return err_hint(err, "install libcurl %s or newer", OLDEST_VERSION_TEXT);
}

int libcurl_load(struct err *err)
{
	struct libcurl found = { 0 };

	if (functions.easy_init)
		return 0;
	if (open_library(err) < 0 || find_functions(&found, err) < 0 || check_version(&found, err) < 0)
		return -1;
	if (found.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_set(err, ERR_FAILED, "cannot initialise libcurl");
	functions = found;
	return 0;
}

void libcurl_append(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = curl->slist_append(*list, line);

	if (!longer)
		abort();
	*list = longer;
}
