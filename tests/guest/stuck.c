/* A guest that has lost its way, in the way that a letter from the console says. It never ends by
 * itself: stuck.py sees whether cede stays alive and lets itself be ended. */
#include "lib.h"

static u64 code[64] __attribute__((aligned(256)));

PROBE(p_forever, "", "b p_forever", "");
PROBE(p_nowhere, "mtctr 3", "bctr", "");

static char letter(void)
{
	u64 out[9];

	do
		hcall_out(out, H_GET_TERM_CHAR, VTY);
	while (!out[0]);
	return (char)(out[1] >> 56);
}

static void back(struct cpu *c) { (void)c; }

static void stop(struct cpu *c)
{
	(void)c;
	stop_self();
}

static void go(const void *at, u64 msr, u64 r3) { probe(at, msr, r3); }

void test(void)
{
	print("ready\n");
	switch (letter()) {
	case 'b':		/* a branch to itself, uninterruptible */
		mtmsrd(OUR_MSR);
		for (;;)
			__asm__ volatile("");
	case 'v':		/* vectors of zeros: illegal for ever */
		memset((void *)0x100, 0, 0x1000);
		go(code, OUR_MSR, 0);
		break;
	case 'n':		/* a jump out of memory; what handles it is out of memory, too */
		memset((void *)0x100, 0, 0x1000);
		go(p_nowhere, OUR_MSR, 0x7000000000000000ull);
		break;
	case 'm':		/* translation on, by no table */
		memset((void *)0x100, 0, 0x1000);
		go(p_forever, OUR_MSR | MSR_IR | MSR_DR, 0);
		break;
	case 'd':		/* the decrementer again and again */
		on_interrupt = back;
		mtspr(22, -1);
		mtmsrd(OUR_MSR | MSR_EE);
		break;
	case 'x':		/* an interrupt that nobody ends */
		on_interrupt = back;
		hcall(H_CPPR, 0xff);
		hcall(H_IPI, 0, 1);
		mtmsrd(OUR_MSR | MSR_EE);
		break;
	case 'c':		/* asleep for good */
		on_interrupt = back;
		hcall(H_CPPR, 0);
		mtspr(22, 0x7fffffffffffffull);
		for (;;)
			hcall(H_CEDE, 0);
	case 's':		/* all processors stopped */
		start_cpu(1, stop);
		stop_self();
	case 'j':		/* joined, nobody left */
		start_cpu(1, stop);
		for (u64 t = mftb(); mftb() - t < 1000000;)
			;
		mtmsrd(OUR_MSR);
		for (;;)
			hcall(H_JOIN, 0);
	case 'p':		/* talks for ever */
		for (;;)
			print("all work and no play makes jack a dull boy\n");
	case 'r':		/* starts again for ever: see what follows it */
		rtas(0x2004, 0, 1, NULL, NULL);
		break;
	case 'w':		/* writes its own code for ever */
		for (u32 i = 0;; i++) {
			put_insn((u32 *)code, 0x38600000 | (i & 0xffff));
			put_insn((u32 *)code + 1, 0x4e800020);
			go(code, OUR_MSR, 0);
		}
	case 't':		/* single steps for ever */
		on_interrupt = back;
		for (;;)
			mtmsrd(OUR_MSR | MSR_SE);
	case 'e':		/* system resets itself for ever */
		on_interrupt = back;
		for (;;)
			hcall(H_SIGNAL_SYS_RESET, -1);
	case 'h':		/* calls that are not there */
		for (u64 i = 0;; i++)
			hcall(i * 4 + 0x100000, i);
	case 'l':		/* loads and stores where nothing is */
		memset((void *)0x100, 0, 0x1000);
		for (u64 a = 0x4000000000ull;; a += 0x1000)
			*(volatile u64 *)a = *(volatile u64 *)(a + 8);
	}
	for (;;)
		;
}
