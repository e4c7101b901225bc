/* Entry, interrupt vectors, and probe(): running a few instructions up to the interrupt that they
 * cause. Offsets are those of struct cpu in lib.h. */
#include "layout.h"

/* Instructions for big-endian mode, whatever this file is assembled for. */
	.macro be word
#ifdef __LITTLE_ENDIAN__
	.long ((\word) & 0xff) << 24 | ((\word) & 0xff00) << 8 | ((\word) >> 8 & 0xff00) | ((\word) >> 24 & 0xff)
#else
	.long (\word)
#endif
	.endm

/* From any state into 64-bit mode in this program's byte order, real mode, at `target`. Changes
 * r10, r11, LR, SRR0 and SRR1. */
	.macro to_our_mode target
	be 0x429f0005				/* bcl 20,31,.+4 */
	be 0x7d4802a6				/* mflr r10 */
	be 0x394a0020				/* addi r10,r10,32: behind the rfid */
	be 0x7d5a03a6				/* mtsrr0 r10 */
	be 0x39600001				/* li r11,1 */
	be 0x796bf806				/* rldicr r11,r11,63,0: MSR[SF] */
	be (0x616b0000 + OUR_MSR_LOW)		/* ori r11,r11,... */
	be 0x7d7b03a6				/* mtsrr1 r11 */
	be 0x4c000024				/* rfid */
	b	\target
	.endm

	.macro load reg, symbol
	lis	\reg, (\symbol)@h
	ori	\reg, \reg, (\symbol)@l
	.endm

	.section .entry, "ax"
	.globl entry, secondary_entry
entry:
	to_our_mode first
secondary_entry:
	to_our_mode secondary
first:
	load	3, cpus
	load	4, main
	b	1f
secondary:			/* r3: its struct cpu */
	ld	4, CPU_FUNCTION(3)
1:	ld	1, CPU_STACK(3)
	cmpdi	1, 0
	bne	2f
	load	1, boot_stack_top
2:	load	2, .TOC.
	mtsprg	1, 3
	li	0, 0
	stdu	0, -64(1)
	mtctr	4
	mr	12, 4
	bctrl
	b	.

/* ---- Vectors: copied to where they belong. r1: the vector. ---- */
	.text
	.globl vector_entry
vector_entry:
	mtsprg	2, 1
	li	1, 0			/* lib.c puts the vector here */
	ba	vector_common

	.globl vector_common
vector_common:
	mtsprg	3, 2
	mfsprg	2, 1
	std	1, CPU_VECTOR(2)
	std	0, CPU_GPR(2)
	.irp	n, 3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	std	\n, CPU_GPR+8*\n(2)
	.endr
	mfsprg	0, 2
	std	0, CPU_GPR+8*1(2)
	mfsprg	0, 3
	std	0, CPU_GPR+8*2(2)
	mfsrr0	0
	std	0, CPU_SRR0(2)
	mfsrr1	0
	std	0, CPU_SRR1(2)
	mfdar	0
	std	0, CPU_DAR(2)
	mfdsisr	0
	std	0, CPU_DSISR(2)
	mfmsr	0
	std	0, CPU_MSR(2)
	mflr	0
	std	0, CPU_LR(2)
	mfctr	0
	std	0, CPU_CTR(2)
	mfcr	0
	std	0, CPU_CR(2)
	mfxer	0
	std	0, CPU_XER(2)
	mr	3, 2
	ld	1, CPU_TRAP_STACK(3)
	load	2, .TOC.
	load	12, trap
	mtctr	12
	bctrl
	mfsprg	2, 1
	cmpdi	3, 0
	bne	leave_probe

	/* Back to where it came from. */
	ld	0, CPU_CR(2)
	mtcr	0
	ld	0, CPU_XER(2)
	mtxer	0
	ld	1, CPU_VECTOR(2)
	ld	0, CPU_LR(2)
	mtlr	0
	ld	0, CPU_CTR(2)
	mtctr	0
	ld	0, CPU_SRR0(2)
	mtsrr0	0
	ld	0, CPU_SRR1(2)
	mtsrr1	0
	ld	0, CPU_GPR(2)
	.irp	n, 1,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	ld	\n, CPU_GPR+8*\n(2)
	.endr
	ld	2, CPU_GPR+8*2(2)
	rfid

/* ---- void probe_run(struct cpu *cpu, uint64_t at, uint64_t msr, const uint64_t args[6]) ---- */
	.globl probe_run, probe_end
probe_run:
	.irp	n, 14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	std	\n, CPU_SAVE+8*\n(3)
	.endr
	std	1, CPU_SAVE+8*1(3)
	std	2, CPU_SAVE+8*2(3)
	mflr	0
	std	0, CPU_SAVE(3)
	mfcr	0
	std	0, CPU_SAVE+8*3(3)
	mfmsr	0
	std	0, CPU_SAVE+8*4(3)
	li	0, 1
	std	0, CPU_PROBING(3)
	mtsrr0	4
	mtsrr1	5
	load	0, probe_end
	mtlr	0
	mr	12, 4
	ld	3, 0(6)
	ld	4, 8(6)
	ld	5, 16(6)
	ld	7, 32(6)
	ld	8, 40(6)
	ld	6, 24(6)
	li	0, 0
	rfid
probe_end:
	sc
	b	.

leave_probe:			/* r2: struct cpu */
	.irp	n, 14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	ld	\n, CPU_SAVE+8*\n(2)
	.endr
	ld	1, CPU_SAVE+8*1(2)
	ld	0, CPU_SAVE+8*3(2)
	mtcr	0
	ld	0, CPU_SAVE+8*4(2)
	mtsrr1	0
	ld	0, CPU_SAVE(2)
	mtsrr0	0
	ld	2, CPU_SAVE+8*2(2)
	rfid

/* ---- int64_t hcall_raw(uint64_t regs[10]): r3..r12 in and out ---- */
	.globl hcall_raw
hcall_raw:
	mflr	0
	std	0, 16(1)
	stdu	1, -48(1)
	std	3, 40(1)
	mr	12, 3
	ld	3, 0(12)
	ld	4, 8(12)
	ld	5, 16(12)
	ld	6, 24(12)
	ld	7, 32(12)
	ld	8, 40(12)
	ld	9, 48(12)
	ld	10, 56(12)
	ld	11, 64(12)
	ld	12, 72(12)
	sc	1
	ld	0, 40(1)
	mtctr	0
	mr	0, 12
	mfctr	12
	std	3, 0(12)
	std	4, 8(12)
	std	5, 16(12)
	std	6, 24(12)
	std	7, 32(12)
	std	8, 40(12)
	std	9, 48(12)
	std	10, 56(12)
	std	11, 64(12)
	std	0, 72(12)
	addi	1, 1, 48
	ld	0, 16(1)
	mtlr	0
	blr

	.section .bss
	.balign 65536
	.space 65536
	.globl boot_stack_top
boot_stack_top:
	.space 64
