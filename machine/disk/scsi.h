/* SCSI targets: a bus of disks and CDs, whatever adapter the guest reaches it by (virtio-scsi, spapr-vscsi).
 *
 * The adapter gives a command and the memory it is about; the target answers at a cycle that disk.h's model gives, or at
 * once. SPC-4, SBC-3, MMC-5 as far as Linux, SLOF, AIX and GRUB ask. */
#ifndef MACHINE_DISK_SCSI_H
#define MACHINE_DISK_SCSI_H

#include "machine/disk/disk.h"

#define SCSI_SENSE_MAX 96u
#define SCSI_CDB_MAX   32u
#define SCSI_DATA_MAX  DISK_MAX_BYTES

enum scsi_status { SCSI_GOOD = 0x00, SCSI_CHECK_CONDITION = 0x02, SCSI_BUSY = 0x08, SCSI_RESERVATION_CONFLICT = 0x18,
		   SCSI_TASK_SET_FULL = 0x28, SCSI_TASK_ABORTED = 0x40 };

struct scsi_address { uint8_t channel, target; uint16_t lun; };

/* First member of the struct of an adapter's command. The adapter makes it; it is scsi_execute()'s until done(). */
struct scsi_command {
	struct scsi_address address;
	uint8_t cdb[SCSI_CDB_MAX];
	uint64_t tag;
	uint32_t out_bytes, in_bytes;	/* room in the guest's memory, to the target and from it */
	/* Results */
	uint8_t status;			/* enum scsi_status */
	uint8_t sense[SCSI_SENSE_MAX];
	uint32_t sense_bytes;
	uint32_t moved;			/* bytes that went to the target or came from it */
	bool absent;			/* nothing is at that address: not even a target that says so */
	struct scsi_command *next;	/* the bus's */
};

/* What an adapter does for its bus. */
struct scsi_adapter {
	/* Bytes of the guest's memory for the command. False: that memory is not there. */
	bool (*take)(struct device *adapter, struct scsi_command *c, uint32_t at, void *buf, uint32_t n);	/* out */
	bool (*give)(struct device *adapter, struct scsi_command *c, uint32_t at, const void *buf, uint32_t n);	/* in */
	void (*done)(struct device *adapter, struct scsi_command *c);	/* the command is the adapter's again, to free */
	/* How an in-flight command is saved: the adapter's struct, whose first member is the command. */
	const struct vmstate *command_state;
	void (*changed)(struct device *adapter, struct scsi_address at, uint8_t asc, uint8_t ascq);	/* medium, size; NULL */
	bool absent_lun0;		/* an address without a target answers INQUIRY with qualifier 0x7f (spapr-vscsi) */
	unsigned max_target, max_lun;
};

/* The kind of bus that adapters carry; -device scsi-hd, scsi-cd are on it. Its adapter's class has `bus = &scsi_bus`, and
 * the adapter's struct begins with what scsi_bus_of() finds. */
extern const struct bus_class scsi_bus;
struct scsi_bus_state {
	const struct scsi_adapter *adapter;
};
/* Where the adapter keeps it: set by the adapter's init(). */
void scsi_bus_init(struct device *adapter, struct scsi_bus_state *bus, const struct scsi_adapter *functions);

/* Ends in done(), now or later. */
void scsi_execute(struct device *adapter, struct scsi_command *c);
/* Those in flight that match: done() with SCSI_TASK_ABORTED. NULL: all at that address. How many. */
unsigned scsi_abort(struct device *adapter, struct scsi_address at, const uint64_t *tag);
void scsi_reset_bus(struct device *adapter);	/* nothing is in flight afterwards, and each target has a unit attention */
/* Is a target there? NULL: no. */
struct device *scsi_find(const struct device *adapter, struct scsi_address at);

extern const struct device_class scsi_hd_class, scsi_cd_class;

#endif
