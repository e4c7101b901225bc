/* Where a byte of the guest is in a qcow2 image: L1 and L2 tables. */
#include "machine/host/block/qcow2.h"

uint32_t qcow2_l2_index(const struct qcow2 *q, uint64_t offset)
{
	return (uint32_t)(offset >> q->cluster_bits) & ((1u << q->l2_bits) - 1);
}

uint64_t qcow2_entry(const struct qcow2 *q, const struct qcow2_table *t, uint32_t i)
{
	return be_get(t->data + (size_t)i * q->entry_bytes, 8);
}

uint64_t qcow2_bitmap(const struct qcow2 *q, const struct qcow2_table *t, uint32_t i)
{
	return q->extended ? be_get(t->data + (size_t)i * q->entry_bytes + 8, 8) : 0;
}

void qcow2_entry_set(struct qcow2 *q, struct qcow2_table *t, uint32_t i, uint64_t entry, uint64_t bitmap)
{
	be_put(t->data + (size_t)i * q->entry_bytes, entry, 8);
	if (q->extended)
		be_put(t->data + (size_t)i * q->entry_bytes + 8, bitmap, 8);
	qcow2_table_touch(&q->l2, t, i * q->entry_bytes, q->entry_bytes);
}

/* ---- Looking up ---- */

int qcow2_l2_find(struct qcow2 *q, uint64_t offset, struct qcow2_table **t, bool *owned)
{
	uint64_t i = offset >> (q->cluster_bits + q->l2_bits), entry = i < q->l1_entries ? q->l1[i] : 0;

	*t = NULL;
	*owned = entry & QCOW2_COPIED;
	return entry & QCOW2_OFFSET ? qcow2_table_get(q, &q->l2, entry & QCOW2_OFFSET, false, t) : 0;
}

void qcow2_zipped_range(const struct qcow2 *q, uint64_t entry, uint64_t *offset, uint64_t *bytes)
{
	unsigned x = 62 - (q->cluster_bits - 8);
	uint64_t sectors = (entry & (QCOW2_COMPRESSED - 1)) >> x;

	*offset = entry & ((UINT64_C(1) << x) - 1);
	*bytes = (sectors + 1) * 512 - (*offset & 511);
}

/* What a cluster's entry says of its subcluster `sub`; without them, sub is 0. False: it says nothing that makes sense. */
static bool entry_read(const struct qcow2 *q, uint64_t entry, uint64_t bitmap, unsigned sub, struct qcow2_run *run)
{
	bool allocated, zero;

	*run = (struct qcow2_run){ .kind = QCOW2_ZIPPED, .entry = entry };
	if (entry & QCOW2_COMPRESSED)
		return !bitmap;
	run->host = entry & QCOW2_OFFSET;
	allocated = q->extended ? bitmap >> sub & 1 : run->host != 0;
	zero = q->extended ? bitmap >> (32 + sub) & 1 : entry & QCOW2_ZERO;
	run->kind = zero ? QCOW2_ZEROS : allocated ? QCOW2_DATA : QCOW2_NOWHERE;
	if (q->extended ? zero && allocated : zero && q->version < 3)
		return false;
	return !(run->host & (q->cluster - 1)) && (run->kind != QCOW2_DATA || (run->host && run->host < q->file_end));
}

int qcow2_map(struct qcow2 *q, uint64_t offset, uint64_t bytes, struct qcow2_run *run)
{
	unsigned unit_bits = q->cluster_bits - (q->extended ? 5 : 0), subs_bits = q->cluster_bits - unit_bits;
	uint64_t span = qcow2_l1_span(q), left = qcow2_min(bytes, span - (offset & (span - 1)));
	uint64_t unit = UINT64_C(1) << unit_bits, done = qcow2_min(unit - (offset & (unit - 1)), left);
	struct qcow2_run next;
	struct qcow2_table *t;
	bool owned;
	int error = qcow2_l2_find(q, offset, &t, &owned);

	*run = (struct qcow2_run){ .kind = QCOW2_NOWHERE, .bytes = left };
	if (error || !t)
		return error;
	for (uint64_t u = offset >> unit_bits, first = u; u == first || done < left; u++) {
		uint32_t i = (uint32_t)(u >> subs_bits) & ((1u << q->l2_bits) - 1);
		unsigned sub = (unsigned)u & ((1u << subs_bits) - 1);

		if (!entry_read(q, qcow2_entry(q, t, i), qcow2_bitmap(q, t, i), sub, &next))
			return u == first ? EIO : (run->bytes = done, 0);
		if (u == first) {
			*run = next;
			if (next.kind == QCOW2_DATA)
				run->host += offset & (q->cluster - 1);
			continue;
		}
		if (next.kind != run->kind ||
		    (next.kind == QCOW2_DATA && next.host + ((uint64_t)sub << unit_bits) != run->host + done) ||
		    (next.kind == QCOW2_ZIPPED && next.entry != run->entry))
			break;
		done = qcow2_min(done + unit, left);
	}
	if (run->kind == QCOW2_ZIPPED)
		done = qcow2_min(left, q->cluster - (offset & (q->cluster - 1)));
	run->bytes = done;
	return 0;
}

/* ---- Tables to be changed ---- */

void qcow2_l1_touch(struct qcow2 *q, uint32_t i)
{
	bool clean = q->l1_dirty_from == q->l1_dirty_to;

	if (clean || i < q->l1_dirty_from)
		q->l1_dirty_from = i;
	if (clean || i >= q->l1_dirty_to)
		q->l1_dirty_to = i + 1;
}

static int l1_place(struct qcow2 *q)
{
	int error = 0;

	if (!q->change && q->l1_placed != q->l1_offset) {
		error = qcow2_file_reserve(q, q->l1_offset, q->l1_entries * UINT64_C(8), false);
		q->l1_placed = error ? 0 : q->l1_offset;
	}
	return error;
}

/* A new table in place of what entry i points to: the same contents, or zeros. */
int qcow2_l2_copy(struct qcow2 *q, uint32_t i, struct qcow2_table **t)
{
	uint64_t old = q->l1[i] & QCOW2_OFFSET, offset, got;
	int error = l1_place(q);

	if (!error && old)
		error = qcow2_table_get(q, &q->l2, old, false, t);
	if (error)
		return error;
	if (old)
		memcpy(q->bounce, (*t)->data, q->cluster);
	error = qcow2_alloc(q, 1, true, &offset, &got);
	if (error)
		return error;
	error = qcow2_guard_add(q, offset, QCOW2_L2) ? qcow2_table_get(q, &q->l2, offset, true, t) : ENOMEM;
	if (error) {
		qcow2_guard_remove(q, offset, QCOW2_L2);	/* others may get it */
		qcow2_free_now(q, offset, 1);
		return error;
	}
	if (old) {
		memcpy((*t)->data, q->bounce, q->cluster);
		qcow2_guard_remove(q, old, QCOW2_L2);
		qcow2_free_later(q, old, q->cluster);
	}
	q->l1[i] = offset | QCOW2_COPIED;
	qcow2_l1_touch(q, i);
	return 0;
}

int qcow2_l2_own(struct qcow2 *q, uint64_t offset, struct qcow2_table **t)
{
	uint64_t i = offset >> (q->cluster_bits + q->l2_bits);
	int error;

	if (i >= q->l1_entries)
		return EIO;
	if (!(q->l1[i] & QCOW2_OFFSET) || !(q->l1[i] & QCOW2_COPIED))
		return qcow2_l2_copy(q, (uint32_t)i, t);
	error = qcow2_table_get(q, &q->l2, q->l1[i] & QCOW2_OFFSET, false, t);
	return error ? error : qcow2_table_own(q, *t);
}

/* ---- The L1 itself ---- */

int qcow2_l1_store(struct qcow2 *q, uint64_t offset, const uint64_t *entries, uint32_t n)
{
	uint8_t *be = malloc(n * (size_t)8 + 1);
	int error;

	if (!be)
		return ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		be_put(be + i * (size_t)8, entries[i], 8);
	error = n ? qcow2_file_write(q, offset, be, n * UINT64_C(8)) : 0;
	free(be);
	return error;
}

int qcow2_l1_write(struct qcow2 *q)
{
	uint32_t from = q->l1_dirty_from;
	int error = qcow2_l1_store(q, q->l1_offset + from * UINT64_C(8), q->l1 + from, q->l1_dirty_to - from);

	if (!error)
		q->l1_dirty_from = q->l1_dirty_to = 0;
	return error;
}

int qcow2_l1_replace(struct qcow2 *q, uint64_t *l1, uint32_t entries, uint64_t size)
{
	uint64_t old = q->l1_offset, old_bytes = q->l1_entries * UINT64_C(8), clusters, offset, got;
	uint8_t be[QCOW2_AT_L1 + 8 - QCOW2_AT_SIZE] = { 0 };
	int error;

	clusters = (entries * UINT64_C(8) + q->cluster - 1) >> q->cluster_bits;
	error = qcow2_commit(q);
	if (!error)
		error = qcow2_alloc(q, clusters ? clusters : 1, true, &offset, &got);
	if (error) {
		free(l1);
		return error;
	}
	error = qcow2_l1_store(q, offset, l1, entries);
	if (!error)
		error = qcow2_commit(q);
	if (!error)
		error = qcow2_file_barrier(q);
	if (error) {
		qcow2_free_now(q, offset, got);
		free(l1);
		return error;
	}
	be_put(be, size, 8);
	be_put(be + (QCOW2_AT_L1_ENTRIES - QCOW2_AT_SIZE), entries, 4);
	be_put(be + (QCOW2_AT_L1 - QCOW2_AT_SIZE), offset, 8);
	error = q->file->driver->write(q->file, QCOW2_AT_SIZE, be, sizeof be);
	if (!error)
		error = qcow2_file_barrier(q);
	free(q->l1);
	q->l1 = l1;
	q->l1_entries = entries;
	q->l1_offset = offset;
	q->l1_dirty_from = q->l1_dirty_to = 0;
	if (error)		/* nobody knows which of them the file has */
		return qcow2_mark_corrupt(q);
	if (old_bytes)
		qcow2_free_later(q, old, old_bytes);
	return 0;
}

int qcow2_l1_grow(struct qcow2 *q, uint64_t entries)
{
	uint64_t *l1;

	if (entries <= q->l1_entries)
		return 0;
	if (entries > QCOW2_MAX_L1 / 8)
		return EFBIG;
	l1 = calloc(entries, sizeof *l1);
	if (!l1)
		return ENOMEM;
	memcpy(l1, q->l1, q->l1_entries * sizeof *l1);
	return qcow2_l1_replace(q, l1, (uint32_t)entries, q->node.size);
}
