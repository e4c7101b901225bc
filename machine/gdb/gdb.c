#define _GNU_SOURCE
#include "machine/gdb/gdb.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/engine/block.h"
#include "cpu/engine/points.h"
#include "cpu/mmu/mmu.h"
#include "machine/core/config.h"
#include "machine/gdb/packet.h"
#include "machine/gdb/target.h"
#include "machine/host/chardev.h"
#include "machine/host/console.h"
#include "machine/monitor/monitor.h"

#define SIGNAL_INT  2u
#define SIGNAL_TRAP 5u
#define ERROR_FORM   "E01"
#define ERROR_MEMORY "E14"
#define DATA_MOST   (GDB_PACKET / 2 - 32)	/* bytes that an answer has room for, as pairs of digits */

struct gdb {
	struct machine *m;
	struct chardev own;		/* gdbserver's; -gdb's is the configuration's */
	struct console *console;
	uint32_t client;		/* the console's at the last look */
	struct gdb_reader reader;
	bool has_byte;			/* `byte` has stopped the machine, and is the next one */
	uint8_t byte;
	bool no_acks;
	bool physical;			/* addresses of memory are guest real ones */
	bool obeys;			/* a packet */
	bool awaited;			/* it has let the machine run, and is to be told when that ends */
	unsigned thread;		/* index of the processor that it looks at */
	char why[80];			/* of the stop to be told: what follows the thread */
	unsigned signal;
	unsigned points;
	struct point point[POINTS_MOST];	/* one less than there may be: `back` */
	/* An interrupt came before a step: the step is made when the thread is back. */
	struct { bool wanted; unsigned thread; uint64_t nip, r1, pid; } back;
	bool passes;			/* somebody else is where that is waited for, and steps on */
	char *description;
};

/* ---- Answers ---- */

static void send_bytes(struct gdb *g, const void *text, size_t len)
{
	char *framed = malloc(GDB_FRAMED(len));

	if (!framed)
		return;
	console_write(g->console, framed, gdb_frame(text, len, framed));
	free(framed);
}

static void send_text(struct gdb *g, const char *text) { send_bytes(g, text, strlen(text)); }

__attribute__((format(printf, 2, 3)))
static void answer(struct gdb *g, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	send_text(g, text);
}

static void answer_bytes(struct gdb *g, const uint8_t *bytes, size_t n)
{
	char *digits = malloc(2 * n + 1);

	if (!digits)
		return;
	gdb_put_bytes(digits, bytes, n);
	send_text(g, digits);
	free(digits);
}

static void ok(struct gdb *g) { send_text(g, "OK"); }
static void wrong(struct gdb *g) { send_text(g, ERROR_FORM); }

/* ---- Threads ---- */

static struct cpu *cpu_at(const struct gdb *g, unsigned i)
{
	return i < g->m->ncpus && !g->m->cpu[i]->absent ? &g->m->cpu[i]->cpu : NULL;
}

static struct cpu *looked_at(const struct gdb *g)
{
	struct cpu *cpu = cpu_at(g, g->thread);

	return cpu ? cpu : &g->m->cpu[0]->cpu;
}

/* What runs, or ran last. */
static unsigned thread_that_runs(const struct machine *m)
{
	if (m->running)
		return m->running->index;
	for (unsigned i = 0; i < m->ncpus; i++)
		if (!m->cpu[i]->absent && m->cpu[i]->cpu.run_state == CPU_RUNNING)
			return i;
	return 0;
}

static bool little(const struct gdb *g) { return looked_at(g)->msr & MSR_LE; }

/* "-1" and "0" stand for any; false: there is no such thread. */
static bool parse_thread(const char **text, struct gdb *g, unsigned *i)
{
	uint64_t number;

	if (!strncmp(*text, "-1", 2) || !strcmp(*text, "0")) {
		*text += **text == '-' ? 2 : 1;
		*i = g->thread;
		return true;
	}
	if (!gdb_number(text, &number) || !number || number > g->m->ncpus)
		return false;
	*i = (unsigned)number - 1;
	return cpu_at(g, *i);
}

static void put_thread(struct gdb *g, const char *args)
{
	unsigned i;

	args++;				/* for which packets: all have the same one */
	if (!parse_thread(&args, g, &i)) {
		wrong(g);
		return;
	}
	g->thread = i;
	ok(g);
}

static void is_alive(struct gdb *g, const char *args)
{
	unsigned i;

	parse_thread(&args, g, &i) ? ok(g) : wrong(g);
}

static void first_threads(struct gdb *g, const char *args)
{
	char text[8 * MACHINE_MAX_CPUS] = "m";
	size_t n = 1;

	(void)args;
	for (unsigned i = 0; i < g->m->ncpus; i++)
		if (cpu_at(g, i))
			n += (size_t)snprintf(text + n, sizeof text - n, "%s%x", n > 1 ? "," : "", i + 1);
	send_text(g, text);
}

static void more_threads(struct gdb *g, const char *args)
{
	(void)args;
	send_text(g, "l");
}

static void this_thread(struct gdb *g, const char *args)
{
	(void)args;
	answer(g, "QC%x", g->thread + 1);
}

static void about_thread(struct gdb *g, const char *args)
{
	char text[160];
	const struct vp_thread *vp;
	unsigned i;

	if (!parse_thread(&args, g, &i)) {
		wrong(g);
		return;
	}
	vp = &g->m->cpu[i]->vp;
	snprintf(text, sizeof text, "CPU %u: %s", i, vp_state_name(vp->state));
	if (vp->physical != PHYSICAL_NONE)
		snprintf(text + strlen(text), sizeof text - strlen(text), ", on physical thread %u", vp->physical);
	if (vp->dispatches)
		snprintf(text + strlen(text), sizeof text - strlen(text), ", %" PRIu64 " dispatches, left by %s", vp->dispatches, vp_reason_name(vp->stopped_by));
	answer_bytes(g, (const uint8_t *)text, strlen(text));
}

/* ---- Registers ---- */

static void get_registers(struct gdb *g, const char *args)
{
	uint8_t all[GDB_REGISTER * 256], *at = all;

	(void)args;
	for (unsigned i = 0; i < gdb_registers() && at + GDB_REGISTER <= all + sizeof all; i++)
		at += gdb_register_get(looked_at(g), i, little(g), at);
	answer_bytes(g, all, (size_t)(at - all));
}

/* Its bytes follow in *args. */
static bool put_one(struct gdb *g, unsigned i, const char **args)
{
	uint8_t bytes[GDB_REGISTER];
	unsigned n = gdb_register_get(looked_at(g), i, little(g), bytes);

	return n && gdb_bytes(args, bytes, n) && gdb_register_put(looked_at(g), i, little(g), bytes);
}

static void put_registers(struct gdb *g, const char *args)
{
	bool all = true;

	for (unsigned i = 0; i < gdb_registers() && all; i++)
		all = put_one(g, i, &args);
	cpu_state_changed(looked_at(g));
	all ? ok(g) : wrong(g);
}

static void get_register(struct gdb *g, const char *args)
{
	uint8_t bytes[GDB_REGISTER];
	uint64_t i;
	unsigned n = gdb_number(&args, &i) && i < gdb_registers() ? gdb_register_get(looked_at(g), (unsigned)i, little(g), bytes) : 0;

	if (n)
		answer_bytes(g, bytes, n);
	else
		wrong(g);
}

static void put_register(struct gdb *g, const char *args)
{
	uint64_t i;
	bool put = gdb_number(&args, &i) && i < gdb_registers() && *args++ == '=' && put_one(g, (unsigned)i, &args);

	cpu_state_changed(looked_at(g));
	put ? ok(g) : wrong(g);
}

/* ---- Memory: RAM alone, for a device would notice ---- */

/* The host's address of a byte, and how many follow it there; NULL: there is none. */
static uint8_t *memory_at(const struct gdb *g, uint64_t ea, uint64_t *gra, size_t *n)
{
	const struct cpu *cpu = looked_at(g);
	struct ram *ram = &g->m->ram;
	struct mmu_look look;
	size_t page = RAM_PAGE_SIZE - (ea & (RAM_PAGE_SIZE - 1));

	*gra = ea;
	if (!g->physical) {
		if (!mmu_of(cpu, false)->look(cpu, ea, false, &look) && !mmu_of(cpu, true)->look(cpu, ea, true, &look))
			return NULL;
		*gra = look.gra;
	}
	*n = *n < page ? *n : page;
	return ram_ok(ram, *gra, *n) ? ram->base + *gra : NULL;
}

/* "ADDRESS,LENGTH"; behind it `end`, 0 for nothing. */
static bool parse_range(const char **args, char end, uint64_t *ea, uint64_t *len)
{
	return gdb_number(args, ea) && *(*args)++ == ',' && gdb_number(args, len) && *(*args)++ == end && *len <= DATA_MOST;
}

static void get_memory(struct gdb *g, const char *args)
{
	uint8_t data[DATA_MOST];
	uint64_t ea, len, gra;
	size_t have = 0;

	if (!parse_range(&args, 0, &ea, &len)) {
		wrong(g);
		return;
	}
	while (have < len) {
		size_t n = (size_t)len - have;
		const uint8_t *at = memory_at(g, ea + have, &gra, &n);

		if (!at)
			break;
		memcpy(data + have, at, n);
		have += n;
	}
	if (have || !len)
		answer_bytes(g, data, have);
	else
		send_text(g, ERROR_MEMORY);
}

static bool write_memory(struct gdb *g, uint64_t ea, const uint8_t *data, size_t len)
{
	uint64_t gra;

	for (size_t done = 0, n; done < len; done += n) {
		n = len - done;
		if (!memory_at(g, ea + done, &gra, &n))
			return false;
		ram_write(&g->m->ram, gra, data + done, n);
		engine_code_written(g->m->engine, gra, n);
	}
	return true;
}

static void put_memory(struct gdb *g, const char *args)
{
	uint8_t data[DATA_MOST];
	uint64_t ea, len;

	if (!parse_range(&args, ':', &ea, &len) || !gdb_bytes(&args, data, (size_t)len))
		wrong(g);
	else if (write_memory(g, ea, data, (size_t)len))
		ok(g);
	else
		send_text(g, ERROR_MEMORY);
}

/* The same, as bytes that are no digits. */
static void put_raw_memory(struct gdb *g, const char *args)
{
	uint64_t ea, len;

	if (!parse_range(&args, ':', &ea, &len) || len > (size_t)((const char *)g->reader.data + g->reader.len - args))
		wrong(g);
	else if (write_memory(g, ea, (const uint8_t *)args, (size_t)len))
		ok(g);
	else
		send_text(g, ERROR_MEMORY);
}

static void say_physical(struct gdb *g, const char *args)
{
	(void)args;
	send_text(g, g->physical ? "1" : "0");
}

static void put_physical(struct gdb *g, const char *args)
{
	g->physical = *args == '1';
	ok(g);
}

/* ---- Points ---- */

static const unsigned kinds[] = { POINT_CODE, POINT_CODE, POINT_STORE, POINT_LOAD, POINT_LOAD | POINT_STORE };

/* "KIND,ADDRESS,BYTES" */
static bool parse_point(const char *args, struct point *p)
{
	uint64_t kind;

	if (!gdb_number(&args, &kind) || kind >= ARRAY_SIZE(kinds) || *args++ != ',' || !gdb_number(&args, &p->ea) || *args++ != ',' ||
	    !gdb_number(&args, &p->bytes) || !p->bytes || p->bytes > RAM_PAGE_SIZE)
		return false;
	p->kind = kinds[kind];
	return p->kind != POINT_CODE || !(p->ea & 3);
}

static unsigned find_point(const struct gdb *g, const struct point *p)
{
	unsigned i = 0;

	while (i < g->points && (g->point[i].ea != p->ea || g->point[i].kind != p->kind || (p->kind != POINT_CODE && g->point[i].bytes != p->bytes)))
		i++;
	return i;
}

static void add_point(struct gdb *g, const char *args)
{
	struct point p;
	bool fits = parse_point(args, &p);
	unsigned i = fits ? find_point(g, &p) : 0;

	if (!fits || i == POINTS_MOST - 1) {
		wrong(g);
		return;
	}
	g->point[i] = p;
	g->points += i == g->points;
	ok(g);
}

static void drop_point(struct gdb *g, const char *args)
{
	struct point p;
	unsigned i;

	if (!parse_point(args, &p)) {
		wrong(g);
		return;
	}
	i = find_point(g, &p);
	if (i < g->points)
		g->point[i] = g->point[--g->points];
	ok(g);
}

/* ---- Stopping, going on ---- */

static void tell_stop(struct gdb *g) { answer(g, "T%02xthread:%x;%s", g->signal, g->thread + 1, g->why); }

static void say_why(struct gdb *g, const char *args)
{
	(void)args;
	tell_stop(g);
}

static bool set_points(struct gdb *g)
{
	unsigned n = g->points;

	if (g->back.wanted)
		g->point[n++] = (struct point){ .ea = g->back.nip, .bytes = 4, .kind = POINT_CODE };
	return points_set(g->m->engine, g->point, n);
}

static void forget_steps(struct machine *m)
{
	for (unsigned i = 0; i < m->ncpus; i++) {
		m->cpu[i]->cpu.steps = false;
		m->cpu[i]->cpu.observed = (struct observed){ 0, 0 };
	}
}

static void go_on(struct gdb *g, struct cpu *steps)
{
	if (steps)
		steps->steps = true;
	g->awaited = true;
	g->signal = SIGNAL_INT;		/* unless it becomes known why */
	*g->why = 0;
	machine_resume(g->m);
}

/* An address to go on at may follow. */
static bool jump(struct gdb *g, const char *args)
{
	uint64_t nip;

	if (!*args)
		return true;
	if (!gdb_number(&args, &nip))
		return false;
	looked_at(g)->nip = nip & ~UINT64_C(3);
	cpu_state_changed(looked_at(g));
	return true;
}

static void run_on(struct gdb *g, const char *args)
{
	if (jump(g, args))
		go_on(g, NULL);
	else
		wrong(g);
}

static void step(struct gdb *g, const char *args)
{
	if (jump(g, args))
		go_on(g, looked_at(g));
	else
		wrong(g);
}

static void say_actions(struct gdb *g, const char *args)
{
	(void)args;
	send_text(g, "vCont;c;C;s;S");
}

/* "ACTION[:THREAD];..": the first action that a thread has counts. One at most steps, and all run on. */
static void act(struct gdb *g, const char *args)
{
	struct cpu *steps = NULL;
	uint64_t signal;
	unsigned i;

	while (*args) {
		char action = *args++;

		if (!strchr("cCsS", action) || (action < 'a' && !gdb_number(&args, &signal))) {
			wrong(g);
			return;
		}
		i = g->thread;
		if (*args == ':' && (args++, !parse_thread(&args, g, &i))) {
			wrong(g);
			return;
		}
		if ((action | 0x20) == 's' && !steps)
			steps = cpu_at(g, i);
		if (*args && *args++ != ';') {
			wrong(g);
			return;
		}
	}
	go_on(g, steps);
}

static void forget_client(struct gdb *g)
{
	g->points = 0;
	g->back.wanted = g->passes = false;
	g->awaited = g->physical = g->no_acks = g->has_byte = false;
	points_set(g->m->engine, NULL, 0);
	forget_steps(g->m);
	memset(&g->reader, 0, sizeof g->reader);
}

static void detach(struct gdb *g, const char *args)
{
	(void)args;
	ok(g);
	forget_client(g);
	machine_resume(g->m);
}

static void kill_machine(struct gdb *g, const char *args)
{
	(void)args;
	machine_request(g->m, REQ_QUIT, EXIT_SUCCESS);
}

/* ---- What is asked once ---- */

static void say_supported(struct gdb *g, const char *args)
{
	(void)args;
	answer(g, "PacketSize=%x;qXfer:features:read+;vContSupported+;QStartNoAckMode+", GDB_PACKET);
}

static void end_acks(struct gdb *g, const char *args)
{
	(void)args;
	ok(g);
	g->no_acks = true;
}

static void say_description(struct gdb *g, const char *args)
{
	uint64_t at, len;
	size_t size;
	char *part;

	if (!g->description)
		g->description = gdb_description();
	size = g->description ? strlen(g->description) : 0;
	if (!size || strncmp(args, "target.xml:", 11) || (args += 11, !parse_range(&args, 0, &at, &len)) || at > size) {
		send_text(g, "E00");
		return;
	}
	len = len < size - at ? len : size - at;
	part = malloc(len + 1);
	if (!part)
		return;
	part[0] = at + len == size ? 'l' : 'm';
	memcpy(part + 1, g->description + at, len);
	send_bytes(g, part, len + 1);
	free(part);
}

static void say_attached(struct gdb *g, const char *args)
{
	(void)args;
	send_text(g, "1");
}

/* A monitor's command, by hand; what it says goes to gdb's terminal. */
static void command(struct gdb *g, const char *args)
{
	char line[1024], *text = NULL, *out;
	size_t n = strlen(args) / 2, len = 0;
	FILE *file;

	if (n >= sizeof line || !gdb_bytes(&args, (uint8_t *)line, n) || !(file = open_memstream(&text, &len))) {
		wrong(g);
		return;
	}
	line[n] = 0;
	if (g->m->quantum_end && hmp_waits(line))
		fputs("Error: processors are at different cycles now: stop the machine otherwise than by a point or a step\n", file);
	else
		hmp_run(g->m, line, file);
	fclose(file);
	for (size_t at = 0, part; text && at < len; at += part) {
		part = len - at < DATA_MOST ? len - at : DATA_MOST;
		out = malloc(2 * part + 2);
		if (!out)
			break;
		*out = 'O';
		gdb_put_bytes(out + 1, (const uint8_t *)text + at, part);
		send_text(g, out);
		free(out);
	}
	free(text);
	ok(g);
}

/* ---- Packets: the first row that fits; none: an empty answer, "what is that?" ---- */

static const struct {
	const char *begins;
	void (*run)(struct gdb *g, const char *args);
} packets[] = {
	{ "?", say_why }, { "g", get_registers }, { "G", put_registers }, { "p", get_register }, { "P", put_register },
	{ "m", get_memory }, { "M", put_memory }, { "X", put_raw_memory }, { "Z", add_point }, { "z", drop_point },
	{ "c", run_on }, { "s", step }, { "D", detach }, { "k", kill_machine }, { "H", put_thread }, { "T", is_alive },
	{ "vCont?", say_actions }, { "vCont;", act }, { "vKill", kill_machine },
	{ "qSupported", say_supported }, { "QStartNoAckMode", end_acks }, { "qXfer:features:read:", say_description }, { "qAttached", say_attached },
	{ "qfThreadInfo", first_threads }, { "qsThreadInfo", more_threads }, { "qThreadExtraInfo,", about_thread }, { "qC", this_thread },
	{ "qRcmd,", command }, { "qqemu.PhyMemMode", say_physical }, { "Qqemu.PhyMemMode:", put_physical },
};

static void obey(struct gdb *g)
{
	const char *text = (const char *)g->reader.data;

	for (size_t i = 0; i < ARRAY_SIZE(packets); i++)
		if (!strncmp(text, packets[i].begins, strlen(packets[i].begins))) {
			packets[i].run(g, text + strlen(packets[i].begins));
			return;
		}
	send_text(g, "");
}

/* ---- The stream ---- */

static void look_at_client(struct gdb *g)
{
	if (g->client == console_client(g->console))
		return;
	g->client = console_client(g->console);
	forget_client(g);
	if (!g->client)
		return;
	g->thread = thread_that_runs(g->m);
	g->signal = SIGNAL_TRAP;
	*g->why = 0;
	machine_stop(g->m);
}

void gdb_listen(struct machine *m)
{
	struct gdb *g = m->gdb;

	if (!g)
		return;
	look_at_client(g);
	/* Whatever gdb says while the guest runs, but that it has heard us, it wants it to stop. */
	while (!machine_clock_stands(m) && console_read(g->console, &g->byte, 1)) {
		if (g->byte == '+' || g->byte == '-')
			continue;
		g->has_byte = true;
		g->thread = thread_that_runs(m);
		machine_stop(m);
	}
}

void gdb_take(struct machine *m, uint8_t byte)
{
	struct gdb *g = m->gdb;
	enum gdb_coming coming = gdb_take_byte(&g->reader, byte);

	if (coming != GDB_WHOLE && coming != GDB_DAMAGED)
		return;
	if (!g->no_acks)
		console_write(g->console, coming == GDB_WHOLE ? "+" : "-", 1);
	if (coming != GDB_WHOLE)
		return;
	g->obeys = true;
	obey(g);
	g->obeys = false;
}

void gdb_run(struct machine *m)
{
	struct gdb *g = m->gdb;

	if (!g)
		return;
	gdb_listen(m);
	while (machine_clock_stands(m) && m->request == REQ_NONE && (g->has_byte || console_read(g->console, &g->byte, 1))) {
		g->has_byte = false;
		gdb_take(m, g->byte);
	}
}

void gdb_poll(struct machine *m)
{
	if (m->gdb)
		console_poll(m->gdb->console);
}

bool gdb_ready(const struct machine *m)
{
	return m->gdb && (m->gdb->client != console_client(m->gdb->console) || console_has(m->gdb->console));
}

unsigned gdb_pollfds(const struct machine *m, struct pollfd *fds)
{
	return m->gdb ? console_pollfds(m->gdb->console, fds) : 0;
}

/* A step is the guest's next instruction, whatever interrupts come before it: they run as they would. True: the machine goes on. */
static bool goes_on(struct gdb *g, struct cpu *cpu, const struct observed *at)
{
	const struct point here = { .ea = at->ea, .kind = POINT_CODE };
	bool passes = g->passes;

	g->passes = false;
	if (at->kind == POINT_INTERRUPT && !passes) {
		g->back.wanted = true;
		g->back.thread = cpu->index;
		g->back.nip = at->ea;
		g->back.r1 = cpu->r[1];
		g->back.pid = cpu->pidr;
		return set_points(g);
	}
	if (passes && at->kind & (POINT_STEP | POINT_INTERRUPT))
		return true;
	if (at->kind != POINT_CODE || !g->back.wanted || at->ea != g->back.nip)
		return false;
	if (cpu->index == g->back.thread && cpu->r[1] == g->back.r1 && cpu->pidr == g->back.pid) {
		g->back.wanted = false;
		cpu->steps = true;
		return set_points(g);
	}
	if (find_point(g, &here) < g->points)
		return false;
	g->passes = cpu->steps = true;
	return true;
}

void gdb_observe(struct machine *m, struct cpu *cpu)
{
	static const char *const names[] = { [POINT_STORE] = "watch", [POINT_LOAD] = "rwatch", [POINT_LOAD | POINT_STORE] = "awatch" };
	struct gdb *g = m->gdb;
	struct observed at = cpu->observed;

	forget_steps(m);
	if (!g || !g->client || goes_on(g, cpu, &at))
		return;
	g->back.wanted = false;
	g->thread = cpu->index;
	g->signal = SIGNAL_TRAP;
	if (at.kind < ARRAY_SIZE(names) && names[at.kind])
		snprintf(g->why, sizeof g->why, "%s:%" PRIx64 ";", names[at.kind], at.ea);
	machine_stop(m);
}

/* ---- Its life ---- */

static void hear(struct machine *m, const struct run_event *event)
{
	struct gdb *g = m->gdb;

	if (!g)
		return;
	if (event->kind == RUN_RESUME && !set_points(g))
		machine_log(m, LOG_GUEST_ERROR, "gdb: no memory for its points");
	if (event->kind == RUN_STOP) {
		g->back.wanted = g->passes = false;
		forget_steps(m);
	}
	if (!g->client || !g->awaited)
		return;
	if (event->kind == RUN_SHUTDOWN)
		send_text(g, "W00");
	else if (event->kind == RUN_STOP)
		tell_stop(g);
	g->awaited &= event->kind != RUN_STOP && event->kind != RUN_SHUTDOWN;
}

static void close_gdb(struct machine *m)
{
	struct gdb *g = m->gdb;

	if (!g)
		return;
	forget_client(g);
	console_close(g->console);
	free(g->description);
	free(g);
	m->gdb = NULL;
}

static const struct machine_listener listener = { .event = hear, .free = close_gdb };

/* `chardev` NULL: that of struct gdb, as `where` says. */
static bool open_gdb(struct machine *m, const struct chardev *chardev, const char *where, struct error *err)
{
	struct gdb *g = calloc(1, sizeof *g);

	if (!g) {
		error_set(err, "out of memory");
		return false;
	}
	if (chardev || gdb_parse(where, &g->own, err))
		g->console = console_open(&m->consoles, m->term, chardev ? chardev : &g->own, err);
	if (!g->console) {
		free(g);
		return false;
	}
	console_for_commands(g->console);
	g->m = m;
	m->gdb = g;
	return true;
}

bool gdb_parse(const char *where, struct chardev *chardev, struct error *err)
{
	bool is_socket = !strncmp(where, "tcp:", 4) || !strncmp(where, "unix:", 5);
	char full[512];

	if ((size_t)snprintf(full, sizeof full, "%s%s", where, is_socket && !strstr(where, "server") ? ",server=on,wait=off" : "") >= sizeof full) {
		error_usage(err, "-gdb: too long");
		return false;
	}
	if (!chardev_parse_short(full, chardev, err))
		return false;
	strcpy(chardev->id, "gdb0");
	return true;
}

/* The monitor's gdbserver. */
static bool serve(struct machine *m, const char *where, struct error *err)
{
	if (m->gdb && m->gdb->obeys) {
		error_set(err, "this gdb asks for it: it would cut its own stream");
		return false;
	}
	close_gdb(m);
	return !strcmp(where, "none") || open_gdb(m, NULL, *where ? where : "tcp::1234", err);
}

bool gdb_new(struct machine *m, struct error *err)
{
	machine_listen(m, &listener);
	return !m->config->gdb || open_gdb(m, m->config->gdb, NULL, err);
}

void gdb_offer(struct machine *m) { m->monitors->gdbserver = serve; }
