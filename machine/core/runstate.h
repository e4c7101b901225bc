/* Whether the machine runs, and what is to happen next: requests of the guest, of the user and of the host. */
#ifndef MACHINE_RUNSTATE_H
#define MACHINE_RUNSTATE_H

#include <stdbool.h>

struct config;
struct machine;

/* Exit statuses beside 0 (the guest switched itself off, or the user quit). */
enum exit_status {
	EXIT_HOST_ERROR = 1,
	EXIT_USAGE = 2,
	EXIT_GUEST_PANIC = 3,
};

/* What happens when the guest stops or the user wants out. */
enum machine_request { REQ_NONE, REQ_POWER_OFF, REQ_RESET, REQ_QUIT, REQ_PANIC };

#define MACHINE_KICKED 1u			/* cpu->halt: the machine wants it out; TERM_TICKED: the host does */

void machine_kick(struct machine *m);		/* something changed: leave the engine at the next block edge */
/* Ends the run with that status at the next block edge, if nobody has asked for an end before. */
void machine_request(struct machine *m, enum machine_request request, int status);
/* The guest says that it gave up; it goes on if -action panic= lets it. Takes `text` (NULL: no reason). */
void machine_gave_up(struct machine *m, char *text);
bool machine_pauses_on_panic(const struct config *o);	/* -action panic=, shutdown=: the machine stays */
void machine_say_panic(const struct machine *m);	/* on stderr */

#endif
