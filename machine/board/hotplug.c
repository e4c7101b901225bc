/* Plugging in and taking out while the guest runs; see hotplug.h. */
#include "machine/board/hotplug.h"

#include <string.h>

#include "machine/board/devices.h"
#include "machine/core/device.h"
#include "machine/core/drc.h"
#include "machine/core/node.h"
#include "machine/rtas/events.h"

static struct drc *drc_of(struct machine *m, const struct device *dev)
{
	return drc_find(m, device_connector(dev->class)(dev));
}

/* `dev` has come, and no other has its id. */
static bool id_is_new(const struct machine *m, const struct device *dev, struct error *err)
{
	if (!dev->id || device_find(m, dev->id) == dev)
		return true;
	error_set(err, "Duplicate device ID '%.60s'", dev->id);
	return false;
}

static bool tell_guest(struct machine *m, struct device *dev, bool add, struct error *err)
{
	const struct drc *drc;

	if (device_bus_tells(dev->class)) {
		dev->class->on->tell(dev, add);
		return true;
	}
	drc = drc_of(m, dev);
	if (events_hotplug(m, drc->kind->event, drc->index, 0, add))
		return true;
	error_set(err, "the guest has too many events that it has not looked at");
	return false;
}

bool hotplug_add(struct machine *m, const char *text, struct error *err)
{
	const struct device_class *class;
	struct device *dev;

	if (!board_device_ok(text, err))
		return false;
	class = board_device_class(text);
	if (!device_can_come(class, err))
		return false;
	dev = device_new_hot(m, class, text + strcspn(text, ",") + (strchr(text, ',') != NULL), err);
	if (!dev)
		return false;
	if (id_is_new(m, dev, err) && board_boot_order_ok(m, err) && tell_guest(m, dev, true, err))
		return true;
	device_drop(m, dev);
	return false;
}

bool hotplug_remove(struct machine *m, const char *id, bool *found, struct error *err)
{
	struct device *dev = device_find(m, id);

	*found = dev;
	if (!dev) {
		error_set(err, "Device '%.60s' not found", id);
		return false;
	}
	if (!device_can_go(m, dev, err))
		return false;
	if (device_bus_tells(dev->class)) {
		dev->class->on->tell(dev, false);
		device_remove(m, dev);
		return true;
	}
	return drc_unplug(m, drc_of(m, dev)) || tell_guest(m, dev, false, err);
}

void hotplug_finish(struct machine *m)
{
	for (unsigned i = 0; i < m->drcs->n; i++)
		if (m->drcs->drc[i].unplugging)
			drc_release(m, &m->drcs->drc[i]);
}
