/* Is an archive whole? A real one, and our own with everything wrong that can be, in pieces of several sizes. */
#include <ctype.h>

#include <criterion/criterion.h>

#include "../../support/archive.h"
#include "consul/backup.h"
#include "fixture.h"
#include "util/mem.h"
#include "util/str.h"

#define REAL "1.8.7/snapshot.tgz"

static const char good_meta[] = "{\"Version\":1,\"ID\":\"2-23-1\",\"Index\":23,\"Term\":2,\"Size\":700}\n";
static char good_state[700];

/* What is in an archive; NULL: left out. */
struct files {
	const char *meta;
	const char *state;
	size_t state_length;
	const char *sums; /* NULL: the right ones */
	bool no_sums;
	const char *extra; /* the name of a further, empty one */
	bool lists_extra;
};

#define GOOD_FILES                                                                                                     \
	{                                                                                                              \
		.meta = good_meta, .state = good_state, .state_length = sizeof(good_state)                             \
	}

static void fill_state(void)
{
	for (size_t i = 0; i < sizeof(good_state); i++)
		good_state[i] = (char)(i * i % 251);
}

TestSuite(backup_check, .init = fill_state, .timeout = 60);

static void add_sums(struct buf *tar, const struct files *files)
{
	_cleanup_buf_ struct buf sums = BUF_TEXT;

	if (files->no_sums)
		return;
	if (files->sums) {
		buf_adds(&sums, files->sums);
	} else {
		archive_add_sum(&sums, "state.bin", files->state ? files->state : "",
		                files->state ? files->state_length : 0);
		archive_add_sum(&sums, "meta.json", files->meta ? files->meta : "",
		                strlen(files->meta ? files->meta : ""));
		if (files->lists_extra)
			archive_add_sum(&sums, files->extra, "", 0);
	}
	archive_add(tar, "SHA256SUMS", buf_text(&sums), sums.len);
}

static void add_files(struct buf *tar, const struct files *files)
{
	if (files->meta)
		archive_add(tar, "meta.json", files->meta, strlen(files->meta));
	if (files->state)
		archive_add(tar, "state.bin", files->state, files->state_length);
	if (files->extra)
		archive_add(tar, files->extra, "", 0);
	add_sums(tar, files);
}

/* -1 with err, or 0. */
static int check(const void *data, size_t length, size_t step, struct backup_info *info, struct err *err)
{
	struct backup_check *archive = backup_check_new();
	int status = 0;

	for (size_t at = 0; status == 0 && at < length; at += step)
		status =
		    backup_check_feed(archive, (const char *)data + at, length - at < step ? length - at : step, err);
	if (status == 0)
		status = backup_check_finish(archive, info, err);
	backup_check_free(archive);
	return status;
}

static void expect_error(const void *data, size_t length, const char *part)
{
	static const size_t steps[] = { 1, 7, SIZE_MAX / 2 };

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		_cleanup_err_ struct err err = ERR_INIT;
		struct backup_info info;

		cr_assert_eq(check(data, length, steps[i], &info, &err), -1, "no error: %s", part);
		cr_assert_eq(err.kind, ERR_INVALID, "%d: %s", (int)err.kind, err.message);
		cr_assert(strstr(err.message, part), "\"%s\" is not in: %s", part, err.message);
	}
}

static void expect_whole(const void *data, size_t length)
{
	static const size_t steps[] = { 1, 7, 1000, SIZE_MAX / 2 };

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		_cleanup_err_ struct err err = ERR_INIT;
		struct backup_info info = { 0 };

		cr_assert_eq(check(data, length, steps[i], &info, &err), 0, "%s", err.message);
		cr_assert_eq(info.index, 23);
		cr_assert_eq(info.term, 2);
		cr_assert_eq(info.bytes, length);
	}
}

/* A tar archive: NULL: must be whole; else the error. Takes it over. */
static void expect_tar(struct buf *tar, const char *part)
{
	_cleanup_buf_ struct buf packed = BUF_INIT(ARCHIVE_MAX);

	archive_gzip(&packed, buf_text(tar), tar->len, 6);
	buf_release(tar);
	if (part)
		expect_error(packed.data, packed.len, part);
	else
		expect_whole(packed.data, packed.len);
}

static void expect_files(const struct files *files, const char *part)
{
	struct buf tar = BUF_INIT(ARCHIVE_MAX);

	add_files(&tar, files);
	archive_end(&tar);
	expect_tar(&tar, part);
}

/* ------------------------------------------------------------------------------------------- whole */

Test(backup_check, a_real_archive_is_whole)
{
	size_t length;
	_cleanup_free_ char *real = fixture_read(REAL, &length);

	expect_whole(real, length);
}

Test(backup_check, our_own_is_whole)
{
	expect_files(&(struct files)GOOD_FILES, NULL);
}

Test(backup_check, a_state_of_whole_blocks_and_an_empty_one_are_whole)
{
	struct files files = GOOD_FILES;

	files.meta = "{\"Index\":23,\"Term\":2}";
	files.state_length = ARCHIVE_BLOCK;
	expect_files(&files, NULL);
	files.state_length = 0;
	expect_files(&files, NULL);
}

Test(backup_check, a_further_file_is_fine_when_it_is_listed)
{
	struct files files = GOOD_FILES;

	files.extra = "more.json";
	files.lists_extra = true;
	expect_files(&files, NULL);
}

Test(backup_check, sums_may_be_written_as_sha256sum_does)
{
	_cleanup_buf_ struct buf sums = BUF_TEXT;
	struct files files = GOOD_FILES;

	archive_add_sum(&sums, "meta.json", good_meta, strlen(good_meta));
	archive_add_sum(&sums, "state.bin", good_state, sizeof(good_state));
	for (size_t i = 0; i < 64; i++)
		sums.data[i] = (char)toupper(sums.data[i]);
	sums.data[65] = '*';
	sums.data[sums.len - 1] = '\0'; /* without the last newline */
	files.sums = sums.data;
	expect_files(&files, NULL);
}

Test(backup_check, zeros_may_follow_the_end_of_the_tar)
{
	struct buf tar = BUF_INIT(ARCHIVE_MAX);

	add_files(&tar, &(struct files)GOOD_FILES);
	for (size_t i = 0; i < 10; i++)
		archive_end(&tar);
	expect_tar(&tar, NULL);
}

static void add_pax(struct buf *tar, const char *records)
{
	archive_add_header(tar,
	                   &(struct archive_header){ .name = "PaxHeaders.0/x", .type = 'x', .size = strlen(records) });
	archive_append(tar, records, strlen(records));
	archive_pad(tar);
}

static void add_state(struct buf *tar, const struct archive_header *header)
{
	archive_add_header(tar, header);
	archive_append(tar, good_state, sizeof(good_state));
	archive_pad(tar);
}

static void begin(struct buf *tar)
{
	*tar = (struct buf)BUF_INIT(ARCHIVE_MAX);
	archive_add(tar, "meta.json", good_meta, strlen(good_meta));
}

static void end(struct buf *tar, const char *part)
{
	struct files files = GOOD_FILES;

	add_sums(tar, &files);
	archive_end(tar);
	expect_tar(tar, part);
}

Test(backup_check, reads_every_form_of_name_and_size)
{
	struct buf tar;

	begin(&tar);
	add_state(&tar, &(struct archive_header){ .name = "state.bin", .size = 700, .base_256 = true, .gnu = true });
	end(&tar, NULL);

	begin(&tar);
	add_pax(&tar, "28 mtime=1606050000.1234567\n12 size=700\n18 path=state.bin\n");
	add_state(&tar, &(struct archive_header){ .name = "shortened", .size = 0 });
	end(&tar, NULL);

	begin(&tar);
	archive_add_header(&tar, &(struct archive_header){ .name = "././@LongLink", .type = 'L', .size = 10 });
	archive_append(&tar, "state.bin", 10);
	archive_pad(&tar);
	add_state(&tar, &(struct archive_header){ .name = "shortened", .size = 700, .gnu = true });
	end(&tar, NULL);

	begin(&tar);
	add_state(&tar, &(struct archive_header){ .name = "bin", .prefix = "state", .size = 700 });
	end(&tar, "no state.bin");
}

/* ---------------------------------------------------------------------------------------- damaged */

Test(backup_check, cut_off_anywhere_is_not_whole)
{
	size_t length;
	_cleanup_free_ char *real = fixture_read(REAL, &length);

	expect_error(real, 0, "nothing came");
	for (size_t i = 1; i < length; i++) {
		_cleanup_err_ struct err err = ERR_INIT;
		struct backup_info info;

		cr_assert_eq(check(real, i, 100, &info, &err), -1, "%zu", i);
		cr_assert_eq(err.kind, ERR_INVALID);
		cr_assert(strstr(err.message, "the archive is cut off after"), "%zu: %s", i, err.message);
	}
}

static void unpack(const char *packed, size_t length, struct buf *out)
{
	static unsigned char bytes[64 * 1024];
	z_stream stream = { 0 };

	cr_assert_eq(inflateInit2(&stream, 16 + 15), Z_OK);
	stream.next_in = (const unsigned char *)packed;
	stream.avail_in = (uInt)length;
	stream.next_out = bytes;
	stream.avail_out = sizeof(bytes);
	cr_assert_eq(inflate(&stream, Z_FINISH), Z_STREAM_END);
	archive_append(out, bytes, sizeof(bytes) - stream.avail_out);
	inflateEnd(&stream);
}

/*
 * Up to byte 10 are things that do not matter: when it was packed, and by what. Further on there are bits that mean
 * nothing, between blocks: then all that is in the archive must be the same.
 */
Test(backup_check, one_wrong_byte_anywhere_is_found)
{
	size_t length, same = 0;
	_cleanup_free_ char *real = fixture_read(REAL, &length);
	_cleanup_buf_ struct buf good = BUF_INIT(ARCHIVE_MAX);

	unpack(real, length, &good);
	for (size_t i = 10; i < length; i++) {
		_cleanup_err_ struct err err = ERR_INIT;
		_cleanup_buf_ struct buf other = BUF_INIT(ARCHIVE_MAX);
		struct backup_info info;

		real[i] = (char)~real[i];
		if (check(real, length, 100, &info, &err) == 0) {
			unpack(real, length, &other);
			cr_assert(other.len == good.len && memcmp(other.data, good.data, good.len) == 0, "%zu", i);
			same++;
		} else {
			cr_assert_eq(err.kind, ERR_INVALID);
		}
		real[i] = (char)~real[i];
	}
	cr_assert_leq(same, 2);
}

/* The same where gzip's own sum is right: the byte was wrong before it was packed. */
Test(backup_check, one_wrong_byte_in_the_files_is_found)
{
	struct buf good = BUF_INIT(ARCHIVE_MAX);

	add_files(&good, &(struct files)GOOD_FILES);
	archive_end(&good);
	for (size_t i = 0; i < good.len; i += 37) {
		_cleanup_buf_ struct buf packed = BUF_INIT(ARCHIVE_MAX);
		_cleanup_err_ struct err err = ERR_INIT;
		bool is_padding = (i >= 512 + sizeof(good_meta) && i < 1024) || (i >= 1536 + 700 && i < 2560) ||
		                  (i >= 3072 + 2 * 77 && i < 3584);
		struct backup_info info;

		good.data[i] ^= 1;
		archive_gzip(&packed, good.data, good.len, 1);
		cr_assert_eq(check(packed.data, packed.len, 1000, &info, &err), is_padding ? 0 : -1, "%zu: %s", i,
		             err.message);
		good.data[i] ^= 1;
	}
	buf_release(&good);
}

Test(backup_check, wrong_sums_are_told_by_name)
{
	struct files files = GOOD_FILES;
	_cleanup_buf_ struct buf sums = BUF_TEXT;

	archive_add_sum(&sums, "meta.json", good_meta, strlen(good_meta));
	archive_add_sum(&sums, "state.bin", good_state, sizeof(good_state));
	files.sums = sums.data;
	good_state[600] ^= 1;
	expect_files(&files, "state.bin in the archive does not have the sum that SHA256SUMS has");
	good_state[600] ^= 1;
	sums.data[0] = sums.data[0] == '0' ? '1' : '0';
	expect_files(&files, "meta.json in the archive does not have the sum that SHA256SUMS has");
	sums.data[0] = 'x';
	expect_files(&files, "SHA256SUMS in the archive has an unreadable line: x");
	files.sums = "\n";
	expect_files(&files, "\"meta.json\", which SHA256SUMS does not list");
	files.sums = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  \x1b[2J\n";
	expect_files(&files, "the archive has no ^[[2J, which SHA256SUMS lists");
}

Test(backup_check, missing_files_are_told_by_name)
{
	struct files no_meta = GOOD_FILES, no_state = GOOD_FILES, no_sums = GOOD_FILES, nothing = { .no_sums = true };

	no_meta.meta = NULL;
	expect_files(&no_meta, "the archive has no meta.json");
	no_state.state = NULL;
	expect_files(&no_state, "the archive has no state.bin");
	no_sums.no_sums = true;
	expect_files(&no_sums, "the archive has no SHA256SUMS");
	expect_files(&nothing, "the archive has no meta.json");
}

Test(backup_check, files_that_do_not_belong_there)
{
	struct files unlisted = GOOD_FILES;
	struct buf tar;

	unlisted.extra = "evil\n";
	expect_files(&unlisted, "the archive has \"evil\\n\", which SHA256SUMS does not list");
	unlisted.extra = "state.bin";
	expect_files(&unlisted, "the archive has \"state.bin\" twice");

	begin(&tar);
	archive_add_header(&tar, &(struct archive_header){ .name = "state.bin", .type = '2' });
	end(&tar, "its tar has \"state.bin\", which is no plain file");

	begin(&tar);
	for (size_t i = 0; i < 20; i++) {
		_cleanup_free_ char *name = xasprintf("file-%zu", i);

		archive_add(&tar, name, "", 0);
	}
	end(&tar, "the archive has more than 16 files");
}

Test(backup_check, limits)
{
	static char long_text[1200 * 1024];
	struct files files = GOOD_FILES;
	struct buf tar;

	memset(long_text, ' ', sizeof(long_text) - 1);
	files.meta = long_text;
	expect_files(&files, "meta.json in the archive has more than 1048576 bytes");
	files = (struct files)GOOD_FILES;
	files.sums = long_text;
	expect_files(&files, "SHA256SUMS in the archive has more than 16384 bytes");

	begin(&tar);
	archive_add_header(
	    &tar, &(struct archive_header){ .name = "x", .type = 'x', .size = UINT64_C(1) << 40, .base_256 = true });
	archive_append(&tar, long_text, 20000);
	end(&tar, "its tar has an extended header of more than 16384 bytes");
}

Test(backup_check, what_meta_json_must_say)
{
	static const struct {
		const char *meta, *part;
	} rows[] = {
		{ "{", "meta.json in the archive: not JSON" },
		{ "[]", "meta.json in the archive tells no index or no term" },
		{ "{\"Index\":23}", "tells no index or no term" },
		{ "{\"Index\":\"23\",\"Term\":2}", "tells no index or no term" },
		{ "{\"Index\":-1,\"Term\":2}", "tells no index or no term" },
		{ "{\"Index\":23,\"Term\":2,\"Size\":701}",
		  "state.bin in the archive has 700 bytes, and by meta.json it has 701" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct files files = GOOD_FILES;

		files.meta = rows[i].meta;
		expect_files(&files, rows[i].part);
	}
}

Test(backup_check, damaged_tars)
{
	static const char *const records[] = { "x", "5 a=b\n", "99 path=a\n", "0 a=b\n", "3 \n\n", "6 a=b\nx" };
	struct files files = GOOD_FILES;
	struct buf tar;

	for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
		begin(&tar);
		add_pax(&tar, records[i]);
		end(&tar, "its tar has an unreadable extended header");
	}
	begin(&tar);
	add_pax(&tar, "15 size=-000001\n");
	end(&tar, "unreadable extended header");
	begin(&tar);
	add_pax(&tar, "9 size=x\n");
	end(&tar, "its tar has an extended header with an unreadable size");

	begin(&tar);
	archive_append(&tar, "something else, of one block at least", 38);
	archive_pad(&tar);
	end(&tar, "its tar is damaged, or it is no tar at all");

	begin(&tar);
	archive_end(&tar);
	end(&tar, "more follows the end of its tar");

	tar = (struct buf)BUF_INIT(ARCHIVE_MAX);
	add_files(&tar, &files);
	expect_tar(&tar, "the archive is cut off: its tar has no end");
	add_files(&tar, &files);
	archive_end(&tar);
	tar.len -= ARCHIVE_BLOCK;
	expect_tar(&tar, "the archive is cut off: its tar has no end");
}

Test(backup_check, what_is_no_archive)
{
	static const char text[] = "rpc error making call: No cluster leader";
	size_t length;
	_cleanup_free_ char *real = fixture_read(REAL, &length);
	_cleanup_buf_ struct buf more = BUF_INIT(ARCHIVE_MAX);

	expect_error(text, sizeof(text) - 1, "it is no gzip archive");
	archive_append(&more, real, length);
	archive_append(&more, text, 1);
	expect_error(more.data, more.len, "more follows the end of the archive");
	buf_clear(&more);
	archive_append(&more, real, 500);
	archive_append(&more, text, sizeof(text));
	expect_error(more.data, more.len, "the archive is ");
}
