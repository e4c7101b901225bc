/* Requests to a qcow2 image: reading, writing with copying of what is shared, zeros, discarding. */
#include "machine/host/block/qcow2.h"

#define MOST_CLUSTERS 1024u		/* that are allocated at once */

/* ---- Reading ---- */

static int read_below(struct qcow2 *q, uint64_t offset, void *data, uint64_t bytes)
{
	uint64_t there = q->backing && offset < q->backing->size ? qcow2_min(bytes, q->backing->size - offset) : 0;

	memset((uint8_t *)data + there, 0, bytes - there);
	return there ? q->backing->driver->read(q->backing, offset, data, there) : 0;
}

static int read_run(struct qcow2 *q, const struct qcow2_run *run, uint64_t offset, uint8_t *data)
{
	int error = 0;

	switch (run->kind) {
	case QCOW2_NOWHERE: return read_below(q, offset, data, run->bytes);
	case QCOW2_ZEROS:   memset(data, 0, run->bytes); return 0;
	case QCOW2_DATA:    return qcow2_file_read(q, run->host, data, run->bytes);
	case QCOW2_ZIPPED:
		error = qcow2_unzip(q, run->entry);
		if (!error)
			memcpy(data, q->unzipped + (offset & (q->cluster - 1)), run->bytes);
	}
	return error;
}

int qcow2_data_read(struct qcow2 *q, uint64_t offset, void *data, uint64_t bytes)
{
	struct qcow2_run run;

	for (uint64_t done = 0; done < bytes; done += run.bytes) {
		int error = qcow2_map(q, offset + done, bytes - done, &run);

		if (!error)
			error = read_run(q, &run, offset + done, (uint8_t *)data + done);
		if (error)
			return error;
	}
	return 0;
}

int qcow2_data_is_zero(struct qcow2 *q, uint64_t offset, uint64_t bytes, bool *zero)
{
	struct qcow2_run run;

	*zero = true;
	for (uint64_t done = 0; done < bytes && *zero; done += run.bytes) {
		int error = qcow2_map(q, offset + done, bytes - done, &run);

		if (error)
			return error;
		*zero = run.kind == QCOW2_ZEROS ||
			(run.kind == QCOW2_NOWHERE && (!q->backing || offset + done >= q->backing->size));
	}
	return 0;
}

/* ---- Writing ---- */

static bool entry_in_place(const struct qcow2 *q, uint64_t entry)
{
	uint64_t host = entry & QCOW2_OFFSET;

	return (entry & QCOW2_COPIED) && !(entry & QCOW2_COMPRESSED) && (q->extended || !(entry & QCOW2_ZERO)) && host &&
	       !(host & (q->cluster - 1)) && host < q->file_end;
}

/* As many bytes as lie side by side in clusters that are ours alone, from a cluster of data on. 0: none. */
static int own_run(struct qcow2 *q, uint64_t offset, uint64_t bytes, struct qcow2_run *run)
{
	struct qcow2_table *t;
	bool owned;
	uint64_t n = 0, at, clusters;
	uint32_t i = qcow2_l2_index(q, offset);
	int error = qcow2_map(q, offset, bytes, run);

	if (error || run->kind != QCOW2_DATA)
		return run->bytes = 0, error;
	error = qcow2_l2_find(q, offset, &t, &owned);
	if (error || !owned)
		return run->bytes = 0, error;
	at = offset & (q->cluster - 1);
	clusters = (at + run->bytes + q->cluster - 1) >> q->cluster_bits;
	while (n < clusters && entry_in_place(q, qcow2_entry(q, t, i + (uint32_t)n)))
		n++;
	run->bytes = n ? qcow2_min(run->bytes, (n << q->cluster_bits) - at) : 0;
	return 0;
}

static int write_host(struct qcow2 *q, uint64_t host, const void *data, uint64_t bytes)
{
	if (!bytes)
		return 0;
	if (qcow2_guard_hit(q, host, bytes, 0))
		return qcow2_mark_corrupt(q);
	return qcow2_file_write(q, host, data, bytes);
}

/* Copies what the guest has at `offset`, less than a cluster, to where it is going to be. */
static int copy_part(struct qcow2 *q, uint64_t host, uint64_t offset, uint64_t bytes, bool fresh)
{
	bool zero = false;
	int error = bytes && fresh ? qcow2_data_is_zero(q, offset, bytes, &zero) : 0;

	if (error || !bytes || zero)
		return error;
	error = qcow2_data_read(q, offset, q->bounce, bytes);
	return error ? error : write_host(q, host, q->bounce, bytes);
}

/* Bytes within one cluster, and around them what the guest has there from `from` to `to`. */
static int write_around(struct qcow2 *q, uint64_t host, uint64_t offset, const void *data, uint64_t bytes, uint64_t from, uint64_t to)
{
	uint64_t head = offset - from, tail = to - (offset + bytes);
	bool before = !head, after = !tail;
	int error = 0;

	if (q->fresh && head)
		error = qcow2_data_is_zero(q, from, head, &before);
	if (q->fresh && tail && !error)
		error = qcow2_data_is_zero(q, offset + bytes, tail, &after);
	if (error)
		return error;
	if (before && after)
		return write_host(q, host + (offset & (q->cluster - 1)), data, bytes);
	error = qcow2_data_read(q, from, q->bounce, head);
	if (!error)
		error = qcow2_data_read(q, offset + bytes, q->bounce + head + bytes, tail);
	memcpy(q->bounce + head, data, bytes);
	return error ? error : write_host(q, host + (from & (q->cluster - 1)), q->bounce, to - from);
}

/* Bytes that begin in the first of these new clusters and end in the last, with what they do not cover. */
static int fill_clusters(struct qcow2 *q, uint64_t host, uint64_t n, uint64_t offset, const void *data, uint64_t bytes)
{
	uint64_t head = offset & (q->cluster - 1), start = offset - head, end = start + (n << q->cluster_bits);
	uint64_t tail = end - (offset + bytes);
	bool fresh = q->fresh;
	int error;

	if (n == 1)
		return write_around(q, host, offset, data, bytes, start, end);
	error = copy_part(q, host, start, head, fresh);
	if (!error)
		error = copy_part(q, host + head + bytes, offset + bytes, tail, fresh);
	return error ? error : write_host(q, host + head, data, bytes);
}

/* Lets the next ones of the guest's clusters be there. */
static int link_clusters(struct qcow2 *q, uint64_t offset, uint64_t host, uint64_t n)
{
	struct qcow2_table *t;
	uint32_t i = qcow2_l2_index(q, offset);
	int error = qcow2_l2_own(q, offset, &t);

	for (uint64_t k = 0; k < n && !error; k++) {
		uint64_t old = qcow2_entry(q, t, i + (uint32_t)k);

		qcow2_entry_set(q, t, i + (uint32_t)k, (host + (k << q->cluster_bits)) | QCOW2_COPIED, q->extended ? UINT32_MAX : 0);
		qcow2_free_entry(q, old);
	}
	return error;
}

/* How many clusters from here on need new ones. */
static uint64_t count_new(struct qcow2 *q, const struct qcow2_table *t, uint64_t offset, uint64_t bytes)
{
	uint32_t i = qcow2_l2_index(q, offset), n = 0;
	uint64_t most = ((offset & (q->cluster - 1)) + bytes + q->cluster - 1) >> q->cluster_bits;

	most = qcow2_min(qcow2_min(most, MOST_CLUSTERS), (UINT64_C(1) << q->l2_bits) - i);
	while (n < most && (!n || !entry_in_place(q, qcow2_entry(q, t, i + n))))
		n++;
	return n;
}

/* New clusters for the first of these bytes: *done of them. */
static int write_new(struct qcow2 *q, uint64_t offset, const void *data, uint64_t bytes, uint64_t *done)
{
	struct qcow2_table *t;
	uint64_t host, n;
	int error = qcow2_l2_own(q, offset, &t);

	if (!error)
		error = qcow2_alloc(q, count_new(q, t, offset, bytes), false, &host, &n);
	if (error)
		return error;
	*done = qcow2_min(bytes, (n << q->cluster_bits) - (offset & (q->cluster - 1)));
	error = fill_clusters(q, host, n, offset, data, *done);
	if (!error)
		error = link_clusters(q, offset, host, n);
	if (error)
		qcow2_free_now(q, host, n);
	return error;
}

/* ---- Subclusters: one cluster at a time, which gets those that are touched ---- */

static int write_subclusters(struct qcow2 *q, uint64_t offset, const void *data, uint64_t bytes)
{
	uint32_t sub = q->cluster / 32, i = qcow2_l2_index(q, offset), in = (uint32_t)offset & (q->cluster - 1);
	uint32_t first = in / sub, last = (uint32_t)(in + bytes - 1) / sub;
	uint64_t start = offset - in, entry, bitmap, touched = 0, host, got;
	struct qcow2_table *t;
	int error = qcow2_l2_own(q, offset, &t);

	if (error)
		return error;
	entry = qcow2_entry(q, t, i);
	bitmap = qcow2_bitmap(q, t, i);
	for (uint32_t s = first; s <= last; s++)
		touched |= UINT64_C(1) << s;
	if (entry_in_place(q, entry)) {
		q->fresh = false;
		error = write_around(q, entry & QCOW2_OFFSET, offset, data, bytes, start + first * sub, start + (last + 1) * sub);
		host = entry & QCOW2_OFFSET;
		got = 0;
		touched |= bitmap & UINT32_MAX;
	} else {	/* all that stands elsewhere comes along */
		error = qcow2_alloc(q, 1, true, &host, &got);
		if (error)
			return error;
		error = write_around(q, host, offset, data, bytes, start, start + q->cluster);
		touched = UINT32_MAX;
	}
	if (!error)
		error = qcow2_l2_own(q, offset, &t);
	if (error && got)
		qcow2_free_now(q, host, 1);
	if (error)
		return error;
	qcow2_entry_set(q, t, i, host | QCOW2_COPIED, (bitmap & QCOW2_ALL_ZERO & ~(touched << 32)) | touched);
	if (got)
		qcow2_free_entry(q, entry);
	return 0;
}

/* ---- A request ---- */

static int write_some(struct qcow2 *q, uint64_t offset, const uint8_t *data, uint64_t bytes, uint64_t *done)
{
	struct qcow2_run run;
	int error = own_run(q, offset, bytes, &run);

	*done = run.bytes;
	if (error)
		return error;
	if (run.bytes)
		return write_host(q, run.host, data, run.bytes);
	if (!q->extended)
		return write_new(q, offset, data, bytes, done);
	*done = qcow2_min(bytes, q->cluster - (offset & (q->cluster - 1)));
	return write_subclusters(q, offset, data, *done);
}

/* So that neither what waits to be given back, nor who asks for it, gets long. */
static int settle_if_much(struct qcow2 *q)
{
	return q->n_later >= QCOW2_MAX_LATER ? qcow2_settle(q) : 0;
}

int qcow2_data_write(struct qcow2 *q, uint64_t offset, const void *data, uint64_t bytes)
{
	int error = 0;

	for (uint64_t done = 0, n = 0; done < bytes && !error; done += n) {
		error = q->corrupt ? EIO : settle_if_much(q);
		if (!error)
			error = write_some(q, offset + done, (const uint8_t *)data + done, bytes - done, &n);
		if (error == ENOSPC && q->n_later && !qcow2_settle(q))	/* what waited to be given back may do */
			error = write_some(q, offset + done, (const uint8_t *)data + done, bytes - done, &n);
	}
	return error;
}

/* ---- Zeros and discarding, by whole clusters ---- */

enum change { TO_ZERO, TO_ZERO_UNMAP, TO_NOWHERE };

static void entry_change(struct qcow2 *q, struct qcow2_table *t, uint32_t i, enum change change)
{
	uint64_t old = qcow2_entry(q, t, i), bits = qcow2_bitmap(q, t, i), entry = 0, bitmap = 0;
	bool keep = change == TO_ZERO && !(old & QCOW2_COMPRESSED);

	if (change != TO_NOWHERE) {
		bitmap = q->extended ? QCOW2_ALL_ZERO : 0;
		entry = (keep ? old : 0) | (q->extended ? 0 : QCOW2_ZERO);
	}
	if (entry == old && bitmap == bits)
		return;
	qcow2_entry_set(q, t, i, entry, bitmap);
	if (!keep)
		qcow2_free_entry(q, old);
}

/* Whole clusters. A table that does not exist is made only where something would show through. */
static int change_clusters(struct qcow2 *q, uint64_t offset, uint64_t bytes, enum change change)
{
	int error = 0;

	for (uint64_t done = 0, n; done < bytes && !error; done += n) {
		uint64_t span = qcow2_l1_span(q);
		struct qcow2_table *t;
		bool owned;

		n = qcow2_min(bytes - done, span - ((offset + done) & (span - 1)));
		error = q->corrupt ? EIO : settle_if_much(q);
		if (!error)
			error = qcow2_l2_find(q, offset + done, &t, &owned);
		if (error || (!t && (change == TO_NOWHERE || !q->backing || offset + done >= q->backing->size)))
			continue;
		error = qcow2_l2_own(q, offset + done, &t);
		for (uint64_t c = 0; c < n && !error; c += q->cluster)
			entry_change(q, t, qcow2_l2_index(q, offset + done + c), change);
	}
	return error;
}

static int write_zeros(struct qcow2 *q, uint64_t offset, uint64_t bytes)
{
	int error = 0;

	for (uint64_t done = 0, n; done < bytes && !error; done += n) {
		bool zero;

		n = qcow2_min(bytes - done, q->cluster - ((offset + done) & (q->cluster - 1)));
		error = qcow2_data_is_zero(q, offset + done, n, &zero);
		if (!error && !zero) {
			uint8_t *zeros = calloc(1, n);

			error = zeros ? qcow2_data_write(q, offset + done, zeros, n) : ENOMEM;
			free(zeros);
		}
	}
	return error;
}

/* Version 2 knows no zeros, but what is nowhere, and nothing below. */
static bool can_zero(const struct qcow2 *q)
{
	return q->version >= 3 || !q->backing;
}

int qcow2_data_zero(struct qcow2 *q, uint64_t offset, uint64_t bytes, bool unmap)
{
	uint64_t from = qcow2_round_up(offset, q->cluster), to = (offset + bytes) & ~(uint64_t)(q->cluster - 1);
	enum change change = q->version < 3 ? TO_NOWHERE : unmap ? TO_ZERO_UNMAP : TO_ZERO;
	int error;

	if (offset + bytes == q->node.size)	/* the rest of the last one is nobody's */
		to = qcow2_round_up(q->node.size, q->cluster);
	if (from >= to || !can_zero(q))
		return write_zeros(q, offset, bytes);
	error = write_zeros(q, offset, from - offset);
	if (!error)
		error = change_clusters(q, from, to - from, change);
	if (!error && to < offset + bytes)
		error = write_zeros(q, to, offset + bytes - to);
	return error;
}

int qcow2_data_discard(struct qcow2 *q, uint64_t offset, uint64_t bytes, bool whole)
{
	uint64_t from = qcow2_round_up(offset, q->cluster), to = (offset + bytes) & ~(uint64_t)(q->cluster - 1);

	if (offset + bytes == q->node.size)
		to = qcow2_round_up(q->node.size, q->cluster);
	if (from >= to || (!whole && !can_zero(q)))
		return 0;
	return change_clusters(q, from, to - from, whole || !q->backing ? TO_NOWHERE : TO_ZERO_UNMAP);
}
