/* What all logical units of a SCSI bus are: a drive, its model, a unit attention, a medium; and what of them is saved. */
#include "machine/disk/scsi_device.h"

bool scsi_has_medium(const struct scsi_unit *u)
{
	return u->disk.drive && u->disk.drive->block && !u->tray_open;
}

uint64_t scsi_blocks(const struct scsi_unit *u)
{
	return scsi_has_medium(u) ? block_size(u->disk.drive->block) / u->block_bytes : 0;
}

bool scsi_is_readonly(const struct scsi_unit *u)
{
	return u->kind->removable || (u->disk.drive && u->disk.drive->block && block_is_readonly(u->disk.drive->block));
}

void scsi_attend(struct scsi_unit *u, enum scsi_sense attention)
{
	if (!u->attention || attention < (enum scsi_sense)u->attention)
		u->attention = attention;
}

static bool sizes_ok(const struct scsi_unit *u, struct error *err)
{
	if ((u->block_bytes == 512 || u->block_bytes == 2048 || u->block_bytes == 4096) &&
	    u->physical_bytes >= u->block_bytes && u->physical_bytes <= 65536 && !(u->physical_bytes & (u->physical_bytes - 1)))
		return true;
	error_usage(err, "-device %s: logical_block_size is 512 or 4096, physical_block_size a power of two from there to 65536",
		  u->dev.class->name);
	return false;
}

static bool take_drive(struct scsi_unit *u, struct error *err)
{
	if (!u->drive_id) {
		if (!u->kind->removable)
			error_usage(err, "-device %s wants drive=ID", u->dev.class->name);
		return u->kind->removable;
	}
	u->disk.drive = drive_take(u->dev.machine, u->drive_id, &u->dev, u->kind->removable, err);
	if (!u->disk.drive)
		return false;
	if (u->kind->removable) {
		u->disk.drive->tray_open = &u->tray_open;
		u->disk.drive->tray_locked = &u->tray_locked;
		u->disk.drive->eject_request = &u->eject_request;
	}
	return true;
}

bool scsi_unit_init(struct device *dev, const struct scsi_kind *kind, struct error *err)
{
	struct scsi_unit *u = scsi_unit(dev);

	u->kind = kind;
	if (!sizes_ok(u, err) || !take_drive(u, err))
		return false;
	if (!u->serial && u->disk.drive)
		u->serial = u->disk.drive->config->serial;
	disk_init(&u->disk, dev, u->disk.drive, "disk", scsi_request_done);
	return true;
}

void scsi_unit_free(struct device *dev)
{
	struct disk *disk = &scsi_unit(dev)->disk;

	disk_free(disk);
	if (disk->drive)
		drive_leave(disk->drive);
}

void scsi_unit_reset(struct device *dev)
{
	struct scsi_unit *u = scsi_unit(dev);

	disk_reset(&u->disk);
	u->attention = ATTENTION_POWER_ON;
	u->write_cache = u->write_cache_default;
	u->tray_open = u->tray_locked = u->media_event = u->eject_request = u->media_changed = false;
}

void scsi_unit_changed(struct device *dev, enum scsi_sense attention)
{
	struct scsi_unit *u = scsi_unit(dev);
	const struct scsi_bus_state *bus = dev->bridge->carries;

	scsi_attend(u, attention);
	if (bus->adapter->changed)
		bus->adapter->changed(dev->bridge, u->address, (uint8_t)(attention >> 8), (uint8_t)attention);
}

void scsi_unit_settle(struct device *dev)
{
	disk_settle(&scsi_unit(dev)->disk);
}

bool scsi_unit_qemu_ready(const struct device *dev)
{
	return !((const struct scsi_unit *)dev)->disk.first;
}

/* ---- Snapshots: QEMU's SCSIDevice and SCSIDiskState ----
 *
 * Sense goes to the guest with each command that fails, so none waits here. QEMU keeps requests in flight with the unit,
 * in a form that depends on the adapter; here they are in sections of cede's. */

static uint64_t get_attention(const void *s, unsigned i)
{
	return ((const struct scsi_unit *)s)->attention >> (16 - 8 * i) & 0xff;
}

static bool put_attention(void *s, unsigned i, uint64_t value)
{
	struct scsi_unit *u = s;
	unsigned shift = 16 - 8 * i;

	u->attention = (u->attention & ~(UINT32_C(0xff) << shift)) | (uint32_t)value << shift;
	return true;
}

static bool put_nothing(void *s, unsigned i, uint64_t value)
{
	(void)s;
	(void)i;
	return !value;
}

static const struct vmstate scsi_qdev_state = {
	.name = "SCSIDevice", .version = 1, .min_version = 1, VMS_OF(struct scsi_unit),
	.fields = VMS_FIELDS(
		VMS_CALC_ARRAY("unit_attention", vms_u8, 3, get_attention, put_attention),
		VMS_CONSTANT("sense_is_ua", vms_bool, 0),
		VMS_UNUSED("sense", 96),
		VMS_CONSTANT("sense_len", vms_u32, 0),
		VMS_CALC("requests", vms_u8, NULL, put_nothing),
		VMS_CARRIED(struct scsi_unit, attention, "unit_attention")),
};

const struct vmstate scsi_unit_state = {
	.name = "scsi-disk", .version = 1, .min_version = 1, VMS_OF(struct scsi_unit),
	.fields = VMS_FIELDS(
		VMS_PART("qdev", scsi_qdev_state),
		VMS_BOOL(struct scsi_unit, media_changed),
		VMS_BOOL(struct scsi_unit, media_event),
		VMS_BOOL(struct scsi_unit, eject_request),
		VMS_BOOL(struct scsi_unit, tray_open),
		VMS_BOOL(struct scsi_unit, tray_locked)),
};

const struct vmstate scsi_unit_own_state = {
	.name = "cede/scsi-disk", .version = 1, .min_version = 1, VMS_OF(struct scsi_unit),
	.fields = VMS_FIELDS(
		VMS_BOOL(struct scsi_unit, write_cache),
		VMS_STRUCT("disk", struct scsi_unit, disk, struct disk, disk_state),
		VMS_SKIP(struct scsi_unit, dev, "what and where it is"),
		VMS_SKIP(struct scsi_unit, kind, "what it is"),
		VMS_SKIP(struct scsi_unit, address, "an option, or follows from the order of options"),
		VMS_SKIP(struct scsi_unit, channel, "an option"), VMS_SKIP(struct scsi_unit, scsi_id, "an option"),
		VMS_SKIP(struct scsi_unit, lun, "an option"), VMS_SKIP(struct scsi_unit, bootindex, "an option"),
		VMS_SKIP(struct scsi_unit, block_bytes, "an option"), VMS_SKIP(struct scsi_unit, physical_bytes, "an option"),
		VMS_SKIP(struct scsi_unit, drive_id, "an option"), VMS_SKIP(struct scsi_unit, serial, "an option"),
		VMS_SKIP(struct scsi_unit, vendor, "an option"), VMS_SKIP(struct scsi_unit, product, "an option"),
		VMS_SKIP(struct scsi_unit, version, "an option"), VMS_SKIP(struct scsi_unit, share_rw, "an option"),
		VMS_SKIP(struct scsi_unit, write_cache_default, "an option")),
};
