/* Host-side character streams: what a -serial option names.
 *
 *   stdio, mon:stdio, file:PATH, pty, unix:PATH[,server=on][,wait=off], null, none
 *
 * A stream never blocks the guest for good: output to something that is gone is dropped,
 * input waits in a small buffer until the guest takes it.
 */
#ifndef MACHINE_CONSOLE_H
#define MACHINE_CONSOLE_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "machine/error.h"

struct console;
struct term;
struct vmstate;

#define CONSOLE_MAX_FDS 2	/* what one stream waits for at a time */

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
void console_close(struct console *console);
void console_write(struct console *console, const void *buf, size_t len);
/* Looks at the host, without waiting, and keeps what has come. */
void console_poll(struct console *console);
/* Takes up to `len` bytes that have come; how many. */
bool console_holds(const struct console *c);	/* there is something to be read */
size_t console_read(struct console *console, void *buf, size_t len);
extern const struct vmstate console_state;	/* of struct console: input that the guest has not taken */
/* Fills in what to wait for until console_poll() has something to do; how many (0: never). */
unsigned console_pollfds(const struct console *console, struct pollfd *fds);

#endif
