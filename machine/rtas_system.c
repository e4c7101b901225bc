/* RTAS: console, clock, NVRAM, system parameters, power levels. PAPR, the calls by name. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "machine/nvram.h"
#include "machine/options.h"
#include "machine/rtas.h"
#include "machine/rtc.h"
#include "machine/vio_vty.h"

RTAS_FN(display_character)
{
	struct vty *vty = vty_find(cpu_machine(cpu), 0);
	uint8_t c = (uint8_t)in[0];

	if (!vty)
		return RTAS_HW_ERROR;
	vty_put(vty, &c, 1);
	return RTAS_SUCCESS;
}

/* No device moves data on its own. */
RTAS_FN(quiesce) { return RTAS_SUCCESS; }

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
	uint32_t offset = in[0], buffer = in[1], len = in[2];

	if (!m->nvram)
		return RTAS_HW_ERROR;
	if (!ram_ok(&m->ram, buffer, len) || !nvram_fetch(m->nvram, offset, m->ram.base + buffer, len))
		return RTAS_PARAM_ERROR;
	ram_written(&m->ram, buffer, len);
	out[0] = len;
	return RTAS_SUCCESS;
}

RTAS_FN(nvram_store)
{
	struct machine *m = cpu_machine(cpu);
	uint32_t offset = in[0], buffer = in[1], len = in[2];

	if (!m->nvram)
		return RTAS_HW_ERROR;
	if (!ram_ok(&m->ram, buffer, len) || !nvram_store(m->nvram, offset, m->ram.base + buffer, len))
		return RTAS_PARAM_ERROR;
	out[0] = len;
	return RTAS_SUCCESS;
}

/* ---- System parameters: 16 bits of length, then the value. PAPR, "System Parameters Option" ---- */
enum system_parameter {
	PARAM_SPLPAR_CHARACTERISTICS = 20,
	PARAM_DIAGNOSTICS_RUN_MODE = 42,
	PARAM_PROCESSOR_MODULE_INFO = 43,
	PARAM_UUID = 48,
	PARAM_LPAR_NAME = 55,
};
#define PARAM_MAX_SIZE 512
#define DIAGNOSTICS_DISABLED 0

/* Capacities in percent of a processor. Minima and steps are what a hypervisor would let an
 * administrator choose; these processors are dedicated and never change. */
static unsigned splpar_characteristics(const struct machine *m, char *buf, size_t size)
{
	unsigned cores = m->ncpus / m->threads;
	uint64_t mib = m->ram.size >> 20;

	return 1 + (unsigned)snprintf(buf, size,
		"BoundThrds=1,CapInc=1,DisWheRotPer=%u,MinEntCap=%u,MinEntCapPerVP=100,MinMem=%" PRIu64
		",MinProcs=%u,MaxEntCap=%u,MaxPlatProcs=%u,DesEntCap=%u,DesMem=%" PRIu64
		",DesProcs=%u,DesVarCapWt=0,DedDonMode=0",
		(unsigned)(TIMEBASE_HZ / 100), 100 * cores, mib, cores, 100 * cores, cores, 100 * cores, mib, cores);
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
	int n = m->options->name ? snprintf(buf, size, "%s", m->options->name) : -1;

	return n < 0 ? 0 : (size_t)n < size ? (unsigned)n + 1 : (unsigned)size;
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
	case PARAM_UUID:
		memcpy(buf, m->options->uuid, sizeof m->options->uuid);
		return m->options->has_uuid ? (int)sizeof m->options->uuid : 0;
	case PARAM_LPAR_NAME:
		return m->options->name ? (int)lpar_name(m, (char *)buf, PARAM_MAX_SIZE) : -1;
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
