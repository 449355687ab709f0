/*
 * Certificates, authorities with keys, bundles, as they come from a Secret, a server or a person. The first byte
 * chooses; two texts are parted by a NUL.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <openssl/err.h>

#include "consul/certificate.h"
#include "util/buf.h"

#define NOW ((int64_t)1800000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void read_one(const char *text)
{
	struct certificate read = CERTIFICATE_INIT;
	struct err err = ERR_INIT;
	int status = certificate_read(text, &read, &err);

	check((status == 0) == read.known && (status < 0) == err_is_set(&err));
	if (status == 0) {
		check(read.subject && read.issuer && strlen(read.fingerprint) == 64);
		(void)certificate_days_left(&read, NOW);
		(void)certificate_has_name(&read, "a.server.dc1.consul");
	}
	certificate_release(&read);
	err_release(&err);
}

/* What is taken signs, unless its key cannot; what is signed is trusted by it. */
static void read_authority(const char *text, const char *key)
{
	struct certificate_request request = { .common_name = "server.dc1.consul", .days = 1 };
	struct key_pair pair = KEY_PAIR_INIT, leaf = KEY_PAIR_INIT;
	struct err err = ERR_INIT, issued = ERR_INIT, trusted = ERR_INIT;
	int status = certificate_read_authority(text, "ca", key, "key", NOW, &pair, &err);

	check((status == 0) == (pair.certificate != NULL) && (status < 0) == err_is_set(&err));
	if (pair.key && certificate_issue(&pair, &request, NOW, &leaf, &issued) == 0)
		check(certificate_verify(leaf.certificate, pair.certificate, NOW, &trusted) == 0);
	key_pair_release(&pair);
	key_pair_release(&leaf);
	err_release(&err);
	err_release(&issued);
	err_release(&trusted);
}

/* A bundle of a bundle is the bundle. */
static void bundle(const char *first, const char *second)
{
	char *once = NULL, *twice = NULL;
	struct err err = ERR_INIT;

	if (certificate_bundle(first, second, &once, &err) == 0) {
		check(certificate_bundle(once, once, &twice, &err) == 0);
		check(str_equal(once, twice));
	} else {
		check(err_is_set(&err) && !once);
	}
	free(once);
	free(twice);
	err_release(&err);
}

static void verify(const char *leaf, const char *authorities)
{
	struct err err = ERR_INIT;

	check((certificate_verify(leaf, authorities, NOW, &err) < 0) == err_is_set(&err));
	err_release(&err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf text = BUF_TEXT;
	const char *first, *second = NULL;

	if (size == 0 || buf_add(&text, data + 1, size - 1) < 0)
		return 0;
	first = buf_text(&text);
	if (strlen(first) < text.len)
		second = first + strlen(first) + 1;
	switch (data[0] % 4) {
	case 0:
		read_one(first);
		break;
	case 1:
		read_authority(first, second);
		break;
	case 2:
		bundle(first, second);
		break;
	default:
		verify(first, second ? second : first);
	}
	check(ERR_peek_error() == 0);
	buf_release(&text);
	return 0;
}
