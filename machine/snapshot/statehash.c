/* The state hash: what a snapshot of the machine would hold, section by section, and RAM. What the guest
 * cannot see (derived state, the host's side) must not show: the descriptions' rows say what that is. */
#define _GNU_SOURCE
#include "machine/snapshot/statehash.h"

#include <string.h>

#include "machine/core/machine.h"
#include "machine/snapshot/snapshot.h"
#include "machine/snapshot/state.h"
#include "savevm/hash.h"
#include "savevm/savevm.h"

static bool is_zero(const uint8_t *p, size_t len)
{
	uint64_t first;

	memcpy(&first, p, sizeof first);
	return !first && !memcmp(p, p + 8, len - 8);
}

/* A page of zeros counts for nothing, whether it was never touched or cleared: that is what
 * lets a sparse 64 GiB be hashed by its few touched pages. */
static uint64_t hash_ram(uint64_t hash, const struct vms_ram *ram)
{
	for (uint64_t gra = 0; (gra = ram->next_used(ram->opaque, gra)) < ram->size; gra += RAM_PAGE_SIZE)
		if (!is_zero(ram->base + gra, RAM_PAGE_SIZE))
			hash = hash_bytes(hash_u64(hash, gra), ram->base + gra, RAM_PAGE_SIZE);
	return hash_u64(hash, ram->size);
}

/* A section of which nothing is hashed is as one that is not there. */
static uint64_t hash_section(uint64_t hash, const struct vms_section *s)
{
	uint64_t seed = hash_u64(hash_bytes(0, s->name, strlen(s->name)), s->instance), section = seed;

	if (!s->state->needed || s->state->needed(s->object))
		section = vms_hash(s->state, s->object, seed);
	return section == seed ? hash : hash_u64(hash, section);
}

uint64_t machine_statehash(struct machine *m)
{
	uint64_t hash = 0;
	struct vms_set set;
	struct vms_ram ram;

	if (!snapshot_sections(m, m->cpu, &set, &ram, NULL))
		return 0;
	for (unsigned i = 0; i < set.sections; i++)
		hash = hash_section(hash, &set.section[i]);
	hash = hash_htab(hash_ram(hash, &ram), m);
	snapshot_sections_free(&set, &ram);
	return hash;
}

uint64_t machine_instructions(const struct machine *m)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < m->ncpus; i++)
		n += m->cpu[i]->cpu.insns;
	return n;
}
