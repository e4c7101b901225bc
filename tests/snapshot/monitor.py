"""The monitor and QMP: every command, snapshots by name, a clock that stands still, hostile input."""
import json
import os
import random
import re
import socket
import shutil
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, '..', 'linux')]
from console import Failure, Machine, check, linux, main     # noqa: E402

RAM = '256M'


class Folder:
    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix='cede-monitor-')
        return self

    def __exit__(self, *exc):
        shutil.rmtree(self.path)

    def __call__(self, name):
        return os.path.join(self.path, name)


class Client:
    """One end of a socket, whose other end the machine holds; the machine's output is taken meanwhile."""
    def __init__(self, m, path):
        self.m, self.text = m, ''
        until = time.monotonic() + 30
        while True:
            self.s = socket.socket(socket.AF_UNIX)
            try:
                self.s.connect(path)
                break
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)
        self.s.settimeout(0.05)

    def until(self, pattern, seconds=60):
        end = time.monotonic() + seconds
        while not re.search(pattern, self.text):
            if time.monotonic() > end:
                raise Failure('no %r: %r' % (pattern, self.text))
            try:
                data = self.s.recv(65536)
                if not data:
                    raise Failure('cut off: %r' % self.text)
                self.text += data.decode('utf-8', 'replace')
            except TimeoutError:
                self.m.pump(0)
        at = re.search(pattern, self.text).end()
        got, self.text = self.text[:at], self.text[at:]
        return got

    def hmp(self, line):
        self.s.sendall(line.encode() + b'\n')
        return self.until(r'\(cede\) ').replace('\r', '')[:-len('(cede) ')]

    def qmp(self, text):
        """The answer, and the events before it."""
        self.s.sendall((text if isinstance(text, str) else json.dumps(text)).encode())
        events = []
        while True:
            got = json.loads(self.until('\r\n'))
            if 'event' not in got:
                return got, events
            events.append(got['event'])

    def run(self, name, **arguments):
        return self.qmp({'execute': name, 'arguments': arguments, 'id': [name]})


def uptime(m):
    return float(m.command('cat /proc/uptime').split()[0])


def by_hand():
    """HMP over a socket: snapshots by name, a refused load, stop and cont, a guest sent to a file."""
    with Folder() as at:
        with linux('-monitor', 'unix:%s,server=on,wait=off' % at('m'), '-snapdir', at.path, ram=RAM) as m:
            m.shell()
            h = Client(m, at('m'))
            h.until(r'\(cede\) ')
            m.command('mark=monday')
            check(h.hmp('info snapshots') == 'There is no snapshot available.\n', 'none-yet')
            check(h.hmp('savevm one') == '', 'savevm')
            check(re.search(r'one +\d+\.\d MiB 20.* 00:00:\d\d\.\d{3}\n', h.hmp('info snapshots')), 'listed')
            m.command('mark=tuesday')
            check(h.hmp('loadvm one') == '', 'loadvm')
            check(m.command('echo $mark').strip() == 'monday', 'state-is-back')
            m.command('mark=wednesday')
            with open(at('one.cede'), 'rb') as f, open(at('bad.cede'), 'wb') as g:
                data = f.read()
                g.write(data[:len(data) // 2])
            check(h.hmp('loadvm bad').startswith('Error: '), 'bad-refused')
            check(m.command('echo $mark').strip() == 'wednesday', 'guest-untouched')
            for name in '../one', '.one', 'a/b', 'x' * 200:
                check('is no name' in h.hmp('savevm ' + name), 'name-refused')
            check('there is no snapshot' in h.hmp('loadvm none'), 'unknown')
            check(h.hmp('delvm one') == '' and not os.path.exists(at('one.cede')), 'delvm')
            before = uptime(m)
            h.hmp('stop')
            check(h.hmp('info status') == 'VM status: paused\n', 'paused')
            time.sleep(5)
            h.hmp('cont')
            check(uptime(m) - before < 4, 'clock-stands-still')
            check(h.hmp('info status') == 'VM status: running\n', 'runs')
            check('nip=0x' in h.hmp('info cpus') and 'GPR28' in h.hmp('info registers'), 'processors')
            check(h.hmp('info version').startswith('cede ') and 'savevm' in h.hmp('help'), 'texts')
            check('unknown command' in h.hmp('nonsense') and 'expected' in h.hmp('loadvm'), 'errors')
            check(h.hmp('migrate "exec:cat >%s"' % at('sent')) == '', 'migrate')
            check('postmigrate' in h.hmp('info status'), 'postmigrate')
            h.s.sendall(b'quit\n')
            check(m.wait(30) == 0 and m.errors == '', 'quit', m.errors)
        with Machine('-incoming', 'file:' + at('sent'), ram=RAM) as m:
            m.send('\n')
            m.expect('# ', 20)
            check(m.command('echo $mark').strip() == 'wednesday', 'goes-on-elsewhere')


def by_program():
    """QMP: good and bad JSON, events, ids; and a client that sends garbage."""
    with Folder() as at:
        with linux('-qmp', 'unix:%s,server=on,wait=off' % at('q'), '-snapdir', at.path, '-S', ram=RAM) as m:
            q = Client(m, at('q'))
            check('QMP' in json.loads(q.until('\r\n')), 'greeting')
            check(q.run('query-status')[0]['error']['class'] == 'CommandNotFound', 'not-before-capabilities')
            check(q.run('qmp_capabilities')[0] == {'return': {}, 'id': ['qmp_capabilities']}, 'capabilities')
            check(q.run('query-status')[0]['return']['running'] is False, 'starts-stopped')
            check(q.run('cont')[1] == ['RESUME'], 'resume')
            m.shell()
            for bad in '{"execute": nope}', '[1]', '{]', '{"execute": 1}', '{"a" "b"}', 'x\n', '{"execute": "\\ud"}', '[' * 70 + ']' * 70:
                check('error' in q.qmp(bad)[0], 'bad', bad)
            check(q.run('nonsense')[0]['error']['class'] == 'CommandNotFound', 'unknown')
            check(q.run('migrate')[0]['error']['desc'] == "Parameter 'uri' is missing", 'missing')
            for name in [x['name'] for x in q.run('query-commands')[0]['return'] if x['name'].startswith('query-')]:
                check('return' in q.run(name)[0], name)
            line = 'human-monitor-command'
            check(q.run(line, **{'command-line': 'savevm a'})[0]['return'] == '', 'savevm')
            check(' a ' in q.run(line, **{'command-line': 'info snapshots'})[0]['return'], 'listed')
            check(q.run(line, **{'command-line': 'loadvm a'})[0]['return'] == '', 'loadvm')
            check(q.run('stop')[1] == ['STOP'] and q.run('query-status')[0]['return']['status'] == 'paused', 'stop')
            check('MIGRATION' in q.run('migrate', uri='file:' + at('f'))[1] and os.path.exists(at('f')), 'migrate')
            check(q.run('query-migrate')[0]['return'] == {'status': 'completed'}, 'query-migrate')
            q.run('cont')
            q.qmp('{' + ' ' * 20000 + '\n')
            rng = random.Random(1)
            for _ in range(300):
                q.s.sendall(bytes(rng.randrange(256) for _ in range(rng.randrange(300))))
                q.s.close()
                q = Client(m, at('q'))
            for _ in range(20000):          # and reads nothing
                try:
                    q.s.send(b'{"execute": "query-commands"}\n' * 20)
                except OSError:
                    break
            m.send('\n')
            m.expect('# ', 60)
            check(m.command('echo alive').strip() == 'alive', 'guest-goes-on')
            q.s.close()
            q = Client(m, at('q'))
            q.until('\r\n')
            q.run('qmp_capabilities')
            q.s.sendall(b'{"execute": "quit"}')
            check('SHUTDOWN' in q.until('SHUTDOWN') and m.wait(30) == 0, 'quit')


def keys():
    """Ctrl-A c on a terminal, there and back; without -snapdir nothing is saved."""
    with linux(ram=RAM, terminal=True) as m:
        m.shell()
        m.send('\x01c')
        m.expect(r'\(cede\) ', 20)
        m.send('info stax\x7ftus\r')
        m.expect(r'VM status: running\n', 20)
        m.send('savevm x\r')
        m.expect(r'Error: no place for snapshots', 20)
        m.send('\x01c')
        check(m.command('echo back').strip().endswith('back'), 'back')
        m.send('\x01c')
        m.expect(r'\(cede\) ', 20)
        m.send('quit\r')
        check(m.wait(30) == 0, 'quit')


main({f.__name__: f for f in (by_hand, by_program, keys)})
