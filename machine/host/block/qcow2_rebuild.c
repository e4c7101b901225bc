/* Refcounts of a qcow2 image from nothing but its tables: after a crash of somebody who had left them behind (the dirty bit).
 *
 * All is counted in memory first, a number for each cluster of the file. Blocks that are missing are made in clusters that
 * nobody uses, then each count that differs is set. What points out of the file is an error: qemu-img may mend that. */
#include "machine/host/block/qcow2.h"

#define MOST_CLUSTERS (UINT64_C(1) << 27)	/* of which the numbers are held in memory */

struct census {
	uint32_t *uses;
	uint64_t n, room;		/* clusters of the file; of which there may be so many */
};

static int count_bytes(struct qcow2 *q, struct census *c, uint64_t offset, uint64_t bytes)
{
	uint64_t last = (offset + bytes - 1) >> q->cluster_bits;

	if (!bytes)
		return 0;
	if (offset >= c->n << q->cluster_bits || last >= c->n)
		return EIO;
	for (uint64_t i = offset >> q->cluster_bits; i <= last; i++)
		c->uses[i] += c->uses[i] < UINT32_MAX;
	return 0;
}

static int count_l2(struct qcow2 *q, struct census *c, uint64_t offset)
{
	struct qcow2_table *t;
	int error = qcow2_table_get(q, &q->l2, offset, false, &t);

	for (uint32_t i = 0; i < 1u << q->l2_bits && !error; i++) {
		uint64_t entry = qcow2_entry(q, t, i), at = entry & QCOW2_OFFSET, bytes = q->cluster;

		if (entry & QCOW2_COMPRESSED)
			qcow2_zipped_range(q, entry, &at, &bytes);
		if ((entry & QCOW2_COMPRESSED) && at + bytes > c->n << q->cluster_bits)	/* the file ends within its last sector */
			bytes = at < c->n << q->cluster_bits ? (c->n << q->cluster_bits) - at : bytes;
		if (at)
			error = count_bytes(q, c, at, bytes);
	}
	return error;
}

static int count_l1(struct qcow2 *q, struct census *c, const uint64_t *l1, uint32_t entries, uint64_t offset)
{
	int error = count_bytes(q, c, offset, entries * UINT64_C(8));
	uint64_t tables = 0;

	for (uint32_t i = 0; i < entries && !error; i++) {
		uint64_t at = l1[i] & QCOW2_OFFSET;

		if (!at)
			continue;
		if (++tables > c->n)	/* the same one again and again */
			return EIO;
		error = count_bytes(q, c, at, q->cluster);
		if (!error)
			error = count_l2(q, c, at);
	}
	return error;
}

static int count_states(struct qcow2 *q, struct census *c)
{
	int error = count_bytes(q, c, q->states_offset, q->states_bytes);

	for (uint32_t i = 0; i < q->n_states && !error; i++) {
		const struct qcow2_state *s = &q->states[i];
		uint64_t *l1;

		error = qcow2_l1_read(q, s->l1, s->l1_entries, &l1);
		if (error)
			break;
		error = count_l1(q, c, l1, s->l1_entries, s->l1);
		free(l1);
	}
	return error;
}

static int count_all(struct qcow2 *q, struct census *c)
{
	int error = count_bytes(q, c, 0, q->cluster);

	if (!error)
		error = count_l1(q, c, q->l1, q->l1_entries, q->l1_offset);
	if (!error)
		error = count_states(q, c);
	if (!error)
		error = count_bytes(q, c, q->counts_offset, (uint64_t)q->counts_clusters << q->cluster_bits);
	for (uint32_t i = 0; i < q->counts_entries && !error; i++)
		if (q->counts[i])
			error = count_bytes(q, c, q->counts[i], q->cluster);
	return error;
}

/* Blocks that are missing come behind all that is in use, and count themselves. */
static int make_blocks(struct qcow2 *q, struct census *c)
{
	uint64_t each = UINT64_C(8) << q->cluster_bits >> q->order;
	int error = 0;

	for (uint64_t i = 0; i * each < c->n && !error; i++) {
		if (i >= q->counts_entries || c->n == c->room)
			return EIO;
		if (q->counts[i])
			continue;
		error = qcow2_block_make(q, i, c->n);
		c->uses[c->n++] = 1;
	}
	return error;
}

static int set_counts(struct qcow2 *q, struct census *c)
{
	int error = 0;

	for (uint64_t i = 0; i < c->n && !error; i++) {
		uint64_t count;

		error = qcow2_count_get(q, i, &count);
		if (!error && count != c->uses[i])
			error = c->uses[i] > qcow2_count_max(q) ? EIO : qcow2_count_set(q, i, c->uses[i]);
	}
	return error;
}

int qcow2_rebuild(struct qcow2 *q)
{
	struct census c = { .n = q->file_end >> q->cluster_bits };
	int error;

	if (c.n > MOST_CLUSTERS)
		return EFBIG;
	c.room = c.n + q->counts_entries + 1;
	c.uses = calloc(c.room, sizeof *c.uses);
	if (!c.uses)
		return ENOMEM;
	error = count_all(q, &c);
	if (!error)
		error = make_blocks(q, &c);
	if (!error)
		error = set_counts(q, &c);
	if (!error)
		error = qcow2_copied_set(q);
	if (!error)
		error = qcow2_settle(q);
	q->hint = 0;
	free(c.uses);
	return error;
}
