/* What is at the other end of a stream: a function for each kind, those of sockets that come and go, and logs. */
#define _GNU_SOURCE
#include "machine/host/console_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <termios.h>
#include <unistd.h>

#include "machine/host/term.h"
#include "savevm/place.h"

/* ---- Standard input and output ---- */

/* Files and the like: poll() calls them readable whenever it is asked. */
static bool always_readable(int fd)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct stat st;
	bool always;

	if (!fstat(fd, &st) && (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)))
		always = true;
	else
		always = epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) && errno == EPERM;
	if (epoll >= 0)
		close(epoll);
	return always;
}

/* Other processes share our standard output, and O_NONBLOCK would hold for them, too. So it is opened a second time,
 * where that is possible. */
static void open_stdout(struct console *c)
{
	struct stat st;
	int fd = -1;

	c->out = STDOUT_FILENO;
	if (fstat(STDOUT_FILENO, &st))
		return;
	if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode))
		fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0)
		c->out = fd;
	c->unblocked = fd >= 0 || S_ISREG(st.st_mode);
}

static bool open_stdio(struct console *c, struct error *err)
{
	if (!term_claim_stdio(c->term)) {
		error_usage(err, "stdio is used by more than one character device");
		return false;
	}
	c->in = STDIN_FILENO;
	c->tty = isatty(STDIN_FILENO);
	c->steady = always_readable(STDIN_FILENO);
	open_stdout(c);
	c->client = 1;
	term_raw(c->term, c->of->signals);
	return true;
}

/* ---- Files ---- */

static bool open_file(struct console *c, struct error *err)
{
	struct error why;

	c->out = (c->of->append ? output_append : output_open)(c->of->path, &why);
	if (c->out < 0) {
		error_set(err, "cannot write '%.100s': %.120s", c->of->path, why.msg);
		return false;
	}
	c->unblocked = !fcntl(c->out, F_SETFL, fcntl(c->out, F_GETFL) | O_NONBLOCK);
	return true;
}

/* Both ways: a FIFO that we hold ourselves never ends. */
static int open_fifo(const char *path, const char *suffix)
{
	char name[CHARDEV_PATH_MAX + 8];
	struct stat st;
	int fd;

	snprintf(name, sizeof name, "%s%s", path, suffix);
	fd = open(name, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || (!fstat(fd, &st) && (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode))))
		return fd;
	close(fd);
	errno = ENOTSUP;
	return -1;
}

static bool open_pipe(struct console *c, struct error *err)
{
	c->in = open_fifo(c->of->path, ".in");
	c->out = open_fifo(c->of->path, ".out");
	if (c->in < 0 || c->out < 0) {
		if (c->in >= 0)
			close(c->in);
		if (c->out >= 0)
			close(c->out);
		c->in = c->out = open_fifo(c->of->path, "");
	}
	if (c->in < 0)
		error_set(err, "there are no FIFOs '%.60s.in' and '%.60s.out', and '%.60s' is none: %s", c->of->path, c->of->path, c->of->path,
			  errno == ENOTSUP ? "another kind of file" : strerror(errno));
	c->unblocked = true;
	c->client = 1;
	return c->in >= 0;
}

/* ---- Pseudo terminals ---- */

static bool open_pty(struct console *c, struct error *err)
{
	struct termios t;
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

	c->in = c->out = master;
	c->unblocked = true;
	if (master < 0 || grantpt(master) || unlockpt(master) || ptsname_r(master, c->pty, sizeof c->pty) ||
	    (c->slave = open(c->pty, O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0) {
		error_set(err, "cannot make a pseudo terminal: %s", strerror(errno));
		return false;
	}
	if (!tcgetattr(c->slave, &t)) {
		cfmakeraw(&t);
		tcsetattr(c->slave, TCSANOW, &t);
	}
	c->client = 1;
	fprintf(stderr, "char device redirected to %s (label %s)\n", c->pty, c->of->id);
	return true;
}

/* ---- Sockets ---- */

static bool is_unix(const struct console *c) { return *c->of->path; }

/* Where it is, as QEMU writes that; of a port that the host has chosen, which. */
static const char *address_of(const struct console *c, char *text, size_t size)
{
	const struct chardev *of = c->of;
	const char *protocol = of->telnet ? "telnet" : "tcp";
	char ours[INET_TEXT];

	if (*of->path)
		snprintf(text, size, "unix:%s", of->path);
	else if (c->listener >= 0)
		snprintf(text, size, "%s:%s", protocol, inet_text(c->listener, false, ours));
	else
		snprintf(text, size, strchr(of->host, ':') ? "%s:[%s]:%s" : "%s:%s:%s", protocol,
			 *of->host ? of->host : of->server ? "127.0.0.1" : "localhost", of->port);
	return text;
}

/* Somebody is at the other end. */
static void take_client(struct console *c, int fd)
{
	int one = 1;
	size_t n;

	c->in = c->out = fd;
	c->unblocked = true;
	c->client++;
	console_greet_asides(c);
	if (!is_unix(c) && (c->of->nodelay || !c->of->delay))
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (c->of->telnet) {
		const uint8_t *greeting = telnet_begin(&c->telnet, &n);

		console_put(c, greeting, n);
	}
}

static void accept_client(struct console *c)
{
	int fd = accept4(c->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0)
		take_client(c, fd);
}

static bool wait_for_client(struct console *c, struct error *err)
{
	while (c->in < 0) {
		struct pollfd fds[2] = {
			{ .fd = c->listener, .events = POLLIN }, { .fd = term_fd(c->term), .events = POLLIN },
		};

		poll(fds, 2, -1);
		if (term_signal(c->term)) {
			error_set(err, "stopped while waiting for a connection");
			return false;
		}
		accept_client(c);
	}
	return true;
}

static bool open_server(struct console *c, struct error *why)
{
	c->listener = is_unix(c) ? socket_listen(c->of->path, &c->name, why) : inet_listen(&c->inet, c->of->last_port, why);
	return c->listener >= 0;
}

/* -- Clients that connect again -- */

static void try_later(struct console *c)
{
	const struct itimerspec once = { .it_value.tv_sec = c->of->reconnect_s };

	if (c->of->reconnect_s && c->retry < 0)
		c->retry = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (c->retry >= 0)
		timerfd_settime(c->retry, 0, &once, NULL);
}

static void try_now(struct console *c)
{
	bool done = false;
	int fd = is_unix(c) ? socket_begin(c->of->path, &done) : inet_begin(&c->inet, &done);

	if (fd < 0)
		try_later(c);
	else if (done)
		take_client(c, fd);
	else
		c->on_its_way = fd;
}

static void look_at_way(struct console *c)
{
	struct pollfd fd = { .fd = c->on_its_way, .events = POLLOUT };

	if (poll(&fd, 1, 0) <= 0)
		return;
	c->on_its_way = -1;
	if (!inet_outcome(fd.fd)) {
		take_client(c, fd.fd);
		return;
	}
	close(fd.fd);
	try_later(c);
}

static bool open_client(struct console *c, struct error *why)
{
	int fd;

	if (c->of->reconnect_s) {
		try_now(c);
		return true;
	}
	fd = is_unix(c) ? socket_connect(c->of->path, c->term, why) : inet_connect(&c->inet, c->term, why);
	if (fd >= 0)
		take_client(c, fd);
	return fd >= 0;
}

static bool open_socket(struct console *c, struct error *err)
{
	const struct chardev *of = c->of;
	const struct inet_names names = { .host = of->host, .port = of->port, .type = SOCK_STREAM, .ipv4 = of->ipv4, .ipv6 = of->ipv6, .one = of->server };
	char address[512];
	struct error why;

	if ((!is_unix(c) && !inet_look_up(&c->inet, &names, c->term, &why)) || !(of->server ? open_server : open_client)(c, &why)) {
		error_set(err, "cannot use socket '%.110s': %.120s", is_unix(c) ? of->path : address_of(c, address, sizeof address), why.msg);
		return false;
	}
	if (!of->server || !of->wait)
		return true;
	term_say(c->term, "waiting for connection on %s", address_of(c, address, sizeof address));
	return wait_for_client(c, err);
}

void console_listen(struct console *c)
{
	uint64_t times;

	if (c->in >= 0)
		return;
	if (c->listener >= 0)
		accept_client(c);
	else if (c->on_its_way >= 0)
		look_at_way(c);
	else if (c->retry >= 0 && read(c->retry, &times, sizeof times) == sizeof times)
		try_now(c);
}

void console_gone(struct console *c)
{
	if (c->of->kind == CHARDEV_SOCKET && !c->of->server && c->of->reconnect_s)
		try_later(c);
}

/* ---- Datagrams ---- */

static bool open_udp(struct console *c, struct error *err)
{
	const struct chardev *of = c->of;
	const struct inet_names names = { .host = of->host, .port = of->port, .type = SOCK_DGRAM, .ipv4 = of->ipv4, .ipv6 = of->ipv6, .one = true };
	const struct inet_names ours = { .host = of->local_host, .port = *of->local_port ? of->local_port : "0", .type = SOCK_DGRAM, .ipv4 = of->ipv4, .ipv6 = of->ipv6, .one = true };
	bool local = *of->local_host || *of->local_port;
	struct inet from;
	struct error why;

	if (inet_look_up(&c->inet, &names, c->term, &why) && (!local || inet_look_up(&from, &ours, c->term, &why)))
		c->in = c->out = inet_datagrams(&c->inet, local ? &from : NULL, &why);
	if (c->in < 0)
		error_set(err, "cannot send datagrams to '%.100s:%.30s': %.100s", of->host, of->port, why.msg);
	c->unblocked = true;
	c->client = 1;
	return c->in >= 0;
}

/* ---- Rings ---- */

static bool open_ring(struct console *c, struct error *err)
{
	c->ring = malloc(c->of->size);
	if (!c->ring)
		error_set(err, "out of memory");
	c->client = 1;
	return c->ring != NULL;
}

static bool open_null(struct console *c, struct error *err)
{
	(void)err;
	c->client = 1;
	return true;
}

/* ---- All ---- */

static bool open_log(struct console *c, struct error *err)
{
	struct error why;

	c->log = (c->of->log_append ? output_append : output_open)(c->of->log, &why);
	if (c->log < 0)
		error_set(err, "cannot write log '%.100s': %.120s", c->of->log, why.msg);
	else
		fcntl(c->log, F_SETFL, fcntl(c->log, F_GETFL) | O_NONBLOCK);
	return c->log >= 0;
}

bool console_begin(struct console *c, struct error *err)
{
	static bool (*const open[CHARDEV_KINDS])(struct console *c, struct error *err) = {
		[CHARDEV_NULL] = open_null, [CHARDEV_STDIO] = open_stdio, [CHARDEV_PTY] = open_pty, [CHARDEV_FILE] = open_file,
		[CHARDEV_PIPE] = open_pipe, [CHARDEV_SOCKET] = open_socket, [CHARDEV_UDP] = open_udp, [CHARDEV_RINGBUF] = open_ring,
	};

	return (!*c->of->log || open_log(c, err)) && open[c->of->kind](c, err);
}

/* ---- Names ---- */

static void describe_socket(const struct chardev *of, const struct console *c, char *text, size_t size)
{
	const char *away = console_connected(c) ? "" : "disconnected:", *server = of->server ? ",server=on" : "";
	char address[CHARDEV_PATH_MAX + 8], ours[INET_TEXT], peer[INET_TEXT];

	if (*of->path || *away)
		snprintf(text, size, "%s%s%s", away, address_of(c, address, sizeof address), server);
	else
		snprintf(text, size, "%s:%s%s <-> %s", of->telnet ? "telnet" : "tcp", inet_text(c->in, false, ours), server, inet_text(c->in, true, peer));
}

const char *console_describe(const struct console *c, const struct chardev *of, char *text, size_t size)
{
	static const char *const names[CHARDEV_KINDS] = {
		[CHARDEV_NULL] = "null", [CHARDEV_STDIO] = "stdio", [CHARDEV_PTY] = "pty", [CHARDEV_FILE] = "file", [CHARDEV_PIPE] = "pipe",
		[CHARDEV_SOCKET] = "socket", [CHARDEV_UDP] = "udp", [CHARDEV_RINGBUF] = "ringbuf",
	};

	if (c && of->kind == CHARDEV_SOCKET)
		describe_socket(of, c, text, size);
	else if (c && of->kind == CHARDEV_PTY)
		snprintf(text, size, "pty:%s", c->pty);
	else
		snprintf(text, size, "%s", names[of->kind]);
	return text;
}
