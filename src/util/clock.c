/* See include/util/clock.h. */
#include "util/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "util/mem.h"
#include "util/str.h"
#include "util/system.h"

int64_t clock_monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(system_steady_clock(), &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_wall_s(void)
{
	return (int64_t)time(NULL);
}

char *clock_time_of_day(void)
{
	time_t now = (time_t)clock_wall_s();
	struct tm local;
	char text[16];

	if (!localtime_r(&now, &local) || !strftime(text, sizeof(text), "%H:%M:%S", &local))
		return xstrdup("--:--:--");
	return xstrdup(text);
}

int clock_left_ms(int64_t deadline_ms, int64_t now_ms)
{
	if (deadline_ms <= now_ms)
		return 0;
	if (deadline_ms - now_ms > INT32_MAX)
		return INT32_MAX;
	return (int)(deadline_ms - now_ms);
}

/* Days from 1970-01-01 to a date of the Gregorian calendar. */
static int64_t days_from_civil(int64_t year, int month, int day)
{
	int64_t era, year_of_era, day_of_year;

	year -= month <= 2;
	era = (year >= 0 ? year : year - 399) / 400;
	year_of_era = year - era * 400;
	day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

/* True when text begins with pattern, in which 0 stands for any digit. */
static bool has_form(const char *text, const char *pattern)
{
	for (; *pattern; pattern++, text++)
		if (*pattern == '0' ? *text < '0' || *text > '9' : *text != *pattern)
			return false;
	return true;
}

/* "Z", "+02:00" or "-09:30" as seconds east of UTC. */
static int parse_offset(const char *text, int *ret_seconds)
{
	int hours, minutes;

	if (str_equal(text, "Z")) {
		*ret_seconds = 0;
		return 0;
	}
	if ((*text != '+' && *text != '-') || !has_form(text + 1, "00:00") || text[6] ||
	    sscanf(text + 1, "%2d:%2d", &hours, &minutes) != 2 || hours > 23 || minutes > 59)
		return -1;
	*ret_seconds = (*text == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
	return 0;
}

static int days_of_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool is_leap_year = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && is_leap_year ? 29 : days[month - 1];
}

int clock_parse_rfc3339(const char *text, int64_t *ret_wall_s)
{
	static const char form[] = "0000-00-00T00:00:00";
	int year, month, day, hour, minute, second, offset;

	if (!text || !has_form(text, form) ||
	    sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d", &year, &month, &day, &hour, &minute, &second) != 6)
		return -1;
	text += strlen(form);
	if (has_form(text, ".0"))
		text += 1 + strspn(text + 1, "0123456789");
	if (month < 1 || month > 12 || day < 1 || day > days_of_month(year, month) || hour > 23 || minute > 59 ||
	    second > 60 || parse_offset(text, &offset) < 0)
		return -1;
	*ret_wall_s = days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
	return 0;
}

int clock_parse_http_date(const char *text, int64_t *ret_wall_s)
{
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
		                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	int year, month = 1, day, hour, minute, second, length = 0;
	char name[4];

	if (sscanf(text, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n", &day, name, &year, &hour, &minute,
	           &second, &length) != 6 ||
	    length == 0 || text[length])
		return -1;
	while (month <= 12 && !str_equal(months[month - 1], name))
		month++;
	if (month > 12 || year < 1970 || day < 1 || day > days_of_month(year, month) || hour < 0 || hour > 23 ||
	    minute < 0 || minute > 59 || second < 0 || second > 60)
		return -1;
	*ret_wall_s = days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
	return 0;
}

char *clock_format_rfc3339(int64_t wall_s)
{
	time_t when = (time_t)wall_s;
	struct tm utc;
	char text[64];

	if (!gmtime_r(&when, &utc) || !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc))
		return xstrdup("<invalid>");
	return xstrdup(text);
}

static int unit_ms(const char **text, int64_t *ret_ms)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 } };

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (!str_starts_with(*text, units[i].name))
			continue;
		*text += strlen(units[i].name);
		*ret_ms = units[i].ms;
		return 0;
	}
	return -1;
}

/* At most a year, so that adding it to a clock cannot overflow. */
#define TIMEOUT_MAX_MS ((int64_t)365 * 86400 * 1000)

static int parse_timeout(const char *text, int64_t *ret_ms)
{
	int64_t total = 0, number, unit;

	if (str_to_int64(text, &number) == 0) {
		if (number < 0 || number > TIMEOUT_MAX_MS / 1000)
			return -1;
		*ret_ms = number * 1000;
		return 0;
	}
	if (!*text)
		return -1;
	while (*text) {
		size_t digits = strspn(text, "0123456789");
		_cleanup_free_ char *part = xstrndup(text, digits);

		text += digits;
		if (str_to_int64(part, &number) < 0 || number > TIMEOUT_MAX_MS || unit_ms(&text, &unit) < 0)
			return -1;
		if (number * unit > TIMEOUT_MAX_MS - total)
			return -1;
		total += number * unit;
	}
	*ret_ms = total;
	return 0;
}

int clock_parse_timeout(const char *text, int64_t *ret_ms, struct err *err)
{
	if (parse_timeout(text, ret_ms) < 0)
		return err_set(err, ERR_USAGE,
		               "Invalid timeout value. Timeout must be a single integer in seconds, or an integer "
		               "followed by a corresponding time unit (e.g. 1s | 2m | 3h)");
	return 0;
}

char *clock_format_age(int64_t seconds)
{
	long long s = (long long)seconds;

	if (s < -1)
		return xstrdup("<invalid>");
	if (s < 0)
		return xstrdup("0s");
	if (s < 120)
		return xasprintf("%llds", s);
	if (s < 600 && s % 60)
		return xasprintf("%lldm%llds", s / 60, s % 60);
	if (s < 10800)
		return xasprintf("%lldm", s / 60);
	if (s < 28800 && s / 60 % 60)
		return xasprintf("%lldh%lldm", s / 3600, s / 60 % 60);
	if (s < 172800)
		return xasprintf("%lldh", s / 3600);
	if (s < 691200 && s / 3600 % 24)
		return xasprintf("%lldd%lldh", s / 86400, s / 3600 % 24);
	if (s < 63072000)
		return xasprintf("%lldd", s / 86400);
	if (s < 252288000 && s / 86400 % 365)
		return xasprintf("%lldy%lldd", s / 31536000, s / 86400 % 365);
	return xasprintf("%lldy", s / 31536000);
}
