/* Contexts, the software TLB's slow path, and forgetting translations.
 *
 * A context is everything that decides what an address means: a data side (TLB) and a
 * code side (fetch TLB and jump cache). Both are kept per key in a small pool, so that
 * a system call, an interrupt or a switch between a few processes finds its old one.
 */
#include "cpu/engine/tlb.h"

#include <stdlib.h>

#include "cpu/core/spr.h"
#include "cpu/engine/block.h"
#include "cpu/engine/dispatch.h"
#include "cpu/engine/points.h"
#include "cpu/engine/watch.h"

/* ---- Contexts ---- */

#define SLOT_BIT(slot) (UINT64_C(1) << (slot))

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
static void data_list_clear(struct mmu_ctx *ctx, unsigned slot, bool low)
{
	struct data_ctx *data = ctx->data[slot];
	struct data_list *list = low ? &data->low : &data->high;

	for (unsigned i = 0; i < list->n; i++) {
		struct tlb_entry *e = &data->tlb[list->at[i]];

		e->listed &= ~(uint64_t)(low ? LISTED_LOW : LISTED_HIGH);
		if (is_low(e->read != TLB_NONE ? e->read : e->write) == low)
			e->read = e->write = TLB_NONE;
	}
	ctx->listed -= list->n;
	list->n = 0;
	*(low ? &ctx->data_low : &ctx->data_high) &= ~SLOT_BIT(slot);
}

static void data_ctx_clear(struct mmu_ctx *ctx, unsigned slot)
{
	if (ctx->data_low & SLOT_BIT(slot))
		data_list_clear(ctx, slot, true);
	if (ctx->data_high & SLOT_BIT(slot))
		data_list_clear(ctx, slot, false);
}

static void data_ctx_list(struct mmu_ctx *ctx, uint64_t ea)
{
	struct data_ctx *data = ctx->data_now;
	struct data_list *list = is_low(ea) ? &data->low : &data->high;
	uint64_t flag = is_low(ea) ? LISTED_LOW : LISTED_HIGH;

	if (data->tlb[TLB_INDEX(ea)].listed & flag)
		return;
	if (list->n == TLB_SIZE)
		data_ctx_clear(ctx, ctx->data_slot);
	list->at[list->n++] = (uint16_t)TLB_INDEX(ea);
	data->tlb[TLB_INDEX(ea)].listed |= flag;
	ctx->listed++;
	*(is_low(ea) ? &ctx->data_low : &ctx->data_high) |= SLOT_BIT(ctx->data_slot);
}

static void jumps_clear(struct code_ctx *code)
{
	for (unsigned i = 0; i < code->njumps; i++)
		code->jumps[code->jump_at[i]].ea = JUMP_EMPTY;
	code->njumps = 0;
}

static void code_ctx_clear(struct mmu_ctx *ctx, unsigned slot)
{
	struct code_ctx *code = ctx->code[slot];

	if (!((ctx->code_low | ctx->code_high) & SLOT_BIT(slot)))
		return;
	while (code->fetched)
		code->itlb[next_bit(&code->fetched)].page = TLB_NONE;
	memset(code->pages, 0, sizeof code->pages);
	ctx->code_low &= ~SLOT_BIT(slot);
	ctx->code_high &= ~SLOT_BIT(slot);
	jumps_clear(code);
}

static void code_ctx_init(struct code_ctx *code)
{
	for (unsigned i = 0; i < ITLB_SIZE; i++)
		code->itlb[i].page = TLB_NONE;
	for (unsigned i = 0; i < JUMP_SIZE; i++)
		code->jumps[i].ea = JUMP_EMPTY;
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

static void select_data(struct cpu *cpu, uint64_t key, uint64_t owner)
{
	struct mmu_ctx *ctx = cpu->ctx;
	bool fresh;
	unsigned i = ctx_slot(ctx->data_key, ctx->data_hint, &ctx->data_victim, key, &fresh);

	if (!ctx->data[i]) {
		ctx->data[i] = engine_take_table(cpu->engine, sizeof *ctx->data[i]);
		data_ctx_init(ctx->data[i]);
	}
	if (unlikely(fresh)) {
		data_ctx_clear(ctx, i);
		ctx->data[i]->mmu = mmu_of(cpu, false);
	}
	if (ctx->data_pid[i] != owner) {
		if (ctx->data_low & SLOT_BIT(i))
			data_list_clear(ctx, i, true);
		ctx->data_pid[i] = owner;
	}
	ctx->data_now = ctx->data[i];
	ctx->data_slot = i;
}

static void select_code(struct cpu *cpu, uint64_t key, uint64_t owner)
{
	struct mmu_ctx *ctx = cpu->ctx;
	bool fresh;
	unsigned i = ctx_slot(ctx->code_key, ctx->code_hint, &ctx->code_victim, key, &fresh);

	if (!ctx->code[i]) {
		ctx->code[i] = engine_take_table(cpu->engine, sizeof *ctx->code[i]);
		code_ctx_init(ctx->code[i]);
	}
	if (unlikely(fresh)) {
		code_ctx_clear(ctx, i);
		ctx->code[i]->mmu = mmu_of(cpu, true);
	}
	/* What lies in quadrant 0 belongs to a process. */
	if (ctx->code_pid[i] != owner) {
		if (ctx->code_low & SLOT_BIT(i))
			code_ctx_clear(ctx, i);
		ctx->code_pid[i] = owner;
	}
	ctx->code_now = ctx->code[i];
	ctx->code_slot = i;
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
#define KEY_SET_SHIFT  20			/* of a hash guest: AMR's number, or IAMR's (space.h) */
#define KEY_SET(key)   ((unsigned)((key) >> KEY_SET_SHIFT) & (KEY_SETS - 1))
#define KEY_OWNER_SHIFT 32

/* Whose what lies below 2^63 is: a process's, or of a hash guest's segments. Privileged state of a hash guest has one
 * owner, and slb_put() to keep it honest. */
static uint64_t low_owner(struct cpu *cpu)
{
	if (likely(cpu->lpcr & LPCR_HR))
		return cpu->pidr;
	space_check_keys(cpu);
	return cpu->msr & MSR_PR ? CTX_SPACE(space_now(cpu)) : CTX_PRIVILEGED;
}

static uint64_t data_key(const struct cpu *cpu, uint64_t owner)
{
	uint64_t key = KEY_VALID;

	if (!(cpu->msr & MSR_DR))
		return key;
	key |= KEY_TRANSLATED | (cpu->amr >> 62) << KEY_AMR_SHIFT;
	if (cpu->msr & MSR_PR)
		key |= KEY_PROBLEM | owner << KEY_OWNER_SHIFT;
	if (cpu->lpcr & LPCR_HR)
		key |= KEY_RADIX;
	else
		key |= (uint64_t)cpu->ctx->spaces.amr.now << KEY_SET_SHIFT;
	return key;
}

static uint64_t code_key(const struct cpu *cpu, uint32_t mode, uint64_t owner)
{
	uint64_t key = KEY_VALID | (uint64_t)mode << KEY_MODE_SHIFT;

	if (!(cpu->msr & MSR_IR))
		return key;
	key |= KEY_TRANSLATED | (cpu->iamr & PPC_BIT(1) ? KEY_IAMR : 0);
	if (cpu->msr & MSR_PR)
		key |= owner << KEY_OWNER_SHIFT;
	if (cpu->lpcr & LPCR_HR)
		key |= KEY_RADIX;
	else
		key |= (uint64_t)cpu->ctx->spaces.iamr.now << KEY_SET_SHIFT;
	return key;
}

/* FSCR changes in privileged state alone, which it withholds nothing from. */
static uint32_t mode_of(const struct cpu *cpu)
{
	uint64_t msr = cpu->msr;
	bool withheld = msr & MSR_PR && cpu->engine->problem_level >= P10 && !(cpu->fscr & FSCR_BIT(FAC_PREFIX));

	return (msr & MSR_SF ? MODE_SF : 0) | (msr & MSR_LE ? MODE_LE : 0) | (msr & MSR_PR ? MODE_PR : 0) |
	       (msr & MSR_FP ? MODE_FP : 0) | (msr & MSR_VEC ? MODE_VEC : 0) | (msr & MSR_VSX ? MODE_VSX : 0) |
	       (withheld ? MODE_NO_PREFIX : 0);
}

void cpu_context_changed(struct cpu *cpu)
{
	struct mmu_ctx *ctx = cpu->ctx;
	uint64_t owner = low_owner(cpu);

	cpu->mode = mode_of(cpu);
	select_data(cpu, data_key(cpu, owner), owner);
	select_code(cpu, code_key(cpu, cpu->mode, owner), owner);
	cpu->tlb = ctx->data_now->tlb;
	cpu->jumps = ctx->code_now->jumps;
}

bool ctx_init(struct cpu *cpu)
{
	cpu->ctx = calloc(1, sizeof *cpu->ctx);
	if (!cpu->ctx)
		return false;
	cpu->ctx->number = cpu->engine->ncpus;
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
	for (uint64_t slots = cpu->ctx->code_low | cpu->ctx->code_high; slots;)
		jumps_clear(cpu->ctx->code[next_bit(&slots)]);
}

/* ---- Who can store fast to a page ---- */

#define INDEX_BITS TLB_BITS
#define WRITER(cpu, slot, index) (1 + (((cpu) * CTX_SLOTS + (slot)) << INDEX_BITS | (index)))
_Static_assert(WRITER(255u, CTX_SLOTS - 1u, TLB_SIZE - 1u) < WRITER_MANY, "room for all");

static bool stores_to(const struct tlb_entry *e, uint64_t host)
{
	return e->write != TLB_NONE && e->write + e->add == host;
}

static struct tlb_entry *writer_entry(struct engine *e, uint32_t writer)
{
	uint32_t place = writer - 1, table = place >> INDEX_BITS;

	return &e->cpus[table / CTX_SLOTS]->ctx->data[table % CTX_SLOTS]->tlb[place & (TLB_SIZE - 1)];
}

/* The entry has just been given its write tag. */
static void note_writer(struct cpu *cpu, uint64_t number, uint64_t ea)
{
	struct engine *e = cpu->engine;
	uint32_t *writer = &e->writer[number];
	uint32_t now = (uint32_t)WRITER(cpu->ctx->number, cpu->ctx->data_slot, TLB_INDEX(ea));

	if (*writer == now || *writer == WRITER_MANY)
		return;
	if (*writer == WRITER_NONE ||
	    !stores_to(writer_entry(e, *writer), (uint64_t)(e->ram->base + (number << RAM_PAGE_SHIFT))))
		*writer = now;
	else
		*writer = WRITER_MANY;
}

static void protect_listed(struct data_ctx *data, const struct data_list *list, uint64_t host)
{
	for (unsigned i = 0; i < list->n; i++)
		if (stores_to(&data->tlb[list->at[i]], host))
			data->tlb[list->at[i]].write = TLB_NONE;
}

static void protect_everywhere(struct mmu_ctx *ctx, uint64_t host)
{
	for (uint64_t slots = ctx->data_low | ctx->data_high; slots;) {
		struct data_ctx *data = ctx->data[next_bit(&slots)];

		protect_listed(data, &data->low, host);
		protect_listed(data, &data->high, host);
	}
}

uint64_t ctx_protect_page(struct engine *e, uint64_t number)
{
	uint64_t host = (uint64_t)(e->ram->base + (number << RAM_PAGE_SHIFT)), looked_at = 1;
	uint32_t writer = e->writer[number];

	e->writer[number] = WRITER_NONE;
	if (writer == WRITER_MANY) {
		for (unsigned i = 0; i < e->ncpus; i++) {
			looked_at += e->cpus[i]->ctx->listed;
			protect_everywhere(e->cpus[i]->ctx, host);
		}
	} else if (writer != WRITER_NONE && stores_to(writer_entry(e, writer), host)) {
		writer_entry(e, writer)->write = TLB_NONE;
	}
	return looked_at;
}

/* ---- Filling ---- */

static bool raise_data_fault(struct cpu *cpu, const struct op *op, uint64_t ea, const struct mmu_fault *fault)
{
	cpu->dar = ea;
	if (fault->vector == VEC_DATA_STORAGE)
		cpu->dsisr = (uint32_t)fault->bits;
	return raise_interrupt(cpu, op, fault->vector, 0);
}

#define NO_DEVICE UINT64_MAX		/* not a guest real address */

/* There is no RAM at the real address `gra`. */
static void leave_ram(struct cpu *cpu, const struct op *op, uint64_t ea, uint64_t gra, enum access access, uint64_t *device)
{
	if (!device || !cpu->env->mmio_load) {
		raise_no_storage(cpu, op, ea, access == ACCESS_WRITE);
	} else if (cpu->alone_at) {
		*device = gra;
	} else {
		op_restart(cpu, op);
		cpu->alone = true;
	}
}

/* `at` is from RAM's base, and may lie in a device's memory. */
static bool has_code(const struct ram *ram, uint64_t at)
{
	return at < ram->size && ram->page[at >> RAM_PAGE_SHIFT] & RAM_PAGE_CODE;
}

/* The host address of ea. NULL: *device, if it is not NO_DEVICE any more, is a real address where a device may be;
 * else an interrupt has been raised, or the instruction is to run by itself, and the body returns false. `device` NULL:
 * the instruction is none that reaches devices. Enters what it learns in the TLB.
 *
 * A real address where the partition has no storage is a machine check, whether it was translated or not.
 * To the guest its logical real addresses are the real ones, and storage that does not exist is a machine
 * check (Power ISA, Book III, "Invalid Real Address"); PAPR has a type of machine check for it, the control
 * memory access of the error log's section MC; POWER9 does so, and QEMU since 9.0. A storage interrupt would
 * blame the guest's tables, which are right. It is what a guest gets for tables that lie nowhere. */
static uint8_t *fill_tlb(struct cpu *cpu, const struct op *op, uint64_t ea, enum access access, uint64_t *device)
{
	struct ram *ram = cpu->env->ram;
	struct data_ctx *data = cpu->ctx->data_now;
	struct tlb_entry *e = &data->tlb[TLB_INDEX(ea)];
	uint64_t at;			/* of the page, from RAM's base */
	struct translation tr;
	struct mmu_fault fault;
	uint8_t *host;

	if (!data->mmu->translate(cpu, ea, access, &tr, &fault)) {
		raise_data_fault(cpu, op, ea, &fault);
		return NULL;
	}
	at = tr.gra & ~(RAM_PAGE_SIZE - 1);
	if (!ram_ok(ram, tr.gra, 1)) {
		at = ram_part_at(ram, at);
		if (at == RAM_NOWHERE) {
			leave_ram(cpu, op, ea, tr.gra, access, device);
			return NULL;
		}
	}
	host = ram->base + at;
	if (unlikely(watch_armed(cpu)) && watch_in_page(cpu, ea))
		return host + (ea & (RAM_PAGE_SIZE - 1));
	data_ctx_list(cpu->ctx, ea);
	e->read = tr.read ? TLB_PAGE(ea) : TLB_NONE;
	e->write = tr.write && !has_code(ram, at) ? TLB_PAGE(ea) : TLB_NONE;
	e->add = (uint64_t)host - TLB_PAGE(ea);
	if (e->write != TLB_NONE && at < ram->size)
		note_writer(cpu, at >> RAM_PAGE_SHIFT, ea);
	return host + (ea & (RAM_PAGE_SIZE - 1));
}

static uint8_t *find_host(struct cpu *cpu, const struct op *op, uint64_t ea, enum access access, uint64_t *device)
{
	void *hit = tlb_hit(cpu->tlb, ea, 1, access == ACCESS_WRITE);

	return hit ? hit : fill_tlb(cpu, op, ea, access, device);
}

/* Bytes of [ea, ea + size) in the page of ea. */
static unsigned first_part(uint64_t ea, unsigned size)
{
	uint64_t room = RAM_PAGE_SIZE - (ea & (RAM_PAGE_SIZE - 1));

	return size < room ? size : (unsigned)room;
}

/* ---- Devices: what lies within one page. An access that leaves RAM halfway reaches none ---- */

/* A device is asked for 1, 2, 4 or 8 bytes that are aligned: all at once, or else in parts of at most a word. */
static unsigned device_part(uint64_t gra, unsigned size)
{
	unsigned n = 4;

	if (size <= 8 && !(size & (size - 1)) && !(gra & (size - 1)))
		return size;
	while (n > size || gra & (n - 1))
		n /= 2;
	return n;
}

/* What the device sees, and where the processor will have been. */
static void show_cycle(struct cpu *cpu, uint64_t cycle)
{
	cpu->cycles = cycle;
	if (cpu->per_cycle != 1)
		cpu->called_at = 1 + cycle;
}

static bool device_load(struct cpu *cpu, const struct op *op, uint64_t ea, uint64_t gra, void *out, unsigned size)
{
	uint8_t *to = out;

	show_cycle(cpu, cpu->alone_at - 1);
	for (unsigned n; size; size -= n, gra += n, to += n) {
		uint64_t value;

		n = device_part(gra, size);
		if (!cpu->env->mmio_load(cpu, gra, n, &value))
			return raise_no_storage(cpu, op, ea, false);
		memcpy(to, &value, n);
	}
	return true;
}

static bool device_store(struct cpu *cpu, const struct op *op, uint64_t ea, uint64_t gra, const void *in, unsigned size)
{
	const uint8_t *from = in;

	show_cycle(cpu, cpu->alone_at - 1);
	for (unsigned n; size; size -= n, gra += n, from += n) {
		uint64_t value = 0;

		n = device_part(gra, size);
		memcpy(&value, from, n);
		if (!cpu->env->mmio_store(cpu, gra, n, value))
			return raise_no_storage(cpu, op, ea, true);
	}
	return true;
}

static bool watched(struct cpu *cpu, const struct op *op, uint64_t ea, unsigned size, bool store)
{
	if (likely(!watch_armed(cpu)))
		return false;
	if (watch_raise(cpu, op, ea, size, store))
		return true;
	if (!points_touch(cpu, ea, size, store))
		return false;
	op_restart(cpu, op);
	cpu->alone = true;
	return true;
}

bool load_slow(struct cpu *cpu, const struct op *op, uint64_t ea, void *out, unsigned size)
{
	uint64_t device = NO_DEVICE;
	uint8_t *to = out;
	bool whole = first_part(ea, size) == size;

	while (size) {
		unsigned n = first_part(ea, size);
		const uint8_t *host = find_host(cpu, op, ea, ACCESS_READ, whole ? &device : NULL);

		if ((!host && device == NO_DEVICE) || watched(cpu, op, ea, n, false))
			return false;
		if (device != NO_DEVICE)
			return device_load(cpu, op, ea, device, out, size);
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

	if (has_code(ram, gra))
		engine_code_written(cpu->engine, gra, n);
}

bool store_slow(struct cpu *cpu, const struct op *op, uint64_t ea, const void *in, unsigned size)
{
	const uint8_t *from = in;
	uint8_t *host[2];
	unsigned n[2] = { first_part(ea, size), 0 };
	uint64_t device = NO_DEVICE;

	/* Both pages are known to be writable before either is written. */
	n[1] = size - n[0];
	host[0] = find_host(cpu, op, ea, ACCESS_WRITE, n[1] ? NULL : &device);
	if (!host[0] && device == NO_DEVICE)
		return false;
	host[1] = NULL;
	if (n[1]) {
		host[1] = find_host(cpu, op, address_wrap(cpu, ea + n[0]), ACCESS_WRITE, NULL);
		if (!host[1])
			return false;
	}
	if (watched(cpu, op, ea, n[0], true) || (n[1] && watched(cpu, op, address_wrap(cpu, ea + n[0]), n[1], true)))
		return false;
	if (device != NO_DEVICE)
		return device_store(cpu, op, ea, device, in, size);
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
	uint8_t *host = find_host(cpu, op, ea, access, NULL);

	if (host && watched(cpu, op, ea, size, access == ACCESS_WRITE))
		return NULL;
	if (host && access == ACCESS_WRITE)
		code_check(cpu, host, size);
	return host;
}

bool load_possible(struct cpu *cpu, const struct op *op, uint64_t ea) { return find_host(cpu, op, ea, ACCESS_READ, NULL); }

static bool byte_possible(struct cpu *cpu, const struct op *op, uint64_t ea)
{
	uint64_t device = NO_DEVICE;

	return find_host(cpu, op, ea, ACCESS_WRITE, &device) || device != NO_DEVICE;
}

bool store_possible(struct cpu *cpu, const struct op *op, uint64_t ea, unsigned size)
{
	unsigned first = first_part(ea, size);

	return byte_possible(cpu, op, ea) && (first == size || byte_possible(cpu, op, address_wrap(cpu, ea + first))) &&
	       !watched(cpu, op, ea, size, true);
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
	if (!ctx->mmu->translate(cpu, ea, ACCESS_EXEC, &tr, &fault)) {
		cpu_interrupt(cpu, fault.vector, ea, fault.bits);
		return false;
	}
	if (!ram_ok(cpu->env->ram, tr.gra, 4)) {
		cpu_machine_check(cpu, ea, SRR1_MC_FETCH);
		return false;
	}
	ctx->fetched |= UINT64_C(1) << (ea >> RAM_PAGE_SHIFT & (ITLB_SIZE - 1));
	ctx->pages[page_bit(ea) / 64] |= UINT64_C(1) << page_bit(ea) % 64;
	*(is_low(ea) ? &cpu->ctx->code_low : &cpu->ctx->code_high) |= SLOT_BIT(cpu->ctx->code_slot);
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
	struct mmu_ctx *ctx = cpu->ctx;

	for (uint64_t slots = ctx->data_low | ctx->data_high; slots;)
		data_ctx_clear(ctx, next_bit(&slots));
	for (uint64_t slots = ctx->code_low | ctx->code_high; slots;)
		code_ctx_clear(ctx, next_bit(&slots));
	ctx->spaces.moved = true;
}

/* Addresses without translation stay. PID 0's space is the kernel's quadrant, too, of every context. */
void tlb_flush_pid(struct cpu *cpu, uint64_t pid)
{
	struct mmu_ctx *ctx = cpu->ctx;

	for (uint64_t slots = ctx->data_low | ctx->data_high; slots;) {
		unsigned i = next_bit(&slots);

		if (!(ctx->data_key[i] & KEY_TRANSLATED))
			continue;
		if (ctx->data_low & SLOT_BIT(i) && ctx->data_pid[i] == pid)
			data_list_clear(ctx, i, true);
		if (ctx->data_high & SLOT_BIT(i) && pid == 0)
			data_list_clear(ctx, i, false);
	}
	for (uint64_t slots = ctx->code_low | (pid == 0 ? ctx->code_high : 0); slots;) {
		unsigned i = next_bit(&slots);

		if (!(ctx->code_key[i] & KEY_TRANSLATED))
			continue;
		if (ctx->code_pid[i] == pid || (pid == 0 && ctx->code_high & SLOT_BIT(i)))
			code_ctx_clear(ctx, i);
	}
}

static void data_ctx_flush_page(struct data_ctx *ctx, uint64_t ea, unsigned shift)
{
	uint64_t start = ea >> shift << shift;

	/* The last page ends where addresses begin again. */
	for (uint64_t at = start; at - start < UINT64_C(1) << shift; at += RAM_PAGE_SIZE) {
		struct tlb_entry *e = &ctx->tlb[TLB_INDEX(at)];

		if (e->read == at || e->write == at)
			e->read = e->write = TLB_NONE;
	}
}

/* The jump cache is looked through as long as that is paid for. It holds nothing that is not found again. */
static void flush_jumps(struct engine *e, struct code_ctx *code, uint64_t page, unsigned shift)
{
	if (e->credit <= 0) {
		jumps_clear(code);
		return;
	}
	e->credit -= (int64_t)code->njumps * COST_OF_ENTRY;
	for (unsigned i = 0; i < code->njumps; i++) {
		struct jump_entry *entry = &code->jumps[code->jump_at[i]];

		if (entry->ea >> shift == page)
			entry->ea = JUMP_GONE;
	}
}

static void code_ctx_flush_page(struct engine *e, struct code_ctx *code, uint64_t ea, unsigned shift)
{
	uint64_t page = ea >> shift;

	if (shift <= 16 && !(code->pages[page_bit(ea) / 64] >> page_bit(ea) % 64 & 1))
		return;
	for (uint64_t fetched = code->fetched; fetched;) {
		struct itlb_entry *entry = &code->itlb[next_bit(&fetched)];

		if (entry->page >> shift == page)
			entry->page = TLB_NONE;
	}
	flush_jumps(e, code, page, shift);
}

void tlb_flush_page(struct cpu *cpu, uint64_t pid, uint64_t ea, unsigned shift)
{
	struct mmu_ctx *ctx = cpu->ctx;

	if (shift > 16) {	/* more entries than a whole TLB has */
		tlb_flush_pid(cpu, pid);
		return;
	}
	for (uint64_t slots = is_low(ea) ? ctx->data_low : ctx->data_high; slots;) {
		unsigned i = next_bit(&slots);

		if (!is_low(ea) || ctx->data_pid[i] == pid)
			data_ctx_flush_page(ctx->data[i], ea, shift);
	}
	for (uint64_t slots = is_low(ea) ? ctx->code_low : ctx->code_high; slots;) {
		unsigned i = next_bit(&slots);

		if (!is_low(ea) || ctx->code_pid[i] == pid)
			code_ctx_flush_page(cpu->engine, ctx->code[i], ea, shift);
	}
}

/* ---- Of a hash guest ---- */

static bool is_hash(uint64_t key) { return (key & (KEY_TRANSLATED | KEY_RADIX)) == KEY_TRANSLATED; }

void ctx_forget_side(struct cpu *cpu, bool low)
{
	struct mmu_ctx *ctx = cpu->ctx;

	for (uint64_t slots = low ? ctx->data_low : ctx->data_high; slots;) {
		unsigned i = next_bit(&slots);

		if (is_hash(ctx->data_key[i]) && (!low || ctx->data_pid[i] == CTX_PRIVILEGED))
			data_list_clear(ctx, i, low);
	}
	for (uint64_t slots = low ? ctx->code_low : ctx->code_high; slots;) {
		unsigned i = next_bit(&slots);

		if (is_hash(ctx->code_key[i]) && (!low || ctx->code_pid[i] == CTX_PRIVILEGED))
			code_ctx_clear(ctx, i);
	}
}

void ctx_forget_keys(struct cpu *cpu, bool data, unsigned number)
{
	struct mmu_ctx *ctx = cpu->ctx;

	for (unsigned i = 0; i < CTX_SLOTS; i++) {
		uint64_t key = data ? ctx->data_key[i] : ctx->code_key[i];

		if (!is_hash(key) || KEY_SET(key) != number)
			continue;
		if (data)
			data_ctx_clear(ctx, i);
		else
			code_ctx_clear(ctx, i);
	}
}

void ctx_forget_space(struct cpu *cpu, unsigned space)
{
	struct mmu_ctx *ctx = cpu->ctx;

	for (uint64_t slots = ctx->data_low; slots;) {
		unsigned i = next_bit(&slots);

		if (is_hash(ctx->data_key[i]) && ctx->data_pid[i] == CTX_SPACE(space))
			data_list_clear(ctx, i, true);
	}
	for (uint64_t slots = ctx->code_low; slots;) {
		unsigned i = next_bit(&slots);

		if (is_hash(ctx->code_key[i]) && ctx->code_pid[i] == CTX_SPACE(space))
			code_ctx_clear(ctx, i);
	}
}

/* More pages than are worth looking for one by one: those that there are, as long as that is paid for. */
static void data_ctx_flush_range(struct engine *e, struct mmu_ctx *ctx, unsigned slot, uint64_t ea, unsigned shift)
{
	struct data_ctx *data = ctx->data[slot];
	struct data_list *list = is_low(ea) ? &data->low : &data->high;
	uint64_t range = ea >> shift;

	if (e->credit <= 0) {
		data_list_clear(ctx, slot, is_low(ea));
		return;
	}
	e->credit -= (int64_t)list->n * COST_OF_ENTRY;
	for (unsigned i = 0; i < list->n; i++) {
		struct tlb_entry *entry = &data->tlb[list->at[i]];

		if (entry->read >> shift == range || entry->write >> shift == range)
			entry->read = entry->write = TLB_NONE;
	}
}

void ctx_forget_range(struct cpu *cpu, unsigned whose, uint64_t ea, unsigned shift)
{
	struct mmu_ctx *ctx = cpu->ctx;

	for (uint64_t slots = is_low(ea) ? ctx->data_low : ctx->data_high; slots;) {
		unsigned i = next_bit(&slots);

		if (!is_hash(ctx->data_key[i]) || (is_low(ea) && ctx->data_pid[i] != whose))
			continue;
		if (shift <= 16)
			data_ctx_flush_page(ctx->data[i], ea, shift);
		else
			data_ctx_flush_range(cpu->engine, ctx, i, ea, shift);
	}
	for (uint64_t slots = is_low(ea) ? ctx->code_low : ctx->code_high; slots;) {
		unsigned i = next_bit(&slots);

		if (is_hash(ctx->code_key[i]) && (!is_low(ea) || ctx->code_pid[i] == whose))
			code_ctx_flush_page(cpu->engine, ctx->code[i], ea, shift);
	}
}

/* ---- On every processor ---- */

static void flush_named(struct cpu *cpu, const struct broadcast *b)
{
	switch (b->kind) {
	case FLUSH_ALL:
		tlb_flush_all(cpu);
		break;
	case FLUSH_PID:
		tlb_flush_pid(cpu, b->pid);
		break;
	case FLUSH_PAGE:
		tlb_flush_page(cpu, b->pid, b->ea, b->shift);
		break;
	case FLUSH_HPTE:
		tlb_flush_hpte(cpu, &b->hpte, b->ea);
	}
}

static void broadcast(struct cpu *cpu, const struct broadcast *b)
{
	struct engine *e = cpu->engine;

	ctx_catch_up(cpu);
	flush_named(cpu, b);
	e->broadcasts[e->nbroadcasts++ % BROADCASTS] = *b;
	cpu->ctx->caught_up = e->nbroadcasts;
}

void ctx_catch_up(struct cpu *cpu)
{
	const struct engine *e = cpu->engine;
	uint64_t *at = &cpu->ctx->caught_up;

	if (e->nbroadcasts - *at > BROADCASTS) {
		tlb_flush_all(cpu);
		*at = e->nbroadcasts;
	}
	for (; *at < e->nbroadcasts; ++*at)
		flush_named(cpu, &e->broadcasts[*at % BROADCASTS]);
}

void tlb_flush_all_everywhere(struct cpu *cpu)
{
	broadcast(cpu, &(struct broadcast){ .kind = FLUSH_ALL });
}

void tlb_flush_pid_everywhere(struct cpu *cpu, uint64_t pid)
{
	broadcast(cpu, &(struct broadcast){ .kind = FLUSH_PID, .pid = pid });
}

void tlb_flush_page_everywhere(struct cpu *cpu, uint64_t pid, uint64_t ea, unsigned shift)
{
	broadcast(cpu, &(struct broadcast){ .kind = FLUSH_PAGE, .pid = pid, .ea = ea, .shift = shift });
}

void tlb_flush_hpte_everywhere(struct cpu *cpu, const struct hpte *entry, uint64_t index)
{
	broadcast(cpu, &(struct broadcast){ .kind = FLUSH_HPTE, .hpte = *entry, .ea = index });
}
