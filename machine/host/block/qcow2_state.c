/* Internal snapshots of a qcow2 image: each has its own L1, which shares clusters with the present one, and may have the
 * state of a machine, as bytes of the guest's disk behind its end.
 *
 * The present one's L1 and the table of snapshots are never changed in place: a new one is written, then the header says
 * where it is. What a crash leaves is counted too high, which is a leak. */
#include "machine/host/block/qcow2.h"

#define ENTRY       40u			/* bytes, before what is of variable length */
#define OUR_EXTRA   24u			/* machine_bytes, size, icount */
#define MOST_EXTRA  1024u
#define MOST_BYTES  (64u << 20)		/* of the table */
#define NO_ICOUNT   UINT64_MAX
#define NAME        256u

/* ---- The table ---- */

static void state_free(struct qcow2_state *s)
{
	free(s->id);
	free(s->name);
	free(s->extra);
}

void qcow2_states_free(struct qcow2 *q)
{
	for (uint32_t i = 0; i < q->n_states; i++)
		state_free(&q->states[i]);
	free(q->states);
	q->states = NULL;
	q->n_states = 0;
}

/* One entry at `at`; how many bytes it takes, 0: it is damaged. */
static uint64_t entry_read(struct qcow2 *q, uint64_t at, uint64_t end, struct qcow2_state *s)
{
	uint8_t h[ENTRY], extra[OUR_EXTRA] = { 0 };
	uint32_t id, name;
	uint64_t bytes;

	if (end - at < ENTRY || qcow2_file_read(q, at, h, ENTRY))
		return 0;
	id = (uint32_t)be_get(h + 12, 2);
	name = (uint32_t)be_get(h + 14, 2);
	*s = (struct qcow2_state){
		.l1 = be_get(h, 8), .l1_entries = (uint32_t)be_get(h + 8, 4), .date_s = (uint32_t)be_get(h + 16, 4),
		.date_ns = (uint32_t)be_get(h + 20, 4), .clock_ns = be_get(h + 24, 8), .machine_bytes = be_get(h + 32, 4),
		.extra_bytes = (uint32_t)be_get(h + 36, 4), .size = q->node.size, .icount = NO_ICOUNT,
	};
	if (s->extra_bytes > MOST_EXTRA || s->l1_entries > QCOW2_MAX_L1 / 8)
		return 0;
	bytes = ENTRY + s->extra_bytes + id + name;
	if (end - at < bytes || !(s->id = calloc(1, id + 1)) || !(s->name = calloc(1, name + 1)) ||
	    !(s->extra = calloc(1, s->extra_bytes + 1)) || qcow2_file_read(q, at + ENTRY, s->extra, s->extra_bytes) ||
	    qcow2_file_read(q, at + ENTRY + s->extra_bytes, s->id, id) ||
	    qcow2_file_read(q, at + ENTRY + s->extra_bytes + id, s->name, name))
		return 0;
	memcpy(extra, s->extra, qcow2_min(s->extra_bytes, OUR_EXTRA));
	if (s->extra_bytes >= 8)
		s->machine_bytes = be_get(extra, 8);
	if (s->extra_bytes >= 16)
		s->size = be_get(extra + 8, 8);
	if (s->extra_bytes >= 24)
		s->icount = be_get(extra + 16, 8);
	return qcow2_round_up(bytes, 8);
}

bool qcow2_states_read(struct qcow2 *q, uint64_t offset, uint32_t n, struct error *err)
{
	uint64_t at = offset, bytes;

	if (!n)
		return true;
	if (n > QCOW2_MAX_STATES || offset & (q->cluster - 1) || offset >= q->file_end) {
		error_set(err, "%s: damaged: number or place of its snapshots", q->node.name);
		return false;
	}
	q->states = calloc(n, sizeof *q->states);
	for (uint32_t i = 0; q->states && i < n; i++) {
		uint64_t end = qcow2_min(q->file_end, offset + MOST_BYTES);

		q->n_states = i + 1;
		bytes = at < end ? entry_read(q, at, end, &q->states[i]) : 0;
		if (!bytes) {
			error_set(err, "%s: damaged: its table of snapshots", q->node.name);
			return false;
		}
		at += bytes;
	}
	if (q->states && qcow2_guard_hit(q, offset, at - offset, 0)) {
		error_set(err, "%s: damaged: its table of snapshots lies on another", q->node.name);
		return false;
	}
	q->states_offset = offset;
	q->states_bytes = at - offset;
	if (!q->states)
		error_set(err, "out of memory");
	return q->states;
}

static uint64_t entry_bytes(const struct qcow2_state *s)
{
	uint32_t extra = s->extra_bytes < OUR_EXTRA ? OUR_EXTRA : s->extra_bytes;

	return qcow2_round_up(ENTRY + extra + strlen(s->id) + strlen(s->name), 8);
}

static void entry_put(uint8_t *h, const struct qcow2_state *s)
{
	uint32_t extra = s->extra_bytes < OUR_EXTRA ? OUR_EXTRA : s->extra_bytes;
	size_t id = strlen(s->id), name = strlen(s->name);

	be_put(h, s->l1, 8);
	be_put(h + 8, s->l1_entries, 4);
	be_put(h + 12, id, 2);
	be_put(h + 14, name, 2);
	be_put(h + 16, s->date_s, 4);
	be_put(h + 20, s->date_ns, 4);
	be_put(h + 24, s->clock_ns, 8);
	be_put(h + 32, s->machine_bytes >> 32 ? 0 : s->machine_bytes, 4);
	be_put(h + 36, extra, 4);
	if (s->extra_bytes > OUR_EXTRA)
		memcpy(h + ENTRY, s->extra, s->extra_bytes);
	be_put(h + ENTRY, s->machine_bytes, 8);
	be_put(h + ENTRY + 8, s->size, 8);
	be_put(h + ENTRY + 16, s->icount, 8);
	memcpy(h + ENTRY + extra, s->id, id);
	memcpy(h + ENTRY + extra + id, s->name, name);
}

/* A new table with the first n of q->states but number `without`, then the header. */
static int states_write(struct qcow2 *q, uint32_t n, uint32_t without)
{
	uint64_t bytes = 0, offset = 0, got = 0, old = q->states_offset, old_bytes = q->states_bytes, at = 0;
	uint8_t *table, be[12];
	int error;

	for (uint32_t i = 0; i < n; i++)
		bytes += i == without ? 0 : entry_bytes(&q->states[i]);
	if (bytes > MOST_BYTES)
		return EFBIG;
	table = calloc(1, bytes + 1);
	if (!table)
		return ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		if (i != without) {
			entry_put(table + at, &q->states[i]);
			at += entry_bytes(&q->states[i]);
		}
	error = bytes ? qcow2_alloc(q, (bytes + q->cluster - 1) >> q->cluster_bits, true, &offset, &got) : 0;
	if (!error && bytes)
		error = qcow2_file_write(q, offset, table, bytes);
	free(table);
	if (!error)
		error = qcow2_commit(q);
	if (!error)
		error = qcow2_file_barrier(q);
	if (error) {
		qcow2_free_now(q, offset, got);
		return error;
	}
	be_put(be, n - (without < n), 4);
	be_put(be + 4, offset, 8);
	error = q->file->driver->write(q->file, QCOW2_AT_STATES, be, sizeof be);
	if (!error)
		error = qcow2_file_barrier(q);
	q->states_offset = offset;
	q->states_bytes = bytes;
	if (error)		/* nobody knows which of them the file has */
		return qcow2_mark_corrupt(q);
	if (old_bytes)
		qcow2_free_later(q, old, old_bytes);
	return 0;
}

/* ---- Who else points to the clusters of an L1 ---- */

int qcow2_l1_read(struct qcow2 *q, uint64_t offset, uint32_t entries, uint64_t **l1)
{
	uint8_t *be;
	int error;

	if (offset & (q->cluster - 1) || (entries && (offset >= q->file_end || entries * UINT64_C(8) > q->file_end - offset)))
		return EIO;
	be = malloc(entries * (size_t)8 + 1);
	*l1 = calloc(entries + (size_t)1, sizeof **l1);
	error = be && *l1 ? qcow2_file_read(q, offset, be, entries * UINT64_C(8)) : ENOMEM;
	for (uint32_t i = 0; i < entries && !error; i++)
		(*l1)[i] = be_get(be + i * (size_t)8, 8);
	free(be);
	if (error)
		free(*l1);
	return error;
}

enum walk { WALK_CHECK, WALK_ADD, WALK_SUB, WALK_COPIED };	/* CHECK: may they be added? COPIED: sets these bits */

static int is_copied(struct qcow2 *q, uint64_t offset, bool *copied)
{
	uint64_t count;
	int error = qcow2_count_get(q, offset >> q->cluster_bits, &count);

	*copied = count == 1;
	return error;
}

static int walk_entry(struct qcow2 *q, struct qcow2_table *t, uint32_t i, enum walk walk)
{
	uint64_t entry = qcow2_entry(q, t, i), offset = entry & QCOW2_OFFSET, bytes = q->cluster, count = 0;
	bool zipped = entry & QCOW2_COMPRESSED, copied;
	int error;

	if (zipped)
		qcow2_zipped_range(q, entry, &offset, &bytes);
	if (!offset)
		return 0;
	if (offset >= q->file_end || (!zipped && offset & (q->cluster - 1)))
		return EIO;
	switch (walk) {
	case WALK_ADD:
		return qcow2_count_add(q, offset, bytes, 1);
	case WALK_SUB:
		return qcow2_count_add(q, offset, bytes, -1);
	case WALK_CHECK:
		for (uint64_t c = offset; c < offset + bytes; c = (c & ~(uint64_t)(q->cluster - 1)) + q->cluster) {
			error = qcow2_count_get(q, c >> q->cluster_bits, &count);
			if (error || !count || count > qcow2_count_max(q) / (zipped ? 2 : 1) - !zipped)
				return error ? error : ERANGE;
		}
		return 0;
	case WALK_COPIED:
		if (zipped)
			return 0;
		error = is_copied(q, offset, &copied);
		if (!error && copied != !!(entry & QCOW2_COPIED))
			qcow2_entry_set(q, t, i, entry ^ QCOW2_COPIED, qcow2_bitmap(q, t, i));
		return error;
	}
	return EIO;
}

static int walk_l2(struct qcow2 *q, uint64_t offset, enum walk walk)
{
	struct qcow2_table *t;
	int error = 0;

	for (uint32_t i = 0; i < 1u << q->l2_bits && !error; i++) {
		error = qcow2_table_get(q, &q->l2, offset, false, &t);
		if (!error)
			error = walk_entry(q, t, i, walk);
	}
	return error;
}

/* All clusters that an L1 reaches, and their tables. COPIED is for the active one alone. */
static int walk_l1(struct qcow2 *q, const uint64_t *l1, uint32_t entries, enum walk walk)
{
	uint64_t tables = 0;
	int error = 0;

	for (uint32_t i = 0; i < entries && !error; i++) {
		uint64_t offset = l1[i] & QCOW2_OFFSET, count;
		bool copied;

		if (!offset)
			continue;
		if (++tables > q->file_end >> q->cluster_bits)	/* the same one again and again */
			return EIO;
		error = walk_l2(q, offset, walk);
		if (error)
			break;
		if (walk == WALK_ADD || walk == WALK_SUB)
			error = qcow2_count_add(q, offset, q->cluster, walk == WALK_ADD ? 1 : -1);
		if (walk == WALK_CHECK)
			error = qcow2_count_get(q, offset >> q->cluster_bits, &count) || !count || count >= qcow2_count_max(q) ? ERANGE : 0;
		if (walk != WALK_COPIED)
			continue;
		error = is_copied(q, offset, &copied);
		if (!error && copied != !!(l1[i] & QCOW2_COPIED)) {
			q->l1[i] ^= QCOW2_COPIED;
			qcow2_l1_touch(q, i);
		}
	}
	return error;
}

int qcow2_copied_set(struct qcow2 *q)
{
	return walk_l1(q, q->l1, q->l1_entries, WALK_COPIED);
}

/* ---- What others ask for ---- */

static struct qcow2_state *find_state(struct qcow2 *q, const char *name, uint32_t *index)
{
	for (*index = 0; *index < q->n_states; ++*index)
		if (!strcmp(q->states[*index].name, name))
			return &q->states[*index];
	return NULL;
}

static bool fail(struct qcow2 *q, struct error *err, const char *what, const char *name, int error)
{
	error_set(err, "%s: %s '%s': %s", q->node.name, what, name, strerror(error));
	return false;
}

static bool writable(struct qcow2 *q, const char *what, const char *name, struct error *err)
{
	return (!q->node.readonly && !q->corrupt) || fail(q, err, what, name, q->corrupt ? EIO : EROFS);
}

bool qcow2_state_get(struct block_node *n, unsigned i, struct block_state *state)
{
	const struct qcow2_state *s;

	if (i >= qcow2_of(n)->n_states)
		return false;
	s = &qcow2_of(n)->states[i];
	*state = (struct block_state){ .date_s = s->date_s, .date_ns = s->date_ns, .clock_ns = s->clock_ns, .machine_bytes = s->machine_bytes };
	snprintf(state->id, sizeof state->id, "%s", s->id);
	snprintf(state->name, sizeof state->name, "%s", s->name);
	return true;
}

/* One more than the largest that is a number. */
static char *next_id(const struct qcow2 *q)
{
	unsigned long most = 0;
	char text[32];

	for (uint32_t i = 0; i < q->n_states; i++) {
		unsigned long id = strtoul(q->states[i].id, NULL, 10);

		if (id > most && id < 1000000000)
			most = id;
	}
	snprintf(text, sizeof text, "%lu", most + 1);
	return strdup(text);
}

/* Its own L1, and one more for all that it points to. */
static int keep_tables(struct qcow2 *q, struct qcow2_state *s)
{
	uint64_t clusters = (q->l1_entries * UINT64_C(8) + q->cluster - 1) >> q->cluster_bits, got;
	uint8_t *be = malloc(q->l1_entries * (size_t)8 + 1);
	int error = be ? walk_l1(q, q->l1, q->l1_entries, WALK_CHECK) : ENOMEM;

	if (!error)
		error = clusters ? qcow2_alloc(q, clusters, true, &s->l1, &got) : 0;
	if (!error)
		error = walk_l1(q, q->l1, q->l1_entries, WALK_ADD);
	if (!error)
		error = qcow2_copied_set(q);
	for (uint32_t i = 0; i < q->l1_entries && !error; i++)
		be_put(be + i * (size_t)8, q->l1[i], 8);
	if (!error)
		error = qcow2_file_write(q, s->l1, be, q->l1_entries * UINT64_C(8));
	free(be);
	s->l1_entries = q->l1_entries;
	return error;
}

/* Room for one more; false: out of memory. */
static bool states_extend(struct qcow2 *q, const struct block_state *state)
{
	struct qcow2_state *more = realloc(q->states, (q->n_states + 1) * sizeof *more);
	struct qcow2_state *s;

	if (!more)
		return false;
	q->states = more;
	s = &more[q->n_states];
	*s = (struct qcow2_state){
		.machine_bytes = state->machine_bytes, .clock_ns = state->clock_ns, .size = q->node.size, .icount = NO_ICOUNT,
		.date_s = (uint32_t)state->date_s, .date_ns = state->date_ns,
		.id = state->id[0] ? strdup(state->id) : next_id(q), .name = strdup(state->name), .extra = calloc(1, 1),
	};
	if (s->id && s->name && s->extra)
		return true;
	state_free(s);
	return false;
}

static int forget_machine(struct qcow2 *q, uint64_t bytes)
{
	uint64_t from = qcow2_round_up(q->node.size, qcow2_l1_span(q));
	uint64_t end = qcow2_min(qcow2_round_up(bytes, q->cluster), q->l1_entries * qcow2_l1_span(q) - qcow2_min(from, q->l1_entries * qcow2_l1_span(q)));

	return end ? qcow2_data_discard(q, from, end, true) : 0;
}

bool qcow2_state_keep(struct block_node *n, const struct block_state *state, struct error *err)
{
	struct qcow2 *q = qcow2_of(n);
	uint32_t i;
	int error;

	if (!writable(q, "cannot make snapshot", state->name, err))
		return false;
	if (find_state(q, state->name, &i))
		return fail(q, err, "cannot make snapshot", state->name, EEXIST);
	for (i = 0; i < q->n_states; i++)
		if (!strcmp(q->states[i].id, state->id))
			return fail(q, err, "cannot make snapshot", state->name, EEXIST);
	if (q->n_states >= QCOW2_MAX_STATES)
		return fail(q, err, "cannot make snapshot", state->name, EFBIG);
	error = qcow2_settle(q);
	if (!error && !states_extend(q, state))
		error = ENOMEM;
	if (error)
		return fail(q, err, "cannot make snapshot", state->name, error);
	error = keep_tables(q, &q->states[q->n_states]);
	if (!error)
		error = states_write(q, q->n_states + 1, UINT32_MAX);
	if (error) {
		state_free(&q->states[q->n_states]);
		return fail(q, err, "cannot make snapshot", state->name, error);
	}
	q->n_states++;
	error = forget_machine(q, state->machine_bytes);
	if (!error)
		error = qcow2_settle(q);
	return !error || fail(q, err, "cannot write snapshot", state->name, error);
}

/* The active L1 as the snapshot has it, for at least as many bytes as the disk has then. */
static int return_tables(struct qcow2 *q, const struct qcow2_state *s)
{
	uint64_t need = s->size / qcow2_l1_span(q) + !!(s->size & (qcow2_l1_span(q) - 1)), entries = need > s->l1_entries ? need : s->l1_entries;
	uint64_t *theirs, *l1, *old;
	uint32_t n_old = q->l1_entries;
	int error;

	if (entries > QCOW2_MAX_L1 / 8)
		return EFBIG;
	error = qcow2_l1_read(q, s->l1, s->l1_entries, &theirs);
	if (error)
		return error;
	old = malloc(n_old * sizeof *old + 1);
	l1 = calloc(entries + 1, sizeof *l1);
	error = old && l1 ? walk_l1(q, theirs, s->l1_entries, WALK_CHECK) : ENOMEM;
	if (!error)
		error = walk_l1(q, theirs, s->l1_entries, WALK_ADD);
	for (uint32_t i = 0; i < s->l1_entries && !error; i++)
		l1[i] = theirs[i] & ~QCOW2_COPIED;
	if (!error)
		memcpy(old, q->l1, n_old * sizeof *old);
	if (error)
		free(l1);
	else
		error = qcow2_l1_replace(q, l1, (uint32_t)entries);
	for (uint32_t i = 0; i < n_old && !error; i++)
		qcow2_guard_remove(q, old[i] & QCOW2_OFFSET, QCOW2_L2);
	for (uint32_t i = 0; i < q->l1_entries && !error; i++)
		if (q->l1[i] & QCOW2_OFFSET && !qcow2_guard_add(q, q->l1[i] & QCOW2_OFFSET, QCOW2_L2))
			error = ENOMEM;
	if (!error)
		error = walk_l1(q, old, n_old, WALK_SUB);
	if (!error)
		error = qcow2_copied_set(q);
	free(old);
	free(theirs);
	return error;
}

bool qcow2_state_return(struct block_node *n, const char *name, struct error *err)
{
	struct qcow2 *q = qcow2_of(n);
	uint32_t i;
	const struct qcow2_state *s = find_state(q, name, &i);
	int error;

	if (!s)
		return fail(q, err, "no snapshot", name, ENOENT);
	if (!writable(q, "cannot return to snapshot", name, err))
		return false;
	if (s->size & (BLOCK_SECTOR - 1))
		return fail(q, err, "cannot return to snapshot", name, EIO);
	error = qcow2_settle(q);
	if (!error)
		error = return_tables(q, s);
	if (!error && s->size != n->size) {
		error = qcow2_header_write(q, QCOW2_AT_SIZE, s->size, 8);
		n->size = s->size;
	}
	if (!error)
		error = qcow2_settle(q);
	return !error || fail(q, err, "cannot return to snapshot", name, error);
}

bool qcow2_state_show(struct block_node *n, const char *name, struct error *err)
{
	struct qcow2 *q = qcow2_of(n);
	uint32_t i;
	const struct qcow2_state *s = find_state(q, name, &i);
	uint64_t *l1;
	int error;

	if (!s)
		return fail(q, err, "no snapshot", name, ENOENT);
	error = !n->readonly || s->size & (BLOCK_SECTOR - 1) || s->size > s->l1_entries * qcow2_l1_span(q) ? EIO :
		qcow2_l1_read(q, s->l1, s->l1_entries, &l1);
	if (error)
		return fail(q, err, "cannot read snapshot", name, error);
	free(q->l1);
	q->l1 = l1;
	q->l1_entries = s->l1_entries;
	q->l1_offset = s->l1;
	n->size = s->size;
	return true;
}

static void free_l1(struct qcow2 *q, uint64_t offset, uint32_t entries)
{
	if (entries)
		qcow2_free_later(q, offset, entries * UINT64_C(8));
}

bool qcow2_state_delete(struct block_node *n, const char *name, struct error *err)
{
	struct qcow2 *q = qcow2_of(n);
	uint32_t i;
	struct qcow2_state *s = find_state(q, name, &i);
	uint64_t *l1;
	int error;

	if (!s)
		return fail(q, err, "no snapshot", name, ENOENT);
	if (!writable(q, "cannot delete snapshot", name, err))
		return false;
	error = qcow2_settle(q);
	if (!error)
		error = qcow2_l1_read(q, s->l1, s->l1_entries, &l1);
	if (error)
		return fail(q, err, "cannot delete snapshot", name, error);
	error = states_write(q, q->n_states, i);
	if (!error) {
		struct qcow2_state gone = *s;

		memmove(s, s + 1, (--q->n_states - i) * sizeof *s);
		error = walk_l1(q, l1, gone.l1_entries, WALK_SUB);
		if (!error)
			free_l1(q, gone.l1, gone.l1_entries);
		state_free(&gone);
	}
	free(l1);
	if (!error)
		error = qcow2_copied_set(q);
	if (!error)
		error = qcow2_settle(q);
	return !error || fail(q, err, "cannot delete snapshot", name, error);
}

/* ---- The machine's state ---- */

static int machine_place(struct qcow2 *q, uint64_t offset, uint64_t bytes, uint64_t *at)
{
	uint64_t start = qcow2_round_up(q->node.size, qcow2_l1_span(q)), most = qcow2_l1_span(q) * (QCOW2_MAX_L1 / 8);

	if (offset > most || bytes > most - offset || start > most - offset - bytes)
		return EFBIG;
	*at = start + offset;
	return 0;
}

int qcow2_machine_write(struct block_node *n, uint64_t offset, const void *data, uint64_t bytes)
{
	struct qcow2 *q = qcow2_of(n);
	uint64_t at;
	int error = n->readonly ? EROFS : q->corrupt ? EIO : machine_place(q, offset, bytes, &at);

	if (error || !bytes)
		return error;
	error = qcow2_l1_grow(q, (at + bytes + qcow2_l1_span(q) - 1) / qcow2_l1_span(q));
	return error ? error : qcow2_data_write(q, at, data, bytes);
}

int qcow2_machine_read(struct block_node *n, uint64_t offset, void *data, uint64_t bytes)
{
	struct qcow2 *q = qcow2_of(n);
	uint64_t at;
	int error = machine_place(q, offset, bytes, &at);

	if (error || !bytes)
		return error;
	return at + bytes <= q->l1_entries * qcow2_l1_span(q) ? qcow2_data_read(q, at, data, bytes) : EIO;
}
