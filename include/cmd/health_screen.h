/*
 * cmd/health_screen.h - a cluster's health as a person reads it: verdict line, server table, findings. Pure.
 */
#ifndef CMD_HEALTH_SCREEN_H
#define CMD_HEALTH_SCREEN_H

#include <stdbool.h>

#include "consul/assess.h"
#include "consul/snapshot.h"
#include "util/buf.h"
#include "util/term.h"

struct health_screen_options {
	bool wide;        /* more columns */
	bool no_headers;
	bool wrap_commands; /* for a screen that is redrawn, whose lines must fit: a long command goes on after a backslash */
	const char *program; /* "kubectl consul": for the pointer to explain */
};

/* "HEALTHY  consul/consul  3/3 voters · leader consul-0 · tolerates 1 failure", with a newline. */
void health_screen_verdict(const struct snapshot *snapshot, const struct assessment *assessment, const struct term *term,
			   struct buf *out);

/*
 * The findings one below the other, each with an empty line before it, and where there is more on them; nothing without
 * any.
 */
void health_screen_findings(const struct assessment *assessment, const struct health_screen_options *options,
			    const struct term *term, struct buf *out);

/* All of it. */
void health_screen(const struct snapshot *snapshot, const struct assessment *assessment,
		   const struct health_screen_options *options, const struct term *term, struct buf *out);

/*
 * The member table of `consul members` once, who disagrees with it, and "cluster is healthy" when it is.
 */
void health_screen_members(const struct snapshot *snapshot, const struct assessment *assessment,
			   const struct health_screen_options *options, const struct term *term, struct buf *out);

#endif
