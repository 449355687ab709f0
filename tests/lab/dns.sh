# shellcheck shell=bash
# The cluster's DNS: dnsmasq, behind the Service kube-system/kube-dns, reading one hosts
# file that is written anew whenever a Service or an Endpoints object changes.

readonly DNS_HOSTS=/run/lab-dns/hosts

daemon_dnsmasq() {
  mkdir -p "$(dirname "$DNS_HOSTS")"
  : >"$DNS_HOSTS"
  trap '' HUP # which would end it, were it to come before dnsmasq handles it
  # Everything that is not in the file does not exist: no waiting for servers out of reach.
  exec dnsmasq --keep-in-foreground --conf-file=/dev/null --user=root --pid-file= \
    --listen-address="$NODE_IP" --bind-interfaces --port=53 --log-facility=- \
    --no-resolv --no-hosts --addn-hosts="$DNS_HOSTS" --local-ttl=0 \
    --local="/$CLUSTER_DOMAIN/" --address=/#/
}

daemon_dns-feed() {
  watch_changes /api/v1/endpoints /api/v1/services | while read -r _; do
    drain_changes
    dns_hosts >"$DNS_HOSTS.new" || continue
    cmp -s "$DNS_HOSTS.new" "$DNS_HOSTS" && continue
    # Written in place: dnsmasq reads it again at the signal.
    cat "$DNS_HOSTS.new" >"$DNS_HOSTS"
    kill -HUP "$(cat "$LAB_STATE/pids/dnsmasq")"
  done
}

# Services by their address; headless ones by their pods' addresses, and each pod that has
# a host name by pod.service.namespace.
dns_hosts() {
  {
    api /api/v1/services && api /api/v1/endpoints
  } | jq -rs --arg domain "svc.$CLUSTER_DOMAIN" '
    def key: "\(.metadata.namespace)/\(.metadata.name)";
    def name: "\(.metadata.name).\(.metadata.namespace).\($domain)";
    (.[1].items | map({key: key, value: (.subsets // [])}) | from_entries) as $subsets
    | .[0].items[]
    | name as $name
    | if .spec.clusterIP != "None" then
        select(.spec.clusterIP // "" | length > 0) | "\(.spec.clusterIP) \($name)"
      else
        .spec.publishNotReadyAddresses as $all
        | ($subsets[key] // [])[]
        | ((.addresses // []) + (if $all then .notReadyAddresses // [] else [] end))[]
        | "\(.ip) \(if .hostname then "\(.hostname).\($name) " else "" end)\($name)"
      end'
}

dns_objects() {
  cat <<EOF
apiVersion: v1
kind: Service
metadata:
  name: kube-dns
  namespace: kube-system
spec:
  clusterIP: $DNS_SERVICE_IP
  ports:
  - {name: dns, port: 53, protocol: UDP}
  - {name: dns-tcp, port: 53, protocol: TCP}
---
apiVersion: v1
kind: Endpoints
metadata:
  name: kube-dns
  namespace: kube-system
subsets:
- addresses:
  - ip: $NODE_IP
  ports:
  - {name: dns, port: 53, protocol: UDP}
  - {name: dns-tcp, port: 53, protocol: TCP}
---
EOF
}

dns_answers() {
  "$DEBIAN_ROOT/bin/busybox" timeout 1 "$DEBIAN_ROOT/bin/busybox" nslookup \
    "kubernetes.default.svc.$CLUSTER_DOMAIN" "$DNS_SERVICE_IP" | grep -q "$API_SERVICE_IP"
}
