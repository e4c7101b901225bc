/* Options for networks: -netdev, and -nic, which is one with its card. */
#define _GNU_SOURCE
#include "machine/run/options_parse.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/net/dump.h"
#include "machine/net/net.h"

#define NIC_ID "__org.qemu.nic%u"	/* QEMU's, for who gives none */

/* The cards that -nic model= may name. */
static const struct { const char *name, *driver; } models[] = {
	{ "virtio-net-pci", "virtio-net-pci" }, { "virtio-net", "virtio-net-pci" }, { "virtio", "virtio-net-pci" },
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
	return !*known || option_fail(p, "-nic: model=%.60s is not there (there is virtio-net-pci)", value);
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

	if (!c->id && !with_card)
		return option_fail(p, "-netdev: Parameter 'id' is missing");
	if (!c->id) {
		unsigned n = 0;

		for (unsigned i = 0; i < o->netdevs; i++)
			n += o->netdev[i]->device != NULL;
		if (asprintf(&c->made_id, NIC_ID, n) < 0) {
			c->made_id = NULL;
			return option_fail(p, "out of memory");
		}
		c->id = c->made_id;
	}
	return !taken(o, c->id) || option_fail(p, "-%s: Duplicate ID '%.60s' for netdev", option_name(p), c->id);
}

static bool add_card(struct parse *p, struct net_config *c, const struct card *card)
{
	if (asprintf(&c->device, "%s,netdev=%s%s%s", card->driver, c->id, card->mac ? ",mac=" : "", card->mac ? card->mac : "") >= 0)
		return true;
	c->device = NULL;
	return option_fail(p, "out of memory");
}

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
	if (strcmp(text, "help"))
		return add_netdev(p, text, NULL);
	help();
	return p->done = true;
}

bool opt_nic(struct parse *p, const char *text)
{
	struct card card = { .driver = models[0].driver };

	if (!strcmp(text, "none"))
		return true;
	if (strcmp(text, "help") && strcmp(text, "model=help"))
		return add_netdev(p, text, &card);
	puts("Available NIC models:");
	for (size_t i = 0; i < ARRAY_SIZE(models); i++)
		puts(models[i].name);
	return p->done = true;
}

bool opt_net(struct parse *p, const char *text)
{
	return !strcmp(text, "none") || option_fail(p, "-net %.60s: hubs of networks are not there: -nic %.60s joins a card to its own", text, text);
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

/* A network that no card is on is one that somebody forgot to connect. */
static bool named(const struct config *o, const char *id)
{
	size_t len = strlen(id);

	for (unsigned i = 0; i < o->devices; i++)
		for (const char *at = o->device[i]; (at = strstr(at, "netdev=")); at++)
			if (!strncmp(at + 7, id, len) && (!at[7 + len] || at[7 + len] == ','))
				return true;
	return false;
}

bool finish_nets(struct parse *p)
{
	struct config *o = p->opts;

	for (unsigned i = 0; i < o->netdevs && !o->note; i++)
		if (!o->netdev[i]->device && !named(o, o->netdev[i]->id))
			o->note = "warning: a -netdev has no card (-device virtio-net-pci,netdev=ID)";
	return true;
}
