/* The levels behind L1: L2 and L3 of a slice, the chip's far level, and who has a line. */
#include "cpu/timing/cache_levels.h"

static bool set_has(const uint32_t *set, unsigned ways, uint32_t tag)
{
	uint32_t hit = 0;

	for (unsigned i = 0; i < ways; i++)
		hit |= set[i] == tag;
	return hit;
}

static void set_drop(uint32_t *set, unsigned ways, uint32_t tag)
{
	for (unsigned i = 0; i < ways; i++)
		if (set[i] == tag)
			set[i] = 0;
}

/* Returns what had to go. */
static uint32_t set_put(uint32_t *set, uint8_t *hand, unsigned ways, uint32_t tag)
{
	unsigned way = *hand < ways ? *hand : 0;
	uint32_t old = set[way];

	set[way] = tag;
	*hand = way + 1 < ways ? (uint8_t)(way + 1) : 0;
	return old;
}

void cache_l1_put(struct cache_l1 *l1, uint32_t sets, unsigned ways, uint32_t tag)
{
	unsigned set = tag & (sets - 1);

	set_put(&l1->tag[set * CACHE_L1_WAYS], &l1->hand[set], ways, tag);
}

void cache_l1_drop(struct cache_l1 *l1, uint32_t sets, uint32_t tag)
{
	set_drop(&l1->tag[(tag & (sets - 1)) * CACHE_L1_WAYS], CACHE_L1_WAYS, tag);
}

static void disown(struct core_caches *c, uint32_t tag)
{
	if (c->owned[tag % CACHE_OWNED] == tag)
		c->owned[tag % CACHE_OWNED] = 0;
}

/* True: it was there. */
static bool l2_reach(struct cache_chip *chip, unsigned slice, uint32_t tag)
{
	const struct cache_params *p = chip->p;
	unsigned n = tag & (p->l2_sets - 1), first = slice * p->cores_per_slice;
	struct cache_slice *s = &chip->slice[slice];
	uint32_t *set = &s->l2[n * CACHE_L2_WAYS], old;

	if (set_has(set, CACHE_L2_WAYS, tag))
		return true;
	/* What is no longer in L2 cannot be stored to as if it were. */
	old = set_put(set, &s->l2_hand[n], CACHE_L2_WAYS, tag);
	for (unsigned i = first; i < first + p->cores_per_slice && i < chip->cores; i++)
		disown(&chip->core[i], old);
	return false;
}

static bool l3_reach(struct cache_chip *chip, unsigned slice, uint32_t tag)
{
	const struct cache_params *p = chip->p;
	unsigned n = tag & (p->l3_sets - 1);
	struct cache_slice *s = &chip->slice[slice];
	uint32_t *set = &s->l3[n * p->l3_ways];

	if (set_has(set, p->l3_ways, tag))
		return true;
	set_put(set, &s->l3_hand[n], p->l3_ways, tag);
	return false;
}

static bool far_reach(struct cache_chip *chip, uint32_t tag)
{
	unsigned n;
	uint32_t *set;

	if (!chip->far)
		return false;
	n = tag % chip->p->far_sets;
	set = &chip->far->tag[n * CACHE_FAR_WAYS];
	if (set_has(set, CACHE_FAR_WAYS, tag))
		return true;
	set_put(set, &chip->far->hand[n], CACHE_FAR_WAYS, tag);
	return false;
}

enum cache_level cache_reach(struct cache_chip *chip, unsigned core, uint32_t tag)
{
	unsigned slice = core / chip->p->cores_per_slice;

	/* Whoever has stored to the line shares it from now on: his next store asks again. */
	if (chip->cores > 1)
		for (unsigned i = 0; i < chip->cores; i++)
			if (i != core)
				disown(&chip->core[i], tag);
	if (l2_reach(chip, slice, tag))
		return CACHE_L2;
	if (l3_reach(chip, slice, tag))
		return CACHE_L3;
	return far_reach(chip, tag) ? CACHE_FAR : CACHE_MEMORY;
}

static void core_drop(struct cache_chip *chip, unsigned core, uint32_t tag)
{
	struct core_caches *c = &chip->core[core];

	cache_l1_drop(&c->l1d, chip->p->l1d_sets, tag);
	disown(c, tag);
}

static void slice_drop(struct cache_chip *chip, unsigned slice, uint32_t tag)
{
	const struct cache_params *p = chip->p;
	struct cache_slice *s = &chip->slice[slice];

	set_drop(&s->l2[(tag & (p->l2_sets - 1)) * CACHE_L2_WAYS], CACHE_L2_WAYS, tag);
	set_drop(&s->l3[(tag & (p->l3_sets - 1)) * p->l3_ways], p->l3_ways, tag);
}

void cache_take(struct cache_chip *chip, unsigned core, uint32_t tag)
{
	if (chip->cores == 1)
		return;
	for (unsigned i = 0; i < chip->cores; i++)
		if (i != core)
			core_drop(chip, i, tag);
	for (unsigned i = 0; i < chip->slices; i++)
		if (i != core / chip->p->cores_per_slice)
			slice_drop(chip, i, tag);
}

void cache_forget(struct cache_chip *chip, uint32_t tag)
{
	for (unsigned i = 0; i < chip->cores; i++)
		core_drop(chip, i, tag);
	for (unsigned i = 0; i < chip->slices; i++)
		slice_drop(chip, i, tag);
	if (chip->far)
		set_drop(&chip->far->tag[tag % chip->p->far_sets * CACHE_FAR_WAYS], CACHE_FAR_WAYS, tag);
}
