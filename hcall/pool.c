/* Capacity: windows, entitlements, weights, and the load that other partitions are.
 *
 * In each window a partition has a budget: its entitlement in cycles. Partitions with budget left come
 * before those without; of two with budget, the one that needs longer to use it up comes first. What they
 * leave of the pool goes to uncapped partitions by weight: first to the one that has had least of it for
 * its weight. Within a partition virtual processors take turns, a time slice each.
 *
 * A capped partition can overdraw its budget by a quantum, and pays that back in the next window; a
 * partition that still waits at the end of a window keeps the budget that it could not use for the next.
 * Source: PAPR, "Shared Processor LPAR Option"; what it leaves open is decided here.
 */
#include "hcall/pool.h"

#include <string.h>

/* Mean length of a burst, in windows. */
#define BURST_WINDOWS 10

static uint64_t window_share(const struct dispatcher *d, const struct partition *p)
{
	return d->window * p->entitlement / POOL_UNIT;
}

bool pool_has_capacity(const struct partition *p)
{
	return p->budget > 0 || (!p->capped && p->weight);
}

uint64_t pool_slice(const struct dispatcher *d)
{
	return d->window / POOL_SLICES;
}

uint64_t pool_hint_delay(const struct dispatcher *d)
{
	return pool_slice(d) / POOL_HINTS;
}

/* ---- Paying ---- */

static void pay_budget(struct partition *p, uint64_t cycles)
{
	p->budget -= (int64_t)cycles;
	if (p->budget >= 0 || p->capped || !p->weight)
		return;
	p->excess += (uint64_t)-p->budget;
	p->budget = 0;
	p->contends = true;
}

void pool_pay(struct dispatcher *d, struct partition *p, struct vproc *vp, uint64_t cycle)
{
	uint64_t cycles = cycle - vp->paid;

	vp->paid = cycle;
	p->used += cycles;
	vp->ran += cycles;
	if (dispatcher_chip(d, (unsigned)vp->phys) != vp->home)
		vp->away += cycles;
	if (d->limits)
		pay_budget(p, cycles);
	vp->owed -= cycles < vp->owed ? cycles : vp->owed;
}

/* ---- The load ---- */

/* splitmix64. */
static uint64_t draw_random(struct dispatcher *d)
{
	uint64_t z = d->rng += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* Windows that the next burst or pause lasts: drawn evenly, so that the mean lengths of bursts and pauses are to
 * each other as the part of a window that it wants is to the part that it does not. */
static uint32_t phase_length(struct dispatcher *d, const struct vproc *vp)
{
	uint64_t pause = (d->window - vp->demand) * BURST_WINDOWS / vp->demand;

	return vp->bursting ? 1 + (uint32_t)(draw_random(d) % (2 * BURST_WINDOWS - 1)) : (uint32_t)(draw_random(d) % (2 * pause + 1));
}

static void continue_burst(struct dispatcher *d, struct vproc *vp)
{
	while (!vp->phase) {
		vp->bursting = !vp->bursting;
		vp->phase = phase_length(d, vp);
	}
	vp->phase--;
	vp->owed = vp->bursting ? d->window : 0;
}

/* Work that the load did not get done in the last window is dropped. */
static void new_load_work(struct dispatcher *d)
{
	struct partition *load = &d->partition[PARTITION_LOAD];

	for (unsigned i = 0; i < load->n; i++) {
		struct vproc *vp = &load->vp[i];

		if (d->bursty)
			continue_burst(d, vp);
		else
			vp->owed = vp->demand;
	}
}

/* ---- Windows ---- */

bool pool_anyone(const struct partition *p, enum vp_state state)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->vp[i].state == state)
			return true;
	return false;
}

/* `last`: no whole window went by since the last refill, so that what is left of the budget still counts. */
static void refill_budget(const struct dispatcher *d, struct partition *p, bool last)
{
	int64_t fresh = (int64_t)window_share(d, p), rest = 0;

	if (last && (p->budget < 0 || pool_anyone(p, VP_READY)))
		rest = p->budget < fresh ? p->budget : fresh;
	p->budget = fresh + rest;
}

/* Has `a` had fewer cycles beyond its entitlement than `b`, each measured by its weight? */
static bool had_less(const struct partition *a, const struct partition *b)
{
	return (unsigned __int128)a->excess * b->weight < (unsigned __int128)b->excess * a->weight;
}

static uint64_t scaled_excess(uint64_t cycles, uint32_t to, uint32_t from)
{
	return from ? (uint64_t)((unsigned __int128)cycles * to / from) : 0;
}

/* The excess is rescaled to the new weight; while the weight is 0 it stays as it is. */
void pool_set_weight(struct partition *p, uint32_t weight)
{
	if (weight) {
		p->excess = scaled_excess(p->excess, weight, p->excess_weight);
		p->excess_weight = weight;
	}
	p->weight = weight;
}

/* A partition that asked for no more than its entitlement in the last window gains no advantage in later ones by
 * that; one that did ask can be behind the others by one window of the pool at most. */
static void even_out_excess(struct dispatcher *d)
{
	const struct partition *most = NULL;

	for (unsigned i = 0; i < PARTITIONS; i++)
		if (d->partition[i].contends && (!most || had_less(most, &d->partition[i])))
			most = &d->partition[i];
	for (unsigned i = 0; i < PARTITIONS; i++) {
		struct partition *p = &d->partition[i];
		uint64_t par = most ? scaled_excess(most->excess, p->weight, most->weight) : 0;
		uint64_t saved = p->contends ? d->procs * d->window : 0;

		if (p->excess + saved < par)
			p->excess = par - saved;
	}
	for (unsigned i = 0; i < PARTITIONS; i++)
		d->partition[i].contends = false;
}

bool pool_roll(struct dispatcher *d, uint64_t cycle)
{
	uint64_t over;

	if (cycle < d->window_end)
		return false;
	over = (cycle - d->window_end) / d->window + 1;
	d->window_end += over * d->window;
	even_out_excess(d);
	for (unsigned i = 0; i < PARTITIONS; i++)
		refill_budget(d, &d->partition[i], over == 1);
	new_load_work(d);
	return true;
}

void pool_changed(struct dispatcher *d)
{
	const struct partition *guest = &d->partition[PARTITION_GUEST];

	d->limits = d->shared && (guest->capped || !guest->weight || d->partition[PARTITION_LOAD].n);
}

void pool_reset(struct dispatcher *d, uint64_t cycle)
{
	d->since = cycle;
	d->window_end = (cycle / d->window + 1) * d->window;
	d->next_turn = 1;
	for (unsigned i = 0; i < PARTITIONS; i++) {
		struct partition *p = &d->partition[i];

		p->budget = (int64_t)window_share(d, p);
		p->excess = p->used = 0;
		p->excess_weight = p->weight;
		p->contends = false;
		for (unsigned k = 0; k < p->n; k++)
			p->vp[k] = (struct vproc){
				.state = VP_CEDED, .phys = -1, .demand = p->vp[k].demand,
				.home = (uint8_t)dispatcher_chip(d, k % d->procs),
			};
	}
	memset(d->on, 0, sizeof d->on);
	new_load_work(d);
	pool_changed(d);
}

/* ---- Which virtual processor comes next ---- */

bool pool_displaces(const struct partition *a, const struct partition *b)
{
	return a->budget > 0 && b->budget <= 0;
}

/* Cycles for which the partition still has to be on processors in this window to use up its budget, if as many of
 * its virtual processors run side by side as want to; of the load, at least what the one with most work needs. */
static uint64_t time_needed(const struct dispatcher *d, const struct partition *p)
{
	uint64_t budget = (uint64_t)p->budget, longest = 0, even;
	unsigned n = 0;

	for (unsigned i = 0; i < p->n; i++) {
		n += p->vp[i].state == VP_READY || p->vp[i].state == VP_RUNNING;
		if (p->vp[i].owed > longest)
			longest = p->vp[i].owed;
	}
	if (n > d->procs)
		n = d->procs;
	even = budget / (n ? n : 1);
	return longest <= even ? even : longest < budget ? longest : budget;
}

bool pool_before(const struct dispatcher *d, const struct partition *a, const struct partition *b)
{
	if (a->budget > 0 && b->budget > 0)
		return time_needed(d, a) > time_needed(d, b);
	if (a->budget > 0 || b->budget > 0)
		return a->budget > 0;
	return had_less(a, b);
}

void pool_queue(struct dispatcher *d, struct vproc *vp)
{
	vp->turn = d->next_turn++;
}

static struct vproc *first_ready(const struct partition *p)
{
	struct vproc *first = NULL;

	for (unsigned i = 0; i < p->n; i++)
		if (p->vp[i].state == VP_READY && (!first || p->vp[i].turn < first->turn))
			first = &p->vp[i];
	return first;
}

struct vproc *pool_next(struct dispatcher *d, enum partition_id *who)
{
	struct vproc *next = NULL;

	for (unsigned i = 0; i < PARTITIONS; i++) {
		struct partition *p = &d->partition[i];
		struct vproc *first = pool_has_capacity(p) || !d->limits ? first_ready(p) : NULL;

		if (!first)
			continue;
		p->contends |= p->budget <= 0;
		if (!next || pool_before(d, p, &d->partition[*who])) {
			next = first;
			*who = (enum partition_id)i;
		}
	}
	return next;
}

int pool_place(const struct dispatcher *d, const struct vproc *vp)
{
	unsigned chip = vp->phys >= 0 ? dispatcher_chip(d, (unsigned)vp->phys) : vp->home;
	int near = -1, any = -1;

	if (vp->phys >= 0 && !d->on[vp->phys].vp)
		return vp->phys;
	for (int i = (int)d->procs - 1; i >= 0; i--) {
		if (d->on[i].vp)
			continue;
		any = i;
		if (dispatcher_chip(d, (unsigned)i) == chip)
			near = i;
	}
	return near >= 0 ? near : any;
}

/* ---- When it changes ---- */

static uint64_t earlier_of(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* A partition with several virtual processors running uses up its budget that many times as fast. */
static uint64_t budget_end(const struct partition *p, uint64_t now, unsigned running)
{
	return running && p->budget > 0 ? now + ((uint64_t)p->budget + running - 1) / running : UINT64_MAX;
}

uint64_t pool_next_change(const struct dispatcher *d, uint64_t now)
{
	unsigned running[PARTITIONS] = { 0 };
	bool waits = false, capped = false;
	uint64_t next = UINT64_MAX;

	for (unsigned i = 0; i < PARTITIONS; i++) {
		waits |= pool_anyone(&d->partition[i], VP_READY);
		capped |= pool_anyone(&d->partition[i], VP_WAITING);
	}
	for (unsigned i = 0; i < d->procs; i++) {
		const struct vproc *vp = d->on[i].vp;

		if (!vp)
			continue;
		running[d->on[i].partition]++;
		if (waits)
			next = earlier_of(next, vp->slice_end);
		if (d->on[i].partition == PARTITION_LOAD)
			next = earlier_of(next, now + vp->owed);
	}
	/* Who idles is asked at these, for a guest sets its hint when it likes. */
	if (waits && running[PARTITION_GUEST])
		next = earlier_of(next, (now / pool_hint_delay(d) + 1) * pool_hint_delay(d));
	if (!d->limits)
		return next;
	for (unsigned i = 0; i < PARTITIONS; i++)
		next = earlier_of(next, budget_end(&d->partition[i], now, running[i]));
	if (capped || running[PARTITION_GUEST] || d->partition[PARTITION_LOAD].n)
		next = earlier_of(next, d->window_end);
	return next;
}
