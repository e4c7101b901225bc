/* Framing: which section comes when, and what stands around it. */
#include "savevm/savevm.h"

#include <stdlib.h>
#include <string.h>

#include "savevm/vmdesc.h"

/* ---- Sums of all sections, in one of their own ---- */

struct check {
	uint32_t id, sum;
};

struct checks {
	uint32_t count;
	struct check *check;
	uint32_t room;
};

#define MAX_CHECKS 65536

static const struct vmstate check_state = {
	.name = "cede/checks/section", .version = 1, .min_version = 1, VMS_OF(struct check),
	.fields = VMS_FIELDS(VMS_U32(struct check, id), VMS_U32(struct check, sum)),
};

const struct vmstate vms_checks_state = {
	.name = VMS_CHECKS, .version = 1, .min_version = 1, VMS_OF(struct checks),
	.fields = VMS_FIELDS(
		VMS_U32(struct checks, count),
		{ .name = "check", .kind = VMS_NESTED, .offset = offsetof(struct checks, check), .stride = sizeof(struct check),
		  .covers = sizeof(struct check *), .count = MAX_CHECKS, .counted = true, .pointer = true, .allocated = true,
		  .count_at = offsetof(struct checks, count), .state = &check_state },
		VMS_SKIP(struct checks, room, "of the array, on this host")),
};

static struct check *find_check(struct checks *c, uint32_t id)
{
	for (uint32_t i = 0; i < c->count; i++)
		if (c->check[i].id == id)
			return &c->check[i];
	return NULL;
}

/* Adds a section's sum. NULL: out of memory, or there are too many. */
static struct check *add_check(struct checks *c, uint32_t id)
{
	struct check *check = find_check(c, id);

	if (check)
		return check;
	if (c->count == c->room) {
		uint32_t room = c->room ? 2 * c->room : 64;
		struct check *p = room <= MAX_CHECKS ? realloc(c->check, room * sizeof *p) : NULL;

		if (!p)
			return NULL;
		c->check = p;
		c->room = room;
	}
	c->check[c->count] = (struct check){ .id = id };
	return &c->check[c->count++];
}

/* ---- Writing ---- */

struct writer {
	struct stream s;
	struct text json;
	struct checks checks;
	uint32_t next_id;
	bool sums, for_qemu;
};

static void put_head(struct writer *w, enum vms_tag tag, uint32_t id, const char *name, uint32_t instance, uint32_t version)
{
	const struct check *check = w->sums ? find_check(&w->checks, id) : NULL;

	stream_sum_begin(&w->s, check ? check->sum : 0);
	stream_put_be(&w->s, tag, 1);
	stream_put_be(&w->s, id, 4);
	if (tag != VMS_TAG_START && tag != VMS_TAG_FULL)
		return;
	stream_put_string(&w->s, name);
	stream_put_be(&w->s, instance, 4);
	stream_put_be(&w->s, version, 4);
}

static void put_footer(struct writer *w, uint32_t id)
{
	uint32_t sum = stream_sum(&w->s);
	struct check *check = w->sums ? add_check(&w->checks, id) : NULL;

	if (check)
		check->sum = sum;
	else if (w->sums)
		stream_fail(&w->s, "out of memory");
	stream_put_be(&w->s, VMS_TAG_FOOTER, 1);
	stream_put_be(&w->s, id, 4);
}

static void put_live(struct writer *w, const struct vms_live *live, uint32_t id, enum vms_tag tag)
{
	put_head(w, tag, id, live->name, 0, live->version);
	(tag == VMS_TAG_START ? live->save_start : live->save_end)(&w->s, live->object);
	put_footer(w, id);
}

static void put_full(struct writer *w, const char *name, uint32_t instance, const struct vmstate *state, void *object)
{
	uint32_t id = w->next_id++;
	struct vms_walk walk = { .stream = &w->s, .json = &w->json, .section = name, .instance = instance, .for_qemu = w->for_qemu };

	put_head(w, VMS_TAG_FULL, id, name, instance, state->version);
	vmdesc_device(&w->json, name, instance, state);
	vms_save(&walk, state, object);
	vmdesc_device_end(&w->json);
	put_footer(w, id);
}

static void put_sections(struct writer *w, const struct vms_set *set)
{
	for (unsigned i = 0; i < set->sections && !w->s.failed; i++) {
		const struct vms_section *section = &set->section[i];

		if ((section->own && w->for_qemu) || (section->state->needed && !section->state->needed(section->object)))
			continue;
		put_full(w, section->name, section->instance, section->state, section->object);
	}
	if (!w->for_qemu) {
		w->sums = false;	/* the section of sums has no sum of itself */
		put_full(w, VMS_CHECKS, 0, &vms_checks_state, &w->checks);
	}
}

/* Ids begin with 1: QEMU takes 0 for a live section that has not come yet. */
static void put_all(struct writer *w, const struct vms_set *set)
{
	struct stream *s = &w->s;

	stream_put_be(s, VMS_MAGIC, 4);
	stream_put_be(s, VMS_VERSION, 4);
	stream_put_be(s, VMS_TAG_CONFIGURATION, 1);
	stream_put_be(s, strlen(set->machine), 4);
	stream_put(s, set->machine, strlen(set->machine));
	for (unsigned i = 0; i < set->lives; i++)
		put_live(w, &set->live[i], 1 + i, VMS_TAG_START);
	for (unsigned i = 0; i < set->lives; i++)
		put_live(w, &set->live[i], 1 + i, VMS_TAG_END_PART);
	w->next_id = 1 + set->lives;
	vmdesc_begin(&w->json);
	put_sections(w, set);
	vmdesc_end(&w->json);
	stream_put_be(s, VMS_TAG_EOF, 1);
	stream_put_be(s, VMS_TAG_DESCRIPTION, 1);
	stream_put_be(s, w->json.len, 4);
	stream_put(s, w->json.p, w->json.len);
	if (w->json.failed)
		stream_fail(s, "out of memory");
}

bool savevm_write(const struct vms_set *set, int fd, bool for_qemu, struct error *err)
{
	struct writer w = { .sums = !for_qemu, .for_qemu = for_qemu };
	bool ok;

	if (!stream_open(&w.s, fd, true, err))
		return false;
	if (set->compress && !stream_compress(&w.s, err)) {
		stream_close(&w.s);
		return false;
	}
	put_all(&w, set);
	ok = stream_finish(&w.s);
	if (!ok)
		error_set(err, "%s", w.s.error.msg);
	stream_close(&w.s);
	free(w.json.p);
	free(w.checks.check);
	return ok;
}

/* ---- Reading ---- */

struct reader {
	struct stream *s;
	struct vms_set *set;
	struct checks checks, claimed;
	uint32_t *live_id;		/* of set->live[i]; 0: it has not begun */
	bool checked;			/* the section of sums has come */
};

static bool read_head(struct reader *r)
{
	struct stream *s = r->s;
	char name[VMS_NAME_MAX] = "";
	uint64_t magic = stream_get_be(s, 4), version = stream_get_be(s, 4), tag = stream_get_be(s, 1), len = stream_get_be(s, 4);

	if (s->failed)
		return false;
	if (magic == LAYOUT_MAGIC)
		return stream_fail(s, "a snapshot of this layout is loaded from a file, not from a pipe");
	if (magic != VMS_MAGIC)
		return stream_fail(s, "not a snapshot: it begins with 0x%08x, not with QEVM", (unsigned)magic);
	if (version != VMS_VERSION)
		return stream_fail(s, "file version: expected %d, found %u", VMS_VERSION, (unsigned)version);
	if (tag != VMS_TAG_CONFIGURATION)
		return stream_fail(s, "configuration: expected tag 7, found %u", (unsigned)tag);
	if (len >= sizeof name)
		return stream_fail(s, "configuration: machine name: expected %s, found one of %u bytes", r->set->machine,
				   (unsigned)len);
	if (!stream_get(s, name, (size_t)len))
		return false;
	if (!stream_is_name(name, (size_t)len))
		return stream_fail(s, "configuration: a machine name that is no text");
	return !strcmp(name, r->set->machine) ||
	       stream_fail(s, "configuration: machine: expected %s, found %s", r->set->machine, name);
}

static bool expect_footer(struct reader *r, const char *name, uint32_t id)
{
	uint32_t tag = (uint32_t)stream_get_be(r->s, 1), found_id = (uint32_t)stream_get_be(r->s, 4);

	if (r->s->failed)
		return false;
	return (tag == VMS_TAG_FOOTER && found_id == id) ||
	       stream_fail(r->s, "section %s: footer: expected 0x7e %u, found 0x%x %u: it has another size than here", name,
			   (unsigned)id, (unsigned)tag, (unsigned)found_id);
}

static bool read_footer(struct reader *r, const char *name, uint32_t id)
{
	uint32_t sum = stream_sum(r->s);
	struct check *check = add_check(&r->checks, id);

	if (!check)
		return stream_fail(r->s, "out of memory");
	check->sum = sum;
	return expect_footer(r, name, id);
}

static bool read_live(struct reader *r, struct vms_live *live, uint32_t id, enum vms_tag tag)
{
	struct check *check = find_check(&r->checks, id);

	const uint8_t head[5] = { (uint8_t)tag, (uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id };

	if (check)
		stream_sum_begin(r->s, crc32_add(r->s->table, check->sum, head, sizeof head));
	if (!live->load(r->s, live->object, tag))
		return false;
	live->loaded |= tag == VMS_TAG_END_PART;
	return read_footer(r, live->name, id);
}

static bool read_part(struct reader *r, uint32_t id, enum vms_tag tag)
{
	for (unsigned i = 0; i < r->set->lives; i++)
		if (r->live_id[i] == id && id)
			return read_live(r, &r->set->live[i], id, tag);
	return stream_fail(r->s, "a part of section number %u, which has not begun", (unsigned)id);
}

static bool read_checks(struct reader *r, uint32_t id, uint32_t version)
{
	struct vms_walk walk = { .stream = r->s, .section = VMS_CHECKS };

	if (r->checked)
		return stream_fail(r->s, "section %s comes twice", VMS_CHECKS);
	r->checked = true;
	return vms_load(&walk, &vms_checks_state, &r->claimed, version) && expect_footer(r, VMS_CHECKS, id);
}

/* NULL: there is no such section. */
static const struct vmstate *find_ignored(const struct vms_set *set, const char *name)
{
	const struct vmstate *const *state = set->ignored;

	while (state && *state && strcmp((*state)->name, name))
		state++;
	return state ? *state : NULL;
}

static bool read_full(struct reader *r, const char *name, uint32_t instance, uint32_t id, uint32_t version)
{
	struct vms_walk walk = { .stream = r->s, .section = name, .instance = instance };
	const struct vmstate *ignored = find_ignored(r->set, name);
	uint8_t nothing = 0;

	if (ignored)
		return vms_load(&walk, ignored, &nothing, version) && read_footer(r, name, id);
	for (unsigned i = 0; i < r->set->sections; i++) {
		struct vms_section *section = &r->set->section[i];

		if (section->instance != instance || strcmp(section->name, name))
			continue;
		if (section->loaded)
			return stream_fail(r->s, "section %s %u comes twice", name, (unsigned)instance);
		section->loaded = true;
		r->set->read_last = section;
		return vms_load(&walk, section->state, section->object, version) && read_footer(r, name, id);
	}
	return stream_fail(r->s, "section %s %u: this machine has none (other -cpu, -smp, -serial, -drive, -device, -nic, -vga, -M ic-mode or max-cpu-compat?)", name,
			   (unsigned)instance);
}

static bool read_begin(struct reader *r, const char *name, uint32_t instance, uint32_t id, uint32_t version)
{
	for (unsigned i = 0; i < r->set->lives; i++) {
		struct vms_live *live = &r->set->live[i];

		if (strcmp(live->name, name) || instance)
			continue;
		if (version != live->version)
			return stream_fail(r->s, "section %s 0: version: expected %u, found %u", name, (unsigned)live->version,
					   (unsigned)version);
		if (r->live_id[i] || !id)
			return stream_fail(r->s, "section %s 0 begins twice, or has number 0", name);
		r->live_id[i] = id;
		return read_live(r, live, id, VMS_TAG_START);
	}
	return stream_fail(r->s, "section %s %u: this machine has none that comes in parts", name, (unsigned)instance);
}

static bool read_section(struct reader *r, enum vms_tag tag)
{
	uint32_t id = (uint32_t)stream_get_be(r->s, 4), instance, version;
	char name[256];

	if (r->s->failed)
		return false;
	if (tag == VMS_TAG_PART || tag == VMS_TAG_END_PART)
		return read_part(r, id, tag);
	stream_get_string(r->s, name);
	instance = (uint32_t)stream_get_be(r->s, 4);
	version = (uint32_t)stream_get_be(r->s, 4);
	if (r->s->failed)
		return false;
	if (find_check(&r->checks, id))
		return stream_fail(r->s, "section %s %u: its number %u has been used", name, (unsigned)instance, (unsigned)id);
	if (tag == VMS_TAG_START)
		return read_begin(r, name, instance, id, version);
	if (!strcmp(name, VMS_CHECKS) && !instance)
		return read_checks(r, id, version);
	if (r->checked)
		return stream_fail(r->s, "section %s %u comes after %s", name, (unsigned)instance, VMS_CHECKS);
	return read_full(r, name, instance, id, version);
}

/* Skips the JSON description: a load does not need it, but a file that ends inside it is not whole. */
static bool read_description(struct reader *r)
{
	size_t have;
	const uint8_t *tag = stream_peek(r->s, 1, &have);
	uint32_t len;

	if (!have || *tag != VMS_TAG_DESCRIPTION)
		return !r->s->failed;
	stream_skip(r->s, 1);
	len = (uint32_t)stream_get_be(r->s, 4);
	if (len > VMS_MAX_DESCRIPTION)
		return stream_fail(r->s, "description: expected at most %u bytes, found %u", (unsigned)VMS_MAX_DESCRIPTION,
				   (unsigned)len);
	return stream_skip(r->s, len);
}

static bool compare_checks(struct reader *r)
{
	if (r->claimed.count != r->checks.count)
		return stream_fail(r->s, "section %s 0: count: expected %u, found %u", VMS_CHECKS, (unsigned)r->checks.count,
				   (unsigned)r->claimed.count);
	for (uint32_t i = 0; i < r->claimed.count; i++) {
		const struct check *claimed = &r->claimed.check[i], *found = find_check(&r->checks, claimed->id);

		if (!found || found->sum != claimed->sum)
			return stream_fail(r->s, "section number %u: checksum: expected 0x%08x, found 0x%08x: the file is damaged",
					   (unsigned)claimed->id, (unsigned)claimed->sum, found ? (unsigned)found->sum : 0);
	}
	return true;
}

static bool own_loaded(const struct vms_set *set)
{
	for (unsigned i = 0; i < set->sections; i++)
		if (set->section[i].own && set->section[i].loaded)
			return true;
	return false;
}

static bool read_all(struct reader *r)
{
	uint64_t tag;

	if (!read_head(r))
		return false;
	for (;;) {
		stream_sum_begin(r->s, 0);
		tag = stream_get_be(r->s, 1);
		if (r->s->failed)
			return false;
		if (tag == VMS_TAG_EOF)
			break;
		if (tag < VMS_TAG_START || tag > VMS_TAG_FULL)
			return stream_fail(r->s, "expected a section, found tag 0x%x at byte %llu", (unsigned)tag,
					   (unsigned long long)stream_position(r->s) - 1);
		if (!read_section(r, (enum vms_tag)tag))
			return false;
	}
	if (r->checked && !compare_checks(r))
		return false;
	if (!r->checked && own_loaded(r->set))
		return stream_fail(r->s, "section %s 0 is missing", VMS_CHECKS);
	return read_description(r);
}

bool savevm_read_stream(struct vms_set *set, struct stream *s)
{
	struct reader r = { .s = s, .set = set, .live_id = calloc(set->lives + 1, sizeof *r.live_id) };

	for (unsigned i = 0; i < set->sections; i++)
		set->section[i].loaded = false;
	for (unsigned i = 0; i < set->lives; i++)
		set->live[i].loaded = false;
	if (!r.live_id)
		stream_fail(s, "out of memory");
	else
		read_all(&r);
	free(r.live_id);
	free(r.checks.check);
	free(r.claimed.check);
	return !s->failed;
}

bool savevm_read(struct vms_set *set, int fd, struct error *err)
{
	struct stream s;
	bool ok;

	if (!stream_open(&s, fd, false, err))
		return false;
	s.most = set->most;
	ok = savevm_read_stream(set, &s) && (!s.zip || stream_at_end(&s));
	if (!ok)
		error_set(err, "%s", s.error.msg);
	stream_close(&s);
	return ok;
}
