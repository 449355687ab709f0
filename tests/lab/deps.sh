# shellcheck shell=bash
# Debian packages. Ordinary tools are installed. What would start a service of its own
# (etcd, containerd) or belongs to another release (Consul) is only unpacked into the
# cache, fetched through a private apt configuration: the system's apt stays as it is.
# shellcheck disable=SC2034 # the lists are used by other files

readonly DEBIAN_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# One "program package" pair per line; the package is installed if the program is missing.
readonly RUN_TOOLS='
curl curl
jq jq
openssl openssl
ip iproute2
iptables iptables
conntrack conntrack
dnsmasq dnsmasq-base
nsenter util-linux
mount mount
ps procps'

readonly BUILD_TOOLS='
/usr/lib/go-1.19/bin/go golang-1.19-go
gcc gcc
make make
rsync rsync
dpkg-source dpkg-dev'

readonly IMAGE_TOOLS='
gcc gcc
/usr/include/stdio.h libc6-dev
tar tar'

# What private_apt knows, and where. A caller with other needs sets both.
APT_DIR=$LAB_CACHE/apt
APT_SOURCES=('deb-src bookworm' 'deb bookworm' 'deb bullseye')

# A directory that is there is taken as it is: another list needs another DEBIAN_ROOT.
readonly UNPACKED_PACKAGES=(etcd-server containerd runc containernetworking-plugins
  busybox-static dumb-init)

deps_install() { # a list such as RUN_TOOLS
  local program package missing=()
  while read -r program package; do
    [[ -z $program ]] || command -v "$program" >/dev/null || [[ -e $program ]] || missing+=("$package")
  done <<<"$1"
  ((${#missing[@]})) || return 0
  step "installing ${missing[*]}"
  apt_install "${missing[@]}" || { apt-get -qq update >&2 && apt_install "${missing[@]}"; }
}

apt_install() {
  DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 install -y \
    --no-install-recommends "$@" >&2
}

# The mirror that the system itself takes its release from; apt knows it once it has read its lists.
deps_mirror() {
  local uri
  uri=$(known_mirror)
  [[ -n $uri ]] || { apt-get -qq update >&2 && uri=$(known_mirror); }
  [[ -n $uri ]] || fail "apt has no Debian bookworm among its sources" || return 1
  echo "$uri"
}

known_mirror() {
  # shellcheck disable=SC2016 # apt expands these
  apt-get indextargets --format '$(ORIGIN) $(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
    awk '$1 == "Debian" && $2 == "bookworm" { print $3; exit }' || true
}

# private_apt COMMAND...: apt-get with our own sources, lists and cache below $APT_DIR.
private_apt() {
  local dir=$APT_DIR
  apt-get -qq -o Dir::Etc::sourcelist="$dir/sources.list" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::State::lists="$dir/lists" -o Dir::State::status="$dir/status" \
    -o Dir::Cache="$dir/cache" -o APT::Sandbox::User=root "$@"
}

private_apt_setup() {
  local dir=$APT_DIR mirror source
  mirror=$(deps_mirror)
  mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
  : >"$dir/status"
  for source in "${APT_SOURCES[@]}"; do
    echo "${source% *} [signed-by=$DEBIAN_KEYRING] $mirror ${source#* } main"
  done >"$dir/sources.list"
  step "reading the package lists of the mirror"
  private_apt update >&2
}

# Unpacks packages (name or name/release) into a directory that appears only when whole.
deps_unpack() { # DIRECTORY PACKAGE...
  local target=$1 work deb
  shift
  [[ -d $target ]] && return 0
  mkdir -p "$(dirname "$target")"
  work=$(mktemp -d "$target.XXXXXX")
  private_apt_setup
  step "fetching $*"
  (cd "$work" && private_apt download "$@" >&2)
  mkdir "$work/root"
  for deb in "$work"/*.deb; do dpkg-deb -x "$deb" "$work/root"; done
  chmod 755 "$work/root"
  mv -T "$work/root" "$target"
  rm -rf "$work"
}

deps_runtime() { deps_unpack "$DEBIAN_ROOT" "${UNPACKED_PACKAGES[@]/%//bookworm}"; }
deps_consul() { deps_unpack "$CONSUL_DEB_ROOT" consul/bullseye; }
