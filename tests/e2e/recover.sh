#!/usr/bin/env bash
# Servers lost for good, with their data: health points to recover, recover names who is left, and brings the cluster back with
# everything that they had. Refused wherever waiting is right, or nobody can tell which cluster is the one.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

# Their claims, their data and their pods, at once.
destroy() { # POD…
	kubectl -n "$namespace" delete pvc "${@/#/data-}" --wait=false
	kubectl -n "$namespace" delete pod "$@" --grace-period=0 --force
} >/dev/null 2>&1

write_keys() { # FOLDER NUMBER: FOLDER/1 …, one after the other
	kubectl -n "$namespace" exec -i consul-1 -- sh -c '
		read -r CONSUL_HTTP_TOKEN && [ -z "$CONSUL_HTTP_TOKEN" ] || export CONSUL_HTTP_TOKEN
		i=0
		while [ $((i += 1)) -le '"$2"' ]; do consul kv put '"$1"'/$i value-$i || exit; done' <<<"$token"
}
has_keys() { # FOLDER NUMBER
	[ "$(consul_in consul-1 kv get -recurse "$1/" | grep -c ':value-')" -eq "$2" ]
}
last_index() { consul_in "$1" info | awk '$1 == "last_log_index" { print $3 }'; }
same_log() { # POD POD
	local index
	index=$(last_index "$1") && [ -n "$index" ] && [ "$index" = "$(last_index "$2")" ]
}

node_id() { in_pod "$1" cat /consul/data/node-id; }
is_another() { local id; id=$(node_id "$1") && [ -n "$id" ] && [ "$id" != "$2" ]; } # POD FORMER
pod_addresses() { kubectl -n "$namespace" get pods -o jsonpath='{.items[*].status.podIP}'; }
points_to_recover() { plugin health -n "$namespace"; [ "$code" = 2 ] && [[ $out == *'kubectl consul recover'* ]]; }
nothing_waits() { # POD…: no peers.json that a later start would take
	local pod
	for pod in "$@"; do in_pod "$pod" test ! -e /consul/data/raft/peers.json || return 1; done
}
saved_whole() { [ "$(tar -tf "$1" | grep -cE '(^|/)(raft/raft.db|node-id)$')" -eq 2 ]; } # FILE
show_output() { sed 's/^/#   /' "$scratch/out"; }

# lose POD…: destroyed, back without data; until health has found that out.
lose() {
	local former
	former=$(node_id "$1")
	destroy "$@"
	check "$* come back without data" until_true 180 is_another "$1" "$former"
	check 'health is CRITICAL and points to recover' until_true 120 points_to_recover
}

recovered() { # FOLDER NUMBER SERVERS
	local all
	read -ra all <<<"$(first_servers "$3")"
	check "$3 voters, nobody failed" until_true 120 exactly "$3"
	# On a busy machine the leader may change just now, and then nobody answers for a moment.
	check 'every acknowledged key is there' until_true 60 has_keys "$1" "$2"
	check 'no peers.json waits for a later start' nothing_waits "${all[@]}"
}

# ------------------------------------------------------------------------------------------ waiting is right

well() {
	plugin recover -n "$namespace" --yes
	expect 'refused on a healthy cluster' 4 'lead'
}

all_restart() {
	local addresses
	addresses=$(pod_addresses)
	kubectl -n "$namespace" delete pods --all --wait=false >/dev/null
	plugin recover -n "$namespace" --yes
	expect 'refused while all servers only restart' 4
	plugin health -n "$namespace" --wait --timeout 6m
	expect 'all pods deleted at once: the cluster comes back without help' 0 'HEALTHY'
	other_addresses() { [ "$(pod_addresses)" != "$addresses" ]; }
	check 'with other addresses' other_addresses
	check 'and with its keys' until_true 60 has_keys first 20
}

# -------------------------------------------------------------------------------------------- a majority is gone

two_of_three() {
	check 'every server has all keys' until_true 60 same_log consul-0 consul-1
	lose consul-0 consul-2
	plugin recover -n "$namespace"
	expect 'a dry run names the survivor' 0 'consul-1 +.*remains' 'dry run: nothing was changed' '--yes'
	show_output
	check 'and puts nothing in place' nothing_waits consul-1
	plugin recover --yes --save "$scratch/saved" -n "$namespace"
	expect 'recover brings the cluster back' 0 'HEALTHY'
	show_output
	check 'the copy of the survivor is whole' saved_whole "$scratch/saved/consul-1.tar"
	recovered first 20 3
	plugin recover --yes -n "$namespace"
	expect 'once is enough' 4 'lead'
}

# Killed as soon as it tells that, unless it has ended before: the one before may have come far enough. Whoever comes after it
# waits until its lease is over.
killed_at() { # PATTERN
	local pid
	"$KUBECTL_CONSUL" recover --yes -n "$namespace" >"$scratch/killed" 2>&1 &
	pid=$!
	told_or_ended() { grep -qE "$1" "$scratch/killed" || ! kill -0 "$pid"; }
	until_true 60 told_or_ended "$1" && echo "#   killed at: $(grep -E "$1" "$scratch/killed" || tail -n 2 "$scratch/killed")"
	kill -KILL "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
}

# Under a leader it says which command goes on; that may have to wait for servers that are joining just now.
goes_on() {
	plugin recover --yes -n "$namespace"
	[ "$code" = 0 ] && return
	[[ $err != *'kubectl consul scale 5'* ]] || plugin scale 5 --yes -n "$namespace"
	plugin health -n "$namespace"
	[ "$code" = 0 ]
}

three_of_five() {
	plugin scale 5 --yes -n "$namespace"
	expect 'five servers' 0
	check '20 keys more' write_keys second 20
	check 'both survivors have them' until_true 60 same_log consul-1 consul-3
	lose consul-0 consul-2 consul-4
	killed_at 'step 1: '
	killed_at 'step 1 done'
	check 'recover, and what it says when there is a leader, goes on after that' until_true 300 goes_on
	plugin health --wait --timeout 6m -n "$namespace"
	expect 'five servers are healthy again' 0 'HEALTHY'
	recovered second 20 5
	check 'and the keys from before' until_true 60 has_keys first 20
}

# ------------------------------------------------------------------------------------ which cluster is the one?

# Each of the two that are left is made to believe in another peer set, as after two recoveries by hand. At the same moment:
# the first would get the vote of the other, and its peer set would be that of both again.
two_peer_sets() {
	local pod
	for pod in consul-0 consul-2; do
		in_pod "$pod" sh -c 'printf "[{\"id\":\"%s\",\"address\":\"%s:8300\"},{\"id\":\"%s\",\"address\":\"192.0.2.1:8300\"}]" \
			"$(cat /consul/data/node-id)" "$POD_IP" "$(cat /proc/sys/kernel/random/uuid)" >/consul/data/raft/peers.json'
	done
	destroy consul-1
	crash consul-0 &
	crash consul-2
	wait $!
	asks_recover() { plugin recover -n "$namespace" --yes; [ "$code" = 4 ] && [[ $err == *'two clusters'* ]]; }
	check 'refused with two peer sets' until_true 180 asks_recover
	show_last
}

new_namespace recover
deploy_ours --acls >"$scratch/deploy" 2>&1 || { cat "$scratch/deploy"; exit 1; }
read_token
check '20 keys' write_keys first 20
well
[ -n "${E2E_QUICK:-}" ] || all_restart
two_of_three
[ -n "${E2E_QUICK:-}" ] || three_of_five
kubectl delete namespace "$namespace" --wait=false >/dev/null

[ -z "${E2E_QUICK:-}" ] || exit 0
new_namespace recover-plain
deploy_ours --no-tls >"$scratch/deploy" 2>&1 || { cat "$scratch/deploy"; exit 1; }
token=''
two_peer_sets
