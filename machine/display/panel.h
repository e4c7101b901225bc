/* The dispatcher's panel: a picture of who runs where, a lane for each physical and each virtual processor, and its keys.
 *
 * It scrolls while the machine runs, reads an entry that the pointer is on, holds still, goes back, and lets the machine run up
 * to the next dispatch. What it shows is what -dtl writes; nothing of it is the guest's.
 */
#ifndef MACHINE_DISPLAY_PANEL_H
#define MACHINE_DISPLAY_PANEL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "machine/host/act.h"

struct machine;
struct panel;

struct panel *panel_new(struct machine *m);	/* between quanta; NULL: out of memory */
void panel_free(struct panel *p);

unsigned panel_width(const struct panel *p);	/* pixels; they do not change */
unsigned panel_height(const struct panel *p);
/* The picture, now: row by row, 0x00RRGGBB. It stays until the next call. One of the same number is the same. */
const uint32_t *panel_draw(struct panel *p, uint64_t *number);

enum panel_wish { PANEL_NOTHING, PANEL_GO_ON, PANEL_LEAVE };
/* What a user does with keys and pointer. The machine is stopped at once where that is asked for; that it goes on, or that
 * another picture is shown, is for the caller to do. */
enum panel_wish panel_take(struct panel *p, const struct act *acts, unsigned n);
/* For those who read the picture: where lanes are and what a column is, a line each. */
void panel_describe(const struct panel *p, FILE *out);

#endif
