/* VMX inserts and extracts by a number in a register, and shifts of two registers: POWER10's.
 *
 * Bytes are numbered from the left, or in the right-indexed (rx) twins from the right, as the host's are. An element that
 * would end past the register is undefined: nothing is inserted, zero is extracted.
 * Source: Power ISA 3.1, Book I, 6.8.
 */
#include "cpu/vector/vmx.h"

static inline __attribute__((always_inline)) void insert(union vreg *t, uint64_t v, unsigned right, unsigned size)
{
	if (right <= 16 - size)
		__builtin_memcpy(&t->b[right], &v, size);
}

/* `size` bytes; `from`: what is inserted; `index`: a number from the left. */
#define OP_INSERT_LEFT(name, size, from, index) OP(name) { insert(&VRT, from, 16 - (size) - (unsigned)(index), size); }
#define OP_INSERT_RIGHT(name, size, from, index) OP(name) { insert(&VRT, from, (unsigned)(index), size); }

OP_INSERT_LEFT(vinsw, 4, RB, IMM)
OP_INSERT_LEFT(vinsd, 8, RB, IMM)
OP_INSERT_LEFT(vinsblx, 1, RB, RA & 15)
OP_INSERT_LEFT(vinshlx, 2, RB, RA & 15)
OP_INSERT_LEFT(vinswlx, 4, RB, RA & 15)
OP_INSERT_LEFT(vinsdlx, 8, RB, RA & 15)
OP_INSERT_RIGHT(vinsbrx, 1, RB, RA & 15)
OP_INSERT_RIGHT(vinshrx, 2, RB, RA & 15)
OP_INSERT_RIGHT(vinswrx, 4, RB, RA & 15)
OP_INSERT_RIGHT(vinsdrx, 8, RB, RA & 15)
/* From the last bytes of VRB's doubleword 0. */
OP_INSERT_LEFT(vinsbvlx, 1, VD(VRB, 0), RA & 15)
OP_INSERT_LEFT(vinshvlx, 2, VD(VRB, 0), RA & 15)
OP_INSERT_LEFT(vinswvlx, 4, VD(VRB, 0), RA & 15)
OP_INSERT_RIGHT(vinsbvrx, 1, VD(VRB, 0), RA & 15)
OP_INSERT_RIGHT(vinshvrx, 2, VD(VRB, 0), RA & 15)
OP_INSERT_RIGHT(vinswvrx, 4, VD(VRB, 0), RA & 15)

/* From VRA || VRB into doubleword 0, as a number. */
static inline __attribute__((always_inline)) u128 extract(const union vreg *a, const union vreg *b, unsigned right, unsigned size)
{
	const union vreg from[2] = { *b, *a };
	uint64_t v = 0;

	if (right <= 32 - size)
		__builtin_memcpy(&v, (const uint8_t *)from + right, size);
	return (u128)v << 64;
}

#define OP_EXTRACT_PAIR(letter, size) \
	OP(vext##letter##vlx) { VRT.q = extract(&VRA, &VRB, 32 - (size) - ((unsigned)RC & 31), size); } \
	OP(vext##letter##vrx) { VRT.q = extract(&VRA, &VRB, (unsigned)RC & 31, size); }
OP_EXTRACT_PAIR(dub, 1)
OP_EXTRACT_PAIR(duh, 2)
OP_EXTRACT_PAIR(duw, 4)
OP_EXTRACT_PAIR(dd, 8)

/* VRA || VRB, shifted by up to 7 bits: the left half, or the right one. Two steps, so that no shift is by 128. */
OP(vsldbi) { VRT.q = VRA.q << IMM | VRB.q >> 1 >> (127 - IMM); }
OP(vsrdbi) { VRT.q = VRB.q >> IMM | VRA.q << 1 << (127 - IMM); }
