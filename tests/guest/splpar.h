/* What the programs about shared processors have in common: the areas, jobs on other processors, and
 * how long they take. PAPR, "Shared Processor LPAR Option". */
#ifndef TESTS_GUEST_SPLPAR_H
#define TESTS_GUEST_SPLPAR_H

#include "lib.h"

#define RAM 0x10000000ull		/* bytes: the tests run with 256 MiB */
#define TOP (~0ull)
#define US 512ull			/* timebase ticks */
#define MS (1000 * US)
#define SEC (1000 * MS)
#define CPU_NODE (is_power8() ? "/cpus/PowerPC,POWER8@0" : "/cpus/PowerPC,POWER9@0")
#define DEC_FAR (is_power8() ? 0x7fffffffull : 0x7fffffffffffull)

#define H_GET_PPP 0xec
#define H_SET_PPP 0xf0
#define H_PURR 0xf4
#define H_PIC 0xf8
#define H_POLL_PENDING 0x1d8
#define H_GET_EM_PARMS 0x2b8
#define H_SET_MPP 0x2d0
#define H_GET_MPP 0x2d4
#define H_HOME_NODE_ASSOCIATIVITY 0x2ec
#define H_BEST_ENERGY 0x2f4
#define H_GET_MPP_X 0x314
#define H_PENDING 17
#define H_CONTINUE 18
#define H_BAD_MODE (-5)
#define RTAS_GET_PARAMETER 0x2008

/* H_REGISTER_VPA's subfunctions. */
#define SUB(n) ((u64)(n) << 45)
enum { VPA_ON = 1, DTL_ON, SLB_ON, VPA_OFF = 5, DTL_OFF, SLB_OFF };

/* Offsets in the VPA. */
#define V_SIZE       0x04
#define V_STATUS     0x09
#define V_HOME       0x58
#define V_DTL_MASK   0xb8
#define V_FPREGS     0xba
#define V_IDLE       0xfe
#define V_COUNT      0x100
#define V_DISPERSION 0x104
#define V_INTERVAL3  0x158	/* for a processor */
#define V_INTERVAL2  0x160	/* for capacity */
#define V_INTERVAL1  0x168	/* until ready */
#define V_DTL_INDEX  0x218
#define V_MIN        0x280

#define ENTRY 48
#define DTL_ROOM 4096

static u8 vpa[MAX_CPUS][4096] __attribute__((aligned(4096), unused));
static u8 dtl[MAX_CPUS][2 * DTL_ROOM] __attribute__((aligned(4096), unused));
static u8 slb[MAX_CPUS][4096] __attribute__((aligned(4096), unused));

/* ---- Big-endian memory ---- */

static inline u64 get(const volatile void *p, unsigned bytes)
{
	const volatile u8 *b = p;
	u64 v = 0;

	switch (bytes) {		/* one access where that matters */
	case 4: return be32(*(const volatile u32 *)p);
	case 8: return be64(*(const volatile u64 *)p);
	}
	while (bytes--)
		v = v << 8 | *b++;
	return v;
}

static inline void set(volatile void *p, unsigned bytes, u64 v)
{
	volatile u8 *b = p;

	switch (bytes) {
	case 4: *(volatile u32 *)p = be32((u32)v); return;
	case 8: *(volatile u64 *)p = be64(v); return;
	}
	while (bytes--)
		*b++ = (u8)(v >> 8 * bytes);
}

static inline u32 count_of(unsigned n) { return (u32)get(vpa[n] + V_COUNT, 4); }
static inline u64 index_of(unsigned n) { return get(vpa[n] + V_DTL_INDEX, 8); }
static inline u64 interval(unsigned n, unsigned which)
{
	return get(vpa[n] + (which == 1 ? V_INTERVAL1 : which == 2 ? V_INTERVAL2 : V_INTERVAL3), 8);
}

static inline void atomic_add(volatile u64 *p, u64 n)
{
	u64 v;

	__asm__ volatile("1: ldarx %0,0,%1\n\tadd %0,%0,%2\n\tstdcx. %0,0,%1\n\tbne- 1b" : "=&r"(v) : "r"(p), "r"(n) : "cr0", "memory");
}

/* ---- Registration ---- */

static inline u64 reg(unsigned what, u64 n, const volatile void *at) { return (u64)hcall(H_REGISTER_VPA, SUB(what), n, (u64)at); }

static inline u64 vpa_on(unsigned n)
{
	memset(vpa[n], 0, 1024);
	set(vpa[n] + V_SIZE, 2, 1024);
	vpa[n][V_FPREGS] = 1;
	vpa[n][0xff] = 1;
	return reg(VPA_ON, n, vpa[n]);
}

static inline u64 dtl_on(unsigned n, u32 size, u8 mask)
{
	u64 rc;

	memset(dtl[n], 0xee, sizeof dtl[n]);
	set(dtl[n] + 4, 4, size);
	rc = reg(DTL_ON, n, dtl[n]);
	vpa[n][V_DTL_MASK] = mask;
	return rc;
}

/* ---- A log's entry ---- */

struct entry {
	u8 dispatch, preempt;
	u32 processor, to_dispatch, to_enqueue, to_ready;
	u64 timebase, fault, srr0, srr1;
};

static inline struct entry entry_at(const volatile u8 *p)
{
	return (struct entry){ p[0], p[1], get(p + 2, 2), get(p + 4, 4), get(p + 8, 4), get(p + 12, 4),
			       get(p + 16, 8), get(p + 24, 8), get(p + 32, 8), get(p + 40, 8) };
}

/* Entry number i of a log of n entries that has wrapped or not. */
static inline struct entry entry_of(unsigned cpu, u64 i, u64 n) { return entry_at(dtl[cpu] + i % n * ENTRY); }

/* ---- Interrupts that are only counted ---- */

static volatile u64 decs[MAX_CPUS] __attribute__((unused)), externals[MAX_CPUS] __attribute__((unused)),
		    resets[MAX_CPUS] __attribute__((unused)), doorbells[MAX_CPUS] __attribute__((unused));

static inline void count_interrupt(struct cpu *c)
{
	u64 out[9];

	switch (c->vector) {
	case 0x900:
		mtspr(22, DEC_FAR);
		decs[c->index]++;
		return;
	case 0x500:
		hcall_out(out, H_XIRR, 0);
		hcall(H_IPI, c->index, 0xff);
		hcall(H_EOI, out[0]);
		externals[c->index]++;
		return;
	case 0x100: resets[c->index]++; return;
	case 0xa00: doorbells[c->index]++; return;
	}
	print("\nFAIL interrupt %x on cpu %x at %x\n", c->vector, c->index, c->srr0);
	panic("an interrupt that nobody wanted");
}

/* ---- Waiting ---- */

static inline s64 cede(void)
{
	s64 rc = hcall(H_CEDE, 0);

	mtmsrd(OUR_MSR);
	return rc;
}

/* Until the decrementer calls. Ticks that it took. */
static inline u64 cede_for(u64 ticks)
{
	u64 start = mftb();

	mtspr(22, ticks);
	cede();
	mtspr(22, DEC_FAR);
	return mftb() - start;
}

static inline void spin_for(u64 ticks)
{
	for (u64 start = mftb(); mftb() - start < ticks;)
		;
}

/* ---- Jobs on other processors ---- */

static volatile u64 finished[MAX_CPUS] __attribute__((unused)), begun[MAX_CPUS] __attribute__((unused));
static void (*volatile job[MAX_CPUS])(struct cpu *) __attribute__((unused));

static inline void job_entry(struct cpu *c)
{
	mtspr(22, DEC_FAR);
	hcall(H_CPPR, 0xff);
	begun[c->index] = 1;
	job[c->index](c);
	mtmsrd(OUR_MSR);
	mtspr(22, DEC_FAR);
	sync();
	finished[c->index] = 1;
	stop_self();
}

static inline u64 state_of(u32 n)
{
	u32 in[1] = { n }, out[1] = { 77 };

	return rtas(RTAS_QUERY_CPU, 1, 2, in, out) ? 99 : out[0];
}

static inline bool becomes(volatile u64 *p, u64 value, u64 ticks)
{
	for (u64 start = mftb(); *p != value;)
		if (mftb() - start > ticks)
			return false;
	return true;
}

static inline bool launch(unsigned n, void (*function)(struct cpu *))
{
	job[n] = function;
	finished[n] = begun[n] = 0;
	sync();
	return start_cpu(n, job_entry) != NULL && becomes(&begun[n], 1, 5 * SEC);
}

/* Both ways: it has come to its end in that time, or it has not. */
static inline bool ends_in(unsigned n, u64 ticks) { return becomes(&finished[n], 1, ticks); }

static inline bool ended(unsigned n)
{
	if (!ends_in(n, 20 * SEC))
		return false;
	for (u64 start = mftb(); state_of(n);)
		if (mftb() - start > SEC)
			return false;
	return true;
}

/* ---- What the machine is like ---- */

static inline u64 client(const char *service, unsigned nargs, const u32 *in)
{
	u32 block[16] = { be32((u32)(u64)service), be32(nargs), be32(1) };

	for (unsigned i = 0; i < nargs; i++)
		block[3 + i] = be32(in[i]);
	sync();
	if (hcall(0xf005, (u64)block))
		return TOP;
	return be32(block[3 + nargs]);
}

static u8 property_room[4096] __attribute__((aligned(8), unused));

/* Length of a node's property, -1 none; its value is in property_room. */
static inline s64 property(const char *path, const char *name)
{
	u32 in[4] = { (u32)(u64)path };
	u64 node = client("finddevice", 1, in);

	if (node == TOP || node == 0xffffffff)
		return -1;
	memset(property_room, 0, sizeof property_room);
	in[0] = (u32)node;
	in[1] = (u32)(u64)name;
	in[2] = (u32)(u64)property_room;
	in[3] = sizeof property_room - 1;
	return (int32_t)client("getprop", 4, in);
}

static inline bool same_text(const char *a, const char *b, size_t n)
{
	for (; n; n--, a++, b++)
		if (*a != *b)
			return false;
	return true;
}

static inline bool text_has(const char *text, size_t size, const char *word)
{
	size_t n = 0;

	while (word[n])
		n++;
	for (size_t i = 0; i + n <= size; i++)
		if (same_text(text + i, word, n))
			return true;
	return false;
}

/* -append WORD */
static inline bool told(const char *word)
{
	s64 n = property("/chosen", "bootargs");

	return n > 0 && text_has((const char *)property_room, (size_t)n, word);
}

static inline unsigned threads(void)
{
	s64 n = property(CPU_NODE, "ibm,ppc-interrupt-server#s");

	return n > 0 ? (unsigned)n / 4 : 1;
}

/* -append pool beside -pool. */
static inline bool shared(void) { return told("pool"); }

static inline u64 purr(void) { return mfspr(309); }
static inline u64 spurr(void) { return mfspr(308); }

static inline bool near(u64 value, u64 want, u64 tolerance) { return value + tolerance >= want && value <= want + tolerance; }

static inline bool check_near(u64 value, u64 want, u64 tolerance, const char *name)
{
	if (near(value, want, tolerance))
		return check(true, name);
	print("# %s: is %x, should be %x, at most %x off\n", name, value, want, tolerance);
	return check(false, name);
}

static inline bool check_range(u64 value, u64 least, u64 most, const char *name)
{
	if (value >= least && value <= most)
		return check(true, name);
	print("# %s: is %x, should be from %x to %x\n", name, value, least, most);
	return check(false, name);
}

/* The first three processors have VPAs, and interrupts are counted. */
static inline void begin_with_vpas(void)
{
	mtspr(22, DEC_FAR);
	on_interrupt = count_interrupt;
	hcall(H_CPPR, 0xff);
	for (unsigned n = 0; n < 3; n++)
		check_eq(vpa_on(n), H_SUCCESS, "vpa");
}

#endif
