/* Virtual processor area and SLB shadow buffer: registration, and what the hypervisor writes there.
 *
 * The areas lie in guest memory; struct spapr_cpu holds their addresses and the hypervisor's own copy of all
 * counts, which it never reads back from there. Registration leaves the guest's fields alone.
 * Source: PAPR, "Virtual Processor Areas" and H_REGISTER_VPA.
 */
#include "hcall/vpa.h"

#include <string.h>

#include "cpu/core/bits.h"
#include "hcall/dispatcher.h"
#include "hcall/hcall.h"
#include "hcall/splpar.h"

#define AREA_DEREGISTER 4		/* added to an area's subfunction, takes it away */
#define AREA_LINE 128			/* bytes of an L1 data cache line: alignment of every area */
#define AREA_PAGE 4096

const struct area_rule area_rules[AREAS] = {
	[AREA_VPA]        = { VPA_MIN_SIZE, AREA_PAGE, true },
	[AREA_DTL]        = { DTL_ENTRY_SIZE, AREA_PAGE, false },
	[AREA_SLB_SHADOW] = { 8, AREA_PAGE, true },
};

/* Address 0 is how "none" is kept. */
enum area_fault area_check(const struct ram *ram, enum vpa_area area, uint64_t addr, uint64_t size)
{
	const struct area_rule *rule = &area_rules[area];

	if (size < rule->min || size > rule->max)
		return AREA_WRONG_SIZE;
	if (!addr || addr % AREA_LINE || !ram_ok(ram, addr, size))
		return AREA_WRONG_PLACE;
	return rule->one_page && addr % AREA_PAGE + size > AREA_PAGE ? AREA_WRONG_PLACE : AREA_FITS;
}

void vpa_reset(struct spapr_cpu *sc)
{
	sc->vpa_addr = 0;
	sc->slb_shadow_addr = sc->slb_shadow_size = 0;
	dtl_deregister(sc);
	sc->dispatch_count = sc->dispersion_count = 0;
	memset(sc->home_changes, 0, sizeof sc->home_changes);
	sc->donated[0] = sc->donated[1] = 0;
	sc->donates = sc->donates_idle = false;
}

/* ---- What the dispatcher counts ---- */

static void store_count(struct machine *m, const struct spapr_cpu *sc)
{
	if (sc->vpa_addr)
		st_be32(&m->ram, sc->vpa_addr + VPA_DISPATCH_COUNT, sc->dispatch_count);
}

static const uint16_t wait_field[WAIT_INTERVALS] = {
	[WAIT_NOT_READY] = VPA_WAIT_NOT_READY, [WAIT_CAPACITY] = VPA_WAIT_CAPACITY, [WAIT_PROCESSOR] = VPA_WAIT_PROCESSOR,
};

static void store_times(struct machine *m, const struct spapr_cpu *sc)
{
	for (unsigned i = 0; i < WAIT_INTERVALS; i++)
		st_be64(&m->ram, sc->vpa_addr + wait_field[i], sc->vp.waited[i] / CYCLES_PER_TICK);
}

/* The physical processor that the thread runs on, as the VPA names it: a part that can be replaced (here a chip),
 * and the number of the processor on that part. */
static void store_place(struct machine *m, const struct spapr_cpu *sc)
{
	const struct dispatcher *d = m->dispatcher;
	unsigned phys, chip, first = 0;

	if (sc->vp.physical == PHYSICAL_NONE)
		return;
	phys = sc->vp.physical / d->threads;
	chip = dispatcher_chip(d, phys);
	while (dispatcher_chip(d, first) != chip)
		first++;
	st_be32(&m->ram, sc->vpa_addr + VPA_NODE_ID, chip);
	st_be32(&m->ram, sc->vpa_addr + VPA_PROC_ID, phys - first);
}

/* Donated PURR and SPURR ticks are equal: the clock is constant. */
static void store_donated(struct machine *m, const struct spapr_cpu *sc)
{
	for (unsigned idle = 0; idle < 2; idle++) {
		uint64_t at = sc->vpa_addr + (idle ? VPA_DONATED_IDLE : VPA_DONATED_BUSY);

		st_be64(&m->ram, at, sc->donated[idle] / CYCLES_PER_TICK);
		st_be64(&m->ram, at + 8, sc->donated[idle] / CYCLES_PER_TICK);
	}
}

static void store_all(struct machine *m, const struct spapr_cpu *sc)
{
	st_be32(&m->ram, sc->vpa_addr + VPA_DISPERSION, sc->dispersion_count);
	ram_write(&m->ram, sc->vpa_addr + VPA_HOME_CHANGES, sc->home_changes, sizeof sc->home_changes);
	store_times(m, sc);
	store_place(m, sc);
	if (sc->donated[0] | sc->donated[1])
		store_donated(m, sc);
	store_count(m, sc);
}

/* The dispatch count of a stopped thread is odd. */
void vpa_adopt(struct machine *m, struct spapr_cpu *sc)
{
	if (!sc->vpa_addr)
		return;
	sc->dispatch_count = ld_be32(&m->ram, sc->vpa_addr + VPA_DISPATCH_COUNT) | 1;
	sc->dispersion_count = ld_be32(&m->ram, sc->vpa_addr + VPA_DISPERSION);
	for (unsigned i = 0; i < WAIT_INTERVALS; i++)
		sc->vp.waited[i] = ld_be64(&m->ram, sc->vpa_addr + wait_field[i]) * CYCLES_PER_TICK;
	if (sc->dtl_addr)
		sc->dtl_index = ld_be64(&m->ram, sc->vpa_addr + VPA_DTL_INDEX);
}

/* ---- Dispatch and stop. PAPR, "Virtual Processor Preempt/Dispatch" ---- */

/* Adds the waits to the totals. Ticks are differences of the totals in ticks, so that a log's entries add up to
 * what the VPA says. */
static void add_waits(struct spapr_cpu *sc, uint64_t ticks[WAIT_INTERVALS])
{
	for (unsigned i = 0; i < WAIT_INTERVALS; i++) {
		uint64_t before = sc->vp.waited[i];

		sc->vp.waited[i] += sc->vp.wait[i];
		ticks[i] = sc->vp.waited[i] / CYCLES_PER_TICK - before / CYCLES_PER_TICK;
	}
}

/* Threads of a core that share in its donation. In a dedicated partition the guest may donate the cycles of an idle
 * processor. That is a whole core or nothing: none of its threads runs, and all that are not stopped allow it. */
static unsigned count_donors(const struct machine *m, unsigned first)
{
	unsigned n = 0;

	for (unsigned i = first; i < first + m->threads; i++) {
		if (m->cpu[i]->donates)
			n++;
		else if (m->cpu[i]->vp.state != VP_STOPPED)
			return 0;
	}
	return n;
}

void vpa_donate(struct machine *m, unsigned first, uint64_t cycles)
{
	unsigned n = count_donors(m, first), rest = n ? (unsigned)(cycles % n) : 0;

	for (unsigned i = first; n && i < first + m->threads; i++) {
		struct spapr_cpu *sc = m->cpu[i];

		if (!sc->donates)
			continue;
		sc->donated[sc->donates_idle] += cycles / n + (rest > 0);
		rest -= rest > 0;
	}
}

void vpa_dispatched(struct machine *m, struct spapr_cpu *sc, enum vp_reason reason, bool moved)
{
	struct dtl_entry entry = {
		.dispatch_reason = vp_dispatch_code(reason),
		.preempt_reason = vp_preempt_code((enum vp_reason)sc->vp.stopped_by),
		.processor = sc->vp.physical,
		.timebase = sc->cpu.cycles / CYCLES_PER_TICK + m->clock.tb.tb_offset,
		.srr0 = sc->cpu.nip, .srr1 = sc->cpu.msr,
	};

	sc->donates = false;
	add_waits(sc, entry.waits);
	sc->dispersion_count += moved;
	sc->dispatch_count += sc->dispatch_count % 2;
	if (!sc->vpa_addr)
		return;
	dtl_append(m, sc, &entry);
	store_all(m, sc);
	slb_shadow_load(m, sc);
}

void vpa_stopped(struct machine *m, struct spapr_cpu *sc)
{
	sc->dispatch_count |= 1;
	if (!sc->vpa_addr)
		return;
	store_count(m, sc);
	if (!m->dispatcher->shared && sc->vp.stopped_by == VP_CEDE) {
		sc->donates = ld_u8(&m->ram, sc->vpa_addr + VPA_DONATE) & VPA_DONATE_IDLE_CYCLES;
		sc->donates_idle = vpa_idle_hint(m, sc);
	}
}

/* Affinity levels, from the nearest: chip, neighbouring pair of chips. The third, all of the
 * machine, never changes. */
void vpa_moved_home(struct machine *m, struct spapr_cpu *sc, unsigned from, unsigned to)
{
	sc->home_changes[0] += from != to;
	sc->home_changes[1] += from / 2 != to / 2;
	if (sc->vpa_addr)
		ram_write(&m->ram, sc->vpa_addr + VPA_HOME_CHANGES, sc->home_changes, sizeof sc->home_changes);
}

bool vpa_idle_hint(const struct machine *m, const struct spapr_cpu *sc)
{
	return sc->vpa_addr && ld_u8(&m->ram, sc->vpa_addr + VPA_IDLE) == 1;
}

/* ---- H_REGISTER_VPA ---- */

/* The area's first line says how long it is: *size. */
static bool area_fits(const struct ram *ram, enum vpa_area area, uint64_t addr, uint64_t *size)
{
	if (!ram_ok(ram, addr, AREA_LINE))
		return false;
	*size = area == AREA_VPA ? ld_be16(ram, addr + VPA_SIZE) : ld_be32(ram, addr + AREA_SIZE32);
	return area_check(ram, area, addr, *size) == AREA_FITS;
}

static int64_t register_vpa(struct machine *m, struct spapr_cpu *sc, uint64_t addr)
{
	uint8_t status = ld_u8(&m->ram, addr + VPA_STATUS) & (uint8_t)~VPA_STATUS_SHARED;

	sc->vpa_addr = addr;
	st_u8(&m->ram, addr + VPA_STATUS, m->dispatcher->shared ? status | VPA_STATUS_SHARED : status);
	/* Not 0, so that the guest can tell that the hypervisor has taken the area. */
	sc->dispatch_count = vp_runs(sc) ? 2 : 1;
	store_all(m, sc);
	dtl_mirror_index(m, sc);
	return H_SUCCESS;
}

static int64_t register_slb_shadow(struct spapr_cpu *sc, uint64_t addr, uint64_t size)
{
	if (!sc->vpa_addr)
		return H_RESOURCE;
	sc->slb_shadow_addr = addr;
	sc->slb_shadow_size = size;
	return H_SUCCESS;
}

static int64_t deregister_vpa(struct machine *m, struct spapr_cpu *sc)
{
	if (sc->dtl_addr || sc->slb_shadow_addr)
		return H_RESOURCE;
	/* What stays in the guest's memory says "not dispatched". */
	if (sc->vpa_addr)
		st_be32(&m->ram, sc->vpa_addr + VPA_DISPATCH_COUNT, sc->dispatch_count | 1);
	sc->vpa_addr = 0;
	return H_SUCCESS;
}

/* Checks in PAPR's order. A thread may change another one's VPA or SLB shadow buffer only while that is stopped; its
 * log at any time. */
HCALL_FN(H_REGISTER_VPA)
{
	struct machine *m = cpu_machine(cpu);
	unsigned what = in[0] >> 45 & 7;	/* bits 16-18; PAPR lets the others be ignored */
	enum vpa_area area = what % AREA_DEREGISTER;
	struct spapr_cpu *sc = machine_cpu(m, in[1]);
	uint64_t addr = in[2], size = 0;

	if (!area || !sc)
		return H_PARAMETER;
	if (area != AREA_DTL && &sc->cpu != cpu && sc->cpu.run_state != CPU_STOPPED)
		return H_STATE;
	if (what < AREA_DEREGISTER && !area_fits(&m->ram, area, addr, &size))
		return H_PARAMETER;
	switch (what) {
	case AREA_VPA:
		return register_vpa(m, sc, addr);
	case AREA_DTL:
		return dtl_register(m, sc, addr, size);
	case AREA_SLB_SHADOW:
		return register_slb_shadow(sc, addr, size);
	case AREA_VPA + AREA_DEREGISTER:
		return deregister_vpa(m, sc);
	case AREA_DTL + AREA_DEREGISTER:
		dtl_deregister(sc);
		return H_SUCCESS;
	default:
		sc->slb_shadow_addr = sc->slb_shadow_size = 0;
		return H_SUCCESS;
	}
}
