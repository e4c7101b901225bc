/* Disks as the firmware sees them; see disk.h. Paths and unit addresses are those of QEMU's pseries machine and SLOF, since
 * GRUB and NVRAM keep them. */
#include "firmware/disk.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libfdt.h>

#include "machine/core/node.h"
#include "machine/disk/drive.h"
#include "machine/disk/scsi.h"
#include "machine/pci/pci.h"
#include "machine/vio/vio.h"

#define CD_BLOCK 2048u

/* ---- What there is ---- */

bool device_node_path(const struct device *dev, char path[BOOT_PATH_MAX], uint64_t *rank)
{
	if (dev->class->on == &vio_bus) {
		const struct vio_device *vio = (const struct vio_device *)dev;

		*rank = vio->reg;
		snprintf(path, BOOT_PATH_MAX, "/vdevice/%s@%" PRIx32, dev->class->node, vio->reg);
	} else if (dev->class->on == &pci_bus) {
		const struct pci_device *pci = (const struct pci_device *)dev;

		*rank = (UINT64_C(1) << 32) + pci->devfn;	/* SLOF looks at /vdevice first */
		pci_node_path(pci, path, BOOT_PATH_MAX);
	} else {
		return false;
	}
	return true;
}

/* A LUN's address on the bus of virtual SCSI and of virtio-scsi. */
static uint64_t lun_unit(const struct device *dev)
{
	struct scsi_address address = scsi_address_of(dev);
	uint64_t bus = address.channel, id = address.target, lun = address.lun;

	if (dev->bridge->class->on == &vio_bus)
		return (0x8000 | id << 8 | bus << 5 | lun) << 48;
	return (0x1000000 | id << 16 | lun | (lun >= 256 ? 0x4000 : 0)) << 32;
}

static bool disk_of(struct drive *drive, struct boot_disk *disk)
{
	const struct device *dev = drive->user;
	size_t len;

	*disk = (struct boot_disk){ .drive = drive, .bootindex = device_property_u32(dev, "bootindex", UINT32_MAX) };
	disk->lun = dev->class->on == &scsi_bus;
	disk->sector = device_property_u32(dev, "logical_block_size", BLOCK_SECTOR);
	disk->cdrom = drive->config->cdrom || !strcmp(dev->class->name, "scsi-cd");
	if (disk->sector < BLOCK_SECTOR || disk->sector > CD_BLOCK * 2)
		disk->sector = BLOCK_SECTOR;
	if (!device_node_path(disk->lun ? dev->bridge : dev, disk->path, &disk->rank))
		return false;
	if (disk->lun) {
		disk->unit = lun_unit(dev);
		len = strlen(disk->path);
		snprintf(disk->path + len, BOOT_PATH_MAX - len, "/disk@%" PRIx64, disk->unit);
	}
	return true;
}

static int disk_compare(const void *a, const void *b)
{
	const struct boot_disk *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return x->unit < y->unit ? -1 : x->unit > y->unit;
}

/* "disk", "disk1".., "cdrom", "cdrom1".. */
static void name_disks(struct boot *boot)
{
	unsigned n[2] = { 0, 0 };

	for (unsigned i = 0; i < boot->disks; i++) {
		struct boot_disk *disk = &boot->disk[i];
		unsigned k = n[disk->cdrom]++;

		snprintf(disk->alias, sizeof disk->alias, "%s", disk->cdrom ? "cdrom" : "disk");
		if (k)
			snprintf(disk->alias, sizeof disk->alias, "%s%u", disk->cdrom ? "cdrom" : "disk", k);
	}
}

void disks_find(struct machine *m)
{
	struct boot *boot = &m->firmware->boot;

	boot->disks = 0;
	for (struct drive *drive = m->drives; drive && boot->disks < BOOT_MAX_DISKS; drive = drive->next)
		if (drive->user && disk_of(drive, &boot->disk[boot->disks]))
			boot->disks++;
	qsort(boot->disk, boot->disks, sizeof boot->disk[0], disk_compare);
	name_disks(boot);
}

struct boot_disk *disk_named(struct boot *boot, const char *name, size_t len)
{
	for (unsigned i = 0; i < boot->disks; i++) {
		struct boot_disk *disk = &boot->disk[i];

		if ((strlen(disk->path) == len && !strncmp(disk->path, name, len)) ||
		    (strlen(disk->alias) == len && !strncmp(disk->alias, name, len)))
			return disk;
	}
	return NULL;
}

/* ---- Reading and writing ---- */

static bool read_block(void *opaque, uint64_t offset, void *buf, uint32_t bytes)
{
	return !block_read(opaque, offset, buf, bytes);
}

/* A device that has been taken out has taken its drive with it; another one may have come. */
static struct drive *drive_at(const struct machine *m, const char *path)
{
	struct boot_disk now;
	struct drive *drive = m->drives;

	while (drive && !(drive->user && disk_of(drive, &now) && !strcmp(now.path, path)))
		drive = drive->next;
	return drive;
}

bool disk_refresh(const struct machine *m, struct boot_disk *disk)
{
	struct block *block;

	disk->drive = drive_at(m, disk->path);
	block = disk->drive ? disk->drive->block : NULL;
	disk->volume = (struct volume){ .read = read_block, .opaque = block, .size = block ? block_size(block) : 0, .sector = disk->sector };
	return block;
}

bool disk_write(const struct machine *m, struct boot_disk *disk, uint64_t offset, const void *buf, uint32_t bytes)
{
	return disk_refresh(m, disk) && !disk->cdrom && !block_is_readonly(disk->drive->block) &&
	       volume_has(&disk->volume, offset, bytes) && !block_write(disk->drive->block, offset, buf, bytes);
}

unsigned disk_block_size(const struct boot_disk *disk)
{
	return disk->cdrom ? CD_BLOCK : disk->sector;
}

uint64_t disk_cycles(uint64_t bytes)
{
	return DISK_LATENCY_CYCLES + bytes / DISK_BYTES_PER_US * (CPU_HZ / 1000000);
}

/* ---- In the tree ---- */

/* The library puts a new node before its siblings. */
static void lun_fdt(const struct boot_disk *disk, struct tree *t)
{
	const char *name = strrchr(disk->path, '/');
	int adapter = fdt_path_offset_namelen(t->fdt, disk->path, (int)(name - disk->path)), at;

	if (adapter < 0)
		return;
	if (!fdt_getprop(t->fdt, adapter, "#address-cells", NULL)) {
		node_cell(t, adapter, "#address-cells", 2);
		node_cell(t, adapter, "#size-cells", 0);
	}
	at = node_add(t, adapter, name + 1);
	node_string(t, at, "device_type", "block");
	NODE_CELLS(t, at, "reg", HIGH_LOW(disk->unit));
}

void disks_fdt(const struct machine *m, struct tree *t)
{
	const struct boot *boot = &m->firmware->boot;
	int at;

	for (unsigned i = boot->disks; i--;) {
		const struct boot_disk *disk = &boot->disk[i];

		if (disk->lun) {
			lun_fdt(disk, t);
			continue;
		}
		at = fdt_path_offset(t->fdt, disk->path);
		if (at >= 0)
			node_string(t, at, "device_type", "block");
	}
}
