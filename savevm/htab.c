/* The hash page table, a live section as guest memory is: START says how large it is, the parts bring entries. Here all
 * of them come in the last part. A radix guest has no table.
 * Source of the format: QEMU's streams. */
#include "savevm/savevm.h"

#define HTAB_VERSION 1
#define NO_HTAB UINT32_MAX
#define ORDER_MIN 18
#define RUN_MOST 0xffffu		/* entries in a chunk */
#define ENTRY_SHIFT 4

static uint64_t entries_of(const struct vms_htab *t) { return t->order ? UINT64_C(1) << (t->order - ENTRY_SHIFT) : 0; }

/* ---- Saving ---- */

static bool htab_save_start(struct stream *s, void *object)
{
	const struct vms_htab *t = object;

	stream_put_be(s, t->order ? t->order : NO_HTAB, 4);
	return !s->failed;
}

/* How many entries from `at` on are valid, as far as a chunk goes. */
static unsigned count_run(const struct vms_htab *t, uint64_t at)
{
	unsigned n = 0;

	while (n < RUN_MOST && at + n < entries_of(t) && t->next(t->opaque, at + n) == at + n)
		n++;
	return n;
}

static void put_chunk(struct stream *s, const struct vms_htab *t, uint64_t at, unsigned n)
{
	stream_put_be(s, at, 4);
	stream_put_be(s, n, 2);
	stream_put_be(s, 0, 2);
	for (unsigned i = 0; i < n && !s->failed; i++) {
		uint64_t entry[2];

		t->get(t->opaque, at + i, entry);
		stream_put_be(s, entry[0], 8);
		stream_put_be(s, entry[1], 8);
	}
}

static bool htab_save_end(struct stream *s, void *object)
{
	const struct vms_htab *t = object;

	if (!t->order) {
		stream_put_be(s, NO_HTAB, 4);
		return !s->failed;
	}
	stream_put_be(s, 0, 4);
	for (uint64_t at = 0; (at = t->next(t->opaque, at)) < entries_of(t) && !s->failed;) {
		unsigned n = count_run(t, at);

		put_chunk(s, t, at, n);
		at += n;
	}
	stream_put_be(s, 0, 8);
	return !s->failed;
}

/* ---- Loading ---- */

static bool htab_wrong(struct stream *s, const char *what, const char *expected, uint64_t found)
{
	return stream_fail(s, "section spapr/htab 0: %s: expected %s, found 0x%llx", what, expected, (unsigned long long)found);
}

static bool load_start(struct stream *s, struct vms_htab *t, uint32_t order)
{
	if (order == NO_HTAB)
		order = 0;
	else if (order < ORDER_MIN || order > t->most)
		return stream_fail(s, "section spapr/htab 0: order: expected %u to %u or none, found 0x%x", ORDER_MIN, t->most, (unsigned)order);
	t->order = order;
	return t->make(t->opaque, order) || stream_fail(s, "out of memory");
}

static bool entry_wrong(struct stream *s, const struct vms_htab *t, uint64_t at, const uint64_t entry[2])
{
	char why[120];

	if (t->why && t->why(t->opaque, entry, why, sizeof why))
		return stream_fail(s, "section spapr/htab 0: entry 0x%llx: %s", (unsigned long long)at, why);
	return htab_wrong(s, "entry", "a valid one", entry[0]);
}

/* So many entries, then so many that are not valid. */
static bool load_chunk(struct stream *s, struct vms_htab *t, uint64_t at, unsigned valid, unsigned invalid)
{
	static const uint64_t none[2];

	if (at + valid + invalid > entries_of(t))
		return htab_wrong(s, "index", "one within the table", at + valid + invalid);
	for (; valid; valid--, at++) {
		uint64_t entry[2];

		entry[0] = stream_get_be(s, 8);
		entry[1] = stream_get_be(s, 8);
		if (s->failed)
			return false;
		if (!t->put(t->opaque, at, entry))
			return entry_wrong(s, t, at, entry);
	}
	for (; invalid; invalid--, at++)
		t->put(t->opaque, at, none);
	return true;
}

static bool load_chunks(struct stream *s, struct vms_htab *t)
{
	uint64_t chunk;

	while ((chunk = stream_get_be(s, 8)) && !s->failed)
		if (!load_chunk(s, t, chunk >> 32, chunk >> 16 & 0xffff, chunk & 0xffff))
			return false;
	return !s->failed;
}

static bool htab_load(struct stream *s, void *object, enum vms_tag part)
{
	uint32_t word = (uint32_t)stream_get_be(s, 4);

	if (s->failed)
		return false;
	if (part == VMS_TAG_START)
		return load_start(s, object, word);
	if (word == NO_HTAB)
		return true;
	return word ? htab_wrong(s, "part", "0", word) : load_chunks(s, object);
}

void vms_htab_live(struct vms_live *live, struct vms_htab *htab)
{
	*live = (struct vms_live){
		.name = "spapr/htab", .version = HTAB_VERSION, .save_start = htab_save_start, .save_end = htab_save_end,
		.load = htab_load, .object = htab,
	};
}
