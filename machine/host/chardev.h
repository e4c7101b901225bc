/* A host-side character stream, as the user asks for it: what -chardev names, and what -serial, -monitor and -qmp say in
 * short. Nothing is opened here: console.h does that. */
#ifndef MACHINE_HOST_CHARDEV_H
#define MACHINE_HOST_CHARDEV_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "savevm/error.h"

#define CHARDEV_ID_MAX   64		/* bytes with the NUL, and so below */
#define CHARDEV_PATH_MAX 2048
#define CHARDEV_HOST_MAX 256
#define CHARDEV_PORT_MAX 32
#define CHARDEV_ESCAPE   0x01		/* Ctrl-A */

enum chardev_kind {
	CHARDEV_NULL, CHARDEV_STDIO, CHARDEV_PTY, CHARDEV_FILE, CHARDEV_PIPE, CHARDEV_SOCKET, CHARDEV_UDP, CHARDEV_RINGBUF,
	CHARDEV_KINDS,
};

/* A field is set if the backend's row names its key; what has not been said is as chardev_parse() leaves it. */
struct chardev {
	char id[CHARDEV_ID_MAX];
	enum chardev_kind kind;
	bool mux;			/* the escape key is ours, and several may be connected */
	uint32_t escape;		/* that key (-echr); CHARDEV_ESCAPE */
	char path[CHARDEV_PATH_MAX];	/* of a file, a pipe, a Unix socket; "": a socket of TCP */
	char log[CHARDEV_PATH_MAX];	/* logfile=; "": none */
	bool log_append;
	bool append;			/* file: behind what is there */
	bool signals;			/* stdio: keys like Ctrl-C still raise them */
	char host[CHARDEV_HOST_MAX], port[CHARDEV_PORT_MAX];	/* "" is the loopback, whoever listens */
	char local_host[CHARDEV_HOST_MAX], local_port[CHARDEV_PORT_MAX];	/* udp: our own */
	uint32_t last_port;		/* to=: of those that a server tries; 0: that one alone */
	bool ipv4, ipv6;		/* families that may be */
	bool server, wait, telnet, nodelay, delay;
	uint32_t reconnect_s;		/* seconds between two tries; 0: none but the first */
	uint64_t size;			/* ringbuf: bytes, a power of 2 */
};

/* "BACKEND,id=ID[,KEY=VALUE..]"; a doubled comma is one of a value. False and err->msg set. */
bool chardev_parse(const char *text, struct chardev *c, struct error *err);
/* The same in short and without an id, as "stdio" or "unix:PATH,server=on"; "mon:" before it is mux=on. */
bool chardev_parse_short(const char *text, struct chardev *c, struct error *err);
void chardev_help(FILE *out);		/* backends, a line each */
void chardev_help_short(FILE *out);	/* how they are written in short */
const char *chardev_backend(unsigned i);	/* by name; NULL: there are no more */

#endif
