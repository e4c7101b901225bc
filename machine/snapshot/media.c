/* Media in snapshots: their sums, and whether a drive has the same at a load; see media.h. */
#include "machine/snapshot/media.h"

#include <string.h>

#include "savevm/hash.h"

#define HEAD (UINT64_C(1) << 20)	/* bytes that are summed whole: labels, tables of partitions, dates of filesystems */
#define SAMPLES 256u			/* and of the rest one piece of each part */
#define SAMPLE 4096u			/* bytes */

unsigned media_place(const struct drive *d)
{
	unsigned place = 0;

	for (const struct device *dev = d->user ? d->user->machine->devices : NULL; dev && dev != d->user; dev = dev->next)
		place++;
	return place;
}

/* ---- What is in a drive ---- */

/* What cannot be read is no part of it. */
static uint64_t add(struct block *b, uint64_t sum, uint64_t from, uint64_t to)
{
	uint8_t piece[SAMPLE];

	for (uint64_t n; from < to; from += n) {
		n = to - from < sizeof piece ? to - from : sizeof piece;
		if (!block_read(b, from, piece, n))
			sum = hash_bytes(sum, piece, n);
	}
	return sum;
}

static uint64_t sum_of(struct block *b)
{
	uint64_t size = block_size(b), head = size < HEAD ? size : HEAD, part = (size - head) / SAMPLES;
	uint64_t sum = add(b, 0, 0, head);

	for (unsigned i = 0; i < SAMPLES && part >= SAMPLE; i++)
		sum = add(b, sum, head + i * part, head + i * part + SAMPLE);
	return part >= SAMPLE ? sum : add(b, sum, head, size);
}

static void look_at(struct drive *d)
{
	struct medium *now = &d->found;
	struct block_info info;

	if (d->block && block_is_copy(d->block))
		return;
	*now = (struct medium){ .kind = MEDIUM_NONE };
	if (!d->block)
		return;
	now->kind = block_is_readonly(d->block) ? MEDIUM_READ : MEDIUM_WRITTEN;
	block_info(d->block, &info);
	strncpy((char *)now->file, info.file, sizeof now->file - 1);
	if (now->kind == MEDIUM_WRITTEN)
		return;
	now->size = block_size(d->block);
	now->sum = sum_of(d->block);
	block_identify(d->block, now->identity);
}

void media_look(struct machine *m)
{
	for (struct drive *d = m->drives; d; d = d->next)
		if (d->user)
			look_at(d);
}

void media_note(struct machine *m)
{
	for (struct drive *d = m->drives; d; d = d->next)
		d->medium = d->found;
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

/* The file is the same one, and somebody has written to it. */
static bool was_written(const struct medium *a, const struct medium *b)
{
	return a->identity[0] && !memcmp(a->identity, b->identity, 2 * sizeof a->identity[0]) && a->identity[2] != b->identity[2];
}

static bool agrees(const struct drive *d, struct error *err)
{
	const struct medium *now = &d->found, *then = &d->medium;
	char text[2][112];

	if (now->kind != then->kind || now->size != then->size || now->sum != then->sum)
		error_set(err, "drive '%.30s' has %s; when the machine was saved it had %s%s", d->id, describe(now, text[0], sizeof text[0]),
			  now->kind == then->kind ? "another one: " : "", describe(then, text[1], sizeof text[1]));
	else if (was_written(now, then))
		error_set(err, "drive '%.30s' has '%.100s', which was written to after the machine was saved", d->id, (const char *)now->file);
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
	.name = "cede/medium", .version = 1, .min_version = 1, VMS_OF(struct medium), .needed = is_known, .check = medium_check,
	.fields = VMS_FIELDS(
		VMS_U8(struct medium, kind, VMS_MOST(MEDIUM_WRITTEN), VMS_UNHASHED(THERE)),
		VMS_U64(struct medium, size, VMS_UNHASHED(THERE)), VMS_U64(struct medium, sum, VMS_UNHASHED(THERE)),
		VMS_U64_ARRAY_AS("identity", struct medium, identity, VMS_UNHASHED(THERE)),
		VMS_BUFFER(struct medium, file, VMS_UNHASHED(THERE))),
};
