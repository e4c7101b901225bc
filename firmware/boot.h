/* Booting without -kernel: which disks and networks are tried in which order, and what is started from them. */
#ifndef FIRMWARE_BOOT_H
#define FIRMWARE_BOOT_H

#include "firmware/state.h"

struct tree;
struct vmstate;

/* Where there may be something to boot. */
struct place { struct boot_disk *disk; struct net *net; };	/* one of the two; both NULL: there is no such place */

/* Takes the first boot program that those have, in their order, for the kernel: fw->kernel, segments, entry.
 * False and err->msg says of each why there is none. */
bool boot_find(struct machine *m, struct error *err);
/* The program that was booted gives up. True: there are more places to try, and the machine is to be reset for that. */
bool boot_gives_up(struct machine *m);
/* Why a disk cannot be booted from; NULL: it can, and boot->name is what it boots. */
const char *boot_check(const struct machine *m, struct boot_disk *disk);
/* Disks that can, and networks, which may, in their order, by their numbers; how many. */
uint32_t boot_list(struct machine *m, uint8_t number[BOOT_MENU_MAX]);
/* Disks have the numbers below BOOT_MAX_DISKS, then come networks: those that are there with the same options. */
struct place place_of(const struct machine *m, unsigned number);
bool place_path(const struct place *place, char path[BOOT_PATH_MAX]);	/* of its node. False: it has none */

/* menu.c. Shows the menu and goes on by itself. False: there is none to show, and the machine is to go on at once. */
bool menu_start(struct machine *m);
void menu_init(struct machine *m);
void menu_clear(struct machine *m);	/* before a start */
void menu_loaded(struct machine *m);
extern const struct vmstate menu_state;	/* of struct firmware */

/* Nodes that a boot program looks at: disks, aliases, /options, /openprom, /chosen. */
void boot_fdt(struct machine *m, struct tree *t);
/* In /chosen, for a firmware of the guest's own: what -boot and bootindex ask for, as SLOF has it from QEMU. */
void boot_hints_fdt(const struct machine *m, struct tree *t, int chosen);

/* environment.c: Open Firmware's variables, "name=value" in NVRAM's first partition of type 0x70. */
/* The i-th one, as two strings in buf. False: there are no more. */
bool environment_get(const struct machine *m, unsigned i, char *buf, size_t size, const char **value);
/* NULL: not set, or longer than the buffer. */
const char *environment_find(const struct machine *m, const char *name, char *buf, size_t size);
/* What -prom-env says goes into NVRAM. False and err->msg set: there is no room. */
bool environment_set(struct machine *m, struct error *err);

#endif
