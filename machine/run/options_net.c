/* Options for networks: -netdev; -nic, which is one with its card; -net, which is a port of hub 0 and what is on it. */
#define _GNU_SOURCE
#include "machine/run/options_parse.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/net/dump.h"
#include "machine/net/hub.h"
#include "machine/net/net.h"

#define NIC_ID "__org.qemu.nic%u"	/* QEMU's, for who gives none */
#define NET_ID "#net%u"			/* the same of -net; no user's name is like it */

/* The cards that -nic model= may name. */
static const struct { const char *name, *driver; } models[] = {
	{ "virtio-net-pci", "virtio-net-pci" }, { "virtio-net", "virtio-net-pci" }, { "virtio", "virtio-net-pci" },
	{ "spapr-vlan", "spapr-vlan" }, { "ibmveth", "spapr-vlan" },
};

/* What -nic says of the card. */
struct card {
	const char *driver, *mac;
};

static void help(void)
{
	puts("Available netdev backend types:");
	for (const struct net_backend *const *b = net_backends; *b; b++)
		printf("%-10s %s\n", (*b)->type, (*b)->help);
}

void netdev_forget(struct net_config *c)
{
	free(c->text);
	free(c->made_id);
	free(c->device);
	free(c->settings);
	free(c);
}

static void forget_dump(struct net_dump_config *d)
{
	free(d->text);
	free(d);
}

void netdevs_forget(struct config *opts)
{
	while (opts->netdumps)
		forget_dump(opts->netdump[--opts->netdumps]);
	while (opts->netcards)
		free(opts->netcard[--opts->netcards]);
	while (opts->netdevs)
		netdev_forget(opts->netdev[--opts->netdevs]);
}

/* As QEMU has names; so none has a comma, which would end a value in the text of a -device. */
static bool id_ok(const char *id)
{
	if (!isalpha((unsigned char)*id))
		return false;
	while (isalnum((unsigned char)*id) || (*id && strchr("-._", *id)))
		id++;
	return !*id;
}

static bool taken(const struct config *o, const char *id)
{
	for (unsigned i = 0; i < o->netdevs; i++)
		if (!strcmp(o->netdev[i]->id, id))
			return true;
	return false;
}

/* A key of the card's. */
static bool set_card(struct parse *p, struct card *card, const char *key, const char *value, bool *known)
{
	uint8_t mac[NET_MAC_BYTES];

	*known = !strcmp(key, "model") || !strcmp(key, "mac");
	if (!strcmp(key, "mac")) {
		card->mac = value;
		return net_mac_parse(value, mac) || option_fail(p, "-nic: invalid syntax for ethernet address '%.60s'", value);
	}
	for (size_t i = 0; *known && i < ARRAY_SIZE(models); i++)
		if (!strcmp(models[i].name, value)) {
			card->driver = models[i].driver;
			return true;
		}
	return !*known || option_fail(p, "-nic: model=%.60s is not there (there are virtio-net-pci and spapr-vlan)", value);
}

static bool begin(struct parse *p, struct net_config *c, const char *type)
{
	c->backend = net_backend_find(type);
	if (!c->backend)
		return option_fail(p, "-%s: '%.60s' is not there (-netdev help)", option_name(p), type);
	return net_config_begin(c, p->err);
}

/* A key without a value is one that is on. `card`: NULL for -netdev. */
static bool set_item(struct parse *p, struct net_config *c, struct card *card, const char *key, const char *value)
{
	bool known = false;

	if (!strcmp(key, "id")) {
		c->id = value;
		return id_ok(value) || option_fail(p, "-%s: Parameter 'id' expects an identifier", option_name(p));
	}
	if (card && !set_card(p, card, key, value, &known))
		return false;
	return known || net_config_set(c, key, value, p->err);
}

static bool set_items(struct parse *p, struct net_config *c, struct card *card, struct pairs *pairs)
{
	char *key, *value;
	bool ok;

	if (!pairs_next(pairs, &key, &value) || (key && strcmp(key, "type")))
		return option_fail(p, "-%s: Parameter 'type' is missing", option_name(p));
	ok = begin(p, c, value);
	while (ok && pairs_next(pairs, &key, &value))
		ok = set_item(p, c, card, key ? key : value, key ? value : "on");
	return ok;
}

static bool name_it(struct parse *p, struct net_config *c, bool with_card)
{
	struct config *o = p->opts;

	const bool legacy = !strcmp(option_name(p), "net");

	if (!c->id && !with_card && !legacy)
		return option_fail(p, "-netdev: Parameter 'id' is missing");
	if (!c->id) {
		unsigned n = 0;

		for (unsigned i = 0; i < o->netdevs; i++)
			n += legacy || o->netdev[i]->device;
		if (asprintf(&c->made_id, legacy ? NET_ID : NIC_ID, n) < 0) {
			c->made_id = NULL;
			return option_fail(p, "out of memory");
		}
		c->id = c->made_id;
	}
	return !taken(o, c->id) || option_fail(p, "-%s: Duplicate ID '%.60s' for netdev", option_name(p), c->id);
}

/* *text is a -device for it on that netdev. */
static bool card_text(struct parse *p, const char *netdev, const struct card *card, char **text)
{
	if (asprintf(text, "%s,netdev=%s%s%s", card->driver, netdev, card->mac ? ",mac=" : "", card->mac ? card->mac : "") >= 0)
		return true;
	*text = NULL;
	return option_fail(p, "out of memory");
}

static bool add_card(struct parse *p, struct net_config *c, const struct card *card) { return card_text(p, c->id, card, &c->device); }

static bool add_netdev(struct parse *p, const char *text, struct card *card)
{
	struct net_config *c = calloc(1, sizeof *c);
	struct pairs pairs;

	if (!c || !pairs_open(p, &pairs, text)) {
		free(c);
		return option_fail(p, "out of memory");
	}
	c->text = pairs.copy;
	if (p->opts->netdevs == CONFIG_MAX_NETDEVS)
		option_fail(p, "-%s: %d networks are the most", option_name(p), CONFIG_MAX_NETDEVS);
	else if (set_items(p, c, card, &pairs) && net_config_finish(c, p->err) && name_it(p, c, card) && (!card || add_card(p, c, card))) {
		p->opts->netdev[p->opts->netdevs++] = c;
		return true;
	}
	netdev_forget(c);
	return false;
}

bool opt_netdev(struct parse *p, const char *text)
{
	if (!asks_help(text))
		return add_netdev(p, text, NULL);
	help();
	return p->done = true;
}

bool opt_nic(struct parse *p, const char *text)
{
	struct card card = { .driver = models[0].driver };

	if (!strcmp(text, "none"))
		return true;
	if (!asks_help(text) && strcmp(text, "model=help"))
		return add_netdev(p, text, &card);
	puts("Available NIC models:");
	for (size_t i = 0; i < ARRAY_SIZE(models); i++)
		puts(models[i].name);
	return p->done = true;
}

/* ---- -net ---- */

/* Takes *c; false: it is freed. */
static bool keep_netdev(struct parse *p, struct net_config *c)
{
	if (p->opts->netdevs == CONFIG_MAX_NETDEVS)
		option_fail(p, "-%s: %d networks are the most", option_name(p), CONFIG_MAX_NETDEVS);
	else if (!taken(p->opts, c->id) || !option_fail(p, "-net: Duplicate ID '%.60s' for netdev", c->id)) {
		p->opts->netdev[p->opts->netdevs++] = c;
		return true;
	}
	netdev_forget(c);
	return false;
}

/* A port of hub 0, with that netdev or a card on it. */
static bool add_port(struct parse *p, const char *netdev, const struct card *card)
{
	struct net_config *c = calloc(1, sizeof *c);
	struct hub_settings *s;
	unsigned n = 0;
	uint32_t hub;

	if (!c)
		return option_fail(p, "out of memory");
	for (unsigned i = 0; i < p->opts->netdevs; i++)
		n += hub_of(p->opts->netdev[i], &hub) && !hub;
	c->backend = net_backend_find("hubport");
	if (asprintf(&c->made_id, "hub0port%u", n) < 0)
		c->made_id = NULL;
	c->id = c->made_id;
	if (!c->id || !net_config_begin(c, p->err)) {
		netdev_forget(c);
		return option_fail(p, "out of memory");
	}
	s = c->settings;
	*s = (struct hub_settings){ .has_number = true, .netdev = netdev };
	if (!card || add_card(p, c, card))
		return keep_netdev(p, c);
	netdev_forget(c);
	return false;
}

/* On a netdev that there may be later. */
static bool name_card(struct parse *p, const char *netdev, const struct card *card)
{
	struct config *o = p->opts;

	if (!id_ok(netdev))
		return option_fail(p, "-net nic: netdev '%.60s' not found", netdev);
	if (o->netcards == CONFIG_MAX_NETDEVS)
		return option_fail(p, "-net nic: %d are the most", CONFIG_MAX_NETDEVS);
	return card_text(p, netdev, card, &o->netcard[o->netcards]) && ++o->netcards;
}

/* "nic[,KEY=VALUE..]" */
static bool add_nic(struct parse *p, struct pairs *pairs)
{
	struct card card = { .driver = models[0].driver };
	const char *netdev = NULL;
	char *key, *value;
	bool known;

	while (pairs_next(pairs, &key, &value)) {
		if (!key)
			return option_fail(p, "-net nic: '%.60s' is not KEY=VALUE", value);
		if (!strcmp(key, "netdev")) {
			netdev = value;
			continue;
		}
		if (!set_card(p, &card, strcmp(key, "macaddr") ? key : "mac", value, &known))
			return false;
		if (!known)
			return option_fail(p, "-net nic: Invalid parameter '%.60s'", key);
	}
	return netdev ? name_card(p, netdev, &card) : add_port(p, NULL, &card);
}

/* The rest of the words are those of -netdev. */
static bool add_legacy(struct parse *p, const char *text, const char *type)
{
	unsigned before = p->opts->netdevs;
	struct net_config *c;

	if (!strcmp(type, "hubport"))
		return option_fail(p, "-net hubport: a port of a hub is a -netdev's");
	return add_netdev(p, text, NULL) && (c = p->opts->netdev[before]) && add_port(p, c->id, NULL);
}

bool opt_net(struct parse *p, const char *text)
{
	struct pairs pairs;
	char *key, *type;
	bool ok;

	if (!strcmp(text, "none"))
		return true;
	if (!pairs_open(p, &pairs, text))
		return false;
	if (!pairs_next(&pairs, &key, &type) || (key && strcmp(key, "type")))
		ok = option_fail(p, "-net: Parameter 'type' is missing");
	else
		ok = strcmp(type, "nic") ? add_legacy(p, text, type) : add_nic(p, &pairs);
	free(pairs.copy);
	return ok;
}

/* ---- -object: a file of what passes ---- */

static bool set_dump(struct parse *p, struct net_dump_config *d, const char *key, const char *value)
{
	const struct { const char *name, **member; } words[] = { { "id", &d->id }, { "netdev", &d->netdev }, { "file", &d->file } };
	uint64_t most;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(words[i].name, key)) {
			*words[i].member = value;
			return true;
		}
	if (strcmp(key, "maxlen"))
		return option_fail(p, "-object filter-dump does not know '%.60s'", key);
	if (!parse_u64(value, &most) || !most || most > NET_FRAME_MAX)
		return option_fail(p, "-object filter-dump: maxlen=%.60s is not a number up to %u", value, NET_FRAME_MAX);
	d->most = (uint32_t)most;
	return true;
}

static bool get_dump(struct parse *p, struct net_dump_config *d, struct pairs *pairs)
{
	char *key, *value;
	bool ok = true;

	if (!pairs_next(pairs, &key, &value) || (key && strcmp(key, "qom-type")) || strcmp(value, "filter-dump"))
		return option_fail(p, "-object %.60s: there are filter-dump and memory-backend-ram", value);
	while (ok && pairs_next(pairs, &key, &value))
		ok = key ? set_dump(p, d, key, value) : option_fail(p, "-object filter-dump: '%.60s' is not KEY=VALUE", value);
	if (ok && (!d->id || !d->netdev || !d->file))
		ok = option_fail(p, "-object filter-dump needs id=, netdev= and file=");
	return ok;
}

static bool dump_object(struct parse *p, const char *text)
{
	struct net_dump_config *d = calloc(1, sizeof *d);
	struct pairs pairs;

	if (!d || !pairs_open(p, &pairs, text)) {
		free(d);
		return option_fail(p, "out of memory");
	}
	*d = (struct net_dump_config){ .most = NET_DUMP_MOST, .text = pairs.copy };
	if (p->opts->netdumps == CONFIG_MAX_NETDEVS)
		option_fail(p, "-object: %d are the most", CONFIG_MAX_NETDEVS);
	else if (get_dump(p, d, &pairs)) {
		p->opts->netdump[p->opts->netdumps++] = d;
		return true;
	}
	forget_dump(d);
	return false;
}

static bool memory_object(struct parse *p, const char *text)
{
	struct pairs pairs;
	char *key, *value;
	bool ok = pairs_open(p, &pairs, text) && pairs_next(&pairs, &key, &value) && numa_object(p, &pairs);

	free(pairs.copy);
	return ok;
}

bool opt_object(struct parse *p, const char *text)
{
	const char *kind = strncmp(text, "qom-type=", 9) ? text : text + 9;

	return !strncmp(kind, "memory-backend-ram", 18) && (!kind[18] || kind[18] == ',') ? memory_object(p, text) : dump_object(p, text);
}

/* "netdev=ID" in a -device, or in several. */
static bool in_texts(const char *const text[], unsigned texts, const char *id)
{
	size_t len = strlen(id);

	for (unsigned i = 0; i < texts; i++)
		for (const char *at = text[i]; (at = strstr(at, "netdev=")); at++)
			if (!strncmp(at + 7, id, len) && (!at[7 + len] || at[7 + len] == ','))
				return true;
	return false;
}

/* A network that no card is on is one that somebody forgot to connect; a hub's is on the hub. */
static bool named(const struct config *o, const char *id)
{
	for (unsigned i = 0; i < o->netdevs; i++)
		if (hub_wants(o->netdev[i], id))
			return true;
	return in_texts(o->device, o->devices, id) || in_texts((const char *const *)o->netcard, o->netcards, id);
}

/* A port with a network on it needs no card. */
static bool needs_card(const struct net_config *c)
{
	uint32_t hub;

	return !c->device && !(hub_of(c, &hub) && ((const struct hub_settings *)c->settings)->netdev);
}

bool finish_nets(struct parse *p)
{
	struct config *o = p->opts;

	for (unsigned i = 0; i < o->netdevs && !o->note; i++)
		if (needs_card(o->netdev[i]) && !named(o, o->netdev[i]->id))
			o->note = "warning: a -netdev has no card (-device virtio-net-pci,netdev=ID)";
	return true;
}
