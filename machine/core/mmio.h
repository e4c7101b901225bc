/* Guest real addresses behind which there is no RAM but a device: windows, each of one owner, that do not overlap.
 *
 * A processor's load or store that leaves RAM comes here, and so does H_LOGICAL_CI_LOAD. Values are little-endian
 * numbers: the byte at the lowest address is bits 0 to 7, whatever the processor's mode. An access has 1, 2, 4 or 8
 * bytes, lies within one window and is aligned; others are refused before the owner sees them. No access starts another.
 */
#ifndef MACHINE_CORE_MMIO_H
#define MACHINE_CORE_MMIO_H

#include <stdbool.h>
#include <stdint.h>

struct machine;

struct mmio_window {
	uint64_t base, size;		/* guest real addresses; not in RAM */
	uint64_t (*load)(void *opaque, uint64_t offset, unsigned size);
	void (*store)(void *opaque, uint64_t offset, unsigned size, uint64_t value);
	void *opaque;
	struct mmio_window *next;
};

/* `window` is the owner's, and stays where it is until mmio_remove(). */
void mmio_add(struct machine *m, struct mmio_window *window);
void mmio_remove(struct machine *m, struct mmio_window *window);

/* False: there is nothing at that address, or the access is none that a device takes. */
bool mmio_load(struct machine *m, uint64_t gra, unsigned size, uint64_t *value);
bool mmio_store(struct machine *m, uint64_t gra, unsigned size, uint64_t value);

#endif
