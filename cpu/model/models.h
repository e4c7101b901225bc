/* The models of processors that there are. */
#ifndef CPU_MODEL_MODELS_H
#define CPU_MODEL_MODELS_H

#include "cpu/core/model.h"

/* The first is the default; NULL ends them. */
extern const struct cpu_model *const cpu_models[];

/* By name or alias, in whatever case; "max", as QEMU has it, is the default. NULL: there is none. */
const struct cpu_model *cpu_model_find(const char *name);

#endif
