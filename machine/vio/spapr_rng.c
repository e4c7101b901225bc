/* The random number generator as a device (spapr-rng): the node by which a guest finds out that H_RANDOM is there and
 * worth asking. What it answers is hcall/registers.c's, from the machine's seed (-seed), so that runs repeat.
 * PAPR, "H_RANDOM" and "Platform Facilities". */
#include "machine/core/device.h"
#include "machine/core/node.h"

struct rng {
	struct device dev;
	bool use_kvm;
};

static bool rng_init(struct device *dev, struct error *err)
{
	if (((struct rng *)dev)->use_kvm)
		error_usage(err, "-device spapr-rng,use-kvm=on: there is no KVM");
	else if (dev->number)
		error_usage(err, "-device spapr-rng: there can be only one");
	else
		return true;
	return false;
}

static void rng_fdt(struct device *dev, struct tree *t, int parent)
{
	int at = node_add(t, parent, "ibm,platform-facilities");

	(void)dev;
	node_string(t, at, "device_type", "ibm,platform-facilities");
	node_cell(t, at, "#address-cells", 1);
	node_cell(t, at, "#size-cells", 0);
	at = node_add(t, at, "ibm,random-v1");
	node_string(t, at, "device_type", "ibm,random-v1");
	node_string(t, at, "compatible", "ibm,random");
}

static const struct device_property rng_properties[] = {
	{ .name = "use-kvm", .help = "numbers from KVM, which is not there", .type = PROPERTY_BOOL, .settable = true,
	  .offset = offsetof(struct rng, use_kvm) },
	{ .name = NULL },
};

static const struct vmstate rng_state = {
	.name = "cede/spapr-rng", .version = 1, .min_version = 1, VMS_OF(struct rng),
	.fields = VMS_FIELDS(VMS_SKIP(struct rng, dev, "what and where it is"), VMS_SKIP(struct rng, use_kvm, "an option")),
};

const struct device_class spapr_rng_class = {
	.name = "spapr-rng", .help = "random number generator: H_RANDOM in the device tree", .size = sizeof(struct rng),
	.pluggable = true, .properties = rng_properties, .init = rng_init, .fdt = rng_fdt,
	.own_state = &rng_state,
};
