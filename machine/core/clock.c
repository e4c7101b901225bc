/* The virtual clock: ordered events in cycles, and the tie to host time that makes an idle
 * machine sleep. Nothing here moves clock.now; the run loop does. */
#include "machine/core/clock.h"

/* How far host and virtual time may be apart when idling begins. Small enough that `sleep 1`
 * takes a second after a long computation, large enough that late wake-ups by the host are
 * caught up with instead of adding up. */
#define CLOCK_SLACK_NS UINT64_C(20000000)

uint64_t machine_now(struct machine *m)
{
	return m->running ? m->running->cycles : m->clock.now;
}

uint64_t machine_timebase(struct machine *m)
{
	struct cpu_clock *tb = &m->clock.tb;
	uint64_t ticks = machine_now(m) / CYCLES_PER_TICK + tb->tb_offset;

	/* Processors take turns, so one may be behind what another has already read. */
	if (ticks > tb->tb_floor)
		tb->tb_floor = ticks;
	return tb->tb_floor;
}

static void unlink_event(struct machine *m, struct event *event)
{
	struct event **p = &m->clock.events;

	while (*p && *p != event)
		p = &(*p)->next;
	if (*p) {
		*p = event->next;
		event->next = NULL;
	}
}

void event_restore(struct machine *m, struct event *event, uint64_t when)
{
	struct event **p = &m->clock.events;

	unlink_event(m, event);
	event->when = when;
	while (*p && (*p)->when <= when)
		p = &(*p)->next;
	event->next = *p;
	*p = event;
}

void event_schedule(struct machine *m, struct event *event, uint64_t when)
{
	uint64_t now = machine_now(m);

	if (when == UINT64_MAX) {
		event_cancel(m, event);
		return;
	}
	/* Never at this very cycle: an event that schedules itself again must let time pass. */
	event_restore(m, event, when > now ? when : now + 1);
	if (event->when < m->quantum_end)
		machine_kick(m);
}

void event_cancel(struct machine *m, struct event *event)
{
	unlink_event(m, event);
	event->when = UINT64_MAX;
}

uint64_t clock_next_event(const struct machine *m)
{
	return m->clock.events ? m->clock.events->when : UINT64_MAX;
}

void clock_fire_due(struct machine *m)
{
	struct event *event;

	while ((event = m->clock.events) && event->when <= m->clock.now) {
		m->clock.events = event->next;
		event->next = NULL;
		event->when = UINT64_MAX;
		event->fire(event->opaque);
	}
}

uint64_t cycles_to_ns(uint64_t cycles)
{
	return cycles / CPU_HZ * NSEC_PER_SEC + cycles % CPU_HZ * NSEC_PER_SEC / CPU_HZ;
}

uint64_t ns_to_cycles(uint64_t ns)
{
	uint64_t sec = ns / NSEC_PER_SEC;

	if (sec >= UINT64_MAX / CPU_HZ)
		return UINT64_MAX;
	return sec * CPU_HZ + ns % NSEC_PER_SEC * CPU_HZ / NSEC_PER_SEC;
}

void clock_init(struct machine *m, bool warp)
{
	m->clock.warp = warp;
	m->clock.wall_base_ns = host_ns();
	m->clock.wall_cycle = m->clock.now;
}

void clock_anchor(struct machine *m)
{
	uint64_t wall = host_ns(), due, now = m->clock.now;

	/* When the host's clock should show what the virtual one shows now. */
	due = m->clock.wall_base_ns + cycles_to_ns(now - m->clock.wall_cycle);
	if (due + CLOCK_SLACK_NS < wall)
		due = wall - CLOCK_SLACK_NS;
	else if (due > wall + CLOCK_SLACK_NS)
		due = wall + CLOCK_SLACK_NS;
	m->clock.wall_base_ns = due;
	m->clock.wall_cycle = now;
}

uint64_t clock_wall_cycle(const struct machine *m)
{
	uint64_t wall = host_ns(), base = m->clock.wall_base_ns;

	return m->clock.wall_cycle + (wall > base ? ns_to_cycles(wall - base) : 0);
}

uint64_t clock_wait_ns(const struct machine *m, uint64_t cycle)
{
	uint64_t wall, due;

	if (m->clock.warp || cycle <= m->clock.wall_cycle)
		return 0;
	wall = host_ns();
	due = m->clock.wall_base_ns + cycles_to_ns(cycle - m->clock.wall_cycle);
	return due > wall ? due - wall : 0;
}
