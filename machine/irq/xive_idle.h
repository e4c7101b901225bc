/* XIVE as a dual machine's snapshot has it while its guest uses XICS: tables that nobody looks at. cede
 * has no XIVE yet; what was found is kept, and given back when the guest is saved again. */
#ifndef MACHINE_IRQ_XIVE_IDLE_H
#define MACHINE_IRQ_XIVE_IDLE_H

#include <stdbool.h>
#include <stdint.h>

#include "machine/core/device.h"

#define XIVE_SOURCES    8192
#define XIVE_PRIORITIES 8

/* Words are in the stream's byte order, whatever that means to whoever wrote them. */
struct xive_eas { uint64_t w; };
struct xive_end { uint32_t w0, w1, w2, w3, w4, w5, w6, w7; };

struct xive_tctx {
	uint8_t regs[64];		/* four rings of the thread's interrupt context */
	bool there;			/* a snapshot had it */
};

struct xive_idle {
	struct device dev;
	uint8_t status[XIVE_SOURCES];
	struct xive_eas eat[XIVE_SOURCES];
	struct xive_end end[XIVE_PRIORITIES * MACHINE_MAX_CPUS];
	uint32_t ends;			/* of this machine: for each processor that it may have */
	bool source_there, router_there;
	struct xive_tctx tctx[MACHINE_MAX_CPUS];
};

/* None of its sections is written unless it was loaded. */
extern const struct device_class xive_idle_class;

#endif
