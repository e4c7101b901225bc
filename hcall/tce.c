/* DMA windows by hypercall. PAPR, "H_PUT_TCE" and its kin. */
#include "hcall/hcall.h"
#include "machine/core/tce.h"

#define MOST_INDIRECT 512u		/* entries: a page of them */

HCALL_FN(H_GET_TCE)
{
	const struct tce_window *w = tce_find(cpu_machine(cpu), in[0]);

	return w && tce_get(w, in[1], &out[0]) ? H_SUCCESS : H_PARAMETER;
}

HCALL_FN(H_PUT_TCE)
{
	struct tce_window *w = tce_find(cpu_machine(cpu), in[0]);

	return w && tce_put(w, in[1], in[2]) ? H_SUCCESS : H_PARAMETER;
}

/* Entries before one that is not there stay written. */
HCALL_FN(H_STUFF_TCE)
{
	struct tce_window *w = tce_find(cpu_machine(cpu), in[0]);
	uint64_t ioba = in[1], n = in[3];

	if (!w || !n || n > w->entries)
		return H_PARAMETER;
	hcall_worked(cpu_machine(cpu), n * sizeof *w->tce);
	for (uint64_t i = 0; i < n; i++, ioba += UINT64_C(1) << w->page_shift)
		if (!tce_put(w, ioba, in[2]))
			return H_PARAMETER;
	return H_SUCCESS;
}

HCALL_FN(H_PUT_TCE_INDIRECT)
{
	const struct ram *ram = cpu->env->ram;
	struct tce_window *w = tce_find(cpu_machine(cpu), in[0]);
	uint64_t ioba = in[1], list = in[2], n = in[3];

	if (!w || !w->entries || !n || n > MOST_INDIRECT || list % RAM_PAGE_SIZE || !ram_ok(ram, list, n * 8))
		return H_PARAMETER;
	for (uint64_t i = 0; i < n; i++, ioba += UINT64_C(1) << w->page_shift)
		if (!tce_put(w, ioba, ld_be64(ram, list + i * 8)))
			return H_PARAMETER;
	return H_SUCCESS;
}
