/* The cores, and the lookup of a row. Widths, windows and ports: LLVM 19's models; POWER8's width, clocks and what
 * branches cost: what is known of the hardware.
 */
#include "cpu/timing/cost.h"

#include <string.h>

#include "cpu/table/forms.h"
#include "cpu/timing/pipeline.h"
#include "cpu/timing/uses.h"

#define FIGURES(slots, latency, cr, far) { slots, latency, cr, far }
#define COST(name, variant, source, uops, kind, hold, ours, llvm, ...) \
	{ (unsigned)ROW_##name * NVARIANTS + (unsigned)V_##variant, SRC_##source, uops, kind, hold, ours, llvm, { __VA_ARGS__ } },

static const struct cost power8_costs[] = {
#include "cpu/timing/power8.def"
};
static const struct cost power9_costs[] = {
#include "cpu/timing/power9.def"
};
static const struct cost power10_costs[] = {
#include "cpu/timing/power10.def"
};

/* Where the rows of insn.def begin in these, as they are asked for; 0: not yet, or at the start. */
static uint16_t power8_first[NROWS], power9_first[NROWS], power10_first[NROWS];

#define COSTS(core) .costs = core##_costs, .ncosts = sizeof core##_costs / sizeof core##_costs[0], .first = core##_first
#define BIT(n) (1u << (n))

/* POWER8 to LLVM: each instruction takes two of eight places. To the hardware: two of twelve, six instructions in a group;
 * a branch takes one, for there are two places more for branches. */
#define POWER8 \
	COSTS(power8), .insn_units = 4, .window = 64, .base_latency = 1, .forward = 9, .nports = P8_PORTS, \
	.near = { [P8_FX] = (uint16_t)~BIT(P8_LS) & (uint16_t)~BIT(P8_LULS), [P8_ALL] = (uint16_t)~BIT(P8_LS) & (uint16_t)~BIT(P8_LULS) }, \
	.mhz = 3500, .taken = 66, .redirect = 66, .mispredict = 16	/* three cycles each, of which a place is the branch's */
#define POWER8_PIPES \
	[P8_FX] = 2, [P8_LS] = 2, [P8_LULS] = 4, [P8_ALL] = 6, [P8_VF] = 2, [P8_BR] = 1, [P8_CR] = 1, [P8_CY] = 1, [P8_DFU] = 1, [P8_LU] = 2

#define POWER9 \
	COSTS(power9), .slot_units = 4, .uop_units = 2, .insn_units = 4, .window = 44, .base_latency = 2, .forward = 15, .nports = P9_PORTS, \
	.mhz = 3800, .taken = 20, .redirect = 56, .mispredict = 24	/* one cycle, and three, in which a short block is dispatched */
#define POWER9_PIPES \
	[P9_ALU] = 4, [P9_LS] = 4, [P9_EXEC] = 4, [P9_DP] = 4, [P9_PM] = 2, [P9_DIV] = 2, [P9_BR] = 1, [P9_CY] = 1, [P9_DFU] = 1

/* LLVM's results of POWER10 reach consumers on like units a cycle or more early; GCC's figures have no such difference. */
#define POWER10 \
	COSTS(power10), .slot_units = 3, .uop_units = 3, .insn_units = 3, .window = 44, .base_latency = 2, .forward = 10, .nports = P10_PORTS, \
	.near = { [P10_FX] = BIT(P10_FX) | BIT(P10_PM) | BIT(P10_ST) | BIT(P10_SX) | BIT(P10_BR), \
		  [P10_PM] = BIT(P10_FX) | BIT(P10_PM) | BIT(P10_ST) | BIT(P10_SX) | BIT(P10_BR), \
		  [P10_ST] = BIT(P10_FX) | BIT(P10_PM) | BIT(P10_ST) | BIT(P10_SX) | BIT(P10_BR), \
		  [P10_SX] = BIT(P10_FX) | BIT(P10_PM) | BIT(P10_ST) | BIT(P10_SX) | BIT(P10_BR), \
		  [P10_BF] = BIT(P10_BF), [P10_CY] = BIT(P10_CY), [P10_DX] = BIT(P10_DX), [P10_MM] = BIT(P10_MM) }, \
	.mhz = 4000, .taken = 21, .redirect = 40, .mispredict = 18
#define POWER10_PIPES \
	[P10_FX] = 4, [P10_LD] = 2, [P10_ST] = 2, [P10_SX] = 2, [P10_BF] = 4, [P10_PM] = 4, [P10_CY] = 4, [P10_DX] = 2, \
	[P10_DV] = 2, [P10_DF] = 1, [P10_BR] = 2, [P10_MM] = 2

static const struct core_model models[] = {
	{ .name = "power8", POWER8, .slot_units = 2, .uop_units = 1, .pipes = { POWER8_PIPES, [P8_DIV] = 2, [P8_FDIV] = 2 } },
	{ .name = "power9", POWER9, .pipes = { POWER9_PIPES, [P9_FDIV] = 1 } },
	{ .name = "power10", POWER10, .pipes = { POWER10_PIPES } },
	{ .name = "power8-llvm", POWER8, .slot_units = 3, .uop_units = 3, .as_llvm = true, .pipes = { POWER8_PIPES } },
	{ .name = "power9-llvm", POWER9, .as_llvm = true, .pipes = { POWER9_PIPES } },
	{ .name = "power10-llvm", POWER10, .as_llvm = true, .pipes = { POWER10_PIPES } },
};

const struct core_model *core_model_find(const char *name)
{
	for (unsigned i = 0; i < sizeof models / sizeof models[0]; i++)
		if (!strcmp(models[i].name, name))
			return &models[i];
	return NULL;
}

static enum variant variant_of(unsigned row, uint32_t word)
{
	uint32_t flags = row_facts[row].flags, rc = flags & (RC | RCFP) && word & 1, oe = flags & OE && word >> 10 & 1;

	switch (row) {
	case ROW_mfspr: case ROW_mtspr:
		switch (word >> 11 & 0x3ff) {
		case 8 << 5: return V_lr;
		case 9 << 5: return V_ctr;
		case 1 << 5: return V_xer;
		default: return V_other;
		}
	case ROW_sync: return (word >> 21 & 3) == 1 ? V_lw : (word >> 21 & 3) == 2 ? V_pte : V_hw;
	default: break;
	}
	if (flags & VRC && word >> 10 & 1)
		rc = 1;
	return (rc ? V_rc : 0) + (oe ? V_oe : 0);
}

/* The last row whose key is not greater than that of the row's first variant. */
static uint16_t first_of(const struct core_model *m, unsigned row)
{
	unsigned low = 0, high = m->ncosts;

	while (high - low > 1) {
		unsigned middle = (low + high) / 2;

		if (m->costs[middle].key <= row * NVARIANTS)
			low = middle;
		else
			high = middle;
	}
	return (uint16_t)low;
}

/* The last row whose key is not greater: a variant without a row of its own costs what the one before costs. */
const struct cost *cost_find(const struct core_model *m, unsigned row, uint64_t word)
{
	unsigned key = row * NVARIANTS + variant_of(row, word), i = m->first[row];

	if (!i)
		i = m->first[row] = first_of(m, row);
	while (i + 1 < m->ncosts && m->costs[i + 1].key <= key)
		i++;
	return &m->costs[i];
}
