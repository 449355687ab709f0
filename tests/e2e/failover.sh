#!/usr/bin/env bash
# The drill: a server's process is crashed on purpose, and what the cluster does about it is told with times. With Consul as
# PID 1 (ours) and below dumb-init (foreign, as in Consul's own image); refused where the loss could not be stood.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

restarts() { kubectl -n "$namespace" get pods -o jsonpath='{.items[*].status.containerStatuses[0].restartCount}'; }
seconds_of() { jq -r ".rounds[0].marks.\"$1\".seconds" "$scratch/out"; } # MARK, of the last -o json
at_most() { awk -v value="$1" -v most="$2" 'BEGIN { exit !(value + 0 == value && value <= most) }'; }

# ------------------------------------------------------------------------------------------------- ours
new_namespace failover
deploy_ours --acls >"$scratch/deploy" 2>&1 || { cat "$scratch/deploy"; exit 1; }
measure_start
measure_skip

was=$(read_token; leader)
plugin failover --leader --yes -n "$namespace"
expect 'the leader is crashed, and the timeline told' 0 "$was" 'new leader +consul-' 'voter' 'HEALTHY'
sed 's/^/#   /' "$scratch/out"
[ -z "$writer_pid" ] || writer_phase 'leader crashed'
check 'its container was restarted once' test "$(restarts | tr ' ' '\n' | sort | xargs)" = '0 0 1'
# Mostly another one; whoever is back before the others stood for election (1.5 s were seen) may win it once more.
told=$(sed -n 's/^new leader \(consul-[0-9]*\) .*/\1/p' "$scratch/out")
check 'the new leader that is told leads' test "$(leader)" = "$told"
check 'it is a voter again' exactly 3

plugin failover --leader --yes --probe -o json -n "$namespace"
expect 'again, with the probe, as JSON' 0 '"kind": *"Failover"'
check 'it is valid JSON' jq -e . "$scratch/out"
check 'a new leader within 10 s' at_most "$(seconds_of new-leader)" 10
check 'and the old one a voter again' at_most "$(seconds_of voter)" 60
check 'every acknowledged write was read back' jq -e '.rounds[0].probe | .checked and .lost == 0 and .writes.served > 0' "$scratch/out"
echo "#   new leader after $(seconds_of new-leader) s, voter again after $(seconds_of voter) s"

follower=$(first_servers 3 | tr ' ' '\n' | grep -v "^$(leader)$" | tail -n 1)
plugin failover --pod "$follower" --yes -n "$namespace"
expect 'a follower: no leader is lost' 0 "$follower" 'voter'
no_leader_line() { ! grep -q 'new leader' "$scratch/out"; }
check 'and no new one told' no_leader_line
measure_stop

before=$(restarts)
plugin failover -n "$namespace" </dev/null
expect 'nothing is crashed without a yes where nobody can be asked' 1
plugin failover --pod consul-7 --yes -n "$namespace"
expect 'a pod that is none' 4 'consul-7'
plugin scale 2 --force --yes -n "$namespace"
expect 'two servers tolerate nothing' 0
plugin failover --leader --yes -n "$namespace"
expect 'refused on a cluster with tolerance 0' 4 'quorum'
check 'and nobody was crashed' test "$(restarts)" = "$(cut -d ' ' -f 1-2 <<<"$before")"

# -------------------------------------------------------------------------------- below dumb-init, Consul's own timing
new_namespace failover-foreign
kubectl -n "$namespace" apply -f tests/lab/foreign.yaml >/dev/null
plugin health -n "$namespace" --wait --timeout 6m
expect 'three servers that somebody else set up' 0 'HEALTHY'
check 'PID 1 is dumb-init there' in_pod consul-0 grep -q dumb-init /proc/1/cmdline
plugin failover --leader --yes -n "$namespace"
expect 'the leader of a foreign cluster' 0 'new leader +consul-' 'HEALTHY'
sed 's/^/#   /' "$scratch/out"
check 'all three vote' exactly 3

[ -z "${E2E_QUICK:-}" ] || exit 0
plugin failover --leader --yes --rounds 3 -n "$namespace"
expect 'three rounds, and their distribution' 0 'ROUNDS +MIN +MEDIAN +MAX'
sed 's/^/#   /' "$scratch/out" | tail -n 12
