/* util/base64.h. The first rows are the test vectors of RFC 4648. */
#include <criterion/criterion.h>

#include "util/base64.h"
#include "util/mem.h"

Test(base64, both_ways)
{
	static const char *const rows[][2] = {
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
		{ "\xff\xfe\xfb", "//77" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *encoded = base64_encode(rows[i][0], strlen(rows[i][0]));
		_cleanup_buf_ struct buf decoded = BUF_INIT(100);
		_cleanup_err_ struct err err = ERR_INIT;

		cr_expect_str_eq(encoded, rows[i][1]);
		cr_expect_eq(base64_decode(rows[i][1], &decoded, &err), 0);
		cr_expect_str_eq(buf_text(&decoded), rows[i][0]);
	}
}

Test(base64, every_byte_round_trips)
{
	unsigned char bytes[256];
	_cleanup_err_ struct err err = ERR_INIT;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 37);
	for (size_t length = 0; length <= sizeof(bytes); length++) {
		_cleanup_free_ char *encoded = base64_encode(bytes, length);
		_cleanup_buf_ struct buf decoded = BUF_INIT(length);

		cr_assert_eq(base64_decode(encoded, &decoded, &err), 0);
		cr_assert_eq(decoded.len, length);
		cr_assert(length == 0 || memcmp(decoded.data, bytes, length) == 0);
	}
}

Test(base64, line_breaks_are_skipped)
{
	_cleanup_buf_ struct buf decoded = BUF_INIT(100);
	_cleanup_err_ struct err err = ERR_INIT;

	cr_expect_eq(base64_decode("\nZm9v\r\nYg=\n=\n", &decoded, &err), 0);
	cr_expect_str_eq(buf_text(&decoded), "foob");
}

Test(base64, is_strict)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{ "!!", "illegal base64 data at input byte 0" },
		{ "Zm9v!", "illegal base64 data at input byte 4" },
		{ "Z", "illegal base64 data at input byte 1" },
		{ "Zg", "illegal base64 data at input byte 2" },
		{ "Zg=", "illegal base64 data at input byte 3" },
		{ "Zg===", "illegal base64 data at input byte 4" },
		{ "Zg==Zg==", "illegal base64 data at input byte 4" },
		{ "=", "illegal base64 data at input byte 0" },
		{ "Zh==", "illegal base64 data at input byte 2" },
		{ "Zm9=", "illegal base64 data at input byte 3" },
		{ "Zm 9v", "illegal base64 data at input byte 2" },
		{ "Zm-_", "illegal base64 data at input byte 2" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf decoded = BUF_INIT(100);
		_cleanup_err_ struct err err = ERR_INIT;

		cr_expect_eq(base64_decode(rows[i].text, &decoded, &err), -1, "%s", rows[i].text);
		cr_expect_str_eq(err.message, rows[i].message);
	}
}

Test(base64, is_bounded)
{
	_cleanup_buf_ struct buf decoded = BUF_INIT(2);
	_cleanup_err_ struct err err = ERR_INIT;

	cr_expect_eq(base64_decode("Zm9v", &decoded, &err), -1);
	cr_expect_eq(err.kind, ERR_TOO_LARGE);
}
