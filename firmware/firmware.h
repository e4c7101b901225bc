/* Firmware: images into RAM, the first register state, and the Open Firmware client
 * interface that a guest talks to until it says "quiesce".
 *
 * Owns: the image files (read and checked once, kept for reboots), the client's open
 * instances and claims, and the device tree blob in machine.fdt. */
#ifndef FIRMWARE_FIRMWARE_H
#define FIRMWARE_FIRMWARE_H

#include <stdbool.h>
#include <stdint.h>

struct cpu;
struct error;
struct machine;
struct config;
struct vmstate;

/* Reads and checks -kernel, -initrd and -bios. Once, before firmware_start(). */
bool firmware_load(struct machine *m, const struct config *o, struct error *err);

/* At power-on and each reboot, after RAM was cleared and the processors reset: places the images,
 * builds the device tree, sets the boot processor's registers; the others stay stopped. */
bool firmware_start(struct machine *m, struct error *err);

/* A boot program has given up and its reset is for the next disk: not a reboot of the guest's. */
bool firmware_boots_next(const struct machine *m);

void firmware_free(struct machine *m);

/* m->fdt has been replaced or edited from outside this folder (a loaded snapshot). */
void firmware_tree_changed(struct machine *m);

/* A snapshot has been loaded. */
void firmware_loaded(struct machine *m);

/* snapshot.c. The tree, as a part of struct machine's; and of struct firmware, m->firmware. */
extern const struct vmstate spapr_dtb_state, cede_firmware_state;
/* Another hypervisor has saved the guest: finds RTAS by the tree. */
void firmware_adopt(struct machine *m);

/* The processors appear as one of that level: what problem state has, and what a snapshot says. NULL: as what they are. */
struct cpu_level;
void firmware_appear_as(struct machine *m, const struct cpu_level *level);

/* Open Firmware client call: `args` is the real address of the argument array, big-endian cells
 * of 4 bytes. IEEE 1275-1994, 6.3. */
int64_t firmware_client(struct cpu *cpu, uint64_t args);

/* ibm,client-architecture-support for firmware that runs in the guest: in[0] the vector,
 * in[1], in[2] a buffer for the changed tree and its size in bytes. */
int64_t firmware_cas(struct cpu *cpu, const uint64_t *in);

/* in[0]: real address of a device tree blob that replaces the machine's. */
int64_t firmware_update_dt(struct cpu *cpu, const uint64_t *in);

#endif
