/* The kinds of findings, see include/consul/finding.h: 1xx pods, 2xx asking, 3xx gossip, 4xx raft, 5xx the set-up. */
#include "consul/finding.h"

const struct finding_kind finding_kinds[] = {
	/* ------------------------------------------------------------------------------ 1xx: pods */
	{ "CON101", "pod-missing", SEVERITY_DEGRADED, "A server's pod does not exist",
	  "The StatefulSet wants this server, but Kubernetes has no pod for it. Right after a deletion or an "
	  "eviction that is normal for a few seconds. If it stays so, the controller is being refused: a "
	  "ResourceQuota, an admission webhook, Pod Security or a missing ServiceAccount. The events of the "
	  "StatefulSet say which.\n\n"
	  "The server is still a voter of raft meanwhile, so the cluster can lose fewer others. Its data is on its "
	  "claim and nothing has to be restored: as soon as the pod is back it catches up by itself." },
	{ "CON102", "pods-waiting", SEVERITY_DEGRADED, "Servers wait for a pod before them",
	  "The StatefulSet has podManagementPolicy OrderedReady: a pod is made only when all pods of lower ordinals "
	  "are ready. One of those is not, so the servers behind it have no pod. Repair the first one; the others "
	  "follow by themselves.\n\n"
	  "In a new cluster this can be a deadlock: if readiness needs a leader, the first pod is never ready, and "
	  "the others, which are needed to elect one, are never made. podManagementPolicy Parallel (what `kubectl "
	  "consul deploy` writes) does not have it. The field cannot be changed in place: delete the StatefulSet "
	  "with --cascade=orphan and create it anew." },
	{ "CON103", "pod-unschedulable", SEVERITY_DEGRADED, "A server's pod finds no node",
	  "The scheduler finds no node that may run this pod. Usual reasons: too little free CPU or memory; "
	  "required anti-affinity and fewer nodes than servers; a taint that the pod does not tolerate; a volume "
	  "that exists only in a zone, or on a node, that is gone or cordoned.\n\n"
	  "A volume that is bound to a node which will never come back keeps the server from starting anywhere "
	  "else. If the other servers are a healthy quorum, its claim can be deleted together with the pod: the "
	  "server then starts empty, under a new identity, and copies everything from the leader." },
	{ "CON104", "pod-image", SEVERITY_DEGRADED, "A server's image cannot be pulled",
	  "The node cannot get the container image: the name or tag is wrong, the registry wants credentials "
	  "(imagePullSecrets), or it cannot be reached. The official image `consul` ended with 1.15; newer versions "
	  "are `hashicorp/consul`.\n\n"
	  "If this came with an upgrade, the servers that still run the old image are not touched before this one "
	  "is ready. Put a right image into the StatefulSet; a pod that hangs in ImagePullBackOff may have to be "
	  "deleted once." },
	{ "CON105", "pod-not-starting", SEVERITY_DEGRADED, "A server's container is not started",
	  "The pod has a node, but its container does not run yet. ContainerCreating for some seconds is normal; "
	  "for longer it mostly is a volume that cannot be attached (it may still be attached to another node) or a "
	  "network plugin that gives no address. CreateContainerConfigError means that a Secret or ConfigMap it "
	  "needs does not exist or lacks a key." },
	{ "CON106", "pod-ended", SEVERITY_DEGRADED, "A server's pod has ended",
	  "The pod is in phase Failed or Succeeded: it was evicted (the node ran out of memory or disk), or "
	  "rejected by the kubelet. The StatefulSet controller replaces such a pod; if it does not, deleting the "
	  "pod makes room for the new one. Its claim and the data on it stay." },
	{ "CON107", "pod-crashing", SEVERITY_DEGRADED, "A server's container ends again and again",
	  "Consul starts and ends at once, or was ended from outside; Kubernetes waits longer before each new "
	  "start. The log of the previous run has the reason in its last lines. Often met: an error in the "
	  "configuration; a data directory that the process may not write; a gossip key that does not fit; too "
	  "little memory (OOMKilled, exit code 137); a volume that is full; and from Consul 1.15 "
	  "`server_rejoin_age_max`: a server that was away for more than a week refuses to start with its old data.\n\n"
	  "In the last case, and if the other servers are a healthy quorum, delete its claim and its pod: it starts "
	  "empty and copies everything from the leader." },
	{ "CON108", "pod-terminating", SEVERITY_DEGRADED, "A server's pod is being deleted",
	  "Someone deletes this pod: a rollout, a drain of its node, or a person. It comes back by itself, on the "
	  "same claim. If it stays in this state much longer than its grace period, its node is probably gone and "
	  "Kubernetes cannot know whether the process still runs.\n\n"
	  "Do not force the deletion unless you are sure that the node is off: two processes with one identity "
	  "damage raft." },
	{ "CON109", "pod-not-ready", SEVERITY_DEGRADED, "A server's pod is not ready",
	  "Consul answers, but the pod's readiness probe fails, so Services do not send anybody there, and a "
	  "rollout or drain waits. Nothing else found here explains it. Look at the probe's own words in the pod's "
	  "events: it may need a token that it does not have (ACLs), a command that is not in the image, or another "
	  "port or scheme than the agent listens on. A second container of the pod that is not ready has the same "
	  "effect." },
	{ "CON110", "pod-restarted", SEVERITY_WARNING, "A server's container was restarted lately",
	  "The server runs, but its container ended a short while ago and was started again. Once is an incident; "
	  "several times is a problem in the making, since each restart costs the cluster its redundancy for some "
	  "ten seconds. Exit code 137 is a kill from outside: the memory limit (OOMKilled) or a liveness probe. A "
	  "liveness probe that needs a leader is dangerous: it restarts every server at once when quorum is lost." },
	{ "CON111", "pod-going", SEVERITY_INFO, "A server is being scaled away",
	  "This pod's ordinal is not wanted any more: the StatefulSet was scaled down and the pod is on its way "
	  "out. When it is gone the server should be `left` and no raft peer. If it is not, `kubectl consul health` "
	  "says so, and how to clear up." },

	/* ---------------------------------------------------------------------------- 2xx: asking */
	{ "CON201", "agent-silent", SEVERITY_DEGRADED, "A server does not answer",
	  "The pod runs, but its Consul agent could not be asked, so nothing is known of it. Unknown is not fine: "
	  "the server counts as dead in the arithmetic. `connection refused`: the agent does not listen there "
	  "(yet), or on another port than CONSUL_HTTP_ADDR or the container's ports tell. A time-out: the process "
	  "hangs, its disk is stuck, or the node is lost and Kubernetes has not noticed. Asking the other way "
	  "(--via exec or --via tunnel) often tells which." },
	{ "CON202", "exec-denied", SEVERITY_DEGRADED, "You may not exec into the pods",
	  "Kubernetes' RBAC refuses you pods/exec, so the servers could not be asked that way. The least rights "
	  "that `kubectl consul health` needs in the namespace: get and list on statefulsets (apps), list on pods, "
	  "persistentvolumeclaims and poddisruptionbudgets (policy), and get on either pods/portforward or "
	  "pods/exec (from Kubernetes 1.35 create, too).\n\n"
	  "    kubectl create role consul-health -n NAMESPACE --verb=get,create "
	  "--resource=pods/portforward,pods/exec\n\n"
	  "    kubectl create rolebinding consul-health -n NAMESPACE --role=consul-health --user=USER" },
	{ "CON203", "portforward-denied", SEVERITY_DEGRADED, "You may not forward ports to the pods",
	  "Kubernetes' RBAC refuses you pods/portforward, and the servers could not be asked by exec either. One of "
	  "both is needed. Port forwarding is the better one to have: it starts no process in the container and is "
	  "many times faster.\n\n"
	  "    kubectl create role consul-health -n NAMESPACE --verb=get,create --resource=pods/portforward\n\n"
	  "    kubectl create rolebinding consul-health -n NAMESPACE --role=consul-health --user=USER" },
	{ "CON204", "acl-denied", SEVERITY_DEGRADED, "Consul's ACLs refuse every question",
	  "The agent answers, but only with `Permission denied` or an empty list: ACLs are on, and there was no token, "
	  "or "
	  "one without the rights. What health needs is members, the server on itself, and the raft configuration, in "
	  "this "
	  "order; nothing is changed, so no write right is needed:\n\n"
	  "    node_prefix \"\" { policy = \"read\" }\n"
	  "    agent_prefix \"\" { policy = \"read\" }\n"
	  "    operator = \"read\"\n\n"
	  "A token is given by --token-file FILE, or by CONSUL_HTTP_TOKEN or CONSUL_HTTP_TOKEN_FILE in the "
	  "environment. In "
	  "a cluster whose ACLs `kubectl consul deploy` has set up, that of the Secret NAME-acl-bootstrap is used "
	  "otherwise, which may everything; who shall be able to use it needs get on that one Secret:\n\n"
	  "    kubectl create role consul-token -n NAMESPACE --verb=get --resource=secrets "
	  "--resource-name=NAME-acl-bootstrap\n\n"
	  "    kubectl create rolebinding consul-token -n NAMESPACE --role=consul-token --user=USER\n\n"
	  "Without any of these, asking by exec (--via exec; auto falls back to it) takes what the container's own "
	  "environment has as CONSUL_HTTP_TOKEN.\n\n"
	  "`ACL not found` means that the token itself is unknown: deleted, or of another cluster. If it is the "
	  "Secret's, "
	  "ACLs are not set up to the end, or were reset: `kubectl consul deploy` goes on with it.\n\n"
	  "A server that has no leader since it started knows no token at all, since it has them from the others: then "
	  "the lack of a leader is what has to be mended (CON401, CON402). Servers that deploy has set up know a "
	  "recovery token without one, which the same Secret has and which is used by itself. Those of an earlier "
	  "version get it by `kubectl consul deploy`, and have it from their next start." },
	{ "CON205", "acl-limited", SEVERITY_WARNING, "Consul's ACLs refuse some questions",
	  "The token may ask one thing and not the other, so parts of this report are missing or come from a "
	  "second-best source. The finding names the rules that are missing, of these:\n\n"
	  "    node_prefix \"\" { policy = \"read\" }\n"
	  "    agent_prefix \"\" { policy = \"read\" }\n"
	  "    operator = \"read\"\n\n"
	  "Add them to a policy of the token, or give another token: `kubectl consul explain acl-denied`." },
	{ "CON206", "tls-mismatch", SEVERITY_DEGRADED, "HTTP and HTTPS, or certificates, do not fit",
	  "The connection to the agent came about, but one side speaks TLS and the other does not, or the "
	  "certificate is not trusted. Which port and scheme an agent has is taken from CONSUL_HTTP_ADDR, "
	  "CONSUL_HTTP_SSL and the ports of its container. Asking by exec uses whatever the container's own "
	  "environment has, and works where `consul members` typed in the container works." },
	{ "CON207", "answer-incomplete", SEVERITY_WARNING, "A server answered in part",
	  "One question was answered and another was not, or its answer could not be read. What is missing is shown "
	  "as unknown. With an older Consul that has no such endpoint or command this is permanent; otherwise ask "
	  "again." },
	{ "CON208", "raft-from-self", SEVERITY_INFO, "The raft peers come from the servers themselves",
	  "The raft endpoint did not answer, so the peers shown are those each server has in its own log "
	  "(latest_configuration in `consul info`). That is the same set as long as a leader and the servers are in "
	  "contact, but without node names." },
	{ "CON209", "not-checked", SEVERITY_INFO, "Something could not be looked at",
	  "Kubernetes did not let us list these objects, so what depends on them was not checked. Everything else "
	  "in the report stands. For the complete report, list on persistentvolumeclaims and poddisruptionbudgets "
	  "(policy) is needed." },

	/* ---------------------------------------------------------------------------- 3xx: gossip */
	{ "CON301", "member-failed", SEVERITY_DEGRADED, "A server that answers is failed for the others",
	  "The server answers when it is asked, but the other servers cannot reach it by gossip and have it as "
	  "failed. That is a network between the pods which drops traffic: a NetworkPolicy, a firewall between "
	  "nodes, or a CNI that lost UDP. Gossip needs port 8301 in both directions, TCP and UDP; raft needs 8300 "
	  "TCP. Autopilot removes a failed server from raft after a while, although it lives." },
	{ "CON302", "member-left", SEVERITY_DEGRADED, "A server that runs has left the cluster",
	  "The others have this server as `left`, although its pod runs. It said goodbye: somebody ran `consul "
	  "leave` in it, or it is just being restarted with leave_on_terminate. A container that starts again joins "
	  "again by retry_join, as a non-voter for some ten seconds. If it stays `left`, its retry_join does not "
	  "reach the others, or it is missing. Or it never said goodbye, and the others believe so all the same: that "
	  "happens where a server was lost and made anew at the same time as autopilot, or somebody, made the lost one "
	  "leave. It is no voter until it joins once more: `kubectl consul scale` with the number of servers that "
	  "there is does that." },
	{ "CON303", "member-missing", SEVERITY_DEGRADED, "A server is not a member of the cluster",
	  "The server runs and answers, but the cluster does not know it: it has not joined. Its log says why: "
	  "retry_join names nothing that resolves (the headless Service needs publishNotReadyAddresses: true), "
	  "another gossip key, another datacenter name, or TLS that the others refuse. retry_join ends with its first "
	  "success: a server that joined its own address, or one that ended right after, looks for nobody any more. "
	  "Then `consul join ADDRESS` in it helps, or to delete its pod. A server that finds nobody "
	  "and has `bootstrap` or bootstrap_expect=1 forms a cluster of its own: that must be stopped before it "
	  "takes writes." },
	{ "CON304", "views-disagree", SEVERITY_DEGRADED, "The servers disagree about the members",
	  "Each server was asked for its member list, and the lists differ. For some seconds after a change this is "
	  "normal, since gossip needs time. If it stays, a part of the network is cut: some pairs of pods reach "
	  "each other and others do not (port 8301, TCP and UDP). `kubectl consul health --members` shows who sees "
	  "whom." },
	{ "CON305", "leftover-failed", SEVERITY_DEGRADED, "Failed servers that nobody will start again",
	  "These servers are in the member list as failed, and no pod is theirs or will be: they are left over from "
	  "a scale-down, or from pods under another name. If they are raft voters still, they count as dead ones in "
	  "the quorum, so that fewer of the living may fail. Consul itself forgets failed members only after 72 "
	  "hours.\n\n"
	  "`kubectl consul reap` makes the others take them for left (force-leave), and removes from raft what is "
	  "left of them there, one at a time; `--dry-run` shows it first. Servers whose names are none of this "
	  "StatefulSet's are removed only when they are named: be sure that such a server does not run anywhere. With "
	  "ACLs it takes a token with operator:write." },
	{ "CON306", "leftover-left", SEVERITY_INFO, "Servers that left are still listed",
	  "These servers left the cluster in good order, mostly by a scale-down. They do not count in the quorum "
	  "and do no harm; Consul forgets them after 72 hours." },
	{ "CON307", "member-elsewhere", SEVERITY_WARNING, "A living server is none of these pods",
	  "The cluster has a server that is alive, but that is none of this StatefulSet's pods: on a virtual "
	  "machine, in another namespace, or in a second StatefulSet. It cannot be asked from here and therefore "
	  "counts as dead in the arithmetic if it is a voter. If nobody knows about it, find out before anything is "
	  "scaled: its address is in the message." },

	/* ------------------------------------------------------------------------------ 4xx: raft */
	{ "CON401", "quorum-lost", SEVERITY_CRITICAL, "Too few voters live: no quorum",
	  "More than half of the voters must live; fewer do (a server that could not be asked counts as dead). "
	  "Without a quorum nothing can be written, no leader can be elected, and no server can be added or "
	  "removed. Reads work only where staleness is allowed. Nothing is lost as long as the servers' volumes "
	  "exist.\n\n"
	  "First bring the servers back that can come back: with the same claims the cluster heals by itself as "
	  "soon as a majority runs, even with new addresses. Servers that were scaled away have their data on their "
	  "claims: scale back with `kubectl scale`. Do not delete claims meanwhile.\n\n"
	  "Only if the majority is gone for good, the cluster is rebuilt from the servers that still have their "
	  "data. What only the lost ones had is lost. This looks only, and says whose data would become the truth, "
	  "or why to wait is right:\n\n"
	  "    kubectl consul recover -n NAMESPACE\n\n"
	  "With --yes it keeps a copy if --save DIR is given, tells each server that has data who is left "
	  "(raft/peers.json), restarts their processes, and waits for a leader. Servers that run without data join by "
	  "themselves.\n\n"
	  "It needs a shell in the containers, and pods/exec. Where it cannot run, the same by hand, for Consul 1.0 "
	  "and "
	  "newer (raft protocol 3); POD is each server that has data in /consul/data, and none that started "
	  "empty:\n\n"
	  "1. A copy of POD's data, and its entry, the id and address that raft is to know it by:\n\n"
	  "    kubectl exec POD -n NAMESPACE -c CONTAINER -- tar cf - /consul/data > POD.tar\n\n"
	  "    kubectl exec POD -n NAMESPACE -c CONTAINER -- sh -c 'echo "
	  "\"{\\\"id\\\":\\\"$(cat /consul/data/node-id)\\\",\\\"address\\\":\\\"$(hostname -i):8300\\\","
	  "\\\"non_voter\\\":false}\"'\n\n"
	  "2. All entries as a list, [{...},{...}], in a file peers.json; the same file into each of them:\n\n"
	  "    kubectl exec -i POD -n NAMESPACE -c CONTAINER -- sh -c 'cat > /consul/data/raft/peers.json' < "
	  "peers.json\n\n"
	  "3. Right after one another, the process of each (not the pod: that would come back with another "
	  "address), which reads the file as it starts, and removes it:\n\n"
	  "    kubectl exec POD -n NAMESPACE -c CONTAINER -- kill -QUIT 1" },
	{ "CON402", "no-leader", SEVERITY_CRITICAL, "The cluster has no leader",
	  "Enough voters live, but they have no leader. An election takes a few seconds (with raft_multiplier 5, "
	  "the default, up to about fifteen); look again. If it stays: the servers do not reach each other's port "
	  "8300; their peer sets hold old addresses of each other; or the cluster is new and waits for as many "
	  "servers as bootstrap_expect says. Servers without data must all have the same bootstrap_expect.\n\n"
	  "Servers that started before their names resolved may have found nobody but themselves, and look no "
	  "further: with `consul join` in each of them they find each other. `kubectl consul recover` is not for "
	  "this: where enough voters live it refuses, and names what it sees." },
	{ "CON403", "leaders-disagree", SEVERITY_CRITICAL, "The servers name different leaders",
	  "Not all servers follow the same leader. While a leadership moves this lasts a second or two. If it "
	  "stays, there are two clusters (a server that lost its data and bootstrapped alone), or a part of the "
	  "network is cut off.\n\n"
	  "Change nothing before you know which: what is written to the smaller part will be lost. If the peer sets "
	  "have nothing in common, these are two clusters: stop the one with fewer servers or older data, delete "
	  "its claims, and let its servers join the other one. `kubectl consul recover` refuses here, since only a "
	  "person can say whose data is the right one." },
	{ "CON404", "peers-disagree", SEVERITY_DEGRADED, "The servers disagree about the raft peers",
	  "The set of raft peers is not the same on every server. A server that lags behind has an older one, and "
	  "catches up. If it stays, that server gets nothing from the leader any more (port 8300, TCP), or it "
	  "belongs to another cluster." },
	{ "CON405", "raft-unknown", SEVERITY_DEGRADED, "Nobody could tell the raft peers",
	  "No server could say who votes, so there is no quorum arithmetic. The token may lack operator:read, or "
	  "this Consul is older than 0.7 and has no such command. Do not scale or restart on this basis." },
	{ "CON406", "dead-peer", SEVERITY_DEGRADED, "A raft peer belongs to no server",
	  "The peer set holds an entry that is none of the servers. A voter that nobody is counts as dead in the "
	  "quorum, so that fewer of the living may fail. Often it is a former address of a server whose pod was "
	  "made anew: the leader replaces such an entry by itself (raft protocol 3). If it stays, `kubectl consul "
	  "reap` removes it; with ACLs it takes a token with operator:write. While a server is missing, an entry that "
	  "nobody knows may be its: then it is removed only when its id is named." },
	{ "CON407", "not-in-raft", SEVERITY_DEGRADED, "A server is no raft peer",
	  "The server is alive for gossip, but raft does not have it: it stores nothing and does not vote. The "
	  "leader adds every alive server within about a minute. It does not if the server has another datacenter, "
	  "an incompatible raft protocol, or an identity that raft knows under another address; the leader's log "
	  "says so." },
	{ "CON408", "not-voter", SEVERITY_DEGRADED, "A server does not vote yet",
	  "The server copies the data but does not vote: autopilot makes it a voter after server_stabilization_time "
	  "(10 seconds) without interruption. If it lasts much longer, the server is not stable in autopilot's "
	  "eyes: it lags, or it loses contact to the leader again and again. With Consul Enterprise it may also be "
	  "meant as a read replica." },
	{ "CON409", "no-leader-known", SEVERITY_DEGRADED, "A server knows no leader",
	  "The cluster has a leader, but this server does not hear it, so requests to this server fail. It was "
	  "started a moment ago, or the leader does not reach its port 8300. A server that was cut off asks for "
	  "elections when it returns, which can cost the cluster its leader for a moment." },
	{ "CON410", "lag", SEVERITY_WARNING, "A server lags behind the leader",
	  "Its log is more entries behind the leader's than autopilot tolerates by default (max_trailing_logs, "
	  "250), or it has not heard the leader for a while. After a restart this is normal while it catches up. "
	  "Otherwise its disk or CPU is too slow, or throttled by its limits. It must not be counted on in a "
	  "failover, and the next restart of another server should wait for it." },
	{ "CON411", "redundancy-lost", SEVERITY_DEGRADED, "No further failure can be survived",
	  "There is a quorum, but not one living voter more: the next failure stops the cluster. With three servers "
	  "or more that is not how it should be." },
	{ "CON412", "even-voters", SEVERITY_WARNING, "The number of voters is even",
	  "An even number of voters survives no more failures than one fewer: four tolerate one, like three, but "
	  "need three to agree instead of two, and have one more server that can fail. Use three, five or seven." },

	/* ------------------------------------------------------------------------ 5xx: the set-up */
	{ "CON501", "few-replicas", SEVERITY_WARNING, "Fewer than three servers",
	  "One server or two survive no failure at all: with two, both are needed. A restart of a pod, and so every "
	  "upgrade or drain, stops the cluster for its duration. That is fine for a trial; use three for everything "
	  "else." },
	{ "CON502", "version-skew", SEVERITY_WARNING, "The servers run different versions",
	  "During an upgrade this is normal. Otherwise finish it: the servers only use what all of them understand, "
	  "and Consul supports different versions for the time of an upgrade only. With updateStrategy OnDelete, or "
	  "a partition, pods keep their old version until they are deleted." },
	{ "CON503", "node-spread", SEVERITY_WARNING, "One node holds too many servers",
	  "If that node fails, or is drained without a PodDisruptionBudget, the cluster loses its quorum at once. "
	  "Spread the servers by pod anti-affinity or topologySpreadConstraints on kubernetes.io/hostname, and over "
	  "zones if there are some. On a cluster with one node this cannot be helped." },
	{ "CON504", "budget-missing", SEVERITY_WARNING, "No PodDisruptionBudget",
	  "Nothing keeps `kubectl drain`, a node upgrade or the cluster autoscaler from evicting several servers at "
	  "the same time. A PodDisruptionBudget with maxUnavailable 1 makes them wait until the last one is ready "
	  "again." },
	{ "CON505", "budget-blocking", SEVERITY_WARNING, "The PodDisruptionBudget allows no disruption at all",
	  "All servers are ready, and the budget still lets none of them be evicted: every drain of their nodes "
	  "waits for ever, and with it node upgrades. Somebody will force it one day. maxUnavailable 1 is what a "
	  "Consul cluster of three or more wants." },
	{ "CON506", "budget-permissive", SEVERITY_WARNING, "The PodDisruptionBudget allows too many disruptions",
	  "The budget lets more servers be evicted at the same time than the cluster can lose, so a drain of "
	  "several nodes can cost the quorum. maxUnavailable 1 is right for every size, since servers should leave "
	  "one after the other anyhow." },
	{ "CON507", "gossip-unencrypted", SEVERITY_WARNING, "Gossip is not encrypted",
	  "Whoever reaches port 8301 of a server can read the member list and join the cluster. A gossip key "
	  "(`consul keygen`, setting `encrypt`) prevents it. A running cluster gets one in three rolling restarts: "
	  "with the key and encrypt_verify_incoming and encrypt_verify_outgoing both false; then outgoing true; "
	  "then incoming true. `kubectl consul deploy` makes a key by itself." },
	{ "CON508", "leave-on-terminate-off", SEVERITY_INFO, "Servers do not leave when they are stopped",
	  "With leave_on_terminate off, Consul's default for servers, a stopped pod looks like a crash: the others "
	  "wait for it to answer, and its old log disturbs the next election. Measured with Consul 1.8.7: a plain "
	  "rollout of three servers stopped writes for 19 and 65 seconds; with leave_on_terminate = true, "
	  "raft_multiplier 1 and a readiness that means `is a voter`, for 3 seconds." },
	{ "CON509", "leftover-claims", SEVERITY_INFO, "Claims of servers that are gone",
	  "A StatefulSet keeps the claims of the servers it scaled away. If it is scaled up again they are used "
	  "again, with the old data and identity on them. That is fine within a week; later see stale-claims. They "
	  "cost storage meanwhile. Nothing deletes them by itself; `kubectl consul scale N --delete-claims` with the "
	  "present number of servers does." },
	{ "CON510", "stale-claims", SEVERITY_WARNING, "Old claims would break the next scale-up",
	  "These claims belong to servers that are gone, and were made more than 168 hours ago. From Consul 1.15 a "
	  "server that was away longer than server_rejoin_age_max (168 hours) refuses to start with its old data, "
	  "so scaling up onto such a claim gives a pod that crashes. Kubernetes does not record when a claim was "
	  "used last; if that was less than a week ago, nothing is wrong. If nothing on them is needed, `kubectl "
	  "consul "
	  "scale N --delete-claims` starts the new servers without." },
	{ "CON511", "certificate-expires", SEVERITY_WARNING, "A server's certificate expires soon",
	  "The certificate that a server presents ends in less than 30 days. Nothing is broken before that day, so "
	  "this "
	  "stays a warning to the end and the verdict stays HEALTHY; from then on it is certificate-expired. Who "
	  "watches "
	  "the verdict alone may watch encryption.certificateDaysLeft of `kubectl consul health -o json` as well.\n\n"
	  "Where `kubectl consul deploy` made the certificates, this issues a new one and lets every server load it, "
	  "without a restart:\n\n"
	  "    kubectl consul deploy --rotate-certs -n NAMESPACE\n\n"
	  "If deploy was given your own authority, give --tls-ca-cert and --tls-ca-key again: its key is kept nowhere. "
	  "Elsewhere replace the files "
	  "that "
	  "cert_file and key_file of the servers name (mostly a Secret; its pods see the change in a minute or two), "
	  "and "
	  "run `consul reload` in every server: Consul takes up new certificates so." },
	{ "CON512", "rollout-unfinished", SEVERITY_WARNING, "A deploy has not replaced every server",
	  "When a template changes, `kubectl consul deploy` gives the StatefulSet updateStrategy OnDelete, so that "
	  "Kubernetes replaces no pod by itself, and deletes the pods one by one: each is back as a voter that all "
	  "servers know before the next goes, and the leader goes last. At the end it sets RollingUpdate again. This "
	  "StatefulSet has OnDelete: a deploy is at work right now, or it was interrupted, or a server did not come "
	  "back and it went no further.\n\n"
	  "Nothing is lost, and the servers work as they are. `kubectl consul deploy` without options goes on where "
	  "it was left; `kubectl consul deploy --rollback` goes back to the template before, for a new one by which "
	  "servers do not start. Until then `kubectl rollout restart` does nothing, and `kubectl consul scale` refuses "
	  "while "
	  "pods of an older revision run." },
	{ "CON513", "certificate-expired", SEVERITY_DEGRADED, "A server's certificate has expired",
	  "Connections between servers that stand go on for a while, so the cluster may seem well. Every new one is "
	  "refused: a server that restarts finds nobody, the next election may fail, and HTTPS clients see an error "
	  "already.\n\n"
	  "Do not restart anything before the certificate is replaced. Where `kubectl consul deploy` made it:\n\n"
	  "    kubectl consul deploy --rotate-certs -n NAMESPACE\n\n"
	  "This works although the servers refuse each other: they are told through Kubernetes, and what the old "
	  "certificate says does not matter there. A server that does not load the new one (its token cannot be "
	  "checked "
	  "without a leader, for one) has it after a restart of its process. One after another:\n\n"
	  "    kubectl delete pod POD -n NAMESPACE\n\n"
	  "Elsewhere replace the files that cert_file and key_file name, then run `consul reload` in each server, or "
	  "restart it. If the authority has expired, too, all servers and clients need a new one at the same time." },
	{ "CON514", "certificates-differ", SEVERITY_WARNING, "The servers use different certificates",
	  "`kubectl consul deploy` gives all servers one certificate. Some still use an older one: a rotation is under "
	  "way "
	  "(pods see a changed Secret after a minute or two), or it was interrupted. Both are good as long as they "
	  "have "
	  "not expired. `kubectl consul deploy --rotate-certs` goes through all servers again; a server that is "
	  "restarted "
	  "takes the newest by itself." },
	{ "CON515", "certificate-name", SEVERITY_WARNING, "A certificate does not name a Consul server",
	  "With verify_server_hostname servers accept as a server only who has a certificate for "
	  "server.DATACENTER.DOMAIN (server.dc1.consul by default). The certificate of this server's HTTPS port is not "
	  "good for that name. If the same one is used between servers, which is the rule, they refuse it: after the "
	  "next "
	  "restart the server does not come back into raft.\n\n"
	  "Issue a certificate with that name: `kubectl consul deploy --rotate-certs` for a cluster that deploy made; "
	  "`consul tls cert create -server -dc DATACENTER` elsewhere. Since Consul 1.12 the HTTPS port may have a "
	  "certificate of its own (tls.https); then this can be ignored." },
	{ "CON516", "rpc-unencrypted", SEVERITY_WARNING, "RPC is not encrypted",
	  "Everything that Consul stores goes from server to server in plain (port 8300), and whoever reaches that "
	  "port can "
	  "speak to it as a server would. The same holds for the HTTP API on port 8500 and the tokens that are sent "
	  "there. The gossip key does not cover either of them.\n\n"
	  "A cluster that `kubectl consul deploy` made gets TLS, with an authority and certificates of its own, in "
	  "three "
	  "rounds of restarts, one server at a time and with the cluster working:\n\n"
	  "    kubectl consul deploy --tls -n NAMESPACE\n\n"
	  "Clients then need HTTPS on port 8501 and the authority's certificate. Elsewhere it is done by hand: "
	  "certificates by `consul tls`, then three rolling restarts: with ca_file, cert_file and key_file; with "
	  "verify_outgoing, too; with verify_incoming and verify_server_hostname." },
	{ "CON517", "rpc-unverified", SEVERITY_WARNING, "Some servers accept RPC that is plain or unverified",
	  "TLS is there, but not everywhere or not in both directions: a server without verify_outgoing speaks plain "
	  "RPC "
	  "to the others, and one without verify_incoming lets anybody in who reaches port 8300.\n\n"
	  "While TLS is being turned on this is how it has to be: first every server learns to speak it, then plain "
	  "RPC is refused. `kubectl consul deploy` does that in three rounds of restarts; if it was interrupted, the "
	  "same "
	  "command goes on. Elsewhere set verify_incoming and verify_outgoing on all servers, and restart one after "
	  "another." },
	{ 0 },
};
