/* -netdev hubport: see hub.h. A frame goes on to all other ports at once; a card sees it at the next point of host input. */
#include "machine/net/hub.h"

#include <string.h>

#include "machine/core/machine.h"

extern const struct net_backend net_hubport;

bool hub_of(const struct net_config *c, uint32_t *number)
{
	if (c->backend != &net_hubport)
		return false;
	*number = ((const struct hub_settings *)c->settings)->number;
	return true;
}

bool hub_wants(const struct net_config *c, const char *id)
{
	const struct hub_settings *s = c->settings;

	return c->backend == &net_hubport && s->netdev && !strcmp(s->netdev, id);
}

/* The next port of the hub that `n` is one of, after `q` (NULL: the first), but not `n`. */
static struct net *next_port(const struct net *n, const struct net *q)
{
	struct net *at = q ? q->next : n->machine->nets;
	uint32_t mine = 0, other;

	hub_of(n->config, &mine);
	while (at && (at == n || !hub_of(at->config, &other) || other != mine))
		at = at->next;
	return at;
}

/* What is on a port, or a card, has sent it. */
static void hub_send(struct net *n, const uint8_t *frame, size_t bytes)
{
	for (struct net *q = next_port(n, NULL); q; q = next_port(n, q)) {
		if (q->link_down)
			q->stats.dropped++;
		else if (q->peer)
			net_send(q->peer, frame, bytes);
		else
			net_arrives(q, frame, bytes);
	}
}

/* Where nobody takes it it is lost: that is room. */
static bool hub_has_room(const struct net *n)
{
	for (const struct net *q = next_port(n, NULL); q; q = next_port(n, q))
		if (!q->peer && q->user && !net_has_room(q))
			return false;
	return true;
}

static bool hub_open(struct net *n, struct error *err)
{
	const struct hub_settings *s = n->config->settings;
	struct net *peer = s->netdev ? net_find(n->machine, s->netdev) : NULL;
	uint32_t other;

	if (!s->netdev)
		return true;
	if (!peer || peer == n)
		error_usage(err, "-netdev hubport: netdev '%.60s' not found", s->netdev);
	else if (hub_of(peer->config, &other) || peer->peer || peer->user)
		error_usage(err, "-netdev hubport: netdev '%.60s' is %s", s->netdev, peer->peer || peer->user ? "in use" : "a port itself");
	else
		(peer->peer = n)->peer = peer;
	return n->peer;
}

static void hub_close(struct net *n) { (void)n; }

static bool hub_hubid(void *settings, const char *value, struct error *err)
{
	struct hub_settings *s = settings;
	uint64_t number;

	s->has_number = net_word_number("hubid", value, INT32_MAX, &number, err);
	s->number = (uint32_t)number;
	return s->has_number;
}

static bool hub_netdev(void *settings, const char *value, struct error *err)
{
	(void)err;
	((struct hub_settings *)settings)->netdev = value;
	return true;
}

static const struct net_key keys[] = { { "hubid", hub_hubid }, { "netdev", hub_netdev }, { NULL, NULL } };

static bool hub_check(void *settings, struct error *err)
{
	const struct hub_settings *s = settings;

	if (!s->has_number)
		error_usage(err, "Parameter 'hubid' is missing");
	return s->has_number;
}

const struct net_backend net_hubport = {
	.type = "hubport", .help = "a port of a hub, which joins networks of this machine", .keys = keys, .settings_size = sizeof(struct hub_settings),
	.check = hub_check, .open = hub_open, .close = hub_close, .send = hub_send, .has_room = hub_has_room,
};
