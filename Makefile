# Silex: one Makefile, out of tree in $(BUILD). Targets: run test check fuzz gen bench install clean (see README.md).
# SAN=1 builds with ASan and UBSan, SAN=thread with TSan, each in its own folder. CC=clang works too.
CC      ?= gcc
SAN     ?=
BUILD   ?= build$(if $(SAN),-san$(if $(filter thread,$(SAN)),-thread))
PREFIX  ?= /usr/local
PKGS     = libcyaml jansson libpcre2-8
DEPS     = $(BUILD)/.deps
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null)

# Sanitizers change what the optimiser sees, and with it the guesses behind some warnings: only plain builds are strict.
WARN     = -Wall -Wextra -Wshadow -Wpedantic $(if $(SAN),-Wno-format-truncation -Wno-maybe-uninitialized,-Werror)
OPT      = $(if $(SAN),-O1,-O3) -ffp-contract=off -fno-math-errno
SANFLAGS = $(if $(SAN),$(if $(filter thread,$(SAN)),-fsanitize=thread,-fsanitize=address$(comma)undefined -fno-sanitize-recover=all) -g -fno-omit-frame-pointer)
comma   := ,
CFLAGS_  = -std=c17 -D_GNU_SOURCE $(WARN) $(OPT) -g $(SANFLAGS) -Isrc -Iinclude -I$(BUILD)/gen $(PKG_CFLAGS) \
           -DSLX_SOURCE_DIR='"$(CURDIR)"' -DSLX_PREFIX='"$(PREFIX)"' $(CFLAGS)
LIBS     = $(PKG_LIBS) -lpthread -lm

SRC  := $(filter-out src/cli/main.c,$(wildcard src/*/*.c))
OBJ  := $(SRC:%.c=$(BUILD)/%.o)
LIB  := $(BUILD)/libsilex.a
BIN  := $(BUILD)/silex
UNIT := $(patsubst test/%.c,$(BUILD)/test/%,$(wildcard test/unit/*.c test/diff/*.c))

.PHONY: all
all: $(BIN)

# Per-kernel instruction sets, by file name: the rest of the program stays on the platform's baseline.
$(BUILD)/%_avx2.o: ISA = -mavx2 -mfma -mf16c -mbmi2
$(BUILD)/%_avx512.o: ISA = -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni -mavx2 -mfma -mf16c -mbmi2
$(BUILD)/%_amx.o: ISA = -mamx-tile -mamx-int8 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni -mavx2 -mfma -mf16c -mbmi2

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_) $(ISA) -MMD -MP -c -o $@ $<

$(LIB): $(OBJ)
	@rm -f $@
	ar qcs $@ $(OBJ)

$(BIN): $(BUILD)/src/cli/main.o $(LIB)
	$(CC) $(CFLAGS_) -o $@ $< $(LIB) $(LIBS)

$(BUILD)/test/%: test/%.c $(LIB)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_) -Itest -MMD -MP -o $@ $< $(LIB) $(LIBS) -lcmocka

-include $(OBJ:.o=.d) $(UNIT:=.d)
