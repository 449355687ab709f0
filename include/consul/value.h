/*
 * consul/value.h - single values as Consul prints them, in JSON and in its CLI's tables. Pure.
 *
 * Sources: hashicorp/raft Stats() (durations, states, latest_configuration), hashicorp/serf MemberStatus,
 * Consul's agent/metadata (the build tag), Go's net.JoinHostPort and time.Duration.String.
 */
#ifndef CONSUL_VALUE_H
#define CONSUL_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "consul/view.h"

/*
 * Most bytes of a name, an address, an id or a version; Consul's own have less than half of it. The functions below that
 * make strings leave out what is longer: it would be shown, and padded to, many times.
 */
#define VALUE_MAX ((size_t)512)

/*
 * A Go duration ("34.5ms", "1.2s", "1m15.44s", "25.1µs", "0", "0s") in whole milliseconds; -1 when it is none,
 * "never" and negative ones included. Absurd values stop at INT64_MAX.
 */
int64_t value_duration_ms(const char *text);

/*
 * The host of "10.0.0.7:8300", "[fd00::7]:8300", "fd00::7" or "10.0.0.7", without brackets; a new string. ret_port is 0
 * when there is no port, or no number in its place.
 */
char *value_split_address(const char *address, int64_t *ret_port);

/* True when address ("HOST:PORT" or "HOST") has this host; false when either is NULL or empty. */
bool value_address_is(const char *address, const char *host);

/*
 * "1.8.7" of "1.8.7", "v1.8.7" and "1.8.7:48d287ef" (the build tag), "1.18.0+ent" of "1.18.0+ent:48d287ef"; NULL when
 * empty. New string.
 */
char *value_version(const char *text);

/* The M of a version 1.M…; INT64_MAX of a later major, 0 of an earlier one, -1 when it is no version. */
int64_t value_version_minor(const char *version);

/* Serf's words; MEMBER_UNKNOWN for everything else, "none" included. */
enum member_status value_member_status(const char *text);

/* Serf's numbers in /v1/agent/members: 0 none, 1 alive, 2 leaving, 3 left, 4 failed. */
enum member_status value_member_status_number(int64_t number);

/* raft's words, any case. */
enum raft_role value_raft_role(const char *text);

/* A new string. */
char *value_text(const char *text);

/* "" and "(unknown)" are no value: NULL; else a new string. */
char *value_or_null(const char *text);

#endif
