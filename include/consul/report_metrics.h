/*
 * consul/report_metrics.h - a cluster's health as OpenMetrics text 1.0: what `health -o openmetrics` prints. Pure.
 *
 * https://github.com/OpenObservability/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md. Each family has TYPE and
 * HELP, and UNIT where it has one; families whose values are all unknown are left out; "# EOF" is the end. Every sample
 * is labelled with namespace and statefulset, those of one server with server as well.
 *
 * All are gauges and counters: Prometheus' older text format, which node_exporter's textfile collector and the push gateway
 * read, has no stateset and no info.
 *
 * Families are a table (report_metrics.c): a new one is a row. As in consul/report.h none is renamed or given another
 * meaning.
 */
#ifndef CONSUL_REPORT_METRICS_H
#define CONSUL_REPORT_METRICS_H

#include "consul/assess.h"
#include "consul/snapshot.h"
#include "util/buf.h"

/* assessment is of this snapshot. */
void report_metrics(const struct snapshot *snapshot, const struct assessment *assessment, struct buf *out);

#endif
