/* Frames as datagrams, one in each: between two addresses, in a group of machines, or over a descriptor that has whole frames
 * by itself. What the host does not take at once is lost. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "machine/host/inet.h"
#include "machine/host/socket.h"
#include "machine/net/wire.h"

struct datagram {
	struct wire w;
	int fd;				/* -1: gone */
	struct sockaddr_storage to;
	socklen_t to_bytes;		/* 0: the descriptor knows where */
	bool endless;			/* a frame of no bytes is one, not the end */
	struct socket_name name;	/* ours */
	uint8_t frame[NET_FRAME_MAX + 1];	/* one byte more: a frame that has it is too long */
};

static struct datagram *datagram_of(struct wire *w) { return (struct datagram *)w; }

static void datagram_send(struct wire *w, const uint8_t *frame, size_t bytes)
{
	struct datagram *d = datagram_of(w);
	ssize_t n = -1;

	if (d->fd >= 0 && d->to_bytes)
		n = sendto(d->fd, frame, bytes, MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&d->to, d->to_bytes);
	else if (d->fd >= 0)
		n = write(d->fd, frame, bytes);
	w->net->stats.refused += n < 0;
}

/* Nothing will ever come from there. The others tell of one datagram, or of a moment. */
static bool is_end(int error)
{
	static const int ends[] = { EBADF, EBADFD, EIO, EINVAL, ENOTCONN, ENOTSOCK, EISDIR, ENODEV, ENXIO };

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (ends[i] == error)
			return true;
	return false;
}

static void datagram_look(struct wire *w)
{
	struct datagram *d = datagram_of(w);

	for (unsigned i = 0; i < WIRE_AT_ONCE && d->fd >= 0 && net_has_room(w->net); i++) {
		ssize_t n = read(d->fd, d->frame, sizeof d->frame);

		if (n > 0) {
			net_arrives(w->net, d->frame, (size_t)n);
		} else if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			return;
		} else if (n ? is_end(errno) : !d->endless) {
			close(d->fd);
			d->fd = -1;
			snprintf(w->text, sizeof w->text, "gone");
		}
	}
}

static unsigned datagram_pollfds(struct wire *w, struct pollfd *fds, unsigned room, uint64_t *ns)
{
	struct datagram *d = datagram_of(w);

	(void)ns;
	if (!room || d->fd < 0 || !net_has_room(w->net))
		return 0;
	fds[0] = (struct pollfd){ .fd = d->fd, .events = POLLIN };
	return 1;
}

static void datagram_close(struct wire *w)
{
	struct datagram *d = datagram_of(w);

	if (d->fd >= 0)
		close(d->fd);
	socket_forget(&d->name);
	free(d);
}

static const struct wire_ops ops = { .close = datagram_close, .send = datagram_send, .look = datagram_look, .pollfds = datagram_pollfds };

struct wire *wire_frames_open(struct net *n, int fd, struct error *err)
{
	struct datagram *d = calloc(1, sizeof *d);

	if (!d) {
		error_set(err, "out of memory");
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	d->w = (struct wire){ .ops = &ops, .net = n };
	d->fd = fd;
	return &d->w;
}

/* ---- Opening ---- */

static bool look_up(struct datagram *d, const struct wire_end *e, struct inet *inet, struct error *why)
{
	const struct inet_names names = { .host = e->host, .port = *e->port ? e->port : "0", .type = SOCK_DGRAM, .ipv4 = !e->no_ipv4,
					  .ipv6 = !e->no_ipv6, .one = true };

	return inet_look_up(inet, &names, d->w.net->machine->term, why);
}

/* "socket: udp=TO", "udp=FROM/TO", as -netdev socket and dgram have it. */
static void say(struct datagram *d, const struct wire_settings *set, const char *what, const char *between)
{
	char from[WIRE_HOW_MAX], to[WIRE_HOW_MAX];

	wire_end_text(&set->local, from);
	wire_end_text(&set->remote, to);
	if (set->udp || set->mcast)
		snprintf(d->w.text, sizeof d->w.text, "socket: %s=%.200s", what, to);
	else if (*between)
		snprintf(d->w.text, sizeof d->w.text, "%s=%.110s%s%.110s", what, from, between, to);
	else
		snprintf(d->w.text, sizeof d->w.text, "%s=%.200s", what, to);
}

static bool open_inet(struct datagram *d, const struct wire_settings *set, struct error *why)
{
	struct inet to, from;

	if (!look_up(d, &set->remote, &to, why) || !look_up(d, &set->local, &from, why))
		return false;
	d->fd = inet_datagrams(&to, &from, why);
	if (d->fd < 0)
		return false;
	say(d, set, "udp", "/");
	return true;
}

/* The other end's name may be nobody's yet. */
static bool open_unix(struct datagram *d, const struct wire_settings *set, struct error *why)
{
	struct sockaddr_un *to = (struct sockaddr_un *)&d->to;

	d->fd = socket_datagrams(set->local.path, &d->name, why);
	if (d->fd < 0)
		return false;
	to->sun_family = AF_UNIX;
	memcpy(to->sun_path, set->remote.path, sizeof to->sun_path);
	d->to_bytes = sizeof *to;
	say(d, set, "udp", ":");
	return true;
}

static bool open_fd(struct datagram *d, const struct wire_settings *set, struct error *why)
{
	d->fd = wire_take_fd(d->w.net, set->local.fd, why);
	snprintf(d->w.text, sizeof d->w.text, "fd=%u", (unsigned)set->local.fd);
	return d->fd >= 0;
}

/* All of a group have its address, and hear what they say themselves. */
static bool join(struct datagram *d, struct in_addr interface)
{
	const struct sockaddr_in *group = (struct sockaddr_in *)&d->to;
	const struct ip_mreq request = { .imr_multiaddr = group->sin_addr, .imr_interface = interface };
	int one = 1;

	d->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return d->fd >= 0 && !setsockopt(d->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) && !bind(d->fd, (struct sockaddr *)&d->to, d->to_bytes) &&
	       !setsockopt(d->fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request) &&
	       !setsockopt(d->fd, IPPROTO_IP, IP_MULTICAST_LOOP, &one, sizeof one) &&
	       (!interface.s_addr || !setsockopt(d->fd, IPPROTO_IP, IP_MULTICAST_IF, &interface, sizeof interface));
}

static bool open_group(struct datagram *d, const struct wire_settings *set, struct error *why)
{
	struct in_addr interface = { 0 };
	struct inet to, from;

	if (!look_up(d, &set->remote, &to, why) || (set->local.kind && !look_up(d, &set->local, &from, why)))
		return false;
	d->to = to.address[0].at;
	d->to_bytes = to.address[0].len;
	if (d->to.ss_family != AF_INET || !IN_MULTICAST(ntohl(((struct sockaddr_in *)&d->to)->sin_addr.s_addr))) {
		error_set(why, "not the address of a group");
		return false;
	}
	if (set->local.kind && from.address[0].at.ss_family == AF_INET)
		interface = ((struct sockaddr_in *)&from.address[0].at)->sin_addr;
	if (!join(d, interface)) {
		error_set(why, "%s", strerror(errno));
		return false;
	}
	say(d, set, "mcast", "");
	return true;
}

static bool open_some(struct datagram *d, const struct wire_settings *set, struct error *why)
{
	if (set->mode == WIRE_MULTICAST)
		return open_group(d, set, why);
	return (set->local.kind == WIRE_FD ? open_fd : set->local.kind == WIRE_UNIX ? open_unix : open_inet)(d, set, why);
}

struct wire *wire_datagram_open(struct net *n, struct error *err)
{
	const struct wire_settings *set = n->config->settings;
	struct wire *w = wire_frames_open(n, -1, err);
	struct error why;
	char at[WIRE_HOW_MAX], text[160 + WIRE_HOW_MAX];

	if (!w)
		return NULL;
	datagram_of(w)->endless = set->local.kind != WIRE_FD;
	if (open_some(datagram_of(w), set, &why))
		return w;
	wire_end_text(set->local.kind ? &set->local : &set->remote, at);
	snprintf(text, sizeof text, "%.100s: %.100s", at, why.msg);
	if (set->local.kind == WIRE_FD)
		*err = why;
	else
		wire_refuse(n, text, err);
	datagram_close(w);
	return NULL;
}
