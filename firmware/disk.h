/* Disks as the firmware sees them: those that a device of the machine has taken, by the names and paths that its tree has
 * for them. Reads and writes are done at once, whatever the device itself is doing. */
#ifndef FIRMWARE_DISK_H
#define FIRMWARE_DISK_H

#include "firmware/state.h"

struct tree;

/* What a call of the client interface pays for a request, as machine/disk/disk.h's model has it by default. */
#define DISK_LATENCY_CYCLES (60 * (CPU_HZ / 1000000))
#define DISK_BYTES_PER_US   2000u

/* The node of a device on the PCI bus or the virtual I/O bus, and its place in SLOF's order. False: it is on neither. */
bool device_node_path(const struct device *dev, char path[BOOT_PATH_MAX], uint64_t *rank);
/* Fills in fw->boot.disk: once the machine's devices are there, and when it starts anew. */
void disks_find(struct machine *m);
/* Looks again who is at its node, and at the medium: both may have changed. False: there is none. */
bool disk_refresh(const struct machine *m, struct boot_disk *disk);
/* By the path of its node, or by its alias, up to `len` bytes of `name`. NULL: none. */
struct boot_disk *disk_named(struct boot *boot, const char *name, size_t len);
/* Bytes that lie within the medium. False: they cannot be written. */
bool disk_write(const struct machine *m, struct boot_disk *disk, uint64_t offset, const void *buf, uint32_t bytes);
unsigned disk_block_size(const struct boot_disk *disk);	/* bytes: 512, or 2048 of a CD */
uint64_t disk_cycles(uint64_t bytes);			/* of the guest's time that a request takes */

/* Nodes of LUNs, device_type of disks. */
void disks_fdt(const struct machine *m, struct tree *t);

#endif
