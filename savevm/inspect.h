/* A snapshot taken apart by its own description: any producer's, without knowing a single field. */
#ifndef SAVEVM_INSPECT_H
#define SAVEVM_INSPECT_H

#include <stdbool.h>
#include <stdint.h>

#include "savevm/error.h"
#include "savevm/json.h"
#include "savevm/layout.h"
#include "savevm/savevm.h"

#define INSPECT_PAGE 4096

struct inspect_section {
	char name[256];
	uint32_t instance, version, id;
	uint64_t start, end;		/* bytes of the file: from the tag to before the footer; of live ones of the first part */
	uint64_t payload;		/* bytes of the file where the fields begin */
	uint64_t size;			/* bytes, all parts */
	uint32_t sum;			/* CRC-32 of all parts */
	uint32_t json;			/* node of its description; JSON_NONE: it has none */
	bool live;
};

struct inspect_block {
	char name[256];
	uint64_t size;			/* bytes */
	uint64_t *page;			/* for each: offset of its bytes in the file; 0: zeros, or never sent; 1: zeros that were;
					 * NULL: memory of the mapped layout */
};

struct inspect {
	const uint8_t *data;		/* the file, mapped; what it holds, if it is compressed */
	size_t len;
	uint64_t file_size;		/* bytes */
	bool compressed;
	struct layout layout;
	struct inspect *parent;		/* NULL: none */
	uint64_t pages_at, pages_end;	/* the last part of the ram section: its records */
	uint32_t ident;			/* of the whole, for a child to know it by: the CRC-32 of all sections' and the head's */
	char machine[256];
	struct inspect_section *section;
	unsigned sections;
	struct inspect_block *block;
	unsigned blocks;
	uint64_t pages, zero_pages;	/* records */
	struct json json;
	uint64_t json_at, json_len;	/* in the file; 0: no description */
	uint64_t eof;			/* offset of the tag that ends the state */
	uint64_t work;			/* steps that following the description may still take */
	uint32_t next_device;		/* of the description: sections come in its order */
};

/* False and err->msg: not a snapshot, damaged, or not all of it is described. */
bool inspect_open(struct inspect *in, const char *path, struct error *err);
/* As one that a load would open for its child: it has one parent less that it may have. */
bool inspect_open_parent(struct inspect *in, const char *path, struct error *err);
void inspect_close(struct inspect *in);
struct inspect_section *inspect_find(struct inspect *in, const char *name, uint64_t instance);	/* NULL */

/* One value: `path` as in "irqs[3].server", `sub` the (sub)section it is of. */
struct inspect_value {
	const char *sub, *path, *type;
	uint64_t at, size;		/* bytes of the file */
	bool is_number;
	uint64_t number;
};

/* Calls `each` for every value of a section, in order, until it returns false. False: the description
 * does not fit. */
bool inspect_walk(struct inspect *in, const struct inspect_section *section,
		  bool (*each)(void *opaque, const struct inspect_value *value), void *opaque, struct error *err);
/* The number in a field by that name, of any subsection; false: there is none. *at: its offset. */
bool inspect_number(struct inspect *in, const char *section, uint64_t instance, const char *path, uint64_t *number,
		    uint64_t *at);
/* The 4 KiB of the first block at `at`, a multiple of that and inside it; NULL: zeros. */
const uint8_t *inspect_page(const struct inspect *in, uint64_t at);
/* The first page from `from` on, a multiple of that, which may have bytes; the block's size: none. */
uint64_t inspect_next_page(const struct inspect *in, uint64_t from);
/* Memory of the mapped layout, and of a parent in it: as its sums say? inspect_open() does not look. */
bool inspect_memory_whole(const struct inspect *in, struct error *err);
/* Bytes of memory of the first block at `gra`; false: outside. */
bool inspect_memory(const struct inspect *in, uint64_t gra, void *buf, uint64_t len);

#endif
