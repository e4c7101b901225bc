"""What comes in and goes out at the host's side of a terminal: nothing is lost, nobody is kept waiting, and a file's bytes
come at the same cycles in each run. The guest is tests/guest/terminal.c."""
# needs: programs guests
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import tty

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../linux'))
from console import CEDE, Failure, Folder, check, main, skip     # noqa: E402

BUILD = os.environ.get('B', 'build')
LINES = 20000
SOON = 5.0          # seconds: without what is tested here it is never
WAIT = 60


def image(order='le'):
    path = '%s/tests/guest/terminal-%s.elf' % (BUILD, order)
    if not os.path.exists(path):
        skip(path + ' was not built: no cross compiler?')
    return path


def argv(*options, order='le'):
    return [CEDE, '-m', '256M', '-nodefaults', '-nographic', '-rtc', 'base=2026-01-01', '-kernel', image(order), *options]


def ends(process, seconds=SOON):
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


# ---- Input from files ----

def hashed(data, *options, order='le', slow=False):
    """What the guest says, and the line with the hash."""
    with Folder() as at:
        with open(at('in'), 'wb') as f:
            f.write(data)
        with open(at('in'), 'rb') as f:
            p = subprocess.Popen(argv('-d', 'statehash', *options, order=order), stdin=f, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            if slow:                    # nobody reads for a while: it is held
                time.sleep(1)
            out, err = p.communicate(timeout=WAIT)
    return out.decode().replace('\r', ''), err.decode()


def file_input():
    """The same state in each run, however the host's clock went: files longer and shorter than what is read ahead."""
    for n in 100, 4094, 4095, 4096, 13224, 50000:
        for letter, serial in (b'r', 'stdio'), (b's', 'mon:stdio'):
            data = letter + bytes(97 + i % 26 for i in range(n)) + b'$'
            order = 'be' if n % 3 else 'le'
            runs = [hashed(data, '-serial', serial, *o, order=order) for o in ((), (), (), ('-clock', 'warp'))]
            name = 'file-%d-%s' % (n, serial)
            check(all('taken %d\n' % n in out for out, _ in runs), name + '-arrives', [out[-60:] for out, _ in runs])
            check(len({err for _, err in runs}) == 1 and 'statehash' in runs[0][1], name + '-same-state', [err for _, err in runs])
    data = b'r' + b'x' * 13224 + b'$'
    got = [hashed(data, '-serial', 'stdio', slow=slow)[1] for slow in (False, True)]
    check(got[0] == got[1], 'whoever-reads', got)


def monitored_file():
    """Commands from a file come at the same cycles, too; and one that never ends keeps nobody."""
    commands = b'info version\n' * 700 + b'quit\n'
    with Folder() as at:
        with open(at('in'), 'wb') as f:
            f.write(commands)
        for stop in (), ('-S',):
            with open(at('in'), 'rb') as f, open(at('out'), 'wb') as out:
                p = subprocess.run(argv('-serial', 'null', '-monitor', 'stdio', *stop), stdin=f, stdout=out, stderr=subprocess.PIPE,
                                   timeout=WAIT)
            with open(at('out'), 'rb') as f:
                said = f.read().count(b'cede 0.')
            check(p.returncode == 0 and said == 700, 'commands-from-a-file' + ''.join(stop), (p.returncode, said, p.stderr))
        for stop in (), ('-S',):
            with open('/dev/zero', 'rb') as f:
                p = subprocess.Popen(argv('-serial', 'null', '-monitor', 'stdio', *stop), stdin=f, stdout=subprocess.DEVNULL,
                                     stderr=subprocess.PIPE)
                time.sleep(1)
                p.send_signal(signal.SIGTERM)
                check(ends(p) == 1, 'commands-without-end' + ''.join(stop), p.returncode)


# ---- Keys ----

class Terminal:
    """cede on a terminal, as a terminal emulator gives it."""

    def __init__(self, *options):
        self.master, slave = pty.openpty()
        tty.setraw(slave)
        self.process = subprocess.Popen(argv('-serial', 'mon:stdio', *options), stdin=slave, stdout=slave, stderr=subprocess.PIPE)
        os.close(slave)
        self.said = b''

    def pump(self, seconds):
        while select.select([self.master], [], [], seconds)[0]:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return
            self.said += data
            seconds = 0

    def type(self, data):
        until = time.monotonic() + WAIT
        while data and time.monotonic() < until and self.process.poll() is None:
            r, w, _ = select.select([self.master], [self.master], [], 0.2)
            if r:
                self.pump(0)
            if w:
                data = data[os.write(self.master, data[:1024]):]
        return not data

    def until(self, word, seconds=WAIT):
        until = time.monotonic() + seconds
        while word not in self.said and time.monotonic() < until and self.process.poll() is None:
            self.pump(0.1)
        self.pump(0)
        return word in self.said

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)


def paste():
    """All of a paste arrives at a guest that reads, in order, whatever its length and the guest's speed."""
    for letter, n in (b'r', 10240), (b's', 10240), (b's', 102400), (b's', 1200000):
        t = Terminal()
        t.until(b'ready')
        done = t.type(letter + b'p' * n + b'$')
        arrived = t.until(b'done', WAIT if done else 0)
        check(arrived and re.search(rb'taken %d\b' % n, t.said), 'paste-%s-%d' % (letter.decode(), n), (done, t.said[-80:]))
        t.close()


def deaf():
    """Ctrl-A x ends cede behind a paste that the guest never reads; and the monitor is reached there."""
    for n in 0, 5000, 100000, 1500000:
        t = Terminal()
        t.until(b'ready')
        t.type(b'n')
        t.until(b'deaf')
        sent = t.type(b'p' * n + b'\x01c') and t.until(b'(cede) ', 2 * SOON) and t.type(b'info version\r\x01c')
        check(sent and t.until(b'cede 0.', SOON), 'monitor-behind-%d' % n, t.said[-80:])
        t.type(b'pppp\x01x')
        t.until(b'terminated', SOON)
        check(ends(t.process) == 0, 'ctrl-a-x-behind-%d' % n, t.process.returncode)
        t.close()


# ---- Who does not read ----

class Monitor:
    def __init__(self, path):
        until = time.monotonic() + 20
        while True:
            self.socket = socket.socket(socket.AF_UNIX)
            try:
                self.socket.connect(path)
                break
            except OSError:
                self.socket.close()
                if time.monotonic() > until:
                    raise Failure('no monitor')
                time.sleep(0.05)
        self.socket.settimeout(SOON)
        try:
            self.answer()
        except OSError:
            raise Failure('the monitor does not greet')

    def answer(self):
        said = b''
        while not said.endswith(b'(cede) '):
            data = self.socket.recv(65536)
            if not data:
                raise Failure('the monitor has gone')
            said += data
        return said.decode()

    def ask(self, command):
        """What it answers, and in which time; None: not at all."""
        t = time.monotonic()
        try:
            self.socket.sendall(command.encode() + b'\n')
            return self.answer(), time.monotonic() - t
        except OSError:
            return None, time.monotonic() - t


def whole(data):
    lines = re.findall(rb'line (\d+) of many', data)
    return [int(n) for n in lines] == list(range(LINES))


class Output:
    """A first terminal whose output somebody could read: a pipe, a socket, a FIFO, a client, a pseudo terminal."""

    def __init__(self, kind, at, *options):
        serial = {'unix': 'unix:%s,server=on' % at('serial'), 'listener': 'unix:' + at('serial'), 'fifo': 'file:' + at('serial'), 'pty': 'pty'}
        self.kind, out, ours = kind, subprocess.DEVNULL, None
        if kind == 'pipe':
            self.fd, out = os.pipe()
            ours = out
        elif kind == 'socket':
            a, b = socket.socketpair()
            self.fd, out = a.detach(), b.detach()
            ours = out
        elif kind == 'fifo':
            os.mkfifo(at('serial'))
            self.fd = os.open(at('serial'), os.O_RDONLY | os.O_NONBLOCK)
            os.set_blocking(self.fd, True)
        elif kind == 'listener':
            server = socket.socket(socket.AF_UNIX)
            server.bind(at('serial'))
            server.listen()
        # What is written goes to the terminal that the letter comes from.
        self.process = subprocess.Popen(argv('-serial', serial.get(kind, 'stdio'), '-monitor', 'unix:%s,server=on,wait=off' % at('m'), *options),
                                        stdin=subprocess.PIPE, stdout=out, stderr=subprocess.PIPE)
        if ours is not None:
            os.close(ours)
        if kind == 'listener':
            self.fd = server.accept()[0].detach()
            server.close()
        elif kind == 'unix':
            for _ in range(200):
                s = socket.socket(socket.AF_UNIX)
                if s.connect_ex(at('serial')) == 0:
                    break
                time.sleep(0.05)
            self.fd = s.detach()
        elif kind == 'pty':
            name = self.process.stderr.readline().split()[4]
            self.fd = os.open(name, os.O_RDWR | os.O_NOCTTY)
        self.begin()

    def begin(self):
        if self.kind in ('pipe', 'socket'):
            self.process.stdin.write(b'p')
            self.process.stdin.flush()
        else:
            os.write(self.fd, b'p')

    def rest(self):
        data = b''
        while select.select([self.fd], [], [], 20)[0]:
            try:
                some = os.read(self.fd, 65536)
            except OSError:
                break
            if not some:
                break
            data += some
        return data

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.fd)


def status(m):
    said, took = m.ask('info status')
    return said is not None and 'running' in said and took < SOON


def unread():
    """A guest that writes to somebody who does not read is held; its monitor, signals and quit are not, and nothing is lost."""
    kinds = 'pipe', 'socket', 'unix', 'listener'
    for kind in kinds:
        with Folder() as at:
            o = Output(kind, at, '-d', 'statehash')
            m = Monitor(at('m'))
            time.sleep(1)
            check(status(m) and o.process.poll() is None, kind + '-monitor-answers')
            data = o.rest()
            check(whole(data), kind + '-nothing-is-lost', len(data))
            check(ends(o.process, WAIT) == 0, kind + '-ends', o.process.returncode)
            o.close()
        for name, how in ('sigterm', lambda m, o: o.process.send_signal(signal.SIGTERM)), ('quit', lambda m, o: m.socket.sendall(b'quit\n')):
            with Folder() as at:
                o = Output(kind, at)
                m = Monitor(at('m'))
                time.sleep(0.5)
                how(m, o)
                check(ends(o.process) == (1 if name == 'sigterm' else 0), kind + '-' + name, o.process.returncode)
                o.close()
    with Folder() as at:        # whoever goes away holds nobody
        o = Output('unix', at)
        m = Monitor(at('m'))
        time.sleep(0.5)
        os.close(o.fd)
        o.fd = os.open('/dev/null', os.O_RDONLY)
        check(ends(o.process, WAIT) == 0, 'unix-gone', o.process.returncode)
        o.close()
    with Folder() as at:        # what nobody reads from a pty is dropped after a while, and the guest goes on
        o = Output('pty', at)
        m = Monitor(at('m'))
        check(status(m), 'pty-monitor-answers')
        check(ends(o.process, WAIT) == 0, 'pty-ends', o.process.returncode)
        o.close()


def held():
    """That it was held does not show: the same state as with a reader that is quick, with one processor and with four."""
    for cpus in '1', '4':
        got = []
        for wait in 0, 1.5:
            r, w = os.pipe()
            with Folder() as at:
                with open(at('in'), 'wb') as f:
                    f.write(b'p')
                with open(at('in'), 'rb') as f:
                    p = subprocess.Popen(argv('-smp', cpus, '-serial', 'stdio', '-d', 'statehash'), stdin=f, stdout=w, stderr=subprocess.PIPE)
                os.close(w)
                time.sleep(wait)
                data = []
                t = threading.Thread(target=lambda r=r, data=data: data.append(os.fdopen(r, 'rb').read()))
                t.start()
                got.append(p.stderr.read())
                p.wait(WAIT)
                t.join(WAIT)
                check(whole(data[0]), 'held-%s-%s-whole' % (cpus, wait))
        check(got[0] == got[1] and b'statehash' in got[0], 'held-same-state-%s' % cpus, got)


# ---- Sockets ----

def start(path, *options):
    return subprocess.Popen(argv('-serial', 'null', '-monitor', 'unix:%s,server=on,wait=off' % path, *options), stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def there(path):
    for _ in range(200):
        if os.path.exists(path):
            return True
        time.sleep(0.05)
    return False


def refuses(p, word, name):
    status_, errors = ends(p), p.stderr.read().decode()
    check(status_ == 1 and errors.count('\n') == 1 and word in errors, name, (status_, errors))


def sockets():
    """One process at a time listens on a name, and removes only its own."""
    with Folder() as at:
        a = start(at('m'))
        check(there(at('m')), 'first-listens')
        refuses(start(at('m')), 'another process listens there', 'second-is-refused')
        m = Monitor(at('m'))
        check(status(m), 'first-answers')
        refuses(start(at('m')), 'another process listens there', 'second-is-refused-while-it-is-used')
        os.unlink(at('m'))
        b = start(at('m'))
        check(there(at('m')), 'another-listens')
        a.send_signal(signal.SIGTERM)
        check(ends(a) == 1 and os.path.exists(at('m')), 'ends-and-leaves-the-others')
        m = Monitor(at('m'))
        check(status(m), 'which-answers')
        b.kill()
        b.wait()
        check(os.path.exists(at('m')), 'killed-leaves-its-own')
        c = start(at('m'))
        check(there(at('m')) and status(Monitor(at('m'))), 'which-is-replaced')
        c.send_signal(signal.SIGTERM)
        ends(c)
        check(not os.path.exists(at('m')), 'and-removed-at-the-end')
        with open(at('m'), 'w') as f:
            f.write('precious')
        refuses(start(at('m')), 'in use', 'file-is-refused')
        with open(at('m')) as f:
            check(f.read() == 'precious', 'and-kept')
        refuses(start(at('n'), '-qmp', 'unix:%s,server=on,wait=off' % at('n')), 'another process listens there', 'twice-in-one-process')
    with Folder() as at:            # who waits for its client does not take the question for one
        p = subprocess.Popen(argv('-serial', 'unix:%s,server=on' % at('s')), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        p.stderr.readline()
        refuses(start(at('s')), 'another process listens there', 'waiting-is-not-disturbed')
        s = socket.socket(socket.AF_UNIX)
        s.connect(at('s'))
        s.settimeout(20)
        said = s.recv(100)
        s.sendall(b'h')
        while b'hello' not in said and len(said) < 1000:
            some = s.recv(100)
            if not some:
                break
            said += some
        check(b'ready' in said and b'hello' in said, 'its-client-is-the-first-one', said)
        check(ends(p) == 0, 'its-status', p.returncode)
    with Folder() as at:            # of many at once, one
        s = socket.socket(socket.AF_UNIX)
        s.bind(at('m'))
        s.close()
        many = [start(at('m')) for _ in range(6)]
        for _ in range(100):
            if sum(p.poll() is None for p in many) <= 1:
                break
            time.sleep(0.1)
        alive = [p for p in many if p.poll() is None]
        check(len(alive) == 1 and status(Monitor(at('m'))), 'one-of-many', len(alive))
        for p in alive:
            p.send_signal(signal.SIGTERM)
            ends(p)
    with Folder() as at:            # as a client of somebody who is busy
        s = socket.socket(socket.AF_UNIX)
        s.bind(at('s'))
        s.listen(0)
        first = socket.socket(socket.AF_UNIX)
        first.connect(at('s'))
        p = subprocess.Popen(argv('-serial', 'unix:' + at('s')), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        line = p.stderr.readline().decode()
        check('waiting for unix:' in line, 'busy-is-said', line)
        p.send_signal(signal.SIGTERM)
        check(ends(p) == 1, 'busy-and-a-signal', p.returncode)
        p = subprocess.Popen(argv('-serial', 'unix:' + at('s')), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        p.stderr.readline()
        s.accept()
        client = s.accept()[0]
        client.sendall(b'h')
        check(ends(p) == 0, 'busy-and-then-not', p.returncode)


main({f.__name__: f for f in (file_input, monitored_file, paste, deaf, unread, held, sockets)})
