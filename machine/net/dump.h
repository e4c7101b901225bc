/* A file of frames, as -object filter-dump asks for it: what programs like Wireshark read (pcap). */
#ifndef MACHINE_NET_DUMP_H
#define MACHINE_NET_DUMP_H

#include <stddef.h>
#include <stdint.h>

#include "savevm/error.h"

#define NET_DUMP_MOST 65536u		/* bytes of a frame that are kept, unless it is said how many */

struct net_dump_config {
	const char *id, *netdev, *file;
	uint32_t most;
	char *text;			/* what the strings are in; options_free() */
};

struct net_dump;

/* NULL and err->msg set. */
struct net_dump *net_dump_open(const struct net_dump_config *c, struct error *err);
void net_dump_close(struct net_dump *d);	/* NULL: nothing */
/* So that who looks into the file sees all until now. */
void net_dump_flush(struct net_dump *d);
/* At that time, in ns since 1970. A file that takes no more is said once. */
void net_dump_frame(struct net_dump *d, uint64_t ns, const uint8_t *frame, size_t bytes);

#endif
