#!/usr/bin/env bash
# scale on a cluster of ours, 3 -> 5 -> 3 -> 1 -> 3, while a client writes all the time. Before 3 -> 1 the leader is moved
# away from consul-0, so that it is among those that go: the process that leads is crashed until another pod's leads.
#
# Without the lab nothing is measured (the pods are not reachable from here): the rest is tested all the same.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

what_is_there() {
	kubectl -n "$namespace" get statefulset consul -o jsonpath='{.metadata.generation} {.spec.replicas} '
	kubectl -n "$namespace" get pods,pvc -o jsonpath='{.items[*].metadata.uid}'
	in_pod consul-0 consul operator autopilot get-config
	in_pod consul-0 consul operator raft list-peers
}

lease_is_held() { [ -n "$(kubectl -n "$namespace" get lease consul-kubectl-consul -o jsonpath='{.spec.holderIdentity}')" ]; }

new_namespace scale
deploy_ours >"$scratch/deploy" 2>&1 || { cat "$scratch/deploy"; exit 1; }

before=$(what_is_there)
plugin scale 5 -n "$namespace" --dry-run
expect 'scale --dry-run shows the steps' 0 'replicas 3 -> 4' 'replicas 4 -> 5'
plugin scale 1 -n "$namespace" --force --dry-run
expect 'scale --dry-run shows the steps down' 0 'replicas 3 -> 2' 'replicas 2 -> 1'
plugin scale 4 -n "$namespace" --yes
expect 'an even size is refused' 4 '--force'
plugin scale 1 -n "$namespace" --yes
expect 'one server alone is refused' 4 '--force'
plugin scale 5 -n "$namespace" </dev/null
expect 'nothing is done without a yes where nobody can be asked' 1 '--yes'
if [ -z "${E2E_KUBECONFIG:-}" ]; then
	role_for exec-only exec
	plugin scale 5 -n "$namespace" --yes --kubeconfig "$(tests/lab/lab kubeconfig --as-user exec-only)"
	expect 'a user who may only look is told what is missing' 1 'Forbidden' 'hint: a Role must allow'
fi
unchanged() { diff <(echo "$before") <(what_is_there); }
check 'none of that changed anything' unchanged
plugin scale 3 -n "$namespace" --yes
expect 'scale to the size that it has' 0
check 'which restarts nobody' exactly 3

measure_start
"$KUBECTL_CONSUL" scale 5 -n "$namespace" --yes --timeout 6m >"$scratch/first" 2>&1 &
first=$!
check 'one run holds the lease' until_true 20 lease_is_held
plugin scale 5 -n "$namespace" --yes
expect 'a second run meanwhile is refused' 4 'somebody else is changing this'
first_arrives() { wait "$first" || { cat "$scratch/first"; return 1; }; }
check 'scale 3 -> 5' first_arrives
check '5 voters, nobody failed' exactly 5
measured 'scale 3 -> 5'

plugin scale 3 -n "$namespace" --yes --timeout 6m --snapshot "$scratch/backup.tgz"
expect 'scale 5 -> 3' 0 'data-consul-3' 'data-consul-4'
check '3 voters, nobody failed' exactly 3
measured 'scale 5 -> 3'
kept() { [ "$(claims)" = 'data-consul-0 data-consul-1 data-consul-2 data-consul-3 data-consul-4' ]; }
check 'the claims of those that went are kept' kept
in_backup() { tar tzf "$scratch/backup.tgz" | grep -x "$1"; }
check '--snapshot wrote a backup' in_backup state.bin

check 'another server than consul-0 leads' until_true 300 crash_until_another_leads
healthy_again
check 'still another server than consul-0 leads' another_leads
measure_skip
plugin scale 1 -n "$namespace" --yes --force --timeout 6m
expect 'scale 3 -> 1, the leader among those that go' 0
check '1 voter, nobody failed' exactly 1
measured 'scale 3 -> 1'

plugin scale 3 -n "$namespace" --yes --timeout 6m
expect 'scale 1 -> 3' 0
check '3 voters again, nobody failed' exactly 3
measured 'scale 1 -> 3'
measure_stop

plugin scale 3 -n "$namespace" --yes --delete-claims --timeout 6m
expect 'the claims that nobody uses are deleted when asked for' 0 'data-consul-3' 'data-consul-4'
plugin scale 1 -n "$namespace" --yes --force --delete-claims --timeout 6m
expect 'scale 3 -> 1 with --delete-claims' 0 'data-consul-1' 'data-consul-2'
only_own() { [ "$(claims)" = data-consul-0 ]; }
check 'only the claim of the last server is left' until_true 120 only_own
plugin health -n "$namespace"
expect 'health of one server' 0 '^HEALTHY' '1/1 voters'
