# The compiler, and what MODE= means: a row of flags for each mode, which builds into build/MODE (release: into build/).
#
#   release  what people run             san   ASan and UBSan               cov      counts lines: make MODE=cov coverage
#   debug    for gdb: -O0, and handlers  tsan  ThreadSanitizer              profile  counts what the guest executes
#            that return to a loop       fuzz  libFuzzer's programs (clang) pgo      trained and link-time optimised

# Clang 19 has the tail calls that the engine is fastest with.
ifeq ($(origin CC),default)
CC := $(shell command -v clang-19 || command -v gcc || echo cc)
endif

# SAN=1, FUZZ=1, PROFILE=1 and PGO=1 are short forms.
MODE ?= $(or $(if $(SAN),san),$(if $(FUZZ),fuzz),$(if $(PROFILE),profile),$(if $(PGO),pgo),release)

# Whether a compiler links a program with these options.
links = $(shell echo 'int main(void) { return 0; }' | $(1) $(2) -x c -o /dev/null - 2>/dev/null && echo yes)

NO_TAIL   := -DCEDE_NO_TAIL -fno-omit-frame-pointer
ASAN      := address,undefined -fno-sanitize-recover=undefined

CFLAGS_release := -O2 -g -fno-plt -fno-stack-protector
CFLAGS_debug   := -O0 -g3 $(NO_TAIL)
CFLAGS_san     := -O1 -g $(NO_TAIL) -fsanitize=$(ASAN)
CFLAGS_tsan    := -O1 -g $(NO_TAIL) -fsanitize=thread
CFLAGS_fuzz    := -O1 -g $(NO_TAIL) -fsanitize=fuzzer-no-link,$(ASAN)
# Its bodies are those of handlers.c, which has each of them once, and with UBSan; hundreds of sequences of them take
# four minutes under both sanitizers, and half of one under ASan alone.
CFLAGS_cpu/fuse/fuse.c_san  := -fno-sanitize=undefined
CFLAGS_cpu/fuse/fuse.c_fuzz := -fno-sanitize=undefined
CFLAGS_cov     := -O1 -g $(NO_TAIL) --coverage
CFLAGS_profile := -O2 -g $(NO_TAIL) -DCEDE_PROFILE
CFLAGS_pgo     := $(CFLAGS_release)
CFLAGS_pgo/gen := $(CFLAGS_release) -fno-pie

LDFLAGS_san     := -fsanitize=$(ASAN)
LDFLAGS_tsan    := -fsanitize=thread
LDFLAGS_fuzz    := -fsanitize=fuzzer,$(ASAN)
LDFLAGS_cov     := --coverage
LDFLAGS_profile := -rdynamic

MODES := release debug san tsan cov profile fuzz pgo
$(if $(CFLAGS_$(MODE)),,$(error cede: there is no MODE=$(MODE), only: $(MODES)))

# The compiler that links a sanitizer's mode, nothing if there is none: another than CC only where we have chosen CC.
sanitizer_cc = $(or $(if $(call links,$(CC),$(LDFLAGS_$(1))),$(CC)),$(if $(filter file,$(origin CC)),$(if $(call links,gcc,$(LDFLAGS_$(1))),gcc)))

ifneq ($(filter san tsan,$(MODE)),)
SANITIZER_CC := $(call sanitizer_cc,$(MODE))
ifeq ($(SANITIZER_CC),)
$(error cede: $(CC) has no run-time library for MODE=$(MODE): make deps brings it (libclang-rt-19-dev))
else ifneq ($(SANITIZER_CC),$(CC))
$(info cede: $(CC) has no run-time library for MODE=$(MODE) (make deps brings it, libclang-rt-19-dev): $(SANITIZER_CC) instead)
CC := $(SANITIZER_CC)
endif
endif

# What BUILD holds besides one mode: the guest's images, and the other modes.
BUILD := $(if $(filter command,$(firstword $(origin B))),$(B),build)
B     := build$(if $(filter release,$(MODE)),,/$(MODE))
$(if $(word 2,$(B)),$(error cede: B='$(B)': make cannot build in a folder with a blank in its name))

include tools/dev/pgo.mk
