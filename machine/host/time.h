/* The host's time. Nothing that a guest sees depends on it. */
#ifndef MACHINE_HOST_TIME_H
#define MACHINE_HOST_TIME_H

#include <stdint.h>

#define NSEC_PER_SEC UINT64_C(1000000000)

uint64_t host_ns(void);				/* monotonic */

#endif
