#!/usr/bin/env bash
# What a release must be: check.sh VERSION OUT ARCH…, for what pack has left in OUT. One line for each thing looked at;
# ends with "dist: N passed, M failed". CLI_SUITE is the built tests/cli. Needs root, for namespaces; qemu-user runs what
# is not for this machine.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
export LC_ALL=C

readonly SIZE_MAX=$((6 * 1024 * 1024))
version=$1 out=$(realpath "$2")
shift 2
arches=("$@")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

ok() { passed=$((passed + 1)) && echo "ok $*"; }
not_ok() { failed=$((failed + 1)) && echo "not ok $*"; }

# check WHAT COMMAND…: the command is true; what it says is shown if not.
check() {
	local what=$1 log
	shift
	if log=$("$@" 2>&1); then ok "$what"; else not_ok "$what: $log"; fi
}

has() { # TEXT PATTERN
	grep -qE "$2" <<<"$1" || { echo "no $2 in: $1"; return 1; }
}

lacks() { # TEXT PATTERN
	! grep -E "$2" <<<"$1"
}

# ------------------------------------------------------------------------------------------ the binary

is_static() { # FILE
	local said
	said=$(ldd "$1" 2>&1) || true
	has "$said" 'not a dynamic executable|statically linked' && lacks "$(readelf -lW "$1")" INTERP &&
		lacks "$(readelf -dW "$1")" NEEDED
}

is_hardened() {
	has "$(readelf -lW "$1")" 'GNU_RELRO' && has "$(readelf -dW "$1")" 'BIND_NOW' && has "$(readelf -dW "$1")" PIE &&
		has "$(readelf -lW "$1")" 'GNU_STACK +.* RW +0x' && has "$(readelf -hW "$1")" 'Type: +DYN'
}

is_small() { (($(stat -c %s "$1") < SIZE_MAX)) || { stat -c '%s bytes' "$1" && return 1; }; }

# Nothing of the machine that built it.
names_no_path() { lacks "$(strings "$1")" "$HOME/|$PWD|/tmp/|kubectl-consul/dist"; }

check_binary() { # ARCH FILE
	local file=$2 run=("$2")
	check "$1: static" is_static "$file"
	check "$1: static PIE, RELRO, no lazy binding, no executable stack" is_hardened "$file"
	check "$1: smaller than 6 MB ($(stat -c %s "$file") bytes)" is_small "$file"
	check "$1: has no path of the build in it" names_no_path "$file"
	[[ $1 == "$(dpkg --print-architecture)" ]] || run=("$work/emulated-$1")
	check "$1: version" has "$(env -i "${run[@]}" version)" "v$version .*linux/$1"
	check "$1: --help" has "$(env -i "${run[@]}" --help)" 'Usage:'
}

# ----------------------------------------------------------------------------------------- the archive

# Types, modes, owners, times and names, all that may differ.
has_contents() { # ARCHIVE
	local expected found
	expected=$(printf '%s\n' LICENSE kubectl-consul licences/ sbom.spdx.json "licences/"{musl,zlib,openssl,nghttp2,curl,cjson,libyaml,wslay,libgcc} |
		sort)
	found=$(tar -tzf "$1" | grep -v '\.1$' | sort)
	diff <(echo "$expected") <(echo "$found") &&
		lacks "$(tar --numeric-owner -tvzf "$1")" '^[^-d]|^.{10} [^0]|^.{10} 0/[^0]' &&
		has "$(tar -tvzf "$1" kubectl-consul)" '^-rwxr-xr-x' && lacks "$(tar -tvzf "$1")" '^.{5}w|^.{8}w' &&
		[[ $(tar -tzf "$1") == "$(tar -tzf "$1" | sort)" ]]
}

# The libraries that the linker took something from are those in the SBOM.
sbom_is_complete() { # ARCH DIRECTORY
	diff <(sed -n 's|^\(.*/\)*lib\([a-z0-9]*\)\.a(.*|\2|p; s|^LOAD .*/crtbeginS[.]o$|gcc|p' \
		"build/static-$1/kubectl-consul.map" | sort -u |
		sed 's/^c$/musl/; s/^\(ssl\|crypto\)$/openssl/; s/^yaml$/libyaml/; s/^z$/zlib/; s/^gcc$/libgcc/' |
		grep -vxE 'util|kube|consul|cmd' | sort -u) \
		<(jq -r '.packages[].name' "$2/sbom.spdx.json" | grep -vx kubectl-consul | sort)
}

# The fields that SPDX 2.3 wants, and that each relationship is between what is there.
sbom_is_valid() { # FILE
	jq -e '.spdxVersion == "SPDX-2.3" and .dataLicense == "CC0-1.0" and .SPDXID == "SPDXRef-DOCUMENT"
		and (.name | length > 0) and (.documentNamespace | startswith("https://"))
		and (.creationInfo.created | test("^[0-9-]{10}T[0-9:]{8}Z$")) and (.creationInfo.creators | length > 0)
		and all(.packages[]; .name and .SPDXID and .versionInfo and .downloadLocation and .licenseDeclared
			and ((.checksums // [{checksumValue: ("0" * 64)}])[0].checksumValue | test("^[0-9a-f]{64}$")))
		and ([.packages[].SPDXID] + ["SPDXRef-DOCUMENT"]) as $ids
		| all(.relationships[]; (.spdxElementId | IN($ids[])) and (.relatedSpdxElement | IN($ids[])))' "$1" >"$work/valid" ||
		{ cat "$work/valid" && return 1; }
}

sbom_names_binary() { # DIRECTORY
	[[ $(jq -r '.packages[0].checksums[0].checksumValue' "$1/sbom.spdx.json") == "$(sha256sum <"$1/kubectl-consul" | cut -d' ' -f1)" ]]
}

check_archive() { # ARCH
	local archive=$out/kubectl-consul-v$version-linux-$1.tar.gz
	mkdir "$work/$1"
	check "$1: contents of the archive" has_contents "$archive"
	tar -xzf "$archive" -C "$work/$1"
	check_binary "$1" "$work/$1/kubectl-consul"
	check "$1: SBOM is SPDX 2.3" sbom_is_valid "$work/$1/sbom.spdx.json"
	check "$1: SBOM names what is linked in" sbom_is_complete "$1" "$work/$1"
	check "$1: SBOM names this binary" sbom_names_binary "$work/$1"
}

# Once more, from a copy of the sources in another directory.
is_reproducible() {
	local copy=$work/another/directory
	mkdir -p "$copy"
	git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$copy"
	SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)} \
		timeout 1200 env -u MAKEFLAGS -u MFLAGS make -s -j2 -C "$copy" dist DIST_ARCHES="${arches[*]}" >"$work/again.log" 2>&1 ||
		{ tail -n 20 "$work/again.log" && return 1; }
	diff -r "$copy/build/dist" "$out"
}

# --------------------------------------------------------------------------------------------- running

make_certificates() {
	(
		cd "$work"
		openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=dist -keyout ca.key -out ca.pem
		openssl req -newkey rsa:2048 -nodes -subj /CN=server -keyout server.key -out server.csr
		openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out server.crt \
			-extfile <(echo subjectAltName=DNS:api.dist.test,DNS:hosts.dist.test)
		cat server.crt server.key >server.pem
	) >"$work/openssl.log" 2>&1
}

check_names() { # ARCH
	local line
	while read -r line; do
		case $line in ok*) ok "$1: ${line#ok }" ;; *) not_ok "$1: ${line#not ok }" ;; esac
	done < <(timeout 120 unshare --net --mount --propagation private "$here/names.sh" "$work/$1/kubectl-consul" "$work" 2>&1 ||
		echo "not ok names.sh ended early")
}

run_cli() { # BINARY OPTION…
	local binary=$1
	shift
	KUBECTL_CONSUL=$binary timeout 600 "$CLI_SUITE" "$@" >"$work/cli.log" 2>&1 || { tail -n 30 "$work/cli.log" && return 1; }
}

# A program that is not for this machine, as one file.
emulate() { # ARCH
	printf '#!/bin/sh\nexec qemu-%s "%s" "$@"\n' "$(sed 's/arm64/aarch64/; s/amd64/x86_64/' <<<"$1")" \
		"$work/$1/kubectl-consul" >"$work/emulated-$1"
	chmod +x "$work/emulated-$1"
}

check_runs() {
	local arch
	make_certificates
	for arch in "${arches[@]}"; do
		if [[ $arch == "$(dpkg --print-architecture)" ]]; then
			check_names "$arch"
			check "$arch: tests/cli" run_cli "$work/$arch/kubectl-consul"
		else
			check "$arch: tests/cli, one by HTTP/2 and tunnels, emulated" run_cli "$work/emulated-$arch" \
				--filter 'health/the_screen_of_a_healthy_cluster'
		fi
	done
}

install_packages() {
	local package missing=()
	for package in qemu-user openssl jq binutils iproute2 python3; do
		[[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
	done
	((${#missing[@]})) || return 0
	DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends \
		"${missing[@]}" >/dev/null 2>&1 || { apt-get -qq update && apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null; }
}

install_packages
for arch in "${arches[@]}"; do
	emulate "$arch"
	check_archive "$arch"
done
check "checksums" sh -c 'cd "$1" && sha256sum -c SHA256SUMS' sh "$out"
check "no mark left in plugin.yaml" lacks "$(cat "$out/plugin.yaml")" @
check "krew's rules" tests/krew/check "$out/plugin.yaml" "$out"/*.tar.gz
check_runs
check "built again elsewhere: the same bytes" is_reproducible
echo "dist: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
