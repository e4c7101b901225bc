/* Where the tables of a qcow2 image lie, so that nothing else is written there, whatever a damaged image says: a set of
 * clusters, open addressing. */
#include "machine/host/block/qcow2.h"

static uint64_t home_of(const struct qcow2_guard *g, uint64_t cluster)
{
	return cluster * UINT64_C(0x9e3779b97f4a7c15) >> 20 & g->mask;
}

static struct qcow2_guarded *find_guarded(const struct qcow2_guard *g, uint64_t cluster)
{
	for (uint64_t i = home_of(g, cluster); g->at; i = (i + 1) & g->mask)
		if (g->at[i].cluster == cluster || !g->at[i].cluster)
			return &g->at[i];
	return NULL;
}

static bool guard_resize(struct qcow2_guard *g)
{
	struct qcow2_guard bigger = { .mask = g->at ? g->mask * 2 + 1 : 63 };

	bigger.at = calloc(bigger.mask + 1, sizeof *bigger.at);
	if (!bigger.at)
		return false;
	for (uint64_t i = 0; g->at && i <= g->mask; i++)
		if (g->at[i].l2 || g->at[i].counts || g->at[i].fixed) {
			*find_guarded(&bigger, g->at[i].cluster) = g->at[i];
			bigger.used++;
		}
	free(g->at);
	*g = bigger;
	return true;
}

bool qcow2_guard_add(struct qcow2 *q, uint64_t offset, enum qcow2_part part)
{
	struct qcow2_guard *g = &q->guard;
	struct qcow2_guarded *at;
	uint64_t cluster = offset >> q->cluster_bits;

	if (!cluster)
		return true;
	if ((!g->at || g->used > g->mask / 2) && !guard_resize(g))
		return false;
	at = find_guarded(g, cluster);
	g->used += !at->cluster;
	at->cluster = cluster;
	at->l2 += part == QCOW2_L2;
	at->counts += part == QCOW2_BLOCKS;
	at->fixed += part == QCOW2_FIXED;
	return true;
}

/* The place stays taken until the set grows. */
void qcow2_guard_remove(struct qcow2 *q, uint64_t offset, enum qcow2_part part)
{
	struct qcow2_guarded *at = find_guarded(&q->guard, offset >> q->cluster_bits);

	if (!at || !at->cluster)
		return;
	at->l2 -= part == QCOW2_L2 && at->l2;
	at->counts -= part == QCOW2_BLOCKS && at->counts;
	at->fixed -= part == QCOW2_FIXED && at->fixed;
}

static bool is_hit(uint64_t offset, uint64_t bytes, uint64_t from, uint64_t n)
{
	return n && offset < from + n && from < offset + bytes;
}

bool qcow2_guard_hit(struct qcow2 *q, uint64_t offset, uint64_t bytes, unsigned but)
{
	uint64_t last = (offset + bytes - 1) >> q->cluster_bits;

	if (!(but & QCOW2_FIXED) && (is_hit(offset, bytes, 0, q->cluster) || is_hit(offset, bytes, q->l1_offset, q->l1_entries * UINT64_C(8)) ||
	    is_hit(offset, bytes, q->counts_offset, (uint64_t)q->counts_clusters << q->cluster_bits) ||
	    is_hit(offset, bytes, q->states_offset, q->states_bytes)))
		return true;
	for (uint64_t cluster = offset >> q->cluster_bits; cluster <= last; cluster++) {
		const struct qcow2_guarded *at = find_guarded(&q->guard, cluster);

		if (at && at->cluster && ((at->l2 && !(but & QCOW2_L2)) || (at->counts && !(but & QCOW2_BLOCKS)) ||
				  (at->fixed && !(but & QCOW2_FIXED))))
			return true;
	}
	return false;
}

bool qcow2_table_ok(struct qcow2 *q, uint64_t offset, enum qcow2_part part)
{
	return !(offset & (q->cluster - 1)) && offset < q->file_end && !qcow2_guard_hit(q, offset, q->cluster, part);
}
