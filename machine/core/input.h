/* What a user does with keys and pointers, on its way to the device that takes it. It comes at named points only, as bytes
 * for terminals do: see device_class.input. */
#ifndef MACHINE_CORE_INPUT_H
#define MACHINE_CORE_INPUT_H

#include <stdbool.h>
#include <stdint.h>

enum input_kind {
	INPUT_KEY,			/* code: Linux's input event codes; value: it is down */
	INPUT_BUTTON,			/* code: enum input_button; value: it is down */
	INPUT_PLACE,			/* code: 0 x, 1 y; value: 0 to INPUT_PLACE_MOST over the screen */
	INPUT_MOVE,			/* code: likewise, in dots; 2: wheel */
	INPUT_KINDS,
};
enum input_button { INPUT_LEFT, INPUT_MIDDLE, INPUT_RIGHT, INPUT_SIDE, INPUT_EXTRA, INPUT_BUTTONS };
#define INPUT_PLACE_MOST 0x7fff
#define INPUT_KEYS 256u			/* codes are below */
#define INPUT_FRAME 16u			/* events at one time, at most */

struct input_event {
	uint8_t kind, code;
	int32_t value;
};

struct machine;

/* What happens at one time: each event goes to the first device that takes its kind. False: nobody takes one of them. */
bool machine_input(struct machine *m, const struct input_event *events, unsigned n);

#endif
