/* Hints for saving energy, and the names of processors in them. */
#ifndef HCALL_ENERGY_H
#define HCALL_ENERGY_H

#include "machine/core/drc.h"
#include "machine/core/machine.h"

/* A processor's name between guest, hypervisor and RTAS: kind of connector and number. Numbers that a
 * guest keeps: QEMU's. PAPR, "ibm,drc-indexes". */
static inline uint32_t energy_drc_index(const struct spapr_cpu *first_thread)
{
	return DRC_CPU | first_thread->cpu.pir;
}

#endif
