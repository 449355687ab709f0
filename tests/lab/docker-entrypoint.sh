#!/usr/bin/dumb-init /bin/sh
# shellcheck shell=sh
# Runs what it is given, and understands the arguments that manifests written for the
# public Consul image use: a Consul subcommand, or only its flags.
set -e

case ${1:-} in
-*) set -- agent "$@" ;;
esac

if [ "${1:-}" = agent ]; then
    shift
    [ -z "${CONSUL_LOCAL_CONFIG:-}" ] || echo "$CONSUL_LOCAL_CONFIG" >/consul/config/local.json
    set -- consul agent -data-dir="${CONSUL_DATA_DIR:-/consul/data}" \
        -config-dir="${CONSUL_CONFIG_DIR:-/consul/config}" "$@"
fi
exec "$@"
