/* How far a save or a load is, on a terminal: once it takes longer than a second, in one line that goes
 * away again. Nothing that the guest sees depends on it. */
#ifndef MACHINE_SNAPSHOT_PROGRESS_H
#define MACHINE_SNAPSHOT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *verb;		/* "saving" */
	uint64_t total;			/* bytes */
	uint64_t start, next;		/* host ns: began; is to be shown again */
	bool terminal, shown;
};

void progress_begin(struct progress *p, const char *verb, uint64_t total);
void progress_at(struct progress *p, uint64_t done);
void progress_end(struct progress *p);

#endif
