/* Reads devices.def: what the board has, and what -device may ask for. */
#include "machine/board/devices.h"

#include <string.h>

#include "machine/core/config.h"
#include "machine/core/device.h"
#include "machine/disk/drive.h"
#include "machine/net/net.h"

#define DEVICE(name) extern const struct device_class name##_class;
#include "machine/board/devices.def"
#undef DEVICE

const struct device_class *const device_classes[] = {
#define DEVICE(name) &name##_class,
#include "machine/board/devices.def"
#undef DEVICE
	NULL,
};

static bool begins(const char *text, const char *name)
{
	size_t len = strlen(name);

	return strcspn(text, ",") == len && !memcmp(name, text, len);
}

/* The class that begins `text`, up to the first comma; NULL: none. */
static const struct device_class *find_class(const char *text)
{
	for (const struct device_class *const *class = device_classes; *class; class++)
		if (begins(text, (*class)->name) || ((*class)->alias && begins(text, (*class)->alias)))
			return *class;
	return NULL;
}

const struct device_class *board_device_class(const char *text) { return find_class(text); }

static const char *values_of(const char *text)
{
	text += strcspn(text, ",");
	return *text ? text + 1 : text;
}

static bool make_board(struct machine *m, bool early, struct error *err)
{
	for (const struct device_class *const *class = device_classes; *class; class++) {
		unsigned n = (*class)->early == early && (*class)->on_board ? (*class)->on_board(m->config) : 0;

		while (n--)
			if (!device_new(m, *class, NULL, err))
				return false;
	}
	return true;
}

/* As -device would. */
static bool make_device(struct machine *m, const char *text, struct error *err)
{
	return board_device_ok(text, err) && device_new(m, find_class(text), values_of(text), err);
}

/* ---- What drives get that no -device names ---- */

/* 0: no drive is on such a bus. */
static unsigned count_buses(const struct machine *m)
{
	unsigned n = 0;

	for (const struct drive *d = m->drives; d; d = d->next)
		if (d->config->interface == DRIVE_SCSI && d->config->bus >= n)
			n = d->config->bus + 1;
	return n;
}

/* A virtual SCSI adapter for each bus that a drive is on. The first one is the first SCSI bus that there is. */
static bool make_adapters(struct machine *m, struct error *err)
{
	char text[64];

	for (unsigned bus = 0; bus < count_buses(m); bus++) {
		snprintf(text, sizeof text, bus ? "spapr-vscsi,id=scsi.%u" : "spapr-vscsi", bus);
		if (!make_device(m, text, err))
			return false;
	}
	return true;
}

/* `id` has no commas. */
static bool make_disk(struct machine *m, const struct drive *d, struct error *err)
{
	const struct drive_config *c = d->config;
	char text[256];
	int n;

	if (c->interface == DRIVE_VIRTIO) {
		snprintf(text, sizeof text, "virtio-blk-pci,drive=%s", d->id);
	} else {
		n = snprintf(text, sizeof text, "scsi-%s,drive=%s,scsi-id=%u", c->cdrom ? "cd" : "hd", d->id, c->unit);
		if (c->bus)
			snprintf(text + n, sizeof text - (size_t)n, ",bus=scsi.%u", c->bus);
	}
	return make_device(m, text, err);
}

static bool make_disks(struct machine *m, enum drive_interface interface, struct error *err)
{
	for (const struct drive *d = m->drives; d; d = d->next)
		if (d->config->interface == interface && !make_disk(m, d, err))
			return false;
	return true;
}

bool board_boot_order_ok(const struct machine *m, struct error *err)
{
	for (const struct device *a = m->devices; a; a = a->next) {
		uint32_t index = device_property_u32(a, "bootindex", UINT32_MAX);

		for (const struct device *b = index == UINT32_MAX ? NULL : a->next; b; b = b->next)
			/* A unit that a device has made for itself has what that has. */
			if (device_property_u32(b, "bootindex", UINT32_MAX) == index && b->bridge != a) {
				error_usage(err, "-device %s: The bootindex %u has already been used", b->class->name, index);
				return false;
			}
	}
	return true;
}

static bool make_cards(struct machine *m, struct error *err)
{
	for (unsigned i = 0; i < m->config->netdevs; i++)
		if (m->config->netdev[i]->device && !make_device(m, m->config->netdev[i]->device, err))
			return false;
	for (unsigned i = 0; i < m->config->netcards; i++)
		if (!make_device(m, m->config->netcard[i], err))
			return false;
	return true;
}

/* In QEMU's order, so that each device has its place there: cards of -nic and -net, the board's adapters, -device, disks of if=virtio. */
bool board_devices_new(struct machine *m, bool early, struct error *err)
{
	if (!make_board(m, early, err))
		return false;
	if (early)
		return true;
	if (!make_cards(m, err) || !make_adapters(m, err) || !make_disks(m, DRIVE_SCSI, err))
		return false;
	for (unsigned i = 0; i < m->config->devices; i++)
		if (!make_device(m, m->config->device[i], err))
			return false;
	return make_disks(m, DRIVE_VIRTIO, err) && board_boot_order_ok(m, err);
}

bool board_device_ok(const char *text, struct error *err)
{
	const struct device_class *class = find_class(text);
	size_t len = strcspn(text, ",");

	if (!class)
		error_usage(err, "-device: there is no device '%.*s' (-device help)", len < 60 ? (int)len : 60, text);
	else if (!class->pluggable)
		error_usage(err, "-device %s: the board has what it can have of it (-device help)", class->name);
	else
		return device_values_ok(class, values_of(text), err);
	return false;
}

static void list_class(const struct device_class *class, FILE *out)
{
	fprintf(out, "name \"%s\"", class->name);
	if (class->on)
		fprintf(out, ", bus %s", class->on->type);
	if (class->alias)
		fprintf(out, ", alias \"%s\"", class->alias);
	fprintf(out, ", desc \"%s\"%s\n", class->help, class->pluggable ? "" : ", made by the board");
}

static void list_properties(const struct device_property *p, FILE *out)
{
	static const char *const types[] = { [PROPERTY_BOOL] = "bool", [PROPERTY_U32] = "uint32", [PROPERTY_STRING] = "str" };

	for (; p && p->name; p++) {
		fprintf(out, "  %s=<%s> - %s", p->name, types[p->type], p->help);
		if (!p->settable)
			fputs(" (shown only)\n", out);
		else if (p->type == PROPERTY_U32 && p->value == UINT32_MAX)
			fputs(" (default: not given)\n", out);
		else if (p->type == PROPERTY_BOOL)
			fprintf(out, " (default: %s)\n", p->value ? "on" : "off");
		else if (p->type == PROPERTY_U32)
			fprintf(out, " (default: %u)\n", p->value);
		else
			fputc('\n', out);
	}
}

bool board_device_help(const char *text, FILE *out)
{
	const struct device_class *class = find_class(text);

	if (asks_help(text)) {
		for (const struct device_class *const *c = device_classes; *c; c++)
			list_class(*c, out);
		return true;
	}
	if (!class || !asks_help(values_of(text)))
		return false;
	fprintf(out, "%s options:\n  id=<str> - its name\n", class->name);
	if (class->on)
		list_properties(class->on->properties, out);
	list_properties(class->properties, out);
	return true;
}
