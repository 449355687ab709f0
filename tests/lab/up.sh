# shellcheck shell=bash
# Brings the lab up: prepares what it needs, starts init.sh in its namespaces, waits until
# the cluster does all that the tests rely on.

lab_up() {
  if lab_is_healthy; then
    step "the lab is up already"
    up_answer
    return
  fi
  lab_can_run >&2
  up_prepare
  lab_down
  up_refuse_second_lab
  trap 'up_clean_after_failure' EXIT
  up_start
  up_wait
  trap - EXIT
  rm -rf "$LAB_STATE.failed-logs"
  step "the lab is up"
  up_answer
}

# Labs with different states would share addresses and control groups.
up_refuse_second_lab() {
  network_is_gone >/dev/null || fail "another lab is up: there is a network device $UPLINK_HOST"
  cgroups_are_free || fail "another lab is up: its control groups $CGROUP_NAME exist"
}

up_answer() {
  local kubectl
  kubectl=$(command -v kubectl)
  [[ $kubectl != "$KUBERNETES_BIN/kubectl" ]] || step "kubectl: PATH=$KUBERNETES_BIN:\$PATH"
  echo "export KUBECONFIG=$ADMIN_KUBECONFIG"
}

up_prepare() {
  deps_install "$RUN_TOOLS"
  with_lock "$LAB_CACHE/lock" 1800 up_fill_cache
}

up_fill_cache() {
  up_sweep_cache
  deps_runtime
  deps_consul
  kubernetes_build
  images_build
}

# Whoever was killed while filling the cache left a directory behind; the lock is ours now.
up_sweep_cache() {
  rm -rf "$LAB_CACHE"/kubernetes/build.?????? "$LAB_CACHE"/images/work.?????? \
    "$DEBIAN_ROOT".?????? "$CONSUL_DEB_ROOT".??????
}

up_start() {
  local launcher pid
  step "starting the lab"
  mkdir -p "$LAB_STATE/log"
  certs_make_all
  up_launch >"$LAB_STATE/log/init.log" 2>&1 </dev/null &
  launcher=$!
  record_process "$launcher" "$LAB_STATE/launcher.pid"
  wait_until 10 up_init_runs "$launcher" || fail "the namespaces could not be made"
  pid=$(pgrep -P "$launcher")
  record_process "$pid" "$LAB_STATE/init.pid"
  network_connect "$pid"
  disown "$launcher"
}

# Becomes the parent of the lab's first process, in the same control groups.
up_launch() {
  trap - EXIT
  close_locks
  cgroups_enter
  exec setsid unshare --net --mount --pid --uts --ipc --cgroup --fork --kill-child --mount-proc \
    bash "$LAB_DIR/init.sh"
}

up_init_runs() { # LAUNCHER
  local pid
  pid=$(pgrep -P "$1") && [[ $(tr '\0' ' ' <"/proc/$pid/cmdline") == *init.sh* ]]
}

up_wait() {
  up_wait_for "the API server" 60 api /readyz --max-time 2
  up_objects
  up_wait_for "the images" 60 test -e "$LAB_STATE/images-loaded"
  up_wait_for "the node to be ready" 60 up_node_is_ready
  up_wait_for "the default service account" 30 api /api/v1/namespaces/default/serviceaccounts/default
  up_wait_for "the cluster's DNS" 30 dns_answers
}

up_objects() {
  { dns_objects && storage_objects; } |
    KUBECONFIG=$ADMIN_KUBECONFIG kubectl create --filename - >/dev/null
}

up_node_is_ready() {
  api "/api/v1/nodes/$NODE_NAME" | jq -e '.status.conditions[] | select(.type == "Ready").status == "True"'
}

# up_wait_for WHAT SECONDS COMMAND...: gives up at once when a daemon has ended.
up_wait_for() {
  local what=$1 seconds=$2
  shift 2
  wait_until "$seconds" up_done_or_failed "$@" || true
  [[ ! -e $LAB_STATE/failed ]] || fail "the lab failed while waiting for $what"
  lab_pid >/dev/null || fail "the lab ended while waiting for $what"
  "$@" >/dev/null 2>&1 || fail "gave up waiting for $what after $seconds seconds"
  step "ready: $what"
}

up_done_or_failed() {
  [[ -e $LAB_STATE/failed ]] || ! lab_pid || "$@"
}

up_clean_after_failure() {
  local log
  if [[ -s $LAB_STATE/failed ]]; then
    fail "this daemon failed: $(cat "$LAB_STATE/failed")" || true
    log=$LAB_STATE/log/$(cat "$LAB_STATE/failed").log
  else
    log=$LAB_STATE/log/init.log
  fi
  # What it says first is often the reason, and what it says last the rest of the time.
  { head -n 3 "$log" && tail -n 15 "$log"; } >&2 || true
  rm -rf "$LAB_STATE.failed-logs"
  mv "$LAB_STATE/log" "$LAB_STATE.failed-logs"
  step "all logs are in $LAB_STATE.failed-logs"
  lab_down
}
