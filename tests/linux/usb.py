"""USB as Debian's kernel has it: keys that are typed, places and moves of pointers; a disk that is written, saved in the middle and read."""
# needs: programs guest
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, '..', 'snapshot')]
from console import Folder, check, linux, main, skip        # noqa: E402
from monitor import Client        # noqa: E402

INPUTS = ('-device', 'qemu-xhci,id=usb', '-device', 'usb-kbd', '-device', 'usb-tablet', '-device', 'usb-mouse')


def wait_for(m, what, many):
    """The devices are found some time after the shell is there."""
    for _ in range(100):
        if len(m.command('ls -d %s 2>/dev/null; true' % what).split()) >= many:
            return
        m.command('sleep 0.1')


def events_of(m, name):
    text = m.command('for d in /sys/class/input/event*; do echo "${d##*/}: $(cat $d/device/name)"; done')
    found = re.search(r'(event\d+): ' + name, text)
    check(found is not None, 'there-is-' + name.replace(' ', '-'), text)
    return found[1]


def read_events(m, event, count, act):
    """(type, code, value) of so many events that act() makes. What is there in the first 50 ms its driver takes for old."""
    m.send('(sleep 0.5; echo rea""dy) & head -c %d /dev/input/%s | od -An -v -w24 -td4; echo DO""NE\n' % (24 * count, event))
    m.expect('ready', 30)
    act()
    m.expect('DONE', 60)
    lines = m.text[-3000:].replace('\r', '').split('\n')
    words = [[int(w) for w in line.split()] for line in lines if re.fullmatch(r'( +-?\d+){6}', line)]
    return [(w[4] & 0xffff, w[4] >> 16, w[5]) for w in words[-count:]]


def inputs():
    """A key that sendkey types, a place and a button of the tablet, a move of the mouse."""
    with Folder() as at, linux('-qmp', 'unix:%s,server=on,wait=off' % at('q'), *INPUTS, '-d', 'guest_errors', ram='512M') as m:
        m.shell()
        qmp = Client(m, at('q'))
        qmp.until('\r\n')
        qmp.qmp('{"execute": "qmp_capabilities"}')
        wait_for(m, '/sys/class/input/event*', 3)
        keyboard, tablet = events_of(m, 'QEMU QEMU USB Keyboard'), events_of(m, 'QEMU QEMU USB Tablet')
        keys = read_events(m, keyboard, 6, lambda: qmp.qmp(
            '{"execute": "send-key", "arguments": {"keys": [{"type": "qcode", "data": "a"}]}}'))
        check([k for k in keys if k[0] == 1] == [(1, 30, 1), (1, 30, 0)], 'a-key', keys)
        places = read_events(m, tablet, 3, lambda: qmp.qmp(
            '{"execute": "input-send-event", "arguments": {"events": [{"type": "abs", "data": {"axis": "x", "value": 4660}}, '
            '{"type": "abs", "data": {"axis": "y", "value": 22136}}]}}'))
        check(places[:2] == [(3, 0, 4660), (3, 1, 22136)], 'a-place', places)
        m.send('poweroff -f\n')
        check(m.wait(60) == 0 and not m.errors, 'ends', m.errors)


def disk():
    """What is written is there after a save in the middle and a load: on the board's controller."""
    if not shutil.which('qemu-img'):
        skip('qemu-img is missing')
    read = 'echo 3 >/proc/sys/vm/drop_caches; dd if=/dev/sda bs=64k skip=4 2>/dev/null | head -c 8000000 | md5sum'
    with Folder() as at:
        subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', at('disk'), '32M'], check=True)
        options = ('-usb', '-drive', 'if=none,id=d,format=qcow2,file=' + at('disk'), '-device', 'usb-storage,drive=d', '-d', 'guest_errors')
        with linux('-monitor', 'unix:%s,server=on,wait=off' % at('m'), *options, ram='512M') as m:
            m.shell()
            wait_for(m, '/dev/sda', 1)
            m.command('head -c 8000000 /dev/urandom >/tmp/a')
            first = m.command('md5sum </tmp/a').split()[0]
            m.send('dd if=/tmp/a of=/dev/sda bs=64k seek=4 conv=fsync 2>/dev/null; echo wri""tten\n')
            hmp = Client(m, at('m'))
            hmp.until(r'\(cede\) ')
            answer = hmp.hmp('savevm middle')
            check('Error' not in answer, 'saved', answer)
            m.expect('written', 120)
            again = m.command(read, 60).split()[0]
            check(len(first) == 32 and first == again, 'is-read-again', (first, again))
            errors = m.command('dmesg | grep -c -i -e "I/O error" -e "reset .*-speed"; true').strip()
            check(errors == '0', 'without-a-reset', errors)
            m.send('poweroff -f\n')
            check(m.wait(60) == 0 and not m.errors, 'ends', m.errors)
        with linux('-loadvm', 'middle', *options, ram='512M') as m:
            m.send('\n')
            m.expect('# ', 120)
            m.command('sync', 120)
            again = m.command(read, 60).split()[0]
            check(first == again, 'goes-on-after-a-load', (first, again))
            m.send('poweroff -f\n')
            check(m.wait(60) == 0 and not m.errors, 'ends-too', m.errors)


if __name__ == '__main__':
    main({f.__name__: f for f in (inputs, disk)})
