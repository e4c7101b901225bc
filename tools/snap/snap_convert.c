/* cede-snap convert: between the layouts, a child to a whole one, and to target=qemu: without cede's
 * sections, each processor interrupted by its decrementer. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "savevm/be.h"
#include "savevm/file.h"
#include "savevm/vmdesc.h"
#include "tools/snap/snap.h"

/* ---- What QEMU needs ---- */

#define MSR_SF UINT64_C(0x8000000000000000)
#define MSR_EE UINT64_C(0x8000)
#define MSR_ME UINT64_C(0x1000)
#define MSR_IR UINT64_C(0x20)
#define MSR_DR UINT64_C(0x10)
#define MSR_RI UINT64_C(0x2)
#define MSR_LE UINT64_C(0x1)
#define SRR1_CAUSE UINT64_C(0x783f0000)
#define LPCR_ILE   UINT64_C(0x2000000)
#define LPCR_AIL3  UINT64_C(0x1800000)
#define VECTOR_DEC UINT64_C(0x900)
#define DEC_EXPIRED UINT64_MAX		/* -1 */
#define AIL3_BASE  UINT64_C(0xc000000000004000)

enum { RUN_RUNNING, RUN_STOPPED, RUN_CEDED, RUN_JOINED };

struct patch {
	uint64_t at, value;
	unsigned size;
};

#define MAX_PATCHES (8 * 64)

struct patches {
	struct patch patch[MAX_PATCHES];
	unsigned n;
};

static bool get_number(struct inspect *in, const char *section, unsigned cpu, const char *path, uint64_t *value)
{
	return inspect_number(in, section, cpu, path, value, NULL);
}

static bool set_number(struct inspect *in, struct patches *p, const char *section, unsigned cpu, const char *path, unsigned size,
		uint64_t value)
{
	struct patch *patch = &p->patch[p->n];
	uint64_t old;

	if (p->n == MAX_PATCHES || !inspect_number(in, section, cpu, path, &old, &patch->at) ||
	    patch->at < in->pages_end)
		return false;
	patch->size = size;
	patch->value = value;
	p->n++;
	return true;
}

/* Interrupts a processor by its decrementer, as QEMU needs it; a stopped one's has expired, too. NULL: done, or there is
 * nothing to do; otherwise why it cannot be done. */
static const char *interrupt_cpu(struct inspect *in, struct patches *p, unsigned cpu)
{
	uint64_t state, irq, prodded, xirr, nip, msr, lpcr;
	bool high;

	if (!get_number(in, "cede/cpu", cpu, "run_state", &state) || !get_number(in, "cede/cpu", cpu, "irq", &irq) ||
	    !get_number(in, "cede/cpu", cpu, "prodded", &prodded) ||
	    !get_number(in, "cpu", cpu, "env.nip", &nip) || !get_number(in, "cpu", cpu, "env.msr", &msr) ||
	    !get_number(in, "cpu", cpu, "env.spr[318]", &lpcr))
		return "is not described as cede's";
	if (!get_number(in, "icp/server", cpu, "xirr", &xirr))
		xirr = 0;	/* a machine with XIVE alone: `irq` says all */
	if (!set_number(in, p, "cpu", cpu, "env.spr[22]", 8, DEC_EXPIRED))
		return "lacks a field";
	if (state == RUN_STOPPED)
		return NULL;
	if (state == RUN_JOINED || irq || prodded || xirr & 0xffffff || !(msr & MSR_EE) || !(msr & MSR_RI))
		return "cannot be interrupted at that cycle, as QEMU needs it: save with target=qemu";
	high = (lpcr & LPCR_AIL3) == LPCR_AIL3 && msr & MSR_IR && msr & MSR_DR;
	return set_number(in, p, "cpu", cpu, "env.spr[26]", 8, nip) && set_number(in, p, "cpu", cpu, "env.spr[27]", 8, msr & ~SRR1_CAUSE) &&
	       set_number(in, p, "cpu", cpu, "env.nip", 8, VECTOR_DEC + (high ? AIL3_BASE : 0)) &&
	       set_number(in, p, "cpu", cpu, "env.msr", 8, MSR_SF | MSR_ME | (lpcr & LPCR_ILE ? MSR_LE : 0) | (high ? MSR_IR | MSR_DR : 0)) &&
	       set_number(in, p, "cpu_common", cpu, "halted", 4, 0) ? NULL : "lacks a field";
}

/* Applies patches to `data`, a copy of the file from offset `from` on. */
static void apply_patches(uint8_t *data, uint64_t from, const struct patches *p)
{
	for (unsigned i = 0; i < p->n; i++)
		be_put(data + p->patch[i].at - from, p->patch[i].value, p->patch[i].size);
}

static bool is_own(const struct inspect_section *s)
{
	return strstr(s->name, "cede/") != NULL;
}

/* A list of a disk's or an adapter's that has something in it: requests, of which QEMU would never hear. */
static bool find_flight(void *opaque, const struct inspect_value *v)
{
	const uint8_t **data = opaque;
	const char *dot = strrchr(v->path, '.'), *name = dot ? dot + 1 : v->path;
	bool found = v->size && (!strcmp(name, "requests") || !strcmp(name, "commands")) && (*data)[v->at];

	if (found)
		*data = NULL;
	return !found;
}

static bool find_own(const struct inspect *in, const char *name)
{
	for (unsigned i = 0; i < in->sections; i++)
		if (strstr(in->section[i].name, name))
			return true;
	return false;
}

/* The section with the first one; NULL: there is none. */
static const struct inspect_section *section_in_flight(struct inspect *in)
{
	for (unsigned i = 0; i < in->sections; i++) {
		const uint8_t *data = in->data;

		if (is_own(&in->section[i]) && (strstr(in->section[i].name, "virtio-blk") || strstr(in->section[i].name, "scsi"))) {
			inspect_walk(in, &in->section[i], find_flight, &data, NULL);
			if (!data)
				return &in->section[i];
		}
	}
	return NULL;
}

/* Writes the part of the old description that stays true. */
static void keep_description(const struct inspect *in, struct text *t)
{
	vmdesc_begin(t);
	for (unsigned i = 0, n = 0; i < in->sections; i++) {
		const struct json_node *node = in->section[i].live ? NULL : &in->json.node[in->section[i].json];

		if (!node || is_own(&in->section[i]))
			continue;
		if (n++)
			text_bytes(t, ",", 1);
		text_bytes(t, in->json.text + node->at, node->len);
	}
	vmdesc_end(t);
}

/* ---- Memory, as the writers want it ---- */

static uint64_t next_page(void *opaque, uint64_t from)
{
	const struct inspect *in = opaque;

	return inspect_next_page(in, from & ~(uint64_t)(INSPECT_PAGE - 1));
}

/* Copies memory into one piece; pages of zeros take no memory of the host. */
static bool gather_memory(struct inspect *in, struct vms_ram *ram)
{
	void *p = mmap(NULL, in->block[0].size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return false;
	*ram = (struct vms_ram){ .block = in->block[0].name, .base = p, .size = in->block[0].size, .next_used = next_page, .opaque = in };
	for (uint64_t at = next_page(in, 0); at < ram->size; at = next_page(in, at + INSPECT_PAGE))
		if (!vms_page_is_zero(inspect_page(in, at)))
			memcpy(ram->base + at, inspect_page(in, at), INSPECT_PAGE);
	return true;
}

/* ---- Writing ---- */

struct how {
	bool qemu, mapped, compress;
};

struct job {
	struct inspect *in;
	const struct inspect_section *memory;	/* section ram */
	struct how how;
	struct vms_ram ram;
	struct patches patches;
	uint8_t *tail;			/* a copy of the file from in->pages_end on */
};

/* The sum of section ram, whose last part is written anew, in cede's section of sums. */
struct claim {
	const struct job *job;
	uint64_t id, at;		/* the last one's; where the sum is, 0: not found */
};

static bool find_claim(void *opaque, const struct inspect_value *v)
{
	struct claim *c = opaque;
	const char *field = strrchr(v->path, '.');

	if (field && !strcmp(field, ".id"))
		c->id = v->number;
	if (field && !strcmp(field, ".sum") && v->size == 4 && c->id == c->job->memory->id && v->at >= c->job->in->pages_end)
		c->at = v->at;
	return !c->at;
}

static bool patch_sum(struct job *j, uint32_t sum)
{
	struct claim claim = { .job = j, .id = UINT64_MAX };
	struct inspect_section *checks = inspect_find(j->in, VMS_CHECKS, 0);

	if (!checks || !inspect_walk(j->in, checks, find_claim, &claim, NULL) || !claim.at || j->patches.n == MAX_PATCHES)
		return false;
	j->patches.patch[j->patches.n++] = (struct patch){ .at = claim.at, .value = sum, .size = 4 };
	return true;
}

static void put_ram(struct stream *s, struct job *j)
{
	const struct inspect_section *ram = j->memory;
	uint64_t begin = j->in->compressed ? 0 : j->in->layout.stream_at, head = j->in->pages_at - 5;
	struct vms_live live;

	vms_ram_live(&live, &j->ram);
	stream_put(s, j->in->data + begin, head - begin);
	stream_sum_begin(s, crc32_add(s->table, 0, j->in->data + ram->start, ram->end - ram->start));
	stream_put(s, j->in->data + head, 5);
	live.save_end(s, &j->ram);
	if (!j->how.qemu && !patch_sum(j, stream_sum(s)))
		stream_fail(s, "section %s is not as cede writes it", VMS_CHECKS);
}

static void put_tail(struct stream *s, struct job *j)
{
	uint64_t base = j->in->pages_end, from = base;
	struct text t = { .p = NULL };

	apply_patches(j->tail, base, &j->patches);
	for (unsigned i = 0; j->how.qemu && i < j->in->sections; i++) {
		if (!is_own(&j->in->section[i]))
			continue;
		if (j->in->section[i].start < from) {
			stream_fail(s, "section %.80s comes before memory does", j->in->section[i].name);
			return;
		}
		stream_put(s, j->tail + (from - base), j->in->section[i].start - from);
		from = j->in->section[i].end + 5;		/* and its footer */
	}
	if (!j->how.qemu) {
		stream_put(s, j->tail + (from - base), j->in->len - from);
		return;
	}
	stream_put(s, j->tail + (from - base), j->in->eof + 1 - from);
	keep_description(j->in, &t);
	stream_put_be(s, VMS_TAG_DESCRIPTION, 1);
	stream_put_be(s, t.len, 4);
	stream_put(s, t.p, t.len);
	if (t.failed)
		stream_fail(s, "out of memory");
	free(t.p);
}

static bool put_stream(struct job *j, int fd, struct error *err)
{
	struct stream s;
	bool ok;

	if (!stream_open(&s, fd, true, err))
		return false;
	ok = !j->how.compress || stream_compress(&s, err);
	if (ok) {
		put_ram(&s, j);
		put_tail(&s, j);
		ok = stream_finish(&s);
		if (!ok)
			error_set(err, "%s", s.error.msg);
	}
	stream_close(&s);
	return ok;
}

static bool put_file(struct job *j, int fd, struct error *err)
{
	struct layout l = { .ram_size = 0 };
	bool ok;

	if (!j->how.mapped)
		return put_stream(j, fd, err);
	j->ram.elsewhere = true;
	ok = layout_write_ram(&l, fd, &j->ram, err) && put_stream(j, fd, err) && layout_write_head(&l, fd, err);
	layout_free(&l);
	return ok;
}

static bool parse_word(struct how *how, const char *text)
{
	static const struct { const char *word; struct how how; } words[] = {
		{ "target=qemu", { .qemu = true } }, { "layout=stream", { .qemu = false } }, { "layout=mapped", { .mapped = true } },
		{ "compress=zstd", { .compress = true } },
	};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (!strcmp(text, words[i].word)) {
			*how = words[i].how;
			return true;
		}
	return false;
}

static int write_to(struct job *j, const char *path)
{
	struct save_file f;
	struct error err;

	if (!save_file_open(&f, path, &err))
		return give_up("%s", err.msg);
	if (!put_file(j, f.fd, &err)) {
		save_file_drop(&f);
		return give_up("cannot convert to '%.120s': %s", path, err.msg);
	}
	return save_file_commit(&f, &err) ? 0 : give_up("%s", err.msg);
}

int convert(struct inspect *in, char **args, bool json)
{
	struct job j = { .in = in, .memory = inspect_find(in, "ram", 0) };
	const struct inspect_section *busy;
	uint64_t watchpoints;
	struct error err;
	int status = 1;

	(void)json;
	if (!parse_word(&j.how, args[2]))
		return give_up("convert: there is layout=stream, layout=mapped, compress=zstd and target=qemu");
	if (!inspect_find(in, VMS_CHECKS, 0) || in->blocks != 1 || !in->pages_end)
		return give_up("'%.150s' has no section of cede's: it is for QEMU already", args[0]);
	if (!j.memory)
		return give_up("'%.150s' has no section ram 0", args[0]);
	if (!inspect_memory_whole(in, &err))
		return give_up("%s", err.msg);
	if (j.how.qemu && get_number(in, "spapr", 0, "mig.caps[0x0E]", &watchpoints))
		return give_up("its processors have one watchpoint (-M cap-dawr1=off), of which QEMU 7.2 knows nothing: save with target=qemu");
	if (j.how.qemu && (find_own(in, "cede/vga") || find_own(in, "cede/bochs-display")))
		return give_up("it has a screen, whose memory is not where QEMU looks for it: save with target=qemu");
	for (unsigned cpu = 0; j.how.qemu && cpu < processors(in); cpu++) {
		const char *why = interrupt_cpu(in, &j.patches, cpu);

		if (why)
			return give_up("processor %u %s", cpu, why);
	}
	busy = j.how.qemu ? section_in_flight(in) : NULL;
	if (busy)
		return give_up("a disk has requests in flight at that cycle (section %.80s), which QEMU would lose: save with target=qemu",
			       busy->name);
	j.tail = malloc(in->len - in->pages_end);
	if (!j.tail || !gather_memory(in, &j.ram)) {
		free(j.tail);
		return give_up("out of memory");
	}
	memcpy(j.tail, in->data + in->pages_end, in->len - in->pages_end);
	status = write_to(&j, args[1]);
	munmap(j.ram.base, j.ram.size);
	free(j.tail);
	return status;
}
