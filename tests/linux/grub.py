"""The built-in firmware boots disks and CDs without -kernel: Debian's GRUB, of which it is the Open Firmware, and Linux
behind it."""
# needs: programs guest
import os
import re
import shutil
import subprocess
import time

import grub_disk
from console import CEDE, GUEST, INITRD, KERNEL, Failure, Folder, Machine, check, main, need, skip

MODULES = GUEST + '/grub/powerpc-ieee1275'
MENU_SECONDS = 1.5              # of the host's, from the start to the menu


def tools(*programs):
    need(KERNEL, INITRD, MODULES)
    for program in programs + ('grub-mkimage', 'mke2fs'):
        if not shutil.which(program, path=os.environ['PATH'] + ':/usr/sbin:/sbin'):
            skip(program + ' is missing (make deps)')


def make(folder, table='gpt', **kw):
    return grub_disk.make(folder.path, MODULES, KERNEL, INITRD, table, **kw)


def drive(path, interface='virtio', *more):
    return ['-drive', ','.join((f'file={path}', f'if={interface}', 'format=raw') + more)]


def menu(m, seconds=60):
    m.expect('GNU GRUB', seconds)
    m.expect('give up', 20)


def to_the_end(m, name, seconds=200):
    """Linux is up, has run its command and switched off."""
    m.expect('Linux version', seconds)
    m.expect('cede guest status 0', seconds)
    check(m.wait(60) == 0, name, m.errors)


def disk():
    """GPT and MBR; virtio and virtual SCSI; the time to the menu."""
    tools()
    with Folder() as folder:
        for table, interface in (('gpt', 'virtio'), ('mbr', 'scsi')):
            path, began = make(folder, table, append='quiet cede.cmd=true'), time.monotonic()
            with Machine('-clock', 'warp', *drive(path, interface)) as m:
                menu(m)
                took = time.monotonic() - began
                to_the_end(m, f'{table}-{interface}-boots')
        # Two tests may run beside this one.
        check(took < 4 * MENU_SECONDS, 'menu-in-time', f'{took:.2f} s')


def cd():
    """\\ppc\\bootinfo.txt names the program."""
    tools('xorriso')
    with Folder() as folder:
        iso = grub_disk.make_cd(folder.path, MODULES, KERNEL, INITRD, append='quiet cede.cmd=true')
        with Machine('-clock', 'warp', *drive(iso, 'scsi', 'media=cdrom')) as m:
            menu(m)
            to_the_end(m, 'cd-boots')


def keys():
    """A key chooses an entry, which writes GRUB's environment block to the disk; the next boot reads it."""
    tools()
    with Folder() as folder:
        path = make(folder, timeout=30)
        for boot in ('x', 'xx'):
            with Machine(*drive(path)) as m:
                menu(m)
                m.send('\x1b[B\r')
                m.expect(r'count is \w', 30)
                line = m.expect(r'command line: (.*)\n', 60)      # all of it: it may come in pieces
                check(f'counted={boot}' in line.group(1).split(), f'counted-{boot}', line.group(1))
                m.shell(200)
                m.send('poweroff\n')
                check(m.wait(60) == 0, f'ends-{boot}', m.errors)
        with open(path, 'rb') as f:
            check(b'# GRUB Environment Block\ncount=xx\n' in f.read(), 'block-on-the-disk')
        with Machine(*drive(path, 'virtio', 'readonly=on')) as m:
            menu(m)
            m.send('\x1b[B\r')
            m.expect('count is xxx', 30)
            m.expect('command line: .*counted=xxx', 60)
        with open(path, 'rb') as f:
            check(b'count=xxx' not in f.read(), 'not-on-one-that-is-read-only')


def titled(folder, name, path):
    """A disk like that one, with a menu of its own, found by its first entry."""
    own = folder(name)
    shutil.copyfile(path, own)
    with open(own, 'r+b') as f:
        data = f.read()
        at = data.index(b'menuentry "first entry"')
        f.seek(at)
        f.write(b'menuentry "%-11s"' % name.encode())
    return own


def order():
    """bootindex, -boot, boot-device, and the next disk once a program gives up."""
    tools()
    with Folder() as folder:
        path = make(folder, timeout=30)
        one, two = titled(folder, 'disk one', path), titled(folder, 'disk two', path)
        both = drive(one, 'none', 'id=a', 'readonly=on') + drive(two, 'none', 'id=b', 'readonly=on')

        def first(name, wanted, *options):
            with Machine(*both, *options) as m:
                got = m.expect('disk (one|two)', 60).group(1)
                check(got == wanted, name, got)

        plain = ['-device', 'virtio-blk-pci,drive=a', '-device', 'virtio-blk-pci,drive=b']
        first('first-one-made', 'one', *plain)
        first('bootindex', 'two', '-device', 'virtio-blk-pci,drive=a,bootindex=2', '-device', 'virtio-blk-pci,drive=b,bootindex=1')
        first('boot-device', 'two', *plain, '-prom-env', 'boot-device=disk1 disk')
        with Machine(*both, *plain, '-no-reboot') as m:
            menu(m)
            m.send('\x1b[B\x1b[B\r')
            m.expect('GNU GRUB', 60)
            check(m.expect('disk (one|two)', 60).group(1) == 'two', 'gives-up: the next one')
            m.expect('give up', 20)
            m.send('\x1b[B\x1b[B\r')
            check(m.wait(60) != 0 and 'exit' in m.errors, 'gives-up: the last one', m.errors)


def saved():
    """A snapshot while GRUB reads its disk: the same state follows."""
    tools()
    with Folder() as folder:
        path = make(folder, append='quiet cede.cmd=true')
        options = ['-clock', 'warp', '-rtc', 'base=2026-01-31', '-d', 'statehash', '-drive', f'file={path},if=virtio,format=raw,readonly=on']

        def hashes(*more):
            with Machine(*options, *more) as m:
                m.expect('cede guest status 0', 200)
                m.wait(60)
                return re.findall(r'statehash.*', m.errors), m.errors

        plain, errors = hashes('-save', folder('in-menu') + '@2000000000', '-save', folder('reading') + '@3300000000')
        check(plain, 'hash', errors)
        for name in ('in-menu', 'reading'):
            again, errors = hashes('-loadvm', folder(name))
            check(again == plain, name, errors)


def nothing():
    """One line says of each disk why it was not booted."""
    tools()
    with Folder() as folder:
        for name in ('empty', 'mbr'):
            with open(folder(name), 'wb') as f:
                f.write(grub_disk.mbr([(0x83, 64, 64)]) if name == 'mbr' else bytes(512))
                f.truncate(1 << 20)
        p = subprocess.run([CEDE, '-nographic', *drive(folder('empty')), *drive(folder('mbr')), *drive('', 'scsi', 'media=cdrom')],
                           stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        check(p.returncode == 1 and p.stderr.count('\n') == 1, 'one-line', p.stderr)
        for why in (r'disk \(virtio0\): it has no partition table', r'disk1 \(virtio1\): its partition table has no PReP partition'):
            check(re.search(why, p.stderr), why, p.stderr)


if __name__ == '__main__':
    main({'disk': disk, 'cd': cd, 'keys': keys, 'order': order, 'saved': saved, 'nothing': nothing})
