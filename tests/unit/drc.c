/* Connectors: their names in the tree, the states that a guest leads them through, what it is given of what has been plugged
 * in, and the events that say so; saves in the midst of it; and what a hostile guest says. */
#define _GNU_SOURCE
#include <sys/mman.h>

#include <libfdt.h>

#include "check.h"
#include "hcall/dispatcher.h"
#include "hcall/hcall.h"
#include "hcall/transitions.h"
#include "machine/board/devices.h"
#include "machine/board/hotplug.h"
#include "machine/core/device.h"
#include "machine/core/drc.h"
#include "machine/irq/irq.h"
#include "machine/pci/pci.h"
#include "machine/pci/phb.h"
#include "machine/rtas/events.h"
#include "machine/rtas/rtas.h"
#include "machine/snapshot/snapshot.h"
#include "machine/snapshot/statehash.h"
#include "rig.h"

#define CELLS 0x100000u			/* guest memory for calls */
#define AREA  0x110000u			/* work area */
#define LOG   0x120000u
#define BUS   "/pci@800000020000000"
#define CORE  "power9_v2.0-spapr-cpu-core"

enum { ISOLATE = 9001, LIGHT, ALLOCATE };

static int32_t rtas(struct machine *m, uint32_t call, uint32_t nargs, const uint32_t *args, uint32_t nret)
{
	st_be32(&m->ram, CELLS, RTAS_TOKEN_BASE + call);
	st_be32(&m->ram, CELLS + 4, nargs);
	st_be32(&m->ram, CELLS + 8, nret);
	for (uint32_t i = 0; i < nargs; i++)
		st_be32(&m->ram, CELLS + 12 + 4 * i, args[i]);
	rtas_call(&m->cpu[0]->cpu, CELLS);
	return (int32_t)ld_be32(&m->ram, CELLS + 12 + 4 * nargs);
}

#define RTAS_CALL(m, call, nret, ...) \
	rtas(m, call, sizeof((const uint32_t[]){ __VA_ARGS__ }) / 4, (const uint32_t[]){ __VA_ARGS__ }, nret)

static int32_t set(struct machine *m, uint32_t kind, uint32_t index, uint32_t state) { return RTAS_CALL(m, 0x1a, 1, kind, index, state); }

static int32_t sense(struct machine *m, uint32_t index)
{
	int32_t status = RTAS_CALL(m, 0x1d, 2, 9003, index);

	return status ? status : (int32_t)ld_be32(&m->ram, CELLS + 24);
}

static int32_t configure(struct machine *m, uint32_t index)
{
	st_be32(&m->ram, AREA, index);
	return RTAS_CALL(m, 0x1e, 1, AREA, 0);
}

static bool add(struct machine *m, const char *text, const char *why)
{
	struct error err = { .msg = "" };
	bool ok = hotplug_add(m, text, &err);

	return check(why ? !ok && strstr(err.msg, why) : ok, "%s: %s", text, err.msg);
}

static bool take(struct machine *m, const char *id, const char *why)
{
	struct error err = { .msg = "" };
	bool found, ok = hotplug_remove(m, id, &found, &err);

	return check(why ? !ok && strstr(err.msg, why) : ok, "remove-%s: %s", id, err.msg);
}

/* ---- The tree ---- */

static void test_names(struct machine *m)
{
	int at = fdt_path_offset(m->fdt, BUS), len;
	const fdt32_t *index = fdt_getprop(m->fdt, at, "ibm,drc-indexes", &len), *domain;
	const char *name, *type;

	check(index && len == 4 * 257 && fdt32_to_cpu(index[0]) == 256 && fdt32_to_cpu(index[1]) == 0x40000000 && fdt32_to_cpu(index[256]) == 0x400000ff, "indexes");
	domain = fdt_getprop(m->fdt, at, "ibm,drc-power-domains", &len);
	check(domain && len == 4 * 257 && fdt32_to_cpu(domain[0]) == 256 && fdt32_to_cpu(domain[256]) == UINT32_MAX, "domains");
	name = fdt_getprop(m->fdt, at, "ibm,drc-names", &len);
	check(name && len == 1174 && !strcmp(name + 4, "C0") && !strcmp(name + len - 5, "C255"), "names");
	type = fdt_getprop(m->fdt, at, "ibm,drc-types", &len);
	check(type && len == 4 + 256 * 3 && !strcmp(type + 4, "28") && !strcmp(type + len - 3, "28"), "types");
	index = fdt_getprop(m->fdt, fdt_path_offset(m->fdt, "/event-sources/hot-plug-events"), "interrupts", &len);
	check(index && len == 8 && fdt32_to_cpu(index[0]) == IRQ_HOTPLUG, "event-source");
}

/* ---- Events ---- */

static int32_t fetch(struct machine *m, uint32_t mask)
{
	return RTAS_CALL(m, 0x0e, 1, 0x500, IRQ_HOTPLUG, mask, 0, LOG, 1024);
}

/* Type, action, what it is named by, and its index: the section behind main A and main B. */
static uint64_t event_of(struct machine *m)
{
	return (uint64_t)ld_be32(&m->ram, LOG + 8 + 16 + 48 + 24 + 8) << 32 | ld_be32(&m->ram, LOG + 8 + 16 + 48 + 24 + 12);
}

static void test_events(struct machine *m)
{
	const uint32_t epow = 0x40000000, hotplug = 0x10000000;

	check(fetch(m, epow | hotplug) == 1, "no-event");
	add(m, "virtio-rng-pci,id=e0,addr=1e", NULL);
	check(fetch(m, hotplug) == 1 && fetch(m, epow) == 0, "who-knows-no-such-interrupt-has-EPOWs");
	check_eq(event_of(m), UINT64_C(0x0501020040000000) | 0x1e << 3, "added");
	check_eq(ld_be32(&m->ram, LOG), 0x063460e5, "summary");
	m->ov5_cas[0] |= UINT64_C(1) << 45;
	take(m, "e0", NULL);
	add(m, "virtio-rng-pci,id=e1,addr=1d", NULL);
	check(events_powerdown(m), "power-button");
	set(m, ISOLATE, 0x400000e8, 1);
	take(m, "e1", NULL);
	check(fetch(m, epow) == 0 && ld_be32(&m->ram, LOG) == 0x06340040 && fetch(m, epow) == 1, "each-has-its-class");
	check(fetch(m, hotplug) == 0 && event_of(m) == 0x05010200400000e8, "in-order");
	check(fetch(m, hotplug) == 0 && event_of(m) == 0x05020200400000e8, "removal");
	check(fetch(m, hotplug) == 1, "no-more");
	configure(m, 0x400000e8);
	for (int32_t status = 2; status > 0;)
		status = configure(m, 0x400000e8);
	check(set(m, ISOLATE, 0x400000e8, 0) == 0 && !device_find(m, "e1"), "let-go");
	m->ov5_cas[0] = 0;
}

/* ---- A slot ---- */

/* All of a node, as text: "name{property[length]..}". */
static int32_t read_node(struct machine *m, uint32_t index, char *text, unsigned most)
{
	int32_t status = 2;
	unsigned steps = 0;

	*text = 0;
	while (status > 0 && steps++ < most) {
		uint32_t at;

		status = configure(m, index);
		at = ld_be32(&m->ram, AREA + 8);
		for (unsigned i = 0; (status == 2 || status == 3) && at < 4096 && i < 64; i++, at++) {
			char c[2] = { (char)ld_u8(&m->ram, AREA + at), 0 };

			strcat(text, c);
			if (!*c)
				break;
		}
		if (status == 2 || status == 3)
			strcat(text, status == 2 ? "{" : ";");
	}
	strcat(text, status ? "" : "}");
	return status;
}

#define SLOT 0x40000050u

static void test_slot(struct machine *m)
{
	char text[4096];
	uint32_t length;

	check(sense(m, SLOT) == 0 && set(m, ISOLATE, SLOT, 1) == -3 && set(m, ISOLATE, SLOT, 0) == 0, "nothing-there");
	check(configure(m, SLOT) == -9003, "nothing-to-configure");
	add(m, "virtio-rng-pci,id=r0,addr=a", NULL);
	check(sense(m, SLOT) == 1 && drc_find(m, SLOT)->state == DRC_POWERED, "there");
	check(configure(m, SLOT) == -9003, "isolated");
	check(set(m, ISOLATE, SLOT, 1) == 0 && set(m, ISOLATE, SLOT, 1) == 0, "unisolated");
	check(set(m, ISOLATE, SLOT, 0) == -3, "not-back-before-it-is-configured");
	check(read_node(m, SLOT, text, 1000) == 0 && strstr(text, "@a{reg;") && strstr(text, "ibm,my-drc-index;"), "node: %s", text);
	check(drc_find(m, SLOT)->state == DRC_CONFIGURED, "configured");
	check(configure(m, SLOT) == 2 && configure(m, SLOT) == 3, "again");
	length = ld_be32(&m->ram, AREA + 12);
	check(length == 80 && ld_be32(&m->ram, AREA + 16) == 20 + strlen("reg") + 1, "offsets: %u", length);
	check(set(m, LIGHT, SLOT, 1) == 0 && set(m, LIGHT, SLOT, 4) == -3 && set(m, ALLOCATE, SLOT, 1) == -3, "indicators");
	take(m, "r0", NULL);
	check(drc_find(m, SLOT)->unplugging && device_find(m, "r0"), "asked");
	check(set(m, ISOLATE, SLOT, 0) == 0 && !device_find(m, "r0") && sense(m, SLOT) == 0, "taken");
	check(!pci_find(m, PHB_BUID, 0, 0x50), "gone-from-the-bus");
	add(m, "virtio-rng-pci,id=r0,addr=a", NULL);
	take(m, "r0", NULL);
	check(!device_find(m, "r0"), "not-begun-is-gone-at-once");
	/* A guest that lets it go of its own will may have it again. */
	add(m, "virtio-rng-pci,id=r0,addr=a", NULL);
	check(set(m, ISOLATE, SLOT, 1) == 0 && read_node(m, SLOT, text, 1000) == 0 && set(m, ISOLATE, SLOT, 0) == 0 && device_find(m, "r0"), "idle");
	check(set(m, ISOLATE, SLOT, 1) == 0 && drc_find(m, SLOT)->state == DRC_UNISOLATED, "back");
	hotplug_finish(m);
	check(device_find(m, "r0") != NULL, "a-reset-takes-what-was-asked-for");
	take(m, "r0", NULL);
	hotplug_finish(m);
	check(!device_find(m, "r0"), "and-that-alone");
}

static void test_refusals(struct machine *m)
{
	add(m, "nonsense", "there is no device");
	add(m, "virtio-rng-pci,addr=5.1", "function 0 of a slot alone");
	add(m, "VGA", "does not support hotplugging");
	add(m, "virtio-blk-pci,drive=none", "there is no drive");
	add(m, "spapr-rng", "does not support hotplugging");
	add(m, "virtio-rng-pci,id=twice", NULL);
	add(m, "virtio-rng-pci,id=twice", "Duplicate");
	take(m, "nobody", "not found");
	take(m, "twice", NULL);
	check(!device_find(m, "twice"), "one-was-there");
	add(m, "virtio-serial-pci,id=vs", NULL);
	take(m, "vs", NULL);
	check(set(m, 9000, SLOT, 1) == -3 && set(m, ISOLATE, 0x4fffffff, 1) == -3 && set(m, ISOLATE, SLOT, 2) == -3, "set-indicator");
	check(sense(m, 0x10101010) == -3 && RTAS_CALL(m, 0x1d, 2, 7, SLOT) == -3, "get-sensor-state");
	check(configure(m, 0) == -3, "no-connector");
	check(RTAS_CALL(m, 0x1e, 1, (uint32_t)m->ram.size - 4095, 0) == -3 && RTAS_CALL(m, 0x1e, 1, UINT32_MAX, UINT32_MAX) == -3, "no-work-area");
}

/* Any calls in any order, beside a user who plugs and asks: each ends, and a machine is left. */
static void test_hostile(struct machine *m)
{
	static const uint32_t index[] = { 0x40000008, 0x40000018, 0x40000028, 0x10000000, 0x10000001, 0x10000002 };
	uint64_t seed = 1;
	char text[64];

	for (unsigned i = 0; i < 20000; i++) {
		seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
		unsigned r = (unsigned)(seed >> 33), at = r / 64 % 6;
		struct error err;
		bool found;

		snprintf(text, sizeof text, r % 64 > 1 ? "h%u" : at % 2 ? CORE ",id=h%u,core-id=%u" : "virtio-rng-pci,id=h%u,addr=%u", at, 1 + at);
		if (r % 64 == 0)
			hotplug_add(m, text, &err);
		else if (r % 64 == 1)
			hotplug_add(m, text, &err);
		else if (r % 64 < 6)
			hotplug_remove(m, text, &found, &err);
		else if (r % 8 < 3)
			set(m, ISOLATE + r / 8 % 3, index[at], r / 7 % 3);
		else if (r % 8 == 3)
			sense(m, index[at]);
		else if (r % 8 == 4)
			fetch(m, UINT32_MAX);
		else
			configure(m, index[at]);
	}
	hotplug_finish(m);
	check(machine_statehash(m) != 0, "after-20000-calls");
	machine_clear(m);
}

/* ---- Snapshots ---- */

static int save(struct machine *m)
{
	const struct snapshot_options o = { .quiet = true };
	struct error err = { .msg = "" };
	int fd = memfd_create("snapshot", 0);

	if (fd < 0 || !snapshot_save_fd(m, fd, &o, &err))
		check(false, "cannot save: %s", err.msg);
	return fd;
}

static bool restore(struct machine *m, int fd, struct error *err)
{
	machine_clear(m);
	return lseek(fd, 0, SEEK_SET) == 0 && snapshot_load_fd(m, fd, err);
}

/* Each state on the way: another machine, whose command line has the device, goes on from it as the first one does. */
static void test_saved(void)
{
	struct rig a, b, bare;
	struct error err = { .msg = "" };
	char want[4096], got[4096];

	rig_new(&a, "1"), rig_new(&b, "1"), rig_new(&bare, "1");
	add(a.m, "virtio-rng-pci,id=s0,addr=a", NULL);
	check(device_new(b.m, board_device_class("virtio-rng-pci"), "id=s0,addr=a", &err) != NULL, "cold: %s", err.msg);
	for (unsigned step = 0; step < 6; step++) {
		int fd;

		if (step == 1)
			set(a.m, ISOLATE, SLOT, 1);
		if (step == 2)
			read_node(a.m, SLOT, want, 5);
		if (step == 3)
			set(a.m, LIGHT, SLOT, 3), read_node(a.m, SLOT, want, 1000);
		if (step == 4)
			take(a.m, "s0", NULL);
		if (step == 5)
			read_node(a.m, SLOT, want, 3);
		fd = save(a.m);
		check(restore(b.m, fd, &err), "loads-%u: %s", step, err.msg);
		check_eq(machine_statehash(b.m), machine_statehash(a.m), "hash");
		check(drc_find(b.m, SLOT)->state == drc_find(a.m, SLOT)->state && drc_find(b.m, SLOT)->step == drc_find(a.m, SLOT)->step &&
		      drc_find(b.m, SLOT)->unplugging == (step > 3) && drc_find(b.m, SLOT)->indicator == drc_find(a.m, SLOT)->indicator, "state-%u", step);
		if (step == 2) {
			check(read_node(b.m, SLOT, got, 1000) == 0 && read_node(a.m, SLOT, want, 1000) == 0 && !strcmp(got, want), "goes-on: %s", got);
			restore(a.m, fd, &err);
		}
		check(!restore(bare.m, fd, &err), "not-without-the-device: %s", err.msg);
		close(fd);
	}
	check(set(b.m, ISOLATE, SLOT, 0) == 0 && !device_find(b.m, "s0"), "taken-after-a-load");
	rig_free(&a), rig_free(&b), rig_free(&bare);
}

/* A snapshot says that somebody wants back what nobody can ask for: a screen, and what carries others. */
static void test_cannot_go(void)
{
	static const char *const id[] = { "screen", "carrier" };
	static const uint32_t index[] = { 0x400000a0, 0x400000a8 };
	struct rig a, b;
	struct error err = { .msg = "" };
	int fd;

	rig_new(&a, "1"), rig_new(&b, "1");
	for (struct rig *r = &a; r; r = r == &a ? &b : NULL)
		check(device_new(r->m, board_device_class("VGA"), "id=screen,addr=14", &err) &&
		      device_new(r->m, board_device_class("virtio-serial-pci"), "id=carrier,addr=15", &err) &&
		      device_new(r->m, board_device_class("virtserialport"), "bus=carrier.0,name=p", &err), "cannot-go: %s", err.msg);
	machine_clear(a.m);
	for (unsigned i = 0; i < 2; i++)
		drc_find(a.m, index[i])->unplugging = true;
	fd = save(a.m);
	for (unsigned again = 0; again < 2; again++) {
		check(restore(b.m, fd, &err) && drc_find(b.m, index[0])->unplugging, "loads: %s", err.msg);
		for (unsigned i = 0; i < 2; i++) {
			if (again)
				hotplug_finish(b.m);
			else
				check(set(b.m, ISOLATE, index[i], 0) == 0, "isolated");
			check(device_find(b.m, id[i]) && !drc_find(b.m, index[i])->unplugging, "%s-stays", id[i]);
		}
	}
	close(fd);
	rig_free(&a), rig_free(&b);
}

/* ---- Cores ---- */

#define CORE2 0x10000002u

/* Of H_GET_PPP, in hundredths of a processor. */
static uint64_t entitlement(struct machine *m)
{
	struct cpu *cpu = &m->cpu[0]->cpu;

	cpu->r[3] = 0xec;
	hcall_dispatch(cpu);
	return cpu->r[3] == H_SUCCESS ? cpu->r[4] : UINT64_MAX;
}

static int64_t register_vpa(struct machine *m, uint64_t server)
{
	struct cpu *cpu = &m->cpu[0]->cpu;
	const uint64_t in[] = { 0xdc, UINT64_C(1) << 45, server, 0x200000 };

	st_be32(&m->ram, 0x200004, 640 << 16);
	memcpy(&cpu->r[3], in, sizeof in);
	hcall_dispatch(cpu);
	return (int64_t)cpu->r[3];
}

static int32_t start(struct machine *m, uint32_t server) { return RTAS_CALL(m, 0x06, 1, server, 0x4000, 7); }

static void test_core(struct machine *m)
{
	static const char *const refused[][2] = {
		{ CORE, "core-id=N is needed" }, { CORE ",core-id=0", "already populated" }, { CORE ",core-id=4", "out of range" },
		{ CORE ",core-id=0xf0000002", "out of range" }, { CORE ",core-id=2,nr-threads=2", "invalid nr-threads" },
		{ "power8_v2.0-spapr-cpu-core,core-id=2", "Invalid CPU type, expected cpu type: '" CORE "'" },
	};
	char text[4096];

	for (unsigned i = 0; i < sizeof refused / sizeof refused[0]; i++)
		add(m, refused[i][0], refused[i][1]);
	check(sense(m, CORE2) == 2 && start(m, 2) == -3 && register_vpa(m, 2) == H_PARAMETER && set(m, ALLOCATE, CORE2, 1) == -3, "absent");
	check_eq(entitlement(m), 200, "entitled-to-what-is-there");
	add(m, CORE ",core-id=2,id=c2", NULL);
	check(fetch(m, UINT32_MAX) == 0 && event_of(m) == 0x0101020010000002, "event");
	check(sense(m, CORE2) == 2 && set(m, ISOLATE, CORE2, 1) == -3 && set(m, ALLOCATE, CORE2, 1) == 0 && sense(m, CORE2) == 1, "usable");
	check(set(m, LIGHT, CORE2, 1) == -3 && set(m, ISOLATE, CORE2, 1) == 0 && set(m, ALLOCATE, CORE2, 0) == -3, "unisolated");
	check(read_node(m, CORE2, text, 1000) == 0 && strstr(text, "PowerPC,POWER9@2{") && strstr(text, "ibm,my-drc-index;"), "node: %s", text);
	check(register_vpa(m, 2) == H_SUCCESS && start(m, 2) == 0 && m->cpu[2]->cpu.nip == 0x4000 && start(m, 2) == -1, "starts");
	check_eq(entitlement(m), 300, "entitled-to-one-more");
	take(m, "c2", NULL);
	check(set(m, ISOLATE, CORE2, 0) == 0 && set(m, ALLOCATE, CORE2, 0) == -1 && device_find(m, "c2"), "not-while-it-runs");
	m->cpu[2]->cpu.run_state = CPU_STOPPED;
	check(set(m, ALLOCATE, CORE2, 0) == 0 && !device_find(m, "c2") && start(m, 2) == -3 && !m->cpu[2]->vpa_addr, "gone");
	check(set(m, ISOLATE, 0x10000000, 0) == 0 && set(m, ALLOCATE, 0x10000000, 0) == 0 && machine_cpu(m, 0) && set(m, ALLOCATE, 0x10000000, 1) == 0, "the-boards-own-stays");
	while (fetch(m, UINT32_MAX) == 0)
		;
	machine_clear(m);
}

struct watcher {
	struct transition_reader reader;
	unsigned stops;			/* of the third processor */
};

static void watch_restart(struct transition_reader *self, uint64_t cycle) { (void)self, (void)cycle; }
static void watch_lost(struct transition_reader *self) { (void)self; }

static void watch_take(struct transition_reader *self, const struct dtl_record *record)
{
	((struct watcher *)self)->stops += record->vp == 2 && record->state == VP_STOPPED;
}

/* A guest that makes a core unusable which still runs. */
static void run_unusable(struct machine *m)
{
	char text[4096];

	add(m, CORE ",core-id=2,id=c2", NULL);
	check(set(m, ALLOCATE, CORE2, 1) == 0 && set(m, ISOLATE, CORE2, 1) == 0 && read_node(m, CORE2, text, 1000) == 0 && start(m, 2) == 0, "runs");
	m->cpu[2]->vp.state = VP_RUNNING;
	m->cpu[2]->vp.physical = 0;
	check(set(m, ISOLATE, CORE2, 0) == 0 && set(m, ALLOCATE, CORE2, 0) == 0 && sense(m, CORE2) == 2, "unusable");
	take(m, "c2", NULL);
	check(device_find(m, "c2") && set(m, ALLOCATE, CORE2, 0) == -1, "runs-and-stays");
}

/* A core that runs goes with a reset alone, and those who look hear of it. */
static void test_core_runs(struct machine *m)
{
	struct watcher w = { .reader = { .restart = watch_restart, .take = watch_take, .synced = watch_restart, .lost = watch_lost } };

	run_unusable(m);
	m->cpu[2]->cpu.run_state = CPU_STOPPED;
	m->cpu[2]->vp.state = VP_STOPPED;
	check(set(m, ALLOCATE, CORE2, 0) == 0 && !device_find(m, "c2"), "stops-and-goes");
	run_unusable(m);
	check(transitions_join(m, &w.reader), "looks");
	hotplug_finish(m);
	machine_clear(m);
	transitions_sync(m);
	check_eq(w.stops, 1, "stops-for-those-who-look");
	check(!device_find(m, "c2") && m->cpu[2]->absent, "gone-with-the-reset");
	transitions_leave(m, &w.reader);
}

/* Where it is goes with the command line, what it does with the snapshot. */
static void test_core_saved(void)
{
	struct rig a, b, bare;
	struct error err = { .msg = "" };
	int fd;

	rig_new(&a, "2,maxcpus=4"), rig_new(&b, "2,maxcpus=4"), rig_new(&bare, "2,maxcpus=4");
	add(a.m, CORE ",core-id=2,id=c2", NULL);
	check(device_new(b.m, board_device_class(CORE), "id=c2,core-id=2", &err) != NULL, "cold: %s", err.msg);
	for (unsigned step = 0; step < 3; step++) {
		if (step == 1)
			set(a.m, ALLOCATE, CORE2, 1), set(a.m, ISOLATE, CORE2, 1), configure(a.m, CORE2);
		if (step == 2)
			register_vpa(a.m, 2), a.m->cpu[2]->cpu.r[3] = 77, take(a.m, "c2", NULL);
		fd = save(a.m);
		check(restore(b.m, fd, &err), "loads-%u: %s", step, err.msg);
		check_eq(machine_statehash(b.m), machine_statehash(a.m), "hash");
		check(drc_find(b.m, CORE2)->state == drc_find(a.m, CORE2)->state && drc_find(b.m, CORE2)->step == drc_find(a.m, CORE2)->step, "state");
		check(!restore(bare.m, fd, &err), "not-without-the-core: %s", err.msg);
		close(fd);
	}
	check(b.m->cpu[2]->cpu.r[3] == 77 && b.m->cpu[2]->vpa_addr == 0x200000, "its-registers");
	fd = save(bare.m);
	check(!restore(b.m, fd, &err), "not-with-one-too-many: %s", err.msg);
	close(fd);
	rig_free(&a), rig_free(&b), rig_free(&bare);
}

/* As many processors as there can be: words and lists for those behind the 64th are saved. */
static void test_many(void)
{
	struct rig a, b;
	struct error err = { .msg = "" };
	int fd;

	rig_new(&a, "256"), rig_new(&b, "256");
	check(register_vpa(a.m, 255) == H_SUCCESS && start(a.m, 255) == 0 && start(a.m, 256) == -3, "the-last-one-starts");
	a.m->cpu[255]->cpu.run_state = CPU_STOPPED;
	a.m->cpu[3]->vp.awaits[2] = 5;
	a.m->energy[0].priority[200] = 9;
	a.m->dispatcher->on[130].slice_end = 1234;
	fd = save(a.m);
	check(restore(b.m, fd, &err), "loads: %s", err.msg);
	check_eq(machine_statehash(b.m), machine_statehash(a.m), "hash");
	check(b.m->cpu[3]->vp.awaits[2] == 5 && b.m->energy[0].priority[200] == 9 && b.m->dispatcher->on[130].slice_end == 1234 &&
	      b.m->cpu[255]->vpa_addr == 0x200000, "behind-the-64th");
	close(fd);
	rig_free(&a), rig_free(&b);
}

int main(void)
{
	struct rig rig;

	rig_new(&rig, "1");
	test_names(rig.m);
	test_events(rig.m);
	test_slot(rig.m);
	test_refusals(rig.m);
	test_hostile(rig.m);
	rig_free(&rig);
	rig_new(&rig, "2,maxcpus=4");
	test_core(rig.m);
	test_core_runs(rig.m);
	test_hostile(rig.m);
	rig_free(&rig);
	test_cannot_go();
	test_saved();
	test_core_saved();
	test_many();
	return check_done();
}
