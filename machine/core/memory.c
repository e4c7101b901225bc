/* Guest RAM on the host: one sparse mapping, never executable, and one flag byte per 4 KiB
 * page beside it, sparse as well, so that a 64 GiB machine costs what its guest touches. */
#define _GNU_SOURCE
#include "machine/core/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Transparent huge pages need 2 MiB alignment; the slack is address space, not memory. */
#define HUGE_PAGE (UINT64_C(2) << 20)

static void *map_sparse(uint64_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* Behind RAM: inaccessible pages, then address space for the memory of devices, where the host has so much. */
#define PARTS_ROOM (UINT64_C(1) << 30)

/* Maps `size` bytes at a multiple of HUGE_PAGE with `tail` bytes of inaccessible pages after them: a host
 * access that runs off the end stops there. */
static uint8_t *map_aligned(uint64_t size, uint64_t tail)
{
	uint64_t room = size + tail + HUGE_PAGE;
	uint8_t *raw = map_sparse(room), *base;
	uint64_t before;

	if (!raw)
		return NULL;
	before = -(uint64_t)(uintptr_t)raw & (HUGE_PAGE - 1);
	base = raw + before;
	if (before)
		munmap(raw, before);
	mprotect(base + size, room - before - size, PROT_NONE);
	if (room - before - size > tail)
		munmap(base + size + tail, room - before - size - tail);
	return base;
}

static void advise(struct ram *ram)
{
	/* Advice only: a host without huge pages is slower, not wrong. */
	madvise(ram->base, ram->size, MADV_HUGEPAGE);
	madvise(ram->base, ram->size, MADV_DONTDUMP);
}

bool memory_map(struct ram *ram, uint64_t size, struct error *err)
{
	*ram = (struct ram){ .size = size };
	ram->tail = HUGE_PAGE + PARTS_ROOM;
	ram->base = map_aligned(size, ram->tail);
	if (!ram->base) {
		ram->tail = HUGE_PAGE;
		ram->base = map_aligned(size, ram->tail);
	}
	ram->page = map_sparse(size >> RAM_PAGE_SHIFT);
	if (!ram->base || !ram->page) {
		error_set(err, "cannot map %llu MiB of guest memory: %s",
			  (unsigned long long)(size >> 20), strerror(errno));
		memory_unmap(ram);
		return false;
	}
	advise(ram);
	return true;
}

void memory_unmap(struct ram *ram)
{
	if (ram->base)
		munmap(ram->base, ram->size + ram->tail);
	if (ram->page)
		munmap(ram->page, ram->size >> RAM_PAGE_SHIFT);
	free(ram->from_file);
	ram->base = ram->page = ram->from_file = NULL;
}

uint8_t *memory_add_part(struct ram *ram, uint64_t size, unsigned *number, struct error *err)
{
	uint64_t at = ram->size + HUGE_PAGE;

	for (unsigned i = 0; i < ram->parts; i++)
		at = ram->part[i].at + ram->part[i].size + HUGE_PAGE;
	if (ram->parts == RAM_PARTS || at + size > ram->size + ram->tail ||
	    mprotect(ram->base + at, size, PROT_READ | PROT_WRITE)) {
		error_set(err, "there is no room for %llu MiB more of devices' memory", (unsigned long long)(size >> 20));
		return NULL;
	}
	*number = ram->parts++;
	ram->part[*number] = (struct ram_part){ .gra = RAM_NOWHERE, .size = size, .at = at };
	return ram->base + at;
}

void memory_clear_part(struct ram *ram, unsigned number, uint64_t len)
{
	uint8_t *bytes = ram->base + ram->part[number].at;
	uint64_t whole = len & ~((uint64_t)sysconf(_SC_PAGESIZE) - 1);

	if (whole && madvise(bytes, whole, MADV_DONTNEED))
		whole = 0;
	memset(bytes + whole, 0, len - whole);
}

bool memory_map_file(struct ram *ram, uint64_t gra, int fd, uint64_t at, uint64_t len)
{
	if (!ram->from_file && !(ram->from_file = calloc(ram->size / HUGE_PAGE + 1, 1)))
		return false;
	memset(ram->from_file + gra / HUGE_PAGE, 1, len / HUGE_PAGE);
	return mmap(ram->base + gra, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, fd, (off_t)at) != MAP_FAILED;
}

/* What came from a file would come from there again. */
static bool map_anew(struct ram *ram)
{
	void *p = mmap(ram->base, ram->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);

	if (p == MAP_FAILED)
		return false;
	free(ram->from_file);
	ram->from_file = NULL;
	advise(ram);
	return true;
}

void memory_clear(struct ram *ram)
{
	/* MADV_DONTNEED on a private anonymous mapping: next read sees zeros. */
	if (ram->from_file ? !map_anew(ram) : madvise(ram->base, ram->size, MADV_DONTNEED))
		memset(ram->base, 0, ram->size);
}

static bool any_from_file(const struct ram *ram, uint64_t gra, uint64_t len)
{
	for (uint64_t i = gra / HUGE_PAGE; ram->from_file && i <= (gra + len - 1) / HUGE_PAGE; i++)
		if (ram->from_file[i])
			return true;
	return false;
}

void memory_discard(struct ram *ram, uint64_t gra, uint64_t len)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	if (!len || !ram_ok(ram, gra, len))
		return;
	ram_written(ram, gra, len);
	/* What came from a file would come from there again. */
	if ((gra | len) & (page - 1) || any_from_file(ram, gra, len) || madvise(ram->base + gra, len, MADV_DONTNEED))
		memset(ram->base + gra, 0, len);
}

/* ---- Which pages have been touched ---- */

#define PAGEMAP_CHUNK 4096		/* entries read at a time */
#define PAGEMAP_TOUCHED (UINT64_C(3) << 62)	/* present or swapped: Linux, admin-guide/mm/pagemap */

void memory_used_open(struct memory_used *u, const struct ram *ram)
{
	*u = (struct memory_used){
		.ram = ram, .page = (uint64_t)sysconf(_SC_PAGESIZE), .fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC),
		.entry = malloc(PAGEMAP_CHUNK * sizeof *u->entry),
	};
}

void memory_used_close(struct memory_used *u)
{
	if (u->fd >= 0)
		close(u->fd);
	free(u->entry);
}

/* The entries from host page `page` on; false: nobody knows. */
static bool fetch_entries(struct memory_used *u, uint64_t page)
{
	uint64_t left = u->ram->size / u->page - page;
	off_t at = (off_t)(((uintptr_t)u->ram->base / u->page + page) * sizeof *u->entry);

	u->first = page;
	u->count = left < PAGEMAP_CHUNK ? left : PAGEMAP_CHUNK;
	return u->entry && u->fd >= 0 &&
	       pread(u->fd, u->entry, u->count * sizeof *u->entry, at) == (ssize_t)(u->count * sizeof *u->entry);
}

uint64_t memory_used_next(void *opaque, uint64_t from)
{
	struct memory_used *u = opaque;
	uint64_t page = from / u->page;

	for (; page < u->ram->size / u->page; page++) {
		if (page - u->first >= u->count && !fetch_entries(u, page)) {
			u->count = 0;
			break;
		}
		if (u->entry[page - u->first] & PAGEMAP_TOUCHED || (u->ram->from_file && u->ram->from_file[page * u->page / HUGE_PAGE]))
			break;
	}
	return page * u->page > from ? page * u->page : from;
}
