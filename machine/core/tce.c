/* DMA windows: entries, what they make of a device's address, and their place in a snapshot.
 *
 * A guest may put anything into an entry: that the page is in RAM is looked at when a device uses it. */
#include "machine/core/tce.h"

#include <stdlib.h>

#define PAGE_SHIFT_4K  12
#define PAGE_SHIFT_MOST 34

/* ---- Which there are ---- */

void tce_register(struct machine *m, struct tce_window *w)
{
	w->next = m->tces;
	m->tces = w;
}

void tce_unregister(struct machine *m, struct tce_window *w)
{
	struct tce_window **p = &m->tces;

	while (*p && *p != w)
		p = &(*p)->next;
	if (*p)
		*p = w->next;
	tce_close(w);
}

struct tce_window *tce_find(const struct machine *m, uint64_t liobn)
{
	struct tce_window *w = m->tces;

	while (w && w->liobn != liobn)
		w = w->next;
	return w;
}

/* ---- Opening and closing ---- */

void tce_close(struct tce_window *w)
{
	free(w->tce);
	w->tce = NULL;
	w->entries = w->page_shift = 0;
	w->bus_offset = 0;
}

bool tce_open(struct tce_window *w, uint64_t bus_offset, uint32_t page_shift, uint64_t entries)
{
	tce_close(w);
	if (!entries || entries > TCE_MAX_ENTRIES || page_shift < PAGE_SHIFT_4K || page_shift > PAGE_SHIFT_MOST)
		return false;
	w->tce = calloc(entries, sizeof *w->tce);
	if (!w->tce)
		return false;
	w->entries = (uint32_t)entries;
	w->bus_offset = bus_offset;
	w->page_shift = page_shift;
	return true;
}

bool tce_reset(struct tce_window *w)
{
	w->bypass = false;
	if (w->reset_entries)
		return tce_open(w, 0, PAGE_SHIFT_4K, w->reset_entries);
	tce_close(w);
	return true;
}

void tce_clear(struct tce_window *w)
{
	if (w->entries)
		memset(w->tce, 0, w->entries * sizeof *w->tce);
}

/* ---- Entries ---- */

/* NULL: the address is not in the window. */
static uint64_t *entry_at(const struct tce_window *w, uint64_t ioba)
{
	uint64_t n = (ioba - w->bus_offset) >> (w->page_shift & 63);

	return ioba >= w->bus_offset && n < w->entries ? &w->tce[n] : NULL;
}

bool tce_put(struct tce_window *w, uint64_t ioba, uint64_t tce)
{
	uint64_t *entry = entry_at(w, ioba);

	if (entry)
		*entry = tce;
	return entry != NULL;
}

bool tce_get(const struct tce_window *w, uint64_t ioba, uint64_t *tce)
{
	const uint64_t *entry = entry_at(w, ioba);

	if (entry)
		*tce = *entry;
	return entry != NULL;
}

/* ---- What a device sees ---- */

/* Guest real address of `ioba`, and how many of `n` bytes lie in its page. False: it is not mapped so, or not RAM. */
static bool translate(const struct ram *ram, const struct tce_window *w, uint64_t ioba, uint64_t want, uint64_t *gra, uint64_t *n)
{
	const uint64_t *entry = entry_at(w, ioba);
	uint64_t page, offset;

	if (w->bypass) {
		*gra = ioba;
		return ram_ok(ram, ioba, *n);
	}
	if (!entry || !(*entry & want))
		return false;
	page = UINT64_C(1) << w->page_shift;
	offset = ioba & (page - 1);
	if (*n > page - offset)
		*n = page - offset;
	*gra = (*entry & ~(page - 1)) + offset;
	return ram_ok(ram, *gra, *n);
}

static bool mapped(const struct ram *ram, const struct tce_window *w, uint64_t ioba, uint64_t want, uint64_t n)
{
	uint64_t gra, part;

	if (n && ioba > UINT64_MAX - (n - 1))
		return false;
	for (; n; n -= part, ioba += part) {
		part = n;
		if (!translate(ram, w, ioba, want, &gra, &part))
			return false;
	}
	return true;
}

bool tce_dma_ok(struct machine *m, const struct tce_window *w, uint64_t ioba, uint64_t n, uint64_t want)
{
	return mapped(&m->ram, w, ioba, want, n);
}

bool tce_dma_read(struct machine *m, const struct tce_window *w, uint64_t ioba, void *buf, uint64_t n)
{
	uint8_t *to = buf;
	uint64_t gra, part;

	if (!mapped(&m->ram, w, ioba, TCE_READ, n))
		return false;
	for (; n; n -= part, ioba += part, to += part) {
		part = n;
		translate(&m->ram, w, ioba, TCE_READ, &gra, &part);
		ram_read(&m->ram, gra, to, part);
	}
	return true;
}

bool tce_dma_write(struct machine *m, const struct tce_window *w, uint64_t ioba, const void *buf, uint64_t n)
{
	const uint8_t *from = buf;
	uint64_t gra, part;

	if (!mapped(&m->ram, w, ioba, TCE_WRITE, n))
		return false;
	for (; n; n -= part, ioba += part, from += part) {
		part = n;
		translate(&m->ram, w, ioba, TCE_WRITE, &gra, &part);
		ram_write(&m->ram, gra, from, part);
	}
	return true;
}

/* ---- Snapshots: spapr_iommu ---- */

/* Looks at the whole table, and touches no page of the host's that nobody has touched. */
static bool all_zero(const struct tce_window *w)
{
	for (uint32_t i = 0; i < w->entries; i++)
		if (w->tce[i])
			return false;
	return true;
}

static bool as_after_reset(const struct tce_window *w)
{
	if (w->entries != w->reset_entries || w->bypass)
		return false;
	return !w->entries || (!w->bus_offset && w->page_shift == PAGE_SHIFT_4K && all_zero(w));
}

static bool window_needed(const void *s)
{
	return !as_after_reset(s);
}

static bool ex_needed(const void *s)
{
	const struct tce_window *w = s;

	return w->bus_offset || w->page_shift != PAGE_SHIFT_4K;
}

static void ex_absent(void *s)
{
	struct tce_window *w = s;

	w->bus_offset = 0;
	w->page_shift = PAGE_SHIFT_4K;
}

static bool window_check(const void *s, struct vms_walk *walk)
{
	const struct tce_window *w = s;

	return !w->entries || (w->page_shift >= PAGE_SHIFT_4K && w->page_shift <= PAGE_SHIFT_MOST) ||
	       vms_wrong(walk, "page_shift", w->page_shift, "%u to %u", PAGE_SHIFT_4K, PAGE_SHIFT_MOST);
}

/* A closed window has no place and no pages; another hypervisor's stream may say something of them. */
static bool window_post_load(void *s, uint32_t version, struct vms_walk *walk)
{
	struct tce_window *w = s;

	(void)version;
	(void)walk;
	if (!w->entries)
		tce_close(w);
	return true;
}

static const struct vmstate iommu_ex_state = {
	.name = "spapr_iommu_ex", .version = 1, .min_version = 1, VMS_OF(struct tce_window), .needed = ex_needed,
	.absent = ex_absent,
	.fields = VMS_FIELDS(VMS_U64(struct tce_window, bus_offset), VMS_U32(struct tce_window, page_shift)),
};

const struct vmstate tce_window_state = {
	.name = "spapr_iommu", .version = 3, .min_version = 2, VMS_OF(struct tce_window), .needed = window_needed,
	.check = window_check, .post_load = window_post_load,
	.fields = VMS_FIELDS(
		VMS_U32_EQUAL(struct tce_window, liobn),
		VMS_U32_AS("mig_nb_table", struct tce_window, entries),
		VMS_BOOL(struct tce_window, bypass),
		VMS_ALLOCATED_ARRAY("mig_table", struct tce_window, tce, entries, TCE_MAX_ENTRIES, uint64_t, vms_u64),
		VMS_ONE("def_win", struct tce_window, is_default, bool, vms_bool),
		VMS_SKIP(struct tce_window, reset_entries, "its owner's constant"),
		VMS_SKIP(struct tce_window, next, "its place among all")),
	.subs = VMS_SUBS(&iommu_ex_state),
};
