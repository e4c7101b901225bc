"""One installed disk, many lives: cede with its built-in firmware, cede with SLOF and QEMU boot the same Debian image in turn.
In each boot packages come or go, and files are written, moved and deleted; then the machine is switched off.

    alternate.py [BOOTS [IMAGE]]     how often (50); the disk to copy, made by tools/guest/debian.sh if there is none

What is to be there is known beside the disk: the guest's checksums of its files must be those. After each boot the image is
sound; after every tenth and the last one the file system is, and each file of each package has the checksum of its package.
"""
# needs: programs guest
import hashlib
import os
import shutil
import subprocess
import sys
import time

from console import CEDE, Failure, Folder, GUEST, Machine, check, need, skip

QEMU = 'qemu-system-ppc64'
SLOF = '/usr/share/qemu/slof.bin'
PATH = os.environ['PATH'] + ':/usr/sbin:/sbin'
ROOT_AT = (2048 + 16384) * 512
EVERY = 10
FILES = 20
PACKAGED = 25
KEPT, SHARE = '/root/kept', '/usr/share/alternate'

# name, program, options, buses in turn.
WAYS = (('cede', CEDE, (), ('virtio', 'scsi')), ('slof', CEDE, ('-bios', SLOF), ('virtio', 'scsi')), ('qemu', QEMU, (), ('virtio', 'scsi')))

APT = ('apt-get -qy -o Dir::Etc::sourcelist=/mnt/repo.list -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0 '
       '-o Dpkg::Use-Pty=0 ')

# What apt-get does in a boot, in turn, and what packages are there then.
ORDERS = (('install one=1.0', {'one': '1.0'}), ('install two', {'one': '1.0', 'two': '1.0'}),
          ('install one=2.0', {'one': '2.0', 'two': '1.0'}), ('purge two', {'one': '2.0'}), ('purge one', {}))


def tool(*argv):
    p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=dict(os.environ, PATH=PATH))
    return p.returncode, p.stdout


def lines(n):
    """What `seq N` writes."""
    return ''.join('%d\n' % i for i in range(1, n + 1)).encode()


def digest(data):
    return hashlib.sha256(data).hexdigest()


# ---- The repository: a disk of its own ----

def packaged(name, version):
    """Paths and what is there."""
    seed = int(digest((name + version).encode())[:4], 16)
    return {'%s/%s/file%d' % (SHARE, name, i): lines(seed + i * 397) for i in range(PACKAGED)}


def make_package(folder, name, version):
    """Builds it; returns its paragraph of Packages."""
    root, deb = folder('root'), folder('%s_%s.deb' % (name, version))
    control = ('Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\n'
               'Description: files of a test\n' % (name, version))
    for path, data in packaged(name, version).items():
        os.makedirs(root + os.path.dirname(path), exist_ok=True)
        with open(root + path, 'wb') as f:
            f.write(data)
    os.makedirs(root + '/DEBIAN')
    with open(root + '/DEBIAN/control', 'w') as f:
        f.write(control)
    status, text = tool('dpkg-deb', '--root-owner-group', '-Znone', '-b', root, deb)
    if status:
        sys.exit('dpkg-deb: ' + text)
    shutil.rmtree(root)
    with open(deb, 'rb') as f:
        data = f.read()
    return control + 'Filename: ./%s\nSize: %d\nSHA256: %s\n\n' % (os.path.basename(deb), len(data), digest(data))


def make_repository(image):
    with Folder() as at:
        index = ''.join(make_package(at, *p) for p in (('one', '1.0'), ('one', '2.0'), ('two', '1.0')))
        with open(at('Packages'), 'w') as f:
            f.write(index)
        with open(at('repo.list'), 'w') as f:
            f.write('deb [trusted=yes] file:/mnt ./\n')
        status, text = tool('mkfs.ext4', '-q', '-F', '-L', 'repository', '-d', at.path, image, '64M')
        if status:
            sys.exit('mkfs.ext4: ' + text)


# ---- What is done in a boot, and what is there afterwards ----

def work_on(kept, boot):
    """The shell's commands; `kept` is brought up to date: a new folder, some of the last one's files elsewhere, an old one gone."""
    new, last, old = ('%s/boot%d' % (KEPT, boot - n) for n in (0, 1, 3))
    commands = ['mkdir -p %s' % new, 'for i in $(seq 1 %d); do seq 1 $((i * %d)) >%s/f$i; done' % (FILES, 101 + boot, new)]
    kept.update({'%s/f%d' % (new, i): lines(i * (101 + boot)) for i in range(1, FILES + 1)})
    if boot >= 1:
        for i in range(1, FILES, 3):
            commands.append('mv %s/f%d %s/moved%d' % (last, i, new, i))
            kept['%s/moved%d' % (new, i)] = kept.pop('%s/f%d' % (last, i))
    if boot >= 3:
        commands.append('rm -r ' + old)
        for path in [path for path in kept if path.startswith(old + '/')]:
            del kept[path]
    commands.append('seq 1 %d >>%s/log' % (boot * 7, KEPT))
    kept[KEPT + '/log'] = kept.get(KEPT + '/log', b'') + lines(boot * 7)
    return commands


def files_after(kept, boot):
    """All that the guest has, by name."""
    there = dict(kept)
    for name, version in ORDERS[boot % len(ORDERS)][1].items():
        there.update(packaged(name, version))
    return there


def listing(there):
    """What sha256sum says of them."""
    return ''.join('%s  %s\n' % (digest(there[path]), path) for path in sorted(there))


LIST = 'mkdir -p %s %s; find %s %s -type f | LC_ALL=C sort | xargs sha256sum' % (KEPT, SHARE, KEPT, SHARE)


def same_files(m, there, name):
    want = listing(there)
    said = m.command(LIST + ' | sha256sum', 120).split()[0]
    same = said == digest(want.encode())
    check(same, name, '' if same else (m.command(LIST, 120), want))
    return same


def session(disk, repository, boot, kept):
    """From power on to power off."""
    name, program, options, buses = WAYS[boot % len(WAYS)]
    bus = buses[boot // len(WAYS) % len(buses)]
    drives = ['-drive', 'file=%s,format=qcow2,if=%s' % (disk, bus),
              '-drive', 'file=%s,format=raw,if=%s,readonly=on' % (repository, bus)]
    label = '%d-%s-%s' % (boot, name, bus)
    with Machine(*options, *drives, program=program) as m:
        m.log_in(1500)
        if boot:
            m.command('sha256sum -c --quiet %s/../sums' % KEPT, 120)
            same_files(m, files_after(kept, boot - 1), label + '-finds')
        m.command('mount -o ro LABEL=repository /mnt', 60)
        m.command(APT + 'update', 300)
        m.command(APT + ORDERS[boot % len(ORDERS)][0], 300)
        for command in work_on(kept, boot):
            m.command(command, 120)
        m.command(LIST + ' >%s/../sums' % KEPT, 120)
        same_files(m, files_after(kept, boot), label + '-leaves')
        m.command('umount /mnt', 60)
        m.send('systemctl poweroff\n')
        check(m.wait(300) == 0, label + '-off', m.errors)


# ---- The disk while nobody runs it ----

def sums_of(folder):
    """Files of packages that are not what their package says."""
    info, wrong, all_ = folder + '/dpkg/info', [], 0
    for name in os.listdir(info):
        if not name.endswith('.md5sums'):
            continue
        with open(os.path.join(info, name)) as f:
            pairs = [line.rstrip('\n').split('  ', 1) for line in f]
        for want, path in pairs:
            at = os.path.join(folder, path if path.split('/')[0] in ('usr', 'boot') else 'usr/' + path)
            all_ += 1
            try:
                with open(at, 'rb') as f:
                    if hashlib.md5(f.read()).hexdigest() != want:
                        wrong.append(path)
            except OSError:
                wrong.append(path + ' is missing')
    return all_, wrong


def whole(disk, there, name):
    """The file system, each file of each package, each file of ours."""
    with Folder() as at:
        tool('qemu-img', 'convert', '-O', 'raw', disk, at('raw'))
        part = '%s?offset=%d' % (at('raw'), ROOT_AT)
        status, text = tool('e2fsck', '-fn', part)
        check(status == 0, name + '-file-system', text)
        os.mkdir(at('files'))
        for path in '/boot', '/usr', '/var/lib/dpkg', KEPT:
            tool('debugfs', '-R', 'rdump %s %s' % (path, at('files')), part)
        count, wrong = sums_of(at('files'))
        check(count > 1000 and not wrong, '%s-%d-packaged-files' % (name, count), wrong[:20])
        wrong = []
        for path, data in there.items():
            found = at('files') + path.replace('/root/', '/')
            if not os.path.exists(found) or open(found, 'rb').read() != data:
                wrong.append(path)
        check(not wrong, '%s-%d-files-of-ours' % (name, len(there)), wrong)


def made():
    """A disk, and whether it is to be removed."""
    disk = os.path.join(os.environ.get('B', 'build'), 'tests', 'alternate.qcow2')
    status, text = tool('env', 'DEBIAN_DISK=' + os.path.abspath(disk), 'DEBIAN_EMULATOR=' + CEDE, 'tools/guest/debian.sh', 'build')
    if status:
        sys.exit(text)
    return disk


def main(boots=50, image=None):
    need(GUEST + '/vmlinux', GUEST + '/initrd.gz', SLOF)
    for program in 'qemu-img', QEMU, 'mkfs.ext4', 'e2fsck', 'debugfs', 'dpkg-deb', 'fakeroot':
        if not shutil.which(program, path=PATH):
            skip('%s is missing (make deps-debian)' % program)
    with Folder() as at:
        disk, repository, kept = at('disk'), at('repository'), {}
        shutil.copyfile(image, disk) if image else shutil.move(made(), disk)
        make_repository(repository)
        for boot in range(boots):
            start = time.monotonic()
            session(disk, repository, boot, kept)
            seconds = time.monotonic() - start
            status, text = tool('qemu-img', 'check', disk)
            check(status == 0 and 'No errors' in text, '%d-image, %.1f s' % (boot, seconds), text)
            if boot % EVERY == EVERY - 1 or boot == boots - 1:
                whole(disk, files_after(kept, boot), str(boot))


try:
    main(*[int(a) for a in sys.argv[1:2]], *sys.argv[2:3])
except Failure as e:
    check(False, 'alternate', e)
    sys.exit(1)
