/*
 * Reads a tar archive in pieces. See backup_parts.h.
 *
 * A header is a block of 512 bytes: name at 0 (100 bytes), size at 124 (12), checksum at 148 (8), type at 156, magic at
 * 257, prefix of the name at 345 (155, ustar only). Then the body, filled up to whole blocks; at the end two blocks of
 * zeros. Sources: POSIX pax, GNU tar's manual ("Basic Tar Format").
 */
#include <assert.h>
#include <string.h>

#include "backup_parts.h"
#include "util/mem.h"
#include "util/str.h"

#define NAME_AT       0
#define NAME_BYTES    100
#define SIZE_AT       124
#define SIZE_BYTES    12
#define CHECKSUM_AT   148
#define CHECKSUM_SIZE 8
#define TYPE_AT       156
#define MAGIC_AT      257
#define PREFIX_AT     345
#define PREFIX_BYTES  155

#define SHOWN_MAX 100 /* bytes of a name that an error shows */

/* ----------------------------------------------------------------------------------------- numbers */

/* Octal digits, with spaces around them, up to a NUL. */
static int read_octal(const unsigned char *field, size_t length, uint64_t *ret_value)
{
	uint64_t value = 0;
	size_t i = 0;

	while (i < length && field[i] == ' ')
		i++;
	for (; i < length && field[i] >= '0' && field[i] <= '7'; i++) {
		if (value > UINT64_MAX >> 3)
			return -1;
		value = value << 3 | (uint64_t)(field[i] - '0');
	}
	while (i < length && (field[i] == ' ' || field[i] == '\0'))
		i++;
	*ret_value = value;
	return i == length ? 0 : -1;
}

/* GNU's: the first bit set, then a big-endian number; a negative one has the second bit set. */
static int read_base_256(const unsigned char *field, size_t length, uint64_t *ret_value)
{
	uint64_t value = field[0] & 0x7f;

	if (field[0] & 0x40)
		return -1;
	for (size_t i = 1; i < length; i++) {
		if (value > UINT64_MAX >> 8)
			return -1;
		value = value << 8 | field[i];
	}
	*ret_value = value;
	return 0;
}

/* No file has more bytes than an off_t can tell. */
static int read_size(const unsigned char *block, uint64_t *ret_size)
{
	const unsigned char *field = block + SIZE_AT;
	int status =
	    field[0] & 0x80 ? read_base_256(field, SIZE_BYTES, ret_size) : read_octal(field, SIZE_BYTES, ret_size);

	return status == 0 && *ret_size <= INT64_MAX ? 0 : -1;
}

/* The sum of all bytes, where the checksum itself counts as spaces. */
static bool has_right_checksum(const unsigned char *block)
{
	uint64_t told, sum = 0;

	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += i >= CHECKSUM_AT && i < CHECKSUM_AT + CHECKSUM_SIZE ? ' ' : block[i];
	return read_octal(block + CHECKSUM_AT, CHECKSUM_SIZE, &told) == 0 && told == sum;
}

/* ------------------------------------------------------------------------------------------- names */

static char *read_text(const unsigned char *field, size_t length)
{
	return xstrndup((const char *)field, strnlen((const char *)field, length));
}

static char *read_name(const unsigned char *block)
{
	_cleanup_free_ char *name = read_text(block + NAME_AT, NAME_BYTES);
	_cleanup_free_ char *prefix = NULL;
	bool is_ustar = memcmp(block + MAGIC_AT, "ustar", 6) == 0;

	if (!is_ustar || block[PREFIX_AT] == '\0')
		return TAKE(name);
	prefix = read_text(block + PREFIX_AT, PREFIX_BYTES);
	return xasprintf("%s/%s", prefix, name);
}

/* "path=…" or "size=…", of which only these two matter here. */
static int take_record(struct tar *tar, const char *record, struct err *err)
{
	if (str_starts_with(record, "path=")) {
		replace_string(&tar->next_name, xstrdup(record + 5));
	} else if (str_starts_with(record, "size=")) {
		tar->has_next_size = true;
		if (str_to_uint64(record + 5, &tar->next_size) < 0 || tar->next_size > INT64_MAX)
			return err_set(err, ERR_INVALID, "its tar has an extended header with an unreadable size");
	}
	return 0;
}

/* PAX: lines "LENGTH KEY=VALUE\n"; LENGTH is that of the whole line. */
static int take_records(struct tar *tar, struct err *err)
{
	const char *at = buf_text(&tar->extended), *end = at + tar->extended.len;

	while (at < end) {
		const char *space = memchr(at, ' ', (size_t)(end - at));
		_cleanup_free_ char *digits = space ? xstrndup(at, (size_t)(space - at)) : NULL;
		_cleanup_free_ char *record = NULL;
		uint64_t length;

		if (!space || str_to_uint64(digits, &length) < 0 || length > (uint64_t)(end - at) ||
		    length < (uint64_t)(space - at) + 2 || at[length - 1] != '\n')
			return err_set(err, ERR_INVALID, "its tar has an unreadable extended header");
		record = xstrndup(space + 1, length - 2 - (size_t)(space - at));
		if (take_record(tar, record, err) < 0)
			return -1;
		at += length;
	}
	return 0;
}

/* ----------------------------------------------------------------------------------------- headers */

static int fail_for_type(const char *name, struct err *err)
{
	_cleanup_free_ char *shown = str_visible(name, SHOWN_MAX);

	return err_set(err, ERR_INVALID, "its tar has \"%s\", which is no plain file", shown);
}

static int begin_file(struct tar *tar, uint64_t size, struct err *err)
{
	_cleanup_free_ char *name = tar->next_name ? TAKE(tar->next_name) : read_name(tar->block);

	tar->kind = TAR_FILE;
	if (tar->block[TYPE_AT] != '0' && tar->block[TYPE_AT] != '\0')
		return fail_for_type(name, err);
	if (tar->has_next_size)
		size = tar->next_size;
	tar->has_next_size = false;
	tar->left = size;
	return tar->events->on_entry(tar->context, name, size, err);
}

static int begin_extended(struct tar *tar, enum tar_kind kind, uint64_t size, struct err *err)
{
	tar->kind = kind;
	tar->left = size;
	buf_clear(&tar->extended);
	if (size > TAR_EXTENDED_MAX)
		return err_set(err, ERR_INVALID, "its tar has an extended header of more than %zu bytes",
		               TAR_EXTENDED_MAX);
	return 0;
}

static bool is_zero(const unsigned char *block)
{
	for (size_t i = 0; i < TAR_BLOCK; i++)
		if (block[i])
			return false;
	return true;
}

static int end_body(struct tar *tar, struct err *err);

static int take_header(struct tar *tar, struct err *err)
{
	uint64_t size;
	int status;

	if (is_zero(tar->block)) {
		tar->state = tar->had_zero_block ? TAR_END : TAR_HEADER;
		tar->had_zero_block = true;
		return 0;
	}
	if (tar->had_zero_block || memcmp(tar->block + MAGIC_AT, "ustar", 5) != 0 || !has_right_checksum(tar->block) ||
	    read_size(tar->block, &size) < 0)
		return err_set(err, ERR_INVALID, "its tar is damaged, or it is no tar at all");
	if (tar->block[TYPE_AT] == 'x')
		status = begin_extended(tar, TAR_PAX, size, err);
	else if (tar->block[TYPE_AT] == 'L')
		status = begin_extended(tar, TAR_LONG_NAME, size, err);
	else
		status = begin_file(tar, size, err);
	if (status < 0)
		return -1;
	tar->padding = (TAR_BLOCK - (size_t)(tar->left % TAR_BLOCK)) % TAR_BLOCK;
	tar->state = TAR_BODY;
	return tar->left == 0 ? end_body(tar, err) : 0;
}

/* ------------------------------------------------------------------------------------------ bodies */

static int end_body(struct tar *tar, struct err *err)
{
	tar->state = tar->padding > 0 ? TAR_PADDING : TAR_HEADER;
	switch (tar->kind) {
	case TAR_FILE:
		return tar->events->on_entry_end(tar->context, err);
	case TAR_PAX:
		return take_records(tar, err);
	case TAR_LONG_NAME:
		replace_string(&tar->next_name, xstrdup(buf_text(&tar->extended)));
		return 0;
	}
	return 0;
}

static int take_body(struct tar *tar, const unsigned char *data, size_t length, struct err *err)
{
	if (tar->kind == TAR_FILE) {
		if (tar->events->on_data(tar->context, data, length, err) < 0)
			return -1;
	} else {
		int status = buf_add(&tar->extended, data, length);

		assert(status == 0);
		(void)status;
	}
	tar->left -= length;
	return tar->left == 0 ? end_body(tar, err) : 0;
}

static size_t smaller(uint64_t wanted, size_t there)
{
	return wanted < there ? (size_t)wanted : there;
}

/* Takes some bytes, at least one; how many is told. */
static int take_some(struct tar *tar, const unsigned char *data, size_t length, size_t *ret_taken, struct err *err)
{
	size_t taken = length;
	int status = 0;

	switch (tar->state) {
	case TAR_HEADER:
		taken = smaller(TAR_BLOCK - tar->filled, length);
		memcpy(tar->block + tar->filled, data, taken);
		tar->filled = (tar->filled + taken) % TAR_BLOCK;
		if (tar->filled == 0)
			status = take_header(tar, err);
		break;
	case TAR_BODY:
		taken = smaller(tar->left, length);
		status = take_body(tar, data, taken, err);
		break;
	case TAR_PADDING:
		taken = smaller(tar->padding, length);
		tar->padding -= taken;
		if (tar->padding == 0)
			tar->state = TAR_HEADER;
		break;
	case TAR_END:
		/* Other writers than Go's fill up to 10 KiB. */
		for (size_t i = 0; i < length; i++)
			if (data[i])
				return err_set(err, ERR_INVALID, "more follows the end of its tar");
		break;
	}
	*ret_taken = taken;
	return status;
}

int tar_feed(struct tar *tar, const unsigned char *data, size_t length, struct err *err)
{
	while (length > 0) {
		size_t taken = 0;

		if (take_some(tar, data, length, &taken, err) < 0)
			return -1;
		data += taken;
		length -= taken;
	}
	return 0;
}

void tar_release(struct tar *tar)
{
	buf_release(&tar->extended);
	replace_string(&tar->next_name, NULL);
}
