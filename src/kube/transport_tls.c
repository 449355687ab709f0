/*
 * Certificates and keys, parsed and checked once, before anything is connected: libcurl would only say that it
 * could not use them, and would ask for the password of an encrypted key. See transport_parts.h.
 *
 * Connections get the parsed objects through libcurl's CURLOPT_SSL_CTX_FUNCTION. That needs three functions of the
 * libssl that libcurl uses, which are looked up there, and that libssl to stand on the libcrypto that we use.
 * Where that is not so (another TLS library), or a proxy is connected to by TLS, libcurl gets the PEM.
 */
#include "transport_parts.h"

#include <limits.h>
#include <string.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "util/mem.h"
#include "util/pem.h"

/* -------------------------------------------------------------------------------- parsing and checking */

/* The next certificate, or NULL at the end. Blocks that are none are passed over, as Go does. */
static X509 *next_certificate(BIO *bio)
{
	bool asked = false;

	for (;;) {
		X509 *certificate = PEM_read_bio_X509(bio, NULL, pem_no_password, &asked);

		if (certificate || ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
			return certificate;
	}
}

static int read_authorities(struct transport_tls *tls, const char *ca_pem, struct err *err)
{
	BIO *bio = pem_open(ca_pem);
	X509 *certificate;
	size_t count = 0;

	tls->authorities = X509_STORE_new();
	if (!tls->authorities)
		abort();
	/* As libcurl, and as Go: whatever is in the bundle is trusted, a root or not. */
	X509_STORE_set_flags(tls->authorities, X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
	while ((certificate = next_certificate(bio))) {
		count += X509_STORE_add_cert(tls->authorities, certificate) == 1;
		X509_free(certificate);
	}
	BIO_free(bio);
	if (count > 0)
		return 0;
	err_set(err, ERR_CONFIG, "unable to load root certificates: unable to parse bytes as PEM block");
	return err_hint(err, "the cluster's certificate-authority must be one or more certificates in PEM");
}

static void read_chain(struct transport_tls *tls, const char *pem)
{
	BIO *bio = pem_open(pem);
	X509 *certificate;

	tls->certificate = next_certificate(bio);
	tls->chain = sk_X509_new_null();
	if (!tls->chain)
		abort();
	while ((certificate = next_certificate(bio)))
		if (sk_X509_push(tls->chain, certificate) <= 0)
			abort();
	BIO_free(bio);
}

static EVP_PKEY *read_key(const char *pem, bool *ret_encrypted)
{
	BIO *bio = pem_open(pem);
	EVP_PKEY *key;

	*ret_encrypted = false;
	key = PEM_read_bio_PrivateKey(bio, NULL, pem_no_password, ret_encrypted);
	BIO_free(bio);
	return key;
}

static int read_pair(struct transport_tls *tls, const char *certificate_pem, const char *key_pem, struct err *err)
{
	bool encrypted;

	read_chain(tls, certificate_pem);
	if (!tls->certificate)
		return err_set(err, ERR_CONFIG, "tls: failed to find any PEM data in certificate input");
	tls->key = read_key(key_pem, &encrypted);
	if (!tls->key && encrypted) {
		err_set(err, ERR_CONFIG, "the client key is encrypted");
		return err_hint(err, "decrypt it first: openssl pkey -in KEY -out NEW-KEY");
	}
	if (!tls->key)
		return err_set(err, ERR_CONFIG, "tls: failed to find any PEM data in key input");
	if (X509_check_private_key(tls->certificate, tls->key) != 1)
		return err_set(err, ERR_CONFIG, "tls: private key does not match public key");
	return 0;
}

static int read_client(struct transport_tls *tls, const struct kube_config *config, struct err *err)
{
	const char *user = config->user ? config->user : "";

	if (!config->client_cert_pem || !config->client_key_pem)
		return err_set(err, ERR_CONFIG, "user \"%s\": client certificate and client key belong together", user);
	if (read_pair(tls, config->client_cert_pem, config->client_key_pem, err) < 0)
		return err_wrap(err, "user \"%s\"", user);
	return 0;
}

int transport_tls_check(const char *certificate_pem, const char *key_pem, struct err *err)
{
	struct transport_tls tls = { 0 };
	int status = read_pair(&tls, certificate_pem, key_pem, err);

	ERR_clear_error();
	transport_tls_release(&tls);
	return status;
}

int64_t transport_tls_not_after_s(const struct transport_tls *tls)
{
	struct tm utc;

	if (!tls->certificate || ASN1_TIME_to_tm(X509_get0_notAfter(tls->certificate), &utc) != 1)
		return INT64_MAX;
	return (int64_t)timegm(&utc);
}

/* ------------------------------------------------------------------------------- giving it to libcurl */

/* The cluster's authorities, else the system's; NULL: neither, so that libcurl's own are left. */
static char *trusted_pem(const struct kube_config *config)
{
	return config->ca_pem ? config->ca_pem : config->system_ca_pem;
}

static struct {
	__typeof__(&SSL_CTX_use_certificate) use_certificate;
	__typeof__(&SSL_CTX_use_PrivateKey) use_key;
	__typeof__(&SSL_CTX_ctrl) control;
	__typeof__(&SSL_CTX_set1_cert_store) set_authorities;
} ssl;

static bool find(const char *name, void *function, size_t size)
{
	void *address = libcurl_symbol(name);

	memcpy(function, &address, size);
	return address != NULL;
}

/* True when libcurl's libssl is there and uses the same libcrypto as we. */
static bool find_libssl(void)
{
	return libcurl_shares("X509_STORE_new") &&
	       find("SSL_CTX_use_certificate", &ssl.use_certificate, sizeof(ssl.use_certificate)) &&
	       find("SSL_CTX_use_PrivateKey", &ssl.use_key, sizeof(ssl.use_key)) &&
	       find("SSL_CTX_ctrl", &ssl.control, sizeof(ssl.control)) &&
	       find("SSL_CTX_set1_cert_store", &ssl.set_authorities, sizeof(ssl.set_authorities));
}

/* libcurl has made the context of a new connection. */
static CURLcode on_context(CURL *easy, void *context, void *shared)
{
	const struct transport_tls *tls = shared;

	(void)easy;
	if (tls->authorities)
		ssl.set_authorities(context, tls->authorities);
	if (!tls->certificate)
		return CURLE_OK;
	if (ssl.use_certificate(context, tls->certificate) != 1 || ssl.use_key(context, tls->key) != 1 ||
	    ssl.control(context, SSL_CTRL_CHAIN, 1, tls->chain) != 1)
		return CURLE_SSL_CERTPROBLEM;
	return CURLE_OK;
}

static CURLcode set_blob(CURL *easy, CURLoption option, char *pem)
{
	struct curl_blob blob = { .data = pem, .flags = CURL_BLOB_NOCOPY };

	if (!pem)
		return CURLE_OK;
	blob.len = strlen(pem);
	return curl->easy_setopt(easy, option, &blob);
}

/* How the material gets to the connections; -1: this libcurl takes it in neither way. */
static int find_way(struct transport_tls *tls, const struct kube_config *config, struct err *err)
{
	CURL *easy = curl->easy_init();
	bool takes_pem;

	if (!easy)
		abort();
	/* The context of a connection to a proxy comes to on_context too, and nothing tells it apart. */
	tls->is_shared = find_libssl() && config->proxy.kind != KUBE_PROXY_HTTPS &&
	                 curl->easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_context) == CURLE_OK;
	takes_pem = set_blob(easy, CURLOPT_CAINFO_BLOB, trusted_pem(config)) == CURLE_OK &&
	            set_blob(easy, CURLOPT_SSLCERT_BLOB, config->client_cert_pem) == CURLE_OK;
	curl->easy_cleanup(easy);
	if (tls->is_shared || takes_pem)
		return 0;
	err_set(err, ERR_FAILED, "libcurl's TLS library (%s) takes no certificates from memory",
	        curl->version_info(CURLVERSION_NOW)->ssl_version);
	return err_hint(err, "install a libcurl that is built with OpenSSL");
}

void transport_tls_apply(struct transport_tls *tls, const struct kube_config *config, CURL *easy)
{
	curl->easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl->easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, config->insecure ? 0L : 1L);
	curl->easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, config->insecure ? 0L : 2L);
	/* The cluster's authority only: libcurl would trust the system's beside it, and read them even to no purpose.
	 */
	if (trusted_pem(config) || config->insecure) {
		curl->easy_setopt(easy, CURLOPT_CAINFO, NULL);
		curl->easy_setopt(easy, CURLOPT_CAPATH, NULL);
	}
	if (tls->is_shared) {
		curl->easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_context);
		curl->easy_setopt(easy, CURLOPT_SSL_CTX_DATA, tls);
		return;
	}
	if (!config->insecure)
		set_blob(easy, CURLOPT_CAINFO_BLOB, trusted_pem(config));
	set_blob(easy, CURLOPT_SSLCERT_BLOB, config->client_cert_pem);
	set_blob(easy, CURLOPT_SSLKEY_BLOB, config->client_key_pem);
}

static void copy_blob(CURL *easy, CURLoption option, const char *pem)
{
	struct curl_blob blob = { .len = strlen(pem), .flags = CURL_BLOB_COPY };

	memcpy(&blob.data, &pem, sizeof(blob.data)); /* it is only read, but not declared so */
	if (curl->easy_setopt(easy, option, &blob) != CURLE_OK)
		abort();
}

/* By PEM in any case: libcurl compares it when it looks for a connection to be used again. */
void transport_tls_apply_client(const char *certificate_pem, const char *key_pem, CURL *easy)
{
	copy_blob(easy, CURLOPT_SSLCERT_BLOB, certificate_pem);
	copy_blob(easy, CURLOPT_SSLKEY_BLOB, key_pem);
}

/* ------------------------------------------------------------------------------------ init, release */

int transport_tls_init(struct transport_tls *tls, const struct kube_config *config, struct err *err)
{
	int status = 0;

	if (trusted_pem(config) && !config->insecure)
		status = read_authorities(tls, trusted_pem(config), err);
	if (status == 0 && (config->client_cert_pem || config->client_key_pem))
		status = read_client(tls, config, err);
	/* libcurl takes what is left in this queue for the cause of its own next failure. */
	ERR_clear_error();
	return status == 0 ? find_way(tls, config, err) : -1;
}

void transport_tls_release(struct transport_tls *tls)
{
	X509_STORE_free(tls->authorities);
	X509_free(tls->certificate);
	sk_X509_pop_free(tls->chain, X509_free);
	EVP_PKEY_free(tls->key);
	*tls = (struct transport_tls){ 0 };
}
