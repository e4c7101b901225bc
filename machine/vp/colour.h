/* The colours of pictures of the dispatcher, as 0xRRGGBB: the same in a file (cede-dtl --svg) and on a screen (the panel). */
#ifndef MACHINE_VP_COLOUR_H
#define MACHINE_VP_COLOUR_H

#include <stdbool.h>
#include <stdint.h>

#include "machine/vp/vp.h"

#define COLOUR_IDLE 0xf2f4f6u		/* nobody runs there */

/* Of the guest's virtual thread number `vp` of `cpus`; from there on: of the load. */
uint32_t colour_vp(unsigned cpus, unsigned vp);
uint32_t colour_state(enum vp_state state);
bool colour_is_light(uint32_t colour);	/* a text on it is dark */

#endif
