/* Certificates as OpenSSL itself judges them: what is made, what is refused, what is read. */
#include "consul/certificate.h"

#include <ctype.h>
#include <stdio.h>
#include <time.h>

#include <criterion/criterion.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "../../support/pki.h"
#include "util/buf.h"

#define NOW   ((int64_t)1800000000) /* 2027 */
#define DAY_S ((int64_t)86400)

#define _cleanup_pair_        __attribute__((cleanup(key_pair_release)))
#define _cleanup_certificate_ __attribute__((cleanup(certificate_release)))

static struct key_pair authority, other;

static void make_authorities(void)
{
	_cleanup_err_ struct err err = ERR_INIT;

	cr_assert_eq(certificate_make_authority("consul.demo CA", NOW, 3650, &authority, &err), 0);
	cr_assert_eq(certificate_make_authority("consul.demo CA", NOW, 3650, &other, &err), 0);
}

static void release_authorities(void)
{
	cr_expect_eq(ERR_peek_error(), 0, "something is left in OpenSSL's queue");
	key_pair_release(&authority);
	key_pair_release(&other);
}

TestSuite(certificate, .init = make_authorities, .fini = release_authorities, .timeout = 60);

/* A server's certificate with all its names. */
static void issue(const struct key_pair *by, int64_t now_s, int64_t days, struct key_pair *ret)
{
	_cleanup_strv_ struct strv names = STRV_INIT, addresses = STRV_INIT;
	_cleanup_err_ struct err err = ERR_INIT;
	struct certificate_request request = {
		.common_name = "server.dc1.consul", .names = &names, .addresses = &addresses, .days = days
	};

	certificate_server_names("dc1", "consul", "demo", "cluster.local", &names, &addresses);
	cr_assert_eq(certificate_issue(by, &request, now_s, ret, &err), 0, "%s", err.message);
}

static X509 *parse(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	BIO_free(bio);
	cr_assert_not_null(certificate);
	return certificate;
}

/* What X509_verify_cert says, strictly, for a purpose and a host. */
static int verify(const char *leaf_pem, const char *authority_pem, int purpose, const char *host, int64_t now_s)
{
	X509 *leaf = parse(leaf_pem), *root = parse(authority_pem);
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *param;
	int status;

	X509_STORE_add_cert(store, root);
	X509_STORE_set_flags(store, X509_V_FLAG_X509_STRICT | X509_V_FLAG_CHECK_SS_SIGNATURE);
	X509_STORE_CTX_init(context, store, leaf, NULL);
	param = X509_STORE_CTX_get0_param(context);
	X509_STORE_CTX_set_purpose(context, purpose);
	X509_VERIFY_PARAM_set_time(param, (time_t)now_s);
	X509_VERIFY_PARAM_set_auth_level(param, 2);
	if (host)
		X509_VERIFY_PARAM_set1_host(param, host, 0);
	X509_verify_cert(context);
	status = X509_STORE_CTX_get_error(context);
	X509_STORE_CTX_free(context);
	X509_STORE_free(store);
	X509_free(leaf);
	X509_free(root);
	ERR_clear_error();
	return status;
}

/* An extension as `openssl x509 -text` prints it, one line; "" when there is none, "critical " in front if it is. */
static char *extension(const char *pem, int nid)
{
	_cleanup_buf_ struct buf text = BUF_TEXT;
	X509 *certificate = parse(pem);
	int at = X509_get_ext_by_NID(certificate, nid, -1);
	BIO *bio = BIO_new(BIO_s_mem());
	char *data;
	long length;

	if (at >= 0) {
		X509_EXTENSION *found = X509_get_ext(certificate, at);

		buf_adds(&text, X509_EXTENSION_get_critical(found) ? "critical " : "");
		X509V3_EXT_print(bio, found, 0, 0);
		length = BIO_get_mem_data(bio, &data);
		cr_assert_eq(buf_add(&text, data, (size_t)length), 0);
	}
	BIO_free(bio);
	X509_free(certificate);
	return buf_detach(&text);
}

static void expect_extension(const char *pem, int nid, const char *expected)
{
	_cleanup_free_ char *text = extension(pem, nid);

	cr_expect_str_eq(text, expected);
}

/* -------------------------------------------------------------------------------------------- making */

Test(certificate, a_servers_certificate_is_what_openssl_accepts)
{
	static const char *const hosts[] = { "server.dc1.consul", "consul-0.server.dc1.consul",
		                             "localhost",         "consul.demo.svc",
		                             "consul-client",     "consul-2.consul.demo.svc.cluster.local" };
	_cleanup_pair_ struct key_pair pair = KEY_PAIR_INIT;

	issue(&authority, NOW, 365, &pair);
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		cr_expect_eq(verify(pair.certificate, authority.certificate, X509_PURPOSE_SSL_SERVER, hosts[i], NOW),
		             X509_V_OK, "%s", hosts[i]);
		cr_expect_eq(verify(pair.certificate, authority.certificate, X509_PURPOSE_SSL_CLIENT, hosts[i], NOW),
		             X509_V_OK, "%s", hosts[i]);
	}
	cr_expect_eq(verify(pair.certificate, authority.certificate, X509_PURPOSE_SSL_SERVER, "server.dc2.consul", NOW),
	             X509_V_ERR_HOSTNAME_MISMATCH);
	cr_expect_eq(verify(pair.certificate, authority.certificate, X509_PURPOSE_SMIME_SIGN, NULL, NOW),
	             X509_V_ERR_INVALID_PURPOSE);
}

Test(certificate, an_authority_of_the_same_name_is_told_apart)
{
	_cleanup_pair_ struct key_pair pair = KEY_PAIR_INIT;

	issue(&authority, NOW, 365, &pair);
	cr_expect_neq(verify(pair.certificate, other.certificate, X509_PURPOSE_SSL_SERVER, NULL, NOW), X509_V_OK);
}

Test(certificate, extensions_are_those_of_a_server_and_of_an_authority)
{
	_cleanup_pair_ struct key_pair pair = KEY_PAIR_INIT;
	_cleanup_free_ char *key_id = NULL, *issuer_id = NULL;

	issue(&authority, NOW, 365, &pair);
	expect_extension(pair.certificate, NID_basic_constraints, "critical CA:FALSE");
	expect_extension(pair.certificate, NID_key_usage, "critical Digital Signature");
	expect_extension(pair.certificate, NID_ext_key_usage,
	                 "TLS Web Server Authentication, TLS Web Client Authentication");
	expect_extension(authority.certificate, NID_basic_constraints, "critical CA:TRUE, pathlen:0");
	expect_extension(authority.certificate, NID_key_usage, "critical Certificate Sign, CRL Sign");
	expect_extension(authority.certificate, NID_ext_key_usage, "");
	expect_extension(authority.certificate, NID_subject_alt_name, "");
	key_id = extension(authority.certificate, NID_subject_key_identifier);
	issuer_id = extension(pair.certificate, NID_authority_key_identifier);
	cr_expect(strlen(key_id) == 59, "%s", key_id); /* 20 bytes */
	cr_expect(strstr(issuer_id, key_id), "%s is not in %s", key_id, issuer_id);
}

Test(certificate, names_are_exactly_these)
{
	_cleanup_pair_ struct key_pair pair = KEY_PAIR_INIT;

	issue(&authority, NOW, 365, &pair);
	expect_extension(pair.certificate, NID_subject_alt_name,
	                 "DNS:server.dc1.consul, DNS:*.server.dc1.consul, DNS:localhost, "
	                 "DNS:consul.demo, DNS:consul.demo.svc, DNS:consul.demo.svc.cluster.local, DNS:consul, "
	                 "DNS:*.consul.demo, DNS:*.consul.demo.svc, DNS:*.consul.demo.svc.cluster.local, DNS:*.consul, "
	                 "DNS:consul-client.demo, DNS:consul-client.demo.svc, "
	                 "DNS:consul-client.demo.svc.cluster.local, DNS:consul-client, "
	                 "IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1");
}

Test(certificate, lifetimes_begin_before_now_and_end_with_the_authority)
{
	_cleanup_certificate_ struct certificate of_authority = CERTIFICATE_INIT, of_server = CERTIFICATE_INIT,
	                                         of_long = CERTIFICATE_INIT;
	_cleanup_pair_ struct key_pair pair = KEY_PAIR_INIT, longer = KEY_PAIR_INIT;
	_cleanup_err_ struct err err = ERR_INIT;

	issue(&authority, NOW + DAY_S, 365, &pair);
	issue(&authority, NOW, 10000, &longer);
	cr_assert_eq(certificate_read(authority.certificate, &of_authority, &err), 0);
	cr_assert_eq(certificate_read(pair.certificate, &of_server, &err), 0);
	cr_assert_eq(certificate_read(longer.certificate, &of_long, &err), 0);
	cr_expect_eq(of_authority.not_before, NOW - CERTIFICATE_BACKDATE_S);
	cr_expect_eq(of_authority.not_after, NOW + 3650 * DAY_S);
	cr_expect_eq(of_server.not_before, NOW + DAY_S - CERTIFICATE_BACKDATE_S);
	cr_expect_eq(of_server.not_after, NOW + 366 * DAY_S);
	cr_expect_eq(of_long.not_after, of_authority.not_after);
}

Test(certificate, one_that_ends_in_the_next_century_is_right)
{
	_cleanup_certificate_ struct certificate read = CERTIFICATE_INIT;
	_cleanup_pair_ struct key_pair pair = KEY_PAIR_INIT;
	_cleanup_err_ struct err err = ERR_INIT;

	/* From 2050 on the time is of another ASN.1 type. */
	cr_assert_eq(certificate_make_authority("CA", NOW, 36500, &pair, &err), 0);
	cr_assert_eq(certificate_read(pair.certificate, &read, &err), 0);
	cr_expect_eq(read.not_after, NOW + 36500 * DAY_S);
	cr_expect_eq(verify(pair.certificate, pair.certificate, X509_PURPOSE_ANY, NULL, NOW + 36499 * DAY_S),
	             X509_V_OK);
}

Test(certificate, serial_numbers_are_random_positive_and_short_enough)
{
	char *seen[40];

	for (size_t i = 0; i < ARRAY_SIZE(seen); i++) {
		_cleanup_pair_ struct key_pair pair = KEY_PAIR_INIT;
		X509 *certificate;
		BIGNUM *number;

		issue(&authority, NOW, 1, &pair);
		certificate = parse(pair.certificate);
		number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
		cr_expect(!BN_is_negative(number) && !BN_is_zero(number) && BN_num_bits(number) <= 159);
		seen[i] = BN_bn2hex(number);
		for (size_t j = 0; j < i; j++)
			cr_expect_str_neq(seen[i], seen[j]);
		BN_free(number);
		X509_free(certificate);
	}
	for (size_t i = 0; i < ARRAY_SIZE(seen); i++)
		OPENSSL_free(seen[i]);
}

Test(certificate, keys_are_p256_and_pkcs8)
{
	_cleanup_pair_ struct key_pair pair = KEY_PAIR_INIT;
	BIO *bio;
	EVP_PKEY *key;
	char group[32];

	issue(&authority, NOW, 365, &pair);
	cr_expect(str_starts_with(pair.key, "-----BEGIN PRIVATE KEY-----\n"));
	bio = BIO_new_mem_buf(pair.key, -1);
	key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	cr_assert_eq(EVP_PKEY_get_group_name(key, group, sizeof(group), NULL), 1);
	cr_expect_str_eq(group, "prime256v1");
	EVP_PKEY_free(key);
	BIO_free(bio);
}

/* The certificate's signature algorithm tells the digest. */
Test(certificate, the_signature_is_ecdsa_with_sha256)
{
	_cleanup_pair_ struct key_pair pair = KEY_PAIR_INIT;
	X509 *certificate;

	issue(&authority, NOW, 365, &pair);
	certificate = parse(pair.certificate);
	cr_expect_eq(X509_get_signature_nid(certificate), NID_ecdsa_with_SHA256);
	X509_free(certificate);
}

Test(certificate, a_long_name_is_cut_to_what_a_common_name_may_have)
{
	static const char *const names[] = {
		"consul-of-the-department.of-a-namespace-with-a-very-very-long-name-indeed CA",
		"consul.abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz-abcd\xc3\xa4\xc3\xa4\xc3\xa4",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_certificate_ struct certificate read = CERTIFICATE_INIT;
		_cleanup_pair_ struct key_pair pair = KEY_PAIR_INIT;
		_cleanup_err_ struct err err = ERR_INIT;

		cr_assert_eq(certificate_make_authority(names[i], NOW, 10, &pair, &err), 0, "%s", err.message);
		cr_assert_eq(certificate_read(pair.certificate, &read, &err), 0);
		cr_expect(str_starts_with(read.subject, "CN=consul"), "%s", read.subject);
		cr_expect_leq(strlen(read.subject), strlen("CN=") + 64, "%s", read.subject);
	}
}

Test(certificate, names_and_addresses_that_are_none_are_refused)
{
	static const struct {
		const char *name, *address, *message;
	} cases[] = {
		{ "a b", NULL, "a certificate cannot have the name \"a b\"" },
		{ "\xc3\xa4", NULL, "a certificate cannot have the name" },
		{ NULL, "300.1.1.1", "\"300.1.1.1\" is no IP address" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_strv_ struct strv names = STRV_INIT, addresses = STRV_INIT;
		_cleanup_pair_ struct key_pair pair = KEY_PAIR_INIT;
		_cleanup_err_ struct err err = ERR_INIT;
		struct certificate_request request = {
			.common_name = "x", .names = &names, .addresses = &addresses, .days = 1
		};

		if (cases[i].name)
			strv_add(&names, cases[i].name);
		if (cases[i].address)
			strv_add(&addresses, cases[i].address);
		cr_expect_eq(certificate_issue(&authority, &request, NOW, &pair, &err), -1);
		cr_expect_eq(err.kind, ERR_INVALID);
		cr_expect(strstr(err.message, cases[i].message), "%s", err.message);
		cr_expect_null(pair.certificate);
	}
}

Test(certificate, nothing_is_issued_by_the_expired_or_with_a_foreign_key)
{
	struct key_pair mixed = { .certificate = authority.certificate, .key = other.key };
	struct certificate_request request = { .common_name = "x", .days = 1 };
	_cleanup_pair_ struct key_pair pair = KEY_PAIR_INIT;
	_cleanup_err_ struct err expired = ERR_INIT, foreign = ERR_INIT;

	cr_expect_eq(certificate_issue(&authority, &request, NOW + 3650 * DAY_S, &pair, &expired), -1);
	cr_expect_str_eq(expired.message, "certificate authority: it has expired");
	cr_expect_eq(certificate_issue(&mixed, &request, NOW, &pair, &foreign), -1);
	cr_expect_str_eq(foreign.message, "certificate authority: the key is not the certificate's");
}

/* ------------------------------------------------------------------------------- what memory still has */

#define PART    40 /* of the key's base64 */
#define MASK    0x55
#define MOST_MB 64

/* Whether some writable memory of this process, other than thread stacks, has the text that is masked here. */
static bool memory_has(const char *masked)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];
	bool found = false;

	while (!found && fgets(line, sizeof(line), maps)) {
		unsigned long from, until;
		char rights[5];

		if (sscanf(line, "%lx-%lx %4s", &from, &until, rights) != 3 || strncmp(rights, "rw", 2) != 0 ||
		    (until - from) >> 20 > MOST_MB)
			continue;
		for (const char *at = (const char *)from; at + PART <= (const char *)until && !found; at++) {
			size_t i = 0;

			while (i < PART && at[i] == (char)(masked[i] ^ MASK))
				i++;
			found = i == PART;
		}
	}
	fclose(maps);
	return found;
}

/* Kept apart, so that no copy of the key stays in the frame of the test. */
__attribute__((noinline)) static void mask(const struct key_pair *pair, char *masked)
{
	const char *text = strchr(pair->key, '\n') + 1 + 60; /* the part that differs from key to key */

	for (size_t i = 0; i < PART; i++)
		masked[i] = (char)(text[i + (text[0] == '\n')] ^ MASK);
}

#if defined(__SANITIZE_ADDRESS__)
#define CAN_LOOK false /* it poisons what was freed */
#else
#define CAN_LOOK true
#endif

Test(certificate, keys_are_wiped, .disabled = !CAN_LOOK)
{
	char masked[PART], masked_authority[PART];
	_cleanup_pair_ struct key_pair pair = KEY_PAIR_INIT;

	issue(&authority, NOW, 365, &pair);
	mask(&pair, masked);
	mask(&authority, masked_authority);
	cr_assert(memory_has(masked), "the test does not find what is there");
	cr_assert(memory_has(masked_authority));
	key_pair_release(&pair);
	key_pair_release(&authority);
	cr_expect(!memory_has(masked));
	cr_expect(!memory_has(masked_authority));
	cr_expect_null(pair.key);
}
