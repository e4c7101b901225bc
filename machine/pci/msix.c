/* MSI-X: a table of messages and a map of pending ones, behind a BAR. PCI Local Bus 3.0, 6.8.2. */
#include <stdlib.h>
#include <string.h>

#include "machine/core/bytes.h"
#include "machine/pci/pci_bus.h"

#define ENTRY_BYTES   16u
#define ENTRY_DATA    8u
#define ENTRY_CONTROL 12u
#define ENTRY_MASKED  1u
#define PENDING_AT    0x800u
#define LEAST_BAR     0x1000u

/* In the capability. */
#define CAPABILITY_BYTES 12u
#define CONTROL 2u
#define TABLE   4u
#define PENDING 8u
#define CONTROL_ENABLE 0x8000u
#define CONTROL_MASK   0x4000u

static uint32_t control_of(const struct pci_device *pci)
{
	return pci->msix.capability ? pci_number(pci, pci->msix.capability + CONTROL, 2) : 0;
}

bool msix_enabled(const struct pci_device *pci)
{
	return control_of(pci) & CONTROL_ENABLE;
}

static bool is_masked(const struct pci_device *pci, unsigned n)
{
	return (control_of(pci) & (CONTROL_ENABLE | CONTROL_MASK)) != CONTROL_ENABLE ||
	       pci->msix.table[n * ENTRY_BYTES + ENTRY_CONTROL] & ENTRY_MASKED;
}

/* ---- Messages ---- */

static bool is_pending(const struct pci_device *pci, unsigned n)
{
	return pci->msix.pending[n / 8] >> n % 8 & 1;
}

static void set_pending(struct pci_device *pci, unsigned n, bool on)
{
	uint8_t bit = (uint8_t)(1u << n % 8);

	if (on)
		pci->msix.pending[n / 8] |= bit;
	else
		pci->msix.pending[n / 8] &= (uint8_t)~bit;
}

/* A message that nothing takes is lost. */
static void send_message(struct pci_device *pci, unsigned n)
{
	const uint8_t *entry = &pci->msix.table[n * ENTRY_BYTES];
	uint64_t address = (uint64_t)get_le32(entry + 4) << 32 | get_le32(entry);

	pci_dma_write(pci, address, entry + ENTRY_DATA, 4);
}

void msix_notify(struct pci_device *pci, unsigned n)
{
	if (n >= pci->msix.vectors)
		return;
	if (is_masked(pci, n))
		set_pending(pci, n, true);
	else
		send_message(pci, n);
}

static void catch_up(struct pci_device *pci, unsigned n)
{
	if (is_masked(pci, n) || !is_pending(pci, n))
		return;
	set_pending(pci, n, false);
	send_message(pci, n);
}

void msix_catch_up(struct pci_device *pci)
{
	for (unsigned n = 0; n < pci->msix.vectors; n++)
		catch_up(pci, n);
}

void msix_changed(struct pci_device *pci)
{
	if (msix_enabled(pci))
		pci_set_pin(pci, false);
	msix_catch_up(pci);
}

void msix_set_message(struct pci_device *pci, unsigned n, uint64_t address, uint32_t data)
{
	uint8_t *entry;

	if (n >= pci->msix.vectors)
		return;
	entry = &pci->msix.table[n * ENTRY_BYTES];
	memcpy(entry, &address, sizeof address);
	memcpy(entry + ENTRY_DATA, &data, sizeof data);
	entry[ENTRY_CONTROL] &= (uint8_t)~ENTRY_MASKED;
	catch_up(pci, n);
}

/* ---- The BAR ---- */

/* As much as is allocated, so that any load of what is there stays within it. */
static uint32_t in_words(uint32_t bytes)
{
	return (bytes + 7) & ~UINT32_C(7);
}

uint64_t msix_load(struct pci_device *pci, uint64_t offset, unsigned size)
{
	const struct msix *msix = &pci->msix;
	uint64_t value = 0;

	if (offset - msix->table_at < msix->table_bytes)
		memcpy(&value, msix->table + (offset - msix->table_at), size);
	else if (offset - msix->pending_at < in_words(msix->pending_bytes))
		memcpy(&value, msix->pending + (offset - msix->pending_at), size);
	return value;
}

/* Words and pairs of them, as the standard has it; pending bits are the device's. */
void msix_store(struct pci_device *pci, uint64_t offset, unsigned size, uint64_t value)
{
	offset -= pci->msix.table_at;
	if (size < 4 || offset >= pci->msix.table_bytes)
		return;
	memcpy(pci->msix.table + offset, &value, size);
	catch_up(pci, (unsigned)offset / ENTRY_BYTES);
}

static const struct pci_bar_ops table_ops = { .load = msix_load, .store = msix_store };

/* ---- Life ---- */

static void describe(struct pci_device *pci, uint8_t at)
{
	const struct msix *msix = &pci->msix;

	pci_add_capability(pci, PCI_ID_MSIX, at, CAPABILITY_BYTES);
	pci->msix.capability = pci->config[PCI_CAPABILITIES];
	pci_set_number(pci, msix->capability + CONTROL, 2, msix->vectors - 1);
	pci_set_number(pci, msix->capability + TABLE, 4, msix->table_at | msix->bar);
	pci_set_number(pci, msix->capability + PENDING, 4, msix->pending_at | msix->bar);
	pci->writable[msix->capability + CONTROL + 1] = (CONTROL_ENABLE | CONTROL_MASK) >> 8;
}

bool msix_init_within(struct pci_device *pci, unsigned vectors, struct msix_place place, uint8_t at, struct error *err)
{
	struct msix *msix = &pci->msix;

	if (!vectors || vectors > PCI_MAX_VECTORS) {
		error_usage(err, "-device %s: %u interrupt vectors: 1 to %u can be had", pci->dev.class->name, vectors, PCI_MAX_VECTORS);
		return false;
	}
	*msix = (struct msix){ .vectors = vectors, .bar = place.bar, .table_at = place.table_at, .pending_at = place.pending_at,
			       .table_bytes = vectors * ENTRY_BYTES, .pending_bytes = (vectors + 7) / 8 };
	msix->table = calloc(1, msix->table_bytes);
	msix->pending = calloc(1, in_words(msix->pending_bytes));
	if (!msix->table || !msix->pending) {
		error_set(err, "out of memory");
		return false;
	}
	describe(pci, at);
	msix_reset(pci);
	return true;
}

bool msix_init(struct pci_device *pci, unsigned vectors, unsigned bar, uint8_t at, struct error *err)
{
	uint32_t table = vectors * ENTRY_BYTES, pending = table > PENDING_AT ? table : PENDING_AT, end;

	if (!msix_init_within(pci, vectors, (struct msix_place){ .bar = bar, .pending_at = pending }, at, err))
		return false;
	end = pending + in_words(pci->msix.pending_bytes);
	pci_add_bar(pci, bar, PCI_BAR_MEM32, end > LEAST_BAR ? power_of_two(end) : LEAST_BAR, &table_ops);
	return true;
}

void pci_device_free(struct pci_device *pci)
{
	free(pci->msix.table);
	free(pci->msix.pending);
	pci->msix = (struct msix){ .table = NULL };
}

void msix_reset(struct pci_device *pci)
{
	struct msix *msix = &pci->msix;

	if (!msix->vectors)
		return;
	memset(msix->table, 0, msix->table_bytes);
	memset(msix->pending, 0, msix->pending_bytes);
	for (unsigned n = 0; n < msix->vectors; n++)
		msix->table[n * ENTRY_BYTES + ENTRY_CONTROL] = ENTRY_MASKED;
}

const struct vmstate msix_state = {
	.name = "msix", .version = 1, .min_version = 1, VMS_OF(struct msix),
	.fields = VMS_FIELDS(
		VMS_POINTED_BUFFER("table", struct msix, table, table_bytes, PCI_MAX_VECTORS * ENTRY_BYTES),
		VMS_POINTED_BUFFER("pending", struct msix, pending, pending_bytes, PCI_MAX_VECTORS / 8),
		VMS_SKIP(struct msix, table_bytes, "follows from how it was made"),
		VMS_SKIP(struct msix, pending_bytes, "follows from how it was made"),
		VMS_SKIP(struct msix, table_at, "follows from how it was made"),
		VMS_SKIP(struct msix, pending_at, "follows from how it was made"),
		VMS_SKIP(struct msix, vectors, "follows from how it was made"),
		VMS_SKIP(struct msix, bar, "follows from how it was made"),
		VMS_SKIP(struct msix, capability, "follows from how it was made")),
};
