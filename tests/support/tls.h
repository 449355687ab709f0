/*
 * tls.h - the server's side of TLS on bytes: ciphertext in, plaintext out, and the reverse. Touches no socket.
 */
#ifndef SUPPORT_TLS_H
#define SUPPORT_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/ssl.h>

#include "pki.h"
#include "util/buf.h"

/* Most bytes that wait in either direction of one stream. */
#define TLS_BUFFER_MAX ((size_t)64 * 1024 * 1024)

enum tls_client { TLS_CLIENT_IGNORED, TLS_CLIENT_ASKED, TLS_CLIENT_REQUIRED };

/* Offers http/1.1 by ALPN. Aborts on failure. */
SSL_CTX *tls_context_new(const struct pki *pki, const struct pki_pair *certificate, enum tls_client client);

struct tls_stream;

struct tls_stream *tls_stream_new(SSL_CTX *context);
void tls_stream_free(struct tls_stream *stream); /* NULL is fine */

/*
 * Takes ciphertext and appends what it means to plain, and to cipher what must go to the client. Returns -1 when the
 * stream is over: closed or broken (an alert may be in cipher).
 */
int tls_stream_feed(struct tls_stream *stream, const void *bytes, size_t length, struct buf *plain, struct buf *cipher);

/* Encrypts into cipher; what comes before the end of the handshake is kept until then. */
void tls_stream_send(struct tls_stream *stream, const void *bytes, size_t length, struct buf *cipher);

/* Adds close_notify. */
void tls_stream_close(struct tls_stream *stream, struct buf *cipher);

/* The client showed a certificate of our authority that is valid now. */
bool tls_stream_client_verified(const struct tls_stream *stream);

/* The common name in the certificate that the client showed, good or not; NULL: none. Valid as long as the stream. */
const char *tls_stream_client_subject(struct tls_stream *stream);

#endif
