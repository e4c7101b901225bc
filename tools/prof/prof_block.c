/* --pipeline, --words: which code is drawn. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/prof/prof_pipeline.h"

#define LINEAR UINT64_C(0xc000000000000000)

static bool read_hex(const char *text, const char *end, uint64_t *value)
{
	char *stop;

	errno = 0;
	*value = strtoull(text, &stop, 16);
	return isxdigit((unsigned char)*text) && stop == end && !errno;
}

/* ---- By words ---- */

static bool add_words(struct pipeline *l, const char *text, struct error *err)
{
	uint64_t ea = 0;

	for (const char *at = text; ; at++) {
		const char *end = at + strcspn(at, ",");
		char insn[256];
		uint64_t word;

		if (!read_hex(at, end, &word) || (is_prefixed(word) && !is_prefix((uint32_t)(word >> 32))) || l->n == PIPELINE_INSNS) {
			error_set(err, l->n == PIPELINE_INSNS ? "--words: %u at most" : "--words takes hexadecimal numbers with commas between them", PIPELINE_INSNS);
			return false;
		}
		prof_disasm(NULL, ea, 0, (uint32_t)(is_prefixed(word) ? word >> 32 : word), insn, sizeof insn);
		pipeline_add(l, ea, word, insn);
		ea += 4 * insn_words(word);
		at = end;
		if (!*end)
			return true;
	}
}

static bool pipeline_has(const struct pipeline *l, uint64_t ea)
{
	for (unsigned i = 0; i < l->n; i++)
		if (l->at[i].ea == ea)
			return true;
	return false;
}

/* ---- Out of a profile ---- */

static bool is_better(const struct prof_block *b, const struct prof_block *best)
{
	return !best || b->units > best->units;
}

static const struct prof_block *hottest_of(const struct prof *p, uint32_t function)
{
	const struct prof_block *best = NULL;

	for (uint32_t i = 0; i < p->nblocks; i++)
		if (p->blocks[i].function == function && is_better(&p->blocks[i], best))
			best = &p->blocks[i];
	return best;
}

/* One that begins there is better than one that goes through there. `space`: NULL: any. */
static const struct prof_block *block_at(const struct prof *p, uint64_t ea, const uint64_t *space)
{
	const struct prof_block *best = NULL;

	for (uint32_t i = 0; i < p->nblocks; i++) {
		const struct prof_block *b = &p->blocks[i];
		bool begins = b->ea == ea, was = best && best->ea == ea;

		if (ea - b->ea >= 4u * b->n || (space && b->space != *space))
			continue;
		if ((begins && !was) || (begins == was && is_better(b, best)))
			best = b;
	}
	return best;
}

static uint32_t find_function(const struct prof_functions *f, const char *name, size_t len)
{
	for (uint32_t i = 0; i < f->n; i++)
		if (strlen(f->at[i].name) == len && !memcmp(f->at[i].name, name, len) && f->at[i].visits)
			return i;
	return UINT32_MAX;
}

/* FUNCTION: its hottest block; FUNCTION+OFFSET, or an address: what is there. */
static const struct prof_block *find_block(const struct prof_functions *f, const char *where, uint64_t *ea, struct error *err)
{
	const char *plus = strrchr(where, '+'), *end = where + strlen(where);
	uint32_t function = find_function(f, where, strlen(where));
	const struct prof_block *b = NULL;
	uint64_t offset;

	if (function != UINT32_MAX) {
		b = hottest_of(f->p, function);
		*ea = b ? b->ea : 0;
	} else if (plus && read_hex(plus + 1, end, &offset) && (function = find_function(f, where, (size_t)(plus - where))) != UINT32_MAX) {
		*ea = f->at[function].addr + offset;
		b = block_at(f->p, *ea, NULL);
		if (!b) {
			*ea &= ~LINEAR;
			b = block_at(f->p, *ea, NULL);
		}
	} else if (read_hex(where, end, ea)) {
		b = block_at(f->p, *ea, NULL);
	}
	if (b && !(*ea & 3))
		return b;
	error_set(err, "%.100s: no code at '%.80s' has run", f->p->path, where);
	return NULL;
}

/* ---- The way from there ---- */

static uint64_t visits_of(const struct prof *p, uint64_t ea, uint64_t space)
{
	const struct prof_block *b = block_at(p, ea, &space);

	return b && b->ea == ea ? b->visits : 0;
}

/* Where code goes on behind a block, more often than not: by visits of what its last branch leads to, and of what follows it.
 * False: that is not known, or in another function. Power ISA 3.0B, Book I, 2.4. */
static bool way_on(const struct prof *p, const struct prof_block *b, uint64_t *next)
{
	uint32_t word = prof_word(b, b->n - 1u), po = word >> 26;
	uint64_t target;

	*next = b->ea + 4u * b->n;
	if (po < 16 || po > 19)
		return true;
	if (po == 17 || word & 1 || (po == 19 && (word >> 1 & 0x3ff) != 16 && (word >> 1 & 0x3ff) != 528))
		return po == 19 && !(word & 1);
	if (po == 19)
		return false;
	target = (uint64_t)(po == 18 ? (int32_t)((word & 0x03fffffc) << 6) >> 6 : (int16_t)(word & 0xfffc)) + (word & 2 ? 0 : *next - 4);
	if (po == 18 || visits_of(p, target, b->space) > visits_of(p, *next, b->space))
		*next = target;
	return true;
}

/* Says what the blocks took in all. */
static void add_blocks(struct pipeline *l, const struct prof_functions *f, const struct prof_block *b, uint64_t ea, uint64_t *units)
{
	const struct prof_block *first = b;
	uint64_t start = ea;
	char text[256];

	while (b) {
		*units += b->units;
		for (unsigned i = (unsigned)((ea - b->ea) / 4); i < b->n && l->n < PIPELINE_INSNS; i = (unsigned)((ea - b->ea) / 4)) {
			uint32_t words[] = { prof_word(b, i), i + 1 < b->n ? prof_word(b, i + 1) : 0 };
			uint64_t insn = insn_at(words, i + 1 < b->n ? 2 : 1, 0);

			prof_disasm(f, ea, b->space, words[0], text, sizeof text);
			pipeline_add(l, ea, insn, text);
			ea += 4 * insn_words(insn);
		}
		if (ea != b->ea + 4u * b->n || l->n == PIPELINE_INSNS || !way_on(f->p, b, &ea))
			return;
		if (ea == start) {
			l->loop = true;
			return;
		}
		b = block_at(f->p, ea, &b->space);
		if (b && (b->ea != ea || b->function != first->function || b->visits < first->visits / 2 || pipeline_has(l, ea)))
			return;
	}
}

static bool add_code(struct pipeline *l, const struct prof_functions *f, const char *where, char *title, size_t size, struct error *err)
{
	uint64_t ea, units = 0;
	const struct prof_block *b = find_block(f, where, &ea, err);
	char name[160];

	if (!b)
		return false;
	add_blocks(l, f, b, ea, &units);
	prof_place_name(f, ea, b->space, name, sizeof name);
	snprintf(title, size, "%s (0x%" PRIx64 "): %" PRIu64 " visits, %.2f cycles each in the profile, with all that was lost", name, ea, b->visits,
		 b->visits ? (double)units / f->p->per_core / (double)b->visits : 0);
	return true;
}

/* ---- */

/* One with LLVM's figures is for comparison only, as for cede. */
static const struct core_model *find_model(const char *name, struct error *err)
{
	const struct core_model *m = strchr(name, '-') ? NULL : core_model_find(name);

	if (!m)
		error_set(err, "no model '%.60s' of a pipeline (there are power8, power9, power10)", name);
	return m;
}

bool prof_pipeline_fits(const struct prof_options *o, struct error *err)
{
	struct pipeline *l = o->words ? calloc(1, sizeof *l) : NULL;
	bool ok = !o->timing || find_model(o->timing, err);

	if (ok && o->words && !l)
		error_set(err, "out of memory");
	if (ok && o->words)
		ok = l && add_words(l, o->words, err);
	if (l)
		pipeline_free(l);
	free(l);
	return ok;
}

bool prof_pipeline(const struct prof_functions *f, const struct prof_options *o, FILE *out, struct error *err)
{
	const struct core_model *m = find_model(o->timing ? o->timing : f && strcmp(f->p->timing, "flat") ? f->p->timing : "power9", err);
	struct pipeline *l = m ? calloc(1, sizeof *l) : NULL;
	char title[320] = "by words";
	bool ok;

	if (!l) {
		if (m)
			error_set(err, "out of memory");
		return false;
	}
	ok = o->words ? add_words(l, o->words, err) : add_code(l, f, o->where, title, sizeof title, err);
	if (ok) {
		ok = pipeline_run(l, m, o->rounds);
		if (ok)
			(o->picture ? pipeline_svg : pipeline_text)(l, o->title ? o->title : title, out);
		else
			error_set(err, "out of memory");
	}
	pipeline_free(l);
	free(l);
	return ok;
}
