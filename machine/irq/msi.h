/* Message-signalled interrupt sources: which of them are given out. A device gets a block of consecutive ones. */
#ifndef MACHINE_IRQ_MSI_H
#define MACHINE_IRQ_MSI_H

#include "machine/core/machine.h"

#define MSI_FIRST UINT32_C(0x1300)	/* source number of bit 0 of the machine's map */
#define MSI_COUNT (MSI_WORDS * 64u)

/* The first of `n` sources, claimed as edges; even if `even`. 0: there are not so many in a row. */
uint32_t msi_alloc(struct machine *m, uint32_t n, bool even);
/* Gives them back. Numbers that are none are left alone. */
void msi_free(struct machine *m, uint32_t first, uint32_t n);
void msi_reset(struct machine *m);	/* none is given out */

#endif
