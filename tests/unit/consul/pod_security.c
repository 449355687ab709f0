/* Pod templates against the levels of the Pod Security Standards. Single quotes stand for double ones. */
#include <criterion/criterion.h>

#include "consul/manifest.h"
#include "consul/pod_security.h"
#include "util/json.h"
#include "util/mem.h"

static cJSON *parse(const char *text)
{
	_cleanup_free_ char *json = xstrdup(text);
	cJSON *parsed;

	for (char *at = json; *at; at++)
		*at = *at == '\'' ? '"' : *at;
	parsed = cJSON_Parse(json);
	cr_assert_not_null(parsed, "%s", text);
	return parsed;
}

static char *violations(const char *template, enum pod_security_level level)
{
	_cleanup_json_ cJSON *json = parse(template);
	_cleanup_strv_ struct strv list = STRV_INIT;

	pod_security_check(json, level, &list);
	return list.count > 0 ? strv_join(&list, "; ", "; ") : xstrdup("");
}

/* -------------------------------------------------------------------------------------- one control each
 * Each template is otherwise one that fits restricted.
 */
#define CONTAINER_SECURITY "'allowPrivilegeEscalation':false,'capabilities':{'drop':['ALL']}"
#define POD_SECURITY       "'runAsNonRoot':true,'seccompProfile':{'type':'RuntimeDefault'}"

/* A pod with more in its spec, its securityContext, its container, the container's securityContext. */
#define POD(spec, pod_security, container, security)                                                                   \
	"{'spec':{" spec "'securityContext':{" pod_security POD_SECURITY "},'containers':[{'name':'c'," container      \
	"'securityContext':{" security CONTAINER_SECURITY "}}]}}"

#define SAME "="

struct row {
	const char *template;
	const char *baseline;   /* "": it fits */
	const char *restricted; /* SAME as baseline */
};

static const struct row rows[] = {
	{ POD("", "", "", ""), "", "" },
	{ "{'spec':{'containers':[]}}", "", "" },

	/* baseline */
	{ POD("'hostNetwork':true,", "", "", ""), "the pod: hostNetwork is true", SAME },
	{ POD("'hostPID':true,'hostIPC':true,", "", "", ""), "the pod: hostPID is true; the pod: hostIPC is true",
	  SAME },
	{ POD("'hostNetwork':false,", "", "", ""), "", "" },
	{ POD("", "'windowsOptions':{'hostProcess':true},", "", ""),
	  "the pod: securityContext.windowsOptions.hostProcess is true", SAME },
	{ POD("", "", "", "'windowsOptions':{'hostProcess':true},"),
	  "container \"c\": securityContext.windowsOptions.hostProcess is true", SAME },
	{ POD("", "", "", "'privileged':true,"), "container \"c\": securityContext.privileged is true", SAME },
	{ POD("", "", "", "'privileged':false,"), "", "" },
	{ POD("'volumes':[{'name':'v','hostPath':{'path':'/'}}],", "", "", ""), "the pod: volume \"v\" is a hostPath",
	  SAME },
	{ POD("", "", "'ports':[{'containerPort':1,'hostPort':8500}],", ""),
	  "container \"c\": hostPort 8500 is asked for", SAME },
	{ POD("", "", "'ports':[{'containerPort':1,'hostPort':0}],", ""), "", "" },
	{ POD("", "", "'livenessProbe':{'httpGet':{'host':'1.2.3.4'}},", ""),
	  "container \"c\": livenessProbe.httpGet.host names a host", SAME },
	{ POD("", "", "'readinessProbe':{'tcpSocket':{'host':'x'}},", ""),
	  "container \"c\": readinessProbe.tcpSocket.host names a host", SAME },
	{ POD("", "", "'startupProbe':{'httpGet':{'host':'x'}},'lifecycle':{'preStop':{'httpGet':{'host':'x'}}},", ""),
	  "container \"c\": startupProbe.httpGet.host names a host; "
	  "container \"c\": lifecycle.preStop.httpGet.host names a host",
	  SAME },
	{ POD("", "", "'readinessProbe':{'httpGet':{'host':'','port':1}},", ""), "", "" },
	{ POD("", "'appArmorProfile':{'type':'Unconfined'},", "", ""),
	  "the pod: securityContext.appArmorProfile.type is Unconfined", SAME },
	{ POD("", "", "", "'appArmorProfile':{'type':'Localhost','localhostProfile':'x'},"), "", "" },
	{ POD("", "'seLinuxOptions':{'type':'container_t'},", "", ""), "", "" },
	{ POD("", "'seLinuxOptions':{'type':'spc_t'},", "", ""),
	  "the pod: securityContext.seLinuxOptions.type is spc_t", SAME },
	{ POD("", "", "", "'seLinuxOptions':{'user':'u','role':'r','level':'s0'},"),
	  "container \"c\": securityContext.seLinuxOptions.user is set; "
	  "container \"c\": securityContext.seLinuxOptions.role is set",
	  SAME },
	{ POD("", "", "", "'procMount':'Default',"), "", "" },
	{ POD("", "", "", "'procMount':'Unmasked',"), "container \"c\": securityContext.procMount is Unmasked", SAME },
	{ POD("", "", "", "'seccompProfile':{'type':'Unconfined'},"),
	  "container \"c\": securityContext.seccompProfile.type is Unconfined", SAME },
	{ POD("", "", "", "'seccompProfile':{'type':'Localhost','localhostProfile':'x'},"), "", "" },
	{ POD("", "'sysctls':[{'name':'net.ipv4.tcp_rmem','value':'1'}],", "", ""), "", "" },
	{ POD("", "'sysctls':[{'name':'kernel.msgmax','value':'1'}],", "", ""),
	  "the pod: securityContext.sysctls has kernel.msgmax", SAME },
	{ "{'metadata':{'annotations':{'container.apparmor.security.beta.kubernetes.io/c':'unconfined'}},'spec':{}}",
	  "the pod: annotation container.apparmor.security.beta.kubernetes.io/c is unconfined", SAME },
	{ "{'metadata':{'annotations':{'container.apparmor.security.beta.kubernetes.io/c':'localhost/x',"
	  "'container.apparmor.security.beta.kubernetes.io/d':'runtime/default','other':'unconfined'}},'spec':{}}",
	  "", "" },

	/* restricted */
	{ POD("'volumes':[{'name':'a','configMap':{}},{'name':'b','csi':{}},{'name':'c','downwardAPI':{}},"
	      "{'name':'d','emptyDir':{}},{'name':'e','ephemeral':{}},{'name':'f','persistentVolumeClaim':{}},"
	      "{'name':'g','projected':{}},{'name':'h','secret':{}},{'name':'i'}],",
	      "", "", ""),
	  "", "" },
	{ POD("'volumes':[{'name':'v','nfs':{}},{'name':'w','gitRepo':{}}],", "", "", ""), "",
	  "the pod: volume \"v\" is of kind nfs; the pod: volume \"w\" is of kind gitRepo" },
	{ POD("", "'runAsUser':0,", "", ""), "", "the pod: securityContext.runAsUser is 0" },
	{ POD("", "", "", "'runAsUser':0,"), "", "container \"c\": securityContext.runAsUser is 0" },
	{ POD("", "", "", "'runAsUser':1,"), "", "" },
	{ POD("", "", "", "'runAsNonRoot':false,"), "", "container \"c\": securityContext.runAsNonRoot is false" },
};

static void expect(const struct row *row, enum pod_security_level level, const char *expected)
{
	_cleanup_free_ char *got = violations(row->template, level);

	cr_expect_str_eq(got, expected, "%s of %s: \"%s\"", pod_security_level_name(level), row->template, got);
}

Test(pod_security, one_control_at_a_time)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];

		expect(row, POD_SECURITY_PRIVILEGED, "");
		expect(row, POD_SECURITY_BASELINE, row->baseline);
		expect(row, POD_SECURITY_RESTRICTED,
		       str_equal(row->restricted, SAME) ? row->baseline : row->restricted);
	}
}

Test(pod_security, the_pod_that_says_nothing_fits_baseline_and_lacks_four_things_for_restricted)
{
	static const char pod[] = "{'spec':{'containers':[{'name':'c'}]}}";
	_cleanup_free_ char *baseline = violations(pod, POD_SECURITY_BASELINE);
	_cleanup_free_ char *restricted = violations(pod, POD_SECURITY_RESTRICTED);

	cr_assert_str_eq(baseline, "");
	cr_assert_str_eq(
	    restricted,
	    "container \"c\": securityContext.allowPrivilegeEscalation must be false; "
	    "container \"c\": securityContext.runAsNonRoot must be true, here or for the pod; "
	    "container \"c\": securityContext.seccompProfile.type must be RuntimeDefault or Localhost, here or "
	    "for the pod; "
	    "container \"c\": securityContext.capabilities.drop must have ALL");
}

Test(pod_security, capabilities)
{
	static const struct {
		const char *capabilities, *baseline, *restricted;
	} cases[] = {
		{ "{'drop':['ALL'],'add':['NET_BIND_SERVICE']}", "", "" },
		{ "{'drop':['ALL'],'add':['CHOWN']}", "", "add has CHOWN" },
		{ "{'drop':['ALL'],'add':['SYS_ADMIN']}", "add has SYS_ADMIN", "add has SYS_ADMIN" },
		{ "{'drop':['ALL'],'add':['ALL']}", "add has ALL", "add has ALL" },
		{ "{'drop':['NET_RAW']}", "", "drop must have ALL" },
		{ "{'drop':['ALL'],'add':['NET_ADMIN','SYS_CHROOT']}", "add has NET_ADMIN", "add has SYS_CHROOT" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *pod = xasprintf("{'spec':{'securityContext':{" POD_SECURITY
		                                     "},'containers':[{'name':'c','securityContext':"
		                                     "{'allowPrivilegeEscalation':false,'capabilities':%s}}]}}",
		                                     cases[i].capabilities);
		_cleanup_free_ char *baseline = violations(pod, POD_SECURITY_BASELINE);
		_cleanup_free_ char *restricted = violations(pod, POD_SECURITY_RESTRICTED);

		cr_expect_eq(*baseline == '\0', *cases[i].baseline == '\0', "%s: %s", cases[i].capabilities, baseline);
		cr_expect(strstr(baseline, cases[i].baseline), "%s: %s", cases[i].capabilities, baseline);
		cr_expect_eq(*restricted == '\0', *cases[i].restricted == '\0', "%s: %s", cases[i].capabilities,
		             restricted);
		cr_expect(strstr(restricted, cases[i].restricted), "%s: %s", cases[i].capabilities, restricted);
	}
}

Test(pod_security, all_kinds_of_containers_are_looked_at)
{
	_cleanup_free_ char *text =
	    violations("{'spec':{'initContainers':[{'name':'a','securityContext':{'privileged':true}}],"
	               "'containers':[{'name':'b','securityContext':{'privileged':true}}],"
	               "'ephemeralContainers':[{'name':'c','securityContext':{'privileged':true}}]}}",
	               POD_SECURITY_BASELINE);

	cr_assert_str_eq(text, "container \"a\": securityContext.privileged is true; "
	                       "container \"b\": securityContext.privileged is true; "
	                       "container \"c\": securityContext.privileged is true");
}

Test(pod_security, containers_may_say_what_the_pod_does_not)
{
	_cleanup_free_ char *own = violations("{'spec':{'containers':[{'name':'c','securityContext':{" POD_SECURITY
	                                      "," CONTAINER_SECURITY "}}]}}",
	                                      POD_SECURITY_RESTRICTED);
	_cleanup_free_ char *against =
	    violations("{'spec':{'securityContext':{'runAsNonRoot':false},'containers':[{'name':'c','securityContext':"
	               "{" POD_SECURITY "," CONTAINER_SECURITY "}}]}}",
	               POD_SECURITY_RESTRICTED);

	cr_assert_str_eq(own, "");
	cr_assert_str_eq(against, "the pod: securityContext.runAsNonRoot is false");
}

Test(pod_security, windows_has_no_capabilities_to_drop)
{
	_cleanup_free_ char *text = violations(
	    "{'spec':{'os':{'name':'windows'},'securityContext':{'runAsNonRoot':true},'containers':[{'name':'c'}]}}",
	    POD_SECURITY_RESTRICTED);

	cr_assert_str_eq(text, "");
}

Test(pod_security, what_deploy_renders_fits_restricted)
{
	struct manifest_settings settings = {
		.namespace_name = "ns",
		.name = "consul",
		.image = MANIFEST_IMAGE,
		.datacenter = MANIFEST_DATACENTER,
		.storage_size = MANIFEST_STORAGE_SIZE,
		.secrets.gossip_key = "a2V5",
		.replicas = 3,
		.bootstrap_expect = 3,
	};
	_cleanup_json_ cJSON *objects = manifest_render(&settings);
	const cJSON *object;
	size_t templates = 0;

	cJSON_ArrayForEach (object, objects) {
		const cJSON *template = json_at(object, "spec.template");
		_cleanup_strv_ struct strv list = STRV_INIT;

		templates += template != NULL;
		pod_security_check(template, POD_SECURITY_RESTRICTED, &list);
		cr_expect_eq(list.count, 0, "%s", list.count ? list.items[0] : "");
	}
	cr_assert_eq(templates, 1);
}

Test(pod_security, levels_have_names)
{
	enum pod_security_level level;

	cr_assert_eq(pod_security_level_find("restricted", &level), 0);
	cr_assert_eq(level, POD_SECURITY_RESTRICTED);
	cr_assert_eq(pod_security_level_find("baseline", &level), 0);
	cr_assert_eq(level, POD_SECURITY_BASELINE);
	cr_assert_eq(pod_security_level_find(NULL, &level), 0);
	cr_assert_eq(level, POD_SECURITY_PRIVILEGED);
	cr_assert_eq(pod_security_level_find("Restricted", &level), -1);
}
