/* A folder of -fsdev or -virtfs, for the device that shares it with the guest. */
#ifndef MACHINE_CORE_FSDEV_H
#define MACHINE_CORE_FSDEV_H

#include "machine/host/p9/share.h"

struct fsdev_config {
	struct share_options options;
	const char *id;
	char *text;			/* of the option, cut into words: the strings above */
	char *device;			/* -virtfs: its -device; NULL: -fsdev */
};

#endif
