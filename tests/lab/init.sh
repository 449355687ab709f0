#!/usr/bin/env bash
# The first process of the lab, PID 1 of its namespaces: mounts, network, daemons. It ends
# at SIGTERM, or when it could not start something; whatever still runs ends with it.
# A daemon that ends later is noted in $LAB_STATE/failed, and not started again.
set -euo pipefail

LAB_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
for part in config common cgroups network daemons images watch dns storage; do
  # shellcheck source=/dev/null
  source "$LAB_DIR/$part.sh"
done

declare -A DAEMON_OF_PID=()

# The kubelet sets these; they are the machine's, not the namespace's. It finds the
# values that it wants in files that lie over them, and leaves the machine's alone.
readonly KUBELET_SYSCTLS='vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10
kernel/panic_on_oops=1 kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000'

init_mounts() {
  local setting name file
  hostname "$NODE_NAME"
  mount -t sysfs sysfs /sys
  cgroups_mount
  mount -t tmpfs -o mode=755 tmpfs /run
  mkdir -p /run/lock
  # Programs with fixed directories below these write into the lab's state.
  mkdir -p "$LAB_STATE"/{log/machine,var-lib/upper,var-lib/work,conf/sysctl}
  mount --bind "$LAB_STATE/log/machine" /var/log
  mount -t overlay -o "lowerdir=/var/lib,upperdir=$LAB_STATE/var-lib/upper,workdir=$LAB_STATE/var-lib/work" \
    lab-var-lib /var/lib
  for setting in $KUBELET_SYSCTLS; do
    name=${setting%=*}
    file=$LAB_STATE/conf/sysctl/${name//\//.}
    echo "${setting#*=}" >"$file"
    mount --bind "$file" "/proc/sys/$name"
  done
}

init_start() { # DAEMON
  mkdir -p "$LAB_STATE/pids"
  "daemon_$1" >"$LAB_STATE/log/$1.log" 2>&1 </dev/null &
  DAEMON_OF_PID[$!]=$1
  echo $! >"$LAB_STATE/pids/$1"
}

init_failed() { # DAEMON
  echo "$1" >"$LAB_STATE/failed"
}

# init_wait DAEMON SECONDS COMMAND...: until the command succeeds, while the daemon lives.
init_wait() {
  local daemon=$1 deadline=$((SECONDS + $2)) pid
  shift 2
  pid=$(cat "$LAB_STATE/pids/$daemon")
  until "$@" >/dev/null 2>&1; do
    if ! kill -0 "$pid" 2>/dev/null || ((SECONDS >= deadline)); then
      init_failed "$daemon"
      exit 1
    fi
    sleep 0.1
  done
}

etcd_answers() { (: </dev/tcp/127.0.0.1/2379); }
containerd_answers() { ctr --address "$CONTAINERD_SOCKET" version; }
apiserver_is_ready() { api /readyz --max-time 2; }

init_load_images() {
  init_wait containerd 30 containerd_answers
  ctr --address "$CONTAINERD_SOCKET" -n k8s.io images import --no-unpack=false "$(images_archive)"
  touch "$LAB_STATE/images-loaded"
}

init_daemons() {
  local daemon
  network_cni_config
  init_start containerd
  init_load_images >"$LAB_STATE/log/images.log" 2>&1 &
  init_start etcd
  init_wait etcd 30 etcd_answers
  init_start kube-apiserver
  init_wait containerd 30 containerd_answers
  init_start kubelet # which looks five seconds for a Docker before it asks for the API server
  init_wait kube-apiserver 60 apiserver_is_ready
  for daemon in kube-controller-manager kube-scheduler kube-proxy dnsmasq dns-feed storage-feed; do
    init_start "$daemon"
  done
}

# Reaps what ends; returns only by a signal.
init_watch() {
  local ended
  while true; do
    ended=
    wait -n -p ended || true
    if [[ -n $ended && -n ${DAEMON_OF_PID[$ended]:-} ]]; then
      init_failed "${DAEMON_OF_PID[$ended]}"
    fi
    [[ -n $ended ]] || sleep 1
  done
}

trap 'exit 0' TERM INT
init_mounts
network_inside
init_daemons
init_watch
