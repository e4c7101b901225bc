"""States at the edge that a guest gets into by itself: what is saved loads, and a load that is refused harms nobody."""
# needs: programs guests
import os
import pty
import re
import resource
import shutil
import socket
import subprocess
import sys
import termios
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, '..', 'linux')]
from console import CEDE, Failure, Folder, check, main, skip      # noqa: E402

GUESTS = os.environ.get('B', 'build') + '/tests/guest/'


def guest(name):
    path = GUESTS + name + '-le.elf'
    if not os.path.exists(path):
        skip(path + ' is missing (no cross compiler)')
    return path


class Monitored:
    """A machine with its monitor on our pipes and its console in a file."""

    def __init__(self, console, *options):
        self.console = console
        self.p = subprocess.Popen([CEDE, '-m', '256M', '-nodefaults', '-nographic', '-monitor', 'stdio', '-serial', 'file:' + console, *options],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.text = self.until('(cede) ')

    def until(self, end):
        text = ''
        while not text.endswith(end):
            got = self.p.stdout.read(1).decode('utf-8', 'replace')
            if not got:
                raise Failure('it has ended: %r' % self.p.stderr.read())
            text += got
        return text.replace('\r', '')

    def hmp(self, line):
        self.p.stdin.write(line.encode() + b'\n')
        self.p.stdin.flush()
        text = self.until('(cede) ')[:-len('(cede) ')]
        return text[len(line) + 1:] if text.startswith(line + '\n') else text     # it may have shown what was typed

    def said(self, pattern, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with open(self.console) as f:
                if re.search(pattern, f.read()):
                    return True
            time.sleep(0.05)
        return False

    def end(self):
        self.p.stdin.write(b'quit\n')
        self.p.stdin.flush()
        out, errors = self.p.communicate(timeout=60)
        return self.p.returncode, errors.decode('utf-8', 'replace')


def warped():
    """-clock warp skips no more than two years; what is saved then, and after, loads."""
    with Folder() as at:
        m = Monitored(at('console'), '-clock', 'warp', '-snapdir', at.path, '-kernel', guest('warp'))
        check(m.said('years 1'), 'a-year-is-skipped')
        time.sleep(0.5)
        check(not m.said('years 3', 1), 'not-more')
        check(m.hmp('savevm late') == '', 'savevm')
        check(m.hmp('loadvm late') == '', 'loadvm')
        with open(at('bad.cede'), 'w') as f:
            f.write('not a snapshot at all')
        check('not a snapshot' in m.hmp('loadvm bad'), 'refused')
        check('running' in m.hmp('info status'), 'goes-on')
        status, errors = m.end()
        check(status == 0 and 'not skipped' in errors and errors.count('\n') <= 3, 'said-why', (status, errors))


def asleep():
    """Nothing will ever happen: it is saved at a cycle that cuts a wait without an end."""
    with Folder() as at:
        base = [CEDE, '-m', '256M', '-nodefaults', '-nographic', '-serial', 'null', '-clock', 'warp', '-rtc', 'base=2026-01-01', '-d', 'statehash']
        last = ['-save', at('end') + '@2000000000,quit=on']
        first = subprocess.run([*base, '-kernel', guest('asleep'), '-save', at('f') + '@1000000000', *last], capture_output=True, timeout=60)
        second = subprocess.run([*base, '-loadvm', at('f'), *last], capture_output=True, timeout=60)
        check(first.returncode == 0 and b'statehash' in first.stderr, 'saved', first.stderr)
        check((second.returncode, second.stderr) == (0, first.stderr), 'loaded-and-the-same', second.stderr)


def unharmed():
    """A load that is refused, by whatever part of the file: the machine's state is what it was, to the bit."""
    with Folder() as at:
        m = Monitored(at('console'), '-S', '-snapdir', at.path, '-kernel', guest('warp'), '-rtc', 'base=2026-01-01')
        check(m.hmp('savevm good') == '', 'savevm')
        with open(at('good.cede'), 'rb') as f:
            good = f.read()
        ends = [len(good) * i // 12 for i in range(12)] + [good.index(name) + 40 for name in (b'\x05timer', b'\x09spapr_cpu', b'\x0acede/clock', b'\x0dcede/firmware')]
        for n, end in enumerate(ends):
            with open(at('bad.cede'), 'wb') as f:
                f.write(good[:end])
            check(m.hmp('loadvm bad').startswith('Error: '), 'refused-%d' % n)
        damaged = bytearray(good)
        damaged[good.index(b'\x0dcede/firmware') + 60] ^= 1
        with open(at('bad.cede'), 'wb') as f:
            f.write(damaged)
        check(m.hmp('loadvm bad').startswith('Error: '), 'refused-by-its-sum')
        check(m.hmp('savevm after') == '', 'savevm-after')
        with open(at('after.cede'), 'rb') as f:
            check(f.read() == good, 'not-a-byte-has-changed')
        check(m.hmp('loadvm good') == '', 'loads')
        status, errors = m.end()
        check(status == 0 and errors == '', 'nothing-said', (status, errors))


def kept():
    """The NVRAM's file cannot be written when a snapshot is loaded over a machine: a warning, and the machine goes on with what was saved."""
    with Folder() as at:
        with open(at('nv'), 'wb') as f:
            f.write(bytes(64 << 10))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        m = Monitored(at('console'), '-S', '-snapdir', at.path, '-kernel', guest('warp'), '-rtc', 'base=2026-01-01', '-drive', 'if=pflash,format=raw,file=' + at('nv'))
        check(m.hmp('savevm a') == '', 'savevm')
        old = resource.prlimit(m.p.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        check(m.hmp('loadvm a') == '', 'loadvm')
        check('paused' in m.hmp('info status'), 'is-there')
        resource.prlimit(m.p.pid, resource.RLIMIT_FSIZE, old)
        check(m.hmp('savevm b') == '', 'savevm-after')
        with open(at('a.cede'), 'rb') as f, open(at('b.cede'), 'rb') as g:
            check(f.read() == g.read(), 'as-it-was-saved')
        status, errors = m.end()
        check(status == 0 and errors.count('\n') == 1 and 'warning' in errors and "NVRAM's file" in errors, 'said', (status, errors))


def deleted():
    """delvm removes snapshots, by whatever name of ours, and nothing else that bears such a name."""
    with Folder() as at:
        m = Monitored(at('console'), '-S', '-snapdir', at.path, '-kernel', guest('warp'))
        check(m.hmp('savevm a') == '', 'savevm')
        os.mkfifo(at('fifo.cede'))
        os.mkdir(at('folder.cede'))
        os.symlink('fifo.cede', at('to-fifo.cede'))
        os.symlink('/dev/null', at('to-device.cede'))
        strange = ['fifo', 'folder', 'to-fifo', 'to-device']
        for name in strange:
            check(re.fullmatch("Error: cannot delete '%s': not a regular file\n" % name, m.hmp('delvm ' + name)), name, m.hmp('delvm ' + name))
            check(os.path.lexists(at(name + '.cede')), name + '-is-there')
        check('No such file' in m.hmp('delvm none'), 'none')
        os.symlink('a.cede', at('link.cede'))
        check(m.hmp('delvm link') == '' and not os.path.lexists(at('link.cede')) and os.path.exists(at('a.cede')), 'a-link-of-ours')
        if os.geteuid() == 0:
            os.symlink('a.cede', at('theirs.cede'))
            os.lchown(at('theirs.cede'), 4711, 4711)
            os.chmod(at.path, 0o1777)
            check('user 4711' in m.hmp('delvm theirs') and os.path.lexists(at('theirs.cede')), 'a-link-of-theirs')
        check(m.hmp('delvm a') == '' and not os.path.exists(at('a.cede')), 'a')
        status, errors = m.end()
        check(status == 0 and errors == '', 'nothing-said', (status, errors))


def cut():
    """A mapped snapshot is cut under the machine that runs on it: a line that names it, the terminal as before, status 1."""
    with Folder() as at:
        base = ['-m', '256M', '-nodefaults', '-nographic', '-clock', 'warp']
        p = subprocess.run([CEDE, *base, '-serial', 'null', '-kernel', guest('warp'), '-save', at('m') + '@1000,layout=mapped,quit=on'], capture_output=True, timeout=60)
        check(p.returncode == 0, 'saved', p.stderr)
        for terminal in False, True:
            shutil.copy(at('m'), at('f'))
            master, slave = pty.openpty()
            before = termios.tcgetattr(slave)
            p = subprocess.Popen([CEDE, *base, '-serial', 'mon:stdio' if terminal else 'null', '-S', '-monitor', 'unix:%s,server=on,wait=off' % at('s'), '-loadvm', at('f')],
                                 stdin=slave if terminal else subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            end = time.monotonic() + 60
            while not os.path.exists(at('s')) and time.monotonic() < end:
                time.sleep(0.02)
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(at('s'))
                s.recv(4096)
                os.truncate(at('f'), 8192)
                s.sendall(b'cont\n')
                errors = p.communicate(timeout=60)[1]
            os.unlink(at('s')) if os.path.exists(at('s')) else None
            check(p.returncode == 1 and at('f').encode() in errors and errors.count(b'\n') == 1, 'said-%d' % terminal, (p.returncode, errors))
            check(termios.tcgetattr(slave) == before, 'terminal-%d' % terminal)
            os.close(master)
            os.close(slave)


def failed():
    """A save that was asked for and is not there shows in the status at the end, whatever the guest ends with."""
    with Folder() as at:
        base = [CEDE, '-m', '256M', '-nodefaults', '-nographic', '-serial', 'null', '-clock', 'warp', '-kernel']
        os.mkdir(at('none'))
        none = at('none')           # no file
        cases = (('at-a-cycle', ['-save', none + '@1000'], 1), ('in-the-background', ['-save', none + '@1000,background=on'], 1),
                 ('good', ['-save', at('x') + '@1000'], 0), ('the-guest-knows', ['-save', none + '@guest'], 0))
        for name, options, want in cases:
            p = subprocess.run([*base, guest('asleep'), '-save', at('end') + '@2000000,quit=on', *options], capture_output=True, timeout=60)
            check(p.returncode == want and p.stderr.count(b'\n') == want, name, (p.returncode, p.stderr))
        for how in ('', ',target=qemu', ',layout=mapped'):
            p = subprocess.run([*base, guest('sprs'), '-save', at('late') + '@99999999999' + how], capture_output=True, text=True, timeout=60)
            check(p.returncode == 1 and p.stderr.count('\n') == 1 and ': no snapshot, for the guest ended at cycle ' in p.stderr,
                  'too-late' + how, (p.returncode, p.stderr))


if __name__ == '__main__':
    main({f.__name__: f for f in (warped, asleep, unharmed, kept, deleted, cut, failed)})
