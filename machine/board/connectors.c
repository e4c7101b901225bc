/* The connectors of the board (machine/core/drc.h), as a device that is saved, hashed and reset as others are. Whose places
 * they are adds them: the PCI bridge its slots. */
#include "machine/board/cores.h"
#include "machine/core/device.h"
#include "machine/core/drc.h"

struct connectors {
	struct device dev;
	struct drcs drcs;
};

static bool connectors_init(struct device *dev, struct error *err)
{
	dev->machine->drcs = &((struct connectors *)dev)->drcs;
	return cores_connect(dev->machine, err);
}

static void connectors_free(struct device *dev) { dev->machine->drcs = NULL; }

static void connectors_reset(struct device *dev)
{
	struct drcs *drcs = dev->machine->drcs;

	for (unsigned i = 0; i < drcs->n; i++)
		drc_reset(&drcs->drc[i]);
}

static void *the_connector(struct device *dev, struct spapr_cpu *const *cpu, unsigned i)
{
	struct drcs *drcs = dev->machine->drcs;

	(void)cpu;
	return i < drcs->n ? &drcs->drc[i] : NULL;
}

/* What is empty has no state. */
static void *the_plugged(struct device *dev, struct spapr_cpu *const *cpu, unsigned i)
{
	struct drc *drc = the_connector(dev, cpu, i);

	return drc && drc->plugged ? drc : NULL;
}

static uint32_t connector_index(const struct device *dev, unsigned i)
{
	return dev->machine->drcs->drc[i].index;
}

static const struct device_section sections[] = {
	{ .state = &drc_state, .count = DRC_MOST, .object = the_plugged, .instance = connector_index },
	{ .state = &drc_physical_state, .count = DRC_MOST, .object = the_connector, .instance = connector_index },
	{ .state = &drc_own_state, .own = true, .count = DRC_MOST, .object = the_plugged, .instance = connector_index },
	{ .state = NULL },
};

static const struct vmstate connectors_state = {
	.name = "cede/connectors", .version = 1, .min_version = 1, VMS_OF(struct connectors),
	.fields = VMS_FIELDS(VMS_SKIP(struct connectors, dev, "what and where it is"),
			     VMS_ELSEWHERE(struct connectors, drcs, "spapr_drc")),
};

const struct device_class connectors_class = {
	.name = "spapr-connectors", .help = "places for what is plugged in while the guest runs", .size = sizeof(struct connectors),
	.on_board = device_once, .init = connectors_init, .free = connectors_free, .reset = connectors_reset,
	.own_state = &connectors_state, .sections = sections,
};
