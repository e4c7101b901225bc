"""Disks in snapshots: whatever is saved, run on and loaded in which order, a guest finds its disk as it was at the save."""
# needs: programs guest
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, '..', 'linux')]
from console import CEDE, Failure, Folder, check, linux, main, need, skip     # noqa: E402
from monitor import Client      # noqa: E402
from qemu import QEMU, Qemu     # noqa: E402

RAM = '256M'


def run(*argv):
    p = subprocess.run(argv, capture_output=True)
    return p.returncode, p.stdout.decode('utf-8', 'replace') + p.stderr.decode('utf-8', 'replace')


def make_image(path, size='64M', kind='qcow2'):
    """An ext4 filesystem in an image."""
    raw = path + '.raw'
    with open(raw, 'wb') as f:
        f.truncate(int(size[:-1]) << 20)
    if run('mke2fs', '-q', '-F', '-t', 'ext4', raw)[0]:
        skip('mke2fs is missing')
    if kind == 'raw':
        os.rename(raw, path)
    else:
        check(run('qemu-img', 'convert', '-O', kind, raw, path)[0] == 0, 'image-made')
        os.remove(raw)


def is_clean(path, name):
    """The image's own tables and the filesystem in it."""
    code, text = run('qemu-img', 'check', path)
    check(code == 0, name + '-image-is-clean', text)
    run('qemu-img', 'convert', '-O', 'raw', path, path + '.flat')
    code, text = run('e2fsck', '-fn', path + '.flat')
    check(code == 0, name + '-filesystem-is-clean', text)
    os.remove(path + '.flat')


def content(path):
    """What a guest would read."""
    run('qemu-img', 'convert', '-O', 'raw', path, path + '.flat')
    with open(path + '.flat', 'rb') as f:
        return hashlib.sha256(f.read()).hexdigest()


def disk(path, more=''):
    return ['-drive', 'file=%s,if=none,id=d0%s' % (path, more or ',format=qcow2'), '-device', 'virtio-blk-pci,drive=d0']


def start(at, *options, **kw):
    m = linux('-monitor', 'unix:%s,server=on,wait=off' % at('m'), *options, ram=RAM, **kw)
    m.shell()
    m.command('mkdir -p /d && mount -t ext4 /dev/vda /d')
    h = Client(m, at('m'))
    h.until(r'\(cede\) ')
    return m, h


def names():
    """savevm, loadvm, delvm, info snapshots: in the image, as QEMU has them."""
    with Folder() as at:
        make_image(at('disk'))
        m, h = start(at, *disk(at('disk')))
        with m:
            m.command('echo one >/d/file && sync')
            check(h.hmp('savevm a') == '', 'savevm')
            m.command('echo two >/d/file; echo new >/d/other; sync')
            check(h.hmp('savevm b') == '', 'savevm-again')
            m.command('rm /d/file /d/other; sync')
            check(h.hmp('loadvm a') == '', 'loadvm')
            check(m.command('cat /d/file; ls /d; echo 3 >/proc/sys/vm/drop_caches; cat /d/file').split() ==
                  ['one', 'file', 'lost+found', 'one'], 'as-at-a')
            m.command('echo three >/d/file; sync')
            check(h.hmp('loadvm b') == '', 'loadvm-later')
            check(m.command('echo 3 >/proc/sys/vm/drop_caches; cat /d/file /d/other').split() == ['two', 'new'], 'as-at-b')
            listed = h.hmp('info snapshots')
            check(re.search(r'\ba\b.*MiB', listed) and re.search(r'\bb\b.*MiB', listed), 'info-snapshots', listed)
            check('does not exist in one or more devices' in h.hmp('loadvm nobody'), 'unknown')
            check(m.command('cat /d/file').strip() == 'two', 'unknown-changes-nothing')
            check(h.hmp('savevm a') == '', 'savevm-replaces')
            check(h.hmp('delvm b') == '' and ' b ' not in h.hmp('info snapshots'), 'delvm')
            h.s.sendall(b'quit\n')
            check(m.wait(30) == 0, 'quit', m.errors)
        code, text = run('qemu-img', 'snapshot', '-l', at('disk'))
        check(code == 0 and len(re.findall(r' a ', text)) == 1 and ' b ' not in text and 'cede' not in text, 'qemu-img-lists', text)
        check(run('qemu-img', 'check', at('disk'))[0] == 0, 'checked')
        m = linux(*disk(at('disk')), '-loadvm', 'a', ram=RAM)
        with m:
            m.send('\n')
            m.expect('# ', 30)
            check(m.command('cat /d/file /d/other').split() == ['two', 'new'], 'loadvm-at-start')
            m.command('umount /d')
            m.send('poweroff -f\n')
            check(m.wait(30) == 0, 'power-off')
        is_clean(at('disk'), 'after')
        before = content(at('disk'))
        m = linux(*disk(at('disk')), '-loadvm', 'a', ram='512M')
        with m:
            check(m.wait(30) == 1 and m.errors.count('\n') == 1, 'not-this-machine', m.errors)
        check(content(at('disk')) == before, 'and-the-disk-stays')


def files():
    """-save FILE names a state of the disk, and -loadvm FILE returns it there."""
    with Folder() as at:
        make_image(at('disk'))
        m, h = start(at, *disk(at('disk')), '-save', at('s'))
        with m:
            m.command('echo one >/d/file && sync')
            m.kill(10)
            until = time.monotonic() + 30
            while not os.path.exists(at('s')) and time.monotonic() < until:
                m.pump(0.1)
            check(os.path.exists(at('s')), 'saved')
            first = os.stat(at('s')).st_ino
            m.kill(10)
            while os.stat(at('s')).st_ino == first and time.monotonic() < until:
                m.pump(0.1)
            m.command('echo two >/d/file && sync && umount /d')
            m.send('poweroff -f\n')
            m.wait(30)
        is_clean(at('disk'), 'left')
        for _ in range(2):
            m = linux(*disk(at('disk')), '-loadvm', at('s'), ram=RAM)
            with m:
                m.send('\n')
                m.expect('# ', 30)
                check(m.command('echo 3 >/proc/sys/vm/drop_caches; cat /d/file').strip() == 'one', 'as-at-the-save')
                m.command('echo three >/d/file && sync && umount /d')
                m.send('poweroff -f\n')
                m.wait(30)
        is_clean(at('disk'), 'again')
        states = re.findall(r'cede-\S+', run('qemu-img', 'snapshot', '-l', at('disk'))[1])
        check(len(states) == 1, 'the-state-of-the-file-before-is-gone', states)
        run('qemu-img', 'snapshot', '-d', states[0], at('disk'))
        m = linux(*disk(at('disk')), '-loadvm', at('s'), ram=RAM)
        with m:
            check(m.wait(30) == 1 and 'd0' in m.errors and states[0] in m.errors and m.errors.count('\n') == 1, 'state-is-gone', m.errors)


def refused():
    """A raw disk keeps no states: one line with the command that converts it; with snapshot=on nothing is kept."""
    with Folder() as at:
        make_image(at('disk'), kind='raw')
        m, h = start(at, *disk(at('disk'), ',format=raw'))
        with m:
            text = h.hmp('savevm a')
            check("'d0' is writable but does not support snapshots" in text and 'qemu-img convert' in text, 'raw', text)
            h.s.sendall(b'quit\n')
            m.wait(30)
        too_large(at)
        swapped(at)
        named_well(at)


def swapped(at):
    """Two disks of one save, each in the other's place."""
    for name in ('one', 'two'):
        run('qemu-img', 'create', '-q', '-f', 'qcow2', at(name), '1M')

    def ends(first, second, *options):
        drives = ['-drive', 'file=%s,if=virtio,format=qcow2' % at(first), '-drive', 'file=%s,if=virtio,format=qcow2' % at(second)]
        with linux(*drives, *options, ram=RAM) as m:
            return m.wait(30), m.errors

    status, text = ends('one', 'two', '-save', at('both') + '@2000000,quit=on')
    check(status == 0, 'two-disks-saved', text)
    status, text = ends('two', 'one', '-loadvm', at('both'), '-save', at('none') + '@3000000,quit=on')
    check(status == 1 and text.count('\n') == 1 and "'virtio0' (%s) has no state" % at('two') in text, 'two-disks-swapped', text)
    status, text = ends('one', 'two', '-loadvm', at('both'), '-save', at('again') + '@3000000,quit=on')
    check(status == 0 and os.path.exists(at('again')), 'two-disks-as-they-were', text)


def named_well(at):
    """What differs, and the user's own image, not what lies over it."""
    drive = ['-drive', 'file=%s,if=virtio,format=qcow2' % at('one')]

    def says(name, wanted, *options, cpus):
        code, text = run(CEDE, '-m', RAM, '-nographic', '-smp', cpus, *drive, *options)
        check(code == 1 and text.count('\n') == 1 and wanted in text, name, text)

    with linux(*drive, '-save', at('s') + '@2000000,quit=on', cpus='2', ram=RAM) as m:
        check(m.wait(30) == 0, 'saved', m.errors)
    run('qemu-img', 'create', '-q', '-f', 'qcow2', at('moment'), '1M')
    for name in ('moment', 'one'):
        run('qemu-img', 'snapshot', '-c', 'x', at(name))
        time.sleep(1.1)
    code, text = run(CEDE, '-m', RAM, '-nographic', '-drive', 'file=%s,if=virtio,format=qcow2' % at('moment'), *drive, '-smp', '2', '-loadvm', 'x')
    check(code == 1 and text.count('\n') == 1 and "has a state 'x' of another moment than drive 'virtio0'" in text, 'another-moment', text)
    says('fewer-processors', 'expected 3 processors, found 2 (-smp)', '-loadvm', at('s'), cpus='3')
    says('more-processors', 'expected 1 processors, found 2 (-smp)', '-loadvm', at('s'), cpus='1')
    says('nowhere', "Snapshot 'nobody' does not exist in one or more devices, and no file is called so", '-loadvm', 'nobody', cpus='2')
    for state in re.findall(r'cede-\S+', run('qemu-img', 'snapshot', '-l', at('one'))[1]):
        run('qemu-img', 'snapshot', '-d', state, at('one'))
    says('user-s-image', "'virtio0' (%s) has no state" % at('one'), '-loadvm', at('s'), '-snapshot', cpus='2')


def too_large(at):
    """An image whose snapshot says that it has 512 TiB of a machine: they are not copied out first."""
    image = at('large')
    if run('qemu-img', 'create', '-f', 'qcow2', image, '1M')[0] or run('qemu-img', 'snapshot', '-c', 'big', image)[0]:
        skip('qemu-img is missing')
    with open(image, 'r+b') as f:
        f.seek(64)
        f.seek(int.from_bytes(f.read(8), 'big') + 40)
        f.write((1 << 49).to_bytes(8, 'big'))
    code, text = run(CEDE, '-m', RAM, '-nographic', *disk(image), '-loadvm', 'big')
    check(code == 1 and "Snapshot 'big' is larger than this machine can be" in text and text.count('\n') == 1, 'too-large', text)


def media():
    """CDs and disks that are only read: with another one a load is refused, and says which is where; a copy is the same."""
    with Folder() as at:
        for name, first in (('a', 1), ('b', 2), ('c', 1)):
            with open(at(name), 'wb') as f:
                f.write(bytes([first]) * (3 << 20))
        with open(at('longer'), 'wb') as f:
            f.write(bytes([1]) * (4 << 20))
        run('qemu-img', 'create', '-q', '-f', 'qcow2', at('disk'), '1M')

        def ends(*options, cd='a', read='a', kind='readonly=on,format=raw', disk='', more=()):
            drives = ['-device', 'virtio-scsi-pci', '-device', 'scsi-cd,drive=cd', '-device', 'scsi-hd,drive=read',
                      '-drive', 'if=none,id=cd,media=cdrom' + (cd and ',format=raw,file=' + at(cd)),
                      '-drive', 'if=none,id=read,file=%s,%s' % (at(read), kind),
                      '-drive', 'if=virtio,id=disk,format=qcow2,file=%s%s' % (at('disk'), disk), *more]
            with linux(*drives, *options, ram=RAM) as m:
                return m.wait(30), m.errors

        def loads(name, refusal='', state='s', **kw):
            status, text = ends('-loadvm', at(state), '-save', at('end') + '@3000000,quit=on', **kw)
            if refusal:
                check(status == 1 and text.count('\n') == 1 and re.search(refusal, text), name, text)
            else:
                check(status == 0, name, text)

        status, text = ends('-save', at('s') + '@2000000,quit=on', '-d', 'statehash')
        check(status == 0, 'saved', text)
        loads('the-same')
        loads('a-copy', cd='c', read='c')
        loads('another-cd', "'cd' has '%s' of 3145728 bytes, read-only; .* had another one: '%s'" % (at('b'), at('a')), cd='b')
        loads('a-longer-one', "'read' has '%s' of 4194304 bytes.* '%s' of 3145728 bytes" % (at('longer'), at('a')), read='longer')
        loads('no-cd', "'cd' has no medium; .* had '%s' of" % at('a'), cd='')
        loads('writable', "'read' has '%s', which is writable; .* had '%s' of .*, read-only" % (at('copy'), at('a')),
              read=shutil.copyfile(at('a'), at('copy')), kind='format=raw')
        loads('not-writable', "'disk' has '%s' of 1048576 bytes, read-only; .* '.*', which is writable" % at('disk'), disk=',readonly=on')
        status, text = ends('-save', at('e') + '@2000000,quit=on', cd='')
        check(status == 0, 'saved-without-cd', text)
        loads('still-none', state='e', cd='')
        loads('one-is-there', "'cd' has '%s' of .*; .* had no medium" % at('a'), state='e')
        with open(at('a'), 'r+b') as f:     # where nobody looks
            f.seek((1 << 20) + 6000)
            f.write(b'x')
        loads('written', "'cd' .'%s'. is read-only, and was written to after" % at('a'))
        changed(at)
        served(at)
        based(at)


def changed(at):
    """By a monitor: the CD that is not there any more is what loadvm asks for, and the machine goes on as it is."""
    cd = ['-device', 'virtio-scsi-pci', '-drive', 'if=none,id=cd,media=cdrom,format=raw,file=' + at('b'), '-device', 'scsi-cd,drive=cd']
    make_image(at('ext4'))
    # A folder that is mounted is no reason not to save: only QEMU has no place for that.
    share = ['-virtfs', 'local,path=%s,mount_tag=laptop,security_model=none' % at.path]
    m, h = start(at, *disk(at('ext4')), *cd, *share)
    with m:
        m.command('modprobe 9p && mkdir /l && mount -t 9p -o trans=virtio,version=9p2000.L laptop /l')
        m.command('echo one >/d/file && sync')
        check(h.hmp('savevm a') == '', 'savevm')
        m.command('echo two >/d/file && sync')
        h.hmp('eject cd')
        check("'cd' has no medium" in h.hmp('loadvm a'), 'loadvm-without')
        check(m.command('cat /d/file').strip() == 'two', 'as-it-was')
        h.hmp('change cd %s raw' % at('longer'))
        text = h.hmp('loadvm a')
        check("'cd' has '%s'" % at('longer') in text and at('b') in text, 'loadvm-with-another', text)
        h.hmp('change cd %s raw' % at('b'))
        check(h.hmp('loadvm a') == '' and m.command('cat /d/file').strip() == 'one', 'loadvm-with-it')
        h.s.sendall(b'quit\n')
        m.wait(30)


def based(at):
    """What a writable disk is based on is another image, or has been written to; so has a disk whose machine was sent away."""
    run('qemu-img', 'create', '-q', '-f', 'qcow2', at('base'), '8M')
    for name in ('base', 'other'):
        shutil.copyfile(at('base'), at(name)) if name == 'other' else run('qemu-io', '-c', 'write -P 1 4M 1M', at(name))
    run('qemu-img', 'create', '-q', '-f', 'qcow2', '-b', at('base'), '-F', 'qcow2', at('top'))

    def ends(*options):
        with linux('-drive', 'file=%s,if=virtio,format=qcow2' % at('top'), *options, ram=RAM) as m:
            return m.wait(30), m.errors

    def loads(name, refusal):
        status, text = ends('-loadvm', at('t'), '-save', at('end') + '@3000000,quit=on')
        check(status == 0 if not refusal else status == 1 and text.count('\n') == 1 and refusal in text, name, text)

    status, text = ends('-save', at('t') + '@2000000,quit=on')
    check(status == 0, 'based-saved', text)
    loads('based-on-the-same', '')
    run('qemu-img', 'rebase', '-u', '-b', at('other'), '-F', 'qcow2', at('top'))
    loads('based-on-a-copy', '')
    run('qemu-io', '-c', 'write -P 2 0 64k', at('other'))
    loads('based-on-another', 'is based on another image than when the machine was saved')
    status, text = ends('-loadvm', at('t'), '-snapshot')
    check(status == 1 and "('%s') is based on another image" % at('top') in text, 'based-on-another-of-the-user-s', text)
    run('qemu-img', 'rebase', '-u', '-b', at('base'), '-F', 'qcow2', at('top'))
    run('qemu-io', '-c', 'write -P 2 1070k 512', at('base'))
    loads('based-on-what-was-written', 'is based on an image that was written to after')
    unreadable(at)


def unreadable(at):
    """A CD whose server is gone: no snapshot says of it what nobody has read."""
    server = subprocess.Popen(['qemu-nbd', '-r', '-t', '-k', at('gone'), '-f', 'raw', '-x', 'd', at('b')])
    while not os.path.exists(at('gone')) and server.poll() is None:
        time.sleep(0.05)
    drive = ['-drive', 'file=nbd:unix:%s:exportname=d,format=raw,if=virtio,readonly=on' % at('gone')]
    # Whole pages only, and of a size that no 256 of them make.
    with open(at('pages'), 'wb') as f:
        f.truncate((3 << 20) + 4096 * 7)
    whole = subprocess.Popen(['qemu-nbd', '-r', '-t', '-k', at('whole'), '-x', 'd', '--image-opts',
                              'driver=blkdebug,align=4096,image.driver=raw,image.file.driver=file,image.file.filename=' + at('pages')])
    while not os.path.exists(at('whole')) and whole.poll() is None:
        time.sleep(0.05)
    with linux('-drive', 'file=nbd:unix:%s:exportname=d,format=raw,if=virtio,readonly=on' % at('whole'), '-save', at('w') + '@2000000,quit=on', ram=RAM) as m:
        check(m.wait(30) == 0, 'whole-pages', m.errors)
    whole.terminate()
    whole.wait()
    with linux(*drive, '-save', at('u'), '-monitor', 'unix:%s,server=on,wait=off' % at('m'), ram=RAM) as m:
        m.shell()
        h = Client(m, at('m'))
        h.until(r'\(cede\) ')
        server.kill()
        server.wait()
        m.kill(10)
        m.command('true')
        h.s.sendall(b'quit\n')
        check(m.wait(30) == 1 and 'cannot be read' in m.errors and not os.path.exists(at('u')), 'unreadable', m.errors)


def served(at):
    """By a server, to which the copy of the process that writes a snapshot says nothing: the guest reads on."""
    if not shutil.which('qemu-nbd'):
        skip('qemu-nbd is missing')
    server = subprocess.Popen(['qemu-nbd', '-r', '-t', '-k', at('socket'), '-f', 'raw', '-x', 'd', at('b')])
    try:
        for _ in range(200):
            if os.path.exists(at('socket')):
                break
            time.sleep(0.05)
        drive = ['-drive', 'file=nbd:unix:%s:exportname=d,format=raw,if=virtio,readonly=on' % at('socket')]
        with linux(*drive, '-save', at('beside') + ',background=on', ram=RAM) as m:
            m.shell()
            sum_of = 'echo 3 >/proc/sys/vm/drop_caches; md5sum </dev/vda'
            wanted = m.command(sum_of)
            m.kill(10)
            until = time.monotonic() + 30
            while not os.path.exists(at('beside')) and time.monotonic() < until:
                check(m.command(sum_of) == wanted, 'read-beside-the-save')
            check(m.command(sum_of) == wanted and os.path.exists(at('beside')), 'read-after-the-save')
        with linux(*drive, '-loadvm', at('beside'), ram=RAM) as m:
            m.send('\n')
            m.expect('# ', 30)
            check(m.command(sum_of) == wanted, 'read-after-the-load')
    finally:
        server.terminate()
        server.wait()


def forks():
    """-snapshot: many guests go on from one snapshot and one image at once, each with what it writes; the image stays as it is."""
    with Folder() as at:
        make_image(at('disk'))
        m, h = start(at, *disk(at('disk')), '-save', at('s') + '@' + str(10**12), '-save', at('s') + ',layout=mapped')
        with m:
            m.command('echo base >/d/file && sync')
            check(h.hmp('savevm a') == '', 'savevm')
            m.kill(10)
            until = time.monotonic() + 30
            while not os.path.exists(at('s')) and time.monotonic() < until:
                m.pump(0.1)
            m.command('echo later >/d/file && sync')
            h.s.sendall(b'quit\n')
            m.wait(30)
        before = open(at('disk'), 'rb').read()
        guests = [linux(*disk(at('disk')), '-snapshot', '-loadvm', at('s') if i % 2 else 'a', ram=RAM) for i in range(4)]
        try:
            for i, m in enumerate(guests):
                m.send('\n')
                m.expect('# ', 60)
                check(m.command('echo 3 >/proc/sys/vm/drop_caches; cat /d/file').strip() == 'base', 'fork-%d-as-at-the-save' % i)
                m.command('echo fork%d >/d/file && sync' % i)
            for i, m in enumerate(guests):
                check(m.command('echo 3 >/proc/sys/vm/drop_caches; cat /d/file').strip() == 'fork%d' % i, 'fork-%d-by-itself' % i)
                m.send('poweroff -f\n')
                check(m.wait(30) == 0, 'fork-%d-ends' % i, m.errors)
        finally:
            for m in guests:
                m.__exit__(None, None, None)
        check(open(at('disk'), 'rb').read() == before, 'image-unchanged')


def to_qemu():
    """QEMU's -loadvm goes on from a savevm of cede's, and cede from QEMU's."""
    if not QEMU:
        skip('no qemu-system-ppc64')
    with Folder() as at:
        make_image(at('disk'))
        m, h = start(at, *disk(at('disk')), '-M', 'pseries-7.2,ic-mode=xics', cpus='1')
        with m:
            m.command('echo cede >/d/file && sync')
            time.sleep(1)       # by then the guest waits, so that QEMU can go on from there
            check(h.hmp('savevm a') == '', 'savevm')
            h.s.sendall(b'quit\n')
            m.wait(30)
        with Qemu(at.path, *disk(at('disk')), '-loadvm', 'a') as q:
            q.send('\n')
            q.expect('# ', 60)
            check(q.command('cat /d/file').strip() == 'cede', 'qemu-goes-on')
            q.command('echo qemu >/d/file && sync')
            q.monitor('savevm b')
            time.sleep(2)
            q.monitor('quit')
            q.wait(60)
        m = linux('-M', 'pseries-7.2,ic-mode=xics', *disk(at('disk')), '-loadvm', 'b', ram=RAM)
        with m:
            m.send('\n')
            m.expect('# ', 30)
            check(m.command('cat /d/file; echo more >>/d/file; sync; echo 3 >/proc/sys/vm/drop_caches; cat /d/file').split() ==
                  ['qemu', 'qemu', 'more'], 'cede-goes-on')
            m.command('umount /d')
            m.send('poweroff -f\n')
            m.wait(30)
        is_clean(at('disk'), 'after-both')


# A disk on each bus that QEMU has too, a load on each, and the other devices that both have.
MOVED = {'b': 'vda', 's': 'sda', 'v': 'sdb'}
MOVED_DEVICES = ('-device', 'virtio-blk-pci,drive=b', '-device', 'virtio-scsi-pci,id=scsi', '-device', 'scsi-hd,bus=scsi.0,drive=s',
                 '-device', 'virtio-rng-pci', '-device', 'virtio-balloon-pci', '-device', 'spapr-vscsi,id=vscsi',
                 '-device', 'scsi-hd,bus=vscsi.0,drive=v')
# Files of numbers, each whole when it has its name; `check` reads them from the disk.
LOAD = ('load() { n=0; while [ ! -e /tmp/stop ]; do n=$((n + 1)); seq 1 $((n * 97 %% 30000 + 1)) >$1/new && '
        'mv $1/new $1/f$((n %% 30)) && sync; done; }; '
        'check() { for f in $1/f*; do seq 1 $(tail -n 1 $f) | cmp - $f || return 1; done; ls $1 | wc -l; }; '
        'begin() { rm -f /tmp/stop; for d in %(all)s; do load /$d & done; }; '
        'end() { touch /tmp/stop; wait; sync; echo 3 >/proc/sys/vm/drop_caches; for d in %(all)s; do check /$d || return 1; done; }')


def moved_options(at):
    drives = ['-M', 'pseries-7.2,ic-mode=xics']
    for name in MOVED:
        drives += ['-drive', 'file=%s,if=none,id=%s,format=qcow2,cache=unsafe' % (at(name), name)]
    return drives + list(MOVED_DEVICES)


def loads_end(m, name):
    """The load that has gone on since the save has left whole files on all disks; then it starts anew."""
    m.send('\n')
    m.expect('# ', 120)
    m.command('sleep 1', 240)
    m.at = len(m.text)
    counts = m.command('end', 240).split()
    check(len(counts) == len(MOVED) and all(int(n) >= 3 for n in counts[-3:]), name + '-goes-on', counts)
    check(m.command('head -c 1000 /dev/hwrng | wc -c', 60).strip() == '1000', name + '-random-numbers')
    said = m.command('dmesg | grep -E "I/O error|device reset:|abort|timed out|EXT4-fs error" || true', 60)
    check(not said, name + '-no-trouble', said)


def moved():
    """The same both ways in the middle of a load on a disk of each kind."""
    if not QEMU:
        skip('no qemu-system-ppc64')
    with Folder() as at:
        for name in MOVED:
            make_image(at(name))
        m = linux('-monitor', 'unix:%s,server=on,wait=off' % at('m'), *moved_options(at), ram=RAM)
        with m:
            m.shell()
            h = Client(m, at('m'))
            h.until(r'\(cede\) ')
            for name, dev in MOVED.items():
                m.command('mkdir -p /%s && mount -t ext4 /dev/%s /%s' % (name, dev, name))
            m.command(LOAD % {'all': ' '.join(MOVED)})
            m.command('begin; sleep 1', 240)
            check(h.hmp('savevm a') == '', 'savevm')
            h.s.sendall(b'quit\n')
            m.wait(30)
        with Qemu(at.path, *moved_options(at), '-loadvm', 'a') as q:
            loads_end(q, 'qemu')
            q.command('begin; sleep 1', 240)
            q.monitor('savevm b')
            q.monitor('quit')
            q.wait(120)
        with linux(*moved_options(at), '-loadvm', 'b', ram=RAM) as m:
            loads_end(m, 'cede')
            m.command('umount ' + ' '.join('/' + name for name in MOVED))
            m.send('poweroff -f\n')
            m.wait(30)
        for name in MOVED:
            is_clean(at(name), 'after-both-' + name)


if __name__ == '__main__':
    main({'names': names, 'files': files, 'refused': refused, 'media': media, 'forks': forks, 'to-qemu': to_qemu, 'moved': moved})
