/* Media in snapshots: what is in the drives, and whether it is the same at a load; see media.h. */
#include "machine/snapshot/media.h"

#include <string.h>

#include "machine/board/hotplug.h"

unsigned media_place(const struct drive *d)
{
	unsigned place = 0;

	for (const struct device *dev = d->user ? d->user->machine->devices : NULL; dev && dev != d->user; dev = dev->next)
		place += dev->class != &connectors_class;
	return place;
}

/* ---- What is in a drive ---- */

const char *media_file(const struct drive *d)
{
	struct block_info info;

	if (block_options(d->block)->snapshot)
		return block_options(d->block)->file;
	block_info(d->block, &info);
	return info.file;
}

static bool look_at(struct drive *d, struct error *err)
{
	struct medium *found = &d->found;
	struct block_sample sample;
	int error;

	*found = (struct medium){ .kind = MEDIUM_NONE };
	if (!d->block)
		return true;
	strncpy((char *)found->file, media_file(d), sizeof found->file - 1);
	found->kind = block_is_readonly(d->block) ? MEDIUM_READ : MEDIUM_WRITTEN;
	found->size = block_size(d->block);
	error = block_sample(d->block, &sample);
	if (error)
		error_set(err, "drive '%.40s' (%.100s) cannot be read: %s", d->id, (const char *)found->file, strerror(error));
	found->sum = sample.sum;
	found->files = sample.files;
	found->written = sample.written;
	return !error;
}

bool media_look(struct machine *m, struct error *err)
{
	for (struct drive *d = m->drives; d; d = d->next) {
		if (d->block && block_is_copy(d->block))
			d->found.size = block_size(d->block);
		else if (d->user && !look_at(d, err))
			return false;
	}
	return true;
}

void media_note(struct machine *m, bool with_states)
{
	for (struct drive *d = m->drives; d; d = d->next) {
		d->medium = d->found;
		if (d->medium.kind != MEDIUM_WRITTEN)
			continue;
		/* A state has its own size; and one that is sent away may be based on something else where it goes. */
		if (with_states)
			d->medium.size = 0;
		else
			d->medium.sum = d->medium.files = d->medium.written = 0;
	}
}

void media_forget(struct machine *m)
{
	for (struct drive *d = m->drives; d; d = d->next)
		d->medium.kind = MEDIUM_UNKNOWN;
}

/* ---- Is it the same? ---- */

static const char *describe(const struct medium *medium, char *text, size_t size)
{
	const char *file = (const char *)medium->file;

	if (medium->kind == MEDIUM_NONE)
		snprintf(text, size, "no medium");
	else if (medium->kind == MEDIUM_WRITTEN)
		snprintf(text, size, "'%.60s', which is writable", file);
	else
		snprintf(text, size, "'%.60s' of %llu bytes, read-only", file, (unsigned long long)medium->size);
	return text;
}

static bool other_medium(const struct drive *d, const struct medium *now, const struct medium *then, struct error *err)
{
	char text[2][112];

	error_set(err, "drive '%.30s' has %s; when the machine was saved it had %s%s", d->id, describe(now, text[0], sizeof text[0]),
		  now->kind == then->kind ? "another one: " : "", describe(then, text[1], sizeof text[1]));
	return false;
}

static bool agrees(const struct drive *d, struct error *err)
{
	const struct medium *now = &d->found, *then = &d->medium;
	bool read = then->kind == MEDIUM_READ, based = then->kind == MEDIUM_WRITTEN && then->sum;
	const char *what = read ? "is read-only, and" : "is based on an image that";

	if (now->kind != then->kind || (read && (now->size != then->size || now->sum != then->sum)))
		return other_medium(d, now, then, err);
	if (then->size && now->size != then->size)
		error_set(err, "drive '%.30s' ('%.100s') is of %llu bytes; when the machine was saved it was of %llu", d->id,
			  (const char *)now->file, (unsigned long long)now->size, (unsigned long long)then->size);
	else if (based && now->sum != then->sum)
		error_set(err, "drive '%.30s' ('%.100s') is based on another image than when the machine was saved", d->id,
			  (const char *)now->file);
	else if ((read || based) && now->files == then->files && now->written != then->written)
		error_set(err, "drive '%.30s' ('%.100s') %s was written to after the machine was saved", d->id, (const char *)now->file, what);
	else
		return true;
	return false;
}

bool media_agree(struct machine *m, struct error *err)
{
	for (struct drive *d = m->drives; d; d = d->next)
		if (d->user && d->medium.kind != MEDIUM_UNKNOWN && !agrees(d, err))
			return false;
	media_forget(m);
	return true;
}

/* ---- Its section ---- */

static bool is_known(const void *s)
{
	return ((const struct medium *)s)->kind != MEDIUM_UNKNOWN;
}

static bool medium_check(const void *s, struct vms_walk *w)
{
	const struct medium *medium = s;

	return !medium->file[sizeof medium->file - 1] || vms_wrong(w, "file", medium->file[sizeof medium->file - 1], "0 at its end");
}

#define THERE "the host's; the guest sees what it reads"

const struct vmstate cede_medium_state = {
	.name = "cede/medium", .version = 2, .min_version = 2, VMS_OF(struct medium), .needed = is_known, .check = medium_check,
	.fields = VMS_FIELDS(
		VMS_U8(struct medium, kind, VMS_MOST(MEDIUM_WRITTEN), VMS_UNHASHED(THERE)),
		VMS_U64(struct medium, size, VMS_UNHASHED(THERE)), VMS_U64(struct medium, sum, VMS_UNHASHED(THERE)),
		VMS_U64(struct medium, files, VMS_UNHASHED(THERE)), VMS_U64(struct medium, written, VMS_UNHASHED(THERE)),
		VMS_BUFFER(struct medium, file, VMS_UNHASHED(THERE))),
};
