#!/usr/bin/env bash
# TLS turned on for three servers that run without, while a client writes: in two goes, one server at a time. The client
# tries HTTPS first, and plain HTTP where there is none.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

[ -z "${E2E_QUICK:-}" ] || { echo '# skipped: E2E_QUICK is set'; exit 0; }
[ -z "${E2E_KUBECONFIG:-}" ] || { echo '# skipped: only pods of the lab are reached by their addresses'; exit 0; }

address() { kubectl -n "$namespace" get pod consul-0 -o jsonpath='{.status.podIP}'; }
plain() { curl -sS -m 5 "http://$(address):8500/v1/status/leader"; }
plain_is_refused() { ! plain; }
encrypted() {
	curl -sS -m 5 --cacert "$scratch/ca.crt" --resolve "server.dc1.consul:8501:$(address)" \
		https://server.dc1.consul:8501/v1/status/leader
}

new_namespace tls-on
deploy_ours --no-tls >"$scratch/deploy" 2>&1 || { cat "$scratch/deploy"; exit 1; }
check 'plain HTTP without TLS' plain

measure_start -e -c "$scratch/ca.crt"
follow_authority
measure_skip
plugin deploy -n "$namespace" --tls --timeout 10m
expect 'deploy --tls' 0 'HEALTHY' '3/3 voters'
check '3 voters, nobody failed' exactly 3
check 'plain HTTP is refused' plain_is_refused
check 'HTTPS with the authority works' encrypted
measured 'TLS is turned on'
measure_stop
plugin health -n "$namespace"
expect 'health' 0 '^HEALTHY' '3/3 voters'
