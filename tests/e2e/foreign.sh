#!/usr/bin/env bash
# A StatefulSet that somebody wrote by hand, without labels of ours: found and judged as well.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

new_namespace foreign
kubectl -n "$namespace" apply -f tests/lab/foreign.yaml >/dev/null

plugin health -n "$namespace" --wait --timeout 6m
expect 'a StatefulSet in the style of the old examples is found' 0 'HEALTHY'
plugin health -n "$namespace"
expect 'it is judged' 0 '^HEALTHY' '3/3 voters' 'CON[0-9]+ .*encrypt'

sed -e 's/name: consul$/name: registry/' -e 's/consul-\([0-9]\)\.consul/registry-\1.registry/' -e 's/serviceName: consul/serviceName: registry/' \
	tests/lab/foreign.yaml >"$scratch/other.yaml"
new_namespace other
kubectl -n "$namespace" apply -f "$scratch/other.yaml" >/dev/null
plugin health -n "$namespace" --wait --timeout 6m
expect 'one of another name is found as the only one' 0 'HEALTHY' 'registry'
plugin health -n "$namespace" --name nothing
expect 'a name that does not exist' 1 'no Consul servers' 'registry'
plugin deploy -n "$namespace" --name registry --image "$E2E_IMAGE" --timeout 20s
expect "deploy does not take over somebody else's StatefulSet" 4 'registry'
