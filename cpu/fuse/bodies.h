/* Every body that a sequence may take. */
#ifndef CPU_FUSE_BODIES_H
#define CPU_FUSE_BODIES_H

#include "cpu/op/fixed.h"
#include "cpu/op/memory.h"
#include "cpu/vector/vmx_bodies.h"

#endif
