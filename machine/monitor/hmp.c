/* Commands typed by hand: one row each. Names, arguments and answers are QEMU's where it has them. */
#include "machine/monitor/monitor.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "machine/core/config.h"
#include "machine/display/display.h"
#include "machine/display/panel.h"
#include "machine/host/chardev.h"
#include "machine/host/console.h"
#include "machine/monitor/block.h"
#include "machine/monitor/control.h"
#include "machine/monitor/net.h"
#include "machine/monitor/plug.h"
#include "machine/monitor/shown.h"
#include "machine/monitor/streams.h"
#include "machine/monitor/typed.h"
#include "machine/profile/profile.h"
#include "machine/snapshot/outgoing.h"
#include "machine/virtio/balloon.h"

struct command {
	const char *name, *arguments, *help;
	bool needs;			/* an argument */
	bool waits;			/* it needs the whole machine: it runs between quanta only */
	void (*run)(struct machine *m, const char *argument, FILE *out);
};

static void print_failure(bool ok, const struct error *err, FILE *out)
{
	if (!ok)
		fprintf(out, "Error: %s\n", err->msg);
}

static void run_savevm(struct machine *m, const char *name, FILE *out)
{
	char made[32];
	struct error err;
	time_t now = time(NULL);
	struct tm tm;

	strftime(made, sizeof made, "vm-%Y%m%d%H%M%S", localtime_r(&now, &tm));
	if (!control_savevm(m, *name ? name : made, &err))
		print_failure(false, &err, out);
	else if (outgoing_progress(m).saving)
		monitor_wait(m);
}

static void run_loadvm(struct machine *m, const char *name, FILE *out)
{
	struct error err;

	print_failure(control_loadvm(m, name, &err), &err, out);
}

static void run_delvm(struct machine *m, const char *name, FILE *out)
{
	struct error err;

	print_failure(control_delvm(m, name, &err), &err, out);
}

static void run_migrate(struct machine *m, const char *uri, FILE *out)
{
	char bare[MONITOR_LINE];
	bool detached = !strncmp(uri, "-d ", 3);
	size_t len;
	struct error err;

	uri += detached ? 3 : 0;
	uri += strspn(uri, " \t");
	len = strlen(uri);
	if (len > 1 && *uri == '"' && uri[len - 1] == '"') {
		uri++;
		len -= 2;
	}
	snprintf(bare, sizeof bare, "%.*s", (int)len, uri);
	if (!outgoing_migrate(m, bare, &err))
		print_failure(false, &err, out);
	else if (!detached && m->monitors->obeyed->qmp)
		fputs("terminal does not allow synchronous migration, continuing detached\n", out);
	else if (!detached)
		monitor_wait(m);
}

static void run_cancel(struct machine *m, const char *argument, FILE *out) { (void)argument; (void)out; outgoing_cancel(m); }
static void run_stop(struct machine *m, const char *argument, FILE *out) { (void)argument; (void)out; control_stop(m); }

static void run_profile(struct machine *m, const char *what, FILE *out)
{
	static const struct {
		const char *name;
		bool (*run)(struct machine *m, struct error *err);
	} rows[] = { { "save", profile_save }, { "start", profile_start }, { "stop", profile_stop } };
	struct error err;

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (strcmp(rows[i].name, what))
			continue;
		print_failure(rows[i].run(m, &err), &err, out);
		return;
	}
	fputs("Error: save, start or stop\n", out);
}

static void run_cont(struct machine *m, const char *argument, FILE *out)
{
	struct error err;

	(void)argument;
	print_failure(control_cont(m, &err), &err, out);
}

/* Of QEMU's capabilities cede has one: "events". */
static void run_capability(struct machine *m, const char *argument, FILE *out)
{
	if (!strcmp(argument, "events on") || !strcmp(argument, "events off"))
		m->monitors->migration_events = !strcmp(argument, "events on");
	else
		fputs("Error: only 'events' can be on or off\n", out);
}

static void run_gdbserver(struct machine *m, const char *where, FILE *out)
{
	struct error err = { .msg = "" };

	if (!m->monitors->gdbserver)
		fputs("Error: nobody debugs here\n", out);
	else if (!m->monitors->gdbserver(m, where, &err))
		fprintf(out, "Error: %s\n", err.msg);
	else if (!strcmp(where, "none"))
		fputs("Disabled gdbserver\n", out);
	else
		fprintf(out, "Waiting for gdb connection on device '%s'\n", *where ? where : "tcp::1234");
}

static void run_quit(struct machine *m, const char *argument, FILE *out)
{
	(void)argument;
	(void)out;
	machine_request(m, REQ_QUIT, 0);
}

static void run_reset(struct machine *m, const char *argument, FILE *out)
{
	struct error err;

	(void)argument;
	print_failure(control_reset(m, &err), &err, out);
}

/* ---- Drives ---- */

static void run_eject(struct machine *m, const char *argument, FILE *out)
{
	struct error err;

	print_failure(block_run_eject(m, argument, &err), &err, out);
}

static void run_change(struct machine *m, const char *argument, FILE *out)
{
	static const char vnc[] = "vnc password";
	const char *password = argument + sizeof vnc - 1;
	struct error err;

	if (!strcmp(argument, vnc))
		fputs("Error: vnc password: the password is missing\n", out);
	else if (!strncmp(argument, vnc, sizeof vnc - 1) && *password == ' ')
		print_failure(display_set_password(m, password + 1, &err), &err, out);
	else
		print_failure(block_run_change(m, argument, &err), &err, out);
}

static void run_resize(struct machine *m, const char *argument, FILE *out)
{
	struct error err;

	print_failure(block_run_resize(m, argument, &err), &err, out);
}

static void run_snapshot(struct machine *m, const char *argument, FILE *out)
{
	struct error err;

	print_failure(block_run_snapshot(m, argument, &err), &err, out);
}

#define RUN_PLUG(name, function) \
	static void name(struct machine *m, const char *argument, FILE *out) \
	{ \
		struct error err; \
\
		print_failure(function(m, argument, &err), &err, out); \
	}
RUN_PLUG(run_device_add, plug_run_add)
RUN_PLUG(run_device_del, plug_run_remove)
RUN_PLUG(run_drive_add, plug_run_drive_add)
RUN_PLUG(run_drive_del, plug_run_drive_delete)
RUN_PLUG(run_netdev_add, plug_run_net_add)
RUN_PLUG(run_netdev_del, plug_run_net_delete)

static void run_link(struct machine *m, const char *argument, FILE *out)
{
	struct error err;

	print_failure(net_run_link(m, argument, &err), &err, out);
}

static void run_screendump(struct machine *m, const char *argument, FILE *out)
{
	struct error err;

	print_failure(shown_run_dump(m, argument, &err), &err, out);
}

static void run_panel(struct machine *m, const char *argument, FILE *out)
{
	struct error err;

	print_failure(shown_run_panel(m, argument, &err), &err, out);
}

static void run_set_password(struct machine *m, const char *argument, FILE *out)
{
	struct error err;

	print_failure(shown_run_password(m, argument, &err), &err, out);
}

static void run_sendkey(struct machine *m, const char *argument, FILE *out)
{
	struct error err;

	print_failure(typed_run_keys(m, argument, &err), &err, out);
}

static void run_balloon(struct machine *m, const char *argument, FILE *out)
{
	struct error err;
	char *end;
	unsigned long long mib = strtoull(argument, &end, 10);

	if (*argument < '0' || *argument > '9' || *end || mib > UINT64_MAX >> 20)
		fprintf(out, "Error: '%.60s': expected a number of MiB\n", argument);
	else
		print_failure(control_balloon(m, mib << 20, &err), &err, out);
}

/* ---- Character devices ---- */

/* As QEMU prints it: what a terminal might obey, and a backslash, is escaped. */
static void print_bytes(const uint8_t *data, size_t len, FILE *out)
{
	for (size_t i = 0; i < len; i++) {
		if (data[i] == '\\')
			fputs("\\\\", out);
		else if ((data[i] < ' ' && data[i] != '\n') || data[i] == 0x7f)
			fprintf(out, "\\u%04X", data[i]);
		else
			fputc(data[i], out);
	}
	fputc('\n', out);
}

/* "DEVICE REST": the ring, and *rest. */
static struct console *ring_named(struct machine *m, const char *argument, const char **rest, struct error *err)
{
	size_t n = strcspn(argument, " \t");
	char id[CHARDEV_ID_MAX];

	*rest = argument + n + strspn(argument + n, " \t");
	if (n >= sizeof id) {
		error_set(err, "Device '%.60s' not found", argument);
		return NULL;
	}
	memcpy(id, argument, n);
	id[n] = 0;
	return streams_ring(m, id, err);
}

static void run_ring_read(struct machine *m, const char *argument, FILE *out)
{
	struct error err;
	const char *rest;
	struct console *ring = ring_named(m, argument, &rest, &err);
	uint8_t *data = NULL;
	size_t len;
	char *end;

	if (ring) {
		uint64_t size = *rest >= '0' && *rest <= '9' ? strtoull(rest, &end, 0) : 0;

		if (size && *end)
			error_set(&err, "'%.60s' is no number of bytes", rest);
		else
			data = streams_ring_read(ring, size, &len, &err);
	}
	if (data)
		print_bytes(data, len, out);
	print_failure(data, &err, out);
	free(data);
}

static void run_ring_write(struct machine *m, const char *argument, FILE *out)
{
	struct error err;
	const char *rest;
	struct console *ring = ring_named(m, argument, &rest, &err);

	if (ring)
		console_write(ring, rest, strlen(rest));
	print_failure(ring, &err, out);
}

static void info_chardev(struct machine *m, const char *argument, FILE *out) { (void)argument; streams_print(m, out); }

/* ---- info ---- */

static void info_snapshots(struct machine *m, const char *argument, FILE *out)
{
	struct error err;

	(void)argument;
	print_failure(control_list(m, out, &err), &err, out);
}

static void info_status(struct machine *m, const char *argument, FILE *out)
{
	const char *status = control_status(m);

	(void)argument;
	if (!strcmp(status, "running") || !strcmp(status, "paused"))
		fprintf(out, "VM status: %s\n", status);
	else
		fprintf(out, "VM status: paused (%s)\n", status);
}

static void info_version(struct machine *m, const char *argument, FILE *out)
{
	(void)m;
	(void)argument;
	fprintf(out, "cede " CEDE_VERSION "\n");
}

static void info_cpus(struct machine *m, const char *argument, FILE *out)
{
	(void)argument;
	for (unsigned i = 0; i < m->ncpus; i++)
		if (!m->cpu[i]->absent)
			fprintf(out, "%c CPU #%u: nip=0x%016llx%s\n", i ? ' ' : '*', i, (unsigned long long)m->cpu[i]->cpu.nip,
			m->cpu[i]->cpu.run_state == CPU_RUNNING ? "" : " (halted)");
}

static void info_registers(struct machine *m, const char *argument, FILE *out)
{
	(void)argument;
	for (unsigned n = 0; n < m->ncpus; n++) {
		const struct cpu *cpu = &m->cpu[n]->cpu;

		if (m->cpu[n]->absent)
			continue;
		fprintf(out, "\nCPU#%u\nNIP %016llx   LR %016llx CTR %016llx\nMSR %016llx   CR %08x\n", n,
			(unsigned long long)cpu->nip, (unsigned long long)cpu->lr, (unsigned long long)cpu->ctr,
			(unsigned long long)cpu->msr, cpu_get_cr(cpu));
		for (unsigned i = 0; i < 32; i++) {
			if (i % 4 == 0)
				fprintf(out, "GPR%02u", i);
			fprintf(out, i % 4 == 3 ? " %016llx\n" : " %016llx", (unsigned long long)cpu->r[i]);
		}
	}
}

static void info_migrate(struct machine *m, const char *argument, FILE *out)
{
	struct outgoing_progress p = outgoing_progress(m);
	bool failed = p.status == OUT_FAILED;

	(void)argument;
	if (p.saving)
		fprintf(out, "Snapshot: %llu of %llu MiB\n", (unsigned long long)p.saved >> 20, (unsigned long long)m->ram.size >> 20);
	if (p.status == OUT_NONE)
		return;
	fprintf(out, "Migration status: %s%s%s%s\n", p.status_name, failed ? " (" : "", failed ? p.why : "", failed ? ")" : "");
	fprintf(out, "total time: %llu ms\ntransferred ram: %llu kbytes\nthroughput: %.2f mbps\n",
		(unsigned long long)p.took_ns / 1000000, (unsigned long long)p.sent >> 10, p.mbps);
	fprintf(out, "remaining ram: %llu kbytes\ntotal ram: %llu kbytes\n", (unsigned long long)(p.total - p.done) >> 10,
		(unsigned long long)p.total >> 10);
	fprintf(out, "duplicate: %llu pages\nnormal: %llu pages\n", (unsigned long long)p.zero_pages,
		(unsigned long long)(p.done / OUTGOING_PAGE - p.zero_pages));
}

static void info_balloon(struct machine *m, const char *argument, FILE *out)
{
	const struct device *dev = balloon_find(m);
	const char *name;
	uint64_t value;

	(void)argument;
	if (!dev) {
		fprintf(out, "Error: %s\n", CONTROL_NO_BALLOON);
		return;
	}
	fprintf(out, "balloon: actual=%llu", (unsigned long long)balloon_actual(dev) >> 20);
	for (unsigned i = 0; i < BALLOON_STATS; i++)
		if (balloon_stat(dev, i, &name, &value))
			fprintf(out, " %s=%llu", name, (unsigned long long)value);
	fputc('\n', out);
}

static void info_qtree(struct machine *m, const char *argument, FILE *out) { (void)argument; qtree_print(m, out); }

static void info_capabilities(struct machine *m, const char *argument, FILE *out)
{
	(void)argument;
	fprintf(out, "events: %s\n", m->monitors->migration_events ? "on" : "off");
}

static void info_vnc(struct machine *m, const char *argument, FILE *out)
{
	const struct config *o = m->config;

	(void)argument;
	if (o->vnc_host)
		fprintf(out, "default:\n  Server: %s:%d (ipv4)\n    Auth: %s (Sub: none)\n", o->vnc_host, o->vnc_port,
			o->vnc_password ? "vnc" : "none");
	else
		fputs("None\n", out);
}

static void info_panel(struct machine *m, const char *argument, FILE *out)
{
	(void)argument;
	if (display_panel(m))
		panel_describe(display_panel(m), out);
	else
		fputs("None\n", out);
}

static const struct command infos[] = {
	{ "snapshots", "", "snapshots in -snapdir", false, false, info_snapshots },
	{ "status", "", "whether the machine runs", false, false, info_status },
	{ "migrate", "", "how far a migration is, or how it ended", false, false, info_migrate },
	{ "migrate_capabilities", "", "what of it can be chosen", false, false, info_capabilities },
	{ "cpus", "", "the processors", false, false, info_cpus },
	{ "hotpluggable-cpus", "", "cores that are, or could be, plugged in", false, false, plug_print_cpus },
	{ "registers", "", "their registers", false, false, info_registers },
	{ "block", "[-v] [DRIVE]", "drives and what is in them", false, false, block_print },
	{ "blockstats", "", "what they have done", false, false, block_print_stats },
	{ "chardev", "", "character devices", false, false, info_chardev },
	{ "qtree", "", "buses and the devices on them", false, false, info_qtree },
	{ "balloon", "", "memory that the guest has left, and what it says of it", false, false, info_balloon },
	{ "network", "", "network cards and what is at the end of their cables", false, false, net_print },
	{ "usernet", "", "connections through -netdev user", false, false, net_print_usernet },
	{ "vnc", "", "where it listens", false, false, info_vnc },
	{ "panel", "", "where its lanes are, and what time they show", false, false, info_panel },
	{ "version", "", "of cede", false, false, info_version },
	{ NULL, NULL, NULL, false, false, NULL },
};

static void run_info(struct machine *m, const char *what, FILE *out);
static void run_help(struct machine *m, const char *argument, FILE *out);

static const struct command commands[] = {
	{ "savevm", "[NAME]", "save the machine under that name, in its disks or in -snapdir", false, true, run_savevm },
	{ "loadvm", "NAME", "go on from it", true, true, run_loadvm },
	{ "delvm", "NAME", "delete it", true, false, run_delvm },
	{ "migrate", "[-d] exec:CMD|file:PATH|tcp:HOST:PORT", "send the machine there, and stop it; -d: do not wait", true, true, run_migrate },
	{ "migrate_cancel", "", "give that up, and go on", false, false, run_cancel },
	{ "migrate_set_capability", "events on|off", "tell programs of each step of it", true, false, run_capability },
	{ "stop", "", "stop the machine; its clock stands still", false, true, run_stop },
	{ "cont", "", "go on", false, true, run_cont },
	{ "balloon", "MIB", "ask the guest to make do with so much memory", true, true, run_balloon },
	{ "system_reset", "", "reboot", false, false, run_reset },
	{ "eject", "[-f] DRIVE", "take the medium out; -f: though the guest has locked it", true, true, run_eject },
	{ "change", "[-f] DRIVE FILE [FORMAT [retain|read-only|read-write]]", "put another medium in", true, true, run_change },
	{ "block_resize", "DRIVE SIZE[K|M|G|T]", "give the image another size (M)", true, true, run_resize },
	{ "snapshot_blkdev", "[-n] DRIVE FILE [qcow2]", "write to FILE from now on, a new image on top; -n: one that is there", true, true, run_snapshot },
	{ "device_add", "DRIVER[,NAME=VALUE..]", "plug a device in, as -device has it", true, true, run_device_add },
	{ "device_del", "ID", "ask the guest to let one go", true, true, run_device_del },
	{ "drive_add", "0 if=none,id=ID,file=FILE..", "a drive that a device can take, as -drive has it", true, true, run_drive_add },
	{ "drive_del", "ID", "close one that no device has", true, true, run_drive_del },
	{ "netdev_add", "TYPE,id=ID[,NAME=VALUE..]", "a network that a card can take, as -netdev has it", true, true, run_netdev_add },
	{ "netdev_del", "ID", "end one that no card has", true, true, run_netdev_del },
	{ "set_link", "NAME on|off", "pull the cable of a network card, or put it back", true, true, run_link },
	{ "announce_self", "", "have all cards say on their networks where they are", false, true, net_run_announce },
	{ "hostfwd_add", "[NETDEV] [tcp|udp]:[HOSTADDR]:HOSTPORT-[GUESTADDR]:PORT", "lead a port of the host's into the guest", true, true, net_run_hostfwd_add },
	{ "hostfwd_remove", "[NETDEV] [tcp|udp]:[HOSTADDR]:HOSTPORT", "not any more", true, true, net_run_hostfwd_remove },
	{ "screendump", "[-f ppm|png] FILE [DEVICE]", "write what a screen shows to FILE, a picture", true, true, run_screendump },
	{ "panel", "on|off", "show who runs where, instead of the guest's screen; screendump FILE panel writes it", true, true, run_panel },
	{ "set_password", "vnc PASSWORD", "let viewers of VNC in who know it", true, false, run_set_password },
	{ "sendkey", "KEY[-KEY..] [MS]", "press these keys, as ctrl-alt-delete", true, true, run_sendkey },
	{ "gdbserver", "[DEV|none]", "gdb may come there (tcp::1234), as -gdb has it, or not any more", false, true, run_gdbserver },
	{ "profile", "save|start|stop", "write what -profile has counted until now; go on counting, or not", true, true, run_profile },
	{ "ringbuf_read", "DEVICE SIZE", "what has been written first of what a ring has, at most SIZE bytes", true, false, run_ring_read },
	{ "ringbuf_write", "DEVICE DATA", "add that to it", true, false, run_ring_write },
	{ "quit", "", "end cede", false, false, run_quit },
	{ "info", "[WHAT]", "show it; alone: what there is to show", false, false, run_info },
	{ "help", "[COMMAND]", "this text, or the line about one", false, false, run_help },
	{ NULL, NULL, NULL, false, false, NULL },
};

/* `only`: that one; "": all. */
static void list_commands(const struct command *c, const char *before, const char *only, FILE *out)
{
	for (; c->name; c++)
		if (!*only || !strcmp(c->name, only))
			fprintf(out, "%s%s%s%s -- %s\n", before, c->name, *c->arguments ? " " : "", c->arguments, c->help);
}

static void run_help(struct machine *m, const char *argument, FILE *out)
{
	(void)m;
	list_commands(commands, "", argument, out);
}

/* `line` is cut in place: the command, and the rest without blanks around it. */
static void run_row(const struct command *c, struct machine *m, char *line, FILE *out)
{
	char *rest;
	size_t len = strlen(line);

	while (len && (line[len - 1] == ' ' || line[len - 1] == '\t'))
		line[--len] = 0;
	line += strspn(line, " \t");
	rest = line + strcspn(line, " \t");
	if (*rest)
		*rest++ = 0;
	rest += strspn(rest, " \t");
	if (!*line)
		return;
	while (c->name && strcmp(c->name, line))
		c++;
	if (!c->name)
		fprintf(out, "unknown command: '%.60s'\n", line);
	else if (c->needs && !*rest)
		fprintf(out, "%s: parameter expected: %s\n", c->name, c->arguments);
	else if (*rest && !*c->arguments)
		fprintf(out, "%s: extraneous parameters at the end of line\n", c->name);
	else
		c->run(m, rest, out);
}

static void run_info(struct machine *m, const char *what, FILE *out)
{
	char copy[MONITOR_LINE];

	snprintf(copy, sizeof copy, "%s", what);
	if (*what)
		run_row(infos, m, copy, out);
	else
		list_commands(infos, "info ", "", out);
}

bool hmp_waits(const char *line)
{
	size_t len;

	line += strspn(line, " \t");
	len = strcspn(line, " \t");
	for (const struct command *c = commands; c->name; c++)
		if (strlen(c->name) == len && !strncmp(c->name, line, len))
			return c->waits;
	return false;
}

void hmp_run(struct machine *m, const char *line, FILE *out)
{
	char copy[MONITOR_LINE];

	snprintf(copy, sizeof copy, "%s", line);
	run_row(commands, m, copy, out);
}
