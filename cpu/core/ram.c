/* Guest real memory, everything but the processor's fast path: bounds, and telling the
 * block cache about writes. The mapping itself is made by the board. */
#include "cpu/core/ram.h"

void ram_written(struct ram *ram, uint64_t gra, uint64_t len)
{
	uint64_t end, page;

	if (!len || !ram_ok(ram, gra, len) || !ram->code_written)
		return;
	end = gra + len;
	for (page = gra >> RAM_PAGE_SHIFT; page <= (end - 1) >> RAM_PAGE_SHIFT; page++) {
		uint64_t start = page << RAM_PAGE_SHIFT, stop = start + RAM_PAGE_SIZE;

		if (!(ram->page[page] & RAM_PAGE_CODE))
			continue;
		if (start < gra)
			start = gra;
		if (stop > end)
			stop = end;
		ram->code_written(ram->opaque, start, stop - start);
	}
}

bool ram_read(const struct ram *ram, uint64_t gra, void *buf, uint64_t len)
{
	if (!ram_ok(ram, gra, len))
		return false;
	if (len)
		memcpy(buf, ram->base + gra, len);
	return true;
}

bool ram_write(struct ram *ram, uint64_t gra, const void *buf, uint64_t len)
{
	if (!ram_ok(ram, gra, len))
		return false;
	if (len) {
		memcpy(ram->base + gra, buf, len);
		ram_written(ram, gra, len);
	}
	return true;
}

bool ram_fill(struct ram *ram, uint64_t gra, uint8_t byte, uint64_t len)
{
	if (!ram_ok(ram, gra, len))
		return false;
	if (len) {
		memset(ram->base + gra, byte, len);
		ram_written(ram, gra, len);
	}
	return true;
}
