/* Booting from disks: the order in which they are tried, and what each may have to boot.
 *
 * Order: what has been chosen from the menu; bootindex; then -boot once= or order=; NVRAM's boot-device; all disks, all
 * CDs. A network is the first if a card has the lowest bootindex of all, or by -boot n, and else the last. What each may
 * have, as SLOF finds it: on ISO 9660 the program that \ppc\bootinfo.txt names; a PReP partition with an ELF program; an ELF
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
	struct boot_disk *disk[BOOT_MAX_DISKS];
	unsigned n;
};

static void order_add(struct order *order, struct boot_disk *disk)
{
	for (unsigned i = 0; i < order->n; i++)
		if (order->disk[i] == disk)
			return;
	order->disk[order->n++] = disk;		/* each is there once: there is room */
}

static void order_kind(struct order *order, struct boot *boot, bool cdrom)
{
	for (unsigned i = 0; i < boot->disks; i++)
		if (boot->disk[i].cdrom == cdrom)
			order_add(order, &boot->disk[i]);
}

/* Those with a bootindex, lowest first. */
static void order_indexed(struct order *order, struct boot *boot)
{
	struct boot_disk *next;

	do {
		next = NULL;
		for (unsigned i = 0; i < boot->disks; i++) {
			struct boot_disk *disk = &boot->disk[i];
			bool there = false;

			for (unsigned k = 0; k < order->n; k++)
				there |= order->disk[k] == disk;
			if (!there && disk->bootindex != UINT32_MAX && (!next || disk->bootindex < next->bootindex))
				next = disk;
		}
		if (next)
			order_add(order, next);
	} while (next);
}

/* QEMU's letters: c disks, d CDs. A network (n) is not in this order: network_first(). */
static void order_letters(struct order *order, struct boot *boot, const char *letters)
{
	for (; letters && *letters; letters++)
		if (*letters == 'c' || *letters == 'd')
			order_kind(order, boot, *letters == 'd');
}

/* Paths and aliases, with blanks between them; what stands behind ':' is not looked at. */
static void order_names(struct order *order, struct boot *boot, const char *names)
{
	while (*(names += strspn(names, " \t"))) {
		size_t len = strcspn(names, " \t"), name = strcspn(names, ": \t");
		struct boot_disk *disk = disk_named(boot, names, name);

		if (disk)
			order_add(order, disk);
		names += len;
	}
}

/* The lowest bootindex of those that are not below `from`, disks and cards, and its node; UINT32_MAX: none. */
static uint32_t next_indexed(const struct machine *m, uint32_t from, char path[BOOT_PATH_MAX])
{
	const struct boot *boot = &m->firmware->boot;
	uint32_t lowest = UINT32_MAX;
	uint64_t rank;

	for (unsigned i = 0; i < boot->disks; i++) {
		const struct boot_disk *disk = &boot->disk[i];

		if (disk->bootindex >= from && disk->bootindex < lowest) {
			lowest = disk->bootindex;
			memcpy(path, disk->path, BOOT_PATH_MAX);
		}
	}
	for (const struct net *n = m->nets; n; n = n->next)
		if (station_bootindex(n) >= from && station_bootindex(n) < lowest && device_node_path(n->user, path, &rank))
			lowest = station_bootindex(n);
	return lowest;
}

static void order_make(const struct machine *m, struct order *order)
{
	const struct config *o = m->config;
	struct boot *boot = &m->firmware->boot;
	char buf[VALUE_MAX], path[BOOT_PATH_MAX];
	const char *letters = o->boot_once && m->firmware->starts <= 1 ? o->boot_once : o->boot_order, *names;

	order->n = 0;
	if (m->firmware->menu.first && m->firmware->menu.first <= boot->disks)
		order_add(order, &boot->disk[m->firmware->menu.first - 1]);
	order_indexed(order, boot);
	order_letters(order, boot, letters);
	if (o->boot_strict && (letters || order->n || next_indexed(m, 0, path) != UINT32_MAX))
		return;
	names = environment_find(m, "boot-device", buf, sizeof buf);
	if (names)
		order_names(order, boot, names);
	order_kind(order, boot, false);
	order_kind(order, boot, true);
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

uint32_t boot_list(struct machine *m, uint8_t disk[BOOT_MENU_MAX])
{
	struct boot *boot = &m->firmware->boot;
	struct order order;
	uint32_t n = 0;

	order_make(m, &order);
	for (unsigned i = 0; i < order.n && n < BOOT_MENU_MAX; i++)
		if (!boot_check(m, order.disk[i]))
			disk[n++] = (uint8_t)(order.disk[i] - boot->disk);
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

/* The lowest bootindex is a card's, or -boot n, and nothing else has been chosen from the menu; what else of it comes later. */
static bool network_first(const struct machine *m)
{
	const struct config *o = m->config;
	char path[BOOT_PATH_MAX];
	uint32_t lowest = next_indexed(m, 0, path);
	const char *letters = o->boot_once && m->firmware->starts <= 1 ? o->boot_once : o->boot_order;

	if (m->firmware->menu.first)
		return false;
	for (const struct net *n = lowest == UINT32_MAX ? NULL : m->nets; n; n = n->next)
		if (station_bootindex(n) == lowest)
			return !m->firmware->boots_failed;
	return lowest == UINT32_MAX && letters && *letters == 'n' && !m->firmware->boots_failed;
}

static bool disks_boot(struct machine *m, struct error *err)
{
	struct firmware *fw = m->firmware;
	struct error why, all = { .msg = "" };
	struct order order;

	fw->booted = false;
	order_make(m, &order);
	for (unsigned i = fw->boots_failed; i < order.n; i++) {
		size_t len = strlen(all.msg);

		if (disk_boot(m, order.disk[i], &why)) {
			fw->boots_failed = i;
			return true;
		}
		snprintf(all.msg + len, sizeof all.msg - len, "%s%s (%.40s): %.120s", len ? "; " : "", order.disk[i]->alias,
			 order.disk[i]->drive ? order.disk[i]->drive->id : "no drive", why.msg);
	}
	fw->boots_failed = 0;
	error_set(err, "nothing to boot: %.230s", order.n ? all.msg : "no disk, no CD");
	return false;
}

/* Disks, then CDs, then a network, unless -boot or a bootindex says that it is the first. */
bool boot_find(struct machine *m, struct error *err)
{
	struct error why;
	bool possible = netboot_possible(m), first = possible && network_first(m);

	m->firmware->booted = false;
	if ((first && netboot(m, err)) || (m->firmware->boot.disks && disks_boot(m, first ? &why : err)))
		return true;
	if (possible && !first && netboot(m, m->firmware->boot.disks ? &why : err))
		return true;
	if (!first && !possible && !m->firmware->boot.disks)
		error_set(err, "nothing to boot: no disk, no CD, no network");
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

	for (uint32_t at = next_indexed(m, 0, path); at != UINT32_MAX && len + BOOT_PATH_MAX + 8 < sizeof list; at = next_indexed(m, at + 1, path))
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
