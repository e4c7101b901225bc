# Test programs, and what `make test` runs. tests/tests.list says what runs how.

TESTS_AT := $(B)/tests
comma := ,

# Guests are built with the cross compilers, where they are there: without them their tests are skipped.
GUEST_LE_CC ?= $(shell command -v powerpc64le-linux-gnu-gcc)
GUEST_BE_CC ?= $(shell command -v powerpc64-linux-gnu-gcc)

LINK_OBJ     := $(filter-out $(B)/obj/machine/run/main.o,$(OBJ))
UNIT         := $(patsubst tests/unit/%.c,$(TESTS_AT)/unit/%,$(filter-out tests/unit/check.c,$(wildcard tests/unit/*.c)))
INSN_SRC     := $(filter-out tests/insn/oracle.c tests/insn/p10.c,$(wildcard tests/insn/*.c))
INSN_OBJ     := $(INSN_SRC:%.c=$(B)/obj/%.o)
ORACLES      := $(if $(GUEST_LE_CC),$(TESTS_AT)/oracle-le $(TESTS_AT)/p10) $(if $(GUEST_BE_CC),$(TESTS_AT)/oracle-be)
GUEST_NAMES  := $(filter-out lib,$(basename $(notdir $(wildcard tests/guest/*.c))))
GUESTS       := $(if $(GUEST_LE_CC),$(GUEST_NAMES:%=$(TESTS_AT)/guest/%-le.elf)) \
		$(if $(GUEST_BE_CC),$(GUEST_NAMES:%=$(TESTS_AT)/guest/%-be.elf) $(TESTS_AT)/guest/elf32-be.elf)
LINUX_PROGRAMS := $(if $(GUEST_LE_CC),$(patsubst tests/linux/%.c,$(TESTS_AT)/linux/%,$(wildcard tests/linux/*.c)))
FUZZ_OBJ     := $(patsubst %.c,$(B)/obj/%.o,$(wildcard tests/fuzz/*.c))
LOAD_OBJ     := $(addprefix $(B)/obj/tests/fuzz/load/,input.o mutate.o seeds.o)
LOAD_MANY    := $(addprefix $(B)/obj/tests/fuzz/load/,many.o load.o fields.o)
CALLS_FUZZ   := $(B)/obj/tests/splpar/calls_fuzz.o
TEST_PROGRAMS := $(UNIT) $(TESTS_AT)/pipe_bench $(TESTS_AT)/calls_fuzz $(TESTS_AT)/load_many $(TESTS_AT)/insn_test $(TESTS_AT)/guest_fuzz $(ORACLES) $(GUESTS) $(LINUX_PROGRAMS)

.PHONY: test test-long test-all test-programs test-sanitizers test-guests check check-built check-analyze programs commands guests oracles linux-programs
.SECONDARY: $(FUZZ_OBJ) $(LOAD_OBJ) $(LOAD_MANY) $(CALLS_FUZZ) $(UNIT:$(TESTS_AT)/%=$(B)/obj/tests/%.o) $(INSN_OBJ)

# What is missing is installed first, and what follows is another make, which finds it.
test: install-missing	## install what is missing, and run all tests but the long ones (20 minutes at most on 2 cores)
	$(Q)B=$(BUILD) tools/dev/deps.sh test || echo "cede: what wants the rest is skipped"
	$(Q)$(MAKE) --no-print-directory test-all

test-long: install-missing	## all tests: more operands, more mutants, Debian's installer
	$(Q)B=$(BUILD) tools/dev/deps.sh test || echo "cede: what wants the rest is skipped"
	$(Q)$(MAKE) --no-print-directory test-all GROUPS=all

test-all: test-programs commands test-sanitizers test-fuzz test-guests
	$(Q)echo "Rooms, and whom each includes from:" && python3 tests/unit/rooms.py | sed 's/^ok room /  /'
	$(Q)B=$(B) GUEST_DIR=$(BUILD)/guest tests/run $(GROUPS:%=-g %) $(TESTS)

test-programs: $(PROGRAMS) $(TEST_PROGRAMS)

# T='unit/xics guest/*': these tests of tests.list alone, and what each of them finds built (tests/run -n), no more.
# Programs of other modes are another make's.
CHECKED = $(foreach t,$(T),$(call quote,$(t)))
check:	## build and run the tests that T= names, as in T='unit/xics guest/*'
	$(Q)$(if $(T),,echo "cede: make check T='unit/xics guest/*' says which" >&2; exit 2)
	$(Q)needs=$$(B=$(B) tests/run -n $(CHECKED)) && $(MAKE) --no-print-directory check-built NEEDS="$$needs"
	$(Q)B=$(B) GUEST_DIR=$(BUILD)/guest tests/run $(CHECKED)

NO_COMPILER = $(filter-out $(GUESTS),$(filter $(TESTS_AT)/guest/%,$(NEEDS)))
OTHER_MODES = san debug
check-built: $(filter-out $(OTHER_MODES:%=$(B)/%/%) $(NO_COMPILER),$(NEEDS))
	$(Q)$(foreach m,$(OTHER_MODES),$(if $(filter $(B)/$(m)/%,$(NEEDS)), \
		$(MAKE) --no-print-directory MODE=$(m) BUILD=$(BUILD) B=$(B)/$(m) $(filter $(B)/$(m)/%,$(NEEDS)) &&)) true

programs: $(PROGRAMS)
commands: $(COMPILE_COMMANDS)
guests: $(GUESTS)
oracles: $(ORACLES)
linux-programs: $(LINUX_PROGRAMS)

# A build of its own, under $(B)/san, with what is to run in it. Without the compiler's run-time library: none.
SAN_PROGRAMS := $(addprefix $(B)/san/,cede cede-dtl cede-prof cede-snap $(UNIT:$(B)/%=%) $(addprefix tests/,insn_test guest_fuzz calls_fuzz load_many))
test-sanitizers:
	$(Q)$(if $(call sanitizer_cc,san),$(MAKE) --no-print-directory MODE=san BUILD=$(BUILD) B=$(B)/san $(SAN_PROGRAMS), \
		echo "cede: $(CC) has no run-time library for sanitizers, tests that want it are skipped")

check-analyze: all test-guests	## QEMU's stream analyser, from Debian's source package, on every kind of stream
	$(Q)B=$(B) CEDE=$(B)/cede tests/snapshot/analyze.sh

# Debian's kernel. Without a network the tests that want it are skipped.
test-guests:
	-$(Q)GUEST_DIR=$(BUILD)/guest tools/guest/guest.sh kernel
	-$(Q)GUEST_DIR=$(BUILD)/guest tools/guest/guest.sh installer
	-$(Q)GUEST_DIR=$(BUILD)/guest tools/guest/guest.sh grub
	-$(Q)GUEST_DIR=$(BUILD)/guest tools/guest/guest.sh perf
	-$(Q)GUEST_DIR=$(BUILD)/guest tools/guest/guest.sh utils
	-$(Q)GUEST_DIR=$(BUILD)/guest tools/guest/guest.sh nbd
	-$(Q)GUEST_DIR=$(BUILD)/guest tools/guest/guest.sh gdb

# Where writing to the disk is made to fail.
$(TESTS_AT)/unit/savevm: LD_FLAGS += -Wl,--wrap=write -Wl,--wrap=ftruncate -Wl,--wrap=fsync -Wl,--wrap=renameat
$(TESTS_AT)/unit/image: LD_FLAGS += -Wl,--wrap=pread -Wl,--wrap=pwrite -Wl,--wrap=fdatasync -Wl,--wrap=fallocate

# Where the target of commands is the test's own.
VSCSI_WRAP := $(addprefix -Wl$(comma)--wrap=scsi_,bus_init bus_drop execute abort reset_target find)
$(TESTS_AT)/unit/vscsi: LD_FLAGS += $(VSCSI_WRAP)

$(TESTS_AT)/unit/%: $(B)/obj/tests/unit/%.o $(LINK_OBJ)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(C_FLAGS) $(LD_FLAGS) -o $@ $^ $(LIBS)

$(TESTS_AT)/insn_test: $(INSN_OBJ) $(CPU_OBJ) $(SAVEVM_OBJ)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(C_FLAGS) $(LD_FLAGS) -o $@ $^ $(LIBS)

$(TESTS_AT)/pipe_bench: $(B)/obj/tests/bench/timing/pipe_bench.o $(CPU_OBJ) $(SAVEVM_OBJ)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(C_FLAGS) $(LD_FLAGS) -o $@ $^ $(LIBS)

# Between the run loop and its processors the fuzzer cuts time into slices; it maps RAM between guards.
$(TESTS_AT)/guest_fuzz: $(FUZZ_OBJ) $(LINK_OBJ)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(C_FLAGS) $(LD_FLAGS) -Wl,--wrap=cpu_run -Wl,--wrap=memory_map -o $@ $^ $(LIBS)

# Here they call instead of executing.
$(TESTS_AT)/calls_fuzz: $(CALLS_FUZZ) $(LINK_OBJ)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(C_FLAGS) $(LD_FLAGS) -Wl,--wrap=cpu_run -Wl,--wrap=memory_map -o $@ $^ $(LIBS)

# Here what a load has found is looked at between the load and the run.
$(TESTS_AT)/load_many: $(LOAD_MANY) $(LOAD_OBJ) $(LINK_OBJ)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(C_FLAGS) $(LD_FLAGS) -Wl,--wrap=snapshot_load -o $@ $^ $(LIBS)

$(TESTS_AT)/oracle-le: CROSS = $(GUEST_LE_CC)
$(TESTS_AT)/oracle-be: CROSS = $(GUEST_BE_CC)
$(filter-out %/p10,$(ORACLES)): tests/insn/oracle.c tests/insn/state.h
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CROSS) -std=gnu17 -O1 -Wall -Wextra -static -I. -o $@ $<

# Addresses relative to the instruction are what this compiler makes for that processor.
$(TESTS_AT)/p10: tests/insn/p10.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(GUEST_LE_CC) -std=gnu17 -O2 -Wall -Wextra -mcpu=power10 -ffreestanding -nostdlib -static -fno-stack-protector -fno-strict-aliasing -o $@ $<

# For a process of a Linux guest.
$(LINUX_PROGRAMS): $(TESTS_AT)/linux/%: tests/linux/%.c tests/linux/process.h
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(GUEST_LE_CC) -std=gnu17 -O1 -g -Wall -Wextra -ffreestanding -nostdlib -static -fno-stack-protector -o $@ $<

# No compiler output of a guest may use what the guest has not switched on: hence soft float.
GUEST_CFLAGS = -std=gnu17 -O1 -g -Wall -Wextra -ffreestanding -Wno-int-conversion -nostdlib -static -no-pie -fno-pic -mcpu=$(GUEST_CPU) \
		-mno-altivec -mno-vsx -msoft-float -mabi=elfv2 -mcmodel=medium -mno-pointers-to-nested-functions \
		-fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -fno-strict-aliasing \
		-Wl,--build-id=none -Wl,-z,norelro -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments -Wl,-T,tests/guest/guest.lds
# All but those about radix trees run on a POWER8, too.
GUEST_CPU := power8
$(foreach name,radix remap lat_guest,$(TESTS_AT)/guest/$(name)-%.elf): GUEST_CPU = power9
GUEST_LIB := tests/guest/start.S tests/guest/lib.c
GUEST_HEADERS := $(wildcard tests/guest/*.h)

$(TESTS_AT)/guest/%-le.elf: tests/guest/%.c $(GUEST_LIB) tests/guest/guest.lds $(GUEST_HEADERS)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(GUEST_LE_CC) $(GUEST_CFLAGS) -mlittle-endian -o $@ $< $(GUEST_LIB)

$(TESTS_AT)/guest/%-be.elf: tests/guest/%.c $(GUEST_LIB) tests/guest/guest.lds $(GUEST_HEADERS)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(GUEST_BE_CC) $(GUEST_CFLAGS) -mbig-endian -o $@ $< $(GUEST_LIB)

# As zImage.pseries is linked.
$(TESTS_AT)/guest/elf32-be.elf: tests/guest/elf32/elf32.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(GUEST_BE_CC) -m32 -std=gnu17 -O1 -g -Wall -Wextra -ffreestanding -nostdlib -static -no-pie -fno-pic -mcpu=powerpc -msoft-float \
		-fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -fno-strict-aliasing \
		-Wl,--build-id=none -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments -Wl,-N -Wl,-Ttext=0x4000000 -o $@ $<

-include $(UNIT:$(TESTS_AT)/%=$(B)/obj/tests/%.d) $(INSN_OBJ:.o=.d) $(FUZZ_OBJ:.o=.d) $(wildcard $(B)/obj/tests/fuzz/*/*.d) $(CALLS_FUZZ:.o=.d) $(B)/obj/tests/bench/timing/pipe_bench.d
