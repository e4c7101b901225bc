# cede: a POWER pSeries machine in C. `make help` says what there is.
#
# Output goes to build/ (build/MODE for the sanitizer variants), or to where B= says: nothing is written
# beside the sources. A new source file in one of the folders is no edit here.

VERSION := 0.1

# ---- Compiler: clang 19 has the tail calls that the engine is fastest with ----
ifeq ($(origin CC),default)
CC := $(shell command -v clang-19 || command -v gcc || echo cc)
endif

PKG_CONFIG ?= pkg-config
have = $(shell $(PKG_CONFIG) --exists $(1) 2>/dev/null && echo yes)

# What BUILD holds besides one mode: the guest's images, and the other modes.
BUILD := $(if $(filter command,$(firstword $(origin B))),$(B),build)

# A text as one word of the shell's.
quote = '$(subst ','\'',$(1))'

# Whether a compiler links a program with these options.
links = $(shell echo 'int main(void) { return 0; }' | $(1) $(2) -x c -o /dev/null - 2>/dev/null && echo yes)

# The compiler for SAN=1, nothing if there is none: another than CC only where we have chosen CC.
SANITIZE := -fsanitize=address,undefined
san_cc = $(or $(if $(call links,$(CC),$(SANITIZE)),$(CC)),$(if $(filter file,$(origin CC)),$(if $(call links,gcc,$(SANITIZE)),gcc)))

ifdef SAN
MODE   := san
SAN_CC := $(san_cc)
ifeq ($(SAN_CC),)
$(error cede: $(CC) has no run-time library for SAN=1: make deps brings it (libclang-rt-19-dev))
else ifneq ($(SAN_CC),$(CC))
$(info cede: $(CC) has no run-time library for SAN=1 (make deps brings it, libclang-rt-19-dev): $(SAN_CC) instead)
CC := $(SAN_CC)
endif
MODE_CFLAGS := -O1 -g -DCEDE_NO_TAIL -fno-omit-frame-pointer $(SANITIZE) -fno-sanitize-recover=undefined
MODE_LDFLAGS := $(SANITIZE)
else ifdef FUZZ
# libFuzzer's programs. What the guest executes is as in the sanitizer build, and is not what they are to explore.
MODE   := fuzz
MODE_CFLAGS := -O1 -g -DCEDE_NO_TAIL -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
MODE_LDFLAGS := -fsanitize=fuzzer,address,undefined
else ifdef PROFILE
MODE   := profile
MODE_CFLAGS := -O2 -g -DCEDE_PROFILE -DCEDE_NO_TAIL
MODE_LDFLAGS := -rdynamic
else
MODE   := release
MODE_CFLAGS := -O2 -g -fno-plt -fno-stack-protector
MODE_LDFLAGS :=
endif

# PGO=1: link-time optimisation, and cpu/ arranged by what its training (tools/dev/pgo.sh) used. The
# rest of cede runs too seldom to matter, and waits for the host: no two trainings of it agree.
# PGO=gen: the program that is trained, at fixed addresses, because tables are hashed by them.
ifdef PGO
MODE     := pgo
PROFDATA := $(shell $(CC) -print-prog-name=llvm-profdata)
ifneq ($(shell command -v $(PROFDATA) >/dev/null && echo 'int main(void) { return 0; }' | \
	$(CC) -flto=thin -fuse-ld=lld -fprofile-generate -x c -o /dev/null - 2>/dev/null && echo yes),yes)
$(info cede: no clang with lld, llvm-profdata and run-time library (make deps deps-test): PGO=1 has no effect)
else ifeq ($(PGO),gen)
MODE         := pgo/gen
PGO_CFLAGS   := -fprofile-generate -mllvm -disable-vp=true
MODE_CFLAGS  += -fno-pie
MODE_LDFLAGS := -no-pie -fprofile-generate
else
PROFILE_DATA := $(BUILD)/pgo/gen/cede.profdata
PGO_CFLAGS   := -fprofile-use=$(PROFILE_DATA) -mllvm -disable-vp=true
MODE_CFLAGS  += -flto=thin
MODE_LDFLAGS := -fuse-ld=lld -Wl,-z,keep-text-section-prefix
endif
endif

B := build$(if $(filter release,$(MODE)),,/$(MODE))
$(if $(word 2,$(B)),$(error cede: B='$(B)': make cannot build in a folder with a blank in its name))

# ---- Flags. CFLAGS, CPPFLAGS, LDFLAGS and LDLIBS are the user's, wherever they come from. Those below are ours, and a
# command line leaves them alone: without EXACT the guest sees other results, which CFLAGS cannot ask for either. ----
EXACT     := -fno-strict-aliasing -ffp-contract=off -fno-math-errno
INEXACT   := $(filter -Ofast -ffast-math -funsafe-math-optimizations -fassociative-math -freciprocal-math -ffinite-math-only \
	-fno-signed-zeros -fno-trapping-math,$(CFLAGS))
$(if $(INEXACT),$(error cede: CFLAGS has $(INEXACT), with which the guest gets wrong results))

C_FLAGS    = -std=c17 -Wall -Wextra -Wshadow $(if $(WERROR),-Werror) $(MODE_CFLAGS) $(CFLAGS) $(EXACT)
CPP_FLAGS := -I. -DCEDE_VERSION='"$(VERSION)"' -D_GNU_SOURCE=
LD_FLAGS   = $(LDFLAGS) $(MODE_LDFLAGS)
LIBS      := -lm

CPP_FLAGS += $(shell $(PKG_CONFIG) --cflags libfdt 2>/dev/null)
LIBS      += $(shell $(PKG_CONFIG) --libs libfdt 2>/dev/null || echo -lfdt)
ifeq ($(call have,capstone),yes)
CPP_FLAGS += -DHAVE_CAPSTONE $(shell $(PKG_CONFIG) --cflags capstone)
LIBS      += $(shell $(PKG_CONFIG) --libs capstone)
endif

ifeq ($(call have,libzstd),yes)
CPP_FLAGS += -DHAVE_ZSTD $(shell $(PKG_CONFIG) --cflags libzstd)
ZSTD      := $(shell $(PKG_CONFIG) --libs libzstd)
LIBS      += $(ZSTD)
endif
CPP_FLAGS += $(CPPFLAGS)
LIBS      += $(LDLIBS)

# Every source file of these folders and of their rooms.
FOLDERS := cpu machine hcall firmware savevm
sources  = $(sort $(wildcard $(addsuffix /*.c,$(1)) $(addsuffix /*/*.c,$(1))))
SRC     := $(filter-out $(if $(PROFILE),,cpu/engine/profile.c),$(call sources,$(FOLDERS)))
OBJ     := $(SRC:%.c=$(B)/obj/%.o)
CPU_OBJ := $(filter $(B)/obj/cpu/%,$(OBJ))
SAVEVM_OBJ := $(filter $(B)/obj/savevm/%,$(OBJ))

# Floating point follows the guest's rounding mode.
ROUNDING := cpu/fp/%

# The flags of a source file.
c_flags = $(C_FLAGS) $(if $(filter cpu/%,$(1)),$(PGO_CFLAGS)) $(if $(filter $(ROUNDING),$(1)),-frounding-math)

V ?= 0
Q := $(if $(filter 0,$(V)),@)
say = $(if $(filter 0,$(V)),@echo "  $(1)	$(2)")

.DELETE_ON_ERROR:
.PHONY: all run bench profile FORCE guest guest-installer deps deps-test install-missing install clean help

# cede-dtl knows a log's format and what its numbers mean (machine/vp/), not the machine.
DTL_SRC  := $(call sources,tools/dtl)
SNAP_SRC := $(call sources,tools/snap)
SNAP_OBJ := $(SNAP_SRC:%.c=$(B)/obj/%.o)
DTL_OBJ := $(patsubst %.c,$(B)/obj/%.o,$(DTL_SRC) $(call sources,machine/vp))

all: $(B)/cede $(B)/cede-dtl $(B)/cede-snap $(B)/compile_commands.json	## build build/cede, build/cede-dtl and build/cede-snap (the default)

$(B)/cede: $(OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) $(C_FLAGS) $(LD_FLAGS) -o $@ $^ $(LIBS)

$(B)/cede-snap: $(SNAP_OBJ) $(SAVEVM_OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) $(C_FLAGS) $(LD_FLAGS) -o $@ $^ $(ZSTD) $(LDLIBS)

$(B)/cede-dtl: $(DTL_OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) $(C_FLAGS) $(LD_FLAGS) -o $@ $^ $(LDLIBS)

# Other flags, or another compiler, are other objects. What warns, or remembers objects, is not.
BUILT_WITH = $(strip $(notdir $(filter-out ccache,$(CC))) $(CPP_FLAGS) $(filter-out -Werror,$(C_FLAGS)) $(PGO_CFLAGS))
$(B)/obj/flags:
	@mkdir -p $(@D) && echo $(call quote,$(BUILT_WITH)) > $@
ifneq ($(file <$(B)/obj/flags),$(BUILT_WITH))
$(B)/obj/flags: FORCE
endif

$(B)/obj/%.o: %.c Makefile $(B)/obj/flags
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPP_FLAGS) $(call c_flags,$<) -MMD -MP -c -o $@ $<

-include $(OBJ:.o=.d) $(DTL_OBJ:.o=.d) $(SNAP_OBJ:.o=.d)

# ---- What PGO=1 knows. Without the cross compilers the training has less to go by. ----
PGO_GUESTS := smp radix mode32
$(CPU_OBJ): $(PROFILE_DATA)
$(BUILD)/pgo/gen/cede.profdata: $(BUILD)/pgo/gen/cede tools/dev/pgo.sh
	$(call say,TRAIN,$@)
	$(Q)$(MAKE) --no-print-directory PGO= B=$(BUILD) all $(if $(GUEST_LE_CC),bench-programs) \
		$(foreach order,$(if $(GUEST_LE_CC),le) $(if $(GUEST_BE_CC),be),$(PGO_GUESTS:%=$(BUILD)/tests/guest/%-$(order).elf))
	$(Q)B=$(BUILD) GUEST_DIR=$(BUILD)/guest PROFDATA='$(PROFDATA)' tools/dev/pgo.sh $< $(@D) $(PGO_GUESTS)
ifneq ($(PGO),gen)
$(BUILD)/pgo/gen/cede: FORCE
	$(Q)$(MAKE) --no-print-directory PGO=gen BUILD=$(BUILD) B=$(BUILD)/pgo/gen $@
endif

# ---- Developer's view of the build ----
$(B)/compile_commands.json: Makefile $(B)/obj/flags $(SRC) $(DTL_SRC)
	$(Q)mkdir -p $(@D)
	$(Q)printf '[\n' > $@.tmp
	$(Q)$(foreach f,$(SRC) $(DTL_SRC),printf '{"directory":"%s","file":"%s","command":"%s"},\n' '$(CURDIR)' '$(f)' \
		'$(CC) $(subst ",\\\",$(CPP_FLAGS)) $(call c_flags,$(f)) -c $(f)' >> $@.tmp;)
	$(Q)sed '$$s/,$$/\n]/' $@.tmp > $@ && rm $@.tmp

# ---- What people run ----
# What is missing is installed first. What follows is another make, which finds it.
run: install-missing	## install what is missing, build, bring the guest, boot it to a shell
	@$(MAKE) --no-print-directory all
	@GUEST_DIR=$(BUILD)/guest CEDE="$${CEDE:-$(B)/cede}" tools/guest/run.sh

# As far as it can be: 1 is the status for what one can do without.
install-missing:
	@B=$(BUILD) tools/dev/deps.sh build || [ $$? = 1 ]

guest:	## build/guest/vmlinux and initrd.gz from Debian packages
	@GUEST_DIR=$(BUILD)/guest tools/guest/guest.sh kernel

guest-installer:	## build/guest/di-vmlinux and di-initrd.gz: Debian's installer
	@GUEST_DIR=$(BUILD)/guest tools/guest/guest.sh installer

deps:	## install the packages that building needs
	@B=$(BUILD) tools/dev/deps.sh build

deps-test:	## install the packages that the tests need
	@B=$(BUILD) tools/dev/deps.sh test

bench: all $(if $(filter boot,$(ROWS)),,bench-programs)	## time boot and programs under QEMU and under cede
	@CC='$(CC)' python3 tests/bench/bench.py $(BENCHFLAGS)

profile: all	## what the guest executes most (ops in a row, blocks), and the host's hot spots
	$(Q)$(MAKE) --no-print-directory PROFILE=1 build/profile/cede
	@tools/dev/profile.py

PREFIX ?= /usr/local
install: all	## into $(DESTDIR)$(PREFIX)
	install -d $(call quote,$(DESTDIR)$(PREFIX)/bin) $(call quote,$(DESTDIR)$(PREFIX)/share/man/man1)
	install -m 755 $(B)/cede $(B)/cede-dtl $(B)/cede-snap $(call quote,$(DESTDIR)$(PREFIX)/bin)
	install -m 644 $(wildcard tools/man/*.1) $(call quote,$(DESTDIR)$(PREFIX)/share/man/man1)

clean:	## remove what was built; the guest's images stay
	rm -rf $(addprefix $(BUILD)/,obj cede cede-dtl cede-snap san fuzz profile pgo tests bench compile_commands.json)

help:	## this list
	@awk -F'\t?## ' '/^[a-z-]+:.*## / { sub(/:.*/, "", $$1); printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "Variables: CC=, CFLAGS=, B= (where to build), SAN=1 (ASan and UBSan, into build/san), PGO=1 (faster, into build/pgo), WERROR=1, V=1, PREFIX=, DESTDIR=;"
	@echo "for run: KERNEL=, INITRD=, SMP=, MEM=, APPEND=; for bench: BASE=REV (instead of QEMU), PAIRS=, ROWS="

include $(wildcard tests/tests.mk)
include $(wildcard tests/bench/bench.mk)
