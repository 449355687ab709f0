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

kubernetes_make() { # WORK: leaves the programs in WORK/bin
  local work=$1
  (
    cd "$work/source"
    export PATH=/usr/lib/go-1.19/bin:$PATH CGO_ENABLED=0 GOCACHE=$work/gocache
    unset GOPATH GOROOT GOFLAGS KUBE_GIT_VERSION_FILE
    make WHAT="${KUBERNETES_PROGRAMS[*]/#/cmd/}" GOFLAGS=-mod=vendor GOLDFLAGS='-s -w'
  )
  mkdir "$work/bin"
  install -m 755 "${KUBERNETES_PROGRAMS[@]/#/$work/source/_output/bin/}" "$work/bin"
}
