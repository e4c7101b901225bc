/* Virtual processors' home nodes. PAPR, "Virtual Processor Home Node Option".
 *
 * Domains are numbered as ibm,associativity does (affinity.h): a chip is a node, two of them are
 * neighbours. Each number takes two of the 24 16-bit fields of r4 to r9.
 */
#include "hcall/affinity.h"
#include "hcall/dispatcher.h"
#include "hcall/hcall.h"
#include "machine/core/config.h"

enum vphn_id { VPHN_VIRTUAL = 1, VPHN_PHYSICAL = 2 };

#define DOMAINS_MAX 12			/* 31-bit numbers in r4..r9 */

/* Two to a register; fields that are not used are all ones. */
static void pack_domains(const uint32_t *domain, unsigned n, uint64_t *out)
{
	for (unsigned i = 0; i < DOMAINS_MAX / 2; i++)
		out[i] = UINT64_MAX;
	for (unsigned i = 0; i < n; i++) {
		unsigned shift = i % 2 ? 0 : 32;

		out[i / 2] &= ~(UINT64_C(0xffffffff) << shift);
		out[i / 2] |= (uint64_t)domain[i] << shift;
	}
}

/* Chip of the processor that `id` names, -1: there is none. */
static int chip_of(struct machine *m, enum vphn_id kind, uint64_t id)
{
	const struct spapr_cpu *sc;

	if (kind == VPHN_PHYSICAL)
		return dispatcher_physical_chip(m, id);
	sc = machine_cpu(m, id);
	return sc ? (int)dispatcher_home_chip(m, sc) : -1;
}

/* Processors need not have been started. */
HCALL_FN(H_HOME_NODE_ASSOCIATIVITY)
{
	const struct numa_config *numa = &cpu_machine(cpu)->config->numa;
	uint32_t domain[AFFINITY_LEVELS + 1];
	int chip;

	if (in[0] != VPHN_VIRTUAL && in[0] != VPHN_PHYSICAL)
		return H_PARAMETER;
	chip = chip_of(cpu_machine(cpu), (enum vphn_id)in[0], in[1]);
	if (chip < 0)
		return H_P2;
	if (numa->nodes)
		numa_domains(numa, in[1] < VP_MAX ? numa->cpu_node[in[1]] : 0, domain);
	else
		affinity_domains((unsigned)chip, domain);
	domain[AFFINITY_LEVELS] = (uint32_t)in[1];
	pack_domains(domain, AFFINITY_LEVELS + 1, out);
	return H_SUCCESS;
}
