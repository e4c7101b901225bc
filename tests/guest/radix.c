/* Radix trees built by the guest: page sizes, permissions, R and C, faults and their registers,
 * keys, invalidation, pages' edges, problem state, and interrupts taken with translation on.
 * Power ISA 3.0B, Book III, 5.7 and 6.5. All but the probes runs in real mode. */
#include "lib.h"

#define VALID PPC_BIT(0)
#define LEAF  PPC_BIT(1)
#define REF   PPC_BIT(55)
#define CHG   PPC_BIT(56)
#define PRIVILEGED 8ull
#define R 4ull
#define W 2ull
#define X 1ull
#define RWX (R | W | X)

#define NO_PTE  DSISR_BIT(1)
#define NOEXEC  DSISR_BIT(3)
#define PROT    DSISR_BIT(4)
#define STORE   DSISR_BIT(6)
#define CONFIG  DSISR_BIT(12)

/* Where what lies in real memory. */
#define TABLES  0x1000000ull	/* the allocator of tables */
#define FRAMES  0x2000000ull	/* pages to map: 16 of 64 KiB */
#define BIG     0x4000000ull	/* 2 MiB pages: two of them */

/* Where the process sees them. */
#define SMALL_EA 0x40000000ull	/* 4 KiB pages */
#define MID_EA   0x40200000ull	/* 64 KiB pages */
#define LARGE_EA 0x40400000ull	/* 2 MiB pages */
#define HUGE_EA  0x80000000ull	/* a 1 GiB page */
#define CODE_EA  SMALL_EA

#define VIRTUAL (OUR_MSR | MSR_IR | MSR_DR)
#define USER    (VIRTUAL | MSR_PR | MSR_EE)

static u64 next_table = TABLES;
static u64 *roots[4];
static u64 *prtb;

/* ---- Building ---- */

static u64 *table(u64 bytes)
{
	u64 at = (next_table + bytes - 1) & ~(bytes - 1);

	next_table = at + bytes;
	return memset((void *)at, 0, bytes);
}

static u64 entry_of(const u64 *p) { return be64(*(volatile const u64 *)p); }
static void set(u64 *p, u64 v) { *(volatile u64 *)p = be64(v); sync(); }

static u64 *below(u64 *slot, unsigned bits)
{
	u64 e = entry_of(slot);

	if (!(e & VALID)) {
		u64 *t = table(8ull << bits);

		set(slot, VALID | (u64)t | bits);
		return t;
	}
	return (u64 *)(e & 0x0fffffffffffff00ull);
}

/* The slot of the entry that maps ea by a page of 1 << shift. */
static u64 *slot_of(u64 *root, u64 ea, unsigned shift)
{
	u64 *s = &root[ea >> 39 & 0x1fff];

	if (shift == 39)
		return s;
	s = &below(s, 9)[ea >> 30 & 0x1ff];
	if (shift == 30)
		return s;
	s = &below(s, 9)[ea >> 21 & 0x1ff];
	if (shift == 21)
		return s;
	return &below(s, shift == 16 ? 5 : 9)[ea >> shift & (shift == 16 ? 31 : 511)];
}

static u64 *map(u64 *root, u64 ea, u64 ra, unsigned shift, u64 bits)
{
	u64 *s = slot_of(root, ea, shift);

	set(s, VALID | LEAF | ra | bits);
	return s;
}

static u64 *new_root(unsigned pid)
{
	roots[pid] = table(8ull << 13);
	/* Tree size 52 = 31 + 21: bits 1:2 hold 2, bits 56:58 hold 5. */
	set(&prtb[2 * pid], 2ull << 61 | 5ull << 5 | (u64)roots[pid] | 13);
	set(&prtb[2 * pid + 1], 0);
	/* This program where it is, for all but the kernel; the rest of RAM for privileged state. */
	for (u64 ra = 0; ra < 0x8000000; ra += 0x200000)
		map(roots[pid], ra, ra, 21, (ra == 0x400000 && pid ? 0 : PRIVILEGED) | RWX | REF | CHG);
	return roots[pid];
}

/* ---- Invalidating ---- */

#define TLBIE(name, op, ric) \
	static void name(u64 rb, u64 rs) \
	{ \
		__asm__ volatile("ptesync\n\t" op " %0,%1," #ric ",1,1\n\teieio\n\ttlbsync\n\tptesync" : : "r"(rb), "r"(rs) : "memory"); \
	}
TLBIE(tlbie_tlb, "tlbie", 0)
TLBIE(tlbie_pwc, "tlbie", 1)
TLBIE(tlbie_all, "tlbie", 2)
#define TLBIEL(name, ric) \
	static void name(u64 rb, u64 rs) \
	{ \
		__asm__ volatile("ptesync\n\ttlbiel %0,%1," #ric ",1,1\n\tptesync" : : "r"(rb), "r"(rs) : "memory"); \
	}
TLBIEL(tlbiel_tlb, 0)
TLBIEL(tlbiel_all, 2)
#define IS_PID (1ull << 10)
#define IS_ALL (3ull << 10)

static u64 ap(unsigned shift) { return (shift == 12 ? 0ull : shift == 21 ? 1ull : shift == 30 ? 2ull : 5ull) << 5; }

static void flush(u64 ea, unsigned shift) { tlbie_tlb((ea & ~0xfffull) | ap(shift), 1ull << 32); }

/* ---- Accesses ---- */

PROBE(p_ld, "", "ld 4,0(3)", "");
PROBE(p_std, "", "std 4,0(3)", "");
PROBE(p_jump, "mtctr 3", "bctr", "");
PROBE(p_lwz, "", "lwz 4,0(3)", "");
PROBE(p_stw, "", "stw 4,0(3)", "");
PROBE(p_stb, "", "stb 4,0(3)", "");
PROBE(p_sth, "", "sth 4,0(3)", "");
PROBE(p_stdu, "", "stdu 4,8(3)", "");
PROBE(p_ldu, "", "ldu 4,8(3)", "");
PROBE(p_stdx, "li 5,0", "stdx 4,5,3", "");
PROBE(p_ldbrx, "", "ldbrx 4,0,3", "");
PROBE(p_stdbrx, "", "stdbrx 4,0,3", "");
PROBE(p_dcbz, "", "dcbz 0,3", "");
/* As what clears memory has them, r5 for the second: run as one if they are for blocks in a row. */
PROBE(p_clear, "li 6,256\n\tli 7,384\n\tli 8,512\n\tli 9,640\n\tli 10,768\n\tli 11,896",
      "dcbz 0,3\n\tdcbz 5,3\n\tdcbz 3,6\n\tdcbz 7,3\n\tdcbz 8,3\n\tdcbz 3,9\n\tdcbz 10,3\n\tdcbz 11,3", "");
PROBE(p_ldarx, "", "ldarx 4,0,3", "");
PROBE(p_stdcx, "ldarx 5,0,4", "stdcx. 5,0,3", "");
PROBE(p_icbi, "", "icbi 0,3", "");
PROBE(p_dcbst, "", "dcbst 0,3", "");
PROBE(p_dcbt, "", "dcbt 0,3", "");
PROBE(p_lxvd2x, "", "lxvd2x 1,0,3", "");
PROBE(p_stxvd2x, "", "stxvd2x 1,0,3", "");
PROBE(p_stxv, "", "stxv 1,0(3)", "");
PROBE(p_stfd, "", "stfd 1,0(3)", "");
PROBE(p_lfs, "", "lfs 1,0(3)", "");
PROBE(p_stfdp, "", ".long 0xf4430000", "");		/* stfdp f2,0(r3) */
PROBE(p_stmw, "", ".long 0xbfc30000", "");		/* stmw r30,0(r3) */
PROBE(p_stswi, "", ".long 0x7c834daa", "");		/* stswi r4,r3,9 */
PROBE(p_sc1, "li 3,0x68\n\tli 4,0xff", "sc 1", "nop");
PROBE(p_sc, "", "sc", "");
PROBE(p_mfmsr, "", "mfmsr 3", "");
PROBE(p_mtmsrd, "", "mtmsrd 3", "");
PROBE(p_rfid, "", "rfid", "");
PROBE(p_tlbie, "", "tlbie 3,4,0,1,1", "");
PROBE(p_mfdar, "", "mfspr 3,19", "");
PROBE(p_mtdec, "", "mtspr 22,3", "");
PROBE(p_mftb, "", "mftb 3", "");
PROBE(p_mfpvr, "", "mfspr 3,287", "");
PROBE(p_none_user, "", "mfspr 3,480", "");
PROBE(p_lbzcix, "", ".long 0x7c8006aa", "");
PROBE(p_stdcix, "", ".long 0x7c8007ea", "");
PROBE(p_slbiag, "", ".long 0x7c8006a4", "");
PROBE(p_mtdawr, "", "mtspr 180,3", "");
PROBE(p_mtciabr, "", "mtspr 187,3", "");
PROBE(p_mfwort, "", "mfspr 3,895", "");
PROBE(p_none_priv, "", "mfspr 3,1012", "");
PROBE(p_illegal, "", ".long 0", "");
PROBE(p_tar, "", "mfspr 3,815", "");
PROBE(p_dscr, "", "mfspr 3,3", "");
PROBE(p_scv, "", ".long 0x44000001", "");
PROBE(p_fadd, "", "fadd 1,2,3", "");
PROBE(p_slbia, "", "slbia", "");
PROBE(p_msgsndp, "", ".long 0x7c00191c", "");
PROBE(p_mtamr, "", "mtspr 13,3", "mfspr 4,13");

static const struct { const char *code, *at; } access[3] = { { p_ld, p_ld_at }, { p_std, p_std_at }, { p_jump, p_jump_at } };

/* A data access that must fault so. */
static bool data_fault(const char *code, const char *at, u64 msr, u64 ea, u64 dar, u64 dsisr, const char *name)
{
	struct cpu *c = probe(code, msr, ea, 0x5555555555555555);

	if (c->vector == 0x300 && c->srr0 == (u64)at && c->dar == dar && c->dsisr == dsisr)
		return check(true, name);
	print("# vector %x srr0 %x dar %x dsisr %x ", c->vector, c->srr0, c->dar, c->dsisr);
	print("should be 300 %x %x %x\n", (u64)at, dar, dsisr);
	return check(false, name);
}

/* ---- Page sizes ---- */

static void test_sizes(void)
{
	static const struct { u64 ea, ra; unsigned shift; const char *name; } rows[] = {
		{ SMALL_EA + 0x5000, FRAMES + 0x3000, 12, "4K" }, { MID_EA + 0x30000, FRAMES + 0x20000, 16, "64K" },
		{ LARGE_EA, BIG, 21, "2M" }, { HUGE_EA, 0, 30, "1G" },
	};

	for (unsigned i = 0; i < 4; i++) {
		u64 size = 1ull << rows[i].shift, used = size < 0x8000000 ? size : 0x8000000;
		u64 at[3] = { rows[i].shift == 30 ? FRAMES : 0, used / 2 + 8, used - 8 };
		bool ok = true;

		map(roots[1], rows[i].ea, rows[i].ra, rows[i].shift, RWX);
		flush(rows[i].ea, rows[i].shift);
		for (unsigned k = 0; k < 3; k++) {
			volatile u64 *real = (volatile u64 *)(rows[i].ra + at[k]);
			u64 old = *real;
			struct cpu *c;

			*real = 0x1234567800000000ull + k;
			c = probe(p_ld, VIRTUAL, rows[i].ea + at[k]);
			ok &= c->vector == 0xc00 && c->r[4] == 0x1234567800000000ull + k;
			c = probe(p_std, USER, rows[i].ea + at[k], 77 + k);
			ok &= c->vector == 0xc00 && *real == 77 + k;
			*real = old;
		}
		check(ok, rows[i].name);
	}
	/* Beyond RAM: the translation is right, the storage does not exist. */
	check_eq(probe(p_ld, VIRTUAL, HUGE_EA + 0x3ff00000)->vector, 0x200, "1G-beyond-RAM-load");
	check_eq(this_cpu()->dar, HUGE_EA + 0x3ff00000, "1G-beyond-RAM-DAR");
	check_eq(probe(p_std, USER, HUGE_EA + 0x3ff00000, 1)->vector, 0x200, "1G-beyond-RAM-store");
	check_eq(probe(p_jump, VIRTUAL, HUGE_EA + 0x3ff00000)->vector, 0x200, "1G-beyond-RAM-fetch");
	/* Low bits of a large page's address in the entry do not count. */
	map(roots[1], LARGE_EA, BIG | 0x1ff000, 21, RWX);
	flush(LARGE_EA, 21);
	*(volatile u64 *)(BIG + 16) = 4321;
	check_eq(probe(p_ld, VIRTUAL, LARGE_EA + 16)->r[4], 4321, "low-bits-of-RPN");
}

/* ---- Permissions, R and C: all of them ---- */

static void test_permissions(void)
{
	u64 ea = SMALL_EA + 0x6000, ra = FRAMES + 0x6000;
	unsigned wrong = 0;

	put_insn((void *)ra, 0x44000002);	/* sc */
	for (unsigned eaa = 0; eaa < 16; eaa++)
		for (unsigned user = 0; user < 2; user++)
			for (unsigned what = 0; what < 3; what++) {
				u64 *slot = map(roots[1], ea, ra, 12, eaa), need[3] = { R | W, W, X }, bits, after;
				bool allowed = (eaa & need[what]) && !(user && eaa & PRIVILEGED), ok;
				struct cpu *c;

				flush(ea, 12);
				c = probe(access[what].code, user ? USER : VIRTUAL, ea, 0x4400000244000002ull);
				after = entry_of(slot) & (REF | CHG);
				if (allowed) {
					ok = c->vector == 0xc00 && after == (what == 1 ? REF | CHG : REF);
				} else if (what < 2) {
					bits = PROT | (what == 1 ? STORE : 0);
					ok = c->vector == 0x300 && c->dar == ea && c->dsisr == bits && !after &&
					     c->srr0 == (u64)access[what].at;
				} else {
					bits = eaa & PRIVILEGED && user ? PROT : NOEXEC;
					ok = c->vector == 0x400 && c->srr0 == ea && !after &&
					     (c->srr1 & (NO_PTE | NOEXEC | PROT | CONFIG)) == bits;
				}
				if (!ok) {
					print("# eaa %x user %u what %u: ", (u64)eaa, user, what);
					print("vector %x srr0 %x srr1 %x dar %x dsisr %x pte %x\n", c->vector, c->srr0, c->srr1, c->dar,
					      c->dsisr, after);
					wrong++;
				}
			}
	check_eq(wrong, 0, "all-permissions");

	/* C comes with the first store, not before; a load in between must not hide it. */
	u64 *slot = map(roots[1], ea, ra, 12, RWX);

	flush(ea, 12);
	probe(p_ld, VIRTUAL, ea);
	probe(p_ld, VIRTUAL, ea);
	check_eq(entry_of(slot) & (REF | CHG), REF, "loads-set-R");
	probe(p_std, VIRTUAL, ea, 0x4400000244000002ull);
	check_eq(entry_of(slot) & (REF | CHG), REF | CHG, "a-store-sets-C");
	map(roots[1], ea, ra, 12, RWX);
	flush(ea, 12);
	check(entry_of(slot) == (VALID | LEAF | ra | RWX), "cleared");
	probe(p_std, VIRTUAL, ea, 0x4400000244000002ull);
	check_eq(entry_of(slot) & (REF | CHG), REF | CHG, "set-again-after-tlbie");
	map(roots[1], ea, ra, 12, RWX);
	flush(ea, 12);
	probe(p_dcbz, VIRTUAL, ea);
	check_eq(entry_of(slot) & (REF | CHG), REF | CHG, "dcbz-sets-C");
	map(roots[1], ea, ra, 12, RWX);
	flush(ea, 12);
	probe(p_dcbt, VIRTUAL, ea);
	check_eq(probe(p_dcbst, VIRTUAL, ea)->vector, 0xc00, "dcbst");
	check_eq(entry_of(slot) & CHG, 0, "dcbst-leaves-C");
}

/* ---- Faults of the walk ---- */

static void test_walk(void)
{
	u64 ea = 0x8000000000ull * 3;	/* a part of the root of its own */
	u64 *root = roots[1], *l1, *l2, *l3, old;
	struct cpu *c;

	data_fault(p_ld, p_ld_at, VIRTUAL, ea, ea, NO_PTE, "root-invalid-load");
	data_fault(p_std, p_std_at, VIRTUAL, ea, ea, NO_PTE | STORE, "root-invalid-store");
	c = probe(p_jump, VIRTUAL, ea);
	check(c->vector == 0x400 && c->srr0 == ea && (c->srr1 & (NO_PTE | NOEXEC | PROT)) == NO_PTE, "root-invalid-fetch");
	l1 = below(&root[ea >> 39], 9);
	data_fault(p_ld, p_ld_at, VIRTUAL, ea, ea, NO_PTE, "level-1-invalid");
	l2 = below(&l1[0], 9);
	data_fault(p_ld, p_ld_at, VIRTUAL, ea + 7, ea + 7, NO_PTE, "level-2-invalid");
	l3 = below(&l2[0], 9);
	data_fault(p_ld, p_ld_at, VIRTUAL, ea + 7, ea + 7, NO_PTE, "level-3-invalid");
	set(&l3[0], VALID | LEAF | FRAMES | RWX);
	check_eq(probe(p_ld, VIRTUAL, ea)->vector, 0xc00, "no-invalidation-needed-when-it-becomes-valid");
	/* Trees that no POWER9 has. */
	old = entry_of(&root[ea >> 39]);
	set(&root[ea >> 39], (old & ~31ull) | 8);
	tlbie_all(IS_PID, 1ull << 32);
	data_fault(p_ld, p_ld_at, VIRTUAL, ea, ea, CONFIG, "level-1-of-8-bits");
	set(&root[ea >> 39], VALID | LEAF | RWX);
	tlbie_all(IS_PID, 1ull << 32);
	data_fault(p_ld, p_ld_at, VIRTUAL, ea, ea, CONFIG, "leaf-in-the-root");
	/* Tables outside memory. */
	set(&root[ea >> 39], VALID | 0x00ffffffffff0000ull | 9);
	tlbie_all(IS_PID, 1ull << 32);
	data_fault(p_ld, p_ld_at, VIRTUAL, ea, ea, NO_PTE, "table-outside-memory");
	c = probe(p_jump, VIRTUAL, ea);
	check(c->vector == 0x400 && c->srr0 == ea, "table-outside-memory-fetch");
	set(&root[ea >> 39], 0);
	/* A table that is its own next level. */
	set(&root[ea >> 39], VALID | (u64)l1 | 9);
	set(&l1[0], VALID | (u64)l1 | 9);
	tlbie_all(IS_PID, 1ull << 32);
	c = probe(p_ld, VIRTUAL, ea);
	check_eq(c->vector, 0x300, "a-tree-that-bites-its-tail");
	set(&root[ea >> 39], 0);
	tlbie_all(IS_PID, 1ull << 32);
	/* Quadrants that are not ours, and bits that no tree translates. */
	c = probe(p_ld, VIRTUAL, 0x4000000000000000ull);
	check(c->vector == 0x380 && c->dar == 0x4000000000000000ull && c->srr0 == (u64)p_ld_at, "quadrant-1-load");
	c = probe(p_std, VIRTUAL, 0x8000000000000010ull);
	check(c->vector == 0x380 && c->dar == 0x8000000000000010ull, "quadrant-2-store");
	c = probe(p_jump, VIRTUAL, 0x4000000000000000ull);
	check(c->vector == 0x480 && c->srr0 == 0x4000000000000000ull, "quadrant-1-fetch");
	c = probe(p_ld, VIRTUAL, 0x0010000000000000ull);
	check(c->vector == 0x380, "bit-11-of-the-address");
	c = probe(p_jump, VIRTUAL, 0xc010000000000000ull);
	check(c->vector == 0x480, "bit-11-of-the-address-fetch");
	check_eq(probe(p_ld, USER, 0xc000000000000000ull + FRAMES)->vector, 0x300, "the-kernels-quadrant-in-problem-state");
	*(volatile u64 *)FRAMES = 99;
	c = probe(p_ld, VIRTUAL, 0xc000000000000000ull + FRAMES);
	check(c->vector == 0xc00 && c->r[4] == 99, "the-kernels-quadrant");
}

/* What a process table's entry says of its tree: the one shape that there is has 52 bits, 13 of them in the root. The program
 * runs in the kernel's quadrant, whose tree stays. */
static void test_process_entry(void)
{
	const u64 root = (u64)roots[2], ea = SMALL_EA + 0x9000;
	static const struct { unsigned rts, bits; u64 outside, dsisr; const char *name; } rows[] = {
		{ 20, 13, 0, CONFIG, "tree-of-51-bits" }, { 22, 13, 0, CONFIG, "tree-of-53-bits" }, { 0, 13, 0, CONFIG, "tree-of-31-bits" },
		{ 21, 12, 0, CONFIG, "root-of-12-bits" }, { 21, 14, 0, CONFIG, "root-of-14-bits" }, { 21, 0, 0, CONFIG, "root-of-0-bits" },
		{ 21, 31, 0, CONFIG, "root-of-31-bits" }, { 21, 13, 1ull << 40, NO_PTE, "root-outside-memory" },
	};
	const char *high = (const char *)0xc000000000000000ull;
	struct cpu *c;

	map(roots[2], ea, FRAMES, 12, RWX);
	mtspr(48, 2);
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		set(&prtb[4], (u64)(rows[i].rts >> 3) << 61 | (u64)(rows[i].rts & 7) << 5 | (root + rows[i].outside) | rows[i].bits);
		tlbie_all(IS_PID, 2ull << 32);
		c = probe(high + (u64)p_ld, VIRTUAL, ea);
		check(c->vector == 0x300 && c->dar == ea && c->dsisr == rows[i].dsisr, rows[i].name);
	}
	set(&prtb[4], 2ull << 61 | 5ull << 5 | root | 13);
	tlbie_all(IS_PID, 2ull << 32);
	check_eq(probe(p_ld, VIRTUAL, ea)->vector, 0xc00, "tree-of-52-bits");
	/* The table has 4 KiB, of 16 bytes each. */
	set(&prtb[2 * 255], entry_of(&prtb[4]));
	mtspr(48, 255);
	check_eq(probe(p_ld, VIRTUAL, ea)->vector, 0xc00, "the-last-entry");
	mtspr(48, 256);
	c = probe(high + (u64)p_ld, VIRTUAL, ea);
	check(c->vector == 0x300 && c->dar == ea && c->dsisr == NO_PTE, "behind-the-last-entry");
	set(&prtb[2 * 255], 0);
	tlbie_all(IS_PID, 255ull << 32);
	mtspr(48, 1);
}

/* ---- The process table: its size, where it may lie. Book III, 5.7.6.1 ---- */

#define DATA_ONLY (OUR_MSR | MSR_DR)	/* the program itself needs no table */

static u64 low_entries[4] __attribute__((aligned(16)));

static void use_table(u64 base, u64 size)
{
	check_eq((u64)hcall(H_REGISTER_PROC_TBL, 0x1d, base, 0, size), H_SUCCESS, "H_REGISTER_PROC_TBL");
}

/* The process has the tree that roots[2] is, or `dsisr` is why not. */
static void process(u64 pid, u64 ea, u64 dsisr, const char *name)
{
	struct cpu *c;

	mtspr(48, pid);
	c = probe(p_ld, DATA_ONLY, ea);
	mtspr(48, 1);
	check(dsisr ? c->vector == 0x300 && c->dar == ea && c->dsisr == dsisr : c->vector == 0xc00 && c->r[4] == 0x2222, name);
}

static void test_process_table(void)
{
	const u64 ea = SMALL_EA + 0x9000, entry = entry_of(&prtb[4]);
	u64 *large = table(0x10000);
	struct cpu *c;

	*(volatile u64 *)(FRAMES + 0x4000) = 0x2222;
	map(roots[2], ea, FRAMES + 0x4000, 12, RWX);
	use_table((u64)large, 1);
	set(&large[2 * 511], entry);
	set(&large[2 * 512], entry);
	process(511, ea, 0, "8K-the-last-entry");
	process(512, ea, NO_PTE, "8K-behind-the-last-entry");
	process(510, ea, CONFIG, "8K-an-empty-entry");
	use_table((u64)large, 4);
	set(&large[2 * 4095], entry);
	process(4095, ea, 0, "64K-the-last-entry");
	process(512, ea, 0, "64K-another-entry");
	process(4096, ea, NO_PTE, "64K-behind-the-last-entry");
	process(0xffffffff, ea, NO_PTE, "64K-the-last-process-there-can-be");
	/* It lies at a multiple of its size. */
	set(&large[0x1000 + 2], entry);
	use_table((u64)large + 0x8000, 4);
	process(1, ea, CONFIG, "64K-misaligned");
	c = probe(p_ld, VIRTUAL, ea);
	check(c->vector == 0x400 && c->srr0 == (u64)p_ld && (c->srr1 & (NO_PTE | NOEXEC | PROT | CONFIG)) == CONFIG, "64K-misaligned-fetch");
	use_table((u64)large + 0x8000, 3);
	process(1, ea, 0, "32K-aligned");
	/* The largest: 2 ^ 36 bytes, all that there is. */
	set(&low_entries[0], entry);
	use_table(0, 24);
	process((u64)low_entries / 16, ea, 0, "64G-at-0");
	process((u64)low_entries / 16 + 1, ea, CONFIG, "64G-an-empty-entry");
	process(0xffffffff, ea, CONFIG, "64G-outside-memory");
	use_table(1ull << 36, 24);
	process(0, ea, CONFIG, "64G-elsewhere-outside-memory");
	/* None at all. */
	check_eq((u64)hcall(H_REGISTER_PROC_TBL, 0x10, 0, 0, 0), H_SUCCESS, "deregistered");
	use_table((u64)prtb, 0);
	process(2, ea, 0, "4K-again");
}

/* ---- Quadrants. Book III, 5.7.5.1 ---- */

static void test_quadrants(void)
{
	static const u64 starts[4] = { 0, 1ull << 62, 2ull << 62, 3ull << 62 };
	const u64 ea = SMALL_EA + 0xe000, zero = SMALL_EA + 0xf000;
	bool theirs = true, bits = true;
	struct cpu *c;

	map(roots[1], ea, FRAMES, 12, RWX);
	map(roots[0], zero, FRAMES, 12, RWX);
	*(volatile u64 *)FRAMES = 0x77;
	/* The hypervisor's, in either state, for each kind of access. */
	for (unsigned q = 1; q < 3; q++)
		for (unsigned user = 0; user < 2; user++)
			for (unsigned what = 0; what < 3; what++) {
				c = probe(access[what].code, user ? USER : VIRTUAL, starts[q] | ea);
				theirs &= what == 2 ? c->vector == 0x480 && c->srr0 == (starts[q] | ea) : c->vector == 0x380 && c->dar == (starts[q] | ea);
			}
	check(theirs, "quadrants-of-the-hypervisor");
	/* No bit of an address is ignored. */
	for (unsigned bit = 2; bit < 12; bit++)
		bits &= probe(p_ld, VIRTUAL, ea | PPC_BIT(bit))->vector == 0x380 &&
			probe(p_ld, VIRTUAL, starts[3] | zero | PPC_BIT(bit))->vector == 0x380;
	check(bits, "bits-2-to-11");
	/* Quadrant 3 is process 0, whoever runs; a page of problem state there is open to problem state, too. */
	check(probe(p_ld, VIRTUAL, starts[3] | zero)->r[4] == 0x77 && probe(p_ld, USER, starts[3] | zero)->r[4] == 0x77, "quadrant-3");
	c = probe(p_ld, VIRTUAL, starts[3] | ea);
	check(c->vector == 0x300 && c->dsisr == NO_PTE, "quadrant-3-is-not-the-process");
	c = probe(p_ld, VIRTUAL, zero);
	check(c->vector == 0x300 && c->dsisr == NO_PTE, "quadrant-0-is-not-process-0");
	mtspr(48, 0);
	check_eq(probe(p_ld, VIRTUAL, zero)->r[4], 0x77, "process-0-in-quadrant-0");
	check_eq(probe(p_ld, VIRTUAL, starts[3] | zero)->r[4], 0x77, "process-0-in-quadrant-3");
	mtspr(48, 1);
	set(slot_of(roots[0], zero, 12), 0);
	tlbie_all(IS_PID, 0);
	/* Instructions alone, or data alone, are translated. */
	c = probe(p_ld, OUR_MSR | MSR_IR, FRAMES);
	check(c->vector == 0xc00 && c->r[4] == 0x77, "IR-alone");
	c = probe(p_ld, DATA_ONLY, ea);
	check(c->vector == 0xc00 && c->r[4] == 0x77, "DR-alone");
}

/* Attributes: what is guarded is not fetched from. R and C stand in the entry of a large page, too. */
static void test_attributes(void)
{
	static const struct { u64 att; bool fetched; const char *name; } rows[] = {
		{ 0x00, true, "normal-memory" }, { 0x10, true, "strong-access-order" }, { 0x20, false, "guarded" }, { 0x30, true, "tolerant" },
	};
	u64 ea = SMALL_EA + 0xd000;
	struct cpu *c;

	put_insn((void *)FRAMES, 0x44000002);
	for (unsigned i = 0; i < 4; i++) {
		map(roots[1], ea, FRAMES, 12, RWX | rows[i].att);
		flush(ea, 12);
		check_eq(probe(p_ld, VIRTUAL, ea)->vector, 0xc00, rows[i].name);
		c = probe(p_jump, VIRTUAL, ea);
		check(c->srr0 == ea + 4 * rows[i].fetched && c->vector == (rows[i].fetched ? 0xc00 : 0x400) &&
		      (rows[i].fetched || (c->srr1 & (NO_PTE | NOEXEC | PROT)) == NOEXEC), rows[i].name);
	}
	for (unsigned shift = 16; shift <= 30; shift += shift == 16 ? 5 : 9) {
		u64 at = shift == 16 ? MID_EA : shift == 21 ? LARGE_EA : HUGE_EA, *slot = map(roots[1], at, shift == 21 ? BIG : shift == 16 ? FRAMES : 0, shift, RWX);
		u64 in = shift == 30 ? FRAMES : 0;

		flush(at, shift);
		probe(p_ld, VIRTUAL, at + in + 8);
		check_eq(entry_of(slot) & (REF | CHG), REF, "a-large-page's-R");
		probe(p_std, VIRTUAL, at + in + 0x1000, 0x4400000244000002ull);
		check_eq(entry_of(slot) & (REF | CHG), REF | CHG, "a-large-page's-C");
	}
}

/* What an entry permits it permits at each size, to its last byte, and to who has just done something else. */
static void test_large_permissions(void)
{
	static const struct { u64 ea, ra; unsigned shift; const char *name; } rows[] = {
		{ MID_EA, FRAMES, 16, "64K-permissions" }, { LARGE_EA, BIG, 21, "2M-permissions" }, { HUGE_EA, 0, 30, "1G-permissions" },
	};

	for (unsigned i = 0; i < 3; i++) {
		u64 ea = rows[i].ea + (rows[i].shift == 30 ? FRAMES : (1ull << rows[i].shift) - 8);
		bool ok = true;

		put_insn((void *)(rows[i].ra + ea - rows[i].ea), 0x44000002);
		for (unsigned eaa = 0; eaa < 16; eaa++) {
			map(roots[1], rows[i].ea, rows[i].ra, rows[i].shift, eaa | REF | CHG);
			flush(rows[i].ea, rows[i].shift);
			for (unsigned user = 0; user < 2; user++)
				for (unsigned what = 0; what < 3; what++) {
					u64 need[3] = { R | W, W, X };
					bool allowed = (eaa & need[what]) && !(user && eaa & PRIVILEGED);

					/* Stores to where code is always ask. */
					ok &= probe(access[what].code, user ? USER : VIRTUAL, what == 2 ? ea : ea - 0x1000)->vector ==
					      (allowed ? 0xc00u : what == 2 ? 0x400u : 0x300u);
				}
		}
		check(ok, rows[i].name);
	}
}

/* ---- Keys ---- */

static void test_keys(void)
{
	u64 ea = SMALL_EA + 0x7000, kernel = SMALL_EA + 0x8000;

	map(roots[1], ea, FRAMES, 12, RWX);
	map(roots[1], kernel, FRAMES + 0x1000, 12, PRIVILEGED | RWX);
	put_insn((void *)FRAMES, 0x44000002);
	put_insn((void *)(FRAMES + 0x1000), 0x44000002);
	flush(ea, 12);
	flush(kernel, 12);
	/* Touched before, so that what is remembered must be forgotten. */
	probe(p_ld, VIRTUAL, ea);
	probe(p_std, VIRTUAL, ea, 0x4400000244000002ull);
	mtspr(29, PPC_BIT(0));		/* AMR: no stores */
	data_fault(p_std, p_std_at, VIRTUAL, ea, ea, PROT | STORE, "AMR-no-store");
	check_eq(probe(p_ld, VIRTUAL, ea)->vector, 0xc00, "AMR-no-store-load");
	mtspr(29, PPC_BIT(0) | PPC_BIT(1));
	data_fault(p_std, p_std_at, VIRTUAL, ea, ea, PROT | STORE, "AMR-none-store");
	data_fault(p_ld, p_ld_at, VIRTUAL, ea, ea, PROT, "AMR-none-load");
	check_eq(probe(p_std, VIRTUAL, kernel, 0x4400000244000002ull)->vector, 0xc00, "AMR-none-privileged-page");
	check_eq(probe(p_std, USER, ea, 0x4400000244000002ull)->vector, 0xc00, "AMR-none-problem-state");
	mtspr(29, PPC_BIT(1));
	data_fault(p_ld, p_ld_at, VIRTUAL, ea, ea, PROT, "AMR-no-load");
	mtspr(29, 0);
	check_eq(probe(p_std, VIRTUAL, ea, 0x4400000244000002ull)->vector, 0xc00, "AMR-back");
	check_eq(probe(p_jump, VIRTUAL, kernel)->vector, 0xc00, "IAMR-off");
	/* The probe itself lies in a page of problem state: from the kernel's view of it. */
	mtspr(61, PPC_BIT(1));		/* IAMR: no fetches */
	struct cpu *c = probe((char *)0xc000000000000000ull + (u64)p_jump, VIRTUAL, ea);
	check(c->vector == 0x400 && c->srr0 == ea && (c->srr1 & (NO_PTE | NOEXEC | PROT)) == NOEXEC, "IAMR-no-fetch");
	check_eq(probe((char *)0xc000000000000000ull + (u64)p_jump, VIRTUAL, kernel)->vector, 0xc00, "IAMR-privileged-page");
	check_eq(probe(p_jump, USER, ea)->vector, 0xc00, "IAMR-problem-state");
	mtspr(61, 0);
	check_eq(probe(p_jump, VIRTUAL, ea)->vector, 0xc00, "IAMR-back");
	/* There is key 0 alone, whatever the entry has where a hash page table has keys. */
	map(roots[1], ea, FRAMES, 12, RWX | PPC_BIT(52) | PPC_BIT(53) | PPC_BIT(54));
	flush(ea, 12);
	mtspr(29, ~0ull >> 2);
	mtspr(61, ~0ull >> 2);
	check(probe(p_ld, VIRTUAL, ea)->vector == 0xc00 && probe(p_std, VIRTUAL, ea, 0x4400000244000002ull)->vector == 0xc00 &&
	      probe((char *)0xc000000000000000ull + (u64)p_jump, VIRTUAL, ea)->vector == 0xc00, "no-other-keys");
	mtspr(29, 0);
	mtspr(61, 0);
	/* Large pages have it, too. */
	map(roots[1], LARGE_EA, BIG, 21, RWX | REF | CHG);
	map(roots[1], HUGE_EA, 0, 30, RWX | REF | CHG);
	flush(LARGE_EA, 21);
	flush(HUGE_EA, 30);
	mtspr(29, PPC_BIT(0) | PPC_BIT(1));
	data_fault(p_ld, p_ld_at, VIRTUAL, LARGE_EA + 0x1ffff8, LARGE_EA + 0x1ffff8, PROT, "AMR-2M");
	data_fault(p_std, p_std_at, VIRTUAL, HUGE_EA + FRAMES, HUGE_EA + FRAMES, PROT | STORE, "AMR-1G");
	mtspr(29, 0);
}

/* ---- Invalidation ---- */

static u64 look(u64 ea) { struct cpu *c = probe(p_ld, VIRTUAL, ea); return c->vector == 0xc00 ? c->r[4] : c->vector; }

static void test_invalidation(void)
{
	static const struct { u64 ea; u64 a, b; unsigned shift; const char *name; } rows[] = {
		{ SMALL_EA + 0x9000, FRAMES, FRAMES + 0x1000, 12, "tlbie-4K" },
		{ MID_EA, FRAMES, FRAMES + 0x10000, 16, "tlbie-64K" },
		{ LARGE_EA, BIG, BIG + 0x200000, 21, "tlbie-2M" },
	};

	*(volatile u64 *)FRAMES = *(volatile u64 *)BIG = 0xa;
	*(volatile u64 *)(FRAMES + 0x1000) = *(volatile u64 *)(FRAMES + 0x10000) = *(volatile u64 *)(BIG + 0x200000) = 0xb;
	for (unsigned i = 0; i < 3; i++) {
		bool ok = true;

		for (unsigned how = 0; how < 7; how++) {
			u64 ea = rows[i].ea, page = (ea & ~0xfffull) | ap(rows[i].shift), pid = 1ull << 32;

			map(roots[1], ea, rows[i].a, rows[i].shift, RWX);
			tlbie_all(IS_PID, pid);
			ok &= look(ea) == 0xa;
			map(roots[1], ea, rows[i].b, rows[i].shift, RWX);
			switch (how) {
			case 0: tlbie_tlb(page, pid); break;
			case 1: tlbiel_tlb(page, pid); break;
			case 2: tlbie_tlb(IS_PID, pid); break;
			case 3: tlbie_all(IS_PID, pid); break;
			case 4: tlbie_all(IS_ALL, 0); break;
			case 5: tlbiel_all(IS_PID, pid); break;
			case 6: tlbiel_tlb(IS_ALL, 0); break;
			}
			/* tlbiel takes one set after the other. */
			for (u64 n = 1; n < 128 && how > 4; n++)
				tlbiel_tlb(n << 12 | (how == 5 ? IS_PID : IS_ALL), pid);
			if (look(ea) != 0xb) {
				print("# %s, way %u: %x\n", rows[i].name, how, look(ea));
				ok = false;
			}
		}
		check(ok, rows[i].name);
	}
	/* 1 GiB: the next one lies outside of memory. Any address in the page names it. */
	for (unsigned how = 0; how < 3; how++) {
		u64 ea = HUGE_EA + FRAMES, page = HUGE_EA + (how == 1 ? 0x3ffff000 : 0);

		map(roots[1], HUGE_EA, 0, 30, RWX);
		tlbie_all(IS_PID, 1ull << 32);
		check_eq(look(ea), 0xa, "1G");
		map(roots[1], HUGE_EA, 1ull << 30, 30, RWX);
		if (how == 2)
			tlbiel_tlb(page | ap(30), 1ull << 32);
		else
			tlbie_tlb(page | ap(30), 1ull << 32);
		check_eq(look(ea), 0x200, "tlbie-1G");
	}
}

/* What is found after an entry has changed, and the caller has said so. */
static void test_changes(void)
{
	/* Gone, and fetched from. */
	u64 ea = SMALL_EA + 0xa000, *slot = map(roots[1], ea, FRAMES + 0x2000, 12, RWX);

	put_insn((void *)(FRAMES + 0x2000), 0x44000002);
	put_insn((void *)(FRAMES + 0x4000), 0x00000000);
	flush(ea, 12);
	check_eq(probe(p_jump, VIRTUAL, ea)->vector, 0xc00, "fetch");
	map(roots[1], ea, FRAMES + 0x4000, 12, RWX);
	flush(ea, 12);
	check_eq(probe(p_jump, VIRTUAL, ea)->vector, 0x700, "fetch-after-tlbie");
	set(slot, 0);
	flush(ea, 12);
	check_eq(probe(p_jump, VIRTUAL, ea)->vector, 0x400, "fetch-from-what-is-gone");
	check_eq(probe(p_ld, VIRTUAL, ea)->vector, 0x300, "load-from-what-is-gone");
	/* Less allowed than before. */
	map(roots[1], ea, FRAMES, 12, RWX);
	probe(p_std, VIRTUAL, ea, 1);
	map(roots[1], ea, FRAMES, 12, R);
	flush(ea, 12);
	data_fault(p_std, p_std_at, VIRTUAL, ea, ea, PROT | STORE, "store-after-write-protection");

	/* A directory entry changes: the page walk cache and what came of it. */
	ea = SMALL_EA + 0x1000000;
	map(roots[1], ea, FRAMES, 12, RWX);
	*(volatile u64 *)FRAMES = 0xa;
	check_eq(look(ea), 0xa, "before-the-directory-changes");
	u64 *l2 = below(&below(&roots[1][0], 9)[ea >> 30 & 511], 9), *other = table(4096);

	set(&other[ea >> 12 & 511], VALID | LEAF | (FRAMES + 0x1000) | RWX);
	set(&l2[ea >> 21 & 511], VALID | (u64)other | 9);
	tlbie_pwc(IS_PID, 1ull << 32);
	tlbie_tlb(IS_PID, 1ull << 32);
	check_eq(look(ea), 0xb, "after-PWC-and-TLB");
	set(&other[ea >> 12 & 511], VALID | LEAF | FRAMES | RWX);
	tlbie_all(IS_PID, 1ull << 32);
	check_eq(look(ea), 0xa, "after-all");

	/* Kernel's quadrant: PID 0. */
	ea = 0xc000000000000000ull | (SMALL_EA + 0xb000);
	map(roots[0], SMALL_EA + 0xb000, FRAMES, 12, PRIVILEGED | RWX);
	check_eq(look(ea), 0xa, "kernel-page");
	map(roots[0], SMALL_EA + 0xb000, FRAMES + 0x1000, 12, PRIVILEGED | RWX);
	tlbie_tlb(ea & ~0xfffull, 0);
	check_eq(look(ea), 0xb, "kernel-page-after-tlbie");
}

/* PIDs keep apart without any invalidation. */
static void test_processes(void)
{
	u64 ea = SMALL_EA + 0xc000;

	map(roots[1], ea, FRAMES, 12, RWX);
	map(roots[2], ea, FRAMES + 0x1000, 12, RWX);
	check_eq(look(ea), 0xa, "PID-1");
	mtspr(48, 2);
	check_eq(look(ea), 0xb, "PID-2");
	mtspr(48, 1);
	check_eq(look(ea), 0xa, "PID-1-again");
	mtspr(48, 3);
	check_eq(probe(p_ld, VIRTUAL, ea)->vector, 0x400, "PID-without-a-tree");
	mtspr(48, 300);
	check_eq(probe(p_ld, VIRTUAL, ea)->vector, 0x400, "PID-beyond-the-table");
	mtspr(48, 1);
	/* Many processes in turn, more than anything remembers. */
	bool ok = true;
	for (unsigned i = 0; i < 200; i++) {
		set(&prtb[2 * (3 + i % 60)], entry_of(&prtb[2 * (1 + i % 2)]));
		mtspr(48, 3 + i % 60);
		tlbie_all(IS_PID, (u64)(3 + i % 60) << 32);
		ok &= look(ea) == (i % 2 ? 0xb : 0xa);
	}
	mtspr(48, 1);
	check(ok && look(ea) == 0xa, "many-PIDs");
	for (unsigned i = 3; i < 63; i++)
		set(&prtb[2 * i], 0);
}

/* In problem state each process has contexts of its own, that stay for when it comes back: its tlbie reaches them all. */
static void test_processes_in_problem_state(void)
{
	enum { FIRST = 3, PROCESSES = 60 };
	u64 ea = SMALL_EA + 0xd000, was = FRAMES + 0x6000, is = FRAMES + 0x7000;
	bool loads = true, fetches = true;

	*(volatile u64 *)was = 0xa;
	*(volatile u64 *)is = 0xb;
	put_insn((void *)(was + 8), 0x44000002);
	put_insn((void *)(is + 8), 0);
	map(roots[1], ea, was, 12, RWX | REF | CHG);
	for (unsigned i = 0; i < PROCESSES; i++) {
		set(&prtb[2 * (FIRST + i)], entry_of(&prtb[2]));
		mtspr(48, FIRST + i);
		loads &= probe(p_ld, USER, ea)->r[4] == 0xa;
		fetches &= probe(p_jump, USER, ea + 8)->vector == 0xc00;
	}
	map(roots[1], ea, is, 12, RWX | REF | CHG);
	for (unsigned i = 0; i < PROCESSES; i++) {
		mtspr(48, FIRST + i);
		tlbie_tlb(ea, (u64)(FIRST + i) << 32);
		loads &= probe(p_ld, USER, ea)->r[4] == 0xb;
		fetches &= probe(p_jump, USER, ea + 8)->vector == 0x700;
	}
	mtspr(48, 1);
	check(loads, "each-PID-loads-after-its-tlbie");
	check(fetches, "each-PID-fetches-after-its-tlbie");
	for (unsigned i = 0; i < PROCESSES; i++)
		set(&prtb[2 * (FIRST + i)], 0);
}

/* ---- Pages' edges ---- */

#define EDGE (SMALL_EA + 0x20000)	/* first page; the second follows */
#define REAL1 (FRAMES + 0x20000)
#define REAL2 (FRAMES + 0x30000)	/* not behind the first */

static u64 *edge(u64 first, u64 second)
{
	memset((void *)REAL1, 0x11, 4096);
	memset((void *)REAL2, 0x22, 4096);
	map(roots[1], EDGE, REAL1, 12, first);
	map(roots[1], EDGE + 4096, REAL2, 12, second);
	if (!second)
		set(slot_of(roots[1], EDGE + 4096, 12), 0);
	if (!first)
		set(slot_of(roots[1], EDGE, 12), 0);
	flush(EDGE, 12);
	flush(EDGE + 4096, 12);
	return NULL;
}

static bool untouched(void)
{
	for (unsigned i = 0; i < 4096; i++)
		if (((volatile u8 *)REAL1)[i] != 0x11 || ((volatile u8 *)REAL2)[i] != 0x22)
			return false;
	return true;
}

/* The byte that edge() has put there, or 0: whether [from, from + 1024), blocks of 128 bytes, is what
 * `cleared` says, a bit for each, and the rest of both pages is as it was. */
static bool only_cleared(u64 from, unsigned cleared)
{
	for (unsigned i = 0; i < 8192; i++) {
		u64 block = (EDGE + i - from) / 128;
		u8 was = i < 4096 ? 0x11 : 0x22, is = ((volatile u8 *)(i < 4096 ? REAL1 : REAL2 - 4096))[i];

		if (is != (block < 8 && cleared >> block & 1 ? 0 : was))
			return false;
	}
	return true;
}

static void test_clearing(void)
{
	const u64 end = EDGE + 4096;
	struct cpu *c;

	for (unsigned warm = 0; warm < 2; warm++) {
		edge(RWX, RWX);
		if (warm)
			for (unsigned i = 0; i < 2; i++)
				probe(p_std, VIRTUAL, EDGE + 4096 * i + 8, i ? 0x2222222222222222 : 0x1111111111111111);
		c = probe(p_clear, VIRTUAL, end - 1024, 0, 128);
		check(c->vector == 0xc00 && only_cleared(end - 1024, 0xff), "clear-to-the-end");
		edge(RWX, RWX);
		c = probe(p_clear, VIRTUAL, EDGE + 2048 + 77, 0, 128);
		check(c->vector == 0xc00 && only_cleared(EDGE + 2048, 0xff), "clear-from-inside-a-block");
		edge(RWX, RWX);
		c = probe(p_clear, VIRTUAL, end - 384, 0, 128);
		check(c->vector == 0xc00 && only_cleared(end - 384, 0xff), "clear-over-the-edge");
		edge(RWX, RWX);
		c = probe(p_clear, VIRTUAL, EDGE + 1024, 0, 512);
		check(c->vector == 0xc00 && only_cleared(EDGE + 1024, 0xfd), "clear-not-in-a-row");
		edge(RWX, 0);
		c = probe(p_clear, VIRTUAL, end - 384 + 5, 0, 128);
		check(c->vector == 0x300 && c->srr0 == (u64)p_clear_at + 12 && c->dar == end &&
		      c->dsisr == (NO_PTE | STORE) && only_cleared(end - 384, 7), "clear-faults-at-the-edge");
		edge(R, RWX);
		c = probe(p_clear, VIRTUAL, end - 384, 0, 128);
		check(c->vector == 0x300 && c->srr0 == (u64)p_clear_at && c->dar == end - 384 &&
		      c->dsisr == (PROT | STORE) && untouched(), "clear-faults-at-once");
	}
}

static void test_edges(void)
{
	static const struct { const char *code, *at; u64 before; bool store; const char *name; } rows[] = {
		{ p_ld, p_ld_at, 4, false, "ld" }, { p_lwz, p_lwz_at, 1, false, "lwz" }, { p_ldbrx, p_ldbrx_at, 3, false, "ldbrx" },
		{ p_lxvd2x, p_lxvd2x_at, 8, false, "lxvd2x" }, { p_lfs, p_lfs_at, 2, false, "lfs" },
		{ p_std, p_std_at, 4, true, "std" }, { p_std, p_std_at, 7, true, "std-7" }, { p_std, p_std_at, 1, true, "std-1" },
		{ p_stw, p_stw_at, 2, true, "stw" }, { p_sth, p_sth_at, 1, true, "sth" }, { p_stdx, p_stdx_at, 5, true, "stdx" },
		{ p_stdbrx, p_stdbrx_at, 5, true, "stdbrx" }, { p_stxvd2x, p_stxvd2x_at, 8, true, "stxvd2x" },
		{ p_stxv, p_stxv_at, 4, true, "stxv" }, { p_stfd, p_stfd_at, 4, true, "stfd" },
		{ p_stfdp, p_stfdp_at, 8, true, "stfdp" }, { p_stfdp, p_stfdp_at, 12, true, "stfdp-12" },
		/* Big-endian mode alone has these. */
		{ p_stmw, p_stmw_at, 4, true, "stmw" }, { p_stswi, p_stswi_at, 3, true, "stswi" },
	};
	const unsigned n = sizeof rows / sizeof rows[0] - (LITTLE ? 2 : 0);
	const u64 msr = VIRTUAL | MSR_FP | MSR_VEC | MSR_VSX;
	struct cpu *c;
	bool ok;

	for (unsigned i = 0; i < n; i++) {
		u64 ea = EDGE + 4096 - rows[i].before;

		edge(RWX, 0);
		ok = data_fault(rows[i].code, rows[i].at, msr, ea, EDGE + 4096, NO_PTE | (rows[i].store ? STORE : 0), rows[i].name);
		ok &= untouched();
		edge(0, RWX);
		c = probe(rows[i].code, msr, ea, 0x5555555555555555);
		ok &= c->vector == 0x300 && c->dar == ea && untouched();
		if (rows[i].store) {
			edge(RWX, R);
			c = probe(rows[i].code, msr, ea, 0x5555555555555555);
			ok &= c->vector == 0x300 && c->dar == EDGE + 4096 && c->dsisr == (PROT | STORE) && untouched();
			edge(R, RWX);
			c = probe(rows[i].code, msr, ea, 0x5555555555555555);
			ok &= c->vector == 0x300 && c->dar == ea && c->dsisr == (PROT | STORE) && untouched();
		}
		check(ok, rows[i].name);
	}
	/* Both there: the bytes go where they belong, though the pages are not neighbours. */
	edge(RWX, RWX);
	c = probe(p_std, VIRTUAL, EDGE + 4092, 0x0102030405060708ull);
	ok = c->vector == 0xc00 && *(volatile u32 *)(REAL1 + 4092) == (LITTLE ? 0x05060708 : 0x01020304) &&
	     *(volatile u32 *)REAL2 == (LITTLE ? 0x01020304 : 0x05060708);
	check(ok, "store-to-both-pages");
	c = probe(p_ld, VIRTUAL, EDGE + 4092);
	check_eq(c->r[4], 0x0102030405060708ull, "load-from-both-pages");
	/* Updates do not happen when the access does not. */
	edge(RWX, 0);
	c = probe(p_stdu, VIRTUAL, EDGE + 4092 - 8, 1);
	check(c->vector == 0x300 && c->r[3] == EDGE + 4084 && untouched(), "stdu-keeps-RA");
	c = probe(p_ldu, VIRTUAL, EDGE + 4092 - 8, 0x77);
	check(c->vector == 0x300 && c->r[3] == EDGE + 4084 && c->r[4] == 0x77, "ldu-keeps-RA-RT");
	/* Code runs over the edge. */
	edge(RWX, 0);
	put_insn((void *)(REAL1 + 4092), 0x38600007);	/* li r3,7 */
	c = probe((char *)EDGE + 4092, VIRTUAL);
	check(c->vector == 0x400 && c->srr0 == EDGE + 4096 && c->r[3] == 7, "code-over-the-edge-faults");
	edge(RWX, RWX);
	put_insn((void *)(REAL1 + 4092), 0x38600007);
	put_insn((void *)REAL2, 0x44000002);		/* sc */
	c = probe((char *)EDGE + 4092, VIRTUAL);
	check(c->vector == 0xc00 && c->srr0 == EDGE + 4100, "code-over-the-edge");
	map(roots[1], EDGE + 4096, REAL1, 12, RWX);
	put_insn((void *)REAL1, 0);
	flush(EDGE + 4096, 12);
	c = probe((char *)EDGE + 4092, VIRTUAL);
	check(c->vector == 0x700 && c->srr0 == EDGE + 4096, "code-over-the-edge-mapped-anew");
	/* In 32-bit mode address 0 follows the last one. */
	map(roots[1], 0xfffff000, REAL1, 12, RWX);
	put_insn((void *)(REAL1 + 4092), 0x38600007);	/* li r3,7 */
	put_insn((void *)0, 0x44000002);		/* sc */
	c = probe((char *)0xfffffffc, VIRTUAL & ~MSR_SF);
	check(c->vector == 0xc00 && c->srr0 == 4 && c->r[3] == 7, "code-over-the-top-of-32-bits");
	/* One real page under two addresses: a store through one changes the code of the other. */
	map(roots[1], EDGE, REAL1, 12, RWX);
	map(roots[1], EDGE + 4096, REAL1, 12, RWX);
	put_insn((void *)(REAL1 + 64), 0x44000002);
	flush(EDGE, 12);
	flush(EDGE + 4096, 12);
	check_eq(probe((char *)EDGE + 64, VIRTUAL)->vector, 0xc00, "alias-before");
	check_eq(probe(p_stw, VIRTUAL, EDGE + 4096 + 64, 0)->vector, 0xc00, "alias-store");
	check_eq(probe((char *)EDGE + 64, VIRTUAL)->vector, 0x700, "alias-after");
	/* Atomic and cache instructions fault like loads and stores. */
	edge(R, 0);
	data_fault(p_dcbz, p_dcbz_at, VIRTUAL, EDGE + 200, EDGE + 128, PROT | STORE, "dcbz-protected");	/* the block's address */
	data_fault(p_ldarx, p_ldarx_at, VIRTUAL, EDGE + 4096, EDGE + 4096, NO_PTE, "ldarx-nothing-there");
	data_fault(p_icbi, p_icbi_at, VIRTUAL, EDGE + 4096, EDGE + 4096, NO_PTE, "icbi-nothing-there");
	check_eq(probe(p_dcbt, VIRTUAL, EDGE + 4096)->vector, 0xc00, "dcbt-never-faults");
	c = probe(p_stdcx, VIRTUAL, EDGE, EDGE);
	check(c->vector == 0x300 && c->dar == EDGE && c->dsisr == (PROT | STORE), "stdcx-protected");
}

/* Two frames with the same code but for what it leaves in r4 when r3 is not 0. */
static void put_branch(u64 frame, u32 n)
{
	u32 *p = (u32 *)frame;

	put_insn(p, 0x2c230000);		/* cmpdi r3,0 */
	put_insn(p + 1, 0x408200fc);		/* bne .+252 */
	put_insn(p + 2, 0x44000002);		/* sc */
	put_insn(p + 64, 0x38800000 | n);	/* li r4,n */
	put_insn(p + 65, 0x44000002);
}

/* An instruction of two words never crosses a page: its prefix may not be the last of 64 bytes, so nobody asks for the page
 * behind. The page of the prefix itself is asked for before anything is known of it. */
#define PADDI_PREFIX 0x06000001u	/* paddi r3,0,0x10007 */
#define PADDI_SUFFIX 0x38600007u
#define FSCR_PREFIX  PPC_BIT(63 - 13)
#define SRR1_PREFIXED PPC_BIT(34)
#define SRR1_BOUNDARY PPC_BIT(35)

static bool power10(void) { return mfspr(287) >> 16 == 0x80; }

static void prefixed_at_the_edge(u64 msr, u64 next, const char *name)
{
	struct cpu *c;

	edge(RWX, next);
	put_insn((void *)(REAL1 + 4088), PADDI_PREFIX);
	put_insn((void *)(REAL1 + 4092), PADDI_SUFFIX);
	c = probe((char *)EDGE + 4088, msr);
	if (next)
		check(c->r[3] == 0x10007 && c->srr0 != EDGE + 4088, name);
	else
		check(c->vector == 0x400 && c->srr0 == EDGE + 4096 && c->r[3] == 0x10007, name);
	put_insn((void *)(REAL1 + 4092), PADDI_PREFIX);
	c = probe((char *)EDGE + 4092, msr, 1);
	check(c->vector == 0x600 && c->srr0 == EDGE + 4092 && c->dar == EDGE + 4092 &&
	      c->srr1 == (msr | SRR1_PREFIXED | SRR1_BOUNDARY) && c->r[3] == 1, name);
	edge(0, RWX);
	c = probe((char *)EDGE + 4092, msr);
	check(c->vector == 0x400 && c->srr0 == EDGE + 4092 && !(c->srr1 & SRR1_PREFIXED), name);
}

static void test_prefixed(void)
{
	const u64 user = VIRTUAL | MSR_PR | MSR_EE;
	struct cpu *c;

	if (!power10())
		return;
	prefixed_at_the_edge(VIRTUAL, 0, "prefix-before-nothing");
	prefixed_at_the_edge(VIRTUAL, RWX, "prefix-before-a-page");
	mtspr(153, FSCR_PREFIX);
	prefixed_at_the_edge(user, 0, "user-prefix-before-nothing");
	mtspr(153, 0);
	edge(RWX, 0);
	put_insn((void *)(REAL1 + 4092), PADDI_PREFIX);
	for (u64 at = 4088; at <= 4092; at += 4) {
		put_insn((void *)(REAL1 + at), PADDI_PREFIX);
		c = probe((char *)EDGE + at, user);
		check(c->vector == 0xf60 && c->srr0 == EDGE + at && mfspr(153) >> 56 == 13, "user-prefix-withheld");
	}
	mtspr(153, 0);
}

/* Between a new entry and its tlbie a processor may take a branch into the old page or the new one:
 * what it took then must not show later. */
static void test_branch_while_mapped_anew(void)
{
	const u64 ea = SMALL_EA + 0x30000, other = ea + 0x40000;	/* 64 pages on */
	struct cpu *c;

	put_branch(REAL1, 1);
	put_branch(REAL2, 2);
	map(roots[1], ea, REAL1, 12, RWX);
	map(roots[1], other, REAL2, 12, RWX);
	flush(ea, 12);
	flush(other, 12);
	check_eq(probe((char *)ea, VIRTUAL)->vector, 0xc00, "branch-not-taken");
	check_eq(probe((char *)other + 8, VIRTUAL)->vector, 0xc00, "where-another-page-is");
	map(roots[1], ea, REAL2, 12, RWX);
	c = probe((char *)ea, VIRTUAL, 1);
	check(c->vector == 0xc00 && (c->r[4] == 1 || c->r[4] == 2), "branch-before-tlbie");
	map(roots[1], ea, REAL1, 12, RWX);
	tlbie_all(IS_ALL, 0);
	c = probe((char *)ea, VIRTUAL, 1);
	check(c->vector == 0xc00 && c->r[4] == 1, "branch-after-tlbie");
}

/* ---- Problem state ---- */

static void test_problem(void)
{
	static const struct { const char *code, *at; u64 vector, bits; const char *name; } rows[] = {
		{ p_mfmsr, p_mfmsr_at, 0x700, PPC_BIT(45), "user-mfmsr" },
		{ p_mtmsrd, p_mtmsrd_at, 0x700, PPC_BIT(45), "user-mtmsrd" },
		{ p_rfid, p_rfid_at, 0x700, PPC_BIT(45), "user-rfid" },
		{ p_tlbie, p_tlbie_at, 0x700, PPC_BIT(45), "user-tlbie" },
		{ p_slbia, p_slbia_at, 0x700, PPC_BIT(45), "user-slbia" },
		{ p_msgsndp, p_msgsndp_at, 0x700, PPC_BIT(45), "user-msgsndp" },
		{ p_mfdar, p_mfdar_at, 0x700, PPC_BIT(45), "user-mfspr-DAR" },
		{ p_mtdec, p_mtdec_at, 0x700, PPC_BIT(45), "user-mtspr-DEC" },
		{ p_mfpvr, p_mfpvr_at, 0x700, PPC_BIT(45), "user-mfspr-PVR" },
		{ p_none_priv, p_none_priv_at, 0x700, PPC_BIT(45), "user-mfspr-privileged-none" },
		{ p_none_user, p_none_user_at, 0x700, PPC_BIT(44), "user-mfspr-none" },
		{ p_illegal, p_illegal_at, 0x700, PPC_BIT(44), "user-illegal" },
		{ p_tar, p_tar_at, 0xf60, 0, "user-TAR" },
		{ p_dscr, p_dscr_at, 0xf60, 0, "user-DSCR" },
		{ p_scv, p_scv_at, 0xf60, 0, "user-scv" },
		{ p_fadd, p_fadd_at, 0x800, 0, "user-fadd" },
		{ p_sc, p_sc_next, 0xc00, 0, "user-sc" },
		{ p_lbzcix, p_lbzcix_at, 0x700, PPC_BIT(45), "user-lbzcix" },
		{ p_stdcix, p_stdcix_at, 0x700, PPC_BIT(45), "user-stdcix" },
		{ p_slbiag, p_slbiag_at, 0x700, PPC_BIT(45), "user-slbiag" },
		{ p_mtdawr, p_mtdawr_at, 0x700, PPC_BIT(45), "user-mtspr-DAWR0" },
		{ p_mtciabr, p_mtciabr_at, 0x700, PPC_BIT(45), "user-mtspr-CIABR" },
		{ p_mfwort, p_mfwort_at, 0x700, PPC_BIT(45), "user-mfspr-WORT" },
	};
	static const u8 cause[] = { [12] = 8, [13] = 2, [14] = 12 };
	struct cpu *c;

	mtspr(153, 0);		/* FSCR */
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		check_trap(probe(rows[i].code, USER), rows[i].vector, rows[i].at, USER, rows[i].bits, rows[i].name);
		if (rows[i].vector == 0xf60)
			check_eq(mfspr(153) >> 56, cause[i], rows[i].name);
	}
	check_eq(this_cpu()->msr, OUR_MSR, "MSR-from-problem-state");
	mtspr(153, PPC_BIT(63 - 8) | PPC_BIT(63 - 2));
	check_eq(probe(p_tar, USER)->vector, 0xc00, "user-TAR-allowed");
	check_eq(probe(p_dscr, USER)->vector, 0xc00, "user-DSCR-allowed");
	mtspr(153, 0);
	check_eq(probe(p_mftb, USER)->vector, 0xc00, "user-mftb");
	c = probe(p_sc1, USER);
	check(c->vector == 0xc00 && (s64)c->r[3] == H_PRIVILEGE, "user-hypercall");
	/* Problem state runs translated and interruptible whatever SRR1 says. */
	c = probe(p_sc, OUR_MSR | MSR_PR);
	check(c->vector == 0xc00 && (c->srr1 & (MSR_EE | MSR_PR | MSR_IR | MSR_DR)) == (MSR_EE | MSR_PR | MSR_IR | MSR_DR),
	      "problem-state-forces-EE-IR-DR");
	/* UAMOR says which bits of AMR are the program's own. */
	mtspr(157, PPC_BIT(0));
	c = probe(p_mtamr, USER, ~0ull);
	check_eq(c->r[4], PPC_BIT(0), "user-AMR-under-UAMOR");
	mtspr(29, 0);
	mtspr(157, 0);
}

/* ---- Interrupts with translation on ---- */

extern char scv_high[];
__asm__(".text\n.globl scv_high\nscv_high:\n\tmflr 5\n\tmfctr 6\n\tmfmsr 7\n\tsc\n\tb .\n");
PROBE(p_reset, "li 3,0x380\n\tli 4,0", "sc 1", "nop");
PROBE(p_nop, "", "nop", "nop");

static void test_ail(void)
{
	struct cpu *c;

	vectors_at(0x4000);
	vectors_at(0x18000);
	check_eq((u64)hcall(H_SET_MODE, 3, 3, 0, 0), H_SUCCESS, "AIL-3");
	/* The entry is reached at the high address; what follows runs where it always does. */
	c = probe(p_illegal, USER);
	check_trap(c, 0x700, p_illegal_at, USER, PPC_BIT(44), "AIL-3-program");
	check_eq(c->msr, VIRTUAL, "AIL-3-MSR");
	set(slot_of(roots[0], 0, 21), 0);	/* without the page there is no handler */
	tlbie_all(IS_ALL, 0);
	check(true, "high-page-gone");
	map(roots[0], 0, 0, 21, PRIVILEGED | RWX);
	tlbie_all(IS_ALL, 0);
	c = probe(p_ld, VIRTUAL, SMALL_EA + 0x1f000);
	check(c->vector == 0x300 && c->msr == VIRTUAL, "AIL-3-data-storage");
	c = probe(p_illegal, OUR_MSR);
	check(c->vector == 0x700 && c->msr == OUR_MSR, "AIL-3-real-mode-goes-low");
	c = probe(p_illegal, OUR_MSR | MSR_IR);
	check(c->vector == 0x700 && c->msr == OUR_MSR, "AIL-3-IR-alone-goes-low");
	c = probe(p_reset, VIRTUAL);
	check(c->vector == 0x100 && c->msr == OUR_MSR, "AIL-3-reset-goes-low");
	mtspr(22, -1);
	c = probe(p_nop, VIRTUAL | MSR_EE);
	check(c->vector == 0x900 && c->msr == VIRTUAL && c->srr0 == (u64)p_nop, "AIL-3-decrementer");
	mtspr(22, 0x7fffffff);
	mtspr(153, PPC_BIT(63 - 12));
	put_insn((void *)0x3000, 0x48000002 | (u32)(u64)scv_high);	/* ba */
	c = probe(p_scv, USER);
	check(c->vector == 0xc00 && c->srr0 == (u64)scv_high + 16, "AIL-3-scv-arrives");
	check_eq(c->r[5], (u64)p_scv_next, "AIL-3-scv-LR");
	check_eq(c->r[6], USER, "AIL-3-scv-CTR");
	check_eq(c->r[7], VIRTUAL | MSR_EE, "AIL-3-scv-MSR");
	mtspr(153, 0);
	check_eq((u64)hcall(H_SET_MODE, 2, 3, 0, 0), power10() ? (u64)H_UNSUPPORTED_FLAG : H_SUCCESS, "AIL-2");
	c = probe(p_illegal, USER);
	check(c->vector == 0x700 && c->msr == VIRTUAL && c->srr0 == (u64)p_illegal_at, "AIL-2-program");
	check_eq((u64)hcall(H_SET_MODE, 0, 3, 0, 0), H_SUCCESS, "AIL-0");
	c = probe(p_illegal, USER);
	check(c->vector == 0x700 && c->msr == OUR_MSR, "AIL-0-program");
}

/* A loop that waits for the R bit of a page that it loads from itself: the second round differs from the first. */
PROBE(p_own_r, "mftb 7\n\tb 1f\n\tnop\n1:\tlbz 5,0(3)\n\tlbz 6,0(4)\n\tandi. 5,5,1\n\tbeq 1b\n\tmftb 8\n\tsubf 4,7,8", "nop", "sc");

static void test_own_reference(void)
{
	const u64 ea = SMALL_EA + 0x50000, view = SMALL_EA + 0x60000;
	u64 *s = map(roots[1], ea, REAL1, 12, RWX), most = 0;

	map(roots[1], view, (u64)s & ~0xfffull, 12, RWX | REF | CHG);
	for (unsigned i = 0; i < 100; i++) {
		struct cpu *c;

		set(s, VALID | LEAF | REAL1 | RWX);
		flush(ea, 12);
		c = probe(p_own_r, VIRTUAL, view + ((u64)s & 0xfff) + 6, ea);
		if (c->r[4] > most)
			most = c->r[4];
	}
	check(most && most < 1000, "R-is-seen-at-once");
}

/* ---- H_RPT_INVALIDATE: with -M cap-rpt-invalidate=on ---- */

#define H_RPT_INVALIDATE 0x448
enum { RPT_CORES = 1, RPT_CORE = 2, RPT_NEST = 4 };
enum { RPT_NESTED = 1, RPT_TLB = 2, RPT_PWC = 4, RPT_TABLE = 8 };
#define RPT_ALL_SIZES (~0ull)

static s64 rpt(u64 pid, u64 target, u64 type, u64 sizes, u64 start, u64 end)
{
	return hcall(H_RPT_INVALIDATE, pid, target, type, sizes, start, end);
}

static void test_rpt_codes(void)
{
	static const struct { u64 pid, target, type, sizes, start, end; s64 rc; const char *name; } rows[] = {
		{ 1ull << 32, RPT_CORES, RPT_TLB, 1, 0, 1, H_PARAMETER, "rpt-pid" },
		{ 1, 0, RPT_TLB, 1, 0, 1, H_P2, "rpt-no-target" },
		{ 1, 9, RPT_TLB, 1, 0, 1, H_P2, "rpt-target" },
		{ 1, RPT_CORES, RPT_NESTED | RPT_TLB, 1, 0, 1, H_FUNCTION, "rpt-nested" },
		{ 1, RPT_CORES, 0, 1, 0, 1, H_P3, "rpt-no-type" },
		{ 1, RPT_CORES, 0x10, 1, 0, 1, H_P3, "rpt-type" },
		{ 1, RPT_CORES, RPT_TLB, 0, 0, 1, H_P4, "rpt-no-size" },
		{ 1, RPT_CORES, RPT_TLB, 0x10, 0, 1, H_P4, "rpt-size" },
		{ 1, RPT_CORES, RPT_TLB, 1, 2, 1, H_P5, "rpt-end-before-start" },
		{ 1, RPT_CORES, RPT_TLB, 1, 1, 1, H_SUCCESS, "rpt-empty" },
		{ 1, RPT_CORES, RPT_TLB, 0, 2, 1, H_P4, "rpt-in-order" },
		{ 1, RPT_NEST, RPT_TLB, 1, 0, ~0ull, H_SUCCESS, "rpt-nest" },
		{ 1, RPT_CORES | RPT_NEST, RPT_PWC, 1, 0, ~0ull, H_SUCCESS, "rpt-walks" },
		{ 0xffffffff, RPT_CORES, 14, RPT_ALL_SIZES, 0, ~0ull, H_SUCCESS, "rpt-everything" },
	};

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
		check_eq((u64)rpt(rows[i].pid, rows[i].target, rows[i].type, rows[i].sizes, rows[i].start, rows[i].end),
			 (u64)rows[i].rc, rows[i].name);
}

/* The page maps another frame: is that seen? */
static bool rpt_works(u64 ea, unsigned shift, u64 target, u64 type, u64 sizes, u64 start, u64 end)
{
	u64 a = shift == 21 ? BIG : FRAMES, b = a + (1ull << shift), pid = ea >> 62 ? 0 : 1;
	u64 bits = (pid ? 0 : PRIVILEGED) | RWX, there = ea & 0x3fffffffffffffffull;

	*(volatile u64 *)a = 0xa;
	*(volatile u64 *)b = 0xb;
	map(roots[pid], there, a, shift, bits);
	rpt(pid, RPT_CORES, RPT_TABLE, RPT_ALL_SIZES, 0, ~0ull);
	if (look(ea) != 0xa)
		return false;
	map(roots[pid], there, b, shift, bits);
	rpt(pid, target, type, sizes, start, end);
	return look(ea) == 0xb;
}

static void test_rpt_ranges(void)
{
	const u64 small = SMALL_EA + 0x9000, mid = MID_EA, large = LARGE_EA, kernel = 0xc000000000000000ull | (SMALL_EA + 0xb000);

	check(rpt_works(small, 12, RPT_CORES, RPT_TLB, 1, small, small + 0x1000), "rpt-4K");
	check(rpt_works(mid, 16, RPT_CORES, RPT_TLB, 2, mid, mid + 0x10000), "rpt-64K");
	check(rpt_works(large, 21, RPT_CORES, RPT_TLB, 4, large, large + 0x200000), "rpt-2M");
	check(rpt_works(small, 12, RPT_CORE, RPT_TLB, 1, small, small + 0x1000), "rpt-local");
	check(rpt_works(small, 12, RPT_CORES, RPT_TLB, 1, small - 0x3000, small + 1), "rpt-the-last-byte");
	check(rpt_works(small, 12, RPT_CORES, RPT_TLB, 1, small + 0xfff, small + 0x2000), "rpt-the-first-byte");
	check(rpt_works(small, 12, RPT_CORES, RPT_TLB, 15, small, small + 0x1000), "rpt-of-any-size");
	check(rpt_works(small, 12, RPT_CORES, RPT_TLB, 1, small - 31 * 0x1000, small + 0x1000), "rpt-32-pages");
	check(rpt_works(small, 12, RPT_CORES, RPT_TLB, 1, small - 32 * 0x1000, small + 0x1000), "rpt-33-pages");
	check(rpt_works(small, 12, RPT_CORES, RPT_TLB, RPT_ALL_SIZES, 0, ~0ull), "rpt-a-process");
	check(rpt_works(small, 12, RPT_CORES, RPT_TLB | RPT_PWC | RPT_TABLE, RPT_ALL_SIZES, 0, 0), "rpt-a-process's-entry");
	check(rpt_works(kernel, 12, RPT_CORES, RPT_TLB, 1, kernel, kernel + 0x1000), "rpt-kernel");
	check(rpt_works(kernel, 12, RPT_CORES, RPT_TLB, 2, kernel & ~0xffffull, (kernel & ~0xffffull) + 0x10000), "rpt-kernel-64K");
}

/* Another processor looks, each time that it is asked. */
static volatile u64 asked, answered, answer;

static void looks(struct cpu *cpu)
{
	(void)cpu;
	mtspr(48, 1);
	mtspr(22, 0x7fffffff);
	for (u64 n = 1;; n++) {
		while (asked < n)
			sync();
		answer = look(SMALL_EA + 0x9000);
		sync();
		answered = n;
	}
}

static u64 other_looks(void)
{
	u64 n = asked + 1;

	asked = n;
	while (answered < n)
		sync();
	return answer;
}

static void test_rpt_everywhere(void)
{
	const u64 ea = SMALL_EA + 0x9000;

	start_cpu(1, looks);
	map(roots[1], ea, FRAMES, 12, RWX);
	rpt(1, RPT_CORES, RPT_TLB, RPT_ALL_SIZES, 0, ~0ull);
	check_eq(other_looks(), 0xa, "rpt-another-processor");
	map(roots[1], ea, FRAMES + 0x1000, 12, RWX);
	rpt(1, RPT_CORES, RPT_TLB, 1, ea, ea + 0x1000);
	check_eq(other_looks(), 0xb, "rpt-everywhere");
	map(roots[1], ea, FRAMES, 12, RWX);
	rpt(1, RPT_CORES, RPT_TLB, 1, 0, ~0ull);
	check_eq(other_looks(), 0xa, "rpt-a-process-everywhere");
}

static void test_rpt(void)
{
	if (rpt(1, RPT_CORES, RPT_TLB, 1, 0, 0x1000) == H_FUNCTION) {
		check(true, "no-H_RPT_INVALIDATE");
		return;
	}
	/* Who has that instead has no tlbie. */
	check_eq((u64)hcall(H_REGISTER_PROC_TBL, 0x1c, prtb, 0, 0), H_SUCCESS, "without-GTSE");
	check_trap(probe(p_tlbie, OUR_MSR, 0, 1ull << 32), 0x700, p_tlbie_at, OUR_MSR, PPC_BIT(45), "no-tlbie");
	test_rpt_codes();
	test_rpt_ranges();
	test_rpt_everywhere();
}

void test(void)
{
	check_eq((u64)hcall(H_REGISTER_PROC_TBL, 0x1d, 1, 0, 0), (u64)H_P2, "table-misaligned");
	check_eq((u64)hcall(H_REGISTER_PROC_TBL, 0x1d, TABLES, 1, 0), (u64)H_P3, "table-page-size");
	check_eq((u64)hcall(H_REGISTER_PROC_TBL, 0x1d, TABLES, 0, 25), (u64)H_P4, "table-size");
	check_eq((u64)hcall(H_REGISTER_PROC_TBL, 0x20, TABLES, 0, 0), (u64)H_PARAMETER, "table-flags");
	prtb = table(4096);
	new_root(0);
	new_root(1);
	new_root(2);
	check_eq((u64)hcall(H_REGISTER_PROC_TBL, 0x1d, prtb, 0, 0), H_SUCCESS, "H_REGISTER_PROC_TBL");
	mtspr(48, 1);
	mtspr(22, 0x7fffffff);
	test_sizes();
	test_permissions();
	test_walk();
	test_process_entry();
	test_process_table();
	test_quadrants();
	test_attributes();
	test_large_permissions();
	test_keys();
	test_invalidation();
	test_changes();
	test_processes();
	test_processes_in_problem_state();
	test_edges();
	test_clearing();
	test_prefixed();
	test_branch_while_mapped_anew();
	test_problem();
	test_ail();
	test_own_reference();
	test_rpt();
}
