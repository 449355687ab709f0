# shellcheck shell=bash
# Takes the lab down. Its first process takes every process, mount, bridge and rule of the
# lab with it; what remains are the control groups and the state.

lab_down() {
  [[ -d $LAB_STATE ]] || return 0
  if [[ -s $LAB_STATE/launcher.pid ]]; then
    step "stopping the lab"
    down_end_process "$LAB_STATE/init.pid"
    down_end_process "$LAB_STATE/launcher.pid"
    wait_until 10 network_is_gone || fail "the network device $UPLINK_HOST is left"
  fi
  cgroups_remove
  rm -rf "$LAB_STATE"
}

down_end_process() { # FILE with the recorded pid
  local pid
  pid=$(recorded_pid "$1") || return 0
  kill -TERM "$pid" 2>/dev/null || true
  wait_until 3 down_has_ended "$1" && return 0
  kill -KILL "$pid" 2>/dev/null || true
  wait_until 20 down_has_ended "$1" || fail "process $pid does not end"
}

down_has_ended() { ! recorded_pid "$1"; }
