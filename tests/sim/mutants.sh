#!/usr/bin/env bash
# Does the simulation see anything? Each patch in tests/sim/mutants breaks one rule of plan, act, recovery or drill; one built with
# it must find a violation. A patch that does not apply, or does not compile, has failed, too.
#
#     mutants.sh BUILD_DIRECTORY [NAME…]      COMPILE and LINK in the environment are the Makefile's
set -euo pipefail
cd "$(dirname "$0")/../.."

build=$1
shift
seeds=${MUTANT_SEEDS:-6000} # each is found long before that
objects=$(find "$build/tests/sim" -name '*.o' | sort | tr '\n' ' ')
archives="$build/libconsul.a $build/libkube.a $build/libutil.a"

# One mutant; what went wrong is printed.
try() { # NAME
	local patch=tests/sim/mutants/$1.patch place=$build/mutants/$1 file changed=()
	rm -rf "$place"
	mkdir -p "$place"
	for file in $(sed -n 's,^+++ b/\([^[:space:]]*\).*,\1,p' "$patch"); do
		mkdir -p "$place/$(dirname "$file")"
		cp "$file" "$place/$file"
		changed+=("$file")
	done
	if ! patch -s -d "$place" -p1 <"$patch" >"$place/log" 2>&1; then
		echo "$patch does not apply:" && cat "$place/log"
		return 1
	fi
	for file in "${changed[@]}"; do
		if ! $COMPILE -Wno-error -c -o "$place/$(basename "$file" .c).o" "$place/$file" >"$place/log" 2>&1; then
			echo "$patch does not compile:" && cat "$place/log"
			return 1
		fi
	done
	# What is named first is not looked for in the archives.
	# shellcheck disable=SC2086
	$LINK -o "$place/sim" $objects "$place"/*.o $archives ${LIBS:-}
	if "$place/sim" --seeds "$seeds" --stop >"$place/log" 2>&1; then
		echo "$patch is not noticed in $seeds seeds"
		return 1
	fi
	if ! grep -q VIOLATION "$place/log"; then
		echo "$patch violates no rule, and fails:" && tail -n 3 "$place/log"
		return 1
	fi
	[ -z "${VERBOSE:-}" ] || echo "$1: $(grep -m 1 VIOLATION "$place/log")"
	rm -rf "$place"
}
export build seeds objects archives
export -f try

names=("$@")
[ $# -gt 0 ] || mapfile -t names < <(basename -s .patch tests/sim/mutants/*.patch)
status=0
failed=$(printf '%s\n' "${names[@]}" | xargs -P "$(nproc)" -I '{}' bash -c 'try {} >&2 || echo {}') || status=1
bad=$(printf '%s' "$failed" | grep -c . || true)
echo "mutants: ${#names[@]} tried, $bad not noticed"
[ "$bad" -eq 0 ] && exit "$status"
exit 1
