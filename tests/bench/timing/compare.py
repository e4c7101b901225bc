"""The pipeline models against llvm-mca: blocks of real programs as loops, and paths that a guest ran as straight lines.

usage: compare.py [--blocks N] [--traces DIR] [--models power8,power9,power10] [--trace-insns N] [--no-mca-cache]

Programs: the kernel and Debian's packages that are in the guest's folder (build/guest; make guest, make debian bring them).
Traces: files that tests/bench/timing/record.py wrote. Half of the blocks, by a hash of their words, served to tune the
models; the other half did not. Prints tables; writes timing.json and timing-MODEL.svg into the build folder.
"""
import argparse
import glob
import hashlib
import io
import json
import os
import random
import re
import struct
import subprocess
import sys
import tarfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', '..', 'tools', 'dev'))
from timing_insns import CPUS, disassemble, mca  # noqa: E402
from scatter import write_scatter  # noqa: E402

BUILD = os.environ.get('B', 'build')
GUEST = os.environ.get('GUEST_DIR', 'build/guest')
OUT = BUILD + '/bench/timing'
BENCH = BUILD + '/tests/pipe_bench'
WARM, TIMES = 50, 100     # rounds of a block until llvm-mca is steady, and that count
OUR_TIMES = 1000          # of ours, which may come back to the same state only after many
PACKAGES = {'libc6': 'libc.so.6', 'libssl3': 'libcrypto.so.3', 'perl-base': 'usr/bin/perl', 'bash': 'bin/bash', 'git': 'usr/bin/git'}
LONGEST = 64


# ---- Blocks ----

def executable_parts(data):
    """Bytes of an ELF file's executable sections."""
    (shoff,), (size, n) = struct.unpack_from('<Q', data, 0x28), struct.unpack_from('<HH', data, 0x3a)
    for i in range(n):
        kind, flags = struct.unpack_from('<IQ', data, shoff + i * size + 4)
        offset, length = struct.unpack_from('<QQ', data, shoff + i * size + 0x18)
        if kind == 1 and flags & 4:
            yield data[offset:offset + length]


def programs():
    """(name, bytes) of each program that is there."""
    with open(GUEST + '/vmlinux', 'rb') as f:
        yield 'vmlinux', f.read()
    for package, path in PACKAGES.items():
        for deb in sorted(glob.glob('%s/debs/%s_*.deb' % (GUEST, package)))[:1]:
            tar = subprocess.run(['dpkg-deb', '--fsys-tarfile', deb], check=True, stdout=subprocess.PIPE).stdout
            with tarfile.open(fileobj=io.BytesIO(tar)) as files:
                member = next(m for m in files if m.name.endswith(path) and m.isfile())
                yield os.path.basename(path), files.extractfile(member).read()


def is_branch(w):
    return w >> 26 in (16, 17, 18) or (w >> 26 == 19 and w >> 1 & 0x3ff in (16, 528, 560, 18))


def static_blocks(data):
    """Runs of words up to and with a branch."""
    for part in executable_parts(data):
        words, block = struct.unpack('<%dI' % (len(part) // 4), part[:len(part) // 4 * 4]), []
        for w in words:
            block.append(w)
            if is_branch(w) or len(block) == LONGEST:
                yield tuple(block)
                block = []


def sample_blocks(count):
    """count distinct blocks of two words or more, the same number of each program: (program, words)."""
    out, all_programs = {}, list(programs())
    for name, data in all_programs:
        blocks = sorted({b for b in static_blocks(data) if len(b) > 1 and 0 not in b})
        random.Random(name).shuffle(blocks)
        taken = 0
        for b in blocks:
            if taken >= count // len(all_programs):
                break
            taken += b not in out
            out.setdefault(b, name)
    return [(name, b) for b, name in out.items()]


def held_out(words):
    return hashlib.sha256(struct.pack('<%dI' % len(words), *words)).digest()[0] & 1


# ---- llvm-mca ----

CONDITIONS = {('t', 0): 'lt', ('f', 0): 'ge', ('t', 1): 'gt', ('f', 1): 'le', ('t', 2): 'eq', ('f', 2): 'ne', ('t', 3): 'so',
              ('f', 3): 'ns'}


def to_condition(line):
    """Conditional branches by condition, as compilers write them: LLVM takes bt and bf for users of the count register."""
    m = re.match(r'b([tf])(l?a?)([+-]?)\s+(\d+), (.*)$', line)
    if m:
        return 'b%s%s%s %d, %s' % (CONDITIONS[m[1], int(m[4]) % 4], m[2], m[3], int(m[4]) // 4, m[5])
    m = re.match(r'b(c?)(lr|ctr)(l?)\s+(\d+), (\d+)(, \d+)?$', line)
    if m and int(m[4]) & ~3 in (4, 12):
        return 'b%s%s%s %d' % (CONDITIONS['t' if int(m[4]) & 8 else 'f', int(m[5]) % 4], m[2], m[3], int(m[5]) // 4)
    return line


def to_mca(line):
    """A disassembled line as llvm-mca takes it: branches lead to what follows."""
    line = to_condition(line)
    line = re.sub(r'\.[+-](0x)?[0-9a-f]+$', '.+8', line)
    return re.sub(r'^(b[a-z]*a?[+-]?\s+(?:.*,\s*)?)(?:0x[0-9a-f]+|-?\d+)$', r'\g<1>.+8', line) if re.match(r'b[a-z]*a\b', line) else line


def to_text(blocks, known):
    """LLVM's text of each block, without words that are not known; None where nothing is left."""
    words = sorted({w for b in blocks for w in b if w in known})
    text = {w: to_mca(t) for w, t in zip(words, disassemble(words)) if t}
    return ['\n'.join(text[w] for w in b if w in text) or None for b in blocks]


def known_words(model, words):
    """Those of which llvm-mca knows the cost: of what is left out there, the model leaves out the cost, too."""
    words = sorted(words)
    return {w for w, k in zip(words, run_bench('known', model + '-llvm', [(w,) for w in words])) if k}


def steady(first, all_of_them):
    """Cycles of a round, from those of the first rounds and of all. Whole numbers up to here: blocks that take the same are
    equal, to the last bit, or they were no ties for Kendall's tau."""
    return (all_of_them - first) / TIMES


def steady_cycles(cpu, texts):
    """Cycles of a round of each text as a loop, the first rounds left out."""
    first, all_of_them = mca_cycles(cpu, texts, WARM), mca_cycles(cpu, texts, WARM + TIMES)
    return [a and steady(f, a) for f, a in zip(first, all_of_them)]


def mca_cycles(cpu, texts, iterations, per_run=1500):
    """Cycles of so many iterations of each text, None: refused."""
    out = [None] * len(texts)
    for first in range(0, len(texts), per_run):
        regions = [(str(i), texts[i]) for i in range(first, min(first + per_run, len(texts))) if texts[i]]
        result, _, _ = mca(cpu, regions, '--iterations=%d' % iterations, '--instruction-info=0', '--resource-pressure=0')
        for region in result['CodeRegions']:
            if region.get('SummaryView') and region['Name']:
                out[int(region['Name'])] = region['SummaryView']['TotalCycles']
    return out


# ---- Figures ----

def run_bench(mode, model, lines, *args):
    text = '\n'.join(' '.join('%08x' % w for w in b) for b in lines) + '\n'
    out = subprocess.run([BENCH, mode, model, *args], input=text, check=True, stdout=subprocess.PIPE, encoding='ascii').stdout
    return [float(x) for x in out.split()]


def kendall(x, y):
    """Kendall's tau-b, by counting inversions."""
    n = len(x)
    pairs = sorted(zip(x, y))
    tied_x = sum(k * (k - 1) // 2 for k in counts(x))
    tied_y = sum(k * (k - 1) // 2 for k in counts(y))
    tied_both = sum(k * (k - 1) // 2 for k in counts(pairs))
    swaps = inversions([p[1] for p in pairs])[1]
    total = n * (n - 1) // 2
    score = total - tied_x - tied_y + tied_both - 2 * swaps
    return score / (((total - tied_x) * (total - tied_y)) ** .5 or 1)


def counts(values):
    seen = {}
    for v in values:
        seen[v] = seen.get(v, 0) + 1
    return seen.values()


def inversions(a):
    if len(a) < 2:
        return a, 0
    left, n = inversions(a[:len(a) // 2])
    right, k = inversions(a[len(a) // 2:])
    out, i, n = [], 0, n + k
    for r in right:
        while i < len(left) and left[i] <= r:
            out.append(left[i])
            i += 1
        out.append(r)
        n += len(left) - i
    return out + left[i:], n


def figures(ours, theirs):
    errors = sorted(abs(a / b - 1) for a, b in zip(ours, theirs))
    return {'blocks': len(errors), 'median': errors[len(errors) // 2], 'p90': errors[len(errors) * 9 // 10],
            'mean': sum(errors) / len(errors), 'ratio': sum(ours) / sum(theirs), 'tau': kendall(ours, theirs)}


def compare_blocks(model, blocks, theirs):
    taken = [i for i, cycles in enumerate(theirs) if cycles]
    words = [blocks[i][1] for i in taken]
    result = {}
    for name in (model + '-llvm', model):
        ours = run_bench('blocks', name, words, str(OUR_TIMES))
        for half in (0, 1):
            mine = [k for k, w in enumerate(words) if held_out(w) == half]
            result[name, half] = figures([ours[k] for k in mine], [theirs[taken[k]] for k in mine])
        result[name] = list(zip(taken, ours))
    return result


# ---- Traces ----

def trace_words(path, most):
    with open(path, 'rb') as f:
        data = f.read()
    at, words = 0, []
    while at < len(data) and len(words) < most:
        n, = struct.unpack_from('<I', data, at + 8)
        words += struct.unpack_from('<%dI' % n, data, at + 12)
        at += 12 + 4 * n
    return words[:most], data[:at]


def trace_mca(cpu, words, known, chunk=20000):
    """Cycles of the straight line, in chunks whose ends count little."""
    words = [w for w in words if w in known]
    texts = to_text([words[i:i + chunk] for i in range(0, len(words), chunk)], known)
    return sum(c for c in mca_cycles(cpu, texts, 1, 5) if c), len(words)


def cached(name, key, make):
    path = '%s/%s.json' % (OUT, name)
    try:
        with open(path) as f:
            old = json.load(f)
        if old['key'] == key:
            return old['value']
    except (OSError, ValueError, KeyError):
        pass
    value = make()
    with open(path, 'w') as f:
        json.dump({'key': key, 'value': value}, f)
    return value


def key_of(thing):
    return hashlib.sha256(repr(thing).encode()).hexdigest()


def compare_traces(model, directory, most):
    for path in sorted(glob.glob(directory + '/trace.*')):
        words, data = trace_words(path, most)
        known = known_words(model, set(words))
        theirs, n = cached('mca-%s-%s' % (model, os.path.basename(path)), key_of((words, sorted(known))), lambda: trace_mca(CPUS[model], words, known))
        row = {'trace': path.rsplit('.', 1)[1], 'mca': theirs, 'insns': n}
        for name in (model + '-llvm', model):
            out = subprocess.run([BENCH, 'trace', name], input=data, check=True, stdout=subprocess.PIPE).stdout.decode()
            row[name] = float(re.search(r'([\d.]+) cycles', out)[1])
        memo = subprocess.run([BENCH, 'memo', model], input=data, check=True, stdout=subprocess.PIPE).stdout.decode().split()
        row.update({memo[i]: float(memo[i + 1]) for i in range(0, len(memo), 2)})
        yield row


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--blocks', type=int, default=6000)
    parser.add_argument('--traces')
    parser.add_argument('--models', default=','.join(CPUS))
    parser.add_argument('--trace-insns', type=int, default=1000000)
    args = parser.parse_args()
    os.makedirs(OUT, exist_ok=True)
    report = {}
    blocks = [(p, tuple(b)) for p, b in cached('blocks', [args.blocks, sorted(PACKAGES.items())], lambda: sample_blocks(args.blocks))]
    for model in args.models.split(','):
        known = known_words(model, {w for _, b in blocks for w in b})
        texts = to_text([b for _, b in blocks], known)
        theirs = cached('mca-' + model, key_of((texts, WARM, TIMES)), lambda: steady_cycles(CPUS[model], texts))
        result = compare_blocks(model, blocks, theirs)
        for name in (model + '-llvm', model):
            for half in (0, 1):
                f = result[name, half]
                report['%s %s' % (name, ('tuned', 'held out')[half])] = f
                print('%-14s %-8s %5d blocks  median %5.1f %%  p90 %5.1f %%  mean %5.1f %%  ratio %.3f  tau %.3f' % (
                    name, ('tuned', 'held out')[half], f['blocks'], 100 * f['median'], 100 * f['p90'], 100 * f['mean'],
                    f['ratio'], f['tau']))
        write_scatter('%s/timing-%s.svg' % (OUT, model), [(theirs[i], c) for i, c in result[model + '-llvm']],
                      '%s with LLVM\'s figures: cycles of a block in a loop' % model, ('llvm-mca', 'cede'))
        if args.traces:
            for row in compare_traces(model, args.traces, args.trace_insns):
                report['%s trace %s' % (model, row['trace'])] = row
                print('%-10s %-10s %8d insns  mca %.3f CPI  as LLVM %+5.1f %%  ours %+5.1f %%  met1 %.3f met2 %.3f  pairs/blocks %.2f  %.0f bytes' % (
                    model, row['trace'], row['insns'], row['mca'] / row['insns'], 100 * (row[model + '-llvm'] / row['mca'] - 1),
                    100 * (row[model] / row['mca'] - 1), row['met1'], row['met2'], row['pairs'] / row['blocks'], row['bytes']))
    with open(OUT + '/timing.json', 'w') as f:
        json.dump(report, f, indent=1)


if __name__ == '__main__':
    main()
