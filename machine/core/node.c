/* Nodes and properties of a device tree under construction. */
#include "machine/core/node.h"

#include <stdio.h>

#include <libfdt.h>

#define MAX_CELLS 1024		/* of one property: seven for each pin of a PCI bridge are 896, and more than any other has */

void tree_keep_error(struct tree *t, int err)
{
	if (err < 0 && !t->err)
		t->err = err;
}

int node_add(struct tree *t, int parent, const char *name)
{
	int offset = fdt_add_subnode(t->fdt, parent, name);

	tree_keep_error(t, offset);
	return offset;
}

int node_add_at(struct tree *t, int parent, const char *name, uint64_t unit)
{
	char buf[64];

	snprintf(buf, sizeof buf, "%s@%llx", name, (unsigned long long)unit);
	return node_add(t, parent, buf);
}

void node_bytes(struct tree *t, int at, const char *name, const void *value, size_t len)
{
	tree_keep_error(t, fdt_setprop(t->fdt, at, name, value, (int)len));
}

void node_flag(struct tree *t, int at, const char *name)
{
	node_bytes(t, at, name, NULL, 0);
}

void node_cell(struct tree *t, int at, const char *name, uint32_t value)
{
	tree_keep_error(t, fdt_setprop_u32(t->fdt, at, name, value));
}

void node_string(struct tree *t, int at, const char *name, const char *value)
{
	tree_keep_error(t, fdt_setprop_string(t->fdt, at, name, value));
}

void node_cells(struct tree *t, int at, const char *name, const uint32_t *value, unsigned n)
{
	fdt32_t be[MAX_CELLS];

	if (n > MAX_CELLS) {
		tree_keep_error(t, -FDT_ERR_NOSPACE);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		be[i] = cpu_to_fdt32(value[i]);
	node_bytes(t, at, name, be, n * sizeof be[0]);
}
