#!/usr/bin/env bash
# Servers from an image without a shell: the tunnel needs none, and exec runs the CLI itself.
# shellcheck source=tests/e2e/lib.sh
source "$(dirname "$0")/lib.sh"

[ -z "${E2E_KUBECONFIG:-}" ] || { echo "# skipped: the image without a shell is the lab's own"; exit 0; }

new_namespace noshell
sed 's#image: .*#image: docker.io/hashicorp/consul:1.8.7-noshell#; s#^        - agent$#        - consul\n        - agent#; s#^        args:#        command:#' \
	tests/lab/foreign.yaml | kubectl -n "$namespace" apply -f - >/dev/null

plugin health -n "$namespace" --wait --timeout 6m
expect 'servers without a shell become healthy' 0 'HEALTHY'
plugin health -n "$namespace" --via tunnel -o wide
expect 'servers without a shell, asked by tunnel' 0 '^HEALTHY' ' tunnel'
plugin health -n "$namespace" --via exec -o wide
expect 'servers without a shell, asked by exec' 0 '^HEALTHY' 'exec'
