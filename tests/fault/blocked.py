"""Files and peers that keep cede waiting: a signal ends it all the same, and it says what it waits for.

Each row is started, left until it waits, and sent a signal. The bar is a second, and the best of three attempts
counts: on a host with other work to do a process may not run for longer than that. Without the cure a row does not
end at all.
"""
# needs: programs guests
import fcntl
import os
import pty
import signal
import socket
import subprocess
import sys
import time
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../linux'))
from console import CEDE, Folder, check, main, skip     # noqa: E402

BUILD = os.environ.get('B', 'build')
SNAP = os.path.join(os.path.dirname(CEDE), 'cede-snap')
BAR = 1.0           # seconds from a signal to the end
ANSWERS = 0.5       # seconds from a command to a monitor's answer
ATTEMPTS = 3
F_SETPIPE_SZ = 1031
NEVER = 20          # seconds after which it counts as never


def guest(name):
    path = '%s/tests/guest/%s-le.elf' % (BUILD, name)
    if not os.path.exists(path):
        skip(path + ' was not built: no cross compiler?')
    return path


class Run:
    """cede, whose standard error is a file, and what it has been told."""

    def __init__(self, at, *options, kernel=None, **files):
        self.name = at('stderr')
        with open(self.name, 'wb') as errors:
            argv = [CEDE, '-m', '256M', '-nographic'] + (['-kernel', guest(kernel)] if kernel else []) + list(options)
            self.process = subprocess.Popen(argv, **{'stdin': subprocess.DEVNULL, 'stdout': subprocess.DEVNULL, 'stderr': errors, **files})

    def errors(self):
        with open(self.name) as f:
            return f.read()

    def end(self, number=signal.SIGTERM):
        """Seconds to its end; None: it had ended by itself, or it never does."""
        if self.process.poll() is not None:
            return None
        began = time.monotonic()
        self.process.send_signal(number)
        try:
            self.process.wait(NEVER)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None
        return time.monotonic() - began


def soon(name, start, waits=0.7, number=signal.SIGTERM, lines=None, says=''):
    """`start` makes a Run that waits; `says`: what its one line names, None if nobody can read it."""
    took = said = status = None
    for attempt in range(ATTEMPTS):
        with Folder() as at:
            run = start(at)
            time.sleep(waits)
            took = run.end(number)
            said, status = run.errors(), run.process.returncode
        if took is not None and took < BAR:
            break
    line = 'cede: ended by signal %d' % number
    told = says is None or ([s for s in said.splitlines() if s.startswith(line) and says in s] and said.count('\n') == (lines or 1))
    check(took is not None and took < BAR and status == 1 and told, name, 'after %s s, status %s, stderr %r' % (took, status, said[-300:]))


def fifo(at, name):
    os.mkfifo(at(name))
    return at(name)


def silent_peer(at, *first):
    """A port that is listened at, and a peer that has connected and says no more than `first`."""
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        port = s.getsockname()[1]
    run = Run(at, '-incoming', 'tcp:127.0.0.1:%d' % port)
    until = time.monotonic() + 10
    while first and time.monotonic() < until:
        try:
            run.peer = socket.create_connection(('127.0.0.1', port))
            run.peer.sendall(first[0])
            break
        except ConnectionRefusedError:
            time.sleep(0.05)
    return run


def full_pipe():
    """Its writing end."""
    r, w = os.pipe()
    os.set_blocking(w, False)
    try:
        while True:
            os.write(w, bytes(65536))
    except BlockingIOError:
        pass
    os.set_blocking(w, True)
    return r, w


def with_full(at, stream, kernel, *options):
    r, w = full_pipe()
    run = Run(at, *options, kernel=kernel, **{stream: w})
    os.close(w)
    run.keeps = os.fdopen(r, 'rb', buffering=0)
    return run


def signals():
    soon('incoming-exec', lambda at: Run(at, '-incoming', 'exec:exec sleep 100'), says="while waiting for a snapshot from 'exec sleep 100'")
    soon('incoming-exec-behind-a-shell', lambda at: Run(at, '-incoming', 'exec:sleep 30 | cat'), number=signal.SIGINT, says='waiting for')
    soon('incoming-tcp-nobody', lambda at: silent_peer(at), says='while waiting for a snapshot at tcp:127.0.0.1:')
    soon('incoming-tcp-silent', lambda at: silent_peer(at, b'QEVM'), says='while waiting for a snapshot at tcp:127.0.0.1:')
    soon('incoming-tcp-zstd', lambda at: silent_peer(at, b'\x28\xb5\x2f\xfd\x04\x58'), number=signal.SIGHUP, says='waiting for')
    soon('loadvm-fifo', lambda at: Run(at, '-loadvm', fifo(at, 's')), says="while waiting for snapshot '")
    soon('loadvm-fifo-int', lambda at: Run(at, '-loadvm', fifo(at, 's')), number=signal.SIGINT, says="while waiting for snapshot '")
    soon('says-so-tcp', lambda at: silent_peer(at), waits=2.5, lines=2, says='waiting for')
    soon('says-so', lambda at: Run(at, '-loadvm', fifo(at, 's')), waits=2.5, lines=2, says='waiting for')
    soon('unix-nobody', lambda at: Run(at, '-serial', 'unix:%s,server=on' % at('socket'), kernel='lat_talk'), lines=2)
    soon('stdout-full', lambda at: with_full(at, 'stdout', 'lat_talk'))
    soon('stderr-full', lambda at: with_full(at, 'stderr', 'lat_calls', '-d', 'hcall'), says=None)
    soon('D-fifo-unread', lambda at: with_reader(at, 'x', '-d', 'hcall', '-D', '%s'))
    soon('dtl-fifo-unread', lambda at: with_reader(at, 'x', '-smp', '2', '-pool', 'procs=1,load=1.0', '-dtl', '%s'))
    soon('trace-full', lambda at: with_full(at, 'stderr', 'lat_calls', '-trace', 'hcall'), says=None)


def on_terminal(at, *options):
    """Seconds from Ctrl-C to the end, and its status, of a cede that waits and whose terminal this is."""
    pid, terminal = pty.fork()
    if not pid:
        os.execv(CEDE, [CEDE, '-m', '256M', '-nographic', *options])
    time.sleep(0.7)
    began = time.monotonic()
    os.write(terminal, b'\x03')
    done = (0, 0)
    while not done[0] and time.monotonic() < began + NEVER:
        time.sleep(0.01)
        done = os.waitpid(pid, os.WNOHANG)
    took = time.monotonic() - began
    if not done[0]:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    os.close(terminal)
    return took, os.waitstatus_to_exitcode(done[1]) if done[0] else None


def keys():
    """A terminal is the guest's once there is one: before that Ctrl-C ends what waits."""
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        port = s.getsockname()[1]
    for name, options in (('tcp', ('-incoming', 'tcp:127.0.0.1:%d' % port)), ('exec', ('-incoming', 'exec:sleep 30')),
                          ('fifo', ('-loadvm', None)), ('client', ('-kernel', guest('lat_talk'), '-monitor', None))):
        for attempt in range(ATTEMPTS):
            with Folder() as at:
                there = {'fifo': lambda: fifo(at, 's'), 'client': lambda: 'unix:%s,server=on' % at('m')}
                took, status = on_terminal(at, *(there[name]() if o is None else o for o in options))
            if took < BAR:
                break
        check(took < BAR and status == 1, name + '-ctrl-c', (took, status))


def refused():
    """A name that does not lead to a file of the user's is refused, or waited for until a signal comes."""
    for name, options in (('D', lambda f: ('-d', 'hcall', '-D', f)), ('dtl', lambda f: ('-dtl', f)), ('serial', lambda f: ('-serial', 'file:' + f)),
                          ('part', lambda f: ('-save', f[:-5] + '@100000'))):
        with Folder() as at:
            run = Run(at, *options(fifo(at, 'x.part')), kernel='lat_calls')
            time.sleep(0.7)
            took = run.end()
            check(run.process.returncode == 1 and (took is None or took < NEVER), name + '-fifo', (took, run.errors()[-300:]))


def says(at, *argv, word='', status=1):
    p = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=NEVER)
    errors = p.stderr.decode()
    return p.returncode == status and word in errors and errors.count('\n') == (1 if status else 0), (p.returncode, errors)


def rename_parent(path, name):
    """The name in the head of a child, and its sum: what whoever makes a file can do."""
    with open(path, 'r+b') as f:
        head = bytearray(f.read(4096))
        assert head[:8] == b'CEDESNAP' and not int.from_bytes(head[48:52], 'big')
        head[72:328] = name.encode().ljust(256, b'\0')
        head[12:16] = bytes(4)
        head[12:16] = zlib.crc32(bytes(head)).to_bytes(4, 'big')
        f.seek(0)
        f.write(head)


def parents():
    """A parent lies beside its child, and is a regular file, whatever a file says and whoever put what there."""
    with Folder() as at:
        p, child = at('p'), at('child')
        run = Run(at, '-save', p + '@100000', '-save', child + '@200000,quit=on,parent=' + p, kernel='lat_calls')
        check(run.process.wait(NEVER) == 0, 'made', run.errors())
        load = [CEDE, '-m', '256M', '-nographic', '-loadvm', child, '-save', at('end') + '@300000,quit=on']
        check(*says(at, *load, status=0)[:1], 'beside', says(at, *load, status=0)[1])
        os.mkdir(at('far'))
        os.rename(p, at('far/p'))
        for name, make in ('gone', lambda: None), ('fifo', lambda: os.mkfifo(p)), ('device', lambda: os.symlink('/dev/zero', p)), \
                          ('folder', lambda: os.mkdir(p)):
            make()
            for program, argv in ('cede', load), ('cede-snap', [SNAP, 'info', child]):
                fact, detail = says(at, *argv, word='cannot open')
                check(fact, '%s-%s' % (name, program), detail)
            if os.path.isdir(p):
                os.rmdir(p)
            elif os.path.lexists(p):
                os.unlink(p)
        rename_parent(child, at('far/p'))
        fact, detail = says(at, *load, word='cannot open')
        check(fact, 'elsewhere', detail)
        os.symlink(at('far/p'), p)
        fact, detail = says(at, *load, status=0)
        check(fact, 'a-link-beside', detail)
        os.unlink(p)
        run = Run(at, '-save', at('c2') + '@200000,quit=on,parent=' + at('far/p'), kernel='lat_calls')
        check(run.process.wait(NEVER) == 1 and 'not in the same folder' in run.errors(), 'not-saved-elsewhere', run.errors())


def asks(name, start):
    """Both monitors answer although something else is blocked, and `quit` is obeyed."""
    times = {}
    for attempt in range(ATTEMPTS):
        with Folder() as at:
            run = start(at, '-monitor', 'unix:%s,server=on,wait=off' % at('h'), '-qmp', 'unix:%s,server=on,wait=off' % at('q'))
            time.sleep(0.7)
            try:
                for path, end, lines in (('h', b'(cede) ', [b'', b'info status\n']),
                                         ('q', b'}\r\n', [b'', b'{"execute": "qmp_capabilities"}', b'{"execute": "query-status"}'])):
                    with socket.socket(socket.AF_UNIX) as s:
                        s.settimeout(5)
                        s.connect(at(path))
                        for line in lines:
                            began = time.monotonic()
                            s.sendall(line)
                            text = b''
                            while end not in text:
                                text += s.recv(65536) or end
                        times.setdefault(path, []).append(time.monotonic() - began if b'running' in text else NEVER)
                with socket.socket(socket.AF_UNIX) as s:
                    s.connect(at('h'))
                    began = time.monotonic()
                    s.sendall(b'quit\n')
                    run.process.wait(NEVER)
                    times.setdefault('quit', []).append(time.monotonic() - began if not run.process.returncode else NEVER)
            except (OSError, subprocess.TimeoutExpired):
                times.setdefault('never', []).append(NEVER)
            run.process.kill()
            run.process.wait()
        if all(min(times.get(k, [NEVER])) < ANSWERS for k in ('h', 'q', 'quit')):
            break
    for key in 'h', 'q', 'quit':
        check(min(times.get(key, [NEVER])) < ANSWERS, '%s-%s' % (name, key), times)


def with_reader(at, name, *options):
    """A FIFO whose reader is there, and does not read."""
    path = fifo(at, name)
    keeps = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(keeps, F_SETPIPE_SZ, 4096)      # so that it is full soon
    run = Run(at, *[o % path if '%s' in o else o for o in options], kernel='lat_calls')
    run.keeps = os.fdopen(keeps, 'rb', buffering=0)
    return run


def answers():
    asks('D-fifo', lambda at, *o: with_reader(at, 'x', '-d', 'hcall', '-D', '%s', *o))
    asks('dtl-fifo', lambda at, *o: with_reader(at, 'x', '-smp', '2', '-pool', 'procs=1,load=1.0', '-dtl', '%s', *o))
    asks('serial-fifo', lambda at, *o: with_reader(at, 'x', '-serial', 'file:%s', *o))
    asks('stderr-full', lambda at, *o: with_full(at, 'stderr', 'lat_calls', '-d', 'hcall', *o))
    asks('trace-full', lambda at, *o: with_full(at, 'stderr', 'lat_calls', '-trace', 'hcall', *o))


main({f.__name__: f for f in (signals, keys, answers, refused, parents)})
