/* Saving and loading the whole machine: which sections there are, and when one is written. */
#ifndef MACHINE_SNAPSHOT_SNAPSHOT_H
#define MACHINE_SNAPSHOT_SNAPSHOT_H

#include "machine/core/machine.h"
#include "savevm/error.h"

struct snapshot_options {
	bool for_qemu;			/* target=qemu: what QEMU 7.2 reads and can go on from */
	bool mapped;			/* memory where a load maps it: savevm/layout.h; a stream otherwise */
	bool compress;			/* the stream in a frame of zstd */
	bool quiet;			/* no progress: the guest has the terminal meanwhile */
	bool with_states;		/* the disks keep states of this moment */
	bool guests;			/* a guest asks for it, and might do so for ever: a signal does not wait for its end */
	/* Gets the progress instead of the terminal: bytes of memory looked at, bytes written, pages that were zero.
	 * NULL: nobody. */
	void (*tell)(void *teller, uint64_t done, uint64_t sent, uint64_t zeros);
	void *teller;
	const char *parent;		/* only the pages that differ from that snapshot's; NULL: all */
};

/* Between quanta (or in a cut one). The machine goes on as if nothing had happened; the file is the
 * whole new one or the old one. */
bool snapshot_save(struct machine *m, const char *path, const struct snapshot_options *o, struct error *err);
bool snapshot_save_fd(struct machine *m, int fd, const struct snapshot_options *o, struct error *err);
/* Into a machine that machine_clear() has just cleared. False: err->msg names section, field, expected
 * and found; the machine holds part of it then and must not run. */
bool snapshot_load(struct machine *m, const char *path, struct error *err);
bool snapshot_load_fd(struct machine *m, int fd, struct error *err);
/* The same over a machine that ran, after snapshot_try(): it has its NVRAM then, and a file of that which cannot be
 * written is a warning on stderr. */
bool snapshot_replace(struct machine *m, const char *path, struct error *err);
/* Whether the snapshot would load. A child process loads it into its copy of the machine, so that a load that fails,
 * even by a crash, changes neither the machine nor its files. */
bool snapshot_try(struct machine *m, const char *path, struct error *err);

/* The same, tried first: false without a loss, or the machine is lost and ends. */
bool snapshot_reload(struct machine *m, const char *path, struct error *err);
/* For the inside of an image, as QEMU's savevm has it: what QEMU can go on from, if that can be had now, and behind it
 * what is exact; memory is in there once. All loads take it. */
bool snapshot_save_both(struct machine *m, int fd, struct error *err);

/* target=qemu can be taken now. */
bool snapshot_qemu_ready(const struct machine *m);

/* ---- -save: saves.c ---- */
struct snapshots *snapshots_new(const struct machine *m, struct error *err);	/* NULL: a file has no place, or out of memory */
void snapshots_free(struct snapshots *snapshots);
void snapshots_skip(struct machine *m);			/* drops the saves whose time is before clock.now, after a load */
/* Cycle of the next one; UINT64_MAX none. */
uint64_t snapshots_next(const struct machine *m);
/* Takes what is due at clock.now. What cannot be saved is said on stderr; the guest goes on. */
void snapshots_take(struct machine *m);
void snapshots_wait(struct machine *m);			/* until all children that write snapshots have ended */
/* At the end: says which of -save FILE@CYCLE the guest has not come to. False: a file is not there, for that or as its save failed. */
bool snapshots_end(const struct machine *m);
void snapshots_asked(struct machine *m);		/* SIGUSR1 */
bool snapshots_wanted(const struct machine *m);		/* SIGUSR1 has come, and its snapshot has not been taken yet */
/* Serves the guest's own request (ibm,suspend-me of thread m->suspending), at the end of the quantum that the call
 * cut short: saves, or makes the call fail. */
void snapshots_suspend(struct machine *m);

/* Every section that `m` could write, as savevm_write() wants them; for the tests too. */
struct vms_set;
struct vms_ram;
bool snapshot_sections(struct machine *m, struct spapr_cpu *const *cpu, struct vms_set *set, struct vms_ram *ram,
		       struct error *err);
void snapshot_sections_free(struct vms_set *set, struct vms_ram *ram);

#endif
