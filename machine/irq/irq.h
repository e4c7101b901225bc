/* Interrupt lines of the board: who has one names it by its number, and need not know which controller there is.
 *
 * A machine has XICS, XIVE, or both of them (-M ic-mode=). With both, each source is claimed in both, and one of them is in
 * charge: XICS, until the guest asks for XIVE in ibm,client-architecture-support. The other one is not told of anything. */
#ifndef MACHINE_IRQ_IRQ_H
#define MACHINE_IRQ_IRQ_H

#include "machine/core/machine.h"

/* Source numbers that a guest keeps. Those from IRQ_BASE on are the same in XICS and XIVE. */
#define IRQ_BASE    0x1000
#define IRQ_COUNT   4096
#define IRQ_EPOW    0x1000
#define IRQ_HOTPLUG 0x1001

#define OV5_XIVE 177			/* option vector 5: number of the bit in machine.ov5_cas */

/* XIVE is in charge. */
static inline bool irq_by_xive(const struct machine *m)
{
	return !m->xics || (m->xive && m->ov5_cas[OV5_XIVE / 64] >> OV5_XIVE % 64 & 1);
}

/* Who is in charge may have changed: reset, client-architecture-support, a load. What processors see follows. */
void irq_mode_changed(struct machine *m);
/* What is presented to that processor is as after power-on. */
void irq_cpu_reset(struct machine *m, unsigned i);

/* Gives source `irq` a kind, level (`lsi`) or edge; false if there is no such source or it is taken. */
bool irq_claim(struct machine *m, unsigned irq, bool lsi);
void irq_release(struct machine *m, unsigned irq);
bool irq_is_lsi(const struct machine *m, uint64_t irq);	/* false of what is no source, too */
/* The source's line. An edge comes with level = true and has no low level. Nothing, if there is no such source. */
void irq_set(struct machine *m, unsigned irq, bool level);

#endif
