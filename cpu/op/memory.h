/* Bodies of fixed-point loads and stores: the little-endian ones, which sequences take as well (cpu/fuse);
 * the others are in op_load.c and op_store.c. Power ISA 3.0B, Book I, 3.3.2, 3.3.3. */
#ifndef CPU_OP_MEMORY_H
#define CPU_OP_MEMORY_H

#include "cpu/engine/dispatch.h"
#include "cpu/engine/operands.h"

#define D_EA (RA + IMM)
#define X_EA (RA + RB)

/* `head` begins the body: BODY_TRY here, OP_TRY for what no sequence takes. An update form does access and
 * update in one op; in 32-bit mode the decoder builds it from the plain one. RA is written last: a fault
 * leaves it alone. */
#define LOAD_BY(head, name, EA, ld, t, type, conv) \
	head(name) \
	{ \
		type v; \
		ld(t, EA, &v); \
		RT = (uint64_t)(conv)v; \
		return true; \
	}
#define LOAD_UPDATE_BY(head, name, EA, ld, t, type, conv) \
	head(name) \
	{ \
		uint64_t ea = EA; \
		type v; \
		ld(t, ea, &v); \
		RT = (uint64_t)(conv)v; \
		RA = ea; \
		return true; \
	}
#define STORE_BY(head, name, EA, st, t, type) \
	head(name) { st(t, EA, (type)RS); return true; }
#define STORE_UPDATE_BY(head, name, EA, st, t, type) \
	head(name) \
	{ \
		uint64_t ea = EA; \
		st(t, ea, (type)RS); \
		RA = ea; \
		return true; \
	}

/* Name, the access, the type in memory, and for a load the type that it is extended as. */
#define LOADS(X) \
	X(lbz, u8, uint8_t, uint8_t) X(lhz, u16, uint16_t, uint16_t) X(lha, u16, uint16_t, int16_t) \
	X(lwz, u32, uint32_t, uint32_t) X(ld, u64, uint64_t, uint64_t)
#define STORES(X) X(stb, u8, uint8_t) X(sth, u16, uint16_t) X(stw, u32, uint32_t) X(std, u64, uint64_t)

#define LOAD_BODIES(name, t, type, conv) \
	LOAD_BY(BODY_TRY, name, D_EA, LOAD, t, type, conv) \
	LOAD_BY(BODY_TRY, name##x, X_EA, LOAD, t, type, conv) \
	LOAD_UPDATE_BY(BODY_TRY, name##u_upd, D_EA, LOAD, t, type, conv)
LOADS(LOAD_BODIES)
LOAD_BY(BODY_TRY, lwa, D_EA, LOAD, u32, uint32_t, int32_t)
LOAD_BY(BODY_TRY, lwax, X_EA, LOAD, u32, uint32_t, int32_t)
#undef LOAD_BODIES

#define STORE_BODIES(name, t, type) \
	STORE_BY(BODY_TRY, name, D_EA, STORE, t, type) \
	STORE_BY(BODY_TRY, name##x, X_EA, STORE, t, type) \
	STORE_UPDATE_BY(BODY_TRY, name##u_upd, D_EA, STORE, t, type)
STORES(STORE_BODIES)
#undef STORE_BODIES

#endif
