/* Host-side character streams: what goes through one, the escape key, and a buffer for what the guest has not taken yet. What
 * is at the other end is console_open.c's, terminal settings and signals are term.c's. */
#define _GNU_SOURCE
#include "machine/host/console_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "machine/host/term.h"
#include "machine/host/time.h"
#include "savevm/vmstate.h"

#define AHEAD_MOST (1u << 20)		/* bytes: a very large paste */
#define AHEAD_WAIT_MS 300		/* a terminal's keys must not wait longer behind it */
#define PENDING_MOST (16u << 20)	/* bytes: more than a guest writes in a quantum */
#define ANSWERS_MOST (1u << 20)		/* bytes of a monitor's */
#define PTY_PATIENCE_MS 1000		/* how long a full pty may hold the guest up, once */
#define READ_MOST 4096			/* bytes at a time */
#define DATAGRAM_MOST 65536		/* bytes */

/* ---- Opening and closing ---- */

static struct console *make(struct term *term, const struct chardev *of, struct error *err)
{
	struct console *c = calloc(1, sizeof *c);

	if (!c) {
		error_set(err, "out of memory");
		return NULL;
	}
	c->term = term;
	c->of = of;
	c->in = c->out = c->listener = c->slave = c->timer = c->retry = c->on_its_way = c->log = -1;
	return c;
}

/* One more on a stream that is open. */
static struct console *make_aside(struct console *host, struct error *err)
{
	struct console *aside;

	if (!host->of->mux || host->asides == CONSOLE_ASIDES) {
		error_usage(err, host->of->mux ? "chardev '%.60s' has four users, which are the most" : "chardev '%.60s' is in use (mux=on allows several)",
			    host->of->id);
		return NULL;
	}
	aside = make(host->term, host->of, err);
	if (!aside)
		return NULL;
	aside->host = host;
	host->aside[host->asides++] = aside;
	return aside;
}

struct console *console_of(struct console *first, const struct chardev *of)
{
	while (first && first->of != of)
		first = first->next;
	return first;
}

struct console *console_open_behind(struct console **all, struct term *term, const struct chardev *of, struct error *err)
{
	struct console *c = console_of(*all, of);

	if (c)
		return make_aside(c, err);
	c = make(term, of, err);
	if (!c)
		return NULL;
	c->all = all;
	c->next = *all;
	*all = c;
	if (console_begin(c, err))
		return c;
	console_close(c);
	return NULL;
}

struct console *console_open(struct console **all, struct term *term, const struct chardev *of, struct error *err)
{
	struct console *c = console_open_behind(all, term, of, err);

	if (c && c->host)
		c->host->focus = c->host->asides;
	return c;
}

static bool is_socket(const struct console *c) { return c->of->kind == CHARDEV_SOCKET; }

static void close_output(struct console *c)
{
	queue_clear(&c->pending);
	/* A copy of this process that writes a snapshot may hold it too. */
	if (c->out >= 0 && is_socket(c))
		shutdown(c->out, SHUT_RDWR);
	if (c->out >= 0 && c->out != STDOUT_FILENO)
		close(c->out);
	c->out = -1;
}

static void close_client(struct console *c)
{
	if (c->in >= 0 && c->of->kind == CHARDEV_PIPE && c->in != c->out)
		close(c->in);
	if (c->of->kind != CHARDEV_STDIO)
		close_output(c);
	c->in = -1;		/* the same descriptor, or standard input */
	console_gone(c);
}

bool console_echoes(const struct console *c) { return c->host ? c->host->tty : c->tty; }
void console_for_commands(struct console *c) { c->commands = true, c->hasty = !c->host && is_socket(c); }
bool console_connected(const struct console *c) { return !is_socket(c) || (c->host ? c->host : c)->in >= 0; }
uint32_t console_client(const struct console *c) { return c->client; }

/* ---- Output ---- */

/* If the disk is full, the guest goes on and its output is lost. If the terminal or the pipe is gone, cede ends: no user
 * could end it any more. */
static void give_up(struct console *c, int error)
{
	if (c->of->kind == CHARDEV_FILE) {
		term_say(c->term, "a -serial file takes no more: %s", strerror(error));
	} else if (c->of->kind == CHARDEV_STDIO) {
		term_say(c->term, "standard output takes no more: %s", strerror(error));
		if (error != ENOSPC)
			term_lost(c->term);
	}
	close_output(c);
}

static void failed(struct console *c, int error)
{
	if (is_socket(c))
		close_client(c);
	else if (c->of->kind == CHARDEV_PTY)
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
		if (c->of->kind == CHARDEV_STDIO)
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
	} else if (c->of->kind == CHARDEV_PTY && host_ns() - c->pending_ns > PTY_PATIENCE_MS * UINT64_C(1000000)) {
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

/* What cannot be sent is lost, as anybody's datagrams may be. */
static void put_datagrams(const struct console *c, const uint8_t *p, size_t len)
{
	while (len) {
		size_t n = len < READ_MOST ? len : READ_MOST;

		(void)!send(c->out, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		p += n;
		len -= n;
	}
}

void console_put(struct console *c, const uint8_t *p, size_t len)
{
	size_t n;

	if (c->out < 0)
		return;
	if (c->of->kind == CHARDEV_UDP) {
		put_datagrams(c, p, len);
		return;
	}
	n = c->pending.len ? 0 : push(c, p, len);
	c->stuck &= n == 0;
	if (n < len && c->out >= 0 && !c->stuck)
		keep_pending(c, p + n, len - n);
}

/* A byte that telnet takes for a command is sent twice. */
static void put_telnet(struct console *c, const uint8_t *p, size_t len)
{
	const uint8_t *iac;

	while ((iac = memchr(p, TELNET_IAC, len))) {
		size_t n = (size_t)(iac - p) + 1;

		console_put(c, p, n);
		console_put(c, iac, 1);
		p += n;
		len -= n;
	}
	console_put(c, p, len);
}

static void put_ring(struct console *c, const uint8_t *p, size_t len)
{
	uint64_t size = c->of->size;

	for (size_t i = 0; i < len; i++)
		c->ring[c->ring_in++ % size] = p[i];
	if (c->ring_in - c->ring_out > size)
		c->ring_out = c->ring_in - size;
}

/* A log that its disk does not take is given up; nobody waits for it. */
static void put_log(struct console *c, const uint8_t *p, size_t len)
{
	ssize_t n = write(c->log, p, len);

	if (n == (ssize_t)len || (n < 0 && errno == EAGAIN))
		return;
	term_say(c->term, "log '%.100s' of chardev '%s' takes no more: %s", c->of->log, c->of->id, n < 0 ? strerror(errno) : "no room");
	close(c->log);
	c->log = -1;
}

static void put_all(struct console *c, const uint8_t *p, size_t len)
{
	if (c->of->telnet)
		put_telnet(c, p, len);
	else if (c->ring)
		put_ring(c, p, len);
	else
		console_put(c, p, len);
}

static void put_stamp(struct console *c)
{
	uint64_t ms = (host_ns() - c->stamps_ns) / 1000000;
	char text[32];
	int n = snprintf(text, sizeof text, "[%02u:%02u:%02u.%03u] ", (unsigned)(ms / 3600000), (unsigned)(ms / 60000 % 60),
			 (unsigned)(ms / 1000 % 60), (unsigned)(ms % 1000));

	put_all(c, (const uint8_t *)text, (size_t)n);
}

/* Each line begins with the host's time since that was asked for. */
static void put_stamped(struct console *c, const uint8_t *p, size_t len)
{
	while (len) {
		const uint8_t *nl = memchr(p, '\n', len);
		size_t n = nl ? (size_t)(nl - p) + 1 : len;

		if (!c->mid_line)
			put_stamp(c);
		c->mid_line = !nl;
		put_all(c, p, n);
		p += n;
		len -= n;
	}
}

void console_write(struct console *c, const void *buf, size_t len)
{
	if (c->host)
		c = c->host;
	if (c->log >= 0 && len)
		put_log(c, buf, len);
	if (c->stamps)
		put_stamped(c, buf, len);
	else
		put_all(c, buf, len);
}

bool console_is_ring(const struct console *c) { return c->ring; }
size_t console_ring_has(const struct console *c) { return (size_t)(c->ring_in - c->ring_out); }

size_t console_ring_read(struct console *c, void *buf, size_t len)
{
	uint8_t *p = buf;
	size_t n = 0;

	while (n < len && c->ring_out != c->ring_in)
		p[n++] = c->ring[c->ring_out++ % c->of->size];
	return n;
}

bool console_pending(const struct console *c)
{
	if (c->host)
		c = c->host;
	return c->pending.len && !c->hasty;
}

/* Others on a stream that has gone are on none. */
static void let_go(struct console *c)
{
	for (uint32_t i = 0; i < c->asides; i++)
		if (c->aside[i])
			c->aside[i]->host = NULL;
	for (struct console **p = c->all; p && *p; p = &(*p)->next) {
		if (*p != c)
			continue;
		*p = c->next;
		break;
	}
}

static void leave_host(struct console *c)
{
	for (uint32_t i = 0; i < c->host->asides; i++)
		if (c->host->aside[i] == c)
			c->host->aside[i] = NULL;
	c->host->focus = 0;
	c->host = NULL;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void console_close(struct console *c)
{
	if (!c)
		return;
	if (c->host)
		leave_host(c);
	let_go(c);
	flush_output(c);		/* what the host takes without waiting */
	close_client(c);
	close_output(c);
	close_fd(c->slave);
	close_fd(c->listener);
	close_fd(c->timer);
	close_fd(c->retry);
	close_fd(c->on_its_way);
	close_fd(c->log);
	socket_forget(&c->name);
	queue_clear(&c->ahead);
	free(c->ring);
	free(c);
}

/* ---- Input ---- */

/* Whom keys go to: number `i` of those on the stream; NULL: that one has gone. */
static struct console *on_stream(const struct console *c, uint32_t i)
{
	return i ? c->aside[i - 1] : (struct console *)c;
}

static void keep_key(struct console *c, uint8_t byte)
{
	c = on_stream(c, c->focus);
	if (!c->glances && !c->ahead.len && c->count < CONSOLE_INPUT)
		c->input[(c->head + c->count++) % CONSOLE_INPUT] = byte;
	else if (c->ahead.len < AHEAD_MOST)
		(void)!queue_put(&c->ahead, &byte, 1);
}

/* Moves bytes from the queue behind the ring into the ring. */
static void refill(struct console *c)
{
	size_t n = 0;

	while (n < c->ahead.len && c->count < CONSOLE_INPUT)
		c->input[(c->head + c->count++) % CONSOLE_INPUT] = queue_front(&c->ahead)[n++];
	queue_take(&c->ahead, n);
}

static void say_to_user(struct console *c, const char *text)
{
	console_write(c, text, strlen(text));
}

/* Keys go to the next one on the stream. A monitor greets whoever comes. */
static void lead_on(struct console *c)
{
	do
		c->focus = (c->focus + 1) % (c->asides + 1);
	while (!on_stream(c, c->focus));
	if (on_stream(c, c->focus)->commands && c->focus)
		on_stream(c, c->focus)->client++;
	else if (c->asides)
		say_to_user(c, "\r\n");
}

void console_greet_asides(struct console *c)
{
	c->escaped = false;
	if (c->focus && on_stream(c, c->focus))
		on_stream(c, c->focus)->client++;
}

static void say_keys(struct console *c)
{
	char name[16], text[512];

	snprintf(name, sizeof name, c->of->escape < ' ' ? "Ctrl-%c" : "%c", (int)(c->of->escape < ' ' ? c->of->escape + '@' : c->of->escape));
	snprintf(text, sizeof text, "\r\n%s h    this help\r\n%s x    end cede\r\n%s t    lines begin with the time, or no longer\r\n"
		 "%s c    switch between console and monitor\r\n%s %s  send %s\r\n", name, name, name, name, name, name, name);
	say_to_user(c, text);
}

static void escape_key(struct console *c, uint8_t key)
{
	if (key == c->of->escape) {
		keep_key(c, key);
		return;
	}
	switch (key) {
	case 'x':
		say_to_user(c, "\r\ncede: terminated\r\n");
		term_quit(c->term);
		break;
	case 'c':
		lead_on(c);
		break;
	case 't':
		c->stamps = !c->stamps;
		c->stamps_ns = host_ns();
		c->mid_line = false;
		break;
	case 'h':
	case '?':
		say_keys(c);
		break;
	}
}

static void typed(struct console *c, const uint8_t *buf, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (c->of->mux && c->escaped) {
			c->escaped = false;
			escape_key(c, buf[i]);
		} else if (c->of->mux && buf[i] == c->of->escape) {
			c->escaped = true;
		} else {
			keep_key(c, buf[i]);
		}
	}
}

/* Somebody types there, and may end us even if the guest never reads: what it has not taken is read past. */
static bool reads_ahead(const struct console *c)
{
	return c->of->mux && !c->steady && (c->tty || c->of->kind != CHARDEV_STDIO);
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
	size_t most = CONSOLE_INPUT + (reads_ahead(c) ? AHEAD_MOST : 0), n = room(on_stream(c, c->focus), most);

	if (c->full)
		return CONSOLE_INPUT;
	for (uint32_t i = 0; n > 1 && i <= c->asides; i++) {
		const struct console *other = on_stream(c, i);

		if (other && room(other, most) < n)
			n = room(other, most) ? room(other, most) : 1;
	}
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

/* What has come from a client of telnet, without its commands. If it does not read what they are answered, it gets no
 * answers. */
static void typed_telnet(struct console *c, uint8_t *buf, size_t len)
{
	uint8_t answers[READ_MOST + TELNET_ANSWER];
	size_t n;

	typed(c, buf, telnet_take(&c->telnet, buf, len, answers, &n));
	if (n && !c->pending.len)
		console_put(c, answers, n);
}

/* A datagram is taken whole or not at all, and that one cannot be sent is no end. */
static bool read_datagram(struct console *c)
{
	uint8_t buf[DATAGRAM_MOST];
	ssize_t n = recv(c->in, buf, sizeof buf, MSG_DONTWAIT);

	if (n > 0)
		typed(c, buf, (size_t)n);
	return n >= 0;
}

/* One read(); false: there was nothing. */
static bool read_some(struct console *c)
{
	struct pollfd fd = { .fd = c->in, .events = POLLIN };
	uint8_t buf[READ_MOST];
	size_t most = wanted(c);
	ssize_t n;

	if (c->in < 0 || !most || poll(&fd, 1, 0) <= 0)
		return false;
	if (c->of->kind == CHARDEV_UDP)
		return read_datagram(c);
	n = read(c->in, buf, most < sizeof buf ? most : sizeof buf);
	if (n > 0 && c->of->telnet)
		typed_telnet(c, buf, (size_t)n);
	else if (n > 0)
		typed(c, buf, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		close_client(c);	/* end of file, or the terminal is gone */
	return n > 0;
}

static void read_all(struct console *c)
{
	/* One poll reads at most so many bytes: a paste fits, and a sender that never stops cannot keep cede from
	 * its other work. */
	for (size_t looks = 2 * AHEAD_MOST / READ_MOST; looks && read_some(c); looks--)
		;
	watch_full(c);
}

static void begin_poll(struct console *c)
{
	flush_output(c);
	console_listen(c);
}

void console_poll(struct console *c)
{
	begin_poll(c);
	refill(c);
	for (uint32_t i = 0; i < c->asides; i++)
		if (c->aside[i])
			refill(c->aside[i]);
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

bool console_early(const struct console *c) { return c->ahead.len && c->count < CONSOLE_INPUT; }
bool console_has(const struct console *c) { return c->count; }

/* Reads on though the guest has not taken what is there: behind it may come the key for the monitor, or the one that ends
 * cede. */
void console_glance(struct console *c)
{
	if (!c->of->mux || c->steady)
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
		c->head = (c->head + 1) % CONSOLE_INPUT;
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
	else if (c->on_its_way >= 0)
		fds[n++] = (struct pollfd){ .fd = c->on_its_way, .events = POLLOUT };
	else if (c->in < 0 && c->retry >= 0)
		fds[n++] = (struct pollfd){ .fd = c->retry, .events = POLLIN };
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

	return c->head < CONSOLE_INPUT || vms_wrong(w, "head", c->head, "less than %d", CONSOLE_INPUT);
}

#define HOST "the host's side"
#define AHEAD "the guest has not got it yet"

const struct vmstate console_state = {
	.name = "cede/console", .version = 1, .min_version = 1, VMS_OF(struct console), .needed = console_needed,
	.check = console_check,
	.fields = VMS_FIELDS(
		VMS_BOOL(struct console, escaped, VMS_UNHASHED(AHEAD)),
		VMS_U32(struct console, head, VMS_UNHASHED(AHEAD)),
		VMS_U32(struct console, count, VMS_MOST(CONSOLE_INPUT), VMS_UNHASHED(AHEAD)),
		VMS_BUFFER(struct console, input, VMS_UNHASHED(AHEAD)),
		VMS_SKIP(struct console, ahead, "as if it had not been read"),
		VMS_SKIP(struct console, term, HOST), VMS_SKIP(struct console, all, HOST), VMS_SKIP(struct console, next, HOST),
		VMS_SKIP(struct console, of, HOST), VMS_SKIP(struct console, in, HOST), VMS_SKIP(struct console, out, HOST),
		VMS_SKIP(struct console, listener, HOST), VMS_SKIP(struct console, slave, HOST),
		VMS_SKIP(struct console, timer, HOST), VMS_SKIP(struct console, retry, HOST),
		VMS_SKIP(struct console, on_its_way, HOST), VMS_SKIP(struct console, log, HOST),
		VMS_SKIP(struct console, tty, HOST), VMS_SKIP(struct console, steady, HOST),
		VMS_SKIP(struct console, commands, HOST), VMS_SKIP(struct console, timing, HOST),
		VMS_SKIP(struct console, full, HOST), VMS_SKIP(struct console, stuck, HOST),
		VMS_SKIP(struct console, unblocked, HOST), VMS_SKIP(struct console, hasty, HOST),
		VMS_SKIP(struct console, glances, HOST), VMS_SKIP(struct console, stamps, HOST),
		VMS_SKIP(struct console, mid_line, HOST), VMS_SKIP(struct console, stamps_ns, HOST),
		VMS_SKIP(struct console, client, HOST), VMS_SKIP(struct console, focus, HOST),
		VMS_SKIP(struct console, asides, HOST), VMS_SKIP(struct console, aside, HOST), VMS_SKIP(struct console, host, HOST),
		VMS_SKIP(struct console, name, HOST), VMS_SKIP(struct console, inet, HOST), VMS_SKIP(struct console, telnet, HOST),
		VMS_SKIP(struct console, pending, HOST), VMS_SKIP(struct console, pending_ns, HOST),
		VMS_SKIP(struct console, ring, HOST), VMS_SKIP(struct console, ring_in, HOST),
		VMS_SKIP(struct console, ring_out, HOST), VMS_SKIP(struct console, pty, HOST)),
};
