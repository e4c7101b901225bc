/* What may stand around a snapshot's stream: a head of cede's own, for what a stream cannot do.
 *
 * Mapped: memory lies behind the head at a fixed place, page by page, where a load maps it, copied on
 * write. Pages of zeros are holes. The stream follows, with every section; its ram section is empty.
 * A child: the stream has only the pages that differ from those of another snapshot, its parent.
 *
 * The head is 4096 bytes, big-endian, then a table of groups of pages:
 *     0  8  "CEDESNAP"                 40  8  bytes of memory; 0: it is in the stream
 *     8  4  version, 1                 48  4  groups    52  4  bytes of a group
 *    12  4  CRC-32 of head and table,  56  8  bytes of the parent's file
 *           this word 0                64  4  the parent's identity (struct inspect)
 *    16  8  bytes of the file          68  4  0
 *    24  8  where the stream begins    72 256 the parent's name, NUL-terminated, "": none; it lies
 *    32  8  where memory begins               beside this file: what is before the last '/' says nothing
 *  4096  8  each group: CRC-32 of its pages that are not zero, each behind its number in the group (4
 *           bytes); how many those are. 0: the group is not looked at, and zero.
 */
#ifndef SAVEVM_LAYOUT_H
#define SAVEVM_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "savevm/error.h"
#include "savevm/savevm.h"

#define LAYOUT_HEAD  4096u
#define LAYOUT_PAGE  4096u
#define LAYOUT_GROUP (2u << 20)		/* bytes; what is mapped at once, so a multiple of any host's pages */
#define LAYOUT_NAME  256

struct layout_group {
	uint32_t sum, used;
};

struct layout {
	uint64_t file_size, stream_at, ram_at, ram_size;
	struct layout_group *group;
	uint32_t groups, sum;
	char parent[LAYOUT_NAME];
	uint64_t parent_size;
	uint32_t parent_ident;
};

/* *l all zero: there is no head, the file is a stream. False: damaged. */
bool layout_read(struct layout *l, int fd, struct error *err);
void layout_free(struct layout *l);
/* Memory to its place, the file offset to where the stream begins. */
bool layout_write_ram(struct layout *l, int fd, struct vms_ram *ram, struct error *err);
/* A head for a stream with a parent; the file offset behind it. */
bool layout_begin_child(struct layout *l, int fd, struct error *err);
/* The stream is written: the head and its table, last. */
bool layout_write_head(struct layout *l, int fd, struct error *err);
/* Over what `ram` has, by ram->map. */
bool layout_map_ram(const struct layout *l, int fd, struct vms_ram *ram, struct error *err);
/* Sum of a group at `p`; *used: its pages that are not zero. */
uint32_t layout_group_sum(uint32_t (*table)[256], const uint8_t *p, uint32_t *used);
/* The file that `name` in the head of `child` means: one beside it, whatever folder the name says, for whoever made the
 * file chose it. free(). */
char *layout_parent_path(const char *child, const char *name);
/* To read a snapshot whose name a file gives: a regular file, and opening it waits for nobody. -1: err->msg says why not. */
int layout_open(const char *path, struct error *err);

#endif
