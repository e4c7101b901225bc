/* Registers by operand string: the first operand is what is written but for stores and compares; what else a row touches
 * beyond its operands (CR0 by Rc, carries, counts) stands here by flag or by name.
 */
#include "cpu/timing/uses.h"

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

/* ---- Operands that are registers ---- */

static bool is_token(const char *token, size_t len, const char *name)
{
	return *token == *name && strlen(name) == len && !strncmp(token, name, len);
}

/* The register that an operand names, NREGS: none. */
static unsigned operand_register(const char *token, size_t len, uint32_t word)
{
	enum { PAIR = 128 };	/* the field's last bit is the sixth */
	static const struct { const char *name; uint8_t shift; uint32_t sixth; uint8_t first; } rows[] = {
		{ "RT", 21, 0, REG_GPR }, { "RS", 21, 0, REG_GPR }, { "RA", 16, 0, REG_GPR }, { "RA0", 16, 0, REG_GPR },
		{ "RB", 11, 0, REG_GPR }, { "RH", 11, 0, REG_GPR }, { "RC", 6, 0, REG_GPR },
		{ "FRT", 21, 0, REG_VSR }, { "FRS", 21, 0, REG_VSR }, { "FRA", 16, 0, REG_VSR }, { "FRB", 11, 0, REG_VSR },
		{ "FRC", 6, 0, REG_VSR },
		/* Decimal: and the one behind it. */
		{ "FRTP", 21, 0, REG_VSR }, { "FRAP", 16, 0, REG_VSR }, { "FRBP", 11, 0, REG_VSR },
		{ "VRT", 21, 0, REG_VSR + 32 }, { "VRS", 21, 0, REG_VSR + 32 }, { "VRA", 16, 0, REG_VSR + 32 },
		{ "VRB", 11, 0, REG_VSR + 32 }, { "VRC", 6, 0, REG_VSR + 32 }, { "XTP", 21, 0, REG_VSR + 32 },
		{ "XSP", 21, 0, REG_VSR + 32 },
		/* The sixth bit lies apart: its mask. */
		{ "XT", 21, 1, REG_VSR }, { "XS", 21, 1, REG_VSR }, { "XA", 16, 4, REG_VSR }, { "XB", 11, 2, REG_VSR },
		{ "XC", 6, 8, REG_VSR }, { "XTQ", 21, 8, REG_VSR }, { "XSQ", 21, 8, REG_VSR },
		/* And the one behind it. */
		{ "XPT", 21, PAIR, REG_VSR }, { "XPS", 21, PAIR, REG_VSR },
		{ "XT0", 21, 1u << 26, REG_VSR }, { "XS0", 21, 1u << 26, REG_VSR }, { "XTI", 21, 1u << 16, REG_VSR },
	};

	if (is_token(token, len, "XAP"))
		return REG_VSR + 2 * field(word, 17, 4) + (word & 4 ? 32 : 0);
	if (is_token(token, len, "AT"))
		return REG_VSR + 4 * field(word, 23, 3);
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (is_token(token, len, rows[i].name) && rows[i].sixth == PAIR)
			return rows[i].first + (field(word, rows[i].shift, 5) & 30) + (field(word, rows[i].shift, 1) ? 32 : 0);
		else if (is_token(token, len, rows[i].name))
			return rows[i].first + field(word, rows[i].shift, 5) + (rows[i].sixth && word & rows[i].sixth ? 32 : 0);
	return NREGS;
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

/* So many registers are an operand. */
static unsigned operand_count(const char *token, size_t len)
{
	if (is_token(token, len, "AT"))
		return 4;
	return (len == 3 && !strncmp(token, "XP", 2)) || is_token(token, len, "XAP") || (len == 4 && token[0] == 'F') ? 2 : 1;
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

/* One operand. `target`: the place of what is written. */
static void use_operand(const struct row_facts *row, const char *token, size_t len, bool target, uint32_t word,
			struct uses *out)
{
	unsigned reg = operand_register(token, len, word), last = reg + operand_count(token, len) - 1;

	if (reg == NREGS || (is_token(token, len, "RA0") && !field_ra(word)))
		return;
	for (; reg <= last; reg++) {
		if (target)
			regset_add(&out->written, reg);
		if (!target || reads_target(row))
			regset_add(&out->read, reg);
	}
}

/* Immediates that stand before the target. */
static bool leads(const char *token, size_t len)
{
	return is_token(token, len, "R") || is_token(token, len, "TE") || is_token(token, len, "SP") || is_token(token, len, "S");
}

static void use_operands(const struct row_facts *row, uint32_t word, struct uses *out)
{
	/* mtspr, mtcrf, tw and compares have something else in front. */
	bool target = !first_is_source(row);

	for (const char *s = row->operands; *s;) {
		size_t len = strcspn(s, ",()");

		if (len) {
			use_operand(row, s, len, target && !is_token(s, len, "TO") && !is_token(s, len, "FXM"), word, out);
			target = target && leads(s, len);
		}
		s += len + (s[len] != 0);
	}
}

/* ---- Condition register fields ---- */

static void use_cr_operands(unsigned row, uint32_t word, struct uses *out)
{
	const struct row_facts *facts = &row_facts[row];

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
	if (!strncmp(facts->operands, "BF", 2) && facts->operands[2] != 'A')
		regset_add(&out->written, REG_CR + field(word, 23, 3));
}

/* Rc, OE, carries. */
static void use_flags(unsigned row, uint32_t word, struct uses *out)
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
		if (!strncmp(facts->name, "bcd", 3))
			regset_add(&out->written, REG_CR + 6);
		if (facts->name[0] == 't' && facts->unit == SYS && (facts->name[1] == 'a' || facts->name[1] == 'b' ||
								     facts->name[1] == 'e' || !strcmp(facts->name, "tsr") ||
								     !strncmp(facts->name, "tre", 3)))
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

static void use_status(unsigned row, struct uses *out)
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
	if ((facts->flags & VEC && facts->unit != LS) || saturates_accumulator(facts)) {
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
static int32_t displacement(const struct row_facts *row, uint64_t word)
{
	int32_t d = (int16_t)word;

	if (is_prefixed(word))
		return (int32_t)insn_displacement(word);
	if (strstr(row->operands, "HD("))
		return (int32_t)(8 * (field(word, 21, 5) | field(word, 0, 1) << 5)) - 512;
	return strstr(row->operands, "DQ(") ? d & ~15 : strstr(row->operands, "DS(") ? d & ~3 : d;
}

static void use_address(const struct row_facts *row, uint64_t insn, struct uses *out)
{
	const char *at = strstr(row->operands, "RA0");
	bool indexed = strstr(row->operands, "RB") != NULL;
	uint32_t word = (uint32_t)insn;

	out->base = out->index = NO_BASE;
	if (!at || row->unit != LS)
		return;
	if (field_ra(word))
		regset_add(&out->address, field_ra(word));
	if (indexed)
		regset_add(&out->address, field_rb(word));
	if (!(row->flags & MEM))
		return;
	out->store = first_is_source(row) && at != row->operands && strncmp(row->name, "hashchk", 7);
	out->load = !first_is_source(row) || !strncmp(row->name, "hashchk", 7);
	out->update = row->flags & UPD;
	if (out->update)
		regset_add(&out->written, field_ra(word));
	if (indexed && !field_ra(word)) {
		out->base = (uint8_t)field_rb(word);
	} else if (field_ra(word)) {
		out->base = (uint8_t)field_ra(word);
		out->index = indexed ? (uint8_t)field_rb(word) : NO_BASE;
	}
	out->displacement = strchr(row->operands, '(') ? displacement(row, insn) : 0;
}

void uses_find(unsigned row, uint64_t insn, struct uses *out)
{
	const struct row_facts *facts = &row_facts[row];
	uint32_t word = (uint32_t)insn;

	memset(out, 0, sizeof *out);
	out->base = out->index = NO_BASE;
	if (facts->flags & BRANCH) {
		use_branch(row, word, out);
		return;
	}
	use_operands(facts, word, out);
	use_cr_operands(row, word, out);
	use_flags(row, word, out);
	use_status(row, out);
	if (row == ROW_mfspr || row == ROW_mtspr)
		use_spr(row, word, out);
	else if (facts->unit == SYS && facts->flags & (ENDBB | PRIV))
		regset_add(&out->written, REG_SYSTEM);
	use_multiple(row, word, out);
	use_address(facts, insn, out);
}
