/* A file with our process's number: see pidfile.h. The lock is QEMU's, so that the two know each other's. */
#define _GNU_SOURCE
#include "machine/host/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "savevm/place.h"

#define TRIES 100

static bool is_there(const struct pidfile *p)
{
	struct stat st;

	return !stat(p->path, &st) && st.st_dev == p->dev && st.st_ino == p->ino;
}

/* Its lock, and the file that it is on. */
static bool take(struct pidfile *p, struct error *why)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct stat st;

	p->fd = output_keep(p->path, why);
	if (p->fd < 0)
		return false;
	if (!fstat(p->fd, &st) && !fcntl(p->fd, F_SETLK, &lock)) {
		p->dev = st.st_dev;
		p->ino = st.st_ino;
		return true;
	}
	error_set(why, "%s", errno == EAGAIN || errno == EACCES ? "another process has it" : strerror(errno));
	close(p->fd);
	p->fd = -1;
	return false;
}

static bool write_number(const struct pidfile *p, struct error *why)
{
	char text[24];
	int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());

	if (!ftruncate(p->fd, 0) && write(p->fd, text, (size_t)n) == n)
		return true;
	error_set(why, "%s", strerror(errno));
	return false;
}

bool pidfile_make(struct pidfile *p, const char *path, struct error *err)
{
	struct error why = { .msg = "it is removed again and again" };
	bool ok = true;

	*p = (struct pidfile){ .path = path, .fd = -1 };
	for (unsigned i = 0; i < TRIES && ok && p->fd < 0; i++) {
		ok = take(p, &why);
		if (ok && !is_there(p)) {	/* whose it was has removed it just now */
			close(p->fd);
			p->fd = -1;
		}
	}
	if (p->fd >= 0 && write_number(p, &why))
		return true;
	pidfile_remove(p);
	error_set(err, "cannot use pidfile '%.110s': %.120s", path, why.msg);
	return false;
}

void pidfile_remove(struct pidfile *p)
{
	if (p->fd < 0)
		return;
	if (is_there(p))
		unlink(p->path);
	close(p->fd);
	p->fd = -1;
}
