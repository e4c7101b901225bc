"""gdb, which knows nothing of cede, debugs an unmodified kernel through -gdb: breakpoints, steps, watched data, registers, memory, threads,
a monitor's commands, an interrupt. A machine that has been stopped so comes to the state of one that never was."""
# needs: programs guest
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, '..', 'snapshot')]
from console import INITRD, KERNEL, Folder, Machine, check, linux, main, need, skip       # noqa: E402
from monitor import Client      # noqa: E402

GDB, RAM, CPUS = 'gdb-multiarch', '512M', os.environ.get('CPUS', '1')
FIXED = ('-clock', 'warp', '-rtc', 'base=2026-01-31T12:00:00', '-d', 'statehash')
START = ['set pagination off', 'set confirm off', 'set architecture powerpc:common64', 'set endian little', 'set remotetimeout 120']


def boot(*options, command='true', cpus=CPUS):
    return Machine('-kernel', KERNEL, '-initrd', INITRD, '-append', 'console=hvc0 quiet cede.cmd="%s"' % command, *FIXED, *options, ram=RAM, cpus=cpus)


def symbols(*names):
    """Where the kernel has them, by its own word; behind the entry that is for other modules."""
    with boot(command='cat /proc/kallsyms') as m:
        m.wait(100)
        return [int(re.search(r'^([0-9a-f]{16}) [tT] %s\s*$' % name, m.text, re.M)[1], 16) + 8 for name in names]


def amid(function):
    """Two places in the function that no branch leads to, one after the other: behind two instructions that are none."""
    with open(KERNEL, 'rb') as f:
        elf = f.read()
    at, size, count = (*struct.unpack_from('<Q', elf, 32), *struct.unpack_from('<HH', elf, 54))[0:3]
    for i in range(count):
        kind, _, offset, address, _, length = struct.unpack_from('<IIQQQQ', elf, at + i * size)
        if kind == 1 and address <= function < address + length:
            words = struct.unpack_from('<60I', elf, offset + function - address)
            plain = [word >> 26 not in (16, 17, 18, 19) for word in words]
            k = next(k for k in range(4, 60) if all(plain[k - 2:k + 3]))
            return function + 4 * k, function + 4 * k + 8


def debug(m, at, lines, seconds=200):
    """What gdb says to these lines, with "=== N" before each one; the machine is served meanwhile."""
    with open(at('script'), 'w') as f:
        f.write('\n'.join(START + ['target remote ' + at('gdb')]) + '\n')
        f.writelines('echo === %d\\n\n%s\n' % (i, line) for i, line in enumerate(lines))
    p = subprocess.Popen([GDB, '-q', '-nx', '-batch', '-x', at('script')], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    until = time.monotonic() + seconds
    while p.poll() is None and time.monotonic() < until:
        m.pump(0.1)
    if p.poll() is None:
        p.kill()
    text = p.stdout.read()
    parts = re.split(r'=== \d+\n', text)
    check(len(parts) == len(lines) + 1 and p.returncode == 0, 'gdb-ends', text[-2000:])
    return parts[1:] + [''] * (len(lines) + 1 - len(parts))


def state_of(m):
    return m.wait(300), re.findall('statehash.*', m.errors)


def kernel(*options):
    """From power-on to a shell and off: what each line of a session answers, and the state in the end."""
    if not shutil.which(GDB):
        skip(GDB + ' is missing')
    need(KERNEL, INITRD)
    start_kernel, rest_init, kfree = symbols('start_kernel', 'rest_init', 'kfree')
    inside, behind = amid(kfree)
    with boot(*options) as m:
        plain = state_of(m)
    with Folder() as at, boot('-gdb', 'unix:' + at('gdb'), '-S', *options) as m:
        said = debug(m, at, [
            'hbreak *0x%x' % start_kernel, 'continue', 'p/x $pc', 'p/x $msr & 1', 'x/i $pc', 'stepi', 'stepi', 'p/x $lr',          # 7: a call
            'delete', 'set $slot = $r1 - 0x200', 'watch *(unsigned long *) $slot', 'continue', 'continue',      # 12
            'delete', 'rwatch *(unsigned long *) $slot', 'continue', 'delete',            # 16
            'set $word = *(unsigned int *) %d' % start_kernel, 'set *(unsigned int *) %d = 0x60000000' % start_kernel, 'x/i %d' % start_kernel,  # 19
            'set *(unsigned int *) %d = $word' % start_kernel, 'maintenance packet Qqemu.PhyMemMode:1', 'p/x *(unsigned int *) %d == $word' % (start_kernel & ~(15 << 60)),
            'maintenance packet Qqemu.PhyMemMode:0', 'break *0x%x' % rest_init, 'continue', 'p/x $pc',     # 26
            'hbreak *0x%x' % inside, 'continue', 'p/x $pc', 'continue', 'p/x $pc', 'p 1',      # 32
            'hbreak *0x%x' % behind, 'continue', 'p/x $pc', 'delete',      # 36: code that has run before
            'p $srr1 != 0', 'p $vr0.v4_int32', 'p $f0', 'info threads', 'monitor info status', 'monitor nonsense',   # 42
            'set $old = $r3', 'set $r3 = 0x1234567890', 'p/x $r3', 'set $r3 = $old', 'delete', 'detach'])
        answers = {2: '0x%x' % start_kernel, 3: '0x1', 4: 'mflr', 7: '0x%x' % (start_kernel + 8), 11: 'Hardware watchpoint', 12: 'Old value', 15: 'watchpoint',
                   19: 'nop', 22: '= 0x1', 26: '0x%x' % rest_init, 29: '0x%x' % inside, 31: '0x%x' % inside, 35: '0x%x' % behind, 37: '= 1', 38: '= {', 39: '= ', 40: 'CPU 0: running, on physical thread 0', 41: 'VM status: paused',
                   42: 'unknown command', 45: '0x1234567890'}
        for i, wanted in answers.items():
            check(wanted in said[i], '%d-%s' % (i, wanted), said[i])
        check(len(re.findall(r'^[* ] \d+ +Thread \d+', said[40], re.M)) == int(CPUS), 'threads', said[40])
        again = state_of(m)
    check(plain[0] == 0 and plain == again, 'as-if-nothing-had-been', (plain, again))


class Remote:
    """A program that speaks gdb's protocol over a unix socket."""

    def __init__(self, m, path):
        self.m, self.s, self.left = m, socket.socket(socket.AF_UNIX), b''
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                self.s.connect(path)
                break
            except OSError:
                m.pump(0.1)
        self.s.setblocking(False)

    def say(self, text):
        self.s.sendall(b'$%s#%02x' % (text.encode(), sum(text.encode()) & 255))

    def answer(self, seconds=30):
        """The next packet; '' if none comes."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found = re.search(rb'\$([^#]*)#..', self.left)
            if found:
                self.left = self.left[found.end():]
                try:
                    self.s.sendall(b'+')
                except OSError:
                    pass            # that was its last word
                return found[1].decode()
            try:
                self.left += self.s.recv(65536)
            except BlockingIOError:
                pass
            self.m.pump(0.02)
        return ''

    def ask(self, text):
        self.say(text)
        return self.answer()


def stream():
    """Who comes stops the machine, Ctrl-C does, and whoever goes lets it run; steps of each thread; two hundred steps anywhere leave no trace."""
    need(KERNEL, INITRD)
    work = 'i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done'
    with boot(command=work) as m:
        plain = state_of(m)
    with Folder() as at, boot('-gdb', 'unix:' + at('gdb'), '-monitor', 'unix:%s,server=on,wait=off' % at('hmp'), command=work) as m:
        m.expect('Preparing to boot|Booting Linux', 60)
        g = Remote(m, at('gdb'))
        offered = g.ask('qSupported:swbreak+;hwbreak+')
        check('features:read+' in offered and 'break' not in offered, 'offers-what-it-does', offered)     # stops do not name a breakpoint
        check(g.ask('?').startswith('T05thread:'), 'comes-and-stops')
        for i in range(200):
            stop = g.ask('s')
            if not re.match('T05thread:[1-9a-f]+;$', stop):
                break
        check(i == 199, 'steps', stop)
        threads = g.ask('qfThreadInfo')
        check(threads == 'm' + ','.join('%x' % (i + 1) for i in range(int(CPUS))), 'threads', threads)
        for i in range(3):
            g.say('c')
            m.pump(0.3)
            g.s.sendall(b'\3')
            check(g.answer().startswith('T02thread:'), 'interrupted')
        first = g.ask('p20')
        check(len(first) == 16 and int(first[:2], 16) % 4 == 0 and g.ask('p20') == first, 'pc', first)
        check(g.ask('m%s,4' % 'ffffffffffffff00') == 'E14' and g.ask('nonsense') == '' and g.ask('Z9,0,4') == 'E01' and g.ask('Hg77') == 'E01', 'refused')
        check(g.ask('vCont?') == 'vCont;c;C;s;S' and re.match('T05', g.ask('vCont;s:1;c')), 'vCont')
        check(g.ask('D') == 'OK', 'detached')
        g.s.close()
        m.pump(0.2)
        g = Remote(m, at('gdb'))
        check(g.ask('?').startswith('T05thread:'), 'and-another-one')
        check('its own stream' in bytes.fromhex(g.ask('qRcmd,' + b'gdbserver none'.hex())[1:]).decode() and g.answer() == 'OK', 'not-by-itself')
        hmp = Client(m, at('hmp'))
        hmp.until(r'\(cede\) ')
        check(hmp.hmp('gdbserver none').strip() == 'Disabled gdbserver' and not g.answer(1), 'gdbserver-none')
        check('Error: ' in hmp.hmp('gdbserver unix:%s/none/gdb' % at.path), 'gdbserver-nowhere')
        check('Waiting for gdb' in hmp.hmp('gdbserver unix:' + at('gdb2')), 'gdbserver')
        g = Remote(m, at('gdb2'))
        check(g.ask('?').startswith('T05thread:'), 'and-there')
        g.say('c')
        again = state_of(m)
        check(g.answer(5) == 'W00', 'hears-of-the-end', g.left)
        check(plain[0] == 0 and plain == again, 'as-if-nothing-had-been', (plain, again))


def idle():
    """At the prompt all processors wait. The next instruction is behind the interrupt that ends the wait, and a step goes there."""
    need(KERNEL, INITRD)
    with Folder() as at, linux('-gdb', 'unix:' + at('gdb'), ram=RAM, cpus=CPUS) as m:
        m.shell()
        m.command('sleep 1')
        g = Remote(m, at('gdb'))
        check(g.ask('?').startswith('T05thread:1;'), 'stops-while-all-wait')
        for i in range(10):
            place = [int.from_bytes(bytes.fromhex(g.ask(p)), 'little') for p in ('p20', 'p1')]
            stop = g.ask('s')
            after = [int.from_bytes(bytes.fromhex(g.ask(p)), 'little') for p in ('p20', 'p1')]
            if i == 0:
                check(stop == 'T05thread:1;' and after == [place[0] + 4, place[1]], 'a-step-out-of-a-wait', (stop, place, after))
        check(after[0] >> 60 == 12 and after[0] & 0xfffffff > 0x10000, 'on-in-the-kernel', after)
        check(g.ask('D') == 'OK', 'detached')
        check(m.command('echo still""here').strip() == 'stillhere', 'goes-on')
        m.send('poweroff -f\n')
        check(m.wait(60) == 0 and not m.errors, 'ends', m.errors)


def entry():
    """The first instructions of a kernel: big-endian, 32 bits, no translation."""
    if not shutil.which(GDB):
        skip(GDB + ' is missing')
    need(KERNEL, INITRD)
    with Folder() as at, boot('-gdb', 'unix:' + at('gdb'), '-S') as m:
        said = debug(m, at, ['set endian big', 'p/x $pc', 'x/2i $pc', 'p/x $msr & 0x8000000000000031', 'stepi', 'p/x $pc != 0x400000', 'set $old = $r3',
                             'set $r3 = 0x11223344', 'p/x $r3', 'set $r3 = $old', 'hbreak *($pc + 8)', 'continue', 'delete', 'set endian little', 'detach'])
        for i, wanted in {1: '= 0x400000', 2: 'b ', 3: '= 0x0', 5: '= 0x1', 8: '= 0x11223344', 11: 'Breakpoint 1'}.items():
            check(wanted in said[i], '%d-%s' % (i, wanted), said[i])
        check(state_of(m)[0] == 0, 'ends', m.errors)


def timed():
    """The same with a timing model."""
    kernel('-timing', 'power9')


main({f.__name__: f for f in (kernel, entry, timed, stream, idle)})
