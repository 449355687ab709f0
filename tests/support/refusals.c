/* See apiserver.h: how upgrades are refused, by whom, in their words. Source: kubernetes pkg/registry/core/pod,
 * kubelet. */
#include "apiserver.h"

#define TEXT "text/plain; charset=utf-8"

const struct upgrade_refusal upgrade_refusals[] = {
	{ .name = "unauthenticated",
	  .answer = { .status = 401, .body = STATUS_FAILURE(401, "Unauthorized", "Unauthorized") },
	  .message = "Unauthorized" },
	{ .name = "forbidden",
	  .answer = { .status = 403,
	              .body =
	                  STATUS_FAILURE(403, "Forbidden",
	                                 "pods \\\"consul-0\\\" is forbidden: User \\\"tester\\\" cannot get resource "
	                                 "\\\"pods/exec\\\" in API group \\\"\\\" in the namespace \\\"ns\\\"") },
	  .message = "cannot get resource \"pods/exec\"" },
	{ .name = "pod absent",
	  .answer = { .status = 404, .body = STATUS_FAILURE(404, "NotFound", "pods \\\"consul-0\\\" not found") },
	  .message = "pods \"consul-0\" not found" },
	{ .name = "unscheduled pod",
	  .answer = { .status = 400,
	              .body = STATUS_FAILURE(400, "BadRequest", "pod consul-0 does not have a host assigned") },
	  .message = "pod consul-0 does not have a host assigned" },
	{ .name = "wrong container",
	  .answer = { .status = 400,
	              .body = STATUS_FAILURE(400, "BadRequest", "container consul is not valid for pod consul-0") },
	  .message = "container consul is not valid for pod consul-0" },
	{ .name = "container omitted",
	  .answer = { .status = 400,
	              .body = STATUS_FAILURE(400, "BadRequest",
	                                     "a container name must be specified for pod consul-0, choose one of: "
	                                     "[consul sidecar]") },
	  .message = "a container name must be specified for pod consul-0" },
	{ .name = "kubelet does not have the pod",
	  .answer = { .status = 404, .content_type = TEXT, .body = "pod does not exist\n" },
	  .message = "could not find the requested resource" },
	{ .name = "container not created",
	  .answer = { .status = 500, .content_type = TEXT, .body = "container not found (\"consul\")\n" },
	  .message = "container not found" },
	{ .name = "container stopped",
	  .answer = { .status = 500, .content_type = TEXT, .body = "container is in CONTAINER_EXITED state\n" },
	  .message = "container is in CONTAINER_EXITED state" },
	{ .name = "kubelet unreachable",
	  .answer = { .status = 500,
	              .body = "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\","
	                      "\"message\":"
	                      "\"error dialing backend: dial tcp 10.0.0.9:10250: connect: no route to "
	                      "host\",\"code\":500}" },
	  .message = "error dialing backend" },
	{ .name = "too many execs",
	  .answer = { .status = 429,
	              .content_type = TEXT,
	              .headers = "Retry-After: 1\r\n",
	              .body = "Too many requests, please try again later.\n" },
	  .message = "oo many requests" },
	{ .name = "subprotocol unknown", .answer = { .status = 403, .fault = FAULT_NO_LENGTH }, .message = "" },
	{ .name = 0 },
};
