/* One number of a snapshot without reading the snapshot: for a list of many large files. */
#ifndef SAVEVM_TAIL_H
#define SAVEVM_TAIL_H

#include <stdbool.h>
#include <stdint.h>

/* The 8 bytes that a section of cede's, instance 0, begins with: it comes behind memory, so it is looked for from the
 * file's end on, in the last TAIL_MOST bytes. Nothing is checked but that a section of that name is there. False: it
 * is not, or the file is compressed, or no regular one. */
#define TAIL_MOST (UINT64_C(16) << 20)
bool tail_number(const char *path, const char *section, uint32_t version, uint64_t *number);

#endif
