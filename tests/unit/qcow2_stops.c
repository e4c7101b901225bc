/* The qcow2 driver, killed at each of its writes: whatever the last one was, the image is whole.
 *
 * usage: qcow2_stops                               the checker itself
 *        qcow2_stops IMAGE FOLDER STEP SEED        STEP on a copy of IMAGE, in memory, stopped before each of its writes in
 *                                                  turn: FOLDER/N.qcow2 is what is left, for qemu-img to judge too. An odd
 *                                                  SEED: the power goes, and some of what was not flushed is lost
 * STEPs: keep, return, delete (of snapshot s), write, grow; full-delete, full-keep: on a disk without room
 */
#include <unistd.h>

#include "check.h"
#include "forgetful.h"
#include "machine/host/block/qcow2.h"

#define MOST_STATES 4u
#define MOST_LEFT   200u	/* images that are left for others */

/* ---- A checker that shares nothing with the driver: counts against references, COPIED bits of the active tables ---- */

struct census {
	const uint8_t *file;
	uint64_t bytes, n, *uses;
	unsigned bits, order, entry_bytes;
	bool extended;
	unsigned errors, leaks;
	char first[120];
};

static void wrong(struct census *c, const char *what, uint64_t at)
{
	if (!c->errors++)
		snprintf(c->first, sizeof c->first, "%s at 0x%" PRIx64, what, at);
}

static uint64_t get(struct census *c, uint64_t at, unsigned n)
{
	if (at > c->bytes || n > c->bytes - at)
		return 0;		/* behind the end there are zeros */
	return be_get(c->file + at, n);
}

static void use(struct census *c, uint64_t at, uint64_t bytes)
{
	if (!bytes)
		return;
	for (uint64_t i = at >> c->bits; i <= (at + bytes - 1) >> c->bits; i++)
		if (i < c->n)
			c->uses[i]++;
		else
			wrong(c, "points out of the file", at);
}

static uint64_t count_of(struct census *c, uint64_t cluster)
{
	uint64_t each = UINT64_C(8) << c->bits >> c->order, table = get(c, 48, 8), block = get(c, table + cluster / each * 8, 8);
	uint64_t i = cluster % each, bits = UINT64_C(1) << c->order;

	if (!block || cluster / each >= get(c, 56, 4) << (c->bits - 3))
		return 0;
	if (bits >= 8)
		return get(c, block + i * bits / 8, (unsigned)bits / 8);
	return get(c, block + i * bits / 8, 1) >> i * bits % 8 & ((1u << bits) - 1);
}

static void census_l2(struct census *c, uint64_t l2, bool active)
{
	uint64_t mask = QCOW2_OFFSET;

	for (uint64_t i = 0; i < (UINT64_C(1) << c->bits) / c->entry_bytes; i++) {
		uint64_t entry = get(c, l2 + i * c->entry_bytes, 8), at = entry & mask, x = 62 - (c->bits - 8);

		if (entry & QCOW2_COMPRESSED) {
			at = entry & ((UINT64_C(1) << x) - 1);
			use(c, at, (((entry & (QCOW2_COMPRESSED - 1)) >> x) + 1) * 512 - at % 512);
		} else if (at) {
			use(c, at, UINT64_C(1) << c->bits);
			if (active && (count_of(c, at >> c->bits) == 1) != !!(entry & QCOW2_COPIED))
				wrong(c, "COPIED of data", at);
		}
	}
}

static void census_l1(struct census *c, uint64_t l1, uint64_t entries, bool active)
{
	use(c, l1, entries * 8);
	for (uint64_t i = 0; i < entries; i++) {
		uint64_t entry = get(c, l1 + i * 8, 8), at = entry & QCOW2_OFFSET;

		if (!at)
			continue;
		use(c, at, UINT64_C(1) << c->bits);
		if (active && (count_of(c, at >> c->bits) == 1) != !!(entry & QCOW2_COPIED))
			wrong(c, "COPIED of a table", at);
		census_l2(c, at, active);
	}
}

static void census_states(struct census *c)
{
	uint64_t table = get(c, 64, 8), at = table;

	for (uint64_t i = 0; i < get(c, 60, 4); i++) {
		census_l1(c, get(c, at, 8), get(c, at + 8, 4), false);
		at += (40 + get(c, at + 36, 4) + get(c, at + 12, 2) + get(c, at + 14, 2) + 7) / 8 * 8;
	}
	use(c, table, at - table);
}

static void census(struct census *c, const uint8_t *file, uint64_t bytes)
{
	*c = (struct census){ .file = file, .bytes = bytes, .bits = (unsigned)be_get(file + 20, 4), .order = 4 };
	if (get(c, 4, 4) >= 3) {
		c->order = (unsigned)get(c, 96, 4);
		c->extended = get(c, 72, 8) & QCOW2_EXTENDED_L2;
		if (get(c, 72, 8) & 3)
			wrong(c, "dirty, or corrupt", get(c, 72, 8));
	}
	c->entry_bytes = c->extended ? 16 : 8;
	c->n = (bytes + (UINT64_C(1) << c->bits) - 1) >> c->bits;
	c->uses = calloc(c->n + 1, sizeof *c->uses);
	use(c, 0, UINT64_C(1) << c->bits);
	census_l1(c, get(c, 40, 8), get(c, 36, 4), true);
	census_states(c);
	use(c, get(c, 48, 8), get(c, 56, 4) << c->bits);
	for (uint64_t i = 0; i < get(c, 56, 4) << (c->bits - 3); i++)
		if (get(c, get(c, 48, 8) + i * 8, 8))
			use(c, get(c, get(c, 48, 8) + i * 8, 8), UINT64_C(1) << c->bits);
	for (uint64_t i = 0; i < c->n; i++) {
		if (count_of(c, i) < c->uses[i])
			wrong(c, "counted too low", i << c->bits);
		c->leaks += count_of(c, i) > c->uses[i];
	}
	free(c->uses);
}

/* ---- What is in it ---- */

struct contents {
	uint64_t size;
	uint8_t *active, *state[MOST_STATES];
	char name[MOST_STATES][64];
	unsigned n;
};

static uint8_t *read_all(struct disk *d, const char *state, uint64_t *size)
{
	const struct block_options o = { .file = "memory", .format = "qcow2", .readonly = true };
	struct error err = { .msg = "" };
	struct block_node *n = block_qcow2.open(&d->node, &o, 0, &err);
	uint8_t *data = NULL;

	if (n && (!state || n->driver->state_show(n, state, &err))) {
		*size = n->size;
		data = calloc(1, n->size);
		if (n->driver->read(n, 0, data, n->size)) {
			free(data);
			data = NULL;
		}
	}
	if (!data)
		printf("  %s\n", err.msg);
	if (n)
		block_node_close(n);
	return data;
}

static bool read_contents(struct disk *d, struct contents *c)
{
	const struct block_options o = { .file = "memory", .format = "qcow2", .readonly = true };
	struct error err;
	struct block_node *n = block_qcow2.open(&d->node, &o, 0, &err);
	struct block_state s;

	*c = (struct contents){ 0 };
	for (unsigned i = 0; n && i < MOST_STATES && n->driver->state_get(n, i, &s); i++)
		snprintf(c->name[c->n++], sizeof c->name[0], "%.63s", s.name);
	if (n)
		block_node_close(n);
	c->active = read_all(d, NULL, &c->size);
	for (unsigned i = 0; i < c->n; i++)
		if (!(c->state[i] = read_all(d, c->name[i], &c->size)))
			return false;
	return n && c->active;
}

static void free_contents(struct contents *c)
{
	for (unsigned i = 0; i < c->n; i++)
		free(c->state[i]);
	free(c->active);
}

static const uint8_t *state_of(const struct contents *c, const char *name)
{
	for (unsigned i = 0; i < c->n; i++)
		if (!strcmp(c->name[i], name))
			return c->state[i];
	return NULL;
}

/* Each snapshot is as it was, a new one as the disk; the disk as it was, or as a snapshot that is returned to. */
static bool fits(const struct contents *before, const struct contents *now, const char *step)
{
	const uint8_t *s = state_of(before, "s");
	unsigned missing = 0;

	if (!strcmp(step, "write") || !strcmp(step, "grow"))
		return true;
	if (memcmp(now->active, before->active, now->size) && (!strstr(step, "return") || memcmp(now->active, s, now->size)))
		return false;
	for (unsigned i = 0; i < now->n; i++) {
		const uint8_t *was = state_of(before, now->name[i]);

		if (!strcmp(step, "full-delete") && !strcmp(now->name[i], "s"))
			continue;	/* what goes gives room */
		if (memcmp(now->state[i], was ? was : before->active, now->size))
			return false;
	}
	for (unsigned i = 0; i < before->n; i++)
		missing += !state_of(now, before->name[i]) && (strcmp(before->name[i], "s") || !strstr(step, "delete"));
	return !missing;
}

/* ---- The steps ---- */

static bool step_keep(struct block_node *n, uint64_t seed)
{
	const struct block_state s = { .name = "new", .date_s = 1700000000, .machine_bytes = 70000 };
	uint8_t machine[70000];
	struct error err;

	memset(machine, (int)seed, sizeof machine);
	return !n->driver->machine_write(n, 0, machine, sizeof machine) && n->driver->state_keep(n, &s, &err);
}

static bool step_return(struct block_node *n, uint64_t seed)
{
	struct error err;

	(void)seed;
	return n->driver->state_return(n, "s", &err);
}

static bool step_delete(struct block_node *n, uint64_t seed)
{
	struct error err;

	(void)seed;
	return n->driver->state_delete(n, "s", &err);
}

static bool step_write(struct block_node *n, uint64_t seed)
{
	uint8_t buf[20000];

	for (unsigned i = 0; i < 12; i++) {
		uint64_t at = check_random(&seed) % (n->size - sizeof buf);

		memset(buf, (int)i, sizeof buf);
		if (i % 4 == 3 ? n->driver->discard(n, at, sizeof buf) : n->driver->write(n, at, buf, sizeof buf))
			return false;
		if (i % 4 == 1 && n->driver->flush(n))
			return false;
	}
	return !n->driver->flush(n);
}

/* Until the refcount table is too small: with clusters of 512 bytes it tells of 8 MiB of the file. */
static bool step_grow(struct block_node *n, uint64_t seed)
{
	static uint8_t buf[1 << 20];
	int error = 0;

	memset(buf, (int)seed + 1, sizeof buf);
	for (uint64_t at = 0; at + sizeof buf <= n->size && !error; at += sizeof buf)
		error = n->driver->write(n, at, buf, sizeof buf);
	return !error && !n->driver->flush(n);
}

static const struct step {
	const char *name;
	bool (*run)(struct block_node *n, uint64_t seed);
	bool full, thin;	/* the file does not grow; the host has so many pages for it, and nobody stops */
} steps[] = {
	{ "keep", step_keep, false, false }, { "return", step_return, false, false }, { "delete", step_delete, false, false },
	{ "write", step_write, false, false }, { "grow", step_grow, false, false }, { "full-delete", step_delete, true, false },
	{ "full-keep", step_keep, true, false }, { "thin-keep", step_keep, false, true }, { "thin-return", step_return, false, true },
};

/* ---- Stopped ---- */

static bool write_image(const struct disk *d, const char *folder, uint64_t number)
{
	char path[300];
	FILE *f;
	bool ok;

	snprintf(path, sizeof path, "%s/%" PRIu64 ".qcow2", folder, number);
	f = fopen(path, "wb");
	ok = f && fwrite(d->durable, 1, d->node.size, f) == d->node.size;
	return f && !fclose(f) && ok;
}

/* The whole is there, whatever is missing. */
static bool is_whole(struct disk *d, const struct contents *before, const char *step, uint64_t writes)
{
	struct contents now;
	struct census c;
	bool ok;

	census(&c, d->durable, d->node.size);
	if (strstr(step, "thin") && c.leaks) {
		printf("FAIL %s with %" PRIu64 " pages: %u leaks\n", step, writes, c.leaks);
		return false;
	}
	if (c.errors)
		printf("FAIL %s stopped at write %" PRIu64 ": %u errors, %s\n", step, writes, c.errors, c.first);
	memcpy(d->now, d->durable, d->node.size);
	ok = read_contents(d, &now) && fits(before, &now, step);
	if (!ok)
		printf("FAIL %s stopped at write %" PRIu64 ": contents\n", step, writes);
	free_contents(&now);
	return ok && !c.errors;
}

/* *over: it was not stopped any more. `tell`: whether it has done what it should. */
static bool run_once(const char *image, const struct step *step, uint64_t writes, uint64_t seed, const struct contents *before,
		     const char *folder, bool *over)
{
	const struct block_options o = { .file = "memory", .format = "qcow2", .discard = seed & 2 };
	uint64_t r = seed + writes;
	struct error err = { .msg = "" };
	struct disk d;
	struct block_node *n;
	bool done, ok;

	if (!disk_load(&d, image))
		return false;
	if (step->full)
		d.room = d.node.size;
	d.writes_left = step->thin ? UINT64_MAX : writes;
	if (step->thin) {
		d.held = calloc(1, d.room / PAGE);
		for (uint64_t i = 0; i < d.node.size; i++)
			d.held[i / PAGE] |= d.now[i];
		d.pages_left = writes;
	}
	n = block_qcow2.open(&d.node, &o, 0, &err);
	if (!n)
		return printf("FAIL %s: %s\n", step->name, err.msg) < 0;
	if (seed & 4)
		qcow2_of(n)->l2.n = qcow2_of(n)->blocks.n = 4;
	done = step->run(n, seed);
	*over = step->thin ? done : d.writes_left;
	if (*over || step->thin)
		block_node_close(n);
	disk_settle(&d, *over || step->thin || !(seed & 1) ? 256 : (unsigned)(check_random(&r) % 256), &r);
	ok = is_whole(&d, before, step->name, writes) && (writes >= MOST_LEFT || write_image(&d, folder, writes));
	if (!*over && !step->thin) {
		d.writes_left = 0;
		block_node_close(n);
	} else if (*over && done == !strcmp(step->name, "full-keep")) {
		ok = printf("FAIL %s: %s\n", step->name, done ? "done" : "not done") < 0;
	}
	disk_free(&d);
	return ok;
}

static int run_stops(const char *image, const char *folder, const char *name, uint64_t seed)
{
	const struct step *step = steps;
	struct contents before;
	struct disk d;
	uint64_t writes = 0;
	bool over = false, ok = true;

	while (strcmp(step->name, name))
		if (++step == steps + sizeof steps / sizeof *steps)
			return EXIT_FAILURE;
	if (!disk_load(&d, image) || !read_contents(&d, &before))
		return EXIT_FAILURE;
	disk_free(&d);
	/* One that has thousands is looked at more and more seldom. */
	for (; ok && !over; writes += over ? 0 : 1 + writes / 64)
		ok = run_once(image, step, writes, seed, &before, folder, &over);
	free_contents(&before);
	printf(ok ? "ok %s: %" PRIu64 " writes\n" : "FAIL %s at %" PRIu64 "\n", name, writes);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- The checker is worth something ---- */

static void flip(uint8_t *file, uint64_t at, uint8_t with)
{
	file[at] ^= with;
}

static unsigned errors_with(uint8_t *file, uint64_t bytes, uint64_t at, uint8_t with)
{
	struct census c;

	flip(file, at, with);
	census(&c, file, bytes);
	flip(file, at, with);
	return c.errors;
}

static void test_checker(void)
{
	const char *path = "/tmp/cede-qcow2-stops.qcow2";
	struct block_options o = { .file = path, .format = "qcow2" };
	const struct block_state s = { .name = "s" };
	struct error err = { .msg = "" };
	struct block_node *n;
	struct disk d;
	struct census c;

	block_create_qcow2(path, 1u << 20, NULL, NULL, &err);
	n = block_node_open(&o, 0, &err);
	check(n && !n->driver->write(n, 0, "data", 4) && n->driver->state_keep(n, &s, &err), "made %s", err.msg);
	check_eq(n->driver->write(n, 70000, "data", 4), 0, "written");
	block_node_close(n);
	check(disk_load(&d, path), "loaded");
	census(&c, d.now, d.node.size);
	check(!c.errors && !c.leaks, "clean %s", c.first);
	check(errors_with(d.now, d.node.size, be_get(d.now + 40, 8), 0x80) > 0, "finds-copied-of-a-table");
	check(errors_with(d.now, d.node.size, (be_get(d.now + be_get(d.now + 40, 8), 8) & QCOW2_OFFSET) + 8, 0x80) > 0, "finds-copied-of-data");
	check(errors_with(d.now, d.node.size, be_get(d.now + be_get(d.now + 48, 8), 8) + 1, 1) > 0, "finds-counts");
	disk_free(&d);
	unlink(path);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 5)
		return run_stops(argv[1], argv[2], argv[3], strtoull(argv[4], NULL, 10));
	test_checker();
	return check_done();
}
