/* kube/revisions.h, on ControllerRevisions as a 1.20 API server lists them. */
#include <criterion/criterion.h>

#include "connected.h"
#include "kube/revisions.h"
#include "util/json.h"
#include "util/str.h"

#define PATH "/apis/apps/v1/namespaces/ns/controllerrevisions"

static struct connected connected;

/* ------------------------------------------------------------------------------------ what the server has */

static cJSON *revision(const char *owner, const char *name, int64_t number)
{
	return json_object(
	    "metadata",
	    json_object("name", json_string(name), "ownerReferences",
	                json_array(json_object("kind", json_string("StatefulSet"), "name", json_string("consul"), "uid",
	                                       json_string(owner), NULL)),
	                NULL),
	    "data",
	    json_object("spec",
	                json_object("template",
	                            json_object("$patch", json_string("replace"), "metadata",
	                                        json_object("creationTimestamp", cJSON_CreateNull(), "labels",
	                                                    json_object("app", json_string("consul"), NULL), NULL),
	                                        "spec", json_object("image", json_string(name), NULL), NULL),
	                            NULL),
	                NULL),
	    "revision", json_int(number), NULL);
}

/* One page of the list; takes items. */
static char *page(const char *token, cJSON *items)
{
	_cleanup_json_ cJSON *list =
	    json_object("kind", json_string("ControllerRevisionList"), "metadata",
	                json_object("continue", json_string(token), NULL), "items", items, NULL);

	return json_text(list);
}

/* a was first, b second, and a came back; c is the newest but one; the rest is not of this set. */
static cJSON *usual_items(void)
{
	return json_array(revision("u1", "consul-d", 5), revision("u1", "consul-b", 2), revision("u2", "consul-x", 4),
	                  revision("u1", "consul-a", 3), revision("u1", "consul-c", 4));
}

static struct apiserver_route routes[] = {
	{ .method = "GET", .path = PATH, .query = "&continue=" },
	{ .method = "GET", .path = PATH },
	{ 0 },
};

static char *bodies[2];

/* All on one page, unless a second one is given. */
static void start(char *first, char *second)
{
	struct apiserver_options how = { .routes = routes };

	bodies[0] = first;
	bodies[1] = second;
	routes[0].answer = (struct http_answer){ .body = second ? second : "{}" };
	routes[1].answer = (struct http_answer){ .body = first };
	connected_start(&connected, &how);
}

static void stop(void)
{
	connected_stop(&connected);
	free(bodies[0]);
	free(bodies[1]);
}

TestSuite(revisions, .fini = stop);

/* -------------------------------------------------------------------------------------- the set that asks */

struct status {
	const char *current, *update;
	int64_t replicas, of_current, of_update, observed;
};

static int ask(const struct status *status, cJSON **ret_template, char **ret_name)
{
	_cleanup_json_ cJSON *set = json_object(
	    "kind", json_string("StatefulSet"), "metadata",
	    json_object("name", json_string("consul"), "namespace", json_string("ns"), "uid", json_string("u1"),
	                "generation", json_int(7), NULL),
	    "spec",
	    json_object("selector",
	                json_object("matchLabels",
	                            json_object("app", json_string("consul"), "a/b", json_string("c"), NULL), NULL),
	                NULL),
	    "status",
	    json_object("observedGeneration", json_int(status->observed ? status->observed : 7), "currentRevision",
	                json_string(status->current), "updateRevision", json_string(status->update), "replicas",
	                json_int(status->replicas), "currentReplicas",
	                status->of_current ? json_int(status->of_current) : NULL, "updatedReplicas",
	                status->of_update ? json_int(status->of_update) : NULL, NULL),
	    NULL);

	return kube_revision_previous(connected.client, set, soon_ms(LONG_MS), ret_template, ret_name, &connected.err);
}

static void expect_previous(const struct status *status, const char *expected)
{
	_cleanup_json_ cJSON *template = NULL;
	_cleanup_free_ char *name = NULL, *text = NULL, *wanted = NULL;

	cr_assert_eq(ask(status, &template, &name), 0, "%s", connected.err.message);
	cr_expect_str_eq(name, expected);
	text = json_text(template);
	wanted = xasprintf("{\"metadata\":{\"labels\":{\"app\":\"consul\"}},\"spec\":{\"image\":\"%s\"}}", expected);
	cr_expect_str_eq(text, wanted);
}

static void expect_failure(const struct status *status, enum err_kind kind, const char *message)
{
	cJSON *template = NULL;
	char *name = NULL;

	cr_assert_eq(ask(status, &template, &name), -1);
	cr_expect_eq(connected.err.kind, kind);
	cr_expect_str_eq(connected.err.message, message);
	cr_expect_null(template);
	cr_expect_null(name);
}

/* ------------------------------------------------------------------------------------------------ tests */

Test(revisions, the_one_before_the_newest_is_told_by_its_number)
{
	start(page(NULL, usual_items()), NULL);
	expect_previous(&(struct status){ "consul-d", "consul-d", 3, 3, 3, 0 }, "consul-c");
	expect_previous(&(struct status){ "consul-c", "consul-c", 3, 3, 3, 0 }, "consul-a");
	expect_previous(&(struct status){ "consul-a", "consul-a", 3, 3, 3, 0 }, "consul-b");
	expect_previous(&(struct status){ "consul-a", "consul-a", 0, 0, 0, 0 }, "consul-b");
}

Test(revisions, while_pods_are_of_an_older_one_it_is_that)
{
	start(page(NULL, usual_items()), NULL);
	expect_previous(&(struct status){ "consul-a", "consul-d", 3, 3, 0, 0 }, "consul-a");
	expect_previous(&(struct status){ "consul-a", "consul-d", 3, 1, 1, 0 }, "consul-a");
}

/* Under OnDelete the current revision is that of long ago. */
Test(revisions, one_that_no_pod_is_of_any_more_is_not)
{
	start(page(NULL, usual_items()), NULL);
	expect_previous(&(struct status){ "consul-a", "consul-d", 3, 0, 3, 0 }, "consul-c");
	expect_previous(&(struct status){ "consul-a", "consul-d", 3, 0, 0, 0 }, "consul-c");
	expect_previous(&(struct status){ "consul-gone", "consul-d", 3, 3, 0, 0 }, "consul-c");
}

Test(revisions, a_way_back_is_gone_on_with_and_not_turned_round)
{
	start(page(NULL, usual_items()), NULL);
	expect_previous(&(struct status){ "consul-d", "consul-d", 3, 2, 2, 0 }, "consul-d");
}

Test(revisions, none_before_is_not_found)
{
	start(page(NULL, json_array(revision("u1", "consul-a", 1), revision("u2", "consul-x", 0))), NULL);
	expect_failure(&(struct status){ "consul-a", "consul-a", 3, 3, 3, 0 }, ERR_NOT_FOUND,
	               "statefulset \"consul\" has no earlier revision");
	err_release(&connected.err);
	expect_failure(&(struct status){ "consul-b", "consul-b", 3, 3, 3, 0 }, ERR_NOT_FOUND,
	               "statefulset \"consul\" has no earlier revision");
}

Test(revisions, those_without_a_template_or_a_number_do_not_count)
{
	cJSON *odd = revision("u1", "consul-b", 2), *empty = revision("u1", "consul-c", 3);

	json_set(odd, "revision", json_string("2"));
	json_set(empty, "data", NULL);
	start(page(NULL, json_array(revision("u1", "consul-d", 4), empty, odd, revision("u1", "consul-a", 1))), NULL);
	expect_previous(&(struct status){ "consul-d", "consul-d", 3, 3, 3, 0 }, "consul-a");
}

Test(revisions, a_status_of_an_earlier_specification_says_nothing)
{
	start(page(NULL, usual_items()), NULL);
	expect_failure(&(struct status){ "consul-a", "consul-a", 3, 3, 3, 6 }, ERR_UNAVAILABLE,
	               "statefulset \"consul\" was changed, and Kubernetes has not taken it up");
	cr_expect_not_null(connected.err.hint);
	cr_expect_eq(apiserver_request_total(connected.server), 0);
}

Test(revisions, all_pages_are_read_by_the_labels_of_the_set)
{
	const struct apiserver_request *first, *second;
	_cleanup_free_ char *selector = NULL, *again = NULL, *token = NULL;

	start(page("next&page", json_array(revision("u1", "consul-d", 5), revision("u1", "consul-b", 2))),
	      page("", json_array(revision("u1", "consul-c", 4))));
	expect_previous(&(struct status){ "consul-d", "consul-d", 3, 3, 3, 0 }, "consul-c");
	cr_assert_eq(apiserver_count(connected.server, "GET", PATH), 2);
	first = apiserver_find(connected.server, "GET", PATH, 0);
	second = apiserver_find(connected.server, "GET", PATH, 1);
	selector = apiserver_request_query(first, "labelSelector", 0);
	again = apiserver_request_query(second, "labelSelector", 0);
	token = apiserver_request_query(second, "continue", 0);
	cr_expect_str_eq(selector, "a/b=c,app=consul");
	cr_expect_str_eq(again, selector);
	cr_expect_str_eq(token, "next&page");
}

Test(revisions, a_list_without_end_is_given_up)
{
	start(page("more", cJSON_CreateArray()), page("more", cJSON_CreateArray()));
	expect_failure(&(struct status){ "consul-a", "consul-a", 3, 3, 3, 0 }, ERR_UNAVAILABLE,
	               "cannot list controllerrevisions of statefulset \"consul\": there are more than 5000 with these "
	               "labels");
	cr_expect_eq(apiserver_count(connected.server, "GET", PATH), KUBE_REVISIONS_PAGES);
}

Test(revisions, who_may_not_list_them_hears_which_right_is_missing)
{
	start(xstrdup(STATUS_FAILURE(403, "Forbidden", "no")), NULL);
	routes[1].answer.status = 403;
	expect_failure(&(struct status){ "consul-a", "consul-a", 3, 3, 3, 0 }, ERR_FORBIDDEN,
	               "cannot list controllerrevisions of statefulset \"consul\": no");
	cr_expect_not_null(strstr(connected.err.hint, "\"list\" on \"controllerrevisions\""));
	err_release(&connected.err);
	routes[1].answer.status = 200;
	expect_failure(&(struct status){ "consul-a", "consul-a", 3, 3, 3, 0 }, ERR_PROTOCOL,
	               "cannot list controllerrevisions of statefulset \"consul\": the answer is no list");
}
