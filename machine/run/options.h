/* The command line, parsed and checked. options.def is the only list of options. */
#ifndef MACHINE_RUN_OPTIONS_H
#define MACHINE_RUN_OPTIONS_H

#include "machine/core/config.h"
#include "savevm/error.h"

/* What options_parse() found. */
enum options_result { OPTIONS_RUN, OPTIONS_DONE /* -h, -version: printed */, OPTIONS_BAD };

/* OPTIONS_BAD: err->msg says why and *status what the process exits with (2 usage, 1 the rest).
 * Strings stay owned by argv, or by `opts` until options_free(). */
enum options_result options_parse(struct config *opts, int argc, char **argv, struct error *err, int *status);
void options_free(struct config *opts);

#endif
