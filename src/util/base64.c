/* See include/util/base64.h. */
#include "util/base64.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "util/mem.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The six bits that c stands for, or -1. Without a table indexed by the (perhaps secret) data. */
static int digit_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static const char *skip_breaks(const char *text)
{
	return text + strspn(text, "\r\n");
}

/* After the first '=': the right number of them and nothing else. Returns where it goes wrong, or NULL. */
static const char *check_padding(const char *text, int digits)
{
	for (; digits < 4; digits++) {
		if (*text != '=')
			return text;
		text = skip_breaks(text + 1);
	}
	return *text ? text : NULL;
}

static int illegal(struct err *err, size_t offset)
{
	return err_set(err, ERR_INVALID, "illegal base64 data at input byte %zu", offset);
}

/* Adds the bytes of a group of digits (2 to 4). False when bits are left over that are not zero. */
static int add_group(struct buf *out, uint32_t bits, int digits, struct err *err)
{
	unsigned char bytes[3];
	size_t count = (size_t)digits - 1;
	int result = 0;

	bits <<= 6 * (4 - digits);
	bytes[0] = (unsigned char)(bits >> 16 & 0xff);
	bytes[1] = (unsigned char)(bits >> 8 & 0xff);
	bytes[2] = (unsigned char)(bits & 0xff);
	if (buf_add(out, bytes, count) < 0)
		result = err_set(err, ERR_TOO_LARGE, "base64 data of more than %zu bytes", out->max);
	mem_wipe(bytes, sizeof(bytes));
	return result;
}

static bool has_left_over_bits(uint32_t bits, int digits)
{
	return (digits == 2 && (bits & 0x0f)) || (digits == 3 && (bits & 0x03));
}

int base64_decode(const char *text, struct buf *out, struct err *err)
{
	const char *at = skip_breaks(text), *wrong;
	uint32_t bits = 0;
	int digits = 0;

	for (; *at && *at != '='; at = skip_breaks(at + 1)) {
		int value = digit_value(*at);

		if (value < 0)
			return illegal(err, (size_t)(at - text));
		bits = bits << 6 | (uint32_t)value;
		if (++digits < 4)
			continue;
		if (add_group(out, bits, digits, err) < 0)
			return -1;
		bits = 0;
		digits = 0;
	}
	if (digits == 0)
		return *at ? illegal(err, (size_t)(at - text)) : 0;
	if (digits == 1 || has_left_over_bits(bits, digits))
		return illegal(err, (size_t)(at - text));
	wrong = check_padding(at, digits);
	if (wrong)
		return illegal(err, (size_t)(wrong - text));
	return add_group(out, bits, digits, err);
}

char *base64_encode(const void *bytes, size_t count)
{
	const unsigned char *in = bytes;
	char *text = xmalloc(count / 3 * 4 + 5), *out = text;

	for (; count > 0; in += count < 3 ? count : 3, count -= count < 3 ? count : 3) {
		uint32_t bits =
		    (uint32_t)in[0] << 16 | (count > 1 ? (uint32_t)in[1] << 8 : 0) | (count > 2 ? in[2] : 0);

		*out++ = alphabet[bits >> 18];
		*out++ = alphabet[bits >> 12 & 63];
		*out++ = count > 1 ? alphabet[bits >> 6 & 63] : '=';
		*out++ = count > 2 ? alphabet[bits & 63] : '=';
	}
	*out = '\0';
	return text;
}
