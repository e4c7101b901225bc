/* A kernel that switches its machine off at once, for tests that want one which has been started. */
#ifndef TESTS_POWER_OFF_H
#define TESTS_POWER_OFF_H

#include <stdint.h>

/* Big-endian code for RTAS power-off: finds its arguments behind itself. */
static const uint32_t power_off[] = {
	0x429f0005,		/* bcl 20,31,.+4 */
	0x7c8802a6,		/* mflr r4 */
	0x38840018,		/* addi r4,r4,24 */
	0x3c600000,		/* lis r3,0 */
	0x6063f000,		/* ori r3,r3,0xf000 */
	0x44000022,		/* sc 1 */
	0x48000000,		/* b . */
	0x2003, 2, 1, 0, 0, 0,
};

#endif
