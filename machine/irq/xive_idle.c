/* XIVE at rest. Names, numbers and layout are QEMU's. */
#include "machine/irq/xive_idle.h"

#include <string.h>

#include "machine/core/config.h"

/* Nothing has been loaded. */
static void xive_reset(struct device *dev)
{
	struct xive_idle *xive = (struct xive_idle *)dev;

	memset((uint8_t *)xive + sizeof xive->dev, 0, sizeof *xive - sizeof xive->dev);
	xive->ends = XIVE_PRIORITIES * dev->machine->config->max_cpus;
}

static bool source_there(const void *s) { return ((const struct xive_idle *)s)->source_there; }
static bool router_there(const void *s) { return ((const struct xive_idle *)s)->router_there; }
static bool tctx_there(const void *s) { return ((const struct xive_tctx *)s)->there; }

static bool source_post_load(void *s, uint32_t version, struct vms_walk *w)
{
	(void)version;
	(void)w;
	return ((struct xive_idle *)s)->source_there = true;
}

static bool router_post_load(void *s, uint32_t version, struct vms_walk *w)
{
	(void)version;
	(void)w;
	return ((struct xive_idle *)s)->router_there = true;
}

static bool tctx_post_load(void *s, uint32_t version, struct vms_walk *w)
{
	(void)version;
	(void)w;
	return ((struct xive_tctx *)s)->there = true;
}

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

static const struct vmstate xive_source_state = {
	.name = "xive-source", .version = 1, .min_version = 1, VMS_OF(struct xive_idle), .needed = source_there,
	.post_load = source_post_load,
	.fields = VMS_FIELDS(NR_IRQS, VMS_BUFFER(struct xive_idle, status)),
};

static const struct vmstate eas_state = {
	.name = "spapr-xive/eas", .version = 1, .min_version = 1, VMS_OF(struct xive_eas),
	.fields = VMS_FIELDS(VMS_U64(struct xive_eas, w)),
};

static const struct vmstate end_state = {
	.name = "spapr-xive/end", .version = 1, .min_version = 1, VMS_OF(struct xive_end),
	.fields = VMS_FIELDS(
		VMS_U32(struct xive_end, w0), VMS_U32(struct xive_end, w1), VMS_U32(struct xive_end, w2),
		VMS_U32(struct xive_end, w3), VMS_U32(struct xive_end, w4), VMS_U32(struct xive_end, w5),
		VMS_U32(struct xive_end, w6), VMS_U32(struct xive_end, w7)),
};

static const struct vmstate spapr_xive_state = {
	.name = "spapr-xive", .version = 1, .min_version = 1, VMS_OF(struct xive_idle), .needed = router_there,
	.post_load = router_post_load,
	.fields = VMS_FIELDS(
		NR_IRQS,
		VMS_STRUCT_ARRAY("eat", struct xive_idle, eat, struct xive_eas, eas_state),
		VMS_COUNTED_STRUCTS("endt", struct xive_idle, end, struct xive_end, ends, end_state),
		VMS_SKIP(struct xive_idle, ends, "the machine's: -smp"),
		VMS_ELSEWHERE(struct xive_idle, tctx, "xive-tctx"),
		VMS_SKIP(struct xive_idle, source_there, "it is, where it is saved"),
		VMS_SKIP(struct xive_idle, router_there, "it is, where it is saved"),
		VMS_SKIP(struct xive_idle, dev, "what and where it is")),
};

static const struct vmstate xive_tctx_state = {
	.name = "xive-tctx", .version = 1, .min_version = 1, VMS_OF(struct xive_tctx), .needed = tctx_there,
	.post_load = tctx_post_load,
	.fields = VMS_FIELDS(VMS_BUFFER(struct xive_tctx, regs), VMS_SKIP(struct xive_tctx, there, "it is, where it is saved")),
};

/* ---- The device ---- */

static void *the_tctx(struct device *dev, struct spapr_cpu *const *cpu, unsigned i)
{
	(void)cpu;
	return &((struct xive_idle *)dev)->tctx[i];
}

static const struct device_section xive_sections[] = {
	{ .state = &xive_source_state },
	{ .state = &spapr_xive_state },
	{ .state = &xive_tctx_state, .each_cpu = true, .object = the_tctx },
	{ .state = NULL },
};

const struct device_class xive_idle_class = {
	.name = "spapr-xive", .help = "XIVE of a loaded snapshot, at rest", .size = sizeof(struct xive_idle), .early = true,
	.on_board = device_once, .reset = xive_reset, .sections = xive_sections,
};
