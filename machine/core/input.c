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
bool machine_input(struct machine *m, const struct act *acts, unsigned n)
{
	struct device *taker[ACTS];
	bool all = true;

	n = n < ACTS ? n : ACTS;
	for (unsigned i = 0; i < n; i++) {
		taker[i] = taker_of(m, acts[i].kind);
		all &= taker[i] != NULL;
	}
	for (unsigned i = 0; i < n && !machine_clock_stands(m); i++) {
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
	return all;
}
