/*
 * The yardstick of health: one bare tunnel ask of one server (members, raft configuration, self), and nothing else. No
 * listing, no judging, no printing:
 *
 *     ask_one KUBECONFIG NAMESPACE POD
 */
#include <stdio.h>

#include "consul/ask.h"
#include "util/clock.h"

#define ASK_TIMEOUT_MS 10000

int main(int argc, char **argv)
{
	struct kube_config_inputs inputs = { 0 };
	struct kube_config config = KUBE_CONFIG_INIT;
	struct kube_client_options options = { .command = "kubectl consul bench" };
	struct kube_container container = { .name = (char[]){ "consul" } };
	struct kube_pod pod = KUBE_POD_INIT;
	struct view view = VIEW_INIT;
	struct ask_target target = { .pod = &pod, .container = &container, .view = &view };
	struct loop *loop = loop_new();
	struct kube_client *client = NULL;
	struct err err = ERR_INIT;
	int status;

	if (argc != 4) {
		fprintf(stderr, "usage: %s KUBECONFIG NAMESPACE POD\n", argv[0]);
		return 2;
	}
	inputs.kubeconfig = argv[1];
	pod.namespace_name = argv[2];
	pod.name = argv[3];
	status = kube_config_load(&inputs, &config, &err);
	if (status == 0)
		status = kube_client_new(loop, &config, &options, &client, &err);
	if (status == 0)
		status = ask_views(client, &target, 1, &(struct access){ .via = ASK_TUNNEL },
		                   clock_monotonic_ms() + ASK_TIMEOUT_MS, &err);
	if (status < 0)
		fprintf(stderr, "ask_one: %s\n", err.message);
	else if (!view.members_known || !view.peers_known || !view.self_known)
		fprintf(stderr, "ask_one: %s\n", view.self_err.message ? view.self_err.message : "no whole answer");
	status = status < 0 || !view.members_known || !view.peers_known || !view.self_known;
	view_release(&view);
	kube_client_free(client);
	loop_free(loop);
	kube_config_release(&config);
	err_release(&err);
	return status;
}
