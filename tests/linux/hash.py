"""Linux with the hash MMU: Debian's kernel, told not to use radix."""
# needs: programs guest linux-programs
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from console import CEDE, INITRD, KERNEL, Folder, check, linux, main, need   # noqa: E402

CPUS = os.environ.get('CPUS', '1')
HASH = 'disable_radix '
FIXED = ('-rtc', 'base=2026-01-31T12:00:00')
TROUBLE = r'BUG|Oops|WARNING|Call Trace|Unable to handle|Kernel panic|rcu:.*stall|soft lockup'
LOAD = ('cede.cmd="cat /proc/cpuinfo; for i in 1 2 3; do (seq 1 2000 | gzip | md5sum) & done; wait; date; cat /proc/uptime; '
        'dmesg | tail -n 3"')
# Many processes, each with pages of its own, and a large one; what they say does not depend on the MMU.
WORK = ('for i in $(seq 1 20); do (seq $i 1000 | gzip | gunzip | md5sum >/tmp/out.$i) & done; wait; cat /tmp/out.* | md5sum; '
        'seq 1 20000 | sort -r | md5sum')
LARGEST = {'4k': {0: 12}, '64k': {0: 12, 0x110: 16}, '16m': {0: 12, 0x110: 16, 0x100: 24}}


def work(append):
    with linux(*FIXED, append=append, cpus=CPUS) as m:
        m.shell()
        said = m.command(WORK, 200), m.command('cat /proc/cpuinfo'), m.command('dmesg', 60)
        m.send('poweroff -f\n')
        check(m.wait(60) == 0 and m.errors == '', 'status', (m.process.returncode, m.errors))
        return said


def shell():
    """What a system with the one MMU does, it does with the other."""
    radix, hashed = work(''), work(HASH)
    check(re.search(r'^MMU\s*: Radix', radix[1], re.M), 'radix', radix[1])
    check(re.search(r'^MMU\s*: Hash', hashed[1], re.M), 'hash', hashed[1])
    check(len(re.findall(r'^processor\s*:', hashed[1], re.M)) == int(CPUS), 'processors', hashed[1])
    check(len(re.findall('[0-9a-f]{32}', hashed[0])) == 2 and hashed[0] == radix[0], 'same-work', (hashed[0], radix[0]))
    bad = [line for line in hashed[2].splitlines() if re.search(TROUBLE, line)]
    check(not bad, 'dmesg', bad[:5])
    check('hash-mmu: Initializing hash mmu with SLB' in hashed[2], 'says-so')


def sizes():
    """What -M cap-hpt-max-page-size= has to say reaches the kernel, which maps its memory with the largest pages."""
    for size, pages in LARGEST.items():
        with linux(*FIXED, '-M', 'cap-hpt-max-page-size=' + size, append=HASH + 'cede.cmd=dmesg', cpus=CPUS) as m:
            if size == '4k':        # this kernel has pages of 64 KiB, and wants the hardware to have 4 KiB at least
                m.wait(120)
            else:
                check(m.wait(120) == 0, size + '-status', m.text[-500:])
            found = {int(sllp, 16): int(shift) for shift, sllp in re.findall(r'base_shift=(\d+): shift=\d+, sllp=0x(\w+)', m.text)}
            check(found == pages, size, found)


PKEYS = os.path.join(os.environ.get('B', 'build'), 'tests/linux/pkeys')
SIGSEGV = 11
SEGV_PKUERR = 4


def keys(model):
    """Storage keys: the kernel has them, and a process forbids itself, and allows, what it likes without asking anybody. A key that
    forbids to execute is the kernel's to make."""
    need(KERNEL, INITRD, PKEYS)
    want = {'keys': 1, 'protected': 0, 'load': 5, 'open': 0, 'no-store': SIGSEGV, 'no-store-loads': 0, 'no-load': SIGSEGV, 'open-again': 0,
            'other': 0, 'other-no-store': SIGSEGV, 'other-load': 5, 'freed': 0,
            'unprotected': 0, 'fetch-open': 0, 'no-fetch-protected': 0, 'fetch-code': SEGV_PKUERR, 'no-fetch': 8 << 8, 'no-fetch-loads': 0,
            'no-fetch-stores': 0, 'again-the-key': 0, 'fetch-again': 0}
    with Folder() as at:
        subprocess.run([sys.executable, 'tools/guest/guest_pack.py', 'add', INITRD, at('initrd.gz'), 'bin/pkeys=' + PKEYS], check=True)
        with linux('-cpu', model, *FIXED, initrd=at('initrd.gz'), append=HASH + 'cede.cmd="dmesg; pkeys"', cpus=CPUS) as m:
            check(m.wait(120) == 0, 'ends', m.errors)
            check('Enabling pkeys with max key count 32' in m.text, 'the-kernel-has-keys')
            got = {key: int(value) for key, value in re.findall(r'^([-\w]+) (\d+)\r?$', m.text, re.M)}
            for key, value in want.items():
                check(got.get(key) == value, key, (got.get(key), value))
            check(got.get('no-fetch-key') and got['no-fetch-key'] == got.get('fetch-key'), 'no-fetch-key', got)
            check(m.text.count('fetch-code') == 1, 'one-fetch-fails')
            bad = [line for line in m.text.splitlines() if re.search(TROUBLE, line)]
            check(not bad, 'dmesg', bad[:5])


def determinism():
    """Two runs come to the same state, and so does one that is saved in the middle and loaded."""
    with Folder() as at:
        def run(*options, append=HASH + LOAD):
            with open(os.devnull) as null, linux(*FIXED, '-d', 'statehash', '-clock', 'warp', *options, stdin=null, append=append,
                                                 cpus=CPUS) as m:
                return m.wait(240), m.text, m.errors
        first, second = run('-save', at('s') + '@700000000'), run()
        check(first[0] == 0 and 'statehash=' in first[2], 'status', first[2])
        check(first[1:] == second[1:], 'same', (first[2], second[2]))
        p = subprocess.run([CEDE, '-M', 'pseries', '-smp', CPUS, '-m', '1G', '-nodefaults', '-nographic', '-serial', 'stdio', *FIXED,
                            '-d', 'statehash', '-clock', 'warp', '-loadvm', at('s')], stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=240)
        check(p.returncode == 0 and p.stderr == first[2], 'loaded', (p.stderr, first[2]))
        check(p.stdout and first[1].endswith(p.stdout), 'loaded-says-the-rest', p.stdout[-300:])


if __name__ == '__main__':
    main({'shell': shell, 'sizes': sizes, 'keys': keys, 'determinism': determinism})
