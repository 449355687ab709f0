# shellcheck shell=bash
# The images of the lab, made from Debian's packages and packed as one docker-archive:
#   pause             what containerd needs for every pod
#   consul            Consul, its libraries, busybox and dumb-init, which is PID 1 where a manifest has no command of its
#                     own, as in the public image; two names, as manifests use both
#   consul -noshell   the same Consul and nothing else to run
# The archive is kept in the cache under a key made of all that goes into it.

images_archive() { echo "$IMAGES_DIR/$(images_key).tar"; }

images_key() {
  {
    echo "$PAUSE_IMAGE $CONSUL_IMAGE $CONSUL_LIBRARY_IMAGE $CONSUL_NOSHELL_IMAGE"
    cat "$LAB_DIR"/{images.sh,pause.c,docker-entrypoint.sh}
  } | sha256sum | cut -c1-16
}

images_build() {
  local archive work
  archive=$(images_archive)
  [[ -s $archive ]] && return 0
  deps_install "$IMAGE_TOOLS"
  step "making the images"
  mkdir -p "$IMAGES_DIR"
  work=$(mktemp -d "$IMAGES_DIR/work.XXXXXX")
  # shellcheck disable=SC2064 # the directory of now
  trap "rm -rf '$work'" EXIT
  images_pause_files "$work/pause"
  images_consul_files "$work/consul"
  images_shell_files "$work/shell"
  images_pack "$work"
  rm -f "$IMAGES_DIR"/*.tar
  mv "$work/images.tar" "$archive"
  rm -rf "$work"
  trap - EXIT
}

images_pause_files() { # ROOT
  mkdir -p "$1"
  gcc -Os -static -s -o "$1/pause" "$LAB_DIR/pause.c"
}

images_consul_files() { # ROOT
  local root=$1 library
  mkdir -p "$root"/{bin,etc,consul/data,consul/config,tmp,home,lib,lib64,usr/lib,proc,sys,dev}
  install -m 755 "$CONSUL_DEB_ROOT/usr/bin/consul" "$root/bin/consul"
  while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
  done < <(images_libraries)
  printf 'root:x:0:0:root:/:/bin/sh\nconsul:x:100:1000::/home:/bin/sh\n' >"$root/etc/passwd"
  printf 'root:x:0:\nconsul:x:1000:\n' >"$root/etc/group"
  printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
  chmod 1777 "$root/tmp"
  chown -R 100:1000 "$root/consul"
}

# What Consul is linked with, and what libc loads by itself to resolve names.
images_libraries() {
  local linked directory name
  linked=$(ldd "$CONSUL_DEB_ROOT/usr/bin/consul" | grep -o '/[^ ]*')
  echo "$linked"
  directory=$(dirname "$(grep -m1 '/libc\.so' <<<"$linked")")
  for name in libnss_dns.so.2 libnss_files.so.2 libresolv.so.2; do
    echo "$directory/$name"
  done
}

images_shell_files() { # ROOT
  local root=$1 applet
  mkdir -p "$root"/{bin,usr/bin,usr/local/bin}
  install -m 755 "$DEBIAN_ROOT/bin/busybox" "$root/bin/busybox"
  while read -r applet; do
    ln -s busybox "$root/bin/$applet"
  done < <("$DEBIAN_ROOT/bin/busybox" --list | grep -v '^busybox$')
  ln -s /bin/env "$root/usr/bin/env"
  install -m 755 "$DEBIAN_ROOT/usr/bin/dumb-init" "$root/usr/bin/dumb-init"
  install -m 755 "$LAB_DIR/docker-entrypoint.sh" "$root/usr/local/bin/docker-entrypoint.sh"
}

images_pack() { # WORK: makes WORK/images.tar of the three layers
  local out=$1/out layer
  mkdir "$out"
  for layer in pause consul shell; do
    tar --create --file "$out/$layer.tar" --numeric-owner --directory "$1/$layer" .
  done
  images_config pause '{"Entrypoint": ["/pause"]}' >"$out/pause.json"
  images_config consul '{"Entrypoint": ["/bin/consul"], "Cmd": ["version"]}' >"$out/noshell.json"
  images_config consul,shell '{"Entrypoint": ["docker-entrypoint.sh"], "Cmd": ["consul", "version"]}' \
    >"$out/consul.json"
  images_manifest >"$out/manifest.json"
  tar --create --file "$1/images.tar" --directory "$out" .
}

images_config() { # LAYERS CONFIG: an image configuration with the layers' digests
  local layer digests=()
  for layer in ${1//,/ }; do
    digests+=("sha256:$(sha256sum <"$out/$layer.tar" | cut -d' ' -f1)")
  done
  jq -n --argjson config "$2" '{
    architecture: "amd64", os: "linux",
    config: ($config + {Env: ["PATH=/usr/local/bin:/usr/bin:/bin"], WorkingDir: "/"}),
    rootfs: {type: "layers", diff_ids: $ARGS.positional}}' --args "${digests[@]}"
}

images_manifest() {
  jq -n --arg pause "$PAUSE_IMAGE" --arg consul "$CONSUL_IMAGE" \
    --arg library "$CONSUL_LIBRARY_IMAGE" --arg noshell "$CONSUL_NOSHELL_IMAGE" '[
    {Config: "pause.json", RepoTags: [$pause], Layers: ["pause.tar"]},
    {Config: "noshell.json", RepoTags: [$noshell], Layers: ["consul.tar"]},
    {Config: "consul.json", RepoTags: [$consul, $library], Layers: ["consul.tar", "shell.tar"]}]'
}

images_load() { # ARCHIVE...
  local archive
  for archive in "$@"; do
    in_lab ctr --address "$CONTAINERD_SOCKET" -n k8s.io images import - <"$archive" >&2
  done
}

images_list() { in_lab ctr --address "$CONTAINERD_SOCKET" -n k8s.io images list -q; }
