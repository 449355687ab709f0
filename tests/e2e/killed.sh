#!/usr/bin/env bash
# scale that is killed (SIGKILL) again and again, and started again: it arrives all the same. 3 -> 5, then 5 -> 3; the
# first run is killed at its first line, the second at its second, … until one ends by itself before its line comes.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

[ -z "${E2E_QUICK:-}" ] || { echo '# skipped: E2E_QUICK is set'; exit 0; }

# killed_at LINE ARGUMENT…: runs the plugin; it is killed as soon as that line of its output is there. $code as always.
killed_at() {
	local number=0 wanted=$1 pid line
	shift
	rm -f "$scratch/lines"
	mkfifo "$scratch/lines"
	"$KUBECTL_CONSUL" "$@" >"$scratch/lines" 2>&1 &
	pid=$!
	out='' err='' code=0
	while IFS= read -r line; do
		out+=$line$'\n'
		number=$((number + 1))
		[ "$number" -ne "$wanted" ] || kill -KILL "$pid"
	done <"$scratch/lines"
	wait "$pid" 2>/dev/null || code=$?
}

# A killed run leaves its lease behind, for which the next one waits. So does the first one here; then the lease is taken
# away, so that the next run begins where the last one died, and not half a minute later.
scale_by_killed_runs() { # SIZE
	local run most=40
	for ((run = 1; run <= most; run++)); do
		killed_at "$run" scale "$1" -n "$namespace" --yes --timeout 4m
		[ "$code" -eq 137 ] || break
		echo "#   run $run killed at: $(tail -n 1 <<<"${out%$'\n'}")"
		[ "$run" -eq 1 ] || kubectl -n "$namespace" delete lease --all >/dev/null 2>&1
	done
	runs=$run
}

new_namespace killed
deploy_ours >"$scratch/deploy" 2>&1 || { cat "$scratch/deploy"; exit 1; }

for size in 5 3; do
	began=$SECONDS
	scale_by_killed_runs "$size"
	expect "scale $size arrives after $((runs - 1)) killed runs ($((SECONDS - began)) s)" 0
	several() { [ "$runs" -gt 3 ]; }
	check 'some runs were killed on the way' several
	check "$size voters, nobody failed" exactly "$size"
	plugin health -n "$namespace"
	expect "health of $size servers" 0 '^HEALTHY' "$size/$size voters"
done
