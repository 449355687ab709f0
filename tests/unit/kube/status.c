/* kube/status.h */
#include <criterion/criterion.h>

#include "kube/status.h"
#include "util/mem.h"
#include "util/str.h"

static void expect(long http_status, const char *body, enum err_kind kind, const char *text)
{
	_cleanup_err_ struct err err = ERR_INIT;
	_cleanup_free_ char *actual = NULL;

	cr_assert_eq(kube_status_error(http_status, body, body ? strlen(body) : 0, &err), -1);
	actual = err_text(&err);
	cr_expect_str_eq(actual, text);
	cr_expect_eq(err.kind, kind, "kind %d: %s", (int)err.kind, text);
}

static void expect_hint(long http_status, const char *body, const char *hint)
{
	_cleanup_err_ struct err err = ERR_INIT;

	cr_assert_eq(kube_status_error(http_status, body, strlen(body), &err), -1);
	if (hint)
		cr_expect_str_eq(err.hint ? err.hint : "(none)", hint);
	else
		cr_expect_null(err.hint, "%s", err.hint);
}

Test(status, reason_and_message)
{
	expect(404,
	       "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"message\":"
	       "\"pods \\\"p\\\" not "
	       "found\",\"reason\":\"NotFound\",\"details\":{\"name\":\"p\",\"kind\":\"pods\"},\"code\":404}",
	       ERR_NOT_FOUND, "Error from server (NotFound): pods \"p\" not found");
	expect(500, "{\"kind\":\"Status\",\"message\":\"error dialing backend: dial tcp\",\"code\":500}",
	       ERR_UNAVAILABLE, "Error from server: error dialing backend: dial tcp");
	expect(
	    409,
	    "{\"kind\":\"Status\",\"reason\":\"Conflict\",\"message\":\"Apply failed with 2 conflicts: conflicts with "
	    "\\\"M\\\" using apps/v1:\\n- .spec.a\\n- .spec.b\"}",
	    ERR_CONFLICT,
	    "Error from server (Conflict): Apply failed with 2 conflicts: conflicts with \"M\" using apps/v1: - "
	    ".spec.a - .spec.b");
	expect(403, "{\"kind\":\"Status\",\"reason\":\"Forbidden\"}", ERR_FORBIDDEN,
	       "Error from server (Forbidden): the server refused the request");
	expect(418, "{\"kind\":\"Status\"}", ERR_FAILED, "Error from server: unknown");
}

Test(status, unauthorized_in_kubectls_words)
{
	expect(401, "{\"kind\":\"Status\",\"message\":\"Unauthorized\",\"reason\":\"Unauthorized\",\"code\":401}",
	       ERR_UNAUTHORIZED, "error: You must be logged in to the server (Unauthorized)");
	expect(401, "", ERR_UNAUTHORIZED, "error: You must be logged in to the server (Unauthorized)");
}

Test(status, invalid_objects)
{
#define INVALID(causes)                                                                                                \
	"{\"kind\":\"Status\",\"reason\":\"Invalid\",\"message\":\"whole\",\"details\":{\"name\":\"consul\","          \
	"\"group\":\"apps\","                                                                                          \
	"\"kind\":\"StatefulSet\",\"causes\":[" causes "]},\"code\":422}"
#define CAUSE(field, message) "{\"reason\":\"FieldValueInvalid\",\"message\":\"" message "\",\"field\":\"" field "\"}"
	expect(422, INVALID(CAUSE("spec.replicas", "Invalid value: -1")), ERR_INVALID,
	       "The StatefulSet \"consul\" is invalid: spec.replicas: Invalid value: -1");
	expect(422, INVALID(CAUSE("a", "x\\ny") "," CAUSE("b", "z") "," CAUSE("b", "z")), ERR_INVALID,
	       "The StatefulSet \"consul\" is invalid: [a: x y, b: z]");
	expect(422, INVALID(""), ERR_INVALID, "Error from server (Invalid): whole");
	expect(422, "{\"kind\":\"Status\",\"details\":{\"causes\":[" CAUSE("a", "x") "]}}", ERR_INVALID,
	       "The request is invalid: a: x");
	expect(422, "{\"kind\":\"Status\",\"details\":{\"causes\":[3,{}]}}", ERR_INVALID,
	       "Error from server: the server rejected our request due to an error in our request");
}

Test(status, bodies_that_are_no_status)
{
	expect(404, "404 page not found\n", ERR_NOT_FOUND,
	       "Error from server (NotFound): the server could not find the requested resource");
	expect(
	    404, "pod does not exist", ERR_NOT_FOUND,
	    "Error from server (NotFound): the server could not find the requested resource (\"pod does not exist\")");
	expect(404, NULL, ERR_NOT_FOUND,
	       "Error from server (NotFound): the server could not find the requested resource");
	expect(503, "", ERR_UNAVAILABLE,
	       "Error from server (ServiceUnavailable): the server is currently unable to handle the request");
	expect(500, "container not found (\"C\")", ERR_UNAVAILABLE,
	       "Error from server (InternalError): an error on the server (\"container not found (\"C\")\") has "
	       "prevented the request "
	       "from succeeding");
	expect(502, "", ERR_UNAVAILABLE,
	       "Error from server (InternalError): an error on the server (\"unknown\") has prevented the request from "
	       "succeeding");
	expect(429, "Too many requests, please try again later.\n", ERR_UNAVAILABLE,
	       "Error from server (TooManyRequests): the server has received too many requests and has asked us to try "
	       "again later "
	       "(\"Too many requests, please try again later.\")");
	expect(403, "", ERR_FORBIDDEN, "Error from server (Forbidden): the server refused the request");
	expect(302, "", ERR_PROTOCOL, "Error from server: the server answered with HTTP status 302");
	expect(418, "tea", ERR_FAILED, "Error from server: the server answered with HTTP status 418 (\"tea\")");
	expect(0, "", ERR_PROTOCOL, "Error from server: the server answered with HTTP status 0");
	expect(
	    404, "{\"kind\":\"Pod\"}", ERR_NOT_FOUND,
	    "Error from server (NotFound): the server could not find the requested resource (\"{\"kind\":\"Pod\"}\")");
}

Test(status, html_of_a_proxy)
{
	expect(502, "<html>\r\n<head><title>502 Bad\nGateway</title></head><body>nginx</body></html>", ERR_UNAVAILABLE,
	       "Error from server (InternalError): an error on the server (\"502 Bad Gateway\") has prevented the "
	       "request from "
	       "succeeding");
	expect(503, "<!DOCTYPE html><body><h1>Down</h1> <p>for a while", ERR_UNAVAILABLE,
	       "Error from server (ServiceUnavailable): the server is currently unable to handle the request (\"Down "
	       "for a while\")");
}

Test(status, what_is_shown_is_visible_and_bounded)
{
	char large[100000];
	_cleanup_err_ struct err err = ERR_INIT;

	expect(500, "\x1b[2Jx\xff", ERR_UNAVAILABLE,
	       "Error from server (InternalError): an error on the server (\"^[[2Jx\\xff\") has prevented the request "
	       "from succeeding");
	expect(404, "{\"kind\":\"Status\",\"reason\":\"Not\\u001bFound\",\"message\":\"a\\u001b[2J\\r\\nb\"}",
	       ERR_NOT_FOUND, "Error from server (Not^[Found): a^[[2J b");
	memset(large, 'x', sizeof(large));
	kube_status_error(500, large, sizeof(large), &err);
	cr_expect_lt(strlen(err.message), 400);
}

Test(status, a_403_says_which_permission)
{
	expect_hint(
	    403,
	    "{\"kind\":\"Status\",\"reason\":\"Forbidden\",\"message\":\"pods \\\"p\\\" is forbidden: User \\\"u\\\" "
	    "cannot get "
	    "resource \\\"pods/exec\\\" in API group \\\"\\\" in the namespace \\\"ns\\\"\"}",
	    "a Role must allow \"get\" on \"pods/exec\"; check: kubectl auth can-i get pods --subresource=exec -n ns");
	expect_hint(
	    403,
	    "{\"kind\":\"Status\",\"reason\":\"Forbidden\",\"message\":\"x is forbidden: User \\\"u\\\" cannot patch "
	    "resource \\\"statefulsets\\\" in API group \\\"apps\\\" at the cluster scope\"}",
	    "a Role must allow \"patch\" on \"statefulsets\" of API group \"apps\"; check: kubectl auth can-i patch "
	    "statefulsets.apps");
	expect_hint(
	    403, "{\"kind\":\"Status\",\"message\":\"cannot get resource \\\"pods;reboot\\\" in API group \\\"\\\"\"}",
	    NULL);
	expect_hint(403, "{\"kind\":\"Status\",\"message\":\"x cannot get resource \\\"--all\\\"\"}", NULL);
	expect_hint(403, "nothing", NULL);
}

Test(status, other_hints)
{
	expect_hint(
	    401, "",
	    "the server does not accept the credentials of the kubeconfig's user (expired?): log in again; see: "
	    "kubectl config view --minify");
	expect_hint(429, "{\"kind\":\"Status\",\"details\":{\"retryAfterSeconds\":5}}",
	            "the server asks to try again in 5 s");
	expect_hint(500, "{\"kind\":\"Status\",\"details\":{\"retryAfterSeconds\":\"5\"}}", NULL);
}
