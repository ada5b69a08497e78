# Silex: one Makefile, everything it makes is in $(BUILD).
#   make            the program: build/silex
#   make run        on a bare Debian: set up, build, fetch the default model, answer one prompt
#   make test       everything            make check   under a minute, no model file
#   make fuzz       FUZZ_RUNS executions of every parser (clang)
#   make bench gen fit install uninstall clean
# SAN=1 builds with ASan and UBSan, SAN=thread with TSan, each in its own folder. CC=clang works too; V=1 shows commands.
SAN     ?=
BUILD   ?= build$(if $(SAN),-san$(if $(filter thread,$(SAN)),-thread))
PREFIX  ?= /usr/local
MODEL   ?= models/SmolLM2-135M-Instruct.Q4_1.gguf
PROMPT  ?= What is the capital of Japan?
FUZZ_RUNS ?= 1000000
ifeq ($(origin CC),default)
CC       = gcc
endif

# All CPUs unless somebody said otherwise.
ifeq ($(MAKELEVEL),0)
ifeq ($(filter -j% --jobs%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 1)
endif
endif

# Empty on a machine without pkg-config: `run`, `test` and `check` call tools/setup first, then this Makefile again.
PKGS     = libcyaml jansson libpcre2-8 cbc libmicrohttpd sqlite3
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
# cbc.pc names what its shared libraries bring along; their own headers need not be there.
PKG_LIBS   := $(filter-out -lz -lbz2 -llapack -lblas,$(shell pkg-config --libs $(PKGS) 2>/dev/null))

comma   := ,
Q        = $(if $(V),,@)
say      = $(if $(V),,@echo '  $(1)')
# Sanitizers change what the optimiser sees, and with it the guesses behind some warnings: only plain builds are strict.
WARN     = -Wall -Wextra -Wshadow -Wpedantic \
           $(if $(SAN),-Wno-format-truncation -Wno-maybe-uninitialized,-Werror)
OPT      = $(if $(SAN),-O1,-O3) -ffp-contract=off -fno-math-errno
SANFLAGS = $(if $(SAN),$(if $(filter thread,$(SAN)),-fsanitize=thread,-fsanitize=address$(comma)undefined \
           -fno-sanitize-recover=all) -fno-omit-frame-pointer)
CFLAGS_  = -std=c17 -D_GNU_SOURCE $(WARN) $(OPT) -g $(SANFLAGS) -Isrc -Iinclude -I$(BUILD)/gen $(PKG_CFLAGS) \
           -DSLX_SOURCE_DIR='"$(CURDIR)"' -DSLX_PREFIX='"$(PREFIX)"' $(CFLAGS)
LIBS     = $(PKG_LIBS) -lpthread -lm $(LDLIBS)

SRC  := $(filter-out src/cli/main.c,$(wildcard src/*/*.c))
OBJ  := $(SRC:%.c=$(BUILD)/%.o)
LIB  := $(BUILD)/libsilex.a
BIN  := $(BUILD)/silex

# Test programs: one a file. test/*.c is what they share. A fuzz entry is replayed on its seeds by test/fuzz/replay.c.
UNIT   := $(patsubst %.c,$(BUILD)/%,$(wildcard test/unit/*.c))
DIFF   := $(patsubst %.c,$(BUILD)/%,$(wildcard test/diff/*.c))
REPLAY := $(patsubst test/fuzz/fuzz_%.c,$(BUILD)/test/fuzz/replay_%,$(wildcard test/fuzz/fuzz_*.c))
SHARED := $(patsubst %.c,$(BUILD)/%.o,$(wildcard test/*.c))
TOOLS  := $(patsubst %.c,$(BUILD)/%,$(wildcard tools/*.c))
FITS   := $(BUILD)/tools/fit/fit $(BUILD)/tools/fit/fit_model $(BUILD)/tools/fit/pack

.PHONY: all
all: $(if $(wildcard src/cli/main.c),$(BIN),$(LIB))

# ---------------------------------------------------------------- compile

# Per-kernel instruction sets, by file name: the rest of the program stays on the platform's baseline.
AVX512 = -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni -mavx2 -mfma -mf16c -mbmi2
$(BUILD)/%_avx2.o: ISA = -mavx2 -mfma -mf16c -mbmi2
$(BUILD)/%_avx512.o: ISA = $(AVX512)
$(BUILD)/%_amx.o: ISA = -mamx-tile -mamx-int8 $(AVX512)
$(BUILD)/test/%.o: TESTINC = -Itest

# The page's files are part of the program, Chart.js too: Debian's package, or CHART_JS=FILE.
CHART_JS ?= $(firstword $(wildcard /usr/share/javascript/chart.js/chart.min.js /usr/share/nodejs/chart.js/dist/chart.min.js))
$(BUILD)/src/server/page.o: ISA = -DSLX_CHART_JS='"$(CHART_JS)"'
$(BUILD)/src/server/page.o: $(wildcard src/server/page/*) $(CHART_JS)

# Rewritten only when the command line changes, so that a new flag rebuilds and the same one does not.
$(BUILD)/.flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(CC) $(CFLAGS_) $(LIBS))' | cmp -s - $@ || \
	  printf '%s\n' '$(subst ','\'',$(CC) $(CFLAGS_) $(LIBS))' > $@
.PHONY: FORCE
FORCE:

# Says what to do instead of "cyaml.h: No such file".
$(BUILD)/.libraries: $(BUILD)/.flags
	@if [ -z '$(PKG_LIBS)' ]; then \
	  echo "The libraries $(PKGS) are not there. Run: tools/setup build" >&2; exit 1; fi
	@touch $@

$(BUILD)/%.o: %.c Makefile $(BUILD)/.flags | $(BUILD)/.libraries
	@mkdir -p $(@D)
	$(call say,CC $<)
	$(Q)$(CC) $(CFLAGS_) $(TESTINC) $(ISA) -MMD -MP -c -o $@ $<

$(LIB): $(OBJ)
	$(call say,AR $@)
	@rm -f $@
	$(Q)ar qcs $@ $(OBJ)

$(BIN): $(BUILD)/src/cli/main.o $(LIB)
	$(call say,LD $@)
	$(Q)$(CC) $(CFLAGS_) -o $@ $< $(LIB) $(LIBS)

$(UNIT) $(DIFF): $(BUILD)/test/%: $(BUILD)/test/%.o $(SHARED) $(LIB)
	$(call say,LD $@)
	$(Q)$(CC) $(CFLAGS_) -o $@ $< $(SHARED) $(LIB) $(LIBS) -lcmocka

$(REPLAY): $(BUILD)/test/fuzz/replay_%: $(BUILD)/test/fuzz/fuzz_%.o $(BUILD)/test/fuzz/replay.o $(LIB)
	$(call say,LD $@)
	$(Q)$(CC) $(CFLAGS_) -o $@ $^ $(LIBS)

$(BUILD)/tools/fit/fit $(BUILD)/tools/fit/fit_model: $(BUILD)/tools/fit/simplex.o $(BUILD)/tools/fit/judge.o
$(TOOLS) $(FITS): $(BUILD)/tools/%: $(BUILD)/tools/%.o $(LIB)
	$(call say,LD $@)
	$(Q)$(CC) $(CFLAGS_) -o $@ $^ $(LIBS)

.SECONDARY:
-include $(OBJ:.o=.d) $(BUILD)/src/cli/main.d $(UNIT:=.d) $(DIFF:=.d) $(SHARED:.o=.d) $(TOOLS:=.d) $(FITS:=.d) $(BUILD)/tools/fit/simplex.d $(BUILD)/tools/fit/judge.d
-include $(wildcard $(BUILD)/test/fuzz/*.d)

# ---------------------------------------------------------------- run, test

# Packages are looked at when the stamp is missing or the list has changed.
$(BUILD)/.setup-%: tools/setup
	@tools/setup $*
	@mkdir -p $(@D)
	@touch $@

.PHONY: run test check bench
run: $(BUILD)/.setup-build
	@$(MAKE) --no-print-directory all
	@tools/fetch-model
	$(BIN) run $(MODEL) -p "$(PROMPT)"

check: $(BUILD)/.setup-test
	@$(MAKE) --no-print-directory check-built

test: $(BUILD)/.setup-test
	@$(MAKE) --no-print-directory all test-programs
	@tools/fetch-model || [ -z "$$CI" ] || exit 1
	@$(MAKE) --no-print-directory test-built

bench: $(BUILD)/.setup-build
	@$(MAKE) --no-print-directory all
	@tools/fetch-model
	$(BIN) bench $(MODEL)

# Weights in HBM, SRAM and ROM by batch, and where they spend equal joules: docs/timing.md.
.PHONY: crossover
crossover: $(BUILD)/.setup-build
	@$(MAKE) --no-print-directory all
	@bench/crossover --silex $(BIN)

# The server for long: five minutes of 64 streams each, plain, then with too few pages without and with the cache; a hundred kills.
.PHONY: soak
soak: $(BUILD)/.setup-test
	@$(MAKE) --no-print-directory all
	@tools/fetch-model
	SLX_BUILD=$(BUILD) test/soak/serve_streams.py
	SLX_BUILD=$(BUILD) test/soak/serve_streams.py --no-prefix-cache --pages 20 --ctx 2048
	SLX_BUILD=$(BUILD) test/soak/serve_streams.py --pages 20 --ctx 2048
	SLX_BUILD=$(BUILD) test/soak/serve_kill.py
	SLX_BUILD=$(BUILD) test/soak/serve_memory.py
	SLX_BUILD=$(BUILD) test/soak/serve_speed.py

# What check and test run once everything is there. A test program finds its build through SLX_BUILD.
FAST = $(wildcard test/e2e/check_*.py tools/test_*.sh) $(UNIT) $(REPLAY)  # the long ones first: two run at once
SLOW = $(DIFF) $(wildcard test/*.py) $(wildcard test/e2e/test_*.sh test/e2e/test_*.py)

.PHONY: check-built test-built test-programs
test-programs: $(UNIT) $(DIFF) $(REPLAY) $(TOOLS) $(FITS)
check-built: all $(UNIT) $(REPLAY) $(TOOLS)
	@SLX_BUILD=$(BUILD) tools/run-tests $(FAST)
test-built: all test-programs
	@SLX_BUILD=$(BUILD) SLX_KERN_N=1000000 tools/run-tests $(FAST) $(SLOW)

# ---------------------------------------------------------------- fuzz

# The whole program again, by clang, with coverage. A crash leaves its input in fuzz-out/.
FUZZ      := $(patsubst test/fuzz/fuzz_%.c,%,$(wildcard test/fuzz/fuzz_*.c))
FUZZFLAGS  = -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all

.PHONY: fuzz fuzz-built
fuzz: $(BUILD)/.setup-fuzz
	@$(MAKE) --no-print-directory BUILD=build-fuzz CC=clang SAN=1 SANFLAGS='$(FUZZFLAGS)' \
	  WARN=-Wall -k fuzz-built

fuzz-built: $(FUZZ:%=fuzz-run-%)
	@echo "fuzz: $(words $(FUZZ)) entries, $(FUZZ_RUNS) runs each, no crash, leak or hang"

fuzz-run-%: $(BUILD)/fuzz-%
	@mkdir -p fuzz-out $(BUILD)/corpus/$* test/fuzz/seeds/$*
	@if $< -runs=$(FUZZ_RUNS) -timeout=10 -rss_limit_mb=2048 -max_len=65536 -verbosity=0 -print_final_stats=1 \
	    -artifact_prefix=fuzz-out/$*- $(BUILD)/corpus/$* test/fuzz/seeds/$* > $(BUILD)/fuzz-$*.log 2>&1; \
	  then echo "fuzz $*: $(FUZZ_RUNS) runs, nothing found"; \
	  else tail -60 $(BUILD)/fuzz-$*.log; echo "fuzz $*: FAILED, its input is in fuzz-out/"; exit 1; fi

$(BUILD)/fuzz-%: $(BUILD)/test/fuzz/fuzz_%.o $(LIB)
	$(call say,LD $@)
	$(Q)$(CC) $(CFLAGS_) -fsanitize=fuzzer -o $@ $^ $(LIBS)

# ---------------------------------------------------------------- generated, installed

# Pages for readers that are not C, from the tables that C includes: tools/NAME.c is a program that writes its pages
# into the folder it is given; the command writes docs/cli.md. They are committed, and tests compare them.
.PHONY: gen
gen: $(TOOLS) all
	@for t in $(TOOLS); do $$t docs; done
	@$(BIN) help --markdown > docs/cli.md

DATA = $(wildcard chips families data examples cases)

# Numbers of a chip from whole measured sets: make fit DATA_DIR=dir CHIP=h200 SECTION=gemm. docs/validate.md says where they are.
.PHONY: fit
fit: $(FITS)
	$(BUILD)/tools/fit/fit $(DATA_DIR) $(CHIP) $(SECTION)

.PHONY: install uninstall clean
install: all
	install -D -m 755 $(BIN) $(DESTDIR)$(PREFIX)/bin/silex
	install -D -m 644 LICENSE $(DESTDIR)$(PREFIX)/share/silex/LICENSE
	install -m 644 NOTICE $(DESTDIR)$(PREFIX)/share/silex/NOTICE
	cp -R $(DATA) $(DESTDIR)$(PREFIX)/share/silex/

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/silex
	rm -rf $(DESTDIR)$(PREFIX)/share/silex

clean:
	rm -rf build build-san build-san-thread build-fuzz fuzz-out
