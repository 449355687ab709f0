# shellcheck shell=bash
# The distribution's source packages, through a private apt configuration that is derived from the machine's own:
# the same mirror and suites, security updates included, but deb-src, below $DIST_CACHE/apt. apt checks the
# signatures, dpkg-source the checksums. The system's apt stays as it is. Needs tests/lab/common.sh.

readonly DEBIAN_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# wslay's own source is not on every mirror; aria2 has the same release of it, whole.
readonly SOURCES=(musl zlib openssl nghttp2 curl cjson libyaml aria2)

# The mirror is asked for newer sources when what is there is older than this.
readonly SOURCES_FRESH_MINUTES=1440

sources_apt() { # apt-get|apt-cache COMMAND...
	local dir=$DIST_CACHE/apt tool=$1
	shift
	"$tool" -qq -o Dir::Etc::sourcelist="$dir/sources.list" -o Dir::Etc::sourceparts=/dev/null \
		-o Dir::State::lists="$dir/lists" -o Dir::State::status="$dir/status" \
		-o Dir::Cache="$dir/cache" -o APT::Sandbox::User=root "$@"
}

# The machine's Debian suites as "URI SUITE" lines; apt knows them once it has read its lists.
known_suites() {
	# shellcheck disable=SC2016 # apt expands these
	apt-get indextargets --format '$(ORIGIN) $(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
		awk '$1 == "Debian" && !seen[$2, $3]++ { print $2, $3 }'
}

sources_setup() {
	local dir=$DIST_CACHE/apt suites
	suites=$(known_suites)
	[[ -n $suites ]] || { apt-get -qq update >&2 && suites=$(known_suites); }
	[[ -n $suites ]] || fail "apt has no Debian among its sources" || return 1
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
	: >"$dir/status"
	sed "s,^,deb-src [signed-by=$DEBIAN_KEYRING] ,; s,\$, main," <<<"$suites" >"$dir/sources.list"
	step "reading the lists of source packages"
	sources_apt apt-get update >&2
}

# What the lists have of a package, the newest version first.
listed_versions() { # NAME
	sources_apt apt-cache showsrc --only-source "$1" | sed -n 's/^Version: //p' | sort -u | sort_versions
}

sort_versions() {
	local version sorted=() i
	while read -r version; do
		for ((i = 0; i < ${#sorted[@]}; i++)); do
			dpkg --compare-versions "$version" lt "${sorted[i]}" || break
		done
		sorted=("${sorted[@]:0:i}" "$version" "${sorted[@]:i}")
	done
	printf '%s\n' "${sorted[@]}"
}

# The newest version that can be had whole: a mirror may list what it has not got (yet, or any more).
fetch_newest() { # NAME DIRECTORY
	local version newest=
	for version in $(listed_versions "$1"); do
		newest=${newest:-$version}
		rm -rf "${2:?}"
		mkdir -p "$2"
		(cd "$2" && sources_apt apt-get source --download-only "$1=$version" >/dev/null 2>"$2.log") || continue
		[[ $version == "$newest" ]] ||
			step "WARNING: the mirror lists $1 $newest, but has not got it; taking $version"
		echo "$version" >"$2/version"
		return 0
	done
	cat "$2.log" >&2
	fail "the source of $1 cannot be had"
}

sources_are_fresh() {
	[[ -n $(find "$DIST_CACHE/sources/complete" -mmin "-$SOURCES_FRESH_MINUTES" 2>/dev/null) ]]
}

# Fetches what is new since the last time into $DIST_CACHE/sources/NAME. What is there is good enough offline.
sources_fetch() {
	local root=$DIST_CACHE/sources name
	! sources_are_fresh || return 0
	sources_setup || [[ -e $root/complete ]] || return 1
	for name in "${SOURCES[@]}"; do
		if [[ -e $root/complete && $(listed_versions "$name" | head -n 1) == $(<"$root/$name/version") ]]; then
			continue
		fi
		fetch_newest "$name" "$root/new-$name"
		rm -rf "${root:?}/$name"
		mv "$root/new-$name" "$root/$name"
	done
	touch "$root/complete"
}

# "NAME PACKAGE VERSION SHA256" lines.
sources_list() {
	local package name
	for package in "${SOURCES[@]}"; do
		name=$package
		[[ $package != aria2 ]] || name=wslay
		echo "$name $package $(<"$DIST_CACHE/sources/$package/version")" \
			"$(cat "$DIST_CACHE/sources/$package/"*.dsc | sha256sum | cut -d' ' -f1)"
	done
}

# What the lists say of a package's .dsc; "-" when they do not know this version.
source_checksum() { # PACKAGE VERSION
	local sum
	sum=$(sources_apt apt-cache showsrc --only-source "$1" | awk -v version="$2" '
		$1 == "Version:" { found = $2 == version }
		/^[^ ]/ { sums = $1 == "Checksums-Sha256:" }
		found && sums && $3 ~ /[.]dsc$/ { print $1; exit }')
	echo "${sum:--}"
}

# The source as Debian builds it, its patches applied.
sources_unpack() { # NAME DIRECTORY
	dpkg-source -q --no-check -x "$DIST_CACHE/sources/$1/"*.dsc "$2" 2>&1
}
