"""Guests whose cycles are dear: whatever they do, a million of them take the host a bounded time. The bound is
far above what a busy host needs, and what had no bound was far above that."""
# needs: programs guests
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../linux'))
from console import CEDE, Failure, Machine, check, main, skip     # noqa: E402

BUILD = os.environ.get('B', 'build')
# What and how many processors. CPU seconds for a million cycles of one, or a quantum of all.
WAYS = {'stores': '1', 'decoding': '1', 'jumps': '1', 'broadcasts': '64', 'parts': '1', 'words': '1'}
LIMIT = 2.0


def cpu_seconds(pid):
    with open('/proc/%d/stat' % pid) as f:
        fields = f.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def one(order, way, cpus):
    path = '%s/tests/guest/dear-%s.elf' % (BUILD, order)
    if not os.path.exists(path):
        skip(path + ' was not built: no cross compiler?')
    with Machine('-kernel', path, cpus=cpus, ram='256M') as m:
        try:
            m.expect('ready', 60)
            m.send(way[0])
            m.expect('go\n', 120)
            began, until = cpu_seconds(m.process.pid), time.monotonic() + 60
            took = 0
            while 'cycles\n' not in m.text and m.pump(0.02) and took <= LIMIT and time.monotonic() < until:
                took = cpu_seconds(m.process.pid) - began
            check(took <= LIMIT and 'cycles\n' in m.text, '%s-%s' % (order, way), '%.2f s' % took)
            print('# %s-%s: %.2f s, %s' % (order, way, took, m.text[m.text.find('end'):].split('\n')[0]))
        except Failure as e:
            check(False, '%s-%s' % (order, way), e)


def bounded():
    for i, (way, cpus) in enumerate(WAYS.items()):
        one(('le', 'be')[i % 2], way, cpus)


def little_room():
    """What is mapped is for the processors that there are: 800 MB of addresses are enough for 256 MB."""
    path = BUILD + '/tests/guest/hostile-le.elf'
    if not os.path.exists(path):
        skip(path + ' was not built: no cross compiler?')
    argv = [CEDE, '-M', 'pseries', '-m', '256M', '-nographic', '-serial', 'null', '-kernel', path]
    p = subprocess.run(['sh', '-c', 'ulimit -v 800000; exec "$@"', 'sh'] + argv, stdin=subprocess.DEVNULL,
                       stderr=subprocess.PIPE, text=True, timeout=50)
    check(p.returncode == 0 and not p.stderr, 'little-room', 'status %d, %s' % (p.returncode, p.stderr))


main({f.__name__: f for f in (bounded, little_room)})
