/* Keys by the names and numbers that others have for them: keys.def. A code is Linux's, 0: there is no such key. */
#ifndef MACHINE_HOST_KEYS_H
#define MACHINE_HOST_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

unsigned key_by_name(const char *name, size_t len);
unsigned key_by_usage(unsigned usage);		/* USB HID; SDL's scancodes are the same */
unsigned key_by_keysym(uint32_t keysym);	/* X and VNC; what is printed on a key with shift is that key */
bool key_is_shifted(uint32_t keysym);		/* it is printed on a key with shift */
unsigned key_usage(unsigned code);		/* the other way round; 0: it has none */
const char *key_name(unsigned code);		/* NULL: there is no such key */

#endif
