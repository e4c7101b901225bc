/* Invalidations. See forget.h. */
#include "cpu/engine/forget.h"

#include "cpu/engine/charge.h"
#include "cpu/engine/tlb.h"

#define QUADRANT PPC_MASK(0, 1)
#define KERNEL   QUADRANT	/* quadrant 3 */

void forget_all(struct cpu *cpu, bool everywhere)
{
	(everywhere ? tlb_flush_all_everywhere : tlb_flush_all)(cpu);
	charge_flush_all(cpu, everywhere);
}

void forget_pid(struct cpu *cpu, uint64_t pid, bool everywhere)
{
	(everywhere ? tlb_flush_pid_everywhere : tlb_flush_pid)(cpu, pid);
	charge_flush_pid(cpu, pid, everywhere);
}

static void forget_at(struct cpu *cpu, uint64_t pid, uint64_t ea, unsigned shift, bool everywhere)
{
	(everywhere ? tlb_flush_page_everywhere : tlb_flush_page)(cpu, pid, ea, shift);
	charge_flush_page(cpu, pid, ea, shift, everywhere);
}

/* PID 0 is reached through quadrant 3 by everybody, and through quadrant 0 by itself. */
void forget_page(struct cpu *cpu, uint64_t pid, uint64_t ea, unsigned shift, bool everywhere)
{
	ea &= ~QUADRANT & PPC_MASK(0, 51);
	forget_at(cpu, pid, ea, shift, everywhere);
	if (pid == 0)
		forget_at(cpu, pid, ea | KERNEL, shift, everywhere);
}
