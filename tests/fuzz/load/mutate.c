/* Mutants of a snapshot that are still one: sections are found by their footers, changed one by one, and their sums put
 * right again. Offsets are into the input, whose stream begins at `from`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "savevm/savevm.h"
#include "savevm/stream.h"
#include "tests/fuzz/load/load.h"
#include "tests/fuzz/rng.h"

#define MAX_PARTS 256
#define FOOTER    5			/* bytes */

struct part {
	size_t at, body, end;		/* the tag, what is behind the head, the footer */
	uint32_t id;
	uint8_t tag;
};

struct edit {
	uint8_t *data;
	size_t size, max, from;
	struct part part[MAX_PARTS];
	unsigned parts;
	size_t eof;			/* where the tag is that ends the state; 0: it was not found */
	struct rng *rng;
};

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put_be(uint8_t *p, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		p[i] = (uint8_t)(v >> 8 * (bytes - 1 - i));
}

/* ---- Taking it apart ---- */

static bool has_name(uint8_t tag)
{
	return tag == VMS_TAG_START || tag == VMS_TAG_FULL;
}

/* Could a section begin there, or the state end? */
static bool begins(const struct edit *e, size_t at)
{
	const uint8_t *p = e->data + at;

	if (at >= e->size)
		return true;
	if (p[0] == VMS_TAG_EOF)
		return at + 1 == e->size || p[1] == VMS_TAG_DESCRIPTION;
	if (p[0] > VMS_TAG_FULL || e->size - at < 6)
		return false;
	return !has_name(p[0]) || (p[5] >= 2 && p[5] < VMS_NAME_MAX && e->size - at > 6u + p[5] && p[6] > ' ' && p[6] < 0x7f);
}

/* 0: none. */
static size_t find_footer(const struct edit *e, size_t at, uint32_t id)
{
	while (e->size - at >= FOOTER) {
		const uint8_t *p = memchr(e->data + at, VMS_TAG_FOOTER, e->size - at - FOOTER + 1);

		if (!p)
			return 0;
		at = (size_t)(p - e->data);
		if (be32(p + 1) == id && begins(e, at + FOOTER))
			return at;
		at++;
	}
	return 0;
}

static void take_apart(struct edit *e)
{
	size_t at = e->from + 13;

	e->parts = 0;
	e->eof = 0;
	if (e->size < at)
		return;
	at += be32(e->data + at - 4) < 256 ? be32(e->data + at - 4) : 0;
	while (e->parts < MAX_PARTS && e->size > at + 12) {
		struct part *p = &e->part[e->parts];

		*p = (struct part){ .at = at, .tag = e->data[at], .id = be32(e->data + at + 1), .body = at + 5 };
		if (p->tag == VMS_TAG_EOF) {
			e->eof = at;
			return;
		}
		if (has_name(p->tag))
			p->body += 1u + e->data[at + 5] + 8;
		p->end = p->body <= e->size ? find_footer(e, p->body, p->id) : 0;
		if (!p->end)
			return;
		at = p->end + FOOTER;
		e->parts++;
	}
}

static bool is_named(const struct edit *e, const struct part *p, const char *name)
{
	return has_name(p->tag) && e->data[p->at + 5] == strlen(name) && !memcmp(e->data + p->at + 6, name, strlen(name));
}

/* Puts `n` bytes in place of `old` ones; they may come from the input itself. */
static bool splice(struct edit *e, size_t at, size_t old, const uint8_t *with, size_t n)
{
	uint8_t *copy;

	if (at + old > e->size || e->size - old + n > e->max)
		return false;
	copy = malloc(n + 1);
	if (!copy)
		return false;
	if (n)
		memcpy(copy, with, n);
	memmove(e->data + at + n, e->data + at + old, e->size - at - old);
	if (n)
		memcpy(e->data + at, copy, n);
	e->size += n - old;
	free(copy);
	return true;
}

/* ---- Sums ---- */

/* What a sections' table holds: number and sum of each, in the order in which they first come. */
static unsigned sum_up(const struct edit *e, uint32_t (*table)[256], uint8_t *out)
{
	unsigned n = 0, k;

	for (unsigned i = 0; i < e->parts; i++) {
		const struct part *p = &e->part[i];

		if (is_named(e, p, VMS_CHECKS))
			continue;
		for (k = 0; k < n && be32(out + 8 * k) != p->id; k++)
			;
		if (k == n)
			put_be(out + 8 * n++, (uint64_t)p->id << 32, 8);
		put_be(out + 8 * k + 4, crc32_add(table, be32(out + 8 * k + 4), e->data + p->at, p->end - p->at), 4);
	}
	return n;
}

static void fix_sums(struct edit *e)
{
	uint8_t sums[4 + 8 * MAX_PARTS];
	uint32_t (*table)[256] = crc32_new();
	unsigned i, n = table ? sum_up(e, table, sums + 4) : 0;

	put_be(sums, n, 4);
	for (i = 0; i < e->parts && !is_named(e, &e->part[i], VMS_CHECKS); i++)
		;
	if (table && i < e->parts)
		splice(e, e->part[i].body, e->part[i].end - e->part[i].body, sums, 4 + 8 * n);
	free(table);
}

/* layout.h: the head's size of the file, and its sum. */
static void fix_head(struct edit *e, enum load_form form)
{
	size_t len = LOAD_HEAD + (form == FORM_MAPPED ? LOAD_TABLE : 0);
	uint32_t (*table)[256] = crc32_new();
	uint8_t *head = e->data + 1;

	if (table && e->size >= e->from && e->size > len) {
		put_be(head + 16, form == FORM_MAPPED ? LOAD_RAM_AT + LOAD_RAM + e->size - e->from : e->size - 1, 8);
		put_be(head + 12, 0, 4);
		put_be(head + 12, crc32_add(table, 0, head, len), 4);
	}
	free(table);
}

void mutate_fix(uint8_t *data, size_t *size, size_t max)
{
	struct edit e = { .data = data, .size = *size, .max = max, .from = input_stream_at(LOAD_FORM(data[0])) };

	take_apart(&e);
	fix_sums(&e);
	if (LOAD_FORM(data[0]) == FORM_MAPPED || LOAD_FORM(data[0]) == FORM_CHILD)
		fix_head(&e, LOAD_FORM(data[0]));
	*size = e.size;
}

size_t mutate_undescribed(uint8_t *data, size_t size)
{
	struct edit e = { .data = data, .size = size, .max = size, .from = input_stream_at(LOAD_FORM(data[0])) };

	if (e.from)
		take_apart(&e);
	return e.eof ? e.eof + 1 : size;
}

/* ---- Changes ---- */

static struct part *some_part(struct edit *e)
{
	return &e->part[rng_below(e->rng, e->parts)];
}

/* A place in a part: mostly near its beginning, however long it is. */
static size_t some_place(struct edit *e, const struct part *p)
{
	size_t len = p->end - p->body + 1;

	return p->body + rng_below(e->rng, (uint32_t)(len > 1500 && !rng_one_in(e->rng, 4) ? 1500 : len));
}

static uint64_t some_number(struct edit *e, size_t at, unsigned bytes)
{
	static const uint64_t numbers[] = { 0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0xffff, INT32_MAX, UINT32_MAX, INT64_MAX, UINT64_MAX,
					    UINT64_C(1) << 63, LOAD_RAM, LOAD_RAM - 1, LOAD_RAM - 8, 0xfff, 0x1000, UINT64_C(1) << 46 };
	uint64_t old = 0;
	size_t other;

	for (unsigned i = 0; i < bytes; i++)
		old = old << 8 | e->data[at + i];
	switch (rng_below(e->rng, 6)) {
	case 0: return rng_u64(e->rng);
	case 1: return old + 1 - 2 * rng_below(e->rng, 2);
	case 2: return old ^ UINT64_C(1) << rng_below(e->rng, 8 * bytes);
	case 3:
		other = some_place(e, some_part(e));
		return other + bytes <= e->size ? be32(e->data + other + (bytes > 4 ? bytes - 4 : 0)) : 0;
	default: return numbers[rng_below(e->rng, sizeof numbers / sizeof *numbers)];
	}
}

static void poke(struct edit *e, size_t at)
{
	unsigned bytes = 1u << rng_below(e->rng, 4);

	if (at + bytes <= e->size)
		put_be(e->data + at, some_number(e, at, bytes), bytes);
}

static void change_number(struct edit *e)
{
	poke(e, some_place(e, some_part(e)));
}

static void change_head(struct edit *e)
{
	const struct part *p = some_part(e);

	poke(e, p->at + rng_below(e->rng, (uint32_t)(p->body - p->at)));
}

/* What libFuzzer thinks of. */
static void change_bytes(struct edit *e)
{
	const struct part *p = some_part(e);
	size_t at = some_place(e, p), n = p->end - at < 64 ? p->end - at : 64;
	uint8_t piece[80];

	memcpy(piece, e->data + at, n);
	splice(e, at, n, piece, LLVMFuzzerMutate(piece, n, sizeof piece));
}

static void drop_part(struct edit *e)
{
	const struct part *p = some_part(e);

	splice(e, p->at, p->end + FOOTER - p->at, NULL, 0);
}

static void repeat_part(struct edit *e)
{
	const struct part *p = some_part(e), *to = some_part(e);
	size_t len = p->end + FOOTER - p->at, at = to->at;
	uint32_t id = rng_below(e->rng, 1000);

	if (!splice(e, at, 0, e->data + p->at, len) || rng_one_in(e->rng, 4))
		return;
	put_be(e->data + at + 1, id, 4);
	put_be(e->data + at + len - 4, id, 4);
}

static void swap_parts(struct edit *e)
{
	const struct part a = *some_part(e), b = *some_part(e);
	size_t len = b.end + FOOTER - b.at;

	if (a.at >= b.at || !splice(e, a.at, 0, e->data + b.at, len))
		return;
	splice(e, b.at + len, len, NULL, 0);
}

/* Bytes from elsewhere: subsections, records. */
static void copy_bytes(struct edit *e)
{
	size_t from = some_place(e, some_part(e)), to = some_place(e, some_part(e)), n = 1 + rng_below(e->rng, 64);

	if (from + n <= e->size)
		splice(e, to, rng_one_in(e->rng, 2) && to + n <= e->size ? n : 0, e->data + from, n);
}

static void drop_bytes(struct edit *e)
{
	const struct part *p = some_part(e);
	size_t at = some_place(e, p), n = 1 + rng_below(e->rng, 32);

	splice(e, at, n < p->end - at ? n : p->end - at, NULL, 0);
}

/* A subsection, as a whole, of any section to the end of any. */
static void copy_sub(struct edit *e)
{
	const struct part *p = some_part(e), *to = some_part(e);
	const uint8_t *sub = NULL;
	size_t at;

	for (unsigned tries = 0; !sub && tries < 8; tries++, p = some_part(e))
		for (at = p->body; at + 8 < p->end && !sub; at++)
			if (e->data[at] == VMS_TAG_SUBSECTION && e->data[at + 1] > 4 && e->data[at + 1] < 40 &&
			    memchr(e->data + at + 2, '/', e->data[at + 1]) && e->data[at + 2] > ' ')
				sub = e->data + at;
	if (sub)
		splice(e, to->end, 0, sub, (size_t)(e->data + p->end - sub) < 700 ? (size_t)(e->data + p->end - sub) : 700);
}

/* A record of memory, before all others. */
static void add_record(struct edit *e)
{
	static const uint16_t flags[] = { 0x02, 0x08, 0x22, 0x28, 0x04, 0x10, 0x20, 0x01, 0x40, 0x80, 0x100 };
	static const uint64_t places[] = { 0, LOAD_RAM - 4096, LOAD_RAM, LOAD_RAM + 4096, UINT64_C(1) << 63, UINT64_MAX - 4095 };
	uint8_t record[8 + 14 + 4096] = "";
	uint64_t at = rng_one_in(e->rng, 2) ? places[rng_below(e->rng, 6)] : (uint64_t)rng_below(e->rng, LOAD_RAM >> 12) << 12;
	uint16_t flag = flags[rng_below(e->rng, rng_one_in(e->rng, 4) ? 11 : 4)];
	size_t n = 8;

	for (unsigned i = 0; i < e->parts; i++) {
		const struct part *p = &e->part[i];

		if (p->tag != VMS_TAG_END_PART)
			continue;
		put_be(record, at | flag, 8);
		if (!(flag & 0x20)) {
			memcpy(record + n, "\x0dppc_spapr.ram", 14);
			n += 14;
		}
		if (flag & 0x08)
			memset(record + n, (int)rng_below(e->rng, 256), 4096);
		else
			record[n] = (uint8_t)rng_below(e->rng, 3);
		splice(e, p->body, 0, record, n + (flag & 0x08 ? 4096 : 1));
		return;
	}
}

static void cut(struct edit *e)
{
	size_t at = some_place(e, some_part(e));

	e->size = at;
}

static void change_layout(struct edit *e)
{
	if (e->from > 1)
		poke(e, 1 + rng_below(e->rng, rng_one_in(e->rng, 2) ? 80 : (uint32_t)(e->from - 1)));
}

static void change_select(struct edit *e)
{
	if (e->from == 1)	/* the others have a head, or none */
		e->data[0] = (uint8_t)((e->data[0] & 3) | (rng_u64(e->rng) & 0xe0) | (uint32_t[]){ 0, 1, 2, 6 }[rng_below(e->rng, 4)] << 2);
	else
		e->data[0] ^= (uint8_t)(rng_u64(e->rng) & 0xe0);
}

static const struct {
	void (*change)(struct edit *e);
	unsigned weight;
} changes[] = {
	{ change_number, 24 }, { change_bytes, 8 }, { change_head, 4 }, { copy_bytes, 4 }, { drop_bytes, 2 }, { copy_sub, 3 },
	{ add_record, 4 }, { repeat_part, 2 }, { drop_part, 1 }, { swap_parts, 1 }, { cut, 1 }, { change_layout, 6 }, { change_select, 2 },
};

static void change(struct edit *e)
{
	unsigned total = 0, pick, i = 0;

	for (unsigned k = 0; k < sizeof changes / sizeof *changes; k++)
		total += changes[k].weight;
	for (pick = rng_below(e->rng, total); pick >= changes[i].weight; i++)
		pick -= changes[i].weight;
	changes[i].change(e);
}

/* Of what cannot be taken apart any byte is as good. */
static size_t mutate_bytes(uint8_t *data, size_t size, size_t max)
{
	return 1 + LLVMFuzzerMutate(data + 1, size - 1, max - 1);
}

size_t mutate(uint8_t *data, size_t size, size_t max, struct rng *rng)
{
	struct edit e = { .data = data, .size = size, .max = max, .rng = rng };

	if (size < 2 || max < 64)
		return size;
	e.from = input_stream_at(LOAD_FORM(data[0]));
	if (!e.from)
		return mutate_bytes(data, size, max);
	for (unsigned n = 1 + rng_below(rng, 3); n; n--) {
		take_apart(&e);
		if (!e.parts)
			return mutate_bytes(data, e.size, max);
		change(&e);
	}
	if (!rng_one_in(rng, 16))
		mutate_fix(data, &e.size, max);
	return e.size;
}

size_t mutate_cross(uint8_t *data, size_t size, size_t max, const uint8_t *other, size_t other_size, struct rng *rng)
{
	struct edit e = { .data = data, .size = size, .max = max, .rng = rng }, o = { .data = (uint8_t *)other, .size = other_size };
	const struct part *p;

	if (size < 2 || other_size < 2)
		return size;
	e.from = input_stream_at(LOAD_FORM(data[0]));
	o.from = input_stream_at(LOAD_FORM(other[0]));
	if (!e.from || !o.from)
		return size;
	take_apart(&e);
	take_apart(&o);
	if (!e.parts || !o.parts)
		return size;
	p = &o.part[rng_below(rng, o.parts)];
	for (unsigned i = 0; i < e.parts; i++)
		if (has_name(p->tag) && e.part[i].body - e.part[i].at == p->body - p->at &&
		    !memcmp(e.data + e.part[i].at + 5, other + p->at + 5, p->body - p->at - 5)) {
			splice(&e, e.part[i].body, e.part[i].end - e.part[i].body, other + p->body, p->end - p->body);
			mutate_fix(data, &e.size, max);
			break;
		}
	return e.size;
}
