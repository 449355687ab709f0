/*
 * The config's certificates and key, checked once before anything is connected: libcurl would only say that it
 * could not use them, and would ask for the password of an encrypted key. See transport_parts.h.
 */
#include "transport_parts.h"

#include <limits.h>
#include <string.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "util/clock.h"
#include "util/mem.h"

DEFINE_POINTER_CLEANUP(X509 *, X509_free)
DEFINE_POINTER_CLEANUP(EVP_PKEY *, EVP_PKEY_free)

/* Never a prompt: notes that a password was asked for, and gives none. */
static int no_password(char *password, int size, int for_writing, void *context)
{
	bool *asked = context;

	(void)password;
	(void)size;
	(void)for_writing;
	*asked = true;
	return -1;
}

/* The first certificate of a PEM text, or NULL. */
static X509 *read_certificate(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	bool asked = false;
	X509 *certificate;

	if (!bio)
		abort();
	certificate = PEM_read_bio_X509(bio, NULL, no_password, &asked);
	BIO_free(bio);
	return certificate;
}

static EVP_PKEY *read_key(const char *pem, bool *ret_encrypted)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key;

	if (!bio)
		abort();
	*ret_encrypted = false;
	key = PEM_read_bio_PrivateKey(bio, NULL, no_password, ret_encrypted);
	BIO_free(bio);
	return key;
}

static int64_t not_after(const X509 *certificate)
{
	struct tm utc;

	if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &utc) != 1)
		return INT64_MAX;
	return (int64_t)timegm(&utc);
}

static int check_authority(const char *ca_pem, struct err *err)
{
	_cleanup_(X509_free_pointer) X509 *certificate = read_certificate(ca_pem);

	if (certificate)
		return 0;
	err_set(err, ERR_CONFIG, "unable to load root certificates: unable to parse bytes as PEM block");
	return err_hint(err, "the cluster's certificate-authority must be one or more certificates in PEM");
}

static int check_client(const struct kube_config *config, int64_t *ret_not_after_s, struct err *err)
{
	const char *user = config->user ? config->user : "";
	_cleanup_(X509_free_pointer) X509 *certificate = NULL;
	_cleanup_(EVP_PKEY_free_pointer) EVP_PKEY *key = NULL;
	bool encrypted = false;

	if (!config->client_cert_pem || !config->client_key_pem)
		return err_set(err, ERR_CONFIG, "user \"%s\": client certificate and client key belong together", user);
	certificate = read_certificate(config->client_cert_pem);
	if (!certificate)
		return err_set(err, ERR_CONFIG,
			       "user \"%s\": tls: failed to find any PEM data in certificate input", user);
	key = read_key(config->client_key_pem, &encrypted);
	if (!key && encrypted) {
		err_set(err, ERR_CONFIG, "user \"%s\": the client key is encrypted", user);
		return err_hint(err, "decrypt it first: openssl pkey -in KEY -out NEW-KEY");
	}
	if (!key)
		return err_set(err, ERR_CONFIG, "user \"%s\": tls: failed to find any PEM data in key input", user);
	if (X509_check_private_key(certificate, key) != 1)
		return err_set(err, ERR_CONFIG, "user \"%s\": tls: private key does not match public key", user);
	*ret_not_after_s = not_after(certificate);
	return 0;
}

int transport_check_tls(const struct kube_config *config, int64_t *ret_client_not_after_s, struct err *err)
{
	int64_t client_not_after_s = INT64_MAX;
	int status = 0;

	if (config->ca_pem && !config->insecure)
		status = check_authority(config->ca_pem, err);
	if (status == 0 && (config->client_cert_pem || config->client_key_pem))
		status = check_client(config, &client_not_after_s, err);
	/* libcurl takes what is left in this queue for the cause of its own next failure. */
	ERR_clear_error();
	if (status == 0)
		*ret_client_not_after_s = client_not_after_s;
	return status;
}

bool transport_client_expired(const struct kube_transport *transport)
{
	return transport->client_not_after_s < clock_wall_s();
}
