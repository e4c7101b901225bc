/* Host-side character streams: descriptors, the escape key, and a buffer for what the guest
 * has not taken yet. Terminal settings and signals are term.c's. */
#define _GNU_SOURCE
#include "machine/host/console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <termios.h>
#include <unistd.h>

#include "machine/host/queue.h"
#include "machine/host/socket.h"
#include "machine/host/term.h"
#include "machine/host/time.h"
#include "savevm/place.h"
#include "savevm/vmstate.h"

#define INPUT_SIZE 4096			/* what a snapshot keeps; a power of 2 */
#define AHEAD_MOST (1u << 20)		/* bytes: a very large paste */
#define AHEAD_WAIT_MS 300		/* a terminal's keys must not wait longer behind it */
#define PENDING_MOST (16u << 20)	/* bytes: more than a guest writes in a quantum */
#define ANSWERS_MOST (1u << 20)		/* bytes of a monitor's */
#define ESCAPE 0x01			/* Ctrl-A */
#define PTY_PATIENCE_MS 1000		/* how long a full pty may hold the guest up, once */

enum console_kind { CONSOLE_STDIO, CONSOLE_FILE, CONSOLE_PTY, CONSOLE_UNIX, CONSOLE_NULL, CONSOLE_ASIDE };

struct console_spec {
	enum console_kind kind;
	bool mux;			/* mon:: the escape key is ours */
	bool server, wait;		/* unix: */
	char path[4096];
};

struct console {
	struct term *term;
	enum console_kind kind;
	int in, out;			/* -1: nothing there (any more) */
	int listener;			/* unix server, -1 none */
	int slave;			/* our own hold on the pty, so that it never hangs up */
	int timer;			/* of a terminal whose keys find no room; -1: none yet */
	bool mux, escaped;
	bool tty;			/* input is a terminal */
	bool steady;			/* input is a file: never late, so it comes at cycles that the machine gives */
	bool commands;			/* a monitor's, which takes all that comes: nothing is lost */
	bool timing, full;		/* `timer` runs; it has ended, and what finds no room is dropped */
	bool stuck;			/* the pty's reader was too slow: drop until there is room */
	bool unblocked;			/* write() to `out` never waits */
	bool hasty;			/* a monitor's: a client that does not read is cut off */
	bool to_aside;			/* keys go there */
	bool glances;			/* what is read now comes before its time */
	uint32_t client;		/* connections so far */
	struct console *aside, *host;	/* the monitor on this one; of such a monitor: the one it is on */
	struct socket_name name;	/* of the listener */
	struct queue pending;		/* output that the host does not take yet */
	uint64_t pending_ns;		/* host time since which it has taken nothing */
	struct queue ahead;		/* input behind what is in the ring */
	uint32_t head, count;		/* input ring */
	uint8_t input[INPUT_SIZE];
};

/* ---- What a -serial option says ---- */

static bool parse_on_off(const char *value, bool *out)
{
	*out = !strcmp(value, "on");
	return *out || !strcmp(value, "off");
}

static bool parse_unix(char *text, struct console_spec *spec, struct error *err)
{
	char *save, *item = strtok_r(text, ",", &save);
	bool no_wait = false;

	spec->wait = true;
	if (!item) {
		error_set(err, "unix: needs a path");
		return false;
	}
	if (strlen(item) >= SOCKET_PATH_MAX) {
		error_set(err, "unix: path is too long for a socket: '%.100s'", item);
		return false;
	}
	memmove(spec->path, item, strlen(item) + 1);
	while ((item = strtok_r(NULL, ",", &save))) {
		if (!strcmp(item, "server"))
			spec->server = true;
		else if (!strcmp(item, "nowait"))
			no_wait = true;
		else if (!strcmp(item, "wait"))
			spec->wait = true;
		else if (!((!strncmp(item, "server=", 7) && parse_on_off(item + 7, &spec->server)) ||
			   (!strncmp(item, "wait=", 5) && parse_on_off(item + 5, &spec->wait)))) {
			error_set(err, "unix: does not know '%.100s'", item);
			return false;
		}
	}
	if (no_wait)
		spec->wait = false;
	return true;
}

static bool parse_spec(const char *text, struct console_spec *spec, struct error *err)
{
	char copy[4096];

	memset(spec, 0, sizeof *spec);
	if (strlen(text) >= sizeof copy) {
		error_set(err, "character device name is too long");
		return false;
	}
	if (!strncmp(text, "mon:", 4)) {
		spec->mux = true;
		text += 4;
	}
	if (!strcmp(text, "stdio")) {
		spec->kind = CONSOLE_STDIO;
	} else if (!strcmp(text, "null") || !strcmp(text, "none")) {
		spec->kind = CONSOLE_NULL;
	} else if (!strcmp(text, "pty")) {
		spec->kind = CONSOLE_PTY;
	} else if (!strncmp(text, "file:", 5) && text[5]) {
		spec->kind = CONSOLE_FILE;
		strcpy(spec->path, text + 5);
	} else if (!strncmp(text, "unix:", 5)) {
		spec->kind = CONSOLE_UNIX;
		strcpy(copy, text + 5);
		return parse_unix(copy, spec, err);
	} else {
		error_set(err, "no such character device: '%.100s' (-serial help lists them)", text);
		return false;
	}
	return true;
}

void console_help(FILE *out)
{
	fputs("stdio          standard input and output\n"
	      "mon:stdio      the same; Ctrl-A h lists what its escape key does (mon: goes before any of them)\n"
	      "file:PATH      output to a file\n"
	      "pty            a new pseudo terminal, named on standard error\n"
	      "unix:PATH[,server=on|off][,wait=on|off]\n"
	      "               a socket: of a program that listens, or our own\n"
	      "null           a terminal that nobody looks at\n"
	      "none           no terminal\n", out);
}

bool console_spec_ok(const char *text, struct error *err)
{
	struct console_spec spec;

	return parse_spec(text, &spec, err);
}

/* ---- Opening ---- */

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
	term_raw(c->term, !c->mux);
	return true;
}

static bool open_file(struct console *c, const char *path, struct error *err)
{
	struct error why;

	c->out = output_open(path, &why);
	if (c->out < 0) {
		error_set(err, "cannot write '%.100s': %.120s", path, why.msg);
		return false;
	}
	c->unblocked = !fcntl(c->out, F_SETFL, O_NONBLOCK);
	return true;
}

static bool open_pty(struct console *c, struct error *err)
{
	struct termios t;
	char name[128];
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

	c->in = c->out = master;
	c->unblocked = true;
	if (master < 0 || grantpt(master) || unlockpt(master) || ptsname_r(master, name, sizeof name) ||
	    (c->slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0) {
		error_set(err, "cannot make a pseudo terminal: %s", strerror(errno));
		return false;
	}
	if (!tcgetattr(c->slave, &t)) {
		cfmakeraw(&t);
		tcsetattr(c->slave, TCSANOW, &t);
	}
	fprintf(stderr, "char device redirected to %s (label serial)\n", name);
	return true;
}

static void accept_client(struct console *c)
{
	int fd = accept4(c->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	c->in = c->out = fd;
	c->unblocked = true;
	c->client++;
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

static bool open_unix(struct console *c, const struct console_spec *spec, struct error *err)
{
	struct error why;

	if (!spec->server) {
		c->in = c->out = socket_connect(spec->path, c->term, &why);
		c->unblocked = true;
		c->client = 1;
	} else {
		c->listener = socket_listen(spec->path, &c->name, &why);
	}
	if (c->in < 0 && c->listener < 0) {
		error_set(err, "cannot use socket '%.110s': %.120s", spec->path, why.msg);
		return false;
	}
	if (!spec->server || !spec->wait)
		return true;
	fprintf(stderr, "cede: waiting for connection on unix:%s\n", spec->path);
	return wait_for_client(c, err);
}

struct console *console_open(struct term *term, const char *text, struct error *err)
{
	struct console_spec spec;
	struct console *c;
	bool ok = true;

	if (!parse_spec(text, &spec, err))
		return NULL;
	c = calloc(1, sizeof *c);
	if (!c) {
		error_set(err, "out of memory");
		return NULL;
	}
	c->term = term;
	c->kind = spec.kind;
	c->mux = spec.mux;
	c->in = c->out = c->listener = c->slave = c->timer = -1;
	switch (spec.kind) {
	case CONSOLE_STDIO:
		ok = open_stdio(c, err);
		break;
	case CONSOLE_FILE:
		ok = open_file(c, spec.path, err);
		break;
	case CONSOLE_PTY:
		ok = open_pty(c, err);
		break;
	case CONSOLE_UNIX:
		ok = open_unix(c, &spec, err);
		break;
	case CONSOLE_NULL:
	case CONSOLE_ASIDE:
		break;
	}
	if (!ok) {
		console_close(c);
		return NULL;
	}
	return c;
}

static void close_output(struct console *c)
{
	queue_clear(&c->pending);
	/* A copy of this process that writes a snapshot may hold it too. */
	if (c->out >= 0 && c->kind == CONSOLE_UNIX)
		shutdown(c->out, SHUT_RDWR);
	if (c->out >= 0 && c->out != STDOUT_FILENO)
		close(c->out);
	c->out = -1;
}

static void close_client(struct console *c)
{
	if (c->kind != CONSOLE_STDIO)
		close_output(c);
	c->in = -1;		/* the same descriptor, or standard input */
}

bool console_has_escape(const struct console *c) { return c->mux; }
bool console_echoes(const struct console *c) { return c->host ? c->host->tty : c->tty; }
void console_for_commands(struct console *c) { c->commands = true, c->hasty = c->kind == CONSOLE_UNIX; }
bool console_connected(const struct console *c) { return c->kind != CONSOLE_UNIX || c->in >= 0; }
uint32_t console_client(const struct console *c) { return c->client; }

struct console *console_aside(struct console *c)
{
	struct console *aside = calloc(1, sizeof *aside);

	if (!aside)
		return NULL;
	*aside = (struct console){ .term = c->term, .kind = CONSOLE_ASIDE, .in = -1, .out = -1, .listener = -1, .slave = -1,
				    .timer = -1, .host = c, .commands = true };
	c->aside = aside;
	return aside;
}

/* ---- Output ---- */

/* If the disk is full, the guest goes on and its output is lost. If the terminal or the pipe is gone, cede ends: no user
 * could end it any more. */
static void give_up(struct console *c, int error)
{
	if (c->kind == CONSOLE_FILE) {
		term_fresh_line(c->term);
		fprintf(stderr, "cede: a -serial file takes no more: %s\n", strerror(error));
	} else if (c->kind == CONSOLE_STDIO) {
		term_fresh_line(c->term);
		fprintf(stderr, "cede: standard output takes no more: %s\n", strerror(error));
		if (error != ENOSPC)
			term_lost(c->term);
	}
	close_output(c);
}

static void failed(struct console *c, int error)
{
	if (c->kind == CONSOLE_UNIX)
		close_client(c);
	else if (c->kind == CONSOLE_PTY)
		queue_clear(&c->pending);
	else
		give_up(c, error);
}

/* write() without waiting; -1 and EAGAIN: not now. */
static ssize_t write_now(const struct console *c, const uint8_t *p, size_t len)
{
	struct pollfd fd = { .fd = c->out, .events = POLLOUT };
	ssize_t n;

	if (c->unblocked)
		return write(c->out, p, len);
	n = send(c->out, p, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n >= 0 || errno != ENOTSOCK)
		return n;
	if (poll(&fd, 1, 0) <= 0) {
		errno = EAGAIN;
		return -1;
	}
	/* At most PIPE_BUF: a pipe that poll() calls writable takes that much at once. */
	return write(c->out, p, len < 512 ? len : 512);
}

/* What the host takes now; how much that was. Afterwards there may be no output any more. */
static size_t push(struct console *c, const uint8_t *p, size_t len)
{
	size_t done = 0;

	while (done < len && c->out >= 0) {
		ssize_t n = write_now(c, p + done, len - done);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			failed(c, errno);
		if (n <= 0)
			break;
		if (c->kind == CONSOLE_STDIO)
			term_wrote(c->term, p + done, (size_t)n);
		done += (size_t)n;
	}
	return done;
}

static void flush_output(struct console *c)
{
	size_t n = c->pending.len && c->out >= 0 ? push(c, queue_front(&c->pending), c->pending.len) : 0;

	if (!c->pending.len)
		return;			/* it never did, or the output has gone meanwhile */
	queue_take(&c->pending, n);
	if (n)
		c->pending_ns = host_ns();
	if (!c->pending.len) {
		queue_clear(&c->pending);
	} else if (c->kind == CONSOLE_PTY && host_ns() - c->pending_ns > PTY_PATIENCE_MS * UINT64_C(1000000)) {
		c->stuck = true;
		queue_clear(&c->pending);
	}
}

/* Queues output that the host does not take yet. The guest is held meanwhile, so this is no more than a quantum's. */
static void keep_pending(struct console *c, const uint8_t *p, size_t len)
{
	size_t most = c->commands ? ANSWERS_MOST : PENDING_MOST;

	if (!c->pending.len)
		c->pending_ns = host_ns();
	if (c->pending.len + len > most && c->hasty)
		close_client(c);
	else if (c->pending.len + len <= most)
		(void)!queue_put(&c->pending, p, len);
}

void console_write(struct console *c, const void *buf, size_t len)
{
	const uint8_t *p = buf;
	size_t n;

	if (c->host) {
		console_write(c->host, buf, len);
		return;
	}
	if (c->out < 0)
		return;
	n = c->pending.len ? 0 : push(c, p, len);
	c->stuck &= n == 0;
	if (n < len && c->out >= 0 && !c->stuck)
		keep_pending(c, p + n, len - n);
}

bool console_pending(const struct console *c)
{
	return c->host ? console_pending(c->host) : c->pending.len && !c->hasty;
}

void console_close(struct console *c)
{
	if (!c)
		return;
	if (c->host) {
		c->host->aside = NULL;
		c->host->to_aside = false;
	}
	flush_output(c);		/* what the host takes without waiting */
	close_client(c);
	close_output(c);
	if (c->slave >= 0)
		close(c->slave);
	if (c->listener >= 0)
		close(c->listener);
	if (c->timer >= 0)
		close(c->timer);
	socket_forget(&c->name);
	queue_clear(&c->ahead);
	free(c);
}

/* ---- Input ---- */

static void keep_key(struct console *c, uint8_t byte)
{
	if (c->to_aside)
		c = c->aside;
	if (!c->glances && !c->ahead.len && c->count < INPUT_SIZE)
		c->input[(c->head + c->count++) % INPUT_SIZE] = byte;
	else if (c->ahead.len < AHEAD_MOST)
		(void)!queue_put(&c->ahead, &byte, 1);
}

/* Moves bytes from the queue behind the ring into the ring. */
static void refill(struct console *c)
{
	size_t n = 0;

	while (n < c->ahead.len && c->count < INPUT_SIZE)
		c->input[(c->head + c->count++) % INPUT_SIZE] = queue_front(&c->ahead)[n++];
	queue_take(&c->ahead, n);
}

static void say_to_user(struct console *c, const char *text)
{
	console_write(c, text, strlen(text));
}

static void escape_key(struct console *c, uint8_t key)
{
	switch (key) {
	case ESCAPE:
		keep_key(c, key);
		break;
	case 'x':
		say_to_user(c, "\r\ncede: terminated\r\n");
		term_quit(c->term);
		break;
	case 'c':
		if (!c->aside)
			break;
		c->to_aside = !c->to_aside;
		c->aside->client += c->to_aside;
		if (!c->to_aside)
			say_to_user(c, "\r\n");
		break;
	case 'h':
	case '?':
		say_to_user(c, "\r\nCtrl-A h    this help\r\n"
		       "Ctrl-A x    end cede\r\n"
		       "Ctrl-A c    switch between console and monitor\r\n"
		       "Ctrl-A Ctrl-A  send Ctrl-A\r\n");
		break;
	}
}

static void typed(struct console *c, const uint8_t *buf, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (c->mux && c->escaped) {
			c->escaped = false;
			escape_key(c, buf[i]);
		} else if (c->mux && buf[i] == ESCAPE) {
			c->escaped = true;
		} else {
			keep_key(c, buf[i]);
		}
	}
}

/* Somebody types there, and may end us even if the guest never reads: what it has not taken is read past. */
static bool reads_ahead(const struct console *c)
{
	return c->mux && !c->steady && (c->tty || c->kind != CONSOLE_STDIO);
}

static size_t room(const struct console *c, size_t most)
{
	size_t has = c->count + c->ahead.len;

	return has < most ? most - has : 0;
}

/* What can be read without a loss. Among the keys may be that which leads the rest to the other stream: if
 * that has less room, no more are taken at once. */
static size_t wanted(const struct console *c)
{
	const struct console *to = c->to_aside ? c->aside : c, *other = c->to_aside ? c : c->aside;
	size_t most = INPUT_SIZE + (reads_ahead(c) ? AHEAD_MOST : 0), n = room(to, most);

	if (c->full)
		return INPUT_SIZE;
	if (n > 1 && other && room(other, most) < n)
		n = room(other, most) ? room(other, most) : 1;
	return n;
}

/* A terminal whose keys find no room at all: its paste may wait for a guest that reads, not for one that does not. */
static void watch_full(struct console *c)
{
	const struct itimerspec once = { .it_value.tv_nsec = AHEAD_WAIT_MS * 1000000L };
	uint64_t times;

	if (c->timing && read(c->timer, &times, sizeof times) == sizeof times) {
		c->timing = false;
		c->full = !wanted(c);
	}
	if (!c->tty || !reads_ahead(c) || c->timing || c->full || wanted(c))
		return;
	if (c->timer < 0)
		c->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	c->timing = c->timer >= 0 && !timerfd_settime(c->timer, 0, &once, NULL);
}

/* One read(); false: there was nothing. */
static bool read_some(struct console *c)
{
	struct pollfd fd = { .fd = c->in, .events = POLLIN };
	uint8_t buf[4096];
	size_t most = wanted(c);
	ssize_t n;

	if (c->in < 0 || !most || poll(&fd, 1, 0) <= 0)
		return false;
	n = read(c->in, buf, most < sizeof buf ? most : sizeof buf);
	if (n > 0)
		typed(c, buf, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		close_client(c);	/* end of file, or the terminal is gone */
	return n > 0;
}

static void read_all(struct console *c)
{
	/* One poll reads at most so many bytes: a paste fits, and a sender that never stops cannot keep cede from
	 * its other work. */
	for (size_t looks = 2 * AHEAD_MOST / 4096; looks && read_some(c); looks--)
		;
	watch_full(c);
}

static void begin_poll(struct console *c)
{
	flush_output(c);
	if (c->in < 0 && c->listener >= 0)
		accept_client(c);
}

void console_poll(struct console *c)
{
	begin_poll(c);
	refill(c);
	if (c->aside)
		refill(c->aside);
	if (!c->steady)
		read_all(c);
}

void console_poll_file(struct console *c)
{
	if (c->steady)
		read_all(c);
}

bool console_file_waits(const struct console *c)
{
	return c->steady && c->in >= 0 && wanted(c);
}

bool console_early(const struct console *c) { return c->ahead.len && c->count < INPUT_SIZE; }
bool console_has(const struct console *c) { return c->count; }

/* Reads on though the guest has not taken what is there: behind it may come the key for the monitor, or the one that ends
 * cede. */
void console_glance(struct console *c)
{
	if (!c->mux || c->steady)
		return;
	c->glances = true;
	if (!wanted(c) || !read_some(c))
		watch_full(c);
	c->glances = false;
}

/* Whether it is read while the guest is held: what others sent would be the guest's earlier than by the cycle. */
static bool read_while_held(const struct console *c)
{
	return c->commands || reads_ahead(c);
}

void console_poll_held(struct console *c)
{
	begin_poll(c);
	if (read_while_held(c))
		read_all(c);
}

size_t console_read(struct console *c, void *buf, size_t len)
{
	struct console *source = c->host ? c->host : c;
	uint8_t *p = buf;
	size_t n = 0;

	while (n < len && c->count) {
		p[n++] = c->input[c->head];
		c->head = (c->head + 1) % INPUT_SIZE;
		c->count--;
	}
	if (n)
		source->timing = source->full = false;
	if (n && reads_ahead(source))
		refill(c);
	return n;
}

static unsigned pollfds(const struct console *c, struct pollfd *fds, bool input)
{
	unsigned n = 0;

	if (c->in >= 0 && wanted(c) && input)
		fds[n++] = (struct pollfd){ .fd = c->in, .events = POLLIN };
	else if (c->in < 0 && c->listener >= 0)
		fds[n++] = (struct pollfd){ .fd = c->listener, .events = POLLIN };
	if (c->timing)
		fds[n++] = (struct pollfd){ .fd = c->timer, .events = POLLIN };
	if (c->pending.len && c->out >= 0)
		fds[n++] = (struct pollfd){ .fd = c->out, .events = POLLOUT };
	return n;
}

unsigned console_pollfds(const struct console *c, struct pollfd *fds)
{
	return pollfds(c, fds, !c->steady);
}

unsigned console_pollfds_held(const struct console *c, struct pollfd *fds)
{
	return pollfds(c, fds, !c->steady && read_while_held(c));
}

/* ---- Snapshots: what has been read and the guest has not taken ---- */

static bool console_needed(const void *s)
{
	const struct console *c = s;

	return c->count || c->escaped;
}

static bool console_check(const void *s, struct vms_walk *w)
{
	const struct console *c = s;

	return c->head < INPUT_SIZE || vms_wrong(w, "head", c->head, "less than %d", INPUT_SIZE);
}

#define HOST "the host's side"
#define AHEAD "the guest has not got it yet"

const struct vmstate console_state = {
	.name = "cede/console", .version = 1, .min_version = 1, VMS_OF(struct console), .needed = console_needed,
	.check = console_check,
	.fields = VMS_FIELDS(
		VMS_BOOL(struct console, escaped, VMS_UNHASHED(AHEAD)),
		VMS_U32(struct console, head, VMS_UNHASHED(AHEAD)),
		VMS_U32(struct console, count, VMS_MOST(INPUT_SIZE), VMS_UNHASHED(AHEAD)),
		VMS_BUFFER(struct console, input, VMS_UNHASHED(AHEAD)),
		VMS_SKIP(struct console, term, HOST), VMS_SKIP(struct console, kind, HOST), VMS_SKIP(struct console, in, HOST),
		VMS_SKIP(struct console, out, HOST), VMS_SKIP(struct console, listener, HOST), VMS_SKIP(struct console, slave, HOST),
		VMS_SKIP(struct console, mux, HOST), VMS_SKIP(struct console, tty, HOST), VMS_SKIP(struct console, stuck, HOST),
		VMS_SKIP(struct console, unblocked, HOST), VMS_SKIP(struct console, commands, HOST), VMS_SKIP(struct console, timer, HOST),
		VMS_SKIP(struct console, steady, HOST), VMS_SKIP(struct console, timing, HOST), VMS_SKIP(struct console, full, HOST),
		VMS_SKIP(struct console, glances, HOST), VMS_SKIP(struct console, name, HOST), VMS_SKIP(struct console, pending, HOST),
		VMS_SKIP(struct console, pending_ns, HOST), VMS_SKIP(struct console, ahead, "as if it had not been read"),
		VMS_SKIP(struct console, hasty, HOST), VMS_SKIP(struct console, to_aside, HOST), VMS_SKIP(struct console, client, HOST),
		VMS_SKIP(struct console, aside, HOST), VMS_SKIP(struct console, host, HOST)),
};
