/* A process that computes in decimal, as the compiler has it: money by _Decimal64, a sum by _Decimal128; then what the kernel
 * makes of an exception that is enabled. No C library; a line for each fact. */
#include "process.h"

enum { PRCTL = 171, RT_SIGACTION = 173 };
enum { AT_HWCAP = 16, HAS_DFP = 0x400, SIGFPE = 8, SA_SIGINFO = 4, PR_SET_FPEXC = 12, PRECISE = 3 };

/* To a cent, half a cent to the even one. */
static _Decimal64 to_cents(_Decimal64 amount)
{
	_Decimal64 r;

	__asm__("dquai -2,%0,%1,0" : "=d"(r) : "d"(amount));
	return r;
}

static void compute(long months, long terms)
{
	_Decimal64 balance = 1000.00DD;
	_Decimal128 sum = 0, whole;

	for (long i = 0; i < months; i++)
		balance = to_cents(balance * 1.0045DD);
	say("cents ", (uint64_t)(long)(balance * 100));
	for (long i = 1; i <= terms; i++)
		sum += 1 / (_Decimal128)i;
	whole = (long)(sum * 1E17DL);
	say("sum ", (uint64_t)(long)whole);
	say("rest ", (uint64_t)(long)((sum * 1E17DL - whole) * 1E16DL));
	say("less ", balance < 2000 && sum > balance / 1000);
}

struct siginfo { int number, error, code; };

static void on_signal(int number, const struct siginfo *info)
{
	say("signal ", (uint64_t)number);
	say("code ", (uint64_t)info->code);
	call(EXIT, 0, 0, 0, 0);
}

/* The smallest number, once more by a tenth: underflow, which is enabled. */
static void trap(void)
{
	static const struct { void *handler; uint64_t flags; void *restorer; uint64_t mask; } action = {
		(void *)on_signal, SA_SIGINFO, 0, 0 };
	_Decimal64 tiny = 1E-398DD, tenth = 0.1DD;

	call(RT_SIGACTION, SIGFPE, (long)&action, 0, 8);
	call(PRCTL, PR_SET_FPEXC, PRECISE, 0, 0);
	__asm__ volatile("mtfsb1 26\n\tdmul %0,%0,%1" : "+d"(tiny) : "d"(tenth));
	say("signal ", 0);
}

__attribute__((used)) static void run(const long *stack)
{
	const long *p = stack + 1 + stack[0] + 1;	/* behind the arguments */

	while (*p++)
		;
	for (; p[0]; p += 2)
		if (p[0] == AT_HWCAP)
			say("dfp ", (p[1] & HAS_DFP) != 0);
	compute(stack[0] * 120, stack[0] * 1000);
	trap();
	call(EXIT, 0, 0, 0, 0);
	for (;;)
		;
}

/* r1 points at how many arguments there are, r12 here: the table of constants is found from it. */
__asm__(".text\n.globl _start\n_start:\n\taddis 2,12,.TOC.-_start@ha\n\taddi 2,2,.TOC.-_start@l\n"
	"\tmr 3,1\n\tstdu 1,-64(1)\n\tbl run\n\tnop\n");
