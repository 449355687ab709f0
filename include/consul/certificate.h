/*
 * consul/certificate.h - the certificates of a cluster: made, read, judged. OpenSSL; no socket, no file, no clock.
 *
 * EC P-256, SHA-256. Times are seconds since 1970. PEM texts are NUL-terminated; private keys are PKCS#8 PEM ("BEGIN PRIVATE
 * KEY"), secret, and freed by free_secret. Serial numbers are random, 159 bits.
 *
 * Sources: RFC 5280; Consul's agent/tls configuration ("server.<datacenter>.<domain>" for verify_server_hostname).
 */
#ifndef CONSUL_CERTIFICATE_H
#define CONSUL_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/err.h"
#include "util/str.h"

#define CERTIFICATE_AUTHORITY_DAYS 3650
#define CERTIFICATE_SERVER_DAYS    365
/* A clock that is behind by this much still accepts what was just made. */
#define CERTIFICATE_BACKDATE_S     ((int64_t)300)
/* health warns when a certificate has less than this left. */
#define CERTIFICATE_WARN_DAYS      30

/* A certificate and its key, both PEM. The key may be NULL where only the certificate is known. */
struct key_pair {
	char *certificate;
	char *key; /* secret */
};

#define KEY_PAIR_INIT { 0 }
void key_pair_release(struct key_pair *pair);

/* ------------------------------------------------------------------------------------------ making */

/* A new authority named name ("consul.demo CA"), CA:TRUE pathlen 0, keyCertSign and cRLSign, valid from now_s for days. */
int certificate_make_authority(const char *name, int64_t now_s, int64_t days, struct key_pair *ret, struct err *err)
    __attribute__((warn_unused_result));

/* What a server's certificate is for. Strings borrowed. */
struct certificate_request {
	const char *common_name;  /* "server.dc1.consul" */
	const struct strv *names; /* DNS names */
	const struct strv *addresses; /* IP addresses as text */
	int64_t days;
};

/*
 * Issues it: serverAuth and clientAuth, digitalSignature, not longer than the authority lives. authority has a key. The
 * certificate's PEM is the leaf alone.
 */
int certificate_issue(const struct key_pair *authority, const struct certificate_request *request, int64_t now_s,
                      struct key_pair *ret, struct err *err) __attribute__((warn_unused_result));

/*
 * The DNS names and addresses a server's certificate needs, so that scaling and new pods need no other one: server.DC.consul,
 * *.server.DC.consul, localhost; NAME, *.NAME, NAME-client, and each of these with .NAMESPACE, .NAMESPACE.svc and
 * .NAMESPACE.svc.CLUSTER_DOMAIN; 127.0.0.1, ::1. Added to the lists.
 */
void certificate_server_names(const char *datacenter, const char *name, const char *namespace_name,
                              const char *cluster_domain, struct strv *names, struct strv *addresses);

/* ------------------------------------------------------------------------------------------ reading */

/*
 * An authority that a person brings: the first certificate of certificate_pem and, if not NULL, key_pem. ERR_INVALID says
 * what is wrong: no PEM, not CA:TRUE, may not sign, expired or not yet valid, an encrypted key, a key that is not the
 * certificate's, or that what it signs would not be trusted. Names of the files in messages: certificate_name, key_name
 * ("--tls-ca-cert ca.pem"). ret has the texts, whole chain kept.
 */
int certificate_read_authority(const char *certificate_pem, const char *certificate_name, const char *key_pem,
                               const char *key_name, int64_t now_s, struct key_pair *ret, struct err *err)
    __attribute__((warn_unused_result));

/* What a certificate says of itself: the first one of a PEM text. */
struct certificate {
	bool known;
	int64_t not_before;
	int64_t not_after;
	char *subject;     /* one line, fit to be shown: "CN=server.dc1.consul" */
	char *issuer;
	char *fingerprint; /* SHA-256, lower-case hex: tells one from another */
	bool is_authority;
	struct strv names; /* DNS names and addresses */
};

#define CERTIFICATE_INIT { 0 }

int certificate_read(const char *pem, struct certificate *ret, struct err *err) __attribute__((warn_unused_result));
void certificate_release(struct certificate *certificate);

/* Whole days until not_after, negative after it: 0 on the last day. */
int64_t certificate_days_left(const struct certificate *certificate, int64_t now_s);

/* Whether it is good for this DNS name, wildcards of one label included. */
bool certificate_has_name(const struct certificate *certificate, const char *name);

/*
 * Whether leaf_pem is signed by one of the authorities of bundle_pem, both valid at now_s. ERR_INVALID says what is wrong, in
 * OpenSSL's words.
 */
int certificate_verify(const char *leaf_pem, const char *bundle_pem, int64_t now_s, struct err *err)
    __attribute__((warn_unused_result));

/* Both texts' certificates as one PEM text, each only once; second may be NULL. New string. ERR_INVALID: one is no PEM. */
int certificate_bundle(const char *first, const char *second, char **ret_bundle, struct err *err)
    __attribute__((warn_unused_result));

#endif
