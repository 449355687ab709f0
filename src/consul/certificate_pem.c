/* See certificate_parts.h. */
#include "certificate_parts.h"

#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "util/pem.h"

void certificate_list_free(STACK_OF(X509) * *list)
{
	sk_X509_pop_free(*list, X509_free);
}

int certificate_failed(struct err *err, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return err_set(err, ERR_FAILED, "cannot %s: %s", what, reason ? reason : "OpenSSL gives no reason");
}

/* NULL at the end, and with *ret_broken set at a block that is no certificate although it says so. */
static X509 *next_certificate(BIO *bio, bool *ret_broken)
{
	bool asked = false;
	X509 *certificate = PEM_read_bio_X509(bio, NULL, pem_no_password, &asked);

	*ret_broken = !certificate && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE;
	ERR_clear_error();
	return certificate;
}

int certificate_load(const char *pem, STACK_OF(X509) * *ret_list, struct err *err)
{
	_cleanup_bio_ BIO *bio = pem_open(pem);
	_cleanup_x509s_ STACK_OF(X509) *list = sk_X509_new_null();
	X509 *certificate;
	bool broken;

	if (!list)
		abort();
	while ((certificate = next_certificate(bio, &broken)))
		if (sk_X509_push(list, certificate) <= 0)
			abort();
	if (broken)
		return err_set(err, ERR_INVALID, "certificate %d of it cannot be read", sk_X509_num(list) + 1);
	if (sk_X509_num(list) == 0)
		return err_set(err, ERR_INVALID, "it has no certificate in PEM (\"-----BEGIN CERTIFICATE-----\")");
	*ret_list = TAKE(list);
	return 0;
}

int certificate_load_key(const char *pem, EVP_PKEY **ret_key, struct err *err)
{
	_cleanup_bio_ BIO *bio = pem_open(pem);
	bool encrypted = false;
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, pem_no_password, &encrypted);

	ERR_clear_error();
	if (!key && encrypted) {
		err_set(err, ERR_INVALID, "the key is encrypted");
		return err_hint(err, "decrypt it first: openssl pkey -in KEY -out NEW-KEY");
	}
	if (!key)
		return err_set(err, ERR_INVALID, "it has no private key in PEM (\"-----BEGIN PRIVATE KEY-----\")");
	*ret_key = key;
	return 0;
}

static BIO *open_memory(void)
{
	BIO *bio = BIO_new(BIO_s_mem());

	if (!bio)
		abort();
	return bio;
}

void certificate_add_pem(struct buf *out, X509 *certificate)
{
	_cleanup_bio_ BIO *bio = open_memory();
	char *text;
	long length;

	if (PEM_write_bio_X509(bio, certificate) != 1)
		abort();
	length = BIO_get_mem_data(bio, &text);
	if (buf_add(out, text, (size_t)length) < 0)
		abort();
}

/* The BIO's memory is wiped when it is freed, and when it grows. */
int certificate_key_pem(EVP_PKEY *key, char **ret_pem, struct err *err)
{
	_cleanup_bio_ BIO *bio = open_memory();
	char *text;
	long length;

	if (PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
		return certificate_failed(err, "write a private key");
	length = BIO_get_mem_data(bio, &text);
	*ret_pem = xstrndup(text, (size_t)length);
	return 0;
}

int certificate_time(const ASN1_TIME *field, int64_t *ret_s)
{
	struct tm utc;

	if (!field || ASN1_TIME_to_tm(field, &utc) != 1) {
		ERR_clear_error();
		return -1;
	}
	*ret_s = (int64_t)timegm(&utc);
	return 0;
}
