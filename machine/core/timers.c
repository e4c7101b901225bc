/* Timers of devices by name, and the section of a snapshot that carries those that are scheduled. */
#include "machine/core/timers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void timer_init(struct device *dev, struct event *event, const char *name, void (*fire)(void *dev))
{
	struct clock *clock = &dev->machine->clock;

	*event = (struct event){ .when = UINT64_MAX, .fire = fire, .opaque = dev, .device = dev, .timer = name,
				 .next_timer = clock->timers };
	clock->timers = event;
}

void timers_forget(struct device *dev)
{
	struct event **p = dev->machine ? &dev->machine->clock.timers : NULL;

	while (p && *p) {
		struct event *event = *p;

		if (event->device == dev) {
			event_cancel(dev->machine, event);
			*p = event->next_timer;
		} else {
			p = &event->next_timer;
		}
	}
}

static void free_saved(struct clock *clock)
{
	struct saved_timer *t;

	while ((t = clock->saved_timers)) {
		clock->saved_timers = t->next;
		free(t);
	}
}

void timers_clear(struct machine *m)
{
	for (struct event *event = m->clock.timers; event; event = event->next_timer)
		event_cancel(m, event);
	free_saved(&m->clock);
}

/* ---- Names: of the device as its bus calls it, or of its class and number; then the timer's own ---- */

static void name_timer(const struct event *event, char name[TIMER_NAME_MAX])
{
	const struct device *dev = event->device;
	const struct bus_class *bus = dev->class->on;
	char path[TIMER_NAME_MAX * 3 / 4];	/* as a section's name has */

	if (bus && bus->path)
		bus->path(dev, path, sizeof path);
	else
		snprintf(path, sizeof path, "%s.%u", dev->class->name, (unsigned)dev->number);
	snprintf(name, TIMER_NAME_MAX, "%s/%s", path, event->timer);
}

static struct event *find_timer(const struct clock *clock, const uint8_t *name)
{
	char here[TIMER_NAME_MAX];
	struct event *event = clock->timers;

	for (; event; event = event->next_timer) {
		name_timer(event, here);
		if (!strcmp(here, (const char *)name))
			break;
	}
	return event;
}

bool timers_restore(struct machine *m, struct error *err)
{
	for (struct saved_timer *t = m->clock.saved_timers; t; t = t->next) {
		struct event *event = find_timer(&m->clock, t->name);

		if (!event) {
			error_set(err, "section cede/timers 0: no device here has a timer '%s'", (const char *)t->name);
			return false;
		}
		event_restore(m, event, t->when);
	}
	free_saved(&m->clock);
	return true;
}

/* ---- cede/timers ---- */

static bool any_scheduled(const void *s)
{
	for (const struct event *event = ((const struct clock *)s)->events; event; event = event->next)
		if (event->device)
			return true;
	return false;
}

static struct saved_timer *save_timer(const struct event *event)
{
	struct saved_timer *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	name_timer(event, (char *)t->name);
	t->when = event->when;
	return t;
}

/* Ends early if there is no memory: list_check() sees that one is missing. */
static void list_scheduled(void *s)
{
	struct clock *clock = s;
	struct saved_timer **end = &clock->saved_timers;

	free_saved(clock);
	for (const struct event *event = clock->events; event; event = event->next) {
		if (!event->device)
			continue;
		*end = save_timer(event);
		if (!*end)
			return;
		end = &(*end)->next;
	}
}

/* A load finds a machine in which nothing is scheduled yet. */
static bool list_check(const void *s, struct vms_walk *w)
{
	const struct clock *clock = s;
	const struct saved_timer *t = clock->saved_timers;
	unsigned missing = 0;

	for (const struct event *event = clock->events; event; event = event->next) {
		missing += event->device && !t;
		t = event->device && t ? t->next : t;
	}
	return !missing || vms_wrong(w, "timers", missing, "memory for all");
}

static bool name_ok(const struct saved_timer *t)
{
	size_t len = strnlen((const char *)t->name, TIMER_NAME_MAX);

	for (size_t i = 0; i < len; i++)
		if (t->name[i] <= ' ' || t->name[i] >= 0x7f)
			return false;
	return len && len < TIMER_NAME_MAX;
}

static bool timer_check(const void *s, struct vms_walk *w)
{
	return name_ok(s) || vms_wrong(w, "name", ((const struct saved_timer *)s)->name[0], "a name");
}

static const struct vmstate saved_timer_state = {
	.name = "cede/timers/timer", .version = 1, .min_version = 1, VMS_OF(struct saved_timer), .check = timer_check,
	.fields = VMS_FIELDS(
		VMS_BUFFER(struct saved_timer, name),
		VMS_U64_TO(struct saved_timer, when, UINT64_MAX - 1),
		VMS_SKIP(struct saved_timer, next, "its place in the list")),
};

/* Nothing is sent by a machine that has no timer running: streams of machines without timers are as before there were any. */
const struct vmstate timers_state = {
	.name = "cede/timers", .version = 1, .min_version = 1, VMS_OF(struct clock), .needed = any_scheduled,
	.pre_save = list_scheduled, .check = list_check,
	.fields = VMS_FIELDS(
		VMS_LIST("timers", struct clock, saved_timers, struct saved_timer, next, TIMERS_MAX, saved_timer_state)),
};
