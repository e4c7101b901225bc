/* Which frames belong together: those of one connection have one number, both ways. */
#ifndef MACHINE_NET_FLOW_H
#define MACHINE_NET_FLOW_H

#include <stddef.h>
#include <stdint.h>

#define NET_FLOWS 256u

/* Below NET_FLOWS; what is neither IPv4 nor IPv6, or cut, is all one. */
unsigned net_flow(const uint8_t *frame, size_t bytes);

#endif
