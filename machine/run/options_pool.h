/* -pool. */
#ifndef MACHINE_RUN_OPTIONS_POOL_H
#define MACHINE_RUN_OPTIONS_POOL_H

#include "machine/core/config.h"
#include "machine/vp/vp.h"
#include "savevm/error.h"

void pool_defaults(struct pool_config *o);
/* "procs=2,mode=capped,.."; false: err->msg says why. */
bool pool_parse(struct pool_config *o, const char *text, struct error *err);
/* Fills in what was left open, for a guest of so many virtual processors; false: it does not fit. */
bool pool_finish(struct pool_config *o, unsigned vprocs, struct error *err);

#endif
