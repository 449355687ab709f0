/* See include/consul/drill_report.h. */
#include "consul/drill_report.h"

#include "consul/report.h"
#include "util/json.h"

void drill_round_release(struct drill_round *round)
{
	drill_release(&round->drill);
	probe_result_release(&round->probe);
	*round = (struct drill_round)DRILL_ROUND_INIT;
}

static cJSON *seconds_json(int64_t milliseconds)
{
	return cJSON_CreateNumber((double)milliseconds / 1000);
}

static cJSON *error_json(const struct err *err)
{
	return err_is_set(err) ? json_string(err->message) : NULL;
}

/* Builders are laid out like the JSON they become. */
/* clang-format off */
static cJSON *marks_json(const struct drill *drill)
{
	cJSON *marks = cJSON_CreateObject();

	for (size_t i = 0; i < DRILL_MARKS; i++) {
		const struct drill_mark *mark = &drill->marks[i];

		if (!mark->expected)
			continue;
		json_set(marks, drill_mark_name((enum drill_mark_kind)i),
			 json_object("seconds", mark->happened ? seconds_json(mark->at_ms) : cJSON_CreateNull(),
				     "unseen", json_bool(mark->unseen),
				     "who", json_string(mark->who),
				     NULL));
	}
	return marks;
}

static cJSON *count_json(const struct probe_count *count)
{
	return json_object("tried", json_int(count->tried),
			   "served", json_int(count->served),
			   "failed", json_int(count->failed),
			   "longestGapSeconds", seconds_json(count->longest_gap_ms),
			   "firstError", error_json(&count->first_err),
			   NULL);
}

static cJSON *probe_json(const struct probe_result *probe)
{
	return json_object("writes", count_json(&probe->writes),
			   "reads", count_json(&probe->reads),
			   "checked", json_bool(probe->checked),
			   "lost", probe->checked ? json_int(probe->lost) : NULL,
			   "checkError", error_json(&probe->check_err),
			   "left", json_string(probe->left),
			   NULL);
}

static cJSON *round_json(const struct drill_round *round)
{
	const struct drill *drill = &round->drill;

	return json_object("victim", json_string(drill->victim),
			   "led", json_bool(drill->led),
			   "before", json_string(verdict_name(drill->before)),
			   "over", json_bool(drill_is_over(drill)),
			   "inDoubt", drill->in_doubt ? json_bool(true) : NULL,
			   "marks", marks_json(drill),
			   "looks", json_int(drill->looks),
			   "resolutionSeconds", seconds_json(drill->longest_look_ms),
			   "probe", round->probed ? probe_json(&round->probe) : NULL,
			   NULL);
}

cJSON *drill_report_json(const struct snapshot *snapshot, const struct assessment *assessment,
			 const struct drill_round *rounds, size_t count)
{
	cJSON *list = cJSON_CreateArray();

	for (size_t i = 0; i < count; i++)
		cJSON_AddItemToArray(list, round_json(&rounds[i]));
	return json_object("apiVersion", json_string(REPORT_API_VERSION),
			   "kind", json_string("Failover"),
			   "metadata", json_object("namespace", json_string(snapshot->namespace_name),
						   "name", json_string(snapshot->set.name),
						   NULL),
			   "verdict", assessment ? json_string(verdict_name(assessment->verdict)) : NULL,
			   "summary", assessment ? json_string(assessment->summary) : NULL,
			   "rounds", list,
			   NULL);
}
