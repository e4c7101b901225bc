/* Sockets by host and port: what a name stands for, and one that listens, connects or has datagrams. */
#ifndef MACHINE_HOST_INET_H
#define MACHINE_HOST_INET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "savevm/error.h"

#define INET_MOST 8			/* addresses of a name */
#define INET_TEXT 80			/* bytes with the NUL: "[v6]:port" */

struct term;

struct inet_names {			/* what to look up */
	const char *host, *port;	/* host "": the loopback */
	int type;			/* SOCK_STREAM, SOCK_DGRAM */
	bool ipv4, ipv6;
	bool one;			/* the first address is what counts, not whichever answers */
};

struct inet {
	unsigned count, next;		/* `next`: that a connection is tried at */
	struct {
		struct sockaddr_storage at;
		socklen_t len;
	} address[INET_MOST];
};

/* Asks the resolver, which may take long: a signal is heard. False: `why` is the reason alone. */
bool inet_look_up(struct inet *inet, const struct inet_names *names, struct term *term, struct error *why);
/* A non-blocking listener at the first address that takes one, at its port or a later one up to `last`; -1: why. */
int inet_listen(const struct inet *inet, uint32_t last, struct error *why);
/* Begins a connection to the next address. A non-blocking descriptor, *done or still on its way; -1: errno. */
int inet_begin(struct inet *inet, bool *done);
/* Goes on until one of the addresses has taken a connection, or a signal wants our end; -1: why. */
int inet_connect(struct inet *inet, struct term *term, struct error *why);
/* 0: the connection on its way is there; otherwise what has become of it. */
int inet_outcome(int fd);
/* A non-blocking socket for datagrams to and from the first address of `to` that goes with one of ours; `from` NULL: with
 * any. -1: why. */
int inet_datagrams(const struct inet *to, const struct inet *from, struct error *why);
/* "HOST:PORT" of our end of a socket, or of the other. */
const char *inet_text(int fd, bool peer, char text[INET_TEXT]);

#endif
