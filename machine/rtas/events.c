/* Environmental and power warnings (EPOW) and the calls that fetch them.
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

#define EPOW_SENSOR          9
#define EPOW_ACTION_NONE     0
#define EPOW_ACTION_SHUTDOWN 3
#define EPOW_NORMAL          1		/* why: no reason to hurry */
#define EPOW_PARTITION       1		/* whom: this partition only */

#define MAIN_A_SIZE 48
#define MAIN_B_SIZE 24
#define EPOW_SIZE   20

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

bool events_powerdown(struct machine *m)
{
	struct event_log *log = calloc(1, sizeof *log), **p = &m->event_logs;

	if (!log)
		return false;
	log->summary = EVENT_VERSION_6 | EVENT_SEVERITY_EVENT | EVENT_NOT_RECOVERED | EVENT_EXTENDED | EVENT_TYPE_EPOW;
	event_log_put_v6(log);
	put_main_a(m, log, 3);
	put_main_b(log);
	put_epow(log);
	while (*p)
		p = &(*p)->next;
	*p = log;
	irq_set(m, IRQ_EPOW, true);
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
	struct event_log *log = m->event_logs;
	uint64_t buffer = in[4];
	uint32_t room = in[5], body;

	/* Every log that there can be is of this class. */
	if (!log || !(in[2] & EVENT_MASK_EPOW))
		return RTAS_NO_ERRORS_FOUND;
	if (room < 8)
		return RTAS_PARAM_ERROR;
	body = room - 8 < log->len ? room - 8 : log->len;
	if (!ram_ok(&m->ram, buffer, 8 + (uint64_t)body))
		return RTAS_PARAM_ERROR;
	st_be32(&m->ram, buffer, log->summary);
	st_be32(&m->ram, buffer + 4, log->len);
	ram_write(&m->ram, buffer + 8, log->data, body);
	m->event_logs = log->next;
	free(log);
	/* PAPR wants the interrupt to stay as long as there is more; the source is an edge. */
	if (m->event_logs)
		irq_set(m, IRQ_EPOW, true);
	return RTAS_SUCCESS;
}

/* Reports nothing: logs here are for check-exception, and a guest's scan daemon would file them without shutting down.
 * It raises their interrupt again instead. */
RTAS_FN(event_scan)
{
	struct machine *m = cpu_machine(cpu);

	if (m->event_logs)
		irq_set(m, IRQ_EPOW, true);
	return RTAS_NO_ERRORS_FOUND;
}

RTAS_FN(get_sensor_state)
{
	if (in[0] != EPOW_SENSOR || in[1] != 0)
		return RTAS_NOT_SUPPORTED;
	out[0] = cpu_machine(cpu)->event_logs ? EPOW_ACTION_SHUTDOWN : EPOW_ACTION_NONE;
	return RTAS_SUCCESS;
}
