"""A program that gcc has compiled for POWER10, on qemu-user and on cede: both write the same numbers.

usage: compiled.py [ROUNDS]      also says how long either took
"""
# needs: $B/tests/unit/run_p10
# needs: oracles
import os
import shutil
import subprocess
import sys

BUILD = os.environ.get('B', 'build')
QEMU = 'qemu-ppc64le'


def run(argv):
    begin = os.times().children_user
    out = subprocess.run(argv, stdout=subprocess.PIPE, check=False)
    return out.returncode, out.stdout.decode('ascii', 'replace'), os.times().children_user - begin


def main():
    rounds = sys.argv[1:2] or ['1']
    program, runner = BUILD + '/tests/p10', BUILD + '/tests/unit/run_p10'
    if not shutil.which(QEMU) or not os.path.exists(program):
        print('skip: no %s, or %s was not built' % (QEMU, program))
        return 77
    status, got, ours = run([runner, program] + rounds)
    wanted, want, theirs = run([QEMU, '-cpu', 'power10', program] + rounds)
    ok = status == wanted == 0 and got == want and len(want.split('\n')) == 5
    print('# %s rounds: cede %.2f s, qemu-user %.2f s' % (rounds[0], ours, theirs))
    if not ok:
        print('FAIL compiled: status %d, %d\ncede:\n%sqemu:\n%s' % (status, wanted, got, want))
        return 1
    print('ok compiled: %s' % ', '.join(line for line in want.split('\n') if line))
    return 0


sys.exit(main())
