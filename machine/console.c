/* Host-side character streams: descriptors, the escape key, and a buffer for what the guest
 * has not taken yet. Terminal settings and signals are term.c's. */
#define _GNU_SOURCE
#include "machine/console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "machine/term.h"
#include "savevm/vmstate.h"

#define INPUT_SIZE 4096			/* a large paste; a power of 2 */
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
	bool mux, escaped;
	bool tty;			/* input is a terminal: what does not fit is lost, keys work on */
	bool commands;			/* a monitor's, which takes all that comes: nothing is lost */
	bool stuck;			/* the pty's reader was too slow: drop until there is room */
	bool regular;			/* output never waits */
	bool hasty;			/* a monitor's: a client that does not read is cut off */
	bool to_aside;			/* keys go there */
	uint32_t client;		/* connections so far */
	struct console *aside, *host;	/* the monitor on this one; of such a monitor: the one it is on */
	char *unlink_path;
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
	if (strlen(item) >= sizeof((struct sockaddr_un *)0)->sun_path) {
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

static bool open_stdio(struct console *c, struct error *err)
{
	struct stat st;

	if (!term_claim_stdio(c->term)) {
		error_set(err, "stdio is used by more than one character device");
		return false;
	}
	c->in = STDIN_FILENO;
	c->out = STDOUT_FILENO;
	c->tty = isatty(STDIN_FILENO);
	c->regular = !fstat(STDOUT_FILENO, &st) && S_ISREG(st.st_mode);
	c->client = 1;
	term_raw(c->term, !c->mux);
	return true;
}

static bool open_file(struct console *c, const char *path, struct error *err)
{
	c->out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (c->out < 0) {
		error_set(err, "cannot write '%.100s': %s", path, strerror(errno));
		return false;
	}
	c->regular = true;
	return true;
}

static bool open_pty(struct console *c, struct error *err)
{
	struct termios t;
	char name[128];
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

	c->in = c->out = master;
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
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat st;

	if (fd < 0)
		goto out_errno;
	memcpy(address.sun_path, spec->path, strnlen(spec->path, sizeof address.sun_path - 1));
	if (!spec->server) {
		c->in = c->out = fd;
		if (connect(fd, (struct sockaddr *)&address, sizeof address))
			goto out_errno;
		fcntl(fd, F_SETFL, O_NONBLOCK);
		c->client = 1;
		return true;
	}
	c->listener = fd;
	/* What an earlier run left behind; nothing but a socket is ever removed. */
	if (!lstat(spec->path, &st) && S_ISSOCK(st.st_mode))
		unlink(spec->path);
	if (bind(fd, (struct sockaddr *)&address, sizeof address))
		goto out_errno;
	c->unlink_path = strdup(spec->path);
	if (listen(fd, 1) || fcntl(fd, F_SETFL, O_NONBLOCK))
		goto out_errno;
	if (!spec->wait)
		return true;
	fprintf(stderr, "cede: waiting for connection on unix:%s\n", spec->path);
	return wait_for_client(c, err);
out_errno:
	error_set(err, "cannot use socket '%.100s': %s", spec->path, strerror(errno));
	return false;
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
	c->in = c->out = c->listener = c->slave = -1;
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

static void close_client(struct console *c)
{
	if (c->kind != CONSOLE_STDIO) {
		/* A copy of this process that writes a snapshot may hold it too. */
		if (c->out >= 0 && c->kind == CONSOLE_UNIX)
			shutdown(c->out, SHUT_RDWR);
		if (c->out >= 0)
			close(c->out);
		c->out = -1;
	}
	c->in = -1;		/* the same descriptor, or standard input */
}

bool console_has_escape(const struct console *c) { return c->mux; }
bool console_echoes(const struct console *c) { return c->host ? c->host->tty : c->tty; }
void console_for_commands(struct console *c) { c->commands = true, c->hasty = c->kind == CONSOLE_UNIX; }
uint32_t console_client(const struct console *c) { return c->client; }

struct console *console_aside(struct console *c)
{
	struct console *aside = calloc(1, sizeof *aside);

	if (!aside)
		return NULL;
	*aside = (struct console){ .term = c->term, .kind = CONSOLE_ASIDE, .in = -1, .out = -1, .listener = -1, .slave = -1, .host = c,
				    .commands = true };
	c->aside = aside;
	return aside;
}

void console_close(struct console *c)
{
	if (!c)
		return;
	if (c->host) {
		c->host->aside = NULL;
		c->host->to_aside = false;
	}
	close_client(c);
	if (c->slave >= 0)
		close(c->slave);
	if (c->listener >= 0)
		close(c->listener);
	if (c->unlink_path)
		unlink(c->unlink_path);
	free(c->unlink_path);
	free(c);
}

/* ---- Output ---- */

/* Milliseconds that output may wait, -1 without end. */
static int patience(const struct console *c)
{
	if (c->stuck || c->hasty || term_ending(c->term))
		return 0;
	return c->kind == CONSOLE_PTY ? PTY_PATIENCE_MS : -1;
}

/* Waits until c->out takes more; false: it never will, or the process is to end. */
static bool wait_writable(struct console *c)
{
	struct pollfd fds[2] = {
		{ .fd = c->out, .events = POLLOUT }, { .fd = term_fd(c->term), .events = POLLIN },
	};

	if (c->regular)
		return true;
	do {
		int n = poll(fds, 2, patience(c));

		if (n < 0)
			return errno == EINTR;
		if (n == 0) {
			c->stuck = c->kind == CONSOLE_PTY;
			return false;
		}
		if (fds[0].revents & POLLOUT) {
			c->stuck = false;
			return true;
		}
		if (fds[0].revents)		/* error or hang-up: write() says which */
			return c->kind != CONSOLE_PTY;
	} while (!term_signal(c->term));	/* neither that: look again */
	return false;
}

/* Disk full: the guest goes on unheard. Terminal or pipe gone: it ends, as nobody could end it. */
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
	c->out = -1;
}

void console_write(struct console *c, const void *buf, size_t len)
{
	const uint8_t *p = buf;

	if (c->host) {
		console_write(c->host, buf, len);
		return;
	}
	while (len && c->out >= 0) {
		ssize_t n;

		if (!wait_writable(c)) {
			if (c->hasty && c->kind == CONSOLE_UNIX)
				close_client(c);
			return;
		}
		/* At most PIPE_BUF: a pipe that poll() calls writable takes that much at once. */
		n = write(c->out, p, len < 512 ? len : 512);
		if (n > 0) {
			if (c->kind == CONSOLE_STDIO)
				term_wrote(c->term, p, (size_t)n);
			p += n;
			len -= (size_t)n;
		} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
			if (c->kind == CONSOLE_UNIX)
				close_client(c);
			else if (c->kind != CONSOLE_PTY)
				give_up(c, errno);
			return;
		}
	}
}

/* ---- Input ---- */

static void keep(struct console *c, uint8_t byte)
{
	if (c->to_aside)
		c = c->aside;
	if (c->count < INPUT_SIZE)
		c->input[(c->head + c->count++) % INPUT_SIZE] = byte;
}

static void say(struct console *c, const char *text)
{
	console_write(c, text, strlen(text));
}

static void escape_key(struct console *c, uint8_t key)
{
	switch (key) {
	case ESCAPE:
		keep(c, key);
		break;
	case 'x':
		say(c, "\r\ncede: terminated\r\n");
		term_quit(c->term);
		break;
	case 'c':
		if (!c->aside)
			break;
		c->to_aside = !c->to_aside;
		c->aside->client += c->to_aside;
		if (!c->to_aside)
			say(c, "\r\n");
		break;
	case 'h':
	case '?':
		say(c, "\r\nCtrl-A h    this help\r\n"
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
			keep(c, buf[i]);
		}
	}
}

static size_t room(const struct console *c)
{
	/* Keys of a terminal must work even if the guest never reads; a pipe can wait. */
	return c->tty && !c->commands ? INPUT_SIZE : INPUT_SIZE - c->count;
}

bool console_holds(const struct console *c)
{
	return c->count != 0;
}

/* What can be read without a loss. Among the keys may be that which leads the rest to the other stream: if
 * that has less room, they are taken one by one. */
static size_t wanted(const struct console *c)
{
	const struct console *to = c->to_aside ? c->aside : c, *other = c->to_aside ? c : c->aside;
	size_t n = room(to);

	return n > 1 && other && room(other) < n ? 1 : n;
}

void console_poll(struct console *c)
{
	uint8_t buf[256];
	struct pollfd fd;

	if (c->in < 0 && c->listener >= 0)
		accept_client(c);
	while (c->in >= 0 && wanted(c)) {
		ssize_t n;

		fd = (struct pollfd){ .fd = c->in, .events = POLLIN };
		if (poll(&fd, 1, 0) <= 0)
			return;
		n = read(c->in, buf, wanted(c) < sizeof buf ? wanted(c) : sizeof buf);
		if (n > 0)
			typed(c, buf, (size_t)n);
		else if (n == 0 || (errno != EAGAIN && errno != EINTR))
			close_client(c);	/* end of file, or the terminal is gone */
		else
			return;
	}
}

size_t console_read(struct console *c, void *buf, size_t len)
{
	uint8_t *p = buf;
	size_t n = 0;

	while (n < len && c->count) {
		p[n++] = c->input[c->head];
		c->head = (c->head + 1) % INPUT_SIZE;
		c->count--;
	}
	return n;
}

unsigned console_pollfds(const struct console *c, struct pollfd *fds)
{
	unsigned n = 0;

	if (c->in >= 0 && wanted(c))
		fds[n++] = (struct pollfd){ .fd = c->in, .events = POLLIN };
	else if (c->in < 0 && c->listener >= 0)
		fds[n++] = (struct pollfd){ .fd = c->listener, .events = POLLIN };
	return n;
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

const struct vmstate console_state = {
	.name = "cede/console", .version = 1, .min_version = 1, VMS_OF(struct console), .needed = console_needed,
	.check = console_check,
	.fields = VMS_FIELDS(
		VMS_BOOL(struct console, escaped),
		VMS_U32(struct console, head),
		VMS_U32_TO(struct console, count, INPUT_SIZE),
		VMS_BUFFER(struct console, input),
		VMS_SKIP(struct console, term, HOST), VMS_SKIP(struct console, kind, HOST), VMS_SKIP(struct console, in, HOST),
		VMS_SKIP(struct console, out, HOST), VMS_SKIP(struct console, listener, HOST), VMS_SKIP(struct console, slave, HOST),
		VMS_SKIP(struct console, mux, HOST), VMS_SKIP(struct console, tty, HOST), VMS_SKIP(struct console, stuck, HOST),
		VMS_SKIP(struct console, regular, HOST), VMS_SKIP(struct console, commands, HOST),
		VMS_SKIP(struct console, hasty, HOST), VMS_SKIP(struct console, to_aside, HOST), VMS_SKIP(struct console, client, HOST),
		VMS_SKIP(struct console, aside, HOST), VMS_SKIP(struct console, host, HOST),
		VMS_SKIP(struct console, unlink_path, HOST)),
};
