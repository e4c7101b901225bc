/* NUMA nodes (-numa): which processors and how much of memory belong together, and how far nodes are from each other. What a
 * guest is told of them is QEMU's: form 1 of "ibm,associativity". PAPR, "NUMA Resource Associativity". */
#ifndef MACHINE_CORE_NUMA_H
#define MACHINE_CORE_NUMA_H

#include <stdbool.h>
#include <stdint.h>

#include "machine/vp/vp.h"

#define NUMA_MOST   16
#define NUMA_LEVELS 4			/* of affinity, the nearest is the last: a node's number */
#define NUMA_LOCAL  10			/* distance of a node from itself; 20: of others, if nobody says */
#define NUMA_OTHER  20

struct numa_config {
	unsigned nodes;			/* 0: nobody has said anything of nodes */
	struct numa_node {
		char *memdev;		/* id of its memory; NULL: it has none. options_free() */
		uint64_t size;		/* bytes; from where the node before it ends */
		uint8_t distance[NUMA_MOST];	/* 0: not given */
		bool given;
	} node[NUMA_MOST];
	uint8_t cpu_node[VP_MAX];	/* of each thread */
};

/* Domains of a node, from the farthest level on: domain[3] is the node's number. */
void numa_domains(const struct numa_config *numa, unsigned node, uint32_t domain[NUMA_LEVELS]);
/* Where the memory of the node begins, guest real. */
uint64_t numa_start(const struct numa_config *numa, unsigned node);

#endif
