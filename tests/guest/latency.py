"""Guests that keep the host busy: a signal, Ctrl-A x and the monitors are there for the user all the same.

The bars are a second from a signal, or Ctrl-A x, to the end, and half a second to a monitor's answer. The best of three
attempts counts: on a host with other work to do cede itself may not run for longer than that. Without the cure most
of these take from 10 seconds to minutes, each time.
"""
# needs: programs guests
# needs [process]: guest linux-programs
import gzip
import os
import re
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../linux'))
from console import INITRD, Failure, Folder, Machine, check, linux, main, need, skip     # noqa: E402

BUILD = os.environ.get('B', 'build')
ENDS, ANSWERS = 1.0, 0.5        # seconds
ATTEMPTS = 3
NEVER = 30
CPUS = '8'


def image(order):
    path = '%s/tests/guest/lat_guest-%s.elf' % (BUILD, order)
    if not os.path.exists(path):
        skip(path + ' was not built: no cross compiler?')
    return path


def until(found, seconds, what):
    end = time.monotonic() + seconds
    while not found():
        if time.monotonic() > end:
            raise Failure('no %s within %d s' % (what, seconds))
        time.sleep(0.002)


class Monitor:
    """A socket, and how long it takes to answer."""

    def __init__(self, path, end):
        self.s, self.end = socket.socket(socket.AF_UNIX), end
        until(lambda: os.path.exists(path), 20, 'socket')
        self.s.settimeout(NEVER)
        self.s.connect(path)

    def answer(self):
        text = b''
        while self.end not in text:
            more = self.s.recv(65536)
            if not more:
                raise Failure('the monitor hangs up')
            text += more
        return text

    def ask(self, line):
        began = time.monotonic()
        self.s.sendall(line)
        text = self.answer()
        return time.monotonic() - began, text


def best(times, bar):
    """Whether to stop, and try no more."""
    return min(times) < bar or len(times) == ATTEMPTS


def busy(letter, order, *options, **kw):
    """A machine that does it already."""
    m = Machine('-kernel', image(order), *options, cpus=('64' if letter == 'I' else CPUS) if letter.isupper() else '1', ram='256M', **kw)
    m.expect('ready', 20)
    m.send(letter)
    m.expect('busy', 120)
    time.sleep(0.3)
    return m


def monitors(at, name, start):
    """Both monitors answer, the machine stops between two of its quanta, and then a signal ends it."""
    hmp, qmp, stops, ends = [], [], [], []
    while not hmp or not (best(hmp, ANSWERS) and best(qmp, ANSWERS) and best(stops, ANSWERS) and best(ends, ENDS)):
        for path in 'h', 'q':
            if os.path.exists(at(path)):
                os.unlink(at(path))
        with start('-monitor', 'unix:%s,server=on,wait=off' % at('h'), '-qmp', 'unix:%s,server=on,wait=off' % at('q')) as m:
            h, q = Monitor(at('h'), b'(cede) '), Monitor(at('q'), b'}\r\n')
            h.answer(), q.answer()
            q.ask(b'{"execute": "qmp_capabilities"}')
            took, text = h.ask(b'info status\n')
            hmp.append(took if b'running' in text else NEVER)
            took, text = q.ask(b'{"execute": "query-status"}')
            qmp.append(took if b'"running": true' in text else NEVER)
            took = h.ask(b'stop\n')[0]
            stops.append(took if b'paused' in h.ask(b'info status\n')[1] else NEVER)
            h.ask(b'cont\n')
            began = time.monotonic()
            m.kill((signal.SIGTERM, signal.SIGINT)[len(ends) % 2])
            status = m.wait(NEVER)
            ends.append(time.monotonic() - began if status == 1 and 'ended by signal' in m.errors else NEVER)
    check(min(hmp) < ANSWERS, name + 'hmp', hmp)
    check(min(qmp) < ANSWERS, name + 'qmp', qmp)
    check(min(stops) < ANSWERS, name + 'stop', stops)
    check(min(ends) < ENDS, name + 'signal', ends)


def keys(name, start):
    """On a terminal: Ctrl-A c leads to the monitor, Ctrl-A x ends it."""
    shows, ends = [], []
    while not shows or not (best(shows, ANSWERS) and best(ends, ENDS)):
        with start(terminal=True) as m:
            began = time.monotonic()
            m.send('\x01c')
            m.expect('cede monitor', NEVER)
            shows.append(time.monotonic() - began)
            m.send('\x01c')
            began = time.monotonic()
            m.send('\x01x')
            status = m.wait(NEVER)
            ends.append(time.monotonic() - began if status == 0 else NEVER)
    check(min(shows) < ANSWERS, name + 'ctrl-a-c', shows)
    check(min(ends) < ENDS, name + 'ctrl-a-x', ends)


def answers(letters):
    with Folder() as at:
        for i, letter in enumerate(letters):
            order, other = (('le', 'be'), ('be', 'le'))[i % 2]
            try:
                monitors(at, '%s-%s-' % (order, letter), lambda *o: busy(letter, order, *o))
                keys('%s-%s-' % (other, letter), lambda **kw: busy(letter, other, **kw))
            except (Failure, OSError) as e:
                check(False, letter, e)


def input_points():
    """What cede reads at ticks of the host's clock reaches the guest at the cycles at which it looks for input, no others:
    multiples of a million, and then some for the guest to look."""
    with busy('k', 'le', serial='mon:stdio') as m:
        for i in range(40):
            m.send('x')
            m.pump(0.07)
        m.send('\x01x')
        check(m.wait(NEVER) == 0, 'ends')
        keys = [(int(n), int(t)) for n, t in re.findall(r'(\d+) keys at (\d+)\n', m.text)]
        check(len(keys) >= 5 and sum(n for n, _ in keys) >= 30, 'keys', keys)
        check(keys and max(t for _, t in keys) < 1000, 'points', keys)


def children(pid):
    with open('/proc/%d/task/%d/children' % (pid, pid)) as f:
        return f.read().split()


def stopped(pid):
    """Whether the process is stopped now, and not at its end."""
    try:
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.1)
        with open('/proc/%d/stat' % pid) as f:
            return f.read().rsplit(')', 1)[1].split()[0] == 'T'
    except OSError:
        return False


def stopped_writer(m):
    """A child of the machine's that writes a snapshot, and is stopped before it is done. Some are too fast, or even gone
    before they are seen: then the next one."""
    for _ in range(40):
        m.kill(signal.SIGUSR1)
        end = time.monotonic() + 2
        while time.monotonic() < end:
            found = children(m.process.pid)
            if found and stopped(int(found[0])):
                return int(found[0])
            if found:
                break
        until(lambda: not children(m.process.pid), 20, 'its end')
    raise Failure('no child could be stopped')


def saves():
    """A signal waits for what is being saved, says so, and a second one does not wait. Who saves is stopped meanwhile.
    The guest is one whose machine looks at its signals often: a copier of memory, all of it to be copied on the host too
    once there are two processes, holds it for so long on a slow host that the signal ends it without a wait."""
    with Folder() as at:
        for twice in False, True:
            with busy('q', 'le', '-save', at('s') + ',background=on') as m:
                time.sleep(1)
                child = stopped_writer(m)
                m.kill()
                m.pump(0)
                end = time.monotonic() + 1.5
                while time.monotonic() < end:
                    m.pump(0.1)
                name = 'twice-' if twice else 'once-'
                check(m.process.poll() is None and "cede: ending after the save to '" in m.errors, name + 'waits', m.errors)
                began = time.monotonic()
                os.kill(child if not twice else m.process.pid, signal.SIGCONT if not twice else signal.SIGTERM)
                status = m.process.wait(NEVER)      # its child may have its standard error yet
                check(status == 1 and (not twice or time.monotonic() - began < 2 * ENDS), name + 'ends', (status, m.errors))
                if twice:
                    os.kill(child, signal.SIGCONT)
            until(lambda: os.path.exists(at('s')), 20, 'file')
            os.unlink(at('s'))
            check(True, name + 'file')


def archive(name, path):
    """What the kernel unpacks behind its initrd: a cpio archive of one program."""
    def entry(name, mode, data):
        text = '070701' + '%08x' * 13 % (1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0) + name + '\0'
        return (text + '\0' * (-len(text) % 4)).encode() + data + bytes(-len(data) % 4)
    with open(path, 'rb') as f:
        return gzip.compress(entry(name, 0o100755, f.read()) + entry('TRAILER!!!', 0, b''))


def process():
    """The same from an unprivileged process of Debian's."""
    program = BUILD + '/tests/linux/store_into_code'
    need(INITRD)
    if not os.path.exists(program):
        skip(program + ' was not built: no cross compiler?')
    with Folder() as at:
        with open(INITRD, 'rb') as f, open(at('initrd'), 'wb') as g:
            g.write(f.read() + archive('busy', program))

        def start(*options, **kw):
            m = linux(*options, append='quiet cede.cmd=/busy', initrd=at('initrd'), **kw)
            m.expect('uid 1000', 120)
            m.expect('process busy', 120)
            time.sleep(0.3)
            return m
        try:
            monitors(at, '', start)
            keys('', start)
        except (Failure, OSError) as e:
            check(False, 'process', e)


main({'answers': answers, 'input_points': input_points, 'saves': saves, 'process': process})
