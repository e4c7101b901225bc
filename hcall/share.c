/* How much of a core each of its threads has had: what PURR, SPURR and VTB count.
 *
 * While n threads of a core are dispatched, each has an nth of its cycles; the remainder of the division is
 * carried, so that nothing is lost. cede runs threads one after the other within a quantum, so that a thread may
 * read its PURR before another one's stop is known: until the quantum's end each counts by the number of threads
 * that began it, which is never too much. Then share_settle() counts by the cycles at which they stopped. Code that
 * changes which threads are dispatched calls share_settle() before and share_deal() after. Power ISA 3.0B, Book III,
 * PURR, VTB.
 */
#include "hcall/dispatcher.h"
#include "hcall/splpar.h"

/* Cycle up to which the thread ran since the last settlement: `now`, or that of its last transition, its stop. One
 * that has no share did not run at all. */
static uint64_t run_end(const struct spapr_cpu *sc, uint64_t now)
{
	return !sc->cpu.share ? sc->cpu.share_from : vp_runs(sc) ? now : sc->vp.since;
}

/* How many threads run on after cycle `at`; *next: the cycle at which the first of them stops. */
static unsigned count_runners(const uint64_t *end, unsigned n, uint64_t at, uint64_t *next)
{
	unsigned count = 0;

	*next = UINT64_MAX;
	for (unsigned i = 0; i < n; i++) {
		if (end[i] <= at)
			continue;
		count++;
		if (end[i] < *next)
			*next = end[i];
	}
	return count;
}

static void count_use(struct cpu *cpu, uint64_t parts)
{
	parts += cpu->used_part;
	cpu->used += parts / CORE_PARTS;
	cpu->used_part = (uint32_t)(parts % CORE_PARTS);
}

void share_settle(struct machine *m, unsigned first, uint64_t now)
{
	struct spapr_cpu *const *core = &m->cpu[first];
	uint64_t from = core[0]->cpu.share_from, at = from, next, end[SHARE_MAX_THREADS];
	unsigned n;

	for (unsigned i = 0; i < m->threads; i++)
		end[i] = run_end(core[i], now);
	for (; (n = count_runners(end, m->threads, at, &next)); at = next)
		for (unsigned i = 0; i < m->threads; i++)
			if (end[i] > at)
				count_use(&core[i]->cpu, (next - at) * (CORE_PARTS / n));
	for (unsigned i = 0; i < m->threads; i++) {
		core[i]->cpu.core_ran += at - from;
		core[i]->cpu.share_from = now;
	}
}

static unsigned runners(const struct machine *m, unsigned first)
{
	unsigned n = 0;

	for (unsigned i = first; i < first + m->threads; i++)
		n += vp_runs(m->cpu[i]);
	return n;
}

void share_tell(struct machine *m, unsigned first)
{
	unsigned n = runners(m, first);

	for (unsigned i = first; n && i < first + m->threads; i++)
		cpu_share_core(&m->cpu[i]->cpu, n);
}

void share_deal(struct machine *m, unsigned first)
{
	unsigned n = runners(m, first);

	share_tell(m, first);
	for (unsigned i = first; i < first + m->threads; i++)
		m->cpu[i]->cpu.share = vp_runs(m->cpu[i]) ? CORE_PARTS / n : 0;
}

/* A guest subtracts the time base at its boot from VTB. The difference must not change its sign, so VTB starts at
 * the present time base. */
void share_start(struct machine *m, unsigned first)
{
	const struct cpu *cpu = &m->cpu[first]->cpu;
	uint64_t vtb = m->clock.now / CYCLES_PER_TICK + m->clock.tb.tb_offset - cpu->core_ran / CYCLES_PER_TICK;

	for (unsigned i = first; i < first + m->threads; i++)
		m->cpu[i]->cpu.vtb_off = vtb;
}

void share_reset(struct cpu *cpu, uint64_t now)
{
	cpu->share_from = now;
	cpu->used = cpu->core_ran = 0;
	cpu->used_part = cpu->share = 0;
}
