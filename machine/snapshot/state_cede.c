/* The board in sections of cede's own: the clocks to the cycle, and what QEMU has no place for. */
#include "machine/snapshot/state.h"

#include "hcall/vasi.h"
#include "machine/core/clock.h"

#define MOST_CYCLES CLOCK_END
#define HERE "the host's side"
#define PARTS "a section of its own"
#define OPTION "an option"
#define LOOKS "when the host is looked at: the guest cannot see it"

/* ---- cede/clock ---- */

static const struct vmstate tb_state = {
	.name = "cede/clock/tb", .version = 1, .min_version = 1, VMS_OF(struct cpu_clock),
	.fields = VMS_FIELDS(VMS_U64_TO(struct cpu_clock, tb_floor, MOST_CYCLES),
			     VMS_U64_TO(struct cpu_clock, tb_offset, MOST_CYCLES / 2)),
};

static const struct vmstate clock_state = {
	.name = "cede/clock/clock", .version = 1, .min_version = 1, VMS_OF(struct clock),
	.fields = VMS_FIELDS(
		VMS_U64_TO(struct clock, now, MOST_CYCLES),
		VMS_STRUCT("tb", struct clock, tb, struct cpu_clock, tb_state),
		VMS_ELSEWHERE(struct clock, events, "cede/timers"), VMS_SKIP(struct clock, timers, "what can be scheduled"),
		VMS_SKIP(struct clock, wall_base_ns, HERE), VMS_SKIP(struct clock, wall_cycle, HERE),
		VMS_SKIP(struct clock, warp, OPTION)),
};

/* The end of a cut quantum is a cycle, or UINT64_MAX: the machine was idle, and nothing was going to happen in it. */
static bool clock_check(const void *s, struct vms_walk *w)
{
	const struct machine *m = s;

	return m->cut_end <= MOST_CYCLES || m->cut_end == UINT64_MAX ||
	       vms_wrong(w, "cut_end", m->cut_end, "at most 0x%llx", (unsigned long long)MOST_CYCLES);
}

/* By how much the guest has set its clock: the host's time, from which it began, is not the guest's doing. */
static uint64_t rtc_set(const void *s)
{
	const struct machine *m = s;

	return m->rtc_offset_ns - m->rtc_base_ns;
}

const struct vmstate cede_clock_state = {
	.name = "cede/clock", .version = 1, .min_version = 1, VMS_OF(struct machine), .check = clock_check,
	.fields = VMS_FIELDS(
		VMS_STRUCT("clock", struct machine, clock, struct clock, clock_state),
		VMS_U64(struct machine, next_poll, VMS_MOST(MOST_CYCLES + POLL_CYCLES), VMS_UNHASHED(LOOKS)),
		VMS_U64(struct machine, cut_end, VMS_UNHASHED(LOOKS)),
		VMS_U64(struct machine, rtc_offset_ns, VMS_HASHED_AS(rtc_set)),
		VMS_U64(struct machine, rtc_base_ns, VMS_HASHED_AS(rtc_set))),
};

/* ---- cede/machine ---- */

static bool machine_check(const void *s, struct vms_walk *w)
{
	const struct machine *m = s;

	return !m->rtas_addr || ram_ok(&m->ram, m->rtas_addr, m->rtas_size) ||
	       vms_wrong(w, "rtas_addr", m->rtas_addr, "an address in RAM");
}

/* Of a guest with more cores than that. */
#define FEW_CORES 64u

static bool many_cores(const void *s)
{
	const struct energy_list *list = s;
	uint8_t any = 0;

	for (unsigned i = FEW_CORES; i < MACHINE_MAX_CPUS; i++)
		any |= list->priority[i];
	return any;
}

static const struct vmstate energy_more_state = {
	.name = "cede/machine/energy/more", .version = 1, .min_version = 1, VMS_OF(struct energy_list), .needed = many_cores,
	.fields = VMS_FIELDS(
		{ .name = "more", .kind = VMS_VALUE, .codec = &vms_u8, .count = MACHINE_MAX_CPUS - FEW_CORES, .stride = 1, .covers = 1,
		  .offset = offsetof(struct energy_list, priority) + FEW_CORES }),
};

static const struct vmstate energy_state = {
	.name = "cede/machine/energy", .version = 1, .min_version = 1, VMS_OF(struct energy_list),
	.fields = VMS_FIELDS(VMS_U64(struct energy_list, made),
			     VMS_ROW("priority", VMS_VALUE, struct energy_list, priority, priority[0], uint8_t, FEW_CORES, .codec = &vms_u8)),
	.subs = VMS_SUBS(&energy_more_state),
};

static bool vasi_needed(const void *s)
{
	const struct machine *m = s;

	return m->vasi_stream || m->vasi_state != VASI_INVALID;
}

static const struct vmstate vasi_session_state = {
	.name = "cede/machine/vasi", .version = 1, .min_version = 1, VMS_OF(struct machine), .needed = vasi_needed,
	.fields = VMS_FIELDS(VMS_U64(struct machine, vasi_stream), VMS_U32_TO(struct machine, vasi_state, VASI_COMPLETED)),
};

static bool resizing(const void *s) { return ((const struct machine *)s)->hpt_prepared != 0; }

static const struct vmstate hpt_resize_state = {
	.name = "cede/machine/hpt", .version = 1, .min_version = 1, VMS_OF(struct machine), .needed = resizing,
	.fields = VMS_FIELDS(VMS_U32_TO(struct machine, hpt_prepared, HPT_SHIFT_MAX)),
};

static const struct vms_field machine_fields[] = {
	VMS_U64_ARRAY(struct machine, rng_state),
	VMS_U64(struct machine, rtas_addr),
	VMS_U64_TO(struct machine, rtas_size, UINT64_C(1) << 20),
	VMS_U64(struct machine, fdt_addr),
	VMS_BOOL(struct machine, cas_done),
	VMS_BOOL(struct machine, radix),
	VMS_BOOL(struct machine, splpar_off),
	VMS_STRUCT_ARRAY("energy", struct machine, energy, struct energy_list, energy_state),
	VMS_U32(struct machine, compat_pvr),
	VMS_U32(struct machine, next_plid),
	VMS_U32(struct machine, ncpus, VMS_SAME_BY("-smp", NULL)),
	VMS_U32(struct machine, threads, VMS_SAME_BY("-smp threads=", NULL)),

	VMS_ELSEWHERE(struct machine, ram, "ram"),
	VMS_ELSEWHERE(struct machine, hpt, "spapr/htab"),
	VMS_SKIP(struct machine, engine, HERE), VMS_SKIP(struct machine, env, HERE),
	VMS_ELSEWHERE(struct machine, cpu, PARTS), VMS_SKIP(struct machine, running, "nobody, between quanta"),
	VMS_SKIP(struct machine, config, OPTION), VMS_ELSEWHERE(struct machine, dispatcher, PARTS),
	VMS_ELSEWHERE(struct machine, devices, PARTS), VMS_SKIP(struct machine, drives, "the host's: devices have what the guest sees"), VMS_SKIP(struct machine, nets, "the host's"), VMS_SKIP(struct machine, card_macs, "options"),
	VMS_SKIP(struct machine, drcs, "one of them"), VMS_SKIP(struct machine, xics, "one of them"), VMS_SKIP(struct machine, xive, "one of them"),
	VMS_ELSEWHERE(struct machine, firmware, PARTS),
	VMS_SKIP(struct machine, request, "none, while it runs"), VMS_SKIP(struct machine, exit_status, "none, while it runs"),
	VMS_SKIP(struct machine, panic_message, "none, while it runs"),
	VMS_SKIP(struct machine, log_mask, OPTION), VMS_SKIP(struct machine, log_file, OPTION),
	VMS_SKIP(struct machine, log_second, HERE), VMS_SKIP(struct machine, log_lines, HERE),
	VMS_SKIP(struct machine, term, HERE), VMS_SKIP(struct machine, consoles, HERE),
	VMS_SKIP(struct machine, quantum_end, "0, between quanta"),
	VMS_SKIP(struct machine, keys_let_go, "the host's, until it goes on"), VMS_SKIP(struct machine, buttons_let_go, "the host's, until it goes on"),
	VMS_SKIP(struct machine, any_let_go, "the host's, until it goes on"),
	VMS_SKIP(struct machine, hcall_work, "anew in each quantum"), VMS_SKIP(struct machine, hcall_turn_taken, "anew in each quantum"),
	VMS_SKIP(struct machine, side_by_side, "anew in each quantum"),
	VMS_SKIP(struct machine, stop_signal, HERE),
	VMS_SKIP(struct machine, run, HERE), VMS_SKIP(struct machine, monitors, HERE), VMS_SKIP(struct machine, outgoing, HERE),
	VMS_SKIP(struct machine, snapshots, HERE), VMS_SKIP(struct machine, display, HERE), VMS_SKIP(struct machine, gdb, HERE), VMS_SKIP(struct machine, trace, HERE), VMS_SKIP(struct machine, profile, HERE),
	VMS_SKIP(struct machine, unimp_hcalls, "said once in each run"), VMS_SKIP(struct machine, unimp_rtas, "said once in each run"),
	VMS_SKIP(struct machine, suspending, "nobody, between quanta"), VMS_SKIP(struct machine, dawr1_untold, "of a load"),
	VMS_SKIP(struct machine, suspend_status, "for a moment"), VMS_SKIP(struct machine, rtas_results, "for a moment"),
	VMS_SKIP(struct machine, rtas_nret, "for a moment"), VMS_SKIP(struct machine, mmio, "they have put themselves there"),
	VMS_SKIP(struct machine, tces, "they have put themselves there"),
	{ .kind = VMS_END },
};

/* Version 1 stood for several layouts while cede was young: a load takes none of them. */
const struct vmstate cede_machine_state = {
	.name = "cede/machine", .version = 2, .min_version = 2, VMS_OF(struct machine), .check = machine_check,
	.fields = machine_fields, .subs = VMS_SUBS(&vasi_session_state, &hpt_resize_state),
};
