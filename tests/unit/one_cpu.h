/* A processor with its engine and memory, and no machine around: for what the engine does by itself. */
#ifndef TESTS_UNIT_ONE_CPU_H
#define TESTS_UNIT_ONE_CPU_H

#include <stdlib.h>
#include <string.h>

#include "cpu/engine/block.h"

struct rig {
	struct ram ram;
	struct cpu_clock clock;
	struct cpu_env env;
	struct engine *engine;
	struct cpu *cpu;
	uint64_t calls, called;		/* for the test's hypercall: how many, and the cycles at which they came, in one number */
};

/* `size` bytes of memory; `hypercall` answers. The processor has been reset, and runs from `nip` on. */
static inline void rig_make(struct rig *rig, uint64_t size, const char *timing, void (*hypercall)(struct cpu *), uint64_t nip)
{
	struct cpu *cpu = aligned_alloc(64, (sizeof *cpu + 63) & ~(size_t)63);

	memset(rig, 0, sizeof *rig);
	rig->ram = (struct ram){ .base = calloc(1, size), .size = size, .page = calloc(size >> RAM_PAGE_SHIFT, 1) };
	rig->env = (struct cpu_env){ .hypercall = hypercall, .ram = &rig->ram, .clock = &rig->clock };
	rig->engine = engine_new(&rig->ram, timing, P9, 1);
	rig->cpu = memset(cpu, 0, sizeof *cpu);
	cpu->env = &rig->env;
	cpu->machine_data = rig;
	engine_add_cpu(rig->engine, cpu);
	engine_charge(rig->engine, 1);
	cpu_reset(cpu);
	cpu->run_state = CPU_RUNNING;
	cpu->nip = nip;
}

static inline void rig_free(struct rig *rig)
{
	engine_free(rig->engine);
	free(rig->cpu);
	free(rig->ram.page);
	free(rig->ram.base);
}

static inline void put(struct rig *rig, uint32_t at, const uint32_t *words, unsigned n)
{
	ram_write(&rig->ram, at, words, n * sizeof words[0]);
}

#endif
