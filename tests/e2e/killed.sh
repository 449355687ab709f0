#!/usr/bin/env bash
# scale that is killed (SIGKILL) again and again, and started again: it arrives all the same. 3 -> 5, then 5 -> 3. Each run
# is killed at the first thing it tells (a step, a wait, an effect) that no run before it was killed at, until one ends.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

[ -z "${E2E_QUICK:-}" ] || { echo '# skipped: E2E_QUICK is set'; exit 0; }

declare -A killed_at

# What a line tells, without times and numbers of steps; of a step's end, which step it was. Empty: nothing of interest.
told() { # LINE
	case $1 in
	*' is being changed by '*) ;; # the lease: is waited for
	??:??:??' step '*' done in '*) echo "done: $step" ;;
	??:??:??' step '*) echo "${1#*: }" ;;
	??:??:??' '*) echo "${1#* }" ;;
	esac
}

# Runs the plugin, and kills it when it tells something new. $code as always; $at is what it was killed at.
run_until_new() { # ARGUMENT…
	local line what step='' pid
	rm -f "$scratch/lines"
	mkfifo "$scratch/lines"
	"$KUBECTL_CONSUL" "$@" >"$scratch/lines" 2>&1 &
	pid=$!
	out='' err='' code=0 at=''
	while IFS= read -r line; do
		out+=$line$'\n'
		what=$(told "$line")
		case $line in *' step '*' done in '*) ;; ??:??:??' step '*) step=$what ;; esac
		[ -n "$what" ] && [ -z "$at" ] && [ -z "${killed_at[$what]:-}" ] || continue
		kill -KILL "$pid"
		killed_at[$what]=1
		at=$what
	done <"$scratch/lines"
	wait "$pid" 2>/dev/null || code=$?
}

# A killed run leaves its lease behind, for which the next one waits; so does the second run on the way up. Otherwise the
# lease is taken away, so that the next run begins where the last one died, and not half a minute later.
scale_by_killed_runs() { # SIZE
	killed_at=()
	for ((runs = 1; runs <= 60; runs++)); do
		run_until_new scale "$1" -n "$namespace" --yes --timeout 6m
		[ "$runs" -ne 2 ] || second=$out
		[ "$code" -eq 137 ] || break
		echo "#   killed at: $at"
		[ "$1 $runs" = '5 1' ] || kubectl -n "$namespace" delete lease --all >/dev/null 2>&1
	done
}

new_namespace killed
deploy_ours >"$scratch/deploy" 2>&1 || { cat "$scratch/deploy"; exit 1; }

for size in 5 3; do
	began=$SECONDS
	scale_by_killed_runs "$size"
	expect "scale $size arrives after $((runs - 1)) killed runs ($((SECONDS - began)) s)" 0
	several() { [ "$runs" -gt 5 ]; }
	check 'runs were killed all the way' several
	waits_for_lease() { [ "$size" -ne 5 ] || printf '%s' "$second" | grep 'is being changed by'; }
	check 'the lease of a killed run is waited for' waits_for_lease
	check "$size voters, nobody failed" exactly "$size"
	plugin health -n "$namespace"
	expect "health of $size servers" 0 '^HEALTHY' "$size/$size voters"
done
