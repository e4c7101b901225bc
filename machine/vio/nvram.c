/* Non-volatile memory: bytes, optionally kept in a file, and the partition headers that a
 * fresh one needs before a guest finds its way in it. PAPR, "NVRAM". */
#define _GNU_SOURCE
#include "machine/vio/nvram.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "machine/core/config.h"
#include "machine/core/node.h"
#include "savevm/place.h"

/* Partition header: signature, checksum, length in 16-byte units (big-endian), name.
 * PAPR, "NVRAM Partitions". */
#define PARTITION_HEADER 16
#define SIGNATURE_COMMON 0x70
#define SIGNATURE_FREE   0x7f
#define COMMON_SIZE      0x800

static void nvram_free(struct device *dev)
{
	struct nvram *nvram = (struct nvram *)dev;

	if (nvram->fd >= 0)
		close(nvram->fd);
	free(nvram->data);
}

static const struct vmstate nvram_state = {
	.name = "spapr_nvram", .version = 1, .min_version = 1, VMS_OF(struct nvram),
	.fields = VMS_FIELDS(
		/* QEMU takes any size, and does not call it "equal". */
		VMS_ONE("size", struct nvram, size, uint32_t, vms_u32, .equal = true, .type = "uint32"),
		VMS_POINTED_BUFFER("buf", struct nvram, data, size, NVRAM_MAX_SIZE),
		VMS_SKIP(struct nvram, fd, "the host's"), VMS_SKIP(struct nvram, file, "an option")),
};

static const struct vmstate nvram_own_state = {
	.name = "cede/nvram", .version = 1, .min_version = 1, VMS_OF(struct nvram),
	.fields = VMS_FIELDS(VMS_STRUCT("vio", struct nvram, vio, struct vio_device, vio_state)),
};

static void format_partition(uint8_t *p, uint8_t signature, const char *name, uint32_t size)
{
	unsigned sum = 0;

	p[0] = signature;
	p[2] = (uint8_t)(size >> 12);
	p[3] = (uint8_t)(size >> 4);
	memcpy(p + 4, name, strlen(name));
	/* One's complement sum of all header bytes but the checksum itself. */
	for (unsigned i = 0; i < PARTITION_HEADER; i++) {
		sum += i == 1 ? 0 : p[i];
		sum = (sum & 0xff) + (sum >> 8);
	}
	p[1] = (uint8_t)sum;
}

static bool nvram_is_blank(const struct nvram *nvram)
{
	for (uint32_t i = 0; i < nvram->size; i++)
		if (nvram->data[i])
			return false;
	return true;
}

static bool read_file(int fd, uint8_t *data, uint32_t size)
{
	for (uint32_t done = 0; done < size;) {
		ssize_t n = pread(fd, data + done, size - done, done);

		if (n == 0)
			errno = ENODATA;	/* somebody has made the file shorter */
		if (n == 0 || (n < 0 && errno != EINTR))
			return false;
		if (n > 0)
			done += (uint32_t)n;
	}
	return true;
}

static bool write_file(int fd, const uint8_t *data, uint64_t len, uint64_t offset)
{
	while (len) {
		ssize_t n = pwrite(fd, data, len, (off_t)offset);

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0) {
			data += n;
			offset += (uint64_t)n;
			len -= (uint64_t)n;
		}
	}
	return true;
}

static bool open_file(struct nvram *nvram, const char *file, struct error *err)
{
	struct error why;
	struct stat st;

	nvram->fd = output_reopen(file, &why);
	if (nvram->fd < 0) {
		error_set(err, "cannot open NVRAM file '%.100s': %.120s", file, why.msg);
		return false;
	}
	if (fstat(nvram->fd, &st) || st.st_size < NVRAM_MIN_SIZE || st.st_size > NVRAM_MAX_SIZE || st.st_size % PARTITION_HEADER) {
		error_set(err, "NVRAM file '%.100s' must have 8 KiB to 1 MiB", file);
		return false;
	}
	nvram->size = (uint32_t)st.st_size;
	return true;
}

/* Writes the partition headers that a guest expects into a fresh NVRAM. */
static bool format_nvram(struct nvram *nvram, struct error *err)
{
	format_partition(nvram->data, SIGNATURE_COMMON, "common", COMMON_SIZE);
	format_partition(nvram->data + COMMON_SIZE, SIGNATURE_FREE, "wwwwwwwwwwww", nvram->size - COMMON_SIZE);
	if (nvram->fd < 0 || write_file(nvram->fd, nvram->data, nvram->size, 0))
		return true;
	error_set(err, "cannot write NVRAM file '%.100s': %s", nvram->file, strerror(errno));
	return false;
}

static bool nvram_init(struct device *dev, struct error *err)
{
	struct nvram *nvram = (struct nvram *)dev;

	nvram->fd = -1;
	nvram->size = NVRAM_DEFAULT_SIZE;
	nvram->file = dev->machine->config->nvram_file;
	if (nvram->file && !open_file(nvram, nvram->file, err))
		return false;
	nvram->data = calloc(1, nvram->size);
	if (!nvram->data) {
		error_set(err, "out of memory");
		return false;
	}
	if (nvram->file && !read_file(nvram->fd, nvram->data, nvram->size)) {
		error_set(err, "cannot read NVRAM file '%.100s': %s", nvram->file, strerror(errno));
		return false;
	}
	return !nvram_is_blank(nvram) || format_nvram(nvram, err);
}

/* After a load the file gets the contents that the snapshot had. */
static bool nvram_keep(struct device *dev, struct error *err)
{
	const struct nvram *nvram = (const struct nvram *)dev;

	if (nvram->fd < 0 || write_file(nvram->fd, nvram->data, nvram->size, 0))
		return true;
	error_set(err, "cannot write the NVRAM's file: %s", strerror(errno));
	return false;
}

static void nvram_fdt(struct device *dev, struct tree *t, int at)
{
	node_cell(t, at, "#bytes", ((const struct nvram *)dev)->size);
}

static const struct device_property nvram_properties[] = {
	{ .name = "drive", .help = "the file that keeps it (-drive if=pflash)", .type = PROPERTY_STRING, .offset = offsetof(struct nvram, file) },
	{ .name = NULL },
};

/* No reset: contents survive a reboot. */
const struct device_class nvram_class = {
	.name = "spapr-nvram", .help = "non-volatile memory", .size = sizeof(struct nvram), .on = &vio_bus,
	.on_board = device_once, .properties = nvram_properties,
	.init = nvram_init, .free = nvram_free, .fdt = nvram_fdt, .keep = nvram_keep,
	.node = "nvram", .device_type = "nvram", .compatible = "qemu,spapr-nvram",
	.state = &nvram_state, .own_state = &nvram_own_state,
};

struct nvram *nvram_find(const struct machine *m)
{
	return (struct nvram *)device_next(m, NULL, &nvram_class);
}

bool nvram_fetch(const struct nvram *nvram, uint64_t offset, void *buf, uint64_t len)
{
	if (offset > nvram->size || len > nvram->size - offset)
		return false;
	if (len)
		memcpy(buf, nvram->data + offset, len);
	return true;
}

bool nvram_store(struct nvram *nvram, uint64_t offset, const void *buf, uint64_t len)
{
	if (offset > nvram->size || len > nvram->size - offset)
		return false;
	if (len)
		memcpy(nvram->data + offset, buf, len);
	return nvram->fd < 0 || write_file(nvram->fd, buf, len, offset);
}
