/* The walker: one table of rows drives writer, reader and JSON description. What a field means
 * is none of its business; that what comes from a file fits, is. */
#include "savevm/vmstate.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "savevm/be.h"
#include "savevm/stream.h"
#include "savevm/vmdesc.h"

#define MAX_DEPTH 8		/* descriptions inside descriptions */
#define TAG_SUBSECTION 0x05

/* ---- Codecs ---- */

#define CODEC(bits) \
	static void save_u##bits(const void *native, uint8_t *wire) \
	{ \
		uint##bits##_t v; \
		memcpy(&v, native, sizeof v); \
		for (unsigned i = 0; i < sizeof v; i++) \
			wire[i] = (uint8_t)(v >> 8 * (sizeof v - 1 - i)); \
	} \
	static void load_u##bits(void *native, const uint8_t *wire) \
	{ \
		uint##bits##_t v = 0; \
		for (unsigned i = 0; i < sizeof v; i++) \
			v = (uint##bits##_t)((uint64_t)v << 8 | wire[i]); \
		memcpy(native, &v, sizeof v); \
	}
CODEC(8)
CODEC(16)
CODEC(32)
CODEC(64)

static void save_bool(const void *native, uint8_t *wire) { *wire = *(const bool *)native; }
static void load_bool(void *native, const uint8_t *wire) { *(bool *)native = *wire != 0; }

static void save_u8_as_u32(const void *native, uint8_t *wire)
{
	memset(wire, 0, 3);
	wire[3] = *(const uint8_t *)native;
}

/* What does not fit shows as a value that the row's limit refuses. */
static void load_u8_as_u32(void *native, const uint8_t *wire)
{
	*(uint8_t *)native = wire[0] | wire[1] | wire[2] ? 0xff : wire[3];
}

const struct vms_codec vms_u8 = { "uint8", 1, save_u8, load_u8 };
const struct vms_codec vms_u16 = { "uint16", 2, save_u16, load_u16 };
const struct vms_codec vms_u32 = { "uint32", 4, save_u32, load_u32 };
const struct vms_codec vms_u64 = { "uint64", 8, save_u64, load_u64 };
const struct vms_codec vms_i32 = { "int32", 4, save_u32, load_u32 };
const struct vms_codec vms_i64 = { "int64", 8, save_u64, load_u64 };
const struct vms_codec vms_bool = { "bool", 1, save_bool, load_bool };
const struct vms_codec vms_u8_as_u32 = { "uint32", 4, save_u8_as_u32, load_u8_as_u32 };

/* ---- Pieces ---- */

bool vms_wrong(struct vms_walk *w, const char *field, uint64_t found, const char *expected, ...)
{
	char want[80];
	va_list ap;

	va_start(ap, expected);
	vsnprintf(want, sizeof want, expected, ap);
	va_end(ap);
	return stream_fail(w->stream, "section %s %u, %s: field %s: expected %s, found 0x%llx", w->section,
			   (unsigned)w->instance, w->state->name, field, want, (unsigned long long)found);
}

bool vms_differs(struct vms_walk *w, const char *field, const char *option, const char *expected, const char *found)
{
	return stream_fail(w->stream, "section %s %u, %s: field %s: expected %s, found %s (%s)", w->section,
			   (unsigned)w->instance, w->state->name, field, expected, found, option);
}

static void say_value(const struct vms_field *f, char *buf, size_t size, uint64_t v)
{
	if (f->say)
		f->say(buf, size, v);
	else
		snprintf(buf, size, "%llu", (unsigned long long)v);
}

/* Of what an option says: `ours` is what this machine has, behind `relation`. */
static bool said_otherwise(struct vms_walk *w, const struct vms_field *f, const char *relation, uint64_t ours, uint64_t found)
{
	char here[40], there[40], want[64];

	say_value(f, here, sizeof here, ours);
	say_value(f, there, sizeof there, found);
	snprintf(want, sizeof want, "%s%s", relation, here);
	return vms_differs(w, f->name, f->option, want, there);
}

static void *member_at(void *s, size_t offset) { return (uint8_t *)s + offset; }

static void *elements_of(const struct vms_field *f, void *s)
{
	void *p = member_at(s, f->offset);

	return f->pointer ? *(void **)p : p;
}

static uint32_t count_of(const struct vms_field *f, void *s)
{
	return f->counted ? *(uint32_t *)member_at(s, f->count_at) : f->count;
}

/* Whether one entry of the JSON description can stand for all elements: none of them has optional parts. */
static bool are_alike(const struct vmstate *state)
{
	if (state->subs)
		return false;
	for (const struct vms_field *f = state->fields; f->kind; f++)
		if (f->counted || f->kind == VMS_QUEUE || (f->kind == VMS_NESTED && !are_alike(f->state)))
			return false;
	return true;
}

/* ---- Saving ---- */

static bool save_state(struct vms_walk *w, const struct vmstate *state, void *s, unsigned depth);

static void describe_field(struct vms_walk *w, const struct vms_field *f, uint32_t n)
{
	if (f->type)
		vmdesc_field(w->json, f->name, f->type, n * (uint64_t)f->codec->size, n != 0, false);
	else
		vmdesc_field(w->json, f->name, f->codec->type, f->codec->size, n, f->equal);
}

static bool is_within(struct vms_walk *w, const struct vms_field *f, const uint8_t *wire)
{
	return !f->limited || be_get(wire, f->codec->size) <= f->most ||
	       vms_wrong(w, f->name, be_get(wire, f->codec->size), "at most 0x%llx", (unsigned long long)f->most);
}

static bool save_values(struct vms_walk *w, const struct vms_field *f, void *s, uint32_t n)
{
	uint8_t *p = elements_of(f, s), wire[VMS_MAX_ELEMENT];

	for (uint32_t i = 0; i < n; i++, p += f->stride) {
		f->codec->save(p, wire);
		if (!is_within(w, f, wire))
			return false;
		stream_put(w->stream, wire, f->codec->size);
	}
	stream_put_zeros(w->stream, f->spare * (size_t)f->codec->size);
	describe_field(w, f, n + f->spare);
	return true;
}

static void save_bytes(struct vms_walk *w, const struct vms_field *f, void *s, uint32_t n)
{
	if (n)
		stream_put(w->stream, elements_of(f, s), n);
	vmdesc_field(w->json, f->name, "buffer", n, n != 0, false);
}

static void save_calculated(struct vms_walk *w, const struct vms_field *f, void *s, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		stream_put_be(w->stream, f->get ? f->get(s, i) : f->constant, f->codec->size);
	describe_field(w, f, n);
}

static bool save_nested(struct vms_walk *w, const struct vms_field *f, void *s, uint32_t n, unsigned depth)
{
	struct text *json = w->json;
	uint8_t *p = elements_of(f, s);
	bool one = are_alike(f->state), ok = true;

	for (uint32_t i = 0; ok && i < n; i++, p += f->stride) {
		uint64_t from = stream_position(w->stream);

		w->json = one && i ? NULL : json;
		vmdesc_struct(w->json, f->name, n, one || n == 1 ? -1 : (int64_t)i);
		if (w->json)
			vmdesc_state(w->json, f->state);
		ok = save_state(w, f->state, p, depth + 1);
		vmdesc_struct_end(w->json, stream_position(w->stream) - from);
	}
	w->json = json;
	return ok;
}

/* One field of the description, whatever is in it. */
static bool save_opaque(struct vms_walk *w, const struct vms_field *f, void *s, unsigned depth)
{
	struct text *json = w->json;
	uint64_t from = stream_position(w->stream);
	bool ok;

	w->json = NULL;
	ok = save_state(w, f->state, s, depth + 1);
	w->json = json;
	vmdesc_field(json, f->name, f->type, stream_position(w->stream) - from, 1, false);
	return ok;
}

static bool save_queue(struct vms_walk *w, const struct vms_field *f, void *s, unsigned depth)
{
	struct text *json = w->json;
	uint64_t from = stream_position(w->stream);
	uint32_t n = 0;
	bool ok = true;

	vmdesc_queue(json, f->name, f->state);
	for (uint8_t *p = *(uint8_t **)member_at(s, f->offset); ok && p; p = *(uint8_t **)(p + f->next_at)) {
		stream_put_be(w->stream, 1, 1);
		w->json = n++ ? NULL : json;
		ok = n <= f->count ? save_state(w, f->state, p, depth + 1) :
				     vms_wrong(w, f->name, n, "at most %u elements", (unsigned)f->count);
	}
	w->json = json;
	stream_put_be(w->stream, 0, 1);
	if (!n)
		vmdesc_fields_end(json);
	vmdesc_queue_end(json, stream_position(w->stream) - from);
	return ok;
}

static bool save_field(struct vms_walk *w, const struct vms_field *f, void *s, unsigned depth)
{
	uint32_t n = count_of(f, s);

	if (n > f->count)
		return vms_wrong(w, f->name, n, "at most %u elements", (unsigned)f->count);
	switch (f->kind) {
	case VMS_VALUE:
		return save_values(w, f, s, n);
	case VMS_BYTES:
		save_bytes(w, f, s, n);
		return true;
	case VMS_ZEROS:
		stream_put_zeros(w->stream, n);
		vmdesc_field(w->json, f->name, "unused_buffer", n, 1, false);
		return true;
	case VMS_CALCULATED:
		save_calculated(w, f, s, n);
		return true;
	case VMS_NESTED:
		return f->type ? save_opaque(w, f, s, depth) : save_nested(w, f, s, n, depth);
	case VMS_QUEUE:
		return save_queue(w, f, s, depth);
	case VMS_NOT_HERE:
	case VMS_CARRIED_HERE:
	case VMS_END:
		break;
	}
	return true;
}

static bool save_subs(struct vms_walk *w, const struct vmstate *state, void *s, unsigned depth)
{
	bool first = true, ok = true;

	for (const struct vmstate *const *sub = state->subs; ok && sub && *sub; sub++) {
		if (((*sub)->newer && w->for_qemu) || ((*sub)->needed && !(*sub)->needed(s)))
			continue;
		stream_put_be(w->stream, TAG_SUBSECTION, 1);
		stream_put_string(w->stream, (*sub)->name);
		stream_put_be(w->stream, (*sub)->version, 4);
		vmdesc_sub(w->json, first, *sub);
		ok = save_state(w, *sub, s, depth + 1);
		vmdesc_sub_end(w->json);
		first = false;
	}
	if (!first)
		vmdesc_subs_end(w->json);
	return ok;
}

/* Writes fields and subsections; in the JSON, from behind "fields":[ on. */
static bool save_state(struct vms_walk *w, const struct vmstate *state, void *s, unsigned depth)
{
	const struct vmstate *outer = w->state;
	bool ok = depth < MAX_DEPTH || stream_fail(w->stream, "descriptions are too deep: %s", state->name);

	w->state = state;
	if (ok && state->pre_save)
		state->pre_save(s);
	ok = ok && (!state->check || state->check(s, w));
	for (const struct vms_field *f = state->fields; ok && f->kind; f++)
		ok = save_field(w, f, s, depth);
	vmdesc_fields_end(w->json);
	ok = ok && save_subs(w, state, s, depth);
	w->state = outer;
	return ok && !w->stream->failed;
}

bool vms_save(struct vms_walk *w, const struct vmstate *state, void *s)
{
	return save_state(w, state, s, 0);
}

/* ---- Loading ---- */

static bool load_state(struct vms_walk *w, const struct vmstate *state, void *s, uint32_t version, unsigned depth);

/* Whether the stream has the bytes that the machine would save for this element. */
static bool is_same(struct vms_walk *w, const struct vms_field *f, const void *p, const uint8_t *wire)
{
	uint8_t ours[VMS_MAX_ELEMENT];

	f->codec->save(p, ours);
	if (!memcmp(ours, wire, f->codec->size))
		return true;
	if (f->option)
		return said_otherwise(w, f, "", be_get(ours, f->codec->size), be_get(wire, f->codec->size));
	return vms_wrong(w, f->name, be_get(wire, f->codec->size), "0x%llx", (unsigned long long)be_get(ours, f->codec->size));
}

static bool load_values(struct vms_walk *w, const struct vms_field *f, void *s, uint32_t n)
{
	uint8_t *p = elements_of(f, s), wire[VMS_MAX_ELEMENT];

	for (uint32_t i = 0; i < n; i++, p += f->stride) {
		if (!stream_get(w->stream, wire, f->codec->size))
			return false;
		if (f->equal && !is_same(w, f, p, wire))
			return false;
		if (!is_within(w, f, wire))
			return false;
		f->codec->load(p, wire);
	}
	return stream_skip(w->stream, f->spare * (uint64_t)f->codec->size);
}

static bool load_calculated(struct vms_walk *w, const struct vms_field *f, void *s, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint64_t v = stream_get_be(w->stream, f->codec->size);

		if (w->stream->failed)
			return false;
		if (!f->put || f->put(s, i, v))
			continue;
		if (f->option)
			return said_otherwise(w, f, "at most ", f->get(s, i), v);
		return vms_wrong(w, f->name, v, "one that this machine can have");
	}
	return true;
}

static bool load_nested(struct vms_walk *w, const struct vms_field *f, void *s, uint32_t n, unsigned depth)
{
	uint8_t *p = elements_of(f, s);

	for (uint32_t i = 0; i < n; i++, p += f->stride)
		if (!load_state(w, f->state, p, f->state->version, depth + 1))
			return false;
	return true;
}

static bool load_queue(struct vms_walk *w, const struct vms_field *f, void *s, unsigned depth)
{
	uint8_t **link = member_at(s, f->offset);

	for (uint32_t n = 0; stream_get_be(w->stream, 1); n++) {
		if (n == f->count)
			return vms_wrong(w, f->name, n + UINT64_C(1), "at most %u elements", (unsigned)f->count);
		*link = calloc(1, f->stride);
		if (!*link)
			return stream_fail(w->stream, "out of memory");
		if (!load_state(w, f->state, *link, f->state->version, depth + 1))
			return false;
		link = (uint8_t **)(*link + f->next_at);
	}
	return !w->stream->failed;
}

/* Makes room for the elements of a counted row, and frees what was there before. */
static bool make_room(struct vms_walk *w, const struct vms_field *f, void *s, uint32_t n)
{
	void **pointer = member_at(s, f->offset);

	free(*pointer);
	*pointer = calloc(n ? n : 1, f->stride);
	return *pointer || stream_fail(w->stream, "out of memory");
}

static bool load_field(struct vms_walk *w, const struct vms_field *f, void *s, unsigned depth)
{
	uint32_t n = count_of(f, s);

	if (n > f->count)
		return vms_wrong(w, f->name, n, "at most %u elements", (unsigned)f->count);
	if (f->allocated && !make_room(w, f, s, n))
		return false;
	switch (f->kind) {
	case VMS_VALUE:
		return load_values(w, f, s, n);
	case VMS_BYTES:
		return !n || stream_get(w->stream, elements_of(f, s), n);
	case VMS_ZEROS:
		return stream_skip(w->stream, n);
	case VMS_CALCULATED:
		return load_calculated(w, f, s, n);
	case VMS_NESTED:
		return load_nested(w, f, s, n, depth);
	case VMS_QUEUE:
		return load_queue(w, f, s, depth);
	case VMS_NOT_HERE:
	case VMS_CARRIED_HERE:
	case VMS_END:
		break;
	}
	return true;
}

/* Whether a subsection of `state` comes next: its name begins with its owner's. */
static bool sub_comes(struct stream *s, const struct vmstate *state)
{
	size_t have, owner = strlen(state->name);
	const uint8_t *p = stream_peek(s, 2, &have);

	if (have < 2 || p[0] != TAG_SUBSECTION || p[1] <= owner)
		return false;
	p = stream_peek(s, 2 + owner, &have);
	return have == 2 + owner && !memcmp(p + 2, state->name, owner);
}

static const struct vmstate *find_sub(const struct vmstate *state, const char *name)
{
	for (const struct vmstate *const *sub = state->subs; sub && *sub; sub++)
		if (!strcmp((*sub)->name, name))
			return *sub;
	return NULL;
}

static bool go_without(struct vms_walk *w, const struct vmstate *sub, void *s)
{
	const struct vmstate *outer = w->state;
	bool ok;

	w->state = sub;
	ok = !sub->may_miss || sub->may_miss(s, w);
	w->state = outer;
	if (ok && sub->absent)
		sub->absent(s);
	return ok;
}

static bool load_subs(struct vms_walk *w, const struct vmstate *state, void *s, unsigned depth)
{
	uint64_t seen = 0;

	while (sub_comes(w->stream, state)) {
		const struct vmstate *sub;
		char name[256];
		uint32_t version;

		stream_skip(w->stream, 1);
		stream_get_string(w->stream, name);
		version = (uint32_t)stream_get_be(w->stream, 4);
		if (w->stream->failed)
			return false;
		sub = find_sub(state, name);
		if (!sub)
			return stream_fail(w->stream, "section %s %u: subsection %s is not known", w->section,
					   (unsigned)w->instance, name);
		for (unsigned i = 0; state->subs[i]; i++)
			if (state->subs[i] == sub && seen >> i & 1)
				return stream_fail(w->stream, "section %s %u: subsection %s comes twice", w->section,
						   (unsigned)w->instance, name);
			else if (state->subs[i] == sub)
				seen |= UINT64_C(1) << i;
		if (!load_state(w, sub, s, version, depth + 1))
			return false;
	}
	for (unsigned i = 0; state->subs && state->subs[i]; i++)
		if (!(seen >> i & 1) && !go_without(w, state->subs[i], s))
			return false;
	return !w->stream->failed;
}

static bool load_state(struct vms_walk *w, const struct vmstate *state, void *s, uint32_t version, unsigned depth)
{
	const struct vmstate *outer = w->state;
	uint32_t newest = state->same_until ? state->same_until : state->version;
	bool ok = depth < MAX_DEPTH || stream_fail(w->stream, "descriptions are too deep: %s", state->name);

	w->state = state;
	if (ok && (version > newest || version < state->min_version))
		ok = stream_fail(w->stream, "section %s %u, %s: version: expected %u to %u, found %u", w->section,
				 (unsigned)w->instance, state->name, (unsigned)state->min_version,
				 (unsigned)newest, (unsigned)version);
	for (const struct vms_field *f = state->fields; ok && f->kind; f++)
		ok = load_field(w, f, s, depth);
	ok = ok && load_subs(w, state, s, depth);
	if (ok && state->check && !state->check(s, w)) {
		ok = false;
		if (state->drop)
			state->drop(s);
	}
	if (ok && state->post_load)
		ok = state->post_load(s, version, w);
	w->state = outer;
	return ok && !w->stream->failed;
}

bool vms_load(struct vms_walk *w, const struct vmstate *state, void *s, uint32_t version)
{
	return load_state(w, state, s, version, 0);
}

bool vms_is_empty(const struct vmstate *state)
{
	const struct vms_field *f = state->fields;

	while (f->kind == VMS_NOT_HERE)
		f++;
	return !f->kind && !state->subs;
}
