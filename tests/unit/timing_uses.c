/* What the timing models take for an instruction's registers, against the engine that runs it: a register that changed is
 * named as written; all that is not named as read may be anything, and the results are the same. */
#include <sys/mman.h>

#include "check.h"
#include "cpu/engine/block.h"
#include "cpu/engine/decode.h"
#include "cpu/fp/fp.h"
#include "cpu/timing/uses.h"

enum { CODE = 0x1000, SIZE = 1 << 20, WORDS_PER_ROW = 60 };

struct rig {
	struct ram ram;
	struct cpu_clock clock;
	struct cpu_env env;
	struct cpu *cpu;
	uint8_t *memory;	/* as it is before each run */
};

static void no_hypercall(struct cpu *cpu) { cpu->r[3] = UINT64_MAX; }

static void rig_new(struct rig *rig)
{
	uint64_t seed = 5;

	memset(rig, 0, sizeof *rig);
	rig->ram.size = SIZE;
	rig->ram.base = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	rig->ram.page = calloc(SIZE >> RAM_PAGE_SHIFT, 1);
	rig->memory = malloc(SIZE);
	for (unsigned i = 0; i < SIZE; i++)
		rig->memory[i] = (uint8_t)check_random(&seed);
	rig->env = (struct cpu_env){ .hypercall = no_hypercall, .ram = &rig->ram, .clock = &rig->clock };
	rig->cpu = aligned_alloc(64, (sizeof *rig->cpu + 63) & ~(size_t)63);
	memset(rig->cpu, 0, sizeof *rig->cpu);
	rig->cpu->env = &rig->env;
	engine_add_cpu(engine_new(&rig->ram, "flat", P10, 1), rig->cpu);
}

/* A register's value, by its number in uses.h: two doublewords. */
struct value { uint64_t d[2]; };

static struct value get(struct cpu *cpu, unsigned reg)
{
	struct value v = { { 0, 0 } };

	if (reg < REG_VSR)
		v.d[0] = cpu->r[reg];
	else if (reg < REG_CR)
		v = (struct value){ { VD(cpu->vsr[reg - REG_VSR], 0), VD(cpu->vsr[reg - REG_VSR], 1) } };
	else if (reg < REG_LR)
		v.d[0] = cpu->cr[reg - REG_CR];
	else
		v.d[0] = reg == REG_LR ? cpu->lr : reg == REG_CTR ? cpu->ctr : reg == REG_TAR ? cpu->tar :
			 reg == REG_CA ? (uint64_t)cpu->ca | (uint64_t)cpu->ca32 << 1 : reg == REG_OV ? (uint64_t)cpu->ov | (uint64_t)cpu->ov32 << 1 : reg == REG_SO ? cpu->so :
			 reg == REG_COUNT ? cpu->xer_count : reg == REG_FPSCR ? fpscr_get(cpu) : reg == REG_VSCR ? cpu->vscr : 0;
	return v;
}

static void set_random(struct cpu *cpu, unsigned reg, uint64_t *seed)
{
	uint64_t x = check_random(seed), y = check_random(seed);

	if (reg < REG_VSR) {
		cpu->r[reg] = x & 1 ? 0x40000 + (y & 0x3fff0) : 0x20000 + (y & 0xf0);	/* an address */
	} else if (reg < REG_CR) {
		VD(cpu->vsr[reg - REG_VSR], 0) = x & 1 ? y : UINT64_C(0x3ff0000000000000) + (y & UINT64_C(0xfffffffffffff));
		VD(cpu->vsr[reg - REG_VSR], 1) = check_random(seed);
	} else if (reg < REG_LR) {
		cpu->cr[reg - REG_CR] = x & 15;
	}
	switch (reg) {
	case REG_LR: cpu->lr = x; break;
	case REG_CTR: cpu->ctr = x; break;
	case REG_TAR: cpu->tar = x; break;
	case REG_CA: cpu->ca = x & 1; cpu->ca32 = x >> 1 & 1; break;
	case REG_OV: cpu->ov = x & 1; cpu->ov32 = x >> 1 & 1; break;
	case REG_SO: cpu->so = x & 1; break;
	case REG_COUNT: cpu->xer_count = x & 31; break;
	case REG_FPSCR: fpscr_set(cpu, x & 3); break;
	case REG_VSCR: cpu->vscr = (uint32_t)x & 0x10001; break;
	default: break;
	}
}

/* False: it did not run to its end. */
static bool run(struct rig *rig, uint64_t insn)
{
	const uint32_t words[2] = { (uint32_t)(insn >> (is_prefixed(insn) ? 32 : 0)), (uint32_t)insn };
	struct cpu *cpu = rig->cpu;

	memcpy(rig->ram.base, rig->memory, SIZE);
	ram_write(&rig->ram, CODE, words, sizeof words);
	engine_code_written(cpu->engine, CODE, sizeof words);
	cpu->cycles = 0;
	cpu->nip = CODE;
	cpu_run(cpu, 1);
	return cpu->nip == CODE + 4 * insn_words(insn);
}

/* Loads of an element: the rest of the target is undefined. The engine keeps it, a core need not wait for it. */
static bool keeps_target(unsigned row) { return row == ROW_lvebx || row == ROW_lvehx || row == ROW_lvewx; }

struct verdict { bool ran; unsigned unwritten, unread; };	/* registers at fault, NREGS: none */

static struct verdict try(struct rig *rig, unsigned row, uint64_t word, uint64_t *seed)
{
	static uint8_t memory[SIZE];
	static struct value before[NREGS], after[NREGS];
	struct verdict v = { false, NREGS, NREGS };
	struct cpu *cpu = rig->cpu;
	struct uses uses;
	bool same_memory;

	uses_find(row, word, &uses);
	cpu_reset(cpu);
	cpu->run_state = CPU_RUNNING;
	cpu_set_msr(cpu, MSR_SF | MSR_LE | MSR_FP | MSR_VEC | MSR_VSX);
	for (unsigned i = 0; i < NREGS; i++)
		set_random(cpu, i, seed);
	for (unsigned i = 0; i < NREGS; i++)
		before[i] = get(cpu, i);
	if (!run(rig, word))
		return v;
	v.ran = true;
	memcpy(memory, rig->ram.base, SIZE);
	for (unsigned i = 0; i < NREGS; i++) {
		after[i] = get(cpu, i);
		if (memcmp(&after[i], &before[i], sizeof after[i]) && !regset_has(&uses.written, i))
			v.unwritten = i;
	}
	/* Again, from values that are others where nothing reads. */
	for (unsigned i = 0; i < NREGS; i++) {
		if (i < REG_VSR)
			cpu->r[i] = before[i].d[0];
		else if (i < REG_CR)
			VD(cpu->vsr[i - REG_VSR], 0) = before[i].d[0], VD(cpu->vsr[i - REG_VSR], 1) = before[i].d[1];
		else if (i < REG_LR)
			cpu->cr[i - REG_CR] = (uint8_t)before[i].d[0];
	}
	cpu->ca = before[REG_CA].d[0] & 1, cpu->ca32 = before[REG_CA].d[0] >> 1 & 1;
	cpu->ov = before[REG_OV].d[0] & 1, cpu->ov32 = before[REG_OV].d[0] >> 1 & 1;
	cpu->so = (uint8_t)before[REG_SO].d[0], cpu->xer_count = (uint8_t)before[REG_COUNT].d[0];
	fpscr_set(cpu, before[REG_FPSCR].d[0]);
	cpu->vscr = (uint32_t)before[REG_VSCR].d[0];
	for (unsigned i = 0; i < NREGS; i++)
		if (!regset_has(&uses.read, i))
			set_random(cpu, i, seed);
	for (unsigned i = 0; i < NREGS; i++)
		before[i] = get(cpu, i);
	if (!run(rig, word)) {
		v.unread = NREGS + 1;
		return v;
	}
	for (unsigned i = 0; i < NREGS; i++) {
		struct value again = get(cpu, i);

		/* What is written under a condition may also stay as it was. */
		if (regset_has(&uses.written, i) && !keeps_target(row) && memcmp(&again, &after[i], sizeof again) && memcmp(&again, &before[i], sizeof again))
			v.unread = i;
	}
	same_memory = !memcmp(memory, rig->ram.base, SIZE);
	if (!same_memory)
		v.unread = NREGS + 2;
	return v;
}

/* A prefixed access hits memory, and its form is valid. */
static uint64_t near_by(const struct insn *insn, uint64_t word)
{
	if (is_prefixed(word) && insn->flags & MEM)
		word &= ~(UINT64_C(0x3ffff) << 32 | 0xf800);
	return is_prefixed(word) && strstr(insn->operands, "PCREL") && word & INSN_R ? word & ~UINT64_C(0x1f0000) : word;
}

int main(void)
{
	unsigned rows = 0, runs = 0, never = 0, bad = 0;
	uint64_t seed = 7;
	struct rig rig;

	rig_new(&rig);
	for (unsigned row = 0; row < NROWS; row++) {
		const struct insn *insn = &insns[row];
		unsigned ran = 0, unwritten = NREGS, unread = NREGS;
		uint64_t unwritten_word = 0, unread_word = 0;

		if (insn->flags & (NOTEST | BRANCH | PRIV | ENDBB))
			continue;
		for (unsigned k = 0; k < WORDS_PER_ROW; k++) {
			uint64_t word = near_by(insn, insn->match | (check_random(&seed) & decode_operand_bits(insn)));
			struct verdict v = try(&rig, row, word, &seed);

			ran += v.ran;
			if (v.unwritten != NREGS)
				unwritten = v.unwritten, unwritten_word = word;
			if (v.unread != NREGS)
				unread = v.unread, unread_word = word;
		}
		rows++;
		runs += ran;
		never += !ran;
		if (unwritten != NREGS)
			bad += !check(false, "%s (%" PRIx64 ") writes register %u", insn->name, unwritten_word, unwritten);
		if (unread != NREGS)
			bad += !check(false, "%s (%" PRIx64 ") reads something else: register %u differs", insn->name, unread_word, unread);
	}
	check(!bad, "registers-are-named: %u runs of %u rows", runs, rows);
	check(rows > 700 && never < 10, "rows ran: %u, %u did not", rows, never);
	return check_done();
}
