# shellcheck shell=bash disable=SC2034
# Constants of the lab: versions, names, addresses, and where everything is kept.
# Sourced by every other script; runs nothing.

KUBERNETES_VERSION=1.20.2
CONSUL_VERSION=1.8.7

LAB_CACHE=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/kubectl-consul
LAB_STATE=${LAB_STATE:-${XDG_STATE_HOME:-${HOME:-/root}/.local/state}/kubectl-consul/lab}

KUBERNETES_BIN=$LAB_CACHE/kubernetes/$KUBERNETES_VERSION
DEBIAN_ROOT=$LAB_CACHE/packages
CONSUL_DEB_ROOT=$LAB_CACHE/consul/$CONSUL_VERSION
IMAGES_DIR=$LAB_CACHE/images

ADMIN_KUBECONFIG=$LAB_STATE/kubeconfig
CONTAINERD_SOCKET=/run/containerd/containerd.sock # in the lab's own /run

NODE_NAME=lab-node
CLUSTER_DOMAIN=cluster.local
POD_CIDR=10.244.0.0/24
NODE_IP=10.244.0.1 # the pods' bridge is the node's address
SERVICE_CIDR=10.96.0.0/16
API_SERVICE_IP=10.96.0.1
DNS_SERVICE_IP=10.96.0.10

# The veth pair between the machine and the lab; the API server answers there.
UPLINK_HOST=kclab0
UPLINK_LAB=uplink
UPLINK_HOST_IP=10.244.254.1
UPLINK_LAB_IP=10.244.254.2
API_URL=https://$UPLINK_LAB_IP:6443

CGROUP_NAME=kubectl-consul-lab
STORAGE_CLASS=lab-local
STORAGE_PROVISIONER=kubectl-consul/lab-local

PAUSE_IMAGE=docker.io/kubectl-consul/pause:1
CONSUL_IMAGE=docker.io/hashicorp/consul:$CONSUL_VERSION
CONSUL_LIBRARY_IMAGE=docker.io/library/consul:$CONSUL_VERSION
CONSUL_NOSHELL_IMAGE=docker.io/hashicorp/consul:$CONSUL_VERSION-noshell

# The daemons, in the order in which they are started.
LAB_DAEMONS=(etcd containerd kube-apiserver dnsmasq kube-controller-manager
  kube-scheduler kube-proxy kubelet dns-feed storage-feed)

# The programs unpacked into the cache come first; a kubectl on PATH before the one built.
PATH=$DEBIAN_ROOT/usr/bin:$DEBIAN_ROOT/usr/sbin:$PATH
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:$KUBERNETES_BIN
export PATH
