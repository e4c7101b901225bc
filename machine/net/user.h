/* What -netdev user says, for who parses it (user_options.c) and who opens it (user.c). */
#ifndef MACHINE_NET_USER_H
#define MACHINE_NET_USER_H

#include <netinet/in.h>

#include "machine/net/net.h"

#define USER_FORWARDS 64u		/* of each kind */
#define USER_MTU      1500u
#define USER_SEGMENT  16384u		/* of data in a frame of TCP over IPv4 from the guest */
#define USER_TCP_MTU  (USER_SEGMENT + 120u)

/* A port of the host's that leads into the guest. */
struct user_hostfwd {
	const char *rule;
	bool udp;
	struct in_addr host, guest;	/* guest 0: where the first lease of DHCP is */
	unsigned host_port, guest_port;	/* host_port 0: any that is free */
};

/* An address of the guest's network that leads to a command or a socket of the host's. */
struct user_guestfwd {
	const char *rule;
	struct in_addr server;
	unsigned port;
	const char *command, *path;	/* one of them; the other NULL */
};

struct user_settings {
	bool ipv4, ipv6, restricted;
	struct in_addr net, mask, host, dhcp, dns;
	struct in6_addr prefix, host6, dns6;
	unsigned prefix_bits;
	bool has_net, has_host, has_dhcp, has_dns, has_host6, has_dns6;
	const char *hostname, *tftp, *tftp_server, *bootfile, *domain;	/* NULL: not given */
	const char *search[USER_FORWARDS + 1];	/* ended by NULL */
	unsigned searches;
	struct user_hostfwd hostfwd[USER_FORWARDS];
	struct user_guestfwd guestfwd[USER_FORWARDS];
	unsigned hostfwds, guestfwds;
};

extern const struct net_key user_keys[];
void user_defaults(void *settings);
bool user_check(void *settings, struct error *err);

/* "[tcp|udp]:[HOSTADDR]:HOSTPORT-[GUESTADDR]:GUESTPORT": what it says. False and err->msg set. */
bool user_hostfwd_parse(const char *rule, struct user_hostfwd *f, struct error *err);
/* "[tcp|udp]:[HOSTADDR]:HOSTPORT": what of it there is. */
bool user_hostfwd_name_parse(const char *rule, struct user_hostfwd *f, struct error *err);

#endif
