/*
 * An archive of Consul's, in pieces. The first byte says how big they are (low bits) and what the rest is: bytes as
 * they come, a tar archive (packed, its checksums made right), or one file of an archive that is right otherwise:
 * meta.json, SHA256SUMS.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "../support/archive.h"
#include "consul/backup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char good_meta[] = "{\"Index\":1,\"Term\":1}\n";

static void check(const char *bytes, size_t length, size_t step)
{
	struct backup_check *archive = backup_check_new();
	struct backup_info info = { 0 };
	struct err err = ERR_INIT;
	int status = 0;

	for (size_t at = 0; status == 0 && at < length; at += step)
		status = backup_check_feed(archive, bytes + at, length - at < step ? length - at : step, &err);
	if (status == 0)
		status = backup_check_finish(archive, &info, &err);
	if (err_is_set(&err) != (status < 0) || (status == 0 && info.bytes != length))
		abort();
	err_release(&err);
	backup_check_free(archive);
}

static void check_tar(const struct buf *tar, size_t step)
{
	struct buf packed = BUF_INIT(ARCHIVE_MAX);

	archive_gzip(&packed, buf_text(tar), tar->len, 0);
	check(packed.data, packed.len, step);
	buf_release(&packed);
}

static void check_sealed(const uint8_t *data, size_t size, size_t step)
{
	struct buf tar = BUF_INIT(ARCHIVE_MAX);

	archive_append(&tar, data, size);
	for (size_t at = 0; at + ARCHIVE_BLOCK <= size; at += ARCHIVE_BLOCK)
		if (memcmp(tar.data + at + 257, "ustar", 5) == 0)
			archive_seal((unsigned char *)tar.data + at);
	check_tar(&tar, step);
	buf_release(&tar);
}

static void check_files(const void *meta, size_t meta_length, const void *sums, size_t sums_length, size_t step)
{
	struct buf tar = BUF_INIT(ARCHIVE_MAX);

	archive_add(&tar, "meta.json", meta, meta_length);
	archive_add(&tar, "state.bin", "state", 5);
	archive_add(&tar, "SHA256SUMS", sums, sums_length);
	archive_end(&tar);
	check_tar(&tar, step);
	buf_release(&tar);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf sums = BUF_TEXT;
	size_t step;

	if (size == 0)
		return 0;
	step = (data[0] & 0x3f) * 17u + 1u;
	switch (data[0] >> 6) {
	case 0:
		check((const char *)data + 1, size - 1, step);
		break;
	case 1:
		check_sealed(data + 1, size - 1, step);
		break;
	case 2:
		archive_add_sum(&sums, "meta.json", data + 1, size - 1);
		archive_add_sum(&sums, "state.bin", "state", 5);
		check_files(data + 1, size - 1, sums.data, sums.len, step);
		break;
	default:
		check_files(good_meta, sizeof(good_meta) - 1, data + 1, size - 1, step);
		break;
	}
	buf_release(&sums);
	return 0;
}
