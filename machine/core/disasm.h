/* Disassembly for people: -d in_asm. */
#ifndef MACHINE_CORE_DISASM_H
#define MACHINE_CORE_DISASM_H

#include <stdint.h>

struct machine;

/* Says at the start of -d in_asm if there will be no operands. */
void disasm_announce(struct machine *m);
/* Logs n instructions (in the processor's byte order) that lie at ea, one a line. With
 * capstone in full; without it the row's mnemonic and the word. */
void disasm_show(void *machine, uint64_t ea, const uint32_t *words, unsigned n);

#endif
