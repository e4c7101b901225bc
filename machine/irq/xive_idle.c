/* XIVE at rest. Names, numbers and layout are QEMU's. */
#include "machine/irq/xive_idle.h"

#include <stdlib.h>

struct xive_idle *xive_idle_new(unsigned max_cpus)
{
	struct xive_idle *xive = calloc(1, sizeof *xive);

	if (xive)
		xive->ends = XIVE_PRIORITIES * max_cpus;
	return xive;
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

const struct vmstate xive_source_state = {
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

const struct vmstate spapr_xive_state = {
	.name = "spapr-xive", .version = 1, .min_version = 1, VMS_OF(struct xive_idle), .needed = router_there,
	.post_load = router_post_load,
	.fields = VMS_FIELDS(
		NR_IRQS,
		VMS_STRUCT_ARRAY("eat", struct xive_idle, eat, struct xive_eas, eas_state),
		VMS_COUNTED_STRUCTS("endt", struct xive_idle, end, struct xive_end, ends, end_state),
		VMS_SKIP(struct xive_idle, ends, "the machine's: -smp"),
		VMS_ELSEWHERE(struct xive_idle, tctx, "xive-tctx"),
		VMS_SKIP(struct xive_idle, source_there, "it is, where it is saved"),
		VMS_SKIP(struct xive_idle, router_there, "it is, where it is saved")),
};

const struct vmstate xive_tctx_state = {
	.name = "xive-tctx", .version = 1, .min_version = 1, VMS_OF(struct xive_tctx), .needed = tctx_there,
	.post_load = tctx_post_load,
	.fields = VMS_FIELDS(VMS_BUFFER(struct xive_tctx, regs), VMS_SKIP(struct xive_tctx, there, "it is, where it is saved")),
};
