"""Images that are left behind, given away, shared, lacking, full or hostile: what is said of them, and who has them then."""
# needs: programs
import os
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, '..', 'fault'), os.path.join(HERE, '..', 'linux')]
from console import Folder, check, linux, main, skip     # noqa: E402
from images import options, run     # noqa: E402


def qemu(*argv):
    p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return p.returncode, p.stdout


def image(path, *writes, size='8M'):
    qemu('qemu-img', 'create', '-q', '-f', 'qcow2', path, size)
    for w in writes:
        qemu('qemu-io', '-c', w, path)


def states(path):
    return [line.split()[1] for line in qemu('qemu-img', 'snapshot', '-l', path)[1].split('\n') if line[:1].isdigit()]


def has(path, pattern):
    return 'verification failed' not in qemu('qemu-io', '-r', '-c', 'read -P %d 0 64k' % pattern, path)[1]


def drive(name, more=''):
    return ['-drive', 'if=none,format=qcow2,id=%s,file=%s%s' % (name, name, more)]


def back():
    """A loadvm was killed. Whichever of the disks are there, in whatever way, the user says where they are to be."""
    with Folder() as at:
        for name in ('a', 'b', 'c'):
            image(at(name), 'write -P 1 0 64k')
        for name in ('a', 'b'):
            qemu('qemu-img', 'snapshot', '-c', 'cede-back', at(name))
            qemu('qemu-io', '-c', 'write -P 2 0 64k', at(name))
        for what, drives in (('all', drive('a') + drive('b')), ('another', drive('c') + drive('b')), ('one', drive('b')),
                             ('read-only', drive('c') + drive('b', ',readonly=on')), ('nothing-kept', ['-snapshot'] + drive('b'))):
            status, out, err = run(at, drives)
            check(status == 1 and err.count('\n') == 1 and "'qemu-img snapshot -a cede-back' takes each back" in err, what + '-said', (status, out, err))
            check(all(has(at(n), 2) and states(at(n)) == ['cede-back'] for n in 'ab'), what + '-as-it-was')
        for name in ('a', 'b'):
            image(at(name), 'write -P 1 0 64k')
            for option in ('-c', '-a', '-d'):
                qemu('qemu-img', 'snapshot', option, 'cede-back', at(name))
        check(run(at, drive('a') + drive('b'))[0] == 0, 'as-it-says')
        half(at)


def half(at):
    """-loadvm FILE returns the first disk, and the second one's counts have no room for it: both are as before."""
    drives = ['-device', 'virtio-blk-pci,drive=a', '-device', 'virtio-blk-pci,drive=b', *drive('a'), *drive('b')]
    image(at('a'), 'write -P 1 0 64k')
    qemu('qemu-img', 'create', '-q', '-f', 'qcow2', '-o', 'refcount_bits=2', at('b'), '8M')
    qemu('qemu-io', '-c', 'write -P 1 0 64k', at('b'))
    with linux(*drives_at(at, drives), '-save', at('s') + '@2000000,quit=on', ram='256M') as m:
        check(m.wait(30) == 0, 'half-saved', m.errors)
    for name in ('a', 'b'):
        qemu('qemu-io', '-c', 'write -P 2 0 64k', at(name))
    qemu('qemu-img', 'snapshot', '-c', 'more', at('b'))
    qemu('qemu-img', 'snapshot', '-a', states(at('b'))[0], at('b'))     # its cluster has a count of 2
    qemu('qemu-img', 'snapshot', '-c', 'most', at('b'))                 # and of 3, the most
    with linux(*drives_at(at, drives), '-loadvm', at('s'), '-save', at('t') + '@3000000,quit=on', ram='256M') as m:
        check(m.wait(30) == 1 and "drive '" in m.errors and m.errors.count('\n') == 1, 'half-refused', m.errors)
    check(has(at('a'), 2) and not any('back' in s for s in states(at('a')) + states(at('b'))), 'half-is-as-before', states(at('a')))


def drives_at(at, drives):
    """The same for a process whose folder is another."""
    return [word.replace('file=', 'file=' + at.path + '/') for word in drives]


def lacking():
    """Which disk it is that has not the state, or keeps none."""
    with Folder() as at:
        image(at('a'))
        image(at('b'))
        qemu('qemu-img', 'snapshot', '-c', 's', at('a'))
        status, _, err = run(at, drive('a') + drive('b') + ['-loadvm', 's'])
        check(status == 1 and err.count('\n') == 1 and "drive 'b' (b) has no state 's'" in err, 'loadvm-option', (status, err))
        _, out, err = run(at, drive('a') + drive('b'), 'loadvm s\nquit\n')
        check("drive 'b' (b) has no state 's'" in out, 'loadvm', (out, err))
        _, out, err = run(at, drive('a', ',readonly=on'), 'savevm s\ninfo snapshots\nquit\n')
        check(out.count("No block device can accept snapshots: drive 'a' (a) is read-only") == 2, 'savevm-read-only', (out, err))


def named(path, text):
    """Another backing file's name in the header, as long as the one that is there."""
    with open(path, 'r+b') as f:
        at, n = struct.unpack('>QI', f.read(20)[8:])
        f.seek(at)
        f.write(text.ljust(n, b'x')[:n])


def hostile():
    """Control characters of a file's stay there."""
    with Folder() as at:
        make = at('base.raw' + 'x' * 20)
        with open(make, 'wb') as f:
            f.truncate(1 << 20)
        qemu('qemu-img', 'create', '-q', '-f', 'qcow2', '-b', make, '-F', 'raw', at('a'))
        evil = at('x\x1b[2J\xc2\x9b').encode('latin-1')
        named(at('a'), evil)
        _, out, err = run(at, drive('a'))
        check('\x1b' not in err and '\xc2\x9b' not in err and err.count('\n') == 1, 'missing-backing-file', err)
        shutil.copy(make, evil.ljust(len(make), b'x')[:len(make)])
        _, out, err = run(at, drive('a'), 'info block -v\nquit\n')
        check('?[2J' in out and '\x1b[2J' not in out, 'info-block', out)


class Stopped:
    """A machine that does not run, with a monitor."""

    def __init__(self, at, drives):
        self.p = subprocess.Popen(options(at, drives) + ['-monitor', 'stdio'], cwd=at.path, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        os.set_blocking(self.p.stdout.fileno(), False)
        self.text = ''

    def hmp(self, line):
        self.text = ''
        self.p.stdin.write(line.encode() + b'\n')
        self.p.stdin.flush()
        return self.until('(cede) ')

    def until(self, text, seconds=20):
        end = time.monotonic() + seconds
        while text not in self.text and time.monotonic() < end:
            self.text += (self.p.stdout.read() or b'').decode()
            time.sleep(0.02)
        return self.text

    def migrated(self):
        end = time.monotonic() + 20
        while 'completed' not in self.hmp('info migrate') and time.monotonic() < end:
            time.sleep(0.1)
        return 'completed' in self.text

    def end(self):
        _, err = self.p.communicate(b'quit\n', timeout=20)
        return err.decode()


def given():
    """After a migration others may open the images, until cont takes them back; -incoming opens them when all has come."""
    with Folder() as at:
        image(at('a'))
        m = Stopped(at, drive('a'))
        m.until('(cede) ')
        check(qemu('qemu-img', 'info', at('a'))[0] != 0, 'locked')
        m.hmp('migrate exec:cat>s')
        check(m.migrated(), 'migrated', m.text)
        check(qemu('qemu-io', '-c', 'write -P 5 0 64k', at('a'))[0] == 0, 'given-away')
        there = Stopped(at, drive('a') + ['-incoming', 'file:s'])
        there.until('(cede) ')
        check(qemu('qemu-img', 'info', at('a'))[0] != 0, 'incoming-takes-it')
        check("drive 'a' cannot be taken" in m.hmp('cont') and 'postmigrate' in m.hmp('info status'), 'cont-cannot', m.text)
        there.end()
        m.hmp('cont')
        check('running' in m.hmp('info status') and qemu('qemu-img', 'info', at('a'))[0] != 0, 'cont-takes-it-back', m.text)
        m.end()
        with socket.socket() as s:
            s.bind(('127.0.0.1', 0))
            port = s.getsockname()[1]
        m = Stopped(at, drive('a'))
        m.until('(cede) ')
        there = Stopped(at, drive('a') + ['-incoming', 'tcp:127.0.0.1:%d' % port])
        time.sleep(0.5)
        m.hmp('migrate tcp:127.0.0.1:%d' % port)
        check(m.migrated() and '(cede) ' in there.until('(cede) '), 'both-on-one-host', (m.text, there.text))
        check('a (qcow2)' in there.hmp('info block'), 'it-has-the-disk', there.text)
        m.end()
        there.end()


def full():
    """A host that cannot write: the guest hears of it, and whoever ends cede, with a status that is not zero."""
    with Folder() as at:
        image(at('a'), size='8G')
        limit = os.stat(at('a')).st_size + 300000

        class Limits:
            def __enter__(self):
                self.before, self.signal = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, self.before[1]))

            def __exit__(self, *exc):
                resource.setrlimit(resource.RLIMIT_FSIZE, self.before)

        real = subprocess.Popen
        with Limits():
            subprocess.Popen = lambda *a, **k: real(*a, restore_signals=False, **k)
            m = linux('-drive', 'if=virtio,format=qcow2,file=' + at('a'), ram='256M')
            subprocess.Popen = real
        with m:
            m.shell()
            text = m.command('for i in 1 2 3 4 5 6 7 8; do dd if=/proc/version of=/dev/vda bs=64k seek=$((i*8192)) conv=notrunc,fsync; done; true')
            check('error' in text, 'guest-hears-of-it', text)
            resource.prlimit(m.process.pid, resource.RLIMIT_FSIZE, (limit << 4, -1))
            m.command('dd if=/dev/zero of=/dev/vda bs=64k count=1 seek=$((9*8192)) oflag=direct; true')
            resource.prlimit(m.process.pid, resource.RLIMIT_FSIZE, (4096, -1))      # nor what it has
            m.send('poweroff -f\n')
            status = m.wait(60)
        check(status == 1 and m.errors.count('cannot be flushed') == 1, 'end-says-it', (status, m.errors))
        status, text = qemu('qemu-img', 'check', at('a'))
        check(status in (0, 3), 'image-is-whole', text)


DEVICES = ['virtio-blk-pci', 'virtio-blk-pci,drive=x', 'virtio-rng-pci,addr=zz', 'virtio-rng-pci,bus=foo', 'scsi-hd,bus=nope.0',
           'virtio-rng-pci,addr=20']


def devices():
    """What a -device asks for in vain is status 2, as all options."""
    with Folder() as at:
        for d in DEVICES:
            status, _, err = run(at, ['-device', d])
            check(status == 2 and err.count('\n') == 1, 'device ' + d, (status, err))


if __name__ == '__main__':
    if not shutil.which('qemu-img'):
        skip('qemu-utils is not installed')
    main({'back': back, 'lacking': lacking, 'hostile': hostile, 'given': given, 'full': full, 'devices': devices,
          'quick': lambda: [t() for t in (back, lacking, hostile, given, devices)]})
