#!/usr/bin/env bash
# Names and authorities, as the static binary finds them: names.sh BINARY DIRECTORY. Runs in network and mount
# namespaces of its own (see check.sh), where it may give the machine another /etc. One "ok" or "not ok" line for each.
set -euo pipefail
binary=$1 work=$2
here=$(dirname "$0")

ip link set lo up
mkdir -p "$work/etc/ssl" "$work/nowhere"
cp /etc/passwd "$work/etc/" 2>/dev/null || true
mount --bind "$work/etc" /etc

python3 "$here/server.py" "$work" >"$work/ready" 2>"$work/server.log" &
server=$!
trap 'kill "$server"' EXIT
for ((i = 0; i < 100; i++)); do
	[[ ! -s $work/ready ]] || break
	sleep 0.1
done

# says WHAT TEXT OPTION…: a run against https://HOST:6443 ends with TEXT.
says() {
	local what=$1 text=$2 output
	shift 2
	output=$(timeout 20 env -i HOME="$work/nowhere" "$@" health 2>&1) || true
	if [[ $output == *"$text"* ]]; then
		echo "ok $what"
	else
		echo "not ok $what: no \"$text\" in: $output"
	fi
}

reached="the server of the dist tests forbids it"
api=("$binary" --server https://api.dist.test:6443)
printf 'nameserver 127.0.0.1\noptions timeout:2 attempts:1\n' >/etc/resolv.conf
says "a name that DNS knows" "$reached" "${api[@]}" --certificate-authority "$work/ca.pem"
says "a name that DNS does not know" "lookup gone.dist.test: no such host" \
	"$binary" --server https://gone.dist.test:6443 --certificate-authority "$work/ca.pem"

: >/etc/resolv.conf
printf '127.0.0.1 localhost\n127.0.0.1 hosts.dist.test\n' >/etc/hosts
says "a name in /etc/hosts, without DNS" "$reached" \
	"$binary" --server https://hosts.dist.test:6443 --certificate-authority "$work/ca.pem"

printf '127.0.0.1 api.dist.test\n' >/etc/hosts
says "no authorities anywhere" "certificate signed by unknown authority" "${api[@]}"
says "SSL_CERT_FILE" "$reached" SSL_CERT_FILE="$work/ca.pem" "${api[@]}"
mkdir "$work/authorities"
cp "$work/ca.pem" "$work/authorities/any-name.pem"
says "SSL_CERT_DIR" "$reached" SSL_CERT_DIR="$work/nowhere:$work/authorities" "${api[@]}"
cp "$work/ca.pem" /etc/ssl/cert.pem
says "authorities where Alpine has them" "$reached" "${api[@]}"
rm /etc/ssl/cert.pem
mkdir -p /etc/pki/ca-trust/extracted/pem
cp "$work/ca.pem" /etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem
says "authorities where Fedora has them" "$reached" "${api[@]}"
