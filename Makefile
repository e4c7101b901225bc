# cede: a POWER pSeries machine in C. `make help` says what there is.
#
# Output goes to build/ (build/MODE for the other modes), or to where B= says: nothing is written beside the sources but
# compile_commands.json. A new source file in one of the folders is no edit here. Further concerns have a file each:
# tools/dev/modes.mk (compiler, MODE=) and pgo.mk, tools/dev/dev.mk (compile_commands.json, format, coverage),
# tests/tests.mk (test programs, test, check), tests/fuzz/fuzz.mk, tests/bench/bench.mk.

VERSION := 0.1
.DEFAULT_GOAL := all

PKG_CONFIG ?= pkg-config
have = $(shell $(PKG_CONFIG) --exists $(1) 2>/dev/null && echo yes)

# A text as one word of the shell's.
quote = '$(subst ','\'',$(1))'

include tools/dev/modes.mk

# ---- Flags. CFLAGS, CPPFLAGS, LDFLAGS and LDLIBS are the user's, wherever they come from. Those below are ours, and a
# command line leaves them alone: without EXACT the guest sees other results, which CFLAGS cannot ask for either. ----
EXACT     := -fno-strict-aliasing -ffp-contract=off -fno-math-errno
INEXACT   := $(filter -Ofast -ffast-math -funsafe-math-optimizations -fassociative-math -freciprocal-math -ffinite-math-only \
	-fno-signed-zeros -fno-trapping-math,$(CFLAGS))
$(if $(INEXACT),$(error cede: CFLAGS has $(INEXACT), with which the guest gets wrong results))

C_FLAGS    = -std=c17 -Wall -Wextra -Wshadow $(if $(WERROR),-Werror) $(CFLAGS_$(MODE)) $(CFLAGS) $(EXACT)
CPP_FLAGS := -I. -DCEDE_VERSION='"$(VERSION)"' -D_GNU_SOURCE=
LD_FLAGS   = $(LDFLAGS) $(LDFLAGS_$(MODE))
LIBS      := -lm

CPP_FLAGS += $(shell $(PKG_CONFIG) --cflags libfdt 2>/dev/null)
LIBS      += $(shell $(PKG_CONFIG) --libs libfdt 2>/dev/null || echo -lfdt)
ifeq ($(call have,capstone),yes)
CPP_FLAGS += -DHAVE_CAPSTONE $(shell $(PKG_CONFIG) --cflags capstone)
CAPSTONE  := $(shell $(PKG_CONFIG) --libs capstone)
LIBS      += $(CAPSTONE)
endif

ifeq ($(call have,libzstd),yes)
CPP_FLAGS += -DHAVE_ZSTD $(shell $(PKG_CONFIG) --cflags libzstd)
ZSTD      := $(shell $(PKG_CONFIG) --libs libzstd)
LIBS      += $(ZSTD)
endif

ifeq ($(call have,libnbd),yes)
# It is loaded when it is needed: machine/host/block/nbd.c.
CPP_FLAGS += -DHAVE_LIBNBD $(shell $(PKG_CONFIG) --cflags libnbd)
endif

# The first one that hands timers over by number.
ifeq ($(call have,'slirp >= 4.7'),yes)
# Loaded when it is needed, as well: machine/net/user.c.
CPP_FLAGS += -DHAVE_LIBSLIRP $(shell $(PKG_CONFIG) --cflags-only-I slirp)
endif

ifeq ($(call have,sdl2),yes)
# Likewise: machine/host/window.c.
CPP_FLAGS += -DHAVE_SDL2 $(shell $(PKG_CONFIG) --cflags sdl2)
endif

ifeq ($(call have,libvncserver),yes)
# Likewise: machine/host/vnc.c.
CPP_FLAGS += -DHAVE_LIBVNCSERVER $(shell $(PKG_CONFIG) --cflags libvncserver)
endif

ifeq ($(call have,zlib),yes)
CPP_FLAGS += -DHAVE_ZLIB $(shell $(PKG_CONFIG) --cflags zlib)
LIBS      += $(shell $(PKG_CONFIG) --libs zlib)
endif
CPP_FLAGS += $(CPPFLAGS)
LIBS      += $(LDLIBS)

# Every source file of these folders and of their rooms.
FOLDERS := cpu machine hcall firmware savevm
sources  = $(sort $(wildcard $(addsuffix /*.c,$(1)) $(addsuffix /*/*.c,$(1)) $(addsuffix /*/*/*.c,$(1))))
SRC     := $(filter-out $(if $(filter profile,$(MODE)),,cpu/engine/profile.c),$(call sources,$(FOLDERS)))
OBJ     := $(SRC:%.c=$(B)/obj/%.o)
CPU_OBJ := $(filter $(B)/obj/cpu/%,$(OBJ))
SAVEVM_OBJ := $(filter $(B)/obj/savevm/%,$(OBJ))

# Floating point follows the guest's rounding mode.
ROUNDING := cpu/fp/%

# The flags of a source file.
c_flags = $(C_FLAGS) $(if $(filter cpu/%,$(1)),$(PGO_CFLAGS)) $(if $(filter $(ROUNDING),$(1)),-frounding-math) $(CFLAGS_$(1)_$(MODE))

V ?= 0
Q := $(if $(filter 0,$(V)),@)
say = $(if $(filter 0,$(V)),@echo "  $(1)	$(2)")

.DELETE_ON_ERROR:
.PHONY: all run bench profile FORCE guest guest-kernel-13 guest-installer guest-utils guest-perf guest-nbd guest-gdb debian run-debian debian-installed deps deps-test deps-debian install-missing install clean help

# cede-dtl knows a log's format and what its numbers mean (machine/vp/), not the machine.
DTL_SRC  := $(call sources,tools/dtl)
SNAP_SRC := $(call sources,tools/snap)
SNAP_OBJ := $(SNAP_SRC:%.c=$(B)/obj/%.o)
DTL_OBJ := $(patsubst %.c,$(B)/obj/%.o,$(DTL_SRC) $(call sources,machine/vp))

# cede-prof knows a profile's format (cpu/spent/prof_format.h), a core's pipeline, and how files are written whole.
PROF_SRC := $(call sources,tools/prof)
PROF_OBJ := $(patsubst %.c,$(B)/obj/%.o,$(PROF_SRC) $(addprefix cpu/timing/,pipeline.c cost.c uses.c))

PROGRAMS := $(addprefix $(B)/,cede cede-dtl cede-snap cede-prof)
all: $(PROGRAMS)	## build build/cede, build/cede-dtl, build/cede-snap and build/cede-prof (the default)

$(B)/cede: $(OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) $(C_FLAGS) $(LD_FLAGS) -o $@ $^ $(LIBS)

$(B)/cede-snap: $(SNAP_OBJ) $(SAVEVM_OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) $(C_FLAGS) $(LD_FLAGS) -o $@ $^ $(ZSTD) $(LDLIBS)

$(B)/cede-dtl: $(DTL_OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) $(C_FLAGS) $(LD_FLAGS) -o $@ $^ $(LDLIBS)

$(B)/cede-prof: $(PROF_OBJ) $(SAVEVM_OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) $(C_FLAGS) $(LD_FLAGS) -o $@ $^ $(ZSTD) $(CAPSTONE) $(LDLIBS)

# A file that is new whenever this text is another.
define remembered
$(1):
	@mkdir -p $$(@D) && echo $$(call quote,$$($(2))) > $$@
ifneq ($$(file <$(1)),$$($(2)))
$(1): FORCE
endif
endef

# Other flags, or another compiler, are other objects. What warns, or remembers objects, is not.
BUILT_WITH = $(strip $(notdir $(filter-out ccache,$(CC))) $(CPP_FLAGS) $(filter-out -Werror,$(C_FLAGS)) $(PGO_CFLAGS) $(ROUNDING))
$(eval $(call remembered,$(B)/obj/flags,BUILT_WITH))

$(B)/obj/%.o: %.c $(B)/obj/flags
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPP_FLAGS) $(call c_flags,$<) -MMD -MP -c -o $@ $<

$(CPU_OBJ): $(PROFILE_DATA)

-include $(OBJ:.o=.d) $(DTL_OBJ:.o=.d) $(SNAP_OBJ:.o=.d) $(PROF_OBJ:.o=.d)

# ---- What people run ----
# What is missing is installed first. What follows is another make, which finds it; it uses all cores if nobody said how many.
ALL_CORES = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(or $(shell nproc 2>/dev/null),2))
run: install-missing	## install what is missing, build, bring the guest, boot it to a shell
	@$(MAKE) --no-print-directory $(ALL_CORES) all $(if $(KERNEL),,guest)
	@GUEST_DIR=$(BUILD)/guest CEDE="$${CEDE:-$(B)/cede}" tools/guest/run.sh

# As far as it can be: 1 is the status for what one can do without.
install-missing:
	@B=$(BUILD) tools/dev/deps.sh build || [ $$? = 1 ]

guest:	## build/guest/vmlinux and initrd.gz from Debian packages
	@GUEST_DIR=$(BUILD)/guest tools/guest/guest.sh kernel

guest-kernel-13:	## build/guest/13-4k, 13-64k: the same of Debian 13, for the tests
	@GUEST_DIR=$(BUILD)/guest tools/guest/guest.sh kernel-13

guest-installer:	## build/guest/di-vmlinux and di-initrd.gz: Debian's installer
	@GUEST_DIR=$(BUILD)/guest tools/guest/guest.sh installer

guest-utils:	## build/guest/utils: lscpu and ppc64_cpu, for the tests
	@GUEST_DIR=$(BUILD)/guest tools/guest/guest.sh utils

guest-perf:	## build/guest/perf: Linux's perf and its libraries, for the tests
	@GUEST_DIR=$(BUILD)/guest tools/guest/guest.sh perf

guest-nbd:	## build/guest/nbd: nbd-server and nbd-client, for the tests
	@GUEST_DIR=$(BUILD)/guest tools/guest/guest.sh nbd

guest-gdb:	## build/guest/gdb: gdb and its libraries, for the tests
	@GUEST_DIR=$(BUILD)/guest tools/guest/guest.sh gdb

# Both leave a disk that is there as it is.
debian: install-missing	## build/guest/debian.qcow2: Debian on a disk of its own, from its packages (once; minutes)
	@B=$(BUILD) tools/dev/deps.sh debian
	@$(MAKE) --no-print-directory $(ALL_CORES) all
	@GUEST_DIR=$(BUILD)/guest CEDE="$${CEDE:-$(B)/cede}" tools/guest/debian.sh build

run-debian: debian	## boot that disk to a login in this terminal; what is done in it stays
	@GUEST_DIR=$(BUILD)/guest CEDE="$${CEDE:-$(B)/cede}" tools/guest/debian.sh run

debian-installed: install-missing	## build/guest/installed.qcow2: Debian's installer puts Debian on an empty disk, from a CD, unattended
	@B=$(BUILD) tools/dev/deps.sh debian
	@$(MAKE) --no-print-directory $(ALL_CORES) all
	@GUEST_DIR=$(BUILD)/guest CEDE="$${CEDE:-$(B)/cede}" tools/guest/installer.sh install

deps:	## install the packages that building needs
	@B=$(BUILD) tools/dev/deps.sh build

deps-debian:	## install the packages that make debian needs
	@B=$(BUILD) tools/dev/deps.sh debian

deps-test:	## install the packages that the tests need
	@B=$(BUILD) tools/dev/deps.sh test

bench: all $(if $(filter boot,$(ROWS)),,bench-programs)	## time boot, programs and disks under QEMU and under cede
	@CC='$(CC)' python3 tests/bench/bench.py $(BENCHFLAGS)

profile: all	## what the guest executes most (ops in a row, blocks), and the host's hot spots
	$(Q)$(MAKE) --no-print-directory MODE=profile build/profile/cede
	@tools/dev/profile.py

PREFIX ?= /usr/local
install: all	## into $(DESTDIR)$(PREFIX)
	install -d $(call quote,$(DESTDIR)$(PREFIX)/bin) $(call quote,$(DESTDIR)$(PREFIX)/share/man/man1)
	install -m 755 $(PROGRAMS) $(call quote,$(DESTDIR)$(PREFIX)/bin)
	install -m 644 $(wildcard tools/man/*.1) $(call quote,$(DESTDIR)$(PREFIX)/share/man/man1)

clean:	## remove what was built; the guest's images stay
	rm -rf $(addprefix $(BUILD)/,obj cede cede-dtl cede-snap cede-prof $(filter-out release,$(MODES)) tests bench) $(COMPILE_COMMANDS)

help:	## this list
	@awk -F'\t?## ' '/^[a-z-]+:.*## / { sub(/:.*/, "", $$1); printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "Variables: CC=, CFLAGS=, B= (where to build), MODE=$(subst $() ,|,$(MODES)) (into build/MODE), WERROR=1, V=1, PREFIX=, DESTDIR=;"
	@echo "for run: KERNEL=, INITRD=, SMP=, MEM=, APPEND=; for bench: BASE=REV (instead of QEMU), PAIRS=, ROWS="

include tools/dev/dev.mk $(wildcard tests/tests.mk tests/fuzz/fuzz.mk tests/bench/bench.mk)
