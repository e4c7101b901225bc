/* Changes of refcounts, L1 and snapshots that the file sees all at once.
 *
 * A cluster of the present state has refcount 1 exactly if the COPIED bit of what points to it is set: making or deleting
 * a snapshot changes both, and no order of two writes would do. So refcount blocks that change are moved, L2 tables that
 * change are copied, the L1, the refcount table and the table of snapshots are written anew, and one write of the header
 * says where all of them are. Until then nothing that the file points to is touched, so a change can be cancelled.
 */
#include "machine/host/block/qcow2.h"

#define AT_FIRST QCOW2_AT_SIZE		/* of the header: size, encryption, L1, refcount table, snapshots */
#define N_BYTES  (QCOW2_AT_STATES + 12 - QCOW2_AT_SIZE)

static bool has_moved(const struct qcow2 *q, uint64_t index)
{
	return index >= q->change->counts_entries || q->counts[index] != q->change->counts[index];
}

int qcow2_change_begin(struct qcow2 *q)
{
	struct qcow2_change *c = calloc(1, sizeof *c);

	if (c) {
		c->counts = malloc(q->counts_entries * (size_t)8 + 1);
		c->l1 = malloc(q->l1_entries * (size_t)8 + 1);
	}
	if (!c || !c->counts || !c->l1) {
		if (c)
			free(c->counts);
		free(c);
		return ENOMEM;
	}
	memcpy(c->counts, q->counts, q->counts_entries * (size_t)8);
	memcpy(c->l1, q->l1, q->l1_entries * (size_t)8);
	c->counts_entries = q->counts_entries;
	c->counts_clusters = q->counts_clusters;
	c->l1_entries = q->l1_entries;
	c->hint = q->hint;
	c->n_later = q->n_later;
	if (q->n_later)
		c->last_later = q->later[q->n_later - 1];
	q->change = c;
	return 0;
}

static void forget_change(struct qcow2 *q)
{
	free(q->change->counts);
	free(q->change->l1);
	free(q->change->spare);
	free(q->change);
	q->change = NULL;
}

/* ---- Refcount blocks ---- */

static int move_block(struct qcow2 *q, uint64_t index)
{
	uint64_t old = q->counts[index], hint = q->hint, offset, count;
	uint8_t *data = malloc(q->cluster);
	struct qcow2_table *t;
	int error = data ? qcow2_table_get(q, &q->blocks, old, false, &t) : ENOMEM;

	if (!error)
		memcpy(data, t->data, q->cluster);
	if (!error)
		error = qcow2_alloc_uncounted(q, &offset, &count);
	if (!error && has_moved(q, index)) {	/* to find a place has done it */
		free(data);
		q->hint = hint;
		return 0;
	}
	if (!error)
		error = qcow2_guard_add(q, offset, QCOW2_BLOCKS) ? qcow2_table_get(q, &q->blocks, offset, true, &t) : ENOMEM;
	if (!error) {
		memcpy(t->data, data, q->cluster);
		q->counts[index] = offset;
	}
	free(data);
	if (!error)
		error = qcow2_count_set(q, offset >> q->cluster_bits, count);
	q->hint = qcow2_min(hint, q->hint);
	return error;
}

int qcow2_change_block(struct qcow2 *q, uint64_t index)
{
	return has_moved(q, index) ? 0 : move_block(q, index);
}

/* ---- Its end ---- */

static void guard_l1(struct qcow2 *q, const uint64_t *l1, uint32_t entries, bool add)
{
	for (uint32_t i = 0; i < entries; i++)
		if (l1[i] & QCOW2_OFFSET && add)
			(void)!qcow2_guard_add(q, l1[i] & QCOW2_OFFSET, QCOW2_L2);	/* there is a place: it was in there */
		else if (l1[i] & QCOW2_OFFSET)
			qcow2_guard_remove(q, l1[i] & QCOW2_OFFSET, QCOW2_L2);
}

/* Tables that the file does not know are not written any more. */
static void drop_tables(struct qcow2 *q)
{
	const struct qcow2_change *c = q->change;

	for (uint32_t i = 0; i < q->counts_entries; i++)
		if (q->counts[i] && has_moved(q, i)) {
			qcow2_guard_remove(q, q->counts[i], QCOW2_BLOCKS);
			qcow2_table_drop(&q->blocks, q->counts[i]);
		}
	for (uint32_t i = 0; i < q->l1_entries; i++)
		if (i >= c->l1_entries || (q->l1[i] ^ c->l1[i]) & QCOW2_OFFSET)
			qcow2_table_drop(&q->l2, q->l1[i] & QCOW2_OFFSET);
}

void qcow2_change_cancel(struct qcow2 *q)
{
	struct qcow2_change *c = q->change;
	uint64_t *counts = q->counts, *l1 = q->l1;

	drop_tables(q);
	guard_l1(q, q->l1, q->l1_entries, false);
	guard_l1(q, c->l1, c->l1_entries, true);
	q->counts = c->counts;
	q->counts_entries = c->counts_entries;
	q->counts_clusters = c->counts_clusters;
	q->l1 = c->l1;
	q->l1_entries = c->l1_entries;
	c->counts = counts;
	c->l1 = l1;
	q->counts_dirty_from = q->counts_dirty_to = q->l1_dirty_from = q->l1_dirty_to = 0;
	q->hint = c->hint;
	q->n_later = c->n_later;
	if (q->n_later)
		q->later[q->n_later - 1] = c->last_later;
	q->unzipped_entry = 0;
	forget_change(q);
}

static int write_numbers(struct qcow2 *q, uint64_t offset, const uint64_t *numbers, uint32_t n)
{
	uint8_t *be = malloc(n * (size_t)8 + 1);
	int error = be ? 0 : ENOMEM;

	for (uint32_t i = 0; i < n && !error; i++)
		be_put(be + i * (size_t)8, numbers[i], 8);
	if (!error && n)
		error = qcow2_file_write(q, offset, be, n * UINT64_C(8));
	free(be);
	return error;
}

static int alloc_bytes(struct qcow2 *q, uint64_t bytes, uint64_t *offset)
{
	uint64_t got;

	*offset = 0;
	return bytes ? qcow2_alloc(q, (bytes + q->cluster - 1) >> q->cluster_bits, true, offset, &got) : 0;
}

/* The refcount table grows if its own place does not fit into it. */
static int alloc_counts(struct qcow2 *q, uint64_t *offset)
{
	uint32_t clusters;
	int error;

	do {
		clusters = q->counts_clusters;
		error = alloc_bytes(q, (uint64_t)clusters << q->cluster_bits, offset);
		if (!error && clusters != q->counts_clusters)
			qcow2_free_later(q, *offset, (uint64_t)clusters << q->cluster_bits);
	} while (!error && clusters != q->counts_clusters);
	return error;
}

static int write_tables(struct qcow2 *q, const struct qcow2_place *p, const void *states)
{
	int error = p->l1 == q->l1_offset ? 0 : write_numbers(q, p->l1, q->l1, q->l1_entries);

	if (!error && states && p->states_bytes)
		error = qcow2_file_write(q, p->states, states, p->states_bytes);
	if (!error)
		error = qcow2_commit(q);
	if (!error)
		error = write_numbers(q, p->counts, q->counts, q->counts_entries);
	return error ? error : qcow2_file_barrier(q);
}

static int write_header(struct qcow2 *q, const struct qcow2_place *p)
{
	uint8_t be[N_BYTES] = { 0 };
	int error;

	be_put(be, q->node.size, 8);
	be_put(be + (QCOW2_AT_L1_ENTRIES - AT_FIRST), q->l1_entries, 4);
	be_put(be + (QCOW2_AT_L1 - AT_FIRST), p->l1, 8);
	be_put(be + (QCOW2_AT_COUNTS - AT_FIRST), p->counts, 8);
	be_put(be + (QCOW2_AT_COUNTS + 8 - AT_FIRST), q->counts_clusters, 4);
	be_put(be + (QCOW2_AT_STATES - AT_FIRST), p->n_states, 4);
	be_put(be + (QCOW2_AT_STATES + 4 - AT_FIRST), p->states, 8);
	error = q->file->driver->write(q->file, AT_FIRST, be, sizeof be);
	return error ? error : qcow2_file_barrier(q);
}

static void free_bytes(struct qcow2 *q, uint64_t offset, uint64_t bytes)
{
	if (bytes)
		qcow2_free_later(q, offset, bytes);
}

/* What the file pointed to before. */
static void free_old(struct qcow2 *q, const struct qcow2_place *p)
{
	const struct qcow2_change *c = q->change;

	free_bytes(q, q->l1_offset, p->l1 == q->l1_offset ? 0 : c->l1_entries * UINT64_C(8));
	free_bytes(q, q->counts_offset, (uint64_t)c->counts_clusters << q->cluster_bits);
	free_bytes(q, q->states_offset, p->states == q->states_offset ? 0 : q->states_bytes);
	for (uint32_t i = 0; i < c->counts_entries; i++)
		if (c->counts[i] && has_moved(q, i)) {
			qcow2_guard_remove(q, c->counts[i], QCOW2_BLOCKS);
			qcow2_free_later(q, c->counts[i], q->cluster);
		}
	for (uint64_t i = c->next_spare; i < c->spares; i++)
		qcow2_free_later(q, c->spare[i] << q->cluster_bits, q->cluster);
}

static void take_effect(struct qcow2 *q, const struct qcow2_place *p)
{
	free_old(q, p);
	q->l1_offset = p->l1;
	q->counts_offset = p->counts;
	q->states_offset = p->states;
	q->states_bytes = p->states_bytes;
	q->counts_dirty_from = q->counts_dirty_to = q->l1_dirty_from = q->l1_dirty_to = 0;
	forget_change(q);
}

static bool same_l1(const struct qcow2 *q)
{
	return q->l1_entries == q->change->l1_entries && !memcmp(q->l1, q->change->l1, q->l1_entries * sizeof *q->l1);
}

static int find_places(struct qcow2 *q, struct qcow2_place *p)
{
	int error = p->l1 ? 0 : alloc_bytes(q, q->l1_entries * UINT64_C(8), &p->l1);

	if (!error && !p->states)
		error = alloc_bytes(q, p->states_bytes, &p->states);
	return error ? error : alloc_counts(q, &p->counts);
}

int qcow2_change_end(struct qcow2 *q, const struct qcow2_states_table *states)
{
	struct qcow2_place p = { .l1 = same_l1(q) ? q->l1_offset : 0, .states = q->states_offset, .states_bytes = q->states_bytes,
				 .n_states = q->n_states };
	int error;

	if (states)
		p.states = 0, p.states_bytes = states->bytes, p.n_states = states->n;
	error = find_places(q, &p);
	if (!error)
		error = write_tables(q, &p, states ? states->data : NULL);
	if (error) {
		qcow2_change_cancel(q);
		return error;
	}
	error = write_header(q, &p);
	take_effect(q, &p);
	return error ? qcow2_mark_corrupt(q) : 0;	/* nobody knows which of them the file has */
}

/* ---- Spares ---- */

int qcow2_change_spare(struct qcow2 *q, uint64_t cluster)
{
	struct qcow2_change *c = q->change;

	if (c->spares == c->spare_room) {
		uint64_t room = c->spare_room ? c->spare_room * 2 : 256, *more = realloc(c->spare, room * sizeof *more);

		if (!more)
			return ENOMEM;
		c->spare = more;
		c->spare_room = room;
	}
	c->spare[c->spares++] = cluster;
	return 0;
}

/* Side by side, from the first on that is left. What is passed over has to wait for the end of the change. */
int qcow2_change_take(struct qcow2 *q, uint64_t n, uint64_t *first)
{
	struct qcow2_change *c = q->change;
	uint64_t run = 1, end = c->next_spare + 1;

	while (end < c->spares && run < n) {
		run = c->spare[end] == c->spare[end - 1] + 1 ? run + 1 : 1;
		end++;
	}
	if (end > c->spares || run < n)
		return ENOSPC;
	*first = c->spare[end - n];
	memmove(c->spare + c->next_spare + n, c->spare + c->next_spare, (end - n - c->next_spare) * sizeof *c->spare);
	c->next_spare += n;
	return 0;
}
