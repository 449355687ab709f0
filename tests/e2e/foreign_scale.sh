#!/usr/bin/env bash
# scale on servers that somebody else set up and that do not leave when they are stopped (leave_on_terminate unset):
# 3 -> 5 -> 3 -> 1 -> 3 while a client writes all the time, the leader among those that go on the way to 1. A bare
# `kubectl scale` from 3 to 1 ends this cluster: nothing can be written to it until somebody brings the others back.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

[ -z "${E2E_QUICK:-}" ] || { echo '# skipped: E2E_QUICK is set'; exit 0; }

# Milliseconds without a leader; raft_multiplier is 5, Consul's default. A leader of 1.8 that leaves takes itself out of
# raft and tells nobody. The others look every 5 to 10 s whether they heard of it in the last 5, so that they miss it
# after 5 to 15 s; and the first of two to do so gets no vote of the other one, until a second round after 5 to 10 s more.
# On the way up again the old data of a server may have it ask for votes, for which the leader steps down once.
one_election=20000
leader_leaves=30000

new_namespace foreign-scale
kubectl -n "$namespace" apply -f tests/lab/foreign.yaml >/dev/null
plugin health -n "$namespace" --wait --timeout 6m
expect 'three servers that somebody else set up' 0 'HEALTHY'

measure_start
plugin scale 5 -n "$namespace" --yes --timeout 6m
expect 'scale 3 -> 5' 0
check '5 voters, nobody failed' exactly 5
measured 'scale 3 -> 5' "$one_election"

plugin scale 3 -n "$namespace" --yes --timeout 6m
expect 'scale 5 -> 3' 0
check '3 voters, nobody failed' exactly 3
measured 'scale 5 -> 3' "$one_election"

check 'consul-0 is down for a while' until_true 120 crash_until_down consul-0
check 'another server than consul-0 leads' until_true 300 crash_until_another_leads
healthy_again
check 'still another server than consul-0 leads' another_leads
measure_skip
plugin scale 1 -n "$namespace" --yes --force --timeout 6m
expect 'scale 3 -> 1, the leader among those that go' 0
check '1 voter, nobody failed' exactly 1
measured 'scale 3 -> 1' "$leader_leaves"

plugin scale 3 -n "$namespace" --yes --timeout 6m
expect 'scale 1 -> 3' 0
check '3 voters again, nobody failed' exactly 3
measured 'scale 1 -> 3' "$one_election"
measure_stop
