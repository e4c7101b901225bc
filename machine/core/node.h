/* Writing the device tree: nodes and properties, for whoever has some to say. The first error stays.
 *
 * The library puts a new node before its siblings: what is written last comes first in the tree.
 * Bindings: IEEE 1275-1994; PAPR, "Device Tree". */
#ifndef MACHINE_CORE_NODE_H
#define MACHINE_CORE_NODE_H

#include <stddef.h>
#include <stdint.h>

/* A tree under construction. */
struct tree {
	void *fdt;
	int err;			/* a libfdt error code, negative; 0: none yet */
};

void tree_keep_error(struct tree *t, int err);	/* if it is one */
/* A new node below `parent` (0: the root): its offset, which holds until the next node or property is written before it. */
int node_add(struct tree *t, int parent, const char *name);
int node_add_at(struct tree *t, int parent, const char *name, uint64_t unit);	/* name@unit, in hexadecimal */
void node_bytes(struct tree *t, int at, const char *name, const void *value, size_t len);
void node_flag(struct tree *t, int at, const char *name);		/* a property without a value */
void node_cell(struct tree *t, int at, const char *name, uint32_t value);
void node_string(struct tree *t, int at, const char *name, const char *value);
void node_cells(struct tree *t, int at, const char *name, const uint32_t *value, unsigned n);

#define NODE_CELLS(t, at, name, ...) \
	node_cells(t, at, name, (const uint32_t[]){ __VA_ARGS__ }, sizeof((const uint32_t[]){ __VA_ARGS__ }) / 4)
#define HIGH_LOW(v) (uint32_t)((uint64_t)(v) >> 32), (uint32_t)(v)

#define NODE_PHANDLE_IRQ UINT32_C(0x1111)	/* of /interrupt-controller; the others count on from here */

#endif
