# shellcheck shell=bash
# What runs, and whether the lab is healthy.

lab_is_healthy() {
  lab_pid >/dev/null 2>&1 && [[ ! -e $LAB_STATE/failed && -e $LAB_STATE/images-loaded ]] &&
    api /readyz --max-time 5 >/dev/null 2>&1 && up_node_is_ready >/dev/null 2>&1 &&
    dns_answers >/dev/null 2>&1
}

lab_status() {
  local pid daemon inner
  pid=$(lab_pid) || { echo "the lab is down"; return 1; }
  echo "first process  $pid"
  echo "state          $LAB_STATE"
  for daemon in "${LAB_DAEMONS[@]}"; do
    inner=$(cat "$LAB_STATE/pids/$daemon" 2>/dev/null) && in_lab kill -0 "$inner" 2>/dev/null &&
      printf '%-24s running\n' "$daemon" || printf '%-24s NOT RUNNING\n' "$daemon"
  done
  if lab_is_healthy; then
    echo "the lab is healthy"
  else
    echo "the lab is NOT healthy"
    return 1
  fi
}
