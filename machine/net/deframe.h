/* Frames in a stream of bytes, as -netdev socket and -netdev stream have them: a length in 4 bytes, big-endian, then so many
 * bytes. Who writes the stream is a stranger. */
#ifndef MACHINE_NET_DEFRAME_H
#define MACHINE_NET_DEFRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "machine/net/net.h"

#define DEFRAME_HEAD 4u

struct deframe {
	uint8_t head[DEFRAME_HEAD];
	uint8_t frame[NET_FRAME_MAX];
	size_t have;			/* bytes of the present frame, its head among them */
};

void deframe_begin(struct deframe *d);	/* a new stream */
/* Gives each(opaque, frame, bytes) the frames that end in *data, in order, until it is false; *data and *bytes become what is
 * left. False: a length is one that no frame has; nothing after it can be understood. */
bool deframe_take(struct deframe *d, const uint8_t **data, size_t *bytes, bool (*each)(void *opaque, const uint8_t *frame, size_t bytes),
		  void *opaque);
void deframe_head(size_t bytes, uint8_t head[DEFRAME_HEAD]);	/* of a frame that goes out */

#endif
