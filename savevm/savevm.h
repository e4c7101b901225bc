/* A whole snapshot: QEMU's migration stream, file version 3, written and read.
 *
 * The caller lists what there is: sections described by struct vmstate, each with its object, and
 * live ones (RAM, the hash table) that bring code of their own. What a section means is the caller's.
 * Source: QEMU, docs/devel/migration, and its streams.
 */
#ifndef SAVEVM_SAVEVM_H
#define SAVEVM_SAVEVM_H

#include <stdbool.h>
#include <stdint.h>

#include "savevm/error.h"
#include "savevm/stream.h"
#include "savevm/vmstate.h"

#define VMS_NAME_MAX 80

enum vms_tag {
	VMS_TAG_EOF, VMS_TAG_START, VMS_TAG_PART, VMS_TAG_END_PART, VMS_TAG_FULL, VMS_TAG_SUBSECTION,
	VMS_TAG_DESCRIPTION, VMS_TAG_CONFIGURATION, VMS_TAG_COMMAND, VMS_TAG_FOOTER = 0x7e,
};

#define VMS_MAGIC   UINT32_C(0x5145564d)	/* "QEVM" */
#define LAYOUT_MAGIC UINT32_C(0x43454445)	/* "CEDE": layout.h */
#define VMS_VERSION 3
#define VMS_MAX_DESCRIPTION (UINT32_C(64) << 20)	/* bytes of JSON */

/* The last of cede's sections: a sum for each of the others. */
#define VMS_CHECKS "cede/checks"

struct vms_section {
	char name[VMS_NAME_MAX];
	uint32_t instance;
	const struct vmstate *state;	/* its `needed` decides whether the section is written at all */
	void *object;
	bool own;			/* cede's: nothing for QEMU */
	bool loaded;			/* savevm_read() has seen it */
};

struct vms_live {
	const char *name;
	uint32_t version;
	/* Payloads of START and END. False: the stream has failed. */
	bool (*save_start)(struct stream *s, void *object);
	bool (*save_end)(struct stream *s, void *object);
	/* Any part's payload. */
	bool (*load)(struct stream *s, void *object, enum vms_tag part);
	void *object;
	bool loaded;
};

struct vms_set {
	const char *machine;		/* class name in the configuration record */
	struct vms_live *live;
	unsigned lives;
	struct vms_section *section;	/* in the order they are written */
	unsigned sections;
	/* Reading: sections of others that say nothing of this machine, whatever their number; read over, without an object.
	 * Ended by NULL; or NULL. */
	const struct vmstate *const *ignored;
	bool compress;			/* writing: the whole stream in a frame of zstd */
	const struct vms_section *read_last;	/* reading: the one that the stream is or was in */
	uint64_t most;			/* reading: bytes that a compressed stream may grow to; 0: any */
};

/* `for_qemu` leaves out what is not QEMU's. */
bool savevm_write(const struct vms_set *set, int fd, bool for_qemu, struct error *err);
/* Everything in the stream goes to a listed section, or it is refused: then what is listed holds
 * part of it. Missing sections are not an error: see `loaded`. */
bool savevm_read(struct vms_set *set, int fd, struct error *err);
bool savevm_read_stream(struct vms_set *set, struct stream *s);		/* says why in s->error */

/* ---- ram.c: the two live sections every pSeries has ---- */
#define VMS_BLOCKS 8
#define VMS_BLOCK_NAME 100
/* Memory beside the guest's own: a device's, which QEMU has as a block of its own. */
struct vms_block {
	char name[VMS_BLOCK_NAME];
	uint8_t *base;			/* NULL: it is read over */
	uint64_t size;			/* bytes, whole pages of 4 KiB */
};

struct vms_ram {
	const char *block;		/* name */
	uint8_t *base;			/* a load finds zeros here */
	uint64_t size;			/* bytes, whole pages of 4 KiB */
	/* First byte from `from` on that may not be zero, or size; NULL: nobody knows. */
	uint64_t (*next_used)(void *opaque, uint64_t from);
	/* A child's parent has these 4 KiB there, NULL: zeros; pages that are the same are left out. */
	const uint8_t *(*parent_page)(void *parent, uint64_t at);
	void *parent;
	uint64_t used;			/* what next_used() said last */
	bool elsewhere;			/* not in the stream: layout.h */
	void (*progress)(void *opaque, uint64_t done);	/* bytes of memory; NULL: nobody asks */
	uint64_t sent, zeros;		/* writing: bytes of the stream so far, pages that were zero */
	/* Loading. */
	bool (*map)(void *opaque, uint64_t gra, int fd, uint64_t at, uint64_t len);	/* copied on write */
	void *opaque;
	bool kept;			/* memory is not all zero before the load: pages of zeros count, too */
	uint8_t *seen;			/* a bit for each page that has been written */
	/* Loading: the block that the page before was of, which one may say it is of as well: from `more` on, -1: none yet, */
	int current;			/* VMS_BLOCKS: the guest's own memory */
	struct vms_block more[VMS_BLOCKS];	/* devices'; a load adds those that are read over */
	unsigned mores;
};

bool vms_page_is_zero(const uint8_t *p);	/* 4 KiB */
/* Looks at no page that nobody has touched. To be asked in order, from 0. */
bool vms_ram_is_zero(struct vms_ram *ram, uint64_t at);

/* Fill in *live; `ram` stays the caller's. */
void vms_ram_live(struct vms_live *live, struct vms_ram *ram);
/* The hash page table, whose entries are two doublewords each; the callbacks get `opaque`. */
struct vms_htab {
	void *opaque;
	unsigned order;			/* log2 of its size in bytes; 0: there is none */
	unsigned most;			/* loading: the largest order that is taken */
	/* The first index from `from` on that is valid; at the end, how many entries there are. */
	uint64_t (*next)(void *opaque, uint64_t from);
	void (*get)(void *opaque, uint64_t index, uint64_t entry[2]);
	/* An empty table of that order takes the place of what there is, none if it is 0; false: out of memory. */
	bool (*make)(void *opaque, unsigned order);
	bool (*put)(void *opaque, uint64_t index, const uint64_t entry[2]);	/* false: it is none that there can be */
	/* Which option would make one that put() does not take one that it takes; false: none would. */
	bool (*why)(void *opaque, const uint64_t entry[2], char *buf, size_t size);
};
void vms_htab_live(struct vms_live *live, struct vms_htab *htab);
void vms_ram_done(struct vms_ram *ram);		/* frees what a load has taken */

#endif
