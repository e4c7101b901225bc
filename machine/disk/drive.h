/* Drives: images of disks under the names that -drive and -blockdev give them, and what takes them.
 *
 * A drive is the host's side of a disk. The device that takes it (drive_take()) is the guest's, and does the timing:
 * see disk.h. Drives are made before devices and freed after them. */
#ifndef MACHINE_DISK_DRIVE_H
#define MACHINE_DISK_DRIVE_H

#include "machine/core/device.h"
#include "machine/host/block/block.h"

/* if=: what device the board makes for it. DRIVE_NONE: some -device will name it. */
enum drive_interface { DRIVE_NONE, DRIVE_VIRTIO, DRIVE_SCSI };

/* As the command line says it; in struct config. */
struct drive_config {
	char *text, *made_file, *made_id;	/* what the strings are in; options_free() */
	struct block_options image;
	const char *id;			/* made if it is not given: "virtio0", "scsi0-hd1", "none0".. as QEMU does */
	const char *serial;		/* NULL */
	enum drive_interface interface;
	bool cdrom;			/* media=cdrom; file may be NULL then: no medium */
	unsigned bus, unit, index;	/* if=scsi: its place; UINT_MAX: not given, before the options are finished */
	const char *over;		/* -blockdev file=NODE: whose file it is; NULL */
	bool blockdev;
};

#define DRIVE_UNITS 7u			/* of a bus with if=scsi, as QEMU has them */

/* What "info blockstats" tells: [enum block_op] */
struct drive_stats {
	uint64_t requests[5], bytes[5], failed[5];
	uint64_t cycles[5];		/* of the guest's time */
};

/* What is in a drive, as a snapshot says it: machine/snapshot/media.h. */
enum medium_kind { MEDIUM_UNKNOWN, MEDIUM_NONE, MEDIUM_READ, MEDIUM_WRITTEN };

struct medium {
	uint8_t kind;			/* enum medium_kind */
	uint8_t file[96];		/* for what a load says: where it is cut, it ends */
	uint64_t size;			/* bytes; 0: any */
	uint64_t sum, files, written;	/* struct block_sample */
};

struct drive {
	const char *id;
	const struct drive_config *config;
	struct drive_config *own;	/* it has come while the machine ran: the same. NULL: config is an option's */
	struct block *block;		/* NULL: no medium */
	struct device *user;		/* NULL: nobody has taken it */
	bool removable;			/* its user can do without a medium */
	/* The user's tray, if it has one; else NULL. */
	const bool *tray_open, *tray_locked;
	bool *eject_request;		/* the user tells its guest that somebody wants the medium out */
	struct drive_stats stats;
	struct medium found;		/* that was in it when a snapshot was begun, */
	struct medium medium;		/* and what the snapshot says, while it is written or read */
	struct drive *next;		/* in the order of the command line */
};

/* All that the configuration has. False and err->msg set. */
bool drives_new(struct machine *m, struct error *err);
void drives_free(struct machine *m);
/* The machine is another process's now, with its disks; or it is here again: false, none is taken. err->msg is set. */
bool drives_yield(struct machine *m, struct error *err);
bool drives_resume(struct machine *m, struct error *err);

struct drive *drive_find(const struct machine *m, const char *id);	/* NULL: there is none */
/* For one device alone. NULL and err->msg set: no such drive, it is taken, it has no medium though one must be there. */
struct drive *drive_take(struct machine *m, const char *id, struct device *dev, bool removable, struct error *err);

/* ---- What a monitor does, between quanta; the user hears of it: device_class.drive_changed. False and err->msg set. ---- */

/* Text of a -drive or -blockdev whose device comes later. */
bool drive_add(struct machine *m, const char *text, bool blockdev, struct error *err);
/* One that nobody has taken. */
bool drive_delete(struct machine *m, struct drive *d, struct error *err);
/* Its user goes. While the guest runs a -drive goes with it, as QEMU has it; a -blockdev stays. */
void drive_leave(struct drive *d);
/* By its own name or its user's. NULL: there is none. */
struct drive *drive_of(const struct machine *m, const char *name);
/* `force`: though the guest has locked the tray. */
bool drive_eject(struct drive *d, bool force, struct error *err);
/* Another medium, opened as the first one was but for what is said. format NULL: as its first bytes say. */
bool drive_insert(struct drive *d, const char *file, const char *format, bool readonly, bool force, struct error *err);
bool drive_resize(struct drive *d, uint64_t bytes, struct error *err);
/* What is written from now on goes to the qcow2 image `file`, which is made unless it `exists`. */
bool drive_snapshot(struct drive *d, const char *file, bool exists, struct error *err);

#endif
