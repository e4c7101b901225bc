"""Snapshots that the guest asks for: -save FILE@guest, PAPR's partition suspension; Linux, and a bare guest."""
# needs: programs guests guest
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, '..', 'linux')]
from console import CEDE, Folder, INITRD, KERNEL, Machine, check, linux, main, need, skip     # noqa: E402
from stream import Snapshot     # noqa: E402

BUILD = os.environ.get('B', 'build')
CPUS = os.environ.get('CPUS', '1')
RAM = '256M'
FIXED = ['-rtc', 'base=2026-01-31T12:00:00', '-clock', 'warp', '-d', 'statehash']
POOL = ['-pool', 'procs=2,entitlement=1.5,load=0.5'] if CPUS == '4' else []
ASK = 'echo %s > /sys/kernel/mobility/migration'
LOAD = ('quiet cede.cmd="for i in 1 2 3; do (seq 1 3000 | gzip | md5sum) & done; ' + ASK % 1 + '; echo saved $?; '
        'cat /proc/interrupts | md5sum; wait; sleep 0.05; seq 1 3000 | md5sum; cat /proc/uptime; date"')


def complaints(m):
    """What the kernel says of errors since it was asked last."""
    return [x for x in m.command('dmesg -c').splitlines() if re.search(r'mobility|suspend|rtas|error|fail|BUG|WARN', x, re.I)]


def linux_asks():
    """By sysfs: the file is there when the command is back, which works again; -loadvm goes on from there; errors are told."""
    with Folder() as at:
        with linux('-save', at('a') + '@guest', '-save', at('b') + '@guest', *POOL, ram=RAM, cpus=CPUS) as m:
            m.shell()
            m.command('dmesg -c')
            for name, stream in ('a', 1), ('b', 2):
                check(not os.path.exists(at(name)), 'none-yet')
                m.command('mark=%s; ' % name + ASK % stream)
                check(os.path.exists(at(name)) and not os.path.exists(at(name) + '.part'), 'saved', m.errors)
            said = complaints(m)
            check(len(said) >= 4 and not [x for x in said if re.search(r'error|fail|premature|unexpected|BUG|WARN', x)], 'no-error', said)
            for stream in '0', '3', '0xffffffffffffffff':
                check('Invalid argument' in m.command(ASK % stream + ' || true'), 'no-such-stream')
            m.command('mark=c; ' + ASK % 1)
            with open(at('a'), 'rb') as f:
                first = f.read()
            m.command(ASK % 1)
            with open(at('a'), 'rb') as f:
                check(f.read() != first, 'again')
            check(int(m.command('grep -c ^processor /proc/cpuinfo')) == int(CPUS), 'all-processors')
            online = '/sys/devices/system/cpu/cpu1/online'
            count = m.command('echo 0 > %s; %s; grep -c ^processor /proc/cpuinfo; echo 1 > %s' % (online, ASK % 2, online))
            check(count.split()[-1] == str(int(CPUS) - 1), 'one-is-offline', count)
            check(int(m.command('grep -c ^processor /proc/cpuinfo')) == int(CPUS), 'and-comes-back')
            check(m.errors == '', 'nothing-said', m.errors)
        for name, mark in ('a', 'c'), ('b', 'c'):
            with Machine('-loadvm', at(name), *POOL, ram=RAM, cpus=CPUS) as m:
                m.expect('# ', 60)
                check(m.command('echo $mark; for i in $(seq %s); do seq 300 | md5sum & done; wait' % CPUS).startswith(mark + '\n'), 'goes-on')
                check(not [x for x in complaints(m) if re.search(r'error|fail|premature|unexpected|BUG|WARN', x)], 'no-error-there')


def refused():
    """Without a -save FILE@guest, and where it cannot be written: an error at once, and the guest goes on."""
    with linux(ram=RAM, cpus=CPUS) as m:
        m.shell()
        m.command('dmesg -c')
        for stream in 0, 1, 2, 1 << 63:
            check('Invalid argument' in m.command(ASK % stream + ' || true'), 'nobody-is-to-save')
        check(complaints(m) == [], 'and-no-more-is-said')
    with Folder() as at:
        with open(at('limited'), 'w') as f:
            f.write('old')
        os.mkdir(at('none'))        # and away before it is needed: what is not there at the start is refused
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8 << 20, before[1]))
        try:
            m = linux('-save', at('limited') + '@guest', '-save', at('none/x') + '@guest', ram=RAM, cpus=CPUS)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        with m:
            m.shell()
            os.rmdir(at('none'))
            m.command('dmesg -c')
            for i in range(3):
                check('write error' in m.command(ASK % 1 + ' || true'), 'disk-full')
                check('write error' in m.command(ASK % 2 + ' || true'), 'no-folder')
            check([x for x in complaints(m) if 'ibm,suspend-me error' in x], 'hardware-error')
            check(m.command('seq 300 | md5sum; grep -c ^processor /proc/cpuinfo').split()[-1] == CPUS, 'goes-on')
            check('cannot save to' in m.errors and 'File too large' in m.errors and "cannot write '%s" % at('none') in m.errors, 'said', m.errors)
            with open(at('limited')) as f:
                check(f.read() == 'old' and os.listdir(at.path) == ['limited'], 'the-old-one-is-kept')
        p = subprocess.run([CEDE, '-save', at('x') + '@guest,target=qemu'], capture_output=True, text=True)
        check(p.returncode == 2 and p.stderr.count('\n') == 1 and 'target=qemu' in p.stderr, 'not-for-qemu', (p.returncode, p.stderr))


def run(*options, kernel=True):
    need(KERNEL, INITRD)
    argv = [CEDE, '-M', 'pseries', '-smp', CPUS, '-m', RAM, '-nodefaults', '-nographic', '-serial', 'stdio', *FIXED, *POOL]
    argv += ['-kernel', KERNEL, '-initrd', INITRD, '-append', 'console=hvc0 ' + LOAD] if kernel else []
    p = subprocess.run(argv + list(options), stdin=subprocess.DEVNULL, capture_output=True, timeout=240)
    return p.returncode, p.stdout.decode(), p.stderr.decode()


def equal():
    """The run that goes on and the run from the file end alike, in each layout; quit=on is their common beginning."""
    with Folder() as at:
        plain = run('-save', at('s') + '@guest')
        check(plain[0] == 0 and 'saved 0' in plain[1] and 'cede guest status 0' in plain[1], 'saved', plain)
        for layout in ',layout=mapped', ',background=on':
            got = run('-save', at('t') + '@guest' + layout)
            check(got == plain, 'as-the-file-is-not-seen' + layout[:9], (got[2], plain[2]))
            got = run('-loadvm', at('t'), kernel=False)
            check(got[0] == 0 and got[2] == plain[2] and plain[1].endswith(got[1]) and 'saved 0' in got[1], 'equal' + layout[:9], (got, plain[2]))
        got = run('-save', at('q') + '@guest,quit=on')
        check(got[0] == 0 and 'saved 0' not in got[1] and plain[1].startswith(got[1].rstrip()), 'quit', got)
        with open(at('q'), 'rb') as f, open(at('s'), 'rb') as g:
            check(f.read() == g.read(), 'same-file')
        early = got[2]
        got = run('-loadvm', at('q'), '-save', at('later') + '@1', kernel=False)
        check(got[2] == plain[2] and early != plain[2], 'goes-on-from-there', got)


def bare():
    """A guest that knows the calls by heart, in both byte orders; a file of its suspension, loaded, passes the rest of its facts."""
    for order in 'le', 'be':
        image = '%s/tests/guest/suspend-%s.elf' % (BUILD, order)
        if not os.path.exists(image):
            skip(image + ' was not built: no cross compiler?')
        with Folder() as at:
            options = ['-save', at('a') + '@guest', '-save', at('b') + '@guest']
            board = [CEDE, '-m', RAM, '-smp', '4', '-nodefaults', '-nographic', '-serial', 'stdio', *FIXED, *(POOL if order == 'be' else [])]
            p = subprocess.run(board + ['-kernel', image, '-append', 'saved', *options], capture_output=True, text=True, timeout=100)
            facts = re.findall('^ok ', p.stdout, re.M)
            check(p.returncode == 0 and 'FAIL' not in p.stdout and 'done %d' % len(facts) in p.stdout, 'facts-' + order, p.stdout[-2000:])
            s = Snapshot(at('b'))
            stops = [s.section('cede/cpu', i)['cycles'] for i in range(4)]
            check(max(stops) == s.section('cede/clock')['clock.now'], 'to-the-cycle-' + order, stops)
            for name in 'a', 'b':
                shutil.copy(at(name), at('loaded'))
                q = subprocess.run(board + ['-loadvm', at('loaded'), *options], capture_output=True, text=True, timeout=100)
                check(q.returncode == 0 and q.stderr == p.stderr and p.stdout.endswith(q.stdout) and q.stdout, 'rest-%s-%s' % (order, name), q.stdout[-500:])


def versions():
    """A file from before a section's layout was settled is refused by that section's version, not misread."""
    with Folder() as at:
        run('-save', at('s') + '@300000000,quit=on')
        with open(at('s'), 'rb') as f:
            good = f.read()
        for name in b'cede/machine', b'cede/vcpu', b'cede/dispatcher':
            where = good.index(bytes([len(name)]) + name) + 1 + len(name) + 4
            check(int.from_bytes(good[where:where + 4], 'big') == 2, 'version-' + name.decode(), good[where:where + 4])
            with open(at('old'), 'wb') as f:
                f.write(good[:where] + b'\0\0\0\1' + good[where + 4:])
            got = run('-loadvm', at('old'), kernel=False)
            check(got[0] == 1 and 'section %s 0' % name.decode() in got[2] and 'version: expected 2' in got[2] and got[2].count('\n') == 1,
                  'refused-' + name.decode(), got)


def ended():
    """A guest that does nothing but suspend itself is ended at once, and does not fill the terminal."""
    with Folder() as at:
        os.mkdir(at('none'))
        with linux('-save', at('none/x') + '@guest', '-save', at('y') + '@guest', ram=RAM, cpus=CPUS) as m:
            m.shell()
            os.rmdir(at('none'))
            m.command('i=0; while [ $i -lt 40 ]; do ' + ASK % 1 + ' 2>/dev/null; i=$((i+1)); done', 120)
            check(m.errors.count('\n') <= 10, 'few-lines', m.errors)
            m.send('while :; do ' + ASK % 2 + '; done\n')
            until = time.monotonic() + 60
            while not os.path.exists(at('y')) and time.monotonic() < until:
                m.pump(0.1)
            m.kill()
            check(m.wait(20) == 1 and 'ended by signal' in m.errors, 'ends', m.errors)
            check(os.listdir(at.path) == ['y'], 'nothing-half', os.listdir(at.path))
        image = '%s/tests/guest/suspend-le.elf' % BUILD
        if not os.path.exists(image):
            skip(image + ' was not built: no cross compiler?')
        with Machine('-kernel', image, '-append', 'loops', '-save', at('z') + '@guest', ram=RAM) as m:
            m.expect('x\nx\nx\n', 60)
            m.kill(signal.SIGSTOP)
            time.sleep(0.3)
            m.pump(0.3)
            before = m.text.count('x')
            m.kill()
            m.kill(signal.SIGCONT)
            check(m.wait(60) == 1 and m.text.count('x') - before <= 2, 'ends-at-once', (before, m.text.count('x')))


if __name__ == '__main__':
    main({f.__name__: f for f in (linux_asks, refused, equal, bare, versions, ended)})
