/* malloc() and free() under a search tree (a treap) to which nodes come and from which they go. */
#include "bench.h"

#define KEYS	4096

struct node {
	struct node *child[2];
	uint32_t     key, weight;
	char         name[];
};

static struct node *new_node(uint32_t key, uint64_t r)
{
	const uint32_t length = 8 + r % 56;
	struct node *n = bench_alloc(sizeof(*n) + length);

	*n = (struct node){ .key = key, .weight = r >> 32 };
	memset(n->name, key, length);
	return n;
}

static struct node *rotate(struct node *n, int side)
{
	struct node *up = n->child[side];

	n->child[side] = up->child[!side];
	up->child[!side] = n;
	return up;
}

static struct node *insert(struct node *n, uint32_t key, uint64_t r)
{
	if (!n)
		return new_node(key, r);
	const int side = key > n->key;
	n->child[side] = insert(n->child[side], key, r);
	return n->child[side]->weight > n->weight ? rotate(n, side) : n;
}

/* The node goes down, its heavier child up, until it can be cut off. */
static struct node *drop(struct node *n)
{
	struct node *a = n->child[0], *b = n->child[1];

	if (!a || !b) {
		free(n);
		return a ? a : b;
	}
	const int side = b->weight > a->weight;
	n = rotate(n, side);
	n->child[!side] = drop(n->child[!side]);
	return n;
}

static int toggle(struct node **root, uint32_t key, uint64_t r)
{
	struct node **at = root;

	while (*at && (*at)->key != key)
		at = &(*at)->child[key > (*at)->key];
	if (*at) {
		*at = drop(*at);
		return 0;
	}
	*root = insert(*root, key, r);
	return 1;
}

static uint64_t walk(const struct node *n, uint64_t sum)
{
	while (n) {
		sum = bench_add(walk(n->child[0], sum), n->key + (uint8_t)n->name[3]);
		n = n->child[1];
	}
	return sum;
}

int main(int argc, char **argv)
{
	struct node *root = NULL;
	uint64_t sum = 0, seed = 19;

	for (uint64_t work = bench_work(argc, argv, 260); work; work--) {
		for (uint32_t i = 0; i < KEYS; i++) {
			const uint64_t r = bench_random(&seed);
			sum += toggle(&root, r % KEYS, r);
		}
		sum = walk(root, sum);
	}
	return bench_done("treap", sum);
}
