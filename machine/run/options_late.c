/* Drives and networks that come while the machine runs: what options say of them, for whoever is told so then (config.h). */
#include "machine/run/options_parse.h"

#include <stdlib.h>

static bool of_drive(struct parse *p, const char *text, bool blockdev)
{
	return option_begin(p, blockdev ? "blockdev" : "drive") && (blockdev ? opt_blockdev(p, text) : opt_drive(p, text)) && finish_drives(p);
}

static struct drive_config *late_drive(const char *text, bool blockdev, struct error *err)
{
	struct config *o = calloc(1, sizeof *o);
	struct parse p = { .opts = o, .err = err };
	struct drive_config *drive = NULL;

	if (!o)
		error_set(err, "out of memory");
	else if (of_drive(&p, text, blockdev) && o->drives)
		drive = o->drive[--o->drives];
	else if (o->nvram_file)
		error_set(err, "the NVRAM is there already");
	if (o) {
		free(o->nvram_file);
		drives_forget(o);
	}
	free(o);
	return drive;
}

static struct net_config *late_net(const char *text, struct error *err)
{
	struct config *o = calloc(1, sizeof *o);
	struct parse p = { .opts = o, .err = err };
	struct net_config *net = NULL;

	if (!o)
		error_set(err, "out of memory");
	else if (option_begin(&p, "netdev") && opt_netdev(&p, text) && o->netdevs)
		net = o->netdev[--o->netdevs];
	else if (p.done)
		error_set(err, "netdev: help is the command line's");
	free(o);
	return net;
}

const struct late_options late_options = {
	.drive = late_drive, .drive_free = drive_forget, .net = late_net, .net_free = netdev_forget,
};
