/*
 * What only a person can do about servers on whose data Consul does not start: commands to be pasted. Nothing can be
 * executed in a container that does not run, so that a pod of its own mounts the claim. See
 * include/consul/recovery_parts.h.
 */
#include <string.h>

#include "consul/diagnosis.h"
#include "consul/recovery_parts.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/yaml.h"

/* User and group consul of the official images. */
enum { CONSUL_USER = 100, CONSUL_GROUP = 1000 };

/* What the commands are about. Owns its strings. */
struct patient {
	const struct recovery_server *row;
	const char *container; /* NULL: not known */
	const char *image;
	char *claim;
	char *data_dir;
	char *helper; /* the pod */
	char *space;  /* fit for a shell, as all below */
	char *pod;
	char *claim_word;
	char *helper_word;
};

static void patient_release(struct patient *patient)
{
	free(patient->claim);
	free(patient->data_dir);
	free(patient->helper);
	free(patient->space);
	free(patient->pod);
	free(patient->claim_word);
	free(patient->helper_word);
}

/* False: which claim has its data cannot be told, and so not what to do with it. */
static bool patient_begin(const struct recovering *recovering, const struct recovery_server *row,
                          struct patient *patient)
{
	const struct snapshot *snapshot = recovering->snapshot;
	const struct strv *templates = &snapshot->set.claim_templates;
	const struct kube_container *container = row->server->container;

	*patient =
	    (struct patient){ .row = row, .space = shell_word(snapshot->namespace_name), .pod = shell_word(row->name) };
	if (templates->count != 1 || !container || !container->image)
		return false;
	patient->image = container->image;
	patient->claim = xasprintf("%s-%s", templates->items[0], row->name);
	patient->data_dir = row->remains->data_dir ? xstrdup(row->remains->data_dir) : remains_data_dir(row->server);
	patient->helper = xasprintf("%s-repair", row->name);
	patient->claim_word = shell_word(patient->claim);
	patient->helper_word = shell_word(patient->helper);
	return true;
}

/* Builders are laid out as the YAML they become. */
/* clang-format off */

/* It passes the restricted level of pod security, and is on the node where the claim is mounted already. */
static cJSON *helper_pod(const struct patient *patient, const char *script)
{
	return json_object(
		"apiVersion", json_string("v1"),
		"kind", json_string("Pod"),
		"metadata", json_object("name", json_string(patient->helper), NULL),
		"spec", json_object(
			"nodeName", json_string(patient->row->server->pod.node),
			"restartPolicy", json_string("Never"),
			"securityContext", json_object(
				"runAsNonRoot", json_bool(true),
				"runAsUser", json_int(CONSUL_USER),
				"runAsGroup", json_int(CONSUL_GROUP),
				"seccompProfile", json_object("type", json_string("RuntimeDefault"), NULL),
				NULL),
			"containers", json_array(json_object(
				"name", json_string("repair"),
				"image", json_string(patient->image),
				"command", json_array(json_string("/bin/sh"), json_string("-c"), json_string(script)),
				"securityContext", json_object(
					"allowPrivilegeEscalation", json_bool(false),
					"capabilities", json_object("drop", json_array(json_string("ALL")), NULL),
					NULL),
				"volumeMounts", json_array(json_object(
					"name", json_string("data"),
					"mountPath", json_string(patient->data_dir),
					NULL)),
				NULL)),
			"volumes", json_array(json_object(
				"name", json_string("data"),
				"persistentVolumeClaim", json_object("claimName", json_string(patient->claim), NULL),
				NULL)),
			NULL),
		NULL);
}

/* clang-format on */

static void add_helper(struct strv *commands, const struct patient *patient, const char *script)
{
	cJSON *pod = helper_pod(patient, script);
	_cleanup_free_ char *manifest = yaml_text(pod);

	cJSON_Delete(pod);
	strv_addf(commands, "kubectl apply -n %s -f - <<'END'\n%sEND", patient->space, manifest);
}

/*
 * One file stands in the way: it is removed, wherever on the volume the data directory is. The server's own pod is left
 * alone: a new one has another address, and a leader removes a voter that comes with one before it adds it again, which
 * costs the quorum where another voter is dead (tried on 1.8.7).
 */
static void remove_file(struct strv *commands, const struct patient *patient, const char *why, const char *file)
{
	_cleanup_free_ char *directory = shell_word(patient->data_dir);
	_cleanup_free_ char *script = xasprintf("rm -f %s/%s %s/*/%s", directory, file, directory, file);

	strv_addf(commands, "# %s %s; servers that run as another user than %d need that in the pod below",
	          patient->row->name, why, CONSUL_USER);
	add_helper(commands, patient, script);
	strv_addf(commands, "kubectl wait pod/%s -n %s --for=jsonpath='{.status.phase}'=Succeeded --timeout=2m",
	          patient->helper_word, patient->space);
	strv_addf(commands, "kubectl delete pod %s -n %s", patient->helper_word, patient->space);
	strv_addf(commands, "# Kubernetes starts %s again within 5 minutes", patient->row->name);
}

/* What cannot be read is kept on the workstation; empty the server joins the others. */
static void start_empty(struct strv *commands, const struct patient *patient)
{
	_cleanup_free_ char *directory = shell_word(patient->data_dir);
	_cleanup_free_ char *file = xasprintf("%s-data.tar", patient->row->name), *word = shell_word(file);

	strv_addf(commands, "# %s: keep a copy of its data; empty it joins the others, once they have a leader",
	          patient->row->name);
	add_helper(commands, patient, "sleep 3600");
	/* One command: where the copy fails, or would replace an earlier one, nothing may be deleted. */
	strv_addf(commands,
	          "test ! -e %s &&\n"
	          "kubectl wait pod/%s -n %s --for=condition=Ready --timeout=2m &&\n"
	          "kubectl exec %s -n %s -- tar cf - -C %s . > %s &&\n"
	          "kubectl delete pod %s -n %s --now &&\n"
	          "kubectl delete pvc %s -n %s --wait=false &&\n"
	          "kubectl delete pod %s -n %s",
	          word, patient->helper_word, patient->space, patient->helper_word, patient->space, directory, word,
	          patient->helper_word, patient->space, patient->claim_word, patient->space, patient->pod,
	          patient->space);
}

static void add_commands(struct recovering *recovering, const struct recovery_server *row)
{
	struct strv *commands = &recovering->recovery->commands;
	struct patient patient;

	if (patient_begin(recovering, row, &patient)) {
		if (row->remains->trouble == REMAINS_TOO_OLD)
			remove_file(commands, &patient, "is only too old: what says so is removed",
			            "server_metadata.json");
		else if (row->remains->trouble == REMAINS_BAD_PEERS)
			remove_file(commands, &patient, "starts without that file", "raft/peers.json");
		else
			start_empty(commands, &patient);
	} else {
		strv_addf(commands,
		          "# %s: which volume its data is on cannot be told from here: kubectl describe pod %s -n %s",
		          row->name, patient.pod, patient.space);
	}
	patient_release(&patient);
}

/* Those whose data is whole first: with them there may be a quorum. */
void recovery_add_commands(struct recovering *recovering)
{
	struct recovery *recovery = recovering->recovery;

	for (int whole = 1; whole >= 0; whole--)
		for (size_t i = 0; i < recovery->count; i++)
			if (recovery->servers[i].fate == FATE_BROKEN &&
			    whole == (recovery->servers[i].remains->trouble != REMAINS_CORRUPT))
				add_commands(recovering, &recovery->servers[i]);
}
