/* Which interrupt controller gets what. */
#include "machine/irq/irq.h"

#include "machine/irq/xics.h"
#include "machine/irq/xive.h"

void irq_mode_changed(struct machine *m)
{
	bool by_xive = irq_by_xive(m);

	if (m->xive)
		xive_map(m, by_xive);
	if (by_xive)
		xive_lines(m);
	else
		xics_lines(m);
}

/* One of them alone has it if a snapshot says so: then nobody gets it. */
bool irq_claim(struct machine *m, unsigned irq, bool lsi)
{
	bool in_xics = !m->xics || xics_claim(m, irq, lsi), in_xive = !m->xive || xive_claim(m, irq, lsi);

	if (in_xics && !in_xive && m->xics)
		xics_release(m, irq);
	if (in_xive && !in_xics && m->xive)
		xive_release(m, irq);
	return in_xics && in_xive;
}

void irq_release(struct machine *m, unsigned irq)
{
	if (m->xics)
		xics_release(m, irq);
	if (m->xive)
		xive_release(m, irq);
}

bool irq_is_lsi(const struct machine *m, uint64_t irq)
{
	if (irq_by_xive(m))
		return xive_is_lsi(m, irq);
	return xics_valid(m, irq) && xics_source(m, (unsigned)irq)->kind == XICS_LSI;
}

void irq_set(struct machine *m, unsigned irq, bool level)
{
	if (irq_by_xive(m))
		xive_set_irq(m, irq, level);
	else
		xics_set_irq(m, irq, level);
}

void irq_cpu_reset(struct machine *m, unsigned i)
{
	if (m->xics)
		xics_cpu_reset(m->cpu[i]);
	if (m->xive)
		xive_cpu_reset(m, i);
	m->cpu[i]->cpu.irq &= ~(uint32_t)IRQ_EXTERNAL;
}
