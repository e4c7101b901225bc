"""Guests that move between QEMU and cede. Needs Debian's qemu-system-ppc64."""
# needs: programs guest
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, '..', 'linux')]
import usb as usb_events     # noqa: E402
from console import INITRD, KERNEL, Failure, Folder, Machine, check, linux, main, need, skip    # noqa: E402
from stream import Snapshot     # noqa: E402
from viewers import Monitor     # noqa: E402

CPUS = os.environ.get('CPUS', '1')
QEMU = shutil.which('qemu-system-ppc64')
SNAP = os.environ.get('B', 'build') + '/cede-snap'
BOARD = 'pseries-7.2,ic-mode=xics'
CPU_NAMES = {'power8': 'power8_v2.0', 'power9': 'power9_v2.0', 'power10': 'power10_v2.0'}   # QEMU 10 takes a later one for power9
TROUBLE = r'BUG|Oops|WARNING: CPU|Call Trace|Unable to handle|Kernel panic|rcu:.*stall|soft lockup'
ASK = 'cat /proc/uptime; date +%s; sleep 2; cat /proc/uptime; date +%s'


def loses_processors():
    """QEMU 10 starts with all processors but the first as RTAS has stopped them, and no stream can tell it otherwise: those
    do not take an interrupt, until the guest starts them. Such a guest moves with its other processors offline."""
    version = re.search(r'version (\d+)', subprocess.run([QEMU, '--version'], capture_output=True, text=True).stdout)
    return int(version[1]) >= 10


class Qemu(Machine):
    """QEMU with its terminal on a socket, as Machine sees it, and its monitor on standard input."""

    def __init__(self, folder, *options, board=BOARD, cpu='power9'):
        self.text, self.errors, self.at = '', '', 0
        self.master = None
        path = os.path.join(folder, 'serial')
        self.process = subprocess.Popen(
            [QEMU, '-M', board + ',x-vof=on', '-cpu', CPU_NAMES[cpu], '-smp', CPUS, '-m', '256M', '-nodefaults', '-display', 'none', '-monitor', 'stdio',
             '-serial', 'unix:%s,server=on,wait=off' % path, *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        # Nobody reads what its monitor echoes, which it would wait for.
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        self.socket = socket.socket(socket.AF_UNIX)
        for _ in range(100):
            try:
                self.socket.connect(path)
                break
            except OSError:
                time.sleep(0.1)
        self.out = self.inp = self.socket.fileno()
        self.err = self.process.stderr.fileno()
        self.open = {self.out, self.err}

    def __exit__(self, *exc):
        super().__exit__(*exc)
        self.socket.close()

    def monitor(self, line):
        self.process.stdin.write(line.encode() + b'\n')
        self.process.stdin.flush()

    def save(self, path):
        self.monitor('stop')
        self.monitor('migrate_set_parameter max-bandwidth 4G')
        self.monitor('migrate "exec:cat > %s.part && mv %s.part %s"' % (path, path, path))
        wait_for(path)


def put(m, alone):
    """All processors but the first offline, or online."""
    for n in range(1, int(CPUS)):
        m.command('echo %d >/sys/devices/system/cpu/cpu%d/online' % (not alone, n), 60)


def ask(m, name, alone=False):
    """The shell answers, and time goes on at its pace. `alone`: the other processors are offline, and come back."""
    for attempt in range(20):       # what is typed before the load is done is lost
        try:
            m.send('\n')
            m.expect(r'# ', 4)
            break
        except Failure:
            if attempt == 19 or m.process.poll() is not None:
                raise
    m.pump(1)
    m.at = len(m.text)
    check(m.command('cat /tmp/mark', 60).strip() == 'moved', name + '-memory')
    out = m.command(ASK, 60).split()
    up, date = float(out[3]) - float(out[0]), int(out[5]) - int(out[2])
    check(1.9 < up < 8 and 1 <= date <= 9, name + '-time-goes-on', out)
    n = int(CPUS)
    if alone:
        check(m.command('cat /sys/devices/system/cpu/online').strip() == '0', name + '-alone')
        put(m, False)
    online = m.command('cat /sys/devices/system/cpu/online').strip()
    check(online == ('0' if n == 1 else '0-%d' % (n - 1)), name + '-online', online)
    m.command('for c in $(seq 1 %d); do (i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done) & done; wait' % (2 * n), 120)
    check(m.command('seq 1 5000 | gzip | gunzip | md5sum', 60).split()[0] ==
          subprocess.run('seq 1 5000 | md5sum', shell=True, capture_output=True).stdout.decode().split()[0], name + '-computes')
    m.command('sleep 1')
    bad = [line for line in m.command('dmesg', 60).splitlines() if re.search(TROUBLE, line)]
    check(not bad, name + '-kernel-is-content', bad[:3])
    return float(out[3]), int(out[5])


def save_cede(path, *options, board=BOARD, append='', alone=False):
    with linux('-M', board, '-save', path + ',target=qemu', *options, append=append, ram='256M', cpus=CPUS) as m:
        m.shell()
        m.command('echo moved >/tmp/mark')
        if alone:
            put(m, True)
        before = m.command('cat /proc/uptime; date +%s').split()
        m.process.send_signal(10)
        until = time.monotonic() + 30
        while not os.path.exists(path) and time.monotonic() < until:
            m.pump(0.1)
        time.sleep(0.2)
        check(m.command('cat /tmp/mark').strip() == 'moved' and m.errors == '', 'cede-goes-on', m.errors)
        m.send('poweroff -f\n')
        m.wait(60)
        return float(before[0]), int(before[2])


def board_of(mode):
    """What -M says, and what the kernel's command line adds: XICS; 'dual', a machine with both whose guest uses XICS; 'both', one
    whose guest uses XIVE, as QEMU's default has it; 'xive', one that has no XICS; 'hash', XICS and the hash MMU."""
    name = {'': 'xics', 'hash': 'xics', 'both': 'dual'}.get(mode, mode)
    return BOARD.replace('ic-mode=xics', 'ic-mode=' + name), {'dual': ' xive=off', 'hash': ' disable_radix'}.get(mode, '')


def to_qemu(mode='', cpu='power9', spared='', then=''):
    """cede saves with target=qemu; QEMU goes on, saves again, and cede takes it back. `spared`: with the other processors offline.
    `then`: QEMU has another model, as which the first one's processors appear."""
    board, append = board_of(mode)
    limit = ',max-cpu-compat=' + then if then else ''
    if not QEMU:
        skip('no qemu-system-ppc64')
    need(KERNEL, INITRD)
    alone = bool(spared) or (CPUS != '1' and loses_processors())
    folder = tempfile.mkdtemp(prefix='cede-qemu-')
    try:
        path, back = os.path.join(folder, 'a'), os.path.join(folder, 'b')
        uptime, date = save_cede(path, '-cpu', cpu, board=board + limit, append=append if mode == 'hash' else '', alone=alone)
        s = Snapshot(path)
        check(not [n for n, _ in s.names() if 'cede/' in n], 'nothing-of-cede-in-it')
        expired(s)
        cpu = then or cpu
        hashes = mode == 'hash' or cpu == 'power8'
        check((s.hpt_order or 0) == (21 if hashes else 0) and (s.hpt_entries > 1000) == hashes, 'hash-page-table', (s.hpt_order, s.hpt_entries))
        with Qemu(folder, '-incoming', 'exec:cat ' + path, board=board, cpu=cpu) as q:
            up, now = ask(q, 'qemu', alone)
            controller(q, mode)
            check(uptime < up < uptime + 60 and date <= now < date + 60, 'qemu-time-follows', (uptime, up, date, now))
            q.save(back)
        with Machine('-M', board, '-cpu', cpu, '-loadvm', back, cpus=CPUS, ram='256M') as m:
            later, then = ask(m, 'back')
            check(up < later < up + 120 and now <= then < now + 120, 'time-follows', (up, later, now, then))
            m.send('poweroff -f\n')
            check(m.wait(60) == 0 and m.errors == '', 'poweroff', m.errors)
    finally:
        shutil.rmtree(folder)


def expired(s):
    """QEMU 7.2 hands a decrementer on as it got it, however long that is ago."""
    dec = [s.section('cpu', n)['env.spr'][22] for n in range(int(CPUS))]
    check(set(dec) == {2 ** 64 - 1}, 'decrementers-have-expired', dec)


def controller(m, mode):
    """The guest interrupts through what it is to."""
    text = m.command('cat /proc/interrupts')
    check(('XIVE' in text) == (mode in ('both', 'xive')), 'controller', text)


def wait_for(path):
    until = time.monotonic() + 60
    while not os.path.exists(path):
        if time.monotonic() > until:
            raise Failure('QEMU does not write ' + path)
        time.sleep(0.2)


def from_qemu(mode='', cpu='power9', then=''):
    """QEMU boots and saves, as it is; cede goes on with that, and gives it to QEMU again. `then`: with another model, as which the
    first one's processors appear."""
    board, off = board_of(mode)
    limit = ',max-cpu-compat=' + then if then else ''
    if not QEMU:
        skip('no qemu-system-ppc64')
    need(KERNEL, INITRD)
    alone = CPUS != '1' and loses_processors()
    folder = tempfile.mkdtemp(prefix='cede-qemu-')
    try:
        path, again = os.path.join(folder, 'a'), os.path.join(folder, 'b')
        with Qemu(folder, '-kernel', KERNEL, '-initrd', INITRD, '-append', 'console=hvc0' + off, board=board + limit, cpu=cpu) as q:
            q.shell(200)
            q.command('echo moved >/tmp/mark', 60)
            before = q.command('cat /proc/uptime; date +%s').split()
            q.save(path)
        check(subprocess.run([SNAP, 'verify', path], capture_output=True).returncode == 0, 'cede-snap-reads-it')
        cpu = then or cpu
        with Machine('-M', board, '-cpu', cpu, '-incoming', 'exec:cat ' + path, '-save', again + ',target=qemu', cpus=CPUS, ram='256M') as m:
            up, now = ask(m, 'cede')
            controller(m, mode)
            check(float(before[0]) <= up < float(before[0]) + 60, 'uptime-follows', (before, up))
            if alone:
                put(m, True)
            m.process.send_signal(10)
            wait_for(again)
            m.send('poweroff -f\n')
            check(m.wait(60) == 0 and m.errors == '', 'poweroff', m.errors)
        if board != BOARD:      # it has a XIVE, at rest or not
            check({'xive-source', 'spapr-xive', 'xive-tctx'} <= {n for n, _ in Snapshot(again).names()}, 'xive-tables')
        with Qemu(folder, '-incoming', 'exec:cat ' + again, board=board, cpu=cpu) as q:
            ask(q, 'qemu-again', alone)
    finally:
        shutil.rmtree(folder)


def live():
    """A hash guest that QEMU sends while it runs, in several rounds: entries come again, and some as none. cede goes on with the last of
    each. Not with QEMU 7.2: it loses writes of a guest that runs meanwhile, and does not go on from its own file either."""
    board, off = board_of('hash')
    if not QEMU or not loses_processors():
        skip('QEMU 7.2, or none (QEMU_ROOT names another)')
    need(KERNEL, INITRD)
    folder = tempfile.mkdtemp(prefix='cede-qemu-')
    try:
        path, flat = os.path.join(folder, 'a'), os.path.join(folder, 'ram')
        with Qemu(folder, '-kernel', KERNEL, '-initrd', INITRD, '-append', 'console=hvc0' + off, board=board) as q:
            q.shell(200)
            q.command('echo moved >/tmp/mark; touch /tmp/go; { (while [ -e /tmp/go ]; do cat /proc/uptime >/tmp/last; done) & }', 60)
            q.monitor('migrate_set_parameter max-bandwidth 10M')
            q.monitor('migrate_set_parameter downtime-limit 1')
            q.monitor('migrate -d "exec:cat > %s.part && mv %s.part %s"' % (path, path, path))
            time.sleep(15)      # rounds, none of which is the last
            check(not os.path.exists(path), 'it-runs-meanwhile')
            q.monitor('migrate_set_parameter max-bandwidth 4G')
            q.monitor('migrate_set_parameter downtime-limit 2000')
            wait_for(path)
        s = Snapshot(path)
        again = sum(n for n, _ in s.hpt_rounds[1:]), sum(n for _, n in s.hpt_rounds[1:])
        check(len(s.hpt_rounds) > 3 and min(again) > 100, 'several-rounds', (len(s.hpt_rounds), again))
        check(subprocess.run([SNAP, 'verify', path], capture_output=True).returncode == 0, 'cede-snap-reads-it')
        subprocess.run([SNAP, 'extract', path, 'ram', flat], check=True, capture_output=True)
        with open(flat, 'rb') as f:
            check(all(f.read(4096) == s.pages[('ppc_spapr.ram', at)] for at in range(0, 256 << 20, 4096)), 'cede-snap-has-the-last-of-each-page')
        with Machine('-M', board, '-loadvm', path, cpus=CPUS, ram='256M') as m:
            m.send('\n')
            m.expect('# ', 30)
            first = m.command('until a=$(cat /tmp/last) && [ -n "$a" ]; do :; done; echo $a; cat /proc/uptime').split()
            check(float(first[0]) <= float(first[2]) < float(first[0]) + 2, 'the-loop-goes-on', first)
            m.command('rm /tmp/go; wait')
            ask(m, 'cede')
            m.send('poweroff -f\n')
            check(m.wait(60) == 0 and m.errors == '', 'poweroff', m.errors)
    finally:
        shutil.rmtree(folder)


def screen(name='VGA'):
    """A card: what it shows goes along, cede to QEMU and back, and the guest draws on. QEMU sends the card's firmware, too, if it
    can be had."""
    if not QEMU:
        skip('no qemu-system-ppc64')
    need(KERNEL, INITRD)
    rom = '/usr/share/seabios/vgabios-stdvga.bin'
    card = name + ('' if os.path.exists(rom) else ',romfile=')
    show = 'echo 0 >/sys/class/vtconsole/vtcon1/cursor_blink; printf "\\033[2J\\033[H\\033[?25l\\033[3%dmmoved %d\\n" >/dev/tty0'
    folder = tempfile.mkdtemp(prefix='cede-qemu-')
    try:
        path, back, ours, theirs, after, socket_path = (os.path.join(folder, n) for n in ('a', 'b', 'ours', 'theirs', 'after', 'qmp'))
        qmp = '-qmp', 'unix:%s,server=on,wait=off' % socket_path
        with linux('-M', BOARD, '-device', name, *qmp, '-save', path + ',target=qemu', append='fbcon=font:VGA8x16', ram='256M', cpus=CPUS) as m:
            m.shell()
            m.command('echo moved >/tmp/mark; ' + show % (1, 1))
            Monitor(socket_path).run('screendump', filename=ours)
            m.process.send_signal(10)
            wait_for(path)
            m.send('poweroff -f\n')
            m.wait(60)
        with Qemu(folder, '-device', card, '-incoming', 'exec:cat ' + path) as q:
            ask(q, 'qemu')
            q.monitor('screendump %s' % theirs)
            wait_for(theirs)
            q.command(show % (2, 2), 60)
            time.sleep(1)
            q.monitor('screendump %s' % after)
            wait_for(after)
            time.sleep(1)
            q.save(back)
        pictures = []
        for file in ours, theirs, after:
            with open(file, 'rb') as f:
                pictures.append(f.read())
        check(pictures[0] == pictures[1] and len(set(pictures[0][20:])) > 1, 'what-cede-showed', [len(p) for p in pictures])
        check(pictures[1] != pictures[2], 'the-guest-draws-on')
        check(sorted(Snapshot(back).blocks)[-1] == 'ppc_spapr.ram' and len(Snapshot(back).blocks) == (3 if card == 'VGA' else 2), 'blocks', Snapshot(back).blocks)
        with Machine('-M', BOARD, '-device', name, *qmp, '-loadvm', back, cpus=CPUS, ram='256M') as m:
            ask(m, 'back')
            os.unlink(ours)
            Monitor(socket_path).run('screendump', filename=ours)
            with open(ours, 'rb') as f:
                check(f.read() == pictures[2], 'what-QEMU-showed')
            m.command(show % (1, 1))
            os.unlink(ours)
            Monitor(socket_path).run('screendump', filename=ours)
            with open(ours, 'rb') as f:
                check(f.read() == pictures[0], 'and-on')
            own = os.path.join(folder, 'own')
            Monitor(socket_path).run('migrate', uri='file:' + own)
            wait_for(own)
            p = subprocess.run([SNAP, 'convert', own, own + '2', 'target=qemu'], capture_output=True, text=True)
            check(p.returncode == 1 and 'has a screen' in p.stderr and not os.path.exists(own + '2'), 'no-picture-is-lost', p.stderr)
            Monitor(socket_path).run('cont')
            m.send('poweroff -f\n')
            check(m.wait(60) == 0 and m.errors == '', 'poweroff', m.errors)
    finally:
        shutil.rmtree(folder)


def usb():
    """Keyboard, tablet and mouse go along, cede to QEMU and back: in each the guest sees the key that is typed there, and nothing else."""
    if not QEMU:
        skip('no qemu-system-ppc64')
    need(KERNEL, INITRD)
    board = BOARD + ',usb=off'
    devices = '-device', 'qemu-xhci,id=usb', '-device', 'usb-kbd', '-device', 'usb-tablet', '-device', 'usb-mouse'

    def typed(m, name, key, code, send):
        keys = usb_events.read_events(m, m.keyboard, 6, lambda: send(key))
        check([k for k in keys if k[0] == 1] == [(1, code, 1), (1, code, 0)], name + '-key', keys)
        bad = [line for line in m.command('dmesg', 60).splitlines() if re.search(TROUBLE + '|xhci.*(died|not responding|ERROR)|USB disconnect', line)]
        check(not bad, name + '-bus-is-content', bad[:3])

    with Folder() as folder:
        path, back, socket_path = folder('a'), folder('b'), folder('qmp')
        qmp = '-qmp', 'unix:%s,server=on,wait=off' % socket_path

        def by_qmp(key):
            Monitor(socket_path).run('send-key', keys=[{'type': 'qcode', 'data': key}])
        with linux('-M', board, *devices, *qmp, '-save', path + ',target=qemu', ram='256M', cpus=CPUS) as m:
            m.shell()
            m.command('echo moved >/tmp/mark')
            usb_events.wait_for(m, '/sys/class/input/event*', 3)
            m.keyboard = keyboard = usb_events.events_of(m, 'QEMU QEMU USB Keyboard')
            typed(m, 'cede', 'a', 30, by_qmp)
            m.process.send_signal(10)
            wait_for(path)
            m.send('poweroff -f\n')
            m.wait(60)
        with Qemu(folder.path, *devices, '-incoming', 'exec:cat ' + path, board=board) as q:
            ask(q, 'qemu')
            q.keyboard = keyboard
            typed(q, 'qemu', 'b', 48, lambda key: q.monitor('sendkey ' + key))
            q.save(back)
        with Machine('-M', board, *devices, *qmp, '-loadvm', back, '-d', 'guest_errors', cpus=CPUS, ram='256M') as m:
            ask(m, 'back')
            m.keyboard = keyboard
            typed(m, 'back', 'c', 46, by_qmp)
            m.send('poweroff -f\n')
            check(m.wait(60) == 0 and m.errors == '', 'poweroff', m.errors)


def own():
    """QEMU 10 does not go on from its own snapshot of two processors: the second takes no interrupt. Red when it does: then
    nobody need move a guest with processors offline any more, and savevm/README.md says otherwise."""
    if not QEMU or not loses_processors():
        skip('QEMU 7.2, or none (QEMU_ROOT names another)')
    need(KERNEL, INITRD)
    folder = tempfile.mkdtemp(prefix='cede-qemu-')
    try:
        for alone in False, True:
            path = os.path.join(folder, 'a%d' % alone)
            with Qemu(folder, '-kernel', KERNEL, '-initrd', INITRD, '-append', 'console=hvc0') as q:
                q.shell(200)
                q.command('echo moved >/tmp/mark', 60)
                if alone:
                    put(q, True)
                q.save(path)
            with Qemu(folder, '-incoming', 'exec:cat ' + path) as q:
                try:
                    for _ in range(10):         # it is paused, as it was saved, and not before all is loaded
                        time.sleep(1)
                        q.monitor('cont')
                    ask(q, 'qemu', alone)
                    went_on = True
                except Failure:
                    went_on = False
                check(went_on == alone, 'goes-on-alone' if alone else 'does-not-go-on', q.text[-300:])
                if not alone:
                    check('LOCKUP on other CPUs 1' in q.text, 'the-other-is-not-interrupted', q.text[-300:])
    finally:
        shutil.rmtree(folder)


def converted():
    """cede-snap makes a file for QEMU of one that cede wrote for itself."""
    if not QEMU:
        skip('no qemu-system-ppc64')
    alone = CPUS != '1' and loses_processors()
    folder = tempfile.mkdtemp(prefix='cede-qemu-')
    try:
        path, out = os.path.join(folder, 'a'), os.path.join(folder, 'b')
        with linux('-M', BOARD, '-save', path, ram='256M', cpus=CPUS) as m:
            m.shell()
            m.command('echo moved >/tmp/mark')
            if alone:
                put(m, True)
            for _ in range(20):         # until all processors can be interrupted: an idle guest's can
                time.sleep(0.3)
                if os.path.exists(path):
                    os.unlink(path)
                m.process.send_signal(10)
                wait_for(path)
                p = subprocess.run([SNAP, 'convert', path, out, 'target=qemu'], capture_output=True, text=True)
                if not p.returncode:
                    break
            m.send('poweroff -f\n')
            m.wait(60)
        check(p.returncode == 0 and p.stderr == '', 'converted', p.stderr)
        expired(Snapshot(out))
        with Qemu(folder, '-incoming', 'exec:cat ' + out) as q:
            ask(q, 'qemu', alone)
    finally:
        shutil.rmtree(folder)


if __name__ == '__main__':
    main({f.__name__: f for f in (to_qemu, from_qemu, screen, usb, live, converted, own)})
