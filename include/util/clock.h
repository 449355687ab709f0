/*
 * util/clock.h - time: the two clocks of the system, and pure conversions.
 *
 * Units are in the names: _ms milliseconds, _s seconds. Deadlines are monotonic milliseconds.
 */
#ifndef UTIL_CLOCK_H
#define UTIL_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "util/err.h"

#define CLOCK_NEVER INT64_MAX

/* Milliseconds since an arbitrary point; never goes back. */
int64_t clock_monotonic_ms(void);

/* Seconds since 1970, UTC. */
int64_t clock_wall_s(void);

/* "12:01:03", now, in the time zone of the environment; a new string. */
char *clock_time_of_day(void) __attribute__((warn_unused_result));

/* ------------------------------------------------------------------------------------ pure */

/* Milliseconds from now to deadline, at least 0, at most INT32_MAX (CLOCK_NEVER gives that). */
int clock_left_ms(int64_t deadline_ms, int64_t now_ms);

/* "2024-05-01T10:00:00Z", with or without fraction and offset, to seconds since 1970. -1 when it is not one. */
int clock_parse_rfc3339(const char *text, int64_t *ret_wall_s) __attribute__((warn_unused_result));

/* "Wed, 01 May 2024 10:00:00 GMT", as servers say it over HTTP (RFC 9110, 5.6.7), to the same. -1 when it is not one. */
int clock_parse_http_date(const char *text, int64_t *ret_wall_s) __attribute__((warn_unused_result));

/* Seconds since 1970 as "2024-05-01T10:00:00Z"; a new string. */
char *clock_format_rfc3339(int64_t wall_s) __attribute__((warn_unused_result));

/*
 * kubectl's time-out values: an integer in seconds, or one with a unit (1s, 2m, 3h, 500ms; 1m30s too).
 * The error has kubectl's words.
 */
int clock_parse_timeout(const char *text, int64_t *ret_ms, struct err *err) __attribute__((warn_unused_result));

/*
 * kubectl's ages: "45s", "3m12s", "5h", "12d", "2y40d". A new string. As duration.HumanDuration: one second
 * in the future is "0s" (clocks differ), more of that "<invalid>", and from eight years on only years are told.
 */
char *clock_format_age(int64_t seconds) __attribute__((warn_unused_result));

#endif
