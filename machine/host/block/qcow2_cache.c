/* Tables of a qcow2 image in memory, and when they are written.
 *
 * A hand goes round the slots and takes the first clean one that nobody asked for since it came by. Refcounts may be written
 * at any time: they are raised before, and lowered after, anything else is. L2 tables are written with all they stand on.
 * In a change (qcow2_change.c) nothing that is written is pointed to, and what points there is not written.
 */
#include "machine/host/block/qcow2.h"

#define UNIT BLOCK_SECTOR		/* bytes that are written at once at least */

bool qcow2_cache_init(struct qcow2_cache *c, uint64_t tables)
{
	uint32_t heads = 1;

	c->n = tables < 4 ? 4 : (uint32_t)tables;
	while (heads < c->n)
		heads *= 2;
	c->mask = heads - 1;
	c->slots = calloc(c->n, sizeof *c->slots);
	c->heads = calloc(heads, sizeof *c->heads);
	return c->slots && c->heads;
}

void qcow2_cache_end(struct qcow2_cache *c)
{
	for (uint32_t i = 0; c->slots && i < c->n; i++)
		free(c->slots[i].data);
	free(c->slots);
	free(c->heads);
}

static uint32_t *chain_of(struct qcow2_cache *c, uint64_t offset)
{
	return &c->heads[(offset >> 9) * UINT64_C(0x9e3779b97f4a7c15) >> 32 & c->mask];
}

static struct qcow2_table *find_table(struct qcow2_cache *c, uint64_t offset)
{
	for (uint32_t i = *chain_of(c, offset); i; i = c->slots[i - 1].next)
		if (c->slots[i - 1].offset == offset)
			return &c->slots[i - 1];
	return NULL;
}

static void mark_clean(struct qcow2_cache *c, struct qcow2_table *t)
{
	c->dirty -= t->dirty_from != t->dirty_to;
	t->dirty_from = t->dirty_to = 0;
}

static void forget_table(struct qcow2_cache *c, struct qcow2_table *t)
{
	uint32_t *link = chain_of(c, t->offset), index = (uint32_t)(t - c->slots) + 1;

	while (*link != index)
		link = &c->slots[*link - 1].next;
	*link = t->next;
	mark_clean(c, t);
	t->offset = 0;
}

void qcow2_table_drop(struct qcow2_cache *c, uint64_t offset)
{
	struct qcow2_table *t = find_table(c, offset);

	if (t)
		forget_table(c, t);
}

void qcow2_table_touch(struct qcow2_cache *c, struct qcow2_table *t, uint32_t from, uint32_t bytes)
{
	if (t->dirty_from == t->dirty_to) {
		c->dirty++;
		t->dirty_from = from;
		t->dirty_to = from + bytes;
		return;
	}
	if (from < t->dirty_from)
		t->dirty_from = from;
	if (from + bytes > t->dirty_to)
		t->dirty_to = from + bytes;
}

static int write_table(struct qcow2 *q, struct qcow2_cache *c, struct qcow2_table *t)
{
	uint32_t from = t->dirty_from / UNIT * UNIT;
	uint32_t to = (uint32_t)qcow2_round_up(t->dirty_to, UNIT);
	int error = qcow2_file_write(q, t->offset + from, t->data + from, to - from);

	if (!error)
		mark_clean(c, t);
	return error;
}

int qcow2_cache_write(struct qcow2 *q, struct qcow2_cache *c)
{
	int error = 0;

	for (uint32_t i = 0; i < c->n && c->dirty && !error; i++)
		if (c->slots[i].dirty_from != c->slots[i].dirty_to)
			error = write_table(q, c, &c->slots[i]);
	return error;
}

/* Refcounts, then what points to their blocks. */
static int commit_counts(struct qcow2 *q)
{
	int error = qcow2_cache_write(q, &q->blocks);

	if (!error && !q->change && q->counts_dirty_from != q->counts_dirty_to) {
		error = qcow2_file_barrier(q);
		if (!error)
			error = qcow2_counts_write(q);
	}
	return error;
}

static int commit_l2(struct qcow2 *q)
{
	int error = commit_counts(q);

	if (error || !q->l2.dirty)
		return error;
	error = qcow2_file_barrier(q);
	return error ? error : qcow2_cache_write(q, &q->l2);
}

int qcow2_commit(struct qcow2 *q)
{
	int error = commit_l2(q);

	if (error || q->change || q->l1_dirty_from == q->l1_dirty_to)
		return error;
	error = qcow2_file_barrier(q);
	return error ? error : qcow2_l1_write(q);
}

int qcow2_settle(struct qcow2 *q)
{
	int error = qcow2_commit(q);

	if (!error)
		error = qcow2_file_barrier(q);
	if (!error)
		qcow2_apply_frees(q);
	return error;
}

/* What is dirty stays, as long as there is as much that is not: who only reads makes nobody write. */
static struct qcow2_table *find_victim(struct qcow2_cache *c)
{
	for (uint64_t steps = 0; steps < c->n * UINT64_C(2); steps++) {
		struct qcow2_table *t = &c->slots[c->hand];

		c->hand = (c->hand + 1) % c->n;
		if (!t->offset || (t->dirty_from == t->dirty_to && !t->used))
			return t;
		t->used = false;
	}
	return NULL;
}

static int make_room(struct qcow2 *q, struct qcow2_cache *c, struct qcow2_table **t)
{
	int error = 0;

	if (c->dirty > c->n / 2)
		error = c == &q->l2 ? commit_l2(q) : qcow2_cache_write(q, c);
	*t = find_victim(c);
	if (!*t)
		return error ? error : EIO;
	if ((*t)->offset)
		forget_table(c, *t);
	if (!(*t)->data)
		(*t)->data = malloc(q->cluster);
	return (*t)->data ? 0 : ENOMEM;
}

/* Zeros that nobody has written need room when they are. */
static bool may_have_hole(const struct qcow2 *q, const struct qcow2_table *t)
{
	for (uint32_t at = 0; at < q->cluster; at += UNIT)
		if (!t->data[at] && !memcmp(t->data + at, t->data + at + 1, UNIT - 1))
			return true;
	return false;
}

/* In a change all is written before anything points there. */
int qcow2_table_own(struct qcow2 *q, struct qcow2_table *t)
{
	int error;

	if (t->placed || q->change)
		return 0;
	error = may_have_hole(q, t) ? qcow2_file_reserve(q, t->offset, q->cluster, false) : 0;
	t->placed = !error;
	return error;
}

int qcow2_table_get(struct qcow2 *q, struct qcow2_cache *c, uint64_t offset, bool fresh, struct qcow2_table **out)
{
	struct qcow2_table *t = find_table(c, offset);
	int error = fresh && !q->change ? qcow2_file_reserve(q, offset, q->cluster, true) : 0;

	if (error)
		return error;
	if (!t) {
		if (!fresh && !qcow2_table_ok(q, offset, c == &q->l2 ? QCOW2_L2 : QCOW2_BLOCKS))
			return EIO;
		error = make_room(q, c, &t);
		if (!error && !fresh)
			error = qcow2_file_read(q, offset, t->data, q->cluster);
		if (error)
			return error;
		t->offset = offset;
		t->placed = false;
		t->next = *chain_of(c, offset);
		*chain_of(c, offset) = (uint32_t)(t - c->slots) + 1;
	}
	if (fresh) {
		memset(t->data, 0, q->cluster);
		qcow2_table_touch(c, t, 0, q->cluster);
		t->placed = true;
	}
	t->used = true;
	*out = t;
	return 0;
}
