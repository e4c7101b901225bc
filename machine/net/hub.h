/* Hubs: netdevs that are ports of one (-netdev hubport) hear what comes into any other port of it. */
#ifndef MACHINE_NET_HUB_H
#define MACHINE_NET_HUB_H

#include "machine/net/net.h"

struct hub_settings {
	uint32_t number;		/* of the hub */
	bool has_number;
	const char *netdev;		/* that is on the port, instead of a card; NULL */
};

/* Is it a port, and of which hub? */
bool hub_of(const struct net_config *c, uint32_t *number);
/* Does a port of that configuration want netdev `id`? */
bool hub_wants(const struct net_config *c, const char *id);

#endif
