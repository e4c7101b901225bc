/* The netdevs of a machine: made by their configurations, handed to cards, and what waits in between; see net.h. */
#include "machine/net/net.h"

#include <stdlib.h>
#include <string.h>

#include "machine/core/clock.h"
#include "machine/core/config.h"
#include "machine/net/dump.h"

/* The last one. False and err->msg set: nobody is there. */
static bool new_net(struct machine *m, const struct net_config *config, struct net_config *own, struct error *err)
{
	struct net **last = &m->nets, *n = calloc(1, sizeof *n);

	if (!n) {
		error_set(err, "out of memory");
		return false;
	}
	while (*last)
		last = &(*last)->next;
	*last = n;
	n->config = config;
	n->own = own;
	n->machine = m;
	return config->backend->open(n, err);
}

static bool new_dump(struct machine *m, const struct net_dump_config *c, struct error *err)
{
	struct net *n = net_find(m, c->netdev);

	if (!n)
		error_usage(err, "-object filter-dump: there is no netdev '%.60s'", c->netdev);
	else if (n->dump)
		error_usage(err, "-object filter-dump: netdev '%.60s' has one already", c->netdev);
	else
		return (n->dump = net_dump_open(c, err));
	return false;
}

bool nets_new(struct machine *m, struct error *err)
{
	for (unsigned i = 0; i < m->config->netdevs; i++)
		if (!new_net(m, m->config->netdev[i], NULL, err))
			return false;
	for (unsigned i = 0; i < m->config->netdumps; i++)
		if (!new_dump(m, m->config->netdump[i], err))
			return false;
	return true;
}

static void drop_first(struct net *n)
{
	struct net_frame *f = n->first;

	n->first = f->next;
	n->frames--;
	n->bytes -= f->bytes;
	if (!n->first)
		n->last = NULL;
	free(f);
}

static void free_net(struct machine *m, struct net *n)
{
	struct net **p = &m->nets;

	while (*p != n)
		p = &(*p)->next;
	*p = n->next;
	if (n->peer)
		n->peer->peer = NULL;
	n->config->backend->close(n);
	net_dump_close(n->dump);
	while (n->first)
		drop_first(n);
	if (n->own)
		m->config->late->net_free(n->own);
	free(n);
}

void nets_free(struct machine *m)
{
	while (m->nets)
		free_net(m, m->nets);
}

bool net_add(struct machine *m, const char *text, struct error *err)
{
	struct net_config *config = m->config->late->net(text, err);
	unsigned count = 0;

	if (!config)
		return false;
	for (const struct net *n = m->nets; n; n = n->next)
		count++;
	if (net_find(m, config->id))
		error_set(err, "Duplicate ID '%.60s' for netdev", config->id);
	else if (count >= CONFIG_MAX_NETDEVS)
		error_set(err, "%d networks are the most", CONFIG_MAX_NETDEVS);
	else if (new_net(m, config, config, err))
		return true;
	else if (net_find(m, config->id)) {
		free_net(m, net_find(m, config->id));
		return false;
	}
	m->config->late->net_free(config);
	return false;
}

bool net_delete(struct machine *m, const char *id, struct error *err)
{
	struct net *n = net_find(m, id);

	if (!n)
		error_set(err, "Device '%.60s' not found", id);
	else if (n->user)
		error_set(err, "Device '%.60s' is in use", id);
	if (!n || n->user)
		return false;
	free_net(m, n);
	return true;
}

struct net *net_find(const struct machine *m, const char *id)
{
	struct net *n = m->nets;

	while (n && strcmp(n->config->id, id))
		n = n->next;
	return n;
}

struct net *net_take(struct machine *m, const char *id, struct device *dev, struct error *err)
{
	const char *name = dev->class->name;
	struct net *n = net_find(m, id);

	if (!n)
		error_usage(err, "-device %s: Property '%s.netdev' can't find value '%.60s'", name, name, id);
	else if (n->user || n->peer)
		error_usage(err, "-device %s: Property '%s.netdev' can't take value '%.60s', it's in use", name, name, id);
	else
		n->user = dev;
	return n && n->user == dev ? n : NULL;
}

void net_forget(struct net *n)
{
	while (n->first)
		drop_first(n);
	n->arrived = 0;
}

void net_leave(struct net *n)
{
	net_forget(n);
	n->user = NULL;
}

void net_pull(struct net *n, bool down)
{
	bool changed = n->link_down != down;

	n->link_down = down;
	if (down)
		net_forget(n);
	if (changed && n->user && n->user->class->link_changed)
		n->user->class->link_changed(n->user);
}

static void keep_frame(struct net *n, const uint8_t *frame, size_t bytes)
{
	if (n->dump)
		net_dump_frame(n->dump, n->machine->rtc_offset_ns + cycles_to_ns(machine_now(n->machine)), frame, bytes);
}

/* ---- From the card to the host ---- */

void net_send(struct net *n, const uint8_t *frame, size_t bytes)
{
	if (n->link_down || bytes < NET_HEAD_BYTES || bytes > NET_FRAME_MAX) {
		n->stats.refused++;
		return;
	}
	n->stats.sent++;
	n->stats.sent_bytes += bytes;
	keep_frame(n, frame, bytes);
	n->config->backend->send(n, frame, bytes);
}

void net_say_place(struct net *n, const uint8_t mac[NET_MAC_BYTES])
{
	/* Type; Ethernet and IPv4, the sizes of their addresses; "who am I?"; of whom, and for whom, one card. */
	static const uint8_t head[] = { 0x80, 0x35, 0, 1, 8, 0, NET_MAC_BYTES, 4, 0, 3 };
	uint8_t frame[60] = { 0 };

	memset(frame, 0xff, NET_MAC_BYTES);
	memcpy(frame + 6, mac, NET_MAC_BYTES);
	memcpy(frame + 12, head, sizeof head);
	memcpy(frame + 22, mac, NET_MAC_BYTES);
	memcpy(frame + 32, mac, NET_MAC_BYTES);
	net_send(n, frame, sizeof frame);
}

void nets_announce(struct machine *m)
{
	for (struct net *n = m->nets; n; n = n->next)
		if (n->user && n->user->class->announce)
			n->user->class->announce(n->user);
}

/* ---- From the host to the card ---- */

bool net_has_room(const struct net *n)
{
	if (n->peer)
		return n->peer->config->backend->has_room(n->peer);
	return n->frames < NET_QUEUE_FRAMES && n->bytes < NET_QUEUE_BYTES;
}

/* Nobody to take it: it is not kept, as on a cable with nothing at its end. */
void net_arrives(struct net *n, const uint8_t *frame, size_t bytes)
{
	struct net_frame *f = NULL;

	if (n->peer && !n->link_down && bytes >= NET_HEAD_BYTES && bytes <= NET_FRAME_MAX) {
		n->stats.came++;
		n->stats.came_bytes += bytes;
		keep_frame(n, frame, bytes);
		net_send(n->peer, frame, bytes);
		return;
	}
	if (n->user && !n->link_down && net_has_room(n) && bytes >= NET_HEAD_BYTES && bytes <= NET_FRAME_MAX)
		f = malloc(sizeof *f + bytes);
	if (!f) {
		n->stats.dropped++;
		return;
	}
	f->next = NULL;
	f->bytes = (uint32_t)bytes;
	memcpy(f->data, frame, bytes);
	if (n->last)
		n->last->next = f;
	else
		n->first = f;
	n->last = f;
	n->frames++;
	n->bytes += f->bytes;
}

const struct net_frame *net_front(const struct net *n)
{
	return n->arrived ? n->first : NULL;
}

void net_done(struct net *n)
{
	n->stats.came++;
	n->stats.came_bytes += n->first->bytes;
	n->arrived--;
	drop_first(n);
}

/* ---- The run loop's points ---- */

/* Those that the card is about to see. */
static void keep_arrived(struct net *n)
{
	unsigned i = 0;

	for (const struct net_frame *f = n->first; f; f = f->next)
		if (i++ >= n->arrived)
			keep_frame(n, f->data, f->bytes);
	net_dump_flush(n->dump);
}

static void look_all(struct machine *m)
{
	for (struct net *n = m->nets; n; n = n->next)
		if (n->config->backend->look)
			n->config->backend->look(n);
}

void net_look_now(struct net *n)
{
	look_all(n->machine);
	if (n->dump)
		keep_arrived(n);
	n->arrived = n->frames;
}

void nets_look(struct machine *m)
{
	look_all(m);
	for (struct net *n = m->nets; n; n = n->next)
		if (n->dump)
			keep_arrived(n);
	/* What a card sends while it takes these may be answered at once: that waits for the next point. */
	for (struct net *n = m->nets; n; n = n->next)
		n->arrived = n->frames;
	for (struct net *n = m->nets; n; n = n->next)
		if (n->arrived && n->user)
			n->user->class->frames_arrived(n->user);
}

bool nets_early(const struct machine *m)
{
	for (const struct net *n = m->nets; n; n = n->next)
		if (n->frames > n->arrived)
			return true;
	return false;
}

unsigned nets_pollfds(struct machine *m, struct pollfd *fds, uint64_t *ns)
{
	unsigned count = 0;

	for (struct net *n = m->nets; n; n = n->next)
		if (n->config->backend->pollfds)
			count += n->config->backend->pollfds(n, fds + count, NET_MAX_FDS - count, ns);
	return count;
}
