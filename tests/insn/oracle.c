/* The other side of the differential test: runs each case on the processor it is started on
 * (qemu-ppc64le or qemu-ppc64) and reports the state afterwards.
 *
 * Every register is the case's own while the instruction runs: the way back is kept in CTR
 * (the stack), TAR (the case's r1) and absolute addresses. A signal comes back the same way,
 * so that the state is reported as the instruction left it.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "state.h"

#define AROUND_ADDR  (CODE_ADDR + 0x10000)	/* a page apart: the emulator translates it only once */
#define STATE_ADDR   (CODE_ADDR + 0x20000)
#define SCRATCH_ADDR (CODE_ADDR + 0x30000)
#define AREA_BYTES   0x50000			/* from MEM_ADDR on */

static volatile uint64_t outcome;

/* Runs with the case's r13, so it must not touch thread-local storage. */
static void on_signal(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;
	uint64_t nip = u->uc_mcontext.gp_regs[32];

	(void)info;
	if (nip - CODE_ADDR >= CODE_BYTES && nip - SEQUENCE_ADDR >= 4 * SEQUENCE_WORDS)
		_exit(3);	/* not the case: the test's own fault */
	outcome = sig == SIGILL ? ILLEGAL : sig == SIGBUS ? ALIGNMENT : sig == SIGSEGV ? STORAGE : TRAPPED;
	u->uc_mcontext.gp_regs[32] = CODE_ADDR + CODE_BYTES;
}

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
static void swap_words(uint64_t *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		v[i] = __builtin_bswap64(v[i]);
}

/* Everything but mem. */
static void swap_case(struct testcase *c)
{
	c->before = __builtin_bswap32(c->before);
	c->word = __builtin_bswap32(c->word);
	c->prefix = __builtin_bswap32(c->prefix);
	c->sequence = __builtin_bswap32(c->sequence);
	swap_words(&c->outcome, 1);
	swap_words((uint64_t *)&c->state, __builtin_offsetof(struct state, mem) / 8);
}
#else
static void swap_case(struct testcase *c) { (void)c; }
#endif

/* ---- A tiny assembler for the code around the instruction ---- */

static uint32_t *at;

static void put(uint32_t word) { *at++ = word; }

static void load_base(void)	/* r1 = STATE_ADDR */
{
	put(0x3c200000 | STATE_ADDR >> 16);
	put(0x60210000 | (STATE_ADDR & 0xffff));
}

static void jump(uint32_t target)
{
	put(0x48000000u | ((target - (uint32_t)(uintptr_t)at) & 0x3fffffc));
}

#define FIELD(f) (uint32_t)__builtin_offsetof(struct state, f)
#define LD(rt, off)  put(0xe8010000u | (uint32_t)(rt) << 21 | (off))
#define STD(rs, off) put(0xf8010000u | (uint32_t)(rs) << 21 | (off))
#define LI(rt, v)    put(0x38000000u | (uint32_t)(rt) << 21 | (v))
#define LXVD2X(n)  put(0x7c010698u | ((n) & 31u) << 21 | 2u << 11 | (n) >> 5)	/* n, r1, r2 */
#define STXVD2X(n) put(0x7c010798u | ((n) & 31u) << 21 | 2u << 11 | (n) >> 5)

static void build_way_in(void)
{
	put(0x7c0802a6);			/* mflr r0 */
	put(0xf8010010);			/* std r0,16(r1) */
	put(0xf821fe01);			/* stdu r1,-512(r1) */
	for (unsigned i = 13; i < 32; i++)
		STD(i, 32 + 8 * (i - 13) + 128);
	STD(2, 120);
	put(0x7c000026);			/* mfcr r0 */
	STD(0, 112);
	put(0x7c2903a6);			/* mtctr r1 */
	/* No reservation is left of an earlier case. */
	put(0x3c400000 | SCRATCH_ADDR >> 16);	/* lis r2 */
	put(0x7c4011ad);			/* stdcx. r2,0,r2 */
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
	jump(CODE_ADDR);
}

static void build_way_out(void)
{
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
	put(0xf00004d0);			/* xxlxor vs0,vs0,vs0 */
	put(0xfffe058e);			/* mtfsf 255,f0,1,0: nothing is enabled from here on */
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

static void build(void)
{
	uint32_t way_out;

	at = (uint32_t *)(uintptr_t)AROUND_ADDR;
	build_way_in();
	way_out = (uint32_t)(uintptr_t)at;
	build_way_out();
	at = (uint32_t *)(uintptr_t)CODE_ADDR + 3;
	jump(way_out);
	at = (uint32_t *)(uintptr_t)SEQUENCE_ADDR + SEQUENCE_WORDS;
	jump(way_out);
}

/* Storing the same would have it translated again. */
static void put_code(uint32_t address, const void *words, size_t size)
{
	void *code = (void *)(uintptr_t)address;

	if (!memcmp(code, words, size))
		return;
	memcpy(code, words, size);
	__builtin___clear_cache((char *)code, (char *)code + size);
}

/* ELFv1 calls through a descriptor, ELFv2 directly. */
#if defined(_CALL_ELF) && _CALL_ELF == 2
static void call(void)
{
	((void (*)(void))(uintptr_t)AROUND_ADDR)();
}
#else
static void call(void)
{
	static const uint64_t descriptor[3] = { AROUND_ADDR, 0, 0 };

	((void (*)(void))(uintptr_t)descriptor)();
}
#endif

static void run(struct testcase *c)
{
	uint32_t words[3];
	struct state *state = (struct state *)(uintptr_t)STATE_ADDR;

	swap_case(c);
	case_code(c, words);
	if (c->sequence) {
		words[2] = 0x48000000u | (SEQUENCE_ADDR - CODE_ADDR - 8);
		put_code(SEQUENCE_ADDR, sequence_code(&c->state), 4 * SEQUENCE_WORDS);
	}
	put_code(CODE_ADDR, words, sizeof words);
	*state = c->state;
	memcpy((void *)(uintptr_t)MEM_ADDR, c->state.mem, MEM_BYTES);
	outcome = RAN;
	call();
	c->outcome = outcome;
	c->state = *state;
	memcpy(c->state.mem, (void *)(uintptr_t)MEM_ADDR, MEM_BYTES);
	swap_case(c);
}

int main(void)
{
	static const int signals[] = { SIGILL, SIGBUS, SIGSEGV, SIGFPE, SIGTRAP };
	static struct testcase cases[CHUNK];
	static char stack[65536];
	const stack_t alternate = { .ss_sp = stack, .ss_size = sizeof stack };	/* the case's r1 is no stack */
	const struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK };
	size_t n;

	if (mmap((void *)(uintptr_t)MEM_ADDR, AREA_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED || sigaltstack(&alternate, NULL))
		return 1;
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
		sigaction(signals[i], &action, NULL);
	build();
	while ((n = fread(cases, sizeof cases[0], CHUNK, stdin)) != 0) {
		for (size_t i = 0; i < n; i++)
			run(&cases[i]);
		if (fwrite(cases, sizeof cases[0], n, stdout) != n || fflush(stdout))
			return 1;
	}
	return 0;
}
