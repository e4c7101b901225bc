/* An unprivileged process of a Linux guest that stores into a page that it executes, for ever. No C library. */
typedef unsigned long u64;
typedef unsigned int u32;

static long call(long n, long a, long b, long c, long d, long e, long f)
{
	register long r0 __asm__("r0") = n, r3 __asm__("r3") = a, r4 __asm__("r4") = b, r5 __asm__("r5") = c;
	register long r6 __asm__("r6") = d, r7 __asm__("r7") = e, r8 __asm__("r8") = f;

	__asm__ volatile("sc" : "+r"(r0), "+r"(r3), "+r"(r4), "+r"(r5), "+r"(r6), "+r"(r7), "+r"(r8)
			 : : "memory", "cr0", "r9", "r10", "r11", "r12", "ctr", "xer", "lr");
	return r3;
}

static void say(const char *text)
{
	int n = 0;

	while (text[n])
		n++;
	call(4, 1, (long)text, n, 0, 0, 0);
}

static void run(const u32 *page, unsigned from, u64 times)
{
	__asm__ volatile("mtctr %0; mtlr %1; mr 4,%2; lwz 5,0(4); blrl"
			 : : "r"(times), "r"(page + from), "r"(page + 1021) : "memory", "r4", "r5", "lr", "ctr");
}

void _start(void)
{
	static const u32 loop[] = { 0x90a40000, 0x48000004, 0x60000000, 0x4200fff4, 0x4e800020 };	/* stw 5,0(4); b 1f; 1: nop; bdnz; blr */
	u32 *page = (u32 *)call(90, 0, 65536, 7, 0x22, -1, 0);	/* mmap */

	say(call(23, 1000, 0, 0, 0, 0, 0) ? "setuid failed\n" : "uid 1000\n");
	for (int i = 0; i < 1024; i++)
		page[i] = i < 1019 ? 0x60000000 : loop[i - 1019];
	for (unsigned i = 0; i < 1018; i++)
		run(page, i, 1);
	say("process busy\n");
	run(page, 1019, ~0ul);
}
