#include "machine/core/input.h"

#include "machine/core/device.h"

/* The first device that takes events of that kind; NULL: none. */
static struct device *taker_of(const struct machine *m, enum input_kind kind)
{
	struct device *dev = m->devices;

	while (dev && !(dev->class->input_kinds >> kind & 1))
		dev = dev->next;
	return dev;
}

/* Each device gets its part of them at once. */
bool machine_input(struct machine *m, const struct input_event *events, unsigned n)
{
	struct device *taker[INPUT_FRAME];
	bool all = true;

	n = n < INPUT_FRAME ? n : INPUT_FRAME;
	for (unsigned i = 0; i < n; i++) {
		taker[i] = taker_of(m, events[i].kind);
		all &= taker[i] != NULL;
	}
	for (unsigned i = 0; i < n; i++) {
		struct input_event part[INPUT_FRAME];
		struct device *dev = taker[i];
		unsigned parts = 0;

		for (unsigned k = i; dev && k < n; k++)
			if (taker[k] == dev) {
				part[parts++] = events[k];
				taker[k] = NULL;
			}
		if (dev)
			dev->class->input(dev, part, parts);
	}
	return all;
}
