/* What may be asked of the pool, and of the partition's part in it: capacity, use, places.
 *
 * Capacities are in hundredths of a processor, times in cycles. Source: PAPR, H_GET_PPP, H_SET_PPP,
 * H_PIC, H_HOME_NODE_ASSOCIATIVITY.
 */
#include "hcall/dispatcher.h"
#include "hcall/pool.h"
#include "machine/core/machine.h"

struct partition *dispatcher_guest(const struct machine *m) { return &m->dispatcher->partition[PARTITION_GUEST]; }

struct vproc *dispatcher_core(const struct machine *m, const struct spapr_cpu *sc)
{
	return &dispatcher_guest(m)->vp[sc->cpu.index / m->threads];
}

/* ---- Capacity ---- */

uint32_t dispatcher_max_entitlement(const struct machine *m)
{
	const struct dispatcher *d = m->dispatcher;
	uint32_t left = POOL_UNIT * d->procs - d->partition[PARTITION_LOAD].entitlement;
	uint32_t usable = POOL_UNIT * dispatcher_guest(m)->n;

	return left < usable ? left : usable;
}

uint32_t dispatcher_entitlement(const struct machine *m)
{
	uint32_t there = 0;

	if (m->dispatcher->shared)
		return dispatcher_guest(m)->entitlement;
	for (unsigned i = 0; i < m->ncpus; i += m->threads)
		there += !m->cpu[i]->absent;
	return POOL_UNIT * there;
}

/* PAPR's least: a hundredth of a processor for each virtual one. */
uint32_t dispatcher_min_entitlement(const struct machine *m)
{
	uint32_t most = dispatcher_max_entitlement(m), least = dispatcher_guest(m)->n;

	return least < most ? least : most;
}

bool dispatcher_set_capacity(struct machine *m, uint64_t entitlement, uint64_t weight)
{
	struct dispatcher *d = m->dispatcher;
	struct partition *p = dispatcher_guest(m);
	uint64_t least = dispatcher_min_entitlement(m), most = dispatcher_max_entitlement(m);
	uint64_t fits = entitlement < least ? least : entitlement > most ? most : entitlement;

	if (!d->shared)
		return entitlement == dispatcher_entitlement(m) && !weight;
	p->entitlement = (uint32_t)fits;
	if (!p->capped)
		pool_set_weight(p, weight > 255 ? 255 : (uint32_t)weight);
	pool_changed(d);
	return fits == entitlement && p->weight == weight;
}

uint64_t dispatcher_run_cycles(struct machine *m, enum partition_id who)
{
	const struct dispatcher *d = m->dispatcher;
	uint64_t now = machine_now(m), cycles = d->partition[who].used;

	for (unsigned i = 0; i < d->procs; i++)
		if (d->on[i].vp && d->on[i].partition == who && now > d->on[i].vp->paid)
			cycles += now - d->on[i].vp->paid;
	return cycles;
}

uint64_t dispatcher_idle_cycles(struct machine *m)
{
	const struct dispatcher *d = m->dispatcher;
	uint64_t all = d->procs * (machine_now(m) - d->since), run = 0;

	for (unsigned i = 0; i < PARTITIONS; i++)
		run += dispatcher_run_cycles(m, (enum partition_id)i);
	return all > run ? all - run : 0;
}

/* ---- Does one wait? ---- */

bool dispatcher_work_waits(const struct machine *m)
{
	const struct dispatcher *d = m->dispatcher;

	for (unsigned i = 0; i < PARTITIONS; i++)
		if (pool_anyone(&d->partition[i], VP_READY))
			return true;
	return false;
}

/* ---- Places ---- */

unsigned dispatcher_chip(const struct dispatcher *d, unsigned phys)
{
	return phys * d->chips / d->procs;
}

unsigned dispatcher_home_chip(const struct machine *m, const struct spapr_cpu *sc)
{
	return dispatcher_core(m, sc)->home;
}

int dispatcher_physical_chip(const struct machine *m, uint64_t physical)
{
	const struct dispatcher *d = m->dispatcher;

	return physical < (uint64_t)d->procs * d->threads ? (int)dispatcher_chip(d, (unsigned)physical / d->threads) : -1;
}
