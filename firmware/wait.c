/* Time that a call of the client interface takes: the disk that it asks, or the keyboard that has nothing to say. The
 * caller's processor is ceded meanwhile, as the machine's clock does not advance inside a call; an event wakes it up. */
#include "firmware/state.h"

#include "machine/core/clock.h"

static void wake(void *opaque)
{
	struct machine *m = opaque;
	struct firmware *fw = m->firmware;

	fw->wake_at = 0;
	m->cpu[fw->sleeper]->cpu.prodded = true;
	machine_kick(m);
}

void call_wait_init(struct machine *m)
{
	m->firmware->wake = (struct event){ .when = UINT64_MAX, .fire = wake, .opaque = m };
}

/* Only the first of several processors that are in calls at once waits: more than one is in none but a hostile guest's. */
void call_waits(struct cpu *cpu, uint64_t cycles)
{
	struct machine *m = cpu_machine(cpu);
	struct firmware *fw = m->firmware;

	if (fw->wake_at)
		return;
	fw->wake_at = cpu->cycles + cycles;
	fw->sleeper = cpu->index;
	event_schedule(m, &fw->wake, fw->wake_at);
	cpu->run_state = CPU_CEDED;
	cpu->halt = 1;
}
