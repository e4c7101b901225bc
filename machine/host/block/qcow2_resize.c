/* A qcow2 image of another size. */
#include "machine/host/block/qcow2.h"

/* Where the backing file is longer than the image was, the new part must not show it. */
static int hide_below(struct qcow2 *q, uint64_t from, uint64_t to)
{
	to = q->backing ? qcow2_min(to, q->backing->size) : from;
	return from < to ? qcow2_data_zero(q, from, to - from, true) : 0;
}

/* Behind the end there may be a machine's state, of the snapshot that was returned to last, or of one that was never
 * finished: it is not the guest's. */
static int drop_behind(struct qcow2 *q)
{
	uint64_t from = qcow2_round_up(q->node.size, q->cluster), reach = q->l1_entries * qcow2_l1_span(q);

	return from < reach ? qcow2_data_discard(q, from, reach - from, true) : 0;
}

static int grow_image(struct qcow2 *q, uint64_t size)
{
	uint64_t old = q->node.size;
	int error = drop_behind(q);

	if (!error)
		error = qcow2_l1_grow(q, size / qcow2_l1_span(q) + !!(size & (qcow2_l1_span(q) - 1)));

	if (!error)
		error = hide_below(q, old, size);
	return error ? error : qcow2_settle(q);
}

/* Nothing is thrown away that way: what is cut off is empty. */
static int shrink_image(struct qcow2 *q, uint64_t size)
{
	uint64_t from = qcow2_round_up(size, q->cluster), bytes = q->node.size - size;
	bool zero;
	int error;

	if (q->n_states)
		return ENOTSUP;
	error = qcow2_data_is_zero(q, size, bytes, &zero);
	if (error || !zero)
		return error ? error : EBUSY;
	if (from < q->node.size)
		error = qcow2_data_discard(q, from, q->node.size - from, true);
	return error ? error : qcow2_settle(q);
}

int qcow2_resize(struct block_node *n, uint64_t size)
{
	struct qcow2 *q = qcow2_of(n);
	int error;

	if (n->readonly)
		return EROFS;
	if (q->corrupt)
		return EIO;
	if (size & (BLOCK_SECTOR - 1))
		return EINVAL;
	if (q->n_states && q->version < 3)
		return ENOTSUP;		/* its snapshots would not say of which size they are */
	error = size > n->size ? grow_image(q, size) : shrink_image(q, size);
	if (!error)
		error = qcow2_header_write(q, QCOW2_AT_SIZE, size, 8);
	if (!error)
		n->size = size;
	return error ? error : q->file->driver->flush(q->file);
}
