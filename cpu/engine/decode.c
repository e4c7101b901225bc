/* From instruction words to ops: the table's first reader.
 *
 * Owns the row lookup and operand extraction. What an instruction means is not known
 * here; what MSR forbids (facilities, privilege) is decided here, once per block.
 */
#include "cpu/engine/charge.h"
#include "cpu/engine/decode.h"
#include "cpu/engine/fuse.h"
#include "cpu/engine/pace.h"
#include "cpu/engine/points.h"
#include "cpu/engine/profile.h"
#include "cpu/engine/spin.h"
#include "cpu/spent/spent.h"

#include <stdlib.h>

/* ---- The rows, with the handlers that exist for each ---- */

#define INSN(name, ...) \
	DECLARE_ROW(name)
#define DECLARE_ROW(name) \
	extern op_fn op_##name; \
	extern op_fn op_##name##_rc __attribute__((weak)); \
	extern op_fn op_##name##_o __attribute__((weak)); \
	extern op_fn op_##name##_be __attribute__((weak)); \
	extern op_fn op_##name##_upd __attribute__((weak)); \
	extern bool decode_##name(struct decoder *, const struct insn *, struct op *, uint64_t) __attribute__((weak));
#define INSN_AS(name, ...)
#include "cpu/table/insn.def"
#undef INSN

#define INSN(name, ...) ROW(name, name, __VA_ARGS__)
#define INSN_AS(name, acts, ...) ROW(name, acts, __VA_ARGS__)
#define ROW(name, acts, match, mask, operands, since, unit, flags, reference) \
	{ #name, #acts, match, mask, operands, since, unit, flags, reference, \
	  op_##acts, op_##acts##_rc, op_##acts##_o, op_##acts##_be, op_##acts##_upd, decode_##acts },
const struct insn insns[] = {
#include "cpu/table/insn.def"
};
#undef INSN
#undef ROW
const unsigned ninsns = ARRAY_SIZE(insns);

/* ---- Lookup: rows by primary opcode, the most specific mask first ---- */

struct lookup {
	uint16_t sorted[ARRAY_SIZE(insns)];
	uint16_t first[64], end[64];	/* per primary opcode, into sorted */
	uint16_t start[64][2048];	/* by narrow_of(): where to begin in sorted, plus 1; 0 = not known yet */
};

/* The first word's. */
static unsigned opcode_of(uint64_t insn) { return (unsigned)(insn >> (is_prefixed(insn) ? 58 : 26)) & 63; }

/* Bits that tell most rows of an opcode apart: the low 11; of prefixed ones the type and the suffix's opcode. */
#define NARROW_WORD     UINT64_C(0x7ff)
#define NARROW_PREFIXED (UINT64_C(3) << 56 | UINT64_C(63) << 26)

static unsigned narrow_of(uint64_t insn)
{
	return is_prefixed(insn) ? (unsigned)((insn >> 56 & 3) << 6 | (insn >> 26 & 63)) : (unsigned)(insn & NARROW_WORD);
}

static int by_opcode_then_mask(const void *a, const void *b)
{
	const struct insn *x = &insns[*(const uint16_t *)a], *y = &insns[*(const uint16_t *)b];
	int px = (int)opcode_of(x->match), py = (int)opcode_of(y->match);

	if (px != py)
		return px - py;
	if (x->mask != y->mask)
		return __builtin_popcountll(y->mask) - __builtin_popcountll(x->mask);
	return *(const uint16_t *)a - *(const uint16_t *)b;
}

/* Built once; the same for every machine in the process. */
static struct lookup *lookup_table(void)
{
	static struct lookup table;
	static bool ready;

	if (!ready) {
		for (unsigned i = 0; i < ninsns; i++)
			table.sorted[i] = (uint16_t)i;
		qsort(table.sorted, ninsns, sizeof table.sorted[0], by_opcode_then_mask);
		for (unsigned i = 0, po = 0; po < 64; po++) {
			table.first[po] = (uint16_t)i;
			while (i < ninsns && opcode_of(insns[table.sorted[i]].match) == po)
				i++;
			table.end[po] = (uint16_t)i;
		}
		ready = true;
	}
	return &table;
}

const struct insn *insn_lookup_at(uint64_t word, enum insn_since level)
{
	struct lookup *t = lookup_table();
	unsigned po = opcode_of(word), low = narrow_of(word), i = t->start[po][low];
	uint64_t narrow = is_prefixed(word) ? NARROW_PREFIXED : NARROW_WORD;

	if (!i) {
		for (i = t->first[po]; i < t->end[po]; i++) {
			const struct insn *row = &insns[t->sorted[i]];

			if (((word ^ row->match) & row->mask & narrow) == 0)
				break;
		}
		t->start[po][low] = (uint16_t)(i + 1);
	} else {
		i--;
	}
	for (; i < t->end[po]; i++) {
		const struct insn *row = &insns[t->sorted[i]];

		if ((word & row->mask) == row->match && row->since <= level)
			return row;
	}
	return NULL;
}

const struct insn *insn_lookup(uint64_t word) { return insn_lookup_at(word, P10); }

/* ---- Operands ---- */

enum operand_kind { G, G0, F, FP2, V, T, U, S, S4, S16, X1, X2, X3, X4, X5, X0, XI, XP, XPA, ACC, HASH, SH6, MB6, SPR, DCMX, DX, D34, I32 };
enum operand_dest { DEST_a, DEST_b, DEST_c, DEST_d, DEST_i };

struct operand {
	const char *name;
	uint8_t shift, width, kind, dest;
};

static const struct operand operands[] = {
#define OPERAND(name, shift, width, kind, dest) { #name, shift, width, kind, DEST_##dest },
	OPERANDS
#undef OPERAND
};

#define MAX_OPERANDS 6

/* A row's operands in the assembler's order. */
struct operand_list {
	uint8_t n, displacement;	/* displacement: 1 + the place of the one before a bracket, 0: none */
	uint8_t index[MAX_OPERANDS];
	bool parsed;
};

static bool parse_operands(const char *s, struct operand_list *list)
{
	while (*s) {
		size_t len = strcspn(s, ",()");
		unsigned i = 0;

		if (len) {
			while (i < ARRAY_SIZE(operands) &&
			       (strncmp(operands[i].name, s, len) || operands[i].name[len]))
				i++;
			if (i == ARRAY_SIZE(operands) || list->n == MAX_OPERANDS)
				return false;
			list->index[list->n++] = (uint8_t)i;
			if (s[len] == '(')
				list->displacement = list->n;
		}
		s += len + (s[len] != 0);
	}
	return list->parsed = true;
}

static const struct operand_list *operand_list(const struct insn *insn)
{
	static struct operand_list lists[ARRAY_SIZE(insns)];
	struct operand_list *list = &lists[insn - insns];

	if (!list->parsed)
		parse_operands(insn->operands, list);
	return list;
}

bool decode_operands_valid(const struct insn *insn)
{
	struct operand_list list = { 0 };

	return parse_operands(insn->operands, &list);
}

/* The bits are those of stray_bits() and no others. */
static bool is_scattered(const struct operand *o)
{
	return o->kind == DCMX || o->kind == DX || o->kind == D34 || o->kind == I32;
}

/* Bits of the sixth register-number bit, and other strays, by kind. */
static uint64_t stray_bits(const struct operand *o)
{
	switch ((enum operand_kind)o->kind) {
	case X1: case HASH: return 1;
	case X2: case SH6: return 2;
	case X3: case XPA: return 4;
	case X4: case X5: return 8;
	case XI: return 1u << 16;
	case DCMX: return 31u << 16 | 1u << 6 | 1u << 2;
	case DX: return 0x3ffu << 6 | 31u << 16 | 1;
	case D34: return UINT64_C(0x3ffff) << 32 | 0xffff;
	case I32: return UINT64_C(0xffff) << 32 | 0xffff;
	default: return 0;
	}
}

uint64_t decode_operand_bits(const struct insn *insn)
{
	const struct operand_list *list = operand_list(insn);
	uint64_t bits = (insn->flags & (RC | RCFP) ? 1 : 0) | (insn->flags & (OE | VRC) ? 1u << 10 : 0);

	for (unsigned i = 0; i < list->n; i++) {
		const struct operand *o = &operands[list->index[i]];

		bits |= is_scattered(o) ? 0 : ((UINT64_C(1) << o->width) - 1) << o->shift;
		bits |= stray_bits(o);
	}
	return bits;
}

static int64_t operand_value(const struct operand *o, uint64_t word)
{
	uint32_t raw = word >> o->shift & ((UINT32_C(1) << o->width) - 1);
	int64_t sign = (int64_t)(raw ^ UINT32_C(1) << (o->width - 1)) - (INT64_C(1) << (o->width - 1));

	switch ((enum operand_kind)o->kind) {
	case G: case T: case U: return raw;
	case G0: return raw ? raw : SLOT_ZERO;
	case F: return SLOT_VSR0 + 2 * raw;
	case FP2: return SLOT_VSR0 + 4 * raw;
	case V: return SLOT_VSR0 + 64 + 2 * raw;
	case X1: return SLOT_VSR0 + 2 * (raw | (word & 1) << 5);
	case X2: return SLOT_VSR0 + 2 * (raw | (word >> 1 & 1) << 5);
	case X3: return SLOT_VSR0 + 2 * (raw | (word >> 2 & 1) << 5);
	case X4: case X5: return SLOT_VSR0 + 2 * (raw | (word >> 3 & 1) << 5);
	case X0: return SLOT_VSR0 + 2 * raw;
	case XI: return SLOT_VSR0 + 2 * (raw | (word >> 16 & 1) << 5);
	case XP: return SLOT_VSR0 + 2 * ((raw & 30) | (raw & 1) << 5);
	case XPA: return SLOT_VSR0 + 2 * (2 * raw | (word >> 2 & 1) << 5);
	case ACC: return SLOT_VSR0 + 8 * raw;
	case HASH: return 8 * (int64_t)(raw | (word & 1) << 5) - 512;
	case S: return sign;
	case S4: return sign * 4;
	case S16: return sign * 16;
	case SH6: return raw | (word >> 1 & 1) << 5;
	case MB6: return raw >> 1 | (raw & 1) << 5;
	case SPR: return raw >> 5 | (raw & 31) << 5;
	case DCMX: return (word >> 16 & 31) | (word >> 2 & 1) << 5 | (word >> 6 & 1) << 6;
	case DX: return (int16_t)((word >> 6 & 0x3ff) << 6 | (word >> 16 & 31) << 1 | (word & 1));
	case D34: return insn_displacement(word);
	case I32: return (int32_t)((word >> 32 & 0xffff) << 16 | (word & 0xffff));
	}
	return 0;
}

bool decode_offset(const struct insn *insn, uint64_t word, int64_t *offset)
{
	const struct operand_list *list = operand_list(insn);

	if (list->displacement)
		*offset = operand_value(&operands[list->index[list->displacement - 1]], word);
	return list->displacement;
}

/* Immediates take imm, then d, c, b: the first that no register operand of the row uses. */
static void place_operand(struct op *op, unsigned *used, enum operand_dest dest, int64_t v)
{
	static const enum operand_dest spare[] = { DEST_i, DEST_d, DEST_c, DEST_b };

	for (unsigned i = 0; dest == DEST_i && i < ARRAY_SIZE(spare); i++) {
		if (!(*used & 1u << spare[i])) {
			*used |= 1u << spare[i];
			dest = spare[i];
			break;
		}
	}
	switch (dest) {
	case DEST_a: op->a = (uint8_t)v; break;
	case DEST_b: op->b = (uint8_t)v; break;
	case DEST_c: op->c = (uint8_t)v; break;
	case DEST_d: op->d = (uint8_t)v; break;
	case DEST_i: op->imm = (int32_t)v; break;
	}
}

static void extract_operands(const struct insn *insn, uint64_t word, struct op *op)
{
	const struct operand_list *list = operand_list(insn);
	unsigned used = 0;

	for (unsigned i = 0; i < list->n; i++)
		if (operands[list->index[i]].dest != DEST_i)
			used |= 1u << operands[list->index[i]].dest;
	for (unsigned i = 0; i < list->n; i++) {
		const struct operand *o = &operands[list->index[i]];
		enum operand_dest dest = o->dest;

		if (dest == DEST_i && (used & 1u << DEST_i) == 0) {
			op->imm = (int32_t)operand_value(o, word);
			used |= 1u << DEST_i;
		} else {
			place_operand(op, &used, dest, operand_value(o, word));
		}
	}
}

/* The register that Rc=1 compares with zero: the one that the row names first. */
static uint8_t result_slot(const struct insn *insn, const struct op *op)
{
	const struct operand *o = &operands[operand_list(insn)->index[0]];

	return o->dest == DEST_b ? op->b : op->a;
}

/* ---- Building a block ---- */

struct decoder {
	struct engine *engine;
	struct block *block;
	struct op_info *info;
	uint64_t gra;			/* of the instruction being decoded */
	unsigned insn, word;		/* its index in the block, and that of its first word */
	struct op after[6];		/* appended by hooks */
	unsigned nafter;
	bool ended;
	bool charges, plain;
	bool holds;			/* instructions that hold others up are counted */
	uint32_t lost;			/* flags of rows that the processor has no more */
};

static uint32_t lost_flags(enum insn_since level)
{
	return (level >= P9 ? TO_P8 : 0) | (level >= P10 ? TO_P9 : 0);
}

bool decode_charges(const struct decoder *d) { return d->charges; }
uint32_t decode_mode(const struct decoder *d) { return d->block->mode; }
enum insn_since decode_level(const struct decoder *d) { return engine_level(d->engine, d->block->mode); }
enum insn_since decode_own_level(const struct decoder *d) { return d->engine->level; }
uint64_t decode_gra(const struct decoder *d) { return d->gra; }
unsigned decode_parts(const struct decoder *d) { return d->engine->timing.parts; }

void decode_emit(struct decoder *d, struct op op)
{
	d->info[d->block->nops].insn = (uint8_t)d->insn;
	d->info[d->block->nops].word = (uint8_t)d->word;
	d->info[d->block->nops].cycles = (uint16_t)block_cost(d->block);
	d->block->ops[d->block->nops++] = op;
}

void decode_edges(struct decoder *d)
{
	d->block->edge_at[d->block->nedges++] = d->block->nops;
	decode_emit(d, (struct op){ .fn = NULL });	/* neither of the two leads anywhere yet */
}

void decode_append(struct decoder *d, struct op op)
{
	d->after[d->nafter++] = op;
}

/* Ends the block with an op that raises. */
static void end_with(struct decoder *d, op_fn *fn, int32_t imm)
{
	decode_emit(d, (struct op){ .fn = fn, .imm = imm });
	d->ended = true;
}

/* Where the last bit of the register's number lies. */
static unsigned sixth_bit(const char *row_operands)
{
	static const struct { const char *token; unsigned shift; } apart[] = {
		{ "XTQ", 3 }, { "XSQ", 3 }, { "XT0", 26 }, { "XS0", 26 } };

	for (unsigned i = 0; i < ARRAY_SIZE(apart); i++)
		if (!strncmp(row_operands, apart[i].token, 3))
			return apart[i].shift;
	return 0;
}

/* The facility that MSR withholds, as the vector of its interrupt; 0 = all there. */
static enum vector missing_facility(const struct insn *insn, uint64_t word, uint32_t mode)
{
	bool upper;	/* the register is one of VSR 32..63 */

	if (insn->flags & FPU && !(mode & MODE_FP))
		return VEC_FP_UNAVAIL;
	if (insn->flags & VEC && !(mode & MODE_VEC))
		return VEC_VEC_UNAVAIL;
	if (insn->flags & VSX && !(mode & MODE_VSX))
		return VEC_VSX_UNAVAIL;
	upper = word >> sixth_bit(insn->operands) & 1;
	if (insn->flags & X6 && !(mode & (upper ? MODE_VEC : MODE_VSX)))
		return upper ? VEC_VEC_UNAVAIL : VEC_VSX_UNAVAIL;
	if (insn->flags & FX6 && !(mode & (upper ? MODE_VEC : MODE_FP)))
		return upper ? VEC_VEC_UNAVAIL : VEC_FP_UNAVAIL;
	return 0;
}

/* 32-bit mode: the effective address is formed apart, its upper half cleared. An update form gives RA all
 * of the sum (Book I, 1.10.3), which is formed before the access: RT may be RB. */
static void truncate_address(struct decoder *d, const struct insn *insn, struct op *op)
{
	bool indexed = strstr(insn->operands, "RB") != NULL;

	decode_emit(d, (struct op){ .fn = indexed ? op_truncate_x : op_truncate_d, .b = op->b, .c = op->c,
				    .imm = strchr(insn->operands, '(') ? op->imm : 0 });
	if (insn->flags & UPD && indexed) {
		decode_emit(d, (struct op){ .fn = op_add, .a = SLOT_SUM, .b = op->b, .c = op->c });
		decode_append(d, (struct op){ .fn = op_mr, .a = op->b, .c = SLOT_SUM });
	} else if (insn->flags & UPD) {
		decode_append(d, (struct op){ .fn = op_addi, .a = op->b, .b = op->b, .imm = op->imm });
	}
	op->b = SLOT_EA;
	if (indexed)
		op->c = SLOT_ZERO;
	else if (strchr(insn->operands, '('))
		op->imm = 0;
}

/* 64-bit mode: RA gets the address after the access, from registers it did not change. */
static void append_update(struct decoder *d, const struct insn *insn, struct op *op)
{
	if (!strstr(insn->operands, "RB")) {
		decode_append(d, (struct op){ .fn = op_addi, .a = op->b, .b = op->b, .imm = op->imm });
		return;
	}
	decode_emit(d, (struct op){ .fn = op_add, .a = SLOT_EA, .b = op->b, .c = op->c });
	decode_append(d, (struct op){ .fn = op_mr, .a = op->b, .c = SLOT_EA });
	op->b = SLOT_EA;
	op->c = SLOT_ZERO;
}

/* Load with update is invalid for RA=0 and RA=RT; store with update for RA=0. */
static bool valid_update(const struct insn *insn, const struct op *op)
{
	return op->b != SLOT_ZERO && (strncmp(insn->operands, "RT", 2) || op->a != op->b);
}

bool decode_base(const struct decoder *d, struct op *op, uint64_t insn, int64_t *distance)
{
	*distance = insn_displacement(insn);
	op->d = 0;
	if (!(insn & INSN_R))
		return true;
	op->b = SLOT_PAGE;
	*distance += (int64_t)(d->gra & (RAM_PAGE_SIZE - 1));
	return !(insn >> 16 & 31);
}

/* What is too far for imm is added up before, in an op of its own. */
static bool decode_displacement(struct decoder *d, struct op *op, uint64_t insn)
{
	int64_t distance;

	if (!decode_base(d, op, insn, &distance))
		return false;
	op->imm = (int32_t)distance;
	if (distance != op->imm) {
		decode_emit(d, (struct op){ .fn = op_paddi, .a = SLOT_EA, .b = op->b, .c = (uint8_t)(distance >> 32), .imm = (int32_t)distance });
		op->b = SLOT_EA;
		op->imm = 0;
	}
	return true;
}

static bool decode_memory(struct decoder *d, const struct insn *insn, struct op *op, uint64_t word)
{
	uint32_t mode = d->block->mode;

	if (!(mode & MODE_LE) && insn->be)
		op->fn = insn->be;
	if (is_prefixed(word) && !decode_displacement(d, op, word))
		return false;
	if (insn->flags & UPD && !valid_update(insn, op))
		return false;
	if (!(mode & MODE_SF))
		truncate_address(d, insn, op);
	else if (insn->flags & UPD && insn->upd && mode & MODE_LE)
		op->fn = insn->upd;
	else if (insn->flags & UPD)
		append_update(d, insn, op);
	return true;
}

static void append_record(struct decoder *d, const struct insn *insn, const struct op *op, uint64_t word)
{
	bool wide = d->block->mode & MODE_SF;

	if (insn->flags & RCFP && word & 1)
		decode_append(d, (struct op){ .fn = op_set_cr1 });
	if (insn->flags & RC && word & 1 && op->fn != insn->rc)
		decode_append(d, (struct op){ .fn = wide ? op_set_cr0 : op_set_cr0_32, .a = result_slot(insn, op) });
}

static bool decode_row(struct decoder *d, const struct insn *insn, uint64_t word)
{
	uint32_t mode = d->block->mode;
	struct op op = { .fn = insn->fn };

	extract_operands(insn, word, &op);
	if (insn->flags & OE && word >> 10 & 1)
		op.fn = insn->o;
	else if (insn->flags & VRC && word >> 10 & 1)
		op.fn = insn->rc;
	else if (insn->flags & RCF && word & 1 && insn->rc && mode & MODE_SF)
		op.fn = insn->rc;
	if (insn->flags & MEM && !decode_memory(d, insn, &op, word))
		return false;
	if (insn->hook && !insn->hook(d, insn, &op, word))
		return false;
	if (!(mode & MODE_SF) && insn->flags & OE && word >> 10 & 1) {
		decode_emit(d, (struct op){ .fn = op_so_save });
		decode_append(d, (struct op){ .fn = op_ov_from_ov32 });
	}
	if (insn->flags & (RC | RCFP))
		append_record(d, insn, &op, word);
	if (!(mode & MODE_SF) && insn->flags & CARRY)
		decode_append(d, (struct op){ .fn = op_ca_from_ca32 });
	if (d->holds)
		charge_emit_hold(d, d->engine->timing.core, (unsigned)(insn - insns), word);
	if (insn->flags & MEM && d->charges)
		charge_emit_access(d, insn, &op);
	decode_emit(d, op);
	for (unsigned i = 0; i < d->nafter; i++)
		decode_emit(d, d->after[i]);
	return true;
}

static uint32_t first_word(uint64_t insn) { return (uint32_t)(is_prefixed(insn) ? insn >> 32 : insn); }

/* A prefix may have a suffix in problem state, and in the same 64 bytes. */
static bool may_be_prefixed(struct decoder *d, uint64_t insn)
{
	if (d->block->mode & MODE_NO_PREFIX)
		end_with(d, op_no_prefix, 0);
	else if (!is_prefixed(insn))
		end_with(d, op_boundary, 0);
	return !d->ended;
}

/* The instruction at d->gra. A prefix is there without its suffix if that lies behind the boundary that no instruction
 * crosses. False: the block has no room for both. */
static bool fetch(struct decoder *d, uint64_t *insn)
{
	const uint8_t *at = d->engine->ram->base + d->gra;
	unsigned room = BLOCK_MAX_INSNS - d->word, n = 1;
	uint32_t words[2];

	memcpy(words, at, sizeof words[0]);
	if (!(d->block->mode & MODE_LE))
		words[0] = __builtin_bswap32(words[0]);
	if (unlikely(is_prefix(words[0])) && decode_level(d) >= P10 && d->gra % PREFIX_ALIGN != PREFIX_ALIGN - 4) {
		memcpy(&words[1], at + 4, sizeof words[1]);
		if (!(d->block->mode & MODE_LE))
			words[1] = __builtin_bswap32(words[1]);
		n = 2;
	}
	if (n > room)
		return false;
	memcpy(&d->block->words[d->word], words, n * sizeof words[0]);
	*insn = insn_at(words, n, 0);
	return true;
}

/* One instruction, and its row; sets d->ended if nothing may follow in the block. */
static const struct insn *decode_insn(struct decoder *d, uint64_t word)
{
	const struct insn *insn = insn_lookup_at(word, decode_level(d));
	struct block *block = d->block;
	unsigned start = block->nops;
	enum vector missing;

	if (insn && insn->flags & d->lost)
		insn = NULL;
	d->nafter = 0;
	block->ops[0].imm += !d->engine->pace;
	if (is_prefix(first_word(word)) && decode_level(d) >= P10 && !may_be_prefixed(d, word)) {
		d->ended = true;
	} else if (!insn) {
		end_with(d, op_illegal, (int32_t)first_word(word));
	} else if (insn->flags & PRIV && block->mode & MODE_PR) {
		end_with(d, op_privileged, 0);
	} else if ((missing = missing_facility(insn, word, block->mode)) != 0) {
		end_with(d, op_unavailable, (int32_t)missing);
	} else if (insn->flags & BRANCH) {
		d->ended = decode_branch(d, (uint32_t)word);
	} else if (!decode_row(d, insn, word)) {
		block->nops = (uint16_t)start;
		end_with(d, op_illegal, (int32_t)first_word(word));
	} else if (insn->flags & ENDBB) {
		d->insn++;
		d->word++;
		end_with(d, op_leave, (int32_t)((d->gra & (RAM_PAGE_SIZE - 1)) + 4));
		d->insn--;
		d->word--;
	}
	block->ninsns++;
	return insn;
}

/* Where it costs more to take a branch than not to, the block ends there. */
bool decode_may_go_on(const struct decoder *d)
{
	return d->block->nedges < BLOCK_MAX_EXITS && !d->engine->charge && !(d->engine->pace && d->plain);
}

bool decode_exits_charge(const struct decoder *d) { return d->engine->pace; }

/* What a block costs to an exit in its middle is known beforehand under `flat` only. Under other models exits lead to ops
 * behind the block's end: a marker without a price, an op that gives back what has been charged for the rest, and the
 * branch. */
enum { WAY_OUT_OPS = 4 };

static bool is_exit(const struct block *block, unsigned edge) { return block->edge_at[edge] + 1u < block->end; }

static void decode_ways_out(struct decoder *d)
{
	struct block *block = d->block;
	unsigned insn = d->insn, word = d->word;

	for (unsigned i = 0; i < block->nedges && is_exit(block, i); i++) {
		int32_t target = block->ops[block->edge_at[i] - 1].imm;
		bool near = target >= 0 && target < (int32_t)RAM_PAGE_SIZE;

		d->insn = d->info[block->edge_at[i]].insn;
		d->word = d->info[block->edge_at[i]].word;
		decode_emit(d, (struct op){ .fn = op_edges });
		pace_emit_exit(d, near);
		decode_emit(d, (struct op){ .fn = near ? op_b_near : op_b_far, .imm = target });
		decode_emit(d, (struct op){ .fn = NULL });	/* two edges */
	}
	d->insn = insn;
	d->word = word;
}

void decode_link_ways_out(struct block *block)
{
	if (block->end != block->nops)
		for (unsigned i = 0; i < block->nedges && is_exit(block, i); i++)
			((struct edge *)&block->ops[block->edge_at[i]])->taken = &block->ops[block->end + i * WAY_OUT_OPS];
}

int64_t decode_rest(const struct block *block, const struct op_info *info, unsigned i)
{
	unsigned next = i + 1;

	while (next < block->end && info[next].insn == info[i].insn)
		next++;
	return (int64_t)(block_cost(block) - info[i].cycles) * BUDGET_UNIT +
	       (next < block->end && info[next].insn < block->ninsns ? block->ninsns - info[next].insn : 0);
}

/* Exits and TIME ops learn what was charged beyond them, once that is known. */
void decode_finish_cost(const struct engine *engine, struct block *block, const struct op_info *info)
{
	uint32_t insns_in = block->ninsns;

	memcpy(&block->ops[0].a, &insns_in, sizeof insns_in);
	for (unsigned i = 0; i < block->nedges; i++) {
		unsigned at = block->edge_at[i];

		if (is_exit(block, i))
			((struct edge *)&block->ops[at])->behind = decode_rest(block, info, at) + (engine->pace ? PACE_LENT * BUDGET_UNIT : 0);
	}
	for (unsigned i = block->head; block->timed && !engine->pace && i < block->nops; i++) {
		const struct insn *insn;

		if (info[i].insn >= block->ninsns)
			continue;
		insn = insn_lookup_at(block_insn(block, info[i].word), engine_level(engine, block->mode));
		if (insn && insn->flags & TIME && block->ops[i].fn != op_leave && block->ops[i].fn != op_spent)
			block->ops[i].imm = (int32_t)(block_cost(block) - info[i].cycles);
	}
}

void decode_block(struct engine *engine, uint64_t gra, uint32_t mode, unsigned max_insns,
		  struct block *out, struct op_info *info)
{
	struct decoder d = { .engine = engine, .block = out, .info = info, .gra = gra, .charges = engine->charge && !(mode & MODE_PAID),
			     .holds = engine->pace && !(mode & MODE_PAID), .plain = mode & MODE_PLAIN, .lost = lost_flags(engine->level) };
	uint64_t page_end = (gra | (RAM_PAGE_SIZE - 1)) + 1;
	unsigned most = charge_most_words(engine, gra), unbroken = spent_most_words(gra);
	bool part = max_insns < BLOCK_MAX_INSNS;

	out->gra = gra;
	if (engine->spent && most > unbroken)
		most = unbroken;
	out->mode = mode & ~(uint32_t)(MODE_PLAIN | MODE_PAID);
	out->ops[0].imm = 0;
	out->ninsns = out->nops = out->nwords = 0;
	out->nedges = 0;
	out->dead = out->timed = false;
	out->info = info;
	decode_emit(&d, (struct op){ .fn = op_marker });
	if (engine->spent)
		decode_emit(&d, (struct op){ .fn = op_spent });
	if (d.charges)
		charge_emit_fetch(&d);
	if (engine->pace)
		pace_emit(&d);
	out->head = (uint8_t)out->nops;
	while (!d.ended && d.insn < max_insns && d.word < most && d.gra < page_end) {
		const struct insn *insn;
		uint64_t word;

		if (unlikely(d.insn && points_part(engine->points, d.gra)) || !fetch(&d, &word))
			break;
		insn = decode_insn(&d, word);
		out->timed |= insn && insn->flags & TIME;
		d.insn++;
		d.word += insn_words(word);
		d.gra += 4 * insn_words(word);
	}
	out->nwords = (uint16_t)d.word;
	if (!d.ended && part && (engine->pace || d.gra < page_end))
		decode_emit(&d, (struct op){ .fn = op_leave, .imm = (int32_t)(d.gra - (page_end - RAM_PAGE_SIZE)) });
	else if (!d.ended)
		decode_fall_through(&d, d.gra == page_end);
	out->end = out->nops;
	if (engine->pace)
		decode_ways_out(&d);
	decode_finish_cost(engine, out, info);
	if (!(mode & MODE_PLAIN) && !PROFILING) {
		if (!engine->pace)
			spin_block(out);
		fuse_block(out);
	}
}
