/* The process's terminal and signals: raw while a guest has it, as before on every exit.
 *
 * Signals are read from a descriptor at the run loop's poll points, so nothing of the
 * machine is ever touched from a signal handler. */
#ifndef MACHINE_TERM_H
#define MACHINE_TERM_H

#include <stdbool.h>

#include "machine/error.h"

struct term;

struct term *term_new(struct error *err);	/* catches SIGINT, SIGTERM, SIGHUP; ignores SIGPIPE */
void term_free(struct term *term);		/* and restores the terminal */
/* Makes standard input raw if it is a terminal. `keys_signal`: Ctrl-C still raises SIGINT. */
void term_raw(struct term *term, bool keys_signal);
bool term_claim_stdio(struct term *term);	/* false: another console has it */
int term_fd(const struct term *term);		/* readable when a signal waits */
/* Standard output is about to get these bytes from a guest. */
void term_wrote(struct term *term, const void *buf, size_t len);
/* A line of ours is about to go to standard error: ends the guest's, if both show in one place. */
void term_fresh_line(struct term *term);
void term_quit(struct term *term);		/* the user typed Ctrl-A x */
void term_lost(struct term *term);		/* nobody reads what the guest says: end with status 1 */
bool term_is_lost(const struct term *term);
bool term_ending(const struct term *term);	/* that, or a signal has been seen */
/* The signal that wants the process to end, 0 none. Never waits. It stays until the end. */
int term_signal(struct term *term);
/* The memory from `base` on is that file's from now on; the line that says so if it goes away under us. */
void term_mapped(struct term *term, const void *base, size_t size, const char *path);
void term_catch_save(struct term *term);	/* SIGUSR1 is for us from now on */
bool term_save_asked(struct term *term);	/* it has come since this was asked last */

#endif
