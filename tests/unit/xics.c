/* The interrupt controller's transitions: what a processor is shown after which calls. */
#include <stdarg.h>

#include "check.h"
#include "machine/irq/xics.h"

#define LSI 0x1100
#define MSI 0x1200
#define IPI XICS_IPI
#define ALL 0xff		/* CPPR: lets everything through */

struct board {
	struct machine *m;
	struct spapr_cpu *sc[2];
};

static struct board board_new(void)
{
	struct board b = { .m = calloc(1, sizeof *b.m) };
	struct error err;

	if (!device_new(b.m, &xics_class, NULL, &err))
		exit(EXIT_FAILURE);
	for (unsigned i = 0; i < 2; i++) {
		b.sc[i] = aligned_alloc(64, (sizeof *b.sc[i] + 63) & ~(size_t)63);
		memset(b.sc[i], 0, sizeof *b.sc[i]);
		b.m->cpu[b.m->ncpus++] = b.sc[i];
	}
	devices_reset(b.m);
	return b;
}

static void board_free(struct board *b)
{
	for (unsigned i = 0; i < 2; i++)
		free(b->sc[i]);
	devices_free(b->m);
	free(b->m);
}

static bool line(const struct spapr_cpu *sc) { return sc->cpu.irq & IRQ_EXTERNAL; }

static void test_reset(struct board *b)
{
	check(!line(b->sc[0]), "reset-line-low");
	check_eq(b->sc[0]->xirr, 0, "reset-nothing-shown");
	check_eq(b->sc[0]->mfrr, 0xff, "reset-no-ipi");
	xics_set_mfrr(b->m, b->sc[0], 0);
	check(!line(b->sc[0]), "reset-cppr-masks-all");
	xics_set_mfrr(b->m, b->sc[0], 0xff);
	check(!xics_valid(b->m, 0) && !xics_valid(b->m, XICS_IRQ_BASE - 1) && !xics_valid(b->m, XICS_IRQ_BASE + XICS_IRQS) &&
	      !xics_valid(b->m, UINT64_MAX) && xics_valid(b->m, IRQ_EPOW), "valid-sources");
	check(xics_claim(b->m, LSI, true) && xics_claim(b->m, MSI, false), "claim");
	check(!xics_claim(b->m, LSI, true) && !xics_claim(b->m, XICS_IRQ_BASE + XICS_IRQS, true) &&
	      !xics_claim(b->m, 0, false), "claim-refused");
}

static void test_ipi(struct board *b)
{
	struct machine *m = b->m;
	struct spapr_cpu *sc = b->sc[0];

	xics_set_cppr(m, sc, ALL);
	xics_set_mfrr(m, sc, 4);
	check(line(sc) && (sc->xirr & 0xffffff) == IPI, "ipi-shown");
	check(!line(b->sc[1]), "ipi-only-there");
	check_eq(xics_accept(sc), 0xff000000 | IPI, "ipi-accepted");
	check(!line(sc) && sc->xirr >> 24 == 4, "accepting-sets-cppr");
	check_eq(xics_accept(sc), 0x04000000, "accept-of-nothing-keeps-cppr");
	/* MFRR stays: the IPI comes back at its end. */
	xics_eoi(m, sc, 0xff000000 | IPI);
	check(line(sc), "ipi-again-while-mfrr-asks");
	xics_accept(sc);
	xics_set_mfrr(m, sc, 0xff);
	xics_eoi(m, sc, 0xff000000 | IPI);
	check(!line(sc) && sc->xirr >> 24 == 0xff, "ipi-gone");
	/* Less favoured than CPPR: waits. */
	xics_set_cppr(m, sc, 3);
	xics_set_mfrr(m, sc, 3);
	check(!line(sc), "ipi-of-same-priority-waits");
	xics_set_cppr(m, sc, 4);
	check(line(sc), "ipi-shown-when-cppr-rises");
	xics_set_cppr(m, sc, 2);
	check(!line(sc), "taken-back-when-cppr-falls");
	xics_set_cppr(m, sc, ALL);
	check(line(sc), "and-shown-again");
	xics_accept(sc);
	xics_set_mfrr(m, sc, 0xff);
	xics_eoi(m, sc, (uint32_t)ALL << 24 | IPI);
}

static void test_lsi(struct board *b)
{
	struct machine *m = b->m;
	struct spapr_cpu *sc = b->sc[1];

	xics_set_cppr(m, sc, ALL);
	xics_set_irq(m, LSI, true);
	check(!line(sc), "lsi-off");
	xics_route(m, LSI, 1, 5, 5);
	check(line(sc) && (sc->xirr & 0xffffff) == LSI, "lsi-shown-when-routed");
	check_eq(xics_accept(sc), 0xff000000 | LSI, "lsi-accepted");
	check(!line(sc), "lsi-once");
	xics_eoi(m, sc, 0xff000000 | LSI);
	check(line(sc), "lsi-again-while-high");
	xics_accept(sc);
	xics_set_irq(m, LSI, false);
	xics_eoi(m, sc, 0xff000000 | LSI);
	check(!line(sc), "lsi-gone-when-low");
	/* Moves to another processor. */
	xics_route(m, LSI, 0, 5, 5);
	xics_set_irq(m, LSI, true);
	check(!line(sc) && line(b->sc[0]), "lsi-routed-elsewhere");
	xics_accept(b->sc[0]);
	xics_set_irq(m, LSI, false);
	xics_eoi(m, b->sc[0], 0xff000000 | LSI);
}

static void test_msi(struct board *b)
{
	struct machine *m = b->m;
	struct spapr_cpu *sc = b->sc[0];

	xics_set_irq(m, MSI, true);
	check(!line(sc), "msi-off");
	xics_route(m, MSI, 0, 6, 6);
	check(line(sc), "msi-kept-while-off");
	xics_accept(sc);
	xics_eoi(m, sc, 0xff000000 | MSI);
	check(!line(sc), "msi-once");
	/* A more favoured one pushes it out; it comes back. */
	xics_set_irq(m, MSI, true);
	xics_set_mfrr(m, sc, 2);
	check_eq(sc->xirr & 0xffffff, IPI, "more-favoured-shown");
	xics_accept(sc);
	xics_set_mfrr(m, sc, 0xff);
	check(!line(sc), "less-favoured-waits");
	xics_eoi(m, sc, 0xff000000 | IPI);
	check(line(sc) && (sc->xirr & 0xffffff) == MSI, "pushed-out-comes-back");
	xics_accept(sc);
	/* Nesting: one more favoured while the other is being worked on. */
	xics_set_mfrr(m, sc, 3);
	check(line(sc), "nested");
	check_eq(xics_accept(sc), 0x06000000 | IPI, "nested-accept");
	xics_set_mfrr(m, sc, 0xff);
	xics_eoi(m, sc, 0x06000000 | IPI);
	xics_set_irq(m, MSI, true);
	check(!line(sc), "same-priority-waits-for-eoi");
	xics_eoi(m, sc, 0xff000000 | MSI);
	check(line(sc), "comes-at-eoi");
	xics_accept(sc);
	xics_eoi(m, sc, 0xff000000 | MSI);
	xics_eoi(m, sc, 0xff000000 | 0xffffff);
	xics_eoi(m, sc, 0xff000000 | 0x2000);
	check(!line(sc), "eoi-of-nonsense");
}

/* An MSI is neither lost nor doubled, whatever CPPR and MFRR do. */
static void test_random(struct board *b)
{
	struct machine *m = b->m;
	struct spapr_cpu *sc = b->sc[0];
	uint64_t seed = 3;
	unsigned pending = 0, lost = 0, wrong = 0;

	xics_set_cppr(m, sc, ALL);
	for (unsigned step = 0; step < 20000; step++) {
		switch (check_random(&seed) % 5) {
		case 0:
			if (!pending) {
				xics_set_irq(m, MSI, true);
				pending = 1;
			}
			break;
		case 1: xics_set_cppr(m, sc, (uint8_t)(check_random(&seed) % 16)); break;
		case 2: xics_set_mfrr(m, sc, (uint8_t)(check_random(&seed) % 16)); break;
		case 3: xics_set_mfrr(m, sc, 0xff); break;
		case 4: {
			uint32_t xirr = xics_accept(sc);

			if ((xirr & 0xffffff) == MSI) {
				wrong += !pending;
				pending = 0;
			} else if (xirr & 0xffffff) {
				wrong += (xirr & 0xffffff) != IPI;
			}
			if (xirr & 0xffffff)
				xics_eoi(m, sc, xirr);
			break;
		}
		}
		wrong += line(sc) != !!(sc->xirr & 0xffffff);
		wrong += (sc->xirr & 0xffffff) && sc->pending_priority >= sc->xirr >> 24;
	}
	xics_set_mfrr(m, sc, 0xff);
	xics_set_cppr(m, sc, 0);
	xics_set_cppr(m, sc, ALL);
	if (line(sc) && (sc->xirr & 0xffffff) == IPI)
		xics_eoi(m, sc, xics_accept(sc));
	lost = pending && !(line(sc) && (sc->xirr & 0xffffff) == MSI);
	check(!wrong, "random: %u wrong", wrong);
	check(!lost, "random-none-lost");
}

int main(void)
{
	struct board b = board_new();

	test_reset(&b);
	test_ipi(&b);
	test_lsi(&b);
	test_msi(&b);
	test_random(&b);
	xics_route(b.m, LSI, 0, 5, 5);
	xics_set_irq(b.m, LSI, true);
	devices_reset(b.m);
	check(!line(b.sc[0]) && !b.sc[0]->xirr && xics_source(b.m, LSI)->priority == 0xff &&
	      xics_source(b.m, LSI)->kind == XICS_LSI, "reset-again");
	board_free(&b);
	return check_done();
}
