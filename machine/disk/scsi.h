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
#define SCSI_COMMANDS_MAX 4096u		/* in flight on a bus */

enum scsi_status { SCSI_GOOD = 0x00, SCSI_CHECK_CONDITION = 0x02, SCSI_BUSY = 0x08, SCSI_RESERVATION_CONFLICT = 0x18,
		   SCSI_TASK_SET_FULL = 0x28, SCSI_TASK_ABORTED = 0x40 };

struct scsi_address { uint8_t channel, target; uint16_t lun; };

/* First member of the struct of an adapter's command. The adapter makes it; it is scsi_execute()'s until done(). */
struct scsi_command {
	struct scsi_address address;
	uint8_t cdb[SCSI_CDB_MAX];	/* zero behind its end */
	uint64_t tag;			/* the initiator's: what scsi_abort() asks for */
	uint32_t out_bytes, in_bytes;	/* room in the guest's memory, to the target and from it */
	/* Results */
	uint8_t status;			/* enum scsi_status */
	uint8_t sense[SCSI_SENSE_MAX];
	uint32_t sense_bytes;
	uint32_t moved;			/* bytes that went to the target or came from it */
	bool absent;			/* nothing is at that address: not even a target that says so */
	bool overrun;			/* it is about more data than there is room for: nothing was done */
	/* The bus's, while it is in flight. */
	uint64_t serial;		/* what its disk requests know it by */
	uint32_t pending;		/* of its disk requests */
	struct scsi_command *next;
};

/* What an adapter does for its bus. */
struct scsi_adapter {
	/* Bytes of the guest's memory for the command. False: that memory is not there. */
	bool (*take)(struct device *adapter, struct scsi_command *c, uint32_t at, void *buf, uint32_t n);	/* out */
	bool (*give)(struct device *adapter, struct scsi_command *c, uint32_t at, const void *buf, uint32_t n);	/* in */
	void (*done)(struct device *adapter, struct scsi_command *c);	/* the command is the adapter's again, to free */
	void (*drop)(struct device *adapter, struct scsi_command *c);	/* the same, and nobody hears of it. NULL: free() */
	void (*changed)(struct device *adapter, struct scsi_address at, uint8_t asc, uint8_t ascq);	/* medium, size; NULL */
	void (*plugged)(struct device *adapter, struct scsi_address at, bool comes);	/* a unit has come, or goes; NULL */
	bool absent_lun0;		/* an address without a target answers INQUIRY with qualifier 0x7f (spapr-vscsi) */
	unsigned max_target, max_lun, max_channel;
};

/* The kind of bus that adapters carry; -device scsi-hd, scsi-cd are on it. Its adapter's class has `bus = &scsi_bus`, and
 * the adapter's struct a scsi_bus_state, anywhere. */
extern const struct bus_class scsi_bus;
struct scsi_bus_state {
	const struct scsi_adapter *adapter;
	uint64_t serial;		/* of the last command */
	struct scsi_command *first;	/* in flight, the oldest first */
	uint32_t in_flight;
};
/* In the adapter's init(): device.carries becomes `bus`. */
void scsi_bus_init(struct device *adapter, struct scsi_bus_state *bus, const struct scsi_adapter *functions);
/* In its free(), and whenever it is reset: what is in flight is dropped; or one of it. */
void scsi_bus_drop(struct device *adapter);
void scsi_drop(struct device *adapter, struct scsi_command *c);

/* Ends in done(), now or later. */
void scsi_execute(struct device *adapter, struct scsi_command *c);
/* Those in flight that match: done() with SCSI_TASK_ABORTED. NULL: all at that address. How many. */
unsigned scsi_abort(struct device *adapter, struct scsi_address at, const uint64_t *tag);
bool scsi_in_flight(const struct device *adapter, struct scsi_address at, const uint64_t *tag);	/* is there one that matches? */
/* All in flight at that address: as scsi_abort(); and the target has a unit attention. */
void scsi_reset_target(struct device *adapter, struct scsi_address at);
void scsi_reset_bus(struct device *adapter);	/* nothing is in flight afterwards, and each target has a unit attention */
/* Is a target there? NULL: no. */
struct device *scsi_find(const struct device *adapter, struct scsi_address at);
/* The target's next logical unit after `after` (NULL: the first one), whatever at.lun says. NULL: no more. */
struct device *scsi_next_unit(const struct device *adapter, const struct device *after, struct scsi_address at);
struct scsi_address scsi_address_of(const struct device *unit);

/* ---- Snapshots: a command's first part; and the bus, whose commands are T, an adapter's struct with a description ---- */

extern const struct vmstate scsi_command_state;

/* An adapter's `static const struct vmstate its_bus = SCSI_BUS_STATE("cede/NAME/bus", struct its_command, its_command_state);`
 * and its row: VMS_STRUCT("bus", struct its_struct, bus, struct scsi_bus_state, its_bus). The description of a command has
 * VMS_STRUCT("scsi", T, scsi, struct scsi_command, scsi_command_state). */
#define SCSI_BUS_STATE(label, T, description) { \
	.name = label, .version = 1, .min_version = 1, VMS_OF(struct scsi_bus_state), .post_load = scsi_bus_loaded, \
	.fields = VMS_FIELDS( \
		VMS_U64(struct scsi_bus_state, serial), \
		{ .name = "commands", .kind = VMS_QUEUE, .offset = offsetof(struct scsi_bus_state, first), \
		  .covers = sizeof(struct scsi_command *), .stride = sizeof(T), .count = SCSI_COMMANDS_MAX, \
		  .state = &description, .next_at = offsetof(struct scsi_command, next) }, \
		VMS_SKIP(struct scsi_bus_state, adapter, "functions"), \
		VMS_SKIP(struct scsi_bus_state, in_flight, "counted in the list")), \
}
bool scsi_bus_loaded(void *bus, uint32_t version, struct vms_walk *w);

extern const struct device_class scsi_hd_class, scsi_cd_class;

#endif
