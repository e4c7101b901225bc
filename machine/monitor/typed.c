#include "machine/monitor/typed.h"

#include <stdlib.h>
#include <string.h>

#include "machine/core/input.h"
#include "machine/host/keys.h"
#include "machine/monitor/monitor.h"

#define MOST_KEYS (ACTS / 2)

static bool give(struct machine *m, const struct act *events, unsigned n, struct error *err)
{
	if (machine_input(m, events, n))
		return true;
	error_set(err, "there is no device that takes this (-device virtio-keyboard-pci, virtio-tablet-pci)");
	return false;
}

/* One after the other; then the last one is let go first. */
static bool press(struct machine *m, const uint8_t *codes, unsigned n, struct error *err)
{
	for (unsigned i = 0; i < 2 * n; i++) {
		const struct act e = { .kind = ACT_KEY, .code = i < n ? codes[i] : codes[2 * n - 1 - i], .value = i < n };

		if (!give(m, &e, 1, err))
			return false;
	}
	return true;
}

bool typed_run_keys(struct machine *m, const char *argument, struct error *err)
{
	uint8_t codes[MOST_KEYS];
	char word[256];
	unsigned n = 0;

	if (!monitor_word(&argument, word, sizeof word)) {
		error_set(err, "which keys?");
		return false;
	}
	for (const char *name = word; name; name = strchr(name, '-') ? strchr(name, '-') + 1 : NULL) {
		size_t len = strcspn(name, "-");
		unsigned code = key_by_name(name, len);

		if (!code || n == MOST_KEYS) {
			if (code)
				error_set(err, "too many keys at once");
			else
				error_set(err, "there is no key '%.*s'", len < 40 ? (int)len : 40, name);
			return false;
		}
		codes[n++] = (uint8_t)code;
	}
	return press(m, codes, n, err);
}

/* ---- By program ---- */

/* {"type": "qcode", "data": "ret"}; a number is a PC's scan code, which up to 0x53 is Linux's code, too. 0: it is none. */
static unsigned key_of(const struct json *j, uint32_t key)
{
	uint32_t data = key == JSON_NONE ? key : json_member(j, key, "data");
	uint64_t number = data == JSON_NONE ? 0 : json_number(j, data, 0);
	char name[40];

	if (data == JSON_NONE)
		return 0;
	if (json_is(j, json_member(j, key, "type"), "number"))
		return number < 0x54 && key_name((unsigned)number) ? (unsigned)number : 0;
	json_string(j, data, name, sizeof name);
	return key_by_name(name, strlen(name));
}

static bool wrong(struct error *err, const char *what)
{
	error_set(err, "Invalid parameter '%s'", what);
	return false;
}

bool typed_keys(struct machine *m, const struct json *j, uint32_t keys, struct error *err)
{
	uint8_t codes[MOST_KEYS];
	unsigned n = 0;

	if (keys == JSON_NONE || j->node[keys].kind != JSON_ARRAY)
		return wrong(err, "keys");
	for (uint32_t i = j->node[keys].child; i != JSON_NONE; i = j->node[i].next) {
		unsigned code = key_of(j, i);

		if (!code || n == MOST_KEYS)
			return wrong(err, "keys");
		codes[n++] = (uint8_t)code;
	}
	return press(m, codes, n, err);
}

static bool is_down(const struct json *j, uint32_t data)
{
	uint32_t down = json_member(j, data, "down");

	return down != JSON_NONE && j->node[down].kind == JSON_WORD && j->text[j->node[down].at] == 't';
}

static bool number_of(const struct json *j, uint32_t node, int32_t *value)
{
	char text[16], *end;
	long v;

	if (node == JSON_NONE || j->node[node].kind != JSON_NUMBER || j->node[node].len >= sizeof text)
		return false;
	memcpy(text, j->text + j->node[node].at, j->node[node].len);
	text[j->node[node].len] = 0;
	v = strtol(text, &end, 10);
	*value = (int32_t)v;
	return !*end && v >= -ACT_PLACE_MOST && v <= ACT_PLACE_MOST;
}

static bool axis_of(const struct json *j, uint32_t data, struct act *e)
{
	uint32_t axis = json_member(j, data, "axis");

	e->code = json_is(j, axis, "y");
	return (e->code || json_is(j, axis, "x")) && number_of(j, json_member(j, data, "value"), &e->value);
}

/* QEMU's wheel is two buttons, which do their work when they go down. */
static bool button_of(const struct json *j, uint32_t data, struct act *e)
{
	static const char *const names[BUTTONS] = { "left", "middle", "right", "side", "extra" };
	uint32_t button = json_member(j, data, "button");

	e->value = is_down(j, data);
	for (unsigned i = 0; i < BUTTONS; i++)
		if (json_is(j, button, names[i])) {
			e->code = (uint8_t)i;
			return true;
		}
	if (!json_is(j, button, "wheel-up") && !json_is(j, button, "wheel-down"))
		return false;
	*e = (struct act){ .kind = ACT_MOVE, .code = 2, .value = !e->value ? 0 : json_is(j, button, "wheel-up") ? 1 : -1 };
	return true;
}

static bool event_of(const struct json *j, uint32_t node, struct act *e)
{
	uint32_t type = json_member(j, node, "type"), data = json_member(j, node, "data");

	if (data == JSON_NONE || j->node[data].kind != JSON_OBJECT)
		return false;
	if (json_is(j, type, "key")) {
		*e = (struct act){ .kind = ACT_KEY, .code = (uint8_t)key_of(j, json_member(j, data, "key")), .value = is_down(j, data) };
		return e->code != 0;
	}
	if (json_is(j, type, "btn")) {
		e->kind = ACT_BUTTON;
		return button_of(j, data, e);
	}
	e->kind = json_is(j, type, "abs") ? ACT_PLACE : ACT_MOVE;
	return (e->kind == ACT_PLACE || json_is(j, type, "rel")) && axis_of(j, data, e) && (e->kind == ACT_MOVE || e->value >= 0);
}

bool typed_events(struct machine *m, const struct json *j, uint32_t events, struct error *err)
{
	struct act e[ACTS];
	unsigned n = 0;

	if (events == JSON_NONE || j->node[events].kind != JSON_ARRAY)
		return wrong(err, "events");
	for (uint32_t i = j->node[events].child; i != JSON_NONE; i = j->node[i].next) {
		if (n == ACTS || j->node[i].kind != JSON_OBJECT || !event_of(j, i, &e[n]))
			return wrong(err, "events");
		n++;
	}
	return give(m, e, n, err);
}
