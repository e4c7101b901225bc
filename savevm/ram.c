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

	stream_put_be(s, ram->size | RAM_SIZES, 8);
	stream_put_string(s, ram->block);
	stream_put_be(s, ram->size, 8);
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

static void put_page(struct stream *s, const struct vms_ram *ram, uint64_t at, bool zero, bool first)
{
	stream_put_be(s, at | (zero ? RAM_ZERO : RAM_PAGE) | (first ? 0 : RAM_CONTINUE), 8);
	if (first)
		stream_put_string(s, ram->block);
	if (zero)
		stream_put_be(s, 0, 1);
	else
		stream_put(s, ram->base + at, PAGE);
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
		put_page(s, ram, at, zero, first);
		first = false;
	}
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

static bool load_sizes(struct stream *s, const struct vms_ram *ram, uint64_t total)
{
	char name[256];
	uint64_t size;

	if (total != ram->size)
		return stream_fail(s, "section ram 0: size of all memory: expected %llu MiB, found %llu MiB (-m)",
				   (unsigned long long)(ram->size >> 20), (unsigned long long)(total >> 20));
	stream_get_string(s, name);
	size = stream_get_be(s, 8);
	if (s->failed)
		return false;
	if (strcmp(name, ram->block))
		return stream_fail(s, "section ram 0: block: expected %s, found %.100s", ram->block, name);
	return size == ram->size || ram_wrong(s, "size of the block", "that of the machine", size);
}

static bool load_block(struct stream *s, struct vms_ram *ram, uint64_t flags)
{
	char name[256];

	if (flags & RAM_CONTINUE)
		return ram->current || ram_wrong(s, "page", "the name of a block first", flags);
	if (!stream_get_string(s, name))
		return false;
	ram->current = !strcmp(name, ram->block);
	return ram->current || stream_fail(s, "section ram 0: block: expected %s, found %.100s", ram->block, name);
}

static bool load_page(struct stream *s, struct vms_ram *ram, uint64_t at, uint64_t flags)
{
	uint64_t page = at / PAGE;
	uint8_t fill;

	if (!load_block(s, ram, flags))
		return false;
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

	if (!ram->seen && !(ram->seen = calloc(ram->size / PAGE / 8 + 1, 1)))
		return stream_fail(s, "out of memory");
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
