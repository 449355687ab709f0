# kubectl-consul. `make` builds, `make test` shows that it works, `make demo` lets you try it.
#
#   variables   VARIANT=release|debug|asan|fuzz|static  ARCH=amd64|arm64 (static)  CC=gcc|clang  V=1  WERROR=1  PREFIX DESTDIR
#   objects     build/<variant>/…, so that variants live side by side

VERSION  := 0.1.0
VARIANT  ?= release
PREFIX   ?= /usr/local
ARCH     ?= amd64
BUILD    := build/$(VARIANT)$(if $(filter static,$(VARIANT)),-$(ARCH))
CC       ?= gcc
Q        := $(if $(V),,@)
say       = $(if $(V),,@printf '  %-7s %s\n' $(1) $(2))

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: all deps test check unit cli sim mutants krew e2e asan lint fuzz bench lab-up lab-down demo \
        static dist dist-check deb deb-check man install uninstall clean compdb

# ------------------------------------------------------------------------------------------- flags

# What differs on macOS: another linker, dlopen in the C library, and Homebrew's libraries beside the system's.
ifeq ($(shell uname -s),Darwin)
BREW          := $(shell brew --prefix)
KEGS          := $(foreach keg,openssl@3 curl zlib,$(BREW)/opt/$(keg)/lib)
PKG_CONFIG    := PKG_CONFIG_PATH=$(subst $() ,:,$(KEGS:%=%/pkgconfig)) pkg-config
SYSTEM_CFLAGS := -I$(BREW)/include
SYSTEM_LIBS   := -L$(BREW)/lib
SYSTEM_HARDEN :=
LINK_ALL      := -Wl,-dead_strip_dylibs $(KEGS:%=-Wl,-rpath,%)
LINK_RELEASE  := $(LINK_ALL)
else
PKG_CONFIG    := pkg-config
SYSTEM_CFLAGS :=
SYSTEM_LIBS   := -ldl
SYSTEM_HARDEN := -fstack-clash-protection
LINK_ALL      := -Wl,--as-needed
LINK_RELEASE  := -pie -Wl,-z,relro,-z,now $(LINK_ALL)
endif

PACKAGES      := libcurl libcjson yaml-0.1 openssl zlib
ifneq ($(MAKECMDGOALS),deps)
PKG_CFLAGS    := $(shell $(PKG_CONFIG) --cflags $(PACKAGES) 2>/dev/null) $(SYSTEM_CFLAGS)
LIBS          := $(shell $(PKG_CONFIG) --libs libcjson yaml-0.1 libcrypto zlib 2>/dev/null) $(SYSTEM_LIBS) -lwslay -lm
endif

WARNINGS      := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wformat=2 -Wstrict-prototypes \
                 -Wmissing-prototypes -Wwrite-strings -Wcast-qual -Wpointer-arith -Wundef -Wvla -Wswitch-enum \
                 -Wimplicit-fallthrough -Wnull-dereference -fno-common
HARDENING     := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong $(SYSTEM_HARDEN) -fPIE
CPPFLAGS      += -Iinclude -D_GNU_SOURCE -DKUBECTL_CONSUL_VERSION='"$(VERSION)"' $(PKG_CFLAGS)
STD           := -std=c11 $(WARNINGS) $(if $(WERROR),-Werror) -g

ifeq ($(VARIANT),release)
OPTIMIZE      := -O2 $(HARDENING)
LINK          := $(LINK_RELEASE)
else ifeq ($(VARIANT),debug)
OPTIMIZE      := -O0
LINK          := $(LINK_ALL)
else ifeq ($(VARIANT),asan)
OPTIMIZE      := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
LINK          := -fsanitize=address,undefined $(if $(BREW),$(LINK_ALL))
else ifeq ($(VARIANT),fuzz)
CC            := clang
OPTIMIZE      := -O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
LINK          := -fsanitize=address,undefined $(if $(BREW),$(LINK_ALL))
else ifeq ($(VARIANT),static)
# `make static` comes here, with the directory that tests/dist/libraries has made: its compiler, headers, libraries.
ifndef LIBRARIES
$(error VARIANT=static is for `make static`, which knows where the libraries are)
endif
override CC   := $(LIBRARIES)/bin/cc
override AR   := $(LIBRARIES)/bin/ar
PKG_CFLAGS    := -DKUBECTL_CONSUL_STATIC -DCURL_STATICLIB -DNGHTTP2_STATICLIB
LIBS          := -lcurl -lnghttp2 -lssl -lcrypto -lcjson -lyaml -lwslay -lz -lm
OPTIMIZE      := -O2 $(HARDENING) -g0 -ffunction-sections -fdata-sections -ffile-prefix-map=$(CURDIR)=.
LINK          := -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--gc-sections -Wl,--build-id=none -s -Wl,-Map=$(BUILD)/kubectl-consul.map
else
$(error VARIANT must be release, debug, asan, fuzz or static)
endif

COMPILE        = $(CC) $(STD) $(OPTIMIZE) $(CPPFLAGS) $(CFLAGS) -MMD -MP

# ----------------------------------------------------------------------------- program, by layers
# One archive for each layer: what links against a layer cannot use one above it.

LAYERS        := util kube consul cmd
objects        = $(patsubst %.c,$(BUILD)/%.o,$(wildcard src/$(1)/*.c src/$(1)/*/*.c))
BINARY        := $(BUILD)/kubectl-consul
lib            = $(BUILD)/lib$(1).a
UTIL          := $(call lib,util)
KUBE          := $(call lib,kube) $(UTIL)
CONSUL        := $(call lib,consul) $(KUBE)
CMD           := $(call lib,cmd) $(CONSUL)

all: $(BINARY)

$(BINARY): $(BUILD)/src/main.o $(CMD)
	$(call say,LINK,$@)
	$(Q)$(CC) $(OPTIMIZE) $(LINK) $(LDFLAGS) -o $@ $^ $(LIBS)

define archive
$(call lib,$(1)): $(call objects,$(1))
	$$(call say,AR,$$@)
	$(Q)rm -f $$@ && $$(AR) rcs $$@ $$^
endef
$(foreach layer,$(LAYERS),$(eval $(call archive,$(layer))))

$(BUILD)/%.o: %.c Makefile
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(COMPILE) -c -o $@ $<

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# ------------------------------------------------------------------------------------------- tests
# tests/support (the scripted API server, fixtures) is linked into every suite that wants it.

SUPPORT       := $(call lib,support)
TEST_LIBS     := -lcriterion $(LIBS) -lssl -lcrypto -lpthread

$(SUPPORT): $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/support/*.c))
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

define suite
$(BUILD)/suites/$(1): $(patsubst %.c,$(BUILD)/%.o,$(wildcard $(2)/*.c)) $(3)
	$$(call say,LINK,$$@)
	$(Q)mkdir -p $$(@D)
	$(Q)$$(CC) $$(OPTIMIZE) $$(LINK) $$(LDFLAGS) -o $$@ $$(filter %.o,$$^) $(3) $$(TEST_LIBS)
endef

UNIT          := $(foreach layer,$(LAYERS),$(if $(wildcard tests/unit/$(layer)/*.c),$(BUILD)/suites/unit-$(layer)))
$(eval $(call suite,unit-util,tests/unit/util,$(UTIL)))
$(eval $(call suite,unit-kube,tests/unit/kube,$(SUPPORT) $(KUBE)))
$(eval $(call suite,unit-consul,tests/unit/consul,$(SUPPORT) $(CONSUL)))
$(eval $(call suite,unit-cmd,tests/unit/cmd,$(CMD)))
$(BUILD)/suites/unit-cmd: $(BUILD)/tests/unit/consul/sample.o # the snapshots that screens are tried with
$(eval $(call suite,cli,tests/cli,$(SUPPORT) $(UTIL)))

unit: $(UNIT)
	$(Q)tests/run suites $(UNIT)

cli: $(BINARY) $(BUILD)/suites/cli
	$(Q)KUBECTL_CONSUL=$(CURDIR)/$(BINARY) tests/run suites $(BUILD)/suites/cli

# The same kubeconfigs, flags and environments to every kubectl on this machine and to the plugin. ONLY: a pattern.
$(eval $(call suite,kubectl,tests/kubectl,$(SUPPORT) $(UTIL)))

.PHONY: kubectl-cases
kubectl-cases: $(BINARY) $(BUILD)/suites/kubectl
	$(Q)KUBECTL_CONSUL=$(CURDIR)/$(BINARY) ONLY='$(ONLY)' tests/run kubectl $(BUILD)/suites/kubectl

# Completion through the real kubectls, from both places that the program is installed to.
.PHONY: completion
completion: $(BINARY) $(BUILD)/suites/cli
	+$(Q)KUBECTL_CONSUL=$(CURDIR)/$(BINARY) VARIANT=$(VARIANT) CC="$(CC)" tests/run completion $(BUILD)/suites/cli

# The simulated cluster: plan and act against random faults. SEED replays one, SEEDS says how many are tried.
SEEDS         ?= 3000

$(BUILD)/sim: $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/sim/*.c)) $(CONSUL)
	$(call say,LINK,$@)
	$(Q)$(CC) $(OPTIMIZE) $(LINK) $(LDFLAGS) -o $@ $^ $(LIBS)

sim: $(BUILD)/sim
	$(Q)$(if $(SEED),$< --seed $(SEED) -v,tests/run sim $< $(SEEDS))

# Each way to break a rule that we could think of must be noticed.
mutants: $(BUILD)/sim
	$(Q)COMPILE="$(COMPILE)" LINK="$(CC) $(OPTIMIZE) $(LINK) $(LDFLAGS)" LIBS="$(LIBS)" tests/run mutants $(BUILD)

# `make test` is everything: it installs what is missing, and says what this machine cannot run.
test: deps
	$(Q)$(MAKE) --no-print-directory check
	$(Q)$(MAKE) --no-print-directory e2e

check: all unit cli completion kubectl-cases sim mutants fuzz-replay krew

# The checker of a release by krew's rules: tests/krew/check MANIFEST ARCHIVE…
krew:
	$(Q)tests/run krew

# The real binary on a real cluster: the lab's, or that of E2E_KUBECONFIG. E2E_QUICK=1 leaves the longest tests out.
E2E_TOOLS     := $(patsubst tests/e2e/%.c,$(BUILD)/e2e/%,$(wildcard tests/e2e/*.c))

$(BUILD)/e2e/%: $(BUILD)/tests/e2e/%.o $(KUBE)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(OPTIMIZE) $(LINK) $(LDFLAGS) -o $@ $^ $(LIBS)

e2e: $(BINARY) $(E2E_TOOLS)
	$(Q)KUBECTL_CONSUL=$(CURDIR)/$(BINARY) E2E_BIN=$(CURDIR)/$(BUILD)/e2e tests/run e2e

# Everything of `check` under AddressSanitizer and UndefinedBehaviorSanitizer, and the e2e tests if E2E=1.
asan:
	$(Q)E2E_QUICK=1 $(MAKE) --no-print-directory VARIANT=asan SEEDS=300 all unit cli sim $(if $(E2E),e2e)

# ------------------------------------------------------------------------------------------- fuzzing
# One target for each reader of foreign bytes; FUZZ_SECONDS each. The corpora are replayed by `check`.

FUZZ_SECONDS  ?= 10
FUZZERS       := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c))

build/fuzz/fuzz-%: build/fuzz/tests/fuzz/%.o $(patsubst %,build/fuzz/lib%.a,consul kube util)
	$(call say,LINK,$@)
	$(Q)clang -fsanitize=fuzzer,address,undefined -o $@ $^ $(LIBS)

$(BUILD)/replay-%: $(BUILD)/tests/fuzz/%.o $(BUILD)/tests/fuzz/replay/main.o $(CONSUL)
	$(call say,LINK,$@)
	$(Q)$(CC) $(OPTIMIZE) $(LINK) $(LDFLAGS) -o $@ $^ $(LIBS)

fuzz-replay: $(FUZZERS:%=$(BUILD)/replay-%)
	$(Q)tests/run replay $^

fuzz:
	$(Q)$(MAKE) --no-print-directory VARIANT=fuzz $(FUZZERS:%=build/fuzz/fuzz-%)
	$(Q)tests/run fuzz $(FUZZ_SECONDS) $(FUZZERS:%=build/fuzz/fuzz-%)

# -------------------------------------------------------------------------------- lab, demo, benchmark

lab-up:
	$(Q)tests/lab/lab up

lab-down:
	$(Q)tests/lab/lab down

demo: deps
	$(Q)$(MAKE) --no-print-directory all
	$(Q)KUBECTL_CONSUL=$(CURDIR)/$(BINARY) tests/demo

BENCH         := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/*.c))

$(BUILD)/bench/%: $(BUILD)/tests/bench/%.o $(SUPPORT) $(CONSUL)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(OPTIMIZE) $(LINK) $(LDFLAGS) -o $@ $^ $(TEST_LIBS)

bench: $(BINARY) $(BENCH)
	$(Q)KUBECTL_CONSUL=$(CURDIR)/$(BINARY) BENCH_BIN=$(CURDIR)/$(BUILD)/bench tests/bench/run

# ------------------------------------------------------------------------------------------- releases
# Static binaries and what is around them. The scripts are in tests/dist, beside the lab whose cache and way to get
# packages they share: src is only what goes into the program.

# One static binary that needs a kernel and nothing else: ARCH=amd64 or arm64.
static:
	$(Q)libraries=$$(tests/dist/libraries $(ARCH)) && \
		$(MAKE) --no-print-directory VARIANT=static LIBRARIES=$$libraries all

# build/dist: the archives, their checksums, and plugin.yaml filled in. RELEASE_URL is where they will be.
HOMEPAGE      ?= https://example.com/kubectl-consul
RELEASE_URL   ?= $(HOMEPAGE)/releases/download/v$(VERSION)
DIST_ARCHES   := amd64 arm64
DIST          := build/dist

dist: export HOMEPAGE := $(HOMEPAGE)
dist: export RELEASE_URL := $(RELEASE_URL)
dist:
	$(Q)for arch in $(DIST_ARCHES); do $(MAKE) --no-print-directory static ARCH=$$arch || exit 1; done
	$(Q)rm -f build/kubectl-consul.1 # its date is that of the last commit
	$(Q)$(MAKE) --no-print-directory VARIANT=release man
	$(Q)tests/dist/pack $(VERSION) $(DIST) $(DIST_ARCHES)
	$(Q)cat $(DIST)/SHA256SUMS

# What a release must be; see tests/dist/check.sh.
dist-check: dist build/release/suites/cli
	$(Q)CLI_SUITE=$(CURDIR)/build/release/suites/cli tests/run dist $(VERSION) $(DIST) $(DIST_ARCHES)

# A package for this machine's Debian, of the dynamic binary, in build/deb: what `make install` installs.
DEB           := build/deb

deb: export HOMEPAGE := $(HOMEPAGE)
deb: export MAINTAINER ?= kubectl-consul maintainers <maintainers@example.com>
deb: all
	$(Q)rm -rf $(DEB)/root
	$(Q)$(MAKE) --no-print-directory install DESTDIR=$(CURDIR)/$(DEB)/root PREFIX=/usr >/dev/null
	$(Q)tests/deb/build $(VERSION) $(DEB)/root $(DEB)

deb-check: deb
	$(Q)tests/deb/test $(DEB)/kubectl-consul_$(VERSION)_$$(dpkg --print-architecture).deb

# ---------------------------------------------------------------------------------------- house-keeping

lint:
	$(Q)tests/lint

# What the build and the tests need, installed where we know how, named where we do not.
deps:
	$(Q)tests/deps

# The manual page, from the same tables as help. This machine has to run what prints it: never a static one.
MAN           := build/kubectl-consul.1
MAN_DATE       = $(shell date -u -d "@$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct 2>/dev/null || date +%s)}" +%F 2>/dev/null || date -u +%F)

ifeq ($(VARIANT),static)
man:
	$(Q)$(MAKE) --no-print-directory VARIANT=release CC=gcc man
else
man: $(MAN)
endif

$(BUILD)/man: $(BUILD)/src/man.o $(CMD)
	$(call say,LINK,$@)
	$(Q)$(CC) $(OPTIMIZE) $(LINK) $(LDFLAGS) -o $@ $^ $(LIBS)

$(MAN): $(BUILD)/man
	$(call say,MAN,$@)
	$(Q)$< $(MAN_DATE) > $@

# What kubectl runs, the link by which it asks for completion, and the manual page.
BINDIR         = $(DESTDIR)$(PREFIX)/bin
MANDIR         = $(DESTDIR)$(PREFIX)/share/man/man1

install: $(BINARY) man
	install -d $(BINDIR) $(MANDIR)
	install -m 0755 $(BINARY) $(BINDIR)/kubectl-consul
	ln -sf kubectl-consul $(BINDIR)/kubectl_complete-consul
	install -m 0644 $(MAN) $(MANDIR)/kubectl-consul.1

uninstall:
	rm -f $(BINDIR)/kubectl-consul $(BINDIR)/kubectl_complete-consul $(MANDIR)/kubectl-consul.1

compdb:
	$(Q)$(MAKE) --no-print-directory -Bnk V=1 all unit cli | tests/compdb > compile_commands.json

clean:
	rm -rf build compile_commands.json
