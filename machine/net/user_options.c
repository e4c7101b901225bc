/* The words of -netdev user: what they are called, what they mean and whether they fit together. Names, defaults and what
 * makes a rule wrong are QEMU's; but a port of the host's is one of 127.0.0.1, unless an address says where else. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "machine/net/user.h"

#define NAME_MAX_BYTES 255u		/* of what DHCP tells: its options have no room for more */

static struct user_settings *settings_of(void *s) { return s; }

/* ---- Text, cut at separators ---- */

/* What stands before the next `separator` in *at, which moves behind it; false: there is none, or there is too much. */
static bool cut(const char **at, char separator, char *buf, size_t size)
{
	const char *end = strchr(*at, separator);
	size_t n = end ? (size_t)(end - *at) : 0;

	if (!end || n >= size)
		return false;
	memcpy(buf, *at, n);
	buf[n] = 0;
	*at = end + 1;
	return true;
}

static bool parse_port(const char *text, unsigned least, unsigned *port)
{
	char *end;
	unsigned long n = strtoul(text, &end, 0);

	*port = (unsigned)n;
	return *text >= '0' && *text <= '9' && !*end && n >= least && n <= 65535;
}

static bool parse_address(const char *text, struct in_addr *a) { return inet_pton(AF_INET, text, a) == 1; }

/* ---- hostfwd= ---- */

/* Up to the host's port, where *at is then. NULL: right; else what QEMU says is wrong with it. */
static const char *parse_hostfwd_head(const char **at, struct user_hostfwd *f)
{
	char buf[64];

	if (!cut(at, ':', buf, sizeof buf))
		return "No : separators";
	f->udp = !strcmp(buf, "udp");
	if (*buf && !f->udp && strcmp(buf, "tcp"))
		return "Bad protocol name";
	if (!cut(at, ':', buf, sizeof buf))
		return "Missing : separator";
	f->host.s_addr = htonl(INADDR_LOOPBACK);
	return !*buf || parse_address(buf, &f->host) ? NULL : "Bad host address";
}

static const char *parse_hostfwd(const char *at, struct user_hostfwd *f)
{
	const char *why = parse_hostfwd_head(&at, f);
	char buf[64];

	if (why)
		return why;
	if (!cut(&at, '-', buf, sizeof buf))
		return "Bad host port separator";
	if (!parse_port(buf, 0, &f->host_port))
		return "Bad host port";
	if (!cut(&at, ':', buf, sizeof buf))
		return "Missing guest address";
	f->guest.s_addr = 0;
	if (*buf && !parse_address(buf, &f->guest))
		return "Bad guest address";
	return parse_port(at, 1, &f->guest_port) ? NULL : "Bad guest port";
}

bool user_hostfwd_parse(const char *rule, struct user_hostfwd *f, struct error *err)
{
	const char *why;

	f->rule = rule;
	why = parse_hostfwd(rule, f);
	if (why)
		error_usage(err, "Invalid host forwarding rule '%.80s' (%s)", rule, why);
	return !why;
}

bool user_hostfwd_name_parse(const char *rule, struct user_hostfwd *f, struct error *err)
{
	const char *at = rule, *why = parse_hostfwd_head(&at, f);

	f->rule = rule;
	if (!why && !parse_port(at, 1, &f->host_port))
		why = "Bad host port";
	if (why)
		error_usage(err, "Invalid host forwarding rule '%.80s' (%s)", rule, why);
	return !why;
}

static bool set_hostfwd(void *s, const char *value, struct error *err)
{
	struct user_settings *u = s;

	if (u->hostfwds < USER_FORWARDS)
		return user_hostfwd_parse(value, &u->hostfwd[u->hostfwds++], err);
	error_usage(err, "hostfwd: %u are the most", USER_FORWARDS);
	return false;
}

/* ---- guestfwd= ---- */

/* "[tcp]:SERVER:PORT-cmd:COMMAND", "..-unix:PATH" */
static bool parse_guestfwd(const char *at, struct user_guestfwd *f)
{
	char buf[64];

	if (!cut(&at, ':', buf, sizeof buf) || (*buf && strcmp(buf, "tcp")))
		return false;
	if (!cut(&at, ':', buf, sizeof buf) || !parse_address(buf, &f->server))
		return false;
	if (!cut(&at, '-', buf, sizeof buf) || !parse_port(buf, 1, &f->port))
		return false;
	if (!strncmp(at, "cmd:", 4) && at[4])
		f->command = at + 4;
	else if (!strncmp(at, "unix:", 5) && at[5])
		f->path = at + 5;
	return f->command || f->path;
}

static bool set_guestfwd(void *s, const char *value, struct error *err)
{
	struct user_settings *u = s;

	if (u->guestfwds == USER_FORWARDS) {
		error_usage(err, "guestfwd: %u are the most", USER_FORWARDS);
		return false;
	}
	u->guestfwd[u->guestfwds] = (struct user_guestfwd){ .rule = value };
	if (parse_guestfwd(value, &u->guestfwd[u->guestfwds++]))
		return true;
	error_usage(err, "Invalid guest forwarding rule '%.80s' ([tcp]:SERVER:PORT-cmd:COMMAND or -unix:PATH)", value);
	return false;
}

/* ---- Networks ---- */

/* The mask that an address has by its class, as QEMU has it. */
static uint32_t class_mask(uint32_t a)
{
	static const struct { uint32_t mask, is, means; } classes[] = {
		{ 0x80000000, 0, 0xff000000 }, { 0xfff00000, 0xac100000, 0xfff00000 }, { 0xc0000000, 0x80000000, 0xffff0000 },
		{ 0xffff0000, 0xc0a80000, 0xffff0000 }, { 0xffff0000, 0xc6120000, 0xfffe0000 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(classes); i++)
		if ((a & classes[i].mask) == classes[i].is)
			return classes[i].means;
	return 0xffffff00;
}

static bool parse_mask(const char *text, struct in_addr *mask)
{
	char *end;
	unsigned long bits = strtoul(text, &end, 10);

	if (!*text || *end)
		return parse_address(text, mask);
	mask->s_addr = htonl(bits ? UINT32_MAX << (32 - bits % 33) : 0);
	return bits >= 4 && bits <= 32;
}

static bool set_net(void *s, const char *value, struct error *err)
{
	struct user_settings *u = s;
	const char *at = value;
	char buf[32];
	bool ok;

	u->has_net = true;
	if (cut(&at, '/', buf, sizeof buf)) {
		ok = parse_address(buf, &u->net) && parse_mask(at, &u->mask);
	} else {
		ok = parse_address(value, &u->net);
		u->mask.s_addr = htonl(class_mask(ntohl(u->net.s_addr)));
	}
	u->net.s_addr &= u->mask.s_addr;
	if (!ok)
		error_usage(err, "Failed to parse netmask '%.60s'", value);
	return ok;
}

static bool set_address(const char *key, const char *value, struct in_addr *a, bool *has, struct error *err)
{
	*has = parse_address(value, a);
	if (!*has)
		error_usage(err, "Failed to parse %s '%.60s'", key, value);
	return *has;
}

static bool set_address6(const char *key, const char *value, struct in6_addr *a, bool *has, struct error *err)
{
	*has = inet_pton(AF_INET6, value, a) == 1;
	if (!*has)
		error_usage(err, "Failed to parse %s '%.60s'", key, value);
	return *has;
}

static bool set_prefix_bits(void *s, const char *value, struct error *err)
{
	uint64_t n;

	if (!net_word_number("ipv6-prefixlen", value, 126, &n, err))
		return false;
	settings_of(s)->prefix_bits = (unsigned)n;
	return true;
}

/* "PREFIX[/BITS]" */
static bool set_net6(void *s, const char *value, struct error *err)
{
	const char *at = value;
	char buf[INET6_ADDRSTRLEN];
	bool has, bits = cut(&at, '/', buf, sizeof buf);

	return set_address6("ipv6-net", bits ? buf : value, &settings_of(s)->prefix, &has, err) && (!bits || set_prefix_bits(s, at, err));
}

/* ---- Words of one value ---- */

static bool set_name(const char *key, const char *value, const char **out, struct error *err)
{
	*out = value;
	if (*value && strlen(value) <= NAME_MAX_BYTES)
		return true;
	error_usage(err, "'%s' parameter cannot be empty or longer than %u bytes", key, NAME_MAX_BYTES);
	return false;
}

static bool set_search(void *s, const char *value, struct error *err)
{
	struct user_settings *u = s;

	if (u->searches < USER_FORWARDS)
		return set_name("dnssearch", value, &u->search[u->searches++], err);
	error_usage(err, "dnssearch: %u are the most", USER_FORWARDS);
	return false;
}

static bool set_smb(void *s, const char *value, struct error *err)
{
	(void)s, (void)value;
	error_usage(err, "smb: there is no SMB server here; share a folder by -virtfs");
	return false;
}

#define BOOL_KEY(function, key, member) \
	static bool function(void *s, const char *value, struct error *err) { return net_word_bool(key, value, &settings_of(s)->member, err); }
#define ADDRESS_KEY(function, key, member) \
	static bool function(void *s, const char *value, struct error *err) \
	{ return set_address(key, value, &settings_of(s)->member, &settings_of(s)->has_##member, err); }
#define ADDRESS6_KEY(function, key, member) \
	static bool function(void *s, const char *value, struct error *err) \
	{ return set_address6(key, value, &settings_of(s)->member, &settings_of(s)->has_##member, err); }
#define NAME_KEY(function, key, member) \
	static bool function(void *s, const char *value, struct error *err) { return set_name(key, value, &settings_of(s)->member, err); }

BOOL_KEY(set_ipv4, "ipv4", ipv4)
BOOL_KEY(set_ipv6, "ipv6", ipv6)
BOOL_KEY(set_restrict, "restrict", restricted)
ADDRESS_KEY(set_host, "host", host)
ADDRESS_KEY(set_dhcp, "dhcpstart", dhcp)
ADDRESS_KEY(set_dns, "dns", dns)
ADDRESS6_KEY(set_host6, "ipv6-host", host6)
ADDRESS6_KEY(set_dns6, "ipv6-dns", dns6)
NAME_KEY(set_hostname, "hostname", hostname)
NAME_KEY(set_tftp, "tftp", tftp)
NAME_KEY(set_tftp_server, "tftp-server-name", tftp_server)
NAME_KEY(set_bootfile, "bootfile", bootfile)
NAME_KEY(set_domain, "domainname", domain)

const struct net_key user_keys[] = {
	{ "ipv4", set_ipv4 }, { "ipv6", set_ipv6 }, { "restrict", set_restrict }, { "net", set_net }, { "host", set_host },
	{ "dhcpstart", set_dhcp }, { "dns", set_dns }, { "ipv6-net", set_net6 }, { "ipv6-prefix", set_net6 },
	{ "ipv6-prefixlen", set_prefix_bits }, { "ipv6-host", set_host6 }, { "ipv6-dns", set_dns6 }, { "hostname", set_hostname },
	{ "tftp", set_tftp }, { "tftp-server-name", set_tftp_server }, { "bootfile", set_bootfile }, { "domainname", set_domain },
	{ "dnssearch", set_search }, { "hostfwd", set_hostfwd }, { "guestfwd", set_guestfwd }, { "smb", set_smb }, { "smbserver", set_smb },
	{ NULL, NULL },
};

/* ---- All of them ---- */

void user_defaults(void *s)
{
	struct user_settings *u = s;

	u->ipv4 = u->ipv6 = true;
	u->net.s_addr = htonl(0x0a000200);
	u->mask.s_addr = htonl(0xffffff00);
	inet_pton(AF_INET6, "fec0::", &u->prefix);
	u->prefix_bits = 64;
}

static bool within(const struct user_settings *u, struct in_addr a)
{
	return (a.s_addr & u->mask.s_addr) == u->net.s_addr && a.s_addr != u->net.s_addr && a.s_addr != (u->net.s_addr | ~u->mask.s_addr);
}

/* What nobody has given: .2 the host, .3 its name server, .15 the first lease. */
static void choose(const struct user_settings *u, bool has, unsigned low, struct in_addr *a)
{
	if (!has)
		a->s_addr = u->net.s_addr | (htonl(low) & ~u->mask.s_addr);
}

static void choose6(const struct user_settings *u, bool has, unsigned low, struct in6_addr *a)
{
	if (has)
		return;
	*a = u->prefix;
	a->s6_addr[15] |= (uint8_t)low;
}

static bool refuse(struct error *err, const char *why)
{
	error_usage(err, "%s", why);
	return false;
}

static bool addresses_ok(const struct user_settings *u, struct error *err)
{
	if (!within(u, u->host))
		return refuse(err, "'host' is not an address of the network");
	if (!within(u, u->dhcp))
		return refuse(err, "'dhcpstart' is not an address of the network");
	if (!within(u, u->dns))
		return refuse(err, "'dns' is not an address of the network");
	if (u->host.s_addr == u->dns.s_addr || u->host.s_addr == u->dhcp.s_addr || u->dns.s_addr == u->dhcp.s_addr)
		return refuse(err, "two of 'host', 'dns' and 'dhcpstart' are the same");
	for (unsigned i = 0; i < u->guestfwds; i++)
		if (!within(u, u->guestfwd[i].server) || u->guestfwd[i].server.s_addr == u->host.s_addr || u->guestfwd[i].server.s_addr == u->dns.s_addr)
			return refuse(err, "'guestfwd' takes a free address of the network");
	return true;
}

bool user_check(void *s, struct error *err)
{
	struct user_settings *u = s;

	if (!u->ipv4 && !u->ipv6)
		return refuse(err, "IPv4 and IPv6 disabled");
	if (!u->ipv4 && (u->has_net || u->has_host || u->has_dns || u->has_dhcp || u->hostfwds || u->guestfwds))
		return refuse(err, "IPv4 disabled but netmask/host/dns provided");
	if (u->tftp_server && !u->ipv4)
		return refuse(err, "IPv4 disabled but tftp-server-name provided");
	choose(u, u->has_host, 0x0202, &u->host);
	choose(u, u->has_dns, 0x0203, &u->dns);
	choose(u, u->has_dhcp, 0x020f, &u->dhcp);
	choose6(u, u->has_host6, 2, &u->host6);
	choose6(u, u->has_dns6, 3, &u->dns6);
	return !u->ipv4 || addresses_ok(u, err);
}
