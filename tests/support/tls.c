/* See tls.h. */
#include "tls.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "util/mem.h"

#define PIECE ((size_t)16 * 1024)

struct tls_stream {
	SSL *ssl;
	BIO *from_client;
	BIO *to_client;
	struct buf early; /* plaintext to send when the handshake is done */
	bool over;
	char *subject; /* of the client's certificate; NULL: not asked yet, or none */
};

static void require(int fine, const char *what)
{
	if (fine)
		return;
	fprintf(stderr, "tls: %s failed\n", what);
	ERR_print_errors_fp(stderr);
	abort();
}

static X509 *read_certificate(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	require(certificate != NULL, "PEM_read_bio_X509");
	BIO_free(bio);
	return certificate;
}

static int select_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_length, const unsigned char *in,
                           unsigned int in_length, void *context)
{
	static const unsigned char http11[] = "\x08http/1.1";
	unsigned char *selected = NULL;

	(void)ssl;
	(void)context;
	if (SSL_select_next_proto(&selected, out_length, http11, sizeof(http11) - 1, in, in_length) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_NOACK;
	*out = selected;
	return SSL_TLSEXT_ERR_OK;
}

static int take_any_certificate(int verified, X509_STORE_CTX *store)
{
	(void)verified;
	(void)store;
	return 1;
}

static void ask_for_client(SSL_CTX *context, const struct pki *pki, enum tls_client client)
{
	X509 *authority = read_certificate(pki_ca(pki));

	require(X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority), "X509_STORE_add_cert");
	require(SSL_CTX_add_client_CA(context, authority), "SSL_CTX_add_client_CA");
	X509_free(authority);
	if (client == TLS_CLIENT_REQUIRED)
		SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	else
		SSL_CTX_set_verify(context, SSL_VERIFY_PEER, take_any_certificate);
}

SSL_CTX *tls_context_new(const struct pki *pki, const struct pki_pair *pair, enum tls_client client)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	X509 *certificate = read_certificate(pair->certificate);
	BIO *bio = BIO_new_mem_buf(pair->key, -1);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

	require(context && key, "SSL_CTX_new");
	require(SSL_CTX_use_certificate(context, certificate) == 1, "SSL_CTX_use_certificate");
	require(SSL_CTX_use_PrivateKey(context, key) == 1, "SSL_CTX_use_PrivateKey");
	SSL_CTX_set_alpn_select_cb(context, select_protocol, NULL);
	SSL_CTX_set_session_id_context(context, (const unsigned char *)"tests", 5);
	if (client != TLS_CLIENT_IGNORED)
		ask_for_client(context, pki, client);
	EVP_PKEY_free(key);
	BIO_free(bio);
	X509_free(certificate);
	return context;
}

struct tls_stream *tls_stream_new(SSL_CTX *context)
{
	struct tls_stream *stream = xcalloc(1, sizeof(*stream));

	stream->ssl = SSL_new(context);
	stream->from_client = BIO_new(BIO_s_mem());
	stream->to_client = BIO_new(BIO_s_mem());
	stream->early = (struct buf)BUF_INIT(TLS_BUFFER_MAX);
	require(stream->ssl && stream->from_client && stream->to_client, "SSL_new");
	SSL_set_bio(stream->ssl, stream->from_client, stream->to_client);
	SSL_set_accept_state(stream->ssl);
	return stream;
}

void tls_stream_free(struct tls_stream *stream)
{
	if (!stream)
		return;
	SSL_free(stream->ssl);
	buf_release(&stream->early);
	free(stream->subject);
	free(stream);
}

static void drain(struct tls_stream *stream, struct buf *cipher)
{
	char *data = NULL;
	long length = BIO_get_mem_data(stream->to_client, &data);

	if (length <= 0)
		return;
	require(buf_add(cipher, data, (size_t)length) == 0, "buffer");
	(void)BIO_reset(stream->to_client);
}

static void send_early(struct tls_stream *stream)
{
	if (!stream->early.len || !SSL_is_init_finished(stream->ssl))
		return;
	if (SSL_write(stream->ssl, stream->early.data, (int)stream->early.len) <= 0)
		stream->over = true;
	buf_clear(&stream->early);
}

int tls_stream_feed(struct tls_stream *stream, const void *bytes, size_t length, struct buf *plain, struct buf *cipher)
{
	char piece[PIECE];
	int count;

	require(BIO_write(stream->from_client, bytes, (int)length) == (int)length, "BIO_write");
	while ((count = SSL_read(stream->ssl, piece, sizeof(piece))) > 0)
		require(buf_add(plain, piece, (size_t)count) == 0, "buffer");
	if (SSL_get_error(stream->ssl, count) != SSL_ERROR_WANT_READ)
		stream->over = true;
	if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST)
		buf_adds(
		    cipher,
		    "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"); /* as Go */
	ERR_clear_error();
	send_early(stream);
	drain(stream, cipher);
	return stream->over ? -1 : 0;
}

void tls_stream_send(struct tls_stream *stream, const void *bytes, size_t length, struct buf *cipher)
{
	if (stream->over || !length)
		return;
	require(buf_add(&stream->early, bytes, length) == 0, "buffer");
	send_early(stream);
	drain(stream, cipher);
}

void tls_stream_close(struct tls_stream *stream, struct buf *cipher)
{
	if (stream->over || !SSL_is_init_finished(stream->ssl))
		return;
	SSL_shutdown(stream->ssl);
	ERR_clear_error();
	drain(stream, cipher);
}

bool tls_stream_client_verified(const struct tls_stream *stream)
{
	X509 *certificate = SSL_get1_peer_certificate(stream->ssl);
	bool verified = certificate && SSL_get_verify_result(stream->ssl) == X509_V_OK;

	X509_free(certificate);
	return verified;
}

const char *tls_stream_client_subject(struct tls_stream *stream)
{
	X509 *certificate = stream->subject ? NULL : SSL_get1_peer_certificate(stream->ssl);
	char name[256] = "";

	if (certificate &&
	    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof(name)) > 0)
		stream->subject = xstrdup(name);
	X509_free(certificate);
	return stream->subject;
}
