/* Which StatefulSet is meant: lists as the API server gives them. */
#include <criterion/criterion.h>

#include "consul/discover.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

/* One StatefulSet of a list. */
static cJSON *set_item(const char *name, const char *label_app, const char *image, const char *arg)
{
	return json_object(
	    "metadata",
	    json_object("name", json_string(name), "namespace", json_string("ns"), "uid", json_string("u"), "labels",
	                json_object("app", json_string(label_app), NULL), NULL),
	    "spec",
	    json_object("replicas", json_int(3), "template",
	                json_object("spec",
	                            json_object("containers",
	                                        json_array(json_object(
	                                            "name", json_string("main"), "image", json_string(image), "args",
	                                            json_array(json_string("agent"), json_string(arg)), NULL)),
	                                        NULL),
	                            NULL),
	                NULL),
	    NULL);
}

static cJSON *list_of(cJSON *first, cJSON *second)
{
	return json_object("kind", json_string("StatefulSetList"), "items", json_array(first, second), NULL);
}

Test(discover, the_only_one_that_runs_servers_is_taken)
{
	_cleanup_json_ cJSON *list = list_of(set_item("web", "web", "nginx:1", "-g"),
	                                     set_item("registry", NULL, "hashicorp/consul:1.8.7", "-server"));
	_cleanup_free_ char *name = NULL;
	_cleanup_err_ struct err err = ERR_INIT;

	cr_assert_eq(discover_other(list, "ns", "consul", false, &name, &err), 0, "%s", err.message);
	cr_assert_str_eq(name, "registry");
}

Test(discover, an_explicit_name_is_never_replaced)
{
	_cleanup_json_ cJSON *list = list_of(set_item("registry", NULL, "hashicorp/consul:1.8.7", "-server"), NULL);
	_cleanup_free_ char *name = NULL;
	_cleanup_err_ struct err err = ERR_INIT;

	cr_assert_eq(discover_other(list, "ns", "mine", true, &name, &err), -1);
	cr_assert_eq(err.kind, ERR_NOT_FOUND);
	cr_assert_not_null(strstr(err.message, "mine"));
	cr_assert_not_null(strstr(err.hint, "registry"));
	cr_assert_null(name);
}

Test(discover, several_are_listed_not_guessed)
{
	_cleanup_json_ cJSON *list = list_of(set_item("a", "consul", "x", "y"), set_item("b", "consul", "x", "y"));
	_cleanup_free_ char *name = NULL;
	_cleanup_err_ struct err err = ERR_INIT;

	cr_assert_eq(discover_other(list, "ns", "consul", false, &name, &err), -1);
	cr_assert_not_null(strstr(err.message, "a and b"));
	cr_assert_not_null(strstr(err.hint, "--name"));
}

Test(discover, a_client_daemon_is_no_server)
{
	_cleanup_json_ cJSON *list = list_of(set_item("client", NULL, "hashicorp/consul:1.8.7", "-retry-join=x"), NULL);
	_cleanup_free_ char *name = NULL;
	_cleanup_err_ struct err err = ERR_INIT;

	cr_assert_eq(discover_other(list, "ns", "consul", false, &name, &err), -1);
	cr_assert_not_null(strstr(err.hint, "client"));
}

Test(discover, an_empty_namespace_points_to_deploy)
{
	_cleanup_json_ cJSON *list = list_of(NULL, NULL);
	_cleanup_free_ char *name = NULL;
	_cleanup_err_ struct err err = ERR_INIT;

	cr_assert_eq(discover_other(list, "ns", "consul", false, &name, &err), -1);
	cr_assert_not_null(strstr(err.hint, "deploy -n ns"));
}

Test(discover, container_by_name_then_alone_then_by_command)
{
	struct kube_container containers[] = {
		{ .name = (char[]){ "sidecar" }, .image = (char[]){ "envoy" } },
		{ .name = (char[]){ "main" }, .image = (char[]){ "hashicorp/consul:1" } },
	};
	struct kube_pod pod = { .containers = containers, .container_count = 2 };

	cr_assert_null(discover_container(&pod));
	strv_add(&containers[1].args, "-server");
	cr_assert_eq(discover_container(&pod), &containers[1]);
	strv_release(&containers[1].args);
	pod.container_count = 1;
	cr_assert_eq(discover_container(&pod), &containers[0]);
	pod.container_count = 2;
	containers[0].name = (char[]){ "consul" };
	cr_assert_eq(discover_container(&pod), &containers[0]);
}
