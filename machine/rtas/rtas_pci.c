/* RTAS: PCI configuration space and interrupts by message. PAPR, "PCI Configuration", "ibm,change-msi".
 *
 * A configuration address is bus << 16 | devfn << 8 | register; bits 8 to 11 of the register are its top bits. */
#include "machine/pci/pci.h"
#include "machine/pci/phb.h"
#include "machine/rtas/rtas.h"

static uint64_t buid_of(const uint32_t *in)
{
	return (uint64_t)in[0] << 32 | in[1];
}

static struct pci_device *function_of(struct cpu *cpu, uint32_t address, const uint32_t *buid)
{
	return pci_find(cpu_machine(cpu), buid_of(buid), address >> 16 & 0xff, address >> 8 & 0xff);
}

/* ---- Configuration space ---- */

static bool access_ok(uint32_t address, uint32_t size, unsigned *at)
{
	*at = (address >> 20 & 0xf00) | (address & 0xff);
	return (size == 1 || size == 2 || size == 4) && !(*at & (size - 1)) && *at < PCI_CONFIG_BYTES;
}

/* Without a bridge's number there is no bus. */
RTAS_FN(read_pci_config) { return RTAS_HW_ERROR; }
RTAS_FN(write_pci_config) { return RTAS_HW_ERROR; }

RTAS_FN(ibm_read_pci_config)
{
	struct pci_device *pci = function_of(cpu, in[0], &in[1]);
	unsigned at;

	if (!pci || !access_ok(in[0], in[3], &at))
		return RTAS_HW_ERROR;
	out[0] = pci_config_load(pci, at, in[3]);
	return RTAS_SUCCESS;
}

RTAS_FN(ibm_write_pci_config)
{
	struct pci_device *pci = function_of(cpu, in[0], &in[1]);
	unsigned at;

	if (!pci || !access_ok(in[0], in[3], &at))
		return RTAS_HW_ERROR;
	pci_config_store(pci, at, in[3], in[4]);
	return RTAS_SUCCESS;
}

/* ---- Messages ---- */

enum { CHANGE_ANY = 1, CHANGE_MSI = 3, CHANGE_MSIX = 4 };
enum { TYPE_MSIX = 2 };

/* No device here has MSI: a guest that takes either gets MSI-X. */
static unsigned vectors_of(const struct pci_device *pci, uint32_t function)
{
	return function == CHANGE_ANY || function == CHANGE_MSIX ? pci->msix.vectors : 0;
}

/* A guest that wants more than there are gets none, and is told how many it may ask for. */
static int32_t give(struct phb *phb, struct pci_device *pci, uint32_t num, uint32_t most, uint32_t *out)
{
	out[0] = num < most ? num : most;
	out[2] = TYPE_MSIX;
	return num > most || phb_msi_give(phb, pci, num) ? RTAS_SUCCESS : RTAS_HW_ERROR;
}

static int32_t take(struct phb *phb, const struct pci_device *pci)
{
	struct phb_msi *msi = phb_msi_of(phb, pci);

	if (!msi)
		return RTAS_HW_ERROR;
	phb_msi_take(phb, msi);
	return RTAS_SUCCESS;
}

RTAS_FN(change_msi)
{
	struct phb *phb = phb_find(cpu_machine(cpu), buid_of(&in[1]));
	struct pci_device *pci = function_of(cpu, in[0], &in[1]);
	uint32_t function = in[3], num = in[4];

	if (!pci || (function != CHANGE_ANY && function != CHANGE_MSI && function != CHANGE_MSIX))
		return RTAS_PARAM_ERROR;
	out[1] = in[5] + 1;
	if (!num)
		return take(phb, pci);
	if (!vectors_of(pci, function))
		return RTAS_PARAM_ERROR;
	return give(phb, pci, num, vectors_of(pci, function), out);
}

#define EDGE 1

RTAS_FN(query_source_number)
{
	struct phb *phb = phb_find(cpu_machine(cpu), buid_of(&in[1]));
	struct pci_device *pci = function_of(cpu, in[0], &in[1]);
	const struct phb_msi *msi = pci ? phb_msi_of(phb, pci) : NULL;

	if (!pci)
		return RTAS_PARAM_ERROR;
	if (!msi || in[3] >= msi->num)
		return RTAS_HW_ERROR;
	out[0] = msi->first + in[3];
	out[1] = EDGE;
	return RTAS_SUCCESS;
}

/* ---- Errors of a slot (EEH): there is no hardware that has some. A guest goes on without ---- */

RTAS_FN(set_eeh_option) { return RTAS_NOT_SUPPORTED; }
RTAS_FN(get_config_addr_info2) { return RTAS_NOT_SUPPORTED; }
RTAS_FN(read_slot_reset_state2) { return RTAS_NOT_SUPPORTED; }
RTAS_FN(set_slot_reset) { return RTAS_NOT_SUPPORTED; }
RTAS_FN(configure_pe) { return RTAS_NOT_SUPPORTED; }
RTAS_FN(slot_error_detail) { return RTAS_NOT_SUPPORTED; }
