# shellcheck shell=bash
# Kubernetes' own programs from Debian's source package, which vendors all it needs.
# Takes about seven minutes on two cores, once: the result is kept in the cache.

readonly KUBERNETES_PROGRAMS=(kube-apiserver kube-controller-manager kube-scheduler
  kubelet kube-proxy kubectl)

kubernetes_is_built() { [[ -x $KUBERNETES_BIN/kubectl ]]; }

kubernetes_build() {
  kubernetes_is_built && return 0
  local work
  deps_install "$BUILD_TOOLS"
  mkdir -p "$LAB_CACHE/kubernetes"
  work=$(mktemp -d "$LAB_CACHE/kubernetes/build.XXXXXX")
  # shellcheck disable=SC2064 # the directory of now
  trap "rm -rf '$work'" EXIT
  kubernetes_fetch "$work"
  kubernetes_fix_reflection "$work"
  step "building Kubernetes $KUBERNETES_VERSION (about seven minutes on two cores)"
  kubernetes_make "$work" >"$LAB_CACHE/kubernetes/build.log" 2>&1 ||
    { tail -n 20 "$LAB_CACHE/kubernetes/build.log" >&2; fail "Kubernetes did not build"; }
  mv -T "$work/bin" "$KUBERNETES_BIN"
  rm -rf "$work"
  trap - EXIT
}

kubernetes_fetch() { # WORK: unpacks the source as WORK/source
  local work=$1 source
  private_apt_setup
  step "fetching the source of Kubernetes"
  (cd "$work" && private_apt source kubernetes >&2)
  source=$(find "$work" -mindepth 1 -maxdepth 1 -type d -name 'kubernetes-*')
  [[ $source == *"$KUBERNETES_VERSION" ]] ||
    fail "the mirror has $(basename "$source"), not $KUBERNETES_VERSION"
  mv "$source" "$work/source"
}

# The vendored reflect2 1.0.1 reads wild memory when built with Go 1.18 or later, and the
# API server dies of it when it prints a map. Debian's own package has a newer one.
kubernetes_fix_reflection() { # WORK
  local vendored=$1/source/vendor/github.com/modern-go/reflect2
  (
    cd "$1" || exit
    private_apt download golang-github-modern-go-reflect2-dev/bookworm >&2
    dpkg-deb -x golang-github-modern-go-reflect2-dev_*.deb reflect2
  )
  rm "$vendored"/*.go "$vendored"/*.s
  cp "$1"/reflect2/usr/share/gocode/src/github.com/modern-go/reflect2/*.{go,s} "$vendored"
}

kubernetes_make() { # WORK: leaves the programs in WORK/bin
  local work=$1
  (
    cd "$work/source" || exit
    export PATH=/usr/lib/go-1.19/bin:$PATH CGO_ENABLED=0 GOCACHE=$work/gocache
    unset GOPATH GOROOT GOFLAGS KUBE_GIT_VERSION_FILE
    make WHAT="${KUBERNETES_PROGRAMS[*]/#/cmd/}" GOFLAGS=-mod=vendor GOLDFLAGS='-s -w'
  ) || return 1
  mkdir "$work/bin"
  install -m 755 "${KUBERNETES_PROGRAMS[@]/#/$work/source/_output/bin/}" "$work/bin"
}
