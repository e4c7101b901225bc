# libFuzzer's programs, in a build of their own (MODE=fuzz), and what they start from. Clang alone has it.
has_fuzzer = $(shell echo 'int LLVMFuzzerTestOneInput(const char *p, long n) { return p != 0 && n > 0; }' | \
	$(CC) -fsanitize=fuzzer -x c -o /dev/null - 2>/dev/null && echo yes)

.PHONY: fuzz test-fuzz

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
$(eval $(call fuzzer,prof,tests/fuzz/prof/prof tests/fuzz/prof_main $(basename $(filter-out tools/prof/cede_prof.c,$(PROF_SRC))),,tests/fuzz/corpus.py prof))
$(eval $(call fuzzer,scsi,tests/fuzz/scsi/scsi,,tests/fuzz/corpus.py scsi))
$(eval $(call fuzzer,options,tests/fuzz/options/options,,tests/fuzz/corpus.py options))
$(eval $(call fuzzer,monitor,tests/fuzz/monitor/monitor $(filter-out %/custom,$(LOAD_FUZZ)),$(addprefix -Wl$(comma)--wrap=,console_read console_write console_client outgoing_migrate outgoing_save place_has_file unlink),tests/fuzz/corpus.py monitor))
SEED_FUZZ := $(addprefix tests/fuzz/load/,input mutate seeds)
$(eval $(call fuzzer,describe,tests/fuzz/load/describe $(SEED_FUZZ)))
$(eval $(call fuzzer,heads,tests/fuzz/load/heads $(SEED_FUZZ)))
$(eval $(call fuzzer,qcow2,tests/fuzz/block/qcow2,-Wl$(comma)--wrap=block_node_open,tests/fuzz/corpus.py qcow2))
$(eval $(call fuzzer,frames,tests/fuzz/net/frames,,tests/fuzz/corpus.py frames))
$(eval $(call fuzzer,p9,tests/fuzz/p9/p9,,tests/fuzz/corpus.py p9))
FW_FUZZ   := tests/fuzz/firmware/rig
$(eval $(call fuzzer,trees,tests/fuzz/firmware/trees $(FW_FUZZ),-Wl$(comma)--wrap=memory_map))
$(eval $(call fuzzer,volume,tests/fuzz/firmware/volume $(FW_FUZZ),-Wl$(comma)--wrap=memory_map))
$(eval $(call fuzzer,client,tests/fuzz/firmware/client $(FW_FUZZ),-Wl$(comma)--wrap=memory_map))
$(eval $(call fuzzer,virtio,tests/fuzz/virtio/virtio $(FW_FUZZ),-Wl$(comma)--wrap=memory_map))
$(eval $(call fuzzer,vscsi,tests/fuzz/vscsi/vscsi $(FW_FUZZ),$(addprefix -Wl$(comma)--wrap=,memory_map $(addprefix scsi_,bus_init bus_drop execute abort reset_target find))))

fuzz:	## libFuzzer's programs, build/fuzz/load and others, and what they start from
	$(Q)$(if $(has_fuzzer),,echo "cede: $(CC) has no libFuzzer: make deps, CC=clang-19" >&2; exit 1)
	$(Q)$(MAKE) -s --no-print-directory MODE=san BUILD=$(BUILD) B=$(BUILD)/san $(CPU_OBJ:$(B)/%=$(BUILD)/san/%) $(BUILD)/san/tests/load_many
	$(Q)$(MAKE) -s --no-print-directory MODE=fuzz BUILD=$(BUILD) B=$(BUILD)/fuzz $(FUZZERS:%=$(BUILD)/fuzz/%)
	$(Q)rm -rf $(BUILD)/fuzz/corpus && mkdir -p $(FUZZERS:%=$(BUILD)/fuzz/corpus/%)
	$(Q)$(foreach f,$(FUZZERS),$(SEEDS_$(f)) -w $(BUILD)/fuzz/corpus/$(f) &&) true

# For `make test`: without libFuzzer its tests are skipped.
test-fuzz: test-sanitizers
	$(Q)$(if $(has_fuzzer),$(MAKE) --no-print-directory fuzz,echo "cede: $(CC) has no libFuzzer, tests that want it are skipped")

# The tools' main() goes by another name.
define renamed_main
$(B)/obj/tests/fuzz/$(1)_main.o: tools/$(1)/cede_$(1).c $(B)/obj/flags
	$$(call say,CC,$$<)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(CC) $$(CPP_FLAGS) -Dmain=$(1)_main $$(C_FLAGS) -MMD -MP -c -o $$@ $$<
endef
$(foreach tool,dtl snap prof,$(eval $(call renamed_main,$(tool))))

FUZZ_CPU := $(CPU_OBJ:$(B)/%=$(BUILD)/san/%)
ifeq ($(MODE),fuzz)
$(FUZZ_CPU) &:
	$(Q)$(MAKE) --no-print-directory MODE=san BUILD=$(BUILD) B=$(BUILD)/san $(FUZZ_CPU)
endif
FUZZ_COMMON := $(filter-out $(CPU_OBJ),$(LINK_OBJ)) $(FUZZ_CPU)
$(FUZZERS:%=$(BUILD)/fuzz/%): $(FUZZ_COMMON)
	$(call say,LD,$@)
	$(Q)$(CC) $(C_FLAGS) $(LD_FLAGS) -o $@ $^ $(LIBS)

