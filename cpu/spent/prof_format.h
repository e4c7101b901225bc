/* The format of the file that -profile writes and that cede-prof reads: what a guest spent its time on.
 *
 * All numbers are big-endian. A header of 144 bytes, then seven tables, one behind the other, to the end of the file.
 * Time is in units; a cycle of the core has some of them, a cycle of the machine's clock has others.
 *
 *   header
 *    0  8  "CEDEPRF\n"                            72  4  symbols
 *    8  4  version, 1                             76  4  processor that was counted; 0xffffffff: all
 *   12  4  header bytes, 144                      80  8  units of blocks that there was no room for
 *   16  4  processors                             88  8  their instructions
 *   20  4  reasons for lost time, S               96  8  visits to them
 *   24  8  cycle of the machine's clock at       104  8  calls that there was no room for: they are their callers'
 *          which counting began                  112  8  cycles of the core per second
 *   32  8  the one at which it ended             120  4  units in a cycle of the core
 *   40  8  cycles of that clock per second       124  4  units in a cycle of the machine's clock
 *   48 16  name of the timing model              128  4  events, E
 *   64  4  blocks                                132  4  parts of the model that are on: 1 caches, 2 branches, 4 TLB, 8 SMT
 *   68  4  calls                                 136  8  zero
 *
 *   S reasons, E events: 16 bytes, a name
 *
 *   processors, 48 + 8E bytes: 0  8  units in blocks       8  8  instructions
 *                        16  8  idle (ceded, joined, conferred)   24  8  stopped   32  8  ready, without its turn
 *                        40  8  units that it was ahead of the cycle at which this was written
 *                        48 8E  events
 *
 *   blocks, of 56 + 8S + 4n + 8(n + 1) bytes, in the order in which their first visits ended: instructions that were
 *   executed one behind the other (cpu/spent/spent.h says where they begin and end)
 *    0  8  effective address                      40  8  instructions
 *    8  8  guest real address                     48  2  words of the block, n: 1 to 64
 *   16  8  0 kernel, 1 real mode, 2 | PID << 2     50  1  mode: 1 64-bit, 2 little-endian, 4 problem state, 8 memory
 *   24  8  visits                                          holds something else there by the end
 *   32  8  units                                  51  5  zero;   56 8S  units lost, by reason
 *          n words: the instructions, prefixes and suffixes apart, most significant byte first
 *          n + 1 times 8: visits that ended after 0, 1, ... n words; they add up to the visits
 *
 *   calls, 64 bytes: a function, as it was called from another one, which was called... A parent stands before its
 *   children; the root, number 0, is the first.
 *    0  4  number of the parent                   24  8  address of the call; 0: none
 *    4  1  0 called, 1 by an interrupt, 2 its caller is unknown, and so is where it begins
 *    5  3  zero                                   32  8  calls
 *    8  8  address of the function                40  8  units, 48  8  instructions: its own
 *   16  8  where it is valid, as for blocks       56  8  zero
 *
 *   symbols of the guest's kernel, by address: 0  8  address   8  1  length of the name, 1 to 255   9  the name
 *
 * The units of all blocks and of what there was no room for are those of the processors, and those of all calls;
 * so are the instructions.
 */
#ifndef CPU_SPENT_PROF_FORMAT_H
#define CPU_SPENT_PROF_FORMAT_H

#define PROF_MAGIC   "CEDEPRF\n"
#define PROF_VERSION 1
#define PROF_HEADER  144
#define PROF_NAME    16
#define PROF_CPU     48
#define PROF_BLOCK   56
#define PROF_CALL    64
#define PROF_SYMBOL  9
#define PROF_MAX_CPUS    256
#define PROF_MAX_REASONS 64
#define PROF_MAX_EVENTS  64
#define PROF_MAX_BLOCKS  (1u << 20)
#define PROF_MAX_CALLS   (1u << 20)
#define PROF_MAX_SYMBOLS (1u << 20)
#define PROF_MAX_INSNS   64
#define PROF_MODES       15
#define PROF_GONE        8
#define PROF_ALL_CPUS    0xffffffffu

#endif
