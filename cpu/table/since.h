/* The processor generations that instructions and registers came with. */
#ifndef CPU_TABLE_SINCE_H
#define CPU_TABLE_SINCE_H

enum insn_since { P4, P6, P7, P8, P9, P10 };

#endif
