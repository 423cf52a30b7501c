# ganx: `make` builds build/ganx and build/libganx.a; `make help` lists the rest.
#   make DEBUG=1              no optimisation, debugger symbols
#   make SANITIZE=address,undefined
#   make CC=clang            OpenMP for it: on Debian libomp-dev
#   make check                every fast test
#   make fault                the slow faults: kills at random, a disk that fills up
#   make parity DIR=path      PyTorch's fixtures in a folder (default: tests/reference)
#   make bench                how long networks and training steps take here
#   make classify             build/tests/learn/classify: an independent judge of translations
#   make tune                 measures the methods of convolution against one another
#   make examples             build/examples: programs that use libganx
#   make man completion       build/man, build/completion
#   make demo                 trains for two minutes, translates unseen drawings
#   make install PREFIX=/usr/local DESTDIR=
#   make lint                 clang-format and mandoc have nothing to say
#   make format               lays the sources out

CC      ?= gcc
PREFIX  ?= /usr/local
O       ?= build
VERSION := 0.1.0

PACKAGES := vips gmodule-no-export-2.0 openblas yaml-0.1 jansson zlib
WARN     := -Wall -Wextra -Wshadow -Wvla -Wno-missing-field-initializers
OPT      := -O2
ifdef DEBUG
OPT      := -O0 -g
endif
CFLAGS   ?= -g
OPENMP   ?= -fopenmp
override CFLAGS += -std=c11 -D_GNU_SOURCE $(OPT) $(WARN) $(OPENMP) -fno-math-errno -fno-trapping-math -MMD -MP -Iinclude -Isrc \
                   -DGX_VERSION='"$(VERSION)"' -DGX_PREFIX='"$(PREFIX)"' \
                   $(shell pkg-config --cflags $(PACKAGES) | sed 's/-I/-isystem /g')
LDLIBS   := $(shell pkg-config --libs $(PACKAGES)) -lm $(OPENMP)
ifdef SANITIZE
override CFLAGS += -fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=undefined
LDFLAGS  += -fsanitize=$(SANITIZE)
endif

# Sources under src/kernel/simd are compiled once per CPU tier; every function and table in them is
# named GX_TIERED(name). On other processors there is the one tier that the compiler targets.
ifneq ($(filter x86_64-%,$(shell $(CC) -dumpmachine)),)
TIERS    := generic v3 v4
MARCH_generic := -march=x86-64
MARCH_v3 := -march=x86-64-v3 -mprefer-vector-width=256
MARCH_v4 := -march=x86-64-v4 -mprefer-vector-width=512
else
TIERS    := generic
endif
override CFLAGS += $(foreach t,$(TIERS),-DGX_HAVE_TIER_$(t))

SIMD     := $(wildcard src/kernel/simd/*.c)
SOURCES  := $(filter-out src/main.c $(SIMD),$(wildcard src/*.c src/*/*.c src/*/*/*.c))
OBJECTS  := $(SOURCES:%.c=$(O)/%.o) $(foreach t,$(TIERS),$(SIMD:%.c=$(O)/%.$(t).o))
TESTS    := $(patsubst tests/%.c,$(O)/tests/%,$(wildcard tests/*/test_*.c))
SCRIPTS  := $(wildcard tests/*/test_*.sh)

# libgomp, where there is an archive of it, is linked into the program: so main.c can say how it
# shall wait before it starts, without starting the program over (20 ms).
LIBGOMP  := $(if $(OPENMP),$(if $(filter clang%,$(notdir $(CC))),,$(filter /%,$(shell $(CC) -print-file-name=libgomp.a))))
ifneq ($(LIBGOMP),)
$(O)/src/main.o: override CFLAGS += -DGX_OWN_LIBGOMP
endif

all: $(O)/ganx

$(O)/ganx: $(O)/src/main.o $(O)/libganx.a
	@echo "LD $@"; $(CC) $(LDFLAGS) -o $@ $^ $(if $(LIBGOMP),$(filter-out $(OPENMP),$(LDLIBS)) $(LIBGOMP) -pthread -ldl,$(LDLIBS))

$(O)/libganx.a: $(OBJECTS)
	@rm -f $@
	@ar rcs $@ $^

$(O)/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "CC $<"; $(CC) $(CFLAGS) -c -o $@ $<

define tier_rule
$(O)/%.$(1).o: %.c Makefile
	@mkdir -p $$(@D)
	@echo "CC $$< [$(1)]"; $$(CC) $$(CFLAGS) -O3 -ffp-contract=fast -fno-trapping-math $$(MARCH_$(1)) -DGX_TIER=$(1) -c -o $$@ $$<
endef
$(foreach t,$(TIERS),$(eval $(call tier_rule,$(t))))

# ---- tests: each tests/FOLDER/test_NAME.c is one program on cmocka; other files of its folder are
# helpers, linked into each. A test_NAME.sh runs as it is. ----

# Programs of tests/fault see these calls of the library through functions of their own.
LINK_fault := $(foreach f,open write pwrite pread fsync ftruncate rename symlink fdopen fopen fwrite \
                 fflush fclose,-Wl,--wrap=$(f))
# Those of tests/train count what the library allocates.
LINK_train := $(foreach f,malloc calloc realloc aligned_alloc,-Wl,--wrap=$(f))

helpers = $(patsubst %.c,$(O)/%.o,$(filter-out $(1)/test_%,$(wildcard $(1)/*.c)))

.SECONDEXPANSION:
$(O)/tests/%: $(O)/tests/%.o $$(call helpers,tests/$$(*D)) $(O)/libganx.a
	@$(CC) $(LDFLAGS) $(LINK_$(*D)) -o $@ $^ -lcmocka $(LDLIBS)

# The parity walker. Its objects lie beside the program, which has the folder's name.
PARITY := $(patsubst tests/parity/%.c,$(O)/tests/parity-%.o,$(wildcard tests/parity/*.c))

$(O)/tests/parity-%.o: tests/parity/%.c Makefile
	@mkdir -p $(@D)
	@echo "CC $<"; $(CC) $(CFLAGS) -c -o $@ $<

$(O)/tests/parity: $(PARITY) $(O)/libganx.a
	@$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# its own test runs it
$(O)/tests/walk/test_walk: | $(O)/tests/parity

DIR ?= tests/reference
parity: $(O)/tests/parity
	@OMP_WAIT_POLICY=passive $< $(DIR)

# Examples see the public headers alone, as a program elsewhere would.
EXAMPLES := $(patsubst %.c,$(O)/%,$(wildcard examples/*.c))
examples: $(EXAMPLES)

$(EXAMPLES): $(O)/%: %.c $(O)/libganx.a Makefile
	@mkdir -p $(@D)
	@echo "CC $<"; $(CC) $(filter-out -Isrc -DGX_%,$(CFLAGS)) $(LDFLAGS) -o $@ $< $(O)/libganx.a $(LDLIBS)

check: $(O)/ganx $(TESTS) $(O)/tests/parity $(EXAMPLES) man completion
	@O=$(O) CC="$(CC)" tests/run $(TESTS) $(O)/tests/parity $(SCRIPTS)

# ---- the main job on real pictures: two minutes of training, then drawings that it has not seen ----

DEMO := $(O)/demo

demo: $(O)/ganx
	@rm -rf $(DEMO)
	$(O)/ganx pix2pix train --config configs/drawings.yaml --run $(DEMO)/run
	$(O)/ganx pix2pix translate -m $(DEMO)/run/model.safetensors data/drawings/unseen $(DEMO)/coloured
	@cp "$$(ls $(DEMO)/run/samples/*.png | tail -n 1)" $(DEMO)/grid.png
	@echo
	@echo "before, after and target side by side: $(DEMO)/grid.png"
	@echo "each drawing coloured:                 $(DEMO)/coloured/"
	@echo "how the training went:                 $(DEMO)/run/report.html"

# Slow faults: twenty kills at random moments, and a disk that fills up (as root: a tmpfs).
fault: $(O)/ganx $(TESTS)
	@GANX_KILLS=20 GANX_TMPFS=1 tests/run $(filter $(O)/tests/fault/% $(O)/tests/train/test_program $(O)/tests/cmd/test_batch,$(TESTS))

# ---- fuzzing: each tests/fuzz/fuzz_NAME.c is one libFuzzer target. It runs for FUZZ_SECONDS, starting
# from what it found before and from the folder tests/reference/NAME, if there is one. A finding is
# left in build/fuzz/found/NAME. Only the folders that read what others wrote are built: they need no
# OpenMP, whose runtime clang often lacks. ----

FUZZ_SECONDS ?= 60
FUZZ_FOLDERS := util config weights image
FUZZERS      := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))

fuzz:
	@$(MAKE) O=build/fuzz CC=clang OPENMP= SANITIZE=fuzzer-no-link,address,undefined fuzz-run

fuzz-run: $(FUZZERS:%=$(O)/tests/fuzz/%)
	@for name in $(FUZZERS:fuzz_%=%); do \
	    mkdir -p $(O)/corpus/$$name $(O)/found/$$name; \
	    seed=tests/reference/$$name; [ -d $$seed ] || seed=; \
	    echo "fuzzing $$name for $(FUZZ_SECONDS) s"; \
	    $(O)/tests/fuzz/fuzz_$$name -max_total_time=$(FUZZ_SECONDS) -timeout=5 -rss_limit_mb=1024 \
	        -max_len=65536 -verbosity=0 -artifact_prefix=$(O)/found/$$name/ \
	        $(O)/corpus/$$name $$seed || exit 1; \
	done

$(O)/tests/fuzz/%: $(O)/tests/fuzz/%.o $(patsubst %.c,$(O)/%.o,$(wildcard $(FUZZ_FOLDERS:%=src/%/*.c)))
	@$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)

# ---- manual pages and completion: prose from man/, lists from the option table ----

DATE     := November 22, 2026
PAGES    := $(patsubst man/%.in,$(O)/man/man1/%,$(wildcard man/*.1.in))

$(O)/man/man1/%: man/%.in man/expand.awk $(O)/ganx
	@mkdir -p $(@D)
	@awk -v ganx=$(abspath $(O))/ganx -v date="$(DATE)" -f man/expand.awk $< > $@.new && mv $@.new $@

$(O)/completion/ganx.bash: $(O)/ganx
	@mkdir -p $(@D)
	@$(O)/ganx help --completion bash > $@.new && mv $@.new $@

$(O)/ganx.pc: ganx.pc.in Makefile
	@mkdir -p $(@D)
	@sed -e 's|@VERSION@|$(VERSION)|' -e 's|@PACKAGES@|$(PACKAGES)|' $< > $@

man: $(PAGES)
completion: $(O)/completion/ganx.bash

# Each model and its card (models/README.md).
MODELS   ?= models
INSTALLED_MODELS = $(foreach m,$(wildcard $(MODELS)/*.safetensors),$(m) $(wildcard $(m:.safetensors=.md)))

install: all man completion $(O)/ganx.pc
	install -d $(addprefix $(DESTDIR)$(PREFIX)/,bin lib/pkgconfig include/ganx share/man/man1 \
	    share/bash-completion/completions share/ganx/configs share/ganx/models)
	install -m 755 $(O)/ganx $(DESTDIR)$(PREFIX)/bin/
	install -m 644 $(O)/libganx.a $(DESTDIR)$(PREFIX)/lib/
	install -m 644 $(O)/ganx.pc $(DESTDIR)$(PREFIX)/lib/pkgconfig/
	install -m 644 include/ganx/*.h $(DESTDIR)$(PREFIX)/include/ganx/
	install -m 644 $(PAGES) $(DESTDIR)$(PREFIX)/share/man/man1/
	install -m 644 $(O)/completion/ganx.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/ganx
	install -m 644 configs/*.yaml $(DESTDIR)$(PREFIX)/share/ganx/configs/
	$(if $(INSTALLED_MODELS),install -m 644 $(INSTALLED_MODELS) $(DESTDIR)$(PREFIX)/share/ganx/models/)

# ---- layout and manual pages without a warning ----

FORMATTED = $(shell find src include tests -name '*.[ch]')

lint: man
	clang-format --dry-run -Werror $(FORMATTED)
	! mandoc -Tlint $(PAGES) | grep -v 'referenced manual not found: Xr ganx' # not installed yet

format:
	clang-format -i $(FORMATTED)

# ---- timing ----

# Times convolutions; not part of check.
bench_conv: $(O)/tests/bench/bench_conv

# The measurements behind the choice of a convolution's method, on each tier (minutes).
tune: bench_conv
	@for tier in v4 v3; do echo "$$tier:"; GANX_CPU=$$tier $(O)/tests/bench/bench_conv -t 1 tune; \
	    echo "$$tier, weights as panels:"; GANX_CPU=$$tier $(O)/tests/bench/bench_conv -t 1 -p tune; done

# Each file of tests/bench is a program by itself.
$(O)/tests/bench/%: $(O)/tests/bench/%.o $(O)/libganx.a
	@$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Times of our own for every row of tests/bench/rows: minutes, on a machine with nothing else to do.
# Some of them: make bench ROWS="inference start"; JSON lines: JSON=FILE, or MEASURED=1 for a file in
# tests/bench/measured.
bench: $(O)/ganx $(O)/tests/bench/photographs $(O)/tests/bench/weights
	@O=$(O) tests/bench/rows.sh $(if $(MEASURED),-m) -o "$(JSON)" $(ROWS)

# What tests/bench/peers.py runs.
peers: $(O)/ganx $(O)/tests/bench/forward

# A classifier of domains, trained on real pictures only: it judges what `star translate` makes.
classify: $(O)/tests/learn/classify

clean:
	rm -rf $(O)

help:
	@sed -n 's/^#   //p' Makefile

.PHONY: all check fault demo examples parity bench bench_conv tune peers classify clean help fuzz fuzz-run man completion install lint format
.SECONDARY:
-include $(shell find $(O) -name '*.d' 2>/dev/null)
