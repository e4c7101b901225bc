/* Fixed-point arithmetic, logical, rotate, compare, trap: what is not in fixed.h. Power ISA 3.0B, Book I, 3.3. */
#include "cpu/core/gather.h"
#include "cpu/engine/decode.h"
#include "cpu/op/fixed.h"

/* ---- Results into CR0 and XER ---- */

OP(set_cr0) { set_cr0(cpu, SLOT(op->a)); }
OP(set_cr0_32) { set_cr0(cpu, (uint64_t)(int64_t)(int32_t)SLOT(op->a)); }
OP(ca_from_ca32) { cpu->ca = cpu->ca32; }
/* 32-bit mode: OV is the overflow of the low word. These stand around an OE form. */
OP(so_save) { cpu->so_before = cpu->so; }
OP(ov_from_ov32) { cpu->ov = cpu->ov32; cpu->so = cpu->so_before | cpu->ov; }

static inline void set_ov(struct cpu *cpu, bool ov, bool ov32)
{
	cpu->ov = ov;
	cpu->ov32 = ov32;
	cpu->so |= ov;
}

/* Signed overflow of r = a + b (+ carry), seen in 64 and in 32 bits. */
static inline void set_ov_add(struct cpu *cpu, uint64_t a, uint64_t b, uint64_t r)
{
	uint64_t o = (a ^ r) & (b ^ r);

	set_ov(cpu, o >> 63, o >> 31 & 1);
}

/* ---- Add and subtract ---- */

OP(addis) { RT = RA + IMM; }		/* its hook has shifted the immediate */
OP(addpcis) { RT = cpu->page_ea + IMM; }
OP(addic_) { RT = add_carrying(cpu, RA, IMM, 0); set_cr0(cpu, RT); }
OP(addic__32) { RT = add_carrying(cpu, RA, IMM, 0); set_cr0(cpu, (uint64_t)(int64_t)(int32_t)RT); }

OP(add_o) { uint64_t a = RA, b = RB; RT = a + b; set_ov_add(cpu, a, b, a + b); }
OP(subf_o) { uint64_t a = ~RA, b = RB, r = a + b + 1; RT = r; set_ov_add(cpu, a, b, r); }
OP(neg_o)
{
	uint64_t a = RA;

	RT = -a;
	set_ov(cpu, a == UINT64_C(1) << 63, (uint32_t)a == UINT32_C(1) << 31);
}

#define CARRYING_O(name, A, B, CARRY) \
	OP(name##_o) \
	{ \
		uint64_t a = A, b = B, r = add_carrying(cpu, a, b, CARRY); \
		RT = r; \
		set_ov_add(cpu, a, b, r); \
	}
CARRYING_OPS(CARRYING_O)

/* addex with CY=0: as adde, but through OV and OV32. */
OP(addex)
{
	uint64_t a = RA, b = RB, t = a + b, r = t + cpu->ov;

	cpu->ov = (t < a) | (r < t);
	cpu->ov32 = (a ^ b ^ r) >> 32 & 1;
	RT = r;
}

/* ---- Multiply and divide ---- */

OP(mullw_o)
{
	int64_t r = (int64_t)(int32_t)RA * (int32_t)RB;
	bool ov = r != (int32_t)r;

	RT = r;
	set_ov(cpu, ov, ov);
}
OP(mulhw) { RT = (uint32_t)((int64_t)(int32_t)RA * (int32_t)RB >> 32); }
OP(mulhwu) { RT = (uint64_t)(uint32_t)RA * (uint32_t)RB >> 32; }
OP(mulld_o)
{
	s128 r = (s128)(int64_t)RA * (int64_t)RB;
	bool ov = r != (int64_t)r;

	RT = (uint64_t)r;
	set_ov(cpu, ov, ov);
}
OP(mulhd) { RT = (uint64_t)((s128)(int64_t)RA * (int64_t)RB >> 64); }
OP(maddhd) { RT = (uint64_t)(((s128)(int64_t)RA * (int64_t)RB + (int64_t)RC) >> 64); }
OP(maddhdu) { RT = (uint64_t)(((u128)RA * RB + RC) >> 64); }

/* Where quotient or remainder are undefined they are 0, as POWER9 has them. */
static inline uint64_t div_w(int32_t a, int32_t b) { return (uint32_t)(a / b); }
static inline uint64_t div_d(int64_t a, int64_t b) { return (uint64_t)(a / b); }
static inline bool bad_w(int32_t a, int32_t b) { return b == 0 || (b == -1 && a == INT32_MIN); }
static inline bool bad_d(int64_t a, int64_t b) { return b == 0 || (b == -1 && a == INT64_MIN); }
#define DIV_OP(name, type, bad, quotient) \
	OP(name) \
	{ \
		type a = (type)RA, b = (type)RB; \
		RT = (bad) ? 0 : (quotient); \
	} \
	OP(name##_o) \
	{ \
		type a = (type)RA, b = (type)RB; \
		bool ov = (bad); \
		RT = ov ? 0 : (quotient); \
		set_ov(cpu, ov, ov); \
	}
DIV_OP(divw, int32_t, bad_w(a, b), div_w(a, b))
DIV_OP(divwu, uint32_t, b == 0, a / b)
DIV_OP(divd, int64_t, bad_d(a, b), div_d(a, b))
DIV_OP(divdu, uint64_t, b == 0, a / b)

/* Extended divides: dividend is RA followed by as many zero bits. */
static bool divwe(uint64_t ra, uint64_t rb, uint64_t *q)
{
	int64_t a = (int64_t)((uint64_t)(uint32_t)ra << 32), b = (int32_t)rb;

	*q = 0;
	if (b == 0 || (b == -1 && a == INT64_MIN) || a / b != (int32_t)(a / b))
		return true;
	*q = (uint64_t)(a / b);
	return false;
}

static bool divweu(uint64_t ra, uint64_t rb, uint64_t *q)
{
	uint64_t a = ra << 32;
	uint32_t b = (uint32_t)rb;

	*q = 0;
	if ((uint32_t)ra >= b)
		return true;
	*q = a / b;
	return false;
}

static bool divdeu(uint64_t a, uint64_t b, uint64_t *q)
{
	*q = 0;
	if (a >= b)
		return true;
	*q = (uint64_t)(((u128)a << 64) / b);
	return false;
}

static bool divde(uint64_t ra, uint64_t rb, uint64_t *q)
{
	bool negative = (int64_t)(ra ^ rb) < 0;
	uint64_t a = (int64_t)ra < 0 ? -ra : ra, b = (int64_t)rb < 0 ? -rb : rb, r;

	*q = 0;
	if (divdeu(a, b, &r) || r > (UINT64_C(1) << 63) - !negative)
		return true;
	*q = negative ? -r : r;
	return false;
}

#define DIVE_OP(name) \
	OP(name) { uint64_t q; name(RA, RB, &q); RT = q; } \
	OP(name##_o) { uint64_t q; bool ov = name(RA, RB, &q); RT = q; set_ov(cpu, ov, ov); }
DIVE_OP(divwe)
DIVE_OP(divweu)
DIVE_OP(divde)
DIVE_OP(divdeu)

OP(modsw) { int32_t a = (int32_t)RA, b = (int32_t)RB; RT = bad_w(a, b) ? 0 : (uint64_t)(int64_t)(a % b); }
OP(moduw) { uint32_t a = (uint32_t)RA, b = (uint32_t)RB; RT = b ? a % b : 0; }
OP(modsd) { int64_t a = (int64_t)RA, b = (int64_t)RB; RT = bad_d(a, b) ? 0 : (uint64_t)(a % b); }
OP(modud) { uint64_t b = RB; RT = b ? RA % b : 0; }

/* ---- Compare ---- */

OP(cmprb)
{
	uint8_t x = (uint8_t)RA;
	uint32_t r = (uint32_t)RB;
	bool in = x >= (r >> 16 & 0xff) && x <= (r >> 24);

	if (!IMM)
		in = false;
	in |= x >= (r & 0xff) && x <= (r >> 8 & 0xff);
	CRF(op->a) = in ? CR_GT : 0;
}

OP(cmpeqb)
{
	uint64_t x = (uint8_t)RA * UINT64_C(0x0101010101010101) ^ RB;

	CRF(op->a) = ((x - UINT64_C(0x0101010101010101)) & ~x & UINT64_C(0x8080808080808080)) ? CR_GT : 0;
}

OP(setb)
{
	unsigned f = CRF(op->b);

	RT = f & CR_LT ? UINT64_MAX : f & CR_GT ? 1 : 0;
}

OP(setbc)   { RT = cr_bit(cpu, op->b); }
OP(setbcr)  { RT = !cr_bit(cpu, op->b); }
OP(setnbc)  { RT = -(uint64_t)cr_bit(cpu, op->b); }
OP(setnbcr) { RT = (uint64_t)cr_bit(cpu, op->b) - 1; }

OP(isel) { RT = cr_bit(cpu, op->d) ? RA : RB; }

/* ---- Trap ---- */

static inline bool trap_if(unsigned to, int64_t a, int64_t b)
{
	return (to & 16 && a < b) || (to & 8 && a > b) || (to & 4 && a == b) ||
	       (to & 2 && (uint64_t)a < (uint64_t)b) || (to & 1 && (uint64_t)a > (uint64_t)b);
}

#define TRAP(name, A, B) \
	OP_TRY(name) { return !unlikely(trap_if(op->a, A, B)) || raise_program(cpu, op, PROG_TRAP); }
TRAP(twi, (int32_t)RA, IMM)
TRAP(tdi, (int64_t)RA, IMM)
TRAP(tw, (int32_t)RA, (int32_t)RB)
TRAP(td, (int64_t)RA, (int64_t)RB)

/* ---- Logical ---- */

OP(andis_) { RA = RS & (uint64_t)(uint32_t)op->imm << 16; set_cr0(cpu, RA); }
OP(andis__32) { RA = RS & (uint64_t)(uint32_t)op->imm << 16; set_cr0(cpu, (uint64_t)(int64_t)(int32_t)RA); }

#define LOGICAL(name, expr) OP(name) { RA = (expr); }
LOGICAL(nand, ~(RS & RB))
LOGICAL(cnttzw, (uint32_t)RS ? (unsigned)__builtin_ctz((uint32_t)RS) : 32)
LOGICAL(cnttzd, RS ? (unsigned)__builtin_ctzll(RS) : 64)
LOGICAL(popcntd, (unsigned)__builtin_popcountll(RS))

OP(popcntw)
{
	uint64_t v = RS;

	RA = (uint64_t)__builtin_popcount((uint32_t)(v >> 32)) << 32 | (unsigned)__builtin_popcount((uint32_t)v);
}

OP(popcntb)
{
	uint64_t v = RS;

	v -= v >> 1 & UINT64_C(0x5555555555555555);
	v = (v & UINT64_C(0x3333333333333333)) + (v >> 2 & UINT64_C(0x3333333333333333));
	RA = (v + (v >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
}

OP(prtyw)
{
	uint64_t v = RS & UINT64_C(0x0101010101010101);

	v ^= v >> 16;
	v ^= v >> 8;
	RA = v & UINT64_C(0x0000000100000001);
}

OP(prtyd) { RA = (unsigned)__builtin_popcountll(RS & UINT64_C(0x0101010101010101)) & 1; }

OP(cmpb)
{
	uint64_t x = RS ^ RB, r = 0;

	for (unsigned i = 0; i < 64; i += 8)
		if (!(x >> i & 0xff))
			r |= UINT64_C(0xff) << i;
	RA = r;
}

OP(bpermd)
{
	uint64_t index = RS, from = RB, r = 0;

	for (unsigned i = 0; i < 8; i++) {
		unsigned bit = index >> (8 * i) & 0xff;

		if (bit < 64)
			r |= (from >> (63 - bit) & 1) << i;
	}
	RA = r;
}

LOGICAL(brd, __builtin_bswap64(RS))
LOGICAL(brw, rotl64(__builtin_bswap64(RS), 32))
LOGICAL(brh, (RS >> 8 & UINT64_C(0x00ff00ff00ff00ff)) | (RS & UINT64_C(0x00ff00ff00ff00ff)) << 8)
LOGICAL(cntlzdm, leading_zeros_under(RS, RB))
LOGICAL(cnttzdm, trailing_zeros_under(RS, RB))

#define UNDER_MASK(name, host, plain) \
	LOGICAL(name, host) \
	LOGICAL(name##_plain, plain) \
	HOST_NEEDS(name, HOST_BITS)
UNDER_MASK(pextd, host_gather(RS, RB), plain_gather(RS, RB))
UNDER_MASK(pdepd, host_scatter(RS, RB), plain_scatter(RS, RB))
UNDER_MASK(cfuged, CENTRIFUGE(host, RS, RB), CENTRIFUGE(plain, RS, RB))

/* ---- Rotate and shift ---- */

/* M-form: MB > ME makes a mask that also covers the upper word. */
#define MASK_WRAP (MASK_LOW | UINT64_C(0xffffffff00000000))
OP(rlwinm_wrap) { RA = rotl32_twice(RS, op->c) & MASK_WRAP; }
OP(rlwnm) { RA = rotl32((uint32_t)RS, RB & 31) & (uint32_t)op->imm; }
OP(rlwnm_wrap) { RA = rotl32_twice(RS, RB & 31) & MASK_WRAP; }
OP(rlwimi_wrap) { RA = (rotl32_twice(RS, op->c) & MASK_WRAP) | (RA & ~MASK_WRAP); }

static void m_form(struct op *op, uint32_t word, op_fn *wrap)
{
	unsigned mb = word >> 6 & 31, me = word >> 1 & 31;

	op->imm = (int32_t)(uint32_t)mask64(mb + 32, me + 32);
	if (mb > me)
		op->fn = wrap;
}

DECODE_HOOK(rlwinm)
{
	op->c = word >> 11 & 31;
	m_form(op, word, op_rlwinm_wrap);
	if (op->c == 0 && op->fn == op_rlwinm)
		op->fn = op_rlwinm_and;
	return true;
}

DECODE_HOOK(rlwimi)
{
	op->c = word >> 11 & 31;
	m_form(op, word, op_rlwimi_wrap);
	return true;
}

DECODE_HOOK(rlwnm)
{
	m_form(op, word, op_rlwnm_wrap);
	return true;
}

OP(rldcl) { RA = rotl64(RS, RB & 63) & UINT64_MAX >> IMM; }
OP(rldcr) { RA = rotl64(RS, RB & 63) & UINT64_MAX << (63 - IMM); }

DECODE_HOOK(rldicl)
{
	if (op->fn != op_rldicl)
		return true;
	if (op->imm == 0)
		op->fn = op_clrldi;
	else if (op->imm == 64 - op->d)
		op->fn = op_srdi;
	return true;
}

DECODE_HOOK(rldicr)
{
	if (op->d == 63 - op->imm)
		op->fn = op_sldi;
	return true;
}


OP(sraw)
{
	int32_t v = (int32_t)RS;
	unsigned n = RB & 63, by = n > 31 ? 31 : n;
	uint32_t lost = n > 31 ? (uint32_t)v : (uint32_t)v & ((UINT32_C(1) << by) - 1);

	RA = (uint64_t)(int64_t)(v >> by);
	shift_carry(cpu, v < 0 && lost);
}

OP(srad)
{
	int64_t v = (int64_t)RS;
	unsigned n = RB & 127, by = n > 63 ? 63 : n;
	uint64_t lost = n > 63 ? (uint64_t)v : (uint64_t)v & ((UINT64_C(1) << by) - 1);

	RA = (uint64_t)(v >> by);
	shift_carry(cpu, v < 0 && lost);
}

OP(extswsli) { RA = (uint64_t)(int64_t)(int32_t)RS << SHIFT; }

/* ---- Decimal assists ---- */

OP(addg6s)
{
	uint64_t a = RA, b = RB, r = 0;

	/* A 6 where no carry left that digit of a + b. */
	for (unsigned i = 0; i < 16; i++) {
		u128 sum = (u128)(a & (UINT64_MAX >> (60 - 4 * i))) + (b & (UINT64_MAX >> (60 - 4 * i)));

		if (!(sum >> (4 * i + 4) & 1))
			r |= UINT64_C(6) << (4 * i);
	}
	RT = r;
}

/* 24 bits of six BCD digits <-> 20 bits of two declets. Power ISA, appendix B. */
static uint32_t declet_to_bcd(unsigned d)
{
	unsigned p = d >> 9 & 1, q = d >> 8 & 1, r = d >> 7 & 1, s = d >> 6 & 1, t = d >> 5 & 1;
	unsigned u = d >> 4 & 1, v = d >> 3 & 1, w = d >> 2 & 1, x = d >> 1 & 1, y = d & 1;
	unsigned a, b, c, dd, e, f, g, h, i, j, k, m;

	a = (v & w) & ((s ^ 1) | t | (x ^ 1));
	b = p & ((v ^ 1) | (w ^ 1) | (s & (t ^ 1) & x));
	c = q & ((v ^ 1) | (w ^ 1) | (s & (t ^ 1) & x));
	dd = r;
	e = v & (((w ^ 1) & x) | ((t ^ 1) & x) | (s & x));
	f = (s & ((v ^ 1) | (x ^ 1))) | (p & (s ^ 1) & t & v & w & x);
	g = (t & ((v ^ 1) | (x ^ 1))) | (q & (s ^ 1) & t & w & v & x);
	h = u;
	i = v & (((w ^ 1) & (x ^ 1)) | (w & x & (s | t)));
	j = ((v ^ 1) & w) | (s & v & (w ^ 1) & x) | (p & w & ((x ^ 1) | ((s ^ 1) & (t ^ 1))));
	k = ((v ^ 1) & x) | (t & (w ^ 1) & x) | (q & v & w & ((x ^ 1) | ((s ^ 1) & (t ^ 1))));
	m = y;
	return a << 11 | b << 10 | c << 9 | dd << 8 | e << 7 | f << 6 | g << 5 | h << 4 | i << 3 | j << 2 | k << 1 | m;
}

static uint32_t bcd_to_declet(unsigned n)
{
	unsigned a = n >> 11 & 1, b = n >> 10 & 1, c = n >> 9 & 1, d = n >> 8 & 1, e = n >> 7 & 1, f = n >> 6 & 1;
	unsigned g = n >> 5 & 1, h = n >> 4 & 1, i = n >> 3 & 1, j = n >> 2 & 1, k = n >> 1 & 1, m = n & 1;
	unsigned p, q, r, s, t, u, v, w, x, y;

	p = (f & a & i & (e ^ 1)) | (j & a & (i ^ 1)) | (b & (a ^ 1));
	q = (g & a & i & (e ^ 1)) | (k & a & (i ^ 1)) | (c & (a ^ 1));
	r = d;
	s = (j & (a ^ 1) & e & (i ^ 1)) | (f & (i ^ 1) & (e ^ 1)) | (f & (a ^ 1) & (e ^ 1)) | (e & i);
	t = (k & (a ^ 1) & e & (i ^ 1)) | (g & (i ^ 1) & (e ^ 1)) | (g & (a ^ 1) & (e ^ 1)) | (a & i);
	u = h;
	v = a | e | i;
	w = ((e ^ 1) & j & (i ^ 1)) | (e & i) | a;
	x = ((a ^ 1) & k & (i ^ 1)) | (a & i) | e;
	y = m;
	return p << 9 | q << 8 | r << 7 | s << 6 | t << 5 | u << 4 | v << 3 | w << 2 | x << 1 | y;
}

static uint64_t cdtbcd(uint32_t v)
{
	return declet_to_bcd(v >> 10 & 0x3ff) << 12 | declet_to_bcd(v & 0x3ff);
}

static uint64_t cbcdtd(uint32_t v)
{
	return bcd_to_declet(v >> 12 & 0xfff) << 10 | bcd_to_declet(v & 0xfff);
}

OP(cdtbcd) { uint64_t v = RS; RA = cdtbcd((uint32_t)(v >> 32)) << 32 | cdtbcd((uint32_t)v); }
OP(cbcdtd) { uint64_t v = RS; RA = cbcdtd((uint32_t)(v >> 32)) << 32 | cbcdtd((uint32_t)v); }

/* ---- What the decoder turns common cases into ---- */

DECODE_HOOK(addi)
{
	if (op->b == SLOT_ZERO)
		op->fn = op_li;
	return true;
}

DECODE_HOOK(addis)
{
	op->imm = (int32_t)((uint32_t)op->imm << 16);
	op->fn = op->b == SLOT_ZERO ? op_li : op_addi;
	return true;
}

/* c: bits of the sum's second half that imm has no room for. */
OP(paddi) { RT = RA + ((uint64_t)(int64_t)(int8_t)op->c << 32) + (uint32_t)op->imm; }

DECODE_HOOK(paddi)
{
	int64_t distance;

	if (!decode_base(d, op, word, &distance))
		return false;
	op->c = (uint8_t)(distance >> 32);
	op->imm = (int32_t)distance;
	if (op->imm == distance)
		op->fn = op->b == SLOT_ZERO ? op_li : op_addi;
	return true;
}

OP(pnop) { }

/* Not before what changes where or in which state the next instruction is fetched. */
DECODE_HOOK(pnop)
{
	const struct insn *suffix = insn_lookup((uint32_t)word);

	op->fn = op_nop;
	return !suffix || !(suffix->flags & (BRANCH | ENDBB));
}

/* The page's base is added at run time, because the block may be mapped anywhere. */
DECODE_HOOK(addpcis)
{
	int64_t offset = (int64_t)op->imm * 65536 + (int64_t)((decode_gra(d) & (RAM_PAGE_SIZE - 1)) + 4);

	op->imm = (int32_t)offset;
	return offset == op->imm;
}

DECODE_HOOK(addic_) { if (!(decode_mode(d) & MODE_SF)) op->fn = op_addic__32; return true; }
DECODE_HOOK(andis_) { if (!(decode_mode(d) & MODE_SF)) op->fn = op_andis__32; return true; }

DECODE_HOOK(ori)
{
	if (op->imm == 0) {
		op->fn = op->a == op->b ? op_nop : op_mr;
		op->c = op->a;
		op->a = op->b;
	}
	return true;
}

DECODE_HOOK(or)
{
	if (op->fn == op_or && op->a == op->c) {
		uint8_t from = op->a;

		if (from == op->b && !(word & 1) && decode_priority(d, op, from))
			return true;
		op->fn = from == op->b ? op_nop : op_mr;
		op->a = op->b;
		op->c = from;
	}
	return true;
}
