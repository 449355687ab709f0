# shellcheck shell=bash
# How each daemon of the lab is started. Runs inside the lab only.

daemon_etcd() {
  exec etcd --data-dir "$LAB_STATE/etcd" --unsafe-no-fsync --log-level warn \
    --logger zap --log-outputs stderr \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380
}

daemon_containerd() {
  cat >"$LAB_STATE/conf/containerd.toml" <<EOF
version = 2
root = "$LAB_STATE/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.internal.v1.opt"]
[grpc]
  address = "$CONTAINERD_SOCKET"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "$PAUSE_IMAGE"
  # Without CAP_SYS_RESOURCE nothing may lower its oom_score_adj, and runc would fail.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$DEBIAN_ROOT/usr/lib/cni"
    conf_dir = "$LAB_STATE/conf/cni"
EOF
  exec containerd --config "$LAB_STATE/conf/containerd.toml" --log-level info
}

daemon_kube-apiserver() {
  local pki=$LAB_STATE/pki
  exec "$KUBERNETES_BIN/kube-apiserver" \
    --etcd-servers=http://127.0.0.1:2379 --storage-media-type=application/vnd.kubernetes.protobuf \
    --bind-address=0.0.0.0 --secure-port=6443 --advertise-address="$NODE_IP" \
    --service-cluster-ip-range="$SERVICE_CIDR" --allow-privileged=true --profiling=false \
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
    --anonymous-auth=true --client-ca-file="$pki/ca.crt" \
    --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" \
    --kubelet-preferred-address-types=InternalIP --kubelet-certificate-authority="$pki/ca.crt" \
    --kubelet-client-certificate="$pki/apiserver-kubelet-client.crt" \
    --kubelet-client-key="$pki/apiserver-kubelet-client.key" \
    --service-account-issuer="https://kubernetes.default.svc.$CLUSTER_DOMAIN" \
    --service-account-key-file="$pki/sa.pub" --service-account-signing-key-file="$pki/sa.key"
}

daemon_kube-controller-manager() {
  local pki=$LAB_STATE/pki
  exec "$KUBERNETES_BIN/kube-controller-manager" --kubeconfig="$LAB_STATE/conf/kube-controller-manager.kubeconfig" \
    --leader-elect=false --use-service-account-credentials=true --bind-address=127.0.0.1 \
    --root-ca-file="$pki/ca.crt" --service-account-private-key-file="$pki/sa.key" \
    --cluster-signing-cert-file="$pki/ca.crt" --cluster-signing-key-file="$pki/ca.key" \
    --pvclaimbinder-sync-period=5s
}

daemon_kube-scheduler() {
  exec "$KUBERNETES_BIN/kube-scheduler" --kubeconfig="$LAB_STATE/conf/kube-scheduler.kubeconfig" \
    --leader-elect=false --bind-address=127.0.0.1
}

daemon_kube-proxy() {
  exec "$KUBERNETES_BIN/kube-proxy" --kubeconfig="$LAB_STATE/conf/kube-proxy.kubeconfig" --proxy-mode=iptables \
    --cluster-cidr="$POD_CIDR" --hostname-override="$NODE_NAME" \
    --conntrack-max-per-core=0 --conntrack-tcp-timeout-established=0s \
    --conntrack-tcp-timeout-close-wait=0s \
    --healthz-bind-address=127.0.0.1:10256 --metrics-bind-address=127.0.0.1:10249
}

daemon_kubelet() {
  kubelet_config >"$LAB_STATE/conf/kubelet.yaml"
  : >"$LAB_STATE/conf/resolv.conf"
  exec "$KUBERNETES_BIN/kubelet" --config="$LAB_STATE/conf/kubelet.yaml" \
    --kubeconfig="$LAB_STATE/conf/kubelet.kubeconfig" --root-dir="$LAB_STATE/kubelet" \
    --volume-plugin-dir="$LAB_STATE/kubelet-plugins" \
    --container-runtime=remote --container-runtime-endpoint="unix://$CONTAINERD_SOCKET" \
    --hostname-override="$NODE_NAME" --node-ip="$NODE_IP"
}

kubelet_config() {
  cat <<EOF
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: "$LAB_STATE/pki/ca.crt"}
authorization: {mode: Webhook}
tlsCertFile: "$LAB_STATE/pki/kubelet-server.crt"
tlsPrivateKeyFile: "$LAB_STATE/pki/kubelet-server.key"
cgroupDriver: cgroupfs
cgroupRoot: /
failSwapOn: false
enforceNodeAllocatable: []
clusterDNS: ["$DNS_SERVICE_IP"]
clusterDomain: "$CLUSTER_DOMAIN"
resolvConf: "$LAB_STATE/conf/resolv.conf"
serializeImagePulls: false
maxPods: 200
# Says soon that it is ready, and after that only what has changed.
nodeStatusUpdateFrequency: 1s
nodeStatusReportFrequency: 5m
# A full disk of the machine is no reason to evict pods or to collect the images.
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
# Device plugins have a fixed directory outside of ours.
featureGates: {DevicePlugins: false}
EOF
}
