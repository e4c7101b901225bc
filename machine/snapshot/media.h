/* Media in snapshots: what is in each drive that a device has taken, so that a load does not go on with another one.
 *
 * A disk that is written to keeps the state it had at the save (disks.h). CDs and other disks that are only read keep
 * nothing, nor does what a disk is based on: a snapshot has a sample of them, and a load compares. */
#ifndef MACHINE_SNAPSHOT_MEDIA_H
#define MACHINE_SNAPSHOT_MEDIA_H

#include "machine/core/machine.h"
#include "machine/disk/drive.h"
#include "savevm/error.h"
#include "savevm/vmstate.h"

/* Its device's number among all of the machine's but the connectors, in the order of their making: what snapshots have been
 * called by since before there were connectors. */
unsigned media_place(const struct drive *d);

/* Reads what is in the drives. In a copy of the process nothing: there it is what was read before the copy was made. */
bool media_look(struct machine *m, struct error *err);	/* false and err->msg set: something cannot be read */
/* The name of the file in it now, which may be none that the options know of; never that of an overlay of -snapshot. */
const char *media_file(const struct drive *d);

/* Before sections are written: what was read last is in each drive's struct medium, until media_forget(). */
void media_note(struct machine *m, bool with_states);	/* the disks keep states of this moment */
/* Also before sections are read: nothing is said of any drive. */
void media_forget(struct machine *m);
/* After they have been read: does each drive have what the snapshot says of it? One of which it says nothing has. */
bool media_agree(struct machine *m, struct error *err);

extern const struct vmstate cede_medium_state;	/* of struct medium */

#endif
