"""Files that cede writes hold what a guest keeps to itself: nobody else reads them, or had them in hand before.

The other user is nobody, where the test runs as root; else what needs a second user is left out, and said.
"""
# needs: programs guests
import os
import pty
import signal
import stat
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../linux'))
from console import CEDE, Folder, check, main, skip     # noqa: E402

BUILD = os.environ.get('B', 'build')
SNAP = BUILD + '/cede-snap'
GUEST = BUILD + '/tests/guest/terminal-le.elf'
NOBODY = 65534
TIMEOUT = 20
PART = 'keys and passwords\n'


def run(*options, letter=b'h', **kw):
    """Status, what standard output and error said; None: it hangs."""
    if not os.path.exists(GUEST):
        skip(GUEST + ' was not built: no cross compiler?')
    argv = [CEDE, '-m', '256M', '-nodefaults', '-nographic', '-serial', 'stdio', '-kernel', GUEST, *options]
    try:
        p = subprocess.run(argv, input=letter, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=TIMEOUT, **kw)
    except subprocess.TimeoutExpired:
        return None, '', 'hangs'
    return p.returncode, p.stdout.decode(), p.stderr.decode()


def as_nobody(function):
    """In a process of that user; what it cannot do fails the test."""
    pid = os.fork()
    if not pid:
        status = 1
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            os.umask(0)
            function()
            status = 0
        finally:
            os._exit(status)
    check(os.waitpid(pid, 0)[1] == 0, 'nobody-can')


def write(path, text='', mode=None):
    with open(path, 'w') as f:
        f.write(text)
    if mode is not None:
        os.chmod(path, mode)


def mode(path):
    return '%o' % stat.S_IMODE(os.lstat(path).st_mode)


def content(path):
    with open(path, errors='replace') as f:
        return f.read()


# What is written: the options that write it to a path. A snapshot is written beside and put in place.
IN_PLACE = {
    'log': lambda f: ('-d', 'hcall', '-D', f),
    'dtl': lambda f: ('-dtl', f),
    'serial': lambda f: ('-serial', 'file:' + f),
}
ALL = dict(IN_PLACE, save=lambda f: ('-save', f + '@1000'))


def modes():
    """0600 whatever the umask lets others have; -umask gives more to those who share."""
    os.umask(0o022)
    for options, files, sockets in ((), '600', '700'), (('-umask', '027'), '640', '750'), (('-umask', '0'), '666', '777'):
        with Folder() as at:
            want, name = {k: files for k in ALL}, '-'.join(('mode',) + options)
            status, _, errors = run(*options, *sum((o(at(k)) for k, o in ALL.items()), ()))
            check(status == 0, name + '-runs', errors)
            got = {k: mode(at(k)) for k in ALL}
            check(got == want, name, got)
        with Folder() as at:
            argv = [CEDE, '-m', '256M', '-nodefaults', '-nographic', '-kernel', GUEST, '-S', *options]
            for option in '-serial', '-monitor', '-qmp':
                argv += [option, 'unix:%s,server=on,wait=off' % at(option[1:])]
            # It answers on its monitor: all three are there.
            p = subprocess.Popen(argv + ['-serial', 'pty'], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
            p.stderr.readline()
            for _ in range(100):
                if os.path.exists(at('qmp')):
                    break
                threading.Event().wait(0.1)
            got = [mode(at(k)) for k in ('serial', 'monitor', 'qmp')]
            check(got == [sockets] * 3, name + '-sockets', got)
            p.send_signal(signal.SIGTERM)
            p.wait(TIMEOUT)
    with Folder() as at:
        os.umask(0)
        run('-save', at('s') + '@1000')
        for args in ('convert', at('s'), at('converted'), 'layout=mapped'), ('extract', at('s'), 'timer', at('extracted')):
            p = subprocess.run([SNAP, *args], capture_output=True, text=True)
            out = args[2] if args[0] == 'convert' else args[3]
            check(p.returncode == 0 and mode(out) == '600', 'mode-' + args[0], (p.stderr, os.listdir(at.path)))
        os.umask(0o177)
        write(at('shared'), 'old', 0o644)
        write(at('s'), 'old', 0o644)
        run('-D', at('shared'), '-d', 'hcall', '-save', at('s') + '@1000')
        check(mode(at('shared')) == '644' and 'old' not in content(at('shared')), 'a-log-that-is-there-keeps-its-mode', mode(at('shared')))
        check(mode(at('s')) == '600', 'a-snapshot-is-a-new-file', mode(at('s')))
    for value in '', 'x', '8', '1000', '0x7', '-1', '00077':
        status, _, errors = run('-umask', value)
        check(status == 2 and errors.count('\n') == 1 and 'umask' in errors, 'umask=' + value, errors)


def refuses(name, errors, status, word):
    check(status == 1 and errors.count('\n') == 1 and errors.startswith('cede: ') and word in errors, name, (status, errors))


def refused(at, name, what, options, word, victim=None):
    """A run that ends with status 1 and one line that has the word; a save, which is refused while the guest runs, says its line."""
    status, _, errors = run(*options)
    if 'save' in what:
        check(status is not None and errors.count('\n') == 1 and errors.startswith('cede: ') and word in errors, name, (status, errors))
    else:
        refuses(name, errors, status, word)
    if victim:
        check(content(victim) == PART, name + '-victim-is-whole')


def planted():
    """Links, files, FIFOs and second names that another user, or we, have put where a file is to be, in a folder like /tmp."""
    other = os.getuid() == 0
    with Folder() as at:
        os.chmod(at.path, 0o755)
        victim = at('victim')
        write(victim, PART, 0o600)
        shared = at('shared')
        os.mkdir(shared)
        os.chmod(shared, 0o1777)
        for k, option in ALL.items():
            there = os.path.join(shared, k)
            beside = there + '.part' if k == 'save' else there

            def plant():
                os.symlink(victim, there + '-link')
                os.symlink(at('new'), there + '-dangling')
                os.symlink(at.path, there + '-folder')
                write(beside if k != 'save' else there + '-foreign.part', '', 0o666)
                os.mkfifo(there + '-fifo' + ('.part' if k == 'save' else ''), 0o666)

            if other:
                as_nobody(plant)
                refused(at, k + '-link', k, option(there + '-link'), 'link', victim)
                refused(at, k + '-dangling-link', k, option(there + '-dangling'), 'link')
                check(not os.path.exists(at('new')), k + '-dangling-link-makes-nothing')
                refused(at, k + '-folder-link', k, option(there + '-folder/victim'), 'link', victim)
                foreign = there + '-foreign' if k == 'save' else there
                refused(at, k + '-foreign-file', k, option(foreign), 'user 65534' if k != 'save' else 'no file that cede has left')
                check(not os.path.exists(foreign) if k == 'save' else os.path.getsize(foreign) == 0, k + '-foreign-file-gets-nothing')
                refused(at, k + '-foreign-fifo', k, option(there + '-fifo'), 'FIFO' if k != 'save' else 'no file')
            else:
                print('not root: no second user for ' + k)
            os.mkfifo(there + '-own' + ('.part' if k == 'save' else ''))
            refused(at, k + '-fifo', k, option(there + '-own'), 'nobody reads that FIFO' if k != 'save' else 'no file')
        # A second name of a file of ours, which anybody could have made.
        for k, option in IN_PLACE.items():
            there = os.path.join(shared, k + '-second')
            os.link(victim, there)
            refused(at, k + '-second-name', k, option(there), 'another name', victim)
        os.link(victim, os.path.join(shared, 'second.part'))
        refused(at, 'save-second-name', 'save', ALL['save'](os.path.join(shared, 'second')), 'no file', victim)
        os.symlink(victim, os.path.join(shared, 'leads.part'))
        refused(at, 'save-link-beside', 'save', ALL['save'](os.path.join(shared, 'leads')), 'no file', victim)
        write(os.path.join(shared, 'nvram'), '\0' * 65536)
        if other:
            os.chown(os.path.join(shared, 'nvram'), NOBODY, NOBODY)
            refused(at, 'nvram-foreign', 'nvram', ('-drive', 'if=pflash,format=raw,file=' + os.path.join(shared, 'nvram')), 'user 65534')
        os.mkfifo(os.path.join(shared, 'nvram-fifo'))
        refused(at, 'nvram-fifo', 'nvram', ('-drive', 'if=pflash,format=raw,file=' + os.path.join(shared, 'nvram-fifo')), 'not a regular file')
        if other:       # a monitor's savevm
            as_nobody(lambda: os.symlink(victim, os.path.join(shared, 'named.cede')))
            p = subprocess.run([CEDE, '-m', '256M', '-nodefaults', '-nographic', '-kernel', GUEST, '-S', '-monitor', 'stdio', '-snapdir', shared],
                               input='savevm named\nquit\n', capture_output=True, text=True, timeout=TIMEOUT)
            check('Error' in p.stdout and 'is a link of user' in p.stdout and content(victim) == PART, 'savevm-link', p.stdout)
        # With convert, too.
        run('-save', at('s') + '@1000')
        p = subprocess.run([SNAP, 'convert', at('s'), os.path.join(shared, 'second'), 'layout=mapped'], capture_output=True, text=True, timeout=TIMEOUT)
        check(p.returncode and p.stderr.count('\n') == 1, 'convert-second-name', p.stderr)


def own():
    """What a user has put there is used: links, what a killed run has left, devices, FIFOs that somebody reads."""
    with Folder() as at:
        shared = at('shared')
        os.mkdir(shared)
        os.chmod(shared, 0o1777)
        for k, option in ALL.items():
            there = os.path.join(shared, k)
            os.symlink(at(k), there)
            status, _, errors = run(*option(there))
            check(status == 0 and errors == '' and os.path.islink(there) and os.path.exists(at(k)), k + '-through-our-link', errors)
            status, _, errors = run(*option(there))
            check(status == 0 and errors == '' and os.path.islink(there), k + '-again', errors)
            os.symlink(there, there + '-2')
            status, _, errors = run(*option(there + '-2'))
            check(status == 0 and errors == '', k + '-through-two', errors)
            os.symlink(there + '-round', there + '-round')
            status, _, errors = run(*option(there + '-round'))
            check(errors.count('\n') == 1 and 'symbolic' in errors, k + '-round-and-round', errors)
        write(os.path.join(shared, 'stale.part'), 'half a snapshot')
        status, _, errors = run(*ALL['save'](os.path.join(shared, 'stale')))
        check(errors == '' and not os.path.exists(os.path.join(shared, 'stale.part')) and
              subprocess.run([SNAP, 'verify', os.path.join(shared, 'stale')], capture_output=True).returncode == 0, 'stale-is-replaced', errors)
        for k, option in IN_PLACE.items():
            status, _, errors = run(*option('/dev/null'))
            check(status == 0 and errors == '', k + '-to-null', errors)
        status, _, errors = run('-d', 'hcall', '-D', '/dev/stderr')
        check(status == 0 and 'H_PUT_TERM_CHAR' in errors, 'log-to-stderr', errors[:200])
        status, _, errors = run('-serial', 'file:/dev/stderr', '-d', 'hcall', '-D', '/dev/fd/2')
        check(status == 0 and 'H_PUT_TERM_CHAR' in errors, 'log-to-a-descriptor', errors[:200])
        with open(at('by-descriptor'), 'w') as f:
            status, _, errors = run('-d', 'hcall', '-D', '/dev/fd/%d' % f.fileno(), pass_fds=(f.fileno(),))
        check(status == 0 and 'H_PUT_TERM_CHAR' in content(at('by-descriptor')), 'log-to-a-file-by-descriptor', errors[:200])
        master, slave = pty.openpty()
        status, _, errors = run('-serial', 'file:' + os.ttyname(slave))
        check(status == 0 and errors == '', 'serial-to-a-terminal', errors)
        for k in 'serial', 'log':
            fifo, said = at(k + '-fifo'), []
            os.mkfifo(fifo)
            fd = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
            os.set_blocking(fd, True)
            reader = threading.Thread(target=lambda fd=fd, said=said: said.append(os.fdopen(fd).read()))
            # A reader that has not begun to read sees the end if there is no writer yet.
            hold = os.open(fifo, os.O_WRONLY)
            reader.start()
            if k == 'log':
                status, _, errors = run(*IN_PLACE['log'](fifo))
            else:
                # The terminal that says hello is the first one.
                p = subprocess.run([CEDE, '-nodefaults', '-nographic', '-serial', 'file:' + fifo, '-bios', hello(at)],
                                   stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=TIMEOUT, text=True)
                status, errors = p.returncode, p.stderr
            os.close(hold)
            reader.join(TIMEOUT)
            check(status == 0 and said and ('hello' if k == 'serial' else 'H_PUT_TERM_CHAR') in said[0], k + '-to-a-fifo', (errors, said))


def hello(at):
    """That of firmware/README.md: two hypercalls."""
    words = (0x38600058, 0x3c807100, 0x38a0000e, 0xe8c00130, 0xe8e00138, 0x44000022, 0x3c600000, 0x6063f000, 0x38800140, 0x44000022,
             0, 0)
    text = b'hello, POWER\r\n\0\0'
    off = (0x2003, 2, 1, 0xffffffff, 0xffffffff, 0)
    with open(at('hello.bin'), 'wb') as f:
        f.write(b'\0' * 0x100 + b''.join(w.to_bytes(4, 'big') for w in words) + text + b''.join(w.to_bytes(4, 'big') for w in off))
    return at('hello.bin')


main({f.__name__: f for f in (modes, planted, own)})
