"""A machine whose console a test reads and types on: what `expect` is for, as small as it gets.

Not a test itself. Machine() starts cede with pipes or on a pseudo terminal.
"""
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time

CEDE = os.environ.get('CEDE', 'build/cede')
GUEST = os.environ.get('GUEST_DIR', 'build/guest')
KERNEL, INITRD = GUEST + '/vmlinux', GUEST + '/initrd.gz'


class Failure(Exception):
    pass


def skip(reason):
    print('skip: ' + reason)
    sys.exit(77)


def need(*files):
    for f in files:
        if not os.path.exists(f):
            skip(f + ' is missing (make guest)')


class Machine:
    """cede in a process of its own. `text` is all that its console has said."""

    def __init__(self, *options, cpus='1', ram='1G', terminal=False, stdin=None, program=None, serial=None,
                 nographic=True, env=None):
        argv = [program or CEDE, '-M', 'pseries', '-smp', str(cpus), '-m', ram, '-nodefaults']
        argv += ['-nographic'] if nographic else []
        argv += ['-serial', serial or ('mon:stdio' if terminal else 'stdio')] + list(options)
        self.text, self.errors, self.at = '', '', 0
        self.master = None
        if terminal:
            self.master, self.slave = pty.openpty()
            self.before = termios.tcgetattr(self.slave)
            self.process = subprocess.Popen(argv, stdin=self.slave, stdout=self.slave, stderr=subprocess.PIPE,
                                            env=env, start_new_session=True)
            self.out = self.inp = self.master
        else:
            self.process = subprocess.Popen(argv, stdin=stdin or subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=subprocess.PIPE, env=env)
            self.out = self.process.stdout.fileno()
            self.inp = self.process.stdin.fileno() if not stdin else None
        self.err = self.process.stderr.fileno()
        self.open = {self.out, self.err}

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if exc[0]:
            sys.stdout.write(self.text[-4000:] + '\n' + self.errors)

    def pump(self, seconds):
        """Takes what has come; false once there is nothing more to come."""
        if not self.open:
            return False
        ready = select.select(list(self.open), [], [], max(seconds, 0))[0]
        for fd in ready:
            try:
                data = os.read(fd, 65536)
            except OSError:             # a terminal whose other end has gone
                data = b''
            if not data:
                self.open.discard(fd)
            elif fd == self.err:
                self.errors += data.decode('utf-8', 'replace')
            else:
                self.text += data.decode('utf-8', 'replace').replace('\r', '')
        return True

    def expect(self, pattern, seconds=60):
        """Waits until the console has said it, after what the last expect() found."""
        until = time.monotonic() + seconds
        while True:
            m = re.compile(pattern).search(self.text, self.at)
            if m:
                self.at = m.end()
                return m
            if time.monotonic() > until:
                raise Failure('no %r within %d s' % (pattern, seconds))
            if self.process.poll() is not None and not self.pump(0.2):
                raise Failure('cede ended (status %s) before %r' % (self.process.returncode, pattern))
            self.pump(min(until - time.monotonic(), 0.5))

    def send(self, text):
        os.write(self.inp, text.encode())

    def shell(self, seconds=120):
        """To the guest's first prompt."""
        self.expect(r'cede guest ready', seconds)
        self.expect(r'# ', 20)

    def command(self, line, seconds=60):
        """What a shell command wrote; its status must be 0."""
        self.send('echo "[b""egin]"; ' + line + '; echo "[s""tatus $?]"\n')
        start = self.expect(r'\[begin\]\n', seconds).end()
        m = self.expect(r'\[status (\d+)\]', seconds)
        output = self.text[start:m.start()]
        self.expect(r'# ', 20)
        if m.group(1) != '0':
            raise Failure('%r: status %s\n%s' % (line, m.group(1), output))
        return output

    def log_in(self, seconds=900):
        """As root on a Debian that tools/guest/debian.sh has made, to a prompt that command() can do with."""
        self.expect(r'debian login: ', seconds)
        self.send('root\n')
        self.expect(r'Password: ', 120)
        self.send('cede\n')
        self.expect(r'root@debian:~# ', 120)
        self.send('stty -echo; bind "set enable-bracketed-paste off"\n')
        self.expect(r'# ', 60)

    def wait(self, seconds=30):
        """Its exit status."""
        until = time.monotonic() + seconds
        while self.process.poll() is None:
            if time.monotonic() > until:
                raise Failure('cede has not ended within %d s' % seconds)
            self.pump(0.1)
        while self.open and self.pump(0.2) and time.monotonic() < until:
            if self.master is not None and not select.select(list(self.open), [], [], 0)[0]:
                break               # a terminal stays open: we hold its other end
        return self.process.returncode

    def kill(self, number=signal.SIGTERM):
        self.process.send_signal(number)


class Folder:
    """A temporary folder; called with a name, that file in it."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix='cede-test-')
        return self

    def __exit__(self, *exc):
        shutil.rmtree(self.path)

    def __call__(self, name):
        return os.path.join(self.path, str(name))


def linux(*options, append='', kernel=KERNEL, initrd=INITRD, **kw):
    need(kernel, initrd)
    return Machine('-kernel', kernel, '-initrd', initrd, '-append', ('console=hvc0 ' + append).strip(),
                   *options, **kw)


def check(fact, name, detail=''):
    """One line per fact."""
    print(('ok ' if fact else 'FAIL ') + name + ('' if fact or not str(detail) else ': %s' % (detail,)))
    sys.stdout.flush()
    return bool(fact)


def main(tests):
    """Runs the function that the command line names."""
    if len(sys.argv) < 2 or sys.argv[1] not in tests:
        sys.exit('usage: one of ' + ' '.join(sorted(tests)))
    try:
        tests[sys.argv[1]](*sys.argv[2:])
    except Failure as e:
        check(False, sys.argv[1], e)
        sys.exit(1)
