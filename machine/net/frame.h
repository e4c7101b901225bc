/* Is a frame of the guest's one that a TCP/IP stack which trusts it may see? All lengths that its headers have agree with
 * each other and with the frame's. */
#ifndef MACHINE_NET_FRAME_H
#define MACHINE_NET_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of a type or with a protocol that is not looked into: as it is to be dropped, but nobody's mistake. */
#define FRAME_FOREIGN ""

/* NULL: it is; else why not. *bytes becomes the length without padding. `mtu`: bytes that may follow the Ethernet header;
 * `tcp_mtu`: the same of TCP over IPv4. */
const char *frame_wrong(const uint8_t *frame, size_t *bytes, size_t mtu, size_t tcp_mtu);

/* It would have the host open something for it: the first of a connection, or one of a protocol without those. */
bool frame_opens(const uint8_t *frame, size_t bytes);	/* that frame_wrong() has nothing against */

#endif
