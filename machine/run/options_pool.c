/* -pool: the physical processors that virtual ones share, what the guest may have of them, and who
 * else wants them. */
#include "machine/run/options_pool.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/core/bits.h"

#define DEFAULT_WEIGHT 128
#define MAX_WEIGHT     255
#define NS_PER_MS      UINT64_C(1000000)
#define MIN_WINDOW     (1 * NS_PER_MS)
#define MAX_WINDOW     (1000 * NS_PER_MS)

void pool_defaults(struct pool_config *o)
{
	*o = (struct pool_config){ .chips = 1, .weight = DEFAULT_WEIGHT, .load_weight = DEFAULT_WEIGHT, .window_ns = 10 * NS_PER_MS };
}

/* ---- Values: false if it is not one ---- */

static bool whole(const char *text, uint64_t max, uint64_t *out)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*out = strtoull(text, &end, 10);
	return !errno && !*end && *out <= max;
}

/* "1.25" processors in hundredths; no more than two digits behind the point. */
static bool hundredths(const char *text, uint32_t *out)
{
	uint32_t value = 0, digits = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9' && value <= POOL_MAX_PROCS; p++)
		value = value * 10 + (uint32_t)(*p - '0');
	value *= POOL_UNIT;
	if (p == text || (*p && *p != '.'))
		return false;
	if (*p == '.')
		for (p++; *p >= '0' && *p <= '9' && digits < 2; p++, digits++)
			value += (uint32_t)(*p - '0') * (digits ? 1 : 10);
	*out = value;
	return !*p && value <= POOL_MAX_PROCS * POOL_UNIT;
}

static bool duration(const char *text, uint64_t *ns)
{
	static const struct { const char *name; uint64_t ns; } units[] = {
		{ "us", 1000 }, { "ms", NS_PER_MS }, { "s", 1000 * NS_PER_MS },
	};
	char *end;
	uint64_t n;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	n = strtoull(text, &end, 10);
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (!errno && !strcmp(end, units[i].name))
			return !__builtin_mul_overflow(n, units[i].ns, ns) && *ns >= MIN_WINDOW && *ns <= MAX_WINDOW;
	return false;
}

/* ---- Keys ---- */

static bool set_entitlement(struct pool_config *o, const char *v)
{
	return hundredths(v, &o->entitlement) && o->entitlement;
}

static bool set_mode(struct pool_config *o, const char *v)
{
	o->capped = !strcmp(v, "capped");
	return o->capped || !strcmp(v, "uncapped");
}

static bool set_window(struct pool_config *o, const char *v) { return duration(v, &o->window_ns); }

/* L, or bursty:L:SEED. */
static bool set_load(struct pool_config *o, const char *v)
{
	char load[16] = "";
	const char *seed;

	o->bursty = !strncmp(v, "bursty:", 7);
	if (!o->bursty)
		return hundredths(v, &o->load);
	v += 7;
	seed = strchr(v, ':');
	if (!seed || (size_t)(seed - v) >= sizeof load)
		return false;
	memcpy(load, v, (size_t)(seed - v));
	return hundredths(load, &o->load) && o->load && whole(seed + 1, UINT64_MAX, &o->load_seed);
}

static bool set_load_entitlement(struct pool_config *o, const char *v)
{
	o->load_entitled = true;
	return hundredths(v, &o->load_entitlement);
}

static bool set_confer(struct pool_config *o, const char *v)
{
	o->no_confer = !strcmp(v, "off");
	return o->no_confer || !strcmp(v, "on");
}

/* A key has a setter, or is a whole number for an unsigned field. */
static const struct pool_key {
	const char *name, *wants;
	bool (*set)(struct pool_config *o, const char *value);
	uint64_t min, max;
	size_t field;
} keys[] = {
#define NUMBER(key, wants, min, max, field) { key, wants, NULL, min, max, offsetof(struct pool_config, field) }
	NUMBER("procs", "1 to 64", 1, POOL_MAX_PROCS, procs),
	{ "entitlement", "processors in steps of 0.01", set_entitlement, 0, 0, 0 },
	{ "mode", "capped or uncapped", set_mode, 0, 0, 0 },
	NUMBER("weight", "0 to 255", 0, MAX_WEIGHT, weight),
	{ "window", "1ms to 1s", set_window, 0, 0, 0 },
	{ "load", "processors in steps of 0.01, or bursty:PROCESSORS:SEED", set_load, 0, 0, 0 },
	{ "load-entitlement", "processors in steps of 0.01", set_load_entitlement, 0, 0, 0 },
	NUMBER("load-weight", "0 to 255", 0, MAX_WEIGHT, load_weight),
	NUMBER("chips", "1 to 64", 1, POOL_MAX_PROCS, chips),
	{ "confer", "on or off", set_confer, 0, 0, 0 },
#undef NUMBER
};

static bool set_number(struct pool_config *o, const struct pool_key *key, const char *value)
{
	uint64_t n;

	if (!whole(value, key->max, &n) || n < key->min)
		return false;
	*(unsigned *)((char *)o + key->field) = (unsigned)n;
	return true;
}

static bool set_key(struct pool_config *o, const char *key, const char *value, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (strcmp(key, keys[i].name))
			continue;
		if (keys[i].set ? keys[i].set(o, value) : set_number(o, &keys[i], value))
			return true;
		error_set(err, "-pool %s=%.60s: wants %s", key, value, keys[i].wants);
		return false;
	}
	error_set(err, "-pool does not know '%.60s' (it knows procs, entitlement, mode, weight, window, load, load-entitlement, load-weight, chips, confer)", key);
	return false;
}

bool pool_parse(struct pool_config *o, const char *text, struct error *err)
{
	char *copy = strdup(text), *next = copy, *item;
	bool ok = copy != NULL;

	if (!ok)
		error_set(err, "out of memory");
	o->given = true;
	while (ok && (item = strsep(&next, ","))) {
		char *value = strchr(item, '=');

		if (value)
			*value++ = '\0';
		else
			error_set(err, "-pool: '%.60s' is not KEY=VALUE", item);
		ok = value && set_key(o, item, value, err);
	}
	free(copy);
	return ok;
}

/* ---- What is left open, and whether it all fits ---- */

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* What the load leaves to a guest of which nothing is said: half of the pool, if it can use that. */
static uint32_t guests_part(uint32_t all, unsigned vprocs)
{
	return least(POOL_UNIT * vprocs, all / 2 > vprocs ? all / 2 : vprocs);
}

bool pool_finish(struct pool_config *o, unsigned vprocs, struct error *err)
{
	uint32_t all, usable = POOL_UNIT * vprocs, guest;

	if (!o->given)
		return true;
	if (!o->procs) {
		error_set(err, "-pool needs procs=");
		return false;
	}
	all = POOL_UNIT * o->procs;
	guest = o->entitlement ? o->entitlement : guests_part(all, vprocs);
	if (!o->load_entitled)
		o->load_entitlement = least(o->load, all - least(all, guest));
	if (!o->entitlement)
		o->entitlement = least(usable, all - least(all, o->load_entitlement));
	if (o->chips > o->procs)
		error_set(err, "-pool: chips=%u are more than procs=%u", o->chips, o->procs);
	else if (o->entitlement > usable)
		error_set(err, "-pool: %u virtual processor%s cannot use entitlement=%u.%02u", vprocs, vprocs == 1 ? "" : "s",
			  o->entitlement / POOL_UNIT, o->entitlement % POOL_UNIT);
	else if (o->entitlement < vprocs)
		error_set(err, "-pool: entitlement=%u.%02u is under 0.01 for each of %u virtual processor%s",
			  o->entitlement / POOL_UNIT, o->entitlement % POOL_UNIT, vprocs, vprocs == 1 ? "" : "s");
	else if (o->entitlement + o->load_entitlement > all)
		error_set(err, "-pool: the entitlements (%u.%02u and the load's %u.%02u) are more than procs=%u",
			  o->entitlement / POOL_UNIT, o->entitlement % POOL_UNIT, o->load_entitlement / POOL_UNIT,
			  o->load_entitlement % POOL_UNIT, o->procs);
	else
		return true;
	return false;
}
