/*
 * cmd/failover_parts.h - what failover.c (options, what is asked, what is printed) and failover_run.c (the crash and
 * what is told meanwhile) share. Used by src/cmd/failover*.c only.
 */
#ifndef CMD_FAILOVER_PARTS_H
#define CMD_FAILOVER_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/cmd.h"
#include "cmd/connect.h"
#include "consul/drill.h"
#include "consul/drill_report.h"
#include "consul/probe.h"
#include "consul/world_kube.h"
#include "util/err.h"
#include "util/term.h"

/* One run of `failover`. */
struct failover {
	const struct cmd_context *context;
	struct connection *connection;
	struct world_kube kube;      /* its lease: NULL until it is taken */
	struct world world;
	struct drill_options drill;  /* whom, and until when */
	struct term_live live;       /* on context->messages */
	char *set_name;              /* of the StatefulSet that was found */
	char *agreed;                /* the pod that was asked about: the first round's; NULL: nobody was asked */
	int64_t timeout_ms;          /* of each round */
	int64_t wanted;              /* rounds */
	struct drill_round *rounds;  /* as many; those in which something was crashed come first */
	size_t count;                /* how many those are */
	bool probes;
	struct probe *probe;         /* of the round that goes on; NULL: none */
};

/* Fills drill, so that what happens is told on context->messages. What of it lives in failover is borrowed. */
void failover_begin(struct failover *failover, const char *pod);

/* The time of the next round begins. */
void failover_begin_clock(struct failover *failover);

/* Shows on the live block what is waited for before a crash. */
void failover_show_wait(void *context, const char *text);

/* All rounds, one after the other, with the lease held. What was seen is in rounds, after a failure too. */
int failover_run(struct failover *failover, struct err *err) __attribute__((warn_unused_result));

#endif
