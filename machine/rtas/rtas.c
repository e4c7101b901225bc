/* RTAS: from the token to the function, the code that a guest calls, and the /rtas node. */
#include "machine/rtas/rtas.h"

#include <inttypes.h>
#include <string.h>

#include <libfdt.h>

#include "hcall/hcall.h"
#include "hcall/trace.h"
#include "machine/core/log.h"
#include "machine/core/node.h"

struct rtas {
	const char *name;
	uint8_t min_args, max_args, min_ret, max_ret;
	rtas_fn *fn;
};

#define RTAS(id, name, token, min_args, max_args, nret) rtas_fn rtas_##id;
#include "machine/rtas/rtas.def"
#undef RTAS

static const struct rtas calls[] = {
#define RTAS(id, name, token, min_args, max_args, nret) [token] = { name, min_args, max_args, nret, nret, rtas_##id },
#define RTAS_OR_MORE(id, name, token, min_args, max_args, nret) [token] = { name, min_args, max_args, nret, nret + 1, rtas_##id },
#include "machine/rtas/rtas.def"
#undef RTAS
};

_Static_assert(ARRAY_SIZE(calls) <= TRACE_MAX_RTAS, "-trace counts each call on its own");

const char *trace_rtas_name(unsigned n) { return n < ARRAY_SIZE(calls) ? calls[n].name : NULL; }

/* Cells of the argument block before the arguments. */
#define CELL_TOKEN 0
#define CELL_NARGS 1
#define CELL_NRET  2
#define CELL_ARGS  3

static void log_unimplemented(struct machine *m, uint32_t token)
{
	uint64_t bit = UINT64_C(1) << token % 64;

	if (!(m->unimp_rtas & bit))
		machine_log(m, LOG_UNIMP, "RTAS call 0x%" PRIx32 " is not there", token);
	m->unimp_rtas |= bit;
}

/* "RTAS name(0x1, 0x2) = 0 0x3": as many arguments and results as the call has. */
static void trace_call(struct cpu *cpu, const struct rtas *call, uint32_t nargs, const uint32_t *in, int32_t status,
		  uint32_t nret, const uint32_t *out)
{
	char line[512] = "";

	log_append(line, sizeof line, "RTAS %s(", call->name);
	for (uint32_t i = 0; i < nargs; i++)
		log_append(line, sizeof line, "%s0x%" PRIx32, i ? ", " : "", in[i]);
	log_append(line, sizeof line, ")");
	if (status != RTAS_NO_RETURN) {
		log_append(line, sizeof line, " = %" PRId32, status);
		for (uint32_t i = 1; i < nret; i++)
			log_append(line, sizeof line, " 0x%" PRIx32, out[i - 1]);
	}
	machine_log(cpu_machine(cpu), LOG_HCALL, "%s", line);
	if (status == RTAS_NO_RETURN)
		log_append(line, sizeof line, " = ?");
	hcall_trace_text(cpu, TRACE_RTAS + (unsigned)(call - calls), line, status == RTAS_NO_RETURN ? 0 : status);
}

bool rtas_call(struct cpu *cpu, uint64_t args)
{
	struct machine *m = cpu_machine(cpu);
	uint32_t in[RTAS_MAX_CELLS] = { 0 }, out[RTAS_MAX_CELLS] = { 0 };
	uint32_t token, nargs, nret;
	const struct rtas *call;
	uint64_t rets;
	int32_t status;

	if (!ram_ok(&m->ram, args, CELL_ARGS * 4))
		return false;
	token = ld_be32(&m->ram, args + CELL_TOKEN * 4);
	nargs = ld_be32(&m->ram, args + CELL_NARGS * 4);
	nret = ld_be32(&m->ram, args + CELL_NRET * 4);
	if (nargs > RTAS_MAX_CELLS || nret > RTAS_MAX_CELLS ||
	    !ram_ok(&m->ram, args, (CELL_ARGS + nargs + nret) * UINT64_C(4)))
		return false;
	rets = m->rtas_results = args + (CELL_ARGS + nargs) * UINT64_C(4);

	call = token - RTAS_TOKEN_BASE < ARRAY_SIZE(calls) ? &calls[token - RTAS_TOKEN_BASE] : NULL;
	if (!call || !call->fn) {
		log_unimplemented(m, token);
		if (nret)
			st_be32(&m->ram, rets, (uint32_t)RTAS_NOT_SUPPORTED);
		return false;
	}
	for (uint32_t i = 0; i < nargs; i++)
		in[i] = ld_be32(&m->ram, args + (CELL_ARGS + i) * UINT64_C(4));
	m->rtas_nret = nret;
	if (nargs >= call->min_args && nargs <= call->max_args && nret >= call->min_ret && nret <= call->max_ret)
		status = call->fn(cpu, in, out);
	else
		status = RTAS_PARAM_ERROR;
	if (unlikely(m->log_mask & (LOG_HCALL | LOG_TRACE_HCALL)))
		trace_call(cpu, call, nargs, in, status, nret, out);
	if (status == RTAS_NO_RETURN)
		return true;
	if (nret)
		st_be32(&m->ram, rets, (uint32_t)status);
	for (uint32_t i = 1; i < nret; i++)
		st_be32(&m->ram, rets + i * UINT64_C(4), out[i - 1]);
	return true;
}

HCALL_FN(H_RTAS) { return rtas_call(cpu, in[0]) ? H_SUCCESS : H_PARAMETER; }

uint32_t rtas_area_size(const struct machine *m)
{
	/* 8 more, because Linux' check of a log's place is off by one entry. */
	return RTAS_CODE_SIZE + RTAS_SRESET_OFFSET + m->ncpus * 16 + 8;
}

bool rtas_install(struct machine *m, uint64_t gra)
{
	/* mr r4,r3; lis r3,0; ori r3,r3,0xf000; sc 1; blr */
	static const uint32_t code[RTAS_CODE_SIZE / 4] = {
		0x7c641b78, 0x3c600000, 0x6063f000, 0x44000022, 0x4e800020,
	};

	if (!ram_ok(&m->ram, gra, rtas_area_size(m)))
		return false;
	for (unsigned i = 0; i < ARRAY_SIZE(code); i++)
		st_be32(&m->ram, gra + 4 * i, code[i]);
	m->rtas_addr = gra;
	m->rtas_size = rtas_area_size(m);
	return true;
}

void rtas_reset(struct machine *m)
{
	m->rtas_addr = m->rtas_size = 0;
	m->fwnmi_sreset = m->fwnmi_mcheck = 0;
	m->fwnmi_interlock = -1;
}

/* A list of strings, one after the other. */
static void write_function_sets(const struct machine *m, struct tree *t, int at)
{
	const char *sets[32];
	unsigned n = hcall_sets(m, sets, ARRAY_SIZE(sets));

	for (unsigned i = 0; i < n; i++)
		tree_keep_error(t, fdt_appendprop_string(t->fdt, at, "ibm,hypertas-functions", sets[i]));
	node_string(t, at, "qemu,hypertas-functions", "hcall-memop1");
}

void rtas_fdt(const struct machine *m, struct tree *t, int at)
{
	write_function_sets(m, t, at);
	node_cell(t, at, "rtas-size", rtas_area_size(m));
	node_cell(t, at, "rtas-error-log-max", RTAS_ERROR_LOG_MAX);
	node_cell(t, at, "rtas-event-scan-rate", 1);	/* a minute */
	/* ibm,os-term returns to the guest, unless -action panic= says that the run stops or ends. */
	node_flag(t, at, "ibm,extended-os-term");
	for (unsigned i = 0; i < ARRAY_SIZE(calls); i++)
		if (calls[i].fn)
			node_cell(t, at, calls[i].name, RTAS_TOKEN_BASE + i);
}
