/* Is an archive whole? It is read as it comes, and of the state only a sum is kept. See include/consul/backup.h. */
#include "consul/backup.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include <openssl/evp.h>
#define ZLIB_CONST
#include <zlib.h>

#include "backup_parts.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#define META  "meta.json"
#define STATE "state.bin"
#define SUMS  "SHA256SUMS"

/* Consul writes three files. */
#define ENTRIES_MAX 16
/* Some hundred bytes for each server. */
#define META_MAX ((size_t)1024 * 1024)
#define SUMS_MAX ((size_t)16 * 1024)

#define SUM_BYTES 32
#define SHOWN_MAX 100 /* bytes of a name that an error shows */
/* zlib is given, and gives, so many bytes at a time. */
#define PIECE ((size_t)32 * 1024)

struct entry {
	char *name;
	uint64_t size;
	unsigned char sum[SUM_BYTES];
	bool is_listed;
};

struct backup_check {
	z_stream gzip;
	bool gzip_ended;
	struct tar tar;
	EVP_MD_CTX *digest; /* of the entry under way */
	struct entry entries[ENTRIES_MAX];
	size_t entry_count;
	struct buf meta, sums;
	struct buf *kept; /* of these, the entry under way; NULL: another one */
	uint64_t bytes;
	bool has_failed;
	unsigned char out[PIECE];
};

/* --------------------------------------------------------------------------------------- entries */

static struct entry *find_entry(struct backup_check *check, const char *name)
{
	for (size_t i = 0; i < check->entry_count; i++)
		if (str_equal(check->entries[i].name, name))
			return &check->entries[i];
	return NULL;
}

static int on_entry(void *context, const char *name, uint64_t size, struct err *err)
{
	struct backup_check *check = context;
	struct entry *entry;

	if (find_entry(check, name)) {
		_cleanup_free_ char *shown = str_visible(name, SHOWN_MAX);

		return err_set(err, ERR_INVALID, "the archive has \"%s\" twice", shown);
	}
	if (check->entry_count == ENTRIES_MAX)
		return err_set(err, ERR_INVALID, "the archive has more than %d files", ENTRIES_MAX);
	entry = &check->entries[check->entry_count++];
	entry->name = xstrdup(name);
	entry->size = size;
	check->kept = str_equal(name, META) ? &check->meta : str_equal(name, SUMS) ? &check->sums : NULL;
	if (EVP_DigestInit_ex(check->digest, EVP_sha256(), NULL) != 1)
		return err_set(err, ERR_FAILED, "OpenSSL has no SHA-256");
	return 0;
}

static int on_data(void *context, const void *data, size_t length, struct err *err)
{
	struct backup_check *check = context;

	if (check->kept && buf_add(check->kept, data, length) < 0)
		return err_set(err, ERR_INVALID, "%s in the archive has more than %zu bytes",
		               check->entries[check->entry_count - 1].name, check->kept->max);
	if (EVP_DigestUpdate(check->digest, data, length) != 1)
		return err_set(err, ERR_FAILED, "OpenSSL cannot make a SHA-256 sum");
	return 0;
}

static int on_entry_end(void *context, struct err *err)
{
	struct backup_check *check = context;
	unsigned int length = 0;

	if (EVP_DigestFinal_ex(check->digest, check->entries[check->entry_count - 1].sum, &length) != 1 ||
	    length != SUM_BYTES)
		return err_set(err, ERR_FAILED, "OpenSSL cannot make a SHA-256 sum");
	return 0;
}

/* -------------------------------------------------------------------------------------- new, free */

struct backup_check *backup_check_new(void)
{
	static const struct tar_events events = { .on_entry = on_entry,
		                                  .on_data = on_data,
		                                  .on_entry_end = on_entry_end };
	struct backup_check *check = xcalloc(1, sizeof(*check));

	check->tar = (struct tar)TAR_INIT(&events, check);
	check->meta = (struct buf)BUF_INIT(META_MAX);
	check->sums = (struct buf)BUF_INIT(SUMS_MAX);
	check->digest = EVP_MD_CTX_new();
	/* 16 for gzip alone, 15 for windows of any size. These fail only for want of memory. */
	if (!check->digest || inflateInit2(&check->gzip, 16 + 15) != Z_OK)
		abort();
	return check;
}

void backup_check_free(struct backup_check *check)
{
	if (!check)
		return;
	inflateEnd(&check->gzip);
	EVP_MD_CTX_free(check->digest);
	tar_release(&check->tar);
	for (size_t i = 0; i < check->entry_count; i++)
		free(check->entries[i].name);
	buf_release(&check->meta);
	buf_release(&check->sums);
	free(check);
}

/* -------------------------------------------------------------------------------------------- gzip */

static int fail_for_gzip(const struct backup_check *check, struct err *err)
{
	const char *why = check->gzip.msg ? check->gzip.msg : "unreadable";

	if (check->gzip.total_out == 0 && strstr(why, "header"))
		return err_set(err, ERR_INVALID, "it is no gzip archive");
	return err_set(err, ERR_INVALID, "the archive is damaged (%s)", why);
}

/* Unpacks what zlib has been given, up to its end or that of the archive. */
static int unpack(struct backup_check *check, struct err *err)
{
	z_stream *gzip = &check->gzip;
	int status;

	do {
		gzip->next_out = check->out;
		gzip->avail_out = PIECE;
		status = inflate(gzip, Z_NO_FLUSH);
		if (status == Z_MEM_ERROR)
			abort();
		/* Z_BUF_ERROR: all was taken, and the last call gave all that was to be had. */
		if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
			return fail_for_gzip(check, err);
		if (tar_feed(&check->tar, check->out, PIECE - gzip->avail_out, err) < 0)
			return -1;
	} while (status == Z_OK && (gzip->avail_in > 0 || gzip->avail_out == 0));
	check->gzip_ended = status == Z_STREAM_END;
	return 0;
}

static int feed(struct backup_check *check, const unsigned char *data, size_t length, struct err *err)
{
	while (length > 0) {
		size_t count = length < PIECE ? length : PIECE;

		if (check->gzip_ended)
			return err_set(err, ERR_INVALID, "more follows the end of the archive");
		check->gzip.next_in = data;
		check->gzip.avail_in = (uInt)count;
		if (unpack(check, err) < 0)
			return -1;
		count -= check->gzip.avail_in;
		data += count;
		length -= count;
		check->bytes += count;
	}
	return 0;
}

int backup_check_feed(struct backup_check *check, const void *data, size_t length, struct err *err)
{
	assert(!check->has_failed);
	check->has_failed = feed(check, data, length, err) < 0;
	return check->has_failed ? -1 : 0;
}

/* -------------------------------------------------------------------------------------------- sums */

static int hex_digit(char digit)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *at = digit ? strchr(digits, digit) : NULL;

	return at ? (int)(at - digits) % 16 : -1;
}

/* "HEX  NAME", or "HEX *NAME"; NULL when it is no such line. */
static const char *read_line(const char *line, unsigned char *ret_sum)
{
	for (size_t i = 0; i < SUM_BYTES; i++) {
		int high = hex_digit(line[2 * i]);
		int low = high < 0 ? -1 : hex_digit(line[2 * i + 1]);

		if (low < 0)
			return NULL;
		ret_sum[i] = (unsigned char)(high << 4 | low);
	}
	line += 2 * SUM_BYTES;
	return line[0] == ' ' && (line[1] == ' ' || line[1] == '*') && line[2] ? line + 2 : NULL;
}

static int check_line(struct backup_check *check, const char *line, struct err *err)
{
	unsigned char sum[SUM_BYTES];
	const char *name = read_line(line, sum);
	struct entry *entry = name ? find_entry(check, name) : NULL;
	_cleanup_free_ char *shown = str_visible(name ? name : line, SHOWN_MAX);

	if (!name)
		return err_set(err, ERR_INVALID, SUMS " in the archive has an unreadable line: %s", shown);
	if (!entry)
		return err_set(err, ERR_INVALID, "the archive has no %s, which " SUMS " lists", shown);
	if (memcmp(entry->sum, sum, SUM_BYTES) != 0)
		return err_set(err, ERR_INVALID, "%s in the archive does not have the sum that " SUMS " has", shown);
	entry->is_listed = true;
	return 0;
}

static int check_lines(struct backup_check *check, struct err *err)
{
	const char *at = buf_text(&check->sums), *end = at + check->sums.len;

	while (at < end) {
		size_t length = strcspn(at, "\n");
		_cleanup_free_ char *line = xstrndup(at, length);

		if ((*line || at[length] == '\0') && check_line(check, line, err) < 0)
			return -1;
		at += length + 1;
	}
	return 0;
}

static int check_sums(struct backup_check *check, struct err *err)
{
	if (check_lines(check, err) < 0)
		return -1;
	for (size_t i = 0; i < check->entry_count; i++) {
		const struct entry *entry = &check->entries[i];
		_cleanup_free_ char *shown = str_visible(entry->name, SHOWN_MAX);

		if (!entry->is_listed && !str_equal(entry->name, SUMS))
			return err_set(err, ERR_INVALID, "the archive has \"%s\", which " SUMS " does not list", shown);
	}
	return 0;
}

/* ------------------------------------------------------------------------------------------ finish */

static int read_meta(const struct backup_check *check, const struct entry *state, struct backup_info *ret_info,
                     struct err *err)
{
	_cleanup_json_ cJSON *json = NULL;
	int64_t index, term, size;

	if (json_parse(buf_text(&check->meta), check->meta.len, &json, err) < 0)
		return err_wrap(err, META " in the archive");
	index = json_int_at(json, "Index", -1);
	term = json_int_at(json, "Term", -1);
	size = json_int_at(json, "Size", -1);
	if (index < 0 || term < 0)
		return err_set(err, ERR_INVALID, META " in the archive tells no index or no term");
	if (size >= 0 && (uint64_t)size != state->size)
		return err_set(err, ERR_INVALID,
		               STATE " in the archive has %" PRIu64 " bytes, and by " META " it has %" PRId64,
		               state->size, size);
	*ret_info = (struct backup_info){ .index = (uint64_t)index, .term = (uint64_t)term, .bytes = check->bytes };
	return 0;
}

int backup_check_finish(struct backup_check *check, struct backup_info *ret_info, struct err *err)
{
	static const char *const needed[] = { META, SUMS };
	const struct entry *state = find_entry(check, STATE);

	assert(!check->has_failed);
	if (check->bytes == 0)
		return err_set(err, ERR_INVALID, "nothing came");
	if (!check->gzip_ended)
		return err_set(err, ERR_INVALID, "the archive is cut off after %" PRIu64 " bytes", check->bytes);
	if (check->tar.state != TAR_END)
		return err_set(err, ERR_INVALID, "the archive is cut off: its tar has no end");
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (!find_entry(check, needed[i]))
			return err_set(err, ERR_INVALID, "the archive has no %s", needed[i]);
	if (!state)
		return err_set(err, ERR_INVALID, "the archive has no " STATE);
	if (check_sums(check, err) < 0)
		return -1;
	return read_meta(check, state, ret_info, err);
}
