/* What the files of consoles have of each other (console.c: what goes through; console_open.c: what is at the other end);
 * nobody else includes this. */
#ifndef MACHINE_HOST_CONSOLE_PARTS_H
#define MACHINE_HOST_CONSOLE_PARTS_H

#include "machine/host/chardev.h"
#include "machine/host/console.h"
#include "machine/host/inet.h"
#include "machine/host/queue.h"
#include "machine/host/socket.h"
#include "machine/host/telnet.h"

#define CONSOLE_INPUT 4096		/* bytes of input that a snapshot keeps; a power of 2 */

struct console {
	struct term *term;
	const struct chardev *of;	/* what the user said; of one aside: its host's */
	struct console **all, *next;	/* the list of those that are open, itself in it; NULL: of one aside */
	int in, out;			/* -1: nothing there (any more) */
	int listener;			/* of a server; -1 none */
	int slave;			/* our own hold on the pty, so that it never hangs up */
	int timer;			/* of a terminal whose keys find no room; -1: none yet */
	int retry;			/* of a client that connects again; -1: none */
	int on_its_way;			/* its connection that is not there yet; -1: none */
	int log;			/* -1: none */
	bool escaped;			/* the escape key has been typed */
	bool tty;			/* input is a terminal */
	bool steady;			/* input is a file: never late, so it comes at cycles that the machine gives */
	bool commands;			/* a monitor's, which takes all that comes: nothing is lost */
	bool timing, full;		/* `timer` runs; it has ended, and what finds no room is dropped */
	bool stuck;			/* the pty's reader was too slow: drop until there is room */
	bool unblocked;			/* write() to `out` never waits */
	bool hasty;			/* a monitor's: a client that does not read is cut off */
	bool glances;			/* what is read now comes before its time */
	bool stamps, mid_line;		/* Ctrl-A t: lines begin with the time; one is under way */
	uint64_t stamps_ns;		/* since which that counts */
	uint32_t client;		/* connections so far */
	uint32_t focus;			/* keys go there: 0 itself, otherwise asides[focus - 1] */
	uint32_t asides;
	struct console *aside[CONSOLE_ASIDES];	/* further ones on this stream; NULL: it has gone */
	struct console *host;		/* of such a one: that which it is on */
	struct socket_name name;	/* of the listener */
	struct inet inet;		/* where a client connects to */
	struct telnet telnet;
	struct queue pending;		/* output that the host does not take yet */
	uint64_t pending_ns;		/* host time since which it has taken nothing */
	struct queue ahead;		/* input behind what is in the ring */
	uint8_t *ring;			/* ringbuf: of->size bytes; NULL */
	uint64_t ring_in, ring_out;	/* bytes ever written and read */
	char pty[64];			/* name of the pseudo terminal */
	uint32_t head, count;		/* input ring */
	uint8_t input[CONSOLE_INPUT];
};

/* ---- console_open.c ---- */
bool console_begin(struct console *c, struct error *err);	/* opens what is at the other end */
void console_listen(struct console *c);		/* nobody is there: takes who has come, or connects again when it is time */
void console_gone(struct console *c);		/* nobody is there any more */

/* ---- console.c ---- */
void console_put(struct console *c, const uint8_t *p, size_t len);	/* to the other end as it is */
void console_greet_asides(struct console *c);	/* a client has come: the monitor that its keys go to is told */

#endif
