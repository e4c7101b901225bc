"""-daemonize, -pidfile and -msg: when the first process returns and with what, whose a file is, what stands before a line. QEMU is
asked the same where it can be."""
# needs: programs guests
import atexit
import os
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from streams import CEDE, QEMU, SOON, Client, Folder, Program, check, image, main        # noqa: E402

BASE = ['-m', '256M', '-nodefaults', '-kernel']


started, numbers = set(), set()


@atexit.register
def leave_nobody():
    """A test that fails may leave a daemon behind."""
    for pid in numbers:
        if alive(pid):
            os.kill(pid, signal.SIGKILL)


def run(*options, program=None, cwd=None, defaults=False):
    """Status and standard error of the first process, which must return; standard error is closed by who goes on."""
    argv = [program, '-M', 'pseries', '-S', '-nodefaults', '-display', 'none', '-m', '256M'] if program else [os.path.abspath(CEDE), *BASE, os.path.abspath(image())]
    argv = [word for word in argv if not defaults or word not in ('-nodefaults', '-display', 'none')]
    p = subprocess.run(argv + list(options), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30, cwd=cwd)
    if '-pidfile' in options:
        started.add(os.path.join(cwd or '.', options[options.index('-pidfile') + 1]))
        numbers.update(n for n in map(number, started) if n)
    lines = [line for line in p.stderr.decode().splitlines() if 'TCG doesn' not in line]
    return p.returncode, lines


def both():
    yield 'cede', None
    if QEMU:
        yield 'qemu', QEMU


def number(path):
    try:
        with open(path) as f:
            text = f.read()
    except OSError:
        return None
    return int(text) if re.fullmatch(r'\d+\n', text) else None


def alive(pid):
    try:
        with open('/proc/%d/stat' % pid) as f:
            return f.read().rsplit(')', 1)[1].split()[0] != 'Z'
    except OSError:
        return False


def gone(pid):
    until = time.monotonic() + SOON
    while alive(pid) and time.monotonic() < until:
        time.sleep(0.05)
    return not alive(pid)


def end(pid, how=signal.SIGKILL):
    if pid and alive(pid):
        os.kill(pid, how)
    return gone(pid)


def daemon():
    for name, program in both():
        with Folder() as at:
            status, lines = run('-daemonize', '-pidfile', at('pid'), '-qmp', 'unix:%s,server=on,wait=off' % at('q'), program=program)
            pid = number(at('pid'))
            check(status == 0 and not lines and pid and alive(pid), name + '-returns', (status, lines, pid))
            check(os.stat(at('pid')).st_mode & 0o777 == 0o600, name + '-for-nobody-else')
            check(os.getsid(pid) != os.getsid(0) and os.getsid(pid) != pid, name + '-in-a-session-that-it-does-not-lead')
            check({os.readlink('/proc/%d/fd/%d' % (pid, fd)) for fd in range(3)} == {'/dev/null'}, name + '-nowhere')
            p = Program(at('q'))
            check(p.ask('query-status')['status'] in ('running', 'prelaunch', 'paused'), name + '-answers')
            status, lines = run('-daemonize', '-pidfile', at('pid'), program=program)
            check(status == 1 and len(lines) == 1 and number(at('pid')) == pid, name + '-second-is-refused', (status, lines))
            p.ask('quit')
            check(gone(pid) and not os.path.exists(at('pid')), name + '-removes-its-file')
            status, lines = run('-daemonize', '-nographic', program=program, defaults=True)
            check(status in (1, 2) and len(lines) == 1 and lines[0].endswith('-nographic cannot be used with -daemonize'), name + '-nographic', (status, lines))
            status, lines = run('-daemonize', '-serial', 'stdio', program=program)
            check(status in (1, 2) and lines[0].endswith('cannot use stdio with -daemonize'), name + '-stdio', (status, lines))
    with Folder() as at:
        for name, status, word, options in (('kernel', 1, "cannot open kernel 'nonesuch': No such file or directory", ('-kernel', 'nonesuch')),
                                            ('socket', 1, "cannot use socket 'nonesuch/s'", ('-serial', 'unix:nonesuch/s,server=on')),
                                            ('snapshot', 1, "nonesuch", ('-loadvm', 'nonesuch')), ('usage', 2, 'in use', ('-chardev', 'null,id=c', *('-serial', 'chardev:c') * 2))):
            got, lines = run('-daemonize', '-pidfile', 'pid', *options, cwd=at.path)
            check(got == status and len(lines) == 1 and lines[0].startswith('cede: ') and word in lines[0] and not os.path.exists(at('pid')),
                  'fails-' + name, (got, lines))
        # Paths are from where it was started, also later; its lines go to the log.
        status, lines = run('-daemonize', '-pidfile', 'pid', '-D', 'log', '-save', 'saved', '-serial', 'unix:s,server=on,wait=off', cwd=at.path)
        pid = number(at('pid'))
        a = Client(at('s'))
        a.send(b'ehello')
        check(status == 0 and not lines and a.until(b'hello'), 'goes-on', (status, lines))
        os.kill(pid, signal.SIGUSR1)
        until = time.monotonic() + SOON
        while not os.path.exists(at('saved')) and time.monotonic() < until:
            time.sleep(0.05)
        check(os.path.exists(at('saved')), 'saves')
        os.kill(pid, signal.SIGTERM)
        check(gone(pid) and not os.path.exists(at('pid')), 'ends')
        with open(at('log')) as f:
            said = f.read()
        check(said == 'cede: ended by signal 15\n', 'says-why-in-the-log', said)
        status, lines = run('-daemonize', '-pidfile', 'pid', '-loadvm', 'saved', '-serial', 'unix:s,server=on,wait=off', cwd=at.path)
        check(status == 0 and not lines and end(number(at('pid'))), 'from-a-snapshot', (status, lines))
        os.unlink(at('pid'))
        # While it waits for a client, so does who has started it.
        for name, how in ('killed', signal.SIGKILL), ('ended', signal.SIGTERM), ('served', None):
            p = subprocess.Popen([CEDE, *BASE, image(), '-daemonize', '-pidfile', at('pid'), '-serial', 'unix:%s,server=on' % at(name)], stdin=subprocess.DEVNULL,
                                 stderr=subprocess.PIPE)
            line = p.stderr.readline().decode()
            time.sleep(0.3)
            waits, pid = p.poll() is None, number(at('pid'))
            if how:
                os.kill(pid, how)
            else:
                a = Client(at(name))
            status, lines = p.wait(SOON), p.stderr.read().decode()
            check('waiting for connection' in line and waits and status == (1 if how else 0), name + '-while-it-waits', (line, waits, status))
            check(lines == {'killed': 'cede: the daemon has ended before its machine was set up\n', 'ended': 'cede: ended by signal 15\n', 'served': ''}[name],
                  name + '-is-said', lines)
            if not how:
                check(a.until(b'ready') and end(pid), 'served-and-running')


def pidfile():
    """Whose a file is; QEMU and cede know each other's."""
    with Folder() as at:
        with open(at('pid'), 'w') as f:
            f.write('123456 and much more than that\n' * 10)
        status, lines = run('-daemonize', '-pidfile', at('pid'))
        pid = number(at('pid'))
        check(status == 0 and pid, 'an-old-one-is-taken', (status, lines))
        check(run('-pidfile', at('pid')) == (1, ["cede: cannot use pidfile '%s': another process has it" % at('pid')]), 'not-taken-while-it-lives')
        if QEMU:
            check(run('-daemonize', '-pidfile', at('pid'), program=QEMU)[0] == 1, 'nor-by-qemu')
        os.unlink(at('pid'))
        with open(at('pid'), 'w') as f:
            f.write('precious\n')
        check(end(pid, signal.SIGTERM), 'ends')
        with open(at('pid')) as f:
            check(f.read() == 'precious\n', 'anothers-is-left-alone')
        if QEMU:
            status, lines = run('-daemonize', '-pidfile', at('pid'), program=QEMU)
            pid = number(at('pid'))
            check(status == 0 and run('-pidfile', at('pid'))[0] == 1 and number(at('pid')) == pid, 'qemus-is-not-taken')
            end(pid)
        for path, word in (at('no/such'), 'No such file'), (at.path, 'directory'), ('/dev/null', 'not a regular file'):
            status, lines = run('-pidfile', path)
            check(status == 1 and len(lines) == 1 and word in lines[0], 'refused-' + word.replace(' ', '-'), (status, lines))


def messages():
    """Time and name before each line, before options are all there and after."""
    stamp = r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z '
    formats = {'timestamp=on': stamp, 'timestamp': stamp, 'timestamp=on,guest-name=on': stamp + 'box ', 'guest-name=on': 'box ', 'timestamp=off': ''}
    for name, program in both():
        for words, before in formats.items():
            if program and words == 'timestamp':        # it warns of that
                continue
            status, lines = run('-msg', words, '-name', 'guest=box', '-serial', 'unix:/nonesuch/s', program=program)
            progname = 'qemu-system-ppc64: ' if program else 'cede: '
            check(status == 1 and len(lines) == (2 if program else 1) and re.match(before + progname, lines[0]), '%s-%s' % (name, words), lines)
    now = time.gmtime()
    lines = run('-msg', 'timestamp=on', '-kernel', 'nonesuch')[1]
    check(lines and lines[0].startswith(time.strftime('%Y-%m-%dT%H:', now)), 'which-is-the-time', lines)
    p = subprocess.Popen([CEDE, *BASE, image(), '-msg', 'timestamp=on', '-serial', 'null'], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    time.sleep(0.5)
    p.send_signal(signal.SIGTERM)
    check(re.fullmatch(stamp + r'cede: ended by signal 15\n', p.communicate(timeout=SOON)[1].decode()), 'at-the-end')
    status, lines = run('-msg', 'frob=on')
    check(status == 2 and len(lines) == 1 and 'frob' in lines[0], 'refused', lines)


if __name__ == '__main__':
    main({f.__name__: f for f in (daemon, pidfile, messages)})
