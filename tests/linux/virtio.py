"""Virtio devices as Debian's kernel has them: its own view, a balloon that is filled and emptied, a save in the middle, and
guests that take their devices from QEMU and to it."""
# needs: programs guest
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, '..', 'snapshot')]
from console import Folder, GUEST, INITRD, KERNEL, CEDE, Machine, check, linux, main, need, skip        # noqa: E402

DEVICES = ('-device', 'virtio-rng-pci', '-device', 'virtio-balloon-pci,guest-stats-polling-interval=1')
RAM = '512M'


def free(m):
    return int(re.search(r'MemFree: +(\d+)', m.command('cat /proc/meminfo')).group(1)) // 1024


def view():
    """Both drivers bind; the modern interface and the legacy one give random numbers."""
    for option in '', ',disable-modern=on', ',disable-legacy=on', ',vectors=0':
        with linux('-device', 'virtio-rng-pci' + option, *DEVICES[2:], '-d', 'guest_errors', ram=RAM) as m:
            m.shell()
            drivers = m.command('ls /sys/bus/virtio/drivers/virtio_rng /sys/bus/virtio/drivers/virtio_balloon')
            check('virtio0' in drivers and 'virtio1' in drivers, 'drivers-bind' + option, drivers)
            bits = m.command('cat /sys/bus/virtio/devices/virtio0/features')
            check(bits[32] == ('0' if 'modern' in option else '1'), 'version-1' + option, bits)
            check(m.command('cat /sys/class/misc/hw_random/rng_current').strip() == 'virtio_rng.0', 'current' + option)
            two = m.command('for i in 1 2; do head -c 5000 /dev/hwrng | md5sum; done').split()
            check(two[0] != two[2], 'numbers' + option, two)
            irq = m.command('grep virtio0 /proc/interrupts')
            check(('MSI' in irq) == ('vectors' not in option), 'messages' + option, irq)
            m.send('poweroff -f\n')
            check(m.wait() == 0 and not m.errors, 'silent' + option, m.errors)


def balloon():
    """Memory goes and comes back, by either monitor; statistics come."""
    from monitor import Client
    with Folder() as at:
        with linux('-monitor', 'unix:%s,server=on,wait=off' % at('m'), '-qmp', 'unix:%s,server=on,wait=off' % at('q'), *DEVICES, ram=RAM) as m:
            m.shell()
            hmp, qmp = Client(m, at('m')), Client(m, at('q'))
            hmp.until(r'\(cede\) ')
            qmp.until('\r\n')
            qmp.qmp('{"execute": "qmp_capabilities"}')
            check('actual=512' in hmp.hmp('info balloon'), 'all-is-the-guests')
            before = free(m)
            hmp.hmp('balloon 200')
            until = time.monotonic() + 60
            while 'actual=200' not in hmp.hmp('info balloon') and time.monotonic() < until:
                m.command('sleep 0.2')
            text = hmp.hmp('info balloon')
            check('actual=200' in text, 'filled', text)
            after = free(m)
            check(250 < before - after < 330, 'the-guest-has-less', (before, after))
            m.command('sleep 2')
            text = hmp.hmp('info balloon')
            said = re.search(r'free_mem=(\d+)', text)
            check(said and abs((int(said.group(1)) >> 20) - after) < 60, 'statistics', (text, after))
            answer = qmp.qmp('{"execute": "query-balloon"}')[0]
            check(answer.get('return') == {'actual': 200 << 20}, 'query-balloon', answer)
            answer = qmp.qmp('{"execute": "balloon", "arguments": {"value": 536870912}}')[0]
            check(answer.get('return') == {}, 'qmp-balloon', answer)
            until = time.monotonic() + 60
            while 'actual=512' not in hmp.hmp('info balloon') and time.monotonic() < until:
                m.command('sleep 0.2')
            check(abs(free(m) - before) < 40, 'all-is-back', (before, free(m)))
            for line in 'balloon', 'balloon x', 'balloon -1', 'balloon 0', 'balloon 99999999999999999999':
                text = hmp.hmp(line)
                check('Error' in text or 'expected' in text, 'refused: ' + line, text)
            m.send('poweroff -f\n')
            m.wait()
        with linux('-monitor', 'unix:%s,server=on,wait=off' % at('n'), ram=RAM) as m:
            m.shell()
            hmp = Client(m, at('n'))
            hmp.until(r'\(cede\) ')
            check('No balloon device' in hmp.hmp('balloon 100') and 'No balloon device' in hmp.hmp('info balloon'), 'none-there')


def saved():
    """Saved in the middle and gone on, it ends in the state of the run that was not."""
    need(KERNEL, INITRD)
    work = 'console=hvc0 quiet cede.cmd="for i in 1 2 3; do head -c 100000 /dev/hwrng | md5sum; sleep 1; done"'
    base = [CEDE, '-m', RAM, '-nographic', '-nodefaults', '-serial', 'stdio', '-clock', 'warp', '-rtc', 'base=2026-01-01', '-d', 'statehash']
    limited = ['-device', 'virtio-rng-pci,max-bytes=30000,period=100', *DEVICES[2:]]
    with Folder() as at:
        def run(*options):
            p = subprocess.run(base + limited + list(options), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=200)
            found = re.search(r'statehash=\w+ cycles=\d+', p.stdout + p.stderr)
            return found.group() if found else p.stdout[-500:] + p.stderr[-500:], re.findall(r'\b[0-9a-f]{32}\b', p.stdout)
        boot = ['-kernel', KERNEL, '-initrd', INITRD, '-append', work]
        state, sums = run(*boot)
        check(len(set(sums)) == 3, 'three-sums', (sums, state))
        for layout in 'stream', 'mapped':
            with_save, again = run(*boot, '-save', at(layout) + '@1500000000,layout=' + layout)
            check(with_save == state and again == sums, 'a-save-changes-nothing-' + layout, (with_save, state))
            loaded, rest = run('-loadvm', at(layout))
            check(loaded == state and rest and sums[-len(rest):] == rest, 'it-goes-on-' + layout, (loaded, state, rest, sums))


def moved():
    """cede's guest goes on in QEMU, and QEMU's in cede, with their devices."""
    from qemu import BOARD, QEMU, Qemu, ask, save_cede, wait_for
    if not QEMU:
        skip('no qemu-system-ppc64')
    need(KERNEL, INITRD)
    plain = ['-device', 'virtio-rng-pci', '-device', 'virtio-balloon-pci']
    folder = tempfile.mkdtemp(prefix='cede-qemu-')
    look = 'head -c 3000 /dev/hwrng | wc -c; grep -c virtio0-input /proc/interrupts'
    try:
        path, back = os.path.join(folder, 'a'), os.path.join(folder, 'b')
        save_cede(path, *plain)
        with Qemu(folder, '-incoming', 'exec:cat ' + path, *plain) as q:
            ask(q, 'qemu')
            check(q.command(look, 60).split() == ['3000', '1'], 'qemu-gives-numbers')
            q.monitor('stop')
            q.monitor('migrate_set_parameter max-bandwidth 4G')
            q.monitor('migrate "exec:cat > %s.part && mv %s.part %s"' % (back, back, back))
            wait_for(back)
        with Machine('-M', BOARD, '-loadvm', back, *plain, '-d', 'guest_errors', ram='256M') as m:
            ask(m, 'back')
            check(m.command(look, 60).split() == ['3000', '1'], 'cede-gives-numbers')
            m.send('poweroff -f\n')
            check(m.wait(60) == 0 and m.errors == '', 'poweroff', m.errors)
    finally:
        shutil.rmtree(folder)


if __name__ == '__main__':
    main({'view': view, 'balloon': balloon, 'saved': saved, 'moved': moved})
