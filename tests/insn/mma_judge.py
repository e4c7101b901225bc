"""What Power ISA 3.1 says of MMA and of xxeval, xxpermx and xxblendv*, by the manual alone and in exact arithmetic.

Answers insn_test in the place of oracle.c: cases come on stdin, go back on stdout (state.h). Numbers are whole multiples of
powers of two, and are rounded where the manual rounds: of one product once it is in the accumulator; of two products their sum, then the sum with
the accumulator. A sum of bfloat16's keeps its exponent in between, whatever a single's range is.
"""
import struct

from cases import FPSCR, OUTCOME, PREFIX, TRAPPED, VSCR, VSR, WORD, serve

OX, UX, XX, VXSNAN, VXISI, VXIMZ = (1 << b for b in (28, 27, 25, 24, 23, 20))
FX, FEX, VX, VX_ALL = 1 << 31, 1 << 30, 1 << 29, 0x1f80700

FINITE, INFINITE, QUIET, SIGNALLING = range(4)
NAN = (QUIET, 0, 1 << 62)       # kind, sign, magnitude; of a NaN the fraction, its first bit being bit 62


class Binary:
    """n times 2 to the e-th, n of any length: all that sums and products of floating-point numbers can be."""
    __slots__ = 'n', 'e'

    def __init__(self, n, e):
        self.n, self.e = n, e

    def __bool__(self):
        return self.n != 0

    def __mul__(self, other):
        return Binary(self.n * other.n, self.e + other.e)

    def __neg__(self):
        return Binary(-self.n, self.e)

    def __abs__(self):
        return Binary(abs(self.n), self.e)

    def __add__(self, other):
        e = min(self.e, other.e)
        return Binary((self.n << self.e - e) + (other.n << other.e - e), e)

    def log2(self):
        """Of a positive number, cut off."""
        return self.n.bit_length() - 1 + self.e

    def above(self, e):
        """As a multiple of 2 to the e-th, cut off, and how that compares with it: what is lost, and half of the place."""
        if self.e >= e:
            return self.n << self.e - e, 0, 1
        return self.n >> e - self.e, self.n & (1 << e - self.e) - 1, 1 << e - self.e - 1


class Format:
    def __init__(self, precision, ebits):
        self.precision, self.width, self.bias = precision, precision - 1, (1 << ebits - 1) - 1
        self.special = (1 << ebits) - 1
        self.bits = precision + ebits

    def unpack(self, v):
        sign, exp, fraction = v >> self.bits - 1 & 1, v >> self.width & self.special, v & (1 << self.width) - 1
        if exp == self.special:
            if not fraction:
                return INFINITE, sign, 0
            return (QUIET if fraction >> self.width - 1 else SIGNALLING), sign, fraction << 63 - self.width
        if exp:
            return FINITE, sign, Binary(fraction + (1 << self.width), exp - self.bias - self.width)
        return FINITE, sign, Binary(fraction, 1 - self.bias - self.width)

    def pack(self, n):
        kind, sign, v = n
        sign <<= self.bits - 1
        if kind == INFINITE:
            return sign | self.special << self.width
        if kind != FINITE:
            return sign | self.special << self.width | v >> 63 - self.width
        if not v:
            return sign
        exp = max(v.log2(), 1 - self.bias)
        n, lost, _ = v.above(exp - self.width)
        assert not lost
        return sign | (((exp + self.bias - 1) << self.width) + n if n >> self.width else n)


HALF, BFLOAT, SINGLE, DOUBLE = Format(11, 5), Format(8, 8), Format(24, 8), Format(53, 11)


class Flags:
    def __init__(self, rn):
        self.rn, self.raised = rn, 0

    def invalid(self, cause):
        self.raised |= cause
        return NAN

    def nan_among(self, operands):
        """The first NaN, quiet; None if there is none."""
        self.raised |= VXSNAN if any(o[0] == SIGNALLING for o in operands) else 0
        return next(((QUIET, o[1], o[2] | 1 << 62) for o in operands if o[0] >= QUIET), None)

    def times(self, a, b):
        if INFINITE in (a[0], b[0]):
            if (a[0] == FINITE and not a[2]) or (b[0] == FINITE and not b[2]):
                return self.invalid(VXIMZ)
            return INFINITE, a[1] ^ b[1], 0
        return FINITE, a[1] ^ b[1], a[2] * b[2]

    def plus(self, a, b):
        if a[0] == b[0] == INFINITE and a[1] != b[1]:
            return self.invalid(VXISI)
        if INFINITE in (a[0], b[0]):
            return a if a[0] == INFINITE else b
        v = (-a[2] if a[1] else a[2]) + (-b[2] if b[1] else b[2])
        if not v:
            same = a[1] == b[1] and not a[2]
            return FINITE, a[1] if same else int(self.rn == 3), v
        return FINITE, int(v.n < 0), abs(v)

    def multiply(self, a, b):
        return self.nan_among((a, b)) or self.times(a, b)

    def add(self, a, b):
        return self.nan_among((a, b)) or self.plus(a, b)

    def multiply_add(self, a, b, c):
        product = None
        if a[0] < QUIET and b[0] < QUIET:
            product = self.times(a, b)          # infinity times zero is invalid whatever is added
            if product[0] >= QUIET and c[0] < QUIET:
                return product
        return self.nan_among((a, c, b)) or self.plus(product, c)

    def digits(self, v, sign, e):
        """A multiple of 2 to the e-th, and whether it is another number than v."""
        n, lost, half = v.above(e)
        up = {0: lost > half or (lost == half and n & 1), 1: False, 2: not sign, 3: sign}[self.rn]
        return Binary(n + (1 if lost and up else 0), e), bool(lost)

    def significand(self, n):
        """24 digits and any exponent."""
        if n[0] != FINITE or not n[2]:
            return n
        v, inexact = self.digits(n[2], n[1], n[2].log2() - 23)
        self.raised |= XX if inexact else 0
        return FINITE, n[1], v

    def rounded(self, n, f):
        if n[0] != FINITE or not n[2]:
            return n
        exp = n[2].log2()
        tiny = exp < 1 - f.bias
        v, inexact = self.digits(n[2], n[1], max(exp, 1 - f.bias) - f.width)
        self.raised |= (XX if inexact else 0) | (UX if tiny and inexact else 0)
        if v and v.log2() > f.bias:
            self.raised |= OX | XX
            if self.rn == 0 or (self.rn == 2 and not n[1]) or (self.rn == 3 and n[1]):
                return INFINITE, n[1], 0
            return FINITE, n[1], Binary((1 << f.precision) - 1, f.bias - f.width)
        return FINITE, n[1], v


def negated(n, yes=True):
    return (n[0], n[1] ^ 1, n[2]) if yes and n[0] < QUIET else n


# ---- Cases ----

def signed(v, bits):
    return v - (v >> bits - 1 << bits)


def summed(v):
    """FPSCR's summary bits, which follow from the others."""
    v = v & ~(VX | FEX) | (VX if v & VX_ALL else 0)
    return v | (FEX if v >> 22 & v & 0xf8 else 0)


class Case:
    def __init__(self, buf, at):
        self.buf, self.at = buf, at
        self.word, self.prefix = struct.unpack_from('<II', buf, at + WORD)
        self.fpscr, self.vscr = struct.unpack_from('<QQ', buf, at + FPSCR)
        w = self.word
        self.xa, self.xb = w >> 16 & 31 | (w & 4) << 3, w >> 11 & 31 | (w & 2) << 4
        self.acc = 4 * (w >> 23 & 7)
        self.masked = bool(self.prefix)
        p = self.prefix
        self.x, self.y = (p >> 4 & 15, p & 15) if self.masked else (15, 15)

    def vsr(self, n):
        high, low = struct.unpack_from('<QQ', self.buf, self.at + VSR + 16 * n)
        return high << 64 | low

    def put(self, n, v):
        struct.pack_into('<QQ', self.buf, self.at + VSR + 16 * n, v >> 64, v & (1 << 64) - 1)

    def element(self, n, i, bits):
        return self.vsr(n) >> 128 - bits * (i + 1) & (1 << bits) - 1

    def products(self, n):
        """Of n products, those that there are."""
        p = self.prefix >> 16 - n & (1 << n) - 1 if self.masked else (1 << n) - 1
        return [k for k in range(n) if p >> n - 1 - k & 1]

    def there(self, i, j, columns=4):
        y = self.y if columns == 4 or not self.masked else self.y >> 2
        return self.x >> 3 - i & 1 and y >> columns - 1 - j & 1

    def update(self, columns, element):
        """All elements are computed before the first is written."""
        bits = 128 // columns
        rows = [[element(i, j) if self.there(i, j, columns) else 0 for j in range(columns)] for i in range(4)]
        for i, row in enumerate(rows):
            v = 0
            for e in row:
                v = v << bits | e & (1 << bits) - 1
            self.put(self.acc + i, v)

    def finish(self, flags):
        new = flags.raised & ~self.fpscr
        v = summed(self.fpscr | flags.raised | (FX if new else 0))
        enabled = self.fpscr & 0xf8
        raised = flags.raised | (VX if flags.raised & VX_ALL else 0)
        struct.pack_into('<Q', self.buf, self.at + FPSCR, v)
        if raised >> 22 & enabled:
            struct.pack_into('<Q', self.buf, self.at + OUTCOME, TRAPPED)


# ---- Integers ----

def integers(c, n, accumulate, saturate):
    bits = 32 // n

    def element(i, j):
        total = 0
        for k in c.products(n):
            a, b = c.element(c.xa, n * i + k, bits), c.element(c.xb, n * j + k, bits)
            total += signed(a, bits) * (b if n == 4 else signed(b, bits))
        if accumulate:
            total += signed(c.element(c.acc + i, j, 32), 32)
        if saturate and not -1 << 31 <= total < 1 << 31:
            c.vscr |= 1
            total = -1 << 31 if total < 0 else (1 << 31) - 1
        return total

    c.update(4, element)
    struct.pack_into('<Q', c.buf, c.at + VSCR, c.vscr)


# ---- Floating point ----

def two_products(c, f, accumulate, minus_product, minus_acc):
    flags, there = Flags(c.fpscr & 3), c.products(2)
    rows, columns = ([[f.unpack(c.element(v, 2 * n + k, 16) if k in there else 0) for k in range(2)] for n in range(4)]
                     for v in (c.xa, c.xb))

    def element(i, j):
        a, b = rows[i], columns[j]
        v = flags.multiply_add(a[1], b[1], flags.multiply(a[0], b[0]))
        v = flags.significand(v) if f is BFLOAT else flags.rounded(v, SINGLE)
        if accumulate:
            acc = SINGLE.unpack(c.element(c.acc + i, j, 32))
            v = flags.add(negated(v, minus_product), negated(acc, minus_acc))
        return SINGLE.pack(flags.rounded(v, SINGLE))

    c.update(4, element)
    c.finish(flags)


def one_product(c, f, accumulate, minus_product, minus_acc):
    flags = Flags(c.fpscr & 3)
    columns = 128 // f.bits

    def element(i, j):
        if f is DOUBLE:
            a = c.element((c.xa & ~1) + (i >> 1), i & 1, 64)
        else:
            a = c.element(c.xa, i, 32)
        a, b = f.unpack(a), f.unpack(c.element(c.xb, j, f.bits))
        if not accumulate:
            return f.pack(flags.rounded(flags.multiply(a, b), f))
        acc = f.unpack(c.element(c.acc + i, j, f.bits))
        v = flags.rounded(flags.multiply_add(a, b, negated(acc, minus_product != minus_acc)), f)
        return f.pack(negated(v, minus_product))

    c.update(columns, element)
    c.finish(flags)


# ---- Bits and bytes ----

def xc_of(c):
    return c.word >> 6 & 31 | (c.word & 8) << 2


def evaluate(c, xt):
    a, b, x, r = c.vsr(c.xa), c.vsr(c.xb), c.vsr(xc_of(c)), 0
    for i in range(128):
        number = (a >> i & 1) << 2 | (b >> i & 1) << 1 | x >> i & 1
        r |= (c.prefix >> 7 - number & 1) << i
    c.put(xt, r)


def permute(c, xt):
    table = [c.element(n, i, 8) for n in (c.xa, c.xb) for i in range(16)]
    r = 0
    for i in range(16):
        index = c.element(xc_of(c), i, 8)
        r = r << 8 | (table[index & 31] if index >> 5 == c.prefix & 7 else 0)
    c.put(xt, r)


def blend(c, xt, bits):
    r = 0
    for i in range(128 // bits):
        r = r << bits | c.element(c.xb if c.element(xc_of(c), i, bits) >> bits - 1 else c.xa, i, bits)
    c.put(xt, r)


# ---- Extended opcodes ----

PP, NP, PN, NN = (True, False, False), (True, True, False), (True, False, True), (True, True, True)
NONE = (False, False, False)
GER = {35: (integers, 8, False, False), 34: (integers, 8, True, False), 3: (integers, 4, False, False), 2: (integers, 4, True, False),
       99: (integers, 4, True, True), 75: (integers, 2, False, False), 107: (integers, 2, True, False), 43: (integers, 2, False, True),
       42: (integers, 2, True, True)}
for run, f, numbers in ((two_products, HALF, (19, 18, 82, 146, 210)), (two_products, BFLOAT, (51, 50, 114, 178, 242)),
                        (one_product, SINGLE, (27, 26, 90, 154, 218)), (one_product, DOUBLE, (59, 58, 122, 186, 250))):
    GER.update({number: (run, f, *form) for number, form in zip(numbers, (NONE, PP, NP, PN, NN))})


def judge(buf, at):
    c = Case(buf, at)
    struct.pack_into('<Q', buf, at + FPSCR, summed(c.fpscr))
    opcode, xt = c.word >> 26, c.word >> 21 & 31 | (c.word & 1) << 5
    if opcode == 59:
        run, *how = GER[c.word >> 3 & 255]
        run(c, *how)
    elif opcode == 31:
        for i in range(4 if c.word >> 16 & 31 == 3 else 0):
            c.put(c.acc + i, 0)
    elif opcode == 33:
        blend(c, xt, 8 << (c.word >> 4 & 3))
    elif opcode == 34:
        (evaluate if c.word & 0x10 else permute)(c, xt)


serve(judge)
