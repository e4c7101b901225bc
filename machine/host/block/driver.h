/* What a format of images, or a way to their bytes, is. Within machine/host/block alone; others see block.h.
 *
 * All functions but open() and close() run on the image's thread, one at a time, and give 0 or an errno. Offsets and
 * lengths have been checked against the size; they need not be aligned to anything. */
#ifndef MACHINE_HOST_BLOCK_DRIVER_H
#define MACHINE_HOST_BLOCK_DRIVER_H

#include "machine/host/block/block.h"

struct block_driver;

/* First member of what a driver keeps for an image. */
struct block_node {
	const struct block_driver *driver;
	uint64_t size;			/* bytes, as the guest sees them */
	bool readonly;
	char *name;			/* file name as given */
	struct block_node *file;	/* that the format lies in; NULL: a way to bytes itself. block_node_open() sets it */
};

struct block_driver {
	const char *name;		/* "raw", "qcow2" */
	/* True: `head` (the file's first 64 KiB at most) is of this format. NULL: of any. */
	bool (*probe)(const uint8_t *head, uint64_t n);
	/* `file`: the bytes it lies in, the node's from now on, also if this fails. `depth`: images above it. */
	struct block_node *(*open)(struct block_node *file, const struct block_options *o, unsigned depth, struct error *err);
	void (*close)(struct block_node *n);

	int (*read)(struct block_node *n, uint64_t offset, void *data, uint64_t bytes);
	int (*write)(struct block_node *n, uint64_t offset, const void *data, uint64_t bytes);
	int (*flush)(struct block_node *n);
	int (*discard)(struct block_node *n, uint64_t offset, uint64_t bytes);	/* may do nothing */
	int (*zero)(struct block_node *n, uint64_t offset, uint64_t bytes, bool unmap);
	int (*resize)(struct block_node *n, uint64_t size);
	/* These bytes, which lie within the size and stay as they are, have room on the host from now on: writing them does
	 * not fail for want of it. ENOTSUP: who wants that writes them. NULL: the same. */
	int (*reserve)(struct block_node *n, uint64_t offset, uint64_t bytes);
	void (*info)(struct block_node *n, struct block_info *info);

	/* NULL: it keeps no states. As block.h says. */
	bool (*state_get)(struct block_node *n, unsigned i, struct block_state *state);
	bool (*state_keep)(struct block_node *n, const struct block_state *state, struct error *err);
	bool (*state_return)(struct block_node *n, const char *name, struct error *err);
	bool (*state_delete)(struct block_node *n, const char *name, struct error *err);
	/* A read-only image is as in that state from now on; nothing is written. */
	bool (*state_show)(struct block_node *n, const char *name, struct error *err);
	int (*machine_write)(struct block_node *n, uint64_t offset, const void *data, uint64_t bytes);
	int (*machine_read)(struct block_node *n, uint64_t offset, void *data, uint64_t bytes);
	struct block_node *(*below)(const struct block_node *n);	/* what it is based on; NULL result: nothing */
};

extern const struct block_driver block_file, block_nbd;		/* ways to bytes; block_file is "raw" as well */
extern const struct block_driver block_qcow2;

/* A file or block device (locked as options say), or a server's export. For backing files, too. */
struct block_node *block_protocol_open(const struct block_options *o, struct error *err);
/* The whole: protocol, then format (probed if it is NULL). `depth` over BLOCK_MAX_DEPTH fails. */
#define BLOCK_MAX_DEPTH 64
struct block_node *block_node_open(const struct block_options *o, unsigned depth, struct error *err);
void block_node_close(struct block_node *n);

#endif
