/* A guest that suspends itself: H_VASI_STATE, H_VASI_SIGNAL, ibm,suspend-me, and what is asked afterwards.
 * How many -save FILE@guest there are stands in -append: nothing (none), "saved" (two), "fails" (one,
 * to where nothing can be written); "loops" does nothing else, for ever. Meant for four processors. PAPR, "VASI Support hcall()s",
 * "ibm,suspend-me", "Thread Join Option". */
#include "splpar.h"

#define H_VASI_SIGNAL 0x2a0
#define H_VASI_STATE  0x2a4
#define H_NOOP (-63)
#define CANCEL 1
enum { ABORTED = 2, SUSPENDING = 3, COMPLETED = 6 };

#define RTAS_SUSPEND_ME        0x202a
#define RTAS_ACTIVATE_FIRMWARE 0x2030
#define RTAS_UPDATE_NODES      0x2031
#define RTAS_UPDATE_PROPERTIES 0x2032
#define HW_ERROR        (-1)
#define PARAM_ERROR     (-3)
#define NOT_SUSPENDABLE (-9004)
#define THREADS_ACTIVE  (-9005)

#define ALL 4

static u64 streams;
static bool fails;

/* R4, or the code. */
static s64 state(u64 stream)
{
	u64 out[9] = { 0 };
	s64 rc = hcall_out(out, H_VASI_STATE, stream);

	return rc ? rc : (s64)out[0];
}

static s64 suspend(void) { return rtas(RTAS_SUSPEND_ME, 0, 1, NULL, NULL); }

static void is(s64 got, s64 want, const char *name) { check_eq((u64)got, (u64)want, name); }

/* ---- The others ---- */

enum way { SPINS, CEDES, JOINS };

static volatile enum way way;
static volatile u64 began[MAX_CPUS], woke[MAX_CPUS], let_go, join_rc[MAX_CPUS];

static void other(struct cpu *c)
{
	began[c->index] = 1;
	if (way == JOINS)
		join_rc[c->index] = (u64)hcall(H_JOIN);
	else if (way == CEDES)
		hcall(H_CEDE);
	woke[c->index] = 1;
	while (!let_go)
		;
	stop_self();
}

static void spin(u64 ticks)
{
	for (u64 start = mftb(); mftb() - start < ticks;)
		;
}

static void start_others(enum way what)
{
	way = what;
	let_go = 0;
	for (unsigned n = 1; n < ALL; n++) {
		began[n] = woke[n] = 0;
		join_rc[n] = 99;
		sync();
		check(start_cpu(n, other), "others-start");
		while (!began[n])
			;
	}
	spin(MS);
}

static bool stopped(unsigned n)
{
	u32 in = n, out = 99;

	return !rtas(RTAS_QUERY_CPU, 1, 2, &in, &out) && !out;
}

static void end_others(void)
{
	let_go = 1;
	for (unsigned n = 1; n < ALL; n++)
		hcall(H_PROD, n);
	for (unsigned n = 1; n < ALL; n++)
		while (!stopped(n))
			;
}

/* ---- Streams ---- */

static void test_streams(void)
{
	is(state(0), H_PARAMETER, "stream-0");
	is(state(streams + 1), H_PARAMETER, "stream-beyond");
	is(state(TOP), H_PARAMETER, "stream-all-ones");
	is(state(1ull << 32 | 1), H_PARAMETER, "stream-high-bits");
	is(hcall(H_VASI_SIGNAL, 0, CANCEL, 0), H_PARAMETER, "signal-to-stream-0");
	is(hcall(H_VASI_SIGNAL, streams + 1, CANCEL, 0), H_PARAMETER, "signal-beyond");
	is(suspend(), NOT_SUSPENDABLE, "nobody-has-asked");
	for (u64 n = 1; n <= streams; n++) {
		is(hcall(H_VASI_SIGNAL, n, 0, 0), H_P2, "signal-0");
		is(hcall(H_VASI_SIGNAL, n, 3, 0), H_P2, "signal-suspend-is-not-ours");
		is(hcall(H_VASI_SIGNAL, n, TOP, 0), H_P2, "signal-all-ones");
		is(hcall(H_VASI_SIGNAL, n, CANCEL, 0), H_NOOP, "nothing-to-cancel");
		is(state(n), SUSPENDING, "suspending");
		is(state(n), SUSPENDING, "still");
		is(state(streams + 1), H_PARAMETER, "another-stream");
		is(hcall(H_VASI_SIGNAL, n, CANCEL, TOP), H_SUCCESS, "cancel");
		is(suspend(), NOT_SUSPENDABLE, "cancelled");
	}
	check_eq((u64)rtas(RTAS_SUSPEND_ME, 1, 1, (u32[]){ 1 }, NULL), (u64)PARAM_ERROR, "suspend-me-has-no-arguments");
}

/* ---- Suspending ---- */

static void suspended(u64 stream, const char *name)
{
	u64 start = mftb();

	is(suspend(), fails ? HW_ERROR : 0, name);
	check(mftb() - start < MS, "takes-no-time");
	is(suspend(), NOT_SUSPENDABLE, "not-twice");
	is(state(stream), fails ? ABORTED : COMPLETED, "how-it-ended");
	is(suspend(), NOT_SUSPENDABLE, "not-after-its-end");
	is(state(stream), SUSPENDING, "a-new-one");
}

static void test_suspend(u64 stream)
{
	is(state(stream), SUSPENDING, "ready");
	suspended(stream, "alone");
	for (enum way what = SPINS; what <= CEDES; what++) {
		start_others(what);
		is(suspend(), THREADS_ACTIVE, what == SPINS ? "others-spin" : "others-have-ceded");
		is(state(stream), SUSPENDING, "as-before");
		end_others();
	}
	start_others(JOINS);
	for (unsigned i = 0; i < 5; i++)
		suspended(stream, "others-have-joined");
	for (unsigned n = 1; n < ALL; n++) {
		check(!woke[n], "and-stay-so");
		hcall(H_PROD, n);
		spin(MS);
		check(woke[n] && join_rc[n] == 0, "until-they-are-prodded");
		is(suspend(), THREADS_ACTIVE, "one-has-left");
	}
	end_others();
	suspended(stream, "others-have-stopped");
	hcall(H_VASI_SIGNAL, stream, CANCEL, 0);
}

/* As Linux does: all join, the last one suspends and wakes the others. */
static volatile u64 stream_now, suspenders, all_over;
static volatile s64 verdict;

static void join_or_suspend(unsigned self)
{
	if (hcall(H_JOIN) == H_CONTINUE) {
		verdict = suspend();
		suspenders++;
		all_over = 1;
		for (unsigned n = 0; n < ALL; n++)
			if (n != self)
				hcall(H_PROD, n);
	}
	while (!all_over)
		hcall(H_JOIN);
}

static void joins(struct cpu *c)
{
	began[c->index] = 1;
	while (!let_go)
		;
	spin(c->index * 7);
	join_or_suspend((unsigned)c->index);
	stop_self();
}

static void test_all_join(u64 stream)
{
	is(state(stream), SUSPENDING, "all-may");
	let_go = suspenders = all_over = 0;
	verdict = 99;
	for (unsigned n = 1; n < ALL; n++) {
		began[n] = 0;
		check(start_cpu(n, joins), "others-start");
		while (!began[n])
			;
	}
	let_go = 1;
	join_or_suspend(0);
	for (unsigned n = 1; n < ALL; n++)
		while (!stopped(n))
			;
	check_eq(suspenders, 1, "one-was-the-last");
	is(verdict, fails ? HW_ERROR : 0, "and-has-suspended-all");
	is(state(stream), fails ? ABORTED : COMPLETED, "all-know");
}

/* ---- What has changed ---- */

static u8 area[2 * 4096] __attribute__((aligned(4096)));

static void test_updates(void)
{
	u32 in[2] = { (u32)(u64)area, 1 };
	s64 phandle = property("/rtas", "phandle");

	is(rtas(RTAS_ACTIVATE_FIRMWARE, 0, 1, NULL, NULL), 0, "activate-firmware");
	for (unsigned i = 0; i < sizeof area; i++)
		area[i] = 0xee;
	is(rtas(RTAS_UPDATE_NODES, 2, 1, in, NULL), 0, "update-nodes");
	check(!get(area, 4) && !get(area + 16, 4), "no-node-has-changed");
	is(rtas(RTAS_UPDATE_PROPERTIES, 2, 1, in, NULL), PARAM_ERROR, "no-such-node");
	phandle = phandle == 4 ? (s64)get(property_room, 4) : 0;
	if (check(phandle, "phandle")) {
		set(area, 4, (u64)phandle);
		is(rtas(RTAS_UPDATE_PROPERTIES, 2, 1, in, NULL), 0, "update-properties");
		check(get(area, 4) == (u64)phandle && !get(area + 4, 4) && get(area + 16, 4) == 1 && !area[20] && get(area + 21, 4) == 6 &&
		      same_text((char *)area + 25, "/rtas", 5) && !area[30], "a-path-and-nothing-else");
	}
	in[1] = 0;
	is(rtas(RTAS_UPDATE_NODES, 2, 1, in, NULL), PARAM_ERROR, "scope");
	in[1] = 1;
	in[0]++;
	is(rtas(RTAS_UPDATE_NODES, 2, 1, in, NULL), PARAM_ERROR, "area-misaligned");
	in[0] = RAM;
	is(rtas(RTAS_UPDATE_NODES, 2, 1, in, NULL), PARAM_ERROR, "area-outside-RAM");
	in[0] = 0xfffff000;
	is(rtas(RTAS_UPDATE_PROPERTIES, 2, 1, in, NULL), PARAM_ERROR, "area-at-the-top");
}

void test(void)
{
	fails = told("fails");
	streams = told("saved") ? 2 : fails;
	for (bool loops = told("loops"); loops;) {
		state(1);
		suspend();
		print("x\n");
	}
	test_streams();
	for (u64 n = 1; n <= streams; n++) {
		test_suspend(n);
		test_all_join(n);
	}
	test_updates();
}
