/* Contexts, the software TLB's slow path, and forgetting translations.
 *
 * A context is everything that decides what an address means: a data side (TLB) and a
 * code side (fetch TLB and jump cache). Both are kept per key in a small pool, so that
 * a system call, an interrupt or a switch between a few processes finds its old one.
 */
#include "mmu.h"

#include <stdlib.h>

#include "block.h"
#include "dispatch.h"

#define EMPTY_EA UINT64_C(1)

/* ---- Contexts ---- */

static void data_ctx_clear(struct data_ctx *ctx)
{
	for (unsigned i = 0; i < TLB_SIZE; i++)
		ctx->tlb[i].read = ctx->tlb[i].write = TLB_NONE;
}

static void jumps_clear(struct code_ctx *ctx)
{
	for (unsigned i = 0; i < JUMP_SIZE; i++)
		ctx->jumps[i].ea = EMPTY_EA;
	ctx->pages = 0;
}

static void code_ctx_clear(struct code_ctx *ctx)
{
	for (unsigned i = 0; i < ITLB_SIZE; i++)
		ctx->itlb[i].page = TLB_NONE;
	jumps_clear(ctx);
}

/* Finds key among the slots, or empties one for it; slots are filled before any is reused. */
static unsigned ctx_slot(uint64_t keys[CTX_SLOTS], uint8_t hints[CTX_HINTS], unsigned *victim,
			 uint64_t key, bool *fresh)
{
	uint8_t *hint = &hints[(key * UINT64_C(0x9e3779b97f4a7c15)) >> 58];
	unsigned i;

	*fresh = false;
	if (likely(keys[*hint] == key))
		return *hint;
	for (i = 0; i < CTX_SLOTS && keys[i] && keys[i] != key; i++)
		;
	if (i == CTX_SLOTS)
		i = (*victim)++ % CTX_SLOTS;
	if (keys[i] != key) {
		*fresh = true;
		keys[i] = key;
	}
	*hint = (uint8_t)i;
	return i;
}

static void *must_alloc(size_t size)
{
	void *p = malloc(size);

	if (!p)
		abort();	/* tens of KiB: the host is beyond help */
	return p;
}

static struct data_ctx *data_ctx_get(struct mmu_ctx *ctx, uint64_t key)
{
	bool fresh;
	unsigned i = ctx_slot(ctx->data_key, ctx->data_hint, &ctx->data_victim, key, &fresh);

	if (!ctx->data[i])
		ctx->data[i] = must_alloc(sizeof *ctx->data[i]);
	if (fresh)
		data_ctx_clear(ctx->data[i]);
	return ctx->data[i];
}

static struct code_ctx *code_ctx_get(struct mmu_ctx *ctx, uint64_t key)
{
	bool fresh;
	unsigned i = ctx_slot(ctx->code_key, ctx->code_hint, &ctx->code_victim, key, &fresh);

	if (!ctx->code[i])
		ctx->code[i] = must_alloc(sizeof *ctx->code[i]);
	if (fresh)
		code_ctx_clear(ctx->code[i]);
	return ctx->code[i];
}

/* Keys: bit 0 set (never 0), then mode bits, then the PID where it counts. Large enough for
 * every combination that changes what an access may do. */
#define KEY_VALID      UINT64_C(1)
#define KEY_TRANSLATED UINT64_C(2)
#define KEY_PROBLEM    UINT64_C(4)
#define KEY_AMR_SHIFT  3			/* two bits: AMR key 0 */
#define KEY_IAMR       UINT64_C(32)
#define KEY_MODE_SHIFT 8
#define KEY_RADIX      (UINT64_C(1) << 16)
#define KEY_PID_SHIFT  32

static uint64_t data_key(const struct cpu *cpu)
{
	uint64_t key = KEY_VALID;

	if (!(cpu->msr & MSR_DR))
		return key;
	key |= KEY_TRANSLATED | cpu->pidr << KEY_PID_SHIFT | (cpu->amr >> 62) << KEY_AMR_SHIFT;
	if (cpu->msr & MSR_PR)
		key |= KEY_PROBLEM;
	if (cpu->lpcr & LPCR_HR)
		key |= KEY_RADIX;
	return key;
}

static uint64_t code_key(const struct cpu *cpu, uint32_t mode)
{
	uint64_t key = KEY_VALID | (uint64_t)mode << KEY_MODE_SHIFT;

	if (!(cpu->msr & MSR_IR))
		return key;
	key |= KEY_TRANSLATED | cpu->pidr << KEY_PID_SHIFT | (cpu->iamr & PPC_BIT(1) ? KEY_IAMR : 0);
	if (cpu->lpcr & LPCR_HR)
		key |= KEY_RADIX;
	return key;
}

static uint32_t mode_of(uint64_t msr)
{
	return (msr & MSR_SF ? MODE_SF : 0) | (msr & MSR_LE ? MODE_LE : 0) | (msr & MSR_PR ? MODE_PR : 0) |
	       (msr & MSR_FP ? MODE_FP : 0) | (msr & MSR_VEC ? MODE_VEC : 0) | (msr & MSR_VSX ? MODE_VSX : 0);
}

void cpu_context_changed(struct cpu *cpu)
{
	struct mmu_ctx *ctx = cpu->ctx;

	cpu->mode = mode_of(cpu->msr);
	ctx->data_now = data_ctx_get(ctx, data_key(cpu));
	ctx->code_now = code_ctx_get(ctx, code_key(cpu, cpu->mode));
	cpu->tlb = ctx->data_now->tlb;
	cpu->jumps = ctx->code_now->jumps;
}

bool ctx_init(struct cpu *cpu)
{
	cpu->ctx = calloc(1, sizeof *cpu->ctx);
	if (!cpu->ctx)
		return false;
	cpu_context_changed(cpu);
	return true;
}

void ctx_free(struct cpu *cpu)
{
	for (unsigned i = 0; cpu->ctx && i < CTX_SLOTS; i++) {
		free(cpu->ctx->data[i]);
		free(cpu->ctx->code[i]);
	}
	free(cpu->ctx);
	cpu->ctx = NULL;
}

void ctx_forget_blocks(struct cpu *cpu)
{
	for (unsigned i = 0; i < CTX_SLOTS; i++)
		if (cpu->ctx->code[i])
			jumps_clear(cpu->ctx->code[i]);
}

void ctx_protect_page(struct cpu *cpu, const uint8_t *host)
{
	for (unsigned i = 0; i < CTX_SLOTS; i++) {
		struct data_ctx *ctx = cpu->ctx->data[i];

		for (unsigned j = 0; ctx && j < TLB_SIZE; j++)
			if (ctx->tlb[j].write != TLB_NONE && ctx->tlb[j].write + ctx->tlb[j].add == (uint64_t)host)
				ctx->tlb[j].write = TLB_NONE;
	}
}

/* ---- Filling ---- */

static bool raise_data_fault(struct cpu *cpu, const struct op *op, uint64_t ea, const struct mmu_fault *fault)
{
	cpu->dar = ea;
	if (fault->vector == VEC_DATA_STORAGE)
		cpu->dsisr = (uint32_t)fault->bits;
	return raise_interrupt(cpu, op, fault->vector, 0);
}

/* The host address of ea, or NULL: an interrupt has been raised, or the page is not RAM
 * (*hole). Enters what it learns in the TLB. */
static uint8_t *fill(struct cpu *cpu, const struct op *op, uint64_t ea, enum access access, bool *hole)
{
	struct ram *ram = cpu->env->ram;
	struct tlb_entry *e = &cpu->tlb[TLB_INDEX(ea)];
	struct translation tr;
	struct mmu_fault fault;
	uint64_t page;
	uint8_t *host;

	*hole = false;
	if (!mmu_translate(cpu, ea, access, &tr, &fault)) {
		raise_data_fault(cpu, op, ea, &fault);
		return NULL;
	}
	if (!ram_ok(ram, tr.gra, 1)) {
		*hole = true;
		return NULL;
	}
	page = tr.gra & ~(RAM_PAGE_SIZE - 1);
	host = ram->base + page;
	e->read = tr.read ? TLB_PAGE(ea) : TLB_NONE;
	e->write = tr.write && !(ram->page[page >> RAM_PAGE_SHIFT] & RAM_PAGE_CODE) ? TLB_PAGE(ea) : TLB_NONE;
	e->add = (uint64_t)host - TLB_PAGE(ea);
	return host + (ea & (RAM_PAGE_SIZE - 1));
}

static uint8_t *find(struct cpu *cpu, const struct op *op, uint64_t ea, enum access access, bool *hole)
{
	void *hit = tlb_hit(cpu->tlb, ea, 1, access == ACCESS_WRITE);

	*hole = false;
	return hit ? hit : fill(cpu, op, ea, access, hole);
}

/* Bytes of [ea, ea + size) in the page of ea. */
static unsigned first_part(uint64_t ea, unsigned size)
{
	uint64_t room = RAM_PAGE_SIZE - (ea & (RAM_PAGE_SIZE - 1));

	return size < room ? size : (unsigned)room;
}

static uint64_t wrap(const struct cpu *cpu, uint64_t ea)
{
	return cpu->msr & MSR_SF ? ea : (uint32_t)ea;
}

static void log_hole(struct cpu *cpu, const struct op *op, uint64_t ea, const char *what)
{
	if (cpu->env->log)
		cpu->env->log(cpu->env->machine, LOG_GUEST_ERROR, "%s at %016llx outside memory, from %016llx", what,
			      (unsigned long long)ea, (unsigned long long)op_nip(cpu, op));
}

bool load_slow(struct cpu *cpu, const struct op *op, uint64_t ea, void *out, unsigned size)
{
	uint8_t *to = out;

	while (size) {
		unsigned n = first_part(ea, size);
		bool hole;
		const uint8_t *host = find(cpu, op, ea, ACCESS_READ, &hole);

		if (!host && !hole)
			return false;
		if (hole) {
			log_hole(cpu, op, ea, "load");
			memset(to, 0xff, n);	/* an empty bus */
		} else {
			memcpy(to, host, n);
		}
		to += n;
		size -= n;
		ea = wrap(cpu, ea + n);
	}
	return true;
}

static void code_check(struct cpu *cpu, const uint8_t *host, unsigned n)
{
	struct ram *ram = cpu->env->ram;
	uint64_t gra = (uint64_t)(host - ram->base);

	if (ram->page[gra >> RAM_PAGE_SHIFT] & RAM_PAGE_CODE)
		engine_code_written(cpu->engine, gra, n);
}

bool store_slow(struct cpu *cpu, const struct op *op, uint64_t ea, const void *in, unsigned size)
{
	const uint8_t *from = in;
	uint8_t *host[2];
	unsigned n[2] = { first_part(ea, size), 0 };
	bool hole[2] = { false, false };

	/* Both pages are known to be writable before either is written. */
	n[1] = size - n[0];
	host[0] = find(cpu, op, ea, ACCESS_WRITE, &hole[0]);
	if (!host[0] && !hole[0])
		return false;
	host[1] = NULL;
	if (n[1]) {
		host[1] = find(cpu, op, wrap(cpu, ea + n[0]), ACCESS_WRITE, &hole[1]);
		if (!host[1] && !hole[1])
			return false;
	}
	for (unsigned i = 0; i < 2; from += n[i++]) {
		if (!n[i])
			continue;
		if (hole[i]) {
			log_hole(cpu, op, ea, "store");
			continue;
		}
		memcpy(host[i], from, n[i]);
		code_check(cpu, host[i], n[i]);
	}
	return true;
}

void *host_address(struct cpu *cpu, const struct op *op, uint64_t ea, unsigned size, enum access access)
{
	/* Reserving, zeroing or updating atomically what is not memory (Book III, 6.5.3). */
	static const struct mmu_fault not_memory = { VEC_DATA_STORAGE, PPC_BIT32(5) };
	static const struct mmu_fault not_memory_store = { VEC_DATA_STORAGE, PPC_BIT32(5) | PPC_BIT32(6) };
	bool hole;
	uint8_t *host = find(cpu, op, ea, access, &hole);

	if (hole)
		raise_data_fault(cpu, op, ea, access == ACCESS_WRITE ? &not_memory_store : &not_memory);
	if (host && access == ACCESS_WRITE)
		code_check(cpu, host, size);
	return host;
}

/* ---- Fetch ---- */

bool fetch_translate(struct cpu *cpu, uint64_t ea, uint64_t *gra)
{
	struct itlb_entry *e = &cpu->ctx->code_now->itlb[ea >> RAM_PAGE_SHIFT & (ITLB_SIZE - 1)];
	struct translation tr;
	struct mmu_fault fault;

	if (e->page == TLB_PAGE(ea)) {
		*gra = e->gra | (ea & (RAM_PAGE_SIZE - 1));
		return true;
	}
	if (!mmu_translate(cpu, ea, ACCESS_EXEC, &tr, &fault)) {
		cpu_interrupt(cpu, fault.vector, ea, fault.bits);
		return false;
	}
	if (!ram_ok(cpu->env->ram, tr.gra, 4)) {
		/* Nothing to execute there: as for a page marked no-execute. */
		cpu_interrupt(cpu, VEC_INST_STORAGE, ea, PPC_BIT(35));
		return false;
	}
	e->page = TLB_PAGE(ea);
	e->gra = tr.gra & ~(RAM_PAGE_SIZE - 1);
	*gra = tr.gra;
	return true;
}

static uint64_t page_bit(uint64_t ea)
{
	return UINT64_C(1) << (ea >> 16 & 63);
}

void jump_insert(struct cpu *cpu, uint64_t ea, struct block *block)
{
	struct code_ctx *ctx = cpu->ctx->code_now;

	ctx->jumps[JUMP_INDEX(ea)] = (struct jump_entry){ ea, block };
	ctx->pages |= page_bit(ea);
}

/* ---- Forgetting ---- */

void tlb_flush_all(struct cpu *cpu)
{
	for (unsigned i = 0; i < CTX_SLOTS; i++) {
		if (cpu->ctx->data[i])
			data_ctx_clear(cpu->ctx->data[i]);
		if (cpu->ctx->code[i])
			code_ctx_clear(cpu->ctx->code[i]);
	}
}

/* PID 0's space is the kernel's quadrant of every context. */
static bool key_matches(uint64_t key, uint64_t pid)
{
	return key & KEY_TRANSLATED && (pid == 0 || key >> KEY_PID_SHIFT == pid);
}

void tlb_flush_pid(struct cpu *cpu, uint64_t pid)
{
	struct mmu_ctx *ctx = cpu->ctx;

	for (unsigned i = 0; i < CTX_SLOTS; i++) {
		if (ctx->data[i] && key_matches(ctx->data_key[i], pid))
			data_ctx_clear(ctx->data[i]);
		if (ctx->code[i] && key_matches(ctx->code_key[i], pid))
			code_ctx_clear(ctx->code[i]);
	}
}

static void data_ctx_flush_page(struct data_ctx *ctx, uint64_t ea, unsigned shift)
{
	uint64_t start = ea >> shift << shift;

	for (uint64_t at = start; at < start + (UINT64_C(1) << shift); at += RAM_PAGE_SIZE) {
		struct tlb_entry *e = &ctx->tlb[TLB_INDEX(at)];

		if (e->read == at || e->write == at)
			e->read = e->write = TLB_NONE;
	}
}

static void code_ctx_flush_page(struct code_ctx *ctx, uint64_t ea, unsigned shift)
{
	uint64_t page = ea >> shift;

	for (unsigned i = 0; i < ITLB_SIZE; i++)
		if (ctx->itlb[i].page >> shift == page)
			ctx->itlb[i].page = TLB_NONE;
	if (!(ctx->pages & page_bit(ea)))
		return;
	for (unsigned i = 0; i < JUMP_SIZE; i++)
		if (ctx->jumps[i].ea >> shift == page)
			ctx->jumps[i].ea = EMPTY_EA;
}

void tlb_flush_page(struct cpu *cpu, uint64_t pid, uint64_t ea, unsigned shift)
{
	struct mmu_ctx *ctx = cpu->ctx;

	if (shift > 16) {	/* more entries than a whole TLB has */
		tlb_flush_pid(cpu, pid);
		return;
	}
	for (unsigned i = 0; i < CTX_SLOTS; i++) {
		if (ctx->data[i] && key_matches(ctx->data_key[i], pid))
			data_ctx_flush_page(ctx->data[i], ea, shift);
		if (ctx->code[i] && key_matches(ctx->code_key[i], pid))
			code_ctx_flush_page(ctx->code[i], ea, shift);
	}
}

void tlb_flush_all_everywhere(struct cpu *cpu)
{
	for (unsigned i = 0; i < cpu->engine->ncpus; i++)
		tlb_flush_all(cpu->engine->cpus[i]);
}

void tlb_flush_pid_everywhere(struct cpu *cpu, uint64_t pid)
{
	for (unsigned i = 0; i < cpu->engine->ncpus; i++)
		tlb_flush_pid(cpu->engine->cpus[i], pid);
}

void tlb_flush_page_everywhere(struct cpu *cpu, uint64_t pid, uint64_t ea, unsigned shift)
{
	for (unsigned i = 0; i < cpu->engine->ncpus; i++)
		tlb_flush_page(cpu->engine->cpus[i], pid, ea, shift);
}
