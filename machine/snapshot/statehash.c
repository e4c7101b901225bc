/* The state hash: registers of every processor, RAM, devices, clock. Derived state (TLBs,
 * blocks, lazy flags) must not show, so every field is named here, none is hashed by
 * accident of layout. */
#define _GNU_SOURCE
#include "machine/snapshot/statehash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hcall/dispatcher.h"
#include "machine/core/machine.h"
#include "machine/core/memory.h"
#include "machine/irq/xics.h"
#include "machine/rtas/events.h"
#include "machine/vio/vio.h"
#include "savevm/hash.h"

#define SEED UINT64_C(0xd1b85e26f74a930d)

static inline uint64_t word_at(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static bool is_zero(const uint8_t *p, size_t len)
{
	return !word_at(p) && !memcmp(p, p + 8, len - 8);
}

/* A page of zeros counts for nothing, whether it was never touched or cleared: that is what
 * lets a sparse 64 GiB be hashed by its few touched pages. */
static uint64_t hash_ram(uint64_t hash, const struct ram *ram)
{
	struct memory_used used;
	uint64_t gra = 0;

	memory_used_open(&used, ram);
	while ((gra = memory_used_next(&used, gra)) < ram->size) {
		if (!is_zero(ram->base + gra, RAM_PAGE_SIZE))
			hash = hash_bytes(hash_u64(hash, gra), ram->base + gra, RAM_PAGE_SIZE);
		gra += RAM_PAGE_SIZE;
	}
	memory_used_close(&used);
	return hash_u64(hash, ram->size);
}

/* ---- Who runs, and what each has coming to it ---- */

static uint64_t hash_thread(uint64_t h, const struct vp_thread *t)
{
	const uint64_t words[] = {
		t->state, t->stopped_by, t->woken_by, t->gift, t->conferring, t->confers_to_all, t->physical, t->since,
		t->wait[0], t->wait[1], t->wait[2], t->waited[0], t->waited[1], t->waited[2], t->ran, t->awaits, t->dispatches,
	};

	return hash_bytes(h, words, sizeof words);
}

static uint64_t hash_vproc(uint64_t h, const struct vproc *vp)
{
	const uint64_t words[] = {
		vp->state, vp->home, (uint64_t)vp->phys, vp->paid, vp->slice_end, vp->slice_left, vp->turn, vp->ran, vp->away,
		vp->demand, vp->owed, vp->bursting, vp->phase,
	};

	return hash_bytes(h, words, sizeof words);
}

static uint64_t hash_pool(uint64_t h, const struct dispatcher *d)
{
	const uint64_t words[] = {
		d->shared, d->procs, d->chips, d->window, d->window_end, d->since, d->homes_due, d->next_turn, d->rng,
	};

	h = hash_bytes(h, words, sizeof words);
	for (unsigned i = 0; i < d->procs; i++)
		h = hash_u64(h, d->on[i].slice_end);
	for (unsigned i = 0; i < PARTITIONS; i++) {
		const struct partition *p = &d->partition[i];
		const uint64_t mine[] = {
			p->entitlement, p->weight, p->capped, p->contends, (uint64_t)p->budget, p->excess,
			p->excess_weight, p->used,
		};

		h = hash_bytes(h, mine, sizeof mine);
		for (unsigned k = 0; k < p->n; k++)
			h = hash_vproc(h, &p->vp[k]);
	}
	return h;
}

static uint64_t hash_cpu(uint64_t h, struct spapr_cpu *sc)
{
	struct cpu *cpu = &sc->cpu;
	const uint64_t words[] = {
		cpu->lr, cpu->ctr, cpu->tar, cpu_get_cr(cpu), cpu_get_xer(cpu),
		cpu->resv_size, cpu->resv_size ? cpu->resv_addr : 0,
		cpu->nip, cpu->msr, fpscr_get(cpu), cpu->vscr, cpu->vrsave,
		cpu->srr0, cpu->srr1, cpu->dar, cpu->dsisr,
		cpu->sprg[0], cpu->sprg[1], cpu->sprg[2], cpu->sprg[3], cpu->sprg_user3,
		cpu->pvr, cpu->logical_pvr, cpu->pir, cpu->tir,
		cpu->lpcr, cpu->fscr, cpu->dscr, cpu->ppr, cpu->amr, cpu->iamr, cpu->uamor, cpu->ctrl, cpu->pspb,
		cpu->ciabr, cpu->dawr0, cpu->dawrx0, cpu->dabr, cpu->dabrx,
		cpu->mmcr0, cpu->mmcr1, cpu->mmcr2, cpu->mmcra, cpu->siar, cpu->sdar, cpu->sier,
		cpu->pmc[0], cpu->pmc[1], cpu->pmc[2], cpu->pmc[3], cpu->pmc[4], cpu->pmc[5],
		cpu->bescr, cpu->ebbhr, cpu->ebbrr, cpu->tfhar, cpu->texasr, cpu->tfiar, cpu->vtb_off,
		cpu->pidr, cpu->proc_tbl, cpu->cfar, cpu->tidr, cpu->wort, cpu->dec_expires, cpu->purr_base, cpu->spurr_base,
		cpu->irq, cpu->run_state, cpu->prodded, cpu->cycles,
		sc->vpa_addr, sc->slb_shadow_addr, sc->slb_shadow_size, sc->dtl_addr, sc->dtl_size,
		sc->cppr, sc->mfrr, sc->pending_priority, sc->xirr_owner, sc->xirr, sc->dispatch_count,
		sc->dispersion_count, sc->dtl_index, word_at(sc->home_changes),
		sc->donated[0], sc->donated[1], sc->donates, sc->donates_idle, cpu->share_from, cpu->used, cpu->core_ran, cpu->used_part,
		cpu->share,
	};

	h = hash_thread(h, &sc->vp);
	h = hash_bytes(h, cpu->r, sizeof cpu->r);
	h = hash_bytes(h, cpu->vsr, sizeof cpu->vsr);
	h = hash_bytes(h, cpu->slb, sizeof cpu->slb);
	return hash_bytes(h, words, sizeof words);
}

static uint64_t hash_board(uint64_t h, struct machine *m)
{
	const struct clock *clock = &m->clock;
	const uint64_t words[] = {
		clock->now, clock->tb.tb_offset, clock->tb.tb_floor,
		m->rtc_offset_ns - m->rtc_base_ns,
		m->rng_state[0], m->rng_state[1], m->rng_state[2], m->rng_state[3],
		m->proc_tbl, m->cas_done, m->radix, m->splpar_off, m->compat_pvr, m->energy[0].made, m->energy[1].made,
		m->fwnmi_sreset, m->fwnmi_mcheck, (uint64_t)m->fwnmi_interlock, m->vasi_stream, m->vasi_state,
	};

	h = hash_pool(hash_bytes(h, words, sizeof words), m->dispatcher);
	for (unsigned i = 0; i < ARRAY_SIZE(m->energy); i++)
		h = hash_bytes(h, m->energy[i].priority, sizeof m->energy[i].priority);
	for (unsigned i = 0; i < XICS_IRQS; i++) {
		const struct xics_source *s = &m->xics->source[i];

		if (s->kind != XICS_FREE)
			h = hash_u64(hash_u64(h, (uint64_t)i << 32 | s->server),
				     (uint64_t)s->priority << 24 | (uint64_t)s->saved_priority << 16 |
				     (uint64_t)s->status << 8 | s->kind);
	}
	for (const struct event_log *log = m->event_logs; log; log = log->next)
		h = hash_bytes(hash_u64(h, log->summary), log->data, log->len < sizeof log->data ? log->len : sizeof log->data);
	for (struct device *dev = m->devices; dev; dev = dev->next) {
		const struct vio_device *vio = (const struct vio_device *)dev;

		if (dev->class->on != &vio_bus)
			continue;
		h = hash_u64(hash_u64(h, (uint64_t)vio->reg << 32 | vio->irq), vio->signal_state);
		h = dev->class->hash(dev, h);
	}
	return h;
}

uint64_t machine_statehash(struct machine *m)
{
	uint64_t h = hash_board(SEED, m);

	for (unsigned i = 0; i < m->ncpus; i++)
		h = hash_cpu(h, m->cpu[i]);
	return hash_ram(h, &m->ram);
}

uint64_t machine_instructions(const struct machine *m)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < m->ncpus; i++)
		n += m->cpu[i]->cpu.insns;
	return n;
}
