/* What a screen shows, on its way from the machine to those who show it to a user, and what he does, on its way back.
 *
 * The machine is one thread, each viewer is another: they meet here only. A viewer knows no machine. What it brings waits
 * until the machine takes it, at a point of its own choice; more than there is room for is lost.
 */
#ifndef MACHINE_HOST_CANVAS_H
#define MACHINE_HOST_CANVAS_H

#include <stdbool.h>
#include <stdint.h>

#include "machine/host/act.h"

struct canvas;

struct canvas *canvas_new(void);		/* NULL: the host has no memory, or no descriptor */
void canvas_free(struct canvas *c);		/* no viewer is left */

/* ---- The machine ---- */

/* Rows are put between begin and end; each is `width` pixels, 0x00RRGGBB. False: no memory for such a picture. */
bool canvas_begin(struct canvas *c, unsigned width, unsigned height);
uint32_t *canvas_row(struct canvas *c, unsigned y);	/* to be filled */
void canvas_end(struct canvas *c);
void canvas_set_title(struct canvas *c, const char *title);
void canvas_set_places(struct canvas *c, bool places);	/* the guest takes where a pointer is; else how it moves */

int canvas_fd(const struct canvas *c);		/* can be read: something waits */
/* What has been done at one time, at most ACTS of them: how many. 0: nothing waits. */
unsigned canvas_take(struct canvas *c, struct act acts[ACTS]);
bool canvas_closing(const struct canvas *c);	/* a viewer has been told to end it all */

/* ---- A viewer ---- */

struct picture {
	unsigned width, height;
	const uint32_t *pixel;
	const uint64_t *row_at;		/* for each row: when it was last put */
	uint64_t at;			/* now */
	const char *title;
	bool places;
};
/* Holds the machine up, for a moment, if it wants to put something meanwhile. */
const struct picture *canvas_lock(struct canvas *c);
void canvas_unlock(struct canvas *c);
void canvas_act(struct canvas *c, const struct act *acts, unsigned n);
void canvas_close(struct canvas *c);

#endif
