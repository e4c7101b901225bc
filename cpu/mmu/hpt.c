/* The hash page table's memory, and what its entries say. See hpt.h. */
#define _GNU_SOURCE
#include "cpu/mmu/hpt.h"

#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "cpu/mmu/slb.h"

/* Sparse: what no entry has been put into takes no memory of the host. */
static struct hpte *map_entries(unsigned shift)
{
	void *p = mmap(NULL, (size_t)1 << shift, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

bool hpt_new(struct hpt *hpt, unsigned shift)
{
	struct hpte *entry = map_entries(shift);
	uint8_t *touched = calloc((size_t)1 << (shift - 4 - HPT_BLOCK_SHIFT), 1);

	if (!entry || !touched) {
		if (entry)
			munmap(entry, (size_t)1 << shift);
		free(touched);
		return false;
	}
	hpt_free(hpt);
	hpt->entry = entry;
	hpt->touched = touched;
	hpt->shift = shift;
	return true;
}

void hpt_free(struct hpt *hpt)
{
	if (hpt->entry)
		munmap(hpt->entry, (size_t)1 << hpt->shift);
	free(hpt->touched);
	hpt->entry = NULL;
	hpt->touched = NULL;
	hpt->shift = 0;
}

unsigned hpt_shift_for(uint64_t ram_size)
{
	unsigned shift = HPT_SHIFT_MIN;

	while (shift < HPT_SHIFT_MAX && UINT64_C(1) << (shift + 7) < ram_size)
		shift++;
	return shift;
}

/* ---- Sizes of pages ---- */

void hash_pages_choose(struct hash_pages *pages, const struct cpu_cells *cells, unsigned most)
{
	const uint32_t *cell = cells->cell, *end = cell + cells->n;

	*pages = (struct hash_pages){ 0 };
	while (end - cell >= 3) {
		uint32_t base = cell[0], slb = cell[1], n = cell[2];

		cell += 3;
		for (; n && end - cell >= 2; n--, cell += 2) {
			if (base > most || cell[0] > most || pages->n == HASH_PAGES_MAX)
				continue;
			pages->row[pages->n++] = (struct hash_page){ (uint8_t)base, (uint8_t)cell[0], (uint16_t)slb, (uint16_t)cell[1] };
			pages->base_of[SLB_SIZE(slb)] = (uint8_t)base;
		}
	}
}

static bool row_fits(const struct hash_page *page, uint64_t v, uint64_t r)
{
	if (!(v & HPTE_L))
		return page->shift == 12;
	return page->shift != 12 && (r & HPTE_RPN & ((UINT64_C(1) << page->shift) - 1)) == (uint64_t)page->pte << 12;
}

unsigned hash_page_shift(const struct hash_pages *pages, unsigned base, uint64_t v, uint64_t r)
{
	for (unsigned i = 0; i < pages->n; i++)
		if (pages->row[i].base == base && row_fits(&pages->row[i], v, r))
			return pages->row[i].shift;
	return 0;
}

unsigned hash_page_shift_any(const struct hash_pages *pages, uint64_t v, uint64_t r)
{
	for (unsigned i = 0; i < pages->n; i++)
		if (row_fits(&pages->row[i], v, r))
			return pages->row[i].shift;
	return 0;
}

/* ---- From an entry to the address ---- */

#define AVPN_SHIFT 16		/* bit 0 of a virtual page's address is so far to the left of its place in AVPN */
#define AVPN_KNOWS 23		/* AVPN ends above so many bits of the address; the group's number has them */

struct slb_entry hpt_segment_of(const struct hpte *entry, unsigned slb)
{
	uint64_t name = entry->v & (SLB_B | SLB_VSID), in_segment = (UINT64_C(1) << SEGMENT_SHIFT(name)) - 1;

	return (struct slb_entry){ SLB_V, (name & ~(in_segment >> AVPN_SHIFT)) | slb };
}

bool hpt_entry_in(const struct hpt *hpt, const struct hpte *entry, uint64_t index, const struct slb_entry *segment, uint64_t *ea,
		  unsigned *shift)
{
	uint64_t in_segment = (UINT64_C(1) << SEGMENT_SHIFT(segment->vsid)) - 1, group = index / HPTEG_ENTRIES, page;
	unsigned base = hpt->pages.base_of[SLB_SIZE(segment->vsid)];

	if (!(segment->esid & SLB_V) || !base ||
	    (entry->v ^ segment->vsid) & (SLB_B | SLB_VSID) & ~(in_segment >> AVPN_SHIFT))
		return false;
	*shift = hash_page_shift(&hpt->pages, base, entry->v, entry->r);
	if (!*shift)
		return false;
	if (entry->v & HPTE_H)
		group = ~group;
	page = (group ^ hpt_hash(segment->vsid, 0, base)) & hpt_group_mask(hpt);
	*ea = (segment->esid & ~in_segment) | ((entry->v & HPTE_AVPN) << AVPN_SHIFT & in_segment);
	if (base < AVPN_KNOWS)
		*ea = (*ea >> AVPN_KNOWS << AVPN_KNOWS) | (page << base & ((UINT64_C(1) << AVPN_KNOWS) - 1));
	return true;
}
