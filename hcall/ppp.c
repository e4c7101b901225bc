/* What a partition may know of its share of the processors, and change of it: capacity, the pool, and
 * what each thread has used. PAPR, "Shared Processor LPAR Option": H_GET_PPP, H_SET_PPP, H_PURR, H_PIC.
 *
 * Capacities are in hundredths of a processor, times in timebase ticks. The tree says
 * ibm,partition-performance-parameters-level 1, so the registers of that level are filled, too.
 */
#include "cpu/core/timebase.h"
#include "hcall/dispatcher.h"
#include "hcall/hcall.h"

#define GROUP          UINT64_C(0)	/* neither groups nor pools are numbered: there is one of each */
#define POOL           UINT64_C(0)
#define DEDICATED_POOL UINT64_C(0xffff)	/* PAPR: a dedicated partition is in none */
#define MAX_WEIGHT     255

/* H_GET_PPP, r7 */
#define PPP_CAPPED         PPC_BIT(15)
#define PPP_WEIGHT(w)      ((uint64_t)(w) << 40)
#define PPP_IN_POOL(n)     ((uint64_t)(n) << 16)
#define PPP_ON_PLATFORM(n) ((uint64_t)(n))
/* r8 */
#define PPP_VIRTUALIZED(n) ((uint64_t)(n) << 48)
#define PPP_POOL_MAX(c)    ((uint64_t)(c) << 24)
#define PPP_POOL_ENTITLED(c) ((uint64_t)(c))

static void dedicated_ppp(const struct machine *m, uint64_t *out)
{
	out[0] = dispatcher_entitlement(m);
	out[2] = GROUP << 16 | DEDICATED_POOL;
	out[3] = PPP_CAPPED | PPP_ON_PLATFORM(m->dispatcher->procs);
}

/* Weights are not dealt out from a stock: none is unallocated. */
static void shared_ppp(const struct dispatcher *d, uint64_t *out)
{
	const struct partition *guest = &d->partition[PARTITION_GUEST];
	uint64_t all = (uint64_t)POOL_UNIT * d->procs;
	uint64_t entitled = (uint64_t)guest->entitlement + d->partition[PARTITION_LOAD].entitlement;

	out[0] = guest->entitlement;
	out[1] = all > entitled ? all - entitled : 0;
	out[2] = GROUP << 16 | POOL;
	out[3] = (guest->capped ? PPP_CAPPED : 0) | PPP_WEIGHT(guest->weight) | PPP_IN_POOL(d->procs) |
		 PPP_ON_PLATFORM(d->procs);
	out[4] = PPP_VIRTUALIZED(d->procs) | PPP_POOL_MAX(all) | PPP_POOL_ENTITLED(entitled);
}

HCALL_FN(H_GET_PPP)
{
	const struct machine *m = cpu_machine(cpu);

	if (m->dispatcher->shared)
		shared_ppp(m->dispatcher, out);
	else
		dedicated_ppp(m, out);
	return H_SUCCESS;
}

/* Both values at once, or as much of each as there may be. */
HCALL_FN(H_SET_PPP)
{
	struct machine *m = cpu_machine(cpu);
	bool fits;

	if (in[1] > MAX_WEIGHT)
		return H_PARAMETER;
	fits = dispatcher_set_capacity(m, in[0], in[1]);
	machine_kick(m);		/* the dispatcher is to look at once */
	return fits ? H_SUCCESS : H_CONSTRAINED;
}

/* The same as mfspr reads. */
HCALL_FN(H_PURR)
{
	out[0] = cpu_purr(cpu, cpu->cycles);
	return H_SUCCESS;
}

/* For a partition whose option vectors say that it knows no shared processors the call is not there (PAPR:
 * H_Function); one with dedicated processors has no pool (H_Authority). There is one pool, so its numbers and those of
 * all pools together are the same. SPURR runs as PURR does: the clock is constant. */
HCALL_FN(H_PIC)
{
	struct machine *m = cpu_machine(cpu);
	const struct dispatcher *d = m->dispatcher;
	uint64_t idle;

	if (m->splpar_off)
		return H_FUNCTION;
	if (!d->shared)
		return H_AUTHORITY;
	idle = dispatcher_idle_cycles(m);
	out[0] = idle / CYCLES_PER_TICK;
	out[1] = d->procs;
	out[2] = out[6] = d->procs * (machine_now(m) - d->since) / CYCLES_PER_TICK;
	out[3] = out[4] = out[7] = out[8] = out[2] - out[0];	/* a processor that is not idle runs a virtual one */
	out[5] = POOL;
	return H_SUCCESS;
}
