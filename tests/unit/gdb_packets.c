/* gdb's protocol: packets and what they are cut from, registers by number, and whatever somebody may send.
 * usage: gdb_packets [PACKETS]: so many of the latter alone */
#include "check.h"
#include "cpu/engine/block.h"
#include "cpu/engine/points.h"
#include "machine/gdb/gdb.h"
#include "machine/gdb/packet.h"
#include "machine/gdb/target.h"
#include "machine/host/chardev.h"
#include "rig.h"

static struct rig rig;
static struct chardev nowhere;
static struct gdb_reader reader;

static enum gdb_coming feed(const char *text)
{
	enum gdb_coming coming = GDB_NOTHING;

	while (*text)
		coming = gdb_take_byte(&reader, (uint8_t)*text++);
	return coming;
}

static void test_packets(void)
{
	static char large[2 * GDB_PACKET], framed[GDB_FRAMED(256)];
	uint8_t all[256], digits[3];
	const char *text;
	uint64_t number;
	size_t n;

	check(feed("+$g#67") == GDB_WHOLE && !strcmp((char *)reader.data, "g"), "a packet");
	check(feed("$g#68") == GDB_DAMAGED && feed("$g#6") == GDB_NOTHING && feed("x") == GDB_DAMAGED, "a wrong sum");
	check(feed("\3") == GDB_INTERRUPT && feed("g#67") == GDB_NOTHING, "an interrupt; noise");
	check(feed("$m1,$g#67") == GDB_WHOLE && reader.len == 1, "one that begins anew");
	memset(large, 'm', GDB_PACKET + 1);
	feed("$");
	feed(large);
	check(feed("#00") == GDB_DAMAGED, "too long");
	for (unsigned i = 0; i < 256; i++)
		all[i] = (uint8_t)i;
	n = gdb_frame(all, sizeof all, framed);
	for (size_t i = 0; i + 1 < n; i++)
		gdb_take_byte(&reader, (uint8_t)framed[i]);
	check(gdb_take_byte(&reader, (uint8_t)framed[n - 1]) == GDB_WHOLE && reader.len == 256 && !memcmp(reader.data, all, 256), "all bytes come back");
	text = "ffffffffffffffff,1";
	check(gdb_number(&text, &number) && number == UINT64_MAX && *text == ',', "a number");
	text = "10000000000000000";
	check(!gdb_number(&text, &number), "one too large");
	text = "0a1";
	check(!gdb_bytes(&text, digits, 2), "half a byte");
}

/* Each number's bytes come back in either order, and reach what they are named for. */
static void test_registers(void)
{
	struct cpu *cpu = &rig.m->cpu[0]->cpu;
	unsigned n = gdb_registers(), wrong = 0;
	char *xml = gdb_description();
	uint8_t bytes[GDB_REGISTER], again[GDB_REGISTER];

	for (unsigned i = 0; i < n; i++) {
		unsigned size = gdb_register_get(cpu, i, true, bytes);

		for (unsigned little = 0; little < 2; little++) {
			for (unsigned k = 0; k < size; k++)
				bytes[k] = (uint8_t)(16 * i + k);
			gdb_register_get(cpu, i, little, bytes);
			wrong += !gdb_register_put(cpu, i, little, bytes) || gdb_register_get(cpu, i, little, again) != size || memcmp(bytes, again, size) != 0;
		}
	}
	check(n == 32 + 6 + 33 + 34 + 32 + 15 && !wrong && !gdb_register_get(cpu, n, true, bytes) && !gdb_register_put(cpu, n, true, bytes), "%u registers", n);
	cpu->r[3] = 0x0102030405060708;
	check(gdb_register_get(cpu, 3, true, bytes) == 8 && bytes[0] == 8 && gdb_register_get(cpu, 3, false, bytes) == 8 && bytes[0] == 1, "in the guest's order");
	cpu->vsr[2].q = (u128)7 << 64 | 9;
	check(gdb_register_get(cpu, 38 + 2, true, bytes) == 8 && bytes[0] == 7, "f2 is the first half");
	bytes[0] = 5;
	gdb_register_put(cpu, 38 + 2, true, bytes);
	check(cpu->vsr[2].q == ((u128)5 << 64 | 9), "and leaves the other one");
	check(xml && strstr(xml, "org.gnu.gdb.power.vsx") && strstr(xml, "name=\"vs31h\""), "it is described");
	free(xml);
	cpu_state_changed(cpu);
}

static void send(const char *text, size_t len)
{
	static char framed[GDB_FRAMED(GDB_PACKET)];
	size_t n = gdb_frame(text, len, framed);

	for (size_t i = 0; i < n; i++)
		gdb_take(rig.m, (uint8_t)framed[i]);
	rig.m->request = REQ_NONE;
	machine_stop(rig.m);
}

static void say(const char *text) { send(text, strlen(text)); }

static void test_points(void)
{
	struct engine *e = rig.m->engine;

	say("Z0,1000,4");
	say("Z2,2000,8");
	say("c");
	check(e->points && e->points->n == 2 && rig.m->cpu[0]->cpu.watched_for && points_part(e->points, 0x5000) && !points_part(e->points, 0x5004), "points are there when it runs");
	say("z0,1000,4");
	say("Z0,1001,4");
	say("Z2,2000,8");
	say("c");
	check(e->points && e->points->n == 1 && !points_part(e->points, 0x1000), "one less; none between instructions; none twice");
	say("D");
	check(!e->points && !rig.m->cpu[0]->cpu.watched_for, "none after a detach");
}

static void test_memory(void)
{
	uint8_t bytes[4] = { 0 };

	say("Qqemu.PhyMemMode:1");
	say("M800000,4:01020304");
	ram_read(&rig.m->ram, 0x800000, bytes, 4);
	check(!memcmp(bytes, "\1\2\3\4", 4), "memory is written");
	say("M800000,4:0102030");
	say("M800000,ffffffffffffffff:01");
	say("Mfffffffffffffffe,4:05060708");
	ram_read(&rig.m->ram, 0x800000, bytes, 4);
	check(!memcmp(bytes, "\1\2\3\4", 4), "not by halves");
	send("X800000,3:\0\n#", 13);
	ram_read(&rig.m->ram, 0x800000, bytes, 4);
	check(!memcmp(bytes, "\0\n#\4", 4), "with bytes as they are");
}

/* ---- Whatever comes ---- */

static uint64_t seed = 5;
static unsigned below(unsigned n) { return (unsigned)(check_random(&seed) >> 33) % n; }

static void test_wild(unsigned long packets)
{
	static const char *const begins[] = { "g", "G", "p", "P", "m", "M", "X", "Z", "z", "c", "s", "D", "k", "H", "T", "vCont?", "vCont;", "vKill", "qSupported",
					      "QStartNoAckMode", "qXfer:features:read:target.xml:", "qfThreadInfo", "qThreadExtraInfo,", "qC", "qRcmd,", "Qqemu.PhyMemMode:", "" };
	static const char *const parts[] = { ",", ":", ";", "=", "0", "1", "2", "3", "4", "ff", "-1", "c", "s", "c000000000000000", "800000", "ffffffffffffffff", "3ffc", "4000", "8", "696e666f2063707573" };
	char text[300];

	for (unsigned long i = 0; i < packets; i++) {
		size_t n = (size_t)snprintf(text, sizeof text, "%s", begins[below(sizeof begins / sizeof *begins)]);

		for (unsigned k = below(8); k; k--)
			n += (size_t)snprintf(text + n, sizeof text - n, "%s", parts[below(sizeof parts / sizeof *parts)]);
		for (unsigned k = below(4) ? 0 : below(200); k; k--)
			text[n++] = below(2) ? "0123456789abcdef"[below(16)] : (char)below(256);
		if (!below(20))
			gdb_take(rig.m, (uint8_t)below(256));
		send(text, n);
	}
	check(rig.m->run.stopped, "%lu packets are survived", packets);
}

int main(int argc, char **argv)
{
	unsigned long packets = argc > 1 ? strtoul(argv[1], NULL, 10) : 30000;
	struct error err = { .msg = "" };

	rig_new(&rig, "2");
	rig.m->run.gone = false;
	if (!chardev_parse_short("null", &nowhere, &err))
		return EXIT_FAILURE;
	strcpy(nowhere.id, "gdb0");
	rig.options.gdb = &nowhere;
	if (!gdb_new(rig.m, &err))
		return EXIT_FAILURE;
	machine_stop(rig.m);
	if (argc < 2) {
		test_packets();
		test_registers();
		test_memory();
		test_points();
	}
	test_wild(packets);
	rig_free(&rig);
	return check_done();
}
