/* -trace hcall: lines and counts. trace_decode.c says how values look, trace_filter.c which calls are wanted.
 * Nothing that is kept here is machine state: a snapshot has none of it.
 */
#include "hcall/trace.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "hcall/hcall.h"
#include "machine/core/config.h"
#include "machine/core/log.h"

#define MAX_LINE   1024			/* nine arguments, decoded */
#define MAX_CODES  128			/* different pairs of call and code that are counted apart */
#define CYCLES_PER_US (CPU_HZ / 1e6)

struct pending {
	const struct hcall *h;		/* NULL: waits in no call */
	uint64_t cycle;
	uint64_t in[HCALL_MAX_IN];
	int64_t rc;
};

struct count {
	uint64_t calls, errors, cycles;
};

struct hcall_trace {
	const struct trace_config *options;
	struct pending pending[MACHINE_MAX_CPUS];
	struct count count[TRACE_IDS], all;
	struct { unsigned id; int64_t code; uint64_t n; } codes[MAX_CODES];
	unsigned ncodes;
};

bool trace_new(struct machine *m, const struct trace_config *o)
{
	if (!o->hcall && !o->summary)
		return true;
	m->trace = calloc(1, sizeof *m->trace);
	if (!m->trace)
		return false;
	m->trace->options = o;
	m->log_mask |= LOG_TRACE_HCALL;
	return true;
}

void trace_free(struct machine *m)
{
	free(m->trace);
	m->trace = NULL;
}

/* ---- Counting ---- */

static void count_code(struct hcall_trace *t, unsigned id, int64_t code)
{
	unsigned i = 0;

	while (i < t->ncodes && (t->codes[i].id != id || t->codes[i].code != code))
		i++;
	if (i == MAX_CODES)
		return;
	if (i == t->ncodes) {
		t->codes[t->ncodes].id = id;
		t->codes[t->ncodes++].code = code;
	}
	t->codes[i].n++;
}

static void add_to_count(struct count *c, int64_t status, uint64_t cycles)
{
	c->calls++;
	c->errors += status < 0;
	c->cycles += cycles;
}

static void count_call(struct hcall_trace *t, unsigned id, int64_t status, uint64_t cycles)
{
	add_to_count(&t->count[id], status, cycles);
	add_to_count(&t->all, status, cycles);
	if (status)
		count_code(t, id, status);
}

/* ---- Lines ---- */

static void put_line(struct machine *m, const struct cpu *cpu, uint64_t cycle, char *line)
{
	if (m->trace->options->hcall)
		log_at(m, cycle, cpu->index, line);
}

static void append_duration(char *line, size_t size, uint64_t cycles)
{
	if (cycles)
		log_append(line, size, " <%" PRIu64 " cycles, %.3f us>", cycles, (double)cycles / CYCLES_PER_US);
	else
		log_append(line, size, " <0 cycles>");
}

/* " = H_SUCCESS out=value ..": a call that failed has no results. */
static void append_result(char *line, size_t size, const struct hcall *h, int64_t rc, const uint64_t *out)
{
	if (rc == HCALL_NO_RETURN) {
		log_append(line, size, " = ?");
		return;
	}
	log_append(line, size, " = ");
	trace_code(line, size, rc);
	if (rc >= 0 && *h->out) {
		log_append(line, size, " ");
		trace_values(line, size, h->out, out, " ");
	}
}

static void append_call(char *line, size_t size, const struct hcall *h, const uint64_t *in)
{
	log_append(line, size, "%s(", h->name);
	trace_values(line, size, h->in, in, ", ");
	log_append(line, size, ")");
}

static struct hcall_trace *trace_wanting(struct cpu *cpu, unsigned id)
{
	struct hcall_trace *t = cpu_machine(cpu)->trace;

	return t && !t->options->skip[id] ? t : NULL;
}

void hcall_trace(struct cpu *cpu, const struct hcall *h, const uint64_t *in, int64_t rc, const uint64_t *out)
{
	struct hcall_trace *t = trace_wanting(cpu, h->id);
	struct pending *p;
	char line[MAX_LINE] = "";

	if (!t)
		return;
	if (rc != HCALL_NO_RETURN && cpu->run_state != CPU_RUNNING) {
		p = &t->pending[cpu->index];
		*p = (struct pending){ .h = h, .cycle = cpu->cycles, .rc = rc };
		memcpy(p->in, in, sizeof p->in);
		return;
	}
	append_call(line, sizeof line, h, in);
	append_result(line, sizeof line, h, rc, out);
	append_duration(line, sizeof line, 0);
	put_line(cpu_machine(cpu), cpu, cpu->cycles, line);
	count_call(t, h->id, rc == HCALL_NO_RETURN ? 0 : rc, 0);
}

void hcall_trace_text(struct cpu *cpu, unsigned id, const char *text, int64_t status)
{
	struct hcall_trace *t = trace_wanting(cpu, id);
	char line[MAX_LINE] = "";

	if (!t)
		return;
	log_append(line, sizeof line, "%s", text);
	append_duration(line, sizeof line, 0);
	put_line(cpu_machine(cpu), cpu, cpu->cycles, line);
	count_call(t, id, status, 0);
}

/* Without a row nothing says how many registers are arguments: the first is shown. */
void hcall_trace_unknown(struct cpu *cpu)
{
	char text[64] = "";

	log_append(text, sizeof text, "0x%" PRIx64 "(0x%" PRIx64 ", ..) = H_FUNCTION", cpu->r[3], cpu->r[4]);
	hcall_trace_text(cpu, TRACE_UNKNOWN, text, H_FUNCTION);
}

void hcall_trace_back(struct cpu *cpu)
{
	static const uint64_t none[HCALL_MAX_OUT];	/* a call that waits has no results */
	struct machine *m = cpu_machine(cpu);
	struct pending *p;
	char line[MAX_LINE] = "";

	if (likely(!m->trace) || !m->trace->pending[cpu->index].h)
		return;
	p = &m->trace->pending[cpu->index];
	append_call(line, sizeof line, p->h, p->in);
	append_result(line, sizeof line, p->h, p->rc, none);
	append_duration(line, sizeof line, cpu->cycles - p->cycle);
	put_line(m, cpu, p->cycle, line);
	count_call(m->trace, p->h->id, p->rc, cpu->cycles - p->cycle);
	p->h = NULL;
}

/* A call that never came back, as strace shows one. */
static void cut_call(struct machine *m, const struct cpu *cpu, struct pending *p)
{
	char line[MAX_LINE] = "";

	append_call(line, sizeof line, p->h, p->in);
	log_append(line, sizeof line, " = ? <unfinished ...>");
	put_line(m, cpu, p->cycle, line);
	count_call(m->trace, p->h->id, 0, 0);
	p->h = NULL;
}

void hcall_trace_cut(struct machine *m)
{
	for (unsigned i = 0; m->trace && i < m->ncpus; i++)
		if (m->trace->pending[i].h)
			cut_call(m, &m->cpu[i]->cpu, &m->trace->pending[i]);
}

/* ---- The table ---- */

static double percent_of(uint64_t part, uint64_t all)
{
	return all ? 100.0 * (double)part / (double)all : 0;
}

static void show_row(struct machine *m, const struct count *c, const char *name)
{
	const struct count *all = &m->trace->all;
	double us = (double)c->cycles / CYCLES_PER_US;

	log_plain(m, "# %9" PRIu64 " %6.2f %9" PRIu64 " %14.3f %12.3f %6.2f  %s\n", c->calls, percent_of(c->calls, all->calls),
		  c->errors, us, c->calls ? us / (double)c->calls : 0, percent_of(c->cycles, all->cycles), name);
}

/* RTAS calls and client services return statuses of their own, not H_* codes. */
static bool has_codes(unsigned id)
{
	return id < TRACE_HCALLS || id == TRACE_UNKNOWN;
}

static void show_codes(struct machine *m, unsigned id)
{
	const struct hcall_trace *t = m->trace;

	for (unsigned i = 0; i < t->ncodes; i++) {
		char name[64] = "";

		if (t->codes[i].id != id)
			continue;
		if (has_codes(id))
			trace_code(name, sizeof name, t->codes[i].code);
		else
			log_append(name, sizeof name, "status %" PRId64, t->codes[i].code);
		log_plain(m, "# %9" PRIu64 "%52s    %s\n", t->codes[i].n, "", name);
	}
}

/* The most frequent first, ties in the order of the table. */
static int by_calls(const void *a, const void *b, void *counts)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
	const struct count *c = counts;

	if (c[x].calls != c[y].calls)
		return c[x].calls < c[y].calls ? 1 : -1;
	return x < y ? -1 : x > y;
}

void hcall_trace_summary(struct machine *m)
{
	struct hcall_trace *t = m->trace;
	unsigned ids[TRACE_IDS];

	if (!t)
		return;
	hcall_trace_cut(m);
	for (unsigned i = 0; i < TRACE_IDS; i++)
		ids[i] = i;
	qsort_r(ids, TRACE_IDS, sizeof ids[0], by_calls, t->count);
	log_plain(m, "# %9s %6s %9s %14s %12s %6s  %s\n", "calls", "%", "errors", "us", "us/call", "% us", "call");
	for (unsigned i = 0; i < TRACE_IDS && t->count[ids[i]].calls; i++) {
		bool rtas = ids[i] >= TRACE_RTAS && ids[i] < TRACE_CLIENT;
		char name[64];

		snprintf(name, sizeof name, "%s%s", rtas ? "RTAS " : "", trace_name(ids[i]));
		show_row(m, &t->count[ids[i]], name);
		show_codes(m, ids[i]);
	}
	show_row(m, &t->all, "total");
}
