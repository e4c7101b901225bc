/* Every state description of the machine: names are unique; what is saved comes back, and shows in the state
 * hash; each subsection is sent when it is needed and not else. That each member is in one row: vmstate.py. */
#define _GNU_SOURCE
#include <stdarg.h>
#include <sys/mman.h>

#include "check.h"
#include "cpu/model/models.h"
#include "cpu/model/state.h"
#include "firmware/state.h"
#include "hcall/state.h"
#include "machine/board/devices.h"
#include "machine/core/device.h"
#include "machine/core/drc.h"
#include "machine/core/timers.h"
#include "machine/irq/xics.h"
#include "machine/irq/xive.h"
#include "machine/pci/pci.h"
#include "machine/pci/phb.h"
#include "machine/rtas/events.h"
#include "machine/snapshot/snapshot.h"
#include "machine/snapshot/statehash.h"
#include "machine/virtio/virtio.h"
#include "rig.h"
#include "savevm/savevm.h"
#include "savevm/stream.h"

#define MAX_STATES 256
#define MAX_NAMES  64

extern const struct vmstate vms_checks_state;

struct all {
	const struct vmstate *state[MAX_STATES];
	unsigned n;
};

static void collect(struct all *all, const struct vmstate *state)
{
	if (state == &pci_express_state)	/* the rows and the name are the other one's, as QEMU has them */
		return;
	for (unsigned i = 0; i < all->n; i++)
		if (all->state[i] == state)
			return;
	if (all->n == MAX_STATES) {
		printf("FAIL more than %d descriptions\n", MAX_STATES);
		exit(EXIT_FAILURE);
	}
	all->state[all->n++] = state;
	for (const struct vms_field *f = state->fields; f->kind; f++)
		if (f->state)
			collect(all, f->state);
	for (const struct vmstate *const *sub = state->subs; sub && *sub; sub++)
		collect(all, *sub);
}

static struct all collect_all(struct machine *m)
{
	struct all all = { .n = 0 };
	struct error err = { .msg = "" };
	struct vms_set set;
	struct vms_ram ram;

	if (!snapshot_sections(m, m->cpu, &set, &ram, &err))
		exit(EXIT_FAILURE);
	for (unsigned i = 0; i < set.sections; i++)
		collect(&all, set.section[i].state);
	for (const struct device_class *const *class = device_classes; *class; class++) {
		if ((*class)->state)
			collect(&all, (*class)->state);
		if ((*class)->own_state)
			collect(&all, (*class)->own_state);
	}
	collect(&all, &vms_checks_state);
	collect(&all, &pci_device_state);	/* parts of what a PCI device describes */
	collect(&all, &msix_state);
	snapshot_sections_free(&set, &ram);
	return all;
}

static void test_names(const struct all *all)
{
	bool unique = true, versions = true, owners = true;

	for (unsigned i = 0; i < all->n; i++) {
		const struct vmstate *a = all->state[i];

		/* QEMU has 0 where nobody has given it one. */
		versions &= a->version >= a->min_version && (a->min_version > 0 || !strcmp(a->name, "bochs-display"));
		for (unsigned k = 0; k < i; k++)
			unique &= strcmp(a->name, all->state[k]->name) != 0;
		/* A reader finds a subsection by its owner's name. */
		for (const struct vmstate *const *sub = a->subs; sub && *sub; sub++)
			owners &= !strncmp((*sub)->name, a->name, strlen(a->name)) && strlen((*sub)->name) > strlen(a->name) &&
				  (*sub)->struct_size == a->struct_size;
	}
	check(unique, "names-are-unique");
	check(versions, "versions");
	check(owners, "subsections-are-called-after-their-owner");
}

/* ---- Which bytes the rows are about: for vmstate.py, which knows what is padding ---- */

static void print_rows(const struct all *all)
{
	for (unsigned i = 0; i < all->n; i++)
		for (const struct vms_field *f = all->state[i]->fields; f->kind; f++)
			if (f->covers)
				printf("%s\t%zu\t%s\t%s\t%zu\t%zu\t%zu\t%u\n", all->state[i]->struct_name + strlen("struct "),
				       all->state[i]->struct_size, all->state[i]->name, f->name, f->offset, f->stride, f->covers,
				       f->pointer || f->kind == VMS_QUEUE ? 1 : f->count);
}

/* ---- What is saved comes back ---- */

/* Fields that a load compares with others, or that say how much follows. */
static bool is_bound(const char *name)
{
	static const char *const bound[] = {
		"vpa_addr", "slb_shadow_addr", "slb_shadow_size", "dtl_addr", "dtl_size", "fdt_size", "patb_entry", "proc_tbl",
		"budget", "phys", "claims", "head", "count", "in", "out", "mig_nb_table", "xirr_owner", "bitmap", "rtas_addr",
		"rtas_size", "extended_length", "id", "sum", "vscr", "env.fpscr", "status", "fdt_blob", "demand", "start", "size", "cut_end",
		"page_shift", "mig_table", "msi_devs_num", "key", "value.first_irq", "value.num",
		"crq.qladdr", "crq.qsize", "crq.qnext", "disk_state", "w", "w0", "line",
	};

	for (unsigned i = 0; i < sizeof bound / sizeof bound[0]; i++)
		if (!strcmp(name, bound[i]))
			return true;
	return false;
}

static void scramble_bytes(uint8_t *p, size_t n, uint64_t *seed)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)check_random(seed);
}

static void scramble(const struct vmstate *state, uint8_t *s, uint64_t *seed);

static void scramble_field(const struct vms_field *f, uint8_t *s, uint64_t *seed)
{
	uint8_t *p = f->pointer ? *(uint8_t **)(s + f->offset) : s + f->offset;
	uint32_t n = f->counted ? *(uint32_t *)(s + f->count_at) : f->count;

	/* What the array of SPRs carries. */
	if (f->kind == VMS_CARRIED_HERE && !strcmp(f->reason, "env.spr") && f->covers >= 4 && strcmp(f->name, "lpcr"))
		scramble_bytes(p, f->covers, seed);
	if (f->equal || is_bound(f->name))
		return;
	if (f->kind == VMS_NESTED)
		for (uint32_t i = 0; i < n; i++)
			scramble(f->state, p + i * f->stride, seed);
	if (f->kind == VMS_BYTES)
		scramble_bytes(p, n, seed);
	if (f->kind != VMS_VALUE)
		return;
	for (uint32_t i = 0; i < n; i++, p += f->stride) {
		uint64_t v = check_random(seed);

		if (f->limited)
			v %= f->most + 1;
		if (f->codec == &vms_bool)
			v &= 1;
		if (f->covers > 8)
			scramble_bytes(p, f->covers, seed);
		else
			memcpy(p, &v, f->covers);
	}
}

static void scramble(const struct vmstate *state, uint8_t *s, uint64_t *seed)
{
	for (const struct vms_field *f = state->fields; f->kind; f++)
		scramble_field(f, s, seed);
	for (const struct vmstate *const *sub = state->subs; sub && *sub; sub++)
		scramble(*sub, s, seed);
}

static void die_of(const char *what)
{
	printf("FAIL %s\n", what);
	exit(EXIT_FAILURE);
}

static uint8_t *file_for(struct machine *m, bool for_qemu, size_t *len)
{
	struct error err = { .msg = "" };
	int fd = memfd_create("snapshot", 0);
	struct vms_set set;
	struct vms_ram ram;
	uint8_t *data = NULL;
	bool ok = fd >= 0 && snapshot_sections(m, m->cpu, &set, &ram, &err) && savevm_write(&set, fd, for_qemu, &err);

	snapshot_sections_free(&set, &ram);
	*len = ok ? (size_t)lseek(fd, 0, SEEK_END) : 0;
	data = malloc(*len + 1);
	if (!ok || pread(fd, data, *len, 0) != (ssize_t)*len)
		printf("FAIL cannot write: %s\n", err.msg);
	close(fd);
	return data;
}

static uint8_t *file_of(struct machine *m, size_t *len) { return file_for(m, false, len); }

static bool read_file(struct machine *m, const uint8_t *data, size_t len, struct error *err)
{
	struct stream s;
	struct vms_set set;
	struct vms_ram ram;
	bool ok;

	machine_clear(m);
	if (!snapshot_sections(m, m->cpu, &set, &ram, err) || !stream_open_memory(&s, data, len, err))
		return false;
	ok = savevm_read_stream(&set, &s);
	*err = s.error;
	stream_close(&s);
	snapshot_sections_free(&set, &ram);
	return ok;
}

/* Connectors are for unit/drc: what their states can be follows from what is plugged in. */
static void scramble_all(struct vms_set *set, uint64_t *seed)
{
	for (unsigned i = 0; i < set->sections; i++)
		if (strncmp(set->section[i].name, "spapr_drc", 9) && strcmp(set->section[i].name, "cede/drc"))
			scramble(set->section[i].state, set->section[i].object, seed);
}

static void test_random(struct rig *a, struct rig *b)
{
	uint64_t seed = 9, other = 10;	/* so that the first has something typed: what is not sent is not changed */
	size_t len_a, len_b, end;
	uint8_t *file_a, *file_b, *text;
	struct error err = { .msg = "" };
	struct vms_set set;
	struct vms_ram ram;
	bool ok;

	snapshot_sections(a->m, a->m->cpu, &set, &ram, &err);
	scramble_all(&set, &seed);
	snapshot_sections_free(&set, &ram);
	snapshot_sections(b->m, b->m->cpu, &set, &ram, &err);
	scramble_all(&set, &other);
	snapshot_sections_free(&set, &ram);
	file_a = file_of(a->m, &len_a);
	ok = read_file(b->m, file_a, len_a, &err);
	check(ok, "random-state-loads%s%s", ok ? "" : ": ", ok ? "" : err.msg);
	file_b = file_of(b->m, &len_b);
	check(len_a == len_b && !memcmp(file_a, file_b, len_a), "random-state-comes-back");
	/* A bit anywhere in a section is seen, if by nothing else then by its checksum. Behind them is text. */
	text = memmem(file_a, len_a, "{\"page_size\"", 12);
	end = text ? (size_t)(text - file_a) : 0;
	ok = text != NULL;
	for (unsigned i = 0; i < 400; i++) {
		size_t at = (size_t)(check_random(&seed) % 20000) + 0x40;

		file_a[end - at] ^= (uint8_t)(1 << check_random(&seed) % 8);
		ok &= !read_file(b->m, file_a, len_a, &err);
		memcpy(file_a, file_b, len_a);
	}
	check(ok, "no-bit-flips-unseen");
	free(file_a);
	free(file_b);
}

/* ---- Subsections ---- */

struct flip {
	const char *name;
	void (*on)(struct machine *m, bool on);
};

static struct spapr_cpu *cpu0(struct machine *m) { return m->cpu[0]; }
static struct phb *phb_of(struct machine *m) { return (struct phb *)device_next(m, NULL, &phb_class); }
static struct config *options_of(struct machine *m) { return (struct config *)(uintptr_t)m->config; }

static void flip_vpa(struct machine *m, bool on) { cpu0(m)->vpa_addr = on ? 0x10000 : 0; }
static void flip_shadow(struct machine *m, bool on) { cpu0(m)->slb_shadow_addr = on ? 0x11000 : 0; cpu0(m)->slb_shadow_size = on ? 640 : 0; }
static void flip_dtl(struct machine *m, bool on) { cpu0(m)->dtl_addr = on ? 0x12000 : 0; cpu0(m)->dtl_size = on ? 480 : 0; }
static void flip_compat(struct machine *m, bool on) { m->cpu[0]->cpu.logical_pvr = m->cpu[1]->cpu.logical_pvr = on ? 0x0f000005 : 0; }
static void flip_patb(struct machine *m, bool on) { m->proc_tbl = on ? PPC_BIT(0) | 0x10000 | 4 : 0; }
static void flip_fwnmi(struct machine *m, bool on) { m->fwnmi_mcheck = on ? 0x1000 : 0; }
static void flip_cfpc(struct machine *m, bool on) { options_of(m)->cfpc = on ? MITIGATION_FIXED : MITIGATION_WORKAROUND; }
static void flip_sbbc(struct machine *m, bool on) { options_of(m)->sbbc = on ? MITIGATION_BROKEN : MITIGATION_WORKAROUND; }
static void flip_ibs(struct machine *m, bool on) { options_of(m)->ibs = on ? MITIGATION_FIXED_NA : MITIGATION_WORKAROUND; }
static void flip_decr(struct machine *m, bool on) { options_of(m)->large_decr = !on; }
static void flip_htm(struct machine *m, bool on) { options_of(m)->htm = on; }
static void flip_dfp(struct machine *m, bool on) { options_of(m)->dfp = !on; }
static void flip_ccf(struct machine *m, bool on) { options_of(m)->ccf_assist = !on; }
static void flip_rpt(struct machine *m, bool on) { options_of(m)->rpt_invalidate = on; }
static void flip_dawr1(struct machine *m, bool on)
{
	options_of(m)->dawr1 = !on;
	options_of(m)->cpu_model = on ? cpu_model_find("power10") : cpu_models[0];
}
static void flip_ex(struct machine *m, bool on) { phb_of(m)->window[0].bus_offset = on ? 0x1000 : 0; }
static void flip_window(struct machine *m, bool on)
{
	struct tce_window *w = &phb_of(m)->window[0];

	if (on ? !tce_open(w, 0, 12, 4) : !tce_reset(w))
		check(false, "no memory for a window");
}
static void flip_msi(struct machine *m, bool on) { m->msi_map[3] = on; }
static void flip_line(struct machine *m, bool on) { m->xive->tctx[1].line = on ? 0x10000 : XIVE_NO_LINE; }
static void flip_boot(struct machine *m, bool on) { m->firmware->booted = on; }
static void flip_menu(struct machine *m, bool on) { m->firmware->menu.first = on; }
static void flip_vasi(struct machine *m, bool on) { m->vasi_stream = on; }
static void flip_timing(struct machine *m, bool on) { m->cpu[0]->cpu.timing_model = on; }

static void flip_copy(struct machine *m, bool on) { m->cpu[0]->cpu.copied = on; }

static void flip_disks(struct machine *m, bool on) { m->disk_state[0] = on ? 'd' : 0; }

static void never(void *dev) { (void)dev; }

static void flip_timers(struct machine *m, bool on)
{
	static struct event tick;

	if (!tick.device)
		timer_init(m->devices, &tick, "tick", never);
	if (on)
		event_schedule(m, &tick, m->clock.now + CPU_HZ);
	else
		event_cancel(m, &tick);
}

extern const struct device_class virtio_rng_class, vga_class;

/* The one that the first of these makes. */
static struct virtio_device *rng_of(struct machine *m)
{
	struct device *dev = device_next(m, NULL, &virtio_rng_class);
	struct error err;

	if (!dev && (dev = device_new(m, &virtio_rng_class, "", &err)))
		virtio_rng_class.reset(dev);
	if (!dev)
		die_of("no virtio-rng-pci");
	return (struct virtio_device *)dev;
}

static void flip_endian(struct machine *m, bool on) { rng_of(m)->big_endian = !on; }

static void flip_screen(struct machine *m, bool on)
{
	struct device *dev = device_next(m, NULL, &vga_class);
	struct error err;

	if (!dev && !(dev = device_new(m, &vga_class, "", &err)))
		die_of("no VGA");
	vga_class.endian(dev, !on);
}
static void flip_modern(struct machine *m, bool on) { rng_of(m)->disable_modern = !on; }
static void flip_ring(struct machine *m, bool on) { rng_of(m)->queue[0].size = on ? 4 : 8; }
static void flip_broken(struct machine *m, bool on) { rng_of(m)->broken = on; }
static void flip_started(struct machine *m, bool on) { rng_of(m)->status = on ? VIRTIO_S_DRIVER_OK : 0; }
static void flip_disabled(struct machine *m, bool on) { rng_of(m)->disabled = on; }

static void flip_hpt(struct machine *m, bool on) { m->hpt_prepared = on ? 20 : 0; }

static struct drc *connector_of(struct machine *m) { return drc_find(m, DRC_PCI | ((struct pci_device *)rng_of(m))->devfn); }
static void flip_connector(struct machine *m, bool on) { connector_of(m)->state = on ? DRC_POWERED : DRC_CONFIGURED; }
static void flip_unplug(struct machine *m, bool on) { connector_of(m)->unplugging = on; }
static void flip_light(struct machine *m, bool on) { connector_of(m)->indicator = on ? DRC_IDENTIFY : DRC_ACTIVE; }
static void flip_step(struct machine *m, bool on) { connector_of(m)->step = on ? 5 : 0; }

static void flip_awaits(struct machine *m, bool on) { m->cpu[0]->vp.awaits[3] = on; }
static void flip_energy(struct machine *m, bool on) { m->energy[1].priority[255] = on; }

static void flip_event(struct machine *m, bool on)
{
	if (on)
		events_powerdown(m);
	else
		events_clear(m);
}

static const struct flip flips[] = {
	{ "spapr_cpu/vpa", flip_vpa }, { "spapr_cpu/vpa/slb_shadow", flip_shadow }, { "spapr_cpu/vpa/dtl", flip_dtl },
	{ "cpu/compat", flip_compat }, { "spapr_patb_entry", flip_patb }, { "spapr_pending_events", flip_event },
	{ "spapr/cap/cfpc", flip_cfpc }, { "spapr/cap/sbbc", flip_sbbc }, { "spapr/cap/ibs", flip_ibs },
	{ "spapr/cap/htm", flip_htm }, { "spapr/cap/dfp", flip_dfp }, { "spapr/cap/large_decr", flip_decr }, { "spapr/cap/ccf_assist", flip_ccf },
	{ "spapr/cap/rpt_invalidate", flip_rpt }, { "spapr/cap/dawr1", flip_dawr1 }, { "spapr_fwnmi", flip_fwnmi },
	{ "spapr_iommu_ex", flip_ex }, { "spapr_iommu", flip_window }, { "spapr_irq_map", flip_msi },
	{ "cede/xive", flip_line }, { "vga.endian", flip_screen },
	{ "virtio/device_endian", flip_endian }, { "virtio/64bit_features", flip_modern }, { "virtio/virtqueues", flip_modern },
	{ "virtio/ringsize", flip_ring }, { "virtio/broken", flip_broken }, { "virtio_pci/modern_state", flip_modern },
	{ "virtio/started", flip_started }, { "virtio/disabled", flip_disabled },
	{ "cede/machine/vasi", flip_vasi }, { "cede/machine/hpt", flip_hpt }, { "cede/timers", flip_timers }, { "cede/firmware/boot", flip_boot },
	{ "cede/firmware/menu", flip_menu },
	{ "spapr_drc", flip_connector }, { "spapr_drc/unplug_requested", flip_unplug }, { "spapr_drc/physical", flip_light },
	{ "cede/drc", flip_step }, { "cede/vcpu/thread/awaits", flip_awaits }, { "cede/machine/energy/more", flip_energy }, { "cede/disks", flip_disks }, { "cede/cpu/timing", flip_timing },
	{ "cede/cpu/copy", flip_copy },
};

/* What this machine never sends, or always does. */
static bool is_fixed(const char *name)
{
	static const char *const fixed[] = {
		"spapr/cap/vsx", "spapr/cap/nested_kvm_hv", "spapr/cap/fwnmi",
		"spapr/cap/hpt_maxpagesize",
		"cpu/bhrb",		/* test_branch_history() below */
		"cede/medium",		/* tests/snapshot/disks.py */
		"cede/console",		/* tests/snapshot/snapshot.py */
		"cede/p9/fid/place",	/* tests/unit/p9.c */
		"cede/dispatcher/more",	/* tests/linux/hotplug.py many */
		"cede/timing",		/* tests/snapshot/snapshot.py, equal */
	};

	for (unsigned i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
		if (!strcmp(name, fixed[i]))
			return true;
	return false;
}

/* Is the name in the file, as sections and subsections give theirs? */
static bool in_file(struct machine *m, bool for_qemu, const char *name)
{
	char wanted[80];
	size_t len, n = strlen(name);
	uint8_t *data = file_for(m, for_qemu, &len);
	bool found;

	wanted[0] = (char)n;
	memcpy(wanted + 1, name, n);
	/* The JSON text has it too, but no length byte before it. */
	found = memmem(data, len, wanted, n + 1) != NULL;
	free(data);
	return found;
}

static void test_needed(const struct all *all, struct machine *m)
{
	for (unsigned i = 0; i < all->n; i++) {
		const struct flip *flip = NULL;

		if (!all->state[i]->needed || is_fixed(all->state[i]->name))
			continue;
		for (unsigned k = 0; k < sizeof flips / sizeof flips[0]; k++)
			if (!strcmp(flips[k].name, all->state[i]->name))
				flip = &flips[k];
		if (!check(flip != NULL, "%s-is-tested", all->state[i]->name))
			continue;
		if (strstr(flip->name, "vpa/"))
			flip_vpa(m, true);
		if (!strcmp(flip->name, "spapr_iommu_ex"))
			flip_window(m, true);
		flip->on(m, false);
		check(!in_file(m, false, flip->name), "%s-not-needed", flip->name);
		flip->on(m, true);
		check(in_file(m, false, flip->name), "%s-needed", flip->name);
		if (all->state[i]->newer)
			check(!in_file(m, true, flip->name), "%s-not-for-QEMU-7.2", flip->name);
		flip->on(m, false);
		flip_vpa(m, false);
		flip_window(m, false);
	}
}

/* ---- Each field alone ---- */

/* What a field may be changed to, if any number will not do: other bits have no meaning. */
static const struct bits {
	const char *name;
	uint64_t mask;
} some_bits[] = {
	{ "msr", MSR_EE | MSR_ME }, { "vscr", 0x10001 }, { "env.fpscr", 3 }, { "lpcr", LPCR_AIL | LPCR_ILE }, { "status", 7 },
};

/* Fields that cannot be changed alone: a tree's first byte; what has been taken of what is there; a queue of a device that
 * has none. */
static const char *const whole[] = { "fdt_blob", "out", "crq.qsize", "crq.qnext" };

struct flipper {
	struct rig *a, *b;
	uint8_t *base;			/* what a machine is saved as to which nothing is done */
	size_t base_len;
	unsigned tried, refused;
	bool full;			/* everything is there */
};

static bool is_whole(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(whole); i++)
		if (!strcmp(name, whole[i]))
			return true;
	return false;
}

static bool saves(struct machine *m, uint8_t **data, size_t *len)
{
	struct error err = { .msg = "" };
	int fd = memfd_create("snapshot", 0);
	struct vms_set set;
	struct vms_ram ram;
	bool ok = fd >= 0 && snapshot_sections(m, m->cpu, &set, &ram, &err) && savevm_write(&set, fd, false, &err);

	snapshot_sections_free(&set, &ram);
	*len = ok ? (size_t)lseek(fd, 0, SEEK_END) : 0;
	*data = malloc(*len + 1);
	ok = ok && pread(fd, *data, *len, 0) == (ssize_t)*len;
	close(fd);
	return ok;
}

/* With the field as it is now: false: it is not saved. Else it loads, to the same file and the same state. */
static bool comes_back(struct flipper *f, const struct vmstate *state, const char *name, unsigned i)
{
	uint8_t *data, *again;
	struct error err = { .msg = "" };
	size_t len, len2 = 0;
	bool saved = saves(f->a->m, &data, &len), loads, same, changed;

	if (saved) {
		loads = read_file(f->b->m, data, len, &err);
		saves(f->b->m, &again, &len2);
		same = loads && len == len2 && !memcmp(data, again, len) && machine_statehash(f->a->m) == machine_statehash(f->b->m);
		changed = len != f->base_len || memcmp(data, f->base, len);
		if (!same || !changed)
			check(false, "%s-%s-%s-%u-comes-back%s%s%s", f->full ? "full" : "plain", state->name, name, i, loads ? "" : ": ", loads ? "" : err.msg,
			      same ? ": it is not saved" : loads ? ": as something else" : "");
		free(again);
	}
	free(data);
	return saved;
}

static uint64_t candidate(const struct vms_field *f, uint64_t old, unsigned n)
{
	const uint64_t values[] = { old ^ 1, 1, f->most, f->most / 2, 0, old + 0x1000, old ^ 0x100, UINT64_C(0x5a5a5a5a5a5a5a5a) };
	uint64_t v = values[n];

	for (size_t i = 0; i < ARRAY_SIZE(some_bits); i++)
		if (!strcmp(f->name, some_bits[i].name))
			v = old ^ (some_bits[i].mask & (v ^ old ? UINT64_C(1) << (n * 8) % 64 | some_bits[i].mask : 0));
	if (f->codec == &vms_bool)
		v = !old;
	return f->limited && v > f->most ? f->most : v;
}

/* Whether the state hash is to know of a change, `was` being what it has had in place of the bytes. */
static bool must_show(const struct vms_field *field, const uint8_t *s, uint64_t was)
{
	return !field->unhashed && (!field->hash || field->hash(s) != was);
}

/* Of each element of `width` bytes at p, in the struct s. */
static void flip_element(struct flipper *f, const struct vmstate *state, const struct vms_field *field, uint8_t *s, uint8_t *p, size_t width,
			 unsigned i)
{
	uint64_t old = 0, before = machine_statehash(f->a->m), was = field->hash ? field->hash(s) : 0;
	bool saved = false, wrong = false;

	memcpy(&old, p, width);
	for (unsigned n = 0; n < 8 && !saved; n++) {
		uint64_t v = candidate(field, old, n);
		bool shows, must;

		if (!memcmp(&v, &old, width))
			continue;
		memcpy(p, &v, width);
		must = must_show(field, s, was);
		shows = machine_statehash(f->a->m) != before;
		saved = comes_back(f, state, field->name, i);
		wrong |= shows != must && (saved || !must);
		memcpy(p, &old, width);
	}
	f->tried++;
	f->refused += !saved;
	if (!saved && f->full && !is_whole(field->name))
		check(false, "%s-%s-%s-%u-can-be-saved-as-something", f->full ? "full" : "plain", state->name, field->name, i);
	if (wrong)
		check(false, "%s-%s-%s-%u-%s-the-hash", f->full ? "full" : "plain", state->name, field->name, i,
		      field->unhashed ? "does-not-move" : "moves");
}

static void flip_state(struct flipper *f, const struct vmstate *state, uint8_t *s);

/* The first, the last, and one between; sources are told apart by their kind. */
static bool is_sample(const struct vms_field *field, const uint8_t *p, uint32_t i, uint32_t n)
{
	if (field->state && !strcmp(field->state->name, "ics/irq"))
		return ((const struct xics_source *)p)->kind != XICS_FREE;
	return i == 0 || i == n - 1 || i == n / 2;
}

/* Says how many of another there are: nothing to be changed alone. */
static bool is_count(const struct vmstate *state, const struct vms_field *field)
{
	for (const struct vms_field *f = state->fields; f->kind; f++)
		if (f->counted && f->count_at == field->offset && field->kind == VMS_VALUE)
			return true;
	return false;
}

static void flip_field(struct flipper *f, const struct vmstate *state, const struct vms_field *field, uint8_t *s)
{
	uint8_t *p = field->pointer ? *(uint8_t **)(s + field->offset) : s + field->offset;
	uint32_t n = field->counted ? *(uint32_t *)(s + field->count_at) : field->count;
	size_t width = field->pointer ? field->stride : field->covers;

	if (field->kind == VMS_QUEUE && *(uint8_t **)p)
		flip_state(f, field->state, *(uint8_t **)p);
	if (field->kind != VMS_VALUE && field->kind != VMS_BYTES && field->kind != VMS_NESTED && field->kind != VMS_CARRIED_HERE)
		return;
	if (field->equal || is_count(state, field))
		return;
	for (uint32_t i = 0; i < n; i++)
		if (!is_sample(field, p + i * field->stride, i, n))
			continue;
		else if (field->kind == VMS_NESTED)
			flip_state(f, field->state, p + i * field->stride);
		else
			for (size_t k = 0; k < width; k += 8)
				flip_element(f, state, field, s, p + i * field->stride + k, width - k < 8 ? width - k : 8, i);
}

static void flip_state(struct flipper *f, const struct vmstate *state, uint8_t *s)
{
	if (state->needed && !state->needed(s))
		return;
	for (const struct vms_field *field = state->fields; field->kind; field++)
		flip_field(f, state, field, s);
	for (const struct vmstate *const *sub = state->subs; sub && *sub; sub++)
		flip_state(f, *sub, s);
}

/* Waits in the console to be read: what else its section has counts only then. */
static void type_something(struct machine *m, bool on)
{
	struct vms_set set;
	struct vms_ram ram;
	struct error err;

	if (!snapshot_sections(m, m->cpu, &set, &ram, &err))
		die_of("sections");
	for (unsigned i = 0; i < set.sections; i++)
		for (const struct vms_field *f = set.section[i].state->fields; f->kind; f++)
			if (!strcmp(set.section[i].name, "cede/console") && !strcmp(f->name, "count"))
				*(uint32_t *)((uint8_t *)set.section[i].object + f->offset) = on ? 5 : 0;
	snapshot_sections_free(&set, &ram);
}

static void flip_all(struct rig *a, struct rig *b, bool full)
{
	struct flipper f = { .a = a, .b = b, .full = full };
	struct vms_set set;
	struct vms_ram ram;
	struct error err;
	unsigned failures = check_failures;

	type_something(a->m, full);
	if (!saves(a->m, &f.base, &f.base_len) || !snapshot_sections(a->m, a->m->cpu, &set, &ram, &err))
		die_of("base");
	for (unsigned i = 0; i < set.sections; i++) {
		flip_state(&f, set.section[i].state, set.section[i].object);
	}
	snapshot_sections_free(&set, &ram);
	free(f.base);
	check(f.tried > 300, "%s-fields-found: %u", full ? "full" : "plain", f.tried);
	check(check_failures == failures, "%s-each-field-alone-comes-back: %u, %u of them not to be changed", full ? "full" : "plain", f.tried, f.refused);
}

/* A machine as it is after power-on, and one that has all that can be there. */
static void test_fields(void)
{
	struct rig a, b;

	rig_new_pool(&a, "2", "procs=1,load=0.5");
	rig_new_pool(&b, "2", "procs=1,load=0.5");
	flip_all(&a, &b, false);
	rig_free(&b);
	rig_new_pool(&b, "2", "procs=1,load=0.5");
	flip_vpa(a.m, true);
	flip_shadow(a.m, true);
	flip_dtl(a.m, true);
	flip_patb(a.m, true);
	flip_fwnmi(a.m, true);
	flip_vasi(a.m, true);
	flip_event(a.m, true);
	flip_window(a.m, true);
	flip_ex(a.m, true);
	flip_msi(a.m, true);
	phb_of(a.m)->msi[0] = (struct phb_msi){ 0x800, 0x1300, 4 };
	phb_of(a.m)->msis = 1;
	flip_line(a.m, true);
	a.m->cpu[1]->vpa_addr = 0x20000;
	a.m->cpu[1]->slb_shadow_addr = a.m->cpu[1]->dtl_addr = 0x21000;
	a.m->cpu[1]->slb_shadow_size = a.m->cpu[1]->dtl_size = 640;
	flip_all(&a, &b, true);
	rig_free(&a);
	rig_free(&b);
}

/* ---- From another hypervisor ---- */

/* What its stream does not say is not left over from whoever was here before. */
static void test_adopted(void)
{
	struct rig a, b;
	struct vms_set set;
	struct vms_ram ram;
	struct error err = { .msg = "" };
	int fd = memfd_create("snapshot", 0);
	bool ok;

	rig_new(&a, "2");
	rig_new(&b, "2");
	flip_compat(a.m, false);
	ok = fd >= 0 && snapshot_sections(a.m, a.m->cpu, &set, &ram, &err) && savevm_write(&set, fd, true, &err);
	snapshot_sections_free(&set, &ram);
	b.m->cas_done = b.m->splpar_off = true;
	b.m->energy[0].made = 7;
	b.m->compat_pvr = b.m->cpu[0]->cpu.logical_pvr;
	machine_clear(b.m);
	ok = ok && !lseek(fd, 0, SEEK_SET) && snapshot_load_fd(b.m, fd, &err);
	check(ok, "a-stream-without-our-sections-loads%s%s", ok ? "" : ": ", ok ? "" : err.msg);
	check_eq(b.m->cpu[0]->cpu.logical_pvr, 0, "no-compat-is-raw");
	check_eq(b.m->cpu[1]->cpu.logical_pvr, 0, "no-compat-is-raw-2");
	check_eq(b.m->compat_pvr, 0, "the-machine-knows-it");
	check(!b.m->cas_done && !b.m->splpar_off && !b.m->energy[0].made, "nothing-is-left-over");
	close(fd);
	rig_free(&a);
	rig_free(&b);
}

/* A POWER9 that appears as a POWER8 goes on as one; not with a radix tree, which no POWER8 can have. */
static void adopt_as_power8(bool radix, struct error *err, struct rig *b)
{
	struct rig a;
	struct vms_set set;
	struct vms_ram ram;
	int fd = memfd_create("snapshot", 0);

	rig_new(&a, "1");
	rig_new(b, "1");
	b->options.cpu_model = cpu_model_find("power8");
	a.m->cpu[0]->cpu.logical_pvr = 0x0f000004;
	a.m->cpu[0]->cpu.lpcr = LPCR_LD | LPCR_ILE;
	a.m->cpu[0]->cpu.dawr[1] = 0x3000;
	a.m->cpu[0]->cpu.dawrx[1] = 7;
	a.m->proc_tbl = radix ? PPC_BIT(0) | 0x1000000 : 0;
	if (fd < 0 || !snapshot_sections(a.m, a.m->cpu, &set, &ram, err) || !savevm_write(&set, fd, true, err) || lseek(fd, 0, SEEK_SET))
		die_of(err->msg);
	snapshot_sections_free(&set, &ram);
	machine_clear(b->m);
	check_eq(snapshot_load_fd(b->m, fd, err), !radix, "power8-loads-%s: %s", radix ? "radix" : "hash", err->msg);
	close(fd);
	rig_free(&a);
}

static void test_adopted_by_another_model(void)
{
	struct error err = { .msg = "" };
	struct rig b;

	adopt_as_power8(false, &err, &b);
	check_eq(b.m->cpu[0]->cpu.pvr, b.options.cpu_model->pvr, "power8-PVR");
	check_eq(b.m->cpu[0]->cpu.lpcr, LPCR_ILE, "power8-LPCR");
	check(!b.m->cpu[0]->cpu.dawr[1] && !b.m->cpu[0]->cpu.dawrx[1], "power8-has-one-watchpoint");
	rig_free(&b);
	adopt_as_power8(true, &err, &b);
	check(strstr(err.msg, "power8 has no radix MMU"), "power8-says-so: %s", err.msg);
	rig_free(&b);
}

/* A POWER10 of QEMU 10: one description more, whose contents mean nothing here, and a later version of another. */
static void test_branch_history(void)
{
	static const char name[] = "cpu/bhrb", slb[] = "cpu/slb";
	uint8_t data[16384], *at;
	struct rig rig;
	struct stream s;
	struct vms_walk w = { .stream = &s, .section = "cpu" };
	int fd = memfd_create("cpu", 0);
	ssize_t n;

	rig_new(&rig, "1");
	check(fd >= 0 && stream_open(&s, fd, true, NULL), "opened");
	vms_save(&w, &cpu_state, &rig.m->cpu[0]->cpu);
	stream_flush(&s);
	stream_close(&s);
	n = pread(fd, data, sizeof data - 512, 0);
	close(fd);
	check(n > 0 && !memmem(data, (size_t)n, name, sizeof name - 1), "never-sent");
	at = n > 0 ? memmem(data, (size_t)n, slb, sizeof slb - 1) : NULL;
	check(at && at[sizeof slb - 1 + 3] == 1, "as-the-version-that-all-read");
	if (at) {
		at[sizeof slb - 1 + 3] = 2;
		at = data + n;
		*at++ = 5;		/* a subsection: its name, its version, its fields */
		*at++ = sizeof name - 1;
		at = (uint8_t *)memcpy(at, name, sizeof name - 1) + sizeof name - 1;
		memcpy(at, "\0\0\0\1", 4);
		memset(at + 4, 0xa5, 264);
		n = at + 4 + 264 - data;
		check(stream_open_memory(&s, data, (size_t)n, NULL) && vms_load(&w, &cpu_state, &rig.m->cpu[0]->cpu, cpu_state.version) &&
		      stream_position(&s) == (uint64_t)n, "taken%s", s.error.msg);
		stream_close(&s);
	}
	rig_free(&rig);
}

/* ---- What no load takes is not saved ---- */

static void test_refused(void)
{
	struct rig a;
	uint8_t *data;
	size_t len;

	rig_new(&a, "2");
	check(saves(a.m, &data, &len), "saves-as-it-is");
	free(data);
	a.m->clock.now = (UINT64_C(1) << 57) + 1;
	check(!saves(a.m, &data, &len), "no-save-behind-the-clocks-end");
	free(data);
	a.m->clock.now = 5000000;
	a.m->cpu[0]->dtl_addr = 0x1234;
	check(!saves(a.m, &data, &len), "no-save-with-a-log-that-cannot-be");
	free(data);
	rig_free(&a);
}

int main(int argc, char **argv)
{
	struct rig a, b;
	struct all all;

	rig_new(&a, "2");
	all = collect_all(a.m);
	if (argc > 1 && !strcmp(argv[1], "--rows")) {
		print_rows(&all);
		rig_free(&a);
		return EXIT_SUCCESS;
	}
	check(all.n > 30, "descriptions-found");
	test_names(&all);
	test_needed(&all, a.m);
	rig_free(&a);
	rig_new(&a, "2");
	rig_new(&b, "2");
	test_random(&a, &b);
	rig_free(&a);
	rig_free(&b);
	test_fields();
	test_adopted();
	test_adopted_by_another_model();
	test_branch_history();
	test_refused();
	return check_done();
}
