# kubectl-consul. `make` builds, `make test` shows that it works, `make demo` lets you try it.
#
#   variables   VARIANT=release|debug|asan|fuzz  CC=gcc|clang  V=1  WERROR=1  PREFIX DESTDIR
#   objects     build/<variant>/…, so that variants live side by side

VERSION  := 0.1.0
VARIANT  ?= release
PREFIX   ?= /usr/local
BUILD    := build/$(VARIANT)
CC       ?= gcc
Q        := $(if $(V),,@)
say       = $(if $(V),,@printf '  %-7s %s\n' $(1) $(2))

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: all deps test check unit cli sim e2e asan lint fuzz bench lab-up lab-down demo install uninstall clean compdb

# ------------------------------------------------------------------------------------------- flags

PACKAGES      := libcurl libcjson yaml-0.1 openssl
ifneq ($(MAKECMDGOALS),deps)
PKG_CFLAGS    := $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
LIBS          := $(shell pkg-config --libs libcjson yaml-0.1 libcrypto 2>/dev/null) -lwslay -ldl -lm
endif

WARNINGS      := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wformat=2 -Wstrict-prototypes \
                 -Wmissing-prototypes -Wwrite-strings -Wcast-qual -Wpointer-arith -Wundef -Wvla -Wswitch-enum \
                 -Wimplicit-fallthrough -Wnull-dereference -fno-common
HARDENING     := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fPIE
CPPFLAGS      += -Iinclude -D_GNU_SOURCE -DKUBECTL_CONSUL_VERSION='"$(VERSION)"' $(PKG_CFLAGS)
STD           := -std=c11 $(WARNINGS) $(if $(WERROR),-Werror) -g

ifeq ($(VARIANT),release)
OPTIMIZE      := -O2 $(HARDENING)
LINK          := -pie -Wl,-z,relro,-z,now -Wl,--as-needed
else ifeq ($(VARIANT),debug)
OPTIMIZE      := -O0
LINK          := -Wl,--as-needed
else ifeq ($(VARIANT),asan)
OPTIMIZE      := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
LINK          := -fsanitize=address,undefined
else ifeq ($(VARIANT),fuzz)
CC            := clang
OPTIMIZE      := -O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
LINK          := -fsanitize=address,undefined
else
$(error VARIANT must be release, debug, asan or fuzz)
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
	$(Q)rm -f $$@ && ar rcs $$@ $$^
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
	$(Q)rm -f $@ && ar rcs $@ $^

define suite
$(BUILD)/tests/$(1): $(patsubst %.c,$(BUILD)/%.o,$(wildcard $(2)/*.c)) $(3)
	$$(call say,LINK,$$@)
	$(Q)mkdir -p $$(@D)
	$(Q)$$(CC) $$(OPTIMIZE) $$(LINK) $$(LDFLAGS) -o $$@ $$(filter %.o,$$^) $(3) $$(TEST_LIBS)
endef

UNIT          := $(foreach layer,$(LAYERS),$(if $(wildcard tests/unit/$(layer)/*.c),$(BUILD)/tests/unit-$(layer)))
$(eval $(call suite,unit-util,tests/unit/util,$(UTIL)))
$(eval $(call suite,unit-kube,tests/unit/kube,$(SUPPORT) $(KUBE)))
$(eval $(call suite,unit-consul,tests/unit/consul,$(SUPPORT) $(CONSUL)))
$(eval $(call suite,unit-cmd,tests/unit/cmd,$(CMD)))
$(eval $(call suite,cli,tests/cli,$(SUPPORT) $(UTIL)))

unit: $(UNIT)
	$(Q)tests/run suites $(UNIT)

cli: $(BINARY) $(BUILD)/tests/cli
	$(Q)KUBECTL_CONSUL=$(CURDIR)/$(BINARY) tests/run suites $(BUILD)/tests/cli

