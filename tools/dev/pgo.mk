# MODE=pgo: link-time optimisation, and cpu/ arranged by what its training (tools/dev/pgo.sh) used. The rest of cede runs
# too seldom to matter, and waits for the host: no two trainings of it agree.
# MODE=pgo/gen: the program that is trained, at fixed addresses, because tables are hashed by them.

ifneq ($(filter pgo%,$(MODE)),)
PROFDATA := $(shell $(CC) -print-prog-name=llvm-profdata)
ifneq ($(and $(shell command -v $(PROFDATA)),$(call links,$(CC),-flto=thin -fuse-ld=lld -fprofile-generate)),yes)
$(info cede: no clang with lld, llvm-profdata and run-time library (make deps deps-test): MODE=pgo has no effect)
else ifeq ($(MODE),pgo/gen)
PGO_CFLAGS      := -fprofile-generate -mllvm -disable-vp=true
LDFLAGS_pgo/gen := -no-pie -fprofile-generate
else
PROFILE_DATA := $(BUILD)/pgo/gen/cede.profdata
PGO_CFLAGS   := -fprofile-use=$(PROFILE_DATA) -mllvm -disable-vp=true
CFLAGS_pgo   += -flto=thin
LDFLAGS_pgo  := -fuse-ld=lld -Wl,-z,keep-text-section-prefix

# Without the cross compilers the training has less to go by.
PGO_GUESTS := smp radix mode32
$(BUILD)/pgo/gen/cede.profdata: $(BUILD)/pgo/gen/cede tools/dev/pgo.sh
	$(call say,TRAIN,$@)
	$(Q)$(MAKE) --no-print-directory MODE=release B=$(BUILD) all $(if $(GUEST_LE_CC),bench-programs) \
		$(foreach order,$(if $(GUEST_LE_CC),le) $(if $(GUEST_BE_CC),be),$(PGO_GUESTS:%=$(BUILD)/tests/guest/%-$(order).elf))
	$(Q)B=$(BUILD) GUEST_DIR=$(BUILD)/guest PROFDATA='$(PROFDATA)' tools/dev/pgo.sh $< $(@D) $(PGO_GUESTS)
$(BUILD)/pgo/gen/cede: FORCE
	$(Q)$(MAKE) --no-print-directory MODE=pgo/gen BUILD=$(BUILD) B=$(BUILD)/pgo/gen $@
endif
endif
