# shellcheck shell=bash
# What the e2e tests share: namespaces, checks, waiting for a condition with a deadline.
set -uo pipefail

failures=0
namespaces=()
scratch=$(mktemp -d)

ok() { echo "ok $*"; }

not_ok() {
	echo "not ok $*"
	failures=$((failures + 1))
}

# check NAME COMMAND…: the command must succeed.
check() {
	local name=$1
	shift
	if "$@" >"$scratch/check" 2>&1; then
		ok "$name"
	else
		not_ok "$name"
		sed 's/^/#   /' "$scratch/check" | tail -n 40
		return 0
	fi
}

# The plugin as a user runs it; stdout, stderr and exit code are kept in $out, $err and $code.
plugin() {
	code=0
	"$KUBECTL_CONSUL" "$@" >"$scratch/out" 2>"$scratch/err" || code=$?
	out=$(<"$scratch/out")
	err=$(<"$scratch/err")
}

# expect NAME CODE PATTERN…: the last plugin's exit code, and patterns (grep -E) that its output must have.
expect() {
	local name=$1 wanted=$2 pattern
	shift 2
	if [ "$code" != "$wanted" ]; then
		not_ok "$name: exit code $code, not $wanted"
		show_last
		return 0
	fi
	for pattern in "$@"; do
		if ! printf '%s\n%s\n' "$out" "$err" | grep -qE -- "$pattern"; then
			not_ok "$name: no \"$pattern\" in the output"
			show_last
			return 0
		fi
	done
	ok "$name"
}

show_last() { printf '%s\n%s\n' "$out" "$err" | sed 's/^/#   /'; }

# until_true SECONDS COMMAND…: again and again until it succeeds. The only place that sleeps: between two tries.
until_true() {
	local end=$((SECONDS + $1))
	shift
	while ! "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.2
	done
}

new_namespace() { # NAME: a namespace of this run
	namespace=e2e-$1-$$
	kubectl create namespace "$namespace" >/dev/null
	namespaces+=("$namespace")
}

deploy_ours() { # [OPTION…]: three servers in $namespace
	"$KUBECTL_CONSUL" deploy -n "$namespace" --image "$E2E_IMAGE" --storage-size 1Gi --timeout 3m "$@"
}

finish() {
	local code=$?
	rm -rf "$scratch"
	[ ${#namespaces[@]} -eq 0 ] || kubectl delete namespace "${namespaces[@]}" --wait=false >/dev/null 2>&1
	[ "$code" -eq 0 ] || exit "$code"
	[ "$failures" -eq 0 ] || exit 1
}
trap finish EXIT
trap 'exit 130' INT TERM
