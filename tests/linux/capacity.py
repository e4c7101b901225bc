"""What an unmodified Debian kernel makes of chips, homes and energy hints."""
# needs: programs guest
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from console import check, linux, main   # noqa: E402

TROUBLE = r'BUG|Oops|WARNING|Call Trace|broken|pseries_energy|drc_index'
CPU = '/sys/devices/system/cpu'


def numbers(text):
    return [int(n) for n in re.findall(r'\d+', text)]


def chips():
    """Four chips, two cores of two threads at home on the first: nodes, distances, dispatches."""
    with linux('-clock', 'warp', '-pool', 'procs=4,chips=4,load=1', cpus='10,threads=2') as m:
        m.shell()
        want = [[10, 20, 40, 40], [20, 10, 40, 40], [40, 40, 10, 20], [40, 40, 20, 10]]
        got = [numbers(line) for line in m.command('cat /sys/devices/system/node/node[0-3]/distance').splitlines()]
        check(got == want, 'distances', got)
        got = m.command('cat /sys/devices/system/node/node[0-3]/cpulist').split()
        check(got == ['0-1,8-9', '2-3', '4-5', '6-7'], 'homes', got)
        m.command('echo 1 >/proc/powerpc/vcpudispatch_stats')
        m.command('for i in 1 2 3 4 5 6 7 8 9 10; do (j=0; while [ $j -lt 5000 ]; do j=$((j+1)); done) & done; wait')
        rows = [numbers(line)[1:] for line in m.command('cat /proc/powerpc/vcpudispatch_stats').strip().splitlines()]
        check(len(rows) == 10 and all(row[0] for row in rows), 'dispatches', rows)
        # Same processor, same chip, neighbours, farther: of all that was counted each is in one.
        check(all(row[0] == sum(row[1:5]) == sum(row[5:8]) for row in rows), 'each-is-somewhere', rows)
        total = [sum(column) for column in zip(*rows)]
        check(total[2] == 0 and total[3] and total[4], 'moves', total)      # a chip has one processor
        check(total[5] and total[6] and total[7], 'away-from-home', total)
        bad = [line for line in m.command('dmesg').splitlines() if re.search(TROUBLE, line)]
        check(not bad, 'dmesg', bad[:5])


def hints():
    """Energy hints name processors that there are: those to release that run, to activate that do not."""
    with linux('-clock', 'warp', cpus='4') as m:
        m.shell()
        m.command('echo 0 >%s/cpu3/online' % CPU)
        got = numbers(m.command('cat %s/pseries_activate_hint_list' % CPU))
        check(got == [3], 'activate', got)
        got = numbers(m.command('cat %s/pseries_deactivate_hint_list' % CPU))
        check(sorted(got) == [0, 1, 2], 'release', got)
        for _ in range(10):     # how much each has run changes between the two questions
            first = numbers(m.command('cat %s/pseries_deactivate_hint_list' % CPU))[0]
            got = numbers(m.command('cat %s/cpu[0-2]/pseries_deactivate_hint' % CPU))
            if got[first] == min(got):
                break
        check(len(got) == 3 and got[first] == min(got) < 255, 'priorities', got)
        got = numbers(m.command('cat %s/cpu[0-2]/pseries_activate_hint' % CPU))
        check(got == [255] * 3, 'nothing-to-activate', got)
        bad = [line for line in m.command('dmesg').splitlines() if re.search(TROUBLE, line)]
        check(not bad, 'dmesg', bad[:5])


main({f.__name__: f for f in (chips, hints)})
