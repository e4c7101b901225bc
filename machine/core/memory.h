/* Guest RAM on the host. */
#ifndef MACHINE_CORE_MEMORY_H
#define MACHINE_CORE_MEMORY_H

#include "cpu/core/ram.h"
#include "savevm/error.h"

/* Maps `size` bytes (a multiple of 2 MiB), all zero; host memory is taken page by page as the
 * guest touches it. False and err->msg set if the host refuses. */
bool memory_map(struct ram *ram, uint64_t size, struct error *err);
void memory_unmap(struct ram *ram);
/* Makes all memory zero, as after power-on, and gives the host's pages back. */
void memory_clear(struct ram *ram);
/* Makes a part of it zero, and gives the host's pages back where they are whole. Nothing if it leaves RAM. */
void memory_discard(struct ram *ram, uint64_t gra, uint64_t len);

/* Memory of a device for processors to reach (ram.h, struct ram_part), all zero and nowhere, a multiple of 2 MiB: what number it
 * has. It goes with RAM. NULL and err->msg set: there is no room. */
uint8_t *memory_add_part(struct ram *ram, uint64_t size, unsigned *number, struct error *err);

/* Its first `len` bytes are zero again, and the host has those of its pages back that are whole. */
void memory_clear_part(struct ram *ram, unsigned number, uint64_t len);

/* Bytes of a file over `len` bytes of it, copied on write: all multiples of 2 MiB. Until memory_clear(). */
bool memory_map_file(struct ram *ram, uint64_t gra, int fd, uint64_t at, uint64_t len);

/* Which of it has ever been touched: the rest is zero, and stays untouched if nobody looks. */
struct memory_used {
	const struct ram *ram;
	uint64_t page;			/* bytes of a host page */
	int fd;
	uint64_t *entry;		/* of host pages first .. first + count - 1 */
	uint64_t first, count;
};

void memory_used_open(struct memory_used *u, const struct ram *ram);
/* First byte from `from` on in a page that may have been touched; the size of RAM: none. `u` is a
 * struct memory_used. */
uint64_t memory_used_next(void *u, uint64_t from);
void memory_used_close(struct memory_used *u);

#endif
