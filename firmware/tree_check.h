/* Device tree blobs from a guest or a file: checked before they are used as a tree, and copied.
 *
 * libfdt, which edits trees, trusts their headers. It gets a blob from outside only after this check, and a guest's blob
 * only as a copy in the form that libfdt itself would have made.
 * Source: Devicetree Specification 0.4, chapter 5. */
#ifndef FIRMWARE_TREE_CHECK_H
#define FIRMWARE_TREE_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TREE_MAX_NAME  255	/* bytes of a node's or property's name; a longer one makes each question expensive */
#define TREE_MAX_DEPTH 64	/* nodes from the root on; as many as Linux takes */
#define TREE_MAX_RSV   1024	/* entries of the memory reservation list */

/* NULL: `size` bytes at `blob`, aligned to 8, hold a tree of version 17 without a fault. Else what is wrong with it. */
const char *tree_check(const void *blob, uint64_t size);

/* What a checked tree may hold as a property's name. */
bool tree_name_ok(const char *name, size_t len);

/* A new blob with the tree of a checked one, packed, of `*size` bytes, that the caller frees. NULL: out of memory. */
void *tree_copy(const void *blob, uint32_t *size);

/* ---- Walking the structure block of a checked tree ---- */

enum tree_tag { TREE_BEGIN = 1, TREE_END = 2, TREE_PROP = 3, TREE_NOP = 4, TREE_LAST = 9 };

struct tree_token {
	uint32_t tag;			/* enum tree_tag */
	uint32_t at, next;		/* bytes from the begin of the block; the next token's */
	const char *name;		/* of a node or property */
	const uint8_t *value;		/* of a property */
	uint32_t len;			/* bytes of the value */
};

/* The token at `at`, of a checked tree. */
struct tree_token tree_token_at(const void *blob, uint32_t at);

#endif
