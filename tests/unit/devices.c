/* Devices and their classes: what each class of the board promises; and, on classes of our own, what those who read them
 * do: making and failing, buses, values, resets, sections, "info qtree". */
#define _GNU_SOURCE
#include <stdarg.h>
#include <sys/mman.h>

#include <libfdt.h>

#include "check.h"
#include "machine/irq/xive.h"
#include "machine/board/devices.h"
#include "machine/core/device.h"
#include "machine/core/clock.h"
#include "machine/core/node.h"
#include "machine/core/tce.h"
#include "machine/core/timers.h"
#include "machine/monitor/monitor.h"
#include "machine/disk/scsi.h"
#include "machine/usb/usb.h"
#include "machine/pci/pci.h"
#include "machine/snapshot/snapshot.h"
#include "machine/snapshot/statehash.h"
#include "rig.h"
#include "savevm/savevm.h"

/* ---- Classes of our own: a bridge, what is on its bus, what notes all that happens to it ---- */

struct toy {
	struct device dev;
	uint64_t ticks;
	uint32_t slot, speed;
	bool loud;
	const char *label;
	struct event tick;
};

static char notes[256];			/* of this test alone */

static void note(const char *fmt, uint32_t n)
{
	size_t len = strlen(notes);

	snprintf(notes + len, sizeof notes - len, fmt, n);
}

static struct toy *toy(const struct device *dev) { return (struct toy *)(uintptr_t)dev; }

static void toy_tick(void *dev) { note("tick%u ", ((struct device *)dev)->number); }

static bool toy_init(struct device *dev, struct error *err)
{
	timer_init(dev, &toy(dev)->tick, "tick", toy_tick);
	note("init%u ", dev->number);
	error_set(err, "toys break");
	return !toy(dev)->loud;
}

static void toy_free(struct device *dev) { note("free%u ", dev->number); }
static void toy_reset(struct device *dev) { note("reset%u ", dev->number); toy(dev)->ticks = 7; }
static void toy_loaded(struct device *dev, bool foreign) { note(foreign ? "foreign%u " : "loaded%u ", dev->number); }

static bool toy_keep(struct device *dev, struct error *err)
{
	note("keep%u ", dev->number);
	error_set(err, "toys are lost");
	return toy(dev)->speed != 99;
}

/* One with a label is connected to it. */
static struct console *toy_console(const struct device *dev) { return (struct console *)(uintptr_t)toy(dev)->label; }

static bool box_attach(struct device *bridge, struct device *dev, struct error *err)
{
	toy(dev)->slot = ++toy(bridge)->slot;
	error_set(err, "the box is full");
	return toy(dev)->slot < 5;
}

static void box_reset(struct device *dev) { note("bus%u ", dev->number); }
static void box_path(const struct device *dev, char *buf, size_t size) { snprintf(buf, size, "box:%u", toy(dev)->slot); }

static const struct device_property box_properties[] = {
	{ .name = "slot", .help = "place in the box", .type = PROPERTY_U32, .offset = offsetof(struct toy, slot) }, { .name = NULL },
};

static const struct bus_class box_bus = {
	.type = "toy-box", .name = "box.0", .properties = box_properties, .attach = box_attach, .reset = box_reset, .path = box_path,
};

static const struct device_class box_class = { .name = "toy-bridge", .help = "a box", .size = sizeof(struct toy), .bus = &box_bus };

static const struct device_property toy_properties[] = {
	{ .name = "loud", .help = "breaks", .type = PROPERTY_BOOL, .settable = true, .offset = offsetof(struct toy, loud) },
	{ .name = "speed", .help = "how fast", .type = PROPERTY_U32, .settable = true, .value = 42, .offset = offsetof(struct toy, speed) },
	{ .name = "label", .help = "what it says", .type = PROPERTY_STRING, .settable = true, .offset = offsetof(struct toy, label) },
	{ .name = NULL },
};

static const struct vmstate toy_state = {
	.name = "toy", .version = 1, .min_version = 1, VMS_OF(struct toy), .fields = VMS_FIELDS(VMS_U64(struct toy, ticks)),
};
static const struct vmstate toy_own_state = {
	.name = "cede/toy", .version = 1, .min_version = 1, VMS_OF(struct toy), .fields = VMS_FIELDS(VMS_U64(struct toy, ticks)),
};
static const struct vmstate toy_part_state = {
	.name = "toy-part", .version = 1, .min_version = 1, VMS_OF(struct toy), .fields = VMS_FIELDS(VMS_U64(struct toy, ticks)),
};
static const struct vmstate toy_cpu_state = {
	.name = "toy-cpu", .version = 1, .min_version = 1, VMS_OF(struct spapr_cpu), .fields = VMS_FIELDS(VMS_U32(struct spapr_cpu, xirr)),
};

static void *toy_cpu(struct device *dev, struct spapr_cpu *const *cpu, unsigned i) { (void)dev; return cpu[i]; }
static uint32_t toy_instance(const struct device *dev, unsigned i) { return 100 * (dev->number + 1) + i; }

static const struct device_section toy_sections[] = {
	{ .state = &toy_part_state, .count = 2, .instance = toy_instance },
	{ .state = &toy_cpu_state, .each_cpu = true, .object = toy_cpu },
	{ .state = NULL },
};

static const struct device_class toy_class = {
	.name = "toy", .help = "a toy", .size = sizeof(struct toy), .on = &box_bus, .pluggable = true, .properties = toy_properties,
	.init = toy_init, .free = toy_free, .console = toy_console, .reset = toy_reset, .loaded = toy_loaded, .keep = toy_keep,
	.state = &toy_state, .own_state = &toy_own_state, .sections = toy_sections,
};

/* The same with nothing but its timer to save. */
static const struct device_class clockwork_class = {
	.name = "clockwork", .help = "a toy", .size = sizeof(struct toy), .on = &box_bus, .init = toy_init,
};

/* ---- The classes of the board ---- */

static bool properties_fit(const struct device_class *class, const struct device_property *p)
{
	static const size_t sizes[] = { [PROPERTY_BOOL] = sizeof(bool), [PROPERTY_U32] = 4, [PROPERTY_STRING] = sizeof(char *) };
	bool ok = true;

	for (; p && p->name; p++)
		ok &= p->help && p->offset >= sizeof(struct device) && p->offset + sizes[p->type] <= class->size;
	return ok;
}

static bool sections_fit(const struct device_class *class)
{
	bool ok = true;

	for (const struct device_section *d = class->sections; d && d->state; d++) {
		ok &= !strncmp(d->state->name, "cede/", 5) == d->own;
		ok &= d->object || d->state->struct_size == class->size;
	}
	ok &= !class->state || strncmp(class->state->name, "cede/", 5);
	return ok && (!class->own_state || !strncmp(class->own_state->name, "cede/", 5));
}

static void test_classes(void)
{
	for (unsigned i = 0; device_classes[i]; i++) {
		const struct device_class *class = device_classes[i];
		bool bridged = !class->on;

		for (unsigned k = 0; k < i; k++) {
			check(strcmp(class->name, device_classes[k]->name), "%s-is-another-than-%s", class->name, device_classes[k]->name);
			bridged |= device_classes[k]->bus == class->on;
		}
		check(class->help && class->size >= sizeof(struct device), "%s-is-described", class->name);
		check(properties_fit(class, class->properties) && (!class->on || properties_fit(class, class->on->properties)),
		      "%s-properties-are-in-its-struct", class->name);
		check(sections_fit(class), "%s-sections", class->name);
		check(bridged, "%s-has-its-bus-made-before-it", class->name);
		check(class->on_board || class->pluggable, "%s-can-be-had", class->name);
		/* A bus without names for devices in snapshots has none in the device tree either. */
		check(!class->on || class->on == &pci_bus || class->on == &scsi_bus || class->on == &usb_bus || !class->on->path || class->node,
		      "%s-has-a-name-on-its-bus", class->name);
	}
}

static void test_board(struct machine *m)
{
	unsigned at = 0, n = 0;
	bool ordered = true, made = true;

	for (unsigned i = 0; device_classes[i]; i++) {
		unsigned have = 0;

		for (struct device *dev = device_next(m, NULL, device_classes[i]); dev; dev = device_next(m, dev, device_classes[i]))
			made &= dev->number == have++ && dev->machine == m && !dev->asked;
		made &= have == (device_classes[i]->on_board ? device_classes[i]->on_board(m->config) : 0);
		n += have;
	}
	for (struct device *dev = m->devices; dev; dev = dev->next, n--) {
		while (ordered && device_classes[at] && (device_classes[at] != dev->class))
			at++;
		ordered &= device_classes[at] != NULL;
	}
	check(made && !n, "the-board-has-what-its-classes-say");
	check(ordered, "in-the-order-of-the-list");
}

/* ---- Making ---- */

static bool refused(struct machine *m, const char *values, const char *why)
{
	struct error err = { .msg = "" };

	return !device_new(m, &toy_class, values, &err) && strstr(err.msg, why);
}

static void test_making(struct machine *m)
{
	struct error err = { .msg = "" };
	struct toy *first, *second;

	check(refused(m, NULL, "No 'toy-box' bus"), "no-bus");
	check(device_new(m, &box_class, NULL, &err) != NULL, "bridge");
	notes[0] = 0;
	first = (struct toy *)device_new(m, &toy_class, NULL, &err);
	second = (struct toy *)device_new(m, &toy_class, "id=two,speed=0x10,label=hello", &err);
	check(first && second && !strcmp(notes, "init0 init1 "), "made");
	check(first->slot == 1 && second->slot == 2 && first->dev.bridge == second->dev.bridge, "addresses-by-order");
	check(first->speed == 42 && !first->label && !first->dev.id && !first->dev.asked, "defaults");
	check(second->speed == 16 && !strcmp(second->label, "hello") && !strcmp(second->dev.id, "two") && second->dev.asked, "values");
	check(device_next_console(m, &first->dev) == &second->dev && !device_next_console(m, &second->dev), "console-of-a-device");
	notes[0] = 0;
	check(refused(m, "loud=on", "toys break") && !strcmp(notes, "init2 free2 "), "what-fails-is-freed");
	check(!device_next(m, &second->dev, &toy_class), "and-not-there");
	check(device_new(m, &toy_class, "", &err) != NULL, "a-third");
	check(refused(m, "", "the box is full"), "no-room");
}

static void test_values(void)
{
	static const struct { const char *values, *why; } bad[] = {
		{ "speed", "NAME=VALUE" }, { "frob=1", "no property 'frob'" }, { "=1", "no property ''" }, { "loud=maybe", "on or off" },
		{ "speed=", "a number" }, { "speed=-1", "a number" }, { "speed=4294967296", "a number" }, { "speed=1x", "a number" },
		{ "speed=99999999999999999999", "a number" }, { "speed=1,", "NAME=VALUE" }, { ",speed=1", "NAME=VALUE" }, { "slot=1", "no property" },
	};
	static const char *const good[] = { "", "speed=4294967295", "loud=off,speed=0", "label=", "label=a=b", "id=x,loud=yes" };
	struct error err;

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		check(!device_values_ok(&toy_class, bad[i].values, &err) && strstr(err.msg, bad[i].why), "refused: '%s'", bad[i].values);
	for (unsigned i = 0; i < ARRAY_SIZE(good); i++)
		check(device_values_ok(&toy_class, good[i], &err), "taken: '%s'", good[i]);
	check(!board_device_ok("toy", &err) && !board_device_ok("spapr-rngs", &err) && !board_device_ok("spapr-rn,id=spapr-rng", &err), "names");
	check(board_device_ok("spapr-rng,id=a,use-kvm=off", &err) && !board_device_ok("spapr-nvram", &err), "pluggable");
}

static void test_help(void)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	bool all = true;

	check(board_device_help("help", f), "help");
	fflush(f);
	for (unsigned i = 0; device_classes[i]; i++)
		all &= strstr(text, device_classes[i]->name) && strstr(text, device_classes[i]->help);
	check(all && !strstr(text, "spapr-rng\", made by") && strstr(text, "made by the board"), "lists-all");
	check(board_device_help("spapr-rng,help", f), "help-of-one");
	fflush(f);
	check(strstr(text, "\n  use-kvm=<bool>") && strstr(text, "(default: off)"), "lists-properties");
	check(!board_device_help("spapr-rng", f) && !board_device_help("frob,help", f) && !board_device_help("spapr-rng,help=1", f), "no-help");
	fclose(f);
	free(text);
}

/* ---- What is asked of all ---- */

static void test_asking(struct machine *m)
{
	struct error err = { .msg = "" };
	struct toy *first = toy(device_next(m, NULL, &toy_class)), *second = toy(device_next(m, &first->dev, &toy_class));

	notes[0] = 0;
	devices_reset(m);
	check(!strcmp(notes, "bus0 reset0 bus1 reset1 bus2 reset2 ") && first->ticks == 7, "reset-by-the-bus-and-by-itself");
	notes[0] = 0;
	devices_loaded(m, false);
	devices_loaded(m, true);
	check(!strcmp(notes, "loaded0 loaded1 loaded2 foreign0 foreign1 foreign2 "), "loaded");
	notes[0] = 0;
	check(devices_keep(m, &err) && !strcmp(notes, "keep0 keep1 keep2 "), "kept");
	second->speed = 99;
	notes[0] = 0;
	check(!devices_keep(m, &err) && !strcmp(err.msg, "toys are lost") && !strcmp(notes, "keep0 keep1 "), "cannot-be-kept");
	second->speed = 16;
}

static void list_toys(struct machine *m, char *text, size_t size)
{
	struct error err;
	struct vms_set set;
	struct vms_ram ram;

	*text = 0;
	if (!snapshot_sections(m, m->cpu, &set, &ram, &err))
		return;
	for (unsigned i = 0; i < set.sections; i++) {
		const struct vms_section *s = &set.section[i];
		size_t len = strlen(text);

		if (strstr(s->name, "toy") || !strcmp(s->name, "spapr_cpu") || !strcmp(s->name, "cede/firmware"))
			snprintf(text + len, size - len, "%s%s %u\n", s->own ? "own " : "", s->name, s->instance);
	}
	snapshot_sections_free(&set, &ram);
}

static void test_sections(struct machine *m)
{
	char text[1024];

	list_toys(m, text, sizeof text);
	if (!check(!strcmp(text, "toy-cpu 0\ntoy-cpu 0\ntoy-cpu 0\nspapr_cpu 0\ntoy-cpu 1\ntoy-cpu 1\ntoy-cpu 1\nspapr_cpu 1\n"
		      "box:1/toy 0\ntoy-part 100\ntoy-part 101\nbox:2/toy 0\ntoy-part 200\ntoy-part 201\nbox:4/toy 0\ntoy-part 300\n"
		      "toy-part 301\nown cede/firmware 0\nown box:1/cede/toy 0\nown box:2/cede/toy 0\nown box:4/cede/toy 0\n"),
	      "sections"))
		printf("(%s)\n", text);
}

static void test_qtree(struct machine *m)
{
	static const char expected[] =
		"  dev: toy-bridge, id \"\"\n    bus: box.0\n      type toy-box\n"
		"      dev: toy, id \"\"\n        slot = 1 (0x1)\n        loud = false\n        speed = 42 (0x2a)\n        label = \"\"\n"
		"      dev: toy, id \"two\"\n        slot = 2 (0x2)\n        loud = false\n        speed = 16 (0x10)\n"
		"        label = \"hello\"\n";
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	qtree_print(m, f);
	fclose(f);
	check(!strncmp(text, "bus: main-system-bus\n  type System\n  dev: ics-spapr, id \"\"\n", 50), "qtree-begins");
	check(strstr(text, expected) != NULL, "qtree-buses");
	check(strstr(text, "dev: spapr-nvram, id \"\"\n        reg = 1895825409 (0x71000001)\n        drive = \"\"\n") != NULL, "qtree-nvram");
	free(text);
}

/* ---- What another hypervisor's snapshot has brought goes with it: with a reboot, and before the next load ---- */

static unsigned idle_sections(struct machine *m)
{
	struct error err;
	struct vms_set set;
	struct vms_ram ram;
	unsigned n = 0;

	if (!snapshot_sections(m, m->cpu, &set, &ram, &err))
		return 0;
	for (unsigned i = 0; i < set.sections; i++)
		if (strstr(set.section[i].name, "cede/xive") || strstr(set.section[i].name, "spapr_iommu"))
			n += set.section[i].state->needed(set.section[i].object);
	snapshot_sections_free(&set, &ram);
	return n;
}

static void test_idle(struct machine *m)
{
	check_eq(idle_sections(m), 0, "nothing-was-loaded");
	m->xive->tctx[1].line = 0x1000;
	check_eq(idle_sections(m), 1, "a-reporting-line-is-saved");
	check(tce_put(tce_find(m, 0x80000000), 0x3ffff000, TCE_READ), "a-dma-window-is-open");
	check_eq(idle_sections(m), 2, "a-window-that-a-guest-uses-is-saved");
	devices_reset(m);
	check_eq(idle_sections(m), 0, "a-reset-forgets-them");
}

/* ---- Timers through a snapshot ---- */

static int saved(struct machine *m)
{
	const struct snapshot_options o = { .quiet = true };
	struct error err;
	int fd = memfd_create("snapshot", 0);

	if (fd < 0 || !snapshot_save_fd(m, fd, &o, &err) || lseek(fd, 0, SEEK_SET))
		check(false, "cannot save: %s", err.msg);
	return fd;
}

static bool load(struct machine *m, int fd, struct error *err)
{
	bool ok;

	machine_clear(m);
	ok = lseek(fd, 0, SEEK_SET) == 0 && snapshot_load_fd(m, fd, err);
	notes[0] = 0;
	return ok;
}

static void add_toys(struct machine *m)
{
	struct error err;

	device_new(m, &box_class, NULL, &err);
	for (unsigned i = 0; i < 2; i++)
		device_new(m, &clockwork_class, NULL, &err);
}

/* Those that are due at that cycle fire, and are noted. */
static bool fires(struct machine *m, uint64_t cycle, const char *who)
{
	notes[0] = 0;
	m->clock.now = cycle;
	clock_fire_due(m);
	return !strcmp(notes, who);
}

static void test_timers(void)
{
	struct rig a, b, other;
	struct toy *first, *second;
	struct error err = { .msg = "" };
	uint64_t now;
	off_t without;
	uint64_t hash;
	int none, some;

	rig_new(&a, "1");
	rig_new(&b, "1");
	rig_new(&other, "1");
	add_toys(a.m);
	add_toys(b.m);
	first = toy(device_next(a.m, NULL, &clockwork_class));
	second = toy(device_next(a.m, &first->dev, &clockwork_class));
	now = a.m->clock.now;
	hash = machine_statehash(a.m);
	without = lseek(none = saved(a.m), 0, SEEK_END);
	event_schedule(a.m, &second->tick, now + 100);
	event_schedule(a.m, &first->tick, now + 100);
	check(machine_statehash(a.m) != hash, "timers-are-in-the-state-hash");
	some = saved(a.m);
	check(lseek(some, 0, SEEK_END) > without, "timers-are-in-the-snapshot");
	event_schedule(b.m, &toy(device_next(b.m, NULL, &clockwork_class))->tick, now + 7);
	check(load(b.m, some, &err), "loads: %s", err.msg);
	check(clock_next_event(b.m) == now + 100 && fires(b.m, now + 99, ""), "not-before");
	check(fires(b.m, now + 100, "tick1 tick0 ") && clock_next_event(b.m) == UINT64_MAX, "in-the-same-order");
	/* What is due and has not fired yet when it is saved does so after the load, at its own cycle. */
	a.m->clock.now = now + 100;
	close(some);
	some = saved(a.m);
	check(load(b.m, some, &err) && clock_next_event(b.m) == now + 100 && fires(b.m, now + 100, "tick1 tick0 "), "due-already");
	check(!load(other.m, some, &err) && strstr(err.msg, "section cede/timers 0: no device here has a timer 'box:2/tick'"), "unknown: %s",
	      err.msg);
	event_cancel(a.m, &first->tick);
	event_cancel(a.m, &second->tick);
	a.m->clock.now = now;
	close(some);
	check(lseek(some = saved(a.m), 0, SEEK_END) == without, "nothing-without-timers");
	event_schedule(b.m, &toy(device_next(b.m, NULL, &clockwork_class))->tick, now + 7);
	check(load(b.m, some, &err) && clock_next_event(b.m) == UINT64_MAX, "and-nothing-left-of-before");
	event_schedule(b.m, &toy(device_next(b.m, NULL, &clockwork_class))->tick, now + 7);
	devices_free(b.m);
	check(clock_next_event(b.m) == UINT64_MAX && !b.m->clock.timers, "go-with-their-device");
	close(none), close(some);
	rig_free(&a), rig_free(&b), rig_free(&other);
}

/* ---- The random number generator ---- */

static void test_rng(struct machine *m)
{
	uint64_t room[2048] = { 0 };
	struct tree t = { .fdt = room };
	struct device *dev;
	const struct device_class *class = NULL;
	struct error err;

	for (unsigned i = 0; device_classes[i]; i++)
		class = strcmp(device_classes[i]->name, "spapr-rng") ? class : device_classes[i];
	dev = device_new(m, class, "", &err);
	check(dev && !device_new(m, class, "", &err) && strstr(err.msg, "only one"), "one-rng");
	check(!device_new(m, class, "use-kvm=on", &err) && strstr(err.msg, "no KVM"), "no-kvm");
	fdt_create_empty_tree(room, sizeof room);
	devices_fdt(m, &t, true);
	devices_fdt(m, &t, false);
	check(!t.err && fdt_path_offset(room, "/ibm,platform-facilities/ibm,random-v1") > 0 &&
	      fdt_node_offset_by_compatible(room, -1, "ibm,random") > 0, "rng-node");
	check(fdt_path_offset(room, "/vdevice/nvram@71000001") > 0 && fdt_path_offset(room, "/interrupt-controller") > 0, "other-nodes");
}

int main(void)
{
	struct rig rig;

	rig_new(&rig, "2");
	test_classes();
	test_board(rig.m);
	test_making(rig.m);
	test_values();
	test_help();
	test_asking(rig.m);
	test_sections(rig.m);
	test_qtree(rig.m);
	test_idle(rig.m);
	test_rng(rig.m);
	notes[0] = 0;
	rig_free(&rig);
	check(!strcmp(notes, "free2 free1 free0 "), "last-made-first-freed");
	test_timers();
	return check_done();
}
