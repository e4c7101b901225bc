/* What the files of the qcow2 driver share; nobody else includes this.
 *
 * Source: docs/interop/qcow2.txt of QEMU. All numbers in the file are big-endian. Tables are held in memory as the file
 * has them. Functions give 0 or an errno.
 *
 * Order on the disk, so that what was flushed survives a crash and nothing worse than a leak comes of one: counts are
 * raised before a table points to a cluster, data and counts stand before the L2 table that points there, L2 before L1;
 * what nobody points to any longer is given back when that stands on the disk. Tables wait in memory meanwhile, until
 * somebody flushes or there is no room for them. A full host must not keep them there: before anything points to a table,
 * or one is changed, its place in the file has been reserved, so that it is who writes that hears of ENOSPC.
 */
#ifndef MACHINE_HOST_BLOCK_QCOW2_H
#define MACHINE_HOST_BLOCK_QCOW2_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "machine/host/block/driver.h"
#include "savevm/be.h"

#define QCOW2_MAGIC      0x514649fbu
#define QCOW2_V2_BYTES   72u		/* of the header */
#define QCOW2_V3_BYTES   104u
#define QCOW2_MAX_L1     (32u << 20)	/* bytes, as QEMU's limits */
#define QCOW2_MAX_COUNTS (8u << 20)	/* of the refcount table */
#define QCOW2_MAX_STATES 65536u
#define QCOW2_MAX_LATER  4096u		/* runs of clusters that wait to be given back */

enum {	/* offsets in the header */
	QCOW2_AT_VERSION = 4, QCOW2_AT_BACKING = 8, QCOW2_AT_CLUSTER_BITS = 20, QCOW2_AT_SIZE = 24, QCOW2_AT_CRYPT = 32,
	QCOW2_AT_L1_ENTRIES = 36, QCOW2_AT_L1 = 40, QCOW2_AT_COUNTS = 48, QCOW2_AT_STATES = 60, QCOW2_AT_INCOMPATIBLE = 72,
	QCOW2_AT_COMPATIBLE = 80, QCOW2_AT_AUTOCLEAR = 88, QCOW2_AT_ORDER = 96, QCOW2_AT_BYTES = 100, QCOW2_AT_COMPRESSION = 104,
};

enum {	/* incompatible features */
	QCOW2_DIRTY = 1, QCOW2_CORRUPT = 2, QCOW2_DATA_FILE = 4, QCOW2_COMPRESSION = 8, QCOW2_EXTENDED_L2 = 16,
};

enum { QCOW2_EXT_BACKING_FORMAT = 0xe2792aca, QCOW2_EXT_FEATURES = 0x6803f857 };

#define QCOW2_OFFSET     UINT64_C(0x00fffffffffffe00)	/* of a cluster, in any table's entry */
#define QCOW2_COPIED     (UINT64_C(1) << 63)		/* refcount 1: may be written in place */
#define QCOW2_COMPRESSED (UINT64_C(1) << 62)
#define QCOW2_ZERO       UINT64_C(1)
#define QCOW2_ALL_ZERO   UINT64_C(0xffffffff00000000)	/* the bitmap of a cluster of 32 zero subclusters */

/* ---- One cluster of a table, in memory ---- */

struct qcow2_table {
	uint64_t offset;		/* in the file; 0: nothing is here */
	uint8_t *data;			/* a cluster */
	uint32_t dirty_from, dirty_to;	/* bytes that the file has not; equal: none */
	uint32_t next;			/* index + 1 in the chain of its hash */
	bool used;			/* since the hand came by */
	bool placed;			/* its place in the file has no holes */
};

struct qcow2_cache {
	struct qcow2_table *slots;
	uint32_t n, hand, mask, dirty;	/* dirty: how many are */
	uint32_t *heads;		/* mask + 1 of them: index + 1 */
};

/* Clusters that are tables in use: how many entries point there. */
struct qcow2_guard {
	struct qcow2_guarded { uint64_t cluster; uint32_t l2, counts, fixed; } *at;	/* cluster 0: a free place */
	uint64_t mask, used;
};

struct qcow2_state {
	uint64_t l1, machine_bytes, clock_ns, size, icount;
	uint32_t l1_entries, date_s, date_ns, extra_bytes;
	char *id, *name;
	uint8_t *extra;			/* what stands behind the three numbers that we know */
};

/* What the file points to while a change of it is prepared: qcow2_change.c. */
struct qcow2_change {
	uint64_t *counts, *l1, hint;
	uint32_t counts_entries, counts_clusters, l1_entries, n_later;
	struct qcow2_later { uint64_t cluster, n; } last_later;
	uint64_t *spare, spares, spare_room, next_spare;	/* clusters that are to be taken, in place of free ones; NULL */
};

struct qcow2_states_table { uint8_t *data; uint64_t bytes; uint32_t n; };
struct qcow2_place { uint64_t l1, counts, states, states_bytes; uint32_t n_states; };	/* new ones */

struct qcow2 {
	struct block_node node;
	struct block_node *file, *backing;
	char *backing_file, backing_format[16];
	unsigned depth;
	pid_t owner;			/* who may write */
	bool barriers, discard, corrupt;

	uint32_t version, header_bytes, cluster_bits, cluster, order;
	uint64_t incompatible;
	bool zstd, extended;
	uint32_t entry_bytes, l2_bits;	/* of an L2 entry; log2 of how many a table has */

	uint64_t *l1, l1_offset;	/* host byte order */
	uint64_t l1_placed, counts_placed;	/* the offsets of such a table whose place has no holes */
	uint32_t l1_entries, l1_dirty_from, l1_dirty_to;

	uint64_t *counts, counts_offset;	/* refcount table, host byte order */
	uint32_t counts_entries, counts_clusters, counts_dirty_from, counts_dirty_to;

	uint64_t states_offset, states_bytes;
	struct qcow2_state *states;
	uint32_t n_states;

	struct qcow2_cache l2, blocks;	/* of refcounts */
	struct qcow2_guard guard;

	uint64_t hint;			/* no cluster below it is free */
	uint64_t zero_from;		/* bytes of the file from here on have never been written: zero */
	bool fresh;			/* what qcow2_alloc() gave last is zero */
	uint64_t file_end;		/* of what is in use */
	bool grown;			/* further than that */
	struct qcow2_later *later;	/* to be given back after the next flush */
	uint32_t n_later, room_later;

	struct qcow2_change *change;	/* NULL: none is prepared */
	uint8_t *bounce, *unzipped;	/* a cluster each; the second on demand */
	uint64_t unzipped_entry;	/* whose data that is; 0: none */
	uint8_t *zipped;		/* two clusters, on demand */
};

static inline struct qcow2 *qcow2_of(struct block_node *n)
{
	return (struct qcow2 *)n;
}

static inline uint64_t qcow2_round_up(uint64_t value, uint64_t to)
{
	return (value + to - 1) / to * to;
}

static inline uint64_t qcow2_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* ---- qcow2_io.c: the file ---- */

int qcow2_file_read(struct qcow2 *q, uint64_t offset, void *data, uint64_t bytes);	/* zeros behind its end */
int qcow2_file_write(struct qcow2 *q, uint64_t offset, const void *data, uint64_t bytes);	/* grows it */
/* It reaches up to here. ENOSPC: it cannot, be it a device, a server's export, at a limit or on a full disk. */
int qcow2_file_extend(struct qcow2 *q, uint64_t end);
/* What is written there later finds room. `fresh`: what is there is of no use. */
int qcow2_file_reserve(struct qcow2 *q, uint64_t offset, uint64_t bytes, bool fresh);
int qcow2_file_barrier(struct qcow2 *q);	/* what was written before is on the disk before what is written later */
void qcow2_file_trim(struct qcow2 *q);		/* cuts off what it has grown by in vain */
int qcow2_header_write(struct qcow2 *q, unsigned at, uint64_t value, unsigned bytes);
int qcow2_mark_corrupt(struct qcow2 *q);	/* EIO, from now on for all writes */

/* ---- qcow2_cache.c ---- */

bool qcow2_cache_init(struct qcow2_cache *c, uint64_t tables);
void qcow2_cache_end(struct qcow2_cache *c);
/* The table at this offset, valid until the next call for the same cache. `fresh`: of zeros, not read, and with room. */
int qcow2_table_get(struct qcow2 *q, struct qcow2_cache *c, uint64_t offset, bool fresh, struct qcow2_table **t);
int qcow2_table_own(struct qcow2 *q, struct qcow2_table *t);	/* room for what is to be changed in it */
void qcow2_table_touch(struct qcow2_cache *c, struct qcow2_table *t, uint32_t from, uint32_t bytes);	/* it was changed */
void qcow2_table_drop(struct qcow2_cache *c, uint64_t offset);		/* if it is there: without writing it */
int qcow2_cache_write(struct qcow2 *q, struct qcow2_cache *c);
/* All tables, in order. What waits for it is given back by qcow2_settle(), which has a barrier behind it. */
int qcow2_commit(struct qcow2 *q);
int qcow2_settle(struct qcow2 *q);

/* ---- qcow2_guard.c: what must not be overwritten ---- */

enum qcow2_part { QCOW2_L2 = 1, QCOW2_BLOCKS = 2, QCOW2_FIXED = 4 };	/* FIXED: header, any L1, refcount and snapshot table */
bool qcow2_guard_add(struct qcow2 *q, uint64_t offset, enum qcow2_part part);	/* false: out of memory */
void qcow2_guard_remove(struct qcow2 *q, uint64_t offset, enum qcow2_part part);
/* Do these bytes lie in a part other than `but`? */
bool qcow2_guard_hit(struct qcow2 *q, uint64_t offset, uint64_t bytes, unsigned but);
/* May a table be read there? aligned, within the file, in no other part. */
bool qcow2_table_ok(struct qcow2 *q, uint64_t offset, enum qcow2_part part);

/* ---- qcow2_refcount.c: which clusters are in use ---- */

int qcow2_count_get(struct qcow2 *q, uint64_t cluster, uint64_t *count);
int qcow2_count_set(struct qcow2 *q, uint64_t cluster, uint64_t count);	/* its block is there */
int qcow2_count_add(struct qcow2 *q, uint64_t offset, uint64_t bytes, int by);	/* all clusters that these bytes touch */
uint64_t qcow2_count_max(const struct qcow2 *q);
/* One cluster at least, `n` at most, side by side, refcount 1. `all`: n. */
int qcow2_alloc(struct qcow2 *q, uint64_t n, bool all, uint64_t *offset, uint64_t *got);
/* One, for a block in a change, with what its count is to be: the caller sets it. */
int qcow2_alloc_uncounted(struct qcow2 *q, uint64_t *offset, uint64_t *count);
void qcow2_free_now(struct qcow2 *q, uint64_t offset, uint64_t n);	/* clusters that no table on the disk points to */
void qcow2_free_later(struct qcow2 *q, uint64_t offset, uint64_t bytes);	/* all that they touch */
void qcow2_free_entry(struct qcow2 *q, uint64_t entry);			/* what this one of an L2 pointed to */
void qcow2_apply_frees(struct qcow2 *q);
/* A block of zero counts in this cluster, which is free. Its own count is left to the caller. */
int qcow2_block_make(struct qcow2 *q, uint64_t index, uint64_t cluster);
/* The refcount table's part that the file has not. */
int qcow2_counts_write(struct qcow2 *q);

/* ---- qcow2_change.c: refcounts, the L1 and snapshots in one write ---- */

/* All has been committed. Until the end counts, q->l1 and copies of L2 tables may change: the file knows nothing of it. */
int qcow2_change_begin(struct qcow2 *q);
/* With this table of snapshots; NULL: the present one. What fails has changed nothing, unless nobody knows whether the
 * header was written: then the image is marked corrupt. */
int qcow2_change_end(struct qcow2 *q, const struct qcow2_states_table *states);
void qcow2_change_cancel(struct qcow2 *q);
int qcow2_change_block(struct qcow2 *q, uint64_t index);	/* a count in this block of refcounts is to change */
/* On a full disk: a cluster that is counted once, but by a snapshot that is to go; then who allocates gets only such ones. */
int qcow2_change_spare(struct qcow2 *q, uint64_t cluster);
int qcow2_change_take(struct qcow2 *q, uint64_t n, uint64_t *first);

/* ---- qcow2_rebuild.c ---- */

int qcow2_rebuild(struct qcow2 *q);	/* all refcounts from the tables */

/* ---- qcow2_map.c: where a byte of the guest is ---- */

enum qcow2_kind { QCOW2_NOWHERE, QCOW2_ZEROS, QCOW2_DATA, QCOW2_ZIPPED };

struct qcow2_run {
	enum qcow2_kind kind;
	uint64_t host, bytes;		/* DATA: where the first of them is */
	uint64_t entry;			/* ZIPPED */
};

/* What is compressed, from an L2 entry. */
void qcow2_zipped_range(const struct qcow2 *q, uint64_t entry, uint64_t *offset, uint64_t *bytes);
/* As many bytes of one kind, of `bytes`, as one table tells. */
int qcow2_map(struct qcow2 *q, uint64_t offset, uint64_t bytes, struct qcow2_run *run);
/* The L2 table for an offset, to be changed: made, or copied, if need be. */
int qcow2_l2_own(struct qcow2 *q, uint64_t offset, struct qcow2_table **t);
/* A new table in place of what entry i of the L1 points to: the same contents, or zeros. */
int qcow2_l2_copy(struct qcow2 *q, uint32_t i, struct qcow2_table **t);
/* The one that is there: NULL if none is. `owned`: may it be changed as it is? */
int qcow2_l2_find(struct qcow2 *q, uint64_t offset, struct qcow2_table **t, bool *owned);
uint64_t qcow2_entry(const struct qcow2 *q, const struct qcow2_table *t, uint32_t i);
uint64_t qcow2_bitmap(const struct qcow2 *q, const struct qcow2_table *t, uint32_t i);
void qcow2_entry_set(struct qcow2 *q, struct qcow2_table *t, uint32_t i, uint64_t entry, uint64_t bitmap);
uint32_t qcow2_l2_index(const struct qcow2 *q, uint64_t offset);
int qcow2_l1_grow(struct qcow2 *q, uint64_t entries);
int qcow2_l1_write(struct qcow2 *q);	/* what is dirty of it */
void qcow2_l1_touch(struct qcow2 *q, uint32_t i);
int qcow2_l1_store(struct qcow2 *q, uint64_t offset, const uint64_t *entries, uint32_t n);
/* Puts an L1 of so many entries in place of the present one, whose clusters are given back, and the size of the disk into
 * the header with it. Takes `l1` (malloc). */
int qcow2_l1_replace(struct qcow2 *q, uint64_t *l1, uint32_t entries, uint64_t size);
static inline uint64_t qcow2_l1_span(const struct qcow2 *q)	/* bytes of the guest for each entry */
{
	return UINT64_C(1) << (q->cluster_bits + q->l2_bits);
}

/* ---- qcow2_zip.c ---- */

/* The cluster of an entry, in q->unzipped. */
int qcow2_unzip(struct qcow2 *q, uint64_t entry);

/* ---- qcow2_data.c: requests; any offset that an L1 can reach ---- */

int qcow2_data_read(struct qcow2 *q, uint64_t offset, void *data, uint64_t bytes);
int qcow2_data_write(struct qcow2 *q, uint64_t offset, const void *data, uint64_t bytes);
int qcow2_data_zero(struct qcow2 *q, uint64_t offset, uint64_t bytes, bool unmap);
int qcow2_data_discard(struct qcow2 *q, uint64_t offset, uint64_t bytes, bool whole);	/* whole: with what is below it */
/* Has it no contents of its own, nor below? */
int qcow2_data_is_zero(struct qcow2 *q, uint64_t offset, uint64_t bytes, bool *zero);

/* ---- qcow2_state.c: internal snapshots ---- */

bool qcow2_states_read(struct qcow2 *q, uint64_t offset, uint32_t n, struct error *err);
void qcow2_states_free(struct qcow2 *q);
bool qcow2_state_get(struct block_node *n, unsigned i, struct block_state *state);
bool qcow2_state_keep(struct block_node *n, const struct block_state *state, struct error *err);
bool qcow2_state_return(struct block_node *n, const char *name, struct error *err);
bool qcow2_state_show(struct block_node *n, const char *name, struct error *err);
bool qcow2_state_delete(struct block_node *n, const char *name, struct error *err);
int qcow2_machine_write(struct block_node *n, uint64_t offset, const void *data, uint64_t bytes);
int qcow2_machine_read(struct block_node *n, uint64_t offset, void *data, uint64_t bytes);
int qcow2_copied_set(struct qcow2 *q);	/* the bits of the active tables, as the refcounts are */
/* An L1 that is not the active one, checked. */
int qcow2_l1_read(struct qcow2 *q, uint64_t offset, uint32_t entries, uint64_t **l1);

/* ---- qcow2_resize.c ---- */

int qcow2_resize(struct block_node *n, uint64_t size);

#endif
