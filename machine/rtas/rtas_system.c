/* RTAS: console, clock, NVRAM, system parameters, power levels. PAPR, the calls by name. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "hcall/dispatcher.h"
#include "machine/core/config.h"
#include "machine/rtas/rtas.h"
#include "machine/rtas/rtc.h"
#include "machine/vio/nvram.h"
#include "machine/vio/vio_vty.h"

RTAS_FN(display_character)
{
	struct vty *vty = vty_find(cpu_machine(cpu), 0);
	uint8_t c = (uint8_t)in[0];

	if (!vty)
		return RTAS_HW_ERROR;
	vty_put(vty, &c, 1);
	return RTAS_SUCCESS;
}

RTAS_FN(get_time_of_day)
{
	struct rtc_time t = rtc_read(cpu_machine(cpu));
	const uint32_t cells[] = { t.year, t.month, t.day, t.hour, t.minute, t.second, t.ns };

	memcpy(out, cells, sizeof cells);
	return RTAS_SUCCESS;
}

RTAS_FN(set_time_of_day)
{
	struct rtc_time t = { in[0], in[1], in[2], in[3], in[4], in[5], in[6] };

	return rtc_set(cpu_machine(cpu), &t) ? RTAS_SUCCESS : RTAS_PARAM_ERROR;
}

/* ---- NVRAM: {offset, buffer, length}; gives the length done ---- */

RTAS_FN(nvram_fetch)
{
	struct machine *m = cpu_machine(cpu);
	struct nvram *nvram = nvram_find(m);
	uint32_t offset = in[0], buffer = in[1], len = in[2];

	if (!nvram)
		return RTAS_HW_ERROR;
	if (!ram_ok(&m->ram, buffer, len) || !nvram_fetch(nvram, offset, m->ram.base + buffer, len))
		return RTAS_PARAM_ERROR;
	ram_written(&m->ram, buffer, len);
	out[0] = len;
	return RTAS_SUCCESS;
}

RTAS_FN(nvram_store)
{
	struct machine *m = cpu_machine(cpu);
	struct nvram *nvram = nvram_find(m);
	uint32_t offset = in[0], buffer = in[1], len = in[2];

	if (!nvram)
		return RTAS_HW_ERROR;
	if (!ram_ok(&m->ram, buffer, len) || !nvram_store(nvram, offset, m->ram.base + buffer, len))
		return RTAS_PARAM_ERROR;
	out[0] = len;
	return RTAS_SUCCESS;
}

/* ---- System parameters: 16 bits of length, then the value. PAPR, "System Parameters Option" ---- */
enum system_parameter {
	PARAM_SPLPAR_CHARACTERISTICS = 20,
	PARAM_DIAGNOSTICS_RUN_MODE = 42,
	PARAM_PROCESSOR_MODULE_INFO = 43,
	PARAM_CEDE_LATENCY = 45,
	PARAM_UUID = 48,
	PARAM_LPAR_NAME = 55,
};
#define PARAM_MAX_SIZE 512
#define DIAGNOSTICS_DISABLED 0

/* The SPLPAR characteristics: what an administrator has chosen for this partition, and the limits within which it can
 * be changed while it runs. Capacities in percent of a processor, memory in MiB, the dispatch wheel in
 * timebase ticks. */
struct splpar {
	unsigned increment, wheel, min_capacity, min_per_vp, max_capacity, platform, capacity, weight, donates;
};

/* Whole processors, no wheel, nothing to vary but how many there are; idle ones may be lent (VPA, donate bit). PAPR,
 * "SPLPAR Characteristics Definitions": with an increment of 100 the wheel's period is 0. */
static struct splpar dedicated_characteristics(const struct machine *m)
{
	unsigned procs = m->dispatcher->procs, wanted = POOL_UNIT * (m->config->cpus / m->threads);

	return (struct splpar){
		.increment = POOL_UNIT, .min_capacity = wanted, .min_per_vp = POOL_UNIT, .max_capacity = POOL_UNIT * procs,
		.platform = procs, .capacity = wanted, .donates = 1,
	};
}

/* Capacity and weight are those of -pool, whatever H_SET_PPP has made of them since. */
static struct splpar shared_characteristics(const struct machine *m)
{
	const struct dispatcher *d = m->dispatcher;
	const struct pool_config *o = &m->config->pool;

	return (struct splpar){
		.increment = 1, .wheel = (unsigned)(d->window / CYCLES_PER_TICK),
		.min_capacity = dispatcher_min_entitlement(m), .min_per_vp = 1,
		.max_capacity = dispatcher_max_entitlement(m), .platform = d->procs,
		.capacity = o->entitlement, .weight = o->capped ? 0 : o->weight,
	};
}

/* The threads of a core are dispatched together; processors and memory stay as many. */
static unsigned splpar_characteristics(const struct machine *m, char *buf, size_t size)
{
	struct splpar c = m->dispatcher->shared ? shared_characteristics(m) : dedicated_characteristics(m);
	unsigned cores = m->config->cpus / m->threads;
	uint64_t mib = m->ram.size >> 20;

	return 1 + (unsigned)snprintf(buf, size,
		"BoundThrds=1,CapInc=%u,DisWheRotPer=%u,MinEntCap=%u,MinEntCapPerVP=%u,MinMem=%" PRIu64
		",MinProcs=%u,MaxEntCap=%u,MaxPlatProcs=%u,DesEntCap=%u,DesMem=%" PRIu64
		",DesProcs=%u,DesVarCapWt=%u,DedDonMode=%u",
		c.increment, c.wheel, c.min_capacity, c.min_per_vp, mib, cores, c.max_capacity, c.platform,
		c.capacity, mib, cores, c.weight, c.donates);
}

/* A ceded processor wakes at the end of the quantum in which it is woken, by all that PAPR lets wake it, whatever the
 * latency hint in its VPA. So hints 0 and 1, which the energy management option demands, have the same latency. Each
 * record: hint, 8 bytes of timebase ticks, 1 (external interrupts wake it). */
#define CEDE_RECORD  10			/* bytes */
#define CEDE_HINTS   2
#define CEDE_LATENCY (MACHINE_QUANTUM / CYCLES_PER_TICK)

static unsigned cede_latencies(uint8_t *buf)
{
	uint8_t *record = buf + 1;

	buf[0] = CEDE_RECORD - 1;
	for (unsigned hint = 0; hint < CEDE_HINTS; hint++, record += CEDE_RECORD) {
		record[0] = (uint8_t)hint;
		for (unsigned i = 0; i < 8; i++)
			record[1 + i] = (uint8_t)(CEDE_LATENCY >> (56 - 8 * i));
		record[9] = 1;
	}
	*record = 0;
	return 1 + CEDE_HINTS * CEDE_RECORD + 1;
}

/* Big-endian 16-bit: one kind of module; one socket of it, one chip, and its cores. */
static unsigned processor_module_info(const struct machine *m, uint8_t *buf)
{
	unsigned cores = m->ncpus / m->threads;
	const uint8_t info[] = { 0, 1, 0, 1, 0, 1, (uint8_t)(cores >> 8), (uint8_t)cores };

	memcpy(buf, info, sizeof info);
	return sizeof info;
}

static unsigned lpar_name(const struct machine *m, char *buf, size_t size)
{
	size_t len = 1 + (size_t)snprintf(buf, size, "%s", config_name(m->config));

	return (unsigned)(len < size ? len : size);
}

/* Bytes of the value put into `buf`, or -1: no such parameter. */
static int read_parameter(const struct machine *m, uint32_t parameter, uint8_t buf[PARAM_MAX_SIZE])
{
	switch (parameter) {
	case PARAM_SPLPAR_CHARACTERISTICS:
		return (int)splpar_characteristics(m, (char *)buf, PARAM_MAX_SIZE);
	case PARAM_DIAGNOSTICS_RUN_MODE:
		buf[0] = DIAGNOSTICS_DISABLED;
		return 1;
	case PARAM_PROCESSOR_MODULE_INFO:
		return (int)processor_module_info(m, buf);
	case PARAM_CEDE_LATENCY:
		return (int)cede_latencies(buf);
	case PARAM_UUID:
		memcpy(buf, m->config->uuid, sizeof m->config->uuid);
		return m->config->has_uuid ? (int)sizeof m->config->uuid : 0;
	case PARAM_LPAR_NAME:
		return (int)lpar_name(m, (char *)buf, PARAM_MAX_SIZE);
	}
	return -1;
}

RTAS_FN(get_system_parameter)
{
	struct machine *m = cpu_machine(cpu);
	uint32_t buffer = in[1], room = in[2], fits;
	uint8_t value[PARAM_MAX_SIZE];
	int len = read_parameter(m, in[0], value);

	if (len < 0)
		return RTAS_NOT_SUPPORTED;
	if (room < 2)
		return RTAS_SYSPARM_PARAM_ERROR;
	fits = room - 2 < (uint32_t)len ? room - 2 : (uint32_t)len;
	if (!ram_ok(&m->ram, buffer, 2 + (uint64_t)fits))
		return RTAS_SYSPARM_PARAM_ERROR;
	st_be16(&m->ram, buffer, (uint16_t)len);
	ram_write(&m->ram, buffer + UINT64_C(2), value, fits);
	return RTAS_SUCCESS;
}

RTAS_FN(set_system_parameter)
{
	uint8_t value[PARAM_MAX_SIZE];

	return read_parameter(cpu_machine(cpu), in[0], value) < 0 ? RTAS_NOT_SUPPORTED : RTAS_NOT_AUTHORIZED;
}

/* ---- Power domains: one, always on ---- */
#define POWER_DOMAIN_LIVE UINT32_MAX
#define POWER_LEVEL_FULL  100

static int32_t power_level(uint32_t domain, uint32_t *level)
{
	if (domain != POWER_DOMAIN_LIVE)
		return RTAS_NOT_SUPPORTED;
	*level = POWER_LEVEL_FULL;
	return RTAS_SUCCESS;
}

RTAS_FN(set_power_level) { return power_level(in[0], &out[0]); }
RTAS_FN(get_power_level) { return power_level(in[0], &out[0]); }
