"""A network card of virtio as Debian's kernel has it, behind -netdev user: a lease, files both ways, ports that lead in, what nobody
reaches; what a guest may leave to the card; no traffic, the same states; a save in between; guests that move to QEMU and from it. Two machines
joined by sockets, and by a hub; both saved with a connection between them."""
# needs: programs guest
import hashlib
import http.server
import os
import random
import re
import socket
import struct
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, '..', 'snapshot')]
import grub_disk     # noqa: E402
from console import CEDE, GUEST, INITRD, KERNEL, Failure, Folder, Machine, check, linux, main, need, skip        # noqa: E402

RAM, CPUS = '512M', os.environ.get('CPUS', '1')
LEASE = 'udhcpc -i eth0 -n -q -t 5 -T 1 2>&1'
DATA = random.Random(1).randbytes(3000000).replace(b"\0", b"0")     # wget posts what is before a NUL


def need_libslirp():
    p = subprocess.run([CEDE, '-nodefaults', '-bios', '/dev/null', '-nic', 'user'], capture_output=True, text=True)
    if 'without libslirp' in p.stderr:
        skip('this cede was built without libslirp')


class Server(http.server.ThreadingHTTPServer):
    """Of the host's loopback: gives DATA, and keeps what is posted."""
    daemon_threads = True

    def __init__(self, host='127.0.0.1'):
        outer = self
        self.address_family = socket.AF_INET6 if ':' in host else socket.AF_INET

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header('Content-Length', str(len(DATA)))
                self.end_headers()
                self.wfile.write(DATA)

            def do_POST(self):
                outer.posted = hashlib.md5(self.rfile.read(int(self.headers['Content-Length']))).hexdigest()
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args):
                pass
        super().__init__((host, 0), Handler)
        self.posted = None
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def md5(data):
    return hashlib.md5(data).hexdigest()


def ask_port(m, port, data=b'', seconds=30):
    """What a port of the host's says until it closes."""
    until, got = time.monotonic() + seconds, b''
    while time.monotonic() < until:
        s = socket.socket()
        try:
            s.connect(('127.0.0.1', port))
            s.setblocking(False)
            s.sendall(data)
            got = b''
            while time.monotonic() < until:
                try:
                    part = s.recv(65536)
                except BlockingIOError:
                    m.pump(0.02)
                    continue
                if not part:
                    break
                got += part
            if got:
                return got
        except OSError:
            pass
        finally:
            s.close()
        m.pump(0.2)
    return got


def counters(m):
    """Packets, errors, dropped that came; the same that went."""
    words = next(line for line in m.command('cat /proc/net/dev').splitlines() if 'eth0' in line).replace(':', ' ').split()
    return [int(w) for w in words[2:5] + words[10:13]]


def user():
    """DHCP, files both ways with their checksums, large segments, a port that leads in, ping."""
    need_libslirp()
    web, port = Server(), free_port()
    with linux('-nic', 'user,hostname=guest7,hostfwd=tcp::%d-:7' % port, '-d', 'guest_errors', ram=RAM, cpus=CPUS) as m:
        m.shell()
        text = m.command(LEASE)
        check('lease of 10.0.2.15 obtained from 10.0.2.2' in text, 'lease', text)
        check(m.command('cat /sys/class/net/eth0/address /sys/class/net/eth0/carrier').split() == ['52:54:00:12:34:56', '1'], 'address-and-link')
        text = m.command('cat /etc/resolv.conf; ping -c 2 10.0.2.2')
        check('nameserver 10.0.2.3' in text and ' 0% packet loss' in text, 'ping', text)
        url = 'http://10.0.2.2:%d/' % web.port
        text = m.command('wget -q -O - %s | md5sum' % url, 120)
        check(text.split()[0] == md5(DATA), 'a-file-in', text)
        m.command('wget -q -O /tmp/data %s; wget -q -O /dev/null --post-file /tmp/data %s' % (url, url), 120)
        check(web.posted == md5(DATA), 'the-file-out', web.posted)
        m.command('nc -l -p 7 -e /bin/cat /tmp/data >/dev/null 2>&1 & sleep 1')
        got = ask_port(m, port)
        check(md5(got) == md5(DATA), 'through-a-port', len(got))
        n = counters(m)
        check(n[0] > 100 and n[3] > 100 and n[1:3] == [0, 0] and n[4:] == [0, 0], 'no-errors', n)
        # Segments of 64 KiB are cut here: fewer leave the driver than frames of 1500 bytes hold.
        check(n[3] < 2 * len(DATA) // 1460, 'large-segments', n)
        text = m.command('lease=$(cat /proc/interrupts | grep -c virtio0); echo $lease')
        check(int(text) >= 3, 'messages', text)
        m.send('poweroff -f\n')
        check(m.wait() == 0 and not m.errors, 'silent', m.errors)


def plain():
    """Without what it could leave to the card, over the interface of virtio 0.9, with small rings of buffers."""
    need_libslirp()
    web = Server()
    for option in ',csum=off,guest_csum=off', ',mrg_rxbuf=off', ',disable-modern=on', ',disable-legacy=on,ctrl_vq=off', ',vectors=0':
        with linux('-netdev', 'user,id=n', '-device', 'virtio-net-pci,netdev=n' + option, '-d', 'guest_errors', ram=RAM) as m:
            m.shell()
            m.command(LEASE)
            url = 'http://10.0.2.2:%d/' % web.port
            web.posted = None
            text = m.command('wget -q -O /tmp/data %s; md5sum /tmp/data; wget -q -O /dev/null --post-file /tmp/data %s' % (url, url), 120)
            check(text.split()[0] == md5(DATA) and web.posted == md5(DATA), 'both-ways' + option, text)
            m.send('poweroff -f\n')
            check(m.wait() == 0 and not m.errors, 'silent' + option, m.errors)


def listens():
    """What listens on this computer does so on 127.0.0.1, unless an address was asked for; a network of other addresses; nothing is
    reached from a restricted one but what leads in."""
    need_libslirp()
    tcp, udp, every, web = free_port(), free_port(socket.SOCK_DGRAM), free_port(), Server()
    rules = 'hostfwd=tcp::%d-:7,hostfwd=udp::%d-:7,hostfwd=tcp:0.0.0.0:%d-:7' % (tcp, udp, every)
    with linux('-nic', 'user,restrict=on,net=192.168.76.0/24,guestfwd=tcp:192.168.76.9:25-cmd:echo hello,' + rules, ram=RAM) as m:
        m.shell()
        with open('/proc/%d/net/tcp' % m.process.pid) as f, open('/proc/%d/net/udp' % m.process.pid) as g:
            at = {int(line.split()[1].split(':')[1], 16): line.split()[1].split(':')[0] for line in list(f)[1:] + list(g)[1:] if line.split()[3] != '01'}
        check(at.get(tcp) == '0100007F' and at.get(udp) == '0100007F', 'loopback', (at.get(tcp), at.get(udp)))
        check(at.get(every) == '00000000', 'asked-for', at.get(every))
        text = m.command(LEASE)
        check('lease of 192.168.76.15 obtained from 192.168.76.2' in text, 'another-network', text)
        text = m.command('wget -q -O - http://192.168.76.2:%d/ 2>&1 | head -c 20; echo' % web.port)
        check(md5(DATA) not in text and len(text) < 200 and 'wget' in text, 'restricted', text)
        check(m.command('nc 192.168.76.9 25 </dev/null').strip() == 'hello', 'guestfwd')
        m.command('(while :; do echo through | nc -l -p 7; done) >/dev/null 2>&1 & sleep 1')
        check(ask_port(m, tcp).strip() == b'through', 'leads-in')
        m.send('poweroff -f\n')
        check(m.wait() == 0 and not m.errors, 'silent', m.errors)


def dump():
    """What passes is in a file as programs read it: whole frames, or their beginnings, in order of the guest's time."""
    need_libslirp()
    with Folder() as at:
        filters = '-object', 'filter-dump,id=d,netdev=n0,file=' + at('d'), '-object', 'filter-dump,id=e,netdev=n1,maxlen=14,file=' + at('e')
        with linux('-nic', 'user,id=n0', '-nic', 'user,id=n1', *filters, '-rtc', 'base=2026-01-31', ram=RAM) as m:
            m.shell()
            m.command(LEASE + '; ' + LEASE.replace('eth0', 'eth1') + '; ping -c 2 10.0.2.2')
            m.send('poweroff -f\n')
            check(m.wait() == 0 and not m.errors, 'silent', m.errors)
        for name, most in ('d', 65536), ('e', 14):
            with open(at(name), 'rb') as f:
                data = f.read()
            check(struct.unpack('<IHHIIII', data[:24]) == (0xa1b2c3d4, 2, 4, 0, 0, most, 1), 'head-' + name, data[:24])
            frames, where = [], 24
            while where < len(data):
                s, us, kept, whole = struct.unpack('<IIII', data[where:where + 16])
                frames.append((s + us / 1e6, whole, data[where + 16:where + 16 + kept]))
                where += 16 + kept
            check(where == len(data) and len(frames) > 4 and all(len(f) == min(whole, most) for _, whole, f in frames), 'frames-' + name, len(frames))
            times = [t for t, _, _ in frames]
            check(times == sorted(times) and 0 <= times[0] - 1769817600 < 60, 'times-' + name, times[:3])
            card = b'\x52\x54\0\x12\x34' + (b'\x56' if name == 'd' else b'\x57')
            check(any(f[6:12] == card for _, _, f in frames) and any(f[6:12] != card for _, _, f in frames), 'both-ways-' + name)


def monitor():
    """What a monitor shows of it; ports that are led in and not any more; a cable that is pulled."""
    from monitor import Client
    need_libslirp()
    port, other = free_port(), free_port()
    with Folder() as at:
        with linux('-nic', 'user,id=n0', '-netdev', 'user,id=spare,net=10.1.1.0/24', '-monitor', 'unix:%s,server=on,wait=off' % at('m'), '-qmp',
                   'unix:%s,server=on,wait=off' % at('q'), ram=RAM) as m:
            m.shell()
            m.command(LEASE)
            hmp, qmp = Client(m, at('m')), Client(m, at('q'))
            hmp.until(r'\(cede\) ')
            qmp.until('\r\n')
            qmp.qmp('{"execute": "qmp_capabilities"}')
            text = hmp.hmp('info network')
            check('virtio-net-pci.0: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:12:34:56' in text and
                  ' \\ n0: index=0,type=user,net=10.0.2.0,restrict=off' in text and 'spare: index=0,type=user,net=10.1.1.0' in text, 'info-network', text)
            text = hmp.hmp('hostfwd_add tcp::%d-:7' % port) + hmp.hmp('hostfwd_add n0 tcp::%d-:8' % other) + hmp.hmp('info usernet')
            check('Hub -1 (n0):' in text and re.search(r'TCP\[HOST_FORWARD\] .* 127\.0\.0\.1 +%d +10\.0\.2\.15 +7\b' % port, text), 'info-usernet', text)
            m.command('(echo through | nc -l -p 7) >/dev/null 2>&1 & sleep 1')
            check(ask_port(m, port).strip() == b'through', 'hostfwd_add')
            text = hmp.hmp('hostfwd_remove tcp::%d' % port)
            check('removed' in text, 'hostfwd_remove', text)
            try:
                socket.create_connection(('127.0.0.1', port), 2).close()
                check(False, 'nobody-listens')
            except OSError:
                check(True, 'nobody-listens')
            for line, word in (('hostfwd_remove tcp::%d' % port, 'not found'), ('hostfwd_add nobody tcp::1-:2', 'unrecognized netdev id'),
                               ('hostfwd_add tcp:1-2', 'Missing : separator'), ('hostfwd_remove x', 'No : separators'), ('set_link nobody off', "'nobody' not found"),
                               ('set_link n0 perhaps', 'on|off'), ('set_link n0', 'on|off')):
                text = hmp.hmp(line)
                check('Error: ' in text and word in text, 'refused: ' + line.replace(str(port), 'PORT'), text)
            hmp.hmp('set_link virtio-net-pci.0 off')
            m.command('for i in 1 2 3 4 5 6 7 8 9; do [ $(cat /sys/class/net/eth0/carrier) = 0 ] && break; sleep 1; done')
            check(m.command('cat /sys/class/net/eth0/carrier').strip() == '0' and 'link=off' in hmp.hmp('info network'), 'pulled')
            text = m.command('ping -c 1 -W 2 10.0.2.2; true')
            check('100% packet loss' in text or 'unreachable' in text, 'nothing-passes', text)
            answer = qmp.qmp('{"execute": "set_link", "arguments": {"name": "n0", "up": true}}')[0]
            check(answer.get('return') == {}, 'qmp-set_link', answer)
            answer = qmp.qmp('{"execute": "set_link", "arguments": {"name": "nobody", "up": true}}')[0]
            check(answer.get('error', {}).get('class') == 'DeviceNotFound', 'qmp-set_link-of-nothing', answer)
            m.command('for i in 1 2 3 4 5 6 7 8 9; do [ $(cat /sys/class/net/eth0/carrier) = 1 ] && break; sleep 1; done')
            check(' 0% packet loss' in m.command('ping -c 1 10.0.2.2; true'), 'back')
            m.send('poweroff -f\n')
            check(m.wait() == 0, 'ends', m.errors)


def repeats():
    """Nothing comes in: two runs with a card come to the same state, and so does one that is saved in the middle and goes on."""
    need_libslirp()
    need(KERNEL, INITRD)
    work = 'console=hvc0 quiet cede.cmd="cat /sys/class/net/eth0/address; for i in 1 2 3; do seq 1 3000 | md5sum; sleep 1; done"'
    with Folder() as folder:
        def run(*options):
            with Machine('-clock', 'warp', '-rtc', 'base=2026-01-01', '-d', 'statehash', '-nic', 'user', *options, ram=RAM, cpus=CPUS) as m:
                status = m.wait(200)
            return status, re.findall('statehash.*', m.errors), m.text
        boot = ['-kernel', KERNEL, '-initrd', INITRD, '-append', work]
        status, state, text = run(*boot, '-save', folder('s') + '@1500000000')
        check(status == 0 and state and '52:54:00:12:34:56' in text, 'a-card', (status, state, text[-300:]))
        check(run(*boot)[:2] == (status, state), 'again')
        status, loaded, _ = run('-loadvm', folder('s'))
        check(loaded == state, 'from-the-middle', (state, loaded))


def saved():
    """Gone on from a save, the card works: addresses and filter are there, new connections come and go."""
    need_libslirp()
    web, port = Server(), free_port()
    nic = '-nic', 'user,hostfwd=tcp::%d-10.0.2.16:7' % port     # the second lease
    fetch = 'wget -q -O - http://10.0.2.2:%d/ | md5sum' % web.port
    with Folder() as folder:
        with linux(*nic, '-save', folder('s'), ram=RAM) as m:
            m.shell()
            m.command(LEASE)
            m.command('ip link set eth0 down; ip link set eth0 address 52:54:00:aa:bb:cc; ip link set eth0 up; ' + LEASE)
            check(m.command(fetch, 120).split()[0] == md5(DATA), 'before')
            m.process.send_signal(10)
            until = time.monotonic() + 30
            while not os.path.exists(folder('s')) and time.monotonic() < until:
                m.pump(0.1)
            check(m.command(fetch, 120).split()[0] == md5(DATA), 'a-save-changes-nothing')
            m.process.kill()
        with Machine('-loadvm', folder('s'), *nic, ram=RAM) as m:
            m.send('\n')
            m.expect('# ', 30)
            m.at = len(m.text)
            text = m.command('cat /sys/class/net/eth0/address; ip addr show eth0')
            check('52:54:00:aa:bb:cc' in text and '10.0.2.16' in text, 'what-it-had', text)
            check(m.command(fetch, 120).split()[0] == md5(DATA), 'gone-on')
            m.command('(echo in | nc -l -p 7) >/dev/null 2>&1 & sleep 1')
            check(ask_port(m, port).strip() == b'in', 'a-port-that-leads-in')
            m.send('poweroff -f\n')
            check(m.wait() == 0, 'ends', m.errors)


def queues():
    """A card with four pairs of queues, each of which four processors use; saved and loaded, it goes on."""
    need_libslirp()
    web = Server()
    nic = '-netdev', 'user,id=n,queues=4', '-device', 'virtio-net-pci,netdev=n,mq=on', '-d', 'guest_errors'
    fetch = 'for i in 1 2 3 4 5 6 7 8; do (wget -q -O - http://10.0.2.2:%d/ | md5sum >/tmp/$i) & done; wait; cat /tmp/? | sort | uniq -c' % web.port
    inputs = "grep 'virtio0-input' /proc/interrupts"

    def all_come(m, name):
        got = m.command(fetch, 120).replace('\r', '')
        check(got.split()[-3:-1] == ['8', md5(DATA)], name, got)

    with Folder() as folder:
        with linux(*nic, '-save', folder('s'), ram=RAM, cpus='4') as m:
            m.shell()
            m.command(LEASE)
            check(m.command('ls /sys/class/net/eth0/queues').split() == [w + '-%d' % i for w in ('rx', 'tx') for i in range(4)], 'four-pairs')
            all_come(m, 'eight-streams')
            rows = [sum(map(int, line.split()[1:5])) for line in m.command(inputs).strip().splitlines() if 'input' in line]
            check(len(rows) == 4 and min(rows) > 5, 'by-each-pair', rows)
            m.process.send_signal(10)
            until = time.monotonic() + 30
            while not os.path.exists(folder('s')) and time.monotonic() < until:
                m.pump(0.1)
            m.process.kill()
        with Machine('-loadvm', folder('s'), *nic, ram=RAM, cpus='4') as m:
            m.send('\n')
            m.expect('# ', 30)
            m.at = len(m.text)
            all_come(m, 'and-after-a-load')
            m.send('poweroff -f\n')
            check(m.wait() == 0 and not m.errors, 'silent', m.errors)
        with Machine('-loadvm', folder('s'), *[w.replace('queues=4', 'queues=2') for w in nic], ram=RAM, cpus='4') as m:
            check(m.wait() == 1 and m.errors.count('\n') == 1, 'not-with-fewer', m.errors)


def vlan():
    """spapr-vlan by Linux's ibmveth: the same as virtio has, another address, a save in between, a state that repeats."""
    need_libslirp()
    web, port = Server(), free_port()
    nic = '-nic', 'user,model=spapr-vlan,hostfwd=tcp::%d-:7' % port
    url = 'http://10.0.2.2:%d/' % web.port
    with Folder() as at:
        with linux(*nic, '-d', 'guest_errors', '-save', at('s'), ram=RAM, cpus=CPUS) as m:
            m.shell()
            text = m.command(LEASE)
            check('lease of 10.0.2.15 obtained from 10.0.2.2' in text, 'lease', text)
            text = m.command('cat /sys/class/net/eth0/address /proc/device-tree/vdevice/l-lan@71000002/compatible; ping -c 1 10.0.2.2')
            check('52:54:00:12:34:56' in text and 'IBM,l-lan' in text and ' 0% packet loss' in text, 'ping', text)
            text = m.command('wget -q -O /tmp/data %s; md5sum /tmp/data; wget -q -O /dev/null --post-file /tmp/data %s' % (url, url), 120)
            check(text.split()[0] == md5(DATA) and web.posted == md5(DATA), 'both-ways', text)
            m.command('(nc -l -p 7 -e /bin/cat /tmp/data) >/dev/null 2>&1 & sleep 1')
            got = ask_port(m, port)
            check(md5(got) == md5(DATA), 'through-a-port', len(got))
            n = counters(m)
            check(n[0] > 1000 and n[3] > 1000 and n[1] == n[4] == 0, 'no-errors', n)
            m.command('ip link set eth0 down; ip link set eth0 address 52:54:00:aa:bb:cc; ip link set eth0 up; ' + LEASE)
            m.process.send_signal(10)
            until = time.monotonic() + 30
            while not os.path.exists(at('s')) and time.monotonic() < until:
                m.pump(0.1)
            text = m.command('wget -q -O - %s | md5sum' % url, 120)
            check(text.split()[0] == md5(DATA), 'a-save-changes-nothing', text)
            m.send('poweroff -f\n')
            check(m.wait() == 0 and not m.errors, 'silent', m.errors)
        with Machine('-loadvm', at('s'), *nic, ram=RAM, cpus=CPUS) as m:
            m.send('\n')
            m.expect('# ', 30)
            m.at = len(m.text)
            text = m.command('cat /sys/class/net/eth0/address; wget -q -O - %s | md5sum' % url, 120)
            check(text.split()[:2] == ['52:54:00:aa:bb:cc', md5(DATA)], 'gone-on', text)
            m.send('poweroff -f\n')
            check(m.wait() == 0, 'ends', m.errors)


def boot():
    """Without -kernel: DHCP and TFTP bring one, over either card, behind a disk that has none or before one with GRUB; a reboot asks again."""
    modules = GUEST + '/grub/powerpc-ieee1275'
    need_libslirp()
    need(KERNEL, INITRD, modules)
    with Folder() as at:
        os.mkdir(at('tftp'))
        os.symlink(os.path.abspath(KERNEL), at('tftp/kernel'))
        with open(at('none'), 'wb') as f:
            f.write(bytes(1 << 20))
        nic = 'user,tftp=%s,bootfile=kernel' % at('tftp')
        grub = grub_disk.make(at.path, modules, KERNEL, INITRD)
        for way in ('-nic', nic + ',model=spapr-vlan'), ('-nic', nic, '-drive', 'if=virtio,format=raw,file=' + at('none')), \
                ('-nic', nic, '-boot', 'n', '-drive', 'if=virtio,format=raw,file=' + grub), \
                ('-netdev', nic + ',id=n', '-device', 'virtio-net-pci,netdev=n,bootindex=1', '-device', 'virtio-blk-pci,drive=d,bootindex=2',
                 '-drive', 'if=none,id=d,format=raw,file=' + grub):
            name = '-'.join(w for w in way if w in ('-drive', '-boot', '-netdev')) or '-vlan'
            with Machine(*way, '-append', 'console=hvc0 quiet panic=1', '-action', 'panic=none', '-d', 'guest_errors', ram=RAM) as m:
                m.expect('Booting Linux', 60)
                m.expect('Unable to mount root', 60)
                if name == '-vlan':
                    m.expect('Booting Linux', 60)
                check('GRUB' not in m.text and 'network' not in m.errors and 'netdev' not in m.errors, 'boots' + name, m.errors)
        for way, text in (nic.replace('kernel', 'nothing'), 'File not found'), ('user', 'names no file'):
            p = subprocess.run([CEDE, '-nodefaults', '-nic', way], capture_output=True, text=True, timeout=60)
            check(p.returncode == 1 and len(p.stderr.splitlines()) == 1 and text in p.stderr, text, p.stderr)


def moved_vlan():
    """cede's guest goes on in QEMU with its spapr-vlan, and comes back: also with a frame's worth of buffers used in each."""
    from qemu import BOARD, QEMU, Qemu, ask, save_cede
    if not QEMU:
        skip('no qemu-system-ppc64')
    need_libslirp()
    need(KERNEL, INITRD)
    web = Server()
    card = '-netdev', 'user,id=n', '-device', 'spapr-vlan,netdev=n'
    fetch = 'wget -q -O - http://10.0.2.2:%d/ | md5sum' % web.port
    with Folder() as at:
        with linux('-M', BOARD, '-save', at('s') + ',target=qemu', *card, ram='256M') as m:
            m.shell()
            m.command('echo moved >/tmp/mark; ' + LEASE)
            check(m.command(fetch, 120).split()[0] == md5(DATA), 'in-cede')
            m.process.send_signal(10)
            until = time.monotonic() + 30
            while not os.path.exists(at('s')) and time.monotonic() < until:
                m.pump(0.1)
        with Qemu(at.path, '-incoming', 'exec:cat ' + at('s'), *card) as q:
            ask(q, 'qemu')
            # QEMU's network has not heard of the guest yet.
            text = q.command('ping -c 1 10.0.2.2 >/dev/null; ' + fetch, 120)
            check(text.split()[0] == md5(DATA), 'in-qemu', text)
            q.save(at('t'))
        with Machine('-M', BOARD, '-loadvm', at('t'), *card, '-d', 'guest_errors', ram='256M') as m:
            ask(m, 'back')
            text = m.command(fetch, 120)
            check(text.split()[0] == md5(DATA), 'in-cede-again', text)
            m.send('poweroff -f\n')
            check(m.wait(60) == 0 and m.errors == '', 'poweroff', m.errors)


def moved():
    """cede's guest goes on in QEMU with its card, and comes back."""
    from qemu import BOARD, QEMU, Qemu, ask, save_cede
    if not QEMU:
        skip('no qemu-system-ppc64')
    need_libslirp()
    need(KERNEL, INITRD)
    web = Server()
    card = '-netdev', 'user,id=n', '-device', 'virtio-net-pci,netdev=n,romfile=,csum=off,guest_csum=off'
    fetch = '(' + LEASE + ') >/dev/null; wget -q -O - http://10.0.2.2:%d/ | md5sum' % web.port
    with Folder() as at:
        save_cede(at('s'), *card)
        with Qemu(at.path, '-incoming', 'exec:cat ' + at('s'), *card) as q:
            ask(q, 'qemu')
            text = q.command(fetch, 120)
            check(text.split()[0] == md5(DATA), 'in-qemu', text)
            q.save(at('t'))
        dump = '-object', 'filter-dump,id=d,netdev=n,file=' + at('d')
        with Machine('-M', BOARD, '-loadvm', at('t'), *card, *dump, '-d', 'guest_errors', ram='256M') as m:
            ask(m, 'back')
            text = m.command('wget -q -O - http://10.0.2.2:%d/ | md5sum' % web.port, 120)
            check(text.split()[0] == md5(DATA), 'in-cede-again', text)
            check(tells(frames_of(at('d')), b'\x52\x54\0\x12\x34\x56', '10.0.2.15') == (True, True), 'and-says-where-it-is')
            m.send('poweroff -f\n')
            check(m.wait(60) == 0 and m.errors == '', 'poweroff', m.errors)
        with linux(*card[:2], '-device', 'virtio-net-pci,netdev=n', '-save', at('u') + ',target=qemu', ram='256M') as m:
            m.shell()
            m.process.send_signal(10)
            m.pump(3)
            check('csum=off' in m.errors and not os.path.exists(at('u')), 'with-checksums-it-stays', m.errors)


def counted(m, protocol, name):
    """A number of /proc/net/snmp."""
    rows = [line.split() for line in m.command('cat /proc/net/snmp').splitlines() if line.startswith(protocol + ':')]
    return int(rows[1][rows[0].index(name)])


def services():
    """TFTP, which leaves its folder for nobody; datagrams through a port; IPv6: an address, ping, files both ways."""
    need_libslirp()
    port = free_port(socket.SOCK_DGRAM)
    with Folder() as at:
        os.mkdir(at('tftp'))
        with open(at('tftp/data'), 'wb') as f:
            f.write(DATA[:300000])
        with open(at('secret'), 'wb') as f:
            f.write(b'secret')
        with linux('-nic', 'user,tftp=%s,hostfwd=udp::%d-:7777' % (at('tftp'), port), '-d', 'guest_errors', ram=RAM) as m:
            m.shell()
            m.command(LEASE)
            text = m.command('tftp -g -r data -l /tmp/data 10.0.2.2; tftp -b 1468 -g -r data -l /tmp/more 10.0.2.2; md5sum /tmp/data /tmp/more', 120)
            check(text.split()[0::2] == [md5(DATA[:300000])] * 2, 'tftp', text)
            text = m.command('tftp -g -r nothing -l /tmp/n 10.0.2.2 2>&1; ls /tmp/n 2>&1; true')
            check('File not found' in text, 'tftp-of-nothing', text)
            text = m.command('timeout 4 tftp -g -r ../secret -l /tmp/s 10.0.2.2 2>&1; cat /tmp/s 2>&1; true')
            check('secret' not in text.replace('../secret', '') and 'a name that leaves the folder' in m.errors, 'tftp-out-of-its-folder', text + m.errors)
            before = counted(m, 'Udp', 'NoPorts')
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                for i in range(5):
                    s.sendto(b'datagram %d' % i, ('127.0.0.1', port))
                    m.pump(0.1)
            check(counted(m, 'Udp', 'NoPorts') == before + 5, 'datagrams-through-a-port')
            try:
                web = Server('::1')
            except OSError:
                print('skip: this computer has no IPv6')
                web = None
            text = m.command('for i in 1 2 3 4 5 6 7 8 9; do ip -6 addr show dev eth0 | grep -q "fec0:.*global" && break; sleep 1; done; ip -6 addr show dev eth0; '
                             'ping6 -c 2 fec0::2')
            check('fec0::5054:ff:fe12:3456/64' in text and ' 0% packet loss' in text, 'ipv6', text)
            if web:
                url = 'http://[fec0::2]:%d/' % web.port
                text = m.command('wget -q -O /tmp/six %s; md5sum /tmp/six; wget -q -O /dev/null --post-file /tmp/six %s' % (url, url), 120)
                check(text.split()[0] == md5(DATA) and web.posted == md5(DATA), 'ipv6-both-ways', text)
                n = counters(m)
                check(n[3] < 2 * len(DATA) // 1440, 'ipv6-large-segments', n)
            m.send('poweroff -f\n')
            check(m.wait() == 0, 'ends', m.errors)


def two(*options, after=None, **kw):
    """Two machines on wires; options have a text for each of the two. The second one starts once there is the file `after`."""
    def one(i):
        return linux(*[o[i] if isinstance(o, tuple) else o for o in options], ram='256M', **kw)
    first, until = one(0), time.monotonic() + 30
    while after and not os.path.exists(after) and time.monotonic() < until:
        first.pump(0.05)
    return first, one(1)


def set_up(m, number, cards):
    m.shell()
    m.command('; '.join('ip link set eth%d up; ip addr add 10.9.%d.%d/24 dev eth%d' % (i, i, number, i) for i in range(cards)))


class Pumped:
    """The output of other machines is taken while one is waited for."""
    def __init__(self, m):
        self.m, self.on = m, True
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while self.on:
            self.m.pump(0.05)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *exc):
        self.on = False
        self.thread.join()


def wires():
    """Two machines by a connection of TCP, one of a Unix socket, datagrams, and a group; a disk's bytes over each."""
    data = DATA[:400000]
    tcp, here, there, group = free_port(), free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_DGRAM)
    with Folder() as at:
        with open(at('disk'), 'wb') as f:
            f.write(data)
        with open(at('none'), 'wb') as f:
            f.write(bytes(1 << 20))
        ends = 'local.type=inet,local.host=127.0.0.1,local.port=%d,remote.type=inet,remote.host=127.0.0.1,remote.port=%d'
        nets = (('socket,listen=127.0.0.1:%d' % tcp, 'socket,connect=127.0.0.1:%d' % tcp),
                ('stream,server=on,addr.type=unix,addr.path=' + at('s'), 'stream,reconnect=1,addr.type=unix,addr.path=' + at('s')),
                ('dgram,' + ends % (here, there), 'dgram,' + ends % (there, here)),
                ('socket,localaddr=127.0.0.1,mcast=230.3.4.5:%d' % group,) * 2)
        options = []
        for net in nets:
            options += ['-nic', tuple('%s,mac=52:54:00:00:00:%02x' % (n, 16 * (1 + i) + len(options)) for i, n in enumerate(net))]
        drive = '-drive', ('if=virtio,format=raw,file=' + at('disk'), 'if=virtio,format=raw,file=' + at('none'))
        first, second = two(*options, *drive, '-d', 'guest_errors', after=at('s'))
        with first as a, second as b:
            set_up(a, 1, 4)
            set_up(b, 2, 4)
            a.command('(while :; do nc -l -p 9 -e /bin/cat /dev/vda; done) >/dev/null 2>&1 & true')
            for i, name in enumerate(('tcp', 'unix', 'datagrams', 'group')):
                with Pumped(a):
                    text = b.command('ping -c 1 10.9.%d.1; true' % i)
                    check(' 0% packet loss' in text, 'ping-' + name, text)
                    size = (len(data) + 511) // 512 * 512
                    text = b.command('nc 10.9.%d.1 9 </dev/null | head -c %d | md5sum' % (i, size), 120)
                    check(text.split()[0] == md5(data.ljust(size, b'\0')), 'a-disk-' + name, text)
            with Pumped(a):
                check(' 0% packet loss' in b.command('ping -s 1400 -c 2 10.9.0.1; true'), 'large-frames')
            b.send('poweroff -f\n')
            check(b.wait() == 0 and not b.errors, 'ends', b.errors)
            a.send('poweroff -f\n')
            check(a.wait() == 0 and not a.errors, 'silent', a.errors)
        check(not os.path.exists(at('s')), 'its-name-goes')


def frames_of(path):
    """What -object filter-dump has written."""
    with open(path, 'rb') as f:
        data = f.read()
    at, frames = 24, []
    while at < len(data):
        kept = struct.unpack('<I', data[at + 8:at + 12])[0]
        frames.append(data[at + 16:at + 16 + kept])
        at += 16 + kept
    return frames


def tells(frames, card, ip):
    """Says the card where it is, and what its address is?"""
    ip = socket.inet_aton(ip)
    return (any(f[6:14] == card + b'\x80\x35' and f[22:28] == card for f in frames),
            any(f[6:14] == card + b'\x08\x06' and f[28:32] == f[38:42] == ip for f in frames))


def announces():
    """announce_self: all cards say where they are, and a driver that can what its addresses are."""
    from monitor import Client
    need_libslirp()
    with Folder() as at:
        dumps = [w for i in '01' for w in ('-object', 'filter-dump,id=d%s,netdev=n%s,file=%s' % (i, i, at(i)))]
        with linux('-nic', 'user,id=n0', '-nic', 'user,id=n1,model=spapr-vlan,net=10.0.3.0/24', *dumps, '-monitor', 'unix:%s,server=on,wait=off' % at('m'),
                   '-qmp', 'unix:%s,server=on,wait=off' % at('q'), ram=RAM) as m:
            m.shell()
            m.command('for c in eth0 eth1; do ip link set $c up; case $(cat /sys/class/net/$c/address) in *56) ip addr add 10.0.2.15/24 dev $c;; esac; done; sleep 2')
            hmp, qmp = Client(m, at('m')), Client(m, at('q'))
            hmp.until(r'\(cede\) ')
            qmp.until('\r\n')
            qmp.qmp('{"execute": "qmp_capabilities"}')
            cards = b'\x52\x54\0\x12\x34\x56', b'\x52\x54\0\x12\x34\x57'
            check([tells(frames_of(at(i)), cards[i], '10.0.2.15')[0] for i in (0, 1)] == [False, False], 'nobody-says-so-unasked')
            before = len(frames_of(at('0')))
            check(hmp.hmp('announce_self') == '', 'announce_self')
            m.command('sleep 1')
            check(tells(frames_of(at('0'))[before:], cards[0], '10.0.2.15') == (True, True), 'virtio-and-its-driver')
            check(tells(frames_of(at('1')), cards[1], '10.0.3.15')[0], 'spapr-vlan')
            before = len(frames_of(at('0')))
            check(qmp.qmp('{"execute": "announce-self"}')[0].get('return') == {}, 'announce-self')
            m.command('sleep 1')
            check(tells(frames_of(at('0'))[before:], cards[0], '10.0.2.15') == (True, True), 'again')
            m.send('poweroff -f\n')
            check(m.wait() == 0, 'ends', m.errors)


def hub():
    """-net, as QEMU has had it first: two machines and a network of one of them, all on hub 0."""
    from monitor import Client
    need_libslirp()
    with Folder() as at:
        web, where = Server(), 'unix:%s,server=on,wait=off' % at('m')
        with linux('-net', 'nic', '-net', 'user', '-net', 'dgram,local.type=unix,local.path=%s,remote.type=unix,remote.path=%s' % (at('1'), at('2')),
                   '-monitor', where, '-d', 'guest_errors', ram='256M') as a, \
             linux('-net', 'nic,macaddr=52:54:00:00:00:02', '-net', 'dgram,local.type=unix,local.path=%s,remote.type=unix,remote.path=%s' % (at('2'), at('1')),
                   '-d', 'guest_errors', ram='256M') as b:
            a.shell()
            b.shell()
            check('lease of 10.0.2.15' in a.command(LEASE), 'lease')
            with Pumped(a):
                text = b.command(LEASE)
                check('lease of 10.0.2.16' in text, 'lease-over-the-hub', text)
                text = b.command('ping -c 2 10.0.2.15; wget -q -O - http://10.0.2.2:%d/ | md5sum' % web.port, 120)
                check(' 0% packet loss' in text and md5(DATA) in text, 'to-both', text)
            m = Client(a, at('m'))
            m.until(r'\(cede\) ')
            text = m.hmp('info network')
            for line in ('hub 0\n', ' \\ hub0port0: virtio-net-pci.0: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:12:34:56',
                         ' \\ hub0port1: #net1: index=0,type=user,net=10.0.2.0,restrict=off',
                         ' \\ hub0port2: #net3: index=0,type=dgram,udp=%s:%s' % (at('1'), at('2'))):
                check(line in text, line.replace(at.path, '').strip(), text)
            for machine in b, a:
                machine.send('poweroff -f\n')
                check(machine.wait() == 0 and not machine.errors, 'ends', machine.errors)


def wire(at):
    """Options of two machines that one wire joins, and monitors: a tuple has one for each."""
    return '-netdev', ('stream,id=n,server=on,addr.type=unix,addr.path=' + at('s'), 'stream,id=n,reconnect-ms=100,addr.type=unix,addr.path=' + at('s')), \
        '-device', tuple('virtio-net-pci,netdev=n,mac=52:54:00:00:00:%02x' % i for i in (1, 2)), \
        '-monitor', tuple('unix:%s,server=on,wait=off' % at(i) for i in 'ab')


def save_pair(at, a, b):
    """Both stand before one is saved."""
    from monitor import Client
    monitors = [Client(m, at(name)) for m, name in ((b, 'b'), (a, 'a'))]
    for m in monitors:
        m.until(r'\(cede\) ')
        m.hmp('stop')
    for m, name in zip(monitors, '21'):
        check(m.hmp('migrate "exec:cat >%s"' % at(name)) == '', 'saved-' + name)
        m.s.sendall(b'quit\n')
    check([a.wait(), b.wait()] == [0, 0], 'quit', a.errors + b.errors)


def restored_pair(at, options):
    return [Machine('-loadvm', at(name), *[o[i] if isinstance(o, tuple) else o for o in options], ram='256M') for i, name in enumerate('12')]


def woken(m):
    """Its shell answers."""
    m.send('\n')
    m.expect('# ', 30)
    m.at = len(m.text)


def pair():
    """Two machines with a connection between them are saved at once, and go on: it lives."""
    with Folder() as at:
        nets = wire(at)
        first, second = two(*nets)
        with first as a, second as b:
            set_up(a, 1, 1)
            set_up(b, 2, 1)
            a.command('mkfifo /tmp/f; (nc -l -p 9 </tmp/f >/dev/null) & exec 5>/tmp/f; echo one >&5')
            with Pumped(a):
                b.command('mkfifo /tmp/g; (nc 10.9.0.1 9 </tmp/g >/tmp/got) >/dev/null 2>&1 & exec 5>/tmp/g; sleep 2')
                check(b.command('cat /tmp/got').strip() == 'one', 'a-connection')
            save_pair(at, a, b)
        first, second = restored_pair(at, nets)
        with first as a, second as b:
            for m in a, b:
                woken(m)
            with Pumped(b):
                a.command('echo two >&5; sleep 1; echo three >&5; sleep 4')
            with Pumped(a):
                text = b.command('for i in 1 2 3 4 5 6 7 8 9; do [ $(wc -l </tmp/got) = 3 ] && break; sleep 1; done; cat /tmp/got')
                check(text.split() == ['one', 'two', 'three'], 'it-lives', text)
            for m in a, b:
                m.send('poweroff -f\n')
                check(m.wait() == 0 and not m.errors, 'ends', m.errors)


if __name__ == '__main__':
    main({f.__name__: f for f in (user, plain, queues, listens, dump, monitor, repeats, saved, moved, services, wires, hub, announces, pair, vlan, boot, moved_vlan)})
