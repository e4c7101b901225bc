#include "machine/core/input.h"

#include "machine/core/device.h"

/* The first device that takes events of that kind; NULL: none. */
static struct device *taker_of(const struct machine *m, enum act_kind kind)
{
	struct device *dev = m->devices;

	while (dev && !(dev->class->act_kinds >> kind & 1))
		dev = dev->next;
	return dev;
}

bool machine_takes(const struct machine *m, enum act_kind kind) { return taker_of(m, kind) != NULL; }

/* Each device gets its part of them at once. */
static void give(struct device *taker[], const struct act *acts, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct act part[ACTS];
		struct device *dev = taker[i];
		unsigned parts = 0;

		for (unsigned k = i; dev && k < n; k++)
			if (taker[k] == dev) {
				part[parts++] = acts[k];
				taker[k] = NULL;
			}
		if (dev)
			dev->class->act(dev, part, parts);
	}
}

/* ---- While it stands ---- */

static bool is_release(const struct act *a) { return (a->kind == ACT_KEY || (a->kind == ACT_BUTTON && a->code < BUTTONS)) && !a->value; }

static void keep_release(struct machine *m, const struct act *a)
{
	if (a->kind == ACT_KEY)
		m->keys_let_go[a->code / 8] |= (uint8_t)(1u << a->code % 8);
	else
		m->buttons_let_go |= (uint8_t)(1u << a->code);
	m->any_let_go = true;
}

/* One after the other: they need not be of one time. */
void machine_input_resumes(struct machine *m)
{
	if (!m->any_let_go || machine_clock_stands(m))
		return;
	m->any_let_go = false;
	for (unsigned i = 0; i < ACT_KEYS + BUTTONS; i++) {
		bool key = i < ACT_KEYS;
		struct act a = { .kind = key ? ACT_KEY : ACT_BUTTON, .code = (uint8_t)(key ? i : i - ACT_KEYS) };
		uint8_t *byte = key ? &m->keys_let_go[a.code / 8] : &m->buttons_let_go, bit = (uint8_t)(1u << a.code % 8);
		struct device *dev = *byte & bit ? taker_of(m, a.kind) : NULL;

		*byte &= (uint8_t)~bit;
		if (dev)
			dev->class->act(dev, &a, 1);
	}
}

bool machine_input(struct machine *m, const struct act *acts, unsigned n)
{
	struct device *taker[ACTS];
	bool all = true;

	n = n < ACTS ? n : ACTS;
	for (unsigned i = 0; i < n; i++) {
		taker[i] = taker_of(m, acts[i].kind);
		all &= taker[i] != NULL;
	}
	machine_input_resumes(m);
	if (!machine_clock_stands(m))
		give(taker, acts, n);
	else
		for (unsigned i = 0; i < n; i++)
			if (taker[i] && is_release(&acts[i]))
				keep_release(m, &acts[i]);
	return all;
}
