#!/usr/bin/env bash
# One server that bootstrapped alone becomes three: the new ones must join it, and not make clusters of their own, which
# they would with its bootstrap_expect of 1. Somebody else's cluster of one is refused, since that number is not ours.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

value_on() { in_pod "$1" consul kv get -stale greeting; }
everywhere() { [ "$(value_on consul-0) $(value_on consul-1) $(value_on consul-2)" = 'hello hello hello' ]; }
same_cluster() { [ "$(voters consul-1)" = "$(first_servers 3)" ] && [ "$(voters consul-2)" = "$(first_servers 3)" ]; }
# Its whole life, in its own words: what bootstraps or is elected leads, were it but for a moment.
never_led() { ! kubectl -n "$namespace" logs "$1" | grep -iE 'bootstrap = true|entering leader state'; }
expected_in_config() {
	kubectl -n "$namespace" get configmap consul-server -o jsonpath='{.data.server\.json}' | grep -oE '"bootstrap_expect": [0-9]+'
}

new_namespace single
deploy_ours --replicas 1 >"$scratch/deploy" 2>&1 || { cat "$scratch/deploy"; exit 1; }
check 'a key is written' in_pod consul-0 consul kv put greeting hello

before=$(expected_in_config)
plugin scale 3 -n "$namespace" --dry-run
expect 'scale --dry-run shows what is changed first' 0 'bootstrap_expect 1 -> 3' 'replicas 1 -> 2'
unchanged() { [ "$(expected_in_config)" = "$before" ]; }
check 'and does not change it' unchanged

plugin scale 3 -n "$namespace" --yes --timeout 6m
expect 'scale 1 -> 3' 0 'bootstrap_expect 1 -> 3'
check '3 voters, nobody failed' exactly 3
check 'the new servers are in the same cluster' same_cluster
check 'consul-1 never bootstrapped nor led' never_led consul-1
check 'consul-2 never bootstrapped nor led' never_led consul-2
check 'the key is on every server' everywhere

plugin deploy -n "$namespace" --timeout 6m
expect 'deploy finds nothing to change' 0 'configmap/consul-server unchanged' 'statefulset.apps/consul unchanged'
three() { [ "$(expected_in_config)" = '"bootstrap_expect": 3' ]; }
check 'and keeps the 3' three

# All three leave, and are voters again one by one: more than a minute.
if [ -z "${E2E_QUICK:-}" ]; then
	timeout 120 kubectl -n "$namespace" delete pods consul-0 consul-1 consul-2 >/dev/null
	plugin health -n "$namespace" --wait --timeout 6m
	expect 'healthy after all pods were deleted' 0 'HEALTHY' '3/3 voters'
	check 'with the key on every server' everywhere
fi
kubectl delete namespace "$namespace" --wait=false >/dev/null

# ------------------------------------------------------------------------------------------------- somebody else's

new_namespace foreign-single
sed 's/replicas: 3/replicas: 1/; s/bootstrap-expect=3/bootstrap-expect=1/' tests/lab/foreign.yaml |
	kubectl -n "$namespace" apply -f - >/dev/null
plugin health -n "$namespace" --wait --timeout 6m
expect 'one server that somebody else set up' 0 'HEALTHY'
what_is_there() {
	kubectl -n "$namespace" get statefulset,configmap,pvc -o jsonpath='{.items[*].metadata.resourceVersion} {.items[*].spec.replicas}'
}
before=$(what_is_there)
plugin scale 3 -n "$namespace" --yes
expect 'is not scaled: the new one would bootstrap' 4 'bootstrap_expect'
unchanged() { [ "$(what_is_there)" = "$before" ]; }
check 'nothing was changed' unchanged
