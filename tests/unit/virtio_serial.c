/* virtio-serial-pci: what a driver hears of ports, bytes both ways, what is refused, options. */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "check.h"
#include "machine/core/clock.h"
#include "machine/core/timers.h"
#include "machine/host/chardev.h"
#include "machine/host/console.h"
#include "savevm/stream.h"
#include "virtio_driver.h"

#define RINGS     UINT64_C(0x1000000)	/* of each queue, 0x8000 bytes */
#define BUFFER    UINT64_C(0x2000000)
#define V1        (UINT64_C(1) << VIRTIO_F_VERSION_1)
#define MULTIPORT 2u
#define QUEUES    6
#define SLOT      64u			/* bytes of a buffer for control */

extern const struct device_class virtio_serial_class, virtconsole_class, virtserialport_class;

static struct rig rig;
static struct virtio_device *v;
static struct ring r[QUEUES];
static char path[] = "/tmp/cede-unit-serial-XXXXXX";

static struct device *port_new(const struct device_class *class, const char *values, const char *wrong)
{
	struct error err = { .msg = "" };
	struct device *dev = device_new(rig.m, class, values, &err);

	check((dev == NULL) == (wrong != NULL) && (!wrong || strstr(err.msg, wrong)), "%s: %s", values, err.msg);
	return dev;
}

static void pass(uint64_t cycles)
{
	uint64_t end = rig.m->clock.now + cycles;

	while (clock_next_event(rig.m) <= end) {
		rig.m->clock.now = clock_next_event(rig.m);
		clock_fire_due(rig.m);
	}
	rig.m->clock.now = end;
}

/* All queues; sixteen buffers for control. */
static void begin(uint64_t features)
{
	modern_begin(v, features);
	for (unsigned i = 0; i < QUEUES; i++)
		r[i] = ring_new(v, i, RINGS + 0x8000 * i);
	modern_ready(v);
	for (unsigned i = 0; i < 16; i++) {
		put_desc(&r[2], i, BUFFER + SLOT * i, SLOT, D_WRITE, 0);
		offer(&r[2], i);
	}
}

static void say_raw(uint32_t id, unsigned event, unsigned value, uint32_t bytes)
{
	ring_put(&r[3], BUFFER + 0x1000, id, 4);
	ring_put(&r[3], BUFFER + 0x1004, event, 2);
	ring_put(&r[3], BUFFER + 0x1006, value, 2);
	put_desc(&r[3], 0, BUFFER + 0x1000, bytes, 0, 0);
	offer(&r[3], 0);
	kick(&r[3]);
}

static void say(uint32_t id, unsigned event, unsigned value) { say_raw(id, event, value, 8); }

/* The n-th message since begin(), as one number: port, event, value. */
static uint32_t heard(unsigned n)
{
	uint64_t at = BUFFER + SLOT * n;

	if (used_index(&r[2]) <= n)
		return 0xdead;
	return (uint32_t)(ring_get(&r[2], at, 4) << 16 | ring_get(&r[2], at + 4, 2) << 8 | ring_get(&r[2], at + 6, 2));
}

static void test_ports(void)
{
	char text[16] = "";

	check_eq(v->queues, 8, "two queues for each of three ports, two for control");
	check_eq(v->host_features & 0xffff, 6, "features");
	check_eq(v->pci.msix.vectors, 2, "vectors");
	begin(V1 | MULTIPORT);
	check_eq(bar_load(v, 4, 0x2004, 4), 3, "ports that there may be");
	say(0, 0, 1);
	check(heard(0) == 0x100 + 1 && heard(1) == 0x10101 && heard(2) == 0xdead, "ready: both ports are there");
	say(0, 3, 1);
	check(heard(2) == 0x401 && heard(3) == 0x601 && heard(4) == 0xdead, "port 0 is a terminal, and open");
	say(1, 3, 1);
	ram_read(&rig.m->ram, BUFFER + SLOT * 4 + 8, text, 9);
	check(heard(4) == 0x10701 && !strcmp(text, "org.cede") && used_bytes(&r[2], 4) == 17, "port 1 has a name: %s", text);
	check_eq(heard(5), 0xdead, "and nobody at its other end");
	say(2, 3, 1);
	say(77, 3, 1);
	say(UINT32_MAX, 6, 1);
	say(0, 99, 1);
	say(0, 3, 0);
	say_raw(0, 0, 1, 7);
	check(heard(5) == 0xdead && !v->broken && used_index(&r[3]) == 9, "what means nothing is taken, and nothing follows");
}

/* The quantum's work is nearly done: what follows a message comes all the same. */
static void test_busy(void)
{
	struct machine *m = rig.m;

	begin(V1 | MULTIPORT);
	m->running = &m->cpu[0]->cpu;
	m->side_by_side = true;
	m->hcall_work = MACHINE_WORK_MOST - 1;
	say(0, 0, 1);
	m->running = NULL;
	m->side_by_side = false;
	m->hcall_work = 0;
	check(heard(0) == 0x101 && heard(1) == 0x10101, "busy: ready: both ports are there");
}

static void put_out(unsigned queue, const char *text, uint32_t bytes)
{
	ram_write(&rig.m->ram, BUFFER + 0x2000, text, strlen(text));
	put_desc(&r[queue], 0, BUFFER + 0x2000, bytes, 0, 0);
	offer(&r[queue], 0);
	kick(&r[queue]);
}

static void test_out(void)
{
	char text[64] = "";
	FILE *f;

	put_out(1, "to the terminal\n", 16);
	check_eq(used_index(&r[1]), 1, "out: it is taken");
	f = fopen(path, "r");
	check(f && fgets(text, sizeof text, f) && !strcmp(text, "to the terminal\n"), "out: %s", text);
	if (f)
		fclose(f);
	put_out(5, "nobody", 6);
	check_eq(used_index(&r[5]), 1, "out: to nobody");
	bar_store(v, 4, 0x2008, 4, 'E');
	f = fopen(path, "r");
	check(f && fseek(f, 16, SEEK_SET) == 0 && fgetc(f) == 'E', "a byte in an emergency");
	if (f)
		fclose(f);
}

/* Much at once is spread over time. */
static void test_large(void)
{
	for (unsigned i = 0; i < 3; i++) {
		put_desc(&r[5], i, BUFFER, 3 << 20, 0, 0);
		offer(&r[5], i);
	}
	kick(&r[5]);
	check_eq(used_index(&r[5]), 3, "large: two of three");
	pass(100000);
	check_eq(used_index(&r[5]), 4, "large: the third comes later");
}

static int connect_to(const char *name)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(at.sun_path, sizeof at.sun_path, "%s", name);
	return fd >= 0 && !connect(fd, (struct sockaddr *)&at, sizeof at) ? fd : -1;
}

static void look(struct device *port)
{
	console_poll(port->class->console(port));
	port->class->receive(port);
}

static void test_in(struct device *port, const char *name)
{
	int fd = connect_to(name);
	char text[8] = "";

	look(port);
	look(port);
	check_eq(heard(5), 0x10601, "in: somebody has come");
	check(fd >= 0 && write(fd, "abcdefgh", 8) == 8, "in: sent");
	put_desc(&r[4], 0, BUFFER + 0x3000, 5, D_WRITE, 0);
	put_desc(&r[4], 1, BUFFER + 0x3100, 64, D_WRITE, 0);
	offer(&r[4], 0);
	look(port);
	check_eq(used_index(&r[4]), 0, "in: not before the guest has opened it");
	say(1, 6, 1);
	check_eq(used_index(&r[4]), 1, "in: then");
	offer(&r[4], 1);
	kick(&r[4]);
	ram_read(&rig.m->ram, BUFFER + 0x3100, text, 3);
	check(used_bytes(&r[4], 0) == 5 && used_bytes(&r[4], 1) == 3 && !strcmp(text, "fgh"), "in: the rest with more room: %s", text);
	close(fd);
	look(port);
	look(port);
	check_eq(heard(6), 0x10600, "in: somebody has gone");
	set_status(v, 0);
	begin(V1 | MULTIPORT);
	check_eq(used_index(&r[4]), 0, "in: a reset closes it");
}

/* A driver that knows one port. */
static void test_single(void)
{
	begin(V1);
	say(0, 0, 1);
	check_eq(heard(0), 0xdead, "one port: nothing is said");
	put_out(1, "x", 1);
	check_eq(used_index(&r[1]), 1, "one port: out");
}

/* ---- Streams of QEMU's ---- */

static int saved_as(const uint8_t *data, size_t n)
{
	int fd = memfd_create("serial", 0);

	if (fd < 0 || write(fd, data, n) != (ssize_t)n)
		exit(EXIT_FAILURE);
	return fd;
}

static size_t save(uint8_t *data, size_t room)
{
	struct error err = { .msg = "" };
	struct stream s;
	struct vms_walk w = { .stream = &s, .section = "test" };
	int fd = memfd_create("serial", 0);
	bool ok = stream_open(&s, fd, true, &err) && vms_save(&w, virtio_serial_class.state, v) && stream_finish(&s);
	ssize_t n = pread(fd, data, room, 0);

	stream_close(&s);
	close(fd);
	return check(ok && n > 0, "saved") ? (size_t)n : 0;
}

static bool load(const uint8_t *data, size_t n, const char **why)
{
	static char text[256];
	struct error err = { .msg = "" };
	struct stream s;
	struct vms_walk w = { .stream = &s, .section = "test" };
	int fd = saved_as(data, n);
	bool ok = lseek(fd, 0, SEEK_SET) == 0 && stream_open(&s, fd, false, &err) && vms_load(&w, virtio_serial_class.state, v, 3);

	snprintf(text, sizeof text, "%s", ok ? "" : s.error.msg);
	*why = text;
	stream_close(&s);
	close(fd);
	return ok;
}

/* Where the ports' numbers stand, behind columns, rows and how many there may be; then how many there are, and each of them:
 * number, two bytes, whether an element follows. */
static const uint8_t ports_begin[] = { 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 2 };

static void test_other_ports(void)
{
	static uint8_t data[65536];
	size_t n = save(data, sizeof data);
	uint8_t *at = memmem(data, n, ports_begin, sizeof ports_begin);
	const char *why = "";

	if (!check(at != NULL, "ports: they are in the stream"))
		return;
	check(load(data, n, &why), "ports: the same: %s", why);
	at[11] = 5;
	check(!load(data, n, &why) && strstr(why, "ports_map"), "ports: other numbers: %s", why);
	at[11] = 3;
	at[15] = 1;
	check(!load(data, n, &why) && strstr(why, "ports"), "ports: fewer: %s", why);
}

static size_t put_number(uint8_t *p, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		p[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
	return bytes;
}

/* A port that QEMU had throttled in the middle of an element, of four bytes and six: five are written. */
static void test_half_written(void)
{
	enum { ELEMENT = 49168, OUT_LENGTHS = 32784 + 8 };
	static uint8_t data[131072], with[262144], *to = with;
	char text[64] = "";
	struct stat before;
	const char *why = "";
	uint8_t *at;
	size_t n;
	FILE *f;

	begin(V1 | MULTIPORT);
	stat(path, &before);
	ram_write(&rig.m->ram, BUFFER + 0x2000, "0123456789", 10);
	put_desc(&r[1], 0, BUFFER + 0x2000, 4, D_NEXT, 1);
	put_desc(&r[1], 1, BUFFER + 0x2004, 6, 0, 0);
	offer(&r[1], 0);
	v->queue[1].last_avail = 1;
	n = save(data, sizeof data);
	at = memmem(data, n, ports_begin, sizeof ports_begin);
	if (!check(at && !at[25], "half-written: the port is in the stream"))
		return;
	at += 26;
	memcpy(with, data, (size_t)(at - data));
	to = with + (at - data);
	to[-1] = 1;
	to += put_number(to, 1, 4);
	to += put_number(to, 1, 8);
	to[OUT_LENGTHS] = 4;
	to[OUT_LENGTHS + 16] = 6;
	to += ELEMENT;
	memcpy(to, at, n - (size_t)(at - data));
	to += n - (size_t)(at - data);
	check(load(with, (size_t)(to - with), &why), "half-written: loaded: %s", why);
	virtio_serial_class.loaded(&v->pci.dev, true);
	f = fopen(path, "r");
	check(f && !fseek(f, before.st_size, SEEK_SET) && fgets(text, sizeof text, f) && !strcmp(text, "56789"), "half-written: the rest: %s", text);
	if (f)
		fclose(f);
	check(used_index(&r[1]) == 1 && !v->queue[1].in_flight, "half-written: and it is used");
	check_eq(save(data, sizeof data), n, "half-written: nothing of it is saved");
	put_number(with + (at - data), 1025, 4);
	check(!load(with, (size_t)(to - with), &why) && strstr(why, "iov_idx"), "half-written: more than there may be: %s", why);
}

int main(void)
{
	struct chardev streams[3] = { { .id = "file" }, { .id = "socket" }, { .id = "null" } };
	char name[64];
	struct device *port;
	struct console *other;

	rig_new(&rig, "1");
	close(mkstemp(path));
	snprintf(name, sizeof name, "%s.s", path);
	streams[0].kind = CHARDEV_FILE;
	snprintf(streams[0].path, sizeof streams[0].path, "%s", path);
	streams[1].kind = CHARDEV_SOCKET;
	streams[1].server = true;
	snprintf(streams[1].path, sizeof streams[1].path, "%s", name);
	for (unsigned i = 0; i < 3; i++)
		rig.options.chardev[i] = &streams[i];
	rig.options.chardevs = 3;
	v = virtio_new(rig.m, &virtio_serial_class, "max_ports=3");
	other = console_open(&rig.m->consoles, rig.m->term, &streams[2], NULL);
	port_new(&virtconsole_class, "chardev=file", NULL);
	port = port_new(&virtserialport_class, "chardev=socket,name=org.cede", NULL);
	port_new(&virtserialport_class, "nr=0", "a port 0 already");
	test_busy();
	test_ports();
	test_out();
	test_large();
	test_in(port, name);
	test_single();
	test_other_ports();
	test_half_written();
	port_new(&virtserialport_class, "chardev=null", "another device");
	console_close(other);
	rig.options.chardevs = 0;
	rig_free(&rig);
	unlink(path);
	unlink(name);
	return check_done();
}
