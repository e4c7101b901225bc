/* What a driver leaves to its card: checksums that it has begun, and frames larger than the network takes, to be cut. */
#ifndef MACHINE_NET_OFFLOAD_H
#define MACHINE_NET_OFFLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "machine/net/net.h"

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

/* A large frame of TCP over IPv4, whose checksum is the pseudo header's sum. */
struct offload_joined {
	size_t bytes;
	uint16_t heads, segment;	/* bytes of its headers, and of data in each segment that it was */
	uint16_t sum_start, sum_offset;
};

/* How many of the `count` frames from `first` on are segments of one stream without a gap, whose checksums nobody has to look at any
 * more. If more than one, `out` is what they are together, of NET_FRAME_MAX bytes at most. */
unsigned offload_join(const struct net_frame *first, unsigned count, uint8_t *out, struct offload_joined *j);

#endif
