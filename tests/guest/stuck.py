"""Guests that have lost their way: cede stays alive, does not eat the host, and ends when told to."""
# needs: programs guests
import os
import signal
import sys
import tempfile
import time
from collections import Counter

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../linux'))
from console import Failure, Machine, check, main, skip     # noqa: E402

BUILD = os.environ.get('B', 'build')
LETTERS = 'bvnmdxcsjpwtehl'
GROWTH_KIB = 64 * 1024
CPU_HZ = 1024000000
LINES_PER_SECOND = 200      # machine/core/log.c, and one that says so


def image(order):
    path = '%s/tests/guest/stuck-%s.elf' % (BUILD, order)
    if not os.path.exists(path):
        skip(path + ' was not built: no cross compiler?')
    return path


def resident(pid):
    with open('/proc/%d/status' % pid) as f:
        return next(int(line.split()[1]) for line in f if line.startswith('VmRSS'))


def one(order, letter, number, *options):
    name = '%s-%s%s' % (order, letter, '-' + options[0].strip('-') if options else '')
    with Machine('-kernel', image(order), *options, cpus='2', ram='256M') as m:
        try:
            m.expect('ready', 20)
            m.send(letter)
            m.pump(0)
            until = time.monotonic() + 0.4
            while time.monotonic() < until:
                m.pump(0.05)
            before = resident(m.process.pid)
            until = time.monotonic() + 0.6
            while time.monotonic() < until:
                m.pump(0.05)
            alive = m.process.poll() is None
            grown = resident(m.process.pid) - before if alive else 0
            m.kill(number)
            status = m.wait(10)
            lines = [s for s in m.errors.splitlines() if not s.startswith(('cede: guest', 'cede: -clock warp'))]
            check(alive and status == 1 and grown < GROWTH_KIB and len(lines) == 1, name,
                  'alive %s, status %s, grown by %d KiB, stderr %r' % (alive, status, grown, m.errors[:300]))
        except Failure as e:
            check(False, name, e)


def all_ways():
    for i, letter in enumerate(LETTERS):
        one(('le', 'be')[i % 2], letter, (signal.SIGTERM, signal.SIGINT)[i // 2 % 2])
    one('le', 'c', signal.SIGTERM, '-clock', 'warp')


def reboots():
    """System-reboot again and again, and nothing piles up."""
    with Machine('-kernel', image('le'), '-clock', 'warp', cpus='2', ram='256M') as m:
        before = 0
        for i in range(60):
            m.expect('ready', 20)
            if i == 10:
                before = resident(m.process.pid)
            m.send('r')
        m.expect('ready', 20)
        grown = resident(m.process.pid) - before
        check(grown < 8 * 1024, 'nothing-piles-up', '%d KiB in 50 reboots' % grown)
        m.kill(signal.SIGTERM)
        check(m.wait(10) == 1, 'status')


def complaints():
    """What a guest does wrong, again and again, does not fill the disk: so many lines in a second of its own."""
    with tempfile.NamedTemporaryFile() as log:
        with Machine('-kernel', image('le'), '-clock', 'warp', '-d', 'unimp', '-D', log.name, cpus='2', ram='256M') as m:
            m.expect('ready', 20)
            m.send('v')
            time.sleep(1)
            m.kill(signal.SIGTERM)
            check(m.wait(10) == 1, 'status')
        seconds = Counter(int(line.split()[0]) // CPU_HZ for line in log)
        check(seconds and max(seconds.values()) == LINES_PER_SECOND + 1, 'lines', seconds.most_common(3))


main({f.__name__: f for f in (all_ways, reboots, complaints)})
