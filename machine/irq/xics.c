/* XICS: sources, presentation, and what happens between them.
 *
 * A source presents to its server. The server takes it if it is more favoured than CPPR and
 * than what is already presented; otherwise the source is told to try again ("rejected") and
 * does so at the next resend, when CPPR rises or an interrupt ends.
 * Source: PAPR, "Interrupt Presentation Controller" and "Interrupt Source Controller".
 */
#include "machine/irq/xics.h"

#include "machine/core/config.h"
#include "machine/core/node.h"

#define XISR_MASK UINT32_C(0x00ffffff)

static uint32_t xisr(const struct spapr_cpu *sc) { return sc->xirr & XISR_MASK; }
static uint8_t cppr_of(const struct spapr_cpu *sc) { return (uint8_t)(sc->xirr >> 24); }

static void set_xisr(struct spapr_cpu *sc, uint32_t irq)
{
	sc->xirr = (sc->xirr & ~XISR_MASK) | irq;
}

static void line_raise(struct machine *m, struct spapr_cpu *sc)
{
	sc->cpu.irq |= IRQ_EXTERNAL;
	machine_kick(m);
}

static void line_lower(struct spapr_cpu *sc)
{
	sc->cpu.irq &= ~(uint32_t)IRQ_EXTERNAL;
}

/* ---- Sources ---- */

static bool in_range(uint64_t irq)
{
	return irq >= XICS_IRQ_BASE && irq < XICS_IRQ_BASE + XICS_IRQS;
}

/* True if the source has an interrupt that a resend presents again. */
static bool source_waits(const struct xics_source *s)
{
	if (s->kind == XICS_LSI)
		return s->priority != XICS_PRIORITY_OFF && (s->status & (XICS_ASSERTED | XICS_SENT)) == XICS_ASSERTED;
	return s->status & XICS_REJECTED;
}

/* Keeps the bit of source `n` in the map of those that the next resend looks at. */
static void note_source(struct xics *xics, unsigned n)
{
	uint64_t bit = UINT64_C(1) << n % 64;

	if (source_waits(&xics->source[n]))
		xics->resend[n / 64] |= bit;
	else
		xics->resend[n / 64] &= ~bit;
}

/* The presentation layer sends `irq` back to its source. */
static void source_reject(struct machine *m, uint32_t irq)
{
	struct xics_source *s;

	if (!in_range(irq))
		return;
	s = &m->xics->source[irq - XICS_IRQ_BASE];
	if (s->kind == XICS_LSI)
		s->status &= (uint8_t)~XICS_SENT;
	else if (s->kind == XICS_MSI)
		s->status |= XICS_REJECTED;
	note_source(m->xics, irq - XICS_IRQ_BASE);
}

static void icp_present(struct machine *m, uint32_t server, uint32_t irq, uint8_t priority)
{
	struct spapr_cpu *sc = machine_cpu(m, server);
	uint32_t loser;

	if (!sc || priority >= cppr_of(sc) || (xisr(sc) && sc->pending_priority <= priority)) {
		source_reject(m, irq);
		return;
	}
	/* What was presented before goes back to its source. An IPI has none: MFRR presents it again. */
	loser = sc->xirr_owner;
	set_xisr(sc, irq);
	sc->xirr_owner = irq;
	sc->pending_priority = priority;
	if (loser)
		source_reject(m, loser);
	line_raise(m, sc);
}

static void present_lsi(struct machine *m, unsigned n)
{
	struct xics_source *s = &m->xics->source[n];

	if (source_waits(s)) {
		s->status |= XICS_SENT;
		note_source(m->xics, n);
		icp_present(m, s->server, XICS_IRQ_BASE + n, s->priority);
	}
}

static void resend_source(struct machine *m, unsigned n)
{
	struct xics_source *s = &m->xics->source[n];

	if (s->kind == XICS_LSI) {
		present_lsi(m, n);
	} else if (s->status & XICS_REJECTED) {
		s->status &= (uint8_t)~XICS_REJECTED;
		note_source(m->xics, n);
		if (s->priority != XICS_PRIORITY_OFF)
			icp_present(m, s->server, XICS_IRQ_BASE + n, s->priority);
	}
}

void xics_set_irq(struct machine *m, unsigned irq, bool level)
{
	struct xics_source *s;
	unsigned n = irq - XICS_IRQ_BASE;

	if (!xics_valid(m, irq))
		return;
	s = &m->xics->source[n];
	if (s->kind == XICS_LSI) {
		s->status = (uint8_t)(level ? s->status | XICS_ASSERTED : s->status & ~XICS_ASSERTED);
		note_source(m->xics, n);
		present_lsi(m, n);
	} else if (level && s->priority == XICS_PRIORITY_OFF) {
		s->status |= XICS_MASKED_PENDING;
	} else if (level) {
		icp_present(m, s->server, irq, s->priority);
	}
}

void xics_route(struct machine *m, unsigned irq, uint32_t server, uint8_t priority, uint8_t saved)
{
	unsigned n = irq - XICS_IRQ_BASE;
	struct xics_source *s = &m->xics->source[n];

	s->server = server;
	s->priority = priority;
	s->saved_priority = saved;
	note_source(m->xics, n);
	if (s->kind == XICS_LSI) {
		present_lsi(m, n);
	} else if ((s->status & XICS_MASKED_PENDING) && priority != XICS_PRIORITY_OFF) {
		s->status &= (uint8_t)~XICS_MASKED_PENDING;
		icp_present(m, server, irq, priority);
	}
}

bool xics_valid(const struct machine *m, uint64_t irq)
{
	return m->xics && in_range(irq) && m->xics->source[irq - XICS_IRQ_BASE].kind != XICS_FREE;
}

const struct xics_source *xics_source(const struct machine *m, unsigned irq)
{
	return &m->xics->source[irq - XICS_IRQ_BASE];
}

static bool claim_source(struct xics *xics, unsigned irq, enum xics_kind kind)
{
	struct xics_source *s;

	if (!in_range(irq))
		return false;
	s = &xics->source[irq - XICS_IRQ_BASE];
	if (s->kind != XICS_FREE)
		return false;
	s->kind = (uint8_t)kind;
	return true;
}

bool xics_claim(struct machine *m, unsigned irq, bool lsi)
{
	return claim_source(m->xics, irq, lsi ? XICS_LSI : XICS_MSI);
}

void xics_release(struct machine *m, unsigned irq)
{
	if (!in_range(irq))
		return;
	m->xics->source[irq - XICS_IRQ_BASE] =
		(struct xics_source){ .priority = XICS_PRIORITY_OFF, .saved_priority = XICS_PRIORITY_OFF };
	note_source(m->xics, irq - XICS_IRQ_BASE);
}

/* ---- Presentation ---- */

/* MFRR is more favoured than CPPR: shows the IPI unless something better is shown already. */
static void present_ipi(struct machine *m, struct spapr_cpu *sc)
{
	uint32_t loser = sc->xirr_owner;

	if (xisr(sc) && sc->pending_priority <= sc->mfrr)
		return;
	set_xisr(sc, XICS_IPI);
	sc->pending_priority = sc->mfrr;
	sc->xirr_owner = 0;
	if (loser)
		source_reject(m, loser);
	line_raise(m, sc);
}

static void icp_resend(struct machine *m, struct spapr_cpu *sc)
{
	struct xics *xics = m->xics;

	if (sc->mfrr < cppr_of(sc))
		present_ipi(m, sc);
	for (unsigned w = 0; w < ARRAY_SIZE(xics->resend); w++)
		/* `bits` is a copy: a source that is rejected again waits for the next resend. */
		for (uint64_t bits = xics->resend[w]; bits; bits &= bits - 1)
			resend_source(m, w * 64 + (unsigned)__builtin_ctzll(bits));
}

void xics_set_cppr(struct machine *m, struct spapr_cpu *sc, uint8_t cppr)
{
	uint8_t old = cppr_of(sc);
	uint32_t owner = sc->xirr_owner;

	sc->xirr = (sc->xirr & XISR_MASK) | (uint32_t)cppr << 24;
	if (cppr < old) {
		if (!xisr(sc) || cppr > sc->pending_priority)
			return;
		/* The interrupt presented is no longer favoured enough: its source takes it back. */
		set_xisr(sc, 0);
		sc->pending_priority = XICS_PRIORITY_OFF;
		sc->xirr_owner = 0;
		line_lower(sc);
		if (owner)
			source_reject(m, owner);
	} else if (!xisr(sc)) {
		icp_resend(m, sc);
	}
}

void xics_set_mfrr(struct machine *m, struct spapr_cpu *sc, uint8_t mfrr)
{
	sc->mfrr = mfrr;
	if (mfrr < cppr_of(sc))
		present_ipi(m, sc);
}

uint32_t xics_accept(struct spapr_cpu *sc)
{
	uint32_t xirr = sc->xirr;

	line_lower(sc);
	/* With nothing presented, pending_priority is 0xff: as CPPR it would let every interrupt through. */
	if (xisr(sc))
		sc->xirr = (uint32_t)sc->pending_priority << 24;
	sc->pending_priority = XICS_PRIORITY_OFF;
	sc->xirr_owner = 0;
	return xirr;
}

void xics_eoi(struct machine *m, struct spapr_cpu *sc, uint32_t xirr)
{
	uint32_t irq = xirr & XISR_MASK;

	sc->xirr = (sc->xirr & XISR_MASK) | (xirr & ~XISR_MASK);
	if (xics_valid(m, irq)) {
		struct xics_source *s = &m->xics->source[irq - XICS_IRQ_BASE];

		if (s->kind == XICS_LSI)
			s->status &= (uint8_t)~XICS_SENT;
		note_source(m->xics, irq - XICS_IRQ_BASE);
	}
	if (!xisr(sc))
		icp_resend(m, sc);
}

/* ---- Life ---- */

static bool xics_init(struct device *dev, struct error *err)
{
	struct xics *xics = (struct xics *)dev;

	(void)err;
	for (unsigned n = 0; n < XICS_IRQS; n++)
		xics->source[n].priority = xics->source[n].saved_priority = XICS_PRIORITY_OFF;
	claim_source(xics, IRQ_EPOW, XICS_MSI);
	claim_source(xics, IRQ_HOTPLUG, XICS_MSI);
	dev->machine->xics = xics;
	return true;
}

void xics_cpu_reset(struct spapr_cpu *sc)
{
	sc->xirr = 0;
	sc->xirr_owner = 0;
	sc->mfrr = sc->pending_priority = XICS_PRIORITY_OFF;
	line_lower(sc);
}

static void xics_reset(struct device *dev)
{
	struct machine *m = dev->machine;
	struct xics *xics = m->xics;

	for (unsigned n = 0; n < XICS_IRQS; n++)
		xics->source[n] = (struct xics_source){
			.priority = XICS_PRIORITY_OFF, .saved_priority = XICS_PRIORITY_OFF,
			.kind = xics->source[n].kind,
		};
	memset(xics->resend, 0, sizeof xics->resend);
	for (unsigned i = 0; i < m->ncpus; i++)
		xics_cpu_reset(m->cpu[i]);
}

void xics_lines(struct machine *m)
{
	for (unsigned i = 0; i < m->ncpus; i++)
		if (xisr(m->cpu[i]))
			line_raise(m, m->cpu[i]);
		else
			line_lower(m->cpu[i]);
}

/* A snapshot of another hypervisor does not say which source is behind XISR, nor which processors' lines are high: both
 * follow from XIRR. Interrupts that wait are presented again. */
static void adopt_presentation(struct machine *m)
{
	for (unsigned i = 0; i < m->ncpus; i++)
		m->cpu[i]->xirr_owner = xics_valid(m, xisr(m->cpu[i])) ? xisr(m->cpu[i]) : 0;
	xics_lines(m);
	for (unsigned i = 0; i < m->ncpus; i++)
		icp_resend(m, m->cpu[i]);
}

static void xics_loaded(struct device *dev, bool foreign)
{
	for (unsigned n = 0; n < XICS_IRQS; n++)
		note_source((struct xics *)dev, n);
	if (foreign && !irq_by_xive(dev->machine))
		adopt_presentation(dev->machine);
}

static void xics_fdt(struct device *dev, struct tree *t, int parent)
{
	int at;

	if (irq_by_xive(dev->machine))
		return;
	at = node_add(t, parent, "interrupt-controller");
	node_string(t, at, "device_type", "PowerPC-External-Interrupt-Presentation");
	node_string(t, at, "compatible", "IBM,ppc-xicp");
	node_flag(t, at, "interrupt-controller");
	NODE_CELLS(t, at, "ibm,interrupt-server-ranges", 0, dev->machine->ncpus);
	node_cell(t, at, "#interrupt-cells", 2);
	node_cell(t, at, "linux,phandle", NODE_PHANDLE_IRQ);
	node_cell(t, at, "phandle", NODE_PHANDLE_IRQ);
}

/* ---- Snapshots: `ics` and `icp/server`. Kind and status have QEMU's numbers ---- */

#define STATUS_KNOWN (XICS_ASSERTED | XICS_SENT | XICS_REJECTED | XICS_MASKED_PENDING)

static bool source_post_load(void *s, uint32_t version, struct vms_walk *w)
{
	struct xics_source *source = s;

	(void)version;
	(void)w;
	source->status &= STATUS_KNOWN;		/* QEMU has two more for itself */
	return true;
}

static const struct vmstate source_state = {
	.name = "ics/irq", .version = 2, .min_version = 1, VMS_OF(struct xics_source), .post_load = source_post_load,
	.fields = VMS_FIELDS(
		VMS_U32(struct xics_source, server),
		VMS_U8(struct xics_source, priority),
		VMS_U8(struct xics_source, saved_priority),
		VMS_U8(struct xics_source, status),
		VMS_ONE("flags", struct xics_source, kind, uint8_t, vms_u8, .limited = true, .most = XICS_MSI)),
};

static uint64_t irqs_get(const void *s, unsigned i)
{
	(void)s;
	(void)i;
	return XICS_IRQS;
}

static bool irqs_put(void *s, unsigned i, uint64_t v)
{
	return v == irqs_get(s, i);
}

static const struct vmstate ics_state = {
	.name = "ics", .version = 1, .min_version = 1, VMS_OF(struct xics),
	.fields = VMS_FIELDS(
		{ .name = "nr_irqs", .kind = VMS_CALCULATED, .codec = &vms_u32, .count = 1, .equal = true,
		  .get = irqs_get, .put = irqs_put },
		VMS_STRUCT_ARRAY("irqs", struct xics, source, struct xics_source, source_state),
		VMS_SKIP(struct xics, dev, "what and where it is"), VMS_SKIP(struct xics, resend, "follows from the sources")),
};

static const struct vmstate icp_state = {
	.name = "icp/server", .version = 1, .min_version = 1, VMS_OF(struct spapr_cpu),
	.fields = VMS_FIELDS(
		VMS_U32(struct spapr_cpu, xirr),
		VMS_U8(struct spapr_cpu, pending_priority),
		VMS_U8(struct spapr_cpu, mfrr)),
};

/* ---- The device ---- */

static void *the_presenter(struct device *dev, struct spapr_cpu *const *cpu, unsigned i)
{
	(void)dev;
	return cpu[i];
}

static const struct device_section xics_sections[] = {
	{ .state = &ics_state },
	{ .state = &icp_state, .each_cpu = true, .object = the_presenter },
	{ .state = NULL },
};

static unsigned xics_on_board(const struct config *config)
{
	return config->ic_mode != IC_XIVE;
}

const struct device_class xics_class = {
	.name = "ics-spapr", .help = "XICS interrupt controller", .size = sizeof(struct xics), .early = true,
	.on_board = xics_on_board, .init = xics_init, .reset = xics_reset, .fdt = xics_fdt, .loaded = xics_loaded,
	.sections = xics_sections,
};
