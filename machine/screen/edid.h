/* What a display says of itself: VESA Enhanced EDID Standard, release A, revision 2 (EDID 1.4). */
#ifndef MACHINE_SCREEN_EDID_H
#define MACHINE_SCREEN_EDID_H

#include <stdint.h>

#define EDID_BYTES 128u

/* Of one that is best at width x height, each 64 to 4095, at 75 Hz, and knows no other frequency. */
void edid_fill(uint8_t edid[EDID_BYTES], unsigned width, unsigned height);

#endif
