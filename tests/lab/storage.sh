# shellcheck shell=bash
# The default StorageClass: a directory per claim, as a `local` PersistentVolume (unlike
# host paths these honour fsGroup), removed with its data when its claim is gone.

daemon_storage-feed() {
  mkdir -p "$LAB_STATE/volumes"
  watch_changes /api/v1/persistentvolumeclaims /api/v1/persistentvolumes | while read -r _; do
    drain_changes
    storage_provision || true
    storage_reclaim || true
  done
}

# As with the provisioners of clouds, a claim waits until a pod that uses it is scheduled.
storage_provision() {
  local uid claim
  api /api/v1/persistentvolumeclaims | jq -c --arg class "$STORAGE_CLASS" '.items[]
      | select(.status.phase == "Pending" and .spec.storageClassName == $class
               and (.spec.volumeName // "") == ""
               and .metadata.annotations["volume.kubernetes.io/selected-node"] != null)' |
    while read -r claim; do
      uid=$(jq -r .metadata.uid <<<"$claim")
      [[ ! -d $LAB_STATE/volumes/pvc-$uid ]] || continue
      mkdir -m 755 "$LAB_STATE/volumes/pvc-$uid"
      storage_volume "$LAB_STATE/volumes/pvc-$uid" <<<"$claim" |
        api /api/v1/persistentvolumes --output /dev/null --data-binary @- \
          --header 'Content-Type: application/json' || rmdir "$LAB_STATE/volumes/pvc-$uid"
    done
}

storage_volume() { # DIRECTORY; reads the claim, prints its volume
  jq --arg path "$1" --arg node "$NODE_NAME" --arg class "$STORAGE_CLASS" \
    --arg provisioner "$STORAGE_PROVISIONER" '{
    apiVersion: "v1", kind: "PersistentVolume",
    metadata: {
      name: "pvc-\(.metadata.uid)",
      annotations: {"pv.kubernetes.io/provisioned-by": $provisioner}},
    spec: {
      capacity: {storage: .spec.resources.requests.storage},
      accessModes: .spec.accessModes,
      volumeMode: (.spec.volumeMode // "Filesystem"),
      persistentVolumeReclaimPolicy: "Delete",
      storageClassName: $class,
      local: {path: $path},
      claimRef: {
        apiVersion: "v1", kind: "PersistentVolumeClaim",
        namespace: .metadata.namespace, name: .metadata.name, uid: .metadata.uid},
      nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [
        {key: "kubernetes.io/hostname", operator: "In", values: [$node]}]}]}}}}'
}

storage_reclaim() {
  local name
  api /api/v1/persistentvolumes | jq -r --arg provisioner "$STORAGE_PROVISIONER" '.items[]
      | select(.status.phase == "Released" and .metadata.deletionTimestamp == null
               and .spec.persistentVolumeReclaimPolicy == "Delete"
               and .metadata.annotations["pv.kubernetes.io/provisioned-by"] == $provisioner)
      | .metadata.name' |
    while read -r name; do
      rm -rf "${LAB_STATE:?}/volumes/$name"
      api "/api/v1/persistentvolumes/$name" --request DELETE --output /dev/null || true
    done
}

storage_objects() {
  cat <<EOF
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: $STORAGE_CLASS
  annotations:
    storageclass.kubernetes.io/is-default-class: "true"
provisioner: $STORAGE_PROVISIONER
reclaimPolicy: Delete
volumeBindingMode: WaitForFirstConsumer
---
EOF
}
