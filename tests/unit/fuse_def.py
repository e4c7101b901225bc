#!/usr/bin/env python3
"""cpu/table/fuse.def is what tools/dev/fuse_pick.py makes of tools/dev/fuse.counts, byte for byte; and what becomes of
a profile's blocks on the way to counts.

usage: fuse_def.py"""
# needs: nothing
import os
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PICK = os.path.join(TOP, 'tools/dev/fuse_pick.py')
failed = 0

# Two blocks of the same code but for registers and immediates, and left in their middle, on from an exit and its
# edges: what they run is added up. No sequence takes mfspr; the last row never runs and is not kept.
BOOT = """total 6300 0
block 1000 5000 38630001:addi
op 1000 addi 3 3 0 0 1
op 1000 cmpwi 7 3 0 0 0
op 1000 bc_t_exit_near 7 2 0 0 64
op 0 edges 0 0 0 0 0
op 600 mfspr 4 0 0 0 8
op 600 sldi 5 6 0 60 3
op 600 add 5 5 7 0 0
block 500 6000 38840001:addi
op 500 addi 9 9 0 0 2
op 500 cmpwi 7 9 0 0 4
op 500 bc_t_exit_near 7 2 0 0 72
op 0 edges 0 0 0 0 0
op 0 mfspr 4 0 0 0 8
op 0 sldi 5 6 0 60 3
op 0 ld 5 5 0 0 8
"""
# All 6300 runs are a boot's share, and that weighs 4: 4 * 10^9, which is rounded down op by op.
WANT = ['total 3999999993',
        '380952380 sldi:0,1,0,60,3 add:0,0,2',
        '952380951 addi cmpwi:7 bc_t_exit_near:7,2']


def check(ok, name, detail=''):
    global failed
    failed += not ok
    print('ok %s' % name if ok else 'FAIL %s: %s' % (name, detail))


def run(*arguments):
    return subprocess.run([PICK, *arguments], stdout=subprocess.PIPE, check=True).stdout.decode()


with open(os.path.join(TOP, 'cpu/table/fuse.def'), encoding='utf-8') as f:
    check(f.read() == run(), 'fuse.def-is-made-from-its-counts', 'make fuse, or undo what was done by hand')
with tempfile.NamedTemporaryFile('w') as f:
    f.write(BOOT)
    f.flush()
    said = [line for line in run('--counts', f.name + '=4').splitlines() if line[0] != '#']
check(said == WANT, 'counts-of-a-profile', '\n'.join(said))
sys.exit(1 if failed else 0)
