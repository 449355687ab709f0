#!/usr/bin/env bash
# The plugin through every real kubectl, installed as krew does it, and by `make install`: health, exit codes, help,
# errors, plugin list, completion.
#
#   E2E_DIST   a directory with a release (plugin.yaml and its archives); otherwise KUBECTL_CONSUL is made one
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

new_namespace install
deploy_ours --replicas 1 >"$scratch/deploy" 2>&1 || { cat "$scratch/deploy"; exit 1; }
mkdir "$scratch/home"

# ---------------------------------------------------------------------------------------- the two layouts

# A release of the program that is tested, for this machine only.
pack_release() {
	local version machine name
	version=$("$KUBECTL_CONSUL" version -o json | sed -n 's/.*"gitVersion": *"\([^"]*\)".*/\1/p')
	machine=$(uname -m)
	machine=${machine/x86_64/amd64} machine=${machine/aarch64/arm64}
	name=kubectl-consul-$version-linux-$machine.tar.gz
	mkdir -p "$scratch/stage" "$scratch/release"
	install -m 0755 "$KUBECTL_CONSUL" "$scratch/stage/kubectl-consul"
	install -m 0644 LICENSE "$scratch/stage/LICENSE"
	tar -C "$scratch/stage" --owner=0 --group=0 -czf "$scratch/release/$name" kubectl-consul LICENSE
	cat >"$scratch/release/plugin.yaml" <<-TXT
		apiVersion: krew.googlecontainertools.github.com/v1alpha2
		kind: Plugin
		metadata: {name: consul}
		spec:
		  version: $version
		  homepage: https://example.com
		  shortDescription: Run Consul servers and trust their quorum
		  description: A release of the program that is being tested.
		  platforms:
		  - selector: {matchLabels: {os: linux, arch: $machine}}
		    uri: https://example.com/$version/$name
		    sha256: $(sha256sum <"$scratch/release/$name" | cut -d ' ' -f 1)
		    bin: kubectl-consul
	TXT
}

install_krew() {
	local release=${E2E_DIST:-$scratch/release}
	[ -n "${E2E_DIST:-}" ] || pack_release
	tests/krew/check "$release/plugin.yaml" "$release"/*.tar.gz &&
		tests/krew/check --install "$scratch/home/.krew" "$release/plugin.yaml" "$release"/*.tar.gz
}

# -o: the program that is tested is installed as it is.
install_make() { make -s -o "$KUBECTL_CONSUL" install BINARY="$KUBECTL_CONSUL" DESTDIR="$scratch/root" PREFIX=/usr; }

# -------------------------------------------------------------------------------------------- one kubectl

# As in plugin(), but the user has only this layout, the system's programs, and a home of their own.
through() { # ARGUMENT…: of $kubectl, with $bin on PATH
	code=0
	HOME=$scratch/home PATH=$bin:/usr/bin timeout 60 "$kubectl" "$@" >"$scratch/out" 2>"$scratch/err" || code=$?
	out=$(<"$scratch/out")
	err=$(<"$scratch/err")
}

lists_it_without_warning() { show_last; [ "$code" = 0 ] && grep -qxF "$bin/kubectl-consul" <<<"$out" &&
	! grep -qi 'warning.*kubectl-consul\|kubectl-consul.*overshadowed' <<<"$out$err"; }
names_itself_as_typed() { show_last; [ "$code" = 0 ] && ! grep -E 'kubectl-consul( |$)' <<<"$out"; }

check_kubectl() { # LAYOUT VERSION
	local where="kubectl $2, $1"
	through consul health -n "$namespace"
	expect "$where: health" 0 '^HEALTHY .*1/1 voters'
	through consul health -n "no-such-namespace-$$" -o nagios
	expect "$where: exit codes of the plugin's own are passed on" 3 '^CONSUL UNKNOWN'
	through consul --help
	expect "$where: help" 0 'Usage:' '^  kubectl consul '
	check "$where: help has the name that was typed" names_itself_as_typed
	through consul helth
	expect "$where: an unknown command" 1 'unknown command "helth" for "kubectl consul"' 'health'
	through consul health --bogus
	expect "$where: an unknown flag" 1 'unknown flag: --bogus' "See 'kubectl consul health --help' for usage"
	through -n "$namespace" consul health
	expect "$where: flags before the plugin's name are refused by kubectl" 1 'flags cannot be placed before plugin name'
	through plugin list
	check "$where: plugin list has it, and nothing to complain of" lists_it_without_warning
}

check_completion() { # LAYOUT VERSION
	local where="kubectl $2, $1"
	through __complete consul he
	expect "$where: completes subcommands" 0 '^health' '^:4$'
	through __complete consul health --namespace "${namespace%-*}"
	expect "$where: completes namespaces" 0 "^$namespace"
	through __complete consul scale -n "$namespace" ''
	expect "$where: completes sizes, and says what they tolerate" 0 '^3.*tolerates 1 failure'
}

completes() { [ "$(printf '1.26\n%s\n' "$1" | sort -V | sed -n 1p)" = 1.26 ]; } # VERSION: from 1.26 on

check_layout() { # LAYOUT BIN
	local version kubectl
	bin=$2
	while read -r version kubectl; do
		check_kubectl "$1" "$version"
		if completes "$version"; then check_completion "$1" "$version"; fi
	done <<<"$kubectls"
}

kubectls=$(tests/kubectls) || { not_ok 'there is a kubectl'; exit 1; }

check 'krew takes the release' install_krew
bin=$scratch/home/.krew/bin
# krew links the program only, so completion is for the user to install.
read -r _ kubectl <<<"$kubectls"
through __complete consul he
check 'krew: no completion before it is installed' [ "$(grep -c '^health' <<<"$out")" = 0 ]
through consul completion install
expect 'krew: completion install' 0
check 'krew: it is a link beside the one to the program' test -x "$bin/kubectl_complete-consul"
check_layout krew "$bin"
through consul completion uninstall
expect 'krew: completion uninstall' 0
check 'krew: the link is gone' [ ! -e "$bin/kubectl_complete-consul" ]

check 'make install' install_make
check_layout 'make install' "$scratch/root/usr/bin"
