/* Authorities that people bring, what certificates say, bundles. */
#include "consul/certificate.h"

#include <criterion/criterion.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "../../support/pki.h"
#include "util/buf.h"
#include "util/clock.h"

#define NOW   ((int64_t)1800000000)
#define DAY_S ((int64_t)86400)

#define _cleanup_pair_        __attribute__((cleanup(key_pair_release)))
#define _cleanup_certificate_ __attribute__((cleanup(certificate_release)))

static struct key_pair authority, other;
static struct pki *pki;

static void make_authorities(void)
{
	_cleanup_err_ struct err err = ERR_INIT;

	cr_assert_eq(certificate_make_authority("consul.demo CA", NOW, 3650, &authority, &err), 0);
	cr_assert_eq(certificate_make_authority("consul.demo CA", NOW, 3650, &other, &err), 0);
	pki = pki_new(NULL);
	ERR_clear_error();
}

static void release_authorities(void)
{
	cr_expect_eq(ERR_peek_error(), 0, "something is left in OpenSSL's queue");
	key_pair_release(&authority);
	key_pair_release(&other);
	pki_free(pki);
}

TestSuite(certificate_read, .init = make_authorities, .fini = release_authorities, .timeout = 60);

static void issue(const struct key_pair *by, const char *name, struct key_pair *ret)
{
	_cleanup_strv_ struct strv names = STRV_INIT;
	_cleanup_err_ struct err err = ERR_INIT;
	struct certificate_request request = { .common_name = name, .names = &names, .days = 365 };

	strv_add(&names, name);
	cr_assert_eq(certificate_issue(by, &request, NOW, ret, &err), 0, "%s", err.message);
}

/* ------------------------------------------------------------------------------- a person's authority */

struct brought {
	const char *certificate, *key;
	int64_t now_s;
	const char *message; /* NULL: it is taken */
};

static void bring(const struct brought *brought)
{
	_cleanup_pair_ struct key_pair pair = KEY_PAIR_INIT;
	_cleanup_err_ struct err err = ERR_INIT;
	int status = certificate_read_authority(brought->certificate, "--tls-ca-cert ca.pem", brought->key,
	                                        "--tls-ca-key ca.key", brought->now_s, &pair, &err);

	if (!brought->message) {
		cr_expect_eq(status, 0, "%s", err.message);
		cr_expect_eq(!pair.key, !brought->key);
		return;
	}
	cr_assert_eq(status, -1, "taken, instead of: %s", brought->message);
	cr_expect_eq(err.kind, ERR_INVALID);
	cr_expect_str_eq(err.message, brought->message);
	cr_expect_null(pair.certificate);
	cr_expect_null(pair.key);
}

/* A self-signed authority whose extensions are these; NULL: it lacks one. key NULL: P-256. */
static void make_odd(const char *constraints, const char *usage, const char *extended, EVP_PKEY *key,
                     struct key_pair *ret)
{
	const struct {
		int nid;
		const char *value;
	} extensions[] = { { NID_basic_constraints, constraints },
		           { NID_key_usage, usage },
		           { NID_ext_key_usage, extended } };
	X509 *certificate = X509_new();
	BIO *bio = BIO_new(BIO_s_mem()), *key_bio = BIO_new(BIO_s_mem());
	char *text;
	long length;

	key = key ? key : EVP_EC_gen("P-256");
	X509_set_version(certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	ASN1_TIME_set(X509_getm_notBefore(certificate), NOW - DAY_S);
	ASN1_TIME_set(X509_getm_notAfter(certificate), NOW + DAY_S);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
	                           (const unsigned char *)"odd", -1, -1, 0);
	X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
	X509_set_pubkey(certificate, key);
	for (size_t i = 0; i < ARRAY_SIZE(extensions); i++) {
		X509_EXTENSION *made;

		if (!extensions[i].value)
			continue;
		made = X509V3_EXT_conf_nid(NULL, NULL, extensions[i].nid, extensions[i].value);
		X509_add_ext(certificate, made, -1);
		X509_EXTENSION_free(made);
	}
	X509_sign(certificate, key, str_starts_with(EVP_PKEY_get0_type_name(key), "ED") ? NULL : EVP_sha256());
	PEM_write_bio_X509(bio, certificate);
	PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL);
	length = BIO_get_mem_data(bio, &text);
	ret->certificate = xstrndup(text, (size_t)length);
	length = BIO_get_mem_data(key_bio, &text);
	ret->key = xstrndup(text, (size_t)length);
	BIO_free(bio);
	BIO_free(key_bio);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

Test(certificate_read, an_authority_is_taken_with_and_without_its_key)
{
	_cleanup_buf_ struct buf chain = BUF_TEXT;
	_cleanup_pair_ struct key_pair pair = KEY_PAIR_INIT;
	_cleanup_err_ struct err err = ERR_INIT;

	bring(&(struct brought){ authority.certificate, authority.key, NOW, NULL });
	bring(&(struct brought){ authority.certificate, NULL, NOW, NULL });
	bring(&(struct brought){ pki_ca(pki), NULL, clock_wall_s(), NULL });

	/* Comments go, the chain stays, the key comes as PKCS#8. */
	buf_addf(&chain, "subject=CN = x\n%s\nissuer\n%s", authority.certificate, other.certificate);
	cr_assert_eq(certificate_read_authority(buf_text(&chain), "c", authority.key, "k", NOW, &pair, &err), 0);
	buf_clear(&chain);
	buf_addf(&chain, "%s%s", authority.certificate, other.certificate);
	cr_expect_str_eq(pair.certificate, buf_text(&chain));
	cr_expect_str_eq(pair.key, authority.key);
}

Test(certificate_read, authorities_with_other_keys_sign_too)
{
	static const char *const types[] = { "RSA", "ED25519", "ED448" };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		_cleanup_pair_ struct key_pair odd = KEY_PAIR_INIT, read = KEY_PAIR_INIT, leaf = KEY_PAIR_INIT;
		_cleanup_err_ struct err err = ERR_INIT;
		EVP_PKEY *key = i == 0 ? EVP_RSA_gen(2048) : EVP_PKEY_Q_keygen(NULL, NULL, types[i]);

		make_odd("CA:TRUE", "keyCertSign", NULL, key, &odd);
		cr_assert_eq(certificate_read_authority(odd.certificate, "c", odd.key, "k", NOW, &read, &err), 0,
		             "%s: %s", types[i], err.message);
		issue(&read, "server.dc1.consul", &leaf);
		cr_expect_eq(certificate_verify(leaf.certificate, odd.certificate, NOW, &err), 0, "%s: %s", types[i],
		             err.message);
	}
}

Test(certificate_read, an_authority_that_cannot_be_used_is_refused_with_the_reason)
{
	_cleanup_pair_ struct key_pair leaf = KEY_PAIR_INIT, no_constraints = KEY_PAIR_INIT, no_sign = KEY_PAIR_INIT,
	                               mail = KEY_PAIR_INIT, bare = KEY_PAIR_INIT;
	_cleanup_buf_ struct buf broken = BUF_TEXT;

	issue(&authority, "server.dc1.consul", &leaf);
	make_odd(NULL, "keyCertSign", NULL, NULL, &no_constraints);
	make_odd("CA:TRUE", "digitalSignature", NULL, NULL, &no_sign);
	make_odd("CA:TRUE", "keyCertSign", "emailProtection", NULL, &mail);
	make_odd(NULL, NULL, NULL, NULL, &bare);
	buf_addf(&broken, "%s-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", authority.certificate);

	const struct brought cases[] = {
		{ "", NULL, NOW,
		  "--tls-ca-cert ca.pem: it has no certificate in PEM (\"-----BEGIN CERTIFICATE-----\")" },
		{ "\x30\x82\x01", NULL, NOW,
		  "--tls-ca-cert ca.pem: it has no certificate in PEM (\"-----BEGIN CERTIFICATE-----\")" },
		{ authority.key, NULL, NOW,
		  "--tls-ca-cert ca.pem: it has no certificate in PEM (\"-----BEGIN CERTIFICATE-----\")" },
		{ buf_text(&broken), NULL, NOW, "--tls-ca-cert ca.pem: certificate 2 of it cannot be read" },
		{ leaf.certificate, leaf.key, NOW,
		  "--tls-ca-cert ca.pem: it is not the certificate of an authority (CA:TRUE)" },
		{ no_constraints.certificate, NULL, NOW,
		  "--tls-ca-cert ca.pem: it is not the certificate of an authority (CA:TRUE)" },
		{ bare.certificate, NULL, NOW,
		  "--tls-ca-cert ca.pem: it is not the certificate of an authority (CA:TRUE)" },
		{ no_sign.certificate, NULL, NOW,
		  "--tls-ca-cert ca.pem: it may not sign certificates (key usage has no keyCertSign)" },
		{ mail.certificate, NULL, NOW,
		  "--tls-ca-cert ca.pem: it may not sign certificates of TLS servers and clients (extended key "
		  "usage)" },
		{ authority.certificate, NULL, NOW - CERTIFICATE_BACKDATE_S - 1,
		  "--tls-ca-cert ca.pem: it is not valid before 2027-01-15T07:55:00Z" },
		{ authority.certificate, NULL, NOW + 3650 * DAY_S,
		  "--tls-ca-cert ca.pem: it expired at 2037-01-12T08:00:00Z" },
		{ authority.certificate, "", NOW,
		  "--tls-ca-key ca.key: it has no private key in PEM (\"-----BEGIN PRIVATE KEY-----\")" },
		{ authority.certificate, authority.certificate, NOW,
		  "--tls-ca-key ca.key: it has no private key in PEM (\"-----BEGIN PRIVATE KEY-----\")" },
		{ authority.certificate, pki_encrypted_key(pki), NOW, "--tls-ca-key ca.key: the key is encrypted" },
		{ authority.certificate, other.key, NOW,
		  "--tls-ca-key ca.key: it is not the key of the certificate of --tls-ca-cert ca.pem" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		bring(&cases[i]);
}

/* -------------------------------------------------------------------------------------------- reading */

Test(certificate_read, what_a_certificate_says)
{
	_cleanup_pair_ struct key_pair leaf = KEY_PAIR_INIT;
	_cleanup_certificate_ struct certificate read = CERTIFICATE_INIT, of_authority = CERTIFICATE_INIT;
	_cleanup_err_ struct err err = ERR_INIT;
	const struct pki_pair *client = pki_client(pki, PKI_CLIENT_GOOD);
	_cleanup_certificate_ struct certificate of_client = CERTIFICATE_INIT;

	issue(&authority, "server.dc1.consul", &leaf);
	cr_assert_eq(certificate_read(leaf.certificate, &read, &err), 0);
	cr_assert_eq(certificate_read(authority.certificate, &of_authority, &err), 0);
	cr_assert_eq(certificate_read(client->certificate, &of_client, &err), 0);
	cr_expect(read.known && !read.is_authority && of_authority.is_authority);
	cr_expect_str_eq(read.subject, "CN=server.dc1.consul");
	cr_expect_str_eq(read.issuer, "CN=consul.demo CA");
	cr_expect_eq(strlen(read.fingerprint), 64);
	cr_expect_str_neq(read.fingerprint, of_authority.fingerprint);
	cr_expect_eq(read.names.count, 1);
	cr_expect_str_eq(of_client.subject, "O=testers,CN=tester"); /* was made in the other order */
}

Test(certificate_read, what_is_none_leaves_the_output_as_it_was)
{
	static const char *const texts[] = { "", "hello",
		                             "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct certificate read = { .not_after = 7 };
		_cleanup_err_ struct err err = ERR_INIT;

		cr_expect_eq(certificate_read(texts[i], &read, &err), -1);
		cr_expect_eq(err.kind, ERR_INVALID);
		cr_expect(!read.known && read.not_after == 7);
	}
}

Test(certificate_read, days_left_at_the_edges)
{
	static const struct {
		int64_t left_s, days;
	} cases[] = {
		{ 30 * DAY_S, 30 }, { 30 * DAY_S - 1, 29 }, { DAY_S, 1 },       { DAY_S - 1, 0 }, { 1, 0 }, { 0, 0 },
		{ -1, -1 },         { -DAY_S, -1 },         { -DAY_S - 1, -2 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct certificate certificate = { .not_after = NOW + cases[i].left_s };

		cr_expect_eq(certificate_days_left(&certificate, NOW), cases[i].days, "%ld", (long)cases[i].left_s);
	}
}

Test(certificate_read, a_wildcard_is_one_whole_label)
{
	static const struct {
		const char *name;
		bool good;
	} cases[] = {
		{ "server.dc1.consul", true },
		{ "SERVER.dc1.Consul", true },
		{ "a.server.dc1.consul", true },
		{ "A.SERVER.DC1.CONSUL", true },
		{ "a.b.server.dc1.consul", false },
		{ ".server.dc1.consul", false },
		{ "xserver.dc1.consul", false },
		{ "server.dc2.consul", false },
		{ "dc1.consul", false },
		{ "*.server.dc1.consul", true },
		{ "", false },
		{ "127.0.0.1", true },
		{ "host.example", false },
		{ "h.example", false },
	};
	struct certificate certificate = CERTIFICATE_INIT;

	strv_add(&certificate.names, "server.dc1.consul");
	strv_add(&certificate.names, "*.server.dc1.consul");
	strv_add(&certificate.names, "h*.example");
	strv_add(&certificate.names, "127.0.0.1");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_expect_eq(certificate_has_name(&certificate, cases[i].name), cases[i].good, "%s", cases[i].name);
	certificate_release(&certificate);
}

/* ------------------------------------------------------------------------------------ trust, bundles */

static void expect_untrusted(const char *leaf, const char *bundle, int64_t now_s, const char *message)
{
	_cleanup_err_ struct err err = ERR_INIT;

	cr_assert_eq(certificate_verify(leaf, bundle, now_s, &err), -1, "trusted, instead of: %s", message);
	cr_expect_eq(err.kind, ERR_INVALID);
	cr_expect_str_eq(err.message, message);
}

Test(certificate_read, a_certificate_is_trusted_by_any_authority_of_the_bundle)
{
	_cleanup_pair_ struct key_pair by_one = KEY_PAIR_INIT, by_other = KEY_PAIR_INIT;
	_cleanup_err_ struct err err = ERR_INIT;
	_cleanup_free_ char *bundle = NULL;

	issue(&authority, "a", &by_one);
	issue(&other, "b", &by_other);
	cr_assert_eq(certificate_bundle(authority.certificate, other.certificate, &bundle, &err), 0);
	cr_expect_eq(certificate_verify(by_one.certificate, bundle, NOW, &err), 0);
	cr_expect_eq(certificate_verify(by_other.certificate, bundle, NOW, &err), 0);
	cr_expect_eq(certificate_verify(by_one.certificate, authority.certificate, NOW, &err), 0);
	expect_untrusted(by_one.certificate, other.certificate, NOW, "unable to get local issuer certificate");
	expect_untrusted(by_one.certificate, bundle, NOW + 366 * DAY_S, "certificate has expired");
	expect_untrusted(by_one.certificate, bundle, NOW - DAY_S, "certificate is not yet valid");
	expect_untrusted("", bundle, NOW,
	                 "certificate: it has no certificate in PEM (\"-----BEGIN CERTIFICATE-----\")");
	expect_untrusted(by_one.certificate, "x", NOW,
	                 "certificate authority: it has no certificate in PEM (\"-----BEGIN CERTIFICATE-----\")");
}

Test(certificate_read, a_bundle_has_each_certificate_once)
{
	_cleanup_buf_ struct buf both = BUF_TEXT;
	_cleanup_free_ char *one = NULL, *two = NULL, *again = NULL, *bad = NULL;
	_cleanup_err_ struct err err = ERR_INIT;

	buf_addf(&both, "%s%s", authority.certificate, other.certificate);
	cr_assert_eq(certificate_bundle(authority.certificate, NULL, &one, &err), 0);
	cr_expect_str_eq(one, authority.certificate);
	cr_assert_eq(certificate_bundle(authority.certificate, other.certificate, &two, &err), 0);
	cr_expect_str_eq(two, buf_text(&both));
	cr_assert_eq(certificate_bundle(two, two, &again, &err), 0);
	cr_expect_str_eq(again, buf_text(&both));
	cr_expect_eq(certificate_bundle(two, "no", &bad, &err), -1);
	cr_expect_eq(err.kind, ERR_INVALID);
	cr_expect_null(bad);
}
