/* consul/difference.h */
#include <criterion/criterion.h>
#include <string.h>

#include "consul/difference.h"
#include "consul/manifest.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

/* JSON with ' for ", so that it can be read here. */
static cJSON *parse(const char *text)
{
	_cleanup_free_ char *quoted = xstrdup(text);
	cJSON *json;

	for (char *at = quoted; *at; at++)
		*at = *at == '\'' ? '"' : *at;
	json = cJSON_Parse(quoted);
	cr_assert_not_null(json, "%s", quoted);
	return json;
}

static char *difference_of(const char *live, const char *wanted)
{
	_cleanup_json_ cJSON *before = live ? parse(live) : NULL, *after = parse(wanted);
	_cleanup_json_ cJSON *before_copy = cJSON_Duplicate(before, true), *after_copy = cJSON_Duplicate(after, true);
	struct buf out = BUF_TEXT;
	bool any = difference_add("thing/x", before, after, &out);

	cr_expect_eq(any, out.len > 0);
	cr_expect(!before || cJSON_Compare(before, before_copy, true), "an argument was changed");
	cr_expect(cJSON_Compare(after, after_copy, true), "an argument was changed");
	return buf_detach(&out);
}

static void expect_difference(const char *live, const char *wanted, const char *expected)
{
	_cleanup_free_ char *text = difference_of(live, wanted);

	cr_expect_str_eq(text, expected);
}

#define HEAD "--- thing/x now\n+++ thing/x after\n"

Test(difference, a_changed_field_is_a_changed_line)
{
	expect_difference("{'kind':'Thing','apiVersion':'v1','metadata':{'name':'x'},'spec':{'a':1,'image':'i:1'}}",
	                  "{'apiVersion':'v1','kind':'Thing','metadata':{'name':'x'},'spec':{'image':'i:2','a':1}}",
	                  HEAD "@@ -4,4 +4,4 @@\n"
	                       "   name: x\n"
	                       " spec:\n"
	                       "   a: 1\n"
	                       "-  image: i:1\n"
	                       "+  image: i:2\n");
}

Test(difference, what_would_be_made_is_added_as_a_whole)
{
	expect_difference(NULL, "{'kind':'Thing','metadata':{'name':'x','uid':'1'}}",
	                  HEAD "@@ -0,0 +1,3 @@\n+kind: Thing\n+metadata:\n+  name: x\n");
}

Test(difference, what_the_server_keeps_for_itself_is_none)
{
	expect_difference("{'metadata':{'name':'x','uid':'1','resourceVersion':'1','generation':1,'selfLink':'/x',"
	                  "'creationTimestamp':'t','managedFields':[{}],'annotations':{"
	                  "'kubectl.kubernetes.io/last-applied-configuration':'{}'}},'status':{'a':1}}",
	                  "{'metadata':{'uid':'2','name':'x','resourceVersion':'2','generation':2,'labels':null},"
	                  "'spec':null,'status':{'a':2}}",
	                  "");
}

Test(difference, the_order_of_a_list_counts_that_of_keys_does_not)
{
	expect_difference("{'a':[{'b':1,'c':2}]}", "{'a':[{'c':2,'b':1}]}", "");
	expect_difference("{'a':[1,2]}", "{'a':[2,1]}", HEAD "@@ -1,3 +1,3 @@\n a:\n-- 1\n - 2\n+- 1\n");
}

/* --------------------------------------------------------------------------------------- JSON in strings */

Test(difference, a_setting_in_a_string_is_a_line_of_its_own)
{
	expect_difference("{'data':{'s.json':'{\\'a\\':1,\\'b\\':[1,2],\\'c\\':true}'}}",
	                  "{'data':{'s.json':'{\\'a\\':1,\\'b\\':[1,2],\\'c\\':false}'}}",
	                  HEAD "@@ -6,5 +6,5 @@\n"
	                       "             1,\n"
	                       "             2\n"
	                       "         ],\n"
	                       "-        \"c\": true\n"
	                       "+        \"c\": false\n"
	                       "     }\n");
}

Test(difference, a_string_that_comes_or_goes_is_a_block_too)
{
	expect_difference("{'a':{'x':'1'}}", "{'a':{'x':'1','y':'{\\'b\\':1}'}}",
	                  HEAD "@@ -1,2 +1,6 @@\n"
	                       " a:\n"
	                       "   x: \"1\"\n"
	                       "+  \"y\": |\n"
	                       "+    {\n"
	                       "+        \"b\": 1\n"
	                       "+    }\n");
	expect_difference("['[1]']", "[]",
	                  HEAD "@@ -1,4 +1 @@\n"
	                       "-- |\n"
	                       "-  [\n"
	                       "-      1\n"
	                       "-  ]\n"
	                       "+[]\n");
}

Test(difference, strings_that_only_look_alike_are_shown_as_they_are)
{
	/* White space, a number that cJSON cannot tell from another, and one that is no JSON any more. */
	expect_difference("['{\\'a\\':1}']", "['{\\'a\\': 1}']", HEAD "@@ -1 +1 @@\n-- '{\"a\":1}'\n+- '{\"a\": 1}'\n");
	expect_difference("['{\\'a\\':9007199254740993}']", "['{\\'a\\':9007199254740992}']",
	                  HEAD "@@ -1 +1 @@\n-- '{\"a\":9007199254740993}'\n+- '{\"a\":9007199254740992}'\n");
	expect_difference("['{\\'a\\':1}']", "['{\\'a\\':1']", HEAD "@@ -1 +1 @@\n-- '{\"a\":1}'\n+- '{\"a\":1'\n");
	expect_difference("['{}']", "['[ -f x ]']", HEAD "@@ -1 +1 @@\n-- '{}'\n+- '[ -f x ]'\n");
}

Test(difference, sides_of_other_kinds_are_no_trouble)
{
	_cleanup_free_ char *one = difference_of("{'a':{'b':'{\\'c\\':1}'}}", "{'a':['{\\'c\\':1}',[]]}");
	_cleanup_free_ char *two = difference_of("{'a':'{\\'c\\':1}'}", "{'a':7}");
	_cleanup_free_ char *three = difference_of("{'a':[[{'b':'x'}]]}", "{'a':{}}");

	cr_expect(str_starts_with(one, HEAD));
	cr_expect(str_starts_with(two, HEAD));
	cr_expect(str_starts_with(three, HEAD));
}

/* ----------------------------------------------------------------------------------------- Secrets */

Test(difference, secrets_tell_keys_and_that_values_differ)
{
	expect_difference("{'kind':'Secret','data':{'a':'b25l','b':'dHdv','c':'dGhyZWU='},'metadata':{'annotations':{"
	                  "'kubectl.kubernetes.io/last-applied-configuration':'{\\'data\\':\\'b25l\\'}'}}}",
	                  "{'kind':'Secret','data':{'a':'b25l','b':'b3RoZXI=','d':'Zm91cg=='}}",
	                  HEAD "@@ -1,6 +1,5 @@\n"
	                       " data:\n"
	                       "   a: '***'\n"
	                       "-  b: '***'\n"
	                       "-  c: '***'\n"
	                       "+  b: '*** (changed)'\n"
	                       "+  d: '***'\n"
	                       " kind: Secret\n"
	                       "-metadata: {}\n");
	expect_difference("{'kind':'Secret','data':{'a':'b25l'}}", "{'kind':'Secret','data':{'a':'b25l'}}", "");
}

/* As they are given, in clear, they are what is kept in base64. */
Test(difference, secrets_in_clear_are_masked_and_compared_too)
{
	expect_difference("{'kind':'Secret','data':{'a':'b25l'}}", "{'kind':'Secret','stringData':{'a':'one'}}", "");
	expect_difference("{'kind':'Secret','data':{'a':'b25l'}}",
	                  "{'kind':'Secret','stringData':{'a':'two','b':null,'c':'{\\'x\\':1}'}}",
	                  HEAD "@@ -1,3 +1,4 @@\n"
	                       " data:\n"
	                       "-  a: '***'\n"
	                       "+  a: '*** (changed)'\n"
	                       "+  c: '***'\n"
	                       " kind: Secret\n");
	expect_difference(NULL, "{'kind':'Secret','stringData':{'key':'hunter2'}}",
	                  HEAD "@@ -0,0 +1,3 @@\n+data:\n+  key: '***'\n+kind: Secret\n");
}

/* ---------------------------------------------------------------------------------------- restarts */

static bool restarts(const char *live, const char *wanted)
{
	_cleanup_json_ cJSON *before = live ? parse(live) : NULL, *after = parse(wanted);

	return difference_restarts(before, after);
}

Test(difference, only_the_pod_template_restarts)
{
	static const char set[] =
	    "{'spec':{'replicas':3,'template':{'metadata':{'creationTimestamp':null},'spec':{'a':1}}}}";

	cr_expect_not(restarts(NULL, set));
	cr_expect_not(restarts(set, set));
	cr_expect_not(restarts(set, "{'spec':{'replicas':5,'template':{'spec':{'a':1,'b':null},'metadata':{}}}}"));
	cr_expect(restarts(set, "{'spec':{'replicas':3,'template':{'metadata':{},'spec':{'a':2}}}}"));
	cr_expect(restarts(set, "{'spec':{'replicas':3,'template':{'metadata':{},'spec':{'a':1,'b':{}}}}}"));
	cr_expect(restarts(set, "{'spec':{'replicas':3}}"));
	cr_expect_not(restarts("{'spec':{}}", "{'spec':{}}"));
}

/* ------------------------------------------------------------------------------- what deploy renders */

Test(difference, of_another_image_is_that_line)
{
	struct manifest_settings settings = { .namespace_name = "ns",
		                              .name = "consul",
		                              .image = "hashicorp/consul:1.20",
		                              .datacenter = "dc1",
		                              .storage_size = "1Gi",
		                              .secrets.gossip_key = "c2VjcmV0",
		                              .replicas = 3,
		                              .bootstrap_expect = 3 };
	_cleanup_json_ cJSON *before = manifest_render(&settings), *after = NULL;
	_cleanup_buf_ struct buf out = BUF_TEXT;
	const cJSON *live, *wanted;

	settings.image = "hashicorp/consul:1.21";
	settings.secrets.gossip_key = "b3RoZXI=";
	after = manifest_render(&settings);
	wanted = after->child;
	cJSON_ArrayForEach (live, before) {
		difference_add(json_string_at(live, "kind"), live, wanted, &out);
		wanted = wanted->next;
	}
	cr_expect_not_null(strstr(buf_text(&out), "--- Secret now\n+++ Secret after\n"));
	cr_expect_not_null(strstr(buf_text(&out), "\n+  gossip.json: '*** (changed)'\n"));
	cr_expect_null(strstr(buf_text(&out), "c2VjcmV0"));
	cr_expect_not_null(strstr(buf_text(&out), "\n-        image: hashicorp/consul:1.20\n"
	                                          "+        image: hashicorp/consul:1.21\n"));
	cr_expect_null(strstr(buf_text(&out), "--- ConfigMap"));
}
