/* Taking a snapshot apart by its description. Every offset is checked against the file's end. */
#define _GNU_SOURCE
#include "savevm/inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "savevm/be.h"
#include "savevm/zip.h"

#define MAX_SECTIONS 4096
#define MAX_LIVE     16			/* of them, that come in parts */
#define MAX_BLOCKS   64
#define MAX_BLOCK    (UINT64_C(1) << 46)	/* bytes */
#define MAX_PATH     512
#define INSPECT_CHAIN 64		/* parents at most */

/* What following a description may take in all, so that what it repeats costs no more than what the file holds. */
#define WORK_PER_BYTE UINT64_C(128)
#define WORK_FREE     (UINT64_C(8) << 20)
#define WORK_FIELD    64
#define WORK_ELEMENT  32

/* A file that is being opened, and for whom. */
struct opening {
	const struct opening *child;	/* whose parent it is to be; NULL: nobody's */
	const char *path;
	dev_t dev;
	ino_t ino;
	unsigned depth;
	bool blamed;			/* the error names a file already */
};

static bool open_at(struct inspect *in, struct opening *o, struct error *err);

/* ---- Reading in memory ---- */

struct cursor {
	struct inspect *in;
	uint64_t at;
	struct error *err;
	bool failed;
};

static bool stop_reading(struct cursor *c, const char *why)
{
	if (!c->failed)
		error_set(c->err, "%s at byte %llu", why, (unsigned long long)c->at);
	c->failed = true;
	return false;
}

static const uint8_t *take_bytes(struct cursor *c, uint64_t n)
{
	if (c->failed || n > c->in->len - c->at) {
		stop_reading(c, "the file ends early");
		return NULL;
	}
	c->at += n;
	return c->in->data + c->at - n;
}

static uint64_t take_number(struct cursor *c, unsigned n)
{
	const uint8_t *p = take_bytes(c, n);

	return p ? be_get(p, n) : 0;
}

/* The description has no checksum and may say anything: how often, how deep. */
static bool spend_steps(struct cursor *c, uint64_t steps)
{
	if (steps > c->in->work)
		return stop_reading(c, "the description says more than the file can hold");
	c->in->work -= steps;
	return true;
}

/* Sets the steps that following the description may take, in proportion to the bytes from `from` on: memory, which mostly
 * lies before, needs no description. */
static void allow_work(struct inspect *in, uint64_t from)
{
	in->work = (in->len - from) * WORK_PER_BYTE + WORK_FREE;
}

static void take_name(struct cursor *c, char out[256])
{
	size_t len = (size_t)take_number(c, 1);
	const uint8_t *p = take_bytes(c, len);

	if (p)
		memcpy(out, p, len);
	out[p ? len : 0] = 0;
}

/* ---- The description at the end ---- */

/* Finds the description's record by its length, which reaches exactly to the file's end. */
static void find_description(struct inspect *in)
{
	uint64_t at = in->len;

	in->json_len = 0;
	while (at > 5) {
		const uint8_t *p = memrchr(in->data + 5, '{', at - 5);

		if (!p)
			return;
		at = (uint64_t)(p - in->data);
		if (in->data[at - 5] == VMS_TAG_DESCRIPTION && be_get(in->data + at - 4, 4) == in->len - at) {
			in->json_at = at;
			in->json_len = in->len - at;
			return;
		}
	}
}

static bool describes_section(const struct json *j, uint32_t device, const char *section, uint32_t instance)
{
	return json_is(j, json_member(j, device, "name"), section) &&
	       json_number(j, json_member(j, device, "instance_id"), UINT64_MAX) == instance;
}

/* The description's node of a section: looked for behind the one found last, then from the first on. JSON_NONE: there is none. */
static uint32_t section_node(struct cursor *c, const char *section, uint32_t instance)
{
	const struct json *j = &c->in->json;
	uint32_t devices = j->nodes ? json_member(j, 0, "devices") : JSON_NONE, from = c->in->next_device;

	for (unsigned pass = 0; devices != JSON_NONE && pass < 2; pass++)
		for (uint32_t d = pass || from == JSON_NONE ? j->node[devices].child : from; d != JSON_NONE && (!pass || d != from); d = j->node[d].next) {
			if (!spend_steps(c, WORK_FIELD))
				return JSON_NONE;
			if (!describes_section(j, d, section, instance))
				continue;
			c->in->next_device = j->node[d].next;
			return d;
		}
	return JSON_NONE;
}

/* ---- Fields ---- */

struct walk {
	struct cursor c;
	bool (*each)(void *opaque, const struct inspect_value *value);
	void *opaque;
	bool stopped;
};

static bool is_numeric(const char *type)
{
	static const char *const types[] = { "uint", "int", "bool", "timer", "fpr", "vsr", "cpu/altivec/vscr" };

	for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++)
		if (!strncmp(type, types[i], strlen(types[i])))
			return true;
	return false;
}

static bool walk_state(struct walk *w, uint32_t state, const char *sub, const char *prefix, unsigned depth);

static bool walk_value(struct walk *w, const char *sub, const char *path, const char *type, uint64_t size)
{
	struct inspect_value v = { .sub = sub, .path = path, .type = type, .at = w->c.at, .size = size };
	const uint8_t *p = take_bytes(&w->c, size);

	if (!p)
		return false;
	v.is_number = size <= 8 && is_numeric(type);
	v.number = v.is_number ? be_get(p, (unsigned)size) : 0;
	if (w->each && !w->stopped)
		w->stopped = !w->each(w->opaque, &v);
	return true;
}

/* The members of an object, whose number bounds what looking for one of them costs. */
static uint64_t count_members(const struct json *j, uint32_t object)
{
	uint64_t n = 0;

	for (uint32_t i = j->node[object].child; i != JSON_NONE; i = j->node[i].next)
		n++;
	return n;
}

static bool walk_field(struct walk *w, uint32_t field, const char *sub, const char *prefix, unsigned depth)
{
	const struct json *j = &w->c.in->json;
	uint32_t inner = json_member(j, field, "struct"), length = json_member(j, field, "array_len"),
		 index = json_member(j, field, "index");
	uint64_t size = json_number(j, json_member(j, field, "size"), UINT64_MAX), n = json_number(j, length, 1);
	char label[128], type[64], path[MAX_PATH];

	json_string(j, json_member(j, field, "name"), label, sizeof label);
	json_string(j, json_member(j, field, "type"), type, sizeof type);
	if (size > w->c.in->len || n > w->c.in->len)
		return stop_reading(&w->c, "a field is larger than the file");
	if (!spend_steps(&w->c, WORK_FIELD + count_members(j, field)))
		return false;
	for (uint64_t i = 0; i < n; i++) {
		uint64_t from = w->c.at;

		if (!spend_steps(&w->c, WORK_ELEMENT))
			return false;
		int end = snprintf(path, sizeof path, "%s%s", prefix, label);

		if (length != JSON_NONE || index != JSON_NONE)
			snprintf(path + end, sizeof path - (size_t)end, "[%llu]",
				 (unsigned long long)(index != JSON_NONE ? json_number(j, index, 0) : i));
		if (inner == JSON_NONE) {
			if (!walk_value(w, sub, path, type, size))
				return false;
			continue;
		}
		if (strlen(path) + 2 > sizeof path)
			return stop_reading(&w->c, "a name is too long");
		strcat(path, ".");
		if (!walk_state(w, inner, sub, path, depth + 1))
			return false;
		if (w->c.at - from != size)
			return stop_reading(&w->c, "a struct has another size than it says");
	}
	return true;
}

static bool walk_sub(struct walk *w, uint32_t sub, const char *prefix, unsigned depth)
{
	const struct json *j = &w->c.in->json;
	char wanted[128], found[256] = "";

	if (!spend_steps(&w->c, WORK_FIELD + count_members(j, sub)))
		return false;
	json_string(j, json_member(j, sub, "vmsd_name"), wanted, sizeof wanted);
	if (take_number(&w->c, 1) != VMS_TAG_SUBSECTION)
		return stop_reading(&w->c, "a subsection is described and not there");
	take_name(&w->c, found);
	take_number(&w->c, 4);
	if (w->c.failed || strcmp(wanted, found))
		return stop_reading(&w->c, "another subsection than described");
	return walk_state(w, sub, wanted, prefix, depth + 1);
}

static bool walk_state(struct walk *w, uint32_t state, const char *sub, const char *prefix, unsigned depth)
{
	const struct json *j = &w->c.in->json;
	uint32_t fields = json_member(j, state, "fields"), subs = json_member(j, state, "subsections");

	if (depth > 16)
		return stop_reading(&w->c, "the description is too deep");
	if (!spend_steps(&w->c, count_members(j, state)))
		return false;
	if (fields != JSON_NONE)
		for (uint32_t f = j->node[fields].child; f != JSON_NONE; f = j->node[f].next)
			if (!walk_field(w, f, sub, prefix, depth))
				return false;
	if (subs != JSON_NONE)
		for (uint32_t s = j->node[subs].child; s != JSON_NONE; s = j->node[s].next)
			if (!walk_sub(w, s, prefix, depth))
				return false;
	return true;
}

/* *end: the byte behind the section's last field. */
static bool walk_section(struct inspect *in, const struct inspect_section *s, struct walk *w, uint64_t *end)
{
	char base[128];

	w->c.in = in;
	w->c.at = s->payload;
	json_string(&in->json, json_member(&in->json, s->json, "vmsd_name"), base, sizeof base);
	if (!walk_state(w, s->json, base, "", 0))
		return false;
	*end = w->c.at;
	return true;
}

bool inspect_walk(struct inspect *in, const struct inspect_section *section,
		  bool (*each)(void *opaque, const struct inspect_value *value), void *opaque, struct error *err)
{
	struct walk w = { .c = { .err = err }, .each = each, .opaque = opaque };
	uint64_t end;

	if (section->live || section->json == JSON_NONE) {
		error_set(err, "section %.100s has no fields that are described", section->name);
		return false;
	}
	allow_work(in, section->start);
	return walk_section(in, section, &w, &end);
}

/* ---- Live sections ---- */

static struct inspect_block *find_block(struct inspect *in, const char *block)
{
	for (unsigned i = 0; i < in->blocks; i++)
		if (!strcmp(in->block[i].name, block))
			return &in->block[i];
	return NULL;
}

/* Whether a file of this length can hold a block of `size` bytes: each page's record takes 9 bytes or more. A file whose
 * pages are in a parent or behind the head has one block, of the size that those say. */
static bool may_fill(const struct inspect *in, uint64_t size)
{
	uint64_t all = size;

	if (in->layout.ram_size)
		return !in->blocks && size == in->layout.ram_size;
	if (in->parent)
		return !in->blocks && in->parent->blocks && size == in->parent->block[0].size;
	for (unsigned i = 0; i < in->blocks; i++)
		all += in->block[i].size;
	return all / INSPECT_PAGE <= in->len;
}

static bool add_block(struct cursor *c, const char *block, uint64_t size)
{
	struct inspect *in = c->in;
	struct inspect_block *p;

	if (in->blocks == MAX_BLOCKS || size > MAX_BLOCK || size % INSPECT_PAGE)
		return stop_reading(c, "a block of memory that cannot be");
	if (!may_fill(in, size))
		return stop_reading(c, "a block of memory larger than the file can fill");
	p = realloc(in->block, (in->blocks + 1) * sizeof *p);
	if (!p)
		return stop_reading(c, "out of memory");
	in->block = p;
	p += in->blocks;
	*p = (struct inspect_block){ .size = size };
	snprintf(p->name, sizeof p->name, "%s", block);
	if (!in->layout.ram_size && !(p->page = calloc(size / INSPECT_PAGE + 1, sizeof *p->page)))
		return stop_reading(c, "out of memory");
	in->blocks++;
	return true;
}

static bool read_ram(struct cursor *c, struct inspect_block **current)
{
	for (;;) {
		uint64_t word = take_number(c, 8), at = word & ~UINT64_C(0xfff), flags = word & 0xfff;
		char block[256];

		if (c->failed)
			return false;
		if (flags & 0x10)
			return true;
		if (flags & 0x04) {
			for (uint64_t left = at; left && !c->failed;) {
				uint64_t size;

				take_name(c, block);
				size = take_number(c, 8);
				if (c->failed || size > left || !size)
					return stop_reading(c, "the list of memory blocks does not add up");
				left -= size;
				add_block(c, block, size);
			}
			continue;
		}
		if (!(flags & 0x0a) || flags & ~UINT64_C(0x2a))
			return stop_reading(c, "a record of memory that is not known");
		if (!(flags & 0x20)) {
			take_name(c, block);
			*current = find_block(c->in, block);
		}
		if (c->failed || !*current || at >= (*current)->size || !(*current)->page)
			return stop_reading(c, "a page outside memory");
		(*current)->page[at / INSPECT_PAGE] = flags & 8 ? c->at : 1;
		c->in->pages++;
		c->in->zero_pages += !(flags & 8);
		if (!(flags & 8) && take_number(c, 1))
			return stop_reading(c, "a page of another byte than zero");
		if (flags & 8)
			take_bytes(c, INSPECT_PAGE);
	}
}

static bool read_htab(struct cursor *c, bool start)
{
	uint32_t word = (uint32_t)take_number(c, 4);

	while (!start && word != UINT32_MAX && !c->failed) {
		uint64_t chunk = take_number(c, 8);

		if (!chunk)
			break;
		take_bytes(c, 16 * (chunk >> 16 & 0xffff));
	}
	return !c->failed;
}

/* ---- The whole file ---- */

struct scan {
	struct cursor c;
	struct inspect_block *current;
	uint32_t (*table)[256];
	unsigned live[MAX_LIVE], lives;	/* indices of sections: only of them a part can come */
	bool described;			/* a section that needs the description has come */
};

static struct inspect_section *add_section(struct scan *s, uint32_t id, bool live)
{
	struct inspect *in = s->c.in;
	struct inspect_section *p = in->sections < MAX_SECTIONS ? realloc(in->section, (in->sections + 1) * sizeof *p) : NULL;

	if (!p || (live && s->lives == MAX_LIVE)) {
		in->section = p ? p : in->section;
		stop_reading(&s->c, "too many sections");
		return NULL;
	}
	in->section = p;
	if (live)
		s->live[s->lives++] = in->sections;
	p += in->sections;
	*p = (struct inspect_section){ .id = id, .live = live, .json = JSON_NONE };
	in->sections++;
	return p;
}

static struct inspect_section *by_id(struct inspect *in, uint32_t id)
{
	for (unsigned i = 0; i < in->sections; i++)
		if (in->section[i].id == id)
			return &in->section[i];
	return NULL;
}

static struct inspect_section *live_by_id(struct scan *s, uint32_t id)
{
	for (unsigned i = 0; i < s->lives; i++)
		if (s->c.in->section[s->live[i]].id == id)
			return &s->c.in->section[s->live[i]];
	return NULL;
}

static bool scan_payload(struct scan *s, struct inspect_section *section, bool start)
{
	struct walk w = { .c = { .err = s->c.err } };

	if (section->live)
		return !strcmp(section->name, "ram") ? read_ram(&s->c, &s->current) :
		       !strcmp(section->name, "spapr/htab") ? read_htab(&s->c, start) : stop_reading(&s->c, "a live section that is not known");
	if (!s->described)
		allow_work(s->c.in, section->payload);
	s->described = true;
	section->json = section_node(&s->c, section->name, section->instance);
	if (s->c.failed)
		return false;
	if (section->json == JSON_NONE)
		return stop_reading(&s->c, s->c.in->json_len ? "a section that is not described" : "no description: sections cannot be told apart");
	return walk_section(s->c.in, section, &w, &s->c.at);
}

static bool scan_section(struct scan *s, uint64_t tag)
{
	uint64_t from = s->c.at - 1;
	uint32_t id = (uint32_t)take_number(&s->c, 4);
	bool begins = tag == VMS_TAG_START || tag == VMS_TAG_FULL;
	struct inspect_section *section = s->c.failed ? NULL : begins ? by_id(s->c.in, id) : live_by_id(s, id);

	if (s->c.failed || !section != begins)
		return stop_reading(&s->c, begins ? "a section number comes twice" : "a part of nothing");
	if (begins) {
		section = add_section(s, id, tag == VMS_TAG_START);
		if (!section)
			return false;
		take_name(&s->c, section->name);
		section->instance = (uint32_t)take_number(&s->c, 4);
		section->version = (uint32_t)take_number(&s->c, 4);
		section->start = from;
		section->payload = s->c.at;
	}
	if (!s->c.failed && !begins && !strcmp(section->name, "ram"))
		s->c.in->pages_at = s->c.at;
	if (s->c.failed || !scan_payload(s, section, begins))
		return false;
	if (!begins && !strcmp(section->name, "ram"))
		s->c.in->pages_end = s->c.at;
	if (begins)
		section->end = s->c.at;
	section->size += s->c.at - from;
	section->sum = crc32_add(s->table, section->sum, s->c.in->data + from, s->c.at - from);
	if (take_number(&s->c, 1) != VMS_TAG_FOOTER || take_number(&s->c, 4) != id)
		return stop_reading(&s->c, "a section that does not end where it should");
	return !s->c.failed;
}

static bool scan_all(struct scan *s)
{
	struct inspect *in = s->c.in;
	uint64_t len, tag;
	const uint8_t *p;

	if (take_number(&s->c, 4) != VMS_MAGIC || take_number(&s->c, 4) != VMS_VERSION || take_number(&s->c, 1) != VMS_TAG_CONFIGURATION)
		return stop_reading(&s->c, "not a snapshot (no QEVM, or of another version)");
	len = take_number(&s->c, 4);
	p = len < sizeof in->machine ? take_bytes(&s->c, len) : NULL;
	if (!p)
		return stop_reading(&s->c, "no machine name");
	memcpy(in->machine, p, len);
	for (;;) {
		in->eof = s->c.at;
		tag = take_number(&s->c, 1);
		if (s->c.failed)
			return false;
		if (tag == VMS_TAG_EOF)
			break;
		if (tag > VMS_TAG_FULL)
			return stop_reading(&s->c, "something that is no section");
		if (!scan_section(s, tag))
			return false;
	}
	return !in->json_len || s->c.at + 5 == in->json_at || stop_reading(&s->c, "something behind the last section");
}

/* ---- What is around the stream ---- */

static bool inspect_fail(struct error *err, const char *why)
{
	error_set(err, "%s", why);
	return false;
}

/* Counts the pages of the mapped layout's memory, which inspect_page() finds by itself. */
static bool count_memory(struct inspect *in, struct error *err)
{
	const struct layout *l = &in->layout;

	if (!in->blocks || in->pages)
		return inspect_fail(err, "memory behind the head is not that of section ram");
	in->pages = in->zero_pages = l->ram_size / INSPECT_PAGE;
	for (uint32_t i = 0; i < l->groups; i++)
		in->zero_pages -= l->group[i].used;
	return true;
}

static bool comes_back(const struct opening *o)
{
	for (const struct opening *c = o->child; c; c = c->child)
		if (c->dev == o->dev && c->ino == o->ino)
			return true;
	return false;
}

static bool open_parent(struct inspect *in, struct opening *o, struct error *err)
{
	const struct layout *l = &in->layout;
	char *parent = layout_parent_path(o->path, l->parent);
	struct opening p = { .child = o, .path = parent, .depth = o->depth + 1 };
	bool ok;

	in->parent = calloc(1, sizeof *in->parent);
	ok = (in->parent && parent) || inspect_fail(err, "out of memory");
	if (ok && o->depth == INSPECT_CHAIN)
		ok = inspect_fail(err, "too many parents");
	ok = ok && open_at(in->parent, &p, err);
	o->blamed = p.blamed;
	if (ok && (in->parent->file_size != l->parent_size || in->parent->ident != l->parent_ident)) {
		error_set(err, "parent '%.100s': expected %llu bytes, identity 0x%08x, found %llu, 0x%08x: it has been changed", l->parent,
			  (unsigned long long)l->parent_size, (unsigned)l->parent_ident, (unsigned long long)in->parent->file_size,
			  (unsigned)in->parent->ident);
		ok = false;
	}
	free(parent);
	return ok;
}

#define FIRST_ROOM (UINT64_C(16) << 20)
#define MAX_BESIDE (UINT64_C(64) << 20)		/* bytes of a stream that are not memory */
#define MAX_RATIO  256				/* bytes of content for each of the file: memory takes a few */

/* How many bytes a compressed file may unpack to: what a stream of the memory that its first section announces can take, but
 * no more than in proportion to the file, for all of it is kept. */
static uint64_t most_content(const struct inspect *in, const uint8_t *data, size_t len)
{
	static const uint8_t ram[] = { 3, 'r', 'a', 'm' };
	const uint8_t *p = memmem(data, len < 512 ? len : 512, ram, sizeof ram);
	uint64_t size = p && p + 20 <= data + len ? be_get(p + 12, 8) & ~UINT64_C(0xfff) : 0;
	uint64_t memory = size <= MAX_BLOCK ? size + size / 256 : 0, room = in->file_size * MAX_RATIO;

	return (memory < room ? memory : room) + MAX_BESIDE;
}

static uint8_t *grow_buffer(uint8_t *old, size_t room, size_t to)
{
	void *p = old ? mremap(old, room, to, MREMAP_MAYMOVE) :
			mmap(NULL, to, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* Unpacks the frame that begins at the file offset. */
static bool unpack_file(struct inspect *in, int fd, struct error *err)
{
	struct zip *zip = zip_new(false, err);
	uint8_t *data = zip ? grow_buffer(NULL, 0, FIRST_ROOM) : NULL;
	size_t room = FIRST_ROOM, len = 0;
	const char *why = data ? NULL : "out of memory";
	ssize_t n = 1;

	while (data && !why && n > 0) {
		if (room - len < FIRST_ROOM / 2) {
			uint8_t *more = grow_buffer(data, room, room * 2);

			if (!more) {
				why = "out of memory";
				break;
			}
			data = more;
			room *= 2;
		}
		n = zip_read(zip, fd, data + len, FIRST_ROOM / 2, &why);
		len += n > 0 ? (size_t)n : 0;
		if (!why && len > most_content(in, data, len))
			why = "compressed file: its content is larger than its memory, or than such a file's: it is damaged";
	}
	if (zip && why)
		inspect_fail(err, why);
	zip_free(zip);
	if (why && data)
		munmap(data, room);
	if (why || !data)
		return false;
	in->data = mremap(data, room, len ? len : 1, MREMAP_MAYMOVE);
	in->len = len;
	in->compressed = true;
	return true;
}

static bool map_file(struct inspect *in, int fd, struct error *err)
{
	uint64_t at = in->layout.stream_at;
	uint8_t magic[4];

	if (pread(fd, magic, sizeof magic, (off_t)at) == sizeof magic && be_get(magic, 4) == ZIP_MAGIC)
		return lseek(fd, (off_t)at, SEEK_SET) >= 0 && unpack_file(in, fd, err);
	in->data = in->file_size ? mmap(NULL, in->file_size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
	if (in->data == MAP_FAILED) {
		in->data = NULL;
		return inspect_fail(err, "not a snapshot: it is empty, or no file");
	}
	in->len = in->file_size;
	return true;
}

static void sum_identity(struct inspect *in, uint32_t (*table)[256])
{
	in->ident = in->layout.sum;
	for (unsigned i = 0; i < in->sections; i++)
		in->ident = crc32_add(table, in->ident, &in->section[i].sum, sizeof in->section[i].sum);
}

static bool read_all(struct inspect *in, int fd, struct opening *o, struct error *err)
{
	struct scan s = { .c = { .in = in, .err = err } };
	bool ok;

	if (!layout_read(&in->layout, fd, err) || (in->layout.parent[0] && !open_parent(in, o, err)) || !map_file(in, fd, err))
		return false;
	find_description(in);
	if (in->json_len && !json_parse(&in->json, (const char *)in->data + in->json_at, in->json_len))
		in->json_len = 0;
	in->next_device = JSON_NONE;
	s.c.at = in->compressed ? 0 : in->layout.stream_at;
	s.table = crc32_new();
	ok = (s.table || inspect_fail(err, "out of memory")) && scan_all(&s);
	if (ok)
		sum_identity(in, s.table);
	free(s.table);
	return ok && (!in->layout.ram_size || count_memory(in, err));
}

/* Opens a file of a chain of parents. What goes wrong is blamed on the one file that it is due to. */
static bool open_at(struct inspect *in, struct opening *o, struct error *err)
{
	const char *path = o->path;
	struct error why = { .msg = "" };
	int fd = layout_open(path, &why);
	struct stat st;
	bool ok = false;

	*in = (struct inspect){ .json_at = 0 };
	if (fd < 0 || fstat(fd, &st)) {
		error_set(err, "cannot open '%.150s': %.80s", path, fd < 0 ? why.msg : strerror(errno));
	} else {
		in->file_size = (uint64_t)st.st_size;
		o->dev = st.st_dev;
		o->ino = st.st_ino;
		ok = comes_back(o) ? inspect_fail(&why, "it is among its own parents") : read_all(in, fd, o, &why);
		if (!ok && o->blamed)
			*err = why;
		else if (!ok)
			error_set(err, "'%.80s': %.170s", path, why.msg);
	}
	o->blamed = !ok;
	if (fd >= 0)
		close(fd);
	if (!ok)
		inspect_close(in);
	return ok;
}

bool inspect_open(struct inspect *in, const char *path, struct error *err)
{
	return open_at(in, &(struct opening){ .path = path }, err);
}

bool inspect_open_parent(struct inspect *in, const char *path, struct error *err)
{
	return open_at(in, &(struct opening){ .path = path, .depth = 1 }, err);
}

/* A group of zeros has no pages and the sum 0, so its bytes are looked at and not its sum. */
static void blame_group(uint32_t index, const struct layout_group *g, uint32_t sum, uint32_t used, struct error *err)
{
	unsigned long long gra = (unsigned long long)index * LAYOUT_GROUP;

	if (used != g->used)
		error_set(err, "memory from 0x%llx on: pages that are not zero: expected %u, found %u: the file is damaged", gra, (unsigned)g->used,
			  (unsigned)used);
	else
		error_set(err, "memory from 0x%llx on: checksum: expected 0x%08x, found 0x%08x: the file is damaged", gra, (unsigned)g->sum,
			  (unsigned)sum);
}

bool inspect_memory_whole(const struct inspect *in, struct error *err)
{
	const struct layout *l = &in->layout;
	uint32_t (*table)[256], used = 0;
	bool ok = true;

	if (in->parent)
		return inspect_memory_whole(in->parent, err);
	table = crc32_new();
	for (uint32_t i = 0; ok && i < l->groups; i++) {
		uint32_t sum = l->group[i].used ? layout_group_sum(table, in->data + l->ram_at + i * (uint64_t)LAYOUT_GROUP, &used) : 0;

		ok = !l->group[i].used || (sum == l->group[i].sum && used == l->group[i].used);
		if (!ok)
			blame_group(i, &l->group[i], sum, used, err);
	}
	free(table);
	return ok;
}

void inspect_close(struct inspect *in)
{
	for (unsigned i = 0; i < in->blocks; i++)
		free(in->block[i].page);
	free(in->block);
	free(in->section);
	json_free(&in->json);
	layout_free(&in->layout);
	if (in->parent)
		inspect_close(in->parent);
	free(in->parent);
	if (in->data)
		munmap((void *)(uintptr_t)in->data, in->len);
	*in = (struct inspect){ .len = 0 };
}

struct inspect_section *inspect_find(struct inspect *in, const char *section, uint64_t instance)
{
	for (unsigned i = 0; i < in->sections; i++)
		if (in->section[i].instance == instance && !strcmp(in->section[i].name, section))
			return &in->section[i];
	return NULL;
}

struct seek {
	const char *path;
	uint64_t number, at;
	bool found;
};

static bool seek_number(void *opaque, const struct inspect_value *v)
{
	struct seek *s = opaque;

	if (!v->is_number || strcmp(v->path, s->path))
		return true;
	s->number = v->number;
	s->at = v->at;
	s->found = true;
	return false;
}

bool inspect_number(struct inspect *in, const char *section, uint64_t instance, const char *path, uint64_t *found, uint64_t *at)
{
	struct inspect_section *s = inspect_find(in, section, instance);
	struct seek seek = { .path = path };

	if (!s || !inspect_walk(in, s, seek_number, &seek, NULL) || !seek.found)
		return false;
	*found = seek.number;
	if (at)
		*at = seek.at;
	return true;
}

const uint8_t *inspect_page(const struct inspect *in, uint64_t at)
{
	const struct layout *l = &in->layout;
	uint64_t where;

	if (l->ram_size)	/* what nobody wrote there are zeros */
		return l->group[at / LAYOUT_GROUP].used ? in->data + l->ram_at + at : NULL;
	where = in->block[0].page[at / INSPECT_PAGE];
	if (!where && in->parent)
		return inspect_page(in->parent, at);
	return where > 1 ? in->data + where : NULL;
}

uint64_t inspect_next_page(const struct inspect *in, uint64_t from)
{
	const struct layout *l = &in->layout;

	while (from < in->block[0].size && !inspect_page(in, from))
		from = l->ram_size && !l->group[from / LAYOUT_GROUP].used ? (from / LAYOUT_GROUP + 1) * LAYOUT_GROUP : from + INSPECT_PAGE;
	return from;
}

bool inspect_memory(const struct inspect *in, uint64_t gra, void *buf, uint64_t len)
{
	uint8_t *p = buf;

	if (!in->blocks || gra > in->block[0].size || len > in->block[0].size - gra)
		return false;
	while (len) {
		uint64_t inside = gra % INSPECT_PAGE, n = INSPECT_PAGE - inside < len ? INSPECT_PAGE - inside : len;
		const uint8_t *page = inspect_page(in, gra - inside);

		if (page)
			memcpy(p, page + inside, n);
		else
			memset(p, 0, n);
		p += n;
		gra += n;
		len -= n;
	}
	return true;
}
