/* Four processors that enter, protect and remove the same entries of a hash page table and resize it, while each of them
 * reads, writes and executes the pages. Every page has a lock. Who holds it knows what is mapped, whoever has done that, and
 * must see it: no processor may go by what it remembers. Some calls ask for no lock, for any index and with any flags, but
 * leave the pages with locks alone; what these calls map may be seen or not, but nothing else may stand there. */
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

#define EXACT   PPC_BIT(24)
#define AVPN    PPC_BIT(32)
#define BOLTED  0x10ull
#define LARGE   4ull
#define VALID   1ull
#define M_BIT   0x10ull
#define READ_WRITE 2ull
#define READ_ONLY  3ull
#define SLB_V   PPC_BIT(36)
#define SIZE64K 0x110ull
#define VIRTUAL (OUR_MSR | MSR_IR | MSR_DR)

#define VSID_CODE 0x101ull
#define VSID_DATA 0x123456ull
#define DATA_EA   0x30000000ull
#define FRAMES    0x2000000ull	/* two for each page */
#define PAGES     16u
#define LOCKED    8u		/* the first of them; the others are anybody's */
#define STEPS     10000u
#define CPUS      4u
#define LEAST     18u		/* log2 of bytes of the table */
#define MOST      22u

static volatile u32 lock[LOCKED];
static volatile u64 frame_of[LOCKED];	/* 0: not mapped */
static volatile u64 read_only[LOCKED], shift = 21;
static volatile u64 wrong[CPUS], done_with[CPUS], seen[CPUS], refused[CPUS], resized[CPUS];

/* ---- Numbers, and locks ---- */

static u64 draw(struct cpu *c, u64 n)
{
	c->spare = c->spare * 6364136223846793005ull + 1442695040888963407ull;
	return (c->spare >> 33) % n;
}

static void take(volatile u32 *l)
{
	u32 old;

	do
		__asm__ volatile("lwarx %0,0,%1\n\tcmpwi %0,0\n\tbne- 1f\n\tstwcx. %2,0,%1\n\tbeq+ 2f\n1:\tli %0,1\n2:\tisync"
				 : "=&r"(old) : "r"(l), "r"(1) : "cr0", "memory");
	while (old);
}

static void give(volatile u32 *l)
{
	__asm__ volatile("lwsync" : : : "memory");
	*l = 0;
}

/* ---- Entries ---- */

static void slbmte(u64 rs, u64 rb) { __asm__ volatile("isync\n\tslbmte %0,%1\n\tisync" : : "r"(rs), "r"(rb) : "memory"); }
static u64 ea_of(u64 page) { return DATA_EA + page * 0x801000; }	/* groups of their own */
static u64 avpn_of(u64 vsid, u64 ea) { return vsid << 12 | (ea & 0xfffffff) >> 23 << 7; }
static u64 group_of(u64 vsid, u64 ea, unsigned bits)
{
	return (vsid ^ (ea & 0xfffffff) >> bits) & ((1ull << (shift - 7)) - 1);
}

static u64 frame(u64 page, u64 which) { return FRAMES + (2 * page + which) * 0x1000; }
static u64 tag(u64 ra) { return 0x7a60000000000000ull | ra; }

static void new_frame(u64 ra)
{
	*(volatile u64 *)ra = tag(ra);
	put_insn((void *)(ra + 0x100), 0x38600000 | (u32)(ra >> 12 & 0x7fff));	/* li r3,number of the frame */
	put_insn((void *)(ra + 0x104), 0x44000002);				/* sc */
}

PROBE(p_std, "", "std 4,0(3)", "");
PROBE(p_jump, "mtctr 3", "bctr", "");
/* Over and over, so that its blocks know where the page is. */
PROBE(p_often, "mtctr 4", "ld 5,0(3)", "bdnz p_often_at");

/* ---- Who holds the lock ---- */

static bool is_seen(u64 page)
{
	u64 ea = ea_of(page), ra = frame_of[page];
	struct cpu *c = probe(p_often, VIRTUAL, ea, 20);
	bool ok = ra ? c->vector == 0xc00 && c->r[5] == tag(ra) : c->vector == 0x300 && c->dar == ea;

	if (page & 1) {		/* stores to a page without code need not ask anew */
		c = probe(p_jump, VIRTUAL, ea + 0x100);
		ok &= ra ? c->vector == 0xc00 && c->r[3] == (ra >> 12 & 0x7fff) : c->vector == 0x400 && c->srr0 == ea + 0x100;
	}
	c = probe(p_std, VIRTUAL, ea, tag(ra));
	return ok && c->vector == (ra && !read_only[page] ? 0xc00 : 0x300);
}

static u64 slot_of(u64 page)
{
	u64 first = group_of(VSID_DATA, ea_of(page), 12) * 8, out[9];

	for (u64 i = first; i < first + 8; i++)
		if (!hcall_out(out, H_READ, 0, i) && out[0] & VALID && (out[0] & ~0x7full) == avpn_of(VSID_DATA, ea_of(page)))
			return i;
	return ~0ull;
}

static void enter(struct cpu *c, u64 page)
{
	u64 ra = frame(page, draw(c, 2));
	s64 rc;

	read_only[page] = draw(c, 2);
	rc = hcall(H_ENTER, 0, group_of(VSID_DATA, ea_of(page), 12) * 8, avpn_of(VSID_DATA, ea_of(page)) | VALID,
		   ra | M_BIT | (read_only[page] ? READ_ONLY : READ_WRITE));
	if (rc == H_SUCCESS)
		frame_of[page] = ra;
	else
		refused[c->index] += rc == H_PTEG_FULL ? 1 : 1000000;
}

static bool remove(struct cpu *c, u64 page, u64 slot)
{
	u64 avpn = avpn_of(VSID_DATA, ea_of(page));
	s64 rc = draw(c, 2) ? hcall(H_REMOVE, AVPN, slot, avpn)
			    : hcall(H_BULK_REMOVE, 2ull << 60 | 1ull << 62 | slot, avpn, 3ull << 62);

	frame_of[page] = 0;
	return rc == H_SUCCESS;
}

static bool protect(struct cpu *c, u64 page, u64 slot)
{
	read_only[page] = draw(c, 2);
	return hcall(H_PROTECT, AVPN | (read_only[page] ? READ_ONLY : READ_WRITE), slot, avpn_of(VSID_DATA, ea_of(page))) == H_SUCCESS;
}

/* What the page is and must be seen as, before and after a change. */
static void step(struct cpu *c, u64 page)
{
	u64 slot;
	bool ok;

	take(&lock[page]);
	ok = is_seen(page);
	slot = slot_of(page);
	ok &= (slot != ~0ull) == (frame_of[page] != 0);
	if (!frame_of[page])
		enter(c, page);
	else if (draw(c, 2))
		ok &= remove(c, page, slot);
	else
		ok &= protect(c, page, slot);
	ok &= is_seen(page);
	give(&lock[page]);
	wrong[c->index] += !ok;
}

/* Entries that are not bolted go. */
static void resize(struct cpu *c)
{
	u64 to = LEAST + draw(c, MOST - LEAST + 1);
	s64 rc;

	if (hcall(H_RESIZE_HPT_PREPARE, 0, to))
		return;
	for (unsigned i = 0; i < LOCKED; i++)
		take(&lock[i]);
	rc = hcall(H_RESIZE_HPT_COMMIT, 0, to);
	if (rc == H_SUCCESS) {
		shift = to;
		for (unsigned i = 0; i < LOCKED; i++)
			frame_of[i] = 0;
		resized[c->index]++;
	}
	for (unsigned i = 0; i < LOCKED; i++)
		wrong[c->index] += !is_seen(i);
	for (unsigned i = 0; i < LOCKED; i++)
		give(&lock[i]);
}

/* ---- Who does not ---- */

/* The groups of pages that nobody locks: any slot, doubles, entries that another processor is about to remove. */
static void hostile(struct cpu *c, u64 page)
{
	static const u32 calls[] = { H_REMOVE, H_ENTER, H_ENTER, H_ENTER, H_PROTECT, H_READ, H_CLEAR_REF, H_CLEAR_MOD };
	u64 ea = ea_of(page), slot = group_of(VSID_DATA, ea, 12) * 8 + draw(c, 8), avpn = avpn_of(VSID_DATA, ea), call = calls[draw(c, 8)];
	u64 flags = draw(c, 2) ? EXACT : 0, r = frame(page, draw(c, 2)) | M_BIT | draw(c, 4);

	if (call == H_ENTER)
		hcall(call, flags, slot, avpn | VALID, r);
	else if (draw(c, 2))
		hcall(call, AVPN | draw(c, 8), slot, avpn);
	else
		hcall(H_BULK_REMOVE, 2ull << 60 | 1ull << 62 | slot, avpn, 2ull << 60 | 1ull << 62 | (slot ^ 1), avpn, 3ull << 62);
}

/* A frame of the page, or nothing. */
static void look(struct cpu *c, u64 page)
{
	struct cpu *p = probe(p_often, VIRTUAL, ea_of(page), 1 + draw(c, 50));

	if (p->vector == 0xc00) {
		seen[c->index]++;
		wrong[c->index] += p->r[5] != tag(frame(page, 0)) && p->r[5] != tag(frame(page, 1));
	} else {
		wrong[c->index] += p->vector != 0x300 || p->dar != ea_of(page);
	}
}

/* ---- The crowd ---- */

static void crowd(struct cpu *c)
{
	slbmte(VSID_CODE << 12 | SIZE64K, SLB_V);
	slbmte(VSID_DATA << 12, DATA_EA | SLB_V | 5);
	c->spare = c->index + 1;
	for (unsigned i = 0; i < STEPS; i++) {
		u64 page = draw(c, PAGES);

		if (!draw(c, 100))
			resize(c);
		else if (page < LOCKED)
			step(c, page);
		else if (draw(c, 2))
			hostile(c, page);
		else
			look(c, page);
	}
	done_with[c->index] = 1;
}

static void member(struct cpu *c)
{
	crowd(c);
	stop_self();
}

static void map_program(void)
{
	for (u64 ra = 0; ra < 0x800000; ra += 0x10000)
		if (hcall(H_ENTER, 0, group_of(VSID_CODE, ra, 16) * 8, avpn_of(VSID_CODE, ra) | LARGE | VALID | BOLTED,
			  ra | 0x1000 | M_BIT | READ_WRITE))
			panic("the program");
}

void test(void)
{
	u64 all = 0, often = 0;

	mtspr(22, 0x7fffffff);
	map_program();
	for (u64 page = 0; page < PAGES; page++) {
		new_frame(frame(page, 0));
		new_frame(frame(page, 1));
	}
	for (unsigned n = 1; n < CPUS; n++)
		check(start_cpu(n, member) != NULL, "start-cpu");
	crowd(this_cpu());
	for (unsigned n = 0; n < CPUS; n++) {
		while (!done_with[n])
			sync();
		check_eq(wrong[n], 0, "who-holds-the-lock-sees-what-is-mapped");
		check(refused[n] < 1000000, "an-entry-is-taken-or-the-group-is-full");
		all += seen[n];
		often += resized[n];
		print("processor %u: seen %u, full %u, resized %u, at %x\n", n, seen[n], refused[n], resized[n], cpus[n].spare);
	}
	check(all > 50, "pages-of-nobody-are-seen");
	check(often > 5, "the-table-is-resized");
}
