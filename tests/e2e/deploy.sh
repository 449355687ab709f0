#!/usr/bin/env bash
# deploy: from nothing to three voters; again without a change; what it prints is what kubectl accepts.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

pod_uids() { kubectl -n "$namespace" get pods -l app.kubernetes.io/name=consul -o jsonpath='{.items[*].metadata.uid}'; }
secret_data() { kubectl -n "$namespace" get secrets -l app.kubernetes.io/managed-by=kubectl-consul -o jsonpath='{.items[*].data}'; }
nothing_there() { [ -z "$(kubectl -n "$namespace" get statefulset,secret,configmap,pdb,service -l app.kubernetes.io/managed-by=kubectl-consul -o name)" ]; }

new_namespace deploy

plugin deploy -n "$namespace" --image "$E2E_IMAGE" --storage-size 1Gi --dry-run=client
expect 'deploy --dry-run=client says what it would create' 0 'statefulset.apps/consul created \(dry run\)'
plugin deploy -n "$namespace" --image "$E2E_IMAGE" --storage-size 1Gi --dry-run=server
expect 'deploy --dry-run=server is accepted by the API server' 0 'statefulset.apps/consul created \(server dry run\)'
check 'a dry run leaves nothing behind' nothing_there

plugin deploy -n "$namespace" --image "$E2E_IMAGE" --storage-size 1Gi -o yaml
expect 'deploy -o yaml prints the objects' 0 'kind: StatefulSet' 'kind: PodDisruptionBudget' 'leave_on_terminate'
kubectl_accepts() { kubectl -n "$namespace" apply --dry-run=server -f - <"$scratch/out"; }
check 'kubectl accepts deploy -o yaml' kubectl_accepts
check '-o yaml leaves nothing behind' nothing_there

plugin deploy -n "$namespace" --image "$E2E_IMAGE" --storage-size 1Gi --timeout 6m
expect 'deploy makes three voters' 0 'statefulset.apps/consul created' 'HEALTHY' '3/3 voters'

before=$(pod_uids)
secrets=$(secret_data)
plugin deploy -n "$namespace" --image "$E2E_IMAGE" --storage-size 1Gi --timeout 6m
expect 'a second deploy changes nothing' 0 'statefulset.apps/consul unchanged' 'HEALTHY'
only_unchanged() { ! printf '%s\n' "$out" "$err" | grep -E '^[a-z.]+/[a-z-]+ (created|configured)'; }
check 'every object is unchanged' only_unchanged
same_pods() { [ "$(pod_uids)" = "$before" ]; }
check 'no pod was restarted' same_pods
same_secrets() { [ "$(secret_data)" = "$secrets" ]; }
check 'no secret was made again' same_secrets

plugin deploy -n "$namespace" --replicas 5 --timeout 6m
expect 'deploy scales as scale does, one server at a time' 0 'step 2: replicas 4 -> 5' 'HEALTHY' '5/5 voters'
plugin deploy -n no-such-namespace-"$$" --image "$E2E_IMAGE" --timeout 30s
expect 'a namespace that does not exist' 1 'namespaces? .*not found'
plugin deploy -n "$namespace" --name bad --storage-size lots
expect 'a storage size that is none' 1 'storage-size'

# A first deploy with an image that is not there, then the right one: a rolling update alone waits without end.
new_namespace forced-rollback
plugin deploy -n "$namespace" --image "$E2E_IMAGE-typo" --storage-size 1Gi --timeout 1m
expect 'an image that is not there' 124 'cannot pull image'
plugin deploy -n "$namespace" --image "$E2E_IMAGE" --storage-size 1Gi --timeout 6m
expect 'the right image mends it' 0 'pod/consul-1 deleted \(it never ran' 'pod/consul-0 deleted' 'HEALTHY' '3/3 voters'

# On a cluster that runs: what runs is not deleted by us.
# Kubelet may need a minute until it has removed the old pod; the reason is there after that.
plugin deploy -n "$namespace" --image "$E2E_IMAGE-typo" --timeout 6m
expect 'an update to an image that is not there' 1 'cannot pull image'
plugin deploy -n "$namespace" --image "$E2E_IMAGE" --timeout 6m
expect 'the right image mends that too' 0 'HEALTHY' '3/3 voters'
nobody_deleted() { ! printf '%s\n' "$out" "$err" | grep -E 'pod/consul-[01] deleted'; }
check 'no server that runs was deleted' nobody_deleted

# Servers that each find only themselves.
new_namespace lone
plugin deploy -n "$namespace" --image "$E2E_IMAGE" --storage-size 1Gi -o yaml
sed "s/consul\.$namespace\.svc/127.0.0.1/" "$scratch/out" >"$scratch/lone.yaml"
plugin deploy -n "$namespace" -f "$scratch/lone.yaml" --timeout 6m
expect 'lone servers are joined' 0 'consul-1 joined to consul-0' 'HEALTHY' '3/3 voters'
