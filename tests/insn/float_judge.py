"""Decides what binary floating-point instructions do, without cede's code, QEMU's or any floating-point unit: an oracle
as oracle.c is one, for insn_test alone. A number is a pair of integers, computed exactly and rounded once.

Reads cases of state.h, some at a time, and writes them back as they are after the instruction.
Source: Power ISA 3.0B, Book I, chapters 4, 6 and 7. What it leaves open is as README.md says, or an outcome UNDEFINED.
"""
import decimal
import struct
from decimal import Decimal

from float_exact import *


# ---- Scalar instructions on doublewords: FPRs, or VSRs if the operand numbers have been extended ----

def finish_arithmetic(c, r, f, negate=False):
    nan = r[0] >= QUIET
    r = c.round(f, r)
    c.rounded |= c.earlier
    if nan and f is SINGLE:
        r = r[0], r[1], r[2] >> (112 - 23) << (112 - 23), 0
    if negate and not nan:
        r = negated(r)
    c.end_scalar(r, f)


def operands(c, f, *numbers):
    """Those in double format. With OE or UE, single precision is for singles only."""
    values = [unpack(DOUBLE, c.dw(n)) for n in numbers]
    c.single = f is SINGLE
    if f is SINGLE and c.before & (OE | UE):
        for v in values:
            if v[0] < QUIET and pack(SINGLE, v) is None:
                raise Undefined
    return values


def scalar_two(operation, f, second='b'):
    def run(c):
        finish_arithmetic(c, operation(c, f, *operands(c, f, c.a, getattr(c, second))), f)
    return run


def scalar_one(operation, f):
    def run(c):
        finish_arithmetic(c, operation(c, DOUBLE, *operands(c, f, c.b)), f)
    return run


def scalar_round(c):
    """To single precision: any double will do."""
    finish_arithmetic(c, same(c, SINGLE, unpack(DOUBLE, c.dw(c.b))), SINGLE)


def scalar_fused(f, subtract, negate, addend, factor):
    def run(c):
        x, z, y = operands(c, f, c.a, getattr(c, addend), getattr(c, factor))
        finish_arithmetic(c, fused(c, x, z, y, subtract), f, negate)
    return run


def scalar_compare(ordered):
    def run(c):
        x, y = unpack(DOUBLE, c.dw(c.a)), unpack(DOUBLE, c.dw(c.b))
        look_at_comparison(c, x, y, ordered)
        c.condition(compared(x, y))
    return run


def test_divide(f, x, y):
    if x[0] == INFINITE or y[0] in (ZERO, INFINITE):
        return GT | EQ
    fe = x[0] >= QUIET or y[0] >= QUIET
    if not fe:
        ey = max(top(y), f.emin - 1)
        fe = ey <= f.emin or ey >= f.emax - 2
        if x[0] == FINITE:
            ex = max(top(x), f.emin - 1)
            fe = fe or ex - ey >= f.emax or ex - ey <= f.emin + 1 or ex <= f.emin + f.fraction
    return (GT if y[0] == FINITE and top(y) < f.emin else 0) | (EQ if fe else 0)


def test_root(f, x):
    if x[0] in (ZERO, INFINITE):
        return GT | EQ
    fe = x[0] >= QUIET or x[1] or top(x) <= f.emin + f.fraction
    return (GT if x[0] == FINITE and top(x) < f.emin else 0) | (EQ if fe else 0)


def scalar_test(two_operands):
    def run(c):
        y = unpack(DOUBLE, c.dw(c.b))
        flags = test_divide(DOUBLE, unpack(DOUBLE, c.dw(c.a)), y) if two_operands else test_root(DOUBLE, y)
        c.put_cr(c.t >> 2, LT | flags)
    return run


def scalar_integral(mode, report=False):
    def run(c):
        v = unpack(DOUBLE, c.dw(c.b))
        r, inexact, more = whole(c, c.pick(v) or v, c.mode if mode is None else mode)
        if report and inexact:
            c.raised |= XX
            c.rounded = FI | (FR if more else 0)
        c.end_scalar(r, DOUBLE)
    return run


def fpr_to_integer(bits, is_signed, mode=None):
    """The upper half of a word and the FPRF of what does not fit are open."""
    def run(c):
        v = unpack(DOUBLE, c.dw(c.b))
        n = to_integer(c, v, bits, is_signed, c.mode if mode is None else mode)
        result = n & (1 << bits) - 1 if v[0] >= QUIET else n & (1 << 64) - 1
        fprf = 0x11 if c.raised & VXCVI else c.fpscr >> 12 & 31
        c.end(lambda: c.put_vsr(c.t, result << 64), fprf)
    return run


def vsr_to_integer(bits, is_signed):
    """A word stands in both halves of the doubleword; FPRF, open, stays."""
    def run(c):
        n = to_integer(c, unpack(DOUBLE, c.dw(c.b)), bits, is_signed, TO_ZERO) & (1 << bits) - 1
        result = n << 32 | n if bits == 32 else n
        c.end(lambda: c.put_vsr(c.t, result << 64), c.fpscr >> 12 & 31)
    return run


def scalar_from_integer(is_signed, f):
    def run(c):
        n = c.dw(c.b)
        c.end_scalar(c.round(f, from_integer(signed(n, 64) if is_signed else n)), f)
    return run


def scalar_sign(change):
    def run(c):
        sign, rest = 1 << 63, (1 << 63) - 1
        c.put_vsr(c.t, change(c.dw(c.a) & sign, c.dw(c.b) & rest, c.dw(c.b) & sign) << 64)
    return run


def select(c):
    x = unpack(DOUBLE, c.dw(c.a))
    c.put_vsr(c.t, (c.dw(c.c) if x[0] < QUIET and (x[0] == ZERO or not x[1]) else c.dw(c.b)) << 64)


def narrowing(f, shape):
    def run(c):
        v = unpack(DOUBLE, c.dw(c.b))
        r = c.round(f, c.pick(v) or v)
        c.end_scalar(r, f, f, shape)
    return run


def widening(f, place):
    def run(c):
        v = unpack(f, c.vsr(c.b) >> place & f.ones)
        c.end_scalar(c.pick(v) or v, DOUBLE)
    return run


def store_single(bits):
    """As stfs has it. Numbers below a single's least are open."""
    exponent = bits >> 52 & 0x7ff
    sign = bits >> 63 << 31
    if exponent > 896 or not bits << 1 & (1 << 64) - 1:
        return bits >> 62 << 30 | bits >> 29 & 0x3fffffff
    if exponent < 874:
        return sign
    return sign | (bits & DOUBLE.mask | 1 << 52) >> (29 + 897 - exponent)


def load_single(word):
    v = unpack(SINGLE, word)
    return pack(DOUBLE, v)


def single_without_signal(c):
    word = store_single(c.dw(c.b))
    c.put_vsr(c.t, (word << 32 | word) << 64)


def double_without_signal(c):
    c.put_vsr(c.t, load_single(c.vsr(c.b) >> 96) << 64)


def compare_exponents(c):
    x, y = c.dw(c.a), c.dw(c.b)
    if unpack(DOUBLE, x)[0] >= QUIET or unpack(DOUBLE, y)[0] >= QUIET:
        c.condition(UNORDERED)
    else:
        x, y = x >> 52 & 0x7ff, y >> 52 & 0x7ff
        c.condition(LT if x < y else GT if x > y else EQ)


def scalar_mask(wanted, ordered):
    def run(c):
        x, y = unpack(DOUBLE, c.dw(c.a)), unpack(DOUBLE, c.dw(c.b))
        look_at_comparison(c, x, y, ordered)
        c.end_move(DOUBLE.ones << 64 if compared(x, y) & wanted else 0)
    return run


def extreme(c, f, a, b, better):
    """IEEE's maxNum and minNum, +0 above -0; a signalling NaN is quieted and beats all but a quiet one before it."""
    x, y = unpack(f, a), unpack(f, b)
    c.look(x, y)
    if x[0] == SIGNALLING or x[0] == QUIET and y[0] >= QUIET:
        return pack(f, quieted(x))
    if y[0] == SIGNALLING:
        return pack(f, quieted(y))
    if x[0] >= QUIET or y[0] >= QUIET:
        return b if x[0] >= QUIET else a
    if x[0] == ZERO and y[0] == ZERO:
        return a if x[1] == (better == LT) else b
    return a if compared(x, y) == better else b


def scalar_extreme(better):
    def run(c):
        c.end_move(extreme(c, DOUBLE, c.dw(c.a), c.dw(c.b), better) << 64)
    return run


def extreme_as_in_c(f, better):
    def run(c):
        a, b = (c.vsr(c.a), c.vsr(c.b)) if f is QUAD else (c.dw(c.a), c.dw(c.b))
        x, y = unpack(f, a), unpack(f, b)
        c.look(x, y)
        c.end_move((a if compared(x, y) == better else b) << (0 if f is QUAD else 64))
    return run


def extreme_as_in_java(better):
    """A NaN is the result as it is; either may signal."""
    def run(c):
        a, b = c.dw(c.a), c.dw(c.b)
        x, y = unpack(DOUBLE, a), unpack(DOUBLE, b)
        c.look(x, y)
        if x[0] >= QUIET or y[0] >= QUIET:
            r = a if x[0] >= QUIET else b
        elif x[0] == ZERO and y[0] == ZERO:
            r = a if x[1] == (better == LT) else b
        else:
            r = a if compared(x, y) == better else b
        c.end_move(r << 64)
    return run


def matches(f, v, dcmx):
    """DCMX: NaN, infinities, zeros, denormals, each but the first in two signs."""
    kind, sign = v[:2]
    if kind == FINITE and top(v) >= f.emin:
        return 0
    bit = 6 if kind >= QUIET else {INFINITE: 5, ZERO: 3, FINITE: 1}[kind] - sign
    return dcmx >> bit & 1


def scalar_class(f):
    def run(c):
        bits = c.dw(c.b)
        other = f is SINGLE and load_single(store_single(bits)) != bits
        v = unpack(DOUBLE, bits)
        c.condition((LT if bits >> 63 else 0) | (EQ if matches(f, v, c.word >> 16 & 127) else 0) | other)
    return run


def significand(f, bits):
    exponent = bits >> f.fraction & f.all
    return bits & f.mask | (1 << f.fraction if exponent not in (0, f.all) else 0)


def insert_exponent(f, bits, exponent):
    return bits & ~(f.all << f.fraction) | (exponent & f.all) << f.fraction


# ---- Vectors ----

def element(f, v, i):
    return v >> (128 - f.width * (i + 1)) & f.ones


def end_vector(c, bits):
    """None of the target is written if some element raises an enabled exception, whichever; FPRF, FR and FI stay."""
    if not c.enabled():
        c.put_vsr(c.t, bits)
    c.raise_all()


def vector(width, convert):
    """convert(c, i) is element i of the result."""
    def run(c):
        r = 0
        for i in range(128 // width):
            r = r << width | convert(c, i)
        end_vector(c, r)
    return run


def packed(f, r):
    """What is scaled may not fit: it is not written, then."""
    return pack(f, r) or 0


def vector_one(operation, f):
    def convert(c, i):
        return packed(f, c.round(f, operation(c, f, unpack(f, element(f, c.vsr(c.b), i)))))
    return vector(f.width, convert)


def vector_two(operation, f):
    def convert(c, i):
        x, y = (unpack(f, element(f, c.vsr(n), i)) for n in (c.a, c.b))
        return packed(f, c.round(f, operation(c, f, x, y)))
    return vector(f.width, convert)


def vector_fused(f, subtract, negate, addend, factor):
    def convert(c, i):
        x, z, y = (unpack(f, element(f, c.vsr(n), i)) for n in (c.a, getattr(c, addend), getattr(c, factor)))
        r = fused(c, x, z, y, subtract)
        nan = r[0] >= QUIET
        r = c.round(f, r)
        return packed(f, negated(r) if negate and not nan else r)
    return vector(f.width, convert)


def vector_extreme(f, better):
    return vector(f.width, lambda c, i: extreme(c, f, element(f, c.vsr(c.a), i), element(f, c.vsr(c.b), i), better))


def all_or_none(c, mask, ones):
    c.put_cr(6, LT if mask == ones else EQ if not mask else 0)


def vector_mask(f, wanted, ordered):
    """With Rc, CR6 is open if the target is not written: it stays."""
    def run(c):
        mask = 0
        for i in range(128 // f.width):
            x, y = (unpack(f, element(f, c.vsr(n), i)) for n in (c.a, c.b))
            look_at_comparison(c, x, y, ordered)
            mask = mask << f.width | (f.ones if compared(x, y) & wanted else 0)
        if c.word >> 10 & 1 and not c.enabled():
            all_or_none(c, mask, QUAD.ones)
        end_vector(c, mask)
    return run


def vector_test(f, two_operands):
    def run(c):
        flags = LT
        for i in range(128 // f.width):
            y = unpack(f, element(f, c.vsr(c.b), i))
            flags |= test_divide(f, unpack(f, element(f, c.vsr(c.a), i)), y) if two_operands else test_root(f, y)
        c.put_cr(c.t >> 2, flags)
    return run


def vector_integral(f, mode, report=False):
    def convert(c, i):
        v = unpack(f, element(f, c.vsr(c.b), i))
        r, inexact, _ = whole(c, c.pick(v) or v, c.mode if mode is None else mode)
        if report and inexact:
            c.raised |= XX
        return pack(f, r)
    return vector(f.width, convert)


def vector_bits(f, change):
    def convert(c, i):
        return change(element(f, c.vsr(c.a), i), element(f, c.vsr(c.b), i))
    return vector(f.width, convert)


def vector_class(f):
    def convert(c, i):
        w = c.word
        dcmx = w & 0x40 | (w >> 2 & 1) << 5 | w >> 16 & 31
        return f.ones if matches(f, unpack(f, element(f, c.vsr(c.b), i)), dcmx) else 0
    return vector(f.width, convert)


def vector_to_integer(f, bits, is_signed):
    width = max(f.width, bits)

    def convert(c, i):
        v = unpack(f, element(f, c.vsr(c.b), i * (width // f.width)))
        n = to_integer(c, v, bits, is_signed, TO_ZERO) & (1 << bits) - 1
        return n << bits | n if width > bits else n
    return vector(width, convert)


def vector_from_integer(bits, is_signed, f):
    width = max(f.width, bits)

    def convert(c, i):
        n = c.vsr(c.b) >> (128 - width * i - bits) & (1 << bits) - 1
        r = packed(f, c.round(f, from_integer(signed(n, bits) if is_signed else n)))
        return r << f.width | r if width > f.width else r
    return vector(width, convert)


def vector_format(of, to, place, twice):
    """`place`: how far to the right in its doubleword or word the source stands; `twice`: the result fills both words."""
    width = max(of.width, to.width)

    def convert(c, i):
        v = unpack(of, c.vsr(c.b) >> (128 - width * (i + 1)) + place & of.ones)
        r = packed(to, c.round(to, c.pick(v) or v))
        return r << to.width | r if twice else r
    return vector(width, convert)


# ---- Quad precision ----

def round_to_odd(c):
    """If the instruction says so; an exact zero is then a positive one."""
    if c.word & 1:
        c.mode = ODD


def quad_two(operation):
    def run(c):
        round_to_odd(c)
        c.end_quad(c.round(QUAD, operation(c, QUAD, unpack(QUAD, c.vsr(c.a)), unpack(QUAD, c.vsr(c.b)))))
    return run


def quad_root(c):
    round_to_odd(c)
    c.end_quad(c.round(QUAD, root(c, QUAD, unpack(QUAD, c.vsr(c.b)))))


def quad_fused(subtract, negate):
    def run(c):
        round_to_odd(c)
        x, z, y = (unpack(QUAD, c.vsr(n)) for n in (c.a, c.t, c.b))
        r = fused(c, x, z, y, subtract)
        nan = r[0] >= QUIET
        r = c.round(QUAD, r)
        c.end_quad(negated(r) if negate and not nan else r)
    return run


def quad_compare(ordered):
    def run(c):
        x, y = unpack(QUAD, c.vsr(c.a)), unpack(QUAD, c.vsr(c.b))
        look_at_comparison(c, x, y, ordered)
        c.condition(compared(x, y))
    return run


def quad_mask(wanted, ordered):
    def run(c):
        x, y = unpack(QUAD, c.vsr(c.a)), unpack(QUAD, c.vsr(c.b))
        look_at_comparison(c, x, y, ordered)
        c.end_move(QUAD.ones if compared(x, y) & wanted else 0)
    return run


def quad_compare_exponents(c):
    x, y = c.vsr(c.a), c.vsr(c.b)
    if unpack(QUAD, x)[0] >= QUIET or unpack(QUAD, y)[0] >= QUIET:
        c.condition(UNORDERED)
    else:
        x, y = x >> 112 & 0x7fff, y >> 112 & 0x7fff
        c.condition(LT if x < y else GT if x > y else EQ)


def quad_class(c):
    bits = c.vsr(c.b)
    c.condition((LT if bits >> 127 else 0) | (EQ if matches(QUAD, unpack(QUAD, bits), c.word >> 16 & 127) else 0))


def quad_to_double(c):
    round_to_odd(c)
    v = unpack(QUAD, c.vsr(c.b))
    c.end_scalar(c.round(DOUBLE, c.pick(v) or v), DOUBLE)


def double_to_quad(c):
    v = unpack(DOUBLE, c.dw(c.b))
    c.end_quad(c.pick(v) or v)


def quad_to_integer(bits, is_signed):
    """A word is extended; FPRF, open, stays."""
    def run(c):
        n = to_integer(c, unpack(QUAD, c.vsr(c.b)), bits, is_signed, TO_ZERO)
        result = n & (1 << 128) - 1 if bits == 128 else (n & (1 << 64) - 1) << 64
        c.end(lambda: c.put_vsr(c.t, result), c.fpscr >> 12 & 31)
    return run


def quad_from_integer(bits, is_signed):
    def run(c):
        n = c.vsr(c.b) >> (128 - bits)
        c.end_quad(c.round(QUAD, from_integer(signed(n, bits) if is_signed else n)))
    return run


def own_mode(c):
    r, rmc = c.word >> 16 & 1, c.word >> 9 & 3
    if r:
        return rmc
    if rmc in (1, 2):
        raise Undefined
    return c.mode if rmc else AWAY


def quad_integral(c):
    v = unpack(QUAD, c.vsr(c.b))
    r, inexact, more = whole(c, c.pick(v) or v, own_mode(c))
    if c.word & 1 and inexact:
        c.raised |= XX
        c.rounded = FI | (FR if more else 0)
    c.end_quad(r)


def quad_to_extended(c):
    """Of a NaN's payload remain the bits that the narrower format has."""
    v = unpack(QUAD, c.vsr(c.b))
    r = c.pick(v)
    if r:
        c.end_quad((r[0], r[1], r[2] >> 49 << 49, 0))
    else:
        c.end_quad(c.round(EXTENDED, v, own_mode(c)))


def quad_bits(change):
    def run(c):
        sign, rest = 1 << 127, (1 << 127) - 1
        c.put_vsr(c.t, change(c.vsr(c.a) & sign, c.vsr(c.b) & rest, c.vsr(c.b) & sign))
    return run


# ---- VMX: to nearest, no exceptions; with VSCR[NJ], what is denormal or would be is a zero ----

NJ, SAT = 0x10000, 1


def vmx_operand(c, n, i):
    v = unpack(SINGLE, element(SINGLE, c.vsr(n), i))
    if c.vscr & NJ and v[0] == FINITE and top(v) < SINGLE.emin:
        return ZERO, v[1], 0, 0
    return v


def vmx_rounded(c, v):
    if c.vscr & NJ and v[0] == FINITE and top(v) < SINGLE.emin:
        return ZERO, v[1], 0, 0
    return c.round(SINGLE, v)


def vmx(compute):
    """compute(c, operands A, B and C of an element); FPSCR has no part in it."""
    def run(c):
        r = 0
        c.before, c.mode = 0, NEAREST
        for i in range(4):
            r = r << 32 | compute(c, *(vmx_operand(c, n, i) for n in (c.a, c.b, c.c)))
        c.put_vsr(c.t, r)
    return run


def vmx_arithmetic(operation):
    return vmx(lambda c, x, y, z: pack(SINGLE, vmx_rounded(c, operation(c, x, y, z))))


def vmx_negative_multiply_subtract(c, x, y, z):
    r = vmx_rounded(c, fused(c, x, y, z, True))
    return pack(SINGLE, negated(r) if r[0] < QUIET else r)


def vmx_extreme(better):
    def compute(c, x, y, z):
        nan = c.pick(x, y)
        if nan:
            return pack(SINGLE, nan)
        if x[0] == ZERO and y[0] == ZERO:
            return pack(SINGLE, x if x[1] == (better == LT) else y)
        return pack(SINGLE, x if compared(x, y) == better else y)
    return vmx(compute)


def vmx_to_integer(is_signed):
    def compute(c, x, y, z):
        if y[0] >= QUIET:
            return 0
        least, most = (-1 << 31, (1 << 31) - 1) if is_signed else (0, (1 << 32) - 1)
        if y[0] == INFINITE:
            n = least - 1 if y[1] else most + 1
        else:
            n = whole(c, (y[0], y[1], y[2], y[3] + c.a), TO_ZERO)[0]
            n = (-n[2] if n[1] else n[2]) << max(n[3], 0)
        if not least <= n <= most:
            struct.pack_into('<Q', c.buf, c.at + VSCR, c.vscr | SAT)
            c.vscr |= SAT
            n = least if n < 0 else most
        return n & 0xffffffff
    return vmx(compute)


def vmx_from_integer(is_signed):
    def run(c):
        c.before, c.mode, r = 0, NEAREST, 0
        for i in range(4):
            n = element(SINGLE, c.vsr(c.b), i)
            kind, sign, m, e = from_integer(signed(n, 32) if is_signed else n)
            r = r << 32 | pack(SINGLE, c.round(SINGLE, (kind, sign, m, e - c.a)))
        c.put_vsr(c.t, r)
    return run


def vmx_integral(mode):
    return vmx(lambda c, x, y, z: pack(SINGLE, whole(c, c.pick(y) or y, mode)[0]))


def vmx_mask(mask):
    def run(c):
        r = 0
        for i in range(4):
            r = r << 32 | mask(vmx_operand(c, c.a, i), vmx_operand(c, c.b, i))
        c.put_vsr(c.t, r)
        if c.word >> 10 & 1:
            all_or_none(c, r, QUAD.ones)
    return run


def vmx_when(wanted):
    return vmx_mask(lambda x, y: 0xffffffff if compared(x, y) & wanted else 0)


def bounds(x, y):
    return (0 if compared(x, y) & (LT | EQ) else 1 << 31) | (0 if compared(x, negated(y)) & (GT | EQ) else 1 << 30)


CONTEXT = decimal.Context(80, decimal.ROUND_DOWN, -10**6, 10**6)
LN2 = CONTEXT.ln(Decimal(2))


def from_decimal(d):
    """A positive number that is not exact: 100 bits of it, and one for the rest."""
    e = int(CONTEXT.divide(CONTEXT.ln(d), LN2)) - 100
    return FINITE, 0, int(CONTEXT.multiply(d, CONTEXT.power(Decimal(2), -e))) << 1 | 1, e - 1


def exponential(c, x, y, z):
    """An estimate: here, 2^y rounded."""
    if y[0] >= QUIET:
        return quieted(y)
    if y[0] == INFINITE or y[0] == FINITE and top(y) >= 8:
        return (ZERO if y[1] else INFINITE), 0, 0, 0
    if y[0] == ZERO or top(y) < -40:
        return ONE
    if y[3] >= 0:
        return FINITE, 0, 1, (-y[2] if y[1] else y[2]) << y[3]
    n = CONTEXT.multiply(Decimal(-y[2] if y[1] else y[2]), CONTEXT.power(Decimal(2), y[3]))
    return from_decimal(CONTEXT.exp(CONTEXT.multiply(n, LN2)))


def logarithm(c, x, y, z):
    """An estimate: here, log2(y) rounded."""
    if y[0] >= QUIET:
        return quieted(y)
    if y[0] == ZERO:
        return INFINITE, 1, 0, 0
    if y[1]:
        return DEFAULT_NAN
    if y[0] == INFINITE:
        return y
    if not y[2] & (y[2] - 1):
        n = top(y)
        return from_integer(n)
    n = CONTEXT.add(CONTEXT.divide(CONTEXT.ln(Decimal(y[2])), LN2), y[3])
    return (FINITE, int(n < 0)) + from_decimal(abs(n))[2:]


# ---- FPSCR ----

def write_fpscr(c, mask, v):
    mask &= WRITABLE
    c.fpscr = summed(c.fpscr & ~mask | v & mask)
    c.trapped = bool(c.fpscr & FEX and not c.before & FEX)


def field_mask(bits):
    return sum(15 << 4 * i for i in range(8) if bits >> i & 1)


def mtfsf(c):
    w = c.word
    write_fpscr(c, -1 if w >> 25 & 1 else field_mask(w >> 17 & 255) << (32 if w >> 16 & 1 else 0), c.dw(c.b))


def mtfsfi(c):
    shift = 4 * (7 - (c.t >> 2)) + (32 if c.word >> 16 & 1 else 0)
    write_fpscr(c, 15 << shift, (c.word >> 12 & 15) << shift)


def mtfsb0(c):
    write_fpscr(c, 1 << (31 - c.t), 0)


def mtfsb1(c):
    """FX, too, if an exception's bit is set that was not."""
    bit = 1 << (31 - c.t)
    write_fpscr(c, bit | (FX if bit & EXCEPTIONS & ~c.fpscr else 0), -1)


def mcrfs(c):
    shift = 4 * (7 - (c.a >> 2))
    c.put_cr(c.t >> 2, c.fpscr >> shift & 15)
    c.fpscr = summed(c.fpscr & ~(15 << shift & (EXCEPTIONS | FX)))


def mffs(c):
    old = c.fpscr
    bits, clear, new = {0: (-1, 0, 0), 1: (-1, 0xf8, 0), 20: (CONTROL, DRN, c.dw(c.b)), 21: (CONTROL, DRN, (c.b & 7) << 32),
                        22: (CONTROL, 3, c.dw(c.b)), 23: (CONTROL, 3, c.b & 3), 24: (CONTROL | FR | FI | FPRF, 0, 0)}[c.a]
    c.fpscr = summed(old & ~clear | new & clear)
    c.put_vsr(c.t, (old & bits) << 64)


# ---- Which word is which ----

def sub_opcodes(by_a):
    def run(c):
        by_a[c.a](c)
    return run


COPY_SIGN, NO_SIGN = (lambda a, rest, sign: a | rest), (lambda a, rest, sign: rest)
SIGN64, SIGN128 = 1 << 63, 1 << 127

ADD, SUBTRACT, MULTIPLY, DIVIDE = two(add), two(add, 1), two(multiply), two(divide)


def a_form(f):
    return {18: scalar_two(DIVIDE, f), 20: scalar_two(SUBTRACT, f), 21: scalar_two(ADD, f), 22: scalar_one(root, f),
            24: scalar_one(reciprocal, f), 25: scalar_two(MULTIPLY, f, 'c'), 26: scalar_one(reciprocal_root, f),
            28: scalar_fused(f, True, False, 'b', 'c'), 29: scalar_fused(f, False, False, 'b', 'c'),
            30: scalar_fused(f, True, True, 'b', 'c'), 31: scalar_fused(f, False, True, 'b', 'c'), 23: select}


A_FORM = {63: a_form(DOUBLE), 59: a_form(SINGLE)}

FPR = {
    (63, 0): scalar_compare(False), (63, 32): scalar_compare(True), (63, 128): scalar_test(True), (63, 160): scalar_test(False),
    (63, 12): scalar_round, (63, 72): lambda c: c.put_vsr(c.t, c.dw(c.b) << 64),
    (63, 40): scalar_sign(lambda a, rest, sign: rest | sign ^ SIGN64), (63, 8): scalar_sign(COPY_SIGN),
    (63, 264): scalar_sign(NO_SIGN), (63, 136): scalar_sign(lambda a, rest, sign: rest | SIGN64),
    (63, 966): lambda c: c.put_vsr(c.t, (c.dw(c.a) >> 32 << 32 | c.dw(c.b) >> 32) << 64),
    (63, 838): lambda c: c.put_vsr(c.t, ((c.dw(c.a) & 0xffffffff) << 32 | c.dw(c.b) & 0xffffffff) << 64),
    (63, 814): fpr_to_integer(64, True), (63, 815): fpr_to_integer(64, True, TO_ZERO),
    (63, 942): fpr_to_integer(64, False), (63, 943): fpr_to_integer(64, False, TO_ZERO),
    (63, 14): fpr_to_integer(32, True), (63, 15): fpr_to_integer(32, True, TO_ZERO),
    (63, 142): fpr_to_integer(32, False), (63, 143): fpr_to_integer(32, False, TO_ZERO),
    (63, 846): scalar_from_integer(True, DOUBLE), (63, 974): scalar_from_integer(False, DOUBLE),
    (59, 846): scalar_from_integer(True, SINGLE), (59, 974): scalar_from_integer(False, SINGLE),
    (63, 392): scalar_integral(AWAY), (63, 424): scalar_integral(TO_ZERO), (63, 456): scalar_integral(UP),
    (63, 488): scalar_integral(DOWN),
    (63, 583): mffs, (63, 64): mcrfs, (63, 134): mtfsfi, (63, 711): mtfsf, (63, 70): mtfsb0, (63, 38): mtfsb1,
}
NO_RECORD = {0, 32, 128, 160, 966, 838, 64}

VR_QUAD = {
    4: quad_two(ADD), 516: quad_two(SUBTRACT), 36: quad_two(MULTIPLY), 548: quad_two(DIVIDE),
    388: quad_fused(False, False), 420: quad_fused(True, False), 452: quad_fused(False, True), 484: quad_fused(True, True),
    132: quad_compare(True), 644: quad_compare(False), 164: quad_compare_exponents, 708: quad_class,
    68: quad_mask(EQ, False), 196: quad_mask(GT | EQ, True), 228: quad_mask(GT, True),
    676: extreme_as_in_c(QUAD, GT), 740: extreme_as_in_c(QUAD, LT),
    804: sub_opcodes({27: quad_root, 0: quad_bits(NO_SIGN), 8: quad_bits(lambda a, rest, sign: rest | SIGN128),
                      16: quad_bits(lambda a, rest, sign: rest | sign ^ SIGN128),
                      2: lambda c: c.put_vsr(c.t, (c.vsr(c.b) >> 112 & 0x7fff) << 64),
                      18: lambda c: c.put_vsr(c.t, significand(QUAD, c.vsr(c.b)))}),
    836: sub_opcodes({20: quad_to_double, 22: double_to_quad, 25: quad_to_integer(64, True), 9: quad_to_integer(32, True),
                      17: quad_to_integer(64, False), 1: quad_to_integer(32, False), 10: quad_from_integer(64, True),
                      2: quad_from_integer(64, False), 0: quad_to_integer(128, False), 8: quad_to_integer(128, True),
                      3: quad_from_integer(128, False), 11: quad_from_integer(128, True)}),
    100: quad_bits(COPY_SIGN), 868: lambda c: c.put_vsr(c.t, insert_exponent(QUAD, c.vsr(c.a), c.dw(c.b))),
}
VR_QUAD_BY_EIGHT = {5: quad_integral, 37: quad_to_extended}

XX3, XX2 = {}, {}
for f, at in (DOUBLE, 32), (SINGLE, 0):
    XX3.update({at: scalar_two(ADD, f), at + 8: scalar_two(SUBTRACT, f), at + 16: scalar_two(MULTIPLY, f),
                at + 24: scalar_two(DIVIDE, f)})
    XX2.update({at * 2 + 11: scalar_one(root, f), at * 2 + 26: scalar_one(reciprocal, f), at * 2 + 10: scalar_one(reciprocal_root, f)})
    for subtract in 0, 1:
        for negate in 0, 1:
            n = at + 1 + 16 * subtract + 128 * negate
            XX3[n] = scalar_fused(f, subtract, negate, 't', 'b')
            XX3[n + 8] = scalar_fused(f, subtract, negate, 'b', 't')
            XX3[n + 64] = vector_fused(f, subtract, negate, 't', 'b')
            XX3[n + 72] = vector_fused(f, subtract, negate, 'b', 't')
    XX3.update({at + 64: vector_two(ADD, f), at + 72: vector_two(SUBTRACT, f), at + 80: vector_two(MULTIPLY, f),
                at + 88: vector_two(DIVIDE, f), at + 192: vector_extreme(f, GT), at + 200: vector_extreme(f, LT),
                at + 93: vector_test(f, True),
                at + 208: vector_bits(f, lambda a, b, f=f: a >> (f.width - 1) << (f.width - 1) | b & f.ones >> 1),
                at + 216: vector_bits(f, lambda a, b, f=f: insert_exponent(f, a, b)),
                at + 213: vector_class(f), at + 221: vector_class(f)})
    for n, mask in (67, vector_mask(f, EQ, False)), (75, vector_mask(f, GT, True)), (83, vector_mask(f, GT | EQ, True)):
        XX3[at + n] = XX3[at + n + 128] = mask
    XX2.update({at * 2 + 139: vector_one(root, f), at * 2 + 154: vector_one(reciprocal, f),
                at * 2 + 138: vector_one(reciprocal_root, f), at * 2 + 170: vector_test(f, False),
                at * 2 + 137: vector_integral(f, AWAY), at * 2 + 153: vector_integral(f, TO_ZERO),
                at * 2 + 169: vector_integral(f, UP), at * 2 + 185: vector_integral(f, DOWN),
                at * 2 + 171: vector_integral(f, None, True),
                at * 2 + 409: vector_bits(f, lambda a, b, f=f: b & f.ones >> 1),
                at * 2 + 425: vector_bits(f, lambda a, b, f=f: b | f.ones ^ f.ones >> 1),
                at * 2 + 441: vector_bits(f, lambda a, b, f=f: b ^ f.ones ^ f.ones >> 1),
                at * 2 + 136: vector_to_integer(f, 32, False), at * 2 + 152: vector_to_integer(f, 32, True),
                at * 2 + 168: vector_from_integer(32, False, f), at * 2 + 184: vector_from_integer(32, True, f),
                at * 2 + 392: vector_to_integer(f, 64, False), at * 2 + 408: vector_to_integer(f, 64, True),
                at * 2 + 424: vector_from_integer(64, False, f), at * 2 + 440: vector_from_integer(64, True, f)})
XX3.update({
    61: scalar_test(True), 35: scalar_compare(False), 43: scalar_compare(True), 59: compare_exponents,
    3: scalar_mask(EQ, False), 11: scalar_mask(GT, True), 19: scalar_mask(GT | EQ, True),
    160: scalar_extreme(GT), 168: scalar_extreme(LT), 128: extreme_as_in_c(DOUBLE, GT), 136: extreme_as_in_c(DOUBLE, LT),
    144: extreme_as_in_java(GT), 152: extreme_as_in_java(LT), 176: scalar_sign(COPY_SIGN),
    229: lambda c: c.put_vsr(c.t, insert_exponent(DOUBLE, c.gpr(c.a & 31), c.gpr(c.b & 31)) << 64),
})
XX2.update({
    106: scalar_test(False), 345: scalar_sign(NO_SIGN), 361: scalar_sign(lambda a, rest, sign: rest | SIGN64),
    377: scalar_sign(lambda a, rest, sign: rest | sign ^ SIGN64),
    73: scalar_integral(AWAY), 107: scalar_integral(None, True), 121: scalar_integral(DOWN), 105: scalar_integral(UP),
    89: scalar_integral(TO_ZERO), 281: scalar_round, 265: narrowing(SINGLE, lambda w: w << 32 | w), 267: single_without_signal,
    329: widening(SINGLE, 96), 331: double_without_signal,
    344: vsr_to_integer(64, True), 328: vsr_to_integer(64, False), 88: vsr_to_integer(32, True), 72: vsr_to_integer(32, False),
    376: scalar_from_integer(True, DOUBLE), 360: scalar_from_integer(False, DOUBLE), 312: scalar_from_integer(True, SINGLE),
    296: scalar_from_integer(False, SINGLE), 362: scalar_class(DOUBLE), 298: scalar_class(SINGLE),
    347: sub_opcodes({0: lambda c: c.put_gpr(c.t & 31, c.dw(c.b) >> 52 & 0x7ff),
                      1: lambda c: c.put_gpr(c.t & 31, significand(DOUBLE, c.dw(c.b))),
                      16: widening(HALF, 64), 17: narrowing(HALF, lambda h: h)}),
    475: sub_opcodes({0: vector_bits(DOUBLE, lambda a, b: b >> 52 & 0x7ff), 8: vector_bits(SINGLE, lambda a, b: b >> 23 & 0xff),
                      1: vector_bits(DOUBLE, lambda a, b: significand(DOUBLE, b)),
                      9: vector_bits(SINGLE, lambda a, b: significand(SINGLE, b)),
                      24: vector_format(HALF, SINGLE, 0, False), 25: vector_format(SINGLE, HALF, 0, False),
                      16: vector_bits(SINGLE, lambda a, b: b << 16 & SINGLE.ones), 17: vector_format(SINGLE, BRAIN, 0, False)}),
    393: vector_format(DOUBLE, SINGLE, 0, True), 457: vector_format(SINGLE, DOUBLE, 32, False),
})

VMX_ELEVEN = {
    10: vmx_arithmetic(lambda c, x, y, z: c.pick(x, y) or add(c, x, y)),
    74: vmx_arithmetic(lambda c, x, y, z: c.pick(x, y) or add(c, x, negated(y))),
    1034: vmx_extreme(GT), 1098: vmx_extreme(LT), 970: vmx_to_integer(True), 906: vmx_to_integer(False),
    842: vmx_from_integer(True), 778: vmx_from_integer(False), 522: vmx_integral(NEAREST), 586: vmx_integral(TO_ZERO),
    650: vmx_integral(UP), 714: vmx_integral(DOWN), 394: vmx_arithmetic(exponential), 458: vmx_arithmetic(logarithm),
    266: vmx_arithmetic(lambda c, x, y, z: reciprocal(c, SINGLE, y)),
    330: vmx_arithmetic(lambda c, x, y, z: reciprocal_root(c, SINGLE, y)),
}
VMX_SIX = {46: vmx_arithmetic(lambda c, x, y, z: fused(c, x, y, z, False)), 47: vmx(vmx_negative_multiply_subtract)}
VMX_TEN = {966: vmx_mask(bounds), 198: vmx_when(EQ), 454: vmx_when(GT | EQ), 710: vmx_when(GT)}


def find(c):
    """The instruction, and whether it has Rc in its last bit; the register numbers become those of VSRs."""
    w = c.word
    opcode = w >> 26
    if opcode == 4:
        run = VMX_ELEVEN.get(w & 2047) or VMX_SIX.get(w & 63) or VMX_TEN.get(w & 1023)
        c.t, c.b, c.c = c.t + 32, c.b + 32, c.c + 32
        c.a = c.a if w & 2047 in (970, 906, 842, 778) else c.a + 32
        return run, False
    if opcode == 60:
        run = XX3.get(w >> 3 & 255) or XX2.get(w >> 2 & 511)
        if w >> 2 & 511 not in (347, 475):
            c.a |= (w >> 2 & 1) << 5
        c.t, c.b = c.t | (w & 1) << 5, c.b | (w >> 1 & 1) << 5
        return run, False
    if w >> 1 & 31 >= 18:
        return A_FORM[opcode].get(w >> 1 & 31), True
    xo = w >> 1 & 1023
    if (opcode, xo) in FPR:
        return FPR[opcode, xo], xo not in NO_RECORD and not (xo == 583 and c.a)
    run = VR_QUAD.get(xo) or VR_QUAD_BY_EIGHT.get(xo & 255)
    if xo not in (804, 836):
        c.a += 32
    if xo not in (132, 644, 164, 708):
        c.t += 32
    c.b += 32
    return run, False


def judge(buf, at):
    c = Case(buf, at)
    run, record = find(c)
    if run is None:
        return
    try:
        run(c)
    except Undefined:
        struct.pack_into('<Q', buf, at + OUTCOME, UNDEFINED)
        return
    struct.pack_into('<Q', buf, at + FPSCR, c.fpscr)
    if c.trapped:
        struct.pack_into('<Q', buf, at + OUTCOME, TRAPPED)
    if record and c.word & 1:
        c.put_cr(1, c.fpscr >> 28 & 15)


def main():
    assert not {n >> 1 for n in XX2} & set(XX3), 'a word that is two instructions'
    serve(judge)


main()
