/* See include/consul/certificate.h. */
#include "consul/certificate.h"

#include <arpa/inet.h>

#include <openssl/err.h>

#include "certificate_parts.h"
#include "consul/value.h"

#define DAY_S ((int64_t)24 * 3600)

DEFINE_POINTER_CLEANUP(GENERAL_NAMES *, GENERAL_NAMES_free)
DEFINE_POINTER_CLEANUP(X509_STORE *, X509_STORE_free)
DEFINE_POINTER_CLEANUP(X509_STORE_CTX *, X509_STORE_CTX_free)

/* ------------------------------------------------------------------------------------ what it says */

/* "CN=server.dc1.consul,O=example": the nearest first, as RFC 2253 writes it, UTF-8 as it is. */
static char *name_text(const X509_NAME *name)
{
	_cleanup_bio_ BIO *bio = BIO_new(BIO_s_mem());
	_cleanup_free_ char *copy = NULL;
	char *text = NULL;
	long length;

	if (!bio)
		abort();
	X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB);
	length = BIO_get_mem_data(bio, &text);
	copy = length > 0 ? xstrndup(text, (size_t)length) : xstrdup("");
	return str_visible(copy, VALUE_MAX);
}

static char *fingerprint(const X509 *certificate)
{
	_cleanup_buf_ struct buf text = BUF_TEXT;
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int length = 0;

	if (X509_digest(certificate, EVP_sha256(), digest, &length) != 1)
		abort();
	for (unsigned int i = 0; i < length; i++)
		buf_addf(&text, "%02x", digest[i]);
	return buf_detach(&text);
}

static void add_dns_name(struct strv *names, const ASN1_STRING *value)
{
	const char *bytes = (const char *)ASN1_STRING_get0_data(value);
	size_t length = (size_t)ASN1_STRING_length(value);
	_cleanup_free_ char *copy = NULL;

	/* A NUL inside is somebody's trick: the name is none. */
	if (length == 0 || length > VALUE_MAX || memchr(bytes, '\0', length))
		return;
	copy = xstrndup(bytes, length);
	strv_take(names, str_visible(copy, 0));
}

static void add_address(struct strv *names, const ASN1_STRING *value)
{
	int length = ASN1_STRING_length(value);
	char text[INET6_ADDRSTRLEN];

	if (length != 4 && length != 16)
		return;
	if (inet_ntop(length == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(value), text, sizeof(text)))
		strv_add(names, text);
}

static void read_names(const X509 *certificate, struct strv *names)
{
	_cleanup_(GENERAL_NAMES_free_pointer) GENERAL_NAMES *list =
	    X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);

	for (int i = 0; list && i < sk_GENERAL_NAME_num(list); i++) {
		int type;
		const ASN1_STRING *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(list, i), &type);

		if (type == GEN_DNS)
			add_dns_name(names, value);
		else if (type == GEN_IPADD)
			add_address(names, value);
	}
}

int certificate_read(const char *pem, struct certificate *ret, struct err *err)
{
	_cleanup_x509s_ STACK_OF(X509) *list = NULL;
	struct certificate read = CERTIFICATE_INIT;
	X509 *certificate;

	if (certificate_load(pem, &list, err) < 0)
		return -1;
	certificate = sk_X509_value(list, 0);
	if (certificate_time(X509_get0_notBefore(certificate), &read.not_before) < 0 ||
	    certificate_time(X509_get0_notAfter(certificate), &read.not_after) < 0)
		return err_set(err, ERR_INVALID, "the certificate has no lifetime that can be read");
	read.known = true;
	read.subject = name_text(X509_get_subject_name(certificate));
	read.issuer = name_text(X509_get_issuer_name(certificate));
	read.fingerprint = fingerprint(certificate);
	read.is_authority = X509_check_ca(certificate) == 1;
	read_names(certificate, &read.names);
	ERR_clear_error();
	*ret = read;
	return 0;
}

void certificate_release(struct certificate *certificate)
{
	free(certificate->subject);
	free(certificate->issuer);
	free(certificate->fingerprint);
	strv_release(&certificate->names);
	*certificate = (struct certificate)CERTIFICATE_INIT;
}

int64_t certificate_days_left(const struct certificate *certificate, int64_t now_s)
{
	int64_t left_s = certificate->not_after - now_s;

	/* Down, not towards 0: a second after the end is -1, not a last day. */
	return left_s >= 0 ? left_s / DAY_S : -((-left_s - 1) / DAY_S) - 1;
}

/* RFC 6125: the wildcard is the whole first label, and stands for one. */
static bool name_matches(const char *pattern, const char *name)
{
	const char *rest;

	if (str_equal_nocase(pattern, name))
		return true;
	rest = strchr(name, '.');
	return str_starts_with(pattern, "*.") && rest && rest != name && str_equal_nocase(pattern + 1, rest);
}

bool certificate_has_name(const struct certificate *certificate, const char *name)
{
	for (size_t i = 0; i < certificate->names.count; i++)
		if (name_matches(certificate->names.items[i], name))
			return true;
	return false;
}

/* --------------------------------------------------------------------------------- whether it is trusted */

static X509_STORE *make_store(STACK_OF(X509) * authorities)
{
	X509_STORE *store = X509_STORE_new();

	if (!store)
		abort();
	/* As Go: whatever is in the bundle is trusted, a root or not. */
	X509_STORE_set_flags(store, X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
	for (int i = 0; i < sk_X509_num(authorities); i++)
		X509_STORE_add_cert(store, sk_X509_value(authorities, i));
	return store;
}

int certificate_verify(const char *leaf_pem, const char *bundle_pem, int64_t now_s, struct err *err)
{
	_cleanup_x509s_ STACK_OF(X509) *chain = NULL, *authorities = NULL;
	_cleanup_(X509_STORE_free_pointer) X509_STORE *store = NULL;
	_cleanup_(X509_STORE_CTX_free_pointer) X509_STORE_CTX *context = X509_STORE_CTX_new();
	int verified;

	if (certificate_load(leaf_pem, &chain, err) < 0)
		return err_wrap(err, "certificate");
	if (certificate_load(bundle_pem, &authorities, err) < 0)
		return err_wrap(err, "certificate authority");
	store = make_store(authorities);
	if (!context || X509_STORE_CTX_init(context, store, sk_X509_value(chain, 0), chain) != 1)
		abort();
	X509_STORE_CTX_set_time(context, 0, (time_t)now_s);
	verified = X509_verify_cert(context);
	ERR_clear_error();
	if (verified == 1)
		return 0;
	return err_set(err, ERR_INVALID, "%s", X509_verify_cert_error_string(X509_STORE_CTX_get_error(context)));
}

/* -------------------------------------------------------------------------------------------- bundles */

static void add_once(STACK_OF(X509) * to, STACK_OF(X509) * from)
{
	for (int i = 0; i < sk_X509_num(from); i++) {
		X509 *certificate = sk_X509_value(from, i);
		bool there = false;

		for (int j = 0; j < sk_X509_num(to) && !there; j++)
			there = X509_cmp(sk_X509_value(to, j), certificate) == 0;
		if (!there && (X509_up_ref(certificate) != 1 || sk_X509_push(to, certificate) <= 0))
			abort();
	}
}

int certificate_bundle(const char *first, const char *second, char **ret_bundle, struct err *err)
{
	_cleanup_x509s_ STACK_OF(X509) *one = NULL, *two = NULL, *all = sk_X509_new_null();
	_cleanup_buf_ struct buf text = BUF_TEXT;

	if (!all)
		abort();
	if (certificate_load(first, &one, err) < 0 || (second && certificate_load(second, &two, err) < 0))
		return -1;
	add_once(all, one);
	if (two)
		add_once(all, two);
	for (int i = 0; i < sk_X509_num(all); i++)
		certificate_add_pem(&text, sk_X509_value(all, i));
	ERR_clear_error();
	*ret_bundle = buf_detach(&text);
	return 0;
}
