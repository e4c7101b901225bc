"""Debian's installer, booted from a CD that tools/guest/installer.sh has made, installs onto an empty disk while nobody
is asked; the disk boots without the CD, to a login, and is sound afterwards. Where QEMU is, it boots the same disk.

    installer.py [EMULATOR]     with this instead of cede
"""
# needs: programs guest
import json
import os
import re
import shutil
import subprocess
import sys
import time

from console import CEDE, GUEST, Machine, check, skip

QEMU = 'qemu-system-ppc64'
DISK = os.path.join(os.environ.get('B', 'build'), 'tests', 'installed.qcow2')
RAW = DISK[:-5] + 'raw'


def program(name):
    return shutil.which(name, path=os.environ['PATH'] + ':/usr/sbin:/sbin')


def install(emulator):
    env = dict(os.environ, INSTALL_EMULATOR=emulator, INSTALL_DISK=os.path.abspath(DISK))
    done = subprocess.run(['tools/guest/installer.sh', 'install'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, env=env)
    print(done.stdout, end='')
    return done.returncode, done.stdout


def session(emulator, name, work):
    """From power on to a login, some work, and the machine off. No CD is there."""
    with Machine('-drive', 'file=%s,format=qcow2,if=virtio' % DISK, program=emulator) as m:
        m.log_in()
        for what, command, pattern in work:
            try:
                text = m.command(command, 300)
            except Exception as e:
                text = str(e)
            check(re.search(pattern, text), name + '-' + what, text)
        m.send('systemctl poweroff\n')
        check(m.wait(300) == 0, name + '-off', m.errors)


def partitions():
    """What the disk holds, read on the host: [(type, first sector, sectors)]."""
    with open(RAW, 'rb') as f:
        f.seek(512)
        head = f.read(512)
        if head[:8] != b'EFI PART':
            return []
        entries = int.from_bytes(head[72:80], 'little')
        f.seek(entries * 512)
        table = f.read(128 * 128)
    found = []
    for at in range(0, len(table), 128):
        kind = table[at:at + 16]
        first, last = (int.from_bytes(table[at + i:at + i + 8], 'little') for i in (32, 40))
        if any(kind):
            found.append((kind, first, last - first + 1))
    return found


def sound():
    """What qemu-img and e2fsck say of the disk while nobody runs it; what is in its partitions."""
    done = subprocess.run(['qemu-img', 'check', '--output=json', DISK], stdout=subprocess.PIPE, text=True)
    check(done.returncode == 0 and not json.loads(done.stdout)['check-errors'], 'image', done.stdout)
    subprocess.run(['qemu-img', 'convert', '-O', 'raw', DISK, RAW], check=True)
    try:
        parts = partitions()
        if not check(len(parts) == 2, 'two-partitions', parts):
            return
        (kind, prep, _), (_, root, _) = parts
        check(kind.hex() == '382d1a9e12c61643aa268b49521e5a8b', 'prep', kind.hex())
        with open(RAW, 'rb') as f:
            f.seek(prep * 512)
            check(f.read(4) == b'\x7fELF', 'grub-in-prep')
        done = subprocess.run([program('e2fsck'), '-fn', '%s?offset=%d' % (RAW, root * 512)], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        check(done.returncode == 0, 'file-system', done.stdout)
    finally:
        os.unlink(RAW)


def refused(emulator):
    """The CD beside that disk: it is not empty, so nothing happens to it."""
    log, before = DISK[:-5] + 'log', os.stat(DISK).st_mtime_ns
    with Machine('-serial', 'file:' + log, '-cdrom', GUEST + '/installer.iso', '-boot', 'd',
                 '-drive', 'file=%s,format=qcow2,if=virtio' % DISK, program=emulator) as m:
        m.expect('step failed', 900)
        # The log comes a little later: what copies it looks once a second.
        until, text = time.monotonic() + 120, ''
        while 'cede-disk: error' not in text and time.monotonic() < until and m.pump(0.5):
            with open(log, errors='replace') as f:
                text = f.read()
    os.unlink(log)
    check(re.search('cede-disk: error: .* is not empty', text), 'not-empty', text[-1000:])
    check(os.stat(DISK).st_mtime_ns == before, 'untouched')


def main(emulator):
    for name in ('qemu-img', 'e2fsck', 'xorriso', 'grub-mkimage'):
        if not program(name):
            skip('%s is missing (make deps-test)' % name)
    for path in (DISK, DISK + '.new'):
        if os.path.exists(path):
            os.unlink(path)
    status, text = install(emulator)
    if status and re.search('cannot be had|cannot download', text):
        skip('the packages cannot be had')
    if not check(status == 0 and os.path.exists(DISK), 'installed', text):
        sys.exit(1)
    status, text = install(emulator)
    check(status == 0 and text.count('\n') == 1, 'installed-once', text)

    session(emulator, 'boots', [
        ('running', 'systemctl is-system-running --wait || systemctl --failed', r'^running'),
        ('root', 'findmnt -no SOURCE,FSTYPE /', r'^/dev/vda2 +ext4'),
        ('installer', 'cat /var/log/installer/lsb-release', r'X_INSTALLATION_MEDIUM=netboot'),
        ('packages', 'dpkg --audit; dpkg-query -Wf "\\${Status} \\${Package}\\n" linux-image-powerpc64le grub-ieee1275',
         r'^install ok installed grub-ieee1275\ninstall ok installed linux-image-powerpc64le\n$'),
        ('no-cd', 'cat /etc/apt/sources.list; ls /sys/block', r'^(?!.*(cdrom|sr0))'),
        ('writes', 'echo kept >kept; sync', r'^$')])
    refused(emulator)
    if program(QEMU):
        session(QEMU, 'boots-under-qemu', [('reads', 'cat kept', r'^kept$')])
    sound()
    os.unlink(DISK)


main(sys.argv[1] if len(sys.argv) > 1 else CEDE)
