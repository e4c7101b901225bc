"""SLOF as the firmware: a kernel that cede brings takes a tree of SLOF's making; GRUB and Linux come from disks and a CD."""
# needs: programs guest
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import grub_disk                                                                        # noqa: E402
from console import GUEST, INITRD, KERNEL, Folder, Machine, check, linux, main, need, skip      # noqa: E402

SLOF = '/usr/share/qemu/slof.bin'
MODULES = GUEST + '/grub/powerpc-ieee1275'
DEBIAN = os.path.join(os.environ.get('B', 'build'), 'tests', 'debian.qcow2')     # what linux/debian has made

# How a disk is attached: by the paths that SLOF has for it.
WAYS = {
    'blk': ['-device', 'virtio-blk-pci,drive=d'],
    'scsi': ['-device', 'virtio-scsi-pci,id=s', '-device', 'scsi-hd,bus=s.0,drive=d'],
    'vscsi': ['-device', 'spapr-vscsi,id=s', '-device', 'scsi-hd,bus=s.0,drive=d'],
    'cd': ['-device', 'spapr-vscsi,id=s', '-device', 'scsi-cd,bus=s.0,drive=d'],
}


def kernel(append='', mmu='Radix'):
    need(SLOF)
    with tempfile.NamedTemporaryFile() as trace:
        with linux('-bios', SLOF, '-d', 'hcall,guest_errors', '-D', trace.name, append=append + 'quiet cede.cmd="cat /proc/cpuinfo"') as m:
            m.expect('cede guest status 0', 200)
            check(m.wait(60) == 0, 'boots', m.errors)
            check(re.findall(r'^MMU\s*: (\w+)', m.text, re.M) == [mmu], 'mmu', re.findall(r'MMU.*', m.text))
        text = open(trace.name).read()
    given = re.findall(r'H_UPDATE_DT .* = (\S+)', text)
    check(given and set(given) == {'0'}, 'tree-taken', (given, re.findall(r'.*device tree refused.*', text)))


def hashed():
    """The kernel asks SLOF for a hash page table, and SLOF asks H_CAS."""
    kernel('disable_radix ', 'Hash')


def tools():
    need(SLOF, KERNEL, INITRD, MODULES)
    for program in ('grub-mkimage', 'mke2fs', 'xorriso'):
        if not shutil.which(program, path=os.environ['PATH'] + ':/usr/sbin:/sbin'):
            skip(program + ' is missing (make deps)')


def attached(way, path, format_='raw'):
    return ['-bios', SLOF, '-clock', 'warp', '-d', 'guest_errors', *WAYS[way],
            '-drive', 'file=%s,if=none,id=d,format=%s%s' % (path, format_, ',readonly=on' if way == 'cd' else '')]


def network():
    """GRUB's image by DHCP and TFTP, over SLOF's drivers of both cards."""
    tools()
    with Folder() as at:
        os.mkdir(at('tftp'))
        grub_disk.core_image(at('tftp/core'), MODULES, 'echo GRUB from the network\nhalt\n', '/')
        for model in 'virtio-net-pci', 'spapr-vlan':
            with Machine('-bios', SLOF, '-boot', 'n', '-clock', 'warp', '-d', 'guest_errors', '-nic', 'user,model=%s,tftp=%s,bootfile=core' % (model, at('tftp'))) as m:
                m.expect('Using IPv4 address: 10.0.2.15', 60)
                m.expect('Requesting file "core" via TFTP from 10.0.2.2', 20)
                m.expect('GRUB from the network', 60)
                check(m.wait(60) == 0 and not m.errors, 'network-' + model, m.errors)


def boots(way, path, until):
    with Machine(*attached(way, path)) as m:
        m.expect('Trying to load: .*(scsi|disk)@', 60)
        m.expect('Welcome to GRUB!', 60)
        m.expect(until, 200)
        check(m.wait(60) == 0 if 'status' in until else True, way, m.errors)
        check('virtioblk_transfer failed' not in m.text and not m.errors, way + '-silently', m.errors)


def disk():
    """GRUB on virtio-blk, up to the kernel's first line."""
    tools()
    with Folder() as folder:
        boots('blk', grub_disk.make(folder.path, MODULES, KERNEL, INITRD, 'mbr', timeout=0, append='cede.cmd=true'), 'Linux version')


def ways():
    """Each way to attach a disk, both partition tables, and a CD; to the end of what Linux has to do."""
    tools()
    done = dict(timeout=0, append='quiet cede.cmd=true')
    with Folder() as folder:
        mbr = grub_disk.make(folder.path, MODULES, KERNEL, INITRD, 'mbr', **done)
        for way in ('blk', 'scsi', 'vscsi'):
            boots(way, mbr, 'cede guest status 0')
        boots('blk', grub_disk.make(folder.path, MODULES, KERNEL, INITRD, 'gpt', **done), 'cede guest status 0')
        boots('cd', grub_disk.make_cd(folder.path, MODULES, KERNEL, INITRD, **done), 'cede guest status 0')


def nvram():
    """What SLOF stores in the NVRAM's file is there the next time: a variable that is set at its prompt."""
    need(SLOF)
    with Folder() as folder:
        with open(folder('nvram'), 'wb') as f:
            f.truncate(65536)
        for line, wanted in (('setenv boot-file kept-for-later', ' ok'), ('printenv boot-file', 'kept-for-later')):
            with Machine('-bios', SLOF, '-clock', 'warp', '-drive', 'file=%s,if=pflash,format=raw' % folder('nvram')) as m:
                m.expect('Welcome to Open Firmware', 60)
                m.expect('0 > ', 60)
                m.send(line + '\r')
                m.expect(wanted, 20)
                check(True, line.split()[0])


def debian():
    """The Debian system that linux/debian has installed, to its login."""
    need(SLOF)
    if not os.path.exists(DEBIAN):
        skip(DEBIAN + ' is missing (linux/debian makes it)')
    with Folder() as folder:
        for way in ('blk', 'scsi', 'vscsi'):
            subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', os.path.abspath(DEBIAN), '-F', 'qcow2', folder(way)], check=True)
            with Machine(*attached(way, folder(way), 'qcow2'), ram='2G') as m:
                m.expect('Welcome to GRUB!', 100)
                m.expect('debian login: ', 600)
                check(not m.errors, way + '-login', m.errors)


if __name__ == '__main__':
    main({'kernel': kernel, 'hash': hashed, 'disk': disk, 'ways': ways, 'nvram': nvram, 'debian': debian, 'network': network})
