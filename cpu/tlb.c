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

/* ---- Contexts ---- */

/* Takes the lowest bit out of *bits. */
static unsigned next_bit(uint64_t *bits)
{
	unsigned bit = (unsigned)__builtin_ctzll(*bits);

	*bits &= *bits - 1;
	return bit;
}

/* In quadrant 0, if it is translated: the others that a guest has are of PID 0. */
static bool is_low(uint64_t ea)
{
	return !(ea >> 63);
}

static void data_ctx_init(struct data_ctx *ctx)
{
	for (unsigned i = 0; i < TLB_SIZE; i++)
		ctx->tlb[i].read = ctx->tlb[i].write = TLB_NONE;
}

/* An entry of the list may have been filled since with one that is in the other list. */
static void data_list_clear(struct data_ctx *ctx, bool low)
{
	struct data_list *list = low ? &ctx->low : &ctx->high;

	for (unsigned i = 0; i < list->n; i++) {
		struct tlb_entry *e = &ctx->tlb[list->at[i]];

		e->listed &= ~(uint64_t)(low ? LISTED_LOW : LISTED_HIGH);
		if (is_low(e->read != TLB_NONE ? e->read : e->write) == low)
			e->read = e->write = TLB_NONE;
	}
	list->n = 0;
}

static void data_ctx_clear(struct data_ctx *ctx)
{
	data_list_clear(ctx, true);
	data_list_clear(ctx, false);
}

static void data_ctx_list(struct data_ctx *ctx, uint64_t ea)
{
	struct data_list *list = is_low(ea) ? &ctx->low : &ctx->high;
	uint64_t flag = is_low(ea) ? LISTED_LOW : LISTED_HIGH;

	if (ctx->tlb[TLB_INDEX(ea)].listed & flag)
		return;
	if (list->n == TLB_SIZE)
		data_ctx_clear(ctx);
	list->at[list->n++] = (uint16_t)TLB_INDEX(ea);
	ctx->tlb[TLB_INDEX(ea)].listed |= flag;
}

static void jumps_clear(struct code_ctx *ctx)
{
	for (unsigned i = 0; i < ctx->njumps; i++)
		ctx->jumps[ctx->jump_at[i]].ea = JUMP_EMPTY;
	ctx->njumps = 0;
}

static void code_ctx_clear(struct code_ctx *ctx)
{
	while (ctx->fetched)
		ctx->itlb[next_bit(&ctx->fetched)].page = TLB_NONE;
	memset(ctx->pages, 0, sizeof ctx->pages);
	ctx->low = ctx->high = false;
	jumps_clear(ctx);
}

static void code_ctx_init(struct code_ctx *ctx)
{
	ctx->fetched = ~UINT64_C(0);
	for (unsigned i = 0; i < JUMP_SIZE; i++)
		ctx->jumps[i].ea = JUMP_EMPTY;
}

/* What lies in quadrant 0 belongs to a process. */
static void code_ctx_clear_low(struct code_ctx *ctx)
{
	if (ctx->low)
		code_ctx_clear(ctx);
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

static struct data_ctx *data_ctx_get(struct cpu *cpu, uint64_t key, uint64_t pid)
{
	struct mmu_ctx *ctx = cpu->ctx;
	bool fresh;
	unsigned i = ctx_slot(ctx->data_key, ctx->data_hint, &ctx->data_victim, key, &fresh);
	struct data_ctx *data;

	if (!ctx->data[i]) {
		ctx->data[i] = engine_take_table(cpu->engine, sizeof *ctx->data[i]);
		data_ctx_init(ctx->data[i]);
	}
	data = ctx->data[i];
	if (unlikely(fresh))
		data_ctx_clear(data);
	if (data->pid != pid) {
		data_list_clear(data, true);
		data->pid = pid;
	}
	return data;
}

static struct code_ctx *code_ctx_get(struct cpu *cpu, uint64_t key, uint64_t pid)
{
	struct mmu_ctx *ctx = cpu->ctx;
	bool fresh;
	unsigned i = ctx_slot(ctx->code_key, ctx->code_hint, &ctx->code_victim, key, &fresh);
	struct code_ctx *code;

	if (!ctx->code[i]) {
		ctx->code[i] = engine_take_table(cpu->engine, sizeof *ctx->code[i]);
		code_ctx_init(ctx->code[i]);
	}
	code = ctx->code[i];
	if (unlikely(fresh))
		code_ctx_clear(code);
	if (code->pid != pid) {
		code_ctx_clear_low(code);
		code->pid = pid;
	}
	return code;
}

/* Keys: bit 0 set (never 0), then mode bits, then the PID in problem state. Large enough for
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
	key |= KEY_TRANSLATED | (cpu->amr >> 62) << KEY_AMR_SHIFT;
	if (cpu->msr & MSR_PR)
		key |= KEY_PROBLEM | cpu->pidr << KEY_PID_SHIFT;
	if (cpu->lpcr & LPCR_HR)
		key |= KEY_RADIX;
	return key;
}

static uint64_t code_key(const struct cpu *cpu, uint32_t mode)
{
	uint64_t key = KEY_VALID | (uint64_t)mode << KEY_MODE_SHIFT;

	if (!(cpu->msr & MSR_IR))
		return key;
	key |= KEY_TRANSLATED | (cpu->iamr & PPC_BIT(1) ? KEY_IAMR : 0);
	if (cpu->msr & MSR_PR)
		key |= cpu->pidr << KEY_PID_SHIFT;
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
	ctx->data_now = data_ctx_get(cpu, data_key(cpu), cpu->pidr);
	ctx->code_now = code_ctx_get(cpu, code_key(cpu, cpu->mode), cpu->pidr);
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
	free(cpu->ctx);
	cpu->ctx = NULL;
}

void ctx_forget_blocks(struct cpu *cpu)
{
	for (unsigned i = 0; i < CTX_SLOTS; i++)
		if (cpu->ctx->code[i])
			jumps_clear(cpu->ctx->code[i]);
}

static void protect_listed(struct data_ctx *ctx, const struct data_list *list, uint64_t host)
{
	for (unsigned i = 0; i < list->n; i++) {
		struct tlb_entry *e = &ctx->tlb[list->at[i]];

		if (e->write != TLB_NONE && e->write + e->add == host)
			e->write = TLB_NONE;
	}
}

void ctx_protect_page(struct cpu *cpu, const uint8_t *host)
{
	for (unsigned i = 0; i < CTX_SLOTS && cpu->ctx->data[i]; i++) {
		protect_listed(cpu->ctx->data[i], &cpu->ctx->data[i]->low, (uint64_t)host);
		protect_listed(cpu->ctx->data[i], &cpu->ctx->data[i]->high, (uint64_t)host);
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

/* The host address of ea, or NULL: an interrupt has been raised. Enters what it learns in the TLB.
 *
 * A real address where the partition has no storage is a machine check, whether it was translated or not.
 * To the guest its logical real addresses are the real ones, and storage that does not exist is a machine
 * check (Power ISA, Book III, "Invalid Real Address"); PAPR has a type of machine check for it, the control
 * memory access of the error log's section MC; POWER9 does so, and QEMU since 9.0. A storage interrupt would
 * blame the guest's tables, which are right. It is what a guest gets for tables that lie nowhere. */
static uint8_t *fill(struct cpu *cpu, const struct op *op, uint64_t ea, enum access access)
{
	struct ram *ram = cpu->env->ram;
	struct data_ctx *data = cpu->ctx->data_now;
	struct tlb_entry *e = &data->tlb[TLB_INDEX(ea)];
	uint64_t page;
	struct translation tr;
	struct mmu_fault fault;
	uint8_t *host;

	if (!mmu_translate(cpu, ea, access, &tr, &fault)) {
		raise_data_fault(cpu, op, ea, &fault);
		return NULL;
	}
	if (!ram_ok(ram, tr.gra, 1)) {
		raise_no_storage(cpu, op, ea, access == ACCESS_WRITE);
		return NULL;
	}
	data_ctx_list(data, ea);
	page = tr.gra & ~(RAM_PAGE_SIZE - 1);
	host = ram->base + page;
	e->read = tr.read ? TLB_PAGE(ea) : TLB_NONE;
	e->write = tr.write && !(ram->page[page >> RAM_PAGE_SHIFT] & RAM_PAGE_CODE) ? TLB_PAGE(ea) : TLB_NONE;
	e->add = (uint64_t)host - TLB_PAGE(ea);
	return host + (ea & (RAM_PAGE_SIZE - 1));
}

static uint8_t *find(struct cpu *cpu, const struct op *op, uint64_t ea, enum access access)
{
	void *hit = tlb_hit(cpu->tlb, ea, 1, access == ACCESS_WRITE);

	return hit ? hit : fill(cpu, op, ea, access);
}

/* Bytes of [ea, ea + size) in the page of ea. */
static unsigned first_part(uint64_t ea, unsigned size)
{
	uint64_t room = RAM_PAGE_SIZE - (ea & (RAM_PAGE_SIZE - 1));

	return size < room ? size : (unsigned)room;
}

bool load_slow(struct cpu *cpu, const struct op *op, uint64_t ea, void *out, unsigned size)
{
	uint8_t *to = out;

	while (size) {
		unsigned n = first_part(ea, size);
		const uint8_t *host = find(cpu, op, ea, ACCESS_READ);

		if (!host)
			return false;
		memcpy(to, host, n);
		to += n;
		size -= n;
		ea = address_wrap(cpu, ea + n);
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

	/* Both pages are known to be writable before either is written. */
	n[1] = size - n[0];
	host[0] = find(cpu, op, ea, ACCESS_WRITE);
	if (!host[0])
		return false;
	host[1] = NULL;
	if (n[1]) {
		host[1] = find(cpu, op, address_wrap(cpu, ea + n[0]), ACCESS_WRITE);
		if (!host[1])
			return false;
	}
	for (unsigned i = 0; i < 2; from += n[i++]) {
		if (!n[i])
			continue;
		memcpy(host[i], from, n[i]);
		code_check(cpu, host[i], n[i]);
	}
	return true;
}

void *host_address(struct cpu *cpu, const struct op *op, uint64_t ea, unsigned size, enum access access)
{
	uint8_t *host = find(cpu, op, ea, access);

	if (host && access == ACCESS_WRITE)
		code_check(cpu, host, size);
	return host;
}

/* ---- Fetch ---- */

/* POWER9: a fetch from a real address that is not there. */
#define SRR1_MC_FETCH (PPC_BIT(36) | PPC_BIT(44) | PPC_BIT(45))

static unsigned page_bit(uint64_t ea)
{
	return (unsigned)((ea >> 16) * UINT64_C(0x9e3779b97f4a7c15) >> 32) % CODE_PAGE_BITS;
}

bool fetch_translate(struct cpu *cpu, uint64_t ea, uint64_t *gra)
{
	struct code_ctx *ctx = cpu->ctx->code_now;
	struct itlb_entry *e = &ctx->itlb[ea >> RAM_PAGE_SHIFT & (ITLB_SIZE - 1)];
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
		cpu_machine_check(cpu, ea, SRR1_MC_FETCH);
		return false;
	}
	ctx->fetched |= UINT64_C(1) << (ea >> RAM_PAGE_SHIFT & (ITLB_SIZE - 1));
	ctx->pages[page_bit(ea) / 64] |= UINT64_C(1) << page_bit(ea) % 64;
	*(is_low(ea) ? &ctx->low : &ctx->high) = true;
	e->page = TLB_PAGE(ea);
	e->gra = tr.gra & ~(RAM_PAGE_SIZE - 1);
	*gra = tr.gra;
	return true;
}

void jump_insert(struct cpu *cpu, uint64_t ea, struct block *block)
{
	struct code_ctx *ctx = cpu->ctx->code_now;
	struct jump_entry *entry = &ctx->jumps[JUMP_INDEX(ea)];

	if (entry->ea == JUMP_EMPTY) {
		if (ctx->njumps == JUMP_SIZE)
			jumps_clear(ctx);
		ctx->jump_at[ctx->njumps++] = (uint16_t)JUMP_INDEX(ea);
	}
	*entry = (struct jump_entry){ ea, block };
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

/* Addresses without translation stay. PID 0's space is the kernel's quadrant, too, of every context. */
void tlb_flush_pid(struct cpu *cpu, uint64_t pid)
{
	struct mmu_ctx *ctx = cpu->ctx;

	for (unsigned i = 0; i < CTX_SLOTS; i++) {
		struct data_ctx *data = ctx->data_key[i] & KEY_TRANSLATED ? ctx->data[i] : NULL;
		struct code_ctx *code = ctx->code_key[i] & KEY_TRANSLATED ? ctx->code[i] : NULL;

		if (data && data->pid == pid)
			data_list_clear(data, true);
		if (data && pid == 0)
			data_list_clear(data, false);
		if (code && ((code->pid == pid && code->low) || (pid == 0 && code->high)))
			code_ctx_clear(code);
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

	if (!(ctx->pages[page_bit(ea) / 64] >> page_bit(ea) % 64 & 1))
		return;
	for (uint64_t fetched = ctx->fetched; fetched;) {
		struct itlb_entry *e = &ctx->itlb[next_bit(&fetched)];

		if (e->page >> shift == page)
			e->page = TLB_NONE;
	}
	for (unsigned i = 0; i < ctx->njumps; i++) {
		struct jump_entry *e = &ctx->jumps[ctx->jump_at[i]];

		if (e->ea >> shift == page)
			e->ea = JUMP_GONE;
	}
}

void tlb_flush_page(struct cpu *cpu, uint64_t pid, uint64_t ea, unsigned shift)
{
	struct mmu_ctx *ctx = cpu->ctx;

	if (shift > 16) {	/* more entries than a whole TLB has */
		tlb_flush_pid(cpu, pid);
		return;
	}
	for (unsigned i = 0; i < CTX_SLOTS; i++) {
		struct data_ctx *data = ctx->data[i];
		struct code_ctx *code = ctx->code[i];

		if (data && (is_low(ea) ? data->pid == pid && data->low.n : data->high.n))
			data_ctx_flush_page(data, ea, shift);
		if (code && (is_low(ea) ? code->pid == pid && code->low : code->high))
			code_ctx_flush_page(code, ea, shift);
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
