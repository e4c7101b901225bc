/* The netdevs that are sockets of the host's, as backends: -netdev socket, stream, dgram. What they do is their kind's. */
#include "machine/net/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

static struct wire *wire_of(const struct net *n) { return n->state; }

void wire_refuse(const struct net *n, const char *why, struct error *err)
{
	error_set(err, "-netdev %s,id=%.40s: %.160s", n->config->backend->type, n->config->id, why);
}

void wire_end_text(const struct wire_end *e, char text[WIRE_HOW_MAX])
{
	if (e->kind == WIRE_INET)
		snprintf(text, WIRE_HOW_MAX, strchr(e->host, ':') ? "[%.120s]:%s" : "%.120s:%s", e->host, e->port);
	else if (e->kind == WIRE_UNIX)
		snprintf(text, WIRE_HOW_MAX, "%s", e->path);
	else
		snprintf(text, WIRE_HOW_MAX, "fd=%u", (unsigned)e->fd);
}

int wire_take_fd(struct net *n, uint32_t fd, struct error *err)
{
	int flags = fcntl((int)fd, F_GETFL);

	if (fd > 2 && flags >= 0 && fcntl((int)fd, F_SETFL, flags | O_NONBLOCK) >= 0 && fcntl((int)fd, F_SETFD, FD_CLOEXEC) >= 0)
		return (int)fd;
	wire_refuse(n, fd > 2 ? strerror(errno) : "descriptors 0 to 2 are other streams", err);
	return -1;
}

/* What -netdev socket,fd= is shows when it is there. */
static bool has_datagrams(const struct wire_settings *s)
{
	int type = SOCK_STREAM;
	socklen_t bytes = sizeof type;

	return s->fd && !getsockopt((int)s->remote.fd, SOL_SOCKET, SO_TYPE, &type, &bytes) && type != SOCK_STREAM;
}

static bool wire_open(struct net *n, struct error *err)
{
	const struct wire_settings *s = n->config->settings;

	n->state = s->mode == WIRE_STREAM && !has_datagrams(s) ? wire_stream_open(n, err) : wire_datagram_open(n, err);
	return n->state;
}

void wire_close(struct net *n)
{
	if (n->state)
		wire_of(n)->ops->close(wire_of(n));
	n->state = NULL;
}

void wire_send(struct net *n, const uint8_t *frame, size_t bytes) { wire_of(n)->ops->send(wire_of(n), frame, bytes); }
void wire_look(struct net *n) { wire_of(n)->ops->look(wire_of(n)); }

unsigned wire_pollfds(struct net *n, struct pollfd *fds, unsigned room, uint64_t *ns)
{
	return wire_of(n)->ops->pollfds(wire_of(n), fds, room, ns);
}

void wire_print(const struct net *n, FILE *out)
{
	fprintf(out, ",%s", wire_of(n)->text);
}

#define WIRE(type_, help_) \
	{ \
		.type = #type_, .help = help_, .keys = type_##_keys, .settings_size = sizeof(struct wire_settings), .check = type_##_check, \
		.open = wire_open, .close = wire_close, .send = wire_send, .look = wire_look, .pollfds = wire_pollfds, .print = wire_print, \
	}

const struct net_backend net_socket = WIRE(socket, "to another machine: a connection, datagrams, a group of machines");
const struct net_backend net_stream = WIRE(stream, "to another machine by a connection, of TCP or a Unix socket");
const struct net_backend net_dgram = WIRE(dgram, "to other machines by datagrams");
