/*
 * pki.h - certificates for tests, made in memory: two authorities, server and client certificates.
 *
 * Keys are P-256, so making them costs a millisecond. All PEM strings are owned by the pki.
 */
#ifndef SUPPORT_PKI_H
#define SUPPORT_PKI_H

struct pki;

/* A certificate with its key. */
struct pki_pair {
	char *certificate; /* PEM */
	char *key;         /* PEM, PKCS#8 */
};

enum pki_client {
	PKI_CLIENT_GOOD, /* CN=tester, O=testers */
	PKI_CLIENT_EXPIRED,
	PKI_CLIENT_OTHER_CA, /* signed by an authority the server does not know */
	PKI_CLIENT_COUNT
};

enum pki_server {
	PKI_SERVER_GOOD, /* SAN 127.0.0.1, ::1, localhost and the names given */
	PKI_SERVER_EXPIRED,
	PKI_SERVER_OTHER_NAME, /* SAN other.example only */
	PKI_SERVER_OTHER_CA,
	PKI_SERVER_COUNT
};

/* names: further DNS names for the server's certificates, separated by commas, or NULL. Aborts on failure. */
struct pki *pki_new(const char *names);
void pki_free(struct pki *pki); /* NULL is fine */

const char *pki_ca(const struct pki *pki);       /* the authority of server and clients */
const char *pki_other_ca(const struct pki *pki); /* another one */
const struct pki_pair *pki_client(const struct pki *pki, enum pki_client kind);
const struct pki_pair *pki_server(const struct pki *pki, enum pki_server kind);

/* The good client's key, encrypted with a pass phrase. */
const char *pki_encrypted_key(const struct pki *pki);

#endif
