/* -netdev tap: an interface of the host's kernel that gives and takes frames. It is made here, which wants rights, or somebody has
 * made it and gives us a descriptor. Source: Linux, Documentation/networking/tuntap.rst. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "machine/net/wire.h"

#define DEVICE "/dev/net/tun"

/* An interface of that name, or of one that the kernel chooses: `name` is what it has then. `several`: of somebody who has made it
 * for several queues the kernel gives none otherwise. -1: errno. */
static int make_interface(const char *wanted, bool several, char name[IFNAMSIZ])
{
	int fd = open(DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC), error;
	struct ifreq request = { .ifr_flags = (short)(IFF_TAP | IFF_NO_PI | (several ? IFF_MULTI_QUEUE : 0)) };

	if (fd < 0)
		return -1;
	memcpy(request.ifr_name, wanted, strlen(wanted) + 1);	/* as tap_check() has let it */
	if (!ioctl(fd, TUNSETIFF, &request)) {
		memcpy(name, request.ifr_name, IFNAMSIZ);
		return fd;
	}
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static bool tap_open(struct net *n, struct error *err)
{
	const struct wire_settings *s = n->config->settings;
	const char *wanted = s->ifname ? s->ifname : "tap%d";
	char name[IFNAMSIZ] = "", why[160];
	struct wire *w;
	int fd;

	fd = s->fd ? wire_take_fd(n, s->local.fd, err) : make_interface(wanted, n->config->queues > 1, name);
	if (fd < 0 && !s->fd) {
		snprintf(why, sizeof why, "could not configure " DEVICE " (%s): %s", wanted, strerror(errno));
		wire_refuse(n, why, err);
	}
	n->state = w = fd < 0 ? NULL : wire_frames_open(n, fd, err);
	if (w && s->fd)
		snprintf(w->text, sizeof w->text, "fd=%u", (unsigned)s->local.fd);
	else if (w)
		snprintf(w->text, sizeof w->text, "ifname=%s,script=no,downscript=no", name);
	return w;
}

const struct net_backend net_tap = {
	.type = "tap", .help = "an interface of the host's kernel", .keys = tap_keys, .settings_size = sizeof(struct wire_settings), .check = tap_check,
	.open = tap_open, .close = wire_close, .send = wire_send, .look = wire_look, .pollfds = wire_pollfds, .print = wire_print,
};
