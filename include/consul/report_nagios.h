/*
 * consul/report_nagios.h - a cluster's health as the one line of a monitoring plugin: what `health -o nagios` prints. Pure.
 *
 * Status words, exit codes and performance data are those of the Monitoring Plugins Development Guidelines
 * (https://www.monitoring-plugins.org/doc/guidelines.html):
 *
 *     CONSUL WARNING - consul/consul: 2/3 voters · leader consul-0 · …; CON201 consul-1 does not answer | voters=3;;;0 …
 *
 * The performance data, each with its thresholds as label=value;warn;crit;min;max:
 *
 * replicas          that the StatefulSet wants
 * answered          servers that were heard of; fewer than replicas warn
 * voters            in raft's peer set
 * live_voters       fewer than voters warn, fewer than the quorum are critical
 * tolerance         further failures that can be survived
 * leader            1, or 0 where there is none that all agree on
 * lag               log entries that the server furthest behind the leader lacks
 * findings          of warning or worse
 * certificate_days  whole days until the certificate expires that does so first; below 0 it has
 *
 * What is not known is left out.
 */
#ifndef CONSUL_REPORT_NAGIOS_H
#define CONSUL_REPORT_NAGIOS_H

#include "consul/assess.h"
#include "consul/snapshot.h"

/* In the order of the exit codes. */
enum nagios_status { NAGIOS_OK, NAGIOS_WARNING, NAGIOS_CRITICAL, NAGIOS_UNKNOWN };

/* HEALTHY, DEGRADED, CRITICAL; and UNKNOWN is critical: that no server answers is no reason to sleep on. */
enum nagios_status nagios_status_of(enum verdict verdict);

/* The line without its end, UTF-8. New string. */
char *report_nagios(const struct snapshot *snapshot, const struct assessment *assessment)
	__attribute__((warn_unused_result));

/* The same where the question could not be asked (NAGIOS_UNKNOWN). New string. */
char *report_nagios_unknown(const char *message) __attribute__((warn_unused_result));

#endif
