# shellcheck shell=bash
# The cluster's certificate authority, what it signs, and kubeconfig files.

certs_make_all() {
  local pki=$LAB_STATE/pki
  mkdir -p "$pki" "$LAB_STATE/conf"
  chmod 700 "$pki"
  certs_make_ca
  openssl ecparam -genkey -name prime256v1 -noout -out "$pki/sa.key" 2>/dev/null
  openssl ec -in "$pki/sa.key" -pubout -out "$pki/sa.pub" 2>/dev/null

  certs_sign apiserver /CN=kube-apiserver "DNS:kubernetes,DNS:kubernetes.default,\
DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.$CLUSTER_DOMAIN,DNS:localhost,\
IP:127.0.0.1,IP:$API_SERVICE_IP,IP:$NODE_IP,IP:$UPLINK_LAB_IP"
  certs_sign kubelet-server "/O=system:nodes/CN=system:node:$NODE_NAME" \
    "DNS:$NODE_NAME,IP:$NODE_IP,IP:127.0.0.1"
  certs_sign apiserver-kubelet-client /O=system:masters/CN=kube-apiserver-kubelet-client
  certs_sign admin /O=system:masters/CN=lab-admin
  certs_sign kubelet "/O=system:nodes/CN=system:node:$NODE_NAME"
  certs_sign kube-controller-manager /CN=system:kube-controller-manager
  certs_sign kube-scheduler /CN=system:kube-scheduler
  certs_sign kube-proxy /CN=system:kube-proxy

  local who
  for who in kubelet kube-controller-manager kube-scheduler kube-proxy; do
    certs_kubeconfig "$who" "$LAB_STATE/conf/$who.kubeconfig" https://127.0.0.1:6443
  done
  certs_kubeconfig admin "$ADMIN_KUBECONFIG" "$API_URL"
}

certs_make_ca() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 365 \
    -subj /CN=kubectl-consul-lab-ca -addext keyUsage=critical,keyCertSign,cRLSign,digitalSignature \
    -keyout "$LAB_STATE/pki/ca.key" -out "$LAB_STATE/pki/ca.crt" 2>/dev/null
}

certs_sign() { # NAME SUBJECT [SUBJECT-ALTERNATIVE-NAMES]
  local base=$LAB_STATE/pki/$1 subject=$2 names=${3:-}
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj "$subject" \
    -keyout "$base.key" -out "$base.csr" 2>/dev/null
  openssl x509 -req -in "$base.csr" -CA "$LAB_STATE/pki/ca.crt" -CAkey "$LAB_STATE/pki/ca.key" \
    -set_serial "0x$(openssl rand -hex 8)" -days 365 -out "$base.crt" \
    -extfile <(
      echo extendedKeyUsage=serverAuth,clientAuth
      [[ -z $names ]] || echo "subjectAltName=$names"
    ) 2>/dev/null
  rm -f "$base.csr"
}

certs_kubeconfig() { # NAME-OF-CERTIFICATE FILE SERVER
  local base=$LAB_STATE/pki/$1 file=$2 server=$3
  (umask 077 && cat >"$file.new") <<EOF
apiVersion: v1
kind: Config
current-context: lab
clusters:
- name: lab
  cluster:
    server: $server
    certificate-authority-data: $(base64 -w0 <"$LAB_STATE/pki/ca.crt")
users:
- name: $1
  user:
    client-certificate-data: $(base64 -w0 <"$base.crt")
    client-key-data: $(base64 -w0 <"$base.key")
contexts:
- name: lab
  context:
    cluster: lab
    user: $1
EOF
  mv "$file.new" "$file"
}

# A kubeconfig for a person of that name, who may do nothing until RBAC says otherwise.
certs_user_kubeconfig() { # NAME [GROUP]
  local name=$1 group=${2:-} file=$LAB_STATE/users/$1.kubeconfig
  [[ $name =~ ^[A-Za-z0-9][A-Za-z0-9.@-]*$ ]] || fail "not a user name: $name" || return 1
  [[ $group =~ ^[A-Za-z0-9:.@-]*$ ]] || fail "not a group name: $group" || return 1
  mkdir -p "$LAB_STATE/users"
  certs_sign "user-$name" "${group:+/O=$group}/CN=$name"
  certs_kubeconfig "user-$name" "$file" "$API_URL"
  echo "$file"
}
