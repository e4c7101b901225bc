/* The qcow2 driver: facts that need no other program, and, for tests/block/qcow2.py, what it does to images that qemu-img
 * made and will judge.
 *
 * usage: qcow2                                 the facts
 *        qcow2 ops IMAGE MODEL SEED N          N random requests, compared with a copy in memory; MODEL gets that copy,
 *                                              MODEL.NAME that of snapshot NAME
 *        qcow2 copy IMAGE RAW                  all that is in it
 *        qcow2 forever IMAGE SEED              requests without end; a line at each flush that is done
 *        qcow2 crash IMAGE LEFT SEED           the same until the power goes (odd seeds), or cede is killed, after a
 *                                              random number of its writes: LEFT is what the disk has; prints the flushes
 *        qcow2 proven IMAGE SEED N             is all there that was before flush N, and nothing that never was?
 *        qcow2 full IMAGE SEED BYTES           until there is no room for more, which there is not behind that many bytes
 *        qcow2 state IMAGE keep|return|delete|machine|touch NAME
 *        qcow2 speed IMAGE
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "forgetful.h"
#include "machine/host/block/qcow2.h"

#define STATES 4u

static struct block_node *open_node(const char *file, const char *format, bool readonly, struct error *err)
{
	struct block_options o = { .file = file, .format = format, .readonly = readonly, .discard = true };

	return block_node_open(&o, 0, err);
}

static struct block_node *must_open(const char *file, bool readonly)
{
	struct error err = { .msg = "" };
	struct block_node *n = open_node(file, NULL, readonly, &err);

	if (!n) {
		printf("FAIL open: %s\n", err.msg);
		exit(EXIT_FAILURE);
	}
	return n;
}

/* Room for four tables of each kind, of which none is there yet, so that they come and go. */
static void make_forgetful(struct block_node *n, bool really)
{
	if (n->driver == &block_qcow2 && really)
		qcow2_of(n)->l2.n = qcow2_of(n)->blocks.n = 4;
}

static bool write_file(const char *name, const void *data, size_t bytes)
{
	FILE *f = fopen(name, "wb");
	bool ok = f && fwrite(data, 1, bytes, f) == bytes;

	return f && !fclose(f) && ok;
}

/* ---- Random requests ---- */

struct model {
	uint8_t *now;
	uint64_t size;
	struct { char name[256]; uint8_t *data; uint64_t size; uint8_t machine[64]; uint64_t machine_at, machine_bytes; } states[STATES];
	unsigned n_states, made;
};

static bool same(struct block_node *n, const struct model *m, uint64_t offset, uint64_t bytes, uint8_t *buf)
{
	int error = n->driver->read(n, offset, buf, bytes);

	if (!error && !memcmp(buf, m->now + offset, bytes))
		return true;
	printf("FAIL read at 0x%" PRIx64 " of 0x%" PRIx64 ": error %d\n", offset, bytes, error);
	for (uint64_t i = 0; !error && i < bytes; i++)
		if (buf[i] != m->now[offset + i]) {
			printf("  at 0x%" PRIx64 ": 0x%02x, should be 0x%02x\n", offset + i, buf[i], m->now[offset + i]);
			break;
		}
	return false;
}

static void fill(uint8_t *at, uint64_t bytes, uint64_t *seed)
{
	uint64_t word = check_random(seed);

	for (uint64_t i = 0; i < bytes; i++)
		at[i] = (uint8_t)(word >> i % 8 * 8) ^ (uint8_t)(i >> 9);
}

static bool keep_state(struct block_node *n, struct model *m, uint64_t *seed)
{
	struct block_state s = { .date_s = 1700000000, .clock_ns = 12345 };
	struct error err = { .msg = "" };
	unsigned i = m->n_states;

	snprintf(s.name, sizeof s.name, "s%u", m->made++);
	snprintf(m->states[i].name, sizeof m->states[i].name, "%s", s.name);
	fill(m->states[i].machine, sizeof m->states[i].machine, seed);
	m->states[i].machine_at = check_random(seed) % 300000;
	s.machine_bytes = check_random(seed) % 2 ? m->states[i].machine_at + sizeof m->states[i].machine : 0;
	m->states[i].machine_bytes = s.machine_bytes;
	if (s.machine_bytes && n->driver->machine_write(n, m->states[i].machine_at, m->states[i].machine, sizeof m->states[i].machine))
		return false;
	if (!n->driver->state_keep(n, &s, &err)) {
		if (strstr(err.msg, strerror(ERANGE)))	/* refcounts of few bits */
			return true;
		printf("FAIL keep: %s\n", err.msg);
		return false;
	}
	m->states[i].size = m->size;
	m->states[i].data = malloc(m->size);
	memcpy(m->states[i].data, m->now, m->size);
	m->n_states++;
	return true;
}

static bool return_state(struct block_node *n, struct model *m, uint64_t *seed)
{
	unsigned i = (unsigned)(check_random(seed) % m->n_states);
	struct error err = { .msg = "" };
	uint8_t machine[64];

	if (!n->driver->state_return(n, m->states[i].name, &err)) {
		if (strstr(err.msg, strerror(ERANGE)))
			return true;
		printf("FAIL return: %s\n", err.msg);
		return false;
	}
	memcpy(m->now, m->states[i].data, m->size);
	if (!m->states[i].machine_bytes)
		return true;
	return !n->driver->machine_read(n, m->states[i].machine_at, machine, sizeof machine) &&
	       !memcmp(machine, m->states[i].machine, sizeof machine);
}

static bool delete_state(struct block_node *n, struct model *m, uint64_t *seed)
{
	unsigned i = (unsigned)(check_random(seed) % m->n_states);
	struct error err = { .msg = "" };

	if (!n->driver->state_delete(n, m->states[i].name, &err)) {
		printf("FAIL delete: %s\n", err.msg);
		return false;
	}
	free(m->states[i].data);
	memmove(&m->states[i], &m->states[i + 1], (--m->n_states - i) * sizeof m->states[i]);
	return true;
}

static bool do_one(struct block_node *n, struct model *m, uint64_t *seed, uint8_t *buf)
{
	uint64_t r = check_random(seed) % 100, most = UINT64_C(1) << check_random(seed) % 21, at, bytes;
	int error = 0;

	bytes = 1 + check_random(seed) % most;
	if (check_random(seed) % 4)
		bytes = (bytes + SECTOR - 1) / SECTOR * SECTOR;
	if (bytes > m->size)
		bytes = m->size;
	at = check_random(seed) % (m->size - bytes + 1);
	if (check_random(seed) % 4)
		at = at / SECTOR * SECTOR;
	if (r < 40) {
		fill(buf, bytes, seed);
		error = n->driver->write(n, at, buf, bytes);
		memcpy(m->now + at, buf, bytes);
	} else if (r < 70) {
		return same(n, m, at, bytes, buf);
	} else if (r < 80) {
		error = n->driver->zero(n, at, bytes, r & 1);
		memset(m->now + at, 0, bytes);
	} else if (r < 88) {	/* what a discard leaves is the driver's choice */
		error = n->driver->discard(n, at, bytes);
		if (!error)
			error = n->driver->read(n, at, m->now + at, bytes);
	} else if (r < 94) {
		error = n->driver->flush(n);
	} else if (m->n_states < STATES && r < 97) {
		return keep_state(n, m, seed);
	} else if (m->n_states && r < 99) {
		return return_state(n, m, seed);
	} else if (m->n_states) {
		return delete_state(n, m, seed);
	}
	if (error)
		printf("FAIL request %u at 0x%" PRIx64 " of 0x%" PRIx64 ": %s\n", (unsigned)r, at, bytes, strerror(error));
	return !error;
}

static bool save_models(const struct model *m, const char *name)
{
	char path[512];
	bool ok = write_file(name, m->now, m->size);

	for (unsigned i = 0; i < m->n_states && ok; i++) {
		snprintf(path, sizeof path, "%s.%s", name, m->states[i].name);
		ok = write_file(path, m->states[i].data, m->states[i].size);
	}
	return ok;
}

static int run_ops(const char *image, const char *model, uint64_t seed, unsigned count, unsigned states)
{
	struct block_node *n = must_open(image, false);
	struct model m = { .size = n->size, .now = malloc(n->size), .n_states = 0 };
	uint8_t *buf = malloc(n->size + (1u << 20));
	bool ok = !n->driver->read(n, 0, m.now, m.size), forgetful;

	m.made = states;
	forgetful = seed & 1;
	block_node_close(n);
	n = must_open(image, false);
	make_forgetful(n, forgetful);
	for (unsigned i = 0; i < count && ok; i++) {
		ok = do_one(n, &m, &seed, buf);
		if (!ok)
			printf("FAIL ops: number %u\n", i);
		if (ok && i % 100 == 99) {	/* what is on the disk is as good as what is in memory */
			block_node_close(n);
			n = must_open(image, false);
			make_forgetful(n, forgetful);
		}
	}
	ok = ok && same(n, &m, 0, m.size, buf);
	block_node_close(n);
	ok = ok && save_models(&m, model);
	for (unsigned i = 0; i < m.n_states; i++)
		free(m.states[i].data);
	free(m.now);
	free(buf);
	if (ok)
		printf("ok ops\n");
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int copy_image(const char *image, const char *raw)
{
	struct block_node *n = must_open(image, true);
	uint8_t *data = malloc(n->size + 1);
	int error = n->driver->read(n, 0, data, n->size);

	if (error)
		printf("FAIL copy: %s\n", strerror(error));
	else if (!write_file(raw, data, n->size))
		error = EIO;
	block_node_close(n);
	free(data);
	return error ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- One thing with a snapshot ---- */

static int run_state(const char *image, const char *what, const char *name)
{
	struct block_node *n = must_open(image, false);
	struct block_state s = { .date_s = 1700000000, .machine_bytes = 5 };
	struct error err = { .msg = "" };
	char machine[6] = "hello";
	bool ok = true;

	snprintf(s.name, sizeof s.name, "%s", name);
	if (!strcmp(what, "keep"))
		ok = !n->driver->machine_write(n, 0, machine, 5) && n->driver->state_keep(n, &s, &err);
	else if (!strcmp(what, "return"))
		ok = n->driver->state_return(n, name, &err);
	else if (!strcmp(what, "delete"))
		ok = n->driver->state_delete(n, name, &err);
	else if (!strcmp(what, "machine"))
		ok = !n->driver->machine_read(n, 0, machine, 5) && printf("%s\n", machine) > 0;
	block_node_close(n);
	if (!ok)
		printf("FAIL %s\n", err.msg);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- Killed: each sector says which request wrote it ---- */

struct op {
	enum block_op op;
	uint64_t first, n;		/* sectors */
};

static struct op op_number(uint64_t seed, uint64_t i, uint64_t sectors)
{
	uint64_t r = seed * UINT64_C(1000003) + i, kind = check_random(&r) % 16;
	struct op op = { kind < 12 ? BLOCK_WRITE : kind < 13 ? BLOCK_ZERO : kind < 14 ? BLOCK_DISCARD : BLOCK_FLUSH, 0, 0 };

	op.n = 1 + check_random(&r) % (check_random(&r) % 4 ? 16 : 600);
	op.first = check_random(&r) % (sectors - op.n);
	return op;
}

static int do_op(struct block_node *n, uint64_t i, const struct op *op, uint64_t *buf)
{
	switch (op->op) {
	case BLOCK_WRITE:
		for (uint64_t k = 0; k < op->n * SECTOR / 8; k++)
			buf[k] = i + 1;
		return n->driver->write(n, op->first * SECTOR, buf, op->n * SECTOR);
	case BLOCK_ZERO:    return n->driver->zero(n, op->first * SECTOR, op->n * SECTOR, i & 1);
	case BLOCK_DISCARD: return n->driver->discard(n, op->first * SECTOR, op->n * SECTOR);
	default:            return n->driver->flush(n);
	}
}

static int run_forever(const char *image, uint64_t seed)
{
	struct block_node *n = must_open(image, false);
	uint64_t flushes = 0, *buf = malloc(600 * SECTOR);
	char line[32];

	for (uint64_t i = 0;; i++) {
		struct op op = op_number(seed, i, n->size / SECTOR);
		int error = do_op(n, i, &op, buf);

		if (error) {
			printf("FAIL number %" PRIu64 ": %s\n", i, strerror(error));
			return EXIT_FAILURE;
		}
		if (op.op == BLOCK_FLUSH) {
			int len = snprintf(line, sizeof line, "%" PRIu64 "\n", ++flushes);

			if (write(STDOUT_FILENO, line, (size_t)len) != len)
				return EXIT_FAILURE;
		}
	}
}

static bool touches(const struct op *op, uint64_t sector)
{
	return op->op != BLOCK_FLUSH && sector >= op->first && sector - op->first < op->n;
}

/* Could a request from number `from` to `to` have left this in the sector? */
static bool could_be(uint64_t seed, uint64_t sectors, uint64_t sector, uint64_t value, uint64_t from, uint64_t to)
{
	for (uint64_t i = from; i < to; i++) {
		struct op op = op_number(seed, i, sectors);

		if (touches(&op, sector) && value == (op.op == BLOCK_WRITE ? i + 1 : 0))
			return true;
	}
	return false;
}

static int run_proven(const char *image, uint64_t seed, uint64_t flushes)
{
	struct block_node *n = must_open(image, true);
	uint64_t sectors = n->size / SECTOR, *sure = calloc(sectors, 8), i = 0, wrong = 0, buf[SECTOR / 8];

	for (uint64_t done = 0; done < flushes; i++) {
		struct op op = op_number(seed, i, sectors);

		done += op.op == BLOCK_FLUSH;
		for (uint64_t k = 0; k < op.n && op.op != BLOCK_FLUSH; k++)
			sure[op.first + k] = op.op == BLOCK_WRITE ? i + 1 : op.op == BLOCK_ZERO ? 0 : UINT64_MAX;
	}
	for (uint64_t s = 0; s < sectors; s++) {
		int error = n->driver->read(n, s * SECTOR, buf, SECTOR);

		if (error || memcmp(buf, buf + 1, SECTOR - 8)) {
			wrong++;
			printf("FAIL sector %" PRIu64 ": error %d, or torn\n", s, error);
		} else if (buf[0] != sure[s] && sure[s] != UINT64_MAX && !could_be(seed, sectors, s, buf[0], i, i + 3000)) {
			wrong++;
			printf("FAIL sector %" PRIu64 " has %" PRIu64 ", not %" PRIu64 "\n", s, buf[0], sure[s]);
		}
	}
	block_node_close(n);
	free(sure);
	return wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- A disk in memory, which forgets what was not flushed: forgetful.h ---- */

static int run_crash(const char *image, const char *left, uint64_t seed)
{
	const struct block_options o = { .file = "memory", .format = "qcow2" };
	struct error err = { .msg = "" };
	struct disk d;
	struct block_node *n;
	uint64_t r = seed, flushes = 0, *buf = malloc(600 * SECTOR);
	int error = 0;

	if (!disk_load(&d, image))
		return EXIT_FAILURE;
	d.writes_left = 2 + check_random(&r) % (UINT64_C(1) << check_random(&r) % 12);
	n = block_qcow2.open(&d.node, &o, 0, &err);
	if (n)
		make_forgetful(n, seed & 2);
	for (uint64_t i = 0; n && !error && i < 100000; i++) {
		struct op op = op_number(seed, i, n->size / SECTOR);

		error = do_op(n, i, &op, buf);
		flushes += !error && op.op == BLOCK_FLUSH;
	}
	disk_settle(&d, seed & 1 ? (unsigned)(check_random(&r) % 256) : 256, &r);
	if (!n || !write_file(left, d.durable, d.node.size)) {
		printf("FAIL crash: %s\n", err.msg);
		return EXIT_FAILURE;
	}
	d.writes_left = 0;
	block_node_close(n);
	printf("%" PRIu64 "\n", flushes);
	free(d.durable);
	free(d.now);
	free(buf);
	return EXIT_SUCCESS;
}

/* ---- Full: what was said to be written is there ---- */

#define SLOTS 4096u

struct full {
	struct block_node *n;
	uint64_t step, seed;		/* bytes from slot to slot */
	struct put { uint64_t at, bytes, word; } *puts;		/* bytes 0: it is gone */
	unsigned n_puts, good;
	bool returned;
};

static bool full_fact(bool ok, const char *what, int error)
{
	if (!ok)
		printf("FAIL full: %s: %s\n", what, strerror(error));
	return ok;
}

static int full_write(struct full *f, uint64_t at, uint64_t bytes)
{
	uint64_t word = f->n_puts + 1, *data = malloc(bytes);
	int error;

	for (uint64_t i = 0; i < bytes / 8; i++)
		data[i] = word;
	error = f->n->driver->write(f->n, at, data, bytes);
	free(data);
	if (!error)
		f->puts[f->n_puts++] = (struct put){ at, bytes, word };
	return error;
}

static bool full_verify(struct full *f, const char *when)
{
	uint64_t *data = malloc(f->step);
	bool ok = true;

	for (unsigned i = 0; i < f->n_puts && ok; i++) {
		const struct put *p = &f->puts[i];
		int error = p->bytes ? f->n->driver->read(f->n, p->at, data, p->bytes) : 0;

		ok = full_fact(!error, when, error);
		for (uint64_t k = 0; k < p->bytes / 8 && ok; k++)
			if (data[k] != p->word) {
				printf("FAIL full: %s: write %u of %u is not there\n", when, i, f->n_puts);
				ok = false;
			}
	}
	free(data);
	return ok;
}

static bool full_flush(struct full *f, const char *when)
{
	int error = f->n->driver->flush(f->n);

	return full_fact(!error, when, error);
}

/* Each slot in turn, most of which need a table; a flush now and then. */
static bool full_slots(struct full *f)
{
	int error = 0;
	bool flushed = true;

	for (unsigned i = 0; i < SLOTS && !error && flushed; i++) {
		uint64_t most = f->step / 4 / SECTOR < 40 ? f->step / 4 / SECTOR : 40;

		error = full_write(f, i * f->step + check_random(&f->seed) % 8 * SECTOR, (1 + check_random(&f->seed) % most) * SECTOR);
		f->good += !error;
		if (check_random(&f->seed) % 8 == 0)
			flushed = full_flush(f, "flush among slots");
	}
	return flushed && full_fact(error == ENOSPC, "slots", error);
}

/* In slots that have a table, until no cluster is left. */
static bool full_rest(struct full *f, uint64_t cluster, unsigned from, unsigned to)
{
	uint64_t each = f->step / 2 / cluster;
	int error = 0;

	each = each < 64 ? each : 64;
	for (uint64_t i = from * each; i < to * each && !error; i++)
		error = full_write(f, i / each * f->step + f->step / 2 + i % each * cluster, SECTOR);
	return full_fact(error == ENOSPC, "rest", error);
}

/* A third of the slots is given up: there is room again. */
static bool full_discard(struct full *f)
{
	unsigned n = f->good / 3, before = f->n_puts;
	int error = 0;

	for (unsigned i = 0; i < n && !error; i++) {
		error = f->n->driver->discard(f->n, i * f->step, f->step / 2);
		f->puts[i].bytes = 0;
	}
	if (!full_fact(!error, "discard", error))
		return false;
	for (unsigned i = 0; i < n && !error; i++)
		error = full_write(f, i * f->step, SECTOR);
	return full_fact(f->n_puts > before && (!error || error == ENOSPC), "write into what was given up", error);
}

/* Where there is no room to return to what it keeps, each try leaves all as it is. Where there is, it is done with. */
static bool full_return(struct full *f)
{
	struct block_state s;
	struct error err;

	for (unsigned i = 0; i < 3 && f->n->driver->state_get(f->n, 0, &s); i++) {
		if (f->n->driver->state_return(f->n, s.name, &err)) {
			f->returned = true;
			f->n_puts = 0;
			break;
		}
		if (!strstr(err.msg, strerror(ENOSPC))) {
			printf("FAIL full: return: %s\n", err.msg);
			return false;
		}
	}
	return full_verify(f, "not returned");
}

static int run_full(const char *image, uint64_t seed, uint64_t limit)
{
	struct full f = { .n = must_open(image, false), .seed = seed, .puts = calloc(SLOTS * 70, sizeof *f.puts) };
	struct rlimit r = { limit, limit };
	struct block_info info;
	bool ok;

	f.step = f.n->size / SLOTS;
	f.n->driver->info(f.n, &info);
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &r);
	make_forgetful(f.n, seed & 1);
	ok = full_slots(&f) && full_rest(&f, info.cluster, 0, f.good / 2) && full_verify(&f, "full");
	ok = ok && full_flush(&f, "flush") && full_return(&f);
	if (ok && !f.returned)
		ok = full_discard(&f) && full_rest(&f, info.cluster, f.good / 2, f.good) && full_flush(&f, "flush at the end") && full_return(&f);
	block_node_close(f.n);
	f.n = must_open(image, true);
	ok = full_verify(&f, "opened again") && ok;
	block_node_close(f.n);
	printf("%s full: %u slots, %u writes%s\n", ok ? "ok" : "FAIL", f.good, f.n_puts, f.returned ? ", returned" : "");
	free(f.puts);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- How fast ---- */

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int run_speed(const char *image)
{
	struct block_node *n = must_open(image, false);
	static uint8_t buf[1 << 20];
	uint64_t seed = 1, blocks = n->size / 4096;
	double start = now_s();

	memset(buf, 7, sizeof buf);
	for (uint64_t at = 0; at + sizeof buf <= n->size; at += sizeof buf)
		n->driver->write(n, at, buf, sizeof buf);
	n->driver->flush(n);
	printf("sequential write %.0f MiB/s\n", (double)(n->size >> 20) / (now_s() - start));
	start = now_s();
	for (uint64_t at = 0; at + sizeof buf <= n->size; at += sizeof buf)
		n->driver->read(n, at, buf, sizeof buf);
	printf("sequential read %.0f MiB/s\n", (double)(n->size >> 20) / (now_s() - start));
	start = now_s();
	for (unsigned i = 0; i < 100000; i++)
		n->driver->read(n, check_random(&seed) % blocks * 4096, buf, 4096);
	printf("4 KiB reads %.0f/s\n", 100000 / (now_s() - start));
	start = now_s();
	for (unsigned i = 0; i < 100000; i++)
		n->driver->write(n, check_random(&seed) % blocks * 4096, buf, 4096);
	n->driver->flush(n);
	printf("4 KiB writes %.0f/s\n", 100000 / (now_s() - start));
	block_node_close(n);
	return EXIT_SUCCESS;
}

/* ---- Facts ---- */

static char folder[64], path[128], other[128];

static void test_create(void)
{
	struct block_node *n;
	struct error err = { .msg = "" };
	uint8_t buf[1024];
	struct block_info info;

	check(block_create_qcow2(path, 10u << 20, NULL, NULL, &err), "create %s", err.msg);
	n = open_node(path, NULL, false, &err);
	if (!check(n != NULL, "create-opens %s", err.msg))
		return;
	check_eq(n->size, 10u << 20, "create-size");
	check_eq(n->driver->read(n, 5000, buf, sizeof buf), 0, "empty-reads");
	check(!buf[0] && !memcmp(buf, buf + 1, sizeof buf - 1), "empty-is-zero");
	check_eq(n->driver->write(n, 5000, "hello", 5), 0, "write");
	check_eq(n->driver->read(n, 4999, buf, 7), 0, "read");
	check(!memcmp(buf, "\0hello", 7), "write-is-read");
	check_eq(n->driver->flush(n), 0, "flush");
	n->driver->info(n, &info);
	check_eq(info.cluster, 65536, "info-cluster");
	check(!strcmp(info.format, "qcow2") && !info.backing && info.depth == 0, "info");
	check_eq(n->driver->resize(n, 20u << 20), 0, "grow");
	check_eq(n->driver->resize(n, 10u << 20), 0, "shrink");
	check_eq(n->driver->resize(n, 4096), EBUSY, "shrink-into-data");
	block_node_close(n);
}

static void test_backing(void)
{
	struct block_node *n;
	struct error err = { .msg = "" };
	uint8_t buf[16];
	struct block_info info;

	check(block_create_qcow2(other, 0, "a.qcow2", "qcow2", &err), "overlay-create %s", err.msg);
	n = open_node(other, "qcow2", false, &err);
	if (!check(n != NULL, "overlay-opens %s", err.msg))
		return;
	check_eq(n->size, 10u << 20, "overlay-size");
	check_eq(n->driver->read(n, 5000, buf, 5), 0, "overlay-reads");
	check(!memcmp(buf, "hello", 5), "overlay-shows-backing");
	check_eq(n->driver->write(n, 5001, "a", 1), 0, "overlay-write");
	check_eq(n->driver->read(n, 5000, buf, 5), 0, "overlay-reads-again");
	check(!memcmp(buf, "hallo", 5), "overlay-copies");
	n->driver->info(n, &info);
	check(info.depth == 1 && info.backing && !strcmp(info.backing, "a.qcow2"), "overlay-info");
	block_node_close(n);
	check(!block_create_qcow2(other, 0, "missing", "raw", &err), "overlay-of-nothing");
}

static bool is_refused(unsigned at, uint64_t value, unsigned bytes, const char *why)
{
	struct error err = { .msg = "" };
	struct block_node *n;
	uint8_t be[8];
	int fd;

	block_create_qcow2(path, 10u << 20, NULL, NULL, &err);
	for (unsigned i = 0; i < bytes; i++)
		be[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
	fd = open(path, O_RDWR);
	if (pwrite(fd, be, bytes, at) != (ssize_t)bytes)
		return false;
	close(fd);
	n = open_node(path, "qcow2", false, &err);
	if (n)
		block_node_close(n);
	if (!strstr(err.msg, why))
		printf("  %s\n", err.msg);
	return !n && strstr(err.msg, why);
}

static void test_refused(void)
{
	check(is_refused(4, 4, 4, "version"), "refused-version");
	check(is_refused(20, 8, 4, "cluster size"), "refused-small-clusters");
	check(is_refused(20, 22, 4, "cluster size"), "refused-large-clusters");
	check(is_refused(24, UINT64_C(1) << 62, 8, "too small"), "refused-size");
	check(is_refused(32, 1, 4, "encrypted"), "refused-encrypted");
	check(is_refused(36, 0xffffffff, 4, "too large"), "refused-l1-size");
	check(is_refused(40, 1, 8, "offset of the L1"), "refused-l1-offset");
	check(is_refused(40, 0, 8, "on each other"), "refused-l1-on-header");
	check(is_refused(40, 65536, 8, "on each other"), "refused-l1-on-refcounts");
	check(is_refused(60, 1, 4, "snapshots"), "refused-snapshots-on-header");
	check(is_refused(48, UINT64_C(1) << 40, 8, "refcount table"), "refused-refcount-table");
	check(is_refused(60, 70000, 4, "snapshots"), "refused-snapshots");
	check(is_refused(72, 2, 8, "corrupt"), "refused-corrupt");
	check(is_refused(72, 4, 8, "external"), "refused-data-file");
	check(is_refused(72, 1 << 20, 8, "bit 20"), "refused-feature");
	check(is_refused(96, 7, 4, "refcounts"), "refused-refcount-order");
	check(is_refused(100, 50, 4, "header"), "refused-header-length");
}

static void put_at(int fd, uint64_t at, uint64_t value, unsigned bytes)
{
	uint8_t be[8];

	be_put(be, value, bytes);
	check(pwrite(fd, be, bytes, (off_t)at) == (ssize_t)bytes, "put-at");
}

/* An image that was left behind dirty, with one L2 table in all entries of its L1. The file has so few clusters that a few
 * walks tell; all of them would take minutes. */
static void test_one_table(void)
{
	enum { BITS = 21, ENTRIES = 65536 };
	uint64_t cluster = UINT64_C(1) << BITS, l1 = 3 * cluster, l2 = 4 * cluster;
	uint8_t *table = malloc(ENTRIES * (size_t)8);
	struct error err = { .msg = "" };
	int fd;

	block_create_qcow2(path, 4096, NULL, NULL, &err);
	fd = open(path, O_RDWR);
	check(!ftruncate(fd, 65536) && !ftruncate(fd, (off_t)(5 * cluster)), "one-table-room");
	put_at(fd, QCOW2_AT_CLUSTER_BITS, BITS, 4);
	put_at(fd, QCOW2_AT_SIZE, UINT64_C(1) << 50, 8);
	put_at(fd, QCOW2_AT_L1_ENTRIES, ENTRIES, 4);
	put_at(fd, QCOW2_AT_L1, l1, 8);
	put_at(fd, QCOW2_AT_COUNTS, cluster, 8);
	put_at(fd, QCOW2_AT_INCOMPATIBLE, QCOW2_DIRTY, 8);
	put_at(fd, cluster, 2 * cluster, 8);
	for (size_t i = 0; i < ENTRIES; i++)
		be_put(table + 8 * i, l2 | QCOW2_COPIED, 8);
	check(pwrite(fd, table, ENTRIES * (size_t)8, (off_t)l1) == ENTRIES * 8, "one-table-everywhere");
	close(fd);
	free(table);
	check(!open_node(path, "qcow2", false, &err) && strstr(err.msg, "repaired"), "one-table-refused %s", err.msg);
}

static void test_states(void)
{
	struct error err = { .msg = "" };
	struct block_state s = { .name = "one", .machine_bytes = 5, .date_s = 77 }, got;
	struct block_node *n;
	char buf[8] = "";

	block_create_qcow2(path, 10u << 20, NULL, NULL, &err);
	n = must_open(path, false);
	check_eq(n->driver->write(n, 0, "before", 6), 0, "state-write");
	check_eq(n->driver->machine_write(n, 0, "state", 5), 0, "machine-write");
	check(n->driver->state_keep(n, &s, &err), "state-keep %s", err.msg);
	check(!n->driver->state_keep(n, &s, &err), "state-of-that-name");
	check_eq(n->driver->write(n, 0, "after!", 6), 0, "state-write-again");
	check(n->driver->state_get(n, 0, &got) && !strcmp(got.id, "1") && !strcmp(got.name, "one"), "state-get");
	check_eq(got.machine_bytes, 5, "state-machine-bytes");
	check(!n->driver->state_get(n, 1, &got), "state-get-last");
	check(!n->driver->state_return(n, "two", &err), "state-return-unknown");
	check(n->driver->state_return(n, "one", &err), "state-return %s", err.msg);
	check_eq(n->driver->read(n, 0, buf, 6), 0, "state-read");
	check(!memcmp(buf, "before", 6), "state-is-back");
	check_eq(n->driver->machine_read(n, 0, buf, 5), 0, "machine-read");
	check(!memcmp(buf, "state", 5), "machine-is-back");
	check(n->driver->state_delete(n, "one", &err), "state-delete %s", err.msg);
	check(!n->driver->state_get(n, 0, &got), "state-gone");
	block_node_close(n);
}

static bool shows(struct block_node *n, uint64_t at, int byte)
{
	uint8_t buf[70000];

	memset(buf, ~byte, sizeof buf);
	return !n->driver->read(n, at, buf, sizeof buf) && buf[0] == byte && !memcmp(buf, buf + 1, sizeof buf - 1);
}

/* The machine's state, which a return or a savevm that was killed leaves behind the disk's end, is not the guest's when the
 * disk grows over it; the snapshot has it still. */
static void test_grow_over_machine(uint64_t size, bool returned)
{
	struct error err = { .msg = "" };
	struct block_state s = { .name = "one", .machine_bytes = 70000 };
	uint64_t span = UINT64_C(512) << 20;
	static uint8_t machine[70000];
	struct block_node *n;

	memset(machine, 0x53, sizeof machine);
	block_create_qcow2(path, size, NULL, NULL, &err);
	n = must_open(path, false);
	check_eq(n->driver->machine_write(n, 0, machine, sizeof machine), 0, "grow-machine-write");
	check(!returned || (n->driver->state_keep(n, &s, &err) && n->driver->state_return(n, "one", &err)), "grow-return %s", err.msg);
	check_eq(n->driver->flush(n), 0, "grow-flush");
	block_node_close(n);
	n = must_open(path, false);
	check_eq(n->driver->resize(n, 4 * span), 0, "grow-over-machine");
	check(shows(n, span, 0), "grow-shows-zeros, %" PRIu64 " bytes%s", size, returned ? ", returned" : "");
	check_eq(n->driver->write(n, span, "guest", 5), 0, "grow-write");
	if (returned) {
		check(n->driver->state_return(n, "one", &err), "grow-return-again %s", err.msg);
		check_eq(n->size, size, "grow-returned-size");
		memset(machine, 0, sizeof machine);
		check_eq(n->driver->machine_read(n, 0, machine, sizeof machine), 0, "grow-machine-read");
		check(machine[0] == 0x53 && !memcmp(machine, machine + 1, sizeof machine - 1), "grow-machine-is-there");
	}
	block_node_close(n);
}

/* A host without room fails a new table: its cluster is anybody's again, and the image as good as before. */
static void test_no_room(void)
{
	struct error err = { .msg = "" };
	struct rlimit limit, before;
	struct block_node *n;
	struct stat st;
	int error = 0;

	block_create_qcow2(path, UINT64_C(8) << 30, NULL, NULL, &err);
	n = must_open(path, false);
	make_forgetful(n, true);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	stat(path, &st);
	limit = (struct rlimit){ (rlim_t)st.st_size, before.rlim_max };
	setrlimit(RLIMIT_FSIZE, &limit);
	for (uint64_t i = 0; i < 12; i++)
		error = n->driver->write(n, i << 29, "data", 4);
	check_eq(error, ENOSPC, "no-room-write");
	setrlimit(RLIMIT_FSIZE, &before);
	for (uint64_t i = 0; i < 12; i++)
		check_eq(n->driver->write(n, i << 29, "data", 4), 0, "room-again-write");
	check_eq(n->driver->flush(n), 0, "room-again-flush");
	block_node_close(n);
}

/* Writes to a sparse file on a host that has so many pages: what was said to be written is there. */
static bool fill_thin(uint64_t pages, unsigned *good)
{
	const struct block_options o = { .file = "memory", .format = "qcow2" };
	struct error err = { .msg = "" };
	struct block_node *n;
	struct disk d;
	uint8_t data[SECTOR];
	unsigned there = 0;
	bool flushed;

	if (!disk_load(&d, path))
		return false;
	d.held = calloc(1, d.room / PAGE);
	for (uint64_t i = 0; i < d.node.size; i++)
		d.held[i / PAGE] |= d.now[i];
	d.pages_left = pages;
	d.writes_left = UINT64_MAX;
	n = block_qcow2.open(&d.node, &o, 0, &err);
	memset(data, 7, sizeof data);
	for (*good = 0; n && *good < 16 && !n->driver->write(n, (uint64_t)*good << 29, data, sizeof data); ++*good)
		;
	flushed = n && !n->driver->flush(n);
	if (n)
		block_node_close(n);
	n = block_qcow2.open(&d.node, &o, 0, &err);
	for (unsigned i = 0; n && i < *good; i++)
		there += !n->driver->read(n, (uint64_t)i << 29, data, sizeof data) && data[0] == 7 && data[SECTOR - 1] == 7;
	if (n)
		block_node_close(n);
	disk_free(&d);
	return flushed && there == *good;
}

/* However much room there is: nothing points to a table that finds none. Even the L1 of a new image is a hole. */
static void test_thin(void)
{
	struct error err = { .msg = "" };
	unsigned good = 0, kept = 0;
	uint64_t pages = 0;

	block_create_qcow2(path, UINT64_C(8) << 30, NULL, NULL, &err);
	while (pages < 300 && fill_thin(pages, &good) && good < 16) {
		kept += good > 0;
		pages += pages < 40 ? 1 : 7;
	}
	check(good == 16 && kept > 20, "thin: with %" PRIu64 " pages %u", pages, good);
}

static void run_facts(void)
{
	snprintf(folder, sizeof folder, "/tmp/cede-qcow2-XXXXXX");
	if (!mkdtemp(folder))
		exit(EXIT_FAILURE);
	snprintf(path, sizeof path, "%s/a.qcow2", folder);
	snprintf(other, sizeof other, "%s/b.qcow2", folder);
	test_create();
	test_backing();
	test_refused();
	test_one_table();
	test_states();
	test_grow_over_machine(UINT64_C(512) << 20, true);
	test_grow_over_machine(UINT64_C(512) << 20, false);
	test_grow_over_machine((UINT64_C(300) << 20) + 512, true);
	test_grow_over_machine((UINT64_C(300) << 20) + 512, false);
	test_no_room();
	test_thin();
	unlink(path);
	unlink(other);
	rmdir(folder);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	uint64_t seed = argc > 3 ? strtoull(argv[argc > 4 ? 4 : 3], NULL, 10) : 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!strcmp(what, "ops") && argc == 6)
		return run_ops(argv[2], argv[3], seed, (unsigned)strtoul(argv[5], NULL, 10), (unsigned)(seed % 1000));
	if (!strcmp(what, "copy") && argc == 4)
		return copy_image(argv[2], argv[3]);
	if (!strcmp(what, "forever") && argc == 4)
		return run_forever(argv[2], seed);
	if (!strcmp(what, "crash") && argc == 5)
		return run_crash(argv[2], argv[3], seed);
	if (!strcmp(what, "proven") && argc == 5)
		return run_proven(argv[2], strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10));
	if (!strcmp(what, "full") && argc == 5)
		return run_full(argv[2], strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10));
	if (!strcmp(what, "state") && argc == 5)
		return run_state(argv[2], argv[3], argv[4]);
	if (!strcmp(what, "speed") && argc == 3)
		return run_speed(argv[2]);
	run_facts();
	return check_done();
}
