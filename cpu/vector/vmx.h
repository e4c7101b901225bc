/* What the VMX handler files share: stamps for element-wise families, CR6, saturation.
 *
 * Elements of equal position do not care for their numbering, so the stamps walk the
 * host's arrays upwards; constant trip counts let the compiler make vector code of them.
 */
#ifndef CPU_VECTOR_VMX_H
#define CPU_VECTOR_VMX_H

#include "cpu/core/cpu.h"
#include "cpu/engine/dispatch.h"
#include "cpu/engine/operands.h"

/* The C type and the number of elements of a union vreg array: b, sb, h, sh, ... */
#define ELEMENT(e)  __typeof__(((union vreg *)0)->e[0])
#define ELEMENTS(e) ((int)(16 / sizeof(ELEMENT(e))))
#define EACH(i, n)  for (int i = 0; i < (n); i++)

/* `OP_EACH(vmaxub, b) { return a > b ? a : b; }`: VRT's element from those of VRA and VRB. */
#define OP_EACH(name, e) \
	static inline __attribute__((always_inline)) ELEMENT(e) each_##name(ELEMENT(e) a, ELEMENT(e) b); \
	OP(name) \
	{ \
		union vreg va_ = VRA, vb_ = VRB, vt_; \
		EACH(i_, ELEMENTS(e)) \
			vt_.e[i_] = each_##name(va_.e[i_], vb_.e[i_]); \
		VRT = vt_; \
	} \
	static inline __attribute__((always_inline)) ELEMENT(e) each_##name(ELEMENT(e) a, ELEMENT(e) b)

/* The same for one source: VRT's element from VRB's. */
#define OP_EACH1(name, e) \
	static inline __attribute__((always_inline)) ELEMENT(e) each_##name(ELEMENT(e) b); \
	OP(name) \
	{ \
		union vreg vb_ = VRB, vt_; \
		EACH(i_, ELEMENTS(e)) \
			vt_.e[i_] = each_##name(vb_.e[i_]); \
		VRT = vt_; \
	} \
	static inline __attribute__((always_inline)) ELEMENT(e) each_##name(ELEMENT(e) b)

/* A compare: the body sets t from a and b; the _rc twin puts all and none in CR6.
 * Power ISA 3.0B, Book I, 6.9.3. */
#define OP_COMPARE(name) \
	static inline __attribute__((always_inline)) void \
	compare_##name(union vreg *t, const union vreg *a, const union vreg *b); \
	OP(name) { compare_##name(&VRT, &VRA, &VRB); } \
	OP(name##_rc) \
	{ \
		compare_##name(&VRT, &VRA, &VRB); \
		CRF(6) = (uint8_t)(!~VRT.q ? CR_LT : !VRT.q ? CR_EQ : 0); \
	} \
	static inline __attribute__((always_inline)) void \
	compare_##name(union vreg *t, const union vreg *a, const union vreg *b)

/* VSCR. Book I, 6.3.2 */
#define VSCR_NJ  UINT32_C(0x10000)
#define VSCR_SAT UINT32_C(1)

/* SAT is sticky. */
static inline __attribute__((always_inline)) void saturated(struct cpu *cpu, bool did)
{
	cpu->vscr |= did ? VSCR_SAT : 0;
}

/* x clamped to [min, max]; *sat becomes true where that changed it. */
static inline __attribute__((always_inline)) int64_t clamp(int64_t x, int64_t min, int64_t max, bool *sat)
{
	int64_t y = x < min ? min : x > max ? max : x;

	*sat |= x != y;
	return y;
}

#endif
