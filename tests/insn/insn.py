"""Runs insn_test on its oracle, which needs qemu-user and a program built with a cross compiler; or on decimal_judge.py or
float_judge.py, which need neither and know the rows of their kind of number alone.

usage: insn.py [-s] [-p] le|be|decimal|float SETS SEED [NAME...]
  -s: the sanitizer build of insn_test    -p: the plain handlers, as on a host with nothing of cpu/core/host.h
"""
# needs: $B/tests/insn_test
# needs [le be]: oracles
# needs [-s]: $B/san/tests/insn_test
import os
import re
import shutil
import subprocess
import sys

BUILD = os.environ.get('B', 'build')
# Fewer rows compared than this: the table or the list of rows to leave out has gone wrong.
MIN_ROWS = {'le': 830, 'be': 830, 'decimal': 54, 'float': 289}
JUDGES = {'decimal': '-d', 'float': '-f'}


def main():
    args = sys.argv[1:]
    sanitized = '-s' in args
    if '-p' in args:
        os.environ['CEDE_HOST'] = 'baseline'
    args = [a for a in args if a not in ('-s', '-p')]
    order, sets, seed, names = args[0], args[1], args[2], args[3:]
    qemu = {'le': 'qemu-ppc64le', 'be': 'qemu-ppc64'}.get(order) or sys.executable + ' -B'
    program = BUILD + ('/san' if sanitized else '') + '/tests/insn_test'
    oracle = 'tests/insn/%s_judge.py' % order if order in JUDGES else '%s/tests/oracle-%s' % (BUILD, order)
    if not shutil.which(qemu.split()[0]):
        print('skip: no', qemu)
        return 77
    for f in program, oracle:
        if not os.path.exists(f):
            print('skip: %s was not built' % f)
            return 77
    argv = [program, '-n', sets, '-s', seed] + ([JUDGES[order]] if order in JUDGES else ['-b'] if order == 'be' else [])
    if order not in JUDGES:      # whose answers are compared to the last bit
        argv += ['-x', 'tests/insn/exceptions.list']
    p = subprocess.run(argv + ['%s %s' % (qemu, oracle)] + names, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = p.stdout.decode('utf-8', 'replace')
    print(text, end='')
    m = re.search(r'^(\d+) instructions agree', text, re.M)
    if p.returncode or not m or (not names and int(m.group(1)) < MIN_ROWS[order]):
        print('FAIL insn-%s: status %d' % (order, p.returncode))
        return 1
    print('ok insn-%s: %s rows, %s operand sets each' % (order, m.group(1), sets))
    return 0


sys.exit(main())
