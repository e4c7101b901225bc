/* What the code that the firmware has put into guest memory asks of the hypervisor: client interface, CAS and the
 * device tree. Private numbers; a guest reaches them only through the code it was given.
 */
#include "firmware/fdt.h"
#include "firmware/firmware.h"
#include "hcall/hcall.h"

/* Walking or checking a tree takes the host as long as copying so many times the tree's bytes. */
#define TREE_WORK 64

static void charge_tree_work(struct cpu *cpu, uint64_t tree_size)
{
	hcall_worked(cpu_machine(cpu), tree_size * TREE_WORK);
}

HCALL_FN(H_CAS)
{
	charge_tree_work(cpu, cpu_machine(cpu)->fdt_size);
	return firmware_cas(cpu, in);
}

HCALL_FN(H_UPDATE_DT)
{
	charge_tree_work(cpu, TREE_MAX_SIZE);
	return firmware_update_dt(cpu, in);
}

HCALL_FN(H_VOF_CLIENT)
{
	charge_tree_work(cpu, cpu_machine(cpu)->fdt_size);
	return firmware_client(cpu, in[0]);
}
