/* Extended attributes of a shared folder: those of users, and lists of access rights where the model has them. Nobody but
 * the model sees what it keeps in user.virtfs.*. Source: QEMU's models. */
#define _GNU_SOURCE
#include "machine/host/p9/share_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#define OURS "user.virtfs."
#define NAME_ROOM (SHARE_NAME_MAX + sizeof OURS)

static bool begins(const char *name, const char *with)
{
	return !strncmp(name, with, strlen(with));
}

static bool is_acl(const char *name)
{
	return !strcmp(name, "system.posix_acl_access") || !strcmp(name, "system.posix_acl_default");
}

/* The host's name for the guest's; `hidden`: what is ours and not the guest's is answered so. */
static int host_name(const struct share *s, const char *name, char out[NAME_ROOM], int hidden)
{
	bool mapped = s->model == SHARE_XATTR && is_acl(name);

	if (strlen(name) >= SHARE_NAME_MAX)
		return -ERANGE;
	if (s->model == SHARE_XATTR && begins(name, OURS))
		return hidden;
	if (!begins(name, "user.") && !(is_acl(name) && s->model != SHARE_NONE))
		return -EOPNOTSUPP;
	snprintf(out, NAME_ROOM, "%s%s", mapped ? OURS : "", name);
	return 0;
}

/* The way to a file as these calls want it. spot_close() */
static int open_way(struct share *s, const char *path, char way[PROC_PATH_MAX], struct spot *p)
{
	int e = spot_open(s, path, p);

	if (!e)
		proc_path(way, p->dir, p->name);
	return e;
}

static int finish(struct spot *p, ssize_t result)
{
	int e = result < 0 ? -errno : (int)result;

	spot_close(p);
	return e;
}

int share_xattr_get(struct share *s, const char *path, const char *name, void *buf, size_t size)
{
	char way[PROC_PATH_MAX], host[NAME_ROOM];
	struct spot p;
	int e = host_name(s, name, host, -ENODATA);

	if (e || (e = open_way(s, path, way, &p)))
		return e;
	return finish(&p, lgetxattr(way, host, buf, size));
}

int share_xattr_set(struct share *s, const char *path, const char *name, const void *value, size_t size, int flags)
{
	char way[PROC_PATH_MAX], host[NAME_ROOM];
	struct spot p;
	int e = host_name(s, name, host, -EACCES);

	if (e || (e = open_way(s, path, way, &p)))
		return e;
	return finish(&p, lsetxattr(way, host, value, size, flags));
}

int share_xattr_remove(struct share *s, const char *path, const char *name)
{
	char way[PROC_PATH_MAX], host[NAME_ROOM];
	struct spot p;
	int e = host_name(s, name, host, -EACCES);

	if (e || (e = open_way(s, path, way, &p)))
		return e;
	return finish(&p, lremovexattr(way, host));
}

/* The guest's name for the host's; NULL: it has none. */
static const char *guest_name(const struct share *s, const char *name)
{
	if (s->model == SHARE_XATTR && begins(name, OURS)) {
		name += strlen(OURS);
		return is_acl(name) ? name : NULL;
	}
	if (is_acl(name))
		return s->model == SHARE_NONE || s->model == SHARE_XATTR ? NULL : name;
	return begins(name, "user.") ? name : NULL;
}

static int list_names(const struct share *s, const char *all, size_t bytes, char *buf, size_t size)
{
	size_t n = 0;

	for (const char *at = all; at < all + bytes; at += strlen(at) + 1) {
		const char *name = guest_name(s, at);
		size_t length = name ? strlen(name) + 1 : 0;

		if (buf && length > size - n)
			return -ERANGE;
		if (buf && name)
			memcpy(buf + n, name, length);
		n += length;
	}
	return (int)n;
}

int share_xattr_list(struct share *s, const char *path, char *buf, size_t size)
{
	char way[PROC_PATH_MAX], *all = malloc(SHARE_XATTR_MAX + 1);
	struct spot p;
	int n = all ? open_way(s, path, way, &p) : -ENOMEM;

	if (!n) {
		n = finish(&p, llistxattr(way, all, SHARE_XATTR_MAX));
		if (n > 0) {
			all[n] = 0;
			n = list_names(s, all, (size_t)n, buf, size);
		}
	}
	free(all);
	return n;
}
