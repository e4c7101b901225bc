/* XIVE: from a source to a processor. */
#include "machine/irq/xive.h"

#include "machine/core/config.h"
#include "machine/core/node.h"
#include "machine/irq/irq.h"

/* ---- Presenter ---- */

/* Priority 0 is bit 0, the most significant one, of IPB. Others have none. */
static uint8_t priority_bit(unsigned priority)
{
	return priority < XIVE_PRIORITIES ? (uint8_t)(0x80 >> priority) : 0;
}

static uint8_t most_favoured(uint8_t ipb)
{
	return ipb ? (uint8_t)(__builtin_clz(ipb) - 24) : 0xff;
}

static void line_follows(struct machine *m, struct spapr_cpu *sc, const uint8_t *regs)
{
	if (regs[TIMA_NSR] & TIMA_NSR_EO) {
		sc->cpu.irq |= IRQ_EXTERNAL;
		machine_kick(m);
	} else {
		sc->cpu.irq &= ~(uint32_t)IRQ_EXTERNAL;
	}
}

/* IPB or CPPR has changed: what is pending is presented if it is more favoured than CPPR, and else is not. */
static void present(struct machine *m, struct spapr_cpu *sc, uint8_t *regs)
{
	regs[TIMA_PIPR] = most_favoured(regs[TIMA_IPB]);
	regs[TIMA_NSR] &= (uint8_t)~TIMA_NSR_EO;
	if (regs[TIMA_PIPR] < regs[TIMA_CPPR])
		regs[TIMA_NSR] |= TIMA_NSR_EO;
	line_follows(m, sc, regs);
}

void xive_set_cppr(struct machine *m, uint32_t server, uint8_t cppr)
{
	uint8_t *regs = m->xive->tctx[server].regs;

	regs[TIMA_CPPR] = cppr < XIVE_PRIORITIES ? cppr : 0xff;
	present(m, m->cpu[server], regs);
}

void xive_set_pending(struct machine *m, uint32_t server, uint8_t priority)
{
	uint8_t *regs = m->xive->tctx[server].regs;

	regs[TIMA_IPB] |= priority_bit(priority);
	present(m, m->cpu[server], regs);
}

uint16_t xive_acknowledge(struct machine *m, uint32_t server)
{
	uint8_t *regs = m->xive->tctx[server].regs, nsr = regs[TIMA_NSR];

	if (nsr & TIMA_NSR_EO) {
		regs[TIMA_CPPR] = regs[TIMA_PIPR];
		regs[TIMA_IPB] &= (uint8_t)~priority_bit(regs[TIMA_PIPR]);
		present(m, m->cpu[server], regs);
	}
	return (uint16_t)(nsr << 8 | regs[TIMA_CPPR]);
}

void xive_lines(struct machine *m)
{
	for (unsigned i = 0; i < m->ncpus; i++)
		line_follows(m, m->cpu[i], m->xive->tctx[i].regs);
}

/* ---- State bits, of sources and ENDs alike: each function says whether an event goes on ---- */

static bool trigger_bits(uint8_t *pq)
{
	if (*pq == XIVE_Q)
		return false;
	if (*pq) {
		*pq = XIVE_PQ;
		return false;
	}
	*pq = XIVE_P;
	return true;
}

static bool eoi_bits(uint8_t *pq)
{
	if (*pq == XIVE_PQ) {
		*pq = XIVE_P;
		return true;
	}
	if (*pq == XIVE_P)
		*pq = 0;
	return false;
}

/* ---- ENDs ---- */

uint64_t xive_queue_address(const struct xive_end *end)
{
	return (uint64_t)(end->w2 & END2_HIGH) << 32 | end->w3;
}

uint64_t xive_queue_size(const struct xive_end *end)
{
	return end->w0 & END0_ENQUEUE ? UINT64_C(1) << ((end->w0 >> END0_SIZE_SHIFT & END0_SIZE) + 12) : 0;
}

/* The sizes are those of pages. The device tree offers one of them, the call takes all, as in QEMU. */
bool xive_queue_ok(const struct machine *m, uint64_t address, uint64_t shift)
{
	if (shift != 12 && shift != 16 && shift != 21 && shift != 24)
		return false;
	return !(address & ((UINT64_C(1) << shift) - 1)) && ram_ok(&m->ram, address, UINT64_C(1) << shift);
}

/* An entry outside RAM, which no call and no load lets happen, is written nowhere. */
static void enqueue(struct machine *m, struct xive_end *end, uint32_t eisn)
{
	uint32_t offset = end->w1 & END1_OFFSET, last = (uint32_t)(xive_queue_size(end) / 4 - 1) & END1_OFFSET;

	st_be32(&m->ram, xive_queue_address(end) + 4 * (uint64_t)offset, (end->w1 & END1_GENERATION ? PPC_BIT32(0) : 0) | eisn);
	if (offset >= last)
		end->w1 = (end->w1 & ~END1_OFFSET) ^ END1_GENERATION;
	else
		end->w1++;
}

static uint8_t end_bits(const struct xive_end *end, unsigned shift)
{
	return end->w1 >> shift & XIVE_PQ;
}

static void end_set_bits(struct xive_end *end, unsigned shift, uint8_t pq)
{
	end->w1 = (end->w1 & ~((uint32_t)XIVE_PQ << shift)) | (uint32_t)pq << shift;
}

/* The processor is told, if there is such a one. */
static void tell(struct machine *m, const struct xive_end *end)
{
	uint32_t server = (end->w6 & END6_NVT) - XIVE_NVT_BASE;

	if (machine_cpu(m, server) && !(end->w6 & END6_EBB))
		xive_set_pending(m, server, (uint8_t)(end->w7 >> END7_PRIORITY_SHIFT));
}

static void end_event(struct machine *m, struct xive_end *end, uint32_t eisn)
{
	uint8_t pq = end_bits(end, END1_ESN_SHIFT);
	bool goes_on;

	if (!(end->w0 & END0_VALID))
		return;
	if (end->w0 & END0_ENQUEUE)
		enqueue(m, end, eisn);
	goes_on = end->w0 & END0_ALWAYS || trigger_bits(&pq);
	end_set_bits(end, END1_ESN_SHIFT, pq);
	if (goes_on)
		tell(m, end);
}

static unsigned end_shift(bool escalation)
{
	return escalation ? END1_ESE_SHIFT : END1_ESN_SHIFT;
}

uint8_t xive_end_pq(struct machine *m, uint32_t n, bool escalation)
{
	return end_bits(&m->xive->end[n], end_shift(escalation));
}

void xive_end_set_pq(struct machine *m, uint32_t n, bool escalation, uint8_t pq)
{
	end_set_bits(&m->xive->end[n], end_shift(escalation), pq);
}

uint64_t xive_end_eoi(struct machine *m, uint32_t n, bool escalation)
{
	uint8_t pq = xive_end_pq(m, n, escalation);
	bool again = eoi_bits(&pq);

	xive_end_set_pq(m, n, escalation, pq);
	if (again && !escalation)
		tell(m, &m->xive->end[n]);
	return again;
}

/* ---- Sources ---- */

static void route(struct machine *m, uint32_t lisn)
{
	uint64_t w = m->xive->eat[lisn].w, n = (w & EAS_END) >> EAS_END_SHIFT;

	if (w & EAS_VALID && !(w & EAS_MASKED) && n < m->xive->ends)
		end_event(m, &m->xive->end[n], (uint32_t)(w & EAS_EISN));
}

static uint8_t source_bits(const struct xive *xive, uint32_t lisn)
{
	return xive->status[lisn] & XIVE_PQ;
}

static void source_set_bits(struct xive *xive, uint32_t lisn, uint8_t pq)
{
	xive->status[lisn] = (uint8_t)((xive->status[lisn] & ~XIVE_PQ) | pq);
}

bool xive_is_lsi(const struct machine *m, uint64_t irq)
{
	return xive_source_valid(m->xive, irq) && m->xive->lsi[irq / 64] >> irq % 64 & 1;
}

void xive_trigger(struct machine *m, uint32_t lisn)
{
	uint8_t pq = source_bits(m->xive, lisn);
	bool goes_on = trigger_bits(&pq);

	source_set_bits(m->xive, lisn, pq);
	if (goes_on)
		route(m, lisn);
}

/* A level has no second event that waits: while it is high and idle it triggers. */
static bool level_triggers(struct machine *m, uint32_t lisn)
{
	if (m->xive->status[lisn] != XIVE_ASSERTED)
		return false;
	source_set_bits(m->xive, lisn, XIVE_P);
	return true;
}

uint64_t xive_eoi(struct machine *m, uint32_t lisn)
{
	uint8_t pq = source_bits(m->xive, lisn);
	bool again = eoi_bits(&pq);

	source_set_bits(m->xive, lisn, pq);
	if (xive_is_lsi(m, lisn))
		again |= level_triggers(m, lisn);
	if (again)
		route(m, lisn);
	return again;
}

uint8_t xive_set_pq(struct machine *m, uint32_t lisn, uint8_t pq)
{
	uint8_t before = source_bits(m->xive, lisn);

	source_set_bits(m->xive, lisn, pq);
	return before;
}

void xive_set_irq(struct machine *m, unsigned irq, bool level)
{
	if (!xive_source_valid(m->xive, irq))
		return;
	if (!xive_is_lsi(m, irq)) {
		if (level)
			xive_trigger(m, irq);
	} else if (!level) {
		m->xive->status[irq] &= (uint8_t)~XIVE_ASSERTED;
	} else {
		m->xive->status[irq] |= XIVE_ASSERTED;
		if (level_triggers(m, irq))
			route(m, irq);
	}
}

bool xive_claim(struct machine *m, unsigned irq, bool lsi)
{
	struct xive *xive = m->xive;
	uint64_t bit = UINT64_C(1) << irq % 64;

	if (irq >= XIVE_SOURCES || xive->eat[irq].w & EAS_VALID)
		return false;
	xive->eat[irq].w = EAS_VALID | EAS_MASKED;
	xive->status[irq] = XIVE_Q;
	xive->lsi[irq / 64] = lsi ? xive->lsi[irq / 64] | bit : xive->lsi[irq / 64] & ~bit;
	return true;
}

void xive_release(struct machine *m, unsigned irq)
{
	if (irq >= XIVE_SOURCES)
		return;
	m->xive->eat[irq].w = 0;
	m->xive->status[irq] = XIVE_Q;
	m->xive->lsi[irq / 64] &= ~(UINT64_C(1) << irq % 64);
}

/* ---- Life ---- */

void xive_end_reset(struct xive_end *end)
{
	*end = (struct xive_end){ .w1 = END1_RESET };
}

void xive_tables_reset(struct machine *m)
{
	struct xive *xive = m->xive;

	for (unsigned i = 0; i < XIVE_SOURCES; i++) {
		xive->eat[i].w = xive->eat[i].w & EAS_VALID ? EAS_VALID | EAS_MASKED : 0;
		source_set_bits(xive, i, XIVE_Q);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(xive->end); i++)
		xive_end_reset(&xive->end[i]);
}

static void tctx_reset(struct xive_tctx *tctx)
{
	memset(tctx->regs, 0, sizeof tctx->regs);
	tctx->regs[TIMA_LSMFB] = tctx->regs[TIMA_ACK_COUNT] = tctx->regs[TIMA_AGE] = 0xff;
	tctx->regs[TIMA_PIPR] = tctx->regs[TIMA_PHYS_PIPR] = 0xff;
	tctx->line = XIVE_NO_LINE;
}

static bool xive_init(struct device *dev, struct error *err)
{
	struct xive *xive = (struct xive *)dev;
	struct machine *m = dev->machine;

	(void)err;
	m->xive = xive;
	for (unsigned i = 0; i < m->config->max_cpus; i++)
		xive_claim(m, i, false);
	xive_claim(m, IRQ_EPOW, false);
	xive_claim(m, IRQ_HOTPLUG, false);
	return true;
}

static void xive_free(struct device *dev)
{
	xive_map(dev->machine, false);
}

void xive_cpu_reset(struct machine *m, unsigned i)
{
	struct xive_tctx *tctx = &m->xive->tctx[i];

	tctx_reset(tctx);
	tctx->regs[TIMA_WORD2] = i < m->ncpus ? 0x80 : 0;	/* valid; then the NVT's number */
	tctx->regs[TIMA_WORD2 + 2] = i < m->ncpus ? XIVE_NVT_BASE >> 8 : 0;
	tctx->regs[TIMA_WORD2 + 3] = i < m->ncpus ? (uint8_t)i : 0;
}

/* Who is in charge then, irq_mode_changed() says. A reset keeps the kinds of sources. */
static void xive_reset(struct device *dev)
{
	struct xive *xive = (struct xive *)dev;

	xive->ends = XIVE_PRIORITIES * dev->machine->config->max_cpus;
	memset(xive->status, XIVE_Q, sizeof xive->status);
	xive_tables_reset(dev->machine);
	for (unsigned i = 0; i < MACHINE_MAX_CPUS; i++)
		xive_cpu_reset(dev->machine, i);
}

static void xive_fdt(struct device *dev, struct tree *t, int parent)
{
	int at;

	if (!irq_by_xive(dev->machine))
		return;
	at = node_add_at(t, parent, "interrupt-controller", XIVE_TIMA_USER);
	node_string(t, at, "device_type", "power-ivpe");
	NODE_CELLS(t, at, "reg", HIGH_LOW(XIVE_TIMA_USER), HIGH_LOW(1u << XIVE_PAGE_SHIFT),
		   HIGH_LOW(XIVE_TIMA_OS), HIGH_LOW(1u << XIVE_PAGE_SHIFT));
	node_string(t, at, "compatible", "ibm,power-ivpe");
	node_cell(t, at, "ibm,xive-eq-sizes", 16);	/* log2 of bytes */
	NODE_CELLS(t, at, "ibm,xive-lisn-ranges", 0, dev->machine->config->max_cpus);
	node_flag(t, at, "interrupt-controller");
	node_cell(t, at, "#interrupt-cells", 2);
	node_cell(t, at, "linux,phandle", NODE_PHANDLE_IRQ);
	node_cell(t, at, "phandle", NODE_PHANDLE_IRQ);
	/* From 7 on priorities are the hypervisor's. */
	NODE_CELLS(t, parent, "ibm,plat-res-int-priorities", XIVE_PRIORITIES - 1, 0x100 - (XIVE_PRIORITIES - 1) - 1);
}

static unsigned xive_on_board(const struct config *config)
{
	return config->ic_mode != IC_XICS;
}

const struct device_class xive_class = {
	.name = "spapr-xive", .help = "XIVE interrupt controller", .size = sizeof(struct xive), .early = true,
	.on_board = xive_on_board, .init = xive_init, .free = xive_free, .reset = xive_reset, .fdt = xive_fdt,
	.sections = xive_sections, .loaded = xive_loaded, .qemu_ready = xive_qemu_ready, .qemu_can = xive_qemu_can,
};
