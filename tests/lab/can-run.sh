# shellcheck shell=bash
# Whether this machine can run the lab: prints in one line why not.

lab_can_run() {
  local reason
  reason=$(can_run_obstacle)
  [[ -n $reason ]] || return 0
  echo "this machine cannot run the lab: $reason"
  return 1
}

can_run_obstacle() {
  if [[ $(uname -s) != Linux ]]; then
    echo "it is not Linux"
  elif [[ $(uname -m) != x86_64 ]]; then
    echo "Consul is there for x86_64 only, not for $(uname -m)"
  elif ! (. /etc/os-release && [[ $ID == debian && $VERSION_ID == 12 ]]) 2>/dev/null; then
    echo "it is not Debian 12"
  elif ((EUID != 0)); then
    echo "it takes root"
  elif ! can_run_has_capabilities; then
    echo "root lacks capabilities here (CAP_SYS_ADMIN and CAP_NET_ADMIN are needed)"
  elif ! unshare --net --mount --pid --uts --ipc --cgroup --fork --mount-proc true 2>/dev/null; then
    echo "namespaces cannot be made"
  elif ! can_run_has_cgroups; then
    echo "the cgroup v1 controllers cpu, cpuset and memory are not mounted"
  elif ! grep -qw overlay /proc/filesystems; then
    echo "the kernel has no overlay file system"
  elif (($(awk '/^MemAvailable/ { print $2 }' /proc/meminfo) < 3 * 1024 * 1024)); then
    echo "less than 3 GiB of memory are available"
  fi
}

can_run_has_capabilities() {
  local effective
  effective=0x$(awk '/^CapEff/ { print $2 }' /proc/self/status)
  (((effective >> 21) & 1 && (effective >> 12) & 1))
}

can_run_has_cgroups() {
  local controller
  for controller in cpu cpuset memory; do
    findmnt -n -t cgroup -O "$controller" >/dev/null || return 1
  done
}
