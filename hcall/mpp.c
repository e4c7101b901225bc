/* Memory performance. PAPR, "Cooperative Memory Over-commitment Option": H_GET_MPP and company.
 *
 * The partition's memory is its own, all of it backed all the time: the option is not offered in
 * ibm,client-architecture-support and has no system parameter 44. The calls are there all the same,
 * as a whole set, because Linux' lparcfg asks for them whatever the set is; they answer as PAPR has it
 * for dedicated memory. What needs authority over the platform is refused.
 */
#include "hcall/hcall.h"

#define NOT_APPLICABLE UINT64_MAX
#define DEDICATED_POOL 0xffff		/* group 0 above it */

/* The entitlement to map memory for I/O, and all that backs the partition, is the whole memory. */
HCALL_FN(H_GET_MPP)
{
	const struct machine *m = cpu_machine(cpu);

	out[0] = m->ram.size;
	out[1] = NOT_APPLICABLE;
	out[2] = DEDICATED_POOL;
	out[4] = NOT_APPLICABLE;
	out[6] = m->ram.size;
	return H_SUCCESS;
}

/* Only the present values can be set. PAPR has no code for a weight over 255: it counts as one that cannot be had. */
HCALL_FN(H_SET_MPP)
{
	return in[0] == cpu_machine(cpu)->ram.size && in[1] == 0 ? H_SUCCESS : H_CONSTRAINED;
}

/* No page is shared with another one: zero is PAPR's word for that. */
HCALL_FN(H_GET_MPP_X) { return H_SUCCESS; }

HCALL_FN(H_VPM_PSTAT) { return H_AUTHORITY; }
HCALL_FN(H_MO_PERF) { return H_AUTHORITY; }
