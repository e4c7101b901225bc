/* What the firmware keeps; for this folder alone. */
#ifndef FIRMWARE_STATE_H
#define FIRMWARE_STATE_H

#include "firmware/volume.h"
#include "machine/core/machine.h"
#include "savevm/error.h"

#define KERNEL_LOAD_ADDR UINT64_C(0x400000)	/* guest real; below it is room for -bios */
#define KERNEL_ADDR_MASK UINT64_C(0x0fffffff)	/* what counts of an ELF file's physical addresses */
#define KERNEL_MAX_SEGMENTS 32
#define BIOS_MAX_SIZE    KERNEL_LOAD_ADDR
#define BOOT_ENTRY       UINT64_C(0x100)		/* of -bios; the client entry lies there without */
#define FW_SIZE          UINT64_C(0x1000)	/* bytes from 0 on that the built-in firmware keeps */
#define FW_TABLE         UINT32_C(0x4000)	/* guest real: lists that a method returns, below FW_STACK */
#define FW_STACK         UINT64_C(0x8000)	/* guest real: first stack of the client */
#define FW_STACK_SIZE    UINT64_C(0x8000)
#define FW_TREE_TOP      UINT64_C(0x80000000)	/* a flat start's device tree lies below, as do images */
#define FW_CLIENT_TOP    UINT64_C(0x30000000)	/* Linux as a client takes its first memory from below */
#define FW_CLIENT_ROOM   UINT64_C(0x800000)	/* bytes that it may need there: RTAS, and its copies of the tree */
#define FW_TREE_ROOM     UINT64_C(0x200000)	/* bytes that are the tree's there */

/* ---- Image files: opened and measured once, read at each start; or part of a disk ---- */
struct image {
	const char *what;		/* "kernel": for messages */
	const char *path;
	int fd;				/* -1: not given, or on a disk */
	const struct volume *volume;	/* that disk; NULL */
	uint64_t start;			/* on it */
	uint64_t size;			/* bytes */
};

struct segment {
	uint64_t offset, filesz;	/* bytes in the file */
	uint64_t addr, memsz;		/* bytes in guest real memory; filesz <= memsz */
};

/* ---- Client interface: plain numbers, so that a snapshot can carry it ---- */
#define CLIENT_MAX_CLAIMS    256
#define CLIENT_MAX_INSTANCES 64
#define CLIENT_MAX_DISKS     16

struct claim {
	uint64_t start, size;		/* guest real, bytes */
};

/* A disk that is open. */
struct client_disk {
	uint32_t ihandle;		/* 0: none is */
	uint32_t disk;			/* index among the disks */
	uint64_t start, size, at;	/* bytes: the part of it that is open; the position there */
};

struct client {
	struct claim claim[CLIENT_MAX_CLAIMS];	/* ascending, disjoint */
	uint32_t claims;
	uint32_t instance[CLIENT_MAX_INSTANCES];	/* phandle opened; ihandle is index + 1; 0: closed */
};

/* ---- Disks, in the order of their aliases. Derived from the machine's devices ---- */
#define BOOT_MAX_DISKS   64
#define BOOT_MAX_PLACES  (BOOT_MAX_DISKS + 16)	/* networks, too */
#define BOOT_PATH_MAX    128		/* bytes, with the NUL */

struct boot_disk {
	struct drive *drive;		/* as disk_refresh() has found it, and no longer than that; NULL: none is there */
	struct volume volume;		/* the medium; size 0: there is none */
	char path[BOOT_PATH_MAX];	/* of its node */
	char alias[16];			/* "disk", "disk1", "cdrom" */
	uint32_t sector;		/* bytes that its partition table counts in; of a CD: BLOCK_SECTOR */
	bool lun;			/* its node is a child of its adapter's */
	bool cdrom;
	uint64_t unit;			/* a LUN's address there */
	uint64_t rank;			/* where it comes in the order: adapter first */
	uint32_t bootindex;		/* UINT32_MAX: none */
};

struct boot {
	struct boot_disk disk[BOOT_MAX_DISKS];
	unsigned disks;
	const struct boot_disk *from;	/* that the last start from a disk has booted from */
	struct bootinfo info;		/* what its boot script said */
	bool script;			/* it had one */
	char name[BOOT_PATH_MAX + BOOTINFO_PATH];	/* of the program: "disk:PReP partition", for messages */
};

/* The boot menu; menu.c. */
#define BOOT_MENU_MAX 35u		/* lines: as many as there are keys */
struct menu {
	uint32_t lines;
	uint8_t place[BOOT_MENU_MAX];	/* each line's number: place_of() */
	uint32_t first;			/* number + 1 of what has been chosen; 0: nothing has */
	uint64_t look_at;		/* cycle of the next look at the keyboard; 0: the menu is not there */
	uint64_t until;			/* cycle at which the first line is taken; UINT64_MAX: the user has all the time */
	struct event look;
};

/* One node of the tree, in the blob's order. Derived. */
struct tree_node {
	int offset;			/* in the blob */
	uint32_t phandle;
	int parent, child, peer;	/* index, -1 none */
};

struct firmware {
	struct image kernel, initrd, bios;
	struct segment segment[KERNEL_MAX_SEGMENTS];
	unsigned segments;
	uint64_t kernel_addr, kernel_size, entry;	/* guest real, bytes, guest real */
	bool kernel_le;
	uint64_t initrd_addr;

	struct volume net_file;		/* what a boot from the network has got: netboot.c; in memory of its own */
	char net_name[264];

	struct boot boot;
	bool booted;			/* from a disk: the client is a boot program, or what one has started */
	bool boot_again;		/* it has given up: the next start is for the disk behind */
	uint32_t boots_failed;		/* of the list of disks and networks: where the present one stands */
	struct menu menu;
	uint32_t starts;		/* since power-on, up to 2: -boot once= is for the first */

	struct client client;
	struct client_disk disk[CLIENT_MAX_DISKS];
	uint64_t wake_at;		/* cycle at which a call's waiting ends; 0: none waits */
	uint32_t sleeper;		/* index of the processor that waits */
	struct event wake;
	uint64_t tree_limit;		/* bytes: largest tree that H_UPDATE_DT takes */

	struct tree_node *node;		/* tree_index() */
	int nodes, node_room;
	bool tree_changed;		/* node[] no longer holds */
};

/* load.c. False and err->msg names the file. */
bool image_open(struct image *image, const char *what, const char *path, struct error *err);
bool image_read(const struct image *image, uint64_t offset, void *buf, uint64_t len, struct error *err);
bool image_place(const struct image *image, uint64_t offset, struct ram *ram, uint64_t addr, uint64_t len,
		 struct error *err);
/* fw->kernel as an ELF file or, if `flat` allows it, a flat image: where it goes. */
bool kernel_load(struct machine *m, bool flat, struct error *err);
/* load_elf.c. elf_load() checks the kernel file and fills segment[], kernel_* and entry. */
bool elf_load(struct firmware *fw, const struct ram *ram, struct error *err);
bool elf_is(const struct image *image, bool *elf, struct error *err);

/* wait.c: the processor that makes the present call does nothing for so many cycles. Once in a call. */
void call_waits(struct cpu *cpu, uint64_t cycles);
void call_wait_init(struct machine *m);

/* client.c */
bool client_start(struct machine *m, struct error *err);

/* cas.c: the option vectors at `vec`; changes m->fdt. H_* code. */
int64_t cas_negotiate(struct cpu *cpu, uint64_t vec);

#endif
