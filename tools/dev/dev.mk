# What a developer's tools want to know of the build, and what they say of it.

.PHONY: format coverage fuse

# ---- compile_commands.json, for clangd: what the rules themselves say, by make -n. At the top for the release mode, in
# the build's own folder for the others and where B= says. A guest's programs are in it without a cross compiler, too. ----
COMPILE_COMMANDS := $(if $(filter build,$(B)),,$(B)/)compile_commands.json
ALL_C      := $(shell find $(FOLDERS) tools tests -name '*.c' | LC_ALL=C sort)
COMMANDS_OF = $(PROGRAMS) test-programs bench-programs bench-dispatch \
	$(patsubst %.c,$(B)/obj/%.o,$(filter $(addsuffix /%,$(FOLDERS)) tests/fuzz/%,$(ALL_C)))
$(eval $(call remembered,$(B)/obj/sources,ALL_C))

# MODE=pgo builds everything twice, and has no commands of its own.
ifeq ($(filter pgo%,$(MODE)),)
all: $(COMPILE_COMMANDS)
endif
$(COMPILE_COMMANDS): $(B)/obj/sources $(B)/obj/flags tools/dev/compile_commands.py $(filter Makefile %.mk,$(MAKEFILE_LIST))
	$(call say,LIST,$@)
	$(Q)tools/dev/compile_commands.py $@ $(MAKE_COMMAND) -nB V=1 GUEST_LE_CC=$(or $(GUEST_LE_CC),powerpc64le-linux-gnu-gcc) \
		GUEST_BE_CC=$(or $(GUEST_BE_CC),powerpc64-linux-gnu-gcc) $(COMMANDS_OF)

# ---- The sequences of ops that run as one ----
fuse:	## cpu/table/fuse.def anew, from tools/dev/fuse.counts
	$(Q)tools/dev/fuse_pick.py > $(BUILD)/fuse.def && mv $(BUILD)/fuse.def cpu/table/fuse.def

# ---- make MODE=cov coverage T='unit/* guest/*': which lines these tests execute ----
coverage:	## with MODE=cov: the share of each file's lines that the tests T= (unit/*) execute; LINES=1: which they do not
	$(Q)$(if $(filter cov,$(MODE)),,echo "cede: lines are counted with MODE=cov" >&2; exit 2)
	$(Q)find $(B) -name '*.gcda' -delete 2>/dev/null || true
	$(Q)$(MAKE) --no-print-directory MODE=cov check T=$(call quote,$(or $(T),unit/*)) || echo "cede: what follows is without all that failed"
	$(Q)tools/dev/coverage.py $(B)/obj $(call quote,$(CC)) $(if $(LINES),-l)
