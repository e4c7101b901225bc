/* What start.S and lib.h agree on: offsets in struct cpu. */
#ifndef TESTS_GUEST_LAYOUT_H
#define TESTS_GUEST_LAYOUT_H

#define CPU_GPR        0
#define CPU_SRR0       256
#define CPU_SRR1       264
#define CPU_DAR        272
#define CPU_DSISR      280
#define CPU_MSR        288
#define CPU_VECTOR     296
#define CPU_LR         304
#define CPU_CTR        312
#define CPU_CR         320
#define CPU_XER        328
#define CPU_PROBING    336
#define CPU_FUNCTION   344
#define CPU_STACK      352
#define CPU_TRAP_STACK 360
#define CPU_SAVE       368	/* 32 doublewords */
#define CPU_SIZE       640

/* ME, and LE where this program is little-endian. */
#ifdef __LITTLE_ENDIAN__
#define OUR_MSR_LOW 0x1001
#else
#define OUR_MSR_LOW 0x1000
#endif

#endif
