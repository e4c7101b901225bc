/* What a radix guest invalidates by instruction or hypercall: the TLBs and the timing models forget it together, on this
 * processor or everywhere. */
#ifndef CPU_ENGINE_FORGET_H
#define CPU_ENGINE_FORGET_H

#include "cpu/core/cpu.h"

void forget_all(struct cpu *cpu, bool everywhere);
void forget_pid(struct cpu *cpu, uint64_t pid, bool everywhere);
/* One page of 1 << shift bytes in that PID's space, at an address of whatever quadrant. */
void forget_page(struct cpu *cpu, uint64_t pid, uint64_t ea, unsigned shift, bool everywhere);

#endif
