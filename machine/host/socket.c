/* Unix sockets by name: see socket.h. */
#define _GNU_SOURCE
#include "machine/host/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "machine/host/term.h"

#define LOCK_TRIES 100		/* of 10 ms each */
#define BUSY_MS    100

_Static_assert(sizeof((struct sockaddr_un *)0)->sun_path == SOCKET_PATH_MAX, "as Linux has it");

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	memcpy(a.sun_path, path, strnlen(path, sizeof a.sun_path - 1));
	return a;
}

static int refuse(struct error *why, const char *text, int fd)
{
	error_set(why, "%s", text);
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Locks the folder while a socket's name is checked and bound, so that only one of two processes that find the name
 * free gets it. If another program holds the lock for long, or the folder cannot be read, binding goes on without
 * the lock. */
static int lock_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder[SOCKET_PATH_MAX] = ".";
	int fd;

	if (slash)
		snprintf(folder, sizeof folder, "%.*s", slash == path ? 1 : (int)(slash - path), path);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);
	for (unsigned i = 0; fd >= 0 && i < LOCK_TRIES && flock(fd, LOCK_EX | LOCK_NB); i++)
		poll(NULL, 0, 10);
	return fd;
}

/* 0: nobody; EPROTOTYPE or the like: somebody, or we are not to know. To connect as a stream would be taken for a
 * client; a datagram socket only learns whether the name belongs to one of another type. */
static int who_listens(const char *path)
{
	struct sockaddr_un a = address_of(path);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error = EPROTOTYPE;

	if (fd < 0)
		return errno;
	if (connect(fd, (struct sockaddr *)&a, sizeof a))
		error = errno == ECONNREFUSED ? 0 : errno;
	close(fd);
	return error;
}

/* Removes the socket that an earlier run left behind; nothing but a socket is ever removed. */
static bool make_way(const char *path, struct error *why)
{
	struct stat st;
	int error;

	if (lstat(path, &st) || !S_ISSOCK(st.st_mode))
		return true;
	error = who_listens(path);
	if (!error && !unlink(path))
		return true;
	if (error == EPROTOTYPE)
		error_set(why, "another process listens there");
	else
		error_set(why, "%s", strerror(error ? error : errno));
	return false;
}

static bool take_name(int fd, const char *path, struct socket_name *name, struct error *why)
{
	struct sockaddr_un a = address_of(path);
	struct stat st;

	if (!make_way(path, why))
		return false;
	if (bind(fd, (struct sockaddr *)&a, sizeof a) || lstat(path, &st)) {
		error_set(why, "%s", strerror(errno));
		return false;
	}
	*name = (struct socket_name){ .dev = st.st_dev, .ino = st.st_ino };
	memcpy(name->path, a.sun_path, sizeof name->path);
	return true;
}

static int open_named(int type, const char *path, struct socket_name *name, struct error *why)
{
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), folder;
	bool ok;

	if (fd < 0)
		return refuse(why, strerror(errno), -1);
	folder = lock_folder(path);
	ok = take_name(fd, path, name, why);
	if (folder >= 0)
		close(folder);
	if (ok && (type == SOCK_DGRAM || !listen(fd, 1)))
		return fd;
	if (ok)
		error_set(why, "%s", strerror(errno));
	close(fd);
	return -1;
}

int socket_listen(const char *path, struct socket_name *name, struct error *why) { return open_named(SOCK_STREAM, path, name, why); }
int socket_datagrams(const char *path, struct socket_name *name, struct error *why) { return open_named(SOCK_DGRAM, path, name, why); }

void socket_forget(struct socket_name *name)
{
	struct stat st;

	if (*name->path && !lstat(name->path, &st) && st.st_dev == name->dev && st.st_ino == name->ino)
		unlink(name->path);
	*name->path = 0;
}

int socket_connect(const char *path, struct term *term, struct error *why)
{
	struct sockaddr_un a = address_of(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool said = false;

	if (fd < 0)
		return refuse(why, strerror(errno), -1);
	while (connect(fd, (struct sockaddr *)&a, sizeof a)) {
		struct pollfd signal = { .fd = term_fd(term), .events = POLLIN };

		if (errno != EAGAIN && errno != EINTR)
			return refuse(why, strerror(errno), fd);
		if (!said)
			term_say(term, "waiting for unix:%s to take a connection", path);
		said = true;
		poll(&signal, 1, BUSY_MS);
		if (term_signal(term))
			return refuse(why, "stopped while waiting for a connection", fd);
	}
	return fd;
}

int socket_begin(const char *path, bool *done)
{
	struct sockaddr_un a = address_of(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error;

	if (fd < 0)
		return -1;
	*done = !connect(fd, (struct sockaddr *)&a, sizeof a);
	if (*done)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}
