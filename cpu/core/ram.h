/* Guest real memory as the processor and the devices see it.
 *
 * One contiguous host mapping (sparse, filled on touch) of `size` bytes from guest
 * real address 0. Everything but the processor's own fast path goes through the
 * typed accessors, which check bounds and tell the block cache about writes.
 */
#ifndef CPU_CORE_RAM_H
#define CPU_CORE_RAM_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define RAM_PAGE_SHIFT 12
#define RAM_PAGE_SIZE  (UINT64_C(1) << RAM_PAGE_SHIFT)

enum ram_page_flag {
	RAM_PAGE_CODE = 1,	/* decoded blocks lie in this 4 KiB page */
};

/* Memory of a device that processors reach as they reach RAM: behind RAM in the host's mapping, and for the guest at a real
 * address of its own, or nowhere. Both are multiples of RAM_PAGE_SIZE. Nobody else sees it there, and no code runs from it. */
#define RAM_PARTS 4
#define RAM_NOWHERE UINT64_MAX
struct ram_part { uint64_t gra, size, at; };	/* at: from the base */

struct ram {
	uint8_t *base;		/* host address of guest real address 0 */
	uint64_t size;		/* bytes */
	uint64_t tail;		/* bytes of address space behind them, of which the first ones are nobody's */
	struct ram_part part[RAM_PARTS];
	unsigned parts;
	uint8_t *page;		/* enum ram_page_flag per 4 KiB page */
	uint8_t *from_file;	/* for each 2 MiB: mapped from a file, so not zero though untouched; NULL: nothing is */
	/* Called when a page with RAM_PAGE_CODE is written other than by the fast path. */
	void (*code_written)(void *opaque, uint64_t gra, uint64_t len);
	void *opaque;
};

/* True if [gra, gra + len) lies in RAM; len 0 is true for gra <= size. */
static inline bool ram_ok(const struct ram *ram, uint64_t gra, uint64_t len)
{
	return gra <= ram->size && len <= ram->size - gra;
}

/* Where from the base the part's byte is that is at this real address outside RAM; RAM_NOWHERE: there is none. */
static inline uint64_t ram_part_at(const struct ram *ram, uint64_t gra)
{
	for (unsigned i = 0; i < ram->parts; i++)
		if (ram->part[i].gra != RAM_NOWHERE && gra - ram->part[i].gra < ram->part[i].size)
			return ram->part[i].at + (gra - ram->part[i].gra);
	return RAM_NOWHERE;
}

/* The range has just been written, or is about to be, by a hypercall, device or loader. */
void ram_written(struct ram *ram, uint64_t gra, uint64_t len);

/* Copies; false and nothing done if the range leaves RAM. */
bool ram_read(const struct ram *ram, uint64_t gra, void *buf, uint64_t len);
bool ram_write(struct ram *ram, uint64_t gra, const void *buf, uint64_t len);
bool ram_fill(struct ram *ram, uint64_t gra, uint8_t byte, uint64_t len);

/* Big-endian accessors. A load out of RAM gives 0, a store there does nothing:
 * callers that must tell the guest check ram_ok() first. */
#define RAM_BE(bits) \
	static inline uint##bits##_t ld_be##bits(const struct ram *ram, uint64_t gra) \
	{ \
		uint##bits##_t v = 0; \
		if (ram_ok(ram, gra, sizeof v)) \
			memcpy(&v, ram->base + gra, sizeof v); \
		return __builtin_bswap##bits(v); \
	} \
	static inline void st_be##bits(struct ram *ram, uint64_t gra, uint##bits##_t v) \
	{ \
		v = __builtin_bswap##bits(v); \
		ram_write(ram, gra, &v, sizeof v); \
	}
RAM_BE(16)
RAM_BE(32)
RAM_BE(64)
#undef RAM_BE

static inline uint8_t ld_u8(const struct ram *ram, uint64_t gra)
{
	return ram_ok(ram, gra, 1) ? ram->base[gra] : 0;
}

static inline void st_u8(struct ram *ram, uint64_t gra, uint8_t v)
{
	ram_write(ram, gra, &v, 1);
}

#endif
