/* The drives of a machine: images opened under their names, and handed to devices; see drive.h. */
#include "machine/disk/drive.h"

#include <stdlib.h>
#include <string.h>

#include "machine/core/config.h"

/* While a machine is awaited, its images are another process's. */
static bool open_image(struct machine *m, struct drive *d, struct error *err)
{
	struct block_options o = d->config->image;

	if (!o.file)
		return true;
	o.yielded = m->config->incoming && !o.snapshot;
	d->block = block_open(&o, err);
	return d->block;
}

/* The last one. False and err->msg set: it is there all the same, without a medium. */
static bool new_drive(struct machine *m, const struct drive_config *config, struct drive_config *own, struct error *err)
{
	struct drive **last = &m->drives, *d = calloc(1, sizeof *d);

	if (!d) {
		error_set(err, "out of memory");
		return false;
	}
	while (*last)
		last = &(*last)->next;
	*last = d;
	d->config = config;
	d->own = own;
	d->id = config->id;
	return open_image(m, d, err);
}

bool drives_new(struct machine *m, struct error *err)
{
	for (unsigned i = 0; i < m->config->drives; i++)
		if (!new_drive(m, m->config->drive[i], NULL, err))
			return false;
	return true;
}

static void free_drive(struct machine *m, struct drive *d)
{
	struct drive **p = &m->drives;

	while (*p != d)
		p = &(*p)->next;
	*p = d->next;
	block_close(d->block);
	if (d->own)
		m->config->late->drive_free(d->own);
	free(d);
}

void drives_free(struct machine *m)
{
	while (m->drives)
		free_drive(m, m->drives);
}

bool drive_add(struct machine *m, const char *text, bool blockdev, struct error *err)
{
	struct drive_config *config = m->config->late->drive(text, blockdev, err);
	unsigned n = 0;

	if (!config)
		return false;
	for (const struct drive *d = m->drives; d; d = d->next)
		n++;
	if (config->interface != DRIVE_NONE)
		error_set(err, "if=none is the interface of what comes while the machine runs: device_add makes its device");
	else if (drive_find(m, config->id))
		error_set(err, "Duplicate ID '%.60s' for drive", config->id);
	else if (n >= CONFIG_MAX_DRIVES)
		error_set(err, "more than %d drives", CONFIG_MAX_DRIVES);
	else if (new_drive(m, config, config, err))
		return true;
	else if (drive_find(m, config->id)) {
		free_drive(m, drive_find(m, config->id));
		return false;
	}
	m->config->late->drive_free(config);
	return false;
}

bool drive_delete(struct machine *m, struct drive *d, struct error *err)
{
	int error = d->block && !block_is_readonly(d->block) ? block_flush(d->block) : 0;

	if (d->user) {
		error_set(err, "Node '%.60s' is in use", d->id);
		return false;
	}
	if (error) {
		error_set(err, "Device '%.60s' cannot be flushed: %s", d->id, strerror(error));
		return false;
	}
	free_drive(m, d);
	return true;
}

void drive_leave(struct drive *d)
{
	struct device *user = d->user;

	d->user = NULL;
	d->removable = false;
	d->tray_open = d->tray_locked = NULL;
	d->eject_request = NULL;
	if (!user->leaves || d->config->blockdev)
		return;
	if (d->block && !block_is_readonly(d->block))
		block_flush(d->block);
	free_drive(user->machine, d);
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
		error_usage(err, "-device %s: drive=ID is needed", name);
	else if (!d)
		error_usage(err, "-device %s: there is no drive '%.60s' (-drive id=, -blockdev node-name=)", name, id);
	else if (d->user)
		error_usage(err, "-device %s: drive '%.60s' is %s's already", name, id, d->user->class->name);
	else if (!d->block && !removable)
		error_usage(err, "-device %s: drive '%.60s' has no medium (file=)", name, id);
	else
		d->user = dev, d->removable = removable;
	return d && d->user == dev ? d : NULL;
}

/* ---- What a monitor does ---- */

struct drive *drive_of(const struct machine *m, const char *name)
{
	struct drive *d = drive_find(m, name);

	if (!d)
		for (d = m->drives; d && !(d->user && d->user->id && !strcmp(d->user->id, name));)
			d = d->next;
	return d;
}

static bool can_leave(struct drive *d, bool force, struct error *err)
{
	if (d->user && !d->removable) {
		error_set(err, "Device '%.60s' is not removable", d->id);
		return false;
	}
	if (force || !d->tray_locked || !*d->tray_locked || *d->tray_open)
		return true;
	if (d->eject_request)
		*d->eject_request = true;
	error_set(err, "Device '%.60s' is locked and force was not specified, wait for tray to open and try again", d->id);
	return false;
}

/* Requests that are at work keep what they have; they end when they are due. */
static void change_medium(struct drive *d, struct block *block)
{
	if (d->user && d->user->class->settle)
		d->user->class->settle(d->user);
	block_close(d->block);
	d->block = block;
}

/* What the host cannot write would be lost with the medium. */
static bool is_written(const struct drive *d, bool force, struct error *err)
{
	int error = d->block && !block_is_readonly(d->block) ? block_flush(d->block) : 0;

	if (error && !force)
		error_set(err, "Device '%.60s' cannot be flushed, and force was not specified: %s", d->id, strerror(error));
	return !error || force;
}

static void tell_user(const struct drive *d)
{
	if (d->user && d->user->class->drive_changed)
		d->user->class->drive_changed(d->user);
}

bool drive_eject(struct drive *d, bool force, struct error *err)
{
	if (!can_leave(d, force, err) || !is_written(d, force, err))
		return false;
	if (d->block) {
		change_medium(d, NULL);
		tell_user(d);
	}
	return true;
}

bool drive_insert(struct drive *d, const char *file, const char *format, bool readonly, bool force, struct error *err)
{
	struct block_options o = d->config->image;
	struct block *block;

	if (!can_leave(d, force, err) || !is_written(d, force, err))
		return false;
	o.file = file;
	o.format = format;
	o.readonly = readonly || d->config->cdrom;
	block = block_open(&o, err);
	if (!block)
		return false;
	change_medium(d, block);
	tell_user(d);
	return true;
}

bool drives_yield(struct machine *m, struct error *err)
{
	struct error why;
	bool ok = true;

	for (struct drive *d = m->drives; d; d = d->next)
		if (d->block && !block_yield(d->block, &why)) {
			error_set(err, "drive '%.40s' is kept: %.180s", d->id, why.msg);
			ok = false;
		}
	return ok;
}

bool drives_resume(struct machine *m, struct error *err)
{
	struct error why, ignored;

	for (struct drive *d = m->drives; d; d = d->next)
		if (d->block && !block_resume(d->block, &why)) {
			error_set(err, "drive '%.40s' cannot be taken: %.180s", d->id, why.msg);
			drives_yield(m, &ignored);
			return false;
		}
	return true;
}

static bool has_medium(const struct drive *d, struct error *err)
{
	if (!d->block)
		error_set(err, "Device '%.60s' has no medium", d->id);
	return d->block;
}

bool drive_resize(struct drive *d, uint64_t bytes, struct error *err)
{
	if (!has_medium(d, err) || !block_resize(d->block, bytes, err))
		return false;
	tell_user(d);
	return true;
}

bool drive_snapshot(struct drive *d, const char *file, bool exists, struct error *err)
{
	return has_medium(d, err) && block_snapshot(d->block, file, exists, err);
}
