/* Images of disks on the host: files, block devices and NBD servers, raw or qcow2, with what they are based on.
 *
 * Knows no machine and no guest: a request names bytes of the image and memory of the host. A thread of each image
 * executes its requests in the order of their submission, so that what a request finds depends on nothing else. After a
 * fork, which block_drain() goes before, the copy reads and changes nothing (EROFS). The file itself is hostile: whatever
 * its tables say, a request ends with an error at worst.
 */
#ifndef MACHINE_HOST_BLOCK_BLOCK_H
#define MACHINE_HOST_BLOCK_BLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "savevm/error.h"

#define BLOCK_SECTOR 512u

struct block;

/* As QEMU's cache=: none goes around the host's page cache; unsafe ignores flushes; writethrough flushes each write. */
enum block_cache { BLOCK_WRITEBACK, BLOCK_NONE, BLOCK_WRITETHROUGH, BLOCK_UNSAFE, BLOCK_DIRECTSYNC };
enum block_zeroes { BLOCK_ZEROES_OFF, BLOCK_ZEROES_ON, BLOCK_ZEROES_UNMAP };	/* detect-zeroes= */

struct block_options {
	const char *file;		/* a path, or nbd:HOST:PORT[:exportname=NAME], nbd:unix:PATH, nbd://.. */
	const char *format;		/* "raw", "qcow2"; NULL: as its first bytes say, raw with a warning of QEMU's kind */
	bool readonly;
	bool snapshot;			/* writes go to an overlay that is gone at the end; the file is opened read-only */
	bool shared;			/* file.locking=off: nobody is asked, nobody is kept out */
	bool yielded;			/* opened as block_yield() leaves one */
	bool discard;			/* discard=unmap: bytes that a guest gives up are given back to the host */
	enum block_cache cache;
	enum block_zeroes zeroes;
};

/* NULL and err->msg set: it cannot be read, is damaged, is in use (QEMU's lock bytes), asks for what we do not know. */
struct block *block_open(const struct block_options *options, struct error *err);
/* Waits for what has been submitted, writes what is held back, gives the lock away. NULL is allowed. */
void block_close(struct block *b);

/* This process is a copy of the image's. It may ask for its states and for what is known of it; what it read from a
 * server's image, or from one with cache=none, would spoil the reads of the original. */
bool block_is_copy(const struct block *b);

uint64_t block_size(const struct block *b);		/* bytes, a multiple of BLOCK_SECTOR */
bool block_is_readonly(const struct block *b);
const char *block_format(const struct block *b);	/* "raw", "qcow2" */

/* ---- Requests ---- */

enum block_op { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH, BLOCK_DISCARD, BLOCK_ZERO };

struct block_request {
	enum block_op op;
	uint64_t offset, bytes;		/* any; what does not lie within the image is EIO */
	void *data;			/* READ, WRITE: `bytes` of them, nobody else's until block_wait() */
	bool unmap;			/* ZERO: may be unallocated afterwards */
	int error;			/* when it is done: 0 or an errno */
	/* The image's. */
	bool done;
	struct block_request *next;
};

void block_submit(struct block *b, struct block_request *request);
/* Until it is done. Its error. b NULL: the image has been closed, all its requests are done. */
int block_wait(struct block *b, struct block_request *request);
void block_drain(struct block *b);		/* until all are */

/* At once, behind all that has been submitted: 0 or an errno. */
int block_read(struct block *b, uint64_t offset, void *data, uint64_t bytes);
int block_write(struct block *b, uint64_t offset, const void *data, uint64_t bytes);
int block_flush(struct block *b);		/* on the host's disk, whatever its caches */

/* The new size, a multiple of BLOCK_SECTOR. False and err->msg set: the format, or the host, cannot. */
bool block_resize(struct block *b, uint64_t size, struct error *err);

/* What is written from now on goes to the qcow2 image `file`, made unless it `exists`, on top of the present one. False
 * and err->msg set: it cannot be made or opened, and all is as it was. */
bool block_snapshot(struct block *b, const char *file, bool exists, struct error *err);

/* Another process is to have the image: all is written, and it can be read only from now on, without a lock. Snapshot=on
 * images stay as they are. */
bool block_yield(struct block *b, struct error *err);
/* It is ours again, as it is now. False and err->msg set: it is in use, or what it is now cannot be opened. */
bool block_resume(struct block *b, struct error *err);

/* ---- What there is to see: "info block", query-block ---- */

const struct block_options *block_options(const struct block *b);	/* as it was opened; no format in it */

struct block_info {
	const char *file, *format, *backing;	/* backing NULL: none. The image's */
	uint64_t size, allocated;		/* bytes; on the host */
	uint32_t cluster;			/* bytes; 0: the format has none */
	unsigned depth;				/* of the chain below it */
	bool readonly, encrypted;
};

void block_info(struct block *b, struct block_info *info);

/* What of an image is not to change: all of one that is read-only, else what it is based on. */
struct block_sample {
	uint64_t size;			/* bytes; 0: nothing is */
	uint64_t sum;			/* of the first MiB, and of 256 pieces of the rest */
	uint64_t files, written;	/* which files of this host it lies in, and when they were written; 0: in others, too */
};

int block_sample(struct block *b, struct block_sample *sample);		/* 0 or an errno */

/* ---- States that an image keeps beside its present one: qcow2's internal snapshots ---- */

struct block_state {
	char id[32], name[256];
	uint64_t date_s, clock_ns;		/* since 1970; the guest's clock */
	uint32_t date_ns;
	uint64_t machine_bytes;			/* of the machine's state stored with it; 0: none */
};

bool block_keeps_states(const struct block *b);
/* The i-th one, oldest first. False: there are no more. */
bool block_state_get(struct block *b, unsigned i, struct block_state *state);
/* Keeps the present state; `machine` (may be 0) bytes have been stored by block_machine_write(). */
bool block_state_keep(struct block *b, const struct block_state *state, struct error *err);
bool block_state_return(struct block *b, const char *name, struct error *err);	/* the present becomes that one */
bool block_state_delete(struct block *b, const char *name, struct error *err);
/* Bytes of the machine's state, behind the disk's own, where QEMU has them. 0 or an errno. */
int block_machine_write(struct block *b, uint64_t offset, const void *data, uint64_t bytes);
int block_machine_read(struct block *b, uint64_t offset, void *data, uint64_t bytes);

/* ---- Making one: tests, -snapshot, blockdev-snapshot-sync ---- */

/* An empty qcow2 image; `backing` NULL: none, else with `backing_format`. size 0: the backing file's. */
bool block_create_qcow2(const char *file, uint64_t size, const char *backing, const char *backing_format, struct error *err);

#endif
