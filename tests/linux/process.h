/* What a process of a Linux guest that has no C library says and asks. */
#ifndef TESTS_LINUX_PROCESS_H
#define TESTS_LINUX_PROCESS_H

#include <stdint.h>

enum { EXIT = 1, WRITE = 4 };

/* System calls say by the summary overflow bit that they failed; the error is negative then. */
static long call(long number, long a, long b, long c, long d)
{
	register long r0 __asm__("r0") = number, r3 __asm__("r3") = a, r4 __asm__("r4") = b, r5 __asm__("r5") = c;
	register long r6 __asm__("r6") = d, r7 __asm__("r7") = 0;

	__asm__ volatile("sc\n\tbns+ 1f\n\tneg 3,3\n1:" : "+r"(r0), "+r"(r3), "+r"(r4), "+r"(r5), "+r"(r6), "+r"(r7)
			 : : "memory", "cr0", "r8", "r9", "r10", "r11", "r12", "ctr", "xer", "lr");
	return r3;
}

/* A fact: a line with its name, which ends with a space or the like, and its value. */
static void say(const char *name, uint64_t value)
{
	char line[80];
	unsigned n = 0, digits = 1;

	while (*name)
		line[n++] = *name++;
	for (uint64_t v = value; v >= 10; v /= 10)
		digits++;
	for (unsigned i = digits; i--; value /= 10)
		line[n + i] = (char)('0' + value % 10);
	n += digits;
	line[n++] = '\n';
	call(WRITE, 1, (long)line, n, 0);
}

#endif
