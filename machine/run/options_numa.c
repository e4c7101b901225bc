/* Options for NUMA nodes: -numa, and -object memory-backend-ram, which is a node's memory. */
#include "machine/run/options_parse.h"

#include <stdlib.h>
#include <string.h>

/* A number up to `most`. */
static bool number(struct parse *p, const char *key, const char *value, uint64_t most, unsigned *out)
{
	uint64_t n;

	if (!parse_u64(value, &n) || n > most)
		return option_fail(p, "-numa: %s=%.40s is not a number up to %u", key, value, (unsigned)most);
	*out = (unsigned)n;
	return true;
}

/* "FIRST[-LAST]": processors by number. */
static bool parse_cpus(struct parse *p, const char *value, unsigned *first, unsigned *last)
{
	char *end;

	*first = *last = (unsigned)strtoul(value, &end, 10);
	if (*value >= '0' && *value <= '9' && *end == '-' && end[1] >= '0' && end[1] <= '9')
		*last = (unsigned)strtoul(end + 1, &end, 10);
	return (*value >= '0' && *value <= '9' && !*end && *first <= *last && *last < VP_MAX) ||
	       option_fail(p, "-numa: cpus=%.40s is not FIRST or FIRST-LAST, up to %d", value, VP_MAX - 1);
}

/* ---- What -numa says, until all options are there ---- */

static bool claim(struct parse *p, unsigned cpu, unsigned node)
{
	if (p->numa_cpu[cpu])
		return option_fail(p, "-numa: processor %u is in node %d already", cpu, p->numa_cpu[cpu] - 1);
	p->numa_cpu[cpu] = (uint8_t)(node + 1);
	return true;
}

/* cpus= may come before nodeid=, and more than once. */
struct node_words {
	const char *cpus[16], *memdev;
	unsigned n, id;
};

static bool node_word(struct parse *p, struct node_words *w, const char *key, const char *value)
{
	if (!strcmp(key, "nodeid"))
		return number(p, key, value, NUMA_MOST - 1, &w->id);
	if (!strcmp(key, "memdev")) {
		w->memdev = value;
		return true;
	}
	if (!strcmp(key, "mem"))
		return option_fail(p, "-numa: Parameter mem is not supported by this machine type: use memdev=ID, and -object memory-backend-ram,id=ID,size=SIZE");
	if (strcmp(key, "cpus"))
		return option_fail(p, "-numa node does not know '%.60s'", key);
	if (w->n == ARRAY_SIZE(w->cpus))
		return option_fail(p, "-numa node: too many cpus=");
	w->cpus[w->n++] = value;
	return true;
}

static bool add_node(struct parse *p, struct pairs *pairs)
{
	struct numa_config *numa = &p->opts->numa;
	struct node_words w = { .id = numa->nodes };
	char *key, *value;
	struct numa_node *node;

	while (pairs_next(pairs, &key, &value))
		if (!node_word(p, &w, key ? key : "", value))
			return false;
	if (w.id >= NUMA_MOST || numa->node[w.id].given)
		return option_fail(p, w.id >= NUMA_MOST ? "-numa: %u nodes are the most" : "-numa: there are two nodes %u", w.id);
	node = &numa->node[w.id];
	node->given = true;
	if (w.id >= numa->nodes)
		numa->nodes = w.id + 1;
	if (w.memdev && !(node->memdev = strdup(w.memdev)))
		return option_fail(p, "out of memory");
	for (unsigned i = 0; i < w.n; i++) {
		unsigned first, last;

		if (!parse_cpus(p, w.cpus[i], &first, &last))
			return false;
		for (unsigned cpu = first; cpu <= last; cpu++)
			if (!claim(p, cpu, w.id))
				return false;
	}
	return true;
}

static bool add_distance(struct parse *p, struct pairs *pairs)
{
	unsigned src = NUMA_MOST, dst = NUMA_MOST, val = 0;
	char *key, *value;

	while (pairs_next(pairs, &key, &value)) {
		unsigned *to = !key ? NULL : !strcmp(key, "src") ? &src : !strcmp(key, "dst") ? &dst : !strcmp(key, "val") ? &val : NULL;

		if (!to)
			return option_fail(p, "-numa dist does not know '%.60s'", key ? key : value);
		if (!number(p, key, value, to == &val ? 255 : NUMA_MOST - 1, to))
			return false;
	}
	if (src == NUMA_MOST || dst == NUMA_MOST || val < NUMA_LOCAL || (src == dst) != (val == NUMA_LOCAL))
		return option_fail(p, "-numa dist needs src=, dst= and val=: %d from a node to itself, more to others", NUMA_LOCAL);
	p->opts->numa.node[src].distance[dst] = (uint8_t)val;
	return true;
}

static bool add_cpu(struct parse *p, struct pairs *pairs)
{
	unsigned node = NUMA_MOST, core = VP_MAX;
	char *key, *value;

	while (pairs_next(pairs, &key, &value)) {
		bool is_node = key && !strcmp(key, "node-id");

		if (!is_node && (!key || strcmp(key, "core-id")))
			return option_fail(p, "-numa cpu does not know '%.60s'", key ? key : value);
		if (!number(p, key, value, is_node ? NUMA_MOST - 1 : VP_MAX - 1, is_node ? &node : &core))
			return false;
	}
	if (node == NUMA_MOST || core == VP_MAX || !p->opts->numa.node[node].given)
		return option_fail(p, "-numa cpu needs node-id= of a node before it, and core-id=");
	return claim(p, core, node);
}

bool opt_numa(struct parse *p, const char *text)
{
	static const struct { const char *name; bool (*add)(struct parse *p, struct pairs *pairs); } kinds[] = {
		{ "node", add_node }, { "dist", add_distance }, { "cpu", add_cpu },
	};
	struct pairs pairs;
	char *key, *value;
	bool ok = false, known = false;

	if (!pairs_open(p, &pairs, text))
		return false;
	if (pairs_next(&pairs, &key, &value))
		for (unsigned i = 0; i < ARRAY_SIZE(kinds) && !known; i++)
			if ((!key || !strcmp(key, "type")) && !strcmp(kinds[i].name, value)) {
				known = true;
				ok = kinds[i].add(p, &pairs);
			}
	free(pairs.copy);
	return known ? ok : option_fail(p, "-numa: there are node, dist and cpu");
}

/* ---- -object memory-backend-ram ---- */

bool numa_object(struct parse *p, struct pairs *pairs)
{
	struct memory_object *o = &p->memory[p->memories];
	char *key, *value;

	if (p->memories == NUMA_MOST)
		return option_fail(p, "-object memory-backend-ram: %d are the most", NUMA_MOST);
	*o = (struct memory_object){ .size = 0 };
	while (pairs_next(pairs, &key, &value)) {
		if (key && !strcmp(key, "id")) {
			if (strlen(value) >= sizeof o->id)
				return option_fail(p, "-object memory-backend-ram: id=%.40s.. is too long", value);
			strcpy(o->id, value);
		} else if (key && !strcmp(key, "size")) {
			if (!parse_size(value, 1, &o->size))
				return option_fail(p, "-object memory-backend-ram: size=%.40s is not a size", value);
		} else if (!key || word_index("prealloc|share|dump|merge", key) < 0) {
			return option_fail(p, "-object memory-backend-ram does not know '%.60s'", key ? key : value);
		}
	}
	if (!*o->id || !o->size)
		return option_fail(p, "-object memory-backend-ram needs id= and size=");
	p->memories++;
	return true;
}

/* ---- When all options are there ---- */

static bool find_memory(struct parse *p, struct numa_node *node, unsigned n)
{
	for (unsigned i = 0; node->memdev && i < p->memories; i++)
		if (!strcmp(p->memory[i].id, node->memdev) && !p->memory[i].used) {
			p->memory[i].used = true;
			node->size = p->memory[i].size;
		}
	if (node->memdev && !node->size)
		return option_fail(p, "-numa: memdev=%.60s: there is no such memory, or another node has it", node->memdev);
	return !(node->size % CONFIG_RAM_STEP) ||
	       option_fail(p, "-numa: Node %u memory size 0x%llx is not aligned to 256 MiB", n, (unsigned long long)node->size);
}

/* One way round stands for both. */
static bool fill_distances(struct parse *p)
{
	struct numa_config *numa = &p->opts->numa;
	bool any = false;

	for (unsigned i = 0; i < NUMA_MOST; i++)
		for (unsigned k = 0; k < NUMA_MOST; k++)
			if (numa->node[i].distance[k]) {
				any |= i != k;
				if (i >= numa->nodes || k >= numa->nodes)
					return option_fail(p, "-numa dist: there is no node %u", i > k ? i : k);
			}
	for (unsigned i = 0; i < numa->nodes; i++)
		for (unsigned k = 0; k < numa->nodes; k++) {
			uint8_t *d = &numa->node[i].distance[k], back = numa->node[k].distance[i];

			if (i == k)
				*d = NUMA_LOCAL;
			else if (any && !*d && !back)
				return option_fail(p, "-numa dist: The distance between node %u and %u is missing, at least one distance value "
						   "between each nodes should be provided.", i, k);
			else if (*d && back && *d != back)
				return option_fail(p, "-numa dist: asymmetrical NUMA topology isn't supported by the pSeries machine using ibm,associativity FORM1");
			else if (!*d)
				*d = back ? back : NUMA_OTHER;
		}
	return true;
}

/* Those of which nobody says anything are in node 0; if nobody says anything of any, sockets take turns. */
static bool place_cpus(struct parse *p)
{
	struct config *o = p->opts;
	bool any = false;

	for (unsigned i = 0; i < VP_MAX; i++) {
		any |= p->numa_cpu[i] != 0;
		if (p->numa_cpu[i] && i >= o->max_cpus)
			return option_fail(p, "-numa: processor %u: there are %u (-smp maxcpus=)", i, o->max_cpus);
	}
	for (unsigned core = 0; core < o->max_cpus; core += o->threads) {
		unsigned node = any ? 0 : core / o->threads / (o->cores ? o->cores : 1) % o->numa.nodes;

		for (unsigned i = core; i < core + o->threads; i++)
			if (p->numa_cpu[i])
				node = p->numa_cpu[i] - 1u;
		for (unsigned i = core; i < core + o->threads; i++)
			o->numa.cpu_node[i] = (uint8_t)node;
	}
	return true;
}

bool finish_numa(struct parse *p)
{
	struct config *o = p->opts;
	uint64_t sum = 0;

	for (unsigned i = 0; i < o->numa.nodes; i++) {
		if (!o->numa.node[i].given)
			return option_fail(p, "-numa: numa: Node ID missing: %u", i);
		if (!find_memory(p, &o->numa.node[i], i))
			return false;
		sum += o->numa.node[i].size;
	}
	for (unsigned i = 0; i < p->memories; i++)
		if (!p->memory[i].used)
			return option_fail(p, "-object memory-backend-ram,id=%.60s: no node has it (-numa node,memdev=)", p->memory[i].id);
	if (!fill_distances(p))		/* which refuses some of nodes that there are not */
		return false;
	if (!o->numa.nodes)
		return true;
	if (sum != o->ram_size)
		return option_fail(p, "-numa: total memory for NUMA nodes (0x%llx) should equal RAM size (0x%llx)", (unsigned long long)sum,
				   (unsigned long long)o->ram_size);
	if (!o->numa.node[0].size)
		return option_fail(p, "-numa: node 0 needs memory, in which guests begin");
	if (o->pool.given)
		return option_fail(p, "-numa: processors of a pool are in no node (-pool)");
	return place_cpus(p);
}

void numa_forget(struct config *opts)
{
	for (unsigned i = 0; i < NUMA_MOST; i++)
		free(opts->numa.node[i].memdev);
}
