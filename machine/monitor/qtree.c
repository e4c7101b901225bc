/* "info qtree": buses, the devices on them and their properties, in QEMU's form. */
#include "machine/core/device.h"
#include "machine/monitor/monitor.h"

#define INDENT 2

static void print_properties(const struct device *dev, const struct device_property *p, int indent, FILE *out)
{
	char value[256];

	for (; p && p->name; p++) {
		device_property_text(dev, p, value, sizeof value);
		fprintf(out, "%*s%s = %s\n", indent, "", p->name, value);
	}
}

static void print_bus(const struct machine *m, const struct device *bridge, int indent, FILE *out);

static void print_device(const struct machine *m, const struct device *dev, int indent, FILE *out)
{
	const struct device_class *class = dev->class;

	fprintf(out, "%*sdev: %s, id \"%s\"\n", indent, "", class->name, dev->id ? dev->id : "");
	if (class->on)
		print_properties(dev, class->on->properties, indent + INDENT, out);
	print_properties(dev, class->properties, indent + INDENT, out);
	if (class->bus)
		print_bus(m, dev, indent + INDENT, out);
}

static void print_bus(const struct machine *m, const struct device *bridge, int indent, FILE *out)
{
	fprintf(out, "%*sbus: %s\n", indent, "", bridge ? bridge->class->bus->name : "main-system-bus");
	fprintf(out, "%*stype %s\n", indent + INDENT, "", bridge ? bridge->class->bus->type : "System");
	for (const struct device *dev = bus_next(m, NULL, bridge); dev; dev = bus_next(m, dev, bridge))
		print_device(m, dev, indent + INDENT, out);
}

void qtree_print(const struct machine *m, FILE *out)
{
	print_bus(m, NULL, 0, out);
}
