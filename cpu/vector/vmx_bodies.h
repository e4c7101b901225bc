/* Bodies of VMX ops that sequences take as well (cpu/fuse); the others are in op_vmx_*.c.
 * Source: Power ISA 3.0B, Book I, 6.7 to 6.9. */
#ifndef CPU_VECTOR_VMX_BODIES_H
#define CPU_VECTOR_VMX_BODIES_H

#include "cpu/vector/vmx.h"
#include "cpu/vector/vmx_host.h"

/* EA of X-form, aligned down to the element. */
#define EA(size) ((RA + RB) & ~((uint64_t)(size) - 1))

BODY_TRY(lvx)
{
	u128 v;
	LOAD(u128, EA(16), &v);
	VRT.q = v;
	return true;
}

BODY_TRY(stvx)
{
	STORE(u128, EA(16), VRS.q);
	return true;
}

BODY(vadduwm) { VRT.v4u32 = VRA.v4u32 + VRB.v4u32; }

BODY(vand) { VRT.v2u64 = VRA.v2u64 & VRB.v2u64; }
BODY(vor)  { VRT.v2u64 = VRA.v2u64 | VRB.v2u64; }
BODY(vxor) { VRT.v2u64 = VRA.v2u64 ^ VRB.v2u64; }
BODY(vsel) { VRT.v2u64 = (VRA.v2u64 & ~VRC.v2u64) | (VRB.v2u64 & VRC.v2u64); }

/* Byte number n of VRA || VRB is the host's byte 31 - n. */
PERMUTE_BY(BODY, vperm, VRT, VRA, VRB, ~VRC)

#endif
