/* Output, interrupts and processors of the bare-metal tests. */
#include <stdarg.h>

#include "lib.h"

extern char vector_entry[], secondary_entry[];
void probe_run(struct cpu *cpu, u64 at, u64 msr, const u64 args[6]);
u64 trap(struct cpu *cpu);
int main(void);

#define STACK 16384
static u8 stacks[MAX_CPUS][2][STACK] __attribute__((aligned(16)));
struct cpu cpus[MAX_CPUS];
void (*on_interrupt)(struct cpu *cpu);
static unsigned facts, failures;

/* ---- Output ---- */

static char line[256];
static unsigned filled;

static void flush(void)
{
	for (unsigned at = 0; at < filled; at += 16) {
		u64 w[2] = { 0, 0 };
		unsigned n = filled - at < 16 ? filled - at : 16;

		for (unsigned i = 0; i < n; i++)
			w[i / 8] |= (u64)(u8)line[at + i] << (56 - 8 * (i % 8));
		while (hcall(H_PUT_TERM_CHAR, VTY, n, w[0], w[1]) == 1)
			;
	}
	filled = 0;
}

static void put(char c)
{
	line[filled++] = c;
	if (c == '\n' || filled == sizeof line)
		flush();
}

static void put_number(u64 v, unsigned base)
{
	char digits[24];
	unsigned n = 0;

	do
		digits[n++] = "0123456789abcdef"[v % base];
	while (v /= base);
	while (n)
		put(digits[--n]);
}

void print(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	for (; *fmt; fmt++) {
		if (*fmt != '%') {
			put(*fmt);
			continue;
		}
		switch (*++fmt) {
		case 's':
			for (const char *s = va_arg(ap, const char *); *s; s++)
				put(*s);
			break;
		case 'x': put_number(va_arg(ap, u64), 16); break;
		case 'u': put_number(va_arg(ap, unsigned), 10); break;
		default: put(*fmt);
		}
	}
	va_end(ap);
}

bool check(bool fact, const char *name)
{
	print(fact ? "ok %s\n" : "FAIL %s\n", name);
	facts += fact;
	failures += !fact;
	return fact;
}

bool check_eq(u64 got, u64 want, const char *name)
{
	if (got == want)
		return check(true, name);
	print("FAIL %s: is %x, should be %x\n", name, got, want);
	failures++;
	return false;
}

void panic(const char *why)
{
	u32 in[1];
	static char message[128];
	unsigned n = 0;

	for (; why[n] && n < sizeof message - 1; n++)
		message[n] = why[n];
	in[0] = (u32)(u64)message;
	if (filled)
		put('\n');
	rtas(RTAS_OS_TERM, 1, 1, in, NULL);
	rtas(RTAS_POWER_OFF, 2, 1, (const u32[2]){ 0 }, NULL);	/* where the call comes back */
	for (;;)
		;
}

void done(void)
{
	static const u32 in[2];

	if (failures) {
		print("FAIL %u of %u facts\n", failures, facts + failures);
		panic("a fact was wrong");
	}
	print("done %u\n", facts);
	rtas(RTAS_POWER_OFF, 2, 1, in, NULL);
	for (;;)
		;
}

/* ---- Calls ---- */

s64 hcall_n(u64 regs[10], u64 out[9])
{
	hcall_raw(regs);
	if (out)
		memcpy(out, regs + 1, 9 * sizeof out[0]);
	return (s64)regs[0];
}

s64 rtas(u32 token, unsigned nargs, unsigned nret, const u32 *in, u32 *out)
{
	u32 block[3 + 16 + 16];

	block[0] = be32(token);
	block[1] = be32(nargs);
	block[2] = be32(nret);
	for (unsigned i = 0; i < nargs; i++)
		block[3 + i] = be32(in[i]);
	sync();
	hcall(0xf000, (u64)block);
	for (unsigned i = 1; i < nret && out; i++)
		out[i - 1] = be32(block[3 + nargs + i]);
	return (int32_t)be32(block[3 + nargs]);
}

/* ---- Interrupts ---- */

void put_insn(void *at, u32 word)
{
	*(volatile u32 *)at = word;
	__asm__ volatile("dcbst 0,%0; sync; icbi 0,%0; isync" : : "r"(at) : "memory");
}

void vectors_at(u64 base)
{
	static const uint16_t vectors[] = { 0x100, 0x200, 0x300, 0x380, 0x400, 0x480, 0x500, 0x600, 0x700, 0x800, 0x900,
		0x980, 0xa00, 0xc00, 0xd00, 0xe00, 0xe20, 0xe40, 0xf00, 0xf20, 0xf40, 0xf60, 0xf80 };
	const u32 *entry = (const u32 *)vector_entry;

	for (unsigned i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
		u32 *to = (u32 *)(base + vectors[i]);

		put_insn(to, entry[0]);
		put_insn(to + 1, entry[1] | vectors[i]);
		put_insn(to + 2, entry[2]);
	}
}

/* What start.S calls: non-zero ends the probe. */
u64 trap(struct cpu *cpu)
{
	if (cpu->probing) {
		cpu->probing = 0;
		return 1;
	}
	if (on_interrupt) {
		on_interrupt(cpu);
		return 0;
	}
	print("\nFAIL interrupt %x on cpu %x: srr0 %x srr1 %x dar %x dsisr %x lr %x\n", cpu->vector, cpu->index, cpu->srr0,
	      cpu->srr1, cpu->dar, cpu->dsisr, cpu->lr);
	panic("an interrupt that nobody wanted");
}

struct cpu *probe_n(const void *at, u64 msr, const u64 args[6])
{
	struct cpu *cpu = this_cpu();

	probe_run(cpu, (u64)at, msr, args);
	return cpu;
}

/* MSR bits that SRR1 keeps: 33:36 and 42:47 tell the cause. Power ISA 3.0B, Book III, 6.2.2. */
#define SRR1_CAUSE (0x78000000ull | 0x3f0000ull)

bool check_trap(const struct cpu *c, u64 vector, const void *srr0, u64 msr, u64 srr1_bits, const char *name)
{
	u64 srr1 = (msr & ~SRR1_CAUSE) | srr1_bits;

	if (msr & MSR_PR)
		srr1 |= MSR_EE | MSR_IR | MSR_DR;
	if (c->vector == vector && c->srr0 == (u64)srr0 && c->srr1 == srr1)
		return check(true, name);
	print("FAIL %s: vector %x srr0 %x srr1 %x", name, c->vector, c->srr0, c->srr1);
	print(" should be %x %x %x, dar %x dsisr %x\n", vector, (u64)srr0, srr1, c->dar, c->dsisr);
	failures++;
	return false;
}

/* ---- Processors ---- */

static void cpu_init(unsigned n)
{
	cpus[n].index = n;
	cpus[n].stack = (u64)stacks[n][0] + STACK - 128;
	cpus[n].trap_stack = (u64)stacks[n][1] + STACK - 128;
}

struct cpu *start_cpu(unsigned n, void (*function)(struct cpu *))
{
	struct cpu *c = &cpus[n];
	u32 in[3] = { n, (u32)(u64)secondary_entry, (u32)(u64)c };

	cpu_init(n);
	c->function = function;
	sync();
	return rtas(RTAS_START_CPU, 3, 1, in, NULL) ? NULL : c;
}

void stop_self(void)
{
	rtas(RTAS_STOP_SELF, 0, 1, NULL, NULL);
	panic("stop-self came back");
}

/* ---- What the compiler may call ---- */

void *memset(void *to, int byte, size_t n)
{
	for (u8 *p = to; n--; p++)
		*p = (u8)byte;
	return to;
}

void *memcpy(void *to, const void *from, size_t n)
{
	u8 *p = to;

	for (const u8 *q = from; n--; p++, q++)
		*p = *q;
	return to;
}

int main(void)
{
	cpu_init(0);
	/* Interrupts in this program's byte order, to the vectors in low memory. */
	if (hcall(H_SET_MODE, LITTLE, 4, 0, 0))
		panic("H_SET_MODE");
	vectors_at(0);
	test();
	done();
}
