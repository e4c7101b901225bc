/* What the firmware keeps; for this folder alone. */
#ifndef FIRMWARE_STATE_H
#define FIRMWARE_STATE_H

#include "machine/core/machine.h"
#include "savevm/error.h"

#define KERNEL_LOAD_ADDR UINT64_C(0x400000)	/* guest real; below it is room for -bios */
#define KERNEL_ADDR_MASK UINT64_C(0x0fffffff)	/* what counts of an ELF file's physical addresses */
#define KERNEL_MAX_SEGMENTS 32
#define BIOS_MAX_SIZE    KERNEL_LOAD_ADDR
#define BOOT_ENTRY       UINT64_C(0x100)		/* of -bios; the client entry lies there without */
#define FW_SIZE          UINT64_C(0x1000)	/* bytes from 0 on that the built-in firmware keeps */
#define FW_STACK         UINT64_C(0x8000)	/* guest real: first stack of the client */
#define FW_STACK_SIZE    UINT64_C(0x8000)
#define FW_TREE_TOP      UINT64_C(0x80000000)	/* a flat start's device tree lies below, as do images */
#define FW_CLIENT_TOP    UINT64_C(0x30000000)	/* Linux as a client takes its first memory from below */
#define FW_CLIENT_ROOM   UINT64_C(0x800000)	/* bytes that it may need there: RTAS, and its copies of the tree */
#define FW_TREE_ROOM     UINT64_C(0x200000)	/* bytes that are the tree's there */

/* ---- Image files: opened and measured once, read at each start ---- */
struct image {
	const char *what;		/* "kernel": for messages */
	const char *path;
	int fd;				/* -1: not given */
	uint64_t size;			/* bytes */
};

struct segment {
	uint64_t offset, filesz;	/* bytes in the file */
	uint64_t addr, memsz;		/* bytes in guest real memory; filesz <= memsz */
};

/* ---- Client interface: plain numbers, so that a snapshot can carry it ---- */
#define CLIENT_MAX_CLAIMS    256
#define CLIENT_MAX_INSTANCES 64

struct claim {
	uint64_t start, size;		/* guest real, bytes */
};

struct client {
	struct claim claim[CLIENT_MAX_CLAIMS];	/* ascending, disjoint */
	uint32_t claims;
	uint32_t instance[CLIENT_MAX_INSTANCES];	/* phandle opened; ihandle is index + 1; 0: closed */
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

	struct client client;
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
/* load_elf.c. elf_load() checks the kernel file and fills segment[], kernel_* and entry. */
bool elf_load(struct firmware *fw, const struct ram *ram, struct error *err);
bool elf_is(const struct image *image, bool *elf, struct error *err);

/* client.c */
bool client_start(struct machine *m, struct error *err);

/* cas.c: the option vectors at `vec`; changes m->fdt. H_* code. */
int64_t cas_negotiate(struct cpu *cpu, uint64_t vec);

#endif
