/* Both ends' addresses, and their ports if there are any, are added without carry: who of the two sends does not show.
 * Sources: RFC 791 (IP), 8200 (IPv6), 9293 (TCP), 768 (UDP). */
#include "machine/net/flow.h"

#include <stdbool.h>

#define TYPE_AT    12u
#define IP_AT      14u
#define PORT_BYTES 4u			/* of both */
#define MIX        0x9e3779b1u		/* spreads what differs in its last bits only */

static unsigned get16(const uint8_t *p) { return (unsigned)p[0] << 8 | p[1]; }

static unsigned add(const uint8_t *p, size_t bytes)
{
	unsigned sum = 0;

	for (size_t i = 0; i < bytes; i += 2)
		sum ^= get16(p + i);
	return sum;
}

static bool has_ports(unsigned protocol) { return protocol == 6 || protocol == 17; }

unsigned net_flow(const uint8_t *frame, size_t bytes)
{
	unsigned type = bytes >= IP_AT ? get16(frame + TYPE_AT) : 0, sum;
	const uint8_t *ip = frame + IP_AT;
	size_t ports = 0;		/* where they are; 0: there are none */

	if (type == 0x0800 && bytes >= IP_AT + 20) {
		sum = add(ip + 12, 8);
		if (has_ports(ip[9]) && !(get16(ip + 6) & 0x3fff))	/* of a fragment: all but the first have none */
			ports = IP_AT + 4u * (ip[0] & 15);
	} else if (type == 0x86dd && bytes >= IP_AT + 40) {
		sum = add(ip + 8, 32);
		if (has_ports(ip[6]))
			ports = IP_AT + 40;
	} else {
		return 0;
	}
	if (ports && bytes >= ports + PORT_BYTES)
		sum ^= add(frame + ports, PORT_BYTES);
	return (uint32_t)(sum * MIX) >> 24;
}
