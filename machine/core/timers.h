/* Timers of devices: events that a snapshot carries, by the names of the device and of its timer. An event of nobody's
 * (one without a device) is the host's or a test's, and does not outlive the process. */
#ifndef MACHINE_CORE_TIMERS_H
#define MACHINE_CORE_TIMERS_H

#include "machine/core/device.h"

#define TIMER_NAME_MAX 64		/* bytes with the final NUL: "vty@71000000/tick" */
#define TIMERS_MAX     4096		/* in a snapshot */

/* One in a snapshot. */
struct saved_timer {
	uint8_t name[TIMER_NAME_MAX];	/* a string */
	uint64_t when;			/* cycle */
	struct saved_timer *next;	/* in the order in which they fire */
};

/* In a device's init(): `event` fires with the device, is called `name` among its timers (a constant), and goes when the
 * device does. To be scheduled and cancelled as any event. */
void timer_init(struct device *dev, struct event *event, const char *name, void (*fire)(void *dev));
void timers_forget(struct device *dev);		/* the device goes */
/* None is scheduled any more: before a reset, at the end. */
void timers_clear(struct machine *m);
/* After a load: schedules what it has found. False and err->msg set: a timer that no device here has. */
bool timers_restore(struct machine *m, struct error *err);

extern const struct vmstate timers_state;	/* of struct clock */

#endif
