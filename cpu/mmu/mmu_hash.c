/* Translation by segments and the hash page table.
 *
 * The SLB gives the segment, a hash of the address two groups of eight entries in the table, one of which has the page or
 * none does. Permissions come from the segment's keys, the page's protection bits and the storage keys in AMR and IAMR.
 * Source: Power ISA 2.07B, Book III-S, 5.7.6 to 5.7.9.
 */
#include "cpu/mmu/hpt.h"
#include "cpu/mmu/mmu.h"
#include "cpu/mmu/slb.h"

#define FAULT_KEY PPC_BIT32(10)		/* AMR or IAMR forbids it */

struct found {
	struct hpte *entry;
	unsigned shift, ngroups;	/* it is in the last of so many groups */
	uint64_t group[2];
};

#define COMPARED (~UINT64_C(0x7c))	/* of doubleword 0: B, AVPN, H and V */

/* A group that has the page's virtual address under another size of pages has to be looked through to its end. */
static bool search_group(const struct hpt *hpt, uint64_t hash, uint64_t v, unsigned base, struct found *found)
{
	struct hpte *entry = &hpt->entry[(hash & hpt_group_mask(hpt)) * HPTEG_ENTRIES];

	for (unsigned i = 0; i < HPTEG_ENTRIES; i++) {
		if ((entry[i].v ^ v) & COMPARED)
			continue;
		found->shift = hash_page_shift(&hpt->pages, base, entry[i].v, entry[i].r);
		if (!found->shift)
			continue;
		found->entry = &entry[i];
		return true;
	}
	return false;
}

static bool find_entry(const struct hpt *hpt, const struct slb_entry *segment, uint64_t ea, struct found *found)
{
	uint64_t offset = ea & ((UINT64_C(1) << SEGMENT_SHIFT(segment->vsid)) - 1), hash, v;
	unsigned base;

	if (!hpt || !hpt->entry)
		return false;
	base = hpt->pages.base_of[SLB_SIZE(segment->vsid)];
	if (!base)
		return false;
	offset = offset >> base << base;
	hash = hpt_hash(segment->vsid, offset, base);
	v = slb_name(segment) | (offset >> 16 & HPTE_AVPN) | HPTE_V;
	found->group[0] = hash & hpt_group_mask(hpt);
	found->group[1] = ~hash & hpt_group_mask(hpt);
	found->ngroups = 1;
	if (search_group(hpt, hash, v, base, found))
		return true;
	found->ngroups = 2;
	return search_group(hpt, ~hash, v | HPTE_H, base, found);
}

static uint64_t hash_gra(const struct found *found, uint64_t ea)
{
	uint64_t page = (UINT64_C(1) << found->shift) - 1;

	return (found->entry->r & HPTE_RPN & ~page) | (ea & page);
}

/* ---- Permissions ---- */

struct permits { bool read, write, exec; };

/* By the segment's key for this state, and PP. 5.7.9 */
static struct permits by_protection(const struct cpu *cpu, const struct slb_entry *segment, uint64_t r)
{
	bool key = segment->vsid & (cpu->msr & MSR_PR ? SLB_KP : SLB_KS);
	unsigned pp = (unsigned)(r >> 63) << 2 | (unsigned)(r & HPTE_PP);
	bool read, write;

	switch (pp) {
	case 0:
		read = write = !key;
		break;
	case 1:
		read = true;
		write = !key;
		break;
	case 2:
		read = write = true;
		break;
	case 3:
		read = true;
		write = false;
		break;
	case 6:
		read = !key;
		write = false;
		break;
	default:
		read = write = false;
	}
	return (struct permits){ read, write, read };
}

/* Key k has bits 2k (no store) and 2k + 1 (no load) of AMR, and 2k + 1 (no fetch) of IAMR. 5.7.9.2 */
static struct permits by_key(const struct cpu *cpu, uint64_t r)
{
	unsigned key = (unsigned)((r & HPTE_KEY_HIGH) >> 57) | (unsigned)((r & HPTE_KEY_LOW) >> 9), down = 62 - 2 * key;
	unsigned amr = (unsigned)(cpu->amr >> down) & 3, iamr = (unsigned)(cpu->iamr >> down) & 3;

	return (struct permits){ !(amr & 1), !(amr & 2), !(iamr & 1) };
}

static bool permitted(const struct permits *p, enum access access)
{
	return access == ACCESS_READ ? p->read : access == ACCESS_WRITE ? p->write : p->exec;
}

static bool hash_translate(struct cpu *cpu, uint64_t ea, enum access access, struct translation *out, struct mmu_fault *fault)
{
	const struct slb_entry *segment = slb_find(cpu, ea);
	struct permits protection, key;
	struct found found;
	uint64_t r, bits = 0;
	bool fetchable;

	if (!segment)
		return mmu_segment_fault(fault, access);
	if (access == ACCESS_EXEC && segment->vsid & SLB_N)
		return mmu_storage_fault(fault, access, FAULT_NOEXEC);
	if (!find_entry(cpu->env->hpt, segment, ea, &found))
		return mmu_storage_fault(fault, access, FAULT_NO_PTE);

	r = found.entry->r;
	protection = by_protection(cpu, segment, r);
	key = by_key(cpu, r);
	fetchable = !(r & (HPTE_N | HPTE_G)) && !(segment->vsid & SLB_N);
	if (access == ACCESS_EXEC && !fetchable)
		bits = FAULT_NOEXEC;
	else if (!permitted(&protection, access))
		bits = FAULT_PROTECTION;
	if (!permitted(&key, access))
		bits |= FAULT_KEY;
	if (bits)
		return mmu_storage_fault(fault, access, bits);

	found.entry->r = r |= access == ACCESS_WRITE ? HPTE_R | HPTE_C : HPTE_R;
	*out = (struct translation){
		.gra = hash_gra(&found, ea),
		.read = protection.read && key.read,
		/* The first store must come back to set C. */
		.write = protection.write && key.write && r & HPTE_C,
		.exec = protection.exec && key.exec && fetchable,
	};
	return true;
}

static bool hash_look(const struct cpu *cpu, uint64_t ea, bool fetch, struct mmu_look *out)
{
	const struct slb_entry *segment = slb_find(cpu, ea);
	struct found found;

	(void)fetch;
	if (!segment || !find_entry(cpu->env->hpt, segment, ea, &found))
		return false;
	*out = (struct mmu_look){
		.gra = hash_gra(&found, ea), .shift = found.shift, .n = found.ngroups, .segment = slb_name(segment),
		.offset = ea & ((UINT64_C(1) << SEGMENT_SHIFT(segment->vsid)) - 1),
	};
	for (unsigned i = 0; i < found.ngroups; i++)
		out->entry[i] = cpu->env->ram->size + found.group[i] * HPTEG_ENTRIES * sizeof(struct hpte);
	return true;
}

const struct mmu mmu_hash = { hash_translate, hash_look };
