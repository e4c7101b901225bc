/* The head around a stream; see layout.h. */
#define _GNU_SOURCE
#include "savevm/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "savevm/be.h"

#define MAGIC   "CEDESNAP"
#define VERSION 1
#define SUM_AT  12
#define NAME_AT 72
#define ENTRY   8			/* bytes of the table for each group */
#define MAX_RAM (UINT64_C(1) << 40)	/* bytes; the table takes 4 MiB then */

static bool layout_fail(struct error *err, const char *why)
{
	error_set(err, "%s", why);
	return false;
}

static bool host_fail(struct error *err, const char *verb)
{
	error_set(err, "cannot %s: %s", verb, strerror(errno));
	return false;
}

/* ---- The head's numbers ---- */

static uint64_t table_size(const struct layout *l)
{
	return (uint64_t)l->groups * ENTRY;
}

static uint32_t sum_of(uint8_t *head, size_t len)
{
	uint32_t (*table)[256] = crc32_new(), sum = 0;

	memset(head + SUM_AT, 0, 4);
	if (table)
		sum = crc32_add(table, 0, head, len);
	free(table);
	return sum;
}

/* ---- Reading ---- */

static bool read_at(int fd, void *data, size_t len, uint64_t at)
{
	uint8_t *p = data;

	while (len) {
		ssize_t n = pread(fd, p, len, (off_t)at);

		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
		at += (uint64_t)n;
	}
	return true;
}

static bool shape_ok(const struct layout *l, const uint8_t *head)
{
	uint64_t table_end = LAYOUT_HEAD + table_size(l);

	if (l->stream_at < table_end || l->stream_at >= l->file_size || !memchr(head + NAME_AT, 0, LAYOUT_NAME))
		return false;
	if (!l->ram_size)
		return !l->groups;
	return l->ram_size <= MAX_RAM && l->ram_size % LAYOUT_GROUP == 0 && l->groups == l->ram_size / LAYOUT_GROUP &&
	       be_get(head + 52, 4) == LAYOUT_GROUP && l->ram_at % LAYOUT_GROUP == 0 && l->ram_at >= table_end &&
	       l->ram_at <= l->stream_at && l->stream_at - l->ram_at == l->ram_size && !head[NAME_AT];
}

static bool read_table(struct layout *l, int fd, uint32_t claimed, struct error *err)
{
	size_t len = LAYOUT_HEAD + (size_t)table_size(l);
	uint8_t *all = malloc(len);
	bool ok = all && read_at(fd, all, len, 0);

	l->group = calloc(l->groups + 1, sizeof *l->group);
	if (!ok || !l->group) {
		free(all);
		return layout_fail(err, "head: cannot be read");
	}
	for (uint32_t i = 0; i < l->groups; i++) {
		l->group[i].sum = (uint32_t)be_get(all + LAYOUT_HEAD + i * ENTRY, 4);
		l->group[i].used = (uint32_t)be_get(all + LAYOUT_HEAD + i * ENTRY + 4, 4);
		ok &= l->group[i].used <= LAYOUT_GROUP / LAYOUT_PAGE;
	}
	l->sum = sum_of(all, len);
	free(all);
	if (l->sum != claimed)
		error_set(err, "head: checksum: expected 0x%08x, found 0x%08x: the file is damaged", (unsigned)claimed, (unsigned)l->sum);
	else if (!ok)
		layout_fail(err, "head: a group has more pages than it can");
	return ok && l->sum == claimed;
}

bool layout_read(struct layout *l, int fd, struct error *err)
{
	uint8_t head[LAYOUT_HEAD];
	struct stat st;

	*l = (struct layout){ .ram_size = 0 };
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || !read_at(fd, head, strlen(MAGIC), 0) || memcmp(head, MAGIC, strlen(MAGIC)))
		return true;
	if (!read_at(fd, head, sizeof head, 0))
		return layout_fail(err, "head: the file ends early");
	if (be_get(head + 8, 4) != VERSION) {
		error_set(err, "head: version: expected %d, found %u", VERSION, (unsigned)be_get(head + 8, 4));
		return false;
	}
	l->file_size = be_get(head + 16, 8);
	l->stream_at = be_get(head + 24, 8);
	l->ram_at = be_get(head + 32, 8);
	l->ram_size = be_get(head + 40, 8);
	l->groups = (uint32_t)be_get(head + 48, 4);
	l->parent_size = be_get(head + 56, 8);
	l->parent_ident = (uint32_t)be_get(head + 64, 4);
	if (l->file_size != (uint64_t)st.st_size) {
		error_set(err, "head: size: expected %llu bytes, found %llu: the file is damaged", (unsigned long long)l->file_size,
			  (unsigned long long)st.st_size);
		return false;
	}
	if (!shape_ok(l, head))
		return layout_fail(err, "head: places that cannot be");
	memcpy(l->parent, head + NAME_AT, LAYOUT_NAME);
	if (stream_is_name(l->parent, strlen(l->parent)) && read_table(l, fd, (uint32_t)be_get(head + SUM_AT, 4), err))
		return true;
	if (!l->group)
		layout_fail(err, "head: a parent's name that is no text");
	layout_free(l);
	return false;
}

void layout_free(struct layout *l)
{
	free(l->group);
	*l = (struct layout){ .ram_size = 0 };
}

bool layout_map_ram(const struct layout *l, int fd, struct vms_ram *ram, struct error *err)
{
	if (l->ram_size != ram->size) {
		error_set(err, "head: size of all memory: expected %llu MiB, found %llu MiB (-m)", (unsigned long long)(ram->size >> 20),
			  (unsigned long long)(l->ram_size >> 20));
		return false;
	}
	for (uint32_t from = 0, to; from < l->groups; from = to) {
		for (to = from; to < l->groups && l->group[to].used; to++)
			;
		if (to > from && !ram->map(ram->opaque, from * (uint64_t)LAYOUT_GROUP, fd, l->ram_at + from * (uint64_t)LAYOUT_GROUP,
					   (to - from) * (uint64_t)LAYOUT_GROUP))
			return host_fail(err, "map memory");
		to += to == from;
	}
	ram->kept = true;
	return true;
}

/* ---- Sums ---- */

static uint32_t add_page(uint32_t (*table)[256], uint32_t sum, uint32_t number, const uint8_t *page)
{
	uint8_t be[4];

	be_put(be, number, 4);
	return crc32_add(table, crc32_add(table, sum, be, sizeof be), page, LAYOUT_PAGE);
}

uint32_t layout_group_sum(uint32_t (*table)[256], const uint8_t *p, uint32_t *used)
{
	uint32_t sum = 0;

	*used = 0;
	for (uint32_t i = 0; i < LAYOUT_GROUP / LAYOUT_PAGE; i++, p += LAYOUT_PAGE)
		if (!vms_page_is_zero(p)) {
			sum = add_page(table, sum, i, p);
			++*used;
		}
	return sum;
}

/* ---- Writing ---- */

static bool write_at(int fd, const void *data, size_t len, uint64_t at, struct error *err)
{
	const uint8_t *p = data;

	if (lseek(fd, (off_t)at, SEEK_SET) < 0)
		return host_fail(err, "write");
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno != EINTR)
			return host_fail(err, "write");
		if (n == 0)
			return layout_fail(err, "cannot write: nothing is taken");
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
	return true;
}

/* Pages that follow each other go in one write, straight from the guest's memory. */
static bool write_group(struct layout *l, uint32_t index, int fd, struct vms_ram *ram, uint32_t (*table)[256], struct error *err)
{
	uint64_t from = index * (uint64_t)LAYOUT_GROUP, run = from, at;
	struct layout_group *g = &l->group[index];

	for (at = from; at < from + LAYOUT_GROUP; at += LAYOUT_PAGE) {
		if (!vms_ram_is_zero(ram, at)) {
			g->sum = add_page(table, g->sum, (uint32_t)((at - from) / LAYOUT_PAGE), ram->base + at);
			g->used++;
			continue;
		}
		if (at > run && !write_at(fd, ram->base + run, at - run, l->ram_at + run, err))
			return false;
		run = at + LAYOUT_PAGE;
	}
	if (at > run && !write_at(fd, ram->base + run, at - run, l->ram_at + run, err))
		return false;
	/* The kernel begins to write them while the next ones are summed up, so that the flush at the end has less to wait for. */
	sync_file_range(fd, (off_t)(l->ram_at + from), LAYOUT_GROUP, SYNC_FILE_RANGE_WRITE);
	return true;
}

static bool seek_stream(const struct layout *l, int fd, struct error *err)
{
	return lseek(fd, (off_t)l->stream_at, SEEK_SET) >= 0 || host_fail(err, "write");
}

bool layout_write_ram(struct layout *l, int fd, struct vms_ram *ram, struct error *err)
{
	uint32_t (*table)[256] = crc32_new();
	bool ok;

	*l = (struct layout){ .ram_size = ram->size, .groups = (uint32_t)(ram->size / LAYOUT_GROUP) };
	l->ram_at = (LAYOUT_HEAD + table_size(l) + LAYOUT_GROUP - 1) / LAYOUT_GROUP * LAYOUT_GROUP;
	l->stream_at = l->ram_at + ram->size;
	l->group = calloc(l->groups + 1, sizeof *l->group);
	ok = (table && l->group) || layout_fail(err, "out of memory");
	for (uint32_t i = 0; ok && i < l->groups; i++) {
		ok = write_group(l, i, fd, ram, table, err);
		if (ram->progress)
			ram->progress(ram->opaque, (i + 1) * (uint64_t)LAYOUT_GROUP);
	}
	free(table);
	return ok && seek_stream(l, fd, err);
}

bool layout_begin_child(struct layout *l, int fd, struct error *err)
{
	l->stream_at = LAYOUT_HEAD;
	return seek_stream(l, fd, err);
}

bool layout_write_head(struct layout *l, int fd, struct error *err)
{
	size_t len = LAYOUT_HEAD + (size_t)table_size(l);
	uint8_t *head = calloc(1, len);
	off_t end = lseek(fd, 0, SEEK_END);
	bool ok;

	if (!head || end < 0) {
		free(head);
		return end < 0 ? host_fail(err, "write") : layout_fail(err, "out of memory");
	}
	l->file_size = (uint64_t)end;
	memcpy(head, MAGIC, strlen(MAGIC));
	be_put(head + 8, VERSION, 4);
	be_put(head + 16, l->file_size, 8);
	be_put(head + 24, l->stream_at, 8);
	be_put(head + 32, l->ram_at, 8);
	be_put(head + 40, l->ram_size, 8);
	be_put(head + 48, l->groups, 4);
	be_put(head + 52, LAYOUT_GROUP, 4);
	be_put(head + 56, l->parent_size, 8);
	be_put(head + 64, l->parent_ident, 4);
	memcpy(head + NAME_AT, l->parent, LAYOUT_NAME);
	for (uint32_t i = 0; i < l->groups; i++) {
		be_put(head + LAYOUT_HEAD + i * ENTRY, l->group[i].sum, 4);
		be_put(head + LAYOUT_HEAD + i * ENTRY + 4, l->group[i].used, 4);
	}
	l->sum = sum_of(head, len);
	be_put(head + SUM_AT, l->sum, 4);
	ok = write_at(fd, head, len, 0, err);
	free(head);
	return ok;
}

char *layout_parent_path(const char *child, const char *name)
{
	const char *slash = strrchr(child, '/'), *cut = strrchr(name, '/');
	char *path = NULL;

	name = cut ? cut + 1 : name;
	if (!slash)
		return strdup(name);
	return asprintf(&path, "%.*s/%s", (int)(slash - child), child, name) < 0 ? NULL : path;
}

int layout_open(const char *path, struct error *err)
{
	struct stat st;
	int fd = -1;

	/* Anything but a regular file is not even opened: that alone may have an effect on a device. */
	if (stat(path, &st)) {
		error_set(err, "%s", strerror(errno));
		return -1;
	}
	if (S_ISREG(st.st_mode) && (fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) < 0)
		error_set(err, "%s", strerror(errno));
	else if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		error_set(err, "not a regular file");
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	return fd;
}
