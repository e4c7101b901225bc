/* A reset: each register that a guest can read is as after power-on, whatever was in it; who the processor is stays. */
#include <stdarg.h>
#include <stddef.h>

#include "check.h"
#include "cpu/core/cpu.h"

static const struct { const char *name; size_t offset, size; } rows[] = {
#define SPR(number, name, on, problem, privileged, read, write, field, facility) \
	{ #name, offsetof(struct cpu, field), sizeof ((struct cpu *)0)->field },
#include "cpu/table/spr.def"
#undef SPR
};

static bool stays(const char *name)
{
	return !strcmp(name, "PVR") || !strcmp(name, "PIR") || !strcmp(name, "TIR");
}

static _Alignas(64) struct cpu clean, used;

int main(void)
{
	struct cpu_clock clock = { 0 };
	const struct cpu_env env = { .clock = &clock };

	clean.env = used.env = &env;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		memset((uint8_t *)&used + rows[i].offset, 0x5a, rows[i].size);
	cpu_reset(&clean);
	cpu_reset(&used);
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		bool same = !memcmp((uint8_t *)&used + rows[i].offset, (uint8_t *)&clean + rows[i].offset, rows[i].size);

		check(same != stays(rows[i].name), "%s-%s", rows[i].name, stays(rows[i].name) ? "stays" : "is-reset");
	}
	check_eq(clean.dec_expires, 0x80000000, "DEC");
	check_eq(clean.nip, VEC_SYSTEM_RESET, "NIP");
	return check_done();
}
