/* What the code that the firmware has put into guest memory asks of the hypervisor: client interface, CAS and the
 * device tree. Private numbers; a guest reaches them only through the code it was given.
 */
#include "firmware/fdt.h"
#include "firmware/firmware.h"
#include "hcall/hcall.h"

/* A walk through a tree, or a check of one, takes as long as copying so many times its size. */
#define TREE_WORK 64

static int64_t charged(struct cpu *cpu, uint64_t tree, int64_t rc)
{
	hcall_worked(cpu_machine(cpu), tree * TREE_WORK);
	return rc;
}

HCALL_FN(H_CAS) { return charged(cpu, cpu_machine(cpu)->fdt_size, firmware_cas(cpu, in)); }
HCALL_FN(H_UPDATE_DT) { return charged(cpu, TREE_MAX_SIZE, firmware_update_dt(cpu, in)); }
HCALL_FN(H_VOF_CLIENT) { return charged(cpu, cpu_machine(cpu)->fdt_size, firmware_client(cpu, in[0])); }
