/* Whether the machine runs, and what is to happen next: requests of the guest, of the user and of the host. */
#ifndef MACHINE_CORE_RUNSTATE_H
#define MACHINE_CORE_RUNSTATE_H

#include <stdbool.h>
#include <stdint.h>

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

/* What those above the board are told of. Reasons are QEMU's words. */
enum run_event_kind { RUN_STOP, RUN_RESUME, RUN_RESET, RUN_SHUTDOWN, RUN_PANICKED, RUN_MIGRATION, RUN_DEVICE_DELETED };

struct run_event {
	enum run_event_kind kind;
	bool by_guest;			/* RESET, SHUTDOWN: the guest wanted it */
	const char *word;		/* RESET, SHUTDOWN: why; PANICKED: what follows; MIGRATION: its new status; DEVICE_DELETED: its id, NULL: it has none;
					 * else NULL */
};

/* Somebody above the board: whoever commands the machine. The board and its parts know no other way up. NULL: not
 * interested. */
struct machine_listener {
	void (*event)(struct machine *m, const struct run_event *event);
	/* The machine waits for the host, between any two instructions: obey what can be obeyed there. */
	void (*serve)(struct machine *m);
	void (*free)(struct machine *m);	/* the machine goes; in the reverse order of machine_listen() */
};

#define MACHINE_LISTENERS 5

struct runstate {
	bool stopped;			/* by a user, -S, a panic that pauses, a migration: the clock stands */
	bool sent;			/* and a migration has taken the guest elsewhere */
	bool gone;			/* the guest is off; the machine stays for its user (-no-shutdown), or to send what waits */
	bool panicked;			/* it is stopped or gone because the guest gave up */
	bool user_resets;		/* REQ_RESET is a user's, not the guest's */
	const struct machine_listener *listener[MACHINE_LISTENERS];
};

void machine_listen(struct machine *m, const struct machine_listener *listener);
void machine_announce(struct machine *m, struct run_event event);
bool machine_serve(struct machine *m);		/* false: nobody is there */
void machine_free_listeners(struct machine *m);

bool machine_clock_stands(const struct machine *m);	/* stopped or gone: what is typed waits */
void machine_stop(struct machine *m);		/* at the end of the quantum */
/* The guest goes on, and does not hurry to make up for the time that it did not see. */
void machine_resume(struct machine *m);

void machine_kick(struct machine *m);		/* something changed: leave the engine at the next block edge */
/* Ends the run with that status at the next block edge, if nobody has asked for an end before. */
void machine_request(struct machine *m, enum machine_request request, int status);
/* The guest says that it gave up; it goes on if -action panic= lets it. Takes `text` (NULL: no reason). */
void machine_gave_up(struct machine *m, char *text);
bool machine_pauses_on_panic(const struct config *o);	/* -action panic=, shutdown=: the machine stays */
void machine_say_panic(const struct machine *m);	/* on stderr */

#endif
