/* A processor that a snapshot has brought, perhaps from another model: each load asks, for a stream says what it likes. */
#ifndef CPU_MODEL_FIT_H
#define CPU_MODEL_FIT_H

#include "cpu/core/cpu.h"
#include "cpu/core/model.h"

/* What the model has no place for is as after power-on: nothing of it acts on a guest that cannot see it. */
void cpu_fit_model(struct cpu *cpu, const struct cpu_model *model);

#endif
