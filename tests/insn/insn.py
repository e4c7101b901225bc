"""Runs insn_test on its oracle, which needs qemu-user and a program built with a cross compiler; or on decimal_judge.py or
vector_judge.py, mma_judge.py or float_judge.py, which need neither and know the rows of their kind alone.

usage: insn.py [-s] [-p] le|be|le8|be8|le-rows|be-rows|decimal|vector|mma|float SETS SEED [NAME...]
  le-rows, be-rows: SETS sequences of 24 rows, each on what those before have left
  -s: the sanitizer build of insn_test    -p: the plain handlers, as on a host with nothing of cpu/core/host.h
"""
# needs: $B/tests/insn_test
# needs [le be le8 be8]: oracles
# needs [-s]: $B/san/tests/insn_test
import os
import re
import shutil
import subprocess
import sys
import tempfile

BUILD = os.environ.get('B', 'build')
QEMU = {'le': 'qemu-ppc64le', 'be': 'qemu-ppc64'}
QEMU.update({order + kind: QEMU[order] for order in ('le', 'be') for kind in ('8', '-rows')})
MANY = 10000     # operand sets of a row: from there on, qemu-user need not translate anew for each
LEVELS = [('P8', 'power8', 390), ('P9', 'power9', 520), ('P10', 'power10', 640)]     # of sequences
# What runs one after the other: options of insn_test, the oracle's processor, and how many rows there are at least. If
# fewer are compared, the table or the list of rows to leave out has gone wrong.
RUNS = {
    'le': [([], 'power9', 830), (['-u', '-n', '32'], 'power9', 230), (['-l', 'P10', '-o'], 'power10', 230)],
    'be': [(['-b'], 'power9', 830), (['-b', '-l', 'P10', '-o'], 'power10', 230)],
    'le8': [(['-l', 'P8'], 'power8', 678), (['-l', 'P8', '-u', '-n', '32'], 'power8', 420)],
    'be8': [(['-b', '-l', 'P8'], 'power8', 684)],
    'le-rows': [(['-q', '24', '-l', level], model, least) for level, model, least in LEVELS],
    'be-rows': [(['-b', '-q', '24', '-l', level], model, least) for level, model, least in LEVELS],
    'decimal': [(['-d', '-l', 'P10'], None, 54)],
    'float': [(['-f'], None, 289), (['-f', '-l', 'P10', '-o'], None, 11)],
    'vector': [(['-l', 'P10', '-x', 'tests/insn/vector_open.list'], None, 177)],
    'mma': [(['-l', 'P10', '-o'], None, 67)],
}


def mma_names():
    with open('cpu/table/insn_mma.def') as f:
        return re.findall(r'^INSN\((\w+)', f.read(), re.M) + ['xxeval', 'xxpermx'] + ['xxblendv' + t for t in 'bhwd']


def float_names():
    """POWER10's: the judge leaves outer products to mma_judge.py, xvtlsbb to vector_judge.py."""
    names = []
    for path in 'cpu/table/insn_vsx.def', 'cpu/table/insn_vsx_vector.def':
        with open(path) as f:
            names += re.findall(r'^INSN\((xs\w+|xvcv\w+),.* P10,', f.read(), re.M)
    return names


def exceptions(qemu, at):
    """The list that holds beside this QEMU, in an open file: with what is so since 7.2, if it is a later one."""
    version = subprocess.run([qemu, '--version'], capture_output=True, text=True).stdout
    major = int(re.search(r'version (\d+)', version).group(1))
    for name in ['exceptions.list'] + ['exceptions_10.list'] * (major >= 10):
        with open('tests/insn/' + name) as f:
            at.write(f.read())
    at.flush()
    return at.name


def main():
    with tempfile.NamedTemporaryFile('w', prefix='cede-test-') as listed:
        return compare(listed)


def compare(listed):
    args = sys.argv[1:]
    sanitized = '-s' in args
    if '-p' in args:
        os.environ['CEDE_HOST'] = 'baseline'
    args = [a for a in args if a not in ('-s', '-p')]
    order, sets, seed, names = args[0], args[1], args[2], args[3:]
    judge = QEMU.get(order) or sys.executable + ' -B'
    program = BUILD + ('/san' if sanitized else '') + '/tests/insn_test'
    oracle = '%s/tests/oracle-%s' % (BUILD, order[:2]) if order in QEMU else 'tests/insn/%s_judge.py' % order
    every = not names
    if order == 'mma' and every:
        names = mma_names()
    if not shutil.which(judge.split()[0]):
        print('skip: no', judge)
        return 77
    for f in program, oracle:
        if not os.path.exists(f):
            print('skip: %s was not built' % f)
            return 77
    known = exceptions(judge, listed) if order in QEMU else None
    failed, rows = 0, 0
    for options, processor, least in RUNS[order]:
        argv = [program, '-n', sets, '-s', seed] + options
        if processor:       # the judges' answers are compared to the last bit
            argv += ['-r', '8'] * (int(sets) >= MANY)
            argv += ['-x', known, '%s -cpu %s %s' % (judge, processor, oracle)]
        else:
            argv += ['%s %s' % (judge, oracle)]
        if order == 'vector' and not names:
            argv += subprocess.run([*judge.split(), oracle, 'names'], check=True, stdout=subprocess.PIPE).stdout.decode().split()
        if order == 'float' and '-o' in options and not names:
            argv += float_names()
        p = subprocess.run(argv + names, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        text = p.stdout.decode('utf-8', 'replace')
        if names and re.search(r'^0 instructions agree, 0 do not', text, re.M):
            continue        # that generation has none of these
        print('%s%s' % (processor + ': ' if processor else '', text), end='')
        m = re.search(r'^(\d+) instructions agree', text, re.M)
        rows += int(m.group(1)) if m else 0
        if p.returncode or not m or (every and int(m.group(1)) < least):
            print('FAIL insn-%s: status %d%s' % (order, p.returncode, ', %s' % processor if processor else ''))
            failed = 1
    if not failed and rows:
        print('ok insn-%s: %d rows, %s operand sets each' % (order, rows, sets))
    return failed or not rows


sys.exit(main())
