"""The monitor and QMP: every command, snapshots by name, a clock that stands still, hostile input."""
# needs: programs guest
import hashlib
import json
import os
import random
import re
import select
import socket
import signal
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, '..', 'linux')]
from console import CEDE, Failure, Folder, Machine, check, linux, main, need     # noqa: E402

RAM = '256M'
PROGRAM = os.path.join(os.environ.get('B', 'build'), 'san', 'cede') if sys.argv[-1] == 'san' else CEDE


class Client:
    """One end of a socket, whose other end the machine holds; the machine's output is taken meanwhile."""
    def __init__(self, m, path):
        self.m, self.text, self.log = m, '', []
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
            self.heard(got)
            events.append(got['event'])

    def heard(self, got):
        self.log.append(':'.join([got['event'], *[str(x) for x in got.get('data', {}).values()]]))

    def events(self, last, seconds=60):
        """All since this was asked last, up to that one."""
        while last not in self.log:
            self.heard(json.loads(self.until('\r\n', seconds)))
        at = self.log.index(last) + 1
        got, self.log = self.log[:at], self.log[at:]
        return got

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
            os.link(at('one.cede'), at('link'))
            with open(at('link'), 'rb') as f:
                data = f.read()
            m.command('mark=sunday')
            check(h.hmp('savevm one') == '', 'savevm-again')
            with open(at('link'), 'rb') as f:
                check(f.read() == data and not os.path.samefile(at('link'), at('one.cede')), 'written-beside')
            os.rename(at('link'), at('one.cede'))
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
            check('\n    bus: spapr-vio\n' in h.hmp('info qtree') and 'dev: spapr-rtc' in h.hmp('info qtree'), 'devices')
            check(h.hmp('info version').startswith('cede ') and 'savevm' in h.hmp('help'), 'texts')
            check(h.hmp('help stop').splitlines() == ['stop -- stop the machine; its clock stands still'], 'help-about-one', h.hmp('help stop'))
            check('info migrate_capabilities -- ' in h.hmp('info') and '|' not in h.hmp('help').partition('\ninfo ')[2], 'one-list-of-info')
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
                check(q.run(name)[0].get('error', {'class': 'DeviceNotActive'})['class'] == 'DeviceNotActive', name)
            line = 'human-monitor-command'
            check(q.run(line, **{'command-line': 'savevm a'})[0]['return'] == '', 'savevm')
            check(' a ' in q.run(line, **{'command-line': 'info snapshots'})[0]['return'], 'listed')
            check(q.run(line, **{'command-line': 'loadvm a'})[0]['return'] == '', 'loadvm')
            check(q.run('stop')[1] == ['STOP'] and q.run('query-status')[0]['return']['status'] == 'paused', 'stop')
            check(q.run('query-migrate')[0]['return'] == {}, 'no-migration-yet')
            check(q.run('migrate', uri='file:' + at('f'))[0]['return'] == {}, 'migrate')
            while q.run('query-migrate')[0]['return']['status'] == 'active':
                time.sleep(0.05)
            check(q.run('query-migrate')[0]['return']['status'] == 'completed' and os.path.exists(at('f')), 'query-migrate')
            check('return' in q.run('cont')[0], 'cont')
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


def writer(m, number):
    """The copy of the process that writes: sent a signal as soon as it is there."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with open('/proc/%d/task/%d/children' % (m.process.pid, m.process.pid)) as f:
            found = [int(x) for x in f.read().split()]
        if found:
            os.kill(found[0], number)
            return found[0]
    raise Failure('nobody writes')


def both(m, at):
    """The monitor, and QMP beside it."""
    h, q = Client(m, at('m')), Client(m, at('q'))
    h.until(r'\(cede\) ')
    q.until('\r\n')
    q.run('qmp_capabilities')
    return h, q


def status_of(q):
    got = q.run('query-migrate')[0]['return']
    return got['status'], got.get('ram', {})


def migrating():
    """migrate goes on while the monitors answer: steps, progress, one at a time, cancelled, failed; the guest stands and then goes on."""
    with Folder() as at:
        with linux('-monitor', 'unix:%s,server=on,wait=off' % at('m'), '-qmp', 'unix:%s,server=on,wait=off' % at('q'), '-snapdir', at.path,
                   ram=RAM) as m:
            m.shell()
            h, q = both(m, at)
            os.mkfifo(at('gate'))
            gated = 'exec:cat %s >/dev/null; cat >%s' % (at('gate'), at('sent'))
            on = [{'capability': 'events', 'state': True}]
            check('error' in q.run('migrate-set-capabilities', capabilities=[{'capability': 'xbzrle', 'state': True}])[0], 'capability')
            check('error' in q.run('migrate-set-capabilities', capabilities=[1, {}])[0], 'no-capability')
            check('return' in q.run('migrate-set-capabilities', capabilities=on + [{'capability': 'xbzrle', 'state': False}])[0], 'events')
            check(q.run('query-migrate-capabilities')[0]['return'] == on and h.hmp('info migrate_capabilities') == 'events: on\n', 'are-on')
            check(q.run('migrate_cancel')[0]['return'] == {} and h.hmp('info migrate') == '' and q.log == [], 'nothing-to-cancel')
            m.command('mark=monday')
            h.hmp('savevm kept')

            check(q.run('migrate', uri=gated)[0]['return'] == {}, 'returns-at-once')
            check(q.events('STOP') == ['MIGRATION:setup', 'MIGRATION:active', 'STOP'], 'begins')
            text = m.text
            m.send('echo typed\n')
            time.sleep(1)
            m.pump(0)
            state, ram = status_of(q)
            check(state == 'active' and ram['total'] == 256 << 20 and 0 < ram['remaining'] <= ram['total'], 'active', ram)
            check(q.run('query-status')[0]['return'] == {'status': 'finish-migrate', 'singlestep': False, 'running': False}, 'stands')
            check('(finish-migrate)' in h.hmp('info status') and 'Migration status: active' in h.hmp('info migrate'), 'by-hand')
            stands(m, 'uses-nothing')
            check(m.text == text, 'the-guest-stands')
            busy = "There's a migration process in progress"
            for command in 'migrate -d file:' + at('x'), 'savevm x', 'loadvm kept', 'cont', 'system_reset':
                check(h.hmp(command) == 'Error: %s\n' % busy, 'one-at-a-time', command)
            for name, arguments in ('migrate', {'uri': 'file:' + at('x')}), ('cont', {}), ('system_reset', {}):
                check(q.run(name, **arguments)[0].get('error', {}).get('desc') == busy, 'one-at-a-time', name)
            check(q.log == [] and not os.path.exists(at('x')), 'nothing-happens')
            with open(at('gate'), 'w') as f:
                f.write('go')
            check(q.events('MIGRATION:completed') == ['MIGRATION:completed'], 'completed')
            state, ram = status_of(q)
            check(state == 'completed' and ram['remaining'] == 0 and ram['transferred'] > 1 << 20, 'all-of-it', ram)
            check(ram['duplicate'] + ram['normal'] == 65536 and ram['normal'] * 4096 < ram['transferred'], 'pages', ram)
            check('postmigrate' in h.hmp('info status') and 'Migration status: completed' in h.hmp('info migrate'), 'postmigrate')
            with Machine('-loadvm', at('sent'), ram=RAM) as there:
                there.send('\n')
                there.expect('# ', 20)
                check(there.command('echo $mark').strip() == 'monday', 'arrived')
            check(q.run('cont')[1] == ['RESUME'], 'goes-on-after-all')
            m.expect('typed\n.*# ', 20)
            q.events('RESUME')
            os.unlink(at('sent'))

            check(h.hmp('migrate -d ' + gated) == '', 'again')
            q.events('STOP')
            q.run('migrate_cancel')
            check(q.events('MIGRATION:cancelled') == ['MIGRATION:cancelling', 'RESUME', 'MIGRATION:cancelled'], 'cancelled')
            check(m.command('echo runs').strip() == 'runs' and status_of(q)[0] == 'cancelled' and not os.path.exists(at('sent')), 'runs-again')
            q.run('stop')
            q.events('STOP')
            h.s.sendall(('migrate "%s"\n' % gated).encode())
            q.events('MIGRATION:active')
            time.sleep(0.3)
            check(h.text == '' and status_of(q)[0] == 'active', 'by-hand-it-waits')
            q.run('migrate_cancel')
            h.until(r'^\(cede\) ')
            check(q.events('MIGRATION:cancelled') == ['MIGRATION:cancelling', 'MIGRATION:cancelled'], 'who-stood-stands')
            check('VM status: paused\n' == h.hmp('info status'), 'paused')
            q.run('cont')
            q.events('RESUME')
            q.run('migrate', uri=gated)
            q.events('STOP')
            q.run('stop')
            q.run('migrate_cancel')
            check(q.events('MIGRATION:cancelled') == ['MIGRATION:cancelling', 'MIGRATION:cancelled'], 'stop-meanwhile')
            q.run('cont')
            q.events('RESUME')

            with open(at('f'), 'w') as f:
                f.write('old')
            for number in signal.SIGSTOP, signal.SIGKILL:
                h.hmp('migrate -d file:' + at('f'))
                writer(m, number)
                q.events('STOP')
                if number == signal.SIGSTOP:
                    h.hmp('migrate_cancel')
                    check(q.events('MIGRATION:cancelled')[-2:] == ['RESUME', 'MIGRATION:cancelled'], 'file-cancelled')
                else:
                    check(q.events('RESUME') == ['MIGRATION:failed', 'RESUME'], 'writer-killed')
                    got = q.run('query-migrate')[0]['return']
                    check(got['status'] == 'failed' and 'signal 9' in got['error-desc'] and '(its process' in h.hmp('info migrate'), 'said', got)
                with open(at('f')) as f:
                    check(f.read() == 'old' and not os.path.exists(at('f.part')), 'old-file-kept')
            check(h.hmp('migrate tcp:127.0.0.1:1').startswith('Error: cannot connect'), 'nobody-there')
            check(q.events('RESUME') == ['MIGRATION:setup', 'MIGRATION:active', 'STOP', 'MIGRATION:failed', 'RESUME'], 'failed')
            check(h.hmp('migrate exec:false').startswith('Error: '), 'command-failed')
            q.events('RESUME')
            line = {'command-line': 'migrate file:' + at('g')}
            check('detached' in q.run('human-monitor-command', **line)[0]['return'], 'by-program-by-hand')
            q.events('MIGRATION:completed')
            check(q.run('cont')[0].get('return') == {} and m.command('echo alive').strip() == 'alive', 'alive')
            check(all('ended by signal 9' in x for x in m.errors.splitlines()), 'errors', m.errors)
            q.run('migrate', uri=gated)
            q.events('STOP')
            h.s.sendall(b'quit\n')
            check(m.wait(30) == 0 and not os.path.exists(at('sent')), 'quit-cancels')
            check(sorted(os.listdir(at.path)) == ['f', 'g', 'gate', 'kept.cede'], 'nothing-half', os.listdir(at.path))


def behind():
    """savevm while the guest goes on: what is saved is the moment of the command; the prompt comes back at its end."""
    with Folder() as at:
        with linux('-monitor', 'unix:%s,server=on,wait=off' % at('m'), '-qmp', 'unix:%s,server=on,wait=off' % at('q'), '-snapdir', at.path,
                   ram=RAM) as m:
            m.shell()
            h, q = both(m, at)
            m.command('mark=before')
            h.s.sendall(b'savevm s\n')
            held = writer(m, signal.SIGSTOP)
            check(m.command('mark=after; echo $mark').strip() == 'after', 'the-guest-goes-on')
            check('Snapshot: ' in q.run('human-monitor-command', **{'command-line': 'info migrate'})[0]['return'], 'progress')
            check('running' == q.run('query-status')[0]['return']['status'] and q.run('query-migrate')[0]['return'] == {}, 'is-no-migration')
            q.run('migrate_cancel')
            check("There's a migration" in q.run('migrate', uri='file:' + at('x'))[0]['error']['desc'], 'one-at-a-time')
            check("There's a migration" in q.run('human-monitor-command', **{'command-line': 'savevm t'})[0]['return'], 'nor-another')
            check(h.text == '' and not os.path.exists(at('s.cede')), 'not-done')
            h.s.sendall(b'info version\n')
            time.sleep(0.3)
            os.kill(held, signal.SIGCONT)
            check(h.until(r'(?s)\(cede\) .*\(cede\) ').replace('\r', '').startswith('(cede) cede '), 'then-the-next-command')
            check(h.hmp('loadvm s') == '' and m.command('echo $mark').strip() == 'before', 'as-it-was-then')

            q.s.sendall(b'{"execute": "human-monitor-command", "arguments": {"command-line": "savevm s"}, "id": {"n": 1}}')
            held = writer(m, signal.SIGSTOP)
            with open(at('s.cede'), 'rb') as f:
                old = f.read()
            os.kill(held, signal.SIGKILL)
            got = json.loads(q.until('\r\n'))
            check(got['id'] == {'n': 1} and got['return'].startswith('Error: its process was ended by signal 9'), 'killed', got)
            with open(at('s.cede'), 'rb') as f:
                check(f.read() == old and not os.path.exists(at('s.cede.part')), 'old-one-kept')
            h.s.sendall(b'savevm s\n')
            held = writer(m, signal.SIGSTOP)
            h.s.close()
            h = Client(m, at('m'))
            h.until(r'\(cede\) ')
            check('running' in h.hmp('info status'), 'who-left-is-not-waited-for')
            q.s.settimeout(20)
            try:
                for _ in range(20000):          # and reads nothing
                    q.s.sendall(b'{"execute": "query-commands"}\n' * 20)
            except OSError:
                pass
            try:
                while q.s.recv(1 << 16):
                    pass
                check(True, 'who-is-cut-off-knows')
            except OSError as e:
                check(isinstance(e, ConnectionError), 'who-is-cut-off-knows', e)
            q.s.close()
            q = Client(m, at('q'))
            q.until('\r\n')
            q.run('qmp_capabilities')
            os.kill(held, signal.SIGKILL)
            while 'savevm: its process' not in m.errors:
                m.pump(1)
            check(True, 'and-the-end-is-on-stderr')
            m.command('mark=last')
            h.s.sendall(b'savevm s\n')
            held = writer(m, signal.SIGSTOP)
            q.s.sendall(b'{"execute": "quit"}')
            time.sleep(0.5)
            check(m.process.poll() is None, 'quit-waits')
            os.kill(held, signal.SIGCONT)
            check(m.wait(30) == 0, 'for-the-snapshot', m.errors)
        with Machine('-loadvm', 's', '-snapdir', at.path, ram=RAM) as m:
            m.send('\n')
            m.expect('# ', 20)
            check(m.command('echo $mark').strip() == 'last', 'which-is-whole')


def reasons():
    """QMP is told what happened and why, in QEMU's words and order: each way to an end, with and without -no-shutdown."""
    with Folder() as at:
        with linux('-monitor', 'unix:%s,server=on,wait=off' % at('m'), '-snapdir', at.path, ram=RAM) as m:
            m.shell()
            h = Client(m, at('m'))
            h.until(r'\(cede\) ')
            check(h.hmp('savevm s') == '', 'savevm')

        def start(*options):
            m = linux('-loadvm', 's', '-snapdir', at.path, '-qmp', 'unix:%s,server=on,wait=off' % at('q'), *options, ram=RAM)
            q = Client(m, at('q'))
            q.until('\r\n')
            q.run('qmp_capabilities')
            return m, q

        crash = 'echo 0 > /proc/sys/kernel/panic; echo c > /proc/sysrq-trigger\n'
        for name, options, do, want, status in (
                ('power-off', [], lambda m, q: m.send('poweroff -f\n'), ['SHUTDOWN:True:guest-shutdown'], 0),
                ('no-reboot', ['-no-reboot'], lambda m, q: m.send('reboot -f\n'), ['SHUTDOWN:True:guest-reset'], 0),
                ('panic', ['-action', 'panic=shutdown'], lambda m, q: m.send(crash), ['GUEST_PANICKED:poweroff', 'STOP', 'SHUTDOWN:True:guest-panic'], 3),
                ('signal', [], lambda m, q: m.kill(), ['SHUTDOWN:False:host-signal'], 1),
                ('quit', ['-no-shutdown'], lambda m, q: q.s.sendall(b'{"execute": "quit"}'), ['SHUTDOWN:False:host-qmp-quit'], 0)):
            m, q = start(*options)
            with m:
                do(m, q)
                got = []
                while not (got and got[-1].startswith('SHUTDOWN')):
                    line = json.loads(q.until('\r\n'))
                    if 'event' in line:
                        q.heard(line)
                        got = q.log
                check(got == want, name, got)
                check(m.wait(30) == status, name + '-status', (m.process.returncode, m.errors))
        m, q = start('-action', 'panic=shutdown,shutdown=pause')
        with m:
            m.send('reboot -f\n')
            check(q.events('RESET:True:guest-reset') == ['RESET:True:guest-reset'], 'reboot')
            q.run('system_reset')
            check(q.events('RESET:False:host-qmp-system-reset') == ['RESET:False:host-qmp-system-reset'], 'system-reset')
            m.shell()
            m.send('poweroff -f\n')
            check(q.events('STOP') == ['SHUTDOWN:True:guest-shutdown', 'STOP'], 'no-shutdown')
            check(q.run('query-status')[0]['return']['status'] == 'shutdown', 'shutdown')
            q.run('system_reset')
            check(q.events('RESUME') == ['RESET:False:host-qmp-system-reset', 'RESUME'], 'again')
            m.shell()
            m.send('poweroff -f\n')
            q.events('STOP')
            q.run('stop')
            q.run('system_reset')
            check(q.run('query-status')[0]['return']['status'] == 'paused', 'again-stopped')
            q.run('cont')
            check(q.events('RESUME') == ['STOP', 'RESET:False:host-qmp-system-reset', 'RESUME'], 'again-goes-on')
            m.shell()
            m.send(crash)
            check(q.events('STOP', 120) == ['GUEST_PANICKED:pause', 'STOP'], 'panic-stays')
            check(q.run('query-status')[0]['return']['status'] == 'guest-panicked', 'guest-panicked')
            q.run('cont')
            check(q.events('RESUME') == ['RESUME'], 'panicked-goes-on')
            check(q.run('query-status')[0]['return']['status'] == 'running', 'panicked-runs')
            m.kill()
            check(q.events('SHUTDOWN:False:host-signal') == ['SHUTDOWN:False:host-signal'] and m.wait(30) == 1, 'later-events')
            check('the guest gave up' in m.errors and m.errors.count('\n') == 2, 'said-once', m.errors)


def stopped():
    """SIGUSR1 at a stopped machine saves it then and there; migrate tries all addresses of a name."""
    with Folder() as at:
        with linux('-monitor', 'unix:%s,server=on,wait=off' % at('m'), '-save', at('u'), ram=RAM) as m:
            m.shell()
            m.command('mark=still')
            h = Client(m, at('m'))
            h.until(r'\(cede\) ')
            h.hmp('stop')
            m.kill(signal.SIGUSR1)
            until = time.monotonic() + 30
            while not os.path.exists(at('u')) and time.monotonic() < until:
                m.pump(0.1)
            check(os.path.exists(at('u')), 'saved')
            check('VM status: paused\n' == h.hmp('info status'), 'still-stopped')
            with socket.socket() as s:
                s.bind(('127.0.0.1', 0))
                port = s.getsockname()[1]
            # "" is ::1 and 127.0.0.1, and nobody is at the first
            with Machine('-incoming', 'tcp:127.0.0.1:%d' % port, ram=RAM) as there:
                time.sleep(1)
                check(h.hmp('migrate tcp::%d' % port) == '', 'every-address', m.errors)
                there.send('\n')
                there.expect('# ', 20)
                check(there.command('echo $mark').strip() == 'still', 'arrived')
        with Machine('-loadvm', at('u'), ram=RAM) as m:
            m.send('\n')
            m.expect('# ', 20)
            check(m.command('echo $mark').strip() == 'still', 'loaded')


def floods():
    """A monitor on stdio loses nothing: what it says while nobody reads, what is pasted at once; on pipes, a terminal, through Ctrl-A c."""
    n, one = 1500, 'info version\n'
    with Folder() as at:
        with linux('-monitor', 'stdio', '-S', ram=RAM, serial='null') as m:
            m.expect(r'\(cede\) ')
            threading.Thread(target=m.send, args=('help\n' * 300 + 'quit\n',), daemon=True).start()
            time.sleep(3)
            check(m.process.poll() is None and m.wait(60) == 0, 'waits-for-the-reader')
            check(m.text.count('(cede) ') == 302 and m.text.count('savevm [NAME]') == 300, 'all-is-said', m.text.count('savevm [NAME]'))
        for name, options in ('stdio', {'serial': 'null', 'terminal': False}), ('terminal', {'serial': 'null', 'terminal': True}):
            with linux('-monitor', 'stdio', '-S', ram=RAM, **options) as m:
                m.expect(r'\(cede\) ')
                threading.Thread(target=m.send, args=(one * n + 'quit\n',), daemon=True).start()
                check(m.wait(60) == 0, 'ends-' + name)
                check(m.text.count('\ncede 0.') == n or m.text.count('cede 0.1\n') == n, 'pasted-' + name, m.text.count('cede 0.1\n'))
        with linux('-S', ram=RAM, serial='mon:stdio') as m:
            threading.Thread(target=m.send, args=('x' * 4000 + '\x01c' + one * n + 'quit\n',), daemon=True).start()
            check(m.wait(60) == 0, 'ends-aside')
            check(m.text.count('cede 0.1\n') == n, 'pasted-aside', m.text.count('cede 0.1\n'))
        # There and back among keys that the guest has no room for yet.
        with linux('-monitor', 'unix:%s,server=on,wait=off' % at('m'), ram=RAM, serial='mon:stdio') as m:
            m.shell()
            h = Client(m, at('m'))
            h.until(r'\(cede\) ')
            m.send('stty -echo; cat >/tmp/f; stty echo; wc -c </tmp/f; md5sum </tmp/f\n')
            m.expect('md5sum.*\n', 20)
            time.sleep(1)
            h.hmp('stop')
            lines = ['line %d\n' % i for i in range(600)]
            first, then = ''.join(lines[:465]), ''.join(lines[465:])
            check(len(first) < 4096 < len(first) + len(then), 'more-than-fits', len(first))
            m.send(first + '\x01c' + one * 10 + '\x01c' + then + '\x04')
            time.sleep(1)
            h.hmp('cont')
            m.expect(hashlib.md5((first + then).encode()).hexdigest(), 60)
            check(m.text.count('cede 0.1\n') == 10, 'there-and-back')


def strings():
    """JSON strings: each escape, pairs, names beyond ASCII there and back; ids as they came; what is none is refused."""
    with Folder() as at:
        with linux('-qmp', 'unix:%s,server=on,wait=off' % at('q'), '-snapdir', at.path, '-S', '-name', 'Füße😀', ram=RAM) as m:
            q = Client(m, at('q'))
            q.until('\r\n')
            q.run('qmp_capabilities')
            human = '{"execute": "human-monitor-command", "arguments": {"command-line": "%s"}}'
            for name in 'Grün', '日本', '😀', '\u0080':
                for written in name, json.dumps(name)[1:-1], json.dumps(name)[1:-1].replace('d', 'D'):
                    check(q.qmp(human % ('savevm ' + written))[0].get('return') == '', 'saved', written)
                    check(os.listdir(at.path.encode()).count(name.encode() + b'.cede') == 1, 'under-its-name', os.listdir(at.path))
                    check(' %s ' % name in q.qmp(human % 'info snapshots')[0]['return'], 'listed', name)
                    check(q.qmp(human % ('loadvm ' + written))[0].get('return') == '', 'loaded')
                    check(q.qmp(human % ('delvm ' + written))[0].get('return') == '', 'deleted')
            check(q.run('query-name')[0]['return'] == {'name': 'Füße😀'}, 'query-name')
            got = q.qmp(human % r'x\b\f\n\r\t\/\\\"\u0041\u00e4')[0]['return']
            check(got.startswith('unknown command: \'x\b\f\r\n\r'), 'escapes', got)
            check('/\\"Aä' in q.qmp(human % r'y\/\\\"\u0041\u00e4')[0]['return'], 'escapes-2')
            open(os.path.join(at.path.encode(), b'\xff.cede'), 'w').close()
            check('\ufffd' in q.qmp(human % 'info snapshots')[0]['return'], 'no-utf8-on-disk')
            for i in '"\\u00e4"', '"ä😀"', '-0.5e+3', 'null', '{"a": [1, {"b": "\\n"}]}', '[\n1,\r\n2]', '""':
                check(json.dumps(q.qmp('{"execute": "query-status", "id": %s}' % i)[0].get('id')) == json.dumps(json.loads(i)), 'id', i)
            for i in (rb'"\q"', rb'"\ud800"', rb'"\ud800\u0041"', rb'"\udc00"', rb'"\u12g4"', b'"\xff"', b'"\xc0\x80"', b'"\xed\xa0\x80"',
                      b'"\xf4\x90\x80\x80"', b'"\xe4"', b'1-2', b'1.', b'01', b'-', b'1e', b'{"\xff": 1}', b'{"a\0": 1}', b'nul', b'+1'):
                q.s.sendall(b'{"execute": "query-status", "id": ' + i + b'}\n')
                check(json.loads(q.until('\r\n')).get('error', {}).get('desc') == 'Invalid JSON syntax', 'refused', i)
            check('error' in q.qmp(human % r'a\u0000b')[0], 'no-nul')


LOAD = ('quiet cede.cmd="for i in 1 2 3; do (seq 1 3000 | gzip | md5sum; cat /proc/interrupts | md5sum) & done; wait; sleep 0.05; '
        'seq 1 20000 | md5sum; cat /proc/uptime; date"')


def equal():
    """savevm, stop, loadvm, refused loads and JSON in the middle of a run: its end is that of a run that nobody looked at."""
    cpus = os.environ.get('CPUS', '1')
    options = ['-rtc', 'base=2026-01-31T12:00:00', '-clock', 'warp', '-d', 'statehash']
    options += ['-pool', 'procs=2,entitlement=1.5,load=0.5'] if cpus == '4' else []
    start = time.monotonic()
    with Folder() as at, linux(*options, '-dtl', at('log'), append=LOAD, ram=RAM, cpus=cpus) as m:
        check(m.wait(200) == 0 and 'statehash=' in m.errors, 'uninterrupted', m.errors)
        console, end = m.text, m.errors
        with open(at('log'), 'rb') as f:
            log = f.read()
    step = (time.monotonic() - start) / 16      # the host may be busier now than later, and the guest runs on while it is saved
    with Folder() as at:
        socket = 'unix:%s,server=on,wait=off' % at('m')
        with linux(*options, '-S', '-monitor', socket, '-snapdir', at.path, '-dtl', at('log'), append=LOAD, ram=RAM, cpus=cpus) as m:
            h = Client(m, at('m'))
            h.until(r'\(cede\) ')
            check(h.hmp('savevm start') == '', 'savevm-at-start')
            h.hmp('cont')
            for i in range(4):
                time.sleep(step)
                check(h.hmp('savevm s%d' % i) == '', 'savevm')
            h.hmp('stop')
            check(h.hmp('savevm stopped') == '' and h.hmp('savevm again') == '', 'savevm-stopped')
            with open(at('stopped.cede'), 'rb') as f, open(at('again.cede'), 'rb') as g:
                data = f.read()
                check(data == g.read(), 'same-file')
            for n in 10, len(data) // 2, len(data) - 1000:
                with open(at('bad.cede'), 'wb') as f:
                    f.write(data[:n])
                check(h.hmp('loadvm bad').startswith('Error: '), 'refused', n)
                h.hmp('savevm again')
                with open(at('again.cede'), 'rb') as g:
                    check(data == g.read(), 'as-it-was-%d' % n)
            h.hmp('cont')
            check(h.hmp('loadvm bad').startswith('Error: '), 'refused-while-it-runs')
            m.expect(r'statehash=|cede guest status 0', 200)
            check(m.wait(60) == 0 and m.errors == end and m.text == console, 'as-if-nobody-looked', (m.errors, end))
            with open(at('log'), 'rb') as f:
                check(f.read() == log, 'and-so-has-the-log')
        for name in 'start', 's1', 's3', 'stopped':
            with linux(*options, '-no-reboot', '-S', '-monitor', socket, '-snapdir', at.path, append=LOAD, ram=RAM, cpus=cpus) as m:
                h = Client(m, at('m'))
                h.until(r'\(cede\) ')
                h.hmp('cont')
                time.sleep(4 * step)
                h.hmp('stop')
                at_load = -1
                while at_load < len(m.text):        # what it has said so far is read
                    at_load = len(m.text)
                    m.pump(0.5)
                check(h.hmp('loadvm ' + name) == '', 'loadvm-' + name)
                h.hmp('cont')
                check(m.wait(200) == 0 and m.errors == end, 'statehash-from-' + name, (m.errors, end))
                check(console.endswith(m.text[at_load:]), 'console-from-' + name, m.text[at_load:][-300:])
            with Machine(*options, '-loadvm', name, '-snapdir', at.path, ram=RAM, cpus=cpus) as m:
                check(m.wait(200) == 0 and m.errors == end, 'statehash-in-a-new-process-' + name, (m.errors, end))


def layouts():
    """loadvm of every layout over a machine that runs: it holds what the file says, to the byte, and goes on from there to
    the end of the run that was never interrupted, even if the file it has mapped is deleted or replaced meanwhile."""
    cpus = os.environ.get('CPUS', '1')
    options = ['-rtc', 'base=2026-01-31T12:00:00', '-clock', 'warp', '-d', 'statehash']
    how = {'parent': '', 'stream': '', 'mapped': ',layout=mapped', 'zstd': ',compress=zstd', 'child': ',parent=%s'}
    first, delay = 300000000, {'parent': 0, 'late': 300000000}      # memory of "late" must not shine through
    how['late'] = ',layout=mapped'
    with Folder() as at:
        files = {n: at(n + '.cede') for n in how}
        saves = [x for n, o in how.items() for x in
                 ('-save', '%s@%d%s' % (files[n], first + delay.get(n, 50000000), o % files['parent'] if '%' in o else o))]
        with linux(*options, *saves, append=LOAD, ram=RAM, cpus=cpus) as m:
            check(m.wait(200) == 0 and 'statehash=' in m.errors, 'uninterrupted', m.errors)
            console, end = m.text, m.errors
        with open(files['stream'], 'rb') as f:
            stream = f.read()
        socket = 'unix:%s,server=on,wait=off' % at('m')
        for order in ('zstd', 'late', 'child', 'late', 'mapped'), ('mapped', 'late', 'stream', 'mapped', 'zstd', 'child'), ('late', 'zstd'):
            with linux(*options, '-no-reboot', '-S', '-monitor', socket, '-snapdir', at.path, append=LOAD, ram=RAM, cpus=cpus) as m:
                h = Client(m, at('m'))
                h.until(r'\(cede\) ')
                for name in order:
                    h.hmp('cont')
                    time.sleep(0.2)
                    h.hmp('stop')
                    check(h.hmp('loadvm ' + name) == '' and h.hmp('savevm probe') == '', 'loadvm-' + name)
                    with open(at('probe.cede'), 'rb') as f:
                        check((f.read() == stream) == (name != 'late'), 'holds-what-%s-says' % name)
                if name == 'mapped':
                    check(h.hmp('savevm mapped') == '' and h.hmp('delvm mapped') == '', 'its-file-goes')
                at_load = len(m.text)
                h.hmp('cont')
                check(m.wait(200) == 0 and m.errors == end, 'statehash-from-%s-over-another' % name, (m.errors, end))
                check(console.endswith(m.text[at_load:]) and len(m.text) > at_load, 'console-from-%s-over-another' % name, m.text[at_load:][-300:])
            if not os.path.exists(files['mapped']):
                with linux(*options, '-save', '%s@%d,layout=mapped,quit=on' % (files['mapped'], first + 50000000), append=LOAD, ram=RAM,
                           cpus=cpus) as m:
                    m.wait(200)
        with Machine(*options, '-loadvm', 'child', '-snapdir', at.path, ram=RAM, cpus=cpus) as m:
            check(m.wait(200) == 0 and m.errors == end, 'statehash-in-a-new-process', (m.errors, end))


def ticks(m):
    with open('/proc/%d/stat' % m.process.pid) as f:
        fields = f.read().rsplit(')', 1)[1].split()
    return int(fields[11]) + int(fields[12])


def stands(m, name):
    before = ticks(m)
    time.sleep(2)
    while select.select(list(m.open), [], [], 0)[0] and m.pump(0):
        pass
    check(ticks(m) - before <= 2, name, ticks(m) - before)


def controls():
    """A stopped machine uses no processor; -S, system_reset, -no-shutdown, -loadvm NAME, migrate tcp:, monitors on stdio."""
    with Folder() as at:
        options = ['-monitor', 'unix:%s,server=on,wait=off' % at('m'), '-qmp', 'unix:%s,server=on,wait=off' % at('q'), '-snapdir', at.path]
        with linux(*options, '-S', '-no-shutdown', ram=RAM) as m:
            h, q = Client(m, at('m')), Client(m, at('q'))
            h.until(r'\(cede\) ')
            q.until('\r\n')
            q.run('qmp_capabilities')
            stands(m, '-S-uses-nothing')
            check(m.text == '' and 'paused' in h.hmp('info status'), '-S')
            h.hmp('cont')
            m.shell()
            m.command('while :; do :; done & true')
            before = uptime(m)
            check('STOP' in q.run('stop')[1], 'stop-event')
            stands(m, 'stop-uses-nothing')
            text = m.text
            m.send('echo typed\n')
            stands(m, 'stop-uses-nothing-with-input')
            check(m.text == text, 'says-nothing')
            check('RESUME' in q.run('cont')[1], 'resume-event')
            m.expect(r'typed\n.*# ', 20)
            check(uptime(m) - before < 3, 'uptime-stood')
            m.command('kill $!; mark=kept')
            check(h.hmp('savevm kept') == '', 'savevm')
            h.hmp('system_reset')
            m.shell()
            check('"RESET"' in q.until('\r\n') and m.command('echo "<$mark>"').strip() == '<>', 'system-reset')
            m.send('poweroff -f\n')
            check('"SHUTDOWN"' in q.until('SHUTDOWN"[^\n]*\n'), 'shutdown-event')
            check('shutdown' in h.hmp('info status'), 'no-shutdown')
            stands(m, 'off-uses-nothing')
            check('switched itself off' in h.hmp('loadvm kept'), 'off-is-not-loaded')
            h.hmp('system_reset')
            m.shell()
            check('running' in h.hmp('info status'), 'reset-after-off')
            h.s.sendall(b'quit\n')
            check(m.wait(30) == 0, 'quit', m.errors)
        with Machine(*options, '-loadvm', 'kept', ram=RAM) as m:
            m.send('\n')
            m.expect('# ', 20)
            check(m.command('echo $mark').strip() == 'kept', '-loadvm-by-name')
            with socket.socket() as s:
                s.bind(('127.0.0.1', 0))
                port = s.getsockname()[1]
            h = Client(m, at('m'))
            h.until(r'\(cede\) ')
            check(h.hmp('migrate tcp:127.0.0.1:%d' % port).startswith('Error: '), 'nobody-there')
            check('running' in h.hmp('info status'), 'goes-on')
            with Machine('-incoming', 'tcp:127.0.0.1:%d' % port, ram=RAM) as there:
                time.sleep(1)
                check(h.hmp('migrate tcp:127.0.0.1:%d' % port) == '', 'migrate-tcp')
                there.send('\n')
                there.expect('# ', 20)
                check(there.command('echo $mark').strip() == 'kept', 'arrived')
        with Machine('-loadvm', 'kept', '-snapdir', at.path, '-monitor', 'stdio', ram=RAM, serial='file:' + at('out')) as m:
            m.send('info status\nsavevm more\nquit\n')
            check(m.wait(30) == 0 and 'VM status: running' in m.text and os.path.exists(at('more.cede')), '-monitor-stdio', m.text)
        with Machine('-loadvm', 'more', '-snapdir', at.path, '-qmp', 'stdio', ram=RAM, serial='null') as m:
            m.send('{"execute": "qmp_capabilities"}{"execute": "query-status", "id": 7}{"execute": "quit"}')
            check(m.wait(30) == 0 and [7] == [json.loads(x)['id'] for x in m.text.splitlines() if '"id"' in x] and 'SHUTDOWN' in m.text, '-qmp-stdio', m.text)


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


HMP_JUNK = (b'\n' * 3000, b'\0' * 5000 + b'\n', b'x' * (1 << 20) + b'\n', b'savevm ' + b'y' * 16370 + b'\n', b'\x7f\b' * 3000 + b'\n',
            b'info ' * 3000 + b'\n', b'savevm \xff\xfe\xc0\x80\n', b'%s%n%s%n\n', b'migrate "\n', b'migrate -d "\n', b'migrate exec:\n',
            b'migrate tcp::\n', b'migrate tcp:localhost:1:2\n', b'migrate file:/nowhere/at/all\n', b'loadvm ' + b'../' * 50 + b'\n')
QMP_JUNK = (b'\n' * 3000, b'\0' * 5000 + b'\n', b'x' * (1 << 20) + b'\n', b'{"execute": "' + b'x' * (1 << 20) + b'"}\n', b'[' * 16000 + b'\n',
            b'{"a":' * 3000 + b'\n', b'[' * 16384 + b']' * 16384 + b'\n', b'}' * 3000 + b'\n', b'"\\\n', b'{"execute": "\\\n', b'{"\\u":1}\n',
            b'{"execute": "\xff\xfe"}\n', b'{"execute": "query-status", "id": "\xc0\x80"}\n', b'{"execute": "a\0b"}\n',
            b'{"execute": "human-monitor-command", "arguments": {"command-line": "\\u0000"}}\n',
            b'{"execute": "human-monitor-command", "arguments": {"command-line": "' + b'z' * 16300 + b'"}}\n')


def connect(path, wait=60):
    """A client that need not be served at once."""
    end = time.monotonic() + wait
    while True:
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(wait)
        try:
            s.connect(path)
            return s
        except OSError:
            s.close()
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


def throw(path, data, read):
    """Sends it all, or what is taken until we are cut off; true: somebody was there."""
    s = connect(path)
    s.settimeout(0.2)
    try:
        for at in range(0, len(data), 65536):
            s.sendall(data[at:at + 65536])
            while read and at + 65536 < len(data):
                if not s.recv(65536):
                    break
    except OSError:
        pass
    s.close()


def ask(path, answers, n):
    """A whole conversation."""
    s = connect(path)
    f = s.makefile('rw', newline='\r\n')
    try:
        f.readline()
        for command in 'qmp_capabilities', 'query-status':
            f.write('{"execute": "%s", "id": %d}\n' % (command, n))
            f.flush()
            answers[n] = json.loads(f.readline())
    finally:
        s.close()


def hostile(build=''):
    """Bytes that are no commands, clients that do not read, leave, or come by the dozen: the next one is served."""
    need(PROGRAM)
    with Folder() as at:
        with linux('-monitor', 'unix:%s,server=on,wait=off' % at('m'), '-qmp', 'unix:%s,server=on,wait=off' % at('q'),
                   '-snapdir', at.path, '-S', ram=RAM, program=PROGRAM) as m:
            h = Client(m, at('m'))
            h.until(r'\(cede\) ')
            check(h.hmp('savevm a') == '' and h.hmp('loadvm a') == '', 'saved-and-loaded')
            with open(at('a.cede'), 'rb') as f:
                data = f.read()
            for n in 0, 1, 100, len(data) // 3, len(data) - 1:
                with open(at('bad.cede'), 'wb') as f:
                    f.write(data[:n])
                check(h.hmp('loadvm bad').startswith('Error: '), 'refused', n)
            check(h.hmp('delvm a') == '', 'deleted')
            h.s.close()
            for path, junk in (at('m'), HMP_JUNK), (at('q'), QMP_JUNK):
                for start in b'', b'{"execute": "qmp_capabilities"}\n':
                    for data in junk:
                        throw(path, start + data, True)
                        throw(path, start + data[:len(data) // 2], False)
                        check(m.process.poll() is None, 'lives', data[:40])
            rng = random.Random(2)
            words = b'{ } [ ] " : , \\ \\u \\ud800 execute id arguments query-status human-monitor-command command-line savevm \n'.split(b' ')
            for i in range(300):
                data = b''.join(rng.choice(words) if rng.randrange(4) else bytes([rng.randrange(256)]) for _ in range(rng.randrange(200)))
                throw(at('q' if i % 3 else 'm'), data if i % 2 else b'{"execute": "qmp_capabilities"}' + data, False)
            for path, data in (at('m'), b'help\n' * 20), (at('q'), b'{"execute": "query-commands"}\n' * 20):
                s = connect(path)
                s.settimeout(1)
                try:
                    for _ in range(20000):      # and reads nothing
                        s.sendall(data)
                    check(False, 'cut-off')
                except OSError as e:
                    check(isinstance(e, (BrokenPipeError, ConnectionResetError)), 'cut-off', e)
                s.close()
            answers = {}
            clients = [threading.Thread(target=ask, args=(at('q'), answers, n)) for n in range(20)]
            for t in clients:
                t.start()
            for t in clients:
                t.join(60)
            check(sorted(answers) == list(range(20)) and all(answers[n]['id'] == n and 'return' in answers[n] for n in answers), 'twenty', answers)
            h = Client(m, at('m'))
            h.until(r'\(cede\) ')
            h.hmp('cont')
            m.expect('Linux version', 120)
            h.s.sendall(b'quit\n')
            check(m.wait(60) == 0 and 'ERROR' not in m.errors and 'runtime error' not in m.errors, 'quit', m.errors[-2000:])


if __name__ == '__main__':
    main({f.__name__: f for f in (by_hand, by_program, controls, equal, layouts, strings, keys, hostile, migrating, behind, reasons, stopped,
                                     floods)})
