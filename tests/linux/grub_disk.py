"""Disks that GRUB boots from, made from Debian's modules: a PReP partition with GRUB's image, a file system with its
menu, the kernel and the initrd; and a CD. No root is needed."""
import os
import struct
import subprocess
import uuid
import zlib

SECTOR = 512
MODULES = ('part_gpt part_msdos ext2 iso9660 normal linux configfile echo test search search_fs_file loadenv reboot halt '
           'sleep ls cat boot terminal minicmd').split()
PREP_GUID = uuid.UUID('9e1a2d38-c612-4316-aa26-8b49521e5a8b')
DATA_GUID = uuid.UUID('0fc63daf-8483-4772-8e79-3d69d8477de4')

MENU = '''set timeout=%(timeout)s
set default=0
load_env
menuentry "first entry" {
    linux /vmlinux console=hvc0 %(append)s
    initrd /initrd.gz
}
menuentry "count a boot" {
    set count=x$count
    save_env count
    echo count is $count
    linux /vmlinux console=hvc0 counted=$count
    initrd /initrd.gz
}
menuentry "give up" {
    exit
}
'''


def core_image(path, modules, config, prefix):
    """GRUB's image: what grub-install would write into the PReP partition."""
    with open(path + '.cfg', 'w') as f:
        f.write(config)
    subprocess.run(['grub-mkimage', '-O', 'powerpc-ieee1275', '-d', modules, '-c', path + '.cfg', '-p', prefix, '-o', path]
                   + MODULES, check=True)


def file_system(path, files, size_mb):
    """An ext4 file system in a file, from a folder."""
    subprocess.run(['mke2fs', '-q', '-t', 'ext4', '-F', '-d', files, path, f'{size_mb}M'], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.PIPE)


def gpt(parts, sectors):
    """(first sectors, last ones) of a disk with these (GUID, first sector, sectors) on it."""
    entries = b''
    for i, (kind, first, count) in enumerate(parts):
        entries += kind.bytes_le + bytes([i + 1] * 16) + struct.pack('<QQQ', first, first + count - 1, 0) + bytes(72)
    entries += bytes(128 * 128 - len(entries))

    def head(own, other, array):
        h = struct.pack('<8sIIIIQQQQ16sQIII', b'EFI PART', 0x10000, 92, 0, 0, own, other, 34, sectors - 34, b'A' * 16, array,
                        128, 128, zlib.crc32(entries))
        h = h[:16] + struct.pack('<I', zlib.crc32(h)) + h[20:]
        return h + bytes(SECTOR - len(h))

    mbr = bytes(446) + struct.pack('<B3sB3sII', 0, b'', 0xee, b'', 1, sectors - 1) + bytes(48) + b'\x55\xaa'
    return mbr + head(1, sectors - 1, 2) + entries, entries + head(sectors - 1, 1, sectors - 33)


def mbr(parts):
    """The first sector of a disk with these (type, first sector, sectors) on it."""
    # SLOF boots from a PReP partition that is marked active.
    table = b''.join(struct.pack('<B3sB3sII', 0x80 * (kind == 0x41), b'', kind, b'', first, count) for kind, first, count in parts)
    return bytes(446) + table + bytes(64 - len(table)) + b'\x55\xaa'


def write_disk(path, core, fs, table):
    """A disk of a PReP partition with `core` and one with the file system `fs`."""
    prep_first, prep = 2048, 16384
    fs_first, fs_sectors = prep_first + prep, os.path.getsize(fs) // SECTOR
    sectors = fs_first + fs_sectors + 2048
    with open(path, 'wb') as f:
        f.truncate(sectors * SECTOR)
        if table == 'gpt':
            first, last = gpt([(PREP_GUID, prep_first, prep), (DATA_GUID, fs_first, fs_sectors)], sectors)
            f.write(first)
            f.seek((sectors - 33) * SECTOR)
            f.write(last)
        else:
            f.write(mbr([(0x41, prep_first, prep), (0x83, fs_first, fs_sectors)]))
        f.seek(prep_first * SECTOR)
        with open(core, 'rb') as c:
            f.write(c.read())
    subprocess.run(['dd', f'if={fs}', f'of={path}', f'seek={fs_first}', 'conv=notrunc,sparse', 'status=none', f'bs={SECTOR}'],
                   check=True)


def make(folder, modules, kernel, initrd, table='gpt', timeout=3, append=''):
    """The disk: its path."""
    files = os.path.join(folder, 'files')
    os.makedirs(os.path.join(files, 'boot/grub'), exist_ok=True)
    for name, source in (('vmlinux', kernel), ('initrd.gz', initrd)):
        if not os.path.exists(os.path.join(files, name)):
            os.link(source, os.path.join(files, name)) if os.stat(source).st_dev == os.stat(folder).st_dev else \
                subprocess.run(['cp', source, os.path.join(files, name)], check=True)
    with open(os.path.join(files, 'boot/grub/grub.cfg'), 'w') as f:
        f.write(MENU % {'timeout': timeout, 'append': append})
    with open(os.path.join(files, 'boot/grub/grubenv'), 'w') as f:
        f.write('# GRUB Environment Block\n'.ljust(1024, '#'))
    core, fs, disk = (os.path.join(folder, name) for name in ('core.elf', 'fs.img', f'{table}.img'))
    # No device in front: GRUB takes the one that the firmware has booted from.
    core_image(core, modules, 'configfile $prefix/grub.cfg\n', '(,%s2)/boot/grub' % {'gpt': 'gpt', 'mbr': 'msdos'}[table])
    megabytes = sum(os.path.getsize(p) for p in (kernel, initrd)) // (1 << 20) + 24
    file_system(fs, files, megabytes)
    write_disk(disk, core, fs, table)
    return disk


def make_cd(folder, modules, kernel, initrd, timeout=3, append=''):
    """The CD: its path. As grub-mkrescue has it: \\ppc\\bootinfo.txt names the image."""
    files = os.path.join(folder, 'cd')
    os.makedirs(os.path.join(files, 'boot/grub'), exist_ok=True)
    os.makedirs(os.path.join(files, 'ppc'), exist_ok=True)
    for name, source in (('vmlinux', kernel), ('initrd.gz', initrd)):
        subprocess.run(['cp', source, os.path.join(files, name)], check=True)
    core_image(os.path.join(files, 'boot/grub/powerpc.elf'), modules,
               'configfile $prefix/grub.cfg\n', '()/boot/grub')
    with open(os.path.join(files, 'ppc/bootinfo.txt'), 'w') as f:
        f.write('<chrp-boot>\n<description>GRUB</description>\n<os-name>GRUB</os-name>\n'
                '<boot-script>boot &device;:\\boot\\grub\\powerpc.elf</boot-script>\n</chrp-boot>\n')
    with open(os.path.join(files, 'boot/grub/grub.cfg'), 'w') as f:
        f.write(MENU % {'timeout': timeout, 'append': append})
    iso = os.path.join(folder, 'cd.iso')
    subprocess.run(['xorriso', '-as', 'mkisofs', '-quiet', '-R', '-o', iso, files], check=True, stderr=subprocess.DEVNULL)
    return iso
