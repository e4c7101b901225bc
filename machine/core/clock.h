/* The virtual clock's tie to the host's. The clock itself is in machine.h. */
#ifndef MACHINE_CORE_CLOCK_H
#define MACHINE_CORE_CLOCK_H

#include "machine/core/machine.h"
#include "machine/host/time.h"

#define POLL_CYCLES UINT64_C(1000000)	/* cycles between two looks at the host's inputs: about 1 ms, below what a typist notices */

/* The clock's end: further no snapshot goes, and no machine. 4.4 years; sums of a few cycles stay far from 64 bits. */
#define CLOCK_END      (UINT64_C(1) << 57)
/* With -clock warp idle time is skipped up to there; a guest that waits for longer waits as others do. 2.2 years: what
 * a machine can run through behind it does not lead to the end. */
#define CLOCK_WARP_END (UINT64_C(1) << 56)

uint64_t cycles_to_ns(uint64_t cycles);		/* rounded down */
uint64_t ns_to_cycles(uint64_t ns);		/* saturates */

void clock_init(struct machine *m, bool warp);
/* The machine is about to idle: forgives a host that was too slow or too fast before, so
 * that the idle time itself takes as long as the guest thinks. */
void clock_anchor(struct machine *m);
uint64_t clock_wall_cycle(const struct machine *m);		/* where the host's time says we are */
uint64_t clock_wait_ns(const struct machine *m, uint64_t cycle);	/* until then; 0: past, or -clock warp */

#endif
