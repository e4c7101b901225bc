"""Linux's perf on the performance monitor: Debian's own, in an initrd with the libraries that it needs."""
# needs: programs guest guest-perf linux-programs
import os
import re
import subprocess
import sys

import libraries
from console import CEDE, GUEST, INITRD, KERNEL, Failure, Folder, check, linux, main, need

CPUS = os.environ.get('CPUS', '1')
TREE = GUEST + '/perf'
HOT = os.path.join(os.environ.get('B', 'build'), 'tests/linux/hot')
INSNS = 3300000                 # of that program: its loops
STORES = os.path.join(os.environ.get('B', 'build'), 'tests/linux/stores')
ROUNDS, CALLS = 500, 10         # of that one: a store each, half as many loads; calls in which the kernel stores


def packed(folder, **more):
    """An initrd with perf, objdump, the libraries of both, a program to look at, and `more`."""
    need(KERNEL, INITRD, TREE, HOT)
    programs = {'bin/perf': TREE + '/usr/bin/perf', 'bin/objdump': os.path.realpath(TREE + '/usr/bin/objdump')}
    return libraries.packed(folder, TREE, programs, hot=HOT, **more)


def stat(m, events, command='hot', options=''):
    """Event to count, None where perf has none."""
    text = m.command('perf stat -x, %s -e %s %s 2>&1 >/dev/null' % (options, events, command))
    rows = re.findall(r'^(\d+|<[^>]*>),[^,]*,([^,]+),', text, re.M)
    return {event: int(n) if n.isdigit() else None for n, event in rows}


def counts():
    """What is counted is what has run, in each state, and every run counts the same."""
    with Folder() as folder, linux(initrd=packed(folder), append='quiet', ram='2G', cpus=CPUS) as m:
        m.shell()
        check('POWER9 performance monitor' in m.command('dmesg'), 'detected')
        n = stat(m, 'cycles:u,instructions:u,cycles:k,instructions:k')
        check(n['instructions:u'] is not None and 0 <= n['instructions:u'] - INSNS < 100, 'instructions-of-the-process', n)
        check(0 <= n['cycles:u'] - n['instructions:u'] < 50, 'cycles-of-the-process', n)
        check(5000 < n['instructions:k'] < 500000, 'instructions-of-the-kernel', n)
        both = stat(m, 'cycles,instructions')
        check(abs(both['instructions'] - n['instructions:u'] - n['instructions:k']) < 50000, 'both-together', (both, n))
        check(0 <= both['cycles'] - both['instructions'] < 2000, 'a-cycle-each', both)
        raw = stat(m, 'r500fa:u,r600f4:u,r2:u,r1e:u')
        check(len(raw) == 4 and all(v and abs(v - INSNS) < 150 for v in raw.values()), 'raw-codes', raw)
        again = [stat(m, 'instructions:u')['instructions:u'] for _ in range(3)]
        check(len(set(again)) == 1, 'the-same-each-time', again)
        idle = stat(m, 'cycles,instructions', 'sleep 1', '-a')
        check(0 < idle['cycles'] < 200000000, 'idle-does-not-count', idle)
        text = m.command('perf stat hot x 2>&1')
        check(re.search(r'\d{9} +cycles .*GHz', text) and re.search(r'\d{9} +instructions ', text), 'what-perf-asks-for-by-itself', text)


def samples():
    """Who is hot is named first, and the instructions that make it so."""
    with Folder() as folder, linux(initrd=packed(folder), append='quiet', ram='2G', cpus=CPUS) as m:
        m.shell()
        m.command('export PAGER=cat')
        m.command('perf record -q -e cycles -o /tmp/cycles hot x')
        text = m.command('perf report -i /tmp/cycles --stdio 2>/dev/null | cat')
        lines = re.findall(r'^ +(\d+\.\d+)% +(\S+) +\S+ +\[(.)\] (\S+)', text, re.M)
        check(lines and lines[0][1:] == ('hot', '.', 'hot') and abs(float(lines[0][0]) - 90.8) < 2, 'hot-first', text)
        check(len(lines) > 1 and lines[1][3] == 'cold' and abs(float(lines[1][0]) - 9.1) < 2, 'cold-second', text)
        text = m.command('perf annotate -i /tmp/cycles --stdio -s hot 2>/dev/null | cat')
        shares = {name: float(share) for share, name in re.findall(r'(\d+\.\d+) : +[0-9a-f]+: +(\S+)', text)}
        check(all(25 < shares.get(name, 0) < 42 for name in ('addi', 'xor', 'bdnz')), 'a-third-each', text)
        m.command('perf record -q -e instructions:u -c 10007 -o /tmp/insns hot')
        got = re.findall(r'10007 instructions:u: +[0-9a-f]+ (\w+)\+0x(\w+)', m.command('perf script -i /tmp/insns', 120))
        check(len(got) == INSNS // 10007, 'every-10007th', len(got))
        # Three instructions a round, 10007 is 3 * 3335 + 2: the next sample is in each place in turn.
        turns = [int(offset, 16) for name, offset in got if name == 'hot']
        check(len(turns) > 200 and all(b == {8: 16, 16: 12, 12: 8}[a] for a, b in zip(turns, turns[1:])), 'each-in-its-place', turns[:9])
        text = m.command('(sleep 3; killall -INT perf) & hot x & perf top --stdio -d 1 2>&1 | head -n 100; wait', 120)
        check(re.search(r'^ +\d+\.\d+% +hot +\[\.\] hot', text, re.M), 'perf-top', text)
        check(not re.search('BUG|Oops|WARNING', m.command('dmesg')), 'dmesg')


def watched(model):
    """Hardware breakpoints: perf counts what a process does to one place, or the kernel for it, and says which instruction did
    it. Linux leaves POWER9's watchpoint alone unless told otherwise."""
    need(STORES)
    with Folder() as folder, linux('-cpu', model, initrd=packed(folder, stores=STORES), append='quiet', ram='2G', cpus=CPUS) as m:
        m.shell()
        if model == 'power9':
            m.command('mount -t debugfs d /sys/kernel/debug; echo Y >/sys/kernel/debug/powerpc/dawr_enable_dangerous')
        m.command('export PAGER=cat')
        cell = int(re.search(r'^cell (\d+)', m.command('stores'), re.M).group(1))

        def breakpoint(at, kind, size=8):
            return 'mem:%#x/%d:%s' % (at, size, kind)

        for name, at, kind, size, want in (
                ('stores', cell, 'w:u', 8, ROUNDS), ('loads', cell, 'r:u', 8, ROUNDS // 2), ('both', cell, 'rw:u', 8, ROUNDS * 3 // 2),
                ('beside', cell + 8, 'w:u', 8, ROUNDS), ('a-byte', cell + 3, 'w:u', 1, ROUNDS), ('nobody', cell + 24, 'rw:u', 8, 0),
                ('the-kernel', cell + 16, 'w:k', 8, CALLS), ('the-kernel-alone', cell + 16, 'w:u', 8, 0)):
            got = list(stat(m, breakpoint(at, kind, size), 'stores').values())
            check(got == [want], name, (got, want))
        m.command('perf record -q -c 1 -e %s -o /tmp/stores stores' % breakpoint(cell, 'w:u'))
        script = m.command('perf script -i /tmp/stores', 120)
        places = re.findall(r' 1 mem:%#x:\S* +[0-9a-f]+ (\S+)' % cell, script)
        # It is taken once the store is done: where the next instruction is.
        check(places == ['touch+0x14'] * ROUNDS, 'who-stores', (len(places), script[:500]))
        check(not re.search('BUG|Oops|WARNING', m.command('dmesg')), 'dmesg')


def timed(model='power9'):
    """Under a timing model: what the loops of the program must take is counted, and the hot function is still named first."""
    with Folder() as folder, linux('-timing', model, initrd=packed(folder), append='quiet', ram='2G', cpus=CPUS) as m:
        m.shell()
        m.command('export PAGER=cat')
        n = stat(m, 'cycles:u,instructions:u,branch-misses:u,cache-misses:u')
        check(None not in n.values() and 0 <= n['instructions:u'] - INSNS < 100, 'instructions-of-the-process', n)
        # Rounds of three instructions, in two cycles: what bdnz of the round before has counted, the next one reads.
        check(abs(n['cycles:u'] / (INSNS / 3 * 2) - 1) < 0.05, 'two-cycles-a-round', n)
        check(0 < n['branch-misses:u'] < 100, 'branches-of-loops-are-foreseen', n)
        check(0 < n['cache-misses:u'] < 100, 'few-cache-misses', n)
        check(stat(m, 'instructions:u')['instructions:u'] == n['instructions:u'], 'instructions-repeat', n)
        check(0 <= stat(m, 'branches:u')['branches:u'] - INSNS / 3 < 100, 'a-branch-a-round', n)
        m.command('perf record -q -e cycles -o /tmp/cycles hot x')
        text = m.command('perf report -i /tmp/cycles --stdio 2>/dev/null | cat')
        lines = re.findall(r'^ +(\d+\.\d+)% +(\S+) +\S+ +\[(.)\] (\S+)', text, re.M)
        check(lines and lines[0][1:] == ('hot', '.', 'hot') and float(lines[0][0]) > 80, 'hot-first', text)
        check(not re.search('BUG|Oops|WARNING', m.command('dmesg')), 'dmesg')


def saved():
    """Saved while perf takes samples and gone on, it ends in the state of the run that was not."""
    work = 'console=hvc0 quiet cede.cmd="perf record -q -c 20011 -e cycles -o /tmp/p hot x; md5sum /tmp/p"'
    with Folder() as at:
        base = [CEDE, '-m', '2G', '-nographic', '-nodefaults', '-serial', 'stdio', '-clock', 'warp', '-rtc', 'base=2026-01-01',
                '-d', 'statehash']
        boot = ['-kernel', KERNEL, '-initrd', packed(at), '-append', work]

        def run(*options):
            p = subprocess.run(base + list(options), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=200)
            found = re.search(r'statehash=\w+ cycles=\d+', p.stdout + p.stderr)
            return found.group() if found else p.stdout[-500:] + p.stderr[-500:], re.findall(r'^[0-9a-f]{32}\b', p.stdout, re.M)

        state, sums = run(*boot)
        check(len(sums) == 1 and state.startswith('statehash'), 'a-recording', (state, sums))
        check(run(*boot) == (state, sums), 'it-repeats')
        end = int(state.split('cycles=')[1]) if 'cycles=' in state else 0
        for n in range(3):
            cycle = end - 60000000 - 70000001 * n
            check(run(*boot, '-save', at(n) + '@%d' % cycle) == (state, sums), 'a-save-changes-nothing-%d' % n)
            check(run('-loadvm', at(n)) == (state, sums), 'it-goes-on-%d' % n)


# What has branches that are hard to foresee, and the program that is hot. The shell's own work outside of the marks is less than 1 %.
MARKED = 'echo mark-begin >/dev/hvc0\n%s\necho mark-end >/dev/hvc0\n'
MANY = 'cat /bin/perf /bin/perf | gzip -c >/dev/null'
BEFORE = 400000000              # a cycle at which perf is about to start


def profiled():
    """Under a model of a core, what perf counts is what -profile has of the same time, and whom perf's samples name first is whom
    the profile names. The trace says at which cycles the work began and ended, and the second run is as the first."""
    events = 'cycles', 'instructions', 'branch-misses', 'cache-misses'
    cmd = 'perf stat -a -x, -e %s sh /bin/many; perf record -q -e cycles -o /tmp/p sh /bin/one; ' % ','.join(events)
    cmd += 'perf report -i /tmp/p --stdio 2>/dev/null | head -n 20'
    with Folder() as at:
        for name, work in ('many', MANY), ('one', 'hot x'):
            with open(at(name), 'w') as f:
                f.write(MARKED % work)
        base = [CEDE, '-m', '2G', '-nographic', '-nodefaults', '-serial', 'stdio', '-clock', 'warp', '-timing', 'power9']
        boot = base + ['-rtc', 'base=2026-01-01', '-kernel', KERNEL, '-initrd', packed(at, many=at('many'), one=at('one')),
                       '-append', 'console=hvc0 quiet cede.cmd="%s"' % cmd]
        p = subprocess.run(boot + ['-trace', 'hcall=hcall-term', '-D', at('trace'), '-save', at('saved') + '@%d' % BEFORE], stdin=subprocess.DEVNULL,
                           capture_output=True, text=True, timeout=900)
        counted = {event: int(n) for n, event in re.findall(r'^(\d+),[^,]*,([^,]+),', p.stdout, re.M) if event in events}
        check(len(counted) == 4 and p.returncode == 0, 'perf-stat', p.stdout[-1000:] + p.stderr[-300:])
        with open(at('trace')) as f:
            marks = re.findall(r'^(\d+) cpu0 H_PUT_TERM_CHAR\(.*text="mark-(\w+)"', f.read(), re.M)
        check([m[1] for m in marks] == ['begin', 'end'] * 2 and BEFORE < int(marks[0][0]), 'marks', marks)
        times = [int(m[0]) for m in marks]

        def profile(begin, end, *options):
            """What cede-prof says of the same run between the two."""
            subprocess.run(base + ['-loadvm', at('saved'), '-profile', '%s,from=%d,to=%d' % (at('profile'), begin, end),
                                   '-save', '%s@%d,quit=on' % (at('end'), end + 1000000)],
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=900, check=True)
            prof = os.path.join(os.environ.get('B', 'build'), 'cede-prof')
            return subprocess.run([prof, *options, at('profile')], stdout=subprocess.PIPE, text=True, check=True).stdout

        totals = {m[1]: int(m[0]) for m in re.findall(r'^ *(\d+) +([\w-]+)', profile(*times[:2], '--totals'), re.M)}
        for event in events:
            check(abs(counted[event] - totals[event]) * 100 <= counted[event], event, (counted[event], totals[event]))
        named = profile(*times[2:], '--symbols', HOT).split(' function\n')[1].split('\n')[0].split()[-1]
        sampled = re.search(r'^ +\d+\.\d+% +\S+ +\S+ +\[.\] (\S+)', p.stdout, re.M)
        check(sampled and sampled.group(1) == named == 'hot', 'the-hot-function', (named, p.stdout[-800:]))


main({f.__name__: f for f in (counts, samples, watched, timed, saved, profiled)})
