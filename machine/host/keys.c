#include "machine/host/keys.h"

#include <string.h>

static const struct key {
	const char *name;
	uint8_t code, usage;
	uint16_t keysym, shifted;
} keys[] = {
#define KEY(name_, code_, usage_, keysym_, shifted_) { name_, code_, usage_, keysym_, shifted_ },
#include "machine/host/keys.def"
#undef KEY
};

#define KEYS (sizeof keys / sizeof keys[0])

unsigned key_by_name(const char *name, size_t len)
{
	for (unsigned i = 0; i < KEYS; i++)
		if (strlen(keys[i].name) == len && !memcmp(keys[i].name, name, len))
			return keys[i].code;
	return 0;
}

unsigned key_by_usage(unsigned usage)
{
	for (unsigned i = 0; i < KEYS; i++)
		if (keys[i].usage == usage)
			return keys[i].code;
	return 0;
}

unsigned key_usage(unsigned code)
{
	for (unsigned i = 0; i < KEYS; i++)
		if (keys[i].code == code)
			return keys[i].usage;
	return 0;
}

/* ---- Layouts ---- */

enum {
	US,
#define LAYOUT(id, name) id,
#include "machine/host/layouts.def"
};

static const struct { const char *name; uint8_t id; } layouts[] = {
	{ "en-us", US }, { "us", US }, { "gb", GB },
#define LAYOUT(id, name) { name, id },
#include "machine/host/layouts.def"
};

static const struct printed {
	uint8_t layout, code;
	uint16_t keysym, shifted, altgr;
} printed[] = {
#define PRINTED(id, code, keysym, shifted, altgr) { id, code, keysym, shifted, altgr },
#include "machine/host/layouts.def"
};

#define LAYOUTS (sizeof layouts / sizeof layouts[0])
#define PRINTEDS (sizeof printed / sizeof printed[0])

int key_layout(const char *name)
{
	for (unsigned i = 0; i < LAYOUTS; i++)
		if (!strcmp(layouts[i].name, name))
			return layouts[i].id;
	return -1;
}

static bool is_printed(int layout, unsigned code)
{
	for (unsigned i = 0; i < PRINTEDS; i++)
		if (printed[i].layout == layout && printed[i].code == code)
			return true;
	return false;
}

#define MARKS 0xfe00u		/* letters and marks are below; above, with shift, what another state of Num Lock makes of a key */

struct key_press key_by_keysym(int layout, uint32_t keysym)
{
	for (unsigned i = 0; i < PRINTEDS && keysym; i++) {
		const struct printed *p = &printed[i];

		if (p->layout == layout && (p->keysym == keysym || p->shifted == keysym || p->altgr == keysym))
			return (struct key_press){ p->code, p->keysym != keysym && p->shifted == keysym,
						   p->keysym != keysym && p->shifted != keysym };
	}
	for (unsigned i = 0; i < KEYS && keysym; i++)
		if ((keys[i].keysym == keysym || keys[i].shifted == keysym) && !is_printed(layout, keys[i].code))
			return (struct key_press){ keys[i].code, keys[i].keysym != keysym && keysym < MARKS, false };
	return (struct key_press){ 0, false, false };
}

const char *key_name(unsigned code)
{
	for (unsigned i = 0; i < KEYS; i++)
		if (keys[i].code == code)
			return keys[i].name;
	return NULL;
}
