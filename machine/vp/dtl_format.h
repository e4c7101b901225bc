/* The format of the file that -dtl writes and that cede-dtl reads: every change of state of every virtual processor,
 * in order of time.
 *
 * All numbers are big-endian. A header of 128 bytes, then records of 32 bytes, sorted by cycle.
 * From the beginning to its first record a virtual processor is stopped (the guest's) or ceded (the load's).
 *
 *   header                                      record
 *    0  8  "CEDEDTL\n"                           0  8  cycle
 *    8  4  version, 1                            8  2  virtual thread (guest), or number in the load
 *   12  4  header bytes, 128                    10  1  enum partition_id
 *   16  4  record bytes, 32                     11  1  enum vp_state (vp.def) that it is in from now on; 255: end of the log
 *   20  4  virtual threads of the guest         12  1  enum vp_reason
 *   24  4  threads of a processor               13  1  code in a DTL entry: dispatch reason of RUNNING, preempt
 *   28  4  physical processors                         reason of what leaves RUNNING, else 0
 *   32  4  chips                                14  2  physical thread that it runs on, or has left; 0xffff: neither
 *   36  4  virtual processors of the load       16  8  SRR0 of a DTL entry: NIP (guest, RUNNING and what leaves it)
 *   40  8  cycles per second                    24  8  SRR1 of a DTL entry: MSR (same)
 *   48  8  timebase ticks per second
 *   56  8  timebase at cycle 0
 *   64  8  cycles of a window
 *   72  4  entitlement, hundredths
 *   76  4  the load's entitlement
 *   80  1  weight;  81  1  capped;  82  1  the load's weight;  83  1  shared pool
 *   84  8  cycle at which the log begins
 *   92 36  zero
 *
 * The log of a machine that comes from a snapshot begins there: with a record with reason VP_NONE for each
 * virtual processor that is in another state by then. The end record has the last cycle of the run; a log without it was cut off.
 */
#ifndef MACHINE_VP_DTL_FORMAT_H
#define MACHINE_VP_DTL_FORMAT_H

#include <stdint.h>

#define DTL_FILE_MAGIC   "CEDEDTL\n"
#define DTL_FILE_VERSION 1
#define DTL_FILE_HEADER  128
#define DTL_FILE_RECORD  32
#define DTL_FILE_END     255		/* in place of a state */

struct dtl_record {
	uint64_t cycle;
	uint16_t vp;
	uint8_t partition, state, reason, code;
	uint16_t physical;
	uint64_t srr0, srr1;
};

#endif
