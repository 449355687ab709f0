/* See pki.h. */
#include "pki.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "util/buf.h"
#include "util/mem.h"

#define HOUR_S    3600L
#define LOCAL_SAN "IP:127.0.0.1,IP:::1,DNS:localhost"

struct authority {
	X509 *certificate;
	EVP_PKEY *key;
	char *pem;
};

struct pki {
	struct authority good;
	struct authority other;
	struct pki_pair clients[PKI_CLIENT_COUNT];
	struct pki_pair servers[PKI_SERVER_COUNT];
	char *encrypted_key;
	long serial;
};

/* What goes into one certificate. */
struct request {
	const char *common_name;
	const char *organization; /* NULL: none */
	const char *san;          /* NULL: none */
	const char *usage;        /* extendedKeyUsage; NULL: an authority */
	long from_s, until_s;     /* from now */
};

static void require(int fine, const char *what)
{
	if (fine)
		return;
	fprintf(stderr, "pki: %s failed\n", what);
	abort();
}

/* The content of a memory BIO, which is freed. */
static char *bio_text(BIO *bio)
{
	char *data = NULL;
	long length = BIO_get_mem_data(bio, &data);
	char *text = xstrndup(data, (size_t)length);

	BIO_free(bio);
	return text;
}

static char *certificate_pem(X509 *certificate)
{
	BIO *bio = BIO_new(BIO_s_mem());

	require(PEM_write_bio_X509(bio, certificate), "PEM_write_bio_X509");
	return bio_text(bio);
}

static char *key_pem(EVP_PKEY *key, const char *pass_phrase)
{
	BIO *bio = BIO_new(BIO_s_mem());
	const EVP_CIPHER *cipher = pass_phrase ? EVP_aes_256_cbc() : NULL;
	int length = pass_phrase ? (int)strlen(pass_phrase) : 0;

	require(PEM_write_bio_PKCS8PrivateKey(bio, key, cipher, pass_phrase, length, NULL, NULL), "PEM_write key");
	return bio_text(bio);
}

static void add_name(X509_NAME *name, const char *field, const char *value)
{
	const unsigned char *bytes = (const unsigned char *)value;

	require(X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, bytes, -1, -1, 0), "X509_NAME_add_entry");
}

static void add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;

	X509V3_set_ctx_nodb(&context);
	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	require(extension && X509_add_ext(certificate, extension, -1), value);
	X509_EXTENSION_free(extension);
}

/* authority NULL: signs itself. */
static X509 *issue(struct pki *pki, const struct authority *authority, EVP_PKEY *key, const struct request *request)
{
	X509 *certificate = X509_new();
	X509 *issuer = authority ? authority->certificate : certificate;

	require(certificate != NULL, "X509_new");
	X509_set_version(certificate, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++pki->serial);
	X509_gmtime_adj(X509_getm_notBefore(certificate), request->from_s);
	X509_gmtime_adj(X509_getm_notAfter(certificate), request->until_s);
	X509_set_pubkey(certificate, key);
	add_name(X509_get_subject_name(certificate), "CN", request->common_name);
	if (request->organization)
		add_name(X509_get_subject_name(certificate), "O", request->organization);
	X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
	add_extension(certificate, issuer, NID_basic_constraints, request->usage ? "CA:FALSE" : "critical,CA:TRUE");
	add_extension(certificate, issuer, NID_key_usage,
	              request->usage ? "critical,digitalSignature" : "critical,keyCertSign,cRLSign");
	if (request->usage)
		add_extension(certificate, issuer, NID_ext_key_usage, request->usage);
	add_extension(certificate, issuer, NID_subject_key_identifier, "hash");
	if (authority)
		add_extension(certificate, issuer, NID_authority_key_identifier, "keyid");
	if (request->san)
		add_extension(certificate, issuer, NID_subject_alt_name, request->san);
	require(X509_sign(certificate, authority ? authority->key : key, EVP_sha256()), "X509_sign");
	return certificate;
}

static EVP_PKEY *new_key(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");

	require(key != NULL, "EVP_EC_gen");
	return key;
}

static void make_authority(struct pki *pki, struct authority *authority, const char *name)
{
	struct request request = { .common_name = name, .from_s = -HOUR_S, .until_s = 24 * HOUR_S };

	authority->key = new_key();
	authority->certificate = issue(pki, NULL, authority->key, &request);
	authority->pem = certificate_pem(authority->certificate);
}

static void make_pair(struct pki *pki, const struct authority *authority, EVP_PKEY *key, const struct request *request,
                      struct pki_pair *ret_pair)
{
	X509 *certificate = issue(pki, authority, key, request);

	ret_pair->certificate = certificate_pem(certificate);
	ret_pair->key = key_pem(key, NULL);
	X509_free(certificate);
}

static void make_clients(struct pki *pki)
{
	EVP_PKEY *key = new_key();
	struct request good = { .common_name = "tester",
		                .organization = "testers",
		                .usage = "clientAuth",
		                .from_s = -HOUR_S,
		                .until_s = 24 * HOUR_S };
	struct request expired = good;

	expired.from_s = -48 * HOUR_S;
	expired.until_s = -24 * HOUR_S;
	make_pair(pki, &pki->good, key, &good, &pki->clients[PKI_CLIENT_GOOD]);
	make_pair(pki, &pki->good, key, &expired, &pki->clients[PKI_CLIENT_EXPIRED]);
	make_pair(pki, &pki->other, key, &good, &pki->clients[PKI_CLIENT_OTHER_CA]);
	pki->encrypted_key = key_pem(key, "secret");
	EVP_PKEY_free(key);
}

/* "a,b" becomes ",DNS:a,DNS:b" behind the local names. */
static char *server_san(const char *names)
{
	struct buf san = BUF_TEXT;

	buf_adds(&san, LOCAL_SAN);
	if (names)
		buf_adds(&san, ",DNS:");
	for (; names && *names; names++) {
		buf_addc(&san, *names);
		if (*names == ',')
			buf_adds(&san, "DNS:");
	}
	return buf_detach(&san);
}

static void make_servers(struct pki *pki, const char *names)
{
	_cleanup_free_ char *san = server_san(names);
	EVP_PKEY *key = new_key();
	struct request good = {
		.common_name = "apiserver", .san = san, .usage = "serverAuth", .from_s = -HOUR_S, .until_s = 24 * HOUR_S
	};
	struct request expired = good, other_name = good;

	expired.from_s = -48 * HOUR_S;
	expired.until_s = -24 * HOUR_S;
	other_name.san = "DNS:other.example";
	make_pair(pki, &pki->good, key, &good, &pki->servers[PKI_SERVER_GOOD]);
	make_pair(pki, &pki->good, key, &expired, &pki->servers[PKI_SERVER_EXPIRED]);
	make_pair(pki, &pki->good, key, &other_name, &pki->servers[PKI_SERVER_OTHER_NAME]);
	make_pair(pki, &pki->other, key, &good, &pki->servers[PKI_SERVER_OTHER_CA]);
	EVP_PKEY_free(key);
}

struct pki *pki_new(const char *names)
{
	struct pki *pki = xcalloc(1, sizeof(*pki));

	make_authority(pki, &pki->good, "test authority");
	make_authority(pki, &pki->other, "other authority");
	make_clients(pki);
	make_servers(pki, names);
	return pki;
}

static void release_authority(struct authority *authority)
{
	X509_free(authority->certificate);
	EVP_PKEY_free(authority->key);
	free(authority->pem);
}

static void release_pairs(struct pki_pair *pairs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(pairs[i].certificate);
		free(pairs[i].key);
	}
}

void pki_free(struct pki *pki)
{
	if (!pki)
		return;
	release_authority(&pki->good);
	release_authority(&pki->other);
	release_pairs(pki->clients, PKI_CLIENT_COUNT);
	release_pairs(pki->servers, PKI_SERVER_COUNT);
	free(pki->encrypted_key);
	free(pki);
}

const char *pki_ca(const struct pki *pki)
{
	return pki->good.pem;
}

const char *pki_other_ca(const struct pki *pki)
{
	return pki->other.pem;
}

const struct pki_pair *pki_client(const struct pki *pki, enum pki_client kind)
{
	return &pki->clients[kind];
}

const struct pki_pair *pki_server(const struct pki *pki, enum pki_server kind)
{
	return &pki->servers[kind];
}

const char *pki_encrypted_key(const struct pki *pki)
{
	return pki->encrypted_key;
}
