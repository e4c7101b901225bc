"""A Debian system on a disk of its own: made from packages, booted from the disk, logged into, switched off; the file
system and the image are sound afterwards. What the first boot wrote, the second one finds. Where QEMU is, it boots the
same disk in between.

    debian.py [EMULATOR...]     with these instead of cede and qemu-system-ppc64; the first makes the disk
"""
# needs: programs guest
import os
import re
import shutil
import subprocess
import sys

from console import CEDE, GUEST, Machine, check, need, skip

QEMU = 'qemu-system-ppc64'
DISK = os.path.join(os.environ.get('B', 'build'), 'tests', 'debian.qcow2')
RAW = DISK[:-5] + 'raw'
ROOT_AT = (2048 + 16384) * 512


def build(emulator):
    """Makes the disk, or leaves it alone."""
    env = dict(os.environ, DEBIAN_EMULATOR=emulator, DEBIAN_DISK=os.path.abspath(DISK))
    done = subprocess.run(['tools/guest/debian.sh', 'build'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, env=env)
    print(done.stdout, end='')
    return done.returncode, done.stdout


def sound(name):
    """What qemu-img and e2fsck say of the disk while nobody runs it."""
    done = subprocess.run(['qemu-img', 'check', DISK], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    check(done.returncode == 0, name + '-image', done.stdout)
    subprocess.run(['qemu-img', 'convert', '-O', 'raw', DISK, RAW], check=True)
    e2fsck = shutil.which('e2fsck', path=os.environ['PATH'] + ':/usr/sbin:/sbin')
    done = subprocess.run([e2fsck, '-fn', '%s?offset=%d' % (RAW, ROOT_AT)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    os.unlink(RAW)
    check(done.returncode == 0, name + '-file-system', done.stdout)


def session(emulator, name, work):
    """From power on to a login, some work, and the machine off."""
    with Machine('-drive', 'file=%s,format=qcow2,if=virtio' % DISK, cpus='2', ram='2G', program=emulator) as m:
        m.log_in()
        for command, pattern in work:
            try:
                text = m.command(command, 300)
            except Exception as e:
                text = str(e)
            check(re.search(pattern, text), '%s-%s' % (name, re.sub(r'\W+', '-', command)[:40].strip('-')), text)
        m.send('systemctl poweroff\n')
        check(m.wait(300) == 0, name + '-off', m.errors)


def main(emulators):
    need(GUEST + '/vmlinux', GUEST + '/initrd.gz')
    for program in ('qemu-img', 'fakeroot'):
        if not shutil.which(program):
            skip('%s is missing (make deps-debian)' % program)
    emulators = emulators or [CEDE] + ([QEMU] if shutil.which(QEMU) else [])
    if os.path.exists(DISK):
        os.unlink(DISK)
    status, text = build(emulators[0])
    check(status == 0 and os.path.exists(DISK), 'made', text)
    identity = lambda: (os.stat(DISK).st_ino, os.stat(DISK).st_mtime_ns)
    before = identity()
    status, text = build(emulators[0])
    check(status == 0 and text.count('\n') == 1 and before == identity(), 'made-once', text)
    size = os.stat(DISK).st_blocks * 512 / 1e6
    check(size < 1000, 'small', size)

    work = [('systemctl is-system-running --wait || systemctl --failed', r'^running'),
            ('dpkg --audit; dpkg --verify; apt-get check', r'^(.{9}c .*\n|Reading.*\n|Building.*\n)*$'),
            ('apt-get --version', r'ppc64el'),
            ('findmnt -no SOURCE,FSTYPE,OPTIONS /', r'/dev/[vs]da2 +ext4 +rw')]
    for number, emulator in enumerate(emulators + emulators[:1]):
        name = '%d-%s' % (number, os.path.basename(emulator))
        found = [('wc -l <kept', '^%d$' % number)] if number else []
        session(emulator, name, work + found + [('echo %s >>kept; sync' % name, '^$')])
        sound(name)
    os.unlink(DISK)


main(sys.argv[1:])
