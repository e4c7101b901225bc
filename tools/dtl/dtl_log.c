/* Reads a -dtl file. See dtl_log.h; the format is in machine/vp/dtl_format.h. */
#include "tools/dtl/dtl_log.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define MAX_DISPATCH_CODE 10		/* PAPR, "Dispatch Trace Log Buffer Entry" */
#define MAX_PREEMPT_CODE  6

uint64_t dtl_be(const uint8_t *at, unsigned bytes)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes; i++)
		value = value << 8 | at[i];
	return value;
}

/* ---- Header ---- */

static const struct field {
	const char *name;
	uint8_t at, bytes;		/* in the file */
	uint8_t to, size;		/* in struct dtl_header */
	uint64_t min, max;
} fields[] = {
#define FIELD(name, at, bytes, member, min, max) \
	{ name, at, bytes, offsetof(struct dtl_header, member), sizeof ((struct dtl_header *)0)->member, min, max }
	FIELD("virtual processors", 20, 4, cpus, 1, DTL_MAX_CPUS),
	FIELD("threads of a processor", 24, 4, threads, 1, DTL_MAX_THREADS),
	FIELD("physical processors", 28, 4, procs, 1, VP_MAX),
	FIELD("chips", 32, 4, chips, 1, VP_MAX),
	FIELD("virtual processors of the load", 36, 4, loads, 0, POOL_MAX_LOAD),
	FIELD("cycles per second", 40, 8, hz, 1, UINT64_C(1) << 40),
	FIELD("timebase ticks per second", 48, 8, tb_hz, 1, UINT64_C(1) << 40),
	FIELD("timebase at cycle 0", 56, 8, tb_offset, 0, UINT64_MAX),
	FIELD("cycles of a window", 64, 8, window, 0, UINT64_C(1) << 48),
	FIELD("entitlement", 72, 4, entitlement, 0, POOL_UNIT * DTL_MAX_CPUS),
	FIELD("the load's entitlement", 76, 4, load_entitlement, 0, POOL_UNIT * DTL_MAX_CPUS),
	FIELD("weight", 80, 1, weight, 0, 255),
	FIELD("capped", 81, 1, capped, 0, 1),
	FIELD("the load's weight", 82, 1, load_weight, 0, 255),
	FIELD("shared pool", 83, 1, shared, 0, 1),
	FIELD("cycle at which it begins", 84, 8, begins, 0, UINT64_MAX),
};

#define N_FIELDS (sizeof fields / sizeof *fields)

const char *dtl_header_field(const struct dtl_header *h, unsigned i, uint64_t *value)
{
	uint32_t word;

	if (i >= N_FIELDS)
		return NULL;
	memcpy(&word, (const char *)h + fields[i].to, sizeof word);
	*value = word;
	if (fields[i].size == sizeof *value)
		memcpy(value, (const char *)h + fields[i].to, sizeof *value);
	return fields[i].name;
}

static bool refuse_log(const struct dtl_log *log, struct error *err, const char *what)
{
	error_set(err, "%.100s: %.120s", log->name, what);
	return false;
}

static bool fill_header(const struct dtl_log *log, struct dtl_header *h, const uint8_t *bytes, struct error *err)
{
	for (unsigned i = 0; i < N_FIELDS; i++) {
		const struct field *f = &fields[i];
		uint64_t value = dtl_be(bytes + f->at, f->bytes);
		uint32_t word = (uint32_t)value;

		if (value < f->min || value > f->max) {
			error_set(err, "%.100s: header says %s: %llu", log->name, f->name, (unsigned long long)value);
			return false;
		}
		memcpy((char *)h + f->to, f->size == 8 ? (void *)&value : (void *)&word, f->size);
	}
	return true;
}

static bool head_sane(const struct dtl_log *log, const uint8_t *bytes, struct error *err)
{
	const struct dtl_header *h = &log->h;

	if (h->chips > h->procs)
		return refuse_log(log, err, "header says more chips than physical processors");
	if (h->cpus % h->threads)
		return refuse_log(log, err, "header says a processor with only some of its threads");
	if (h->tb_hz > h->hz)
		return refuse_log(log, err, "header says a timebase faster than the cycles");
	for (unsigned i = 92; i < DTL_FILE_HEADER; i++)
		if (bytes[i])
			return refuse_log(log, err, "header has something where nothing should be");
	return true;
}

static bool magic_fits(const struct dtl_log *log, const uint8_t *bytes, size_t n, struct error *err)
{
	if (n < 8 || memcmp(bytes, DTL_FILE_MAGIC, 8))
		return refuse_log(log, err, n ? "is not a dispatch log (cede -dtl FILE writes one)" : "is empty");
	if (n < DTL_FILE_HEADER)
		return refuse_log(log, err, "ends in its header");
	if (dtl_be(bytes + 8, 4) != DTL_FILE_VERSION) {
		error_set(err, "%.100s: is of version %u; this program reads %u", log->name, (unsigned)dtl_be(bytes + 8, 4),
			  DTL_FILE_VERSION);
		return false;
	}
	if (dtl_be(bytes + 12, 4) != DTL_FILE_HEADER || dtl_be(bytes + 16, 4) != DTL_FILE_RECORD) {
		error_set(err, "%.100s: has a header of %u and records of %u bytes, not %u and %u", log->name,
			  (unsigned)dtl_be(bytes + 12, 4), (unsigned)dtl_be(bytes + 16, 4), DTL_FILE_HEADER, DTL_FILE_RECORD);
		return false;
	}
	return true;
}

static bool io_failed(struct dtl_log *log, struct error *err)
{
	if (!ferror(log->in))
		return false;
	error_set(err, "%.100s: %s", log->name, strerror(errno));
	return true;
}

bool dtl_log_open(struct dtl_log *log, const char *path, struct error *err)
{
	uint8_t bytes[DTL_FILE_HEADER];
	size_t n;

	*log = (struct dtl_log){ .name = path };
	if (strcmp(path, "-")) {
		log->in = fopen(path, "re");
	} else {
		log->in = stdin;
		log->name = "standard input";
	}
	if (!log->in) {
		error_set(err, "%.100s: %s", path, strerror(errno));
		return false;
	}
	setvbuf(log->in, NULL, _IOFBF, 1 << 17);
	n = fread(bytes, 1, sizeof bytes, log->in);
	if (io_failed(log, err) || !magic_fits(log, bytes, n, err) || !fill_header(log, &log->h, bytes, err) || !head_sane(log, bytes, err))
		return false;
	log->cycle = log->h.begins;
	return true;
}

static bool copy_rest(FILE *to, FILE *from)
{
	static const uint8_t header[DTL_FILE_HEADER];	/* a place holder: the header has been read */
	char bytes[1 << 14];
	size_t n;

	if (!fwrite(header, sizeof header, 1, to))
		return false;
	while ((n = fread(bytes, 1, sizeof bytes, from)) > 0)
		if (fwrite(bytes, 1, n, to) != n)
			return false;
	return !ferror(from) && !fseeko(to, DTL_FILE_HEADER, SEEK_SET);
}

bool dtl_log_keep(struct dtl_log *log, struct error *err)
{
	FILE *kept;

	if (!fseeko(log->in, DTL_FILE_HEADER, SEEK_SET))
		return true;
	kept = tmpfile();
	if (kept && copy_rest(kept, log->in)) {
		dtl_log_close(log);
		log->in = kept;
		return true;
	}
	error_set(err, "%.100s: cannot be kept in a temporary file: %s", log->name, strerror(errno));
	if (kept)
		fclose(kept);
	return false;
}

bool dtl_log_rewind(struct dtl_log *log, struct error *err)
{
	if (fseeko(log->in, DTL_FILE_HEADER, SEEK_SET)) {
		error_set(err, "%.100s: %s", log->name, strerror(errno));
		return false;
	}
	log->records = 0;
	log->cycle = log->h.begins;
	log->ended = log->cut = false;
	return true;
}

/* Standard input stays open, because dtl_log_open() did not open it. */
void dtl_log_close(struct dtl_log *log)
{
	if (log->in && log->in != stdin)
		fclose(log->in);
	log->in = NULL;
}

/* ---- Records ---- */

__attribute__((format(printf, 3, 4))) static bool bad_record(const struct dtl_log *log, struct error *err, const char *fmt, ...)
{
	char what[100];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	error_set(err, "%.100s: record %llu (byte %llu): %s", log->name, (unsigned long long)log->records,
		  (unsigned long long)(DTL_FILE_HEADER + (log->records - 1) * DTL_FILE_RECORD), what);
	return false;
}

static bool record_sane(const struct dtl_log *log, const struct dtl_record *r, struct error *err)
{
	const struct dtl_header *h = &log->h;
	unsigned vps = r->partition == PARTITION_LOAD ? h->loads : h->cpus;

	if (r->cycle < log->cycle)
		return bad_record(log, err, "time runs back from cycle %llu to %llu", (unsigned long long)log->cycle,
				  (unsigned long long)r->cycle);
	if (r->state == DTL_FILE_END)
		return true;
	if (r->partition >= PARTITIONS)
		return bad_record(log, err, "no such partition: %u", r->partition);
	if (r->vp >= vps)
		return bad_record(log, err, "%s %u of %u", r->partition == PARTITION_LOAD ? "load" : "virtual processor", r->vp, vps);
	if (r->state >= VP_STATES)
		return bad_record(log, err, "no such state: %u", r->state);
	if (r->reason >= VP_REASONS)
		return bad_record(log, err, "no such reason: %u", r->reason);
	if (r->physical != PHYSICAL_NONE && r->physical >= h->procs * h->threads)
		return bad_record(log, err, "physical thread %u of %u", r->physical, h->procs * h->threads);
	if (r->code > (r->state == VP_RUNNING ? MAX_DISPATCH_CODE : MAX_PREEMPT_CODE))
		return bad_record(log, err, "no such code of a DTL entry: %u", r->code);
	return true;
}

static void decode_record(struct dtl_record *r, const uint8_t *b)
{
	*r = (struct dtl_record){
		.cycle = dtl_be(b, 8), .vp = (uint16_t)dtl_be(b + 8, 2), .partition = b[10], .state = b[11],
		.reason = b[12], .code = b[13], .physical = (uint16_t)dtl_be(b + 14, 2),
		.srr0 = dtl_be(b + 16, 8), .srr1 = dtl_be(b + 24, 8),
	};
}

bool dtl_log_read(struct dtl_log *log, struct dtl_record *r, struct error *err)
{
	uint8_t bytes[DTL_FILE_RECORD];
	size_t n = fread(bytes, 1, sizeof bytes, log->in);

	if (io_failed(log, err))
		return false;
	if (!n) {
		log->cut = true;
		return false;
	}
	log->records++;
	if (n < sizeof bytes)
		return bad_record(log, err, "ends after %zu of its %u bytes", n, DTL_FILE_RECORD);
	decode_record(r, bytes);
	if (!record_sane(log, r, err))
		return false;
	log->cycle = r->cycle;
	if (r->state != DTL_FILE_END)
		return true;
	if (getc(log->in) != EOF)
		return bad_record(log, err, "is the end, but more follows");
	log->ended = true;
	return false;
}
