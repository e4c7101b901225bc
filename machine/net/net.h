/* Networks: the host's side of network cards, under the names that -netdev and -nic give them.
 *
 * A netdev has a backend, which is a row of backends.c, and at most one card (a device that net_take() has given it to).
 * What the guest sends goes to the backend at once; the backend takes it or drops it, so that nobody who is slow on the
 * host shows in the guest. What comes in waits in a queue of bounded length, and a card sees no more of it than was there
 * at the last named point of host input: nets_look(). Backends touch nothing of the guest.
 *
 * Frames are Ethernet's, from the destination's address on, without a checksum at the end, padded or not. */
#ifndef MACHINE_NET_NET_H
#define MACHINE_NET_NET_H

#include <poll.h>

#include "machine/core/device.h"

#define NET_MAC_BYTES    6u
#define NET_HEAD_BYTES   14u			/* addresses and type */
#define NET_TAG_BYTES    4u			/* 802.1Q */
#define NET_FRAME_MAX    (65535u + NET_HEAD_BYTES + NET_TAG_BYTES)
#define NET_QUEUE_FRAMES 1024u			/* that wait for a card: what comes then is dropped */
#define NET_QUEUE_BYTES  (4u << 20)
#define NET_QUEUES_MOST  256u
#define NET_MAX_FDS      1024u			/* of all netdevs, that are waited for at a time */

struct net;
struct net_config;

/* A word of -netdev TYPE,KEY=VALUE. */
struct net_key {
	const char *name;		/* NULL: the end of a table */
	bool (*set)(void *settings, const char *value, struct error *err);
};

struct net_backend {
	const char *type;		/* -netdev TYPE */
	const char *help;
	const struct net_key *keys;
	size_t settings_size;		/* of the struct that set() fills */
	void (*defaults)(void *settings);		/* of a struct that is zero; NULL: that is right */
	bool (*check)(void *settings, struct error *err);	/* they fit together; NULL: they always do */
	bool sums_right;		/* checksums of frames that it brings need not be looked at */
	uint16_t segment;		/* bytes of data that it takes in a frame of TCP over IPv4; 0: as many as fit the network's MTU */

	/* Opens what there is to open; false and err->msg set: close() is called all the same. */
	bool (*open)(struct net *n, struct error *err);
	void (*close)(struct net *n);
	/* Takes a frame from the card, or drops it; never waits. At any cycle of the guest's. */
	void (*send)(struct net *n, const uint8_t *frame, size_t bytes);
	/* Looks at the host without waiting, and gives what has come to net_arrives(). NULL: nothing comes by itself. */
	void (*look)(struct net *n);
	/* What to wait for until look() has something to do, at most `room`; *ns becomes smaller if that is due sooner. */
	unsigned (*pollfds)(struct net *n, struct pollfd *fds, unsigned room, uint64_t *ns);
	/* What its peer brings would go on to somebody. NULL: it has no peer. */
	bool (*has_room)(const struct net *n);

	/* For monitors; each may be NULL. */
	void (*print)(const struct net *n, FILE *out);		/* ",KEY=VALUE.." of "info network" */
	void (*print_connections)(struct net *n, FILE *out);
	/* A port of the host's leads in from now on, or does not any more. False and err->msg set. */
	bool (*forward)(struct net *n, const char *rule, bool add, struct error *err);
};

extern const struct net_backend *const net_backends[];	/* ended by NULL */

/* As the command line says it; in struct config. */
struct net_config {
	const struct net_backend *backend;
	const char *id;
	void *settings;			/* the backend's */
	uint32_t queues;		/* that a card which has several may have each way; 0: 1 */
	char *text, *made_id, *device;	/* what the strings are in; -nic: its -device. options_free() */
};

struct net_frame {
	struct net_frame *next;
	uint32_t bytes;
	uint8_t data[];
};

struct net_stats {
	uint64_t sent, sent_bytes, refused;	/* by the card; refused: the backend was not given those */
	uint64_t came, came_bytes, dropped;	/* from the host; dropped: there was no room, or no link */
};

struct net {
	const struct net_config *config;
	struct net_config *own;		/* it has come while the machine ran: the same. NULL: config is an option's */
	struct machine *machine;
	struct device *user;		/* the card; NULL: nobody has taken it */
	struct net *peer;		/* instead of a card: a port of a hub has the netdev that is on it, and that one the port */
	void *state;			/* the backend's */
	struct net_frame *first, *last;	/* that wait for the card */
	uint32_t frames, bytes;		/* how many that are */
	uint32_t arrived;		/* that the card may see, from the first one on */
	bool link_down;			/* set_link: nothing passes */
	struct net_dump *dump;		/* dump.h: what passes goes there; NULL */
	struct net_stats stats;
	struct net *next;		/* in the order of the command line */
};

/* All that the configuration has. False and err->msg set. */
bool nets_new(struct machine *m, struct error *err);
void nets_free(struct machine *m);
struct net *net_find(const struct machine *m, const char *id);	/* NULL: there is none */

/* For one card alone. NULL and err->msg set: no such netdev, or it is taken. */
struct net *net_take(struct machine *m, const char *id, struct device *dev, struct error *err);
void net_leave(struct net *n);		/* the card goes: what waits for it is for nobody */

/* ---- The card's ---- */
void net_send(struct net *n, const uint8_t *frame, size_t bytes);
const struct net_frame *net_front(const struct net *n);	/* that has arrived; NULL: none */
void net_done(struct net *n);				/* with that one */

/* Says to all on the network that this card is here now, by a question that nobody answers: RFC 903. */
void net_say_place(struct net *n, const uint8_t mac[NET_MAC_BYTES]);

/* ---- The monitor's ---- */
void nets_announce(struct machine *m);		/* all cards do */
void net_forget(struct net *n);			/* what waits for the card: it was for another guest */
/* Text of a -netdev whose card comes later; one that no card has. False and err->msg set. */
bool net_add(struct machine *m, const char *text, struct error *err);
bool net_delete(struct machine *m, const char *id, struct error *err);
void net_pull(struct net *n, bool down);	/* the cable; the card is told */

/* ---- The backend's ---- */
void net_arrives(struct net *n, const uint8_t *frame, size_t bytes);
bool net_has_room(const struct net *n);	/* it would not be dropped */

/* ---- The firmware's, while no guest runs ---- */
void net_look_now(struct net *n);		/* what has come by now has arrived */

/* ---- The run loop's ---- */
/* Between quanta, at a point of host input: looks at all backends, and has the cards take what has arrived. */
void nets_look(struct machine *m);
bool nets_early(const struct machine *m);	/* something waits for nets_look() */
unsigned nets_pollfds(struct machine *m, struct pollfd *fds, uint64_t *ns);

/* ---- The command line's ---- */
/* The words of a netdev, KEY and VALUE: false and err->msg set. */
const struct net_backend *net_backend_find(const char *type);
bool net_config_begin(struct net_config *c, struct error *err);	/* its backend is known: defaults */
bool net_config_set(struct net_config *c, const char *key, const char *value, struct error *err);
bool net_config_finish(struct net_config *c, struct error *err);

/* Values of words. False and err->msg set: `key` names it. */
bool net_word_bool(const char *key, const char *value, bool *out, struct error *err);
bool net_word_number(const char *key, const char *value, uint64_t most, uint64_t *out, struct error *err);
bool net_mac_parse(const char *text, uint8_t mac[NET_MAC_BYTES]);
void net_mac_text(const uint8_t mac[NET_MAC_BYTES], char text[18]);

/* A card has this one from now on. All zero: it becomes 52:54:00:12:34:56, or the first after it that no card has; false: all
 * of those are taken. */
bool net_mac_claim(struct machine *m, uint8_t mac[NET_MAC_BYTES]);
void net_mac_release(struct machine *m, const uint8_t mac[NET_MAC_BYTES]);	/* that one, which had claimed it, has it no more */

#endif
