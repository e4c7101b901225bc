/* Message-signalled interrupt sources, from a map of bits: first fit. Numbers and map are QEMU's. */
#include "machine/irq/msi.h"

#include "machine/irq/irq.h"

static bool taken(const struct machine *m, uint32_t k)
{
	return m->msi_map[k / 64] >> k % 64 & 1;
}

static void mark(struct machine *m, uint32_t k, bool on)
{
	uint64_t bit = UINT64_C(1) << k % 64;

	m->msi_map[k / 64] = on ? m->msi_map[k / 64] | bit : m->msi_map[k / 64] & ~bit;
}

/* How many are free from `k` on; n at most. */
static uint32_t free_run(const struct machine *m, uint32_t k, uint32_t n)
{
	uint32_t run = 0;

	while (run < n && k + run < MSI_COUNT && !taken(m, k + run))
		run++;
	return run;
}

/* Claims them in the interrupt controller, too; false: it has given one of them to somebody else. */
static bool claim(struct machine *m, uint32_t k, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (!irq_claim(m, MSI_FIRST + k + i, false)) {
			msi_free(m, MSI_FIRST + k, i);
			return false;
		}
		mark(m, k + i, true);
	}
	return true;
}

uint32_t msi_alloc(struct machine *m, uint32_t n, bool even)
{
	uint32_t step = even ? 2 : 1, run;

	if (!n || n > MSI_COUNT)
		return 0;
	for (uint32_t k = 0; k + n <= MSI_COUNT; k += run - run % step + step) {
		run = free_run(m, k, n);
		if (run == n)
			return claim(m, k, n) ? MSI_FIRST + k : 0;
	}
	return 0;
}

void msi_free(struct machine *m, uint32_t first, uint32_t n)
{
	for (uint32_t i = 0; i < n && first >= MSI_FIRST && first - MSI_FIRST < MSI_COUNT; i++, first++) {
		if (!taken(m, first - MSI_FIRST))
			continue;
		mark(m, first - MSI_FIRST, false);
		irq_release(m, first);
	}
}

void msi_reset(struct machine *m)
{
	msi_free(m, MSI_FIRST, MSI_COUNT);
}
