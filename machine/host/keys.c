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

unsigned key_by_keysym(uint32_t keysym)
{
	for (unsigned i = 0; i < KEYS && keysym; i++)
		if (keys[i].keysym == keysym || keys[i].shifted == keysym)
			return keys[i].code;
	return 0;
}

bool key_is_shifted(uint32_t keysym)
{
	for (unsigned i = 0; i < KEYS && keysym; i++)
		if (keys[i].shifted == keysym)
			return keysym < 0x80;	/* not what another state of Num Lock makes of one */
	return false;
}

const char *key_name(unsigned code)
{
	for (unsigned i = 0; i < KEYS; i++)
		if (keys[i].code == code)
			return keys[i].name;
	return NULL;
}
