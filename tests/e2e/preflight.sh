#!/usr/bin/env bash
# deploy --preflight: everything that would go wrong, told at once; nothing is written.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

all_objects() { kubectl -n "$namespace" get statefulset,service,configmap,secret,pvc,pdb,serviceaccount,lease -o name | sort; }
unchanged() { diff <(echo "$before") <(all_objects); }

new_namespace preflight
kubectl label namespace "$namespace" pod-security.kubernetes.io/enforce=restricted >/dev/null
until_true 60 kubectl -n "$namespace" get serviceaccount default
before=$(all_objects)

plugin deploy -n "$namespace" --image "$E2E_IMAGE" --storage-size 1Gi --preflight
expect 'nothing to say where all is well, restricted or not' 0 'restricted'
check 'and nothing is written' unchanged

# A claim with a volume of its own, as one that an earlier cluster left behind: what never had a volume holds no data.
leftover() {
	kubectl apply -f - <<-TXT
		apiVersion: v1
		kind: PersistentVolume
		metadata: {name: $namespace}
		spec:
		  accessModes: [ReadWriteOnce]
		  capacity: {storage: 1Gi}
		  storageClassName: none
		  persistentVolumeReclaimPolicy: Retain
		  claimRef: {namespace: $namespace, name: data-consul-1}
		  hostPath: {path: /nonexistent}
		---
		apiVersion: v1
		kind: PersistentVolumeClaim
		metadata: {name: data-consul-1, namespace: $namespace}
		spec: {accessModes: [ReadWriteOnce], storageClassName: none, volumeName: $namespace, resources: {requests: {storage: 1Gi}}}
	TXT
}
is_bound() { [ "$(kubectl -n "$namespace" get pvc data-consul-1 -o jsonpath='{.status.phase}')" = Bound ]; }
leftover >/dev/null
check 'a claim that was left behind' until_true 60 is_bound
before=$(all_objects)
plugin deploy -n "$namespace" --image "$E2E_IMAGE" --storage-class none --preflight
expect 'no such StorageClass and a leftover claim, at once' 4 'PROBLEM +storage class.*"none"' 'data-consul-1'
check 'and nothing is written' unchanged

# Somebody else's StatefulSet, and pods that the namespace does not let in.
sed -e 's/replicas: 3/replicas: 0/' tests/lab/foreign.yaml | kubectl -n "$namespace" apply -f - >/dev/null
before=$(all_objects)
plugin deploy -n "$namespace" --image "$E2E_IMAGE" --preflight
expect "somebody else's StatefulSet" 4 'was not made by kubectl consul'
check 'and nothing is written' unchanged
kubectl -n "$namespace" delete -f tests/lab/foreign.yaml >/dev/null
before=$(all_objects)
plugin deploy -n "$namespace" -f tests/lab/foreign.yaml --preflight
expect 'pods that "restricted" does not let in' 4 'allowPrivilegeEscalation' 'runAsNonRoot' 'seccompProfile' 'capabilities'
check 'and nothing is written' unchanged

if [ -z "${E2E_KUBECONFIG:-}" ]; then
	role_for looker exec
	kubeconfig=$(tests/lab/lab kubeconfig --as-user looker)
	before=$(all_objects)
	plugin deploy -n "$namespace" --image "$E2E_IMAGE" --kubeconfig "$kubeconfig" --storage-class none --acls --preflight
	expect 'too few rights, with the Role to paste, and the rest all the same' 4 'kind: Role' 'statefulsets' 'secrets' \
		'data-consul-1'
	check 'and nothing is written' unchanged
	plugin deploy -n "$namespace" --image "$E2E_IMAGE" --kubeconfig "$kubeconfig"
	expect 'deploy itself stops before it writes' 4 'kind: Role'
	check 'and nothing is written' unchanged
fi

# deploy -o yaml, and the pods it makes, are what others take.
kubectl -n "$namespace" delete pvc --all >/dev/null
kubectl delete persistentvolume "$namespace" >/dev/null
plugin deploy -n "$namespace" --image "$E2E_IMAGE" --storage-size 1Gi --acls -o yaml
kubectl_accepts() { kubectl -n "$namespace" apply --dry-run=server -f - <"$scratch/out"; }
check 'kubectl accepts deploy --acls -o yaml' kubectl_accepts
