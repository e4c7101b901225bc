/* The balloon for those who command the machine: memory that the guest is asked to give back. */
#ifndef MACHINE_VIRTIO_BALLOON_H
#define MACHINE_VIRTIO_BALLOON_H

#include "machine/core/machine.h"

#define BALLOON_STATS 10u

struct device;

struct device *balloon_find(const struct machine *m);	/* NULL: there is none */
/* The guest shall have so many bytes, at most all. It takes its time, and may not do it. */
void balloon_set(struct device *dev, uint64_t bytes);
uint64_t balloon_actual(const struct device *dev);	/* bytes that it has, as it says */
/* What it says of its memory. False: nothing. `name`: QEMU's, of number i below BALLOON_STATS. */
bool balloon_stat(const struct device *dev, unsigned i, const char **name, uint64_t *value);

#endif
