/* For unit tests: drives with images in files that are gone with the test, and snapshots in memory. Behind rig.h. */
#ifndef TESTS_UNIT_TOY_DISK_H
#define TESTS_UNIT_TOY_DISK_H

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "machine/board/pseries.h"
#include "machine/disk/disk.h"
#include "machine/snapshot/snapshot.h"
#include "savevm/savevm.h"
#include "savevm/stream.h"

struct toy_image {
	char path[40];
	struct drive_config config;
};

__attribute__((unused))
static void toy_image_new(struct toy_image *image, uint64_t size)
{
	int fd;

	strcpy(image->path, "/tmp/cede-unit-disk-XXXXXX");
	fd = mkstemp(image->path);
	if (fd < 0 || ftruncate(fd, (off_t)size)) {
		printf("FAIL no image\n");
		exit(EXIT_FAILURE);
	}
	close(fd);
	image->config = (struct drive_config){ .image = { .file = image->path, .format = "raw", .shared = true } };
}

/* A further drive of the machine's; without a medium if `size` is 0. */
__attribute__((unused))
static struct drive *toy_drive(struct machine *m, struct toy_image *image, const char *id, bool readonly)
{
	struct drive *d = calloc(1, sizeof *d);
	struct error err = { .msg = "" };

	image->config.id = d->id = id;
	image->config.image.readonly = readonly;
	d->config = &image->config;
	d->block = block_open(&image->config.image, &err);
	if (!d->block) {
		printf("FAIL %s\n", err.msg);
		exit(EXIT_FAILURE);
	}
	d->next = m->drives;
	m->drives = d;
	return d;
}

__attribute__((unused))
static void toy_put(const struct toy_image *image, uint64_t at, const void *data, size_t n)
{
	int fd = open(image->path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || pwrite(fd, data, n, (off_t)at) != (ssize_t)n)
		printf("FAIL cannot write the image\n");
	close(fd);
}

__attribute__((unused))
static void toy_get(const struct toy_image *image, uint64_t at, void *data, size_t n)
{
	int fd = open(image->path, O_RDONLY | O_CLOEXEC);

	memset(data, 0xee, n);
	if (fd < 0 || pread(fd, data, n, (off_t)at) != (ssize_t)n)
		printf("FAIL cannot read the image\n");
	close(fd);
}

/* Time passes. */
__attribute__((unused))
static void toy_run_to(struct machine *m, uint64_t cycle)
{
	while (clock_next_event(m) <= cycle) {
		m->clock.now = clock_next_event(m);
		clock_fire_due(m);
	}
	m->clock.now = cycle;
}

/* What a save of the machine holds. NULL: it is refused. */
__attribute__((unused))
static uint8_t *toy_save(struct machine *m, size_t *len, struct error *err)
{
	int fd = memfd_create("snapshot", 0);
	struct vms_set set;
	struct vms_ram ram;
	uint8_t *data = NULL;

	if (snapshot_sections(m, m->cpu, &set, &ram, err) && savevm_write(&set, fd, false, err)) {
		*len = (size_t)lseek(fd, 0, SEEK_END);
		data = malloc(*len + 1);
		if (pread(fd, data, *len, 0) != (ssize_t)*len)
			printf("FAIL cannot read what was saved\n");
	}
	snapshot_sections_free(&set, &ram);
	close(fd);
	return data;
}

__attribute__((unused))
static bool toy_load(struct machine *m, const uint8_t *data, size_t len, struct error *err)
{
	struct stream s;
	struct vms_set set;
	struct vms_ram ram;
	bool ok;

	machine_clear(m);
	if (!snapshot_sections(m, m->cpu, &set, &ram, err) || !stream_open_memory(&s, data, len, err))
		return false;
	ok = savevm_read_stream(&set, &s);
	*err = s.error;
	stream_close(&s);
	snapshot_sections_free(&set, &ram);
	devices_loaded(m, false);
	return ok && timers_restore(m, err);
}

#endif
