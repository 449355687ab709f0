/* See include/consul/certificate.h. */
#include "consul/certificate.h"

#include <assert.h>
#include <stdio.h>

#include <openssl/bn.h>
#include <openssl/err.h>

#include "certificate_parts.h"

#define DAY_S       ((int64_t)24 * 3600)
#define SERIAL_BITS 159
/* The longest common name that X.520 allows (ub-common-name). It is for people only: longer ones are cut. */
#define COMMON_NAME_MAX ((size_t)64)

DEFINE_POINTER_CLEANUP(GENERAL_NAMES *, GENERAL_NAMES_free)

#define _cleanup_names_ _cleanup_(GENERAL_NAMES_free_pointer)

void key_pair_release(struct key_pair *pair)
{
	free(pair->certificate);
	free_secret(pair->key);
	*pair = (struct key_pair)KEY_PAIR_INIT;
}

/* What signs: an authority, or (certificate NULL) the new certificate's own key. */
struct signer {
	X509 *certificate;
	EVP_PKEY *key;
};

/* --------------------------------------------------------------------------------------------- fields */

static bool set_serial(X509 *certificate)
{
	BIGNUM *number = BN_new();
	bool done = number && BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
	            BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));

	BN_free(number);
	return done;
}

static bool set_lifetime(X509 *certificate, int64_t from_s, int64_t until_s)
{
	return ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)from_s) &&
	       ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)until_s);
}

static bool set_common_name(X509 *certificate, const char *common_name)
{
	_cleanup_free_ char *cut = xstrndup(common_name, COMMON_NAME_MAX);
	_cleanup_free_ char *text = str_utf8(cut);
	X509_NAME *subject = X509_get_subject_name(certificate);

	/* A character that was cut in half is longer than the half. */
	while (strlen(text) > COMMON_NAME_MAX)
		text[strlen(text) - strlen("\xef\xbf\xbd")] = '\0';
	return X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8, (const unsigned char *)text, -1, -1,
	                                  0) == 1;
}

static bool add_extension(X509 *certificate, const struct signer *signer, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;
	bool added;

	X509V3_set_ctx_nodb(&context);
	X509V3_set_ctx(&context, signer->certificate ? signer->certificate : certificate, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	added = extension && X509_add_ext(certificate, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return added;
}

static bool add_key_identifiers(X509 *certificate, const struct signer *signer)
{
	if (!add_extension(certificate, signer, NID_subject_key_identifier, "hash"))
		return false;
	/* Another's authority may have none to point to. */
	if (signer->certificate && !X509_get0_subject_key_id(signer->certificate))
		return true;
	return add_extension(certificate, signer, NID_authority_key_identifier, "keyid");
}

/* Ed25519 and its like have a digest of their own. */
static const EVP_MD *find_digest(EVP_PKEY *key)
{
	char name[32];

	if (EVP_PKEY_get_default_digest_name(key, name, sizeof(name)) > 0 && (!*name || str_equal(name, "UNDEF")))
		return NULL;
	return EVP_sha256();
}

/* ---------------------------------------------------------------------------------------------- names */

static GENERAL_NAME *push_name(GENERAL_NAMES *list)
{
	GENERAL_NAME *name = GENERAL_NAME_new();

	if (!name || sk_GENERAL_NAME_push(list, name) <= 0)
		abort();
	return name;
}

static int push_dns_name(GENERAL_NAMES *list, const char *text, struct err *err)
{
	ASN1_IA5STRING *value = ASN1_IA5STRING_new();

	for (const char *c = text; *c; c++) {
		if (*c > ' ' && *c < 0x7f)
			continue;
		ASN1_IA5STRING_free(value);
		return err_set(err, ERR_INVALID, "a certificate cannot have the name \"%s\"", text);
	}
	if (!value || ASN1_STRING_set(value, text, -1) != 1)
		abort();
	GENERAL_NAME_set0_value(push_name(list), GEN_DNS, value);
	return 0;
}

static int push_address(GENERAL_NAMES *list, const char *text, struct err *err)
{
	ASN1_OCTET_STRING *value = a2i_IPADDRESS(text);

	if (!value)
		return err_set(err, ERR_INVALID, "\"%s\" is no IP address", text);
	GENERAL_NAME_set0_value(push_name(list), GEN_IPADD, value);
	return 0;
}

static int add_names(X509 *certificate, const struct certificate_request *request, struct err *err)
{
	_cleanup_names_ GENERAL_NAMES *list = GENERAL_NAMES_new();

	if (!list)
		abort();
	for (size_t i = 0; request->names && i < request->names->count; i++)
		if (push_dns_name(list, request->names->items[i], err) < 0)
			return -1;
	for (size_t i = 0; request->addresses && i < request->addresses->count; i++)
		if (push_address(list, request->addresses->items[i], err) < 0)
			return -1;
	if (sk_GENERAL_NAME_num(list) > 0 &&
	    X509_add1_ext_i2d(certificate, NID_subject_alt_name, list, 0, X509V3_ADD_APPEND) != 1)
		return certificate_failed(err, "put the names into a certificate");
	return 0;
}

void certificate_server_names(const char *datacenter, const char *name, const char *namespace_name,
                              const char *cluster_domain, struct strv *names, struct strv *addresses)
{
	char *services[] = { xstrdup(name), xasprintf("*.%s", name), xasprintf("%s-client", name) };

	strv_addf(names, "server.%s.consul", datacenter);
	strv_addf(names, "*.server.%s.consul", datacenter);
	strv_add(names, "localhost");
	for (size_t i = 0; i < ARRAY_SIZE(services); i++) {
		strv_addf(names, "%s.%s", services[i], namespace_name);
		strv_addf(names, "%s.%s.svc", services[i], namespace_name);
		strv_addf(names, "%s.%s.svc.%s", services[i], namespace_name, cluster_domain);
		strv_take(names, services[i]);
	}
	strv_add(addresses, "127.0.0.1");
	strv_add(addresses, "::1");
}

/* --------------------------------------------------------------------------------------------- making */

/* All but what the two kinds differ in, and the signature. */
static X509 *begin(const char *common_name, EVP_PKEY *key, const struct signer *signer, int64_t from_s, int64_t until_s)
{
	X509 *certificate = X509_new();
	bool done = certificate && X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
	            set_lifetime(certificate, from_s, until_s) && set_common_name(certificate, common_name) &&
	            X509_set_pubkey(certificate, key) == 1;
	X509 *issuer = signer->certificate ? signer->certificate : certificate;

	if (done && X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1)
		return certificate;
	X509_free(certificate);
	return NULL;
}

/* Both as PEM. */
static int finish(X509 *certificate, EVP_PKEY *key, const struct signer *signer, struct key_pair *ret, struct err *err)
{
	_cleanup_buf_ struct buf text = BUF_TEXT;
	char *key_text;

	if (X509_sign(certificate, signer->key, find_digest(signer->key)) <= 0)
		return certificate_failed(err, "sign a certificate");
	if (certificate_key_pem(key, &key_text, err) < 0)
		return -1;
	certificate_add_pem(&text, certificate);
	*ret = (struct key_pair){ .certificate = buf_detach(&text), .key = key_text };
	return 0;
}

int certificate_make_authority(const char *name, int64_t now_s, int64_t days, struct key_pair *ret, struct err *err)
{
	_cleanup_pkey_ EVP_PKEY *key = EVP_EC_gen("P-256");
	_cleanup_x509_ X509 *certificate = NULL;
	struct signer signer = { .key = key };

	if (key)
		certificate = begin(name, key, &signer, now_s - CERTIFICATE_BACKDATE_S, now_s + days * DAY_S);
	if (!certificate || !add_extension(certificate, &signer, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
	    !add_extension(certificate, &signer, NID_key_usage, "critical,keyCertSign,cRLSign") ||
	    !add_key_identifiers(certificate, &signer))
		return certificate_failed(err, "make a certificate authority");
	return finish(certificate, key, &signer, ret, err);
}

static int issue(const struct signer *signer, const struct certificate_request *request, int64_t from_s,
                 int64_t until_s, struct key_pair *ret, struct err *err)
{
	_cleanup_pkey_ EVP_PKEY *key = EVP_EC_gen("P-256");
	_cleanup_x509_ X509 *certificate = NULL;

	if (key)
		certificate = begin(request->common_name, key, signer, from_s, until_s);
	if (!certificate || !add_extension(certificate, signer, NID_basic_constraints, "critical,CA:FALSE") ||
	    !add_extension(certificate, signer, NID_key_usage, "critical,digitalSignature") ||
	    !add_extension(certificate, signer, NID_ext_key_usage, "serverAuth,clientAuth") ||
	    !add_key_identifiers(certificate, signer))
		return certificate_failed(err, "make a certificate");
	if (add_names(certificate, request, err) < 0)
		return -1;
	return finish(certificate, key, signer, ret, err);
}

int certificate_issue(const struct key_pair *authority, const struct certificate_request *request, int64_t now_s,
                      struct key_pair *ret, struct err *err)
{
	_cleanup_x509s_ STACK_OF(X509) *chain = NULL;
	_cleanup_pkey_ EVP_PKEY *key = NULL;
	int64_t from_s = now_s - CERTIFICATE_BACKDATE_S, until_s = now_s + request->days * DAY_S;
	int64_t authority_from_s, authority_until_s;
	struct signer signer;

	assert(authority->certificate && authority->key);
	if (certificate_load(authority->certificate, &chain, err) < 0 ||
	    certificate_load_key(authority->key, &key, err) < 0)
		return err_wrap(err, "certificate authority");
	signer = (struct signer){ .certificate = sk_X509_value(chain, 0), .key = key };
	if (X509_check_private_key(signer.certificate, key) != 1) {
		ERR_clear_error();
		return err_set(err, ERR_INVALID, "certificate authority: the key is not the certificate's");
	}
	if (certificate_time(X509_get0_notBefore(signer.certificate), &authority_from_s) < 0 ||
	    certificate_time(X509_get0_notAfter(signer.certificate), &authority_until_s) < 0)
		return err_set(err, ERR_INVALID, "certificate authority: it has no lifetime");
	if (authority_until_s <= now_s)
		return err_set(err, ERR_INVALID, "certificate authority: it has expired");
	return issue(&signer, request, from_s > authority_from_s ? from_s : authority_from_s,
	             until_s < authority_until_s ? until_s : authority_until_s, ret, err);
}
