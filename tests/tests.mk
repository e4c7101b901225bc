# Test programs, and what `make test` runs. tests/tests.list says what runs how.

T := $(B)/tests
comma := ,

# Guests are built with the cross compilers, where they are there: without them their tests are skipped.
GUEST_LE_CC ?= $(shell command -v powerpc64le-linux-gnu-gcc)
GUEST_BE_CC ?= $(shell command -v powerpc64-linux-gnu-gcc)

LINK_OBJ     := $(filter-out $(B)/obj/machine/run/main.o,$(OBJ))
UNIT         := $(patsubst tests/unit/%.c,$(T)/unit/%,$(filter-out tests/unit/check.c,$(wildcard tests/unit/*.c)))
INSN_SRC     := $(filter-out tests/insn/oracle.c,$(wildcard tests/insn/*.c))
INSN_OBJ     := $(INSN_SRC:%.c=$(B)/obj/%.o)
ORACLES      := $(if $(GUEST_LE_CC),$(T)/oracle-le) $(if $(GUEST_BE_CC),$(T)/oracle-be)
GUEST_NAMES  := $(filter-out lib,$(basename $(notdir $(wildcard tests/guest/*.c))))
GUESTS       := $(if $(GUEST_LE_CC),$(GUEST_NAMES:%=$(T)/guest/%-le.elf)) \
		$(if $(GUEST_BE_CC),$(GUEST_NAMES:%=$(T)/guest/%-be.elf) $(T)/guest/elf32-be.elf)
LINUX_PROGRAMS := $(if $(GUEST_LE_CC),$(patsubst tests/linux/%.c,$(T)/linux/%,$(wildcard tests/linux/*.c)))
FUZZ_OBJ     := $(patsubst %.c,$(B)/obj/%.o,$(wildcard tests/fuzz/*.c))
LOAD_OBJ     := $(addprefix $(B)/obj/tests/fuzz/load/,input.o mutate.o seeds.o)
LOAD_MANY    := $(addprefix $(B)/obj/tests/fuzz/load/,many.o load.o fields.o)
CALLS_FUZZ   := $(B)/obj/tests/splpar/calls_fuzz.o
TEST_PROGRAMS := $(UNIT) $(T)/calls_fuzz $(T)/load_many $(T)/insn_test $(T)/guest_fuzz $(ORACLES) $(GUESTS) $(LINUX_PROGRAMS)

.PHONY: test test-long test-all test-programs test-sanitizers test-guests test-fuzz fuzz check-analyze
.SECONDARY: $(FUZZ_OBJ) $(LOAD_OBJ) $(LOAD_MANY) $(CALLS_FUZZ) $(UNIT:$(T)/%=$(B)/obj/tests/%.o) $(INSN_OBJ)

# What is missing is installed first, and what follows is another make, which finds it.
test: install-missing	## install what is missing, and run all tests but the long ones (20 minutes at most on 2 cores)
	$(Q)B=$(BUILD) tools/dev/deps.sh test || echo "cede: what wants the rest is skipped"
	$(Q)$(MAKE) --no-print-directory test-all

test-long: install-missing	## all tests: more operands, more mutants, Debian's installer
	$(Q)B=$(BUILD) tools/dev/deps.sh test || echo "cede: what wants the rest is skipped"
	$(Q)$(MAKE) --no-print-directory test-all GROUPS=all

test-all: test-programs test-sanitizers test-fuzz test-guests
	$(Q)B=$(B) GUEST_DIR=$(BUILD)/guest tests/run $(GROUPS:%=-g %) $(TESTS)

test-programs: $(B)/cede $(B)/cede-dtl $(B)/cede-snap $(TEST_PROGRAMS)

# A build of its own, under $(B)/san, with what is to run in it. Without the compiler's run-time library: none.
SAN_PROGRAMS := $(addprefix $(B)/san/,cede cede-dtl cede-snap $(UNIT:$(B)/%=%) $(addprefix tests/,insn_test guest_fuzz calls_fuzz load_many))
test-sanitizers:
	$(Q)$(if $(san_cc),$(MAKE) --no-print-directory SAN=1 BUILD=$(BUILD) B=$(B)/san $(SAN_PROGRAMS), \
		echo "cede: $(CC) has no run-time library for sanitizers, tests that want it are skipped")

# libFuzzer's programs, in a build of their own, and what they start from. Clang alone has it.
has_fuzzer = $(shell echo 'int LLVMFuzzerTestOneInput(const char *p, long n) { return p != 0 && n > 0; }' | \
	$(CC) -fsanitize=fuzzer -x c -o /dev/null - 2>/dev/null && echo yes)

# A target of libFuzzer, one line each: its name; its objects besides cede's own, without .o; options for the linker; the
# program that writes what it starts from into the folder that is named after -w, itself if none is given. libfuzzer.py runs it.
define fuzzer
FUZZERS += $(1)
SEEDS_$(1) := $(or $(4),$(BUILD)/fuzz/$(1))
$(BUILD)/fuzz/$(1): $(2:%=$(B)/obj/%.o)
$(BUILD)/fuzz/$(1): LD_FLAGS += $(3)
endef

FUZZERS   :=
LOAD_FUZZ := $(addprefix tests/fuzz/load/,input mutate seeds custom)
$(eval $(call fuzzer,load,tests/fuzz/load/load $(LOAD_FUZZ),-Wl$(comma)--wrap=snapshot_load,$(BUILD)/san/tests/load_many))
$(eval $(call fuzzer,inspect,tests/fuzz/load/inspect tests/fuzz/snap_main tools/snap/snap_convert $(LOAD_FUZZ),,$(BUILD)/san/tests/load_many))
$(eval $(call fuzzer,dtl,tests/fuzz/dtl/dtl tests/fuzz/dtl_main $(basename $(filter-out tools/dtl/cede_dtl.c,$(DTL_SRC))),,tests/fuzz/corpus.py dtl))
$(eval $(call fuzzer,options,tests/fuzz/options/options,,tests/fuzz/corpus.py options))
$(eval $(call fuzzer,monitor,tests/fuzz/monitor/monitor $(filter-out %/custom,$(LOAD_FUZZ)),$(addprefix -Wl$(comma)--wrap=,console_read console_write console_client outgoing_migrate outgoing_save place_has_file unlink),tests/fuzz/corpus.py monitor))
SEED_FUZZ := $(addprefix tests/fuzz/load/,input mutate seeds)
$(eval $(call fuzzer,describe,tests/fuzz/load/describe $(SEED_FUZZ)))
$(eval $(call fuzzer,heads,tests/fuzz/load/heads $(SEED_FUZZ)))
FW_FUZZ   := tests/fuzz/firmware/rig
$(eval $(call fuzzer,trees,tests/fuzz/firmware/trees $(FW_FUZZ),-Wl$(comma)--wrap=memory_map))
$(eval $(call fuzzer,client,tests/fuzz/firmware/client $(FW_FUZZ),-Wl$(comma)--wrap=memory_map))

fuzz:	## libFuzzer's programs, build/fuzz/load and others, and what they start from
	$(Q)$(if $(has_fuzzer),,echo "cede: $(CC) has no libFuzzer: make deps, CC=clang-19" >&2; exit 1)
	$(Q)$(MAKE) -s --no-print-directory SAN=1 BUILD=$(BUILD) B=$(BUILD)/san $(CPU_OBJ:$(B)/%=$(BUILD)/san/%) $(BUILD)/san/tests/load_many
	$(Q)$(MAKE) -s --no-print-directory FUZZ=1 BUILD=$(BUILD) B=$(BUILD)/fuzz $(FUZZERS:%=$(BUILD)/fuzz/%)
	$(Q)rm -rf $(BUILD)/fuzz/corpus && mkdir -p $(FUZZERS:%=$(BUILD)/fuzz/corpus/%)
	$(Q)$(foreach f,$(FUZZERS),$(SEEDS_$(f)) -w $(BUILD)/fuzz/corpus/$(f) &&) true

check-analyze: all test-guests	## QEMU's stream analyser, from Debian's source package, on every kind of stream
	$(Q)B=$(B) CEDE=$(B)/cede tests/snapshot/analyze.sh

# For `make test`: without libFuzzer its tests are skipped.
test-fuzz: test-sanitizers
	$(Q)$(if $(has_fuzzer),$(MAKE) --no-print-directory fuzz,echo "cede: $(CC) has no libFuzzer, tests that want it are skipped")

# The tools' main() goes by another name.
define renamed_main
$(B)/obj/tests/fuzz/$(1)_main.o: tools/$(1)/cede_$(1).c Makefile $(B)/obj/flags
	$$(call say,CC,$$<)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(CC) $$(CPP_FLAGS) -Dmain=$(1)_main $$(C_FLAGS) -MMD -MP -c -o $$@ $$<
endef
$(foreach tool,dtl snap,$(eval $(call renamed_main,$(tool))))

FUZZ_CPU := $(CPU_OBJ:$(B)/%=$(BUILD)/san/%)
ifdef FUZZ
$(FUZZ_CPU) &:
	$(Q)$(MAKE) --no-print-directory FUZZ= SAN=1 BUILD=$(BUILD) B=$(BUILD)/san $(FUZZ_CPU)
endif
FUZZ_COMMON := $(filter-out $(CPU_OBJ),$(LINK_OBJ)) $(FUZZ_CPU)
$(FUZZERS:%=$(BUILD)/fuzz/%): $(FUZZ_COMMON)
	$(call say,LD,$@)
	$(Q)$(CC) $(C_FLAGS) $(LD_FLAGS) -o $@ $^ $(LIBS)

# Debian's kernel. Without a network the tests that want it are skipped.
test-guests:
	-$(Q)GUEST_DIR=$(BUILD)/guest tools/guest/guest.sh kernel
	-$(Q)GUEST_DIR=$(BUILD)/guest tools/guest/guest.sh installer

# Where writing to the disk is made to fail.
$(T)/unit/savevm: LD_FLAGS += -Wl,--wrap=write -Wl,--wrap=ftruncate -Wl,--wrap=fsync -Wl,--wrap=renameat

$(T)/unit/%: $(B)/obj/tests/unit/%.o $(LINK_OBJ)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(C_FLAGS) $(LD_FLAGS) -o $@ $^ $(LIBS)

$(T)/insn_test: $(INSN_OBJ) $(CPU_OBJ) $(SAVEVM_OBJ)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(C_FLAGS) $(LD_FLAGS) -o $@ $^ $(LIBS)

# Between the run loop and its processors the fuzzer cuts time into slices; it maps RAM between guards.
$(T)/guest_fuzz: $(FUZZ_OBJ) $(LINK_OBJ)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(C_FLAGS) $(LD_FLAGS) -Wl,--wrap=cpu_run -Wl,--wrap=memory_map -o $@ $^ $(LIBS)

# Here they call instead of executing.
$(T)/calls_fuzz: $(CALLS_FUZZ) $(LINK_OBJ)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(C_FLAGS) $(LD_FLAGS) -Wl,--wrap=cpu_run -Wl,--wrap=memory_map -o $@ $^ $(LIBS)

# Here what a load has found is looked at between the load and the run.
$(T)/load_many: $(LOAD_MANY) $(LOAD_OBJ) $(LINK_OBJ)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(C_FLAGS) $(LD_FLAGS) -Wl,--wrap=snapshot_load -o $@ $^ $(LIBS)

$(T)/oracle-le: CROSS = $(GUEST_LE_CC)
$(T)/oracle-be: CROSS = $(GUEST_BE_CC)
$(ORACLES): tests/insn/oracle.c tests/insn/state.h
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CROSS) -std=gnu17 -O1 -Wall -Wextra -static -I. -o $@ $<

# For a process of a Linux guest.
$(LINUX_PROGRAMS): $(T)/linux/%: tests/linux/%.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(GUEST_LE_CC) -std=gnu17 -O1 -Wall -Wextra -ffreestanding -nostdlib -static -fno-stack-protector -o $@ $<

# No compiler output of a guest may use what the guest has not switched on: hence soft float.
GUEST_CFLAGS := -std=gnu17 -O1 -g -Wall -Wextra -ffreestanding -Wno-int-conversion -nostdlib -static -no-pie -fno-pic -mcpu=power9 \
		-mno-altivec -mno-vsx -msoft-float -mabi=elfv2 -mcmodel=medium -mno-pointers-to-nested-functions \
		-fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -fno-strict-aliasing \
		-Wl,--build-id=none -Wl,-z,norelro -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments -Wl,-T,tests/guest/guest.lds
GUEST_LIB := tests/guest/start.S tests/guest/lib.c
GUEST_HEADERS := $(wildcard tests/guest/*.h)

$(T)/guest/%-le.elf: tests/guest/%.c $(GUEST_LIB) tests/guest/guest.lds $(GUEST_HEADERS)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(GUEST_LE_CC) $(GUEST_CFLAGS) -mlittle-endian -o $@ $< $(GUEST_LIB)

$(T)/guest/%-be.elf: tests/guest/%.c $(GUEST_LIB) tests/guest/guest.lds $(GUEST_HEADERS)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(GUEST_BE_CC) $(GUEST_CFLAGS) -mbig-endian -o $@ $< $(GUEST_LIB)

# As zImage.pseries is linked.
$(T)/guest/elf32-be.elf: tests/guest/elf32/elf32.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(GUEST_BE_CC) -m32 -std=gnu17 -O1 -g -Wall -Wextra -ffreestanding -nostdlib -static -no-pie -fno-pic -mcpu=powerpc -msoft-float \
		-fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -fno-strict-aliasing \
		-Wl,--build-id=none -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments -Wl,-N -Wl,-Ttext=0x4000000 -o $@ $<

-include $(UNIT:$(T)/%=$(B)/obj/tests/%.d) $(INSN_OBJ:.o=.d) $(FUZZ_OBJ:.o=.d) $(wildcard $(B)/obj/tests/fuzz/*/*.d) $(CALLS_FUZZ:.o=.d)
