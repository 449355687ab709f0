/* YAML of any origin: what is read must print, and read as the same again. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "util/json.h"
#include "util/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Numbers may lose digits that a double does not hold; the shape and the strings must be the same. */
static void compare(const cJSON *a, const cJSON *b)
{
	if ((a->type & 0xff) != (b->type & 0xff))
		abort();
	if (cJSON_IsString(a) && strcmp(a->valuestring, b->valuestring) != 0)
		abort();
	if (a->string && b->string && strcmp(a->string, b->string) != 0)
		abort();
	for (a = a->child, b = b->child; a && b; a = a->next, b = b->next)
		compare(a, b);
	if (a || b)
		abort();
}

static void round_trip(const cJSON *document)
{
	struct err err = ERR_INIT;
	cJSON *again = NULL;
	char *text = yaml_text(document);

	if (yaml_parse_first(text, strlen(text), &again, &err) < 0)
		abort();
	compare(document, again);
	cJSON_Delete(again);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = ERR_INIT;
	cJSON *documents = NULL;
	const cJSON *document;

	if (yaml_parse((const char *)data, size, &documents, &err) == 0) {
		cJSON_ArrayForEach (document, documents)
			round_trip(document);
	} else if (!err_is_set(&err) || documents) {
		abort();
	}
	cJSON_Delete(documents);
	err_release(&err);
	return 0;
}
