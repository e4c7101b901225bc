/* Sockets of TCP and UDP: see inet.h. */
#define _GNU_SOURCE
#include "machine/host/inet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine/host/term.h"

/* ---- Names ---- */

static void keep_addresses(struct inet *inet, const struct addrinfo *info)
{
	*inet = (struct inet){ 0 };
	for (; info && inet->count < INET_MOST; info = info->ai_next) {
		if (info->ai_addrlen > sizeof inet->address[0].at)
			continue;
		memcpy(&inet->address[inet->count].at, info->ai_addr, info->ai_addrlen);
		inet->address[inet->count++].len = info->ai_addrlen;
	}
}

bool inet_look_up(struct inet *inet, const struct inet_names *names, struct term *term, struct error *why)
{
	struct addrinfo hints = { .ai_socktype = names->type, .ai_family = names->ipv4 == names->ipv6 ? AF_UNSPEC : names->ipv4 ? AF_INET : AF_INET6 };
	const char *host = *names->host ? names->host : !names->ipv4 ? "::1" : names->one ? "127.0.0.1" : "localhost";
	struct addrinfo *info = NULL;
	int rc;

	/* The C library takes the last 16 bits of such a number. */
	if (strspn(names->port, "0123456789") == strlen(names->port) && strtoul(names->port, NULL, 10) > UINT16_MAX) {
		error_set(why, "there is no port %.20s", names->port);
		return false;
	}
	term_waits_for(term, "the address of '%.100s'", host);
	rc = getaddrinfo(host, names->port, &hints, &info);
	term_proceeds(term);
	if (rc) {
		error_set(why, "%s", gai_strerror(rc));
		return false;
	}
	keep_addresses(inet, info);
	freeaddrinfo(info);
	if (!inet->count)
		error_set(why, "no address");
	return inet->count;
}

static uint16_t *port_of(struct sockaddr_storage *at)
{
	return at->ss_family == AF_INET6 ? &((struct sockaddr_in6 *)at)->sin6_port : &((struct sockaddr_in *)at)->sin_port;
}

const char *inet_text(int fd, bool peer, char text[INET_TEXT])
{
	struct sockaddr_storage at = { 0 };
	socklen_t len = sizeof at;
	char host[INET6_ADDRSTRLEN] = "?";
	bool v6;

	if ((peer ? getpeername : getsockname)(fd, (struct sockaddr *)&at, &len))
		return strcpy(text, "?");
	v6 = at.ss_family == AF_INET6;
	inet_ntop(at.ss_family, v6 ? (void *)&((struct sockaddr_in6 *)&at)->sin6_addr : (void *)&((struct sockaddr_in *)&at)->sin_addr, host, sizeof host);
	snprintf(text, INET_TEXT, v6 ? "[%s]:%u" : "%s:%u", host, ntohs(*port_of(&at)));
	return text;
}

/* ---- Who listens ---- */

static int listen_at(const struct sockaddr_storage *at, socklen_t len)
{
	int fd = socket(at->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1, error;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (at->ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
	if (!bind(fd, (const struct sockaddr *)at, len) && !listen(fd, 1))
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

int inet_listen(const struct inet *inet, uint32_t last, struct error *why)
{
	int error = 0;

	for (unsigned i = 0; i < inet->count; i++) {
		struct sockaddr_storage at = inet->address[i].at;
		uint32_t port = ntohs(*port_of(&at));

		do {
			int fd;

			*port_of(&at) = htons((uint16_t)port);
			fd = listen_at(&at, inet->address[i].len);
			if (fd >= 0)
				return fd;
			error = error ? error : errno;
		} while (errno == EADDRINUSE && port++ < last);
	}
	error_set(why, "%s", strerror(error));
	return -1;
}

/* ---- Who connects ---- */

int inet_begin(struct inet *inet, bool *done)
{
	unsigned i = inet->next++ % inet->count;
	int fd = socket(inet->address[i].at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error;

	if (fd < 0)
		return -1;
	*done = !connect(fd, (const struct sockaddr *)&inet->address[i].at, inet->address[i].len);
	if (*done || errno == EINPROGRESS)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

int inet_outcome(int fd)
{
	int error = 0;
	socklen_t len = sizeof error;

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) ? errno : error;
}

/* Until it is there, or is not to be: 0 or what. */
static int await_outcome(int fd, struct term *term)
{
	for (;;) {
		struct pollfd fds[2] = { { .fd = fd, .events = POLLOUT }, { .fd = term_fd(term), .events = POLLIN } };

		poll(fds, 2, -1);
		if (term_signal(term))
			return EINTR;
		if (fds[0].revents)
			return inet_outcome(fd);
	}
}

int inet_connect(struct inet *inet, struct term *term, struct error *why)
{
	int error = 0;

	term_waits_for(term, "a connection to be taken");
	for (unsigned i = 0; i < inet->count && error != EINTR; i++) {
		bool done = false;
		int fd = inet_begin(inet, &done);

		error = fd < 0 ? errno : done ? 0 : await_outcome(fd, term);
		if (!error) {
			term_proceeds(term);
			return fd;
		}
		if (fd >= 0)
			close(fd);
	}
	term_proceeds(term);
	error_set(why, "%s", error == EINTR ? "stopped while waiting for a connection" : strerror(error));
	return -1;
}

/* ---- Datagrams ---- */

static int datagrams_between(const struct inet *to, unsigned i, const struct inet *from, unsigned j)
{
	int fd = socket(to->address[i].at.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error;

	if (fd >= 0 && (!from || !bind(fd, (const struct sockaddr *)&from->address[j].at, from->address[j].len)) &&
	    !connect(fd, (const struct sockaddr *)&to->address[i].at, to->address[i].len))
		return fd;
	error = errno;
	if (fd >= 0)
		close(fd);
	errno = error;
	return -1;
}

/* Our address must be of the other end's family. */
int inet_datagrams(const struct inet *to, const struct inet *from, struct error *why)
{
	errno = EAFNOSUPPORT;
	for (unsigned i = 0; i < to->count; i++) {
		for (unsigned j = 0; j < (from ? from->count : 1); j++) {
			int fd = from && from->address[j].at.ss_family != to->address[i].at.ss_family ? -1 : datagrams_between(to, i, from, j);

			if (fd >= 0)
				return fd;
		}
	}
	error_set(why, "%s", strerror(errno));
	return -1;
}
