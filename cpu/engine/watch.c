#include "cpu/engine/watch.h"

#include "cpu/engine/block.h"
#include "cpu/engine/points.h"
#include "cpu/engine/tlb.h"

#define DAWRX_MRD(dawrx) ((unsigned)((dawrx) >> 10) & 63)	/* bits 48:53: doublewords, less one */
#define REGION 512						/* bytes: before POWER10 no range goes beyond such */

#define DSISR_STORE      PPC_BIT32(6)
#define DSISR_WATCHPOINT PPC_BIT32(9)

void watch_set_data(struct cpu *cpu, unsigned n, uint64_t dawr, uint64_t dawrx)
{
	cpu->dawr[n] = dawr & ~UINT64_C(7);
	cpu->dawrx[n] = dawrx;
	tlb_flush_all(cpu);
}

void watch_set_completion(struct cpu *cpu, uint64_t ciabr)
{
	cpu->ciabr = ciabr;
	ctx_forget_blocks(cpu);
	cpu->link = NULL;
}

static uint64_t last_byte(const struct cpu *cpu, unsigned n)
{
	uint64_t first = cpu->dawr[n], last = first + 8 * DAWRX_MRD(cpu->dawrx[n]) + 7;

	return cpu->engine->level < P10 && last / REGION != first / REGION ? first | (REGION - 1) : last;
}

bool watch_in_page(const struct cpu *cpu, uint64_t ea)
{
	for (unsigned n = 0; n < ARRAY_SIZE(cpu->dawr); n++)
		if (cpu->dawrx[n] & (DAWRX_DW | DAWRX_DR) && (TLB_PAGE(cpu->dawr[n]) == TLB_PAGE(ea) || TLB_PAGE(last_byte(cpu, n)) == TLB_PAGE(ea)))
			return true;
	return points_in_page(cpu, ea);
}

/* Whatever the address. */
static bool kind_matches(const struct cpu *cpu, uint64_t dawrx, bool store)
{
	return dawrx & (store ? DAWRX_DW : DAWRX_DR) && dawrx & (cpu->msr & MSR_PR ? DAWRX_PRO : DAWRX_PNH) &&
	       (dawrx & DAWRX_WTI || !(dawrx & DAWRX_WT) == !(cpu->msr & MSR_DR));
}

bool watch_raise(struct cpu *cpu, const struct op *op, uint64_t ea, unsigned size, bool store)
{
	for (unsigned n = 0; n < ARRAY_SIZE(cpu->dawr); n++) {
		uint64_t first = cpu->dawr[n];

		if (!kind_matches(cpu, cpu->dawrx[n], store) || ea > last_byte(cpu, n) || ea + size - 1 < first)
			continue;
		cpu->dar = ea > first ? ea : first;
		cpu->dsisr = DSISR_WATCHPOINT | (store ? DSISR_STORE : 0);
		raise_interrupt(cpu, op, VEC_DATA_STORAGE, 0);
		return true;
	}
	return false;
}
