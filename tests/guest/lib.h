/* What a bare-metal test has to work with: its word to the outside, interrupts, hypercalls. */
#ifndef TESTS_GUEST_LIB_H
#define TESTS_GUEST_LIB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layout.h"

typedef uint64_t u64;
typedef int64_t s64;
typedef uint32_t u32;
typedef uint16_t u16;
typedef uint8_t u8;

#define PPC_BIT(n) (1ull << (63 - (n)))
#define DSISR_BIT(n) (1ull << (31 - (n)))
#define MSR_SF  PPC_BIT(0)
#define MSR_VEC PPC_BIT(38)
#define MSR_VSX PPC_BIT(40)
#define MSR_EE  PPC_BIT(48)
#define MSR_PR  PPC_BIT(49)
#define MSR_FP  PPC_BIT(50)
#define MSR_ME  PPC_BIT(51)
#define MSR_FE0 PPC_BIT(52)
#define MSR_SE  PPC_BIT(53)
#define MSR_BE  PPC_BIT(54)
#define MSR_FE1 PPC_BIT(55)
#define MSR_IR  PPC_BIT(58)
#define MSR_DR  PPC_BIT(59)
#define MSR_RI  PPC_BIT(62)
#define MSR_LE  PPC_BIT(63)
#define OUR_MSR (MSR_SF | OUR_MSR_LOW)

#ifdef __LITTLE_ENDIAN__
#define LITTLE 1
#define LITTLE_TEXT "1"
#define be64(v) __builtin_bswap64(v)
#define be32(v) __builtin_bswap32(v)
#define be16(v) __builtin_bswap16(v)
#else
#define LITTLE 0
#define LITTLE_TEXT "0"
#define be64(v) ((u64)(v))
#define be32(v) ((u32)(v))
#define be16(v) ((uint16_t)(v))
#endif

/* Registers as an interrupt found them; one for each processor. */
struct cpu {
	u64 r[32], srr0, srr1, dar, dsisr, msr, vector, lr, ctr, cr, xer;
	u64 probing;
	void (*function)(struct cpu *);
	u64 stack, trap_stack, save[32];
	u64 index, spare;
};
_Static_assert(offsetof(struct cpu, trap_stack) == CPU_TRAP_STACK, "layout.h");
_Static_assert(offsetof(struct cpu, save) == CPU_SAVE, "layout.h");
_Static_assert(sizeof(struct cpu) == CPU_SIZE, "layout.h");

#define MAX_CPUS 8
extern struct cpu cpus[MAX_CPUS];
static inline struct cpu *this_cpu(void) { struct cpu *c; __asm__ volatile("mfsprg %0,1" : "=r"(c)); return c; }

/* ---- Facts ---- */
void print(const char *fmt, ...);	/* %s %x (64 bits) %u */
bool check(bool fact, const char *name);
bool check_eq(u64 got, u64 want, const char *name);
void done(void) __attribute__((noreturn));	/* "done N", power off; panics if a fact was wrong */
void panic(const char *why) __attribute__((noreturn));

/* ---- Hypercalls and RTAS ---- */
s64 hcall_raw(u64 regs[10]);
#define hcall(...) hcall_n((u64[10]){ __VA_ARGS__ }, NULL)
#define hcall_out(out, ...) hcall_n((u64[10]){ __VA_ARGS__ }, (out))
s64 hcall_n(u64 regs[10], u64 out[9]);
/* The status; further results in out, if that is not NULL. */
s64 rtas(u32 token, unsigned nargs, unsigned nret, const u32 *in, u32 *out);
#define RTAS_START_CPU 0x2006
#define RTAS_QUERY_CPU 0x2005
#define RTAS_STOP_SELF 0x2007
#define RTAS_POWER_OFF 0x2003
#define RTAS_OS_TERM   0x201f

#define H_GET_TERM_CHAR 0x54
#define H_PUT_TERM_CHAR 0x58
#define H_EOI   0x64
#define H_CPPR  0x68
#define H_IPI   0x6c
#define H_IPOLL 0x70
#define H_XIRR  0x74
#define H_REGISTER_VPA 0xdc
#define H_CEDE  0xe0
#define H_CONFER 0xe4
#define H_PROD  0xe8
#define H_JOIN  0x298
#define H_RANDOM 0x300
#define H_SET_MODE 0x31c
#define H_REGISTER_PROC_TBL 0x37c
#define H_SIGNAL_SYS_RESET 0x380
#define H_SUCCESS 0
#define H_FUNCTION (-2)
#define H_PRIVILEGE (-3)
#define H_PARAMETER (-4)
#define H_P2 (-55)
#define H_P3 (-56)
#define H_P4 (-57)
#define H_P5 (-58)
#define H_UNSUPPORTED_FLAG (-256)
#define H_STATE (-75)
#define H_RESOURCE (-16)

#define VTY 0x71000000

/* ---- Interrupts ---- */
/* Puts the entries at `base` + vector (real). init() has done it for base 0. */
void vectors_at(u64 base);
/* Called for interrupts that no probe waits for; returning goes back to where it came from. None:
 * such an interrupt ends the test. */
extern void (*on_interrupt)(struct cpu *cpu);

/* Runs code at `at` with that MSR and r3.. = args until an interrupt comes; its return address
 * leads to a system call, so that it always ends. What the interrupt found is in *this_cpu(). */
extern char probe_end[];
struct cpu *probe_n(const void *at, u64 msr, const u64 args[6]);
#define probe(at, msr, ...) probe_n((at), (msr), (const u64[6]){ __VA_ARGS__ })

/* A piece of code to probe: `NAME_at` is the instruction of interest. */
#define PROBE(name, before, insn, after) \
	__asm__(".text\n.balign 4\n.globl " #name "," #name "_at," #name "_next\n" #name ":\n\t" before "\n" #name "_at:\n\t" insn "\n" \
		#name "_next:\n\t" after "\n\tblr\n"); \
	extern char name[], name##_at[], name##_next[]

/* The probe ended with this interrupt at the instruction of interest; SRR1 holds the MSR that it
 * ran with and these bits. */
bool check_trap(const struct cpu *c, u64 vector, const void *srr0, u64 msr, u64 srr1_bits, const char *name);

/* ---- Processors ---- */
/* Starts processor n in function; its struct is returned. */
struct cpu *start_cpu(unsigned n, void (*function)(struct cpu *));
void stop_self(void) __attribute__((noreturn));

/* ---- Small things ---- */
static inline u64 mftb(void) { u64 v; __asm__ volatile("mftb %0" : "=r"(v)); return v; }
#define mfspr(n) ({ u64 v_; __asm__ volatile("mfspr %0," #n : "=r"(v_)); v_; })
#define mtspr(n, v) __asm__ volatile("mtspr " #n ",%0" : : "r"((u64)(v)) : "memory")
static inline bool is_power8(void) { return mfspr(287) >> 16 == 0x4d; }
static inline u64 mfmsr(void) { u64 v; __asm__ volatile("mfmsr %0" : "=r"(v)); return v; }
static inline void mtmsrd(u64 v) { __asm__ volatile("mtmsrd %0" : : "r"(v) : "memory"); }
static inline void sync(void) { __asm__ volatile("sync" : : : "memory"); }
static inline void isync(void) { __asm__ volatile("isync" : : : "memory"); }
/* An instruction into memory, in this program's order, and made visible. */
void put_insn(void *at, u32 word);
void *memset(void *to, int byte, size_t n);
void *memcpy(void *to, const void *from, size_t n);

void test(void);		/* each program's own */

#endif
