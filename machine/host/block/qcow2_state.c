/* Internal snapshots of a qcow2 image: each has its own L1, which shares clusters with the present one, and may have the
 * state of a machine, as bytes of the guest's disk behind its end.
 *
 * The present one's L1 and the table of snapshots are never changed in place: a new one is written, then the header says
 * where it is, and where the refcounts are that go with it (qcow2_change.c). What a crash leaves is counted too high, which
 * is a leak. */
#include "machine/host/block/qcow2.h"

#define ENTRY       40u			/* bytes, before what is of variable length */
#define OUR_EXTRA   24u			/* machine_bytes, size, icount */
#define MOST_EXTRA  1024u
#define MOST_BYTES  (64u << 20)		/* of the table */
#define NO_ICOUNT   UINT64_MAX
#define NAME        256u
#define MOST_GUARDED (16u << 20)	/* bytes of all L1 tables whose places are watched */

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

/* Without memory for it, a place is not watched. */
static void guard_set(struct qcow2 *q, uint64_t offset, enum qcow2_part part, bool add)
{
	if (add)
		(void)!qcow2_guard_add(q, offset, part);
	else
		qcow2_guard_remove(q, offset, part);
}

/* Its L1, and the L2 tables that this points to. */
static void guard_tables(struct qcow2 *q, const struct qcow2_state *s, const uint64_t *l1, bool add)
{
	for (uint64_t at = 0; at < s->l1_entries * UINT64_C(8); at += q->cluster)
		guard_set(q, s->l1 + at, QCOW2_FIXED, add);
	for (uint32_t i = 0; i < s->l1_entries; i++)
		if (l1[i] & QCOW2_OFFSET && (l1[i] & QCOW2_OFFSET) < q->file_end)
			guard_set(q, l1[i] & QCOW2_OFFSET, QCOW2_L2, add);
}

/* A damaged one is refused when somebody wants it. */
static void guard_states(struct qcow2 *q)
{
	uint64_t bytes = 0, *l1;

	for (uint32_t i = 0; i < q->n_states && !q->node.readonly; i++) {
		const struct qcow2_state *s = &q->states[i];

		bytes += s->l1_entries * UINT64_C(8);
		if (bytes > MOST_GUARDED)
			return;
		if (qcow2_l1_read(q, s->l1, s->l1_entries, &l1))
			continue;
		guard_tables(q, s, l1, true);
		free(l1);
	}
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
	else
		guard_states(q);
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

/* The first n of q->states but number `without`. */
static int table_make(const struct qcow2 *q, uint32_t n, uint32_t without, struct qcow2_states_table *table)
{
	uint64_t at = 0;

	*table = (struct qcow2_states_table){ .n = n - (without < n) };
	for (uint32_t i = 0; i < n; i++)
		table->bytes += i == without ? 0 : entry_bytes(&q->states[i]);
	if (table->bytes > MOST_BYTES)
		return EFBIG;
	table->data = calloc(1, table->bytes + 1);
	if (!table->data)
		return ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		if (i != without) {
			entry_put(table->data + at, &q->states[i]);
			at += entry_bytes(&q->states[i]);
		}
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

/* What is done to the clusters of data that an L1 reaches. CHECK: may they be added, with the tables? SUB: what nobody
 * else has is given back later. LEAK: the same, but who is in two places stays counted so. */
enum walk { WALK_CHECK, WALK_ADD, WALK_SUB, WALK_LEAK, WALK_SPARE };

static int is_copied(struct qcow2 *q, uint64_t offset, bool *copied)
{
	uint64_t count;
	int error = qcow2_count_get(q, offset >> q->cluster_bits, &count);

	*copied = count == 1;
	return error;
}

static int sub_cluster(struct qcow2 *q, uint64_t cluster, enum walk walk)
{
	uint64_t count;
	int error = qcow2_count_get(q, cluster, &count);

	if (error || !count)
		return error ? error : EIO;
	if (walk == WALK_SPARE)
		return count == 1 ? qcow2_change_spare(q, cluster) : 0;
	if (count == 1)
		qcow2_free_later(q, cluster << q->cluster_bits, q->cluster);
	else if (walk == WALK_SUB || count > 2)
		error = qcow2_count_set(q, cluster, count - 1);
	return error;
}

static int walk_cluster(struct qcow2 *q, uint64_t cluster, bool zipped, enum walk walk)
{
	uint64_t count;
	int error;

	if (walk == WALK_ADD)
		return qcow2_count_add(q, cluster << q->cluster_bits, q->cluster, 1);
	if (walk != WALK_CHECK)
		return sub_cluster(q, cluster, walk);
	error = qcow2_count_get(q, cluster, &count);
	if (!error && (!count || count > qcow2_count_max(q) / (zipped ? 2 : 1) - !zipped))
		error = ERANGE;
	return error;
}

static int walk_entry(struct qcow2 *q, uint64_t entry, enum walk walk)
{
	uint64_t offset = entry & QCOW2_OFFSET, bytes = q->cluster;
	bool zipped = entry & QCOW2_COMPRESSED;
	int error = 0;

	if (zipped)
		qcow2_zipped_range(q, entry, &offset, &bytes);
	if (!offset || (zipped && walk == WALK_SPARE))
		return 0;
	if (offset >= q->file_end || (!zipped && offset & (q->cluster - 1)))
		return EIO;
	for (uint64_t c = offset >> q->cluster_bits; c <= (offset + bytes - 1) >> q->cluster_bits && !error; c++)
		error = walk_cluster(q, c, zipped, walk);
	return error;
}

static int walk_l2(struct qcow2 *q, uint64_t offset, enum walk walk)
{
	struct qcow2_table *t;
	int error = 0;

	for (uint32_t i = 0; i < 1u << q->l2_bits && !error; i++) {
		error = qcow2_table_get(q, &q->l2, offset, false, &t);
		if (!error)
			error = walk_entry(q, qcow2_entry(q, t, i), walk);
	}
	return error;
}

static int walk_table(struct qcow2 *q, uint64_t offset, enum walk walk)
{
	uint64_t count;

	if (walk == WALK_SUB || walk == WALK_LEAK)
		return sub_cluster(q, offset >> q->cluster_bits, walk);
	if (walk == WALK_CHECK)
		return qcow2_count_get(q, offset >> q->cluster_bits, &count) || !count || count >= qcow2_count_max(q) ? ERANGE : 0;
	return 0;
}

/* All clusters that an L1 reaches, and their tables, but that those are not added. */
static int walk_l1(struct qcow2 *q, const uint64_t *l1, uint32_t entries, enum walk walk)
{
	uint64_t tables = 0;
	int error = 0;

	for (uint32_t i = 0; i < entries && !error; i++) {
		uint64_t offset = l1[i] & QCOW2_OFFSET;

		if (!offset)
			continue;
		if (++tables > q->file_end >> q->cluster_bits)	/* the same one again and again */
			return EIO;
		error = walk_l2(q, offset, walk);
		if (!error)
			error = walk_table(q, offset, walk);
	}
	return error;
}

/* Another L1 has these tables, too: none of them is its alone. */
static int add_tables(struct qcow2 *q, uint64_t *l1, uint32_t entries)
{
	int error = 0;

	for (uint32_t i = 0; i < entries && !error; i++) {
		if (l1[i] & QCOW2_OFFSET)
			error = qcow2_count_add(q, l1[i] & QCOW2_OFFSET, q->cluster, 1);
		l1[i] &= ~QCOW2_COPIED;
	}
	return error;
}

/* ---- COPIED bits: as the refcounts are ---- */

static int copied_entry(struct qcow2 *q, uint64_t entry, bool *wrong)
{
	bool copied = false;
	int error;

	*wrong = false;
	if (entry & QCOW2_COMPRESSED || !(entry & QCOW2_OFFSET))
		return 0;
	error = is_copied(q, entry & QCOW2_OFFSET, &copied);
	*wrong = copied != !!(entry & QCOW2_COPIED);
	return error;
}

/* In the table that entry `at` of the active L1 points to; in a change, in a copy of it, which takes its place there. */
static int copied_l2(struct qcow2 *q, uint32_t at)
{
	bool own = !q->change, wrong;
	struct qcow2_table *t;
	int error = 0;

	for (uint32_t i = 0; i < 1u << q->l2_bits && !error; i++) {
		error = qcow2_table_get(q, &q->l2, q->l1[at] & QCOW2_OFFSET, false, &t);
		if (!error)
			error = copied_entry(q, qcow2_entry(q, t, i), &wrong);
		if (error || !wrong)
			continue;
		if (!own)
			error = qcow2_l2_copy(q, at, &t);
		own = true;
		if (!error)
			qcow2_entry_set(q, t, i, qcow2_entry(q, t, i) ^ QCOW2_COPIED, qcow2_bitmap(q, t, i));
	}
	return error;
}

int qcow2_copied_set(struct qcow2 *q)
{
	uint64_t tables = 0;
	bool copied;
	int error = 0;

	for (uint32_t i = 0; i < q->l1_entries && !error; i++) {
		if (!(q->l1[i] & QCOW2_OFFSET))
			continue;
		if (++tables > q->file_end >> q->cluster_bits)	/* the same one again and again */
			return EIO;
		error = copied_l2(q, i);
		if (!error)
			error = is_copied(q, q->l1[i] & QCOW2_OFFSET, &copied);
		if (error || copied == !!(q->l1[i] & QCOW2_COPIED))
			continue;
		q->l1[i] ^= QCOW2_COPIED;
		qcow2_l1_touch(q, i);
	}
	return error;
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

/* All is in the file, and nothing waits: a change may begin. */
static int settle_all(struct qcow2 *q)
{
	int error = qcow2_settle(q);

	return error ? error : qcow2_commit(q);
}

/* In a change: its own L1, and one more for all that it points to. */
static int keep_tables(struct qcow2 *q, struct qcow2_state *s)
{
	uint64_t clusters = (q->l1_entries * UINT64_C(8) + q->cluster - 1) >> q->cluster_bits, got;
	int error = walk_l1(q, q->l1, q->l1_entries, WALK_CHECK);

	if (!error)
		error = walk_l1(q, q->l1, q->l1_entries, WALK_ADD);
	if (!error)
		error = qcow2_copied_set(q);
	if (!error)
		error = add_tables(q, q->l1, q->l1_entries);
	if (!error)
		error = clusters ? qcow2_alloc(q, clusters, true, &s->l1, &got) : 0;
	if (!error)
		error = qcow2_l1_store(q, s->l1, q->l1, q->l1_entries);
	s->l1_entries = q->l1_entries;
	return error;
}

static int keep_state(struct qcow2 *q)
{
	struct qcow2_states_table table = { 0 };
	struct qcow2_state *s = &q->states[q->n_states];
	int error = qcow2_change_begin(q);

	if (error)
		return error;
	error = keep_tables(q, s);
	if (!error)
		error = table_make(q, q->n_states + 1, UINT32_MAX, &table);
	if (error)
		qcow2_change_cancel(q);
	else
		error = qcow2_change_end(q, &table);
	free(table.data);
	if (!error)
		guard_tables(q, s, q->l1, true);
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
	uint64_t reach = q->l1_entries * qcow2_l1_span(q);
	uint64_t end = qcow2_min(qcow2_round_up(bytes, q->cluster), reach - qcow2_min(from, reach));

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
	error = settle_all(q);
	if (!error && !states_extend(q, state))
		error = ENOMEM;
	if (error)
		return fail(q, err, "cannot make snapshot", state->name, error);
	error = keep_state(q);
	if (error) {
		state_free(&q->states[q->n_states]);
		return fail(q, err, "cannot make snapshot", state->name, error);
	}
	q->n_states++;
	if (!forget_machine(q, state->machine_bytes))	/* there it is, though this may find no room */
		(void)!qcow2_settle(q);
	return true;
}

/* An L1 for all that the snapshot has, for as many bytes as the disk has then, and has now. NULL: *error. */
static uint64_t *active_copy(struct qcow2 *q, const struct qcow2_state *s, const uint64_t *theirs, uint32_t *entries, int *error)
{
	uint64_t size = s->size > q->node.size ? s->size : q->node.size, *l1;
	uint64_t need = size / qcow2_l1_span(q) + !!(size & (qcow2_l1_span(q) - 1)), n = need > s->l1_entries ? need : s->l1_entries;

	*entries = (uint32_t)n;
	*error = n > QCOW2_MAX_L1 / 8 ? EFBIG : ENOMEM;
	l1 = n > QCOW2_MAX_L1 / 8 ? NULL : calloc(n + 1, sizeof *l1);
	if (l1 && s->l1_entries)
		memcpy(l1, theirs, s->l1_entries * sizeof *l1);
	*error = l1 ? 0 : *error;
	return l1;
}

/* In a change: `l1` (malloc) is the active one. The other one is the caller's. */
static uint64_t *replace_l1(struct qcow2 *q, uint64_t *l1, uint32_t entries)
{
	uint64_t *old = q->l1;

	for (uint32_t i = 0; i < entries; i++)
		guard_set(q, l1[i] & QCOW2_OFFSET, QCOW2_L2, true);
	for (uint32_t i = 0; i < q->l1_entries; i++)
		guard_set(q, old[i] & QCOW2_OFFSET, QCOW2_L2, false);
	q->l1 = l1;
	q->l1_entries = entries;
	return old;
}

/* In a change: the tables of `l1`, which are a snapshot's, are the active one's, too, in place of those that it has. Their
 * bits say nothing before that. Takes `l1`. */
static int return_tables(struct qcow2 *q, uint64_t *l1, uint32_t entries)
{
	uint32_t n_old = q->l1_entries;
	int error = walk_l1(q, l1, entries, WALK_CHECK);
	uint64_t *old;

	if (!error)
		error = walk_l1(q, l1, entries, WALK_ADD);
	if (!error)
		error = add_tables(q, l1, entries);
	if (error) {
		free(l1);
		return error;
	}
	old = replace_l1(q, l1, entries);
	error = walk_l1(q, old, n_old, WALK_SUB);
	free(old);
	if (error == EIO)	/* it is damaged, which is why somebody returns: what it had behind that leaks */
		error = 0;
	return error ? error : qcow2_copied_set(q);
}

static int return_state(struct qcow2 *q, const struct qcow2_state *s)
{
	uint64_t *theirs, *l1, size = q->node.size;
	uint32_t entries;
	int error = qcow2_l1_read(q, s->l1, s->l1_entries, &theirs);

	if (error)
		return error;
	l1 = active_copy(q, s, theirs, &entries, &error);
	free(theirs);
	if (!l1)
		return error;
	error = qcow2_change_begin(q);
	if (error) {
		free(l1);
		return error;
	}
	error = return_tables(q, l1, entries);
	if (error) {
		qcow2_change_cancel(q);
		return error;
	}
	q->node.size = s->size;
	error = qcow2_change_end(q, NULL);
	if (error)
		q->node.size = size;
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
	error = settle_all(q);
	if (!error)
		error = return_state(q, s);
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

static void free_l1(struct qcow2 *q, const struct qcow2_state *s)
{
	if (s->l1_entries)
		qcow2_free_later(q, s->l1, s->l1_entries * UINT64_C(8));
}

/* What it alone has, its machine's state first: the disk has room for that much. */
static int find_spares(struct qcow2 *q, const struct qcow2_state *s, const uint64_t *l1)
{
	uint64_t start = qcow2_min(qcow2_round_up(s->size, qcow2_l1_span(q)) / qcow2_l1_span(q), s->l1_entries);
	int error = walk_l1(q, l1 + start, (uint32_t)(s->l1_entries - start), WALK_SPARE);

	if (!error)
		error = walk_l1(q, l1, (uint32_t)start, WALK_SPARE);
	return error || q->change->spares ? error : ENOSPC;
}

static int delete_state(struct qcow2 *q, uint32_t i, const uint64_t *l1, bool full)
{
	struct qcow2_states_table table = { 0 };
	const struct qcow2_state *s = &q->states[i];
	int error = qcow2_change_begin(q);

	if (error)
		return error;
	if (full)
		error = find_spares(q, s, l1);
	if (!error)
		error = walk_l1(q, l1, s->l1_entries, WALK_SUB);
	if (!error)
		error = qcow2_copied_set(q);
	if (!error)
		error = table_make(q, q->n_states, i, &table);
	free_l1(q, s);
	if (error)
		qcow2_change_cancel(q);
	else
		error = qcow2_change_end(q, &table);
	free(table.data);
	return error;
}

/* Puts it behind the others, in place. */
static int move_last(struct qcow2 *q, uint32_t i)
{
	struct qcow2_state s = q->states[i];
	struct qcow2_states_table table;
	int error;

	memmove(&q->states[i], &q->states[i + 1], (q->n_states - 1 - i) * sizeof s);
	q->states[q->n_states - 1] = s;
	error = table_make(q, q->n_states, UINT32_MAX, &table);
	if (!error && table.bytes != q->states_bytes)	/* others write shorter entries */
		error = ENOSPC;
	if (!error)
		error = qcow2_file_write(q, q->states_offset, table.data, table.bytes);
	free(table.data);
	return error ? error : qcow2_file_barrier(q);
}

/* The disk is full, and nothing is this snapshot's alone that would give room: the table gets shorter. What is shared with
 * one other stays counted as it is, a leak. */
static int drop_state(struct qcow2 *q, uint32_t i, const uint64_t *l1)
{
	const struct qcow2_state *last = &q->states[q->n_states - 1];
	int error = i < q->n_states - 1 ? move_last(q, i) : 0;

	if (!error)
		error = qcow2_header_write(q, QCOW2_AT_STATES, q->n_states - 1, 4);
	if (!error)
		error = qcow2_file_barrier(q);
	if (error)
		return error;
	q->states_bytes -= qcow2_min(q->states_bytes, entry_bytes(last));
	if (q->n_states == 1) {
		qcow2_free_later(q, q->states_offset, 1);
		q->states_offset = q->states_bytes = 0;
	}
	free_l1(q, last);
	return walk_l1(q, l1, last->l1_entries, WALK_LEAK);
}

static bool has_no_room(int error)
{
	return error == ENOSPC || error == EFBIG || error == EDQUOT;
}

bool qcow2_state_delete(struct block_node *n, const char *name, struct error *err)
{
	struct qcow2 *q = qcow2_of(n);
	struct qcow2_state *s, gone;
	uint32_t i;
	uint64_t *l1;
	int error;

	s = find_state(q, name, &i);
	if (!s)
		return fail(q, err, "no snapshot", name, ENOENT);
	if (!writable(q, "cannot delete snapshot", name, err))
		return false;
	gone = *s;
	error = settle_all(q);
	if (!error)
		error = qcow2_l1_read(q, s->l1, s->l1_entries, &l1);
	if (error)
		return fail(q, err, "cannot delete snapshot", name, error);
	error = delete_state(q, i, l1, false);
	if (has_no_room(error))
		error = delete_state(q, i, l1, true);
	if (has_no_room(error)) {
		error = drop_state(q, i, l1);
		i = error ? i : q->n_states - 1;
	}
	if (!error) {
		guard_tables(q, &gone, l1, false);
		memmove(&q->states[i], &q->states[i + 1], (--q->n_states - i) * sizeof *s);
		state_free(&gone);
		error = qcow2_settle(q);
	}
	free(l1);
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
	if (!error)
		error = qcow2_data_write(q, at, data, bytes);
	if (error && !forget_machine(q, offset + bytes))	/* what there is of it is of no use */
		(void)!qcow2_settle(q);
	return error;
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
