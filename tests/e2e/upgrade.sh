#!/usr/bin/env bash
# deploy with another image on three servers that run, while a client writes: one server at a time, the leader last. An
# image that cannot be pulled stops it at the first server; both ways back. What needs no restart restarts nobody.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

# The same image by another name: another template, and nothing that could behave differently.
other_image=${E2E_IMAGE#docker.io/}
[ "$other_image" != "$E2E_IMAGE" ] || { echo '# skipped: the image has no second name'; exit 0; }

pods() { # FIELD: of all servers' pods, NAME=VALUE
	kubectl -n "$namespace" get pods -l app.kubernetes.io/name=consul \
		-o jsonpath="{range .items[*]}{.metadata.name}={$1}{\"\\n\"}{end}"
}
uids() { pods .metadata.uid; }
images_are() { ! pods '.spec.containers[0].image' | grep -v "=$1\$"; }
youngest() { pods .metadata.creationTimestamp | sort -t = -k 2 | tail -n 1 | cut -d = -f 1; }
generation() { kubectl -n "$namespace" get statefulset consul -o jsonpath='{.metadata.generation} {.spec.replicas}'; }
rolling_again() { [ "$(kubectl -n "$namespace" get statefulset consul -o jsonpath='{.spec.updateStrategy.type}')" = RollingUpdate ]; }
unchanged() { [ "$before" = "$(uids; generation)" ]; }
same_pods() { [ "$before" = "$(uids)" ]; }
replaced() { diff <(echo "$before") <(uids) | grep -c '^>'; }

new_namespace upgrade
deploy_ours >"$scratch/deploy" 2>&1 || { cat "$scratch/deploy"; exit 1; }

before=$(uids; generation)
plugin deploy -n "$namespace" --image "$other_image" --diff
expect 'deploy --diff shows what would change, and who is replaced' 0 "^ *[-+].*$other_image" 'the leader last.*consul-[012].*consul-[012].*consul-[012]'
check 'and changes nothing' unchanged

before=$(uids)
kubectl -n "$namespace" delete service consul-client >/dev/null
plugin deploy -n "$namespace" --timeout 6m
expect 'a change that needs no restart' 0 'service/consul-client created' 'HEALTHY'
check 'restarts nobody' same_pods

measure_start
measure_skip
if [ -z "${E2E_QUICK:-}" ]; then # three servers in turn: minutes
	led=$(leader)
	plugin deploy -n "$namespace" --image "$other_image" --timeout 6m
	expect 'another image' 0 'HEALTHY' '3/3 voters'
	all_replaced() { [ "$(replaced)" = 3 ] && images_are "$other_image"; }
	check 'is what all servers run' all_replaced
	led_last() { echo "led: $led, last: $(youngest)"; [ "$(youngest)" = "$led" ]; }
	check 'the leader was the last one' led_last
	check 'the StatefulSet is as it was' rolling_again
	check '3 voters, nobody failed' exactly 3
	measured 'another image'
else
	other_image=$E2E_IMAGE
fi

stops_at_first() {
	before=$(uids)
	plugin deploy -n "$namespace" --image "$E2E_IMAGE-typo" --timeout 6m
	expect 'an image that is not there stops it' 1 'cannot pull image' 'rollback'
	one_replaced() { [ "$(replaced)" = 1 ]; }
	check 'at the first server' one_replaced
	two_vote() { [ "$(wc -w <<<"$(voters "$led")")" = 2 ] && [ "$(leader_of "$led")" = "$led" ]; }
	check 'the others vote, the leader leads' two_vote
}
leader_of() { consul_in "$1" operator raft list-peers | awk '$4 == "leader" { print $1 }'; }

led=$(leader)
stops_at_first
# Both ways: asan's quick run takes the one, the full run the other.
if [ -z "${E2E_QUICK:-}" ]; then
	plugin deploy -n "$namespace" --rollback --diff
	expect 'deploy --rollback --diff names only the server that is to go back' 0 'the leader last: consul-[012]$'
	plugin deploy -n "$namespace" --rollback --timeout 6m
	expect 'deploy --rollback goes back' 0 'HEALTHY' '3/3 voters'
else
	plugin deploy -n "$namespace" --image "$other_image" --timeout 6m
	expect 'the same command with the old image goes back' 0 'HEALTHY' '3/3 voters'
fi
back() { images_are "$other_image" && rolling_again && [ "$(replaced)" = 1 ]; }
check 'and restarts nobody else' back
measured 'an image that is not there, and back' 3000

measure_stop
plugin health -n "$namespace"
expect 'healthy after all that' 0 '^HEALTHY' '3/3 voters'
