/* Guest real addresses behind which there are devices: who gets an access. */
#include "machine/core/mmio.h"

#include "machine/core/machine.h"

void mmio_add(struct machine *m, struct mmio_window *window)
{
	window->next = m->mmio;
	m->mmio = window;
}

void mmio_remove(struct machine *m, struct mmio_window *window)
{
	struct mmio_window **p = &m->mmio;

	while (*p && *p != window)
		p = &(*p)->next;
	if (*p)
		*p = window->next;
}

/* The window that all of the access lies in; NULL: none, or the access is none that a device takes. */
static const struct mmio_window *find_window(const struct machine *m, uint64_t gra, unsigned size)
{
	const struct mmio_window *w = m->mmio;

	if ((size != 1 && size != 2 && size != 4 && size != 8) || gra & (size - 1))
		return NULL;
	while (w && !(gra >= w->base && gra - w->base < w->size && size <= w->size - (gra - w->base)))
		w = w->next;
	return w;
}

bool mmio_load(struct machine *m, uint64_t gra, unsigned size, uint64_t *value)
{
	const struct mmio_window *w = find_window(m, gra, size);

	if (w)
		*value = w->load(w->opaque, gra - w->base, size);
	return w != NULL;
}

bool mmio_store(struct machine *m, uint64_t gra, unsigned size, uint64_t value)
{
	const struct mmio_window *w = find_window(m, gra, size);

	if (w)
		w->store(w->opaque, gra - w->base, size, value);
	return w != NULL;
}
