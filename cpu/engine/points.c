#include "cpu/engine/points.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/engine/block.h"
#include "cpu/engine/tlb.h"

static bool same_places(const struct points *a, const struct points *b)
{
	static const struct points none;

	return !memcmp((a ? a : &none)->places, (b ? b : &none)->places, sizeof none.places);
}

static bool has_data(const struct points *p) { return p && p->kinds & (POINT_LOAD | POINT_STORE); }

bool points_set(struct engine *e, const struct point *point, unsigned n)
{
	struct points *was = e->points, *now = n ? calloc(1, sizeof *now) : NULL;

	if (n && !now)
		return false;
	for (unsigned i = 0; i < n; i++) {
		uint64_t word = point[i].ea % RAM_PAGE_SIZE / 4;

		now->point[now->n++] = point[i];
		now->kinds |= point[i].kind;
		if (point[i].kind & POINT_CODE)
			now->places[word / 64] |= UINT64_C(1) << word % 64;
	}
	e->points = now;
	if (!same_places(was, now))
		engine_flush(e);
	for (unsigned i = 0; i < e->ncpus; i++) {
		e->cpus[i]->watched_for = now != NULL;
		e->cpus[i]->singly = has_data(now) && (e->pace || e->charge);
		if (has_data(was) || has_data(now))
			tlb_flush_all(e->cpus[i]);
	}
	free(was);
	return true;
}

void points_free(struct engine *e)
{
	free(e->points);
	e->points = NULL;
}

bool points_stop(struct cpu *cpu)
{
	const struct points *p = cpu->engine->points;
	uint64_t nip = cpu->nip & ~UINT64_C(3);

	if (!(cpu->msr & MSR_SF))
		nip = (uint32_t)nip;
	if (likely(!points_part(p, nip)))
		return false;
	for (unsigned i = 0; i < p->n; i++)
		if (p->point[i].kind & POINT_CODE && p->point[i].ea == nip) {
			cpu->observed = (struct observed){ POINT_CODE, nip };
			return true;
		}
	return false;
}

static bool overlaps(const struct point *p, uint64_t ea, uint64_t bytes)
{
	return ea <= p->ea + (p->bytes - 1) && p->ea <= ea + (bytes - 1);
}

bool points_in_page(const struct cpu *cpu, uint64_t ea)
{
	const struct points *p = cpu->engine->points;

	for (unsigned i = 0; p && i < p->n; i++)
		if (!(p->point[i].kind & POINT_CODE) && overlaps(&p->point[i], TLB_PAGE(ea), RAM_PAGE_SIZE))
			return true;
	return false;
}

bool points_touch(struct cpu *cpu, uint64_t ea, uint64_t bytes, bool store)
{
	const struct points *p = cpu->engine->points;

	for (unsigned i = 0; p && i < p->n; i++) {
		const struct point *at = &p->point[i];

		if (!(at->kind & (store ? POINT_STORE : POINT_LOAD)) || !overlaps(at, ea, bytes))
			continue;
		if (!cpu->alone_at && !cpu->singly)
			return true;
		cpu->observed = (struct observed){ at->kind, at->ea };
		cpu->halt |= CPU_OBSERVED;
		return false;
	}
	return false;
}
