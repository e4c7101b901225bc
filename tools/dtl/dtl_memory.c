/* --memory: the guest's own log, as its kernel sees it. PAPR, "Dispatch Trace Log Buffer Entry". */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/dtl/dtl_views.h"

#define ENTRY    48			/* bytes */
#define MAX_SIZE (UINT64_C(1) << 24)	/* PAPR allows a page; a kernel may have copied more to a buffer of its own */
#define TB_MHZ   512			/* MHz of the timebase of every POWER processor */

static const char *const dispatch_names[] = {
	"external", "firmware", "prod", "decrementer", "reset", "firmware", "gift", "slice", "page fault", NULL, "doorbell",
};
static const char *const preempt_names[] = { "none", "firmware", "cede", "confer", "slice end", "moved page", "page fault" };

#define COUNT(a) (sizeof (a) / sizeof *(a))

struct entry {
	uint8_t dispatch, preempt;
	uint16_t physical;
	uint32_t wait[WAIT_INTERVALS];
	uint64_t timebase, fault, srr0, srr1;
};

static void decode_entry(struct entry *e, const uint8_t *b)
{
	*e = (struct entry){
		.dispatch = b[0], .preempt = b[1], .physical = (uint16_t)dtl_be(b + 2, 2),
		.wait = { [WAIT_PROCESSOR] = (uint32_t)dtl_be(b + 4, 4), [WAIT_CAPACITY] = (uint32_t)dtl_be(b + 8, 4),
			  [WAIT_NOT_READY] = (uint32_t)dtl_be(b + 12, 4) },
		.timebase = dtl_be(b + 16, 8), .fault = dtl_be(b + 24, 8), .srr0 = dtl_be(b + 32, 8), .srr1 = dtl_be(b + 40, 8),
	};
}

static const char *name_of(const char *const *names, size_t n, unsigned code, char text[8])
{
	if (code < n && names[code])
		return names[code];
	snprintf(text, 8, "? %u", code);
	return text;
}

/* ---- Reading ---- */

static bool refuse_file(const char *path, const char *what, struct error *err)
{
	error_set(err, "%.100s: %.140s", path, what);
	return false;
}

/* Size of the buffer in bytes, rounded down to whole entries; 0: there is none, and err->msg says why. */
static uint64_t buffer_size(FILE *in, const struct dtl_memory *what, struct error *err)
{
	off_t end = fseeko(in, 0, SEEK_END) ? -1 : ftello(in);
	uint64_t size = what->size;

	if (end < 0)
		return refuse_file(what->path, strerror(errno), err);
	if (what->addr > (uint64_t)end || (what->sized && what->size > (uint64_t)end - what->addr))
		return refuse_file(what->path, "ends before the buffer does", err);
	if (!what->sized)
		size = (uint64_t)end - what->addr;
	if (size > MAX_SIZE)
		return refuse_file(what->path, "that is no size of a log: --size says how many bytes it has, --addr where it begins", err);
	if (size < ENTRY)
		return refuse_file(what->path, "a log has 48 bytes at least", err);
	return size / ENTRY * ENTRY;
}

static uint8_t *read_buffer(const struct dtl_memory *what, uint64_t *size, struct error *err)
{
	FILE *in = fopen(what->path, "re");
	uint8_t *bytes = NULL;

	if (!in) {
		refuse_file(what->path, strerror(errno), err);
		return NULL;
	}
	*size = buffer_size(in, what, err);
	if (*size)
		bytes = malloc(*size);
	if (bytes && (fseeko(in, (off_t)what->addr, SEEK_SET) || fread(bytes, 1, *size, in) != *size)) {
		refuse_file(what->path, ferror(in) ? strerror(errno) : "cannot be read", err);
		free(bytes);
		bytes = NULL;
	}
	fclose(in);
	return bytes;
}

/* ---- Order ---- */

static uint64_t timebase_at(const uint8_t *bytes, uint64_t slot)
{
	return dtl_be(bytes + slot * ENTRY + 16, 8);
}

/* Without an index, the oldest entry is the one whose time is before its predecessor's; a slot with time 0 was never
 * written. */
static void guess_order(const uint8_t *bytes, uint64_t n, uint64_t *first, uint64_t *count)
{
	uint64_t used = 0;

	*first = 0;
	while (used < n && timebase_at(bytes, used))
		used++;
	*count = used;
	for (uint64_t i = 1; i < used; i++)
		if (timebase_at(bytes, i) < timebase_at(bytes, i - 1)) {
			*first = i;
			return;
		}
}

static void known_order(uint64_t index, uint64_t n, uint64_t *first, uint64_t *count)
{
	*count = index < n ? index : n;
	*first = index < n ? 0 : index % n;
}

/* ---- Showing ---- */

static void show_entry(const struct entry *e, uint64_t number, unsigned threads)
{
	char dispatch[8], preempt[8], thread[16] = "";

	if (threads > 1)
		snprintf(thread, sizeof thread, ".%u", e->physical % threads);
	printf("%8" PRIu64 " %16" PRIu64 " %5u%-3s  %-11s  %-10s %12.3f %12.3f %12.3f  %016" PRIx64 "  %016" PRIx64, number, e->timebase,
	       e->physical / threads, thread, name_of(dispatch_names, COUNT(dispatch_names), e->dispatch, dispatch),
	       name_of(preempt_names, COUNT(preempt_names), e->preempt, preempt), (double)e->wait[WAIT_NOT_READY] / TB_MHZ,
	       (double)e->wait[WAIT_CAPACITY] / TB_MHZ, (double)e->wait[WAIT_PROCESSOR] / TB_MHZ, e->srr0, e->srr1);
	if (e->fault)
		printf("  fault at %016" PRIx64, e->fault);
	puts("");
}

static void show_entry_csv(const struct entry *e, uint64_t number, unsigned threads)
{
	printf("%" PRIu64 ",%" PRIu64 ",%u,%u,%u,%u,%u,%u,%u,0x%016" PRIx64 ",0x%016" PRIx64 ",0x%016" PRIx64 "\n", number, e->timebase,
	       e->physical, e->physical / threads, e->dispatch, e->preempt, e->wait[WAIT_NOT_READY],
	       e->wait[WAIT_CAPACITY], e->wait[WAIT_PROCESSOR], e->srr0, e->srr1, e->fault);
}

static void print_head(bool csv)
{
	puts(csv ? "entry,timebase,physical_thread,physical,dispatch_code,preempt_code,waiting_to_ready_ticks,"
		   "ready_to_enqueue_ticks,enqueue_to_dispatch_ticks,srr0,srr1,fault_addr" :
		   "                                                                     wait, us, until\n"
		   "   entry         timebase    on     dispatched   stopped by        ready     capacity    processor"
		   "  SRR0              SRR1");
}

bool dtl_memory(const struct dtl_memory *what, bool csv, struct error *err)
{
	uint64_t size = 0, n, first, count, last = 0;
	uint8_t *bytes = read_buffer(what, &size, err);
	bool back = false;

	if (!bytes)
		return false;
	n = size / ENTRY;
	if (what->indexed)
		known_order(what->index, n, &first, &count);
	else
		guess_order(bytes, n, &first, &count);
	print_head(csv);
	for (uint64_t i = 0; i < count; i++) {
		struct entry e;

		decode_entry(&e, bytes + (first + i) % (what->indexed ? n : count) * ENTRY);
		back |= e.timebase < last;
		last = e.timebase;
		(csv ? show_entry_csv : show_entry)(&e, what->indexed ? what->index - count + i : i, what->threads);
	}
	free(bytes);
	return !back || refuse_file(what->path, "time runs back in these entries: another index, or no log", err);
}
