/* XIVE's tables, as the guest sets them up. PAPR, "External Interrupt Virtualization" hcall()s; machine/irq/xive.c has the
 * tables, and a source's state bits are mostly the guest's own loads and stores. */
#include "hcall/hcall.h"
#include "machine/irq/irq.h"
#include "machine/irq/xive.h"

/* A call of these is there while XIVE is in charge. */
#define XIVE_FN(name) \
	static int64_t xive_##name(struct machine *m, struct cpu *cpu, const uint64_t *in, uint64_t *out); \
	HCALL_FN(name) \
	{ \
		return irq_by_xive(cpu_machine(cpu)) ? xive_##name(cpu_machine(cpu), cpu, in, out) : H_FUNCTION; \
	} \
	static int64_t xive_##name(struct machine *m __attribute__((unused)), struct cpu *cpu __attribute__((unused)), \
				   const uint64_t *in __attribute__((unused)), uint64_t *out __attribute__((unused)))

#define SOURCE_BY_HCALL PPC_BIT(60)	/* H_INT_GET_SOURCE_INFO */
#define SOURCE_LSI      PPC_BIT(61)
#define SOURCE_EISN     PPC_BIT(62)	/* H_INT_SET_SOURCE_CONFIG: there is a new one */
#define SOURCE_MASK     PPC_BIT(63)
#define QUEUE_ALWAYS    PPC_BIT(63)	/* each event is told */
#define QUEUE_GENERATION PPC_BIT(62)
#define QUEUE_DEBUG     PPC_BIT(63)
#define ESB_STORE       PPC_BIT(63)

#define NOT_THERE UINT64_MAX

static bool priority_ok(uint64_t priority)
{
	return priority < XIVE_PRIORITIES - 1;
}

static uint32_t end_of(uint64_t server, uint64_t priority)
{
	return (uint32_t)(server * XIVE_PRIORITIES + priority);
}

/* A level may stay high: its end is to be told by a call, as with the hypervisors that look after it then. */
XIVE_FN(H_INT_GET_SOURCE_INFO)
{
	uint64_t lisn = in[1], page = XIVE_ESB_BASE + (lisn << (XIVE_PAGE_SHIFT + 1));
	bool lsi;

	if (in[0])
		return H_PARAMETER;
	if (!xive_source_valid(m->xive, lisn))
		return H_P2;
	lsi = xive_is_lsi(m, lisn);
	out[0] = lsi ? SOURCE_BY_HCALL | SOURCE_LSI : 0;
	out[1] = lsi ? NOT_THERE : page + (1u << XIVE_PAGE_SHIFT);
	out[2] = lsi ? NOT_THERE : page;
	out[3] = XIVE_PAGE_SHIFT;
	return H_SUCCESS;
}

XIVE_FN(H_INT_SET_SOURCE_CONFIG)
{
	uint64_t flags = in[0], lisn = in[1], server = in[2], priority = in[3], eisn = in[4], w;

	if (flags & ~(SOURCE_EISN | SOURCE_MASK))
		return H_PARAMETER;
	if (!xive_source_valid(m->xive, lisn))
		return H_P2;
	if (priority == XIVE_PRIORITY_OFF) {
		m->xive->eat[lisn].w = EAS_VALID | EAS_MASKED;
		return H_SUCCESS;
	}
	if (!priority_ok(priority))
		return H_P4;
	if (!machine_cpu(m, server))
		return H_P3;
	w = EAS_VALID | (flags & SOURCE_MASK ? EAS_MASKED : 0) | (uint64_t)end_of(server, priority) << EAS_END_SHIFT;
	w |= flags & SOURCE_EISN ? eisn & EAS_EISN : m->xive->eat[lisn].w & EAS_EISN;
	m->xive->eat[lisn].w = w;
	return H_SUCCESS;
}

XIVE_FN(H_INT_GET_SOURCE_CONFIG)
{
	uint64_t lisn = in[1], w, end;

	if (in[0])
		return H_PARAMETER;
	if (!xive_source_valid(m->xive, lisn))
		return H_P2;
	w = m->xive->eat[lisn].w;
	end = (w & EAS_END) >> EAS_END_SHIFT;
	out[0] = end / XIVE_PRIORITIES;
	out[1] = w & EAS_MASKED ? XIVE_PRIORITY_OFF : end % XIVE_PRIORITIES;
	out[2] = w & EAS_EISN;
	return H_SUCCESS;
}

/* Which END processor in[1] and priority in[2] have; `flags` are those that the call knows. */
static int64_t find_end(const struct machine *m, const uint64_t *in, uint64_t flags, struct xive_end **end)
{
	if (in[0] & ~flags)
		return H_PARAMETER;
	if (!priority_ok(in[2]))
		return H_P3;
	if (in[1] >= m->ncpus || m->cpu[in[1]]->absent)
		return H_P2;
	*end = &m->xive->end[end_of(in[1], in[2])];
	return H_SUCCESS;
}

static uint64_t queue_shift(const struct xive_end *end)
{
	uint64_t size = xive_queue_size(end);

	return size ? (uint64_t)__builtin_ctzll(size) : 0;
}

XIVE_FN(H_INT_GET_QUEUE_INFO)
{
	struct xive_end *end;
	int64_t rc = find_end(m, in, 0, &end);

	if (rc != H_SUCCESS)
		return rc;
	out[0] = XIVE_END_BASE + ((uint64_t)end_of(in[1], in[2]) << (XIVE_PAGE_SHIFT + 1));
	out[1] = queue_shift(end);
	return H_SUCCESS;
}

/* A new queue is empty, and its first round has generation 1: the guest clears it before. */
XIVE_FN(H_INT_SET_QUEUE_CONFIG)
{
	uint64_t address = in[3], shift = in[4];
	struct xive_end *end;
	int64_t rc = find_end(m, in, QUEUE_ALWAYS, &end);

	if (rc != H_SUCCESS)
		return rc;
	if (!shift) {
		xive_end_reset(end);
		return H_SUCCESS;
	}
	if (shift != 12 && shift != 16 && shift != 21 && shift != 24)
		return H_P5;
	if (!xive_queue_ok(m, address, shift))
		return H_P4;
	*end = (struct xive_end){
		.w0 = END0_VALID | END0_ENQUEUE | (in[0] & QUEUE_ALWAYS ? END0_ALWAYS : 0) | (uint32_t)(shift - 12) << END0_SIZE_SHIFT,
		.w1 = END1_GENERATION,
		.w2 = (uint32_t)(address >> 32), .w3 = (uint32_t)address,
		.w6 = XIVE_NVT_BASE + (uint32_t)in[1], .w7 = (uint32_t)in[2] << END7_PRIORITY_SHIFT,
	};
	return H_SUCCESS;
}

XIVE_FN(H_INT_GET_QUEUE_CONFIG)
{
	struct xive_end *end;
	int64_t rc = find_end(m, in, QUEUE_DEBUG, &end);

	if (rc != H_SUCCESS)
		return rc;
	out[0] = end->w0 & END0_ALWAYS ? QUEUE_ALWAYS : 0;
	out[1] = xive_queue_size(end) ? xive_queue_address(end) : 0;
	out[2] = queue_shift(end);
	if (in[0] & QUEUE_DEBUG) {
		out[0] |= end->w1 & END1_GENERATION ? QUEUE_GENERATION : 0;
		out[3] = end->w1 & END1_OFFSET;
	}
	return H_SUCCESS;
}

/* Of the calling thread; -1: no more. */
XIVE_FN(H_INT_SET_OS_REPORTING_LINE)
{
	uint64_t line = in[1];

	if (in[0])
		return H_PARAMETER;
	if (line != XIVE_NO_LINE && (line % XIVE_LINE_BYTES || !ram_ok(&m->ram, line, XIVE_LINE_BYTES)))
		return H_P2;
	m->xive->tctx[cpu->index].line = line;
	return H_SUCCESS;
}

XIVE_FN(H_INT_GET_OS_REPORTING_LINE)
{
	if (in[0])
		return H_PARAMETER;
	if (!machine_cpu(m, in[1]))
		return H_P2;
	out[0] = m->xive->tctx[in[1]].line;
	return H_SUCCESS;
}

/* A load or store in the source's management page. */
XIVE_FN(H_INT_ESB)
{
	uint64_t lisn = in[1], offset = in[2];

	if (in[0] & ~ESB_STORE)
		return H_PARAMETER;
	if (!xive_source_valid(m->xive, lisn))
		return H_P2;
	if (offset >= 1u << XIVE_PAGE_SHIFT)
		return H_P3;
	out[0] = NOT_THERE;
	if (in[0] & ESB_STORE)
		xive_esb_store(m, (uint32_t)lisn, offset);
	else
		out[0] = xive_esb_load(m, (uint32_t)lisn, offset);
	return H_SUCCESS;
}

/* Nothing is ever under way between a trigger and its queue. */
XIVE_FN(H_INT_SYNC)
{
	if (in[0])
		return H_PARAMETER;
	return xive_source_valid(m->xive, in[1]) ? H_SUCCESS : H_P2;
}

XIVE_FN(H_INT_RESET)
{
	if (in[0])
		return H_PARAMETER;
	hcall_worked(m, sizeof m->xive->eat + sizeof m->xive->status + sizeof m->xive->end);
	xive_tables_reset(m);
	for (unsigned i = 0; i < m->ncpus; i++)
		m->xive->tctx[i].line = XIVE_NO_LINE;
	return H_SUCCESS;
}
