/* The kinds of netdevs that there are, and the words of -netdev: which backend takes which, and what they mean. */
#include <stdlib.h>
#include <string.h>

#include "machine/core/config.h"
#include "machine/net/net.h"

extern const struct net_backend net_user, net_socket, net_stream, net_dgram, net_hubport, net_tap;

const struct net_backend *const net_backends[] = { &net_user, &net_socket, &net_stream, &net_dgram, &net_hubport, &net_tap, NULL };

const struct net_backend *net_backend_find(const char *type)
{
	for (const struct net_backend *const *b = net_backends; *b; b++)
		if (!strcmp((*b)->type, type))
			return *b;
	return NULL;
}

/* ---- The words of one ---- */

bool net_config_begin(struct net_config *c, struct error *err)
{
	c->settings = calloc(1, c->backend->settings_size ? c->backend->settings_size : 1);
	if (!c->settings) {
		error_set(err, "out of memory");
		return false;
	}
	if (c->backend->defaults)
		c->backend->defaults(c->settings);
	return true;
}

/* QEMU has one of each kind but tap. Here a netdev has one way to the host in any case, and queues are the card's. */
static bool set_queues(struct net_config *c, const char *value, struct error *err)
{
	uint64_t n;

	if (!net_word_number("queues", value, NET_QUEUES_MOST, &n, err))
		return false;
	c->queues = (uint32_t)n;
	if (!n)
		error_usage(err, "Parameter 'queues' expects 1 at least");
	return n;
}

bool net_config_set(struct net_config *c, const char *key, const char *value, struct error *err)
{
	if (!strcmp(key, "queues"))
		return set_queues(c, value, err);
	for (const struct net_key *k = c->backend->keys; k && k->name; k++)
		if (!strcmp(k->name, key))
			return k->set(c->settings, value, err);
	error_usage(err, "Invalid parameter '%.60s'", key);
	return false;
}

bool net_config_finish(struct net_config *c, struct error *err)
{
	return !c->backend->check || c->backend->check(c->settings, err);
}

bool net_word_bool(const char *key, const char *value, bool *out, struct error *err)
{
	static const char *const yes[] = { "on", "yes", "true", "y" }, *const no[] = { "off", "no", "false", "n" };

	for (unsigned i = 0; i < ARRAY_SIZE(yes); i++) {
		*out = !strcmp(value, yes[i]);
		if (*out || !strcmp(value, no[i]))
			return true;
	}
	error_usage(err, "Parameter '%s' expects 'on' or 'off'", key);
	return false;
}

bool net_word_number(const char *key, const char *value, uint64_t most, uint64_t *out, struct error *err)
{
	char *end;

	*out = strtoull(value, &end, 0);
	if (*value >= '0' && *value <= '9' && !*end && *out <= most)
		return true;
	error_usage(err, "Parameter '%s' expects a number up to %llu", key, (unsigned long long)most);
	return false;
}

/* ---- Addresses of cards ---- */

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c | 0x20 : c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Six bytes of one or two digits, ':' or '-' between them. */
bool net_mac_parse(const char *text, uint8_t mac[NET_MAC_BYTES])
{
	for (unsigned i = 0; i < NET_MAC_BYTES; i++) {
		unsigned value = 0, digits = 0;

		for (; digits < 2 && hex_digit(*text) >= 0; digits++)
			value = value << 4 | (unsigned)hex_digit(*text++);
		if (!digits || (i + 1 < NET_MAC_BYTES ? *text != ':' && *text != '-' : *text))
			return false;
		text += i + 1 < NET_MAC_BYTES;
		mac[i] = (uint8_t)value;
	}
	return true;
}

void net_mac_text(const uint8_t mac[NET_MAC_BYTES], char text[18])
{
	snprintf(text, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

/* QEMU's addresses, and the order in which they are given. */
#define PREFIX "\x52\x54\x00\x12\x34"
#define FIRST  0x56u

static bool is_none(const uint8_t mac[NET_MAC_BYTES])
{
	return !memcmp(mac, "\0\0\0\0\0", NET_MAC_BYTES);
}

/* How many cards have that address; NULL: it is not one of QEMU's. */
static uint16_t *holders(struct machine *m, const uint8_t mac[NET_MAC_BYTES])
{
	return memcmp(mac, PREFIX, NET_MAC_BYTES - 1) ? NULL : &m->card_macs[mac[NET_MAC_BYTES - 1]];
}

bool net_mac_claim(struct machine *m, uint8_t mac[NET_MAC_BYTES])
{
	unsigned last = FIRST;
	uint16_t *count;

	if (is_none(mac)) {
		while (last < 256 && m->card_macs[last])
			last++;
		if (last == 256)
			return false;
		memcpy(mac, PREFIX, NET_MAC_BYTES - 1);
		mac[NET_MAC_BYTES - 1] = (uint8_t)last;
	}
	count = holders(m, mac);
	if (count)
		++*count;
	return true;
}

void net_mac_release(struct machine *m, const uint8_t mac[NET_MAC_BYTES])
{
	uint16_t *count = holders(m, mac);

	if (count)
		--*count;
}
