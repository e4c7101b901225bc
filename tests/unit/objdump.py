"""The instruction table against binutils: what objdump calls random words of each row.

usage: objdump.py [WORDS-PER-ROW [SEED]]
"""
# needs: $B/tests/unit/insn_table
import itertools
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

BUILD = os.environ.get('B', 'build')
PROGRAM = BUILD + '/tests/unit/insn_table'
OBJDUMP = 'powerpc64le-linux-gnu-objdump'

# Where objdump prefers another name to that of the row. Regular expressions over the whole name, its
# dot and its branch hint removed.
SIMPLIFIED = {
    'addi': 'li|subi|la', 'paddi': 'pli|psubi|pla', 'addis': 'lis|subis', 'addic': 'subic', 'addic_rc': 'subic|addic',
    'ori': 'nop|ori|exser', 'oris': 'oris', 'xori': 'xnop', 'or': 'mr|yield|mdoio|mdoom|miso', 'nor': 'not',
    'subf': 'sub', 'subfc': 'subc', 'addpcis': 'lnia|subpcis',
    'cmp': 'cmp[wd]', 'cmpi': 'cmp[wd]i', 'cmpl': 'cmpl[wd]', 'cmpli': 'cmpl[wd]i',
    'tw': 'tw[a-z]*|trap', 'twi': 'tw[a-z]*i', 'td': 'td[a-z]*', 'tdi': 'td[a-z]*i',
    'rlwinm': 'rotlwi|clrlwi|slwi|srwi|clrrwi|clrlslwi|extlwi|extrwi', 'rlwnm': 'rotlw', 'rlwimi': 'inslwi|insrwi',
    'rldicl': 'rotldi|clrldi|srdi|extrdi', 'rldicr': 'sldi|clrrdi|extldi', 'rldimi': 'insrdi', 'rldcl': 'rotld',
    'rldic': 'clrlsldi',
    'bc': 'b[a-z]*', 'bca': 'b[a-z]*a', 'bcl': 'b[a-z]*l', 'bcla': 'b[a-z]*la', 'bclr': 'b[a-z]*lr', 'bclrl': 'b[a-z]*lrl',
    'bcctr': 'b[a-z]*ctr', 'bcctrl': 'b[a-z]*ctrl', 'bctar': 'b[a-z]*tar', 'bctarl': 'b[a-z]*tarl',
    'creqv': 'crset', 'crxor': 'crclr', 'cror': 'crmove', 'crnor': 'crnot',
    'mtcrf': 'mtcr', 'mfspr': 'mf[a-z0-9_]+', 'mtspr': 'mt[a-z0-9_]+', 'mftb': 'mft[a-z0-9]+|mftb[ul]?',
    'sync': 'l?w?sync|ptesync|hwsync|plwsync|phwsync|stcisync|stncisync|stsync', 'wait': 'wait[a-z]*|pause_short',
    'vor': 'vmr', 'vnor': 'vnot', 'xxlnor': 'xxlnot', 'xxlor': 'xxmr|xxlmr', 'xxpermdi': 'xxspltd|xxmrg[hl]d|xxswapd', 'xvcpsgndp': 'xvmovdp', 'xvcpsgnsp': 'xvmovsp',
    'isel': 'isel[a-z]*', 'dcbt': 'dcbt[a-z]*|dcbna', 'dcbtst': 'dcbtst[a-z]*', 'dcbf': 'dcbf[a-z]*',
    'mtfsf': 'mtfsf', 'mtmsr': 'mtmsr', 'mtmsrd': 'mtmsrd', 'tlbie': 'tlbi?e?[a-z]*', 'tlbiel': 'tlbiel',
    'slbia': 'slbia', 'rfebb': 'rfebb', 'copy': 'copy[a-z_]*', 'paste': 'paste[a-z_]*', 'addex': 'addex',
    'mfvsrd': 'mffprd|mfvrd', 'mtvsrd': 'mtfprd|mtvrd', 'mfvsrwz': 'mffprwz|mfvrwz', 'mtvsrwa': 'mtfprwa|mtvrwa',
    'mtvsrwz': 'mtfprwz|mtvrwz', 'tbegin': 'tbegin', 'tend': 'tend(all)?', 'treclaim': 'treclaim', 'dst': 'dstt?',
    'dstst': 'dststt?', 'dss': 'dss(all)?', 'tsr': 'tsuspend|tresume', 'stop': 'stop', 'mfocrf': 'mfocrf', 'mtocrf': 'mtocrf',
}

# Rows with forms that are invalid (update with RA=0, an odd pair, a BO that is reserved, R with RA,
# a factor in the accumulator): objdump says .long then.
INVALID = r'bc.*|paddi|p[ls].*|(pm)?xv.*ger.*|l[a-z]+ux?|st[a-z]+ux?|lmw|lsw[ix]|lq|stq|lqarx|stqcx.*|m[ft]t?ocrf|mfocrf|mtocrf|sync|wait|mftb|lfdp.*|stfdp.*|reserved_nop'
# Rows whose random words may all be invalid.
ALL_INVALID = {'reserved_nop', 'mftb', 'lfdp', 'lfdpx', 'stfdp', 'stfdpx'}   # phased out: not POWER9's for objdump

# What POWER9 has lost, by the processor for which objdump calls it by name.
LOST = {'power8': ('doze', 'nap', 'sleep', 'rvwinkle'), 'ppc': ('mtsr', 'mtsrin', 'mfsr', 'mfsrin')}


def disassemble(words, cpu):
    """What stands at the place of each; those above 32 bits have a prefix."""
    with tempfile.NamedTemporaryFile(prefix='cede-words-') as f:
        f.write(b''.join(struct.pack('<II', w >> 32, w & 0xffffffff) if w >> 32 else struct.pack('<I', w) for w in words))
        f.flush()
        out = subprocess.run([OBJDUMP, '-D', '-b', 'binary', '-m', 'powerpc:common64', '-EL', '-M', cpu, '-z', f.name],
                             check=True, stdout=subprocess.PIPE).stdout.decode()
    got = {int(at, 16): text for at, text in re.findall(r'^\s*([0-9a-f]+):\t(?:[0-9a-f]{2} ){4}\s*\t(.*)$', out, re.M)}
    places = [0]
    for w in words:
        places.append(places[-1] + (8 if w >> 32 else 4))
    return [got.get(at, 'nothing') for at in places[:-1]]


def names(row):
    """A row's name as objdump may print it: suffixes _rc and _rec stand for the dot, _ for what C cannot say."""
    base = row.rstrip('_')
    return {base, re.sub(r'_(rc|rec|dot)$', '', base)}


def main():
    count, seed = (sys.argv[1:] + ['40', '1'])[:2] if len(sys.argv) < 3 else sys.argv[1:3]
    if not shutil.which(OBJDUMP):
        print('skip: no', OBJDUMP)
        return 77
    if not os.path.exists(PROGRAM):
        print('skip:', PROGRAM, 'was not built')
        return 77
    lines = subprocess.run([PROGRAM, '-w', count, seed], check=True, stdout=subprocess.PIPE).stdout.decode().split('\n')
    want = [(line.split()[0], int(line.split()[1], 16)) for line in lines if line]
    cpus = {row: cpu for cpu, names in LOST.items() for row in names}
    want.sort(key=lambda w: cpus.get(w[0], ''))
    got = []
    for cpu, group in itertools.groupby(want, key=lambda w: cpus.get(w[0], 'power10')):
        got += disassemble([word for _, word in group], cpu)
    rows, bad, unnamed = {}, {}, {}
    for (row, word), text in zip(want, got):
        name = text.split()[0].rstrip('+-')
        # MMA's newer names: dmxvi4ger8, dmsetaccz.
        plain = re.sub(r'^(pm)?dm(?=x)', r'\1', name.rstrip('.')).replace('dmset', 'xxset')
        # OE shows as an o at the end, LK and AA as l and a.
        allowed = names(row) | {n + 'o' for n in names(row)} | {n + s for n in names(row) for s in ('l', 'a', 'la')}
        fine = plain in allowed or re.fullmatch(SIMPLIFIED.get(row, '$^'), plain) or \
            (plain.endswith('o') and re.fullmatch(SIMPLIFIED.get(row, '$^'), plain[:-1]))
        rows[row] = rows.get(row, 0) + 1
        if name == '.long' and re.fullmatch(INVALID, row):
            unnamed[row] = unnamed.get(row, 0) + 1
            fine = unnamed[row] < int(count) or row in ALL_INVALID
        if not fine:
            bad.setdefault(row, []).append('%08x: %s' % (word, text.replace('\t', ' ')))
    for row, lines in sorted(bad.items()):
        print('FAIL %s: %d of %d words, %s' % (row, len(lines), rows[row], '; '.join(lines[:3])))
    print('ok' if not bad else 'FAIL', 'objdump-agrees: %d words of %d rows' % (len(want), len(rows)))
    return 1 if bad else 0


sys.exit(main())
