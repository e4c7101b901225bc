/* A guest whose cycles, or calls, cost the host as much as it can make them, in the way that a letter from the console
 * says; a capital has all processors do it. It never ends by itself: latency.py sees how soon cede is there for its
 * user. */
#include "lib.h"

#define PAGE 4096
#define AREA 0x8000000ull		/* 64 MiB from there on are nobody's */
#define BIG  0x4000000ull
#define H_PAGE_INIT     0x2c
#define H_LOGICAL_MEMOP 0xf001
#define H_UPDATE_DT     0xf003
#define H_VOF_CLIENT    0xf005

static char letter(void)
{
	u64 out[9];

	do
		hcall_out(out, H_GET_TERM_CHAR, VTY);
	while (!out[0]);
	return (char)(out[1] >> 56);
}

/* ---- Code that stores into itself, in a page that is full of blocks ---- */

static u32 pages[MAX_CPUS][PAGE / 4] __attribute__((aligned(PAGE)));
extern char loop_begin[];
__asm__(".text\nloop_begin: stw 5,0(4)\n b 1f\n 1: nop\n bdnz loop_begin\n blr\n");

static void run_page(u32 *page, unsigned from, u64 times)
{
	__asm__ volatile("mtctr %0; mtlr %1; mr 4,%2; lwz 5,0(4); blrl"
			 : : "r"(times), "r"(page + from), "r"(page + 1021) : "memory", "4", "5", "lr", "ctr");
}

static void store_into_code(struct cpu *c)
{
	u32 *page = pages[c->index];

	for (unsigned i = 0; i < 1024; i++)
		put_insn(page + i, 0x60000000);
	for (unsigned i = 0; i < 5; i++)
		put_insn(page + 1019 + i, ((u32 *)loop_begin)[i]);
	for (unsigned mode = 0; mode < 4; mode++) {
		mtmsrd(OUR_MSR | (mode & 1 ? MSR_FP : 0) | (mode & 2 ? MSR_VEC : 0));
		for (unsigned i = 0; i < 1018; i++)
			run_page(page, i, 1);
	}
	mtmsrd(OUR_MSR);
	print("busy\n");
	for (;;)
		run_page(page, 1019, ~0ull);
}

/* ---- A device tree with 20,000 properties ---- */

#define STRUCT_AT 56
#define STRINGS   0x3e000
#define SIZE      0x7e000

static u8 blob[0x80000] __attribute__((aligned(PAGE)));
static u32 *w;
static u32 cells[12];

static void cell(u32 v) { *w++ = be32(v); }

static void client(const char *name, const u32 *args, unsigned n)
{
	cells[0] = be32((u32)(u64)name);
	cells[1] = be32(n);
	cells[2] = be32(1);
	for (unsigned i = 0; i < n; i++)
		cells[3 + i] = be32(args[i]);
	hcall(H_VOF_CLIENT, (u64)cells);
}

static void change_tree(struct cpu *c)
{
	static const u32 head[] = { 0xd00dfeed, SIZE, STRUCT_AT, STRINGS, 40, 17, 16, 0, SIZE - STRINGS, 0 };
	const u32 setprop[] = { 1, (u32)(u64)"zz", (u32)(u64)blob, 4 };

	(void)c;
	w = (u32 *)blob;
	for (unsigned i = 0; i < 10; i++)
		cell(head[i]);
	w = (u32 *)(blob + STRUCT_AT);
	cell(1), cell(0);
	cell(3), cell(4), cell(SIZE - STRINGS - 8), cell(1);	/* phandle = 1 */
	while ((u8 *)w < blob + STRINGS - 32)
		cell(3), cell(0), cell(0);
	cell(2), cell(9);
	((u32 *)blob)[9] = be32((u32)((u8 *)w - blob - STRUCT_AT));
	memset(blob + STRINGS, 'a', SIZE - STRINGS);
	blob[STRINGS + 3] = 0;
	memcpy(blob + SIZE - 9, "\0phandle\0", 9);
	if (hcall(H_UPDATE_DT, (u64)blob)) {
		print("refused\n");
		return;
	}
	client("peer", (const u32[]){ 0 }, 1);
	print("busy\n");
	for (;;)
		client("setprop", setprop, 4);
}

/* ---- And the rest ---- */

static void flush_everywhere(struct cpu *c)
{
	hcall(H_REGISTER_PROC_TBL, 0x1d, AREA, 0, 0);		/* radix, and tlbie is ours */
	print("busy\n");
	for (u64 ea = c->index << 12;; ea += 0x1000)
		__asm__ volatile("tlbie %0,%1,0,1,1; tlbie %2,%1,2,1,1; lwz 6,0(%3)"
				 : : "r"(ea), "r"(0ull), "r"(3ull << 10), "r"(pages[c->index]) : "memory", "6");
}

static void copy_memory(struct cpu *c)
{
	print("busy\n");
	for (;;)
		hcall(H_LOGICAL_MEMOP, AREA + c->index, AREA, 0, BIG, 1);
}

static void clear_code(struct cpu *c)
{
	u32 *page = pages[c->index];

	print("busy\n");
	for (;;) {
		put_insn(page, 0x4e800020);
		((void (*)(void))page)();
		hcall(H_PAGE_INIT, PPC_BIT(48), (u64)page, 0);
	}
}

static void just_call(struct cpu *c)
{
	(void)c;
	print("busy\n");
	for (;;)
		hcall(H_RANDOM);
}

/* Dear by their arithmetic, in a chain of blocks that nothing but the end of its time leaves. */
static void calculate(struct cpu *c)
{
	(void)c;
	mtmsrd(OUR_MSR | MSR_FP | MSR_VEC | MSR_VSX);
	print("busy\n");
	__asm__ volatile("xxspltib 34,63; xxspltib 35,62\n"
			 "1: xssqrtqp 4,2; xsdivqp 5,2,3; xsrqpi 0,6,2,0; xssqrtqp 7,3; xsdivqp 8,3,2; b 1b" : : : "memory");
}

static void walk_memory(struct cpu *c)
{
	print("busy\n");
	for (u64 at = 0;; at = (at + 0x1000) & (BIG - 1))
		__asm__ volatile("dcbz 0,%0; dcbz %1,%0" : : "r"(AREA + at), "r"(c->index << 7) : "memory");
}

/* Looks for keys all the time, at a tenth of a second of the host's for each time that cede does. */
static void take_keys(struct cpu *c)
{
	u64 out[9];

	(void)c;
	print("busy\n");
	for (;;) {
		hcall_out(out, H_GET_TERM_CHAR, VTY);
		if (out[0])
			print("%u keys at %u\n", (unsigned)out[0], (unsigned)(mftb() % 500000));
		hcall(H_LOGICAL_MEMOP, AREA, AREA + 0x80000, 0, 0x80000, 1);
	}
}

static const struct way {
	char letter;
	void (*run)(struct cpu *c);
} ways[] = {
	{ 's', store_into_code }, { 't', change_tree }, { 'i', flush_everywhere }, { 'm', copy_memory }, { 'p', clear_code },
	{ 'c', just_call }, { 'q', calculate }, { 'w', walk_memory }, { 'k', take_keys },
};

void test(void)
{
	char key;

	print("ready\n");
	key = letter();
	for (unsigned i = 0; i < sizeof ways / sizeof ways[0]; i++) {
		if (ways[i].letter != (key | 0x20))
			continue;
		for (unsigned n = 1; n < MAX_CPUS && !(key & 0x20); n++)
			start_cpu(n, ways[i].run);
		ways[i].run(this_cpu());
	}
}
