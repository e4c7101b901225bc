/* Between the files of a SCSI bus: what scsi.c keeps for each logical unit, and what disks and CDs answer with. */
#ifndef MACHINE_DISK_SCSI_DEVICE_H
#define MACHINE_DISK_SCSI_DEVICE_H

#include "machine/disk/scsi.h"
#include "savevm/be.h"

#define SCSI_MAX_ZEROES (UINT32_C(0x3fffff) * BLOCK_SECTOR)	/* bytes that one command may make zero, or give up */
#define SCSI_MAX_UNMAPS 255u					/* ranges of an UNMAP */

/* Sense: key << 16 | asc << 8 | ascq. SPC-4, "Sense key and additional sense code". */
enum scsi_sense {
	SENSE_NONE = 0,
	SENSE_NO_MEDIUM = 0x023a00,
	SENSE_TARGET_FAILURE = 0x044400,
	SENSE_LIST_LENGTH = 0x051a00,		/* parameter list length error */
	SENSE_OPCODE = 0x052000,
	SENSE_LBA = 0x052100,
	SENSE_FIELD = 0x052400,			/* invalid field in CDB */
	SENSE_NO_UNIT = 0x052500,
	SENSE_PARAMETER = 0x052600,		/* invalid field in parameter list */
	SENSE_NO_SAVING = 0x053900,
	SENSE_LOCKED = 0x055302,		/* medium removal prevented */
	SENSE_WRITE_PROTECTED = 0x072700,
	SENSE_SPACE = 0x072707,
	SENSE_IO_ERROR = 0x0b0006,
	SENSE_NO_MEMORY_THERE = 0x0b4b00,	/* data phase error */
	ATTENTION_MEDIUM = 0x062800,
	ATTENTION_POWER_ON = 0x062900,
	ATTENTION_BUS_RESET = 0x062902,
	ATTENTION_DEVICE_RESET = 0x062903,
	ATTENTION_CAPACITY = 0x062a09,
};

struct scsi_unit;

/* How a unit takes a command. */
enum scsi_row_flag {
	ROW_MEDIUM = 1,		/* needs a medium */
	ROW_CALM = 2,		/* is taken in spite of a unit attention */
};
struct scsi_row {
	uint8_t opcode, flags;
	void (*run)(struct scsi_unit *u, struct scsi_command *c);
};
#define SCSI_ROWS_END { 0, 0, NULL }

struct scsi_kind {
	uint8_t type;			/* peripheral device type */
	bool removable;
	const char *product;		/* if product= is not given */
	const struct scsi_row *rows;
	/* One mode page as it is now, or which of its bits may be changed. Its bytes with the head of 2; 0: no such page. */
	unsigned (*page)(const struct scsi_unit *u, uint8_t page, bool changeable, uint8_t *buf);
	const uint8_t *pages;		/* in order; ended by 0xff */
	void (*select)(struct scsi_unit *u, const uint8_t *page);	/* takes a page that has passed the check; NULL */
};

/* First member of the struct of each; device_class.size is this. */
struct scsi_unit {
	struct device dev;
	const struct scsi_kind *kind;
	struct scsi_address address;
	uint32_t channel, scsi_id, lun, bootindex;	/* properties; UINT32_MAX: not given */
	uint32_t block_bytes, physical_bytes;
	const char *drive_id, *serial, *vendor, *product, *version;	/* NULL: not given */
	bool share_rw;
	struct disk disk;
	/* What the guest sees. */
	uint32_t attention;		/* enum scsi_sense; 0: none */
	bool write_cache, write_cache_default;
	bool tray_open, tray_locked, media_event, eject_request, media_changed;
};

static inline struct scsi_unit *scsi_unit(struct device *dev) { return (struct scsi_unit *)dev; }

/* ---- How a command ends: each function that runs one calls exactly one of these ---- */

void scsi_finish(struct scsi_unit *u, struct scsi_command *c);	/* GOOD, nothing more to move */
void scsi_fail(struct scsi_unit *u, struct scsi_command *c, enum scsi_sense sense);
void scsi_full(struct scsi_unit *u, struct scsi_command *c);	/* TASK SET FULL: try again */
void scsi_overrun(struct scsi_unit *u, struct scsi_command *c);
/* GOOD, with at most `room` (the allocation length) of n bytes. */
void scsi_answer(struct scsi_unit *u, struct scsi_command *c, const void *buf, uint32_t n, uint32_t room);
/* In flight from now on, until scsi_submit()'s requests have ended. */
void scsi_hold(struct scsi_unit *u, struct scsi_command *c);
void scsi_submit(struct scsi_unit *u, struct scsi_command *c, struct disk_request *r);

/* n bytes from the guest, counted as moved. False: they are not there; the command has failed. */
bool scsi_take(struct scsi_unit *u, struct scsi_command *c, void *buf, uint32_t n);

/* ---- The unit ---- */

bool scsi_has_medium(const struct scsi_unit *u);
uint64_t scsi_blocks(const struct scsi_unit *u);
bool scsi_is_readonly(const struct scsi_unit *u);
void scsi_attend(struct scsi_unit *u, enum scsi_sense attention);	/* unit attention; of two the lower code stays */

/* READ and WRITE of any length: scsi_rw.c. */
void scsi_read(struct scsi_unit *u, struct scsi_command *c);
void scsi_write(struct scsi_unit *u, struct scsi_command *c);
void scsi_flush(struct scsi_unit *u, struct scsi_command *c);
/* To be submitted after a write that is to be on the disk when it ends. NULL: there is no place for both. */
struct disk_request *scsi_flush_behind(struct scsi_unit *u);
void scsi_in_range(struct scsi_unit *u, struct scsi_command *c);	/* VERIFY, SEEK, PRE-FETCH: blocks that are there */
/* First block and how many a CDB of any of its lengths is about. */
void scsi_cdb_range(const uint8_t *cdb, uint64_t *lba, uint64_t *count);
bool scsi_range_ok(const struct scsi_unit *u, uint64_t lba, uint64_t count);

/* INQUIRY, MODE SENSE and what all have: scsi_common.c. */
extern const struct scsi_row scsi_common_rows[];
/* SPC-4's standard INQUIRY data, 36 bytes. */
void scsi_inquiry_data(uint8_t buf[36], uint8_t type, bool removable, const char *vendor, const char *product, const char *version);

/* ---- What both classes share ---- */

bool scsi_unit_init(struct device *dev, const struct scsi_kind *kind, struct error *err);
void scsi_unit_free(struct device *dev);
void scsi_unit_reset(struct device *dev);
void scsi_request_done(struct device *dev, struct disk_request *r);	/* disk.done */
void scsi_unit_changed(struct device *dev, enum scsi_sense attention);	/* and the adapter hears of it */
void scsi_unit_settle(struct device *dev);
bool scsi_unit_qemu_ready(const struct device *dev);
extern const struct vmstate scsi_unit_state, scsi_unit_own_state;

#define SCSI_UNIT_PROPERTIES \
	DISK_PROPERTIES(struct scsi_unit, disk), \
	{ .name = "drive", .help = "id of its -drive", .type = PROPERTY_STRING, .settable = true, \
	  .offset = offsetof(struct scsi_unit, drive_id) }, \
	{ .name = "channel", .help = "channel on the bus", .type = PROPERTY_U32, .settable = true, \
	  .offset = offsetof(struct scsi_unit, channel) }, \
	{ .name = "scsi-id", .help = "target; the first free one if it is not given", .type = PROPERTY_U32, .settable = true, \
	  .offset = offsetof(struct scsi_unit, scsi_id), .value = UINT32_MAX }, \
	{ .name = "lun", .help = "logical unit", .type = PROPERTY_U32, .settable = true, \
	  .offset = offsetof(struct scsi_unit, lun), .value = UINT32_MAX }, \
	{ .name = "bootindex", .help = "place in the order in which firmware tries devices", .type = PROPERTY_U32, .settable = true, \
	  .offset = offsetof(struct scsi_unit, bootindex), .value = UINT32_MAX }, \
	{ .name = "serial", .help = "serial number", .type = PROPERTY_STRING, .settable = true, \
	  .offset = offsetof(struct scsi_unit, serial) }, \
	{ .name = "vendor", .help = "as INQUIRY says it", .type = PROPERTY_STRING, .settable = true, \
	  .offset = offsetof(struct scsi_unit, vendor) }, \
	{ .name = "product", .help = "as INQUIRY says it", .type = PROPERTY_STRING, .settable = true, \
	  .offset = offsetof(struct scsi_unit, product) }, \
	{ .name = "ver", .help = "as INQUIRY says it", .type = PROPERTY_STRING, .settable = true, \
	  .offset = offsetof(struct scsi_unit, version) }, \
	{ .name = "share-rw", .help = "others may write to the drive, too", .type = PROPERTY_BOOL, .settable = true, \
	  .offset = offsetof(struct scsi_unit, share_rw) }

#endif
