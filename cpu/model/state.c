/* What of a processor goes into a snapshot: QEMU's sections `cpu_common` and `cpu`, and cede/cpu
 * for what those have no place for. Derived state (TLBs, blocks, lazy flags) is in none of them:
 * cpu_state_changed() after a load.
 * Source of names and layout: QEMU's target/ppc/machine.c as its streams show it. */
#include "cpu/model/state.h"

#include <string.h>

#include "cpu/core/spr.h"
#include "cpu/core/timebase.h"
#include "cpu/engine/pace.h"
#include "cpu/fp/fp.h"

/* ---- cpu_common ---- */

static uint64_t halted_get(const void *s, unsigned i)
{
	(void)i;
	return ((const struct cpu *)s)->run_state != CPU_RUNNING;
}

/* Which way it waits shows in `cpu`. */
static bool halted_put(void *s, unsigned i, uint64_t v)
{
	(void)i;
	((struct cpu *)s)->run_state = v ? CPU_CEDED : CPU_RUNNING;
	return true;
}

const struct vmstate cpu_common_state = {
	.name = "cpu_common", .version = 1, .min_version = 1, VMS_OF(struct cpu),
	.fields = VMS_FIELDS(
		VMS_CALC("halted", vms_u32, halted_get, halted_put),
		VMS_CONSTANT("interrupt_request", vms_u32, 0)),
};

/* ---- cpu: the array of SPRs ---- */

#define SPR_XER   1
#define SPR_DEC   22
#define SPR_RPR   186
#define SPR_PVR   287
#define SPR_LPCR  318
#define SPR_AMOR  349
#define SPR_PSSCR 855
#define SPRS      1024

/* Bits that a guest has no way to see here, and QEMU wants: LPES0; PECE, off while stopped. */
#define LPCR_LPES0 PPC_BIT(60)
#define LPCR_PECE  (PPC_MASK(47, 51))
#define PSSCR_EC   PPC_BIT(43)
#define RPR_RESET  UINT64_C(0x00000103070f1f3f)

struct spr_field {
	uint16_t number, offset;
	bool wide;			/* 64 bits */
};

static const struct spr_field spr_fields[] = {
#define STATE_SPR(number, field) { number, offsetof(struct cpu, field), sizeof(((struct cpu *)0)->field) == 8 },
#include "cpu/table/spr_state.def"
#undef STATE_SPR
};

static const struct spr_field *spr_field(unsigned number)
{
	for (unsigned i = 0; i < ARRAY_SIZE(spr_fields); i++)
		if (spr_fields[i].number == number)
			return &spr_fields[i];
	return NULL;
}

static uint64_t spr_special(const struct cpu *cpu, unsigned number)
{
	bool stopped = cpu->run_state == CPU_STOPPED;

	switch (number) {
	case SPR_XER:
		return cpu_get_xer(cpu);
	case SPR_DEC:
		return (uint64_t)cpu_dec(cpu, cpu->cycles);
	case SPR_RPR:
		return RPR_RESET;
	case SPR_PVR:
		return cpu->pvr;
	case SPR_LPCR:
		return cpu->lpcr | LPCR_LPES0 | (stopped ? 0 : LPCR_PECE);
	case SPR_AMOR:
		return UINT64_MAX;
	case SPR_PSSCR:
		return (cpu->psscr & PSSCR_GUEST) | (stopped ? PSSCR_EC : 0);
	}
	return 0;
}

/* The PMU's numbers of problem state are those of privileged state, less 16. */
static unsigned without_alias(unsigned number)
{
	return (number >= 768 && number <= 783) || (number >= 736 && number <= 738) ? number + 16 : number;
}

static uint64_t spr_get(const void *s, unsigned number)
{
	const struct spr_field *f = spr_field(without_alias(number));
	uint64_t wide;
	uint32_t narrow;

	if (!f)
		return spr_special(s, number);
	if (!f->wide) {
		memcpy(&narrow, (const uint8_t *)s + f->offset, sizeof narrow);
		return narrow;
	}
	memcpy(&wide, (const uint8_t *)s + f->offset, sizeof wide);
	return wide;
}

/* DEC and LPCR are put in place by cpu_post_load(), which has both. */
static bool spr_put(void *s, unsigned number, uint64_t v)
{
	const struct spr_field *f = spr_field(number);
	struct cpu *cpu = s;
	uint32_t narrow = (uint32_t)v;

	if (f && !f->wide)
		memcpy((uint8_t *)s + f->offset, &narrow, sizeof narrow);
	else if (f)
		memcpy((uint8_t *)s + f->offset, &v, sizeof v);
	else if (number == SPR_XER)
		cpu_set_xer(cpu, v);
	else if (number == SPR_DEC)
		cpu->dec_expires = v;
	else if (number == SPR_LPCR)
		cpu->lpcr = v;
	else if (number == SPR_PSSCR)
		cpu->psscr = v & PSSCR_GUEST;
	else if (number == SPR_PVR)
		cpu->pvr = (uint32_t)v;	/* whoever loads compares it with the model's */
	return true;
}

/* ---- cpu: the rest ---- */

static uint64_t msr_get(const void *s, unsigned i)
{
	(void)i;
	return ((const struct cpu *)s)->msr;
}

/* As cpu_set_msr() does it; what follows from MSR is derived anew later. */
static bool msr_put(void *s, unsigned i, uint64_t v)
{
	(void)i;
	v &= cpu_msr_bits(s);
	((struct cpu *)s)->msr = v & MSR_PR ? v | MSR_EE | MSR_IR | MSR_DR : v;
	return true;
}

static void settle_fpscr(void *s)
{
	fpscr_get(s);
}

static bool fpu_post_load(void *s, uint32_t version, struct vms_walk *w)
{
	struct cpu *cpu = s;

	(void)version;
	(void)w;
	fpscr_set(cpu, cpu->fpscr);
	return true;
}

static void save_doubleword(const void *native, uint8_t *wire) { vms_u64.save(native, wire); }
static void load_doubleword(void *native, const uint8_t *wire) { vms_u64.load(native, wire); }

/* Doubleword 1 comes first: the order of a little-endian host. */
static void save_avr(const void *native, uint8_t *wire)
{
	const union vreg *v = native;

	vms_u64.save(&v->d[0], wire);
	vms_u64.save(&v->d[1], wire + 8);
}

static void load_avr(void *native, const uint8_t *wire)
{
	union vreg *v = native;

	vms_u64.load(&v->d[0], wire);
	vms_u64.load(&v->d[1], wire + 8);
}

static void save_slbe(const void *native, uint8_t *wire)
{
	const struct slb_entry *e = native;

	vms_u64.save(&e->esid, wire);
	vms_u64.save(&e->vsid, wire + 8);
}

static void load_slbe(void *native, const uint8_t *wire)
{
	struct slb_entry *e = native;

	vms_u64.load(&e->esid, wire);
	vms_u64.load(&e->vsid, wire + 8);
}

static void save_vscr(const void *native, uint8_t *wire) { vms_u32.save(native, wire); }

static void load_vscr(void *native, const uint8_t *wire)
{
	vms_u32.load(native, wire);
	*(uint32_t *)native &= 0x10001;	/* NJ, SAT: there is nothing else */
}

static const struct vms_codec fpr_codec = { "fpr", 8, save_doubleword, load_doubleword };
static const struct vms_codec vsr_codec = { "vsr", 8, save_doubleword, load_doubleword };
static const struct vms_codec avr_codec = { "avr", 16, save_avr, load_avr };
static const struct vms_codec slbe_codec = { "slbe", 16, save_slbe, load_slbe };
static const struct vms_codec vscr_codec = { "cpu/altivec/vscr", 4, save_vscr, load_vscr };

/* n registers from vsr[first] on: doubleword `half` of the host's order, or both. */
#define VSRS(codec_, first, half, bytes) \
	{ .name = "env.vsr", .kind = VMS_VALUE, .codec = &codec_, .count = 32, \
	  .offset = offsetof(struct cpu, vsr) + (first) * sizeof(union vreg) + (half) * 8, \
	  .stride = sizeof(union vreg), .covers = bytes }

static const struct vmstate fpu_state = {
	.name = "cpu/fpu", .version = 1, .min_version = 1, VMS_OF(struct cpu),
	.pre_save = settle_fpscr, .post_load = fpu_post_load,
	.fields = VMS_FIELDS(VSRS(fpr_codec, 0, 1, 8), VMS_U64_AS("env.fpscr", struct cpu, fpscr)),
};

static const struct vmstate altivec_state = {
	.name = "cpu/altivec", .version = 1, .min_version = 1, VMS_OF(struct cpu),
	.fields = VMS_FIELDS(VSRS(avr_codec, 32, 0, 16), VMS_ONE("vscr", struct cpu, vscr, uint32_t, vscr_codec,)),
};

static const struct vmstate vsx_state = {
	.name = "cpu/vsx", .version = 1, .min_version = 1, VMS_OF(struct cpu),
	.fields = VMS_FIELDS(VSRS(vsr_codec, 0, 0, 8)),
};

#define SLB_IN_STREAM 64

static const struct vmstate slb_state = {
	.name = "cpu/slb", .version = 1, .min_version = 1, .same_until = 2, VMS_OF(struct cpu),
	.fields = VMS_FIELDS(VMS_MANY("env.slb", struct cpu, slb, struct slb_entry, slbe_codec,
				      .spare = SLB_IN_STREAM - SLB_ENTRIES)),
};

/* QEMU 10 keeps a POWER10's branch history. Here no branch is recorded, so that the buffer is always empty. */
static bool bhrb_needed(const void *s)
{
	(void)s;
	return false;
}

static const struct vmstate bhrb_state = {
	.name = "cpu/bhrb", .version = 1, .min_version = 1, VMS_OF(struct cpu), .needed = bhrb_needed,
	.fields = VMS_FIELDS(VMS_UNUSED("env.bhrb", 32 * 8), VMS_UNUSED("env.bhrb_offset", 8)),
};

static bool compat_needed(const void *s) { return ((const struct cpu *)s)->logical_pvr != 0; }

/* Whoever does not send it runs its guest raw. */
static void compat_absent(void *s)
{
	((struct cpu *)s)->logical_pvr = 0;
}

static const struct vmstate compat_state = {
	.name = "cpu/compat", .version = 1, .min_version = 1, VMS_OF(struct cpu), .needed = compat_needed, .absent = compat_absent,
	.fields = VMS_FIELDS(VMS_U32_AS("compat_pvr", struct cpu, logical_pvr)),
};

/* QEMU tells a processor that waits from one that was stopped by what may wake it. */
static bool cpu_post_load(void *s, uint32_t version, struct vms_walk *w)
{
	struct cpu *cpu = s;
	uint64_t lpcr = cpu->lpcr;

	(void)version;
	(void)w;
	if (cpu->run_state == CPU_CEDED)
		cpu->run_state = !(lpcr & LPCR_PECE) ? CPU_STOPPED : cpu->msr & MSR_EE ? CPU_CEDED : CPU_JOINED;
	cpu->lpcr = lpcr & LPCR_KEPT;
	cpu->resv_size = 0;
	cpu_set_dec(cpu, cpu->cycles, cpu->dec_expires);
	return true;
}

#define ENGINE "the engine's, on this host"
#define IN_SPR "env.spr"

static const struct vms_field cpu_fields[] = {
	VMS_UNUSED("unused", 8),
	VMS_U64_ARRAY_AS("env.gpr", struct cpu, r),
	VMS_MANY("env.crf", struct cpu, cr, uint8_t, vms_u8_as_u32, .limited = true, .most = 15),
	VMS_U64_AS("env.nip", struct cpu, nip),
	VMS_CALC_ARRAY("env.spr", vms_u64, SPRS, spr_get, spr_put),
	VMS_CONSTANT("env.spe_acc", vms_u64, 0),
	VMS_CONSTANT("env.reserve_addr", vms_u64, UINT64_MAX),
	VMS_CALC("env.msr", vms_u64, msr_get, msr_put),
	VMS_CONSTANT("env.hflags_compat_nmsr", vms_u64, 0),

#define STATE_SPR(number, field) VMS_CARRIED(struct cpu, field, IN_SPR),
#include "cpu/table/spr_state.def"
#undef STATE_SPR
	VMS_CARRIED(struct cpu, ca, IN_SPR), VMS_CARRIED(struct cpu, ca32, IN_SPR),
	VMS_CARRIED(struct cpu, ov, IN_SPR), VMS_CARRIED(struct cpu, ov32, IN_SPR),
	VMS_CARRIED(struct cpu, so, IN_SPR), VMS_CARRIED(struct cpu, xer_count, IN_SPR),
	VMS_CARRIED(struct cpu, lpcr, IN_SPR), VMS_CARRIED(struct cpu, psscr, IN_SPR),
	VMS_CARRIED(struct cpu, msr, "env.msr"),

	VMS_SKIP(struct cpu, zero, "never anything but zero"),
	VMS_SKIP(struct cpu, ea, "scratch within an instruction"),
	VMS_SKIP(struct cpu, so_before, "scratch within an instruction"),
	VMS_SKIP(struct cpu, page_ea, ENGINE), VMS_SKIP(struct cpu, budget, ENGINE),
	VMS_SKIP(struct cpu, tlb, ENGINE), VMS_SKIP(struct cpu, jumps, ENGINE),
	VMS_SKIP(struct cpu, ram_base, ENGINE), VMS_SKIP(struct cpu, ctx, ENGINE),
	VMS_SKIP(struct cpu, mode, "follows from MSR"), VMS_SKIP(struct cpu, halt, ENGINE),
	VMS_SKIP(struct cpu, refund, ENGINE), VMS_SKIP(struct cpu, limit, ENGINE),
	VMS_SKIP(struct cpu, sum, "scratch within an instruction"),
	VMS_SKIP(struct cpu, unused_slots, "nothing"),
	VMS_SKIP(struct cpu, fp_lazy, "settled before FPSCR is saved"),
	VMS_SKIP(struct cpu, fp_limit, "follows from FPSCR"), VMS_SKIP(struct cpu, fp_limit_single, "follows from FPSCR"),
	VMS_SKIP(struct cpu, fp_host, ENGINE), VMS_SKIP(struct cpu, fp_strict, "follows from FPSCR"),
	VMS_SKIP(struct cpu, fp_active, ENGINE),
	VMS_SKIP(struct cpu, link, ENGINE), VMS_SKIP(struct cpu, link_nip, ENGINE),
	VMS_SKIP(struct cpu, link_from, ENGINE), VMS_SKIP(struct cpu, spin_op, ENGINE), VMS_SKIP(struct cpu, spin_cycle, ENGINE), VMS_SKIP(struct cpu, shared, ENGINE),
	VMS_SKIP(struct cpu, waiting, ENGINE),
	VMS_SKIP(struct cpu, watched_for, "a debugger's"), VMS_SKIP(struct cpu, steps, "a debugger's"), VMS_SKIP(struct cpu, singly, "a debugger's"), VMS_SKIP(struct cpu, observed, "a debugger's"),
	VMS_SKIP(struct cpu, interrupts, "counted for the engine"),
	VMS_SKIP(struct cpu, per_cycle, "the timing model's"), VMS_SKIP(struct cpu, timing_model, "the user's choice"),
	VMS_SKIP(struct cpu, memos, ENGINE), VMS_SKIP(struct cpu, pace_in, ENGINE), VMS_SKIP(struct cpu, owed, "0, between instructions"),
	VMS_SKIP(struct cpu, entries, "counted for the profile"),
	VMS_SKIP(struct cpu, called_at, "0, between instructions"), VMS_SKIP(struct cpu, cut, "false, between instructions"),
	VMS_SKIP(struct cpu, sure, ENGINE),
	VMS_SKIP(struct cpu, paid, "false, between instructions"), VMS_SKIP(struct cpu, pace_empty, "follows from the threads that run"),
	VMS_SKIP(struct cpu, known, ENGINE), VMS_SKIP(struct cpu, charged, ENGINE), VMS_SKIP(struct cpu, caches, ENGINE),
	VMS_ELSEWHERE(struct cpu, pace, "by its contents, in cede/cpu/timing"),
	VMS_SKIP(struct cpu, alone_at, "0, between instructions"), VMS_SKIP(struct cpu, alone, "false, between instructions"),
	VMS_SKIP(struct cpu, pmu, "follows from the counters' registers, which are exact outside the engine"),
	VMS_SKIP(struct cpu, index, "its place in the machine"),
	VMS_SKIP(struct cpu, engine, ENGINE), VMS_SKIP(struct cpu, env, ENGINE),
	VMS_SKIP(struct cpu, machine_data, ENGINE),
	{ .kind = VMS_END },
};

const struct vmstate cpu_state = {
	.name = "cpu", .version = 5, .min_version = 5, VMS_OF(struct cpu), .post_load = cpu_post_load,
	.fields = cpu_fields,
	.subs = VMS_SUBS(&fpu_state, &altivec_state, &vsx_state, &slb_state, &bhrb_state, &compat_state),
};

/* ---- cede/cpu: what is exact here and has no place there ---- */

#define IRQ_LINES (IRQ_EXTERNAL | IRQ_RESET | IRQ_DOORBELL | IRQ_PERFMON | IRQ_MACHINE_CHECK)
#define RESV_MAX  16		/* bytes: lqarx */
#define PHASE_MOST (UINT64_C(1) << 32)	/* units: a second or less */

/* The address of a reservation means nothing once the reservation has ended: the state hash has 0 in its place. */
static uint64_t reserved(const void *s)
{
	const struct cpu *cpu = s;

	return cpu->resv_size ? cpu->resv_addr : 0;
}

/* ---- cede/cpu/timing: what a timing model remembers of the guest's past ---- */

static bool timing_needed(const void *s) { return ((const struct cpu *)s)->timing_model != 0; }

static void hold_pace(void *s)
{
	struct cpu *cpu = s;
	struct pipe_state state = { 0 };

	if (cpu->engine->pace)
		pace_get(cpu, &state);
	memcpy(cpu->held, &state, sizeof state);
	cpu->held_model = cpu->timing_model;
}

static void timing_absent(void *s)
{
	struct cpu *cpu = s;

	cpu->phase = 0;
	cpu->pace = cpu->pace_empty;
}

/* Under another model the guest goes on with an empty pipeline, as under `flat`, which has none. */
static bool timing_post_load(void *s, uint32_t version, struct vms_walk *w)
{
	struct cpu *cpu = s;
	struct pipe_state state;

	(void)version;
	if (cpu->held_model != cpu->timing_model || !cpu->engine->pace) {
		timing_absent(s);
		return true;
	}
	memcpy(&state, cpu->held, sizeof state);
	return pace_set(cpu, &state) || vms_wrong(w, "held", 0, "a state of the pipeline");
}

static const struct vmstate timing_state = {
	.name = "cede/cpu/timing", .version = 2, .min_version = 2, VMS_OF(struct cpu), .needed = timing_needed,
	.pre_save = hold_pace, .post_load = timing_post_load, .absent = timing_absent,
	.fields = VMS_FIELDS(
		VMS_U32(struct cpu, held_model),
		VMS_U64_TO(struct cpu, phase, PHASE_MOST),
		VMS_U32_ARRAY(struct cpu, held),
		VMS_U64_ARRAY(struct cpu, event), VMS_U64_ARRAY(struct cpu, stall)),
};

/* ---- cede/cpu/copy: a block on its way from copy to paste., which QEMU has no instructions for ---- */

static bool copy_needed(const void *s) { return ((const struct cpu *)s)->copied; }
static void copy_absent(void *s) { ((struct cpu *)s)->copied = 0; }

static const struct vmstate copy_state = {
	.name = "cede/cpu/copy", .version = 1, .min_version = 1, VMS_OF(struct cpu), .needed = copy_needed, .absent = copy_absent,
	.fields = VMS_FIELDS(VMS_U64_TO(struct cpu, copied, 1), VMS_BUFFER_AS("copy_block", struct cpu, copy_block)),
};

const struct vmstate cede_cpu_state = {
	.name = "cede/cpu", .version = 2, .min_version = 2, VMS_OF(struct cpu),
	.fields = VMS_FIELDS(
		VMS_U64_TO(struct cpu, cycles, UINT64_C(1) << 60),
		VMS_U64(struct cpu, insns),
		VMS_U32_TO(struct cpu, run_state, CPU_CONFERRED),
		VMS_U32_TO(struct cpu, irq, IRQ_LINES),
		VMS_BOOL(struct cpu, prodded),
		VMS_U8_TO(struct cpu, resv_size, RESV_MAX),
		VMS_U64(struct cpu, resv_addr, VMS_HASHED_AS(reserved)),
		VMS_U64(struct cpu, dec_expires),
		VMS_U64(struct cpu, purr_base),
		VMS_U64_TO(struct cpu, share_from, UINT64_C(1) << 60),
		VMS_U64(struct cpu, used),
		VMS_U64(struct cpu, core_ran),
		VMS_U32_TO(struct cpu, used_part, CORE_PARTS - 1),
		VMS_U32_TO(struct cpu, share, CORE_PARTS),
		VMS_U64(struct cpu, spurr_base),
		VMS_U64(struct cpu, vtb_off),
		VMS_U64(struct cpu, proc_tbl),
		/* SPRG3 has one place, and a DABR is DAWR0. */
		VMS_UNUSED("sprg_user3", 8),
		VMS_UNUSED("dabr", 8),
		VMS_UNUSED("dabrx", 8),
		VMS_U32_EQUAL(struct cpu, pvr),
		VMS_U32(struct cpu, pir, VMS_SAME_BY("-smp threads=", NULL)),
		VMS_U32(struct cpu, tir, VMS_SAME_BY("-smp threads=", NULL))),
	.subs = VMS_SUBS(&timing_state, &copy_state),
};
