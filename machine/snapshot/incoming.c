/* -incoming: a command's output, a file, or the first connection to a port. */
#define _GNU_SOURCE
#include "machine/snapshot/incoming.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "machine/core/machine.h"
#include "machine/host/child.h"
#include "machine/host/term.h"
#include "machine/snapshot/snapshot.h"

bool incoming_ok(const char *uri, struct error *err)
{
	if ((!strncmp(uri, "exec:", 5) && uri[5]) || (!strncmp(uri, "file:", 5) && uri[5]) ||
	    (!strncmp(uri, "tcp:", 4) && strrchr(uri + 4, ':')))
		return true;
	error_set(err, "-incoming: '%.100s' is not exec:COMMAND, file:PATH or tcp:HOST:PORT", uri);
	return false;
}

/* ---- exec: ---- */

static bool from_command(struct machine *m, const char *command, struct error *err)
{
	struct child child;
	int fd;
	struct error why = { .msg = "its command was cut short" };
	bool ok;

	if (!child_command(&child, command, CHILD_STDOUT, &fd)) {
		error_set(err, "cannot run '%.120s': %s", command, strerror(errno));
		return false;
	}
	term_waits_for(m->term, "a snapshot from '%.120s'", command);
	ok = snapshot_load_fd(m, fd, &why);
	close(fd);			/* one that has more to say gets SIGPIPE */
	if (!child_wait_or_signal(&child)) {
		kill(child.pid, SIGTERM);
		ok = false;
	}
	term_proceeds(m->term);
	if (!ok)
		error_set(err, "incoming snapshot: %.200s", why.msg);
	else if (child_code(&child) && !child_signal(&child))
		error_set(err, "incoming snapshot: '%.120s' ended with status %d", command, child_code(&child));
	return ok && (!child_code(&child) || child_signal(&child));
}

/* ---- tcp: ---- */

static int listen_at(const char *host, const char *port, struct error *err)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
	struct addrinfo *info;
	int rc = getaddrinfo(*host ? host : NULL, port, &hints, &info), fd = -1, one = 1;

	if (rc) {
		error_set(err, "-incoming tcp:%.60s:%.20s: %s", host, port, gai_strerror(rc));
		return -1;
	}
	fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (fd < 0 || bind(fd, info->ai_addr, info->ai_addrlen) || listen(fd, 1)) {
		error_set(err, "cannot listen at tcp:%.60s:%.20s: %s", host, port, strerror(errno));
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	freeaddrinfo(info);
	return fd;
}

/* The first to connect; -1: a signal wants an end. */
static int wait_for_peer(struct machine *m, int listener)
{
	for (;;) {
		struct pollfd fds[2] = { { .fd = listener, .events = POLLIN }, { .fd = term_fd(m->term), .events = POLLIN } };
		int fd;

		poll(fds, 2, -1);		/* ticks come through: one of them says what for */
		if (term_signal(m->term))
			return -1;
		fd = fds[0].revents ? accept4(listener, NULL, NULL, SOCK_CLOEXEC) : -1;
		if (fd >= 0)
			return fd;
	}
}

static bool from_port(struct machine *m, const char *address, struct error *err)
{
	char host[256];
	const char *colon = strrchr(address, ':');
	int listener, fd;
	struct error why;
	bool ok;

	snprintf(host, sizeof host, "%.*s", (int)(colon - address), address);
	term_waits_for(m->term, "the address of '%.120s'", address);
	listener = listen_at(host, colon + 1, err);
	if (listener < 0)
		return false;
	term_waits_for(m->term, "a snapshot at tcp:%.120s", address);
	fd = wait_for_peer(m, listener);
	close(listener);
	if (fd < 0) {
		error_set(err, "stopped while waiting for a snapshot");
		return false;
	}
	ok = snapshot_load_fd(m, fd, &why);
	close(fd);
	term_proceeds(m->term);
	if (!ok)
		error_set(err, "incoming snapshot: %.200s", why.msg);
	return ok;
}

bool incoming(struct machine *m, const char *uri, struct error *err)
{
	if (!incoming_ok(uri, err))
		return false;
	if (uri[0] == 'f')
		return snapshot_load(m, uri + 5, err);
	return uri[0] == 'e' ? from_command(m, uri + 5, err) : from_port(m, uri + 4, err);
}
