/* The hash MMU, as a guest builds it by hypercalls: segments, sizes of pages, permissions, R and C, faults and their
 * registers, keys, what must be forgotten when an entry or a segment goes, and what each call refuses.
 * Power ISA 2.07B, Book III-S, 5.7; PAPR, "Page Frame Table Access". All but the probes runs in real mode. */
#include "lib.h"

#define H_REMOVE      0x04
#define H_ENTER       0x08
#define H_READ        0x0c
#define H_CLEAR_MOD   0x10
#define H_CLEAR_REF   0x14
#define H_PROTECT     0x18
#define H_BULK_REMOVE 0x124
#define H_RESIZE_HPT_PREPARE 0x36c
#define H_RESIZE_HPT_COMMIT  0x370
#define H_PTEG_FULL   (-6)
#define H_NOT_FOUND   (-7)
#define H_CLOSED      2
#define H_NOT_AVAILABLE 3
#define LONG_BUSY     9902

#define EXACT   PPC_BIT(24)
#define READ_4  PPC_BIT(26)
#define ICACHE  (PPC_BIT(40) | PPC_BIT(41))
#define ZERO    PPC_BIT(48)
#define AVPN    PPC_BIT(32)
#define ANDCOND PPC_BIT(33)

#define BOLTED  0x10ull
#define LARGE   4ull
#define SECOND  2ull
#define VALID   1ull
#define REF     0x100ull
#define CHG     0x80ull
#define M_BIT   0x10ull
#define G_BIT   8ull
#define N_BIT   4ull
#define PP0     PPC_BIT(0)

#define NO_PTE  DSISR_BIT(1)
#define NOEXEC  DSISR_BIT(3)
#define PROT    DSISR_BIT(4)
#define STORE   DSISR_BIT(6)
#define KEY     DSISR_BIT(10)
#define CAUSES  (NO_PTE | NOEXEC | PROT | KEY)

#define SLB_V   PPC_BIT(36)
#define KS      0x800ull
#define KP      0x400ull
#define SEG_N   0x200ull
#define CLASS   0x80ull
#define SIZE64K 0x110ull
#define ONE_T   PPC_BIT(1)

#define FRAMES  0x2000000ull	/* pages to map */
#define HPT_SHIFT 21		/* of 256 MiB */
#define GROUPS  (1ull << (HPT_SHIFT - 7))

#define DATA_EA 0x30000000ull	/* a segment of 256 MiB */
#define BIG_EA  0x70000000000ull	/* one of 1 TiB */
#define VSID_CODE 0x101ull
#define VSID_DATA 0x123456ull
#define VSID_BIG  0x4321ull
#define DATA_SLOT 5
#define BIG_SLOT  6

#define VIRTUAL (OUR_MSR | MSR_IR | MSR_DR)
#define USER    (VIRTUAL | MSR_PR | MSR_EE)

static void slbmte(u64 rs, u64 rb) { __asm__ volatile("isync\n\tslbmte %0,%1\n\tisync" : : "r"(rs), "r"(rb) : "memory"); }
static void slbie(u64 rb) { __asm__ volatile("isync\n\tslbie %0\n\tisync" : : "r"(rb) : "memory"); }
#define slbia(ih) __asm__ volatile("isync\n\t.long 0x7c0003e4 | " #ih " << 21\n\tisync" : : : "memory")
static u64 slbmfee(u64 i) { u64 v; __asm__ volatile("slbmfee %0,%1" : "=r"(v) : "r"(i)); return v; }
static u64 slbmfev(u64 i) { u64 v; __asm__ volatile("slbmfev %0,%1" : "=r"(v) : "r"(i)); return v; }

static u64 slbfee(u64 ea, bool *found)
{
	u64 v, cr;

	__asm__ volatile("slbfee. %0,%2\n\tmfcr %1" : "=r"(v), "=r"(cr) : "r"(ea) : "cr0");
	*found = cr >> 29 & 1;
	return v;
}

/* ---- Entries ---- */

/* Of 1 << shift bytes at ea, in a segment of that kind. */
struct page { u64 vsid, ea; bool big; unsigned shift; };

static u64 offset_of(const struct page *p) { return p->ea & (p->big ? (1ull << 40) - 1 : (1ull << 28) - 1); }

static u64 avpn_of(const struct page *p)
{
	return p->big ? ONE_T | p->vsid << 24 | (offset_of(p) >> 23 << 7) : p->vsid << 12 | (offset_of(p) >> 23 << 7);
}

static u64 group_of(const struct page *p, bool second)
{
	u64 hash = p->vsid ^ (p->big ? p->vsid << 25 : 0) ^ offset_of(p) >> p->shift;

	return (second ? ~hash : hash) & (GROUPS - 1);
}

static u64 v_of(const struct page *p) { return avpn_of(p) | (p->shift == 12 ? 0 : LARGE) | VALID; }
static u64 r_of(const struct page *p, u64 ra, u64 bits) { return ra | (p->shift == 12 ? 0 : 0x1000) | M_BIT | bits; }

static s64 enter(const struct page *p, u64 ra, u64 bits, u64 *index)
{
	u64 out[9];
	s64 rc = hcall_out(out, H_ENTER, 0, group_of(p, false) * 8, v_of(p), r_of(p, ra, bits));

	*index = out[0];
	return rc;
}

static u64 map(const struct page *p, u64 ra, u64 bits)
{
	u64 index;

	if (enter(p, ra, bits, &index) != H_SUCCESS)
		panic("H_ENTER");
	return index;
}

static u64 read_r(u64 index) { u64 out[9]; return hcall_out(out, H_READ, 0, index) ? ~0ull : out[1]; }
static u64 read_v(u64 index) { u64 out[9]; return hcall_out(out, H_READ, 0, index) ? ~0ull : out[0]; }
static void unmap(u64 index) { if (hcall(H_REMOVE, 0, index, 0)) panic("H_REMOVE"); }

static const struct page data = { VSID_DATA, DATA_EA, false, 12 };

static void data_segment(u64 bits) { slbmte(VSID_DATA << 12 | bits, DATA_EA | SLB_V | DATA_SLOT); }

/* ---- Probes ---- */

PROBE(p_ld, "", "ld 4,0(3)", "");
PROBE(p_std, "", "std 4,0(3)", "");
PROBE(p_jump, "mtctr 3", "bctr", "");
PROBE(p_slbmte, "", "slbmte 3,4", "");
PROBE(p_slbmfee, "", "slbmfee 3,4", "");
PROBE(p_slbmfev, "", "slbmfev 3,4", "");
PROBE(p_slbie, "", "slbie 3", "");
PROBE(p_slbfee, "", "slbfee. 3,4", "");
PROBE(p_tlbie, "", ".long 0x7c001a64", "");

static u64 look(u64 msr, u64 ea) { struct cpu *c = probe(p_ld, msr, ea); return c->vector == 0xc00 ? c->r[4] : c->vector; }

static void data_fault(const char *at, u64 msr, u64 ea, u64 dsisr, const char *name)
{
	bool is_store = at == p_std;
	struct cpu *c = probe(at, msr, ea, 0x4400000244000002ull);

	check(c->vector == 0x300 && c->dar == ea && c->dsisr == dsisr && c->srr0 == (is_store ? (u64)p_std_at : (u64)p_ld_at) &&
	      (c->srr1 & CAUSES) == 0, name);
}

static void fetch_fault(u64 msr, u64 ea, u64 cause, const char *name)
{
	struct cpu *c = probe(p_jump, msr, ea);

	check(c->vector == 0x400 && c->srr0 == ea && (c->srr1 & CAUSES) == cause, name);
}

static void goes(const char *at, u64 msr, u64 ea, const char *name)
{
	check_eq(probe(at, msr, ea, 0x4400000244000002ull)->vector, 0xc00, name);
}

static void put(u64 ra, u64 v) { *(volatile u64 *)ra = v; sync(); }

#define SC 0x4400000244000002ull	/* sc in both byte orders of words */

/* ---- SLB ---- */

static void illegal(const char *code, const char *where, u64 a, u64 b, const char *name)
{
	struct cpu *c = probe(code, OUR_MSR, a, b);

	check(c->vector == 0x700 && c->srr0 == (u64)where && c->srr1 & PPC_BIT(44), name);
}

static void test_slb(void)
{
	bool found;

	slbmte(0x777000 | KS | CLASS, 0x50000000 | SLB_V | 31);
	check_eq(slbmfee(31), 0x50000000 | SLB_V, "slbmfee");
	check_eq(slbmfev(31), 0x777000 | KS | CLASS, "slbmfev");
	check_eq(slbfee(0x5abcdef0, &found), 0x777000 | KS | CLASS, "slbfee");
	check(found, "slbfee-found");
	check_eq(slbfee(0x60000000, &found), 0, "slbfee-none");
	check(!found, "slbfee-none-found");
	slbie(0x50000000 | CLASS << 20);
	check_eq(slbmfee(31), 0x50000000, "slbie");
	slbfee(0x5abcdef0, &found);
	check(!found, "slbie-gone");
	slbmte(ONE_T | 5 << 24, BIG_EA | SLB_V | 30);
	slbfee(BIG_EA + 0xffffffffff, &found);
	check(found, "a-terabyte");
	slbfee(BIG_EA + 0x10000000000, &found);
	check(!found, "no-more-than-a-terabyte");
	slbmte(0x888000 | CLASS, 0x60000000 | SLB_V | 29);
	slbia(3);
	check_eq(slbmfee(29), 0x60000000, "slbia-3-takes-class-1");
	check_eq(slbmfee(30), BIG_EA | SLB_V, "slbia-3-leaves-class-0");
	check(slbmfee(0) & SLB_V, "slbia-3-leaves-entry-0");
	slbia(7);
	check_eq(slbmfee(30), BIG_EA | SLB_V, "slbia-7-takes-none");
	slbia(0);
	check_eq(slbmfee(30), BIG_EA, "slbia");
	check(slbmfee(0) & SLB_V, "slbia-leaves-entry-0");
	u64 first = slbmfev(0);
	slbia(4);
	check(!(slbmfee(0) & SLB_V), "slbia-4-takes-all");
	slbmte(first, SLB_V | 0);

	illegal(p_slbmte, p_slbmte_at, 0x777000, 0x50000000 | SLB_V | 32, "slbmte-index");
	illegal(p_slbmte, p_slbmte_at, 0x777000, 0x50000000 | SLB_V | PPC_BIT(51), "slbmte-reserved");
	illegal(p_slbmte, p_slbmte_at, PPC_BIT(0) | 0x777000, 0x50000000 | SLB_V | 31, "slbmte-segment-size");
	illegal(p_slbmte, p_slbmte_at, 0x777000 | 0x100, 0x50000000 | SLB_V | 31, "slbmte-page-size-16M");
	illegal(p_slbmte, p_slbmte_at, 0x777000 | 0x130, 0x50000000 | SLB_V | 31, "slbmte-page-size-none");
	illegal(p_slbmfee, p_slbmfee_at, 0, 32, "slbmfee-index");
	illegal(p_slbmfev, p_slbmfev_at, 0, 32, "slbmfev-index");
	check(probe(p_slbie, USER, 0)->vector == 0x700 && probe(p_slbmte, USER, 0, 0)->vector == 0x700 &&
	      probe(p_slbfee, USER, 0, 0)->vector == 0x700, "privileged");
	check_eq(probe(p_tlbie, VIRTUAL, 0, 0)->vector, 0x700, "tlbie-is-the-hypervisors");
}

/* ---- Segment registers: POWER8's. 2.07B, Book III-S, 5.9.3.2 ---- */

PROBE(p_mtsr, "", ".long 0x7c6501a4", "");	/* mtsr 5,r3 */
PROBE(p_mtsrin, "", ".long 0x7c6021e4", "");	/* mtsrin r3,r4 */
PROBE(p_mfsr, "", ".long 0x7c6504a6", "");	/* mfsr r3,5 */
PROBE(p_mfsrin, "", ".long 0x7c602526", "");	/* mfsrin r3,r4 */

#define MODE32  (OUR_MSR & ~MSR_SF)
#define SR_KS   PPC_BIT(33)
#define SR_L    PPC_BIT(36)
#define SR_ALL  0x77ffffffull	/* Ks, Kp, N, VSID */

static void test_segment_registers(void)
{
	static const struct { const char *code, *at, *name; } insns[] = {
		{ p_mtsr, p_mtsr_at, "mtsr" }, { p_mtsrin, p_mtsrin_at, "mtsrin" }, { p_mfsr, p_mfsr_at, "mfsr" }, { p_mfsrin, p_mfsrin_at, "mfsrin" },
	};

	for (unsigned i = 0; i < 4; i++) {
		struct cpu *c = probe(insns[i].code, USER, 0, 0x50000000);

		check(c->vector == 0x700 && c->srr0 == (u64)insns[i].at && c->srr1 & PPC_BIT(is_power8() ? 45 : 44), insns[i].name);
		if (!is_power8())
			illegal(insns[i].code, insns[i].at, 0, 0x50000000, insns[i].name);
	}
	if (!is_power8())
		return;
	check_eq(probe(p_mtsr, MODE32, ~SR_L)->vector, 0xc00, "mtsr");
	check_eq(slbmfee(5), 0x50000000 | SLB_V, "mtsr-ESID");
	check_eq(slbmfev(5), 0x7ffffff000ull | KS | KP | SEG_N, "mtsr-VSID");
	check_eq(probe(p_mfsr, MODE32, 0)->r[3], SR_ALL, "mfsr");
	check_eq(probe(p_mtsrin, MODE32, SR_KS | 0x4321, 0xabcdef01)->vector, 0xc00, "mtsrin");
	check_eq(slbmfee(10), 0xa0000000ull | SLB_V, "mtsrin-ESID");
	check_eq(slbmfev(10), 0x4321000 | KS, "mtsrin-VSID");
	check_eq(probe(p_mfsrin, MODE32, 0, 0xafffffff)->r[3], SR_KS | 0x4321, "mfsrin");
	check_eq(probe(p_mfsrin, MODE32, 0, 0x50000000)->r[3], SR_ALL, "mfsrin-another");
	/* There are no large pages to be had. */
	illegal(p_mtsr, p_mtsr_at, SR_L | 1, 0, "mtsr-L");
	/* What was found by the segment that it replaces is forgotten. */
	struct page a = { VSID_DATA, 0x50000000, false, 12 }, b = { VSID_DATA + 1, 0x50000000, false, 12 };
	u64 first = map(&a, FRAMES, 2), second = map(&b, FRAMES + 0x1000, 2);

	put(FRAMES, 1);
	put(FRAMES + 0x1000, 2);
	probe(p_mtsr, MODE32, VSID_DATA);
	check_eq(look(VIRTUAL, 0x50000000), 1, "mtsr-translates");
	probe(p_mtsr, MODE32, VSID_DATA + 1);
	check_eq(look(VIRTUAL, 0x50000000), 2, "mtsr-forgets");
	unmap(first);
	unmap(second);
	slbie(0x50000000);
	slbie(0xa0000000);
}

/* ---- Sizes, both hashes ---- */

static void test_sizes(void)
{
	static const struct page rows[] = {
		{ VSID_DATA, DATA_EA + 0x1235000, false, 12 }, { VSID_DATA, DATA_EA + 0x9230000, false, 16 },
		{ VSID_BIG, BIG_EA + 0x8765432000, true, 12 }, { VSID_BIG, BIG_EA + 0xfedcba0000, true, 16 },
	};
	static const char *const names[] = { "4K", "64K", "4K-in-1T", "64K-in-1T" };
	static const char *const second[] = { "4K-second", "64K-second", "4K-in-1T-second", "64K-in-1T-second" };

	for (unsigned i = 0; i < 4; i++) {
		const struct page *p = &rows[i];
		u64 size = p->shift == 16 ? SIZE64K : 0, end = (1ull << p->shift) - 8, index, out[9];

		slbmte((p->big ? ONE_T | p->vsid << 24 : p->vsid << 12) | size, (p->ea & (p->big ? -(1ull << 40) : -(1ull << 28))) | SLB_V | DATA_SLOT);
		put(FRAMES, i + 1);
		put(FRAMES + end, i + 100);
		check_eq(look(VIRTUAL, p->ea), 0x300, "nothing-yet");
		index = map(p, FRAMES, 2);
		check(look(VIRTUAL, p->ea) == i + 1 && look(VIRTUAL, p->ea + end) == i + 100, names[i]);
		check_eq(look(VIRTUAL, p->ea + end + 8), 0x300, "and-no-more");
		check_eq(index / 8, group_of(p, false), "where-it-was-put");
		unmap(index);
		check_eq(look(VIRTUAL, p->ea), 0x300, "removed");
		check_eq((u64)hcall_out(out, H_ENTER, 0, group_of(p, true) * 8, v_of(p) | SECOND, r_of(p, FRAMES, 2)), 0, "enter-second");
		check_eq(look(VIRTUAL, p->ea), i + 1, second[i]);
		unmap(out[0]);
		/* In the right group with the wrong H, or the other way round, it is not found. */
		check_eq((u64)hcall_out(out, H_ENTER, 0, group_of(p, false) * 8, v_of(p) | SECOND, r_of(p, FRAMES, 2)), 0, "enter-wrong");
		check_eq(look(VIRTUAL, p->ea), 0x300, "second-where-the-first-belongs");
		unmap(out[0]);
		slbie(p->ea);
	}
	/* A page of 64 KiB is none of a segment of 4 KiB pages, nor the other way round. */
	data_segment(0);
	struct page odd = { VSID_DATA, DATA_EA, false, 16 };
	u64 index = map(&odd, FRAMES, 2);

	check_eq(look(VIRTUAL, DATA_EA), 0x300, "64K-in-a-segment-of-4K");
	unmap(index);
	data_segment(SIZE64K);
	index = map(&data, FRAMES, 2);
	check_eq(look(VIRTUAL, DATA_EA), 0x300, "4K-in-a-segment-of-64K");
	/* One behind the other in the same group: the second has the right size. */
	u64 right = map(&odd, FRAMES + 0x10000, 2);

	put(FRAMES + 0x10000, 55);
	check(right / 8 == index / 8 && right > index, "same-group");
	check_eq(look(VIRTUAL, DATA_EA), 55, "the-next-one-that-matches");
	unmap(index);
	unmap(right);
	data_segment(0);
}

/* ---- Faults, permissions ---- */

static void test_faults(void)
{
	struct cpu *c;
	u64 index;

	mtspr(19, 0x1234);
	mtspr(18, 0x55);
	c = probe(p_ld, VIRTUAL, 0x90000000);
	check(c->vector == 0x380 && c->dar == 0x90000000 && c->srr0 == (u64)p_ld_at && !(c->srr1 & CAUSES) && c->dsisr == 0x55, "no-segment-load");
	c = probe(p_std, VIRTUAL, 0x90000008, 0);
	check(c->vector == 0x380 && c->dar == 0x90000008, "no-segment-store");
	mtspr(19, 0x1234);
	c = probe(p_jump, VIRTUAL, 0x90000000);
	check(c->vector == 0x480 && c->srr0 == 0x90000000 && !(c->srr1 & CAUSES) && c->dar == 0x1234, "no-segment-fetch");
	check_eq(probe(p_ld, VIRTUAL, 0xc000000000000000ull)->vector, 0x380, "no-segment-high");
	data_segment(0);
	data_fault(p_ld, VIRTUAL, DATA_EA, NO_PTE, "no-page-load");
	data_fault(p_std, VIRTUAL, DATA_EA, NO_PTE | STORE, "no-page-store");
	fetch_fault(VIRTUAL, DATA_EA, NO_PTE, "no-page-fetch");
	put(FRAMES, SC);
	index = map(&data, FRAMES, 2 | N_BIT);
	goes(p_ld, VIRTUAL, DATA_EA, "no-execute-load");
	fetch_fault(VIRTUAL, DATA_EA, NOEXEC, "no-execute");
	unmap(index);
	index = map(&data, FRAMES, 2);
	goes(p_jump, VIRTUAL, DATA_EA, "fetch");
	data_segment(SEG_N);
	fetch_fault(VIRTUAL, DATA_EA, NOEXEC, "no-execute-segment");
	fetch_fault(VIRTUAL, DATA_EA + 0x1000, NOEXEC, "no-execute-segment-comes-first");
	goes(p_ld, VIRTUAL, DATA_EA, "no-execute-segment-load");
	data_segment(0);
	unmap(index);
}

/* Key 0, and key 1: may load, may store. */
static void test_permissions(void)
{
	static const struct { u64 pp; bool may[2][2]; const char *name; } rows[] = {
		{ 0, { { true, true }, { false, false } }, "pp-0" }, { 1, { { true, true }, { true, false } }, "pp-1" },
		{ 2, { { true, true }, { true, true } }, "pp-2" }, { 3, { { true, false }, { true, false } }, "pp-3" },
		{ PP0 | 2, { { true, false }, { false, false } }, "pp-6" }, { PP0 | 1, { { false, false }, { false, false } }, "pp-5" },
		{ PP0, { { false, false }, { false, false } }, "pp-4" }, { PP0 | 3, { { false, false }, { false, false } }, "pp-7" },
	};

	for (unsigned i = 0; i < 8; i++) {
		u64 index = map(&data, FRAMES, rows[i].pp);

		for (unsigned key = 0; key < 2; key++) {
			for (unsigned user = 0; user < 2; user++) {
				u64 msr = user ? USER : VIRTUAL;

				data_segment(key ? user ? KP : KS : user ? KS : KP);
				put(FRAMES, SC);
				if (rows[i].may[key][0]) {
					goes(p_ld, msr, DATA_EA, rows[i].name);
					goes(p_jump, msr, DATA_EA, rows[i].name);
				} else {
					data_fault(p_ld, msr, DATA_EA, PROT, rows[i].name);
					fetch_fault(msr, DATA_EA, PROT, rows[i].name);
				}
				if (rows[i].may[key][1])
					goes(p_std, msr, DATA_EA, rows[i].name);
				else
					data_fault(p_std, msr, DATA_EA, PROT | STORE, rows[i].name);
			}
		}
		unmap(index);
	}
	data_segment(0);
}

static void test_keys(void)
{
	u64 index = map(&data, FRAMES, 2 | 7ull << 9), high;	/* key 7 */
	struct page other = { VSID_DATA, DATA_EA + 0x1000, false, 12 };

	high = map(&other, FRAMES, 2 | 3ull << 60 | 7ull << 9);	/* key 31 */
	put(FRAMES, SC);
	mtspr(29, PPC_BIT(14));
	data_fault(p_std, VIRTUAL, DATA_EA, KEY | STORE, "AMR-no-store");
	goes(p_ld, VIRTUAL, DATA_EA, "AMR-no-store-load");
	goes(p_std, VIRTUAL, DATA_EA + 0x1000, "AMR-another-key");
	mtspr(29, PPC_BIT(15));
	data_fault(p_ld, VIRTUAL, DATA_EA, KEY, "AMR-no-load");
	data_fault(p_ld, USER, DATA_EA, KEY, "AMR-no-load-problem-state");
	goes(p_jump, VIRTUAL, DATA_EA, "AMR-no-load-fetch");
	mtspr(29, PPC_BIT(62));
	data_fault(p_std, VIRTUAL, DATA_EA + 0x1000, KEY | STORE, "AMR-key-31");
	goes(p_std, VIRTUAL, DATA_EA, "AMR-key-31-alone");
	mtspr(29, 0);
	goes(p_std, VIRTUAL, DATA_EA, "AMR-back");
	mtspr(61, PPC_BIT(15));
	fetch_fault(VIRTUAL, DATA_EA, KEY, "IAMR");
	goes(p_ld, VIRTUAL, DATA_EA, "IAMR-load");
	mtspr(61, 0);
	goes(p_jump, VIRTUAL, DATA_EA, "IAMR-back");
	unmap(index);
	unmap(high);
	/* Both at once. */
	index = map(&data, FRAMES, 3 | 7ull << 9);
	mtspr(29, PPC_BIT(14));
	data_fault(p_std, VIRTUAL, DATA_EA, PROT | KEY | STORE, "AMR-and-pp");
	mtspr(29, 0);
	unmap(index);
	index = map(&data, FRAMES, 2 | 7ull << 9 | N_BIT);
	mtspr(61, PPC_BIT(15));
	fetch_fault(VIRTUAL, DATA_EA, NOEXEC | KEY, "IAMR-and-N");
	mtspr(61, 0);
	unmap(index);
}

/* What is found under one setting of AMR or IAMR holds under no other, as often as they take turns and whatever goes meanwhile. */
static void test_key_turns(void)
{
	static const u64 amrs[] = { 0, PPC_BIT(14), PPC_BIT(15), PPC_BIT(18), PPC_BIT(19), PPC_BIT(14) | PPC_BIT(18), PPC_BIT(15) | PPC_BIT(19),
				    PPC_BIT(14) | PPC_BIT(19) };
	static const u64 iamrs[] = { 0, PPC_BIT(15), PPC_BIT(19), PPC_BIT(15) | PPC_BIT(19), PPC_BIT(21), PPC_BIT(15) | PPC_BIT(21) };
	static const u64 keys[2] = { 7ull << 9, 1ull << 60 | 1ull << 9 };	/* 7, 9 */
	u64 code[2], words[2], index[4];	/* stores to where code is always ask: loads and stores have pages of their own */
	bool stores = true, loads = true, fetches = true, after = true;

	for (unsigned i = 0; i < 4; i++) {
		struct page p = { VSID_DATA, DATA_EA + 0x1000 * i, false, 12 };

		put(FRAMES + 0x1000 * i, SC);
		index[i] = map(&p, FRAMES + 0x1000 * i, 2 | keys[i % 2]);
		(i < 2 ? code : words)[i % 2] = p.ea;
	}
	for (unsigned i = 0; i < 40; i++) {
		u64 amr = amrs[i * 3 % 8], iamr = iamrs[i * 5 % 6];

		mtspr(29, amr);
		mtspr(61, iamr);
		for (unsigned user = 0; user < 2; user++)
			for (unsigned k = 0; k < 2; k++) {
				u64 msr = user ? USER : VIRTUAL, no_store = PPC_BIT(k ? 18 : 14), no_load = PPC_BIT(k ? 19 : 15);

				loads &= probe(p_ld, msr, words[k])->vector == (amr & no_load ? 0x300u : 0xc00u);
				stores &= probe(p_std, msr, words[k], 1)->vector == (amr & no_store ? 0x300u : 0xc00u);
				fetches &= probe(p_jump, msr, code[k])->vector == (iamr & no_load ? 0x400u : 0xc00u);
			}
	}
	check(stores, "each-AMR-its-stores");
	check(loads, "each-AMR-its-loads");
	check(fetches, "each-IAMR-its-fetches");
	/* Three values that forbid nothing here, and the entries go while the last of them is set. */
	for (unsigned i = 0; i < 3; i++) {
		mtspr(29, PPC_BIT(40 + 2 * i));
		mtspr(61, PPC_BIT(41 + 2 * i));
		for (unsigned k = 0; k < 2; k++) {
			probe(p_ld, VIRTUAL, words[k]);
			probe(p_std, USER, words[k], 0);
			probe(p_jump, USER, code[k]);
		}
	}
	for (unsigned i = 0; i < 4; i++)
		unmap(index[i]);
	for (unsigned i = 0; i < 6; i++) {
		mtspr(29, PPC_BIT(40 + 2 * (i % 3)));
		mtspr(61, PPC_BIT(41 + 2 * (i % 3)));
		after &= probe(p_ld, VIRTUAL, words[i % 2])->vector == 0x300 && probe(p_jump, USER, code[i % 2])->vector == 0x400 &&
			 probe(p_std, USER, words[i % 2], 0)->vector == 0x300;
	}
	check(after, "gone-under-all-keys");
	mtspr(29, 0);
	mtspr(61, 0);
}

static void test_reference(void)
{
	u64 index = map(&data, FRAMES, 3), r = r_of(&data, FRAMES, 3);

	check_eq(read_r(index), r, "entered-without");
	probe(p_std, VIRTUAL, DATA_EA, 1);
	check_eq(read_r(index), r, "a-fault-sets-neither");
	probe(p_ld, VIRTUAL, DATA_EA);
	check_eq(read_r(index), r | REF, "a-load-sets-R");
	unmap(index);
	index = map(&data, FRAMES, 2);
	r = r_of(&data, FRAMES, 2);
	put(FRAMES, SC);
	probe(p_jump, VIRTUAL, DATA_EA);
	check_eq(read_r(index), r | REF, "a-fetch-sets-R");
	probe(p_std, VIRTUAL, DATA_EA, 1);
	check_eq(read_r(index), r | REF | CHG, "a-store-sets-C");
	unmap(index);
	index = map(&data, FRAMES, 2);
	probe(p_ld, VIRTUAL, DATA_EA);
	probe(p_std, VIRTUAL, DATA_EA, 1);
	check_eq(read_r(index), r | REF | CHG, "a-store-after-a-load");
	unmap(index);
}

/* ---- What must be forgotten ---- */

static void warm(u64 ea)
{
	probe(p_ld, VIRTUAL, ea);
	probe(p_std, VIRTUAL, ea, SC);
	probe(p_jump, VIRTUAL, ea);
	probe(p_ld, USER, ea);
	probe(p_std, USER, ea, SC);
	probe(p_jump, USER, ea);
}

static void gone(u64 ea, u64 vector, const char *name)
{
	bool ok = true;

	for (unsigned user = 0; user < 2; user++) {
		u64 msr = user ? USER : VIRTUAL;

		ok &= probe(p_ld, msr, ea)->vector == vector && probe(p_std, msr, ea, SC)->vector == vector &&
		      probe(p_jump, msr, ea)->vector == vector + 0x100;
	}
	check(ok, name);
}

static void test_forgetting(void)
{
	const struct page high = { VSID_BIG, 0xd000000000000000ull, false, 16 };
	u64 index, out[9], avpn = avpn_of(&data);

	index = map(&data, FRAMES, 2);
	warm(DATA_EA);
	unmap(index);
	gone(DATA_EA, 0x300, "H_REMOVE");
	index = map(&data, FRAMES, 2);
	warm(DATA_EA);
	check_eq((u64)hcall(H_BULK_REMOVE, 0x4000000000000000ull | index, 0, 0xc000000000000000ull), 0, "H_BULK_REMOVE");
	gone(DATA_EA, 0x300, "H_BULK_REMOVE-gone");
	/* No code is fetched from this page: what stores to it goes by what the TLB says. */
	index = map(&data, FRAMES + 0x30000, 2);
	probe(p_std, VIRTUAL, DATA_EA, SC);
	probe(p_std, USER, DATA_EA, SC);
	check_eq((u64)hcall(H_PROTECT, 3 | AVPN, index, avpn), 0, "H_PROTECT");
	data_fault(p_std, VIRTUAL, DATA_EA, PROT | STORE, "H_PROTECT-store");
	data_fault(p_std, USER, DATA_EA, PROT | STORE, "H_PROTECT-store-problem-state");
	goes(p_ld, USER, DATA_EA, "H_PROTECT-load");
	check_eq(read_r(index), r_of(&data, FRAMES + 0x30000, 3 | REF | CHG), "H_PROTECT-keeps-R-and-C");
	check_eq((u64)hcall(H_PROTECT, 2, index, 0), 0, "H_PROTECT-back");
	warm(DATA_EA);
	slbie(DATA_EA);
	gone(DATA_EA, 0x380, "slbie");
	data_segment(0);
	goes(p_std, USER, DATA_EA, "slbmte-again");
	warm(DATA_EA);
	slbmte((VSID_DATA + 1) << 12, DATA_EA | SLB_V | DATA_SLOT);
	gone(DATA_EA, 0x300, "slbmte-another-segment");
	data_segment(0);
	warm(DATA_EA);
	data_segment(KP | KS);
	check_eq((u64)hcall(H_PROTECT, 0, index, 0), 0, "pp-0");
	gone(DATA_EA, 0x300, "slbmte-other-keys");
	data_segment(0);
	check_eq((u64)hcall(H_PROTECT, 2, index, 0), 0, "pp-2");
	warm(DATA_EA);
	slbmte(slbmfev(DATA_SLOT), DATA_EA | DATA_SLOT);
	gone(DATA_EA, 0x380, "slbmte-invalid");
	data_segment(CLASS);
	warm(DATA_EA);
	slbia(3);
	gone(DATA_EA, 0x380, "slbia-3");
	data_segment(0);
	/* Two doors to a page: what is told by one holds for the other. */
	slbmte(VSID_DATA << 12, 0x40000000ull | SLB_V | BIG_SLOT);
	warm(0x40000000ull);
	warm(DATA_EA);
	unmap(index);
	gone(DATA_EA, 0x300, "H_REMOVE-of-two-places");
	gone(0x40000000ull, 0x300, "H_REMOVE-of-the-other-place");
	slbie(0x40000000ull);
	/* The kernel's side. */
	slbmte(VSID_BIG << 12 | SIZE64K, high.ea | SLB_V | BIG_SLOT);
	index = map(&high, FRAMES, 2);
	warm(high.ea + 0x8000);
	unmap(index);
	gone(high.ea + 0x8000, 0x300, "H_REMOVE-high");
	index = map(&high, FRAMES, 2);
	warm(high.ea + 0x8000);
	slbie(high.ea);
	gone(high.ea + 0x8000, 0x380, "slbie-high");
	unmap(index);
	/* A double that is found before the one that was: the new one's page it is. */
	index = map(&data, FRAMES, 2);
	check_eq((u64)hcall_out(out, H_ENTER, EXACT, index + 1, v_of(&data), r_of(&data, FRAMES + 0x1000, 2)), 0, "double");
	unmap(index);
	warm(DATA_EA);
	put(FRAMES, 11);
	put(FRAMES + 0x1000, 22);
	check_eq(look(VIRTUAL, DATA_EA), 22, "double-alone");
	check_eq((u64)hcall(H_ENTER, EXACT, index, v_of(&data), r_of(&data, FRAMES, 2)), 0, "double-before");
	check_eq(look(VIRTUAL, DATA_EA), 11, "double-found-first");
	check_eq(look(USER, DATA_EA), 11, "double-found-first-in-problem-state");
	unmap(index);
	check_eq(look(VIRTUAL, DATA_EA), 22, "double-found-again");
	unmap(index + 1);
}

/* Processes: their segments come and go. Each has a page of its own at the same address, and one in a second segment. */
#define PROCESSES 20u		/* more than there are spaces */

static void switch_to(unsigned n, bool both)
{
	slbia(3);
	slbmte((0x10000ull + n) << 12 | CLASS | KP, DATA_EA | SLB_V | DATA_SLOT);
	if (both)
		slbmte((0x20000ull + n) << 12 | CLASS | KP, (DATA_EA + 0x10000000) | SLB_V | BIG_SLOT);
}

static void test_processes(void)
{
	static u64 first[PROCESSES], second[PROCESSES];
	bool right = true, missing = true, after = true;

	for (unsigned n = 0; n < PROCESSES; n++) {
		struct page a = { 0x10000 + n, DATA_EA, false, 12 }, b = { 0x20000 + n, DATA_EA + 0x10000000, false, 12 };

		first[n] = map(&a, FRAMES + n * 0x1000, 2);
		second[n] = map(&b, FRAMES + 0x100000 + n * 0x1000, 2);
		put(FRAMES + n * 0x1000, n + 1);
		put(FRAMES + 0x100000 + n * 0x1000, 0x100 + n);
	}
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < PROCESSES; i++) {
			unsigned n = round == 2 ? i % 3 : i;

			switch_to(n, false);
			right &= look(USER, DATA_EA) == n + 1 && look(VIRTUAL, DATA_EA) == n + 1;
			missing &= look(USER, DATA_EA + 0x10000000) == 0x380 && look(VIRTUAL, DATA_EA + 0x10000000) == 0x380;
			switch_to(n, true);
			right &= look(USER, DATA_EA + 0x10000000) == 0x100 + n && look(VIRTUAL, DATA_EA + 0x10000000) == 0x100 + n;
			right &= look(USER, DATA_EA) == n + 1;
		}
	}
	check(right, "each-process-its-pages");
	check(missing, "a-segment-that-is-not-there-now");
	/* Pages go, or move, while others run. */
	for (unsigned n = 0; n < PROCESSES; n++) {
		struct page b = { 0x20000 + n, DATA_EA + 0x10000000, false, 12 };

		switch_to((n + 1) % PROCESSES, true);
		unmap(first[n]);
		unmap(second[n]);
		second[n] = map(&b, FRAMES + n * 0x1000, 2);
		switch_to(n, true);
		after &= look(USER, DATA_EA) == 0x300 && look(USER, DATA_EA + 0x10000000) == n + 1;
		after &= look(VIRTUAL, DATA_EA) == 0x300 && look(VIRTUAL, DATA_EA + 0x10000000) == n + 1;
	}
	check(after, "what-others-take-away");
	for (unsigned n = 0; n < PROCESSES; n++)
		unmap(second[n]);
	slbia(3);
	data_segment(0);
}

/* ---- The calls ---- */

static void want(s64 rc, s64 wanted, const char *name) { check_eq((u64)rc, (u64)wanted, name); }

static void test_calls(void)
{
	u64 out[9], index, v = v_of(&data), r = r_of(&data, FRAMES, 2), beyond = GROUPS * 8, group = group_of(&data, false) * 8;

	want(hcall(H_ENTER, 0, beyond, v, r), H_PARAMETER, "enter-index");
	want(hcall(H_ENTER, EXACT, ~0ull, v, r), H_PARAMETER, "enter-index-far");
	want(hcall(H_ENTER, 0, group, v | LARGE, r | 0x2000), H_PARAMETER, "enter-page-size");
	want(hcall(H_ENTER, 0, group, v, r & ~M_BIT), H_PARAMETER, "enter-not-coherent");
	want(hcall(H_ENTER, 0, group, v, r | 0x20), H_PARAMETER, "enter-RAM-not-cached");
	want(hcall(H_ENTER, 0, group, v, r | G_BIT), H_PARAMETER, "enter-RAM-guarded");
	want(hcall(H_ENTER, 0, group, v, r | 0x0100000000000000ull), H_PARAMETER, "enter-device-cached");
	want(hcall_out(out, H_ENTER, 0, group + 3, v | 0x60, (r & ~M_BIT) | 0x0100000000000000ull | 0x20 | G_BIT), H_SUCCESS, "enter-device");
	check_eq(out[0], group, "enter-first-free");
	check_eq(read_v(group), v, "enter-software-bits");
	want(hcall_out(out, H_ENTER, EXACT, group + 3, v, r), H_SUCCESS, "enter-exact");
	check_eq(out[0], group + 3, "enter-exact-where");
	want(hcall(H_ENTER, EXACT, group + 3, v, r), H_PTEG_FULL, "enter-exact-full");
	for (unsigned i = 0; i < 6; i++)
		want(hcall(H_ENTER, 0, group, v, r), H_SUCCESS, "enter-more");
	want(hcall(H_ENTER, 0, group, v, r), H_PTEG_FULL, "enter-full");

	want(hcall(H_READ, 0, beyond), H_PARAMETER, "read-index");
	want(hcall_out(out, H_READ, READ_4, group + 2), H_SUCCESS, "read-4");
	check(out[0] == v && out[2] == v && out[6] == v && out[7] == r, "read-4-whole");
	want(hcall_out(out, H_READ, 0, group + 3), H_SUCCESS, "read");
	check(out[0] == v && out[1] == r, "read-one");

	want(hcall(H_REMOVE, 0, beyond, 0), H_PARAMETER, "remove-index");
	want(hcall(H_REMOVE, AVPN, group, avpn_of(&data) ^ 0x80), H_NOT_FOUND, "remove-another-avpn");
	want(hcall(H_REMOVE, ANDCOND, group, VALID), H_NOT_FOUND, "remove-andcond");
	want(hcall_out(out, H_REMOVE, AVPN, group + 3, avpn_of(&data)), H_SUCCESS, "remove-avpn");
	check(out[0] == v && out[1] == r, "remove-what-was");
	want(hcall(H_REMOVE, 0, group + 3, 0), H_NOT_FOUND, "remove-twice");
	want(hcall_out(out, H_REMOVE, ANDCOND, group + 2, BOLTED), H_SUCCESS, "remove-andcond-not-bolted");
	want(hcall_out(out, H_READ, 0, group + 2), H_SUCCESS, "read-removed");
	check(!out[0] && !out[1], "removed-is-zero");

	want(hcall(H_PROTECT, 0, beyond, 0), H_PARAMETER, "protect-index");
	want(hcall(H_PROTECT, 0, group + 2, 0), H_NOT_FOUND, "protect-none");
	want(hcall(H_PROTECT, AVPN, group, 0x80), H_NOT_FOUND, "protect-another-avpn");
	want(hcall(H_PROTECT, 3 | N_BIT | 0xe00 | 0x3000 | 0x100, group + 1, 0), H_SUCCESS, "protect");
	check_eq(read_r(group + 1), r_of(&data, FRAMES, 3 | N_BIT | 0xe00 | 3ull << 60 | PP0), "protect-all");
	want(hcall(H_PROTECT, 2, group + 1, 0), H_SUCCESS, "protect-none-of-them");
	check_eq(read_r(group + 1), r, "protect-replaces");

	/* Done, done with R and C, not found, an AVPN that fits. */
	unmap(group);
	index = group + 1;
	want(hcall_out(out, H_ENTER, EXACT, group, v, r | REF | CHG), H_SUCCESS, "enter-changed");
	want(hcall_out(out, H_BULK_REMOVE, 0x4000000000000000ull | index, 0, 0x4000000000000000ull | group, 0,
		       0x4000000000000000ull | (group + 3), 0, 0x4200000000000000ull | (group + 4), avpn_of(&data)), H_SUCCESS, "bulk");
	check_eq(out[0], 0x8000000000000000ull | index, "bulk-done");
	check_eq(out[2], 0x8c00000000000000ull | group, "bulk-R-and-C");
	check_eq(out[4], 0x9000000000000000ull | (group + 3), "bulk-not-found");
	check_eq(out[6], 0x8200000000000000ull | (group + 4), "bulk-avpn");
	want(hcall_out(out, H_BULK_REMOVE, 0x4000000000000000ull | (group + 5), 0, 0x4300000000000000ull | (group + 6), 0,
		       0x4000000000000000ull | (group + 6), 0), H_PARAMETER, "bulk-both-conditions");
	check(out[0] == (0x8000000000000000ull | (group + 5)) && out[2] == (0xa300000000000000ull | (group + 6)) &&
	      out[4] == (0x4000000000000000ull | (group + 6)), "bulk-stops-there");
	want(hcall_out(out, H_BULK_REMOVE, 0x4000000000000000ull | beyond, 0), H_PARAMETER, "bulk-index");
	check_eq(out[0], 0xa000000000000000ull | beyond, "bulk-index-answer");
	want(hcall_out(out, H_BULK_REMOVE, 0x8000000000000000ull, 0), H_PARAMETER, "bulk-type");
	check_eq(out[0], 0x8000000000000000ull, "bulk-type-left");
	want(hcall_out(out, H_BULK_REMOVE, 0xc000000000000000ull, 0, 0x4000000000000000ull | (group + 6), 0), H_SUCCESS, "bulk-end");
	check_eq(read_v(group + 6), v, "bulk-end-is-the-end");
	unmap(group + 6);
	unmap(group + 7);
}

/* H_ENTER's: the page is zeroed where it gets its entry, and no byte beside it. */
static void test_flags(void)
{
	static const struct { unsigned shift; const char *name; } sizes[] = { { 12, "zero-4K" }, { 16, "zero-64K" } };
	u64 v = v_of(&data), r = r_of(&data, FRAMES, 2), group = group_of(&data, false) * 8;

	for (unsigned i = 0; i < 2; i++) {
		struct page p = { VSID_DATA, DATA_EA + 0x100000, false, sizes[i].shift };
		u64 end = 1ull << p.shift, out[9], sum = 0;

		data_segment(p.shift == 16 ? SIZE64K : 0);
		memset((void *)(FRAMES - 8), 0xff, end + 16);
		want(hcall_out(out, H_ENTER, ZERO | ICACHE, group_of(&p, false) * 8, v_of(&p), r_of(&p, FRAMES, 2)), H_SUCCESS, sizes[i].name);
		for (u64 at = FRAMES; at < FRAMES + end; at += 8)
			sum |= *(volatile u64 *)at;
		check_eq(sum, 0, sizes[i].name);
		check_eq(look(VIRTUAL, p.ea + end - 8), 0, sizes[i].name);
		check(*(volatile u64 *)(FRAMES - 8) == ~0ull && *(volatile u64 *)(FRAMES + end) == ~0ull, "zero-nothing-beside-it");
		check_eq(read_r(out[0]), r_of(&p, FRAMES, 2) | REF, "zero-is-no-store");
		unmap(out[0]);
	}
	data_segment(0);
	/* What was code there is none any more. */
	put(FRAMES, SC);
	u64 index = map(&data, FRAMES, 2);
	goes(p_jump, VIRTUAL, DATA_EA, "zero-code-before");
	unmap(index);
	want(hcall(H_ENTER, ZERO | EXACT, index, v, r), H_SUCCESS, "zero-code");
	check_eq(probe(p_jump, VIRTUAL, DATA_EA)->vector, 0x700, "zero-code-after");
	/* Nothing is entered: nothing is zeroed. */
	put(FRAMES, 77);
	want(hcall(H_ENTER, ZERO | EXACT, index, v, r), H_PTEG_FULL, "zero-full");
	want(hcall(H_ENTER, ZERO, group, v, r & ~M_BIT), H_PARAMETER, "zero-not-coherent");
	want(hcall(H_ENTER, ZERO, GROUPS * 8, v, r), H_PARAMETER, "zero-index");
	check_eq(look(VIRTUAL, DATA_EA), 77, "zero-refused");
	unmap(index);
	want(hcall(H_ENTER, ICACHE | EXACT, index, v, r), H_SUCCESS, "icache");
	check_eq(look(VIRTUAL, DATA_EA), 77, "icache-leaves-the-page");
	unmap(index);
	/* A device's page is left alone. */
	want(hcall(H_ENTER, ZERO | EXACT, index, v, (r & ~M_BIT) | 0x0100000000000000ull | 0x20 | G_BIT), H_SUCCESS, "zero-device");
	unmap(index);
}

/* QEMU has neither. */
static void test_clearing(void)
{
	u64 out[9], index = map(&data, FRAMES + 0x30000, 2), r = r_of(&data, FRAMES + 0x30000, 2);

	want(hcall(H_CLEAR_REF, 0, GROUPS * 8), H_PARAMETER, "clear-ref-index");
	want(hcall(H_CLEAR_MOD, 0, GROUPS * 8), H_PARAMETER, "clear-mod-index");
	want(hcall(H_CLEAR_MOD, 0, index + 1), H_NOT_FOUND, "clear-mod-none");
	probe(p_ld, USER, DATA_EA);
	probe(p_std, VIRTUAL, DATA_EA, SC);
	want(hcall_out(out, H_CLEAR_MOD, 0, index), H_SUCCESS, "clear-mod");
	check_eq(out[0], r | REF | CHG, "clear-mod-was");
	check_eq(read_r(index), r | REF, "clear-mod-is");
	probe(p_ld, VIRTUAL, DATA_EA);
	check_eq(read_r(index), r | REF, "a-load-does-not-change");
	probe(p_std, VIRTUAL, DATA_EA, SC);
	check_eq(read_r(index), r | REF | CHG, "a-store-changes-again");
	want(hcall_out(out, H_CLEAR_REF, 0, index), H_SUCCESS, "clear-ref");
	check_eq(out[0], r | REF | CHG, "clear-ref-was");
	check_eq(read_r(index), r | CHG, "clear-ref-is");
	probe(p_ld, USER, DATA_EA);
	check_eq(read_r(index), r | REF | CHG, "a-load-refers-again");
	unmap(index);
}

static s64 prepare(u64 shift)
{
	s64 rc;

	while ((rc = hcall(H_RESIZE_HPT_PREPARE, 0, shift)) == LONG_BUSY)
		;
	return rc;
}

/* What is bolted moves; both kinds of segments, both groups, both sizes of pages. */
static void test_resizing(void)
{
	struct page big = { VSID_BIG, BIG_EA + 0xfedcba0000, true, 16 }, small = { VSID_DATA, DATA_EA + 0x7654000, false, 12 };
	u64 out[9], loose;

	want(hcall(H_RESIZE_HPT_PREPARE, 1, 20), H_PARAMETER, "prepare-flags");
	want(hcall(H_RESIZE_HPT_PREPARE, 0, 17), H_PARAMETER, "prepare-small");
	want(hcall(H_RESIZE_HPT_PREPARE, 0, 47), H_PARAMETER, "prepare-large");
	want(hcall(H_RESIZE_HPT_PREPARE, 0, HPT_SHIFT + 2), H_RESOURCE, "prepare-more-than-memory-asks-for");
	want(hcall(H_RESIZE_HPT_COMMIT, 0, HPT_SHIFT + 1), H_CLOSED, "commit-unprepared");
	want(prepare(HPT_SHIFT + 1), H_SUCCESS, "prepare");
	want(prepare(0), H_SUCCESS, "cancel");
	want(hcall(H_RESIZE_HPT_COMMIT, 0, HPT_SHIFT + 1), H_CLOSED, "commit-cancelled");

	slbmte(ONE_T | VSID_BIG << 24 | SIZE64K, BIG_EA | SLB_V | BIG_SLOT);
	data_segment(0);
	put(FRAMES, 1);
	put(FRAMES + 0x10000, 2);
	want(hcall(H_ENTER, 0, group_of(&big, true) * 8, v_of(&big) | SECOND | BOLTED, r_of(&big, FRAMES + 0x10000, 2)), 0, "bolted-big");
	want(hcall(H_ENTER, 0, group_of(&small, false) * 8, v_of(&small) | BOLTED, r_of(&small, FRAMES, 2)), 0, "bolted-small");
	loose = map(&data, FRAMES, 2);
	check(look(VIRTUAL, big.ea) == 2 && look(VIRTUAL, small.ea) == 1 && look(VIRTUAL, DATA_EA) == 1, "before");
	want(prepare(HPT_SHIFT + 1), H_SUCCESS, "prepare-larger");
	want(hcall(H_RESIZE_HPT_COMMIT, 0, HPT_SHIFT), H_CLOSED, "commit-another");
	want(hcall(H_RESIZE_HPT_COMMIT, 0, HPT_SHIFT + 1), H_SUCCESS, "commit");
	want(hcall_out(out, H_READ, 0, GROUPS * 16 - 1), H_SUCCESS, "is-larger");
	want(hcall_out(out, H_READ, 0, GROUPS * 16), H_PARAMETER, "is-no-larger");
	check_eq(look(VIRTUAL, big.ea), 2, "bolted-big-there");
	check_eq(look(VIRTUAL, small.ea), 1, "bolted-small-there");
	check_eq(look(VIRTUAL, DATA_EA), 0x300, "the-others-gone");
	want(prepare(18), H_SUCCESS, "prepare-smallest");
	want(hcall(H_RESIZE_HPT_COMMIT, 0, 18), H_SUCCESS, "commit-smallest");
	check(look(VIRTUAL, big.ea) == 2 && look(VIRTUAL, small.ea) == 1, "still-there");
	want(prepare(HPT_SHIFT), H_SUCCESS, "prepare-as-before");
	want(hcall(H_RESIZE_HPT_COMMIT, 0, HPT_SHIFT), H_SUCCESS, "commit-as-before");
	check(look(VIRTUAL, big.ea) == 2 && look(VIRTUAL, small.ea) == 1, "back");
	want(hcall(H_READ, 0, loose), H_SUCCESS, "read-after");
	/* Two that are bolted, and meet. */
	struct page a = { 0x40000, DATA_EA, false, 12 }, b = { 0x40000, DATA_EA + 0x800000, false, 12 };
	want(hcall(H_ENTER, EXACT, group_of(&a, false) * 8 + 7, v_of(&a) | BOLTED, r_of(&a, FRAMES, 2)), 0, "bolted-one");
	want(hcall(H_ENTER, EXACT, group_of(&b, false) * 8 + 7, v_of(&b) | BOLTED, r_of(&b, FRAMES, 2)), 0, "bolted-two");
	want(prepare(18), H_SUCCESS, "prepare-too-small");
	want(hcall(H_RESIZE_HPT_COMMIT, 0, 18), H_PTEG_FULL, "commit-too-small");
	check_eq(look(VIRTUAL, small.ea), 1, "nothing-has-changed");
	slbie(BIG_EA);
}

/* ---- The SLB shadow buffer ---- */

#define SHADOW_ON (3ull << 45)
#define VPA_ON    (1ull << 45)

static u8 vpa[1024] __attribute__((aligned(1024)));
static u64 shadow[16] __attribute__((aligned(128)));
#define SHADOW_SIZE 96		/* room for five entries */

static void woken(struct cpu *c)
{
	(void)c;
	mtspr(22, 0x7fffffff);
}

/* Away from the processor, and back. */
static void cede(void)
{
	on_interrupt = woken;
	mtspr(22, 50000);
	hcall(H_CEDE);
	on_interrupt = NULL;
}

static void test_shadow(void)
{
	static const struct { u64 rs; const char *name; } wrong[] = {
		{ PPC_BIT(0) | 0x5000, "shadow-segment-size" }, { 0x5000 | 0x130, "shadow-page-size" },
	};

	memset(vpa, 0, sizeof vpa);
	vpa[4] = sizeof vpa >> 8;
	want(hcall(H_REGISTER_VPA, VPA_ON, 0, vpa), 0, "vpa");
	((volatile u32 *)shadow)[0] = be32(3);
	((volatile u32 *)shadow)[1] = be32(SHADOW_SIZE);
	shadow[2] = be64(slbmfee(0));
	shadow[3] = be64(slbmfev(0));
	shadow[4] = be64(0x50000000ull | SLB_V | 0xfff);
	shadow[5] = be64(0x555000 | KS);
	shadow[6] = be64(0x60000000ull);
	shadow[7] = be64(0x666000);
	shadow[8] = be64(0x70000000ull | SLB_V);
	shadow[9] = be64(0x777000);
	sync();
	slbmte(0x1000, 0xd0000000ull | SLB_V | 1);
	slbmte(0x2000, 0xe0000000ull | SLB_V | 2);
	slbmte(0x3000, 0xf0000000ull | SLB_V | 3);
	cede();
	check_eq(slbmfee(1), 0xd0000000ull | SLB_V, "no-shadow-yet");
	want(hcall(H_REGISTER_VPA, SHADOW_ON, 0, shadow), 0, "shadow");
	check_eq(slbmfee(1), 0xd0000000ull | SLB_V, "shadow-not-before-a-dispatch");
	probe(p_ld, VIRTUAL, 0xd0000000ull);
	cede();
	check(slbmfee(1) == (0x50000000ull | SLB_V) && slbmfev(1) == (0x555000 | KS), "shadow-comes-back");
	check_eq(probe(p_ld, VIRTUAL, 0xd0000000ull)->vector, 0x380, "what-it-replaces-is-gone");
	check_eq(probe(p_ld, VIRTUAL, 0x50000000ull)->vector, 0x300, "and-it-is-there");
	check_eq(slbmfee(2), 0x60000000ull, "shadow-invalid");
	check_eq(slbmfee(3), 0xf0000000ull | SLB_V, "the-others-stay");
	slbie(0x50000000ull);
	cede();
	check_eq(slbmfee(1), 0x50000000ull | SLB_V, "shadow-each-time");
	/* A count beyond the buffer: as many as it has. */
	((volatile u32 *)shadow)[0] = be32(~0u);
	sync();
	cede();
	check_eq(slbmfee(3), 0x70000000ull | SLB_V, "shadow-count-beyond");
	check_eq(slbmfee(DATA_SLOT), DATA_EA | SLB_V, "which-is-no-more-than-the-buffer");
	for (unsigned i = 0; i < 2; i++) {
		shadow[5] = be64(wrong[i].rs);
		sync();
		cede();
		check(!(slbmfee(1) & SLB_V), wrong[i].name);
	}
	((volatile u32 *)shadow)[0] = be32(1);
	sync();
	want(hcall(H_REGISTER_VPA, 7ull << 45, 0, 0), 0, "shadow-away");
	slbie(0xd0000000ull);
	slbmte(0x1000, 0xd0000000ull | SLB_V | 1);
	cede();
	check_eq(slbmfee(1), 0xd0000000ull | SLB_V, "no-shadow-any-more");
	want(hcall(H_REGISTER_VPA, 5ull << 45, 0, 0), 0, "vpa-away");
}

/* ---- Other processors ---- */

static volatile u64 turn;
static u64 shared_index;

static void other(struct cpu *c)
{
	(void)c;
	slbmte(VSID_CODE << 12 | SIZE64K, SLB_V);
	data_segment(0);
	warm(DATA_EA);
	turn = look(VIRTUAL, DATA_EA) == SC ? 1 : 9;
	while (turn != 2)
		sync();
	turn = look(VIRTUAL, DATA_EA) == 0x300 && look(USER, DATA_EA) == 0x300 ? 3 : 9;
	stop_self();
}

static void test_others(void)
{
	put(FRAMES, SC);
	shared_index = map(&data, FRAMES, 2);
	start_cpu(1, other);
	while (turn != 1 && turn != 9)
		sync();
	check_eq(turn, 1, "another-processor-sees-it");
	unmap(shared_index);
	turn = 2;
	while (turn == 2)
		sync();
	check_eq(turn, 3, "another-processor-loses-it");
}

/* ---- The other MMU and back ---- */

static void test_turning(void)
{
	u64 index = map(&data, FRAMES, 2);

	want(hcall(H_REGISTER_PROC_TBL, 0x18, 1ull << 38, 0, 0), H_P2, "hash-table-base");
	want(hcall(H_REGISTER_PROC_TBL, 0x18, 0, 8, 0), H_P3, "hash-table-page-size");
	want(hcall(H_REGISTER_PROC_TBL, 0x18, 0, 0, 25), H_P4, "hash-table-size");
	want(hcall(H_REGISTER_PROC_TBL, 0x1a, 0, 0, 0), H_PARAMETER, "segment-tables");
	want(hcall(H_REGISTER_PROC_TBL, 4, 0, 0, 0), H_PARAMETER, "not-registered");
	want(hcall(H_REGISTER_PROC_TBL, 0, 0, 0, 0), H_SUCCESS, "keep-none");
	goes(p_ld, VIRTUAL, DATA_EA, "still-hash");
	if (is_power8()) {
		want(hcall(H_REGISTER_PROC_TBL, 0x1c, 0x1000000, 0, 0), H_PARAMETER, "no-radix");
		goes(p_ld, VIRTUAL, DATA_EA, "hash-for-ever");
		return;
	}
	want(hcall(H_REGISTER_PROC_TBL, 0x1c, 0x1000000, 0, 0), H_SUCCESS, "radix");
	want(hcall(H_READ, 0, index), H_PARAMETER, "no-table");
	want(hcall(H_ENTER, 0, index, v_of(&data), r_of(&data, FRAMES, 2)), H_PARAMETER, "no-table-to-enter");
	want(hcall(H_RESIZE_HPT_PREPARE, 0, 20), H_NOT_AVAILABLE, "no-table-to-resize");
	want(hcall(H_REGISTER_PROC_TBL, 0x18, 0, 0, 0), H_SUCCESS, "hash-again");
	check_eq(read_v(index), 0, "an-empty-table");
}

static void map_program(void)
{
	slbmte(VSID_CODE << 12 | SIZE64K, SLB_V);
	for (u64 ra = 0; ra < 0x800000; ra += 0x10000) {
		struct page p = { VSID_CODE, ra, false, 16 };
		u64 out[9];

		if (hcall_out(out, H_ENTER, 0, group_of(&p, false) * 8, v_of(&p) | BOLTED, r_of(&p, ra, 2)))
			panic("the program");
	}
}

void test(void)
{
	mtspr(22, 0x7fffffff);
	map_program();
	data_segment(0);
	test_slb();
	test_segment_registers();
	data_segment(0);
	test_sizes();
	test_faults();
	test_permissions();
	test_keys();
	test_key_turns();
	test_reference();
	test_forgetting();
	test_processes();
	test_calls();
	test_flags();
	test_clearing();
	test_resizing();
	test_shadow();
	test_others();
	test_turning();
}
