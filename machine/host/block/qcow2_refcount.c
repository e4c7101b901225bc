/* Which clusters of a qcow2 image are in use, by how many: the refcount table, its blocks, and who gets the next ones. */
#include "machine/host/block/qcow2.h"

#define MAX_SEARCH (UINT64_C(1) << 28)	/* clusters that one request looks at */

static uint32_t block_entries_log2(const struct qcow2 *q)
{
	return q->cluster_bits + 3 - q->order;
}

static uint64_t block_of(const struct qcow2 *q, uint64_t cluster)
{
	return cluster >> block_entries_log2(q);
}

uint64_t qcow2_count_max(const struct qcow2 *q)
{
	return q->order == 6 ? UINT64_MAX : (UINT64_C(1) << (1u << q->order)) - 1;
}

/* ---- One count in its block ---- */

static uint64_t count_load(const struct qcow2 *q, const uint8_t *block, uint64_t i)
{
	unsigned bits = 1u << q->order, each = 8 / bits;

	if (q->order >= 3)
		return be_get(block + i * (bits / 8), bits / 8);
	return block[i / each] >> i % each * bits & ((1u << bits) - 1);
}

static void count_store(const struct qcow2 *q, uint8_t *block, uint64_t i, uint64_t count)
{
	unsigned bits = 1u << q->order, each = 8 / bits, shift;

	if (q->order >= 3) {
		be_put(block + i * (bits / 8), count, bits / 8);
		return;
	}
	shift = (unsigned)(i % each * bits);
	block[i / each] = (uint8_t)((block[i / each] & ~(((1u << bits) - 1) << shift)) | count << shift);
}

/* NULL: there is none, all its counts are 0. */
static int block_get(struct qcow2 *q, uint64_t index, struct qcow2_table **t)
{
	uint64_t offset = index < q->counts_entries ? q->counts[index] & ~UINT64_C(511) : 0;

	*t = NULL;
	return offset ? qcow2_table_get(q, &q->blocks, offset, false, t) : 0;
}

/* To be changed. */
static int block_get_own(struct qcow2 *q, uint64_t index, struct qcow2_table **t)
{
	int error = block_get(q, index, t);

	if (!error && *t && q->change) {
		error = qcow2_change_block(q, index);
		if (!error)
			error = block_get(q, index, t);
	}
	return error;
}

int qcow2_count_get(struct qcow2 *q, uint64_t cluster, uint64_t *count)
{
	struct qcow2_table *t;
	int error = block_get(q, block_of(q, cluster), &t);

	*count = t ? count_load(q, t->data, cluster & ((UINT64_C(1) << block_entries_log2(q)) - 1)) : 0;
	return error;
}

int qcow2_count_set(struct qcow2 *q, uint64_t cluster, uint64_t count)
{
	struct qcow2_table *t;
	int error = block_get_own(q, block_of(q, cluster), &t);
	uint64_t i = cluster & ((UINT64_C(1) << block_entries_log2(q)) - 1), bits = UINT64_C(1) << q->order;

	if (!error && t && count)
		error = qcow2_table_own(q, t);
	if (error || !t)
		return error ? error : EIO;
	count_store(q, t->data, i, count);
	qcow2_table_touch(&q->blocks, t, (uint32_t)(i * bits / 8), bits < 8 ? 1 : (uint32_t)(bits / 8));
	if (count)
		return 0;
	if (cluster < q->hint)
		q->hint = cluster;
	q->unzipped_entry = 0;		/* others may take it now */
	qcow2_table_drop(&q->l2, cluster << q->cluster_bits);
	return 0;
}

int qcow2_count_add(struct qcow2 *q, uint64_t offset, uint64_t bytes, int by)
{
	uint64_t last = (offset + bytes - 1) >> q->cluster_bits, count;
	int error = 0;

	for (uint64_t c = offset >> q->cluster_bits; c <= last && !error; c++) {
		error = qcow2_count_get(q, c, &count);
		if (!error && (by < 0 ? !count : count >= qcow2_count_max(q)))
			error = EIO;
		if (!error)
			error = qcow2_count_set(q, c, count + (uint64_t)(int64_t)by);
	}
	return error;
}

/* ---- More blocks, a larger table ---- */

int qcow2_counts_write(struct qcow2 *q)
{
	uint32_t from = q->counts_dirty_from, n = q->counts_dirty_to - from;
	uint8_t *be = malloc(n * (size_t)8);
	int error;

	if (!be)
		return ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		be_put(be + i * (size_t)8, q->counts[from + i], 8);
	error = qcow2_file_write(q, q->counts_offset + from * UINT64_C(8), be, n * UINT64_C(8));
	free(be);
	if (!error)
		q->counts_dirty_from = q->counts_dirty_to = 0;
	return error;
}

static void counts_touch(struct qcow2 *q, uint32_t i)
{
	bool clean = q->counts_dirty_from == q->counts_dirty_to;

	if (clean || i < q->counts_dirty_from)
		q->counts_dirty_from = i;
	if (clean || i >= q->counts_dirty_to)
		q->counts_dirty_to = i + 1;
}

/* From here on the cluster is part of the image. */
static void note_use(struct qcow2 *q, uint64_t offset, uint64_t n)
{
	uint64_t end = offset + (n << q->cluster_bits);

	if (end > q->file_end)
		q->file_end = end;
	if (end > q->zero_from)
		q->zero_from = end;
}

static int counts_place(struct qcow2 *q)
{
	int error = 0;

	if (!q->change && q->counts_placed != q->counts_offset) {
		error = qcow2_file_reserve(q, q->counts_offset, (uint64_t)q->counts_clusters << q->cluster_bits, false);
		q->counts_placed = error ? 0 : q->counts_offset;
	}
	return error;
}

int qcow2_block_make(struct qcow2 *q, uint64_t index, uint64_t cluster)
{
	uint64_t offset = cluster << q->cluster_bits;
	struct qcow2_table *t;
	int error;

	if (qcow2_guard_hit(q, offset, q->cluster, 0))
		return qcow2_mark_corrupt(q);
	error = counts_place(q);
	if (error)
		return error;
	if (!qcow2_guard_add(q, offset, QCOW2_BLOCKS))
		return ENOMEM;
	error = qcow2_table_get(q, &q->blocks, offset, true, &t);
	if (error) {
		qcow2_guard_remove(q, offset, QCOW2_BLOCKS);
		return error;
	}
	q->counts[index] = offset;
	counts_touch(q, (uint32_t)index);
	note_use(q, offset, 1);
	return 0;
}

static int enlarge_table(struct qcow2 *q, uint64_t entries)
{
	uint64_t each = q->cluster / 8, clusters = qcow2_round_up(entries + entries / 2, each) / each, *bigger;

	if (clusters << q->cluster_bits > QCOW2_MAX_COUNTS)
		clusters = qcow2_round_up(entries, each) / each;
	if (clusters << q->cluster_bits > QCOW2_MAX_COUNTS)
		return EFBIG;
	bigger = calloc((size_t)(clusters * each), 8);
	if (!bigger)
		return ENOMEM;
	memcpy(bigger, q->counts, q->counts_entries * (size_t)8);
	free(q->counts);
	q->counts = bigger;
	q->counts_entries = (uint32_t)(clusters * each);
	q->counts_clusters = (uint32_t)clusters;
	return 0;
}

/* A table for `entries` at least, in place of the present one: all of it, or nothing has changed. */
static int counts_grow(struct qcow2 *q, uint64_t entries)
{
	int error;

	if (q->change)
		return enlarge_table(q, entries);
	error = qcow2_commit(q);
	if (!error)
		error = qcow2_change_begin(q);
	if (error)
		return error;
	error = enlarge_table(q, entries);
	if (!error)
		return qcow2_change_end(q, NULL);
	qcow2_change_cancel(q);
	return error;
}

/* ---- The next free ones ---- */

static void block_unmake(struct qcow2 *q, uint64_t index)
{
	qcow2_guard_remove(q, q->counts[index], QCOW2_BLOCKS);
	qcow2_table_drop(&q->blocks, q->counts[index]);
	q->counts[index] = 0;
}

/* There is a block for `cluster`, which is free; or one is made in `first`, where the run of free ones begins that ends
 * there. *made: what was found free may be taken now. */
static int block_need(struct qcow2 *q, uint64_t cluster, uint64_t first, bool *made)
{
	uint64_t index = block_of(q, cluster), hint = q->hint;
	int error;

	*made = index >= q->counts_entries || !q->counts[index];
	if (!*made)
		return 0;
	if (index >= q->counts_entries)
		return counts_grow(q, index + 1);
	error = qcow2_block_make(q, index, first);
	if (error)
		return error;
	q->hint = first + 1;		/* for blocks that move when it is counted */
	error = qcow2_count_set(q, first, 1);
	q->hint = hint;
	if (error)
		block_unmake(q, index);
	return error;
}

/* Clusters that are free, side by side, from the first free one on. */
static int find_free(struct qcow2 *q, uint64_t n, bool all, uint64_t *first, uint64_t *got)
{
	uint64_t searched = 0, c = q->hint, count, run = c;
	bool found = false, made;
	int error;

	while (c - run < n) {
		if (++searched > MAX_SEARCH)
			return ENOSPC;
		error = qcow2_count_get(q, c, &count);
		if (error)
			return error;
		if (count) {
			if (!all && c > run)
				break;
			run = ++c;
			continue;
		}
		if (!found)
			q->hint = c;
		found = true;
		error = block_need(q, c, run, &made);
		if (error)
			return error;
		c = made ? q->hint : c + 1;
		run = made ? c : run;
		found &= !made;
	}
	*first = run;
	*got = c - run;
	return 0;
}

/* In a change: the blocks that count them have moved. *moved: one did so just now, perhaps to where these are. */
static int blocks_move(struct qcow2 *q, uint64_t first, uint64_t n, bool *moved)
{
	uint64_t last = block_of(q, first + n - 1);
	int error = 0;

	*moved = false;
	for (uint64_t i = block_of(q, first); q->change && i <= last && !error && !*moved; i++) {
		uint64_t place = q->counts[i];

		error = qcow2_change_block(q, i);
		*moved = place != q->counts[i];
	}
	return error;
}

static int find_lasting(struct qcow2 *q, uint64_t n, bool all, uint64_t *first, uint64_t *got)
{
	bool moved = true;
	int error = 0;

	*got = n;
	if (q->change && q->change->spare)
		return qcow2_change_take(q, n, first);
	while (moved && !error) {
		error = find_free(q, n, all, first, got);
		if (!error)
			error = blocks_move(q, *first, *got, &moved);
	}
	return error;
}

/* What is taken from a snapshot that is to go is counted for that, too, until it has gone. */
static uint64_t first_count(const struct qcow2 *q)
{
	return q->change && q->change->spare ? 2 : 1;
}

int qcow2_alloc_uncounted(struct qcow2 *q, uint64_t *offset, uint64_t *count)
{
	uint64_t first, got;
	int error = q->change->spare ? qcow2_change_take(q, 1, &first) : find_free(q, 1, true, &first, &got);

	if (error)
		return error;
	*offset = first << q->cluster_bits;
	*count = first_count(q);
	if (qcow2_guard_hit(q, *offset, q->cluster, 0))
		return qcow2_mark_corrupt(q);
	if (!q->change->spare)
		q->hint = first + 1;
	note_use(q, *offset, 1);
	return 0;
}

int qcow2_alloc(struct qcow2 *q, uint64_t n, bool all, uint64_t *offset, uint64_t *got)
{
	uint64_t first, found, n_set = 0;
	int error;

	if (q->corrupt)
		return EIO;
	error = find_lasting(q, n, all, &first, &found);
	if (error)
		return error;
	if ((first + found) >> (56 - q->cluster_bits))
		return EFBIG;
	*offset = first << q->cluster_bits;
	if (qcow2_guard_hit(q, *offset, found << q->cluster_bits, 0))
		return qcow2_mark_corrupt(q);
	error = qcow2_file_extend(q, *offset + (found << q->cluster_bits));
	while (n_set < found && !error) {
		error = qcow2_count_set(q, first + n_set, first_count(q));
		n_set += !error;
	}
	while (error && n_set)
		(void)!qcow2_count_set(q, first + --n_set, first_count(q) - 1);
	if (error)
		return error;
	q->fresh = *offset >= q->zero_from;
	note_use(q, *offset, found);
	if (first == q->hint)
		q->hint = first + found;
	*got = found;
	return 0;
}

/* ---- Given back ---- */

static void free_clusters(struct qcow2 *q, uint64_t first, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		qcow2_count_add(q, (first + i) << q->cluster_bits, q->cluster, -1);	/* what fails leaks */
}

void qcow2_free_now(struct qcow2 *q, uint64_t offset, uint64_t n)
{
	free_clusters(q, offset >> q->cluster_bits, n);
}

void qcow2_free_later(struct qcow2 *q, uint64_t offset, uint64_t bytes)
{
	uint64_t first = offset >> q->cluster_bits, n = ((offset + bytes - 1) >> q->cluster_bits) - first + 1;
	struct qcow2_later *last = q->n_later ? &q->later[q->n_later - 1] : NULL;

	if (last && last->cluster + last->n == first) {
		last->n += n;
		return;
	}
	if (q->n_later == q->room_later) {
		uint32_t room = q->room_later ? q->room_later * 2 : 64;
		struct qcow2_later *more = realloc(q->later, room * sizeof *more);

		if (!more)
			return;
		q->later = more;
		q->room_later = room;
	}
	q->later[q->n_later++] = (struct qcow2_later){ first, n };
}

void qcow2_free_entry(struct qcow2 *q, uint64_t entry)
{
	uint64_t offset = entry & QCOW2_OFFSET, bytes = q->cluster;

	if (entry & QCOW2_COMPRESSED)
		qcow2_zipped_range(q, entry, &offset, &bytes);
	if (offset)
		qcow2_free_later(q, offset, bytes);
}

void qcow2_apply_frees(struct qcow2 *q)
{
	uint32_t n = q->n_later;

	q->n_later = 0;
	for (uint32_t i = 0; i < n; i++) {
		const struct qcow2_later *l = &q->later[i];

		for (uint64_t c = l->cluster; c < l->cluster + l->n; c++) {
			uint64_t count = 1;

			free_clusters(q, c, 1);
			if (q->discard && !qcow2_count_get(q, c, &count) && !count && q->file->driver->discard &&
			    (c + 1) << q->cluster_bits <= q->file->size)
				q->file->driver->discard(q->file, c << q->cluster_bits, q->cluster);
		}
	}
}
