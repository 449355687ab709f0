/*
 * cmd/health_output.h - the formats of `health -o`, in one table, and how a look at the cluster is printed in each. Pure.
 */
#ifndef CMD_HEALTH_OUTPUT_H
#define CMD_HEALTH_OUTPUT_H

#include <stdbool.h>

#include "cmd/health_screen.h"
#include "consul/assess.h"
#include "consul/snapshot.h"
#include "util/buf.h"
#include "util/err.h"
#include "util/jsonpath.h"
#include "util/term.h"

enum health_format {
	HEALTH_TABLE,
	HEALTH_WIDE,
	HEALTH_NAME,
	HEALTH_JSON,
	HEALTH_YAML,
	HEALTH_JSONPATH,
	HEALTH_NAGIOS,
	HEALTH_OPENMETRICS,
};

/* As they are typed, in this order, ended by NULL; that with a template ends in "=": what completion offers. */
extern const char *const health_format_names[];

struct health_output {
	enum health_format format;
	bool allow_missing;     /* keys that a template names */
	struct jsonpath *path;  /* of HEALTH_JSONPATH */
};

#define HEALTH_OUTPUT_INIT { 0 }

/*
 * Reads the value of -o; template: of --template, which `-o jsonpath` alone needs, or NULL. ERR_USAGE in kubectl's
 * words: another format, no template, a bad one.
 */
int health_output_parse(const char *text, const char *template, struct health_output *ret_output, struct err *err)
	__attribute__((warn_unused_result));
void health_output_release(struct health_output *output);

/* Whether it is for people, and fits its lines to the terminal. */
bool health_output_is_screen(const struct health_output *output);

/* Whether it may be printed again and again. */
bool health_output_can_watch(const struct health_output *output);

/*
 * Adds a look in a format that is no screen. stream: one of many; JSON is then one line, YAML a document with "---".
 * ERR_INVALID: the template does not fit. On a terminal what came from the cluster can do no harm.
 */
int health_output_add(const struct health_output *output, const struct snapshot *snapshot,
                      const struct assessment *assessment, bool stream, const struct term *term, struct buf *out,
                      struct err *err) __attribute__((warn_unused_result));

#endif
