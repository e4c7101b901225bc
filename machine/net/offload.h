/* What a driver leaves to its card: checksums that it has begun, and frames larger than the network takes, to be cut. */
#ifndef MACHINE_NET_OFFLOAD_H
#define MACHINE_NET_OFFLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum offload_cut { OFFLOAD_NO_CUT, OFFLOAD_CUT_TCP4, OFFLOAD_CUT_TCP6 };

struct offload {
	bool sum;			/* the checksum of all from sum_start on goes to sum_start + sum_offset */
	uint16_t sum_start, sum_offset;
	enum offload_cut cut;
	uint16_t cut_bytes;		/* of data in a segment, at most */
};

/* How many segments a frame may become: 64 KiB, 48 bytes each, which is the least that Linux makes. */
#define OFFLOAD_SEGMENTS 1366u

/* Gives each(opaque, frame, bytes) what of `frame` goes onto the wire. NULL; or what in it is wrong, and then it is given
 * nothing. `frame` is changed. */
const char *offload_send(const struct offload *o, uint8_t *frame, size_t bytes,
			 void (*each)(void *opaque, const uint8_t *frame, size_t bytes), void *opaque);

#endif
