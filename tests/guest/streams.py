"""Character devices as clients find them: each backend with a guest behind it, clients that are rude, and what QEMU does where
both can be asked. The guest is tests/guest/terminal.c."""
# needs: programs guests
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../linux'))
from console import CEDE, Failure, Folder, check, main, skip     # noqa: E402

BUILD = os.environ.get('B', 'build')
QEMU = shutil.which('qemu-system-ppc64')
SOON = 10.0         # seconds: without what is tested here it is never
A_WHILE = 0.5       # in which nothing comes


def image():
    path = '%s/tests/guest/terminal-le.elf' % BUILD
    if not os.path.exists(path):
        skip(path + ' was not built: no cross compiler?')
    return path


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Cede:
    """cede with the guest; `errors` is what it has said on standard error."""

    def __init__(self, *options, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, guest=True):
        argv = [CEDE, '-m', '256M', '-nodefaults', '-nographic', '-rtc', 'base=2026-01-01'] + (['-kernel', image()] if guest else [])
        self.process = subprocess.Popen(argv + list(options), stdin=stdin, stdout=stdout, stderr=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()

    def line(self):
        """The next one of standard error."""
        if not select.select([self.process.stderr], [], [], SOON)[0]:
            raise Failure('nothing on standard error')
        return self.process.stderr.readline().decode()

    def ends(self, seconds=SOON):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def alive(self):
        return self.process.poll() is None


class Qemu(Cede):
    def __init__(self, *options):
        argv = [QEMU, '-M', 'pseries', '-m', '256M', '-S', '-nodefaults', '-display', 'none']
        self.process = subprocess.Popen(argv + list(options), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def both():
    """Programs that are asked the same: cede, stopped as QEMU is, and QEMU if it is there."""
    yield 'cede', lambda *o: Cede('-S', *o)
    if QEMU:
        yield 'qemu', Qemu


class Client:
    def __init__(self, address, seconds=SOON):
        until = time.monotonic() + seconds
        while True:
            self.socket = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
            if self.socket.connect_ex(address) == 0:
                break
            self.socket.close()
            if time.monotonic() > until:
                raise Failure('nobody listens at %s' % (address,))
            time.sleep(0.02)
        self.said = b''

    def pump(self, seconds):
        """False: the other end has closed."""
        if not select.select([self.socket], [], [], seconds)[0]:
            return True
        try:
            data = self.socket.recv(65536)
        except OSError:
            data = b''
        self.said += data
        return bool(data)

    def until(self, word, seconds=SOON):
        end = time.monotonic() + seconds
        while word not in self.said and time.monotonic() < end and self.pump(0.1):
            pass
        return word in self.said

    def silent(self):
        before = self.said
        self.pump(A_WHILE)
        return self.said == before

    def send(self, data):
        self.socket.sendall(data)

    def close(self):
        self.socket.close()


def talk(name, client, word=b'hello there'):
    """The guest says each byte again."""
    client.said = b''
    client.send(word)
    check(client.until(word), name, client.said)


def begin(name, client):
    check(client.until(b'ready'), name + '-output', client.said)
    client.send(b'e')
    talk(name + '-both-ways', client)


def refused(name, word, *options, status=1):
    with Cede(*options) as c:
        got, errors = c.ends(), c.process.stderr.read().decode()
        check(got == status and errors.count('\n') == 1 and word in errors, name, (got, errors))


def listening(port):
    """Addresses at which somebody listens on it, as the kernel prints them."""
    found = []
    for path in '/proc/net/tcp', '/proc/net/tcp6':
        with open(path) as f:
            for row in f.readlines()[1:]:
                w = row.split()
                if w[3] == '0A' and int(w[1].split(':')[1], 16) == port:
                    found.append(w[1].split(':')[0])
    return found


# ---- TCP ----

def tcp():
    port = free_port()
    with Cede('-serial', 'tcp::%d,server=on' % port) as c:
        check(c.line() == 'cede: waiting for connection on tcp:127.0.0.1:%d\n' % port, 'wait-is-said')
        check(listening(port) == ['0100007F'], 'on-the-loopback-alone', listening(port))
        a = Client(('127.0.0.1', port))
        begin('server', a)
        b = Client(('127.0.0.1', port))         # is heard when the first one has gone
        b.send(b'second')
        check(b.silent(), 'second-waits', b.said)
        talk('first-goes-on', a)
        a.close()
        check(b.until(b'second'), 'then-it-is-its-turn', b.said)
        b.send(b'$')
        check(b.until(b'bye') and c.ends() == 0, 'ends', c.process.returncode)
    with Cede('-serial', 'tcp:0.0.0.0:%d,server,nowait,nodelay' % port) as c:
        a = Client(('127.0.0.1', port))
        check(listening(port) == ['00000000'], 'everywhere-if-told-so', listening(port))
        a.send(b'e')
        talk('no-wait', a)
        refused('port-in-use', "'tcp:127.0.0.1:%d': Address already in use" % port, '-serial', 'tcp::%d,server=on,wait=off' % port)
        with Cede('-chardev', 'socket,id=c,port=%d,to=%d,server=on' % (port, port + 20), '-serial', 'chardev:c') as d:
            d.line()
            found = [p for p in range(port + 1, port + 21) if listening(p) == ['0100007F']]
            check(found and d.alive(), 'a-later-one-up-to', found)
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        s.listen()
        with Cede('-serial', 'tcp:127.0.0.1:%d' % s.getsockname()[1]) as c:
            a = Client.__new__(Client)
            a.socket, a.said = s.accept()[0], b''
            begin('client', a)
            a.send(b'$')
            check(a.until(b'bye') and c.ends() == 0, 'client-ends', c.process.returncode)
            a.close()
    refused('nobody-there', "cannot use socket 'tcp:127.0.0.1:%d': Connection refused" % port, '-serial', 'tcp:127.0.0.1:%d' % port)
    refused('no-such-host', 'nonesuch.invalid', '-serial', 'tcp:nonesuch.invalid:1')
    with Cede('-serial', 'tcp::%d,server=on' % port) as c:
        c.line()
        c.process.send_signal(signal.SIGTERM)
        check(c.ends(2) == 1, 'signal-while-waiting', c.process.returncode)


def reconnect():
    """A client that connects again, whoever comes and goes at the other end."""
    for kind in 'tcp', 'unix':
        with Folder() as at:
            address = ('127.0.0.1', free_port()) if kind == 'tcp' else at('s')
            text = 'tcp:127.0.0.1:%d' % address[1] if kind == 'tcp' else 'unix:' + address
            with Cede('-serial', text + ',reconnect=1') as c:
                time.sleep(0.5)
                check(c.alive(), kind + '-nobody-is-no-error')
                for i in range(2):
                    with socket.socket(socket.AF_INET if kind == 'tcp' else socket.AF_UNIX) as s:
                        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                        s.bind(address)
                        s.listen()
                        s.settimeout(SOON)
                        a = Client.__new__(Client)
                        a.socket, a.said = s.accept()[0], b''
                        if not i:
                            a.send(b'e')
                        talk('%s-time-%d' % (kind, i), a)
                        a.close()
                    if kind == 'unix':
                        os.unlink(address)
                check(c.alive(), kind + '-still-there')


# ---- Telnet ----

WILL, WONT, DO, DONT = b'\xff\xfb', b'\xff\xfc', b'\xff\xfd', b'\xff\xfe'


def telnet():
    port = free_port()
    greetings = {}
    for name, run in both():
        with run('-serial', 'telnet:127.0.0.1:%d,server=on,wait=off' % port):
            a = Client(('127.0.0.1', port))
            a.until(DO + b'\0')
            a.silent()
            greetings[name] = a.said
            a.close()
    check(greetings['cede'].startswith(greetings.get('qemu', WILL)) and len(greetings['cede']) == 15, 'greeting', greetings)
    with Cede('-serial', 'telnet:127.0.0.1:%d,server=on,wait=off' % port) as c:
        a = Client(('127.0.0.1', port))
        a.send(DO + b'\1' + DO + b'\3' + WILL + b'\0e')
        talk('text', a)
        a.send(b'\xff\xff')
        check(a.until(b'\xff\xff'), '255-is-doubled', a.said)
        a.said = b''
        a.send(b'a' + DO + b'\x2a' + b'b\xff\xfa\x18\0xterm\xff\xf0c\xff\xf1d')
        check(a.until(b'd') and a.said.replace(WONT + b'\x2a', b'') == b'abcd' and WONT + b'\x2a' in a.said, 'commands-are-no-text', a.said)
        a.said = b''
        a.send(WONT + b'\0' + b'x\r\0y\r\nz')
        check(a.until(b'z') and a.said == b'x\ry\rz', 'enter', a.said)
        a.close()
        b = Client(('127.0.0.1', port))
        check(b.until(DO + b'\0'), 'the-next-is-greeted')
        b.send(b'$')
        check(b.until(b'bye') and c.ends() == 0, 'ends', b.said)


# ---- As QEMU does ----

def like_qemu():
    """A second client, and who waits: cede and QEMU are asked the same."""
    for name, run in both():
        port = free_port()
        with run('-serial', 'tcp:127.0.0.1:%d,server=on,wait=on' % port) as c:
            check('waiting for connection on' in c.line(), name + '-waits')
            Client(('127.0.0.1', port)).close()
            time.sleep(0.3)
            check(c.alive(), name + '-goes-on')
        with run('-qmp', 'tcp:127.0.0.1:%d,server=on,wait=off' % port):
            a = Client(('127.0.0.1', port))
            check(a.until(b'"QMP"'), name + '-first-is-greeted', a.said)
            b = Client(('127.0.0.1', port))
            check(b.silent() and not b.said, name + '-second-is-not', b.said)
            a.close()
            check(b.until(b'"QMP"'), name + '-until-the-first-has-gone', b.said)
            b.socket.shutdown(socket.SHUT_WR)
            check(not b.pump(SOON) or not b.pump(SOON), name + '-half-open-is-gone')
        with run('-monitor', 'telnet:127.0.0.1:%d,server=on,wait=off' % port):
            a = Client(('127.0.0.1', port))
            a.send(b'info status\r\0')
            check(a.until(b'VM status: paused'), name + '-monitor-by-telnet', a.said)
        for word, options in (("'wait' option is incompatible", ('-serial', 'tcp:127.0.0.1:1,wait=on')),
                              ("'reconnect' option is incompatible", ('-chardev', 'socket,id=a,port=1,host=127.0.0.1,server=on,reconnect=1'))):
            with run(*options) as c:
                check(c.ends() and word in c.process.stderr.read().decode(), name + '-' + word.split("'")[1])


# ---- Datagrams, FIFOs, rings ----

def udp():
    ours, theirs = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_DGRAM)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(('127.0.0.1', theirs))
        s.settimeout(SOON)
        with Cede('-serial', 'udp:127.0.0.1:%d@127.0.0.1:%d' % (theirs, ours)) as c:
            said = b''

            def until(word):
                nonlocal said
                while word not in said:
                    said += s.recv(65536)
                said = b''
                return True
            check(until(b'ready'), 'output')
            s.sendto(b'e', ('127.0.0.1', ours))
            s.sendto(b'hello', ('127.0.0.1', ours))
            check(until(b'hello'), 'both-ways')
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                other.sendto(b'$', ('127.0.0.1', ours))
            s.sendto(b'', ('127.0.0.1', ours))
            s.sendto(b'!', ('127.0.0.1', ours))
            check(until(b'!') and c.alive(), 'from-nobody-else')
            s.close()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
                again.sendto(b'x', ('127.0.0.1', ours))
            time.sleep(A_WHILE)
            check(c.alive(), 'nobody-there-is-no-end')
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(('127.0.0.1', theirs))
        s.settimeout(SOON)
        with Cede('-serial', 'udp:127.0.0.1:%d@127.0.0.1:%d' % (theirs, ours)) as c:
            until(b'ready')
            for data in b'r', bytes(97 + i % 26 for i in range(20000)), b'$':       # larger than what is read ahead otherwise
                s.sendto(data, ('127.0.0.1', ours))
            check(until(b'taken 20000\n') and c.ends() == 0, 'whole-datagrams')


def fifo():
    with Folder() as at:
        os.mkfifo(at('p.in'))
        os.mkfifo(at('p.out'))
        with Cede('-serial', 'pipe:' + at('p')) as c:
            out = os.open(at('p.out'), os.O_RDONLY)
            inp = os.open(at('p.in'), os.O_WRONLY)
            said = b''
            os.write(inp, b'ehello')
            while b'hello' not in said:
                said += os.read(out, 4096)
            check(b'ready' in said, 'both-ways', said)
            os.close(inp)                       # whoever goes may come again
            inp = os.open(at('p.in'), os.O_WRONLY)
            os.write(inp, b'$')
            while b'bye' not in said:
                said += os.read(out, 4096)
            check(c.ends() == 0, 'ends', c.process.returncode)
        refused('none-there', 'there are no FIFOs', '-serial', 'pipe:' + at('q'))
        with open(at('r'), 'w') as f:
            f.write('precious')
        refused('no-fifo', 'another kind of file', '-serial', 'pipe:' + at('r'))


class Program(Client):
    """Of QMP; keeps what it is told."""

    def __init__(self, address):
        super().__init__(address)
        self.until(b'"QMP"')
        self.ask('qmp_capabilities')

    def ask(self, command, **arguments):
        self.said = b''
        self.send(json.dumps({'execute': command, 'arguments': {k.replace('_', '-'): v for k, v in arguments.items()}}).encode())
        while True:
            if not self.pump(SOON):
                raise Failure('the program is cut off')
            for line in self.said.decode().splitlines():
                try:
                    said = json.loads(line)
                except ValueError:
                    continue
                if 'return' in said:
                    return said['return']
                if 'error' in said:
                    return said['error']


def same(name, answers):
    check(len(set(map(repr, answers.values()))) == 1, name, answers)


RING = (
    ('write', 'ringbuf-write', {'device': 'r', 'data': 'hello\n\xe9"x'}), ('read', 'ringbuf-read', {'device': 'r', 'size': 100}),
    ('read-empty', 'ringbuf-read', {'device': 'r', 'size': 100}),
    ('write-more-than-there-is-room', 'ringbuf-write', {'device': 'r', 'data': '0123456789abcdefghij'}),
    ('the-last-is-kept', 'ringbuf-read', {'device': 'r', 'size': 5}), ('and-the-rest', 'ringbuf-read', {'device': 'r', 'size': 5000000000}),
    ('write-base64', 'ringbuf-write', {'device': 'r', 'data': 'AP9oaQ==', 'format': 'base64'}),
    ('read-base64', 'ringbuf-read', {'device': 'r', 'size': 4, 'format': 'base64'}),
    ('no-base64', 'ringbuf-write', {'device': 'r', 'data': '!!!!', 'format': 'base64'}),
    ('no-format', 'ringbuf-read', {'device': 'r', 'size': 1, 'format': 'x'}), ('no-size', 'ringbuf-read', {'device': 'r', 'size': 0}),
    ('no-ring', 'ringbuf-read', {'device': 'f', 'size': 1}), ('no-device', 'ringbuf-write', {'device': 'zz', 'data': ''}),
    ('by-hand', 'human-monitor-command', {'command-line': 'ringbuf_write r a\\b'}),
    ('and-read', 'human-monitor-command', {'command-line': 'ringbuf_read r 10'}),
    ('by-hand-no-size', 'human-monitor-command', {'command-line': 'ringbuf_read r 0'}),
    ('by-hand-no-ring', 'human-monitor-command', {'command-line': 'ringbuf_read f 1'}),
)


def rings():
    """Rings and lists, as QEMU answers; and what a guest says is in one."""
    answers, lists, port = {}, {}, free_port()
    for name, run in both():
        with Folder() as at:
            with run('-qmp', 'unix:%s,server=on,wait=off' % at('q'), '-chardev', 'ringbuf,id=r,size=16', '-chardev', 'file,id=f,path=' + at('f'), '-serial',
                     'telnet:127.0.0.1:%d,server=on,wait=off' % port, '-serial', 'null', '-chardev', 'udp,id=u,port=9', '-serial', 'mon:unix:%s,server=on,wait=off' % at('s')):
                p = Program(at('q'))
                for fact, command, arguments in RING:
                    answers.setdefault(fact, {})[name] = p.ask(command, **arguments)
                lists.setdefault('all', {})[name] = sorted((d['label'], d['filename'].replace(at.path, ''), d['frontend-open']) for d in p.ask('query-chardev'))
                a = Client(('127.0.0.1', port))
                a.until(DO + b'\0')
                said = [d['filename'] for d in p.ask('query-chardev') if d['label'] == 'serial0']
                lists.setdefault('a-client', {})[name] = [re.sub(r'\d+$', 'N', f) for f in said]
                said = p.ask('human-monitor-command', command_line='info chardev').replace('\r', '').replace(at.path, '')
                lists.setdefault('by-hand', {})[name] = sorted(re.sub(r':\d+$', ':N', line) for line in said.split('\n'))
                backends = {d['name'] for d in p.ask('query-chardev-backends')}
                check({'null', 'stdio', 'pty', 'file', 'pipe', 'socket', 'udp', 'ringbuf'} <= backends, name + '-backends', backends)
    for fact, got in answers.items():
        same(fact, got)
    for fact, got in lists.items():
        same('list-' + fact, got)
    with Folder() as at:
        with Cede('-qmp', 'unix:%s,server=on,wait=off' % at('q'), '-chardev', 'ringbuf,id=r', '-serial', 'chardev:r'):
            p = Program(at('q'))
            time.sleep(A_WHILE)
            said = p.ask('ringbuf-read', device='r', size=100)
            check(said.startswith('ready'), 'what-the-guest-says', said)


# ---- Logs ----

def read(path):
    with open(path, 'rb') as f:
        return f.read()


def logs():
    """What is written stands in the log, whoever reads it or not; a disk that is full holds nobody."""
    with Folder() as at:
        with open(at('in'), 'wb') as f:
            f.write(b'h')
        run = ['-chardev', 'stdio,id=c,logfile=%s' % at('log'), '-serial', 'chardev:c']
        for i, more in enumerate(('', '', ',logappend=on')):
            with open(at('in'), 'rb') as f, Cede(run[0], run[1] + more, *run[2:], stdin=f) as c:
                check(c.ends() == 0 and b'hello' in read(at('log')), 'a-log%d' % i, read(at('log')))
            if not i:
                once = read(at('log'))
        check(read(at('log')) == 2 * once, 'emptied-and-added-to', read(at('log')))
        check(os.stat(at('log')).st_mode & 0o777 == 0o600, 'for-nobody-else')
        with Cede('-chardev', 'socket,path=%s,server=on,wait=off,id=c,logfile=%s' % (at('s'), at('log2')), '-serial', 'chardev:c'):
            until = time.monotonic() + SOON
            while (not os.path.exists(at('log2')) or b'ready' not in read(at('log2'))) and time.monotonic() < until:
                time.sleep(0.05)
            check(b'ready' in read(at('log2')), 'with-nobody-there')
        with open(at('in'), 'rb') as f, Cede('-chardev', 'stdio,id=c,logfile=/dev/full', '-serial', 'chardev:c', stdin=f) as c:
            check(c.ends() == 0 and c.process.stderr.read().count(b"log '/dev/full' of chardev 'c' takes no more") == 1, 'a-full-disk')
        refused('no-folder', 'cannot write log', '-chardev', 'null,id=c,logfile=%s/x/y' % at.path, '-serial', 'chardev:c')


# ---- Several on a stream ----

def mux():
    """Two terminals and a monitor on one stream: all write, keys go to one."""
    with Folder() as at:
        with Cede('-chardev', 'socket,id=c,path=%s,server=on,mux=on' % at('s'), '-serial', 'chardev:c', '-serial', 'chardev:c', '-mon', 'c', '-echr', '0x14') as c:
            a = Client(at('s'))
            check(a.until(b'vio-signal'), 'a-terminal-writes')
            a.send(b'e')
            check(a.silent(), 'keys-go-to-the-last-terminal', a.said)
            a.send(b'\x14c')
            check(a.until(b'(cede) '), 'then-to-the-monitor', a.said)
            a.send(b'info chardev\n')
            check(a.until(b'c: filename=mux'), 'which-answers', a.said)
            a.send(b'\x14c')
            a.send(b'e')
            talk('then-to-the-first', a, b'one two')
            a.send(b'\x14\x14')
            check(a.until(b'\x14'), 'the-escape-key-itself', a.said)
            a.send(b'\x01')
            check(a.until(b'\x01'), 'which-another-is-not', a.said)
            a.send(b'\x14h')
            check(a.until(b'Ctrl-T x    end cede'), 'help', a.said)
            a.said = b''
            a.send(b'\x14t\nstamped\n')
            check(a.until(b'stamped\n') and re.search(rb'\[\d\d:\d\d:\d\d\.\d\d\d\] stamped\n$', a.said), 'stamps', a.said)
            a.send(b'\x14')                     # half a command is not the next client's
            a.close()
            a = Client(at('s'))
            a.send(b'xyz')
            check(a.until(b'xyz'), 'the-next-client', a.said)
            a.send(b'\x14c\x14cquit')            # to the monitor, and half a line
            check(a.until(b'(cede) '), 'again-the-monitor')
            a.close()
            a = Client(at('s'))
            check(a.until(b'(cede) '), 'which-greets-the-next-one', a.said)
            a.send(b'\n')
            time.sleep(A_WHILE)
            check(c.alive(), 'and-has-nothing-of-the-last-ones')
            a.send(b'\x14x')
            check(a.until(b'terminated') and c.ends() == 0, 'ends', a.said)
        refused('five-on-one', 'more than 4 users', '-chardev', 'null,id=c,mux=on', *('-serial', 'chardev:c') * 5, status=2)
        refused('two-on-one', "chardev 'c' is in use", '-chardev', 'null,id=c', '-serial', 'chardev:c', '-mon', 'c', status=2)
        refused('no-such-stream', "'d'", '-chardev', 'null,id=c', '-mon', 'chardev=d', status=2)
        refused('pretty-by-hand', 'mode=control', '-chardev', 'null,id=c', '-mon', 'chardev=c,pretty=on', status=2)
    answers = {}
    for name, run in both():
        with Folder() as at:
            with run('-chardev', 'socket,id=q,path=%s,server=on,wait=off' % at('q'), '-mon', 'chardev=q,mode=control,pretty=on', '-qmp-pretty',
                     'unix:%s,server=on,wait=off' % at('p'), '-chardev', 'null,id=n'):
                for path in 'q', 'p':
                    a = Client(at(path))
                    a.until(b'\r\n}\r\n')
                    greeting, a.said = a.said, b''
                    a.send(b'{"execute": "qmp_capabilities"}{"execute": "query-frob", "id": "a{b"}')
                    a.until(b'found"\r\n    }\r\n}\r\n')
                    answers.setdefault('pretty-' + path, {})[name] = a.said
                    check(re.search(rb'"capabilities": \[\r\n        (    "oob"\r\n        )?\]\r\n    \}\r\n\}\r\n$', greeting), name + '-lists', greeting)
    for fact, got in answers.items():
        same(fact, got)
    check(b'\n    "return": {\r\n    }' in answers['pretty-q']['cede'], 'several-lines', answers)


# ---- Who is rude ----

def ask(address, command=b'info status\n', seconds=SOON):
    m = Client(address)
    try:
        m.until(b'(cede) ')
        m.said = b''
        m.send(command)
        return m.until(b'(cede) ', seconds) and m.said
    finally:
        m.close()


def flood(address, data, seconds=3.0):
    """Sends it again and again, and reads nothing."""
    s = Client(address).socket
    s.setblocking(False)
    until, sent = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        if select.select([], [s], [], 0.1)[1]:
            try:
                sent += s.send(data)
            except OSError:
                break
    return s, sent


def hostile():
    """Floods, storms of options, clients that close in the middle or halfway: monitors answer, and the next client is served."""
    with Folder() as at:
        ports = [free_port() for _ in range(3)]
        options = ['-serial', 'telnet:127.0.0.1:%d,server=on,wait=off' % ports[0], '-monitor', 'unix:%s,server=on,wait=off' % at('m'),
                   '-qmp', 'tcp:127.0.0.1:%d,server=on,wait=off' % ports[1], '-serial', 'mon:telnet:127.0.0.1:%d,server=on,wait=off' % ports[2]]
        with Cede(*options) as c:
            telnet_, qmp, mux = (('127.0.0.1', p) for p in ports)
            first = Client(telnet_)
            first.send(b'e')
            talk('before', first)
            first.close()
            for name, data in (('options', DO + b'\x2a'), ('agreements', WILL + b'\3' + DO + b'\1'), ('suboption', b'\xff\xfa\x18' + b'x' * 64),
                               ('sizes', b'\xff\xfa\x1f\0\1\0\1\xff\xf0'), ('commands', b'\xff\xf4'), ('text', b'text'), ('255', b'\xff')):
                s, sent = flood(telnet_, data * 1000, 1.5)
                check(sent > 1000 and b'VM status' in (ask(at('m')) or b''), 'monitor-answers-in-a-flood-of-' + name, sent)
                s.close()
                check(c.alive(), 'and-cede-lives-' + name)
            for name, data in ('braces', b'{' * 4096), ('strings', b'{"a":"' + b'x' * 4000), ('nothing', b' \n' * 2000), ('binary', bytes(range(256)) * 16):
                s, sent = flood(qmp, data, 1)
                check(sent > 1000 and b'VM status' in (ask(at('m')) or b''), 'program-floods-' + name, sent)
                s.close()
            for name, data in ('escapes', b'\x01h' * 1000), ('switches', b'\x01c' * 1000), ('stamps', b'\x01t' * 1001), ('half-of-one', b'\x01'):
                s, sent = flood(mux, data, 1)
                check(b'VM status' in (ask(at('m')) or b''), 'keys-' + name, sent)
                s.close()
            for i in range(200):                # in the middle of whatever
                a = Client(mux if i % 3 == 0 else telnet_ if i % 3 == 1 else qmp)
                a.send([b'', b'\xff', b'\xff\xfa', b'{"execute"', b'\x01', b'x' * 5000][i % 6])
                if i % 2:
                    a.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')   # reset
                a.close()
            check(c.alive() and b'VM status' in (ask(at('m')) or b''), 'closed-in-the-middle')
            a = Client(qmp)
            check(a.until(b'"QMP"'), 'a-program-is-greeted-after-it', a.said)
            a.send(b'{"execute": "qmp_capabilities"}')
            check(a.until(b'"return"'), 'and-answered', a.said)
            many = [Client(qmp) for _ in range(2)]      # who waits is no load
            check(b'VM status' in (ask(at('m')) or b''), 'with-others-waiting')
            for one in many + [a]:
                one.close()
            b = Client(telnet_)
            b.until(DO + b'\0')
            b.said = b''
            b.send(WILL + b'\0')
            talk('the-guest-is-there', b, b'after all that')
            c.process.send_signal(signal.SIGTERM)
            check(c.ends(3) == 1, 'ends', c.process.returncode)
            errors = c.process.stderr.read().decode()
            check('ERROR' not in errors and 'runtime error' not in errors, 'nothing-said', errors[-2000:])


if __name__ == '__main__':
    main({f.__name__: f for f in (tcp, reconnect, telnet, like_qemu, udp, fifo, rings, logs, mux, hostile)})
