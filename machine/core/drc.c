/* Connectors: their states, what a guest is given of what is plugged in, and their names; see drc.h. */
#include "machine/core/drc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libfdt.h>

#include "machine/core/device.h"
#include "machine/core/node.h"

#define NODE_BYTES 65536		/* the largest node that is plugged in, as a tree */

struct drc *drc_add(struct machine *m, const struct drc_kind *kind, uint32_t index)
{
	struct drc *drc;

	if (m->drcs->n == DRC_MOST)
		return NULL;
	drc = &m->drcs->drc[m->drcs->n++];
	*drc = (struct drc){ .kind = kind, .index = index };
	drc_reset(drc);
	return drc;
}

struct drc *drc_find(struct machine *m, uint32_t index)
{
	for (unsigned i = 0; i < m->drcs->n; i++)
		if (m->drcs->drc[i].index == index)
			return &m->drcs->drc[i];
	return NULL;
}

static uint32_t ready_state(const struct drc *drc) { return drc->kind->physical ? DRC_CONFIGURED : DRC_LOGICAL_CONFIGURED; }
static uint32_t empty_state(const struct drc *drc) { return drc->kind->physical ? DRC_POWERED : DRC_UNUSABLE; }

void drc_reset(struct drc *drc)
{
	drc->state = drc->plugged ? ready_state(drc) : empty_state(drc);
	drc->indicator = drc->plugged && drc->kind->physical ? DRC_ACTIVE : DRC_INACTIVE;
	drc->step = 0;
	drc->unplugging = false;
}

void drc_plug(struct drc *drc, struct device *device, bool hot)
{
	drc->plugged = true;
	drc->device = device;
	if (!hot)
		drc_reset(drc);
}

void drc_empty(struct drc *drc)
{
	drc->plugged = drc->unplugging = false;
	drc->device = NULL;
	drc->state = empty_state(drc);
	drc->step = 0;
}

bool drc_is_ready(const struct drc *drc)
{
	return drc->state == ready_state(drc);
}

/* Whoever asks has looked whether it can go; a snapshot may ask for anything. */
void drc_release(struct machine *m, struct drc *drc)
{
	struct error ignored;

	if (drc->device && device_can_go(m, drc->device, &ignored))
		drc->kind->release(m, drc);
	else
		drc->unplugging = false;
}

static bool is_busy(struct machine *m, const struct drc *drc) { return drc->kind->busy && drc->kind->busy(m, drc); }

bool drc_unplug(struct machine *m, struct drc *drc)
{
	drc->unplugging = true;
	if (drc->state != empty_state(drc) || is_busy(m, drc))
		return false;
	drc_release(m, drc);
	return true;
}

/* ---- Isolation and allocation ---- */

static int32_t isolate_physical(struct machine *m, struct drc *drc)
{
	if (drc->state == DRC_UNISOLATED)
		return DRC_NONE;
	if (drc->state == DRC_POWERED)
		return DRC_OK;
	drc->state = DRC_POWERED;
	if (drc->unplugging)
		drc_release(m, drc);
	return DRC_OK;
}

static int32_t isolate_logical(struct drc *drc)
{
	if (drc->state == DRC_LOGICAL_UNISOLATED)
		return DRC_NONE;
	if (drc->state != DRC_LOGICAL_CONFIGURED)
		return DRC_OK;
	if (drc->kind->keeps && !drc->unplugging)
		return DRC_REFUSED;
	drc->state = DRC_AVAILABLE;
	return DRC_OK;
}

static int32_t unisolate(struct drc *drc)
{
	bool physical = drc->kind->physical;

	if (drc->state == (physical ? DRC_UNISOLATED : DRC_LOGICAL_UNISOLATED) || drc_is_ready(drc))
		return DRC_OK;
	if (!drc->plugged || drc->state == DRC_UNUSABLE)
		return DRC_NONE;
	drc->state = physical ? DRC_UNISOLATED : DRC_LOGICAL_UNISOLATED;
	drc->step = 0;
	return DRC_OK;
}

int32_t drc_isolate(struct machine *m, struct drc *drc, bool isolated)
{
	if (!isolated)
		return unisolate(drc);
	return drc->kind->physical ? isolate_physical(m, drc) : isolate_logical(drc);
}

int32_t drc_allocate(struct machine *m, struct drc *drc, bool usable)
{
	if (drc->kind->physical)
		return DRC_NONE;
	if (usable) {
		if (drc->state != DRC_UNUSABLE)
			return DRC_OK;
		if (!drc->plugged || drc->unplugging)
			return DRC_NONE;
		drc->state = DRC_AVAILABLE;
		return DRC_OK;
	}
	if (drc->state != DRC_AVAILABLE && drc->state != DRC_UNUSABLE)
		return DRC_NONE;
	if (drc->unplugging && is_busy(m, drc))
		return DRC_REFUSED;
	drc->state = DRC_UNUSABLE;
	if (drc->unplugging)
		drc_release(m, drc);
	return DRC_OK;
}

uint32_t drc_sense(const struct drc *drc)
{
	if (drc->kind->physical)
		return drc->plugged;
	return drc->state == DRC_UNUSABLE ? 2 : 1;
}

/* ---- ibm,configure-connector ---- */

/* Cells of the work area; then what they point to. */
#define CELL_NAME   2
#define CELL_LENGTH 3
#define CELL_VALUE  4
#define AREA_DATA   20u

/* What does not fit is cut. */
static void put_bytes(struct machine *m, uint64_t gra, uint32_t at, const void *bytes, uint32_t n)
{
	if (at < DRC_CC_AREA)
		ram_write(&m->ram, gra + at, bytes, n < DRC_CC_AREA - at ? n : DRC_CC_AREA - at);
}

static void put_cell(struct machine *m, uint64_t gra, unsigned cell, uint32_t value)
{
	st_be32(&m->ram, gra + 4 * cell, value);
}

/* A tree of nothing but that node. NULL: no memory. */
static void *node_of(struct machine *m, const struct drc *drc)
{
	struct tree t = { .fdt = calloc(1, NODE_BYTES) };

	if (!t.fdt)
		return NULL;
	tree_keep_error(&t, fdt_create_empty_tree(t.fdt, NODE_BYTES));
	drc->kind->fdt(m, drc, &t);
	if (!t.err)
		return t.fdt;
	free(t.fdt);
	return NULL;
}

/* The token of that number behind the root's beginning, of those that say something. */
static uint32_t token_at(const void *fdt, uint32_t number, int *at, int *depth)
{
	int next = fdt_path_offset(fdt, "/");
	uint32_t tag = fdt_next_tag(fdt, next, &next);

	*depth = 0;
	for (;;) {
		*at = next;
		tag = fdt_next_tag(fdt, *at, &next);
		if (tag == FDT_NOP)
			continue;
		*depth += tag == FDT_BEGIN_NODE;
		*depth -= tag == FDT_END_NODE;
		if (tag == FDT_END || next < 0 || !number--)
			return next < 0 ? FDT_END : tag;
	}
}

static int32_t give_property(struct machine *m, const void *fdt, int at, uint64_t gra)
{
	const char *name;
	int len;
	const void *value = fdt_getprop_by_offset(fdt, at, &name, &len);
	uint32_t bytes;

	if (!value)
		return DRC_CC_ERROR;
	bytes = (uint32_t)strlen(name) + 1;
	put_cell(m, gra, CELL_NAME, AREA_DATA);
	put_bytes(m, gra, AREA_DATA, name, bytes);
	put_cell(m, gra, CELL_LENGTH, (uint32_t)len);
	put_cell(m, gra, CELL_VALUE, AREA_DATA + bytes);
	put_bytes(m, gra, AREA_DATA + bytes, value, (uint32_t)len);
	return DRC_CC_PROPERTY;
}

static int32_t give(struct machine *m, struct drc *drc, const void *fdt, uint64_t gra)
{
	int at, depth, len;
	uint32_t tag = token_at(fdt, drc->step, &at, &depth);
	const char *name;

	drc->step++;
	switch (tag) {
	case FDT_BEGIN_NODE:
		name = fdt_get_name(fdt, at, &len);
		put_cell(m, gra, CELL_NAME, AREA_DATA);
		put_bytes(m, gra, AREA_DATA, name, (uint32_t)len + 1);
		return DRC_CC_CHILD;
	case FDT_PROP:
		return give_property(m, fdt, at, gra);
	case FDT_END_NODE:
		if (depth)
			return DRC_CC_PARENT;
		drc->state = ready_state(drc);
		drc->step = 0;		/* the guest may ask again */
		return DRC_CC_DONE;
	default:
		drc->step = 0;
		return DRC_CC_ERROR;
	}
}

int32_t drc_configure(struct machine *m, struct drc *drc, uint64_t gra)
{
	int32_t status;
	void *fdt;

	if (drc->state != DRC_UNISOLATED && drc->state != DRC_LOGICAL_UNISOLATED && !drc_is_ready(drc))
		return DRC_CC_NOT_READY;
	fdt = drc->plugged ? node_of(m, drc) : NULL;
	if (!fdt)
		return DRC_CC_ERROR;
	status = give(m, drc, fdt, gra);
	free(fdt);
	return status;
}

/* ---- Names ---- */

#define NAME_BYTES 20u

struct lists {
	uint32_t n;
	uint32_t indexes[1 + DRC_MOST], domains[1 + DRC_MOST];
	uint8_t names[4 + NAME_BYTES * DRC_MOST], types[4 + 8 * DRC_MOST];
	size_t names_len, types_len;
};

static void put_count(uint8_t *at, uint32_t n)
{
	for (unsigned i = 0; i < 4; i++)
		at[i] = (uint8_t)(n >> (24 - 8 * i));
}

static void list_one(struct lists *l, const struct drc *drc)
{
	l->n++;
	l->indexes[l->n] = drc->index;
	l->domains[l->n] = UINT32_MAX;		/* power is the hypervisor's business */
	l->names_len += 1 + (size_t)snprintf((char *)l->names + l->names_len, NAME_BYTES, "%s%u", drc->kind->name, drc->index & DRC_ID);
	l->types_len += 1 + (size_t)snprintf((char *)l->types + l->types_len, 8, "%s", drc->kind->type);
}

void drc_fdt(struct machine *m, uint32_t kind, struct tree *t, int at)
{
	struct lists *l = calloc(1, sizeof *l);

	if (!l) {
		tree_keep_error(t, -FDT_ERR_NOSPACE);
		return;
	}
	l->names_len = l->types_len = 4;
	for (unsigned i = 0; i < m->drcs->n; i++)
		if ((m->drcs->drc[i].index & ~DRC_ID) == kind)
			list_one(l, &m->drcs->drc[i]);
	if (l->n) {
		l->indexes[0] = l->domains[0] = l->n;
		put_count(l->names, l->n);
		put_count(l->types, l->n);
		node_bytes(t, at, "ibm,drc-types", l->types, l->types_len);
		node_bytes(t, at, "ibm,drc-names", l->names, l->names_len);
		node_cells(t, at, "ibm,drc-power-domains", l->domains, 1 + l->n);
		node_cells(t, at, "ibm,drc-indexes", l->indexes, 1 + l->n);
	}
	free(l);
}

/* ---- Snapshots ---- */

static bool unplug_needed(const void *s) { return ((const struct drc *)s)->unplugging; }

static void unplug_absent(void *s) { ((struct drc *)s)->unplugging = false; }

static const struct vmstate unplug_state = {
	.name = "spapr_drc/unplug_requested", .version = 1, .min_version = 1, VMS_OF(struct drc), .needed = unplug_needed,
	.absent = unplug_absent,
	.fields = VMS_FIELDS(VMS_ONE("unplug_requested", struct drc, unplugging, bool, vms_bool,)),
};

/* QEMU sends what is not as it was at power-on. */
static bool state_needed(const void *s)
{
	const struct drc *drc = s;

	return !drc_is_ready(drc) || drc->unplugging;
}

static bool state_check(const void *s, struct vms_walk *w)
{
	const struct drc *drc = s;
	uint32_t least = drc->kind->physical ? DRC_POWERED : DRC_UNUSABLE;

	return (drc->state >= least && drc->state <= ready_state(drc)) ||
	       vms_wrong(w, "state", drc->state, "%u to %u", least, ready_state(drc));
}

#define MADE "what there is"

const struct vmstate drc_state = {
	.name = "spapr_drc", .version = 1, .min_version = 1, VMS_OF(struct drc), .needed = state_needed, .check = state_check,
	.fields = VMS_FIELDS(
		VMS_U32(struct drc, state),
		VMS_SKIP(struct drc, kind, MADE), VMS_SKIP(struct drc, device, MADE), VMS_SKIP(struct drc, index, MADE),
		VMS_SKIP(struct drc, plugged, MADE)),
	.subs = VMS_SUBS(&unplug_state),
};

static bool physical_needed(const void *s)
{
	const struct drc *drc = s;

	return drc->kind->physical && drc->indicator != (drc->plugged ? DRC_ACTIVE : DRC_INACTIVE);
}

const struct vmstate drc_physical_state = {
	.name = "spapr_drc/physical", .version = 1, .min_version = 1, VMS_OF(struct drc), .needed = physical_needed,
	.fields = VMS_FIELDS(VMS_U32_TO(struct drc, indicator, DRC_ACTION)),
};

static bool own_needed(const void *s) { return ((const struct drc *)s)->step != 0; }

const struct vmstate drc_own_state = {
	.name = "cede/drc", .version = 1, .min_version = 1, VMS_OF(struct drc), .needed = own_needed,
	.fields = VMS_FIELDS(VMS_U32_TO(struct drc, step, NODE_BYTES)),
};
