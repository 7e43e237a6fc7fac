# cellar: build, tests, installation. `make help` lists the targets; everything lands in build/.

VERSION     := 0.1.0
SOVERSION   := 0
PREFIX      ?= /usr/local
DESTDIR     ?=
LIBDIR      ?= $(PREFIX)/lib
INCLUDEDIR  ?= $(PREFIX)/include
JOBS        ?= $(shell nproc 2>/dev/null || echo 2)

ifeq ($(origin CC),default)
CC           := gcc
endif
CLANG        ?= clang-14
CLANG_FORMAT ?= clang-format-14
CLANG_TIDY   ?= clang-tidy-14
AARCH64_CC   ?= aarch64-linux-gnu-gcc
OBJCOPY      ?= objcopy
Q            := $(if $(V),,@)
comma        := ,

ifeq ($(MAKELEVEL),0)
ifeq ($(filter -j%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(JOBS)
endif
endif

# --- Flags -------------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wconversion -Wno-sign-conversion -Werror
LANGUAGE := -std=c11 -D_GNU_SOURCE
COMMON   := $(LANGUAGE) $(WARNINGS) -fvisibility=hidden -fPIC -pthread -MMD -MP

# The 16-byte compare-and-swap, inline on both machines.
FLAGS_x86_64  := -mcx16
FLAGS_aarch64 := -march=armv8-a -mno-outline-atomics
FLAGS_MACHINE := $(FLAGS_$(shell uname -m))

# One build of the library per variant; release is what is installed.
VARIANTS     := release test asan tsan asan-clang tsan-clang memcheck coverage fuzz counts clang \
                aarch64
FLAGS_OF_release := -O2 -g $(FLAGS_MACHINE)
FLAGS_OF_test    := -O1 -g $(FLAGS_MACHINE) -DCELLAR_PROBES=1
FLAGS_OF_asan    := -O1 -g $(FLAGS_MACHINE) -DCELLAR_PROBES=1 -fno-omit-frame-pointer \
                    -fsanitize=address,undefined -fno-sanitize-recover=all
FLAGS_OF_tsan    := -O1 -g $(FLAGS_MACHINE) -DCELLAR_PROBES=1 -fno-omit-frame-pointer \
                    -fsanitize=thread
# Counted by atomic additions, or threads would lose counts and branches could look never taken.
FLAGS_OF_coverage := -O0 -g $(FLAGS_MACHINE) -DCELLAR_PROBES=1 --coverage -fprofile-update=atomic
# clang does not say by these names that it sanitizes, gcc does.
FLAGS_OF_asan-clang := $(FLAGS_OF_asan) -D__SANITIZE_ADDRESS__=1
FLAGS_OF_tsan-clang := $(FLAGS_OF_tsan) -D__SANITIZE_THREAD__=1
# Valgrind stands in for malloc, so there is no jemalloc, and it has less address space for cells.
FLAGS_OF_memcheck := $(FLAGS_OF_test) -DCELL_SLOT_BITS=25
# The fuzzers: what libFuzzer links has a main() of its own, the library only tells where it goes.
FLAGS_OF_fuzz    := $(FLAGS_OF_asan-clang) -fsanitize=fuzzer-no-link
# As what is installed, but with less address space for the cells, valgrind again, and function by
# function: those whose instructions are counted must not be inlined away.
FLAGS_OF_counts  := $(FLAGS_OF_release) -DCELL_SLOT_BITS=25
FLAGS_OF_clang   := -O2 -g $(FLAGS_MACHINE)
FLAGS_OF_aarch64 := -O2 -g $(FLAGS_aarch64) -isystem build/obj/aarch64/include
$(foreach v,release test asan tsan memcheck coverage counts,$(eval CC_OF_$v = $(CC)))
$(foreach v,clang asan-clang tsan-clang fuzz,$(eval CC_OF_$v = $(CLANG)))
CC_OF_aarch64    = $(AARCH64_CC)

# What is installed and measured is optimised as a whole, by gcc, and then an ordinary object again:
# a host needs no option for it.
LTO := $(if $(findstring clang,$(shell $(CC) --version 2>/dev/null)),,-flto=auto)
LIB_FLAGS_OF_release := $(LTO)

LIBS         := -lurcu-bp -lurcu-common -pthread
ALLOCATOR    := -ljemalloc
TEST_LIBS_test := $(ALLOCATOR)
TEST_LIBS_coverage := $(ALLOCATOR)

# The benchmark's rivals; nothing else is linked to them.
BENCH_LIBS   := -lsqlite3 -llmdb

# --- Sources, found by themselves --------------------------------------------------------------

LIB_SOURCES     := $(wildcard lib/*/*.c)
SUPPORT_SOURCES := $(wildcard tests/support/*.c)
BENCH_SOURCES   := $(wildcard bench/*.c)
TEST_KINDS      := unit flow stress
TEST_NAMES      := $(foreach k,$(TEST_KINDS),$(patsubst tests/%.c,%,$(wildcard tests/$k/*.c)))

# examples/: a file with a main() is a program, the others are linked to each of these; a directory
# with a main() in it is one program.
with_main          = $(if $1,$(shell grep -lwE 'int main' $1))
EXAMPLE_FILES     := $(wildcard examples/*.c)
EXAMPLE_MAINS     := $(call with_main,$(EXAMPLE_FILES))
EXAMPLE_SHARED    := $(filter-out $(EXAMPLE_MAINS),$(EXAMPLE_FILES))
EXAMPLE_DIRS      := $(sort $(dir $(call with_main,$(wildcard examples/*/*.c))))
EXAMPLE_PROGRAMS  := $(patsubst examples/%.c,build/bin/%,$(EXAMPLE_MAINS)) \
                     $(patsubst examples/%/,build/bin/%,$(EXAMPLE_DIRS))
LIBS_OF_replay    := -lz
LIBS_OF_cellard   := -lmicrohttpd -ljansson

OWN_FILES = $(shell find include lib examples tests bench -name '*.[ch]' 2>/dev/null | sort)

STATIC := build/lib/libcellar.a
SHARED := build/lib/libcellar.so.$(VERSION)

.SECONDARY:
.DELETE_ON_ERROR:
.PHONY: bench-counts bench-draw all library bench check demo serve load install help test asan \
        tsan \
        asan-clang tsan-clang \
        tsan-clang \
        fuzz kill9 history memcheck planted soak format tidy clean FORCE crash fault corrupt \
        coverage model model-quick sim sim-aarch64 setup-base setup-bench setup-check \
        setup-coverage \
        build-bench \
        build-fuzz tests-memcheck-unit clang-tidy format-check cppcheck shellcheck \
        $(addprefix lib-,$(VARIANTS)) \
        $(addprefix tests-,test asan tsan asan-clang tsan-clang memcheck)

# --- Targets -----------------------------------------------------------------------------------

all: library $(EXAMPLE_PROGRAMS) ## Library, pkg-config file and examples

library: $(STATIC) $(SHARED) build/lib/cellar.pc

demo: all ## Build, then show the library at work
	+$(Q)examples/demo.sh

check: setup-check ## The gate: everything that must hold before a commit
	$(Q)tests/run.sh

test: setup-check ## Unit and flow tests, without sanitizers
	$(Q)tests/run.sh unit flow

asan: setup-check ## All tests under AddressSanitizer and UndefinedBehaviorSanitizer
	$(Q)tests/run.sh asan

tsan: setup-check ## All tests under ThreadSanitizer
	$(Q)tests/run.sh tsan

coverage: setup-coverage ## Lines and branches of lib/ that the unit and flow tests reach
	$(Q)tests/tools/coverage.sh

model: setup-check ## The commit protocol checked in every interleaving (tests/model), long
	$(Q)tests/model/run.sh long

model-quick: setup-check
	$(Q)tests/model/run.sh quick

asan-clang: setup-check ## All tests under clang's AddressSanitizer and UndefinedBehaviorSanitizer
	$(Q)tests/run.sh asan-clang

tsan-clang: setup-check ## All tests under clang's ThreadSanitizer
	$(Q)tests/run.sh tsan-clang

fuzz: build-fuzz ## Fuzzers of the log, of calls and of requests; FUZZ_SECONDS= in all (an hour)
	$(Q)FUZZ_SECONDS=$${FUZZ_SECONDS:-3600} tests/fuzz/run.sh

kill9: build/test/test/flow/flow_crash_kill ## Kills a seller ROUNDS= times (1000); SEED=
	$(Q)ROUNDS=$${ROUNDS:-1000} $<

history: build/test/test/stress/stress_engine_history ## Checks OPERATIONS= (10000000) calls; SEED=
	$(Q)OPERATIONS=$${OPERATIONS:-10000000} $<

memcheck: setup-check tests-memcheck-unit ## Unit and flow tests under valgrind
	$(Q)tests/memcheck/run.sh

planted: setup-check ## Plants known bugs and shows which test notices each
	$(Q)tests/planted/run.sh

soak: build/test/test/soak/soak ## Mixed load and faults for SECONDS= (600); SEED=
	$(Q)SECONDS_TO_RUN=$${SECONDS:-600} $<

tests-memcheck-unit: $(addprefix build/test/memcheck/,$(filter unit/% flow/%,$(TEST_NAMES)))

ifeq ($(BENCH_SOURCES),)
bench:
	@echo "make: there is no benchmark in this tree (bench/*.c)" >&2; exit 1
else
bench: build/bench/cellar-bench ## Build and run the benchmark; ARGS= is passed on
	$(Q)build/bench/cellar-bench $(ARGS)
endif

bench-draw: build-bench ## Draw build/bench/*.svg from a full run (4 minutes), or from JSON=file
	$(Q)tests/tools/setup.sh draw
	$(Q)$(if $(JSON),,build/bench/cellar-bench --full --json >build/bench/table.json)
	$(Q)bench/draw.py $(or $(JSON),build/bench/table.json) build/bench

bench-counts: build/bench/cellar-counts ## Instructions of the hot paths; UPDATE=1 notes them
	$(Q)tests/tools/setup.sh counts
	$(Q)bench/counts/run.py $(if $(UPDATE),--update)

serve: build/bin/cellard ## Start the example server on 127.0.0.1:8080, data in cellard.d; ARGS=
	$(Q)exec build/bin/cellard $(ARGS)

load: build/bin/cellard build-bench ## Load tests of the example server with wrk; ARGS=--full
	$(Q)tests/tools/setup.sh load
	$(Q)bench/load/run.py $(ARGS)

drill-coupon: build/bin/cellard build/bench/paced ## A coupon event, 2,000 and 20,000 claims/s
	$(Q)bench/load/drill_coupon.py

# --- Gates of the disk: programs in tests/gate/, docs/TESTING.md --------------------------------

crash: build/test/test/gate/crash_log build/test/test/flow/flow_crash_disk ## Power cuts everywhere
	$(Q)mkdir -p build/tmp
	$(Q)TMPDIR=build/tmp build/test/test/gate/crash_log
	$(Q)$(if $(IMAGE),,STRESS=$(or $(STRESS),4) build/test/test/flow/flow_crash_disk)

corrupt: build/test/test/gate/corrupt_log ## All single damages of a log at rest
	$(Q)mkdir -p build/tmp
	$(Q)TMPDIR=build/tmp build/test/test/gate/corrupt_log

# The linker leads the library's calls for memory, threads and transfers to the wrappers.
FAULT_WRAPPED := memory_create memory_allocate memory_allocate_zeroed memory_allocate_aligned \
                 memory_map_lazy memory_map_reserve memory_map_enable memory_map_twice \
                 memory_map_fork_guard thread_start io_write_all io_read_all
# ... and those by which its threads wait for one another, and chance gets into it.
PACE_WRAPPED  := commit_writer_sleep commit_follow commit_record commit_defer commit_stop \
                 store_sweep expiry_feed log_hurry log_wait hash_random_seed clock_wall_ns

# $1 a program that has functions wrapped, $2 the directory with the wrappers, $3 the functions.
define WRAPPED_RULES
build/test/$v/$1: $(patsubst tests/%.c,build/obj/$v/tests/%.o,$(wildcard tests/$2/*.c))
build/test/$v/$1: LIBS += $(addprefix -Wl$(comma)--wrap=,$3)
endef
$(foreach v,test asan tsan asan-clang tsan-clang memcheck coverage,\
    $(eval $(call WRAPPED_RULES,gate/fault_engine,gate/fault,$(FAULT_WRAPPED)))\
    $(eval $(call WRAPPED_RULES,flow/flow_crash_sales,flow/crash_sales,$(PACE_WRAPPED))))

fault: build/test/test/gate/fault_engine ## Every call to the disk and for memory fails
	$(Q)mkdir -p build/tmp
	$(Q)TMPDIR=build/tmp build/test/test/gate/fault_engine
	$(Q)$(if $(FAULT),,tests/tools/fault_places.sh build/test/test/gate/fault_engine)

install: library ## Install to PREFIX (/usr/local), below DESTDIR
	install -d $(DESTDIR)$(INCLUDEDIR) $(DESTDIR)$(LIBDIR)/pkgconfig
	install -m 644 $(wildcard include/*.h) $(DESTDIR)$(INCLUDEDIR)
	install -m 644 $(STATIC) $(DESTDIR)$(LIBDIR)
	install -m 755 $(SHARED) $(DESTDIR)$(LIBDIR)
	ln -sf libcellar.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libcellar.so.$(SOVERSION)
	ln -sf libcellar.so.$(SOVERSION) $(DESTDIR)$(LIBDIR)/libcellar.so
	sed -e 's|@prefix@|$(PREFIX)|' -e 's|@libdir@|$(LIBDIR)|' -e 's|@includedir@|$(INCLUDEDIR)|' \
	    build/lib/cellar.pc >$(DESTDIR)$(LIBDIR)/pkgconfig/cellar.pc

format: setup-check ## Lay out all C files
	$(Q)$(CLANG_FORMAT) -i $(OWN_FILES)

tidy: setup-check ## Static analysis: clang-tidy, then cppcheck
	$(Q)$(call clang-tidy-files,$(OWN_FILES))
	$(Q)$(MAKE) --no-print-directory cppcheck

clean: ## Remove build/
	rm -rf build

help: ## This list
	@awk -F ' *## ' '/^[a-z0-9-]+:.* ## / { sub(/:.*/, "", $$1); printf "  %-10s  %s\n", $$1, $$2 }' \
	    Makefile

setup-base setup-bench setup-check setup-coverage: setup-%:
	@tests/tools/setup.sh $*

# --- Objects -----------------------------------------------------------------------------------

define VARIANT_RULES
LIB_OBJECTS_$1     := $$(patsubst %.c,build/obj/$1/%.o,$$(LIB_SOURCES))
SUPPORT_OBJECTS_$1 := $$(patsubst %.c,build/obj/$1/%.o,$$(SUPPORT_SOURCES))

build/obj/$1/lib/%.o: lib/%.c Makefile | setup-base
	@mkdir -p $$(@D)
	@echo "  CC    $$@"
	$$(Q)$$(CC_OF_$1) $$(COMMON) $$(FLAGS_OF_$1) $$(LIB_FLAGS_OF_$1) -Iinclude -Ilib -c $$< -o $$@

build/obj/$1/bench/%.o: bench/%.c Makefile | setup-bench
	@mkdir -p $$(@D)
	@echo "  CC    $$@"
	$$(Q)$$(CC_OF_$1) $$(COMMON) $$(FLAGS_OF_$1) -Iinclude -Ilib -c $$< -o $$@

build/obj/$1/examples/%.o: examples/%.c Makefile | setup-base
	@mkdir -p $$(@D)
	@echo "  CC    $$@"
	$$(Q)$$(CC_OF_$1) $$(COMMON) $$(FLAGS_OF_$1) -Iinclude -c $$< -o $$@

build/obj/$1/tests/%.o: tests/%.c Makefile | setup-check
	@mkdir -p $$(@D)
	@echo "  CC    $$@"
	$$(Q)$$(CC_OF_$1) $$(COMMON) $$(FLAGS_OF_$1) -Iinclude -Ilib -Itests -c $$< -o $$@

build/test/$1/%: build/obj/$1/tests/%.o $$(SUPPORT_OBJECTS_$1) $$(LIB_OBJECTS_$1) \
                 build/obj/$1/sources
	@mkdir -p $$(@D)
	@echo "  LINK  $$@"
	$$(Q)$$(CC_OF_$1) $$(FLAGS_OF_$1) -o $$@ $$(filter %.o,$$^) -lcmocka $$(LIBS) -lm \
	    $$(TEST_LIBS_$1)

# Changes when a source file comes or goes, so that what is linked from them is linked again.
build/obj/$1/sources: FORCE
	@mkdir -p $$(@D)
	@echo '$$(LIB_SOURCES) $$(SUPPORT_SOURCES)' | cmp -s - $$@ || \
	    echo '$$(LIB_SOURCES) $$(SUPPORT_SOURCES)' >$$@

lib-$1: $$(LIB_OBJECTS_$1)
tests-$1: $$(addprefix build/test/$1/,$$(TEST_NAMES))
endef
$(foreach v,$(VARIANTS),$(eval $(call VARIANT_RULES,$v)))

# The headers of liburcu and xxHash choose the machine when they are compiled, so the host's copies
# serve the cross compiler, in a directory without the rest of the host's headers.
$(LIB_OBJECTS_aarch64): | build/obj/aarch64/include
build/obj/aarch64/include: | setup-check
	@mkdir -p $@
	@for pattern in urcu 'urcu*.h' 'xxh*.h' jemalloc; do \
	    for found in /usr/include/$$pattern /usr/include/*-linux-gnu/$$pattern; do \
	        [ ! -e "$$found" ] || ln -sf "$$found" $@/; \
	    done; \
	done

# --- Fuzzers: a file fuzz_*.c is a program, and so is seeds.c; the others are linked to each ------

FUZZ_NAMES   := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_SHARED  := $(filter-out tests/fuzz/fuzz_%.c tests/fuzz/seeds.c,$(wildcard tests/fuzz/*.c))
FUZZ_OBJECTS := $(patsubst %.c,build/obj/fuzz/%.o,$(FUZZ_SHARED)) $(SUPPORT_OBJECTS_fuzz) \
                $(LIB_OBJECTS_fuzz)

# The example server reads requests, and answers them: fuzz_handlers has all of it but what opens
# sockets, and its own in place of libmicrohttpd.
FUZZ_SERVER := $(patsubst %.c,build/obj/fuzz/%.o, \
    $(filter-out %/main.c,$(wildcard examples/cellard/*.c)))
build/fuzz/fuzz_request: $(FUZZ_SERVER)
build/fuzz/fuzz_request: LIBS += $(LIBS_OF_cellard)
build/fuzz/fuzz_handlers: $(filter-out %/listen.o,$(FUZZ_SERVER)) \
    $(patsubst %.c,build/obj/fuzz/%.o,$(wildcard tests/fuzz/handlers/*.c))
build/fuzz/fuzz_handlers: LIBS += $(filter-out -lmicrohttpd,$(LIBS_OF_cellard))

build/fuzz/%: build/obj/fuzz/tests/fuzz/%.o $(FUZZ_OBJECTS) build/obj/fuzz/sources
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	$(Q)$(CLANG) $(FLAGS_OF_fuzz) $(if $(filter fuzz_%,$*),-fsanitize=fuzzer) -o $@ \
	    $(filter %.o,$^) $(LIBS) -lcmocka -lm

build-fuzz: $(addprefix build/fuzz/,$(FUZZ_NAMES) seeds)

# --- Library -----------------------------------------------------------------------------------

# One relocatable object whose hidden symbols are made local: only cellar_* can be linked against.
$(STATIC): $(LIB_OBJECTS_release) build/obj/release/sources
	@mkdir -p $(@D)
	@echo "  AR    $@"
	$(Q)$(CC) $(FLAGS_OF_release) $(if $(LTO),$(LTO) -flinker-output=nolto-rel) -r -nostdlib \
	    -o build/obj/release/cellar.o $(filter %.o,$^)
	$(Q)$(OBJCOPY) --localize-hidden build/obj/release/cellar.o
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ build/obj/release/cellar.o

$(SHARED): $(LIB_OBJECTS_release) lib/cellar.map build/obj/release/sources
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	$(Q)$(CC) $(FLAGS_OF_release) $(LTO) -shared -o $@ $(filter %.o,$^) \
	    -Wl,-soname,libcellar.so.$(SOVERSION) -Wl,--version-script=lib/cellar.map \
	    -Wl,-z,nodelete -Wl,-z,defs -Wl,-z,relro -Wl,-z,now $(LIBS)
	$(Q)ln -sf libcellar.so.$(VERSION) build/lib/libcellar.so.$(SOVERSION)
	$(Q)ln -sf libcellar.so.$(SOVERSION) build/lib/libcellar.so

define CELLAR_PC
prefix=@prefix@
libdir=@libdir@
includedir=@includedir@

Name: cellar
Description: Stock, coupons, balances and orders in memory, every commit logged
Version: $(VERSION)
Requires.private: liburcu-bp
Libs: -L$${libdir} -lcellar
Libs.private: -lurcu-common -pthread
Cflags: -I$${includedir}
endef
build/lib/cellar.pc: export CELLAR_PC := $(CELLAR_PC)
build/lib/cellar.pc: Makefile
	@mkdir -p $(@D)
	@echo "$$CELLAR_PC" >$@

# --- Examples and benchmark --------------------------------------------------------------------

define EXAMPLE_RULE
build/bin/$1: $(patsubst %.c,build/obj/release/%.o,$2) $(STATIC)
	@mkdir -p $$(@D)
	@echo "  LINK  $$@"
	$$(Q)$$(CC) $$(FLAGS_OF_release) -o $$@ $$^ $$(LIBS) -lm $$(LIBS_OF_$1) $$(ALLOCATOR)
endef
$(foreach f,$(EXAMPLE_MAINS),\
    $(eval $(call EXAMPLE_RULE,$(basename $(notdir $f)),$f $(EXAMPLE_SHARED))))
$(foreach d,$(EXAMPLE_DIRS),\
    $(eval $(call EXAMPLE_RULE,$(patsubst examples/%/,%,$d),$(wildcard $d*.c))))

# The server under AddressSanitizer; its tests run it as well.
build/bin/cellard-asan: $(patsubst %.c,build/obj/asan/%.o,$(wildcard examples/cellard/*.c)) \
                        $(LIB_OBJECTS_asan)
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	$(Q)$(CC) $(FLAGS_OF_asan) -o $@ $^ $(LIBS) -lm $(LIBS_OF_cellard)

# The page is taken in by the assembler, which the compiler's list of dependencies does not know.
$(patsubst %,build/obj/%/examples/cellard/assets.o,release asan fuzz): examples/cellard/page.html

build/bench/cellar-bench: $(patsubst %.c,build/obj/release/%.o,$(BENCH_SOURCES)) \
                          $(LIB_OBJECTS_release) build/obj/release/sources
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	$(Q)$(CC) $(FLAGS_OF_release) $(LTO) -o $@ $(filter %.o,$^) $(LIBS) -lm $(ALLOCATOR) \
	    $(BENCH_LIBS)

build/bench/cellar-counts: build/obj/counts/bench/counts/counts.o $(LIB_OBJECTS_counts) \
                           build/obj/counts/sources
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	$(Q)$(CC) $(FLAGS_OF_counts) -o $@ $(filter %.o,$^) $(LIBS) $(ALLOCATOR)

build/bench/paced: bench/load/paced.c Makefile | setup-base
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	$(Q)$(CC) $(COMMON) $(FLAGS_OF_release) -o $@ $<

# --- Interleavings -----------------------------------------------------------------------------

# lib/commit and lib/log on simulated threads, with a switch at every shared access and every access
# watched.
SIM         ?= sim
SIM_WATCH   := -fsanitize=thread --param=tsan-instrument-func-entry-exit=0 \
               -include sim/watched.h
SIM_WATCHED := $(filter-out lib/commit/grace.c,$(wildcard lib/commit/*.c lib/log/*.c)) \
               tests/sim/actors.c
SIM_OTHERS  := $(patsubst %,lib/base/%.c,memory checksum hash histogram io) \
               tests/support/commit_history.c $(wildcard tests/support/memory_*.c) \
               $(filter-out tests/sim/actors.c,$(wildcard tests/sim/*.c))
SIM_FLAGS   := $(COMMON) -O2 -g $(FLAGS_MACHINE) -Iinclude -Ilib -Itests
SIM_OBJECTS := $(patsubst %.c,build/obj/$(SIM)/watched/%.o,$(SIM_WATCHED)) \
               $(patsubst %.c,build/obj/$(SIM)/%.o,$(SIM_OTHERS))

sim: build/sim/cellar-sim ## Simulated schedules of the commit; SCHEDULES= and SEED= are passed on
	$(Q)SCHEDULES=$(SCHEDULES) SEED=$(SEED) build/sim/cellar-sim

# Linked, but not run.
sim-aarch64: build/obj/aarch64/include
	$(Q)$(MAKE) --no-print-directory SIM=sim-aarch64 CC=$(AARCH64_CC) \
	    FLAGS_MACHINE='$(FLAGS_aarch64) -isystem build/obj/aarch64/include' \
	    build/sim-aarch64/cellar-sim

build/obj/$(SIM)/watched/%.o: %.c Makefile | setup-base
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(CC) $(SIM_FLAGS) $(SIM_WATCH) -c $< -o $@

build/obj/$(SIM)/%.o: %.c Makefile | setup-base
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(CC) $(SIM_FLAGS) -c $< -o $@

build/$(SIM)/cellar-sim: $(SIM_OBJECTS)
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	$(Q)$(CC) $(FLAGS_MACHINE) -o $@ $^ -pthread -lm

# --- Steps of the gate (tests/run.sh calls them) ------------------------------------------------

build-bench: $(if $(BENCH_SOURCES),build/bench/cellar-bench)

format-check: setup-check
	$(Q)$(CLANG_FORMAT) --dry-run -Werror $(OWN_FILES)

# C files, further options; as many at a time as there are processors.
clang-tidy-files = printf '%s\n' $(filter %.c,$(1)) | xargs -P $(JOBS) -I{} \
    $(CLANG_TIDY) --quiet $(2) {} -- $(LANGUAGE) $(FLAGS_MACHINE) -DCELLAR_PROBES=1 \
    -Iinclude -Ilib -Itests

# The analyzer takes nine tenths of the time. The gate leaves the tests to `make tidy`: they are run
# under the sanitizers.
clang-tidy: setup-check
	$(Q)$(call clang-tidy-files,$(filter-out tests/%,$(OWN_FILES)))
	$(Q)$(call clang-tidy-files,$(filter tests/%,$(OWN_FILES)),--checks=-clang-analyzer-*)

# Suppressed: what cppcheck concludes from conditions in assertions, which it takes for doubts.
cppcheck: setup-check
	$(Q)mkdir -p build/cppcheck
	$(Q)cppcheck -q -j $(JOBS) --std=c11 --error-exitcode=1 --inline-suppr \
	    --enable=warning,performance,portability --suppress=missingInclude \
	    --suppress=nullPointerRedundantCheck --suppress=arrayIndexOutOfBoundsCond \
	    --suppress=negativeIndex \
	    --cppcheck-build-dir=build/cppcheck -D__x86_64__=1 -D_GNU_SOURCE=1 -D__linux__=1 \
	    -Iinclude -Ilib -Itests $(filter %.c,$(OWN_FILES))

shellcheck: setup-check
	$(Q)shellcheck $$(find tests examples bench .ci \( -name '*.sh' -o -path .ci/run \))

-include $(shell find build/obj -name '*.d' 2>/dev/null)
