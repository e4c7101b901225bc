/* Netdevs that are sockets: frames in a stream however it is cut, hostile streams, an other end that is slow, comes and goes;
 * datagrams; hubs. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "check.h"
#include "machine/core/config.h"
#include "machine/core/machine.h"
#include "machine/net/deframe.h"
#include "machine/net/hub.h"
#include "machine/net/net.h"

static struct machine machine;
static struct config config;
static struct device card, other_card;

/* ---- Frames in a stream ---- */

static struct {
	unsigned frames;
	uint64_t bytes, sum;
	size_t last;
} got;

static bool take(void *opaque, const uint8_t *frame, size_t bytes)
{
	(void)opaque;
	got.frames++;
	got.bytes += bytes;
	got.last = bytes;
	for (size_t i = 0; i < bytes; i++)
		got.sum = got.sum * 31 + frame[i];
	return true;
}

static uint8_t stream[1 << 20];

static bool give(struct deframe *d, const uint8_t *data, size_t bytes)
{
	return deframe_take(d, &data, &bytes, take, NULL) && !bytes;
}

/* Frames of these sizes; how long the stream is. */
static size_t make_stream(const size_t *sizes, unsigned count)
{
	uint64_t seed = 3;
	size_t at = 0;

	for (unsigned i = 0; i < count; i++) {
		deframe_head(sizes[i], stream + at);
		at += DEFRAME_HEAD;
		for (size_t k = 0; k < sizes[i]; k++)
			stream[at++] = (uint8_t)check_random(&seed);
	}
	return at;
}

static void test_frames(void)
{
	static const size_t sizes[] = { 60, 14, 1514, 0, 1, NET_FRAME_MAX, 61, 0, 0, 9000 };
	static struct deframe d;
	size_t all = make_stream(sizes, ARRAY_SIZE(sizes)), want = 0;
	uint64_t seed = 5, sum;
	bool same = true;

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++)
		want += sizes[i];
	memset(&got, 0, sizeof got);
	deframe_begin(&d);
	check(give(&d, stream, all), "a stream of whole frames");
	check_eq(got.frames, ARRAY_SIZE(sizes), "as many frames");
	check_eq(got.bytes, want, "as many bytes");
	sum = got.sum;
	for (unsigned round = 0; round < 200; round++) {
		size_t at = 0, most = round < 3 ? 1 : 1 + check_random(&seed) % 5000;

		memset(&got, 0, sizeof got);
		deframe_begin(&d);
		while (at < all) {
			size_t n = 1 + check_random(&seed) % most;
			uint8_t *part = malloc(n = n < all - at ? n : all - at);

			memcpy(part, stream + at, n);
			same = same && give(&d, part, n);
			free(part);
			at += n;
		}
		same = same && got.frames == ARRAY_SIZE(sizes) && got.sum == sum;
	}
	check(same, "however it is cut");
}

static void test_hostile_streams(void)
{
	static const uint8_t lengths[][4] = { { 0xff, 0xff, 0xff, 0xff }, { 0x80, 0, 0, 0 }, { 0, 1, 0, 0x12 }, { 1, 0, 0, 0 }, { 0, 2, 0, 0 } };
	static struct deframe d;
	uint64_t seed = 11, refused = 0, frames = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		memset(&got, 0, sizeof got);
		deframe_begin(&d);
		check(!give(&d, lengths[i], 4) && !got.frames, "a length of %02x%02x%02x%02x", lengths[i][0], lengths[i][1], lengths[i][2],
		      lengths[i][3]);
	}
	deframe_head(NET_FRAME_MAX, stream);
	deframe_begin(&d);
	check(give(&d, stream, 4), "the largest that there is");
	for (unsigned i = 0; i < 1000000; i++) {
		uint64_t w = check_random(&seed);
		size_t n = 1 + (w >> 8) % 40;

		for (size_t k = 0; k < n; k++)
			stream[k] = w >> 16 & 7 ? (uint8_t)(check_random(&seed) & (k % 4 < 2 ? 0 : 63)) : (uint8_t)check_random(&seed);
		memset(&got, 0, sizeof got);
		if (!give(&d, stream, n)) {
			refused++;
			deframe_begin(&d);
		}
		frames += got.frames;
	}
	check(refused > 1000 && frames > 1000, "a million pieces of anything: %" PRIu64 " frames, %" PRIu64 " ends", frames, refused);
}

/* ---- Netdevs ---- */

static struct net_config configs[4];

/* -netdev, as its words say. False: `err` says why. */
static bool add(const char *type, const char *words, struct error *err)
{
	static const char *const ids[] = { "n0", "n1", "n2", "n3" };
	struct net_config *c = &configs[config.netdevs];
	char *next, *word, *value;

	*c = (struct net_config){ .backend = net_backend_find(type), .text = next = strdup(words), .id = ids[config.netdevs] };
	config.netdev[config.netdevs++] = c;
	if (!net_config_begin(c, err))
		return false;
	while ((word = strsep(&next, ","))) {
		value = strchr(word, '=');
		*value++ = 0;
		if (!net_config_set(c, word, value, err))
			return false;
	}
	return net_config_finish(c, err);
}

/* The only one. */
static struct net *netdev(const char *type, const char *words, struct error *err)
{
	return add(type, words, err) && nets_new(&machine, err) ? machine.nets : NULL;
}

static void no_netdevs(void)
{
	nets_free(&machine);
	while (config.netdevs) {
		free(configs[--config.netdevs].text);
		free(configs[config.netdevs].settings);
	}
}

static void look(struct net *n) { n->config->backend->look(n); }

/* All that waits for the card is gone. */
static unsigned drain(struct net *n)
{
	unsigned count = n->frames;

	net_forget(n);
	return count;
}

static bool said(const struct net *n, const char *text)
{
	char buf[512] = "";
	FILE *f = fmemopen(buf, sizeof buf, "w");

	n->config->backend->print(n, f);
	fclose(f);
	return strstr(buf, text);
}

static bool waits_for(struct net *n, short events)
{
	uint64_t ns = UINT64_MAX;
	struct pollfd fd = { 0 };

	return n->config->backend->pollfds(n, &fd, 1, &ns) == 1 && fd.events == events;
}

static struct net *on_pair(const char *type, int kind, int *end)
{
	struct error err = { .msg = "" };
	char words[40];
	struct net *n;
	int fd[2];

	if (socketpair(AF_UNIX, kind, 0, fd))
		exit(EXIT_FAILURE);
	*end = fd[1];
	snprintf(words, sizeof words, !strcmp(type, "dgram") ? "local.type=fd,local.str=%d" : "fd=%d", fd[0]);
	n = netdev(type, words, &err);
	if (!check(n != NULL, "%s on a descriptor: %s", type, err.msg))
		exit(EXIT_FAILURE);
	n->user = &card;
	return n;
}

static const uint8_t frame[1500] = "to somebody";

static void test_stream(void)
{
	uint8_t buf[3000], head[4];
	int end;
	struct net *n = on_pair("socket", SOCK_STREAM, &end);
	unsigned sent = 0, came = 0;
	size_t have = 0;
	ssize_t got_bytes;

	net_send(n, frame, 60);
	check(read(end, buf, sizeof buf) == 64 && !memcmp(buf, "\0\0\0\x3c" "to somebody", 15), "a length, and the frame");
	deframe_head(100, head);
	check(write(end, head, 4) == 4 && write(end, frame, 50) == 50, "half a frame");
	look(n);
	check_eq(n->frames, 0, "is none");
	check(write(end, frame + 50, 50) == 50, "the other half");
	look(n);
	check(n->frames == 1 && n->first->bytes == 100 && !memcmp(n->first->data, frame, 100), "and is one then");
	drain(n);
	/* Nobody reads: what fits waits, the rest is lost, and no frame is cut. */
	while (n->stats.refused < 10 && sent < 10000) {
		net_send(n, frame, sizeof frame);
		sent++;
	}
	check(sent < 10000 && waits_for(n, POLLIN | POLLOUT), "an other end that is slow: %u frames", sent);
	fcntl(end, F_SETFL, O_NONBLOCK);
	for (unsigned i = 0; i < 100000; i++) {
		got_bytes = read(end, buf + have, sizeof buf - have);
		if (got_bytes <= 0) {
			look(n);
			if (waits_for(n, POLLIN))
				got_bytes = read(end, buf + have, sizeof buf - have);
			if (got_bytes <= 0 && waits_for(n, POLLIN))
				break;
		}
		have += got_bytes > 0 ? (size_t)got_bytes : 0;
		while (have >= 4 + sizeof frame) {
			came += !memcmp(buf, "\0\0\x05\xdc", 4) && !memcmp(buf + 4, frame, sizeof frame);
			memmove(buf, buf + 4 + sizeof frame, have -= 4 + sizeof frame);
		}
	}
	check(came == sent - 10 && !have, "it reads what was kept: %u of %u", came, sent);
	check(write(end, "\xff\xff\xff\xff", 4) == 4, "a length that no frame has");
	look(n);
	check(said(n, "wrong length") && !waits_for(n, POLLIN), "ends the connection");
	net_send(n, frame, 60);
	look(n);
	close(end);
	no_netdevs();
}

/* No more than the queue has room for is read: the rest waits with the host. */
static void test_full(void)
{
	int end;
	struct net *n = on_pair("socket", SOCK_STREAM, &end);
	uint8_t one[64 + 4] = { 0, 0, 0, 64 };
	unsigned sent = 0, came = 0;

	fcntl(end, F_SETFL, O_NONBLOCK);
	for (unsigned i = 0; i < 100; i++) {
		while (sent < 5000 && write(end, one, sizeof one) == sizeof one)
			sent++;
		look(n);
	}
	check(n->frames >= NET_QUEUE_FRAMES && n->frames < NET_QUEUE_FRAMES + 1100 && !waits_for(n, POLLIN), "a queue that is full: %u", n->frames);
	for (unsigned i = 0; i < 100; i++) {
		came += drain(n);
		look(n);
		while (sent < 5000 && write(end, one, sizeof one) == sizeof one)
			sent++;
	}
	check(came == 5000, "nothing is lost: %u of %u, %u dropped", came, sent, (unsigned)n->stats.dropped);
	close(end);
	look(n);
	check(!waits_for(n, POLLIN), "the other end has gone");
	no_netdevs();
}

static void test_datagrams(void)
{
	static const uint8_t large[NET_FRAME_MAX + 10];
	uint8_t buf[3000];
	int end;
	struct net *n = on_pair("dgram", SOCK_DGRAM, &end);

	net_send(n, frame, 60);
	check(read(end, buf, sizeof buf) == 60 && !memcmp(buf, frame, 60), "a frame is a datagram");
	check(write(end, frame, 1500) == 1500 && write(end, frame, 5) == 5 && write(end, large, sizeof large) == sizeof large, "whole, short and long ones");
	look(n);
	check(n->frames == 1 && n->first->bytes == 1500 && n->stats.dropped == 2, "a frame is what is neither short nor long");
	close(end);
	look(n);
	net_send(n, frame, 60);
	no_netdevs();
	n = on_pair("tap", SOCK_SEQPACKET, &end);
	check(write(end, frame, 60) == 60, "a descriptor that has whole frames");
	look(n);
	net_send(n, frame, 61);
	check(drain(n) == 1 && read(end, buf, sizeof buf) == 61, "is like an interface");
	close(end);
	look(n);
	check(!waits_for(n, POLLIN) && said(n, "gone"), "which may go away");
	no_netdevs();
}

/* Over names of Unix sockets: who comes, goes, comes again. */
static void test_names(void)
{
	char at[] = "/tmp/cede-wire-XXXXXX", words[200];
	struct error err = { .msg = "" };
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	uint8_t buf[100];
	struct net *n;
	int fd;

	check(mkdtemp(at) != NULL, "a folder");
	snprintf(words, sizeof words, "addr.type=unix,addr.path=%s/s,server=on", at);
	n = netdev("stream", words, &err);
	check(n != NULL, "a server: %s", err.msg);
	snprintf(a.sun_path, sizeof a.sun_path, "%s/s", at);
	for (unsigned i = 0; n && i < 2; i++) {
		n->user = &card;
		net_send(n, frame, 60);
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		check(!connect(fd, (struct sockaddr *)&a, sizeof a), "a client");
		look(n);
		check(said(n, "unix:"), "is shown");
		net_send(n, frame, 60);
		check(read(fd, buf, sizeof buf) == 64, "hears what is sent from then on");
		close(fd);
		look(n);
		check(!said(n, "unix:"), "and goes");
	}
	no_netdevs();
	check(access(a.sun_path, F_OK) != 0, "its name goes with a server");
	snprintf(words, sizeof words, "local.type=unix,local.path=%s/s,remote.type=unix,remote.path=%s/t", at, at);
	n = netdev("dgram", words, &err);
	check(n != NULL, "datagrams between names: %s", err.msg);
	if (n) {
		n->user = &card;
		net_send(n, frame, 60);		/* nobody has that name yet */
		fd = socket(AF_UNIX, SOCK_DGRAM, 0);
		check(!sendto(fd, frame, 0, 0, (struct sockaddr *)&a, sizeof a) && sendto(fd, frame, 60, 0, (struct sockaddr *)&a, sizeof a) == 60, "to ours");
		look(n);
		check_eq(drain(n), 1, "one that is no frame, and one");
		close(fd);
	}
	no_netdevs();
	rmdir(at);
}

static void test_hub(void)
{
	struct error err = { .msg = "" };
	struct net *a, *b, *other;
	int fd[2];
	uint8_t buf[100];
	char words[40];

	check(!netdev("hubport", "hubid=1,netdev=n9", &err) && strstr(err.msg, "not found"), "a port for no netdev: %s", err.msg);
	no_netdevs();
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fd))
		exit(EXIT_FAILURE);
	snprintf(words, sizeof words, "fd=%d", fd[0]);
	if (!add("tap", words, &err) || !add("hubport", "hubid=1,netdev=n0", &err) || !add("hubport", "hubid=1", &err) ||
	    !add("hubport", "hubid=2", &err) || !nets_new(&machine, &err))
		exit(EXIT_FAILURE);
	other = net_find(&machine, "n3");
	a = net_find(&machine, "n2");
	b = net_find(&machine, "n0");
	check(other && a && b && b->peer && b->peer->peer == b, "a hub: %s", err.msg);
	a->user = &card;
	other->user = &other_card;
	net_send(a, frame, 60);
	check(read(fd[1], buf, sizeof buf) == 60 && !a->frames && !other->frames, "to what is on another port of it, and no further");
	check(write(fd[1], frame, 60) == 60, "and back");
	look(b);
	check(drain(a) == 1 && !other->frames, "to the card on it");
	net_pull(a, true);
	check(write(fd[1], frame, 60) == 60, "a cable that is pulled");
	look(b);
	check_eq(a->frames, 0, "is one");
	close(fd[1]);
	no_netdevs();
}

/* Of a netdev and the port that it is on, either goes while the other stays, and frames come to both. A netdev that a card has is
 * on no port. */
static void test_hub_halves(void)
{
	static const char *const gone[] = { "n0", "n1" }, *const left[] = { "n1", "n0" };
	struct error err = { .msg = "" };
	struct net *n;
	char words[40];
	int fd[2];

	for (unsigned i = 0; i < 2; i++) {
		if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fd))
			exit(EXIT_FAILURE);
		snprintf(words, sizeof words, "fd=%d", fd[0]);
		if (!add("tap", words, &err) || !add("hubport", "hubid=1,netdev=n0", &err) || !add("hubport", "hubid=1", &err) || !nets_new(&machine, &err))
			exit(EXIT_FAILURE);
		check(net_delete(&machine, gone[i], &err) && !net_find(&machine, gone[i]), "%s goes: %s", gone[i], err.msg);
		n = net_find(&machine, left[i]);
		check(n && !n->peer && net_has_room(n), "%s stays, alone", left[i]);
		net_send(net_find(&machine, "n2"), frame, 60);
		check(write(fd[1], frame, 60) == 60 || !i, "a frame for it");
		if (i)
			look(n);
		check(n && !n->frames, "is for nobody");
		close(fd[1]);
		no_netdevs();
	}
	n = on_pair("tap", SOCK_SEQPACKET, fd);
	check(add("hubport", "hubid=1,netdev=n0", &err), "a port: %s", err.msg);
	config.netdev[0] = &configs[1];
	config.netdevs = 1;
	check(!nets_new(&machine, &err) && strstr(err.msg, "in use") && !n->peer, "a card's netdev is on no port: %s", err.msg);
	config.netdev[0] = &configs[0];
	config.netdevs = 2;
	close(fd[0]);
	no_netdevs();
}

/* Two of libslirp's on a hub: what the first one asks for while it takes a frame, the second answers at once. The first one is not
 * entered again. */
static void test_hub_users(void)
{
	/* "Who is 10.0.2.7?" is what a ping of his makes of it. */
	static const uint8_t ping[] = { 0x52, 0x55, 10, 0, 2, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 1, 0x62, 0xd9, 10, 0, 2, 7, 10, 0, 2, 2,
					8, 0, 0xf7, 0xff, 0, 0, 0, 0 };
	struct error err = { .msg = "" };
	struct net *a, *b;

	if (!add("user", "host=10.0.2.2", &err) || !add("user", "host=10.0.2.7", &err) || !add("hubport", "hubid=1,netdev=n0", &err) ||
	    !add("hubport", "hubid=1,netdev=n1", &err))
		exit(EXIT_FAILURE);
	if (!nets_new(&machine, &err)) {
		printf("ok two of libslirp's: not built, %s\n", err.msg);
		no_netdevs();
		return;
	}
	a = net_find(&machine, "n0");
	b = net_find(&machine, "n1");
	net_send(a, ping, sizeof ping);
	check(b->stats.came == 1 && a->stats.refused == 1, "two of libslirp's: a question, and an answer that is lost: %u %u", (unsigned)b->stats.came,
	      (unsigned)a->stats.refused);
	no_netdevs();
}

int main(void)
{
	static const struct device_class class = { .name = "card" };

	card.class = other_card.class = &class;
	machine.config = &config;
	test_frames();
	test_hostile_streams();
	test_stream();
	test_full();
	test_datagrams();
	test_names();
	test_hub();
	test_hub_halves();
	test_hub_users();
	return check_done();
}
