#!/usr/bin/env bash
# health on a cluster of ours: well, one server killed, two of three down; each way of asking; restricted users.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

new_namespace health
deploy_ours >"$scratch/deploy" 2>&1 || { cat "$scratch/deploy"; exit 1; }

plugin health -n "$namespace"
expect 'health of a healthy cluster' 0 '^HEALTHY' '3/3 voters' 'leader consul-[012]' 'tolerates 1 failure'
first_word() { [ "$(printf '%s' "$out" | head -n 1 | cut -d ' ' -f 1)" = HEALTHY ]; }
check 'the first word is the verdict' first_word
plugin health -n "$namespace" --via tunnel -o wide
expect 'health --via tunnel' 0 '^HEALTHY' 'tunnel'
plugin health -n "$namespace" --via exec -o wide
expect 'health --via exec' 0 '^HEALTHY' 'exec'
plugin health -n "$namespace" --members
expect 'health --members' 0 'consul-0 .*alive .*server' 'cluster is healthy'
plugin health -n "$namespace" -o json
expect 'health -o json' 0 '"apiVersion": "kubectl-consul/v1"' '"verdict": "HEALTHY"'
plugin health -n "$namespace" --wait --timeout 30s
expect 'health --wait of a healthy cluster' 0 'HEALTHY'

plugin health -n "no-such-namespace-$$"
expect 'health in a namespace that does not exist' 1 'namespaces "no-such-namespace-[0-9]+" not found' 'hint: '

if [ -z "${E2E_KUBECONFIG:-}" ]; then
	role_for exec-only exec
	role_for tunnel-only portforward
	role_for neither log
	plugin health -n "$namespace" --kubeconfig "$(tests/lab/lab kubeconfig --as-user exec-only)" -o wide
	expect 'a user who may only exec' 0 '^HEALTHY' ' exec'
	plugin health -n "$namespace" --kubeconfig "$(tests/lab/lab kubeconfig --as-user tunnel-only)" -o wide
	expect 'a user who may only port-forward' 0 '^HEALTHY' ' tunnel'
	plugin health -n "$namespace" --kubeconfig "$(tests/lab/lab kubeconfig --as-user neither)"
	expect 'a user who may do neither is told what is missing' 2 'pods/(portforward|exec)'
	plugin health -n "$namespace" --kubeconfig "$(tests/lab/lab kubeconfig --as-user nobody)"
	expect 'a user who may do nothing' 1 'Error from server \(Forbidden\)' 'nobody'
fi

# It is back within two seconds, most of the time.
names_victim() {
	crash consul-1 2>/dev/null
	plugin health -n "$namespace" --timeout 10s
	[ "$code" = 3 ] && grep -q 'DEGRADED' <<<"$out" && grep -qE '(CON[0-9]+).*consul-1' <<<"$out"
}
check 'a killed server is named, exit code 3' until_true 60 names_victim
plugin health -n "$namespace" --wait --timeout 6m
expect 'health --wait sees it come back' 0 'HEALTHY'

# kubelet starts them again, after longer and longer pauses: down means down at this look. Autopilot may have removed the
# first of the two before the second went.
two_down() { # VIA
	local first
	crash_until_down consul-1 &
	first=$!
	crash_until_down consul-2 && wait "$first" || return 1
	plugin health -n "$namespace" --timeout 10s --via "$1"
	[ "$code" = 2 ] && grep -qE '1/[23] voters' <<<"$out"
}
for via in auto tunnel exec; do
	until_true 180 two_down "$via"
	expect "two of three down, --via $via: exit code 2, and the raft plane is still shown" 2 \
		'^CRITICAL' '1/[23] voters' 'CON401 1 of [23] voters' 'consul-0 .* (follower|candidate) .* yes ' 'consul-[12] .* yes '
done
plugin health -n "$namespace" --wait --timeout 6m
expect 'it recovers when they are back' 0 'HEALTHY'
