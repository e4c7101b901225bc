/* The guest's side of a disk: requests that end at a cycle which the model of the disk gives, never when the host is done.
 *
 * A device submits a request at some cycle; the image's thread executes it meanwhile; at the request's due cycle the
 * machine waits for the host, if it has to, and the device completes it: only then does the guest's memory change. Data
 * of a write is copied when it is submitted. So the guest sees the same whatever the host's speed.
 *
 * The model (latency=, in us, default 60; bandwidth=, in MB/s, default 2000) is that of an SSD: a request occupies the
 * disk's channel for bytes / bandwidth, and ends (`due`) `latency` after it has had it. A flush waits for all before it.
 * Giving up or clearing a large part goes by pieces, one each us at most, or the machine would wait long for the host.
 *
 * The guest hears of requests together, as with NVMe's interrupt coalescing: once all in flight have ended, or DISK_BATCH
 * of them, or `coalesce` (us, default 100; 0: at once) after the first. An interrupt costs a guest more instructions than a
 * request does, and time that it idles away costs the host nothing.
 */
#ifndef MACHINE_DISK_DISK_H
#define MACHINE_DISK_DISK_H

#include "machine/core/timers.h"
#include "machine/disk/drive.h"

#define DISK_MAX_REQUESTS 1024	/* in flight, of one disk */
#define DISK_MAX_BYTES (UINT32_C(64) << 20)	/* of one request's data; of those in flight of one disk together, too */
#define DISK_PIECE (UINT64_C(16) << 20)	/* bytes of a DISCARD or ZERO that the host is given at once */
#define DISK_BATCH 16
#define DISK_TAGS 4

struct disk;

/* One request. `tag` is the device's own. */
struct disk_request {
	struct block_request io;	/* data: of disk_submit()'s. What a read has found counts only if io.error is 0 */
	uint64_t due;			/* cycle */
	uint64_t issued;		/* cycle */
	uint64_t tag[DISK_TAGS];	/* the device's: what it must know to complete it, saved with it */
	uint64_t rest;			/* DISCARD, ZERO: bytes behind io's that are still to come */
	uint32_t saved_bytes;		/* of io.data, in a snapshot: a read's that went well */
	bool at_host;			/* the image may not be done with it yet: nobody has asked */
	struct disk_request *next;	/* in the order of `due` */
};

struct disk_model {
	uint32_t latency_us, bandwidth_mb;	/* bandwidth 0: without a bound */
	uint32_t coalesce_us;
};

/* `done` completes a request, which is freed afterwards; it may submit others. The names of properties for a device's
 * table: DISK_PROPERTIES. */
struct disk {
	struct device *dev;
	struct drive *drive;
	struct disk_model model;
	void (*done)(struct device *dev, struct disk_request *request);
	struct event event;
	uint64_t busy_until;		/* cycle at which the channel is free */
	struct disk_request *first;
	uint32_t in_flight;
	uint64_t bytes_in_flight;	/* of data */
};

#define DISK_PROPERTIES(S, disk_) \
	{ .name = "latency", .help = "of a request, in us", .type = PROPERTY_U32, .settable = true, \
	  .offset = offsetof(S, disk_.model.latency_us), .value = 60 }, \
	{ .name = "bandwidth", .help = "of the disk, in MB/s; 0: no bound", .type = PROPERTY_U32, .settable = true, \
	  .offset = offsetof(S, disk_.model.bandwidth_mb), .value = 2000 }, \
	{ .name = "coalesce", .help = "of interrupts, in us; 0: none", .type = PROPERTY_U32, .settable = true, \
	  .offset = offsetof(S, disk_.model.coalesce_us), .value = 100 }

/* In a device's init(), once it has its drive. `name`: of its timer, a constant. */
void disk_init(struct disk *d, struct device *dev, struct drive *drive, const char *name,
	       void (*done)(struct device *dev, struct disk_request *request));
void disk_free(struct disk *d);
/* The device is reset: what is in flight is done on the host and never completed. */
void disk_reset(struct disk *d);
/* device_class.settle: what is in flight is done on the host, and flushed; it still ends when it is due. */
void disk_settle(struct disk *d);

/* A request for `bytes` from `offset` on, with room for data (zero) if it has any. NULL: there are too many, or no memory:
 * the device says so to its guest. It is the caller's until disk_submit(), or disk_request_free(). */
struct disk_request *disk_request_new(struct disk *d, enum block_op op, uint64_t offset, uint64_t bytes);
void disk_request_free(struct disk_request *request);
void disk_submit(struct disk *d, struct disk_request *request);
/* Is taken back: done on the host, never completed, and freed. */
void disk_cancel(struct disk *d, struct disk_request *request);

#define DISK_STATE_BYTES (DISK_MAX_BYTES + DISK_MAX_REQUESTS * UINT64_C(1024))	/* for device_class.state_bytes */
/* In flight at a save: due cycles, tags, and the data of reads. Of struct disk. */
extern const struct vmstate disk_state;

#endif
