/* Reads what -timing says. */
#include "cpu/timing/timing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/core/cpu.h"
#include "cpu/timing/pipeline.h"

#define INTERRUPT_CYCLES 40		/* estimated: no measurement tells it from the handler's own */

static const struct {
	const char *name;
	enum timing_part part;
} parts[] = {
	{ "caches", TIMING_CACHES }, { "branches", TIMING_BRANCHES }, { "tlb", TIMING_TLB }, { "smt", TIMING_SMT },
};

/* A core's clock is a multiple of 1/24 of the machine's, so that a cycle of either is a whole number of units: it is at most
 * 21 MHz from what was meant. */
static void set_clock(struct timing *timing, unsigned mhz)
{
	timing->mhz = mhz;
	timing->per_cycle = (unsigned)(((uint64_t)mhz * 1000000 * UNITS_PER_CYCLE + CPU_HZ / 2) / CPU_HZ);
}

uint64_t timing_hz(const struct timing *timing)
{
	return timing->core ? timing->per_cycle * CPU_HZ / UNITS_PER_CYCLE : CPU_HZ;
}

static bool read_clock(struct timing *timing, const char *text, size_t len)
{
	unsigned mhz = 0;
	size_t i;

	if (len < strlen("freq=") || strncmp(text, "freq=", strlen("freq=")))
		return false;
	for (i = strlen("freq="); i < len && text[i] >= '0' && text[i] <= '9' && mhz <= TIMING_MHZ_MOST; i++)
		mhz = mhz * 10 + (unsigned)(text[i] - '0');
	if (i != len || mhz < TIMING_MHZ_LEAST || mhz > TIMING_MHZ_MOST)
		return false;
	set_clock(timing, mhz);
	return true;
}

uint32_t timing_number(const struct core_model *core) { return (uint32_t)strtoul(core->name + strlen("power"), NULL, 10); }

static bool read_part(struct timing *timing, const char *text, size_t len)
{
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		size_t n = strlen(parts[i].name);

		if (len > n && !strncmp(text, parts[i].name, n) && text[n] == '=') {
			const char *value = text + n + 1;
			size_t left = len - n - 1;

			if (left == 2 && !strncmp(value, "on", 2))
				timing->parts |= parts[i].part;
			else if (left == 3 && !strncmp(value, "off", 3))
				timing->parts &= ~(unsigned)parts[i].part;
			else
				return false;
			return true;
		}
	}
	return false;
}

bool timing_parse(const char *text, struct timing *timing, char *why, size_t size)
{
	size_t len = strcspn(text, ",");
	char name[16];

	*timing = (struct timing){ .per_cycle = 1 };
	snprintf(name, sizeof name, "%.*s", len < sizeof name ? (int)len : 0, text);
	timing->core = strchr(name, '-') ? NULL : core_model_find(name);	/* with LLVM's figures: for comparison only */
	if (!timing->core && strcmp(name, "flat")) {
		snprintf(why, size, "no such model '%.*s' (there are flat, power8, power9, power10)", (int)(len > 60 ? 60 : len), text);
		return false;
	}
	if (timing->core) {
		timing->parts = TIMING_ALL;
		set_clock(timing, timing->core->mhz);
		timing->interrupt = INTERRUPT_CYCLES * UNITS_PER_CYCLE;
	}
	for (text += len; *text; text += len) {
		text++;
		len = strcspn(text, ",");
		if (!timing->core || (!read_part(timing, text, len) && !read_clock(timing, text, len))) {
			snprintf(why, size, timing->core ? "'%.*s' is not caches=, branches=, tlb= or smt= with on or off, or freq= with 500 to 8000 MHz" :
				 "'%.*s': flat has no parts and no clock of its own", (int)(len > 60 ? 60 : len), text);
			return false;
		}
	}
	return true;
}
