/* cede-snap: what is in a snapshot, cede's or QEMU's.
 *
 * It knows the stream and its description (savevm/), no machine. What it does know of meaning stands
 * here: the names of QEMU's fields that a dispatch trace log and target=qemu need. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "savevm/be.h"
#include "savevm/file.h"
#include "savevm/inspect.h"
#include "tools/snap/snap.h"

struct command {
	const char *name, *arguments, *help;
	int args;			/* FILE included */
	int (*run)(struct inspect *in, char **args, bool json);	/* 0, or the exit status */
};

int give_up(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("cede-snap: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	return 1;
}

/* Text of a hostile file, in JSON or on a terminal. */
static void print_text(const char *text, bool json)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~' || (json && (*text == '"' || *text == '\\')))
			printf(json ? "\\u%04x" : "\\x%02x", (unsigned char)*text);
		else
			putchar(*text);
}

/* ---- info, list ---- */

static uint64_t ram_size(const struct inspect *in)
{
	uint64_t size = 0;

	for (unsigned i = 0; i < in->blocks; i++)
		size += in->block[i].size;
	return size;
}

unsigned processors(struct inspect *in)
{
	unsigned n = 0;

	while (inspect_find(in, "cpu", n))
		n++;
	return n;
}

/* What is around the stream: text[64]. */
static const char *layout_name(const struct inspect *in, char text[64])
{
	const bool child = in->layout.parent[0];

	snprintf(text, 64, "%s%s", in->layout.ram_size ? "mapped" : in->compressed ? "zstd" : "stream", child ? ", child" : "");
	return text;
}

static void print_chain(const struct inspect *in)
{
	for (; in->parent; in = in->parent) {
		printf("parent      ");
		print_text(in->layout.parent, false);
		printf(", %" PRIu64 " bytes, identity %08x\n", in->parent->file_size, in->parent->ident);
	}
}

static void print_chain_json(const struct inspect *in)
{
	printf(",\"parents\":[");
	for (const char *comma = ""; in->parent; in = in->parent, comma = ",") {
		printf("%s\"", comma);
		print_text(in->layout.parent, true);
		putchar('"');
	}
	putchar(']');
}

static int run_info(struct inspect *in, char **args, bool json)
{
	bool ours = inspect_find(in, VMS_CHECKS, 0);
	uint64_t ns = 0, cycles = 0;
	char layout[64];

	inspect_number(in, "timer", 0, "cpu_clock_offset", &ns, NULL);
	inspect_number(in, "cede/clock", 0, "clock.now", &cycles, NULL);
	if (json) {
		printf("{\"file\":\"");
		print_text(args[0], true);
		printf("\",\"machine\":\"");
		print_text(in->machine, true);
		printf("\",\"writer\":\"%s\",\"processors\":%u,\"ram\":%" PRIu64 ",\"pages\":%" PRIu64 ",\"zero_pages\":%" PRIu64
		       ",\"clock_ns\":%" PRIu64 ",\"cycles\":%" PRIu64 ",\"sections\":%u,\"size\":%" PRIu64 ",\"layout\":\"%s\"",
		       ours ? "cede" : "qemu", processors(in), ram_size(in), in->pages, in->zero_pages, ns, cycles, in->sections, in->file_size,
		       layout_name(in, layout));
		print_chain_json(in);
		puts("}");
		return 0;
	}
	printf("machine     ");
	print_text(in->machine, false);
	printf("\nlayout      QEMU migration stream, version %d%s%s\n", VMS_VERSION, ours ? ", with cede's own sections" : "",
	       in->layout.ram_size ? "; memory to be mapped" : in->compressed ? "; in a frame of zstd" : "");
	print_chain(in);
	printf("processors  %u\nmemory      %" PRIu64 " MiB; %" PRIu64 " pages of 4 KiB, %" PRIu64 " of them zero\n", processors(in),
	       ram_size(in) >> 20, in->pages, in->zero_pages);
	printf("clock       %" PRIu64 ".%09" PRIu64 " s", ns / 1000000000, ns % 1000000000);
	if (ours)
		printf(", cycle %" PRIu64, cycles);
	printf("\nsections    %u\nsize        %" PRIu64 " bytes\n", in->sections, in->file_size);
	return 0;
}

static int run_list(struct inspect *in, char **args, bool json)
{
	(void)args;
	if (!json)
		printf("%-32s %10s %7s %12s  %s\n", "section", "instance", "version", "bytes", "CRC-32");
	for (unsigned i = 0; i < in->sections; i++) {
		const struct inspect_section *s = &in->section[i];

		if (json) {
			printf("%s{\"name\":\"", i ? "," : "[");
			print_text(s->name, true);
			printf("\",\"instance\":%u,\"version\":%u,\"size\":%" PRIu64 ",\"crc32\":\"%08x\"}", s->instance, s->version,
			       s->size, s->sum);
		} else {
			print_text(s->name, false);
			printf("%*s %10u %7u %12" PRIu64 "  %08x\n", (int)(strlen(s->name) < 32 ? 32 - strlen(s->name) : 0), "",
			       s->instance, s->version, s->size, s->sum);
		}
	}
	if (json)
		puts(in->sections ? "]" : "[]");
	return 0;
}

/* ---- show ---- */

struct shower {
	const struct inspect *in;
	const char *sub;		/* only what belongs to it; NULL: all */
	char last[128];			/* subsection of the last value */
	bool json, any;
	unsigned instance;
};

static void print_bytes(const struct inspect *in, const struct inspect_value *v, bool json)
{
	uint64_t most = json || v->size <= 32 ? v->size : 32;

	printf(json ? "\"" : "");
	for (uint64_t i = 0; i < most; i++)
		printf("%02x", in->data[v->at + i]);
	if (json)
		putchar('"');
	else if (most < v->size)
		printf("... (%" PRIu64 " bytes)", v->size);
}

static void print_value(const struct inspect *in, const struct inspect_value *v, bool json)
{
	if (!v->is_number)
		print_bytes(in, v, json);
	else
		printf(json ? "\"0x%" PRIx64 "\"" : "0x%" PRIx64, v->number);
}

static bool show_value(void *opaque, const struct inspect_value *v)
{
	struct shower *s = opaque;

	if (s->sub && strncmp(v->sub, s->sub, strlen(s->sub)))
		return true;
	if (s->json) {
		printf("%s{\"section\":\"", s->any ? "," : "[");
		print_text(v->sub, true);
		printf("\",\"instance\":%u,\"field\":\"", s->instance);
		print_text(v->path, true);
		printf("\",\"value\":");
		print_value(s->in, v, true);
		putchar('}');
	} else {
		if (!s->any || strcmp(s->last, v->sub)) {
			print_text(v->sub, false);
			printf(" %u\n", s->instance);
		}
		printf("  ");
		print_text(v->path, false);
		printf(" = ");
		print_value(s->in, v, false);
		putchar('\n');
	}
	snprintf(s->last, sizeof s->last, "%s", v->sub);
	s->any = true;
	return true;
}

/* "NAME" or "NAME:INSTANCE"; a name of a subsection is looked for in all sections. */
static int run_show(struct inspect *in, char **args, bool json)
{
	struct shower s = { .in = in, .json = json };
	char *colon = strrchr(args[1], ':'), *end = NULL;
	uint64_t instance = colon ? strtoull(colon + 1, &end, 0) : UINT64_MAX;
	bool whole = false;
	struct error err;

	if (colon && end != colon + 1 && !*end)
		*colon = 0;
	else
		instance = UINT64_MAX;
	for (unsigned i = 0; i < in->sections; i++)
		whole |= !strcmp(in->section[i].name, args[1]);
	s.sub = whole ? NULL : args[1];
	for (unsigned i = 0; i < in->sections; i++) {
		const struct inspect_section *section = &in->section[i];

		if (section->live || (whole && strcmp(section->name, args[1])) || (instance != UINT64_MAX && section->instance != instance))
			continue;
		s.instance = section->instance;
		s.last[0] = 0;
		if (!inspect_walk(in, section, show_value, &s, &err))
			return give_up("%s", err.msg);
	}
	if (json)
		puts(s.any ? "]" : "[]");
	return s.any || json ? 0 : give_up("no section or subsection '%.100s'", args[1]);
}

/* ---- diff ---- */

struct value {
	char *path;
	struct inspect_value v;
};

struct values {
	struct value *value;
	size_t n, room;
};

static bool keep_value(void *opaque, const struct inspect_value *v)
{
	struct values *all = opaque;

	if (all->n == all->room) {
		size_t room = all->room ? 2 * all->room : 256;
		struct value *p = realloc(all->value, room * sizeof *p);

		if (!p)
			return false;
		all->value = p;
		all->room = room;
	}
	all->value[all->n] = (struct value){ .path = strdup(v->path), .v = *v };
	return all->value[all->n++].path != NULL;
}

static void free_values(struct values *all)
{
	for (size_t i = 0; i < all->n; i++)
		free(all->value[i].path);
	free(all->value);
}

struct differ {
	struct inspect *a, *b;
	bool json;
	unsigned found;
};

static void say_difference(struct differ *d, const struct inspect_section *s, const char *path, const struct inspect_value *a,
			   const struct inspect_value *b)
{
	if (d->json) {
		printf("%s{\"section\":\"", d->found ? "," : "[");
		print_text(s->name, true);
		printf("\",\"instance\":%u,\"field\":\"", s->instance);
		print_text(path, true);
		printf("\",\"a\":");
	} else {
		print_text(s->name, false);
		printf(" %u: ", s->instance);
		print_text(path, false);
		printf(": ");
	}
	if (a)
		print_value(d->a, a, d->json);
	else
		printf(d->json ? "null" : "nothing");
	printf(d->json ? ",\"b\":" : ", ");
	if (b)
		print_value(d->b, b, d->json);
	else
		printf(d->json ? "null" : "nothing");
	puts(d->json ? "}" : "");
	d->found++;
}

static bool equal_values(const struct differ *d, const struct inspect_value *a, const struct inspect_value *b)
{
	return a->size == b->size && !memcmp(d->a->data + a->at, d->b->data + b->at, a->size);
}

static void diff_section(struct differ *d, struct inspect_section *a, struct inspect_section *b)
{
	struct values va = { .n = 0 }, vb = { .n = 0 };
	struct error err;

	if (!b)
		say_difference(d, a, "the whole section", NULL, NULL);
	if (!b || a->live || (a->size == b->size && a->sum == b->sum))
		return;
	inspect_walk(d->a, a, keep_value, &va, &err);
	inspect_walk(d->b, b, keep_value, &vb, &err);
	for (size_t i = 0, k = 0; i < va.n; i++) {
		size_t at = k;

		while (at < vb.n && strcmp(va.value[i].path, vb.value[at].path))
			at++;
		if (at == vb.n) {
			say_difference(d, a, va.value[i].path, &va.value[i].v, NULL);
			continue;
		}
		for (; k < at; k++)
			say_difference(d, a, vb.value[k].path, NULL, &vb.value[k].v);
		if (!equal_values(d, &va.value[i].v, &vb.value[k].v))
			say_difference(d, a, va.value[i].path, &va.value[i].v, &vb.value[k].v);
		k++;
	}
	free_values(&va);
	free_values(&vb);
}

/* Pages that neither snapshot has are skipped, however large the snapshots claim their memory to be. */
static uint64_t next_of_either(const struct differ *d, uint64_t from)
{
	uint64_t a = inspect_next_page(d->a, from), b = inspect_next_page(d->b, from);

	return a < b ? a : b;
}

static uint64_t diff_memory(struct differ *d, uint64_t *first)
{
	uint64_t pages = 0, size;
	uint8_t a[INSPECT_PAGE], b[INSPECT_PAGE];

	if (!d->a->blocks || !d->b->blocks)
		return 0;
	size = d->a->block[0].size < d->b->block[0].size ? d->a->block[0].size : d->b->block[0].size;
	for (uint64_t at = next_of_either(d, 0); at < size; at = next_of_either(d, at + INSPECT_PAGE))
		if (inspect_memory(d->a, at, a, sizeof a) && inspect_memory(d->b, at, b, sizeof b) && memcmp(a, b, sizeof a) && !pages++)
			*first = at;
	return pages;
}

static int run_diff(struct inspect *in, char **args, bool json)
{
	struct inspect other;
	struct differ d = { .a = in, .b = &other, .json = json };
	uint64_t pages, first = 0;
	struct error err;

	if (!inspect_open(&other, args[1], &err))
		return give_up("%s", err.msg);
	for (unsigned i = 0; i < in->sections; i++)
		diff_section(&d, &in->section[i], inspect_find(&other, in->section[i].name, in->section[i].instance));
	for (unsigned i = 0; i < other.sections; i++)
		if (!inspect_find(in, other.section[i].name, other.section[i].instance))
			say_difference(&d, &other.section[i], "the whole section", NULL, NULL);
	pages = diff_memory(&d, &first);
	if (json)
		printf("%s{\"section\":\"ram\",\"instance\":0,\"pages\":%" PRIu64 "}]\n", d.found ? "," : "[", pages);
	else if (pages)
		printf("ram 0: %" PRIu64 " pages of 4 KiB differ, the first at 0x%" PRIx64 "\n", pages, first);
	inspect_close(&other);
	return d.found || pages ? 1 : 0;
}

/* ---- verify ---- */

struct claims {
	struct inspect *in;
	uint64_t id;
	unsigned wrong, right;
};

static bool check_claim(void *opaque, const struct inspect_value *v)
{
	struct claims *c = opaque;
	size_t len = strlen(v->path);

	if (len > 3 && !strcmp(v->path + len - 3, ".id"))
		c->id = v->number;
	if (len < 4 || strcmp(v->path + len - 4, ".sum"))
		return true;
	for (unsigned i = 0; i < c->in->sections; i++)
		if (c->in->section[i].id == c->id) {
			c->right += c->in->section[i].sum == v->number;
			if (c->in->section[i].sum != v->number)
				fprintf(stderr, "cede-snap: section %.100s %u: checksum: expected 0x%08" PRIx64 ", found 0x%08x\n",
					c->in->section[i].name, c->in->section[i].instance, v->number, c->in->section[i].sum);
			c->wrong += c->in->section[i].sum != v->number;
		}
	return true;
}

static int run_verify(struct inspect *in, char **args, bool json)
{
	struct inspect_section *checks = inspect_find(in, VMS_CHECKS, 0);
	struct claims c = { .in = in };
	struct error err;
	bool ok = true;

	(void)args;
	if (checks && !inspect_walk(in, checks, check_claim, &c, &err))
		return give_up("%s", err.msg);
	if (checks && c.right + c.wrong != in->sections - 1) {
		give_up("%u sections, %u checksums", in->sections - 1, c.right + c.wrong);
		ok = false;
	}
	ok &= !c.wrong;
	if (!inspect_memory_whole(in, &err)) {
		give_up("%s", err.msg);
		ok = false;
	}
	if (json)
		printf("{\"whole\":%s,\"sections\":%u,\"checksums\":%u}\n", ok ? "true" : "false", in->sections, c.right);
	else if (ok && checks)
		printf("whole: %u sections, each with its checksum\n", in->sections);
	else if (ok)
		printf("whole: %u sections; no checksums (not written by cede)\n", in->sections);
	return ok ? 0 : 1;
}

/* ---- extract, mem ---- */

static bool put_data(struct save_file *f, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len) {
		ssize_t n = write(f->fd, p, len);

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
	return true;
}

/* Pages of zeros are holes: a file may say that it has more of them than a disk holds. */
static bool put_memory(struct save_file *f, struct inspect *in)
{
	uint64_t size = in->blocks ? in->block[0].size : 0;

	for (uint64_t at = size ? inspect_next_page(in, 0) : 0; at < size; at = inspect_next_page(in, at + INSPECT_PAGE))
		if (!vms_page_is_zero(inspect_page(in, at)) &&
		    (lseek(f->fd, (off_t)at, SEEK_SET) < 0 || !put_data(f, inspect_page(in, at), INSPECT_PAGE)))
			return false;
	return !ftruncate(f->fd, (off_t)size);
}

static int run_extract(struct inspect *in, char **args, bool json)
{
	struct inspect_section *section = NULL;
	struct save_file f;
	struct error err;
	bool ram = !strcmp(args[1], "ram");

	(void)json;
	for (unsigned i = 0; i < in->sections && !section; i++)
		if (!strcmp(in->section[i].name, args[1]))
			section = &in->section[i];
	if (!section)
		return give_up("no section '%.100s'", args[1]);
	if (!save_file_open(&f, args[2], &err))
		return give_up("%s", err.msg);
	if (!(ram ? put_memory(&f, in) : put_data(&f, in->data + section->payload, section->end - section->payload))) {
		int error = errno;

		save_file_drop(&f);
		return give_up("cannot write '%.150s': %s", args[2], strerror(error));
	}
	return save_file_commit(&f, &err) ? 0 : give_up("%s", err.msg);
}

static int run_mem(struct inspect *in, char **args, bool json)
{
	char *end1, *end2;
	uint64_t at = strtoull(args[1], &end1, 0), len = strtoull(args[2], &end2, 0);
	uint8_t line[16];

	(void)json;
	if (*end1 || *end2 || end1 == args[1] || end2 == args[2])
		return give_up("'%.50s' and '%.50s' are not an address and a length", args[1], args[2]);
	for (; len; len -= len < 16 ? len : 16, at += 16) {
		unsigned n = len < 16 ? (unsigned)len : 16;

		if (!inspect_memory(in, at, line, n))
			return give_up("0x%" PRIx64 " is outside memory", at);
		printf("%012" PRIx64 " ", at);
		for (unsigned i = 0; i < n; i++)
			printf("%s%02x", i % 4 ? "" : " ", line[i]);
		printf("%*s  ", (int)(2 * (16 - n) + (16 - n) / 4), "");
		for (unsigned i = 0; i < n; i++)
			putchar(line[i] >= ' ' && line[i] <= '~' ? line[i] : '.');
		putchar('\n');
	}
	return 0;
}

/* ---- dtl: entries of PAPR's dispatch trace logs, as they lie in guest memory ---- */

#define DTL_ENTRY     48
#define DTL_MAX       4096		/* bytes of a log that can be registered */
#define VPA_DTL_INDEX 0x218

static void print_entry(unsigned cpu, uint64_t number, const uint8_t *e, bool json, bool first)
{
	const char *format = json ? "%s{\"cpu\":%u,\"entry\":%" PRIu64 ",\"timebase\":%" PRIu64 ",\"dispatch\":%u,\"preempt\":%u,"
				    "\"processor\":%u,\"ready\":%u,\"enqueued\":%u,\"waiting\":%u,\"srr0\":\"0x%" PRIx64
				    "\",\"srr1\":\"0x%" PRIx64 "\"}" :
				    "%scpu%u %" PRIu64 ": timebase %" PRIu64 " dispatch %u preempt %u processor %u, ticks: processor %u, "
				    "capacity %u, not ready %u, srr0 0x%" PRIx64 " srr1 0x%" PRIx64 "\n";

	printf(format, !json ? "" : first ? "[" : ",", cpu, number, be_get(e + 0x10, 8), e[0], e[1], (unsigned)be_get(e + 2, 2),
	       (unsigned)be_get(e + 4, 4), (unsigned)be_get(e + 8, 4), (unsigned)be_get(e + 12, 4), be_get(e + 0x20, 8), be_get(e + 0x28, 8));
}

static int run_dtl(struct inspect *in, char **args, bool json)
{
	bool first = true;

	(void)args;
	for (unsigned cpu = 0; cpu < processors(in); cpu++) {
		uint64_t vpa, addr, size, index, room;
		uint8_t entry[DTL_ENTRY], word[8];

		if (!inspect_number(in, "spapr_cpu", cpu, "vpa_addr", &vpa, NULL) ||
		    !inspect_number(in, "spapr_cpu", cpu, "dtl_addr", &addr, NULL) ||
		    !inspect_number(in, "spapr_cpu", cpu, "dtl_size", &size, NULL) || size < DTL_ENTRY || size > DTL_MAX ||
		    !inspect_memory(in, vpa + VPA_DTL_INDEX, word, 8))
			continue;
		index = be_get(word, 8);
		room = size / DTL_ENTRY;
		for (uint64_t i = index > room ? index - room : 0; i < index; i++) {
			if (!inspect_memory(in, addr + i % room * DTL_ENTRY, entry, sizeof entry))
				return give_up("the log of processor %u lies outside memory", cpu);
			print_entry(cpu, i, entry, json, first);
			first = false;
		}
	}
	if (json)
		puts(first ? "[]" : "]");
	else if (first)
		puts("no processor has a log with entries");
	return 0;
}

/* ---- The command line ---- */

static const struct command commands[] = {
	{ "info", "FILE", "what it is", 1, run_info },
	{ "list", "FILE", "sections, with versions, sizes and checksums", 1, run_list },
	{ "show", "FILE NAME[:INSTANCE]", "every field of a section or subsection", 2, run_show },
	{ "diff", "A B", "fields and pages that differ; status 1 if any does", 2, run_diff },
	{ "verify", "FILE", "is it whole? status 1 if not", 1, run_verify },
	{ "extract", "FILE ram|SECTION OUT", "its bytes to a file", 3, run_extract },
	{ "mem", "FILE ADDRESS LENGTH", "guest memory", 3, run_mem },
	{ "dtl", "FILE", "the guest's dispatch trace logs", 1, run_dtl },
	{ "convert", "FILE OUT HOW", "HOW: layout=stream|mapped, compress=zstd, target=qemu; a whole one of a child", 3, convert },
};

#define COMMANDS (sizeof commands / sizeof commands[0])

static int print_usage(FILE *out, int status)
{
	fputs("usage: cede-snap [--json] COMMAND FILE ...\n", out);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(out, "  %-8s %-24s %s\n", commands[i].name, commands[i].arguments, commands[i].help);
	return status;
}

int main(int argc, char **argv)
{
	bool json = false;
	char *args[8];
	int n = 0, status;
	struct inspect in;
	struct error err;

	umask(umask(0) | 077);		/* what is written holds what a guest keeps to itself */
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--json"))
			json = true;
		else if (!strcmp(argv[i], "-h") || !strcmp(argv[i], "--help"))
			return print_usage(stdout, 0);
		else if (n < 8)
			args[n++] = argv[i];
	for (size_t i = 0; i < COMMANDS && n; i++) {
		if (strcmp(commands[i].name, args[0]) || commands[i].args != n - 1)
			continue;
		if (!inspect_open(&in, args[1], &err))
			return give_up("%s", err.msg);
		status = commands[i].run(&in, args + 1, json);
		inspect_close(&in);
		if (fflush(stdout) || ferror(stdout))
			return give_up("cannot write to standard output");
		return status;
	}
	return print_usage(stderr, 2);
}
