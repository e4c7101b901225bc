"""Virtual SCSI as the default bus of -drive and -cdrom: Debian's ibmvscsi reads and writes a file system on a disk and
reads a CD; SLOF finds both.

usage: vscsi.py disk|firmware"""
# needs: programs guest
import hashlib
import shutil
import subprocess

from console import Folder, Machine, check, linux, main, need, skip

SLOF = '/usr/share/qemu/slof.bin'
MKE2FS, DEBUGFS = shutil.which('mke2fs', path='/sbin:/usr/sbin:/bin:/usr/bin'), shutil.which('debugfs', path='/sbin:/usr/sbin:/bin:/usr/bin')
BLOCK = 2048


def make_images(folder):
    """An ext4 file system, and a CD of bytes that mean nothing."""
    if not MKE2FS or not DEBUGFS:
        skip('no mke2fs (package e2fsprogs)')
    disk, cd = folder('disk.img'), folder('cd.iso')
    with open(disk, 'wb') as f:
        f.truncate(16 << 20)
    subprocess.run([MKE2FS, '-q', '-t', 'ext4', disk], check=True)
    with open(cd, 'wb') as f:
        f.write(bytes(i * i * 31 // 7 & 0xff for i in range(BLOCK * 150)))
    return disk, cd


def disk():
    with Folder() as folder:
        disk, cd = make_images(folder)
        with open(cd, 'rb') as f:
            want = hashlib.md5(f.read()).hexdigest()
        command = 'mount /dev/sda /mnt && echo written >/mnt/file && umount /mnt && md5sum /dev/sr0'
        with linux('-drive', 'file=%s,format=raw' % disk, '-cdrom', cd, append='quiet cede.cmd="%s"' % command, ram='512M') as m:
            m.expect(want, 120)
            m.expect('cede guest status 0', 60)
            check(m.wait(60) == 0, 'ends', m.errors)
        found = subprocess.run([DEBUGFS, '-R', 'cat /file', disk], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        check(found == b'written\n', 'is-on-the-disk', found)


def firmware():
    need(SLOF)
    with Folder() as folder:
        disk, cd = make_images(folder)
        with Machine('-bios', SLOF, '-drive', 'file=%s,format=raw' % disk, '-cdrom', cd, ram='512M') as m:
            m.expect(r'8000000000000000 DISK', 100)
            m.expect(r'8200000000000000 CD-ROM', 10)
            m.expect(r'Trying to load:  from: /vdevice/v-scsi@71000002/disk@8000000000000000', 100)
            m.expect(r'Trying to load:  from: /vdevice/v-scsi@71000002/disk@8200000000000000', 60)
            m.expect('0 > ', 60)
            m.send('devalias\r')
            m.expect(r'cdrom\s*: /vdevice/v-scsi@71000002/disk@8200000000000000', 60)
            check(True, 'found')


main({'disk': disk, 'firmware': firmware})
