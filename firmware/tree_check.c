/* Checks and copies device tree blobs; see tree_check.h. libfdt is not used here: it trusts what this checks. */
#include "firmware/tree_check.h"

#include <stdlib.h>
#include <string.h>

#include "firmware/fdt.h"

#define MAGIC   UINT32_C(0xd00dfeed)
#define VERSION 17u
#define OLDEST  16u			/* readers for that one can read it */
#define HEAD    40u			/* bytes of the header, which are a multiple of 8 */
#define RSV     16u			/* bytes of a memory reservation: address and size */

/* The header's cells, by number. */
enum { H_MAGIC, H_TOTAL, H_STRUCT, H_STRINGS, H_RSV, H_VERSION, H_COMPATIBLE, H_BOOT_CPU, H_STRINGS_SIZE, H_STRUCT_SIZE };

static uint32_t get32(const void *blob, uint64_t at)
{
	uint32_t v;

	memcpy(&v, (const uint8_t *)blob + at, sizeof v);
	return __builtin_bswap32(v);
}

static void put32(void *blob, uint64_t at, uint32_t v)
{
	v = __builtin_bswap32(v);
	memcpy((uint8_t *)blob + at, &v, sizeof v);
}

static uint32_t head_cell(const void *blob, unsigned cell)
{
	return get32(blob, 4 * cell);
}

static uint32_t align_cell(uint32_t n)
{
	return (n + 3) & ~UINT32_C(3);
}

/* ---- The header and the blocks ---- */

static const char *check_head(const void *blob, uint64_t size)
{
	if (size < HEAD)
		return "it is shorter than a header";
	if (head_cell(blob, H_MAGIC) != MAGIC)
		return "it does not begin as one";
	if (head_cell(blob, H_VERSION) != VERSION || head_cell(blob, H_COMPATIBLE) > VERSION)
		return "it is not of version 17";
	if (head_cell(blob, H_TOTAL) < HEAD || head_cell(blob, H_TOTAL) > size || size > TREE_MAX_SIZE)
		return "its size is wrong";
	return NULL;
}

static bool lies_inside(uint32_t at, uint32_t size, uint32_t from, uint32_t to)
{
	return at >= from && at <= to && size <= to - at;
}

/* The blocks are aligned, apart from each other and inside the blob, so that no sum below can overflow: reservations
 * first, then structure and strings, in either order (SLOF writes the strings first). */
static const char *check_blocks(const void *blob)
{
	uint32_t total = head_cell(blob, H_TOTAL), rsv = head_cell(blob, H_RSV);
	uint32_t block = head_cell(blob, H_STRUCT), block_size = head_cell(blob, H_STRUCT_SIZE);
	uint32_t strings = head_cell(blob, H_STRINGS), strings_size = head_cell(blob, H_STRINGS_SIZE);

	if (rsv % 8 || !lies_inside(rsv, RSV, HEAD, total))
		return "its memory reservations lie wrong";
	if (block % 4 || block_size % 4 || !lies_inside(block, block_size, rsv + RSV, total))
		return "its structure block lies wrong";
	if (!lies_inside(strings, strings_size, rsv + RSV, total) || (strings < block + block_size && block < strings + strings_size))
		return "its strings lie wrong";
	return NULL;
}

/* Bytes of the list, with the entry of zeros that ends it; 0: it has no end before the next block, or is too long. Where an
 * address stands beside a size of 0, readers do not agree on whether that is the end. */
static uint32_t rsv_size(const void *blob)
{
	uint32_t block = head_cell(blob, H_STRUCT), strings = head_cell(blob, H_STRINGS);
	uint32_t room = (block < strings ? block : strings) - head_cell(blob, H_RSV);
	const uint8_t *list = (const uint8_t *)blob + head_cell(blob, H_RSV);
	static const uint8_t none[RSV];

	for (uint32_t at = 0; room - at >= RSV && at <= TREE_MAX_RSV * RSV; at += RSV)
		if (!memcmp(list + at + RSV / 2, none, RSV / 2))
			return memcmp(list + at, none, RSV) ? 0 : at + RSV;
	return 0;
}

/* ---- Names ---- */

/* Printable and without '/', so that paths and lines of a log can show a name as it is. */
bool tree_name_ok(const char *name, size_t len)
{
	if (!len || len > TREE_MAX_NAME)
		return false;
	for (size_t i = 0; i < len; i++)
		if (name[i] <= ' ' || name[i] > '~' || name[i] == '/')
			return false;
	return true;
}

/* Length of the string at `s` that ends before `room` bytes do, or TREE_MAX_NAME + 1. */
static size_t name_len(const char *s, uint64_t room)
{
	size_t most = room < TREE_MAX_NAME + 1 ? (size_t)room : TREE_MAX_NAME + 1;
	const char *end = memchr(s, 0, most);

	return end ? (size_t)(end - s) : TREE_MAX_NAME + 1;
}

/* ---- The structure block ---- */

struct walk {
	const uint8_t *block, *strings;
	uint32_t size, strings_size;	/* bytes */
	uint32_t at;
	unsigned depth;			/* nodes that are open */
	bool props;			/* the newest open node may still have properties */
	const char *why;
};

static bool walk_wrong(struct walk *w, const char *why)
{
	w->why = why;
	return false;
}

static bool begin_node(struct walk *w)
{
	const char *name = (const char *)w->block + w->at;
	size_t len = name_len(name, w->size - w->at);
	bool root = !w->depth;

	if (root ? len != 0 : !tree_name_ok(name, len))
		return walk_wrong(w, "a node has a wrong name");
	if (w->depth == TREE_MAX_DEPTH)
		return walk_wrong(w, "it is too deep");
	w->at += align_cell((uint32_t)len + 1);
	w->depth++;
	w->props = true;
	return true;
}

static bool end_node(struct walk *w)
{
	if (!w->depth)
		return walk_wrong(w, "a node ends that has not begun");
	w->depth--;
	w->props = false;
	return true;
}

static bool read_property(struct walk *w)
{
	uint32_t len, name;

	if (!w->props)
		return walk_wrong(w, "a property lies outside its node, or behind a node of it");
	if (w->size - w->at < 8)
		return walk_wrong(w, "a property is cut off");
	len = get32(w->block, w->at);
	name = get32(w->block, w->at + 4);
	w->at += 8;
	if (len > w->size - w->at || align_cell(len) > w->size - w->at)
		return walk_wrong(w, "a property is longer than the block");
	if (name >= w->strings_size ||
	    !tree_name_ok((const char *)w->strings + name, name_len((const char *)w->strings + name, w->strings_size - name)))
		return walk_wrong(w, "a property has a wrong name");
	w->at += align_cell(len);
	return true;
}

/* `at` is a multiple of 4 and so is the size. */
static bool read_token(struct walk *w)
{
	uint32_t tag = get32(w->block, w->at);
	bool first = !w->at;

	w->at += 4;
	if (first ? tag != TREE_BEGIN : !w->depth && tag != TREE_LAST)
		return walk_wrong(w, "it has not one root");
	switch (tag) {
	case TREE_BEGIN: return begin_node(w);
	case TREE_END:   return end_node(w);
	case TREE_PROP:  return read_property(w);
	case TREE_NOP:   return true;
	case TREE_LAST:  return !w->depth || walk_wrong(w, "a node has no end");
	default:         return walk_wrong(w, "it has an unknown token");
	}
}

static const char *check_struct(const void *blob)
{
	struct walk w = {
		.block = (const uint8_t *)blob + head_cell(blob, H_STRUCT), .size = head_cell(blob, H_STRUCT_SIZE),
		.strings = (const uint8_t *)blob + head_cell(blob, H_STRINGS), .strings_size = head_cell(blob, H_STRINGS_SIZE),
	};
	uint32_t last = 0;

	while (w.at < w.size) {
		last = w.at;
		if (!read_token(&w))
			return w.why;
		if (get32(w.block, last) == TREE_LAST)
			break;
	}
	if (!w.size || get32(w.block, last) != TREE_LAST)
		return "it has no end";
	return w.at == w.size ? NULL : "something follows its end";
}

const char *tree_check(const void *blob, uint64_t size)
{
	const char *why = check_head(blob, size);

	why = why ? why : check_blocks(blob);
	if (!why && !rsv_size(blob))
		why = "its memory reservations have no good end, or are too many";
	return why ? why : check_struct(blob);
}

/* ---- Walking ---- */

struct tree_token tree_token_at(const void *blob, uint32_t at)
{
	const uint8_t *block = (const uint8_t *)blob + head_cell(blob, H_STRUCT);
	struct tree_token t = { .tag = get32(block, at), .at = at, .next = at + 4 };

	if (t.tag == TREE_BEGIN) {
		t.name = (const char *)block + at + 4;
		t.next += align_cell((uint32_t)strlen(t.name) + 1);
	} else if (t.tag == TREE_PROP) {
		t.len = get32(block, at + 4);
		t.name = (const char *)blob + head_cell(blob, H_STRINGS) + get32(block, at + 8);
		t.value = block + at + 12;
		t.next += 8 + align_cell(t.len);
	}
	return t;
}

/* ---- Copying ---- */

/* Pads with zeros to a multiple of 4, whatever the source has there. */
static uint32_t put_padded(uint8_t *out, uint32_t at, const void *from, uint32_t len)
{
	memcpy(out + at, from, len);
	memset(out + at + len, 0, align_cell(len) - len);
	return at + align_cell(len);
}

/* Copies token by token, without NOPs. How many bytes were written. */
static uint32_t copy_struct(uint8_t *out, const void *blob)
{
	const uint8_t *block = (const uint8_t *)blob + head_cell(blob, H_STRUCT);
	struct tree_token t = { 0 };
	uint32_t n = 0;

	for (uint32_t at = 0; t.tag != TREE_LAST; at = t.next) {
		t = tree_token_at(blob, at);
		if (t.tag == TREE_NOP)
			continue;
		put32(out, n, t.tag);
		n += 4;
		if (t.tag == TREE_BEGIN) {
			n = put_padded(out, n, t.name, (uint32_t)strlen(t.name) + 1);
		} else if (t.tag == TREE_PROP) {
			memcpy(out + n, block + at + 4, 8);
			n = put_padded(out, n + 8, t.value, t.len);
		}
	}
	return n;
}

/* The strings keep their order, so that the properties' offsets of names hold. */
void *tree_copy(const void *blob, uint32_t *size)
{
	uint32_t rsv = rsv_size(blob), block = HEAD + rsv, strings_size = head_cell(blob, H_STRINGS_SIZE);
	uint8_t *out = malloc((size_t)block + head_cell(blob, H_STRUCT_SIZE) + strings_size);
	uint32_t cell[HEAD / 4];

	if (!out)
		return NULL;
	memcpy(out + HEAD, (const uint8_t *)blob + head_cell(blob, H_RSV), rsv);
	cell[H_STRUCT_SIZE] = copy_struct(out + block, blob);
	cell[H_STRINGS] = block + cell[H_STRUCT_SIZE];
	memcpy(out + cell[H_STRINGS], (const uint8_t *)blob + head_cell(blob, H_STRINGS), strings_size);
	cell[H_STRINGS_SIZE] = strings_size;
	cell[H_MAGIC] = MAGIC;
	cell[H_STRUCT] = block;
	cell[H_RSV] = HEAD;
	cell[H_VERSION] = VERSION;
	cell[H_COMPATIBLE] = OLDEST;
	cell[H_BOOT_CPU] = head_cell(blob, H_BOOT_CPU);
	cell[H_TOTAL] = *size = cell[H_STRINGS] + strings_size;
	for (unsigned i = 0; i < HEAD / 4; i++)
		put32(out, 4 * i, cell[i]);
	return out;
}
