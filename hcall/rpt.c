/* H_RPT_INVALIDATE: a radix guest that has no tlbie (LPCR[GTSE] is 0) has the hypervisor invalidate what it has changed in
 * its page tables. PAPR, "H_RPT_INVALIDATE".
 *
 * -M cap-rpt-invalidate=on offers it. A range that takes too many pages is its whole process: so much may always go.
 */
#include "cpu/engine/forget.h"
#include "hcall/hcall.h"
#include "machine/core/config.h"

#define TARGET_CORES 0x1		/* of all processors */
#define TARGET_CORE  0x2		/* of the caller's alone */
#define TARGET_NEST  0x4		/* of accelerators: there are none */

#define TYPE_NESTED  0x1		/* of a guest's guest, which there are none of */
#define TYPE_TLB     0x2
#define TYPE_WALK    0x4		/* caches of upper levels: TLBs and timing models keep none that could be wrong */
#define TYPE_TABLE   0x8		/* of the process table's entry */

#define PAGES_MOST   32			/* that are named one by one */
#define WORK_OF_FLUSH (UINT64_C(16) << 10)	/* hcall_worked(), of a page or a process on one processor */

/* Sizes of pages, by their bit of the argument. */
static const uint8_t shifts[] = { 12, 16, 21, 30 };
#define SIZES ((1u << ARRAY_SIZE(shifts)) - 1)

struct range {
	uint64_t pid, start, end;	/* end: behind it */
	bool everywhere;
};

static void count_work(struct cpu *cpu, const struct range *r, uint64_t flushes)
{
	struct machine *m = cpu_machine(cpu);

	hcall_worked(m, flushes * (r->everywhere ? m->ncpus : 1) * WORK_OF_FLUSH);
}

static void forget_process(struct cpu *cpu, const struct range *r)
{
	forget_pid(cpu, r->pid, r->everywhere);
	count_work(cpu, r, 1);
}

/* False: too many. */
static bool forget_range(struct cpu *cpu, const struct range *r, unsigned shift)
{
	uint64_t first = r->start >> shift, last = (r->end - 1) >> shift;

	if (last - first >= PAGES_MOST)
		return false;
	for (uint64_t page = first; page <= last; page++)
		forget_page(cpu, r->pid, page << shift, shift, r->everywhere);
	count_work(cpu, r, last - first + 1);
	return true;
}

static void forget_ranges(struct cpu *cpu, const struct range *r, uint64_t sizes)
{
	if (r->start == r->end)
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(shifts); i++)
		if (sizes >> i & 1 && !forget_range(cpu, r, shifts[i])) {
			forget_process(cpu, r);
			return;
		}
}

HCALL_FN(H_RPT_INVALIDATE)
{
	struct machine *m = cpu_machine(cpu);
	uint64_t target = in[1], type = in[2], sizes = in[3];
	struct range range = { .pid = in[0], .start = in[4], .end = in[5], .everywhere = target & TARGET_CORES };

	if (!m->config->rpt_invalidate)
		return H_FUNCTION;
	if (!m->radix)
		return H_UNSUPPORTED;
	if (range.pid >> 32)
		return H_PARAMETER;
	if (!target || target & ~(uint64_t)(TARGET_CORES | TARGET_CORE | TARGET_NEST))
		return H_P2;
	if (type & TYPE_NESTED)
		return H_FUNCTION;
	if (!type || type & ~(uint64_t)(TYPE_TLB | TYPE_WALK | TYPE_TABLE))
		return H_P3;
	if (!(sizes & SIZES))
		return H_P4;
	if (range.end < range.start)
		return H_P5;
	if (!(target & (TARGET_CORES | TARGET_CORE)))
		return H_SUCCESS;
	if (type & TYPE_TABLE)
		forget_process(cpu, &range);
	else if (type & TYPE_TLB)
		forget_ranges(cpu, &range, sizes);
	return H_SUCCESS;
}
