/* VMX decimal: signed and unsigned packed, zoned and national numbers of up to 32 digits.
 *
 * A packed number is one 128-bit integer whose nibble 0 (least significant) is the sign
 * and nibbles 1 to 31 the digits; arithmetic on all digits at once is binary arithmetic
 * with a correction by 6 where a digit passed 9. Results that the architecture leaves
 * undefined are those of the step at which an invalid digit was met.
 * Source: Power ISA 3.0B, Book I, 6.9.1.3 (vmul10) and 6.17.
 */
#include "cpu/vector/vmx.h"

/* ---- Multiply by ten, extended by a digit. ---- */
static inline u128 times_ten(u128 a, unsigned digit, uint64_t *carry)
{
	u128 low = (u128)(uint64_t)a * 10 + digit;
	u128 high = (a >> 64) * 10 + (low >> 64);

	*carry = (uint64_t)(high >> 64);
	return high << 64 | (uint64_t)low;
}

OP(vmul10uq)   { uint64_t carry; VRT.q = times_ten(VRA.q, 0, &carry); }
OP(vmul10euq)  { uint64_t carry; VRT.q = times_ten(VRA.q, VRB.b[0] & 15, &carry); }
OP(vmul10cuq)  { uint64_t carry; times_ten(VRA.q, 0, &carry); VRT.q = carry; }
OP(vmul10ecuq) { uint64_t carry; times_ten(VRA.q, VRB.b[0] & 15, &carry); VRT.q = carry; }

/* ---- Packed numbers. ---- */
#define NIBBLES(n) ((u128)(UINT64_C(0x1111111111111111) * (n)) << 64 | UINT64_C(0x1111111111111111) * (n))
#define SIGN ((u128)15)

static inline unsigned digit_at(u128 v, int i)
{
	return (unsigned)(v >> 4 * i) & 15;
}

/* 1, -1, or 0 for a nibble that is no sign. */
static inline int sign_of(u128 v)
{
	unsigned code = digit_at(v, 0);

	return code < 10 ? 0 : code == 0xb || code == 0xd ? -1 : 1;
}

/* PS chooses between the two preferred codes of plus. */
static inline u128 with_sign(u128 v, int sign, bool ps)
{
	return (v & ~SIGN) | (sign < 0 ? 0xd : ps ? 0xf : 0xc);
}

static inline bool digits_valid(u128 v)
{
	return !(v >> 3 & (v >> 2 | v >> 1) & NIBBLES(1));
}

static inline bool number_valid(u128 v)
{
	return sign_of(v) && digits_valid(v >> 4);
}

/* Sums and differences (a >= b) of 31 digits in nibbles 0 to 30; the carry is digit 31. */
static inline u128 add_digits(u128 a, u128 b)
{
	u128 raised = a + (NIBBLES(6) >> 4), sum = raised + b;
	u128 no_carry = ~(raised ^ b ^ sum) & NIBBLES(1) & ~SIGN;

	return sum - (no_carry >> 2 | no_carry >> 3);
}

static inline u128 subtract_digits(u128 a, u128 b)
{
	u128 difference = a - b, borrow = (a ^ b ^ difference) & NIBBLES(1);

	return difference - (borrow >> 2 | borrow >> 3);
}

/* LT, GT or EQ of a signed number, for CR6. Instructions that may lose digits compare their source instead of their
 * result, so that a program sees what the number was. */
static inline unsigned order_bits(u128 v)
{
	return !(v >> 4) ? CR_EQ : sign_of(v) < 0 ? CR_LT : CR_GT;
}

static inline void set_cr6(struct cpu *cpu, unsigned bits, bool overflow)
{
	CRF(6) = (uint8_t)(bits | (overflow ? CR_SO : 0));
}

/* ---- Add and subtract ---- */
static void decimal_add(struct cpu *cpu, union vreg *t, u128 a, u128 b, bool ps)
{
	int sign = sign_of(a);
	u128 x = a >> 4, y = b >> 4, sum;

	if (!number_valid(a) || !number_valid(b)) {
		t->q = ~(u128)0;
		set_cr6(cpu, CR_SO, false);
		return;
	}
	if (sign == sign_of(b)) {
		sum = add_digits(x, y);
	} else if (x >= y) {
		sum = subtract_digits(x, y);
	} else {
		sum = subtract_digits(y, x);
		sign = -sign;
	}
	t->q = with_sign(sum << 4, sum ? sign : 1, ps);
	set_cr6(cpu, !sum ? CR_EQ : sign < 0 ? CR_LT : CR_GT, sum >> 124);
}

OP(bcdadd) { decimal_add(cpu, &VRT, VRA.q, VRB.q, IMM); }

OP(bcdsub)
{
	u128 b = VRB.q;

	decimal_add(cpu, &VRT, VRA.q, number_valid(b) ? with_sign(b, -sign_of(b), false) : b, IMM);
}

/* ---- Conversions ---- */
#define NATIONAL_PLUS  0x2b
#define NATIONAL_MINUS 0x2d

/* From seven digits and a sign in halfwords of UTF-16. */
OP(bcdcfn)
{
	union vreg b = VRB;
	bool invalid = b.h[0] != NATIONAL_PLUS && b.h[0] != NATIONAL_MINUS;
	u128 t = 0;

	for (int i = 1; i < 8; i++) {
		if (b.h[i] < '0' || b.h[i] > '9') {
			invalid = true;
			break;
		}
		t |= (u128)(b.h[i] & 15) << 4 * i;
	}
	VRT.q = t = with_sign(t, b.h[0] == NATIONAL_PLUS ? 1 : -1, IMM);
	set_cr6(cpu, invalid ? CR_SO : order_bits(t), false);
}

OP(bcdctn)
{
	u128 b = VRB.q;
	bool invalid = !sign_of(b);
	union vreg t = { 0 };

	t.h[0] = sign_of(b) < 0 ? NATIONAL_MINUS : NATIONAL_PLUS;
	for (int i = 1; i < 8; i++) {
		t.h[i] = (uint16_t)('0' + digit_at(b, i));
		invalid |= digit_at(b, i) > 9;
		if (invalid)
			break;
	}
	VRT = t;
	set_cr6(cpu, invalid ? CR_SO : order_bits(b), b >> 32 != 0);
}

/* From sixteen digits in bytes, the sign in the zone of the last. PS: EBCDIC, else ASCII. */
OP(bcdcfz)
{
	union vreg b = VRB;
	unsigned zone = IMM ? 0xf : 0x3, code = b.b[0] >> 4;
	bool minus = IMM ? code == 0xb || code == 0xd : code & 4;
	bool invalid = IMM && code < 10;
	u128 t = 0;

	for (int i = 0; i < 16; i++) {
		if ((i && b.b[i] >> 4 != zone) || (b.b[i] & 15) > 9) {
			invalid = true;
			break;
		}
		t |= (u128)(b.b[i] & 15) << 4 * (i + 1);
	}
	VRT.q = t = with_sign(t, minus ? -1 : 1, false);
	set_cr6(cpu, invalid ? CR_SO : order_bits(t), false);
}

OP(bcdctz)
{
	u128 b = VRB.q;
	int sign = sign_of(b);
	bool invalid = !sign;
	union vreg t = { 0 };

	for (int i = 0; i < 16; i++) {
		invalid |= digit_at(b, i + 1) > 9;
		if (invalid)
			break;
		t.b[i] = (uint8_t)((IMM ? 0xf0 : 0x30) | digit_at(b, i + 1));
	}
	t.b[0] = (uint8_t)((t.b[0] & 15) | (IMM ? (sign > 0 ? 0xc0 : 0xd0) : sign > 0 ? 0x30 : 0x70));
	VRT = t;
	set_cr6(cpu, invalid ? CR_SO : order_bits(b), b >> 68 != 0);
}

/* From a binary integer; what does not fit leaves VRT as it is (undefined). */
OP(bcdcfsq)
{
	const uint64_t base = UINT64_C(10000000000000000);	/* 10^16: 31 digits are 15 and 16 */
	bool minus = VRB.sq < 0;
	u128 b = minus ? -VRB.q : VRB.q, high = b / base, t = 0;
	uint64_t low = (uint64_t)(b % base), top = (uint64_t)high;
	unsigned bits = !b ? CR_EQ : minus ? CR_LT : CR_GT;

	if (high >= base / 10) {
		set_cr6(cpu, bits, true);
		return;
	}
	for (int i = 1; i <= 16; i++, low /= 10)
		t |= (u128)(low % 10) << 4 * i;
	for (int i = 17; i <= 31; i++, top /= 10)
		t |= (u128)(top % 10) << 4 * i;
	VRT.q = with_sign(t, minus ? -1 : 1, IMM);
	set_cr6(cpu, bits, false);
}

OP(bcdctsq)
{
	u128 b = VRB.q, t = digit_at(b, 31);
	bool invalid = !sign_of(b) || t > 9;

	for (int i = 30; i > 0; i--) {
		t = t * 10 + digit_at(b, i);
		invalid |= digit_at(b, i) > 9;
		if (invalid)
			break;
	}
	VRT.q = sign_of(b) < 0 ? -t : t;
	set_cr6(cpu, invalid ? CR_SO : order_bits(b), false);
}

/* ---- Signs. A number without a sign leaves VRT as it is. ---- */
OP(bcdcpsgn)
{
	u128 a = VRA.q, b = VRB.q, t = (a & ~SIGN) | (b & SIGN);

	if (sign_of(a) && sign_of(b))
		VRT.q = t;
	set_cr6(cpu, number_valid(a) && number_valid(b) ? order_bits(t) : CR_SO, false);
}

OP(bcdsetsgn)
{
	u128 b = VRB.q, t = with_sign(b, sign_of(b), IMM);

	VRT.q = t;
	set_cr6(cpu, number_valid(b) ? order_bits(t) : CR_SO, false);
}

/* ---- Shifts: left by the signed number in byte 7 of VRA. ---- */

/* v shifted left, up to 31 digits; *lost if any but zeros left. */
static inline u128 shift_left(u128 v, int n, bool *lost)
{
	*lost = n && v >> (128 - 4 * n);
	return v << 4 * n;
}

/* Signed, with the digit that went last rounded if asked for. */
static void decimal_shift(struct cpu *cpu, union vreg *t, u128 b, int n, bool ps, bool round)
{
	u128 v = b & ~SIGN;
	bool lost = false;

	if (!number_valid(b)) {
		set_cr6(cpu, CR_SO, false);
		return;
	}
	if (n > 0) {
		v = shift_left(v, n > 31 ? 31 : n, &lost);
	} else {
		v >>= 4 * (n < -31 ? 31 : -n);
		if (round && digit_at(v, 0) >= 5)
			v = add_digits(v >> 4, 1) << 4;
	}
	t->q = with_sign(v, sign_of(b), ps);
	set_cr6(cpu, order_bits(b), lost);
}

OP(bcds)  { decimal_shift(cpu, &VRT, VRB.q, VSB(VRA, 7), IMM, false); }
OP(bcdsr) { decimal_shift(cpu, &VRT, VRB.q, VSB(VRA, 7), IMM, true); }

OP(bcdus)
{
	u128 v = VRB.q;
	int n = VSB(VRA, 7);
	bool lost = false;

	if (!digits_valid(v)) {
		set_cr6(cpu, CR_SO, false);
		return;
	}
	if (n >= 32) {
		lost = v != 0;
		v = 0;
	} else if (n >= 0) {
		v = shift_left(v, n, &lost);
	} else {
		v = n <= -32 ? 0 : v >> 4 * -n;
	}
	set_cr6(cpu, VRB.q ? CR_GT : CR_EQ, lost);
	VRT.q = v;
}

/* ---- Truncation to the number of digits in halfword 3 of VRA. ---- */
OP(bcdtrunc)
{
	u128 b = VRB.q, v = b;
	unsigned n = VH(VRA, 3);

	if (!number_valid(b)) {
		set_cr6(cpu, CR_SO, false);
		return;
	}
	if (n < 31)
		v &= ((u128)1 << 4 * (n + 1)) - 1;
	VRT.q = with_sign(v, sign_of(b), IMM);
	set_cr6(cpu, order_bits(b), v != b);
}

OP(bcdutrunc)
{
	u128 b = VRB.q, v = b;
	unsigned n = VH(VRA, 3);

	if (!digits_valid(b)) {
		set_cr6(cpu, CR_SO, false);
		return;
	}
	if (n < 32)
		v &= ((u128)1 << 4 * n) - 1;
	VRT.q = v;
	set_cr6(cpu, b ? CR_GT : CR_EQ, v != b);
}
