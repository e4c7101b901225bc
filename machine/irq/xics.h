/* XICS: the interrupt controller that a pSeries guest sees through H_* and RTAS calls.
 *
 * Two layers. The source layer holds one record for each interrupt source (server, priority,
 * what became of the last edge or level); the presentation layer is per processor and lives in
 * struct spapr_cpu: `xirr` (CPPR in the top byte, XISR below), `mfrr`, `pending_priority`
 * and `xirr_owner`, the source behind XISR (0: none, or an IPI). Priority 0 is the most
 * favoured, 0xff means off.
 * Source: PAPR, "Interrupt Controller" and the function set hcall-interrupt.
 */
#ifndef MACHINE_IRQ_XICS_H
#define MACHINE_IRQ_XICS_H

#include "machine/core/device.h"
#include "machine/irq/irq.h"

/* Source numbers that a guest keeps. */
#define XICS_IPI        2
#define XICS_IRQ_BASE   IRQ_BASE
#define XICS_IRQS       IRQ_COUNT

#define XICS_PRIORITY_OFF 0xff

enum xics_status {
	XICS_ASSERTED = 1,		/* LSI: the line is high */
	XICS_SENT = 2,			/* LSI: presented and not yet ended */
	XICS_REJECTED = 4,		/* MSI: the presentation layer sent it back */
	XICS_MASKED_PENDING = 8,	/* MSI: came while the source was off */
};

enum xics_kind { XICS_FREE = 0, XICS_LSI = 1, XICS_MSI = 2 };

struct xics_source {
	uint32_t server;
	uint8_t priority, saved_priority;
	uint8_t status;			/* enum xics_status */
	uint8_t kind;			/* enum xics_kind */
};

struct xics {
	struct device dev;
	struct xics_source source[XICS_IRQS];	/* [0] is source XICS_IRQ_BASE */
	/* Derived: sources that the next resend has to look at. */
	uint64_t resend[XICS_IRQS / 64];
};

/* The event sources (EPOW, hotplug) are claimed from the begin. A reset keeps the kinds of sources. */
extern const struct device_class xics_class;

/* Gives source `irq` a kind; false if there is no such source or it is taken. */
bool xics_claim(struct machine *m, unsigned irq, bool lsi);
bool xics_valid(const struct machine *m, uint64_t irq);	/* claimed */
/* Takes the kind away again: the source is as if it had never been claimed. */
void xics_release(struct machine *m, unsigned irq);
/* The source's line. An MSI fires on level = true and has no low level. */
void xics_set_irq(struct machine *m, unsigned irq, bool level);

/* Routing; `irq` must be valid and `server` a processor. */
void xics_route(struct machine *m, unsigned irq, uint32_t server, uint8_t priority, uint8_t saved);
const struct xics_source *xics_source(const struct machine *m, unsigned irq);

/* Presentation layer of one processor. */
void xics_set_cppr(struct machine *m, struct spapr_cpu *sc, uint8_t cppr);
void xics_set_mfrr(struct machine *m, struct spapr_cpu *sc, uint8_t mfrr);
void xics_cpu_reset(struct spapr_cpu *sc);	/* nothing is presented to it */
void xics_lines(struct machine *m);	/* processors' external interrupts follow XIRR */
uint32_t xics_accept(struct spapr_cpu *sc);	/* returns XIRR */
void xics_eoi(struct machine *m, struct spapr_cpu *sc, uint32_t xirr);

#endif
