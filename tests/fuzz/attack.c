/* Guest programs that mean harm, from a seed: the same whatever compiles this, so no expression draws twice where their
 * order is the compiler's choice.
 *
 * All programs share a frame: every interrupt vector leads back into the code area, after a
 * fault to the next instruction, in whatever mode that had. So a program goes on after each
 * fault, until its cycles are used up. */
#include "tests/fuzz/attack.h"

#include <stdlib.h>
#include <string.h>

#include <libfdt.h>

#include "cpu/core/timebase.h"
#include "cpu/engine/decode.h"
#include "cpu/engine/tlb.h"
#include "firmware/fdt.h"
#include "hcall/hcall.h"
#include "machine/rtas/rtas.h"

const char *const attack_name[ATTACK_KINDS] = { "words", "insns", "radix", "hash", "hcalls" };

/* Guest real addresses of what the programs play with. */
#define SCRATCH   UINT64_C(0x080000)	/* 64 KiB of data */
#define BLOCKS    UINT64_C(0x0c0000)	/* argument blocks of RTAS and client calls, 64 bytes each */
#define NBLOCKS   256
#define STRINGS   UINT64_C(0x0e0000)	/* names of services, methods, properties, paths; 64 bytes each */
#define TREE_BLOB UINT64_C(0x0f0000)	/* a device tree, possibly broken; 64 KiB */
#define PROC_TBL  UINT64_C(0x200000)
#define ROOT      UINT64_C(0x210000)	/* 2^13 entries */
#define LEVEL1    UINT64_C(0x220000)
#define LEVEL2    UINT64_C(0x221000)
#define LEVEL3    UINT64_C(0x222000)
#define CAS_VECTOR UINT64_C(0x0e8000)

struct attack {
	struct machine *m;
	struct rng *rng;
	enum attack_kind kind;
	bool le;		/* the byte order that code is written in */
	uint64_t at;		/* where the next word goes */
	uint32_t phandle[64];	/* of the machine's tree */
	unsigned phandles;
};

/* ---- Numbers worth trying ---- */

static uint64_t edge_offset(struct rng *rng)
{
	static const int16_t offsets[] = { 0, 0, 0, 0, -1, 1, -2, 4, -4, -7, 8, -8, -15, 16, -16, -128, 128, -4096, 4096 };

	return (uint64_t)(int64_t)offsets[rng_below(rng, ARRAY_SIZE(offsets))];
}

static uint64_t address(struct attack *a)
{
	struct rng *rng = a->rng;
	uint64_t base;

	switch (rng_below(rng, 12)) {
	case 0: base = a->m->ram.size; break;
	case 1: base = CODE_BASE + rng_below(rng, (uint32_t)CODE_SIZE); break;
	case 2: base = CODE_BASE + (rng_below(rng, (uint32_t)CODE_SIZE) & ~4095u); break;
	case 3: base = PROC_TBL + (rng_below(rng, 0x40000) & ~7u); break;
	case 4: base = 0; break;
	case 5: base = UINT64_C(1) << rng_below(rng, 64); break;
	case 6: base = rng_below(rng, (uint32_t)a->m->ram.size) & ~4095u; break;
	case 7: base = BLOCKS + 64 * rng_below(rng, NBLOCKS); break;
	case 8: base = a->at; break;
	default: base = SCRATCH + rng_below(rng, 0x10000); break;
	}
	if (rng_one_in(rng, 8))
		base |= UINT64_C(0xc) << 60;
	return base + edge_offset(rng);
}

static uint64_t number(struct attack *a)
{
	struct rng *rng = a->rng;

	switch (rng_below(rng, 8)) {
	case 0: return rng_u64(rng);
	case 1: return UINT64_C(1) << rng_below(rng, 64);
	case 2: return ~UINT64_C(0) << rng_below(rng, 64);
	case 3: return (uint64_t)-1 - rng_below(rng, 4);
	case 4: return rng_below(rng, 0x2000);
	case 5: return address(a);
	default: return rng_below(rng, 10);
	}
}

/* ---- A small assembler ---- */

static void put(struct attack *a, uint32_t word)
{
	if (a->le)
		word = __builtin_bswap32(word);
	st_be32(&a->m->ram, a->at, word);
	a->at += 4;
}

/* Of a prefixed one the prefix first; wherever it lies. */
static void put_insn(struct attack *a, uint64_t insn)
{
	if (is_prefixed(insn))
		put(a, (uint32_t)(insn >> 32));
	put(a, (uint32_t)insn);
}

#define INSN_D(op, rt, ra, imm) ((uint32_t)(op) << 26 | (uint32_t)(rt) << 21 | (uint32_t)(ra) << 16 | (uint16_t)(imm))
#define SPR_WORD(xo, reg, spr) (31u << 26 | (uint32_t)(reg) << 21 | ((spr) & 31u) << 16 | (uint32_t)(spr) >> 5 << 11 | (xo) << 1)
#define MFSPR(reg, spr) SPR_WORD(339u, reg, spr)
#define MTSPR(spr, reg) SPR_WORD(467u, reg, spr)
#define SC_HYPERCALL 0x44000022u
#define RFID         0x4c000024u
#define MTMSRD(reg)  (0x7c000164u | (uint32_t)(reg) << 21)

/* lis, ori, sldi 32, oris, ori. */
static void put_li(struct attack *a, unsigned reg, uint64_t v)
{
	put(a, INSN_D(15, reg, 0, v >> 48));
	put(a, INSN_D(24, reg, reg, v >> 32));
	put(a, 0x780007c6u | reg << 21 | reg << 16);
	put(a, INSN_D(25, reg, reg, v >> 16));
	put(a, INSN_D(24, reg, reg, v));
}

/* Interrupt handler: on at (SRR0 + 4) modulo the code area. Clobbers r31. */
static void put_handler(struct attack *a, uint64_t at)
{
	a->at = at;
	put(a, MFSPR(31, 26));
	put(a, INSN_D(14, 31, 31, 4));
	put(a, 0x57ff043au);				/* rlwinm r31,r31,0,16,29 */
	put(a, INSN_D(25, 31, 31, CODE_BASE >> 16));
	put(a, MTSPR(26, 31));
	put(a, RFID);
}

/* What comes from outside must not come again at once, or nothing else would ever run: the
 * decrementer gets a new time, for the others MSR[EE] is switched off. */
static void put_async_handler(struct attack *a, uint64_t vector, uint64_t at)
{
	a->at = at;
	if (vector == VEC_DECREMENTER) {
		put(a, MFSPR(31, 268));
		put(a, 0x57ff053eu);			/* rlwinm r31,r31,0,20,31 */
		put(a, INSN_D(24, 31, 31, 0x40));
		put(a, MTSPR(22, 31));
	} else {
		put(a, MFSPR(31, 27));
		put(a, 0x7bff8042u);			/* rldicl r31,r31,48,1 */
		put(a, 0x7bff8000u);			/* rotldi r31,r31,16 */
		put(a, MTSPR(27, 31));
	}
	put(a, RFID);
}

static void put_vectors(struct attack *a)
{
	static const uint16_t async[] = { VEC_EXTERNAL, VEC_DECREMENTER, VEC_DOORBELL, VEC_PERFMON };

	for (uint64_t v = 0x100; v < 0x1000; v += 0x20) {
		if (v % 0x80 && v != 0xf20 && v != 0xf40 && v != 0xf60)
			continue;
		put_handler(a, v);
		put_handler(a, v + 0x4000);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(async); i++) {
		put_async_handler(a, async[i], async[i]);
		put_async_handler(a, async[i], async[i] + UINT64_C(0x4000));
	}
	for (unsigned lev = 0; lev < 128; lev++) {
		a->at = 0x17000 + 0x20 * lev;
		put(a, 0x4c0000a4u);			/* rfscv */
		a->at = 0x3000 + 0x20 * lev;
		put(a, 0x4c0000a4u);
	}
}

/* ---- Programs of single instructions ---- */

static const uint16_t spr_numbers[] = {
#define SPR(number, name, on, problem, privileged, read, write, field, facility) number,
#include "cpu/table/spr.def"
#undef SPR
};

/* The registers that addresses are loaded into. */
#define ADDRESS_REGS 8

/* Of any row: a word, or prefix and suffix. */
static uint64_t random_row_word(struct attack *a)
{
	/* mfspr and mtspr more often than two rows of many hundred. */
	const struct insn *insn = rng_one_in(a->rng, 16) ? insn_lookup(rng_one_in(a->rng, 2) ? MFSPR(0, 1) : MTSPR(1, 0))
							 : &insns[rng_below(a->rng, ninsns)];
	uint64_t bits = decode_operand_bits(insn), word = insn->match | (rng_u64(a->rng) & bits);

	/* Where the mask leaves a bit to nobody, a guest may set it all the same. */
	if (rng_one_in(a->rng, 16))
		word |= rng_u64(a->rng) & ~insn->mask;
	if (strstr(insn->operands, "RA0") || strstr(insn->operands, "RA,RB")) {
		word = (word & ~(UINT64_C(31) << 16)) | (1 + rng_below(a->rng, ADDRESS_REGS)) << 16;
		if (is_prefixed(word) && rng_one_in(a->rng, 2))		/* near that, or near itself */
			word &= ~(UINT64_C(0x3ffff) << 32);
		if (is_prefixed(word) && word & INSN_R && !rng_one_in(a->rng, 8))
			word &= ~(UINT64_C(31) << 16);
		if (strstr(insn->operands, "RB") && !rng_one_in(a->rng, 4))
			word = (word & ~(UINT64_C(31) << 11)) | (20 + rng_below(a->rng, 2)) << 11;
	}
	/* One number in ten is a register. */
	if (strstr(insn->operands, "SPR") && !rng_one_in(a->rng, 8)) {
		uint16_t spr = spr_numbers[rng_below(a->rng, ARRAY_SIZE(spr_numbers))];

		word = (word & ~UINT64_C(0x1ff800)) | (SPR_WORD(0, 0, spr) & 0x1ff800u);
	}
	/* Stay near: a jump far away ends the attack. */
	if (strstr(insn->operands, "LI"))
		word = insn->match | (word & 0x3fcu) | (rng_one_in(a->rng, 2) ? 0 : 0x03fffc00u);
	if (strstr(insn->operands, "BD")) {
		word = (word & ~UINT64_C(0xfffc)) | (rng_below(a->rng, 128) * 4 & 0x1fc);
		word |= rng_one_in(a->rng, 2) ? 0 : 0xfe00u;
	}
	return word;
}

static bool hypercall_word(uint64_t word)
{
	return word >> 26 == 17;
}

static void put_context(struct attack *a)
{
	static const uint16_t sprs[] = { 8, 9, 815, 26, 27, 22, 29, 13, 61, 48, 153, 3, 256, 1, 795, 779, 806, 805, 152, 157 };
	uint64_t v = rng_one_in(a->rng, 2) ? address(a) : number(a);
	unsigned spr = sprs[rng_below(a->rng, ARRAY_SIZE(sprs))];

	if (spr == 8 || spr == 9 || spr == 26)
		v = CODE_BASE + rng_below(a->rng, (uint32_t)CODE_SIZE);
	if (spr == 22)
		v = rng_below(a->rng, 2000);
	put_li(a, 19, v);
	put(a, MTSPR(spr, 19));
}

/* What the clocks say is kept in memory, so that it counts at the end. */
static void put_clock(struct attack *a)
{
	static const uint16_t clocks[] = { 268, 269, 22, 308, 309, 849 };
	uint16_t clock;

	put_li(a, 18, SCRATCH + rng_below(a->rng, 0x2000) * 8);
	for (unsigned n = rng_below(a->rng, 4); n; n--)
		put_insn(a, random_row_word(a));
	clock = clocks[rng_below(a->rng, ARRAY_SIZE(clocks))];
	put(a, MFSPR(19, clock));
	put(a, 0xfa720000u);				/* std r19,0(r18) */
}

static uint64_t random_msr(struct attack *a)
{
	uint64_t msr = MSR_ME | (a->le ? MSR_LE : 0);

	if (!rng_one_in(a->rng, 4))
		msr |= MSR_SF;
	if (!rng_one_in(a->rng, 8))
		msr |= MSR_FP;
	if (!rng_one_in(a->rng, 8))
		msr |= MSR_VEC | MSR_VSX;
	if (rng_one_in(a->rng, 2))
		msr |= MSR_EE;
	if (rng_one_in(a->rng, 4))
		msr |= MSR_FE0 | MSR_FE1;
	if (rng_one_in(a->rng, 16))
		msr |= MSR_SE;
	if (a->kind == ATTACK_RADIX || a->kind == ATTACK_HASH) {
		msr |= rng_one_in(a->rng, 8) ? MSR_DR : MSR_IR | MSR_DR;
		if (rng_one_in(a->rng, 3))
			msr |= MSR_PR;
	}
	return msr;
}

static void put_insns(struct attack *a)
{
	while (a->at < CODE_BASE + CODE_SIZE - 64) {
		uint32_t word, reg;

		switch (rng_below(a->rng, 16)) {
		case 0:
			reg = 1 + rng_below(a->rng, ADDRESS_REGS);
			put_li(a, reg, address(a));
			break;
		case 1:
			reg = 20 + rng_below(a->rng, 2);
			put_li(a, reg, number(a) & 0xffff);
			break;
		case 2:
			if (rng_one_in(a->rng, 3))
				put_clock(a);
			else
				put_context(a);
			break;
		case 3:
			if (rng_one_in(a->rng, 4)) {
				put_li(a, 19, random_msr(a));
				put(a, MTMSRD(19));
			}
			break;
		default:
			word = random_row_word(a);
			if (!hypercall_word(word) || rng_one_in(a->rng, 8))
				put_insn(a, word);
		}
	}
}

static void put_words(struct attack *a)
{
	while (a->at < CODE_BASE + CODE_SIZE)
		put(a, (uint32_t)rng_u64(a->rng));
}

/* ---- A radix tree that maps RAM to itself in quadrants 0 and 3, with some entries broken ---- */

#define PDE_V UINT64_C(0x8000000000000000)
#define PDE_L UINT64_C(0x4000000000000000)

static uint64_t broken(struct attack *a, uint64_t entry)
{
	struct rng *rng = a->rng;

	switch (rng_below(rng, 7)) {
	case 0: return rng_u64(rng);
	case 1: return entry ^ UINT64_C(1) << rng_below(rng, 64);
	case 2: return entry ^ PDE_L;
	case 3:
		entry = PDE_V | (address(a) & ~UINT64_C(0xff));
		return entry | rng_below(rng, 32);
	case 4: return PDE_V | LEVEL2 | 9;
	case 5: return PDE_V | PDE_L | (a->m->ram.size - 0x1000) | 0x18f;
	default: return 0;
	}
}

static void put_entry(struct attack *a, uint64_t at, uint64_t entry, uint32_t one_broken_in)
{
	st_be64(&a->m->ram, at, one_broken_in && rng_one_in(a->rng, one_broken_in) ? broken(a, entry) : entry);
}

static uint64_t leaf(struct attack *a, uint64_t addr)
{
	uint64_t attributes = rng_one_in(a->rng, 4) ? rng_below(a->rng, 512) : 0x187 | rng_below(a->rng, 2) << 3;

	return PDE_V | PDE_L | addr | attributes;
}

static void put_tree(struct attack *a)
{
	static const uint64_t prte = UINT64_C(0x40000000000000a0) | ROOT | 13;
	struct rng *rng = a->rng;

	for (unsigned pid = 0; pid < 8; pid++)
		put_entry(a, PROC_TBL + 16 * pid, prte, pid ? 4 : 0);
	for (unsigned i = 0; i < 32; i++)
		put_entry(a, ROOT + 8 * i, PDE_V | LEVEL1 | 9, i ? 4 : 0);
	for (unsigned i = 0; i < 64; i++)
		put_entry(a, LEVEL1 + 8 * i, i % 4 ? leaf(a, 0) : PDE_V | LEVEL2 | 9, i ? 8 : 0);
	for (unsigned i = 0; i < 512; i++)
		put_entry(a, LEVEL2 + 8 * i, leaf(a, (uint64_t)i << 21), i ? 8 : 0);
	put_entry(a, LEVEL2, PDE_V | LEVEL3 | 9, 0);
	for (unsigned i = 0; i < 512; i++) {
		bool vital = i < 0x20 || (i >= CODE_BASE >> 12 && i < (CODE_BASE + CODE_SIZE) >> 12);

		put_entry(a, LEVEL3 + 8 * i, vital ? PDE_V | PDE_L | (uint64_t)i << 12 | 0x187 : leaf(a, (uint64_t)i << 12),
			  vital ? 64 : 8);
	}
	for (unsigned i = 0; i < a->m->ncpus; i++) {
		struct cpu *cpu = &a->m->cpu[i]->cpu;

		cpu->proc_tbl = PROC_TBL | rng_below(rng, 4);
		if (rng_one_in(rng, 8))
			cpu->proc_tbl ^= UINT64_C(1) << rng_below(rng, 60);
		cpu->lpcr |= LPCR_HR | LPCR_UPRT | LPCR_GTSE | (rng_one_in(rng, 2) ? LPCR_AIL : 0);
	}
}

#define SEGMENT (UINT64_C(1) << 12 | 0x110)	/* of 64 KiB pages */
#define MAPPED  (UINT64_C(32) << 20)

/* What is vital where it is, the rest there or elsewhere, with any protection; other segments on top. */
static void put_table(struct attack *a)
{
	struct hpt *hpt = &a->m->hpt;
	struct rng *rng = a->rng;

	for (uint64_t ra = 0; ra < MAPPED; ra += 0x10000) {
		bool vital = ra < 0x20000 || (ra >= CODE_BASE && ra < CODE_BASE + CODE_SIZE);
		uint64_t at = (hpt_hash(SEGMENT, ra, 16) & hpt_group_mask(hpt)) * HPTEG_ENTRIES;
		uint64_t r = ra | 0x1000 | HPTE_M | 2;

		if (!vital && rng_one_in(rng, 8))
			continue;
		if (!vital && rng_one_in(rng, 4))
			r = broken(a, r);
		while (hpt->entry[at].v & HPTE_V)
			at++;
		hpt_put(hpt, at, (SEGMENT & ~UINT64_C(0xfff)) | (ra >> 16 & HPTE_AVPN) | HPTE_L | HPTE_V, r);
	}
	for (unsigned i = 0; i < a->m->ncpus; i++) {
		struct cpu *cpu = &a->m->cpu[i]->cpu;

		for (unsigned n = 0; n < SLB_ENTRIES; n++)
			cpu->slb[n] = (struct slb_entry){ (uint64_t)rng_below(rng, 16) << 28 | (rng_one_in(rng, 3) ? PPC_BIT(36) : 0),
							  (uint64_t)(1 + rng_below(rng, 3)) << 12 | (uint64_t)rng_below(rng, 4) << 10 | (rng_one_in(rng, 2) ? 0x110 : 0) };
		cpu->slb[0] = (struct slb_entry){ PPC_BIT(36), SEGMENT };
		cpu->lpcr |= rng_one_in(rng, 2) ? LPCR_AIL : 0;
	}
}

/* ---- Hypercalls ---- */

static const uint16_t hcall_numbers[] = {
#define HCALL(name, number, in, out, set, section) number,
#define HCALL_PRIVATE(name, number, in, out) number, number, number,
#include "hcall/hcall.def"
#undef HCALL
#undef HCALL_PRIVATE
};

static const uint8_t rtas_tokens[] = {
#define RTAS(id, name, token, min, max, nret) token,
#include "machine/rtas/rtas.def"
#undef RTAS
};

/* What a call's arguments are, a letter each: p phandle, i ihandle, s string, b buffer, l length,
 * x code, c processor, q interrupt source, g alignment, y system parameter, n number; of connectors: d index, k kind of
 * indicator, t state, w work area. */
struct shape {
	const char *name, *args;
	uint8_t nret;
};

static const struct shape services[] = {
	{ "getprop", "psbl", 1 }, { "nextprop", "psb", 1 }, { "getproplen", "ps", 1 }, { "peer", "p", 1 },
	{ "child", "p", 1 }, { "parent", "p", 1 }, { "package-to-path", "pbl", 1 }, { "write", "ibl", 1 },
	{ "finddevice", "s", 1 }, { "setprop", "psbl", 1 }, { "claim", "blg", 1 }, { "claim", "nlg", 1 },
	{ "release", "bl", 0 }, { "open", "s", 1 }, { "close", "i", 0 }, { "read", "ibl", 1 },
	{ "instance-to-path", "ibl", 1 }, { "instance-to-package", "i", 1 }, { "call-method", "sib", 2 },
	{ "test-method", "ps", 1 }, { "interpret", "sn", 1 }, { "test", "s", 1 }, { "milliseconds", "", 1 },
	{ "quiesce", "", 0 }, { "seek", "inn", 1 },
	/* rarely: */ { "exit", "", 0 }, { "enter", "", 0 }, { "boot", "s", 0 },
};

static const char *rtas_args(unsigned token)
{
	switch (token) {
	case 0x05: return "c";
	case 0x06: return "cxn";
	case 0x08: return "ybl";
	case 0x0a: return "qcl";
	case 0x0b: case 0x0c: case 0x0d: return "q";
	case 0x0e: return "nnnnbl";
	case 0x12: case 0x13: return "lbl";
	case 0x1a: return "kdt";
	case 0x1d: return "kd";
	case 0x1e: return "wt";
	case 0x2b: return "xx";
	default: return "nlnlnln";
	}
}

static const uint8_t rtas_shapes[][2] = {
#define RTAS(id, name, token, min, max, nret) { max, nret },
#include "machine/rtas/rtas.def"
#undef RTAS
};

static const char *const words[] = {
	"/", "/chosen", "/memory@0", "/vdevice", "/vdevice/vty@71000000", "/VDEVICE/vty@71000000:xx", "/cpus", "/rtas", "",
	"name", "reg", "available", "stdout", "linux,phandle", "phandle", "ibm,architecture-vec-5", "@", "//", "/@/:",
	"ibm,client-architecture-support", "instantiate-rtas", "#address-cells", "device_type", "self", "long/x", "self:y",
};

static uint32_t string_address(struct attack *a)
{
	if (rng_one_in(a->rng, 16))
		return (uint32_t)address(a);
	return (uint32_t)(STRINGS + 64 * rng_below(a->rng, ARRAY_SIZE(services) + ARRAY_SIZE(words)));
}

static void put_strings(struct attack *a)
{
	uint64_t at = STRINGS;

	for (unsigned i = 0; i < ARRAY_SIZE(services); i++, at += 64)
		ram_write(&a->m->ram, at, services[i].name, strlen(services[i].name) + 1);
	for (unsigned i = 0; i < ARRAY_SIZE(words); i++, at += 64)
		ram_write(&a->m->ram, at, words[i], strlen(words[i]) + 1);
}

/* Calls that end the machine or a processor would end the attack too: seldom. */
static bool final_token(unsigned token)
{
	return token == 0x03 || token == 0x04 || token == 0x07 || token == 0x1f;
}

/* Slots and cores, and what is near to their numbers. */
static uint32_t connector(struct rng *rng)
{
	static const uint32_t kinds[] = { 0x10000000, 0x40000000, 0x40000000, 0x80000000, 0x20000000 };

	return kinds[rng_below(rng, ARRAY_SIZE(kinds))] + rng_below(rng, rng_one_in(rng, 4) ? 300 : 8) * (rng_one_in(rng, 2) ? 8 : 1);
}

static uint32_t work_area(struct attack *a)
{
	uint32_t at = (uint32_t)(SCRATCH + (rng_below(a->rng, 0xf000) & ~7u));

	st_be32(&a->m->ram, at, connector(a->rng));
	return at;
}

static uint32_t cell(struct attack *a, char what)
{
	struct rng *rng = a->rng;

	if (rng_one_in(rng, 8))
		what = 0;
	switch (what) {
	case 'p': return a->phandles ? a->phandle[rng_below(rng, a->phandles)] : 0;
	case 'i': return rng_below(rng, 5);
	case 's': return (uint32_t)(STRINGS + 64 * rng_below(rng, ARRAY_SIZE(services) + ARRAY_SIZE(words)));
	case 'b':
		if (rng_one_in(rng, 4))
			return (uint32_t)(a->m->ram.size - rng_below(rng, 300));
		return (uint32_t)(rng_one_in(rng, 8) ? CAS_VECTOR : SCRATCH + rng_below(rng, 0x10000));
	case 'l': return rng_below(rng, rng_one_in(rng, 4) ? 0x11000 : 300);
	case 'x': return (uint32_t)(CODE_BASE + (rng_below(rng, (uint32_t)CODE_SIZE) & ~3u));
	case 'c': return rng_below(rng, 5);
	case 'q': return 0x1000 + rng_below(rng, 0x400);
	case 'g': return rng_below(rng, 3) ? UINT32_C(1) << rng_below(rng, 32) : 0;
	case 'd': return connector(rng);
	case 'k': return 9000 + rng_below(rng, 5);
	case 't': return rng_below(rng, 3);
	case 'w': return work_area(a);
	case 'y': return 15 + rng_below(rng, 45);
	default:
		break;
	}
	switch (rng_below(rng, 4)) {
	case 0: return string_address(a);
	case 1: return (uint32_t)number(a);
	case 2: return (uint32_t)(a->m->ram.size - rng_below(rng, 64));
	default: return (uint32_t)address(a);
	}
}

static void put_block(struct attack *a, uint64_t at, bool rtas)
{
	struct rng *rng = a->rng;
	const char *shape;
	uint32_t cells[16] = { 0 };
	unsigned i = rng_below(rng, ARRAY_SIZE(rtas_tokens)), n;

	if (rtas) {
		while (final_token(rtas_tokens[i]) && !rng_one_in(rng, 64))
			i = rng_below(rng, ARRAY_SIZE(rtas_tokens));
		shape = rtas_args(rtas_tokens[i]);
		cells[0] = RTAS_TOKEN_BASE + (rng_one_in(rng, 32) ? rng_below(rng, 0x100) : rtas_tokens[i]);
		cells[1] = rtas_shapes[i][0];
		cells[2] = rtas_shapes[i][1];
	} else {
		i = rng_below(rng, rng_one_in(rng, 64) ? ARRAY_SIZE(services) : ARRAY_SIZE(services) - 2);
		shape = services[i].args;
		cells[0] = rng_one_in(rng, 64) ? string_address(a) : (uint32_t)(STRINGS + 64 * i);
		cells[1] = (uint32_t)strlen(shape);
		cells[2] = services[i].nret;
	}
	for (n = 3; n < 16 && *shape; n++)
		cells[n] = cell(a, *shape++);
	for (; n < 16; n++)
		cells[n] = cell(a, 'n');
	if (!rtas && !strcmp(services[i].name, "call-method") && !rng_one_in(rng, 4)) {
		bool cas = rng_one_in(rng, 2);

		cells[3] = (uint32_t)(STRINGS + 64 * (ARRAY_SIZE(services) + (cas ? 19 : 20)));
		cells[5] = (uint32_t)(cas ? CAS_VECTOR : 0x30000u + rng_below(rng, 0x10000));
	}
	if (rng_one_in(rng, 16))
		cells[1] = rng_below(rng, 20);
	if (rng_one_in(rng, 16))
		cells[2] = rng_below(rng, 20);
	for (n = 0; n < 16; n++)
		st_be32(&a->m->ram, at + 4 * n, cells[n]);
}

/* "finddevice" or "open" of one of the last three words, which are aliases. */
static void put_alias_block(struct attack *a, uint64_t at)
{
	uint32_t service = rng_one_in(a->rng, 2) ? 8 : 13;
	const uint32_t cells[] = {
		(uint32_t)(STRINGS + 64 * service), 1, 1,
		(uint32_t)(STRINGS + 64 * (ARRAY_SIZE(services) + ARRAY_SIZE(words) - 1 - rng_below(a->rng, 3))),
	};

	for (unsigned n = 0; n < ARRAY_SIZE(cells); n++)
		st_be32(&a->m->ram, at + 4 * n, cells[n]);
}

/* A vector that negotiation may accept, then some of it changed. */
static void put_cas_vector(struct attack *a)
{
	uint8_t v[128] = { 0 };
	unsigned n = 0;

	memset(v, 0xff, 4);			/* one PVR: 3.00; then the end of the list */
	memcpy(v + 4, "\x0f\x00\x00\x05", 4);
	memcpy(v + 8, "\x00\x00\x00\x00\xff\xff\xff\xff", 8);
	n = 16;
	v[n++] = 4;				/* five vectors */
	for (unsigned i = 1; i < 5; i++, n += 2)
		v[n] = 0;
	v[n++] = 31;
	v[n + 23] = 0x40;
	for (unsigned i = 0; i < 4 && !rng_one_in(a->rng, 2); i++) {
		uint8_t bit = (uint8_t)(1u << rng_below(a->rng, 8));

		v[rng_below(a->rng, sizeof v)] ^= bit;
	}
	ram_write(&a->m->ram, CAS_VECTOR, v, sizeof v);
}

static void find_phandles(struct attack *a)
{
	const void *fdt = a->m->fdt;

	for (int at = 0; fdt && at >= 0 && a->phandles < ARRAY_SIZE(a->phandle); at = fdt_next_node(fdt, at, NULL))
		if (fdt_get_phandle(fdt, at))
			a->phandle[a->phandles++] = fdt_get_phandle(fdt, at);
}

/* The machine's own tree, as the guest hands it back: with aliases that lead nowhere, and with
 * bits changed. */
static void put_blob(struct attack *a)
{
	enum { ROOM = 0x10000 };
	uint8_t *fdt = malloc(TREE_MAX_SIZE);
	int node;

	if (!fdt || !a->m->fdt || fdt_open_into(a->m->fdt, fdt, TREE_MAX_SIZE) < 0 || fdt_pack(fdt) < 0 ||
	    fdt_open_into(fdt, fdt, ROOM) < 0) {
		free(fdt);
		return;
	}
	node = fdt_path_offset(fdt, "/aliases");
	if (node < 0)
		node = fdt_add_subnode(fdt, 0, "aliases");
	fdt_setprop_string(fdt, node, "self", "self");
	fdt_setprop_string(fdt, node, "long", "/cpus");
	fdt_setprop(fdt, node, "unending", "/cpus", 5);
	if (rng_one_in(a->rng, 2))
		fdt_pack(fdt);
	ram_write(&a->m->ram, TREE_BLOB, fdt, fdt_totalsize(fdt));
	free(fdt);
	if (rng_one_in(a->rng, 2))
		return;
	for (unsigned i = 0; i < 8 && !rng_one_in(a->rng, 3); i++) {
		uint64_t at = TREE_BLOB + rng_below(a->rng, rng_one_in(a->rng, 2) ? 64 : 0x4000);

		st_u8(&a->m->ram, at, ld_u8(&a->m->ram, at) ^ (uint8_t)(1u << rng_below(a->rng, 8)));
	}
}

static uint64_t argument(struct attack *a)
{
	return rng_one_in(a->rng, 2) ? number(a) : rng_one_in(a->rng, 2) ? address(a) & ~UINT64_C(127) : address(a);
}

/* Where a hypercall may write: over the vectors but seldom, for that ends the attack. */
static uint64_t target(struct attack *a)
{
	switch (rng_below(a->rng, 16)) {
	case 0: return argument(a);
	case 1: return CODE_BASE + rng_below(a->rng, (uint32_t)CODE_SIZE);
	case 2: case 3: case 4: return a->m->ram.size - rng_below(a->rng, 0x2000);
	case 5: return a->m->ram.size + edge_offset(a->rng);
	default: return SCRATCH + rng_below(a->rng, 0x10000);
	}
}

static void put_hypercall(struct attack *a)
{
	struct rng *rng = a->rng;
	uint64_t call = hcall_numbers[rng_below(rng, ARRAY_SIZE(hcall_numbers))];

	if (rng_one_in(rng, 32))
		call = number(a);
	for (unsigned reg = 4; reg < 10; reg++)
		if (reg < 8 || rng_one_in(rng, 2))
			put_li(a, reg, argument(a));
	/* Where chance would seldom hit. */
	switch (call) {
	case 0xf000:
		put_li(a, 4, BLOCKS + 64 * 2 * rng_below(rng, NBLOCKS / 2));
		break;
	case 0xf005:
		put_li(a, 4, BLOCKS + 64 + 64 * 2 * rng_below(rng, NBLOCKS / 2));
		break;
	case 0xf001:		/* small copies: the time that large ones take is the host's */
		put_li(a, 4, target(a) & ~UINT64_C(7));
		put_li(a, 5, target(a) & ~UINT64_C(7));
		put_li(a, 6, rng_below(rng, 5));
		put_li(a, 8, rng_below(rng, 2));
		put_li(a, 7, rng_one_in(rng, 64) ? number(a) | 1u << 28 : rng_below(rng, 0x3000));
		break;
	case 0xf002:
		put_li(a, 4, rng_one_in(rng, 4) ? argument(a) : CAS_VECTOR);
		put_li(a, 5, rng_one_in(rng, 2) ? a->m->ram.size - 0x8000 : SCRATCH);
		put_li(a, 6, rng_below(rng, 0x9000));
		break;
	case 0xf003:
		put_li(a, 4, rng_one_in(rng, 8) ? argument(a) : TREE_BLOB);
		break;
	case 0x0dc:
		put_li(a, 4, (uint64_t)rng_below(rng, 8) << 45);
		put_li(a, 5, rng_below(rng, a->m->ncpus));
		put_li(a, 6, (SCRATCH + rng_below(rng, 0x10000)) & ~UINT64_C(127));
		break;
	case 0x31c:
		put_li(a, 4, rng_below(rng, 4));
		put_li(a, 5, rng_below(rng, 6));
		put_li(a, 6, rng_one_in(rng, 2) ? number(a) : 0);
		put_li(a, 7, rng_one_in(rng, 2) ? number(a) : 0);
		break;
	case 0x37c:
		put_li(a, 4, rng_below(rng, 32));
		put_li(a, 5, rng_one_in(rng, 4) ? address(a) & ~UINT64_C(0xfff) : PROC_TBL);
		put_li(a, 6, rng_one_in(rng, 8));
		put_li(a, 7, rng_below(rng, 26));
		break;
	case 0x054: case 0x058: case 0x104:
		put_li(a, 4, rng_one_in(rng, 2) ? 0 : 0x71000000 + rng_below(rng, 3));
		put_li(a, 5, rng_below(rng, 18));
		break;
	case 0x03c: case 0x040: case 0x044: case 0x048:
		put_li(a, 4, UINT64_C(1) << rng_below(rng, 4));
		put_li(a, 5, target(a) & ~UINT64_C(7));
		break;
	case 0x02c:
		put_li(a, 4, (uint64_t)rng_below(rng, 4) << 14);
		put_li(a, 5, target(a) & ~UINT64_C(0xfff));
		put_li(a, 6, target(a) & ~UINT64_C(0xfff));
		break;
	}
	put_li(a, 3, call);
	put(a, SC_HYPERCALL);
	if (call == 0xf003) {		/* and then a path in the tree just given */
		put_li(a, 4, BLOCKS + 64 + 64 * 32 * rng_below(rng, NBLOCKS / 32));
		put_li(a, 3, 0xf005);
		put(a, SC_HYPERCALL);
	}
}

static void put_hypercalls(struct attack *a)
{
	put_strings(a);
	find_phandles(a);
	for (unsigned i = 0; i < NBLOCKS; i++)
		put_block(a, BLOCKS + 64 * i, i % 2 == 0);
	for (unsigned i = 1; i < NBLOCKS; i += 32)
		put_alias_block(a, BLOCKS + 64 * i);
	put_cas_vector(a);
	put_blob(a);
	a->at = CODE_BASE;
	while (a->at < CODE_BASE + CODE_SIZE - 256) {
		put_hypercall(a);
		if (rng_one_in(a->rng, 4)) {
			put_li(a, 19, random_msr(a));
			put(a, MTMSRD(19));
		}
		for (unsigned n = rng_below(a->rng, 4); n; n--) {
			uint64_t word = random_row_word(a);
			const struct insn *insn = insn_lookup(word);

			if (!insn || !(insn->flags & (BRANCH | PRIV)))
				put(a, word);
		}
	}
}

/* ---- All together ---- */

static void prepare_cpu(struct attack *a, struct cpu *cpu)
{
	for (unsigned i = 0; i < 32; i++)
		cpu->r[i] = i && i <= ADDRESS_REGS ? address(a) : number(a);
	for (unsigned i = 0; i < 64; i++) {
		cpu->vsr[i].q = (u128)rng_u64(a->rng) << 64;
		cpu->vsr[i].q |= rng_u64(a->rng);
	}
	cpu->run_state = CPU_RUNNING;
	cpu->nip = CODE_BASE + (rng_below(a->rng, (uint32_t)CODE_SIZE) & ~3u);
	cpu->lr = CODE_BASE;
	cpu->ctr = CODE_BASE + 0x8000;
	if (a->le)
		cpu->lpcr |= LPCR_ILE;
	cpu_set_msr(cpu, random_msr(a));
	cpu_set_dec(cpu, cpu->cycles, rng_below(a->rng, 5000));
	cpu_state_changed(cpu);
}

void attack_prepare(struct machine *m, enum attack_kind kind, struct rng *rng)
{
	struct attack a = { .m = m, .rng = rng, .kind = kind, .le = rng_one_in(rng, 2) };

	for (uint64_t at = SCRATCH; at < SCRATCH + 0x10000; at += 8) {
		uint64_t value = rng_u64(rng);

		st_be64(&m->ram, at, value >> (rng_below(rng, 8) * 8));
	}
	put_vectors(&a);
	a.at = CODE_BASE;
	switch (kind) {
	case ATTACK_WORDS:
		put_words(&a);
		break;
	case ATTACK_HCALLS:
		put_hypercalls(&a);
		break;
	default:
		put_insns(&a);
		break;
	}
	if (kind == ATTACK_RADIX)
		put_tree(&a);
	if (kind == ATTACK_HASH)
		put_table(&a);
	for (unsigned i = 0; i < m->ncpus; i++)
		prepare_cpu(&a, &m->cpu[i]->cpu);
}
