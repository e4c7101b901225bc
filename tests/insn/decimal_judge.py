"""Decides what decimal floating-point instructions do, without cede's code and without QEMU's: an oracle as oracle.c is one,
for insn_test alone. Numbers are Python's `decimal`; what that has not (FR, trapped over- and underflow, declets) is here.

Reads cases of state.h, some at a time, and writes them back as they are after the instruction.
Source: Power ISA 3.0B, Book I, chapter 5.
"""
import decimal
import struct
from decimal import Decimal

from cases import CR, FPSCR, OUTCOME, TRAPPED, VSR, WORD, serve

# FPSCR
FX, FEX, VX, OX, UX, ZX, XX = (1 << b for b in (31, 30, 29, 28, 27, 26, 25))
VXSNAN, VXISI, VXIDI, VXZDZ, VXIMZ, VXVC, FR, FI = (1 << b for b in (24, 23, 22, 21, 20, 19, 18, 17))
VXCVI, VE, OE, UE, ZE = (1 << b for b in (8, 7, 6, 5, 4))
VX_ALL = VXSNAN | VXISI | VXIDI | VXZDZ | VXIMZ | VXVC | 0x700

MODES = [decimal.ROUND_HALF_EVEN, decimal.ROUND_DOWN, decimal.ROUND_CEILING, decimal.ROUND_FLOOR, decimal.ROUND_HALF_UP,
         decimal.ROUND_HALF_DOWN, decimal.ROUND_UP, decimal.ROUND_05UP]
INFINITE, QUIET, SIGNALLING = 1, 2, 3       # 0: a number
DEFAULT_NAN = (QUIET, 0, 0, 0)


class Format:
    def __init__(self, digits, low, high, continuation, wrap, narrowed):
        self.digits, self.low, self.high, self.continuation = digits, low, high, continuation
        self.wrap, self.narrowed = wrap, narrowed
        self.declets = digits // 3
        self.emin, self.emax = low + digits - 1, high + digits - 1
        self.contexts = [decimal.Context(digits, m, self.emin, self.emax, 1, 1, [], []) for m in MODES]
        self.wide = [decimal.Context(digits, m, -10**6, 10**6, 1, 0, [], []) for m in MODES]


SHORT = Format(7, -101, 90, 6, 0, 0)
LONG = Format(16, -398, 369, 8, 576, 192)
EXTENDED = Format(34, -6176, 6111, 12, 9216, 3072)
EXACT = decimal.Context(20000, decimal.ROUND_DOWN, -10**6, 10**6, 1, 0, [], [])


# ---- Declets: digits abcd efgh ijkm, by which of a, e and i are 1 ----

PATTERNS = ['bcdfgh0jkm', 'bcdfgh100m', 'bcdjkh101m', 'bcd10h111m', 'jkdfgh110m', 'fgd01h111m', 'jkd00h111m', '00d11h111m']


def pack_three(n):
    bits = dict(zip('abcdefghijkm', '%04d%04d%04d' % tuple(int(bin(int(d))[2:]) for d in '%03d' % n)))
    return int(''.join(bits.get(c, c) for c in PATTERNS[int(bits['a'] + bits['e'] + bits['i'], 2)]), 2)


PACK = [pack_three(n) for n in range(1000)]
UNPACK = [None] * 1024
for value, packed in enumerate(PACK):
    UNPACK[packed] = value
    if packed & 0x6e == 0x6e:       # the last pattern: its first two bits may be anything
        for second in 1, 2, 3:
            UNPACK[packed | second << 8] = value


def unpack(f, bits):
    """(kind, sign, coefficient, exponent); what is no number has the digits of its trailing field."""
    n = 10 * f.declets
    coefficient = 0
    for i in range(n - 10, -10, -10):
        coefficient = coefficient * 1000 + UNPACK[bits >> i & 1023]
    rest = bits >> n
    low, five, sign = rest & ((1 << f.continuation) - 1), rest >> f.continuation & 31, rest >> (f.continuation + 5) & 1
    if five == 30:
        return INFINITE, sign, coefficient, 0
    if five == 31:
        return (SIGNALLING if low >> (f.continuation - 1) else QUIET), sign, coefficient, 0
    high, first = (five >> 1 & 3, 8 + (five & 1)) if five >= 24 else (five >> 3, five & 7)
    return 0, sign, coefficient + first * 1000 ** f.declets, (high << f.continuation | low) + f.low


def pack(f, v):
    kind, sign, coefficient, exponent = v
    bits = 0
    for i in range(f.declets):
        coefficient, three = divmod(coefficient, 1000)
        bits |= PACK[three] << 10 * i
    if kind:
        assert coefficient == 0
        five, low = (30, 0) if kind == INFINITE else (31, (kind == SIGNALLING) << (f.continuation - 1))
    else:
        assert f.low <= exponent <= f.high and coefficient < 10, v
        high, low = divmod(exponent - f.low, 1 << f.continuation)
        five = high << 3 | coefficient if coefficient < 8 else 0x18 | high << 1 | (coefficient & 1)
    return bits | (low | five << f.continuation | sign << (f.continuation + 5)) << 10 * f.declets


def number(v):
    kind, sign, coefficient, exponent = v
    if kind == INFINITE:
        return Decimal('-Infinity' if sign else 'Infinity')
    return Decimal('%s%dE%d' % ('-' if sign else '', coefficient, exponent))


def from_number(d):
    sign, digits, exponent = d.as_tuple()
    if exponent == 'F':
        return INFINITE, sign, 0, 0
    return 0, sign, int(''.join(map(str, digits))), exponent


def count(coefficient):
    return len(str(coefficient)) if coefficient else 0


def class_of(f, v):
    kind, sign, coefficient, exponent = v
    if kind:
        return {INFINITE: 0x09 if sign else 0x05, QUIET: 0x11, SIGNALLING: 0x01}[kind]
    if not coefficient:
        return 0x12 if sign else 0x02
    if exponent + count(coefficient) - 1 < f.emin:
        return 0x18 if sign else 0x14
    return 0x08 if sign else 0x04


# ---- One instruction ----

def summed(v):
    """FPSCR's summary bits, which follow from the others."""
    v = v & ~(VX | FEX) | (VX if v & VX_ALL else 0)
    return v | (FEX if v >> 22 & v & 0xf8 else 0)


class Case:
    """What an instruction sees and leaves: fields of the case, and what it has raised."""

    def __init__(self, buf, at):
        self.buf, self.at = buf, at
        self.word = struct.unpack_from('<I', buf, at + WORD)[0]
        self.fpscr = self.before = summed(struct.unpack_from('<Q', buf, at + FPSCR)[0])
        self.f = EXTENDED if self.word >> 26 == 63 else LONG
        self.rt, self.ra, self.rb = self.word >> 21 & 31, self.word >> 16 & 31, self.word >> 11 & 31
        self.drn = self.fpscr >> 32 & 7
        self.raised = self.rounded = 0
        self.trapped = False

    def fpr(self, n):
        return struct.unpack_from('<Q', self.buf, self.at + VSR + 16 * n)[0]

    def put_vsr(self, n, high, low=0):
        struct.pack_into('<QQ', self.buf, self.at + VSR + 16 * n, high, low)

    def bits(self, f, n):
        return self.fpr(n) << 64 | self.fpr(n + 1) if f is EXTENDED else self.fpr(n)

    def get(self, n, f=None):
        f = f or self.f
        return unpack(f, self.bits(f, n))

    def put_bits(self, f, bits):
        if f is EXTENDED:
            self.put_vsr(self.rt, bits >> 64)
            self.put_vsr(self.rt + 1, bits & (1 << 64) - 1)
        else:
            self.put_vsr(self.rt, bits)

    def put_cr(self, field, v):
        cr = struct.unpack_from('<Q', self.buf, self.at + CR)[0]
        shift = 28 - 4 * field
        struct.pack_into('<Q', self.buf, self.at + CR, cr & ~(15 << shift) | v << shift)

    def suppressed(self):
        return bool(self.raised & VX_ALL and self.before & VE or self.raised & ZX and self.before & ZE)

    def raise_all(self):
        """Exception bits and what follows from them."""
        v = self.fpscr | self.raised
        if self.raised & ~self.before:
            v |= FX
        v = summed(v)
        raised = self.raised | (VX if self.raised & VX_ALL else 0)
        self.trapped = bool(raised >> 22 & v & 0xf8)
        self.fpscr = v

    def finish(self, v, f=None, target=None, shift=0):
        """A result of format f, in a register or a pair as `target` says."""
        f = f or self.f
        if self.suppressed():
            self.fpscr &= ~(FR | FI)
        else:
            self.fpscr = self.fpscr & ~(FR | FI | 0x1f000) | self.rounded | class_of(f, v) << 12
            self.put_bits(target or f, pack(f, v) << shift)
        self.raise_all()

    def finish_integer(self, high, low=None):
        self.fpscr = self.fpscr & ~(FR | FI) | self.rounded
        if not self.suppressed():
            if low is None:
                self.put_vsr(self.rt, high)
            else:
                self.put_vsr(32 + self.rt, high, low)
        self.raise_all()

    def condition(self, cc):
        self.put_cr(self.rt >> 2, cc)
        self.fpscr = self.fpscr & ~0xf000 | cc << 12
        self.raise_all()

    def pick_nan(self, *operands):
        for kind in SIGNALLING, QUIET:
            for v in operands:
                if v[0] == kind:
                    self.raised |= VXSNAN if kind == SIGNALLING else 0
                    return (QUIET,) + v[1:]
        return None

    def inexact(self, r, truncated):
        """FI and XX; FR if r is larger than what is left without rounding."""
        self.raised |= XX
        self.rounded = FI | (FR if r.copy_abs() != truncated.copy_abs() else 0)

    def rounded_by(self, f, mode, wrap, operation):
        """operation(context) in f's context, or as its trapped exceptions want it. The result is a tuple, and whether it was
        wrapped."""
        wide, down = f.wide[mode], f.wide[1]
        if self.before & (OE | UE):
            w, truncated = operation(wide), operation(down)
            tiny = w.is_finite() and truncated and truncated.adjusted() < f.emin
            over = w.is_finite() and w and w.adjusted() > f.emax
            if tiny and self.before & UE or over and self.before & OE:
                wide.clear_flags()
                operation(wide)
                if wide.flags[decimal.Inexact]:
                    self.inexact(w, truncated)
                self.raised |= UX if tiny else OX
                kind, sign, coefficient, exponent = from_number(w)
                return (kind, sign, coefficient, exponent + (wrap if tiny else -wrap)), True
        context = f.contexts[mode]
        context.clear_flags()
        r = operation(context)
        flags = {flag for flag, up in context.flags.items() if up}
        if decimal.DivisionByZero in flags:
            self.raised |= ZX
        if decimal.InvalidOperation in flags:
            return DEFAULT_NAN, False
        if decimal.Overflow in flags:
            self.raised |= OX
        if decimal.Underflow in flags:
            self.raised |= UX
        if decimal.Inexact in flags:
            self.inexact(r, operation(f.contexts[1]))
        return from_number(r), False


# ---- Arithmetic ----

def arithmetic(c, operation, invalid):
    a, b = c.get(c.ra), c.get(c.rb)
    r = c.pick_nan(a, b)
    if r is None:
        x, y = number(a), number(b)
        r, _ = c.rounded_by(c.f, c.drn, c.f.wrap, lambda ctx: operation(ctx, x, y))
        if r is DEFAULT_NAN:
            c.raised |= invalid(x)
    c.finish(r)


def dadd(c):
    arithmetic(c, lambda ctx, x, y: ctx.add(x, y), lambda x: VXISI)


def dsub(c):
    arithmetic(c, lambda ctx, x, y: ctx.subtract(x, y), lambda x: VXISI)


def dmul(c):
    arithmetic(c, lambda ctx, x, y: ctx.multiply(x, y), lambda x: VXIMZ)


def ddiv(c):
    arithmetic(c, lambda ctx, x, y: ctx.divide(x, y), lambda x: VXIDI if x.is_infinite() else VXZDZ)


# ---- Comparisons and tests ----

def compare(c, ordered):
    a, b = c.get(c.ra), c.get(c.rb)
    if c.pick_nan(a, b) is None:
        c.condition({-1: 8, 1: 4, 0: 2}[int(EXACT.compare(number(a), number(b)))])
        return
    if ordered and not (c.raised and c.before & VE):
        c.raised |= VXVC
    c.condition(1)


def dcmpu(c):
    compare(c, False)


def dcmpo(c):
    compare(c, True)


def matches(c, v, kind):
    mask = c.word >> 10 & 63
    c.condition((8 if v[1] else 0) | (2 if mask >> (5 - kind) & 1 else 0))


def dtstdc(c):
    v = c.get(c.ra)
    kind = {0x02: 0, 0x12: 0, 0x14: 1, 0x18: 1, 0x04: 2, 0x08: 2, 0x05: 3, 0x09: 3, 0x11: 4, 0x01: 5}[class_of(c.f, v)]
    matches(c, v, kind)


def dtstdg(c):
    v = c.get(c.ra)
    extreme = v[3] in (c.f.low, c.f.high)
    if v[0]:
        kind = 5
    elif not v[2]:
        kind = 1 if extreme else 0
    elif extreme or class_of(c.f, v) in (0x14, 0x18):
        kind = 2
    else:
        kind = 4 if v[2] >= 10 ** (c.f.digits - 1) else 3
    matches(c, v, kind)


def dtstex(c):
    a, b = c.get(c.ra), c.get(c.rb)
    if a[0] or b[0]:
        c.condition(2 if min(a[0], QUIET) == min(b[0], QUIET) else 1)
    else:
        c.condition(8 if a[3] < b[3] else 4 if a[3] > b[3] else 2)


def significance(c, k):
    v = c.get(c.rb)
    n = count(v[2])
    c.condition(1 if v[0] else 4 if not k or not n or k > n else 8 if k < n else 2)


def dtstsf(c):
    significance(c, c.fpr(c.ra) & 63)


def dtstsfi(c):
    significance(c, c.word >> 16 & 63)


# ---- Another exponent ----

def own_mode(c, r=0):
    rmc = c.word >> 9 & 3
    return [2, 3, 6, 5][rmc] if r else [0, 1, 4, c.drn][rmc]


def quantized(c, v, exponent, mode):
    context = c.f.contexts[mode]
    context.clear_flags()
    like = Decimal((0, (1,), exponent))
    r = context.quantize(number(v), like)
    if context.flags[decimal.InvalidOperation]:
        c.raised |= VXCVI
        return DEFAULT_NAN
    if context.flags[decimal.Inexact]:
        c.inexact(r, c.f.contexts[1].quantize(number(v), like))
    return from_number(r)


def quantize(c, a):
    b = c.get(c.rb)
    r = c.pick_nan(a, b)
    if r is None:
        if not a[0] and not b[0]:
            r = quantized(c, b, a[3], own_mode(c))
        elif a[0] and b[0]:
            r = INFINITE, b[1], 0, 0
        else:
            c.raised |= VXCVI
            r = DEFAULT_NAN
    c.finish(r)


def dqua(c):
    quantize(c, c.get(c.ra))


def dquai(c):
    quantize(c, (0, 0, 1, (c.ra ^ 16) - 16))


def drrnd(c):
    b, k = c.get(c.rb), c.fpr(c.ra) & 63
    n, r = count(b[2]), c.pick_nan(b)
    if r is None:
        r = (INFINITE, b[1], 0, 0) if b[0] else b
        if not b[0] and k and n > k:
            exponent = b[3] + n - k
            r = DEFAULT_NAN
            if exponent <= c.f.high:
                r = quantized(c, b, exponent, own_mode(c))
                if count(r[2]) > k:
                    r = (0, r[1], r[2] // 10, exponent + 1) if exponent < c.f.high else DEFAULT_NAN
            if r is DEFAULT_NAN:
                c.raised, c.rounded = VXCVI, 0
    c.finish(r)


def integral(c):
    b = c.get(c.rb)
    r = c.pick_nan(b)
    if r is None:
        r = (INFINITE, b[1], 0, 0) if b[0] else b if b[3] >= 0 else quantized(c, b, 0, own_mode(c, c.word >> 16 & 1))
    return r


def drintx(c):
    c.finish(integral(c))


def drintn(c):
    r = integral(c)
    c.raised &= ~XX
    c.rounded = 0
    c.finish(r)


def shifted(c, left):
    v, n = c.get(c.ra), c.word >> 10 & 63
    digits = str(v[2]).zfill(c.f.digits)[1 if v[0] else 0:]
    padded = digits + '0' * n if left else '0' * n + digits
    kept = padded[n:] if left else padded[:len(digits)]
    c.put_bits(c.f, pack(c.f, (v[0], v[1], int(kept), v[3])))


def dscli(c):
    shifted(c, True)


def dscri(c):
    shifted(c, False)


# ---- Conversion ----

def dctdp(c):
    if c.f is EXTENDED:
        v = c.get(c.rb, LONG)
        r = c.pick_nan(v) or v
    else:
        r = unpack(SHORT, c.fpr(c.rb) & 0xffffffff)
    c.finish((INFINITE, r[1], 0, 0) if r[0] == INFINITE else r)


def narrowed(c, v, to):
    if v[0] >= QUIET:
        return (v[0], v[1], v[2] % 10 ** (to.digits - 1), 0), False
    return c.rounded_by(to, c.drn, c.f.narrowed, lambda ctx, d=number(v): ctx.create_decimal(d))


def drsp(c):
    if c.f is LONG:
        r, wrapped = narrowed(c, c.get(c.rb), SHORT)
        c.finish(r, LONG if wrapped else SHORT, LONG)
    else:
        v = c.get(c.rb)
        r, wrapped = narrowed(c, c.pick_nan(v) or v, LONG)
        c.finish(r, EXTENDED if wrapped else LONG, EXTENDED, 0 if wrapped else 64)


def from_integer(c, v):
    r, _ = c.rounded_by(c.f, c.drn, 0, lambda ctx: ctx.create_decimal(v))
    c.finish(r)


def dcffix(c):
    v = c.fpr(c.rb)
    from_integer(c, v - (v >> 63 << 64))


def to_integer(c, bits):
    v, r, whole = c.get(c.rb), None, None
    if not v[0]:
        whole = number(v).to_integral_value(MODES[c.drn])
        r = int(whole) if not whole or whole.adjusted() < 60 else None
    if r is None or not -1 << (bits - 1) <= r < 1 << (bits - 1):
        c.raised |= VXCVI | (VXSNAN if v[0] == SIGNALLING else 0)
        r = (1 << (bits - 1)) - 1 if v[0] <= INFINITE and not v[1] else -1 << (bits - 1)
    elif whole != number(v):
        c.inexact(whole, number(v).to_integral_value(decimal.ROUND_DOWN))
    return r & (1 << bits) - 1


def dctfix(c):
    c.finish_integer(to_integer(c, 64))


def quadwords(c):
    if c.ra:
        v = to_integer(c, 128)
        c.finish_integer(v >> 64, v & (1 << 64) - 1)
    else:
        high, low = struct.unpack_from('<QQ', c.buf, c.at + VSR + 16 * (32 + c.rb))
        from_integer(c, (high << 64 | low) - (high >> 63 << 128))


# ---- Digits and exponents ----

def ddedpd(c):
    v, sp = c.get(c.rb), c.word >> 19 & 3
    text = str(v[2]).zfill(40)
    if sp >= 2:
        text += 'd' if v[1] else 'cf'[sp - 2]
    c.put_bits(c.f, int(text[-32 if c.f is EXTENDED else -16:], 16))


def denbcd(c):
    text = '%0*x' % (32 if c.f is EXTENDED else 16, c.bits(c.f, c.rb))
    sign = 0
    if c.word >> 20 & 1:
        text, code = text[:-1], text[-1]
        sign = {'a': 0, 'b': 1, 'c': 0, 'd': 1, 'e': 0, 'f': 0}.get(code)
    if sign is None or not text.isdigit():
        c.raised |= VXCVI
        c.finish(DEFAULT_NAN)
    else:
        c.finish((0, sign, int(text), 0))


def dxex(c):
    v = c.get(c.rb)
    c.put_vsr(c.rt, (-v[0] if v[0] else v[3] - c.f.low) & (1 << 64) - 1)


def diex(c):
    v, n = c.get(c.rb), c.fpr(c.ra)
    n -= n >> 63 << 64
    if 0 <= n <= c.f.high - c.f.low:
        r = 0, v[1], v[2], n + c.f.low
    else:
        kind = {-1: INFINITE, -3: SIGNALLING}.get(n, QUIET)
        r = kind, v[1], v[2] % 10 ** (c.f.digits - 1), 0
    c.put_bits(c.f, pack(c.f, r))


# ---- Extended opcodes: of ten bits, nine and eight ----

BY_TEN = {2: dadd, 514: dsub, 34: dmul, 546: ddiv, 642: dcmpu, 130: dcmpo, 162: dtstex, 674: dtstsf, 675: dtstsfi, 258: dctdp,
          770: drsp, 802: dcffix, 290: dctfix, 994: quadwords, 322: ddedpd, 834: denbcd, 354: dxex, 866: diex}
BY_NINE = {194: dtstdc, 226: dtstdg, 66: dscli, 98: dscri}
BY_EIGHT = {3: dqua, 67: dquai, 35: drrnd, 99: drintx, 227: drintn}
NO_RECORD = (dcmpu, dcmpo, dtstex, dtstsf, dtstsfi, dtstdc, dtstdg, quadwords)


def judge(buf, at):
    c = Case(buf, at)
    xo = c.word >> 1 & 1023
    run = BY_TEN.get(xo) or BY_NINE.get(xo & 511) or BY_EIGHT.get(xo & 255)
    if run is None:
        return
    run(c)
    struct.pack_into('<Q', buf, at + FPSCR, c.fpscr)
    if c.trapped:
        struct.pack_into('<Q', buf, at + OUTCOME, TRAPPED)
    if c.word & 1 and run not in NO_RECORD:
        c.put_cr(1, c.fpscr >> 28 & 15)


def main():
    decimal.setcontext(EXACT)
    serve(judge)


main()
