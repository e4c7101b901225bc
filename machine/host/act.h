/* What a user does with keys and pointers. */
#ifndef MACHINE_HOST_ACT_H
#define MACHINE_HOST_ACT_H

#include <stdint.h>

enum act_kind {
	ACT_KEY,			/* code: Linux's input event code; value: it is down */
	ACT_BUTTON,			/* code: enum act_button; value: it is down */
	ACT_PLACE,			/* code: 0 x, 1 y; value: 0 to ACT_PLACE_MOST over the screen */
	ACT_MOVE,			/* code: likewise, in dots; 2: wheel */
	ACT_PAGE,			/* for no guest: the other picture, that of the dispatcher or the guest's */
	ACT_KINDS,
};
enum act_button { BUTTON_LEFT, BUTTON_MIDDLE, BUTTON_RIGHT, BUTTON_SIDE, BUTTON_EXTRA, BUTTONS };
#define ACT_PLACE_MOST 0x7fff
#define ACT_KEYS 256u			/* codes are below */
#define ACTS 16u			/* at one time, at most */

struct act {
	uint8_t kind, code;
	int32_t value;
};

/* A pixel's number among `side` of them as the value of an ACT_PLACE; beside them: at their edge. */
static inline int32_t act_place(int at, unsigned side)
{
	int last = side > 1 ? (int)side - 1 : 1;

	at = at < 0 ? 0 : at > last ? last : at;
	return (int32_t)((int64_t)at * ACT_PLACE_MOST / last);
}

#endif
