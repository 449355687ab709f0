# shellcheck shell=bash
# How each library is built: build_NAME in its unpacked source, into $ROOT/{include,lib}, with $ROOT/bin/cc and the
# flags below. Only what the program uses: see src/kube/transport*.c for libcurl, src/consul/certificate*.c for
# OpenSSL. Nothing of what is built depends on the directory it was built in.

JOBS=$(nproc)

# Sections, so that the linker can leave out what nobody calls; the same hardening as the program's.
library_flags() {
	echo "-Os -g0 -fPIE -ffunction-sections -fdata-sections -fstack-protector-strong -fstack-clash-protection" \
		"-fno-common -ffile-prefix-map=$WORK=. -ffile-prefix-map=$ROOT=."
}

# The small libraries need no build system: an archive of some files, compiled in parallel.
archive() { # LIBRARY FLAG... -- FILE...
	local library=$1 flags=()
	shift
	while [[ $1 != -- ]]; do flags+=("$1") && shift; done
	shift
	# shellcheck disable=SC2046 # flags are words
	printf '%s\n' "$@" |
		xargs -P "$JOBS" -I{} sh -c 'source=$1 && shift && exec "$@" -c -o "${source%.c}.o" "$source"' sh {} \
			"$ROOT/bin/cc" $(library_flags) "${flags[@]}"
	"$CROSS"ar rcsD "$ROOT/lib/$library" "${@/%.c/.o}"
}

# The headers of the kernel are the distribution's; OpenSSL wants them.
build_musl() {
	local kernel=/usr/include directory
	[[ $ARCH == amd64 ]] || kernel=/usr/$TRIPLE/include
	CC=${CROSS}gcc CFLAGS="$(library_flags) -fPIC" CROSS_COMPILE=$CROSS ./configure --prefix="$ROOT" \
		--target="$TRIPLE" --disable-shared --disable-wrapper
	make -j"$JOBS" AR="${CROSS}ar" ARFLAGS=rcD install
	for directory in linux asm-generic; do cp -rL "$kernel/$directory" "$ROOT/include/$directory"; done
	directory=$kernel/asm
	[[ $ARCH != amd64 ]] || directory=$kernel/$TRIPLE/asm
	cp -rL "$directory" "$ROOT/include/asm"
}

build_zlib() {
	archive libz.a -DHAVE_UNISTD_H -DHAVE_STDARG_H -- \
		adler32.c crc32.c deflate.c infback.c inffast.c inflate.c inftrees.c trees.c zutil.c compress.c uncompr.c gz*.c
	cp zlib.h zconf.h "$ROOT/include"
}

# TLS 1.2 and 1.3 as a client, certificates and keys, hashes. No configuration file is read, no module loaded.
build_openssl() {
	local target=linux-x86_64
	[[ $ARCH == amd64 ]] || target=linux-aarch64
	CC=$ROOT/bin/cc AR=${CROSS}ar RANLIB=${CROSS}ranlib CFLAGS=$(library_flags) \
		./Configure "$target" --prefix=/usr --openssldir=/etc/ssl --libdir=lib no-shared no-module no-dso no-engine \
		no-legacy no-autoload-config no-filenames no-tests no-dtls no-ssl no-ssl3 no-tls1 no-tls1_1 \
		no-weak-ssl-ciphers no-comp no-srp no-srtp no-gost no-sm2 no-sm3 no-sm4 no-seed no-idea no-rc2 no-rc4 no-rc5 \
		no-md4 no-mdc2 no-rmd160 no-whirlpool no-bf no-cast no-camellia no-aria no-siv no-ocb no-cms no-ts \
		no-ct no-cmp no-rfc3779 no-ec2m no-afalgeng no-async no-padlockeng no-capieng no-devcryptoeng no-sctp no-ktls \
		no-makedepend no-ui-console
	# The command line would go into the library, with its paths.
	sed -i 's/^\$cflags = .*/$cflags = "compiler: cc";/' util/mkbuildinf.pl
	make -j"$JOBS" build_generated
	make -j"$JOBS" libcrypto.a libssl.a
	cp -r include/openssl "$ROOT/include"
	rm -f "$ROOT"/include/openssl/*.in
	cp libcrypto.a libssl.a "$ROOT/lib"
}

build_nghttp2() {
	local version
	version=$(sed -n 's/^AC_INIT(\[nghttp2\], \[\([0-9.]*\)\].*/\1/p' configure.ac)
	sed "s/@PACKAGE_VERSION@/$version/; s/@PACKAGE_VERSION_NUM@/0x$(printf '%02x%02x%02x' ${version//./ })/" \
		lib/includes/nghttp2/nghttp2ver.h.in >lib/includes/nghttp2/nghttp2ver.h
	archive libnghttp2.a -DNGHTTP2_STATICLIB -DHAVE_ARPA_INET_H -DHAVE_NETINET_IN_H -DHAVE_TIME_H \
		-DHAVE_CLOCK_GETTIME -Ilib/includes -- lib/*.c
	mkdir -p "$ROOT/include/nghttp2"
	cp lib/includes/nghttp2/*.h "$ROOT/include/nghttp2"
}

# HTTP/1.1 and HTTP/2 over TLS, through proxies of every kind, names looked up by a thread. The rest is off. The
# generated files are the tarball's: Debian's patches to their sources would have them made again.
build_curl() {
	local off=() feature
	for feature in ftp file ldap ldaps rtsp dict telnet tftp pop3 imap smb smtp gopher mqtt manual docs \
		libcurl-option unix-sockets ntlm ntlm-wb kerberos-auth negotiate-auth aws tls-srp cookies alt-svc hsts doh mime \
		dateparse netrc progress-meter dnsshuffle get-easy-options headers-api shared debug curldebug sspi \
		ares openssl-auto-load-config versioned-symbols socketpair; do
		off+=("--disable-$feature")
	done
	for feature in brotli zstd libpsl libidn2 librtmp libssh libssh2 libgsasl ca-bundle ca-path ca-fallback \
		nghttp3 ngtcp2 quiche msh3 winidn; do
		off+=("--without-$feature")
	done
	rm "$ROOT"/lib/*.la 2>/dev/null || true
	CC=$ROOT/bin/cc AR=${CROSS}ar CFLAGS=$(library_flags) CPPFLAGS="-DNGHTTP2_STATICLIB" PKG_CONFIG=false \
		AUTOCONF=: AUTOMAKE=: ACLOCAL=: AUTOHEADER=: ./configure --host="$TRIPLE" --prefix=/usr \
		--with-openssl="$ROOT" --with-nghttp2="$ROOT" --with-zlib="$ROOT" --enable-threaded-resolver --enable-ipv6 \
		--enable-proxy --enable-http --enable-static "${off[@]}" LIBS="-lssl -lcrypto -lnghttp2 -lz"
	archive libcurl.a -DHAVE_CONFIG_H -DBUILDING_LIBCURL -DCURL_STATICLIB -DNGHTTP2_STATICLIB -Iinclude -Ilib -- \
		lib/*.c lib/v*/*.c
	mkdir -p "$ROOT/include/curl"
	cp include/curl/*.h "$ROOT/include/curl"
}

build_cjson() {
	archive libcjson.a -DENABLE_LOCALES=0 -- cJSON.c
	mkdir -p "$ROOT/include/cjson"
	cp cJSON.h "$ROOT/include/cjson"
}

build_libyaml() {
	local version
	version=$(sed -n 's/^m4_define(\[YAML_\(MAJOR\|MINOR\|PATCH\)\], *\([0-9]*\))/\2/p' configure.ac | paste -sd.)
	archive libyaml.a "-DYAML_VERSION_STRING=\"$version\"" "-DYAML_VERSION_MAJOR=${version%%.*}" \
		"-DYAML_VERSION_MINOR=$(cut -d. -f2 <<<"$version")" "-DYAML_VERSION_PATCH=${version##*.}" -Iinclude -- src/*.c
	cp include/yaml.h "$ROOT/include"
}

# aria2's source has all of wslay.
build_aria2() {
	cd deps/wslay/lib || return
	archive libwslay.a -DHAVE_ARPA_INET_H -DHAVE_NETINET_IN_H -Iincludes -- wslay_*.c
	mkdir -p "$ROOT/include/wslay"
	cp includes/wslay/*.h "$ROOT/include/wslay"
}
