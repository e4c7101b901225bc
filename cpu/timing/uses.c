/* Registers by operand string, which is read once: the first operand is what is written but for stores and compares; what else
 * a row touches beyond its operands (CR0 by Rc, carries, counts) stands here by flag or by name.
 */
#include "cpu/timing/uses.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/table/forms.h"
#include "cpu/table/prefix.h"

#define INSN(name, ...) ROW(name, __VA_ARGS__)
#define ROW(name, match, mask, operands, since, unit, flags, reference) { #name, operands, match, mask, flags, since, unit },
const struct row_facts row_facts[NROWS] = {
#include "cpu/table/insn.def"
};
#undef INSN
#undef ROW

static unsigned field(uint32_t word, unsigned shift, unsigned width) { return word >> shift & ((1u << width) - 1); }

static unsigned field_rt(uint32_t word) { return field(word, 21, 5); }
static unsigned field_ra(uint32_t word) { return field(word, 16, 5); }
static unsigned field_rb(uint32_t word) { return field(word, 11, 5); }

/* ---- What a row's strings say ---- */

enum { NO_BIT = 255, MAX_OPERANDS = 6 };

/* The register that a field names, or some that follow each other. */
struct named {
	uint8_t first, shift, width;	/* register of number 0; the field */
	uint8_t times, count;		/* registers by which its number counts, and how many there are */
	uint8_t upper;			/* the bit for the upper 32, which lies apart; NO_BIT: there is none */
	bool or_zero;			/* number 0 is the value 0 */
};

struct operand {
	struct named reg;
	bool read, written;
};

struct shape {
	bool known;
	uint8_t n;
	struct operand operand[MAX_OPERANDS];
	bool writes_cr_field, writes_cr0, writes_cr6;
	bool saturates;			/* an accumulator */
	bool has_address, indexed, load, store, displaced;
	uint8_t low;			/* bits of a displacement that are none of it; HASH: see there */
};
enum { HASH = 255 };

static bool is_token(const char *token, size_t len, const char *name)
{
	return *token == *name && strlen(name) == len && !strncmp(token, name, len);
}

/* False: it names no register. */
static bool read_operand(const char *token, size_t len, struct named *out)
{
#define ONE(first, shift, upper) { first, shift, 5, 1, 1, upper, false }
	static const struct { const char *name; struct named reg; } rows[] = {
		{ "RT", ONE(REG_GPR, 21, NO_BIT) }, { "RS", ONE(REG_GPR, 21, NO_BIT) }, { "RA", ONE(REG_GPR, 16, NO_BIT) },
		{ "RA0", { REG_GPR, 16, 5, 1, 1, NO_BIT, true } }, { "RB", ONE(REG_GPR, 11, NO_BIT) },
		{ "RH", ONE(REG_GPR, 11, NO_BIT) }, { "RC", ONE(REG_GPR, 6, NO_BIT) },
		{ "FRT", ONE(REG_VSR, 21, NO_BIT) }, { "FRS", ONE(REG_VSR, 21, NO_BIT) },
		{ "FRA", ONE(REG_VSR, 16, NO_BIT) }, { "FRB", ONE(REG_VSR, 11, NO_BIT) },
		{ "FRC", ONE(REG_VSR, 6, NO_BIT) },
		/* Decimal: and the one behind it. */
		{ "FRTP", { REG_VSR, 21, 5, 1, 2, NO_BIT, false } }, { "FRAP", { REG_VSR, 16, 5, 1, 2, NO_BIT, false } },
		{ "FRBP", { REG_VSR, 11, 5, 1, 2, NO_BIT, false } },
		{ "VRT", ONE(REG_VSR + 32, 21, NO_BIT) }, { "VRS", ONE(REG_VSR + 32, 21, NO_BIT) },
		{ "VRA", ONE(REG_VSR + 32, 16, NO_BIT) }, { "VRB", ONE(REG_VSR + 32, 11, NO_BIT) },
		{ "VRC", ONE(REG_VSR + 32, 6, NO_BIT) }, { "XTP", ONE(REG_VSR + 32, 21, NO_BIT) },
		{ "XSP", ONE(REG_VSR + 32, 21, NO_BIT) },
		{ "XT", ONE(REG_VSR, 21, 0) }, { "XS", ONE(REG_VSR, 21, 0) }, { "XA", ONE(REG_VSR, 16, 2) },
		{ "XB", ONE(REG_VSR, 11, 1) }, { "XC", ONE(REG_VSR, 6, 3) }, { "XTQ", ONE(REG_VSR, 21, 3) },
		{ "XSQ", ONE(REG_VSR, 21, 3) }, { "XT0", ONE(REG_VSR, 21, 26) }, { "XS0", ONE(REG_VSR, 21, 26) },
		{ "XTI", ONE(REG_VSR, 21, 16) },
		/* Pairs, and accumulators. */
		{ "XPT", { REG_VSR, 22, 4, 2, 2, 21, false } }, { "XPS", { REG_VSR, 22, 4, 2, 2, 21, false } },
		{ "XAP", { REG_VSR, 17, 4, 2, 2, 2, false } }, { "AT", { REG_VSR, 23, 3, 4, 4, NO_BIT, false } },
	};

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (is_token(token, len, rows[i].name)) {
			*out = rows[i].reg;
			return true;
		}
	return false;
}

/* Outer products: with "ger" and a number comes what becomes of them. */
static bool adds_to_accumulator(const struct row_facts *row)
{
	const char *ger = strstr(row->name, "ger");

	return ger && strlen(ger) > 4 && ger[strlen(ger) - 1] != 's';
}

static bool saturates_accumulator(const struct row_facts *row)
{
	const char *ger = strstr(row->name, "ger");

	return ger && strchr(ger, 's');
}

/* Rows whose target is an operand, too: parts of it stay, or it is added to. */
static bool reads_target(const struct row_facts *row)
{
	static const char *const starts[] = {
		"vins", "xxinsertw", "xxsplti32dx", "vrlwmi", "vrldmi", "vrlqmi", "xxperm", "rlwimi", "rldimi",
		"xsmadd", "xsmsub", "xsnmadd", "xsnmsub", "xvmadd", "xvmsub", "xvnmadd", "xvnmsub",
	};

	if (!strcmp(row->name, "xxmfacc") || !strcmp(row->name, "xxmtacc") || adds_to_accumulator(row))
		return true;
	if (!strcmp(row->name, "xxpermdi") || !strcmp(row->name, "xxpermx"))
		return false;
	for (unsigned i = 0; i < sizeof starts / sizeof starts[0]; i++)
		if (!strncmp(row->name, starts[i], strlen(starts[i])))
			return true;
	return false;
}

static bool first_is_source(const struct row_facts *row)
{
	static const char *const sources[] = { "RS", "FRS", "VRS", "XS", "XSP", "XSQ", "XS0", "XPS" };
	size_t len = strcspn(row->operands, ",(");

	for (unsigned i = 0; i < sizeof sources / sizeof sources[0]; i++)
		if (is_token(row->operands, len, sources[i]))
			return true;
	/* A lone or leading address, and what an order to the system takes. */
	return is_token(row->operands, len, "RA0") || is_token(row->operands, len, "RB") ||
	       is_token(row->operands, len, "RH") || !strcmp(row->name, "mtvscr") ||
	       !strcmp(row->name, "tabort") || !strcmp(row->name, "treclaim");
}

/* Immediates that stand before the target. */
static bool leads(const char *token, size_t len)
{
	return is_token(token, len, "R") || is_token(token, len, "TE") || is_token(token, len, "SP") || is_token(token, len, "S");
}

static void read_operands(const struct row_facts *row, struct shape *out)
{
	/* mtspr, mtcrf, tw and compares have something else in front. */
	bool target = !first_is_source(row), adds = reads_target(row);

	for (const char *s = row->operands; *s;) {
		size_t len = strcspn(s, ",()");
		struct operand o = { .read = !target || adds, .written = target };

		if (len) {
			if (read_operand(s, len, &o.reg)) {
				if (out->n == MAX_OPERANDS)
					abort();
				out->operand[out->n++] = o;
			}
			target = target && leads(s, len);
		}
		s += len + (s[len] != 0);
	}
}

static void read_address(const struct row_facts *row, struct shape *out)
{
	const char *at = strstr(row->operands, "RA0");
	bool check = !strncmp(row->name, "hashchk", 7);

	out->has_address = at && row->unit == LS;
	out->indexed = strstr(row->operands, "RB") != NULL;
	out->store = first_is_source(row) && at != row->operands && !check;
	out->load = !first_is_source(row) || check;
	out->displaced = strchr(row->operands, '(') != NULL;
	out->low = strstr(row->operands, "HD(") ? HASH : strstr(row->operands, "DQ(") ? 15 : strstr(row->operands, "DS(") ? 3 : 0;
}

static bool is_transactional(const struct row_facts *row)
{
	const char *name = row->name;

	return name[0] == 't' && row->unit == SYS && (name[1] == 'a' || name[1] == 'b' || name[1] == 'e' || !strcmp(name, "tsr") ||
						      !strncmp(name, "tre", 3));
}

/* Each row's strings are read once, and say the same each time. */
static const struct shape *shape_of(unsigned row)
{
	static struct shape shapes[NROWS];
	const struct row_facts *facts = &row_facts[row];
	struct shape *shape = &shapes[row];

	if (!shape->known) {
		read_operands(facts, shape);
		read_address(facts, shape);
		shape->writes_cr_field = !strncmp(facts->operands, "BF", 2) && facts->operands[2] != 'A';
		shape->writes_cr0 = is_transactional(facts);
		shape->writes_cr6 = !strncmp(facts->name, "bcd", 3);
		shape->saturates = saturates_accumulator(facts);
		shape->known = true;
	}
	return shape;
}

/* ---- Operands that are registers ---- */

static void use_operands(const struct shape *shape, uint32_t word, struct uses *out)
{
	for (unsigned i = 0; i < shape->n; i++) {
		const struct operand *o = &shape->operand[i];
		unsigned number = field(word, o->reg.shift, o->reg.width), reg = o->reg.first + number * o->reg.times;

		if (o->reg.or_zero && !number)
			continue;
		if (o->reg.upper != NO_BIT && word >> o->reg.upper & 1)
			reg += 32;
		for (unsigned k = 0; k < o->reg.count; k++, reg++) {
			if (o->written)
				regset_add(&out->written, reg);
			if (o->read)
				regset_add(&out->read, reg);
		}
	}
}

/* ---- Condition register fields ---- */

static void use_cr_operands(unsigned row, const struct shape *shape, uint32_t word, struct uses *out)
{
	switch (row) {
	case ROW_crand: case ROW_cror: case ROW_crxor: case ROW_crnand: case ROW_crnor: case ROW_creqv: case ROW_crandc:
	case ROW_crorc:
		/* Three of the target's four bits stay. */
		regset_add(&out->read, REG_CR + field(word, 23, 3));
		regset_add(&out->read, REG_CR + field(word, 18, 3));
		regset_add(&out->read, REG_CR + field(word, 13, 3));
		regset_add(&out->written, REG_CR + field(word, 23, 3));
		return;
	case ROW_isel: regset_add(&out->read, REG_CR + field(word, 8, 3)); return;
	case ROW_setbc: case ROW_setbcr: case ROW_setnbc: case ROW_setnbcr:
		regset_add(&out->read, REG_CR + field(word, 18, 3));
		return;
	case ROW_mcrf: case ROW_setb: regset_add(&out->read, REG_CR + field(word, 18, 3)); break;
	case ROW_mfcr: case ROW_mfocrf: case ROW_mtcrf: case ROW_mtocrf:
		for (unsigned i = 0; i < 8; i++)
			if (row == ROW_mfcr || field(word, 12 + 7 - i, 1))
				regset_add(row == ROW_mfcr || row == ROW_mfocrf ? &out->read : &out->written, REG_CR + i);
		return;
	case ROW_mtfsfi: case ROW_mtfsf: return;
	default: break;
	}
	if (shape->writes_cr_field)
		regset_add(&out->written, REG_CR + field(word, 23, 3));
}

/* Rc, OE, carries. */
static void use_flags(unsigned row, const struct shape *shape, uint32_t word, struct uses *out)
{
	const struct row_facts *facts = &row_facts[row];

	if ((facts->flags & RC && word & 1) || row == ROW_addic_ || row == ROW_andi_ || row == ROW_andis_) {
		regset_add(&out->written, REG_CR);
		regset_add(&out->read, REG_SO);
	}
	if (facts->flags & RCFP && word & 1) {
		regset_add(&out->written, REG_CR + 1);
		regset_add(&out->read, REG_FPSCR);
	}
	if (facts->flags & VRC && word >> 10 & 1)
		regset_add(&out->written, REG_CR + 6);
	if (facts->flags & OE && word >> 10 & 1) {
		regset_add(&out->written, REG_OV);
		regset_add(&out->written, REG_SO);
	}
	if (facts->flags & CARRY)
		regset_add(&out->written, REG_CA);
	switch (row) {
	case ROW_adde: case ROW_subfe: case ROW_addme: case ROW_subfme: case ROW_addze: case ROW_subfze:
		regset_add(&out->read, REG_CA);
		break;
	case ROW_sraw: case ROW_srawi: case ROW_srad: case ROW_sradi:
		regset_add(&out->written, REG_CA);
		break;
	case ROW_addex:
		regset_add(&out->read, REG_OV);
		regset_add(&out->written, REG_OV);
		break;
	case ROW_mcrxrx:
		regset_add(&out->read, REG_OV);
		regset_add(&out->read, REG_CA);
		break;
	case ROW_cmpw: case ROW_cmpd: case ROW_cmplw: case ROW_cmpld: case ROW_cmpwi: case ROW_cmpdi: case ROW_cmplwi:
	case ROW_cmpldi:
		regset_add(&out->read, REG_SO);
		break;
	case ROW_stbcx: case ROW_sthcx: case ROW_stwcx: case ROW_stdcx: case ROW_stqcx: case ROW_paste: case ROW_slbfee:
		regset_add(&out->written, REG_CR);
		regset_add(&out->read, REG_SO);
		break;
	default:
		if (shape->writes_cr6)
			regset_add(&out->written, REG_CR + 6);
		if (shape->writes_cr0)
			regset_add(&out->written, REG_CR);
		break;
	}
}

/* ---- Floating-point and vector status ---- */

static bool moves_only(unsigned row)
{
	switch (row) {
	case ROW_fmr: case ROW_fneg: case ROW_fabs: case ROW_fnabs: case ROW_fcpsgn: case ROW_fmrgew: case ROW_fmrgow: case ROW_fsel:
	case ROW_ddedpd: case ROW_ddedpdq: case ROW_dxex: case ROW_dxexq: case ROW_diex: case ROW_diexq: case ROW_dscli: case ROW_dscliq:
	case ROW_dscri: case ROW_dscriq:
		return true;
	default:
		return false;
	}
}

static void use_status(unsigned row, const struct shape *shape, struct uses *out)
{
	const struct row_facts *facts = &row_facts[row];

	if ((facts->unit == FP || facts->unit == FDIV) && !moves_only(row)) {
		regset_add(&out->read, REG_FPSCR);
		regset_add(&out->written, REG_FPSCR);
		regset_add(&out->read, REG_VSCR);	/* of VMX: denormals */
		regset_add(&out->written, REG_VSCR);	/* of VMX: saturation */
	}
	if (facts->unit == DFP && !moves_only(row)) {
		regset_add(&out->read, REG_FPSCR);
		regset_add(&out->written, REG_FPSCR);
	}
	if ((facts->flags & VEC && facts->unit != LS) || shape->saturates) {
		regset_add(&out->read, REG_VSCR);	/* saturation stays */
		regset_add(&out->written, REG_VSCR);
	}
}

/* ---- Branches and special registers ---- */

static void use_branch(unsigned row, uint32_t word, struct uses *out)
{
	bool conditional = row != ROW_b && row != ROW_ba && row != ROW_bl && row != ROW_bla;

	out->branch = true;
	if (conditional && !(word >> 21 & 0x10))
		regset_add(&out->read, REG_CR + field(word, 18, 3));
	if (conditional && !(word >> 21 & 4)) {
		regset_add(&out->read, REG_CTR);
		regset_add(&out->written, REG_CTR);
	}
	if (row == ROW_bclr || row == ROW_bclrl)
		regset_add(&out->read, REG_LR);
	if (row == ROW_bcctr || row == ROW_bcctrl)
		regset_add(&out->read, REG_CTR);
	if (row == ROW_bctar || row == ROW_bctarl)
		regset_add(&out->read, REG_TAR);
	if (word & 1)
		regset_add(&out->written, REG_LR);
}

static void use_spr(unsigned row, uint32_t word, struct uses *out)
{
	struct regset *set = row == ROW_mtspr ? &out->written : &out->read;

	switch (field(word, 16, 5) | field(word, 11, 5) << 5) {
	case 1:
		for (unsigned i = REG_CA; i <= REG_COUNT; i++)
			regset_add(set, i);
		break;
	case 8: regset_add(set, REG_LR); break;
	case 9: regset_add(set, REG_CTR); break;
	case 815: regset_add(set, REG_TAR); break;
	default: regset_add(set, REG_SYSTEM); break;
	}
}

/* ---- Storage ---- */

static void use_run(struct regset *set, unsigned first, unsigned count)
{
	for (unsigned i = 0; i < count && i < 32; i++)
		regset_add(set, REG_GPR + ((first + i) & 31));
}

/* More than one register by one operand. */
static void use_multiple(unsigned row, uint32_t word, struct uses *out)
{
	unsigned rt = field_rt(word), bytes = field_rb(word) ? field_rb(word) : 32;

	switch (row) {
	case ROW_lmw: use_run(&out->written, rt, 32 - rt); break;
	case ROW_stmw: use_run(&out->read, rt, 32 - rt); break;
	case ROW_lswi: use_run(&out->written, rt, (bytes + 3) / 4); break;
	case ROW_stswi: use_run(&out->read, rt, (bytes + 3) / 4); break;
	case ROW_lswx: use_run(&out->written, rt, 32); regset_add(&out->read, REG_COUNT); break;
	case ROW_stswx: use_run(&out->read, rt, 32); regset_add(&out->read, REG_COUNT); break;
	case ROW_lq: case ROW_lqarx: case ROW_plq: use_run(&out->written, rt, 2); break;
	case ROW_stq: case ROW_stqcx: case ROW_pstq: use_run(&out->read, rt, 2); break;
	case ROW_lwat: case ROW_ldat: use_run(&out->read, (rt + 1) & 31, 2); break;
	case ROW_lfdp: case ROW_lfdpx: regset_add(&out->written, REG_VSR + (rt | 1)); break;
	case ROW_stfdp: case ROW_stfdpx: regset_add(&out->read, REG_VSR + (rt | 1)); break;
	default: break;
	}
}

/* Of prefixed ones that are relative to themselves, or reach far: some number. */
static int32_t displacement(const struct shape *shape, uint64_t word)
{
	int32_t d = (int16_t)word;

	if (is_prefixed(word))
		return (int32_t)insn_displacement(word);
	return shape->low == HASH ? (int32_t)(8 * (field(word, 21, 5) | field(word, 0, 1) << 5)) - 512 : d & ~(int32_t)shape->low;
}

static void use_address(const struct row_facts *row, const struct shape *shape, uint64_t insn, struct uses *out)
{
	uint32_t word = (uint32_t)insn;

	if (!shape->has_address)
		return;
	if (field_ra(word))
		regset_add(&out->address, field_ra(word));
	if (shape->indexed)
		regset_add(&out->address, field_rb(word));
	if (!(row->flags & MEM))
		return;
	out->store = shape->store;
	out->load = shape->load;
	out->update = row->flags & UPD;
	if (out->update)
		regset_add(&out->written, field_ra(word));
	if (shape->indexed && !field_ra(word)) {
		out->base = (uint8_t)field_rb(word);
	} else if (field_ra(word)) {
		out->base = (uint8_t)field_ra(word);
		out->index = shape->indexed ? (uint8_t)field_rb(word) : NO_BASE;
	}
	out->displacement = shape->displaced ? displacement(shape, insn) : 0;
}

void uses_find(unsigned row, uint64_t insn, struct uses *out)
{
	const struct row_facts *facts = &row_facts[row];
	const struct shape *shape;
	uint32_t word = (uint32_t)insn;

	memset(out, 0, sizeof *out);
	out->base = out->index = NO_BASE;
	if (facts->flags & BRANCH) {
		use_branch(row, word, out);
		return;
	}
	shape = shape_of(row);
	use_operands(shape, word, out);
	use_cr_operands(row, shape, word, out);
	use_flags(row, shape, word, out);
	use_status(row, shape, out);
	if (row == ROW_mfspr || row == ROW_mtspr)
		use_spr(row, word, out);
	else if (facts->unit == SYS && facts->flags & (ENDBB | PRIV))
		regset_add(&out->written, REG_SYSTEM);
	use_multiple(row, word, out);
	use_address(facts, shape, insn, out);
}
