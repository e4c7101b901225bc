/* Translation switched off. */
#include "cpu/mmu/mmu.h"

/* The four high bits of a real mode address are ignored. Power ISA 3.0B, Book III, 5.7.3. */
static uint64_t real_gra(uint64_t ea)
{
	return ea & PPC_MASK(4, 63);
}

static bool real_translate(struct cpu *cpu, uint64_t ea, enum access access, struct translation *out, struct mmu_fault *fault)
{
	(void)cpu;
	(void)access;
	(void)fault;
	*out = (struct translation){ .gra = real_gra(ea), .read = true, .write = true, .exec = true };
	return true;
}

static bool real_look(const struct cpu *cpu, uint64_t ea, bool fetch, struct mmu_look *out)
{
	(void)cpu;
	(void)fetch;
	*out = (struct mmu_look){ .gra = real_gra(ea) };
	return true;
}

const struct mmu mmu_real = { real_translate, real_look };
