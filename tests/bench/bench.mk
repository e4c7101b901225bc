# The scoreboard's small programs, for a guest of Debian's ppc64el; tests/bench/rows.list says what runs.

BENCH_DIR      := tests/bench/programs
BENCH_CC       ?= powerpc64le-linux-gnu-gcc
BENCH_CFLAGS   := -std=gnu17 -D_GNU_SOURCE= -O2 -static -s -mcpu=power8 -Wall -Wextra -Wshadow
BENCH_PROGRAMS := $(patsubst $(BENCH_DIR)/%.c,$(B)/bench/programs/%,$(wildcard $(BENCH_DIR)/*.c))

.PHONY: bench-programs
bench-programs: $(BENCH_PROGRAMS)	## the scoreboard's programs (wants the ppc64el cross compiler)

$(B)/bench/programs/%: $(BENCH_DIR)/%.c $(wildcard $(BENCH_DIR)/*.h) tests/bench/bench.mk
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(BENCH_CC) $(BENCH_CFLAGS) -o $@ $< -lm

.PHONY: bench-snapshot
bench-snapshot: all	## time saving and loading a guest of 1 GiB, beside QEMU, and restoring one of 4 GiB
	@python3 tests/bench/snapshot.py $(BENCHFLAGS)
	@python3 tests/bench/restore.py

.PHONY: bench-net
bench-net: all guest	## time a guest's network, throughput both ways and latency, beside QEMU (PAIRS=)
	@B=$(B) GUEST_DIR=$(BUILD)/guest python3 tests/bench/net.py $(BENCHFLAGS)

.PHONY: bench-dispatch
bench-dispatch:	## what the way from handler to handler costs on this host, whatever they do (wants clang 19)
	$(Q)mkdir -p $(B)/bench
	$(Q)$(CC) -std=gnu17 -O2 -Wall -Wextra -o $(B)/bench/dispatch tests/bench/dispatch.c
	$(Q)$(B)/bench/dispatch

.PHONY: bench-timing
bench-timing: $(TESTS_AT)/pipe_bench bench-timing-probes bench-timing-speed	## the timing models of POWER8, 9 and 10 beside llvm-mca, on blocks of real programs (BENCHFLAGS=--traces DIR: and on paths), beside what was measured, and their speed
	@B=$(B) GUEST_DIR=$(BUILD)/guest python3 tests/bench/timing/compare.py $(BENCHFLAGS)
	@B=$(B) python3 tests/bench/timing/differences.py

.PHONY: bench-timing-probes
bench-timing-probes: all $(B)/tests/guest/probes-le.elf	## the part of it that runs loops on the bare machine, whose cycles others have measured
	@B=$(B) python3 tests/bench/timing/probes.py

.PHONY: bench-timing-speed
bench-timing-speed: all guest	## how fast a boot is under each timing model, beside what gem5 publishes (SPEEDFLAGS=--runs=9, --base=CEDE)
	@B=$(B) GUEST_DIR=$(BUILD)/guest python3 tests/bench/timing/speed.py $(SPEEDFLAGS)
