/* Who has had how much of a core: what PURR, SPURR and VTB count.
 *
 * While n threads of a core are dispatched, each has an nth of its cycles; the rest of the division is
 * carried, so that nothing is lost. Threads run one after the other within a quantum, so that one may
 * have read its PURR before it is known that another stops: until the quantum's end each counts by how
 * many began it, which is never too much. Then it is settled by where each has stopped. Whoever changes
 * who is dispatched settles before, and deals anew after. Power ISA 3.0B, Book III, PURR, VTB.
 */
#include "hcall/dispatcher.h"
#include "hcall/splpar.h"

/* Where it has stopped since the last time; its stop is the last transition that it has made. */
static uint64_t end_of(const struct spapr_cpu *sc, uint64_t now)
{
	return !sc->cpu.share ? sc->cpu.share_from : vp_runs(sc) ? now : sc->vp.since;
}

/* How many run on behind cycle `at`; *next: where the first of them ends. */
static unsigned runners(const uint64_t *end, unsigned n, uint64_t at, uint64_t *next)
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

static void use(struct cpu *cpu, uint64_t parts)
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
		end[i] = end_of(core[i], now);
	for (; (n = runners(end, m->threads, at, &next)); at = next)
		for (unsigned i = 0; i < m->threads; i++)
			if (end[i] > at)
				use(&core[i]->cpu, (next - at) * (CORE_PARTS / n));
	for (unsigned i = 0; i < m->threads; i++) {
		core[i]->cpu.core_ran += at - from;
		core[i]->cpu.share_from = now;
	}
}

void share_deal(struct machine *m, unsigned first)
{
	unsigned n = 0;

	for (unsigned i = first; i < first + m->threads; i++)
		n += vp_runs(m->cpu[i]);
	for (unsigned i = first; i < first + m->threads; i++)
		m->cpu[i]->cpu.share = vp_runs(m->cpu[i]) ? CORE_PARTS / n : 0;
}

/* A guest subtracts the time base of its boot from VTB: it must not lie below that and pass it later. */
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
