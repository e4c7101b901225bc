/* XIVE's pages: which load or store means what. Registers are big-endian, and an access may have any size that the board
 * lets through: a trigger has no value, and bits of an ESB are in the last byte of what a load gives. */
#include "machine/irq/irq.h"
#include "machine/irq/xive.h"

#define PAGE_SIZE_XIVE (UINT64_C(1) << XIVE_PAGE_SHIFT)

/* What the board has as a little-endian number of `size` bytes. */
static uint64_t swapped(uint64_t value, unsigned size)
{
	return __builtin_bswap64(value) >> (64 - 8 * size);
}

static uint64_t complain(struct machine *m, const char *what, uint64_t offset)
{
	machine_log(m, LOG_GUEST_ERROR, "XIVE: no %s at 0x%llx", what, (unsigned long long)offset);
	return UINT64_MAX;
}

/* ---- ESBs: what an access means follows from its place in the page, which is 4 KiB over and over ---- */

#define ESB_OFFSET 0xfff

enum esb_access { ESB_TRIGGER, ESB_EOI, ESB_GET, ESB_SET, ESB_NONE };

static enum esb_access esb_load_means(uint64_t offset)
{
	offset &= ESB_OFFSET;
	return offset < 0x800 ? ESB_EOI : offset < 0xc00 ? ESB_GET : ESB_SET;
}

/* An EOI by a store is an option that H_INT_GET_SOURCE_INFO does not offer. */
static enum esb_access esb_store_means(uint64_t offset)
{
	offset &= ESB_OFFSET;
	return offset < 0x400 ? ESB_TRIGGER : offset < 0xc00 ? ESB_NONE : ESB_SET;
}

static uint8_t esb_bits(uint64_t offset)
{
	return offset >> 8 & XIVE_PQ;
}

static bool is_first_page(uint64_t offset)
{
	return !(offset & PAGE_SIZE_XIVE);
}

uint64_t xive_esb_load(struct machine *m, uint32_t lisn, uint64_t offset)
{
	switch (esb_load_means(offset)) {
	case ESB_EOI:
		return xive_eoi(m, lisn);
	case ESB_GET:
		return m->xive->status[lisn] & XIVE_PQ;
	default:
		return xive_set_pq(m, lisn, esb_bits(offset));
	}
}

void xive_esb_store(struct machine *m, uint32_t lisn, uint64_t offset)
{
	switch (esb_store_means(offset)) {
	case ESB_TRIGGER:
		xive_trigger(m, lisn);
		break;
	case ESB_SET:
		xive_set_pq(m, lisn, esb_bits(offset));
		break;
	default:
		complain(m, "store to an ESB", offset);
	}
}

static uint64_t esb_load(void *opaque, uint64_t offset, unsigned size)
{
	struct machine *m = opaque;

	if (is_first_page(offset))
		return complain(m, "load from a trigger page", offset);
	return swapped(xive_esb_load(m, (uint32_t)(offset >> (XIVE_PAGE_SHIFT + 1)), offset), size);
}

static void esb_store(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	struct machine *m = opaque;
	uint32_t lisn = (uint32_t)(offset >> (XIVE_PAGE_SHIFT + 1));

	(void)size;
	(void)value;
	if (is_first_page(offset))
		xive_trigger(m, lisn);
	else
		xive_esb_store(m, lisn, offset);
}

/* ---- ESBs of ENDs: the first page is ESn's, the second one ESe's. Loads only ---- */

static uint64_t end_load(void *opaque, uint64_t offset, unsigned size)
{
	struct machine *m = opaque;
	uint32_t n = (uint32_t)(offset >> (XIVE_PAGE_SHIFT + 1));
	bool escalation = !is_first_page(offset);
	uint8_t before = xive_end_pq(m, n, escalation);
	enum esb_access means = esb_load_means(offset);

	if (!(m->xive->end[n].w0 & END0_VALID))
		return complain(m, "queue with that ESB", offset);
	if (means == ESB_EOI)
		return swapped(xive_end_eoi(m, n, escalation), size);
	if (means == ESB_SET)
		xive_end_set_pq(m, n, escalation, esb_bits(offset));
	return swapped(before, size);
}

static void end_store(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	(void)size;
	(void)value;
	complain(opaque, "store to a queue's ESB", offset);
}

/* ---- The thread's context: that of the processor which makes the access ---- */

#define TIMA_SPECIAL     0x800		/* from here on accesses are commands */
#define TIMA_ACK_OS      0x810		/* load of 2 bytes: acknowledges */
#define TIMA_SET_PENDING 0x812		/* store of 1 byte: that priority is pending */
#define TIMA_ACK_LINE    0xc10		/* store of 1 byte: acknowledges into the reporting line */
#define TIMA_PAGE_OFFSET 0xfff

#define R  1
#define W  2

/* What a page lets through of each register. The third and fourth ring are not for guests. */
static const uint8_t os_view[2 * TIMA_RING] = {
	[TIMA_USER_NSR] = R | W,
	[TIMA_USER_WORD2] = R | W, R | W, R | W, R | W,
	[TIMA_NSR] = R, [TIMA_CPPR] = R | W, [TIMA_IPB] = R, [TIMA_LSMFB] = R, [TIMA_ACK_COUNT] = R, [TIMA_INC] = R,
	[TIMA_PIPR] = R,
};
static const uint8_t user_view[2 * TIMA_RING] = { [TIMA_USER_NSR] = R | W };

static const uint8_t *view_of(uint64_t offset)
{
	return is_first_page(offset) ? os_view : user_view;
}

/* The guest's own thread; NULL: it is nobody that has one. */
static struct spapr_cpu *accessor(const struct machine *m)
{
	return m->running ? cpu_spapr(m->running) : NULL;
}

static void acknowledge_into_line(struct machine *m, uint32_t server)
{
	struct xive_tctx *tctx = &m->xive->tctx[server];

	xive_acknowledge(m, server);
	if (tctx->line != XIVE_NO_LINE)
		ram_write(&m->ram, tctx->line, tctx->regs + TIMA_NSR, TIMA_RING);
}

static uint64_t tima_load(void *opaque, uint64_t offset, unsigned size)
{
	struct machine *m = opaque;
	const struct spapr_cpu *sc = accessor(m);
	uint64_t at = offset & TIMA_PAGE_OFFSET, value = 0;

	if (!sc)
		return UINT64_MAX;
	if (at == TIMA_ACK_OS && size == 2 && is_first_page(offset))
		return swapped(xive_acknowledge(m, sc->cpu.index), size);
	if (at >= TIMA_SPECIAL)
		return complain(m, "load command of the TIMA", offset);
	at %= 4 * TIMA_RING;
	for (unsigned i = 0; i < size && at + i < 2 * TIMA_RING; i++)
		if (view_of(offset)[at + i] & R)
			value |= (uint64_t)m->xive->tctx[sc->cpu.index].regs[at + i] << 8 * i;
	return value;
}

static void tima_store(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	struct machine *m = opaque;
	const struct spapr_cpu *sc = accessor(m);
	uint64_t at = offset & TIMA_PAGE_OFFSET;

	if (!sc)
		return;
	if (at >= TIMA_SPECIAL) {
		if (at == TIMA_SET_PENDING && size == 1 && is_first_page(offset))
			xive_set_pending(m, sc->cpu.index, (uint8_t)value);
		else if (at == TIMA_ACK_LINE && size == 1 && is_first_page(offset))
			acknowledge_into_line(m, sc->cpu.index);
		else
			complain(m, "store command of the TIMA", offset);
		return;
	}
	at %= 4 * TIMA_RING;
	for (unsigned i = 0; i < size && at + i < 2 * TIMA_RING; i++) {
		uint8_t byte = (uint8_t)(value >> 8 * i);

		if (!(view_of(offset)[at + i] & W))
			continue;
		if (at + i == TIMA_CPPR)
			xive_set_cppr(m, sc->cpu.index, byte);
		else
			m->xive->tctx[sc->cpu.index].regs[at + i] = byte;
	}
}

/* ---- The machine's map ---- */

void xive_map(struct machine *m, bool on)
{
	struct xive *xive = m->xive;
	struct mmio_window *window[] = { &xive->esb, &xive->end_esb, &xive->tima };

	xive->esb = (struct mmio_window){ XIVE_ESB_BASE, XIVE_SOURCES * 2 * PAGE_SIZE_XIVE, esb_load, esb_store, m, xive->esb.next };
	xive->end_esb = (struct mmio_window){ XIVE_END_BASE, xive->ends * 2 * PAGE_SIZE_XIVE, end_load, end_store, m, xive->end_esb.next };
	xive->tima = (struct mmio_window){ XIVE_TIMA_OS, 2 * PAGE_SIZE_XIVE, tima_load, tima_store, m, xive->tima.next };
	for (unsigned i = 0; i < ARRAY_SIZE(window); i++) {
		mmio_remove(m, window[i]);
		if (on)
			mmio_add(m, window[i]);
	}
}
