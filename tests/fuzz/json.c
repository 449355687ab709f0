/* JSON of any origin: parsed, printed, and decoded as each of the objects we read. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kube/objects.h"
#include "util/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The outcome must agree with the error. */
static void check(int status, struct err *err)
{
	if ((status < 0) != err_is_set(err))
		abort();
	err_release(err);
}

static void decode(const cJSON *json)
{
	struct kube_pod pod = KUBE_POD_INIT;
	struct kube_statefulset set = KUBE_STATEFULSET_INIT;
	struct kube_claim claim = KUBE_CLAIM_INIT;
	struct kube_budget budget = KUBE_BUDGET_INIT;
	struct err err = ERR_INIT;

	check(kube_pod_decode(json, &pod, &err), &err);
	check(kube_statefulset_decode(json, &set, &err), &err);
	check(kube_claim_decode(json, &claim, &err), &err);
	check(kube_budget_decode(json, &budget, &err), &err);
	kube_budget_matches(&budget, json);
	kube_pod_release(&pod);
	kube_statefulset_release(&set);
	kube_claim_release(&claim);
	kube_budget_release(&budget);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = ERR_INIT;
	const cJSON *items = NULL, *item;
	cJSON *json = NULL, *again = NULL;

	if (json_parse((const char *)data, size, &json, &err) == 0) {
		char *text = json_text(json), *pretty = json_text_pretty(json);

		check(json_parse(text, strlen(text), &again, &err), &err);
		decode(json);
		if (kube_list_items(json, &items, &err) == 0)
			cJSON_ArrayForEach (item, items)
				decode(item);
		free(text);
		free(pretty);
	} else if (!err_is_set(&err)) {
		abort();
	}
	cJSON_Delete(json);
	cJSON_Delete(again);
	err_release(&err);
	return 0;
}
