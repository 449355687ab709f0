# shellcheck shell=bash
# The lab's control groups (v1): one below the caller's own in every hierarchy, entered
# before the cgroup namespace is made, so that inside the lab it is the root of all there is.

# Prints "CONTROLLERS DIRECTORY" of the lab's group in every v1 hierarchy.
cgroups_list() {
  local id controllers path mount
  while IFS=: read -r id controllers path; do
    [[ $id != 0 && -n $controllers ]] || continue
    mount=$(findmnt -n -t cgroup -O "$controllers" -o TARGET | head -n1)
    [[ -z $mount ]] || echo "$controllers ${mount%/}${path%/}/$CGROUP_NAME"
  done </proc/self/cgroup
}

cgroups_are_free() {
  local directory
  while read -r _ directory; do
    [[ ! -d $directory ]] || return 1
  done < <(cgroups_list)
}

# Moves the calling shell into new groups, and records them for cgroups_remove.
cgroups_enter() {
  local controllers directory
  cgroups_list >"$LAB_STATE/cgroups"
  while read -r controllers directory; do
    mkdir -p "$directory"
    if [[ ,$controllers, == *,cpuset,* ]]; then
      cat "$directory/../cpuset.cpus" >"$directory/cpuset.cpus"
      cat "$directory/../cpuset.mems" >"$directory/cpuset.mems"
    fi
    echo $BASHPID >"$directory/cgroup.procs"
  done <"$LAB_STATE/cgroups"
}

# Inside the lab: shows its own groups, and no others, below /sys/fs/cgroup.
cgroups_mount() {
  local controllers directory options name target
  mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
  while read -r controllers directory; do
    options=$controllers
    [[ $controllers != name=* ]] || options=none,$controllers
    target=/sys/fs/cgroup/${controllers#name=}
    mkdir "$target"
    mount -t cgroup -o "$options" cgroup "$target"
    [[ $controllers == *,* ]] || continue
    for name in ${controllers//,/ }; do ln -s "$controllers" "/sys/fs/cgroup/$name"; done
  done <"$LAB_STATE/cgroups"
}

# Groups can be removed when their last process is reaped: soon after the lab's end.
cgroups_remove() {
  [[ -s $LAB_STATE/cgroups ]] || return 0
  wait_until 10 cgroups_try_remove || fail "control groups are left, see $LAB_STATE/cgroups"
}

cgroups_try_remove() {
  local directory left=0
  while read -r _ directory; do
    [[ -d $directory ]] || continue
    find "$directory" -depth -type d -exec rmdir {} + 2>/dev/null || left=1
  done <"$LAB_STATE/cgroups"
  return "$left"
}
