/* The JSON description at a snapshot's end: what each section holds, by name, type and size, so
 * that a reader without the descriptions can take it apart. QEMU's layout. */
#ifndef SAVEVM_VMDESC_H
#define SAVEVM_VMDESC_H

#include <stdint.h>

#include "savevm/text.h"
#include "savevm/vmstate.h"

void vmdesc_begin(struct text *t);
/* A section's entry, around what vms_save() adds. */
void vmdesc_device(struct text *t, const char *name, uint32_t instance, const struct vmstate *state);
void vmdesc_device_end(struct text *t);
/* Pads it so that the bytes of its length do not look like its start to QEMU's analyser. */
void vmdesc_end(struct text *t);

/* For the walker. `t` may be NULL everywhere: then nothing is described. */
void vmdesc_state(struct text *t, const struct vmstate *state);		/* up to "fields":[ */
void vmdesc_fields_end(struct text *t);
void vmdesc_field(struct text *t, const char *name, const char *type, uint64_t size, uint32_t length, bool equal);
/* Structs: `index` below 0 if one entry stands for all `length`. */
void vmdesc_struct(struct text *t, const char *name, uint32_t length, int64_t index);
void vmdesc_struct_end(struct text *t, uint64_t size);
void vmdesc_queue(struct text *t, const char *name, const struct vmstate *state);
void vmdesc_queue_end(struct text *t, uint64_t size);
void vmdesc_sub(struct text *t, bool first, const struct vmstate *state);
void vmdesc_sub_end(struct text *t);
void vmdesc_subs_end(struct text *t);

#endif
