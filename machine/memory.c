/* Guest RAM on the host: one sparse mapping, never executable, and one flag byte per 4 KiB
 * page beside it, sparse as well, so that a 64 GiB machine costs what its guest touches. */
#define _GNU_SOURCE
#include "machine/memory.h"

#include <errno.h>
#include <sys/mman.h>

/* Transparent huge pages need 2 MiB alignment; the slack is address space, not memory. */
#define HUGE_PAGE (UINT64_C(2) << 20)

static void *map_sparse(uint64_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* Maps `size` bytes at a multiple of HUGE_PAGE with inaccessible pages after them: a host
 * access that runs off the end stops there. */
static uint8_t *map_aligned(uint64_t size)
{
	uint64_t room = size + 2 * HUGE_PAGE;
	uint8_t *raw = map_sparse(room), *base;
	uint64_t before;

	if (!raw)
		return NULL;
	before = -(uint64_t)(uintptr_t)raw & (HUGE_PAGE - 1);
	base = raw + before;
	if (before)
		munmap(raw, before);
	mprotect(base + size, room - before - size, PROT_NONE);
	if (room - before - size > HUGE_PAGE)
		munmap(base + size + HUGE_PAGE, room - before - size - HUGE_PAGE);
	return base;
}

bool memory_map(struct ram *ram, uint64_t size, struct error *err)
{
	*ram = (struct ram){ .size = size };
	ram->base = map_aligned(size);
	ram->page = map_sparse(size >> RAM_PAGE_SHIFT);
	if (!ram->base || !ram->page) {
		error_set(err, "cannot map %llu MiB of guest memory: %s",
			  (unsigned long long)(size >> 20), strerror(errno));
		memory_unmap(ram);
		return false;
	}
	/* Advice only: a host without huge pages is slower, not wrong. */
	madvise(ram->base, size, MADV_HUGEPAGE);
	madvise(ram->base, size, MADV_DONTDUMP);
	return true;
}

void memory_unmap(struct ram *ram)
{
	if (ram->base)
		munmap(ram->base, ram->size + HUGE_PAGE);
	if (ram->page)
		munmap(ram->page, ram->size >> RAM_PAGE_SHIFT);
	ram->base = ram->page = NULL;
}

void memory_clear(struct ram *ram)
{
	/* MADV_DONTNEED on a private anonymous mapping: next read sees zeros. */
	if (madvise(ram->base, ram->size, MADV_DONTNEED))
		memset(ram->base, 0, ram->size);
}
