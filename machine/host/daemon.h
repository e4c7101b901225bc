/* -daemonize: the machine is a process of its own, without a terminal, and who has started it waits until it is set up. */
#ifndef MACHINE_HOST_DAEMON_H
#define MACHINE_HOST_DAEMON_H

#include <stdbool.h>

struct daemon {
	bool waited_for;		/* somebody waits to hear how it goes */
	int report;			/* where it is said */
};

/* Goes on in a new process, in a session of its own. True there. In the old one it returns when the new one is ready or has
 * failed: false, and *status is what to end with. Nothing that a process does not hand down (timers, locks) may be there yet. */
bool daemon_begin(struct daemon *d, int *status);
/* The machine is set up: nobody waits any more. Standard input and output are nowhere from now on; standard error is
 * `log`, or nowhere (-1). Does nothing in a process that is no daemon. */
void daemon_ready(struct daemon *d, int log);
void daemon_fails(struct daemon *d, int status);	/* it is not to be: the same, with that status */

#endif
