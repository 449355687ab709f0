#!/usr/bin/env bash
# deploy --acls from nothing, with TLS as it is by default: who is let in and who is not; then all that works without
# works with: health, scale 3 -> 5 -> 3 under a client that writes, reap.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

address_of() { kubectl -n "$namespace" get pod "$1" -o jsonpath='{.status.podIP}'; }

# A pod of somebody else's, beside the servers: with the image alone, or (stranger) as a server that knows the gossip key, but
# whose certificate is of another authority.
configuration() {
	kubectl -n "$namespace" get statefulset consul -o jsonpath='{.spec.template.metadata.annotations.kubectl-consul/server}'
}
run_pod() { # NAME COMMAND-AS-JSON SECRET-WITH-TLS
	kubectl -n "$namespace" apply -f - <<-TXT
		apiVersion: v1
		kind: Pod
		metadata: {name: $1, annotations: {kubectl-consul/server: '$(configuration)'}}
		spec:
		  terminationGracePeriodSeconds: 0
		  hostname: $1
		  securityContext: {runAsUser: 100, runAsGroup: 1000, fsGroup: 1000}
		  containers:
		  - name: consul
		    image: $E2E_IMAGE
		    command: $2
		    env:
		    - {name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
		    volumeMounts:
		    - {name: config, mountPath: /consul/config}
		    - {name: tls, mountPath: /consul/tls}
		    - {name: data, mountPath: /consul/data}
		  volumes:
		  - {name: data, emptyDir: {}}
		  - {name: tls, secret: {secretName: $3}}
		  - name: config
		    projected:
		      sources:
		      - {configMap: {name: consul-server}}
		      - {downwardAPI: {items: [{path: template.json, fieldRef: {fieldPath: "metadata.annotations['kubectl-consul/server']"}}]}}
		      - {secret: {name: consul-gossip, items: [{key: gossip.json, path: gossip.json}]}}
	TXT
}

foreign_authority() { # a certificate with the right names, of an authority that nobody knows
	local key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2)
	openssl req -x509 "${key[@]}" -keyout "$scratch/foreign-ca.key" -out "$scratch/foreign-ca.crt" -subj '/CN=foreign CA' &&
		openssl req "${key[@]:0:5}" -keyout "$scratch/foreign.key" -out "$scratch/foreign.csr" -subj /CN=server.dc1.consul &&
		openssl x509 -req -in "$scratch/foreign.csr" -CA "$scratch/foreign-ca.crt" -CAkey "$scratch/foreign-ca.key" \
			-CAcreateserial -days 2 -out "$scratch/foreign.crt" \
			-extfile <(echo 'subjectAltName=DNS:server.dc1.consul,DNS:localhost,IP:127.0.0.1') &&
		kubectl -n "$namespace" create secret generic foreign-tls --from-file=ca.crt="$scratch/foreign-ca.crt" \
			--from-file=tls.crt="$scratch/foreign.crt" --from-file=tls.key="$scratch/foreign.key"
}

new_namespace tls-acl
plugin deploy -n "$namespace" --image "$E2E_IMAGE" --storage-size 1Gi --acls --timeout 6m
expect 'deploy with TLS and ACLs from nothing' 0 'HEALTHY' '3/3 voters'
read_token
nothing_told() { [ -n "$token" ] && ! grep -F -e "$token" -e 'PRIVATE KEY' "$scratch/out" "$scratch/err"; }
check 'no key and no token was printed' nothing_told
check '3 voters, nobody failed' exactly 3
same_again() {
	plugin deploy -n "$namespace" --timeout 6m
	[ "$code" = 0 ] && ! printf '%s\n' "$out" "$err" | grep -E '^[a-z.]+/[a-z-]+ (created|configured)'
}
check 'a second deploy changes nothing' same_again

# ------------------------------------------------------------------------------------------------ who is let in

check 'a pod of somebody else beside them' run_pod elsewhere '[sleep, "3600"]' consul-tls
runs() { [ "$(kubectl -n "$namespace" get pod "$1" -o jsonpath='{.status.phase}')" = Running ]; }
check 'runs' until_true 120 runs elsewhere
address=$(address_of consul-0)
plain_is_refused() {
	! in_pod elsewhere wget -q -O - "http://$address:8500/v1/status/leader" 2>"$scratch/refused" && grep -i refused "$scratch/refused"
}
check 'plain HTTP from another pod is refused' plain_is_refused
loopback_answers() { in_pod consul-0 wget -q -O - http://127.0.0.1:8500/v1/status/leader; }
check 'and is there on the loopback' loopback_answers

if [ -z "${E2E_KUBECONFIG:-}" ]; then
	secret_of consul-tls 'ca\.crt' >"$scratch/ca.crt"
	https() { # PATH [OPTION…]
		curl -sS -m 5 --resolve "server.dc1.consul:8501:$address" "https://server.dc1.consul:8501/v1/$1" "${@:2}"
	}
	trusted() { https "$1" --cacert "$scratch/ca.crt" "${@:2}"; }
	as_operator() { trusted "$1" -H "@$scratch/header"; }
	(umask 077 && echo "X-Consul-Token: $token" >"$scratch/header")
	leader_is_told() { trusted status/leader | grep -E '^"[0-9.]+:8300"$'; }
	check 'HTTPS with the authority works' leader_is_told
	not_trusted() { ! https status/leader 2>"$scratch/refused" && grep 'certificate' "$scratch/refused"; }
	check 'and without it the certificate is not trusted' not_trusted
	sees_nothing() {
		[ "$(trusted catalog/nodes)" = '[]' ] && [ "$(trusted agent/members)" = '[]' ] &&
			trusted operator/raft/configuration | grep -i 'permission denied' &&
			trusted kv/e2e -X PUT -d x | grep -i 'permission denied'
	}
	check 'an anonymous token sees nothing' sees_nothing
	sees_all() { as_operator catalog/nodes | grep consul-2 && as_operator operator/raft/configuration | grep '"Voter": *true'; }
	check 'the management token sees all' sees_all
fi

check 'an authority of somebody else' foreign_authority
check 'a server whose certificate it signed' run_pod stranger \
	'[sh, -c, "exec consul agent -server -config-dir=/consul/config -node=stranger -bind=$POD_IP -advertise=$POD_IP"]' foreign-tls
stranger_fails() { kubectl -n "$namespace" logs stranger | grep -iE 'x509|bad certificate|unknown authority'; }
check 'is not trusted' until_true 120 stranger_fails
stays_out() {
	[ "$(voters consul-0)" = "$(first_servers 3)" ] || return 1
	[ "$(in_pod stranger wget -q -O - http://127.0.0.1:8500/v1/status/leader)" = '""' ]
}
check 'and has neither a vote nor a leader' stays_out

# Killed, it says no goodbye: reap has something to do, if autopilot does not do it before.
consul_in consul-0 operator autopilot set-config -cleanup-dead-servers=false >/dev/null
kubectl -n "$namespace" delete pod stranger elsewhere --grace-period=0 --force >/dev/null 2>&1
stranger_failed() { [ "$(members_that_are failed)" = stranger ]; }
check 'it is killed' until_true 120 stranger_failed
plugin reap stranger -n "$namespace" --yes --timeout 6m
expect 'reap takes away what was killed' 0 'stranger'
check '3 voters, nobody failed' exactly 3
consul_in consul-0 operator autopilot set-config -cleanup-dead-servers=true >/dev/null

# --------------------------------------------------------------------------------------------- all that works

plugin health -n "$namespace" --wait --timeout 6m
expect 'health' 0 'HEALTHY' '3/3 voters'
plugin health -n "$namespace" --via tunnel -o wide
expect 'health --via tunnel' 0 '^HEALTHY' 'tunnel'
plugin health -n "$namespace" --via exec -o wide
expect 'health --via exec' 0 '^HEALTHY' 'exec'

weak_token() { # may read one key, and nothing of the servers
	consul_in consul-0 acl policy create -name weak -rules 'key "weak" { policy = "read" }' >/dev/null
	consul_in consul-0 acl token create -policy-name weak | awk '$1 == "SecretID:" { print $2 }'
}
(umask 077 && weak_token >"$scratch/weak")
known_everywhere() { # to a server that has not heard of it yet it is another cluster's
	local pod token
	token=$(<"$scratch/weak")
	for pod in consul-0 consul-1 consul-2; do consul_in "$pod" acl token read -self || return 1; done
}
check 'a token that may nearly nothing' until_true 60 known_everywhere
plugin health -n "$namespace" --token-file "$scratch/weak"
expect 'health with a token that lacks a right names the rule' 2 'CON204' 'lacks .*"read"' 'operator'

[ -z "${E2E_QUICK:-}" ] || { echo '# skipped: scale, since E2E_QUICK is set'; exit 0; }
measure_start
plugin scale 5 -n "$namespace" --yes --timeout 6m
expect 'scale 3 -> 5' 0
check '5 voters, nobody failed' exactly 5
measured 'scale 3 -> 5'
plugin scale 3 -n "$namespace" --yes --timeout 6m
expect 'scale 5 -> 3' 0
check '3 voters, nobody failed' exactly 3
measured 'scale 5 -> 3'
measure_stop
plugin health -n "$namespace"
expect 'healthy after all that' 0 '^HEALTHY' '3/3 voters'
