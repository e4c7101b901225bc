/* The other side of the differential test: runs each case on the processor it is started on
 * (qemu-ppc64le or qemu-ppc64) and reports the state afterwards.
 *
 * Every register is the case's own while the instruction runs: the way back to the state is
 * kept in TAR and an absolute address.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "state.h"

static sigjmp_buf back;
static volatile sig_atomic_t outcome;

static void on_signal(int sig, siginfo_t *info, void *context)
{
	(void)info;
	(void)context;
	outcome = sig == SIGILL ? ILLEGAL : sig == SIGBUS ? ALIGNMENT : sig == SIGSEGV ? STORAGE : TRAPPED;
	siglongjmp(back, 1);
}

static uint64_t swap_if_big(uint64_t v)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	return __builtin_bswap64(v);
#else
	return v;
#endif
}

/* Everything but mem. */
static void swap_state(struct state *s)
{
	uint64_t *v = (uint64_t *)s;

	for (size_t i = 0; i < __builtin_offsetof(struct state, mem) / 8; i++)
		v[i] = swap_if_big(v[i]);
}

/* ---- A tiny assembler for the code around the instruction ---- */

static uint32_t *at;

static void put(uint32_t word) { *at++ = word; }

static void load_base(void)	/* r1 = STATE_ADDR */
{
	put(0x3c200000 | STATE_ADDR >> 16);
	put(0x60210000 | (STATE_ADDR & 0xffff));
}

#define FIELD(f) (uint32_t)__builtin_offsetof(struct state, f)
#define LD(rt, off)  put(0xe8010000u | (uint32_t)(rt) << 21 | (off))
#define STD(rs, off) put(0xf8010000u | (uint32_t)(rs) << 21 | (off))
#define LI(rt, v)    put(0x38000000u | (uint32_t)(rt) << 21 | (v))
#define LXVD2X(n)  put(0x7c010698u | ((n) & 31u) << 21 | 2u << 11 | (n) >> 5)	/* n, r1, r2 */
#define STXVD2X(n) put(0x7c010798u | ((n) & 31u) << 21 | 2u << 11 | (n) >> 5)

static uint32_t *hole;

static void build(uint32_t *code)
{
	at = code;
	put(0x7c0802a6);			/* mflr r0 */
	put(0xf8010010);			/* std r0,16(r1) */
	put(0xf821fe01);			/* stdu r1,-512(r1) */
	for (unsigned i = 13; i < 32; i++)
		STD(i, 32 + 8 * (i - 13) + 128);
	STD(2, 120);
	put(0x7c000026);			/* mfcr r0 */
	STD(0, 112);
	put(0x7c2903a6);			/* mtctr r1: the stack, CTR is no case's operand */
	load_base();
	/* VSCR through VR 0, FPSCR through FPR 0, then all VSRs. */
	LI(2, FIELD(vscr) - 8);
	LXVD2X(32);
	put(0x10000644);			/* mtvscr v0 */
	LI(2, FIELD(fpscr));
	LXVD2X(0);
	put(0xfffe058e);			/* mtfsf 255,f0,1,0 */
	for (unsigned i = 0; i < 64; i++) {
		LI(2, FIELD(vsr) + 16 * i);
		LXVD2X(i);
	}
	LD(2, FIELD(cr));
	put(0x7c4ff120);			/* mtcrf 255,r2 */
	LD(2, FIELD(xer));
	put(0x7c4103a6);			/* mtxer r2 */
	for (unsigned i = 0; i < 32; i++)
		if (i != 1)
			LD(i, FIELD(r) + 8 * i);
	LD(1, FIELD(r) + 8);
	hole = at;
	put(0x60000000);
	put(0x7c2fcba6);			/* mtspr TAR,r1 */
	load_base();
	for (unsigned i = 0; i < 32; i++)
		if (i != 1)
			STD(i, FIELD(r) + 8 * i);
	put(0x7c4fcaa6);			/* mfspr r2,TAR */
	STD(2, FIELD(r) + 8);
	put(0x7c400026);			/* mfcr r2 */
	STD(2, FIELD(cr));
	put(0x7c4102a6);			/* mfxer r2 */
	STD(2, FIELD(xer));
	for (unsigned i = 0; i < 64; i++) {
		LI(2, FIELD(vsr) + 16 * i);
		STXVD2X(i);
	}
	put(0x10000604);			/* mfvscr v0; its doubleword 0 lands on fpscr, stored next */
	LI(2, FIELD(vscr) - 8);
	STXVD2X(32);
	put(0xfc00048e);			/* mffs f0 */
	put(0xd8010000 | FIELD(fpscr));		/* stfd f0 */
	put(0x7c2902a6);			/* mfctr r1 */
	LD(2, 120);
	LD(0, 112);
	put(0x7c0ff120);			/* mtcrf 255,r0 */
	for (unsigned i = 13; i < 32; i++)
		LD(i, 32 + 8 * (i - 13) + 128);
	put(0x38210200);			/* addi r1,r1,512 */
	put(0xe8010010);			/* ld r0,16(r1) */
	put(0x7c0803a6);			/* mtlr r0 */
	put(0x4e800020);			/* blr */
}

int main(void)
{
	static const int signals[] = { SIGILL, SIGBUS, SIGSEGV, SIGFPE, SIGTRAP };
	uint8_t *area = mmap((void *)(uintptr_t)MEM_ADDR, 0x30000, PROT_READ | PROT_WRITE | PROT_EXEC,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	struct state *state = (struct state *)(uintptr_t)STATE_ADDR;
	struct testcase c;
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK };
	uint32_t *code = (uint32_t *)(uintptr_t)CODE_ADDR;
	/* ELFv1 calls through a descriptor, ELFv2 directly. */
	uint64_t descriptor[3] = { CODE_ADDR, 0, 0 };
	void (*run)(void);

	static char stack[65536];
	const stack_t alternate = { .ss_sp = stack, .ss_size = sizeof stack };

	/* The case's r1 is no stack. */
	if (area == MAP_FAILED || sigaltstack(&alternate, NULL))
		return 1;
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
		sigaction(signals[i], &action, NULL);
	build(code);
#if defined(_CALL_ELF) && _CALL_ELF == 2
	(void)descriptor;
	run = (void (*)(void))(uintptr_t)CODE_ADDR;
#else
	run = (void (*)(void))(uintptr_t)descriptor;
#endif
	while (fread(&c, sizeof c, 1, stdin) == 1) {
		swap_state(&c.state);
		*hole = (uint32_t)(swap_if_big((uint64_t)c.word) >> (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 32 : 0));
		__builtin___clear_cache((char *)hole, (char *)(hole + 1));
		*state = c.state;
		memcpy(area, c.state.mem, MEM_BYTES);
		outcome = RAN;
		if (!sigsetjmp(back, 1))
			run();
		c.outcome = (uint32_t)(swap_if_big((uint64_t)outcome) >> (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 32 : 0));
		c.state = *state;
		memcpy(c.state.mem, area, MEM_BYTES);
		swap_state(&c.state);
		if (fwrite(&c, sizeof c, 1, stdout) != 1)
			return 1;
	}
	return 0;
}
