/* What -chardev and its short forms say. A backend is a row of backends[], which knows its keys; a key is a row of
 * keys[], which knows its member; a short form is a row of shorts[]. */
#include "machine/host/chardev.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "machine/host/socket.h"

#define TEXT_MAX 4096			/* bytes of an option */
#define RING_DEFAULT (UINT64_C(64) << 10)
#define RING_MOST    (UINT64_C(1) << 30)

/* ---- Keys ---- */

enum key_bit {
	K_ID = 1 << 0, K_MUX = 1 << 1, K_LOG = 1 << 2, K_LOG_APPEND = 1 << 3, K_PATH = 1 << 4, K_APPEND = 1 << 5, K_SIGNAL = 1 << 6,
	K_HOST = 1 << 7, K_PORT = 1 << 8, K_TO = 1 << 9, K_FAMILY = 1 << 10, K_SERVER = 1 << 11, K_WAIT = 1 << 12, K_TELNET = 1 << 13,
	K_DELAY = 1 << 14, K_RECONNECT = 1 << 15, K_LOCAL = 1 << 16, K_SIZE = 1 << 17,
	K_COMMON = K_ID | K_MUX | K_LOG | K_LOG_APPEND,
	K_INET = K_HOST | K_PORT | K_TO | K_FAMILY | K_TELNET | K_DELAY,
};

enum key_type { TEXT, TEXT_OR_NONE, SWITCH, NUMBER, SIZE };

static const struct key {
	const char *name;
	unsigned bit;
	enum key_type type;
	size_t offset, room;		/* of the member; NUMBER: the largest */
} keys[] = {
#define MEMBER(name) offsetof(struct chardev, name), sizeof ((struct chardev *)0)->name
#define TO(name, most) offsetof(struct chardev, name), most
	{ "id", K_ID, TEXT, MEMBER(id) },
	{ "mux", K_MUX, SWITCH, MEMBER(mux) },
	{ "logfile", K_LOG, TEXT, MEMBER(log) },
	{ "logappend", K_LOG_APPEND, SWITCH, MEMBER(log_append) },
	{ "path", K_PATH, TEXT, MEMBER(path) },
	{ "append", K_APPEND, SWITCH, MEMBER(append) },
	{ "signal", K_SIGNAL, SWITCH, MEMBER(signals) },
	{ "host", K_HOST, TEXT_OR_NONE, MEMBER(host) },
	{ "port", K_PORT, TEXT, MEMBER(port) },
	{ "to", K_TO, NUMBER, TO(last_port, 65535) },
	{ "ipv4", K_FAMILY, SWITCH, MEMBER(ipv4) },
	{ "ipv6", K_FAMILY, SWITCH, MEMBER(ipv6) },
	{ "server", K_SERVER, SWITCH, MEMBER(server) },
	{ "wait", K_WAIT, SWITCH, MEMBER(wait) },
	{ "telnet", K_TELNET, SWITCH, MEMBER(telnet) },
	{ "nodelay", K_DELAY, SWITCH, MEMBER(nodelay) },
	{ "delay", K_DELAY, SWITCH, MEMBER(delay) },
	{ "reconnect", K_RECONNECT, NUMBER, TO(reconnect_s, 86400) },
	{ "localaddr", K_LOCAL, TEXT_OR_NONE, MEMBER(local_host) },
	{ "localport", K_LOCAL, TEXT, MEMBER(local_port) },
	{ "size", K_SIZE, SIZE, MEMBER(size) },
#undef MEMBER
#undef TO
};

#define KEYS (sizeof keys / sizeof keys[0])

static bool set_switch(const struct key *key, const char *value, bool *member, struct error *err)
{
	static const char *const words[] = { "off", "on", "no", "yes", "false", "true", "n", "y" };

	for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++)
		if (!strcmp(words[i], value))
			return *member = i & 1, true;
	error_set(err, "%s=%.60s: not on or off", key->name, value);
	return false;
}

static bool set_text(const struct key *key, const char *value, char *member, struct error *err)
{
	if ((!*value && key->type == TEXT) || strlen(value) >= key->room) {
		error_set(err, "%s= wants 1 to %zu bytes", key->name, key->room - 1);
		return false;
	}
	strcpy(member, value);
	return true;
}

static bool set_number(const struct key *key, const char *value, uint32_t *member, struct error *err)
{
	unsigned long n;
	char *end;

	if (*value >= '0' && *value <= '9') {
		n = strtoul(value, &end, 10);
		if (!*end && n <= key->room)
			return *member = (uint32_t)n, true;
	}
	error_set(err, "%s=%.60s: not a number up to %zu", key->name, value, key->room);
	return false;
}

static bool set_size(const struct key *key, const char *value, uint64_t *member, struct error *err)
{
	static const char letters[] = "bkmg";
	const char *letter = letters;
	unsigned long long n;
	char *end;

	if (*value >= '0' && *value <= '9') {
		n = strtoull(value, &end, 10);
		if (*end)
			letter = strchr(letters, *end | 0x20);
		if (letter && n <= RING_MOST && (!*end || !end[1])) {
			*member = n << 10 * (letter - letters);
			return true;
		}
	}
	error_set(err, "%s=%.60s: not a size up to 1G", key->name, value);
	return false;
}

static bool set_member(const struct key *key, struct chardev *c, const char *value, struct error *err)
{
	void *member = (char *)c + key->offset;

	switch (key->type) {
	case SWITCH:
		return set_switch(key, value, member, err);
	case NUMBER:
		return set_number(key, value, member, err);
	case SIZE:
		return set_size(key, value, member, err);
	case TEXT:
	case TEXT_OR_NONE:
		break;
	}
	return set_text(key, value, member, err);
}

/* ---- Backends ---- */

struct backend {
	const char *name, *alias;	/* NULL: none */
	enum chardev_kind kind;
	unsigned keys;			/* that it takes beside K_COMMON */
	const char *usage;
	bool (*fits)(const struct chardev *c, unsigned given, struct error *err);	/* whether what has been said goes together */
	const char *absent;		/* why there is none of it here; NULL: there is */
};

static bool has_nothing(const struct chardev *c, unsigned given, struct error *err)
{
	(void)c, (void)given, (void)err;
	return true;
}

static bool has_path(const struct chardev *c, unsigned given, struct error *err)
{
	(void)given;
	if (!*c->path)
		error_set(err, "path=FILE is missing");
	return *c->path;
}

static bool family_fits(const struct chardev *c, struct error *err)
{
	if (!c->ipv4 && !c->ipv6)
		error_set(err, "ipv4=off,ipv6=off leaves no address");
	return c->ipv4 || c->ipv6;
}

static bool socket_fits(const struct chardev *c, unsigned given, struct error *err)
{
	if (!*c->path == !(given & (K_HOST | K_PORT)))
		error_set(err, "a socket has either path= or host= and port=");
	else if (!*c->path && !*c->port)
		error_set(err, "port= is missing");
	else if (strlen(c->path) >= SOCKET_PATH_MAX)
		error_set(err, "path is too long for a socket: '%.100s'", c->path);
	else if (*c->path && given & (K_TO | K_FAMILY | K_DELAY))
		error_set(err, "to=, ipv4=, ipv6= and nodelay= are of a socket with a port");
	else if (c->server && c->reconnect_s)
		error_set(err, "'reconnect' option is incompatible with socket in server listen mode");
	else if (!c->server && given & (K_WAIT | K_TO))
		error_set(err, "'%s' option is incompatible with socket in client connect mode", given & K_WAIT ? "wait" : "to");
	else
		return family_fits(c, err);
	return false;
}

static bool udp_fits(const struct chardev *c, unsigned given, struct error *err)
{
	(void)given;
	if (!*c->port)
		error_set(err, "port= is missing: that of the other end");
	return *c->port && family_fits(c, err);
}

static bool ring_fits(const struct chardev *c, unsigned given, struct error *err)
{
	(void)given;
	if (c->size && !(c->size & (c->size - 1)) && c->size <= RING_MOST)
		return true;
	error_set(err, "size= must be a power of two, up to 1G");
	return false;
}

static const struct backend backends[] = {
	{ "null", NULL, CHARDEV_NULL, 0, "a stream that nobody looks at", has_nothing, NULL },
	{ "stdio", NULL, CHARDEV_STDIO, K_SIGNAL, "[,signal=off]: standard input and output; signal=off: Ctrl-C is a key like others", has_nothing, NULL },
	{ "pty", NULL, CHARDEV_PTY, 0, "a new pseudo terminal, named on standard error", has_nothing, NULL },
	{ "file", NULL, CHARDEV_FILE, K_PATH | K_APPEND, ",path=FILE[,append=on]: output to a file", has_path, NULL },
	{ "pipe", NULL, CHARDEV_PIPE, K_PATH, ",path=FILE: FIFOs FILE.in and FILE.out, or FILE both ways", has_path, NULL },
	{ "socket", NULL, CHARDEV_SOCKET, K_PATH | K_INET | K_SERVER | K_WAIT | K_RECONNECT,
	  ",path=FILE or ,host=HOST,port=PORT[,server=on[,wait=off][,to=PORT]][,reconnect=SECONDS][,telnet=on][,nodelay=on][,ipv4=off][,ipv6=off]: "
	  "a socket, of a program that listens or our own", socket_fits, NULL },
	{ "udp", NULL, CHARDEV_UDP, K_HOST | K_PORT | K_FAMILY | K_LOCAL, ",host=HOST,port=PORT[,localaddr=HOST][,localport=PORT]: datagrams", udp_fits, NULL },
	{ "ringbuf", "memory", CHARDEV_RINGBUF, K_SIZE, "[,size=BYTES]: what was written last, for the monitor's ringbuf_read (64K)", ring_fits, NULL },
	{ "serial", "tty", CHARDEV_NULL, 0, NULL, NULL, "a serial line of the host's is not there: socat joins one to a socket or a pty" },
	{ "parallel", "parport", CHARDEV_NULL, 0, NULL, NULL, "a pSeries has no parallel port" },
	{ "vc", NULL, CHARDEV_NULL, 0, NULL, NULL, "no terminal is shown on a display" },
	{ "spicevmc", "spiceport", CHARDEV_NULL, 0, NULL, NULL, "there is no SPICE server" },
	{ "msmouse", "wctablet", CHARDEV_NULL, 0, NULL, NULL, "a display's pointer is -device virtio-tablet-pci" },
	{ "braille", NULL, CHARDEV_NULL, 0, NULL, NULL, "there is no braille display" },
	{ "testdev", NULL, CHARDEV_NULL, 0, NULL, NULL, "a device for tests of other boards is not there" },
	{ "websocket", "tn3270", CHARDEV_NULL, 0, NULL, NULL, "of protocols on a socket there is telnet=on" },
};

#define BACKENDS (sizeof backends / sizeof backends[0])

static const struct backend *find_backend(const char *name)
{
	for (size_t i = 0; i < BACKENDS; i++)
		if (!strcmp(backends[i].name, name) || (backends[i].alias && !strcmp(backends[i].alias, name)))
			return &backends[i];
	return NULL;
}

const char *chardev_backend(unsigned i)
{
	return i < BACKENDS && !backends[i].absent ? backends[i].name : NULL;
}

void chardev_help(FILE *out)
{
	for (size_t i = 0; i < BACKENDS && !backends[i].absent; i++)
		fprintf(out, "%s%s%s\n", backends[i].name, strchr("[,", *backends[i].usage) ? "" : ": ", backends[i].usage);
	fputs("each: id=ID[,mux=on][,logfile=FILE[,logappend=on]]\n", out);
}

/* ---- Items ---- */

struct reading {
	const struct backend *backend;
	struct chardev *c;
	unsigned given;			/* enum key_bit */
	struct error *err;
};

static const struct key *find_key(const struct reading *r, const char *name)
{
	for (size_t i = 0; i < KEYS; i++)
		if (keys[i].bit & (K_COMMON | r->backend->keys) && !strcmp(keys[i].name, name))
			return &keys[i];
	return NULL;
}

static bool set_key(struct reading *r, const char *name, const char *value)
{
	const struct key *key = find_key(r, name);

	if (!key) {
		error_set(r->err, "%s does not know '%.60s' (-chardev help)", r->backend->name, name);
		return false;
	}
	r->given |= key->bit;
	return set_member(key, r->c, value, r->err);
}

/* One item: "key=value", or a switch's name alone, with "no" before it if it is off. */
static bool set_item(struct reading *r, char *item)
{
	char *equals = strchr(item, '=');

	if (equals)
		*equals = 0;
	else if (!find_key(r, item) && !strncmp(item, "no", 2) && find_key(r, item + 2))
		return set_key(r, item + 2, "off");
	return set_key(r, item, equals ? equals + 1 : "on");
}

/* Cuts the next item off, a doubled comma being one of the text. */
static char *next_item(char **next)
{
	char *item = *next, *from = item, *to = item;

	while (*from && (*from != ',' || from[1] == ',')) {
		from += *from == ',';
		*to++ = *from++;
	}
	*next = *from ? from + 1 : from;
	*to = 0;
	return item;
}

static bool begin(struct reading *r, const char *name)
{
	memset(r->c, 0, sizeof *r->c);
	r->c->wait = r->c->ipv4 = r->c->ipv6 = r->c->delay = r->c->signals = true;
	r->c->escape = CHARDEV_ESCAPE;
	r->c->size = RING_DEFAULT;
	r->backend = find_backend(name);
	if (!r->backend)
		error_set(r->err, "there is no backend '%.60s' (-chardev help)", name);
	else if (r->backend->absent)
		error_set(r->err, "%s: %s", name, r->backend->absent);
	else
		r->c->kind = r->backend->kind;
	return r->backend && !r->backend->absent;
}

static bool read_items(struct reading *r, char *next)
{
	while (*next)
		if (!set_item(r, next_item(&next)))
			return false;
	if (r->given & K_LOG_APPEND && !*r->c->log) {
		error_set(r->err, "logappend= is of a logfile=");
		return false;
	}
	return r->backend->fits(r->c, r->given, r->err);
}

static bool copy_text(char copy[TEXT_MAX], const char *text, struct error *err)
{
	if (strlen(text) >= TEXT_MAX) {
		error_set(err, "more than %d bytes", TEXT_MAX - 1);
		return false;
	}
	strcpy(copy, text);
	return true;
}

bool chardev_parse(const char *text, struct chardev *c, struct error *err)
{
	struct reading r = { .c = c, .err = err };
	char copy[TEXT_MAX], *next = copy;

	if (!copy_text(copy, text, err) || !begin(&r, next_item(&next)) || !read_items(&r, next))
		return false;
	if (!*c->id)
		error_set(err, "%s wants id=ID", r.backend->name);
	return *c->id;
}

/* ---- Short forms ---- */

struct short_form {
	const char *prefix;
	bool more;			/* something follows it */
	const char *backend;
	bool (*read)(struct reading *r, char *rest);
	const char *usage;
};

static bool read_nothing(struct reading *r, char *rest)
{
	return read_items(r, rest);
}

static bool read_path(struct reading *r, char *rest)
{
	return set_key(r, "path", rest) && read_items(r, rest + strlen(rest));
}

static bool read_unix(struct reading *r, char *rest)
{
	return set_key(r, "path", next_item(&rest)) && read_items(r, rest);
}

/* "HOST:PORT", where a host with colons stands in brackets; one or both may be missing. What follows the port is cut off. */
static bool read_address(struct reading *r, char *text, const char *host, const char *port)
{
	char *end = *text == '[' ? strchr(text, ']') : NULL, *colon = strchr(end ? end : text, ':');

	if (!colon || (*text == '[' && (!end || colon != end + 1))) {
		error_set(r->err, "'%.100s' is not HOST:PORT", text);
		return false;
	}
	*(end ? end : colon) = 0;
	if (!set_key(r, host, text + (end != NULL)))
		return false;
	return !colon[1] || set_key(r, port, colon + 1);
}

static bool read_tcp(struct reading *r, char *rest)
{
	return read_address(r, next_item(&rest), "host", "port") && read_items(r, rest);
}

static bool read_telnet(struct reading *r, char *rest)
{
	r->c->telnet = true;
	return read_tcp(r, rest);
}

static bool read_udp(struct reading *r, char *rest)
{
	char *local = strchr(rest, '@');

	if (local)
		*local++ = 0;
	return read_address(r, rest, "host", "port") && (!local || read_address(r, local, "localaddr", "localport")) &&
	       read_items(r, rest + strlen(rest));
}

static const struct short_form shorts[] = {
	{ "stdio", false, "stdio", read_nothing, "standard input and output" },
	{ "file:", true, "file", read_path, "PATH: output to a file" },
	{ "pipe:", true, "pipe", read_path, "PATH: FIFOs PATH.in and PATH.out, or PATH both ways" },
	{ "pty", false, "pty", read_nothing, "a new pseudo terminal, named on standard error" },
	{ "unix:", true, "socket", read_unix, "PATH[,server=on][,wait=off][,reconnect=SECONDS]: a socket, of a program that listens or our own" },
	{ "tcp:", true, "socket", read_tcp, "[HOST]:PORT[,server=on][,wait=off][,reconnect=SECONDS][,nodelay=on]: the same by TCP; no HOST is this one alone" },
	{ "telnet:", true, "socket", read_telnet, "[HOST]:PORT[,server=on][,wait=off]: that with telnet's protocol" },
	{ "udp:", true, "udp", read_udp, "[HOST]:PORT[@[HOST]:PORT]: datagrams to there, from here" },
	{ "null", false, "null", read_nothing, "a terminal that nobody looks at" },
	/* What QEMU has and cede has not: its backend says why. */
	{ "vc", false, "vc", NULL, NULL }, { "vc:", true, "vc", NULL, NULL }, { "/dev/parport", true, "parallel", NULL, NULL }, { "/dev/", true, "serial", NULL, NULL },
	{ "COM", true, "serial", NULL, NULL }, { "msmouse", false, "msmouse", NULL, NULL }, { "wctablet", false, "wctablet", NULL, NULL }, { "braille", false, "braille", NULL, NULL },
	{ "testdev", false, "testdev", NULL, NULL }, { "websocket:", true, "websocket", NULL, NULL }, { "tn3270:", true, "tn3270", NULL, NULL },
};

#define SHORTS (sizeof shorts / sizeof shorts[0])

void chardev_help_short(FILE *out)
{
	for (size_t i = 0; i < SHORTS && shorts[i].read; i++)
		fprintf(out, "%s%s%s\n", shorts[i].prefix, shorts[i].more ? "" : ": ", shorts[i].usage);
	fputs("mon:DEV: any of them with the escape key, Ctrl-A; Ctrl-A h lists what it does\n"
	      "chardev:ID: what -chardev names so\n"
	      "none: none\n", out);
}

static const struct short_form *find_short(const char *text)
{
	for (size_t i = 0; i < SHORTS; i++) {
		size_t len = strlen(shorts[i].prefix);

		if (!strncmp(text, shorts[i].prefix, len) && (!text[len] || shorts[i].more))
			return &shorts[i];
	}
	return NULL;
}

bool chardev_parse_short(const char *text, struct chardev *c, struct error *err)
{
	struct reading r = { .c = c, .err = err };
	bool mux = !strncmp(text, "mon:", 4);
	const struct short_form *form = find_short(text + (mux ? 4 : 0));
	char copy[TEXT_MAX];

	if (!form) {
		error_set(err, "no such character device: '%.100s' (-serial help lists them)", text);
		return false;
	}
	if (!copy_text(copy, text + (mux ? 4 : 0) + strlen(form->prefix), err) || !begin(&r, form->backend) || !form->read(&r, copy))
		return false;
	/* Behind an escape key all others are the guest's. */
	c->mux = mux;
	c->signals = !mux;
	return true;
}
