/* See prof_file.h. The file is hostile: what cede would never write is refused, with its place. */
#include "tools/prof/prof_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "savevm/be.h"

#define MOST_BYTES (UINT64_C(2) << 30)
#define MAX_DEPTH  1000

/* ---- Bytes ---- */

static uint8_t *read_all(FILE *in, size_t most, size_t *size)
{
	size_t room = 1 << 16, n;
	uint8_t *bytes = malloc(room), *more;

	for (*size = 0; bytes && (n = fread(bytes + *size, 1, room - *size, in)) > 0;) {
		*size += n;
		if (*size < room)
			continue;
		room *= 2;
		more = room > most ? NULL : realloc(bytes, room);
		if (!more) {
			free(bytes);
			errno = EFBIG;
			return NULL;
		}
		bytes = more;
	}
	if (bytes && ferror(in)) {
		free(bytes);
		return NULL;
	}
	return bytes;
}

uint8_t *prof_load(const char *path, size_t most, size_t *size, struct error *err)
{
	FILE *in = strcmp(path, "-") ? fopen(path, "re") : stdin;
	uint8_t *bytes = in ? read_all(in, most, size) : NULL;

	if (!bytes)
		error_set(err, "%.100s: %s", path, strerror(errno));
	if (in && in != stdin)
		fclose(in);
	return bytes;
}

/* What is still to be read. */
struct reader {
	const uint8_t *at, *end;
	const struct prof *p;
	struct error *err;
};

__attribute__((format(printf, 2, 3))) static bool refuse(struct reader *r, const char *fmt, ...)
{
	char what[120];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	error_set(r->err, "%.100s: %s", r->p->path, what);
	return false;
}

static bool has(struct reader *r, uint64_t bytes, const char *what, uint64_t number)
{
	if (bytes <= (uint64_t)(r->end - r->at))
		return true;
	return refuse(r, "ends in %s %llu", what, (unsigned long long)number);
}

static uint64_t take(struct reader *r, unsigned bytes)
{
	uint64_t v = be_get(r->at, bytes);

	r->at += bytes;
	return v;
}

static bool all_zero(const uint8_t *at, unsigned n)
{
	while (n && !*at)
		at++, n--;
	return !n;
}

/* A sum that stays within 64 bits. */
static bool add(uint64_t *sum, uint64_t v)
{
	return !__builtin_add_overflow(*sum, v, sum);
}

/* ---- Header ---- */

static bool name_ok(const char name[PROF_NAME])
{
	size_t n = strnlen(name, PROF_NAME);

	if (!n || n == PROF_NAME || !all_zero((const uint8_t *)name + n, (unsigned)(PROF_NAME - n)))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-_", name[i]))
			return false;
	return true;
}

static bool magic_fits(struct reader *r)
{
	size_t size = (size_t)(r->end - r->at);

	if (size < 8 || memcmp(r->at, PROF_MAGIC, 8))
		return refuse(r, size ? "is not a profile (cede -profile FILE writes one)" : "is empty");
	if (size < PROF_HEADER)
		return refuse(r, "ends in its header");
	if (be_get(r->at + 8, 4) != PROF_VERSION)
		return refuse(r, "is of version %u; this program reads %u", (unsigned)be_get(r->at + 8, 4), PROF_VERSION);
	if (be_get(r->at + 12, 4) != PROF_HEADER)
		return refuse(r, "has a header of %u bytes, not %u", (unsigned)be_get(r->at + 12, 4), PROF_HEADER);
	return true;
}

static const struct field {
	const char *name;
	uint8_t at, bytes;		/* in the file */
	size_t to;			/* in struct prof */
	uint64_t min, max;
} fields[] = {
#define FIELD(name, at, bytes, member, min, max) { name, at, bytes, offsetof(struct prof, member), min, max }
	FIELD("processors", 16, 4, ncpus, 1, PROF_MAX_CPUS),
	FIELD("reasons for lost time", 20, 4, nreasons, 0, PROF_MAX_REASONS),
	FIELD("cycle at which it begins", 24, 8, began, 0, UINT64_MAX),
	FIELD("cycle at which it ends", 32, 8, ended, 0, UINT64_MAX),
	FIELD("cycles per second", 40, 8, hz, 1, UINT64_C(1) << 40),
	FIELD("cycles of the core per second", 112, 8, core_hz, 1, UINT64_C(1) << 40),
	FIELD("units in a cycle of the core", 120, 4, per_core, 1, 1 << 16),
	FIELD("units in a cycle", 124, 4, per_cycle, 1, 1 << 16),
	FIELD("events", 128, 4, nevents, 0, PROF_MAX_EVENTS),
	FIELD("parts of the model", 132, 4, parts, 0, 15),
	FIELD("blocks", 64, 4, nblocks, 0, PROF_MAX_BLOCKS),
	FIELD("calls", 68, 4, ncalls, 1, PROF_MAX_CALLS),
	FIELD("symbols", 72, 4, nsymbols, 0, PROF_MAX_SYMBOLS),
	FIELD("processor that was counted", 76, 4, only, 0, PROF_ALL_CPUS),
	FIELD("time of other blocks", 80, 8, other_units, 0, UINT64_MAX),
	FIELD("instructions of other blocks", 88, 8, other_insns, 0, UINT64_MAX),
	FIELD("visits to other blocks", 96, 8, other_visits, 0, UINT64_MAX),
	FIELD("calls without room", 104, 8, lost_calls, 0, UINT64_MAX),
#undef FIELD
};

static bool read_names(struct reader *r, char names[][PROF_NAME], uint32_t n, const char *what)
{
	if (!has(r, (uint64_t)n * PROF_NAME, what, 0))
		return false;
	for (unsigned i = 0; i < n; i++, r->at += PROF_NAME) {
		memcpy(names[i], r->at, PROF_NAME);
		if (!name_ok(names[i]))
			return refuse(r, "%s %u has no name", what, i);
	}
	return true;
}

static bool read_header(struct reader *r, struct prof *p)
{
	const uint8_t *head = r->at;

	for (unsigned i = 0; i < sizeof fields / sizeof *fields; i++) {
		const struct field *f = &fields[i];
		uint64_t value = be_get(head + f->at, f->bytes);
		uint32_t word = (uint32_t)value;

		if (value < f->min || value > f->max)
			return refuse(r, "header says %s: %llu", f->name, (unsigned long long)value);
		memcpy((char *)p + f->to, f->bytes == 8 ? (void *)&value : (void *)&word, f->bytes);
	}
	memcpy(p->timing, head + 48, PROF_NAME);
	if (!name_ok(p->timing))
		return refuse(r, "header has no name of a timing model");
	if (!all_zero(head + 136, 8))
		return refuse(r, "header has something where nothing should be");
	if (p->ended < p->began)
		return refuse(r, "header says an end before the beginning");
	if (p->only != PROF_ALL_CPUS && p->only >= p->ncpus)
		return refuse(r, "header says processor %u of %u", p->only, p->ncpus);
	r->at += PROF_HEADER;
	return read_names(r, p->reason, p->nreasons, "reason") && read_names(r, p->event, p->nevents, "event");
}

/* ---- Tables ---- */

static bool read_cpus(struct reader *r, struct prof *p)
{
	for (unsigned i = 0; i < p->ncpus; i++) {
		struct prof_cpu *c = &p->cpu[i];

		if (!has(r, PROF_CPU + 8 * (uint64_t)p->nevents, "processor", i))
			return false;
		c->units = take(r, 8);
		c->insns = take(r, 8);
		for (unsigned k = 0; k < PROF_IDLES; k++) {
			c->away[k] = take(r, 8);
			if (!add(&p->away[k], c->away[k]))
				return refuse(r, "processor %u is idle for too long", i);
		}
		c->ahead = take(r, 8);
		for (unsigned k = 0; k < p->nevents; k++) {
			c->events[k] = take(r, 8);
			if (!add(&p->events[k], c->events[k]))
				return refuse(r, "processor %u has too many events", i);
		}
		if (!add(&p->units, c->units) || !add(&p->insns, c->insns))
			return refuse(r, "processor %u has too many cycles", i);
	}
	return true;
}

static bool block_sane(struct reader *r, struct prof *p, const struct prof_block *b, uint32_t number)
{
	uint64_t visits = 0, insns = 0, part;

	for (unsigned i = 0; i <= b->n; i++)
		if (!add(&visits, prof_end(b, i)) || __builtin_mul_overflow(prof_end(b, i), i, &part) || !add(&insns, part))
			return refuse(r, "block %u: too many visits", number);
	if (visits != b->visits)
		return refuse(r, "block %u: its visits do not add up", number);
	if (insns != b->insns)
		return refuse(r, "block %u: its instructions do not add up", number);
	for (unsigned i = 0; i < p->nreasons; i++)
		if (!add(&p->reasons[i], prof_reason(b, i)))
			return refuse(r, "block %u: too many lost cycles", number);
	if (b->ea & 3 || b->gra & 3)
		return refuse(r, "block %u: no address of an instruction", number);
	return true;
}

static bool space_ok(uint64_t space)
{
	return space <= PROF_REAL || ((space & 3) == 2 && prof_pid(space) <= UINT32_MAX);
}

static bool read_block(struct reader *r, struct prof *p, struct prof_block *b, uint32_t number)
{
	uint64_t tail;

	if (!has(r, PROF_BLOCK, "block", number))
		return false;
	*b = (struct prof_block){ .ea = take(r, 8), .gra = take(r, 8), .space = take(r, 8), .visits = take(r, 8), .units = take(r, 8) };
	b->insns = take(r, 8);
	b->n = (uint16_t)take(r, 2);
	b->mode = (uint8_t)take(r, 1);
	if (!b->n || b->n > PROF_MAX_INSNS)
		return refuse(r, "block %u: %u instructions", number, b->n);
	if (!space_ok(b->space) || b->mode > PROF_MODES || !all_zero(r->at, 5))
		return refuse(r, "block %u: no such place", number);
	r->at += 5;
	tail = 8 * (uint64_t)p->nreasons + 4 * (uint64_t)b->n + 8 * (b->n + 1u);
	if (!has(r, tail, "block", number))
		return false;
	b->reasons = r->at;
	b->words = b->reasons + 8 * (size_t)p->nreasons;
	b->ends = b->words + 4 * (size_t)b->n;
	r->at += tail;
	return block_sane(r, p, b, number);
}

static bool read_blocks(struct reader *r, struct prof *p)
{
	uint64_t units = p->other_units, insns = p->other_insns;

	if (!has(r, (uint64_t)p->nblocks * PROF_BLOCK, "block", 0))
		return false;
	p->blocks = calloc(p->nblocks + 1, sizeof *p->blocks);
	if (!p->blocks)
		return refuse(r, "out of memory");
	for (uint32_t i = 0; i < p->nblocks; i++) {
		if (!read_block(r, p, &p->blocks[i], i))
			return false;
		if (!add(&units, p->blocks[i].units) || !add(&insns, p->blocks[i].insns))
			return refuse(r, "block %u: too many cycles", i);
	}
	return (units == p->units && insns == p->insns) || refuse(r, "its blocks and its processors do not add up to the same");
}

static bool read_call(struct reader *r, struct prof *p, uint32_t number)
{
	struct prof_call *c = &p->calls[number];
	bool zeros;

	c->parent = (uint32_t)take(r, 4);
	c->how = (uint8_t)take(r, 1);
	zeros = all_zero(r->at, 3);
	r->at += 3;
	c->ea = take(r, 8);
	c->space = take(r, 8);
	c->site = take(r, 8);
	c->count = take(r, 8);
	c->units = take(r, 8);
	c->insns = take(r, 8);
	zeros = zeros && all_zero(r->at, 8);
	r->at += 8;
	if (number ? c->parent >= number : c->parent)
		return refuse(r, "call %u: its parent is call %u", number, c->parent);
	if (c->how >= PROF_HOWS || !zeros || !space_ok(c->space))
		return refuse(r, "call %u: no such call", number);
	if (number)
		c->depth = (uint16_t)(p->calls[c->parent].depth + 1);
	if (c->depth > MAX_DEPTH)
		return refuse(r, "call %u: more than %u calls deep", number, MAX_DEPTH);
	c->all_units = c->units;
	c->all_insns = c->insns;
	return true;
}

/* What a call costs with all that it made is a part of a sum that fits. */
static bool read_calls(struct reader *r, struct prof *p)
{
	uint64_t units = 0, insns = 0;

	if (!has(r, (uint64_t)p->ncalls * PROF_CALL, "call", 0))
		return false;
	p->calls = calloc(p->ncalls, sizeof *p->calls);
	if (!p->calls)
		return refuse(r, "out of memory");
	for (uint32_t i = 0; i < p->ncalls; i++) {
		if (!read_call(r, p, i))
			return false;
		if (!add(&units, p->calls[i].units) || !add(&insns, p->calls[i].insns))
			return refuse(r, "call %u: too many cycles", i);
	}
	if (units != p->units || insns != p->insns)
		return refuse(r, "its calls and its processors do not add up to the same");
	for (uint32_t i = p->ncalls - 1; i; i--) {
		p->calls[p->calls[i].parent].all_units += p->calls[i].all_units;
		p->calls[p->calls[i].parent].all_insns += p->calls[i].all_insns;
	}
	return true;
}

static bool read_symbols(struct reader *r, struct prof *p)
{
	uint64_t last = 0;

	if (!has(r, (uint64_t)p->nsymbols * PROF_SYMBOL, "symbol", 0))
		return false;
	p->symbols = calloc(p->nsymbols + 1, sizeof *p->symbols);
	if (!p->symbols)
		return refuse(r, "out of memory");
	for (uint32_t i = 0; i < p->nsymbols; i++) {
		struct prof_symbol_at *s = &p->symbols[i];

		if (!has(r, PROF_SYMBOL, "symbol", i))
			return false;
		s->addr = take(r, 8);
		s->len = (uint8_t)take(r, 1);
		if (!has(r, s->len, "symbol", i))
			return false;
		s->name = (const char *)r->at;
		r->at += s->len;
		if (!s->len || s->addr < last)
			return refuse(r, s->len ? "symbol %u: before the one before it" : "symbol %u: no name", i);
		for (unsigned k = 0; k < s->len; k++)
			if (s->name[k] <= ' ' || s->name[k] > '~')
				return refuse(r, "symbol %u: a name that cannot be printed", i);
		last = s->addr;
	}
	return true;
}

bool prof_open(struct prof *p, const char *path, struct error *err)
{
	struct reader r = { .p = p, .err = err };

	*p = (struct prof){ .path = strcmp(path, "-") ? path : "standard input" };
	p->bytes = prof_load(path, MOST_BYTES, &p->size, err);
	if (!p->bytes)
		return false;
	r.at = p->bytes;
	r.end = p->bytes + p->size;
	if (!magic_fits(&r) || !read_header(&r, p) || !read_cpus(&r, p) || !read_blocks(&r, p) || !read_calls(&r, p) || !read_symbols(&r, p))
		return false;
	return r.at == r.end || refuse(&r, "goes on after its end");
}

void prof_close(struct prof *p)
{
	free(p->bytes);
	free(p->blocks);
	free(p->calls);
	free(p->symbols);
}

/* ---- What is in it ---- */

uint64_t prof_reason(const struct prof_block *b, unsigned i) { return be_get(b->reasons + 8 * (size_t)i, 8); }
uint32_t prof_word(const struct prof_block *b, unsigned i) { return (uint32_t)be_get(b->words + 4 * (size_t)i, 4); }
uint64_t prof_end(const struct prof_block *b, unsigned i) { return be_get(b->ends + 8 * (size_t)i, 8); }

void prof_lines(const struct prof_block *b, struct prof_line line[PROF_MAX_INSNS])
{
	uint64_t n = 0, before = 0, sum = 0;

	for (unsigned i = b->n; i--;) {
		n += prof_end(b, i + 1);
		line[i].executions = n;
		line[i].units = 0;
	}
	if (!b->insns)
		line[0].units = b->units;	/* it never got further than to an interrupt */
	for (unsigned i = 0; b->insns && i < b->n; i++) {
		uint64_t until;

		sum += line[i].executions;
		until = (uint64_t)((unsigned __int128)b->units * sum / b->insns);
		line[i].units = until - before;
		before = until;
	}
}
