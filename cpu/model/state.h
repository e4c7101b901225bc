/* The processor's state descriptions, for savevm/. */
#ifndef CPU_MODEL_STATE_H
#define CPU_MODEL_STATE_H

#include "savevm/vmstate.h"

extern const struct vmstate cpu_common_state, cpu_state, cede_cpu_state;	/* each of a struct cpu */
extern const struct vmstate cede_timing_state;	/* of what engine_held() gives */

#endif
