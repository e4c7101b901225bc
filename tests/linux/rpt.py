"""Linux without tlbie: the hypervisor invalidates for it (-M cap-rpt-invalidate=on, and the kernel told to use it)."""
# needs: programs guest
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from console import CEDE, Folder, check, linux, main   # noqa: E402

CPUS = os.environ.get('CPUS', '1')
CAP = ('-M', 'cap-rpt-invalidate=on')
FIXED = ('-rtc', 'base=2026-01-31T12:00:00', '-d', 'statehash', '-clock', 'warp')
TROUBLE = r'BUG|Oops|WARNING|Call Trace|Unable to handle|Kernel panic|rcu:.*stall|soft lockup'
# Processes that come and go, so that their pages change hands.
WORK = ('for i in $(seq 1 20); do (seq $i 1000 | gzip | gunzip | md5sum >/tmp/out.$i) & done; wait; cat /tmp/out.* | md5sum; '
        'seq 1 20000 | sort -r | md5sum; dmesg')


def boot(*options, append=''):
    with open(os.devnull) as null, linux(*FIXED, *options, stdin=null, append=append + 'cede.cmd="%s"' % WORK, cpus=CPUS) as m:
        return m.wait(240), m.text, m.errors


def shell():
    """The same work by either way; the calls are made, and all of them succeed."""
    with Folder() as at:
        own = boot()
        asks = boot(*CAP, '-trace', 'hcall=H_RPT_INVALIDATE', '-D', at('trace'), append='radix_hcall_invalidate=on ')
        with open(at('trace')) as f:
            calls = [line for line in f if ' H_RPT_INVALIDATE(' in line]
    for name, said in ('own', own), ('asks', asks):
        bad = [line for line in said[1].splitlines() if re.search(TROUBLE, line)]
        check(said[0] == 0 and not bad and 'Using radix MMU' in said[1], name, (said[0], bad[:5], said[1][-300:]))
    sums = [re.findall('^[0-9a-f]{32}', said[1], re.M) for said in (own, asks)]
    check(len(sums[0]) == 2 and sums[0] == sums[1], 'same-work', sums)
    check(len(calls) > 100 and all(') = H_SUCCESS' in line for line in calls), 'calls', (len(calls), calls[:3]))
    check(CPUS == '1' or any('pid=0,' not in line for line in calls), 'of-processes', len(calls))


def saved():
    """A snapshot goes on where there is the call, and says so where there is none."""
    with Folder() as at:
        whole = boot(*CAP, '-save', at('s') + '@700000000', append='radix_hcall_invalidate=on ')

        def load(*options):
            p = subprocess.run([CEDE, '-smp', CPUS, '-m', '1G', '-nodefaults', '-nographic', '-serial', 'stdio', *FIXED, *options,
                                '-loadvm', at('s')], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
            return p.returncode, p.stdout, p.stderr
        rest, refused = load(*CAP), load()
        check(whole[0] == 0 and rest[0] == 0 and 'statehash=' in rest[2] and rest[2] == whole[2], 'goes-on', (whole[2], rest))
        check(refused[0] == 1 and len(refused[2].splitlines()) == 1 and 'spapr/cap/rpt_invalidate' in refused[2], 'refused', refused)


if __name__ == '__main__':
    main({'shell': shell, 'saved': saved})
