/* Non-volatile memory: what RTAS nvram-fetch and nvram-store reach. */
#ifndef MACHINE_VIO_NVRAM_H
#define MACHINE_VIO_NVRAM_H

#include "machine/vio/vio.h"
#include "savevm/error.h"

#define NVRAM_DEFAULT_SIZE UINT32_C(0x10000)
#define NVRAM_MIN_SIZE     UINT32_C(0x2000)	/* PAPR wants 8 KiB at least */
#define NVRAM_MAX_SIZE     UINT32_C(0x100000)

extern const struct device_class nvram_class;

struct nvram {
	struct vio_device vio;
	uint32_t size;			/* bytes: #bytes of the node */
	uint8_t *data;
	const char *file;		/* -drive if=pflash: gives size and contents, and every store goes to it; NULL: 64 KiB
					 * that last as long as the machine does */
	int fd;				/* it, -1 none */
};

/* NULL: the machine has none. */
struct nvram *nvram_find(const struct machine *m);
/* False and nothing done if the range leaves the memory (store: or the file refuses). */
bool nvram_fetch(const struct nvram *nvram, uint64_t offset, void *buf, uint64_t len);
bool nvram_store(struct nvram *nvram, uint64_t offset, const void *buf, uint64_t len);

#endif
