/* The words of -netdev socket, stream, dgram and tap: what they are called and whether they fit together. Names are QEMU's; but
 * who listens without saying where does so on this computer alone. */
#include <stdlib.h>
#include <string.h>

#include "machine/net/wire.h"

static struct wire_settings *settings_of(void *s) { return s; }

static bool refuse(struct error *err, const char *why)
{
	error_usage(err, "%s", why);
	return false;
}

/* ---- An end, by words of its own ---- */

static bool keep_text(const char *key, const char *value, char *to, size_t size, struct error *err)
{
	size_t bytes = strlen(value);

	if (bytes >= size) {
		error_usage(err, "Parameter '%s' has %zu bytes at most", key, size - 1);
		return false;
	}
	memcpy(to, value, bytes + 1);
	return true;
}

static bool set_type(struct wire_end *e, const char *key, const char *value, struct error *err)
{
	static const char *const names[] = { [WIRE_INET] = "inet", [WIRE_UNIX] = "unix", [WIRE_FD] = "fd" };

	for (unsigned i = WIRE_INET; i < ARRAY_SIZE(names); i++)
		if (!strcmp(value, names[i])) {
			e->kind = (enum wire_kind)i;
			return true;
		}
	error_usage(err, "Parameter '%s' does not accept value '%.60s'", key, value);
	return false;
}

static bool set_host(struct wire_end *e, const char *key, const char *value, struct error *err)
{
	return keep_text(key, value, e->host, sizeof e->host, err);
}

static bool set_port(struct wire_end *e, const char *key, const char *value, struct error *err)
{
	return keep_text(key, value, e->port, sizeof e->port, err);
}

static bool set_path(struct wire_end *e, const char *key, const char *value, struct error *err)
{
	return keep_text(key, value, e->path, sizeof e->path, err);
}

static bool set_number(const char *key, const char *value, uint64_t most, uint32_t *to, struct error *err)
{
	uint64_t n;
	bool ok = net_word_number(key, value, most, &n, err);

	*to = (uint32_t)n;
	return ok;
}

static bool set_fd(struct wire_end *e, const char *key, const char *value, struct error *err)
{
	return set_number(key, value, INT32_MAX, &e->fd, err);
}

static bool set_to(struct wire_end *e, const char *key, const char *value, struct error *err)
{
	return set_number(key, value, UINT16_MAX, &e->last_port, err);
}

static bool set_family(const char *key, const char *value, bool *without, struct error *err)
{
	bool on, ok = net_word_bool(key, value, &on, err);

	*without = !on;
	return ok;
}

static bool set_ipv4(struct wire_end *e, const char *key, const char *value, struct error *err) { return set_family(key, value, &e->no_ipv4, err); }
static bool set_ipv6(struct wire_end *e, const char *key, const char *value, struct error *err) { return set_family(key, value, &e->no_ipv6, err); }

/* Of what is not there; it may be said to be so. */
static bool set_off(struct wire_end *e, const char *key, const char *value, struct error *err)
{
	bool on;

	(void)e;
	if (!net_word_bool(key, value, &on, err))
		return false;
	if (on)
		error_usage(err, "%s=on is not there", key);
	return !on;
}

#define END_WORD(end, name, member, word, set) \
	static bool name##_##word(void *s, const char *value, struct error *err) \
	{ \
		settings_of(s)->member.asked = true; \
		return set(&settings_of(s)->member, end "." #word, value, err); \
	}
#define END_WORDS(end, name, member) \
	END_WORD(end, name, member, type, set_type) END_WORD(end, name, member, host, set_host) END_WORD(end, name, member, port, set_port) \
	END_WORD(end, name, member, path, set_path) END_WORD(end, name, member, str, set_fd) END_WORD(end, name, member, to, set_to) \
	END_WORD(end, name, member, ipv4, set_ipv4) END_WORD(end, name, member, ipv6, set_ipv6) END_WORD(end, name, member, abstract, set_off)
#define END_ROWS(end, name) \
	{ end ".type", name##_type }, { end ".host", name##_host }, { end ".port", name##_port }, { end ".path", name##_path }, \
	{ end ".str", name##_str }, { end ".to", name##_to }, { end ".ipv4", name##_ipv4 }, { end ".ipv6", name##_ipv6 }, \
	{ end ".abstract", name##_abstract }

END_WORDS("addr", addr, remote)
END_WORDS("remote", remote, remote)
END_WORDS("local", local, local)

/* NULL: nothing is missing in it, or too much. */
static const char *end_wrong(const struct wire_end *e)
{
	const bool inet = *e->host || *e->port || e->last_port || e->no_ipv4 || e->no_ipv6;

	if (e->kind != WIRE_INET && inet)
		return "host, port, to, ipv4 and ipv6 are of type=inet";
	if (e->kind != WIRE_UNIX && *e->path)
		return "path is of type=unix";
	if (e->kind != WIRE_FD && e->fd)
		return "str is of type=fd";
	if (e->kind == WIRE_INET && (!*e->host || !*e->port))
		return "type=inet needs host and port";
	if (e->kind == WIRE_INET && e->no_ipv4 && e->no_ipv6)
		return "neither IPv4 nor IPv6 may be used";
	if (e->kind == WIRE_UNIX && !*e->path)
		return "type=unix needs path";
	return e->kind == WIRE_FD && !e->fd ? "type=fd needs str" : NULL;
}

/* ---- -netdev stream ---- */

static bool stream_server(void *s, const char *value, struct error *err)
{
	return net_word_bool("server", value, &settings_of(s)->server, err);
}

static bool keep_ms(struct wire_settings *s, const char *key, const char *value, uint64_t most, uint64_t ms, struct error *err)
{
	if (s->reconnect_ms)
		return refuse(err, "'reconnect' and 'reconnect-ms' are mutually exclusive");
	if (!net_word_number(key, value, most, &s->reconnect_ms, err))
		return false;
	s->reconnect_ms *= ms;
	return true;
}

#define RECONNECT_MAX 86400u		/* s */

static bool stream_reconnect(void *s, const char *value, struct error *err)
{
	return keep_ms(s, "reconnect", value, RECONNECT_MAX, 1000, err);
}

static bool stream_reconnect_ms(void *s, const char *value, struct error *err)
{
	return keep_ms(s, "reconnect-ms", value, RECONNECT_MAX * UINT64_C(1000), 1, err);
}

const struct net_key stream_keys[] = {
	END_ROWS("addr", addr), { "server", stream_server }, { "reconnect", stream_reconnect }, { "reconnect-ms", stream_reconnect_ms }, { NULL, NULL },
};

bool stream_check(void *settings, struct error *err)
{
	struct wire_settings *s = settings;
	const char *why = s->remote.kind ? end_wrong(&s->remote) : s->remote.asked ? "Parameter 'addr.type' is missing" : "Parameter 'addr' is missing";

	s->mode = WIRE_STREAM;
	if (!why && s->reconnect_ms && s->server)
		why = "'reconnect' option is incompatible with socket in server listen mode";
	if (!why && s->reconnect_ms && s->remote.kind == WIRE_FD)
		why = "'reconnect' option is incompatible with a descriptor";
	return !why || refuse(err, why);
}

/* ---- -netdev dgram ---- */

const struct net_key dgram_keys[] = { END_ROWS("local", local), END_ROWS("remote", remote), { NULL, NULL } };

/* By its first number; a name is never that of a group. */
static bool is_group(const struct wire_end *e)
{
	char *end;
	unsigned long first = strtoul(e->host, &end, 10);

	return e->kind == WIRE_INET && *end == '.' && first >= 224 && first <= 239;
}

static const char *dgram_wrong(const struct wire_settings *s)
{
	if (is_group(&s->remote))
		return s->local.kind && s->local.kind != WIRE_INET ? "remote and local types must be the same" : NULL;
	if (!s->local.kind)
		return "dgram requires local= parameter";
	if (s->remote.kind == WIRE_FD || (s->remote.kind && s->local.kind == WIRE_FD))
		return "dgram: a descriptor is local, and the only end";
	if (!s->remote.kind && s->local.kind != WIRE_FD)
		return "type=inet or type=unix requires remote parameter";
	return s->remote.kind && s->remote.kind != s->local.kind ? "remote and local types must be the same" : NULL;
}

bool dgram_check(void *settings, struct error *err)
{
	struct wire_settings *s = settings;
	const bool group = is_group(&s->remote);
	const char *why = s->remote.asked && !s->remote.kind ? "Parameter 'remote.type' is missing"
			: s->local.asked && !s->local.kind   ? "Parameter 'local.type' is missing"
							     : end_wrong(&s->remote);

	s->mode = group ? WIRE_MULTICAST : WIRE_DATAGRAM;
	if (!why && s->local.kind && !(group && !*s->local.port && *s->local.host))
		why = end_wrong(&s->local);
	if (!why)
		why = dgram_wrong(s);
	return !why || refuse(err, why);
}

/* ---- -netdev socket ---- */

#define SOCKET_WORD(word) \
	static bool socket_##word(void *s, const char *value, struct error *err) \
	{ \
		(void)err; \
		settings_of(s)->word = value; \
		return true; \
	}
SOCKET_WORD(fd)
SOCKET_WORD(listen)
SOCKET_WORD(connect)
SOCKET_WORD(mcast)
SOCKET_WORD(udp)
SOCKET_WORD(localaddr)

const struct net_key socket_keys[] = {
	{ "fd", socket_fd }, { "listen", socket_listen }, { "connect", socket_connect }, { "mcast", socket_mcast }, { "udp", socket_udp },
	{ "localaddr", socket_localaddr }, { NULL, NULL },
};

/* "[HOST]:PORT"; an address of IPv6 stands in brackets. */
static bool split(const char *text, struct wire_end *e, struct error *err)
{
	const char *colon = strrchr(text, ':');
	size_t bytes = colon ? (size_t)(colon - text) : 0;

	e->kind = WIRE_INET;
	if (!colon) {
		error_usage(err, "host address '%.60s' doesn't contain ':' separating host from port", text);
		return false;
	}
	if (bytes > 1 && *text == '[' && colon[-1] == ']') {
		text++;
		bytes -= 2;
	}
	if (bytes >= sizeof e->host || strlen(colon + 1) >= sizeof e->port || !colon[1]) {
		error_usage(err, "'%.60s' is not HOST:PORT", text);
		return false;
	}
	memcpy(e->host, text, bytes);
	memcpy(e->port, colon + 1, strlen(colon + 1) + 1);
	return true;
}

/* What one of them makes of the rest. */
static bool socket_find(struct wire_settings *s, struct error *err)
{
	if (s->fd) {
		s->remote.kind = s->local.kind = WIRE_FD;
		s->mode = WIRE_STREAM;
		return set_number("fd", s->fd, INT32_MAX, &s->remote.fd, err) && set_number("fd", s->fd, INT32_MAX, &s->local.fd, err);
	}
	if (s->listen || s->connect) {
		s->server = s->listen;
		s->mode = WIRE_STREAM;
		return split(s->listen ? s->listen : s->connect, &s->remote, err);
	}
	if (s->udp) {
		s->mode = WIRE_DATAGRAM;
		return split(s->udp, &s->remote, err) && split(s->localaddr, &s->local, err);
	}
	s->mode = WIRE_MULTICAST;
	if (s->localaddr) {
		s->local.kind = WIRE_INET;
		if (!keep_text("localaddr", s->localaddr, s->local.host, sizeof s->local.host, err))
			return false;
	}
	return split(s->mcast, &s->remote, err);
}

bool socket_check(void *settings, struct error *err)
{
	struct wire_settings *s = settings;

	if (!!s->fd + !!s->listen + !!s->connect + !!s->mcast + !!s->udp != 1)
		return refuse(err, "exactly one of fd=, listen=, connect=, mcast= or udp= is required");
	if (s->localaddr && !s->mcast && !s->udp)
		return refuse(err, "localaddr= is only valid with mcast= or udp=");
	if (s->udp && !s->localaddr)
		return refuse(err, "localaddr= is mandatory with udp=");
	return socket_find(s, err);
}

/* ---- -netdev tap ---- */

static bool tap_ifname(void *s, const char *value, struct error *err)
{
	settings_of(s)->ifname = value;
	return (*value && strlen(value) < 16) || refuse(err, "Parameter 'ifname' has 1 to 15 bytes");
}

static bool tap_fd(void *s, const char *value, struct error *err)
{
	settings_of(s)->fd = value;
	return set_fd(&settings_of(s)->local, "fd", value, err);
}

/* Nothing is run: the interface is brought up by who gives it its place. */
static bool tap_script(void *s, const char *value, struct error *err)
{
	(void)s;
	return !*value || !strcmp(value, "no") || refuse(err, "scripts are not run here: script=no,downscript=no");
}

static bool tap_vnet_hdr(void *s, const char *value, struct error *err) { return set_off(s, "vnet_hdr", value, err); }
static bool tap_vhost(void *s, const char *value, struct error *err) { return set_off(s, "vhost", value, err); }

static bool tap_queues(void *s, const char *value, struct error *err)
{
	(void)s;
	return !strcmp(value, "1") || refuse(err, "queues= is 1: there is one queue each way");
}

static bool tap_sndbuf(void *s, const char *value, struct error *err)
{
	(void)s, (void)value, (void)err;
	return true;		/* what the host does not take at once is lost anyway */
}

const struct net_key tap_keys[] = {
	{ "ifname", tap_ifname }, { "fd", tap_fd }, { "script", tap_script }, { "downscript", tap_script }, { "vnet_hdr", tap_vnet_hdr },
	{ "vhost", tap_vhost }, { "queues", tap_queues }, { "sndbuf", tap_sndbuf }, { NULL, NULL },
};

bool tap_check(void *settings, struct error *err)
{
	struct wire_settings *s = settings;

	s->mode = WIRE_TAP;
	s->local.kind = s->fd ? WIRE_FD : WIRE_NONE;
	return !s->fd || !s->ifname || refuse(err, "ifname= and fd= are mutually exclusive");
}
