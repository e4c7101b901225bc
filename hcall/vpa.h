/* Offsets in the virtual processor area. PAPR, "Per Virtual Processor Area"; the status byte is not
 * there: firmware's word that processors are shared, which Linux reads. All numbers big-endian. */
#ifndef HCALL_VPA_H
#define HCALL_VPA_H

#include <stdbool.h>
#include <stdint.h>

struct ram;

#define VPA_SIZE           0x004	/* 16 bits */
#define VPA_STATUS         0x009
#define VPA_NODE_ID        0x018	/* 32 bits: chip */
#define VPA_PROC_ID        0x01c	/* 32 bits: processor on it */
#define VPA_HOME_CHANGES   0x058	/* 8 bytes, one for each level of affinity */
#define VPA_DTL_MASK       0x0b8
#define VPA_DONATE         0x0b9
#define VPA_IDLE           0x0fe
#define VPA_DISPATCH_COUNT 0x100	/* 32 bits */
#define VPA_DISPERSION     0x104	/* 32 bits */
#define VPA_DONATED_IDLE   0x138	/* 64 bits PURR, 64 bits SPURR, both in ticks */
#define VPA_DONATED_BUSY   0x148
#define VPA_WAIT_PROCESSOR 0x158	/* 64 bits each, timebase ticks */
#define VPA_WAIT_CAPACITY  0x160
#define VPA_WAIT_NOT_READY 0x168
#define VPA_DTL_INDEX      0x218	/* 64 bits */
#define VPA_MIN_SIZE       640

#define VPA_STATUS_SHARED  0x02
#define VPA_DONATE_IDLE_CYCLES 0x01

/* DTL and SLB shadow buffer: their length. */
#define AREA_SIZE32        0x004

#define DTL_ENTRY_SIZE     48

/* ---- The areas of a virtual processor, by their subfunctions of H_REGISTER_VPA ---- */
enum vpa_area { AREA_VPA = 1, AREA_DTL = 2, AREA_SLB_SHADOW = 3, AREAS };

struct area_rule {
	uint32_t min, max;		/* bytes */
	bool one_page;			/* of 4096 bytes; else it may cross into the next */
};
extern const struct area_rule area_rules[AREAS];

/* The one answer to whether an area may be there, for H_REGISTER_VPA and for a load. Source: PAPR, H_REGISTER_VPA;
 * "a 4 KB page" is all that it says of a DTL's most. */
enum area_fault { AREA_FITS, AREA_WRONG_SIZE, AREA_WRONG_PLACE };
enum area_fault area_check(const struct ram *ram, enum vpa_area area, uint64_t addr, uint64_t size);

#endif
