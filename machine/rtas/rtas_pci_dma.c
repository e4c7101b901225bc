/* RTAS: DMA windows that a guest opens and closes. PAPR, "Dynamic DMA Windows". */
#include "machine/pci/phb.h"
#include "machine/rtas/rtas.h"

/* Sizes of pages, as a guest is told of them. */
static const struct {
	uint32_t shift, bit;
} page_sizes[] = { { 12, 0x001 }, { 16, 0x002 }, { 24, 0x004 }, { 21, 0x100 } };

#define SECOND_WINDOW UINT64_C(0x0800000000000000)	/* PCI address of one beside another */
#define QUERY_WIDE    6u		/* results: how many entries there may be has two cells */

static struct phb *bridge_of(struct cpu *cpu, const uint32_t *in)
{
	return phb_find(cpu_machine(cpu), (uint64_t)in[1] << 32 | in[2]);
}

static struct tce_window *closed_window(struct phb *phb)
{
	for (unsigned i = 0; i < PHB_WINDOWS; i++)
		if (!phb->window[i].entries)
			return &phb->window[i];
	return NULL;
}

static uint32_t windows_open(const struct phb *phb)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < PHB_WINDOWS; i++)
		n += phb->window[i].entries != 0;
	return n;
}

static uint32_t page_mask(void)
{
	uint32_t mask = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(page_sizes); i++)
		mask |= page_sizes[i].bit;
	return mask;
}

static bool page_size_known(uint32_t shift)
{
	for (unsigned i = 0; i < ARRAY_SIZE(page_sizes); i++)
		if (page_sizes[i].shift == shift)
			return true;
	return false;
}

RTAS_FN(query_pe_dma_window)
{
	const struct phb *phb = bridge_of(cpu, in);
	unsigned n = 0;

	if (!phb)
		return RTAS_PARAM_ERROR;
	out[n++] = PHB_WINDOWS - windows_open(phb);
	if (cpu_machine(cpu)->rtas_nret == QUERY_WIDE)
		out[n++] = 0;
	out[n++] = TCE_MAX_ENTRIES;
	out[n++] = page_mask();
	return RTAS_SUCCESS;
}

RTAS_FN(create_pe_dma_window)
{
	struct phb *phb = bridge_of(cpu, in);
	uint32_t page = in[3], size = in[4];
	struct tce_window *w;
	uint64_t at;

	if (!phb || !page_size_known(page) || size < page)
		return RTAS_PARAM_ERROR;
	w = closed_window(phb);
	at = windows_open(phb) ? SECOND_WINDOW : 0;
	if (!w || size - page > 31 || !tce_open(w, at, page, UINT64_C(1) << (size - page)))
		return RTAS_HW_ERROR;
	out[0] = w->liobn;
	out[1] = (uint32_t)(at >> 32);
	out[2] = (uint32_t)at;
	return RTAS_SUCCESS;
}

/* A bridge whose last window is closed has its first one back. */
RTAS_FN(remove_pe_dma_window)
{
	struct phb *phb = phb_find(cpu_machine(cpu), PHB_BUID);

	for (unsigned i = 0; phb && i < PHB_WINDOWS; i++) {
		if (phb->window[i].liobn != in[0] || !phb->window[i].entries)
			continue;
		tce_close(&phb->window[i]);
		if (!windows_open(phb))
			phb_windows_reset(phb);
		return RTAS_SUCCESS;
	}
	return RTAS_PARAM_ERROR;
}

RTAS_FN(reset_pe_dma_window)
{
	struct phb *phb = bridge_of(cpu, in);

	if (!phb)
		return RTAS_PARAM_ERROR;
	phb_windows_reset(phb);
	return RTAS_SUCCESS;
}
