/* The process's terminal and signals: raw while a guest has it, as before on every exit.
 *
 * Signals that want an end wait in a descriptor (term_fd) until somebody reads it: the run loop does, and whoever
 * polls. So that a guest whose cycles are dear and a peer that is silent cannot put that off, a timer of the host
 * ticks every TERM_TICK_MS and is the process's asynchronous door:
 *   - it sets a flag that the run loop names (term_halts), so that the engine comes out and looks;
 *   - system calls go on after it, until a signal wants an end. From then on they are cut short at each tick:
 *     EINTR, from anything but poll() and its like, means that the process is to end. Nobody tries again;
 *   - nobody having looked for TERM_PATIENCE_MS, it restores the terminal and ends the process itself. */
#ifndef MACHINE_HOST_TERM_H
#define MACHINE_HOST_TERM_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "savevm/error.h"

#define TERM_TICK_MS     50
#define TERM_PATIENCE_MS 700
#define TERM_TICKED      2u	/* the bit that a tick sets */

struct term;
struct message;
struct daemon;

struct term *term_new(struct error *err);	/* catches SIGINT, SIGTERM, SIGHUP; ignores SIGPIPE */
void term_free(struct term *term);		/* and restores the terminal */
/* Standard input is to be raw, if it is a terminal, once a guest runs. `keys_signal`: Ctrl-C still raises SIGINT. */
void term_raw(struct term *term, bool keys_signal);
void term_begin(struct term *term);		/* it runs. Until then nobody reads keys, and Ctrl-C raises SIGINT */
bool term_claim_stdio(struct term *term);	/* false: another console has it */
int term_fd(const struct term *term);		/* readable when a signal waits */
/* Standard output is about to get these bytes from a guest. */
void term_wrote(struct term *term, const void *buf, size_t len);
/* A line of ours, to standard error, behind "cede: " and what -msg puts before that. NULL: there is no terminal yet. */
void term_say(struct term *term, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Something else of ours is about to go there: ends the guest's line, if both show in one place. */
void term_fresh_line(struct term *term);
void term_messages(struct term *term, const struct message *message);	/* -msg */
/* The process is a daemon: it is told of the first term_set_up(). */
void term_serve(struct term *term, struct daemon *daemon);
void term_set_up(struct term *term, int log);	/* the machine is; daemon_ready() */
void term_quit(struct term *term);		/* the user typed Ctrl-A x */
void term_lost(struct term *term);		/* nobody reads what the guest says: end with status 1 */
bool term_is_lost(const struct term *term);
bool term_ending(const struct term *term);	/* that, or a signal has been seen */
/* The signal that wants the process to end, 0 none. Never waits. It stays until the end. */
int term_signal(struct term *term);
/* Each tick sets TERM_TICKED in *halt from now on; NULL: in nothing. */
void term_halts(struct term *term, volatile uint32_t *halt);
bool term_ticked(struct term *term);		/* since this was asked last */
const sigset_t *term_still(const struct term *term);	/* for ppoll(): ticks do not interrupt it */
int term_poll(const struct term *term, struct pollfd *fds, nfds_t n, int ms);	/* poll(), likewise */
/* Something begins that may take for ever: after a second a line says what for (at most 150 bytes of it). */
void term_waits_for(struct term *term, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void term_proceeds(struct term *term);		/* it has ended, well or not; errno stays */
/* Something begins that is not to be cut short by the first signal, but by the second; NULL: it has ended. */
void term_patient(struct term *term, const char *what);
bool term_insists(const struct term *term);	/* there has been a second one */
void term_leaves(struct term *term);		/* the process ends by itself: nobody need end it */
/* "ended by signal N", and while waiting for what. Empty: no signal has been seen. */
const char *term_end(struct term *term);
/* The memory from `base` on is that file's from now on; the line that says so if it goes away under us. */
void term_mapped(struct term *term, const void *base, size_t size, const char *path);
void term_catch_save(struct term *term);	/* SIGUSR1 is for us from now on */
bool term_save_asked(struct term *term);	/* it has come since this was asked last */

#endif
