/* Draws sequences: see sequence.h. */
#include "sequence.h"

#include <fnmatch.h>
#include <string.h>

#include "cpu/timing/uses.h"

/* Registers that a sequence only reads: its loads and stores go by them. */
enum { BASE = 1, INDEX = 2, BASE_AT = 64 };

/* Not of registers alone, or of reservations, or trapping half of the time. */
static const char *const left_out[] = {
	"mtfs*", "mffs*", "mcrfs", "l[bhwdq]arx", "st[bhwdq]cx", "[ls]*sw[ix]", "[ls]mw", "[ls][wd]at", "hash*", "darn", "copy",
	"paste*", "cpabort", "t[wd]", "t[wd]i", "reserved_nop", "slb*",
};

/* ---- What cede fuses ---- */

/* A step of fuse.def: the op, whose name is mostly the row's, and its registers: numbers of variables, or NO_REGISTER. */
struct step {
	const char *name;
	uint8_t variable[3];		/* in the fields at 21, 16, 11 */
};
enum { NO_REGISTER = 255, MOST_STEPS = 25 };
#define V(n) (n)
#define W(n) NO_REGISTER
#define ANY NO_REGISTER
#define IS(n) NO_REGISTER
#define STEP(kind, name, A, B, C, D, I) { #name, { (A), (B), (C) } },
#define SEQUENCE(name, ...) { __VA_ARGS__ },
static const struct step fused[][MOST_STEPS] = {
#include "cpu/table/fuse.def"
};

static const struct insn *row_named(const struct insn *const *rows, unsigned nrows, const char *name)
{
	for (unsigned i = 0; i < nrows; i++)
		if (!strcmp(rows[i]->name, name))
			return rows[i];
	return NULL;
}

/* Variable n is register 8 + n, but the address of a load or store is BASE and INDEX. */
static uint32_t with_registers(const struct insn *insn, const struct step *step, uint32_t word)
{
	for (unsigned k = 0; k < (insn->flags & MEM ? 1 : 3); k++)
		if (step->variable[k] < 24)
			word = (word & ~(31u << (21 - 5 * k))) | (8u + step->variable[k]) << (21 - 5 * k);
	return word;
}

static bool is_aimed(const struct insn *insn)
{
	return !(insn->flags & MEM) || strstr(insn->operands, "D(RA0)") || strstr(insn->operands, "DS(RA0)") ||
	       strstr(insn->operands, "DQ(RA0)") || strstr(insn->operands, "RA0,RB");
}

bool sequence_takes(const struct insn *insn, struct exceptions *x)
{
	for (unsigned i = 0; i < ARRAY_SIZE(left_out); i++)
		if (!fnmatch(left_out[i], insn->name, 0))
			return false;
	return !(insn->match >> 32) && insn->unit != DFP && !(insn->flags & UPD) && is_aimed(insn) && exceptions_spare(x, insn);
}

/* An access by BASE and a small displacement, or by BASE and INDEX. */
static uint32_t aimed(const struct insn *insn, uint32_t word)
{
	uint32_t by = (word & ~(31u << 16)) | BASE << 16;

	if (!(insn->flags & MEM))
		return word;
	if (strstr(insn->operands, "RA0,RB"))
		return (by & ~(31u << 11)) | INDEX << 11;
	by = (by & ~0xfff0u) | (uint32_t)(draw_random() % 7) << 4;
	return strstr(insn->operands, ",D(") ? by : (by & ~15u) | (word & 15 & (uint32_t)insn->mask);
}

/* Neither branches nor changes what the sequence stands on, and takes nothing that is the oracle's own. */
static bool may_stand(const struct insn *insn, uint32_t word)
{
	static const uint8_t others[] = { BASE, INDEX, REG_LR, REG_CTR, REG_TAR, REG_COUNT, REG_SYSTEM };
	struct uses uses;

	if (insn_lookup_at(word, insn->since) != insn)
		return false;
	uses_find((unsigned)(insn - insns), word, &uses);
	for (unsigned i = 0; i < ARRAY_SIZE(others); i++)
		if (regset_has(&uses.written, others[i]) || (others[i] > INDEX && regset_has(&uses.read, others[i])))
			return false;
	/* With Rc=1 CR1 is a part of FPSCR. */
	return !uses.branch && !(insn->flags & FPU && regset_has(&uses.written, REG_CR + 1));
}

/* An instruction of that row; with a step, on its registers. false: there is none. */
static bool draw_one(const struct insn *insn, const struct step *step, struct testcase *one, uint32_t *word)
{
	draw_case(insn, one, NULL);
	*word = aimed(insn, step ? with_registers(insn, step, one->word) : one->word);
	return may_stand(insn, *word);
}

/* As much of a sequence that cede fuses as there are rows for, and room. How many instructions that is. */
static unsigned draw_fused(const struct insn *const *rows, unsigned nrows, unsigned room, struct testcase *one, uint32_t *words,
			   const struct insn **chosen)
{
	const struct step *steps = fused[draw_random() % ARRAY_SIZE(fused)];
	unsigned n = 0;

	for (; n < room && n < MOST_STEPS && steps[n].name; n++) {
		chosen[n] = row_named(rows, nrows, steps[n].name);
		if (!chosen[n] || !draw_one(chosen[n], &steps[n], one, &words[n]))
			break;
	}
	return n;
}

void sequence_draw(const struct insn *const *rows, unsigned nrows, unsigned n, bool big, struct testcase *c,
		   const struct insn **chosen)
{
	uint32_t words[SEQUENCE_WORDS];
	struct testcase one = { 0 };

	for (unsigned i = 0; i < n;) {
		if (draw_random() % 4 == 0)
			i += draw_fused(rows, nrows, n - i, &one, &words[i], &chosen[i]);
		else
			i += draw_one(chosen[i] = rows[draw_random() % nrows], NULL, &one, &words[i]);
	}
	for (unsigned i = n; i < SEQUENCE_WORDS; i++)
		words[i] = NOP;
	*c = (struct testcase){ .before = NOP, .word = NOP, .sequence = n, .outcome = RAN, .state = one.state };
	c->state.fpscr &= 3;
	c->state.vscr = 0;
	c->state.r[BASE] = MEM_ADDR + BASE_AT;
	c->state.r[INDEX] = draw_random() % 8 * 8;
	for (unsigned i = 0; big && i < SEQUENCE_WORDS; i++)
		words[i] = __builtin_bswap32(words[i]);
	memcpy(sequence_code(&c->state), words, sizeof words);
}

void sequence_settle(struct testcase *c) { c->state.fpscr = 0; }
