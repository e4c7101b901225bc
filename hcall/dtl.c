/* Dispatch trace log: a ring of 48-byte entries in guest memory, one for each dispatch.
 *
 * The index and the place of the ring are the hypervisor's own; the guest's memory only mirrors the
 * index. The enable mask is read in guest memory at each dispatch, since guests change it at will.
 * Source: PAPR, "Dispatch Trace Log Buffer", "Dispatch Trace Log Buffer Entry".
 */
#include "hcall/hcall.h"
#include "hcall/splpar.h"
#include "hcall/vpa.h"

/* Bits of the enable mask: an entry is written if the bit of its preempt reason is set. PAPR has no bit for
 * firmware-internal stops and for conferring; those use the bit of the most similar reason. */
#define DTL_LOG_CEDE    0x01
#define DTL_LOG_PREEMPT 0x02
#define DTL_LOG_FAULT   0x04

static uint8_t mask_bit(uint8_t preempt_reason)
{
	static const uint8_t bit[] = {
		[1] = DTL_LOG_PREEMPT, [2] = DTL_LOG_CEDE, [3] = DTL_LOG_CEDE, [4] = DTL_LOG_PREEMPT,
		[5] = DTL_LOG_FAULT, [6] = DTL_LOG_FAULT,
	};

	return preempt_reason < ARRAY_SIZE(bit) ? bit[preempt_reason] : 0;
}

int64_t dtl_register(struct machine *m, struct spapr_cpu *sc, uint64_t addr, uint64_t size)
{
	if (!sc->vpa_addr)
		return H_RESOURCE;
	sc->dtl_addr = addr;
	sc->dtl_size = size;
	sc->dtl_index = 0;
	st_be64(&m->ram, sc->vpa_addr + VPA_DTL_INDEX, 0);
	return H_SUCCESS;
}

void dtl_deregister(struct spapr_cpu *sc)
{
	sc->dtl_addr = sc->dtl_size = 0;
	sc->dtl_index = 0;
}

void dtl_mirror_index(struct machine *m, const struct spapr_cpu *sc)
{
	if (sc->dtl_addr)
		st_be64(&m->ram, sc->vpa_addr + VPA_DTL_INDEX, sc->dtl_index);
}

/* A guest that starts its log anew sets the index to 0 and need not register again. It may have switched the mask
 * off and on while it ran, which cannot be seen at a dispatch; so the index is looked at each time. */
static void sample_index(struct machine *m, struct spapr_cpu *sc)
{
	if (!ld_be64(&m->ram, sc->vpa_addr + VPA_DTL_INDEX))
		sc->dtl_index = 0;
}

/* 32 bits hold 8 seconds of ticks. PAPR does not say what stands for a longer time: here the largest number. */
static uint32_t ticks32(uint64_t ticks)
{
	return ticks < UINT32_MAX ? (uint32_t)ticks : UINT32_MAX;
}

void dtl_append(struct machine *m, struct spapr_cpu *sc, const struct dtl_entry *e)
{
	struct ram *ram = &m->ram;
	uint64_t at;

	if (!sc->dtl_addr || !(ld_u8(ram, sc->vpa_addr + VPA_DTL_MASK) & mask_bit(e->preempt_reason)))
		return;
	sample_index(m, sc);
	at = sc->dtl_addr + sc->dtl_index % (sc->dtl_size / DTL_ENTRY_SIZE) * DTL_ENTRY_SIZE;
	st_u8(ram, at, e->dispatch_reason);
	st_u8(ram, at + 0x01, e->preempt_reason);
	st_be16(ram, at + 0x02, e->processor);
	st_be32(ram, at + 0x04, ticks32(e->waits[WAIT_PROCESSOR]));
	st_be32(ram, at + 0x08, ticks32(e->waits[WAIT_CAPACITY]));
	st_be32(ram, at + 0x0c, ticks32(e->waits[WAIT_NOT_READY]));
	st_be64(ram, at + 0x10, e->timebase);
	st_be64(ram, at + 0x18, 0);	/* page of a partition-memory fault: there are none */
	st_be64(ram, at + 0x20, e->srr0);
	st_be64(ram, at + 0x28, e->srr1);
	/* Last, so that a reader that sees the new index sees the entry. */
	st_be64(ram, sc->vpa_addr + VPA_DTL_INDEX, ++sc->dtl_index);
}
