/* Which segments a TLB's contents belong to. See space.h. */
#include "cpu/engine/space.h"

#include <string.h>

#include "cpu/engine/block.h"
#include "cpu/engine/charge.h"
#include "cpu/engine/tlb.h"
#include "cpu/mmu/hpt.h"
#include "cpu/mmu/slb.h"

static bool is_low(const struct slb_entry *e) { return !(e->esid >> 63); }

static bool same(const struct slb_entry *a, const struct slb_entry *b)
{
	return a->esid == b->esid && a->vsid == b->vsid;
}

static bool overlap(const struct slb_entry *a, const struct slb_entry *b)
{
	return slb_matches(a, b->esid) || slb_matches(b, a->esid);
}

/* ---- Choosing a space ---- */

static void collect_segments(const struct cpu *cpu, struct space *s)
{
	s->n = 0;
	s->odd = false;
	for (unsigned i = 0; i < SLB_ENTRIES; i++) {
		const struct slb_entry *e = &cpu->slb[i];

		if (!(e->esid & SLB_V) || !is_low(e))
			continue;
		for (unsigned k = 0; k < s->n; k++)
			s->odd |= overlap(&s->segment[k], e);
		s->segment[s->n++] = *e;
	}
}

static bool has(const struct space *s, const struct slb_entry *e)
{
	for (unsigned i = 0; i < s->n; i++)
		if (same(&s->segment[i], e))
			return true;
	return false;
}

static unsigned count_common(const struct space *a, const struct space *b)
{
	unsigned n = 0;

	for (unsigned i = 0; i < a->n; i++)
		n += has(b, &a->segment[i]);
	return n;
}

/* The space that has most of these segments; the present one, if none has any and it is empty. */
static unsigned find_space(const struct spaces *all, const struct space *s, unsigned *common)
{
	unsigned best = SPACES;

	*common = 0;
	for (unsigned i = 0; i < SPACES; i++) {
		unsigned n = all->space[i].odd ? 0 : count_common(&all->space[i], s);

		if (n > *common) {
			*common = n;
			best = i;
		}
	}
	return best == SPACES && !all->space[all->now].n ? all->now : best;
}

unsigned space_now(struct cpu *cpu)
{
	struct spaces *all = &cpu->ctx->spaces;
	struct space s, *old;
	unsigned common, i;

	if (likely(!all->moved))
		return all->now;
	collect_segments(cpu, &s);
	i = find_space(all, &s, &common);
	if (s.odd || i == SPACES) {
		i = ++all->victim % SPACES;
		ctx_forget_space(cpu, i);
	} else {
		old = &all->space[i];
		for (unsigned k = 0; common < old->n && k < old->n; k++)
			if (!has(&s, &old->segment[k]))
				ctx_forget_range(cpu, CTX_SPACE(i), old->segment[k].esid & ~SLB_V, SEGMENT_SHIFT(old->segment[k].vsid));
	}
	all->space[i] = s;
	all->now = i;
	all->moved = false;
	return i;
}

/* ---- Storage keys ---- */

/* False: the number had another value until now. */
static bool find_keys(struct key_sets *sets, uint64_t value)
{
	for (unsigned i = 0; i < KEY_SETS; i++)
		if (sets->value[i] == value) {
			sets->now = i;
			return true;
		}
	sets->now = ++sets->victim % KEY_SETS;
	sets->value[sets->now] = value;
	return false;
}

void space_check_keys(struct cpu *cpu)
{
	struct spaces *all = &cpu->ctx->spaces;

	if (unlikely(all->amr.value[all->amr.now] != cpu->amr) && !find_keys(&all->amr, cpu->amr))
		ctx_forget_keys(cpu, true, all->amr.now);
	if (unlikely(all->iamr.value[all->iamr.now] != cpu->iamr) && !find_keys(&all->iamr, cpu->iamr))
		ctx_forget_keys(cpu, false, all->iamr.now);
}

/* ---- The SLB ---- */

static void forget_segment(struct cpu *cpu, const struct slb_entry *e)
{
	ctx_forget_side(cpu, is_low(e));
	charge_flush_erats(cpu);
}

/* It hides another one, or is hidden. */
static bool is_double(const struct cpu *cpu, unsigned index)
{
	for (unsigned i = 0; i < SLB_ENTRIES; i++)
		if (i != index && cpu->slb[i].esid & SLB_V && overlap(&cpu->slb[i], &cpu->slb[index]))
			return true;
	return false;
}

bool slb_segment_ok(const struct cpu *cpu, uint64_t rs)
{
	const struct hpt *hpt = cpu->env->hpt;

	return !(rs >> 63) && (!hpt || hpt->pages.base_of[SLB_SIZE(rs)]);
}

void slb_put(struct cpu *cpu, unsigned index, uint64_t esid, uint64_t vsid)
{
	struct slb_entry *e = &cpu->slb[index], old = *e;

	*e = (struct slb_entry){ esid & (SLB_ESID | SLB_V), vsid };
	if (cpu->lpcr & LPCR_HR || same(e, &old))
		return;
	if (old.esid & SLB_V)
		forget_segment(cpu, &old);
	if (e->esid & SLB_V && is_double(cpu, index))
		forget_segment(cpu, e);
	cpu->ctx->spaces.moved = true;
}

/* ---- A page that has changed ---- */

void tlb_flush_hpte(struct cpu *cpu, const struct hpte *entry, uint64_t index)
{
	const struct spaces *all = &cpu->ctx->spaces;
	const struct hpt *hpt = cpu->env->hpt;
	uint64_t ea;
	unsigned shift;

	if (!hpt->entry)	/* whoever took it away has emptied every TLB */
		return;
	for (unsigned i = 0; i < SLB_ENTRIES; i++)
		if (hpt_entry_in(hpt, entry, index, &cpu->slb[i], &ea, &shift))
			ctx_forget_range(cpu, CTX_PRIVILEGED, ea, shift);
	for (unsigned i = 0; i < SPACES; i++)
		for (unsigned k = 0; k < all->space[i].n; k++)
			if (hpt_entry_in(hpt, entry, index, &all->space[i].segment[k], &ea, &shift))
				ctx_forget_range(cpu, CTX_SPACE(i), ea, shift);
}
