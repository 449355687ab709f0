/* See include/consul/finding.h. The table itself is in finding_kinds.c. */
#include "consul/finding.h"

#include <stdlib.h>

#include "util/str.h"

const struct finding_kind *finding_kind_find(const char *code_or_name)
{
	for (const struct finding_kind *kind = finding_kinds; kind->code; kind++)
		if (str_equal_nocase(kind->code, code_or_name) || str_equal_nocase(kind->name, code_or_name))
			return kind;
	return NULL;
}

const char *severity_name(enum severity severity)
{
	switch (severity) {
	case SEVERITY_INFO:
		return "info";
	case SEVERITY_WARNING:
		return "warning";
	case SEVERITY_DEGRADED:
		return "degraded";
	case SEVERITY_CRITICAL:
		break;
	}
	return "critical";
}

void findings_release(struct findings *findings)
{
	for (size_t i = 0; i < findings->count; i++) {
		free(findings->items[i].server);
		free(findings->items[i].message);
		free(findings->items[i].cause);
		free(findings->items[i].command);
	}
	free(findings->items);
	*findings = (struct findings){ 0 };
}
