"""Rows of the instruction table, a word for each of their variants, and what llvm-mca says of it.

The table is read through the C preprocessor, so that encodings stand in cpu/table alone.
"""
import json
import re
import subprocess
import tempfile

LEVELS = ('P4', 'P6', 'P7', 'P8', 'P9', 'P10')
MCA = 'llvm-mca-19'
MCA_ARGS = ['-mtriple=powerpc64le', '--call-latency=2', '--skip-unsupported-instructions=any']
CPUS = {'power8': 'pwr8', 'power9': 'pwr9', 'power10': 'pwr10'}

# Fields that stand for a register or must not be zero; what is not here is 0.
FIELDS = {'RT': 8, 'RS': 8, 'RA': 4, 'RA0': 4, 'RB': 5, 'RH': 5, 'RC': 6, 'FRT': 8, 'FRS': 8, 'FRA': 4, 'FRB': 5, 'FRC': 6,
          'FRTP': 4, 'FRAP': 2, 'FRBP': 3,
          'VRT': 8, 'VRS': 8, 'VRA': 4, 'VRB': 5, 'VRC': 6, 'XT': 8, 'XS': 8, 'XA': 4, 'XB': 5, 'XC': 6, 'XTQ': 8,
          'XSQ': 8, 'XPT': 8, 'XPS': 8, 'XTP': 8, 'XSP': 8, 'BF': 1, 'BFA': 2, 'BT': 9, 'BA': 14, 'BB': 19, 'BC': 14, 'BO': 12, 'BI': 2,
          'XT0': 8, 'XS0': 8, 'XTI': 8, 'AT': 1, 'TO': 4, 'SI': 16, 'UI': 16, 'D': 16, 'DS': 4, 'DQ': 1, 'LI': 2, 'BD': 2, 'FXM': 0x80, 'SH': 3, 'MB': 4,
          'ME': 20, 'SH6': 3, 'MB6': 4, 'NB': 8, 'FLM': 1, 'IMM8': 1, 'SIM': 1}
SPRS = {'other': 272, 'lr': 8, 'ctr': 9, 'xer': 1}    # SPRG0 stands for the others


class Row:
    def __init__(self, name, match, mask, operands, since, unit, flags):
        self.name, self.match, self.mask, self.operands = name, match, mask, re.findall(r'\w+', operands)
        self.since, self.unit, self.flags = since, unit, set(flags)

    def variants(self):
        """(suffix, bits): what Rc, OE and the register of a move make of the row."""
        rc = 1 if self.flags & {'RC', 'RCFP'} else 1 << 10 if 'VRC' in self.flags else 0
        out = [('plain', 0)]
        if rc:
            out.append(('rc', rc))
        if 'OE' in self.flags:
            out += [('oe', 1 << 10)] + ([('oerc', 1 << 10 | rc)] if rc else [])
        if self.name in ('mfspr', 'mtspr'):
            out = [(s, (n & 31) << 16 | n >> 5 << 11) for s, n in SPRS.items()]
        if self.name == 'sync':
            out = [('hw', 0), ('lw', 1 << 21), ('pte', 2 << 21)]
        return out


def read_rows(cc='cc'):
    """Every row of cpu/table/insn.def, in its order, and the operand fields."""
    text = '#include "cpu/table/forms.h"\nFIELDS_ARE OPERANDS\n' \
           '#define INSN(name, ...) IN_FULL(name, __VA_ARGS__)\n' \
           '#define IN_FULL(name, match, mask, operands, since, unit, flags, reference) ' \
           'ROW name|match,mask|operands|since|unit|#flags\n' \
           '#undef RC\n#include "cpu/table/insn.def"\n'
    text = text.replace('#flags', 'flags')
    out = subprocess.run([cc, '-E', '-P', '-I.', '-x', 'c', '-'], input=text, check=True, stdout=subprocess.PIPE,
                         encoding='ascii').stdout
    fields = {m[0]: (int(m[1]), int(m[2]), m[3])
              for m in re.findall(r'OPERAND\((\w+),\s*(\d+),\s*(\d+),\s*(\w+),', out)}
    rows = []
    for m in re.finditer(r'ROW\s+(\w+)\s*\|(.*?)\|\s*"([^"]*)"\s*\|\s*(\w+)\s*\|\s*(\w+)\s*\|([^"]*?)(?=ROW|$)', out, re.S):
        match, mask = (number(part) for part in split(m[2]))
        rows.append(Row(m[1], match, mask, m[3], m[4], m[5], re.findall(r'[A-Z]\w*', m[6])))
    return rows, fields


def number(text):
    """A C expression."""
    return eval(re.sub(r'\(uint(32|64)_t\)|(?<=[0-9a-f])u\b', '', text), {'UINT64_C': int})


def split(text):
    """Two C expressions that a comma outside parentheses parts."""
    depth = 0
    for i, c in enumerate(text):
        depth += (c == '(') - (c == ')')
        if c == ',' and not depth:
            return text[:i], text[i + 1:]
    raise ValueError(text)


def word(row, bits, fields):
    w = row.match | bits
    for name in row.operands:
        shift, width, kind = fields[name]
        if name not in ('SPR', 'TBR', 'L2'):
            w |= (FIELDS.get(name, 0) & ((1 << width) - 1)) << shift
    if row.name == 'mftb':
        w |= 12 << 16 | 8 << 11
    return w


MARK = 0x63ff7ace       # ori r31,r31,31438: stands between two, because of a prefix that it does not know LLVM takes one word


def as_bytes(w):
    return ' '.join('0x%02x' % (w >> s & 255) for s in (32, 40, 48, 56, 0, 8, 16, 24)[0 if w >> 32 else 4:])


def disassemble(words):
    """LLVM's text of each instruction, None where it knows none."""
    text = '\n'.join(as_bytes(w) + '\n' + as_bytes(MARK) for w in words)
    got = subprocess.run(['llvm-mc-19', '--disassemble', '-triple=powerpc64le', '-mcpu=pwr10', '-mattr=+htm'], input=text,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding='ascii')
    bad = {int(m) // 2 for m in re.findall(r'^<stdin>:(\d+):\d+: warning: invalid', got.stderr, re.M)}
    lines = [l.strip() for l in got.stdout.split('\n') if l.startswith('\t') and not l.startswith('\t.')]
    between, out = [], []
    for line in lines:
        if not re.match(r'ori\s+31, 31, 31438', line):
            between.append(line)
            continue
        out.append(between[0] if len(between) == 1 and len(out) not in bad else None)
        between = []
    return out


def mca(cpu, regions, *options):
    """llvm-mca's JSON of (name, text) regions; regions that it does not take are left out, and named."""
    refused = set()
    while True:
        left = [(n, t) for n, t in regions if n not in refused]
        lines, at = [], {}
        for n, t in left:
            lines.append('# LLVM-MCA-BEGIN %s' % n)
            for line in t.split('\n'):
                at[len(lines) + 1] = n
                lines.append(line)
            lines.append('# LLVM-MCA-END')
        with tempfile.NamedTemporaryFile('w', suffix='.s') as f, tempfile.NamedTemporaryFile(suffix='.json') as o:
            f.write('\n'.join(lines) + '\n')
            f.flush()
            run = subprocess.run([MCA, *MCA_ARGS, '-mcpu=' + cpu, '--json', *options, f.name, '-o', o.name],
                                 stderr=subprocess.PIPE, encoding='utf-8')
            bad = {at[int(m)] for m in re.findall(r':(\d+):\d+: error:', run.stderr) if int(m) in at}
            if not bad and run.returncode:
                raise RuntimeError(run.stderr[:500])
            if not bad:
                return json.load(open(o.name)), refused, run.stderr
            refused |= bad
