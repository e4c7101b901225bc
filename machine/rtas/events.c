/* Environmental and power warnings (EPOW), news of connectors (hot plug), and the calls that fetch them.
 *
 * A log waits in the machine until check-exception takes it; the interrupt of its class says
 * that there is one. Source: PAPR, "RTAS Error/Event Information Reporting", version 6 logs.
 */
#include "machine/rtas/events.h"

#include <stdlib.h>

#include "machine/irq/irq.h"
#include "machine/rtas/rtas.h"
#include "machine/rtas/rtc.h"

#define EVENT_MASK_EPOW PPC_BIT32(1)	/* classes, as check-exception's third argument names them */

#define EVENT_MASK_HOTPLUG PPC_BIT32(3)
#define LOGS_MOST 1000			/* that wait: as many as a snapshot may have, and some */

#define EPOW_ACTION_NONE     0
#define EPOW_ACTION_SHUTDOWN 3
#define EPOW_NORMAL          1		/* why: no reason to hurry */
#define EPOW_PARTITION       1		/* whom: this partition only */

#define MAIN_A_SIZE 48
#define MAIN_B_SIZE 24
#define EPOW_SIZE   20
#define HOTPLUG_SIZE 20

#define OV5_HOTPLUG_EVENTS 45		/* option vector 5, byte 6: the guest knows the interrupt of such events */

#define BY_INDEX         2		/* what the section names connectors by */
#define BY_COUNT_INDEXED 4

void event_log_put(struct event_log *log, uint64_t v, unsigned bytes)
{
	while (bytes-- && log->len < EVENT_LOG_MAX)
		log->data[log->len++] = (uint8_t)(v >> 8 * bytes);
}

void event_log_put_v6(struct event_log *log)
{
	event_log_put(log, 0x86, 1);		/* valid, new, big-endian */
	event_log_put(log, 0, 1);
	event_log_put(log, 0x8e, 1);		/* PowerPC format, platform event */
	event_log_put(log, 0, 8);
	event_log_put(log, 0, 1);
	event_log_put(log, 0x49424d00, 4);	/* "IBM" */
}

void event_log_put_section(struct event_log *log, const char id[2], unsigned len, uint8_t version)
{
	event_log_put(log, (uint8_t)id[0], 1);
	event_log_put(log, (uint8_t)id[1], 1);
	event_log_put(log, len, 2);
	event_log_put(log, version, 1);
	event_log_put(log, 0, 3);
}

static uint32_t to_bcd(uint32_t n) { return n / 10 % 10 << 4 | n % 10; }

/* Section "main A": who reports, and when. */
static void put_main_a(struct machine *m, struct event_log *log, unsigned sections)
{
	struct rtc_time t = rtc_read(m);

	event_log_put_section(log, "PH", MAIN_A_SIZE, 0);
	event_log_put(log, to_bcd(t.year / 100) << 24 | to_bcd(t.year % 100) << 16 | to_bcd(t.month) << 8 | to_bcd(t.day), 4);
	event_log_put(log, to_bcd(t.hour) << 24 | to_bcd(t.minute) << 16 | to_bcd(t.second) << 8, 4);
	event_log_put(log, 0, 8);
	event_log_put(log, 'H', 1);		/* creator: hypervisor */
	event_log_put(log, 0, 2);
	event_log_put(log, sections, 1);
	event_log_put(log, 0, 4);
	event_log_put(log, 0, 8);
	event_log_put(log, m->next_plid++, 4);
	event_log_put(log, 0, 4);
}

/* Section "main B": what kind of event it is. */
static void put_main_b(struct event_log *log)
{
	event_log_put_section(log, "UH", MAIN_B_SIZE, 0);
	event_log_put(log, 0xa0, 1);		/* subsystem: external environment */
	event_log_put(log, 0, 1);
	event_log_put(log, 0x00, 1);		/* informational */
	event_log_put(log, 0xd0, 1);		/* normal shutdown */
	event_log_put(log, 0, 8);
	event_log_put(log, 0, 4);
}

/* Section "EPOW": shut down, without haste. */
static void put_epow(struct event_log *log)
{
	event_log_put_section(log, "EP", EPOW_SIZE, 2);
	event_log_put(log, EPOW_ACTION_SHUTDOWN, 1);
	event_log_put(log, EPOW_NORMAL, 1);
	event_log_put(log, EPOW_PARTITION, 1);
	event_log_put(log, 0, 1);
	event_log_put(log, 0, 8);
}

/* Section "hot plug". */
static void put_hotplug(struct event_log *log, uint8_t event, uint32_t index, uint32_t count, bool add)
{
	event_log_put_section(log, "HP", HOTPLUG_SIZE, 1);
	event_log_put(log, event, 1);
	event_log_put(log, add ? 1 : 2, 1);
	event_log_put(log, count ? BY_COUNT_INDEXED : BY_INDEX, 1);
	event_log_put(log, 0, 1);
	event_log_put(log, count ? count : index, 4);
	event_log_put(log, count ? index : 0, 4);
}

/* ---- Classes: who is told of it. A guest that does not know the interrupt of hot plugging finds its events with EPOW's ---- */

static bool by_hotplug_irq(const struct machine *m, const struct event_log *log)
{
	return (log->summary & EVENT_TYPE_MASK) == EVENT_TYPE_HOTPLUG && m->ov5_cas[OV5_HOTPLUG_EVENTS / 64] >> OV5_HOTPLUG_EVENTS % 64 & 1;
}

static bool fits(const struct machine *m, const struct event_log *log, uint32_t mask)
{
	return mask & (by_hotplug_irq(m, log) ? EVENT_MASK_HOTPLUG : EVENT_MASK_EPOW);
}

static void raise_irq(struct machine *m, const struct event_log *log)
{
	irq_set(m, by_hotplug_irq(m, log) ? IRQ_HOTPLUG : IRQ_EPOW, true);
}

/* The first log of these classes; NULL: none. */
static struct event_log **find_log(struct machine *m, uint32_t mask)
{
	struct event_log **p = &m->event_logs;

	while (*p && !fits(m, *p, mask))
		p = &(*p)->next;
	return *p ? p : NULL;
}

/* A log with what all have in front. NULL: no memory, or nobody fetches them. */
static struct event_log *new_log(struct machine *m, uint32_t summary)
{
	struct event_log *log;
	unsigned n = 0;

	for (log = m->event_logs; log; log = log->next)
		n++;
	log = n < LOGS_MOST ? calloc(1, sizeof *log) : NULL;
	if (!log)
		return NULL;
	log->summary = EVENT_VERSION_6 | EVENT_SEVERITY_EVENT | EVENT_NOT_RECOVERED | EVENT_EXTENDED | summary;
	event_log_put_v6(log);
	put_main_a(m, log, 3);
	put_main_b(log);
	return log;
}

static void add_log(struct machine *m, struct event_log *log)
{
	struct event_log **p = &m->event_logs;

	while (*p)
		p = &(*p)->next;
	*p = log;
	raise_irq(m, log);
}

bool events_powerdown(struct machine *m)
{
	struct event_log *log = new_log(m, EVENT_TYPE_EPOW);

	if (!log)
		return false;
	put_epow(log);
	add_log(m, log);
	return true;
}

bool events_hotplug(struct machine *m, uint8_t event, uint32_t index, uint32_t count, bool add)
{
	struct event_log *log = new_log(m, EVENT_INITIATOR_HOTPLUG | EVENT_TYPE_HOTPLUG);

	if (!log)
		return false;
	put_hotplug(log, event, index, count, add);
	add_log(m, log);
	return true;
}

void events_clear(struct machine *m)
{
	struct event_log *log;

	while ((log = m->event_logs)) {
		m->event_logs = log->next;
		free(log);
	}
}

/* {vector, additional, event mask, critical, buffer, length [, additional 2]} */
RTAS_FN(check_exception)
{
	struct machine *m = cpu_machine(cpu);
	struct event_log **first = find_log(m, in[2]), *log = first ? *first : NULL;
	uint64_t buffer = in[4];
	uint32_t room = in[5], body;

	if (!log)
		return RTAS_NO_ERRORS_FOUND;
	if (room < 8)
		return RTAS_PARAM_ERROR;
	body = room - 8 < log->len ? room - 8 : log->len;
	if (!ram_ok(&m->ram, buffer, 8 + (uint64_t)body))
		return RTAS_PARAM_ERROR;
	st_be32(&m->ram, buffer, log->summary);
	st_be32(&m->ram, buffer + 4, log->len);
	ram_write(&m->ram, buffer + 8, log->data, body);
	*first = log->next;
	free(log);
	/* PAPR wants the interrupt to stay as long as there is more; the source is an edge. */
	first = find_log(m, in[2]);
	if (first)
		raise_irq(m, *first);
	return RTAS_SUCCESS;
}

/* Reports nothing: logs here are for check-exception, and a guest's scan daemon would file them without shutting down.
 * It raises their interrupt again instead. */
RTAS_FN(event_scan)
{
	struct machine *m = cpu_machine(cpu);

	for (const struct event_log *log = m->event_logs; log; log = log->next)
		raise_irq(m, log);
	return RTAS_NO_ERRORS_FOUND;
}

uint32_t events_epow(const struct machine *m)
{
	for (const struct event_log *log = m->event_logs; log; log = log->next)
		if ((log->summary & EVENT_TYPE_MASK) == EVENT_TYPE_EPOW)
			return EPOW_ACTION_SHUTDOWN;
	return EPOW_ACTION_NONE;
}
