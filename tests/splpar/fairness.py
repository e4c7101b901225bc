#!/usr/bin/env python3
"""Does everybody get what the parameters say? Busy guests under pools, judged by what -dtl wrote.

usage: fairness.py weights | capped | load [WINDOWS]; B and CEDE as in tests/run."""
# needs: programs guests
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '../linux'))
sys.path.insert(0, HERE)
from console import CEDE, Failure, check, main, skip    # noqa: E402
from dtlfile import GUEST, LOAD, RUNNING, Log           # noqa: E402

BUILD = os.environ.get('B', 'build')
WINDOWS = int(sys.argv.pop(2)) if len(sys.argv) > 2 else 400
WINDOW_MS = 1           # the shortest there is, so that a thousand take the host seconds
FIRST = 60              # windows until all are busy
EXACT = 0.01


def run(pool, cpus):
    image = BUILD + '/tests/guest/splpar_busy-%s.elf' % ('le', 'be')[cpus % 2]
    if not os.path.exists(image):
        skip(image + ' was not built: no cross compiler?')
    with tempfile.NamedTemporaryFile() as f:
        p = subprocess.run([CEDE, '-M', 'pseries', '-m', '256M', '-smp', str(cpus), '-nodefaults', '-nographic', '-serial', 'stdio',
                            '-clock', 'warp', '-kernel', image, '-append', 'ms=%d' % ((WINDOWS + FIRST + 20) * WINDOW_MS),
                            '-pool', pool + ',window=%dms' % WINDOW_MS, '-dtl', f.name],
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if p.returncode:
            raise Failure('status %d: %s' % (p.returncode, p.stdout.decode()))
        return Log(f.name)


def judge(pool, cpus, want, loads=None):
    """`want`, `loads`: processors that the guest and the load are to have."""
    log = run(pool, cpus)
    start, end = FIRST * log.window, (FIRST + WINDOWS) * log.window
    times = log.times(start, end)
    each = [times[GUEST, i][RUNNING] / (end - start) for i in range(cpus)]
    got, load = sum(each), sum(times[LOAD, i][RUNNING] for i in range(log.loads)) / (end - start)
    name = '%s-%d' % (pool, cpus)
    check(log.trouble() == '', name + '-log', log.trouble())
    check(abs(got - want) <= EXACT * want, name + '-time', '%.4f processors, %.4f are due' % (got, want))
    if loads is not None:
        check(abs(load - loads) <= EXACT * (loads or 1), name + '-load', '%.4f processors, %.4f are due' % (load, loads))
    check(got + load <= log.procs, name + '-no-more-than-there-is')
    check(min(each) >= 0.97 * max(each), name + '-all-alike', ' '.join('%.4f' % e for e in each))
    # A slice is a tenth of a window; in turn, each waits for the slices of all the others, and for a new window.
    longest = max(log.longest_wait((GUEST, i), start, end) for i in range(cpus)) / log.window
    check(longest <= 2 + 2 * cpus * 0.1 / min(want, 1), name + '-nobody-starves', '%.2f windows' % longest)


def weights():
    """What is left beyond the entitlements goes by weight."""
    for weight in 64, 128, 192:
        for load_weight in 128, 64:
            want = .2 + .6 * weight / (weight + load_weight)
            judge('procs=1,entitlement=0.2,weight=%d,load=1,load-entitlement=0.2,load-weight=%d' % (weight, load_weight), 2,
                  want, 1 - want)
        # Each of the load's two can have a processor, and so can each of the guest's three.
        want = .5 + 1 * weight / (weight + 128)
        judge('procs=2,entitlement=0.5,weight=%d,load=2,load-entitlement=0.5' % weight, 3, want, 2 - want)
    judge('procs=1,entitlement=0.3,weight=0,load=1,load-entitlement=0.2', 2, .3, .7)
    judge('procs=1,entitlement=0.3,weight=128,load=1,load-entitlement=0.2,load-weight=0', 2, .8, .2)


def capped():
    """No more and no less than it is entitled to, alone in the pool or not."""
    for hundredths in 10, 25, 50, 100, 150, 200:
        e = hundredths / 100
        judge('procs=2,mode=capped,entitlement=%.2f' % e, 4, e)
        judge('procs=2,mode=capped,entitlement=%.2f,load=2,load-entitlement=%.2f' % (e, 2 - e), 4, e, 2 - e)
    judge('procs=1,mode=capped,entitlement=0.33', 1, .33)
    judge('procs=3,mode=capped,entitlement=1.50', 4, 1.5)
    judge('procs=4,mode=capped,entitlement=0.50', 3, .5)


def load():
    """Others want less than they could have: they get it, and the guest what is left."""
    judge('procs=2,load=0.5', 4, 1.5, .5)
    judge('procs=2,load=1.5,load-entitlement=0.5', 4, 1.5, .5)
    judge('procs=2,load=1', 4, 1, 1)        # one that has no time to lose
    judge('procs=3,load=1.5', 5, 1.5, 1.5)
    judge('procs=1,load=0.25', 2, .75, .25)
    judge('procs=1,load=0.9,load-entitlement=0', 2, 1, 0)
    judge('procs=3', 5, 3)
    judge('procs=2', 3, 2)


main({f.__name__: f for f in (weights, capped, load)})
