/* What -chardev and its short forms mean. */
#include <string.h>

#include "check.h"
#include "cpu/core/bits.h"
#include "machine/host/chardev.h"
#include "machine/host/socket.h"

/* ---- What is said ---- */

/* In one line, as far as it is no default. */
static const char *summary(const struct chardev *c)
{
	static char text[2 * CHARDEV_PATH_MAX];
	size_t n = 0;

#define SAY(...) (n += (size_t)snprintf(text + n, sizeof text - n, __VA_ARGS__))
	SAY("%u", c->kind);
	SAY("%s%s", *c->path ? " path " : "", c->path);
	if (*c->port || *c->host)
		SAY(" to %s;%s", c->host, c->port);
	if (*c->local_port || *c->local_host)
		SAY(" from %s;%s", c->local_host, c->local_port);
	if (*c->log)
		SAY(" log %s%s", c->log, c->log_append ? "+" : "");
	SAY("%s%s%s%s", c->mux ? " mux" : "", c->server ? " server" : "", c->server && !c->wait ? " nowait" : "", c->telnet ? " telnet" : "");
	SAY("%s%s%s", c->append ? " append" : "", c->kind == CHARDEV_STDIO && !c->signals ? " nosignal" : "", c->nodelay || !c->delay ? " nodelay" : "");
	if (c->reconnect_s || c->last_port)
		SAY(" again %u last %u", c->reconnect_s, c->last_port);
	if (c->kind == CHARDEV_RINGBUF)
		SAY(" size %llu", (unsigned long long)c->size);
	SAY("%s%s", c->ipv4 ? "" : " no4", c->ipv6 ? "" : " no6");
#undef SAY
	return text;
}

struct row {
	const char *text, *means;	/* beginning with "!": a part of why it is refused */
};

static const struct row long_rows[] = {
	{ "null,id=a", "0" }, { "stdio,id=a", "1" }, { "stdio,mux=on,id=a", "1 mux" }, { "stdio,mux=on,signal=off,id=a", "1 mux nosignal" },
	{ "pty,id=a", "2" }, { "file,path=x,,y,id=a", "3 path x,y" }, { "file,id=a,path=x,append=on", "3 path x append" },
	{ "file,id=a,path=x,logfile=l", "3 path x log l" }, { "null,id=a,logfile=l,logappend=yes", "0 log l+" }, { "pipe,id=a,path=p", "4 path p" },
	{ "socket,id=a,path=p,server=on,wait=off", "5 path p server nowait" }, { "socket,id=a,path=p,server,nowait", "5 path p server nowait" },
	{ "socket,id=a,path=p", "5 path p" }, { "socket,id=a,path=p,reconnect=3", "5 path p again 3 last 0" },
	{ "socket,id=a,host=h,port=1,server=on,to=9", "5 to h;1 server again 0 last 9" }, { "socket,id=a,port=1,nodelay", "5 to ;1 nodelay" },
	{ "socket,id=a,port=1,delay=off", "5 to ;1 nodelay" }, { "socket,id=a,port=1,ipv4=off", "5 to ;1 no4" },
	{ "socket,id=a,port=1,host=::1,telnet=on,server=on", "5 to ::1;1 server telnet" },
	{ "udp,id=a,port=1", "6 to ;1" }, { "udp,id=a,host=h,port=1,localaddr=l,localport=2", "6 to h;1 from l;2" },
	{ "ringbuf,id=a", "7 size 65536" }, { "ringbuf,id=a,size=4K", "7 size 4096" }, { "memory,id=a,size=1", "7 size 1" }, { "ringbuf,id=a,size=1g", "7 size 1073741824" },
	/* What does not go. */
	{ "", "!there is no backend ''" }, { "frob,id=a", "!'frob'" }, { "null", "!id=" }, { "null,id=a,path=x", "!'path'" }, { "pty,id=", "!id=" },
	{ "socket,id=a", "!path=" }, { "socket,id=a,path=p,port=1", "!either" }, { "socket,id=a,host=h", "!port=" },
	{ "socket,id=a,path=p,server=maybe", "!maybe" }, { "socket,id=a,path=p,wait=on", "!'wait' option is incompatible" },
	{ "socket,id=a,path=p,server=on,reconnect=1", "!'reconnect' option is incompatible" }, { "socket,id=a,port=1,to=2", "!'to'" },
	{ "socket,id=a,path=p,nodelay=on", "!nodelay" }, { "socket,id=a,port=1,ipv4=off,ipv6=off", "!no address" },
	{ "socket,id=a,port=1,reconnect=-1", "!reconnect=-1" }, { "socket,id=a,port=1,reconnect=86401", "!86401" }, { "udp,id=a", "!port=" },
	{ "file,id=a", "!path=" }, { "file,id=a,path=", "!path=" }, { "null,id=a,logappend=on", "!logfile" }, { "ringbuf,id=a,size=3", "!power" },
	{ "ringbuf,id=a,size=0", "!power" }, { "ringbuf,id=a,size=2G", "!power" }, { "ringbuf,id=a,size=4096G", "!power" }, { "ringbuf,id=a,size=1K1", "!size" },
	{ "ringbuf,id=a,size=1 ", "!size" }, { "ringbuf,id=a,size=-1", "!size" }, { "vc,id=a", "!display" }, { "spicevmc,id=a", "!SPICE" },
	{ "tty,id=a,path=/dev/ttyS0", "!serial line" }, { "parport,id=a", "!parallel" }, { "websocket,id=a", "!telnet" },
};

static const struct row short_rows[] = {
	{ "stdio", "1" }, { "mon:stdio", "1 mux nosignal" }, { "pty", "2" }, { "file:a,b", "3 path a,b" }, { "pipe:p", "4 path p" }, { "null", "0" },
	{ "unix:p", "5 path p" }, { "unix:p,,q,server=on", "5 path p,q server" }, { "mon:unix:p,server,nowait", "5 path p mux server nowait" },
	{ "tcp:h:1", "5 to h;1" }, { "tcp::1,server,nowait", "5 to ;1 server nowait" }, { "tcp:[::1]:1,reconnect=2", "5 to ::1;1 again 2 last 0" },
	{ "telnet:h:1,server=on,wait=off", "5 to h;1 server nowait telnet" }, { "mon:telnet::1,server", "5 to ;1 mux server telnet" },
	{ "udp:h:1", "6 to h;1" }, { "udp::1@:2", "6 to ;1 from ;2" }, { "udp:h:1@l:2", "6 to h;1 from l;2" },
	{ "", "!no such character device" }, { "frob", "!'frob'" }, { "stdiox", "!'stdiox'" }, { "mon:", "!'mon:'" }, { "mon:mon:stdio", "!no such" },
	{ "file:", "!path=" }, { "unix:", "!path=" }, { "unix:p,frob=1", "!'frob'" }, { "tcp:1", "!HOST:PORT" }, { "tcp:", "!HOST:PORT" },
	{ "tcp:h:", "!port=" }, { "tcp:[::1:1", "!HOST:PORT" }, { "tcp:[::1]", "!HOST:PORT" }, { "tcp:[::1]x:1", "!HOST:PORT" }, { "udp:h", "!HOST:PORT" }, { "udp:@:1", "!HOST:PORT" },
	{ "udp:h:1@2", "!HOST:PORT" }, { "vc", "!display" }, { "vc:80Cx24C", "!display" }, { "/dev/ttyS0", "!serial line" }, { "/dev/parport0", "!parallel" },
	{ "COM1", "!serial line" }, { "msmouse", "!pointer" }, { "websocket:h:1", "!telnet" },
};

static void test_rows(const char *what, const struct row *rows, size_t n, bool (*parse)(const char *text, struct chardev *c, struct error *err))
{
	struct chardev c;

	for (size_t i = 0; i < n; i++) {
		struct error err = { .msg = "" };
		bool ok = parse(rows[i].text, &c, &err), good = *rows[i].means != '!';

		check(ok == good && (good ? !strcmp(summary(&c), rows[i].means) : strstr(err.msg, rows[i].means + 1) != NULL), "%s %s: %s", what, rows[i].text,
		      ok ? summary(&c) : err.msg);
	}
}

static void test_long_texts(void)
{
	static char text[8192];
	struct chardev c;
	struct error err;

	memset(text, 'x', sizeof text - 1);
	memcpy(text, "file:", 5);
	check(!chardev_parse_short(text, &c, &err), "a path of 8 KiB is refused: %s", err.msg);
	text[5 + CHARDEV_PATH_MAX] = 0;
	check(!chardev_parse_short(text, &c, &err), "so is one that is a byte too long: %s", err.msg);
	text[5 + CHARDEV_PATH_MAX - 1] = 0;
	check(chardev_parse_short(text, &c, &err) && strlen(c.path) == CHARDEV_PATH_MAX - 1, "and the longest is not");
	memcpy(text, "unix:", 5);
	check(!chardev_parse_short(text, &c, &err) && strstr(err.msg, "too long for a socket"), "but no name of a socket: %s", err.msg);
	text[5 + SOCKET_PATH_MAX] = 0;
	check(!chardev_parse_short(text, &c, &err), "nor with a byte too many: %s", err.msg);
	text[5 + SOCKET_PATH_MAX - 1] = 0;
	check(chardev_parse_short(text, &c, &err), "the longest one is: %s", err.msg);
	text[5 + SOCKET_PATH_MAX - 1] = 'x';
	memcpy(text, "tcp:h:", 6);
	check(!chardev_parse_short(text, &c, &err), "nor is that a port: %s", err.msg);
}

int main(void)
{
	test_rows("-chardev", long_rows, ARRAY_SIZE(long_rows), chardev_parse);
	test_rows("-serial", short_rows, ARRAY_SIZE(short_rows), chardev_parse_short);
	test_long_texts();
	return check_done();
}
