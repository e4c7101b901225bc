/* What a guest is told of NUMA nodes; see numa.h. */
#include "machine/core/numa.h"

/* The level up to which two nodes of that distance are the same: 1 the farthest, 0 none. */
static unsigned level_of(unsigned distance)
{
	static const struct { unsigned least, most, level; } rows[] = { { 10, 10, 4 }, { 12, 30, 3 }, { 31, 60, 2 }, { 61, 120, 1 } };

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (distance >= rows[i].least && distance <= rows[i].most)
			return rows[i].level;
	return 0;
}

/* Each node begins with its own number at all levels, and takes over those of the nodes before it that are near. */
void numa_domains(const struct numa_config *numa, unsigned node, uint32_t domain[NUMA_LEVELS])
{
	uint32_t all[NUMA_MOST][NUMA_LEVELS];

	for (unsigned i = 0; i < NUMA_MOST; i++)
		for (unsigned k = 0; k < NUMA_LEVELS; k++)
			all[i][k] = i;
	for (unsigned from = 0; from < numa->nodes; from++)
		for (unsigned to = from; to < numa->nodes; to++)
			for (unsigned level = level_of(numa->node[from].distance[to]); level; level--)
				all[to][level - 1] = all[from][level - 1];
	for (unsigned k = 0; k < NUMA_LEVELS; k++)
		domain[k] = all[node][k];
}

uint64_t numa_start(const struct numa_config *numa, unsigned node)
{
	uint64_t at = 0;

	for (unsigned i = 0; i < node; i++)
		at += numa->node[i].size;
	return at;
}
