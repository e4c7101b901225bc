/* A section's first number, found from the file's end on; see tail.h. */
#define _GNU_SOURCE
#include "savevm/tail.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "savevm/be.h"
#include "savevm/savevm.h"

#define FIRST_READ (UINT64_C(1) << 20)
#define NUMBER     8			/* bytes */
#define FOOTER     5
#define LONGEST    512			/* bytes of such a section */

/* Writes what the stream has between a section's number and its fields; returns its length in bytes. */
static size_t head_of(uint8_t *head, const char *section, uint32_t version)
{
	size_t n = strlen(section);

	head[0] = (uint8_t)n;
	memcpy(head + 1, section, n);
	memset(head + 1 + n, 0, 4);
	be_put(head + 5 + n, version, 4);
	return n + 9;
}

/* Whether a section begins here: `at` is the offset of its name's length byte. */
static bool is_section(const uint8_t *data, size_t len, size_t at, size_t head)
{
	const uint8_t *id = data + at - 4;

	if (at < 5 || data[at - 5] != VMS_TAG_FULL)
		return false;
	for (size_t end = at + head + NUMBER; end + FOOTER <= len && end < at + LONGEST; end++)
		if (data[end] == VMS_TAG_FOOTER && !memcmp(data + end + 1, id, 4))
			return true;
	return false;
}

/* Finds the last place that looks like the section: an earlier one may be in the guest's memory. */
static bool find_section(const uint8_t *data, size_t len, const uint8_t *head, size_t n, uint64_t *number)
{
	size_t end = len;
	const uint8_t *p;

	while ((p = memrchr(data, head[0], end))) {
		size_t at = end = (size_t)(p - data);

		if (len - at < n + NUMBER || memcmp(p, head, n) || !is_section(data, len, at, n))
			continue;
		*number = be_get(p + n, NUMBER);
		return true;
	}
	return false;
}

static bool find_in(int fd, uint64_t size, const uint8_t *head, size_t n, uint64_t *number)
{
	uint8_t *data = malloc(TAIL_MOST);
	bool found = false, whole = false;

	for (uint64_t len = FIRST_READ; data && !found && !whole && len <= TAIL_MOST; len *= 4) {
		uint64_t from = size > len ? size - len : 0;
		ssize_t got = pread(fd, data, size - from, (off_t)from);

		found = got > 0 && find_section(data, (size_t)got, head, n, number);
		whole = !from;
	}
	free(data);
	return found;
}

bool tail_number(const char *path, const char *section, uint32_t version, uint64_t *number)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	uint8_t head[1 + 255 + 8];
	struct stat st;
	bool found;

	if (fd < 0)
		return false;
	found = !fstat(fd, &st) && S_ISREG(st.st_mode) && find_in(fd, (uint64_t)st.st_size, head, head_of(head, section, version), number);
	close(fd);
	return found;
}
