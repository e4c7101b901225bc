/* What gdb is told a processor has: a target description, and its registers by number. Features and names are gdb's own ("PowerPC
 * Features"); special registers are a feature of ours. Bytes of a register are in the order that the processor uses. */
#ifndef MACHINE_GDB_TARGET_H
#define MACHINE_GDB_TARGET_H

#include "cpu/core/cpu.h"

#define GDB_REGISTER 16u		/* bytes of one, at most */

unsigned gdb_registers(void);		/* how many */
/* How many bytes the register has; 0: there is none. */
unsigned gdb_register_get(struct cpu *cpu, unsigned number, bool little, uint8_t bytes[GDB_REGISTER]);
/* False: there is none, or it cannot be written. What follows from registers is to be settled: cpu_state_changed(). */
bool gdb_register_put(struct cpu *cpu, unsigned number, bool little, const uint8_t bytes[GDB_REGISTER]);
/* XML, to free(). NULL: out of memory. */
char *gdb_description(void);

#endif
