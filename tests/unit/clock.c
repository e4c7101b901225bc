/* The event queue: order, ties, rescheduling from within, and the units of time. */
#include <stdarg.h>

#include "check.h"
#include "machine/core/clock.h"

struct record {
	struct machine *m;
	struct event event;
	struct record *again;		/* to schedule when fired */
	uint64_t again_at;
	char name, *log;
};

static void fired(void *opaque)
{
	struct record *r = opaque;

	r->log[strlen(r->log)] = r->name;
	if (r->again)
		event_schedule(r->m, &r->again->event, r->again_at);
}

static void test_order(struct machine *m)
{
	char log[64] = "";
	struct record r[5];

	for (unsigned i = 0; i < 5; i++)
		r[i] = (struct record){ .m = m, .name = (char)('a' + i), .log = log,
					.event = { .when = UINT64_MAX, .fire = fired, .opaque = &r[i] } };
	check_eq(clock_next_event(m), UINT64_MAX, "empty");
	event_schedule(m, &r[2].event, 300);
	event_schedule(m, &r[0].event, 100);
	event_schedule(m, &r[1].event, 200);
	check_eq(clock_next_event(m), 100, "earliest-first");
	m->clock.now = 99;
	clock_fire_due(m);
	check(!*log, "not-before-its-cycle");
	m->clock.now = 100;
	clock_fire_due(m);
	check(!strcmp(log, "a"), "at-its-cycle");
	m->clock.now = 1000;
	clock_fire_due(m);
	check(!strcmp(log, "abc"), "in-order");
	check_eq(r[0].event.when, UINT64_MAX, "fired-is-not-scheduled");

	memset(log, 0, sizeof log);
	for (unsigned i = 0; i < 4; i++)
		event_schedule(m, &r[(i * 3 + 1) % 4].event, 2000);
	m->clock.now = 2000;
	clock_fire_due(m);
	check(!strcmp(log, "badc"), "ties-in-order-of-scheduling: %s", log);

	memset(log, 0, sizeof log);
	event_schedule(m, &r[0].event, 3000);
	event_schedule(m, &r[1].event, 3001);
	event_schedule(m, &r[0].event, 3002);
	event_cancel(m, &r[4].event);
	m->clock.now = 4000;
	clock_fire_due(m);
	check(!strcmp(log, "ba"), "moved-fires-once: %s", log);

	memset(log, 0, sizeof log);
	event_schedule(m, &r[0].event, 5000);
	event_schedule(m, &r[1].event, 5001);
	event_cancel(m, &r[0].event);
	event_cancel(m, &r[0].event);
	check_eq(clock_next_event(m), 5001, "cancelled");
	event_cancel(m, &r[1].event);
	check_eq(clock_next_event(m), UINT64_MAX, "all-cancelled");
	event_schedule(m, &r[0].event, UINT64_MAX);
	check(!m->clock.events, "never-is-no-event");

	memset(log, 0, sizeof log);
	r[0].again = &r[1];
	r[0].again_at = 6000;
	event_schedule(m, &r[0].event, 6000);
	m->clock.now = 6000;
	clock_fire_due(m);
	check(!strcmp(log, "a") && clock_next_event(m) == 6001, "time-passes-before-the-next");
	event_schedule(m, &r[2].event, 5);
	check_eq(clock_next_event(m), 6001, "the-past-is-the-next-cycle");
	m->clock.now = 6001;
	clock_fire_due(m);
	check(!strcmp(log, "abc"), "then-both");
}

/* Against a plain sorted list. */
static void test_random(struct machine *m)
{
	enum { N = 64 };
	static struct record r[N];
	static char log[4096];
	uint64_t seed = 1, when[N];
	bool ok = true;

	for (unsigned i = 0; i < N; i++) {
		r[i] = (struct record){ .m = m, .name = 'x', .log = log,
					.event = { .when = UINT64_MAX, .fire = fired, .opaque = &r[i] } };
		when[i] = UINT64_MAX;
	}
	for (unsigned step = 0; step < 4000; step++) {
		unsigned i = (unsigned)(check_random(&seed) % N);
		uint64_t next = UINT64_MAX;

		if (check_random(&seed) % 4) {
			when[i] = m->clock.now + 1 + check_random(&seed) % 100;
			event_schedule(m, &r[i].event, when[i]);
		} else {
			when[i] = UINT64_MAX;
			event_cancel(m, &r[i].event);
		}
		for (unsigned j = 0; j < N; j++)
			if (when[j] < next)
				next = when[j];
		ok &= clock_next_event(m) == next;
		if (check_random(&seed) % 8 == 0 && next != UINT64_MAX) {
			unsigned due = 0;

			m->clock.now = next;
			memset(log, 0, sizeof log);
			clock_fire_due(m);
			for (unsigned j = 0; j < N; j++)
				if (when[j] == next) {
					when[j] = UINT64_MAX;
					due++;
				}
			ok &= strlen(log) == due;
		}
	}
	check(ok, "random");
	for (unsigned i = 0; i < N; i++)
		event_cancel(m, &r[i].event);
}

static void test_units(struct machine *m)
{
	check_eq(cycles_to_ns(CPU_HZ), NSEC_PER_SEC, "a-second");
	check_eq(ns_to_cycles(NSEC_PER_SEC), CPU_HZ, "a-second-back");
	check_eq(ns_to_cycles(UINT64_MAX) > UINT64_C(1) << 62, 1, "ns-never-wraps");
	check_eq(cycles_to_ns(UINT64_C(3600) * 24 * 365 * 100 * CPU_HZ), UINT64_C(3600) * 24 * 365 * 100 * NSEC_PER_SEC,
		 "a-century");
	check_eq(TIMEBASE_HZ * CYCLES_PER_TICK, CPU_HZ, "ticks");
	clock_init(m, true);
	check_eq(clock_wait_ns(m, m->clock.now + CPU_HZ), 0, "warp-never-waits");
	clock_init(m, false);
	check(clock_wait_ns(m, m->clock.now + CPU_HZ) > NSEC_PER_SEC / 2, "wall-waits");
	check_eq(clock_wait_ns(m, m->clock.now), 0, "no-wait-for-the-past");
}

int main(void)
{
	struct machine *m = calloc(1, sizeof *m);

	if (!m)
		return EXIT_FAILURE;
	test_order(m);
	test_random(m);
	test_units(m);
	free(m);
	return check_done();
}
