/* The board in QEMU's sections: `timer`, `spapr`, `globalstate`.
 * Names, versions, order and conditions are QEMU's pseries-7.2, as its streams show them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "firmware/firmware.h"
#include "machine/core/clock.h"
#include "machine/core/config.h"
#include "machine/irq/irq.h"
#include "machine/rtas/events.h"
#include "machine/snapshot/state.h"

static const struct machine *machine_of(const void *s) { return s; }

/* ---- timer: the virtual clock in ns; timebase = ns * 64 / 125 ---- */


/* The timebase of the processor that has run furthest: the guest has seen no later one. */
static uint64_t furthest_timebase(const struct machine *m)
{
	uint64_t ticks = m->clock.now / CYCLES_PER_TICK + m->clock.tb.tb_offset;

	return ticks > m->clock.tb.tb_floor ? ticks : m->clock.tb.tb_floor;
}

static uint64_t clock_get(const void *s, unsigned i)
{
	(void)i;
	return (uint64_t)(((unsigned __int128)furthest_timebase(s) * 125 + 63) / 64);
}

static bool clock_put(void *s, unsigned i, uint64_t ns)
{
	struct machine *m = s;
	uint64_t ticks = (uint64_t)((unsigned __int128)ns * 64 / 125);

	(void)i;
	/* Refuses only what no clock can be. settle() holds the loaded clock to CLOCK_END more exactly, after
	 * section cede/clock, whose timebase may be ahead of this one, has been read. */
	if (ticks > CLOCK_END)
		return false;
	m->clock.now = ticks * CYCLES_PER_TICK;
	m->clock.tb = (struct cpu_clock){ .tb_floor = ticks };
	for (unsigned n = 0; n < m->ncpus; n++)
		m->cpu[n]->cpu.cycles = m->clock.now;
	return true;
}

const struct vmstate timer_state = {
	.name = "timer", .version = 2, .min_version = 1, VMS_OF(struct machine),
	.fields = VMS_FIELDS(
		VMS_CONSTANT("cpu_ticks_offset", vms_i64, 0),
		VMS_UNUSED("unused", 8),
		VMS_CALC("cpu_clock_offset", vms_i64, clock_get, clock_put)),
};

/* ---- spapr ---- */

static uint64_t tb_get(const void *s, unsigned i)
{
	(void)i;
	return furthest_timebase(s);
}

static const struct vmstate timebase_state = {
	.name = "timebase", .version = 1, .min_version = 1, VMS_OF(struct machine),
	.fields = VMS_FIELDS(
		VMS_CALC("guest_timebase", vms_u64, tb_get, NULL),
		VMS_CONSTANT("time_of_the_day_ns", vms_i64, 0)),
};

/* Bits of option vector 5, by their number in the map. */
static bool ov5_bit(const struct machine *m, unsigned bit)
{
	return m->ov5_cas[bit / 64] >> bit % 64 & 1;
}

static bool ov5_check(const void *s, struct vms_walk *w)
{
	const struct machine *m = s;

	return !ov5_bit(m, OV5_XIVE) || m->xive ||
	       vms_wrong(w, "ov5_cas", m->ov5_cas[OV5_XIVE / 64], "a guest that uses XICS: this machine has no XIVE (-M ic-mode=dual)");
}

/* QEMU sends the vector only once guest and hypervisor have agreed on something. */
static void ov5_absent(void *s)
{
	struct machine *m = s;

	memset(m->ov5_cas, 0, sizeof m->ov5_cas);
}

static const struct vmstate ov5_vector_state = {
	.name = "spapr_option_vector", .version = 1, .min_version = 1, VMS_OF(struct machine),
	.fields = VMS_FIELDS(
		{ .name = "bitmap", .kind = VMS_VALUE, .codec = &vms_u64, .offset = offsetof(struct machine, ov5_cas),
		  .stride = 8, .covers = 8, .count = OV5_WORDS, .type = "bitmap" }),
};

static const struct vmstate ov5_state = {
	.name = "spapr_option_vector_ov5_cas", .version = 1, .min_version = 1, VMS_OF(struct machine),
	.check = ov5_check, .absent = ov5_absent,
	.fields = VMS_FIELDS(VMS_PART("ov5_cas", ov5_vector_state)),
};

#define PATB_RADIX    PPC_BIT(0)
#define PATB_SIZE     UINT64_C(31)
#define PATB_SIZE_MAX 24
#define PATB_BASE     PPC_MASK(4, 51)

static bool patb_needed(const void *s) { return machine_of(s)->proc_tbl != 0; }

static bool patb_check(const void *s, struct vms_walk *w)
{
	uint64_t entry = machine_of(s)->proc_tbl;

	return ((entry & PATB_SIZE) <= PATB_SIZE_MAX && (!(entry & PATB_RADIX) || !(entry & ~(PATB_RADIX | PATB_BASE | PATB_SIZE)))) ||
	       vms_wrong(w, "patb_entry", entry, "a process table's");
}

static const struct vmstate patb_state = {
	.name = "spapr_patb_entry", .version = 1, .min_version = 1, VMS_OF(struct machine), .needed = patb_needed,
	.check = patb_check,
	.fields = VMS_FIELDS(VMS_U64_AS("patb_entry", struct machine, proc_tbl)),
};

#define MAX_EVENTS 1024

static const struct vmstate event_state = {
	.name = "spapr_event_log_entry", .version = 1, .min_version = 1, VMS_OF(struct event_log),
	.fields = VMS_FIELDS(
		VMS_U32(struct event_log, summary),
		VMS_U32_AS("extended_length", struct event_log, len),
		VMS_COUNTED_BUFFER("extended_log", struct event_log, data, len),
		VMS_SKIP(struct event_log, next, "its place in the list")),
};

static bool events_needed(const void *s) { return machine_of(s)->event_logs != NULL; }

static const struct vmstate events_state = {
	.name = "spapr_pending_events", .version = 1, .min_version = 1, VMS_OF(struct machine), .needed = events_needed,
	.fields = VMS_FIELDS(VMS_LIST("pending_events", struct machine, event_logs, struct event_log, next, MAX_EVENTS, event_state)),
};

#define IBS_FIXED_NA 0x10

/* QEMU counts the values of cap-ibs otherwise than we do. */
static uint64_t ibs_in_stream(enum mitigation ibs)
{
	return ibs == MITIGATION_FIXED_NA ? IBS_FIXED_NA : ibs > MITIGATION_FIXED ? (uint64_t)ibs - 1 : (uint64_t)ibs;
}

static void say_switch(char *buf, size_t size, uint64_t v) { snprintf(buf, size, "%s", v ? "on" : "off"); }

void say_page_size(char *buf, size_t size, uint64_t shift)
{
	static const char units[] = "kmgtp";

	if (shift < 10 || shift >= 60)
		snprintf(buf, size, "2^%llu bytes", (unsigned long long)shift);
	else
		snprintf(buf, size, "%u%c", 1u << shift % 10, units[shift / 10 - 1]);
}

static void say_mitigation(char *buf, size_t size, uint64_t v)
{
	static const char *const words[] = { "broken", "workaround", "fixed" };

	snprintf(buf, size, "%s", v < ARRAY_SIZE(words) ? words[v] : "one that is not known");
}

static void say_ibs(char *buf, size_t size, uint64_t v)
{
	static const char *const words[] = { "broken", "workaround", "fixed-ibs", "fixed-ccd" };

	snprintf(buf, size, "%s", v == IBS_FIXED_NA ? "fixed-na" : v < ARRAY_SIZE(words) ? words[v] : "one that is not known");
}

/* A sender has the default, which it does not mention. */
static bool has_default(struct vms_walk *w, const char *field, const char *option, uint64_t ours, uint64_t normal,
			void (*say)(char *buf, size_t size, uint64_t v))
{
	char here[40], there[40], want[64];

	if (normal <= ours)
		return true;
	say(here, sizeof here, ours);
	say(there, sizeof there, normal);
	snprintf(want, sizeof want, "at most %s", here);
	return vms_differs(w, field, option, want, there);
}

/* Capabilities: sent if not the default; a load takes what is no more than this machine's. */
#define CAP_ROW(id, index, value, normal, option, say, ...) \
	static uint64_t cap_##id##_get(const void *s, unsigned i) { (void)i; (void)s; return (uint64_t)(value); } \
	static bool cap_##id##_put(void *s, unsigned i, uint64_t v) { return v <= cap_##id##_get(s, i); } \
	static bool cap_##id##_needed(const void *s) { return cap_##id##_get(s, 0) != normal; } \
	static const struct vmstate cap_##id##_state = { \
		.name = "spapr/cap/" #id, .version = 1, .min_version = 1, VMS_OF(struct machine), .needed = cap_##id##_needed, \
		.fields = VMS_FIELDS(VMS_CALC_BY("mig.caps[" index "]", vms_u8, cap_##id##_get, cap_##id##_put, "-M " option, say)), \
		__VA_ARGS__ \
	};
#define CAP(id, index, value, normal, option, say) \
	static bool cap_##id##_may_miss(const void *s, struct vms_walk *w) \
	{ \
		(void)s; \
		return normal == ALWAYS || has_default(w, "mig.caps[" index "]", "-M " option, (uint64_t)(value), normal, say); \
	} \
	CAP_ROW(id, index, value, normal, option, say, .may_miss = cap_##id##_may_miss)
#define ALWAYS 256		/* no byte is equal to it, so the capability is sent in any case */

CAP(htm, "0x00", machine_of(s)->config->htm, 0, "cap-htm=", say_switch)
CAP(vsx, "0x01", 1, 1, "cap-vsx=", say_switch)
CAP(dfp, "0x02", machine_of(s)->config->dfp, 1, "cap-dfp=", say_switch)
CAP(cfpc, "0x03", machine_of(s)->config->cfpc, MITIGATION_WORKAROUND, "cap-cfpc=", say_mitigation)
CAP(sbbc, "0x04", machine_of(s)->config->sbbc, MITIGATION_WORKAROUND, "cap-sbbc=", say_mitigation)
CAP(ibs, "0x05", ibs_in_stream(machine_of(s)->config->ibs), MITIGATION_WORKAROUND, "cap-ibs=", say_ibs)
CAP(hpt_maxpagesize, "0x06", machine_of(s)->config->hpt_page_shift, ALWAYS, "cap-hpt-max-page-size=", say_page_size)
CAP(nested_kvm_hv, "0x07", 0, 0, "cap-nested-hv=", say_switch)
CAP(large_decr, "0x08", machine_of(s)->config->large_decr || !config_dec_bits(machine_of(s)->config), 1, "cap-large-decr=", say_switch)
CAP(ccf_assist, "0x09", machine_of(s)->config->ccf_assist, 1, "cap-ccf-assist=", say_switch)
CAP(fwnmi, "0x0A", 1, 1, "cap-fwnmi=", say_switch)
CAP(rpt_invalidate, "0x0B", machine_of(s)->config->rpt_invalidate, 0, "cap-rpt-invalidate=", say_switch)
/* QEMU 10's, where it is on as well unless the user says otherwise; of a processor with one watchpoint nobody says anything. A
 * stream without it is cede's, with two of them, or one for QEMU 7.2, which cannot say. */
static void dawr1_absent(void *s) { ((struct machine *)s)->dawr1_untold = true; }

CAP_ROW(dawr1, "0x0E", machine_of(s)->config->dawr1 || machine_of(s)->config->cpu_model->dawrs < 2, 1, "cap-dawr1=", say_switch,
	.newer = true, .absent = dawr1_absent)

/* ---- spapr_irq_map ---- */

static bool irq_map_needed(const void *s)
{
	for (unsigned i = 0; i < MSI_WORDS; i++)
		if (machine_of(s)->msi_map[i])
			return true;
	return false;
}

static void irq_map_absent(void *s)
{
	struct machine *m = s;

	memset(m->msi_map, 0, sizeof m->msi_map);
}

static const struct vmstate irq_map_state = {
	.name = "spapr_irq_map", .version = 1, .min_version = 1, VMS_OF(struct machine), .needed = irq_map_needed,
	.absent = irq_map_absent,
	.fields = VMS_FIELDS(
		{ .name = "irq_map", .kind = VMS_VALUE, .codec = &vms_u64, .offset = offsetof(struct machine, msi_map),
		  .stride = 8, .covers = 8, .count = MSI_WORDS, .type = "bitmap" }),
};

/* ---- spapr_fwnmi ---- */

/* A guest may register either handler alone; a processor may hold the interlock when neither is registered any more. */
static bool fwnmi_needed(const void *s)
{
	const struct machine *m = s;

	return m->fwnmi_sreset || m->fwnmi_mcheck || m->fwnmi_interlock != -1;
}

static uint64_t interlock_get(const void *s, unsigned i)
{
	(void)i;
	return (uint32_t)machine_of(s)->fwnmi_interlock;
}

static bool interlock_put(void *s, unsigned i, uint64_t v)
{
	(void)i;
	((struct machine *)s)->fwnmi_interlock = (int32_t)(uint32_t)v;
	return true;
}

static bool fwnmi_check(const void *s, struct vms_walk *w)
{
	const struct machine *m = s;

	return (m->fwnmi_interlock >= -1 && m->fwnmi_interlock < (int64_t)m->ncpus) ||
	       vms_wrong(w, "fwnmi_machine_check_interlock", (uint32_t)m->fwnmi_interlock, "a processor, or -1");
}

static const struct vmstate fwnmi_state = {
	.name = "spapr_fwnmi", .version = 1, .min_version = 1, VMS_OF(struct machine), .needed = fwnmi_needed,
	.check = fwnmi_check,
	.fields = VMS_FIELDS(
		VMS_U64_AS("fwnmi_system_reset_addr", struct machine, fwnmi_sreset),
		VMS_U64_AS("fwnmi_machine_check_addr", struct machine, fwnmi_mcheck),
		VMS_CALC("fwnmi_machine_check_interlock", vms_i32, interlock_get, interlock_put),
		VMS_CARRIED(struct machine, fwnmi_interlock, "fwnmi_machine_check_interlock")),
};

const struct vmstate spapr_state = {
	.name = "spapr", .version = 3, .min_version = 1, VMS_OF(struct machine),
	.fields = VMS_FIELDS(VMS_PART("tb", timebase_state)),
	.subs = VMS_SUBS(&ov5_state, &patb_state, &events_state, &cap_htm_state, &cap_vsx_state, &cap_dfp_state,
			 &cap_cfpc_state, &cap_sbbc_state, &cap_ibs_state, &cap_hpt_maxpagesize_state, &irq_map_state,
			 &cap_nested_kvm_hv_state, &spapr_dtb_state, &cap_large_decr_state, &cap_ccf_assist_state,
			 &cap_fwnmi_state, &fwnmi_state, &cap_rpt_invalidate_state, &cap_dawr1_state),
};

/* ---- globalstate: what the machine was doing. It runs. ---- */

#define RUNSTATE_SIZE 100
static const char runstate[] = "running";

static uint64_t runstate_get(const void *s, unsigned i)
{
	(void)s;
	return i < sizeof runstate ? (uint8_t)runstate[i] : 0;
}

static uint64_t runstate_len(const void *s, unsigned i)
{
	(void)s;
	(void)i;
	return sizeof runstate;
}

const struct vmstate globalstate_state = {
	.name = "globalstate", .version = 1, .min_version = 1, VMS_OF(struct machine),
	.fields = VMS_FIELDS(
		VMS_CALC("size", vms_u32, runstate_len, NULL),
		{ .name = "runstate", .kind = VMS_CALCULATED, .codec = &vms_u8, .count = RUNSTATE_SIZE, .get = runstate_get,
		  .type = "buffer" }),
};

/* ---- Sections that are read over ---- */

#define SLIRP_BYTES 130		/* a number for datagrams, and 16 leases of DHCP */

static uint64_t no_connection(const void *s, unsigned i)
{
	(void)s, (void)i;
	return 0;
}

/* Of guestfwd alone QEMU saves connections, each behind a byte that is not 0: here nobody is at their other end. */
static bool is_no_connection(void *s, unsigned i, uint64_t value)
{
	(void)s, (void)i;
	return !value;
}

const struct vmstate qemu_slirp_state = {
	.name = "slirp", .version = 4, .min_version = 4, .struct_name = "nothing", .struct_size = 1,
	.fields = VMS_FIELDS(VMS_CALC("connection", vms_u8, no_connection, is_no_connection), VMS_UNUSED("data", SLIRP_BYTES)),
};
