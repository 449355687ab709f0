# shellcheck shell=bash
# What the e2e tests share: namespaces, checks, waiting for a condition with a deadline.
set -uo pipefail

failures=0
namespaces=()
scratch=$(mktemp -d)

ok() { echo "ok $*"; }

not_ok() {
	echo "not ok $*"
	failures=$((failures + 1))
}

# check NAME COMMAND…: the command must succeed.
check() {
	local name=$1
	shift
	if "$@" >"$scratch/check" 2>&1; then
		ok "$name"
	else
		not_ok "$name"
		sed 's/^/#   /' "$scratch/check" | tail -n 40
		return 0
	fi
}

# The plugin as a user runs it; stdout, stderr and exit code are kept in $out, $err and $code.
plugin() {
	code=0
	"$KUBECTL_CONSUL" "$@" >"$scratch/out" 2>"$scratch/err" || code=$?
	out=$(<"$scratch/out")
	err=$(<"$scratch/err")
}

# expect NAME CODE PATTERN…: the last plugin's exit code, and patterns (grep -E) that its output must have.
expect() {
	local name=$1 wanted=$2 pattern
	shift 2
	if [ "$code" != "$wanted" ]; then
		not_ok "$name: exit code $code, not $wanted"
		show_last
		return 0
	fi
	for pattern in "$@"; do
		# No pipe: grep -q closes it when it has found the pattern, and with pipefail that is a failure.
		if ! grep -qE -- "$pattern" <<<"$out"$'\n'"$err"; then
			not_ok "$name: no \"$pattern\" in the output"
			show_last
			return 0
		fi
	done
	ok "$name"
}

show_last() { printf '%s\n%s\n' "$out" "$err" | sed 's/^/#   /'; }

# until_true SECONDS COMMAND…: again and again until it succeeds. The only place that sleeps: between two tries.
until_true() {
	local end=$((SECONDS + $1))
	shift
	while ! "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.2
	done
}

new_namespace() { # NAME: a namespace of this run
	namespace=e2e-$1-$$
	token=''
	kubectl create namespace "$namespace" >/dev/null
	namespaces+=("$namespace")
}

deploy_ours() { # [OPTION…]: three servers in $namespace
	"$KUBECTL_CONSUL" deploy -n "$namespace" --image "$E2E_IMAGE" --storage-size 1Gi --timeout 6m "$@"
}

role_for() { # USER RESOURCE…: may read the objects, and use only those subresources of pods
	local user=$1 name=$1
	shift
	kubectl -n "$namespace" create role "$name" --verb=get,list \
		--resource=pods,persistentvolumeclaims,statefulsets.apps,poddisruptionbudgets.policy >/dev/null
	kubectl -n "$namespace" create rolebinding "$name" --role="$name" --user="$user" >/dev/null
	kubectl -n "$namespace" create role "$name-ask" --verb=get,create "${@/#/--resource=pods/}" >/dev/null
	kubectl -n "$namespace" create rolebinding "$name-ask" --role="$name-ask" --user="$user" >/dev/null
}

# ------------------------------------------------------------------------------------- servers, by kubectl only

in_pod() { # POD COMMAND…
	kubectl -n "$namespace" exec "$1" -- "${@:2}"
}

# Whoever knows the Secret may do everything: $token is the management token from now on, none where there is no Secret.
secret_of() { kubectl -n "$namespace" get secret "$1" -o "jsonpath={.data.$2}" 2>/dev/null | base64 -d; } # NAME KEY
read_token() { token=$(secret_of consul-acl-bootstrap token); }

consul_in() { # POD ARGUMENT…: consul's own commands there; the token goes over standard input
	if [ -z "$token" ]; then
		in_pod "$1" consul "${@:2}"
		return
	fi
	kubectl -n "$namespace" exec -i "$1" -- sh -c \
		'read -r CONSUL_HTTP_TOKEN && export CONSUL_HTTP_TOKEN && exec consul "$@"' sh "${@:2}" <<<"$token"
}

# Raft's voters as the pod's server has them: their node names, sorted, on one line.
voters() { consul_in "$1" operator raft list-peers 2>/dev/null | awk '$5 == "true" { print $1 }' | sort | xargs; }

peers() { consul_in "$1" operator raft list-peers 2>/dev/null | awk 'NR > 1 { print $1 }' | sort | xargs; }

# Of the first server that answers: each asks the leader itself, and one that is down for minutes knows nothing.
leader() {
	local pod found
	for pod in consul-0 consul-1 consul-2; do
		found=$(consul_in "$pod" operator raft list-peers 2>/dev/null | awk '$4 == "leader" { print $1 }')
		[ -z "$found" ] || { echo "$found" && return; }
	done
}

members_that_are() { # STATUS: node names, on one line
	consul_in consul-0 members 2>/dev/null | awk -v status="$1" '$3 == status { print $1 }' | sort | xargs
}

crash() { in_pod "$1" kill -QUIT 1; }
waiting_reason() {
	kubectl -n "$namespace" get pod "$1" -o jsonpath='{.status.containerStatuses[0].state.waiting.reason}'
}
is_backing_off() { [ "$(waiting_reason "$1")" = CrashLoopBackOff ]; }
# Crashes it whenever it runs, until kubelet waits before the next start: a server that is down for a while. kubelet 1.20
# tells of its waiting so late that a crash or two more may come before that, and the wait doubles with each.
crash_until_down() { crash "$1" 2>/dev/null; is_backing_off "$1"; }

claims() { kubectl -n "$namespace" get pvc -o jsonpath='{.items[*].metadata.name}'; }

first_servers() { # NUMBER: consul-0 consul-1 …
	local i
	for ((i = 0; i < $1; i++)); do echo "consul-$i"; done | xargs
}

# kubelet waits 5 minutes at most before it starts a container again.
healthy_again() {
	plugin health -n "$namespace" --wait --timeout 6m
	expect 'healthy after that' 0
}

another_leads() { [[ $(leader) == consul-[1-9] ]]; }
crash_until_another_leads() {
	another_leads && return
	[ -z "$(leader)" ] || crash consul-0
	return 1
}

# exactly NUMBER: peers are the first NUMBER servers, all of them voters, and nobody is failed.
exactly() {
	local wanted
	wanted=$(first_servers "$1")
	echo "peers: $(peers consul-0); voters: $(voters consul-0); failed: $(members_that_are failed)"
	[ "$(peers consul-0)" = "$wanted" ] && [ "$(voters consul-0)" = "$wanted" ] && [ -z "$(members_that_are failed)" ]
}

# ------------------------------------------------------------------------- the client that writes all the time
# See writer.c. It reaches pods by their addresses, as only the lab's machine does.

writer_pid='' list_pid=''

# writer_start [OPTION…]: writes to the cluster in $namespace from now on, by HTTPS and with a token where it has them.
# The Service is named consul.
writer_start() {
	secret_of consul-tls 'ca\.crt' >"$scratch/ca.crt"
	[ ! -s "$scratch/ca.crt" ] || set -- -c "$scratch/ca.crt" "$@"
	read_token
	echo "$token" >"$scratch/token"
	[ -z "$token" ] || set -- -t "$scratch/token" "$@"
	rm -f "$scratch/list"
	mkfifo "$scratch/list"
	kubectl -n "$namespace" get endpoints consul -w -o \
		jsonpath='{.subsets[*].addresses[*].ip} {.subsets[*].notReadyAddresses[*].ip}{"\n"}' >"$scratch/list" 2>/dev/null &
	list_pid=$!
	"$E2E_BIN/writer" "$@" <"$scratch/list" >"$scratch/writer" 2>&1 &
	writer_pid=$!
	until_true 60 grep -q '^writing' "$scratch/writer"
}

# What everybody who trusts the servers has to do while the authority changes: have the bundle that is in the Secret by now.
follower_pid=''
follow_authority() {
	while sleep 1; do
		secret_of consul-tls 'ca\.crt' >"$scratch/ca.new" && [ -s "$scratch/ca.new" ] && mv "$scratch/ca.new" "$scratch/ca.crt"
	done &
	follower_pid=$!
}

phase_count() { grep -c '^phase' "$scratch/writer"; }
phase_ended() { [ "$(phase_count)" -gt "$1" ]; }

# writer_phase NAME: prints what the client saw since the last one; $phase has the line.
writer_phase() {
	local before
	before=$(phase_count)
	kill -USR1 "$writer_pid" && until_true 30 phase_ended "$before"
	phase=$(grep '^phase' "$scratch/writer" | tail -n 1)
	echo "#   $1: ${phase#phase }"
}

phase_value() { grep -oE "$1 [0-9]+" <<<"$phase" | cut -d ' ' -f 2; } # NAME

# Ends it; its lines stay in $scratch/writer. 0: every acknowledged write was read back.
writer_stop() {
	local status=0
	kill -TERM "$writer_pid" && wait "$writer_pid" || status=$?
	kill "$list_pid" 2>/dev/null
	writer_pid='' list_pid=''
	cat "$scratch/writer"
	return "$status"
}

writer_value() { awk -v name="$1" '$1 == name { print $2 }' "$scratch/writer"; } # NAME, once it has ended

# Milliseconds in which servers of ours (raft_multiplier 1) may have no leader, for one election. A leader of 1.8 that
# leaves tells nobody: it is missed after 1 to 3 s, and every round of votes that nobody wins takes 1 to 2 s more (4.2 s in
# all were seen). The rest is for a busy machine.
one_election=8000

# What tests say: from here on, what follows is (not) to be counted, and what it came to.
measure_start() { # [OPTION…]: the writer's
	if [ -n "${E2E_KUBECONFIG:-}" ]; then
		echo "# skipped: nothing writes, because only the lab's pods are reached by their addresses"
	elif ! writer_start "$@"; then
		not_ok 'the client writes'
		cat "$scratch/writer"
	fi
}

measure_skip() { [ -z "$writer_pid" ] || writer_phase 'not counted'; }

measured() { # NAME [MILLISECONDS]: since the last one; longer without a leader, or than an election of ours, is a failure
	local most=${2:-$one_election}
	[ -n "$writer_pid" ] || return 0
	writer_phase "$1"
	short_enough() { [ "$(phase_value longest-leaderless-ms)" -le "$1" ]; }
	check "$1: never longer than $most ms without a leader" short_enough "$most"
	short_enough "$most" || { show_last; grep -v '^phase' "$scratch/writer" | sed 's/^/#   /'; }
}

measure_stop() {
	[ -n "$writer_pid" ] || return 0
	[ -z "$follower_pid" ] || kill "$follower_pid"
	follower_pid=''
	check 'no acknowledged write is lost' writer_stop
	echo "#   in all: $(writer_value acknowledged) of $(writer_value tried) writes acknowledged, $(writer_value lost) of them lost"
}

finish() {
	local code=$?
	[ -z "$writer_pid" ] || kill -KILL "$writer_pid" "$list_pid" $follower_pid 2>/dev/null
	rm -rf "$scratch"
	[ ${#namespaces[@]} -eq 0 ] || kubectl delete namespace "${namespaces[@]}" --wait=false >/dev/null 2>&1
	[ "$code" -eq 0 ] || exit "$code"
	[ "$failures" -eq 0 ] || exit 1
}
trap finish EXIT
trap 'exit 130' INT TERM
