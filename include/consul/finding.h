/*
 * consul/finding.h - the kinds of findings: one table of codes with severity, meaning, cause and remedy.
 *
 * `health` prints findings, `explain` prints this table; a new kind is one row. Codes are stable and never reused.
 */
#ifndef CONSUL_FINDING_H
#define CONSUL_FINDING_H

#include <stddef.h>

enum severity { SEVERITY_INFO, SEVERITY_WARNING, SEVERITY_DEGRADED, SEVERITY_CRITICAL };

struct finding_kind {
	const char *code;        /* "CON001" */
	const char *name;        /* "pod-missing": for JSON and scripts */
	enum severity severity;
	const char *title;       /* one line */
	const char *explanation; /* some paragraphs: what it means, usual causes, what to do; plain text, wrapped by the printer */
};

extern const struct finding_kind finding_kinds[]; /* ended by a row whose code is NULL */

/* By code (any case) or name; NULL when there is none. */
const struct finding_kind *finding_kind_find(const char *code_or_name);

const char *severity_name(enum severity severity); /* "info", "warning", "degraded", "critical" */

/* One finding in one cluster. Owns its strings. */
struct finding {
	const struct finding_kind *kind;
	char *server;  /* pod it is about; NULL: the whole cluster */
	char *message; /* what was seen, one line */
	char *cause;   /* the likely cause in this case, one line; NULL: see the explanation */
	char *command; /* what to type next; NULL: nothing */
};

struct findings {
	struct finding *items; /* worst first, then by code, then by server */
	size_t count;
};

void findings_release(struct findings *findings);

#endif
