/* From an input to the file, and back; see load.h. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "savevm/zip.h"
#include "tests/fuzz/load/load.h"

size_t input_stream_at(enum load_form form)
{
	switch (form) {
	case FORM_RAW:
		return 0;
	case FORM_MAPPED:
		return 1 + LOAD_HEAD + LOAD_TABLE + LOAD_PAGES * 4096;
	case FORM_CHILD:
		return 1 + LOAD_HEAD;
	default:
		return 1;
	}
}

static void put_at(int fd, const uint8_t *p, size_t len, uint64_t at)
{
	if (pwrite(fd, p, len, (off_t)at) != (ssize_t)len)
		die("cannot write an input", "no room");
}

/* Without zstd it stays as it is. */
static void put_zipped(int fd, const uint8_t *p, size_t len)
{
	struct error err;
	struct zip *z = zip_known() ? zip_new(true, &err) : NULL;
	uint64_t at = 0;
	bool more = z;

	if (!z)
		put_at(fd, p, len, 0);
	while (more) {
		const uint8_t *out;
		size_t n;

		more = zip_put(z, &p, &len, true, &out, &n);
		put_at(fd, out, n, at);
		at += n;
	}
	zip_free(z);
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Head and table, pages, stream: each as far as there is something. */
static void put_mapped(int fd, const uint8_t *p, size_t len)
{
	size_t head = least(len, LOAD_HEAD + LOAD_TABLE), pages = least(len - head, LOAD_PAGES * 4096);

	put_at(fd, p, head, 0);
	if (pages)
		put_at(fd, p + head, pages, LOAD_RAM_AT);
	if (len > head + pages)
		put_at(fd, p + head + pages, len - head - pages, LOAD_RAM_AT + LOAD_RAM);
}

static void input_write(const uint8_t *data, size_t size, int fd)
{
	enum load_form form = LOAD_FORM(data[0]);

	if (form == FORM_MAPPED)
		put_mapped(fd, data + 1, size - 1);
	else if (form == FORM_ZSTD || form == FORM_ZSTD_PIPE)
		put_zipped(fd, data + 1, size - 1);
	else
		put_at(fd, data + 1, size - 1, 0);
}

/* ---- Where the files are ---- */

static char folder[64];

const char *input_path(char path[INPUT_PATH], const char *name)
{
	snprintf(path, INPUT_PATH, "%s/%s", folder, name);
	return path;
}

static void remove_folder(void)
{
	static const char *const names[] = { "parent-0", "parent-1", "parent-2", "parent-3", "input", "other" };
	char path[INPUT_PATH];

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		unlink(input_path(path, names[i]));
	rmdir(folder);
}

void input_begin(void)
{
	snprintf(folder, sizeof folder, "%s/cede-fuzz-XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	if (!mkdtemp(folder))
		die("a folder", "cannot be made");
	seeds_make(folder, NULL, NULL);
	atexit(remove_folder);
}

int input_open(const uint8_t *data, size_t size)
{
	char path[INPUT_PATH];
	int fd = open(input_path(path, "input"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		die("an input", "cannot be written");
	input_write(data, size, fd);
	return fd;
}

/* ---- Back ---- */

static size_t get_at(int fd, uint8_t *data, size_t have, uint64_t at, size_t most)
{
	ssize_t n = pread(fd, data + have, least(most, LOAD_MAX - have), (off_t)at);

	return have + (n > 0 ? (size_t)n : 0);
}

size_t input_read(uint8_t select, int fd, uint8_t *data)
{
	size_t have = 1;

	data[0] = select;
	if (LOAD_FORM(select) == FORM_MAPPED) {
		have = get_at(fd, data, have, 0, LOAD_HEAD + LOAD_TABLE);
		have = get_at(fd, data, have, LOAD_RAM_AT, LOAD_PAGES * 4096);
		have = get_at(fd, data, have, LOAD_RAM_AT + LOAD_RAM, LOAD_MAX);
	} else {
		have = get_at(fd, data, have, 0, LOAD_MAX);
	}
	return have < LOAD_MAX ? have : 0;
}
