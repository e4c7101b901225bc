/* Dynamic reconfiguration connectors (DRC): the places of a board where something can be plugged in while the guest runs.
 *
 * A connector has an index, which a guest keeps: the number of its kind, and its own. What has been plugged in stands there
 * whatever the guest makes of it; how far the guest has taken it is the state. Physical connectors (slots) and logical ones
 * (processors, memory) go different ways. Indexes, states and their numbers are QEMU's. PAPR, "Dynamic Reconfiguration (DR)
 * Architecture". */
#ifndef MACHINE_CORE_DRC_H
#define MACHINE_CORE_DRC_H

#include "machine/core/machine.h"
#include "savevm/vmstate.h"

struct drc;
struct tree;			/* machine/core/node.h */

#define DRC_CPU UINT32_C(0x10000000)	/* | number of the core's first thread */
#define DRC_PHB UINT32_C(0x20000000)
#define DRC_PCI UINT32_C(0x40000000)	/* | device << 3 | function */
#define DRC_LMB UINT32_C(0x80000000)	/* | guest real address / 256 MiB */
#define DRC_ID  UINT32_C(0x0fffffff)
#define DRC_MOST 1024u			/* connectors of a board */

/* As QEMU's snapshots have them. */
enum drc_state {
	DRC_UNUSABLE = 1, DRC_AVAILABLE, DRC_LOGICAL_UNISOLATED, DRC_LOGICAL_CONFIGURED,
	DRC_POWERED = 6, DRC_UNISOLATED, DRC_CONFIGURED,
};
enum drc_indicator { DRC_INACTIVE, DRC_ACTIVE, DRC_IDENTIFY, DRC_ACTION };

struct drc_kind {
	const char *name, *type;	/* "C", to which the number is added: ibm,drc-names; "28": ibm,drc-types */
	bool physical;
	uint8_t event;			/* PAPR, "Hot Plug Event Log Section": type of the resource */
	/* Writes the node of what is plugged in below the root of an empty tree. */
	void (*fdt)(struct machine *m, const struct drc *drc, struct tree *t);
	/* The guest has let it go, and somebody has asked for that: takes it away. It ends with drc_empty(). */
	void (*release)(struct machine *m, struct drc *drc);
	/* May the guest not let it go that nobody wants back? */
	bool keeps;
	/* The guest still uses it, so that it cannot be let go. NULL: never. */
	bool (*busy)(struct machine *m, const struct drc *drc);
};

struct drc {
	const struct drc_kind *kind;
	struct device *device;		/* who has plugged it; NULL: the board has */
	uint32_t index;
	uint32_t state;			/* enum drc_state */
	uint32_t indicator;		/* enum drc_indicator; of physical ones */
	uint32_t step;			/* ibm,configure-connector: tokens of the node that the guest has been given */
	bool plugged, unplugging;	/* something is there; and somebody wants it back */
};

/* First member of whoever has them (machine/board/connectors.c). */
struct drcs {
	unsigned n;
	struct drc drc[DRC_MOST];	/* by index, ascending, in each kind */
};

extern const struct vmstate drc_state;		/* QEMU's "spapr_drc" */
extern const struct vmstate drc_physical_state;	/* "spapr_drc/physical" */
extern const struct vmstate drc_own_state;	/* "cede/drc" */

struct drc *drc_add(struct machine *m, const struct drc_kind *kind, uint32_t index);	/* empty. NULL: there are too many */
struct drc *drc_find(struct machine *m, uint32_t index);	/* NULL: none */
void drc_reset(struct drc *drc);	/* what is plugged in is the guest's at once */
/* Something is there: from power-on, or (`hot`) as a guest finds it that runs. */
void drc_plug(struct drc *drc, struct device *device, bool hot);
void drc_empty(struct drc *drc);
bool drc_is_ready(const struct drc *drc);	/* the guest has it, wholly */
void drc_release(struct machine *m, struct drc *drc);	/* if it can go; else nobody wants it back any more */
/* Somebody wants it back. True: the guest has let it go already, so that it has been released. */
bool drc_unplug(struct machine *m, struct drc *drc);

/* ---- What a guest does. Answers are RTAS statuses ---- */

#define DRC_OK            0
#define DRC_REFUSED     (-1)
#define DRC_NONE        (-3)
int32_t drc_isolate(struct machine *m, struct drc *drc, bool isolated);
int32_t drc_allocate(struct machine *m, struct drc *drc, bool usable);
uint32_t drc_sense(const struct drc *drc);	/* dr-entity-sense: 0 empty, 1 present, 2 unusable */
#define DRC_CC_DONE           0
#define DRC_CC_CHILD          2
#define DRC_CC_PROPERTY       3
#define DRC_CC_PARENT         4
#define DRC_CC_ERROR        (-1)
#define DRC_CC_NOT_READY (-9003)
#define DRC_CC_AREA        4096u
/* The next node or property of what is plugged in, into the work area at guest real `gra`: 4096 bytes of RAM. */
int32_t drc_configure(struct machine *m, struct drc *drc, uint64_t gra);

/* ---- The device tree ---- */

/* ibm,drc-indexes, -names, -types and -power-domains of all connectors of a kind: DRC_CPU.. Nothing if there are none. */
void drc_fdt(struct machine *m, uint32_t kind, struct tree *t, int at);

#endif
