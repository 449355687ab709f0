/* util/clock.h */
#include <criterion/criterion.h>

#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

Test(clock, time_goes_on)
{
	int64_t before = clock_monotonic_ms();

	cr_expect_geq(clock_monotonic_ms(), before);
	cr_expect_gt(clock_wall_s(), 1700000000);
}

Test(clock, time_left)
{
	cr_expect_eq(clock_left_ms(100, 40), 60);
	cr_expect_eq(clock_left_ms(100, 100), 0);
	cr_expect_eq(clock_left_ms(100, 400), 0);
	cr_expect_eq(clock_left_ms(CLOCK_NEVER, 400), INT32_MAX);
	cr_expect_eq(clock_left_ms(CLOCK_NEVER, 0), INT32_MAX);
}

Test(clock, rfc3339)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} rows[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "2024-05-01T10:00:00Z", 1714557600 },
		{ "2024-02-29T23:59:59Z", 1709251199 },
		{ "2024-05-01T10:00:00.123456789Z", 1714557600 },
		{ "2024-05-01T12:00:00+02:00", 1714557600 },
		{ "2024-05-01T00:30:00-09:30", 1714557600 },
		{ "1969-12-31T23:59:59Z", -1 },
		{ "2016-12-31T23:59:60Z", 1483228800 },
		{ "9999-12-31T23:59:59Z", 253402300799 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t seconds = 42;

		cr_expect_eq(clock_parse_rfc3339(rows[i].text, &seconds), 0, "%s", rows[i].text);
		cr_expect_eq(seconds, rows[i].seconds, "%s: %lld", rows[i].text, (long long)seconds);
	}
}

Test(clock, not_rfc3339)
{
	static const char *const rows[] = {
		"",
		"2024-05-01",
		"2024-05-01T10:00:00",
		"2024-05-01 10:00:00Z",
		"2024-13-01T10:00:00Z",
		"2024-02-30T10:00:00Z",
		"2023-02-29T10:00:00Z",
		"2024-05-00T10:00:00Z",
		"2024-05-01T24:00:00Z",
		"2024-05-01T10:60:00Z",
		"2024-05-01T10:00:00Zx",
		"2024-05-01T10:00:00.Z",
		"2024-05-01T10:00:00+2:00",
		"2024-05-01T10:00:00+02:-1",
		"2024-5-1T10:00:00Z",
		"2024-05-01t10:00:00Z",
		"2024-05-01T10:00:00z",
		"2024-05-01T10: 0:00Z",
		"+024-05-01T10:00:00Z",
		"-024-05-01T10:00:00Z",
		"2024-05-01T10:00:00+0200",
	};
	int64_t seconds;

	cr_expect_eq(clock_parse_rfc3339(NULL, &seconds), -1);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_expect_eq(clock_parse_rfc3339(rows[i], &seconds), -1, "%s", rows[i]);
}

Test(clock, http_dates)
{
	static const char *const bad[] = {
		"",
		"2024-05-01T10:00:00Z",
		"Wed, 01 May 2024 10:00:00",
		"Wed, 01 May 2024 10:00:00 CET",
		"Wed, 01 May 2024 10:00:00 GMT+2",
		"Wed, 31 Apr 2024 10:00:00 GMT",
		"Wed, 01 Mai 2024 10:00:00 GMT",
		"Wed, 01 May 2024 24:00:00 GMT",
		"Wed, 01 May 2024 10:-1:00 GMT",
		"Wednesday, 01-May-24 10:00:00 GMT",
	};
	int64_t seconds = 0;

	cr_expect_eq(clock_parse_http_date("Wed, 01 May 2024 10:00:00 GMT", &seconds), 0);
	cr_expect_eq(seconds, 1714557600);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_expect_eq(clock_parse_http_date(bad[i], &seconds), -1, "%s", bad[i]);
}

Test(clock, formats_what_it_parses)
{
	_cleanup_free_ char *text = clock_format_rfc3339(1714557600), *far = clock_format_rfc3339(INT64_MAX);

	cr_expect_str_eq(text, "2024-05-01T10:00:00Z");
	cr_expect_str_eq(far, "<invalid>");
}

Test(clock, timeouts)
{
	static const struct {
		const char *text;
		int64_t ms;
	} rows[] = { { "0", 0 },         { "5", 5000 },    { "1s", 1000 },    { "2m", 120000 },
		     { "3h", 10800000 }, { "500ms", 500 }, { "1m30s", 90000 } };
	static const char *const bad[] = { "",      "x",   "-1",  "1d",          "s",
		                           "1s2",   "1 s", "1.5", "99999999999", "9999999999999999h",
		                           "10000h" };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_err_ struct err err = ERR_INIT;
		int64_t ms = -1;

		cr_expect_eq(clock_parse_timeout(rows[i].text, &ms, &err), 0, "%s", rows[i].text);
		cr_expect_eq(ms, rows[i].ms, "%s", rows[i].text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_err_ struct err err = ERR_INIT;
		int64_t ms = -1;

		cr_expect_eq(clock_parse_timeout(bad[i], &ms, &err), -1, "%s", bad[i]);
		cr_expect_eq(err.kind, ERR_USAGE);
		cr_expect(
		    str_starts_with(err.message, "Invalid timeout value. Timeout must be a single integer in seconds"));
	}
}

/* The borders of apimachinery's duration.HumanDuration. */
Test(clock, ages)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} rows[] = {
		{ -2, "<invalid>" },
		{ -1, "0s" },
		{ 0, "0s" },
		{ 119, "119s" },
		{ 120, "2m" },
		{ 192, "3m12s" },
		{ 599, "9m59s" },
		{ 600, "10m" },
		{ 659, "10m" },
		{ 10799, "179m" },
		{ 10800, "3h" },
		{ 11000, "3h3m" },
		{ 28799, "7h59m" },
		{ 28800, "8h" },
		{ 172799, "47h" },
		{ 172800, "2d" },
		{ 176400, "2d1h" },
		{ 691199, "7d23h" },
		{ 691200, "8d" },
		{ 63071999, "729d" },
		{ 63072000, "2y" },
		{ 66528000, "2y40d" },
		{ 252287999, "7y364d" },
		{ 252288000, "8y" },
		{ 252288000 + 86400 * 40, "8y" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *text = clock_format_age(rows[i].seconds);

		cr_expect_str_eq(text, rows[i].text);
	}
}
