"""The pipeline models, with LLVM's figures, against llvm-mca: loops of common instructions, drawn at random; and the
arithmetic of the comparison.

usage: timing_mca.py [SEED]"""
# needs: $B/tests/pipe_bench
import os
import random
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'bench', 'timing'))
import compare  # noqa: E402
from timing_insns import CPUS, MCA, LEVELS, read_rows  # noqa: E402

# 64-bit forms where there are two: LLVM thinks that a 32-bit one keeps half of its target, and waits for it.
COMMON = ('ld std ldx stdx rldicl rldicr sld srd mulld divd cntlzd extsw mulhdu fadd fmul fmadd lfd stfd fmr lvx stvx vaddubm vperm '
          'xxlor xvadddp vmuluwm cmpd cmpdi vcmpequb crand popcntd xsadddp vxor vsldoi mulhd srad').split()
# Rows of which four on themselves take another time than llvm-mca's, and why.
UNLIKE = {
    'links and counts are read, too': {'*': 'bc bcl bcla bclr bclrl bcctr bcctrl'},
    'a field of the condition register is one register, not four': {
        'power9': 'crand cror crxor crnand crnor creqv crandc crorc mcrf',
        'power10': 'crand cror crxor crnand crnor creqv crandc crorc mcrf'},
    'status registers are waited for': {
        '*': 'mffs mffsce mffscdrni mffscrni mffsl mcrfs mtfsfi mtfsf mtfsb0 mtfsb1 mfvscr mtvscr'},
    'a base takes as long in all update forms; no program loads it, too': {
        'power8': 'lwaux ldu ldux stfsu stfsux stfdu stfdux',
        'power9': 'lwaux ldu ldux stbu stbux sthu sthux stwu stwux stdu stdux stfsu stfsux stfdu stfdux',
        'power10': 'lwaux ldu ldux lbzu lbzux lhzu lhzux lhau lhaux lwzu lwzux stbu sthu stwu stdu lfsu lfsux lfdu lfdux'},
    'no time is kept that is farther than 2,560 cycles, and the window is full of these': {
        'power8': 'divde divdeu', 'power9': 'xssqrtqp xssqrtqpo', 'power10': 'xssqrtqp xssqrtqpo vdivsq vdivuq vdivesw vdivesd vdivesq vdiveuw vdiveud vdiveuq vmodsw vmodsq vmoduw vmoduq'},
    'results of a kind of unit come early to like ones, in LLVM of most rows': {
        'power10': 'vspltb vsplth vspltw vextractub vextractuh vextractuw vextractd vinsertb vinserth vinsertw vinsertd vsumsws bcdsr '
                   'xsaddqp xsaddqpo xssubqp xssubqpo xscvqpdp xscvqpdpo xscvdpqp xscvqpsdz xscvqpswz xscvqpudz xscvqpuwz '
                   'xscvsdqp xscvudqp vctsxs vctuxs vcfsx vcfux xvtstdcsp xvtstdcdp vslq vsrq vsraq vrlq vrlqnm vrlqmi '
                   'xscvqpsqz xscvqpuqz xscvsqqp xscvuqqp'},
    'conditional and atomic accesses wait by other means': {'power9': 'stbcx sthcx stwcx stdcx stwat stdat', 'power10': 'lwat ldat'},
    'several at a time are one': {'power8': 'stmw stswi'},
    'one in a cycle, of pipes of which there are two': {'power8': 'vspltisb vspltish vspltisw'},
    'refused': {'power8': 'lq'},
}
BLOCKS, LENGTH = 150, 12
SMALL = {'nop, beq': (0x60000000, 0x41820000), 'mr, beq': (0x7c832378, 0x41820000)}     # loops of a cycle on POWER9


def draw(rows, fields, names, rng, same=None):
    row = rows[rng.choice(names)]
    w = row.match
    for name in row.operands:
        shift, width, kind = fields[name]
        if name == 'PCREL':
            continue            # invalid with a base
        if kind in ('G', 'G0', 'F', 'V', 'X1', 'X2', 'X3', 'X4', 'X5', 'X0', 'XI', 'XP', 'ACC'):
            w |= (same if same else rng.choice((3, 4, 5, 6, 7, 8, 9, 10))) << shift
        elif kind != 'T':
            w |= rng.randrange(1 << width) << shift & ~(7 if name in ('D', 'SI') else 0) if name != 'DS' else rng.randrange(64) << 3
        elif name == 'BF':
            w |= rng.randrange(8) << shift
        else:
            w |= rng.randrange(32) << shift
    return w


def pairwise_tau(x, y):
    """Kendall's tau-b by its definition."""
    def sign(v):
        return (v > 0) - (v < 0)

    pairs = [(sign(x[i] - x[k]), sign(y[i] - y[k])) for i in range(len(x)) for k in range(i)]
    return sum(a * b for a, b in pairs) / (sum(a * a for a, _ in pairs) * sum(b * b for _, b in pairs)) ** .5


def check_arithmetic(rng):
    """What takes the same is the same, whatever it took before it was steady."""
    facts = {'steady-%d' % n: {compare.steady(start + n * compare.WARM, start + n * (compare.WARM + compare.TIMES)) for start in range(99)} == {n}
             for n in (1, 2, 7)}
    x, y = ([rng.randrange(9) / 8 for _ in range(60)] for _ in range(2))
    facts['tau-b'] = abs(compare.kendall(x, y) - pairwise_tau(x, y)) < 1e-12
    for name, cycles in zip(SMALL, compare.run_bench('blocks', 'power9-llvm', SMALL.values(), str(compare.OUR_TIMES))):
        facts['%s: %.3f cycles' % (name, cycles)] = cycles == 1
    for name, ok in facts.items():
        print('%s %s' % ('ok' if ok else 'FAIL', name))
    return sum(not ok for ok in facts.values())


def times(model, blocks):
    """Cycles of each as a loop: ours, llvm-mca's."""
    known = compare.known_words(model, {w for b in blocks for w in b})
    theirs = compare.steady_cycles(CPUS[model], compare.to_text(blocks, known))
    return compare.run_bench('blocks', model + '-llvm', blocks, str(compare.OUR_TIMES)), theirs


def check_rows(model, rows, fields):
    """Each row that LLVM has figures for, on itself: its latency, or what it takes of its units."""
    # Always the same words, whatever rows there are beside: those that are unlike depend on them.
    words = {name: draw(rows, fields, [name], random.Random(name), same=5) for name in rows}
    known = compare.known_words(model, set(words.values()))
    words = {name: w for name, w in words.items() if w in known}
    listed = {name for why in UNLIKE.values() for name in why.get(model, '').split()}
    unlike = listed | {name for why in UNLIKE.values() for name in why.get('*', '').split()}
    failed = 0
    for name, a, b in zip(words, *times(model, [(w,) * 4 for w in words.values()])):
        like = bool(b) and abs(a / b - 1) < .02
        if not like and name not in unlike:
            failed += 1
            print('FAIL %s: four of %s on themselves: %.2f cycles, llvm-mca %.2f' % (model, name, a, b or 0))
        elif like and name in listed:
            failed += 1
            print('FAIL %s: %s is listed as unlike, and is not' % (model, name))
    print('%s %s: %d rows on themselves, %d of them unlike' % ('FAIL' if failed else 'ok', model, len(words), len(unlike & set(words))))
    return failed


def main():
    if not shutil.which(MCA):
        print('FAIL no %s: package llvm-19 (make deps-test)' % MCA)
        return 1
    rng = random.Random(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    rows, fields = read_rows()
    rows = {r.name: r for r in rows}
    failed = check_arithmetic(rng) + sum(check_rows(model, rows, fields) for model in CPUS)
    rows = {name: r for name, r in rows.items() if LEVELS.index(r.since) <= LEVELS.index('P8')}
    blocks = [tuple(draw(rows, fields, COMMON, rng) for _ in range(LENGTH)) for _ in range(BLOCKS)]
    for model in CPUS:
        ours, theirs = times(model, blocks)
        f = compare.figures(ours, theirs)
        ok = f['median'] < .1 and f['p90'] < .3 and f['tau'] > .9
        failed += not ok
        print('%s %s: median error %.1f %%, 90 of 100 below %.1f %%, tau %.3f' % (
            'ok' if ok else 'FAIL', model, 100 * f['median'], 100 * f['p90'], f['tau']))
    return 1 if failed else 0


sys.exit(main())
