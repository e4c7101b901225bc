/* Unix sockets by name: one process at a time listens on one, and removes what is its own. */
#ifndef MACHINE_HOST_SOCKET_H
#define MACHINE_HOST_SOCKET_H

#include <stdbool.h>
#include <sys/types.h>

#include "savevm/error.h"

struct term;

#define SOCKET_PATH_MAX 108	/* bytes with the NUL: struct sockaddr_un */

struct socket_name {
	char path[SOCKET_PATH_MAX];	/* empty: none */
	dev_t dev;
	ino_t ino;
};

/* A descriptor that listens, non-blocking, and the name that it has; -1: `why` is the reason alone. A socket that
 * nobody listens on any more is replaced; another process's, or a file, is not. */
int socket_listen(const char *path, struct socket_name *name, struct error *why);
/* The same for datagrams. */
int socket_datagrams(const char *path, struct socket_name *name, struct error *why);
/* Removes the name, if it is still ours. */
void socket_forget(struct socket_name *name);
/* A connection, non-blocking. Waits, if who listens there is busy, until it takes us or a signal wants our end. */
int socket_connect(const char *path, struct term *term, struct error *why);
/* The same, but once and at once: *done, or -1: errno. */
int socket_begin(const char *path, bool *done);

#endif
