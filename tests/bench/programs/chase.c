/* Pointer chasing: a list in random order over 8 MB, so that nearly each step is another page. */
#include "bench.h"

#define NODES	(1 << 17)
#define STEPS	100000

struct node {
	struct node *next;
	uint64_t     value[7];
};

/* One cycle through all nodes (Sattolo's shuffle). */
static void link_up(struct node *nodes)
{
	uint32_t *order = bench_alloc(NODES * sizeof(order[0]));
	uint64_t seed = 11;

	for (uint32_t i = 0; i < NODES; i++)
		order[i] = i;
	for (uint32_t i = NODES - 1; i; i--) {
		uint32_t j = bench_random(&seed) % i, swap = order[i];
		order[i] = order[j];
		order[j] = swap;
	}
	for (uint32_t i = 0; i < NODES; i++) {
		nodes[order[i]].next = nodes + order[(i + 1) % NODES];
		nodes[order[i]].value[i % 7] = i;
	}
	free(order);
}

int main(int argc, char **argv)
{
	struct node *nodes = calloc(NODES, sizeof(nodes[0])), *at = nodes;
	uint64_t sum = 0;

	bench_need(nodes != NULL, "calloc");
	link_up(nodes);
	for (uint64_t work = bench_work(argc, argv, 20); work; work--)
		for (uint32_t step = 0; step < STEPS; step++) {
			sum += at->value[step % 7] + (sum >> 7);
			at = at->next;
		}
	sum = bench_add(sum, at - nodes);
	free(nodes);
	return bench_done("chase", sum);
}
