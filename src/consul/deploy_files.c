/* Objects from files, for `deploy -f`: see include/consul/deploy.h. */
#include <stdlib.h>

#include "consul/deploy.h"
#include "util/buf.h"
#include "util/file.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/yaml.h"

/* "consul.yaml, document 2" or "…, document 2, item 3"; 0: not numbered. A new string. */
static char *source_name(const char *path, size_t document, size_t item)
{
	_cleanup_free_ char *shown = str_visible(str_equal(path, "-") ? "standard input" : path, 512);

	if (item)
		return xasprintf("%s, document %zu, item %zu", shown, document, item);
	return xasprintf("%s, document %zu", shown, document);
}

/* One object, taken over. */
static int add_object(cJSON *json, char *source, const char *namespace_name, struct apply_list *list, struct err *err)
{
	struct apply_object *object = apply_list_add(list, json);

	object->source = source;
	if (apply_check(json, namespace_name, err) < 0)
		return err_wrap(err, "%s", source);
	manifest_complete(json);
	return 0;
}

static bool is_list(const cJSON *json)
{
	const char *kind = json_string_at(json, "kind");

	return kind && str_ends_with(kind, "List") && cJSON_IsArray(json_get(json, "items"));
}

/* A document: an object, or a List of them. Taken over. */
static int add_document(cJSON *json, const char *path, size_t number, const char *namespace_name,
                        struct apply_list *list, struct err *err)
{
	cJSON *items, *item;
	size_t count = 0;
	int status = 0;

	if (!is_list(json))
		return add_object(json, source_name(path, number, 0), namespace_name, list, err);
	items = cJSON_GetObjectItemCaseSensitive(json, "items");
	while (status == 0 && (item = cJSON_DetachItemFromArray(items, 0)))
		status = add_object(item, source_name(path, number, ++count), namespace_name, list, err);
	cJSON_Delete(json);
	return status;
}

static int read_one(const char *path, const char *namespace_name, struct apply_list *list, struct err *err)
{
	_cleanup_buf_ struct buf text = { .max = DEPLOY_FILE_MAX, .secret = true };
	_cleanup_json_ cJSON *documents = NULL;
	cJSON *document;
	size_t number = 0;

	if (file_read(str_equal(path, "-") ? "/dev/stdin" : path, &text, err) < 0)
		return -1;
	if (yaml_parse(buf_text(&text), text.len, &documents, err) < 0) {
		_cleanup_free_ char *shown = str_visible(path, 512);

		return err_wrap(err, "error parsing %s", shown);
	}
	while ((document = cJSON_DetachItemFromArray(documents, 0))) {
		number++;
		if (cJSON_IsNull(document))
			cJSON_Delete(document);
		else if (add_document(document, path, number, namespace_name, list, err) < 0)
			return -1;
	}
	return 0;
}

static bool is_manifest_name(const char *name)
{
	return str_ends_with(name, ".yaml") || str_ends_with(name, ".yml") || str_ends_with(name, ".json");
}

static int read_directory(const char *path, const char *namespace_name, struct apply_list *list, struct err *err)
{
	_cleanup_strv_ struct strv names = STRV_INIT;
	size_t taken = 0;

	if (file_list(path, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		_cleanup_free_ char *file = file_join(path, names.items[i]);

		if (!is_manifest_name(names.items[i]))
			continue;
		taken++;
		if (read_one(file, namespace_name, list, err) < 0)
			return -1;
	}
	if (taken == 0) {
		_cleanup_free_ char *shown = str_visible(path, 512);

		return err_set(err, ERR_CONFIG, "error reading [%s]: recognized file extensions are [.json .yaml .yml]",
		               shown);
	}
	return 0;
}

static int check_path(const char *path, struct err *err)
{
	if (str_starts_with(path, "http://") || str_starts_with(path, "https://"))
		return err_set(err, ERR_USAGE, "-f takes files and directories, not addresses: download it first");
	return str_equal(path, "-") ? 0 : file_stat(path, err);
}

int deploy_files_read(const struct strv *paths, const char *namespace_name, struct apply_list *ret_objects,
                      struct err *err)
{
	for (size_t i = 0; i < paths->count; i++) {
		const char *path = paths->items[i];
		int status;

		if (check_path(path, err) < 0)
			return -1;
		if (!str_equal(path, "-") && file_is_directory(path))
			status = read_directory(path, namespace_name, ret_objects, err);
		else
			status = read_one(path, namespace_name, ret_objects, err);
		if (status < 0)
			return -1;
	}
	if (ret_objects->count == 0)
		return err_set(err, ERR_CONFIG, "no objects passed to apply");
	return 0;
}
