/* Energy management. PAPR, "Partition Energy Management Option": H_GET_EM_PARMS, H_BEST_ENERGY.
 *
 * Hints name processors by the DRC index that /cpus has (firmware/fdt.c), and no others: Linux looks
 * for them in ibm,drc-indexes and does not stop at its end on little-endian.
 */
#include "hcall/energy.h"

#include <string.h>

#include "hcall/dispatcher.h"
#include "hcall/hcall.h"

/* ---- H_GET_EM_PARMS ---- */

#define EM_NOMINAL UINT64_C(2)		/* management is off: the clock is constant */

/* Platform, group, pool, partition. No limits on power, no energy reported: 0. */
HCALL_FN(H_GET_EM_PARMS)
{
	out[0] = EM_NOMINAL << 48 | EM_NOMINAL << 32 | EM_NOMINAL << 16 | EM_NOMINAL;
	return H_SUCCESS;
}

/* ---- H_BEST_ENERGY ----
 *
 * Best to release: a processor whose chip does nothing else for this partition; then the one that was used
 * least, whose work the others can best take over. Best to activate: a processor on a chip that is awake.
 * Processors that are released (or active) already come last. The caller's hints on wake-up latency and number
 * of resources make no difference. */
#define EFLAGS_RESERVED    (PPC_MASK(32, 39) | PPC_MASK(48, 51))
#define EFLAGS_BUFFER      PPC_BIT(52)
#define EFLAGS_REFRESH     PPC_BIT(53)
#define EFLAGS_ORDERED     PPC_BIT(54)
#define EFLAGS_ACTIVATE    PPC_BIT(55)
#define EFLAGS_RESOURCE    PPC_MASK(56, 63)
#define RESOURCE_PROCESSOR 1

#define BEST            1		/* priorities; 255 is the worst */
#define NOTHING_GAINED  255
#define CHIP_STEP       32		/* added for each other active processor of the chip */
#define CHIP_STEPS      6
#define USE_STEPS       16		/* use is compared in sixteenths of the time since power-on */

#define REGISTER_ITEMS  8		/* r5..r12 */
#define BUFFER_SIZE     4096
#define BUFFER_ITEMS    (BUFFER_SIZE / 8)

static unsigned core_count(const struct machine *m)
{
	return m->ncpus / m->threads;
}

static bool core_active(const struct machine *m, unsigned core)
{
	for (unsigned i = core * m->threads; i < (core + 1) * m->threads; i++)
		if (m->cpu[i]->cpu.run_state != CPU_STOPPED)
			return true;
	return false;
}

static unsigned core_chip(const struct machine *m, unsigned core)
{
	return dispatcher_home_chip(m, m->cpu[core * m->threads]);
}

static unsigned active_on(const struct machine *m, unsigned chip)
{
	unsigned n = 0;

	for (unsigned core = 0; core < core_count(m); core++)
		n += core_chip(m, core) == chip && core_active(m, core);
	return n;
}

/* Part of the time since power-on for which the core was dispatched: 0 to USE_STEPS. */
static unsigned core_use(struct machine *m, unsigned core)
{
	uint64_t now = machine_now(m), all = m->threads * (now - m->dispatcher->since), ran = 0;

	for (unsigned i = core * m->threads; i < (core + 1) * m->threads; i++) {
		const struct vp_thread *t = &m->cpu[i]->vp;

		ran += t->ran + (t->state == VP_RUNNING && now > t->since ? now - t->since : 0);
	}
	return all ? (unsigned)((unsigned __int128)ran * USE_STEPS / all) : 0;
}

static uint8_t core_priority(struct machine *m, unsigned core, bool activate)
{
	bool active = core_active(m, core);
	unsigned others = active_on(m, core_chip(m, core)) - active;

	if (active == activate || m->cpu[core * m->threads]->absent)
		return NOTHING_GAINED;
	if (activate)
		return others ? BEST : BEST + CHIP_STEP;
	return (uint8_t)(BEST + CHIP_STEP * (others < CHIP_STEPS ? others : CHIP_STEPS) + core_use(m, core));
}

/* Makes the list anew. False: all cores have the same priority, and there is no list. */
static bool refresh_list(struct machine *m, struct energy_list *list, bool activate)
{
	bool differ = false;

	for (unsigned core = 0; core < core_count(m); core++) {
		list->priority[core] = core_priority(m, core, activate);
		differ |= list->priority[core] != list->priority[0];
	}
	list->made = differ ? machine_now(m) + 1 : 0;
	return differ;
}

/* The list was made since the guest's last reset. */
static bool list_established(const struct machine *m, const struct energy_list *list)
{
	return list->made > m->dispatcher->since;
}

/* The core with that DRC index; -1: there is none. */
static int find_core(const struct machine *m, uint64_t index)
{
	for (unsigned core = 0; core < core_count(m); core++)
		if (index == energy_drc_index(m->cpu[core * m->threads]))
			return (int)core;
	return -1;
}

/* Cores from the best on. */
static void sort_cores(const struct energy_list *list, unsigned n, unsigned *order)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned at = i;

		for (; at && list->priority[order[at - 1]] > list->priority[i]; at--)
			order[at] = order[at - 1];
		order[at] = i;
	}
}

static uint64_t list_item(const struct machine *m, const struct energy_list *list, unsigned core)
{
	return (uint64_t)list->priority[core] << 32 | energy_drc_index(m->cpu[core * m->threads]);
}

static int64_t answer_ordered(struct machine *m, const struct energy_list *list, const uint64_t *in, uint64_t *out)
{
	unsigned order[MACHINE_MAX_CPUS], n = core_count(m), first = 0;
	bool buffer = in[0] & EFLAGS_BUFFER;
	unsigned room = buffer ? BUFFER_ITEMS : REGISTER_ITEMS;
	int from = in[1] ? find_core(m, in[1]) : 0;

	if (from < 0)
		return H_P2;
	if (buffer && (in[2] % BUFFER_SIZE || !ram_ok(&m->ram, in[2], BUFFER_SIZE)))
		return H_P3;
	sort_cores(list, n, order);
	while (in[1] && order[first] != (unsigned)from)
		first++;
	out[0] = n - first;
	for (unsigned i = 0; i < n - first && i < room; i++) {
		if (buffer)
			st_be64(&m->ram, in[2] + 8 * i, list_item(m, list, order[first + i]));
		else
			out[1 + i] = list_item(m, list, order[first + i]);
	}
	return H_SUCCESS;
}

/* The caller names processors, up to the first 0, and gets the priority of each beside the name that it gave. */
static int64_t answer_inquiry(const struct machine *m, const struct energy_list *list, const uint64_t *in, uint64_t *out)
{
	uint64_t answer[REGISTER_ITEMS] = { 0 };
	unsigned n = 0;

	for (; n < REGISTER_ITEMS && in[1 + n]; n++) {
		int core = find_core(m, in[1 + n]);

		if (core < 0)
			return H_P2 - (int64_t)n;
		answer[n] = (uint64_t)list->priority[core] << 32 | in[1 + n];
	}
	out[0] = n;
	memcpy(&out[1], answer, sizeof answer);
	return H_SUCCESS;
}

/* The buffer flag is defined only together with the one for an ordered list. */
static uint64_t unsupported_flags(uint64_t eflags)
{
	return eflags & (EFLAGS_RESERVED | (eflags & EFLAGS_ORDERED ? 0 : EFLAGS_BUFFER));
}

HCALL_FN(H_BEST_ENERGY)
{
	struct machine *m = cpu_machine(cpu);
	bool activate = in[0] & EFLAGS_ACTIVATE;
	struct energy_list *list = &m->energy[activate];
	uint64_t bad = unsupported_flags(in[0]);

	if ((in[0] & EFLAGS_RESOURCE) != RESOURCE_PROCESSOR)
		return H_UNSUPPORTED;
	if (bad)
		return H_UNSUPPORTED_FLAG - __builtin_clzll(bad);
	if (in[0] & EFLAGS_REFRESH ? !refresh_list(m, list, activate) : !list_established(m, list))
		return H_NOT_AVAILABLE;
	return in[0] & EFLAGS_ORDERED ? answer_ordered(m, list, in, out) : answer_inquiry(m, list, in, out);
}
