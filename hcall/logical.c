/* Real memory by hypercall: debugger support, page copy, and the firmware's block operations.
 * PAPR, "Debugger Support" hcall()s and H_PAGE_INIT.
 */
#include "hcall/hcall.h"
#include "machine/core/mmio.h"

/* ---- One value of 1, 2, 4 or 8 bytes, big-endian ---- */

static bool access_ok(const struct ram *ram, uint64_t size, uint64_t addr)
{
	return (size == 1 || size == 2 || size == 4 || size == 8) && addr % size == 0 && ram_ok(ram, addr, size);
}

static int64_t logical_load(struct cpu *cpu, const uint64_t *in, uint64_t *out)
{
	const struct ram *ram = cpu->env->ram;

	if (!access_ok(ram, in[0], in[1]))
		return H_PARAMETER;
	for (unsigned i = 0; i < in[0]; i++)
		out[0] = out[0] << 8 | ld_u8(ram, in[1] + i);
	return H_SUCCESS;
}

static int64_t logical_store(struct cpu *cpu, const uint64_t *in)
{
	uint64_t be = __builtin_bswap64(in[2]);

	if (!access_ok(cpu->env->ram, in[0], in[1]))
		return H_PARAMETER;
	ram_write(cpu->env->ram, in[1], (const uint8_t *)&be + 8 - in[0], in[0]);
	return H_SUCCESS;
}

/* A device's bytes as a number, the first one most significant; and back. */
static uint64_t swap(uint64_t value, uint64_t size)
{
	return __builtin_bswap64(value) >> (64 - 8 * size);
}

/* Outside RAM there may be a device. There is no cache to bypass. */
HCALL_FN(H_LOGICAL_CI_LOAD)
{
	uint64_t value;

	if (access_ok(cpu->env->ram, in[0], in[1]) || in[0] > 8 || !mmio_load(cpu_machine(cpu), in[1], (unsigned)in[0], &value))
		return logical_load(cpu, in, out);
	out[0] = swap(value, in[0]);
	return H_SUCCESS;
}

HCALL_FN(H_LOGICAL_CI_STORE)
{
	uint64_t size = in[0];

	if (access_ok(cpu->env->ram, size, in[1]) || !size || size > 8 ||
	    !mmio_store(cpu_machine(cpu), in[1], (unsigned)size, swap(in[2], size)))
		return logical_store(cpu, in);
	return H_SUCCESS;
}

HCALL_FN(H_LOGICAL_CACHE_LOAD) { return logical_load(cpu, in, out); }
HCALL_FN(H_LOGICAL_CACHE_STORE) { return logical_store(cpu, in); }

static int64_t touch_line(struct cpu *cpu, uint64_t addr)
{
	return ram_ok(cpu->env->ram, addr, 1) ? H_SUCCESS : H_PARAMETER;
}

HCALL_FN(H_LOGICAL_ICBI) { return touch_line(cpu, in[0]); }
HCALL_FN(H_LOGICAL_DCBF) { return touch_line(cpu, in[0]); }

/* ---- A page of 4 KiB ---- */
#define PAGE_ICACHE_INVALIDATE  PPC_BIT(40)
#define PAGE_ICACHE_SYNCHRONIZE PPC_BIT(41)
#define PAGE_ZERO               PPC_BIT(48)
#define PAGE_COPY               PPC_BIT(49)
#define PAGE_FLAGS (PAGE_ICACHE_INVALIDATE | PAGE_ICACHE_SYNCHRONIZE | PAGE_ZERO | PAGE_COPY)

static bool page_ok(const struct ram *ram, uint64_t gra)
{
	return gra % RAM_PAGE_SIZE == 0 && ram_ok(ram, gra, RAM_PAGE_SIZE);
}

HCALL_FN(H_PAGE_INIT)
{
	struct ram *ram = cpu->env->ram;
	uint64_t flags = in[0], dst = in[1], src = in[2];
	uint8_t page[RAM_PAGE_SIZE];

	if ((flags & ~PAGE_FLAGS) || !page_ok(ram, dst) || ((flags & PAGE_COPY) && !page_ok(ram, src)))
		return H_PARAMETER;
	if (flags & PAGE_COPY) {
		ram_read(ram, src, page, sizeof page);
		ram_write(ram, dst, page, sizeof page);
	} else if (flags & PAGE_ZERO) {
		ram_fill(ram, dst, 0, RAM_PAGE_SIZE);
	}
	return H_SUCCESS;
}

/* ---- Firmware's copy and invert: `count` elements of 1 << esize bytes. The areas may overlap:
 * the result is as if all had been read before the first is written. ---- */
/* Bytes. Firmware copies frame buffers with it, which are smaller; a longer copy would keep the host too long. */
#define MEMOP_MAX (UINT64_C(64) << 20)

/* RAM, or the memory of one device: a screen's. NULL: neither. */
static uint8_t *memory_at(const struct ram *ram, uint64_t gra, uint64_t len)
{
	uint64_t at;

	if (ram_ok(ram, gra, len))
		return ram->base + gra;
	at = len ? ram_part_at(ram, gra) : RAM_NOWHERE;
	return at != RAM_NOWHERE && ram_part_at(ram, gra + (len - 1)) == at + (len - 1) ? ram->base + at : NULL;
}

HCALL_FN(H_LOGICAL_MEMOP)
{
	struct ram *ram = cpu->env->ram;
	uint64_t dst = in[0], src = in[1], esize = in[2], count = in[3], op = in[4], len;
	uint8_t *to;
	const uint8_t *from;

	if (esize > 3 || count > UINT32_C(0x80000000) || op > 1)
		return H_PARAMETER;
	len = count << esize;
	if (len > MEMOP_MAX)
		return H_PARAMETER;
	to = memory_at(ram, dst, len);
	from = memory_at(ram, src, len);
	if (((dst | src) & ((UINT64_C(1) << esize) - 1)) || !to || !from)
		return H_PARAMETER;
	memmove(to, from, len);
	if (op == 1)
		for (uint64_t i = 0; i < len; i++)
			to[i] = (uint8_t)~to[i];
	if (ram_ok(ram, dst, len))
		ram_written(ram, dst, len);
	hcall_worked(cpu_machine(cpu), len);
	return H_SUCCESS;
}
