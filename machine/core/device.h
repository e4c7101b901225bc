/* Devices: what a device is, what a bus is, and the list of those that a machine has.
 *
 * A device is one file with a `struct device_class`, and one row in machine/board/devices.def. All who deal with devices
 * ask the class and name none: making, resetting and freeing a machine, its device tree, its snapshots (and through
 * them the state hash), -device, "info qtree", the tests. A device knows its bus, the clock, interrupt lines and guest
 * memory, and nothing above it.
 */
#ifndef MACHINE_CORE_DEVICE_H
#define MACHINE_CORE_DEVICE_H

#include "machine/core/machine.h"
#include "savevm/error.h"
#include "savevm/vmstate.h"

struct bus_class;
struct console;			/* machine/host/console.h */
struct device;
struct act;			/* machine/host/act.h */
struct screen;			/* screen.h */
struct tree;			/* machine/core/node.h */

enum property_type { PROPERTY_BOOL, PROPERTY_U32, PROPERTY_STRING };

/* A value that -device may set (`settable`) and that "info qtree" shows. */
struct device_property {
	const char *name, *help;	/* name NULL: the end of a table */
	enum property_type type;
	size_t offset;			/* of a bool, uint32_t or const char * in the device's struct */
	bool settable;
	uint32_t value;			/* default of a bool or a number; a string's is NULL */
};

/* A section of a snapshot besides the device's own ones. It is called after its description and an instance number;
 * what is called after the device as well is device_class.state. */
struct device_section {
	const struct vmstate *state;	/* NULL: the end of a table */
	bool own;			/* cede's: no QEMU is sent it */
	bool each_cpu;			/* one for each processor: `i` is its number. Of devices that there is one of */
	unsigned count;			/* else how many there are; 0: one */
	/* What `state` describes; NULL result: no such section. `cpu`: the machine's processors, or copies of them.
	 * No function: the device. */
	void *(*object)(struct device *dev, struct spapr_cpu *const *cpu, unsigned i);
	uint32_t (*instance)(const struct device *dev, unsigned i);	/* no function: i */
};

struct device_memory {
	const char *name;		/* behind the device's path */
	uint8_t *base;
	uint64_t size;
};

struct device_class {
	const char *name;		/* QEMU's type: -device, "info qtree" */
	const char *alias;		/* what -device takes for it as well; NULL: nothing */
	const char *help;
	size_t size;			/* bytes of the device's struct, whose first member is a struct device */
	const struct bus_class *on;	/* the bus it is on; NULL: the system bus */
	const struct bus_class *bus;	/* the bus that it carries; NULL: none */
	/* How many the board has by itself; NULL: none, they come by -device. */
	unsigned (*on_board)(const struct config *config);
	bool pluggable;			/* -device may ask for one */
	bool early;			/* made before the processors, and in a snapshot before them: as interrupt controllers are */
	const struct device_property *properties;	/* NULL: none */

	/* All functions may be NULL. */
	/* Takes resources. The struct is zero but for its properties, its bus has given it an address. False and
	 * err->msg set: free() is called all the same. */
	bool (*init)(struct device *dev, struct error *err);
	void (*free)(struct device *dev);		/* what init() took; not the struct */
	void (*reset)(struct device *dev);		/* every field as after power-on */
	/* Writes the device's node below `at`; its bus may have made the node, then `at` is that. */
	void (*fdt)(struct device *dev, struct tree *tree, int at);
	const char *node, *device_type, *compatible;	/* for a bus that makes nodes: name without unit; properties or NULL */

	/* What it shows. NULL: nothing. */
	struct screen *(*screen)(struct device *dev);
	/* What a user does (input.h), if it is of these kinds, a bit each: n acts at one time. */
	unsigned act_kinds;
	void (*act)(struct device *dev, const struct act *acts, unsigned n);
	/* The guest's processors have this order of bytes from now on (H_SET_MODE): devices that follow it. NULL: it does not. */
	void (*endian)(struct device *dev, bool big);

	/* The host's side, which the run loop polls and a monitor may share. */
	struct console *(*console)(const struct device *dev);	/* NULL result: nothing is connected */
	void (*receive)(struct device *dev);	/* takes what its console has, between quanta */

	/* Snapshots. */
	const struct vmstate *state;	/* QEMU's section; called after the device, too, if its bus has names for devices */
	/* What that has no place for: cede's section. Each member of the struct is in one row of the two; if all rows are
	 * VMS_SKIP, there is no section. Both NULL: the struct is a struct device. */
	const struct vmstate *own_state;
	const struct device_section *sections;	/* further ones, in QEMU's order */
	/* Memory of its own that QEMU sends as a block beside the guest's, not in a section: a stream for QEMU has it there, and one of
	 * QEMU's; cede's has it in own_state. NULL: it has none. */
	struct device_memory (*memory)(struct device *dev);
	uint64_t state_bytes;		/* what all of them may have in a snapshot at most, if it is more than some KiB */
	/* A snapshot has been loaded, another hypervisor's if `foreign`: rebuilds what is derived. */
	void (*loaded)(struct device *dev, bool foreign);
	/* And it is to be kept: the host's side of the device follows. False and err->msg set: it cannot. */
	bool (*keep)(struct device *dev, struct error *err);
	/* Before a save and before this process is copied: what threads of the host do for the device is done when it
	 * returns, and kept. Changes nothing that the guest sees. */
	void (*settle)(struct device *dev);
	/* QEMU has a place for all of its state as it is now. No function: for whatever it is. */
	bool (*qemu_ready)(const struct device *dev);
	/* Nor will it ever have: false and err->msg set. No function: it may. */
	bool (*qemu_can)(const struct device *dev, struct error *err);

	/* What its drive holds is another medium, or has another size. Between quanta. */
	void (*drive_changed)(struct device *dev);
	/* Of who takes a netdev: its netdev has frames for it. Between quanta. */
	void (*frames_arrived)(struct device *dev);
	void (*link_changed)(struct device *dev);	/* its cable has been pulled, or is back */
	void (*announce)(struct device *dev);	/* others are to hear where it is now */

	/* As a bus_class has them, of a device without a bus that comes and goes while the guest runs. NULL: it does not. */
	uint32_t (*connector)(const struct device *dev);
	bool (*removable)(const struct device *dev, struct error *err);
};

/* A kind of bus. */
struct bus_class {
	const char *type, *name;	/* QEMU's: "info qtree" */
	const struct device_property *properties;	/* of each device on it; NULL: none */
	/* Gives a new device its address and interrupt. False and err->msg set: there is no room. */
	bool (*attach)(struct device *bridge, struct device *dev, struct error *err);
	/* The device goes, and has been attached. NULL: nothing to do. */
	void (*detach)(struct device *dev);
	/* While the guest runs: the connector (drc.h) that devices come and go by, so that drc_plug() is attach()'s. NULL: none come. */
	uint32_t (*connector)(const struct device *dev);
	/* Can the guest be asked to let it go? False and err->msg set: no. */
	bool (*removable)(const struct device *dev, struct error *err);
	/* Of a bus that needs no connectors, as devices come and go there whether the guest likes it or not: one has come, or goes
	 * at once, and the bridge tells the guest if it can. NULL: none do. */
	void (*tell)(struct device *dev, bool comes);
	void (*reset)(struct device *dev);	/* what the bus knows of a device; NULL: nothing */
	/* What stands before a section's name in a snapshot. NULL: nothing does. */
	void (*path)(const struct device *dev, char *buf, size_t size);
};

/* First member of the struct of every device. */
struct device {
	const struct device_class *class;
	struct machine *machine;
	struct device *bridge;		/* that carries its bus; NULL: the system bus */
	struct device *next;		/* in order of making */
	const char *id;			/* -device id=; NULL */
	const char *bus;		/* -device bus=: the bridge's id, as in "ID.0"; NULL: the first one that fits */
	void *carries;			/* the state of the bus that it carries, where that kind of bus has one */
	char *values;			/* what -device said, cut into words: strings of properties are in it; NULL */
	uint32_t number;		/* among those of its class, from 0 on */
	bool asked;			/* by -device */
	bool hot, leaves;		/* it comes, or goes, while the guest runs */
	bool part;			/* of its bridge, and goes with it: device_new_on() */
	bool attached;			/* to its bus */
};

unsigned device_once(const struct config *config);	/* 1: device_class.on_board of most */

/* Makes the next device of `class`, with default properties if `values` is NULL, else with those that it says:
 * "NAME=VALUE,..", "": none. NULL and err->msg set: as init() fails, an unknown property, no memory. It is the machine's. */
struct device *device_new(struct machine *m, const struct device_class *class, const char *values, struct error *err);
/* The same for a guest that runs; it is as after power-on. */
struct device *device_new_hot(struct machine *m, const struct device_class *class, const char *values, struct error *err);
/* The guest has let it go: it is freed, and those above hear of it. */
void device_remove(struct machine *m, struct device *dev);
/* How devices of the class find their connector (drc.h); NULL: they have none. */
typedef uint32_t device_connector_fn(const struct device *dev);
device_connector_fn *device_connector(const struct device_class *class);
bool device_bus_tells(const struct device_class *class);	/* bus_class.tell: they have and need none */
/* Can they come while the guest runs; can this one go? False and err->msg set: no. */
bool device_can_come(const struct device_class *class, struct error *err);
bool device_can_go(const struct machine *m, const struct device *dev, struct error *err);
void device_drop(struct machine *m, struct device *dev);	/* it has hardly come: nobody hears of it */
struct device *device_find(const struct machine *m, const char *id);	/* -device id=; NULL: none */
/* The same on the bus of that bridge: part of the bridge's device, to go with it. In its init(). */
struct device *device_new_on(struct device *bridge, const struct device_class *class, const char *values, struct error *err);
void devices_free(struct machine *m);		/* last made, first freed */
void devices_reset(struct machine *m);		/* in order of making */
/* As device_class says. */
void devices_loaded(struct machine *m, bool foreign);
bool devices_keep(struct machine *m, struct error *err);
void devices_settle(struct machine *m);
void devices_endian(struct machine *m, bool big);
bool devices_qemu_ready(const struct machine *m);
bool devices_qemu_can(const struct machine *m, struct error *err);
/* The nodes of those on the system bus (bridges ask their own) that were made before the processors, or after. */
void devices_fdt(struct machine *m, struct tree *tree, bool early);

/* The next one of that class after `after` (NULL: the first one). NULL: no more. */
struct device *device_next(const struct machine *m, const struct device *after, const struct device_class *class);
/* The same for those that a console is connected to. */
struct device *device_next_console(const struct machine *m, const struct device *after);
/* The same for those that show something. */
struct device *device_next_screen(const struct machine *m, const struct device *after);
/* The same for those on the bridge's bus (NULL: the system bus). */
struct device *bus_next(const struct machine *m, const struct device *after, const struct device *bridge);

/* Are `values` what device_new() would take for such a device? False and err->msg set. */
bool device_values_ok(const struct device_class *class, const char *values, struct error *err);
/* The value as "info qtree" prints it. */
void device_property_text(const struct device *dev, const struct device_property *property, char *buf, size_t size);
/* A number among the properties of a device, or of what its bus knows of it; `otherwise` if there is none of that name. */
uint32_t device_property_u32(const struct device *dev, const char *name, uint32_t otherwise);

#endif
