#include "hcall/transitions.h"

#include <stdlib.h>

#include "hcall/dispatcher.h"
#include "machine/core/machine.h"

struct transitions {
	struct transition_reader *readers;
	struct dtl_record *waiting;	/* of the present quantum */
	size_t n, room;
};

static bool make_room(struct transitions *t)
{
	size_t room = t->room ? 2 * t->room : 256;
	struct dtl_record *more = realloc(t->waiting, room * sizeof *more);

	if (!more)
		return false;
	t->waiting = more;
	t->room = room;
	return true;
}

void transitions_add(struct machine *m, const struct dtl_record *record)
{
	struct transitions *t = m->dispatcher->transitions;

	if (t->n < t->room || make_room(t)) {
		t->waiting[t->n++] = *record;
		return;
	}
	t->n = 0;
	for (struct transition_reader *r = t->readers; r; r = r->next)
		r->lost(r);
}

/* By cycle; records of the same cycle keep their order. An insertion sort, because few are out of place. */
static void sort_records(struct dtl_record *r, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct dtl_record one = r[i];
		size_t k = i;

		for (; k && r[k - 1].cycle > one.cycle; k--)
			r[k] = r[k - 1];
		r[k] = one;
	}
}

void transitions_sync(struct machine *m)
{
	struct transitions *t = m->dispatcher->transitions;

	sort_records(t->waiting, t->n);
	for (struct transition_reader *r = t->readers; r; r = r->next) {
		for (size_t i = 0; i < t->n; i++)
			r->take(r, &t->waiting[i]);
		r->synced(r, m->clock.now);
	}
	t->n = 0;
}

/* What a reader that comes in the midst of it all could not know. */
static void tell_states(struct machine *m, struct transition_reader *reader)
{
	const struct dispatcher *d = m->dispatcher;
	const struct partition *load = &d->partition[PARTITION_LOAD];
	struct dtl_record r = { .cycle = m->clock.now, .reason = VP_NONE };

	reader->restart(reader, m->clock.now);
	for (unsigned i = 0; i < m->ncpus + load->n; i++) {
		const struct vproc *vp = i < m->ncpus ? NULL : &load->vp[i - m->ncpus];
		const struct spapr_cpu *sc = vp ? NULL : m->cpu[i];

		r.state = vp ? vp->state : sc->vp.state;
		if (r.state == (vp ? VP_CEDED : VP_STOPPED))
			continue;
		r.vp = (uint16_t)(vp ? i - m->ncpus : i);
		r.partition = vp ? PARTITION_LOAD : PARTITION_GUEST;
		r.physical = r.state != VP_RUNNING ? PHYSICAL_NONE : vp ? (uint16_t)((unsigned)vp->phys * d->threads) : sc->vp.physical;
		r.srr0 = sc && r.state == VP_RUNNING ? sc->cpu.nip : 0;
		r.srr1 = sc && r.state == VP_RUNNING ? sc->cpu.msr : 0;
		reader->take(reader, &r);
	}
}

void transitions_restart(struct machine *m)
{
	struct transitions *t = m->dispatcher->transitions;

	t->n = 0;
	for (struct transition_reader *r = t->readers; r; r = r->next)
		tell_states(m, r);
}

bool transitions_join(struct machine *m, struct transition_reader *reader)
{
	struct dispatcher *d = m->dispatcher;

	if (!d->transitions && !(d->transitions = calloc(1, sizeof *d->transitions)))
		return false;
	transitions_sync(m);
	reader->next = d->transitions->readers;
	d->transitions->readers = reader;
	tell_states(m, reader);
	return true;
}

void transitions_leave(struct machine *m, struct transition_reader *reader)
{
	struct transition_reader **at = &m->dispatcher->transitions->readers;

	while (*at != reader)
		at = &(*at)->next;
	*at = reader->next;
	if (!m->dispatcher->transitions->readers)
		transitions_free(m);
}

void transitions_free(struct machine *m)
{
	struct dispatcher *d = m->dispatcher;

	if (d->transitions)
		free(d->transitions->waiting);
	free(d->transitions);
	d->transitions = NULL;
}
