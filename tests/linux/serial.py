"""Serial ports of virtio as Debian's kernel has them: a stream with a name and a terminal, both ways; a save in between; guests
that take them to QEMU and from it."""
# needs: programs guest
import os
import re
import shutil
import socket
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, '..', 'snapshot')]
from console import INITRD, KERNEL, Failure, Folder, Machine, check, linux, main, need, skip        # noqa: E402

RAM = '512M'


def ports(folder):
    """A terminal and two streams, one of them at a number of its own."""
    out = ['-device', 'virtio-serial-pci']
    for name, device in (('con', 'virtconsole'), ('a', 'virtserialport,name=org.cede.a'), ('b', 'virtserialport,name=org.cede.b,nr=7')):
        out += ['-chardev', 'socket,path=%s,server=on,wait=off,id=%s' % (folder(name), name), '-device', '%s,chardev=%s' % (device, name)]
    return out


class Client:
    """The other end of a port; the machine's console is read meanwhile."""

    def __init__(self, m, path):
        self.m, self.got = m, b''
        self.socket = socket.socket(socket.AF_UNIX)
        for _ in range(100):
            try:
                self.socket.connect(path)
                break
            except OSError:
                time.sleep(0.1)
        self.socket.setblocking(False)

    def expect(self, text, seconds=30):
        until = time.monotonic() + seconds
        while text not in self.got:
            if time.monotonic() > until:
                raise Failure('no %r within %d s but %r' % (text, seconds, self.got))
            try:
                self.got += self.socket.recv(65536)
            except BlockingIOError:
                self.m.pump(0.1)
        self.got = self.got.split(text, 1)[1]

    def send(self, data):
        self.socket.sendall(data)

    def close(self):
        self.socket.close()


FIND = 'cd /sys/class/virtio-ports; for p in *; do echo $p $(cat $p/name); done; cd /'


def find(m):
    """Name of each port -> its device."""
    lines = [line.split() for line in m.command(FIND).strip().split('\n')]
    return {w[1]: '/dev/' + w[0] for w in lines if len(w) == 2}


def talk(m, client, device, name, word):
    m.command('echo "%s out" >%s' % (word, device))
    client.expect(b'%s out\n' % word.encode())
    client.send(b'%s in\n' % word.encode())
    check(m.command('head -n 1 ' + device).strip() == word + ' in', name)


def view():
    """Names and numbers; bytes both ways; who is at the other end; a getty's line on the terminal; nobody's buffer is too small."""
    with Folder() as folder:
        with linux(*ports(folder), '-d', 'guest_errors', ram=RAM) as m:
            m.shell()
            device = find(m)
            check(device.get('org.cede.a', '')[-2:] == 'p1' and device.get('org.cede.b', '')[-2:] == 'p7', 'names-and-numbers', device)
            a = Client(m, folder('a'))
            talk(m, a, device['org.cede.a'], 'both-ways', 'first')
            # A large one each way: the guest reads while the host writes, through buffers of a page.
            m.send('seq 1 20000 | md5sum >/tmp/sum; seq 1 20000 >%s; echo "writ""ten"\n' % device['org.cede.a'])
            a.expect(b'\n20000\n')
            m.expect('written', 20)
            m.send('head -n 20000 %s | md5sum | diff - /tmp/sum && echo "same""ness"\n' % device['org.cede.a'])
            data = b''.join(b'%d\n' % i for i in range(1, 20001))
            while data:
                try:
                    data = data[a.socket.send(data[:4096]):]
                except BlockingIOError:
                    m.pump(0.05)
            m.expect('sameness', 60)
            m.expect('# ', 10)
            a.close()
            m.command('for i in 1 2 3 4 5 6 7 8 9; do sleep 0.1; done; timeout 1 cat %s || true' % device['org.cede.a'])
            again = Client(m, folder('a'))
            talk(m, again, device['org.cede.a'], 'the-next-client', 'second')
            con = Client(m, folder('con'))
            m.command('echo "on the terminal" >/dev/hvc1')
            con.expect(b'on the terminal')
            m.send('head -n 1 /dev/hvc1 | tr a-z A-Z\n')
            time.sleep(0.5)
            con.send(b'typed there\n')
            m.expect('TYPED THERE', 20)
            m.send('poweroff -f\n')
            check(m.wait() == 0 and not m.errors, 'silent', m.errors)


def console():
    """Without another terminal it is /dev/hvc0, and the kernel's console."""
    need(KERNEL, INITRD)
    with Machine('-kernel', KERNEL, '-initrd', INITRD, '-append', 'console=hvc0 cede.cmd="echo here is hvc0 >/dev/hvc0"', '-chardev',
                 'stdio,id=c', '-device', 'virtio-serial-pci,max_ports=1', '-device', 'virtconsole,chardev=c', serial='none', ram=RAM) as m:
        m.expect('here is hvc0', 120)
        check(m.wait(60) == 0, 'a-console', m.errors)


def saved():
    """Gone on from a save: the port is open, what was sent and not read yet is there, a new client is heard."""
    with Folder() as folder:
        with linux(*ports(folder), '-save', folder('s'), ram=RAM) as m:
            m.shell()
            device = find(m)
            a = Client(m, folder('a'))
            talk(m, a, device['org.cede.a'], 'before', 'before')
            m.command('exec 5<>%s' % device['org.cede.b'])
            b = Client(m, folder('b'))
            b.send(b'sent before\n')
            m.command('sleep 1')
            m.process.send_signal(10)
            until = time.monotonic() + 30
            while not os.path.exists(folder('s')) and time.monotonic() < until:
                m.pump(0.1)
            talk(m, a, device['org.cede.a'], 'a-save-changes-nothing', 'after')
            m.process.kill()
        with Machine('-loadvm', folder('s'), *ports(folder), ram=RAM) as m:
            m.send('\n')
            m.expect('# ', 30)
            m.at = len(m.text)
            check(m.command('head -n 1 <&5').strip() == 'sent before', 'what-was-sent-before')
            a = Client(m, folder('a'))
            talk(m, a, device['org.cede.a'], 'gone-on', 'loaded')
            m.send('poweroff -f\n')
            check(m.wait() == 0, 'ends', m.errors)


def repeats():
    """Two runs that write to a port come to the same state, and so does one that is saved in the middle and goes on."""
    need(KERNEL, INITRD)
    work = 'console=hvc0 quiet cede.cmd="for i in 1 2 3; do seq 1 3000 >/dev/vport0p1; sleep 1; done"'
    with Folder() as folder:
        def run(name, *options):
            base = ['-clock', 'warp', '-rtc', 'base=2026-01-01', '-d', 'statehash', '-chardev', 'file,id=c,path=' + folder(name), '-device',
                    'virtio-serial-pci', '-device', 'virtserialport,chardev=c']
            with Machine(*base, *options, ram=RAM) as m:
                status = m.wait(200)
            with open(folder(name)) as f:
                return status, re.findall('statehash.*', m.errors), f.read()
        boot = ['-kernel', KERNEL, '-initrd', INITRD, '-append', work]
        status, state, text = run('a', *boot, '-save', folder('s') + '@1500000000')
        once = ''.join('%d\n' % i for i in range(1, 3001))
        check(status == 0 and state and text == 3 * once, 'all-of-it', (status, state, len(text)))
        check(run('b', *boot) == (status, state, text), 'again')
        status, loaded, rest = run('c', '-loadvm', folder('s'))
        check(loaded == state and rest and text.endswith(rest), 'from-the-middle', (state, loaded, len(rest)))


def moved():
    """cede's guest goes on in QEMU, and QEMU's in cede."""
    from qemu import BOARD, QEMU, Qemu, ask, save_cede, wait_for
    if not QEMU:
        skip('no qemu-system-ppc64')
    need(KERNEL, INITRD)
    at = Folder().__enter__()
    try:
        path, back = at('s'), at('t')
        save_cede(path, *ports(at))
        for name in ('con', 'a', 'b'):
            if os.path.exists(at(name)):
                os.unlink(at(name))
        with Qemu(at.path, '-incoming', 'exec:cat ' + path, *ports(at)) as q:
            ask(q, 'qemu')
            device = find(q)
            talk(q, Client(q, at('a')), device['org.cede.a'], 'in-qemu', 'qemu')
            deaf = Client(q, at('b'))           # reads nothing: QEMU throttles the port, in the middle of an element
            q.command('{ seq 1 40000 >%s & }' % device['org.cede.b'])
            q.command('sleep 1')
            q.monitor('stop')
            q.monitor('migrate_set_parameter max-bandwidth 4G')
            q.monitor('migrate "exec:cat > %s.part && mv %s.part %s"' % (back, back, back))
            wait_for(back)
            deaf.close()
        for name in ('con', 'a', 'b'):
            if os.path.exists(at(name)):
                os.unlink(at(name))
        with Machine('-M', BOARD, '-loadvm', back, *ports(at), '-d', 'guest_errors', ram='256M') as m:
            b = Client(m, at('b'))
            b.expect(b'\n40000\n', 60)
            ask(m, 'back')
            talk(m, b, device['org.cede.b'], 'in-cede-again', 'cede')
            m.send('poweroff -f\n')
            check(m.wait(60) == 0 and m.errors == '', 'poweroff', m.errors)
    finally:
        shutil.rmtree(at.path)


if __name__ == '__main__':
    main({'view': view, 'console': console, 'saved': saved, 'repeats': repeats, 'moved': moved})
