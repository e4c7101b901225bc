"""A hash guest's translations cost time under the models: its ERATs and TLBs miss, and the groups of its table are read."""
# needs: programs guests
import os
import re
import subprocess
import sys

B = os.environ['B']
MODELS = ('power8', 'power9', 'power10')
failed = False


def cycles(timing):
    run = subprocess.run([os.environ['CEDE'], '-m', '256M', '-smp', '4', '-nodefaults', '-nographic', '-serial', 'stdio', '-clock', 'warp',
                          '-rtc', 'base=2026-01-31T12:00:00', '-d', 'statehash', '-timing', timing,
                          '-kernel', B + '/tests/guest/hash-le.elf'], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100)
    found = re.search(r' cycles=(\d+) ', run.stderr)
    return int(found.group(1)) if run.returncode == 0 and found else 0


def check(ok, what, *more):
    global failed
    failed |= not ok
    print('ok' if ok else 'FAIL', what, *more)


for model in MODELS:
    free, paid, read = (cycles(model + ',smt=off,branches=off' + parts) for parts in (',caches=off,tlb=off', ',caches=off', ''))
    without = cycles(model + ',smt=off,branches=off,tlb=off')
    check(free and paid > free, model + ': misses are paid for', free, paid)
    check(without and read - without > paid - free, model + ': and so are reads of groups', without, read)
sys.exit(failed)
