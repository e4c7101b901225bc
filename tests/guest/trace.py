"""-trace hcall: exact lines of guests whose calls are known, filters, the table, the same twice."""
# needs: programs guests guest
import os
import re
import struct
import subprocess
import sys
import tempfile
from collections import Counter

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../linux'))
from console import CEDE, check, main, skip     # noqa: E402

BUILD = os.environ.get('B', 'build')
LINE = re.compile(r'^(\d+) cpu(\d+) (?:(RTAS [\w,-]+|OF|\w+)(?: [\w,-]+)?\((.*?)\)) = (.*) <(.*)>$')
LI3, LI4, LI5, LIS4, SC, NOP = 0x38600000, 0x38800000, 0x38a00000, 0x3c800000, 0x44000022, 0x60000000
LD6, LD7, MTDEC4 = 0xe8c00000, 0xe8e00000, 0x7c9603a6
RTAS3 = [0x3c600000, 0x6063f000]                # lis r3,0; ori r3,r3,0xf000
TEXT, OFF, ENTRY, DECREMENTER = 0x200, 0x220, 0x100, 0x900
DEC = 1000                                      # ticks of two cycles


def put(image, at, words):
    image[at:at + 4 * len(words)] = struct.pack('>%dI' % len(words), *words)


def guest():
    """Text, a wrong call, an unknown number, and a wait for the decrementer, whose handler switches off."""
    image = bytearray(0x1000)
    put(image, ENTRY, [
        LI3 | 0x58, LIS4 | 0x7100, LI5 | 14, LD6 | TEXT, LD7 | TEXT + 8, SC,    # 6th instruction
        LI3 | 0xe8, LI4 | 99, SC,               # 9th: H_PROD of no processor
        LI3 | 6, LI4 | 5, SC,                   # 12th
        LI4 | DEC, MTDEC4, LI3 | 0xe0, SC,      # 14th, 16th: H_CEDE
        0x48000000])
    put(image, DECREMENTER, RTAS3 + [LI4 | OFF, SC])
    image[TEXT:TEXT + 16] = b'hello, POWER\r\n\0\0'
    put(image, OFF, [0x2003, 2, 1, 0xffffffff, 0xffffffff, 0])
    return bytes(image)


def run(*options, image=None, cpus='1'):
    """What it says on stdout, on stderr, and the trace: in a file by -D."""
    with tempfile.TemporaryDirectory(prefix='cede-trace-') as folder:
        bios, log = folder + '/bios', folder + '/log'
        with open(bios, 'wb') as f:
            f.write(guest())
        argv = [CEDE, '-m', '256M', '-smp', cpus, '-nodefaults', '-nographic', '-serial', 'stdio', '-clock', 'warp',
                '-D', log, *options]
        argv += ['-kernel', image] if image else ['-bios', bios]
        p = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        with open(log) as f:
            return p.stdout.decode(), p.stderr.decode(), f.read()


def split(text):
    lines = text.splitlines()
    return [s for s in lines if s[0] != '#'], [s for s in lines if s[0] == '#']


def counts(table):
    """Calls by name, without the heading, the codes and the total."""
    rows = [re.match(r'# +(\d+) +[\d.]+ +(\d+) +[\d.]+ +[\d.]+ +[\d.]+  (.*)', s) for s in table]
    return {m.group(3): int(m.group(1)) for m in rows if m}


def exact():
    out, err, text = run('-trace', 'hcall')
    lines, table = split(text)
    # It makes DEC negative DEC + 1 ticks after the mtdec: 14 cycles are over then, 16 at the H_CEDE.
    waits = (14 // 2 + DEC + 1) * 2 - 16
    want = ['6 cpu0 H_PUT_TERM_CHAR(unit=0x71000000, len=14, text="hello, POWER\\r\\n") = H_SUCCESS <0 cycles>',
            '9 cpu0 H_PROD(proc=99) = H_PARAMETER <0 cycles>',
            '12 cpu0 0x6(0x5, ..) = H_FUNCTION <0 cycles>',
            '16 cpu0 H_CEDE() = H_SUCCESS <%d cycles, %.3f us>' % (waits, waits / 1024),
            '%d cpu0 RTAS power-off(0xffffffff, 0xffffffff) = 0 <0 cycles>' % (16 + waits + 4)]
    check('hello, POWER' in out and err == '', 'guest', (out, err))
    check(lines == want, 'lines', lines)
    check(counts(table) == {'H_PUT_TERM_CHAR': 1, 'H_PROD': 1, 'unknown': 1, 'H_CEDE': 1, 'RTAS power-off': 1,
                            'total': 5}, 'table', table)
    at = next((i for i, s in enumerate(table) if s.endswith('  H_PROD')), 0)
    check(table[at + 1].split() == ['#', '1', 'H_PARAMETER'], 'table-codes', table)
    us = '%.3f' % (waits / 1024)
    check(['#', '1', '20.00', '0', us, us, '100.00', 'H_CEDE'] in [s.split() for s in table], 'table-duration', table)
    check(run('-trace', 'hcall-summary')[2] == ''.join(s + '\n' for s in table), 'table-alone')
    # The old format is as it was, also beside the new one.
    old = ['6 cpu0 H_PUT_TERM_CHAR unit=0x71000000 len=0xe char0_7=0x68656c6c6f2c2050 char8_15=0x4f5745520d0a0000 = 0',
           '9 cpu0 H_PROD proc=0x63 = -4', '16 cpu0 H_CEDE = 0']
    check(run('-d', 'hcall')[2].splitlines()[:3] == old, 'd-hcall')
    both = run('-d', 'hcall', '-trace', 'hcall')[2].splitlines()
    check(set(old) < set(both) and set(lines) < set(both), 'both', both)
    check('H_CEDE' not in run('-trace', 'dispatch')[2], 'dispatch-is-apart')


def filters():
    for names, want in (('H_CEDE', ['H_CEDE']), ('hcall-splpar', ['H_PROD', 'H_CEDE']), ('H_P*', ['H_PUT_TERM_CHAR', 'H_PROD']),
                        ('unknown', ['0x6']), ('H_RTAS', ['RTAS']), ('power-off,H_CEDE', ['H_CEDE', 'RTAS']),
                        ('!H_CEDE,!H_RTAS', ['H_PUT_TERM_CHAR', 'H_PROD', '0x6']), ('H_*,!H_PROD', ['H_PUT_TERM_CHAR', 'H_CEDE', 'RTAS'])):
        lines, table = split(run('-trace', 'hcall=' + names)[2])
        got = [re.split(r'[ (]', s.split(' ', 2)[2])[0] for s in lines]
        check(got == want and counts(table)['total'] == len(lines), names, (got, table))


def processors():
    """Four of them that wait for each other: one line a call, and the table counts them."""
    image = BUILD + '/tests/guest/smp-le.elf'
    if not os.path.exists(image):
        skip(image + ' was not built: no cross compiler?')
    first, second = (run('-trace', 'hcall', image=image, cpus='4')[2] for _ in range(2))
    lines, table = split(first)
    names = Counter()
    bad = []
    for s in lines:
        m = LINE.match(s)
        if m:
            names['unknown' if m.group(3).startswith('0x') else m.group(3)] += 1
        else:
            bad.append(s)
    check(len(lines) > 100 and not bad, 'form', bad[:5])
    rows = counts(table)
    check(rows.pop('total') == len(lines), 'total')
    check(rows == names, 'counts', (rows, dict(names)))
    check(first == second, 'twice')
    check(any(re.search(r'H_CEDE\(\) = H_SUCCESS <[1-9]\d* cycles', s) for s in lines), 'waits')
    last = {}
    ordered = True
    for s in sorted(lines, key=lambda s: int(s.split()[0])):
        cycle, who = int(s.split()[0]), s.split()[1]
        wait = re.search(r'<(\d+) cycles', s)
        ordered &= cycle >= last.get(who, 0)
        last[who] = cycle + (int(wait.group(1)) if wait else 0)
    check(ordered, 'nobody-calls-while-it-waits')
    # As many as -d hcall shows, which leaves unknown numbers out.
    old = run('-d', 'hcall', image=image, cpus='4')[2].splitlines()
    check(len(old) == len(lines) - names['unknown'], 'as-many-as-d-hcall', (len(old), len(lines)))
    pool = [run('-trace', 'hcall=hcall-splpar', '-pool', 'procs=2', image=image, cpus='4')[2] for _ in range(2)]
    check(pool[0] == pool[1] and 'H_CEDE' in pool[0], 'pool-twice')


main({'exact': exact, 'filters': filters, 'processors': processors})
