"""The boot menu of the built-in firmware (-boot menu=on): disks of a few instructions, which say their name and then switch
off or reboot."""
# needs: programs
import os
import re
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'linux'))
from console import Folder, Machine, check, main        # noqa: E402
from net import need_libslirp       # noqa: E402

LOAD, POWER_OFF, REBOOT = 0x200000, 0x2003, 0x2004
TEXT, ARGS = 0x100, 0x120               # behind the first instruction


def program(name, call):
    """An ELF program of 32 bits that writes eight bytes to the terminal and makes an RTAS call."""
    code = struct.pack('>12I', 0x38600058, 0x3c807100, 0x38a00008, 0x3ce00020, 0xe8c70000 | TEXT, 0x44000022,
                       0x3c600000, 0x6063f000, 0x3c800020, 0x60840000 | ARGS, 0x44000022, 0x48000000)
    args = struct.pack('>6I', call, 2, 1, 0xffffffff, 0xffffffff, 0) if call == POWER_OFF else struct.pack('>4I', call, 0, 1, 0)
    body = code.ljust(TEXT, b'\0') + name.encode().ljust(6) + b'\r\n' + bytes(ARGS - TEXT - 8) + args
    head = b'\x7fELF\1\2\1' + bytes(9) + struct.pack('>HHIIIIIHHHHHH', 2, 20, 1, LOAD, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    segment = struct.pack('>8I', 1, 128, LOAD, LOAD, len(body), 0x1000, 7, 4)
    return (head + segment).ljust(128, b'\0') + body


def disk(path, name, call=POWER_OFF):
    """A PReP partition, and one more."""
    entry = struct.Struct('<B3sB3sII')
    mbr = bytes(446) + entry.pack(0x80, b'', 0x41, b'', 64, 64) + bytes(48) + b'\x55\xaa'
    with open(path, 'wb') as f:
        f.write(mbr + bytes(63 * 512) + program(name, call))
        f.truncate(4 << 20)
    return path


def drives(folder, first=POWER_OFF, second=POWER_OFF):
    """Two disks and an empty one; a drive with a program and no partitions."""
    with open(folder('empty'), 'wb') as f:
        f.truncate(1 << 20)
    with open(folder('whole'), 'wb') as f:
        f.write(program('whole', POWER_OFF))
        f.truncate(2 << 20)
    disk(folder('one'), 'one', first)
    disk(folder('two'), 'two', second)
    out = ['-device', 'spapr-vscsi']
    for i, name in enumerate(('one', 'empty', 'two', 'whole')):
        out += ['-drive', 'file=%s,if=none,id=%s,format=raw' % (folder(name), name)]
        out += ['-device', 'scsi-%s,drive=%s' % ('cd' if name == 'whole' else 'hd', name)]
    return out


def ends(m, name, what):
    m.expect(name, 20)
    check(m.wait(20) == 0, what, m.errors)


def chosen():
    """What is listed; a key, Enter, no key, a key that means nothing; and what a disk without a program is."""
    with Folder() as folder:
        options = drives(folder)
        with Machine(*options, '-boot', 'menu=on,splash-time=60000', ram='256M') as m:
            m.expect('60.0 s', 20)
            lines = re.findall(r'^  (\w)  (.*)$', m.text, re.M)
            check([k for k, _ in lines] == ['1', '2', '3'], 'numbers', m.text)
            for line, wanted in zip(lines, ('disk:PReP partition, disk of 4 MiB (one, /vdevice/v-scsi@7', 'disk2:PReP partition, ', 'cdrom, CD of ')):
                check(line[1].startswith(wanted), wanted, line)
            m.send('2')
            ends(m, 'two', 'a-number')
        for key, name in ('\r', 'one'), ('3', 'whole'), ('x9\x003', 'whole'):
            with Machine(*options, '-boot', 'menu=on,splash-time=60000', ram='256M') as m:
                m.expect('60.0 s', 20)
                m.send(key)
                ends(m, name, 'key-%r' % key)
        with Machine(*options, '-boot', 'order=d,menu=on', '-clock', 'warp', '-d', 'statehash', ram='256M') as m:
            m.expect('3.0 s', 20)
            ends(m, 'whole', 'order')
            cycles = int(re.search(r'cycles=(\d+)', m.errors).group(1))
            check(3e9 <= cycles < 3.1e9, 'three-seconds-of-the-guest', cycles)
        with Machine(*options, '-boot', 'menu=on,splash-time=1000', ram='256M') as m:
            m.expect('1.0 s', 20)
            m.send('x')
            m.pump(2)
            check('one' not in m.text.split('1.0 s')[1], 'any-key-stops-the-time', m.text)
            m.send('1')
            ends(m, 'one', 'and-it-goes-on')
        with Machine(*options, '-boot', 'menu=on,splash-time=0', '-no-reboot', ram='256M') as m:
            ends(m, 'one', 'no-time')


def resets():
    """once= is for the first start; each start has the menu; a choice is for one start."""
    with Folder() as folder:
        options = drives(folder, first=REBOOT, second=REBOOT)
        with Machine(*options, '-boot', 'order=c,once=d,menu=on,splash-time=60000', ram='256M') as m:
            m.expect('  1  cdrom,.*\n  2  disk:', 20)
            m.expect('60.0 s', 20)
            m.send('3')
            m.expect('two ', 20)
            m.expect('  1  disk:.*\n  2  disk2:.*\n  3  cdrom', 20)
            m.expect('60.0 s', 20)
            m.send('\r')
            m.expect('one ', 20)
            m.expect('60.0 s', 20)
            m.send('3')
            ends(m, 'whole', 'the-third-start')
        with Machine(*drives(folder), '-boot', 'once=d', ram='256M') as m:
            ends(m, 'whole', 'once')
            check('can boot' not in m.text, 'no-menu', m.text)


def places():
    """Disks and a network in one order: by bootindex, by letters, by the menu. What has nothing leaves the next one to be tried."""
    need_libslirp()
    with Folder() as folder:
        drives(folder)
        with open(folder('net'), 'wb') as f:
            f.write(program('net', POWER_OFF))

        def machine(order, file, *more):
            """Places: a disk's name or 'net', as they are tried; the others have no bootindex."""
            order = order.split()
            out = ['-netdev', 'user,id=n,tftp=%s,bootfile=%s' % (folder.path, file), '-device', 'spapr-vscsi']
            for name in ('one', 'empty', 'two'):
                out += ['-drive', 'file=%s,if=none,id=%s,format=raw' % (folder(name), name)]
            devices = {'net': 'spapr-vlan,netdev=n', **{name: 'scsi-hd,drive=' + name for name in ('one', 'empty', 'two')}}
            for name, device in devices.items():
                out += ['-device', device + (',bootindex=%d' % order.index(name) if name in order else '')]
            return Machine(*out, *more, ram='256M')

        for order, file, more, wanted in (
                ('empty net two', 'net', (), 'net'), ('empty net two', 'none', (), 'two'), ('', 'net', (), 'one'), ('two', 'net', (), 'two'),
                ('', 'net', ('-boot', 'nc'), 'net'), ('', 'none', ('-boot', 'nc'), 'one'), ('', 'net', ('-boot', 'cn'), 'one'),
                ('empty', 'net', ('-boot', 'n,strict=on'), 'net')):
            with machine(order, file, *more) as m:
                ends(m, wanted, '%s, %s %s: %s' % (order, file, ' '.join(more), wanted))
        for order, more in ('net', ('-boot', 'strict=on')), ('', ('-boot', 'n,strict=on')):
            with machine(order, 'none', *more) as m:
                check(m.wait(20) == 1 and m.errors.count('\n') == 1 and 'nothing to boot: network (n)' in m.errors, 'nobody-else' + order, m.errors)
        with machine('net two', 'net', '-boot', 'menu=on,splash-time=60000') as m:
            m.expect(r'  1  network \(n, /vdevice/l-lan@7\w*\)\r?\n  2  disk2:', 20)
            m.expect('  3  disk:', 20)
            m.send('2')
            ends(m, 'two', 'the-menu-before-a-network')
        with machine('one net', 'net', '-boot', 'menu=on,splash-time=60000,strict=on') as m:
            m.expect('60.0 s', 20)
            m.send('2')
            ends(m, 'net', 'a-network-from-the-menu')


def saved():
    """A snapshot while the menu waits, and one after the choice."""
    with Folder() as folder:
        disks = [o.replace('format=raw', 'format=raw,readonly=on') for o in drives(folder)]
        options = [*disks, '-boot', 'menu=on', '-clock', 'warp', '-rtc', 'base=2026-01-31', '-d', 'statehash']

        def state(*more):
            with Machine(*options, *more, ram='256M') as m:
                check(m.wait(30) == 0, 'ends', m.errors)
                return re.findall('statehash.*', m.errors), m.text

        plain, text = state('-save', folder('s') + '@1000000000')
        check(plain and 'one ' in text, 'it-runs', text)
        again, text = state('-loadvm', folder('s'))
        check(again == plain and 'one ' in text and 'can boot' not in text, 'it-goes-on', (plain, again, text))


if __name__ == '__main__':
    main({'chosen': chosen, 'resets': resets, 'places': places, 'saved': saved})
