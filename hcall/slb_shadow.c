/* The SLB shadow buffer: segments that a dispatch brings back.
 *
 * A guest says there which of its SLB entries persist. Whatever the processor's SLB holds otherwise is kept over a dispatch,
 * as PAPR allows: to drop it would only cost the guest interrupts.
 * Source: PAPR, "SLB Shadow Buffer".
 */
#include "cpu/engine/space.h"
#include "cpu/engine/tlb.h"
#include "cpu/mmu/slb.h"
#include "hcall/splpar.h"

#define SHADOW_COUNT 0			/* persistent entries */
#define SHADOW_ENTRIES 16		/* then so many times RB and RS of slbmte */

/* The hypervisor does not check the count, and takes no more than there is room for. */
static unsigned count_persistent(const struct machine *m, const struct spapr_cpu *sc)
{
	uint64_t n = ld_be32(&m->ram, sc->slb_shadow_addr + SHADOW_COUNT), room;

	if (sc->slb_shadow_size < SHADOW_ENTRIES)
		return 0;
	room = (sc->slb_shadow_size - SHADOW_ENTRIES) / SHADOW_ENTRIES;
	if (n > room)
		n = room;
	return n < SLB_ENTRIES ? (unsigned)n : SLB_ENTRIES;
}

void slb_shadow_load(struct machine *m, struct spapr_cpu *sc)
{
	struct cpu *cpu = &sc->cpu;
	unsigned n;

	if (!sc->slb_shadow_addr || cpu->lpcr & LPCR_HR)
		return;
	n = count_persistent(m, sc);
	for (unsigned i = 0; i < n; i++) {
		uint64_t at = sc->slb_shadow_addr + SHADOW_ENTRIES + SHADOW_ENTRIES * (uint64_t)i;
		uint64_t rb = ld_be64(&m->ram, at) & (SLB_ESID | SLB_V), rs = ld_be64(&m->ram, at + 8);

		slb_put(cpu, i, slb_segment_ok(cpu, rs) ? rb : rb & ~SLB_V, rs);
	}
	cpu_context_changed(cpu);
}
