#!/usr/bin/env bash
# Checks that the lab is what the tests take it for. Brings it up, and leaves it up.
# Prints one line per check; exit status 0 if all passed, 77 if this machine cannot run it.
set -euo pipefail

LAB_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=config.sh
source "$LAB_DIR/config.sh"
NAMESPACE=lab-selftest-$$
PASSED=0
FAILED=0
FORWARD_PID=

# check WHAT SECONDS COMMAND...: passes as soon as the command succeeds within the time.
check() {
  local what=$1 deadline=$((SECONDS + $2)) since=$SECONDS output
  shift 2
  until output=$("$@" 2>&1); do
    if ((SECONDS >= deadline)); then
      printf 'not ok %s (%ds): %s\n' "$what" $((SECONDS - since)) "$(tail -n1 <<<"$output")"
      FAILED=$((FAILED + 1))
      return 0
    fi
    sleep 0.2
  done
  printf 'ok     %s (%ds)\n' "$what" $((SECONDS - since))
  PASSED=$((PASSED + 1))
}

k() { kubectl --namespace "$NAMESPACE" "$@"; }
in_server() { k exec "consul-$1" -- "${@:2}"; }

servers_alive() { # COUNT
  [[ $(in_server 0 consul members | grep -c ' alive  *server ') == "$1" ]]
}

voters() { # COUNT
  [[ $(in_server 0 consul operator raft list-peers | grep -c ' true ') == "$1" ]]
}

leader_is_known() { in_server 0 wget -qO- http://127.0.0.1:8500/v1/status/leader | grep -q :8300; }

members_by_forward() {
  [[ $(curl -sf "http://127.0.0.1:$FORWARD_PORT/v1/agent/members" | jq length) == 3 ]]
}

resolves_to() { # NAME ADDRESSES
  local found
  found=$(in_server 0 nslookup "$1" | awk '/^Name:/ { on = 1 } on && /^Address:/ { print $2 }' | sort | xargs)
  [[ -n $2 && $found == "$2" ]] || { echo "$1 is $found, not $2"; return 1; }
}

pod_addresses() {
  k get pods --selector app=consul --output jsonpath='{.items[*].status.podIP}' | xargs -n1 | sort | xargs
}

headless_name_resolves() { resolves_to "consul.$NAMESPACE.svc.cluster.local" "$(pod_addresses)"; }

pod_name_resolves() {
  resolves_to "consul-1.consul.$NAMESPACE.svc.cluster.local" \
    "$(k get pod consul-1 --output jsonpath='{.status.podIP}')"
}

pod_is_gone() { ! k get pod "$1" 2>/dev/null; }
claims_are_bound() { [[ $(k get pvc --no-headers | grep -c ' Bound .* lab-local ') == 3 ]]; }
foreign_name_does_not_exist() { { in_server 0 nslookup example.org || true; } | grep -q NXDOMAIN; }

service_answers_in_pod() {
  in_server 0 wget -qO- --no-check-certificate https://kubernetes.default.svc/version | grep -q gitVersion
}

input_survives_exec() {
  local sum
  sum=$(head -c 300000 /dev/zero | md5sum)
  [[ $(head -c 300000 /dev/zero | k exec -i consul-0 -- md5sum) == "$sum" ]]
}

exit_code_survives_exec() {
  local code=0
  in_server 0 sh -c 'exit 42' || code=$?
  ((code == 42))
}

pod_may_not_list_secrets() {
  ! kubectl --as "system:serviceaccount:$NAMESPACE:default" --namespace "$NAMESPACE" get secrets 2>/dev/null
}

image_pull_fails() { # POD
  k get pod "$1" --output jsonpath='{.status.containerStatuses[0].state.waiting.reason}' | grep -qE 'ErrImagePull|ImagePullBackOff'
}

user_may() { # WHAT IS EXPECTED, VERB, RESOURCE
  local answer
  answer=$(KUBECONFIG=$USER_KUBECONFIG k auth can-i "$2" "$3" || true)
  [[ $answer == "$1" ]]
}

volumes_are_gone() {
  [[ -z $(kubectl get pv --output jsonpath="{.items[?(@.spec.claimRef.namespace=='$NAMESPACE')].metadata.name}") ]]
}

start_forward() {
  local log
  log=$(mktemp)
  k port-forward pod/consul-0 0:8500 >"$log" 2>&1 &
  FORWARD_PID=$!
  until FORWARD_PORT=$(grep -o '127.0.0.1:[0-9]*' "$log" | cut -d: -f2) && [[ -n $FORWARD_PORT ]]; do
    kill -0 "$FORWARD_PID" 2>/dev/null || break
    sleep 0.1
  done
  rm -f "$log"
}

stop_forward() {
  [[ -z $FORWARD_PID ]] || kill "$FORWARD_PID" 2>/dev/null || true
  FORWARD_PID=
}

finish() {
  stop_forward
  [[ -z ${KUBECONFIG:-} ]] || kubectl delete namespace "$NAMESPACE" --wait=false >/dev/null 2>&1 || true
}

check_servers() {
  k apply --filename "$LAB_DIR/foreign.yaml" >/dev/null
  check "three servers are rolled out" 90 k rollout status statefulset/consul --timeout=1s
  check "three members are alive" 60 servers_alive 3
  check "there is a leader" 60 leader_is_known
  check "all three vote" 60 voters 3
  check "each has a volume of the default class" 5 claims_are_bound
  check "the volume is writable for user 100" 10 in_server 1 sh -c 'id -u | grep -qx 100 && touch /consul/data/probe'
}

check_access() {
  check "exec keeps exit codes" 10 exit_code_survives_exec
  check "exec passes on input" 10 input_survives_exec
  start_forward
  check "port-forward reaches the API of Consul" 10 members_by_forward
  stop_forward
  check "a pod's service account is bound by RBAC" 5 pod_may_not_list_secrets
  USER_KUBECONFIG=$("$LAB_DIR/lab" kubeconfig --as-user selftest-user)
  check "a new user may do nothing" 5 user_may no get pods
  k create rolebinding selftest --clusterrole view --user selftest-user >/dev/null
  check "a user may do what a role allows" 10 user_may yes get pods
  check "and no more than that" 5 user_may no get secrets
}

check_names() {
  check "the headless service resolves to all pods" 10 headless_name_resolves
  check "a pod's own name resolves" 10 pod_name_resolves
  check "other names do not exist" 10 foreign_name_does_not_exist
  check "services answer inside pods" 10 service_answers_in_pod
}

check_images() {
  k run no-image --image=registry.invalid/none:1 --restart=Never >/dev/null
  k run no-shell --image=hashicorp/consul:1.8.7-noshell --restart=Never -- agent -dev >/dev/null
  check "an image that is nowhere fails soon" 20 image_pull_fails no-image
  check "the image without a shell runs Consul" 30 k exec no-shell -- consul members
  check "and has no sh" 10 bash -c "! kubectl --namespace $NAMESPACE exec no-shell -- sh -c true 2>/dev/null"
  k delete pod no-image no-shell --grace-period=0 --force >/dev/null 2>&1
}

check_scaling() {
  k scale statefulset/consul --replicas=2 >/dev/null
  check "scaling down takes the last server" 60 pod_is_gone consul-2
  check "its name no longer resolves" 10 bash -c "! kubectl --namespace $NAMESPACE exec consul-0 -- nslookup consul-2.consul.$NAMESPACE.svc.cluster.local"
  k scale statefulset/consul --replicas=3 >/dev/null
  check "scaling up brings it back" 60 k rollout status statefulset/consul --timeout=1s
  # Consul takes its time: the others elect anew while the server comes back elsewhere.
  check "three members are alive again" 180 servers_alive 3
  check "all three vote again" 120 voters 3
}

main() {
  "$LAB_DIR/lab" can-run || exit 77
  local line
  line=$("$LAB_DIR/lab" up)
  export KUBECONFIG=${line#export KUBECONFIG=}
  trap finish EXIT
  kubectl create namespace "$NAMESPACE" >/dev/null
  check_servers
  check_access
  check_names
  check_images
  check_scaling
  check "the namespace can be deleted" 60 kubectl delete namespace "$NAMESPACE" --ignore-not-found --timeout=50s
  check "its volumes are gone" 20 volumes_are_gone
  echo "$PASSED passed, $FAILED failed"
  ((FAILED == 0))
}

main "$@"
