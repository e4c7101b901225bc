/* A radix tree for process 0 in which 1 GiB is where it is and problem state may do all. */
#ifndef TESTS_GUEST_IDENTITY_H
#define TESTS_GUEST_IDENTITY_H

#include "lib.h"

/* Process table, root and second level, in 0x30000 bytes from `at` on. Power ISA 3.0B, Book III, 5.7.6. */
static inline void map_identity(u64 at)
{
	u64 *processes = memset((void *)at, 0, 0x30000), *root = processes + 0x2000, *next = processes + 0x4000;

	next[0] = be64(PPC_BIT(0) | PPC_BIT(1) | PPC_BIT(55) | PPC_BIT(56) | 7);		/* 1 GiB */
	root[0] = be64(PPC_BIT(0) | (u64)next | 9);
	processes[0] = be64(2ull << 61 | 5ull << 5 | (u64)root | 13);
	sync();
	check_eq((u64)hcall(H_REGISTER_PROC_TBL, 0x1d, processes, 0, 0), H_SUCCESS, "H_REGISTER_PROC_TBL");
}

#endif
