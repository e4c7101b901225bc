"""Linux, and what is plugged in and taken out while it runs: disks and cards by drmgr, as rtas_errd calls it; processors and
memory, which the kernel itself takes."""
# needs: programs guest
# needs [disk saved moved]: guest-utils
import json
import os
import re
import shutil
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, '..', 'snapshot')]
import libraries    # noqa: E402
from console import GUEST, INITRD, KERNEL, Folder, Machine, check, linux, main, need, skip     # noqa: E402
from monitor import Client      # noqa: E402
from usb import read_events     # noqa: E402

TREE = GUEST + '/utils'
TROUBLE = r'BUG|Oops|WARNING|Call Trace|I/O error|timed out|Kernel panic|Failed|failed'
SIZE = 64 << 20
FIXED = ('-rtc', 'base=2026-01-31T12:00:00', '-d', 'statehash')


class Plugged:
    """A guest with a shell, and its monitors: hmp, qmp."""

    def __init__(self, folder, *options, **kw):
        sockets = [folder('hmp'), folder('qmp')]
        self.m = linux('-monitor', 'unix:%s,server=on,wait=off' % sockets[0], '-qmp', 'unix:%s,server=on,wait=off' % sockets[1],
                       *options, append='quiet', **kw)
        self.sockets = sockets

    def __enter__(self):
        self.m.__enter__()
        self.m.shell()
        self.hmp, self.qmp = Client(self.m, self.sockets[0]), Client(self.m, self.sockets[1])
        self.hmp.until(r'\(cede\) ')
        self.qmp.until('\r\n')
        self.ask('qmp_capabilities')
        return self

    def __exit__(self, *exc):
        self.m.__exit__(*exc)

    def hand(self, line):
        return self.hmp.hmp(line)

    def ask(self, command, **arguments):
        text = {'execute': command, 'arguments': arguments} if arguments else {'execute': command}
        return self.qmp.qmp(json.dumps(text))

    def end_log(self):
        log = self.m.command('dmesg')
        check(not re.search(TROUBLE, log), 'no-trouble', re.findall('.*(?:%s).*' % TROUBLE, log)[:5])

    def end(self):
        self.end_log()
        self.m.send('poweroff -f\n')
        check(self.m.wait(60) == 0 and not self.m.errors, 'ends', self.m.errors)


def packed(folder):
    return libraries.packed(folder, TREE, {'bin/drmgr': TREE + '/usr/sbin/drmgr'})


SLOT = 'drmgr -c pci -s 0x40000000 -n -%s >/dev/null'


def make_disk(path):
    with open(path, 'wb') as f:
        f.write(b'plugged in\n')
        f.truncate(SIZE)


def plug(g, folder):
    """A disk comes; drmgr does what rtas_errd would have it do when the event is there."""
    g.m.command('modprobe -a rpadlpar_io virtio_pci virtio_blk virtio_net; mkdir -p /var/log /var/lock')      # who comes later is found by the slots that there are
    check(g.hand('drive_add 0 if=none,id=d0,file=%s,format=raw' % folder('d.img')) == '', 'drive_add')
    check(g.hand('device_add virtio-blk-pci,drive=d0,id=blk0') == '', 'device_add')
    check(not re.search('vda', g.m.command('ls /sys/block')), 'nobody-looks-by-himself')
    g.m.command(SLOT % 'a')
    check(g.m.command('head -n 1 /dev/vda').strip() == 'plugged in', 'disk-is-there')


def disk():
    """A disk comes, is written, goes; comes again and stays over a reboot; a card comes and goes."""
    need(KERNEL, INITRD, TREE)
    with Folder() as folder:
        make_disk(folder('d.img'))
        with Plugged(folder, initrd=packed(folder)) as g:
            plug(g, folder)
            check('Hotplug Event' in g.m.command('dmesg'), 'event')
            g.m.command('echo written >/dev/vda; sync')
            answer = g.ask('device_del', id='blk0')
            check(answer[0] == {'return': {}}, 'device_del', answer)
            check(g.m.command('ls /sys/block').split().count('vda') == 1, 'stays-until-the-guest-lets-go')
            g.m.command(SLOT % 'r')
            answer = g.ask('query-block')
            check('DEVICE_DELETED' in answer[1] and 'DEVICE_DELETED:blk0:/machine/peripheral/blk0' in g.qmp.log, 'DEVICE_DELETED', g.qmp.log)
            check(answer[0]['return'] == [] and 'vda' not in g.m.command('ls /sys/block'), 'gone', answer)
            with open(folder('d.img'), 'rb') as f:
                check(f.read(8) == b'written\n', 'what-was-written')
            answer = g.ask('device_del', id='blk0')[0]
            check(answer.get('error', {}).get('class') == 'DeviceNotFound', 'not-twice', answer)
            card(g)
            answer = g.ask('blockdev-add', driver='raw', file={'driver': 'file', 'filename': folder('d.img')}, **{'node-name': 'n0'})[0]
            check(answer == {'return': {}}, 'blockdev-add', answer)
            check(g.ask('device_add', driver='virtio-blk-pci', drive='n0', id='blk1', bootindex=1)[0] == {'return': {}}, 'qmp-device_add')
            answer = g.ask('device_add', driver='virtio-net-pci', id='net2', bootindex=1)[0]
            check('bootindex 1 has already been used' in answer.get('error', {}).get('desc', ''), 'one-place', answer)
            check('in use' in g.ask('blockdev-del', **{'node-name': 'n0'})[0]['error']['desc'], 'in-use')
            g.end_log()
            g.m.send('reboot -f\n')
            g.m.shell()
            check(g.m.command('head -n 1 /dev/vda').strip() == 'written', 'there-after-a-reboot')
            g.end()


def card(g):
    check(g.ask('netdev_add', type='user', id='n1')[0] == {'return': {}}, 'netdev_add')
    check(g.ask('device_add', driver='virtio-net-pci', netdev='n1', id='net1')[0] == {'return': {}}, 'card')
    g.m.command(SLOT % 'a')
    check('lease of 10.0.2.15' in g.m.command('udhcpc -q -n -i eth0 2>&1'), 'lease')
    check(g.hand('device_del net1') == '', 'card-goes')
    g.m.command(SLOT % 'r')
    check(g.hand('netdev_del n1') == '' and g.hand('info network') == '', 'netdev_del')


def until(m, command, want, name, seconds=20):
    """What the guest does by itself may take it some time."""
    end = time.monotonic() + seconds
    got = m.command(command).strip()
    while got != want and time.monotonic() < end:
        m.command('usleep 50000')
        got = m.command(command).strip()
    check(got == want, name, got)


BLOCKS = 'ls /sys/block | grep -c "^s[dr]" || true'
KEYBOARDS, TABLETS = ('grep -c "^N: .*USB %s" /proc/bus/input/devices || true' % name for name in ('Keyboard', 'Tablet'))


def units():
    """Disks and a CD come to SCSI buses and go: virtio-scsi tells the guest, and of spapr-vscsi it asks."""
    need(KERNEL, INITRD)
    with Folder() as folder:
        make_disk(folder('d.img'))
        make_disk(folder('e.img'))
        shutil.copy(INITRD, folder('initrd.gz'))
        bus = ('-device', 'virtio-scsi-pci,id=s0', '-device', 'spapr-vscsi,id=v0')
        with Plugged(folder, *bus, *FIXED) as g:
            g.m.command('modprobe -a virtio_pci virtio_scsi ibmvscsi sd_mod sr_mod; printf 1 >/proc/sys/kernel/printk')
            for name in 'd', 'e':
                check(g.hand('drive_add 0 if=none,id=%s,file=%s,format=raw' % (name, folder(name + '.img'))) == '', 'drive_add')
            check('at most' in g.hand('device_add scsi-hd,drive=d,bus=s0.0,scsi-id=256'), 'no-such-address')
            check(g.hand('device_add scsi-hd,drive=d,id=u0,bus=s0.0,scsi-id=3') == '', 'device_add')
            until(g.m, BLOCKS, '1', 'disk-comes')
            check(g.m.command('head -n 1 /dev/sda').strip() == 'plugged in', 'disk-is-there')
            check('carries a bus' in g.hand('device_del s0'), 'a-bus-that-is-used-stays')
            check('is taken' in g.hand('device_add scsi-hd,drive=e,bus=s0.0,scsi-id=3,lun=0'), 'one-address')
            check(g.ask('device_add', driver='scsi-cd', id='c0', bus='s0.0')[0] == {'return': {}}, 'a-CD-without-a-medium')
            until(g.m, BLOCKS, '2', 'CD-comes')
            g.m.command('echo written >/dev/sda; sync; (while :; do cat /dev/sda; done) >/dev/null 2>&1 & sleep 1')
            check(g.ask('device_del', id='u0')[0] == {'return': {}}, 'device_del')
            check('DEVICE_DELETED:u0:/machine/peripheral/u0' in g.qmp.log + g.qmp.events('DEVICE_DELETED:u0:/machine/peripheral/u0'), 'DEVICE_DELETED')
            until(g.m, BLOCKS, '1', 'disk-goes')
            check(not re.search('^d\\b', g.hand('info block'), re.M), 'and-its-drive')
            g.m.command('kill %1')
            check(g.hand('device_del c0') == '', 'CD-goes')
            until(g.m, BLOCKS, '0', 'none-left')
            with open(folder('d.img'), 'rb') as f:
                check(f.read(8) == b'written\n', 'what-was-written')
            check(g.hand('device_add scsi-hd,drive=e,id=u1,bus=v0.0') == '', 'device_add-vscsi')
            g.m.command('for h in /sys/class/scsi_host/*/scan; do echo "- - -" >$h; done')
            until(g.m, BLOCKS, '1', 'who-looks-finds-it')
            keep(g, folder, bus + ('-drive', 'if=none,id=e,file=%s,format=raw' % folder('e.img'), '-device', 'scsi-hd,drive=e,id=u1,bus=v0.0'))


def usb():
    """A stick, a keyboard and a tablet come to the USB and go; a port serves who comes next."""
    need(KERNEL, INITRD)
    with Folder() as folder:
        make_disk(folder('d.img'))
        shutil.copy(INITRD, folder('initrd.gz'))
        bus = ('-device', 'qemu-xhci,id=x0', '-device', 'virtio-net-pci,bootindex=1')
        with Plugged(folder, *bus, *FIXED) as g:
            check(g.hand('drive_add 0 if=none,id=d,file=%s,format=raw' % folder('d.img')) == '', 'drive_add')
            answer = g.hand('device_add usb-storage,drive=none')
            check("no drive 'none'" in answer, 'no-such-drive', answer)
            check('already been used' in g.hand('device_add usb-storage,drive=d,bootindex=1'), 'nothing-by-halves')
            check(g.hand('device_add usb-storage,drive=d,id=stick') == '', 'device_add')
            until(g.m, BLOCKS, '1', 'stick-comes')
            check(g.m.command('head -n 1 /dev/sda').strip() == 'plugged in', 'disk-is-there')
            check('is taken' in g.hand('device_add usb-kbd,port=1'), 'one-a-port')
            check(g.hand('device_add usb-kbd,id=k,port=4') == '', 'device_add-kbd')
            until(g.m, KEYBOARDS, '1', 'keyboard-comes')
            keys = read_events(g.m, 'event0', 6, lambda: g.hand('sendkey a'))
            check([k for k in keys if k[0] == 1] == [(1, 30, 1), (1, 30, 0)], 'a-key', keys)
            g.m.command('echo written >/dev/sda; sync; (while :; do cat /dev/sda; done) >/dev/null 2>&1 & sleep 1')
            check(g.ask('device_del', id='stick')[0] == {'return': {}}, 'device_del')
            until(g.m, BLOCKS, '0', 'stick-goes')
            g.m.command('kill %1')
            check('DEVICE_DELETED:stick:/machine/peripheral/stick' in g.qmp.log and g.hand('info block') == '', 'and-its-drive')
            with open(folder('d.img'), 'rb') as f:
                check(f.read(8) == b'written\n', 'what-was-written')
            check(g.hand('device_del k') == '' and g.hand('device_add usb-tablet,id=t,port=1') == '', 'another-at-that-port')
            until(g.m, TABLETS, '1', 'tablet-comes')
            until(g.m, KEYBOARDS, '0', 'keyboard-goes')
            keep(g, folder, bus + ('-device', 'usb-tablet,id=t,port=1'))


def keep(g, folder, more):
    """Saved, it has the state of a machine that had all from the start and goes on from there."""
    check(g.hand('stop') == '' and g.hand('migrate file:' + folder('hot.cede')) == '', 'migrate')
    g.hmp.s.sendall(b'quit\n')
    g.m.wait()
    with resumed(folder, *more, '-S', '-monitor', 'unix:%s,server=on,wait=off' % folder('x')) as m:
        h = Client(m, folder('x'))
        h.until(r'\(cede\) ')
        h.s.sendall(b'quit\n')
        m.wait()
        check(state(g.m) and state(g.m) == state(m), 'same-state', (g.m.errors, m.errors))


def resumed(folder, *options, **kw):
    return Machine('-kernel', KERNEL, '-initrd', folder('initrd.gz'), '-append', 'console=hvc0 quiet', '-loadvm', folder('hot.cede'), *FIXED, *options, **kw)


def state(m):
    """What -d statehash says when it ends."""
    return re.findall('state ?hash[ =]*(?:0x)?([0-9a-f]+)', m.errors)[-1:]


def saved():
    """A machine that a disk has been plugged into is saved and goes on, where -device names it; both have the same state."""
    need(KERNEL, INITRD, TREE)
    with Folder() as folder:
        make_disk(folder('d.img'))
        disk = ('-drive', 'if=none,id=d0,file=%s,format=raw' % folder('d.img'), '-device', 'virtio-blk-pci,drive=d0,id=blk0')
        with Plugged(folder, *FIXED, initrd=packed(folder)) as g:
            plug(g, folder)
            g.m.command('mark=one')
            g.hand('stop')
            answer = g.hand('migrate file:' + folder('hot.cede'))
            check(answer == '', 'migrate', answer)
            g.hmp.s.sendall(b'quit\n')
            g.m.wait()
            before = state(g.m)
        with resumed(folder) as m:
            check(m.wait(30) == 1 and len(m.errors.splitlines()) == 1, 'not-without-it', m.errors)
        with resumed(folder, *disk, '-S', '-monitor', 'unix:%s,server=on,wait=off' % folder('x')) as m:
            h = Client(m, folder('x'))
            h.until(r'\(cede\) ')
            h.s.sendall(b'quit\n')
            m.wait()
            check(before and before == state(m), 'same-state', (before, m.errors))
        with resumed(folder, *disk, '-monitor', 'unix:%s,server=on,wait=off' % folder('y')) as m:
            h = Client(m, folder('y'))
            h.until(r'\(cede\) ')
            check(m.command('echo $mark; head -n 1 /dev/vda').split() == ['one', 'plugged', 'in'], 'goes-on')
            check(h.hmp('device_del blk0') == '', 'device_del')
            m.command(SLOT % 'r')
            check('vda' not in m.command('ls /sys/block'), 'gone')
            m.send('poweroff -f\n')
            check(m.wait(60) == 0, 'ends', m.errors)


CORE = 'power9_v2.0-spapr-cpu-core'
ONLINE = 'grep -c ^processor /proc/cpuinfo'      # Linux numbers them as they come


def online(g, want, seconds=30):
    """The kernel itself takes and gives up cores: that may take it some time."""
    until = time.monotonic() + seconds
    while True:
        got = int(g.m.command(ONLINE))
        if got == want or time.monotonic() > until:
            return check(got == want, 'online-%d' % want, got)
        g.m.command('usleep 100000')


def cores():
    """Cores come and go; one is there from the start by -device; a hole is left, and filled."""
    with Folder() as folder, Plugged(folder, '-device', CORE + ',core-id=3,id=c3', cpus='2,maxcpus=8') as g:
        online(g, 3)
        check(g.hand('device_add %s,core-id=5,id=c5' % CORE) == '', 'device_add')
        online(g, 4)
        answer = g.ask('query-hotpluggable-cpus')[0]['return']
        check([c.get('qom-path') for c in answer] == [None, None, '/machine/peripheral/c5', None, '/machine/peripheral/c3', None] +
              ['/machine/unattached/device[%d]' % i for i in (1, 0)] and answer[0]['props'] == {'core-id': 7}, 'query', answer)
        check(len(g.ask('query-cpus-fast')[0]['return']) == 4, 'query-cpus-fast')
        g.m.command('for c in 0 1 2 3; do taskset $(printf %x $((1 << c))) sh -c "i=0; while [ \\$i -lt 3000 ]; do i=\\$((i+1)); done"; done')
        check(g.hand('device_del c3') == '', 'device_del')
        online(g, 3)
        check('already populated' in g.hand('device_add %s,core-id=5' % CORE), 'twice')
        check('out of range' in g.hand('device_add %s,core-id=8' % CORE), 'range')
        check('Invalid CPU type' in g.hand('device_add power10_v2.0-spapr-cpu-core,core-id=4'), 'another-model')
        for i in 2, 3, 4, 6, 7:
            check(g.ask('device_add', driver=CORE, **{'core-id': i, 'id': 'd%d' % i})[0] == {'return': {}}, 'add-%d' % i)
        online(g, 8)
        check(g.ask('device_del', id='c5')[0] == {'return': {}}, 'qmp-device_del')
        online(g, 7)
        check('DEVICE_DELETED:c5:/machine/peripheral/c5' in g.qmp.log + g.qmp.events('DEVICE_DELETED:c5:/machine/peripheral/c5'), 'event')
        g.m.send('reboot -f\n')
        g.m.shell()
        online(g, 7)
        g.end()


def many():
    """256 processors, each of which does something; saved and gone on from with the same state."""
    with Folder() as folder:
        shutil.copy(INITRD, folder('initrd.gz'))
        with Plugged(folder, *FIXED, cpus=256, ram='2G') as g:
            check(g.m.command('cat /sys/devices/system/cpu/online').strip() == '0-255', 'all-online')
            g.m.command('mark=one')
            for cpu in 64, 170, 255:
                got = g.m.command('taskset %x cut -d " " -f 39 /proc/self/stat' % (1 << cpu)).strip()
                check(got == str(cpu), 'runs-on-%d' % cpu, got)
            check(g.hand('migrate file:' + folder('hot.cede')) == '', 'migrate')
            g.hmp.s.sendall(b'quit\n')
            g.m.wait()
            before = state(g.m)
        big = {'cpus': 256, 'ram': '2G'}
        with resumed(folder, '-S', '-monitor', 'unix:%s,server=on,wait=off' % folder('x'), **big) as m:
            h = Client(m, folder('x'))
            h.until(r'\(cede\) ')
            h.s.sendall(b'quit\n')
            m.wait()
            check(before and before == state(m), 'same-state', (before, m.errors))
        with resumed(folder, **big) as m:
            check(m.command('echo $mark; grep -c ^processor /proc/cpuinfo').split() == ['one', '256'], 'goes-on')
            m.send('poweroff -f\n')
            check(m.wait(60) == 0, 'ends', m.errors)


def nodes():
    """Two nodes and their distance, as Linux sees them; a core that comes is where -numa says."""
    numa = ['-object', 'memory-backend-ram,id=m0,size=512M', '-object', 'memory-backend-ram,id=m1,size=512M', '-numa', 'node,memdev=m0,cpus=0-1',
            '-numa', 'node,memdev=m1,cpus=2-3', '-numa', 'dist,src=0,dst=1,val=40']
    with Folder() as folder, Plugged(folder, *numa, cpus='3,maxcpus=4') as g:
        g.m.command('cd /sys/devices/system/node')
        check(g.m.command('cat node*/cpulist node*/distance').split('\n')[:4] == ['0-1', '2', '10 40', '40 10'], 'nodes')
        total = [int(line.split()[3]) for line in g.m.command('grep MemTotal node*/meminfo').strip().splitlines()]
        check(len(total) == 2 and all(440000 < kib <= 524288 for kib in total), 'memory', total)
        check(g.hand('device_add %s,core-id=3,id=c3' % CORE) == '', 'device_add')
        online(g, 4)
        check(g.m.command('cat node1/cpulist').strip() == '2-3', 'its-node')
        g.end()


def moved():
    """A guest that a core and a disk have been plugged into goes on in QEMU, and comes back."""
    import qemu
    need(KERNEL, INITRD, TREE)
    if not qemu.QEMU:
        skip('no qemu-system-ppc64')
    qemu.CPUS = cpus = '2,maxcpus=4'
    look = 'echo $mark; grep -c ^processor /proc/cpuinfo; head -n 1 /dev/vda'
    with Folder() as folder:
        make_disk(folder('d.img'))
        more = ('-drive', 'if=none,id=d0,file=%s,format=raw,file.locking=off' % folder('d.img'), '-device', 'virtio-blk-pci,drive=d0,id=blk0',
                '-device', CORE + ',core-id=3,id=c3')
        with Plugged(folder, '-M', qemu.BOARD, '-save', folder('a') + ',target=qemu', initrd=packed(folder), cpus=cpus, ram='256M') as g:
            plug(g, folder)
            check(g.hand('device_add %s,core-id=3,id=c3' % CORE) == '', 'device_add')
            online(g, 3)
            g.m.command('mark=one; sync; sleep 1')
            g.m.process.send_signal(signal.SIGUSR1)
            qemu.wait_for(folder('a'))
        with qemu.Qemu(folder.path, '-incoming', 'exec:cat ' + folder('a'), *more) as q:
            q.send('\n')
            time.sleep(3)
            q.at = len(q.text)
            check(q.command(look).split() == ['one', '3', 'plugged', 'in'], 'goes-on-in-QEMU')
            q.save(folder('b'))
        with Machine('-M', qemu.BOARD, '-loadvm', folder('b'), *more, cpus=cpus, ram='256M') as m:
            m.send('\n')
            m.expect('# ')
            check(m.command(look).split() == ['one', '3', 'plugged', 'in'], 'and-comes-back')
            m.send('poweroff -f\n')
            check(m.wait(60) == 0, 'ends', m.errors)


main({f.__name__: f for f in (disk, saved, units, usb, cores, many, nodes, moved)})
