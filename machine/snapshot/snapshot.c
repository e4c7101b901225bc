/* The sections of a snapshot in QEMU's order: one row each, and the devices' as their classes say; what is checked when
 * all are loaded; and what QEMU needs that cannot be had from a running guest, done to copies of its processors. */
#define _GNU_SOURCE
#include "machine/snapshot/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cpu/core/spr.h"
#include "cpu/core/timebase.h"
#include "cpu/model/fit.h"
#include "cpu/model/models.h"
#include "cpu/model/state.h"
#include "firmware/firmware.h"
#include "hcall/dispatcher.h"
#include "hcall/splpar.h"
#include "hcall/state.h"
#include "machine/board/pseries.h"
#include "machine/core/clock.h"
#include "machine/core/config.h"
#include "machine/core/device.h"
#include "machine/core/memory.h"
#include "machine/core/timers.h"
#include "machine/host/child.h"
#include "machine/host/term.h"
#include "machine/irq/irq.h"
#include "machine/profile/profile.h"
#include "machine/snapshot/disks.h"
#include "machine/snapshot/media.h"
#include "machine/snapshot/progress.h"
#include "machine/snapshot/state.h"
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

/* How many of a row there are, or what of the devices stands there. Rows next to each other that go by processor are
 * written for each processor in turn. */
enum each { ONCE, EACH_CPU, EACH_DRIVE, EARLY_DEVICES, DEVICES_EACH_CPU, LATE_DEVICES, OWN_OF_DEVICES, MORE_OWN_OF_DEVICES };

struct row {
	const struct vmstate *state;	/* gives the section its name; NULL: the row is for sections of devices */
	enum each each;
	bool own;
	void *(*object)(const struct listing *l, unsigned i);
};

static void *the_clock(const struct listing *l, unsigned i) { (void)i; return &l->m->clock; }
static void *the_machine(const struct listing *l, unsigned i) { (void)i; return l->m; }
static void *the_firmware(const struct listing *l, unsigned i) { (void)i; return l->m->firmware; }
static void *the_dispatcher(const struct listing *l, unsigned i) { (void)i; return l->m->dispatcher; }
static void *the_timing(const struct listing *l, unsigned i) { (void)i; return engine_held(l->m->engine); }
static void *the_cpu(const struct listing *l, unsigned i) { return &l->cpu[i]->cpu; }
static void *the_vcpu(const struct listing *l, unsigned i) { return l->cpu[i]; }

static const struct row rows[] = {
	{ &timer_state,         ONCE,     false, the_machine },
	{ NULL, EARLY_DEVICES,            false, NULL },
	{ &cpu_common_state,    EACH_CPU, false, the_cpu },
	{ &cpu_state,           EACH_CPU, false, the_cpu },
	{ NULL, DEVICES_EACH_CPU,         false, NULL },
	{ &spapr_cpu_state,     EACH_CPU, false, the_vcpu },
	{ NULL, LATE_DEVICES,             false, NULL },
	{ &spapr_state,         ONCE,     false, the_machine },
	{ &globalstate_state,   ONCE,     false, the_machine },
	/* What follows is exact, and takes the place of what the above could say of it. */
	{ &cede_clock_state,    ONCE,     true,  the_machine },
	{ &cede_machine_state,  ONCE,     true,  the_machine },
	{ &cede_cpu_state,      EACH_CPU, true,  the_cpu },
	{ &cede_vcpu_state,     EACH_CPU, true,  the_vcpu },
	{ &dispatcher_state,    ONCE,     true,  the_dispatcher },
	{ &cede_firmware_state, ONCE,     true,  the_firmware },
	{ &timers_state,        ONCE,     true,  the_clock },
	{ &cede_disks_state,    ONCE,     true,  the_machine },
	{ &cede_timing_state,   ONCE,     true,  the_timing },
	{ &cede_medium_state,   EACH_DRIVE, true, NULL },
	{ NULL, OWN_OF_DEVICES,           true,  NULL },
	{ NULL, MORE_OWN_OF_DEVICES,      true,  NULL },
};

static const struct vmstate *const ignored[] = { &qemu_slirp_state, NULL };

static bool by_cpu(const struct row *row)
{
	return row->each == EACH_CPU || row->each == DEVICES_EACH_CPU;
}

/* Counts only, while there is no array. */
static void list_section(struct vms_set *set, const struct vmstate *state, void *object, const char *path, uint32_t instance, bool own)
{
	struct vms_section *s = set->section ? &set->section[set->sections] : NULL;

	if (!object)
		return;
	set->sections++;
	if (!s)
		return;
	*s = (struct vms_section){ .state = state, .object = object, .own = own, .instance = instance };
	snprintf(s->name, sizeof s->name, "%s%s%s", path, *path ? "/" : "", state->name);
}

static void path_of(const struct device *dev, char *path, size_t size)
{
	const struct bus_class *bus = dev->class->on;

	*path = '\0';
	if (bus && bus->path)
		bus->path(dev, path, size);
}

static void list_state(struct vms_set *set, struct device *dev, const struct vmstate *state, bool own)
{
	char path[48];

	path_of(dev, path, sizeof path);
	if (state && !vms_is_empty(state))
		list_section(set, state, dev, path, 0, own);
}

static void list_one(const struct listing *l, struct vms_set *set, struct device *dev, const struct device_section *d, unsigned i)
{
	list_section(set, d->state, d->object ? d->object(dev, l->cpu, i) : dev, "",
		     d->instance ? d->instance(dev, i) : i, d->own);
}

static void list_more(const struct listing *l, struct vms_set *set, struct device *dev, bool own)
{
	for (const struct device_section *d = dev->class->sections; d && d->state; d++)
		for (unsigned i = 0; i < (d->count ? d->count : 1) && !d->each_cpu && d->own == own; i++)
			list_one(l, set, dev, d, i);
}

static void list_of_cpu(const struct listing *l, struct vms_set *set, struct device *dev, unsigned i)
{
	for (const struct device_section *d = dev->class->sections; d && d->state; d++)
		if (d->each_cpu)
			list_one(l, set, dev, d, i);
}

static void list_device(const struct listing *l, enum each each, unsigned i, struct device *dev, struct vms_set *set)
{
	if (each == DEVICES_EACH_CPU) {
		list_of_cpu(l, set, dev, i);
	} else if (each == OWN_OF_DEVICES) {
		list_state(set, dev, dev->class->own_state, true);
	} else if (each == MORE_OWN_OF_DEVICES) {
		list_more(l, set, dev, true);
	} else if (dev->class->early == (each == EARLY_DEVICES)) {
		list_state(set, dev, dev->class->state, false);
		list_more(l, set, dev, false);
	}
}

/* A machine has fewer of them than there is room for: RAM_PARTS. */
static void list_memory(const struct machine *m, struct vms_ram *ram)
{
	for (struct device *dev = m->devices; dev; dev = dev->next) {
		struct device_memory memory;
		struct vms_block *b = &ram->more[ram->mores];
		char path[48];

		if (!dev->class->memory || ram->mores == VMS_BLOCKS)
			continue;
		memory = dev->class->memory(dev);
		path_of(dev, path, sizeof path);
		snprintf(b->name, sizeof b->name, "%s/%s", path, memory.name);
		b->base = memory.base;
		b->size = memory.size;
		ram->mores++;
	}
}

static void list_drives(const struct listing *l, const struct row *row, struct vms_set *set)
{
	for (struct drive *d = l->m->drives; d; d = d->next)
		if (d->user)
			list_section(set, row->state, &d->medium, "", media_place(d), row->own);
}

static void list_row(const struct listing *l, const struct row *row, unsigned i, struct vms_set *set)
{
	if (row->each == EACH_DRIVE)
		list_drives(l, row, set);
	else if (row->state)
		list_section(set, row->state, row->object(l, i), "", i, row->own);
	else
		for (struct device *dev = l->m->devices; dev; dev = dev->next)
			list_device(l, row->each, i, dev, set);
}

static void list_all(const struct listing *l, struct vms_set *set)
{
	unsigned end;

	for (unsigned r = 0; r < ARRAY_SIZE(rows); r = end) {
		for (end = r + 1; end < ARRAY_SIZE(rows) && by_cpu(&rows[end]) && by_cpu(&rows[r]); end++)
			;
		for (unsigned i = 0; i < (by_cpu(&rows[r]) ? l->m->ncpus : 1); i++)
			for (unsigned k = r; k < end && !(by_cpu(&rows[r]) && l->m->cpu[i]->absent); k++)
				list_row(l, &rows[k], i, set);
	}
}

/* Guest memory, as savevm/ asks for it. */
struct source {
	struct memory_used used;
	struct progress progress;
	struct ram *ram;
	struct vms_htab htab;
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

static void show_loaded(void *opaque, uint64_t done)
{
	progress_at(&((struct source *)opaque)->progress, done);
}

static void report_saved(void *opaque, uint64_t done)
{
	const struct source *source = opaque;

	source->told->tell(source->told->teller, done, source->vms->sent, source->vms->zeros);
}

static void tell_others(struct vms_ram *ram, const struct snapshot_options *o)
{
	struct source *source = ram->opaque;

	source->vms = ram;
	source->told = o;
	ram->progress = report_saved;
}

/* Until snapshot_sections_free(). */
static void show_progress(struct vms_ram *ram, const char *verb)
{
	progress_begin(&((struct source *)ram->opaque)->progress, verb, ram->size);
	ram->progress = show_loaded;
}

bool snapshot_sections(struct machine *m, struct spapr_cpu *const *cpu, struct vms_set *set, struct vms_ram *ram,
		       struct error *err)
{
	const struct listing l = { .m = m, .cpu = cpu };
	struct source *source = calloc(1, sizeof *source);

	*set = (struct vms_set){ .machine = MACHINE_CLASS, .lives = 2, .ignored = ignored };
	*ram = (struct vms_ram){ .block = RAM_BLOCK, .base = m->ram.base, .size = m->ram.size, .next_used = next_used,
				.map = map_file };
	list_memory(m, ram);
	set->live = calloc(set->lives, sizeof *set->live);
	list_all(&l, set);
	set->section = calloc(set->sections, sizeof *set->section);
	set->sections = 0;
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
	set->most = m->ram.size + m->ram.size / 256 + (UINT64_C(4) << hpt_shift_for(m->ram.size)) + MAX_BESIDE;
	for (const struct device *dev = m->devices; dev; dev = dev->next)
		set->most += dev->class->state_bytes;
	vms_ram_live(&set->live[0], ram);
	snapshot_htab(m, &source->htab);
	vms_htab_live(&set->live[1], &source->htab);
	list_all(&l, set);
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
 * has just been interrupted by its decrementer: a guest takes that as an early tick, and sets it anew.
 * That decrementer has expired, also a stopped processor's: QEMU 7.2 gives the number back as it is when it saves the guest
 * later, and what it then says of a processor must not be a time long past. */

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
	return m->cas_done && devices_qemu_ready(m);
}

static void prepare(const struct machine *m, struct spapr_cpu *copy)
{
	struct cpu *cpu = &copy->cpu;

	cpu->logical_pvr = m->compat_pvr;
	if (cpu->cycles < m->clock.now)
		cpu->cycles = m->clock.now;
	cpu_set_dec(cpu, cpu->cycles, UINT64_MAX);
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

/* No processor is ahead of the clock, and none that runs is more than POLL_CYCLES behind: catching up would take for ever. */
static bool cycles_fit(const struct machine *m, struct error *err)
{
	for (unsigned i = 0; i < m->ncpus; i++) {
		const struct cpu *cpu = &m->cpu[i]->cpu;
		bool ahead = cpu->cycles > m->clock.now && !m->cpu[i]->absent, behind = vp_runs(m->cpu[i]) && m->clock.now - cpu->cycles > POLL_CYCLES;

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

/* Puts the name by which a child snapshot knows its parent into *l. A load looks for the parent in the folder of the
 * child, so it must be there, as a file or as a link. */
static bool name_parent(struct layout *l, const struct inspect *in, const char *parent, const char *child, struct error *err)
{
	const char *cut = strrchr(parent, '/'), *name = cut ? cut + 1 : parent;
	char *theirs = folder_of(parent), *ours = folder_of(child);
	bool same = is_among(in, parent, child), near = theirs && ours && !strcmp(theirs, ours);
	bool ok = near && !same && strlen(name) < sizeof l->parent && stream_is_name(name, strlen(name));

	if (ok)
		strcpy(l->parent, name);
	else if (same)
		error_set(err, "parent '%.100s': a snapshot cannot be its own", parent);
	else
		error_set(err, "parent '%.100s': %s", parent,
			  near ? "a name that cannot be kept" : "not in the same folder, where a load looks for it");
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
	if (!o->for_qemu) {
		ram.mores = 0;		/* sections have it */
		media_note(m, o->with_states);
	}
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
	media_forget(m);
	snapshot_sections_free(&set, &ram);
	return ok;
}

static bool save_to(struct machine *m, int fd, const struct snapshot_options *o, const char *path, struct error *err)
{
	struct spapr_cpu *copy[MACHINE_MAX_CPUS];
	bool ok;

	if (!o->for_qemu)
		return write_from(m, m->cpu, fd, o, path, err);
	if (m->config->numa.nodes) {
		error_set(err, "QEMU has the memory of each NUMA node in a block of its own");
		return false;
	}
	if (!devices_qemu_can(m, err))
		return false;
	if (!snapshot_qemu_ready(m)) {
		error_set(err, !m->cas_done ? "its guest has not agreed with its firmware yet (client-architecture-support), as QEMU needs it" :
			  devices_qemu_ready(m) ? "a processor cannot be interrupted now, as QEMU needs it" :
						  "a disk is at work, which QEMU has no place for");
		return false;
	}
	if (!copy_cpus(m, copy, err))
		return false;
	ok = write_from(m, copy, fd, o, path, err);
	free_copies(copy, m->ncpus);
	return ok;
}

/* ---- Both: QEMU's stream, cede's without memory, and where that begins ---- */

#define BOTH_MAGIC UINT64_C(0x434544452d414e44)	/* "CEDE-AND" */
#define BOTH_BYTES 16

static bool write_exact(struct machine *m, int fd, struct error *err)
{
	struct vms_set set;
	struct vms_ram ram;
	bool ok;

	if (!snapshot_sections(m, m->cpu, &set, &ram, err))
		return false;
	ram.elsewhere = true;
	ram.mores = 0;
	media_note(m, true);
	ok = times_fit(m, err) && dispatcher_check(m, err) && savevm_write(&set, fd, false, err);
	media_forget(m);
	snapshot_sections_free(&set, &ram);
	return ok;
}

bool snapshot_save_both(struct machine *m, int fd, struct error *err)
{
	const struct snapshot_options for_qemu = { .for_qemu = true }, exact = { .with_states = true };
	uint64_t tail[BOTH_BYTES / 8];
	struct error why;
	off_t at;

	if (!snapshot_qemu_ready(m) || m->config->numa.nodes || !devices_qemu_can(m, &why))
		return save_to(m, fd, &exact, NULL, err);
	if (!save_to(m, fd, &for_qemu, NULL, err) || (at = lseek(fd, 0, SEEK_CUR)) < 0 || !write_exact(m, fd, err))
		return false;
	tail[0] = __builtin_bswap64(BOTH_MAGIC);
	tail[1] = __builtin_bswap64((uint64_t)at);
	if (write(fd, tail, sizeof tail) == (ssize_t)sizeof tail)
		return true;
	error_set(err, "cannot write: %s", strerror(errno));
	return false;
}

/* Where the second stream begins; 0: there is one only. */
static uint64_t second_stream(int fd)
{
	struct stat st;
	uint64_t tail[BOTH_BYTES / 8], at;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size < BOTH_BYTES ||
	    pread(fd, tail, sizeof tail, st.st_size - BOTH_BYTES) != BOTH_BYTES || __builtin_bswap64(tail[0]) != BOTH_MAGIC)
		return 0;
	at = __builtin_bswap64(tail[1]);
	return at < (uint64_t)st.st_size ? at : 0;
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
	/* A signal does not break the save off, unless a guest asked for it: half a file is of no use. */
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

/* XICS has the guest's interrupts until the guest asks for XIVE. With XIVE alone a guest need not ask for it, and would find
 * itself with XICS where there are both. */
static bool controller_complete(const struct machine *m, const struct vms_set *set, struct error *err)
{
	static const char *const names[][3] = { { "ics", "icp/server", "" }, { "xive-source", "spapr-xive", "xive-tctx" } };
	bool by_xive = irq_by_xive(m);

	for (unsigned i = 0; i < set->sections; i++) {
		const struct vms_section *s = &set->section[i];

		for (unsigned k = 0; k < ARRAY_SIZE(names[0]); k++) {
			if (s->loaded || strcmp(s->name, names[by_xive][k]))
				continue;
			error_set(err, "section %s %u is missing: the guest's interrupts are %s's here, and the machine that was saved had none (-M ic-mode=)",
				  s->name, s->instance, by_xive ? "XIVE" : "XICS");
			return false;
		}
	}
	return true;
}

static bool watchpoints_fit(const struct machine *m, bool own, struct error *err)
{
	const struct config *o = m->config;

	if (!own || !m->dawr1_untold || o->dawr1 || o->cpu_model->dawrs < 2)
		return true;
	error_set(err, "section spapr 0, spapr/cap/dawr1: field mig.caps[0x0E]: expected at most off, found on (-M cap-dawr1=)");
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
		for (unsigned k = 0; k < 2 && !m->cpu[i]->absent; k++)
			if (!loaded(set, k ? "cpu" : "cpu_common", i))
				return missing(err, k ? "cpu" : "cpu_common", i);
	for (unsigned k = 0; k < 2; k++)
		if (!loaded(set, k ? "spapr" : "timer", 0))
			return missing(err, k ? "spapr" : "timer", 0);
	return controller_complete(m, set, err) && watchpoints_fit(m, own, err);
}

static bool any_own(const struct vms_set *set)
{
	for (unsigned i = 0; i < set->sections; i++)
		if (set->section[i].own && set->section[i].loaded)
			return true;
	return false;
}

/* Sets, after a load of QEMU's stream, what cede/ sections would have held. */
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
		cpu->phase = 0;
		cpu->pace = cpu->pace_empty;
	}
	firmware_adopt(m);
	dispatcher_adopt(m);
	devices_loaded(m, true);
}

static bool clock_fits(const struct machine *m, struct error *err)
{
	if (m->clock.now > CLOCK_END)
		error_set(err, "section timer 0, timer: field cpu_clock_offset: expected at most %llu, found %llu",
			  (unsigned long long)cycles_to_ns(CLOCK_END), (unsigned long long)cycles_to_ns(m->clock.now));
	return m->clock.now <= CLOCK_END;
}

static const char *model_of(uint32_t pvr)
{
	for (unsigned i = 0; cpu_models[i]; i++)
		if (cpu_models[i]->pvr == pvr)
			return cpu_models[i]->name;
	return "another processor";
}

static const char *level_of(uint32_t logical_pvr)
{
	for (unsigned i = 0; i < ARRAY_SIZE(cpu_levels); i++)
		if (cpu_levels[i].logical_pvr == logical_pvr)
			return cpu_levels[i].name;
	return "none that is known";
}

static bool levels_fit(const struct machine *m, struct error *err)
{
	const struct cpu_model *model = m->config->cpu_model;

	if (!m->compat_pvr || cpu_model_find_level(model, m->compat_pvr))
		return true;
	error_set(err, "field compat_pvr: its guest has agreed on processors like %s (0x%08x), and %s cannot appear so (-cpu)",
		  level_of(m->compat_pvr), (unsigned)m->compat_pvr, model->name);
	return false;
}

/* No level without the radix MMU can have agreed on it: the file says what no guest came to. */
static bool mmu_fits(const struct machine *m, struct error *err)
{
	const struct cpu_model *model = m->config->cpu_model;

	if (model->radix_pages.n || (!m->radix && !(m->proc_tbl & PPC_BIT(0))))
		return true;
	error_set(err, "section spapr 0, spapr_patb_entry: its guest has a radix tree, and %s has no radix MMU (-cpu)", model->name);
	return false;
}

/* A guest that has agreed on how its processors appear goes on wherever they can appear so, as QEMU has it: its PVR is then this
 * machine's, and what this model lacks is gone. cede's own snapshots are exact, and another processor is not. */
static bool models_fit(struct machine *m, bool own, struct error *err)
{
	const struct cpu_model *model = m->config->cpu_model;

	for (unsigned i = 0; i < m->ncpus; i++) {
		uint32_t pvr = m->cpu[i]->cpu.pvr;

		if (pvr != model->pvr && (own || !m->compat_pvr)) {
			error_set(err, "section cpu %u, cpu: it is of %s (PVR 0x%08x), and this is %s (-cpu)", i, model_of(pvr), (unsigned)pvr, model->name);
			return false;
		}
		m->cpu[i]->cpu.pvr = model->pvr;
		cpu_fit_model(&m->cpu[i]->cpu, model);
	}
	return levels_fit(m, err) && mmu_fits(m, err);
}

/* `logged`: a log of what the dispatcher does begins anew. */
static bool settle(struct machine *m, const struct vms_set *set, bool logged, struct error *err)
{
	bool own = any_own(set);

	if (!complete(m, set, own, err) || (own ? !times_fit(m, err) : !clock_fits(m, err)))
		return false;
	if (own)
		devices_loaded(m, false);
	else
		adopt(m);
	if (!models_fit(m, own, err))
		return false;
	if (own && (!dispatcher_check(m, err) || !timers_restore(m, err)))
		return false;
	if (!disks_have_loaded(m, err))
		return false;
	if (!loaded(set, cede_timing_state.name, 0))
		engine_forget_timing(m->engine);
	if (m->proc_tbl & PPC_BIT(0))
		hpt_free(&m->hpt);	/* a stream need not say that there is none */
	for (unsigned i = 0; i < m->ncpus; i += m->threads)
		share_tell(m, i);
	if (logged)
		dispatcher_log_begin(m);
	profile_restart(m);
	for (unsigned i = 0; i < m->ncpus; i++)
		cpu_state_changed(&m->cpu[i]->cpu);
	firmware_loaded(m);
	snapshots_skip(m);
	return true;
}

/* Fills in from the parents the pages that the snapshot itself does not have. */
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

/* Of two streams the first has the memory; all else of it is overwritten by the second. */
static bool load_first(struct machine *m, int fd, uint64_t second, struct error *err)
{
	struct vms_set set;
	struct vms_ram ram;
	bool ok;

	if (!snapshot_sections(m, m->cpu, &set, &ram, err))
		return false;
	ok = savevm_read(&set, fd, err) && lseek(fd, (off_t)second, SEEK_SET) >= 0;
	snapshot_sections_free(&set, &ram);
	return ok;
}

/* A device may be made for as many processors as there are, and its section comes behind theirs: then it is not what differs. */
static void name_processors(const struct machine *m, const struct vms_set *set, struct error *err)
{
	const struct vms_section *all = set->section;
	unsigned found = 0;

	while (found < m->ncpus && loaded(set, "cpu_common", found))
		found++;
	for (unsigned i = 0; found && found < m->ncpus && set->read_last && all + i < set->read_last; i++)
		if (!all[i].loaded && all[i].instance == found && !strcmp(all[i].name, "cpu_common")) {
			error_set(err, "expected %u processors, found %u (-smp)", m->ncpus, found);
			return;
		}
}

static bool load_from(struct machine *m, int fd, const char *path, bool logged, struct error *err)
{
	uint64_t second = second_stream(fd);
	struct vms_set set;
	struct vms_ram ram;
	bool ok;

	if (second && !load_first(m, fd, second, err))
		return false;
	if (!snapshot_sections(m, m->cpu, &set, &ram, err))
		return false;
	show_progress(&ram, "loading");
	media_forget(m);
	m->dawr1_untold = false;
	ok = place_memory(m, &ram, fd, path, err) && savevm_read(&set, fd, err) && settle(m, &set, logged, err);
	if (!ok)
		name_processors(m, &set, err);
	snapshot_sections_free(&set, &ram);
	return ok;
}

bool snapshot_load_fd(struct machine *m, int fd, struct error *err)
{
	return load_from(m, fd, NULL, true, err) && disks_return_loaded(m, err) && devices_keep(m, err);
}

/* A FIFO may have no writer yet: opening and reading it may take for ever, and a line says so after a second. */
static int open_patiently(struct machine *m, const char *path)
{
	struct stat st;

	if (stat(path, &st) || !S_ISREG(st.st_mode))
		term_waits_for(m->term, "snapshot '%.120s'", path);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static bool load_path(struct machine *m, const char *path, bool logged, struct error *err)
{
	int fd = open_patiently(m, path);
	struct error why;
	bool ok;

	if (fd < 0) {
		term_proceeds(m->term);
		error_set(err, "cannot open snapshot '%.150s': %s", path, strerror(errno));
		return false;
	}
	ok = load_from(m, fd, path, logged, &why);
	if (!ok)
		error_set(err, "snapshot '%.60s': %.190s", path, why.msg);
	close(fd);
	term_proceeds(m->term);
	return ok;
}

bool snapshot_load(struct machine *m, const char *path, struct error *err)
{
	return load_path(m, path, true, err) && disks_return_loaded(m, err) && devices_keep(m, err);
}

bool snapshot_replace(struct machine *m, const char *path, struct error *err)
{
	struct error why;

	if (!load_path(m, path, true, err) || !disks_return_loaded(m, err))
		return false;
	if (!devices_keep(m, &why)) {
		term_say(m->term, "warning: the machine is loaded, its NVRAM is not kept: %s", why.msg);
	}
	return true;
}

/* ---- Trying ---- */

struct trial {
	struct machine *m;
	const char *path;
};

/* In the copy: loads, and writes to `report` why that fails. Nothing of it is shown on stderr or logged. */
static bool try_load(void *opaque, int report)
{
	const struct trial *trial = opaque;
	struct machine *m = trial->m;
	struct error err = { .msg = "" };
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (null >= 0)
		dup2(null, STDERR_FILENO);
	machine_clear_unlogged(m);
	return load_path(m, trial->path, false, &err) || write(report, err.msg, strlen(err.msg)) < 0;
}

/* Until the copy has ended, or a signal wants us to; that is the run loop's to see. */
static void read_report(struct machine *m, const struct child *child, int report, struct error *why)
{
	struct pollfd fds[] = { { .fd = report, .events = POLLIN }, { .fd = term_fd(m->term), .events = POLLIN } };
	ssize_t n = 1;
	size_t have = 0;

	while (n > 0) {
		if (term_poll(m->term, fds, ARRAY_SIZE(fds), -1) < 0 && errno != EINTR)
			return;
		if (fds[1].revents && term_signal(m->term))
			kill(child->pid, SIGKILL);
		n = fds[0].revents || term_ending(m->term) ? read(report, why->msg + have, sizeof why->msg - 1 - have) : 1;
		have += fds[0].revents && n > 0 ? (size_t)n : 0;
	}
	why->msg[have] = 0;
}

bool snapshot_try(struct machine *m, const char *path, struct error *err)
{
	struct trial trial = { .m = m, .path = path };
	const struct child_work work = { .run = try_load, .opaque = &trial, .dies_with_us = true };
	struct error why = { .msg = "" };
	struct child child;
	int report;

	devices_settle(m);
	if (!child_copy(&child, &work, &report)) {
		error_set(err, "cannot try snapshot '%.150s': %s", path, strerror(errno));
		return false;
	}
	read_report(m, &child, report, &why);
	close(report);
	child_wait(&child);
	if (!child_code(&child))
		return true;
	if (why.msg[0])
		*err = why;
	else if (child_signal(&child))
		error_set(err, "snapshot '%.150s': what reads it was ended by signal %d", path, child_signal(&child));
	else
		error_set(err, "snapshot '%.150s': it cannot be read any more", path);
	return false;
}

/* ---- Loading over a running machine ---- */

/* A snapshot that loaded in the trial does not load now: its file has changed meanwhile, or the host is out of memory. */
static void lose_machine(struct machine *m, const struct error *err)
{
	term_say(m->term, "what has loaded in a trial does not load now, and the running machine is lost: %.200s", err->msg);
	machine_request(m, REQ_QUIT, EXIT_HOST_ERROR);
}

bool snapshot_reload(struct machine *m, const char *path, struct error *err)
{
	bool ok;

	if (!disks_settle(m, err))	/* no image's thread runs in the copy */
		return false;
	if (!snapshot_try(m, path, err))
		return false;
	machine_clear(m);
	ok = snapshot_replace(m, path, err);
	if (!ok)
		lose_machine(m, err);
	clock_init(m, m->config->warp);
	return ok;
}
