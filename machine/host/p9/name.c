/* Names in messages, and the paths that they lead to: no name leads above the shared folder. See message.h. */
#include "machine/host/p9/message.h"

#include <errno.h>
#include <string.h>

/* False: it is no name of something in a folder. */
bool name_get(struct wire_in *in, char name[SHARE_NAME_MAX])
{
	return get_text(in, name, SHARE_NAME_MAX) && *name && !strchr(name, '/');
}

static bool is_dots(const char *name) { return !strcmp(name, ".") || !strcmp(name, ".."); }

/* `path` becomes that of a name in it. */
static int append(char path[SHARE_PATH_MAX], const char *name)
{
	size_t n = strlen(path), more = strlen(name);

	if (n + 1 + more >= SHARE_PATH_MAX)
		return -ENAMETOOLONG;
	if (n)
		path[n++] = '/';
	memcpy(path + n, name, more + 1);
	return 0;
}

/* "." and ".." are words here, no way for the host to go; above the folder is the folder. */
int name_step(struct p9 *p, char path[SHARE_PATH_MAX], const char *name)
{
	char *slash = strrchr(path, '/');

	if (!strcmp(name, "."))
		return 0;
	if (!strcmp(name, "..")) {
		*(slash ? slash : path) = 0;
		return 0;
	}
	return share_hides(&p->share, name) ? -ENOENT : append(path, name);
}

/* The path of a name that a message gives in the folder `dir`. `dots`: what "." and ".." are answered with. */
int name_child(struct p9 *p, const struct p9_fid *dir, struct wire_in *in, char path[SHARE_PATH_MAX], int dots)
{
	char name[SHARE_NAME_MAX];

	if (!name_get(in, name))
		return in->bad ? -EINVAL : -ENOENT;
	if (is_dots(name))
		return dots;
	if (share_hides(&p->share, name))
		return -EINVAL;
	strcpy(path, fid_path(dir));
	return append(path, name);
}
