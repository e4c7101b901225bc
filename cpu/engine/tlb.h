/* The software TLB: guest effective page to host address, and the loads and stores.
 *
 * A hit is: index by the 4 KiB page, compare the tag, add. An access that crosses a
 * page never hits, because the tag is compared with the page of its last byte while
 * the index comes from its first. Derived state: never saved. One array per context
 * (translation on or off, problem state and then PID), so that switching keeps them warm.
 * A page with decoded code has no write tag, so stores into code take the slow path.
 */
#ifndef CPU_ENGINE_TLB_H
#define CPU_ENGINE_TLB_H

#include "cpu/core/cpu.h"
#include "cpu/mmu/hpt.h"
#include "cpu/mmu/mmu.h"

/* 16 MiB: with half of that, what cleared a freed 8 MiB missed at every page. */
#define TLB_BITS 12
#define TLB_SIZE (1u << TLB_BITS)
#define TLB_NONE UINT64_C(1)		/* a tag that no page has */

struct tlb_entry {
	uint64_t read, write;		/* page's effective address, or TLB_NONE */
	uint64_t add;			/* host address - effective address */
	uint64_t listed;		/* LISTED_*; 32 bytes in all: the index is a shift */
};

enum { LISTED_LOW = 1, LISTED_HIGH = 2 };	/* in the context's lists */

#define TLB_INDEX(ea) (((ea) >> RAM_PAGE_SHIFT) & (TLB_SIZE - 1))
#define TLB_PAGE(ea)  ((ea) & ~(RAM_PAGE_SIZE - 1))

/* Slow paths: page crossings, misses, code pages, devices. They raise the storage
 * interrupt at `op` and return false, or do the access and return true. size 1..16;
 * 16-byte values are in the host's order for both endian modes of the low/high halves
 * (the bytes go to memory as they lie). */
bool load_slow(struct cpu *cpu, const struct op *op, uint64_t ea, void *out, unsigned size);
bool store_slow(struct cpu *cpu, const struct op *op, uint64_t ea, const void *in, unsigned size);
/* A byte at ea can be loaded, for who does not load it: no watchpoint matches. False after raising. */
bool load_possible(struct cpu *cpu, const struct op *op, uint64_t ea);
/* So many bytes, of two pages at most, can be stored, to memory or perhaps to a device; false after raising. */
bool store_possible(struct cpu *cpu, const struct op *op, uint64_t ea, unsigned size);
/* Translates ea for `size` bytes within one 4 KiB page and returns the host address, NULL after
 * raising. With ACCESS_WRITE, decoded code there has been dropped. For dcbz, lwarx, lq, copy... */
void *host_address(struct cpu *cpu, const struct op *op, uint64_t ea, unsigned size, enum access access);

static inline __attribute__((always_inline)) void *
tlb_hit(const struct tlb_entry *tlb, uint64_t ea, unsigned size, bool write)
{
	const struct tlb_entry *e = &tlb[TLB_INDEX(ea)];

	return likely(TLB_PAGE(ea + size - 1) == (write ? e->write : e->read)) ? (void *)(e->add + ea) : NULL;
}

/* An address that was counted on from the one that the decoder has cut to the mode's width. */
static inline uint64_t address_wrap(const struct cpu *cpu, uint64_t ea)
{
	return cpu->msr & MSR_SF ? ea : (uint32_t)ea;
}

static inline uint8_t swap_u8(uint8_t v) { return v; }
static inline uint16_t swap_u16(uint16_t v) { return __builtin_bswap16(v); }
static inline uint32_t swap_u32(uint32_t v) { return __builtin_bswap32(v); }
static inline uint64_t swap_u64(uint64_t v) { return __builtin_bswap64(v); }
static inline u128 swap_u128(u128 v)
{
	return (u128)__builtin_bswap64((uint64_t)v) << 64 | __builtin_bswap64((uint64_t)(v >> 64));
}

/* In an OP_TRY body: LOAD(u32, ea, &v) returns from the body on a miss or a fault. The _BE
 * twins are what big-endian mode's handlers use. */
#define LOAD(t, ea, out) \
	do { \
		uint64_t ea_ = (ea); \
		const struct tlb_entry *e_ = &tlb[TLB_INDEX(ea_)]; \
		if (likely(TLB_PAGE(ea_ + sizeof *(out) - 1) == e_->read)) \
			__builtin_memcpy((out), (const void *)(e_->add + ea_), sizeof *(out)); \
		else if (!slowly) \
			return TRY_SLOWLY; \
		else if (!load_slow(cpu, op, ea_, (out), sizeof *(out))) \
			return false; \
	} while (0)
#define STORE(t, ea, v) \
	do { \
		uint64_t ea_ = (ea); \
		__typeof__(swap_##t(0)) v_ = (v); \
		const struct tlb_entry *e_ = &tlb[TLB_INDEX(ea_)]; \
		if (likely(TLB_PAGE(ea_ + sizeof v_ - 1) == e_->write)) \
			__builtin_memcpy((void *)(e_->add + ea_), &v_, sizeof v_); \
		else if (!slowly) \
			return TRY_SLOWLY; \
		else if (!store_slow(cpu, op, ea_, &v_, sizeof v_)) \
			return false; \
	} while (0)
#define LOAD_BE(t, ea, out)  do { LOAD(t, ea, out); *(out) = swap_##t(*(out)); } while (0)
#define STORE_BE(t, ea, v)   STORE(t, ea, swap_##t(v))

/* ---- Forgetting translations, by what guest instructions and hypercalls name. Each acts on
 * one processor; a broadcast is a loop over all by the caller (cpu->engine->cpus). ---- */
void tlb_flush_all(struct cpu *cpu);
void tlb_flush_pid(struct cpu *cpu, uint64_t pid);
/* One page of 1 << shift bytes at ea in that PID's space (PID 0: the kernel's quadrant,
 * which every context can reach). */
void tlb_flush_page(struct cpu *cpu, uint64_t pid, uint64_t ea, unsigned shift);
/* The page of a hash page table's entry that has been at that index. */
void tlb_flush_hpte(struct cpu *cpu, const struct hpte *entry, uint64_t index);
/* The same on every processor of the machine. */
void tlb_flush_all_everywhere(struct cpu *cpu);
void tlb_flush_pid_everywhere(struct cpu *cpu, uint64_t pid);
void tlb_flush_page_everywhere(struct cpu *cpu, uint64_t pid, uint64_t ea, unsigned shift);
void tlb_flush_hpte_everywhere(struct cpu *cpu, const struct hpte *entry, uint64_t index);

/* Selects TLB, jump cache and block mode for the current MSR, PIDR, LPCR. Cheap when it has
 * been in that context before. Must be called after any change to those. */
void cpu_context_changed(struct cpu *cpu);

#endif
