/* Translation by process-scoped radix trees.
 *
 * Reads the guest's process table and page tables, decides what an access may do, and sets
 * R and C. Partition-scoped translation is the identity: guest real is an offset in RAM. An
 * entry that lies outside RAM reads as zero, that is, as invalid.
 * Source: Power ISA 3.0B, Book III, 5.7; POWER9 User's Manual, 4.10.4 (supported trees).
 */
#include "cpu/mmu/mmu.h"

#define FAULT_CONFIG     PPC_BIT32(12)	/* unsupported radix tree configuration */

/* Process table origin as H_REGISTER_PROC_TBL takes it, and doubleword 0 of an entry. 5.7.6.2 */
#define PRTB_BASE PPC_MASK(4, 51)
#define PRTB_SIZE PPC_MASK(59, 63)
#define PRTE_RPDB PPC_MASK(4, 55)
#define PRTE_RPDS PPC_MASK(59, 63)

/* Page directory and page table entries. 5.7.10.2 */
#define PDE_V   PPC_BIT(0)
#define PDE_L   PPC_BIT(1)
#define PDE_NLB PPC_MASK(4, 55)
#define PDE_NLS PPC_MASK(59, 63)
#define PTE_RPN PPC_MASK(7, 51)
#define PTE_R   PPC_BIT(55)
#define PTE_C   PPC_BIT(56)
#define PTE_ATT(pte) ((unsigned)((pte) >> 4) & 3)
#define ATT_NI  2	/* non-idempotent I/O: guarded */
#define EAA_PRIV  PPC_BIT(60)
#define EAA_READ  PPC_BIT(61)
#define EAA_WRITE PPC_BIT(62)	/* implies read */
#define EAA_EXEC  PPC_BIT(63)

/* Key 0 in AMR and IAMR: what privileged state may not do to pages of problem state. 5.7.12.1 */
#define AMR_NO_WRITE PPC_BIT(0)
#define AMR_NO_READ  PPC_BIT(1)
#define IAMR_NO_EXEC PPC_BIT(1)

#define EA_BITS 52	/* the one tree size that POWER9 has */

/* Root: bits 12:24 of the address, then twice 9 bits, then 9 (4 KiB) or 5 (64 KiB). */
static bool level_supported(unsigned level, unsigned shift, unsigned bits)
{
	switch (level) {
	case 0:
		return shift == EA_BITS && bits == 13;
	case 1:
	case 2:
		return bits == 9;
	case 3:
		return bits == 9 || bits == 5;
	default:
		return false;
	}
}

struct leaf {
	uint64_t pte, addr;	/* the entry and where it lies */
	unsigned shift, levels;
};

/* A walk writes down its way for who asks for it; a translation does not, and nothing of that is left in it. */
#define WALK static inline __attribute__((always_inline)) uint64_t

/* From the process table entry down to a leaf; 0, or what is wrong as DSISR bits. `way`: of MMU_LEVELS addresses of entries,
 * or NULL. */
WALK walk_tree(const struct ram *ram, uint64_t prte, uint64_t ea, struct leaf *leaf, uint64_t *way)
{
	/* RTS lies in two pieces: bits 1:2 and 56:58. */
	unsigned shift = (unsigned)((prte >> 58 & 0x18) | (prte >> 5 & 7)) + 31;
	unsigned bits = (unsigned)(prte & PRTE_RPDS);
	uint64_t table = prte & PRTE_RPDB, entry, addr;

	for (unsigned level = 0;; level++) {
		_Static_assert(MMU_LEVELS == 4, "level_supported() ends the walk");
		if (!level_supported(level, shift, bits))
			return FAULT_CONFIG;
		shift -= bits;
		addr = (table & ~((UINT64_C(8) << bits) - 1)) + 8 * (ea >> shift & ((UINT64_C(1) << bits) - 1));
		if (way)
			way[level] = addr;
		entry = ld_be64(ram, addr);
		if (!(entry & PDE_V))
			return FAULT_NO_PTE;
		if (entry & PDE_L) {
			leaf->levels = level + 1;
			break;
		}
		table = entry & PDE_NLB;
		bits = (unsigned)(entry & PDE_NLS);
	}
	if (shift > 30)		/* a leaf in the root would map 512 GiB */
		return FAULT_CONFIG;
	leaf->pte = entry;
	leaf->addr = addr;
	leaf->shift = shift;
	return 0;
}

/* What this context may do to the page, R and C aside. 5.7.12 */
static void set_permissions(const struct cpu *cpu, uint64_t pte, struct translation *out)
{
	out->read = pte & (EAA_READ | EAA_WRITE);
	out->write = pte & EAA_WRITE;
	out->exec = pte & EAA_EXEC;
	if (pte & EAA_PRIV) {
		if (cpu->msr & MSR_PR)
			out->read = out->write = out->exec = false;
	} else if (!(cpu->msr & MSR_PR)) {
		out->read &= !(cpu->amr & AMR_NO_READ);
		out->write &= !(cpu->amr & AMR_NO_WRITE);
		out->exec &= !(cpu->iamr & IAMR_NO_EXEC);
	}
	if (PTE_ATT(pte) == ATT_NI)
		out->exec = false;
}

static bool access_permitted(const struct translation *t, enum access access)
{
	return access == ACCESS_READ ? t->read : access == ACCESS_WRITE ? t->write : t->exec;
}

/* Atomic: another processor or the guest's own ldarx loop may own the doubleword. */
static void set_reference_change(struct cpu *cpu, const struct leaf *leaf, uint64_t bits)
{
	struct ram *ram = cpu->env->ram;
	uint64_t addr = leaf->addr;

	if (!(bits & ~leaf->pte) || !ram_ok(ram, addr, 8))
		return;
	__atomic_fetch_or((uint64_t *)(void *)(ram->base + addr), __builtin_bswap64(bits), __ATOMIC_SEQ_CST);
	ram_written(ram, addr, 8);
	cpu->spin_op = NULL;
}

/* From the effective address to the leaf; 0, SEGMENT, or what is wrong as DSISR bits. */
#define SEGMENT UINT64_MAX
WALK find_leaf(const struct cpu *cpu, uint64_t ea, struct leaf *leaf, uint64_t *way)
{
	const struct ram *ram = cpu->env->ram;
	uint64_t size = UINT64_C(1) << (12 + (cpu->proc_tbl & PRTB_SIZE)), base = cpu->proc_tbl & PRTB_BASE;
	uint64_t pid, offset;

	/* Quadrant 0 is the process, quadrant 3 the kernel; 1 and 2 are the hypervisor's. 5.7.5.1 */
	if (ea & PPC_MASK(2, 11) || ea >> 62 == 1 || ea >> 62 == 2)
		return SEGMENT;
	pid = ea >> 62 ? 0 : cpu->pidr;
	if (base & (size - 1))
		return FAULT_CONFIG;
	offset = pid * 16;
	if (offset >= size)
		return FAULT_NO_PTE;
	return walk_tree(ram, ld_be64(ram, base + offset), ea & PPC_MASK(12, 63), leaf, way);
}

static uint64_t leaf_gra(const struct leaf *leaf, uint64_t ea)
{
	uint64_t page = (UINT64_C(1) << leaf->shift) - 1;

	return (leaf->pte & PTE_RPN & ~page) | (ea & page);
}

static bool radix_translate(struct cpu *cpu, uint64_t ea, enum access access,
			    struct translation *out, struct mmu_fault *fault)
{
	struct leaf leaf;
	uint64_t bits = find_leaf(cpu, ea, &leaf, NULL);

	if (bits == SEGMENT)
		return mmu_segment_fault(fault, access);
	if (bits)
		return mmu_storage_fault(fault, access, bits);

	set_permissions(cpu, leaf.pte, out);
	if (!access_permitted(out, access)) {
		bool noexec = access == ACCESS_EXEC && !((leaf.pte & EAA_PRIV) && (cpu->msr & MSR_PR));

		return mmu_storage_fault(fault, access, noexec ? FAULT_NOEXEC : FAULT_PROTECTION);
	}
	set_reference_change(cpu, &leaf, access == ACCESS_WRITE ? PTE_R | PTE_C : PTE_R);
	/* The first store must come back to set C. */
	out->write &= access == ACCESS_WRITE || (leaf.pte & PTE_C);
	out->gra = leaf_gra(&leaf, ea);
	return true;
}

static bool radix_look(const struct cpu *cpu, uint64_t ea, bool fetch, struct mmu_look *out)
{
	struct leaf leaf;
	uint64_t way[MMU_LEVELS] = { 0 };

	(void)fetch;
	if (find_leaf(cpu, ea, &leaf, way))
		return false;
	*out = (struct mmu_look){ .gra = leaf_gra(&leaf, ea), .shift = leaf.shift, .n = leaf.levels };
	memcpy(out->entry, way, sizeof out->entry);
	return true;
}

const struct mmu mmu_radix = { radix_translate, radix_look };
