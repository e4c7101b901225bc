# cede: a POWER pSeries machine in C. `make help` says what there is.
#
# Output goes to build/ (build/MODE for the sanitizer variants). A new source file in one of
# the folders is no edit here.

VERSION := 0.1

# ---- Compiler: clang 19 has the tail calls that the engine is fastest with ----
ifeq ($(origin CC),default)
CC := $(shell command -v clang-19 || command -v gcc || echo cc)
endif

PKG_CONFIG ?= pkg-config
have = $(shell $(PKG_CONFIG) --exists $(1) 2>/dev/null && echo yes)

ifdef SAN
MODE   := san
MODE_CFLAGS := -O1 -g -DCEDE_NO_TAIL -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
MODE_LDFLAGS := -fsanitize=address,undefined
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

# PGO=1: link-time optimisation, and cpu/ arranged by what its training (tools/pgo.sh) used. The
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
PROFILE_DATA := build/pgo/gen/cede.profdata
PGO_CFLAGS   := -fprofile-use=$(PROFILE_DATA) -mllvm -disable-vp=true
MODE_CFLAGS  += -flto=thin
MODE_LDFLAGS := -fuse-ld=lld -Wl,-z,keep-text-section-prefix
endif
endif

B := build$(if $(filter release,$(MODE)),,/$(MODE))

CPPFLAGS += -I. -DCEDE_VERSION='"$(VERSION)"' -D_GNU_SOURCE=
CFLAGS   ?=
CFLAGS   += -std=c17 -Wall -Wextra -Wshadow $(if $(WERROR),-Werror) $(MODE_CFLAGS)
CFLAGS   += -fno-strict-aliasing -ffp-contract=off -fno-math-errno
LDFLAGS  += $(MODE_LDFLAGS)
LDLIBS   += -lm

CPPFLAGS += $(shell $(PKG_CONFIG) --cflags libfdt 2>/dev/null)
LDLIBS   += $(shell $(PKG_CONFIG) --libs libfdt 2>/dev/null || echo -lfdt)
ifeq ($(call have,capstone),yes)
CPPFLAGS += -DHAVE_CAPSTONE $(shell $(PKG_CONFIG) --cflags capstone)
LDLIBS   += $(shell $(PKG_CONFIG) --libs capstone)
endif

ifeq ($(call have,libzstd),yes)
CPPFLAGS += -DHAVE_ZSTD $(shell $(PKG_CONFIG) --cflags libzstd)
ZSTD     := $(shell $(PKG_CONFIG) --libs libzstd)
LDLIBS   += $(ZSTD)
endif

FOLDERS := cpu machine hcall firmware savevm
SRC     := $(sort $(filter-out $(if $(PROFILE),,cpu/profile.c),$(wildcard $(addsuffix /*.c,$(FOLDERS)))))
OBJ     := $(SRC:%.c=$(B)/obj/%.o)
CPU_OBJ := $(filter $(B)/obj/cpu/%,$(OBJ))
SAVEVM_OBJ := $(filter $(B)/obj/savevm/%,$(OBJ))

$(CPU_OBJ): CFLAGS += $(PGO_CFLAGS)

# Floating point follows the guest's rounding mode.
$(B)/obj/cpu/op_float.o $(B)/obj/cpu/op_vsx_scalar.o $(B)/obj/cpu/op_vsx_vector.o $(B)/obj/cpu/op_vmx_float.o \
$(B)/obj/cpu/op_vsx_quad.o $(B)/obj/cpu/fpscr.o $(B)/obj/cpu/fp_exact.o: CFLAGS += -frounding-math

V ?= 0
Q := $(if $(filter 0,$(V)),@)
say = $(if $(filter 0,$(V)),@echo "  $(1)	$(2)")

.DELETE_ON_ERROR:
.PHONY: all run bench profile FORCE guest guest-installer deps deps-test install clean help

# cede-dtl knows a log's format and the dispatcher's names, not the machine.
DTL_SRC := $(sort tools/cede_dtl.c $(wildcard tools/dtl_*.c))
SNAP_OBJ := $(patsubst %.c,$(B)/obj/%.o,tools/cede_snap.c $(wildcard tools/snap_*.c))
DTL_OBJ := $(patsubst %.c,$(B)/obj/%.o,$(DTL_SRC) hcall/dtl_names.c)

all: $(B)/cede $(B)/cede-dtl $(B)/cede-snap compile_commands.json	## build build/cede, build/cede-dtl and build/cede-snap (the default)

$(B)/cede: $(OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/cede-snap: $(SNAP_OBJ) $(SAVEVM_OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(ZSTD)

$(B)/cede-dtl: $(DTL_OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

$(B)/obj/%.o: %.c Makefile
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

-include $(OBJ:.o=.d) $(DTL_OBJ:.o=.d) $(SNAP_OBJ:.o=.d)

# ---- What PGO=1 knows. Without the cross compilers the training has less to go by. ----
PGO_GUESTS := smp radix mode32
$(CPU_OBJ): $(PROFILE_DATA)
build/pgo/gen/cede.profdata: build/pgo/gen/cede tools/pgo.sh
	$(call say,TRAIN,$@)
	$(Q)$(MAKE) --no-print-directory PGO= all $(if $(GUEST_LE_CC),bench-programs) \
		$(foreach order,$(if $(GUEST_LE_CC),le) $(if $(GUEST_BE_CC),be),$(PGO_GUESTS:%=build/tests/guest/%-$(order).elf))
	$(Q)PROFDATA='$(PROFDATA)' tools/pgo.sh $< $(@D) $(PGO_GUESTS)
ifneq ($(PGO),gen)
build/pgo/gen/cede: FORCE
	$(Q)$(MAKE) --no-print-directory PGO=gen $@
endif

# ---- Developer's view of the build ----
compile_commands.json: Makefile $(SRC) $(DTL_SRC)
	$(Q)printf '[\n' > $@.tmp
	$(Q)$(foreach f,$(SRC) $(DTL_SRC),printf '{"directory":"%s","file":"%s","command":"%s"},\n' '$(CURDIR)' '$(f)' \
		'$(CC) $(subst ",\\\",$(CPPFLAGS)) $(CFLAGS) -c $(f)' >> $@.tmp;)
	$(Q)sed '$$s/,$$/\n]/' $@.tmp > $@ && rm $@.tmp

# ---- What people run ----
run: deps	## install what is missing, build, bring the guest, boot it to a shell
	@$(MAKE) --no-print-directory all
	@tools/run.sh

guest:	## build/guest/vmlinux and initrd.gz from Debian packages
	@tools/guest.sh kernel

guest-installer:	## build/guest/di-vmlinux and di-initrd.gz: Debian's installer
	@tools/guest.sh installer

deps:	## install the packages that building needs
	@tools/deps.sh build

deps-test:	## install the packages that the tests need
	@tools/deps.sh test

bench: all $(if $(filter boot,$(ROWS)),,bench-programs)	## time boot and programs under QEMU and under cede
	@CC='$(CC)' python3 tests/bench/bench.py $(BENCHFLAGS)

profile: all	## what the guest executes most (ops in a row, blocks), and the host's hot spots
	$(Q)$(MAKE) --no-print-directory PROFILE=1 build/profile/cede
	@tools/profile.py

PREFIX ?= /usr/local
install: all	## into $(DESTDIR)$(PREFIX)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 755 $(B)/cede $(B)/cede-dtl $(B)/cede-snap $(DESTDIR)$(PREFIX)/bin
	install -m 644 tools/cede.1 tools/cede-dtl.1 $(DESTDIR)$(PREFIX)/share/man/man1

clean:	## remove what was built; the guest's images stay
	rm -rf build/obj build/cede build/cede-dtl build/cede-snap build/san build/fuzz build/profile build/pgo build/tests build/bench compile_commands.json

help:	## this list
	@awk -F'\t?## ' '/^[a-z-]+:.*## / { sub(/:.*/, "", $$1); printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "Variables: CC=, SAN=1 (ASan and UBSan, into build/san), PGO=1 (faster, into build/pgo), WERROR=1, V=1, PREFIX=, DESTDIR=;"
	@echo "for run: KERNEL=, INITRD=, SMP=, MEM=, APPEND=; for bench: BASE=REV (instead of QEMU), PAIRS=, ROWS="

include $(wildcard tests/tests.mk)
include $(wildcard tests/bench/bench.mk)
