/* The machine's hash page table, as savevm/htab.c saves and loads one, and what of it counts for the state hash. */
#include <stdio.h>

#include "cpu/core/model.h"
#include "cpu/mmu/hpt.h"
#include "machine/core/config.h"
#include "machine/snapshot/state.h"
#include "savevm/hash.h"
#include "savevm/savevm.h"

#define HASH_SHIFT_MOST 63

static struct hpt *hpt_of(void *machine) { return &((struct machine *)machine)->hpt; }

static uint64_t next_valid(void *machine, uint64_t from)
{
	const struct hpt *hpt = hpt_of(machine);

	for (; from < hpt_entries(hpt); from++) {
		if (!hpt->touched[from >> HPT_BLOCK_SHIFT])
			from |= HPT_BLOCK - 1;
		else if (hpt->entry[from].v & HPTE_V)
			break;
	}
	return from;
}

static void get_entry(void *machine, uint64_t index, uint64_t entry[2])
{
	entry[0] = hpt_of(machine)->entry[index].v;
	entry[1] = hpt_of(machine)->entry[index].r;
}

static bool make_table(void *machine, unsigned order)
{
	hpt_free(hpt_of(machine));
	return !order || hpt_new(hpt_of(machine), order);
}

/* What H_ENTER takes, or nothing. QEMU marks entries in a bit of its own. */
static bool put_entry(void *machine, uint64_t index, const uint64_t entry[2])
{
	struct hpt *hpt = hpt_of(machine);
	uint64_t v = entry[0] & ~HPTE_RESERVED;

	if ((v || entry[1]) && (!(v & HPTE_V) || !hash_page_shift_any(&hpt->pages, v, entry[1])))
		return false;
	hpt_put(hpt, index, v, entry[1]);
	return true;
}

/* A page that the model has and the user has ruled out. */
static bool explain_entry(void *machine, const uint64_t entry[2], char *buf, size_t size)
{
	const struct config *o = ((struct machine *)machine)->config;
	struct hash_pages all;
	char most[24], found[24];
	unsigned shift;

	hash_pages_choose(&all, &o->cpu_model->segment_pages, HASH_SHIFT_MOST);
	shift = entry[0] & HPTE_V ? hash_page_shift_any(&all, entry[0] & ~HPTE_RESERVED, entry[1]) : 0;
	if (shift <= o->hpt_page_shift)
		return false;
	say_page_size(most, sizeof most, o->hpt_page_shift);
	say_page_size(found, sizeof found, shift);
	snprintf(buf, size, "expected pages of %s at most, found one of %s (-M cap-hpt-max-page-size=)", most, found);
	return true;
}

void snapshot_htab(struct machine *m, struct vms_htab *htab)
{
	*htab = (struct vms_htab){
		.opaque = m, .order = m->hpt.shift, .most = hpt_shift_for(m->ram.size) + 1,
		.next = next_valid, .get = get_entry, .make = make_table, .put = put_entry, .why = explain_entry,
	};
}

uint64_t hash_htab(uint64_t hash, struct machine *m)
{
	const struct hpt *hpt = &m->hpt;

	if (!hpt->entry)
		return hash;
	for (uint64_t i = 0; (i = next_valid(m, i)) < hpt_entries(hpt); i++)
		hash = hash_bytes(hash_u64(hash, i), &hpt->entry[i], sizeof hpt->entry[i]);
	return hash_u64(hash, hpt->shift);
}
