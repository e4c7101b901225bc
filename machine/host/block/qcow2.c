/* The qcow2 driver: opening, closing, and its row. Header and extensions, checked before anything is believed. */
#include "machine/host/block/qcow2.h"

#include <ctype.h>
#include <unistd.h>

#include "machine/host/block/probe.h"

#define MAX_NAME     1023u		/* bytes of a backing file's name */
#define FEATURE_ROW  48u		/* kind, bit, 46 bytes of name */
#define LEAST_CACHE  (1u << 20)		/* bytes of tables in memory */
#define MOST_CACHE   (32u << 20)

static const char based_on[] = " is based on another image";
static const char *const unknown_format = "its backing file's format is '%s': only raw and qcow2 are known";

/* ---- The header ---- */

static bool refuse(struct qcow2 *q, struct error *err, const char *why)
{
	error_set(err, "%s: %s", q->node.name, why);
	return false;
}

/* What it says of itself is plausible. Tables are checked where they are read. */
static bool numbers_ok(struct qcow2 *q, const uint8_t *h, struct error *err)
{
	uint64_t l1_bytes, need;

	if (q->cluster_bits < 9 || q->cluster_bits > 21)
		return refuse(q, err, "cluster size must be 512 bytes to 2 MiB");
	if (q->version >= 3 && (q->header_bytes < QCOW2_V3_BYTES || q->header_bytes > q->cluster))
		return refuse(q, err, "damaged: length of the header");
	if (q->order > 6)
		return refuse(q, err, "damaged: width of refcounts");
	if (be_get(h + QCOW2_AT_CRYPT, 4))
		return refuse(q, err, "it is encrypted, which cede does not know");
	if (q->extended && q->cluster_bits < 14)
		return refuse(q, err, "damaged: extended L2 entries and clusters under 16 KiB");
	l1_bytes = q->l1_entries * UINT64_C(8);
	if (l1_bytes > QCOW2_MAX_L1)
		return refuse(q, err, "its L1 table is too large");
	q->node.size &= ~(uint64_t)(BLOCK_SECTOR - 1);
	need = (q->node.size >> (q->cluster_bits + q->l2_bits)) + !!(q->node.size & (qcow2_l1_span(q) - 1));
	if (need > q->l1_entries)
		return refuse(q, err, "damaged: its L1 table is too small");
	if (q->l1_offset & (q->cluster - 1) || q->l1_offset >= q->file_end || l1_bytes > q->file_end - q->l1_offset)
		return refuse(q, err, "damaged: offset of the L1 table");
	if (!q->counts_clusters || (uint64_t)q->counts_clusters << q->cluster_bits > QCOW2_MAX_COUNTS ||
	    q->counts_offset & (q->cluster - 1) || !q->counts_offset || q->counts_offset >= q->file_end ||
	    (uint64_t)q->counts_clusters << q->cluster_bits > q->file_end - q->counts_offset)
		return refuse(q, err, "damaged: offset or length of the refcount table");
	if (l1_bytes && (!q->l1_offset || (q->l1_offset < q->counts_offset + ((uint64_t)q->counts_clusters << q->cluster_bits) &&
					   q->counts_offset < q->l1_offset + l1_bytes)))
		return refuse(q, err, "damaged: its tables lie on each other");
	return true;
}

static void header_read(struct qcow2 *q, const uint8_t *h)
{
	q->version = (uint32_t)be_get(h + QCOW2_AT_VERSION, 4);
	q->cluster_bits = (uint32_t)be_get(h + QCOW2_AT_CLUSTER_BITS, 4);
	q->cluster = q->cluster_bits <= 21 ? 1u << q->cluster_bits : 0;
	q->node.size = be_get(h + QCOW2_AT_SIZE, 8);
	q->l1_entries = (uint32_t)be_get(h + QCOW2_AT_L1_ENTRIES, 4);
	q->l1_offset = be_get(h + QCOW2_AT_L1, 8);
	q->counts_offset = be_get(h + QCOW2_AT_COUNTS, 8);
	q->counts_clusters = (uint32_t)be_get(h + QCOW2_AT_COUNTS + 8, 4);
	q->header_bytes = QCOW2_V2_BYTES;
	q->order = 4;
	if (q->version >= 3) {
		q->incompatible = be_get(h + QCOW2_AT_INCOMPATIBLE, 8);
		q->order = (uint32_t)be_get(h + QCOW2_AT_ORDER, 4);
		q->header_bytes = (uint32_t)be_get(h + QCOW2_AT_BYTES, 4);
	}
	q->extended = q->incompatible & QCOW2_EXTENDED_L2;
	q->entry_bytes = q->extended ? 16 : 8;
	q->l2_bits = q->cluster_bits - (q->extended ? 4 : 3);
	q->file_end = q->cluster ? qcow2_round_up(q->file->size, q->cluster) : 0;
	q->zero_from = q->file_end;
}

/* ---- Features ---- */

/* The name that the image has for a bit: `table` is an extension of so many bytes. */
static void name_feature(const uint8_t *table, uint32_t bytes, unsigned bit, char *name, size_t room)
{
	snprintf(name, room, "bit %u", bit);
	for (uint32_t at = 0; at + FEATURE_ROW <= bytes; at += FEATURE_ROW)
		if (table[at] == 0 && table[at + 1] == bit && table[at + 2])
			snprintf(name, room, "%.46s", (const char *)table + at + 2);
	for (char *c = name; *c; c++)
		if (!isprint((unsigned char)*c))
			*c = '?';
}

static bool features_ok(struct qcow2 *q, const uint8_t *h, const uint8_t *table, uint32_t bytes, struct error *err)
{
	uint64_t known = QCOW2_DIRTY | QCOW2_CORRUPT | QCOW2_COMPRESSION | QCOW2_EXTENDED_L2, unknown = q->incompatible & ~known;
	char name[64];
	uint8_t type = q->header_bytes > QCOW2_AT_COMPRESSION ? h[QCOW2_AT_COMPRESSION] : 0;

	if (unknown & QCOW2_DATA_FILE)
		return refuse(q, err, "its data is in an external file, which cede does not know");
	if (unknown) {
		name_feature(table, bytes, (unsigned)__builtin_ctzll(unknown), name, sizeof name);
		error_set(err, "%s: it needs a feature that cede does not know: %s", q->node.name, name);
		return false;
	}
	if (type > 1 || (type && !(q->incompatible & QCOW2_COMPRESSION)))
		return refuse(q, err, "its clusters are compressed in a way that cede does not know");
	q->zstd = type;
	return true;
}

/* Extensions of the header, in its first cluster. */
static bool extensions_read(struct qcow2 *q, const uint8_t *h, uint64_t end, struct error *err)
{
	const uint8_t *features = NULL;
	uint32_t features_bytes = 0;

	for (uint64_t at = q->header_bytes, n; at + 8 <= end && be_get(h + at, 4); at += 8 + qcow2_round_up(n, 8)) {
		uint32_t type = (uint32_t)be_get(h + at, 4);

		n = be_get(h + at + 4, 4);
		if (n > end - at - 8)
			return refuse(q, err, "damaged: an extension of the header");
		if (type == QCOW2_EXT_BACKING_FORMAT && n < sizeof q->backing_format)
			memcpy(q->backing_format, h + at + 8, n);
		else if (type == QCOW2_EXT_BACKING_FORMAT)
			return refuse(q, err, "damaged: its backing file's format");
		if (type == QCOW2_EXT_FEATURES) {
			features = h + at + 8;
			features_bytes = (uint32_t)n;
		}
	}
	return features_ok(q, h, features, features_bytes, err);
}

static bool backing_name_read(struct qcow2 *q, const uint8_t *h, uint64_t *end, struct error *err)
{
	uint64_t at = be_get(h + QCOW2_AT_BACKING, 8), n = be_get(h + QCOW2_AT_BACKING + 8, 4);

	*end = q->cluster;
	if (!at || !n)
		return true;
	if (n > MAX_NAME || at > q->cluster || n > q->cluster - at || at < q->header_bytes)
		return refuse(q, err, "damaged: its backing file's name");
	*end = at;
	q->backing_file = strndup((const char *)h + at, n);
	return q->backing_file || refuse(q, err, "out of memory");
}

/* ---- What it is based on ---- */

/* NULL: it names a protocol that is not ours. "file:" is none, and a folder stands before relative names. */
static char *backing_path(struct qcow2 *q)
{
	const char *name = q->backing_file, *slash = strrchr(q->node.name, '/');
	size_t scheme = strcspn(name, ":/"), folder = slash ? (size_t)(slash + 1 - q->node.name) : 0;
	char *path;

	if (name[scheme] == ':') {
		if (!strncmp(name, "file:", 5))
			name += 5;
		else
			return probe_is_nbd(name) ? strdup(name) : NULL;
	}
	if (*name == '/')
		folder = 0;
	path = malloc(folder + strlen(name) + 1);
	if (path)
		sprintf(path, "%.*s%s", (int)folder, q->node.name, name);
	return path;
}

static bool backing_open(struct qcow2 *q, const struct block_options *o, struct error *err)
{
	struct block_options below = { .readonly = true, .shared = o->shared, .cache = o->cache };
	struct error why;
	char *path;

	if (!q->backing_file)
		return true;
	if (q->backing_format[0] && strcmp(q->backing_format, "raw") && strcmp(q->backing_format, "qcow2")) {
		char reason[96];

		snprintf(reason, sizeof reason, unknown_format, q->backing_format);
		return refuse(q, err, reason);
	}
	path = backing_path(q);
	if (!path)
		return refuse(q, err, "its backing file is neither a file nor nbd:");
	below.file = path;
	below.format = q->backing_format[0] ? q->backing_format : NULL;
	q->backing = block_node_open(&below, q->depth + 1, &why);
	/* Of a long chain the last one that there is says it. */
	if (!q->backing && strstr(why.msg, based_on))
		error_set(err, "%s", why.msg);
	else if (!q->backing)
		error_set(err, "'%.60s'%s: %.170s", q->node.name, based_on, why.msg);
	free(path);
	return q->backing;
}

/* ---- Tables that are in memory as a whole ---- */

static uint64_t *table_read(struct qcow2 *q, uint64_t offset, uint64_t entries)
{
	uint8_t *be = malloc(entries * 8 + 8);
	uint64_t *table = calloc(entries + 1, sizeof *table);

	if (!be || !table || qcow2_file_read(q, offset, be, entries * 8)) {
		free(be);
		free(table);
		return NULL;
	}
	for (uint64_t i = 0; i < entries; i++)
		table[i] = be_get(be + i * 8, 8);
	free(be);
	return table;
}

static bool tables_read(struct qcow2 *q, const uint8_t *h, struct error *err)
{
	uint64_t tables = qcow2_min((q->l1_entries + UINT64_C(1)) << q->cluster_bits, MOST_CACHE);

	q->counts_entries = q->counts_clusters << (q->cluster_bits - 3);
	q->l1 = table_read(q, q->l1_offset, q->l1_entries);
	q->counts = table_read(q, q->counts_offset, q->counts_entries);
	if (tables < LEAST_CACHE)
		tables = LEAST_CACHE;
	if (!q->l1 || !q->counts)
		return refuse(q, err, "its tables cannot be read");
	q->bounce = malloc(q->cluster);
	if (!q->bounce || !qcow2_cache_init(&q->l2, tables >> q->cluster_bits) ||
	    !qcow2_cache_init(&q->blocks, (tables / 4 < LEAST_CACHE ? LEAST_CACHE : tables / 4) >> q->cluster_bits))
		return refuse(q, err, "out of memory");
	for (uint32_t i = 0; i < q->l1_entries; i++)
		if (q->l1[i] & QCOW2_OFFSET && !qcow2_guard_add(q, q->l1[i] & QCOW2_OFFSET, QCOW2_L2))
			return refuse(q, err, "out of memory");
	for (uint32_t i = 0; i < q->counts_entries; i++)
		if (q->counts[i] && !qcow2_guard_add(q, q->counts[i], QCOW2_BLOCKS))
			return refuse(q, err, "out of memory");
	return qcow2_states_read(q, be_get(h + QCOW2_AT_STATES + 4, 8), (uint32_t)be_get(h + QCOW2_AT_STATES, 4), err);
}

/* ---- Opening ---- */

static bool first_cluster_read(struct qcow2 *q, uint8_t **first, struct error *err)
{
	uint8_t head[QCOW2_AT_COMPRESSION + 8];

	if (q->file->size < QCOW2_V2_BYTES || qcow2_file_read(q, 0, head, sizeof head))
		return refuse(q, err, "it cannot be read");
	if (be_get(head, 4) != QCOW2_MAGIC)
		return refuse(q, err, "not a qcow2 image");
	header_read(q, head);
	if (q->version < 2 || q->version > 3)
		return refuse(q, err, "a version of qcow2 that cede does not know");
	if (!numbers_ok(q, head, err))
		return false;
	*first = malloc(q->cluster + sizeof head);
	if (!*first || qcow2_file_read(q, 0, *first, q->cluster + sizeof head))
		return refuse(q, err, "it cannot be read");
	return true;
}

/* What must be so before anything is written. */
static bool make_writable(struct qcow2 *q, const uint8_t *h, struct error *err)
{
	int error = 0;

	if (q->node.readonly)
		return true;
	if (q->incompatible & QCOW2_CORRUPT)
		return refuse(q, err, "it is marked corrupt and can only be opened read-only ('qemu-img check -r all' repairs)");
	if (q->incompatible & QCOW2_DIRTY) {
		error = qcow2_rebuild(q);
		q->incompatible &= ~(uint64_t)QCOW2_DIRTY;
		if (!error)
			error = qcow2_header_write(q, QCOW2_AT_INCOMPATIBLE, q->incompatible, 8);
	}
	if (!error && q->version >= 3 && be_get(h + QCOW2_AT_AUTOCLEAR, 8))
		error = qcow2_header_write(q, QCOW2_AT_AUTOCLEAR, 0, 8);
	return !error || refuse(q, err, "it cannot be repaired: 'qemu-img check -r all' may");
}

static bool open_image(struct qcow2 *q, const struct block_options *o, struct error *err)
{
	uint8_t *first = NULL;
	uint64_t end = 0;
	bool ok;

	ok = first_cluster_read(q, &first, err) && backing_name_read(q, first, &end, err) && extensions_read(q, first, end, err) &&
	     tables_read(q, first, err) && backing_open(q, o, err) && make_writable(q, first, err);
	free(first);
	return ok;
}

static void close_image(struct block_node *n)
{
	struct qcow2 *q = qcow2_of(n);

	if (!n->readonly && !q->corrupt && q->l1 && !qcow2_settle(q) && !qcow2_commit(q)) {
		qcow2_file_barrier(q);
		qcow2_file_trim(q);
	}
	if (q->backing)
		block_node_close(q->backing);
	block_node_close(q->file);
	qcow2_states_free(q);
	qcow2_cache_end(&q->l2);
	qcow2_cache_end(&q->blocks);
	free(q->guard.at);
	free(q->l1);
	free(q->counts);
	free(q->later);
	free(q->bounce);
	free(q->unzipped);
	free(q->zipped);
	free(q->backing_file);
	free(n->name);
	free(q);
}

static struct block_node *qcow2_open(struct block_node *file, const struct block_options *o, unsigned depth, struct error *err)
{
	struct qcow2 *q = calloc(1, sizeof *q);

	if (!q || !(q->node.name = strdup(file->name))) {
		error_set(err, "out of memory");
		free(q);
		block_node_close(file);
		return NULL;
	}
	q->node.driver = &block_qcow2;
	q->node.readonly = o->readonly || file->readonly;
	q->file = file;
	q->depth = depth;
	q->owner = getpid();
	q->barriers = o->cache != BLOCK_UNSAFE;
	q->discard = o->discard;
	if (open_image(q, o, err))
		return &q->node;
	q->node.readonly = true;	/* nothing of it is written */
	close_image(&q->node);
	return NULL;
}

static bool qcow2_probe(const uint8_t *head, uint64_t n)
{
	return n >= 8 && be_get(head, 4) == QCOW2_MAGIC;
}

/* ---- Requests ---- */

static int qcow2_read(struct block_node *n, uint64_t offset, void *data, uint64_t bytes)
{
	return qcow2_data_read(qcow2_of(n), offset, data, bytes);
}

static int qcow2_write(struct block_node *n, uint64_t offset, const void *data, uint64_t bytes)
{
	return n->readonly ? EROFS : qcow2_data_write(qcow2_of(n), offset, data, bytes);
}

static int qcow2_flush(struct block_node *n)
{
	struct qcow2 *q = qcow2_of(n);
	int error;

	if (n->readonly)
		return 0;
	if (q->corrupt)
		return EIO;
	error = qcow2_commit(q);
	if (!error)
		error = q->file->driver->flush(q->file);
	if (!error)
		qcow2_apply_frees(q);
	return error;
}

static int qcow2_discard(struct block_node *n, uint64_t offset, uint64_t bytes)
{
	return n->readonly ? EROFS : qcow2_data_discard(qcow2_of(n), offset, bytes, false);
}

static int qcow2_zero(struct block_node *n, uint64_t offset, uint64_t bytes, bool unmap)
{
	return n->readonly ? EROFS : qcow2_data_zero(qcow2_of(n), offset, bytes, unmap);
}

static void qcow2_info(struct block_node *n, struct block_info *info)
{
	struct qcow2 *q = qcow2_of(n);
	struct block_info below = { 0 };

	if (q->file->driver->info)
		q->file->driver->info(q->file, &below);
	info->allocated = below.allocated;
	below.depth = 0;
	if (q->backing && q->backing->driver->info)
		q->backing->driver->info(q->backing, &below);
	info->file = n->name;
	info->format = n->driver->name;
	info->backing = q->backing_file;
	info->size = n->size;
	info->cluster = q->cluster;
	info->depth = q->backing ? below.depth + 1 : 0;
	info->readonly = n->readonly;
	info->encrypted = false;
}

static struct block_node *qcow2_below(const struct block_node *n)
{
	return ((const struct qcow2 *)n)->backing;
}

const struct block_driver block_qcow2 = {
	.name = "qcow2", .probe = qcow2_probe, .open = qcow2_open, .close = close_image,
	.read = qcow2_read, .write = qcow2_write, .flush = qcow2_flush, .discard = qcow2_discard, .zero = qcow2_zero,
	.resize = qcow2_resize, .info = qcow2_info,
	.state_get = qcow2_state_get, .state_keep = qcow2_state_keep, .state_return = qcow2_state_return,
	.state_delete = qcow2_state_delete, .state_show = qcow2_state_show, .below = qcow2_below,
	.machine_write = qcow2_machine_write, .machine_read = qcow2_machine_read,
};
