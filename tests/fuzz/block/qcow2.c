/* Gives the qcow2 driver an image, in memory, and requests of all kinds.
 *
 * An input is a byte that chooses the requests, and the image. Its backing file is a pattern, whatever its name: nothing of
 * the host's is opened. Besides what the sanitizers see, a header must survive all requests, and what a write has taken
 * must be read again. Tables are mutated by entries, or hardly one would lead anywhere. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine/host/block/driver.h"
#include "savevm/be.h"
#include "tests/fuzz/rng.h"

#define MAX_FILE  (UINT64_C(1) << 20)
#define MAX_BYTES (UINT64_C(1) << 16)	/* of a request */
#define REQUESTS  16u
#define COUNT(a)  (sizeof (a) / sizeof *(a))

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);
struct block_node *__wrap_block_node_open(const struct block_options *o, unsigned depth, struct error *err);

static unsigned long inputs, good;
static int results;

static void die(const char *what)
{
	dprintf(results, "%s\n", what);
	abort();
}

static void tell(void)
{
	dprintf(results, "%lu inputs: %lu good\n", inputs, good);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	results = dup(STDOUT_FILENO);
	atexit(tell);
	return 0;
}

/* ---- The file, and what is below it ---- */

struct memory {
	struct block_node node;
	uint8_t *data;
};

static int memory_read(struct block_node *n, uint64_t offset, void *data, uint64_t bytes)
{
	if (offset > n->size || bytes > n->size - offset)
		die("read: behind the end");
	memcpy(data, ((struct memory *)n)->data + offset, bytes);
	return 0;
}

static int memory_write(struct block_node *n, uint64_t offset, const void *data, uint64_t bytes)
{
	if (n->readonly || offset > n->size || bytes > n->size - offset)
		die("write: behind the end, or to what is read-only");
	memcpy(((struct memory *)n)->data + offset, data, bytes);
	return 0;
}

static int memory_flush(struct block_node *n)
{
	(void)n;
	return 0;
}

static int memory_resize(struct block_node *n, uint64_t size)
{
	struct memory *m = (struct memory *)n;
	uint8_t *more = size <= MAX_FILE ? realloc(m->data, size + 1) : NULL;

	if (!more)
		return ENOSPC;
	if (size > n->size)
		memset(more + n->size, 0, size - n->size);
	m->data = more;
	n->size = size;
	return 0;
}

/* The caller owns the file, to look at it afterwards. */
static void memory_close(struct block_node *n)
{
	(void)n;
}

static int pattern_read(struct block_node *n, uint64_t offset, void *data, uint64_t bytes)
{
	if (offset > n->size || bytes > n->size - offset)
		die("read: behind the end of the backing file");
	memset(data, 0x5a, bytes);
	return 0;
}

static const struct block_driver memory_driver = {
	.name = "raw", .close = memory_close, .read = memory_read, .write = memory_write, .flush = memory_flush, .resize = memory_resize,
}, pattern_driver = { .name = "raw", .close = memory_close, .read = pattern_read };

static struct block_node pattern = { .driver = &pattern_driver, .size = 1u << 20, .readonly = true };

struct block_node *__wrap_block_node_open(const struct block_options *o, unsigned depth, struct error *err)
{
	if (!o->readonly || depth != 1)
		die("backing file: to be written, or of what depth?");
	if (strlen(o->file) % 8)
		return &pattern;
	error_set(err, "no such file");
	return NULL;
}

/* ---- Requests ---- */

static uint8_t buf[MAX_BYTES], back[MAX_BYTES];

/* Within a sector, and so a cluster, nothing that an image says can let two bytes be one. */
static int write_and_read(struct block_node *n, uint64_t offset, uint64_t bytes)
{
	int error = n->driver->write(n, offset, buf, bytes);

	if (error || bytes > BLOCK_SECTOR - offset % BLOCK_SECTOR)
		return error;
	if (n->driver->read(n, offset, back, bytes) || memcmp(buf, back, bytes))
		die("write: not there when it is read");
	return 0;
}

static void use_states(struct block_node *n, struct rng *r)
{
	struct block_state s = { .machine_bytes = rng_below(r, 2000), .name = "new" }, have = { 0 };
	struct error err;
	unsigned i = rng_below(r, 3);

	switch (rng_below(r, 5)) {
	case 0: n->driver->state_keep(n, &s, &err); break;
	case 1: n->driver->machine_write(n, rng_below(r, 3000), buf, rng_below(r, 3000)); break;
	case 2: n->driver->machine_read(n, rng_below(r, 3000), buf, rng_below(r, 3000)); break;
	case 3:
		if (n->driver->state_get(n, i, &have))
			n->driver->state_return(n, have.name, &err);
		break;
	default:
		if (n->driver->state_get(n, i, &have))
			n->driver->state_delete(n, have.name, &err);
	}
}

static int request(struct block_node *n, struct rng *r)
{
	uint64_t bytes = rng_below(r, (uint32_t)MAX_BYTES >> rng_below(r, 14)) + 1, most = n->size > bytes ? n->size - bytes : 0;
	uint64_t offset = most ? rng_u64(r) % (rng_one_in(r, 2) && most > MAX_BYTES ? MAX_BYTES : most) : 0;
	struct block_info info;

	if (n->size < bytes)
		bytes = n->size;
	memset(buf, (int)rng_u64(r), bytes);
	switch (rng_below(r, 9)) {
	case 0: case 1: case 2: return write_and_read(n, offset, bytes);
	case 3: case 4:		return n->driver->read(n, offset, buf, bytes);
	case 5:			return n->driver->zero(n, offset, rng_one_in(r, 4) ? n->size - offset : bytes, rng_one_in(r, 2));
	case 6:			return n->driver->discard(n, offset, rng_one_in(r, 4) ? n->size - offset : bytes);
	case 7:
		use_states(n, r);
		return 0;
	default:
		if (rng_one_in(r, 4))
			n->driver->resize(n, (offset + bytes) / BLOCK_SECTOR * BLOCK_SECTOR);
		n->driver->info(n, &info);
		return n->driver->flush(n);
	}
}

/* True: it was opened, and no request failed. */
static bool use_image(struct memory *m, bool readonly, struct rng *r)
{
	const struct block_options o = { .file = "memory", .readonly = readonly };
	struct error err = { .msg = "" };
	struct block_node *n;
	int errors = 0;

	m->node.readonly = readonly;
	n = block_qcow2.open(&m->node, &o, 0, &err);
	if (!n && !err.msg[0])
		die("open: no reason is given");
	if (!n)
		return false;
	for (unsigned i = 0; i < REQUESTS; i++)
		if (!readonly)
			errors |= request(n, r);
		else if (n->size)
			n->driver->read(n, 0, buf, n->size < MAX_BYTES ? n->size : MAX_BYTES);
	block_node_close(n);
	return !errors;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memory m = { .node = { .driver = &memory_driver, .name = (char *)"/folder/memory" } };
	struct rng r;

	inputs++;
	if (size < BLOCK_SECTOR)
		return -1;
	r.state = *data++;
	m.node.size = (size - 1) / BLOCK_SECTOR * BLOCK_SECTOR;
	m.data = malloc(m.node.size + 1);
	memcpy(m.data, data, m.node.size);
	good += use_image(&m, false, &r);
	if (memcmp(m.data, data, 24))
		die("its header was overwritten");
	use_image(&m, true, &r);
	free(m.data);
	return 0;
}

/* ---- Mutants ---- */

static const struct { uint8_t at, bytes; } header[] = {
	{ 4, 4 }, { 8, 8 }, { 16, 4 }, { 20, 4 }, { 24, 8 }, { 32, 4 }, { 36, 4 }, { 40, 8 }, { 48, 8 }, { 56, 4 }, { 60, 4 }, { 64, 8 },
	{ 72, 8 }, { 80, 8 }, { 88, 8 }, { 96, 4 }, { 100, 4 }, { 104, 1 },
};

static uint64_t small_change(uint64_t value, struct rng *r)
{
	switch (rng_below(r, 5)) {
	case 0:  return value ^ UINT64_C(1) << rng_below(r, 64);
	case 1:  return value + 1;
	case 2:  return value - 1;
	case 3:  return rng_below(r, 70);
	default: return UINT64_MAX >> rng_below(r, 64);
	}
}

/* What an entry of a table may be: a cluster of the file, with any flags. */
static uint64_t some_entry(size_t size, struct rng *r)
{
	uint64_t flags = (uint64_t)rng_below(r, 4) << 62 | rng_one_in(r, 4);

	return (uint64_t)rng_below(r, (uint32_t)size) / 512 * 512 | flags | (rng_one_in(r, 8) ? (uint64_t)rng_below(r, 64) << 56 : 0);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	struct rng r = { seed };
	uint8_t *image = data + 1;
	size_t f = rng_below(&r, COUNT(header)), n = size - 1, at;

	if (size < 1 + 2 * BLOCK_SECTOR || rng_one_in(&r, 16))
		return LLVMFuzzerMutate(data, size, max);
	if (rng_one_in(&r, 4))
		data[0] = (uint8_t)rng_u64(&r);
	if (rng_one_in(&r, 8)) {
		be_put(image + header[f].at, small_change(be_get(image + header[f].at, header[f].bytes), &r), header[f].bytes);
		return size;
	}
	at = rng_below(&r, (uint32_t)(n / 8)) * 8;
	if (rng_one_in(&r, 4))	/* another that is used: a table's, most likely */
		for (unsigned i = 0; i < 64 && !be_get(image + at, 8); i++)
			at = (at + 8) % (n / 8 * 8);
	if (at >= 104)
		be_put(image + at, rng_one_in(&r, 4) ? small_change(be_get(image + at, 8), &r) : some_entry(n, &r), 8);
	return size;
}
