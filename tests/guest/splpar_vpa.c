/* H_REGISTER_VPA: every subfunction, every check in PAPR's order, every code; what registration keeps
 * and what it sets; the parity of the dispatch count. PAPR, H_REGISTER_VPA, "Virtual Processor Areas".
 * Names that begin with s9- are behaviours in which other emulators fall short. */
#include "splpar.h"

static u8 room[2][4096] __attribute__((aligned(8192)));	/* two pages in a row */

static void want(unsigned what, u64 proc, const volatile void *at, s64 rc, const char *name)
{
	check_eq(reg(what, proc, at), (u64)rc, name);
}

/* An area whose size field says so; 16 bits of it for a VPA. */
static void *sized(unsigned what, volatile void *at, u64 size)
{
	set((volatile u8 *)at + 4, what == VPA_ON ? 2 : 4, size);
	return (void *)at;
}

static void *in_ram(u64 from_end) { return (void *)(RAM - from_end); }

/* ---- Subfunction, then processor ---- */

static void test_arguments(void)
{
	static const u64 nobody[] = { 4, 63, 64, 2048, 0x7fffffff, 1ull << 32, TOP };
	static const u8 all[] = { VPA_ON, DTL_ON, SLB_ON, VPA_OFF, DTL_OFF, SLB_OFF };

	sized(VPA_ON, room[0], 640);
	want(0, 0, room[0], H_PARAMETER, "subfunction-0");
	want(4, 0, room[0], H_PARAMETER, "subfunction-4");
	want(0, 64, NULL, H_PARAMETER, "subfunction-0-and-nobody");
	for (unsigned i = 0; i < sizeof all; i++)
		for (unsigned j = 0; j < sizeof nobody / sizeof nobody[0]; j++)
			want(all[i], nobody[j], room[0], H_PARAMETER, "no-such-processor");
	check_eq((u64)hcall(H_REGISTER_VPA, SUB(VPA_ON) | 1ull << 48 | 0xfff, 0, room[0]), H_SUCCESS, "s9-26-other-flag-bits-ignored");
	check_eq((u64)hcall(H_REGISTER_VPA, SUB(VPA_OFF) | PPC_BIT(0), 0, TOP), H_SUCCESS, "s9-26-and-of-deregistering");
	check_eq((u64)hcall(H_REGISTER_VPA | 1, SUB(VPA_ON), 0, room[0]), (u64)H_FUNCTION, "token-with-low-bits");
}

/* ---- Address ---- */

static void test_addresses(void)
{
	static const u64 outside[] = { RAM, RAM + 4096, 1ull << 32, 1ull << 40, 1ull << 59, 1ull << 63, 0xc000000002000000ull,
				       TOP & ~127ull, TOP & ~4095ull };

	want(VPA_ON, 0, sized(VPA_ON, room[0], 640), H_SUCCESS, "vpa-for-the-others");
	for (unsigned what = VPA_ON; what <= SLB_ON; what++) {
		want(what, 0, NULL, H_PARAMETER, "s9-21-address-0");
		for (unsigned i = 0; i < sizeof outside / sizeof outside[0]; i++)
			want(what, 0, (void *)outside[i], H_PARAMETER, "outside-RAM");
		/* All is well there but the alignment: the size field moves along. */
		for (unsigned off = 1; off < 128; off *= 2) {
			memset(room[0], 0, 2048);
			want(what, 0, sized(what, room[0] + off, 1024), H_PARAMETER,
			     what == VPA_ON ? "misaligned" : off == 8 ? "s9-19-line+8" : "s9-19-misaligned");
		}
		if (what != VPA_ON)
			reg(what + 4, 0, NULL);
	}
	want(VPA_OFF, 0, NULL, H_SUCCESS, "vpa-away-again");
}

/* ---- Size and place ---- */

struct place {
	void *at;
	u64 size;
	s64 rc;
	const char *name;
};

static void try_places(unsigned what, const struct place *p, unsigned n)
{
	for (; n--; p++) {
		if (what == VPA_ON)
			memset(p->at, 0, 128);
		sized(what, p->at, p->size);
		want(what, 0, p->at, p->rc, p->name);
		/* What is refused leaves nothing registered and what was registered alone. */
		want(what + 4, 0, NULL, H_SUCCESS, p->name);
	}
}

static void test_vpa_size(void)
{
	const struct place places[] = {
		{ room[0], 0, H_PARAMETER, "vpa-0" },
		{ room[0], 1, H_PARAMETER, "vpa-1" },
		{ room[0], 632, H_PARAMETER, "vpa-632" },
		{ room[0], 0x27f, H_PARAMETER, "vpa-0x27f" },
		{ room[0], 0x280, H_SUCCESS, "vpa-0x280" },
		{ room[0], 0x281, H_SUCCESS, "vpa-0x281" },
		{ room[0], 1024, H_SUCCESS, "vpa-1024" },
		{ room[0], 4096, H_SUCCESS, "vpa-a-page" },
		{ room[0], 4097, H_PARAMETER, "vpa-more-than-a-page" },
		{ room[0], 0xffff, H_PARAMETER, "vpa-0xffff" },
		{ room[0] + 128, 4096, H_PARAMETER, "vpa-a-page-from-its-second-line" },
		{ room[0] + 0xd80, 640, H_SUCCESS, "vpa-up-to-the-page's-end" },
		{ room[0] + 0xd80, 641, H_PARAMETER, "vpa-a-byte-beyond" },
		{ room[0] + 0xe00, 640, H_PARAMETER, "vpa-crosses-a-page" },
		{ room[0] + 0xf80, 640, H_PARAMETER, "vpa-crosses-a-page-by-most" },
		{ in_ram(640), 640, H_SUCCESS, "vpa-up-to-RAM's-end" },
		{ in_ram(512), 640, H_PARAMETER, "vpa-leaves-RAM" },
		{ in_ram(128), 640, H_PARAMETER, "vpa-leaves-RAM-by-most" },
		{ in_ram(4096), 4096, H_SUCCESS, "vpa-RAM's-last-page" },
	};

	try_places(VPA_ON, places, sizeof places / sizeof places[0]);
}

static void test_dtl_size(void)
{
	const struct place places[] = {
		{ room[0], 0, H_PARAMETER, "dtl-0" },
		{ room[0], 1, H_PARAMETER, "dtl-1" },
		{ room[0], 47, H_PARAMETER, "dtl-47" },
		{ room[0], 48, H_SUCCESS, "dtl-48" },
		{ room[0], 95, H_SUCCESS, "dtl-95" },
		{ room[0], 4095, H_SUCCESS, "dtl-4095" },
		{ room[0], 4096, H_SUCCESS, "dtl-4096" },
		{ room[0], 4097, H_PARAMETER, "s9-20-dtl-4097" },
		{ room[0], 8192, H_PARAMETER, "s9-20-dtl-8192" },
		{ room[0], 0x00300000, H_PARAMETER, "dtl-48-in-the-upper-half" },
		{ room[0], 0x7fffffff, H_PARAMETER, "dtl-0x7fffffff" },
		{ room[0], 0x80000000, H_PARAMETER, "dtl-0x80000000" },
		{ room[0], 0xffffffff, H_PARAMETER, "dtl-0xffffffff" },
		{ room[0] + 0xf80, 256, H_SUCCESS, "dtl-may-cross-a-page" },
		{ room[0] + 0x80, 4096, H_SUCCESS, "dtl-of-a-page-may-cross-one" },
		{ in_ram(4096), 4096, H_SUCCESS, "dtl-up-to-RAM's-end" },
		{ in_ram(128), 128, H_SUCCESS, "dtl-in-RAM's-last-line" },
		{ in_ram(128), 144, H_PARAMETER, "s9-20-dtl-leaves-RAM" },
		{ in_ram(3968), 4096, H_PARAMETER, "s9-20-dtl-leaves-RAM-by-a-line" },
	};

	want(DTL_ON, 0, sized(DTL_ON, room[0], 47), H_PARAMETER, "dtl-size-is-looked-at-before-the-vpa");
	want(DTL_ON, 0, sized(DTL_ON, room[0], 4096), H_RESOURCE, "dtl-before-vpa");
	check_eq(vpa_on(0), H_SUCCESS, "vpa-for-dtl");
	try_places(DTL_ON, places, sizeof places / sizeof places[0]);
	want(VPA_OFF, 0, NULL, H_SUCCESS, "vpa-for-dtl-away");
}

static void test_slb_size(void)
{
	const struct place places[] = {
		{ room[0], 0, H_PARAMETER, "slb-0" },
		{ room[0], 7, H_PARAMETER, "slb-7" },
		{ room[0], 8, H_SUCCESS, "slb-8" },
		{ room[0], 128, H_SUCCESS, "slb-128" },
		{ room[0], 4096, H_SUCCESS, "slb-a-page" },
		{ room[0], 4097, H_PARAMETER, "slb-more-than-a-page" },
		{ room[0], 0xffffffff, H_PARAMETER, "slb-0xffffffff" },
		{ room[0], 0x80000008, H_PARAMETER, "slb-0x80000008" },
		{ room[0] + 0xf80, 128, H_SUCCESS, "slb-up-to-the-page's-end" },
		{ room[0] + 0xf80, 129, H_PARAMETER, "slb-a-byte-beyond" },
		{ room[0] + 0x80, 4096, H_PARAMETER, "slb-crosses-a-page" },
		{ in_ram(128), 128, H_SUCCESS, "slb-up-to-RAM's-end" },
		{ in_ram(128), 136, H_PARAMETER, "slb-leaves-RAM" },
	};

	want(SLB_ON, 0, sized(SLB_ON, room[0], 7), H_PARAMETER, "slb-size-is-looked-at-before-the-vpa");
	want(SLB_ON, 0, sized(SLB_ON, room[0], 128), H_RESOURCE, "slb-before-vpa");
	check_eq(vpa_on(0), H_SUCCESS, "vpa-for-slb");
	/* How many entries it says to have is its own affair. */
	set(room[0], 4, 0xffffffff);
	try_places(SLB_ON, places, sizeof places / sizeof places[0]);
	want(VPA_OFF, 0, NULL, H_SUCCESS, "vpa-for-slb-away");
}

/* ---- Order of deregistering ---- */

static void test_order(void)
{
	want(DTL_OFF, 0, NULL, H_SUCCESS, "dtl-away-without-one");
	want(SLB_OFF, 0, NULL, H_SUCCESS, "slb-away-without-one");
	want(VPA_OFF, 0, NULL, H_SUCCESS, "vpa-away-without-one");
	want(VPA_OFF, 0, (void *)TOP, H_SUCCESS, "address-means-nothing-to-deregister");
	check_eq(vpa_on(0), H_SUCCESS, "vpa");
	check_eq(dtl_on(0, 192, 0), H_SUCCESS, "dtl");
	want(SLB_ON, 0, sized(SLB_ON, slb[0], 128), H_SUCCESS, "slb");
	want(VPA_OFF, 0, NULL, H_RESOURCE, "vpa-first");
	want(VPA_ON, 0, vpa[0], H_SUCCESS, "vpa-again-while-all-are-registered");
	want(VPA_OFF, 0, NULL, H_RESOURCE, "which-keeps-dtl-and-slb");
	want(SLB_OFF, 0, NULL, H_SUCCESS, "slb-away");
	want(VPA_OFF, 0, NULL, H_RESOURCE, "dtl-is-still-there");
	want(DTL_OFF, 0, (void *)TOP, H_SUCCESS, "dtl-away");
	want(VPA_OFF, 0, NULL, H_SUCCESS, "vpa-last");
	check_eq(vpa_on(0), H_SUCCESS, "vpa-2");
	want(SLB_ON, 0, slb[0], H_SUCCESS, "slb-2");
	want(VPA_OFF, 0, NULL, H_RESOURCE, "slb-is-still-there");
	want(SLB_OFF, 0, NULL, H_SUCCESS, "slb-2-away");
	want(VPA_OFF, 0, NULL, H_SUCCESS, "vpa-2-away");
	want(DTL_ON, 0, sized(DTL_ON, dtl[0], 192), H_RESOURCE, "dtl-after-vpa");
}

/* ---- What is kept, what is set ---- */

/* The guest's bytes and those without a meaning, up to what Linux passes. The rest is the hypervisor's. */
static bool kept_byte(unsigned i)
{
	static const struct { u16 from, to; } hypervisor[] = { { 0x09, 0x0a }, { 0x18, 0x20 }, { 0x58, 0x60 }, { 0x100, 0x180 },
							       { 0x188, 0x198 }, { 0x218, 0x220 } };

	for (unsigned k = 0; k < sizeof hypervisor / sizeof hypervisor[0]; k++)
		if (i >= hypervisor[k].from && i < hypervisor[k].to)
			return false;
	return true;
}

static void test_kept(void)
{
	u8 *v = vpa[0];
	unsigned lost = 0;

	for (unsigned i = 0; i < 4096; i++)
		v[i] = (u8)(i * 7 + 1);
	set(v + V_SIZE, 2, 1024);
	set(v + V_COUNT, 4, 7);
	v[V_STATUS] = 0;
	v[V_DTL_MASK] = 7;		/* and no log: must be harmless */
	want(VPA_ON, 0, v, H_SUCCESS, "vpa-with-all-its-fields");
	check(get(v + V_COUNT, 4) % 2 == 0, "s9-23-count-even-at-once");
	check(get(v + V_COUNT, 4) != 0, "count-not-zero");
	check_eq(v[V_STATUS] & 2, shared() ? 2 : 0, "status-says-shared");
	cede_for(MS);
	set(v + V_SIZE, 2, 0);		/* read at registration, and never again */
	cede_for(MS);
	set(v + V_SIZE, 2, 1024);
	for (unsigned i = 0; i < 4096; i++)
		if (kept_byte(i) && v[i] != (i == V_SIZE ? 4 : i == V_SIZE + 1 ? 0 : i == V_DTL_MASK ? 7 : (u8)(i * 7 + 1))) {
			if (!lost++)
				print("# first lost byte %x\n", (u64)i);
		}
	check_eq(lost, 0, "guest's-fields-survive");
	check(get(v + V_COUNT, 4) % 2 == 0, "even-while-running");
	want(VPA_OFF, 0, NULL, H_SUCCESS, "and-away");
	check(get(v + V_COUNT, 4) % 2 == 1, "s9-24-count-odd-after-deregistering");
	v[V_STATUS] = 2;
	want(VPA_ON, 0, v, H_SUCCESS, "vpa-with-the-status-of-another");
	check_eq(v[V_STATUS] & 2, shared() ? 2 : 0, "status-is-the-hypervisor's");
	want(VPA_OFF, 0, NULL, H_SUCCESS, "and-away-again");
	/* It is ours alone now. */
	memset(v, 0x55, 4096);
	cede_for(MS);
	cede_for(MS);
	lost = 0;
	for (unsigned i = 0; i < 4096; i++)
		lost += v[i] != 0x55;
	check_eq(lost, 0, "deregistered-is-left-alone");
}

static void test_count(void)
{
	static const u32 presets[] = { 0, 1, 7, 0x7fffffff, 0xfffffffe, 0xffffffff };
	u32 before;

	for (unsigned i = 0; i < sizeof presets / sizeof presets[0]; i++) {
		vpa_on(0);
		reg(VPA_OFF, 0, NULL);
		set(vpa[0] + V_COUNT, 4, presets[i]);
		want(VPA_ON, 0, vpa[0], H_SUCCESS, "vpa-with-a-count");
		check(count_of(0) % 2 == 0, "s9-23-even-whatever-was-there");
		cede_for(MS);
		check(count_of(0) % 2 == 0, "s9-23-and-after-a-cede");
		want(VPA_OFF, 0, NULL, H_SUCCESS, "vpa-with-a-count-away");
		check(count_of(0) % 2 == 1, "s9-24-odd-after-deregistering");
	}
	/* Another area from one call to the next: the first is left alone. */
	vpa_on(0);
	memset(room[0], 0, 1024);
	want(VPA_ON, 0, sized(VPA_ON, room[0], 1024), H_SUCCESS, "vpa-elsewhere");
	before = count_of(0);
	cede_for(MS);
	check_eq(count_of(0), before, "the-first-area-is-left-alone");
	check(get(room[0] + V_COUNT, 4) % 2 == 0 && get(room[0] + V_COUNT, 4) != 0, "the-last-one-counts");
	before = (u32)get(room[0] + V_COUNT, 4);
	cede_for(MS);
	check_eq((u32)get(room[0] + V_COUNT, 4), before + 2, "by-two-for-a-cede");
	want(VPA_OFF, 0, NULL, H_SUCCESS, "the-last-one-away");
}

/* ---- Of another processor ---- */

static volatile u64 go, seen_count[MAX_CPUS];

static void runner(struct cpu *c)
{
	seen_count[c->index] = count_of((unsigned)c->index);
	while (!go)
		;
}

static void sleeper(struct cpu *c)
{
	(void)c;
	while (!go)
		cede();
}

static void stopped_one(void)
{
	want(VPA_ON, 1, sized(VPA_ON, memset(vpa[1], 0, 1024), 1024), H_SUCCESS, "of-a-stopped-one");
	check(count_of(1) % 2 == 1, "of-a-stopped-one-odd");
	want(DTL_ON, 1, sized(DTL_ON, dtl[1], 192), H_SUCCESS, "dtl-of-a-stopped-one");
	want(SLB_ON, 1, sized(SLB_ON, slb[1], 128), H_SUCCESS, "slb-of-a-stopped-one");
	want(VPA_OFF, 1, NULL, H_RESOURCE, "vpa-of-a-stopped-one-first");
	want(SLB_OFF, 1, NULL, H_SUCCESS, "slb-of-a-stopped-one-away");
	want(DTL_OFF, 1, NULL, H_SUCCESS, "dtl-of-a-stopped-one-away");
	want(VPA_OFF, 1, NULL, H_SUCCESS, "vpa-of-a-stopped-one-away");
	check(count_of(1) % 2 == 1, "of-a-stopped-one-still-odd");
	want(VPA_ON, 1, vpa[1], H_SUCCESS, "vpa-of-a-stopped-one-for-its-start");
}

static void running_one(const char *kind)
{
	sized(VPA_ON, room[0], 640);
	want(VPA_ON, 1, room[0], H_STATE, "s9-25-vpa-of-a-running-one");
	want(VPA_ON, 1, room[0] + 8, H_STATE, "s9-25-state-before-address");
	want(SLB_ON, 1, slb[1], H_STATE, "s9-25-slb-of-a-running-one");
	want(SLB_OFF, 1, NULL, H_STATE, "s9-25-slb-of-a-running-one-away");
	want(VPA_OFF, 1, NULL, H_STATE, "s9-25-vpa-of-a-running-one-away");
	want(DTL_ON, 1, sized(DTL_ON, dtl[1], 192), H_SUCCESS, "dtl-of-a-running-one");
	want(DTL_ON, 1, dtl[1] + 8, H_PARAMETER, "s9-19-dtl-of-a-running-one-misaligned");
	want(DTL_OFF, 1, NULL, H_SUCCESS, "dtl-of-a-running-one-away");
	check(true, kind);
}

static void test_others(void)
{
	vpa_on(0);
	stopped_one();
	go = 0;
	check(launch(1, runner), "runner");
	check(seen_count[1] % 2 == 0 && seen_count[1], "started-it-sees-an-even-count");
	running_one("while-it-runs");
	go = 1;
	check(ended(1), "runner-stopped");
	check(count_of(1) % 2 == 1, "stop-self-makes-it-odd");
	go = 0;
	check(launch(1, sleeper), "sleeper");
	spin_for(60 * MS);
	check(count_of(1) % 2 == 1, "odd-while-ceded");
	running_one("while-it-has-ceded");
	go = 1;
	hcall(H_PROD, 1);
	check(ended(1), "sleeper-stopped");
	want(VPA_OFF, 1, NULL, H_SUCCESS, "vpa-of-one-that-has-stopped");
	go = 1;
	check(launch(2, runner) && ended(2), "one-without-a-vpa");
	want(DTL_ON, 2, sized(DTL_ON, dtl[2], 192), H_RESOURCE, "dtl-of-one-without-a-vpa");
	/* Calls that give nothing away are no dispatches. */
	{
		u32 before = count_of(0);

		hcall(H_PROD, 3);
		hcall(H_POLL_PENDING);
		want(VPA_ON, 3, sized(VPA_ON, vpa[3], 1024), H_SUCCESS, "vpa-of-3");
		want(VPA_OFF, 3, NULL, H_SUCCESS, "vpa-of-3-away");
		if (!shared())
			check_eq(count_of(0), before, "calls-that-give-nothing-away-are-not-counted");
	}
}

static void same_place(struct cpu *c)
{
	for (unsigned i = 0; i < 20; i++) {
		check_eq(reg(VPA_ON, c->index, room[0]), H_SUCCESS, "same-memory");
		cede_for(MS / 10);
		check_eq(reg(VPA_OFF, c->index, room[0]), H_SUCCESS, "same-memory-away");
	}
}

/* One memory for two: its contents are anybody's, all else is not. */
static void test_same_memory(void)
{
	unsigned lost = 0;

	memset(room, 0x33, sizeof room);
	memset(room[0], 0, 640);
	sized(VPA_ON, room[0], 640);
	check(launch(1, same_place), "one-of-two");
	for (unsigned i = 0; i < 10; i++) {
		reg(VPA_ON, 0, room[0]);
		cede_for(MS / 10);
	}
	check(ended(1), "the-other-of-two");
	reg(VPA_OFF, 0, NULL);
	for (u8 *p = room[0] + 640; p < room[0] + sizeof room; p++)
		lost += *p != 0x33;
	check_eq(lost, 0, "outside-untouched");
}

void test(void)
{
	mtspr(22, DEC_FAR);
	on_interrupt = count_interrupt;
	hcall(H_CPPR, 0xff);
	test_arguments();
	test_addresses();
	test_vpa_size();
	test_dtl_size();
	test_slb_size();
	test_order();
	test_kept();
	test_count();
	test_others();
	test_same_memory();
}
