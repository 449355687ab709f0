# shellcheck shell=bash
# The lab has a network namespace of its own. One veth pair joins it to the machine; it
# vanishes, with its routes on the machine's side, when the namespace does.

# On the machine: gives one end of the pair to the lab's first process.
network_connect() { # PID
  ip link add "$UPLINK_HOST" type veth peer name "$UPLINK_LAB" netns "$1"
  ip address add "$UPLINK_HOST_IP/30" dev "$UPLINK_HOST"
  ip link set "$UPLINK_HOST" up
  ip route add "$POD_CIDR" via "$UPLINK_LAB_IP"
  ip route add "$SERVICE_CIDR" via "$UPLINK_LAB_IP"
}

network_is_gone() { ! ip link show "$UPLINK_HOST" 2>/dev/null; }

# Inside the lab: the uplink, and the bridge of the pods, which is the node's address.
network_inside() {
  ip link set lo up
  wait_until 10 ip link show "$UPLINK_LAB" || fail "no uplink appeared"
  ip address add "$UPLINK_LAB_IP/30" dev "$UPLINK_LAB"
  ip link set "$UPLINK_LAB" up
  ip link add cni0 address 02:00:0a:f4:00:01 type bridge
  ip address add "$NODE_IP/${POD_CIDR#*/}" dev cni0
  ip link set cni0 up
  echo 1 >/proc/sys/net/ipv4/ip_forward
}

network_cni_config() {
  mkdir -p "$LAB_STATE/conf/cni"
  cat >"$LAB_STATE/conf/cni/10-lab.conflist" <<EOF
{
  "cniVersion": "0.4.0",
  "name": "lab",
  "plugins": [
    {
      "type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true,
      "ipam": {
        "type": "host-local", "dataDir": "/run/cni",
        "ranges": [[{"subnet": "$POD_CIDR"}]], "routes": [{"dst": "0.0.0.0/0"}]
      }
    },
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
EOF
}
