/* The virtual processor dispatcher: states and transitions of threads, and which physical processor each gets.
 *
 * dispatcher_look() runs between quanta: it wakes threads, takes processors away and gives them out.
 * Within a quantum a thread can only stop (dispatcher_stopped), and its physical processor can only go to
 * a virtual processor that was ready before (dispatcher_hand_over): so no thread begins at a cycle before
 * the one at which it stopped. What the guest sees of a transition (counts, times, log) vpa.c and dtl.c write.
 */
#include "hcall/dispatcher.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/core/timebase.h"
#include "hcall/dtl_file.h"
#include "hcall/pool.h"
#include "hcall/splpar.h"
#include "hcall/trace.h"
#include "hcall/transitions.h"
#include "machine/core/clock.h"
#include "machine/core/config.h"
#include "machine/core/log.h"
#include "machine/core/machine.h"
#include "savevm/error.h"

/* ---- Cores and their threads ---- */

static unsigned first_thread(const struct machine *m, const struct vproc *vp)
{
	return (unsigned)(vp - dispatcher_guest(m)->vp) * m->threads;
}

bool vp_runs(const struct spapr_cpu *sc)
{
	return sc->vp.state == VP_RUNNING;
}

int dispatcher_core_on(const struct machine *m, unsigned phys)
{
	const struct physical *on = &m->dispatcher->on[phys];

	return on->vp && on->partition == PARTITION_GUEST ? (int)first_thread(m, on->vp) : -1;
}

/* ---- Transitions ---- */

static void log_transition(struct machine *m, const struct dtl_record *r)
{
	bool guest = r->partition == PARTITION_GUEST;
	char where[24] = "";

	if (r->physical != PHYSICAL_NONE)
		snprintf(where, sizeof where, " %s %u", r->state == VP_RUNNING ? "on" : "from", r->physical);
	log_plain(m, "%llu %s%u %s, %s%s\n", (unsigned long long)r->cycle, guest ? "cpu" : "load", r->vp,
		  vp_state_name((enum vp_state)r->state), vp_reason_name((enum vp_reason)r->reason), where);
}

static void report_transition(struct machine *m, const struct dtl_record *r)
{
	if (m->dispatcher->transitions)
		transitions_add(m, r);
	if (unlikely(m->log_mask & LOG_DISPATCH))
		log_transition(m, r);
}

void dispatcher_log_begin(struct machine *m)
{
	if (m->dispatcher->transitions)
		transitions_restart(m);
}

/* The thread comes into `state` at `cycle`; `code` as in a DTL entry. */
static void enter_state(struct machine *m, struct spapr_cpu *sc, enum vp_state state, enum vp_reason reason,
			uint64_t cycle, uint8_t code)
{
	struct vp_thread *t = &sc->vp;
	bool ran = t->state == VP_RUNNING, runs = state == VP_RUNNING;

	if (ran)
		t->ran += cycle - t->since;
	else
		t->wait[vp_interval((enum vp_state)t->state)] += cycle - t->since;
	t->state = (uint8_t)state;
	t->since = cycle;
	report_transition(m, &(struct dtl_record){
		.cycle = cycle, .vp = (uint16_t)sc->cpu.index, .partition = PARTITION_GUEST,
		.state = (uint8_t)state, .reason = (uint8_t)reason, .code = code,
		.physical = ran || runs ? t->physical : PHYSICAL_NONE,
		.srr0 = ran || runs ? sc->cpu.nip : 0, .srr1 = ran || runs ? sc->cpu.msr : 0,
	});
}

static void enter_load_state(struct machine *m, struct vproc *vp, enum vp_state state, enum vp_reason reason, uint64_t cycle)
{
	struct dispatcher *d = m->dispatcher;
	bool placed = vp->state == VP_RUNNING || state == VP_RUNNING;

	vp->state = (uint8_t)state;
	report_transition(m, &(struct dtl_record){
		.cycle = cycle, .vp = (uint16_t)(vp - d->partition[PARTITION_LOAD].vp), .partition = PARTITION_LOAD,
		.state = (uint8_t)state, .reason = (uint8_t)reason,
		.physical = placed ? (uint16_t)((unsigned)vp->phys * d->threads) : PHYSICAL_NONE,
	});
}

/* ---- Dispatch ---- */

/* Why the thread is dispatched: the interrupt that it takes before its next instruction, or what woke it. */
static enum vp_reason dispatch_reason(const struct spapr_cpu *sc)
{
	const struct cpu *cpu = &sc->cpu;

	if (cpu->irq & (IRQ_RESET | IRQ_MACHINE_CHECK) || cpu_interrupt_pending(cpu, cpu->msr)) {
		if (cpu->irq & IRQ_RESET)
			return VP_RESET;
		if (cpu->irq & IRQ_MACHINE_CHECK)
			return VP_NONE;
		if (cpu->irq & IRQ_EXTERNAL)
			return VP_EXTERNAL;
		if (cpu_dec(cpu, cpu->cycles) < 0)
			return VP_DECREMENTER;
		return cpu->irq & IRQ_DOORBELL ? VP_DOORBELL : VP_NONE;
	}
	if (sc->vp.woken_by == VP_STARTED || sc->vp.woken_by == VP_PROD)
		return (enum vp_reason)sc->vp.woken_by;
	return sc->vp.gift ? VP_GIFT : VP_SLICE;
}

/* The thread has its turn: threads that conferred to it no longer wait for it. */
static void count_turn(struct machine *m, const struct spapr_cpu *sc)
{
	unsigned word = sc->cpu.index / 64;
	uint64_t bit = UINT64_C(1) << sc->cpu.index % 64;

	for (unsigned i = 0; i < m->ncpus; i++)
		m->cpu[i]->vp.awaits[word] &= ~bit;
}

static void dispatch_thread(struct machine *m, struct spapr_cpu *sc, unsigned phys, uint64_t cycle)
{
	struct vp_thread *t = &sc->vp;
	uint16_t before = t->physical;
	enum vp_reason reason;

	cpu_wait_until(&sc->cpu, cycle);
	reason = dispatch_reason(sc);
	t->physical = (uint16_t)(phys * m->threads + sc->cpu.tir);
	enter_state(m, sc, VP_RUNNING, reason, cycle, vp_dispatch_code(reason));
	vpa_dispatched(m, sc, reason, before != PHYSICAL_NONE && before != t->physical);
	memset(t->wait, 0, sizeof t->wait);
	t->dispatches++;
	t->gift = t->conferring = false;
	t->woken_by = VP_SLICE;		/* the reason if it is preempted and dispatched again */
	memset(t->awaits, 0, sizeof t->awaits);
	hcall_trace_back(&sc->cpu);
	count_turn(m, sc);
}

static bool wants_to_run(const struct spapr_cpu *sc)
{
	return sc->vp.state == VP_READY || sc->vp.state == VP_WAITING;
}

static void dispatch_vproc(struct machine *m, enum partition_id who, struct vproc *vp, unsigned phys, uint64_t cycle)
{
	struct dispatcher *d = m->dispatcher;
	struct physical *on = &d->on[phys];
	uint64_t away = cycle - vp->paid;
	bool gift = false;

	vp->phys = (int16_t)phys;
	vp->paid = cycle;
	on->vp = vp;
	on->partition = (uint8_t)who;
	if (who == PARTITION_LOAD) {
		enter_load_state(m, vp, VP_RUNNING, VP_SLICE, cycle);
	} else {
		unsigned first = first_thread(m, vp);

		vp->state = VP_RUNNING;
		vpa_donate(m, first, away);
		for (unsigned i = first; i < first + m->threads; i++) {
			if (!wants_to_run(m->cpu[i]))
				continue;
			gift |= m->cpu[i]->vp.gift;
			dispatch_thread(m, m->cpu[i], phys, cycle);
		}
		share_settle(m, first, cycle);
		share_deal(m, first);
	}
	/* A thread that was given cycles runs for the rest of the giver's slice. */
	if (!gift || on->slice_end <= cycle)
		on->slice_end = cycle + (vp->slice_left ? vp->slice_left : pool_slice(d));
	vp->slice_end = on->slice_end;
	vp->slice_left = 0;
}

/* ---- Leaving ---- */

static const struct stop {
	enum vp_state state;
	enum vp_reason reason;
} stops[] = {
	[CPU_STOPPED] = { VP_STOPPED, VP_STOP }, [CPU_CEDED] = { VP_CEDED, VP_CEDE },
	[CPU_JOINED] = { VP_JOINED, VP_JOIN }, [CPU_CONFERRED] = { VP_CONFERRED, VP_CONFER },
};

static void stop_thread(struct machine *m, struct spapr_cpu *sc, enum vp_state state, enum vp_reason reason, uint64_t cycle)
{
	enter_state(m, sc, state, reason, cycle, vp_preempt_code(reason));
	sc->vp.stopped_by = (uint8_t)reason;
	vpa_stopped(m, sc);
}

void dispatcher_stopped(struct machine *m, struct spapr_cpu *sc)
{
	const struct stop *stop = &stops[sc->cpu.run_state];

	if (vp_runs(sc))
		stop_thread(m, sc, stop->state, stop->reason, sc->cpu.cycles);
}

static void pay_for_processor(struct dispatcher *d, unsigned phys, uint64_t cycle)
{
	struct physical *on = &d->on[phys];

	if (on->vp)
		pool_pay(d, &d->partition[on->partition], on->vp, cycle);
}

static void leave_processor(struct dispatcher *d, unsigned phys, enum vp_state state)
{
	d->on[phys].vp->state = (uint8_t)state;
	d->on[phys].vp = NULL;
}

/* Takes the physical processor `phys` away from the virtual processor on it. */
static void preempt_processor(struct machine *m, unsigned phys, enum vp_reason reason)
{
	struct dispatcher *d = m->dispatcher;
	struct physical *on = &d->on[phys];
	struct vproc *vp = on->vp;
	enum vp_state state = reason == VP_CAPPED ? VP_WAITING : VP_READY;

	if (on->partition == PARTITION_LOAD) {
		enter_load_state(m, vp, state, reason, m->clock.now);
	} else {
		unsigned first = first_thread(m, vp);

		for (unsigned i = first; i < first + m->threads; i++)
			if (vp_runs(m->cpu[i]))
				stop_thread(m, m->cpu[i], state, reason, m->clock.now);
		share_deal(m, first);
	}
	leave_processor(d, phys, state);
	/* A virtual processor that lost its slice to a lack of capacity keeps its turn and the rest of the slice. */
	if (reason != VP_SLICE_END && vp->slice_end > m->clock.now)
		vp->slice_left = vp->slice_end - m->clock.now;
	else
		pool_queue(d, vp);
}

/* ---- Becoming ready ---- */

static enum vp_state ready_state(const struct dispatcher *d, const struct partition *p)
{
	return !d->limits || pool_has_capacity(p) ? VP_READY : VP_WAITING;
}

static void thread_ready(struct machine *m, struct spapr_cpu *sc, enum vp_reason reason)
{
	struct vproc *vp = dispatcher_core(m, sc);
	uint64_t now = m->clock.now;

	sc->cpu.run_state = CPU_RUNNING;
	sc->vp.woken_by = (uint8_t)reason;
	if (vp->state == VP_CEDED) {
		vp->state = (uint8_t)ready_state(m->dispatcher, dispatcher_guest(m));
		pool_queue(m->dispatcher, vp);
	}
	enter_state(m, sc, vp->state == VP_WAITING ? VP_WAITING : VP_READY, reason, now, 0);
	if (vp->state == VP_RUNNING) {		/* another thread of its core */
		dispatch_thread(m, sc, (unsigned)vp->phys, now);
		share_deal(m, first_thread(m, vp));
	}
}

/* Every other thread of its core is stopped. */
static bool first_to_start(const struct machine *m, const struct spapr_cpu *sc)
{
	unsigned first = first_thread(m, dispatcher_core(m, sc));

	for (unsigned i = first; i < first + m->threads; i++)
		if (m->cpu[i] != sc && m->cpu[i]->vp.state != VP_STOPPED)
			return false;
	return true;
}

static bool awaits_any(const struct vp_thread *t)
{
	uint64_t any = 0;

	for (unsigned i = 0; i < VP_WORDS; i++)
		any |= t->awaits[i];
	return any;
}

/* Why a thread that waits becomes ready; VP_NONE: it goes on waiting. */
static enum vp_reason wake_reason(struct machine *m, struct spapr_cpu *sc)
{
	struct cpu *cpu = &sc->cpu;

	if (cpu->run_state == CPU_RUNNING)	/* set so by RTAS start-cpu, by a system reset, at boot */
		return sc->vp.state == VP_STOPPED ? VP_STARTED : VP_RESET;
	if (cpu->run_state == CPU_STOPPED)
		return VP_NONE;
	cpu_wait_until(cpu, m->clock.now);
	if (cpu->prodded) {
		cpu->prodded = false;
		return VP_PROD;
	}
	/* H_CEDE has set MSR[EE]; H_JOIN wants it off, so that only a system reset gets through. */
	if (cpu_interrupt_pending(cpu, cpu->msr)) {
		enum vp_reason reason = dispatch_reason(sc);

		return reason == VP_NONE ? VP_EXTERNAL : reason;
	}
	return cpu->run_state == CPU_CONFERRED && sc->vp.conferring && !awaits_any(&sc->vp) ? VP_TURN_OVER : VP_NONE;
}

static void wake_threads(struct machine *m)
{
	for (unsigned i = 0; i < m->ncpus; i++) {
		struct spapr_cpu *sc = m->cpu[i];
		enum vp_reason reason;

		if (vp_runs(sc) || wants_to_run(sc))
			continue;
		reason = wake_reason(m, sc);
		if (reason == VP_STARTED && first_to_start(m, sc))
			share_start(m, first_thread(m, dispatcher_core(m, sc)));
		if (reason != VP_NONE)
			thread_ready(m, sc, reason);
	}
}

/* ---- The load ---- */

static void end_load_work(struct machine *m)
{
	struct dispatcher *d = m->dispatcher;

	for (unsigned i = 0; i < d->procs; i++) {
		struct vproc *vp = d->on[i].vp;

		if (vp && d->on[i].partition == PARTITION_LOAD && !vp->owed) {
			enter_load_state(m, vp, VP_CEDED, VP_DONE, m->clock.now);
			d->on[i].vp = NULL;
		}
	}
}

static void begin_load_work(struct machine *m)
{
	struct dispatcher *d = m->dispatcher;
	struct partition *load = &d->partition[PARTITION_LOAD];

	for (unsigned i = 0; i < load->n; i++) {
		struct vproc *vp = &load->vp[i];

		if (vp->state == VP_CEDED && vp->owed) {
			enter_load_state(m, vp, ready_state(d, load), VP_DEMAND, m->clock.now);
			pool_queue(d, vp);
		} else if (vp->state == VP_READY && !vp->owed) {
			enter_load_state(m, vp, VP_CEDED, VP_DONE, m->clock.now);
		}
	}
}

/* ---- Capacity comes and goes ---- */

/* Every virtual processor of the partition that is in state `from` goes to state `to`. */
static void move_partition(struct machine *m, enum partition_id who, enum vp_state from, enum vp_state to, enum vp_reason reason)
{
	struct partition *p = &m->dispatcher->partition[who];

	for (unsigned i = 0; i < p->n; i++) {
		if (p->vp[i].state != from)
			continue;
		if (who == PARTITION_LOAD)
			enter_load_state(m, &p->vp[i], to, reason, m->clock.now);
		else
			for (unsigned k = i * m->threads; k < (i + 1) * m->threads; k++)
				if (m->cpu[k]->vp.state == from)
					enter_state(m, m->cpu[k], to, reason, m->clock.now, 0);
		p->vp[i].state = (uint8_t)to;
	}
}

static void check_capacity(struct machine *m)
{
	struct dispatcher *d = m->dispatcher;

	for (unsigned i = 0; i < PARTITIONS; i++) {
		if (ready_state(d, &d->partition[i]) == VP_READY) {
			move_partition(m, (enum partition_id)i, VP_WAITING, VP_READY, VP_WINDOW);
			continue;
		}
		move_partition(m, (enum partition_id)i, VP_READY, VP_WAITING, VP_CAPPED);
		for (unsigned k = 0; k < d->procs; k++)
			if (d->on[k].vp && d->on[k].partition == i)
				preempt_processor(m, k, VP_CAPPED);
	}
}

/* ---- Homes. PAPR, "Virtual Processor Home Node" ---- */

/* If a virtual processor spent over half its run time off its home chip, its home becomes the chip it last ran on. */
static void review_homes(struct machine *m)
{
	struct dispatcher *d = m->dispatcher;
	struct partition *p = dispatcher_guest(m);

	if (d->chips == 1 || m->clock.now < d->homes_due)
		return;
	d->homes_due = m->clock.now + POOL_HOME_WINDOWS * d->window;
	for (unsigned i = 0; i < p->n; i++) {
		struct vproc *vp = &p->vp[i];

		if (vp->away > vp->ran / 2) {
			unsigned from = vp->home, to = dispatcher_chip(d, (unsigned)vp->phys);

			vp->home = (uint8_t)to;
			for (unsigned k = i * m->threads; from != to && k < (i + 1) * m->threads; k++)
				vpa_moved_home(m, m->cpu[k], from, to);
		}
		vp->ran = vp->away = 0;
	}
}

/* ---- Which virtual processor runs ---- */

static struct vproc *vproc_with_gift(const struct machine *m)
{
	for (unsigned i = 0; i < m->ncpus; i++)
		if (m->cpu[i]->vp.gift && dispatcher_core(m, m->cpu[i])->state == VP_READY)
			return dispatcher_core(m, m->cpu[i]);
	return NULL;
}

/* A virtual processor that was given cycles (H_CONFER) comes before all that queue. */
static struct vproc *choose_vproc(struct machine *m, enum partition_id *who)
{
	struct vproc *vp = vproc_with_gift(m);

	*who = PARTITION_GUEST;
	return vp ? vp : pool_next(m->dispatcher, who);
}

static void fill_processors(struct machine *m)
{
	enum partition_id who;
	struct vproc *vp;
	int phys;

	while ((vp = choose_vproc(m, &who)) && (phys = pool_place(m->dispatcher, vp)) >= 0)
		dispatch_vproc(m, who, vp, (unsigned)phys, m->clock.now);
}

/* The thread says in its VPA that it has nothing to do (idle hint), and means it: a guest's hint still stands from before
 * while what woke it is served, for which it needs a while. */
static bool thread_idles(const struct machine *m, const struct spapr_cpu *sc)
{
	return vpa_idle_hint(m, sc) && m->clock.now >= sc->vp.since + pool_hint_delay(m->dispatcher);
}

static bool processor_idles(const struct machine *m, unsigned phys)
{
	int first = dispatcher_core_on(m, phys);

	for (int i = first; first >= 0 && i < first + (int)m->threads; i++)
		if (vp_runs(m->cpu[i]) && !thread_idles(m, m->cpu[i]))
			return false;
	return first >= 0;
}

/* Does the virtual processor that runs on `phys` come before `next`? Those of one partition take turns, but of
 * two of the load the one that still wants more of this window goes first. */
static bool running_goes_on(const struct dispatcher *d, unsigned phys, enum partition_id who, const struct vproc *next)
{
	const struct physical *on = &d->on[phys];

	if (who == on->partition)
		return on->vp->owed > next->owed;
	return pool_before(d, &d->partition[on->partition], &d->partition[who]);
}

/* At the end of its slice, or while it idles, the running virtual processor goes to the end of the queue, unless it
 * still comes before the first in the queue. */
static void end_slice(struct machine *m, unsigned phys)
{
	struct dispatcher *d = m->dispatcher;
	struct physical *on = &d->on[phys];
	enum partition_id who;
	struct vproc *next;

	if (!on->vp || (on->vp->slice_end > m->clock.now && !processor_idles(m, phys)))
		return;
	next = choose_vproc(m, &who);
	if (!next || running_goes_on(d, phys, who, next)) {
		on->vp->slice_end = on->slice_end = m->clock.now + pool_slice(d);
		return;
	}
	preempt_processor(m, phys, VP_SLICE_END);
	on->slice_end = m->clock.now;
	dispatch_vproc(m, who, next, phys, m->clock.now);
}

/* A physical processor on which a partition without budget runs on what others left, and from which `by` may take
 * it: of several the one whose slice ends first. -1: none. */
static int displaceable_processor(const struct dispatcher *d, const struct partition *by)
{
	int worst = -1;

	for (unsigned i = 0; i < d->procs; i++) {
		const struct physical *on = &d->on[i];

		if (!on->vp || &d->partition[on->partition] == by || !pool_displaces(by, &d->partition[on->partition]))
			continue;
		if (worst < 0 || on->vp->slice_end < d->on[worst].vp->slice_end)
			worst = (int)i;
	}
	return worst;
}

static void displace_vprocs(struct machine *m)
{
	struct dispatcher *d = m->dispatcher;
	enum partition_id who;
	struct vproc *next;
	int phys;

	while (d->limits && (next = pool_next(d, &who)) && (phys = displaceable_processor(d, &d->partition[who])) >= 0) {
		preempt_processor(m, (unsigned)phys, VP_DISPLACED);
		d->on[phys].slice_end = m->clock.now;
		dispatch_vproc(m, who, next, (unsigned)phys, m->clock.now);
	}
}

static bool anyone_ready(struct machine *m)
{
	enum partition_id who;

	return pool_next(m->dispatcher, &who) != NULL;
}

/* Counts what the threads of each core that runs have used since the last look; a core that left was settled as it left. */
static void settle_shares(struct machine *m)
{
	for (unsigned i = 0; i < m->dispatcher->procs; i++) {
		int first = dispatcher_core_on(m, i);

		if (first < 0)
			continue;
		share_settle(m, (unsigned)first, m->clock.now);
		share_deal(m, (unsigned)first);
	}
}

void dispatcher_look(struct machine *m)
{
	struct dispatcher *d = m->dispatcher;
	uint64_t now = m->clock.now;
	bool rolled;

	if (d->shared)
		for (unsigned i = 0; i < d->procs; i++)
			pay_for_processor(d, i, now);
	settle_shares(m);
	end_load_work(m);
	rolled = d->limits && pool_roll(d, now);
	if (rolled)
		begin_load_work(m);
	wake_threads(m);
	if (d->limits)
		check_capacity(m);
	if (d->shared)
		review_homes(m);
	fill_processors(m);
	if (anyone_ready(m)) {
		displace_vprocs(m);
		for (unsigned i = 0; i < d->procs; i++)
			end_slice(m, i);
	}
	if (d->transitions)
		transitions_sync(m);
}

uint64_t dispatcher_next(const struct machine *m)
{
	return pool_next_change(m->dispatcher, m->clock.now);
}

void dispatcher_hand_over(struct machine *m, unsigned phys, uint64_t cycle)
{
	struct dispatcher *d = m->dispatcher;
	enum partition_id who;
	struct vproc *next;
	unsigned first = (unsigned)dispatcher_core_on(m, phys);

	pay_for_processor(d, phys, cycle);
	share_settle(m, first, cycle);
	share_deal(m, first);
	leave_processor(d, phys, VP_CEDED);
	next = choose_vproc(m, &who);
	if (next && d->shared)
		dispatch_vproc(m, who, next, phys, cycle);
}

/* ---- H_CONFER ---- */

void dispatcher_confer(struct machine *m, struct spapr_cpu *caller, struct spapr_cpu *target)
{
	memset(caller->vp.awaits, 0, sizeof caller->vp.awaits);
	for (unsigned i = 0; i < m->ncpus; i++)
		if ((!target || m->cpu[i] == target) && wants_to_run(m->cpu[i]))
			caller->vp.awaits[i / 64] |= UINT64_C(1) << i % 64;
	if (target && wants_to_run(target))
		target->vp.gift = true;
	caller->vp.conferring = true;
	caller->vp.confers_to_all = !target;
	caller->cpu.run_state = CPU_CONFERRED;
	caller->cpu.halt = 1;
}

/* ---- Life ---- */

static bool new_vprocs(struct partition *p, unsigned n)
{
	p->n = n;
	p->vp = n ? calloc(n, sizeof *p->vp) : NULL;
	return p->vp || !n;
}

static bool new_load(struct dispatcher *d, const struct pool_config *o)
{
	struct partition *load = &d->partition[PARTITION_LOAD];
	uint32_t left = o->load;

	if (!new_vprocs(load, (o->load + POOL_UNIT - 1) / POOL_UNIT))
		return false;
	for (unsigned i = 0; i < load->n; i++, left -= POOL_UNIT)
		load->vp[i].demand = d->window * (left < POOL_UNIT ? left : POOL_UNIT) / POOL_UNIT;
	load->weight = o->load_weight;
	d->bursty = o->bursty;
	d->rng = o->load_seed;
	return true;
}

/* Without -pool each virtual processor has a physical one of its own. */
static const struct pool_config *dedicated_pool(const struct machine *m, struct pool_config *o)
{
	unsigned n = m->ncpus / m->threads;

	*o = (struct pool_config){ .procs = n, .chips = 1, .entitlement = POOL_UNIT * n, .window_ns = 10000000 };
	return o;
}

bool dispatcher_new(struct machine *m, const struct pool_config *o, struct error *err)
{
	struct dispatcher *d = calloc(1, sizeof *d);
	struct pool_config none;
	struct partition *guest;

	if (!d) {
		error_set(err, "out of memory");
		return false;
	}
	m->dispatcher = d;
	guest = &d->partition[PARTITION_GUEST];
	d->shared = o->given;
	if (!o->given)
		o = dedicated_pool(m, &none);
	d->confers = !o->no_confer;
	d->threads = m->threads;
	d->procs = o->procs;
	d->chips = o->chips;
	d->window = ns_to_cycles(o->window_ns);
	guest->capped = o->capped;
	guest->weight = o->capped ? 0 : o->weight;
	guest->entitlement = o->entitlement;
	d->partition[PARTITION_LOAD].entitlement = o->load_entitlement;
	if (!new_vprocs(guest, m->ncpus / m->threads) || !new_load(d, o)) {
		error_set(err, "out of memory");
		return false;
	}
	return true;
}

void dispatcher_free(struct machine *m)
{
	struct dispatcher *d = m->dispatcher;

	if (!d)
		return;
	dtl_file_close(m);
	for (unsigned i = 0; i < PARTITIONS; i++)
		free(d->partition[i].vp);
	free(d);
	m->dispatcher = NULL;
}

void dispatcher_thread_leaves(struct machine *m, struct spapr_cpu *sc)
{
	if (sc->vp.state != VP_STOPPED)
		enter_state(m, sc, VP_STOPPED, VP_STOP, m->clock.now, 0);
}

/* To the logs: all stop at clock.now. */
static void log_reset(struct machine *m)
{
	struct partition *load = &m->dispatcher->partition[PARTITION_LOAD];

	for (unsigned i = 0; i < m->ncpus; i++)
		dispatcher_thread_leaves(m, m->cpu[i]);
	for (unsigned i = 0; i < load->n; i++)
		if (load->vp[i].state != VP_CEDED)
			enter_load_state(m, &load->vp[i], VP_CEDED, VP_DONE, m->clock.now);
}

void dispatcher_thread_reset(struct machine *m, struct spapr_cpu *sc)
{
	sc->vp = (struct vp_thread){ .state = VP_STOPPED, .physical = PHYSICAL_NONE, .since = m->clock.now };
	share_reset(&sc->cpu, m->clock.now);
}

void dispatcher_reset(struct machine *m, bool logged)
{
	struct dispatcher *d = m->dispatcher;
	uint64_t now = m->clock.now;

	if (logged)
		log_reset(m);
	for (unsigned i = 0; i < m->ncpus; i++)
		dispatcher_thread_reset(m, m->cpu[i]);
	for (unsigned i = 0; i < d->partition[PARTITION_LOAD].n; i++)
		d->partition[PARTITION_LOAD].vp[i].state = VP_CEDED;
	pool_reset(d, now);
	d->homes_due = now + POOL_HOME_WINDOWS * d->window;
	d->rng = m->config->pool.load_seed;
}
