# shellcheck shell=bash
# What every script needs: progress, failure, waiting with a deadline, locks, and
# asking the API server. Progress goes to stderr: stdout is for answers.

step() { printf '[%3ds] %s\n' "$SECONDS" "$*" >&2; }

fail() {
  printf 'lab: %s\n' "$*" >&2
  return 1
}

# wait_until SECONDS COMMAND...: true as soon as the command is, false at the deadline.
wait_until() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < deadline)) || return 1
    sleep 0.1
  done
}

# with_lock FILE SECONDS COMMAND...: what stays in the background must call close_locks.
LOCKS=()
with_lock() {
  local file=$1 seconds=$2 lock
  shift 2
  mkdir -p "$(dirname "$file")"
  exec {lock}>"$file"
  LOCKS+=("$lock")
  flock -n "$lock" || step "waiting for another lab command"
  flock -w "$seconds" "$lock" || fail "another lab command holds $file"
  "$@"
  exec {lock}>&-
}

close_locks() {
  local lock
  for lock in "${LOCKS[@]}"; do exec {lock}>&-; done
}

# A process is recorded with its start time: a pid alone may mean another one later.
process_start_time() { # PID
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  awk '{ print $20 }' <<<"${stat##*) }"
}

record_process() { # PID FILE
  echo "$1 $(process_start_time "$1")" >"$2"
}

recorded_pid() { # FILE: prints the pid if that process still runs
  local pid start
  [[ -s $1 ]] || return 1
  read -r pid start <"$1"
  [[ $(process_start_time "$pid") == "$start" ]] || return 1
  echo "$pid"
}

lab_pid() { recorded_pid "$LAB_STATE/init.pid"; }

# in_lab COMMAND...: runs a command inside the lab's namespaces.
in_lab() {
  local pid
  pid=$(lab_pid) || fail "the lab is not up" || return 1
  nsenter --target "$pid" --net --mount --pid --uts --cgroup -- "$@"
}

# api PATH [curl options...]: asks the API server as the cluster's admin.
api() {
  local path=$1
  shift
  curl --silent --show-error --fail --cacert "$LAB_STATE/pki/ca.crt" \
    --cert "$LAB_STATE/pki/admin.crt" --key "$LAB_STATE/pki/admin.key" "$@" "$API_URL$path"
}
