/* Objects from files: reading, sorting, planning. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "keeping_server.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"

#define LONG_MS 20000

static char *write_file(const char *directory, const char *name, const char *text)
{
	char *path = xasprintf("%s/%s", directory, name);
	FILE *file = fopen(path, "w");

	cr_assert_not_null(file);
	fputs(text, file);
	fclose(file);
	return path;
}

static int read_text(const char *text, struct apply_list *list, struct err *err)
{
	char directory[] = "/tmp/deploy-test-XXXXXX";
	_cleanup_free_ char *path = NULL;
	_cleanup_strv_ struct strv paths = STRV_INIT;
	int status;

	cr_assert_not_null(mkdtemp(directory));
	path = write_file(directory, "a.yaml", text);
	strv_add(&paths, path);
	status = deploy_files_read(&paths, "ns", list, err);
	unlink(path);
	rmdir(directory);
	return status;
}

#define FILE_SET                                                                                                       \
	"kind: StatefulSet\napiVersion: apps/v1\nmetadata: {name: consul}\nspec:\n  replicas: 3\n  template:\n    "    \
	"spec:\n"                                                                                                      \
	"      containers:\n      - {name: consul, image: consul, ports: [{containerPort: 8500}]}\n"

Test(deploy_files, documents_lists_and_json_become_objects)
{
	struct apply_list list = APPLY_LIST_INIT;
	struct err err = ERR_INIT;

	cr_assert_eq(read_text("---\n---\n{\"kind\":\"List\",\"apiVersion\":\"v1\",\"items\":[{\"kind\":\"Secret\","
	                       "\"apiVersion\":\"v1\","
	                       "\"metadata\":{\"name\":\"s\"}}]}\n---\n" FILE_SET,
	                       &list, &err),
	             0, "%s", err.message);
	cr_assert_eq(list.count, 2);
	cr_assert(str_ends_with(list.items[0].source, "a.yaml, document 1, item 1"));
	cr_assert(str_ends_with(list.items[1].source, "a.yaml, document 2"));
	apply_list_release(&list);
}

Test(deploy_files, what_is_wrong_is_told_with_its_place)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{ "a: [1\n", "yaml: line" },
		{ "--- 3\n", "document 1: it is no Kubernetes object" },
		{ "kind: A\n", "document 1: apiVersion is missing" },
		{ FILE_SET "---\napiVersion: v1\n", "document 2: kind is missing" },
		{ "apiVersion: v1\nkind: 3\n", "kind is no string" },
		{ "apiVersion: v1\nkind: Service\nmetadata: {generateName: x}\n", "metadata.name is missing" },
		{ "apiVersion: v1\nkind: Service\nmetadata: {name: x, namespace: other}\n",
		  "does not match the namespace \"ns\"" },
		{ "apiVersion: v1\nkind: Service\nmetadata: {name: x, namespace: [1]}\n", "namespace is no string" },
		{ "", "no objects passed to apply" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct apply_list list = APPLY_LIST_INIT;
		struct err err = ERR_INIT;

		cr_expect_eq(read_text(rows[i].text, &list, &err), -1, "%s", rows[i].text);
		cr_expect(err.message && strstr(err.message, rows[i].error), "%s",
		          err.message ? err.message : "accepted");
		apply_list_release(&list);
		err_release(&err);
	}
}

Test(deploy_files, directories_give_their_manifests_in_order)
{
	char directory[] = "/tmp/deploy-test-XXXXXX";
	_cleanup_strv_ struct strv paths = STRV_INIT;
	struct apply_list list = APPLY_LIST_INIT;
	struct err err = ERR_INIT;
	char *files[3];

	cr_assert_not_null(mkdtemp(directory));
	files[0] = write_file(directory, "b.yml", "{kind: Service, apiVersion: v1, metadata: {name: b}}");
	files[1] = write_file(directory, "a.json",
	                      "{\"kind\":\"Service\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"a\"}}");
	files[2] = write_file(directory, "README.md", "not a manifest");
	strv_add(&paths, directory);
	cr_expect_eq(deploy_files_read(&paths, "ns", &list, &err), 0, "%s", err.message);
	cr_expect_eq(list.count, 2);
	cr_expect_str_eq(json_string_at(list.items[0].json, "metadata.name"), "a");
	apply_list_release(&list);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		unlink(files[i]);
		free(files[i]);
	}
	cr_expect_eq(deploy_files_read(&paths, "ns", &list, &err), -1);
	cr_expect_not_null(strstr(err.message, "recognized file extensions"));
	err_release(&err);
	rmdir(directory);
}

static void plan_files(struct fixture *fixture, const char *text)
{
	deploy_plan_release(&fixture->plan);
	err_release(&fixture->err);
	cr_assert_eq(read_text(text, &fixture->plan.objects, &fixture->err), 0, "%s", fixture->err.message);
}

static int plan_loaded(struct fixture *fixture)
{
	return deploy_plan_files(fixture->client, "ns", clock_monotonic_ms() + LONG_MS, &fixture->plan, &fixture->err);
}

Test(deploy_files, objects_are_sorted_completed_and_their_consul_is_waited_for)
{
	struct fixture fixture;
	const cJSON *port;

	fixture_start(&fixture);
	plan_files(&fixture, FILE_SET "---\n{kind: Thing, apiVersion: example.com/v1, metadata: {name: t}}\n---\n"
	                              "{kind: ConfigMap, apiVersion: v1, metadata: {name: c}}\n");
	cr_assert_eq(plan_loaded(&fixture), 0, "%s", fixture.err.message);
	cr_expect_str_eq(fixture.plan.objects.items[0].path, "/api/v1/namespaces/ns/configmaps/c");
	cr_expect_str_eq(fixture.plan.objects.items[1].path, "/apis/example.com/v1/things/t");
	cr_expect_str_eq(fixture.plan.objects.items[1].resource, "thing.example.com/t");
	cr_expect_str_eq(fixture.plan.objects.items[2].path, SET_PATH);
	cr_assert_eq(fixture.plan.sets.count, 1);
	port = json_get(json_at(fixture.plan.objects.items[2].json, "spec.template.spec.containers")->child, "ports")
	           ->child;
	cr_expect_str_eq(json_string_at(port, "protocol"), "TCP");
	cr_assert_eq(fixture_apply(&fixture, APPLY_FOR_REAL, false), 0, "%s", fixture.err.message);
	fixture_expect_all(&fixture, "created");
	fixture_stop(&fixture);
}

Test(deploy_files, unknown_kinds_are_told_with_their_place)
{
	struct fixture fixture;

	fixture_start(&fixture);
	plan_files(&fixture, "{kind: Nothing, apiVersion: example.com/v1, metadata: {name: t}}");
	cr_assert_eq(plan_loaded(&fixture), -1);
	cr_expect_not_null(
	    strstr(fixture.err.message, "document 1: no matches for kind \"Nothing\" in version \"example.com/v1\""));
	fixture_stop(&fixture);
}

Test(deploy_files, other_replicas_than_the_live_ones_are_refused)
{
	struct fixture fixture;

	fixture_start(&fixture);
	plan_files(&fixture, FILE_SET);
	cr_assert_eq(plan_loaded(&fixture), 0);
	cr_assert_eq(fixture_apply(&fixture, APPLY_FOR_REAL, false), 0);
	store_scale_up(&fixture.store, SET_PATH);
	plan_files(&fixture, FILE_SET);
	cr_assert_eq(plan_loaded(&fixture), -1);
	cr_expect_eq(fixture.err.kind, ERR_REFUSED);
	cr_expect_not_null(strstr(fixture.err.message, "has 4 replicas, not 3"));
	plan_files(&fixture, "kind: StatefulSet\napiVersion: apps/v1\nmetadata: {name: consul}\nspec: {}\n");
	cr_assert_eq(plan_loaded(&fixture), 0);
	cr_expect_eq(json_int_at(fixture.plan.objects.items[0].json, "spec.replicas", 0), 4);
	fixture_stop(&fixture);
}

Test(deploy_files, names_are_escaped_in_paths)
{
	struct fixture fixture;

	fixture_start(&fixture);
	plan_files(&fixture, "{kind: ConfigMap, apiVersion: v1, metadata: {name: \"../secrets/x?a\"}}");
	cr_assert_eq(plan_loaded(&fixture), 0);
	cr_expect_str_eq(fixture.plan.objects.items[0].path, "/api/v1/namespaces/ns/configmaps/..%2Fsecrets%2Fx%3Fa");
	fixture_stop(&fixture);
}
