/* The hash page table of a partition.
 *
 * It is the hypervisor's: a guest reaches it by hypercalls alone (hcall/hpt.c), so it lies outside of guest memory, in
 * the host's byte order. mmu_hash.c finds entries in it and sets R and C; who changes an entry tells the TLBs
 * (tlb_flush_hpte_everywhere()).
 * Entries have the layout of Power ISA 2.07B, Book III-S, 5.7.7.1, whatever the processor: PAPR's hypercalls have it.
 */
#ifndef CPU_MMU_HPT_H
#define CPU_MMU_HPT_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu/core/bits.h"
#include "cpu/core/cpu.h"
#include "cpu/core/model.h"

#define HPT_SHIFT_MIN 18
#define HPT_SHIFT_MAX 46

/* Doubleword 0. */
#define HPTE_AVPN     PPC_MASK(2, 56)
#define HPTE_RESERVED PPC_MASK(57, 58)	/* two of the four bits that are software's: always 0 */
#define HPTE_BOLTED   PPC_BIT(59)	/* the third, by PAPR */
#define HPTE_L        PPC_BIT(61)
#define HPTE_H        PPC_BIT(62)	/* in the secondary group */
#define HPTE_V        PPC_BIT(63)

/* Doubleword 1. */
#define HPTE_PP0      PPC_BIT(0)
#define HPTE_KEY_HIGH PPC_MASK(2, 3)
#define HPTE_RPN      PPC_MASK(4, 51)
#define HPTE_KEY_LOW  PPC_MASK(52, 54)
#define HPTE_R        PPC_BIT(55)
#define HPTE_C        PPC_BIT(56)
#define HPTE_W        PPC_BIT(57)
#define HPTE_I        PPC_BIT(58)
#define HPTE_M        PPC_BIT(59)
#define HPTE_G        PPC_BIT(60)
#define HPTE_WIMG     PPC_MASK(57, 60)
#define HPTE_N        PPC_BIT(61)
#define HPTE_PP       PPC_MASK(62, 63)

#define HPTEG_ENTRIES 8		/* in a group */

struct hpte { uint64_t v, r; };

/* Sizes of pages: of a segment's base pages, and of those that entries in such a segment may have. */
#define HASH_PAGES_MAX 12
struct hash_pages {
	struct hash_page {
		uint8_t base, shift;		/* log2 */
		uint16_t slb, pte;		/* how an SLB entry (SLB_SIZE_BITS) and an HPTE (LP) say it */
	} row[HASH_PAGES_MAX];
	unsigned n;
	uint8_t base_of[8];			/* by SLB_SIZE(); 0: no such segment */
};

struct hpt {
	struct hpte *entry;		/* NULL: there is none */
	uint8_t *touched;		/* for each HPT_BLOCK entries: 0, all of them are zero */
	unsigned shift;			/* log2 of its size in bytes */
	struct hash_pages pages;	/* fixed when the machine is made */
};

#define HPT_BLOCK_SHIFT 8
#define HPT_BLOCK (UINT64_C(1) << HPT_BLOCK_SHIFT)

static inline uint64_t hpt_entries(const struct hpt *hpt)
{
	return hpt->entry ? UINT64_C(1) << (hpt->shift - 4) : 0;
}

/* There is a table. */
static inline uint64_t hpt_group_mask(const struct hpt *hpt)
{
	return (UINT64_C(1) << (hpt->shift - 7)) - 1;
}

/* Any entry that is written, but for R and C of one that is there. */
static inline void hpt_put(struct hpt *hpt, uint64_t index, uint64_t v, uint64_t r)
{
	hpt->touched[index >> HPT_BLOCK_SHIFT] = 1;
	hpt->entry[index] = (struct hpte){ v, r };
}

/* A table without entries in place of the one that there is; the old one stays if there is no memory: false. */
bool hpt_new(struct hpt *hpt, unsigned shift);
void hpt_free(struct hpt *hpt);
/* log2 of the size of the table that a partition with so much memory has. PAPR wants a 64th, QEMU gives a 128th. */
unsigned hpt_shift_for(uint64_t ram_size);

/* Of the sizes that a model's ibm,segment-page-sizes has, those up to `most` (log2). */
void hash_pages_choose(struct hash_pages *pages, const struct cpu_cells *cells, unsigned most);
/* log2 of the size of the page that the entry maps in a segment of that base; 0: none such. */
unsigned hash_page_shift(const struct hash_pages *pages, unsigned base, uint64_t v, uint64_t r);
/* The same in whatever segment. */
unsigned hash_page_shift_any(const struct hash_pages *pages, uint64_t v, uint64_t r);

/* The hash of the page at `offset` in the segment that an SLB entry's second doubleword, or an HPTE's first, names. */
static inline uint64_t hpt_hash(uint64_t va, uint64_t offset, unsigned base)
{
	uint64_t vsid;

	if (va >> 62) {
		vsid = va << 2 >> 26;
		return vsid ^ vsid << 25 ^ offset >> base;
	}
	vsid = va << 2 >> 14;
	return vsid ^ offset >> base;
}

/* How the SLB would have the entry's segment, at address 0, if that has pages as `slb` says; and where in it an address is. */
struct slb_entry hpt_segment_of(const struct hpte *entry, unsigned slb);
/* The effective address, in that segment, of the base page that the entry at `index` is for, and the size of the page that
 * this lies in; false: the entry is none of that segment. */
bool hpt_entry_in(const struct hpt *hpt, const struct hpte *entry, uint64_t index, const struct slb_entry *segment, uint64_t *ea,
		  unsigned *shift);

#endif
