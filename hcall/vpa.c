/* Virtual processor area, SLB shadow buffer, dispatch trace log: registration.
 *
 * The areas lie in guest memory; struct spapr_cpu holds where. The guest's fields in them are its
 * own and survive registration. Source: PAPR, "Virtual Processor Areas" and H_REGISTER_VPA.
 */
#include "hcall/hcall.h"
#include "hcall/splpar.h"

enum vpa_subfunction {
	REGISTER_VPA = 1, REGISTER_DTL = 2, REGISTER_SLB_SHADOW = 3,
	DEREGISTER_VPA = 5, DEREGISTER_DTL = 6, DEREGISTER_SLB_SHADOW = 7,
};

#define AREA_LINE 128			/* bytes of an L1 data cache line: alignment of every area */
#define AREA_PAGE UINT64_C(4096)

/* Offsets in the areas. */
#define VPA_SIZE           0x004	/* 16 bits */
#define VPA_STATUS         0x009
#define VPA_DISPATCH_COUNT 0x100	/* 32 bits */
#define VPA_DTL_INDEX      0x218	/* 64 bits */
#define BUFFER_SIZE        0x004	/* 32 bits, DTL and SLB shadow */

#define VPA_MIN_SIZE        640
#define VPA_STATUS_SHARED   0x02	/* not in PAPR: firmware's word that processors are shared */
#define DTL_ENTRY_SIZE      48
#define DTL_MAX_SIZE        4096
#define SLB_SHADOW_MIN_SIZE 8

/* Inside RAM and, where `paged`, inside one page. */
static bool area_ok(const struct ram *ram, uint64_t addr, uint64_t size, bool paged)
{
	return ram_ok(ram, addr, size) && (!paged || addr % AREA_PAGE + size <= AREA_PAGE);
}

void vpa_reset(struct spapr_cpu *sc)
{
	sc->vpa_addr = 0;
	sc->slb_shadow_addr = sc->slb_shadow_size = 0;
	sc->dtl_addr = sc->dtl_size = 0;
	sc->dispatch_count = 0;
}

static void store_count(struct machine *m, const struct spapr_cpu *sc)
{
	if (sc->vpa_addr)
		st_be32(&m->ram, sc->vpa_addr + VPA_DISPATCH_COUNT, sc->dispatch_count);
}

void vpa_set_dispatched(struct machine *m, struct spapr_cpu *sc, bool dispatched)
{
	if (sc->dispatch_count % 2 == dispatched) {
		sc->dispatch_count++;
		store_count(m, sc);
	}
}

static int64_t register_vpa(struct machine *m, struct spapr_cpu *sc, uint64_t addr)
{
	uint16_t size = ld_be16(&m->ram, addr + VPA_SIZE);

	if (size < VPA_MIN_SIZE || !area_ok(&m->ram, addr, size, true))
		return H_PARAMETER;
	sc->vpa_addr = addr;
	st_u8(&m->ram, addr + VPA_STATUS, ld_u8(&m->ram, addr + VPA_STATUS) | VPA_STATUS_SHARED);
	/* Not zero, so that the guest can tell it from a fresh structure. */
	sc->dispatch_count = sc->cpu.run_state == CPU_STOPPED ? 1 : 2;
	store_count(m, sc);
	return H_SUCCESS;
}

static int64_t register_dtl(struct machine *m, struct spapr_cpu *sc, uint64_t addr)
{
	uint32_t size = ld_be32(&m->ram, addr + BUFFER_SIZE);

	if (size < DTL_ENTRY_SIZE || size > DTL_MAX_SIZE || !area_ok(&m->ram, addr, size, false))
		return H_PARAMETER;
	if (!sc->vpa_addr)
		return H_RESOURCE;
	sc->dtl_addr = addr;
	sc->dtl_size = size;
	st_be64(&m->ram, sc->vpa_addr + VPA_DTL_INDEX, 0);
	return H_SUCCESS;
}

static int64_t register_slb_shadow(struct machine *m, struct spapr_cpu *sc, uint64_t addr)
{
	uint32_t size = ld_be32(&m->ram, addr + BUFFER_SIZE);

	if (size < SLB_SHADOW_MIN_SIZE || !area_ok(&m->ram, addr, size, true))
		return H_PARAMETER;
	if (!sc->vpa_addr)
		return H_RESOURCE;
	sc->slb_shadow_addr = addr;
	sc->slb_shadow_size = size;
	return H_SUCCESS;
}

static int64_t deregister_vpa(struct machine *m, struct spapr_cpu *sc)
{
	if (sc->dtl_addr || sc->slb_shadow_addr)
		return H_RESOURCE;
	/* What stays in the guest's memory says "not dispatched". */
	vpa_set_dispatched(m, sc, false);
	sc->vpa_addr = 0;
	return H_SUCCESS;
}

/* Checks in PAPR's order. All but the log are another processor's business only while it is
 * stopped. */
HCALL_FN(H_REGISTER_VPA)
{
	struct machine *m = cpu_machine(cpu);
	unsigned what = in[0] >> 45 & 7;	/* bits 16-18; PAPR lets the others be ignored */
	struct spapr_cpu *sc = machine_cpu(m, in[1]);
	uint64_t addr = in[2];
	bool registers = what < DEREGISTER_VPA, dtl = what == REGISTER_DTL || what == DEREGISTER_DTL;

	if (what % 4 == 0 || !sc)
		return H_PARAMETER;
	if (!dtl && &sc->cpu != cpu && sc->cpu.run_state != CPU_STOPPED)
		return H_STATE;
	/* Address 0 is how "none" is kept. */
	if (registers && (!addr || addr % AREA_LINE || !ram_ok(&m->ram, addr, AREA_LINE)))
		return H_PARAMETER;
	switch (what) {
	case REGISTER_VPA:
		return register_vpa(m, sc, addr);
	case REGISTER_DTL:
		return register_dtl(m, sc, addr);
	case REGISTER_SLB_SHADOW:
		return register_slb_shadow(m, sc, addr);
	case DEREGISTER_VPA:
		return deregister_vpa(m, sc);
	case DEREGISTER_DTL:
		sc->dtl_addr = sc->dtl_size = 0;
		return H_SUCCESS;
	default:
		sc->slb_shadow_addr = sc->slb_shadow_size = 0;
		return H_SUCCESS;
	}
}
