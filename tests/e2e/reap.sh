#!/usr/bin/env bash
# reap, the case of the old README: 5 servers that do not leave when they are stopped are scaled to 3 by hand, with the
# cleanup of autopilot off. Two stay failed, and peers of raft, until they are reaped.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

new_namespace reap
sed 's/replicas: 3/replicas: 5/' tests/lab/foreign.yaml | kubectl -n "$namespace" apply -f - >/dev/null
plugin health -n "$namespace" --wait --timeout 6m
expect 'five servers that somebody else set up' 0 'HEALTHY'
in_pod consul-0 consul operator autopilot set-config -cleanup-dead-servers=false >/dev/null

plugin reap -n "$namespace" --yes
expect 'reap where everybody is well has nothing to do' 0
check '5 voters' exactly 5

kubectl -n "$namespace" scale statefulset consul --replicas=3 >/dev/null
two_failed() { [ "$(members_that_are failed)" = 'consul-3 consul-4' ]; }
two_gone() { two_failed && ! kubectl -n "$namespace" get pods -o name | grep -E 'consul-[34]'; }
check 'two servers are failed, and their pods gone' until_true 180 two_gone
all_peers() { [ "$(peers consul-0)" = "$(first_servers 5)" ]; }
check 'and still peers of raft' all_peers

plugin health -n "$namespace"
expect 'health says what to do about them' 3 '^DEGRADED' 'kubectl consul reap'
plugin reap -n "$namespace" --dry-run
expect 'reap --dry-run shows who would go' 0 'consul-3' 'consul-4'
check 'which takes nobody away' all_peers
check 'nor out of the members' two_failed
plugin reap -n "$namespace" </dev/null
expect 'nothing is done without a yes where nobody can be asked' 1 '--yes'
check 'nobody was taken away' all_peers

plugin reap -n "$namespace" --yes --timeout 6m
expect 'reap --yes' 0 'consul-3' 'consul-4'
check '3 voters, nobody failed' exactly 3
plugin health -n "$namespace"
expect 'healthy after that' 0 '^HEALTHY' '3/3 voters'
plugin reap -n "$namespace" --yes
expect 'reap again has nothing to do' 0

# One that is only restarting: failed for the others for a while, but it comes back. It may do so before reap has ended:
# then once more.
restarting_failed() { crash_until_down consul-2; [ "$(members_that_are failed)" = consul-2 ]; }
reap_meanwhile() {
	restarting_failed || return
	plugin reap -n "$namespace" --yes --timeout 1m
	[ "$(members_that_are failed)" = consul-2 ]
}
check 'a server that restarts is failed, and reap runs meanwhile' until_true 300 reap_meanwhile
expect 'reap has nothing to do about it' 0
still_peer() { [ "$(peers consul-0)" = "$(first_servers 3)" ]; }
check 'and leaves it in raft' still_peer
plugin health -n "$namespace" --wait --timeout 6m
expect 'it comes back by itself' 0 'HEALTHY'
