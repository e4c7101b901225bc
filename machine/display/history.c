#include "machine/display/history.h"

#include <stdlib.h>
#include <string.h>

#include "hcall/dispatcher.h"
#include "machine/core/machine.h"

static const struct dtl_record *at(const struct history *h, uint64_t number) { return &h->ring[number % HISTORY_ROOM]; }

unsigned history_vp_of(const struct history *h, const struct dtl_record *r)
{
	return r->partition == PARTITION_LOAD ? h->cpus + r->vp : r->vp;
}

static void apply(struct history_vp *v, const struct dtl_record *r)
{
	v->state = r->state;
	v->physical = r->state == VP_RUNNING ? r->physical : PHYSICAL_NONE;
	v->since = r->cycle;
}

/* ---- As a reader ---- */

static void restart(struct transition_reader *reader, uint64_t cycle)
{
	struct history *h = (struct history *)reader;

	h->first = h->end;
	h->begins = h->until = cycle;
	for (unsigned i = 0; i < h->vps; i++)
		h->before[i] = (struct history_vp){ i < h->cpus ? VP_STOPPED : VP_CEDED, PHYSICAL_NONE, cycle };
	h->restarted(h);
}

static void take(struct transition_reader *reader, const struct dtl_record *r)
{
	struct history *h = (struct history *)reader;

	if (h->end - h->first == HISTORY_ROOM) {
		const struct dtl_record *oldest = at(h, h->first++);

		apply(&h->before[history_vp_of(h, oldest)], oldest);
		h->begins = oldest->cycle;
	}
	h->ring[h->end++ % HISTORY_ROOM] = *r;
}

static void synced(struct transition_reader *reader, uint64_t cycle)
{
	struct history *h = (struct history *)reader;

	h->until = cycle;
	h->came(h);
}

static void lost(struct transition_reader *reader) { restart(reader, ((struct history *)reader)->until); }

bool history_begin(struct history *h, struct machine *m, void (*restarted)(struct history *), void (*came)(struct history *))
{
	*h = (struct history){ .reader = { .restart = restart, .take = take, .synced = synced, .lost = lost }, .restarted = restarted, .came = came,
			       .cpus = m->ncpus, .vps = m->ncpus + m->dispatcher->partition[PARTITION_LOAD].n };
	h->ring = malloc(HISTORY_ROOM * sizeof *h->ring);
	h->before = calloc(h->vps, sizeof *h->before);
	h->now = calloc(h->vps, sizeof *h->now);
	if (h->ring && h->before && h->now && transitions_join(m, &h->reader))
		return true;
	free(h->ring);
	free(h->before);
	free(h->now);
	return false;
}

void history_end(struct history *h, struct machine *m)
{
	transitions_leave(m, &h->reader);
	free(h->ring);
	free(h->before);
	free(h->now);
}

/* ---- Questions ---- */

const struct dtl_record *history_record(const struct history *h, uint64_t number)
{
	return number >= h->first && number < h->end ? at(h, number) : NULL;
}

void history_spans(const struct history *h, uint64_t from, uint64_t to, void (*span)(void *opaque, const struct history_span *s),
		   void *opaque)
{
	from = from < h->begins ? h->begins : from;
	memcpy(h->now, h->before, h->vps * sizeof *h->now);
	for (uint64_t n = h->first; n < h->end + h->vps; n++) {
		const struct dtl_record *r = n < h->end ? at(h, n) : NULL;
		unsigned vp = r ? history_vp_of(h, r) : (unsigned)(n - h->end);
		struct history_vp *v = &h->now[vp];
		uint64_t until = r && r->cycle < to ? r->cycle : to, since = v->since < from ? from : v->since;

		if (since < until)
			span(opaque, &(struct history_span){ vp, (enum vp_state)v->state, v->state == VP_RUNNING ? v->physical : -1, since, until });
		if (r)
			apply(v, r);
	}
}

uint64_t history_state_at(const struct history *h, unsigned vp, uint64_t cycle)
{
	uint64_t found = HISTORY_NONE;

	for (uint64_t n = h->first; n < h->end && at(h, n)->cycle <= cycle; n++)
		if (history_vp_of(h, at(h, n)) == vp)
			found = n;
	return found;
}

uint64_t history_dispatch_at(const struct history *h, unsigned physical, uint64_t cycle)
{
	uint64_t found = HISTORY_NONE;

	for (uint64_t n = h->first; n < h->end && at(h, n)->cycle <= cycle; n++)
		if (at(h, n)->physical == physical)
			found = at(h, n)->state == VP_RUNNING ? n : HISTORY_NONE;
	return found;
}

static bool is_dispatch(const struct dtl_record *r) { return r->state == VP_RUNNING && r->partition == PARTITION_GUEST; }

uint64_t history_next_dispatch(const struct history *h, uint64_t number)
{
	uint64_t n = number == HISTORY_NONE || number < h->first ? h->first : number + 1;

	while (n < h->end && !is_dispatch(at(h, n)))
		n++;
	return n < h->end ? n : HISTORY_NONE;
}

uint64_t history_dispatch_before(const struct history *h, uint64_t number)
{
	for (uint64_t n = number < h->end ? number : h->end; n > h->first; n--)
		if (is_dispatch(at(h, n - 1)))
			return n - 1;
	return HISTORY_NONE;
}

static void tell_before(const struct history *h, uint64_t number, unsigned vp, struct history_story *s)
{
	struct history_vp v = h->before[vp];

	for (uint64_t n = h->first; n <= number; n++) {
		const struct dtl_record *r = at(h, n);

		if (history_vp_of(h, r) != vp)
			continue;
		if (v.state == VP_RUNNING) {
			s->ran_before = true;
			s->stopped_by = r->reason;
			memset(s->wait, 0, sizeof s->wait);
		} else {
			s->wait[vp_interval((enum vp_state)v.state)] += r->cycle - v.since;
		}
		apply(&v, r);
	}
}

bool history_story(const struct history *h, uint64_t number, struct history_story *s)
{
	const struct dtl_record *r = history_record(h, number);
	unsigned vp;

	if (!r)
		return false;
	*s = (struct history_story){ .record = *r, .ended = h->until };
	vp = history_vp_of(h, r);
	tell_before(h, number, vp, s);
	for (uint64_t n = number + 1; n < h->end && !s->over; n++)
		if (history_vp_of(h, at(h, n)) == vp) {
			s->over = true;
			s->ended = at(h, n)->cycle;
			s->ended_by = at(h, n)->reason;
		}
	return true;
}
