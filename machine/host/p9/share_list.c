/* What a shared folder has, in an order that is the same on each host. */
#define _GNU_SOURCE
#include "machine/host/p9/share_parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void share_listing_free(struct share_listing *l)
{
	if (!l)
		return;
	for (uint32_t i = 0; i < l->entries; i++)
		free(l->entry[i]);
	free(l->entry);
	free(l);
}

static int add_entry(struct share *s, struct share_listing *l, const struct dirent *d, uint64_t most)
{
	size_t name = strlen(d->d_name) + 1, bytes = sizeof(struct share_entry) + name;
	struct share_entry *e;

	if (!(l->entries & (l->entries - 1))) {		/* full: room for twice as many */
		void *more = realloc(l->entry, (l->entries ? 2 * (size_t)l->entries : 1) * sizeof l->entry[0]);

		if (!more)
			return -ENOMEM;
		l->entry = more;
	}
	l->bytes += bytes + 2 * sizeof l->entry[0];
	if (l->bytes > most || l->entries == UINT32_MAX >> 1 || !(e = malloc(bytes)))
		return -ENOMEM;
	e->inode = d->d_ino;
	e->type = share_is_mapped(s) ? DT_UNKNOWN : d->d_type;
	memcpy(e->name, d->d_name, name);
	l->entry[l->entries++] = e;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct share_entry *const *)a)->name, (*(struct share_entry *const *)b)->name);
}

static int read_all(struct share *s, DIR *dir, struct share_listing *l, uint64_t most)
{
	const struct dirent *d;
	int e = 0;

	while (!e && (errno = 0, d = readdir(dir)))
		if (!share_hides(s, d->d_name))
			e = add_entry(s, l, d, most);
	return e || d ? e : -errno;
}

int share_list(struct share *s, int fd, uint64_t most, struct share_listing **listing)
{
	struct share_listing *l = calloc(1, sizeof *l);
	int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), e;
	DIR *dir = again >= 0 ? fdopendir(again) : NULL;

	if (!l || !dir) {
		e = l ? -errno : -ENOMEM;
		if (again >= 0 && !dir)
			close(again);
	} else {
		e = read_all(s, dir, l, most);
	}
	if (dir)
		closedir(dir);
	if (e) {
		share_listing_free(l);
		return e;
	}
	if (l->entries)
		qsort(l->entry, l->entries, sizeof l->entry[0], by_name);
	*listing = l;
	return 0;
}
