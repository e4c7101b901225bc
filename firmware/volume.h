/* A range of bytes to look for boot programs in: a disk, or what a test takes for one. Whatever it holds is hostile. */
#ifndef FIRMWARE_VOLUME_H
#define FIRMWARE_VOLUME_H

#include <stdbool.h>
#include <stdint.h>

struct volume {
	/* `bytes` from `offset` on, all within `size`. False: they cannot be read. */
	bool (*read)(void *opaque, uint64_t offset, void *buf, uint32_t bytes);
	void *opaque;
	uint64_t size;			/* bytes */
	uint32_t sector;		/* bytes that partition tables count in */
};

/* Part of a volume, in bytes. */
struct extent {
	uint64_t start, size;
};

static inline bool volume_has(const struct volume *v, uint64_t offset, uint64_t bytes)
{
	return offset <= v->size && bytes <= v->size - offset;
}

static inline bool volume_read(const struct volume *v, uint64_t offset, void *buf, uint32_t bytes)
{
	return volume_has(v, offset, bytes) && v->read(v->opaque, offset, buf, bytes);
}

/* partition.c. Numbers are those of Linux and GRUB, from 1 on; logical ones of an MBR from 5 on. */
bool partition_find(const struct volume *v, unsigned number, struct extent *found);
/* The first one for a PowerPC boot program. False: there is none, and `why` says what is there instead. */
bool partition_find_prep(const struct volume *v, struct extent *found, const char **why);

/* iso9660.c. The file at a path like "\ppc\bootinfo.txt", letters in either case, '/' or '\' between names.
 * False: no ISO 9660, no such file, or it does not lie in one piece. */
bool iso9660_is(const struct volume *v);
bool iso9660_find(const struct volume *v, const char *path, struct extent *found);

/* bootinfo.c. What a CHRP boot script names, its `bytes` being at `text`. False: nothing. */
#define BOOTINFO_MAX  UINT32_C(65536)	/* bytes of a script */
#define BOOTINFO_PATH 256		/* with the NUL */
struct bootinfo {
	char path[BOOTINFO_PATH];	/* of the boot program, on the script's device */
	char args[BOOTINFO_PATH];	/* "": none */
};
bool bootinfo_parse(const char *text, uint32_t bytes, struct bootinfo *info);

#endif
