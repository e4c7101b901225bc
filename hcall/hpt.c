/* The hash page table, by hypercall. PAPR, "Page Frame Table Access" and "HPT Resizing".
 *
 * The table is the machine's (cpu/mmu/hpt.h). An index beyond it is H_PARAMETER, and so is every index while a radix guest
 * has none.
 */
#include "cpu/engine/charge.h"
#include "cpu/engine/tlb.h"
#include "cpu/mmu/hpt.h"
#include "cpu/mmu/slb.h"
#include "hcall/hcall.h"
#include "machine/core/config.h"

#define FLAG_EXACT   PPC_BIT(24)	/* H_ENTER: in that very place */
#define FLAG_READ_4  PPC_BIT(26)
#define FLAG_AVPN    PPC_BIT(32)
#define FLAG_ANDCOND PPC_BIT(33)
#define FLAG_ZERO    PPC_BIT(48)	/* H_ENTER: the page, before anybody can see it */

#define AVPN_OF(v)   ((v) & ~UINT64_C(0x7f))

static struct hpt *hpt_of(struct cpu *cpu) { return &cpu_machine(cpu)->hpt; }

struct virtual_page {
	struct slb_entry segment;
	uint64_t offset;
	unsigned shift, base;		/* log2 of its size, and of its segment's */
};

/* The entry, NULL if the index is beyond the table. */
static struct hpte *entry_at(struct cpu *cpu, uint64_t index)
{
	struct hpt *hpt = hpt_of(cpu);

	return index < hpt_entries(hpt) ? &hpt->entry[index] : NULL;
}

/* Which page of which segment the entry maps; false: none. Its segment is of the first kind that has such pages: an entry does
 * not say which. */
static bool page_of(const struct hpt *hpt, const struct hpte *entry, uint64_t index, struct virtual_page *page)
{
	for (unsigned i = 0; i < hpt->pages.n; i++) {
		const struct hash_page *row = &hpt->pages.row[i];

		if (!hash_page_shift(&hpt->pages, row->base, entry->v, entry->r))
			continue;
		page->base = row->base;
		page->segment = hpt_segment_of(entry, row->slb);
		return hpt_entry_in(hpt, entry, index, &page->segment, &page->offset, &page->shift);
	}
	return false;
}

/* What it costs the host, in bytes that it could have copied meanwhile: each processor asks each segment that it knows. */
#define WORK_OF_FLUSH (UINT64_C(16) << 10)

/* No TLB has the page that `was` maps any more. */
static void forget(struct cpu *cpu, const struct hpte *was, uint64_t index)
{
	struct virtual_page page;

	tlb_flush_hpte_everywhere(cpu, was, index);
	if (page_of(hpt_of(cpu), was, index, &page))
		charge_flush_virtual(cpu, slb_name(&page.segment), page.offset, page.shift);
	hcall_worked(cpu_machine(cpu), cpu_machine(cpu)->ncpus * WORK_OF_FLUSH);
}

/* ---- H_ENTER ---- */

/* Memory is cached and coherent, or up to POWER9 in strong access order (SAO), as all of ours is; anything else is not cached. */
static bool attributes_fit(const struct cpu *cpu, uint64_t gra, uint64_t r)
{
	if (!ram_ok(cpu->env->ram, gra, 1))
		return (r & (HPTE_W | HPTE_I)) == HPTE_I;
	return (r & HPTE_WIMG) == HPTE_M || ((r & HPTE_WIMG) == (HPTE_W | HPTE_I | HPTE_M) && cpu->engine->level < P10);
}

/* Another entry that has the same virtual address may have been found until now, and this one may from now on. */
static void forget_doubles(struct cpu *cpu, const struct hpte *entry, uint64_t group)
{
	const struct hpt *hpt = hpt_of(cpu);

	for (unsigned i = 0; i < 2 * HPTEG_ENTRIES; i++) {
		uint64_t at = (i < HPTEG_ENTRIES ? group : ~group & hpt_group_mask(hpt)) * HPTEG_ENTRIES + i % HPTEG_ENTRIES;
		const struct hpte *other = &hpt->entry[at];

		if (other->v & HPTE_V && !((other->v ^ entry->v) & (PPC_MASK(0, 1) | HPTE_AVPN)))
			forget(cpu, other, at);
	}
}

/* log2 of the largest page that is zeroed. One of 16 GiB would keep the host too long. */
#define ZERO_SHIFT_MOST 24

/* Only memory is: the flag says nothing of a device's page. */
static bool is_zeroed(const struct ram *ram, uint64_t flags, uint64_t gra)
{
	return flags & FLAG_ZERO && ram_ok(ram, gra, 1);
}

/* The flags for the instruction cache (bits 40 and 41) ask for what holds anyway: what is stored is what is fetched. */
HCALL_FN(H_ENTER)
{
	struct hpt *hpt = hpt_of(cpu);
	struct ram *ram = cpu->env->ram;
	struct hpte new = { (in[2] & ~HPTE_RESERVED) | HPTE_V, in[3] };
	unsigned shift = hash_page_shift_any(&hpt->pages, new.v, new.r);
	uint64_t index = in[1], gra = (new.r & HPTE_RPN) >> shift << shift, size = UINT64_C(1) << shift;
	bool zero = is_zeroed(ram, in[0], gra);

	if (!shift || !attributes_fit(cpu, gra, new.r) || !entry_at(cpu, index))
		return H_PARAMETER;
	if (zero && (shift > ZERO_SHIFT_MOST || !ram_ok(ram, gra, size)))
		return H_PARAMETER;
	if (!(in[0] & FLAG_EXACT))
		for (index -= index % HPTEG_ENTRIES; hpt->entry[index].v & HPTE_V; index++)
			if (index % HPTEG_ENTRIES == HPTEG_ENTRIES - 1)
				return H_PTEG_FULL;
	if (hpt->entry[index].v & HPTE_V)
		return H_PTEG_FULL;
	if (zero) {
		ram_fill(ram, gra, 0, size);
		hcall_worked(cpu_machine(cpu), size);
	}
	forget_doubles(cpu, &new, index / HPTEG_ENTRIES);
	hpt_put(hpt, index, new.v, new.r);
	out[0] = index;
	return H_SUCCESS;
}

/* ---- H_REMOVE, H_BULK_REMOVE ---- */

static bool is_meant(const struct hpte *entry, uint64_t flags, uint64_t avpn)
{
	return entry->v & HPTE_V && (!(flags & FLAG_AVPN) || AVPN_OF(entry->v) == avpn) && (!(flags & FLAG_ANDCOND) || !(entry->v & avpn));
}

static int64_t remove_entry(struct cpu *cpu, uint64_t flags, uint64_t index, uint64_t avpn, struct hpte *was)
{
	const struct hpte *entry = entry_at(cpu, index);

	if (!entry)
		return H_PARAMETER;
	if (!is_meant(entry, flags, avpn))
		return H_NOT_FOUND;
	*was = *entry;
	hpt_put(hpt_of(cpu), index, 0, 0);
	forget(cpu, was, index);
	return H_SUCCESS;
}

HCALL_FN(H_REMOVE)
{
	struct hpte was;
	int64_t rc = remove_entry(cpu, in[0], in[1], in[2], &was);

	if (rc == H_SUCCESS)
		out[0] = was.v, out[1] = was.r;
	return rc;
}

#define BULK_REQUESTS  4
#define BULK_TYPE      PPC_MASK(0, 1)
#define BULK_REQUEST   PPC_BIT(1)
#define BULK_RESPONSE  PPC_BIT(0)
#define BULK_END       BULK_TYPE
#define BULK_NOT_FOUND PPC_BIT(3)
#define BULK_PARAMETER PPC_BIT(2)
#define BULK_RC_SHIFT  51		/* R and C go to bits 4 and 5 (QEMU leaves them at 12 and 13) */
#define BULK_FLAGS     PPC_MASK(6, 7)
#define BULK_FLAGS_SHIFT 26		/* from FLAG_AVPN and FLAG_ANDCOND */
#define BULK_INDEX     PPC_MASK(8, 63)

/* The answer to one request; H_PARAMETER ends the call. */
static int64_t remove_one(struct cpu *cpu, uint64_t *request, uint64_t avpn)
{
	uint64_t flags = (*request & BULK_FLAGS) >> BULK_FLAGS_SHIFT;
	struct hpte was;
	int64_t rc = flags == (FLAG_AVPN | FLAG_ANDCOND) ? H_PARAMETER :
							   remove_entry(cpu, flags, *request & BULK_INDEX, avpn, &was);

	*request = BULK_RESPONSE | (*request & (BULK_FLAGS | BULK_INDEX));
	if (rc == H_SUCCESS)
		*request |= (was.r & (HPTE_R | HPTE_C)) << BULK_RC_SHIFT;
	else
		*request |= rc == H_NOT_FOUND ? BULK_NOT_FOUND : BULK_PARAMETER;
	return rc == H_PARAMETER ? rc : H_SUCCESS;
}

HCALL_FN(H_BULK_REMOVE)
{
	int64_t rc = H_SUCCESS;

	memcpy(out, in, 2 * BULK_REQUESTS * sizeof out[0]);
	for (unsigned i = 0; i < BULK_REQUESTS && rc == H_SUCCESS; i++) {
		if ((in[2 * i] & BULK_TYPE) == BULK_END)
			break;
		if ((in[2 * i] & BULK_TYPE) != BULK_REQUEST)
			return H_PARAMETER;
		rc = remove_one(cpu, &out[2 * i], in[2 * i + 1]);
	}
	return rc;
}

/* ---- H_READ, H_PROTECT, H_CLEAR_REF, H_CLEAR_MOD ---- */

HCALL_FN(H_READ)
{
	uint64_t index = in[1];
	unsigned n = in[0] & FLAG_READ_4 ? 4 : 1;
	const struct hpte *entry;

	if (!entry_at(cpu, index))
		return H_PARAMETER;
	entry = entry_at(cpu, index / n * n);
	for (unsigned i = 0; i < n; i++)
		out[2 * i] = entry[i].v, out[2 * i + 1] = entry[i].r;
	return H_SUCCESS;
}

#define PROTECT_PP0_SHIFT 55		/* from the flags to their places in the entry */
#define PROTECT_KEY_SHIFT 48
#define PROTECTION (HPTE_PP0 | HPTE_KEY_HIGH | HPTE_KEY_LOW | HPTE_N | HPTE_PP)

HCALL_FN(H_PROTECT)
{
	uint64_t flags = in[0], index = in[1], r = flags & (HPTE_KEY_LOW | HPTE_N | HPTE_PP);
	struct hpte *entry = entry_at(cpu, index);

	if (!entry)
		return H_PARAMETER;
	if (!is_meant(entry, flags & FLAG_AVPN, in[2]))
		return H_NOT_FOUND;
	r |= (flags << PROTECT_PP0_SHIFT & HPTE_PP0) | (flags << PROTECT_KEY_SHIFT & HPTE_KEY_HIGH);
	forget(cpu, entry, index);
	entry->r = (entry->r & ~PROTECTION) | r;
	return H_SUCCESS;
}

static int64_t clear_bit(struct cpu *cpu, uint64_t index, uint64_t bit, uint64_t *was)
{
	struct hpte *entry = entry_at(cpu, index);

	if (!entry)
		return H_PARAMETER;
	if (!(entry->v & HPTE_V))
		return H_NOT_FOUND;
	*was = entry->r;
	forget(cpu, entry, index);
	entry->r &= ~bit;
	return H_SUCCESS;
}

HCALL_FN(H_CLEAR_REF) { return clear_bit(cpu, in[1], HPTE_R, &out[0]); }
HCALL_FN(H_CLEAR_MOD) { return clear_bit(cpu, in[1], HPTE_C, &out[0]); }

/* ---- Another size: what the guest has bolted moves to a new table ---- */

/* The new table costs the host nothing before there are entries in it: what H_RESIZE_HPT_PREPARE prepares is ready at once. */
static int64_t resize_ok(const struct machine *m, uint64_t flags, uint64_t shift)
{
	if (m->config->resize_hpt == RESIZE_HPT_DISABLED)
		return H_AUTHORITY;
	if (!m->hpt.entry)
		return H_NOT_AVAILABLE;
	return flags || (shift && (shift < HPT_SHIFT_MIN || shift > HPT_SHIFT_MAX)) ? H_PARAMETER : H_SUCCESS;
}

HCALL_FN(H_RESIZE_HPT_PREPARE)
{
	struct machine *m = cpu_machine(cpu);
	int64_t rc = resize_ok(m, in[0], in[1]);

	if (rc == H_SUCCESS && in[1] > hpt_shift_for(m->ram.size) + 1)
		rc = H_RESOURCE;
	if (rc == H_SUCCESS)
		m->hpt_prepared = (uint32_t)in[1];
	return rc;
}

/* Where the entry belongs in a table with that many groups; what is no page stays with none. */
static bool new_index(const struct hpt *hpt, const struct hpte *entry, uint64_t index, uint64_t group_mask, uint64_t *to)
{
	struct virtual_page page;
	uint64_t hash;

	if (!page_of(hpt, entry, index, &page))
		return false;
	hash = hpt_hash(page.segment.vsid, page.offset, page.base);
	*to = ((entry->v & HPTE_H ? ~hash : hash) & group_mask) * HPTEG_ENTRIES + index % HPTEG_ENTRIES;
	return true;
}

static int64_t move_bolted(const struct hpt *old, struct hpt *new)
{
	for (uint64_t i = 0; i < hpt_entries(old); i++) {
		const struct hpte *entry = &old->entry[i];
		uint64_t to;

		if (!old->touched[i >> HPT_BLOCK_SHIFT]) {
			i |= HPT_BLOCK - 1;
			continue;
		}
		if (!(entry->v & HPTE_V) || !(entry->v & HPTE_BOLTED) || !new_index(old, entry, i, hpt_group_mask(new), &to))
			continue;
		if (new->entry[to].v & HPTE_V)
			return H_PTEG_FULL;
		hpt_put(new, to, entry->v, entry->r);
	}
	return H_SUCCESS;
}

HCALL_FN(H_RESIZE_HPT_COMMIT)
{
	struct machine *m = cpu_machine(cpu);
	struct hpt new = { .pages = m->hpt.pages };
	int64_t rc = resize_ok(m, in[0], in[1]);

	if (rc != H_SUCCESS)
		return rc;
	if (!in[1] || in[1] != m->hpt_prepared)
		return H_CLOSED;
	if (!hpt_new(&new, (unsigned)in[1]))
		return H_HARDWARE;
	hcall_worked(m, UINT64_C(1) << m->hpt.shift);
	rc = move_bolted(&m->hpt, &new);
	m->hpt_prepared = 0;
	if (rc != H_SUCCESS) {
		hpt_free(&new);
		return rc;
	}
	hpt_free(&m->hpt);
	m->hpt = new;
	tlb_flush_all_everywhere(cpu);
	charge_flush_all(cpu, true);
	return H_SUCCESS;
}
