/* Non-volatile memory: what RTAS nvram-fetch and nvram-store reach. */
#ifndef MACHINE_NVRAM_H
#define MACHINE_NVRAM_H

#include "machine/vio/vio.h"
#include "savevm/error.h"

#define NVRAM_DEFAULT_SIZE UINT32_C(0x10000)
#define NVRAM_MIN_SIZE     UINT32_C(0x2000)	/* PAPR wants 8 KiB at least */
#define NVRAM_MAX_SIZE     UINT32_C(0x100000)

struct nvram {
	struct vio_device vio;
	uint32_t size;			/* bytes: #bytes of the node */
	uint8_t *data;
	int fd;				/* backing file, -1 none */
};

/* `file` NULL: 64 KiB that last as long as the machine does. A file gives size and contents,
 * and every store goes to it. */
struct nvram *nvram_new(struct machine *m, const char *file, struct error *err);
/* A snapshot has been loaded: its file gets the contents. */
bool nvram_loaded(struct nvram *nvram, struct error *err);
/* False and nothing done if the range leaves the memory (store: or the file refuses). */
bool nvram_fetch(const struct nvram *nvram, uint64_t offset, void *buf, uint64_t len);
bool nvram_store(struct nvram *nvram, uint64_t offset, const void *buf, uint64_t len);

#endif
