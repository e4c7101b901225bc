/* Image files: opened and checked once, so that a wrong file is refused before anything runs;
 * read straight into guest memory at each start. The descriptor stays open: a reboot finds the
 * same file even if its name has gone. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cpu/engine/decode.h"
#include "firmware/boot.h"
#include "firmware/disk.h"
#include "firmware/fdt.h"
#include "firmware/firmware.h"
#include "firmware/netboot.h"
#include "firmware/state.h"
#include "machine/core/config.h"
#include "savevm/error.h"

#define VOLUME_CHUNK (UINT32_C(1) << 20)	/* bytes that a disk is asked for at once */

bool image_open(struct image *image, const char *what, const char *path, struct error *err)
{
	struct stat st;

	image->what = what;
	image->path = path;
	image->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);	/* a FIFO must not block us */
	if (image->fd < 0 || fstat(image->fd, &st) < 0) {
		error_set(err, "cannot open %s '%s': %s", what, path, strerror(errno));
		return false;
	}
	if (!S_ISREG(st.st_mode)) {
		error_set(err, "%s '%s' is not a regular file", what, path);
		return false;
	}
	if (st.st_size <= 0) {
		error_set(err, "%s '%s' is empty", what, path);
		return false;
	}
	image->size = (uint64_t)st.st_size;
	return true;
}

static bool volume_image_read(const struct image *image, uint64_t offset, void *buf, uint64_t len, struct error *err)
{
	for (char *p = buf; len;) {
		uint32_t n = len < VOLUME_CHUNK ? (uint32_t)len : VOLUME_CHUNK;

		if (!volume_read(image->volume, image->start + offset, p, n)) {
			error_set(err, "cannot read %s '%s'", image->what, image->path);
			return false;
		}
		p += n;
		offset += n;
		len -= n;
	}
	return true;
}

bool image_read(const struct image *image, uint64_t offset, void *buf, uint64_t len, struct error *err)
{
	char *p = buf;

	if (image->volume)
		return volume_image_read(image, offset, buf, len, err);
	while (len) {
		/* A single read moves at most 2 GiB. */
		ssize_t n = pread(image->fd, p, len < (1u << 30) ? len : 1u << 30, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			error_set(err, "cannot read %s '%s': %s", image->what, image->path, strerror(errno));
			return false;
		}
		if (n == 0) {
			error_set(err, "%s '%s' is truncated", image->what, image->path);
			return false;
		}
		p += n;
		offset += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return true;
}

/* Where data begins from `from` on, up to `to`. A file system that knows no holes has data everywhere. */
static uint64_t hole_end(const struct image *image, uint64_t from, uint64_t to)
{
	off_t at = lseek(image->fd, (off_t)from, SEEK_DATA);

	if (at < 0)
		return errno == ENXIO ? to : from;
	return (uint64_t)at < to ? (uint64_t)at : to;
}

static uint64_t data_end(const struct image *image, uint64_t from, uint64_t to)
{
	off_t at = from < to ? lseek(image->fd, (off_t)from, SEEK_HOLE) : -1;

	return at > (off_t)from && (uint64_t)at < to ? (uint64_t)at : to;
}

bool image_place(const struct image *image, uint64_t offset, struct ram *ram, uint64_t addr, uint64_t len,
		 struct error *err)
{
	if (!ram_ok(ram, addr, len)) {
		error_set(err, "%s '%s' does not fit into RAM", image->what, image->path);
		return false;
	}
	if (image->volume) {
		ram_written(ram, addr, len);
		return image_read(image, offset, ram->base + addr, len, err);
	}
	if (len && lseek(image->fd, 0, SEEK_END) < (off_t)(offset + len)) {
		error_set(err, "%s '%s' is truncated", image->what, image->path);
		return false;
	}
	ram_written(ram, addr, len);
	/* What is a hole in the file stays one in RAM, which is zero. */
	for (uint64_t end = offset + len; offset < end;) {
		uint64_t data = hole_end(image, offset, end), hole = data_end(image, data, end);

		if (data < hole && !image_read(image, data, ram->base + addr + len - (end - data), hole - data, err))
			return false;
		offset = hole;
	}
	return true;
}

/* Where the last image must end: what 32-bit real mode code can still handle, and below a flat
 * start's device tree. */
static uint64_t image_limit(const struct machine *m)
{
	uint64_t rma = tree_rma_size(m), limit = rma < FW_TREE_TOP ? rma : FW_TREE_TOP;

	return m->firmware->bios.fd >= 0 ? limit - FW_TREE_ROOM : limit;
}

/* Why a file that is not ELF cannot be a flat image either; NULL: it can. A guest that runs into
 * illegal instructions at once shows nothing at all. */
static const char *not_code(const uint8_t *head, size_t len)
{
	uint32_t word = len < 4 ? 0 : (uint32_t)head[0] << 24 | head[1] << 16 | head[2] << 8 | head[3];
	size_t text = 0;

	while (text < len && ((head[text] >= ' ' && head[text] <= '~') || (head[text] >= '\t' && head[text] <= '\r')))
		text++;
	if (text == len)
		return "it is text";
	if (len < 4)
		return "it is shorter than an instruction";
	if (head[0] == 0x1f && head[1] == 0x8b)		/* RFC 1952; also an mulli */
		return "it is compressed by gzip";
	return insn_lookup(word) ? NULL : "its first word is no instruction";
}

static bool flat_load(struct firmware *fw, struct error *err)
{
	uint8_t head[64];
	size_t len = fw->kernel.size < sizeof head ? (size_t)fw->kernel.size : sizeof head;
	const char *why;

	if (!image_read(&fw->kernel, 0, head, len, err))
		return false;
	why = not_code(head, len);
	if (why) {
		error_set(err, "kernel '%.100s': not an ELF file, and no machine code either: %s", fw->kernel.path, why);
		return false;
	}
	fw->segment[0] = (struct segment){ .filesz = fw->kernel.size, .memsz = fw->kernel.size, .addr = KERNEL_LOAD_ADDR };
	fw->segments = 1;
	fw->kernel_addr = fw->entry = KERNEL_LOAD_ADDR;
	fw->kernel_size = fw->kernel.size;
	return true;
}

bool kernel_load(struct machine *m, bool flat, struct error *err)
{
	struct firmware *fw = m->firmware;
	bool elf;

	fw->segments = 0;
	if (!elf_is(&fw->kernel, &elf, err))
		return false;
	if (!elf && !flat) {
		error_set(err, "%s '%s' is no ELF file", fw->kernel.what, fw->kernel.path);
		return false;
	}
	if (!(elf ? elf_load(fw, &m->ram, err) : flat_load(fw, err)))
		return false;
	if (fw->bios.fd >= 0 && fw->kernel_addr < fw->bios.size) {
		error_set(err, "kernel '%s' does not fit: it begins at 0x%llx, where the firmware lies", fw->kernel.path,
			  (unsigned long long)fw->kernel_addr);
		return false;
	}
	if (fw->kernel_size > image_limit(m) || fw->kernel_addr > image_limit(m) - fw->kernel_size) {
		error_set(err, "%s '%s' does not fit: it ends at 0x%llx, images must end below 0x%llx", fw->kernel.what, fw->kernel.path,
			  (unsigned long long)(fw->kernel_addr + fw->kernel_size), (unsigned long long)image_limit(m));
		return false;
	}
	return true;
}

/* Behind the kernel, at the next 64 KiB boundary with at least that much left free: it is page 0x..0000 of the guest
 * with the largest pages, and where QEMU puts it. Linux takes RTAS and its copy of the tree from between there and
 * FW_CLIENT_TOP: an initrd that leaves no room lies above that, where Linux does not mind it. */
static bool initrd_load(struct machine *m, struct firmware *fw, struct error *err)
{
	uint64_t limit = image_limit(m), behind = (fw->kernel_addr + fw->kernel_size + 0x1ffff) & ~UINT64_C(0xffff);
	uint64_t low_end = (limit < FW_CLIENT_TOP ? limit : FW_CLIENT_TOP) - FW_CLIENT_ROOM;
	uint64_t high = behind > FW_CLIENT_TOP ? behind : FW_CLIENT_TOP;
	uint64_t low_room = behind < low_end ? low_end - behind : 0, high_room = high < limit ? limit - high : 0;

	fw->initrd_addr = fw->initrd.size <= low_room ? behind : high;
	if (fw->initrd.size > low_room && fw->initrd.size > high_room) {
		error_set(err, "initrd '%s' does not fit: %llu bytes, and with this kernel and %llu MiB of RAM there is room for %llu",
			  fw->initrd.path, (unsigned long long)fw->initrd.size, (unsigned long long)(m->ram.size >> 20),
			  (unsigned long long)(low_room > high_room ? low_room : high_room));
		return false;
	}
	return true;
}

static bool files_load(struct machine *m, struct firmware *fw, const struct config *o, struct error *err)
{
	if (!o->kernel && !o->bios && !o->loadvm && !o->incoming && !fw->boot.disks && !netboot_possible(m)) {
		error_set(err, "nothing to boot: give -kernel FILE, -bios FILE a disk (-drive file=FILE,if=virtio) or a network (-nic user,tftp=FOLDER,bootfile=FILE)");
		return false;
	}
	if (o->initrd && !o->kernel) {
		error_set(err, "-initrd '%s' needs -kernel", o->initrd);
		return false;
	}
	if (o->bios) {
		if (!image_open(&fw->bios, "firmware", o->bios, err))
			return false;
		if (fw->bios.size > BIOS_MAX_SIZE) {
			error_set(err, "firmware '%s' is larger than %llu bytes", o->bios,
				  (unsigned long long)BIOS_MAX_SIZE);
			return false;
		}
	}
	if (o->kernel && !(image_open(&fw->kernel, "kernel", o->kernel, err) && kernel_load(m, true, err)))
		return false;
	if (o->initrd && !(image_open(&fw->initrd, "initrd", o->initrd, err) && initrd_load(m, fw, err)))
		return false;
	return true;
}

bool firmware_load(struct machine *m, const struct config *o, struct error *err)
{
	struct firmware *fw = calloc(1, sizeof *fw);

	if (!fw) {
		error_set(err, "out of memory");
		return false;
	}
	fw->kernel.fd = fw->initrd.fd = fw->bios.fd = -1;
	m->firmware = fw;
	call_wait_init(m);
	menu_init(m);
	disks_find(m);
	if (files_load(m, fw, o, err))
		return true;
	firmware_free(m);
	return false;
}

static void image_close(struct image *image)
{
	if (image->fd >= 0)
		close(image->fd);
}

void firmware_free(struct machine *m)
{
	struct firmware *fw = m->firmware;

	if (!fw)
		return;
	event_cancel(m, &fw->wake);
	image_close(&fw->kernel);
	image_close(&fw->initrd);
	image_close(&fw->bios);
	netboot_forget(fw);
	free(fw->node);
	free(fw);
	m->firmware = NULL;
	free(m->fdt);
	m->fdt = NULL;
	m->fdt_size = 0;
}
