/* What of virtual processors and the dispatcher goes into a snapshot: QEMU's section `spapr_cpu`,
 * which holds where a guest's areas are, and ours, which hold all the dispatcher knows. */
#include "hcall/state.h"

#include <stdio.h>
#include <string.h>

#include "hcall/dispatcher.h"
#include "hcall/pool.h"
#include "hcall/splpar.h"
#include "hcall/vpa.h"
#include "machine/irq/xics.h"
#include "savevm/error.h"

/* Sums that are added to and compared: far from where 64 bits end. */
#define MOST_CYCLES (UINT64_C(1) << 60)
#define MOST_BUDGET (UINT64_C(1) << 48)

/* ---- spapr_cpu: where the areas are ---- */

static bool slb_shadow_needed(const void *s)
{
	const struct spapr_cpu *sc = s;

	return sc->slb_shadow_addr || sc->slb_shadow_size;
}

static bool dtl_needed(const void *s)
{
	const struct spapr_cpu *sc = s;

	return sc->dtl_addr || sc->dtl_size;
}

/* The others are inside. */
static bool vpa_needed(const void *s)
{
	return ((const struct spapr_cpu *)s)->vpa_addr || slb_shadow_needed(s) || dtl_needed(s);
}

static bool area_fits(const struct spapr_cpu *sc, struct vms_walk *w, enum vpa_area area, uint64_t addr, uint64_t size)
{
	static const struct { const char *addr, *size; } names[AREAS] = {
		[AREA_VPA] = { "vpa_addr", NULL }, [AREA_DTL] = { "dtl_addr", "dtl_size" },
		[AREA_SLB_SHADOW] = { "slb_shadow_addr", "slb_shadow_size" },
	};
	const struct machine *m = sc->cpu.env->machine;
	const struct area_rule *rule = &area_rules[area];

	switch (area_check(&m->ram, area, addr, size)) {
	case AREA_WRONG_SIZE:
		return vms_wrong(w, names[area].size, size, "%u to %u", rule->min, rule->max);
	case AREA_WRONG_PLACE:
		return vms_wrong(w, names[area].addr, addr, "an aligned address in RAM%s", rule->one_page ? ", all of it in one page" : "");
	default:
		return true;
	}
}

/* The guest named the VPA's size when it registered it; the hypervisor uses the first VPA_MIN_SIZE bytes. */
static bool vpa_check(const void *s, struct vms_walk *w)
{
	const struct spapr_cpu *sc = s;

	return area_fits(sc, w, AREA_VPA, sc->vpa_addr, VPA_MIN_SIZE);
}

static bool slb_shadow_check(const void *s, struct vms_walk *w)
{
	const struct spapr_cpu *sc = s;

	return area_fits(sc, w, AREA_SLB_SHADOW, sc->slb_shadow_addr, sc->slb_shadow_size);
}

static bool dtl_check(const void *s, struct vms_walk *w)
{
	const struct spapr_cpu *sc = s;

	return area_fits(sc, w, AREA_DTL, sc->dtl_addr, sc->dtl_size);
}

static const struct vmstate slb_shadow_state = {
	.name = "spapr_cpu/vpa/slb_shadow", .version = 1, .min_version = 1, VMS_OF(struct spapr_cpu),
	.needed = slb_shadow_needed, .check = slb_shadow_check,
	.fields = VMS_FIELDS(VMS_U64(struct spapr_cpu, slb_shadow_addr), VMS_U64(struct spapr_cpu, slb_shadow_size)),
};

static const struct vmstate dtl_state = {
	.name = "spapr_cpu/vpa/dtl", .version = 1, .min_version = 1, VMS_OF(struct spapr_cpu),
	.needed = dtl_needed, .check = dtl_check,
	.fields = VMS_FIELDS(VMS_U64(struct spapr_cpu, dtl_addr), VMS_U64(struct spapr_cpu, dtl_size)),
};

static const struct vmstate vpa_state = {
	.name = "spapr_cpu/vpa", .version = 1, .min_version = 1, VMS_OF(struct spapr_cpu),
	.needed = vpa_needed, .check = vpa_check,
	.fields = VMS_FIELDS(VMS_U64(struct spapr_cpu, vpa_addr)),
	.subs = VMS_SUBS(&slb_shadow_state, &dtl_state),
};

const struct vmstate spapr_cpu_state = {
	.name = "spapr_cpu", .version = 1, .min_version = 1, VMS_OF(struct spapr_cpu),
	.fields = VMS_FIELDS(VMS_ELSEWHERE(struct spapr_cpu, cpu, "cpu_common, cpu, cede/cpu")),
	.subs = VMS_SUBS(&vpa_state),
};

/* ---- cede/vcpu: one thread ---- */

/* Of a guest with more than 64 threads. */
static bool more_awaited(const void *s)
{
	const struct vp_thread *t = s;
	uint64_t any = 0;

	for (unsigned i = 1; i < VP_WORDS; i++)
		any |= t->awaits[i];
	return any;
}

static const struct vmstate awaits_state = {
	.name = "cede/vcpu/thread/awaits", .version = 1, .min_version = 1, VMS_OF(struct vp_thread), .needed = more_awaited,
	.fields = VMS_FIELDS(
		{ .name = "more", .kind = VMS_VALUE, .codec = &vms_u64, .count = VP_WORDS - 1, .stride = 8, .covers = 8,
		  .offset = offsetof(struct vp_thread, awaits) + 8 }),
};

static const struct vmstate vp_thread_state = {
	.name = "cede/vcpu/thread", .version = 1, .min_version = 1, VMS_OF(struct vp_thread),
	.fields = VMS_FIELDS(
		VMS_U8_TO(struct vp_thread, state, VP_RUNNING),
		VMS_U8_TO(struct vp_thread, stopped_by, VP_REASONS - 1),
		VMS_U8_TO(struct vp_thread, woken_by, VP_REASONS - 1),
		VMS_BOOL(struct vp_thread, gift),
		VMS_BOOL(struct vp_thread, conferring),
		VMS_BOOL(struct vp_thread, confers_to_all),
		VMS_U16(struct vp_thread, physical),
		VMS_U64_TO(struct vp_thread, since, MOST_CYCLES),
		VMS_U64_ARRAY(struct vp_thread, wait),
		VMS_U64_ARRAY(struct vp_thread, waited),
		VMS_U64(struct vp_thread, ran),
		VMS_ROW("awaits", VMS_VALUE, struct vp_thread, awaits, awaits[0], uint64_t, 1, .codec = &vms_u64),
		VMS_U64(struct vp_thread, dispatches)),
	.subs = VMS_SUBS(&awaits_state),
};

static bool vcpu_check(const void *s, struct vms_walk *w)
{
	const struct spapr_cpu *sc = s;

	return !sc->xirr_owner || xics_valid(sc->cpu.env->machine, sc->xirr_owner) ||
	       vms_wrong(w, "xirr_owner", sc->xirr_owner, "an interrupt source, or 0");
}

/* Version 1, here and of cede/dispatcher, has been several layouts: none is taken. */
const struct vmstate cede_vcpu_state = {
	.name = "cede/vcpu", .version = 2, .min_version = 2, VMS_OF(struct spapr_cpu), .check = vcpu_check,
	.fields = VMS_FIELDS(
		VMS_STRUCT("vp", struct spapr_cpu, vp, struct vp_thread, vp_thread_state),
		VMS_U64(struct spapr_cpu, dtl_index),
		VMS_U8_ARRAY(struct spapr_cpu, home_changes),
		VMS_U32(struct spapr_cpu, dispatch_count),
		VMS_U32(struct spapr_cpu, dispersion_count),
		VMS_U64_ARRAY(struct spapr_cpu, donated),
		VMS_BOOL(struct spapr_cpu, donates),
		VMS_BOOL(struct spapr_cpu, donates_idle),
		VMS_U8(struct spapr_cpu, cppr),
		VMS_U32(struct spapr_cpu, xirr_owner),
		VMS_SKIP(struct spapr_cpu, absent, "what there is: it has no section then")),
};

/* ---- cede/dispatcher ---- */

static void save_i16(const void *native, uint8_t *wire) { vms_u16.save(native, wire); }
static void load_i16(void *native, const uint8_t *wire) { vms_u16.load(native, wire); }

static const struct vms_codec i16 = { "int16", 2, save_i16, load_i16 };

static void say_shared(char *buf, size_t size, uint64_t v) { snprintf(buf, size, "%s", v ? "shared processors" : "dedicated ones"); }
static void say_ms(char *buf, size_t size, uint64_t cycles) { snprintf(buf, size, "%.10g ms", (double)cycles * 1000 / CPU_HZ); }
static void say_part(char *buf, size_t size, uint64_t cycles) { snprintf(buf, size, "%.10g ms of a window", (double)cycles * 1000 / CPU_HZ); }

static const struct vmstate vproc_state = {
	.name = "cede/dispatcher/vproc", .version = 1, .min_version = 1, VMS_OF(struct vproc),
	.fields = VMS_FIELDS(
		VMS_U8_TO(struct vproc, state, VP_RUNNING),
		VMS_U8(struct vproc, home),
		VMS_ONE("phys", struct vproc, phys, int16_t, i16),
		VMS_U64_TO(struct vproc, paid, MOST_CYCLES),
		VMS_U64_TO(struct vproc, slice_end, MOST_CYCLES),
		VMS_U64_TO(struct vproc, slice_left, MOST_CYCLES),
		VMS_U64_TO(struct vproc, turn, MOST_CYCLES),
		VMS_U64_TO(struct vproc, ran, MOST_CYCLES),
		VMS_U64_TO(struct vproc, away, MOST_CYCLES),
		VMS_U64(struct vproc, demand, VMS_SAME_BY("-pool load=", say_part)),
		VMS_U64_TO(struct vproc, owed, MOST_BUDGET),
		VMS_BOOL(struct vproc, bursting),
		VMS_U32(struct vproc, phase)),
};

static bool partition_check(const void *s, struct vms_walk *w)
{
	const struct partition *p = s;

	return (p->budget < (int64_t)MOST_BUDGET && p->budget > -(int64_t)MOST_BUDGET) ||
	       vms_wrong(w, "budget", (uint64_t)p->budget, "a part of a window");
}

static const struct vmstate partition_state = {
	.name = "cede/dispatcher/partition", .version = 1, .min_version = 1, VMS_OF(struct partition),
	.check = partition_check,
	.fields = VMS_FIELDS(
		VMS_U32_TO(struct partition, entitlement, POOL_UNIT * VP_MAX),
		VMS_U32_TO(struct partition, weight, 255),
		VMS_BOOL(struct partition, capped),
		VMS_BOOL(struct partition, contends),
		VMS_I64(struct partition, budget),
		VMS_U64_TO(struct partition, excess, MOST_CYCLES),
		VMS_U64_TO(struct partition, used, MOST_CYCLES),
		VMS_U32_TO(struct partition, excess_weight, 255),
		VMS_U32(struct partition, n, VMS_SAME_BY("-smp, -pool load=", NULL)),
		VMS_POINTED_STRUCTS("vp", struct partition, vp, struct vproc, n, VP_MAX, vproc_state)),
};

/* Who runs on a physical processor: 0 nobody, else the partition in bits 16 and up and the number of
 * its virtual processor + 1 below. */
static uint64_t on_get(const void *s, unsigned i)
{
	const struct dispatcher *d = s;
	const struct physical *on = &d->on[i];

	return on->vp ? (uint64_t)on->partition << 16 | (uint64_t)(on->vp - d->partition[on->partition].vp + 1) : 0;
}

static bool on_put(void *s, unsigned i, uint64_t v)
{
	struct dispatcher *d = s;
	struct physical *on = &d->on[i];
	uint64_t who = v >> 16, number = v & 0xffff;

	on->vp = NULL;
	on->partition = 0;
	if (!v)
		return true;
	if (i >= d->procs || who >= PARTITIONS || !number || number > d->partition[who].n)
		return false;
	on->vp = &d->partition[who].vp[number - 1];
	on->partition = (uint8_t)who;
	return true;
}

/* The physical processors that -pool cannot have, of a guest with many cores of its own. */
#define MORE (VP_MAX - POOL_MAX_PROCS)

static bool more_needed(const void *s) { return ((const struct dispatcher *)s)->procs > POOL_MAX_PROCS; }
static uint64_t more_get(const void *s, unsigned i) { return on_get(s, POOL_MAX_PROCS + i); }
static bool more_put(void *s, unsigned i, uint64_t v) { return on_put(s, POOL_MAX_PROCS + i, v); }

static const struct vmstate more_state = {
	.name = "cede/dispatcher/more", .version = 1, .min_version = 1, VMS_OF(struct dispatcher), .needed = more_needed,
	.fields = VMS_FIELDS(
		VMS_CALC_ARRAY("on", vms_u32, MORE, more_get, more_put),
		{ .name = "slice_end", .kind = VMS_VALUE, .codec = &vms_u64, .count = MORE,
		  .offset = offsetof(struct dispatcher, on[POOL_MAX_PROCS]) + offsetof(struct physical, slice_end),
		  .stride = sizeof(struct physical), .covers = 8, .limited = true, .most = MOST_CYCLES },
		{ .name = "on", .kind = VMS_NOT_HERE, .reason = "each vproc's `phys`", .count = MORE,
		  .offset = offsetof(struct dispatcher, on[POOL_MAX_PROCS]), .stride = sizeof(struct physical),
		  .covers = offsetof(struct physical, slice_end) }),
};

static bool dispatcher_post_load(void *s, uint32_t version, struct vms_walk *w)
{
	(void)version;
	(void)w;
	pool_changed(s);
	return true;
}

const struct vmstate dispatcher_state = {
	.name = "cede/dispatcher", .version = 2, .min_version = 2, VMS_OF(struct dispatcher),
	.post_load = dispatcher_post_load,
	.fields = VMS_FIELDS(
		VMS_BOOL(struct dispatcher, shared, VMS_SAME_BY("-pool", say_shared)),
		VMS_U32(struct dispatcher, procs, VMS_SAME_BY("-pool procs=, -smp", NULL)),
		VMS_U32(struct dispatcher, chips, VMS_SAME_BY("-pool chips=", NULL)),
		VMS_U32(struct dispatcher, threads, VMS_SAME_BY("-smp threads=", NULL)),
		VMS_U64(struct dispatcher, window, VMS_SAME_BY("-pool window=", say_ms)),
		VMS_U64_TO(struct dispatcher, window_end, MOST_CYCLES),
		VMS_U64_TO(struct dispatcher, since, MOST_CYCLES),
		VMS_U64_TO(struct dispatcher, homes_due, MOST_CYCLES),
		VMS_U64_TO(struct dispatcher, next_turn, MOST_CYCLES),
		VMS_STRUCT_ARRAY("partition", struct dispatcher, partition, struct partition, partition_state),
		VMS_CALC_ARRAY("on", vms_u32, POOL_MAX_PROCS, on_get, on_put),
		{ .name = "slice_end", .kind = VMS_VALUE, .codec = &vms_u64, .count = POOL_MAX_PROCS,
		  .offset = offsetof(struct dispatcher, on) + offsetof(struct physical, slice_end),
		  .stride = sizeof(struct physical), .covers = 8, .limited = true, .most = MOST_CYCLES },
		{ .name = "on", .kind = VMS_NOT_HERE, .reason = "each vproc's `phys`", .count = POOL_MAX_PROCS,
		  .offset = offsetof(struct dispatcher, on), .stride = sizeof(struct physical),
		  .covers = offsetof(struct physical, slice_end) },
		VMS_U64(struct dispatcher, rng),
		VMS_SKIP(struct dispatcher, confers, "an option: what H_CONFER does from now on"),
		VMS_SKIP(struct dispatcher, bursty, "an option, as the load is"),
		VMS_SKIP(struct dispatcher, limits, "follows: pool_changed()"),
		VMS_SKIP(struct dispatcher, transitions, "for those who look at it"),
		VMS_SKIP(struct dispatcher, file, "an option: the host's log")),
	.subs = VMS_SUBS(&more_state),
};

/* ---- Do they fit together? ---- */

static bool vproc_fits(const struct dispatcher *d, unsigned who, const struct vproc *vp)
{
	bool on = false;

	for (unsigned i = 0; i < d->procs; i++) {
		if (d->on[i].vp != vp)
			continue;
		if (on || vp->phys != (int)i || d->on[i].partition != who)
			return false;
		on = true;
	}
	return vp->phys >= -1 && vp->phys < (int)d->procs && vp->home < d->chips && on == (vp->state == VP_RUNNING) &&
	       (vp->state == VP_CEDED || vp->state >= VP_WAITING);
}

static bool thread_fits(const struct machine *m, const struct spapr_cpu *sc)
{
	const struct dispatcher *d = m->dispatcher;
	const struct vproc *core = dispatcher_core(m, sc);
	const struct vp_thread *t = &sc->vp;
	bool wants = t->state >= VP_WAITING;

	if (t->physical != PHYSICAL_NONE && t->physical >= d->procs * d->threads)
		return false;
	if (t->state == VP_RUNNING && t->physical == PHYSICAL_NONE)
		return false;
	return wants ? sc->cpu.run_state == CPU_RUNNING && core->state == t->state : true;
}

static bool core_has_thread(const struct machine *m, unsigned core, uint8_t state)
{
	for (unsigned i = core * m->threads; i < (core + 1) * m->threads; i++)
		if (m->cpu[i]->vp.state == state)
			return true;
	return false;
}

bool dispatcher_check(struct machine *m, struct error *err)
{
	const struct dispatcher *d = m->dispatcher;
	const struct partition *guest = dispatcher_guest(m);
	bool fits = true;

	for (unsigned who = 0; who < PARTITIONS; who++)
		for (unsigned i = 0; i < d->partition[who].n; i++)
			fits &= vproc_fits(d, who, &d->partition[who].vp[i]);
	for (unsigned i = 0; i < m->ncpus; i++)
		fits &= thread_fits(m, m->cpu[i]);
	for (unsigned i = 0; i < guest->n; i++)
		fits &= guest->vp[i].state < VP_WAITING || core_has_thread(m, i, guest->vp[i].state);
	if (!fits) {
		error_set(err, "section cede/dispatcher 0: on: expected what sections cede/vcpu say, found a contradiction");
		return false;
	}
	/* The run loop, which waits for that cycle, would go back in time. */
	if (dispatcher_next(m) < m->clock.now) {
		error_set(err, "section cede/dispatcher 0: the next change: expected at least at cycle %llu, found %llu",
			  (unsigned long long)m->clock.now, (unsigned long long)dispatcher_next(m));
		return false;
	}
	return true;
}

/* ---- From another hypervisor ---- */

void dispatcher_adopt(struct machine *m)
{
	static const enum vp_state waits[] = {
		[CPU_RUNNING] = VP_STOPPED,	/* starts at the first look */
		[CPU_STOPPED] = VP_STOPPED, [CPU_CEDED] = VP_CEDED, [CPU_JOINED] = VP_JOINED, [CPU_CONFERRED] = VP_CEDED,
	};

	dispatcher_reset(m, false);	/* machine_clear() has said what there was to say */
	for (unsigned i = 0; i < m->ncpus; i++) {
		struct spapr_cpu *sc = m->cpu[i];

		sc->vp.state = (uint8_t)waits[sc->cpu.run_state];
		vpa_adopt(m, sc);
	}
}
