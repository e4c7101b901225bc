/* -netdev user: a network of its own behind libslirp, a TCP/IP stack in this process that turns the guest's connections into
 * sockets of the user's. It brings glib, which would double the time that cede takes to start: it is loaded with the first
 * such netdev.
 *
 * Nothing of the guest's reaches it that frame_wrong() has something against, and what it opens on the host has a bound.
 * Its clock is the host's: it belongs to the other side of the cable. */
#define _GNU_SOURCE
#include "machine/net/user.h"

#include <arpa/inet.h>

#ifdef HAVE_LIBSLIRP
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <libslirp.h>
#include <stdlib.h>
#include <string.h>

#include "machine/core/log.h"
#include "machine/host/time.h"
#include "machine/net/frame.h"

#define LIBRARY "libslirp.so.0"

/* What is used of it. */
#define FUNCTIONS(F) \
	F(new) F(cleanup) F(pollfds_fill) F(pollfds_poll) F(input) F(handle_timer) F(add_hostfwd) F(remove_hostfwd) F(add_exec) \
	F(add_unix) F(connection_info)

struct library {
	void *handle;
#define MEMBER(name) __typeof__(&slirp_##name) name;
	FUNCTIONS(MEMBER)
#undef MEMBER
};

#define SOCKETS_MAX 512u		/* that are open for the guest: it gets no further ones meanwhile */
#define FDS_MAX     (SOCKETS_MAX * 2)
#define NS_PER_MS   UINT64_C(1000000)
#define NEVER       INT64_MAX

/* One of libslirp's. */
struct timer {
	struct user *user;
	SlirpTimerId id;
	void *opaque;
	int64_t due;			/* ms of the host's clock */
	struct timer *next;
};

struct user {
	struct net *net;
	struct library lib;
	Slirp *slirp;
	struct timer *timers;
	unsigned sockets;
	bool busy;			/* inside libslirp, which is not to be entered again */
	struct pollfd fds[FDS_MAX];	/* what it waits for, as it said last */
	unsigned count;
};

static struct user *user_of(struct net *n) { return n->state; }

static int64_t now_ms(void) { return (int64_t)(host_ns() / NS_PER_MS); }

/* ---- What libslirp asks of us ---- */

static ssize_t frame_to_guest(const void *frame, size_t bytes, void *opaque)
{
	net_arrives(((struct user *)opaque)->net, frame, bytes);
	return (ssize_t)bytes;
}

static void guest_error(const char *text, void *opaque)
{
	const struct user *u = opaque;

	machine_log(u->net->machine, LOG_GUEST_ERROR, "netdev %.40s: %.150s", u->net->config->id, text);
}

static int64_t clock_ns(void *opaque)
{
	(void)opaque;
	return (int64_t)host_ns();
}

static void *timer_make(SlirpTimerId id, void *cb_opaque, void *opaque)
{
	struct user *u = opaque;
	struct timer *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	*t = (struct timer){ .user = u, .id = id, .opaque = cb_opaque, .due = NEVER, .next = u->timers };
	u->timers = t;
	return t;
}

static void timer_drop(void *timer, void *opaque)
{
	struct user *u = opaque;

	for (struct timer **at = &u->timers; *at; at = &(*at)->next)
		if (*at == timer) {
			*at = (*at)->next;
			free(timer);
			return;
		}
}

static void timer_set(void *timer, int64_t due, void *opaque)
{
	(void)opaque;
	if (timer)
		((struct timer *)timer)->due = due;
}

/* So that a program which the guest's connections start, or a later one of ours, does not have it. */
static void socket_opened(int fd, void *opaque)
{
	((struct user *)opaque)->sockets++;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static void socket_closed(int fd, void *opaque)
{
	struct user *u = opaque;

	(void)fd;
	u->sockets -= u->sockets != 0;
}

static void nothing(void *opaque)
{
	(void)opaque;
}

static const SlirpCb callbacks = {
	.send_packet = frame_to_guest, .guest_error = guest_error, .clock_get_ns = clock_ns, .timer_new_opaque = timer_make,
	.timer_free = timer_drop, .timer_mod = timer_set, .register_poll_fd = socket_opened, .unregister_poll_fd = socket_closed,
	.notify = nothing,
};

/* ---- Waiting ---- */

static const struct { int slirp; short host; } events[] = {
	{ SLIRP_POLL_IN, POLLIN }, { SLIRP_POLL_OUT, POLLOUT }, { SLIRP_POLL_PRI, POLLPRI }, { SLIRP_POLL_ERR, POLLERR }, { SLIRP_POLL_HUP, POLLHUP },
};

/* -1: there is no room, and nothing will have happened to it. */
static int add_fd(int fd, int wanted, void *opaque)
{
	struct user *u = opaque;
	short host = 0;

	if (u->count == FDS_MAX)
		return -1;
	for (unsigned i = 0; i < ARRAY_SIZE(events); i++)
		host |= (short)(wanted & events[i].slirp ? events[i].host : 0);
	u->fds[u->count] = (struct pollfd){ .fd = fd, .events = host };
	return (int)u->count++;
}

static int happened(int i, void *opaque)
{
	const struct user *u = opaque;
	int got = 0;

	for (unsigned e = 0; i >= 0 && (unsigned)i < u->count && e < ARRAY_SIZE(events); e++)
		got |= u->fds[i].revents & events[e].host ? events[e].slirp : 0;
	return got;
}

/* How many ms it would sleep at most; UINT32_MAX: for ever. */
static uint32_t ask_fds(struct user *u)
{
	uint32_t ms = UINT32_MAX;

	u->count = 0;
	u->lib.pollfds_fill(u->slirp, &ms, add_fd, u);
	return ms;
}

static void run_timers(struct user *u)
{
	int64_t now = now_ms();

	for (struct timer *t = u->timers, *next; t; t = next) {
		next = t->next;
		if (t->due <= now) {
			t->due = NEVER;
			u->lib.handle_timer(u->slirp, t->id, t->opaque);
		}
	}
}

static void user_look(struct net *n)
{
	struct user *u = user_of(n);
	int got;

	ask_fds(u);
	got = poll(u->fds, u->count, 0);
	u->busy = true;
	u->lib.pollfds_poll(u->slirp, got < 0, happened, u);
	run_timers(u);
	u->busy = false;
}

static unsigned user_pollfds(struct net *n, struct pollfd *fds, unsigned room, uint64_t *ns)
{
	struct user *u = user_of(n);
	uint32_t ms = ask_fds(u);
	int64_t now = now_ms();
	unsigned count = u->count < room ? u->count : room;

	for (const struct timer *t = u->timers; t; t = t->next)
		if (t->due != NEVER && t->due - now < (int64_t)ms)
			ms = t->due > now ? (uint32_t)(t->due - now) : 0;
	if (ms != UINT32_MAX && ms * NS_PER_MS < *ns)
		*ns = ms * NS_PER_MS;
	memcpy(fds, u->fds, count * sizeof *fds);
	return count;
}

/* ---- From the guest ----
 * libslirp answers each segment, and a guest has far more work with an answer than with what it sends: segments of TCP are larger
 * than the network's frames. Not as large as may be, for it keeps what comes out of order. It takes none of IPv6. */

/* Another such netdev on a hub may answer a frame of this one's before it is done with that: such an answer is lost, as on a cable that
 * is in use. */
static void user_send(struct net *n, const uint8_t *frame, size_t bytes)
{
	struct user *u = user_of(n);
	const char *why = u->busy ? "" : frame_wrong(frame, &bytes, USER_MTU, USER_TCP_MTU);

	if (!why && u->sockets >= SOCKETS_MAX && frame_opens(frame, bytes))
		why = "too many sockets are open for the guest";
	if (!why) {
		u->busy = true;
		u->lib.input(u->slirp, frame, (int)bytes);
		u->busy = false;
		return;
	}
	n->stats.refused++;
	if (*why)
		machine_log(n->machine, LOG_GUEST_ERROR, "netdev %.40s: %s", n->config->id, why);
}

/* ---- Opening ---- */

/* False and err->msg set. */
static bool load(struct library *lib, struct error *err)
{
	bool all;

	lib->handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	all = lib->handle;
#define FIND(name) all = all && (lib->name = (__typeof__(lib->name))dlsym(lib->handle, "slirp_" #name));
	FUNCTIONS(FIND)
#undef FIND
	if (!all)
		error_set(err, "-netdev user needs " LIBRARY ": %.150s", dlerror());
	return all;
}

static Slirp *make(struct user *u, const struct user_settings *s)
{
	SlirpConfig c = {
		.version = 4, .restricted = s->restricted, .in_enabled = s->ipv4, .vnetwork = s->net, .vnetmask = s->mask, .vhost = s->host,
		.in6_enabled = s->ipv6, .vprefix_addr6 = s->prefix, .vprefix_len = (uint8_t)s->prefix_bits, .vhost6 = s->host6,
		.vhostname = s->hostname, .tftp_server_name = s->tftp_server, .tftp_path = s->tftp, .bootfile = s->bootfile,
		.vdhcp_start = s->dhcp, .vnameserver = s->dns, .vnameserver6 = s->dns6, .vdomainname = s->domain,
		.vdnssearch = s->searches ? (const char **)(uintptr_t)s->search : NULL, .if_mtu = USER_MTU, .if_mru = USER_MTU,
	};

	return u->lib.new(&c, &callbacks, u);
}

static bool add_hostfwd(struct user *u, const struct user_hostfwd *f, struct error *err)
{
	if (!u->lib.add_hostfwd(u->slirp, f->udp, f->host, (int)f->host_port, f->guest, (int)f->guest_port))
		return true;
	error_set(err, "Could not set up host forwarding rule '%.100s': %s", f->rule, strerror(errno));
	return false;
}

static bool add_guestfwd(struct user *u, const struct user_guestfwd *f, struct error *err)
{
	struct in_addr server = f->server;
	int result = f->command ? u->lib.add_exec(u->slirp, f->command, &server, (int)f->port)
				: u->lib.add_unix(u->slirp, f->path, &server, (int)f->port);

	if (!result)
		return true;
	error_set(err, "Could not set up guest forwarding rule '%.100s'", f->rule);
	return false;
}

static bool forward(struct user *u, const struct user_settings *s, struct error *err)
{
	for (unsigned i = 0; i < s->hostfwds; i++)
		if (!add_hostfwd(u, &s->hostfwd[i], err))
			return false;
	for (unsigned i = 0; i < s->guestfwds; i++)
		if (!add_guestfwd(u, &s->guestfwd[i], err))
			return false;
	return true;
}

/* ---- For monitors ---- */

static void user_print_connections(struct net *n, FILE *out)
{
	struct user *u = user_of(n);
	char *text = u->lib.connection_info(u->slirp);

	fputs(text ? text : "", out);
	free(text);
}

static bool user_forward(struct net *n, const char *rule, bool add, struct error *err)
{
	struct user *u = user_of(n);
	struct user_hostfwd f;

	if (add)
		return user_hostfwd_parse(rule, &f, err) && add_hostfwd(u, &f, err);
	if (!user_hostfwd_name_parse(rule, &f, err))
		return false;
	if (!u->lib.remove_hostfwd(u->slirp, f.udp, f.host, (int)f.host_port))
		return true;
	error_set(err, "host forwarding rule for %.100s not found", rule);
	return false;
}

static bool user_open(struct net *n, struct error *err)
{
	const struct user_settings *s = n->config->settings;
	struct user *u = n->state = calloc(1, sizeof *u);

	if (!u) {
		error_set(err, "out of memory");
		return false;
	}
	u->net = n;
	if (!load(&u->lib, err))
		return false;
	u->slirp = make(u, s);
	if (u->slirp)
		return forward(u, s, err);
	error_set(err, "-netdev user,id=%.60s: " LIBRARY " refuses it", n->config->id);
	return false;
}

static void user_close(struct net *n)
{
	struct user *u = user_of(n);

	if (!u)
		return;
	if (u->slirp)
		u->lib.cleanup(u->slirp);
	while (u->timers)
		timer_drop(u->timers, u);
	if (u->lib.handle)
		dlclose(u->lib.handle);
	free(u);
	n->state = NULL;
}

#else

static bool user_open(struct net *n, struct error *err)
{
	(void)n;
	error_set(err, "-netdev user: this cede was built without libslirp (make deps)");
	return false;
}

static void user_close(struct net *n) { (void)n; }
static void user_send(struct net *n, const uint8_t *frame, size_t bytes) { (void)n, (void)frame, (void)bytes; }
#define user_look              NULL
#define user_pollfds           NULL
#define user_print_connections NULL
#define user_forward           NULL

#endif

static void user_print(const struct net *n, FILE *out)
{
	const struct user_settings *s = n->config->settings;
	char text[INET_ADDRSTRLEN] = "";

	inet_ntop(AF_INET, &s->net, text, sizeof text);
	fprintf(out, ",net=%s,restrict=%s", text, s->restricted ? "on" : "off");
}

const struct net_backend net_user = {
	.type = "user", .help = "a network of its own; connections are the user's", .keys = user_keys,
	.settings_size = sizeof(struct user_settings), .defaults = user_defaults, .check = user_check, .sums_right = true, .segment = USER_SEGMENT,
	.open = user_open, .close = user_close, .send = user_send, .look = user_look, .pollfds = user_pollfds,
	.print = user_print, .print_connections = user_print_connections, .forward = user_forward,
};
