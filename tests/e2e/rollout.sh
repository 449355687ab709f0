#!/usr/bin/env bash
# A change of the pod template on three servers, rolled out by Kubernetes alone, while a client writes every 50 ms: on
# servers as people set them up by hand and by charts (Consul's own timing, no goodbye, ready as soon as a leader is
# known), and on ours. How long nobody led is printed for both; ours must not be without a leader longer than one
# election takes.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

[ -z "${E2E_KUBECONFIG:-}" ] || { echo '# skipped: only pods of the lab are reached by their addresses'; exit 0; }

foreign_servers() { # all at once, since none is ready before all are there
	sed -e 's/^  serviceName: consul$/&\n  podManagementPolicy: Parallel/' \
		-e 's/^      - name: consul$/&\n        readinessProbe: {exec: {command: [sh, -c, PROBE]}, initialDelaySeconds: 5, periodSeconds: 3}/' \
		-e "s#PROBE#\"wget -q -O - http://127.0.0.1:8500/v1/status/leader | grep -E '.:'\"#" tests/lab/foreign.yaml
}

change_template() {
	kubectl -n "$namespace" patch statefulset consul --type=merge \
		-p '{"spec":{"template":{"metadata":{"annotations":{"e2e/change":"made"}}}}}'
}

rolled_out() { kubectl -n "$namespace" rollout status statefulset consul --timeout=6m; }

# Those of more than a second since the phase before, in milliseconds.
windows_over_1s() {
	awk '/^phase/ { last = now; now = "" } / no leader for / { now = now " " $(NF - 1) } END { print last }' "$scratch/writer"
}

# roll_out WHO COMMAND…: makes the change under the writing client, waits for all servers; $longest and $windows tell.
roll_out() {
	local who=$1 began=$SECONDS
	shift
	measure_start
	measure_skip
	check "$who: the change is made" "$@"
	check "$who: Kubernetes has rolled it out" rolled_out
	check "$who: three voters" until_true 180 exactly 3
	writer_phase "$who, $((SECONDS - began)) s"
	longest=$(phase_value longest-leaderless-ms)
	windows=$(windows_over_1s)
	measure_stop
}

# A server that starts before the others' names resolve joins its own name, which is in the pod's /etc/hosts, and never
# tries again. All three may do that: then somebody has to introduce them.
introduce_servers() {
	local addresses
	addresses=$(kubectl -n "$namespace" get pods -o jsonpath='{.items[*].status.podIP}')
	[ "$(wc -w <<<"$addresses")" -eq 3 ] && consul_in consul-0 join $addresses
}

foreign() {
	new_namespace rollout-foreign
	foreign_servers | kubectl -n "$namespace" apply -f - >/dev/null
	check 'the servers know each other' until_true 120 introduce_servers
	plugin health -n "$namespace" --wait --timeout 6m
	expect 'three servers that somebody else set up' 0 'HEALTHY'
	roll_out foreign change_template
	echo "foreign  $longest:$windows"
}

ours() {
	new_namespace rollout
	deploy_ours >"$scratch/deploy" 2>&1 || { cat "$scratch/deploy"; exit 1; }
	roll_out ours kubectl -n "$namespace" rollout restart statefulset consul
	short_enough() { [ "$longest" -le "$one_election" ]; }
	check "ours: never longer than $one_election ms without a leader" short_enough
}

[ "${1:-}" != foreign ] || { foreign; exit; }
if [ -n "${E2E_QUICK:-}" ]; then
	ours
	exit
fi
# Both at the same time, in processes of their own: a rollout is waiting most of the time.
"$0" foreign >"$scratch/foreign" 2>&1 &
other=$!
ours
wait "$other" || failures=$((failures + 1))
grep -v '^foreign ' "$scratch/foreign"
theirs=$(grep '^foreign ' "$scratch/foreign")
echo "#   longest without a leader, and all windows of more than 1 s, in ms:"
echo "#   ours     $longest:$windows"
echo "#   $theirs"
much_longer() { [ "$(grep -oE '[0-9]+' <<<"$theirs" | head -n 1)" -gt "$((2 * longest))" ]; }
check 'theirs are without one for more than twice as long' much_longer
