/* Writes the file of -profile: cpu/spent/prof_format.h. */
#include "machine/profile/profile_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cpu/engine/block.h"
#include "cpu/spent/prof_format.h"
#include "cpu/spent/spent.h"
#include "cpu/timing/pipeline.h"
#include "machine/core/machine.h"
#include "machine/profile/kallsyms.h"
#include "savevm/be.h"
#include "savevm/file.h"

_Static_assert(MACHINE_MAX_CPUS <= PROF_MAX_CPUS, "who reads it has room for each");
_Static_assert(SPENT_IDLES == 3, "PROF_CPU has a place for each");
_Static_assert(SPENT_MOST == PROF_MAX_INSNS, "a block has room for a run");

static const char event_names[NEVENTS][PROF_NAME] = EVENT_NAMES;
static const char stall_names[NSTALLS][PROF_NAME] = STALL_NAMES;

struct number {
	uint64_t value;
	unsigned bytes;
};

static void put_numbers(FILE *out, const struct number *numbers, unsigned n)
{
	uint8_t bytes[8];

	for (unsigned i = 0; i < n; i++) {
		be_put(bytes, numbers[i].value, numbers[i].bytes);
		fwrite(bytes, 1, numbers[i].bytes, out);
	}
}

static void put_u64(FILE *out, uint64_t value)
{
	put_numbers(out, &(struct number){ value, 8 }, 1);
}

static unsigned reasons(const struct spent *s) { return s->stalls ? NSTALLS : 0; }
static unsigned events(const struct spent *s) { return s->stalls ? NEVENTS : 0; }

static void put_header(FILE *out, const struct machine *m, const struct spent *s, uint64_t began, uint64_t ended, uint32_t symbols)
{
	const struct spent_entry *other = &s->entries[0];
	const struct timing *timing = &m->engine->timing;
	char model[PROF_NAME] = "";
	const struct number first[] = {
		{ PROF_VERSION, 4 }, { PROF_HEADER, 4 }, { s->ncpus, 4 }, { reasons(s), 4 }, { began, 8 }, { ended, 8 }, { CPU_HZ, 8 },
	}, second[] = {
		{ s->nentries - 1, 4 }, { s->nnodes, 4 }, { symbols, 4 }, { s->only < 0 ? PROF_ALL_CPUS : (uint32_t)s->only, 4 },
		{ other->units, 8 }, { other->insns, 8 }, { s->lost_blocks, 8 }, { s->lost_calls, 8 }, { timing_hz(timing), 8 },
		{ timing->core ? UNITS_PER_CYCLE : 1, 4 }, { timing->per_cycle, 4 }, { events(s), 4 }, { timing->parts, 4 }, { 0, 8 },
	};

	snprintf(model, sizeof model, "%s", timing->core ? timing->core->name : "flat");
	fwrite(PROF_MAGIC, 1, 8, out);
	put_numbers(out, first, ARRAY_SIZE(first));
	fwrite(model, 1, sizeof model, out);
	put_numbers(out, second, ARRAY_SIZE(second));
	for (unsigned i = 0; i < reasons(s); i++)
		fwrite(stall_names[i], 1, PROF_NAME, out);
	for (unsigned i = 0; i < events(s); i++)
		fwrite(event_names[i], 1, PROF_NAME, out);
}

static void put_cpu(FILE *out, const struct spent *s, const struct spent_cpu *c)
{
	put_u64(out, c->units);
	put_u64(out, c->counted);
	for (unsigned i = 0; i < SPENT_IDLES; i++)
		put_u64(out, c->away[i]);
	put_u64(out, c->ahead);
	for (unsigned i = 0; i < events(s); i++)
		put_u64(out, c->events[i]);
}

/* What was there has been overwritten, or the pages given back. */
static bool is_gone(const struct ram *ram, const struct spent_place *p, const struct spent_entry *e)
{
	uint32_t words[PROF_MAX_INSNS];

	if (!ram_read(ram, p->gra, words, e->nwords * sizeof words[0]))
		return true;
	for (unsigned i = 0; i < e->nwords; i++)
		if ((p->mode & MODE_LE ? words[i] : __builtin_bswap32(words[i])) != e->words[i])
			return true;
	return false;
}

/* What ran more than fits into the width, as branches may, has waited for nobody. */
static void put_stalls(FILE *out, const uint64_t *stall)
{
	uint64_t less = (int64_t)stall[STALL_UNITS] < 0 ? -stall[STALL_UNITS] : 0;

	for (unsigned i = 0; i < NSTALLS; i++) {
		uint64_t n = stall[i];

		if (less && i == STALL_UNITS)
			n = 0;
		if (less && i == STALL_THREADS)
			n -= n < less ? n : less;
		put_u64(out, n);
	}
}

static void put_block(FILE *out, const struct ram *ram, const struct spent *s, const struct spent_entry *e)
{
	const struct spent_place *p = &s->places[e->place];
	const struct number numbers[] = {
		{ p->ea, 8 }, { p->gra, 8 }, { p->space, 8 }, { spent_visits(e), 8 }, { e->units, 8 }, { e->insns, 8 },
		{ e->nwords, 2 }, { p->mode | (is_gone(ram, p, e) ? PROF_GONE : 0), 1 }, { 0, 5 },
	};

	put_numbers(out, numbers, ARRAY_SIZE(numbers));
	if (e->stall)
		put_stalls(out, e->stall);
	for (unsigned i = 0; i < e->nwords; i++)
		put_numbers(out, &(struct number){ e->words[i], 4 }, 1);
	for (unsigned i = 0; i <= e->nwords; i++)
		put_u64(out, e->ends[i]);
}

static void put_call(FILE *out, const struct spent_node *n)
{
	const struct number numbers[] = {
		{ n->parent, 4 }, { n->how, 1 }, { 0, 3 }, { n->ea, 8 }, { n->space, 8 }, { n->site, 8 }, { n->count, 8 },
		{ n->units, 8 }, { n->insns, 8 }, { 0, 8 },
	};

	put_numbers(out, numbers, ARRAY_SIZE(numbers));
}

static void put_symbols(FILE *out, const struct kernel_symbols *symbols)
{
	for (uint32_t i = 0; i < symbols->n; i++) {
		const char *name = symbols->names + symbols->at[i].name;
		size_t len = strnlen(name, 255);
		const struct number numbers[] = { { symbols->at[i].addr, 8 }, { len, 1 } };

		put_numbers(out, numbers, ARRAY_SIZE(numbers));
		fwrite(name, 1, len, out);
	}
}

static void put_all(FILE *out, const struct machine *m, const struct spent *s, uint64_t began, uint64_t ended)
{
	struct kernel_symbols symbols;

	kallsyms_find(&m->ram, &symbols);
	put_header(out, m, s, began, ended, symbols.n);
	for (unsigned i = 0; i < s->ncpus; i++)
		put_cpu(out, s, &s->cpu[i]);
	for (uint32_t i = 1; i < s->nentries; i++)
		put_block(out, &m->ram, s, &s->entries[i]);
	for (uint32_t i = 0; i < s->nnodes; i++)
		put_call(out, &s->nodes[i]);
	put_symbols(out, &symbols);
	kallsyms_free(&symbols);
}

bool profile_write(struct machine *m, const char *path, const struct spent *s, uint64_t began, uint64_t ended, struct error *err)
{
	struct save_file file;
	FILE *out;
	bool ok;

	if (!save_file_open(&file, path, err))
		return false;
	out = fdopen(dup(file.fd), "w");
	if (out)
		put_all(out, m, s, began, ended);
	ok = out && !ferror(out);
	if (out && fclose(out))
		ok = false;
	if (ok)
		return save_file_commit(&file, err);
	error_set(err, "cannot write '%.120s': %s", path, strerror(errno));
	save_file_drop(&file);
	return false;
}
