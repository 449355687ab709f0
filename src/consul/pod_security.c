/* See include/consul/pod_security.h: one function for each control of the standards, and a table of them. */
#include "consul/pod_security.h"

#include <stdarg.h>

#include "util/json.h"

#define APPARMOR_ANNOTATION "container.apparmor.security.beta.kubernetes.io/"

/* What a control looks at: the pod as a whole (container is NULL), or one of its containers. */
struct place {
	const cJSON *pod; /* the template */
	const cJSON *container;
	const cJSON *security; /* its own securityContext */
	bool windows;          /* the pod says that it runs on Windows, where some controls mean nothing */
	struct strv *violations;
};

static __attribute__((format(printf, 2, 3))) void violates(const struct place *place, const char *format, ...)
{
	const char *name = json_string_at(place->container, "name");
	va_list arguments;
	_cleanup_free_ char *what = NULL;

	va_start(arguments, format);
	what = xvasprintf(format, arguments);
	va_end(arguments);
	if (place->container)
		strv_addf(place->violations, "container \"%s\": %s", name ? name : "", what);
	else
		strv_addf(place->violations, "the pod: %s", what);
}

static bool is_listed(const char *text, const char *const *list)
{
	for (; *list; list++)
		if (str_equal(text, *list))
			return true;
	return false;
}

/* The pod's own securityContext. */
static const cJSON *pod_context(const struct place *place)
{
	return json_at(place->pod, "spec.securityContext");
}

/* ---------------------------------------------------------------------------------------- baseline */

static void host_process(const struct place *place)
{
	if (json_bool_at(place->security, "windowsOptions.hostProcess", false))
		violates(place, "securityContext.windowsOptions.hostProcess is true");
}

static void host_namespaces(const struct place *place)
{
	static const char *const fields[] = { "hostNetwork", "hostPID", "hostIPC" };

	for (size_t i = 0; !place->container && i < ARRAY_SIZE(fields); i++)
		if (json_bool_at(json_get(place->pod, "spec"), fields[i], false))
			violates(place, "%s is true", fields[i]);
}

static void privileged(const struct place *place)
{
	if (place->container && json_bool_at(place->security, "privileged", false))
		violates(place, "securityContext.privileged is true");
}

static const char *const harmless_capabilities[] = { "AUDIT_WRITE", "CHOWN",  "DAC_OVERRIDE",     "FOWNER",  "FSETID",
	                                             "KILL",        "MKNOD",  "NET_BIND_SERVICE", "SETFCAP", "SETGID",
	                                             "SETPCAP",     "SETUID", "SYS_CHROOT",       NULL };

static void capabilities(const struct place *place)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, json_at(place->security, "capabilities.add"))
		if (place->container && cJSON_IsString(item) && !is_listed(item->valuestring, harmless_capabilities))
			violates(place, "securityContext.capabilities.add has %s", item->valuestring);
}

static void host_paths(const struct place *place)
{
	const cJSON *volume;

	cJSON_ArrayForEach (volume, json_at(place->pod, "spec.volumes")) {
		const char *name = json_string_at(volume, "name");

		if (!place->container && json_get(volume, "hostPath"))
			violates(place, "volume \"%s\" is a hostPath", name ? name : "");
	}
}

static void host_ports(const struct place *place)
{
	const cJSON *port;

	cJSON_ArrayForEach (port, json_get(place->container, "ports"))
		if (json_int_at(port, "hostPort", 0) != 0)
			violates(place, "hostPort %lld is asked for", (long long)json_int_at(port, "hostPort", 0));
}

static void host_probes(const struct place *place)
{
	static const char *const hooks[] = { "livenessProbe", "readinessProbe", "startupProbe", "lifecycle.postStart",
		                             "lifecycle.preStop" };
	static const char *const ways[] = { "httpGet.host", "tcpSocket.host" };

	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++)
		for (size_t k = 0; k < ARRAY_SIZE(ways); k++)
			if (!str_is_empty(json_string_at(json_at(place->container, hooks[i]), ways[k])))
				violates(place, "%s.%s names a host", hooks[i], ways[k]);
}

static void app_armor(const struct place *place)
{
	static const char *const allowed[] = { "RuntimeDefault", "Localhost", "", NULL };
	const char *type = json_string_at(place->security, "appArmorProfile.type");
	const cJSON *annotation;

	if (type && !is_listed(type, allowed))
		violates(place, "securityContext.appArmorProfile.type is %s", type);
	cJSON_ArrayForEach (annotation, json_at(place->pod, "metadata.annotations")) {
		const char *value = cJSON_GetStringValue(annotation);

		if (!place->container && str_starts_with(annotation->string, APPARMOR_ANNOTATION) &&
		    !str_is_empty(value) && !str_equal(value, "runtime/default") &&
		    !str_starts_with(value, "localhost/"))
			violates(place, "annotation %s is %s", annotation->string, value);
	}
}

static void se_linux(const struct place *place)
{
	static const char *const allowed[] = {
		"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t", NULL
	};
	static const char *const fixed[] = { "user", "role" };
	const cJSON *options = json_get(place->security, "seLinuxOptions");
	const char *type = json_string_at(options, "type");

	if (type && !is_listed(type, allowed))
		violates(place, "securityContext.seLinuxOptions.type is %s", type);
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		if (!str_is_empty(json_string_at(options, fixed[i])))
			violates(place, "securityContext.seLinuxOptions.%s is set", fixed[i]);
}

static void proc_mount(const struct place *place)
{
	const char *kind = place->container ? json_string_at(place->security, "procMount") : NULL;

	if (!str_is_empty(kind) && !str_equal(kind, "Default"))
		violates(place, "securityContext.procMount is %s", kind);
}

static void seccomp(const struct place *place)
{
	static const char *const allowed[] = { "RuntimeDefault", "Localhost", "", NULL };
	const char *type = json_string_at(place->security, "seccompProfile.type");

	if (type && !is_listed(type, allowed))
		violates(place, "securityContext.seccompProfile.type is %s", type);
}

static void sysctls(const struct place *place)
{
	static const char *const safe[] = { "kernel.shm_rmid_forced",
		                            "net.ipv4.ip_local_port_range",
		                            "net.ipv4.ip_unprivileged_port_start",
		                            "net.ipv4.tcp_syncookies",
		                            "net.ipv4.ping_group_range",
		                            "net.ipv4.ip_local_reserved_ports",
		                            "net.ipv4.tcp_keepalive_time",
		                            "net.ipv4.tcp_fin_timeout",
		                            "net.ipv4.tcp_keepalive_intvl",
		                            "net.ipv4.tcp_keepalive_probes",
		                            "net.ipv4.tcp_rmem",
		                            "net.ipv4.tcp_wmem",
		                            NULL };
	const cJSON *item;

	cJSON_ArrayForEach (item, json_get(place->security, "sysctls")) {
		const char *name = json_string_at(item, "name");

		if (!place->container && !is_listed(name, safe))
			violates(place, "securityContext.sysctls has %s", name ? name : "one without a name");
	}
}

/* -------------------------------------------------------------------------------------- restricted */

/* A hostPath is told by the control of that name. A volume of no kind is an emptyDir. */
static void volume_types(const struct place *place)
{
	static const char *const allowed[] = { "name",     "configMap",   "csi",
		                               "emptyDir", "downwardAPI", "ephemeral",
		                               "secret",   "projected",   "persistentVolumeClaim",
		                               "hostPath", NULL };
	const cJSON *volume, *kind;

	if (place->container)
		return;
	cJSON_ArrayForEach (volume, json_at(place->pod, "spec.volumes")) {
		const char *name = json_string_at(volume, "name");

		cJSON_ArrayForEach (kind, volume)
			if (!cJSON_IsNull(kind) && !is_listed(kind->string, allowed))
				violates(place, "volume \"%s\" is of kind %s", name ? name : "", kind->string);
	}
}

static void privilege_escalation(const struct place *place)
{
	if (place->container && !place->windows && json_bool_at(place->security, "allowPrivilegeEscalation", true))
		violates(place, "securityContext.allowPrivilegeEscalation must be false");
}

static void non_root(const struct place *place)
{
	const cJSON *own = json_get(place->security, "runAsNonRoot");

	if (cJSON_IsBool(own) && !cJSON_IsTrue(own))
		violates(place, "securityContext.runAsNonRoot is false");
	else if (place->container && !cJSON_IsBool(own) && !cJSON_IsBool(json_get(pod_context(place), "runAsNonRoot")))
		violates(place, "securityContext.runAsNonRoot must be true, here or for the pod");
}

static void root_user(const struct place *place)
{
	if (json_int_at(place->security, "runAsUser", 1) == 0)
		violates(place, "securityContext.runAsUser is 0");
}

static void seccomp_needed(const struct place *place)
{
	if (place->container && !place->windows && !json_string_at(place->security, "seccompProfile.type") &&
	    !json_string_at(pod_context(place), "seccompProfile.type"))
		violates(
		    place,
		    "securityContext.seccompProfile.type must be RuntimeDefault or Localhost, here or for the pod");
}

static void capabilities_dropped(const struct place *place)
{
	const cJSON *item;
	bool drops_all = false;

	if (!place->container || place->windows)
		return;
	cJSON_ArrayForEach (item, json_at(place->security, "capabilities.drop"))
		drops_all |= str_equal(cJSON_GetStringValue(item), "ALL");
	if (!drops_all)
		violates(place, "securityContext.capabilities.drop must have ALL");
	/* The rest of what may not be added is told by baseline's control. */
	cJSON_ArrayForEach (item, json_at(place->security, "capabilities.add"))
		if (cJSON_IsString(item) && !str_equal(item->valuestring, "NET_BIND_SERVICE") &&
		    is_listed(item->valuestring, harmless_capabilities))
			violates(place, "securityContext.capabilities.add has %s", item->valuestring);
}

/* ----------------------------------------------------------------------------------------- the table */

static const struct control {
	enum pod_security_level level;
	void (*look)(const struct place *place);
} controls[] = {
	{ POD_SECURITY_BASELINE, host_process },     { POD_SECURITY_BASELINE, host_namespaces },
	{ POD_SECURITY_BASELINE, privileged },       { POD_SECURITY_BASELINE, capabilities },
	{ POD_SECURITY_BASELINE, host_paths },       { POD_SECURITY_BASELINE, host_ports },
	{ POD_SECURITY_BASELINE, host_probes },      { POD_SECURITY_BASELINE, app_armor },
	{ POD_SECURITY_BASELINE, se_linux },         { POD_SECURITY_BASELINE, proc_mount },
	{ POD_SECURITY_BASELINE, seccomp },          { POD_SECURITY_BASELINE, sysctls },
	{ POD_SECURITY_RESTRICTED, volume_types },   { POD_SECURITY_RESTRICTED, privilege_escalation },
	{ POD_SECURITY_RESTRICTED, non_root },       { POD_SECURITY_RESTRICTED, root_user },
	{ POD_SECURITY_RESTRICTED, seccomp_needed }, { POD_SECURITY_RESTRICTED, capabilities_dropped },
};

static void look(const struct place *place, enum pod_security_level level)
{
	for (size_t i = 0; i < ARRAY_SIZE(controls); i++)
		if (controls[i].level <= level)
			controls[i].look(place);
}

void pod_security_check(const cJSON *pod_template, enum pod_security_level level, struct strv *violations)
{
	static const char *const lists[] = { "initContainers", "containers", "ephemeralContainers" };
	const cJSON *spec = json_get(pod_template, "spec"), *container;
	struct place place = {
		.pod = pod_template,
		.security = json_get(spec, "securityContext"),
		.windows = str_equal(json_string_at(spec, "os.name"), "windows"),
		.violations = violations,
	};

	look(&place, level);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		cJSON_ArrayForEach (container, json_get(spec, lists[i])) {
			place.container = container;
			place.security = json_get(container, "securityContext");
			look(&place, level);
		}
}

/* ----------------------------------------------------------------------------------------- levels */

static const char *const level_names[] = { [POD_SECURITY_PRIVILEGED] = "privileged",
	                                   [POD_SECURITY_BASELINE] = "baseline",
	                                   [POD_SECURITY_RESTRICTED] = "restricted" };

const char *pod_security_level_name(enum pod_security_level level)
{
	return level_names[level];
}

int pod_security_level_find(const char *text, enum pod_security_level *ret_level)
{
	for (size_t i = 0; i < ARRAY_SIZE(level_names); i++)
		if (!text || str_equal(text, level_names[i])) {
			*ret_level = (enum pod_security_level)i;
			return 0;
		}
	return -1;
}
