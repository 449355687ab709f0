# shellcheck shell=bash
# Event streams of the API server, for the loops that feed DNS and storage.

# watch_changes PATH...: prints lines for as long as it runs, at least one per change of
# the objects at these paths, and one after each interruption. What a line says is of no
# use: the streams are not kept apart.
watch_changes() {
  local path
  for path in "$@"; do
    while true; do
      api "$path?watch=1" --no-buffer --max-time 3600 || true
      echo
      sleep 1
    done &
  done
  wait
}

# Swallows the changes that came together with the one just read.
drain_changes() {
  local swallowed
  for ((swallowed = 0; swallowed < 200; swallowed++)); do
    read -r -t 0.05 _ || break
  done
}
