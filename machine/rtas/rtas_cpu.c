/* RTAS: starting, stopping and ending things. PAPR, "start-cpu", "stop-self", "power-off",
 * "system-reboot", "ibm,os-term". */
#include <stdlib.h>
#include <string.h>

#include "cpu/core/spr.h"
#include "cpu/engine/tlb.h"
#include "machine/rtas/rtas.h"

#define STOPPED_STATE_STOPPED 0
#define STOPPED_STATE_RUNNING 2

/* What a started processor takes over from the caller. */
#define LPCR_INHERITED (LPCR_ILE | LPCR_AIL | LPCR_UPRT | LPCR_HR | LPCR_GTSE)

#define OS_TERM_MESSAGE_MAX 512		/* bytes with the final NUL */

/* A ceded processor runs as far as the guest is concerned. */
RTAS_FN(query_cpu_stopped_state)
{
	const struct spapr_cpu *target = machine_cpu(cpu_machine(cpu), in[0]);

	if (!target)
		return RTAS_PARAM_ERROR;
	out[0] = target->cpu.run_state == CPU_STOPPED ? STOPPED_STATE_STOPPED : STOPPED_STATE_RUNNING;
	return RTAS_SUCCESS;
}

/* Starts at a real address in 64-bit big-endian mode with the given r3. */
RTAS_FN(start_cpu)
{
	struct machine *m = cpu_machine(cpu);
	struct spapr_cpu *target = machine_cpu(m, in[0]);
	struct cpu *c;

	if (!target)
		return RTAS_PARAM_ERROR;
	c = &target->cpu;
	if (c->run_state != CPU_STOPPED)
		return RTAS_HW_ERROR;
	c->lpcr = (c->lpcr & ~LPCR_INHERITED) | (cpu->lpcr & LPCR_INHERITED);
	c->proc_tbl = cpu->proc_tbl;
	c->r[1] = c->r[4] = 0;
	c->r[3] = in[2];
	c->nip = in[1];
	c->resv_size = 0;
	c->ppr = (uint64_t)PRIORITY_MEDIUM << PPR_SHIFT;
	c->irq &= ~(uint32_t)IRQ_RESET;
	c->prodded = false;
	cpu_set_msr(c, MSR_SF | MSR_ME);
	cpu_forget_translations(c);	/* what it remembers is from under another LPCR and process table */
	cpu_context_changed(c);
	c->run_state = CPU_RUNNING;
	machine_kick(m);
	return RTAS_SUCCESS;
}

RTAS_FN(stop_self)
{
	cpu->run_state = CPU_STOPPED;
	cpu->halt = 1;
	return RTAS_NO_RETURN;
}

/* The arguments say which events may switch the power on again; there are none here. */
RTAS_FN(power_off)
{
	machine_request(cpu_machine(cpu), REQ_POWER_OFF, 0);
	return RTAS_SUCCESS;
}

RTAS_FN(system_reboot)
{
	machine_request(cpu_machine(cpu), REQ_RESET, 0);
	return RTAS_SUCCESS;
}

/* The guest's last words go to the user's terminal: nothing but plain characters. */
static char *copy_message(const struct ram *ram, uint64_t gra)
{
	char *text = malloc(OS_TERM_MESSAGE_MAX);
	unsigned n = 0;
	uint8_t c;

	if (!text)
		return NULL;
	while (n < OS_TERM_MESSAGE_MAX - 1 && (c = ld_u8(ram, gra + n)))
		text[n++] = (char)(c >= ' ' && c < 0x7f ? c : ' ');
	while (n && text[n - 1] == ' ')
		n--;
	text[n] = '\0';
	return text;
}

/* The call returns, so that the guest can reboot or dump as it sees fit. PAPR, "ibm,os-term", with
 * "ibm,extended-os-term" in /rtas. */
RTAS_FN(os_term)
{
	struct machine *m = cpu_machine(cpu);

	machine_gave_up(m, copy_message(&m->ram, in[0]));
	return RTAS_SUCCESS;
}
