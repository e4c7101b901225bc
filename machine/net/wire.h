/* Netdevs that are sockets of the host's: what -netdev socket, stream, dgram and tap say, for who parses it (wire_options.c)
 * and who opens it (wire.c, wire_stream.c, wire_datagram.c, tap.c).
 *
 * Nobody at the other end is trusted: what comes in is whole frames of a bounded length, however it was sent, and what the
 * other end does not take in time is dropped. */
#ifndef MACHINE_NET_WIRE_H
#define MACHINE_NET_WIRE_H

#include "machine/net/net.h"

#define WIRE_HOST_MAX 256		/* bytes with the NUL, and so below */
#define WIRE_PORT_MAX 32
#define WIRE_PATH_MAX 108		/* struct sockaddr_un */
#define WIRE_TEXT_MAX 256
#define WIRE_AT_ONCE  256u		/* frames or reads in a look: others wait for the next one */

enum wire_kind { WIRE_NONE, WIRE_INET, WIRE_UNIX, WIRE_FD };

struct wire_end {
	enum wire_kind kind;
	char host[WIRE_HOST_MAX], port[WIRE_PORT_MAX];
	char path[WIRE_PATH_MAX];
	uint32_t fd, last_port;		/* last_port: that a server tries; 0: its port alone */
	bool no_ipv4, no_ipv6;
	bool asked;			/* some word was about it */
};

enum wire_mode { WIRE_NO_MODE, WIRE_STREAM, WIRE_DATAGRAM, WIRE_MULTICAST, WIRE_TAP };

struct wire_settings {
	enum wire_mode mode;		/* what check() has found */
	struct wire_end remote, local;	/* a stream has a remote end alone */
	bool server;			/* who listens at `remote` */
	uint64_t reconnect_ms;		/* between two tries; 0: none but the first */
	/* -netdev socket: as given, or NULL. */
	const char *fd, *listen, *connect, *mcast, *udp, *localaddr;
	const char *ifname;		/* tap */
};

/* State of such a netdev; the first member of each kind's own. */
struct wire {
	const struct wire_ops *ops;
	struct net *net;
	char text[WIRE_TEXT_MAX];	/* what "info network" says of it */
};

struct wire_ops {
	void (*close)(struct wire *w);	/* and frees it */
	void (*send)(struct wire *w, const uint8_t *frame, size_t bytes);
	void (*look)(struct wire *w);
	unsigned (*pollfds)(struct wire *w, struct pollfd *fds, unsigned room, uint64_t *ns);
};

static inline const struct wire_settings *wire_settings(const struct wire *w) { return w->net->config->settings; }

/* Made and opened. NULL and err->msg set. */
struct wire *wire_stream_open(struct net *n, struct error *err);
struct wire *wire_datagram_open(struct net *n, struct error *err);
/* The same over a descriptor that gives and takes a frame at a time; `fd` is the wire's, -1 opens none. */
struct wire *wire_frames_open(struct net *n, int fd, struct error *err);
/* A descriptor that we have been given, by number: not blocking, and ours alone from now on. -1 and err->msg set. */
int wire_take_fd(struct net *n, uint32_t fd, struct error *err);
/* It could not be opened. */
void wire_refuse(const struct net *n, const char *why, struct error *err);
#define WIRE_HOW_MAX 200
/* As messages and monitors have an end: "HOST:PORT", or a path. */
void wire_end_text(const struct wire_end *e, char text[WIRE_HOW_MAX]);

/* net_backend's, of all kinds. */
void wire_close(struct net *n);
void wire_send(struct net *n, const uint8_t *frame, size_t bytes);
void wire_look(struct net *n);
unsigned wire_pollfds(struct net *n, struct pollfd *fds, unsigned room, uint64_t *ns);
void wire_print(const struct net *n, FILE *out);

/* ---- wire_options.c ---- */
extern const struct net_key socket_keys[], stream_keys[], dgram_keys[], tap_keys[];
bool socket_check(void *settings, struct error *err);
bool stream_check(void *settings, struct error *err);
bool dgram_check(void *settings, struct error *err);
bool tap_check(void *settings, struct error *err);

#endif
