/* The sections of a snapshot in QEMU's order, one row each; what is checked when all are loaded; and
 * what QEMU needs that cannot be had from a running guest, done to copies of its processors. */
#define _GNU_SOURCE
#include "machine/snapshot/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cpu/model/state.h"
#include "cpu/core/spr.h"
#include "firmware/firmware.h"
#include "hcall/dispatcher.h"
#include "hcall/state.h"
#include "machine/board/pseries.h"
#include "machine/core/clock.h"
#include "machine/core/memory.h"
#include "machine/host/console.h"
#include "machine/host/term.h"
#include "machine/irq/xics.h"
#include "machine/irq/xive_idle.h"
#include "machine/pci/phb_idle.h"
#include "machine/core/config.h"
#include "machine/snapshot/progress.h"
#include "machine/snapshot/state.h"
#include "machine/vio/nvram.h"
#include "machine/vio/vio_vty.h"
#include "savevm/file.h"
#include "savevm/inspect.h"
#include "savevm/savevm.h"

#define MACHINE_CLASS "pseries-7.2"
#define RAM_BLOCK     "ppc_spapr.ram"
#define MAX_BESIDE    (UINT64_C(256) << 20)	/* bytes of a stream that are not memory */

/* ---- The sections ---- */

/* What is being listed: `cpu` are the machine's processors, or copies of them. */
struct listing {
	struct machine *m;
	struct spapr_cpu *const *cpu;
};

/* How many of a row there are. Rows next to each other that go by processor are written for each
 * processor in turn. */
enum each { ONCE, EACH_CPU, EACH_VIO, EACH_CONSOLE, EACH_WINDOW };

struct row {
	const char *name;
	enum each each;
	bool own;
	const struct vmstate *state;	/* NULL: the device's */
	void *(*object)(const struct listing *l, unsigned i);
};

static void *the_machine(const struct listing *l, unsigned i) { (void)i; return l->m; }
static void *the_xics(const struct listing *l, unsigned i) { (void)i; return l->m->xics; }
static void *the_firmware(const struct listing *l, unsigned i) { (void)i; return l->m->firmware; }
static void *the_dispatcher(const struct listing *l, unsigned i) { (void)i; return l->m->dispatcher; }
static void *the_phb(const struct listing *l, unsigned i) { (void)i; return l->m->phb; }
static void *the_window(const struct listing *l, unsigned i) { return &l->m->phb->window[i]; }
static void *the_xive(const struct listing *l, unsigned i) { (void)i; return l->m->xive; }
static void *the_tctx(const struct listing *l, unsigned i) { return &l->m->xive->tctx[i]; }
static void *the_cpu(const struct listing *l, unsigned i) { return &l->cpu[i]->cpu; }
static void *the_vcpu(const struct listing *l, unsigned i) { return l->cpu[i]; }

static void *the_device(const struct listing *l, unsigned i)
{
	struct vio_device *dev = l->m->vio->devices;

	while (dev && i--)
		dev = dev->next;
	return dev;
}

static const struct row rows[] = {
	{ "timer",           ONCE,        false, &timer_state,         the_machine },
	{ "ics",             ONCE,        false, &ics_state,           the_xics },
	{ "xive-source",     ONCE,        false, &xive_source_state,   the_xive },
	{ "spapr-xive",      ONCE,        false, &spapr_xive_state,    the_xive },
	{ "cpu_common",      EACH_CPU,    false, &cpu_common_state,    the_cpu },
	{ "cpu",             EACH_CPU,    false, &cpu_state,           the_cpu },
	{ "icp/server",      EACH_CPU,    false, &icp_state,           the_vcpu },
	{ "xive-tctx",       EACH_CPU,    false, &xive_tctx_state,     the_tctx },
	{ "spapr_cpu",       EACH_CPU,    false, &spapr_cpu_state,     the_vcpu },
	{ "spapr/rtc",       ONCE,        false, &rtc_state,           the_machine },
	{ "",                EACH_VIO,    false, NULL,                 the_device },
	{ "spapr_iommu",     EACH_WINDOW, false, &spapr_iommu_state,   the_window },
	{ "spapr_pci",       ONCE,        false, &spapr_pci_state,     the_phb },
	{ "PCIBUS",          ONCE,        false, &pci_bus_state,       the_phb },
	{ "spapr",           ONCE,        false, &spapr_state,         the_machine },
	{ "globalstate",     ONCE,        false, &globalstate_state,   the_machine },
	/* What follows is exact, and takes the place of what the above could say of it. */
	{ "cede/clock",      ONCE,        true,  &cede_clock_state,    the_machine },
	{ "cede/machine",    ONCE,        true,  &cede_machine_state,  the_machine },
	{ "cede/cpu",        EACH_CPU,    true,  &cede_cpu_state,      the_cpu },
	{ "cede/vcpu",       EACH_CPU,    true,  &cede_vcpu_state,     the_vcpu },
	{ "cede/dispatcher", ONCE,        true,  &dispatcher_state,    the_dispatcher },
	{ "cede/firmware",   ONCE,        true,  &cede_firmware_state, the_firmware },
	{ "",                EACH_VIO,    true,  NULL,                 the_device },
	{ "cede/console",    EACH_CONSOLE, true, &console_state,       the_device },
};

#define MAX_SECTIONS (ARRAY_SIZE(rows) * (MACHINE_MAX_CPUS + CONFIG_MAX_SERIAL + 2))

static unsigned how_many(const struct listing *l, enum each each)
{
	unsigned n = 0;

	switch (each) {
	case ONCE:
		return 1;
	case EACH_CPU:
		return l->m->ncpus;
	case EACH_WINDOW:
		return PHB_WINDOWS;
	case EACH_VIO:
	case EACH_CONSOLE:
		while (the_device(l, n))
			n++;
		return n;
	}
	return 0;
}

static void list_device(const struct row *row, struct vio_device *dev, struct vms_section *s)
{
	struct console *console = NULL;

	if (row->each == EACH_CONSOLE) {
		struct vty *vty = vty_find(dev->machine, dev->reg);

		console = vty ? vty_console(vty) : NULL;
		s->object = console;
		s->instance = dev->reg;
		s->state = console ? row->state : NULL;
		return;
	}
	s->state = row->own ? dev->class->own_state : dev->class->state;
	if (s->state)
		snprintf(s->name, sizeof s->name, "%s@%x/%s", dev->class->name, (unsigned)dev->reg, s->state->name);
}

static void list(const struct listing *l, const struct row *row, unsigned i, struct vms_set *set)
{
	struct vms_section *s = &set->section[set->sections];

	*s = (struct vms_section){
		.state = row->state, .object = row->object(l, i), .own = row->own,
		.instance = row->each == EACH_WINDOW ? PHB_FIRST_LIOBN + i : row->each == EACH_CPU ? i : 0,
	};
	snprintf(s->name, sizeof s->name, "%s", row->name);
	if (row->each == EACH_VIO || row->each == EACH_CONSOLE)
		list_device(row, s->object, s);
	if (s->state)
		set->sections++;
}

/* Guest memory, as savevm/ asks for it. */
struct source {
	struct memory_used used;
	struct progress progress;
	struct ram *ram;
	const struct vms_ram *vms;
	const struct snapshot_options *told;
};

static uint64_t next_used(void *opaque, uint64_t from)
{
	return memory_used_next(&((struct source *)opaque)->used, from);
}

static bool map_file(void *opaque, uint64_t gra, int fd, uint64_t at, uint64_t len)
{
	return memory_map_file(((struct source *)opaque)->ram, gra, fd, at, len);
}

static void tell(void *opaque, uint64_t done)
{
	progress_at(&((struct source *)opaque)->progress, done);
}

static void pass_on(void *opaque, uint64_t done)
{
	const struct source *source = opaque;

	source->told->tell(source->told->teller, done, source->vms->sent, source->vms->zeros);
}

static void tell_others(struct vms_ram *ram, const struct snapshot_options *o)
{
	struct source *source = ram->opaque;

	source->vms = ram;
	source->told = o;
	ram->progress = pass_on;
}

/* Until snapshot_sections_free(). */
static void show_progress(struct vms_ram *ram, const char *verb)
{
	progress_begin(&((struct source *)ram->opaque)->progress, verb, ram->size);
	ram->progress = tell;
}

bool snapshot_sections(struct machine *m, struct spapr_cpu *const *cpu, struct vms_set *set, struct vms_ram *ram,
		       struct error *err)
{
	const struct listing l = { .m = m, .cpu = cpu };
	struct source *source = calloc(1, sizeof *source);
	unsigned end;

	*set = (struct vms_set){ .machine = MACHINE_CLASS, .lives = 2 };
	*ram = (struct vms_ram){ .block = RAM_BLOCK, .base = m->ram.base, .size = m->ram.size, .next_used = next_used,
				.map = map_file };
	set->live = calloc(set->lives, sizeof *set->live);
	set->section = calloc(MAX_SECTIONS, sizeof *set->section);
	if (!set->live || !set->section || !source) {
		free(source);
		free(set->live);
		free(set->section);
		error_set(err, "out of memory");
		return false;
	}
	memory_used_open(&source->used, &m->ram);
	source->ram = &m->ram;
	ram->opaque = source;
	set->most = m->ram.size + m->ram.size / 256 + MAX_BESIDE;
	vms_ram_live(&set->live[0], ram);
	vms_htab_live(&set->live[1]);
	for (unsigned r = 0; r < ARRAY_SIZE(rows); r = end) {
		for (end = r + 1; end < ARRAY_SIZE(rows) && rows[end].each == EACH_CPU && rows[r].each == EACH_CPU; end++)
			;
		for (unsigned i = 0; i < how_many(&l, rows[r].each); i++)
			for (unsigned k = r; k < end; k++)
				list(&l, &rows[k], i, set);
	}
	return true;
}

void snapshot_sections_free(struct vms_set *set, struct vms_ram *ram)
{
	progress_end(&((struct source *)ram->opaque)->progress);
	memory_used_close(&((struct source *)ram->opaque)->used);
	free(ram->opaque);
	vms_ram_done(ram);
	free(set->live);
	free(set->section);
}

/* ---- For QEMU: copies of the processors ----
 *
 * QEMU 7.2 keeps neither decrementers nor pending interrupts. So each processor that is not stopped
 * has just been interrupted by its decrementer: a guest takes that as an early tick, and sets it anew. */

static bool qemu_ready(const struct cpu *cpu)
{
	return cpu->run_state == CPU_STOPPED ||
	       (cpu->run_state != CPU_JOINED && !cpu->prodded && !cpu->irq && cpu->msr & MSR_EE && cpu->msr & MSR_RI);
}

bool snapshot_qemu_ready(const struct machine *m)
{
	for (unsigned i = 0; i < m->ncpus; i++)
		if (!qemu_ready(&m->cpu[i]->cpu) || m->cpu[i]->xirr & 0xffffff)
			return false;
	return m->cas_done;
}

static void prepare(const struct machine *m, struct spapr_cpu *copy)
{
	struct cpu *cpu = &copy->cpu;

	cpu->logical_pvr = m->compat_pvr;
	if (cpu->cycles < m->clock.now)
		cpu->cycles = m->clock.now;
	if (cpu->run_state == CPU_STOPPED)
		return;
	cpu->run_state = CPU_RUNNING;
	cpu_copy_interrupt(cpu, VEC_DECREMENTER);
}

static void free_copies(struct spapr_cpu **copy, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		free(copy[i]);
}

static bool copy_cpus(const struct machine *m, struct spapr_cpu **copy, struct error *err)
{
	for (unsigned i = 0; i < m->ncpus; i++) {
		copy[i] = aligned_alloc(64, (sizeof *copy[i] + 63) & ~(size_t)63);
		if (!copy[i]) {
			free_copies(copy, i);
			error_set(err, "out of memory");
			return false;
		}
		memcpy(copy[i], m->cpu[i], sizeof *copy[i]);
		prepare(m, copy[i]);
	}
	return true;
}

/* ---- What no run loop could go on from: neither loaded nor saved ---- */

/* No processor is ahead of the clock; and one that runs is not so far behind it that it would run for ever to catch up. */
static bool cycles_fit(const struct machine *m, struct error *err)
{
	for (unsigned i = 0; i < m->ncpus; i++) {
		const struct cpu *cpu = &m->cpu[i]->cpu;
		bool ahead = cpu->cycles > m->clock.now, behind = vp_runs(m->cpu[i]) && m->clock.now - cpu->cycles > POLL_CYCLES;

		if (!ahead && !behind)
			continue;
		error_set(err, "section cede/cpu %u, cede/cpu: field cycles: expected at %s %llu, found %llu", i, ahead ? "most" : "least",
			  (unsigned long long)(ahead ? m->clock.now : m->clock.now - POLL_CYCLES), (unsigned long long)cpu->cycles);
		return false;
	}
	return true;
}

/* A run loop that looks at the host too late could not be ended. */
static bool times_fit(const struct machine *m, struct error *err)
{
	uint64_t latest = m->clock.now + POLL_CYCLES;
	bool runs = false;

	for (unsigned i = 0; i < m->ncpus; i++)
		runs |= vp_runs(m->cpu[i]);
	if (m->next_poll > latest || (runs && m->cut_end > latest)) {
		error_set(err, "section cede/clock 0, cede/clock: field %s: expected at most %llu, found %llu",
			  m->next_poll > latest ? "next_poll" : "cut_end", (unsigned long long)latest,
			  (unsigned long long)(m->next_poll > latest ? m->next_poll : m->cut_end));
		return false;
	}
	if (m->cut_end && m->cut_end < m->clock.now) {
		error_set(err, "section cede/clock 0, cede/clock: field cut_end: expected at least %llu, found %llu",
			  (unsigned long long)m->clock.now, (unsigned long long)m->cut_end);
		return false;
	}
	return cycles_fit(m, err);
}

/* ---- Saving ---- */

/* The layouts: where memory goes. */
static bool write_mapped(struct vms_set *set, struct vms_ram *ram, int fd, struct error *err)
{
	struct layout l;
	bool ok;

	ram->elsewhere = true;
	ok = layout_write_ram(&l, fd, ram, err) && savevm_write(set, fd, false, err) && layout_write_head(&l, fd, err);
	layout_free(&l);
	return ok;
}

static const uint8_t *parent_page(void *parent, uint64_t at)
{
	return inspect_page(parent, at);
}

static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup("."), *real = folder ? realpath(folder, NULL) : NULL;

	free(folder);
	return real;
}

/* Is `child`, which is to be written anew, `in` at `path` or one of its parents? */
static bool is_among(const struct inspect *in, const char *path, const char *child)
{
	char *at = strdup(path), *c = realpath(child, NULL), *p = NULL;
	bool found = false;

	for (; at && c && in && !found; in = in->parent) {
		char *next = layout_parent_path(at, in->layout.parent);

		free(p);
		p = realpath(at, NULL);
		found = p && !strcmp(p, c);
		free(at);
		at = next;
	}
	free(at), free(c), free(p);
	return found;
}

/* As the child is to name it: what is in its own folder, where a load looks; a link will do. */
static bool name_parent(struct layout *l, const struct inspect *in, const char *parent, const char *child, struct error *err)
{
	const char *cut = strrchr(parent, '/'), *name = cut ? cut + 1 : parent;
	char *theirs = folder_of(parent), *ours = folder_of(child);
	bool same = is_among(in, parent, child), near = theirs && ours && !strcmp(theirs, ours);
	bool ok = near && !same && strlen(name) < sizeof l->parent && stream_is_name(name, strlen(name));

	if (ok)
		strcpy(l->parent, name);
	else
		error_set(err, "parent '%.100s': %s", parent, same ? "a snapshot cannot be its own" : !near ?
			  "not in the same folder, where a load looks for it" : "a name that cannot be kept");
	free(theirs), free(ours);
	return ok;
}

static bool write_child(struct vms_set *set, struct vms_ram *ram, int fd, const char *parent, const char *path, struct error *err)
{
	struct layout l = { .ram_size = 0 };
	struct inspect in;
	bool ok;

	if (!inspect_open_parent(&in, parent, err))
		return false;
	ok = name_parent(&l, &in, parent, path, err);
	l.parent_size = in.file_size;
	l.parent_ident = in.ident;
	if (ok && (!in.blocks || in.block[0].size != ram->size || !inspect_find(&in, VMS_CHECKS, 0))) {
		error_set(err, "parent '%.100s': not a snapshot of a machine with as much memory", parent);
		ok = false;
	}
	ram->parent = &in;
	ram->parent_page = parent_page;
	ok = ok && layout_begin_child(&l, fd, err) && savevm_write(set, fd, false, err) && layout_write_head(&l, fd, err);
	inspect_close(&in);
	return ok;
}

static bool write_from(struct machine *m, struct spapr_cpu *const *cpu, int fd, const struct snapshot_options *o, const char *path,
		       struct error *err)
{
	struct vms_set set;
	struct vms_ram ram;
	bool ok;

	if (!snapshot_sections(m, cpu, &set, &ram, err))
		return false;
	if (!o->quiet)
		show_progress(&ram, "saving");
	else if (o->tell)
		tell_others(&ram, o);
	set.compress = o->compress;
	if (!o->for_qemu && (!times_fit(m, err) || !dispatcher_check(m, err)))
		ok = false;		/* no load would take it */
	else if (o->mapped)
		ok = write_mapped(&set, &ram, fd, err);
	else if (o->parent)
		ok = write_child(&set, &ram, fd, o->parent, path, err);
	else
		ok = savevm_write(&set, fd, o->for_qemu, err);
	snapshot_sections_free(&set, &ram);
	return ok;
}

static bool save_to(struct machine *m, int fd, const struct snapshot_options *o, const char *path, struct error *err)
{
	struct spapr_cpu *copy[MACHINE_MAX_CPUS];
	bool ok;

	if (!o->for_qemu)
		return write_from(m, m->cpu, fd, o, path, err);
	if (!snapshot_qemu_ready(m)) {
		error_set(err, "a processor cannot be interrupted now, as QEMU needs it");
		return false;
	}
	if (!copy_cpus(m, copy, err))
		return false;
	ok = write_from(m, copy, fd, o, path, err);
	free_copies(copy, m->ncpus);
	return ok;
}

bool snapshot_save_fd(struct machine *m, int fd, const struct snapshot_options *o, struct error *err)
{
	if (!o->mapped && !o->parent)
		return save_to(m, fd, o, NULL, err);
	error_set(err, "that layout needs a file");
	return false;
}

bool snapshot_save(struct machine *m, const char *path, const struct snapshot_options *o, struct error *err)
{
	struct save_file file;
	struct error why;
	char what[128];
	bool ok;

	if (!save_file_open(&file, path, err))
		return false;
	/* What is half written is of use to nobody. */
	snprintf(what, sizeof what, "the save to '%.100s'", path);
	term_patient(m->term, o->guests ? NULL : what);
	ok = save_to(m, file.fd, o, path, &why);
	if (!ok) {
		save_file_drop(&file);
		error_set(err, "cannot save to '%.100s': %.140s", path, why.msg);
	} else {
		ok = save_file_commit(&file, err);
	}
	term_patient(m->term, NULL);
	return ok;
}

/* ---- Loading ---- */

static bool loaded(const struct vms_set *set, const char *name, unsigned instance)
{
	for (unsigned i = 0; i < set->sections; i++)
		if (set->section[i].instance == instance && !strcmp(set->section[i].name, name))
			return set->section[i].loaded;
	return false;
}

static bool missing(struct error *err, const char *name, unsigned instance)
{
	error_set(err, "section %s %u is missing", name, instance);
	return false;
}

/* A machine can do without the others; and all of cede's are there, or none. */
static bool complete(struct machine *m, const struct vms_set *set, bool own, struct error *err)
{
	if (!set->live[0].loaded)
		return missing(err, "ram", 0);
	for (unsigned i = 0; i < set->sections; i++) {
		const struct vms_section *s = &set->section[i];

		if (s->own && own && !s->loaded && !s->state->needed)
			return missing(err, s->name, s->instance);
	}
	for (unsigned i = 0; i < m->ncpus; i++)
		for (unsigned k = 0; k < 2; k++)
			if (!loaded(set, k ? "cpu" : "cpu_common", i))
				return missing(err, k ? "cpu" : "cpu_common", i);
	return loaded(set, "timer", 0) ? loaded(set, "spapr", 0) || missing(err, "spapr", 0) : missing(err, "timer", 0);
}

static bool any_own(const struct vms_set *set)
{
	for (unsigned i = 0; i < set->sections; i++)
		if (set->section[i].own && set->section[i].loaded)
			return true;
	return false;
}

/* What cede/ sections would have said. */
static void adopt(struct machine *m)
{
	m->radix = m->proc_tbl & PPC_BIT(0);
	m->cas_done = m->splpar_off = false;
	memset(m->energy, 0, sizeof m->energy);
	m->compat_pvr = m->cpu[0]->cpu.logical_pvr;
	m->next_poll = m->cut_end = 0;
	for (unsigned i = 0; i < OV5_WORDS; i++)
		m->cas_done |= m->ov5_cas[i] != 0;
	for (unsigned i = 0; i < m->ncpus; i++) {
		struct cpu *cpu = &m->cpu[i]->cpu;

		cpu->proc_tbl = m->proc_tbl & ~PPC_BIT(0);
		cpu->irq = cpu->mmcr0 & MMCR0_PMAO && !(cpu->mmcr0 & MMCR0_EBE) ? IRQ_PERFMON : 0;
		cpu->prodded = false;
	}
	firmware_adopt(m);
	dispatcher_adopt(m);
	xics_state_changed(m);
}

static bool clock_fits(const struct machine *m, struct error *err)
{
	if (m->clock.now > CLOCK_END)
		error_set(err, "section timer 0, timer: field cpu_clock_offset: expected at most %llu, found %llu",
			  (unsigned long long)cycles_to_ns(CLOCK_END), (unsigned long long)cycles_to_ns(m->clock.now));
	return m->clock.now <= CLOCK_END;
}

static bool settle(struct machine *m, const struct vms_set *set, struct error *err)
{
	bool own = any_own(set);

	if (!complete(m, set, own, err) || (own ? !times_fit(m, err) : !clock_fits(m, err)))
		return false;
	if (own)
		xics_loaded(m);
	else
		adopt(m);
	if (own && !dispatcher_check(m, err))
		return false;
	if (own)
		dispatcher_log_begin(m);
	for (unsigned i = 0; i < m->ncpus; i++)
		cpu_state_changed(&m->cpu[i]->cpu);
	firmware_tree_changed(m);
	snapshots_skip(m);
	return true;
}

/* What the child does not have. */
static bool inherit(struct vms_ram *ram, const char *path, struct error *err)
{
	struct inspect in;
	bool ok;

	if (!inspect_open(&in, path, err))
		return false;
	ok = inspect_memory_whole(&in, err);
	if (ok && (!in.blocks || in.block[0].size != ram->size || strcmp(in.block[0].name, ram->block))) {
		error_set(err, "section ram 0: size of all memory: expected %llu MiB, found %llu MiB (-m)",
			  (unsigned long long)(ram->size >> 20), (unsigned long long)(in.blocks ? in.block[0].size >> 20 : 0));
		ok = false;
	}
	for (uint64_t at = 0; ok && at < ram->size; at += RAM_PAGE_SIZE) {
		const uint8_t *page = inspect_page(in.parent, at);

		if (page)
			memcpy(ram->base + at, page, RAM_PAGE_SIZE);
	}
	ram->kept = true;
	inspect_close(&in);
	return ok;
}

static bool place_memory(struct machine *m, struct vms_ram *ram, int fd, const char *path, struct error *err)
{
	struct layout l;
	bool ok;

	if (!layout_read(&l, fd, err))
		return false;
	if (l.ram_size) {
		ok = layout_map_ram(&l, fd, ram, err);
		term_mapped(m->term, ram->base, ram->size, path ? path : "");
	} else if (l.parent[0] && !path) {
		ok = (error_set(err, "a snapshot with a parent is loaded by -loadvm"), false);
	} else {
		ok = !l.parent[0] || inherit(ram, path, err);
	}
	ok = ok && (!l.file_size || lseek(fd, (off_t)l.stream_at, SEEK_SET) >= 0);
	layout_free(&l);
	return ok;
}

static bool load_from(struct machine *m, int fd, const char *path, struct error *err)
{
	struct vms_set set;
	struct vms_ram ram;
	bool ok;

	if (!snapshot_sections(m, m->cpu, &set, &ram, err))
		return false;
	show_progress(&ram, "loading");
	ok = place_memory(m, &ram, fd, path, err) && savevm_read(&set, fd, err) && settle(m, &set, err);
	snapshot_sections_free(&set, &ram);
	return ok;
}

bool snapshot_load_fd(struct machine *m, int fd, struct error *err)
{
	return load_from(m, fd, NULL, err) && nvram_loaded(m->nvram, err);
}

/* A FIFO has a writer some time, and what it says comes when it comes. */
static int open_patiently(struct machine *m, const char *path)
{
	struct stat st;

	if (stat(path, &st) || !S_ISREG(st.st_mode))
		term_waits_for(m->term, "snapshot '%.120s'", path);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static bool load_path(struct machine *m, const char *path, struct error *err)
{
	int fd = open_patiently(m, path);
	struct error why;
	bool ok;

	if (fd < 0) {
		term_proceeds(m->term);
		error_set(err, "cannot open snapshot '%.150s': %s", path, strerror(errno));
		return false;
	}
	ok = load_from(m, fd, path, &why);
	if (!ok)
		error_set(err, "snapshot '%.60s': %.190s", path, why.msg);
	close(fd);
	term_proceeds(m->term);
	return ok;
}

bool snapshot_load(struct machine *m, const char *path, struct error *err)
{
	return load_path(m, path, err) && nvram_loaded(m->nvram, err);
}

bool snapshot_replace(struct machine *m, const char *path, struct error *err)
{
	struct error why;

	if (!load_path(m, path, err))
		return false;
	if (!nvram_loaded(m->nvram, &why)) {
		term_fresh_line(m->term);
		fprintf(stderr, "cede: warning: the machine is loaded, its NVRAM is not kept: %s\n", why.msg);
	}
	return true;
}

/* ---- Trying ---- */

/* In the copy. What it says goes to `report`; nobody is to see it at work. */
static void try_and_exit(struct machine *m, const char *path, int report)
{
	struct error err = { "" };
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	bool ok;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (null >= 0)
		dup2(null, STDERR_FILENO);
	m->log_file = NULL;	/* what it has buffered would come twice */
	m->dispatcher->file = NULL;
	machine_clear(m);
	ok = load_path(m, path, &err);
	_exit(ok || write(report, err.msg, strlen(err.msg)) < 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* Until the copy has ended, or a signal wants us to; that is the run loop's to see. */
static void await(struct machine *m, pid_t child, int report, struct error *why)
{
	struct pollfd fds[] = { { .fd = report, .events = POLLIN }, { .fd = term_fd(m->term), .events = POLLIN } };
	ssize_t n = 1;
	size_t have = 0;

	while (n > 0) {
		if (term_poll(m->term, fds, ARRAY_SIZE(fds), -1) < 0 && errno != EINTR)
			return;
		if (fds[1].revents && term_signal(m->term))
			kill(child, SIGKILL);
		n = fds[0].revents || term_ending(m->term) ? read(report, why->msg + have, sizeof why->msg - 1 - have) : 1;
		have += fds[0].revents && n > 0 ? (size_t)n : 0;
	}
	why->msg[have] = 0;
}

bool snapshot_try(struct machine *m, const char *path, struct error *err)
{
	int ends[2], status = 0;
	struct error why = { "" };
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) || (child = fork()) < 0) {
		error_set(err, "cannot try snapshot '%.150s': %s", path, strerror(errno));
		return false;
	}
	if (!child)
		try_and_exit(m, path, ends[1]);
	close(ends[1]);
	await(m, child, ends[0], &why);
	close(ends[0]);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return true;
	if (why.msg[0])
		*err = why;
	else if (WIFSIGNALED(status))
		error_set(err, "snapshot '%.150s': what reads it was ended by signal %d", path, WTERMSIG(status));
	else
		error_set(err, "snapshot '%.150s': it cannot be read any more", path);
	return false;
}
