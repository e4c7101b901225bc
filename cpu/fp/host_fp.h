/* The host's floating-point unit, one instruction at a time.
 *
 * Results and the sticky inexact flag are those of the host's IEEE unit under the rounding
 * mode that host_fp_set() chose. The instructions are volatile assembly so that no compiler,
 * whatever its flags, folds, speculates or moves one across an access to the flags: an
 * operation that the guest did not ask for would leave an inexact flag behind.
 * Only this file knows the host's architecture.
 */
#ifndef CPU_FP_HOST_FP_H
#define CPU_FP_HOST_FP_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu/core/vreg.h"

#if defined(__x86_64__)

#define HOST_FP_INEXACT 0x20u		/* MXCSR[PE] */

static inline uint32_t host_fp_get(void)
{
	uint32_t csr;

	__asm__ volatile("stmxcsr %0" : "=m"(csr));
	return csr;
}

static inline void host_fp_put(uint32_t csr)
{
	__asm__ volatile("ldmxcsr %0" : : "m"(csr));
}

/* Rounding mode as FPSCR[RN] (0 nearest, 1 zero, 2 up, 3 down); traps masked, flags clear. */
static inline void host_fp_set(unsigned rn)
{
	host_fp_put(0x1f80u | (0x6cu >> (2 * rn) & 3) << 13);
}

/* True once after an inexact operation. */
static inline bool host_fp_take_inexact(void)
{
	uint32_t csr = host_fp_get();

	if (!(csr & HOST_FP_INEXACT))
		return false;
	host_fp_put(csr & ~HOST_FP_INEXACT);
	return true;
}

#define HOST2(name, type, insn) \
	static inline __attribute__((always_inline)) type host_##name(type a, type b) \
	{ \
		__asm__ volatile(insn " %1, %0" : "+x"(a) : "x"(b)); \
		return a; \
	}
HOST2(add, double, "addsd")
HOST2(sub, double, "subsd")
HOST2(mul, double, "mulsd")
HOST2(div, double, "divsd")
HOST2(add_2d, v2f64, "addpd")
HOST2(sub_2d, v2f64, "subpd")
HOST2(mul_2d, v2f64, "mulpd")
HOST2(div_2d, v2f64, "divpd")
HOST2(add_4s, v4f32, "addps")
HOST2(sub_4s, v4f32, "subps")
HOST2(mul_4s, v4f32, "mulps")
HOST2(div_4s, v4f32, "divps")
#undef HOST2

#define HOST1(name, to, from, insn) \
	static inline __attribute__((always_inline)) to host_##name(from a) \
	{ \
		to r; \
		__asm__ volatile(insn " %1, %0" : "=x"(r) : "x"(a)); \
		return r; \
	}
HOST1(sqrt, double, double, "sqrtsd")
HOST1(sqrt_2d, v2f64, v2f64, "sqrtpd")
HOST1(sqrt_4s, v4f32, v4f32, "sqrtps")
HOST1(to_single, float, double, "cvtsd2ss")
HOST1(to_double, double, float, "cvtss2sd")
#undef HOST1

/* Toward zero, and in the current mode. Out of range: INT64_MIN. */
static inline __attribute__((always_inline)) int64_t host_to_s64_zero(double a)
{
	int64_t r;

	__asm__ volatile("cvttsd2si %1, %0" : "=r"(r) : "x"(a));
	return r;
}

static inline __attribute__((always_inline)) int64_t host_to_s64(double a)
{
	int64_t r;

	__asm__ volatile("cvtsd2si %1, %0" : "=r"(r) : "x"(a));
	return r;
}

static inline __attribute__((always_inline)) double host_from_s64(int64_t a)
{
	double r = 0;

	__asm__ volatile("cvtsi2sd %1, %0" : "+x"(r) : "r"(a));
	return r;
}

/* a * b + c with one rounding: only where there is HOST_FMA (host.h). */
#define HOSTF(name, type, insn) \
	static inline __attribute__((always_inline)) type host_##name(type a, type b, type c) \
	{ \
		__asm__ volatile(insn " %2, %1, %0" : "+x"(a) : "x"(b), "x"(c)); \
		return a; \
	}
HOSTF(madd, double, "vfmadd213sd")
HOSTF(msub, double, "vfmsub213sd")
HOSTF(madd_2d, v2f64, "vfmadd213pd")
HOSTF(msub_2d, v2f64, "vfmsub213pd")
HOSTF(madd_4s, v4f32, "vfmadd213ps")
HOSTF(msub_4s, v4f32, "vfmsub213ps")
#undef HOSTF

#elif defined(__aarch64__)

#define HOST_FP_INEXACT 0x10u		/* FPSR[IXC] */

/* FPCR in the low half, FPSR in the high half. */
static inline uint64_t host_fp_get(void)
{
	uint64_t fpcr, fpsr;

	__asm__ volatile("mrs %0, fpcr\n\tmrs %1, fpsr" : "=r"(fpcr), "=r"(fpsr));
	return (uint32_t)fpcr | fpsr << 32;
}

static inline void host_fp_put(uint64_t state)
{
	__asm__ volatile("msr fpcr, %0\n\tmsr fpsr, %1" : : "r"(state & 0xffffffffu), "r"(state >> 32));
}

static inline void host_fp_set(unsigned rn)
{
	host_fp_put((uint64_t)(0x9cu >> (2 * rn) & 3) << 22);
}

static inline bool host_fp_take_inexact(void)
{
	uint64_t fpsr;

	__asm__ volatile("mrs %0, fpsr" : "=r"(fpsr));
	if (!(fpsr & HOST_FP_INEXACT))
		return false;
	__asm__ volatile("msr fpsr, %0" : : "r"(fpsr & ~(uint64_t)HOST_FP_INEXACT));
	return true;
}

#define HOST2(name, type, insn, mod, shape) \
	static inline __attribute__((always_inline)) type host_##name(type a, type b) \
	{ \
		type r; \
		__asm__ volatile(insn " %" mod "0" shape ", %" mod "1" shape ", %" mod "2" shape \
				 : "=w"(r) : "w"(a), "w"(b)); \
		return r; \
	}
HOST2(add, double, "fadd", "d", "")
HOST2(sub, double, "fsub", "d", "")
HOST2(mul, double, "fmul", "d", "")
HOST2(div, double, "fdiv", "d", "")
HOST2(add_2d, v2f64, "fadd", "", ".2d")
HOST2(sub_2d, v2f64, "fsub", "", ".2d")
HOST2(mul_2d, v2f64, "fmul", "", ".2d")
HOST2(div_2d, v2f64, "fdiv", "", ".2d")
HOST2(add_4s, v4f32, "fadd", "", ".4s")
HOST2(sub_4s, v4f32, "fsub", "", ".4s")
HOST2(mul_4s, v4f32, "fmul", "", ".4s")
HOST2(div_4s, v4f32, "fdiv", "", ".4s")
#undef HOST2

#define HOST1(name, to, from, insn, tmod, fmod, shape) \
	static inline __attribute__((always_inline)) to host_##name(from a) \
	{ \
		to r; \
		__asm__ volatile(insn " %" tmod "0" shape ", %" fmod "1" shape : "=w"(r) : "w"(a)); \
		return r; \
	}
HOST1(sqrt, double, double, "fsqrt", "d", "d", "")
HOST1(sqrt_2d, v2f64, v2f64, "fsqrt", "", "", ".2d")
HOST1(sqrt_4s, v4f32, v4f32, "fsqrt", "", "", ".4s")
HOST1(to_single, float, double, "fcvt", "s", "d", "")
HOST1(to_double, double, float, "fcvt", "d", "s", "")
#undef HOST1

static inline __attribute__((always_inline)) int64_t host_to_s64_zero(double a)
{
	int64_t r;

	__asm__ volatile("fcvtzs %x0, %d1" : "=r"(r) : "w"(a));
	return r;
}

static inline __attribute__((always_inline)) int64_t host_to_s64(double a)
{
	int64_t r;
	double t;

	__asm__ volatile("frintx %d1, %d2\n\tfcvtzs %x0, %d1" : "=r"(r), "=&w"(t) : "w"(a));
	return r;
}

static inline __attribute__((always_inline)) double host_from_s64(int64_t a)
{
	double r;

	__asm__ volatile("scvtf %d0, %x1" : "=w"(r) : "r"(a));
	return r;
}

static inline __attribute__((always_inline)) double host_madd(double a, double b, double c)
{
	double r;

	__asm__ volatile("fmadd %d0, %d1, %d2, %d3" : "=w"(r) : "w"(a), "w"(b), "w"(c));
	return r;
}

static inline __attribute__((always_inline)) double host_msub(double a, double b, double c)
{
	double r;

	__asm__ volatile("fnmsub %d0, %d1, %d2, %d3" : "=w"(r) : "w"(a), "w"(b), "w"(c));
	return r;
}

#define HOSTF(name, type, shape, sign) \
	static inline __attribute__((always_inline)) type host_##name(type a, type b, type c) \
	{ \
		c = sign c; \
		__asm__ volatile("fmla %0" shape ", %1" shape ", %2" shape : "+w"(c) : "w"(a), "w"(b)); \
		return c; \
	}
HOSTF(madd_2d, v2f64, ".2d", +)
HOSTF(msub_2d, v2f64, ".2d", -)
HOSTF(madd_4s, v4f32, ".4s", +)
HOSTF(msub_4s, v4f32, ".4s", -)
#undef HOSTF

#else
#error "host_fp.h: neither x86-64 nor AArch64"
#endif

#endif
