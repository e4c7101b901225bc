/* Cycles of the loops of probes.def and of a ladder of footprints, by PMC6: a line "probe NAME THOUSANDTHS" each. For the
 * bench of timing models: tests/bench/timing/probes.py runs it and judges. */
#include "lib.h"

#define CODE(name, text) \
	__asm__(".text\n.machine push\n.machine power9\n.balign 128\n.globl p_" #name "\np_" #name ":\n" text ".machine pop\n"); \
	void p_##name(u64 rounds, void *with);
#define LOOP(name, before, body, finish, after) \
	CODE(name, "mflr 0\n std 0,16(1)\n" before ".balign 128\n 1:\n" body "addi 3,3,-1\n cmpdi 3,0\n bne 1b\n" finish \
	     "ld 0,16(1)\n mtlr 0\n blr\n" after)
#define ARRANGED LOOP
#include "probes.def"
#undef CODE
#undef LOOP
#undef ARRANGED

#define WALKS (1u << 17)		/* bytes of a row: as NEXT of probes.def has it */
#define DSCR_NO_STREAMS 1
#define ROOM  ((u8 *)(128ull << 20))	/* what a footprint is laid out in */

struct walk {
	u64 at;
	void *place;
	void *unused;
};

static u64 place[32] __attribute__((aligned(128)));
static u8 turns[WALKS], bits[WALKS], fours[WALKS], sixteens[WALKS], period_8[WALKS], skewed[WALKS];

static u64 cycles(void)
{
	return mfspr(792);
}

static u64 elapsed(void (*loop)(u64, void *), u64 rounds, void *with)
{
	u64 start = cycles();

	loop(rounds, with);
	return (cycles() - start) & 0xffffffff;
}

/* Twice the rounds less once: what is around the loop does not count. */
static void measure(const char *name, void (*loop)(u64, void *), u64 rounds, void *with)
{
	u64 once, twice;

	loop(rounds, with);
	once = elapsed(loop, rounds, with);
	twice = elapsed(loop, 2 * rounds, with);
	print("probe %s %u\n", name, (unsigned)((twice - once) * 1000 / rounds));
}

static void measure_walk(const char *name, void (*loop)(u64, void *), u8 *row)
{
	struct walk w = { 0, row, NULL };

	measure(name, loop, WALKS / 8, &w);
}

static u64 draw(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void fill_rows(void)
{
	u64 state = 0x9e3779b97f4a7c15;
	u8 eight[8];

	for (unsigned i = 0; i < 8; i++)
		eight[i] = draw(&state) >> 20 & 3;
	for (unsigned i = 0; i < WALKS; i++) {
		u64 r = draw(&state);

		turns[i] = i & 1;
		bits[i] = r >> 10 & 1;
		fours[i] = r >> 20 & 3;
		sixteens[i] = r >> 30 & 15;
		period_8[i] = eight[i % 8];
		skewed[i] = (r >> 40) % 10 ? 0 : 1 + (r >> 50) % 3;
	}
}

/* Loads that wait for each other, from each line of a footprint in turn: golden sections of it apart, so that no two that
 * are near in time are near in memory. */
static u64 common(u64 a, u64 b)
{
	return b ? common(b, a % b) : a;
}

static void ladder(u64 kib)
{
	u64 lines = kib * 8, step = (lines * 39 / 63) | 1, rounds = lines / 8, start;
	struct walk w = { 0, ROOM, NULL };

	while (common(lines, step) != 1)
		step += 2;
	for (u64 i = 0, at = 0; i < lines; i++) {
		u64 next = at + step >= lines ? at + step - lines : at + step;

		*(u8 **)(ROOM + at * 128) = ROOM + next * 128;
		at = next;
	}
	/* Where what came first leaves first, more lines than there is room for all miss, unless they were there in another order
	 * before. */
	for (u64 i = 0; i < lines; i++)
		__asm__ volatile("dcbf 0,%0" : : "r"(ROOM + i * 128) : "memory");
	p_ld_chain(2 * rounds, &w);
	if (rounds < 1024)
		rounds = 1024;
	start = cycles();
	p_ld_chain(rounds, &w);
	print("ladder %u %u\n", (unsigned)kib, (unsigned)(((cycles() - start) & 0xffffffff) * 125 / rounds));
}

static void measure_walks(void)
{
	static const struct {
		const char *name;
		void (*loop)(u64, void *);
		u8 *row;
	} walks[] = {
		{ "direction_turns", p_direction, turns }, { "direction_random", p_direction, bits },
		{ "return_blr", p_return_blr, bits }, { "return_bctr", p_return_bctr, bits },
		{ "return_unpaired", p_return_unpaired, bits },
		{ "dispatch_4", p_dispatch, fours }, { "dispatch_16", p_dispatch, sixteens },
		{ "dispatch_period_8", p_dispatch, period_8 }, { "dispatch_skewed", p_dispatch, skewed },
		{ "compares_4", p_compares, fours }, { "compares_period_8", p_compares, period_8 },
		{ "compares_skewed", p_compares, skewed },
	};

	fill_rows();
	for (unsigned i = 0; i < sizeof walks / sizeof walks[0]; i++)
		measure_walk(walks[i].name, walks[i].loop, walks[i].row);
}

static void measure_memory(void)
{
	static const u16 tenths[] = { 10, 13, 15, 18 };
	struct walk w = { 0, ROOM, NULL };

	measure("stream", p_stream, 32768, &w);
	mtspr(17, DSCR_NO_STREAMS);
	for (u64 kib = 8; kib <= 131072; kib *= 2)
		for (unsigned i = 0; i < sizeof tenths / sizeof tenths[0]; i++)
			if (kib < 131072 || !i)
				ladder(kib * tenths[i] / 10);
	ladder(10 << 10);	/* POWER9's L3 */
}

void test(void)
{
	static const struct {
		const char *name;
		void (*loop)(u64, void *);
	} rows[] = {
#define CODE(name, text) { #name, p_##name },
#define LOOP(name, before, body, finish, after) { #name, p_##name },
#define ARRANGED(name, before, body, finish, after)
#include "probes.def"
	};
	struct walk w = { 0, place, NULL };

	mtmsrd(mfmsr() | MSR_FP | MSR_VEC | MSR_VSX);
	mtspr(152, 1);
	mtspr(795, 0);
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
		measure(rows[i].name, rows[i].loop, 1000, place);
	measure("nops_far", p_nops_far, 10, NULL);
	place[0] = (u64)place;
	measure("ld_chain", p_ld_chain, 1000, &w);
	measure_walks();
	measure_memory();
	check(true, "measured");
	done();
}
