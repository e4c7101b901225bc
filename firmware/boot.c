/* Booting from disks and networks: the order in which they are tried, and what each disk may have to boot.
 *
 * Order: what has been chosen from the menu; bootindex; then -boot once= or order=; NVRAM's boot-device; all disks, all
 * CDs, a network: that of the first card unless bootindex= says which. What a disk may have, as SLOF finds it: on ISO 9660 the program that \ppc\bootinfo.txt names; a PReP partition with an ELF program; an ELF
 * program from the first byte on. The program is started as a kernel would be, in 32-bit mode. */
#include "firmware/boot.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libfdt.h>

#include "firmware/disk.h"
#include "firmware/netboot.h"
#include "firmware/station.h"
#include "machine/core/config.h"
#include "machine/core/node.h"
#include "machine/disk/drive.h"

#define BOOTINFO "\\ppc\\bootinfo.txt"
#define VALUE_MAX 1024			/* bytes of a variable */

/* ---- Order ---- */

struct order {
	struct place place[BOOT_MAX_PLACES];
	unsigned n;
};

static void order_add(struct order *order, struct place place)
{
	for (unsigned i = 0; i < order->n; i++)
		if (order->place[i].disk == place.disk && order->place[i].net == place.net)
			return;
	if (order->n < BOOT_MAX_PLACES && (place.disk || place.net))
		order->place[order->n++] = place;
}

static void order_disk(struct order *order, struct boot_disk *disk) { order_add(order, (struct place){ .disk = disk }); }
static void order_network(struct order *order, const struct machine *m) { order_add(order, (struct place){ .net = station_first(m) }); }

static void order_kind(struct order *order, struct boot *boot, bool cdrom)
{
	for (unsigned i = 0; i < boot->disks; i++)
		if (boot->disk[i].cdrom == cdrom)
			order_disk(order, &boot->disk[i]);
}

/* The lowest bootindex of those that are not below `from`, and whose it is; UINT32_MAX: nobody's. */
static uint32_t next_indexed(const struct machine *m, uint32_t from, struct place *place)
{
	struct boot *boot = &m->firmware->boot;
	uint32_t lowest = UINT32_MAX;

	for (unsigned i = 0; i < boot->disks; i++)
		if (boot->disk[i].bootindex >= from && boot->disk[i].bootindex < lowest) {
			lowest = boot->disk[i].bootindex;
			*place = (struct place){ .disk = &boot->disk[i] };
		}
	for (struct net *n = m->nets; n; n = n->next)
		if (station_bootindex(n) >= from && station_bootindex(n) < lowest) {
			lowest = station_bootindex(n);
			*place = (struct place){ .net = n };
		}
	return lowest;
}

static void order_indexed(struct order *order, const struct machine *m)
{
	struct place place;

	for (uint32_t at = next_indexed(m, 0, &place); at != UINT32_MAX; at = next_indexed(m, at + 1, &place))
		order_add(order, place);
}

/* QEMU's letters: c disks, d CDs, n a network. */
static void order_letters(struct order *order, const struct machine *m, const char *letters)
{
	for (; letters && *letters; letters++)
		if (*letters == 'n')
			order_network(order, m);
		else if (*letters == 'c' || *letters == 'd')
			order_kind(order, &m->firmware->boot, *letters == 'd');
}

/* Paths and aliases, with blanks between them; what stands behind ':' is not looked at. */
static void order_names(struct order *order, struct boot *boot, const char *names)
{
	while (*(names += strspn(names, " \t"))) {
		size_t len = strcspn(names, " \t"), name = strcspn(names, ": \t");
		struct boot_disk *disk = disk_named(boot, names, name);

		order_disk(order, disk);
		names += len;
	}
}

struct place place_of(const struct machine *m, unsigned number)
{
	struct boot *boot = &m->firmware->boot;
	struct net *n = m->nets;

	if (number < BOOT_MAX_DISKS)
		return (struct place){ .disk = number < boot->disks ? &boot->disk[number] : NULL };
	for (; n && number > BOOT_MAX_DISKS; number--)
		n = n->next;
	return (struct place){ .net = n };
}

static unsigned place_number(const struct machine *m, const struct place *place)
{
	unsigned number = BOOT_MAX_DISKS;

	if (place->disk)
		return (unsigned)(place->disk - m->firmware->boot.disk);
	for (const struct net *n = m->nets; n != place->net; n = n->next)
		number++;
	return number;
}

static void order_make(const struct machine *m, struct order *order)
{
	const struct config *o = m->config;
	struct boot *boot = &m->firmware->boot;
	char buf[VALUE_MAX];
	const char *letters = o->boot_once && m->firmware->starts <= 1 ? o->boot_once : o->boot_order, *names;

	order->n = 0;
	if (m->firmware->menu.first)
		order_add(order, place_of(m, m->firmware->menu.first - 1));
	order_indexed(order, m);
	order_letters(order, m, letters);
	if (o->boot_strict && (letters || order->n))
		return;
	names = environment_find(m, "boot-device", buf, sizeof buf);
	if (names)
		order_names(order, boot, names);
	order_kind(order, boot, false);
	order_kind(order, boot, true);
	order_network(order, m);
}

/* ---- What a disk has ---- */

static bool program_is(const struct volume *v, uint64_t at)
{
	char magic[SELFMAG];

	return volume_read(v, at, magic, SELFMAG) && !memcmp(magic, ELFMAG, SELFMAG);
}

/* The file that the boot script names; "N,\path" means partition N, which is looked for as if it were the whole. */
static bool script_find(struct boot *boot, const struct volume *v, struct extent *found, const char **why)
{
	const char *path = boot->info.path;
	struct extent at;
	uint32_t bytes;
	char *text;

	if (!iso9660_is(v))
		return false;
	*why = "its \\ppc\\bootinfo.txt is not there";
	if (!iso9660_find(v, BOOTINFO, &at))
		return false;
	*why = "its \\ppc\\bootinfo.txt names no program";
	bytes = at.size < BOOTINFO_MAX ? (uint32_t)at.size : BOOTINFO_MAX;
	text = malloc(bytes + 1);
	boot->script = text && volume_read(v, at.start, text, bytes) && bootinfo_parse(text, bytes, &boot->info);
	free(text);
	if (!boot->script)
		return false;
	path += strspn(path, "0123456789,");
	*why = "the program that its \\ppc\\bootinfo.txt names is not there";
	return iso9660_find(v, path, found);
}

/* Why a disk cannot be booted from, or NULL: `found` is where its program lies. */
static const char *program_find(const struct machine *m, struct boot_disk *disk, struct extent *found)
{
	struct boot *boot = &m->firmware->boot;
	const struct volume *v = &disk->volume;
	const char *why = NULL, *none;

	boot->script = false;
	if (!disk_refresh(m, disk))
		return "there is no medium in it";
	if (script_find(boot, v, found, &why)) {
		snprintf(boot->name, sizeof boot->name, "%s:%s", disk->alias, boot->info.path);
		return NULL;
	}
	boot->script = false;
	if (partition_find_prep(v, found, &none)) {
		snprintf(boot->name, sizeof boot->name, "%s:PReP partition", disk->alias);
		return program_is(v, found->start) ? NULL : "its PReP partition holds no ELF program";
	}
	*found = (struct extent){ 0, v->size };
	snprintf(boot->name, sizeof boot->name, "%s", disk->alias);
	return program_is(v, 0) ? NULL : why ? why : none;
}

const char *boot_check(const struct machine *m, struct boot_disk *disk)
{
	struct extent at;

	return program_find(m, disk, &at);
}

uint32_t boot_list(struct machine *m, uint8_t number[BOOT_MENU_MAX])
{
	struct order order;
	uint32_t n = 0;

	order_make(m, &order);
	for (unsigned i = 0; i < order.n && n < BOOT_MENU_MAX; i++) {
		const struct place *place = &order.place[i];

		if (place->net ? place_number(m, place) < BOOT_MAX_PLACES : !boot_check(m, place->disk))
			number[n++] = (uint8_t)place_number(m, place);
	}
	return n;
}

static bool disk_boot(struct machine *m, struct boot_disk *disk, struct error *err)
{
	struct firmware *fw = m->firmware;
	struct extent at;
	const char *why = program_find(m, disk, &at);

	if (why) {
		error_set(err, "%s", why);
		return false;
	}
	fw->kernel = (struct image){ .what = "boot program", .path = fw->boot.name, .fd = -1, .volume = &disk->volume,
				     .start = at.start, .size = at.size };
	if (!kernel_load(m, false, err))
		return false;
	fw->boot.from = disk;
	fw->booted = true;
	return true;
}

bool place_path(const struct place *place, char path[BOOT_PATH_MAX])
{
	uint64_t rank;

	if (place->net)
		return device_node_path(place->net->user, path, &rank);
	memcpy(path, place->disk->path, BOOT_PATH_MAX);
	return true;
}

static bool place_boot(struct machine *m, const struct place *place, struct error *err)
{
	const struct boot_disk *disk = place->disk;
	struct error why;

	if (place->net)
		return netboot(m, place->net, err);
	if (disk_boot(m, place->disk, &why))
		return true;
	error_set(err, "%s (%.40s): %.120s", disk->alias, disk->drive ? disk->drive->id : "no drive", why.msg);
	return false;
}

bool boot_find(struct machine *m, struct error *err)
{
	struct firmware *fw = m->firmware;
	struct error why, all = { .msg = "" };
	struct order order;

	fw->booted = false;
	order_make(m, &order);
	for (unsigned i = fw->boots_failed; i < order.n; i++) {
		size_t len = strlen(all.msg);

		if (place_boot(m, &order.place[i], &why)) {
			fw->boots_failed = i;
			return true;
		}
		snprintf(all.msg + len, sizeof all.msg - len, "%s%.200s", len ? "; " : "", why.msg);
	}
	fw->boots_failed = 0;
	error_set(err, "nothing to boot: %.230s", order.n ? all.msg : "no disk, no CD, no network");
	return false;
}

bool boot_gives_up(struct machine *m)
{
	struct firmware *fw = m->firmware;
	struct order order;

	if (!fw->booted)
		return false;
	order_make(m, &order);
	if (fw->boots_failed + 1 >= order.n)
		return false;
	fw->boots_failed++;
	fw->boot_again = true;
	return true;
}

/* ---- What it finds in the tree ---- */

static void add_options(const struct machine *m, struct tree *t)
{
	int at = node_add(t, 0, "options");
	char buf[VALUE_MAX];
	const char *value;

	node_string(t, at, "auto-boot?", "true");
	node_string(t, at, "real-mode?", "true");
	node_string(t, at, "load-base", "16384");
	for (unsigned i = 0; environment_get(m, i, buf, sizeof buf, &value); i++)
		if (*buf && strlen(buf) < 32 && !strchr(buf, '/'))
			node_string(t, at, buf, value);
}

static void add_chosen(const struct machine *m, struct tree *t)
{
	const struct boot *boot = &m->firmware->boot;
	int at = fdt_path_offset(t->fdt, "/chosen");
	char path[BOOT_PATH_MAX + BOOTINFO_PATH + 2];

	if (at < 0)
		return;
	snprintf(path, sizeof path, "%s%s%s", boot->from->path, boot->script ? ":" : "", boot->script ? boot->info.path : "");
	node_string(t, at, "bootpath", path);
	if (boot->script && *boot->info.args && !fdt_getprop(t->fdt, at, "bootargs", NULL))
		node_string(t, at, "bootargs", boot->info.args);
}

void boot_fdt(struct machine *m, struct tree *t)
{
	const struct boot *boot = &m->firmware->boot;
	int at;

	disks_fdt(m, t);
	add_chosen(m, t);
	at = fdt_path_offset(t->fdt, "/aliases");
	for (unsigned i = boot->disks; at >= 0 && i--;)
		node_string(t, at, boot->disk[i].alias, boot->disk[i].path);
	add_options(m, t);
	node_string(t, node_add(t, 0, "openprom"), "model", "cede," CEDE_VERSION);
}

void boot_hints_fdt(const struct machine *m, struct tree *t, int chosen)
{
	const struct config *o = m->config;
	const char *letters = o->boot_once && m->firmware->starts <= 1 ? o->boot_once : o->boot_order;
	char list[2 * BOOT_MAX_DISKS * BOOT_PATH_MAX] = "", path[BOOT_PATH_MAX];
	size_t len = 0;
	struct place place;

	for (uint32_t at = next_indexed(m, 0, &place); at != UINT32_MAX && len + BOOT_PATH_MAX + 8 < sizeof list; at = next_indexed(m, at + 1, &place))
		if (place_path(&place, path))
			len += (size_t)snprintf(list + len, sizeof list - len, "%s%s", len ? " " : "", path);
	if (len && o->boot_strict)
		strcpy(list + len, " HALT");
	if (len)
		node_string(t, chosen, "qemu,boot-list", list);
	if (letters)
		node_string(t, chosen, "qemu,boot-device", letters);
	if (o->boot_menu)
		node_cell(t, chosen, "qemu,boot-menu", 1);
}
