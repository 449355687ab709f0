/* See include/consul/probe.h: what became of the requests. */
#include "consul/probe.h"
#include "util/mem.h"

static void note_gap(struct probe_count *count, int64_t now_ms)
{
	if (count->last_served_ms >= 0 && now_ms - count->last_served_ms > count->longest_gap_ms)
		count->longest_gap_ms = now_ms - count->last_served_ms;
}

void probe_count_served(struct probe_count *count, int64_t now_ms)
{
	count->tried++;
	count->served++;
	note_gap(count, now_ms);
	count->last_served_ms = now_ms;
}

void probe_count_failed(struct probe_count *count, struct err *err)
{
	count->tried++;
	count->failed++;
	if (err_is_set(&count->first_err))
		err_release(err);
	else
		err_move(&count->first_err, err);
}

void probe_count_end(struct probe_count *count, int64_t now_ms)
{
	note_gap(count, now_ms);
}

void probe_count_release(struct probe_count *count)
{
	err_release(&count->first_err);
	*count = (struct probe_count)PROBE_COUNT_INIT;
}

void probe_result_release(struct probe_result *result)
{
	probe_count_release(&result->writes);
	probe_count_release(&result->reads);
	err_release(&result->check_err);
	free(result->left);
	*result = (struct probe_result)PROBE_RESULT_INIT;
}
