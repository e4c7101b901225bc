/* Each saved field to 0, to its maximum, to one more than that, to the next number, to any: found by the description at a
 * seed's end, one by one, with the sums right. Of arrays the first elements and some others. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cpu/core/bits.h"
#include "machine/board/pseries.h"
#include "machine/core/machine.h"
#include "machine/core/config.h"
#include "machine/snapshot/snapshot.h"
#include "savevm/inspect.h"
#include "tests/fuzz/load/load.h"
#include "tests/fuzz/rng.h"

#define MAX_LIMITS 512
#define MAX_PATHS  512
#define FIRST_FEW  3			/* elements of an array */

/* What the rows of all descriptions allow, by the field's name. */
struct limit {
	const char *name;
	uint64_t most;
};

struct place {
	size_t at;			/* in the input */
	unsigned size;			/* bytes; 0: a buffer, of `length` */
	size_t length;
	unsigned limits;		/* how many of its own it has */
	char name[40];
};

struct fields {
	struct limit limit[MAX_LIMITS];
	unsigned limits;
	struct place *place;
	size_t places, room;
	struct {
		char plain[256];	/* without indices */
		unsigned times;		/* it has come in this section */
	} path[MAX_PATHS];
	size_t paths;
	struct rng rng;
};

/* ---- Limits ---- */

static void add_limit(struct fields *f, const char *name, uint64_t most)
{
	for (unsigned i = 0; i < f->limits; i++)
		if (!strcmp(f->limit[i].name, name) && f->limit[i].most == most)
			return;
	if (f->limits < MAX_LIMITS)
		f->limit[f->limits++] = (struct limit){ name, most };
}

static void add_limits(struct fields *f, const struct vmstate *state)
{
	for (const struct vms_field *row = state->fields; row->kind; row++) {
		if (row->limited)
			add_limit(f, row->name, row->most);
		for (const struct vms_field *n = state->fields; row->counted && n->kind; n++)
			if (n->kind == VMS_VALUE && n->offset == row->count_at)
				add_limit(f, n->name, row->count);
		if (row->state)
			add_limits(f, row->state);
	}
	for (const struct vmstate *const *sub = state->subs; sub && *sub; sub++)
		add_limits(f, *sub);
}

static void find_limits(struct fields *f, const struct config *o)
{
	struct machine *m = machine_of(o);
	struct vms_set set;
	struct vms_ram ram;
	struct error err;

	if (!snapshot_sections(m, m->cpu, &set, &ram, &err))
		die("sections", err.msg);
	for (unsigned i = 0; i < set.sections; i++)
		add_limits(f, set.section[i].state);
	snapshot_sections_free(&set, &ram);
	machine_free(m);
}

static unsigned limits_of(const struct fields *f, const char *name)
{
	unsigned n = 0;

	for (unsigned i = 0; i < f->limits; i++)
		n += !strcmp(f->limit[i].name, name);
	return n;
}

static uint64_t limit_of(const struct fields *f, const char *name, unsigned which)
{
	for (unsigned i = 0; i < f->limits; i++)
		if (!strcmp(f->limit[i].name, name) && !which--)
			return f->limit[i].most;
	return 0;
}

/* ---- Places ---- */

static bool is_wanted(struct fields *f, const char *path)
{
	char plain[256];
	size_t n = 0;

	for (const char *p = path; *p && n < sizeof plain - 1; p++)
		if (*p < '0' || *p > '9')
			plain[n++] = *p;
	plain[n] = 0;
	for (n = 0; n < f->paths && strcmp(f->path[n].plain, plain); n++)
		;
	if (n == MAX_PATHS)
		return false;
	if (n == f->paths)
		strcpy(f->path[f->paths++].plain, plain);
	return f->path[n].times++ < FIRST_FEW || rng_one_in(&f->rng, 64);
}

static bool add_place(void *opaque, const struct inspect_value *v)
{
	struct fields *f = opaque;
	const char *dot = strrchr(v->path, '.'), *name = dot && strncmp(v->path, "env.", 4) ? dot + 1 : v->path;
	struct place *p;

	if (!v->size || !is_wanted(f, v->path))
		return true;
	if (f->places == f->room) {
		f->room = f->room ? 2 * f->room : 1024;
		f->place = realloc(f->place, f->room * sizeof *f->place);
		if (!f->place)
			die("fields", "out of memory");
	}
	p = &f->place[f->places++];
	*p = (struct place){ .at = (size_t)v->at + 1, .size = v->is_number ? (unsigned)v->size : 0, .length = v->size };
	snprintf(p->name, sizeof p->name, "%.*s", (int)strcspn(name, "["), name);
	p->limits = limits_of(f, p->name);
	return true;
}

struct fields *fields_find(const uint8_t *data, size_t size, const struct config *o)
{
	struct fields *f = calloc(1, sizeof *f);
	char path[INPUT_PATH];
	struct inspect in;
	struct error err;

	if (!f)
		die("fields", "out of memory");
	f->rng.state = 1;
	find_limits(f, o);
	close(input_open(data, size));
	if (!inspect_open(&in, input_path(path, "input"), &err))
		die("fields", err.msg);
	for (unsigned i = 0; i < in.sections; i++, f->paths = 0, memset(f->path, 0, sizeof f->path))
		if (!in.section[i].live && strcmp(in.section[i].name, VMS_CHECKS) && !inspect_walk(&in, &in.section[i], add_place, f, &err))
			die("fields", err.msg);
	inspect_close(&in);
	return f;
}

void fields_free(struct fields *f)
{
	if (f)
		free(f->place);
	free(f);
}

/* ---- Changes ---- */

enum { TO_ZERO, TO_ONES, TO_ANY, TO_NEXT, TO_LAST, TO_FLIPPED, CHANGES };

static unsigned changes_of(const struct place *p)
{
	return p->size ? CHANGES + 2 * p->limits : 3;
}

size_t fields_changes(const struct fields *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->places; i++)
		n += changes_of(&f->place[i]);
	return n;
}

static uint64_t changed(struct fields *f, const struct place *p, unsigned how, uint64_t old)
{
	switch (how) {
	case TO_ZERO: return 0;
	case TO_ONES: return UINT64_MAX;
	case TO_ANY: return rng_u64(&f->rng);
	case TO_NEXT: return old + 1;
	case TO_LAST: return old - 1;
	case TO_FLIPPED: return old ^ UINT64_C(1) << rng_below(&f->rng, 8 * p->size);
	}
	return limit_of(f, p->name, (how - CHANGES) / 2) + (how - CHANGES) % 2;
}

const char *fields_change(struct fields *f, size_t which, uint8_t *data, size_t size)
{
	size_t i = 0;
	const struct place *p;
	uint64_t old = 0, v;

	while (which >= changes_of(&f->place[i]))
		which -= changes_of(&f->place[i++]);
	p = &f->place[i];
	if (p->at + p->length > size)
		die("fields", "a seed is shorter than it was");
	if (!p->size) {
		if (which == TO_ANY)
			data[p->at + rng_below(&f->rng, (uint32_t)p->length)] = (uint8_t)rng_u64(&f->rng);
		else
			memset(data + p->at, which == TO_ZERO ? 0 : 0xff, p->length);
		return p->name;
	}
	for (unsigned k = 0; k < p->size; k++)
		old = old << 8 | data[p->at + k];
	v = changed(f, p, (unsigned)which, old);
	for (unsigned k = 0; k < p->size; k++)
		data[p->at + k] = (uint8_t)(v >> 8 * (p->size - 1 - k));
	return p->name;
}
