/* The handlers of the ops that sequences are made of: each row of fuse_ops.def and its body meet here. */
#include "cpu/fuse/bodies.h"

#define STAMP_S(name) HANDLER(name)
#define STAMP_T(name) HANDLER_TRY(name)
#define STAMP_R(name)		/* branches decide themselves where to go: op_branch.c */
#define STAMP_C(name)
#define FUSABLE(name, kind, slots, writes) STAMP_##kind(name)
#include "cpu/table/fuse_ops.def"
