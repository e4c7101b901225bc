/* Keys by the names and numbers that others have for them: keys.def. A code is Linux's, 0: there is no such key. */
#ifndef MACHINE_HOST_KEYS_H
#define MACHINE_HOST_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

unsigned key_by_name(const char *name, size_t len);
unsigned key_by_usage(unsigned usage);		/* USB HID; SDL's scancodes are the same */
unsigned key_usage(unsigned code);		/* the other way round; 0: it has none */
int key_layout(const char *name);		/* of a keyboard, as QEMU's -k has it: layouts.def. -1: it is not known */
/* What is to be pressed so that this is printed, by X and VNC: code 0: nothing is. */
struct key_press {
	uint8_t code;
	bool shift, altgr;
};
struct key_press key_by_keysym(int layout, uint32_t keysym);
const char *key_name(unsigned code);		/* NULL: there is no such key */

#endif
