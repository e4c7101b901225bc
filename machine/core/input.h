/* What a user does with keys and pointers (host/act.h), on its way to the device that takes it. It comes at named points only, as
 * bytes for terminals do: see device_class.act. */
#ifndef MACHINE_CORE_INPUT_H
#define MACHINE_CORE_INPUT_H

#include <stdbool.h>

#include "machine/host/act.h"

struct machine;

/* What happens at one time: each goes to the first device that takes its kind. A machine that stands gets what is let go,
 * when it goes on, and nothing else, now or later. False: nobody takes one of them. */
bool machine_input(struct machine *m, const struct act *acts, unsigned n);
void machine_input_resumes(struct machine *m);	/* at each poll point: it may be the first one after it stood */
bool machine_takes(const struct machine *m, enum act_kind kind);

#endif
