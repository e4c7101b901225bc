/* Networks as monitors show them, what leads into them from outside, and cables that are pulled. Forms are QEMU's. */
#include "machine/monitor/net.h"

#include <string.h>

#include "machine/monitor/monitor.h"
#include "machine/net/hub.h"
#include "machine/net/net.h"

/* A device that takes frames. */
static bool is_card(const struct device *dev) { return dev->class->frames_arrived; }

/* By its id, by its node on the virtual I/O bus, or by its kind and number. */
static void card_name(const struct device *dev, char *buf, size_t size)
{
	if (dev->id)
		snprintf(buf, size, "%s", dev->id);
	else if (dev->class->node)
		dev->class->on->path(dev, buf, size);
	else
		snprintf(buf, size, "%s.%u", dev->class->name, (unsigned)dev->number);
}

static const char *card_mac(const struct device *dev)
{
	for (const struct device_property *p = dev->class->properties; p && p->name; p++)
		if (!strcmp(p->name, "mac"))
			return *(const char *const *)((const char *)dev + p->offset);
	return "";
}

static void print_netdev(const struct net *n, const char *before, FILE *out)
{
	fprintf(out, "%s%s: index=0,type=%s", before, n->config->id, n->config->backend->type);
	if (n->config->backend->print)
		n->config->backend->print(n, out);
	fprintf(out, "%s\n", n->link_down ? ",link=off" : "");
}

static void print_card(const struct device *dev, const char *before, FILE *out)
{
	char name[80];

	card_name(dev, name, sizeof name);
	fprintf(out, "%s%s: index=0,type=nic,model=%s,macaddr=%s\n", before, name, dev->class->name, card_mac(dev));
}

/* The first port of a hub heads all of them. */
static bool is_first_port(const struct machine *m, const struct net *port, uint32_t hub)
{
	const struct net *n = m->nets;
	uint32_t other;

	while (n != port && !(hub_of(n->config, &other) && other == hub))
		n = n->next;
	return n == port;
}

static void print_hub(const struct machine *m, uint32_t hub, FILE *out)
{
	uint32_t other;
	char before[160];

	fprintf(out, "hub %u\n", (unsigned)hub);
	for (const struct net *n = m->nets; n; n = n->next) {
		if (!hub_of(n->config, &other) || other != hub)
			continue;
		snprintf(before, sizeof before, " \\ %.100s%s: ", n->config->id, n->link_down ? ",link=off" : "");
		if (n->user)
			print_card(n->user, before, out);
		else if (n->peer)
			print_netdev(n->peer, before, out);
		else
			fprintf(out, "%s\n", before);
	}
}

static void print_hubs(const struct machine *m, FILE *out)
{
	uint32_t hub;

	for (const struct net *n = m->nets; n; n = n->next)
		if (hub_of(n->config, &hub) && is_first_port(m, n, hub))
			print_hub(m, hub, out);
}

static const struct net *net_of(const struct machine *m, const struct device *card)
{
	const struct net *n = m->nets;

	while (n && n->user != card)
		n = n->next;
	return n;
}

void net_print(struct machine *m, const char *argument, FILE *out)
{
	const struct net *n;
	uint32_t hub;

	(void)argument;
	print_hubs(m, out);
	for (const struct device *dev = m->devices; dev; dev = dev->next) {
		n = is_card(dev) ? net_of(m, dev) : NULL;
		if (!is_card(dev) || (n && hub_of(n->config, &hub)))
			continue;
		print_card(dev, "", out);
		if (n)
			print_netdev(n, " \\ ", out);
	}
	for (n = m->nets; n; n = n->next)
		if (!n->user && !n->peer && !hub_of(n->config, &hub))
			print_netdev(n, "", out);
}

void net_print_usernet(struct machine *m, const char *argument, FILE *out)
{
	(void)argument;
	for (struct net *n = m->nets; n; n = n->next)
		if (n->config->backend->print_connections) {
			fprintf(out, "Hub -1 (%s):\n", n->config->id);
			n->config->backend->print_connections(n, out);
		}
}

/* ---- What leads in ---- */

/* The netdev that "[ID ]RULE" is about, the first one if there is no ID; *rule is the rest. NULL: `out` has been told. */
static struct net *net_of_rule(struct machine *m, const char *argument, const char **rule, FILE *out)
{
	size_t len = strcspn(argument, " \t");
	char id[MONITOR_LINE];
	struct net *n = m->nets;

	*rule = argument;
	if (argument[len]) {
		snprintf(id, sizeof id, "%.*s", (int)len, argument);
		*rule = argument + len + strspn(argument + len, " \t");
		n = net_find(m, id);
	} else {
		while (n && !n->config->backend->forward)
			n = n->next;
	}
	if (n && n->config->backend->forward)
		return n;
	fputs(argument[len] ? "Error: unrecognized netdev id\n" : "Error: user mode network stack not in use\n", out);
	return NULL;
}

void net_run_hostfwd_add(struct machine *m, const char *argument, FILE *out)
{
	const char *rule;
	struct net *n = net_of_rule(m, argument, &rule, out);
	struct error err;

	if (n && !n->config->backend->forward(n, rule, true, &err))
		fprintf(out, "Error: %s\n", err.msg);
}

void net_run_hostfwd_remove(struct machine *m, const char *argument, FILE *out)
{
	const char *rule;
	struct net *n = net_of_rule(m, argument, &rule, out);
	struct error err;

	if (!n)
		return;
	if (n->config->backend->forward(n, rule, false, &err))
		fprintf(out, "host forwarding rule for %s removed\n", rule);
	else
		fprintf(out, "Error: %s\n", err.msg);
}

/* ---- Cables ---- */

static bool is_called(const struct net *n, const char *name)
{
	char card[80] = "";

	if (n->user)
		card_name(n->user, card, sizeof card);
	return !strcmp(n->config->id, name) || (n->user && !strcmp(card, name));
}

bool net_set_link(struct machine *m, const char *name, bool up, struct error *err)
{
	for (struct net *n = m->nets; n; n = n->next)
		if (is_called(n, name)) {
			net_pull(n, !up);
			return true;
		}
	error_set(err, "Device '%.60s' not found", name);
	return false;
}

void net_run_announce(struct machine *m, const char *argument, FILE *out)
{
	(void)argument, (void)out;
	nets_announce(m);
}

bool net_run_link(struct machine *m, const char *argument, struct error *err)
{
	size_t len = strcspn(argument, " \t");
	const char *state = argument + len + strspn(argument + len, " \t");
	char name[MONITOR_LINE];

	if (strcmp(state, "on") && strcmp(state, "off")) {
		error_set(err, "set_link NAME on|off");
		return false;
	}
	snprintf(name, sizeof name, "%.*s", (int)len, argument);
	return net_set_link(m, name, !strcmp(state, "on"), err);
}
