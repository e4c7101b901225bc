/* Processor registers and modes that belong to the hypervisor.
 * PAPR, "Processor Register Hypervisor Resource Access", H_SET_MODE, H_REGISTER_PROCESS_TABLE,
 * H_SIGNAL_SYS_RESET, H_GET_CPU_CHARACTERISTICS, H_RANDOM.
 */
#include "cpu/core/model.h"
#include "cpu/engine/tlb.h"
#include "cpu/engine/watch.h"
#include "hcall/hcall.h"
#include "machine/core/config.h"
#include "machine/core/device.h"

HCALL_FN(H_SET_SPRG0)
{
	cpu->sprg[0] = in[0];
	return H_SUCCESS;
}

/* ---- Watchpoints. No processor since POWER8 has a DABR: DAWR0 stands in for it ---- */

#define DABR_BITS      UINT64_C(7)		/* of DABR: translation, store, load */
#define DABRX_BTI      PPC_BIT(60)
#define DABRX_PNH      PPC_BIT(62)
#define DABRX_PRO      PPC_BIT(63)

static int64_t set_dabr(struct cpu *cpu, uint64_t dabr, uint64_t dabrx)
{
	uint64_t dawrx = dabrx & (DABRX_BTI | DABRX_PNH | DABRX_PRO);	/* the same bits there */

	dawrx |= dabr & 4 ? DAWRX_WT : 0;
	dawrx |= dabr & 2 ? DAWRX_DW : 0;
	dawrx |= dabr & 1 ? DAWRX_DR : 0;
	watch_set_data(cpu, 0, dabr & ~DABR_BITS, dawrx);
	return H_SUCCESS;
}

HCALL_FN(H_SET_DABR) { return set_dabr(cpu, in[0], DABRX_PNH | DABRX_PRO); }

HCALL_FN(H_SET_XDABR)
{
	if (in[1] & ~(DABRX_BTI | DABRX_PNH | DABRX_PRO) || !(in[1] & (DABRX_PNH | DABRX_PRO)))
		return H_PARAMETER;
	return set_dabr(cpu, in[0], in[1]);
}

HCALL_FN(H_RANDOM)
{
	out[0] = machine_random(cpu_machine(cpu));
	return H_SUCCESS;
}

/* An interpreter does not speculate: nothing leaks by speculation, so a guest need not flush or fence anything. The bit
 * "count cache disabled" is not set: it would make Linux flush the link stack at each switch. */
#define CHAR_BCCTRL_SERIALISED       PPC_BIT(1)
#define CHAR_BRANCH_HINTS_HONOURED   PPC_BIT(5)
#define BEHAV_FAVOUR_SECURITY        PPC_BIT(0)
#define BEHAV_NO_L1D_FLUSH_ENTRY     PPC_BIT(7)
#define BEHAV_NO_L1D_FLUSH_UACCESS   PPC_BIT(8)
#define BEHAV_NO_STF_BARRIER         PPC_BIT(9)

HCALL_FN(H_GET_CPU_CHARACTERISTICS)
{
	out[0] = CHAR_BCCTRL_SERIALISED | CHAR_BRANCH_HINTS_HONOURED;
	out[1] = BEHAV_FAVOUR_SECURITY | BEHAV_NO_L1D_FLUSH_ENTRY | BEHAV_NO_L1D_FLUSH_UACCESS |
		 BEHAV_NO_STF_BARRIER;
	return H_SUCCESS;
}

/* LPCR of every processor, started or not. */
static void set_lpcrs(struct machine *m, uint64_t value, uint64_t mask)
{
	for (unsigned i = 0; i < m->ncpus; i++)
		m->cpu[i]->cpu.lpcr = (m->cpu[i]->cpu.lpcr & ~mask) | (value & mask);
}

/* ---- H_SET_MODE ---- */
enum set_mode_resource { MODE_CIABR = 1, MODE_DAWR0 = 2, MODE_ADDR_TRANS = 3, MODE_ENDIAN = 4, MODE_DAWR1 = 5 };

static int64_t set_endian(struct machine *m, uint64_t flags)
{
	if (flags > 1)
		return H_UNSUPPORTED_FLAG;
	set_lpcrs(m, flags ? LPCR_ILE : 0, LPCR_ILE);
	devices_endian(m, !flags);
	return H_SUCCESS;
}

static int64_t set_addr_trans(struct machine *m, uint64_t flags)
{
	/* AIL 1 is reserved, and since 3.1 AIL 2. Power ISA 3.0B, Book III, 2.2 */
	if (flags == 1 || flags > 3 || (flags == 2 && !m->config->cpu_model->ail_2))
		return H_UNSUPPORTED_FLAG;
	set_lpcrs(m, flags * (LPCR_AIL & -LPCR_AIL), LPCR_AIL);
	return H_SUCCESS;
}

static int64_t set_ciabr(struct cpu *cpu, uint64_t flags, uint64_t ciabr, uint64_t value2)
{
	if (flags)
		return H_UNSUPPORTED_FLAG;
	if (value2)
		return H_P4;
	if (CIABR_STATE(ciabr) == CIABR_HYPERVISOR)
		return H_P3;
	watch_set_completion(cpu, ciabr);
	return H_SUCCESS;
}

static int64_t set_dawr(struct cpu *cpu, unsigned n, uint64_t flags, uint64_t dawr, uint64_t dawrx)
{
	if (flags)
		return H_UNSUPPORTED_FLAG;
	if (dawrx & DAWRX_HYP)
		return H_P4;
	watch_set_data(cpu, n, dawr, dawrx);
	return H_SUCCESS;
}

/* The whole machine's; neither has values: they must be 0. */
static int64_t set_machine(struct machine *m, const uint64_t *in)
{
	if (in[2])
		return H_P3;
	if (in[3])
		return H_P4;
	return (in[1] == MODE_ENDIAN ? set_endian : set_addr_trans)(m, in[0]);
}

HCALL_FN(H_SET_MODE)
{
	struct machine *m = cpu_machine(cpu);

	switch (in[1]) {
	case MODE_CIABR:
		return set_ciabr(cpu, in[0], in[2], in[3]);
	case MODE_DAWR0:
		return set_dawr(cpu, 0, in[0], in[2], in[3]);
	case MODE_DAWR1:
		return config_dawr1(m->config) ? set_dawr(cpu, 1, in[0], in[2], in[3]) : H_P2;
	case MODE_ADDR_TRANS:
	case MODE_ENDIAN:
		return set_machine(m, in);
	default:
		return H_P2;
	}
}

/* ---- H_REGISTER_PROC_TBL ---- */
#define TBL_MODIFY    0x10
#define TBL_REGISTER  0x08
#define TBL_RADIX     0x04
#define TBL_GTSE      0x01
#define TBL_SEGMENTS  0x02		/* hash with segment tables, which no machine has */
#define TBL_FLAGS     0x1f

#define PATE_RADIX PPC_BIT(0)		/* of the partition table's second doubleword */
#define PROC_TBL_MAX_SIZE 24		/* size is 2 ^ (12 + code) bytes */

/* A guest with an SLB has no use for a process table, but may name one. */
static int64_t new_hash_table(const uint64_t *in, uint64_t *table)
{
	if (in[0] & TBL_SEGMENTS)
		return H_PARAMETER;
	if (in[1] >> 38)
		return H_P2;
	if (in[2] > 7)
		return H_P3;
	if (in[3] > PROC_TBL_MAX_SIZE)
		return H_P4;
	*table = in[1] << 25 | in[2] << 5 | in[3];
	return H_SUCCESS;
}

static bool has_radix(const struct machine *m) { return cpu_model_level(m->config->cpu_model)->radix; }

/* What is registered from now on, or an H_* code. */
static int64_t new_table(const struct machine *m, const uint64_t *in, uint64_t *table)
{
	uint64_t flags = in[0];

	if (!(flags & TBL_MODIFY)) {		/* keeps what there is: of the same kind? */
		*table = m->proc_tbl;
		return !(flags & TBL_RADIX) == !(m->proc_tbl & PATE_RADIX) ? H_SUCCESS : H_PARAMETER;
	}
	if (!(flags & TBL_REGISTER)) {
		*table = m->proc_tbl & PATE_RADIX;
		return H_SUCCESS;
	}
	if (!(flags & TBL_RADIX))
		return new_hash_table(in, table);
	if (!has_radix(m))
		return H_PARAMETER;
	if (in[1] % RAM_PAGE_SIZE || in[1] >> 60)
		return H_P2;
	if (in[2])
		return H_P3;
	if (in[3] > PROC_TBL_MAX_SIZE)
		return H_P4;
	*table = PATE_RADIX | in[1] | in[3];
	return H_SUCCESS;
}

/* A guest that turns to the radix MMU loses its hash page table, one that turns back gets an empty one. */
static bool set_hash_table(struct machine *m, bool hash)
{
	if (hash == !(m->proc_tbl & PATE_RADIX))
		return true;
	if (hash)
		return hpt_new(&m->hpt, hpt_shift_for(m->ram.size));
	hpt_free(&m->hpt);
	m->hpt_prepared = 0;
	return true;
}

HCALL_FN(H_REGISTER_PROC_TBL)
{
	struct machine *m = cpu_machine(cpu);
	uint64_t flags = in[0], table, lpcr = 0;
	int64_t rc;

	if (flags & ~(uint64_t)TBL_FLAGS)
		return H_PARAMETER;
	rc = new_table(m, in, &table);
	if (rc != H_SUCCESS)
		return rc;
	if (table & PATE_RADIX)
		lpcr |= LPCR_UPRT | LPCR_HR;
	if (flags & TBL_GTSE && has_radix(m))		/* a POWER8 has no such bit */
		lpcr |= LPCR_GTSE;
	if (!set_hash_table(m, !(table & PATE_RADIX)))
		return H_HARDWARE;
	m->proc_tbl = table;
	m->radix = table & PATE_RADIX;
	set_lpcrs(m, lpcr, LPCR_UPRT | LPCR_HR | LPCR_GTSE);
	for (unsigned i = 0; i < m->ncpus; i++) {
		struct cpu *c = &m->cpu[i]->cpu;

		c->proc_tbl = table & ~PATE_RADIX;
		cpu_forget_translations(c);
		cpu_context_changed(c);
	}
	return H_SUCCESS;
}

/* ---- H_SIGNAL_SYS_RESET ---- */
static void system_reset(struct cpu *cpu)
{
	/* A stopped processor belongs to RTAS start-cpu alone. */
	if (cpu->run_state == CPU_STOPPED)
		return;
	cpu->run_state = CPU_RUNNING;
	cpu->irq |= IRQ_RESET;
}

HCALL_FN(H_SIGNAL_SYS_RESET)
{
	struct machine *m = cpu_machine(cpu);
	int64_t target = (int64_t)in[0];	/* -1 all, -2 all but the caller */
	struct spapr_cpu *one = target < 0 ? NULL : machine_cpu(m, in[0]);

	if (target < -2 || (target >= 0 && !one))
		return H_PARAMETER;
	for (unsigned i = 0; i < m->ncpus; i++)
		if (one ? m->cpu[i] == one : target == -1 || &m->cpu[i]->cpu != cpu)
			system_reset(&m->cpu[i]->cpu);
	machine_kick(m);
	return H_SUCCESS;
}
