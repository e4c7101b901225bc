/* Cores that are plugged in, by -device or while the guest runs, up to -smp maxcpus=. All that there can be exist from the
 * start; those that are absent are stopped, and machine_cpu() does not find them. */
#include "machine/board/cores.h"

#include <string.h>

#include "cpu/core/model.h"
#include "firmware/fdt.h"
#include "machine/board/pseries.h"
#include "machine/core/config.h"
#include "machine/core/drc.h"

#define EVENT_CPU 1			/* hot plug log: a resource of this kind */

struct core {
	struct device dev;
	uint32_t id;			/* property: number of its first thread */
	uint32_t threads;		/* property */
	bool arrived;
};

static unsigned first_of(const struct drc *drc) { return drc->index & DRC_ID; }

/* ---- The connector ---- */

static void core_fdt(struct machine *m, const struct drc *drc, struct tree *t)
{
	tree_core(m, t, first_of(drc));
}

/* The board's own stays. */
static void core_release(struct machine *m, struct drc *drc)
{
	if (drc->device)
		device_remove(m, drc->device);
}

static bool core_busy(struct machine *m, const struct drc *drc)
{
	unsigned first = first_of(drc);
	bool busy = false;

	for (unsigned i = first; i < first + m->threads; i++)
		busy |= m->cpu[i]->cpu.run_state != CPU_STOPPED || m->cpu[i]->vp.state != VP_STOPPED;
	return busy;
}

static const struct drc_kind core_kind = {
	.name = "CPU ", .type = "CPU", .event = EVENT_CPU, .fdt = core_fdt, .release = core_release, .busy = core_busy,
};

bool cores_connect(struct machine *m, struct error *err)
{
	for (unsigned i = 0; i < m->config->max_cpus; i += m->config->threads) {
		struct drc *drc = drc_add(m, &core_kind, DRC_CPU | i);

		if (!drc) {
			error_set(err, "too many connectors");
			return false;
		}
		if (i < m->config->cpus)
			drc_plug(drc, NULL, false);
	}
	return true;
}

/* ---- The device ---- */

static bool is_ours(const struct device *dev)
{
	size_t len = strlen(dev->machine->config->cpu_model->alias);

	return !strncmp(dev->class->name, dev->machine->config->cpu_model->alias, len) && dev->class->name[len] == '-';
}

static bool core_init(struct device *dev, struct error *err)
{
	struct core *core = (struct core *)dev;
	struct machine *m = dev->machine;
	struct drc *drc = core->id % m->threads ? NULL : drc_find(m, DRC_CPU | (core->id & DRC_ID));

	if (!is_ours(dev))
		error_usage(err, "Invalid CPU type, expected cpu type: '%s'", cores_type(m));
	else if (core->id == UINT32_MAX)
		error_usage(err, "-device %s: core-id=N is needed", dev->class->name);
	else if (core->threads && core->threads != m->threads)
		error_usage(err, "invalid nr-threads %u, must be %u", core->threads, m->threads);
	else if (core->id % m->threads)
		error_usage(err, "invalid core id %u", core->id);
	else if (core->id >= m->ncpus || !drc)
		error_usage(err, "core id %u out of range", core->id);
	else if (drc->plugged)
		error_usage(err, "core %u already populated", core->id);
	else {
		drc_plug(drc, dev, dev->hot);
		machine_core_arrives(m, core->id);
		return core->arrived = true;
	}
	return false;
}

static void core_free(struct device *dev)
{
	struct core *core = (struct core *)dev;

	if (!core->arrived || !dev->machine->dispatcher)	/* it has failed; the machine itself goes */
		return;
	drc_empty(drc_find(dev->machine, DRC_CPU | core->id));
	machine_core_goes(dev->machine, core->id);
}

static uint32_t core_connector(const struct device *dev) { return DRC_CPU | ((const struct core *)dev)->id; }

static bool core_removable(const struct device *dev, struct error *err)
{
	if (((const struct core *)dev)->id)
		return true;
	error_set(err, "Boot CPU core may not be unplugged");
	return false;
}

static const struct device_property properties[] = {
	{ .name = "core-id", .help = "number of its first thread", .type = PROPERTY_U32, .settable = true, .value = UINT32_MAX,
	  .offset = offsetof(struct core, id) },
	{ .name = "nr-threads", .help = "threads, as -smp threads= has them", .type = PROPERTY_U32, .settable = true,
	  .offset = offsetof(struct core, threads) },
	{ .name = NULL },
};

static const struct vmstate core_state = {
	.name = "cede/core", .version = 1, .min_version = 1, VMS_OF(struct core),
	.fields = VMS_FIELDS(VMS_SKIP(struct core, dev, "what and where it is"), VMS_SKIP(struct core, id, "an option"),
			     VMS_SKIP(struct core, threads, "an option"), VMS_SKIP(struct core, arrived, "an option")),
};

#define CORE(id_, model) \
	const struct device_class core_##id_##_class = { \
		.name = model "-spapr-cpu-core", .help = "a core, up to -smp maxcpus=", .size = sizeof(struct core), .pluggable = true, \
		.properties = properties, .init = core_init, .free = core_free, .own_state = &core_state, .connector = core_connector, \
		.removable = core_removable, \
	};
CORE(power8, "power8_v2.0")
CORE(power8e, "power8e_v2.1")
CORE(power8nvl, "power8nvl_v1.0")
CORE(power9_0, "power9_v2.0")
CORE(power9_2, "power9_v2.2")
CORE(power10, "power10_v2.0")

static const struct device_class *const classes[] = {
	&core_power8_class, &core_power8e_class, &core_power8nvl_class, &core_power9_0_class, &core_power9_2_class, &core_power10_class,
};

const char *cores_type(const struct machine *m)
{
	const char *alias = m->config->cpu_model->alias;
	size_t len = strlen(alias);

	for (unsigned i = 0; i < ARRAY_SIZE(classes); i++)
		if (!strncmp(classes[i]->name, alias, len) && classes[i]->name[len] == '-')
			return classes[i]->name;
	return "spapr-cpu-core";
}

const struct device *cores_device(struct machine *m, unsigned first)
{
	const struct drc *drc = drc_find(m, DRC_CPU | first);

	return drc ? drc->device : NULL;
}
