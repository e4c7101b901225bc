/* The drives of a machine: images opened under their names, and handed to devices; see drive.h. */
#include "machine/disk/drive.h"

#include <stdlib.h>
#include <string.h>

#include "machine/core/config.h"

static bool open_image(struct drive *d, struct error *err)
{
	if (!d->config->image.file)
		return true;
	d->block = block_open(&d->config->image, err);
	return d->block;
}

bool drives_new(struct machine *m, struct error *err)
{
	struct drive **last = &m->drives;

	for (unsigned i = 0; i < m->config->drives; i++) {
		struct drive *d = calloc(1, sizeof *d);

		if (!d) {
			error_set(err, "out of memory");
			return false;
		}
		*last = d;
		last = &d->next;
		d->config = m->config->drive[i];
		d->id = d->config->id;
		if (!open_image(d, err))
			return false;
	}
	return true;
}

void drives_free(struct machine *m)
{
	struct drive *d;

	while ((d = m->drives)) {
		m->drives = d->next;
		block_close(d->block);
		free(d);
	}
}

struct drive *drive_find(const struct machine *m, const char *id)
{
	struct drive *d = m->drives;

	while (d && strcmp(d->id, id))
		d = d->next;
	return d;
}

struct drive *drive_take(struct machine *m, const char *id, struct device *dev, bool removable, struct error *err)
{
	const char *name = dev->class->name;
	struct drive *d = id ? drive_find(m, id) : NULL;

	if (!id)
		error_set(err, "-device %s: drive=ID is needed", name);
	else if (!d)
		error_set(err, "-device %s: there is no drive '%.60s' (-drive id=, -blockdev node-name=)", name, id);
	else if (d->user)
		error_set(err, "-device %s: drive '%.60s' is %s's already", name, id, d->user->class->name);
	else if (!d->block && !removable)
		error_set(err, "-device %s: drive '%.60s' has no medium (file=)", name, id);
	else
		d->user = dev;
	return d && d->user == dev ? d : NULL;
}
