#!/usr/bin/env bash
# Other certificates, another authority and another gossip key on servers that run, while a client writes: nobody is
# restarted, nobody is refused.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

no_election=3000 # there is no reason for one; milliseconds without a leader, on a busy machine

[ -z "${E2E_KUBECONFIG:-}" ] || { echo '# skipped: only pods of the lab are reached by their addresses'; exit 0; }

uids() { kubectl -n "$namespace" get pods -l app.kubernetes.io/name=consul -o jsonpath='{.items[*].metadata.uid} {.items[*].status.containerStatuses[*].restartCount}{"\n"}'; }
nobody_restarted() { diff <(echo "$before") <(uids); }
addresses() { kubectl -n "$namespace" get pods -l app.kubernetes.io/name=consul -o jsonpath='{.items[*].status.podIP}'; }
presented() { # PORT: the serial numbers of what the servers present there
	local address
	for address in $(addresses); do
		openssl s_client -connect "$address:$1" -servername server.dc1.consul </dev/null 2>/dev/null |
			openssl x509 -noout -serial
	done | sort -u
}
of_secret() { secret_of consul-tls 'tls\.crt' | openssl x509 -noout -serial; }
all_present_it() { [ "$(presented 8501)" = "$(of_secret)" ]; }
another() { all_present_it && [ "$(of_secret)" != "$serial" ]; }
ring() { consul_in consul-0 keyring -list | awk '$1 ~ /=$/ { print $1 }' | sort -u; }
gossip_key() { secret_of consul-gossip 'gossip\.json' | grep -oE '"encrypt": *"[^"]+"' | cut -d '"' -f 4; }

new_namespace rotate
deploy_ours --acls >"$scratch/deploy" 2>&1 || { cat "$scratch/deploy"; exit 1; }
measure_start
follow_authority
measure_skip
before=$(uids)

serial=$(of_secret)
check 'all servers present the certificate of the Secret' all_present_it
plugin deploy -n "$namespace" --rotate-certs --timeout 6m
expect 'deploy --rotate-certs' 0
check 'all servers present another certificate' another
check 'nobody was restarted for it' nobody_restarted
measured 'another certificate' "$no_election"

key=$(gossip_key)
plugin deploy -n "$namespace" --rotate-gossip-key --timeout 6m
expect 'deploy --rotate-gossip-key' 0
only_new() { [ "$(gossip_key)" != "$key" ] && [ "$(ring)" = "$(gossip_key)" ]; }
check 'the ring has the new key of the Secret, and no other' only_new
check 'nobody was restarted for that' nobody_restarted
measured 'another gossip key' "$no_election"

if [ -z "${E2E_QUICK:-}" ]; then # three turns, each waits until kubelet has brought the Secret into the pods
	serial=$(of_secret)
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj '/CN=another CA' \
		-keyout "$scratch/own.key" -out "$scratch/own.crt" 2>/dev/null
	plugin deploy -n "$namespace" --rotate-certs --tls-ca-cert "$scratch/own.crt" --tls-ca-key "$scratch/own.key" --timeout 9m
	expect "another authority, the user's own" 0
	check 'all servers present another certificate' another
	only_own() { diff <(secret_of consul-tls 'ca\.crt') "$scratch/own.crt"; }
	check 'nobody trusts the old authority any more' only_own
	check 'nobody was restarted for that, either' nobody_restarted
	measured 'another authority' "$no_election"
fi
measure_stop

# A server that begins anew, in the same pod, has to find the others with what is there now.
restarted() { [ "$(kubectl -n "$namespace" get pod consul-2 -o jsonpath='{.status.containerStatuses[0].restartCount}')" = 1 ]; }
in_pod consul-2 kill 1
check 'a server leaves, and is started' until_true 120 restarted
plugin health -n "$namespace" --wait --timeout 6m
expect 'and comes back with all that is new' 0 'HEALTHY' '3/3 voters'
