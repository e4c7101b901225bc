/* The fid table, and what of the host fids have. See fid.h. */
#define _GNU_SOURCE
#include "machine/host/p9/fid.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define OPEN_MAX_ (UINT32_C(400))			/* descriptors: well below what a process has by default */
#define LISTING_MAX (UINT64_C(128) << 20)		/* bytes of all listings; of one at most half */

/* The protocol's numbers of what open() has other ones for on other hosts. */
enum { L_TRUNC = 01000, L_APPEND = 02000, L_DSYNC = 010000, L_DIRECTORY = 0200000, L_SYNC = 04000000 };
#define L_ONCE (L_TRUNC | 0300)		/* of opening it the first time alone: truncate, create, exclusively */

static const struct { uint32_t wire; int host; } flag_rows[] = {
	{ L_TRUNC, O_TRUNC }, { L_APPEND, O_APPEND }, { L_DSYNC, O_DSYNC }, { L_DIRECTORY, O_DIRECTORY },
	{ L_SYNC & ~(uint32_t)L_DSYNC, O_SYNC },
};

int fid_host_flags(uint32_t flags)
{
	int host = (int)(flags & 3);

	for (size_t i = 0; i < sizeof flag_rows / sizeof flag_rows[0]; i++)
		host |= flags & flag_rows[i].wire ? flag_rows[i].host : 0;
	return host;
}

/* ---- Finding, making ---- */

/* A client that knew which numbers meet would have each message look through all of its fids. */
static struct p9_fid **bucket_of(struct p9 *p, uint32_t number)
{
	uint64_t mixed = (number + UINT64_C(1)) * p->bucket_key;

	mixed = (mixed ^ mixed >> 32) * UINT64_C(0x9e3779b97f4a7c15);
	return &p->bucket[(mixed >> 32) % P9_BUCKETS];
}

void fids_init(struct p9 *p)
{
	if (getrandom(&p->bucket_key, sizeof p->bucket_key, GRND_NONBLOCK) != sizeof p->bucket_key)
		p->bucket_key = (uintptr_t)p;
	p->bucket_key |= 1;
}

struct p9_fid *fid_find(struct p9 *p, uint32_t number)
{
	struct p9_fid *f = *bucket_of(p, number);

	while (f && f->number != number)
		f = f->chain;
	if (f)
		f->used = ++p->uses;
	return f;
}

bool fid_set_path(struct p9 *p, struct p9_fid *f, const char *path)
{
	size_t bytes = strlen(path) + 1;
	uint64_t others = p->path_bytes - f->path_bytes;
	void *copy = others + bytes <= P9_PATHS_MAX ? strdup(path) : NULL;

	if (!copy)
		return false;
	free(f->path);
	f->path = copy;
	f->path_bytes = (uint32_t)bytes;
	p->path_bytes = others + bytes;
	return true;
}

void fid_index(struct p9 *p, struct p9_fid *f)
{
	struct p9_fid **bucket = bucket_of(p, f->number);

	f->chain = *bucket;
	*bucket = f;
	p->fids++;
}

static void unindex_fid(struct p9 *p, struct p9_fid *f)
{
	struct p9_fid **at = bucket_of(p, f->number);

	while (*at && *at != f)
		at = &(*at)->chain;
	if (!*at)			/* of a load that was refused half-way */
		return;
	*at = f->chain;
	p->fids--;
}

struct p9_fid *fid_new(struct p9 *p, uint32_t number, uint32_t uid, const char *path)
{
	struct p9_fid *f;

	if (number == P9_NOFID || p->fids >= P9_FIDS_MAX || fid_find(p, number) || !(f = calloc(1, sizeof *f)))
		return NULL;
	if (!fid_set_path(p, f, path)) {
		free(f);
		return NULL;
	}
	f->number = number;
	f->uid = uid;
	f->used = ++p->uses;
	f->next = p->first;
	if (f->next)
		f->next->before = f;
	p->first = f;
	fid_index(p, f);
	return f;
}

/* ---- What of the host a fid has ---- */

static void drop_descriptor(struct p9 *p, struct p9_fid *f)
{
	if (!f->has_fd)
		return;
	close(f->fd);
	f->has_fd = false;
	p->open_files--;
}

static void drop_listing(struct p9 *p, struct p9_fid *f)
{
	p->listing_bytes -= f->listing ? f->listing->bytes : 0;
	share_listing_free(f->listing);
	f->listing = NULL;
}

void fid_drop_value(struct p9 *p, struct p9_fid *f)
{
	p->xattr_bytes -= f->value_bytes;
	f->value_bytes = 0;
	free(f->value);
	f->value = NULL;
}

void fid_free(struct p9 *p, struct p9_fid *f)
{
	drop_descriptor(p, f);
	drop_listing(p, f);
	unindex_fid(p, f);
	*(f->before ? &f->before->next : &p->first) = f->next;
	if (f->next)
		f->next->before = f->before;
	p->path_bytes -= f->path_bytes;
	fid_drop_value(p, f);
	free(f->path);
	free(f->name);
	free(f->place_name);
	free(f);
}

static bool can_close(const struct p9_fid *f) { return f->has_fd && !f->pinned; }
static bool has_listing(const struct p9_fid *f) { return f->listing; }

/* The one that has not been used for the longest time. NULL: none can be. */
static struct p9_fid *oldest(struct p9 *p, const struct p9_fid *but, bool (*can)(const struct p9_fid *f))
{
	struct p9_fid *found = NULL;

	for (struct p9_fid *f = p->first; f; f = f->next)
		if (f != but && can(f) && (!found || f->used < found->used))
			found = f;
	return found;
}

/* Files that cannot be opened again stay open, so that there may be no room at all. */
int fid_make_room(struct p9 *p)
{
	struct p9_fid *old;

	if (p->open_files < OPEN_MAX_)
		return 0;
	old = oldest(p, NULL, can_close);
	if (!old)
		return -ENFILE;
	drop_descriptor(p, old);
	return 0;
}

static void keep_descriptor(struct p9 *p, struct p9_fid *f, int fd)
{
	f->fd = fd;
	f->has_fd = true;
	p->open_files++;
}

void fid_opened(struct p9 *p, struct p9_fid *f, enum fid_kind kind, uint32_t flags, int fd)
{
	f->kind = kind;
	f->flags = flags;
	keep_descriptor(p, f, fd);
}

int fid_descriptor(struct p9 *p, struct p9_fid *f)
{
	int fd;

	if (f->kind != FID_FILE && f->kind != FID_FOLDER)
		return -EBADF;
	if (f->has_fd)
		return f->fd;
	if (f->pinned)
		return -ESTALE;
	fd = fid_make_room(p);
	if (fd)
		return fd;
	fd = share_open_file(&p->share, fid_path(f), fid_host_flags(f->flags & ~(uint32_t)L_ONCE));
	if (fd < 0)
		return fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP ? -ESTALE : fd;
	keep_descriptor(p, f, fd);
	return fd;
}

/* An old one that somebody comes back to is made again. */
static void drop_old_listings(struct p9 *p, const struct p9_fid *but)
{
	struct p9_fid *old;

	while (p->listing_bytes > LISTING_MAX && (old = oldest(p, but, has_listing)))
		drop_listing(p, old);
}

bool fid_set_place(struct p9_fid *f, uint64_t number, const char *name)
{
	void *copy = number ? strdup(name) : NULL;

	if (number && !copy)
		return false;
	free(f->place_name);
	f->place_name = copy;
	f->place_bytes = number ? (uint32_t)strlen(name) + 1 : 0;
	f->place = number;
	return true;
}

/* How many of the names, which are in order, come before the place and at it. */
static uint32_t names_until(const struct share_listing *l, const char *place)
{
	uint32_t low = 0, high = l->entries;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (strcmp(l->entry[middle]->name, place) > 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

int fid_listing(struct p9 *p, struct p9_fid *f, bool first)
{
	int fd = fid_descriptor(p, f), e;

	if (fd < 0 || f->kind != FID_FOLDER)
		return fd < 0 ? fd : -ENOTDIR;
	if (first)
		fid_set_place(f, 0, NULL);
	else if (f->listing)
		return 0;
	drop_listing(p, f);
	e = share_list(&p->share, fd, LISTING_MAX / 2, &f->listing);
	if (e)
		return e;
	p->listing_bytes += f->listing->bytes;
	f->shift = f->place ? (int64_t)f->place - names_until(f->listing, f->place_name) : 0;
	drop_old_listings(p, f);
	return 0;
}

int fid_make_value(struct p9 *p, struct p9_fid *f, uint32_t bytes)
{
	if (bytes > FID_VALUES_MAX - p->xattr_bytes)
		return -ENOSPC;
	f->value = calloc(1, bytes ? bytes : 1);
	if (!f->value)
		return -ENOMEM;
	f->value_bytes = bytes;
	p->xattr_bytes += bytes;
	return 0;
}

/* ---- Names change ---- */

/* Where `path` goes on behind `above`, a folder on its way or itself; NULL: it is neither. */
static const char *rest_of(const char *path, const char *above)
{
	size_t n = strlen(above);

	return !strncmp(path, above, n) && (!path[n] || path[n] == '/') ? path + n : NULL;
}

void fids_changed(struct p9 *p, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) : 0;

	for (struct p9_fid *f = p->listing_bytes ? p->first : NULL; f; f = f->next)
		if (f->listing && f->path_bytes == n + 1 && !memcmp(f->path, path, n))
			drop_listing(p, f);
}

void fids_unlinked(struct p9 *p, const char *path)
{
	for (struct p9_fid *f = p->first; f; f = f->next)
		f->pinned |= !strcmp(fid_path(f), path);
}

/* Too long a path, or too many, lead nowhere: its fid's files answer ESTALE, but for those that are open. */
void fids_renamed(struct p9 *p, const char *from, const char *to)
{
	char path[SHARE_PATH_MAX];

	for (struct p9_fid *f = p->first; f; f = f->next) {
		const char *rest = rest_of(fid_path(f), from);
		size_t n = strlen(to);

		if (!rest)
			continue;
		if (n + strlen(rest) >= sizeof path) {
			f->pinned = true;
			continue;
		}
		memcpy(path, to, n);
		strcpy(path + n, rest);
		f->pinned |= !fid_set_path(p, f, path);
	}
}
