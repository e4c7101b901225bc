/* The devices of a machine: making them, asking each, and the values that -device gives them. */
#include "machine/core/device.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/core/timers.h"

/* ---- Values ---- */

static const struct device_property *find_in(const struct device_property *p, const char *name)
{
	while (p && p->name && strcmp(p->name, name))
		p++;
	return p && p->name && p->settable ? p : NULL;
}

static const struct device_property *find_property(const struct device_class *class, const char *name)
{
	const struct device_property *p = find_in(class->properties, name);

	return p || !class->on ? p : find_in(class->on->properties, name);
}

/* As QEMU writes them. */
static bool parse_bool(const char *text, bool *value)
{
	*value = !strcmp(text, "on") || !strcmp(text, "yes") || !strcmp(text, "true") || !strcmp(text, "y");
	return *value || !strcmp(text, "off") || !strcmp(text, "no") || !strcmp(text, "false") || !strcmp(text, "n");
}

static bool parse_u32(const char *text, uint32_t *value)
{
	char *end;
	unsigned long v = strtoul(text, &end, 0);

	*value = (uint32_t)v;
	return *text >= '0' && *text <= '9' && !*end && v <= UINT32_MAX;
}

static void *property_at(const struct device *dev, const struct device_property *p)
{
	return (uint8_t *)(uintptr_t)dev + p->offset;
}

static bool set_property(struct device *dev, const struct device_property *p, const char *text, struct error *err)
{
	static const char *const expected[] = { [PROPERTY_BOOL] = "on or off", [PROPERTY_U32] = "a number of 32 bits" };
	void *at = property_at(dev, p);
	bool ok = true;

	if (p->type == PROPERTY_BOOL)
		ok = parse_bool(text, at);
	else if (p->type == PROPERTY_U32)
		ok = parse_u32(text, at);
	else
		*(const char **)at = text;
	if (!ok)
		error_usage(err, "-device %s: %s=%.60s: not %s", dev->class->name, p->name, text, expected[p->type]);
	return ok;
}

static void set_defaults(struct device *dev, const struct device_property *p)
{
	for (; p && p->name; p++) {
		if (p->type == PROPERTY_BOOL)
			*(bool *)property_at(dev, p) = p->value;
		else if (p->type == PROPERTY_U32)
			*(uint32_t *)property_at(dev, p) = p->value;
	}
}

/* "NAME=VALUE", which is cut. */
static bool set_item(struct device *dev, char *item, struct error *err)
{
	char *value = strchr(item, '=');
	const struct device_property *p;

	if (!value) {
		error_usage(err, "-device %s: '%.60s' is not NAME=VALUE", dev->class->name, item);
		return false;
	}
	*value++ = 0;
	if (!strcmp(item, "id")) {
		dev->id = value;
		return true;
	}
	if (!strcmp(item, "bus") && dev->class->on) {
		dev->bus = value;
		return true;
	}
	p = find_property(dev->class, item);
	if (!p) {
		error_usage(err, "-device %s has no property '%.60s' (-device %s,help)", dev->class->name, item, dev->class->name);
		return false;
	}
	return set_property(dev, p, value, err);
}

static bool set_values(struct device *dev, const char *values, struct error *err)
{
	set_defaults(dev, dev->class->properties);
	if (dev->class->on)
		set_defaults(dev, dev->class->on->properties);
	if (!values || !*values)
		return true;
	dev->values = strdup(values);
	if (!dev->values) {
		error_set(err, "out of memory");
		return false;
	}
	for (char *item = dev->values, *next = item; next; item = next) {
		next = strchr(item, ',');
		if (next)
			*next++ = 0;
		if (!set_item(dev, item, err))
			return false;
	}
	return true;
}

uint32_t device_property_u32(const struct device *dev, const char *name, uint32_t otherwise)
{
	const struct device_property *p = find_property(dev->class, name);
	uint32_t value;

	if (!p || p->type != PROPERTY_U32)
		return otherwise;
	memcpy(&value, property_at(dev, p), sizeof value);
	return value;
}

void device_property_text(const struct device *dev, const struct device_property *p, char *buf, size_t size)
{
	const void *at = property_at(dev, p);

	if (p->type == PROPERTY_BOOL)
		snprintf(buf, size, "%s", *(const bool *)at ? "true" : "false");
	else if (p->type == PROPERTY_U32)
		snprintf(buf, size, "%" PRIu32 " (0x%" PRIx32 ")", *(const uint32_t *)at, *(const uint32_t *)at);
	else
		snprintf(buf, size, "\"%s\"", *(const char *const *)at ? *(const char *const *)at : "");
}

/* ---- Making and freeing ---- */

unsigned device_once(const struct config *config)
{
	(void)config;
	return 1;
}

/* Is the bus that `bridge` carries called so? "ID.0", or the kind's name if the bridge has no id. */
static bool carries(const struct device *bridge, const struct bus_class *bus, const char *name)
{
	size_t len;

	if (bridge->class->bus != bus)
		return false;
	if (!name || !bridge->id)
		return !name || !strcmp(name, bus->name);
	len = strlen(bridge->id);
	return !strncmp(name, bridge->id, len) && (!name[len] || !strcmp(name + len, ".0"));
}

static struct device *find_bridge(const struct machine *m, const struct bus_class *bus, const char *name)
{
	struct device *dev = m->devices;

	while (dev && !carries(dev, bus, name))
		dev = dev->next;
	return dev;
}

static bool attach(struct device *dev, struct error *err)
{
	const struct bus_class *bus = dev->class->on;

	if (!bus)
		return true;
	if (!dev->bridge)
		dev->bridge = find_bridge(dev->machine, bus, dev->bus);
	if (dev->bridge)
		return dev->attached = bus->attach(dev->bridge, dev, err);
	if (dev->bus)
		error_usage(err, "-device %s: bus=%.60s: there is no such %s", dev->class->name, dev->bus, bus->type);
	else
		error_usage(err, "-device %s: No '%s' bus found, whose adapter goes before it", dev->class->name, bus->type);
	return false;
}

static struct device *alloc_device(struct machine *m, const struct device_class *class, struct error *err)
{
	struct device *dev = calloc(1, class->size);

	if (!dev) {
		error_set(err, "out of memory");
		return NULL;
	}
	dev->class = class;
	dev->machine = m;
	return dev;
}

static void free_device(struct device *dev)
{
	timers_forget(dev);
	if (dev->attached && dev->class->on->detach)
		dev->class->on->detach(dev);
	if (dev->class->free)
		dev->class->free(dev);
	free(dev->values);
	free(dev);
}

/* Its number is the first one that none of its class has. */
static void append_device(struct machine *m, struct device *dev)
{
	struct device **p = &m->devices;

	for (bool taken = true; taken; dev->number += taken) {
		taken = false;
		for (const struct device *other = m->devices; other; other = other->next)
			taken |= other->class == dev->class && other->number == dev->number;
	}
	while (*p)
		p = &(*p)->next;
	*p = dev;
}

static void drop_last(struct machine *m)
{
	struct device **p = &m->devices, *dev;

	while ((*p)->next)
		p = &(*p)->next;
	dev = *p;
	*p = NULL;
	free_device(dev);
}

static struct device *make(struct machine *m, const struct device_class *class, struct device *bridge, const char *values, bool hot, struct error *err)
{
	struct device *dev = alloc_device(m, class, err);

	if (!dev)
		return NULL;
	dev->bridge = bridge;
	dev->part = bridge != NULL;
	dev->asked = values != NULL;
	dev->hot = hot;
	append_device(m, dev);
	if (set_values(dev, values, err) && attach(dev, err) && (!class->init || class->init(dev, err)))
		return dev;
	drop_last(m);
	return NULL;
}

struct device *device_new(struct machine *m, const struct device_class *class, const char *values, struct error *err)
{
	return make(m, class, NULL, values, false, err);
}

static void reset_device(struct device *dev)
{
	if (dev->class->on && dev->class->on->reset)
		dev->class->on->reset(dev);
	if (dev->class->reset)
		dev->class->reset(dev);
}

struct device *device_new_hot(struct machine *m, const struct device_class *class, const char *values, struct error *err)
{
	struct device *dev = make(m, class, NULL, values, true, err);

	for (struct device *d = dev; d; d = d->next)	/* it, and its parts */
		reset_device(d);
	return dev;
}

void device_drop(struct machine *m, struct device *dev)
{
	struct device **p = &m->devices, *part;

	while ((part = bus_next(m, NULL, dev)))
		device_drop(m, part);
	while (*p != dev)
		p = &(*p)->next;
	*p = dev->next;
	free_device(dev);
}

/* What it has taken in hand is let go, by its parts at last. */
static void leave(struct machine *m, struct device *dev)
{
	if (dev->class->settle)
		dev->class->settle(dev);
	if (dev->class->reset)
		dev->class->reset(dev);
	dev->leaves = true;
	for (struct device *part = bus_next(m, NULL, dev); part; part = bus_next(m, part, dev))
		leave(m, part);
}

void device_remove(struct machine *m, struct device *dev)
{
	char *id = dev->id ? strdup(dev->id) : NULL;

	leave(m, dev);
	device_drop(m, dev);
	machine_announce(m, (struct run_event){ .kind = RUN_DEVICE_DELETED, .word = id });
	free(id);
}

struct device *device_find(const struct machine *m, const char *id)
{
	struct device *dev = m->devices;

	while (dev && !(dev->id && !strcmp(dev->id, id)))
		dev = dev->next;
	return dev;
}

struct device *device_new_on(struct device *bridge, const struct device_class *class, const char *values, struct error *err)
{
	return make(bridge->machine, class, bridge, values, bridge->hot, err);
}

bool device_values_ok(const struct device_class *class, const char *values, struct error *err)
{
	struct device *dev = alloc_device(NULL, class, err);
	bool ok = dev && set_values(dev, values, err);

	if (dev)
		free(dev->values);
	free(dev);
	return ok;
}

void devices_free(struct machine *m)
{
	while (m->devices)
		drop_last(m);
}

/* ---- While the guest runs ---- */

device_connector_fn *device_connector(const struct device_class *class)
{
	return class->connector ? class->connector : class->on ? class->on->connector : NULL;
}

bool device_bus_tells(const struct device_class *class) { return class->on && class->on->tell; }

/* Memory that processors reach without asking, and screens, are there from power-on. */
bool device_can_come(const struct device_class *class, struct error *err)
{
	if (class->screen)
		error_set(err, "Device '%s' does not support hotplugging", class->name);
	else if (!device_connector(class) && !device_bus_tells(class))
		error_set(err, "Bus '%s' does not support hotplugging", class->on ? class->on->name : "main-system-bus");
	else
		return true;
	return false;
}

bool device_can_go(const struct machine *m, const struct device *dev, struct error *err)
{
	const struct bus_class *bus = dev->class->on;
	const struct device *guest = bus_next(m, NULL, dev);
	bool (*removable)(const struct device *, struct error *) = bus ? bus->removable : dev->class->removable;

	if (!device_can_come(dev->class, err))
		return false;
	if (guest && !guest->part) {
		error_set(err, "Device '%.60s' carries a bus, and there is something on it", dev->id ? dev->id : dev->class->name);
		return false;
	}
	return !removable || removable(dev, err);
}

/* ---- Asking each ---- */

void devices_reset(struct machine *m)
{
	for (struct device *dev = m->devices; dev; dev = dev->next)
		reset_device(dev);
}

void devices_loaded(struct machine *m, bool foreign)
{
	for (struct device *dev = m->devices; dev; dev = dev->next)
		if (dev->class->loaded)
			dev->class->loaded(dev, foreign);
}

bool devices_keep(struct machine *m, struct error *err)
{
	for (struct device *dev = m->devices; dev; dev = dev->next)
		if (dev->class->keep && !dev->class->keep(dev, err))
			return false;
	return true;
}

void devices_settle(struct machine *m)
{
	for (struct device *dev = m->devices; dev; dev = dev->next)
		if (dev->class->settle)
			dev->class->settle(dev);
}

void devices_endian(struct machine *m, bool big)
{
	for (struct device *dev = m->devices; dev; dev = dev->next)
		if (dev->class->endian)
			dev->class->endian(dev, big);
}

bool devices_qemu_ready(const struct machine *m)
{
	for (const struct device *dev = m->devices; dev; dev = dev->next)
		if (dev->class->qemu_ready && !dev->class->qemu_ready(dev))
			return false;
	return true;
}

bool devices_qemu_can(const struct machine *m, struct error *err)
{
	for (const struct device *dev = m->devices; dev; dev = dev->next)
		if (dev->class->qemu_can && !dev->class->qemu_can(dev, err))
			return false;
	return true;
}

void devices_fdt(struct machine *m, struct tree *tree, bool early)
{
	for (struct device *dev = m->devices; dev; dev = dev->next)
		if (!dev->bridge && dev->class->early == early && dev->class->fdt)
			dev->class->fdt(dev, tree, 0);
}

struct device *device_next(const struct machine *m, const struct device *after, const struct device_class *class)
{
	struct device *dev = after ? after->next : m->devices;

	while (dev && dev->class != class)
		dev = dev->next;
	return dev;
}

struct device *device_next_console(const struct machine *m, const struct device *after)
{
	struct device *dev = after ? after->next : m->devices;

	while (dev && !(dev->class->console && dev->class->console(dev)))
		dev = dev->next;
	return dev;
}

struct device *device_next_screen(const struct machine *m, const struct device *after)
{
	struct device *dev = after ? after->next : m->devices;

	while (dev && !dev->class->screen)
		dev = dev->next;
	return dev;
}

struct device *bus_next(const struct machine *m, const struct device *after, const struct device *bridge)
{
	struct device *dev = after ? after->next : m->devices;

	while (dev && dev->bridge != bridge)
		dev = dev->next;
	return dev;
}
