/* Booting from a network: see netboot.h. Answers are hostile: they are read with bounds, and a file has one. All of it is at a start,
 * before the guest runs: the host's time that it takes is none of the guest's. */
#include "firmware/netboot.h"

#include <stdlib.h>
#include <string.h>

#include "firmware/station.h"
#include "machine/core/log.h"
#include "machine/host/term.h"
#include "machine/host/time.h"
#include "savevm/error.h"

#define NS_PER_S UINT64_C(1000000000)
#define TRIES    6u
#define MINUTES  10u			/* of the host's, that a boot takes at most: a server may be slow, but has an end */

struct lease {
	uint32_t server;		/* that has the file */
	uint32_t by;			/* that gave the lease */
	char file[256];
};

static bool fail(const struct station *s, struct error *err, const char *why)
{
	char late[60];

	snprintf(late, sizeof late, "the boot program has not come in %u minutes", MINUTES);
	error_set(err, "network (%.40s): %s", s->net->config->id, s->stopped ? "stopped while waiting for it" : s->late ? late : why);
	return false;
}

/* ---- DHCP ---- */

#define DHCP_CLIENT  68u
#define DHCP_SERVER  67u
#define BOOTP_SIZE   236u
#define DHCP_LEAST   300u
#define DHCP_MAGIC   UINT64_C(0x63825363)
#define DHCP_XID     UINT64_C(0x63656465)

enum { DISCOVER = 1, OFFER = 2, REQUEST = 3, ACK = 5 };
enum { OPTION_MASK = 1, OPTION_ROUTER = 3, OPTION_ADDRESS = 50, OPTION_KIND = 53, OPTION_SERVER = 54, OPTION_WANTED = 55, OPTION_TFTP = 66,
       OPTION_FILE = 67, OPTION_END = 255 };

/* The value of an option; NULL: it is not there, or has less than `least` bytes. */
static const uint8_t *option(const struct datagram *d, uint8_t code, size_t least, size_t *bytes)
{
	for (size_t at = BOOTP_SIZE + 4; at + 2 <= d->bytes && d->data[at] != OPTION_END;) {
		size_t n = d->data[at + 1];

		if (!d->data[at]) {
			at++;
			continue;
		}
		if (n > d->bytes - at - 2)
			return NULL;
		if (d->data[at] == code && n >= least) {
			*bytes = n;
			return d->data + at + 2;
		}
		at += 2 + n;
	}
	return NULL;
}

static uint32_t option_address(const struct datagram *d, uint8_t code)
{
	size_t bytes;
	const uint8_t *p = option(d, code, 4, &bytes);

	return p ? (uint32_t)station_get(p, 4) : 0;
}

static bool is_answer(const struct station *s, const struct datagram *d, uint8_t kind)
{
	size_t bytes;
	const uint8_t *p;

	if (d->bytes < BOOTP_SIZE + 4 || d->data[0] != 2 || station_get(d->data + 4, 4) != DHCP_XID || memcmp(d->data + 28, s->mac, NET_MAC_BYTES) ||
	    station_get(d->data + BOOTP_SIZE, 4) != DHCP_MAGIC || !station_get(d->data + 16, 4))
		return false;
	p = option(d, OPTION_KIND, 1, &bytes);
	return p && *p == kind;
}

static bool ask(struct station *s, uint8_t kind, uint32_t address, uint32_t server)
{
	uint8_t data[DHCP_LEAST] = { 1, 1, NET_MAC_BYTES }, *p = data + BOOTP_SIZE + 4;
	static const uint8_t wanted[] = { OPTION_WANTED, 4, OPTION_MASK, OPTION_ROUTER, OPTION_TFTP, OPTION_FILE };

	station_put(data + 4, 4, DHCP_XID);
	data[10] = 0x80;			/* we have no address yet: answer to all */
	memcpy(data + 28, s->mac, NET_MAC_BYTES);
	station_put(data + BOOTP_SIZE, 4, DHCP_MAGIC);
	*p++ = OPTION_KIND, *p++ = 1, *p++ = kind;
	if (kind == REQUEST) {
		*p++ = OPTION_ADDRESS, *p++ = 4, station_put(p, 4, address), p += 4;
		*p++ = OPTION_SERVER, *p++ = 4, station_put(p, 4, server), p += 4;
	}
	memcpy(p, wanted, sizeof wanted);
	p[sizeof wanted] = OPTION_END;
	return station_send(s, UINT32_MAX, DHCP_CLIENT, DHCP_SERVER, data, sizeof data);
}

/* Asks until an answer of that kind has come. */
static bool converse(struct station *s, uint8_t kind, uint32_t address, uint32_t server, struct datagram *d)
{
	for (unsigned i = 0; i < TRIES && !station_ended(s); i++) {
		uint64_t until = host_ns() + NS_PER_S;

		ask(s, kind, address, server);
		while (station_receive(s, DHCP_CLIENT, until, d))
			if (is_answer(s, d, kind == DISCOVER ? OFFER : ACK))
				return true;
	}
	return false;
}

/* Of an address that is written: "10.0.2.2". 0: it is none. */
static uint32_t parse_address(const uint8_t *text, size_t bytes)
{
	uint32_t ip = 0, part = 0, dots = 0, digits = 0;

	for (size_t i = 0; i < bytes && text[i]; i++) {
		if (text[i] == '.' && digits && dots < 3) {
			ip = ip << 8 | part;
			part = digits = 0;
			dots++;
		} else if (text[i] >= '0' && text[i] <= '9' && digits < 3) {
			part = part * 10 + (text[i] - '0');
			digits++;
		} else {
			return 0;
		}
	}
	return dots == 3 && digits && part < 256 ? ip << 8 | part : 0;
}

static void take_file(const struct datagram *d, struct lease *l)
{
	size_t bytes = 128;
	const uint8_t *name = option(d, OPTION_FILE, 1, &bytes);

	if (!name)
		name = d->data + 108;
	bytes = strnlen((const char *)name, bytes);
	memcpy(l->file, name, bytes);
	l->file[bytes] = 0;
	text_plain(l->file);
}

/* The file is the ACK's, or the offer's: servers say it in either. */
static bool find_lease(struct station *s, struct lease *l, struct error *err)
{
	struct datagram d;
	size_t bytes;
	const uint8_t *tftp;
	uint32_t address, by, next;

	if (!converse(s, DISCOVER, 0, 0, &d))
		return fail(s, err, "nobody offers an address (DHCP)");
	address = (uint32_t)station_get(d.data + 16, 4);
	by = option_address(&d, OPTION_SERVER);
	if (!converse(s, REQUEST, address, by, &d))
		return fail(s, err, "the offer of an address is not kept (DHCP)");
	tftp = option(&d, OPTION_TFTP, 7, &bytes);
	next = (uint32_t)station_get(d.data + 20, 4);
	*l = (struct lease){ .by = by, .server = tftp ? parse_address(tftp, bytes) : 0 };
	l->server = l->server ? l->server : next ? next : by;
	take_file(&d, l);
	s->ip = address;
	s->mask = option_address(&d, OPTION_MASK);
	s->router = option_address(&d, OPTION_ROUTER);
	if (!*l->file)
		return fail(s, err, "DHCP names no file (-netdev user: bootfile=)");
	return l->server || fail(s, err, "DHCP names no server for the file");
}

/* ---- TFTP ---- */

#define TFTP_PORT   69u
#define TFTP_OURS   50069u
#define TFTP_BLOCK  1428u
#define TFTP_HEAD   4u

enum { READ = 1, DATA = 3, TFTP_ACK = 4, ERROR = 5, OACK = 6 };

struct transfer {
	struct station *s;
	const struct lease *l;
	uint16_t port;			/* the server's, from its first answer on */
	uint16_t block;			/* that has come last */
	size_t block_bytes;
	bool agreed;			/* on options, once */
	uint8_t *data;
	size_t bytes, room;
	uint8_t out[512];		/* what we have said last */
	size_t out_bytes;
	char why[160];
};

static bool say(struct transfer *t)
{
	return station_send(t->s, t->l->server, TFTP_OURS, t->port, t->out, t->out_bytes);
}

static void put_request(struct transfer *t)
{
	static const char rest[] = "octet\0blksize\0" "1428";
	size_t name = strlen(t->l->file) + 1;

	station_put(t->out, 2, READ);
	memcpy(t->out + 2, t->l->file, name);
	memcpy(t->out + 2 + name, rest, sizeof rest);
	t->out_bytes = 2 + name + sizeof rest;
}

static bool acknowledge(struct transfer *t)
{
	station_put(t->out, 2, TFTP_ACK);
	station_put(t->out + 2, 2, t->block);
	t->out_bytes = TFTP_HEAD;
	return say(t);
}

static bool keep(struct transfer *t, const uint8_t *data, size_t bytes)
{
	uint8_t *more;

	if (bytes > NETBOOT_MAX - t->bytes) {
		snprintf(t->why, sizeof t->why, "the file is larger than %llu MiB", (unsigned long long)(NETBOOT_MAX >> 20));
		return false;
	}
	if (t->bytes + bytes > t->room) {
		t->room = t->room ? t->room * 2 : 1u << 20;
		more = realloc(t->data, t->room);
		if (!more) {
			snprintf(t->why, sizeof t->why, "out of memory");
			return false;
		}
		t->data = more;
	}
	memcpy(t->data + t->bytes, data, bytes);
	t->bytes += bytes;
	return true;
}

/* An answer of the server's. */
static enum taken { NOTHING, MORE, DONE, FAILED } take(struct transfer *t, const struct datagram *d)
{
	unsigned operation = (unsigned)station_get(d->data, 2);
	size_t bytes = d->bytes - TFTP_HEAD;

	if (operation == ERROR) {
		snprintf(t->why, sizeof t->why, "TFTP: %.*s", (int)strnlen((const char *)d->data + TFTP_HEAD, bytes < 100 ? bytes : 100),
			 (const char *)d->data + TFTP_HEAD);
		return FAILED;
	}
	if (operation == OACK && !t->agreed && !t->block && !t->bytes) {
		t->agreed = true;
		t->block_bytes = TFTP_BLOCK;
		return acknowledge(t) ? MORE : FAILED;
	}
	if (operation != DATA || station_get(d->data + 2, 2) != (uint16_t)(t->block + 1))
		return NOTHING;
	if (bytes > t->block_bytes)
		return NOTHING;
	if (!keep(t, d->data + TFTP_HEAD, bytes))
		return FAILED;
	t->block++;
	if (!acknowledge(t))
		return FAILED;
	return bytes < t->block_bytes ? DONE : MORE;
}

/* Up to `until`; what is not of the server we talk to is not heard. */
static enum taken hear(struct transfer *t, uint64_t until)
{
	enum taken taken = NOTHING;
	struct datagram d;

	while (taken == NOTHING && station_receive(t->s, TFTP_OURS, until, &d)) {
		if (d.from != t->l->server || d.bytes < TFTP_HEAD || (t->port != TFTP_PORT && d.from_port != t->port))
			continue;
		t->port = d.from_port;
		taken = take(t, &d);
	}
	return taken;
}

static bool fetch(struct transfer *t)
{
	enum taken taken = MORE;

	put_request(t);
	if (!say(t)) {
		snprintf(t->why, sizeof t->why, "the server of the file is not found (ARP)");
		return false;
	}
	while (taken == MORE) {
		taken = NOTHING;
		for (unsigned i = 0; i < TRIES && taken == NOTHING && !station_ended(t->s); i++) {
			if (i)
				say(t);
			taken = hear(t, host_ns() + NS_PER_S);
		}
	}
	if (taken == NOTHING)
		snprintf(t->why, sizeof t->why, "the server of the file does not answer (TFTP)");
	return taken == DONE;
}

/* ---- The boot ---- */

static bool file_read(void *opaque, uint64_t offset, void *buf, uint32_t bytes)
{
	memcpy(buf, (const uint8_t *)opaque + offset, bytes);
	return true;
}

bool netboot_possible(const struct machine *m) { return station_first(m); }

void netboot_forget(struct firmware *fw)
{
	free(fw->net_file.opaque);
	fw->net_file = (struct volume){ .read = NULL };
}

static bool get_file(struct station *s, struct firmware *fw, struct error *err)
{
	struct lease l;
	struct transfer t = { .s = s, .l = &l, .port = TFTP_PORT, .block_bytes = 512 };
	char why[300];

	if (!find_lease(s, &l, err))
		return false;
	snprintf(fw->net_name, sizeof fw->net_name, "net:%s", l.file);
	if (!fetch(&t)) {
		free(t.data);
		text_plain(t.why);
		snprintf(why, sizeof why, "'%.60s': %s", l.file, t.why);
		return fail(s, err, why);
	}
	fw->net_file = (struct volume){ .read = file_read, .opaque = t.data, .size = t.bytes, .sector = 512 };
	return true;
}

bool netboot(struct machine *m, struct net *n, struct error *err)
{
	struct firmware *fw = m->firmware;
	struct station s;
	bool ok;

	netboot_forget(fw);
	if (!station_begin(m, n, MINUTES * 60 * NS_PER_S, &s)) {
		error_set(err, "network (%.40s): no card is on it", n->config->id);
		return false;
	}
	term_waits_for(m->term, "a boot program from the network '%.60s'", s.net->config->id);
	ok = get_file(&s, fw, err);
	station_leave(&s);
	term_proceeds(m->term);
	if (!ok)
		return false;
	fw->kernel = (struct image){ .what = "boot program", .path = fw->net_name, .fd = -1, .volume = &fw->net_file, .size = fw->net_file.size };
	return kernel_load(m, false, err);
}
