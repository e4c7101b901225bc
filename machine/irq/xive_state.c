/* XIVE in snapshots: `xive-source`, `spapr-xive`, `xive-tctx`, whose names, numbers and layout are QEMU's. */
#include "machine/core/config.h"
#include "machine/irq/irq.h"
#include "machine/irq/xive.h"
#include "savevm/stream.h"

static const struct machine *machine_of(const struct xive *xive) { return xive->dev.machine; }

static uint64_t irqs_get(const void *s, unsigned i)
{
	(void)s;
	(void)i;
	return XIVE_SOURCES;
}

static bool irqs_put(void *s, unsigned i, uint64_t v)
{
	return v == irqs_get(s, i);
}

#define NR_IRQS { .name = "nr_irqs", .kind = VMS_CALCULATED, .codec = &vms_u32, .count = 1, .equal = true, \
		  .get = irqs_get, .put = irqs_put }

/* QEMU writes EASs and ENDs, which are big-endian, as if they were the host's numbers: x86's are those here. */
static void save_eas(const void *native, uint8_t *wire) { uint64_t v = __builtin_bswap64(*(const uint64_t *)native); vms_u64.save(&v, wire); }
static void load_eas(void *native, const uint8_t *wire) { vms_u64.load(native, wire); *(uint64_t *)native = __builtin_bswap64(*(uint64_t *)native); }
static void save_end(const void *native, uint8_t *wire) { uint32_t v = __builtin_bswap32(*(const uint32_t *)native); vms_u32.save(&v, wire); }
static void load_end(void *native, const uint8_t *wire) { vms_u32.load(native, wire); *(uint32_t *)native = __builtin_bswap32(*(uint32_t *)native); }

static const struct vms_codec eas_codec = { "uint64", 8, save_eas, load_eas };
static const struct vms_codec end_codec = { "uint32", 4, save_end, load_end };

/* ---- xive-source ---- */

static bool source_check(const void *s, struct vms_walk *w)
{
	const struct xive *xive = s;

	for (unsigned i = 0; i < XIVE_SOURCES; i++)
		if (xive->status[i] & ~(XIVE_PQ | XIVE_ASSERTED))
			return vms_wrong(w, "status", xive->status[i], "bits P and Q of a source, and its line");
	return true;
}

static const struct vmstate xive_source_state = {
	.name = "xive-source", .version = 1, .min_version = 1, VMS_OF(struct xive), .check = source_check,
	.fields = VMS_FIELDS(NR_IRQS, VMS_BUFFER(struct xive, status)),
};

/* ---- spapr-xive ---- */

static const struct vmstate eas_state = {
	.name = "spapr-xive/eas", .version = 1, .min_version = 1, VMS_OF(struct xive_eas),
	.fields = VMS_FIELDS(VMS_ONE("w", struct xive_eas, w, uint64_t, eas_codec)),
};

#define END_WORD(w) VMS_ONE(#w, struct xive_end, w, uint32_t, end_codec)

static const struct vmstate end_state = {
	.name = "spapr-xive/end", .version = 1, .min_version = 1, VMS_OF(struct xive_end),
	.fields = VMS_FIELDS(END_WORD(w0), END_WORD(w1), END_WORD(w2), END_WORD(w3), END_WORD(w4), END_WORD(w5), END_WORD(w6),
			     END_WORD(w7)),
};

/* A queue is where H_INT_SET_QUEUE_CONFIG lets one be, and the next entry is in it. */
static bool end_ok(const struct machine *m, const struct xive_end *end)
{
	unsigned shift = 12 + (end->w0 >> END0_SIZE_SHIFT & END0_SIZE);

	return !(end->w0 & END0_ENQUEUE) || (xive_queue_ok(m, xive_queue_address(end), shift) &&
					     (end->w1 & END1_OFFSET) < xive_queue_size(end) / 4);
}

/* The stream does not say how many ENDs it has: as many as the processors, each of which has a source. */
static unsigned processors_of(const struct xive *xive)
{
	unsigned n = 0;

	while (n < IRQ_BASE && xive_source_valid(xive, n))
		n++;
	return n;
}

static bool router_check(const void *s, struct vms_walk *w)
{
	const struct xive *xive = s;
	unsigned most = machine_of(xive)->config->max_cpus;

	if (processors_of(xive) != most)
		return stream_fail(w->stream, "expected %u processors, found %u (-smp)", most, processors_of(xive));
	for (unsigned i = 0; i < XIVE_SOURCES; i++)
		if (xive->eat[i].w & EAS_BLOCK || (xive->eat[i].w & EAS_END) >> EAS_END_SHIFT >= xive->ends)
			return vms_wrong(w, "eat", xive->eat[i].w, "an event queue of this machine");
	for (unsigned i = 0; i < xive->ends; i++)
		if (!end_ok(machine_of(xive), &xive->end[i]))
			return vms_wrong(w, "endt", xive_queue_address(&xive->end[i]), "an event queue in memory");
	return true;
}

static const struct vmstate spapr_xive_state = {
	.name = "spapr-xive", .version = 1, .min_version = 1, VMS_OF(struct xive), .check = router_check,
	.fields = VMS_FIELDS(
		NR_IRQS,
		VMS_STRUCT_ARRAY("eat", struct xive, eat, struct xive_eas, eas_state),
		VMS_COUNTED_STRUCTS("endt", struct xive, end, struct xive_end, ends, end_state),
		VMS_SKIP(struct xive, ends, "the machine's: -smp"),
		VMS_ELSEWHERE(struct xive, tctx, "xive-tctx, cede/xive"),
		VMS_SKIP(struct xive, lsi, "follows from who has claimed them"),
		VMS_SKIP(struct xive, esb, "follows from who is in charge"),
		VMS_SKIP(struct xive, end_esb, "follows from who is in charge"),
		VMS_SKIP(struct xive, tima, "follows from who is in charge"),
		VMS_SKIP(struct xive, dev, "what and where it is")),
};

/* ---- xive-tctx, and cede/xive: what QEMU does not know ---- */

static const struct vmstate xive_tctx_state = {
	.name = "xive-tctx", .version = 1, .min_version = 1, VMS_OF(struct xive_tctx),
	.fields = VMS_FIELDS(VMS_BUFFER(struct xive_tctx, regs)),
};

static bool line_needed(const void *s) { return ((const struct xive_tctx *)s)->line != XIVE_NO_LINE; }

/* One outside RAM is written nowhere. */
static bool line_check(const void *s, struct vms_walk *w)
{
	uint64_t line = ((const struct xive_tctx *)s)->line;

	return line % XIVE_LINE_BYTES == 0 || vms_wrong(w, "line", line, "a pair of cache lines");
}

static const struct vmstate xive_line_state = {
	.name = "cede/xive", .version = 1, .min_version = 1, VMS_OF(struct xive_tctx), .needed = line_needed, .check = line_check,
	.fields = VMS_FIELDS(VMS_U64(struct xive_tctx, line)),
};

static void *the_tctx(struct device *dev, struct spapr_cpu *const *cpu, unsigned i)
{
	(void)cpu;
	return &((struct xive *)dev)->tctx[i];
}

const struct device_section xive_sections[] = {
	{ .state = &xive_source_state },
	{ .state = &spapr_xive_state },
	{ .state = &xive_tctx_state, .each_cpu = true, .object = the_tctx },
	{ .state = &xive_line_state, .each_cpu = true, .object = the_tctx, .own = true },
	{ .state = NULL },
};

/* ---- Loaded, and for QEMU ---- */

/* Another hypervisor does not say which processors' lines are high. */
void xive_loaded(struct device *dev, bool foreign)
{
	struct machine *m = dev->machine;

	xive_map(m, irq_by_xive(m));
	if (foreign && irq_by_xive(m))
		xive_lines(m);
}

/* QEMU never looks again at what was presented when it was saved. */
bool xive_qemu_ready(const struct device *dev)
{
	const struct xive *xive = (const struct xive *)dev;

	for (unsigned i = 0; i < machine_of(xive)->ncpus; i++)
		if (xive->tctx[i].regs[TIMA_NSR] & TIMA_NSR_EO)
			return false;
	return true;
}

bool xive_qemu_can(const struct device *dev, struct error *err)
{
	const struct xive *xive = (const struct xive *)dev;
	bool can = true;

	for (unsigned i = 0; i < machine_of(xive)->ncpus; i++)
		can &= xive->tctx[i].line == XIVE_NO_LINE;
	if (!can)
		error_set(err, "the guest has a reporting line for interrupts, of which QEMU knows nothing");
	return can;
}
