/* Open Firmware's variables in NVRAM: strings "name=value", each with a NUL, an empty one at the end. A guest writes
 * there as it likes. PAPR, "NVRAM Partitions". */
#include <stdio.h>
#include <string.h>

#include "firmware/boot.h"
#include "machine/core/config.h"
#include "machine/vio/nvram.h"

#define HEADER     16			/* bytes of a partition's header */
#define SIGNATURE  0x70			/* of a system partition */
#define VARIABLES  256			/* that are looked at */

/* Where the strings are; false: NVRAM has no such partition. */
static bool strings_find(const struct nvram *nvram, uint32_t *at, uint32_t *bytes)
{
	uint8_t head[HEADER];
	uint32_t size;

	for (uint64_t p = 0; nvram && nvram_fetch(nvram, p, head, HEADER); p += size) {
		size = ((uint32_t)head[2] << 8 | head[3]) * HEADER;
		if (size < HEADER || size > nvram->size - p)
			return false;
		*at = (uint32_t)p + HEADER;
		*bytes = size - HEADER;
		if (head[0] == SIGNATURE)
			return true;
	}
	return false;
}

bool environment_get(const struct machine *m, unsigned i, char *buf, size_t size, const char **value)
{
	const struct nvram *nvram = nvram_find(m);
	uint32_t at, bytes;
	const char *text, *end;
	char *equals;

	if (!strings_find(nvram, &at, &bytes) || i >= VARIABLES)
		return false;
	for (text = (const char *)nvram->data + at, end = text + bytes; text < end && *text; text += strnlen(text, (size_t)(end - text)) + 1) {
		size_t len = strnlen(text, (size_t)(end - text));

		if (i--)
			continue;
		snprintf(buf, size, "%.*s", len < size ? (int)len : 0, text);
		equals = strchr(buf, '=');
		*value = equals ? equals + 1 : buf + strlen(buf);
		if (equals)
			*equals = 0;
		return true;
	}
	return false;
}

const char *environment_find(const struct machine *m, const char *name, char *buf, size_t size)
{
	const char *value;

	for (unsigned i = 0; environment_get(m, i, buf, size, &value); i++)
		if (!strcmp(buf, name))
			return value;
	return NULL;
}

/* The strings without those that set what `text` sets, and with it. False: no room. */
static bool strings_add(char *strings, uint32_t bytes, const char *text)
{
	size_t name = strcspn(text, "=") + 1, used = 0, len;
	char *from = strings, *end = strings + bytes;

	for (; from < end && *from; from += len + 1) {
		len = strnlen(from, (size_t)(end - from));
		if (!strncmp(from, text, name) || len == (size_t)(end - from))
			continue;
		memmove(strings + used, from, len + 1);
		used += len + 1;
	}
	len = strlen(text) + 1;
	if (len + 1 > bytes - used)
		return false;
	memcpy(strings + used, text, len);
	memset(strings + used + len, 0, bytes - used - len);
	return true;
}

bool environment_set(struct machine *m, struct error *err)
{
	const struct config *o = m->config;
	struct nvram *nvram = nvram_find(m);
	uint32_t at, bytes;

	if (!o->prom_envs)
		return true;
	if (!strings_find(nvram, &at, &bytes)) {
		error_set(err, "-prom-env: NVRAM has no partition for it");
		return false;
	}
	for (unsigned i = 0; i < o->prom_envs; i++) {
		if (!strings_add((char *)nvram->data + at, bytes, o->prom_env[i])) {
			error_set(err, "-prom-env %.60s: NVRAM has no room for it", o->prom_env[i]);
			return false;
		}
	}
	if (nvram_store(nvram, at, nvram->data + at, bytes))
		return true;
	error_set(err, "-prom-env: the NVRAM's file cannot be written");
	return false;
}
