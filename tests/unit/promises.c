/* What the device tree promises, against what the calls behind it do: function sets, RTAS calls, and
 * properties that say how a call behaves or what a guest may ask for. */
#include <stdarg.h>

#include <libfdt.h>

#include "check.h"
#include "cpu/core/model.h"
#include "cpu/engine/decode.h"
#include "firmware/fdt.h"
#include "hcall/hcall.h"
#include "machine/monitor/monitor.h"
#include "machine/rtas/rtas.h"
#include "rig.h"

#define CELLS   0x100000
#define MESSAGE 0x101000

/* Who has a set has all of these. PAPR, "Hypervisor Call Function Table". */
static const struct {
	const char *set;
	uint16_t numbers[9];
} papr_sets[] = {
	{ "hcall-pft",             { 0x004, 0x008, 0x00c, 0x010, 0x014, 0x018 } },
	{ "hcall-bulk",            { 0x124 } },
	{ "hcall-hpt-resize",      { 0x36c, 0x370 } },
	{ "hcall-sprg0",           { 0x024 } },
	{ "hcall-dabr",            { 0x028 } },
	{ "hcall-xdabr",           { 0x134 } },
	{ "hcall-copy",            { 0x02c } },
	{ "hcall-tce",             { 0x01c, 0x020 } },
	{ "hcall-multi-tce",       { 0x138, 0x13c } },
	{ "hcall-debug",           { 0x03c, 0x040, 0x044, 0x048, 0x04c, 0x050 } },
	{ "hcall-term",            { 0x054, 0x058 } },
	{ "hcall-vio",             { 0x104 } },
	{ "hcall-crq",             { 0x0fc, 0x100, 0x108, 0x2b0 } },
	{ "hcall-interrupt",       { 0x064, 0x068, 0x06c, 0x070, 0x074, 0x2fc } },
	{ "hcall-splpar",          { 0x0dc, 0x0e0, 0x0e4, 0x0e8, 0x0ec, 0x0f0, 0x0f4 } },
	{ "hcall-pic",             { 0x0f8 } },
	{ "hcall-poll-pending",    { 0x1d8 } },
	{ "hcall-join",            { 0x298 } },
	{ "hcall-vphn",            { 0x2ec } },
	{ "hcall-cmo",             { 0x2bc, 0x2d0, 0x2d4, 0x2d8 } },
	{ "hcall-cmo-x",           { 0x314 } },
	{ "hcall-get-emparm",      { 0x2b8 } },
	{ "hcall-best-energy-1b",  { 0x2f4 } },
	{ "hcall-random",          { 0x300 } },
	{ "hcall-set-mode",        { 0x31c } },
	{ "hcall-rpt-invalidate",  { 0x448 } },
};
#define NSETS (sizeof papr_sets / sizeof papr_sets[0])

static const struct { const char *set; uint64_t number; } hcalls[] = {
#define HCALL(name, number, in, out, set, section) { set, number },
#define HCALL_PRIVATE(name, number, in, out) { "", number },
#include "hcall/hcall.def"
#undef HCALL
#undef HCALL_PRIVATE
};

static const char *const rtas_names[] = {
#define RTAS(id, name, token, min, max, nret) name,
#include "machine/rtas/rtas.def"
#undef RTAS
};

static int64_t hcall(struct machine *m, uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	struct cpu *cpu = &m->cpu[0]->cpu;
	const uint64_t in[] = { number, a, b, c, d };

	memcpy(&cpu->r[3], in, sizeof in);
	m->running = cpu;
	hcall_dispatch(cpu);
	m->running = NULL;
	cpu->run_state = CPU_RUNNING;
	return (int64_t)cpu->r[3];
}

static int32_t rtas(struct machine *m, uint32_t token, uint32_t nargs, uint32_t nret, uint32_t a, uint32_t b)
{
	const uint32_t cells[] = { token, nargs, nret, a, b };

	for (unsigned i = 0; i < sizeof cells / 4; i++)
		st_be32(&m->ram, CELLS + 4 * i, cells[i]);
	rtas_call(&m->cpu[0]->cpu, CELLS);
	return (int32_t)ld_be32(&m->ram, CELLS + 4 * (3 + nargs));
}

static bool promised(const void *fdt, const char *set)
{
	return fdt_stringlist_search(fdt, fdt_path_offset(fdt, "/rtas"), "ibm,hypertas-functions", set) >= 0;
}

static bool has(const void *fdt, const char *path, const char *property)
{
	return fdt_getprop(fdt, fdt_path_offset(fdt, path), property, NULL) != NULL;
}

static unsigned set_row(const char *set)
{
	unsigned i = 0;

	while (i < NSETS && strcmp(papr_sets[i].set, set))
		i++;
	return i;
}

static void test_sets(struct machine *m)
{
	int node = fdt_path_offset(m->fdt, "/rtas");
	unsigned n = (unsigned)fdt_stringlist_count(m->fdt, node, "ibm,hypertas-functions");

	check(n > 10, "sets");
	for (unsigned i = 0; i < n; i++) {
		const char *set = fdt_stringlist_get(m->fdt, node, "ibm,hypertas-functions", (int)i, NULL);
		unsigned row = set_row(set);

		check(row < NSETS, "%s-is-PAPR's", set);
		for (unsigned k = 0; row < NSETS && k < 9 && papr_sets[row].numbers[k]; k++)
			check(hcall(m, papr_sets[row].numbers[k], 0, 0, 0, 0) != H_FUNCTION, "%s-0x%x", set,
			      papr_sets[row].numbers[k]);
	}
	for (unsigned i = 0; i < sizeof hcalls / sizeof hcalls[0]; i++) {
		unsigned row = set_row(hcalls[i].set);
		bool listed = false;

		if (!*hcalls[i].set)
			continue;
		for (unsigned k = 0; row < NSETS && k < 9; k++)
			listed |= papr_sets[row].numbers[k] == hcalls[i].number;
		check(listed && promised(m->fdt, hcalls[i].set), "row-0x%x-of-%s", (unsigned)hcalls[i].number, hcalls[i].set);
	}
}

/* A set that only some machines offer: asked for, it is there, and its call; else neither. What follows has all of them. */
static void test_demand(struct machine *m, struct config *o)
{
	struct tree_boot boot = { 0 };
	struct error err;
	void *fdt;

	check(!promised(m->fdt, "hcall-rpt-invalidate"), "no-hcall-rpt-invalidate");
	check_eq((uint64_t)hcall(m, 0x448, 0, 1, 2, 1), (uint64_t)H_FUNCTION, "no-H_RPT_INVALIDATE");
	o->resize_hpt = RESIZE_HPT_DISABLED;
	check_eq((uint64_t)hcall(m, 0x36c, 0, 0, 0, 0), (uint64_t)H_AUTHORITY, "resizing-disabled");
	check_eq((uint64_t)hcall(m, 0x370, 0, 0, 0, 0), (uint64_t)H_AUTHORITY, "resizing-disabled-commit");
	fdt = tree_build(m, &boot, &err);
	check(fdt && !promised(fdt, "hcall-hpt-resize"), "no-hcall-hpt-resize");
	free(fdt);
	o->resize_hpt = RESIZE_HPT_REQUIRED;
	o->rpt_invalidate = true;
	check_eq((uint64_t)hcall(m, 0x448, 0, 1, 2, 1), (uint64_t)(m->radix ? H_SUCCESS : H_UNSUPPORTED), "H_RPT_INVALIDATE");
	fdt = tree_build(m, &boot, &err);
	check(fdt && promised(fdt, "hcall-rpt-invalidate"), "hcall-rpt-invalidate");
	free(m->fdt);
	m->fdt = fdt;
}

/* A property of /rtas that is a token is a call, and a call is a property. */
static void test_rtas(struct machine *m)
{
	int node = fdt_path_offset(m->fdt, "/rtas"), at;
	unsigned calls = 0;

	fdt_for_each_property_offset(at, m->fdt, node) {
		const char *name;
		int len;
		const fdt32_t *value = fdt_getprop_by_offset(m->fdt, at, &name, &len);
		bool row = false;

		if (len != 4 || (fdt32_to_cpu(*value) & 0xffffff00) != RTAS_TOKEN_BASE)
			continue;
		for (unsigned i = 0; i < sizeof rtas_names / sizeof rtas_names[0]; i++)
			row |= !strcmp(rtas_names[i], name);
		check(row, "%s-is-a-call", name);
		calls++;
	}
	check_eq(calls, sizeof rtas_names / sizeof rtas_names[0], "every-call-is-a-property");
	check(rtas(m, 0x201b + 0x20, 3, 1, 0, 0) == RTAS_NOT_SUPPORTED, "what-is-no-property-is-no-call");
}

/* Dynamic reconfiguration is more than names: whoever sees it in the tree must be able to call it. */
static void test_reconfiguration(struct machine *m)
{
	static const struct { const char *path, *property; } rows[] = {
		{ "/cpus", "ibm,drc-names" }, { "/cpus", "ibm,drc-types" }, { "/cpus", "ibm,drc-power-domains" },
		{ "/cpus", "ibm,drc-info" }, { "/cpus/PowerPC,POWER9@0", "ibm,my-drc-index" },
		{ "/event-sources/hot-plug-events", "interrupts" },
		{ "/ibm,dynamic-reconfiguration-memory", "ibm,lmb-size" },
	};
	bool able = has(m->fdt, "/rtas", "set-indicator") && has(m->fdt, "/rtas", "ibm,configure-connector");
	int len;
	const fdt32_t *most = fdt_getprop(m->fdt, fdt_path_offset(m->fdt, "/rtas"), "ibm,lrdr-capacity", &len);

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
		check(able || !has(m->fdt, rows[i].path, rows[i].property), "%s-%s", rows[i].path, rows[i].property);
	check(most && len == 20 && ((fdt32_to_cpu(most[4]) == 2 && fdt32_to_cpu(most[1]) == m->ram.size)),
	      "no-more-than-there-is");
	check(has(m->fdt, "/cpus", "ibm,drc-indexes") || !promised(m->fdt, "hcall-best-energy-1b"), "names-for-energy-hints");
}

/* What the processor is said to have: bits that stand for what only looks as if it were there. */
static void test_features(struct machine *m)
{
	static const struct { unsigned byte; uint8_t bit; const char *name; } absent[] = {
		{ 22, 0x80, "transactional-memory" },
	};
	const char *path = "/cpus/PowerPC,POWER9@0";
	int len;
	const uint8_t *pa = fdt_getprop(m->fdt, fdt_path_offset(m->fdt, path), "ibm,pa-features", &len);

	check(pa && len == 68 && pa[0] == 66, "ibm,pa-features");
	for (unsigned i = 0; pa && i < sizeof absent / sizeof absent[0]; i++)
		check(!(pa[2 + absent[i].byte] & absent[i].bit), "no-%s", absent[i].name);
	check(pa && pa[2 + 28] & 0x80 && pa[2 + 42] & 0x80, "performance-monitor");
	/* Linux gives programs PPC_FEATURE_HAS_DFP for the property. */
	check(pa && pa[2 + 54] & 0x80 && has(m->fdt, path, "ibm,dfp"), "decimal-floating-point");
	check(insn_lookup_at(0xec000004, m->config->cpu_model->since) != NULL, "dadd");
	/* The DABR. */
	check(pa && pa[2] & 0x04 && promised(m->fdt, "hcall-dabr"), "DABR");
	check_eq(hcall(m, 0x028, 0x1000, 0, 0, 0), H_SUCCESS, "H_SET_DABR");
	check_eq(hcall(m, 0x134, 0x1000, 3, 0, 0), H_SUCCESS, "H_SET_XDABR");
}

/* -M cap-dfp=off: the property, by which Linux goes, is not there. */
static void test_unpromised(struct machine *m, struct config *o)
{
	struct tree_boot boot = { 0 };
	struct error err;
	void *fdt;

	o->dfp = false;
	fdt = tree_build(m, &boot, &err);
	check(fdt && !has(fdt, "/cpus/PowerPC,POWER9@0", "ibm,dfp"), "no-ibm,dfp");
	free(fdt);
	o->dfp = true;
}

/* "ibm,os-term" under each -action. */
static void test_os_term(struct machine *m, struct config *o)
{
	static const struct {
		enum panic_action action;
		bool no_shutdown, ends, pauses;
		const char *name;
	} rows[] = {
		{ PANIC_NONE, false, false, false, "none" },
		{ PANIC_NONE, true, false, false, "none-no-shutdown" },
		{ PANIC_PAUSE, false, false, true, "pause" },
		{ PANIC_SHUTDOWN, false, true, false, "shutdown" },
		{ PANIC_SHUTDOWN, true, false, true, "shutdown-pause" },
		{ PANIC_EXIT_FAILURE, false, true, false, "exit-failure" },
		{ PANIC_EXIT_FAILURE, true, true, false, "exit-failure-no-shutdown" },
	};

	check(has(m->fdt, "/rtas", "ibm,extended-os-term"), "ibm,extended-os-term");
	check_eq(o->panic, PANIC_NONE, "what-it-promises-is-the-default");
	ram_write(&m->ram, MESSAGE, "last words", 11);
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		o->panic = rows[i].action;
		o->no_shutdown = rows[i].no_shutdown;
		check_eq((uint64_t)rtas(m, 0x201f, 1, 1, MESSAGE, 0), 0, "%s-status", rows[i].name);
		check(m->panic_message && !strcmp(m->panic_message, "last words"), "%s-message", rows[i].name);
		check_eq(m->request == REQ_PANIC, rows[i].ends, "%s-ends", rows[i].name);
		check_eq(m->run.stopped && m->run.panicked, rows[i].pauses, "%s-pauses", rows[i].name);
		m->request = REQ_NONE;
		m->run.stopped = m->run.panicked = false;
	}
	o->panic = PANIC_NONE;
	o->no_shutdown = false;
}

int main(void)
{
	struct rig rig;

	rig_new(&rig, "2");
	test_demand(rig.m, &rig.options);
	test_sets(rig.m);
	test_rtas(rig.m);
	test_reconfiguration(rig.m);
	test_features(rig.m);
	test_unpromised(rig.m, &rig.options);
	test_os_term(rig.m, &rig.options);
	rig_free(&rig);
	return check_done();
}
