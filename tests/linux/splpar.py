"""An unmodified Debian kernel that shares processors: what it says of its dispatches, waits and steal, and
what the hypervisor's own log (-dtl) says of the same time."""
# needs: programs guest
import os
import re
import struct
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, '../splpar'))
from console import check, linux, main                          # noqa: E402
from dtlfile import GUEST, READY, RUNNING, WAITING, Log         # noqa: E402

CPUS = 4
STATS = '/proc/powerpc/vcpudispatch_stats'
VPA = '/sys/kernel/debug/powerpc/vpa/cpu-%d'
TROUBLE = r'BUG|Oops|WARNING|Call Trace|rcu:.*stall|soft lockup'
# Runnable threads, two for each processor, that fight for one pipe's lock.
LOAD = ('for i in 1 2 3 4 5 6 7 8; do (j=0; while [ $j -lt 12000 ]; do j=$((j+1)); done) & done; '
        'for i in 1 2 3 4; do (dd if=/dev/zero bs=64 count=9000 2>/dev/null | cat >/dev/null) & done; wait')


def numbers(text):
    return [int(n) for n in re.findall(r'\d+', text)]


def steal(text):
    """Of each processor, in hundredths of a second."""
    return [int(line.split()[8]) for line in re.findall(r'^cpu\d+(?: \d+){10}$', text, re.M)]


DUMP = '; '.join('hexdump -v -e \'16/1 "%%02x" "\\n"\' %s' % (VPA % n) for n in range(CPUS))


def dumped(text):
    """What DUMP has printed in it, each time: the VPA of each processor."""
    data = bytes.fromhex(''.join(re.findall(r'^[0-9a-f]{32}$', text, re.M)))
    each = [data[i:i + 640] for i in range(0, len(data), 640)]
    return [each[i:i + CPUS] for i in range(0, len(each), CPUS)]


def vpas(m):
    return dumped(m.command(DUMP))[0]


def u32(vpa, at):
    return struct.unpack_from('>I', vpa, at)[0]


def u64(vpa, at):
    return struct.unpack_from('>Q', vpa, at)[0]


def outside(log):
    """Of each virtual processor, after each dispatch: (dispatches, moves, ticks in intervals 1, 2, 3)."""
    out = [[(0, 0, 0, 0, 0)] for _ in range(CPUS)]
    state, since, place, waits = [0] * CPUS, [0] * CPUS, [None] * CPUS, [[0, 0, 0] for _ in range(CPUS)]
    for r in log.records:
        if r.partition != GUEST:
            continue
        n = r.vp
        if state[n] != RUNNING:
            waits[n][1 if state[n] == WAITING else 2 if state[n] == READY else 0] += r.cycle - since[n]
        state[n], since[n] = r.state, r.cycle
        if r.state == RUNNING:
            count, moves = out[n][-1][:2]
            moves += place[n] is not None and place[n] != r.physical
            place[n] = r.physical
            out[n].append((count + 1, moves) + tuple(w * log.tb_hz // log.hz for w in waits[n]))
    return out


def moments(vpa, history):
    """The dispatches that may have left the VPA behind, by their numbers in the log: several, if a processor went on at
    once each time and so waited no longer."""
    seen = (u32(vpa, 0x104), u64(vpa, 0x168), u64(vpa, 0x160), u64(vpa, 0x158))
    return [count for count, moves, one, two, three in history
            if seen[0] == moves and all(abs(a - b) <= 1 for a, b in zip(seen[1:], (one, two, three)))]


def agrees(vpa, history):
    """Is the VPA what some dispatch left behind? Its number in the log, the first that it can be, or None."""
    return next(iter(moments(vpa, history)), None)


def log():
    """Four virtual processors on two physical ones, of which others want half of one."""
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, 'log')
        with linux('-clock', 'warp', '-pool', 'procs=2,mode=uncapped,load=0.5', '-dtl', path, cpus=str(CPUS)) as m:
            m.shell(200)
            said = m.command('dmesg')
            check('PV qspinlock hash table entries' in said, 'paravirtual-spinlocks')
            check('Shared Cede' in m.command('cat /sys/devices/system/cpu/cpu0/cpuidle/state*/name'), 'Shared-Cede')
            first = vpas(m)
            check(all(len(v) == 640 for v in first), 'vpa-dumps', [len(v) for v in first])
            before = steal(m.command('cat /proc/stat'))
            check('off' in m.command('cat ' + STATS), 'stats-off-at-first')
            # One line: the guest does not wait for us in between, and so nothing else happens there.
            m.send('f() { %s; echo 1 >%s; %s; cat %s; %s; }\n' % (DUMP, STATS, LOAD, STATS, DUMP))
            text = m.command('f', 300)
            inner = dumped(text)
            m.command('echo 0 >%s' % STATS)
            after = steal(m.command('cat /proc/stat'))
            rows = [numbers(line)[1:] for line in text.splitlines() if re.match(r'cpu\d+ \d', line) and len(line.split()) == 9]
            last = vpas(m)
            bad = [line for line in m.command('dmesg').splitlines() if re.search(TROUBLE, line)]
            check(not bad, 'dmesg', bad[:5])
            m.send('poweroff -f\n')
            m.wait(60)
        judge(Log(path), first, last, inner, [b - a for a, b in zip(before, after)], rows)


def waited(a, b, hz):
    """Intervals 2 and 3 between two VPAs, in hundredths of a second."""
    return (u64(b, 0x158) + u64(b, 0x160) - u64(a, 0x158) - u64(a, 0x160)) * 100 / hz


def judge(outer, first, last, inner, stolen, rows):
    check(outer.trouble() == '', 'log-in-itself', outer.trouble())
    history = outside(outer)
    begun = [moments(first[n], history[n]) for n in range(CPUS)]
    ended = [moments(last[n], history[n]) for n in range(CPUS)]
    for n in range(CPUS):
        check(begun[n] and ended[n] and begun[n][0] < ended[n][-1], 'cpu%d-vpa-is-a-moment-of-the-log' % n,
              (begun[n], ended[n]))
        # The count starts at 2 when the VPA is registered, in the first dispatch or later: a constant apart.
        if begun[n] and ended[n]:
            apart = (u32(last[n], 0x100) + 1) // 2 - (u32(first[n], 0x100) + 1) // 2
            least, most = ended[n][0] - begun[n][-1], ended[n][-1] - begun[n][0]
            check(least - 1 <= apart <= most + 1 and most - least < 20, 'cpu%d-dispatch-count' % n, (apart, least, most))
        # /proc/stat was read between the first two and the last two VPAs; it has a hundredth as its unit, twice.
        least, most = waited(inner[0][n], inner[1][n], outer.tb_hz), waited(first[n], last[n], outer.tb_hz)
        check(least - 2 <= stolen[n] <= most + 2 and least > 10, 'cpu%d-steal-is-that-of-the-log' % n, (stolen[n], least, most))
        check(last[n][9] & 2, 'cpu%d-status-says-shared' % n)
    check(len(rows) == CPUS and all(len(r) == 8 for r in rows), 'stats-rows', rows)
    for n, row in enumerate(rows):
        check(row[0] > 50 and row[0] == row[1] + row[2], 'cpu%d-dispatches-are-each-somewhere' % n, row)
        check(row[3] == row[4] == row[6] == row[7] == 0 and row[5] == row[0], 'cpu%d-one-chip-is-home' % n, row)
    compare_stats(rows, [[agrees(v[n], history[n]) for n in range(CPUS)] for v in inner], history)


def compare_stats(rows, ends, history):
    """The rows are of an interval within: somewhere in the log there are as many dispatches in a row with as
    many on another processor; and no more than between the two VPAs."""
    for n, row in enumerate(rows):
        h = history[n]
        begun, ended = ends[0][n] or 0, ends[1][n] or 0
        most = ended - begun
        same, moved, size = row[1], row[2], row[0]
        fits = any(h[i + size][1] - h[i][1] == moved for i in range(begun, ended + 1 - size))
        check(size <= most, 'cpu%d-no-more-dispatches-than-there-were' % n, (size, most))
        # The programs between the two VPAs and the load are dispatched, too: some 10 times, or 80 when they wait for a lock.
        check(size >= most / 2, 'cpu%d-hardly-fewer' % n, (size, most))
        check(fits, 'cpu%d-dispersions-are-those-of-the-log' % n, (same, moved))


def confer():
    """More runnable threads than processors, on a pool that is busy: the kernel confers and prods."""
    with tempfile.NamedTemporaryFile() as trace:
        with linux('-clock', 'warp', '-pool', 'procs=2,mode=uncapped,load=0.5', '-d', 'hcall', '-D', trace.name,
                   cpus=str(CPUS)) as m:
            m.shell(300)
            for _ in range(8):      # whether two want one lock at a time is a matter of when what is typed arrives
                m.command(LOAD, 300)
                with open(trace.name, errors='replace') as f:
                    seen = f.read()
                if ' H_CONFER' in seen and ' H_PROD' in seen:
                    break
            m.send('poweroff -f\n')
            m.wait(60)
        with open(trace.name, errors='replace') as f:
            text = f.read()
        calls = {name: len(re.findall(r' %s\b' % name, text)) for name in ('H_CEDE', 'H_CONFER', 'H_PROD', 'H_REGISTER_VPA')}
        check(calls['H_CEDE'] > 100, 'cedes', calls)
        check(calls['H_CONFER'] > 0, 'confers', calls)
        check(calls['H_PROD'] > 0, 'prods', calls)
        check(not re.search(r'H_(CONFER|PROD|CEDE|REGISTER_VPA).* = -', text), 'none-was-refused')


def one():
    """Two virtual processors on one: what wakes the second is served, which says in its VPA that it is idle."""
    with linux('-clock', 'warp', '-pool', 'procs=1', cpus='2') as m:
        m.shell(200)
        check(m.command('taskset 2 sh -c "echo on the second"', 60).strip().endswith('on the second'), 'the-second-works')
        m.send('poweroff -f\n')
        m.wait(60)


main({f.__name__: f for f in (log, confer, one)})
