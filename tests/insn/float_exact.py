"""Binary floating-point numbers for float_judge.py: a pair of integers each, computed exactly and rounded once.

Source: Power ISA 3.0B, Book I, 4.3 and 4.4, 7.3 and 7.4.
"""
import struct
from math import isqrt

from cases import CR, FPSCR, GPR, OUTCOME, TRAPPED, UNDEFINED, VSCR, VSR, WORD, serve

# FPSCR
FX, FEX, VX, OX, UX, ZX, XX = (1 << b for b in (31, 30, 29, 28, 27, 26, 25))
VXSNAN, VXISI, VXIDI, VXZDZ, VXIMZ, VXVC, FR, FI = (1 << b for b in (24, 23, 22, 21, 20, 19, 18, 17))
VXSOFT, VXSQRT, VXCVI, VE, OE, UE, ZE, XE = (1 << b for b in (10, 9, 8, 7, 6, 5, 4, 3))
VX_ALL = VXSNAN | VXISI | VXIDI | VXZDZ | VXIMZ | VXVC | VXSOFT | VXSQRT | VXCVI
FPRF, FPCC, DRN = 0x1f000, 0xf000, 7 << 32
CONTROL = DRN | 0xff
EXCEPTIONS = OX | UX | ZX | XX | VX_ALL
WRITABLE = DRN | FX | EXCEPTIONS | FR | FI | FPRF | 0xff

NEAREST, TO_ZERO, UP, DOWN, AWAY, ODD = range(6)        # 0 to 3: FPSCR[RN]
LT, GT, EQ, UNORDERED = 8, 4, 2, 1

# A value is (kind, sign, m, e): a finite one is m * 2^e, a NaN has its fraction in m, the quiet bit being bit 111.
ZERO, FINITE, INFINITE, QUIET, SIGNALLING = range(5)
QUIET_BIT = 1 << 111
DEFAULT_NAN = QUIET, 0, QUIET_BIT, 0
ONE = FINITE, 0, 1, 0


class Format:
    def __init__(self, width, fraction):
        exponent = width - 1 - fraction
        self.width, self.fraction = width, fraction
        self.emax = (1 << (exponent - 1)) - 1
        self.emin = 1 - self.emax
        self.all = (1 << exponent) - 1
        self.mask = (1 << fraction) - 1
        self.ones = (1 << width) - 1
        self.wrap = 3 << (exponent - 2)         # what a trapped overflow takes from the exponent


BRAIN, HALF, SINGLE, DOUBLE, QUAD = Format(16, 7), Format(16, 10), Format(32, 23), Format(64, 52), Format(128, 112)
EXTENDED = Format(79, 63)       # as wide as a quad's exponent, 64 bits of significand


def unpack(f, bits):
    sign, exponent, m = bits >> (f.width - 1) & 1, bits >> f.fraction & f.all, bits & f.mask
    if exponent == f.all:
        if not m:
            return INFINITE, sign, 0, 0
        m <<= 112 - f.fraction
        return (QUIET if m & QUIET_BIT else SIGNALLING), sign, m, 0
    if exponent:
        return FINITE, sign, m | 1 << f.fraction, exponent - f.emax - f.fraction
    return (FINITE if m else ZERO), sign, m, f.emin - f.fraction


def top(v):
    """The exponent of the leading bit."""
    return v[3] + v[2].bit_length() - 1


def pack(f, v):
    """None: a number that the format does not have."""
    kind, sign, m, e = v
    bits = sign << (f.width - 1)
    if kind >= QUIET:
        return bits | f.all << f.fraction | m >> (112 - f.fraction)
    if kind == INFINITE:
        return bits | f.all << f.fraction
    if kind == ZERO:
        return bits
    exponent = top(v)
    shift = e - (max(exponent, f.emin) - f.fraction)
    if exponent > f.emax or shift < 0 and m & ((1 << -shift) - 1):
        return None
    m = m << shift if shift >= 0 else m >> -shift
    return bits | (exponent + f.emax << f.fraction | m & f.mask if exponent >= f.emin else m)


def quieted(v):
    return QUIET, v[1], v[2] | QUIET_BIT, 0


def negated(v):
    return v[0], v[1] ^ 1, v[2], v[3]


def class_of(f, v):
    """FPRF."""
    kind, sign = v[:2]
    if kind >= QUIET:
        return 0x11
    if kind == INFINITE:
        return 0x09 if sign else 0x05
    if kind == ZERO:
        return 0x12 if sign else 0x02
    if top(v) < f.emin:
        return 0x18 if sign else 0x14
    return 0x08 if sign else 0x04


def round_off(sign, m, drop, mode):
    """m without its last bits: what is left, whether that is inexact, and whether it is more."""
    if drop <= 0:
        return m << -drop, False, False
    kept, rest, half = m >> drop, m & ((1 << drop) - 1), 1 << (drop - 1)
    if mode == NEAREST:
        more = rest > half or rest == half and kept & 1
    elif mode == AWAY:
        more = rest >= half
    elif mode == ODD:
        more = rest and not kept & 1
    else:
        more = rest and mode != TO_ZERO and (mode == DOWN) == sign
    return kept + bool(more), bool(rest), bool(more)


def summed(v):
    """FPSCR's summary bits, which follow from the others."""
    v = v & ~(VX | FEX) | (VX if v & VX_ALL else 0)
    return v | (FEX if v >> 22 & v & 0xf8 else 0)


class Undefined(Exception):
    pass


class Case:
    """What an instruction sees and leaves: fields of the case, and what it has raised. With FEX it runs where nothing traps."""

    def __init__(self, buf, at):
        self.buf, self.at = buf, at
        self.word = w = struct.unpack_from('<I', buf, at + WORD)[0]
        self.fpscr = self.before = summed(struct.unpack_from('<Q', buf, at + FPSCR)[0])
        self.vscr = struct.unpack_from('<Q', buf, at + VSCR)[0]
        self.t, self.a, self.b, self.c = w >> 21 & 31, w >> 16 & 31, w >> 11 & 31, w >> 6 & 31
        self.mode = self.fpscr & 3
        self.raised = self.rounded = 0
        self.scaled = self.trapped = False
        self.single = False     # a double on its way to single precision
        self.earlier = 0        # FI of a rounding before the last

    # Registers

    def vsr(self, n):
        high, low = struct.unpack_from('<QQ', self.buf, self.at + VSR + 16 * n)
        return high << 64 | low

    def put_vsr(self, n, v):
        struct.pack_into('<QQ', self.buf, self.at + VSR + 16 * n, v >> 64, v & (1 << 64) - 1)

    def dw(self, n):
        return struct.unpack_from('<Q', self.buf, self.at + VSR + 16 * n)[0]

    def gpr(self, n):
        return struct.unpack_from('<Q', self.buf, self.at + GPR + 8 * n)[0]

    def put_gpr(self, n, v):
        struct.pack_into('<Q', self.buf, self.at + GPR + 8 * n, v)

    def put_cr(self, field, v):
        cr = struct.unpack_from('<Q', self.buf, self.at + CR)[0]
        shift = 28 - 4 * field
        struct.pack_into('<Q', self.buf, self.at + CR, cr & ~(15 << shift) | v << shift)

    # Exceptions

    def suppressed(self):
        return bool(self.raised & VX_ALL and self.before & VE or self.raised & ZX and self.before & ZE)

    def enabled(self):
        """Some enabled exception is raised."""
        raised = self.raised | (VX if self.raised & VX_ALL else 0)
        return bool(raised >> 22 & self.before & 0xf8)

    def raise_all(self):
        v = self.fpscr | self.raised
        if self.raised & ~self.before:
            v |= FX
        self.fpscr = summed(v)
        self.trapped = self.enabled() and not self.before & FEX

    def round(self, f, v, mode=None):
        """A value of unbounded precision and range as format f has it, or scaled for a trapped over- or underflow."""
        self.scaled = False
        self.rounded = 0
        if v[0] != FINITE:
            return v
        mode = self.mode if mode is None else mode
        _, sign, m, e = v
        exponent = top(v)
        tiny = exponent < f.emin
        adjust = f.wrap if tiny and self.before & UE else 0
        place = (exponent if adjust else max(exponent, f.emin)) - f.fraction
        m, inexact, more = round_off(sign, m, place - e, mode)
        if inexact:
            self.rounded = FI | (FR if more else 0)
            self.raised |= XX
        if tiny and (inexact or adjust):
            self.raised |= UX
        if not m:
            return ZERO, sign, 0, 0
        r = FINITE, sign, m, place
        if not adjust and top(r) > f.emax:
            self.raised |= OX
            if not self.before & OE:
                self.raised |= XX
                self.rounded = FI       # FR: open
                if mode in (NEAREST, AWAY) or mode == (DOWN if sign else UP):
                    return INFINITE, sign, 0, 0
                return FINITE, sign, f.mask << 1 | 1, f.emax - f.fraction
            adjust = -f.wrap
        self.scaled = adjust != 0
        return FINITE, sign, m, place + adjust

    # Ends

    def status(self, fprf):
        self.fpscr = self.fpscr & ~(FR | FI | FPRF) | self.rounded | fprf << 12

    def end(self, write, fprf):
        """A scalar instruction with FPRF, FR and FI; write() puts its result."""
        if self.suppressed():
            self.fpscr &= ~(FR | FI)
        else:
            self.status(fprf)
            write()
        self.raise_all()

    def end_scalar(self, v, f, shape=DOUBLE, narrow=lambda bits: bits):
        """v, rounded to f, into doubleword 0 in the format `shape`."""
        bits = pack(shape, v)
        small = self.scaled and top(v) < shape.emin
        if (bits is None or small) and not self.suppressed():
            raise Undefined
        fprf = (0x08 if v[1] else 0x04) if self.scaled else class_of(f, v)
        self.end(lambda: self.put_vsr(self.t, narrow(bits) << 64), fprf)

    def end_quad(self, v):
        bits = pack(QUAD, v)
        if bits is None and not self.suppressed():
            raise Undefined
        self.end(lambda: self.put_vsr(self.t, bits), class_of(QUAD, v) if not self.scaled else 0x08 if v[1] else 0x04)

    def end_move(self, bits):
        """A result without FPRF, FR and FI; none of it if an enabled exception forbids it."""
        if not self.suppressed():
            self.put_vsr(self.t, bits)
        self.raise_all()

    def condition(self, cc):
        self.put_cr(self.t >> 2, cc)
        self.fpscr = self.fpscr & ~FPCC | cc << 12
        self.raise_all()

    # NaNs

    def look(self, *operands):
        for v in operands:
            if v[0] == SIGNALLING:
                self.raised |= VXSNAN

    def pick(self, *operands):
        """The first NaN, if there is one; signalling ones are invalid wherever they stand."""
        self.look(*operands)
        for v in operands:
            if v[0] >= QUIET:
                return quieted(v)
        return None

    def invalid(self, cause):
        self.raised |= cause
        return DEFAULT_NAN


# ---- Exact arithmetic; no operand is a NaN ----

def add(c, x, y):
    if x[0] == INFINITE or y[0] == INFINITE:
        if x[0] == y[0] and x[1] != y[1]:
            return c.invalid(VXISI)
        return x if x[0] == INFINITE else y
    if x[0] == ZERO and y[0] == ZERO:
        return ZERO, x[1] if x[1] == y[1] else int(c.mode == DOWN), 0, 0
    if x[0] == ZERO or y[0] == ZERO:
        return y if x[0] == ZERO else x
    e = min(x[3], y[3])
    a, b = x[2] << (x[3] - e), y[2] << (y[3] - e)
    s = (-a if x[1] else a) + (-b if y[1] else b)
    if not s:
        return ZERO, int(c.mode == DOWN), 0, 0
    return FINITE, int(s < 0), abs(s), e


def multiply(c, x, y):
    sign = x[1] ^ y[1]
    if x[0] == INFINITE or y[0] == INFINITE:
        return c.invalid(VXIMZ) if x[0] == ZERO or y[0] == ZERO else (INFINITE, sign, 0, 0)
    return (FINITE if x[2] and y[2] else ZERO), sign, x[2] * y[2], x[3] + y[3]


def divide(c, x, y):
    """The quotient to 120 bits, and one for a remainder."""
    sign = x[1] ^ y[1]
    if x[0] == INFINITE:
        return c.invalid(VXIDI) if y[0] == INFINITE else (INFINITE, sign, 0, 0)
    if y[0] == ZERO:
        if x[0] == ZERO:
            return c.invalid(VXZDZ)
        c.raised |= ZX
        return INFINITE, sign, 0, 0
    if x[0] == ZERO or y[0] == INFINITE:
        return ZERO, sign, 0, 0
    places = max(0, 120 + y[2].bit_length() - x[2].bit_length())
    q, rest = divmod(x[2] << places, y[2])
    return FINITE, sign, q << 1 | (rest != 0), x[3] - y[3] - places - 1


def square_root(c, x):
    if x[0] == ZERO:
        return x
    if x[1]:
        return c.invalid(VXSQRT)
    if x[0] == INFINITE:
        return x
    places = 240 + (x[3] & 1)
    m = x[2] << places
    root = isqrt(m)
    return FINITE, 0, root << 1 | (root * root != m), (x[3] - places) // 2 - 1


# ---- Operations, NaNs included: (c, operands, format) to a value yet to be rounded ----

def two(operation, sign=0):
    def run(c, f, x, y):
        nan = c.pick(x, y)
        return nan if nan else operation(c, x, negated(y) if sign else y)
    return run


def fused(c, x, addend, y, subtract):
    """x * y + addend; NaNs are looked for in this order. Infinity times zero is invalid even if the addend is a NaN."""
    product = None
    if x[0] < QUIET and y[0] < QUIET:
        product = multiply(c, x, y)
    nan = c.pick(x, addend, y)
    if nan:
        return nan
    if product[0] == QUIET:
        return product
    return add(c, product, negated(addend) if subtract else addend)


def root(c, f, x):
    return c.pick(x) or square_root(c, x)


def same(c, f, x):
    return c.pick(x) or x


def within_single(c, x):
    """Estimates in single precision take what is 2^128 or more for an infinity."""
    return (INFINITE, x[1], 0, 0) if c.single and x[0] == FINITE and top(x) > SINGLE.emax else x


def reciprocal(c, f, x):
    """An estimate: here, the quotient."""
    x = within_single(c, x)
    return c.pick(x) or divide(c, ONE, x)


def reciprocal_root(c, f, x):
    """An estimate: here, the quotient of 1 and the rounded root."""
    x = within_single(c, x)
    r = c.pick(x) or square_root(c, x)
    if r[0] == QUIET:
        return r
    r = c.round(f, r)
    c.earlier = c.rounded & FI
    return divide(c, ONE, r)


def compared(x, y):
    if x[0] >= QUIET or y[0] >= QUIET:
        return UNORDERED
    if x[0] == ZERO and y[0] == ZERO:
        return EQ

    def key(v):
        sign = -1 if v[1] else 1
        if v[0] != FINITE:
            return (2 * sign if v[0] == INFINITE else 0), 0, 0
        return sign, sign * top(v), sign * (v[2] << (QUAD.width - v[2].bit_length()))
    a, b = key(x), key(y)
    return LT if a < b else GT if a > b else EQ


def look_at_comparison(c, x, y, ordered):
    """VXSNAN; VXVC, if the comparison is ordered: with a signalling NaN only if it does not trap."""
    before = c.raised
    c.raised = 0
    c.look(x, y)
    if ordered and (x[0] >= QUIET or y[0] >= QUIET) and not (c.raised and c.before & VE):
        c.raised |= VXVC
    c.raised |= before


def whole(c, v, mode):
    """To an integral value: that, whether it is inexact, and whether it is more."""
    if v[0] != FINITE or v[3] >= 0:
        return v, False, False
    m, inexact, more = round_off(v[1], v[2], -v[3], mode)
    return (FINITE if m else ZERO, v[1], m, 0), inexact, more


def to_integer(c, v, bits, signed, mode):
    least, most = (-1 << (bits - 1), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    c.rounded = 0
    if v[0] >= QUIET:
        c.raised |= VXCVI | (VXSNAN if v[0] == SIGNALLING else 0)
        return least
    if v[0] == INFINITE or v[0] == FINITE and top(v) > bits:
        c.raised |= VXCVI
        return least if v[1] else most
    r, inexact, more = whole(c, v, mode)
    n = (-r[2] if r[1] else r[2]) << max(r[3], 0)
    if not least <= n <= most:
        c.raised |= VXCVI
        return least if v[1] else most
    if inexact:
        c.raised |= XX
        c.rounded = FI | (FR if more else 0)
    return n


def from_integer(n):
    return (FINITE if n else ZERO), int(n < 0), abs(n), 0


def signed(n, bits):
    return n - (n >> (bits - 1) << bits)
