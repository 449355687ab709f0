/* Nodes that take the servers, and too few of them: see preflight_scene.h. */
#include <criterion/criterion.h>

#include "preflight_scene.h"
#include "util/mem.h"

#define FINE     PREFLIGHT_FINE
#define NOTE     PREFLIGHT_NOTE
#define UNKNOWN  PREFLIGHT_UNKNOWN
#define PROBLEM  PREFLIGHT_PROBLEM
#define ONE_NODE "{'metadata':{'name':'a'},'spec':{}}"

#define NODE(name, spec)                                                                                               \
	"{'metadata':{'name':'" name "','labels':{'kubernetes.io/hostname':'" name "'}},'spec':{" spec "}}"
#define TAINT(key, effect) "'taints':[{'key':'" key "','value':'x','effect':'" effect "'}]"
#define APART(key)                                                                                                     \
	"{'spec':{'affinity':{'podAntiAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':[{'topologyKey':"    \
	"'" key "','labelSelector':{'matchExpressions':[{'key':'app.kubernetes.io/name','operator':'Exists'}]}}]}}}}"
#define SPREAD(more)                                                                                                   \
	"{'spec':{'topologySpreadConstraints':[{'topologyKey':'kubernetes.io/hostname','maxSkew':1," more              \
	"'labelSelector':{'matchLabels':{'app.kubernetes.io/name':'consul'}}}]}}"

Test(preflight_nodes, enough_and_too_few)
{
	static const struct {
		const char *label;
		struct preflight_case how;
		struct preflight_expected expected;
	} rows[] = {
		{ "one for each", { 0 }, { "nodes", FINE, "3 take the servers", NULL, NULL } },
		{ "one for all",
		  { .nodes = ONE_NODE },
		  { "nodes", NOTE, "all 3 servers go to the same node", "losing the quorum", NULL } },
		{ "two",
		  { .nodes = NODE("a", "") "," NODE("b", "") },
		  { "nodes", NOTE, "at least 2 of them share one", "losing the quorum", NULL } },
		{ "five on three",
		  { .set = "{'spec':{'replicas':5}}" },
		  { "nodes", NOTE, "5 servers go to 3 nodes", "losing several", NULL } },
		{ "one server",
		  { .set = "{'spec':{'replicas':1}}", .nodes = ONE_NODE },
		  { "nodes", FINE, "", NULL, NULL } },
		{ "unreadable", { .nodes = "403" }, { "nodes", UNKNOWN, "may not read nodes", NULL, NULL } },
		{ "none", { .nodes = "" }, { "nodes", PROBLEM, "none of the 0", "autoscaler", NULL } },
		{ "too many to look at",
		  { .nodes = ONE_NODE, .cut = true },
		  { "nodes", UNKNOWN, "too many", NULL, NULL } },
		{ "cordoned",
		  { .nodes = NODE("a", "'unschedulable':true") "," NODE("b", "") },
		  { "nodes", NOTE, "all 3 servers go to the same node", "", NULL } },
		{ "tainted",
		  { .nodes = NODE("a", TAINT("k", "NoSchedule")) "," NODE("b", TAINT("k", "NoExecute")) },
		  { "nodes", PROBLEM, "none of the 2", "taints", NULL } },
		{ "a taint that is only a wish",
		  { .nodes = NODE("a", TAINT("k", "PreferNoSchedule")) },
		  { "nodes", NOTE, "the same node", "", NULL } },
		{ "tolerated",
		  { .nodes = NODE("a", TAINT("k", "NoSchedule")),
		    .template = "{'spec':{'tolerations':[{'key':'k','value':'x','effect':'NoSchedule'}]}}" },
		  { "nodes", NOTE, "the same node", "", NULL } },
		{ "everything tolerated",
		  { .nodes = NODE("a", TAINT("k", "NoExecute")),
		    .template = "{'spec':{'tolerations':[{'operator':'Exists'}]}}" },
		  { "nodes", NOTE, "the same node", "", NULL } },
		{ "another value tolerated",
		  { .nodes = NODE("a", TAINT("k", "NoSchedule")),
		    .template = "{'spec':{'tolerations':[{'key':'k','value':'y'}]}}" },
		  { "nodes", PROBLEM, "none of the 1", "", NULL } },
		{ "another effect tolerated",
		  { .nodes = NODE("a", TAINT("k", "NoSchedule")),
		    .template = "{'spec':{'tolerations':[{'operator':'Exists','effect':'NoExecute'}]}}" },
		  { "nodes", PROBLEM, "none of the 1", "", NULL } },
		{ "selected by label",
		  { .template = "{'spec':{'nodeSelector':{'zone':'1'}}}" },
		  { "nodes", NOTE, "3 servers go to 2 nodes", "", NULL } },
		{ "selected by affinity",
		  { .template =
		        "{'spec':{'affinity':{'nodeAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':"
		        "{'nodeSelectorTerms':[{'matchExpressions':[{'key':'zone','operator':'Gt','values':['1']}]},"
		        "{'matchFields':[{'key':'metadata.name','operator':'In','values':['a']}]}]}}}}}" },
		  { "nodes", NOTE, "3 servers go to 2 nodes", "", NULL } },
		{ "apart, enough",
		  { .template = APART("kubernetes.io/hostname") },
		  { "nodes", FINE, "3 take the servers, one each", NULL, NULL } },
		{ "apart, too few",
		  { .template = APART("kubernetes.io/hostname"), .nodes = NODE("a", "") "," NODE("b", "") },
		  { "nodes", PROBLEM, "3 servers take as many places, and 2 nodes can have them", "preference",
		    NULL } },
		{ "zones apart, too few",
		  { .template = APART("zone") },
		  { "nodes", PROBLEM, "and 2 zone can have them", "", NULL } },
		{ "apart from others",
		  { .nodes = ONE_NODE,
		    .template =
		        "{'spec':{'affinity':{'podAntiAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':["
		        "{'topologyKey':'kubernetes.io/hostname','labelSelector':{'matchLabels':{'app':'db'}}}]}}}}" },
		  { "nodes", NOTE, "the same node", "", NULL } },
		{ "spread evenly on few is allowed",
		  { .template = SPREAD("'whenUnsatisfiable':'DoNotSchedule',"),
		    .nodes = NODE("a", "") "," NODE("b", "") },
		  { "nodes", NOTE, "3 servers go to 2 nodes", "", NULL } },
		{ "spread over at least three",
		  { .template = SPREAD("'whenUnsatisfiable':'DoNotSchedule','minDomains':3,"),
		    .nodes = NODE("a", "") "," NODE("b", "") },
		  { "nodes", PROBLEM, "minDomains: 3 servers take as many places, and 2 nodes", "", NULL } },
		{ "spread if it can be",
		  { .template = SPREAD("'whenUnsatisfiable':'ScheduleAnyway','minDomains':3,"), .nodes = ONE_NODE },
		  { "nodes", NOTE, "the same node", "", NULL } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		scene_expect(rows[i].label, &rows[i].how, &rows[i].expected);
}
