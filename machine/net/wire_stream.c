/* Frames over a connection: we listen and take one at a time, or connect, once or again and again. What the other end does not
 * read waits in a buffer of bounded size; frames that do not fit are lost, as on any network. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "machine/host/inet.h"
#include "machine/host/socket.h"
#include "machine/host/time.h"
#include "machine/net/deframe.h"
#include "machine/net/wire.h"

#define OUT_MAX   (1u << 20)		/* bytes that wait for the other end */
#define READ_MAX  (64u << 10)
#define NS_PER_MS UINT64_C(1000000)

struct stream {
	struct wire w;
	struct inet inet;		/* where to connect, or to listen */
	struct socket_name name;	/* that we listen at */
	int listener, fd;		/* -1: none */
	bool on_its_way;		/* `fd` is no connection yet */
	uint64_t retry_ns;		/* of the host's clock; UINT64_MAX: never */
	struct deframe in;
	const uint8_t *next;		/* in `read`: what has not been looked at, for the card has no room */
	size_t left, out_bytes;
	uint8_t out[OUT_MAX], read[READ_MAX];
};

static struct stream *stream_of(struct wire *w) { return (struct stream *)w; }
static bool is_unix(const struct stream *s) { return wire_settings(&s->w)->remote.kind == WIRE_UNIX; }

/* ---- Connections come and go ---- */

static void say(struct stream *s, const char *how, const char *where)
{
	/* -netdev socket says it in more words. */
	const bool old = wire_settings(&s->w)->listen || wire_settings(&s->w)->connect || wire_settings(&s->w)->fd;

	snprintf(s->w.text, sizeof s->w.text, "%s%.200s", old ? how : is_unix(s) ? "unix:" : "tcp:", where);
}

static void connected(struct stream *s, int fd)
{
	const char *how = s->listener >= 0 ? "socket: connection from " : "socket: connect to ";
	int one = 1;
	char text[WIRE_HOW_MAX];

	s->fd = fd;
	s->on_its_way = false;
	s->retry_ns = UINT64_MAX;
	s->out_bytes = s->left = 0;
	deframe_begin(&s->in);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (wire_settings(&s->w)->remote.kind == WIRE_INET)
		inet_text(fd, true, text);
	else
		wire_end_text(&wire_settings(&s->w)->remote, text);
	say(s, how, text);
}

static void try_later(struct stream *s)
{
	uint64_t ms = wire_settings(&s->w)->reconnect_ms;

	s->retry_ns = ms && s->listener < 0 ? host_ns() + ms * NS_PER_MS : UINT64_MAX;
}

static void hang_up(struct stream *s, const char *text)
{
	close(s->fd);
	s->fd = -1;
	s->on_its_way = false;
	s->out_bytes = s->left = 0;
	snprintf(s->w.text, sizeof s->w.text, "%s", text);
	try_later(s);
}

static void accept_one(struct stream *s)
{
	int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0)
		connected(s, fd);
}

static void begin(struct stream *s)
{
	bool done = false;
	int fd = is_unix(s) ? socket_begin(wire_settings(&s->w)->remote.path, &done) : inet_begin(&s->inet, &done);

	if (fd < 0) {
		snprintf(s->w.text, sizeof s->w.text, "connection error");
		try_later(s);
	} else if (done) {
		connected(s, fd);
	} else {
		s->fd = fd;
		s->on_its_way = true;
		s->retry_ns = UINT64_MAX;
	}
}

static void ask_outcome(struct stream *s)
{
	struct pollfd fd = { .fd = s->fd, .events = POLLOUT };

	if (poll(&fd, 1, 0) <= 0)
		return;
	if (inet_outcome(s->fd))
		hang_up(s, "connection error");
	else
		connected(s, s->fd);
}

/* ---- Out ---- */

static bool would_wait(void) { return errno == EAGAIN || errno == EINTR; }

static void flush(struct stream *s)
{
	ssize_t n = s->out_bytes ? send(s->fd, s->out, s->out_bytes, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;

	if (n < 0 && !would_wait()) {
		hang_up(s, "");
	} else if (n > 0) {
		s->out_bytes -= (size_t)n;
		memmove(s->out, s->out + n, s->out_bytes);
	}
}

/* How much of it has gone; nothing may. */
static size_t send_now(struct stream *s, const uint8_t head[DEFRAME_HEAD], const uint8_t *frame, size_t bytes)
{
	struct iovec part[2] = { { (void *)(uintptr_t)head, DEFRAME_HEAD }, { (void *)(uintptr_t)frame, bytes } };
	struct msghdr message = { .msg_iov = part, .msg_iovlen = 2 };
	ssize_t n = sendmsg(s->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0 && !would_wait())
		hang_up(s, "");
	return n > 0 ? (size_t)n : 0;
}

static void keep(struct stream *s, const uint8_t *data, size_t bytes)
{
	memcpy(s->out + s->out_bytes, data, bytes);
	s->out_bytes += bytes;
}

static void stream_send(struct wire *w, const uint8_t *frame, size_t bytes)
{
	struct stream *s = stream_of(w);
	uint8_t head[DEFRAME_HEAD];
	size_t gone = 0;

	deframe_head(bytes, head);
	if (s->fd >= 0 && !s->on_its_way && !s->out_bytes)
		gone = send_now(s, head, frame, bytes);
	if (s->fd < 0 || s->on_its_way || s->out_bytes + DEFRAME_HEAD + bytes > OUT_MAX) {
		w->net->stats.refused++;
		return;
	}
	if (gone < DEFRAME_HEAD)
		keep(s, head + gone, DEFRAME_HEAD - gone);
	gone = gone > DEFRAME_HEAD ? gone - DEFRAME_HEAD : 0;
	keep(s, frame + gone, bytes - gone);
}

/* ---- In ---- */

static bool arrives(void *opaque, const uint8_t *frame, size_t bytes)
{
	struct net *n = ((struct stream *)opaque)->w.net;

	net_arrives(n, frame, bytes);
	return net_has_room(n);
}

/* False: there is no more now. */
static bool read_some(struct stream *s)
{
	ssize_t n = recv(s->fd, s->read, sizeof s->read, MSG_DONTWAIT);

	if (n < 0 && would_wait())
		return false;
	if (n <= 0) {
		hang_up(s, "");
		return false;
	}
	s->next = s->read;
	s->left = (size_t)n;
	return true;
}

/* The rest stays with the host while the card takes nothing: who sends it is told so by TCP. */
static void take(struct stream *s)
{
	for (unsigned i = 0; i < WIRE_AT_ONCE && net_has_room(s->w.net) && (s->left || read_some(s)); i++)
		if (!deframe_take(&s->in, &s->next, &s->left, arrives, s)) {
			hang_up(s, "connection error: a frame of a wrong length");
			return;
		}
}

static void stream_look(struct wire *w)
{
	struct stream *s = stream_of(w);

	if (s->fd < 0 && s->listener >= 0)
		accept_one(s);
	if (s->fd < 0 && s->listener < 0 && s->retry_ns != UINT64_MAX && host_ns() >= s->retry_ns)
		begin(s);
	if (s->on_its_way)
		ask_outcome(s);
	if (s->fd >= 0 && !s->on_its_way)
		flush(s);
	if (s->fd >= 0 && !s->on_its_way)
		take(s);
}

static unsigned stream_pollfds(struct wire *w, struct pollfd *fds, unsigned room, uint64_t *ns)
{
	struct stream *s = stream_of(w);
	uint64_t now;
	short events = 0;

	if (s->fd < 0 && s->retry_ns != UINT64_MAX) {
		now = host_ns();
		now = s->retry_ns > now ? s->retry_ns - now : 0;
		*ns = now < *ns ? now : *ns;
	}
	if (s->left && net_has_room(w->net))
		*ns = 0;
	if (!room || (s->fd < 0 && s->listener < 0))
		return 0;
	if (s->fd >= 0 && (s->on_its_way || s->out_bytes))
		events |= POLLOUT;
	if (s->fd < 0 || (!s->on_its_way && net_has_room(w->net)))
		events |= POLLIN;
	if (!events)
		return 0;
	fds[0] = (struct pollfd){ .fd = s->fd >= 0 ? s->fd : s->listener, .events = events };
	return 1;
}

/* ---- Opening ---- */

static void stream_close(struct wire *w)
{
	struct stream *s = stream_of(w);

	if (s->fd >= 0)
		close(s->fd);
	if (s->listener >= 0)
		close(s->listener);
	socket_forget(&s->name);
	free(s);
}

static const struct wire_ops ops = { .close = stream_close, .send = stream_send, .look = stream_look, .pollfds = stream_pollfds };

static bool find_addresses(struct stream *s, const struct wire_settings *set, struct error *why)
{
	const struct inet_names names = { .host = set->remote.host, .port = set->remote.port, .type = SOCK_STREAM, .ipv4 = !set->remote.no_ipv4,
					  .ipv6 = !set->remote.no_ipv6, .one = set->server };

	return set->remote.kind != WIRE_INET || inet_look_up(&s->inet, &names, s->w.net->machine->term, why);
}

static bool open_server(struct stream *s, const struct wire_settings *set, struct error *why)
{
	if (set->remote.kind == WIRE_FD)
		s->listener = (int)set->remote.fd;
	else
		s->listener = is_unix(s) ? socket_listen(set->remote.path, &s->name, why) : inet_listen(&s->inet, set->remote.last_port, why);
	return s->listener >= 0;
}

/* The first time we wait for it, unless there are to be further ones. */
static bool open_client(struct stream *s, const struct wire_settings *set, struct error *why)
{
	struct term *term = s->w.net->machine->term;
	int fd;

	if (set->reconnect_ms) {
		begin(s);
		return true;
	}
	if (set->remote.kind == WIRE_FD)
		fd = (int)set->remote.fd;
	else
		fd = is_unix(s) ? socket_connect(set->remote.path, term, why) : inet_connect(&s->inet, term, why);
	if (fd >= 0)
		connected(s, fd);
	return fd >= 0;
}

struct wire *wire_stream_open(struct net *n, struct error *err)
{
	const struct wire_settings *set = n->config->settings;
	struct stream *s = calloc(1, sizeof *s);
	struct error why;
	char at[WIRE_HOW_MAX], text[160 + WIRE_HOW_MAX];

	if (!s) {
		error_set(err, "out of memory");
		return NULL;
	}
	s->w = (struct wire){ .ops = &ops, .net = n };
	s->listener = s->fd = -1;
	s->retry_ns = UINT64_MAX;
	if (set->remote.kind != WIRE_FD || wire_take_fd(n, set->remote.fd, err) >= 0) {
		if (find_addresses(s, set, &why) && (set->server ? open_server : open_client)(s, set, &why))
			return &s->w;
		wire_end_text(&set->remote, at);
		snprintf(text, sizeof text, "cannot %s %.100s: %.100s", set->server ? "listen at" : "connect to", at, why.msg);
		wire_refuse(n, text, err);
	}
	stream_close(&s->w);
	return NULL;
}
