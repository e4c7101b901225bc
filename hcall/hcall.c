/* Hypercalls: from the number in r3 to the function, and back.
 *
 * Owns lookup, trace and the list of function sets, all read from hcall.def.
 * Source: PAPR, "Hypervisor Call Interrupt" (registers, kill set) and "Hypervisor Call Functions".
 */
#include "hcall/hcall.h"

#include <inttypes.h>
#include <string.h>

#include "hcall/trace.h"
#include "machine/core/config.h"
#include "machine/core/log.h"

#define PRIVATE_BASE 0xf000

#define HCALL(name, number, in, out, set, section) hcall_fn hcall_##name;
#define HCALL_PRIVATE(name, number, in, out) hcall_fn hcall_##name;
#include "hcall/hcall.def"
#undef HCALL
#undef HCALL_PRIVATE

static const struct hcall papr[] = {
#define HCALL(name, number, in, out, set, section) [(number) / 4] = { #name, in, out, set, hcall_##name, TRACE_##name },
#define HCALL_PRIVATE(name, number, in, out)
#include "hcall/hcall.def"
#undef HCALL
#undef HCALL_PRIVATE
};

static const struct hcall private[] = {
#define HCALL(name, number, in, out, set, section)
#define HCALL_PRIVATE(name, number, in, out) [(number) - PRIVATE_BASE] = { #name, in, out, "", hcall_##name, TRACE_##name },
#include "hcall/hcall.def"
#undef HCALL
#undef HCALL_PRIVATE
};

static const struct hcall *hcall_find(uint64_t number)
{
	const struct hcall *h = NULL;

	if (number % 4 == 0 && number / 4 < ARRAY_SIZE(papr))
		h = &papr[number / 4];
	else if (number >= PRIVATE_BASE && number - PRIVATE_BASE < ARRAY_SIZE(private))
		h = &private[number - PRIVATE_BASE];
	return h && h->fn ? h : NULL;
}

static unsigned count_names(const char *names)
{
	unsigned n = *names != '\0';

	while ((names = strchr(names, ',')))
		n++, names++;
	return n;
}

/* Appends " name=0x..." for each name. */
static void append_values(char *line, size_t size, const char *names, const uint64_t *values)
{
	while (*names) {
		log_append(line, size, " %.*s=0x%" PRIx64, (int)strcspn(names, ":,"), names, *values++);
		names += strcspn(names, ",");
		names += *names == ',';
	}
}

/* The arguments of RTAS and client calls lie in guest memory: a call that succeeded has traced them itself. */
static bool traces_itself(const struct hcall *h)
{
	return h->fn == hcall_H_RTAS || h->fn == hcall_H_VOF_CLIENT;
}

/* -d hcall: all numbers as the registers have them. */
static void log_call(struct machine *m, const struct hcall *h, const uint64_t *in, int64_t rc, const uint64_t *out)
{
	char line[512] = "";

	if (!(m->log_mask & LOG_HCALL))
		return;
	append_values(line, sizeof line, h->in, in);
	if (rc != HCALL_NO_RETURN)
		log_append(line, sizeof line, " = %" PRId64, rc);
	append_values(line, sizeof line, h->out, out);
	machine_log(m, LOG_HCALL, "%s%s", h->name, line);
}

__attribute__((noinline, cold))
static void trace_call(struct cpu *cpu, const struct hcall *h, const uint64_t *in, int64_t rc, const uint64_t *out)
{
	if (rc == H_SUCCESS && traces_itself(h))
		return;
	log_call(cpu_machine(cpu), h, in, rc, out);
	hcall_trace(cpu, h, in, rc, out);
}

static void log_unimplemented(struct machine *m, uint64_t number)
{
	unsigned n = (unsigned)(number / 4 % (64 * ARRAY_SIZE(m->unimp_hcalls)));
	uint64_t bit = UINT64_C(1) << n % 64;

	if (!(m->unimp_hcalls[n / 64] & bit))
		machine_log(m, LOG_UNIMP, "hypercall 0x%" PRIx64 " is not there", number);
	m->unimp_hcalls[n / 64] |= bit;
}

/* ---- What calls may cost the host ----
 *
 * A quantum ends when all processors have run through it, and a call costs its caller one cycle however long the host
 * works on it. So that neither many processors nor many calls make a quantum long for the host, calls may do a limited
 * amount of work in one (MACHINE_WORK_MOST); a call beyond that is put off to the next quantum. Only work that the guest
 * itself caused in the quantum counts, so runs repeat. A processor that runs alone can be stopped between any two calls
 * and needs no limit. */

void hcall_worked(struct machine *m, uint64_t bytes)
{
	m->hcall_work += bytes;
}

/* In each quantum one processor, another each time, may make one more call, so that those which run late in every
 * quantum are not put off for ever. */
static bool has_turn(struct machine *m, const struct cpu *cpu)
{
	bool turn = !m->hcall_turn_taken && m->clock.now / MACHINE_QUANTUM % m->ncpus == cpu->index;

	m->hcall_turn_taken |= turn;
	return turn;
}

/* The processor makes the call again in its next quantum: nothing of the call has happened, and nothing is traced. */
static void put_off_call(struct cpu *cpu)
{
	cpu->nip -= 4;
	cpu->insns--;
	cpu->interrupts++;
	cpu->waiting = true;
	machine_kick(cpu_machine(cpu));
}

void hcall_dispatch(struct cpu *cpu)
{
	struct machine *m = cpu_machine(cpu);
	const struct hcall *h = hcall_find(cpu->r[3]);
	uint64_t in[HCALL_MAX_IN], out[HCALL_MAX_OUT] = { 0 };
	int64_t rc;

	if (unlikely(m->hcall_work >= MACHINE_WORK_MOST) && m->side_by_side && !has_turn(m, cpu)) {
		put_off_call(cpu);
		return;
	}
	if (!h) {
		log_unimplemented(m, cpu->r[3]);
		hcall_trace_unknown(cpu);
		cpu->r[3] = (uint64_t)H_FUNCTION;
		return;
	}
	memcpy(in, &cpu->r[4], sizeof in);
	rc = h->fn(cpu, in, out);
	if (unlikely(m->log_mask & (LOG_HCALL | LOG_TRACE_HCALL)))
		trace_call(cpu, h, in, rc, out);
	if (rc == HCALL_NO_RETURN)
		return;
	cpu->r[3] = (uint64_t)rc;
	memcpy(&cpu->r[4], out, count_names(h->out) * sizeof out[0]);
}

/* Sets that not every machine offers; their functions ask, too. */
static bool offers_rpt(const struct config *o) { return o->rpt_invalidate; }
static bool offers_resizing(const struct config *o) { return o->resize_hpt != RESIZE_HPT_DISABLED; }

static const struct {
	const char *set;
	bool (*offered)(const struct config *o);
} on_demand[] = {
	{ "hcall-rpt-invalidate", offers_rpt },
	{ "hcall-hpt-resize", offers_resizing },
};

static bool is_offered(const struct config *o, const char *set)
{
	for (unsigned i = 0; i < ARRAY_SIZE(on_demand); i++)
		if (!strcmp(on_demand[i].set, set))
			return on_demand[i].offered(o);
	return true;
}

unsigned hcall_sets(const struct machine *m, const char *sets[], unsigned max)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(papr); i++) {
		unsigned seen = 0;

		if (!papr[i].fn || !*papr[i].set || !is_offered(m->config, papr[i].set))
			continue;
		while (seen < n && strcmp(sets[seen], papr[i].set))
			seen++;
		if (seen == n && n < max)
			sets[n++] = papr[i].set;
	}
	return n;
}
