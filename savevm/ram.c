/* Guest memory, a live section: a machine that runs on sends it in parts. Here all pages come in the last one. */
#include <stdlib.h>
#include <string.h>

#include "savevm/savevm.h"

#define PAGE 4096u
#define PROGRESS (1u << 20)		/* bytes between two reports */
#define RAM_VERSION  4

/* The low bits of a record's first word; the others are the address. */
enum ram_flag {
	RAM_ZERO = 0x02, RAM_SIZES = 0x04, RAM_PAGE = 0x08, RAM_EOS = 0x10, RAM_CONTINUE = 0x20,
};

#define RAM_FLAGS UINT64_C(0xfff)

/* ---- Saving ---- */

static bool ram_save_start(struct stream *s, void *object)
{
	const struct vms_ram *ram = object;
	uint64_t all = ram->size;

	for (unsigned i = 0; i < ram->mores; i++)
		all += ram->more[i].size;
	stream_put_be(s, all | RAM_SIZES, 8);
	stream_put_string(s, ram->block);
	stream_put_be(s, ram->size, 8);
	for (unsigned i = 0; i < ram->mores; i++) {
		stream_put_string(s, ram->more[i].name);
		stream_put_be(s, ram->more[i].size, 8);
	}
	stream_put_be(s, RAM_EOS, 8);
	return !s->failed;
}

bool vms_page_is_zero(const uint8_t *p)
{
	uint64_t first;

	memcpy(&first, p, sizeof first);
	return !first && !memcmp(p, p + sizeof first, PAGE - sizeof first);
}

bool vms_ram_is_zero(struct vms_ram *ram, uint64_t at)
{
	if (!at)
		ram->used = 0;
	if (ram->next_used && ram->used <= at)
		ram->used = ram->next_used(ram->opaque, at);
	return (ram->next_used && ram->used >= at + PAGE) || vms_page_is_zero(ram->base + at);
}

static bool as_in_parent(const struct vms_ram *ram, uint64_t at, bool zero)
{
	const uint8_t *page = ram->parent_page ? ram->parent_page(ram->parent, at) : NULL;

	if (!ram->parent_page)
		return false;
	return !page ? zero : zero ? vms_page_is_zero(page) : !memcmp(page, ram->base + at, PAGE);
}

static void put_page(struct stream *s, const char *block, const uint8_t *page, uint64_t at, bool zero, bool first)
{
	stream_put_be(s, at | (zero ? RAM_ZERO : RAM_PAGE) | (first ? 0 : RAM_CONTINUE), 8);
	if (first)
		stream_put_string(s, block);
	if (zero)
		stream_put_be(s, 0, 1);
	else
		stream_put(s, page, PAGE);
}

static void put_block(struct stream *s, const struct vms_block *b)
{
	for (uint64_t at = 0; at < b->size && !s->failed; at += PAGE)
		put_page(s, b->name, b->base + at, at, vms_page_is_zero(b->base + at), !at);
}

static void tell_progress(struct vms_ram *ram, const struct stream *s, uint64_t done)
{
	ram->sent = stream_position(s);
	if (ram->progress)
		ram->progress(ram->opaque, done);
}

static bool ram_save_end(struct stream *s, void *object)
{
	struct vms_ram *ram = object;
	uint64_t size = ram->elsewhere ? 0 : ram->size;
	bool first = true;

	for (uint64_t at = 0; at < size && !s->failed; at += PAGE) {
		bool zero = vms_ram_is_zero(ram, at);

		if (at % PROGRESS == 0)
			tell_progress(ram, s, at);
		ram->zeros += zero;
		if (as_in_parent(ram, at, zero))
			continue;
		put_page(s, ram->block, ram->base + at, at, zero, first);
		first = false;
	}
	for (unsigned i = 0; i < ram->mores; i++)
		put_block(s, &ram->more[i]);
	stream_put_be(s, RAM_EOS, 8);
	if (!s->failed)
		tell_progress(ram, s, size);
	return !s->failed;
}

/* ---- Loading ---- */

static bool ram_wrong(struct stream *s, const char *field, const char *expected, uint64_t found)
{
	return stream_fail(s, "section ram 0: %s: expected %s, found 0x%llx", field, expected, (unsigned long long)found);
}

#define OWN VMS_BLOCKS			/* the guest's own memory, as the number of a block */

/* -1: there is none. */
static int find_block(const struct vms_ram *ram, const char *name)
{
	if (!strcmp(name, ram->block))
		return OWN;
	for (unsigned i = 0; i < ram->mores; i++)
		if (!strcmp(name, ram->more[i].name))
			return (int)i;
	return -1;
}

/* The firmware of a card, which QEMU takes along, is nothing that our cards have. */
static int add_read_over(struct vms_ram *ram, const char *name, uint64_t size)
{
	size_t len = strlen(name);

	if (ram->mores == VMS_BLOCKS || len < 4 || len >= VMS_BLOCK_NAME || strcmp(name + len - 4, ".rom"))
		return -1;
	ram->more[ram->mores] = (struct vms_block){ .size = size };
	memcpy(ram->more[ram->mores].name, name, len + 1);
	return (int)ram->mores++;
}

/* Each block's name and size, until they add up to all. */
static bool load_sizes(struct stream *s, struct vms_ram *ram, uint64_t left)
{
	uint64_t own = 0;

	if (left < ram->size)
		return stream_fail(s, "section ram 0: size of all memory: expected %llu MiB, found %llu MiB (-m)",
				   (unsigned long long)(ram->size >> 20), (unsigned long long)(left >> 20));
	while (left) {
		char name[256];
		uint64_t size;
		int block;

		stream_get_string(s, name);
		size = stream_get_be(s, 8);
		if (s->failed)
			return false;
		block = find_block(ram, name);
		if (block < 0)
			block = add_read_over(ram, name, size);
		if (block < 0)
			return stream_fail(s, "section ram 0: block: expected %s, found %.100s", ram->block, name);
		if (block == OWN && size != ram->size && size == left)
			return stream_fail(s, "section ram 0: size of all memory: expected %llu MiB, found %llu MiB (-m)",
					   (unsigned long long)(ram->size >> 20), (unsigned long long)(size >> 20));
		if (!size || size > left || size != (block == OWN ? ram->size : ram->more[block].size))
			return ram_wrong(s, "size of the block", "that of the machine", size);
		left -= size;
		own += block == OWN ? size : 0;
	}
	return own == ram->size || ram_wrong(s, "size of the block", "that of the machine", own);
}

static bool load_block(struct stream *s, struct vms_ram *ram, uint64_t flags)
{
	char name[256];

	if (flags & RAM_CONTINUE)
		return ram->current >= 0 || ram_wrong(s, "page", "the name of a block first", flags);
	if (!stream_get_string(s, name))
		return false;
	ram->current = find_block(ram, name);
	return ram->current >= 0 || stream_fail(s, "section ram 0: block: expected %s, found %.100s", ram->block, name);
}

static bool load_of_device(struct stream *s, struct vms_block *b, uint64_t at, uint64_t flags)
{
	uint8_t page[PAGE];

	if (at >= b->size)
		return ram_wrong(s, "page address", "one inside the block", at);
	if (flags & RAM_PAGE)
		stream_get(s, page, sizeof page);
	else
		memset(page, (int)stream_get_be(s, 1), sizeof page);
	if (!s->failed && b->base && memcmp(b->base + at, page, sizeof page))
		memcpy(b->base + at, page, sizeof page);
	return !s->failed;
}

static bool load_page(struct stream *s, struct vms_ram *ram, uint64_t at, uint64_t flags)
{
	uint64_t page = at / PAGE;
	uint8_t fill;

	if (!load_block(s, ram, flags))
		return false;
	if (ram->current != OWN)
		return load_of_device(s, &ram->more[ram->current], at, flags);
	if (ram->progress && at % PROGRESS == 0)
		ram->progress(ram->opaque, at);
	if (at >= ram->size)
		return ram_wrong(s, "page address", "one inside the block", at);
	if (flags & RAM_PAGE) {
		ram->seen[page / 8] |= (uint8_t)(1 << page % 8);
		return stream_get(s, ram->base + at, PAGE);
	}
	fill = (uint8_t)stream_get_be(s, 1);
	if (s->failed)
		return false;
	/* Zeros are written only where something else may be: a page that nobody has touched takes no memory of the host. */
	if (fill || ram->kept || ram->seen[page / 8] >> page % 8 & 1) {
		ram->seen[page / 8] |= (uint8_t)(1 << page % 8);
		memset(ram->base + at, fill, PAGE);
	}
	return true;
}

static bool ram_load(struct stream *s, void *object, enum vms_tag part)
{
	struct vms_ram *ram = object;
	uint64_t flags = 0;

	if (!ram->seen) {
		ram->seen = calloc(ram->size / PAGE / 8 + 1, 1);
		ram->current = -1;
		if (!ram->seen)
			return stream_fail(s, "out of memory");
	}
	while (!s->failed && flags != RAM_EOS) {
		uint64_t word = stream_get_be(s, 8);

		flags = word & RAM_FLAGS;
		if (s->failed)
			return false;
		switch (flags) {
		case RAM_EOS:
			break;
		case RAM_SIZES:
			if (part != VMS_TAG_START)
				return ram_wrong(s, "record", "pages", flags);
			load_sizes(s, ram, word & ~RAM_FLAGS);
			break;
		case RAM_PAGE:
		case RAM_PAGE | RAM_CONTINUE:
		case RAM_ZERO:
		case RAM_ZERO | RAM_CONTINUE:
			load_page(s, ram, word & ~RAM_FLAGS, flags);
			break;
		default:
			return ram_wrong(s, "record", "pages without compression", flags);
		}
	}
	return !s->failed;
}

void vms_ram_done(struct vms_ram *ram)
{
	free(ram->seen);
	ram->seen = NULL;
}

void vms_ram_live(struct vms_live *live, struct vms_ram *ram)
{
	*live = (struct vms_live){
		.name = "ram", .version = RAM_VERSION, .save_start = ram_save_start, .save_end = ram_save_end,
		.load = ram_load, .object = ram,
	};
}
