/* Affinity domains: what is near to what. PAPR, "ibm,associativity" and form 1 of
 * "ibm,associativity-reference-points".
 *
 * Four levels, numbered from 1 as the reference points do: all of the machine (1 and 2), a pair of
 * neighbouring chips (3), a chip (4, the one that guests take for a node). Processors have their own
 * number below that. All memory is at chip 0.
 */
#ifndef HCALL_AFFINITY_H
#define HCALL_AFFINITY_H

#include <stdint.h>

#define AFFINITY_LEVELS 4

static inline void affinity_domains(unsigned chip, uint32_t domain[AFFINITY_LEVELS])
{
	domain[0] = domain[1] = 0;
	domain[2] = chip / 2;
	domain[3] = chip;
}

#endif
