/* Which registers an instruction reads and writes, and where in memory: what a timing model must know of it.
 *
 * Found from the row of the instruction table and the word alone. Registers that an instruction may or may not touch
 * (lswx by XER, sticky bits) are named. Power ISA 3.0B.
 */
#ifndef CPU_TIMING_USES_H
#define CPU_TIMING_USES_H

#include <stdbool.h>
#include <stdint.h>

/* Registers, by number. CA and OV stand for CA32 and OV32, too. */
enum {
	REG_GPR = 0,
	REG_VSR = 32,
	REG_CR = 96,		/* eight fields */
	REG_LR = 104, REG_CTR, REG_TAR,
	REG_CA, REG_OV, REG_SO,
	REG_COUNT,		/* XER's length of strings */
	REG_FPSCR, REG_VSCR,
	REG_SYSTEM,		/* MSR and all other special registers */
	NREGS
};

struct regset { uint64_t bits[2]; };

static inline bool regset_has(const struct regset *s, unsigned reg) { return s->bits[reg >> 6] >> (reg & 63) & 1; }
static inline void regset_add(struct regset *s, unsigned reg) { s->bits[reg >> 6] |= UINT64_C(1) << (reg & 63); }

enum { NO_BASE = 255 };

struct uses {
	struct regset read, written;
	struct regset address;	/* of those read: what forms an effective address */
	bool load, store;	/* of storage; a store of a register */
	bool update;		/* writes its address to the base */
	bool branch;
	/* The address as a name: equal names between which no part was written are equal addresses. */
	uint8_t base;		/* GPR, or NO_BASE */
	uint8_t index;		/* GPR, or NO_BASE: then base + displacement */
	int32_t displacement;
};

/* `row`: index of the row in cpu/table/insn.def; `insn`: see cpu/table/prefix.h. */
void uses_find(unsigned row, uint64_t insn, struct uses *out);

/* The rows by name, for those who tell instructions apart: ROW_add and so on. */
enum insn_row {
#define INSN(name, ...) ROW_##name,
#include "cpu/table/insn.def"
#undef INSN
	NROWS
};

struct row_facts {
	const char *name, *operands;
	uint64_t match, mask;
	uint32_t flags;			/* enum insn_flag */
	uint8_t since, unit;
};

extern const struct row_facts row_facts[NROWS];

#endif
