"""No instruction is missing: names that objdump has for words on a POWER8, 9 and 10, and whether the table has a row for any
of a name's words there. What it is meant not to have is in mnemonics.list.

usage: mnemonics.py [SEED]
"""
# needs: $B/tests/unit/insn_table
import array
import fnmatch
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

PROGRAM = os.environ.get('B', 'build') + '/tests/unit/insn_table'
OBJDUMP = 'powerpc64le-linux-gnu-objdump'
LIST = 'tests/unit/mnemonics.list'
LEVELS = {'P8': 'power8', 'P9': 'power9', 'P10': 'power10'}
# Fewer than these, and objdump or this file is not what it was. Simplified names count.
LEAST = {'P8': 1050, 'P9': 1250, 'P10': 1400}
EXTENDED = (4, 17, 19, 30, 31, 56, 57, 58, 59, 60, 61, 62, 63)      # primary opcodes with long extended ones
PREFIX = 1      # of pairs of words
LEAST_PAIRS = 60
# Type and subtype of prefixes, 3.1, Book I, 1.6.3, and the opcodes that suffixes may have under them.
PREFIXES = ((0, (0,), range(32, 64)), (1, (0,), (32, 33, 34)), (2, (0,), range(64)), (3, (0,), (0, 24)), (3, (9,), (58, 59, 60)))


def words(rng):
    """Every extended opcode with everything in the field of RA, which continues some of them; other fields at random, even
    and odd, zero and not. Alone, too: some take no operand."""
    out = array.array('I')
    for opcode in range(64):
        for low in range(2048) if opcode in EXTENDED else range(0, 2048, 8):
            if opcode != PREFIX:
                out.append(opcode << 26 | low)
            for ra in range(32):
                if opcode != PREFIX:
                    rt, rb = (rng.choice((0, 1, 2, 4, 8, 16, rng.randrange(32))) for _ in range(2))
                    out.append(opcode << 26 | rt << 21 | ra << 16 | rb << 11 | low)
    return out


def pairs(rng):
    """A prefix in the even words, a suffix behind it; the prefix's other bits are zero as often as not, R among them."""
    out = array.array('I')
    for kind, subtypes, opcodes in PREFIXES:
        for subtype in subtypes:
            for opcode in opcodes:
                for low in range(0, 2048, 2 if kind == 3 else 8):
                    for immediate in (0, 1 << 20 if kind != 3 else 0, rng.randrange(1 << 16)):
                        out.append(PREFIX << 26 | kind << 24 | subtype << 20 | immediate)
                        out.append(opcode << 26 | rng.randrange(1 << 15) << 11 & (0 if immediate == 1 << 20 else ~0) | low)
                        if immediate == 1 << 20:        # no base register then, and an even one to load
                            out[-1] |= rng.randrange(16) << 22
    return out


def names(binary, processor, size=4):
    out = subprocess.run([OBJDUMP, '-D', '-b', 'binary', '-m', 'powerpc:common64', '-EL', '-M', processor, '-z',
                          '--no-show-raw-insn', binary], check=True, stdout=subprocess.PIPE).stdout.decode()
    return [name for at, name in re.findall(r'^\s*([0-9a-f]+):\t(\S+)', out, re.M) if int(at, 16) % size == 0]


def read_list():
    rows = []
    for number, line in enumerate(open(LIST), 1):
        if line.strip() and not line.startswith('#'):
            pattern, levels, reason = line.split(None, 2)
            assert reason and set(levels.split(',')) <= set(LEVELS), 'line %d' % number
            rows.append((pattern, levels.split(','), number))
    return rows


def check(level, sample, rows, used, size=4):
    with tempfile.NamedTemporaryFile(prefix='cede-mnemonics-') as f:
        f.write(sample.tobytes())
        f.flush()
        return compare(level, sample[::size // 4], f.name, rows, used, size)


def compare(level, sample, binary, rows, used, size):
    least = LEAST[level] if size == 4 else LEAST_PAIRS
    found = names(binary, LEVELS[level], size)
    known = subprocess.run([PROGRAM, '-k' if size == 4 else '-p', level], stdin=open(binary, 'rb'), check=True, stdout=subprocess.PIPE).stdout
    if len(found) != len(sample) or len(known) != len(sample):
        print('FAIL %s: %d words, %d names, %d answers' % (level, len(sample), len(found), len(known)))
        return 1
    has, lacks = set(), {}
    for name, there, word in zip(found, known, sample):
        name = name.rstrip('+-')
        if there == ord('1'):
            has.add(name)
        elif name != '.long':
            lacks.setdefault(name, word)
    has.discard('.long')
    lacks = {name: word for name, word in lacks.items() if name not in has}
    failed = 0
    for name, word in sorted(lacks.items()):
        lines = [r for r in rows if level in r[1] and fnmatch.fnmatch(name, r[0])]
        used.update(r[2] for r in lines)
        if not lines:
            failed += 1
            print('FAIL %s: no row for %s, %08x' % (level, name, word))
    for pattern, levels, number in rows:
        wrong = [name for name in has if fnmatch.fnmatch(name, pattern)]
        if level in levels and wrong:
            failed += 1
            print('FAIL %s: %s is listed as left out, line %d, and is there' % (level, wrong[0], number))
    if len(has) < least:
        failed += 1
        print('FAIL %s: %d names alone' % (level, len(has)))
    print('%s %s, of %d bytes: %d names, %d of them left out' % ('FAIL' if failed else 'ok', level, size, len(has) + len(lacks), len(lacks)))
    return failed


def main():
    if not shutil.which(OBJDUMP):
        print('skip: no', OBJDUMP)
        return 77
    rows, used = read_list(), set()
    rng = random.Random(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    sample = words(rng)
    failed = sum(check(level, sample, rows, used) for level in LEVELS) + check('P10', pairs(rng), rows, used, 8)
    for pattern, _, number in rows:
        if number not in used:
            failed += 1
            print('FAIL line %d: no word of %s is left out' % (number, pattern))
    return 1 if failed else 0


sys.exit(main())
