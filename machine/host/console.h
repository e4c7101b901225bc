/* Host-side character streams, open: what chardev.h describes.
 *
 * A stream never blocks the process: output that the host does not take yet is kept, and the run loop holds the guest
 * until it has gone (console_pending); output to something that is gone is dropped. Input waits in a small buffer until
 * the guest takes it; of a terminal with an escape key, in a large one.
 */
#ifndef MACHINE_HOST_CONSOLE_H
#define MACHINE_HOST_CONSOLE_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "savevm/error.h"

struct chardev;
struct console;
struct term;
struct vmstate;

#define CONSOLE_MAX_FDS 4	/* what one stream waits for at a time */
#define CONSOLE_ASIDES  3	/* that may share one with an escape key beside the first: QEMU has four in all, too */

/* What a terminal or a monitor is connected to: the stream, opened if nobody in the list `all` has it yet. One with an escape key may be
 * asked for again: all write to it, keys go to who came last, and Ctrl-A c leads them to the next. `term` is the process's
 * terminal, for stdio. NULL and err->msg set: the host refused, or somebody else has it. */
struct console *console_open(struct console **all, struct term *term, const struct chardev *chardev, struct error *err);
/* The same for a monitor, to which keys go when they are led there, or nobody else is there. */
struct console *console_open_behind(struct console **all, struct term *term, const struct chardev *chardev, struct error *err);
/* The stream itself, in a list of those that are open; NULL: it is not. */
struct console *console_of(struct console *first, const struct chardev *chardev);
/* "disconnected:tcp:127.0.0.1:4444,server=on", as QEMU calls it; a stream that is not open (NULL) by what it will be. */
const char *console_describe(const struct console *console, const struct chardev *chardev, char *text, size_t size);
bool console_echoes(const struct console *console);	/* a terminal whose keys we must show */
void console_for_commands(struct console *console);	/* all is taken; a client that does not read is cut off */
uint32_t console_client(const struct console *console);	/* another number for each that connects; 0: nobody has */
bool console_connected(const struct console *console);	/* somebody is at the other end; of a socket alone it may be nobody */
void console_close(struct console *console);
void console_write(struct console *console, const void *buf, size_t len);
/* A ring: what has been written last, the oldest first. What is read is gone from it. */
bool console_is_ring(const struct console *console);
size_t console_ring_has(const struct console *console);		/* bytes */
size_t console_ring_read(struct console *console, void *buf, size_t len);
/* Output waits for the host: its reader is slow. A client that is cut off instead makes nobody wait. */
bool console_pending(const struct console *console);
/* Looks at the host, without waiting: keeps what has come, sends what waits. A file is left alone. */
void console_poll(struct console *console);
/* A file is read at cycles that do not depend on the host, and only then. */
void console_poll_file(struct console *console);
bool console_file_waits(const struct console *console);	/* that would bring something, or its end */
/* The same as console_poll() while the guest is held, which must not show in what it is given later. */
void console_poll_held(struct console *console);
/* At any time: keys of the escape key's and what is typed at a monitor; the rest is kept until console_poll(). */
void console_glance(struct console *console);
bool console_early(const struct console *console);	/* there is such a rest, and room for it */
bool console_has(const struct console *console);	/* console_read() would give something */
/* Takes up to `len` bytes that have come; how many. */
size_t console_read(struct console *console, void *buf, size_t len);
extern const struct vmstate console_state;	/* of struct console: input that the guest has not taken */
/* Fills in what to wait for until console_poll() has something to do; how many (0: never). */
unsigned console_pollfds(const struct console *console, struct pollfd *fds);
unsigned console_pollfds_held(const struct console *console, struct pollfd *fds);	/* console_poll_held() */

#endif
