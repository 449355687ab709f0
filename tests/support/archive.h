/*
 * archive.h - writes tar archives and gzip, as Consul's snapshots are: for tests and fuzz targets, which link little.
 */
#ifndef SUPPORT_ARCHIVE_H
#define SUPPORT_ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#define ZLIB_CONST
#include <zlib.h>

#include "util/buf.h"

#define ARCHIVE_BLOCK ((size_t)512)
#define ARCHIVE_MAX   ((size_t)256 * 1024 * 1024)

/* The header of one entry. */
struct archive_header {
	const char *name;
	const char *prefix; /* NULL: none */
	char type;          /* 0: '0', a plain file */
	uint64_t size;
	bool gnu;      /* GNU's magic */
	bool base_256; /* GNU's form of the size */
};

static inline void archive_append(struct buf *out, const void *bytes, size_t count)
{
	if (buf_add(out, bytes, count) < 0)
		abort();
}

/* Makes the checksum right. */
static inline void archive_seal(unsigned char *block)
{
	unsigned int sum = 0;
	char digits[8];

	memset(block + 148, ' ', 8);
	for (size_t i = 0; i < ARCHIVE_BLOCK; i++)
		sum += block[i];
	snprintf(digits, sizeof(digits), "%06o", sum);
	memcpy(block + 148, digits, 7);
}

static inline void archive_put(unsigned char *field, size_t size, const char *text)
{
	size_t length = strlen(text);

	memcpy(field, text, length < size ? length : size);
}

static inline void archive_add_header(struct buf *out, const struct archive_header *header)
{
	unsigned char block[512] = { 0 };
	char digits[32];

	archive_put(block, 100, header->name);
	archive_put(block + 100, 8, "0000600");
	snprintf(digits, sizeof(digits), "%011llo", (unsigned long long)header->size);
	if (header->base_256) {
		block[124] = 0x80;
		for (size_t i = 0; i < 8; i++)
			block[135 - i] = (unsigned char)(header->size >> (8 * i));
	} else {
		archive_put(block + 124, 11, digits);
	}
	block[156] = (unsigned char)(header->type ? header->type : '0');
	memcpy(block + 257, header->gnu ? "ustar  " : "ustar\00000", 8);
	if (header->prefix)
		archive_put(block + 345, 155, header->prefix);
	archive_seal(block);
	archive_append(out, block, sizeof(block));
}

/* Fills the last block up. */
static inline void archive_pad(struct buf *out)
{
	static const char zeros[512];

	if (out->len % ARCHIVE_BLOCK)
		archive_append(out, zeros, ARCHIVE_BLOCK - out->len % ARCHIVE_BLOCK);
}

static inline void archive_add(struct buf *out, const char *name, const void *data, size_t length)
{
	archive_add_header(out, &(struct archive_header){ .name = name, .size = length });
	archive_append(out, data, length);
	archive_pad(out);
}

/* The two blocks of zeros. */
static inline void archive_end(struct buf *out)
{
	static const char zeros[1024];

	archive_append(out, zeros, sizeof(zeros));
}

/* A line of SHA256SUMS. */
static inline void archive_add_sum(struct buf *sums, const char *name, const void *data, size_t length)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned int count = 0;

	if (EVP_Digest(data, length, sum, &count, EVP_sha256(), NULL) != 1)
		abort();
	for (unsigned int i = 0; i < count; i++)
		buf_addf(sums, "%02x", sum[i]);
	buf_addf(sums, "  %s\n", name);
}

/* Appends in, packed, to out. */
static inline void archive_gzip(struct buf *out, const void *in, size_t length, int level)
{
	static unsigned char piece[64 * 1024];
	z_stream stream = { 0 };
	int status = deflateInit2(&stream, level, Z_DEFLATED, 16 + 15, 8, Z_DEFAULT_STRATEGY);

	stream.next_in = in;
	stream.avail_in = (uInt)length;
	while (status == Z_OK) {
		stream.next_out = piece;
		stream.avail_out = sizeof(piece);
		status = deflate(&stream, Z_FINISH);
		archive_append(out, piece, sizeof(piece) - stream.avail_out);
	}
	if (status != Z_STREAM_END)
		abort();
	deflateEnd(&stream);
}

#endif
