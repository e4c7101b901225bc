/* What a partition is told of its processors, its memory and its place, and what it may change: every
 * field and every answer of the calls, for dedicated processors and for a pool, and what the device
 * tree and the system parameters say beside them. Source: PAPR, the calls by name. */
#include <stdarg.h>

#include <libfdt.h>

#include "check.h"
#include "firmware/fdt.h"
#include "firmware/state.h"
#include "hcall/dispatcher.h"
#include "hcall/hcall.h"
#include "machine/rtas/rtas.h"
#include "rig.h"

#define H_GET_PPP 0x0ec
#define H_SET_PPP 0x0f0
#define H_PURR    0x0f4
#define H_PIC     0x0f8
#define H_GET_EM_PARMS 0x2b8
#define H_VPM_PSTAT 0x2bc
#define H_SET_MPP 0x2d0
#define H_GET_MPP 0x2d4
#define H_MO_PERF 0x2d8
#define H_HOME_NODE_ASSOCIATIVITY 0x2ec
#define H_BEST_ENERGY 0x2f4
#define H_GET_MPP_X 0x314

#define ONES UINT64_MAX
#define POISON UINT64_C(0x5aa5c33c0ff00ff0)

/* r4.. on return, of calls that cpu 0 makes; what no call wrote is POISON. */
static uint64_t out[9];

static int64_t call_n(struct machine *m, uint64_t number, const uint64_t in[9])
{
	struct cpu *cpu = &m->cpu[0]->cpu;

	cpu->r[3] = number;
	memcpy(&cpu->r[4], in, 9 * sizeof in[0]);
	m->running = cpu;
	hcall_dispatch(cpu);
	m->running = NULL;
	memcpy(out, &cpu->r[4], sizeof out);
	return (int64_t)cpu->r[3];
}

#define call(m, number, ...) call_n(m, number, (const uint64_t[9]){ __VA_ARGS__ })
#define call_poisoned(m, number) \
	call(m, number, POISON, POISON, POISON, POISON, POISON, POISON, POISON, POISON, POISON)

static void check_out(const char *name, unsigned n, ...)
{
	va_list ap;

	va_start(ap, n);
	for (unsigned i = 0; i < n; i++)
		check_eq(out[i], va_arg(ap, uint64_t), "%s-r%u", name, 4 + i);
	va_end(ap);
}

#define U(v) ((uint64_t)(v))

/* ---- H_GET_PPP, H_SET_PPP ---- */

#define CAPPED PPC_BIT(15)

static void test_dedicated_ppp(struct machine *m)
{
	check_eq(call_poisoned(m, H_GET_PPP), H_SUCCESS, "dedicated-get-ppp");
	check_out("dedicated-ppp", 5, U(400), U(0), U(0xffff), CAPPED | 4, U(0));
	check_eq(out[5], POISON, "dedicated-ppp-r9-kept");
	check_eq(call(m, H_SET_PPP, 400, 0), H_SUCCESS, "dedicated-set-as-is");
	check_eq(call(m, H_SET_PPP, 399, 0), H_CONSTRAINED, "dedicated-set-less");
	check_eq(call(m, H_SET_PPP, 401, 0), H_CONSTRAINED, "dedicated-set-more");
	check_eq(call(m, H_SET_PPP, 400, 1), H_CONSTRAINED, "dedicated-set-weight");
	check_eq(call(m, H_SET_PPP, 400, 256), H_PARAMETER, "dedicated-set-weight-256");
	call(m, H_GET_PPP, 0);
	check_out("dedicated-ppp-after", 5, U(400), U(0), U(0xffff), CAPPED | 4, U(0));
}

static uint64_t resources(bool capped, uint64_t weight, uint64_t procs)
{
	return (capped ? CAPPED : 0) | weight << 40 | procs << 16 | procs;
}

static uint64_t pool(uint64_t procs, uint64_t max, uint64_t entitled)
{
	return procs << 48 | max << 24 | entitled;
}

/* 3 processors, a load entitled to 0.25 of one, 4 virtual processors of 2 threads. */
static void test_shared_ppp(struct machine *m)
{
	static const struct {
		uint64_t entitlement, weight;
		int64_t code;
		uint64_t now, now_weight;
		const char *name;
	} rows[] = {
		{ 200, 10, H_SUCCESS, 200, 10, "fits" },
		{ 275, 255, H_SUCCESS, 275, 255, "most" },
		{ 276, 9, H_CONSTRAINED, 275, 9, "over-the-pool" },
		{ 4, 0, H_SUCCESS, 4, 0, "least" },
		{ 3, 8, H_CONSTRAINED, 4, 8, "under-0.01-each" },
		{ 0, 7, H_CONSTRAINED, 4, 7, "nothing" },
		{ ONES, 6, H_CONSTRAINED, 275, 6, "all-there-is" },
		{ UINT64_C(1) << 32 | 100, 5, H_CONSTRAINED, 275, 5, "over-32-bits" },
		{ 100, 256, H_PARAMETER, 275, 5, "weight-256" },
		{ 100, UINT64_C(1) << 32, H_PARAMETER, 275, 5, "weight-over-32-bits" },
		{ 125, 77, H_SUCCESS, 125, 77, "back" },
	};

	check_eq(call_poisoned(m, H_GET_PPP), H_SUCCESS, "shared-get-ppp");
	check_out("shared-ppp", 5, U(125), U(150), U(0), resources(false, 77, 3), pool(3, 300, 150));
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct partition *guest = &m->dispatcher->partition[PARTITION_GUEST];
		uint64_t entitled = rows[i].now + 25;

		check_eq(call(m, H_SET_PPP, rows[i].entitlement, rows[i].weight), rows[i].code, "set-%s", rows[i].name);
		call(m, H_GET_PPP, 0);
		check_eq(out[0], rows[i].now, "set-%s-entitlement", rows[i].name);
		check_eq(out[1], 300 - entitled, "set-%s-unallocated", rows[i].name);
		check_eq(out[3], resources(false, rows[i].now_weight, 3), "set-%s-weight", rows[i].name);
		check_eq(out[4], pool(3, 300, entitled), "set-%s-pool", rows[i].name);
		check_eq(guest->entitlement, rows[i].now, "set-%s-dispatcher", rows[i].name);
		check_eq(guest->weight, rows[i].now_weight, "set-%s-dispatcher-weight", rows[i].name);
	}
}

static void test_capped_ppp(struct machine *m)
{
	call(m, H_GET_PPP, 0);
	check_out("capped-ppp", 5, U(50), U(150), U(0), resources(true, 0, 2), pool(2, 200, 50));
	check_eq(call(m, H_SET_PPP, 60, 5), H_CONSTRAINED, "capped-set-weight");
	call(m, H_GET_PPP, 0);
	check_out("capped-ppp-after", 4, U(60), U(140), U(0), resources(true, 0, 2));
	check_eq(call(m, H_SET_PPP, 70, 0), H_SUCCESS, "capped-set");
}

/* ---- H_PURR, H_PIC ---- */

static void test_purr(struct machine *m)
{
	struct cpu *cpu = &m->cpu[0]->cpu;

	cpu->purr_base = 1000;
	cpu->used = 3000;
	cpu->share_from = cpu->cycles - 600;
	cpu->share = CORE_PARTS / 3;
	check_eq(call_poisoned(m, H_PURR), H_SUCCESS, "purr");
	check_eq(out[0], 1000 + 3200 / 2, "purr-value");
	check_eq(out[1], POISON, "purr-r5-kept");
	cpu->share = 0;
	call(m, H_PURR, 0);
	check_eq(out[0], 1000 + 3000 / 2, "purr-only-dispatched");
	cpu->used = cpu->purr_base = 0;
}

/* A million cycles, of which one of three processors runs somebody. */
static void test_pic(struct machine *m)
{
	uint64_t before[9];

	check_eq(call(m, H_PIC, 0), H_SUCCESS, "pic");
	memcpy(before, out, sizeof before);
	m->cpu[0]->cpu.cycles += 1000000;
	check_eq(call_poisoned(m, H_PIC), H_SUCCESS, "pic-again");
	check_eq(out[0] - before[0], 2 * 500000, "pic-idle");
	check_eq(out[1], 3, "pic-processors");
	check_eq(out[2] - before[2], 3 * 500000, "pic-tb");
	check_eq(out[3] - before[3], 500000, "pic-purr");
	check_eq(out[4] - before[4], 500000, "pic-spurr");
	check_eq(out[5], 0, "pic-pool");
	check_eq(out[2], out[0] + out[3], "pic-adds-up");
	for (unsigned i = 0; i < 3; i++)
		check_eq(out[6 + i], out[2 + i], "pic-virtualization-r%u", 10 + i);
	m->splpar_off = true;
	check_eq(call(m, H_PIC, 0), H_FUNCTION, "pic-not-for-one-without-splpar");
	m->splpar_off = false;
}

/* ---- Memory ---- */

static void test_memory(struct machine *m)
{
	uint64_t size = m->ram.size;

	check_eq(call_poisoned(m, H_GET_MPP), H_SUCCESS, "get-mpp");
	check_out("mpp", 7, size, ONES, U(0xffff), U(0), ONES, U(0), size);
	check_eq(out[7], POISON, "mpp-r11-kept");
	check_eq(call(m, H_SET_MPP, size, 0), H_SUCCESS, "set-mpp");
	check_eq(call(m, H_SET_MPP, size - 4096, 0), H_CONSTRAINED, "set-mpp-less");
	check_eq(call(m, H_SET_MPP, size, 1), H_CONSTRAINED, "set-mpp-weight");
	check_eq(call(m, H_SET_MPP, size, 256), H_CONSTRAINED, "set-mpp-weight-256");
	check_eq(call_poisoned(m, H_GET_MPP_X), H_SUCCESS, "get-mpp-x");
	check_out("mpp-x", 8, U(0), U(0), U(0), U(0), U(0), U(0), U(0), POISON);
	check_eq(call(m, H_VPM_PSTAT, 0), H_AUTHORITY, "vpm-pstat");
	check_eq(call(m, H_MO_PERF, 0, 0, 0), H_AUTHORITY, "mo-perf");
}

/* ---- H_HOME_NODE_ASSOCIATIVITY ---- */

static void check_home(struct machine *m, uint64_t flags, uint64_t id, uint64_t chip)
{
	char name[32];

	snprintf(name, sizeof name, "home-%u-%u", (unsigned)flags, (unsigned)id);
	check_eq(call(m, H_HOME_NODE_ASSOCIATIVITY, flags, id, 0, 0, 0, 0, POISON), H_SUCCESS, "%s", name);
	check_out(name, 7, U(0), chip / 2 << 32 | chip, id << 32 | UINT32_MAX, ONES, ONES, ONES, POISON);
}

static void test_home_codes(struct machine *m, uint64_t virtuals, uint64_t physicals)
{
	static const uint64_t flags[] = { 0, 3, 4, UINT64_C(1) << 32 | 1, ONES };

	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++)
		check_eq(call(m, H_HOME_NODE_ASSOCIATIVITY, flags[i], 0), H_PARAMETER, "home-flags-%u", i);
	check_eq(call(m, H_HOME_NODE_ASSOCIATIVITY, 1, virtuals), H_P2, "home-no-such-processor");
	check_eq(call(m, H_HOME_NODE_ASSOCIATIVITY, 2, physicals), H_P2, "home-no-such-physical");
	check_eq(call(m, H_HOME_NODE_ASSOCIATIVITY, 1, UINT64_C(1) << 32), H_P2, "home-over-32-bits");
	check_eq(call(m, H_HOME_NODE_ASSOCIATIVITY, 2, UINT64_C(1) << 32), H_P2, "home-physical-over-32-bits");
}

static void test_dedicated_homes(struct machine *m)
{
	for (uint64_t id = 0; id < 4; id++) {
		check_home(m, 1, id, 0);
		check_home(m, 2, id, 0);
	}
	test_home_codes(m, 4, 4);
}

/* 5 processors of 2 threads on 3 chips; 6 virtual ones of 2 threads. */
static void test_chip_homes(struct machine *m)
{
	static const uint64_t chip[] = { 0, 0, 1, 1, 2 };

	for (uint64_t id = 0; id < 12; id++)
		check_home(m, 1, id, chip[id / 2 % 5]);
	for (uint64_t id = 0; id < 10; id++)
		check_home(m, 2, id, chip[id / 2]);
	test_home_codes(m, 12, 10);
}

/* ---- Energy ---- */

#define DRC(core) (UINT64_C(0x10000000) | (core))
#define PROCESSORS 1
#define ACTIVATE 0x100
#define ORDERED 0x200
#define REFRESH 0x400
#define BUFFER  0x800
#define PAGE 0x300000

static void test_em_parms(struct machine *m)
{
	check_eq(call_poisoned(m, H_GET_EM_PARMS), H_SUCCESS, "em-parms");
	check_out("em-parms", 7, UINT64_C(0x0002000200020002), U(0), U(0), U(0), U(0), U(0), POISON);
}

static void set_running(struct machine *m, uint64_t mask)
{
	for (unsigned i = 0; i < m->ncpus; i++)
		m->cpu[i]->cpu.run_state = mask >> i & 1 ? CPU_RUNNING : CPU_STOPPED;
}

/* Each has run for so many sixteenths of the time; to be called after set_running(). */
static void set_use(struct machine *m, const unsigned *sixteenths)
{
	uint64_t all;

	m->cpu[0]->cpu.cycles += 1600000;
	all = m->cpu[0]->cpu.cycles - m->dispatcher->since;
	for (unsigned i = 0; i < m->ncpus; i++) {
		m->cpu[i]->vp.ran = all / 16 * sixteenths[i] + 100;
		m->cpu[i]->vp.state = VP_CEDED;
	}
}

static void test_energy_flags(struct machine *m)
{
	static const unsigned reserved[] = { 32, 33, 34, 35, 36, 37, 38, 39, 48, 49, 50, 51 };

	for (uint64_t resource = 0; resource < 256; resource += resource < 4 ? 1 : 63)
		if (resource != PROCESSORS)
			check_eq(call(m, H_BEST_ENERGY, PPC_BIT(32) | REFRESH | ORDERED | resource), H_UNSUPPORTED,
				 "energy-resource-%u", (unsigned)resource);
	for (unsigned i = 0; i < ARRAY_SIZE(reserved); i++)
		check_eq(call(m, H_BEST_ENERGY, PPC_BIT(reserved[i]) | PPC_BIT(51) | REFRESH | ORDERED | PROCESSORS),
			 H_UNSUPPORTED_FLAG - (int64_t)reserved[i], "energy-bit-%u", reserved[i]);
	check_eq(call(m, H_BEST_ENERGY, BUFFER | REFRESH | PROCESSORS, DRC(0), PAGE), H_UNSUPPORTED_FLAG - 52,
		 "energy-buffer-without-order");
	check_eq(call(m, H_BEST_ENERGY, PPC_MASK(0, 31) | PPC_MASK(40, 47) | REFRESH | ORDERED | PROCESSORS), H_SUCCESS,
		 "energy-hints-of-the-caller");
}

/* Lists are made, lost when there is nothing to tell, and kept apart. */
static void test_energy_lists(struct machine *m)
{
	static const unsigned same[10] = { 0 };

	check_eq(call(m, H_BEST_ENERGY, ORDERED | PROCESSORS), H_NOT_AVAILABLE, "energy-no-list-yet");
	set_running(m, 1);
	check_eq(call(m, H_BEST_ENERGY, ORDERED | REFRESH | PROCESSORS), H_SUCCESS, "energy-refresh");
	check_eq(call(m, H_BEST_ENERGY, ORDERED | PROCESSORS), H_SUCCESS, "energy-list");
	check_eq(call(m, H_BEST_ENERGY, ORDERED | ACTIVATE | PROCESSORS), H_NOT_AVAILABLE, "energy-no-other-list");
	set_running(m, 0x3ff);
	set_use(m, same);
	check_eq(call(m, H_BEST_ENERGY, ORDERED | PROCESSORS), H_SUCCESS, "energy-old-list");
	check_eq(call(m, H_BEST_ENERGY, ORDERED | REFRESH | PROCESSORS), H_NOT_AVAILABLE, "energy-all-alike");
	check_eq(call(m, H_BEST_ENERGY, ORDERED | PROCESSORS), H_NOT_AVAILABLE, "energy-list-lost");
	check_eq(call(m, H_BEST_ENERGY, ORDERED | REFRESH | ACTIVATE | PROCESSORS), H_NOT_AVAILABLE, "energy-all-active");
}

static uint64_t item(uint64_t prio, uint64_t core)
{
	return prio << 32 | DRC(core);
}

/* 10 of 10 run, number 3 least, then 1; on one chip, so each has 9 others there. */
static void test_energy_order(struct machine *m)
{
	static const unsigned use[10] = { 15, 2, 12, 1, 12, 12, 12, 12, 12, 12 };
	static const uint64_t order[10] = { 3, 1, 2, 4, 5, 6, 7, 8, 9, 0 };
	const uint64_t base = 1 + 6 * 32, flags = ORDERED | REFRESH | PROCESSORS;

	set_running(m, 0x3ff);
	set_use(m, use);
	check_eq(call(m, H_BEST_ENERGY, flags), H_SUCCESS, "energy-ordered");
	check_eq(out[0], 10, "energy-count");
	for (unsigned i = 0; i < 8; i++)
		check_eq(out[1 + i], item(base + use[order[i]], order[i]), "energy-item-%u", i);
	check_eq(call(m, H_BEST_ENERGY, flags, DRC(8)), H_SUCCESS, "energy-from");
	check_out("energy-from", 4, U(3), item(base + 12, 8), item(base + 12, 9), item(base + 15, 0));
	check_eq(call(m, H_BEST_ENERGY, flags, DRC(10)), H_P2, "energy-from-nobody");
	check_eq(call(m, H_BEST_ENERGY, flags, 5), H_P2, "energy-from-no-index");
	check_eq(call(m, H_BEST_ENERGY, flags | BUFFER, DRC(10), 1), H_P2, "energy-p2-first");
	check_eq(call(m, H_BEST_ENERGY, flags | BUFFER, 0, PAGE + 8), H_P3, "energy-buffer-aligned");
	check_eq(call(m, H_BEST_ENERGY, flags | BUFFER, 0, m->ram.size), H_P3, "energy-buffer-in-RAM");
	check_eq(call(m, H_BEST_ENERGY, flags | BUFFER, 0, ONES << 12), H_P3, "energy-buffer-high");
	st_be64(&m->ram, PAGE + 80, POISON);
	check_eq(call(m, H_BEST_ENERGY, flags | BUFFER, 0, PAGE), H_SUCCESS, "energy-buffer");
	check_eq(out[0], 10, "energy-buffer-count");
	for (unsigned i = 0; i < 10; i++)
		check_eq(ld_be64(&m->ram, PAGE + 8 * i), item(base + use[order[i]], order[i]), "energy-buffer-%u", i);
	check_eq(ld_be64(&m->ram, PAGE + 80), POISON, "energy-buffer-end");
	check_eq(call(m, H_BEST_ENERGY, flags | BUFFER, 0, m->ram.size - 4096), H_SUCCESS, "energy-buffer-last-page");
}

static void test_energy_inquiry(struct machine *m)
{
	const uint64_t base = 1 + 6 * 32, flags = REFRESH | PROCESSORS;

	check_eq(call(m, H_BEST_ENERGY, flags, DRC(1), DRC(3), 0, DRC(77)), H_SUCCESS, "energy-inquiry");
	check_out("energy-inquiry", 3, U(2), item(base + 2, 1), item(base + 1, 3));
	check_eq(call(m, H_BEST_ENERGY, flags), H_SUCCESS, "energy-inquiry-of-none");
	check_eq(out[0], 0, "energy-inquiry-of-none-count");
	for (unsigned i = 0; i < 8; i++) {
		uint64_t in[9] = { flags, DRC(0), DRC(1), DRC(2), DRC(3), DRC(4), DRC(5), DRC(6), DRC(7) };

		check_eq(call_n(m, H_BEST_ENERGY, in), H_SUCCESS, "energy-inquiry-all");
		check_eq(out[0], 8, "energy-inquiry-all-count");
		in[1 + i] = DRC(10);
		check_eq(call_n(m, H_BEST_ENERGY, in), H_P2 - (int64_t)i, "energy-inquiry-p%u", 2 + i);
	}
	check_eq(call(m, H_BEST_ENERGY, flags, UINT64_C(1) << 32 | DRC(0)), H_P2, "energy-inquiry-over-32-bits");
}

static void test_energy_activate(struct machine *m)
{
	set_running(m, 0x3fb);
	check_eq(call(m, H_BEST_ENERGY, REFRESH | ACTIVATE | PROCESSORS, DRC(2), DRC(0)), H_SUCCESS, "energy-activate");
	check_out("energy-activate", 3, U(2), item(1, 2), item(255, 0));
	check_eq(call(m, H_BEST_ENERGY, REFRESH | PROCESSORS, DRC(2)), H_SUCCESS, "energy-release-of-released");
	check_eq(out[1], item(255, 2), "energy-release-of-released-last");
}

/* 4 processors on 2 chips, as many virtual ones: 0 and 1 are at home on one, 2 and 3 on the other. */
static void test_energy_chips(struct machine *m)
{
	static const unsigned same[4] = { 3, 3, 3, 3 };

	set_running(m, 7);
	set_use(m, same);
	check_eq(call(m, H_BEST_ENERGY, REFRESH | ORDERED | PROCESSORS), H_SUCCESS, "energy-chips");
	check_out("energy-chips", 5, U(4), item(4, 2), item(36, 0), item(36, 1), item(255, 3));
	set_running(m, 1);
	check_eq(call(m, H_BEST_ENERGY, REFRESH | ORDERED | ACTIVATE | PROCESSORS), H_SUCCESS, "energy-chips-activate");
	check_out("energy-chips-activate", 5, U(4), item(1, 1), item(33, 2), item(33, 3), item(255, 0));
}

static void test_energy(struct rig *rig)
{
	struct machine *m = rig->m;

	test_em_parms(m);
	test_energy_lists(m);
	test_energy_order(m);
	test_energy_flags(m);
	test_energy_inquiry(m);
	test_energy_activate(m);
	m->clock.now = m->cpu[0]->cpu.cycles + 10;
	check_eq(machine_run(m), 0, "energy-reboot");
	m->request = REQ_NONE;
	check_eq(call(m, H_BEST_ENERGY, ORDERED | PROCESSORS), H_NOT_AVAILABLE, "energy-list-of-another-life");
}

/* ---- System parameters ---- */

#define CELLS 0x100000
#define VALUE 0x200000

/* Status; the value lies at VALUE. */
static int32_t parameter(struct machine *m, uint32_t number, uint32_t room)
{
	const uint32_t cells[] = { RTAS_TOKEN_BASE + 8, 3, 1, number, VALUE, room };

	ram_fill(&m->ram, VALUE, 0xa5, 600);
	for (unsigned i = 0; i < ARRAY_SIZE(cells); i++)
		st_be32(&m->ram, CELLS + 4 * i, cells[i]);
	rtas_call(&m->cpu[0]->cpu, CELLS);
	return (int32_t)ld_be32(&m->ram, CELLS + 24);
}

static void check_string(struct machine *m, uint32_t number, const char *want, const char *name)
{
	char got[600];

	check_eq(parameter(m, number, 600), RTAS_SUCCESS, "%s", name);
	check_eq(ld_be16(&m->ram, VALUE), strlen(want) + 1, "%s-length", name);
	ram_read(&m->ram, VALUE + 2, got, sizeof got);
	got[sizeof got - 1] = '\0';
	check(!strcmp(got, want), "%s-value: %.300s", name, got);
}

static void test_cede_latencies(struct machine *m)
{
	static const uint8_t want[] = {
		0, 22, 9, 0, 0, 0, 0, 0, 0, 0, 0x27, 0x10, 1, 1, 0, 0, 0, 0, 0, 0, 0x27, 0x10, 1, 0, 0xa5,
	};
	uint8_t got[sizeof want];

	check_eq(parameter(m, 45, 600), RTAS_SUCCESS, "cede-latencies");
	ram_read(&m->ram, VALUE, got, sizeof got);
	check(!memcmp(got, want, sizeof want), "cede-latency-records");
	check_eq(parameter(m, 45, 4), RTAS_SUCCESS, "cede-latencies-cut");
	check_eq(ld_be32(&m->ram, VALUE), 0x00160900, "cede-latencies-cut-length");
	check_eq(ld_u8(&m->ram, VALUE + 4), 0xa5, "cede-latencies-cut-end");
	check_eq(parameter(m, 45, 1), RTAS_SYSPARM_PARAM_ERROR, "no-room");
}

static void test_parameters(struct machine *m)
{
	test_cede_latencies(m);
	check_eq(parameter(m, 44, 600), RTAS_NOT_SUPPORTED, "no-memory-over-commitment");
	check_string(m, 55, "cede", "lpar-name");
}

/* ---- Device tree ---- */

static void check_cells(struct machine *m, const char *path, const char *name, unsigned n, const uint32_t *want)
{
	int len = 0, at = fdt_path_offset(m->fdt, path);
	const fdt32_t *got = fdt_getprop(m->fdt, at, name, &len);

	check(got && len == (int)(4 * n), "%s/%s-length", path, name);
	for (unsigned i = 0; got && i < n && i < (unsigned)len / 4; i++)
		check_eq(fdt32_to_cpu(got[i]), want[i], "%s/%s-%u", path, name, i);
}

#define CELLS_ARE(m, path, name, ...) \
	check_cells(m, path, name, sizeof((uint32_t[]){ __VA_ARGS__ }) / 4, (const uint32_t[]){ __VA_ARGS__ })

static void check_bytes(struct machine *m, const char *path, const char *name, const void *want, int size)
{
	int len = 0, at = fdt_path_offset(m->fdt, path);
	const void *got = fdt_getprop(m->fdt, at, name, &len);

	check(got && len == size && !memcmp(got, want, (size_t)size), "%s/%s", path, name);
}

static bool has(struct machine *m, const char *path, const char *name)
{
	return fdt_getprop(m->fdt, fdt_path_offset(m->fdt, path), name, NULL);
}

static bool offers(struct machine *m, const char *set)
{
	return fdt_stringlist_search(m->fdt, fdt_path_offset(m->fdt, "/rtas"), "ibm,hypertas-functions", set) >= 0;
}

static void test_common_tree(struct machine *m)
{
	static const char *const sets[] = { "hcall-splpar", "hcall-pic", "hcall-poll-pending", "hcall-join", "hcall-vphn",
					    "hcall-cmo", "hcall-cmo-x", "hcall-get-emparm", "hcall-best-energy-1b" };

	for (unsigned i = 0; i < ARRAY_SIZE(sets); i++)
		check(offers(m, sets[i]), "offers-%s", sets[i]);
	CELLS_ARE(m, "/", "ibm,partition-performance-parameters-level", 1);
	CELLS_ARE(m, "/", "ibm,partition-no", 1);
	check_bytes(m, "/", "ibm,partition-name", "cede", 5);
	check_bytes(m, "/", "system-id", "00000000-0000-0000-0000-000000000000", 37);
	check_bytes(m, "/rtas", "ibm,rks-hcalls", "\xe0", 1);
	CELLS_ARE(m, "/memory@0", "ibm,associativity", 4, 0, 0, 0, 0);
}

static void test_dedicated_tree(struct machine *m)
{
	test_common_tree(m);
	CELLS_ARE(m, "/cpus", "ibm,drc-indexes", 4, 0x10000000, 0x10000001, 0x10000002, 0x10000003);
	CELLS_ARE(m, "/cpus/PowerPC,POWER9@3", "ibm,associativity", 5, 0, 0, 0, 0, 3);
	check(has(m, "/cpus/PowerPC,POWER9@3", "ibm,chip-id"), "dedicated-chip-id");
	CELLS_ARE(m, "/rtas", "ibm,associativity-reference-points", 4, 4, 2);
	CELLS_ARE(m, "/rtas", "ibm,max-associativity-domains", 4, 0, 0, 0, 1);
}

/* 6 cores of 2 threads; 3 chips. */
static void test_shared_tree(struct machine *m)
{
	test_common_tree(m);
	CELLS_ARE(m, "/cpus", "ibm,drc-indexes", 6, 0x10000000, 0x10000002, 0x10000004, 0x10000006, 0x10000008, 0x1000000a);
	for (unsigned i = 0; i < 12; i += 2) {
		char path[64];

		snprintf(path, sizeof path, "/cpus/PowerPC,POWER9@%x", i);
		CELLS_ARE(m, path, "ibm,associativity", 4, 0, 0, 0, 0);
		check(!has(m, path, "ibm,chip-id") && !has(m, path, "ibm,loc-code") && !has(m, path, "l2-cache"),
		      "shared-no-place-%u", i);
	}
	CELLS_ARE(m, "/rtas", "ibm,associativity-reference-points", 4, 3, 2);
	CELLS_ARE(m, "/rtas", "ibm,max-associativity-domains", 4, 1, 1, 2, 3);
}

/* ---- Option vector 5, byte 2 ---- */

#define VECTORS 0x180000

/* One processor version, ISA 3.00; five vectors, the fifth asks for radix. */
static int64_t negotiate(struct machine *m, uint8_t byte2)
{
	uint8_t head[] = { 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 5, 0, 0, 0, 0, 0x0f, 0, 0, 5, 4,
			   0, 0, 0, 0, 0, 0, 0, 0, 25, [25 + 2] = byte2, [25 + 24] = 0x40, [25 + 26] = 0 };

	set_running(m, 1);
	ram_write(&m->ram, VECTORS, head, sizeof head);
	return cas_negotiate(&m->cpu[0]->cpu, VECTORS);
}

static void test_splpar_wanted(struct machine *m, bool dedicated)
{
	uint8_t byte2 = 0;
	const uint8_t *vec5;

	check_eq(negotiate(m, 0x40), H_SUCCESS, "cas-splpar");
	vec5 = fdt_getprop(m->fdt, fdt_path_offset(m->fdt, "/chosen"), "ibm,architecture-vec-5", NULL);
	byte2 = vec5[2];
	check_eq(byte2, 0x40, "cas-splpar-granted");
	check(offers(m, "hcall-splpar") && offers(m, "hcall-pic"), "cas-splpar-offered");
	check_eq(call(m, H_PIC, 0), dedicated ? H_AUTHORITY : H_SUCCESS, "cas-splpar-pic");
}

static void test_splpar_unknown(struct machine *m)
{
	static const char *const gone[] = { "hcall-splpar", "hcall-pic", "hcall-poll-pending", "hcall-join" };
	static const char *const left[] = { "hcall-term", "hcall-vphn", "hcall-cmo", "hcall-best-energy-1b", "hcall-set-mode" };

	check_eq(negotiate(m, 0), H_SUCCESS, "cas-no-splpar");
	for (unsigned i = 0; i < ARRAY_SIZE(gone); i++)
		check(!offers(m, gone[i]), "cas-no-%s", gone[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(left); i++)
		check(offers(m, left[i]), "cas-still-%s", left[i]);
	check_eq(call(m, H_PIC, 0), H_FUNCTION, "cas-no-pic");
	check_eq(negotiate(m, 0), H_SUCCESS, "cas-no-splpar-twice");
	check_eq(machine_run(m), 0, "cas-reboot");
	m->request = REQ_NONE;
	check(offers(m, "hcall-splpar") && !m->splpar_off, "cas-forgotten-at-reboot");
}

/* ---- */

static void test_dedicated(void)
{
	struct rig rig;

	rig_new(&rig, "4");
	test_dedicated_tree(rig.m);
	test_dedicated_ppp(rig.m);
	check_eq(call(rig.m, H_PIC, 0), H_AUTHORITY, "dedicated-pic");
	test_purr(rig.m);
	test_memory(rig.m);
	test_dedicated_homes(rig.m);
	test_parameters(rig.m);
	check_string(rig.m, 20, "BoundThrds=1,CapInc=100,DisWheRotPer=0,MinEntCap=400,MinEntCapPerVP=100,MinMem=256,MinProcs=4,"
		     "MaxEntCap=400,MaxPlatProcs=4,DesEntCap=400,DesMem=256,DesProcs=4,DesVarCapWt=0,DedDonMode=1", "splpar");
	test_splpar_wanted(rig.m, true);
	test_splpar_unknown(rig.m);
	rig_free(&rig);

	rig_new(&rig, "2,maxcpus=8");
	check_string(rig.m, 20, "BoundThrds=1,CapInc=100,DisWheRotPer=0,MinEntCap=200,MinEntCapPerVP=100,MinMem=256,MinProcs=2,"
		     "MaxEntCap=800,MaxPlatProcs=8,DesEntCap=200,DesMem=256,DesProcs=2,DesVarCapWt=0,DedDonMode=1", "more may come");
	rig_free(&rig);
}

static void test_shared(void)
{
	struct rig rig;

	rig_new_pool(&rig, "8,threads=2", "procs=3,entitlement=1.25,weight=77,load=0.5,load-entitlement=0.25,window=20ms");
	test_shared_ppp(rig.m);
	check_string(rig.m, 20, "BoundThrds=1,CapInc=1,DisWheRotPer=10240000,MinEntCap=4,MinEntCapPerVP=1,MinMem=256,MinProcs=4,"
		     "MaxEntCap=275,MaxPlatProcs=3,DesEntCap=125,DesMem=256,DesProcs=4,DesVarCapWt=77,DedDonMode=0", "shared-splpar");
	rig_free(&rig);
	rig_new_pool(&rig, "4", "procs=2,entitlement=0.5,mode=capped");
	test_capped_ppp(rig.m);
	check_string(rig.m, 20, "BoundThrds=1,CapInc=1,DisWheRotPer=5120000,MinEntCap=4,MinEntCapPerVP=1,MinMem=256,MinProcs=4,"
		     "MaxEntCap=200,MaxPlatProcs=2,DesEntCap=50,DesMem=256,DesProcs=4,DesVarCapWt=0,DedDonMode=0", "capped-splpar");
	rig_free(&rig);
	rig_new_pool(&rig, "4", "procs=3");
	test_pic(rig.m);
	test_splpar_wanted(rig.m, false);
	test_splpar_unknown(rig.m);
	rig_free(&rig);
}

static void test_chips(void)
{
	struct rig rig;

	rig_new_pool(&rig, "12,threads=2", "procs=5,chips=3");
	test_shared_tree(rig.m);
	test_chip_homes(rig.m);
	rig_free(&rig);
	rig_new_pool(&rig, "4", "procs=4,chips=2");
	test_energy_chips(rig.m);
	rig_free(&rig);
}

int main(void)
{
	struct rig rig;

	test_dedicated();
	test_shared();
	test_chips();
	rig_new(&rig, "10");
	test_energy(&rig);
	rig_free(&rig);
	return check_done();
}
