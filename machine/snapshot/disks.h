/* Disks and snapshots: a snapshot of the machine names a state that each writable disk's image keeps beside its present
 * one (qcow2's internal snapshots), and a load returns the disks there. So after any order of saves, runs and loads a
 * guest finds its disk as it was at that save. */
#ifndef MACHINE_SNAPSHOT_DISKS_H
#define MACHINE_SNAPSHOT_DISKS_H

#include <stdio.h>

#include "machine/core/machine.h"
#include "savevm/error.h"
#include "savevm/vmstate.h"

bool disks_any(const struct machine *m);	/* some are writable */
/* What has been submitted is done and on the host's disk: before a save, and before a copy of the process is made,
 * in which no image's thread runs. */
bool disks_settle(struct machine *m, struct error *err);	/* false and err->msg set: the host cannot write */
bool disks_end(struct machine *m, struct error *err);		/* the last flush: the same */
/* At the start. False and err->msg set: cede was killed within a loadvm, and the user says where the disks are to be. */
bool disks_recover(struct machine *m, struct error *err);

/* ---- A file of -save, savevm without disks, migrate: the state's name is in section cede/disks ---- */

/* Before the file is written: keeps the disks' present state under a new name, which is m->disk_state until the caller
 * clears it. True if there is nothing to keep. False and err->msg set: a disk whose image keeps no states. */
bool disks_save(struct machine *m, struct error *err);
void disks_forget(struct machine *m, const char *name);	/* "": nothing */
/* A snapshot has been read, and who sent it does not have the disks any more: do they have the state that it names? */
bool disks_have_loaded(struct machine *m, struct error *err);
/* And it is to be kept: returns them there, and forgets the name. */
bool disks_return_loaded(struct machine *m, struct error *err);

extern const struct vmstate cede_disks_state;	/* of struct machine */

/* ---- savevm with disks: the machine's state is in the first writable one, where QEMU has it ---- */

bool disks_savevm(struct machine *m, const char *name, struct error *err);
bool disks_loadvm(struct machine *m, const char *name, struct error *err);	/* over a machine that runs */
bool disks_begin(struct machine *m, const char *name, struct error *err);	/* -loadvm NAME: into a cleared one */
bool disks_delvm(struct machine *m, const char *name, struct error *err);
/* As QEMU lists those that are on all disks. */
void disks_list(struct machine *m, FILE *out);
bool disks_know_part(const struct machine *m, const char *name);	/* some of them */
void disks_no_place(const struct machine *m, struct error *err);	/* why none is writable */
bool disks_know(const struct machine *m, const char *name);	/* all of them have such a state, with a machine's in the first */

#endif
