/* Host-side character streams: what a -serial option names.
 *
 *   stdio, mon:stdio, file:PATH, pty, unix:PATH[,server=on][,wait=off], null, none
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

struct console;
struct term;
struct vmstate;

#define CONSOLE_MAX_FDS 3	/* what one stream waits for at a time */

/* NULL and err->msg set: the host refused. `term` is the process's terminal, for stdio. */
struct console *console_open(struct term *term, const char *spec, struct error *err);
/* True if `spec` is well formed; nothing is opened. */
bool console_spec_ok(const char *spec, struct error *err);
void console_help(FILE *out);		/* what there is, a line for each */
/* For monitors. A second stream on one with an escape key: Ctrl-A c leads the keys to it. NULL: no memory. */
struct console *console_aside(struct console *console);
bool console_has_escape(const struct console *console);
bool console_echoes(const struct console *console);	/* a terminal whose keys we must show */
void console_for_commands(struct console *console);	/* all is taken; a client that does not read is cut off */
uint32_t console_client(const struct console *console);	/* another number for each that connects; 0: nobody has */
bool console_connected(const struct console *console);	/* somebody is at the other end; of a socket alone it may be nobody */
void console_close(struct console *console);
void console_write(struct console *console, const void *buf, size_t len);
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
